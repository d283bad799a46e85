"""The linear ranker over named features, and its calibration.

score = intercept + sum of weight[f] * x[f]        (the contributions travel with the suggestion as `why`)
confidence = piecewise-linear map of the score through stored knots, increasing, in [0, 1]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from codesuggest.company import COMPANY_FEATURES
from codesuggest.contributions import Contributions
from codesuggest.features import COLUMN, FEATURES, Table
from codesuggest.retrieve import Hits, ragged

Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]


RIVALS = 100  #: a candidate is held only against so many that rank best
FAINT = 0.02  #: probability below which a candidate is not looked up in the Excludes1 notes, as the better nor as the lesser


def rivals(table: Table, hits: Hits, score: npt.NDArray[np.float64]) -> None:
    """Fill the rival features of the table from a first ranking: who of the better ones of its note claims the same words.

    Two codes of one category for one phrase are seldom both billed: the second needs words of its own. A rival's weight
    is its probability by the first ranking, 1 / (1 + exp(-score)); a feature is the largest among better candidates.
    """
    n = len(table.code)
    if not n:
        return
    several = bool(table.note[-1])
    order = np.lexsort((table.code, -score, table.note) if several else (table.code, -score))
    rank = np.empty(n, np.int64)  # among those of all notes
    rank[order] = np.arange(n)
    begins = table.note.searchsorted(np.arange(table.note[-1] + 1))
    place = rank - begins.take(table.note)  # among those of its own
    # the better ranked, the heavier: so the first that claims the same is the largest of all
    probability = 1 / (1 + np.exp(-np.minimum(np.maximum(score, -30), 30)))
    weight = np.zeros(n + 1)  # by rank; the last is that of nobody
    bounds = [(begin, min(end, begin + RIVALS)) for begin, end in pairwise([*begins.tolist(), n])]
    for a, b in bounds:
        np.minimum.accumulate(probability.take(order[a:b]), out=weight[a:b])
    near = np.concatenate([np.arange(a, b) for a, b in bounds])  # ranks of those that the others are held against
    top = order.take(near)
    segment, first, last = (a.take(table.lead) for a in (hits.segment, hits.first, hits.last))

    def overlap(one: Longs, two: Longs) -> npt.NDArray[np.bool_]:
        """Whether these rows and those beside them claim the same words, if in one segment."""
        return np.asarray((first.take(one) <= last.take(two)) & (last.take(one) >= first.take(two)))

    # only those of one segment can claim the same words: of each row the better ranked beside it, the best of them first
    beside = segment.take(top).argsort(kind="stable")
    held, rank_of_held = top.take(beside), near.take(beside)
    groups = segment.take(held)
    begin = groups.searchsorted(segment)
    row, rival = ragged(groups.searchsorted(segment, side="right") - begin)
    rival += begin.take(row)
    other, rival = held.take(rival), rank_of_held.take(rival)
    better = (rival < rank.take(row)) & overlap(row, other)
    at = better.nonzero()[0][::-1]  # written last, the best stays
    row, rival, other = row.take(at), rival.take(at), other.take(at)
    alike = table.category.take(row) == table.category.take(other)
    for name, of, who in (
        ("same_words", row, rival),
        ("same_words_and_category", row.compress(alike), rival.compress(alike)),
    ):
        first_of = np.full(n, n)
        first_of[of] = who
        table.x[:, COLUMN[f"rival:{name}"]] = weight.take(first_of)
    # sorted by concept, and categories are few: the first of each is found without holding all against all
    concept, category, fresh = np.zeros(n, np.int64), table.category, table.concept[1:] != table.concept[:-1]
    if several:
        category = table.note * (int(category.max()) + 1) + category
        fresh |= table.note[1:] != table.note[:-1]
    np.cumsum(fresh, out=concept[1:])
    for name, group in (("same_category", category), ("same_concept", concept)):
        first_of = np.empty(int(group.max()) + 1, np.int64)
        first_of[group.take(order[::-1])] = np.arange(n - 1, -1, -1)  # the best of a group is written last
        who = first_of.take(group)
        who[who >= rank] = n
        table.x[:, COLUMN[f"rival:{name}"]] = weight.take(who)
    table.x[:, COLUMN["rival:place"]] = np.log1p(place)
    if table.company is not None:
        start = COLUMN[COMPANY_FEATURES[0]]
        table.x[:, start : start + len(COMPANY_FEATURES)] = table.company.weigh(
            table.note, table.code, probability.astype(np.float32), len(begins)
        )
        ranks = (weight >= FAINT).nonzero()[0]
        own = order.take(ranks)
        one, two = table.company.apart.pairs(table.note.take(own), table.code.take(own))
        better, lesser = np.minimum(one, two), own.take(np.maximum(one, two))
        held, who = own.take(better), ranks.take(better)
        same = (segment.take(lesser) == segment.take(held)) & overlap(lesser, held)
        for name, kept in (("excluded", same), ("excluded_elsewhere", ~same)):
            column = np.zeros(n, np.float32)
            np.maximum.at(column, lesser[kept], weight.take(who[kept]).astype(np.float32))
            table.x[:, COLUMN[f"rival:{name}"]] = column


#: Weights that hold for any list of codes, see `Ranker.untaught`.
_UNTAUGHT = {
    "match:best": 0.5,
    "match:square": 0.6,
    "match:mass": 0.7,
    "match:cosine": 1.3,
    "match:title_in_note": 1.1,
    "match:repeated": 0.3,
    "match:headline": 0.8,
    "full:assessment": 0.7,
    "against:negated": -0.4,
    "against:dominated": -0.2,
    "against:shared_words": -0.7,
    "against:crowd": -0.3,
    "side:local": 0.3,
    "side:other_site": -1.1,
    "side:unspecified": -0.9,
    "code:other": -0.9,
    "code:unspecified": -0.7,
    "encounter:subsequent": -0.8,
    "encounter:sequela": -0.7,
    "learned:term": 6.0,  # not fitted: where codes have no titles, a word that always goes with one makes it even odds
}
_UNTAUGHT_INTERCEPT = -5.2


class _Weights:
    """Weights of the features, of which only those that are not 0 are looked at: so that a feature a model does not know moves no
    bit of its scores."""

    def __init__(self, weights: npt.NDArray[np.float64]) -> None:
        """weights: (F,)."""
        self.features: Longs = weights.nonzero()[0]
        self._weights = weights.take(self.features)
        # they stand in a few runs, which are copied in half of the time of `take`
        stops = [*((np.diff(self.features) > 1).nonzero()[0] + 1).tolist(), len(self.features)]
        starts = [0, *stops[:-1]] if len(self.features) else []
        self._runs = [(a, b, self.features.item(a)) for a, b in zip(starts, stops, strict=False)]

    def products(self, x: Floats) -> npt.NDArray[np.float64]:
        """What each adds to the score of candidates (n, F): float64 (n, features with a weight)."""
        # in rows: the order of summation follows the layout
        parts = np.empty((len(x), len(self.features)))
        for start, stop, first in self._runs:
            parts[:, start:stop] = x[:, first : first + stop - start]
        parts *= self._weights
        return parts


@dataclass(frozen=True)
class Ranker:
    """Two linear models, the first without rival features, and the calibration of the second.

    first, weights: float64 (F,). knots_*: (m,) ascending. threshold: operating threshold on confidence.
    """

    first: npt.NDArray[np.float64]
    first_intercept: float
    weights: npt.NDArray[np.float64]
    intercept: float
    knots_score: npt.NDArray[np.float64]
    knots_confidence: npt.NDArray[np.float64]
    threshold: float

    @cached_property
    def _first(self) -> _Weights:
        return _Weights(self.first)

    @cached_property
    def _last(self) -> _Weights:
        return _Weights(self.weights)

    @classmethod
    def nothing(cls) -> Ranker:
        """A ranker that was taught nothing: every code has score 0 and confidence 0.5, and none is suggested."""
        return cls(
            np.zeros(len(FEATURES)), 0.0, np.zeros(len(FEATURES)), 0.0, np.array([-1.0, 1.0]), np.array([0.4, 0.6]), 1.0
        )

    @classmethod
    def untaught(cls) -> Ranker:
        """For a system of which only the code table is known: how much of a term the note says, with what any list of codes
        has in common. Score is log-odds, confidence 1 / (1 + exp(-score)).

        Fitted on 291 invented notes coded in ICD-10-CM, with the bare table (no idiom, no count). On the 127 office visits of
        `visits/train.jsonl`: MAP 0.405, F1 0.39, ECE 0.05; of another kind of notes or codes nobody knows how often it is
        right, so a model with it says that it is not calibrated.
        """
        weights = np.zeros(len(FEATURES))
        for name, weight in _UNTAUGHT.items():
            weights[COLUMN[name]] = weight
        at = np.arange(-12.0, 5.0)
        likely = np.round(1 / (1 + np.exp(-at)), 7)
        return cls(weights, _UNTAUGHT_INTERCEPT, weights, _UNTAUGHT_INTERCEPT, at, likely, 0.3)

    @property
    def taught(self) -> bool:
        """Whether its weights, and so its confidence, are of coded documents in this very system."""
        return not np.array_equal(self.weights, Ranker.untaught().weights)

    def complete(self, table: Table, hits: Hits) -> None:
        """Fill in the rival features, which need a ranking of their own."""
        # not a BLAS product, whose order of summation depends on threads and shape
        rivals(table, hits, np.asarray(self.first_intercept + self._first.products(table.x).sum(1)))

    def score(self, x: Floats) -> npt.NDArray[np.float64]:
        return self.summed(self.products(x))

    def confidence(self, score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.interp(score, self.knots_score, self.knots_confidence))

    def products(self, x: Floats) -> npt.NDArray[np.float64]:
        """What each feature with a weight adds to the score of candidates (n, F): float64 (n, features with a weight)."""
        return self._last.products(x)

    def summed(self, products: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The score of the candidates of some `products`."""
        return np.asarray(self.intercept + products.sum(1))

    def whys(self, products: npt.NDArray[np.float64]) -> Contributions:
        """Contributions to the score of the candidates of some `products`."""
        return Contributions(self._last.features, products)
