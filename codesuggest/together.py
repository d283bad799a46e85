"""A few notes searched and judged as though they were one.

The arrays of one note are so small that half of the time goes to numpy's calls, not to its work. What is asked of matches is
asked within a segment, so the segments of several notes may stand in one row: eight visit notes together take 60% of the time
for these two steps, with the same results to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.asked import Asked, by_lines
from codesuggest.config import SuggestConfig
from codesuggest.engine import Engine
from codesuggest.judged import Judged
from codesuggest.note import Reading
from codesuggest.retrieve import BLOCK, Hits

_OF_SEGMENTS = ("status", "group", "says_family", "derived", "says", "told")
_OF_MATCHES = tuple(f.name for f in fields(Judged) if f.name not in ("reading", "hits", "concepts"))


def judged(
    notes: Sequence[tuple[Reading, Asked]], engines: Mapping[str, Engine], config: SuggestConfig
) -> list[dict[str, Judged]]:
    """Of each note what its matches are worth (`Engine.judged`), by system, where that can be told of several at once. Not where
    documents with every mention coded taught the system, whose candidates need more, nor of lists of charges."""
    alike: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for place, (reading, asked) in enumerate(notes):
        kind = reading.document_type
        wanted = asked.systems_for(kind, list(engines))
        able = tuple(s for s in wanted if not by_lines(kind, s) and engines[s].spoken is None)
        alike.setdefault((asked.setting_for(kind), able), []).append(place)
    out: list[dict[str, Judged]] = [{} for _ in notes]
    for (setting, systems), places in alike.items():
        for some in _groups(places, [len(notes[k][0].first) for k in places]):
            own = [notes[k][0] for k in some]
            whole = joined(own)
            for name in systems:
                engine = engines[name]
                hits = engine.hits(whole, top=config.terms_per_segment, floor=config.coverage_floor)
                found = engine.judged(whole, hits, inpatient=setting == "inpatient")
                for k, one in zip(some, apart(found, own), strict=True):
                    out[k][name] = one
    return out


def _groups(places: Sequence[int], segments: Sequence[int]) -> Iterator[list[int]]:
    """As many at once as a search looks through in one go: long notes stay alone."""
    held: list[int] = []
    total = 0
    for place, more in zip(places, segments, strict=True):
        if held and total + more > BLOCK:
            yield held
            held, total = [], 0
        held.append(place)
        total += more
    if held:
        yield held


def apart(whole: Judged, readings: Sequence[Reading]) -> list[Judged]:
    """What was judged of the `joined` readings, for each of them."""
    if len(readings) == 1:
        return [whole]
    words, segments = _starts(readings)
    hits, out = whole.hits, []
    bounds = hits.segment.searchsorted(segments).tolist()
    for reading, (a, b), word, segment in zip(readings, pairwise(bounds), words, segments, strict=False):
        own = {f.name: getattr(hits, f.name)[a:b] for f in fields(Hits)}
        own |= {"segment": own["segment"] - segment, "first": own["first"] - word, "last": own["last"] - word}
        columns = {name: getattr(whole, name)[a:b] for name in _OF_MATCHES}
        out.append(Judged(reading=reading, hits=Hits(**own), concepts=whole.concepts, **columns))
    return out


def joined(readings: Sequence[Reading]) -> Reading:
    """One reading with the words and segments of all, note after note, for questions that a segment answers. What is said of a
    whole note there (its type, its sides, its text) is the first one's, and not to be asked."""
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
