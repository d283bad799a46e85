"""TermIndex: TF-IDF over the terms of code systems, exact sparse top-k, and which term matched where.

A *term* is one way to say a *concept*; a concept is a group of codes that differ only in side and encounter
(`concepts.py`). Terms and note segments are sets of word forms. With w(f) = idf(f)^2:

    coverage(term, segment) = sum of w over the term's forms found in the segment / sum of w over the term's forms
    cosine                  = the same numerator / (|term| * |segment|)

One sparse product scores all segments of a note against all terms; no approximate search is needed at this size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

FULL = 0.995  #: coverage from which a term counts as wholly said
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.intp]  #: what numpy takes places by, without a copy

BLOCK = 1024  #: segments searched at once: what a long document matches is large before it is thinned
TERM_BITS = 22  #: a segment of a block, a positive float and a term are numbers of 10 + 31 + 22 bits


@dataclass(frozen=True, slots=True)
class Hits:
    """Matches of terms in segments, sorted by (segment, term). All arrays have shape (h,).

    term, segment: intp. coverage, cosine: float32 in (0, 1]. first, last: intp, first and last word (inclusive) of the
    closest occurrence. compact: float32 in (0, 1], matched forms / words from first to last. matched: intp, number of
    the term's forms found. words: intp, number of words they stand in: fewer, where an abbreviation has several forms.
    """

    term: Longs
    segment: Longs
    coverage: Floats
    cosine: Floats
    first: Longs
    last: Longs
    compact: Floats
    matched: Longs
    words: Longs

    def __len__(self) -> int:
        return len(self.term)

    @classmethod
    def none(cls) -> Hits:
        ints, floats = np.zeros(0, np.intp), np.zeros(0, np.float32)
        return cls(ints, ints, floats, floats, ints, ints, floats, ints, ints)

    def chosen(self, which: npt.NDArray[np.bool_]) -> Hits:
        at = which.nonzero()[0]
        if len(at) == len(which):
            return self
        return Hits(*(getattr(self, name).take(at) for name in Hits.__slots__))


def longest(hits: Hits, chosen: Longs) -> tuple[Floats, Floats]:
    """How much more of the same words the fullest of the chosen hits says, float32 (n,): in words (divided by 3), and the share of
    its words that each hit itself says, in [0, 1].

    chosen: int (n,). Words of a hit: matched forms * coverage. Two hits share words where their stretches overlap.
    """
    # by segment, so that only those of one are held against each other
    order = hits.segment.take(chosen).argsort(kind="stable")
    hit = chosen.take(order)
    segment, first, last = hits.segment.take(hit), hits.first.take(hit), hits.last.take(hit)
    words = hits.matched.take(hit) * hits.coverage.take(hit)
    start, stop = segment.searchsorted(segment), segment.searchsorted(segment, side="right")
    one, offset = ragged(stop - start)
    other = start.take(one)
    other += offset
    over = first.take(one) <= last.take(other)
    over &= first.take(other) <= last.take(one)
    most = np.zeros(len(hit))
    if len(one):
        most = np.maximum.reduceat(words.take(other) * over, (stop - start).cumsum() - (stop - start))
    share = words / np.maximum(most, np.float32(1e-6))
    out = np.empty((2, len(hit)), np.float32)
    out[0, order], out[1, order] = (most - words) / 3, share
    return out[0], out[1]


def ragged(count: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and offset within the row of each element of rows of these lengths."""
    row = np.arange(len(count)).repeat(count)
    offset = np.arange(len(row))
    offset -= (count.cumsum() - count).repeat(count)
    return row, offset


