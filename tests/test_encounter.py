"""The documents of one encounter as one set of codes: what merging keeps, what it marks, what it may not depend on."""

from __future__ import annotations

import datetime as dt
import json
import random
from typing import Any

import pytest
from charts import read_chart
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.chart import Chart
from codesuggest.codes.edits import Edits
from codesuggest.codes.system import CodeSystem
from codesuggest.encounter import claim_lines, encounter_codes, merge
from codesuggest.errors import CodeSuggestError, OptionError
from codesuggest.records import EncounterResult
from codesuggest.suggester import CodeSuggester

VISIT = """CC: left knee pain
PMH: hypertension
Denies chest pain.
ASSESSMENT
1. Left knee osteoarthritis
2. Type 2 diabetes mellitus
3. Hypertension
"""
XRAY = """RADIOLOGY REPORT
EXAM: XR left knee
IMPRESSION: Moderate osteoarthritis of the left knee. No fracture.
"""
NEPHROLOGY = """NEPHROLOGY CONSULTATION
ASSESSMENT
1. Type 2 diabetes with diabetic chronic kidney disease, CKD stage 3b
"""
DOCUMENTS = [{"id": "visit", "text": VISIT}, {"id": "xray", "text": XRAY}, {"id": "nephro", "text": NEPHROLOGY}]


@pytest.fixture(scope="module")
def whole(starter: CodeSuggester) -> EncounterResult:
    return starter.suggest_encounter(DOCUMENTS, id="e1", age=64)


def test_each_code_once_with_evidence_by_document(whole: EncounterResult) -> None:
    keys = [(c.system, c.code) for c in whole.codes]
    assert len(set(keys)) == len(keys)
    knee = next(c for c in whole.codes if c.code == "M17.12")
    assert list(knee.by_document) == ["visit", "xray", *([] if "nephro" not in knee.by_document else ["nephro"])]
    text = {d["id"]: d["text"] for d in DOCUMENTS}
    said = {e.document: text[e.document][e.evidence.start : e.evidence.end] for e in knee.evidence}
    assert said["visit"] == "Left knee osteoarthritis" and said["xray"].startswith("osteoarthritis of the left knee")


def test_nothing_vanishes(starter: CodeSuggester, whole: EncounterResult) -> None:
    listed = {(s.system, s.code) for d in whole.documents for s in d.suggestions}
    assert {(c.system, c.code) for c in whole.codes} == listed
    assert set(whole.withheld) == {"visit", "xray", "nephro"}
    assert any(w.reason == "negated" for w in whole.withheld["visit"])
    for d in whole.documents:
        alone = starter.suggest(d.text or "", setting="outpatient", age=64)
        assert (d.withheld, d.suggestions) == (alone.withheld, alone.suggestions)


def test_a_less_specific_code_of_another_document_is_marked_not_removed(whole: EncounterResult) -> None:
    plain = next(c for c in whole.codes if c.code == "E11.9")
    assert plain.suggested and plain.superseded_by == "E11.22" and plain.position is None
    assert {"E11.22", "N18.32", "I10"} <= {c.code for c in whole.claim} and plain not in whole.claim


@pytest.mark.parametrize(
    ("plain", "sharper", "marked"),
    [
        ("M25.569", "M25.562", True),  # the side
        ("E11.9", "E11.22", True),  # with a complication
        ("I63.9", "I63.412", True),  # two levels below a sibling
        ("I48.91", "I48.0", True),
        ("S52.509A", "S52.501A", True),
        ("R10.9", "R10.31", True),
        ("R07.9", "R07.89", False),  # "other" says no more
        ("M25.561", "M25.562", False),  # two knees
        ("E11.22", "E11.42", False),  # two complications
        ("J18.9", "J44.9", False),  # two categories
        ("I10", "I16.0", False),
    ],
)
def test_what_says_less(starter: CodeSuggester, plain: str, sharper: str, marked: bool) -> None:
    chart = f"== visit_note\nASSESSMENT\n1. [one|{plain}]\n== lab_report\nCOMMENT: [two|{sharper}]\n"
    codes = encounter_codes(
        read_chart(chart, starter.tables, setting="outpatient"), starter.tables, setting="outpatient"
    )
    by_code = {c.code: c for c in codes}
    assert by_code[plain].superseded_by == (sharper if marked else None)
    assert by_code[sharper].superseded_by is None and by_code[plain].suggested


def test_findings_are_of_the_whole(whole: EncounterResult) -> None:
    """Hypertension stands in one document and the kidney disease in another."""
    assert ("combination", ("I10", "N18.32")) in {(f.rule, f.codes) for f in whole.findings}
    assert all(f.evidence == () for f in whole.findings)


