"""What coded documents taught, as features: priors and associations.

* code_prior, category_prior: ln(1 + 4 n) / 2 and ln(1 + 2 n) / 2 of how often the code (category) was assigned in the
  billed training documents, a merely acceptable code counting half.
* mention_prior: ln(1 + n) / 4 of how often it was assigned in documents where every mention is coded.
* association: from the latter, P(code | n-gram of word forms) shrunk towards the code's prior, kept where lift and support
  are high; a note's value is the best of its n-grams.

All of them are counts, so a document's own share can be taken out again (`Counts`): the ranker is trained on what the
other documents teach, else it would trust its own answers.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.coded import CodedDocument
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import categories_of
from codesuggest.note import AFFIRMED, HISTORICAL, Reading
from codesuggest.retrieve import found_in

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


LONGEST = 3  #: forms of an n-gram


@dataclass(frozen=True)
class Learned:
    """code_prior, mention_prior: float32 (k,) by code position. category_prior: float32 (q,) by category.

    grams: n-grams, forms joined by spaces; gram_indptr (g+1,), gram_code, gram_weight (float32 in [0, 1]): their codes.
    reliability: float32 (r,) in [0, 1], of the last r terms of the index, which are learned ones (`mentions.py`).
    concept_prior: float32 (c,), how often each concept was coded there; empty for a system that billed documents teach.
    """

    code_prior: Floats
    category_prior: Floats
    mention_prior: Floats
    grams: tuple[str, ...]
    gram_indptr: Ints
    gram_code: Ints
    gram_weight: Floats
    reliability: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    concept_prior: Floats = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def nothing(cls, codes: int, categories: int) -> Learned:
        ints, floats = np.zeros(0, np.int32), np.zeros(0, np.float32)
        return cls(
            np.zeros(codes, np.float32),
            np.zeros(categories, np.float32),
            np.zeros(codes, np.float32),
            (),
            np.zeros(1, np.int32),
            ints,
            floats,
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "grams"}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], grams: tuple[str, ...]) -> Learned:
        return cls(grams=grams, **arrays)

    def times_given(self) -> npt.NDArray[np.float64]:
        """How often each code was given in the documents the ranker was fitted on, acceptable ones half: (k,)."""
        return np.asarray(np.round(2 * np.expm1(2 * self.code_prior.astype(np.float64)) / _CODE_SCALE) / 2)

    def associate(self, reading: Reading, note: npt.NDArray[np.intp], codes: npt.NDArray[np.intp]) -> Floats | None:
        """Best association of each of these codes, int (n,), none of them twice for a note, with an n-gram that its note affirms,
        float32 (n,). note: (n,), its place among `reading.notes`. None if nothing was learned."""
        if not self.grams:
            return None
        table = self._table_for(reading.ids)
        several = len(reading.notes) > 1
        form, run, word = _said(reading)
        mine = reading.note_of_segment.take(reading.segment_of_word.take(word)) if several else None
        chosen, of = table.found(form, run, mine)
        first = self.gram_indptr.take(chosen)
        count = self.gram_indptr.take(chosen + 1) - first
        at = (first - (count.cumsum() - count)).repeat(count)
        at += np.arange(len(at))
        code, size = self.gram_code.take(at), len(self.code_prior)
        if several:
            code, codes = of.repeat(count) * size + code, note * size + codes
        out = np.zeros(len(codes), np.float32)
        if len(codes):
            order = codes.argsort()
            own, slot = found_in(codes.take(order), code)
            np.maximum.at(out, order.take(slot), self.gram_weight.take(at.take(own)))
        return out

    def _table_for(self, ids: Mapping[str, int]) -> _Grams:
        """The n-grams by the form ids of a reading. Kept for the vocabulary last asked about."""
        kept: _Grams | None = self.__dict__.get("_table")
        if kept is None or kept.ids is not ids:
            kept = self.__dict__["_table"] = _Grams.of(self.grams, ids)
        return kept


@dataclass(frozen=True, slots=True)
class _Grams:
    """N-grams as numbers, so that those of a note are looked up together.

    Forms that an n-gram holds are counted from 1: own int64 (V,), 0 for all others. The number of an n-gram has the counts of its
    forms as digits, to the base of `base`; key int64 (g + 1,), ascending, the last one larger than all; place (g,): which n-gram.
    """

    ids: Mapping[str, int]
    own: npt.NDArray[np.int64]
    base: int
    key: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]

    @classmethod
    def of(cls, names: Sequence[str], ids: Mapping[str, int]) -> _Grams:
        count: dict[str, int] = {}
        rows = []
        for place, gram in enumerate(names):
            forms = gram.split(" ")
            # one with a form that no note can hold, or longer than those of a note, is never found
            if len(forms) <= LONGEST and all(form in ids for form in forms):
                rows.append(([count.setdefault(form, len(count) + 1) for form in forms], place))
        own, base = np.zeros(len(ids), np.int64), len(count) + 1
        own[[ids[form] for form in count]] = list(count.values())
        number = [sum(c * base**k for k, c in enumerate(reversed(counts))) for counts, _ in rows]
        order = sorted(range(len(rows)), key=number.__getitem__)
        key = np.array([*(number[i] for i in order), np.iinfo(np.int64).max], np.int64)
        return cls(ids, own, base, key, np.array([rows[i][1] for i in order], np.int64))

    def found(
        self, form: npt.NDArray[np.intp], run: npt.NDArray[np.int64], note: npt.NDArray[np.intp] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The n-grams in runs of forms, some of them more than once, and the note each is of. form, run, note: (m,), in order; the
        run and the note each form is of, None: all of one note."""
        one = self.own.take(form)
        # a form of no n-gram is a 0: before others it leaves a shorter one, which is said too, and behind them none
        two = one[:-1] * self.base
        two += one[1:]
        two *= run[1:] == run[:-1]
        three = one[:-2] * self.base**2
        three += two[1:]
        three *= run[2:] == run[:-2]
        keys = np.concatenate((one, two, three))
        of, bits = keys[:0], 0
        if note is not None and len(note):  # it stands in the lowest bits
            bits = int(note[-1]).bit_length()
            keys <<= bits
            keys |= np.concatenate((note, note[1:], note[2:]))
        keys.sort()  # what is looked up in order is found in a third of the time
        if bits:
            of, keys = keys & ((1 << bits) - 1), keys >> bits
        at = self.key.searchsorted(keys)
        known = (self.key.take(at) == keys).nonzero()[0]
        return self.place.take(at.take(known)), of.take(known) if bits else np.zeros(len(known), np.int64)


