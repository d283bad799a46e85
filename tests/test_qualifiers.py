"""Qualifiers that a term holds and a note does not say."""

from __future__ import annotations

import numpy as np
import pytest

from codesuggest import CodeSuggester
from codesuggest.features import COLUMN
from codesuggest.judged import LEAST
from codesuggest.qualifiers import unsaid


def shares(starter: CodeSuggester, text: str, term: str) -> tuple[float, float, float] | None:
    """What `unsaid` gives for the best hit of the term in the text, None where it is not among the hits."""
    engine = starter.engines["icd10cm"]
    reading = starter.reader.read(text)
    hits = engine.index.search(
        reading.form, reading.word, reading.segment_of_word, len(reading.first), weak=reading.weak, top=200, floor=0.3
    )
    columns = unsaid(reading, hits, engine.index)
    own = [h for h in range(len(hits)) if engine.concepts.text(int(hits.term[h])) == term]
    if not own:
        return None
    best = max(own, key=lambda h: float(hits.coverage[h]))
    meant, missing, past = (round(float(column[best]), 3) for column in columns)
    return meant, missing, past


@pytest.mark.parametrize(
    ("text", "term", "meant", "missing", "past"),
    [
        ("IMPRESSION: NSTEMI", "history of nstemi", False, True, True),
        ("IMPRESSION: history of NSTEMI", "history of nstemi", None, False, False),
        ("IMPRESSION: chronic HFrEF", "acute on chronic hfref", False, True, False),
        ("IMPRESSION: acute on chronic HFrEF", "acute on chronic hfref", False, False, False),
    ],
)
def test_what_is_missing(
    starter: CodeSuggester, text: str, term: str, meant: bool | None, missing: bool, past: bool
) -> None:
    found = shares(starter, text, term)
    if meant is None:
        assert found is None or not found[1], "what the section or cue says of the past is no missing word"
        return
    assert found is not None
    assert (found[0] > 0, found[1] > 0, found[2] > 0) == (meant, missing, past)


def test_an_old_infarction_is_not_read_from_a_current_one(starter: CodeSuggester) -> None:
    engine = starter.engines["icd10cm"]
    reading = starter.reader.read("DISCHARGE DIAGNOSES:\n1. Non-ST-elevation myocardial infarction.\n2. Hypertension.")
    _, table = engine.candidates(reading, engine.system.billable_on(), inpatient=True, top=30, floor=0.45)
    code = {engine.system.code(int(c)): i for i, c in enumerate(table.code.tolist())}
    now = table.x[code["I21.4"], COLUMN["match:best"]]
    assert now > 0.9
    if "I25.2" in code:
        assert table.x[code["I25.2"], COLUMN["match:best"]] <= LEAST + 1e-6


def test_shares_are_shares(starter: CodeSuggester) -> None:
    engine = starter.engines["icd10cm"]
    reading = starter.reader.read(
        "History of stroke. Mother with breast cancer. Acute on chronic kidney disease, old fracture."
    )
    hits = engine.index.search(
        reading.form, reading.word, reading.segment_of_word, len(reading.first), weak=reading.weak, top=30, floor=0.45
    )
    meant, missing, past = unsaid(reading, hits, engine.index)
    assert (meant + missing <= 1 - hits.coverage + 1e-4).all(), "no word is both found and missing"
    assert (past <= missing + 1e-6).all()
    assert not np.any(meant[hits.coverage >= 0.995]) and not np.any(missing[hits.coverage >= 0.995])
