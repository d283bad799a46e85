"""What a confidence is worth, by set and type of document: of the suggestions of 0.8, are eight in ten right?

    python tests/accuracy/calibration.py NAME=LINES.jsonl [NAME=LINES.jsonl ...] [--system icd10cm] [--bins]

LINES are what `crossval.py --save`, `codiesp.py --lines` or `codesuggest batch` wrote, NAME is the set of documents they are of:

    train              the notes of crossval.py            codiesp-en, codiesp-es    the development part
    visits, dictated   evaluation sets, for milestones     invented                  the evaluation split of the corpus

    ECE, Brier         as in `codesuggest evaluate` (suggestions of confidence 0.05 and more, the first 20 a document)
    by chance          the ECE that a perfectly calibrated model would show on so many suggestions (mean of 1,000 draws): a
                       small set has a large ECE whatever the model
    confidence, right  means over these suggestions
    shift              by how much log-odds the confidences would have to rise to be right on the whole; above 0: too modest

A set of which the ECE is not above what chance gives is calibrated as far as one can tell. --bins adds the reliability curve. Reads
results only; takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from crossval import read_rows
from held_out import DATA, type_of

from codesuggest.coded import CodedDocument, notes_path, read_coded, read_codiesp
from codesuggest.evaluation import Bin, Evaluation, score
from codesuggest.scoring import CALIBRATION_FLOOR, CALIBRATION_TOP

DRAWS = 1000


def documents_of(name: str) -> list[CodedDocument]:
    """Raises SystemExit for a name that is none."""
    if name == "train":
        return [d for d in read_coded(notes_path()) if d.split == "train"] + read_coded(DATA / "visits" / "train.jsonl")
    if name == "invented":
        return [d for d in read_coded(notes_path()) if d.split == "evaluation"]
    if name in ("visits", "dictated"):
        return read_coded(DATA / name / "coded.jsonl")
    if name in ("codiesp-en", "codiesp-es"):
        return read_codiesp(DATA / "codiesp", "dev", language=name[-2:])
    raise SystemExit(f"{name} is no set; see --help")


def by_chance(curve: Sequence[Bin]) -> float:
    """ECE expected where each confidence is exactly as often right as it says."""
    n = np.array([b.n for b in curve])
    p = np.array([b.confidence or 0.0 for b in curve])
    right = np.random.default_rng(0).binomial(n, p, (DRAWS, len(n)))
    return float((np.abs(right - n * p).sum(1) / max(1, n.sum())).mean())


def shift_of(confidence: np.ndarray, right: float) -> float:
    """What, added to the log-odds of all, makes their mean `right`; by halving, within [-4, 4]."""
    odds = np.log(np.clip(confidence, 1e-6, 1 - 1e-6) / (1 - np.clip(confidence, 1e-6, 1 - 1e-6)))
    low, high = -4.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if float((1 / (1 + np.exp(-odds - middle))).mean()) < right else (low, middle)
    return low


def looked_at(evaluation: Evaluation) -> np.ndarray:
    """The confidences that ECE looks at."""
    found = []
    for case in evaluation.cases:
        own = [s.confidence for s in case.listed if s.confidence is not None and s.confidence >= CALIBRATION_FLOOR]
        found += own[:CALIBRATION_TOP]
    return np.array(found)


def rows_for(name: str, path: Path, system: str) -> Iterator[tuple[str, Evaluation]]:
    """(file, set and type; evaluation) of the documents that the lines are of, first of all together."""
    rows = read_rows(path)
    known = {row["id"] for row in rows}
    documents = [d for d in documents_of(name) if d.id in known and d.labels(system) is not None]
    documents = [d for d in documents if d.policy == "billing" or d.labels(system)]
    evaluation = score(documents, rows, system=system)
    yield f"{path.stem}: {name}, all", evaluation
    types = [type_of(d) for d in documents]
    for kind in sorted(set(types)) if len(set(types)) > 1 else ():
        yield f"{path.stem}: {name}, {kind}", evaluation.of_documents([i for i, own in enumerate(types) if own == kind])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="+", metavar="NAME=LINES.jsonl")
    parser.add_argument("--system", default="icd10cm")
    parser.add_argument("--bins", action="store_true")
    options = parser.parse_args()
    heads = ("set, type", "notes", "suggestions", "ECE", "by chance", "Brier", "confidence", "right", "shift")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    curves = []
    for given in options.lines:
        name, _, path = given.partition("=")
        for label, part in rows_for(name, Path(path), options.system):
            curve, confidence = part.reliability, looked_at(part)
            right = sum((b.right or 0.0) * b.n for b in curve) / max(1, len(confidence))
            low, high = part.intervals()["ECE"]
            print(f"| {label} | {part.documents} | {len(confidence)} | {part.figures['ECE']:.3f} [{low:.2f}, {high:.2f}] "
                  f"| {by_chance(curve):.3f} | {part.figures['Brier']:.3f} | {confidence.mean():.3f} | {right:.3f} "
                  f"| {shift_of(confidence, right):+.2f} |")  # fmt: skip
            curves.append((label, curve))
    if options.bins:
        heads = " | ".join(f"{b.low:.1f}-{b.high:.1f}" for b in curves[0][1])
        print(
            f"\nshare that is right (of so many) by confidence\n\n| set, type | {heads} |\n|---|{'---|' * len(curves[0][1])}"
        )
        for label, curve in curves:
            cells = [f"{b.right:.2f} ({b.n})" if b.right is not None else "" for b in curve]
            print(f"| {label} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
