"""Named features of (note, code) pairs.

They are of seven kinds: how well and where a term matched (by group of sections), what kind of term it was, what the
note says against it (negated, dominated by a longer match, a rival in the same category), side and encounter, what the
code is (chapter, other, unspecified), what coded documents taught (priors, associations), and who of the better ranked
claims the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest import axes as pcs
from codesuggest import qualifiers
from codesuggest.acts import COLUMNS as ACT_COLUMNS
from codesuggest.care import CARE_FEATURES, care_features, read_care
from codesuggest.company import COMPANY_FEATURES, IMPLIED_FEATURES, NOBODY, Company, implied_features
from codesuggest.concepts import KINDS, SIDES, Concepts
from codesuggest.learned import Learned
from codesuggest.marked import MARKED, Claims
from codesuggest.note import AFFIRMED, FAMILY, GROUPS, HISTORICAL, NEGATED, UNCERTAIN, Reading
from codesuggest.procedures import Axes
from codesuggest.reports import REPORT_FEATURES, REPORTED
from codesuggest.retrieve import Hits, TermIndex, longest
from codesuggest.routes import routed
from codesuggest.sides import ragged, sides_beside, site_sides
from codesuggest.static import Static
from codesuggest.trimesters import NONE, OPEN, trimester_of

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

MAX_CONCEPTS = 300  #: candidates kept a note before codes are chosen; the evaluation sets need at most 200 codes
FULL = 0.995  #: coverage from which a term counts as wholly said
LEAST, LEAST_OPERATION = (
    0.6,
    0.7,
)  #: coverage from which a term counts as said in part; wordings of operations are short
TIGHT = 0.5  #: compactness from which its words count as said together
WINDOW = 6  #: words within which all of a learned term must stand
ACT_WINDOW = 12  #: and all of a step of an operation

BILATERAL, UNSPECIFIED = SIDES.index("bilateral"), SIDES.index("unspecified")
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
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
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
    "encounter:initial",
    "encounter:initial_in_follow_up",
    "encounter:subsequent",
    "encounter:subsequent_in_follow_up",
    "encounter:sequela",
    "encounter:other",
    "code:other",
    "code:unspecified",
    "code:length",
    "code:words",
    "code:personal_history",
    "code:family_history",
    "code:symptom_with_diagnosis",
    *(f"chapter:{c}" for c in _LETTERS),
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
    *pcs.COLUMNS,
    *ACT_COLUMNS,
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
    *REPORT_FEATURES,
)
COLUMN = {name: i for i, name in enumerate(FEATURES)}


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of one note in one system, sorted by concept and code.

    code, concept, category: int32 (n,), position of the code, its concept, dense id of its three-character category.
    x: float32 (n, F). lead: int32 (n,), the hit each rests on most. usable: bool (h,), hits that may be evidence.
    worth: float32 (h,), how much a hit says as evidence. witness: int64 (n, 3), hits of the diagnoses that add up to it, NOBODY if
    none. company: the tables of facts, where the system has any.
    """

    code: Ints
    concept: Ints
    category: Ints
    x: Floats
    lead: Ints
    usable: Bools
    worth: Floats
    witness: Ints
    company: Company | None = None

    def undocumented(self, row: int) -> tuple[str, ...]:
        """Axes of an ICD-10-PCS code whose value the note does not tell, () in any other system."""
        return tuple(axis for axis in pcs.OPEN if self.x[row, COLUMN[f"axis:{axis}_open"]])


