"""Named features of (note, code) pairs, of the candidates of one note or of a few in one row (`row.py`).

They are of seven kinds: how well and where a term matched (by group of sections), what kind of term it was, what the
note says against it (negated, dominated by a longer match, a rival in the same category), side and encounter, what the
code is (chapter, other, unspecified), what coded documents taught (priors, associations), and who of the better ranked
claims the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest import axes as pcs
from codesuggest.care import CARE_FEATURES, care_features, read_care
from codesuggest.company import IMPLIED_FEATURES, Company, implied_features
from codesuggest.concepts import KINDS, SIDES
from codesuggest.judged import ASSESSMENT, Judged
from codesuggest.learned import Learned
from codesuggest.marked import MARKED, Claims
from codesuggest.note import GROUPS, HISTORICAL, NEGATED, UNCERTAIN
from codesuggest.places import PLACE_FEATURES, place_features
from codesuggest.procedures import Axes
from codesuggest.regimen import REGIMEN_FEATURES, regimen_features
from codesuggest.retrieve import TermIndex, distinct, found_in, longest, ragged
from codesuggest.rivalry import BY_MARKS, by_marks
from codesuggest.seventh import ENCOUNTER_FEATURES, encounter_features, extension_fits
from codesuggest.sheet import COLUMN, FEATURES, LETTERS, MAX_CONCEPTS, OF_POLICY, Sheet, max_by, told_apart
from codesuggest.sides import sides_beside, site_sides
from codesuggest.static import Static
from codesuggest.trimesters import NONE, OPEN, trimester_of

__all__ = ["COLUMN", "FEATURES", "MAX_CONCEPTS", "OF_POLICY", "Table", "features"]

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_MEDICATIONS = GROUPS.index("medications")
_DRUG = KINDS.index("drug")
BILATERAL, UNSPECIFIED = SIDES.index("bilateral"), SIDES.index("unspecified")
_TITLES = [COLUMN[f"kind:{kind}"] for kind in ("title", "trimmed", "header")]
_NAMES = [COLUMN[f"kind:{kind}"] for kind in ("inclusion", "idiom", "abbreviation")]


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of one note in one system, sorted by concept and code; or of a few notes, one after the other.

    note, code, concept, category: intp (n,), place of the note in its row, position of the code, its concept, dense id of its
    three-character category.
    x: float32 (n, F). lead: intp (n,), the hit each rests on most. usable: bool (h,), hits that may be evidence.
    worth: float32 (h,), how much a hit says as evidence. witness: int64 (n, 3), hits of the diagnoses that add up to it, NOBODY if
    none. company: the tables of facts, where the system has any.
    """

    note: Ints
    code: Ints
    concept: Ints
    category: Ints
    x: Floats
    lead: Ints
    usable: Bools
    worth: Floats
    witness: Ints
    company: Company | None = None

    def undocumented(self, rows: Ints) -> list[tuple[str, ...]]:
        """Of each row the axes of an ICD-10-PCS code whose value the note does not tell, () in any other system."""
        return [tuple(compress(pcs.OPEN, told)) for told in self.x[rows[:, None], _LEFT_OPEN].tolist()]


_LEFT_OPEN = [COLUMN[f"axis:{axis}_open"] for axis in pcs.OPEN]


