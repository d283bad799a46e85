"""Words that change what a term means, and the terms that were matched without them.

A term may be found by its other words alone: *history of NSTEMI* in "NSTEMI", *acute on chronic HFrEF* in "chronic HFrEF". Weight
of words does not tell, for such qualifiers are common words and weigh little.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codesuggest.note import FAMILY, HISTORICAL, Reading
from codesuggest.pipes.phrases import PAST, RELATIVE
from codesuggest.retrieve import FULL, Hits, TermIndex, among, ragged

Floats = npt.NDArray[np.float32]


def unsaid(reading: Reading, hits: Hits, index: TermIndex) -> tuple[Floats, Floats, Floats]:
    """(meant, unsaid, past), float32 (h,): share of each term's weight in qualifiers that its segment does not hold but means, as
    "history" where the segment tells of the past; share in those that it does not say at all; and of these in words of the past
    and of relatives."""
    said, missing, past = (np.zeros(len(hits), np.float32) for _ in range(3))
    count, begin, forms = index.holding(reading.qualifies)
    count = count.take(hits.term)
    part = (count * (hits.coverage < FULL)).nonzero()[0]
    if not len(part):
        return said, missing, past
    row, offset = ragged(count.take(part))
    form = forms.take(begin.take(hits.term.take(part)).take(row) + offset)
    row, kind = part.take(row), reading.qualifies.take(form)
    spoken = reading.qualifies.take(reading.form).nonzero()[0]
    segment, word_form = reading.segment_of_word.take(reading.word.take(spoken)), reading.form.take(spoken)
    n, where = np.int64(len(index.idf)), hits.segment.take(row)
    held = among(where * n + form, (segment * n + word_form).compress(segment >= 0))
    status = reading.status.take(where)
    meant = ((kind == PAST) & (status == HISTORICAL)) | ((kind == RELATIVE) & (status == FAMILY))
    share = index.weight.take(form) / index.mass.take(hits.term.take(row))
    lacking = ~held & ~meant
    for out, chosen in (
        (said, ~held & meant),
        (missing, lacking),
        (past, lacking & ((kind == PAST) | (kind == RELATIVE))),
    ):
        np.add.at(out, row.compress(chosen), share.compress(chosen))
    return said, missing, past
