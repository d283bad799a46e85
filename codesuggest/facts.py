"""Facts about diagnoses that stand together, in our own hand: what is coded instead of two, what goes with what.

Three tables in `rules/`, read once: `pairs.tsv` (two codes of which one should not be there), `symptoms.tsv` (symptoms that go
with a disease) and `implied.tsv` (a code that a note's diagnoses add up to though nobody writes its title). The rules of
`rules/together.py` speak by them, and the ranker weighs candidates by them (`company.py`). Sections of FY2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from codesuggest.pipes.lexicon import Row, read_lexicon

FOLDER = Path(__file__).parent / "rules"
PAIR_RULES = ("combination", "not_together", "history_and_current", "acute_chronic")


class Pair(NamedTuple):
    """A row of `pairs.tsv`: prefixes without dot, in which "@" stands for the first code's category."""

    case: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    also: tuple[str, ...]
    unless: tuple[str, ...]
    instead: str


@lru_cache(maxsize=1)
def pairs() -> Mapping[str, Mapping[str, Sequence[Pair]]]:
    """The rows by rule and by category of the first code. Raises LexiconError."""
    out: dict[str, dict[str, list[Pair]]] = {name: {} for name in PAIR_RULES}
    columns = ("rule", "case", "first", "second", "also", "unless", "instead", "source")
    optional = ("case", "also", "unless", "instead")
    for row in read_lexicon(
        FOLDER / "pairs.tsv", columns, optional=optional, unique=("rule", "first", "second", "also")
    ):
        first = prefixes(row, "first")
        pair = Pair(row["case"], first, prefixes(row, "second"), prefixes(row, "also"), prefixes(row, "unless"),
                    row["instead"])  # fmt: skip
        for category in sorted({prefix[:3] for prefix in first}):
            out[row.choice("rule", PAIR_RULES)].setdefault(category, []).append(pair)
    return out


@lru_cache(maxsize=1)
def symptoms() -> Mapping[str, Sequence[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """(symptoms, diagnoses) by category of the symptom. Raises LexiconError."""
    out: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for row in read_lexicon(FOLDER / "symptoms.tsv", ("symptom", "diagnoses", "source"), unique=("symptom",)):
        symptom = prefixes(row, "symptom")
        for category in sorted({prefix[:3] for prefix in symptom}):
            out.setdefault(category, []).append((symptom, prefixes(row, "diagnoses")))
    return out


class Implied(NamedTuple):
    """A row of `implied.tsv`: the code, and prefixes of which each group must be diagnosed, or none (unless). Without dots."""

    code: str
    parts: tuple[tuple[str, ...], ...]
    unless: tuple[str, ...]


@lru_cache(maxsize=1)
def implied() -> tuple[Implied, ...]:
    """Raises LexiconError."""
    columns = ("code", "first", "second", "third", "unless", "source")
    rows = read_lexicon(
        FOLDER / "implied.tsv", columns, optional=("third", "unless"), unique=("code", "first", "second", "third")
    )
    return tuple(
        Implied(
            row["code"].replace(".", ""),
            tuple(part for name in ("first", "second", "third") if (part := prefixes(row, name))),
            prefixes(row, "unless"),
        )
        for row in rows
    )


def prefixes(row: Row, column: str) -> tuple[str, ...]:
    return tuple(prefix.replace(".", "") for prefix in row.items(column))
