"""Why a candidate has its score: what each feature adds to it, as the `why` of suggestions and as JSON.

Of the suggestions of a note few are ever asked why, so the names and the order are found when the first one is. A batch asks them
all, but for their JSON only: it is written without a dictionary for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
import numpy.typing as npt

from codesuggest.features import FEATURES

_HEADS = tuple(f',"{name}":' for name in FEATURES)
_MOST_NUMBERS = 20_000
_ROW_BITS = 20

#: Until somebody reads: places in `FEATURES` of the columns, places in the flat products of those that are not zero, and these.
_Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64]]
#: Afterwards: features and values of all candidates one after another, and where each one's begin; one more for the end.
_Sorted = tuple[list[int], list[float], list[int]]


class Contributions(Sequence[Mapping[str, float]]):
    """By candidate the named contributions to its score that are not zero, largest first, equal ones in the order of `FEATURES`."""

    __slots__ = ("_held", "_size")

    def __init__(self, features: npt.NDArray[np.int64], products: npt.NDArray[np.float64]) -> None:
        """features: int (k,), places in `FEATURES`, ascending, of the columns of products (n, k)."""
        flat = products.ravel()
        at = (flat != 0).nonzero()[0]
        self._size = len(products)
        self._held: _Found | _Sorted = features, at.astype(np.int32), flat.take(at)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, row: int) -> dict[str, float]:  # type: ignore[override]
        features, values, begin = self._sorted()
        own = slice(begin[row], begin[row + 1])
        return dict(zip(map(FEATURES.__getitem__, features[own]), values[own], strict=True))

    def written(self, row: int) -> str:
        """As JSON writes it: `json.dumps(self[row], separators=(",", ":"))`, three times faster."""
        features, values, begin = self._sorted()
        own = slice(begin[row], begin[row + 1])
        parts = [""] * (2 * (own.stop - own.start))
        parts[::2] = map(_HEADS.__getitem__, features[own])
        parts[1::2] = map(_NUMBERS.__getitem__, values[own])
        return f"{{{''.join(parts)[1:]}}}"

    def _sorted(self) -> _Sorted:
        held = self._held
        if isinstance(held[0], list):
            return held
        features, at, value = held
        row, column = np.divmod(at.astype(np.int64), max(1, len(features)))
        order = _by_size(row, value)
        found = features.take(column.take(order)).tolist(), value.take(order).tolist()
        made = *found, row.searchsorted(np.arange(len(self) + 1)).tolist()
        self._held = made  # where two threads make it, either is the same
        return made


class _Numbers(dict[float, str]):
    """Floats as JSON writes them. Kept, for three of four contributions of a note were met before; never zero, which has two
    signs and one key."""

    def __missing__(self, number: float) -> str:
        if len(self) >= _MOST_NUMBERS:
            self.clear()
        text = self[number] = repr(number) if isfinite(number) else json.dumps(number)
        return text


_NUMBERS = _Numbers()


def _by_size(row: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Order by row and, within one, by size, the largest first; equal ones as they stand. row: ascending."""
    if len(row) and int(row[-1]) < 1 << _ROW_BITS - 1:
        # one whole number to sort by is quicker than two columns: the bits of a positive float ascend with it. The last bits have
        # no room: two that are alike but for them are looked at again.
        falling = np.abs(value).view(np.int64) >> _ROW_BITS
        key = row << (63 - _ROW_BITS)
        key -= falling
        order = key.argsort()
        key = key.take(order)
        if not (key[1:] == key[:-1]).any():
            return order
    return np.lexsort((-np.abs(value), row))
