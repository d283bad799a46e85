"""A few notes searched and judged as though they were one.

The arrays of one note are so small that half of the time goes to numpy's calls, not to its work. What is asked of matches is
asked within a segment, so the segments of several notes may stand in one row: eight visit notes together take 60% of the time
for these two steps, with the same results to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.judged import Judged
from codesuggest.note import Reading
from codesuggest.retrieve import BLOCK, Hits

NOTES = 8  #: that a batch takes together: more bring nothing
_OF_SEGMENTS = ("status", "group", "says_family", "derived", "says", "told")
_OF_MATCHES = tuple(f.name for f in fields(Judged) if f.name not in ("reading", "hits", "concepts"))


@dataclass(frozen=True, slots=True)
class Together:
    """Notes that go together. whole: one reading with the words and segments of all, note after note, for questions that a segment
    answers; what is said of a whole note there (its type, its sides, its text) is the first one's, and not to be asked."""

    own: tuple[Reading, ...]
    whole: Reading

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> Iterator[Together]:
        """In order, as many at once as a search looks through in one go: long notes stay alone."""
        held: list[Reading] = []
        for reading in readings:
            if held and sum(len(r.first) for r in (*held, reading)) > BLOCK:
                yield cls(tuple(held), _joined(held))
                held = []
            held.append(reading)
        if held:
            yield cls(tuple(held), _joined(held))

    def apart(self, judged: Judged) -> list[Judged]:
        """What was judged of the whole, for each of its notes."""
        if len(self.own) == 1:
            return [judged]
        words, segments = _starts(self.own)
        hits, out = judged.hits, []
        bounds = hits.segment.searchsorted(segments).tolist()
        for reading, (a, b), word, segment in zip(self.own, pairwise(bounds), words, segments, strict=False):
            own = {f.name: getattr(hits, f.name)[a:b] for f in fields(Hits)}
            own |= {"segment": own["segment"] - segment, "first": own["first"] - word, "last": own["last"] - word}
            columns = {name: getattr(judged, name)[a:b] for name in _OF_MATCHES}
            out.append(Judged(reading=reading, hits=Hits(**own), concepts=judged.concepts, **columns))
        return out


def _joined(readings: Sequence[Reading]) -> Reading:
    if len(readings) == 1:
        return readings[0]
    words, segments = _starts(readings)

    def row(name: str, starts: Sequence[int] | None = None) -> npt.NDArray[Any]:
        parts = [getattr(r, name) for r in readings]
        if starts is not None:  # -1 stays: no segment
            parts = [np.where(part < 0, -1, part + n) for part, n in zip(parts, starts, strict=False)]
        return np.concatenate(parts)

    rows: dict[str, Any] = {name: row(name) for name in (*_OF_SEGMENTS, "form")}
    rows |= {name: row(name, words) for name in ("word", "first", "last")}
    return replace(
        readings[0],
        **rows,
        segment_of_word=row("segment_of_word", segments),
        section=tuple(chain.from_iterable(r.section for r in readings)),
        stated=tuple(
            (begin, word + n, sure) for r, n in zip(readings, words, strict=False) for begin, word, sure in r.stated
        ),
    )


def _starts(readings: Sequence[Reading]) -> tuple[list[int], list[int]]:
    """Of each note its first word and its first segment in the row; one more for the ends."""
    sizes = [(len(r.segment_of_word), len(r.first)) for r in readings]
    words, segments = (list(accumulate(column, initial=0)) for column in zip(*sizes, strict=True))
    return words, segments
