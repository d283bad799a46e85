"""Words that change what a term means, and the terms that were matched without them.

A term may be found by its other words alone: *history of NSTEMI* in "NSTEMI", *acute on chronic HFrEF* in "chronic HFrEF". Weight of
words does not tell, for such qualifiers are common words and weigh little.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codesuggest.note import FAMILY, HISTORICAL, Reading
from codesuggest.pipes.phrases import PAST, RELATIVE
from codesuggest.retrieve import Hits, TermIndex

Floats = npt.NDArray[np.float32]


def unsaid(reading: Reading, hits: Hits, index: TermIndex) -> tuple[Floats, Floats, Floats]:
    """(meant, unsaid, past), float32 (h,): share of each term's weight in qualifiers that its segment does not hold but means, as
    "history" where the segment tells of the past; share in those that it does not say at all; and of these in words of the past
    and of relatives."""
    said, missing, past = (np.zeros(len(hits), np.float32) for _ in range(3))
    part = np.flatnonzero(hits.coverage < 0.995)
    count = index.size[hits.term[part]]
    row = np.repeat(np.arange(len(part)), count)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    form = index.forms[index.indptr[hits.term[part]][row] + offset]
    kind = reading.qualifies[form]
    here = np.flatnonzero(kind)
    if not len(here):
        return said, missing, past
    row, form, kind = part[row[here]], form[here], kind[here]
    segment = reading.segment_of_word[reading.word]
    spoken = (reading.qualifies[reading.form] > 0) & (segment >= 0)
    n = np.int64(len(index.idf))
    held = np.isin(hits.segment[row] * n + form, segment[spoken] * n + reading.form[spoken])
    status = reading.status[hits.segment[row]]
    meant = ((kind == PAST) & (status == HISTORICAL)) | ((kind == RELATIVE) & (status == FAMILY))
    share = (index.idf**2)[form] / index.mass[hits.term[row]]
    np.add.at(said, row[~held & meant], share[~held & meant])
    np.add.at(missing, row[~held & ~meant], share[~held & ~meant])
    other = ~held & ~meant & ((kind == PAST) | (kind == RELATIVE))
    np.add.at(past, row[other], share[other])
    return said, missing, past
