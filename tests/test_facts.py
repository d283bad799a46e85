"""The tables of facts: every code in them is one of the release, and a row can fire."""

from __future__ import annotations

import numpy as np
import pytest

from codesuggest import CodeSuggester
from codesuggest.facts import implied, pairs, symptoms


def begins(starter: CodeSuggester, prefix: str) -> bool:
    codes = np.asarray(starter.tables["icd10cm"].codes)
    low, high = np.searchsorted(codes, [prefix.encode(), prefix.encode() + b"~"]).tolist()
    return bool(low < high)


def test_what_is_implied_is_billable_and_its_parts_are_codes(starter: CodeSuggester) -> None:
    system = starter.tables["icd10cm"]
    for row in implied():
        assert system[row.code].billable, row.code
        assert len(row.parts) >= 2, f"{row.code}: one diagnosis adds up to nothing"
        for prefix in (*(p for part in row.parts for p in part), *row.unless):
            assert begins(starter, prefix), f"{row.code}: no code begins with {prefix}"


def test_no_row_is_implied_by_itself_alone() -> None:
    for row in implied():
        assert not all(row.code.startswith(part) for part in row.parts), row.code


@pytest.mark.parametrize("rule", ["combination", "not_together", "history_and_current"])
def test_pairs_are_found_by_the_category_of_their_first_code(rule: str) -> None:
    for category, rows in pairs()[rule].items():
        assert rows and all(any(p.startswith(category) for p in row.first) for row in rows)


def test_symptoms_are_found_by_their_category() -> None:
    assert all(any(p.startswith(c) for p in symptom) for c, rows in symptoms().items() for symptom, _ in rows)
