"""Reading approach, side, device and qualifier in a surgeon's words; what the note leaves open; no text, no order."""

from __future__ import annotations

import numpy as np
import pytest
from pcs_system import SYSTEM, documents

from codesuggest.axes import lesser_side
from codesuggest.features import COLUMN
from codesuggest.records import NoteResult
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train


@pytest.fixture(scope="module")
def surgeon() -> CodeSuggester:
    return train(documents("billing"), systems=[SYSTEM], min_groups=1, name="surgeon")


def best(result: NoteResult, stem: str) -> str:
    return next((s.code for s in result.suggestions if s.code.startswith(stem)), "")


def members(surgeon: CodeSuggester, words: str, *stems: str) -> list[str]:
    """The members of an operation in the order the axes give them, before any ranking."""
    engine = surgeon.engines["icd10pcs"]
    _, table = engine.candidates(
        surgeon.reader.read(words), engine.system.billable_on("2026-05-01"), inpatient=True, top=30, floor=0.45
    )
    rows = [(-float(table.x[i, COLUMN["axis:chance"]]), SYSTEM.code(int(c))) for i, c in enumerate(table.code)]
    return [code for _, code in sorted(rows) if code[:4] in stems]


EXAMPLES = [
    # words, the code they mean
    ("PROCEDURE: Laparoscopic appendectomy.", "0DTJ4ZZ"),
    ("PROCEDURE: lap appy", "0DTJ4ZZ"),
    ("PROCEDURE: Open appendectomy.", "0DTJ0ZZ"),
    ("PROCEDURE: Appendectomy. Through a laparotomy the abdomen was explored.", "0DTJ0ZZ"),
    ("PROCEDURE: Lap chole", "0FT44ZZ"),
    ("Cholecystectomy. Three trocars were placed.", "0FT44ZZ"),
    ("PROCEDURE: Right total knee arthroplasty, cemented plastic hinge.", "0SRC0J9"),
    ("PROCEDURE: Left TKA, tin hinge, uncemented.", "0SRD01A"),
    ("PROCEDURE: L total knee replacement, plastic hinge, cemented", "0SRD0J9"),
    ("Colonoscopy to the cecum.", "0DJD8ZZ"),
    ("Colonoscopy with biopsy of the sigmoid, diagnostic.", "0DBN8ZX"),
    ("Sigmoid polypectomy at colonoscopy.", "0DBN8ZZ"),
    ("CXR clear.", "BW03ZZZ"),
    ("EKG normal.", "4A02X4Z"),
]


@pytest.mark.parametrize(("words", "code"), EXAMPLES)
def test_the_best_member_of_the_operation_is_what_the_words_mean(surgeon: CodeSuggester, words: str, code: str) -> None:
    stems = ("0SRC", "0SRD") if code.startswith("0SR") else (code[:4],)
    assert members(surgeon, words, *stems)[0] == code
    result = surgeon.suggest(words, systems=["icd10pcs"], setting="inpatient")
    evidence = next(s for s in result.suggestions if s.code == code).evidence
    assert evidence and all(words[e.start : e.end].strip() for e in evidence)


@pytest.mark.parametrize(
    ("words", "stem", "open_axes"),
    [
        ("PROCEDURE: Appendectomy.", "0DTJ", {"approach"}),
        ("PROCEDURE: Laparoscopic appendectomy.", "0DTJ", set()),
        ("PROCEDURE: Open appendectomy.", "0DTJ", set()),
        ("PROCEDURE: Total knee arthroplasty.", "0SR", {"side", "device", "qualifier"}),
        ("PROCEDURE: Right total knee arthroplasty, plastic hinge, cemented.", "0SR", set()),
        ("CXR clear.", "BW03", set()),
    ],
)
def test_what_the_note_does_not_document(surgeon: CodeSuggester, words: str, stem: str, open_axes: set[str]) -> None:
    result = surgeon.suggest(words, systems=["icd10pcs"], threshold=0.0)
    found = next(s for s in result.suggestions if s.code.startswith(stem))
    assert set(found.undocumented) == open_axes
    said = {f.message for f in result.findings if f.rule == "pcs_axis_undocumented" and f.codes == (found.code,)}
    assert len(said) == len(open_axes)


def test_a_finding_says_what_the_table_would_allow(surgeon: CodeSuggester) -> None:
    result = surgeon.suggest("PROCEDURE: Appendectomy.", systems=["icd10pcs"], threshold=0.0)
    (found,) = [f for f in result.findings if f.rule == "pcs_axis_undocumented" and f.codes[0].startswith("0DTJ")]
    assert found.severity == "info" and found.source == "ICD-10-PCS Official Guidelines A8, FY2026"
    others = {"0DTJ0ZZ (Open)", "0DTJ4ZZ (Percutaneous Endoscopic)"}
    assert "does not say the approach" in found.message
    assert {o for o in others if o in found.message} == {o for o in others if not o.startswith(found.codes[0])}
    assert found.codes[0] not in found.message.split("allows", 1)[1]
    assert found.evidence


