"""What is to be thought of each match of a note: whether it says its term in full, of whom, and whether it is evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest import axes as pcs
from codesuggest import qualifiers
from codesuggest.concepts import KINDS, Concepts
from codesuggest.note import AFFIRMED, FAMILY, GROUPS, HISTORICAL, UNCERTAIN, Reading
from codesuggest.procedures import Axes
from codesuggest.retrieve import FULL, Hits, TermIndex, ragged
from codesuggest.routes import routed
from codesuggest.static import Static

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

#: Coverage from which a term counts as said in part; wordings of operations are short.
LEAST, LEAST_OPERATION = 0.6, 0.7
TIGHT = 0.5  #: compactness from which its words count as said together
WINDOW = 6  #: words within which all of a learned term must stand
ACT_WINDOW = 12  #: and all of a step of an operation

ASSESSMENT = GROUPS.index("assessment")
LEARNED, ACT, TRIMMED = KINDS.index("learned"), KINDS.index("act"), KINDS.index("trimmed")
#: Kinds of term that do not name their concept.
_HINTS = np.array([kind in ("drug", "learned", "act") for kind in KINDS])


@dataclass(frozen=True, slots=True)
class Judged:
    """The hits of a note and what is to be thought of each, all arrays (h,).

    concept: intp. status: index in ASSERTIONS. strength: float32 in [0, 1], coverage * compactness^(1/4). full: the whole
    term, its words together. usable: speaks of this patient, in a way its concept can be coded from. drug: a drug's name
    that hints at a status code. dominated: inside a longer full match, as "pain" in "knee pain". worth: as evidence. trust:
    float32, reliability of a learned term, 0 for every other. unsaid: share of the term in qualifiers that are missing. opened:
    usable by its route only (`routes`).
    """

    reading: Reading
    hits: Hits
    concepts: Concepts
    concept: Ints
    kind: npt.NDArray[np.int8]
    status: npt.NDArray[np.int8]
    strength: Floats
    full: Bools
    usable: Bools
    drug: Bools
    dominated: Bools
    worth: Floats
    trust: Floats
    unsaid: Floats
    opened: Bools

    @classmethod
    def of(
        cls, reading: Reading, hits: Hits, concepts: Concepts, trust: Floats, index: TermIndex, static: Static, *,
        inpatient: bool, axes: Axes | None = None, mentioned: bool = False,
    ) -> Judged:  # fmt: skip
        """trust: reliability of the learned terms. axes: of ICD-10-PCS. mentioned: every mention counts, whatever is asserted of
        it."""
        least = LEAST if axes is None else LEAST_OPERATION
        segment = hits.segment
        status, group = reading.status.take(segment), reading.group.take(segment)
        concept = concepts.term_concept.take(hits.term).astype(np.intp)
        kind = concepts.term_kind.take(hits.term)
        learned, act, drug = kind == LEARNED, kind == ACT, _HINTS.take(kind)
        trusted = np.zeros(len(hits), np.float32)
        if len(trust):
            trusted[learned] = trust[hits.term[learned] - (len(concepts.term_kind) - len(trust))]
        said, unsaid, past = qualifiers.unsaid(reading, hits, index)
        route = None if mentioned else static.route
        way = routed(reading, hits, index, np.zeros(len(hits), np.uint8) if route is None else route.take(concept))
        unsaid = np.maximum(unsaid - way.counted, 0)
        held = hits.coverage + way.meant
        coverage = held + said
        strength = (coverage * np.sqrt(np.sqrt(hits.compact))).astype(np.float32, copy=False)
        # what is left of "personal history of breast cancer" without its first words names a history only where it is one
        present = (kind == TRIMMED) & (concepts.route.take(concept) == 2) & (status != HISTORICAL)
        at = ((past > 0) | present).nonzero()[0]
        strength[at] = np.minimum(strength.take(at), LEAST)
        full = ~present & (coverage >= FULL) & (hits.compact >= TIGHT)
        # "ORIF of the closed left distal radius fracture": a line that names has few words to confuse
        if axes is not None:
            full |= (coverage >= FULL) & (hits.last - hits.first < ACT_WINDOW) & pcs.lists(reading)[segment]
        # uncertain diagnoses are coded at the end of an inpatient stay only (II.H, III.C; IV.H)
        own = (status == AFFIRMED) | (status == HISTORICAL) | ((status == UNCERTAIN) & inpatient) | mentioned
        relative = (status == FAMILY) | ((status == AFFIRMED) & reading.says_family.take(segment))
        usable = np.where(concepts.route.take(concept) == 1, relative | (learned & mentioned), own)
        usable = (usable & ~way.stray) | way.open
        usable &= (held >= least) | ((strength >= 0.5) & (least <= LEAST))
        if axes is not None:
            asked = usable.nonzero()[0]
            usable[asked] = pcs.names_operation(axes, reading, hits, asked)
        if drug.any():
            reach = hits.last - hits.first
            usable &= ~learned | ((trusted > 0) & (hits.coverage >= FULL) & (reach < WINDOW))
            usable &= ~act | ((hits.coverage >= FULL) & (reach < ACT_WINDOW))
        dominated = np.zeros(len(hits), bool)
        # "acute on chronic respiratory failure due to COPD" says no "acute on chronic COPD", though that has four forms at one word
        together = hits.words >= TIGHT * (hits.last - hits.first + 1)
        dominated[_inside(hits, concept, (full & together & (own | way.open) & ~drug).nonzero()[0], drug)] = True
        worth = (strength - 0.3 * dominated + 0.15 * (group == ASSESSMENT)).astype(np.float32)
        at = learned.nonzero()[0]
        worth[at] = trusted.take(at)
        return cls(
            reading, hits, concepts, concept, kind, status, strength, full, usable, drug, dominated, worth, trusted, unsaid,
            way.open & ~own,
        )  # fmt: skip


def _inside(hits: Hits, concept: Ints, strong: Ints, drug: Bools) -> Ints:
    """Hits with fewer words inside one of these, which is of another concept."""
    # hits are sorted by segment: pairs within one only
    segment = hits.segment.take(strong)
    first = hits.segment.searchsorted(segment)
    pair, inner = ragged(hits.segment.searchsorted(segment, side="right") - first)
    inner += first.take(pair)
    # most pairs fail the first question, so that the others are asked of few
    for edge, reaches in ((hits.first, np.less_equal), (hits.last, np.greater_equal)):
        there = reaches(edge.take(strong).take(pair), edge.take(inner)).nonzero()[0]
        pair, inner = pair.take(there), inner.take(there)
    outer = strong.take(pair)
    less = hits.matched.take(outer) > hits.matched.take(inner)
    less &= concept.take(outer) != concept.take(inner)
    less &= ~drug.take(inner)
    return inner.compress(less)
