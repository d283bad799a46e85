"""Learned terms: what is counted, the same with a slow count beside it, and nothing of a document's own in its own."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.mentions import LEAST, LIFT, TermCounts, terms_of
from codesuggest.suggester import CodeSuggester

WORDS = ("chest", "film", "knee", "echo")
documents = st.lists(
    st.tuples(
        st.sets(st.sampled_from([(w,) for w in WORDS] + list(combinations(sorted(WORDS), 2))), max_size=5),
        st.frozensets(st.integers(0, 3), max_size=3),
        st.sampled_from(["p1", "p2", "p3", "p4"]),
    ),
    min_size=2,
    max_size=12,
)


def counted(rows: list[tuple[set[tuple[str, ...]], frozenset[int], str]]) -> TermCounts:
    return TermCounts.of([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], n_concepts=4, min_groups=1)


def slow_reliability(
    rows: list[tuple[set[tuple[str, ...]], frozenset[int], str]], term: tuple[str, ...], concept: int
) -> float:
    said = [r for r in rows if term in r[0]]
    both = sum(concept in r[1] for r in said)
    prior = sum(concept in r[1] for r in rows) / max(1, len(rows))
    value = (both + prior / 2) / (len(said) + 1.5)
    return value if both >= 2 and value >= LEAST and value >= LIFT * prior else 0.0


@given(documents)
def test_reliability_is_that_of_the_other_groups(rows: list[tuple[set[tuple[str, ...]], frozenset[int], str]]) -> None:
    counts = counted(rows)
    names = sorted({r[2] for r in rows})
    for groups in [[], *([name] for name in names), names[:2]]:
        others = [r for r in rows if r[2] not in groups]
        found = counts.reliability(groups)
        for i, term in enumerate(counts.terms):
            assert found[i] == pytest.approx(slow_reliability(others, term, int(counts.concept[i])), abs=1e-4)
        expected = [np.log1p(4 * sum(c in r[1] for r in others)) / 2 for c in range(4)]
        assert counts.prior(groups).tolist() == pytest.approx(expected, abs=1e-6)


def test_a_term_of_too_few_patients_is_not_kept() -> None:
    rows = [({("zyxwolf",)}, frozenset({0}), "p1")] * 3 + [(set(), frozenset(), f"q{i}") for i in range(20)]
    found, concepts, groups = [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]
    assert TermCounts.of(found, concepts, groups, n_concepts=1, min_groups=1).terms == (("zyxwolf",),)
    assert TermCounts.of(found, concepts, groups, n_concepts=1, min_groups=2).terms == ()


def test_terms_are_near_words_of_one_sentence_said_of_the_patient(tiny: CodeSuggester) -> None:
    found = terms_of(tiny.reader.read("Asthma and migraine. Gout? Denies insomnia. Zyxwolf had asthma in 1999."))
    assert ("asthma",) in found and tuple(sorted(("asthma", "migrain"))) in found
    flat = {form for term in found for form in term}
    assert "insomnia" not in flat and "zyxwolf" not in flat and not any(any(c.isdigit() for c in f) for f in flat)
    assert all(term == tuple(sorted(set(term))) and len(term) <= 3 for term in found)
    far = "Asthma " + "and then much later on in the course of things " * 2 + "migraine."
    assert tuple(sorted(("asthma", "migrain"))) not in terms_of(tiny.reader.read(far))