def features(
    reading: Reading,
    hits: Hits,
    concepts: Concepts,
    index: TermIndex,
    static: Static,
    learned: Learned,
    *,
    inpatient: bool,
    allowed: Bools,
    axes: Axes | None = None,
    reliability: Floats | None = None,
    claimed: Claims | None = None,
) -> Table:
    """Candidates with their features. allowed: bool (k,), codes that may be suggested: billable and valid on the day.
    axes: of ICD-10-PCS, whose members are chosen by them. reliability: of the learned terms, by default `learned`'s.

    claimed: what the mention dictionary says of the note; with it a mention counts whatever is asserted of it.

    The rival features are left at 0 for `rivals`.
    """
    trust = learned.reliability if reliability is None else reliability
    least, mentioned = LEAST if axes is None else LEAST_OPERATION, claimed is not None
    judged = _Judged.of(
        reading, hits, concepts, trust, index, static, inpatient=inpatient, least=least, axes=axes, mentioned=mentioned
    )
    sheet = _Sheet.of(judged, index, static)
    if not len(sheet.concept):
        none = np.zeros(0, np.int32)
        return Table(none, none, none, sheet.x, none, judged.usable, judged.worth, sheet.witness)
    _how_it_matched(sheet, index)
    _which_kind_of_term(sheet)
    _what_speaks_against(sheet, index)
    site = _what_the_code_is(sheet, index, static)
    if static.drug is not None:
        _who_provided_it(sheet, static.drug)
    _what_was_learned(sheet)
    in_diagnosis = reading.group[hits.segment] == GROUPS.index("assessment")
    row, implied = implied_features(sheet.witness, judged.worth, in_diagnosis, sheet.best)
    at = COLUMN[IMPLIED_FEATURES[0]]
    sheet.x[row, at : at + len(IMPLIED_FEATURES)] = implied
    return _codes(sheet, index, static, learned, allowed, site, axes, claimed)


def _max_by(keys: npt.NDArray[Any], values: npt.NDArray[Any], size: int) -> Floats:
    """Largest value of each key in 0..size-1, at least 0. values: non-negative, of any dtype."""
    out = np.zeros(size, np.float32)
    np.maximum.at(out, keys, np.asarray(values, np.float32))  # of the same type: several times faster (0.3 ms a note)
    return out


