"""Laterality: which side a note says of what.

Right, left and both are read in two ways: beside the words that matched a concept, and beside the words of its title anywhere in
the note.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.concepts import SIDES
from codesuggest.note import Reading
from codesuggest.retrieve import Hits

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Floats = npt.NDArray[np.float32]


def site_sides(reading: Reading, row: npt.NDArray[Any], forms: Ints, weight: Floats, n: int) -> Floats:
    """How the side words near the words of a concept's title divide among the sides: float32 (n, sides), rows sum to 0 or 1.

    row, forms, weight: the title forms of each concept and their share of it. Near is from two words before a side word
    to four behind it, within its segment and not across another side word: "right" in "right distal radius" is no side
    of the knee, and in "right knee pain, left hip pain" the whole title is near one side only.
    """
    out = np.zeros((n, len(SIDES)), np.float64)
    place = reading.side_word
    if not len(place):
        return out.astype(np.float32)
    low, high = place - 2, place + 4
    np.maximum(low[1:], place[:-1] + 1, out=low[1:])
    np.minimum(high[:-1], place[1:] - 1, out=high[:-1])
    segment, near = reading.segment_of_word.take(reading.word), np.zeros(len(reading.known), bool)
    columns = (reading.word.searchsorted(low), reading.word.searchsorted(high + 1), reading.segment_of_word.take(place))
    for a, b, of, side in zip(*(column.tolist() for column in columns), reading.side.tolist(), strict=True):
        here = reading.form[a:b].compress(segment[a:b] == of)
        near[here] = True
        said = near.take(forms).nonzero()[0]
        near[here] = False
        if len(said):
            out[:, side] += np.bincount(row.take(said), weight.take(said), minlength=n) ** 2
    right, left, both = out.T[1:4]  # no word says any other
    return np.asarray(out / np.maximum(right + left + both, 1e-9)[:, None], np.float32)


#: How near a match stands to a side word, by the number of words from one to the other.
_NEAR = np.array([1.0, 1.0, 0.7, 0.7, 0.5, 0.5, 0.5, 0.3])


def sides_beside(reading: Reading, hits: Hits, chosen: Ints, strength: Floats, row: Ints, n: int) -> Floats:
    """How strongly a match stands beside a side word of its segment: float32 (n, sides). chosen (p,): the matches; strength, row
    (p,): of each, and its concept's place."""
    out = np.zeros((n, len(SIDES)), np.float32)
    if not len(reading.side_word) or not len(chosen):
        return out
    sided = np.zeros(len(reading.first) + 1, bool)  # the last is that of words outside every segment
    sided[reading.segment_of_word.take(reading.side_word)] = True
    near = sided.take(hits.segment.take(chosen)).nonzero()[0]
    chosen, strength, row = chosen.take(near), strength.take(near), row.take(near)
    first, last, segment = hits.first.take(chosen), hits.last.take(chosen), hits.segment.take(chosen)
    # the side words next to the match, two before and two behind, in rows of four
    at = reading.side_word.searchsorted(first)[:, None] + _STEPS
    word = reading.side_word.take(at, mode="clip")
    there = reading.segment_of_word.take(word) == segment[:, None]
    there &= (at >= 0) & (at < len(reading.side_word))
    match, step = there.nonzero()
    word = word[match, step]
    gap = np.maximum(first.take(match) - word, word - last.take(match))
    score = (strength.take(match) * _NEAR.take(gap, mode="clip")).astype(np.float32)
    cell = row.take(match) * len(SIDES)
    cell += reading.side.take(at[match, step])
    np.maximum.at(out.reshape(-1), cell, score)
    return out


_STEPS = np.array([-2, -1, 0, 1])
