"""How cost grows: with the length of a note, the number of codes, the number of training documents.

    python tests/speed/growth.py [length] [codes] [training] [--documents 1000 10000 100000]

CPU seconds and peak memory of a fresh interpreter each, and the exponent between neighbouring sizes: time ~ size ** exponent;
n log n from 10,000 to 100,000 has 1.10. Codes and training documents are made of random words: titles of two to five of 20,000
made-up words; a document holds the titles of three codes among a hundred other words.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
CODES = (10_000, 75_000, 150_000, 300_000)
DOCUMENTS = (1_000, 10_000)


def made_up(rng: random.Random, n: int) -> list[str]:
    parts = [c + v for c in "bcdfglmnprstv" for v in "aeiou"]
    words = {"".join(rng.choice(parts) for _ in range(rng.randint(2, 5))) for _ in range(2 * n)}
    return sorted(words)[:n]


def table(n: int) -> Any:
    """A code system of n codes of random titles."""
    from codesuggest import CodeSystem

    rng = random.Random(n)
    words = made_up(rng, 20_000)
    rows = [{"code": f"{i:06d}", "title": " ".join(rng.choices(words, k=rng.randint(2, 5)))} for i in range(n)]
    return CodeSystem.from_table(rows, name="made", release="2026-04-01")


def documents(system: Any, n: int) -> list[Any]:
    from codesuggest import CodedDocument
    from codesuggest.coded import Label

    rng = random.Random(n)
    words = made_up(rng, 5_000)
    out = []
    for i in range(n):
        codes = rng.sample(range(len(system)), 3)
        told = [f"{system.title(c).capitalize()}." for c in codes]
        told += [" ".join(rng.choices(words, k=12)).capitalize() + "." for _ in range(8)]
        rng.shuffle(told)
        labels = tuple(Label(system.name, system.code(c)) for c in codes)
        out.append(CodedDocument(f"d{i}", "Assessment:\n" + "\n".join(told), labels, systems=(system.name,)))
    return out


def measure(what: str, n: int) -> dict[str, float]:
    """In this interpreter: CPU seconds of one size, and the peak of memory in MB."""
    import resource
    import time

    from codesuggest import CodeSuggester, train

    if what == "length":
        notes = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "corpora" / "notes").glob("*.txt"))]
        text = "\n\n".join(notes)
        text = (text * (1 + n // len(text)))[:n]
        suggester = CodeSuggester.load()
        suggester.suggest(notes[0], systems=["icd10cm"])
        start = time.process_time()
        suggester.suggest(text, systems=["icd10cm"])
    elif what == "codes":
        system = table(n)
        suggester = train([], systems=[system])
        notes = [d.text for d in documents(system, 50)]
        suggester.suggest(notes[0])
        start = time.process_time()
        for note in notes:
            suggester.suggest(note)
    else:
        system = table(10_000)
        given = documents(system, n)
        start = time.process_time()
        train(given, systems=[system])
    spent = time.process_time() - start
    return {"seconds": spent, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def show(what: str, sizes: Sequence[int]) -> None:
    print(f"\n| {what} | CPU s | peak MB | exponent |\n|---|---|---|---|")
    before: tuple[int, float] | None = None
    for n in sizes:
        run = subprocess.run(
            [sys.executable, __file__, "--one", what, str(n)], capture_output=True, text=True, check=True
        )
        found = json.loads(run.stdout.splitlines()[-1])
        exponent = ""
        if before is not None:
            exponent = f"{math.log(found['seconds'] / before[1]) / math.log(n / before[0]):.2f}"
        before = n, found["seconds"]
        print(f"| {n:,} | {found['seconds']:.2f} | {found['megabytes']:.0f} | {exponent} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="length, codes, training; by default all")
    parser.add_argument("--documents", nargs="+", type=int, default=list(DOCUMENTS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    sizes = {"length": LENGTHS, "codes": CODES, "training": options.documents}
    for what in options.what or list(sizes):
        show(what, sizes[what])


if __name__ == "__main__":
    main()
