"""The mention dictionary: how far a phrase can be trusted to mean a code where every mention is coded.

Documents with every mention coded say which words a code rests on, by the evidence of its label. A *phrase* is a set of one
to four word forms that stands within `WINDOW` words of one segment; phrases are collected from the evidence, and then counted
in the whole documents:

    said(phrase)            documents that say it, coded or not
    both(phrase, code)      of these, documents in which it stands in evidence of the code
    whole(phrase, code)     of these, documents in which it is all the evidence says
    reliability             (both + prior / 2) / (said + 1)        prior: share of all documents with the code

Where no document has evidence, the whole text is the evidence of all its codes: phrases of at most three forms, and a pair
counts from two documents on, at a reliability of 0.15 and three times the prior (`WHOLE`).

An assertion is no obstacle: 9 of 10 negated mentions of fever are coded in CodiEsp, as are 9 of 10 affirmed ones. All
figures are counts, so that those of a document's own group can be taken out again (`Marked.without`): the ranker is trained
on what the other documents teach, else it would trust its own answers.

On CodiEsp train -> dev, diagnoses, a ranker with nothing but this dictionary reaches MAP 0.52 and micro-F1 0.59 in English,
where counting over whole documents instead of evidence reaches 0.39 and 0.48. With the other features of the ranker it is 0.58
and 0.61 by evidence, 0.54 and 0.58 by whole documents, 0.46 and 0.52 without a dictionary.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.codes.system import CodeSystem
from codesuggest.note import NEGATED, Reading
from codesuggest.profiles import Profiles, forms_of
from codesuggest.retrieve import Hits, TermIndex
from codesuggest.tagger import Tagger
from codesuggest.writing import OwnWritings, Writings, count, written

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Floats = npt.NDArray[np.float32]

WINDOW = 12  #: words within which a phrase stands, as in `features.py`
LONGEST = 4  #: word forms of a phrase
MANY = 7  #: evidence of more forms is a clause: of it only phrases of one or two forms are taken
#: Documents, reliability and multiple of the prior from which a phrase says anything: by evidence, and by whole documents.
BY_EVIDENCE, WHOLE = (1.0, 0.02, 0.0), (2.0, 0.15, 3.0)
NEAR = 6  #: words of a whole document within which a phrase is looked for
COMMON = 0.3  #: of whole documents a phrase in more of them than this says nothing
_DIGIT = re.compile(r"\d")

Phrase = tuple[str, ...]  #: forms, sorted
Span = tuple[int, int]


@dataclass(frozen=True)
class Dictionary:
    """Phrases and what they mean.

    phrases: forms joined by blanks, (g,). said: int32 (g,). indptr (g+1,), code (n,): CSR of phrase -> positions of codes in
    the system, ascending; both, whole: int32 (n,). coded: int32 (k,), documents with each code. documents: how many were
    counted, int32 (1,). rule: float32 (3,), `BY_EVIDENCE` or `WHOLE`. writings: how the phrases that are all of some mention
    are written.
    """

    phrases: tuple[str, ...]
    said: Ints
    indptr: Ints
    code: Ints
    both: Ints
    whole: Ints
    coded: Ints
    documents: Ints
    rule: Floats
    writings: Writings

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        own = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("phrases", "writings")}
        return {**own, **self.writings.arrays()}

    def fits(self, codes: int) -> bool:
        """Whether every index points inside the array it is for."""
        n, g = len(self.code), len(self.phrases)
        return bool(
            len(self.said) == g
            and len(self.indptr) == g + 1
            and not int(self.indptr[0])
            and int(self.indptr[-1]) == n == len(self.both) == len(self.whole)
            and not (np.diff(self.indptr) < 0).any()
            and (not n or (int(self.code.min()) >= 0 and int(self.code.max()) < codes))
            and len(self.coded) == codes
            and len(self.documents) == 1
            and len(self.rule) == 3
            and self.writings.fits(g, n)
        )

    @cached_property
    def phrase(self) -> Ints:
        """Phrase of each pair of phrase and code, (n,)."""
        return np.repeat(np.arange(len(self.phrases), dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def size(self) -> Ints:
        """Forms of each phrase, (g,)."""
        return np.array([p.count(" ") + 1 for p in self.phrases], np.int32)

    def reliability(self) -> Floats:
        """Of every pair of phrase and code, float32 (n,) in [0, 1]; 0 where nobody else coded it."""
        prior = self.coded[self.code] / max(1, int(self.documents[0]))
        value = (self.both + prior / 2) / (self.said[self.phrase] + 1.0)
        support, least, lift = self.rule.astype(np.float64).tolist()
        kept = (self.both >= support) & (value >= least - 1e-6) & (value >= lift * prior)
        return np.asarray(np.where(kept, value, 0), np.float32)

    def moved(self, place: Ints, codes: int) -> Dictionary:
        """The dictionary of another table. place: int (k,), where each code stands there, -1 for nowhere. codes: of it."""
        kept = np.flatnonzero(place[self.code] >= 0)
        phrase, code = self.phrase[kept], place[self.code[kept]].astype(np.int32)
        order = np.lexsort((code, phrase))
        coded = np.zeros(codes, np.int32)
        coded[place[place >= 0]] = self.coded[place >= 0]
        indptr = np.searchsorted(phrase, np.arange(len(self.phrases) + 1)).astype(np.int32)
        both, whole = self.both[kept][order], self.whole[kept][order]
        pairs = np.full(len(self.code), -1, np.int32)
        pairs[kept[order]] = np.arange(len(kept))
        writings = self.writings.moved(pairs >= 0, pairs)
        return replace(self, indptr=indptr, code=code[order], both=both, whole=whole, coded=coded, writings=writings)


def _ids(phrases: Iterable[str], form_ids: Mapping[str, int]) -> list[list[int]]:
    return [sorted(form_ids[f] for f in p.split(" ")) for p in phrases]


class _Rows(Sequence[Ints]):
    """Rows of a CSR as a sequence."""

    def __init__(self, indptr: Ints, values: Ints) -> None:
        self._indptr, self._values = indptr.tolist(), values

    def __len__(self) -> int:
        return len(self._indptr) - 1

    def __getitem__(self, row: Any) -> Any:
        return self._values[self._indptr[row] : self._indptr[row + 1]].tolist()


def _csr(rows: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Offsets and values of rows of numbers."""
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return ends, np.array([value for row in rows for value in row], np.int32)


