"""What each source of knowledge brings to the starter's ICD-10-CM ranker: each is left out in turn, and the ranker fitted anew.

    python tests/accuracy/ablation.py [--only NAME ...] [--folds 0 2 4 6] [--list]

Cross-validation as in `crossval.py`, with the ICD-10-CM table alone (a little faster, hardly other figures), over the notes of
the given folds (by default all eight). A row of the table is what is lost without the source, or gained by what the starter does
not have ("with ..."): difference to the run with everything, with the 95% interval of a paired bootstrap over notes. What two
sources both hold is lost by neither, so the rows do not add up. With few folds F1 says little: calibration and threshold of a
fold are then chosen on few notes, and a lucky one moves F1 by 0.02; MAP and R@k do not depend on them.

    words, tables   rows of a word list or decision table; the idioms by kind
    terms           inclusion terms of the tabular list; the Alphabetic Index (FY2025) of the reference data in addition
    features        a group of named features
    documents       CodiEsp (associations, priors), the visits of ACI-Bench, the invented notes; those that are left out are not
                    measured on either

On one core some 30 s of CPU for two folds of a list (all notes are read anew), 8 s for a group of features; 1.5 GB.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from crossval import rows_of
from held_out import DATA, ROOT, SYSTEM, Bench, sources_here

from codesuggest import training
from codesuggest.coded import CodedDocument
from codesuggest.codes.index_terms import system_with_index
from codesuggest.codes.readers.cm_index import read_index_csv
from codesuggest.codes.system import CodeSystem
from codesuggest.compare import compare
from codesuggest.evaluation import score
from codesuggest.features import FEATURES
from codesuggest.idioms import read_idioms
from codesuggest.note import GROUPS as SECTIONS
from codesuggest.pipes import lexicon
from codesuggest.training import Example, Sources

Rows = list[dict[str, Any]]

SHOWN = ("MAP", "F1", "R@10", "R@200")
IDIOMS = ROOT / "corpora" / "codes" / "idioms_icd10cm.tsv"
INDEX = DATA / "official" / "icd10cm" / "ICD10CM_2025_Index.csv"

#: Name -> the end of the list's path, and the cells of the rows that are left out (none: all rows).
LISTS: dict[str, tuple[tuple[str, ...], Mapping[str, Sequence[str]]]] = {
    "idioms, all kinds": (("idioms_icd10cm.tsv",), {}),
    "idioms: clinical": (("idioms_icd10cm.tsv",), {"kind": ["idiom"]}),
    "idioms: abbreviations": (("idioms_icd10cm.tsv",), {"kind": ["abbrev"]}),
    "idioms: lay": (("idioms_icd10cm.tsv",), {"kind": ["lay"]}),
    "idioms: drugs": (("idioms_icd10cm.tsv",), {"kind": ["drug"]}),
    "abbreviations.tsv": (("en/abbreviations.tsv",), {}),
    "words.tsv (spellings)": (("en/words.tsv",), {}),
    "cues.tsv (assertion)": (("en/cues.tsv",), {}),
    "sections.tsv": (("en/sections.tsv",), {}),
    "results.tsv (laboratory)": (("en/results.tsv",), {}),
    "routes": (("en/routes.tsv", "rules/routes.tsv"), {}),
    "qualifiers.tsv": (("en/qualifiers.tsv",), {}),
    "implied, symptoms, pairs": (("rules/implied.tsv", "rules/symptoms.tsv", "rules/pairs.tsv"), {}),
}
TERMS = ("inclusion terms", "with the Alphabetic Index")
#: Name -> beginnings of the names of its features.
GROUPS: dict[str, tuple[str, ...]] = {
    "CodiEsp (associations, priors)": ("learned:association", "learned:mention_prior"),
    "priors of billed codes": ("learned:code_prior", "learned:category_prior"),
    "sections": tuple(f"{kind}:{group}" for kind in ("match", "full") for group in SECTIONS),
    "headings and titles": ("match:headline", "match:title_start", "match:title_in_note"),
    "kind of term": ("kind:",),
    "assertion": ("against:negated", "against:historical", "against:uncertain"),
    "rivals": ("rival:", "against:rival", "against:dominated", "against:shared", "against:crowd", "against:longe"),
    "company (others said)": ("company:",),
    "sides and encounters": ("side:", "encounter:", "code:trimester", "code:other_trimester"),
    "chapters": ("chapter:",),
    "kind of code": ("code:",),
}
DOCUMENTS = ("visits of ACI-Bench", "invented notes")


def without_rows(name: str) -> None:
    """From now on every list of this name is read without the rows that are left out."""
    ends, cells = LISTS[name]
    rows = lexicon._rows

    def kept(path: Path, *more: Any) -> Iterator[lexicon.Row]:
        for row in rows(path, *more):
            out = path.as_posix().endswith(ends) and all(row[column] in values for column, values in cells.items())
            if not out:
                yield row

    lexicon._rows = kept


def with_index(table: CodeSystem) -> CodeSystem:
    """The table with the phrases of the Index as terms, as `rebuild` adds them."""
    then = CodeSystem.from_arrays(
        {**table.arrays(), "billable": table.billable_on()}, name=table.name, release=table.release
    )
    return system_with_index(then, read_index_csv(INDEX))


def bench_for(name: str, sources: Sources) -> Bench:
    """The bench without a list, without terms, or with more terms."""
    table = next(t for t in sources.systems if t.name == SYSTEM)
    idioms = sources.idioms
    if name in LISTS:
        without_rows(name)
        idioms = {SYSTEM: read_idioms(IDIOMS, table)}
    elif name == "with the Alphabetic Index":
        table = with_index(table)
    elif name == "inclusion terms":
        entries_of = training.entries_of
        training.entries_of = lambda system: [replace(entry, terms=()) for entry in entries_of(system)]
    return Bench.load(sources._replace(systems=[table], idioms=idioms))


def answered(bench: Bench, name: str, folds: Sequence[int] | None) -> Rows:
    """What is suggested for the notes of the folds, as lines of a batch."""
    leaving: Collection[str] = ()
    if name == "visits of ACI-Bench":
        leaving = {"aci"}
    elif name == "invented notes":
        leaving = bench.by_type().keys() - {"aci"}
    if name in GROUPS:
        columns = [i for i, feature in enumerate(FEATURES) if feature.startswith(GROUPS[name])]

        def cut(example: Example) -> Example:
            example.table.x[:, columns] = 0
            return example

        bench = replace(bench, change=cut)
    return rows_of(bench.crossed(folds=folds, leaving=leaving))


def run(sources: Sources, names: Sequence[str], folds: Sequence[int] | None) -> Iterator[tuple[str, Rows]]:
    """(name, lines) of everything ("") and without each, as they are ready. Word lists are read once a process, so each that is
    left out has a process of its own; what needs no list read anew shares one. Raises EOFError where one of them fails."""
    light = ["", *(name for name in names if name in GROUPS or name in DOCUMENTS)]
    context = multiprocessing.get_context("fork")
    for together in [light, *([name] for name in names if name not in light)]:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_task, args=(there, together, sources, folds))
        process.start()
        there.close()
        for _ in together:
            yield here.recv()
        process.join()


def _task(there: Connection, names: Sequence[str], sources: Sources, folds: Sequence[int] | None) -> None:
    bench = bench_for(names[0], sources)
    if len(names) > 1:
        bench = replace(bench, kept={})
    for name in names:
        there.send((name, answered(bench, name, folds)))


def show(name: str, documents: Sequence[CodedDocument], before: Rows, after: Rows, table: CodeSystem) -> None:
    known = {row["id"] for row in after}
    common = [d for d in documents if d.id in known]
    scored = [score(common, rows, system=SYSTEM, table=table) for rows in (before, after)]
    found = compare(*scored).differences
    cells = [f"{found[f].change:+.3f} [{found[f].low:+.3f}, {found[f].high:+.3f}]" for f in SHOWN]
    print(f"| {name} | {len(common)} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*DOCUMENTS, *GROUPS, *TERMS, *LISTS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", default=names)
    parser.add_argument("--folds", nargs="+", type=int, choices=range(training.FOLDS))
    parser.add_argument("--list", action="store_true", help="names of what can be left out")
    options = parser.parse_args()
    if options.list:
        print("\n".join(names))
        return
    sources = sources_here()
    documents, table = sources.documents, next(t for t in sources.systems if t.name == SYSTEM)
    base: Rows = []
    for name, rows in run(sources, options.only, options.folds):
        if name:
            show(name, documents, base, rows, table)
            continue
        base = rows
        known = {row["id"] for row in base}
        figures = score([d for d in documents if d.id in known], base, system=SYSTEM, table=table).figures
        print(f"with everything, {len(base)} notes: {', '.join(f'{f} {figures[f]:.3f}' for f in SHOWN)}\n")
        print(f"| without | notes | {' | '.join(SHOWN)} |\n|---|---|{'---|' * len(SHOWN)}")


if __name__ == "__main__":
    main()
