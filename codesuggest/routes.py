"""Routes: statements about no finding of this patient that lead to a code of their own.

"Screening for hepatitis C" names a disease that is only looked for (hypothetical), "household contact with tuberculosis" somebody
else's, "UPT negative" what is not there. None of them is a finding, and each has a code (I.C.21.c.1, 2, 5 and 6, FY2026;
`rules/routes.tsv`). Two things are decided here of every match of such a code. It is *open* where the statement is the one the
code is for: the cue itself says so ("screening for", "vaccination against", "contact with", "negative"), so that "call if fever"
opens nothing. It is *stray* where its term holds a word of the route and nobody says one: a disease that the patient has is no
screening.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.note import (
    CONTACT,
    FAMILY,
    GROUPS,
    HISTORICAL,
    HYPOTHETICAL,
    IMMUNIZATION,
    NEGATED,
    NEGATIVE,
    OTHER_PERSON,
    SCREENING,
    Reading,
)
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.pipes.phrases import ROUTES
from codesuggest.records import ASSERTIONS
from codesuggest.retrieve import FULL, Hits, TermIndex, among, ragged

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]
Bits = npt.NDArray[np.uint8]


_ENCOUNTER = np.isin(GROUPS, ("assessment", "plan", "reason"))  #: groups of sections that tell why the patient came
IMPLIED = SCREENING | CONTACT
#: Statuses whose segments are read together with what their cue tells, by index.
_TOLD = np.isin(np.arange(len(ASSERTIONS)), (HYPOTHETICAL, OTHER_PERSON, FAMILY))
_TABLE = Path(__file__).parent / "rules" / "routes.tsv"


@dataclass(frozen=True, slots=True)
class Routed:
    """Of every match, all (h,): meant float32, share of its term in words of the route that its statement means without holding
    them; counted float32, the part of `meant` in words of `qualifiers.tsv`; open, stray bool, see above."""

    meant: Floats
    counted: Floats
    open: Bools
    stray: Bools


@lru_cache(maxsize=1)
def _begins() -> tuple[tuple[bytes, int], ...]:
    rows = read_lexicon(_TABLE, ("begin", "route", "source"), unique=("begin",))
    return tuple((row["begin"].encode(), 1 << ROUTES.index(row.choice("route", ROUTES))) for row in rows)


def routes_of(codes: npt.NDArray[Any]) -> Bits:
    """Route of each of these ICD-10-CM codes, bytes (k,): the bit of one of ROUTES, 0 for any other code. uint8 (k,)."""
    out = np.zeros(len(codes), np.uint8)
    for begin, bit in _begins():
        out[np.char.startswith(codes, begin)] = bit
    return out


def implied(reading: Reading) -> tuple[Ints, Ints]:
    """Forms that segments are told by a cue outside them, and the word each stands at, the first of its segment; intp (n,) both.

    With them "hepatitis C" behind "Screening for" finds the screening among the many terms of the disease.
    """
    at = reading.told.nonzero()[0]
    at = at.compress(_TOLD.take(reading.status.take(at)))
    if not len(at):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    bits, form = reading.told & IMPLIED, np.flatnonzero(reading.routing)
    part, which = np.nonzero(bits[at][:, None] & reading.routing[form][None, :])
    return form[which], reading.first[at[part]]


def routed(reading: Reading, hits: Hits, index: TermIndex, route: Bits) -> Routed:
    """route: uint8 (h,), that of the code each match is of."""
    n = len(hits)
    meant, counted = np.zeros(n, np.float32), np.zeros(n, np.float32)
    opened, stray = np.zeros(n, bool), np.zeros(n, bool)
    at = (route != 0).nonzero()[0]
    if not len(at):
        return Routed(meant, counted, opened, stray)
    route, term, segment = route.take(at), hits.term.take(at), hits.segment.take(at)
    status = reading.status.take(segment)
    row, offset = ragged(index.size.take(term))
    form = index.forms.take(index.indptr.take(term).take(row) + offset)
    naming = (reading.routing.take(form) & route.take(row)).nonzero()[0]  # the words of the term that name its route
    row, form = row.take(naming), form.take(naming)
    named = np.bincount(row, minlength=len(at)) > 0
    told = (reading.told.take(segment) & route) > 0
    said = told | ((reading.says.take(segment) & route) > 0)
    words = reading.routing.take(reading.form).nonzero()[0]
    where, word_form = reading.segment_of_word.take(reading.word.take(words)), reading.form.take(words)
    size = np.int64(len(index.idf))
    held = among(segment.take(row) * size + form, (where * size + word_form).compress(where >= 0))
    missing = (said.take(row) & ~held).nonzero()[0]
    row, form = row.take(missing), form.take(missing)
    share = index.weight.take(form) / index.mass.take(term.take(row))
    implied_too = _TOLD.take(status) & told & ((route & IMPLIED) > 0)  # these are matched, see `implied`
    hit = at.take(row)
    np.add.at(meant, hit, share * ~implied_too.take(row))
    np.add.at(counted, hit, share * (reading.qualifies.take(form) > 0))
    looked_for = (route == SCREENING) | (route == IMMUNIZATION)
    # "MMR" says of itself that it is a vaccine; what was screened for or given in the past is not why the patient came
    stray[at] = (named & ~said & (route != IMMUNIZATION)) | (looked_for & (status == HISTORICAL))
    whole = hits.coverage.take(at) + meant.take(at) >= FULL
    others = (status == OTHER_PERSON) | (status == FAMILY)
    opened[at] = (
        (looked_for & (status == HYPOTHETICAL) & told)
        # the encounter is for the test: one in a list of results was done on the way to something else
        | (
            (route == NEGATIVE)
            & (status == NEGATED)
            & told
            & named
            & whole
            & _ENCOUNTER.take(reading.group.take(segment))
        )
        # "smokers in the home" says of somebody else what the patient is exposed to
        | ((route == CONTACT) & others & (told | ((status == OTHER_PERSON) & ~named & whole)))
    )
    return Routed(meant, counted, opened, stray)
