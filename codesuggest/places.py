"""Where in its line a match stands: whether the term is all that a line or a clause says.

A heading that our lists do not know leaves its lines in no section, and there the form of the line tells most: "- Rhabdomyolysis"
in a list is a diagnosis, the same word amid a sentence may be anything. A term that is closed by punctuation is meant as it
stands ("Pneumonia, present on admission"), one that runs on may be part of another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.note import GROUPS, Reading
from codesuggest.retrieve import FULL, Hits

Ints = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

#: Features of a match; all but the first two are of terms said in full. none: in no known section.
PLACE_FEATURES = (
    "place:length",  # words of its segment, ln(1 + n) / 3
    "place:share",  # of the segment's words that the match spans
    "place:opens",  # punctuation or the begin of a line stands before it
    "place:closes",  # and behind it
    "place:alone",  # both
    "place:alone_in_none",
    "place:listed_in_none",  # in a short line of its own
    "place:listed_elsewhere",  # the same, in a section that is no list of diagnoses
    "place:listed_alone_in_none",
    "place:short_in_none",
)
LINE, SHORT = 12, 6  #: words of a line that may list something; of one that says little else
MARK = 2  #: letters and digits of an item's mark, as in "a)" and "12."
_NONE = GROUPS.index("none")
_HEADS = np.isin(np.arange(len(GROUPS)), [GROUPS.index(g) for g in ("assessment", "plan", "reason")])
_KNOWN = 0x2500  #: code points that are told apart
_BREAK = np.zeros(_KNOWN + 1, bool)
_BREAK[[ord(c) for c in ",;:.()[]/\n|-•–—→"]] = True
_WRITTEN = np.array([chr(c).isalnum() for c in range(_KNOWN)] + [False])


def place_features(reading: Reading, hits: Hits, lead: Ints) -> Floats:
    """PLACE_FEATURES of the matches `lead`, int (n,), as float32 (n, 10)."""
    first, last, segment = hits.first.take(lead), hits.last.take(lead), hits.segment.take(lead)
    full = hits.coverage.take(lead) > FULL
    before, behind, listed = _punctuation(reading, first, last, segment)
    length = (reading.last - reading.first).take(segment)
    group = reading.group.take(segment)
    none, head = group == _NONE, _HEADS.take(group)
    alone = full & before & behind
    listed &= full & (length <= LINE)
    columns = (
        np.log1p(length) / 3,
        (last - first + 1) / np.maximum(1, length),
        full & before,
        full & behind,
        alone,
        alone & none,
        listed & none,
        listed & ~head,
        listed & alone & none,
        full & none & (length <= SHORT),
    )
    return np.stack(columns, 1).astype(np.float32)


def _punctuation(reading: Reading, first: Ints, last: Ints, segment: Ints) -> tuple[Bools, Bools, Bools]:
    """Of stretches of words, all (n,): whether punctuation or the edge of the text stands before and behind each, and whether its
    segment begins a line but for the mark of an item."""
    start, end = reading.words.start, reading.words.end
    points = np.frombuffer(reading.text.encode("utf-32-le", "surrogatepass"), np.uint32)
    points = np.minimum(points, _KNOWN)
    breaks, written = _before(_BREAK.take(points)), _before(_WRITTEN.take(points))
    newline = np.flatnonzero(points == ord("\n")) + 1
    lines = np.append(0, newline)
    # a laboratory result is a word behind all others: what stands beside it in the text is not its neighbour
    left = np.where((first > 0) & (end.take(first - 1) <= start.take(first)), end.take(first - 1), start.take(first))
    following = np.minimum(last + 1, len(start) - 1)
    right = np.where(start.take(following) >= end.take(last), start.take(following), end.take(last))
    before = (first == 0) | (breaks.take(start.take(first)) > breaks.take(left))
    behind = (last == len(start) - 1) | (breaks.take(right) > breaks.take(end.take(last)))
    begin = start.take(reading.first.take(segment))
    line = lines.take(lines.searchsorted(begin, side="right") - 1)
    return before, behind, written.take(begin) - written.take(line) <= MARK


def _before(marked: Bools) -> Ints:
    """How many are marked before each place, int32 (n + 1,)."""
    out = np.zeros(len(marked) + 1, np.int32)
    np.cumsum(marked, out=out[1:])
    return out
