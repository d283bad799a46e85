"""The figures of an evaluation: what each is called and says, and how it is made of sums over documents.

All of them are made of weighted sums, so that a bootstrap sample costs one product: `figures_of` of the rows that
`scoring` counts, `macro_of` of what is counted of each code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.levels import LEVELS
from codesuggest.scoring import BINS, COLUMN, COUNTED, Case

Floats = npt.NDArray[np.float64]

#: What each figure says, in the order they are shown. Ratios and errors lie in [0, 1].
FIGURES = {
    "P": "suggested codes that the coders gave, in any tier",
    "R": "required codes found among the suggested",
    "F1": "2PR / (P + R)",
    "P3": "P at the three-character category",
    "R3": "R at the three-character category",
    "F13": "F1 at the three-character category",
    "P:block": "P at the block of the code table",
    "R:block": "R at the block",
    "F1:block": "F1 at the block",
    "P:chapter": "P at the chapter",
    "R:chapter": "R at the chapter",
    "F1:chapter": "F1 at the chapter",
    "P:hierarchy": "P over codes, categories, blocks, chapters alike",
    "R:hierarchy": "R over codes, categories, blocks, chapters alike",
    "F1:hierarchy": "F1 of these two",
    "P:macro": "mean over codes of the P of one code",
    "R:macro": "mean over codes of the R of one code",
    "F1:macro": "mean over codes of the F1 of one code",
    "MAP": "mean average precision of the ranked list, over required codes",
    "R@10": "required codes found among the 10 best",
    "R@200": "required codes found among the 200 best",
    "evidence": "right suggested codes whose evidence meets the coders'",
    "evidence:exact": "the same, from the first to the last character",
    "evidence:words": "words shared with the coders' span, of those of both",
    "ECE": "gap between confidence and rightness, in 10 bins",
    "Brier": "mean squared gap of confidence and rightness",
    "suggested_per_note": "codes suggested a document",
    "required": "required codes, a count",
}
FEWER_IS_BETTER = ("ECE", "Brier")
OF_TABLE = tuple(f"{name}:{level}" for level in ("block", "chapter", "hierarchy") for name in ("P", "R", "F1"))


def per_code(cases: Sequence[Case], own: Callable[[Case], Callable[[str], bool]]) -> tuple[Any, Any, Any]:
    """Sparse (documents, codes): required codes found; required codes; codes suggested that the coders did not give.

    own: of a case, which of its codes are counted. The order of the codes says nothing.
    """
    from scipy import sparse

    place: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    required: list[tuple[int, int]] = []
    wrong: list[tuple[int, int]] = []
    for n, case in enumerate(cases):
        counted = own(case)
        chosen = {s.code for s in case.listed if s.suggested}
        for code, by in case.gold.finds.items():
            if counted(code):
                required.append((n, place.setdefault(code, len(place))))
                if not chosen.isdisjoint(by):
                    found.append(required[-1])
        for code in sorted(chosen - case.gold.codes.keys()):
            if counted(code):
                wrong.append((n, place.setdefault(code, len(place))))

    def counts(cells: list[tuple[int, int]]) -> Any:
        row, column = np.array(cells, np.int64).reshape(-1, 2).T
        return sparse.csr_array((np.ones(len(row)), (row, column)), shape=(len(cases), len(place)))

    return counts(found), counts(required), counts(wrong)


def figures_of(sums: Floats) -> dict[str, Floats]:
    """Figures, each (...), from weighted sums over documents, (..., columns)."""
    of = {name: sums[..., i] for name, i in COLUMN.items()}
    n, confidence, right = np.moveaxis(sums[..., len(COUNTED) :].reshape(*sums.shape[:-1], BINS, 3), -1, 0)
    looked_at = n.sum(-1)
    out = {
        "MAP": _ratio(of["average_precision"], of["ranked"]),
        "R@10": _ratio(of["found10"], of["required"]),
        "R@200": _ratio(of["found200"], of["required"]),
        "evidence": _ratio(of["located"], of["locatable"]),
        "evidence:exact": _ratio(of["located_exactly"], of["locatable"]),
        "evidence:words": _ratio(of["located_share"], of["locatable"]),
        "ECE": _ratio(np.abs(confidence - right).sum(-1), looked_at),
        "Brier": _ratio(of["squared_error"], looked_at),
        "suggested_per_note": _ratio(of["suggested"], of["documents"]),
        "required": of["required"],
    }
    counted = ("right", "suggested", "found", "required")
    all_levels = {name: sum(of[f"{name}{at}"] for at in ("", *(f":{x}" for x in LEVELS))) for name in counted}
    for names, at in ((("P", "R", "F1"), ""), (("P3", "R3", "F13"), ":category")):
        out |= _precision_recall(names, *(of[f"{name}{at}"] for name in counted))
    for level in ("block", "chapter"):
        names = (f"P:{level}", f"R:{level}", f"F1:{level}")
        out |= _precision_recall(names, *(of[f"{name}:{level}"] for name in counted))
    return out | _precision_recall(
        ("P:hierarchy", "R:hierarchy", "F1:hierarchy"), *map(np.asarray, all_levels.values())
    )


def _precision_recall(
    names: tuple[str, str, str], right: Floats, suggested: Floats, found: Floats, required: Floats
) -> dict[str, Floats]:
    p, r = _ratio(right, suggested), _ratio(found, required)
    return dict(zip(names, (p, r, _ratio(2 * p * r, p + r)), strict=True))


def macro_of(found: Floats, required: Floats, wrong: Floats) -> dict[str, Floats]:
    """Means over codes, each (samples,), of counts (samples, codes); over the codes of which a sample says anything."""
    p, r = _ratio(found, found + wrong), _ratio(found, required)
    told = (required + wrong > 0).sum(-1).astype(np.float64)
    parts = {"P:macro": p, "R:macro": r, "F1:macro": _ratio(2 * p * r, p + r)}
    return {name: _ratio(values.sum(-1), told) for name, values in parts.items()}


def _ratio(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