def find(index: TermIndex, reading: Reading) -> Hits:
    """Where a note says the phrases of an index, whatever it asserts of them: within one segment and `WINDOW` words."""
    hits = index.search_in(reading.said(), weak=np.zeros(len(index.idf), bool), top=len(index) + 1, floor=0.999)
    near = hits.last - hits.first < WINDOW
    return Hits(*(getattr(hits, name)[near] for name in Hits.__dataclass_fields__))


def phrases_in(reading: Reading, mentions: Iterable[Sequence[Span]]) -> tuple[set[Phrase], set[Phrase]]:
    """Phrases of the words of mentions, each one or more spans of a note, and those that are all a mention says.

    Only of forms that code tables and our lists hold, without digits: a name or an age is none of them (invariant 5).
    """
    found: set[Phrase] = set()
    whole: set[Phrase] = set()
    known, start, end = reading.in_vocabulary, reading.words.start, reading.words.end
    for mention in mentions:
        places = [
            place
            for a, b in mention
            for place in range(int(np.searchsorted(end, a, side="right")), int(np.searchsorted(start, b)))
        ]
        forms = sorted(
            {f for place in places if known[place] for f in reading.words.forms[place] if not _DIGIT.search(f)}
        )
        longest = LONGEST if len(forms) <= MANY else 2
        found.update(p for n in range(1, longest + 1) for p in combinations(forms, n))
        if 0 < len(forms) <= MANY:
            found.add(tuple(forms))
            whole.add(tuple(forms))
    return found, whole


def _evidence(
    reading: Reading, labels: Mapping[int, Sequence[Sequence[Span]]], placed: bool
) -> dict[int, tuple[set[Phrase], set[Phrase]]]:
    """For each code of a document the phrases in its evidence, and those that are all a mention says."""
    if placed:
        return {code: phrases_in(reading, mentions) for code, mentions in labels.items()}
    found = _phrases_of(reading)
    return {code: (found, set()) for code in labels}


