"""What stands behind no suggestion: stretches that are touched, and one reason a phrase."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.suggester import CodeSuggester
from codesuggest.withheld import overlap, touched, withheld

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda s: (s[0], s[0] + s[1])), max_size=8)


@given(SPANS, SPANS)
def test_stretches_that_are_touched_equal_the_slow_reference(
    own: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    def columns(spans: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        return np.array([a for a, _ in spans], np.int64), np.array([b for _, b in spans], np.int64)

    expected = [any(a < end and start < b for a, b in others) for start, end in own]
    assert touched(columns(own), columns(others)).tolist() == expected
    assert [overlap(others)(start, end) for start, end in own] == expected


NOTE = "HPI: denies fever. Possible gout.\nAssessment: migraine, asthma\n"


@pytest.mark.parametrize(
    ("shown", "claimed", "setting", "reasons"),
    [
        ([], [], "outpatient", ["negated", "uncertain", "no_match", "no_match"]),
        ([], ["gout", "migraine"], "inpatient", ["negated", "ranked_low", "ranked_low", "no_match"]),
        (["migraine", "fever"], ["gout"], "inpatient", [None, "ranked_low", None, "no_match"]),
    ],
)
def test_each_phrase_has_its_reason(
    starter: CodeSuggester, shown: list[str], claimed: list[str], setting: str, reasons: list[str | None]
) -> None:
    reading = starter.reader.read(NOTE)

    def places(words: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(np.array([NOTE.index(w)]), np.array([NOTE.index(w) + len(w)])) for w in words]

    found = withheld(reading, places(shown), places(claimed), setting=setting)
    told = {NOTE[w.start : w.end]: w.reason for w in found}
    assert [told.get(word) for word in ("fever", "gout", "migraine", "asthma")] == reasons
    assert [w.start for w in found] == sorted(w.start for w in found)
