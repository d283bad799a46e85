"""Profiles of codes: the formula, counted anew, and nothing of a document's own in its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.profiles import COMMON, SHRINK, Taught

SIZE = 12
rows = st.lists(
    st.tuples(
        st.sets(st.integers(0, SIZE - 1), min_size=1, max_size=5),
        st.frozensets(st.integers(0, 3), max_size=2),
        st.sampled_from(["p1", "p2", "p3", "p4", "p5"]),
    ),
    min_size=2,
    max_size=12,
)
Row = tuple[set[int], frozenset[int], str]


def taught(drawn: list[Row], min_groups: int = 1) -> Taught:
    forms = [np.array(sorted(f), np.int32) for f, _, _ in drawn]
    return Taught.of(forms, [c for _, c, _ in drawn], [g for *_, g in drawn], size=SIZE, min_groups=min_groups)


def slow(drawn: list[Row], left: list[Row], note: set[int], code: int) -> float:
    """By the formula, words weighted by all documents, profiles and mean of those left."""
    df = {f: sum(f in own for own, _, _ in drawn) for f in range(SIZE)}
    kept = {f for f, n in df.items() if 2 <= n <= max(2, COMMON * len(drawn)) and n < len(drawn)}

    def vector(forms: set[int]) -> dict[int, float]:
        raw = {f: math.log((1 + len(drawn)) / (1 + df[f])) for f in forms & kept}
        length = math.sqrt(sum(w * w for w in raw.values())) or 1.0
        return {f: w / length for f, w in raw.items()}

    def like(a: dict[int, float], b: dict[int, float]) -> float:
        return sum(w * b.get(f, 0.0) for f, w in a.items())

    x = vector(note)
    mean = max(1e-9, sum(like(x, vector(own)) for own, _, _ in left) / max(1, len(left)))
    own = [vector(f) for f, codes, _ in left if code in codes]
    return math.log((sum(like(x, v) for v in own) + SHRINK * mean) / ((len(own) + SHRINK) * mean))


@settings(max_examples=80, deadline=None)
@given(rows, st.sets(st.integers(0, SIZE - 1), min_size=1, max_size=4))
def test_the_feature_is_that_of_the_other_groups(drawn: list[Row], note: set[int]) -> None:
    model = taught(drawn)
    codes, forms = np.arange(4), np.array(sorted(note), np.int32)
    names = sorted({g for *_, g in drawn})
    for groups in [[], *([name] for name in names), names[:2]]:
        left = [row for row in drawn if row[2] not in groups]
        found = model.without(groups).of(forms, codes)
        expected = [slow(drawn, left, note, c) for c in range(4)]
        mean = model.without(groups)
        if float((mean.vector(forms)[1] * mean.mean[mean.vector(forms)[0]]).sum()) > 1e-4:  # else all is rounding
            assert found == pytest.approx(expected, abs=2e-2)


def test_a_word_that_too_few_patients_say_of_a_code_is_in_no_profile() -> None:
    drawn: list[Row] = [({1, 2}, frozenset({0}), "p1"), ({1, 3}, frozenset({0}), "p2"), ({2, 3}, frozenset(), "p3")]
    drawn += [({5 + n}, frozenset(), f"q{n}") for n in range(6)]
    assert taught(drawn, 1).profiles.weight.size == 3
    two = taught(drawn, 2)
    assert two.profiles.word[two.profiles.place].tolist() == [1], "only word 1 is said by both patients with the code"
    assert two.without(["p1"]).weight.tolist() == [0.0]


def test_a_code_nobody_gave_has_no_leaning_and_arrays_fit() -> None:
    model = taught([({1, 2}, frozenset({2}), "p1"), ({1, 2}, frozenset(), "p2"), ({4}, frozenset({1}), "p3")])
    assert model.profiles.of(np.array([1]), np.array([0, 3])).tolist() == [0.0, 0.0]
    assert model.profiles.fits(4, SIZE) and not model.profiles.fits(2, SIZE) and not model.profiles.fits(4, 2)
    empty = Taught.of([], [], [], size=SIZE, min_groups=1).profiles
    assert empty.fits(4, SIZE) and empty.of(np.array([1]), np.arange(3)).tolist() == [0.0, 0.0, 0.0]