@dataclass(frozen=True, slots=True)
class _Judged:
    """The hits of a note and what is to be thought of each, all arrays (h,).

    concept: int32. status: index in ASSERTIONS. strength: float32 in [0, 1], coverage * compactness^(1/4). full: the whole
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
        inpatient: bool, least: float, axes: Axes | None = None, mentioned: bool = False,
    ) -> _Judged:  # fmt: skip
        segment = hits.segment
        status = reading.status[segment]
        concept = concepts.term_concept[hits.term]
        kind = concepts.term_kind[hits.term]
        learned = kind == KINDS.index("learned")
        act = kind == KINDS.index("act")
        drug = (kind == KINDS.index("drug")) | learned | act  # none of them names its concept
        trusted = np.zeros(len(hits), np.float32)
        trusted[learned] = trust[hits.term[learned] - (len(concepts.term_kind) - len(trust))]
        said, unsaid, past = qualifiers.unsaid(reading, hits, index)
        route = None if mentioned else static.route
        way = routed(reading, hits, index, np.zeros(len(hits), np.uint8) if route is None else route[concept])
        unsaid = np.maximum(unsaid - way.counted, 0)
        held = hits.coverage + way.meant
        coverage = held + said
        strength = (coverage * np.sqrt(np.sqrt(hits.compact))).astype(np.float32)
        strength = np.where(past > 0, np.minimum(strength, LEAST), strength)
        full = (coverage >= FULL) & (hits.compact >= TIGHT)
        # "ORIF of the closed left distal radius fracture": a line that names has few words to confuse
        if axes is not None:
            full |= (coverage >= FULL) & (hits.last - hits.first < ACT_WINDOW) & pcs.lists(reading)[segment]
        # uncertain diagnoses are coded at the end of an inpatient stay only (II.H, III.C; IV.H)
        own = (status == AFFIRMED) | (status == HISTORICAL) | ((status == UNCERTAIN) & inpatient) | mentioned
        relative = (status == FAMILY) | ((status == AFFIRMED) & reading.says_family[segment])
        usable = np.where(concepts.route[concept] == 1, relative | (learned & mentioned), own)
        usable = (usable & ~way.stray) | way.open
        usable &= (held >= least) | ((strength >= 0.5) & (least <= LEAST))
        if axes is not None:
            usable &= pcs.names_operation(axes, reading, hits)
        usable &= ~learned | ((trusted > 0) & (hits.coverage >= FULL) & (hits.last - hits.first < WINDOW))
        usable &= ~act | ((hits.coverage >= FULL) & (hits.last - hits.first < ACT_WINDOW))
        dominated = np.zeros(len(hits), bool)
        strong = np.flatnonzero(full & (own | way.open) & ~drug)
        first = np.searchsorted(segment, segment[strong])  # hits are sorted by segment: pairs within one only
        pair, offset = ragged(np.searchsorted(segment, segment[strong], side="right") - first)
        outer, inner = strong[pair], first[pair] + offset
        inside = (
            (hits.first[outer] <= hits.first[inner])
            & (hits.last[outer] >= hits.last[inner])
            & (hits.matched[outer] > hits.matched[inner])
            & (concept[outer] != concept[inner])
            & ~drug[inner]
        )
        dominated[inner[inside]] = True
        in_diagnosis = reading.group[segment] == GROUPS.index("assessment")
        worth = np.where(learned, trusted, strength - 0.3 * dominated + 0.15 * in_diagnosis).astype(np.float32)
        return cls(
            reading, hits, concepts, concept, kind, status, strength, full, usable, drug, dominated, worth, trusted, unsaid,
            way.open & ~own,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Features by candidate concept, being filled in.

    concept: int32 (n,). x: float32 (n, F). use, slot: (u,), the usable hits of the candidates and their rows. plain,
    row: (p,), those of them that match words of their own (no drugs, not dominated). best: float32 (n,), strength of the
    best plain hit. witness: as in `Table`, by concept.
    """

    judged: _Judged
    concept: Ints
    x: Floats
    use: Ints
    slot: Ints
    plain: Ints
    row: Ints
    best: Floats
    category: Ints
    letter: npt.NDArray[np.int8]
    witness: Ints

    @classmethod
    def of(cls, judged: _Judged, index: TermIndex, static: Static) -> _Sheet:
        """The MAX_CONCEPTS candidates that promise most: strength, weight of the term, everyday concepts first."""
        use = np.flatnonzero(judged.usable)
        concept, slot = np.unique(judged.concept[use], return_inverse=True)
        promise = judged.strength[use] * np.log1p(index.mass[judged.hits.term[use]])
        promise = promise * np.where(judged.dominated[use], 0.5, 1.0)
        promise += 0.3 * judged.concepts.common[concept][slot] * judged.full[use]
        promise = np.where(judged.trust[use] > 0, 5 * judged.trust[use], promise)
        if len(concept) > MAX_CONCEPTS:
            most = _max_by(slot, promise, len(concept))
            kept = np.sort(np.lexsort((concept, -most))[:MAX_CONCEPTS])
            place = np.full(len(concept), -1)
            place[kept] = np.arange(MAX_CONCEPTS)
            slot = place[slot]
            use, slot, concept = use[slot >= 0], slot[slot >= 0], concept[kept]
        own_words = ~judged.drug[use] & ~judged.dominated[use]
        plain = use[own_words]
        witness = np.full((len(concept), 3), NOBODY)
        if static.company is not None:
            said = plain[judged.full[plain] & (judged.status[plain] != HISTORICAL)]
            own, first = concept, static.first[judged.concept[said]]
            concept, witness = static.company.joined(own, static.concept, said, first, judged.worth[said])
            slot = np.searchsorted(concept, own)[slot]
        row = slot[own_words]
        return cls(
            judged,
            concept,
            np.zeros((len(concept), len(FEATURES)), np.float32),
            use,
            slot,
            plain,
            row,
            _max_by(row, judged.strength[plain], len(concept)),
            static.category[concept],
            static.letter[concept],
            witness,
        )

    def put(self, name: str, values: Any) -> None:
        self.x[:, COLUMN[name]] = values

    def top(self, values: npt.NDArray[Any]) -> Floats:
        """Largest of the values (p,) of each candidate's plain hits."""
        return _max_by(self.row, values, len(self.concept))

    def leads(self, values: Floats) -> Floats:
        """By how much the best of each candidate's category exceeds it. values: (n,)."""
        order = np.lexsort((-values, self.category))
        fresh = np.r_[True, self.category[order][1:] != self.category[order][:-1]]
        ahead = np.zeros(len(values), np.float32)
        ahead[order] = values[order][np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0))]
        return ahead - values