def features(
    judged: Judged,
    index: TermIndex,
    static: Static,
    learned: Learned,
    *,
    allowed: Bools,
    axes: Axes | None = None,
    claimed: Claims | None = None,
) -> Table:
    """Candidates with their features. allowed: bool (k,), codes that may be suggested: billable and valid on the day.
    axes: of ICD-10-PCS, whose members are chosen by them. claimed: what the mention dictionary says of the note. With either of
    them judged is of one note, otherwise of one or a few.

    The rival features are left at 0 for `rivals`.
    """
    sheet = Sheet.of(judged, index, static)
    if not len(sheet.concept):
        none = np.zeros(0, np.intp)
        return Table(none, none, none, none, sheet.x, none, judged.usable, judged.worth, sheet.witness)
    _how_it_matched(sheet, index)
    _which_kind_of_term(sheet)
    if static.company is not None:
        _whether_it_is_taken(sheet)
    _what_speaks_against(sheet, index)
    site = _what_the_code_is(sheet, index, static)
    if static.drug is not None and len(sheet.plain):
        _who_provided_it(sheet, static.drug)
    _what_was_learned(sheet)
    if (sheet.witness >= 0).any():
        in_diagnosis = judged.reading.group.take(judged.hits.segment) == ASSESSMENT
        row, implied = implied_features(sheet.witness, judged.worth, in_diagnosis, sheet.best)
        at = COLUMN[IMPLIED_FEATURES[0]]
        sheet.x[row, at : at + len(IMPLIED_FEATURES)] = implied
    return _codes(sheet, index, static, learned, allowed, site, axes, claimed)


def _best_of(row: Ints, values: Floats, n: int) -> Ints:
    """Of each row with any, the place of its largest value, the first of equal ones: (n,), -1 for the others. values: not negative
    infinity."""
    most = np.full(n, -np.inf, np.float32)
    np.maximum.at(most, row, values)
    leading = (values == most.take(row)).nonzero()[0][::-1]  # written last, the first stays
    out = np.full(n, -1, np.int64)
    out[row.take(leading)] = leading
    return out


_EACH_GROUP = np.ones(len(GROUPS))
_OF_PRESENT = np.array([0.6, 1.0])  #: how much a match of the past counts, and any other


