"""How phrases are written: counts, what they refine, and what is kept."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.writing import OwnWritings, Writing, Writings, count

# two phrases; the pairs 0 and 1 are of phrase 0, pair 2 of phrase 1
PAIRS_OF = {0: [0, 1], 1: [2]}
DOCUMENTS: list[tuple[set[Writing], set[int]]] = [
    ({(0, "dolor"), (1, "tos")}, {0, 2}),
    ({(0, "dolor")}, {0}),
    ({(0, "doloroso")}, set()),
    ({(0, "doloroso"), (0, "dolor")}, {1}),
]
GROUPS = ["a", "b", "c", "a"]


def counted(min_groups: int = 1) -> tuple[Writings, list[OwnWritings]]:
    return count(DOCUMENTS, GROUPS, PAIRS_OF, min_groups)


def test_counts() -> None:
    writings, _ = counted()
    assert writings.texts == ("dolor", "doloroso", "tos") and writings.said.tolist() == [3, 2, 1]
    held = {
        (writings.texts[w], int(writings.pair[m])): int(writings.both[m])
        for w in range(3)
        for m in range(writings.indptr[w], writings.indptr[w + 1])
    }
    assert held == {("dolor", 0): 2, ("dolor", 1): 1, ("doloroso", 1): 1, ("tos", 2): 1}
    assert writings.fits(2, 3) and not writings.fits(1, 3) and not writings.fits(2, 2)


def test_a_writing_refines_the_phrase_and_one_never_seen_leaves_it() -> None:
    writings, _ = counted()
    place = writings.place
    row = np.array([place[0, "dolor"], place[0, "doloroso"], -1, -1])
    refined, said = writings.refined(row, np.zeros(4, np.int64), np.array([0.5, 0.5, 0.5, 0.2]))
    assert np.allclose(refined, [2.5 / 4, 0.5 / 3, 0.5, 0.2])
    assert said.tolist() == [3, 2, 0, 0]


def test_without_writings_nothing_is_refined() -> None:
    refined, said = Writings.none().refined(np.array([-1]), np.array([0]), np.array([0.3]))
    assert refined.tolist() == [0.3] and said.tolist() == [0]


def test_a_writing_of_too_few_groups_is_not_kept() -> None:
    assert counted(2)[0].texts == ("dolor", "doloroso")
    assert counted(4)[0].texts == ()


@given(
    st.lists(
        st.tuples(st.sets(st.tuples(st.integers(0, 2), st.sampled_from("xyz"))), st.sets(st.integers(0, 5))),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_what_a_document_added_can_be_taken_out(documents: list[tuple[set[Writing], set[int]]], which: int) -> None:
    """Against counting the others anew: the same counts, and none of what nobody else writes."""
    which %= len(documents)
    pairs_of = {g: [2 * g, 2 * g + 1] for g in range(3)}
    groups = [str(n) for n in range(len(documents))]
    writings, own = count(documents, groups, pairs_of, 1)
    left = writings.without([own[which]])
    others = [d for n, d in enumerate(documents) if n != which]
    said = Counter(w for found, _ in others for w in found)
    both = Counter((w, p) for found, pairs in others for w in found for p in pairs_of[w[0]] if p in pairs)
    for writing, row in left.place.items():
        assert left.said[row] == said[writing]
        for m in range(left.indptr[row], left.indptr[row + 1]):
            assert left.both[m] == both[writing, int(left.pair[m])]
    assert sum(said.values()) == int(left.said.sum()) and sum(both.values()) == int(left.both.sum())


def test_arrays_there_and_back() -> None:
    writings, _ = counted()
    again = Writings.from_arrays(writings.arrays(), writings.texts)
    assert again.texts == writings.texts and again.place == writings.place
    assert all(np.array_equal(again.arrays()[k], v) for k, v in writings.arrays().items())


def test_pairs_that_are_gone_take_their_counts_along() -> None:
    writings, _ = counted()
    moved = writings.moved(np.array([True, False, True]), np.array([1, -1, 0]))
    held = {
        (moved.texts[w], int(moved.pair[m])): int(moved.both[m])
        for w in range(3)
        for m in range(moved.indptr[w], moved.indptr[w + 1])
    }
    assert held == {("dolor", 1): 2, ("tos", 0): 1} and moved.said.tolist() == writings.said.tolist()