def _phrases_of(reading: Reading) -> set[Phrase]:
    """Phrases of one to three forms within `NEAR` words; of three, only those whose first two follow one another."""
    known = reading.in_vocabulary
    found: set[Phrase] = set()
    near: list[tuple[int, str]] = []
    here = -2
    for place, (forms, segment) in enumerate(zip(reading.words.forms, reading.segment_of_word.tolist(), strict=True)):
        if segment != here:
            near, here = [], segment
        if segment < 0 or not known[place]:
            continue
        near = [(p, f) for p, f in near if place - p < NEAR]
        fresh = [f for f in forms if not _DIGIT.search(f)]
        for form in fresh:
            others = [f for _, f in near]
            found.add((form,))
            found.update(tuple(sorted((f, form))) for f in others if f != form)
            found.update(tuple(sorted((f, g, form))) for f, g in pairwise(others) if len({f, g, form}) == 3)
        near += [(place, f) for f in fresh]
    return found


def _kept(found: Sequence[set[Phrase]], placed: bool) -> list[Phrase]:
    """The phrases to count, ascending: all of evidence, of whole documents those of two or more but not of too many."""
    often = Counter(p for own in found for p in own)
    return sorted(p for p, n in often.items() if placed or 2 <= n <= max(2, COMMON * len(found)))


@dataclass(frozen=True)
class Own:
    """What one document adds to the counts: phrases, pairs of phrase and code by `both` and by `whole`, codes, and writings."""

    said: Ints
    both: Ints
    whole: Ints
    coded: Ints
    written: OwnWritings


