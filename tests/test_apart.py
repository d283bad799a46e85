"""Codes that an Excludes1 note keeps apart, held against the slow look-up of the same notes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest import CodeSuggester
from codesuggest.apart import Apart
from codesuggest.codes.system import CodeSystem
from codesuggest.features import COLUMN
from codesuggest.rank import rivals


@pytest.fixture(scope="module")
def table(starter: CodeSuggester) -> CodeSystem:
    return starter.tables["icd10cm"]


@pytest.fixture(scope="module")
def apart(table: CodeSystem) -> Apart:
    return Apart.of(table)


def found(table: CodeSystem, apart: Apart, codes: list[str]) -> set[tuple[str, str]]:
    place = np.array([table.index_of(c) for c in codes], np.int32)
    one, two = apart.pairs(np.zeros_like(place), place)
    return {(codes[i], codes[j]) for i, j in zip(one.tolist(), two.tolist(), strict=True)}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("E10.65", "E11.65", True),  # the note stands at the category
        ("J45.909", "J44.9", False),  # Excludes2 since FY2018
        ("R10.9", "K35.80", False),
        ("N18.6", "I12.0", False),  # code first
        ("J02.0", "J02.9", False),
        ("G89.29", "M54.50", False),
        ("R73.03", "E11.9", True),
    ],
)
def test_pairs_of_the_tabular_list(table: CodeSystem, apart: Apart, one: str, other: str, expected: bool) -> None:
    pairs = found(table, apart, [one, other])
    assert bool(pairs) is expected
    assert pairs <= {(one, other), (other, one)}


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=0, max_size=12, unique=True), st.integers(0, 10**6))
def test_pairs_equal_the_slow_reference(
    starter: CodeSuggester, table: CodeSystem, apart: Apart, numbers: list[int], near: int
) -> None:
    billable = np.flatnonzero(table.billable)
    at = near % (len(billable) - 12)  # neighbours too: the notes of a category are about them
    chosen = {int(billable[n % len(billable)]) for n in numbers} | set(billable[at : at + 6].tolist())
    codes = [table.code(i) for i in sorted(chosen, key=lambda i: (i * 7919) % 104729)]
    expected = {(c.code, c.other) for c in table.excludes1_between(codes)}
    assert found(table, apart, codes) == expected


def test_nothing_keeps_nothing_apart(apart: Apart) -> None:
    one, two = apart.pairs(np.zeros(0, np.intp), np.zeros(0, np.int32))
    assert len(one) == len(two) == 0


def test_codes_of_two_notes_are_not_held_against_each_other(table: CodeSystem, apart: Apart) -> None:
    place = np.array([table.index_of(c) for c in ("E10.65", "R73.03", "E11.65", "E10.65")], np.int32)
    one, two = apart.pairs(np.array([0, 1, 1, 2]), place)
    assert {frozenset(pair) for pair in zip(one.tolist(), two.tolist(), strict=True)} == {frozenset((1, 2))}


def test_the_better_of_two_speaks_against_the_lesser(starter: CodeSuggester, table: CodeSystem) -> None:
    engine = starter.engines["icd10cm"]
    reading = starter.reader.read("Assessment:\n- type 2 diabetes with hyperglycemia")
    hits, candidates = engine.candidates(reading, engine.system.billable_on(), inpatient=False, top=30, floor=0.45)
    place = {table.code(int(c)): row for row, c in enumerate(candidates.code)}
    score = np.full(len(place), -6.0)
    score[place["E11.65"]], score[place["E10.65"]] = 2.0, 0.0
    rivals(candidates, hits, score)
    column = candidates.x[:, COLUMN["rival:excluded"]]
    assert column[place["E10.65"]] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert column[place["E11.65"]] == 0
    score[place["E10.65"]] = 3.0
    rivals(candidates, hits, score)
    column = candidates.x[:, COLUMN["rival:excluded"]]
    assert column[place["E10.65"]] == 0
    assert column[place["E11.65"]] == pytest.approx(1 / (1 + np.exp(-3.0)))
