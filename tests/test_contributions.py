"""Why a candidate has its score: all rows at once, when read, against one after another; and the same as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import NOTES
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.contributions import _NUMBERS, Contributions, _by_size
from codesuggest.features import FEATURES
from codesuggest.rank import Ranker
from codesuggest.suggester import CodeSuggester

TEXTS = [p.read_text(encoding="utf-8") for p in sorted(NOTES.glob("*.txt"))[::40]]
WITH_WEIGHT = np.arange(2, 12)  #: of the features
products = st.lists(
    st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.1, 1e-300, -2.5e17]), min_size=10, max_size=10), max_size=5
)


def why_slowly(ranker: Ranker, x: np.ndarray) -> dict[str, float]:
    parts = x.astype(np.float64) * ranker.weights
    shown = sorted(np.flatnonzero(parts).tolist(), key=lambda i: (-abs(parts[i]), i))
    return {FEATURES[i]: float(parts[i]) for i in shown}


@pytest.mark.parametrize("system", ["icd10cm", "icd10pcs", "hcpcs"])
def test_contributions_equal_the_slow_reference(starter: CodeSuggester, system: str) -> None:
    engine, seen = starter.engines[system], 0
    for text in TEXTS:
        _, table = engine.candidates(
            starter.reader.read(text), engine.system.billable_on(), inpatient=False, top=30, floor=0.45
        )
        found = engine.ranker.products(table.x)
        assert engine.ranker.summed(found).tolist() == engine.ranker.score(table.x).tolist()
        for why, x in zip(engine.ranker.whys(found), table.x, strict=True):
            assert list(why.items()) == list(why_slowly(engine.ranker, x).items())
            seen += 1
    assert seen > 5


def test_equal_ones_come_in_the_order_of_the_features() -> None:
    found = np.zeros((2, 10))
    found[1, [7, 1, 3]] = -2, 2, 3
    whys = Contributions(WITH_WEIGHT, found)
    assert len(whys) == 2
    assert [list(why.items()) for why in whys] == [[], [(FEATURES[5], 3), (FEATURES[3], 2), (FEATURES[9], -2)]]


@given(products)
def test_they_are_written_as_json_writes_them(rows: list[list[float]]) -> None:
    whys = Contributions(WITH_WEIGHT, np.array(rows, np.float64).reshape(-1, 10))
    assert [whys.written(n) for n in range(len(rows))] == [json.dumps(why, separators=(",", ":")) for why in whys]


def test_what_is_no_number_is_written_as_json_writes_it_too() -> None:
    whys = Contributions(WITH_WEIGHT[:3], np.array([[np.inf, -np.inf, np.nan]]))
    assert whys.written(0) == json.dumps(whys[0], separators=(",", ":"))


def test_written_numbers_are_kept_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesuggest.contributions._MOST_NUMBERS", 3)
    _NUMBERS.clear()
    for number in range(1, 50):
        assert _NUMBERS[number / 8] == repr(number / 8)
        assert len(_NUMBERS) <= 3


@given(st.lists(st.lists(st.sampled_from([1.0, -1.0, 1.0 + 2**-50, -1.0 - 2**-50, 0.5, -3.0]), max_size=6), max_size=5))
def test_by_size_tells_apart_what_differs_in_the_last_bit_and_leaves_equal_ones_in_order(
    rows: list[list[float]],
) -> None:
    row = np.array([n for n, own in enumerate(rows) for _ in own], np.int64)
    value = np.array([v for own in rows for v in own], np.float64)
    expected = sorted(range(len(row)), key=lambda i: (row[i], -abs(value[i]), i))
    assert _by_size(row, value).tolist() == expected