def test_positions_count_from_one_in_each_system(whole: EncounterResult) -> None:
    for system in {c.system for c in whole.claim}:
        of = [c.position for c in whole.claim if c.system == system]
        assert of == list(range(1, len(of) + 1))
    assert whole.codes[: len(whole.claim)] == whole.claim


def test_there_and_back(whole: EncounterResult) -> None:
    row = json.loads(whole.to_json())
    again = EncounterResult.from_dict(row)
    assert again == whole and again.to_json() == whole.to_json()
    assert VISIT.split("\n")[0] not in whole.to_json() and "left knee pain" in whole.to_json(show_text=True)


def test_a_page_shows_documents_and_reasons(whole: EncounterResult) -> None:
    page = whole._repr_html_()
    for part in ("M17.12", "first-listed", "superseded by E11.22", "nephro", "radiology report", "<mark"):
        assert part in page
    assert "<script" not in page


# ---- properties


LINES = ["Left knee osteoarthritis", "Type 2 diabetes mellitus", "Hypertension", "Denies chest pain", "Pneumonia",
         "Low back pain", "Possible gout", "CKD stage 3b", "Father had a stroke"]  # fmt: skip
NOTES = st.lists(st.sampled_from(LINES), min_size=1, max_size=5).map(lambda x: "ASSESSMENT\n" + "\n".join(x))


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(NOTES, min_size=1, max_size=4),
    seed=st.integers(0, 99),
    setting=st.sampled_from(["inpatient", "outpatient"]),
)
def test_merging(starter: CodeSuggester, texts: list[str], seed: int, setting: str) -> None:
    documents = [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)]
    result = starter.suggest_encounter(documents, setting=setting)
    keys = [(c.system, c.code) for c in result.codes]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {(s.system, s.code) for d in result.documents for s in d.suggestions}
    by_id = dict(enumerate(texts))
    for c in result.codes:
        assert c.confidence == max(c.by_document.values()) and {e.document for e in c.evidence} <= set(c.by_document)
        for e in c.evidence:
            text = by_id[int(e.document[1:])]
            assert 0 <= e.evidence.start < e.evidence.end <= len(text)
        for p in c.proposals:
            assert all(by_id[int(q.document[1:])][q.start : q.end].strip() for q in p.places)
        assert (c.position is not None) == (c.suggested and c.superseded_by is None)
    shuffled = random.Random(seed).sample(documents, len(documents))
    again = starter.suggest_encounter(shuffled, setting=setting)
    assert again.codes == result.codes and again.findings == result.findings


@settings(max_examples=25, deadline=None)
@given(text=NOTES, setting=st.sampled_from(["inpatient", "outpatient"]))
def test_one_document_is_as_suggest_says(starter: CodeSuggester, text: str, setting: str) -> None:
    alone = starter.suggest(text, setting=setting)
    result = starter.suggest_encounter([{"id": "d", "text": text}], setting=setting)
    said = {(s.system, s.code): (s.confidence, s.suggested, s.evidence) for s in alone.suggestions}
    assert {
        (c.system, c.code): (c.confidence, c.suggested, tuple(e.evidence for e in c.evidence)) for c in result.codes
    } == said


def test_the_order_that_is_proposed_breaks_no_rule_of_order(starter: CodeSuggester) -> None:
    """What `check_claim` says of a proposed claim: nothing that a better order would mend."""
    orders = {"manifestation_first", "external_cause_first", "first_listed_only", "obstetric_first", "perinatal_first",
              "sequela_order", "poisoning_order", "code_first"}  # fmt: skip
    chart = """== visit_note
ASSESSMENT
1. [Fell on ice|W00.0XXA]. [Dementia|F02.80]
2. [Parkinson's disease|G20.A1]
3. [CKD stage 3b|N18.32], [type 2 diabetes with CKD|E11.22]
4. [Routine annual exam|Z00.00]
"""
    codes = encounter_codes(
        read_chart(chart, starter.tables, setting="outpatient"), starter.tables, setting="outpatient"
    )
    lines = claim_lines(codes)
    assert lines[0].code == "Z00.00"
    said = {f.rule for f in starter.check_claim(lines, setting="outpatient")}
    assert not said & orders
    assert starter.check_claim(lines[::-1], setting="outpatient") != starter.check_claim(lines, setting="outpatient")


# ---- drugs


DRUGS = CodeSystem.from_table(
    [
        {"code": "J9901", "title": "Injection, wobblezumab, 10 mg"},
        {"code": "J9902", "title": "Injection, fluxamab, invented"},
        {"code": "A9901", "title": "Invented dressing"},
    ],
    name="hcpcs",
    release="2026-01-01",
)


