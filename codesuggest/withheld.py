"""Every phrase of a note that stands behind no suggestion, and the one reason (invariant 2)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from codesuggest.listing import Spans
from codesuggest.note import Reading
from codesuggest.records import Withheld


class _Stretch(Protocol):
    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


def withheld(
    reading: Reading, shown: Sequence[Spans], claimed: Sequence[Spans], *, setting: str
) -> tuple[Withheld, ...]:
    """Every phrase that no listed suggestion rests on, in text order. Of each system, shown: the evidence of what is listed;
    claimed: all matches, listed or not."""
    phrases = reading.phrases
    own = spans_of(phrases)
    evident, matched = touched(own, _together(shown)), touched(own, _together(claimed))
    out: dict[tuple[int, int], Withheld] = {}  # a laboratory value may be a phrase of the text and a finding
    for n in (~evident).nonzero()[0].tolist():
        phrase = phrases[n]
        span = start, end = phrase.start, phrase.end
        if span in out:
            continue
        reason = phrase.assertion
        if reason == "affirmed" or (reason == "uncertain" and setting == "inpatient"):
            reason = "ranked_low" if matched[n] else "no_match"
        out[span] = Withheld(start, end, reason, phrase.section, phrase.cue)
    return tuple(out[span] for span in sorted(out))


def spans_of(stretches: Sequence[_Stretch]) -> Spans:
    return np.array([s.start for s in stretches], np.int64), np.array([s.end for s in stretches], np.int64)


def _together(spans: Sequence[Spans]) -> Spans:
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *(start for start, _ in spans)]), np.concatenate([none, *(end for _, end in spans)])


def touched(own: Spans, others: Spans) -> npt.NDArray[np.bool_]:
    """Which of some stretches share a character with any of the others, bool (n,); as `overlap` for all of them together."""
    start, end = others
    if not len(start):
        return np.zeros(len(own[0]), bool)
    order = start.argsort()
    reach = np.maximum.accumulate(end.take(order))
    before = start.take(order).searchsorted(own[1])
    return np.asarray((before > 0) & (reach.take(before - 1) > own[0]))


def overlap(spans: Iterable[tuple[int, int]]) -> Callable[[int, int], bool]:
    """A test whether [start, end) shares a character with any of the spans."""
    ordered = sorted(set(spans))
    starts = [a for a, _ in ordered]
    reach = list(accumulate((b for _, b in ordered), max))

    def hit(start: int, end: int) -> bool:
        before = bisect_left(starts, end) - 1
        return before >= 0 and reach[before] > start

    return hit
