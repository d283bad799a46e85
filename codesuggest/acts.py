"""Steps of operations: what a surgeon tells of what was done, where the operation is not named.

"The mesoappendix was divided and the base stapled" is an appendectomy. A step ("act" in `procedures.tsv`) is a few words by
which surgeons know the operation; each is weak, and several told in different sentences are strong. A step that several
operations share says less of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

#: Columns filled in here: different steps told (a logarithm over its usual height); sentences that tell one, those that few
#: other operations share counting more (a logarithm); the same as a share of the most any operation has, in [0, 1].
COLUMNS = ("act:steps", "act:own", "act:share")


def columns(row: Ints, term: Ints, segment: Ints, first: Ints, last: Ints, n: int) -> dict[str, Floats]:
    """What the steps told say of each of n operations.

    row, term, segment, first, last: (a,), of each step told the operation, the term, its segment and its words.
    """
    if not len(row):
        return {name: np.zeros(n, np.float32) for name in COLUMNS}
    steps = _distinct(row, term, n)
    spans, claim = np.unique(np.stack([segment, first, last], 1), axis=0, return_inverse=True)
    claim = claim.reshape(-1)
    pairs = np.unique(claim.astype(np.int64) * n + row)
    claims = np.bincount(pairs // n, minlength=len(spans))
    best = np.zeros((n, int(segment.max()) + 1))
    np.maximum.at(best, (row, segment), 1 / claims[claim])
    own = best.sum(1)
    values = {
        "act:steps": np.log1p(steps) / 2,
        "act:own": np.log1p(own),
        "act:share": own / max(1e-9, own.max(initial=0)),
    }
    return {name: np.asarray(value, np.float32) for name, value in values.items()}


def _distinct(row: Ints, value: Ints, n: int) -> Ints:
    """How many different values each row has. row, value: (a,), value at least 0."""
    size = int(value.max(initial=0)) + 1
    pairs = np.unique(row.astype(np.int64) * size + value)
    return np.bincount(pairs // size, minlength=n)
