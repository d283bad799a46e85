"""How well and how fast codes are looked up: `python tests/speed/lookup.py [--bare]`.

Two tables of look-ups in a coder's language; the share whose code is first, among the first three and among ten; then the
time of a search after every letter typed, in one process that is warm, in CPU time. --bare: by the tables alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from codesuggest import CodeSuggester
from codesuggest.codes.system import Code
from codesuggest.pipes.lexicon import read_lexicon

TABLES = Path(__file__).parent.parent / "tables"


def main() -> None:
    suggester = CodeSuggester.load()
    bare = "--bare" in sys.argv

    def search(text: str, system: str) -> list[Code]:
        return suggester.tables[system].search(text) if bare else suggester.search(text, system=system)

    for name in suggester.systems:
        search("warm", name)
    for table in ("lookups.tsv", "lookups_unseen.tsv"):
        rows = read_lexicon(TABLES / table, ("query", "codes", "system", "source"))
        places = []
        for row in rows:
            found = [c.code for c in search(row["query"], row["system"])]
            places.append(next((n for n, code in enumerate(found) if code in row.items("codes")), 99))
        shares = ", ".join(f"hit@{k} {sum(p < k for p in places) / len(places):.3f}" for k in (1, 3, 10))
        print(f"{table}: {len(rows)} look-ups, {shares}")
        typed = [(row["query"][:n], row["system"]) for row in rows for n in range(1, len(row["query"]) + 1)]
        times = sorted(measured(search, text, system) for text, system in typed)
        shown = ", ".join(f"{name} {times[int(len(times) * q)]:.1f}" for name, q in (("median", 0.5), ("p99", 0.99)))
        print(f"  {len(typed)} keystrokes: ms {shown}, slowest {times[-1]:.1f}")


def measured(search: Callable[[str, str], list[Code]], text: str, system: str) -> float:
    """Milliseconds of CPU time."""
    start = time.process_time()
    search(text, system)
    return 1e3 * (time.process_time() - start)


if __name__ == "__main__":
    main()
