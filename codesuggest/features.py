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

from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import KINDS, SIDES, Concepts
from codesuggest.learned import Learned
from codesuggest.note import GROUPS, Reading
from codesuggest.retrieve import Hits, TermIndex

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

MAX_CONCEPTS = 300  #: candidates kept a note before codes are chosen; the evaluation sets need at most 200 codes
FULL = 0.995  #: coverage from which a term counts as wholly said
TIGHT = 0.5  #: compactness from which its words count as said together

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
    # filled in by `rivals`, from a first ranking without them
    "rival:same_words",
    "rival:same_category",
    "rival:same_concept",
    "rival:same_words_and_category",
    "rival:place",
)
COLUMN = {name: i for i, name in enumerate(FEATURES)}


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of one note in one system, sorted by concept and code.

    code, concept: int32 (n,). x: float32 (n, F). lead: int32 (n,), the hit each rests on most.
    category: int32 (n,), dense id of the three-character category.
    usable: bool (h,), hits that may be evidence. strength: float32 (h,). dominated: bool (h,), inside a longer full match.
    """

    code: Ints
    x: Floats
    concept: Ints
    usable: npt.NDArray[np.bool_]
    strength: Floats
    dominated: npt.NDArray[np.bool_]
    lead: Ints
    category: Ints

    def evidence_of(self, row: int, hits: Hits, term_concept: Ints) -> npt.NDArray[np.int64]:
        """Hits that speak for a candidate: not much weaker than its best one, strongest and then first in the note."""
        own = np.flatnonzero(self.usable & (term_concept[hits.term] == self.concept[row]))
        if not len(own):
            return own
        worth = self.strength[own] - 0.3 * self.dominated[own]
        own, worth = own[worth >= 0.7 * worth.max()], worth[worth >= 0.7 * worth.max()]
        return np.asarray(own[np.lexsort((hits.first[own], -np.round(worth, 2)))])


@dataclass(frozen=True, slots=True)
class Static:
    """What of a code system the features need, computed once at load.

    By concept (c,): category int32, dense id of the three-character category; letter int8, number of the first
    character; title_term int32, the concept's title, -1 if none. By code (k,): code_length int8.
    """

    category: Ints
    letter: npt.NDArray[np.int8]
    title_term: Ints
    code_length: npt.NDArray[np.int8]

    @classmethod
    def of(cls, system: CodeSystem, concepts: Concepts) -> Static:
        first = concepts.member[concepts.member_indptr[:-1]]
        codes = np.asarray(system.codes)
        category = np.unique(codes.astype("S3"), return_inverse=True)[1].astype(np.int32)
        raw = codes.view(np.uint8).reshape(len(codes), -1)[:, 0]
        letter = np.where(raw >= 65, raw - 65, raw - 48).astype(np.int8)
        title = np.full(len(first), -1, np.int32)
        terms = np.flatnonzero(concepts.term_kind == 0)[::-1]
        title[concepts.term_concept[terms]] = terms
        return cls(category[first], letter[first], title, np.char.str_len(codes).astype(np.int8))


def _max_by(keys: npt.NDArray[Any], values: npt.NDArray[Any], size: int) -> Floats:
    out = np.zeros(size, np.float32)
    np.maximum.at(out, keys, values)
    return out


def features(
    reading: Reading,
    hits: Hits,
    concepts: Concepts,
    index: TermIndex,
    static: Static,
    learned: Learned,
    *,
    inpatient: bool,
    allowed: npt.NDArray[np.bool_],
) -> Table:
    """Candidates with their features. allowed: bool (k,), codes that may be suggested: billable and valid on the day."""
    association = learned.associate(reading)
    seg = hits.segment
    status = reading.status[seg]
    concept_of_hit = concepts.term_concept[hits.term]
    kind = concepts.term_kind[hits.term]
    route = concepts.route[concept_of_hit]
    drug = kind == KINDS.index("drug")
    strength = (hits.coverage * np.sqrt(np.sqrt(hits.compact))).astype(np.float32)
    own = (status == 0) | (status == 4) | ((status == 2) & inpatient)
    usable = np.where(route == 1, (status == 3) | ((status == 0) & reading.says_family[seg]), own)
    usable &= (hits.coverage >= 0.6) | (strength >= 0.5)
    full = (hits.coverage >= FULL) & (hits.compact >= TIGHT)

    # a match inside a longer full match says nothing of its own: "pain" in "knee pain"
    dominated = np.zeros(len(hits), bool)
    strong = np.flatnonzero(full & own & ~drug)
    if len(strong):
        inside = (
            (seg[strong][:, None] == seg[None, :])
            & (hits.first[strong][:, None] <= hits.first[None, :])
            & (hits.last[strong][:, None] >= hits.last[None, :])
            & (hits.matched[strong][:, None] > hits.matched[None, :])
            & (concept_of_hit[strong][:, None] != concept_of_hit[None, :])
        )
        dominated = inside.any(0) & ~drug

    ids, slot = np.unique(concept_of_hit[usable], return_inverse=True)
    none = np.zeros(0, np.int32)
    empty = Table(none, np.zeros((0, len(FEATURES)), np.float32), none, usable, strength, dominated, none, none)
    if not len(ids):
        return empty
    u = np.flatnonzero(usable)
    worth = (
        strength[u] * np.log1p(index.mass[hits.term[u]]) * np.where(dominated[u], 0.5, 1.0)
        + 0.3 * concepts.common[ids][slot] * full[u]
    )
    by_worth = _max_by(slot, worth, len(ids))
    if len(ids) > MAX_CONCEPTS:
        kept = np.sort(np.lexsort((ids, -by_worth))[:MAX_CONCEPTS])
        place = np.full(len(ids), -1)
        place[kept] = np.arange(len(kept))
        slot = place[slot]
        u, slot = u[slot >= 0], slot[slot >= 0]
        ids = ids[kept]
    n = len(ids)
    cx = np.zeros((n, len(FEATURES)), np.float32)

    def put(name: str, values: Any) -> None:
        cx[:, COLUMN[name]] = values

    plain = ~drug[u] & ~dominated[u]
    p, ps = u[plain], slot[plain]
    sp = strength[p]
    present = status[p] != 4
    hinge = np.maximum(0, 2 * sp - 1) * np.where(present, 1.0, 0.6)
    group = reading.group[seg[p]]
    flat = ps * len(GROUPS) + group
    cx[:, : len(GROUPS)] = _max_by(flat, hinge, n * len(GROUPS)).reshape(n, -1)
    cx[:, len(GROUPS) : 2 * len(GROUPS)] = _max_by(flat, full[p] & present, n * len(GROUPS)).reshape(n, -1)
    best = _max_by(ps, sp, n)
    put("match:best", best)
    put("match:square", best**2)
    put("match:cosine", _max_by(ps, hits.cosine[p], n))
    put("match:mass", _max_by(ps, np.log1p(index.mass[hits.term[p]]) * (sp > 0.8) / 4, n))
    put("match:words", _max_by(ps, np.minimum(hits.matched[p], 5) * (sp > 0.9) / 5, n))
    length = (reading.last - reading.first)[seg[p]]
    headline = reading.headline[seg[p]]
    put("match:headline", _max_by(ps, hinge * headline, n))
    whole = (hits.last[p] - hits.first[p] + 1) >= 0.6 * length
    put("match:headline_whole", _max_by(ps, full[p] * headline * whole, n))
    put("match:headline_first", _max_by(ps, full[p] * headline / (1 + reading.headline_rank[seg[p]]), n))
    put("match:title_start", _max_by(ps, full[p] * (hits.first[p] <= reading.first[seg[p]] + 1), n))
    distinct = np.zeros((n, max(1, len(reading.status))), bool)
    distinct[ps[full[p]], seg[p][full[p]]] = True
    put("match:repeated", np.log1p(distinct.sum(1)))
    put("match:sections", (cx[:, len(GROUPS) : 2 * len(GROUPS)] > 0).sum(1) / 3)
    for k, name in enumerate(KINDS):
        chosen = kind[u] == k
        put(f"kind:{name}", _max_by(slot[chosen], full[u[chosen]] & (~dominated[u[chosen]]), n))
    drug_hits = drug[u]
    put(
        "kind:drug_in_list",
        _max_by(
            slot[drug_hits], full[u[drug_hits]] & (reading.group[seg[u[drug_hits]]] == GROUPS.index("medications")), n
        ),
    )
    common = concepts.common[ids]
    put("kind:common", common / 3)
    put("kind:everyday", common == 3)

    negated = (status == 1) & ~drug
    back = np.full(len(concepts.route), -1, np.int64)
    back[ids] = np.arange(n)
    nslot = back[concept_of_hit]
    neg = negated & (nslot >= 0)
    negative = _max_by(nslot[neg], strength[neg], n)
    put("against:negated", negative)
    put("against:negated_only_stronger", negative > best + 0.05)
    present_best = _max_by(ps[present], sp[present], n)
    put("against:historical_only", (best > 0) & (present_best < best - 0.2))
    unsure = (status == 2) & (nslot >= 0) & ~drug
    put("against:uncertain_too", _max_by(nslot[unsure], strength[unsure], n))
    put("against:dominated", (best == 0) & (_max_by(slot, ~drug[u], n) > 0))
    category = static.category[ids]
    order = np.lexsort((-best, category))
    leader = np.zeros(n, np.float32)
    firsts = np.r_[True, category[order][1:] != category[order][:-1]]
    top = best[order][np.maximum.accumulate(np.where(firsts, np.arange(n), 0))]
    leader[order] = top
    put("against:rival_in_category", leader - best)
    mass = _max_by(ps, hits.coverage[p] * index.mass[hits.term[p]], n)
    massive = np.zeros(n, np.float32)
    o2 = np.lexsort((-mass, category))
    massive[o2] = mass[o2][np.maximum.accumulate(np.where(firsts, np.arange(n), 0))]
    put("against:rival_is_fuller", np.log1p(massive) - np.log1p(mass))

    put("code:other", concepts.other[ids])
    put("code:unspecified", concepts.vague[ids])
    put("code:personal_history", concepts.route[ids] == 2)
    put("code:family_history", concepts.route[ids] == 1)
    title = static.title_term[ids]
    has_title = title >= 0
    safe = np.where(has_title, title, 0)
    count = index.size[safe]
    row = np.repeat(np.arange(n), count)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    forms = index.forms[index.indptr[safe][row] + offset]
    weight = index.idf[forms] ** 2
    said = np.bincount(row, weight * reading.affirmed_form(forms), minlength=n)
    put("match:title_in_note", np.where(has_title, said / index.mass[safe], 0))
    put("code:words", np.minimum(count, 12) / 12)
    letter = static.letter[ids]
    cx[np.arange(n), COLUMN["chapter:A"] + letter] = 1
    definite = ((best > 0.95) & (cx[:, COLUMN["match:headline_whole"]] > 0) & (letter != 17) & (letter != 25)).any()
    put("code:symptom_with_diagnosis", (letter == 17) * float(definite))
    # how many other concepts claim the very same words
    if len(p):
        place = seg[p].astype(np.int64) * 100_003 + hits.first[p] * 331 + hits.last[p]
        _, which, crowd = np.unique(place, return_inverse=True, return_counts=True)
        top_hit = np.lexsort((np.arange(len(p)), -sp, ps))
        lead = top_hit[np.r_[True, ps[top_hit][1:] != ps[top_hit][:-1]]]
        column = np.zeros(n, np.float32)
        column[ps[lead]] = np.log(crowd[which[lead]])
        put("against:crowd", column)
        better = np.zeros(crowd.shape, np.float32)
        np.maximum.at(better, which, sp)
        column = np.zeros(n, np.float32)
        column[ps[lead]] = better[which[lead]] - sp[lead]
        put("against:shared_words", column)

    lead_hit = np.full(n, -1, np.int32)
    everything = np.lexsort((np.arange(len(u)), -(strength[u] - 0.3 * dominated[u]), slot))
    lead_hit[slot[everything[::-1]]] = u[everything[::-1]]
    site = _site_sides(reading, row, forms, n, len(index.idf))
    judged = (usable, strength, dominated)
    return _members(
        reading, hits, concepts, static, learned, ids, cx, p, ps, allowed, association, judged, lead_hit, site
    )


def _site_sides(reading: Reading, row: npt.NDArray[Any], forms: Ints, n: int, n_forms: int) -> Floats:
    """How the side words near a word of a concept's title divide among the sides: float32 (n, sides), rows sum to 0 or 1.

    row, forms: the title forms of each concept. Near is within three words: "right" in "right distal radius" is no side
    of the knee.
    """
    out = np.zeros((n, len(SIDES)), np.float32)
    k = len(reading.side_word)
    if not k or not n:
        return out
    near = np.zeros((k, n_forms), bool)
    low = np.searchsorted(reading.word, reading.side_word - 3)
    high = np.searchsorted(reading.word, reading.side_word + 3, side="right")
    for i in range(k):
        around = slice(low[i], high[i])
        same = reading.segment_of_word[reading.word[around]] == reading.segment_of_word[reading.side_word[i]]
        near[i, reading.form[around][same]] = True
    for i in range(k):
        out[np.unique(row[near[i, forms]]), reading.side[i]] += 1
    return np.asarray(out / np.maximum(1, out.sum(1, keepdims=True)), np.float32)


def _members(
    reading: Reading,
    hits: Hits,
    concepts: Concepts,
    static: Static,
    learned: Learned,
    ids: Ints,
    cx: Floats,
    p: Ints,
    ps: Ints,
    allowed: npt.NDArray[np.bool_],
    association: Floats | None,
    judged: tuple[npt.NDArray[np.bool_], Floats, npt.NDArray[np.bool_]],
    lead_hit: Ints,
    site: Floats,
) -> Table:
    """From concepts to codes: the sides the note speaks of, and the encounter its words point to."""
    n = len(ids)
    local = np.zeros((n, len(SIDES)), np.float32)
    if len(reading.side_word) and len(p):
        near = np.searchsorted(reading.side_word, hits.first[p])
        for step in (-2, -1, 0, 1):
            j = near + step
            ok = (j >= 0) & (j < len(reading.side_word))
            j = np.where(ok, j, 0)
            w = reading.side_word[j]
            ok &= reading.segment_of_word[w] == hits.segment[p]
            gap = np.maximum(0, np.maximum(hits.first[p] - w, w - hits.last[p]))
            score = judged[1][p] * np.where(gap <= 2, 1.0, np.where(gap <= 6, 0.7, 0.4))
            np.maximum.at(local, (ps[ok], reading.side[j][ok]), score[ok])
    start, stop = concepts.member_indptr[ids], concepts.member_indptr[ids + 1]
    size = stop - start
    row = np.repeat(np.arange(n), size)
    at = np.repeat(start, size) + np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    code, side, extension = concepts.member[at], concepts.side[at], concepts.extension[at]
    keep = allowed[code]
    both = (local[:, 1] > 0) & (local[:, 2] > 0)
    has_both = np.zeros(n, bool)
    has_both[row[side == 3]] = True
    # without a bilateral code both sides are coded (I.B.13)
    local[:, 1:3] = np.maximum(local[:, 1:3], np.where(has_both, 0, local[:, 3])[:, None])
    said = (local[row, side] > 0) | (site[row, side] > 0) | (side == 0) | (side == 4) | ((side == 3) & both[row])
    keep &= said & reading.extension_fits(extension)
    row, code, side, extension = row[keep], code[keep], side[keep], extension[keep]
    x = cx[row]

    def put(name: str, values: Any) -> None:
        x[:, COLUMN[name]] = values

    right_left = (side >= 1) & (side <= 3)
    others = local[:, 1:4].sum(1)[row] - np.where(right_left, local[row, side], 0)
    put("side:local", np.where(right_left, local[row, side], 0))
    put("side:site", np.where(right_left, site[row, side], 0))
    put("side:other_site", np.where(right_left, site.sum(1)[row] - site[row, side], 0))
    put("side:other_local", np.where(right_left, others, 0))
    put("side:unspecified", side == 4)
    put("side:unspecified_though_said", np.where(side == 4, local[:, 1:4].max(1)[row] + site[:, 1:4].max(1)[row], 0))
    put("side:bilateral", side == 3)
    initial, later = np.isin(extension, (65, 66, 67)), np.isin(extension, tuple(range(68, 83)))
    put("encounter:initial", initial)
    put("encounter:initial_in_follow_up", initial * float(reading.follow_up))
    put("encounter:subsequent", later)
    put("encounter:subsequent_in_follow_up", later * float(reading.follow_up))
    put("encounter:sequela", extension == 83)
    put("encounter:other", (extension > 0) & (extension < 65))
    put("code:length", static.code_length[code] / 7)
    put("learned:code_prior", learned.code_prior[code])
    put("learned:category_prior", learned.category_prior[static.category[ids[row]]])
    put("learned:mention_prior", learned.mention_prior[code])
    if association is not None:
        put("learned:association", association[code])
        top = _max_by(row, association[code], n)[row]
        put("learned:association_best", (association[code] >= top) & (association[code] > 0))
    return Table(code.astype(np.int32), x, ids[row].astype(np.int32), *judged, lead_hit[row], static.category[ids[row]])


RIVALS = 100  #: a candidate is held only against so many that rank best


def rivals(table: Table, hits: Hits, score: npt.NDArray[np.float64]) -> None:
    """Fill the rival features of the table from a first ranking: who of the better ones claims the same words.

    Two codes of one category for one phrase are seldom both billed: the second needs words of its own. A rival's weight
    is its probability by the first ranking, 1 / (1 + exp(-score)); a feature is the largest among better candidates.
    """
    n = len(table.code)
    if not n:
        return
    order = np.lexsort((table.code, -score))
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    top = order[:RIVALS]
    weight = np.where(place[top][None, :] < place[:, None], 1 / (1 + np.exp(-np.clip(score[top], -30, 30)))[None, :], 0)
    segment, first, last = hits.segment[table.lead], hits.first[table.lead], hits.last[table.lead]
    words = (
        (segment[:, None] == segment[top][None, :])
        & (first[:, None] <= last[top][None, :])
        & (first[top][None, :] <= last[:, None])
    )
    category = table.category[:, None] == table.category[top][None, :]
    concept = table.concept[:, None] == table.concept[top][None, :]
    for name, same in (
        ("same_words", words),
        ("same_category", category),
        ("same_concept", concept),
        ("same_words_and_category", words & category),
    ):
        table.x[:, COLUMN[f"rival:{name}"]] = (weight * same).max(1)
    table.x[:, COLUMN["rival:place"]] = np.log1p(place)
