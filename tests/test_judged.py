"""What is thought of a match: pairs of matches at once against all pairs."""

from __future__ import annotations

import numpy as np
from conftest import NOTES

from codesuggest.judged import _inside
from codesuggest.suggester import CodeSuggester

TEXTS = ["", *(p.read_text(encoding="utf-8") for p in sorted(NOTES.glob("*.txt"))[::40])]


def test_what_stands_inside_a_longer_match_equals_the_slow_reference(starter: CodeSuggester) -> None:
    engine, seen = starter.engines["icd10cm"], 0
    for text in TEXTS:
        hits = engine.hits(starter.reader.read(text), top=30, floor=0.45)
        concept = engine.concepts.term_concept[hits.term]
        strong, drug = np.flatnonzero(hits.coverage > 0.9), hits.term % 5 == 0
        segment, first, last, matched = (a.tolist() for a in (hits.segment, hits.first, hits.last, hits.matched))
        expected = {
            i
            for o in strong.tolist()
            for i in range(len(hits))
            if segment[o] == segment[i]
            and first[o] <= first[i]
            and last[o] >= last[i]
            and matched[o] > matched[i]
            and concept[o] != concept[i]
            and not drug[i]
        }
        assert set(_inside(hits, concept, strong, drug).tolist()) == expected
        seen += len(expected)
    assert seen > 20


def test_forms_of_an_abbreviation_do_not_make_words_stand_together(starter: CodeSuggester) -> None:
    """Four forms of COPD and two words five words away are no "acute on chronic COPD"."""
    engine, note = starter.engines["icd10cm"], "Acute on chronic hypoxic resp failure 2/2 COPD exacerbation"
    reading = starter.reader.read(note)
    judged = engine.judged(reading, engine.hits(reading, top=45, floor=0.45), inpatient=False)
    code = [engine.system.code(int(i)) for i in engine.static.first[judged.concept]]
    whole = [n for n, c in enumerate(code) if c == "J96.21" and judged.full[n]]
    assert whole and not judged.dominated[whole].any()
    found = {s.code for s in starter.suggest(note, systems=["icd10cm"]).suggested}
    assert {"J44.1", "J96.21"} <= found
