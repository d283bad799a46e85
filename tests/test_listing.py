"""The listed suggestions: all rows at once against one after another."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import NOTES
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.features import FEATURES, Table
from codesuggest.listing import evidence_hits
from codesuggest.rank import Ranker, _by_size
from codesuggest.retrieve import Hits
from codesuggest.suggester import CodeSuggester

TEXTS = [p.read_text(encoding="utf-8") for p in sorted(NOTES.glob("*.txt"))[::40]]


def candidates(suggester: CodeSuggester, text: str, system: str) -> tuple[Hits, Table]:
    engine = suggester.engines[system]
    return engine.candidates(
        suggester.reader.read(text), engine.system.billable_on(), inpatient=system == "icd10pcs", top=30, floor=0.45
    )


def evidence_slowly(table: Table, hits: Hits, of_concept: np.ndarray, concept: int) -> list[int]:
    """Hits that speak for a concept: not much weaker than its best one, strongest and then first in the note."""
    own = np.flatnonzero(table.usable & (of_concept[hits.term] == concept))
    adding = table.witness[table.concept == concept].ravel()  # it rests on what it adds up from too
    own = np.unique(np.append(own, adding[adding >= 0]))
    if len(own):
        own = own[table.worth[own] >= 0.7 * table.worth[own].max()]
    return own[np.lexsort((hits.first[own], -np.round(table.worth[own], 2)))].tolist()


def why_slowly(ranker: Ranker, x: np.ndarray) -> dict[str, float]:
    parts = x.astype(np.float64) * ranker.weights
    shown = sorted(np.flatnonzero(parts).tolist(), key=lambda i: (-abs(parts[i]), i))
    return {FEATURES[i]: float(parts[i]) for i in shown}


@pytest.mark.parametrize("system", ["icd10cm", "icd10pcs", "hcpcs"])
def test_evidence_and_contributions_equal_the_slow_reference(starter: CodeSuggester, system: str) -> None:
    engine, seen = starter.engines[system], 0
    for text in TEXTS:
        hits, table = candidates(starter, text, system)
        wanted = np.unique(table.concept)
        own, slot = evidence_hits(table, hits, engine.concepts.term_concept, wanted)
        for number, concept in enumerate(wanted.tolist()):
            expected = evidence_slowly(table, hits, engine.concepts.term_concept, concept)
            assert own[slot == number].tolist() == expected
            seen += len(expected) > 1
        for why, x in zip(engine.ranker.whys(table.x), table.x, strict=True):
            assert list(why.items()) == list(why_slowly(engine.ranker, x).items())
    assert seen > 5


def test_equal_contributions_come_in_the_order_of_the_features() -> None:
    ranker = Ranker(np.zeros(0), 0.0, np.ones(len(FEATURES)), 0.0, np.array([-1.0, 1.0]), np.array([0.0, 1.0]), 0.5)
    x = np.zeros((2, len(FEATURES)), np.float32)
    x[1, [9, 3, 5]] = -2, 2, 3
    assert [list(why) for why in ranker.whys(x)] == [[], [FEATURES[i] for i in (5, 3, 9)]]


def test_without_candidates_nothing_is_asked(starter: CodeSuggester) -> None:
    hits, table = candidates(starter, "Denies chest pain.", "icd10cm")
    own, slot = evidence_hits(table, hits, starter.engines["icd10cm"].concepts.term_concept, np.zeros(0, np.int32))
    assert len(own) == len(slot) == 0


def test_codes_of_one_concept_rest_on_the_same_words(starter: CodeSuggester) -> None:
    by_code = {s.code: s for s in starter.suggest("Assessment: knee pain").suggestions}
    assert by_code["M25.561"].evidence == by_code["M25.562"].evidence if "M25.561" in by_code else by_code["M25.569"]


@given(st.lists(st.lists(st.sampled_from([1.0, -1.0, 1.0 + 2**-50, -1.0 - 2**-50, 0.5, -3.0]), max_size=6), max_size=5))
def test_by_size_tells_apart_what_differs_in_the_last_bit_and_leaves_equal_ones_in_order(
    rows: list[list[float]],
) -> None:
    row = np.array([n for n, own in enumerate(rows) for _ in own], np.int64)
    value = np.array([v for own in rows for v in own], np.float64)
    expected = sorted(range(len(row)), key=lambda i: (row[i], -abs(value[i]), i))
    assert _by_size(row, value).tolist() == expected
