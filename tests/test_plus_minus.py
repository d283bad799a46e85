"""Signs beside findings, as they are typed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.pipes.plus_minus import _ANY
from codesuggest.suggester import CodeSuggester


def denied(starter: CodeSuggester, text: str) -> set[str]:
    return {text[p.start : p.end] for p in starter.reader.read(text).phrases if p.assertion == "negated"}


def affirmed(starter: CodeSuggester, text: str) -> set[str]:
    return {text[p.start : p.end] for p in starter.reader.read(text).phrases if p.assertion == "affirmed"}


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("+cough, -fever, -chest pain", {"cough"}, {"fever", "chest pain"}),
        ("ROS: -fever, -diarrhea, +cough", {"cough"}, {"fever", "diarrhea"}),
        ("+ cough, + chest tightness, - hemoptysis", {"cough", "chest tightness"}, {"hemoptysis"}),
        ("Lungs: clear, -wheezing, +crackles", {"crackles"}, {"wheezing"}),
        ("PMHx: HTN+, DM-, asthma-", {"HTN"}, {"DM", "asthma"}),
        ("HTN+ DM-", {"HTN"}, {"DM"}),
        ("fever -, cough +, diarrhea -", {"cough"}, {"fever", "diarrhea"}),
        ("- cough +, fever -", {"cough"}, {"fever"}),  # an item of a list, answered by signs behind
        ("HTN (+), DM (-)", {"HTN"}, {"DM"}),
        ("fever(-), cough(+)", {"cough"}, {"fever"}),
        ("(-) fever (+) cough (-) diarrhea", {"cough"}, {"fever", "diarrhea"}),
        ("(-) fever, diarrhea (+) cough, wheezing", {"cough", "wheezing"}, {"fever", "diarrhea"}),
        ("DM -ve, HTN +ve", {"HTN"}, {"DM"}),
        ("Diabetes (N) Hypertension (Y) Asthma (n)", {"Hypertension"}, {"Diabetes", "Asthma"}),
        ("HTN [x] DM [ ] CAD [ ]", {"HTN"}, {"DM", "CAD"}),
        ("HTN [] DM [X] CAD []", {"DM"}, {"HTN", "CAD"}),
        ("[ ] DM [x] HTN [ ] CAD", {"HTN"}, {"DM", "CAD"}),
        ("PMH: DM [Y], HTN [N]", {"DM"}, {"HTN"}),
        ("fever \u2212, cough +, diarrhea \u2212", {"cough"}, {"fever", "diarrhea"}),
    ],
)
def test_signs(starter: CodeSuggester, text: str, yes: set[str], no: set[str]) -> None:
    assert yes <= affirmed(starter, text)
    assert no == denied(starter, text)


@pytest.mark.parametrize(
    "text",
    [
        "-fever\n-cough",  # bullets
        "- fever, +cough",  # a bullet: nothing else has a minus
        "COPD - on oxygen, +wheezing",
        "Follow-up x-ray, +fracture",
        "A/P: -HTN: continue lisinopril -DM: metformin, +statin",
        "Assessment:\n-HTN, -DM, +CKD",
        "ER+, PR-, HER2-",
        "Labs pending, K+ 4, Cl- 100, edema 2+",
        "Blood type O-, GBS+ with fever",
        "Pain 7-8/10, +/- nausea",
        "Medium-sized esophageal varices and several cherry red signs RC(-) by the classification",
    ],
)
def test_what_is_no_sign_denies_nothing(starter: CodeSuggester, text: str) -> None:
    assert not denied(starter, text)


def test_the_cue_is_the_sign(starter: CodeSuggester) -> None:
    text = "No rash. +cough, -fever, no chest pain"
    reading = starter.reader.read(text)
    cues = [(text[c.start : c.end], c.rule) for c in reading.cues]
    assert [c.start for c in reading.cues] == sorted(c.start for c in reading.cues)
    assert ("-", "-") in cues and sum(rule == "no" for _, rule in cues) == 2
    of = {text[p.start : p.end]: p.cue.rule for p in reading.phrases if p.cue is not None}
    assert of["fever"] == "-" and of["rash"] == of["chest pain"] == "no"


def test_a_line_of_a_hundred_thousand_letters_is_read_as_a_short_one(starter: CodeSuggester) -> None:
    text = "fever+ cough- " * 8000  # looked back over the whole line at each sign, this would take ten minutes
    reading = starter.reader.read(text)
    assert {text[p.start : p.end] for p in reading.phrases if p.assertion == "negated"} == {"cough"}
    assert sum(c.rule == "-" for c in reading.cues) == 8000


_PART = st.sampled_from(
    ["+", "-", " ", "(-)", "(+)", "-ve", ",", ";", "\n", ":", "fever", "cough", "DM", "no ", "2", ". ", "\u2212"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PART, max_size=14).map("".join))
def test_any_signs_leave_cues_in_order_and_places_inside(starter: CodeSuggester, text: str) -> None:
    reading = starter.reader.read(text)
    starts = [c.start for c in reading.cues]
    assert starts == sorted(starts) and all(0 <= c.start < c.end <= len(text) for c in reading.cues)
    assert all(-1 <= k < len(reading.cues) for k in reading.cue.tolist())


@given(st.text("+-\u2212\u2013()[] xYn_ve.", max_size=9))
def test_a_sign_is_found_as_by_one_search_for_each_kind(text: str) -> None:
    slow = r"\+|\([-\u2212\u2013ynYN]\)|\[[ xXynYN]?\]|(?<!\w)[-\u2212\u2013]ve\b"
    assert [m.span() for m in _ANY.finditer(text)] == [m.span() for m in re.finditer(slow, text)]
