"""Statements that are no finding and have a code: what was screened for, met in somebody else, tested and not found."""

from __future__ import annotations

import numpy as np
import pytest

from codesuggest import CodeSuggester
from codesuggest.note import CONTACT, IMMUNIZATION, NEGATIVE, SCREENING
from codesuggest.pipes.phrases import ROUTES
from codesuggest.routes import implied, routes_of


def coded(starter: CodeSuggester, note: str) -> set[str]:
    """ICD-10-CM codes listed for a note, at whatever confidence."""
    return {s.code for s in starter.suggest(note, systems=["icd10cm"], limit=300).suggestions}


@pytest.mark.parametrize(
    ("note", "code"),
    [
        ("REASON: Screening for hepatitis C.", "Z11.59"),
        ("REASON: Due for colonoscopy screening.", "Z12.11"),
        ("ASSESSMENT: PSA for prostate cancer screening", "Z12.5"),
        ("ASSESSMENT: Routine cervical cancer screening", "Z12.4"),
        ("PLAN: Screening for diabetes and hypertension.", "Z13.1"),
        ("PLAN: needs flu shot.", "Z23"),
        ("PLAN: Vaccination against influenza today.", "Z23"),
        ("HPI: Exposure to COVID at work.", "Z20.822"),
        ("HPI: Household contact with tuberculosis.", "Z20.1"),
        ("HPI: Husband tested positive for COVID, patient was exposed.", "Z20.822"),
        ("SOCIAL HISTORY: Stepfather smokes in the home.", "Z77.22"),
        ("ASSESSMENT: UPT negative.", "Z32.02"),
    ],
)
def test_leads_to_its_code(starter: CodeSuggester, note: str, code: str) -> None:
    assert code in coded(starter, note)


@pytest.mark.parametrize(
    ("note", "category"),
    [
        ("INSTRUCTIONS: Call if fever.", "Z"),
        ("INSTRUCTIONS: Return if exposed to COVID.", "Z20"),
        ("ASSESSMENT: Type 2 diabetes.", "Z13"),
        ("ASSESSMENT: Colon cancer.", "Z12"),
        ("RISK: at risk for diabetes", "Z13"),
        ("HPI: Screening colonoscopy in 2019.", "Z12"),
        ("HPI: Husband has COVID.", "Z20"),
        ("HPI: No exposure to tuberculosis.", "Z20"),
        ("FAMILY HISTORY: Mother had tuberculosis.", "Z20"),
        ("SOCIAL HISTORY: Wife smokes.", "Z77"),
        ("LABS: UPT negative.", "Z32"),
        ("ASSESSMENT: No pregnancy test was done.", "Z32"),
    ],
)
def test_leads_nowhere(starter: CodeSuggester, note: str, category: str) -> None:
    assert not {code for code in coded(starter, note) if code.startswith(category)}


def test_a_disease_that_is_looked_for_is_not_suggested_itself(starter: CodeSuggester) -> None:
    found = coded(starter, "REASON: Screening for hepatitis C.")
    assert not {code for code in found if code.startswith("B")}


def test_a_refused_vaccine_was_not_given(starter: CodeSuggester) -> None:
    result = starter.suggest("PLAN: Influenza vaccine declined.", systems=["icd10cm"])
    assert "Z23" not in {s.code for s in result.suggested}


def test_evidence_is_the_disease_looked_for(starter: CodeSuggester) -> None:
    note = "REASON: Screening for hepatitis C."
    (found,) = [s for s in starter.suggest(note, systems=["icd10cm"]).suggestions if s.code == "Z11.59"]
    place = found.evidence[0]
    assert (note[place.start : place.end], place.assertion) == ("hepatitis C", "hypothetical")
    assert place.cue is not None
    assert note[place.cue.start : place.cue.end] == "Screening for"


@pytest.mark.parametrize(
    ("text", "words", "says", "told"),
    [
        ("Screening for hepatitis C.", "hepatitis C", 0, SCREENING),
        ("Flu vaccine today.", "Flu", 0, IMMUNIZATION),
        ("Flu vaccine declined today.", "Flu", 0, 0),
        ("Exposure to measles at school.", "Exposure to measles at school", CONTACT, 0),
        ("Husband has COVID, patient was exposed.", "COVID", 0, CONTACT),
        ("Husband has COVID. Patient was exposed.", "COVID", 0, 0),
        ("UPT negative.", "UPT", 0, NEGATIVE),
        ("Call if fever.", "fever", 0, 0),
    ],
)
def test_what_a_segment_is_told(starter: CodeSuggester, text: str, words: str, says: int, told: int) -> None:
    reading = starter.reader.read(text)
    start, end = reading.words.start[reading.first], reading.words.end[reading.last - 1]
    segments = {text[a:b]: i for i, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True))}
    i = segments[words]
    assert (int(reading.says[i]), int(reading.told[i])) == (says, told)


def test_what_a_cue_tells_is_searched_with_its_segment(starter: CodeSuggester) -> None:
    reading = starter.reader.read("Fever since Monday. Screening for hepatitis C.")
    form, word = implied(reading)
    assert [starter.vocabulary[f] for f in form.tolist()] == ["screen"]
    assert reading.text[reading.words.start[word[0]] :].startswith("hepatitis")
    assert not len(implied(starter.reader.read("Fever since Monday."))[0])


def test_routes_of_codes() -> None:
    codes = np.array([b"Z1211", b"Z363", b"Z23", b"Z20822", b"Z7722", b"Z0389", b"Z3202", b"Z3201", b"B182", b"Z8511"])
    assert routes_of(codes).tolist() == [
        SCREENING, SCREENING, IMMUNIZATION, CONTACT, CONTACT, NEGATIVE, NEGATIVE, 0, 0, 0,
    ]  # fmt: skip


def test_all_languages_have_words_of_all_routes(starter: CodeSuggester) -> None:
    from codesuggest.pipes.language import language
    from codesuggest.pipes.phrases import WordReader

    for code in ("en", "es"):
        bits = set(WordReader(language(code)).routes.values())
        assert bits == {1 << i for i in range(len(ROUTES))}
