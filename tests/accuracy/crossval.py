"""Grouped cross-validation of the starter's ICD-10-CM ranker on the notes it is trained on.

    python tests/accuracy/crossval.py [--leave-out document_type | --nested] [--types aci ed_note ...]
                                      [--save RUN.jsonl] [--compare OTHER.jsonl] [--seed N] [--stages] [--worst N]

Notes: `visits/train.jsonl` of the reference data ($CODESUGGEST_DATA) and the training split of `corpora/notes`. Never the
evaluation notes. Lists, tables and code of this checkout: nothing of `models/starter` is read, so a change of a word list, a
feature or the fit shows at once. A type of document is that of the note's JSON; "aci" are the visits of the reference data.

    (plain)                      eight folds by group of notes (patient or family); each note is answered by a ranker, priors,
                                 calibration and threshold of other folds
    --leave-out document_type    each type is answered by a ranker fitted on the other types only
    --nested                     as plain, with calibration and threshold of a fold from folds within the others: what plain
                                 only comes near to (`held_out.Bench.crossed`), in the time of --leave-out
    --types                      measure on these types only (with --leave-out, only these are left out)
    --save RUN.jsonl             keep what was suggested, for a later --compare
    --compare OTHER.jsonl        what changed since a run that was saved: paired bootstrap over the notes both have
    --stages                     where required codes were lost, by type (some seconds more)
    --worst N                    the N notes with the lowest F1: codes missed and codes suggested wrongly, no text

To tune: `--save before.jsonl`, change something, `--compare before.jsonl`. Figures are those of `codesuggest evaluate`: tiered
F1 of what is marked as suggested, MAP and R@k over required codes, ECE; in brackets 95% intervals of a bootstrap over notes.
About 95 s of CPU on one core for 418 notes (200 s more with --leave-out).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from held_out import SYSTEM, Answers, Bench, type_of

from codesuggest.coded import CodedDocument
from codesuggest.compare import compare
from codesuggest.evaluation import Evaluation, score
from codesuggest.losses import Losses, worst_documents
from codesuggest.stages import STAGES

SHOWN = ("MAP", "F1", "P", "R", "R@10", "R@200", "ECE", "suggested_per_note")
WITH_INTERVAL = ("MAP", "F1", "ECE")
COMPARED = ("MAP", "F1", "R@10", "R@200", "ECE")


def parts_of(documents: Sequence[CodedDocument]) -> dict[str, list[int]]:
    """Type -> places of its documents; "all" where there are several."""
    types = [type_of(d) for d in documents]
    parts = {name: [i for i, own in enumerate(types) if own == name] for name in sorted(set(types))}
    return parts | ({"all": list(range(len(documents)))} if len(parts) > 1 else {})


def show(evaluation: Evaluation, documents: Sequence[CodedDocument]) -> None:
    """The figures by type of document and over all; "mean of types" lets each type count alike."""
    print(f"| type | notes | required | {' | '.join(SHOWN)} |\n|---|{'---|' * (len(SHOWN) + 2)}")
    by_type = {}
    for name, places in parts_of(documents).items():
        part = evaluation.of_documents(places)
        figures, intervals = part.figures, part.intervals()
        cells = [
            f"{figures[f]:.3f}" + (" [{:.2f}, {:.2f}]".format(*intervals[f]) if f in WITH_INTERVAL else "")
            for f in SHOWN
        ]
        print(f"| {name} | {part.documents} | {figures['required']:.0f} | {' | '.join(cells)} |")
        if name != "all":
            by_type[name] = figures
    if len(by_type) > 1:
        means = [f"{np.mean([figures[f] for figures in by_type.values()]):.3f}" for f in SHOWN]
        print(f"| mean of types | | | {' | '.join(means)} |")


def show_stages(found: Losses, documents: Sequence[CodedDocument]) -> None:
    """Share of the required codes that came no further than each stage, by type."""
    type_by_id = {d.id: type_of(d) for d in documents}
    names = [stage for stage in STAGES if stage in found.stages]
    print(
        f"\nshare of required codes by the stage they reached\n\n| type | {' | '.join(names)} |\n|---|{'---|' * len(names)}"
    )
    for name in [*sorted(set(type_by_id.values())), "all"]:
        rows = tuple(row for row in found.rows if name in ("all", type_by_id[row.document]))
        stages = replace(found, rows=rows).stages
        print(f"| {name} | {' | '.join(f'{stages.get(stage, 0) / max(1, len(rows)):.3f}' for stage in names)} |")


def rows_of(answers: Answers, limit: int = 200) -> list[dict[str, Any]]:
    """What was suggested, as lines of a batch with the keys that are scored."""
    rows = []
    for document in answers.documents:
        found = answers.suggest(document.text, limit=limit).to_dict()
        kept = [
            {
                **{key: s[key] for key in ("system", "code", "confidence", "suggested")},
                "evidence": [{k: e[k] for k in ("start", "end", "section", "basis") if k in e} for e in s["evidence"]],
            }
            for s in found["suggestions"]
        ]
        rows.append({"id": document.id, "suggestions": kept, "error": None})
    return rows


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def show_changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], answers: Answers) -> None:
    """Differences with paired intervals, by type, over the notes of both runs, coded as they are now."""
    known = {row["id"] for row in before} & {row["id"] for row in after}
    documents = [d for d in answers.documents if d.id in known]
    print(f"\nchange over the {len(documents)} notes of both runs: before, after, 95% interval of the difference\n")
    print(f"| type | {' | '.join(COMPARED)} | gained, lost, added, dropped |\n|---|{'---|' * (len(COMPARED) + 1)}")
    table = answers.tables[SYSTEM]
    old, new = (score(documents, rows, system=SYSTEM, table=table) for rows in (before, after))
    for name, places in parts_of(documents).items():
        found = compare(old.of_documents(places), new.of_documents(places))
        cells = []
        for figure in COMPARED:
            d = found.differences[figure]
            cells.append(f"{d.before:.3f} {d.after:.3f} **{d.change:+.3f}** [{d.low:+.3f}, {d.high:+.3f}]")
        print(f"| {name} | {' | '.join(cells)} | {', '.join(map(str, found.counts.values()))} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--leave-out", choices=["document_type"])
    how.add_argument("--nested", action="store_true")
    parser.add_argument("--types", nargs="+")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--worst", type=int, default=0)
    options = parser.parse_args()
    before = read_rows(options.compare) if options.compare else None
    bench = Bench.load()
    parts = bench.by_type()
    types = options.types or list(parts)
    if unknown := sorted(set(types) - set(parts)):
        parser.error(f"no such type: {', '.join(unknown)}; there are {', '.join(parts)}")
    if options.leave_out:
        title, answers = "each type answered without it", bench.left_out({name: parts[name] for name in types})
    elif options.nested:
        title, answers = "eight folds by group, nested", bench.left_out(bench.by_fold(options.seed))
    else:
        title, answers = "eight folds by group", bench.crossed(options.seed)
    answers = replace(answers, held={t: h for t, h in answers.held.items() if type_of(h.example.document) in types})
    evaluation = answers.evaluation()
    print(f"{len(answers.held)} notes, {title}; thresholds "
          + ", ".join(f"{name} {bar:.2f}" for name, bar in answers.thresholds.items()) + "\n")  # fmt: skip
    show(evaluation, answers.documents)
    if options.stages:
        show_stages(answers.losses(), answers.documents)
    for row in worst_documents(evaluation, options.worst) if options.worst else ():
        print(f"{row.F1:.2f} {row.document}: missed {' '.join(row.missed)}; wrong {' '.join(row.wrong)}")
    if options.save or before is not None:
        rows = rows_of(answers)
        if options.save:
            options.save.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        if before is not None:
            show_changes(before, rows, answers)


if __name__ == "__main__":
    main()
