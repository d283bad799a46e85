"""Which candidates of a note an Excludes1 note of the Tabular List keeps apart (I.A.12.a, FY2026), as features of a ranking.

Two such codes that rest on the same words are hardly ever both right: "type 2 diabetes with hyperglycemia" finds E10.65 beside
E11.65, and one of them is wrong. Nothing is removed for it: how probable the better one is speaks against the lesser, and the check
`excludes1` speaks where both are left.

Of every code the notes over it and the notes that name it are kept, so that the pairs of a note of a patient are found in a few
array operations (0.04 ms).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.codes.system import CodeSystem
from codesuggest.retrieve import among, distinct, ragged

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Apart:
    """over_indptr (k + 1,), over: CSR of code -> the Excludes1 notes at it, at a code above it, at its block or chapter.
    named_indptr, named: CSR of code -> the notes that name it."""

    over_indptr: Ints
    over: Ints
    named_indptr: Ints
    named: Ints

    @classmethod
    def of(cls, system: CodeSystem) -> Apart:
        rows = [(node, *row) for node, own in sorted(system.intervals("excludes1").items()) for row in own]
        node, start, stop, note = np.array(rows, np.int64).reshape(-1, 4).T
        row, offset = ragged(stop - start)
        codes = np.asarray(system.codes)
        begin, end = np.zeros(len(node), np.int64), np.zeros(len(node), np.int64)
        at_code = node < len(codes)
        own = codes.take(node.compress(at_code))
        begin[at_code], end[at_code] = codes.searchsorted(own), codes.searchsorted(np.char.add(own, b"\x7f"))
        begin[~at_code], end[~at_code] = _stretches(system, node.compress(~at_code) - len(codes))
        below, place = ragged(end - begin)
        return cls(
            *_csr(begin.take(below) + place, note.take(below), len(codes)),
            *_csr(start.take(row) + offset, note.take(row), len(codes)),
        )

    def pairs(self, note: Ints, code: Ints) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Of these codes (n,), each of one of some patients' notes (n,), the pairs of one note that are kept apart: places in
        `code` (q,) and (q,), each pair in one or both directions.

        A note that names both codes of a pair says nothing about them: it sends something third there.
        """
        owner, over = _members(self.over_indptr, self.over, code)
        other, named = _members(self.named_indptr, self.named, code)
        size = np.int64(len(self.over) + len(self.named) + 1)
        kept = (~among(owner * size + over, other * size + named)).nonzero()[0]
        owner, over = owner.take(kept), over.take(kept)
        if note.any():  # a note of the Tabular List counts within one note of a patient
            over += note.take(owner) * size
            named += note.take(other) * size
        order = named.argsort(kind="stable")
        held = named.take(order)
        first = held.searchsorted(over)
        row, offset = ragged(held.searchsorted(over, side="right") - first)
        return owner.take(row), other.take(order.take(first.take(row) + offset))


def _members(indptr: Ints, values: Ints, code: Ints) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(place in `code`, value) of all values of these codes."""
    start = indptr.take(code)
    row, offset = ragged(indptr.take(code + 1) - start)
    return row, values.take(start.take(row) + offset).astype(np.int64)


def _csr(code: Ints, value: Ints, codes: int) -> tuple[Ints, Ints]:
    """Each value of a code once, in order."""
    size = np.int64(value.max(initial=0) + 1)
    code, value = np.divmod(distinct(code * size + value), size)
    indptr = np.zeros(codes + 1, np.int32)
    np.cumsum(np.bincount(code, minlength=codes), out=indptr[1:])
    return indptr, value.astype(np.int32)


def _stretches(system: CodeSystem, groups: Ints) -> tuple[Ints, Ints]:
    """First code of each block or chapter, and the one behind its last: its codes stand together."""
    parent = np.asarray(system.arrays()["group_parent"], np.int64)
    begin, end = np.full(len(parent), len(system), np.int64), np.zeros(len(parent), np.int64)
    code, group = np.arange(len(system)), np.asarray(system.group, np.int64)
    while len(code):
        kept = (group >= 0).nonzero()[0]
        code, group = code.take(kept), group.take(kept)
        np.minimum.at(begin, group, code)
        np.maximum.at(end, group, code + 1)
        group = parent.take(group)
    return begin.take(groups), np.maximum(end, begin).take(groups)
