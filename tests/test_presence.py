"""Present on admission: what inpatient records say of a diagnosis, and what they leave open."""

from __future__ import annotations

from pathlib import Path

import pytest
from charts import read_chart

from codesuggest.chart import Chart
from codesuggest.codes.readers.cm_tables import read_poa_exempt
from codesuggest.encounter import encounter_codes, merge
from codesuggest.errors import LexiconError
from codesuggest.pipes.lexicon import ENGLISH
from codesuggest.presence import _TOGETHER, presence, read_cues, read_presence
from codesuggest.suggester import CodeSuggester

# (document type, marked text, code, indicator or None, words of the place that decides)
DC, LIST = "discharge_summary", "DISCHARGE DIAGNOSES\n1. "
STATEMENTS = [
    (DC, LIST + "[Septic shock|R65.21], present on admission.", "R65.21", "Y", "present on admission"),
    (DC, LIST + "[Sacral pressure ulcer stage 3|L89.153] (POA)", "L89.153", "Y", "POA"),
    (DC, LIST + "[Pneumonia|J18.9], POA: Y", "J18.9", "Y", "POA: Y"),
    (DC, LIST + "[Pneumonia|J18.9], POA - N", "J18.9", "N", "POA - N"),
    (DC, LIST + "[Pneumonia|J18.9], not present on admission", "J18.9", "N", "not present on admission"),
    (DC, LIST + "Hospital-acquired [pneumonia|J18.9]", "J18.9", "N", "Hospital-acquired"),
    (DC, LIST + "Community-acquired [pneumonia|J18.9]", "J18.9", "Y", "Community-acquired"),
    (
        DC,
        "HOSPITAL COURSE: On hospital day 3 she developed [acute kidney injury|N17.9] after contrast.",
        "N17.9",
        "N",
        "developed",
    ),
    (DC, "HOSPITAL COURSE: New [atrial fibrillation|I48.91] on POD #2, rate controlled.", "I48.91", "N", "New"),
    (DC, "HOSPITAL COURSE: [Pneumonia|J18.9] improved by hospital day 3.", "J18.9", None, ""),
    (DC, "HOSPITAL COURSE: She was febrile. [Pneumonia|J18.9] was treated.", "J18.9", None, ""),
    (
        DC,
        LIST + "[DVT of the right leg|I82.401]: unable to determine whether it was present on admission",
        "I82.401",
        "W",
        "unable to determine whether it was present on admission",
    ),
    (
        DC,
        LIST + "[Heel ulcer|L89.619], unclear if present on admission",
        "L89.619",
        "U",
        "unclear if present on admission",
    ),
    (DC, "ADMISSION DIAGNOSIS: [Acute appendicitis|K35.80]", "K35.80", "Y", "Acute appendicitis"),
    (DC, "HISTORY OF PRESENT ILLNESS: Presented with [hematemesis|K92.0].", "K92.0", "Y", "Presented with"),
    ("ed_note", "DIAGNOSIS: [Left hip fracture|S72.002A]", "S72.002A", "Y", "Left hip fracture"),
    (DC, "PAST MEDICAL HISTORY: [gout|M10.9]", "M10.9", "Y", "gout"),
    (DC, LIST + "[Hypertension|I10]", "I10", "Y", ""),
    (DC, LIST + "[Chronic pancreatitis|K86.1]", "K86.1", "Y", ""),
    (DC, LIST + "[Acute on chronic systolic heart failure|I50.23]", "I50.23", None, ""),
    (DC, LIST + "[Asthma exacerbation|J45.901]", "J45.901", None, ""),
    (
        DC,
        LIST + "[Sepsis|A41.9], present on admission; [C. diff colitis|A04.72], hospital-acquired",
        "A04.72",
        "N",
        "hospital-acquired",
    ),
    (
        DC,
        LIST + "[Sepsis|A41.9], present on admission; [C. diff colitis|A04.72], hospital-acquired",
        "A41.9",
        "Y",
        "present on admission",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "marked", "code", "indicator", "words"), STATEMENTS)
