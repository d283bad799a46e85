"""Which words of a note a coder would mark, whatever code they then get.

Where every mention is coded, the marks say more than which code a phrase has: that a phrase is marked at all. Words that no
document has shown are marked for how they end ("-itis", "-oma"), for the words beside them, for where they stand and for what the
terms of the code table name there (`named.py`). A logistic regression over clues of a word and its neighbours gives each word of a
note the probability that it is marked; a code whose words are marked anyway wants only its name to be right.

On CodiEsp train (Spanish, four folds) the average precision over words is 0.745 by words with endings and beginnings of three to
five letters, 0.787 with the clues of terms, 0.795 with all endings and beginnings.

Hashed weights hold no text, and a clue counts only if documents of `min_groups` groups have it (invariant 5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.named import CLUES, NUMBERS, Named
from codesuggest.note import Reading
from codesuggest.retrieve import ragged

#: Features of a code by the words of the match it rests on most: their mean, the words beside them, with the strength of the best
#: match, and where no phrase of the mention dictionary claims the code.
TAGGED = ("tagged:mean", "tagged:before", "tagged:after", "tagged:and_match", "tagged:unheard")
#: And by all of its matches, the largest of each: the mean times the square of the strength, times how little the words beside are
#: marked; of matches in full; of any; the least marked word instead of the mean. Then what share of all that is marked around it a
#: match holds, the same times the mean, in full, and how much that is. And the means of full matches added up.
TAGGED_ANYWHERE = (
    "tagged:said",
    "tagged:exactly",
    "tagged:in_full",
    "tagged:anywhere",
    "tagged:every_word",
    "tagged:share",
    "tagged:share_and_mean",
    "tagged:share_in_full",
    "tagged:words",
    "tagged:often",
)

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Span = tuple[int, int]

BUCKETS = 2**18
BREAK = 0.25  #: probability below which a word is between two mentions
NEARLY, FULL = 0.9, 0.95  #: strength from which a match is nearly, and from which it is, in full
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Tagger:
    """weight: float32 (BUCKETS + NUMBERS,), of each hashed clue and of those of terms. intercept: float32 (1,)."""

    weight: Floats
    intercept: Floats

    def marked(self, reading: Reading, named: Named) -> Floats:
        """Probability in [0, 1] that a word is marked, float32 (w,)."""
        return self.of(_clued([reading], [named]))

    def of(self, clues: Any) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(clues @ self.weight + self.intercept[0]))), np.float32)

    def fits(self) -> bool:
        return self.weight.shape == (BUCKETS + NUMBERS,) and self.intercept.shape == (1,)


def tagged(marked: Floats, first: Any, last: Any, match: Floats, unheard: Floats) -> Floats:
    """float32 (n, len(TAGGED)). marked: of every word (w,). first, last: int (n,), words of each match, last inclusive. match:
    strength of each code's best match. unheard: whether no dictionary phrase claims it, (n,)."""
    mean, before, after = _around(marked, first, last)
    return np.stack([mean, before, after, mean * match, mean * unheard], 1).astype(np.float32)


def tagged_anywhere(marked: Floats, first: Any, last: Any, strength: Floats, row: Any, n: int) -> Floats:
    """float32 (n, len(TAGGED_ANYWHERE)). first, last: int (h,), words of each match, last inclusive; strength (h,), as in `Judged`;
    row: int (h,), which of the n candidates it is of."""
    mean, before, after = _around(marked, first, last)
    length = last + 1 - first
    match, offset = ragged(length)
    least = np.minimum.reduceat(marked[first[match] + offset], np.cumsum(length) - length) if len(match) else mean
    inside, outside = mean * length, _run_on(marked)[first] + _run_on(marked[::-1])[len(marked) - 1 - last]
    share = inside / (inside + outside + 0.2) * strength**2
    full = strength > FULL
    out = np.zeros((n, len(TAGGED_ANYWHERE)))
    for column, value in enumerate(
        (
            mean * strength**2,
            least * (1 - before) * (1 - after) * strength**2,
            mean * strength**4 * (strength > NEARLY),
            mean,
            least * strength**2,
            share,
            share * mean,
            share * mean * strength**2,
            inside * strength**2 / 4,
        )
    ):
        np.maximum.at(out[:, column], row, value)
    out[:, -1] = np.log1p(np.bincount(row, mean * full, minlength=n))
    return out.astype(np.float32)


def _run_on(marked: Floats) -> Any:
    """What is marked in a stretch up to each word, that word left out: float64 (w,). A word below `BREAK` ends a stretch."""
    total = np.append(0, np.cumsum(marked, dtype=np.float64))
    begin = np.maximum.accumulate(np.where(marked < BREAK, np.arange(1, len(marked) + 1), 0))
    return np.append(0, total[1:] - total[begin])[:-1]


def _around(marked: Floats, first: Any, last: Any) -> tuple[Any, Any, Any]:
    """Mean over the words of each match, and that of the word before and of the one behind, 0 where there is none."""
    total = np.append(0, np.cumsum(marked, dtype=np.float64))
    around = np.zeros(len(marked) + 2)
    around[1:-1] = marked
    return (total[last + 1] - total[first]) / (last + 1 - first), around[first], around[last + 2]


