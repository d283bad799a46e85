"""Small steps of the features that have a slower twin in numpy or in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest import CodeSuggester
from codesuggest.features import COLUMN, _best_of
from codesuggest.retrieve import numbered

ROWS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([-0.5, 0.0, 0.25, 1.0])), max_size=20)


@given(st.lists(st.integers(0, 30), max_size=40))
def test_different_values_are_numbered_as_unique_does(values: list[int]) -> None:
    given_ = np.array(values, np.int32)
    different, place = numbered(given_, 31)
    expected, back = np.unique(given_, return_inverse=True)
    assert different.tolist() == expected.tolist() and place.tolist() == back.tolist()
    assert different.dtype == np.int32


@given(ROWS)
def test_the_first_of_the_best_of_each_row(pairs: list[tuple[int, float]]) -> None:
    row, values = np.array([r for r, _ in pairs], int), np.array([v for _, v in pairs], np.float32)
    expected = []
    for r in range(7):
        own = [i for i, (of, _) in enumerate(pairs) if of == r]
        expected.append(max(own, key=lambda i: (pairs[i][1], -i), default=-1))
    assert _best_of(row, values, 7).tolist() == expected


def test_a_code_for_others_that_only_its_title_names(starter: CodeSuggester) -> None:
    engine = starter.engines["icd10cm"]
    reading = starter.reader.read("Assessment:\n- constipation\n- pineal cyst")
    _, table = engine.candidates(reading, engine.system.billable_on(), inpatient=False, top=30, floor=0.45)
    column = table.x[:, COLUMN["code:other_by_title"]].tolist()
    found = {engine.system.code(int(c)): value for c, value in zip(table.code, column, strict=True)}
    assert found["K59.09"] == 1  # other constipation
    assert found["K59.00"] == 0  # constipation, unspecified
    assert found["G93.89"] == 0  # other disorders of brain, which a wording of ours names


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Former smoker.", {"F17.210": 1, "Z87.891": 0}),
        ("Tobacco: quit 10 years ago.", {"F17.210": 1}),
        ("Smoked 1 ppd for 20 years, quit in 2010.", {"F17.210": 1}),
        ("Smokes 1 ppd.", {"F17.210": 0}),
        ("Smoked in college, now smokes cigarettes again.", {"F17.210": 0}),
        ("History of alcohol dependence.", {"F10.20": 1, "F10.21": 0}),
        ("History of depression.", {"F32.A": 0}),
    ],
)
def test_a_habit_given_up(starter: CodeSuggester, said: str, expected: dict[str, float]) -> None:
    engine = starter.engines["icd10cm"]
    reading = starter.reader.read(f"Social history:\n{said}\n")
    _, table = engine.candidates(reading, engine.system.billable_on(), inpatient=False, top=30, floor=0.45)
    column = table.x[:, COLUMN["against:given_up"]].tolist()
    found = {engine.system.code(int(c)): value for c, value in zip(table.code, column, strict=True)}
    assert {code: found.get(code) for code in expected} == expected