@dataclass(frozen=True)
class Marked:
    """A dictionary with what was counted of each group, so that it can be taken out again.

    groups: int32 (g,), groups that say each phrase. own: the documents of each group.
    """

    dictionary: Dictionary
    groups: Ints
    own: Mapping[str, Sequence[Own]]
    min_groups: int

    @classmethod
    def of(
        cls,
        readings: Sequence[Reading],
        labels: Sequence[Mapping[int, Sequence[Sequence[Span]]]],
        groups: Sequence[str],
        *,
        codes: int,
        idf: Floats,
        form_ids: Mapping[str, int],
        min_groups: int,
    ) -> Marked:
        """labels: of each document, position of a code -> its mentions, each the spans of one, () for a place not known."""
        placed = any(mentions for own in labels for mentions in own.values())
        marked = [_evidence(r, own, placed) for r, own in zip(readings, labels, strict=True)]
        every = _kept([set[Phrase]().union(*(found for found, _ in own.values())) for own in marked], placed)
        forms_of = _ids(map(" ".join, every), form_ids)
        index = TermIndex(idf, *_csr(forms_of))
        alone = {p for own in marked for _, whole in own.values() for p in whole}
        wholes = frozenset(g for g, p in enumerate(every) if p in alone)
        hits = [find(index, r) for r in readings]
        spelt = [
            set(zip(h.term.tolist(), written(r, h, wholes, forms_of), strict=True))
            for r, h in zip(readings, hits, strict=True)
        ]
        said = [np.unique(h.term) for h in hits]
        spoken_by: dict[int, set[str]] = defaultdict(set)
        for own_said, group in zip(said, groups, strict=True):
            for g in own_said.tolist():
                spoken_by[g].add(group)
        kept = {every[g]: g for g in sorted(spoken_by) if len(spoken_by[g]) >= min_groups}
        number = {p: n for n, p in enumerate(kept)}
        at = np.full(len(every), -1, np.int32)
        at[list(kept.values())] = np.arange(len(kept))
        said = [at[own_said].compress(at[own_said] >= 0) for own_said in said]
        pairs = []
        for own, own_said in zip(marked, said, strict=True):
            heard = set(own_said.tolist())
            both = {(number[p], code) for code, (found, _) in own.items() for p in found if number.get(p, -1) in heard}
            exact = {(number[p], code) for code, (_, whole) in own.items() for p in whole if number.get(p, -1) in heard}
            pairs.append((both, exact))
        support = Counter(pair for both, _ in pairs for pair in both)
        rule = BY_EVIDENCE if placed else WHOLE
        rows = sorted(pair for pair, n in support.items() if n >= rule[0])
        row = {pair: n for n, pair in enumerate(rows)}
        pairs_of: dict[int, list[int]] = defaultdict(list)
        for n, (g, _) in enumerate(rows):
            pairs_of[g].append(n)
        writings, of_document = count(
            [
                ({(int(at[g]), text) for g, text in own if text and at[g] >= 0}, {row[p] for p in both if p in row})
                for own, (both, _) in zip(spelt, pairs, strict=True)
            ],
            groups,
            pairs_of,
            min_groups,
        )
        of_group: dict[str, list[Own]] = defaultdict(list)
        for own_said, (both, exact), labelled, group, spelling in zip(
            said, pairs, labels, groups, of_document, strict=True
        ):
            of_group[group].append(
                Own(
                    own_said,
                    _numbers(row[p] for p in both if p in row),
                    _numbers(row[p] for p in exact),
                    _numbers(labelled),
                    spelling,
                )
            )
        flat = [o for own in of_group.values() for o in own]
        phrase = np.array([g for g, _ in rows], np.int32)
        dictionary = Dictionary(
            tuple(" ".join(p) for p in kept),
            _count([o.said for o in flat], len(kept)),
            np.searchsorted(phrase, np.arange(len(kept) + 1)).astype(np.int32),
            np.array([code for _, code in rows], np.int32),
            _count([o.both for o in flat], len(rows)),
            _count([o.whole for o in flat], len(rows)),
            _count([o.coded for o in flat], codes),
            np.array([len(flat)], np.int32),
            np.array(rule, np.float32),
            writings,
        )
        return cls(dictionary, _numbers_of_groups(kept, spoken_by), dict(of_group), min_groups)

    def without(self, groups: Collection[str]) -> Dictionary:
        """The dictionary that the documents of the other groups teach (phrases nobody else said or coded: counts of 0)."""
        d = self.dictionary
        own = [o for group in groups for o in self.own.get(group, ())]
        if not own:
            return d
        counts = {}
        for name in ("said", "both", "whole", "coded"):
            left = getattr(d, name).copy()
            for o in own:
                left[getattr(o, name)] -= 1
            counts[name] = left
        left = self.groups.copy()
        for group in groups:
            if of_group := self.own.get(group):
                left[np.unique(np.concatenate([o.said for o in of_group]))] -= 1
        counts["both"][((left < self.groups) & (left < self.min_groups))[d.phrase]] = 0
        writings = d.writings.without([o.written for o in own])
        return replace(d, documents=d.documents - np.int32(len(own)), writings=writings, **counts)


def _numbers(values: Iterable[int]) -> Ints:
    return np.array(sorted(values), np.int32)


def _numbers_of_groups(kept: Mapping[Phrase, int], spoken_by: Mapping[int, set[str]]) -> Ints:
    return np.array([len(spoken_by[g]) for g in kept.values()], np.int32)


def _count(own: Sequence[Ints], size: int) -> Ints:
    found = Counter(i for o in own for i in o.tolist())
    out = np.zeros(size, np.int32)
    out[list(found)] = list(found.values())
    return out


