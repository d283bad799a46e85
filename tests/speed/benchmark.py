"""How fast, beside the floor that no spaCy pipeline can beat: `spacy.blank("en")` with a sentencizer on the same notes.

usage: python tests/speed/benchmark.py [NOTES.jsonl ...] [--rounds 3] [--all-systems]

NOTES: JSON lines with "text"; by default the visit notes of the reference data ($CODESUGGEST_DATA or ../shared/data), and
without them the invented notes of corpora/. Both run in turn in one process, so the ratio holds on a busy machine; seconds
do not. Cold figures come from a fresh interpreter: CPU seconds from its start to the first suggestion, peak memory at its end.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLD = """
import json, resource, sys, time
from codesuggest import CodeSuggester
notes = json.load(sys.stdin)
suggester = CodeSuggester.load()
suggester.suggest(notes[0])
first = time.process_time()
for note in notes:
    suggester.suggest(note)
print(json.dumps([first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def read_notes(paths: list[Path]) -> list[str]:
    return [
        json.loads(line)["text"] for path in paths for line in path.read_text(encoding="utf-8").splitlines() if line
    ]


def default_notes() -> list[str]:
    data = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
    found = [p for p in (data / "visits" / "train.jsonl", data / "visits" / "coded.jsonl") if p.is_file()]
    if found:
        return read_notes(found)
    return [p.read_bytes().decode("utf-8") for p in sorted((ROOT / "corpora" / "notes").glob("*.txt"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--all-systems", action="store_true", help="every system of the model, not ICD-10-CM alone")
    options = parser.parse_args()
    notes = read_notes(options.notes) if options.notes else default_notes()

    import spacy

    from codesuggest import CodeSuggester

    floor = spacy.blank("en")
    floor.add_pipe("sentencizer")
    suggester = CodeSuggester.load()
    systems = list(suggester.systems) if options.all_systems else ["icd10cm"]
    systems_named = ", ".join(systems)
    for note in notes[:10]:
        suggester.suggest(note, systems=systems)
        floor(note)
    ratios, ours, each = [], [], []
    for _ in range(options.rounds):
        start = time.process_time()
        for note in notes:
            floor(note)
        base = time.process_time() - start
        start = time.process_time()
        for note in notes:
            at = time.perf_counter()
            suggester.suggest(note, systems=systems)
            each.append((time.perf_counter() - at) * 1000)
        spent = time.process_time() - start
        ours.append(len(notes) / spent)
        ratios.append(spent / base)
    cold = json.loads(
        subprocess.run(
            [sys.executable, "-c", COLD], input=json.dumps(notes), capture_output=True, text=True, check=True
        ).stdout
    )
    each.sort()
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("codesuggest", "spacy", "numpy", "scipy"))
    print(
        f"{versions}, Python {platform.python_version()}, {os.cpu_count()} cores; {len(notes)} notes, {systems_named}"
    )
    print(f"notes a second of CPU, one process   {statistics.median(ours):8.1f}")
    print(
        f"ratio to spacy.blank + sentencizer   {statistics.median(ratios):8.1f}   (rounds: {', '.join(f'{r:.1f}' for r in ratios)})"
    )
    print(f"ms a note, wall: p50 / p99           {each[len(each) // 2]:8.1f} / {each[int(len(each) * 0.99)]:.1f}")
    print(f"CPU s, cold start to first result    {cold[0]:8.2f}")
    print(f"peak memory, MB                      {cold[1]:8.0f}")


if __name__ == "__main__":
    main()
