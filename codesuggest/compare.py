"""Two models on the same documents: how far figures moved, with paired intervals, and what changed code by code.

Both are drawn with the same bootstrap samples, so that what makes a document hard for both does not widen the interval
of the difference. `Gate` turns a comparison into a yes or no for a build.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from codesuggest.errors import OptionError
from codesuggest.evaluation import Evaluation
from codesuggest.figures import FEWER_IS_BETTER, FIGURES
from codesuggest.scoring import Case, Listed

_GATE = re.compile(r"\s*([^=\s]+)\s*=\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*")


#: What can become of a code that is suggested by one of the two: right ones first.
KINDS = ("gained", "lost", "added", "dropped")


class Difference(NamedTuple):
    """One figure before and after. low, high: 95% interval of `change` by the paired bootstrap over documents.

    p: two-sided, from the share of samples in which the change has the other sign: 2 (min(#(d <= 0), #(d >= 0)) + 1) over
    samples + 1, at most 1 (Efron and Tibshirani 1993, chapter 15). Documents of one patient hang together, and make it
    smaller than it is.
    """

    before: float
    after: float
    low: float
    high: float
    p: float

    @property
    def change(self) -> float:
        return self.after - self.before


class Change(NamedTuple):
    """A code of a document that one of the two suggests and the other does not.

    kind: "gained" (right, now suggested), "lost" (right, no longer), "added" (wrong, now suggested), "dropped" (wrong, no
    longer). before, after: confidence in [0, 1], None where it was not listed.
    """

    document: str
    code: str
    kind: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """differences: figure -> what became of it. changes: in order of document, kind and code."""

    system: str
    documents: int
    differences: dict[str, Difference]
    changes: tuple[Change, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Kind of change -> how many."""
        counts = Counter(change.kind for change in self.changes)
        return {kind: counts[kind] for kind in KINDS}

    def by_code(self) -> dict[str, dict[str, int]]:
        """Code -> kind -> how many, the codes that moved most first."""
        counts: dict[str, Counter[str]] = {}
        for change in self.changes:
            counts.setdefault(change.code, Counter())[change.kind] += 1
        order = sorted(counts, key=lambda code: (-sum(counts[code].values()), code))
        return {code: {kind: counts[code][kind] for kind in KINDS} for code in order}

    def to_dict(self) -> dict[str, Any]:
        differences = {n: {**d._asdict(), "change": d.change} for n, d in self.differences.items()}
        changes = [change._asdict() for change in self.changes]
        return {
            "system": self.system,
            "documents": self.documents,
            "differences": differences,
            "counts": self.counts,
            "changes": changes,
        }


def compare(before: Evaluation, after: Evaluation, *, samples: int = 1000, seed: int = 0) -> Comparison:
    """Figures of two evaluations of the same documents, and the codes that moved across the threshold.

    Raises OptionError unless both are of the same documents, coded in the same system, and for fewer than one sample.
    """
    if before.system != after.system:
        raise OptionError(f"one evaluation is of {before.system}, the other of {after.system}")
    order = _same_order(before, after)
    if samples < 1:
        raise OptionError("samples must be at least 1")
    after = after.of_documents(order)
    old, new = before.resampled(samples, seed), after.resampled(samples, seed)
    differences = {}
    ours, theirs = before.figures, after.figures
    for name in FIGURES:
        if name == "required" or name not in ours or name not in theirs:
            continue
        change = new[name] - old[name]
        low, high = np.quantile(change, [0.025, 0.975]).tolist()
        fewer = min(int((change <= 0).sum()), int((change >= 0).sum()))
        differences[name] = Difference(ours[name], theirs[name], low, high, min(1.0, 2 * (fewer + 1) / (samples + 1)))
    pairs = zip(before.cases, after.cases, strict=True)
    changes = tuple(change for one, other in pairs for change in _changes(one, other))
    return Comparison(before.system, before.documents, differences, changes)


def _same_order(before: Evaluation, after: Evaluation) -> list[int]:
    """Where the documents of the one stand in the other."""
    place = {case.id: n for n, case in enumerate(after.cases)}
    ids = [case.id for case in before.cases]
    if len(ids) != before.documents or set(ids) != set(place):
        raise OptionError("both evaluations must be of the same documents, with the same ids")
    if any(one.gold != after.cases[place[one.id]].gold for one in before.cases):
        raise OptionError("the documents of the two evaluations were not given the same codes")
    return [place[id] for id in ids]


def _changes(before: Case, after: Case) -> Iterable[Change]:
    old, new = _by_code(before), _by_code(after)
    out = []
    for code in sorted({*old, *new}):
        was, now = old.get(code), new.get(code)
        moved = (now is not None and now.suggested) - (was is not None and was.suggested)
        if moved:
            right = code in before.gold.codes
            kind = ("gained" if moved > 0 else "lost") if right else ("added" if moved > 0 else "dropped")
            out.append(Change(before.id, code, kind, was and was.confidence, now and now.confidence))
    return sorted(out, key=lambda change: (KINDS.index(change.kind), change.code))


def _by_code(case: Case) -> dict[str, Listed]:
    return {s.code: s for s in case.listed}


# ---- a gate


@dataclass(frozen=True, slots=True)
class Gate:
    """How far a figure may move for the worse: "F1=-0.005" lets F1 fall by 0.005, "ECE=0.01" lets ECE rise by 0.01.

    A bound of the other sign asks for a gain: "MAP=0.01" passes only where MAP rises by as much.
    """

    figure: str
    bound: float

    @classmethod
    def read(cls, text: str) -> Gate:
        """Raises OptionError for what is no gate, or of no figure."""
        match = _GATE.fullmatch(text)
        names = [name for name in FIGURES if name != "required"]
        if match is None or match[1] not in names:
            raise OptionError(f"a gate is FIGURE=BOUND, as F1=-0.005; figures are {', '.join(names)}")
        return cls(match[1], float(match[2]))

    def passes(self, comparison: Comparison) -> bool:
        """Raises OptionError where the comparison does not have the figure."""
        found = comparison.differences.get(self.figure)
        if found is None:
            raise OptionError(f"these results have no {self.figure}")
        change = round(found.change, 9)  # 0.62 - 0.615 is a little more than 0.005
        return change <= self.bound if self.figure in FEWER_IS_BETTER else change >= self.bound


def failed(gates: Sequence[Gate], comparison: Comparison) -> list[Gate]:
    """The gates that do not let the new model through."""
    return [gate for gate in gates if not gate.passes(comparison)]