def _how_it_matched(sheet: Sheet, index: TermIndex) -> None:
    judged, p, n = sheet.judged, sheet.plain, len(sheet.concept)
    reading, hits = judged.reading, judged.hits
    strength, full, segment = judged.strength.take(p), judged.full.take(p), hits.segment.take(p)
    first, last = hits.first.take(p), hits.last.take(p)
    present = judged.status.take(p) != HISTORICAL
    hinge = np.maximum(0, 2 * strength - 1) * _OF_PRESENT.take(present)
    cell = sheet.row * len(GROUPS) + reading.group.take(segment)
    sheet.x[:, : len(GROUPS)] = max_by(cell, hinge, n * len(GROUPS)).reshape(n, -1)
    said = max_by(cell, full & present, n * len(GROUPS)).reshape(n, -1)
    sheet.x[:, len(GROUPS) : 2 * len(GROUPS)] = said
    sheet.put("match:best", sheet.best)
    sheet.put("match:square", sheet.best**2)
    headline = reading.headline.take(segment)
    whole = (last - first + 1) >= 0.6 * (reading.last - reading.first).take(segment)
    headed = full & headline
    stated = np.zeros(len(reading.first), bool)
    stated[reading.segment_of_word[[word for _, word, _ in reading.stated]]] = True
    sheet.put_top(
        {
            "match:by_route": strength * judged.opened.take(p),
            "match:cosine": hits.cosine.take(p),
            "match:mass": np.log1p(index.mass.take(hits.term.take(p))) * (strength > 0.8) / 4,
            "match:stated": hits.compact.take(p) * stated.take(segment),
            "match:words": np.minimum(hits.matched.take(p), 5) * (strength > 0.9) / 5,
            "match:headline": hinge * headline,
            "match:headline_whole": headed & whole,
            "match:headline_first": headed / (1 + reading.headline_rank.take(segment)),
            "match:title_start": full & (first <= reading.first.take(segment) + 1),
        }
    )
    size = max(1, len(reading.status))
    places = distinct((sheet.row * size + segment).compress(full))
    sheet.put("match:repeated", np.log1p(np.bincount(places // size, minlength=n)))
    sheet.put("match:sections", (said > 0) @ _EACH_GROUP / 3)


def _which_kind_of_term(sheet: Sheet) -> None:
    judged, n = sheet.judged, len(sheet.concept)
    full, kind = judged.full.take(sheet.use), judged.kind.take(sheet.use)
    whole = (full & ~judged.dominated.take(sheet.use)).nonzero()[0]
    kinds = np.zeros((n, len(KINDS)), np.float32)
    kinds[sheet.slot.take(whole), kind.take(whole)] = 1
    at = COLUMN[f"kind:{KINDS[0]}"]
    sheet.x[:, at : at + len(KINDS)] = kinds
    drug = judged.drug.take(sheet.use).nonzero()[0]
    if len(drug):
        listed = judged.reading.group.take(judged.hits.segment.take(sheet.use.take(drug))) == _MEDICATIONS
        sheet.put("kind:drug_in_list", max_by(sheet.slot.take(drug), full.take(drug) & listed, n))
    common = judged.concepts.common.take(sheet.concept)
    sheet.put("kind:common", common / 3)
    sheet.put("kind:everyday", common == 3)


def _whether_it_is_taken(sheet: Sheet) -> None:
    """What the words beside the names of drugs say."""
    judged, hits = sheet.judged, sheet.judged.hits
    named = ((judged.kind == _DRUG) & judged.full).take(sheet.use).nonzero()[0]
    if not len(named):
        return
    h, row = sheet.use.take(named), sheet.slot.take(named)
    first, last, segment = hits.first.take(h), hits.last.take(h), hits.segment.take(h)
    at = COLUMN[REGIMEN_FEATURES[0]]
    told = regimen_features(judged.reading, first, last, segment, row, len(sheet.concept))
    sheet.x[:, at : at + len(REGIMEN_FEATURES)] = told


def _what_speaks_against(sheet: Sheet, index: TermIndex) -> None:
    judged, p, best, n = sheet.judged, sheet.plain, sheet.best, len(sheet.concept)
    hits, strength = judged.hits, judged.strength
    own_words = ~(judged.drug | judged.opened)

    def strongest(status: int) -> Floats:
        """Largest strength of each candidate's hits of a status that is no evidence."""
        chosen = (own_words & (judged.status == status)).nonzero()[0]
        known, row = found_in(sheet.candidate, told_apart(judged, chosen))
        return max_by(row, strength.take(chosen.take(known)), n)

    negative = strongest(NEGATED)
    sheet.put("against:negated", negative)
    sheet.put("against:negated_only_stronger", negative > best + 0.05)
    sheet.put("against:uncertain_too", strongest(UNCERTAIN))
    own, unsaid = strength.take(p), judged.unsaid.take(p)
    whole = sheet.top(own * (unsaid == 0))
    sheet.put("against:unsaid_qualifier", (best > 0) & (whole < best - 0.02))
    sheet.put("against:unsaid_share", best - sheet.top(own - 2 * unsaid))
    present = sheet.top(own * (judged.status.take(p) != HISTORICAL))
    sheet.put("against:historical_only", (best > 0) & (present < best - 0.2))
    sheet.put("against:dominated", (best == 0) & (max_by(sheet.slot, ~judged.drug.take(sheet.use), n) > 0))
    sheet.put("against:rival_in_category", sheet.leads(best))
    words_said = hits.coverage.take(p) * index.mass.take(hits.term.take(p))
    sheet.put("against:rival_is_fuller", sheet.leads(np.log1p(sheet.top(words_said))))
    if not len(p):
        return
    # how many hits claim the very words of a candidate's best one, and how much better the best of them is
    size = np.int64(len(judged.reading.words) + 1)  # (segment, first, last) as one number
    words = (hits.segment.take(p) * size + hits.first.take(p)) * size + hits.last.take(p)
    order = words.argsort()
    fresh = np.zeros(len(p), np.int64)
    which = np.empty(len(p), np.int64)
    words = words.take(order)
    fresh[1:] = words[1:] != words[:-1]
    which[order] = fresh.cumsum()
    crowd = np.bincount(which)
    best_claim = max_by(which, own, len(crowd))
    lead = _best_of(sheet.row, own, n)
    at = (lead >= 0).nonzero()[0]
    lead = lead.take(at)
    claim = which.take(lead)
    sheet.x[at, COLUMN["against:crowd"]] = np.log(crowd.take(claim))
    sheet.x[at, COLUMN["against:shared_words"]] = best_claim.take(claim) - own.take(lead)


def _what_the_code_is(sheet: Sheet, index: TermIndex, static: Static) -> Floats:
    """Returns how the sides said near words of each concept's title divide, float32 (n, sides)."""
    judged, concepts, n = sheet.judged, sheet.judged.concepts, len(sheet.concept)
    ids = sheet.concept
    route = concepts.route.take(ids)
    sheet.put("code:other", concepts.other.take(ids))
    sheet.put("code:unspecified", concepts.vague.take(ids))
    # "constipation" says all of "other constipation" and does not mean it; what an inclusion term or a wording names is meant
    by_title, by_name = (np.add.reduce([sheet.x[:, i] for i in columns]) for columns in (_TITLES, _NAMES))
    sheet.put("code:other_by_title", concepts.other.take(ids) & (by_title > 0) & (by_name == 0))
    if static.habit is not None:
        sheet.put("against:given_up", sheet.x[:, COLUMN["against:historical_only"]] * static.habit.take(ids))
    sheet.put("code:personal_history", route == 2)
    sheet.put("code:family_history", route == 1)
    title = static.title_term.take(ids)
    safe = np.maximum(title, 0)
    count, mass = index.size.take(safe), index.mass.take(safe)
    row, offset = ragged(count)
    forms = index.forms.take(index.indptr.take(safe).take(row) + offset)
    held = index.weight.take(forms)
    parts = [(note, a, b) for note, a, b in sheet.by_note(sheet.note.take(row))]
    affirmed = np.concatenate([note.affirmed_form(forms[a:b]) for note, a, b in parts])
    said = np.bincount(row, held * affirmed, minlength=n)
    sheet.put("match:title_in_note", said / mass * (title >= 0))
    sheet.put("against:rival_title", sheet.leads(sheet.x[:, COLUMN["match:title_in_note"]]))
    sheet.put("code:words", np.minimum(count, 12) / 12)
    sheet.x[np.arange(n), COLUMN["chapter:A"] + sheet.letter] = 1
    symptom, status = sheet.letter == LETTERS.index("R"), sheet.letter == LETTERS.index("Z")
    headlined = sheet.x[:, COLUMN["match:headline_whole"]] > 0
    definite = np.zeros(len(judged.reading.notes), bool)
    definite[sheet.note.compress((sheet.best > 0.95) & headlined & ~symptom & ~status)] = True
    sheet.put("code:symptom_with_diagnosis", symptom & definite.take(sheet.note))  # I.B.5, FY2026
    if not static.sided:
        return np.zeros((n, len(SIDES)), np.float32)
    share = np.asarray(held / mass.take(row), np.float32)
    return np.concatenate(
        [
            site_sides(note, row[a:b] - first, forms[a:b], share[a:b], stop - first)
            for (note, a, b), (_, first, stop) in zip(parts, sheet.by_note(sheet.note), strict=True)
        ]
    )


def _who_provided_it(sheet: Sheet, drug: Bools) -> None:
    """Cues of giving, ordering, taking at home and refusing around the matches."""
    judged, p = sheet.judged, sheet.plain
    words, hits = judged.reading.words, judged.hits
    start, end = words.start.take(hits.first.take(p)), words.end.take(hits.last.take(p))
    near = read_care(judged.reading.text, start).near(start, end)
    first = COLUMN[CARE_FEATURES[0]]
    own = care_features(near, sheet.row, judged.strength.take(p), drug.take(sheet.concept))
    sheet.x[:, first : first + len(CARE_FEATURES)] = own


def _spoken(sheet: Sheet) -> pcs.Spoken:
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


def _what_was_learned(sheet: Sheet) -> None:
    """The best of the learned terms said, and all of them as independent witnesses (each form set counts once)."""
    judged, n = sheet.judged, len(sheet.concept)
    trust = judged.trust[sheet.use]
    own = np.flatnonzero(trust > 0)
    if not len(own):
        return
    best = max_by(sheet.slot[own], trust[own], n)
    sheet.put("learned:term", best)
    terms = len(judged.concepts.term_kind)  # each of which belongs to one concept
    once = np.unique(sheet.note[sheet.slot[own]] * terms + judged.hits.term[sheet.use[own]], return_index=True)[1]
    doubt = -np.log1p(-np.minimum(trust[own][once], 0.95))
    sheet.put("learned:terms", np.minimum(np.bincount(sheet.slot[own][once], doubt, minlength=n), 6) / 3)
    headline = judged.reading.headline[judged.hits.segment[sheet.use[own]]]
    sheet.put("learned:term_in_headline", max_by(sheet.slot[own], trust[own] * headline, n))
    sheet.put("learned:term_and_match", best * sheet.best)


def _codes(
    sheet: Sheet, index: TermIndex, static: Static, learned: Learned, allowed: Bools, site: Floats, axes: Axes | None,
    claimed: Claims | None,
) -> Table:  # fmt: skip
    """From concepts to codes: the sides the note speaks of, and the encounter its words point to."""
    judged, ids = sheet.judged, sheet.concept
    reading, concepts = judged.reading, judged.concepts
    start, stop = concepts.member_indptr.take(ids), concepts.member_indptr.take(ids + 1)
    row, offset = ragged(stop - start)
    at = start.take(row) + offset
    code, side, extension = (
        concepts.member.take(at).astype(np.intp),
        concepts.side.take(at),
        concepts.extension.take(at),
    )
    beside = np.zeros((len(ids), len(SIDES)), np.float32)
    if static.sided:
        p, strength = sheet.plain, judged.strength.take(sheet.plain)
        if axes is not None:  # the side that was operated on, not the one of last year
            strength = strength * pcs.side_weight(reading, judged.hits.segment.take(p))
        beside = sides_beside(reading, judged.hits, p, strength, sheet.row, len(ids))
    has_both = np.zeros(len(ids), bool)
    has_both[row.compress(side == BILATERAL)] = True
    # without a bilateral code both sides are coded (I.B.13, FY2026)
    beside[:, 1:3] = np.maximum(beside[:, 1:3], (beside[:, BILATERAL] * ~has_both)[:, None])
    if axes is not None:
        alone = np.add.reduce(beside.T) == 0
        beside[alone] = pcs.side_of_note(reading)
    both = (beside[:, 1] > 0) & (beside[:, 2] > 0)
    cell = row * len(SIDES) + side
    heard_of = ((beside > 0) | (site > 0)).reshape(-1)
    said = heard_of.take(cell) | (side == 0) | (side == UNSPECIFIED)
    said |= (side == BILATERAL) & both.take(row)
    heard = np.zeros(len(ids), bool)
    heard[row.compress(said & (side > 0))] = True
    if axes is not None:  # ICD-10-PCS has no code for an unspecified side: without a word of it, each may be meant
        said |= ~heard.take(row)
    fits = said & extension_fits(
        extension, sheet.note.take(row), [(one.sequela, one.open_injury) for one in reading.notes]
    )
    keep = allowed.take(code) & (fits if claimed is None else fits | np.isin(code, claimed.code))
    kept = keep.nonzero()[0]
    row, code, side, extension = row.take(kept), code.take(kept), side.take(kept), extension.take(kept)
    if axes is not None:
        keep, own = pcs.choose(axes, reading, index.idf, _spoken(sheet), row, code, side, ~heard.take(row) & (side > 0))
        own[:, pcs.LESSER_SIDE] = pcs.lesser_side(beside + site, row, side)
        kept = keep.nonzero()[0]
        row, code, side, extension = row.take(kept), code.take(kept), side.take(kept), extension.take(kept)
    x = sheet.x.take(row, 0)
    if axes is not None:
        first = COLUMN[pcs.FILLED[0]]
        x[:, first : first + len(pcs.FILLED)] = own.take(kept, 0)

    def put(name: str, values: Any) -> None:
        x[:, COLUMN[name]] = values

    if side.any():
        sided, open_side, cell = (side > 0) & (side < UNSPECIFIED), side == UNSPECIFIED, row * len(SIDES) + side
        local, spoken = beside.reshape(-1).take(cell), site.reshape(-1).take(cell)
        # column by column: numpy takes many times as long along rows of three or five
        (right, left, bilateral), (of_right, of_left, of_both) = beside.T[1:4], site.T[1:4]
        most = np.maximum(np.maximum(right, left), bilateral) + np.maximum(np.maximum(of_right, of_left), of_both)
        put("side:local", local * sided)
        put("side:other_local", ((right + left + bilateral).take(row) - local) * sided)
        put("side:site", spoken * sided)
        put("side:other_site", ((of_right + of_left + of_both).take(row) - spoken) * sided)
        put("side:unspecified", open_side)
        put("side:unspecified_though_said", most.take(row) * open_side)
        put("side:bilateral", side == BILATERAL)
    note = sheet.note.take(row)
    if extension.any():
        x[:, COLUMN[ENCOUNTER_FEATURES[0]] :][:, : len(ENCOUNTER_FEATURES)] = encounter_features(
            extension, note, [one.follow_up for one in reading.notes]
        )
    if static.trimester is not None and any(one.of_pregnancy for one in reading.notes):
        part = static.trimester.take(code)
        now = np.zeros(len(part), np.int8)
        for one, a, b in sheet.by_note(note):
            if one.of_pregnancy and part[a:b].any():
                now[a:b] = trimester_of(one.text)
        part *= now != NONE
        put("code:trimester", (part == now) & (part != NONE))
        put("code:other_trimester", (part != now) & (part != NONE) & (part != OPEN))
        put("code:unspecified_trimester", part == OPEN)
    category = sheet.category.take(row)
    put("code:length", static.code_length.take(code) / 7)
    put("learned:code_prior", learned.code_prior.take(code))
    put("learned:category_prior", learned.category_prior.take(category))
    put("learned:mention_prior", learned.mention_prior.take(code))
    if len(learned.concept_prior):
        put("learned:operation_prior", learned.concept_prior.take(ids).take(row))
    associated = learned.associate(reading, note, code)
    if associated is not None:
        put("learned:association", associated)
        leading = associated >= max_by(row, associated, len(ids)).take(row)
        put("learned:association_best", leading & (associated > 0))
    if claimed is not None:
        x[:, COLUMN[f"marked:{MARKED[0]}"] :][:, : len(MARKED)] = claimed.of(code, x[:, COLUMN["match:best"]])
    best = _best_of(sheet.slot, judged.worth.take(sheet.use), len(ids))
    lead = np.where(best < 0, sheet.witness[:, 0], sheet.use.take(best, mode="clip") if len(sheet.use) else -1)
    put("match:lab_value", reading.derived.take(judged.hits.segment.take(lead)).take(row))
    behind, share = longest(judged.hits, lead)
    put("against:longer", behind.take(row))
    put("against:longest_share", share.take(row))
    if claimed is not None and claimed.tagged is not None:
        on, match = np.maximum(lead, 0).take(row), x[:, COLUMN["match:best"]]
        x[:, COLUMN[BY_MARKS[0]] :][:, : len(BY_MARKS)] = by_marks(
            claimed.tagged, judged.hits, judged.strength, sheet.use, sheet.slot, row, on, category,
            match, x[:, COLUMN["marked:unheard"]],
        )  # fmt: skip
    if static.company is not None and claimed is None:  # where diagnoses are billed, not mentioned
        x[:, COLUMN[PLACE_FEATURES[0]] :][:, : len(PLACE_FEATURES)] = place_features(reading, judged.hits, lead).take(
            row, 0
        )
    counts = [(len(one.first), int(np.count_nonzero(one.headline))) for one in reading.notes]
    segments, headlines = np.log1p(counts).T
    put("note:segments", (segments / 3).take(note))
    put("note:headlines", headlines.take(note))
    return Table(
        note=note,
        code=code,
        concept=ids.take(row),
        category=category,
        x=x,
        lead=lead.take(row),
        usable=judged.usable,
        worth=judged.worth,
        witness=sheet.witness.take(row, 0),
        company=static.company,
    )