def test_what_a_record_decides(
    starter: CodeSuggester, kind: str, marked: str, code: str, indicator: str | None, words: str
) -> None:
    results = read_chart(f"== {kind}\n{marked}", starter.tables, setting="inpatient")
    chart = Chart(results)
    found = next(c for c in merge(results, chart) if c.code == code)
    said = presence(found, chart)
    assert [p.value for p in said] == ([indicator] if indicator else [])
    if said and words:
        (place, *_) = said[0].places
        assert (results[0].text or "")[place.start : place.end] == words
    for p in said:
        assert p.kind == "poa" and "Appendix I" in p.source and code in p.reason


def inpatient(starter: CodeSuggester, text: str, **more: object) -> dict[str, str | None]:
    results = read_chart(text, starter.tables, setting="inpatient")
    codes = encounter_codes(results, starter.tables, setting="inpatient", **more)  # type: ignore[arg-type]
    return {c.code: c.poa for c in codes}


def test_statements_that_contradict_each_other_are_for_the_provider(starter: CodeSuggester) -> None:
    poa = inpatient(
        starter,
        "== discharge_summary\nDISCHARGE DIAGNOSES\n1. [Pneumonia|J18.9], present on admission\n"
        "== visit_note\nASSESSMENT: hospital-acquired [pneumonia|J18.9]\n",
    )
    assert poa == {"J18.9": "U"}


def test_a_statement_goes_before_the_section(starter: CodeSuggester) -> None:
    poa = inpatient(
        starter,
        "== discharge_summary\nADMISSION DIAGNOSIS: [Pneumonia|J18.9]\n"
        "HOSPITAL COURSE: nosocomial [pneumonia|J18.9] was treated.\n",
    )
    assert poa == {"J18.9": "N"}


def test_exempt_codes_take_no_indicator_once_the_list_is_loaded(starter: CodeSuggester) -> None:
    text = "== discharge_summary\nPAST MEDICAL HISTORY: [hysterectomy|Z90.710], [gout|M10.9]\n"
    assert inpatient(starter, text)["Z90.710"] == "Y"
    assert inpatient(starter, text, poa_exempt=frozenset({"Z90710"})) == {"Z90.710": "exempt", "M10.9": "Y"}


def test_the_published_list_says_which_codes_are_exempt(starter: CodeSuggester, DATA: Path) -> None:
    exempt = read_poa_exempt(DATA / "official" / "icd10cm" / "POAexemptCodesFY26.zip").codes
    text = "== discharge_summary\nPAST MEDICAL HISTORY: [former smoker|Z87.891], [gout|M10.9], on [insulin|Z79.4]\n"
    assert inpatient(starter, text, poa_exempt=exempt) == {"M10.9": "Y", "Z79.4": "exempt", "Z87.891": "exempt"}


def test_outpatients_have_no_indicator(starter: CodeSuggester) -> None:
    results = read_chart(
        "== ed_note\nDIAGNOSIS: [Gout|M10.9], present on admission", starter.tables, setting="outpatient"
    )
    assert [c.poa for c in encounter_codes(results, starter.tables, setting="outpatient")] == [None]


def test_every_rule_of_the_word_list_is_one(DATA: Path) -> None:
    pattern, rules = read_cues()
    assert set(rules) <= set(read_presence()) | set(_TOGETHER) and pattern.groups == len(rules)
    text = " ".join((DATA / "official" / "rules" / "icd10cm_guidelines.txt").read_text(encoding="utf-8").split())
    for rule in read_presence().values():
        assert rule.heading in text, rule.rule


@pytest.mark.parametrize("line", ["poa\tperhaps\town", "poa\tstated_yes"])
def test_a_wrong_cue_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "presence.tsv").write_text(f"cue\trule\tsource\n{line}\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=r"presence.tsv, line 2"):
        read_cues(tmp_path)


def test_the_list_is_in_place() -> None:
    assert (ENGLISH / "presence.tsv").is_file()
