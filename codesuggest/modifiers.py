"""HCPCS Level II modifiers that a record states where it names the service: sides, digits, eyelids, notices, waste.

Nothing is concluded: a modifier is proposed when its words stand in the sentence that the code's evidence is in. The
words and the codes they are for stand in `pipes/en/modifiers.tsv`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codesuggest.chart import Chart
from codesuggest.pipes.lexicon import ENGLISH, read_lexicon
from codesuggest.records import DocumentEvidence, EncounterCode, Place, Proposal

_COLUMNS = ("modifier", "kind", "means", "phrases", "systems", "codes", "source")
KINDS = ("site", "side", "flag")
_BOTH = frozenset(("bilateral", "bilaterally", "both"))  #: the services of both sides are reported with RT and LT


@dataclass(frozen=True, slots=True)
class Modifier:
    """One row of the word list. phrases: words that stand in this order, at most one other between two."""

    modifier: str
    kind: str
    means: str
    phrases: tuple[tuple[str, ...], ...]
    systems: tuple[str, ...]
    codes: tuple[str, ...]
    source: str

    def fits(self, code: EncounterCode) -> bool:
        return code.system in self.systems and (not self.codes or code.code.startswith(self.codes))


@lru_cache(maxsize=4)
def read_modifiers(folder: Path = ENGLISH) -> tuple[Modifier, ...]:
    """The word list, checked. Raises LexiconError for an unknown kind and for a modifier listed twice."""
    rows = read_lexicon(folder / "modifiers.tsv", _COLUMNS, optional=("codes",), unique=("modifier",))
    return tuple(
        Modifier(
            row["modifier"],
            row.choice("kind", KINDS),
            row["means"],
            tuple(tuple(phrase.replace("-", " ").split()) for phrase in row.items("phrases")),
            row.items("systems"),
            row.items("codes"),
            row["source"],
        )
        for row in rows
    )


def modifiers(code: EncounterCode, chart: Chart) -> tuple[Proposal, ...]:
    """The modifiers stated for a code, in the order of the word list; a digit or eyelid makes its side superfluous."""
    found: dict[str, list[Place]] = {}
    rows = {row.modifier: row for row in read_modifiers() if row.fits(code)}
    for e in code.evidence:
        if e.evidence.assertion != "affirmed":
            continue
        for name, place in _stated(e, chart, rows.values()):
            found.setdefault(name, []).append(place)
    if any(rows[name].kind == "site" for name in found):
        found = {name: places for name, places in found.items() if rows[name].kind != "side"}
    if "JZ" in found:  # "no drug wasted" holds the words of JW
        found.pop("JW", None)
    if "GZ" in found:
        found.pop("GA", None)
    return tuple(
        Proposal(
            "modifier",
            name,
            f"{name}, {row.means}: the record says so where it names {code.code}.",
            row.source,
            tuple(dict.fromkeys(found[name]))[:3],
        )
        for name, row in rows.items()
        if name in found
    )


def _stated(e: DocumentEvidence, chart: Chart, rows: Iterable[Modifier]) -> Iterator[tuple[str, Place]]:
    """(modifier, where) of everything that the sentence around the evidence states."""
    words = chart.words(e.document, *chart.sentence(e))
    for row in rows:
        for phrase in row.phrases:
            for start, end in _occurrences(phrase, words):
                yield row.modifier, Place(e.document, start, end)
        if row.kind == "side":
            for word, start, end in words:
                if word in _BOTH:
                    yield row.modifier, Place(e.document, start, end)


def _occurrences(phrase: tuple[str, ...], words: Sequence[tuple[str, int, int]]) -> Iterator[tuple[int, int]]:
    for i, (word, start, end) in enumerate(words):
        if word != phrase[0]:
            continue
        at = i
        for wanted in phrase[1:]:
            near = [n for n in (at + 1, at + 2) if n < len(words) and words[n][0] == wanted]
            if not near:
                break
            at = near[0]
            end = words[at][2]
        else:
            yield start, end