def _how_it_matched(sheet: _Sheet, index: TermIndex) -> None:
    judged, p, n = sheet.judged, sheet.plain, len(sheet.concept)
    reading, hits = judged.reading, judged.hits
    strength, full, segment = judged.strength[p], judged.full[p], hits.segment[p]
    present = judged.status[p] != HISTORICAL
    hinge = np.maximum(0, 2 * strength - 1) * np.where(present, 1.0, 0.6)
    cell = sheet.row * len(GROUPS) + reading.group[segment]
    sheet.x[:, : len(GROUPS)] = _max_by(cell, hinge, n * len(GROUPS)).reshape(n, -1)
    said = _max_by(cell, full & present, n * len(GROUPS)).reshape(n, -1)
    sheet.x[:, len(GROUPS) : 2 * len(GROUPS)] = said
    sheet.put("match:best", sheet.best)
    sheet.put("match:square", sheet.best**2)
    sheet.put("match:by_route", sheet.top(strength * judged.opened[p]))
    sheet.put("match:cosine", sheet.top(hits.cosine[p]))
    sheet.put("match:mass", sheet.top(np.log1p(index.mass[hits.term[p]]) * (strength > 0.8) / 4))
    sheet.put("match:words", sheet.top(np.minimum(hits.matched[p], 5) * (strength > 0.9) / 5))
    headline = reading.headline[segment]
    whole = (hits.last[p] - hits.first[p] + 1) >= 0.6 * (reading.last - reading.first)[segment]
    sheet.put("match:headline", sheet.top(hinge * headline))
    sheet.put("match:headline_whole", sheet.top(full * headline * whole))
    sheet.put("match:headline_first", sheet.top(full * headline / (1 + reading.headline_rank[segment])))
    sheet.put("match:title_start", sheet.top(full * (hits.first[p] <= reading.first[segment] + 1)))
    places = np.unique(sheet.row[full].astype(np.int64) * max(1, len(reading.status)) + segment[full])
    sheet.put("match:repeated", np.log1p(np.bincount(places // max(1, len(reading.status)), minlength=n)))
    sheet.put("match:sections", (said > 0).sum(1) / 3)


def _which_kind_of_term(sheet: _Sheet) -> None:
    judged, n = sheet.judged, len(sheet.concept)
    whole = judged.full[sheet.use] & ~judged.dominated[sheet.use]
    for k, name in enumerate(KINDS):
        of_kind = judged.kind[sheet.use] == k
        sheet.put(f"kind:{name}", _max_by(sheet.slot[of_kind], whole[of_kind], n))
    listed = judged.reading.group[judged.hits.segment[sheet.use]] == GROUPS.index("medications")
    drug = judged.drug[sheet.use]
    sheet.put("kind:drug_in_list", _max_by(sheet.slot[drug], (judged.full[sheet.use] & listed)[drug], n))
    common = judged.concepts.common[sheet.concept]
    sheet.put("kind:common", common / 3)
    sheet.put("kind:everyday", common == 3)


def _what_speaks_against(sheet: _Sheet, index: TermIndex) -> None:
    judged, p, best, n = sheet.judged, sheet.plain, sheet.best, len(sheet.concept)
    hits, strength = judged.hits, judged.strength
    row_of = np.full(len(judged.concepts.route), -1, np.int64)
    row_of[sheet.concept] = np.arange(n)
    row = row_of[judged.concept]

    def strongest(status: int) -> Floats:
        chosen = (judged.status == status) & ~judged.drug & ~judged.opened & (row >= 0)
        return _max_by(row[chosen], strength[chosen], n)

    negative = strongest(NEGATED)
    sheet.put("against:negated", negative)
    sheet.put("against:negated_only_stronger", negative > best + 0.05)
    sheet.put("against:uncertain_too", strongest(UNCERTAIN))
    whole = sheet.top(strength[p] * (judged.unsaid[p] == 0))
    sheet.put("against:unsaid_qualifier", (best > 0) & (whole < best - 0.02))
    sheet.put("against:unsaid_share", best - sheet.top(strength[p] - 2 * judged.unsaid[p]))
    present = sheet.top(strength[p] * (judged.status[p] != HISTORICAL))
    sheet.put("against:historical_only", (best > 0) & (present < best - 0.2))
    sheet.put("against:dominated", (best == 0) & (_max_by(sheet.slot, ~judged.drug[sheet.use], n) > 0))
    sheet.put("against:rival_in_category", sheet.leads(best))
    sheet.put("against:rival_is_fuller", sheet.leads(np.log1p(sheet.top(hits.coverage[p] * index.mass[hits.term[p]]))))
    if not len(p):
        return
    # how many hits claim the very words of a candidate's best one, and how much better the best of them is
    size = np.int64(len(judged.reading.words) + 1)  # (segment, first, last) as one number
    words = (hits.segment[p] * size + hits.first[p]) * size + hits.last[p]
    _, which, crowd = np.unique(words, return_inverse=True, return_counts=True)
    best_claim = _max_by(which, strength[p], len(crowd))
    order = np.lexsort((-strength[p], sheet.row))
    lead = order[np.r_[True, sheet.row[order][1:] != sheet.row[order][:-1]]]
    sheet.x[sheet.row[lead], COLUMN["against:crowd"]] = np.log(crowd[which[lead]])
    sheet.x[sheet.row[lead], COLUMN["against:shared_words"]] = best_claim[which[lead]] - strength[p][lead]


def _what_the_code_is(sheet: _Sheet, index: TermIndex, static: Static) -> Floats:
    """Returns how the sides said near words of each concept's title divide, float32 (n, sides)."""
    judged, concepts, n = sheet.judged, sheet.judged.concepts, len(sheet.concept)
    ids = sheet.concept
    sheet.put("code:other", concepts.other[ids])
    sheet.put("code:unspecified", concepts.vague[ids])
    sheet.put("code:personal_history", concepts.route[ids] == 2)
    sheet.put("code:family_history", concepts.route[ids] == 1)
    title = static.title_term[ids]
    safe = np.maximum(title, 0)
    count = index.size[safe]
    row, offset = ragged(count)
    forms = index.forms[index.indptr[safe][row] + offset]
    said = np.bincount(row, index.idf[forms] ** 2 * judged.reading.affirmed_form(forms), minlength=n)
    sheet.put("match:title_in_note", np.where(title >= 0, said / index.mass[safe], 0))
    sheet.put("against:rival_title", sheet.leads(sheet.x[:, COLUMN["match:title_in_note"]]))
    sheet.put("code:words", np.minimum(count, 12) / 12)
    sheet.x[np.arange(n), COLUMN["chapter:A"] + sheet.letter] = 1
    symptom, status = sheet.letter == _LETTERS.index("R"), sheet.letter == _LETTERS.index("Z")
    headlined = sheet.x[:, COLUMN["match:headline_whole"]] > 0
    definite = ((sheet.best > 0.95) & headlined & ~symptom & ~status).any()
    sheet.put("code:symptom_with_diagnosis", symptom * float(definite))  # I.B.5, FY2026
    if not static.sided:
        return np.zeros((n, len(SIDES)), np.float32)
    weight = index.idf[forms] ** 2 / index.mass[safe][row]
    return site_sides(judged.reading, row, forms, weight, n)


def _who_provided_it(sheet: _Sheet, drug: Bools) -> None:
    """Cues of giving, ordering, taking at home and refusing around the matches."""
    judged, p = sheet.judged, sheet.plain
    words, hits = judged.reading.words, judged.hits
    care = read_care(judged.reading.text)
    near = care.near(words.start[hits.first[p]], words.end[hits.last[p]])
    first = COLUMN[CARE_FEATURES[0]]
    own = care_features(near, sheet.row, judged.strength[p], drug[sheet.concept])
    sheet.x[:, first : first + len(CARE_FEATURES)] = own


def _spoken(sheet: _Sheet) -> pcs.Spoken:
    judged, use = sheet.judged, sheet.use
    strength = np.where(judged.trust[use] > 0, judged.trust[use], judged.strength[use])
    whole = judged.full[use] & ~judged.drug[use]
    hits = judged.hits
    return pcs.Spoken(
        sheet.slot,
        hits.term[use],
        hits.segment[use],
        strength,
        whole,
        hits.matched[use],
        judged.kind[use] == KINDS.index("act"),
        hits.first[use],
        hits.last[use],
    )


def _what_was_learned(sheet: _Sheet) -> None:
    """The best of the learned terms said, and all of them as independent witnesses (each form set counts once)."""
    judged, n = sheet.judged, len(sheet.concept)
    trust = judged.trust[sheet.use]
    own = np.flatnonzero(trust > 0)
    if not len(own):
        return
    best = _max_by(sheet.slot[own], trust[own], n)
    sheet.put("learned:term", best)
    once = np.unique(judged.hits.term[sheet.use[own]], return_index=True)[1]  # a term belongs to one concept
    doubt = -np.log1p(-np.minimum(trust[own][once], 0.95))
    sheet.put("learned:terms", np.minimum(np.bincount(sheet.slot[own][once], doubt, minlength=n), 6) / 3)
    headline = judged.reading.headline[judged.hits.segment[sheet.use[own]]]
    sheet.put("learned:term_in_headline", _max_by(sheet.slot[own], trust[own] * headline, n))
    sheet.put("learned:term_and_match", best * sheet.best)


def _codes(
    sheet: _Sheet, index: TermIndex, static: Static, learned: Learned, allowed: Bools, site: Floats, axes: Axes | None,
    claimed: Claims | None,
) -> Table:  # fmt: skip
    """From concepts to codes: the sides the note speaks of, and the encounter its words point to."""
    judged, ids = sheet.judged, sheet.concept
    reading, concepts = judged.reading, judged.concepts
    start, stop = concepts.member_indptr[ids], concepts.member_indptr[ids + 1]
    row, offset = ragged(stop - start)
    at = start[row] + offset
    code, side, extension = concepts.member[at], concepts.side[at], concepts.extension[at]
    weight = np.ones(len(sheet.plain), np.float32)
    if axes is not None:  # the side that was operated on, not the one of last year
        weight = pcs.side_weight(reading, judged.hits.segment[sheet.plain])
    beside = np.zeros((len(ids), len(SIDES)), np.float32)
    if static.sided:
        p = sheet.plain
        beside = sides_beside(reading, judged.hits, p, judged.strength[p] * weight, sheet.row, len(ids))
    has_both = np.zeros(len(ids), bool)
    has_both[row[side == BILATERAL]] = True
    # without a bilateral code both sides are coded (I.B.13, FY2026)
    beside[:, 1:3] = np.maximum(beside[:, 1:3], np.where(has_both, 0, beside[:, BILATERAL])[:, None])
    if axes is not None:
        alone = beside.max(1) == 0
        beside[alone] = pcs.side_of_note(reading)
    both = (beside[:, 1] > 0) & (beside[:, 2] > 0)
    said = (beside[row, side] > 0) | (site[row, side] > 0) | (side == 0) | (side == UNSPECIFIED)
    said |= (side == BILATERAL) & both[row]
    heard = np.zeros(len(ids), bool)
    heard[row[said & (side > 0)]] = True
    if axes is not None:  # ICD-10-PCS has no code for an unspecified side: without a word of it, each may be meant
        said |= ~heard[row]
    fits = said & reading.extension_fits(extension)
    keep = allowed[code] & (fits if claimed is None else fits | np.isin(code, claimed.code))
    row, code, side, extension = row[keep], code[keep], side[keep], extension[keep]
    columns: dict[str, Floats] = {}
    if axes is not None:
        keep, columns = pcs.choose(axes, reading, index.idf, _spoken(sheet), row, code, side, ~heard[row] & (side > 0))
        columns["side:lesser"] = pcs.lesser_side(beside + site, row, side)
        row, code, side, extension = row[keep], code[keep], side[keep], extension[keep]
    x = sheet.x[row]
    for name, values in columns.items():
        x[:, COLUMN[name]] = values[keep]

    def put(name: str, values: Any) -> None:
        x[:, COLUMN[name]] = values

    sided, open_side = (side > 0) & (side < UNSPECIFIED), side == UNSPECIFIED
    put("side:local", np.where(sided, beside[row, side], 0))
    put("side:other_local", np.where(sided, beside[:, 1:4].sum(1)[row] - beside[row, side], 0))
    put("side:site", np.where(sided, site[row, side], 0))
    put("side:other_site", np.where(sided, site.sum(1)[row] - site[row, side], 0))
    put("side:unspecified", open_side)
    put("side:unspecified_though_said", np.where(open_side, beside[:, 1:4].max(1)[row] + site[:, 1:4].max(1)[row], 0))
    put("side:bilateral", side == BILATERAL)
    initial = (extension >= ord("A")) & (extension <= ord("C"))  # I.C.19.a, FY2026
    later = (extension >= ord("D")) & (extension < ord("S"))
    put("encounter:initial", initial)
    put("encounter:initial_in_follow_up", initial * float(reading.follow_up))
    put("encounter:subsequent", later)
    put("encounter:subsequent_in_follow_up", later * float(reading.follow_up))
    put("encounter:sequela", extension == ord("S"))
    put("encounter:other", (extension > 0) & (extension < ord("A")))
    if (
        static.trimester is not None
        and (part := static.trimester[code]).any()
        and (now := trimester_of(reading.text)) != NONE
    ):
        put("code:trimester", part == now)
        put("code:other_trimester", (part != now) & (part != NONE) & (part != OPEN))
        put("code:unspecified_trimester", part == OPEN)
    put("code:length", static.code_length[code] / 7)
    put("learned:code_prior", learned.code_prior[code])
    put("learned:category_prior", learned.category_prior[sheet.category[row]])
    put("learned:mention_prior", learned.mention_prior[code])
    if len(learned.concept_prior):
        put("learned:operation_prior", learned.concept_prior[ids][row])
    association = learned.associate(reading)
    if association is not None:
        own = association[code]
        put("learned:association", own)
        put("learned:association_best", (own >= _max_by(row, own, len(ids))[row]) & (own > 0))
    if claimed is not None:
        x[:, COLUMN[f"marked:{MARKED[0]}"] :][:, : len(MARKED)] = claimed.of(code, x[:, COLUMN["match:best"]])
    lead = np.full(len(ids), -1, np.int32)
    order = np.lexsort((np.arange(len(sheet.use)), -judged.worth[sheet.use], sheet.slot))[::-1]
    lead[sheet.slot[order]] = sheet.use[order]
    lead = np.where(lead < 0, sheet.witness[:, 0], lead).astype(np.int32)
    put("match:lab_value", reading.derived[judged.hits.segment[lead]][row])
    behind, share = longest(judged.hits, lead)
    put("against:longer", behind[row])
    put("against:longest_share", share[row])
    put("note:segments", np.log1p(len(reading.first)) / 3)
    put("note:headlines", np.log1p(int(reading.headline.sum())))
    if static.company is not None and reading.document_type == pcs.REPORT:  # diagnoses
        put(REPORT_FEATURES[0], 1)
        x[:, COLUMN[REPORT_FEATURES[1]] :][:, : len(REPORTED)] = x[:, [COLUMN[name] for name in REPORTED]]
    return Table(
        code=code.astype(np.int32),
        concept=ids[row].astype(np.int32),
        category=sheet.category[row],
        x=x,
        lead=lead[row],
        usable=judged.usable,
        worth=judged.worth,
        witness=sheet.witness[row],
        company=static.company,
    )
