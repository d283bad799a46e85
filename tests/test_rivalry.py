"""How many candidates rest on the same words, beside a slow reference."""

from __future__ import annotations

from math import log, log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.features import COLUMN
from codesuggest.retrieve import Hits
from codesuggest.rivalry import BY_MARKS, RIVALRY, by_marks, rivalry

Row = tuple[int, int, int, int, bool, bool]
ROW = st.tuples(
    st.integers(0, 1), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.booleans(), st.booleans()
)


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, max_size=10))
def test_candidates_of_the_same_words_are_counted(rows: list[Row]) -> None:
    segment, first, last, category = (np.array([r[k] for r in rows], np.int32) for k in range(4))
    full, claimed = (np.array([r[k] for r in rows], bool) for k in (4, 5))
    found = rivalry(segment, first, last, category, full, claimed)
    assert found.shape == (len(rows), len(RIVALRY))
    for row, told in zip(rows, found.tolist(), strict=True):
        same = [r for r in rows if r[:3] == row[:3]]
        alike = [r for r in same if r[3] == row[3]]
        full_same, full_alike = sum(r[4] for r in same), sum(r[4] for r in alike)
        claims = sum(r[5] for r in same)
        assert told == pytest.approx(
            [
                log(len(same)),
                log1p(full_same),
                log(len(alike)),
                log1p(full_alike),
                row[4] * log1p(full_same),
                row[4] * log1p(full_alike),
                float(not row[5] and claims > 0),
                log1p(claims),
                float(row[4] and full_same == 1),
            ],
            abs=1e-5,
        )


def test_codes_are_told_of_their_own_concepts_matches() -> None:
    """Two codes of concept 1 and none of concept 0; the second match, of the third word, is in full and alone."""
    two = np.array([0, 0], np.int32)
    words = np.array([0, 2], np.int32)
    ones = np.ones(2, np.float32)
    hits = Hits(two, two, ones, ones, words, words, ones, two + 1, two + 1)
    marked = np.array([0.9, 0.1, 0.6], np.float32)
    strength = np.array([0.5, 1.0], np.float32)
    row, lead = np.array([1, 1]), np.array([1, 1])
    found = by_marks(marked, hits, strength, np.arange(2), np.array([0, 1]), row, lead, two, ones, ones)
    told = dict(zip(BY_MARKS, found[0].tolist(), strict=True))
    assert found[0].tolist() == found[1].tolist()
    assert told["tagged:mean"] == told["tagged:said"] == told["tagged:anywhere"] == pytest.approx(0.6)
    assert told["tagged:share"] == pytest.approx(0.6 / 0.8) and told["rivalry:candidates"] == pytest.approx(log(2))
    assert told["rivalry:full_alone"] == 0


def test_the_names_stand_side_by_side() -> None:
    """They are written in one go."""
    assert [COLUMN[name] for name in BY_MARKS] == list(range(COLUMN[BY_MARKS[0]], COLUMN[BY_MARKS[0]] + len(BY_MARKS)))
