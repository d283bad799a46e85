"""How many documents of a site it takes: a base adapted to more and more office visits, measured on others of them.

    python tests/accuracy/adapting.py BASE [--documents 0 10 30 100] [--folds 0 1 2 3 4] [--alone]

BASE is a model that has seen none of these visits (`without_visits.py` writes one). The 127 visits of `visits/train.jsonl` are
cut into five folds; the base is adapted (`codesuggest.adapt`) to the first so many visits of the other folds, and each fold is
measured with the model that has not seen it. --alone: beside it, a model trained on these visits alone, with the table and our
idioms. Figures in ICD-10-CM with 95% intervals of a bootstrap over visits; CPU seconds a model.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from held_out import DATA, ROOT, SYSTEM

from codesuggest import CodeSuggester, adapt
from codesuggest.coded import CodedDocument, read_coded
from codesuggest.codes import packages
from codesuggest.evaluation import score
from codesuggest.idioms import read_idioms
from codesuggest.records import NoteResult
from codesuggest.training import train

FOLDS = 5
SHOWN = ("MAP", "F1", "R@10", "ECE")


def told_by(model: CodeSuggester, documents: Sequence[CodedDocument]) -> list[NoteResult]:
    return [model.suggest(d.text, id=d.id, systems=[SYSTEM], limit=200) for d in documents]


def folded(documents: Sequence[CodedDocument]) -> list[list[CodedDocument]]:
    """Five folds of whole groups, each in the order of the file."""
    names = sorted({d.group or d.id for d in documents})
    random.Random(0).shuffle(names)
    fold_of = {name: i % FOLDS for i, name in enumerate(names)}
    return [[d for d in documents if fold_of[d.group or d.id] == k] for k in range(FOLDS)]


def show(
    title: str, folds: Sequence[list[CodedDocument]], chosen: Sequence[int], n: int,
    make: Callable[[Sequence[CodedDocument]], CodeSuggester], base: CodeSuggester,
) -> None:  # fmt: skip
    start, results = time.process_time(), []
    for k in chosen:
        given = [d for j, fold in enumerate(folds) if j != k for d in fold][:n]
        results += told_by(make(given), folds[k])
    took = (time.process_time() - start) / len(chosen)
    measured = [d for k in chosen for d in folds[k]]
    found = score(measured, results, system=SYSTEM, table=base.tables[SYSTEM])
    ends = found.intervals()
    cells = [f"{found.figures[f]:.3f} [{ends[f][0]:.2f}, {ends[f][1]:.2f}]" for f in SHOWN]
    print(f"| {title} | {n} | {' | '.join(cells)} | {took:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("--documents", nargs="+", type=int, default=[0, 10, 30, 100])
    parser.add_argument("--folds", nargs="+", type=int, choices=range(FOLDS), default=list(range(FOLDS)))
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    base = CodeSuggester.load(options.base)
    folds = folded(read_coded(DATA / "visits" / "train.jsonl"))
    print(f"| model | visits | {' | '.join(SHOWN)} | s |\n|---|---|{'---|' * (len(SHOWN) + 1)}")

    def adapted(given: Sequence[CodedDocument]) -> CodeSuggester:
        return adapt(base, given, systems=[SYSTEM]) if given else base

    for n in options.documents:
        show("adapted", folds, options.folds, n, adapted, base)
    if options.alone:
        table = packages.icd10cm()
        idioms = {SYSTEM: read_idioms(ROOT / "corpora" / "codes" / "idioms_icd10cm.tsv", table)}
        for n in options.documents:
            if n:
                show(
                    "trained on them alone", folds, options.folds, n,
                    lambda given: train(given, systems=[table], idioms=idioms, min_groups=1), base,
                )  # fmt: skip


if __name__ == "__main__":
    main()