def _said(reading: Reading) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """As `_runs`, in arrays: form ids, the number of the run and the word that each belongs to, all (m,)."""
    segment, known = reading.segment_of_word, reading.in_vocabulary
    patient = np.zeros(len(reading.status) + 1, bool)  # the last is that of the words outside every segment
    np.logical_or(reading.status == AFFIRMED, reading.status == HISTORICAL, out=patient[:-1])
    own = patient.take(segment)
    fresh = own & ~known
    fresh[1:] |= segment[1:] != segment[:-1]
    own &= known
    kept = own.take(reading.word).nonzero()[0]
    word = reading.word.take(kept)
    return reading.form.take(kept), fresh.cumsum().take(word), word


def grams(reading: Reading) -> list[str]:
    """N-grams of word forms within the segments that are said of the patient (affirmed or of the past), in order."""
    return [
        " ".join(run[start:stop])
        for run in _runs(reading)
        for stop in range(1, len(run) + 1)
        for start in range(max(0, stop - LONGEST), stop)
    ]


def _runs(reading: Reading) -> list[list[str]]:
    """The forms of each stretch of known words in one segment that is said of the patient, in order.

    Only forms that code tables and our lists hold: a name, however often it occurs, is none of them (invariant 5).
    """
    said = np.append(np.isin(reading.status, (AFFIRMED, HISTORICAL)), False)[reading.segment_of_word]
    out: list[list[str]] = [[]]
    here = -2
    for forms, segment, own, known in zip(
        reading.words.forms,
        reading.segment_of_word.tolist(),
        said.tolist(),
        reading.in_vocabulary.tolist(),
        strict=True,
    ):
        if segment != here:
            out.append([])
            here = segment
        if own and forms:
            if known:
                out[-1] += forms
            else:
                out.append([])
    return out


