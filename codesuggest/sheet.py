"""The sheet of a ranking: a row for every candidate concept of a note, or of a few in one row, and a column for every feature.

`features.py` fills it in. The candidates of different notes are told apart by a number that holds the note and the concept, so
that whatever is asked of candidates is asked of those of all notes at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest import axes as pcs
from codesuggest.care import CARE_FEATURES
from codesuggest.company import COMPANY_FEATURES, IMPLIED_FEATURES, NOBODY
from codesuggest.concepts import KINDS
from codesuggest.judged import Judged
from codesuggest.marked import MARKED
from codesuggest.note import GROUPS, HISTORICAL, Reading
from codesuggest.places import PLACE_FEATURES
from codesuggest.regimen import REGIMEN_FEATURES
from codesuggest.retrieve import TermIndex, numbered
from codesuggest.rivalry import BY_MARKS
from codesuggest.seventh import ENCOUNTER_FEATURES
from codesuggest.static import Static

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Floats = npt.NDArray[np.float32]

MAX_CONCEPTS = 300  #: candidates kept a note before codes are chosen; the evaluation sets need at most 200 codes
#: Features whose weight may differ where every mention is coded: a document of that policy repeats them as "mentions:...",
#: so that it can train a ranker together with billed documents. No note that is read has them.
OF_POLICY = (
    *(f"chapter:{c}" for c in "BCDFGHIJKLMNOQ"),
    "learned:term",
    "learned:terms",
    "learned:operation_prior",
    "learned:code_prior",
    "learned:category_prior",
    "operation:integral_inspection",
    "match:none",
    "full:none",
    "match:best",
    "against:historical_only",
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FEATURES: tuple[str, ...] = (
    *(f"match:{g}" for g in GROUPS),
    *(f"full:{g}" for g in GROUPS),
    "match:best",
    "match:square",
    "match:cosine",
    "match:mass",
    "match:words",
    "match:headline",
    "match:headline_whole",
    "match:headline_first",
    "match:title_start",
    "match:repeated",
    "match:sections",
    "match:title_in_note",
    "match:by_route",
    *(f"kind:{k}" for k in KINDS),
    "kind:common",
    "kind:everyday",
    "kind:drug_in_list",
    "against:negated",
    "against:negated_only_stronger",
    "against:historical_only",
    "against:uncertain_too",
    "against:dominated",
    "against:rival_in_category",
    "against:rival_is_fuller",
    "against:shared_words",
    "against:crowd",
    "side:local",
    "side:site",
    "side:other_site",
    "side:other_local",
    "side:unspecified",
    "side:unspecified_though_said",
    "side:bilateral",
    *ENCOUNTER_FEATURES,
    "code:other",
    "code:unspecified",
    "code:length",
    "code:words",
    "code:personal_history",
    "code:family_history",
    "code:symptom_with_diagnosis",
    *(f"chapter:{c}" for c in LETTERS),
    "learned:code_prior",
    "learned:category_prior",
    "learned:association",
    "learned:association_best",
    "learned:mention_prior",
    *CARE_FEATURES,  # of HCPCS only: what was given or provided, see `care`
    # filled in by `rivals`, from a first ranking without them
    "rival:same_words",
    "rival:same_category",
    "rival:same_concept",
    "rival:same_words_and_category",
    "rival:place",
    # of what documents with every mention coded taught (`mentions.py`)
    "learned:term",
    "learned:terms",
    "learned:term_in_headline",
    "learned:term_and_match",
    "learned:operation_prior",
    *pcs.FILLED,
    *(f"mentions:{name}" for name in ("document", *OF_POLICY)),
    # of the mention dictionary (`marked.py`)
    *(f"marked:{name}" for name in MARKED),
    # of what the others say of a candidate (`company.py`); those of COMPANY_FEATURES are filled in by `rivals` too
    "note:segments",
    "note:headlines",
    "match:lab_value",
    "against:longer",
    "against:longest_share",
    "against:rival_title",
    "against:unsaid_qualifier",
    "against:unsaid_share",
    "code:trimester",
    "code:other_trimester",
    "code:unspecified_trimester",
    *IMPLIED_FEATURES,
    *COMPANY_FEATURES,
    "match:stated",
    *PLACE_FEATURES,
    # filled in by `rivals` as well: the best better-ranked candidate that an Excludes1 note keeps apart from this one (`apart.py`)
    "rival:excluded",
    "rival:excluded_elsewhere",
    *REGIMEN_FEATURES,
    "code:other_by_title",
    "against:given_up",  # a habit that is spoken of as past only
    *BY_MARKS,  # where every mention is coded
)
COLUMN = {name: i for i, name in enumerate(FEATURES)}


def max_by(keys: npt.NDArray[Any], values: npt.NDArray[Any], size: int) -> Floats:
    """Largest value of each key in 0..size-1, at least 0. values: non-negative, of any dtype."""
    out = np.zeros(size, np.float32)
    np.maximum.at(out, keys, np.asarray(values, np.float32))  # of the same type: several times faster (0.3 ms a note)
    return out


@dataclass(frozen=True, slots=True)
class Sheet:
    """Features by candidate concept, being filled in.

    candidate: intp (n,), ascending: the place of the note times the number of concepts, plus the concept. note, concept: the two of
    them. x: float32 (n, F). use, slot: (u,), the usable hits of the candidates and their rows. plain, row: (p,), those of them that
    match words of their own (no drugs, not dominated). best: float32 (n,), strength of the best plain hit. family: the category,
    told apart by the note. witness: as in `Table`, by concept.
    """

    judged: Judged
    candidate: Ints
    note: Ints
    concept: Ints
    x: Floats
    use: Ints
    slot: Ints
    plain: Ints
    row: Ints
    best: Floats
    category: Ints
    family: Ints
    letter: npt.NDArray[np.int8]
    witness: Ints

    @classmethod
    def of(cls, judged: Judged, index: TermIndex, static: Static) -> Sheet:
        """The MAX_CONCEPTS candidates of each note that promise most."""
        use, size, notes = judged.usable.nonzero()[0], len(judged.concepts.route), len(judged.reading.notes)
        candidate, slot = numbered(told_apart(judged, use), notes * size)
        if len(candidate) > MAX_CONCEPTS and np.bincount(candidate // size).max() > MAX_CONCEPTS:
            note, concept = np.divmod(candidate, size)
            most = max_by(slot, _promise(judged, index, use, concept, slot), len(candidate))
            order = np.lexsort((concept, -most, note))
            held = note.take(order)
            kept = np.sort(order.compress(np.arange(len(order)) - held.searchsorted(held) < MAX_CONCEPTS))
            place = np.full(len(candidate), -1)
            place[kept] = np.arange(len(kept))
            slot = place[slot]
            use, slot, candidate = use[slot >= 0], slot[slot >= 0], candidate[kept]
        own_words = (~(judged.drug | judged.dominated)).take(use)
        plain = use.compress(own_words)
        if static.company is None:
            witness = np.full((len(candidate), 3), NOBODY)
        else:
            full = (judged.full & (judged.status != HISTORICAL)).take(plain)
            said, own = plain.compress(full), candidate
            of = judged.reading.note_of_segment.take(judged.hits.segment.take(said))
            first, worth = static.first.take(judged.concept.take(said)), judged.worth.take(said)
            candidate, witness = static.company.joined(
                own, static.concept, said, of, first, worth, notes=notes, concepts=size
            )
            if len(candidate) > len(own):
                slot = candidate.searchsorted(own).take(slot)
        # of one note, as divisions are slow, without them
        note, concept = np.divmod(candidate, size) if notes > 1 else (np.zeros(len(candidate), np.intp), candidate)
        row, category = slot.compress(own_words), static.category.take(concept).astype(np.intp)
        return cls(
            judged,
            candidate,
            note,
            concept,
            np.zeros((len(concept), len(FEATURES)), np.float32),
            use,
            slot,
            plain,
            row,
            max_by(row, judged.strength.take(plain), len(concept)),
            category,
            note * len(static.category) + category,
            static.letter.take(concept),
            witness,
        )

    def by_note(self, rows: Ints) -> Iterator[tuple[Reading, int, int]]:
        """Each note with the first of its rows and the one behind its last. rows: the note of each, ascending."""
        notes = self.judged.reading.notes
        if len(notes) == 1:
            return iter([(notes[0], 0, len(rows))])
        bounds = rows.searchsorted(np.arange(len(notes) + 1)).tolist()
        return zip(notes, bounds[:-1], bounds[1:], strict=True)

    def put(self, name: str, values: Any) -> None:
        self.x[:, COLUMN[name]] = values

    def top(self, values: npt.NDArray[Any]) -> Floats:
        """Largest of the values (p,) of each candidate's plain hits."""
        return max_by(self.row, values, len(self.concept))

    def put_top(self, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """`put` of the `top` of each of these, all at once."""
        n, p = len(self.concept), len(self.row)
        stacked = np.empty((len(values), p), np.float32)
        for own, given in zip(stacked, values.values(), strict=True):
            own[:] = given
        cell = self.row + n * np.arange(len(values))[:, None]
        most = max_by(cell.reshape(-1), stacked.reshape(-1), n * len(values))
        self.x[:, [COLUMN[name] for name in values]] = most.reshape(-1, n).T

    def leads(self, values: Floats) -> Floats:
        """By how much the best of each candidate's category exceeds it. values: (n,), not negative."""
        ahead = max_by(self.family, values, int(self.family.max()) + 1).take(self.family)
        ahead -= values
        return ahead


def told_apart(judged: Judged, chosen: Ints) -> Ints:
    """The concept of each of these hits and its note in one number, see `Sheet.candidate`."""
    concept = judged.concept.take(chosen)
    if len(judged.reading.notes) > 1:
        note = judged.reading.note_of_segment.take(judged.hits.segment.take(chosen))
        concept += note * len(judged.concepts.route)
    return concept


def _promise(judged: Judged, index: TermIndex, use: Ints, concept: Ints, slot: Ints) -> npt.NDArray[Any]:
    """What each usable hit promises for its candidate: strength, weight of the term, everyday concepts first; float (u,)."""
    promise = judged.strength.take(use) * np.log1p(index.mass.take(judged.hits.term.take(use)))
    promise = promise * np.where(judged.dominated.take(use), 0.5, 1.0)
    promise += 0.3 * judged.concepts.common.take(concept).take(slot) * judged.full.take(use)
    trust = judged.trust.take(use)
    return np.where(trust > 0, 5 * trust, promise)