def test_a_result_keeps_the_open_axes_on_its_way_through_json(surgeon: CodeSuggester) -> None:
    result = surgeon.suggest("PROCEDURE: Appendectomy. CXR clear.", systems=["icd10pcs"])
    assert NoteResult.from_dict(result.to_dict()).suggestions == result.suggestions
    rows = {row["code"]: row for row in result.to_dict()["suggestions"]}
    assert rows[best(result, "0DTJ")]["undocumented"] == ["approach"]
    assert "undocumented" not in rows["BW03ZZZ"], "a key only where there is something to say"


def test_at_most_so_many_members_of_an_operation_and_side(surgeon: CodeSuggester) -> None:
    from codesuggest.axes import MEMBERS

    result = surgeon.suggest("Total knee arthroplasty.", systems=["icd10pcs"], limit=1000)
    for stem in ("0SRC", "0SRD"):
        assert 1 <= len([s for s in result.suggestions if s.code.startswith(stem)]) <= MEMBERS


def test_the_other_side_is_not_suggested_when_one_is_said(surgeon: CodeSuggester) -> None:
    result = surgeon.suggest("PROCEDURE: Right total knee arthroplasty.", systems=["icd10pcs"])
    assert best(result, "0SRC") and not best(result, "0SRD")


def test_an_inspection_on_the_way_is_integral(surgeon: CodeSuggester) -> None:
    note = "PROCEDURE: Colonoscopy with sigmoid polypectomy."
    with_excision = surgeon.suggest(note, systems=["icd10pcs"])
    engine = surgeon.engines["icd10pcs"]
    reading = surgeon.reader.read(note)
    _, table = engine.candidates(reading, engine.system.billable_on("2026-05-01"), inpatient=True, top=30, floor=0.45)
    column = table.x[:, COLUMN["operation:integral_inspection"]]
    flagged = {SYSTEM.code(int(c))[:4] for c, v in zip(table.code, column, strict=True) if v}
    assert flagged == {"0DJD"} and best(with_excision, "0DBN")


def test_negated_and_past_operations_are_not_named_in_the_list(surgeon: CodeSuggester) -> None:
    result = surgeon.suggest("No appendectomy was done.", systems=["icd10pcs"])
    assert not best(result, "0DTJ")


@pytest.mark.parametrize("note", ["", " ", "\n\n", "Nothing to say.", "😀" * 50, "0DTJ4ZZ", "right left both"])
def test_odd_notes(surgeon: CodeSuggester, note: str) -> None:
    assert (
        surgeon.suggest(note, systems=["icd10pcs"]).to_json() == surgeon.suggest(note, systems=["icd10pcs"]).to_json()
    )


def test_words_between_do_not_hide_an_operation_in_the_list(surgeon: CodeSuggester) -> None:
    def whole(words: str) -> float:
        engine = surgeon.engines["icd10pcs"]
        _, table = engine.candidates(
            surgeon.reader.read(words), engine.system.billable_on("2026-05-01"), inpatient=True, top=30, floor=0.45
        )
        rows = [i for i, c in enumerate(table.code) if SYSTEM.code(int(c)).startswith("0SRD")]
        return max((float(table.x[i, COLUMN["operation:listed"]]) for i in rows), default=0)

    assert whole("PROCEDURE: Total replacement of the badly worn and stiff left knee.") > 0
    assert whole("STORY: Total replacement of the badly worn and stiff left knee.") == 0


def test_the_lesser_side_is_the_one_said_less() -> None:
    said = np.array([[0, 0.9, 0.4, 0, 0], [0, 0.5, 0.5, 0, 0], [0, 0, 0.7, 0, 0]], np.float32)
    row = np.array([0, 0, 1, 1, 2, 2, 2])
    side = np.array([1, 2, 1, 2, 1, 2, 0])
    assert lesser_side(said, row, side).tolist() == [0, 1, 0, 0, 1, 0, 0]


def test_a_preoperative_diagnosis_names_no_operation(surgeon: CodeSuggester) -> None:
    engine = surgeon.engines["icd10pcs"]
    for words, named in (
        ("PREOPERATIVE DIAGNOSIS: Appendectomy last year.\nFINDINGS: Clean.", 0),
        ("Appendectomy, Tuesday.\nFINDINGS: Clean.", 1),
    ):
        _, table = engine.candidates(
            surgeon.reader.read(words), engine.system.billable_on("2026-05-01"), inpatient=True, top=30, floor=0.45
        )
        rows = [i for i, c in enumerate(table.code) if SYSTEM.code(int(c)).startswith("0DTJ")]
        assert max((table.x[i, COLUMN["operation:in_title"]] > 0 for i in rows), default=False) == bool(named)
