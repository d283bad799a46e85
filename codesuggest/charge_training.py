"""Coded charge lines -> ChargeLines: n-grams, ridge weights, ranking, calibration, threshold.

The ridge regression is solved exactly in its dual form (one linear system for all codes, as many unknowns as lines), so the same
lines give the same weights; then the strongest n-grams of each code are kept. The ranking is fitted on features of lines that
the regression had not seen, in folds that keep the lines of one group together.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.charge_scoring import ChargeScorer
from codesuggest.charges import (
    LINE_FEATURES,
    ChargeLines,
    Ints,
    Line,
    columns_of,
    csr_of,
    from_table,
    lines_of,
)
from codesuggest.codes.system import CodeSystem

Floats = npt.NDArray[np.float64]
Calibrate = Callable[[Floats, npt.NDArray[np.bool_]], tuple[Floats, Floats]]

RIDGE = 0.3  #: flat between 0.1 and 1 on held-out halves of the reference charges
STRENGTH = 1.0  #: inverse strength of the L2 penalty of the ranking, features scaled to unit deviation
KEPT = 300  #: n-grams kept of each code, those that tell most; three times as many gain less than 0.01
SHRINK = 0.7
FOLDS = 5
MOST_LINES = 8_000  #: the dual system grows with their square; of more lines a seeded choice gives the weights


@dataclass(frozen=True, slots=True)
class CodedLine:
    """A line, the position of its code, and its group (lines that must not be split)."""

    line: Line
    code: int
    group: str


def coded_line(text: str, code: int, group: str) -> CodedLine | None:
    """The line of a training document, None if it holds no word. A document of several lines is one description."""
    found = lines_of(text.replace("\n", " "))
    return CodedLine(found[0], code, group) if found else None


def fit(
    system: CodeSystem, rows: Sequence[CodedLine], *, calibrate: Calibrate, min_groups: int, seed: int
) -> ChargeLines:
    """All of it, from coded lines. calibrate: scores and which are right -> knots. min_groups: an n-gram that the code table
    does not hold is kept only if lines of so many groups do (invariant 5)."""
    from sklearn.linear_model import LogisticRegression

    names = sorted({row.group for row in rows})
    random.Random(seed).shuffle(names)
    fold_of = {name: i % FOLDS for i, name in enumerate(names)}
    fold = [fold_of[row.group] for row in rows]
    anything = np.asarray(system.billable)
    xs: list[npt.NDArray[np.float32]] = [np.zeros((0, len(LINE_FEATURES)), np.float32)]
    ys: list[npt.NDArray[np.bool_]] = [np.zeros(0, bool)]
    for k in range(FOLDS):
        held = [row for row, f in zip(rows, fold, strict=True) if f == k]
        rest = [row for row, f in zip(rows, fold, strict=True) if f != k]
        if not held or not rest:
            continue
        scorer = ChargeScorer(_learned(system, rest, min_groups=min_groups, seed=seed), system)
        for row, scored in zip(held, scorer.candidates([r.line for r in held], anything), strict=True):
            xs.append(scored.x)
            ys.append(scored.code == row.code)
    whole = _learned(system, rows, min_groups=min_groups, seed=seed)
    x, y = np.vstack(xs).astype(np.float64), np.concatenate(ys)
    if not y.any() or y.all():
        return whole
    scale = np.maximum(x.std(0), 0.02)
    model = LogisticRegression(C=STRENGTH, solver="newton-cholesky", max_iter=200, tol=1e-8).fit(x / scale, y)
    weights, intercept = np.round(model.coef_[0] / scale, 6), round(float(model.intercept_[0]), 6)
    whole = replace(whole, weights=weights, intercept=intercept)
    score = whole.score(x.astype(np.float32))
    knots = calibrate(score, y)
    whole = replace(whole, knots_score=knots[0], knots_confidence=knots[1])
    return replace(whole, threshold=_best_threshold(whole.confidence(score), y, len(rows)))


def _best_threshold(confidence: Floats, right: npt.NDArray[np.bool_], lines: int) -> float:
    """The confidence from which suggesting gives the best F1 over lines that were not learned from."""
    grid = np.round(np.linspace(0.05, 0.9, 86), 3)
    best, at = -1.0, 0.5
    for t in grid.tolist():
        chosen = confidence >= t
        hit = int((chosen & right).sum())
        f1 = 2 * hit / max(1, int(chosen.sum()) + lines)
        if f1 > best:
            best, at = f1, t
    return at


def _learned(system: CodeSystem, rows: Sequence[CodedLine], *, min_groups: int, seed: int) -> ChargeLines:
    """Table, vocabulary and learned weights, still ranked as by the table alone."""
    words = [[word for word, _, _ in row.line.words] for row in rows]
    base = from_table(system, words, [row.group for row in rows], min_groups=min_groups)
    x = base.vectors(words)
    code = np.array([row.code for row in rows], np.int32)
    prior = np.log1p(np.bincount(code, minlength=len(system))).astype(np.float32)
    weight = _ridge(x, code, *columns_of(system), seed)
    vote = _votes(base, words, code, len(system))
    like = _means(x, code, len(system))
    return replace(base, **csr_of("weight", weight), **csr_of("like", like), **csr_of("vote", vote), prior=prior)


def _ridge(x: Any, code: Ints, chapter: Ints, family: Ints, size: int, seed: int) -> Any:
    """(g, columns) CSR: weights of codes, chapters and families, the KEPT strongest n-grams of each."""
    from scipy import sparse

    if x.shape[0] > MOST_LINES:
        chosen = np.array(sorted(random.Random(seed).sample(range(x.shape[0]), MOST_LINES)))
        x, code = x[chosen], code[chosen]
    x = x.astype(np.float64)
    gram = (x @ x.T).toarray() + RIDGE * np.eye(x.shape[0])
    columns = np.unique(np.concatenate([code, chapter[code], family[code]]))
    parts: list[Any] = []
    place: list[int] = []
    back = x.T.tocsr()
    spread = np.sqrt(np.asarray((x * x).sum(0)).ravel())  # a weight tells as much as its n-gram is there
    for low in range(0, len(columns), 128):
        some = columns[low : low + 128]
        target = (code[:, None] == some) | (chapter[code][:, None] == some) | (family[code][:, None] == some)
        weights = back @ np.linalg.solve(gram, target.astype(np.float64))
        if weights.shape[0] > KEPT:
            told = np.abs(weights) * spread[:, None]
            least = -np.partition(-told, KEPT - 1, axis=0)[KEPT - 1]
            weights = np.where(told >= least, weights, 0)
        parts.append(sparse.csr_array(np.round(weights, 5)))
        place += some.tolist()
    joined = sparse.hstack(parts).tocoo()
    where = np.array(place, np.int32)[joined.col]
    return sparse.csr_array((joined.data, (joined.row, where)), shape=(x.shape[1], size))


def _votes(base: ChargeLines, words: Sequence[Sequence[str]], code: Ints, codes: int) -> Any:
    """(g, k) CSR: of the lines with a word or word pair, the share that has the code: k / (n + SHRINK)."""
    from scipy import sparse

    present = base.vectors(words).sign()
    present = present @ sparse.diags_array(np.array([float(g[0] == "=") for g in base.grams]))
    member = sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape=(codes, len(code)))
    share = 1 / (np.asarray(present.sum(0)).ravel() + SHRINK)
    return (sparse.diags_array(share) @ (member @ present).T).tocsr()


def _means(x: Any, code: Ints, codes: int) -> Any:
    """(g, k) CSR: the mean line of each code, unit length."""
    from scipy import sparse

    member = sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape=(codes, len(code)))
    total = (member @ x).tocsr()
    length = np.sqrt(np.asarray((total * total).sum(1)).ravel())
    return (sparse.diags_array(1 / np.maximum(length, 1e-9)) @ total).T.tocsr()
