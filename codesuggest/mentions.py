"""Learned terms: sets of words that stand near each other in documents of which every mention was coded.

Where no billed document teaches a system, these documents do. A *learned term* is a set of one to three word forms within
`WINDOW` words of a sentence; it belongs to a concept, and its reliability is P(concept | the document says it), shrunk:

    reliability = (both + prior / 2) / (said + 3 / 2)          both, said: documents; prior: share of documents with the concept

Kept are those said in two or more documents that have the concept, at `LEAST` reliability and `LIFT` times the prior.
Reliabilities are of counts, so that those of a document's own group can be taken out again: the ranker is trained on what
the other documents teach, else it would trust its own answers.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from codesuggest.note import AFFIRMED, HISTORICAL, Reading

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

WINDOW = 6  #: words of the note within which a term stands, as in `features.py`
LEAST, LIFT = 0.15, 3.0
_COMMON = 0.3  #: a term in more of the documents than this says nothing
_DIGIT = re.compile(r"\d")

Term = tuple[str, ...]  #: forms, sorted


def terms_of(reading: Reading) -> set[Term]:
    """The sets of forms a note says of the patient (affirmed or of the past), each within one sentence and WINDOW words.

    Only of forms that code tables and our lists hold, without digits: a name or an age is none of them (invariant 5).
    """
    known = reading.in_vocabulary
    found: set[Term] = set()
    near: list[tuple[int, str]] = []
    here = -2
    for place, (forms, segment) in enumerate(zip(reading.words.forms, reading.segment_of_word.tolist(), strict=True)):
        if segment != here:
            near, here = [], segment
        if segment < 0 or not known[place] or reading.status[segment] not in (AFFIRMED, HISTORICAL):
            continue
        for form in forms:
            if _DIGIT.search(form):
                continue
            near = [(p, f) for p, f in near if place - p < WINDOW]
            found.add((form,))
            others = sorted({f for _, f in near} - {form})
            found.update(tuple(sorted((form, f))) for f in others)
            if len(near) >= 2 and len({near[-1][1], near[-2][1], form}) == 3:
                found.add(tuple(sorted((near[-2][1], near[-1][1], form))))
            near.append((place, form))
    return found


@dataclass(frozen=True)
class TermCounts:
    """Learned terms with what was counted.

    terms, concept (r,): forms and concept of each. both, said (r,), with_concept (c,): documents. documents: how many.
    said_by, has: by group, for each of its documents the terms it says (places in `terms`, ascending) and its concepts.
    """

    terms: tuple[Term, ...]
    concept: Ints
    both: Ints
    said: Ints
    with_concept: Ints
    documents: int
    said_by: Mapping[str, Sequence[Ints]]
    has: Mapping[str, Sequence[frozenset[int]]]
    frequent: bool = False

    @classmethod
    def of(
        cls,
        found: Sequence[set[Term]],
        concepts: Sequence[frozenset[int]],
        groups: Sequence[str],
        *,
        n_concepts: int,
        min_groups: int,
        frequent: bool = False,
    ) -> TermCounts:
        """found, concepts, groups: of each document, the terms it says, the concepts it was given, its group. frequent: also
        terms and concepts that a great share of the documents have, as the few codes of a list of a site's own."""
        n = len(found)
        held: dict[Term, list[int]] = defaultdict(list)
        for d, own in enumerate(found):
            for term in own:
                held[term].append(d)
        with_concept = np.zeros(n_concepts, np.int32)
        for own_concepts in concepts:
            with_concept[sorted(own_concepts)] += 1
        rows: list[tuple[Term, int, int, int]] = []
        for term, places in held.items():
            common = len(places) > _COMMON * n and not frequent
            if len(places) < 2 or common or len({groups[d] for d in places}) < min_groups:
                continue
            for c, both in Counter(c for d in places for c in concepts[d]).items():
                if both >= 2 and _reliable(both, len(places), int(with_concept[c]) / n, frequent):
                    rows.append((term, c, both, len(places)))
        rows.sort(key=lambda r: (r[1], r[0]))
        number: dict[Term, list[int]] = defaultdict(list)
        for r, (term, *_) in enumerate(rows):
            number[term].append(r)
        said_by: dict[str, list[Ints]] = defaultdict(list)
        has: dict[str, list[frozenset[int]]] = defaultdict(list)
        for own, own_concepts, group in zip(found, concepts, groups, strict=True):
            said_by[group].append(np.array(sorted(r for t in own & number.keys() for r in number[t]), np.int32))
            has[group].append(own_concepts)
        return cls(
            tuple(term for term, *_ in rows),
            np.array([c for _, c, _, _ in rows], np.int32),
            np.array([b for *_, b, _ in rows], np.int32),
            np.array([s for *_, s in rows], np.int32),
            with_concept,
            n,
            dict(said_by),
            dict(has),
            frequent,
        )

    def prior(self, without: Collection[str] = ()) -> Floats:
        """ln(1 + 4 n) / 2 of how many documents outside the groups have each concept, float32 (c,)."""
        counts = self.with_concept.copy()
        for concepts in (c for group in without for c in self.has.get(group, ())):
            counts[sorted(concepts)] -= 1
        return np.asarray(np.log1p(4 * counts) / 2, np.float32)

    def reliability(self, without: Collection[str] = ()) -> Floats:
        """Of every term, float32 (r,), 0 where it would not be kept; as the documents outside the groups teach it."""
        both, said, prior = self.both.copy(), self.said.copy(), self.with_concept.copy()
        documents = self.documents
        for group in without:
            for own, concepts in zip(self.said_by.get(group, ()), self.has.get(group, ()), strict=True):
                documents -= 1
                said[own] -= 1
                both[own] -= np.isin(self.concept[own], sorted(concepts))
                prior[sorted(concepts)] -= 1
        share = prior[self.concept] / max(1, documents)
        value = (both + share / 2) / (said + 1.5)
        kept = (both >= 2) & (value >= LEAST) & (value >= LIFT * share)
        if self.frequent:
            kept = (both >= 2) & (value >= LEAST) & (value * (1 - share) >= LIFT * share * (1 - value))
        return np.asarray(np.round(np.where(kept, value, 0), 4), np.float32)


def _reliable(both: int, said: int, prior: float, frequent: bool) -> bool:
    """Whether a term is kept: by LIFT of the share, or, of what may be frequent, of the odds."""
    value = (both + prior / 2) / (said + 1.5)
    lift = value * (1 - prior) >= LIFT * prior * (1 - value) if frequent else value >= LIFT * prior
    return value >= LEAST and lift