@pytest.mark.parametrize(
    ("marked", "units"),
    [
        ("[Wobblezumab|J9901] 80 mg IV given.", "8"),
        ("Given 25 mg of [wobblezumab|J9901].", "3"),  # rounded up
        ("Dexamethasone 4 mg, then [wobblezumab|J9901] 20 mg.", "2"),  # the dose behind the name
        ("[Wobblezumab|J9901] given.", None),
        ("[Fluxamab|J9902] 80 mg.", None),  # its title names no unit
        ("[Dressing|A9901] 10 mg.", None),
        ("No [wobblezumab|J9901|negated] 80 mg.", None),
    ],
)
def test_units_of_drugs(marked: str, units: str | None) -> None:
    results = read_chart(f"== visit_note\nPLAN\n{marked}", {"hcpcs": DRUGS}, setting="outpatient")
    (code,) = encounter_codes(results, {"hcpcs": DRUGS}, setting="outpatient")
    assert code.units == units
    assert [line.units for line in claim_lines([code])] == [None if units is None else int(units)]


def test_a_dose_told_twice_is_one_dose() -> None:
    chart = "== visit_note\nPLAN\n[Wobblezumab|J9901] 80 mg.\n== lab_report\nPLAN\n[Wobblezumab|J9901] 40 mg.\n"
    results = read_chart(chart, {"hcpcs": DRUGS}, setting="outpatient")
    (code,) = encounter_codes(results, {"hcpcs": DRUGS}, setting="outpatient")
    assert code.units == "8" and "other doses" in code.proposals[-1].reason


# ---- options


def test_a_discharge_summary_makes_the_encounter_inpatient(starter: CodeSuggester) -> None:
    summary = (
        "DISCHARGE SUMMARY\nDISCHARGE DIAGNOSES\n1. Pneumonia, present on admission\nHOSPITAL COURSE: antibiotics.\n"
    )
    documents = [
        {"id": "ed", "text": "ED NOTE\nDIAGNOSIS: Cough"},
        {"id": "dc", "text": summary, "document_type": "discharge_summary"},
    ]
    result = starter.suggest_encounter(documents)
    assert result.setting == "inpatient" and {d.setting for d in result.documents} == {"inpatient"}
    pneumonia = next(c for c in result.claim if c.code == "J18.9")
    assert pneumonia.position == 1 and pneumonia.poa == "Y" and pneumonia.proposals[0].kind == "principal"
    exempt = starter.suggest_encounter(documents, edits=Edits(poa_exempt=frozenset({"J189"})))
    assert next(c for c in exempt.claim if c.code == "J18.9").poa == "exempt"


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "at least one document"),
        ([{"id": "a"}], "document 1"),
        ([{"id": "a", "text": "x"}, "gout"], "document 2"),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "id of its own"),
        (
            [{"id": "a", "text": "x", "setting": "inpatient"}, {"id": "b", "text": "y", "setting": "outpatient"}],
            "setting",
        ),
        ([{"id": "a", "text": "x", "document_type": "letter"}], "document_type"),
        ([{"id": "a", "text": "x", "age": -1}], "age"),
    ],
)
def test_what_is_no_encounter(starter: CodeSuggester, documents: list[Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        starter.suggest_encounter(documents)


@given(st.text(max_size=60))
def test_no_message_holds_text(starter: CodeSuggester, text: str) -> None:
    secret = f"Zyxwolf{text}"
    for documents in (
        [{"id": "a", "text": secret, "document_type": secret}],
        [{"id": "a", "text": secret}, {"id": "a", "text": secret}],
    ):
        with pytest.raises(CodeSuggestError) as caught:
            starter.suggest_encounter(documents)
        assert "Zyxwolf" not in str(caught.value)


def test_one_day_said_in_two_ways_is_one(starter: CodeSuggester) -> None:
    document = {"id": "a", "text": "ASSESSMENT: gout", "service_date": "2026-04-02", "systems": ["icd10cm"]}
    result = starter.suggest_encounter([document], service_date=dt.date(2026, 4, 2), systems=("icd10cm",))
    assert result.service_date == "2026-04-02"


def test_documents_without_ids_are_numbered(starter: CodeSuggester) -> None:
    result = starter.suggest_encounter([{"text": "ASSESSMENT: gout"}, {"text": "ASSESSMENT: gout"}])
    assert [d.id for d in result.documents] == ["document 1", "document 2"]


def test_merge_by_the_definition(starter: CodeSuggester, whole: EncounterResult) -> None:
    for code in merge(whole.documents, Chart(whole.documents)):
        said = [s for d in whole.documents for s in d.suggestions if (s.system, s.code) == (code.system, code.code)]
        assert code.confidence == max(s.confidence for s in said) and code.suggested == any(s.suggested for s in said)
        assert len(code.evidence) == sum(len(s.evidence) for s in said)
