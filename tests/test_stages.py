"""Where a code was lost, on notes that lose it at a known place; and that the table of losses adds up."""

from __future__ import annotations

import pytest

from codesuggest import CodeSuggester, evaluate
from codesuggest.coded import CodedDocument, Label, notes_path, read_coded
from codesuggest.errors import OptionError
from codesuggest.evaluation import score
from codesuggest.losses import losses, worst_documents
from codesuggest.stages import STAGES

#: note; code; options; stage
LOST: tuple[tuple[str, str, dict[str, object], str], ...] = (
    ("Assessment: left knee pain", "M25.562", {}, "suggested"),
    ("Assessment: left knee pain", "M25.562", {"threshold": 1.0}, "below_threshold"),
    ("Assessment: left knee pain", "M25.569", {"limit": 1}, "ranked_low"),
    ("Assessment: left knee pain", "M25.561", {}, "other_variant"),
    ("Assessment: left knee pain", "M25.56", {}, "not_valid"),
    ("Assessment: left knee pain", "C91.00", {}, "not_retrieved"),
    ("Assessment: left knee pain", "C91.00", {"marked": [(17, 26)]}, "not_retrieved"),
    ("Assessment: left knee pain", "C91.00", {"marked": [(0, 10)]}, "phrase_not_found"),
    ("Assessment: cough. Denies asthma.", "J45.909", {}, "withheld_negated"),
    ("Assessment: probable pneumonia.", "J18.9", {"setting": "outpatient"}, "withheld_uncertain"),
    ("Assessment: probable pneumonia.", "J18.9", {"setting": "inpatient", "threshold": 0.05}, "suggested"),
    ("Mother had gout.", "M10.9", {}, "withheld_family"),
    ("dilated cardiomyopathy", "I42.0", {"service_date": "2026-10-01"}, "not_valid"),
    ("K 6.1 mmol/L (3.5-5.1)", "E87.5", {"threshold": 0.0}, "result_only"),
)


@pytest.mark.parametrize(("note", "code", "options", "stage"), LOST)
def test_stage(starter: CodeSuggester, note: str, code: str, options: dict[str, object], stage: str) -> None:
    told = starter.explain(note, code, **options)  # type: ignore[arg-type]
    assert told["stage"] == stage
    assert told["told"].startswith(STAGES[stage].split(";")[0])
    assert (told["rank"] is None) == (told["confidence"] is None)
    for place in told["places"]:
        assert 0 <= place["start"] < place["end"] <= len(note)
    if stage.startswith("withheld"):
        assert told["places"][0]["assertion"] == stage.removeprefix("withheld_")
        assert told["places"][0]["cue"] is not None


def test_a_charge_line_is_explained_too(starter: CodeSuggester) -> None:
    how = {"system": "hcpcs", "document_type": "charge_line"}
    best = starter.suggest("INJ CEFTRIAXONE 250MG", systems=["hcpcs"], document_type="charge_line").suggestions[0]
    assert starter.explain("INJ CEFTRIAXONE 250MG", best.code, **how)["rank"] == 1  # type: ignore[arg-type]
    assert starter.explain("wheelchair", "J0696", **how)["stage"] == "not_retrieved"  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def notes() -> list[CodedDocument]:
    return [d for d in read_coded(notes_path()) if d.split != "evaluation"][::9]


def test_losses_add_up_to_what_was_evaluated(starter: CodeSuggester, notes: list[CodedDocument]) -> None:
    told, figures = losses(starter, notes), evaluate(starter, notes).figures
    assert sum(told.stages.values()) == len(told.rows) == figures["required"]
    assert told.stages["suggested"] / len(told.rows) == pytest.approx(figures["R"])
    ten = losses(starter, notes, limit=10)
    within = sum(row.rank is not None and row.rank <= 10 for row in ten.rows)
    assert within / len(ten.rows) == pytest.approx(figures["R@10"])
    parts = told.by("document_type")
    assert sum(len(part.rows) for part in parts.values()) == len(told.rows)
    assert list(told.stages) == [s for s in STAGES if s in told.stages]
    assert all(name in str(told) for name in told.stages)
    assert {row["code"] for row in told.to_dict()["lost"]} == {r.code for r in told.rows if r.stage != "suggested"}


def test_an_alternative_that_came_further_speaks_for_the_required_code(starter: CodeSuggester) -> None:
    labels = (Label("icd10cm", "C91.00"), Label("icd10cm", "M25.562", "acceptable", ("C91.00",)))
    (row,) = losses(starter, [CodedDocument("a", "Assessment: left knee pain", labels)]).rows
    assert (row.code, row.reached, row.stage, row.rank) == ("C9100", "M25562", "suggested", 1)


def test_what_the_table_does_not_hold_and_what_cannot_be_read(starter: CodeSuggester) -> None:
    documents = [
        CodedDocument("a", "left knee pain", (Label("icd10cm", "Q99.99X9"),)),
        CodedDocument("b", None, (Label("icd10cm", "I10"),)),  # type: ignore[arg-type]
    ]
    assert losses(starter, documents).stages == {"unread": 1, "unknown_code": 1}
    with pytest.raises(OptionError, match="no document has a required code"):
        losses(starter, [])
    with pytest.raises(OptionError, match="document_type, setting, chapter"):
        losses(starter, documents).by("text")


def test_the_worst_documents_come_first() -> None:
    gold = [CodedDocument(i, "x", (Label("icd10cm", "I10"), Label("icd10cm", "J18.9"))) for i in "abc"]
    given = {"a": ("I10", "J18.9"), "b": ("I10", "R05.9"), "c": ("R05.9",)}
    lines = [
        {"id": i, "suggestions": [{"code": c, "confidence": 0.5, "suggested": True} for c in codes]}
        for i, codes in given.items()
    ]
    worst = worst_documents(score(gold, lines), 5)
    assert [tuple(w) for w in worst] == [("c", 0, ("I10", "J189"), ("R059",)), ("b", 0.5, ("J189",), ("R059",))]
