"""What the candidates of a note say of each other, by the tables of `facts.py`.

Two things are read from them. Diagnoses that are said add up to a code that nobody writes (`implied.tsv`): hypertension and chronic
kidney disease are I12.9 (I.C.9.a.2, FY2026). And when a first ranking has told how probable each candidate is, one of them may take
the place of another (`pairs.tsv`) or explain it (`symptoms.tsv`).

Prefixes of codes are numbered as *groups*, and the groups of every code are kept, so that all rows of all tables are looked at in a
few array operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.apart import Apart
from codesuggest.codes.system import CodeSystem
from codesuggest.facts import implied, pairs, symptoms
from codesuggest.retrieve import found_in, ragged

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

#: Features of a candidate that the diagnoses said add up to: that they do, how well the weakest is said, whether all are among the
#: diagnoses, whether nothing else says it.
IMPLIED_FEATURES = (
    "company:implied",
    "company:implied_worth",
    "company:implied_in_diagnosis",
    "company:implied_unsaid",
)
#: Features of a candidate whose value depends on how probable the others are.
COMPANY_FEATURES = ("company:combined", "company:not_beside", "company:symptom_of", "company:implied_sure")
NOBODY = -1
_PLAIN = "without_complication"  #: rows of `pairs.tsv` whose first codes say that there is none


@dataclass(frozen=True, slots=True)
class Company:
    """The tables over the codes of one system.

    group_indptr (k+1,), group: CSR of code -> its groups; n_groups. Rows of `pairs.tsv` and `symptoms.tsv`: row_kind (r,), index in
    COMPANY_FEATURES; row_first (r,), the group it speaks against; row_needs (r, 2), groups that must stand beside, NOBODY if none.
    Rows of `implied.tsv`: target (q,), the code; parts (q, 3); unless (q,), groups or NOBODY. apart: the Excludes1 notes.
    """

    group_indptr: Ints
    group: Ints
    n_groups: int
    row_kind: Ints
    row_first: Ints
    row_needs: Ints
    target: Ints
    parts: Ints
    unless: Ints
    apart: Apart

    @classmethod
    def of(cls, system: CodeSystem) -> Company:
        number: dict[tuple[str, ...], int] = {}

        def group(prefixes: tuple[str, ...]) -> int:
            return number.setdefault(prefixes, len(number)) if prefixes else NOBODY

        rows = [(kind, group(first), group(second), group(also)) for kind, first, second, also in _against()]
        adds_up = [
            (system.index_of(row.code), *(group(p) for p in (*row.parts, (), ())[:3]), group(row.unless))
            for row in implied()
            if row.code in system
        ]
        indptr, groups = _groups_of_codes(system, list(number))
        # by column, and as numpy counts places: no copy of what is looked up in every note
        table = np.asfortranarray(np.array(rows, np.intp).reshape(-1, 4))
        sums = np.asfortranarray(np.array(adds_up, np.intp).reshape(-1, 5))
        return cls(
            indptr, groups, len(number), table[:, 0], table[:, 1], table[:, 2:], sums[:, 0], sums[:, 1:4], sums[:, 4],
            Apart.of(system),
        )  # fmt: skip

    def _groups(self, code: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        """(row of `code`, group) pairs of these codes."""
        start = self.group_indptr.take(code)
        count = self.group_indptr.take(code + 1) - start
        own = count.nonzero()[0]  # few codes are in any group
        part, offset = ragged(count.take(own))
        row = own.take(part)
        offset += start.take(row)
        return row, self.group.take(offset)

    def adds_up(self, note: Ints, code: Ints, worth: Floats, notes: int = 1) -> tuple[Ints, Ints, Ints]:
        """Codes that the diagnoses said in each of some notes add up to: (q,) the note, (q,) the code, and (q, 3) the place in
        `code` of the best witness of each part, NOBODY where a row has fewer.

        note, code, worth: (m,), codes that are said in which note and how well. A code that several rows lead to comes from the
        first of them.
        """
        row, group = self._groups(code)
        cell = group * notes + note.take(row)
        heard = np.zeros((self.n_groups + 1, notes), bool)
        heard.reshape(-1)[cell] = True
        fired = ~heard.take(self.unless, 0)
        heard[NOBODY] = True  # the last place is that of a part that a row does not ask for
        for part in self.parts.T:
            fired &= heard.take(part, 0)
        if not fired.any():
            return row[:0], self.target[:0], np.zeros((0, 3), np.int64)
        own, fact = fired.T.nonzero()
        best = np.full((self.n_groups + 1, notes), NOBODY, np.int64)
        order = np.lexsort((-row, worth[row]))
        best.reshape(-1)[cell[order]] = row[order]
        size = int(self.target.max()) + 1
        led, first = np.unique(own * size + self.target[fact], return_index=True)
        return led // size, led % size, best[self.parts[fact[first]], own[first][:, None]]

    def joined(
        self,
        candidate: Ints,
        concept_of: Ints,
        said: Ints,
        note: Ints,
        code: Ints,
        worth: Floats,
        *,
        notes: int,
        concepts: int,
    ) -> tuple[Ints, Ints]:
        """Candidates with those that the diagnoses said add up to: (n,), and (n, 3) the hits that witness each, or NOBODY.

        candidate: note * concepts + concept, ascending. concept_of (k,): of each code. said, note, code, worth (m,): hits that say
        a diagnosis in full. concepts: how many there are.
        """
        of, target, place = self.adds_up(note, code, worth, notes)
        if not len(target):
            return candidate, np.full((len(candidate), 3), NOBODY)
        implied = concept_of[target]
        known, hit = implied >= 0, np.where(place >= 0, np.append(said, NOBODY)[place], NOBODY)
        more = of[known] * concepts + implied[known]
        both = np.union1d(candidate, more)
        witness = np.full((len(both), 3), NOBODY)
        witness[np.searchsorted(both, more)] = hit[known]
        return both, witness

    def weigh(self, note: Ints, code: Ints, probability: Floats, notes: int = 1) -> Floats:
        """COMPANY_FEATURES of the candidates of some notes, float32 (n, 4), from the probability of each by a first ranking.

        note: (n,), of which note each is, ascending.
        """
        out = np.zeros((len(code), len(COMPANY_FEATURES)), np.float32)
        if not len(code):
            return out
        row, group = self._groups(code)
        cell = group * notes + note.take(row)
        strength = np.zeros((self.n_groups + 1, notes), np.float32)
        np.maximum.at(strength.reshape(-1), cell, probability.take(row))
        # the last place is that of a part that a row does not ask for, which is there, or of nobody who speaks against it
        free = strength.take(self.unless, 0) < 0.5
        strength[NOBODY] = 1
        kinds = len(COMPANY_FEATURES)
        against = np.zeros(self.n_groups * notes * kinds, np.float32)
        first, second = (strength.take(column, 0) for column in self.row_needs.T)
        at = (self.row_first * (notes * kinds) + self.row_kind)[:, None] + np.arange(notes) * kinds
        np.maximum.at(against, at.reshape(-1), np.minimum(first, second).reshape(-1))
        at = (row * kinds)[:, None] + np.arange(kinds)
        np.maximum.at(out.reshape(-1), at.reshape(-1), against.reshape(-1, kinds).take(cell, 0).reshape(-1))
        one, two, three = (strength.take(part, 0) for part in self.parts.T)
        sums = (np.minimum(np.minimum(one, two), three) * free).reshape(-1)
        led = sums.nonzero()[0]
        if len(led):
            fact, own = np.divmod(led, notes)
            size = max(int(code.max()), int(self.target.max())) + 1
            candidate, target = note * size + code, own * size + self.target.take(fact)
            order = candidate.argsort()
            known, at = found_in(candidate.take(order), target)
            sure = np.zeros(len(code), np.float32)
            np.maximum.at(sure, order.take(at), sums.take(led.take(known)))
            out[:, COMPANY_FEATURES.index("company:implied_sure")] = sure
        return out


def implied_features(witness: Ints, worth: Floats, in_diagnosis: Bools, best: Floats) -> tuple[Ints, Floats]:
    """The candidates that the diagnoses said add up to, int (m,), and their IMPLIED_FEATURES, float32 (m, 4).

    witness (n, 3): hits or NOBODY. worth, in_diagnosis (h,): of every hit. best (n,): how well the candidate is said itself.
    """
    row = np.flatnonzero((witness >= 0).any(1))
    hit = witness[row]
    there = hit >= 0
    weakest = np.where(there, np.minimum(worth[hit], 1), 1).min(1) if len(row) else np.zeros(0)
    among = (in_diagnosis[hit] | ~there).all(1) if len(row) else np.zeros(0)
    return row, np.stack([np.ones(len(row)), weakest, among, best[row] < 0.6], 1).astype(np.float32)


def _against() -> Iterator[tuple[int, tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    """(kind, prefixes spoken against, prefixes beside them, further ones) of `pairs.tsv` and `symptoms.tsv`.

    `unless` is passed over: a code that stands for both already speaks against the first all the more. Of a category with codes
    of its own for each complication (diabetes) a combination speaks against the code without any: E11.40 and E11.22 go together.
    """
    plain = {c: row.first for c, rows in pairs()["not_together"].items() for row in rows if row.case == _PLAIN}
    kinds = {"combination": 0, "not_together": 1, "history_and_current": 1, "excluded": 1}
    for name, kind in kinds.items():
        for category, rows in pairs()[name].items():
            for pair in rows:
                first = plain.get(category, pair.first) if name == "combination" else pair.first
                yield kind, _in(category, first), _of(category, pair.second), _of(category, pair.also)
    for category, listed in symptoms().items():
        for symptom, diagnoses in listed:
            yield 2, _in(category, symptom), diagnoses, ()


def _in(category: str, prefixes: Sequence[str]) -> tuple[str, ...]:
    return tuple(p for p in prefixes if p[:3] == category)


def _of(category: str, prefixes: Sequence[str]) -> tuple[str, ...]:
    return tuple(category + p[1:] if p[0] == "@" else p for p in prefixes)


def _groups_of_codes(system: CodeSystem, groups: Sequence[tuple[str, ...]]) -> tuple[Ints, Ints]:
    """CSR of code -> the numbers of the groups one of whose prefixes it begins with."""
    codes = np.asarray(system.codes)
    number = np.repeat(np.arange(len(groups)), [len(prefixes) for prefixes in groups])
    begin = np.array([p for prefixes in groups for p in prefixes], "S8")
    low = np.searchsorted(codes, begin)
    high = np.searchsorted(codes, np.char.add(begin, b"~"))
    count = high - low
    row = np.repeat(np.arange(len(begin)), count)
    code = low[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    pairs_ = np.unique(np.stack([code, number[row]], 1), axis=0)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(pairs_[:, 0], minlength=len(codes)))])
    return indptr.astype(np.int32), pairs_[:, 1].astype(np.int32)