# -- as terms of a model ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spoken:
    """A dictionary as terms of an engine: each phrase with each concept that holds one of its codes is a term, and these are
    the last terms the engine has.

    indptr (g+1,), form: int32, CSR of phrase -> form ids. term: int32 (n,), the term of each pair of phrase and code.
    """

    dictionary: Dictionary
    indptr: Ints
    form: Ints
    term: Ints
    tagger: Tagger | None = None

    @classmethod
    def of(cls, dictionary: Dictionary, form_ids: Mapping[str, int]) -> Spoken:
        """Before its terms are numbered."""
        return cls(dictionary, *_csr(_ids(dictionary.phrases, form_ids)), np.zeros(0, np.int32))

    def numbered(self, concept_of: Ints, first: int) -> Spoken:
        """concept_of: int32 (k,), the concept of every code by its position. first: number of the first term."""
        d = self.dictionary
        key = d.phrase.astype(np.int64) << 32 | concept_of[d.code].astype(np.int64)
        return replace(self, term=(first + np.unique(key, return_inverse=True)[1]).astype(np.int32))

    def moved(self, old: CodeSystem, new: CodeSystem) -> Spoken:
        """For another table, its terms not numbered yet. Codes that are gone lose their phrases."""
        place = np.full(len(old), -1, np.int32)
        for i in np.unique(self.dictionary.code).tolist():
            if (code := old.code(i)) in new:
                place[i] = new.index_of(code)
        return replace(self, dictionary=self.dictionary.moved(place, len(new)), term=np.zeros(0, np.int32))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        own: dict[str, npt.NDArray[Any]] = {"form_indptr": self.indptr, "form": self.form, "term": self.term}
        if self.tagger is not None:
            own |= {"tagger_weight": self.tagger.weight, "tagger_intercept": self.tagger.intercept}
        return {**self.dictionary.arrays(), **own}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, npt.NDArray[Any]], phrases: tuple[str, ...], texts: tuple[str, ...]
    ) -> Spoken:
        own = dict(arrays)
        indptr, form, term = (own.pop(name) for name in ("form_indptr", "form", "term"))
        tagger = None
        if "tagger_weight" in own:
            tagger = Tagger(own.pop("tagger_weight"), own.pop("tagger_intercept"))
        writings = Writings.from_arrays(own, texts)
        counts = {name: array for name, array in own.items() if not name.startswith("written_")}
        return cls(Dictionary(phrases, writings=writings, **counts), indptr, form, term, tagger)

    def fits_in(self, codes: int, forms: int, terms: int, learned: int) -> bool:
        """Whether every index points inside the array it is for. learned: how many of the terms are."""
        d = self.dictionary
        return bool(
            d.fits(codes)
            and (self.tagger is None or self.tagger.fits())
            and len(self.indptr) == len(d.phrases) + 1
            and not int(self.indptr[0])
            and int(self.indptr[-1]) == len(self.form)
            and not (np.diff(self.indptr) < 1).any()
            and (not len(self.form) or 0 <= int(self.form.min()) <= int(self.form.max()) < forms)
            and len(self.term) == len(d.code)
            and (not len(d.code) or (int(self.term.min()), int(self.term.max())) == (terms - learned, terms - 1))
        )

    def terms(self, concept_of: Ints) -> tuple[list[str], Ints]:
        """Phrase and concept of every term."""
        lead = np.unique(self.term, return_index=True)[1]
        d = self.dictionary
        return [d.phrases[g] for g in d.phrase[lead].tolist()], concept_of[d.code[lead]].astype(np.int32)

    def trust(self, dictionary: Dictionary) -> Floats:
        """Reliability of every term by a dictionary of the same phrases and codes: the best of its codes', float32 (r,)."""
        out = np.zeros(int(self.term.max()) - int(self.term.min()) + 1 if len(self.term) else 0, np.float32)
        np.maximum.at(out, self.term - (self.term.min() if len(self.term) else 0), dictionary.reliability())
        return np.round(out, 4)

    def writing(self, reading: Reading, found: Hits) -> Ints:
        """Writing of every phrase found in a note, int64 (h,), -1 for one never seen."""
        writings = self.dictionary.writings
        forms_of = _Rows(self.indptr, self.form)
        texts = written(reading, found, writings.phrases, forms_of)
        at = writings.place
        return np.array([at.get((g, t), -1) for g, t in zip(found.term.tolist(), texts, strict=True)], np.int64)

    def among(self, hits: Hits, found: Hits) -> Hits:
        """Hits of an engine's other terms, and the phrases found in the same note as hits of theirs."""
        count = np.diff(self.dictionary.indptr)[found.term]
        row = np.repeat(np.arange(len(found)), count)
        term = self.term[np.repeat(self.dictionary.indptr[found.term], count) + _offsets(count)]
        row, term = np.unique(np.stack([row, term], 1).reshape(-1, 2), axis=0).T
        columns = {
            name: np.concatenate([getattr(hits, name), term if name == "term" else getattr(found, name)[row]])
            for name in Hits.__dataclass_fields__
        }
        order = np.lexsort((columns["term"], columns["segment"]))
        return Hits(**{name: column[order].astype(getattr(hits, name).dtype) for name, column in columns.items()})


