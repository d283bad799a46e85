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
from codesuggest.retrieve import FULL, Hits, TermIndex, ragged

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
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
    """Forms that segments are told by a cue outside them, and the word each stands at, the first of its segment; int32 (n,) both.

    With them "hepatitis C" behind "Screening for" finds the screening among the many terms of the disease.
    """
    at = np.flatnonzero(reading.told)
    at = at[_TOLD[reading.status[at]]]
    if not len(at):
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    bits, form = reading.told & IMPLIED, np.flatnonzero(reading.routing)
    part, which = np.nonzero(bits[at][:, None] & reading.routing[form][None, :])
    return form[which].astype(np.int32), reading.first[at[part]]


def routed(reading: Reading, hits: Hits, index: TermIndex, route: Bits) -> Routed:
    """route: uint8 (h,), that of the code each match is of."""
    n = len(hits)
    meant, counted = np.zeros((2, n), np.float32)
    opened, stray = np.zeros((2, n), bool)
    at = np.flatnonzero(route)
    if not len(at):
        return Routed(meant, counted, opened, stray)
    route, term, segment, status = route[at], hits.term[at], hits.segment[at], reading.status[hits.segment[at]]
    row, offset = ragged(index.size[term])
    form = index.forms[index.indptr[term][row] + offset]
    naming = np.flatnonzero(reading.routing[form] & route[row])  # the words of the term that name its route
    row, form = row[naming], form[naming]
    named = np.bincount(row, minlength=len(at)) > 0
    told = (reading.told[segment] & route) > 0
    said = told | ((reading.says[segment] & route) > 0)
    words = np.flatnonzero((reading.routing[reading.form] > 0) & (reading.segment_of_word[reading.word] >= 0))
    size = np.int64(len(index.idf))
    held = reading.segment_of_word[reading.word[words]] * size + reading.form[words]
    missing = said[row] & ~np.isin(segment[row] * size + form, held)
    row, form = row[missing], form[missing]
    share = index.idf[form] ** 2 / index.mass[term[row]]
    implied_too = _TOLD[status] & told & ((route & IMPLIED) > 0)  # these are matched, see `implied`
    np.add.at(meant, at[row], share * ~implied_too[row])
    np.add.at(counted, at[row], share * (reading.qualifies[form] > 0))
    looked_for = (route == SCREENING) | (route == IMMUNIZATION)
    # "MMR" says of itself that it is a vaccine; what was screened for or given in the past is not why the patient came
    stray[at] = (named & ~said & (route != IMMUNIZATION)) | (looked_for & (status == HISTORICAL))
    whole = hits.coverage[at] + meant[at] >= FULL
    others = (status == OTHER_PERSON) | (status == FAMILY)
    opened[at] = (
        (looked_for & (status == HYPOTHETICAL) & told)
        # the encounter is for the test: one in a list of results was done on the way to something else
        | ((route == NEGATIVE) & (status == NEGATED) & told & named & whole & _ENCOUNTER[reading.group[segment]])
        # "smokers in the home" says of somebody else what the patient is exposed to
        | ((route == CONTACT) & others & (told | ((status == OTHER_PERSON) & ~named & whole)))
    )
    return Routed(meant, counted, opened, stray)
