"""What a note costs while somebody types it: suggestions after every few words, and the stages they are made of.

    python tests/speed/growing.py [NOTES.jsonl ...] [--notes 20] [--steps 20]

CPU milliseconds of one `suggest` (ICD-10-CM) for the beginnings of a note, by tenth of its length, and the share of each stage
at full length. Reading (tokens, sections, sentences, assertion) and the search for terms could be kept for the part that did not
change; what follows (ranking, the choice among codes, what was withheld, findings) looks at the whole note.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark import default_sets, read_notes, spread

ROOT = Path(__file__).resolve().parents[2]


def timed(name: str, call: Callable[..., Any], spent: Counter[str]) -> Callable[..., Any]:
    def wrapped(*given: Any, **named: Any) -> Any:
        start = time.process_time()
        try:
            return call(*given, **named)
        finally:
            spent[name] += time.process_time() - start  # type: ignore[assignment]

    return wrapped


def main() -> None:
    from codesuggest import CodeSuggester, engine, suggester

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", nargs="*", type=Path)
    parser.add_argument("--notes", dest="many", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20, help="beginnings of each note")
    options = parser.parse_args()
    data = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
    texts = read_notes(options.notes) if options.notes else next(iter(default_sets(data).values()))
    texts = spread(texts, options.many)
    model = CodeSuggester.load()
    for text in texts:
        model.suggest(text, systems=["icd10cm"])
    tenths: dict[int, list[float]] = {}
    for text in texts:
        for step in range(1, options.steps + 1):
            part = text[: len(text) * step // options.steps]
            start = time.process_time()
            model.suggest(part, systems=["icd10cm"])
            tenths.setdefault(-(-10 * step // options.steps), []).append(1000 * (time.process_time() - start))
    print(
        f"{len(texts)} notes, mean {statistics.mean(map(len, texts)):,.0f} code points; CPU ms by tenth of the length written"
    )
    print(" ".join(f"{statistics.mean(tenths[t]):.1f}" for t in sorted(tenths)))

    spent: Counter[str] = Counter()
    engine.Engine.hits = timed("search", engine.Engine.hits, spent)  # type: ignore[method-assign]
    engine.Engine.candidates = timed("rank", engine.Engine.candidates, spent)  # type: ignore[method-assign]
    suggester.listed = timed("list", suggester.listed, spent)
    model.review = timed("findings", model.review, spent)  # type: ignore[method-assign]
    model.reader.read = timed("read", model.reader.read, spent)  # type: ignore[method-assign]
    whole = timed("all", model.suggest, spent)
    for text in texts * 3:
        whole(text, systems=["icd10cm"])
    spent["rank"] -= spent["search"]
    spent["rest"] = 2 * spent["all"] - sum(spent.values())  # type: ignore[assignment]
    print(", ".join(f"{name} {share / spent['all']:.0%}" for name, share in spent.items() if name != "all"))


if __name__ == "__main__":
    main()
