"""Every phrase of a note that stands behind no suggestion, and the one reason (invariant 2)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from codesuggest.listing import Spans
from codesuggest.note import AFFIRMED, UNCERTAIN, Reading
from codesuggest.records import ASSERTIONS, Withheld, all_of


@cache
def _reasons(inpatient: bool) -> tuple[str, ...]:
    """Why a phrase is withheld: of each index in `ASSERTIONS` where no term is near it, and where one is."""
    coded = {AFFIRMED, UNCERTAIN} if inpatient else {AFFIRMED}  # uncertain diagnoses of inpatients only (II.H; IV.H)
    return tuple(
        reason
        for status, assertion in enumerate(ASSERTIONS)
        for reason in (("no_match", "ranked_low") if status in coded else (assertion, assertion))
    )


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
    start, end, segment = reading.phrase.T
    left = (~touched((start, end), _together(shown))).nonzero()[0]
    start, end, segment = start.take(left), end.take(left), segment.take(left)
    matched = touched((start, end), _together(claimed))
    reason = 2 * reading.status.take(segment) + matched
    cues = (*reading.cues, None)  # -1 for none
    spans = list(zip(start.tolist(), end.tolist(), strict=True))
    rows = list(
        zip(
            map(_reasons(setting == "inpatient").__getitem__, reason.tolist()),
            map(reading.section.__getitem__, segment.tolist()),
            map(cues.__getitem__, reading.cue.take(segment).tolist()),
            strict=True,
        )
    )
    # a laboratory value may be a phrase of the text and a finding: the first one is kept
    own = dict(zip(reversed(spans), reversed(rows), strict=True))
    return tuple(all_of(Withheld, [(*span, *own[span]) for span in sorted(own)]))


def spans_of(stretches: Sequence[_Stretch]) -> Spans:
    return np.array([s.start for s in stretches], np.int64), np.array([s.end for s in stretches], np.int64)


def _together(spans: Sequence[Spans]) -> Spans:
    if len(spans) == 1:
        return spans[0]
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
