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
#: Of each, whether it is punctuation that parts words, and whether a letter or digit: 0 or 1, the last for all others.
_BREAK = np.zeros(_KNOWN + 1, np.uint8)
_BREAK[[ord(c) for c in ",;:.()[]/\n|-•–—→"]] = 1
_WRITTEN = np.array([chr(c).isalnum() for c in range(_KNOWN)] + [False], np.uint8)
#: The same of the first 256, for `bytes.translate`, which takes a fifth of the time.
_BREAK_OF_BYTE, _WRITTEN_OF_BYTE = _BREAK[:256].tobytes(), _WRITTEN[:256].tobytes()


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
    out = np.empty((len(lead), len(PLACE_FEATURES)), np.float32)
    for column, values in enumerate(
        (
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
    ):
        out[:, column] = values
    return out


def _punctuation(reading: Reading, first: Ints, last: Ints, segment: Ints) -> tuple[Bools, Bools, Bools]:
    """Of stretches of words, all (n,): whether punctuation or the edge of the text stands before and behind each, and whether its
    segment begins a line but for the mark of an item."""
    breaks, written, lines = _marks(reading.text)
    start, end = reading.words.start, reading.words.end
    opens, closes, final = start.take(first), end.take(last), len(start) - 1
    # a laboratory result is a word behind all others: what stands beside it in the text is not its neighbour
    left = end.take(first - 1)  # of the first word the last one's, which ends behind it
    left = np.where(left <= opens, left, opens)
    right = start.take(np.minimum(last + 1, final))
    right = np.where(right >= closes, right, closes)
    before = (first == 0) | (breaks.take(opens) > breaks.take(left))
    behind = (last == final) | (breaks.take(right) > breaks.take(closes))
    begin = start.take(reading.first.take(segment))
    line = lines.take(lines.searchsorted(begin, side="right") - 1)
    return before, behind, written.take(begin) - written.take(line) <= MARK


def _marks(text: str) -> tuple[Ints, Ints, Ints]:
    """Of the n characters of a text how many are punctuation and how many letters or digits before each place, int32 (n + 1,), and
    where its lines begin, ascending."""
    if text.isascii():
        raw = text.encode()
        points = np.frombuffer(raw, np.uint8)
        breaks = np.frombuffer(raw.translate(_BREAK_OF_BYTE), np.uint8)
        written = np.frombuffer(raw.translate(_WRITTEN_OF_BYTE), np.uint8)
    else:
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        known = np.minimum(points, _KNOWN).astype(np.intp)
        breaks, written = _BREAK.take(known), _WRITTEN.take(known)
    newline = (points == ord("\n")).nonzero()[0]
    lines = np.zeros(len(newline) + 1, np.int64)
    np.add(newline, 1, out=lines[1:])
    return _before(breaks), _before(written), lines


def _before(marked: npt.NDArray[np.uint8]) -> Ints:
    """How many are marked before each place, int32 (n + 1,)."""
    out = np.zeros(len(marked) + 1, np.int32)
    np.add.accumulate(marked, dtype=np.int32, out=out[1:])
    return out
