"""Memory of processes, from /proc; on a system without it nothing is known and None is said.

Private: pages no other process has (megabytes of 2**20 bytes). Together: every process by its share, a page that two map counting
half for each, so that memory-mapped arrays count once.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

PROC = Path("/proc")


def _rollup(pid: int) -> dict[str, int]:
    """Kilobytes by name, of /proc/PID/smaps_rollup; empty for a process that has ended."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {name.rstrip(":"): int(value) for name, value, *_ in (line.split() for line in lines)}


def private(pid: int) -> float | None:
    found = _rollup(pid)
    return (found["Private_Clean"] + found["Private_Dirty"]) / 1024 if found else None


def family(pid: int) -> list[int]:
    """A process and all below it."""
    out, at = [pid], 0
    while at < len(out):
        for listed in (PROC / str(out[at]) / "task").glob("*/children"):
            try:
                out += [int(child) for child in listed.read_text().split()]
            except OSError:  # it has ended
                continue
        at += 1
    return out


def cpu(pid: int) -> float | None:
    """CPU seconds a process has taken, without its children."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_peak() -> float | None:
    """Of this process. `getrusage` would give that of the process that started it, if it was larger."""
    lines = (PROC / "self" / "status").read_text().splitlines() if PROC.is_dir() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


class Watch:
    """Looks now and then at a process and all below it, while the block runs; at most a fiftieth of the time.

    samples: (when, by the monotonic clock; MB of all together); privates: of each process as last seen, MB; cost: CPU seconds
    that looking took of this process.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid or os.getpid()
        self.samples: list[tuple[float, float]] = []
        self.privates: dict[int, float] = {}
        self.cost = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def look(self) -> None:
        found = {p: rollup for p in family(self.pid) if (rollup := _rollup(p))}
        if found:
            self.samples.append((time.monotonic(), sum(r["Pss"] for r in found.values()) / 1024))
        for p, r in found.items():
            self.privates[p] = (r["Private_Clean"] + r["Private_Dirty"]) / 1024

    def _run(self) -> None:
        pause = 0.5
        while not self._done.wait(pause):
            began = time.monotonic()
            self.look()
            self.cost = time.thread_time()
            pause = max(0.5, 50 * (time.monotonic() - began))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def peak(self) -> float | None:
        return max((megabytes for _, megabytes in self.samples), default=None)
