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


def ragged(count: Ints) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and offset within the row of each element of rows of these lengths."""
    row = np.repeat(np.arange(len(count)), count)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)


def site_sides(reading: Reading, row: npt.NDArray[Any], forms: Ints, weight: Floats, n: int) -> Floats:
    """How the side words near the words of a concept's title divide among the sides: float32 (n, sides), rows sum to 0 or 1.

    row, forms, weight: the title forms of each concept and their share of it. Near is from two words before a side word
    to four behind it, within its segment and not across another side word: "right" in "right distal radius" is no side
    of the knee, and in "right knee pain, left hip pain" the whole title is near one side only.
    """
    out = np.zeros((n, len(SIDES)), np.float64)
    near = np.zeros(len(reading.known), np.float32)
    places = reading.side_word.tolist()
    for i, (place, side) in enumerate(zip(places, reading.side.tolist(), strict=True)):
        low = max([place - 2] + [p + 1 for p in places[max(0, i - 1) : i]])
        high = min([place + 4] + [p - 1 for p in places[i + 1 : i + 2]])
        around = slice(*np.searchsorted(reading.word, (low, high + 1)))
        same = reading.segment_of_word[reading.word[around]] == reading.segment_of_word[place]
        here = reading.form[around][same]
        near[here] = 1
        out[:, side] += np.bincount(row, weight * near[forms], minlength=n) ** 2
        near[here] = 0
    return np.asarray(out / np.maximum(out.sum(1, keepdims=True), 1e-9), np.float32)


def sides_beside(reading: Reading, hits: Hits, chosen: Ints, strength: Floats, row: Ints, n: int) -> Floats:
    """How strongly a match stands beside a side word of its segment: float32 (n, sides). chosen (p,): the matches; strength, row
    (p,): of each, and its concept's place."""
    out = np.zeros((n, len(SIDES)), np.float32)
    if not len(reading.side_word) or not len(chosen):
        return out
    first, last, segment = hits.first[chosen], hits.last[chosen], hits.segment[chosen]
    at = np.searchsorted(reading.side_word, first)
    for step in (-2, -1, 0, 1):  # the side words next to the match, before and behind
        j = at + step
        there = (j >= 0) & (j < len(reading.side_word))
        j = np.where(there, j, 0)
        word = reading.side_word[j]
        there &= reading.segment_of_word[word] == segment
        gap = np.maximum(0, np.maximum(first - word, word - last))
        score = strength * np.select([gap <= 1, gap <= 3, gap <= 6], [1.0, 0.7, 0.5], 0.3)
        np.maximum.at(out, (row[there], reading.side[j][there]), score[there])
    return out
