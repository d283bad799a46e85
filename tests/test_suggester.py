"""CodeSuggester: defaults, options, setting and date, routing, look-ups, and the spaCy component."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesuggest.asked import Asked
from codesuggest.errors import CodeSuggestError, NotTextError, OptionError
from codesuggest.records import WITHHELD_REASONS, ClaimLine, NoteResult
from codesuggest.suggester import CodeSuggester

ROOT = Path(__file__).parent.parent
NOTE = "CC: left knee pain\nHPI: denies chest pain. Possible gout.\nAssessment:\n- Type 2 diabetes\n- Hypertension\n"
Listed = Callable[[NoteResult], dict[str, float]]


def withheld(text: str, result: NoteResult) -> dict[str, str]:
    return {text[w.start : w.end]: w.reason for w in result.withheld}


# ---- defaults


def held(suggester: CodeSuggester, *systems: str) -> tuple[str, ...]:
    return tuple(s for s in systems if s in suggester.systems)


@pytest.mark.parametrize(
    ("options", "systems"),
    [
        ({}, ("icd10cm", "hcpcs", "cpt")),
        ({"setting": "outpatient"}, ("icd10cm", "hcpcs", "cpt")),
        ({"setting": "inpatient"}, ("icd10cm", "icd10pcs")),
        ({"document_type": "visit_note"}, ("icd10cm", "hcpcs", "cpt")),
        ({"document_type": "lab_report"}, ("icd10cm", "hcpcs", "cpt")),
        ({"document_type": "discharge_summary"}, ("icd10cm", "icd10pcs")),
        ({"document_type": "operative_report"}, ("icd10cm", "icd10pcs", "hcpcs")),
        ({"document_type": "operative_report", "setting": "inpatient"}, ("icd10cm", "icd10pcs")),
        ({"document_type": "operative_report", "setting": "outpatient"}, ("icd10cm", "hcpcs", "cpt")),
        ({"document_type": "charge_line"}, ("hcpcs", "cpt")),
        ({"document_type": "charge_line", "setting": "inpatient"}, ("hcpcs", "cpt")),
        ({"document_type": "charge_line", "systems": ["icd10cm"]}, ("icd10cm",)),
    ],
)
def test_default_systems_follow_setting_and_document_type(options: dict[str, Any], systems: tuple[str, ...]) -> None:
    four = ("icd10cm", "icd10pcs", "hcpcs", "cpt")
    asked = Asked.checked(four, "2026-01-01", **options)
    assert asked.systems_for(options.get("document_type"), four) == systems
    assert asked.systems_for(options.get("document_type"), ("site",)) in (("site",), asked.systems)


def test_a_model_without_the_default_systems_asks_its_own(tiny: CodeSuggester) -> None:
    assert tiny.suggest("toe", document_type="charge_line").systems == ("icd10cm",)


def test_defaults_are_the_models_and_stand_in_the_result(starter: CodeSuggester) -> None:
    result = starter.suggest(NOTE)
    assert result.service_date == starter.release_day == "2026-04-01"
    assert (result.setting, result.id) == ("outpatient", "")
    assert result.systems == held(starter, "icd10cm", "hcpcs", "cpt")
    assert result.model == starter.name and "@" in starter.name
    assert result.text == NOTE


def test_a_discharge_summary_is_inpatient_and_asks_for_procedures(starter: CodeSuggester) -> None:
    text = (
        "DISCHARGE SUMMARY\nAdmission date: today\nHospital course: possible pneumonia.\nDischarge diagnosis: pneumonia"
    )
    result = starter.suggest(text)
    assert (result.document_type, result.setting) == ("discharge_summary", "inpatient")
    assert result.systems == ("icd10cm", "icd10pcs")
    told = starter.suggest(text, setting="outpatient")
    assert (told.document_type, told.setting) == ("discharge_summary", "outpatient")
    assert told.systems == held(starter, "icd10cm", "hcpcs", "cpt")
    assert starter.suggest("gout", document_type="discharge_summary").setting == "inpatient"


def test_options_come_back_in_the_result(starter: CodeSuggester) -> None:
    result = starter.suggest(
        NOTE,
        id="n1",
        service_date=dt.date(2026, 1, 5),
        setting="inpatient",
        document_type="ed_note",
        systems=["icd10pcs", "icd10cm", "icd10pcs"],
    )
    assert (result.id, result.service_date, result.setting, result.document_type) == (
        "n1",
        "2026-01-05",
        "inpatient",
        "ed_note",
    )
    assert result.systems == ("icd10pcs", "icd10cm")
    assert starter.suggest(NOTE, service_date=dt.datetime(2026, 1, 5, 9, 30)).service_date == "2026-01-05"
    order = [s.system for s in result.suggestions]
    assert order == sorted(order, reverse=True), "one system after the other, as asked"


def test_limit_and_threshold(starter: CodeSuggester, listed: Listed) -> None:
    ask = functools.partial(starter.suggest, systems=["icd10cm"])
    all_of_them = ask(NOTE, limit=1000)
    few = ask(NOTE, limit=3)
    assert list(listed(few)) == list(listed(all_of_them))[:3]
    assert len(ask(NOTE).suggestions) <= starter.config.limit
    bar = few.suggestions[1].confidence
    assert [s.code for s in ask(NOTE, threshold=bar).suggested] == list(listed(few))[:2]
    assert not ask(NOTE, threshold=1).suggested
    everything = ask(NOTE, threshold=0)
    assert all(s.suggested for s in everything if any(e.basis == "text" for e in s.evidence))
    # the threshold moves the flag and nothing else
    assert listed(everything) == listed(ask(NOTE))


@pytest.mark.parametrize(
    "options",
    [
        {"service_date": "2026-13-01"},
        {"service_date": "2026-02-30"},
        {"service_date": "01/02/2026"},
        {"service_date": "20260102"},
        {"service_date": "2026-01-02T10:00"},
        {"service_date": "2026-W01-1"},
        {"service_date": " 2026-01-02"},
        {"service_date": ""},
        {"service_date": 20260102},
        {"setting": "hospital"},
        {"setting": ""},
        {"setting": "Inpatient"},
        {"setting": 3},
        {"document_type": "letter"},
        {"document_type": ["ed_note"]},
        {"systems": "icd10cm"},
        {"systems": ["icd11"]},
        {"systems": [None]},
        {"systems": [3]},
        {"systems": 3},
        {"age": -1},
        {"age": 131},
        {"age": 64.5},
        {"age": True},
        {"age": "64"},
        {"sex": "f"},
        {"sex": ""},
        {"limit": 0},
        {"limit": -3},
        {"limit": 2.0},
        {"limit": True},
        {"limit": "5"},
        {"threshold": -0.1},
        {"threshold": 1.1},
        {"threshold": True},
        {"threshold": float("nan")},
        {"threshold": "0.5"},
    ],
    ids=str,
)
def test_an_impossible_option_is_an_option_error(starter: CodeSuggester, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as caught:
        starter.suggest("Zyxwolf has gout", **options)
    assert next(iter(options)) in str(caught.value) and "Zyxwolf" not in str(caught.value)
    assert caught.value.code == "option"


def test_an_unknown_option_is_no_option(starter: CodeSuggester) -> None:
    with pytest.raises(TypeError):
        starter.suggest("gout", date="2026-01-02")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        starter.suggest("gout", "inpatient")  # type: ignore[misc]


# ---- only what can be billed


@pytest.mark.parametrize(
    ("day", "there", "gone"),
    [("2026-09-30", {"I42.0"}, set()), ("2026-10-01", set(), {"I42.0"}), ("2025-10-01", {"I42.0"}, set())],
)
def test_a_code_that_becomes_a_header_is_suggested_until_then(
    starter: CodeSuggester, listed: Listed, day: str, there: set[str], gone: set[str]
) -> None:
    found = set(listed(starter.suggest("Assessment: dilated cardiomyopathy", service_date=day)))
    assert there <= found and not gone & found


def test_new_codes_are_only_suggested_from_their_first_day(starter: CodeSuggester) -> None:
    table = starter.tables["icd10cm"]
    new = [c for c in (table.view(i) for i in range(len(table))) if c.billable and c.valid_from == 20251001 and c.title]
    assert new, "the tables hold codes of October 2025"
    seen = 0
    for code in new[::40]:
        text = f"Assessment: {code.title}"
        before = {s.code for s in starter.suggest(text, service_date="2025-09-30", limit=1000)}
        after = {s.code for s in starter.suggest(text, service_date="2025-10-01", limit=1000)}
        assert code.code not in before
        seen += code.code in after
    assert seen, "and from then on they can be"


@pytest.mark.parametrize("day", ["2025-09-30", "2026-04-01", "2026-10-01"])
def test_every_suggestion_is_billable_and_valid_on_the_day(starter: CodeSuggester, day: str) -> None:
    text = (
        "Assessment: dilated cardiomyopathy, plantar fasciitis, diabetes, fracture of left wrist, heart failure\n"
        "Plan: repair of the abdominal wall, open approach"
    )
    result = starter.suggest(text, service_date=day, systems=["icd10cm", "icd10pcs"])
    assert {s.system for s in result.suggestions} == {"icd10cm", "icd10pcs"}
    for s in result.suggestions:
        table = starter.tables[s.system]
        code = table[s.code]
        assert code.billable and code.valid_on(day)
        assert s.display == code.title_on(day) and s.release == table.release_on(day)


# ---- what the note says of it


def test_the_setting_decides_the_uncertain(starter: CodeSuggester, listed: Listed) -> None:
    text = "Assessment: probable pneumonia"
    outside = starter.suggest(text, setting="outpatient")
    assert withheld(text, outside)["pneumonia"] == "uncertain" and "J18.9" not in listed(outside)
    inside = starter.suggest(text, setting="inpatient")
    assert "J18.9" in listed(inside)
    (own,) = [s for s in inside.suggestions if s.code == "J18.9"]
    assert own.evidence[0].assertion == "uncertain" and own.evidence[0].cue is not None
    assert text[own.evidence[0].cue.start : own.evidence[0].cue.end].lower() == "probable"


@pytest.mark.parametrize(
    ("text", "phrase", "reason", "forbidden"),
    [
        ("Denies chest pain.", "chest pain", "negated", "R07"),
        ("No evidence of pneumonia.", "pneumonia", "negated", "J18"),
        ("Assessment: gout ruled out.", "gout", "negated", "M10"),
        ("Her roommate has influenza.", "influenza", "other_person", "J1"),
        ("Return if you develop chest pain.", "chest pain", "hypothetical", "R07"),
        ("Father had colon cancer.", "colon cancer", "family", "C18"),
        ("FAMILY HISTORY\nGlaucoma", "Glaucoma", "family", "H40"),
    ],
)
def test_what_the_patient_does_not_have_is_not_coded(
    starter: CodeSuggester, listed: Listed, text: str, phrase: str, reason: str, forbidden: str
) -> None:
    result = starter.suggest(text)
    assert not [c for c in listed(result) if c.startswith(forbidden)]
    # either withheld, or the ground of a family history code
    route = [s.code for s in result for e in s.evidence if text[e.start : e.end] in (phrase, text)]
    held = [r for words, r in withheld(text, result).items() if phrase in words]
    routed = reason == "family" and bool(route) and all("Z80" <= c < "Z85" for c in route)
    assert held == [reason] or routed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Family history of breast cancer.", "Z80.3"),
        ("Mother had breast cancer.", "Z80.3"),
        ("Family history: breast cancer", "Z80.3"),
        ("FAMILY HISTORY\nMother: breast cancer", "Z80.3"),
        ("Family history of colon cancer", "Z80.0"),
        ("Father had colon cancer.", "Z80.0"),
        ("History of breast cancer.", "Z85.3"),
        ("Hx of prostate cancer", "Z85.46"),
        ("History of stroke without residual deficits", "Z86.73"),
    ],
)
def test_history_routes_to_its_codes(starter: CodeSuggester, listed: Listed, text: str, code: str) -> None:
    assert code in listed(starter.suggest(text))


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("left knee pain", "M25.562"),
        ("Assessment: pain of the right knee", "M25.561"),
        ("knee pain", "M25.569"),
        ("Assessment: type 2 diabetes", "E11.9"),
        ("A/P: HTN", "I10"),
        ("Assessment: COPD exacerbation", "J44.1"),
        ("Assessment: tinnitus left ear", "H93.12"),
        ("Assessment: sprain of left ankle", "S93.402A"),
    ],
)
def test_what_a_coder_would_put_first(starter: CodeSuggester, text: str, best: str) -> None:
    assert starter.suggest(text).suggestions[0].code == best


def test_a_missing_side_is_a_finding_where_codes_with_a_side_exist(starter: CodeSuggester) -> None:
    result = starter.suggest("Assessment: knee pain", threshold=0.1)
    (finding,) = [f for f in result.findings if f.rule == "laterality_unspecified" and f.codes == ("M25.569",)]
    assert "M25.561" in finding.message and "M25.562" in finding.message
    said = starter.suggest("Assessment: left knee pain")
    assert not [f for f in said.findings if f.rule == "laterality_unspecified"]


def test_words_of_a_side_alone_are_no_diagnosis(starter: CodeSuggester) -> None:
    assert not starter.suggest("left ear").suggested
    assert [s.code for s in starter.suggest("Assessment: tinnitus left ear").suggested] == ["H93.12"]


@pytest.mark.parametrize("text", ["possible", "probable", "denies", "history of", "no", "the patient is well today"])
def test_a_cue_is_no_clinical_phrase(starter: CodeSuggester, text: str) -> None:
    assert starter.reader.read(text).phrases == ()
    assert starter.suggest(text).suggestions == ()


# ---- results


@pytest.mark.parametrize("text", ["K 6.1 mmol/L (3.5-5.1) H", "LABS\nK 6.1 mmol/L (3.5-5.1) H\n", "Labs: K 6.1 H"])
def test_a_bare_result_is_listed_and_never_suggested(starter: CodeSuggester, text: str) -> None:
    for threshold in (None, 0.0):
        result = starter.suggest(text, threshold=threshold)
        (own,) = [s for s in result.suggestions if s.code == "E87.5"]
        assert not own.suggested and {e.basis for e in own.evidence} == {"result"}
        assert text[own.evidence[0].start : own.evidence[0].end].startswith("K 6.1")
        assert [f.severity for f in result.findings if f.rule == "result_only" and "E87.5" in f.codes] == ["info"]


def test_a_documented_result_is_a_diagnosis(starter: CodeSuggester) -> None:
    result = starter.suggest("Labs: K 6.1 mmol/L (3.5-5.1) H\nAssessment:\n- Hyperkalemia: kayexalate given")
    own = result.suggestions[0]
    assert own.code == "E87.5" and own.suggested
    assert "text" in {e.basis for e in own.evidence}
    assert not [f for f in result.findings if f.rule == "result_only" and "E87.5" in f.codes]


def test_a_result_within_its_range_says_nothing(starter: CodeSuggester, listed: Listed) -> None:
    assert not {"E87.5", "E87.6"} & set(listed(starter.suggest("K 4.1 mmol/L (3.5-5.1)")))


# ---- explain, search, check_claim


def test_explain_names_the_stage(starter: CodeSuggester) -> None:
    text = "Assessment: left knee pain"
    best = starter.explain(text, "M25.562")
    assert (best["stage"], best["rank"]) == ("suggested", 1)
    assert best["why"] and best["evidence"][0]["start"] >= 12
    listed_only = starter.explain(text, "M25.569", threshold=0.99)
    assert listed_only["stage"] == "below_threshold" and listed_only["rank"] > 1
    assert listed_only["told"].startswith("listed, below the operating threshold (0.99): rank ")
    assert starter.explain(text, "M25.569", limit=1)["stage"] == "ranked_low"
    far = starter.explain(text, "C91.00")
    assert (far["stage"], far["rank"], far["confidence"]) == ("not_retrieved", None, None)
    assert (far["why"], far["evidence"], far["places"]) == ({}, [], [])
    assert starter.explain(text, "M25.56")["stage"] == "not_valid"
    assert starter.explain("dilated cardiomyopathy", "I42.0", service_date="2026-10-01")["stage"] == "not_valid"
    assert starter.explain(text, "m25562")["rank"] == 1


def test_explain_agrees_with_suggest(starter: CodeSuggester) -> None:
    result = starter.suggest(NOTE)
    for rank, s in enumerate(result.suggestions[:8], 1):
        said = starter.explain(NOTE, s.code)
        assert (said["rank"], said["confidence"], said["why"]) == (rank, s.confidence, dict(s.why))
        assert said["stage"] == ("suggested" if s.suggested else "below_threshold")


@pytest.mark.parametrize("code", ["X99.99X9", "", "gout", None, 3])
def test_explain_refuses_what_is_no_code(starter: CodeSuggester, code: Any) -> None:
    with pytest.raises(OptionError):
        starter.explain("gout", code)


def test_explain_checks_as_suggest_does(starter: CodeSuggester) -> None:
    with pytest.raises(NotTextError):
        starter.explain(None, "I10")  # type: ignore[arg-type]
    with pytest.raises(OptionError):
        starter.explain("gout", "I10", system="icd11")
    with pytest.raises(OptionError):
        starter.explain("gout", "I10", setting="elsewhere")
    for options in ({"limit": 0}, {"limit": "all"}):
        with pytest.raises(OptionError):
            starter.explain("gout", "I10", **options)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("low back pain", "M54.50"),
        ("left knee pain", "M25.562"),
        ("type 2 diabetes", "E11.9"),
        ("HTN", "I10"),
        ("family history of breast cancer", "Z80.3"),
        ("history of stroke", "Z86.73"),
        ("no chest pain", "R07.9"),
    ],
)
def test_search_finds_by_words(starter: CodeSuggester, query: str, code: str) -> None:
    found = starter.search(query)
    assert code in [c.code for c in found[:5]]
    assert len(found) <= 10 and all(c.billable for c in found)


def test_search_options(starter: CodeSuggester) -> None:
    assert [c.system for c in starter.search("resection of appendix", system="icd10pcs", limit=3)] == ["icd10pcs"] * 3
    assert len(starter.search("pain", limit=2)) == 2
    assert starter.search("") == [] and starter.search("Zyxwolf") == []
    with pytest.raises(OptionError):
        starter.search("pain", system="icd11")
    with pytest.raises(NotTextError):
        starter.search(None)  # type: ignore[arg-type]
    for limit in (0, -1, "3", None):
        with pytest.raises(OptionError):
            starter.search("pain", limit=limit)  # type: ignore[arg-type]


def test_check_claim(starter: CodeSuggester) -> None:
    assert starter.check_claim(["E11.9", "I10"]) == ()
    assert starter.check_claim([]) == ()
    rules = {f.rule: f for f in starter.check_claim(["E11", "E11.9", "E11.9", "M25.569", "E10.9"])}
    assert {"not_billable", "duplicate", "laterality_unspecified", "excludes1"} <= set(rules)
    assert rules["not_billable"].codes == ("E11",) and set(rules["excludes1"].codes) == {"E10.9", "E11.9"}
    assert [f.rule for f in starter.check_claim(["I42.0"], service_date="2026-10-01")] in (
        ["not_valid_on_date"],
        ["not_billable"],
    )
    assert starter.check_claim(["I42.0"], service_date="2026-09-30") == ()
    assert starter.check_claim([("icd10pcs", "0DTJ4ZZ")]) == ()
    assert [f.rule for f in starter.check_claim([("icd10pcs", "0DTJ4Z")])] == ["not_billable"]


@pytest.mark.parametrize(
    ("codes", "options"),
    [
        ([("icd11", "I10")], {}),
        (["I10"], {"setting": "elsewhere"}),
        (["I10"], {"service_date": "soon"}),
        ("I10", {}),
        ([None], {}),
        ([("icd10cm",)], {}),
        ([("icd10cm", 3)], {}),
        ([b"I10"], {}),
        ([ClaimLine("icd10cm", None)], {}),  # type: ignore[arg-type]
        ([ClaimLine("icd10cm", "I10", modifiers=(5,))], {}),  # type: ignore[arg-type]
        ([ClaimLine("icd10cm", "I10", units=0)], {}),
        ([ClaimLine("icd11", "I10")], {}),
    ],
)
def test_check_claim_refuses(starter: CodeSuggester, codes: Any, options: dict[str, Any]) -> None:
    with pytest.raises(CodeSuggestError):
        starter.check_claim(codes, **options)


def test_check_claim_without_a_note_reads_none(starter: CodeSuggester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(starter.reader), "read", lambda *_: pytest.fail("a note was read"))
    assert [f.rule for f in starter.check_claim(["I10", "N18.30"])] == ["combination"]


def test_check_claim_takes_lines_in_claim_order(starter: CodeSuggester) -> None:
    found = starter.check_claim([ClaimLine("icd10cm", "W19.XXXA"), ClaimLine("icd10cm", "S01.01XA", poa="Y")])
    assert [f.rule for f in found] == ["external_cause_first"]
    # procedures of ICD-10-PCS make a claim an inpatient's when nobody says
    found = starter.check_claim(["K35.80", ("icd10pcs", "0DTJ4ZZ"), ClaimLine("cpt", "0000X")])
    assert [(f.rule, f.codes) for f in found] == [("not_checked", ("0000X",)), ("not_checked", ("K35.80",))]


def test_check_claim_with_its_note(starter: CodeSuggester) -> None:
    note = "Assessment: type 2 diabetes, on metformin. Left knee pain."
    found = {f.rule: f for f in starter.check_claim(["E11.9", "M25.569"], note=note)}
    assert {"long_term_drug", "unspecified_documented"} <= set(found)
    assert "M25.562" in found["unspecified_documented"].message
    start, end = found["long_term_drug"].evidence[-1]
    assert note[start:end] == "metformin"


def test_a_line_written_before_findings_had_a_section_can_be_read(starter: CodeSuggester) -> None:
    row = starter.suggest("Assessment: knee pain.").to_dict()
    (finding,) = [f for f in row["findings"] if f["rule"] == "laterality_unspecified"]
    assert (finding.pop("section"), finding.pop("fiscal_year")) == ("I.B.13", "2026")
    (found,) = [f for f in NoteResult.from_dict(row).findings if f.rule == "laterality_unspecified"]
    assert (found.section, found.fiscal_year) == ("", "") and found.source.endswith("I.B.13, FY2026")


def test_check_claim_never_repeats_what_is_no_code(starter: CodeSuggester) -> None:
    findings = starter.check_claim(["Zyxwolf Quellmann has gout"])
    assert findings and "Zyxwolf" not in repr(findings) and "ZYXWOLF" not in repr(findings)


# ---- many


def test_suggest_many_is_suggest_and_lazy(starter: CodeSuggester) -> None:
    def notes() -> Any:
        yield NOTE
        yield "gout"
        raise RuntimeError("asked for too much")

    many = starter.suggest_many(notes(), setting="inpatient")
    assert next(many) == starter.suggest(NOTE, setting="inpatient")
    assert next(many) == starter.suggest("gout", setting="inpatient")
    with pytest.raises(RuntimeError):
        next(many)
    assert list(starter.suggest_many([])) == []


def test_results_can_be_iterated_and_cannot_be_changed(starter: CodeSuggester) -> None:
    result = starter.suggest(NOTE)
    assert tuple(result) == result.suggestions
    assert result.suggested == tuple(s for s in result if s.suggested)
    for thing, name in (
        (result, "setting"),
        (result.suggestions[0], "code"),
        (result.suggestions[0].evidence[0], "start"),
    ):
        with pytest.raises(AttributeError):
            setattr(thing, name, "x")
    assert {w.reason for w in result.withheld} <= set(WITHHELD_REASONS)


def test_from_dict_refuses_an_error_record() -> None:
    with pytest.raises(ValueError, match="not_text"):
        NoteResult.from_dict({"error": {"code": "not_text", "message": "x"}})


def test_show_text_is_the_only_way_out_for_the_text(starter: CodeSuggester) -> None:
    result = starter.suggest(NOTE)
    assert "text" not in result.to_dict()
    shown = result.to_dict(show_text=True)
    assert shown["text"] == NOTE
    for s in shown["suggestions"]:
        assert all(e["text"] == NOTE[e["start"] : e["end"]] for e in s["evidence"])
    assert "Possible gout" not in repr(result) and NOTE not in repr(result)


# ---- the spaCy component


def test_the_entry_points_name_what_is_there() -> None:
    """spaCy finds a component by importing its entry point, and needs the factory registered by that import."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["spacy_factories"]
    assert set(points) == {"codesuggest", "codesuggest_structure", "codesuggest_assertion"}
    program = (
        "import importlib, sys, json\n"
        "from spacy.language import Language\n"
        "for name, target in json.loads(sys.argv[1]).items():\n"
        "    module, _, attribute = target.partition(':')\n"
        "    assert callable(getattr(importlib.import_module(module), attribute)), target\n"
        "    assert Language.get_factory_meta(name).factory == name\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program, json.dumps(points)], check=True, env=environment, timeout=60)


def test_anyones_pipeline_after_pip_install(tmp_path: Path) -> None:
    """As installed: a dist-info with the entry points of pyproject.toml is all that spaCy has to go by."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["spacy_factories"]
    info = tmp_path / "codesuggest-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: codesuggest\nVersion: 0.0.1\n")
    (info / "entry_points.txt").write_text("[spacy_factories]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    program = (
        "import spacy\n"
        "nlp = spacy.blank('en')\n"
        "nlp.add_pipe('codesuggest', config={'setting': 'inpatient'})\n"
        "doc = nlp('Assessment: left knee pain, probable pneumonia')\n"
        "print(doc._.codesuggest.suggestions[0].code, doc._.codesuggest.setting)\n"
        "print([span.text for span in doc.spans['codesuggest']][0])\n"
        "two = spacy.blank('en')\n"
        "two.add_pipe('codesuggest_structure'); two.add_pipe('codesuggest_assertion'); two.add_pipe('codesuggest')\n"
        "print(two('Assessment: left knee pain')._.codesuggest.suggestions[0].code)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-800:]
    lines = done.stdout.split("\n")
    assert lines[0] == "M25.562 inpatient"
    assert "knee" in lines[1] and lines[2] == "M25.562"


def test_the_component_says_what_suggest_says(starter: CodeSuggester) -> None:
    import spacy

    import codesuggest.component  # noqa: F401 - registers the factory, as the entry point does

    text = "CC: left knee pain\r\nHPI: denies chest pain 😀\r\nAssessment:\r\n- Type 2 diabetes\r\n- HTN\r\n"
    nlp = spacy.blank("en")
    nlp.add_pipe("codesuggest")
    doc = nlp(text)
    assert doc.text == text
    result = doc._.codesuggest
    assert isinstance(result, NoteResult) and result == starter.suggest(text)
    spans = {(s.start_char, s.end_char) for s in doc.spans["codesuggest"]}
    for s in result.suggested:
        assert any(a <= e.start and e.end <= b for e in s.evidence for a, b in spans)
    wrong = spacy.blank("en")
    with pytest.raises(OptionError):
        wrong.add_pipe("codesuggest", config={"setting": "elsewhere"})
        wrong("gout")
