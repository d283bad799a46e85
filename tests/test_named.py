"""Which words the terms of a table name, beside a slow reference, and what the tagger makes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.concepts import KINDS
from codesuggest.named import BEGINS, CLUES, ENDS, NUMBERS, OUTSIDE, WITHIN, Named
from codesuggest.retrieve import Hits
from codesuggest.suggester import CodeSuggester
from codesuggest.tagger import Taggers

WORDS = 9
HIT = st.tuples(
    st.integers(0, 5),  # term
    st.integers(0, WORDS - 1),
    st.integers(1, 4),
    st.sampled_from([0.5, 0.75, 1.0]),
    st.sampled_from([0.4, 0.6, 1.0]),
)


class Terms:
    """As much of `Concepts` as is looked at."""

    term_kind = np.array([KINDS.index(k) for k in ("title", "idiom", "learned", "title", "drug", "idiom")], np.int8)
    term_concept = np.array([0, 1, 2, 2, 3, 4], np.int32)


LETTER = np.array([0, 2, 4, 9, 25], np.int8)


def hits_of(rows: list[tuple[int, int, int, float, float]]) -> Hits:
    term, first, length = (np.array([r[k] for r in rows], np.int32) for k in range(3))
    coverage, compact = (np.array([r[k] for r in rows], np.float32) for k in (3, 4))
    last = np.minimum(first + length - 1, WORDS - 1).astype(np.int32)
    return Hits(term, term * 0, coverage, coverage, first, last, compact, length, length)


@settings(max_examples=80, deadline=None)
@given(st.lists(HIT, max_size=12))
def test_every_word_is_told_the_longest_term_around_it(rows: list[tuple[int, int, int, float, float]]) -> None:
    hits = hits_of(rows)
    named = Named.of(WORDS, hits, Terms, LETTER)  # type: ignore[arg-type]
    spans = list(
        zip(*(getattr(hits, n).tolist() for n in ("term", "first", "last", "coverage", "compact")), strict=True)
    )
    for word in range(WORDS):
        around = [s for s in spans if s[1] <= word <= s[2] and KINDS[Terms.term_kind[s[0]]] != "learned"]
        shares = [s[3] for s in around if s[4] >= 0.5]
        assert named.share[word] == int(5 * max(shares, default=0))
        full = [s for s in around if s[3] == 1 and s[4] >= 0.75]
        if not full:
            assert (named.place[word], named.what[word], named.length[word]) == (OUTSIDE, 0, 0)
            continue
        longest = max(s[2] - s[1] for s in full)
        best = min(s[0] for s in full if s[2] - s[1] == longest)
        assert named.length[word] == longest + 1
        assert named.what[word] == 1 + int(Terms.term_kind[best]) * 26 + int(LETTER[Terms.term_concept[best]])
        places = {BEGINS if word == s[1] else ENDS if word == s[2] else WITHIN for s in full if s[0] == best}
        assert named.place[word] in places


@settings(max_examples=40, deadline=None)
@given(st.lists(HIT, max_size=12))
def test_clues_of_different_kinds_never_share_a_number(rows: list[tuple[int, int, int, float, float]]) -> None:
    clues = Named.of(WORDS, hits_of(rows), Terms, LETTER).clues()  # type: ignore[arg-type]
    assert clues.shape == (WORDS, CLUES)
    assert clues.min() >= 0 and clues.max() < NUMBERS
    assert all((a < b).all() for a, b in zip(clues.T[:-1], clues.T[1:], strict=True))


def test_neighbours_are_told_of_a_term_beside_them() -> None:
    alone = Named.of(WORDS, hits_of([(0, 3, 2, 1.0, 1.0)]), Terms, LETTER).clues()  # type: ignore[arg-type]
    nothing = Named.of(WORDS, hits_of([]), Terms, LETTER).clues()  # type: ignore[arg-type]
    assert np.flatnonzero((alone != nothing).any(1)).tolist() == [2, 3, 4, 5]
    assert (alone[2, :4] == nothing[2, :4]).all(), "the word before is in no term itself"


def test_a_word_of_the_table_is_marked_where_such_words_were(tiny: CodeSuggester) -> None:
    """Nobody marked "insomnia"; but whatever the table names was marked, and no other word."""
    engine = tiny.engines["icd10cm"]

    def named(texts: list[str]) -> tuple[list, list[Named]]:  # type: ignore[type-arg]
        readings = [tiny.reader.read(t) for t in texts]
        return readings, [engine.named(r, engine.hits(r, top=45, floor=0.45)) for r in readings]

    says = [f"Then {word} troubled {name} again." for word in ("asthma", "migraine", "pneumonia") for name in "abcdef"]
    readings, terms = named(says)
    marks = [{(5, text.index(" troubled"))} for text in says]
    made = Taggers.of(readings, terms, marks, [f"p{n}" for n in range(len(says))], 1)
    assert made is not None

    def told(text: str) -> Mapping[str, float]:
        (reading,), own = named([text])
        words = [text[a:b] for a, b in zip(reading.words.start, reading.words.end, strict=True)]
        return dict(zip(words, made.tagger.marked(reading, own[0]).tolist(), strict=True))

    assert (
        told("Then insomnia troubled g again.")["insomnia"] > told("Then quibbles troubled g again.")["quibbles"] + 0.1
    )