@dataclass(frozen=True)
class Counts:
    """What was counted, kept until the ranker is trained: own counts of a document can be taken out again.

    billed, billed_category: weights over billed documents by code position / category. share: what the billed documents
    of each group contributed to both. mentioned: documents with every mention coded, by code position.
    """

    system: CodeSystem
    category: Ints
    billed: npt.NDArray[np.float64]
    billed_category: npt.NDArray[np.float64]
    share: Mapping[str, tuple[Mapping[int, float], Mapping[int, float]]]
    mentioned: npt.NDArray[np.float64]
    associations: tuple[tuple[str, ...], Ints, Ints, Floats]

    @classmethod
    def of(
        cls,
        system: CodeSystem,
        documents: Sequence[CodedDocument],
        found: Sequence[frozenset[str]],
        *,
        min_groups: int,
        fitted: str = "billing",
    ) -> Counts:
        """found: the n-grams of each document. fitted: the policy of the documents that the ranker is fitted on."""
        category = categories_of(system)
        billed, mentioned = np.zeros(len(system)), np.zeros(len(system))
        billed_category = np.zeros(int(category.max()) + 1)
        share: dict[str, tuple[Counter[int], Counter[int]]] = defaultdict(lambda: (Counter(), Counter()))
        rows: list[tuple[frozenset[str], str, frozenset[str]]] = []
        for document, own in zip(documents, found, strict=True):
            labels = document.labels(system.name) or {}
            if document.policy == "mentions" and fitted == "billing":
                for code in labels:
                    if code in system:
                        mentioned[system.index_of(code)] += 1
                rows.append((own, document.group or document.id, frozenset(labels)))
                continue
            if document.policy != fitted:
                continue
            mine = {system.index_of(c): 0.5 if t == "acceptable" else 1.0 for c, t in labels.items() if c in system}
            per_code, per_category = share[document.group or document.id]
            for i, weight in mine.items():
                billed[i] += weight
                per_code[i] += weight  # type: ignore[assignment]  # halves are exact
            for k in {int(category[i]) for i in mine}:
                billed_category[k] += 1
                per_category[k] += 1
        return cls(
            system, category, billed, billed_category, dict(share), mentioned, _associations(system, rows, min_groups)
        )

    def without(self, groups: Collection[str]) -> Counts:
        """The counts of billed codes of the documents of other groups; mentions and associations stay those of all."""
        billed, billed_category = self.billed.copy(), self.billed_category.copy()
        share = dict(self.share)
        for group in groups:
            per_code, per_category = share.pop(group, ({}, {}))
            for i, weight in per_code.items():
                billed[i] -= weight
            for k, count in per_category.items():
                billed_category[k] -= count
        return replace(self, billed=billed, billed_category=billed_category, share=share)

    def priors_without(self, groups: Collection[str]) -> tuple[Floats, Floats]:
        """code_prior and category_prior of the documents of other groups."""
        left = self.without(groups)
        return _prior(left.billed, _CODE_SCALE), _prior(left.billed_category, 2)

    def learned(self) -> Learned:
        names, indptr, code, weight = self.associations
        return Learned(
            code_prior=_prior(self.billed, _CODE_SCALE),
            category_prior=_prior(self.billed_category, 2),
            mention_prior=(np.log1p(self.mentioned) / 4).astype(np.float32),
            grams=names,
            gram_indptr=indptr,
            gram_code=code,
            gram_weight=weight,
        )


_CODE_SCALE = 4


def _prior(counts: npt.NDArray[np.float64], scale: float) -> Floats:
    return (np.log1p(scale * counts) / 2).astype(np.float32)


#: An association is kept if this share of the documents with the n-gram have the code, this much above chance.
_LEAST_SHARE, _LEAST_LIFT = 0.15, 3.0


def _associations(
    system: CodeSystem, rows: Sequence[tuple[frozenset[str], str, frozenset[str]]], min_groups: int
) -> tuple[tuple[str, ...], Ints, Ints, Floats]:
    """n-gram -> codes with P(code | n-gram), shrunk: (k + prior / 2) / (n + 3 / 2), from at least two documents.

    An n-gram counts if documents of `min_groups` groups hold it, and holds no digit (an age or a date is nobody's
    business). A code that is a header here (older releases, stems) stands for its codes where these are at most eight.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    of_gram: Counter[str] = Counter()
    of_code: Counter[str] = Counter()
    of_both: Counter[tuple[str, str]] = Counter()
    for own, group, codes in rows:
        of_code.update(codes)
        for gram in own:
            of_gram[gram] += 1
            groups[gram].add(group)
    many = 0.3 * len(rows)
    kept = {
        g for g, n in of_gram.items() if n >= 2 and n <= many and len(groups[g]) >= min_groups and not _DIGIT.search(g)
    }
    for own, _group, codes in rows:
        of_both.update((g, c) for g in own & kept for c in codes)
    below: dict[str, list[int]] = {}
    best: dict[str, dict[int, float]] = defaultdict(dict)
    for (gram, code), k in of_both.items():
        if k < 2:
            continue
        prior = of_code[code] / len(rows)
        share = (k + prior / 2) / (of_gram[gram] + 1.5)
        if share < _LEAST_SHARE or share < _LEAST_LIFT * prior:
            continue
        if code not in below:
            below[code] = _billable_below(system, code)
        for i in below[code]:
            best[gram][i] = max(best[gram].get(i, 0.0), share)
    names = tuple(sorted(best))
    pairs = [(i, best[g][i]) for g in names for i in sorted(best[g])]
    indptr = np.concatenate([[0], np.cumsum([len(best[g]) for g in names])]).astype(np.int32)
    return names, indptr, np.array([i for i, _ in pairs], np.int32), np.array([w for _, w in pairs], np.float32)


def _billable_below(system: CodeSystem, code: str) -> list[int]:
    """The code itself if billable, else the billable codes it begins, if these are at most eight."""
    key = code.replace(".", "").upper().encode()
    codes = np.asarray(system.codes)
    low, high = np.searchsorted(codes, [key, key + b"~"])
    found = [int(i) for i in range(low, high) if system.billable[i]]
    if low < len(codes) and codes[low] == key and system.billable[low]:
        return [int(low)]
    return found if len(found) <= 8 else []


_DIGIT = re.compile(r"\d")
