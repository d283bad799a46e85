"""A few notes in one row: their words and segments note after note, and what was found for them taken apart again.

The arrays of one note are so small that half of the time goes to numpy's calls, not to its work. What is asked of matches is
asked within a segment, and what is asked of candidates within their note, so that several notes may stand in one row: eight visit
notes together take 60% of the time of one after the other, with the same results to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.features import Table
from codesuggest.judged import Judged
from codesuggest.note import Reading
from codesuggest.pipes.phrases import Words
from codesuggest.retrieve import Hits

Ints = npt.NDArray[Any]

_OF_SEGMENTS = (
    "status", "group", "says_family", "derived", "says", "told", "headline", "headline_rank", "side", "in_vocabulary",
)  # fmt: skip
_OF_HITS = tuple(f.name for f in fields(Hits))
_OF_MATCHES = tuple(f.name for f in fields(Judged) if f.name not in ("reading", "hits", "concepts"))


def joined(readings: Sequence[Reading]) -> Reading:
    """One reading with the words and segments of all, note after note, and a line end between their texts. What is said of a whole
    note there (its type, the encounter, the forms it says) is the first one's: `Reading.notes` has each note's own."""
    if len(readings) == 1:
        return readings[0]
    words, segments = _starts(readings)
    places = list(accumulate((len(r.text) + 1 for r in readings), initial=0))

    def row(name: str, starts: Sequence[int] | None = None) -> npt.NDArray[Any]:
        parts = [getattr(r, name) for r in readings]
        if starts is not None:  # -1 stays: no segment
            parts = [np.where(part < 0, -1, part + n) for part, n in zip(parts, starts, strict=False)]
        return np.concatenate(parts)

    rows: dict[str, Any] = {name: row(name) for name in (*_OF_SEGMENTS, "form")}
    rows |= {name: row(name, words) for name in ("word", "first", "last", "side_word")}
    start, end = (
        np.concatenate([getattr(r.words, name) + n for r, n in zip(readings, places, strict=False)])
        for name in ("start", "end")
    )
    many = np.concatenate([r.words.many for r in readings])
    return replace(
        readings[0],
        **rows,
        words=Words(start, end, list(chain.from_iterable(r.words.forms for r in readings)), many),
        segment_of_word=row("segment_of_word", segments),
        section=tuple(chain.from_iterable(r.section for r in readings)),
        stated=tuple(
            (begin, word + n, sure) for r, n in zip(readings, words, strict=False) for begin, word, sure in r.stated
        ),
        text="\n".join(r.text for r in readings),
        row=tuple(readings),
    )


def _starts(readings: Sequence[Reading]) -> tuple[list[int], list[int]]:
    """Of each note its first word and its first segment in the row; one more for the ends."""
    sizes = [(len(r.segment_of_word), len(r.first)) for r in readings]
    words, segments = (list(accumulate(column, initial=0)) for column in zip(*sizes, strict=True))
    return words, segments


def apart(whole: Judged) -> list[Judged]:
    """What was judged of a row of notes, for each of them."""
    notes = whole.reading.notes
    if len(notes) == 1:
        return [whole]
    return [
        Judged(
            reading=reading,
            hits=hits,
            concepts=whole.concepts,
            **{name: getattr(whole, name)[a:b] for name in _OF_MATCHES},
        )
        for reading, (hits, a, b) in zip(notes, _hits_apart(whole.hits, notes), strict=True)
    ]


def _hits_apart(hits: Hits, notes: Sequence[Reading]) -> Iterator[tuple[Hits, int, int]]:
    """The matches of each note; the first of them in the row and the one behind the last."""
    words, segments = _starts(notes)
    bounds = hits.segment.searchsorted(segments).tolist()
    for (a, b), word, segment in zip(pairwise(bounds), words, segments, strict=False):
        own = {name: getattr(hits, name)[a:b] for name in _OF_HITS}
        own |= {"segment": own["segment"] - segment, "first": own["first"] - word, "last": own["last"] - word}
        yield Hits(**own), a, b


def tables_apart(table: Table, whole: Judged) -> list[tuple[Hits, Table]]:
    """The matches and the candidates of a row of notes, for each of them."""
    notes = whole.reading.notes
    if len(notes) == 1:
        return [(whole.hits, table)]
    out = []
    bounds = table.note.searchsorted(np.arange(len(notes) + 1)).tolist()
    for (first, last), (hits, a, b) in zip(pairwise(bounds), _hits_apart(whole.hits, notes), strict=True):
        rows = slice(first, last)
        witness = table.witness[rows]
        own = Table(
            note=np.zeros(last - first, np.intp),
            code=table.code[rows],
            concept=table.concept[rows],
            category=table.category[rows],
            x=table.x[rows],
            lead=table.lead[rows] - a,
            usable=table.usable[a:b],
            worth=table.worth[a:b],
            witness=np.where(witness < 0, witness, witness - a),
            company=table.company,
        )
        out.append((hits, own))
    return out
