"""TermIndex: TF-IDF over the terms of code systems, exact sparse top-k, and which term matched where.

A *term* is one way to say a *concept*; a concept is a group of codes that differ only in side and encounter
(`concepts.py`). Terms and note segments are sets of word forms. With w(f) = idf(f)^2:

    coverage(term, segment) = sum of w over the term's forms found in the segment / sum of w over the term's forms
    cosine                  = the same numerator / (|term| * |segment|)

One sparse product scores all segments of a note against all terms; no approximate search is needed at this size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Hits:
    """Matches of terms in segments, sorted by (segment, term). All arrays have shape (h,).

    term, segment: int32. coverage, cosine: float32 in (0, 1]. first, last: int32, first and last word (inclusive) of the
    closest occurrence. compact: float32 in (0, 1], matched forms / words from first to last. matched: int32, number of
    the term's forms found.
    """

    term: Ints
    segment: Ints
    coverage: Floats
    cosine: Floats
    first: Ints
    last: Ints
    compact: Floats
    matched: Ints

    def __len__(self) -> int:
        return len(self.term)


class TermIndex:
    """Arrays of the index; made by `build`, or given back what `arrays` gave out.

    idf: float32 (V,), ln((1 + T) / (1 + df)) + 1 as scikit-learn's smooth_idf; forms this system does not use have df 0.
    indptr (t+1,), forms (nnz,): int32, CSR of terms x form ids. mass (t,) float32: sum of idf^2 over a term's forms.
    """

    def __init__(self, idf: Floats, indptr: Ints, forms: Ints) -> None:
        self.idf, self.indptr, self.forms = idf, indptr, forms
        self.size = np.diff(indptr).astype(np.int32)
        weight = (idf**2)[forms]
        self.mass = np.maximum(np.add.reduceat(np.append(weight, np.float32(0)), indptr[:-1]), np.float32(1e-6))

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def postings(self) -> Any:
        """(V, t) CSR: the postings of every form, weighted idf^2."""
        from scipy import sparse

        weight = (self.idf**2)[self.forms]
        shape = (len(self.indptr) - 1, len(self.idf))
        return sparse.csr_array((weight, self.forms, self.indptr), shape=shape).T.tocsr()

    @classmethod
    def build(cls, terms: Sequence[tuple[str, ...]], vocabulary: Sequence[str]) -> TermIndex:
        """terms: normal forms of each term (unique within it, not empty), all of them in `vocabulary`."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        counter = TfidfVectorizer(
            analyzer=_identity, vocabulary=vocabulary, smooth_idf=True, norm=None, dtype=np.float32
        )
        matrix = counter.fit_transform(terms).tocsr()
        matrix.sort_indices()
        return cls(counter.idf_.astype(np.float32), matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32))

    def widened(self, forms: int) -> TermIndex:
        """The same terms over a vocabulary that has further forms at its end, which none of them holds."""
        unused = np.log(np.float32(1 + len(self))) + np.float32(1)  # as smooth_idf has it for a document frequency of 0
        more = np.full(forms - len(self.idf), unused, np.float32)
        return TermIndex(np.concatenate([self.idf, more]), self.indptr, self.forms)

    def weighed_as(self, other: TermIndex) -> TermIndex:
        """The same terms, their forms as rare as in `other`, whose vocabulary this one's begins with, where it holds them:
        weights that were fitted on one stay right for the other."""
        idf, held = self.idf.copy(), np.unique(other.forms)
        idf[held] = other.idf[held]
        return TermIndex(idf, self.indptr, self.forms)

    def with_terms(self, terms: Sequence[tuple[int, ...]]) -> TermIndex:
        """The index with more terms at its end, given by form ids; the weights of the forms stay what they are."""
        sizes = np.cumsum([len(forms) for forms in terms], dtype=np.int32)
        more = np.array([f for forms in terms for f in sorted(forms)], np.int32)
        return TermIndex(
            self.idf, np.append(self.indptr, self.indptr[-1] + sizes).astype(np.int32), np.append(self.forms, more)
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"idf": self.idf, "indptr": self.indptr, "forms": self.forms}

    def search(
        self,
        form: Ints,
        word: Ints,
        segment_of_word: Ints,
        n_segments: int,
        *,
        weak: npt.NDArray[np.bool_],
        top: int = 30,
        floor: float = 0.45,
    ) -> Hits:
        """Best terms of every segment.

        form, word: int32 (m,), the form ids of the note and the word each belongs to, sorted by word (an abbreviation
        gives several forms at one word). segment_of_word: int32 (n_words,), -1 for words outside every segment. weak:
        bool (V,), forms too general to carry a match: one that rests on them alone counts only if it is the whole term
        and more than one word. At most `top` terms a segment, by coverage * sqrt(matched weight), ties by term id;
        coverage >= `floor`.
        """
        from scipy import sparse

        keep = (form >= 0) & (segment_of_word[word] >= 0)
        form, word = form[keep], word[keep]
        empty = np.zeros(0, np.int32)
        if not len(form):
            none = np.zeros(0, np.float32)
            return Hits(empty, empty, none, none, empty, empty, none, empty)
        segment = segment_of_word[word]
        order = np.lexsort((word, form, segment))
        form, word, segment = form[order], word[order], segment[order]
        fresh = np.ones(len(form), bool)
        fresh[1:] = (form[1:] != form[:-1]) | (segment[1:] != segment[:-1])
        indptr = np.searchsorted(segment[fresh], np.arange(n_segments + 1)).astype(np.int32)
        n_forms = len(self.idf)
        queries = sparse.csr_array(
            (np.ones(int(fresh.sum()), np.float32), form[fresh], indptr), shape=(n_segments, n_forms)
        )
        parts = []
        for low in range(0, n_segments, 1024):  # a long document's product is large before it is thinned
            scores = queries[low : low + 1024] @ self.postings
            near = scores.data >= floor * self.mass[scores.indices]
            at = np.repeat(np.arange(low, low + scores.shape[0], dtype=np.int32), np.diff(scores.indptr))
            parts.append((at[near], scores.indices[near].astype(np.int32, copy=False), scores.data[near]))
        seg, term, found = (np.concatenate(column) for column in zip(*parts, strict=True))
        coverage = found / self.mass[term]
        best = np.lexsort((term, -(coverage * np.sqrt(found)), seg))
        seg_sorted = seg[best]
        rank = np.arange(len(best)) - np.searchsorted(seg_sorted, seg_sorted)
        best = best[rank < top]
        best = best[np.lexsort((term[best], seg[best]))]
        seg, term, found, coverage = seg[best], term[best], found[best], np.minimum(coverage[best], np.float32(1))
        squares = np.zeros(n_segments, np.float64)
        np.add.at(squares, segment[fresh], (self.idf[form[fresh]] ** 2).astype(np.float64))
        cosine = found / np.sqrt(self.mass[term] * np.maximum(squares[seg], 1e-6)).astype(np.float32)
        first, last, matched, strong = self._closest(form, word, segment, seg, term, weak)
        sound = (strong > 0) | ((coverage > 0.995) & (matched > 1))
        seg, term, coverage, cosine = seg[sound], term[sound], coverage[sound], cosine[sound]
        first, last, matched = first[sound], last[sound], matched[sound]
        compact = np.minimum(1.0, matched / np.maximum(1, last - first + 1)).astype(np.float32)
        return Hits(term, seg, coverage, np.minimum(cosine, np.float32(1)), first, last, compact, matched)

    def _closest(
        self, form: Ints, word: Ints, segment: Ints, seg: Ints, term: Ints, weak: npt.NDArray[np.bool_]
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """First and last word of the closest occurrence of each hit, how many of its forms were found, how many strong.

        The term's rarest form found anchors the occurrence at its first place in the segment; every other form stands
        at its place nearest to the anchor (left one on a tie). form, word, segment: sorted by (segment, form, word).
        """
        n_forms = np.int64(len(self.idf))
        span = np.int64(int(word.max()) + 2)
        key = (segment.astype(np.int64) * n_forms + form) * span + word
        count = self.size[term]
        hit = np.repeat(np.arange(len(term)), count)
        offset = np.arange(len(hit)) - np.repeat(np.cumsum(count) - count, count)
        forms = self.forms[self.indptr[term][hit] + offset]
        base = (seg[hit].astype(np.int64) * n_forms + forms) * span
        at = np.searchsorted(key, base)
        safe = np.minimum(at, len(key) - 1)
        found = (at < len(key)) & (key[safe] // span == base // span)
        place = np.where(found, word[safe], 0).astype(np.int64)
        rarity = np.where(found, self.idf[forms], -1.0)
        # the anchor of each hit: its rarest found form, the first such in term order
        by = np.lexsort((offset, -rarity, hit))
        starts = np.cumsum(count) - count
        anchor = place[by[starts]][hit]
        right = np.minimum(np.searchsorted(key, base + anchor), len(key) - 1)
        left = np.maximum(right - 1, 0)
        same_r, same_l = key[right] // span == base // span, key[left] // span == base // span
        far = np.int64(1) << 40
        gap_r = np.where(same_r, np.abs(word[right] - anchor), far)
        gap_l = np.where(same_l, np.abs(word[left] - anchor), far)
        near = np.where(gap_l <= gap_r, word[left], word[right]).astype(np.int64)
        low = np.minimum.reduceat(np.where(found, near, far), starts)
        high = np.maximum.reduceat(np.where(found, near, -1), starts)
        matched = np.add.reduceat(found.astype(np.int32), starts)
        strong = np.add.reduceat((found & ~weak[forms]).astype(np.int32), starts)
        return low.astype(np.int32), high.astype(np.int32), matched.astype(np.int32), strong


def _identity(forms: tuple[str, ...]) -> tuple[str, ...]:
    return forms