def distinct(keys: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Different keys, ascending. As `np.unique`, in a tenth of its time for a few hundred whole numbers."""
    keys = np.sort(keys)
    fresh = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
    return keys.compress(fresh)


def numbered(values: npt.NDArray[Any], size: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Different values in 0..size-1, ascending, and for each value the place of its like among them: as `np.unique`."""
    there = np.zeros(size, bool)
    there[values] = True
    different = there.nonzero()[0].astype(values.dtype)
    place = np.empty(size, np.int64)
    place[different] = np.arange(len(different))
    return different, place.take(values)


def among(keys: npt.NDArray[Any], held: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which keys are held, bool, shape of `keys`. As `np.isin`, in a fifth of its time for a few hundred whole numbers."""
    if not len(held):
        return np.zeros(len(keys), bool)
    held = np.sort(held)
    return np.asarray(held.take(held.searchsorted(keys), mode="clip") == keys)


def found_in(held: npt.NDArray[Any], keys: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Which keys are held, and where: int (k,) both. held: ascending, not empty unless `keys` is."""
    place = held.searchsorted(keys)
    found = (held.take(place, mode="clip") == keys).nonzero()[0]
    return found, place.take(found)


@dataclass(frozen=True, slots=True)
class Said:
    """What a block of segments holds, in the order that a search goes through it.

    first_segment: number of the block's first. segments: how many it has. word: intp (m + 1,), the words of each pair (segment,
    form), pair by pair and in order; one more for what is not said. times: intp (m + 1,), at the first word of a pair how many
    it has, 0 at the end. pair_form, pair_segment: int32. column: int32 (V,), column of a form in `table`, 0 for a form not
    said. table: int32 (segments, columns), place in `word` of the first word of a pair, m if it is not said. Look-ups in it
    take a fifth of a binary search's time.
    """

    first_segment: int
    segments: int
    word: Longs
    times: Longs
    pair_form: Ints
    pair_segment: Ints
    column: Ints
    table: Ints

    @classmethod
    def blocks(cls, form: Longs, word: Longs, segment_of_word: Longs, n_segments: int, n_forms: int) -> Iterator[Said]:
        """form, word: intp (m,), the form ids of the note and the word each belongs to, sorted by word (an abbreviation
        gives several forms at one word). segment_of_word: intp (n_words,), -1 for words outside every segment."""
        segment = segment_of_word.take(word)
        kept = ((form >= 0) & (segment >= 0)).nonzero()[0]
        form, word, segment = form.take(kept), word.take(kept), segment.take(kept)
        # as one whole number, which numpy sorts several times as fast as columns; ten million characters and forms of half a
        # million do not fill it
        pair = segment * n_forms + form
        order = (pair * (len(segment_of_word) + 1) + word).argsort()
        word, pair = word.take(order), pair.take(order)
        bounds = [0, len(pair)]
        if n_segments > BLOCK:
            bounds = pair.searchsorted(np.arange(0, n_segments + BLOCK, BLOCK) * n_forms).tolist()
        for n, (a, b) in enumerate(pairwise(bounds)):
            yield cls._of(pair[a:b], word[a:b], BLOCK * n, n_forms)

    @classmethod
    def _of(cls, pair: npt.NDArray[np.int64], word: Longs, first_segment: int, n_forms: int) -> Said:
        """pair: int64 (m,), segment * n_forms + form of each word, ascending; word ascends within a pair."""
        m = len(pair)
        fresh = np.ones(m, bool)
        np.not_equal(pair[1:], pair[:-1], out=fresh[1:])
        start = fresh.nonzero()[0]
        times = np.zeros(m + 1, np.intp)
        times[start[:-1]] = start[1:] - start[:-1]
        times[start[-1:]] = m - start[-1:]
        segment, form = np.divmod(pair.take(start), n_forms)
        pair_segment, pair_form = (segment - first_segment).astype(np.int32), form.astype(np.int32)
        segments = int(pair_segment[-1]) + 1 if m else 0
        said = np.zeros(n_forms, bool)
        said[pair_form] = True
        used = said.nonzero()[0]
        column = np.zeros(n_forms, np.int32)
        column[used] = np.arange(1, len(used) + 1)
        table = np.full((segments, len(used) + 1), m, np.int32)
        table[pair_segment, column.take(pair_form)] = start
        return cls(
            first_segment, segments, np.concatenate((word, _NO_WORD)), times, pair_form, pair_segment, column, table
        )

    def first_place(self, segment: Longs, form: Longs) -> Ints:
        """Place in `word` of the first word of each pair, the last place if it is not said."""
        return np.asarray(self.table.ravel().take(segment * self.table.shape[1] + self.column.take(form)))

    def nearest(self, at: Longs, anchor: Longs) -> Longs:
        """Of the words of each pair whose first stands at `at`, the one nearest to the anchor, the left one on a tie."""
        count = self.times.take(at)
        starts = count.cumsum() - count
        place = (at - starts).repeat(count)
        place += np.arange(len(place))
        word = self.word.take(place)
        distance = np.abs(word - anchor.repeat(count))
        distance <<= 32
        distance |= word
        best = np.minimum.reduceat(distance, starts) if len(at) else distance
        return np.asarray(best & 0xFFFFFFFF)


_NO_WORD = np.zeros(1, np.intp)


class TermIndex:
    """Arrays of the index; made by `build`, or given back what `arrays` gave out.

    idf: float32 (V,), ln((1 + T) / (1 + df)) + 1 as scikit-learn's smooth_idf; forms this system does not use have df 0.
    weight: its square.
    indptr (t+1,), forms (nnz,): int32, CSR of terms x form ids. mass (t,) float32: sum of idf^2 over a term's forms.
    Raises ValueError for more than four million terms.
    """

    def __init__(self, idf: Floats, indptr: Ints, forms: Ints) -> None:
        if len(indptr) > 1 << TERM_BITS:
            raise ValueError(f"an index holds at most {1 << TERM_BITS:,} terms, not {len(indptr) - 1:,}")
        self.idf, self.indptr, self.forms = idf, indptr, forms
        self.size = np.diff(indptr).astype(np.int32)
        self.weight = idf**2
        weight = self.weight[forms]
        self.mass = np.maximum(np.add.reduceat(np.append(weight, np.float32(0)), indptr[:-1]), np.float32(1e-6))

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def postings(self) -> Any:
        """(V, t) CSR: the postings of every form, weighted idf^2."""
        from scipy import sparse

        weight = self.weight[self.forms]
        shape = (len(self.indptr) - 1, len(self.idf))
        return sparse.csr_array((weight, self.forms, self.indptr), shape=shape).T.tocsr()

    def holding(self, marked: npt.NDArray[Any]) -> tuple[Ints, Ints, Ints]:
        """CSR of term -> its forms that are marked (not 0): how many (t,), where they begin (t,), and forms. marked: (V,). Kept for
        the array last asked about."""
        kept: tuple[object, tuple[Ints, Ints, Ints]] | None = self.__dict__.get("_holding")
        if kept is None or kept[0] is not marked:
            at = marked.take(self.forms).nonzero()[0]
            row = np.arange(len(self), dtype=np.int32).repeat(self.size).take(at)
            count = np.bincount(row, minlength=len(self)).astype(np.int32)
            kept = marked, (count, (count.cumsum() - count).astype(np.int32), self.forms.take(at))
            self.__dict__["_holding"] = kept
        return kept[1]

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
        form: Longs,
        word: Longs,
        segment_of_word: Longs,
        n_segments: int,
        *,
        weak: npt.NDArray[np.bool_],
        top: int = 30,
        floor: float = 0.45,
    ) -> Hits:
        """Best terms of every segment.

        form, word, segment_of_word: as in `Said.blocks`. The others: as in `search_in`.
        """
        said = Said.blocks(form, word, segment_of_word, n_segments, len(self.idf))
        return self.search_in(said, weak=weak, top=top, floor=floor)

    def search_in(
        self, said: Iterable[Said], *, weak: npt.NDArray[np.bool_], top: int = 30, floor: float = 0.45
    ) -> Hits:
        """Best terms of every segment of what a note says.

        weak: bool (V,), forms too general to carry a match: one that rests on them alone counts only if it is the whole term
        and more than one word. At most `top` terms a segment, by coverage * sqrt(matched weight), ties by term id;
        coverage >= `floor`.
        """
        parts = [self._hits(block, weak, top, floor) for block in said]
        if len(parts) == 1:
            return parts[0]
        columns = ((getattr(part, f.name) for part in parts) for f in fields(Hits))
        return Hits(*(np.concatenate(list(column)) for column in columns))

    def _hits(self, said: Said, weak: npt.NDArray[np.bool_], top: int, floor: float) -> Hits:
        seg, term = self._promising(said, floor)
        if not len(term):
            return Hits.none()
        row, form, at = self._found(said, seg, term)
        found = np.zeros(len(term), np.float32)
        np.add.at(found, row, self.weight.take(form))
        matched = np.bincount(row, minlength=len(term))
        strong = np.bincount(row.compress(~weak.take(form)), minlength=len(term))
        mass = self.mass.take(term)
        coverage = np.minimum(found / mass, np.float32(1))
        kept = found >= floor * mass
        self._leave_best(kept, seg, term, found, mass, top)
        kept &= (strong > 0) | ((coverage > FULL) & (matched > 1))
        which, words = kept.nonzero()[0], kept.take(row).nonzero()[0]
        seg, matched, found, mass = seg.take(which), matched.take(which), found.take(which), mass.take(which)
        squares = np.bincount(said.pair_segment, self.weight.take(said.pair_form))
        cosine = found / np.sqrt(mass * np.maximum(squares.take(seg), 1e-6)).astype(np.float32)
        first, last, own = self._closest(said, form.take(words), at.take(words), matched)
        compact = np.minimum(1.0, matched / np.maximum(1, last - first + 1)).astype(np.float32)
        return Hits(
            term.take(which),
            seg + said.first_segment,
            coverage.take(which),
            np.minimum(cosine, np.float32(1)),
            first,
            last,
            compact,
            matched,
            own,
        )

    def _promising(self, said: Said, floor: float) -> tuple[Longs, Longs]:
        """Segment and term, ascending, of all pairs whose coverage may be `floor` or more, by the forms that decide about it."""
        from scipy.sparse import _sparsetools

        deciding, form = self._deciding(floor), said.pair_form
        if not len(form):
            none = np.zeros(0, np.int64)
            return none, none
        postings = deciding.postings
        # the kernel behind a product of sparse arrays, without its checks and its first pass that counts (0.2 ms a note): all
        # postings of all forms are room enough
        indptr = said.pair_segment.searchsorted(np.arange(said.segments + 1)).astype(np.int32)
        room = int(deciding.count.take(form).sum())
        stop, term, found = np.empty(said.segments + 1, np.int32), np.empty(room, np.int32), np.empty(room, np.float32)
        ones = np.ones(len(form), np.float32)
        _sparsetools.csr_matmat(
            said.segments, len(self), indptr, form, ones, postings.indptr, postings.indices, postings.data, stop, term, found
        )  # fmt: skip
        near = (found[: stop[-1]] >= 1).nonzero()[0]
        # one whole number to sort by, as numpy sorts those ten times as fast as it sorts by columns
        pair = stop.searchsorted(near, side="right") - 1
        pair <<= TERM_BITS
        pair |= term.take(near)
        pair.sort()
        return pair >> TERM_BITS, pair & ((1 << TERM_BITS) - 1)

    def _deciding(self, floor: float) -> _Deciding:
        """Made once for the floor of the model."""
        kept: _Deciding | None = self.__dict__.get("_deciding_at")
        if kept is None or kept.floor != floor:
            kept = self.__dict__["_deciding_at"] = _Deciding.of(self, floor)
        return kept

    def _found(self, said: Said, seg: Longs, term: Longs) -> tuple[Longs, Longs, Longs]:
        """The forms of the terms that their segments hold, in order: row of the pair (ascending), form, and its first place in
        `said.word`."""
        count = self.size.take(term)
        row = np.arange(len(term)).repeat(count)
        begin = np.asarray(self.indptr.take(term) - (count.cumsum() - count), np.int64)
        form = self.forms.take(np.arange(len(row)) + begin.take(row)).astype(np.intp)
        at = said.first_place(seg.take(row), form)
        here = (at < len(said.word) - 1).nonzero()[0]
        return row.take(here), form.take(here), at.take(here).astype(np.intp)

    def _leave_best(
        self, kept: npt.NDArray[np.bool_], seg: Longs, term: Longs, found: Floats, mass: Floats, top: int
    ) -> None:
        """Of the pairs kept in a segment leave the `top` by coverage * sqrt(matched weight), ties by term."""
        own = kept.nonzero()[0]
        count = np.bincount(seg.take(own))
        crowded = count > top
        if not crowded.any():
            return
        own = own.compress(crowded.take(seg.take(own)))
        seg, term, found = seg.take(own), term.take(own), found.take(own)
        score = (found / mass.take(own)) * np.sqrt(found)
        # one whole number to sort by: the bits of a positive float ascend with it. No pair is there twice, so that any sort gives
        # this order.
        place = (np.int64(2**31 - 1) - score.astype(np.float32, copy=False).view(np.int32)) << TERM_BITS
        place |= seg << (31 + TERM_BITS)
        place |= term
        order = place.argsort()
        count = count.compress(crowded)
        rank = np.arange(len(order))
        rank -= (count.cumsum() - count).repeat(count)
        kept[own.take(order.compress(rank >= top))] = False

    def _closest(self, said: Said, form: Longs, at: Longs, matched: Longs) -> tuple[Longs, Longs, Longs]:
        """First and last word of the closest occurrence of each of h hits, and in how many words its forms stand, intp (h,).

        form, at: the forms found of each hit, one hit after the other, and their places in `said.word`; matched: (h,), how many.
        The term's rarest form found anchors the occurrence at its first place in the segment; every other form stands
        at its place nearest to the anchor (left one on a tie).
        """
        if not len(matched):
            none = np.zeros(0, np.intp)
            return none, none, none
        near, hit = said.word.take(at), np.arange(len(matched)).repeat(matched)
        starts = matched.cumsum() - matched
        # the anchor of each hit: its rarest found form, the first such in term order (written last, so that it stays)
        rarity = self.idf.take(form)
        rarest = (rarity == np.maximum.reduceat(rarity, starts).take(hit)).nonzero()[0][::-1]
        lead = np.empty(len(matched), np.int64)
        lead[hit.take(rarest)] = rarest
        anchor = near.take(lead)
        several = (said.times.take(at) > 1).nonzero()[0]
        if len(several):
            near[several] = said.nearest(at.take(several), anchor.take(hit.take(several)))
        size = int(near.max()) + 1
        words = np.bincount(distinct(hit * size + near) // size)
        return np.minimum.reduceat(near, starts), np.maximum.reduceat(near, starts), words


#: Share of the floor that the commonest forms of a term may reach together and yet be looked up only when others are found: the
#: more, the fewer postings, and the more terms that are held against a segment form by form (0.4 costs least).
_BESIDE = 0.35


@dataclass(frozen=True, slots=True)
class _Deciding:
    """The postings of a search that asks for a coverage of `floor`.

    The commonest forms of a term, which are in most segments, weigh so little that they cannot reach it alone: a match needs one
    of the others. Only these are here.

    postings: (V, t) CSR of shares. Those of a term's forms that are found sum to 1 or more where the term may reach the floor with
    all of its common ones. count: (V,), of each form.
    """

    floor: float
    postings: Any
    count: Ints

    @classmethod
    def of(cls, index: TermIndex, floor: float) -> _Deciding:
        from scipy import sparse

        form, n_forms, n_terms = index.forms, len(index.idf), len(index)
        row = np.arange(n_terms).repeat(index.size)
        weight, mass = index.weight.take(form).astype(np.float64), index.mass.astype(np.float64)
        # the forms of each term from the lightest on
        rank = np.empty(n_forms, np.int64)
        rank[index.weight.argsort(kind="stable")] = np.arange(n_forms)
        order = (row * n_forms + rank.take(form)).argsort()
        total = np.append(0.0, weight.take(order).cumsum())
        common = np.empty(len(form), bool)
        common[order] = total[1:] - total.take(index.indptr.take(row)) <= _BESIDE * floor * mass.take(row)
        beside = np.bincount(row.compress(common), weight.compress(common), minlength=n_terms)
        needed = np.maximum((floor - _ROUNDING) * mass - beside, 1e-9)
        kept = (~common).nonzero()[0]
        row = row.take(kept)
        share = (weight.take(kept) / needed.take(row)).astype(np.float32)
        bounds = np.append(0, np.bincount(row, minlength=n_terms).cumsum()).astype(np.int32)
        postings = sparse.csr_array((share, form.take(kept), bounds), shape=(n_terms, n_forms)).T.tocsr()
        return cls(floor, postings, np.diff(postings.indptr))


_ROUNDING = 1e-4  #: in coverage


def _identity(forms: tuple[str, ...]) -> tuple[str, ...]:
    return forms
