"""Many documents through every engine: nothing lost, nothing doubled, the same records, level memory.

    python tests/speed/scale.py FOLDER [--documents 100000] [--legs jobs1 jobs2 spark] [--systems icd10cm ...]

The training visits and CodiEsp cases of the reference data ($CODESUGGEST_DATA or ../shared/data) and our invented notes, again and
again, each with an id of its own, go through `run_batch` with one process, with two, and through Spark local[2]. Of each leg:

    notes/s      from the 64th record on; of Spark for the whole leg, its start included
    MB at n      of all processes of the leg when n records were there, shared pages once; of Spark in the middle and at the end
    lost         ids without a record; doubled: with more than one
    other        records that differ from those of the first leg; of a batch the files are compared byte for byte
    unlike       records that differ from that of the same text with another id in more than the id

What was done is kept in FOLDER, so the same command goes on: after a leg with the next, within a batch where it was. An output is
deleted once it was read (a record of ICD-10-CM takes about 57 kB, and a batch twice that for a moment); --keep keeps it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from watched import Watch
from workers import WARM, repeated

ROOT = Path(__file__).resolve().parents[2]
LEGS = ("jobs1", "jobs2", "spark")
MARKS = (1_000, 10_000, 100_000, 1_000_000)


def shared_notes(data: Path) -> list[str]:
    from codesuggest.coded import read_coded, read_codiesp

    found = [p.read_bytes().decode("utf-8") for p in sorted((ROOT / "corpora" / "notes").glob("*.txt"))]
    if (visits := data / "visits" / "train.jsonl").is_file():
        found += [d.text for d in read_coded(visits)]
        found += [d.text for part in ("train", "dev") for d in read_codiesp(data / "codiesp", part, language="en")]
    return found


# ---- a leg, in an interpreter of its own


def run(leg: str, folder: Path, systems: list[str]) -> dict[str, Any]:
    from codesuggest.batch import run_batch

    marks: list[tuple[float, int]] = []
    out, began = folder / f"{leg}.jsonl", time.monotonic()
    how: dict[str, Any] = {"options": {"systems": systems}}
    if leg == "spark":
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        how |= {"engine": "spark", "master": "local[2]", "overwrite": True}
    else:
        how |= {"jobs": int(leg[-1]), "resume": True, "progress": lambda n, _: marks.append((time.monotonic(), n))}
    with Watch() as watch:
        summary = run_batch(folder / "in.jsonl", out, **how)
    ended = time.monotonic()
    if leg == "spark":
        memory = {f"{share}%": at(watch, began + (ended - began) * share / 100) for share in (50, 100)}
        rate = summary.documents / (ended - began)
    else:
        known = [n for n in (*MARKS, summary.documents) if summary.resumed < n <= summary.documents]
        memory = {f"{n:,}": at(watch, next(when for when, done in marks if done >= n)) for n in dict.fromkeys(known)}
        warm = next((mark for mark in marks if mark[1] >= summary.resumed + WARM), marks[0])
        rate = (marks[-1][1] - warm[1]) / max(marks[-1][0] - warm[0], 1e-9)
    return {"rate": rate, "memory": memory, "peak": watch.peak, "errors": summary.errors}


def at(watch: Watch, when: float) -> float | None:
    """MB at a moment: of the sample nearest to it."""
    return min(watch.samples, key=lambda sample: abs(sample[0] - when), default=(0.0, None))[1]


# ---- what came out


def lines(out: Path) -> Iterator[bytes]:
    for file in sorted(out.glob("part-*")) if out.is_dir() else [out]:
        with file.open("rb") as handle:
            yield from handle


def examined(out: Path, n: int, texts: int) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Counts of lost, doubled and unlike records, sha256 of a file; and a digest of each record, (n,) of 16 bytes."""
    count = np.zeros(n, np.int64)
    digests, bare = np.zeros(n, "V16"), dict[int, bytes]()
    whole, unlike = hashlib.sha256(), 0
    for line in lines(out):
        head, rest = line.split(b'"id":"', 1)
        id, rest = rest.split(b'"', 1)
        i = int(id[1:])
        count[i] += 1
        digests[i] = hashlib.blake2b(line, digest_size=16).digest()
        if not out.is_dir():
            whole.update(line)
        without = hashlib.blake2b(head + rest, digest_size=16).digest()
        unlike += bare.setdefault(i % texts, without) != without
    found = {"lost": int((count == 0).sum()), "doubled": int((count > 1).sum()), "unlike": unlike}
    return {**found, "sha256": None if out.is_dir() else whole.hexdigest()}, digests


def removed(out: Path) -> None:
    import shutil

    shutil.rmtree(out) if out.is_dir() else out.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--legs", nargs="+", default=list(LEGS), choices=LEGS)
    parser.add_argument("--systems", nargs="+", default=["icd10cm"])
    parser.add_argument("--keep", action="store_true", help="the outputs too")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder: Path = options.folder
    if options.one:
        print(json.dumps(run(options.one, folder, options.systems)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
    texts, source = shared_notes(data), folder / "in.jsonl"
    wanted = {"documents": options.documents, "texts": len(texts), "systems": options.systems}
    about = folder / "about.json"
    if not about.is_file():
        repeated(texts, options.documents, source)
        about.write_text(json.dumps(wanted))
    if json.loads(about.read_text()) != wanted:
        sys.exit(f"{folder} is of another run: {about.read_text()}; name another folder")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores; {options.documents:,} documents of {len(texts)} texts"
    )
    print(
        "| leg | notes/s | MB at | peak MB | errors | lost | doubled | other | unlike |\n|---|---|---|---|---|---|---|---|---|"
    )
    first: tuple[np.ndarray[Any, Any], str | None] | None = None
    bad = False
    for leg in options.legs:
        kept, digests, out = folder / f"{leg}.json", folder / f"{leg}.npy", folder / f"{leg}.jsonl"
        if not kept.is_file():
            command = [sys.executable, __file__, str(folder), "--one", leg, "--systems", *options.systems]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                sys.exit(f"{leg} did not end well; the same command goes on")
            found, each = examined(out, options.documents, len(texts))
            np.save(digests, each)
            kept.write_text(json.dumps({**json.loads(done.stdout.splitlines()[-1]), **found}))
            if not options.keep:
                removed(out)
        row, each = json.loads(kept.read_text()), np.load(digests)
        first = first or (each, row["sha256"])
        other = int((each != first[0]).sum())
        if row["sha256"] and row["sha256"] != first[1] and not other:
            other = "order"
        memory = ", ".join(f"{n}: {megabytes:.0f}" for n, megabytes in row["memory"].items() if megabytes)
        cells = [
            f"{row['rate']:.1f}",
            memory,
            f"{row['peak'] or 0:.0f}",
            *(row[c] for c in ("errors", "lost", "doubled")),
        ]
        print(f"| {leg} | {' | '.join(map(str, [*cells, other, row['unlike']]))} |", flush=True)
        bad |= bool(row["lost"] or row["doubled"] or row["unlike"] or other)
    sys.exit("records are lost, doubled or differ" if bad else 0)


if __name__ == "__main__":
    main()
