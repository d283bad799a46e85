"""The listed suggestions: all rows at once against one after another."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import NOTES

from codesuggest.features import Table
from codesuggest.listing import evidence_hits
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


@pytest.mark.parametrize("system", ["icd10cm", "icd10pcs", "hcpcs"])
def test_evidence_equals_the_slow_reference(starter: CodeSuggester, system: str) -> None:
    engine, seen = starter.engines[system], 0
    for text in TEXTS:
        hits, table = candidates(starter, text, system)
        wanted = np.unique(table.concept)
        own, slot = evidence_hits(table, hits, engine.concepts.term_concept, wanted)
        for number, concept in enumerate(wanted.tolist()):
            expected = evidence_slowly(table, hits, engine.concepts.term_concept, concept)
            assert own[slot == number].tolist() == expected
            seen += len(expected) > 1
    assert seen > 5


def test_without_candidates_nothing_is_asked(starter: CodeSuggester) -> None:
    hits, table = candidates(starter, "Denies chest pain.", "icd10cm")
    own, slot = evidence_hits(table, hits, starter.engines["icd10cm"].concepts.term_concept, np.zeros(0, np.int32))
    assert len(own) == len(slot) == 0


def test_codes_of_one_concept_rest_on_the_same_words(starter: CodeSuggester) -> None:
    by_code = {s.code: s for s in starter.suggest("Assessment: knee pain").suggestions}
    assert by_code["M25.561"].evidence == by_code["M25.562"].evidence if "M25.561" in by_code else by_code["M25.569"]
