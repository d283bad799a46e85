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

from codesuggest.charges import (
    LINE_FEATURES,
    TABLE_ONLY,
    TABLE_ONLY_INTERCEPT,
    ChargeLines,
    ChargeScorer,
    ChargeTable,
    Line,
    lines_of,
    ngrams,
    texts_of,
    words_in,
)
from codesuggest.codes.system import CodeSystem

Floats = npt.NDArray[np.float64]
Calibrate = Callable[[Floats, npt.NDArray[np.bool_]], tuple[Floats, Floats]]

RIDGE = 0.3  #: flat between 0.1 and 1 on held-out halves of the reference charges
STRENGTH = 1.0  #: inverse strength of the L2 penalty of the ranking, features scaled to unit deviation
KEPT = 200  #: n-grams kept of each code; all of them (60,000) change the accuracy by less than 0.005
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


def from_table(system: CodeSystem) -> ChargeLines:
    """What the table alone tells, for a model that was shown no charge line."""
    return _with_table(system, [], min_groups=1)


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
        scorer = ChargeScorer(_with_table(system, rest, min_groups=min_groups, seed=seed), system)
        for row, scored in zip(held, scorer.candidates([r.line for r in held], anything), strict=True):
            xs.append(scored.x)
            ys.append(scored.code == row.code)
    whole = _with_table(system, rows, min_groups=min_groups, seed=seed)
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


def _with_table(system: CodeSystem, rows: Sequence[CodedLine], *, min_groups: int, seed: int = 0) -> ChargeLines:
    """Vocabulary, table and (if there are lines) learned weights, ranked as by the table alone."""
    texts = texts_of(system)
    text_words = [words_in(text) for _, text in texts]
    row_words = [[word for word, _, _ in row.line.words] for row in rows]
    grams, idf = _vocabulary(row_words, [row.group for row in rows], text_words, min_groups)
    none, empty = np.zeros(0, np.float32), np.zeros(0, np.int32)
    blank = np.zeros(len(grams) + 1, np.int32)
    base = ChargeLines(
        grams, idf, blank, empty, none, blank, empty, none, blank, empty, none,
        np.array([i for i, _ in texts], np.int32), none,
        np.zeros(len(system), np.float32),
        np.array([TABLE_ONLY.get(f, 0.0) for f in LINE_FEATURES]), TABLE_ONLY_INTERCEPT,
        np.array([-6.0, 0.0, 4.0]), np.array([0.01, 0.5, 0.9]), 0.5,
    )  # fmt: skip
    vectors = base.vectors(text_words)
    number = base.number
    mass = [sum(float(idf[number[g]]) ** 2 for g in {f"={w}" for w in words} if g in number) for words in text_words]
    base = replace(base, **_csr("text", vectors.T.tocsr()), text_mass=np.array(mass, np.float32))
    if not rows:
        return base
    x = base.vectors(row_words)
    code = np.array([row.code for row in rows], np.int32)
    table = ChargeTable.of(system)
    prior = np.log1p(np.bincount(code, minlength=len(system))).astype(np.float32)
    return replace(
        base, **_csr("weight", _ridge(x, code, table, seed)), **_csr("like", _means(x, code, len(system))), prior=prior
    )


def _vocabulary(
    rows: Sequence[Sequence[str]], groups: Sequence[str], texts: Sequence[Sequence[str]], min_groups: int
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """N-grams of the table, and those of the lines of enough groups (and of two lines at least); their idf."""
    count: dict[str, int] = {}
    held: dict[str, set[str]] = {}
    for words, group in zip(rows, groups, strict=True):
        for gram in set(ngrams(words)):
            count[gram] = count.get(gram, 0) + 1
            seen = held.setdefault(gram, set())
            if len(seen) < min_groups:
                seen.add(group)
    of_table: dict[str, int] = {}
    for words in texts:
        for gram in set(ngrams(words)):
            of_table[gram] = of_table.get(gram, 0) + 1
    kept = sorted(
        [g for g in of_table if of_table[g] + count.get(g, 0) >= 2 or (g[0] == "=" and " " not in g)]
        + [g for g, n in count.items() if g not in of_table and n >= 2 and len(held[g]) >= min_groups]
    )
    total = len(rows) + len(texts)
    df = np.array([count.get(g, 0) + of_table.get(g, 0) for g in kept], np.float64)
    return tuple(kept), (np.log((1 + total) / (1 + df)) + 1).astype(np.float32)


def _ridge(x: Any, code: npt.NDArray[np.int32], table: ChargeTable, seed: int) -> Any:
    """(g, columns) CSR: weights of codes, chapters and families, the KEPT strongest n-grams of each."""
    from scipy import sparse

    if x.shape[0] > MOST_LINES:
        chosen = np.array(sorted(random.Random(seed).sample(range(x.shape[0]), MOST_LINES)))
        x, code = x[chosen], code[chosen]
    x = x.astype(np.float64)
    gram = (x @ x.T).toarray() + RIDGE * np.eye(x.shape[0])
    columns = np.unique(np.concatenate([code, table.chapter[code], table.family[code]]))
    parts: list[Any] = []
    place: list[int] = []
    back = x.T.tocsr()
    for low in range(0, len(columns), 128):
        some = columns[low : low + 128]
        target = (
            (code[:, None] == some) | (table.chapter[code][:, None] == some) | (table.family[code][:, None] == some)
        )
        weights = back @ np.linalg.solve(gram, target.astype(np.float64))
        if weights.shape[0] > KEPT:
            least = -np.partition(-np.abs(weights), KEPT - 1, axis=0)[KEPT - 1]
            weights = np.where(np.abs(weights) >= least, weights, 0)
        parts.append(sparse.csr_array(np.round(weights, 5)))
        place += some.tolist()
    joined = sparse.hstack(parts).tocoo()
    where = np.array(place, np.int32)[joined.col]
    return sparse.csr_array((joined.data, (joined.row, where)), shape=(x.shape[1], table.columns))


def _means(x: Any, code: npt.NDArray[np.int32], codes: int) -> Any:
    """(g, k) CSR: the mean line of each code, unit length."""
    from scipy import sparse

    member = sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape=(codes, len(code)))
    total = (member @ x).tocsr()
    length = np.sqrt(np.asarray((total * total).sum(1)).ravel())
    return (sparse.diags_array(1 / np.maximum(length, 1e-9)) @ total).T.tocsr()


def _csr(part: str, matrix: Any) -> dict[str, Any]:
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return {
        f"{part}_indptr": matrix.indptr.astype(np.int32),
        f"{part}_column": matrix.indices.astype(np.int32),
        f"{part}_value": matrix.data.astype(np.float32),
    }
