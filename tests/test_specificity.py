"""The specificity explainer: which axis a code leaves open, where each answer leads; and the query that asks for it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.codes import CodeRow
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import OptionError
from codesuggest.specificity import AXES, Axis, Option, condition_of, difference, explain, query
from codesuggest.suggester import CodeSuggester

# code | axis | some of its answers, as words: code; "-" after a code that leaves another axis open
EXPLAINED = """
M25.569  | laterality   | right: M25.561; left: M25.562
H66.90   | laterality   | right ear: H66.91; left ear: H66.92; bilateral: H66.93
S72.009A | laterality   | right: S72.001A; left: S72.002A
S72.009A | type         | base: S72.04-
S72.001  | encounter    | initial encounter for closed fracture: S72.001A
N18.9    | stage        | stage 4 (severe): N18.4; End stage renal disease: N18.6
L89.159  | stage        | stage 2: L89.152; unstageable: L89.150
O26.90   | trimester    | first trimester: O26.91; third trimester: O26.93
J45.909  | severity     | Mild persistent: J45.30; Severe persistent: J45.50
J45.909  | complication | with (acute) exacerbation: J45.901
I50.9    | type         | Systolic (congestive): I50.20; Diastolic (congestive): I50.30
I48.91   | type         | Paroxysmal atrial fibrillation: I48.0; Chronic atrial fibrillation: I48.20
E11.9    | complication | with kidney complications: E11.2-
E11      | complication | without complications: E11.9
J18.9    | type         | Lobar: J18.1
M79.609  | laterality   | right arm: M79.601; left leg: M79.605
G30.9    | onset        | with early onset: G30.0
"""


@pytest.fixture(scope="module")
def icd(starter: CodeSuggester) -> CodeSystem:
    return starter.tables["icd10cm"]


@pytest.mark.parametrize("line", [line for line in EXPLAINED.split("\n") if line])
def test_axes_and_where_the_answers_lead(icd: CodeSystem, line: str) -> None:
    code, name, answers = (part.strip() for part in line.split("|"))
    axis = next(a for a in explain(icd, code) if a.name == name)
    leads = {o.value: o.code + ("" if o.billable else "-") for o in axis.options}
    for answer in answers.split("; "):
        words, _, target = answer.rpartition(": ")
        assert leads[words] == target


@pytest.mark.parametrize("code", ["I10", "E11.22", "M25.561", "S72.021A", "B18.2", "Z23"])
def test_a_code_that_says_all_leaves_nothing_open(icd: CodeSystem, code: str) -> None:
    assert explain(icd, code) == ()


def invented() -> CodeSystem:
    rows = [
        CodeRow("A00", "Ague"),
        CodeRow("A00.1", "Acute ague"),
        CodeRow("A00.2", "Chronic ague", valid_to=20251231),
        CodeRow("A00.3", "Marsh ague"),
        CodeRow("A00.31", "Marsh ague of right ear"),
        CodeRow("A00.32", "Marsh ague of left ear"),
        CodeRow("A00.39", "Marsh ague, unspecified ear"),
        CodeRow("A00.8", "Other ague"),
        CodeRow("A00.9", "Ague, unspecified"),
    ]
    return CodeSystem.from_rows(rows, name="icd10cm", release="2025-10-01")


def test_answers_are_valid_on_the_day() -> None:
    now, later = explain(invented(), "A00.9"), explain(invented(), "A00.9", 20260302)
    assert [o.value for o in now[0].options] == ["Acute", "Chronic", "Marsh", "other"]
    assert [o.code for o in later[0].options] == ["A00.1", "A00.39", "A00.8"]
    assert [(a.name, [o.code for o in a.options]) for a in explain(invented(), "A00.39")] == [
        ("laterality", ["A00.31", "A00.32"])
    ]
    with pytest.raises(KeyError):
        explain(invented(), "Z99.9")


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_every_answer_is_another_code_of_the_system(starter: CodeSuggester, data: st.DataObject) -> None:
    icd = starter.tables["icd10cm"]
    i = data.draw(st.integers(0, len(icd) - 1))
    for axis in explain(icd, icd.code(i), 20260401):
        assert axis.name in AXES and axis.options
        for option in axis.options:
            code = icd[option.code]
            assert code.index != i and option.title == code.title
            assert option.billable == (code.billable and code.valid_on(20260401))
            assert axis.at in [up.code for up in code.ancestors]
        assert len({o.code for o in axis.options}) == len(axis.options)


@pytest.mark.parametrize(
    ("title", "above", "words"),
    [
        ("Mild intermittent asthma", "Asthma", "Mild intermittent"),
        ("Pain in right knee", "Pain in knee", "right"),
        ("Chronic kidney disease, stage 1", "Chronic kidney disease (CKD)", "stage 1"),
        ("Ague", "Ague", "Ague"),
        ("Cellulitis of trunk", "Cellulitis", "trunk"),
    ],
)
def test_difference(title: str, above: str, words: str) -> None:
    assert difference(title, above) == words


@pytest.mark.parametrize(
    ("title", "condition"),
    [
        ("Heart failure, unspecified", "Heart failure"),
        ("Pain in unspecified knee", "Pain in knee"),
        ("Type 2 diabetes mellitus without complications", "Type 2 diabetes mellitus"),
        ("Unspecified asthma, uncomplicated", "Asthma, uncomplicated"),
        ("Fracture of unspecified part of neck of unspecified femur, initial encounter for closed fracture",
         "Fracture of part of neck of femur"),
        ("Otitis media, unspecified, unspecified ear", "Otitis media"),
    ],
)  # fmt: skip
def test_condition_of(title: str, condition: str) -> None:
    assert condition_of(title) == condition


# ---- the query

#: What a query must not speak of (AHIMA/ACDIS, Compliant Query Practice), and a code would tell the wished answer.
FORBIDDEN = re.compile(
    r"pay|reimburs|revenue|money|bill|charge|cost|DRG|\bCC\b|MCC|severity of illness|quality|profil|audit|denial|\$|"
    r"\b[A-Z]\d[0-9A-Z]\.",
    re.IGNORECASE,
)


def test_a_query_quotes_its_indicators_and_does_not_lead(starter: CodeSuggester) -> None:
    note = "Chief complaint: knee pain for two weeks. Exam: swelling.\nAssessment: knee pain."
    found = starter.specificity("M25.569", note=note)
    assert [a.name for a in found.axes] == ["laterality"] and found.indicators
    for start, end in found.indicators:
        assert f'"{note[start:end]}" (characters {start}-{end})' in found.query
    lines = found.query.split("\n")
    options = [line[4:] for line in lines if line.startswith("[ ] ")]
    assert options == ["right", "left", "other (please specify): ____", "unable to determine"]
    assert not FORBIDDEN.search(found.query)


def test_without_the_note_a_query_holds_nothing_of_it(starter: CodeSuggester) -> None:
    axes = explain(starter.tables["icd10cm"], "M25.569")
    text = query("Pain in unspecified knee", axes, [(17, 26), (70, 79)])
    assert "- characters 17-26\n- characters 70-79\n" in text and '"' not in text


@pytest.mark.parametrize("line", [line for line in EXPLAINED.split("\n") if line])
def test_no_query_speaks_of_money_or_names_a_code(icd: CodeSystem, line: str) -> None:
    code = icd[line.split("|")[0].strip()]
    text = query(code.title, explain(icd, code.code), [(0, 4)])
    assert not FORBIDDEN.search(text)
    axes = explain(icd, code.code)
    assert text.count("[ ] unable to determine") == text.count("[ ] other (please specify)") == len(axes)


def test_many_answers_are_asked_for_openly() -> None:
    options = tuple(Option(f"kind {i}", f"A00.{i}", f"Ague, kind {i}", True) for i in range(13))
    text = query("Ague, unspecified", [Axis("type", "A00", options)], [])
    assert "kind 3" not in text and "[ ] unable to determine" in text and "without further detail" in text


def test_nothing_open_nothing_asked(starter: CodeSuggester) -> None:
    found = starter.specificity("I10")
    assert (found.axes, found.query) == ((), "") and found.to_dict()["axes"] == []
    assert query("Hypertension", (), [(0, 4)]) == ""
    with pytest.raises(OptionError, match="holds no code"):
        starter.specificity("Q99.99Z")
    with pytest.raises(OptionError, match="system"):
        starter.specificity("I10", system="icd11")
