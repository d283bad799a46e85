"""Which words of a note the terms of a code table name, as clues for the tagger.

The table and our lists hold tens of thousands of phrases that no coded document shows. A word inside one of them is a word a coder
may mark; whether the term is a finding or a factor (its chapter), a title or a colloquial wording (its kind), how long it is and
what stands beside it says how likely. Clues are numbered, not hashed: they are few, and hold no text of a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.concepts import KINDS, Concepts
from codesuggest.retrieve import Hits, ragged

Ints = npt.NDArray[Any]
Longs = npt.NDArray[np.int64]

FULL, TOGETHER = 0.99, 0.75  #: coverage and compactness from which a term is said in full
NEAR = 0.5  #: compactness from which it is said in part
_LEARNED = KINDS.index("learned")
_LETTERS = 26
_ROOM = 16  #: kinds that are numbered, more than there are: a new one moves no clue of a model
_PLACES = OUTSIDE, BEGINS, WITHIN, ENDS = range(4)
_WHAT = 1 + _ROOM * _LETTERS  #: kind and chapter of a term, 0 for none
_LONG = 5  #: words from which a term is a long one
_SHARES = 6  #: steps in which the best coverage is told
_CLUES = (4 * _WHAT, 4 * (_LONG + 1), _SHARES, 4 * _WHAT, 4 * _WHAT, 4**3, _WHAT * (_LONG + 1))
CLUES = len(_CLUES)
NUMBERS = sum(_CLUES)  #: different clues


@dataclass(frozen=True, slots=True)
class Named:
    """Of every word, int64 (w,) each.

    place: in the longest term that is said in full and holds it, OUTSIDE if there is none. what: kind and chapter of that term, 0
    for none. length: its words, at most `_LONG`. share: step of the best coverage of a term whose words stand around it.
    """

    place: Longs
    what: Longs
    length: Longs
    share: Longs

    @classmethod
    def of(cls, words: int, hits: Hits, concepts: Concepts, letter: Ints) -> Named:
        """hits: of the terms of a table, those of a mention dictionary are passed over. letter: int (c,), chapter of every
        concept."""
        kind = concepts.term_kind.take(hits.term).astype(np.int64)
        told = kind != _LEARNED
        length = hits.last - hits.first + 1
        full = (told & (hits.coverage >= FULL) & (hits.compact >= TOGETHER)).nonzero()[0]
        # written last, the longest stays, and of these the first term
        full = full[np.lexsort((-hits.term[full], length[full]))]
        row, offset = ragged(length[full])
        hit, word = full[row], hits.first[full][row] + offset
        place, what, long = (np.zeros(words, np.int64) for _ in range(3))
        place[word] = np.where(offset == 0, BEGINS, np.where(offset == length[hit] - 1, ENDS, WITHIN))
        what[word] = 1 + kind[hit] * _LETTERS + letter[concepts.term_concept[hits.term[hit]]]
        long[word] = np.minimum(length[hit], _LONG)
        part = (told & (hits.compact >= NEAR)).nonzero()[0]
        row, offset = ragged(length[part])
        best = np.zeros(words, np.float32)
        np.maximum.at(best, hits.first[part][row] + offset, hits.coverage[part][row])
        return cls(place, what, long, (best * np.float32(_SHARES - 1)).astype(np.int64))

    def clues(self) -> Longs:
        """Numbers of the clues of every word, int64 (w, CLUES)."""
        named = self.place * _WHAT + self.what
        before, after = np.append(0, named)[:-1], np.append(named, 0)[1:]
        around = (before // _WHAT * 4 + self.place) * 4 + after // _WHAT
        own = (
            named,
            self.place * (_LONG + 1) + self.length,
            self.share,
            before,
            after,
            around,
            self.what * (_LONG + 1) + self.length,
        )
        return np.asarray(np.stack(own, 1) + np.cumsum((0, *_CLUES[:-1])))
