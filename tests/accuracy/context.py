"""How the reading of a note agrees with the invented notes' gold: assertions of distractors, and the type of document.

    python tests/accuracy/context.py [--model MODEL] [--split train|evaluation] [--misses]

Distractors are the `assertions` of a note's JSON: spans that are negated, uncertain, of the family, of the past, hypothetical or
of another person. One is read as most of the phrases that touch it are, else as most of its words are. Then, of the notes'
own ICD-10-CM codes, how many pieces of evidence are read as affirmed (a code whose evidence is withheld is lost), and the types
of document that are recognised where none is given, also with the first line cut off, which often names the type.

The word lists were written with the notes of the split "train" in view: figures on them say that nothing broke. Of the
evaluation notes only counts are printed; `--misses` (train only) prints the place of each miss and the two assertions, no text.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from codesuggest import CodeSuggester
from codesuggest.coded import notes_path
from codesuggest.note import Reading
from codesuggest.pipes.assertion import strength
from codesuggest.records import ASSERTIONS

NOTHING = "nothing"  #: a span without a phrase or a known word


def read_as(reading: Reading, start: int, end: int, tie: int = 1) -> str:
    """The assertion of most phrases that touch a span of the note, else of most of its words.

    The stronger on a tie, as `Asserted.of` has it: a span may hold the cue itself ("never diabetic"). tie: -1 for the weaker,
    since evidence may hold what it has not ("severe, without psychotic features").
    """
    votes = Counter(p.assertion for p in reading.phrases if p.start < end and start < p.end and not p.derived)
    if not votes:
        inside = np.flatnonzero((np.asarray(reading.words.start) < end) & (np.asarray(reading.words.end) > start))
        segments = [int(s) for s in reading.segment_of_word[inside] if s >= 0]
        votes = Counter(ASSERTIONS[reading.status[s]] for s in segments if not reading.derived[s])
    return max(votes, key=lambda status: (votes[status], tie * strength(status))) if votes else NOTHING


def notes_of(folder: Path, split: str) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """(name, text, gold) of each note of a split."""
    for file in sorted(folder.glob("*.json")):
        gold = json.loads(file.read_text(encoding="utf-8"))
        if gold["split"] == split:
            yield file.stem, file.with_suffix(".txt").read_bytes().decode("utf-8"), gold


def show(title: str, found: Counter[tuple[str, str]]) -> None:
    """found: (gold, read as) -> how many."""
    print(f"\n| {title} | n | agree | read as something else |\n|---|---|---|---|")
    names = sorted({gold for gold, _ in found}, key=lambda g: -sum(n for (a, _), n in found.items() if a == g))
    for name in names:
        row = Counter({read: n for (gold, read), n in found.items() if gold == name})
        n = sum(row.values())
        others = ", ".join(f"{read} {k}" for read, k in row.most_common() if read != name)
        print(f"| {name} | {n} | {row[name] / n:.3f} | {others} |")
    n, right = sum(found.values()), sum(k for (gold, read), k in found.items() if gold == read)
    print(f"| all | {n} | {right / max(1, n):.3f} | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="whose words are read with; by default the starter")
    parser.add_argument("--split", choices=("train", "evaluation"), default="train")
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    if options.misses and options.split == "evaluation":
        parser.error("the evaluation notes are not looked into")
    reader = CodeSuggester.load(options.model).reader
    assertions: Counter[tuple[str, str]] = Counter()
    evidence: Counter[tuple[str, str]] = Counter()
    types: Counter[tuple[str, str]] = Counter()
    headless: Counter[tuple[str, str]] = Counter()
    notes = 0
    for name, text, gold in notes_of(notes_path(), options.split):
        notes += 1
        kind = gold["document_type"]
        types[kind, reader.read(text).document_type or NOTHING] += 1
        headless[kind, reader.read(text.split("\n", 1)[-1] or " ").document_type or NOTHING] += 1
        reading = reader.read(text, kind)
        for a in gold["assertions"]:
            found = read_as(reading, a["start"], a["end"])
            assertions[a["assertion"], found] += 1
            if options.misses and found != a["assertion"]:
                print(f"{name} {a['start']}-{a['end']}: {a['assertion']}, read as {found}")
        for code in gold["codes"]:
            if code["system"] == "icd10cm":
                for start, end in code["evidence"]:
                    evidence["affirmed", read_as(reading, start, end, tie=-1)] += 1
    print(f"{notes} invented notes of the split {options.split}")
    show("assertion of a distractor", assertions)
    show("evidence of a code", evidence)
    show("type of document", types)
    show("type, first line cut off", headless)


if __name__ == "__main__":
    main()