# -- what a note's phrases claim -------------------------------------------------------------------------------------

MARKED = (  #: names of the features, after "marked:"
    "odds",
    "reliability",
    "noisy_or",
    "support",
    "places",
    "one_word",
    "two_words",
    "reliability_and_support",
    "most_support",
    "unrivalled",
    "alone",
    "noisy_or_unrivalled",
    "longer_rival",
    "rival",
    "whole",
    "whole_support",
    "whole_share",
    "main_code",
    "reliability_whole",
    "ahead",
    "negated",
    "never_coded",
    "so_written",
    "never_written",
    # products: what the odds are worth depends on these
    "odds_never_written",
    "odds_so_written",
    "odds_one_word",
    "odds_whole",
    "odds_negated",
    "odds_places",
    "reliability_squared",
    "reliability_rival",
    "reliability_longer_rival",
    "profile",  # of `profiles.py`
    # beside what the tables' terms say: a code none of its phrases was read of stands on them alone
    "unheard",
    "unheard_match",
    "unheard_square",
    "squared",
    "and_match",
)


@dataclass(frozen=True, slots=True)
class Claims:
    """Codes that the phrases of a note claim: code int32 (c,), ascending; x float32 (c, len(MARKED)). profiles, forms: those
    of a model and what the note says."""

    code: Ints
    x: Floats
    profiles: Profiles
    forms: Ints
    tagged: Floats | None = (
        None  #: probability of every word of the note that it is marked, float32 (w,), where that was taught
    )

    def of(self, code: Ints, match: Floats) -> Floats:
        """The features of some codes, float32 (n, len(MARKED)). match: strength of each one's best term, (n,)."""
        out = np.zeros((len(code), len(MARKED)), np.float32)
        held = np.flatnonzero(np.isin(code, self.code))
        out[held] = self.x[np.searchsorted(self.code, code[held])]
        said = out[:, MARKED.index("reliability")]
        unheard = said == 0
        more = [self.profiles.of(self.forms, code), unheard, unheard * match, unheard * match**2]
        more += [said**2, said * match]
        out[:, -len(more) :] = np.stack(more, 1)
        return out


