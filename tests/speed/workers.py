"""What a second process costs in memory, and what it gains in time.

    python tests/speed/workers.py [NOTES.jsonl ...] [--documents 2000] [--systems icd10cm ...]

Documents: the notes (by default as `benchmark.py`), repeated. Memory is private: pages that a process shares with no other, once
all are under way; beside it that of a second interpreter that only imports spaCy and scikit-learn, which a plain install has
(`pip install .`; with pandas installed scikit-learn imports it, and the figure grows).

Scaling is documents a second with two processes over one, from the 64th record on: by the clock, which holds on a quiet machine
of two cores; and by CPU time, c1 / max(w1, w2, (p + w1 + w2) / 2), with c1 the CPU seconds a document of one process, w1, w2 and
p those of the workers and of the parent: what the clock would show on two cores of which nobody else takes a share. The time
that looking at memory takes is left out of both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watched import Watch, cpu, family, private

ROOT = Path(__file__).resolve().parents[2]
WARM = 64  #: records before counting begins: the processes have started


@dataclass
class Run:
    """A batch as it went. seconds, documents: by the clock, from the warm record to the last."""

    began: float = field(default_factory=time.monotonic)
    first: float = 0.0  #: seconds to the first record
    seconds: float = 0.0
    documents: int = 0
    cpus: dict[int, float] = field(default_factory=dict)  #: CPU seconds of each process in that time
    watch: Watch = field(default_factory=Watch)
    _warm: tuple[float, int, dict[int, float]] | None = None

    def progress(self, done: int, errors: int) -> None:
        now = time.monotonic()
        if done and not self.first:
            self.first = now - self.began
        if self._warm is None and done >= WARM:
            self._warm = now, done, self.spent()
        elif self._warm is not None:
            self.seconds, self.documents = now - self._warm[0], done - self._warm[1]
            self.cpus = {p: s - self._warm[2].get(p, 0.0) for p, s in self.spent().items()}

    def spent(self) -> dict[int, float]:
        """CPU seconds of each process so far."""
        found = {p: s for p in family(os.getpid()) if (s := cpu(p)) is not None}
        return {p: s - self.watch.cost if p == os.getpid() else s for p, s in found.items()}

    @property
    def rate(self) -> float:
        return self.documents / self.seconds


def watched(file: Path, out: Path, jobs: int, options: Mapping[str, Any]) -> Run:
    from codesuggest.batch import run_batch

    run = Run()
    with run.watch:
        run_batch(file, out, jobs=jobs, options=options, progress=run.progress)
    return run


def repeated(texts: Sequence[str], n: int, file: Path) -> None:
    """A file of n documents, the texts again and again, each with an id of its own."""
    with file.open("w", encoding="utf-8") as handle:
        for i in range(n):
            handle.write(json.dumps({"id": f"d{i:07d}", "text": texts[i % len(texts)]}) + "\n")


def bare() -> float | None:
    """Private memory of the second of two interpreters that import spaCy and scikit-learn."""
    program = "import spacy, sklearn, sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as one:
        with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as two:
            for process in (one, two):
                assert process.stdout is not None
                process.stdout.readline()
            found = private(two.pid)
            two.communicate()
        one.communicate()
    return found


def main() -> None:
    from benchmark import default_sets, read_notes

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", nargs="*", type=Path)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--systems", nargs="+", default=["icd10cm"])
    options = parser.parse_args()
    data = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
    texts = read_notes(options.notes) if options.notes else next(iter(default_sets(data).values()))
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "in.jsonl"
        repeated(texts, options.documents, file)
        for jobs in (1, 2):
            runs[jobs] = watched(file, Path(folder) / f"{jobs}.jsonl", jobs, {"systems": options.systems})
        same = (Path(folder) / "1.jsonl").read_bytes() == (Path(folder) / "2.jsonl").read_bytes()
    one, two, me = runs[1], runs[2], os.getpid()
    workers = sorted((p for p in two.cpus if p != me), key=lambda p: -two.cpus[p])[:2]
    a, b, parent = (two.cpus[p] / two.documents for p in (*workers, me))
    alone = one.cpus[me] / one.documents
    base, own = bare(), sorted(two.watch.privates[p] for p in workers)
    if base is None:
        sys.exit("memory is read from /proc, which this system has not")
    print(f"{options.documents:,} documents, {', '.join(options.systems)}; the same bytes: {'yes' if same else 'NO'}")
    print(f"private memory of the workers, MB        {own[0]:8.0f} {own[1]:8.0f}")
    print(f"of one that imports spaCy, scikit-learn  {base:8.0f}")
    print(f"a worker above it, MB                    {own[1] - base:8.0f}")
    print(f"CPU ms a document, one process           {1000 * alone:8.2f}")
    print(f"two: workers, parent                     {1000 * a:8.2f} {1000 * b:8.2f} {1000 * parent:8.2f}")
    print(f"scaling by CPU time                      {alone / max(a, b, (a + b + parent) / 2):8.2f}")
    print(
        f"scaling by the clock                     {two.rate / one.rate:8.2f}   ({one.rate:.1f}, {two.rate:.1f} a second)"
    )


if __name__ == "__main__":
    main()