@dataclass(frozen=True, slots=True)
class Taggers:
    """One of all documents, and what the documents of each fold are told by one of the others.

    told: by text of a document, float32 (w,).
    """

    tagger: Tagger
    told: Mapping[str, Floats]

    @classmethod
    def of(
        cls,
        readings: Sequence[Reading],
        named: Sequence[Named],
        marks: Sequence[Collection[Span]],
        groups: Sequence[str],
        min_groups: int,
    ) -> Taggers | None:
        """marks: the spans that are marked in each document. None where no word is marked, or every one."""
        labels = [_inside(reading, spans) for reading, spans in zip(readings, marks, strict=True)]
        marked = np.concatenate([np.zeros(0, bool), *labels])
        names = sorted(set(groups))
        if marked.all() or not marked.any() or len(names) < _FOLDS:
            return None
        clues = _clued(readings, named)
        number = {name: k for k, name in enumerate(names)}
        group = np.repeat([number[g] for g in groups], [len(own) for own in labels])
        told = np.zeros(len(marked), np.float32)
        for k in range(_FOLDS):
            out = group % _FOLDS == k
            told[out] = _fitted(clues[~out], marked[~out], group[~out], min_groups).of(clues[out])
        ends = np.cumsum([len(own) for own in labels])
        own = np.split(told, ends[:-1])
        return cls(_fitted(clues, marked, group, min_groups), {r.text: p for r, p in zip(readings, own, strict=True)})


def _fitted(clues: Any, marked: Bools, group: npt.NDArray[Any], min_groups: int) -> Tagger:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    if not marked.any() or marked.all():
        return Tagger(np.zeros(BUCKETS + NUMBERS, np.float32), np.zeros(1, np.float32))
    # liblinear takes six times as long for the same weights
    model = LogisticRegression(solver="newton-cg").fit(clues, marked)
    weight = np.round(model.coef_[0], 6).astype(np.float32)  # whatever the number of threads
    if min_groups > 1:
        rows = clues.tocoo()
        pairs = csr_matrix(
            (np.ones(len(rows.row), bool), (rows.col, group[rows.row])), shape=(BUCKETS + NUMBERS, group.max() + 1)
        )
        pairs.sum_duplicates()
        weight[np.diff(pairs.indptr) < min_groups] = 0
    return Tagger(weight, np.round(model.intercept_, 6).astype(np.float32))


def _inside(reading: Reading, spans: Iterable[Span]) -> Bools:
    out = np.zeros(len(reading.words), bool)
    for start, end in spans:
        out |= (reading.words.start < end) & (reading.words.end > start)
    return out


def _clued(readings: Sequence[Reading], named: Sequence[Named]) -> Any:
    """The clues of every word, one after another: CSR (w, BUCKETS + NUMBERS)."""
    from scipy.sparse import csr_matrix, hstack

    numbers = np.concatenate([np.zeros((0, CLUES), np.int64), *(own.clues() for own in named)])
    ends = np.arange(len(numbers) + 1) * CLUES
    terms = csr_matrix((np.ones(numbers.size, np.float32), numbers.reshape(-1), ends), shape=(len(numbers), NUMBERS))
    return hstack([_hashed(readings), terms], format="csr")


def _hashed(readings: Sequence[Reading]) -> Any:
    """Of them those of the words alone: CSR (w, BUCKETS)."""
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(BUCKETS, input_type="string", alternate_sign=False, dtype=np.float32)
    return hasher.transform(clue for reading in readings for clue in _clues(reading))


def _clues(reading: Reading) -> Iterator[list[str]]:
    """What is looked at of each word: itself, its ends, up to three words and the marks on either side, its section."""
    text, start, end = reading.text, reading.words.start.tolist(), reading.words.end.tolist()
    shown = [text[a:b] for a, b in zip(start, end, strict=True)]
    low = ["#", "#", "#", *(word.lower() for word in shown), "#", "#", "#"]
    groups = np.where(
        reading.segment_of_word >= 0, np.append(reading.group, 0).take(reading.segment_of_word), -1
    ).tolist()
    last = len(shown) - 1
    for n, word in enumerate(shown):
        c, b, a, w, x, y, z = low[n : n + 7]
        before = text[end[n - 1] : start[n]].strip()[:2] if n else "\n"
        after = text[end[n] : start[n + 1]].strip()[:2] if n < last else "\n"
        yield [
            f"w={w}", f"a={a}", f"x={x}", f"b={b}", f"y={y}", f"c={c}", f"z={z}", f"aw={a}_{w}", f"wx={w}_{x}",
            f"ba={b}_{a}", f"xy={x}_{y}", f"awx={a}_{w}_{x}", f"3={w[-3:]}", f"4={w[-4:]}", f"5={w[-5:]}", f"6={w[-6:]}",
            f"<3={w[:3]}", f"<4={w[:4]}", f"<5={w[:5]}", f"<6={w[:6]}", f"<7={w[:7]}", f"in={w[2:7]}",
            f"before={before}", f"after={after}", f"capital={word[:1].isupper()}{word.isupper()}",
            f"digit={w[:1].isdigit()}", f"group={groups[n]}",
        ]  # fmt: skip