def claims(dictionary: Dictionary, profiles: Profiles, reading: Reading, hits: Hits, writing: Ints) -> Claims:
    """hits: as `find` gives them for the reading, terms being phrases. writing: int (h,), of the dictionary's writings, -1 for
    another."""
    negated = reading.status[hits.segment] == NEGATED
    reliability = dictionary.reliability()
    count = np.diff(dictionary.indptr)[hits.term]
    hit = np.repeat(np.arange(len(hits)), count)
    pair = np.repeat(dictionary.indptr[hits.term], count) + _offsets(count)
    use = reliability[pair] > 0
    hit, pair = hit[use], pair[use]
    code, slot = np.unique(dictionary.code[pair], return_inverse=True)
    n = len(code)
    x = np.zeros((n, len(MARKED)), np.float32)
    if not n:
        return Claims(code.astype(np.int32), x, profiles, forms_of(reading))
    phrase = dictionary.phrase[pair]
    v, so_said = dictionary.writings.refined(writing[hit], pair, reliability[pair].astype(np.float64))
    size, both, whole = dictionary.size[phrase], dictionary.both[pair], dictionary.whole[pair]
    said = dictionary.said[phrase]
    rival, longer = _rivals(dictionary.code[pair], v, size, hits.first[hit], hits.last[hit])
    top = np.zeros(len(dictionary.phrases), np.int32)
    np.maximum.at(top, dictionary.phrase, dictionary.both)
    columns: dict[str, Any] = {}

    def best(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        out = np.zeros(n)
        np.maximum.at(out, slot, values)
        return out

    order = np.lexsort((pair, -v, slot))
    lead = order[np.r_[True, slot[order][1:] != slot[order][:-1]]]  # the most reliable phrase of each code
    places = np.unique(slot.astype(np.int64) << 32 | hits.first[hit].astype(np.int64)) >> 32
    columns["odds"] = (np.log(v / (1 - np.minimum(v, 0.99))) + 4)[lead] / 4
    columns["reliability"] = v[lead]
    columns["noisy_or"] = _noisy_or(slot, hits.segment[hit], v, n)
    columns["support"] = np.log(both[lead])
    columns["places"] = np.log1p(np.bincount(places, minlength=n))
    columns["one_word"], columns["two_words"] = size[lead] == 1, size[lead] == 2
    columns["reliability_and_support"] = v[lead] * np.log1p(both[lead])
    columns["most_support"] = np.log1p(best(both))
    columns["unrivalled"] = best(v * (1 - longer))
    columns["alone"] = best(v * (1 - rival))
    columns["noisy_or_unrivalled"] = _noisy_or(slot, hits.segment[hit], v * (1 - longer), n)
    columns["longer_rival"], columns["rival"] = longer[lead], rival[lead]
    columns["whole"], columns["whole_support"] = best(whole) > 0, np.log1p(best(whole))
    columns["whole_share"] = best(whole / (said + 0.5))
    columns["main_code"] = best(both / np.maximum(top[phrase], 1))
    columns["reliability_whole"] = best(v * (whole > 0))
    columns["ahead"] = best(np.maximum(v - rival, 0))
    columns["negated"] = negated[hit][lead]
    columns["never_coded"] = dictionary.coded[code] == 0
    columns["so_written"] = np.log1p(so_said[lead])
    columns["never_written"] = (so_said[lead] == 0) & (whole[lead] > 0)
    for name in ("never_written", "so_written", "one_word", "whole", "negated", "places"):
        columns[f"odds_{name}"] = columns["odds"] * columns[name]
    columns["reliability_squared"] = v[lead] ** 2
    columns["reliability_rival"], columns["reliability_longer_rival"] = (v * rival)[lead], (v * longer)[lead]
    for name, values in columns.items():
        x[:, MARKED.index(name)] = values
    return Claims(code.astype(np.int32), x, profiles, forms_of(reading))


def _offsets(count: Ints) -> npt.NDArray[np.int64]:
    """0, 1, ... of every row of these lengths."""
    return np.asarray(np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count))


def _noisy_or(slot: Ints, segment: Ints, v: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Doubt left by all segments of a note, each by its most reliable phrase: -ln of the product of 1 - v, (n,)."""
    key = slot.astype(np.int64) << 32 | segment.astype(np.int64)
    places, which = np.unique(key, return_inverse=True)
    most = np.zeros(len(places))
    np.maximum.at(most, which, np.minimum(v, 0.95))
    return np.asarray(np.bincount(places >> 32, -np.log1p(-most), minlength=n), np.float64)


def _rivals(
    code: Ints, v: npt.NDArray[np.float64], size: Ints, first: Ints, last: Ints
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of every claim the reliability of the best other code that claims one of its words, and of the best such with a
    longer phrase: float64 (m,) each."""
    length = last - first + 1
    row = np.repeat(np.arange(len(code)), length)
    word = np.repeat(first, length) + _offsets(length)
    rival, longer = np.zeros(len(code)), np.zeros(len(code))
    np.maximum.at(rival, row, _best_other(word, code[row], v[row], np.ones(len(row), bool)))
    for short in range(1, LONGEST):
        above = _best_other(word, code[row], v[row], size[row] > short)
        own = size[row] == short
        np.maximum.at(longer, row[own], above[own])
    return rival, longer


def _best_other(
    word: Ints, code: Ints, v: npt.NDArray[np.float64], among: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """For every row the largest v, among some rows, of another code at its word, 0 if none."""
    size = int(word.max()) + 1 if len(word) else 0
    best, whose, second = np.zeros(size), np.full(size, -1), np.zeros(size)
    at = np.flatnonzero(among)
    order = at[np.lexsort((code[at], -v[at], word[at]))]
    lead = order[np.r_[True, word[order][1:] != word[order][:-1]]] if len(order) else order
    best[word[lead]], whose[word[lead]] = v[lead], code[lead]
    others = at[code[at] != whose[word[at]]]
    np.maximum.at(second, word[others], v[others])
    return np.asarray(np.where(code == whose[word], second[word], best[word]))
