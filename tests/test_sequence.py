"""Which diagnosis goes first and why, and in what order the others follow: encounters as coders know them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from charts import read_chart

from codesuggest.encounter import encounter_codes
from codesuggest.errors import LexiconError
from codesuggest.sequence import SEQUENCE_FILE, read_sequence
from codesuggest.suggester import CodeSuggester

# (what it is about, setting, documents, codes in order, section that the reason cites)
ENCOUNTERS = [
    (
        "the assessment's first problem, though the history mentions another before",
        "outpatient",
        """== visit_note
CC: follow-up
HPI: [hypertension|I10] well controlled.
ASSESSMENT
1. [Left knee osteoarthritis|M17.12]
2. [Hypertension|I10]
""",
        ["M17.12", "I10"],
        "IV.G",
    ),
    (
        "a symptom in the assessment stays first when no definitive diagnosis explains it",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Chest pain|R07.9], stress test ordered
2. [Hypertension|I10]
""",
        ["R07.9", "I10"],
        "IV.G",
    ),
    (
        "a symptom goes behind the diagnosis that it belongs to",
        "outpatient",
        """== visit_note
CC: [cough|R05.9]
ASSESSMENT
1. [Cough|R05.9] and fever
2. [Pneumonia|J18.9]
""",
        ["J18.9", "R05.9"],
        "IV.G",
    ),
    (
        "a symptom that the note itself links to a diagnosis goes behind it",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Dizziness|R42] due to [iron deficiency anemia|D50.9]
""",
        ["D50.9", "R42"],
        "IV.G",
    ),
    (
        "a screening colonoscopy's result does not push the annual exam from its place",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Essential hypertension|I10], uncontrolled
2. [Annual physical exam with abnormal findings|Z00.01]
""",
        ["Z00.01", "I10"],
        "IV.P",
    ),
    (
        "the summary above the problems introduces the patient by her history",
        "outpatient",
        """== visit_note
ASSESSMENT AND PLAN
A 61-year-old with a history significant for [reflux|K21.9], here for back pain.
[Kidney stone|N20.0]. CT ordered.
[Reflux|K21.9]. Refill given.
""",
        ["N20.0", "K21.9"],
        "IV.G",
    ),
    (
        "a screening mammogram: the screening first, then what it found",
        "outpatient",
        """== radiology_report
INDICATION: [Screening mammogram|Z12.31]
IMPRESSION: [Abnormal mammogram|R92.8], additional views needed
""",
        ["Z12.31", "R92.8"],
        "I.C.21.c.5",
    ),
    (
        "chemotherapy before the malignancy",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Cancer of the left breast|C50.912]
2. Here for [chemotherapy|Z51.11] cycle 3
""",
        ["Z51.11", "C50.912"],
        "IV.L",
    ),
    (
        "a preoperative evaluation before the condition to be operated on",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Cataract, right eye|H26.9], surgery planned
2. [Preoperative cardiovascular exam|Z01.810]
""",
        ["Z01.810", "H26.9"],
        "IV.M",
    ),
    (
        "chapter 15 before other chapters",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Asthma|J45.909]
2. [Asthma complicating pregnancy, second trimester|O99.512]
3. [24 weeks|Z3A.24]
""",
        ["O99.512", "J45.909", "Z3A.24"],
        "I.C.15.a.1",
    ),
    (
        "external causes go last, however early they are told",
        "outpatient",
        """== ed_note
HPI: [fell from a ladder|W11.XXXA] at home
DIAGNOSIS
1. [Fracture of the lower end of the right radius|S52.501A]
""",
        ["S52.501A", "W11.XXXA"],
        "IV.G",
    ),
    (
        "the kidney disease follows the diabetes that the tabular wants first",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [CKD stage 3b|N18.32]
2. [Type 2 diabetes with diabetic CKD|E11.22]
3. on [insulin|Z79.4]
""",
        ["E11.22", "N18.32", "Z79.4"],
        "IV.G",
    ),
    (
        "dementia in Parkinson's disease is a manifestation",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Dementia|F02.80]
2. [Parkinson's disease|G20.A1]
""",
        ["G20.A1", "F02.80"],
        "IV.G",
    ),
    (
        "radiology alone: what the reading confirms, not why it was ordered",
        "outpatient",
        """== radiology_report
INDICATION: [Right flank pain|R10.A1]
IMPRESSION: [Right renal calculus|N20.0]
""",
        ["N20.0", "R10.A1"],
        "IV.K",
    ),
    (
        "radiology alone without a finding: why it was ordered",
        "outpatient",
        """== radiology_report
INDICATION: [Left knee pain|M25.562]
IMPRESSION: No fracture.
""",
        ["M25.562"],
        "IV.K",
    ),
    (
        "outpatient surgery: the postoperative diagnosis",
        "outpatient",
        """== operative_report
PREOPERATIVE DIAGNOSIS: [Right breast mass|N63.10]
POSTOPERATIVE DIAGNOSIS: [Fibroadenoma of the right breast|D24.1]
""",
        ["D24.1", "N63.10"],
        "IV.N",
    ),
    (
        "inpatient: the first discharge diagnosis, not the complaint",
        "inpatient",
        """== discharge_summary
ADMISSION DIAGNOSIS: [Chest pain|R07.9]
DISCHARGE DIAGNOSES
1. [NSTEMI|I21.4]
2. [Type 2 diabetes|E11.9]
""",
        ["I21.4", "E11.9", "R07.9"],
        "II,",
    ),
    (
        "inpatient: septic shock never goes before the sepsis",
        "inpatient",
        """== discharge_summary
PRINCIPAL DIAGNOSIS
[Septic shock|R65.21] due to [E. coli sepsis|A41.51]
SECONDARY DIAGNOSES
1. [Acute kidney injury|N17.9]
2. [Urinary tract infection|N39.0]
""",
        ["A41.51", "R65.21", "N17.9", "N39.0"],
        "II,",
    ),
    (
        "inpatient: an uncertain diagnosis at discharge may be principal (II.H)",
        "inpatient",
        """== discharge_summary
DISCHARGE DIAGNOSES
1. Probable [aspiration pneumonia|J69.0|uncertain]
2. [Atrial fibrillation|I48.91]
""",
        ["J69.0", "I48.91"],
        "II,",
    ),
    (
        "inpatient without a discharge diagnosis: the hospital course",
        "inpatient",
        """== discharge_summary
CHIEF COMPLAINT: [shortness of breath|R06.02]
HOSPITAL COURSE: She was treated for an [exacerbation of COPD|J44.1].
PAST MEDICAL HISTORY: [hypothyroidism|E03.9]
""",
        ["J44.1", "E03.9", "R06.02"],
        "II,",
    ),
    (
        "inpatient: a complication of care goes before the infection it is (II.G)",
        "inpatient",
        """== discharge_summary
DISCHARGE DIAGNOSES
1. [MSSA sepsis|A41.01] due to [infected central line|T80.211A]
2. [End stage renal disease|N18.6] on [dialysis|Z99.2]
""",
        ["T80.211A", "A41.01", "N18.6", "Z99.2"],
        "II",
    ),
    (
        "a sequela: what remained first, then the injury that it comes from",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Old fracture of the left ankle|S82.892S], now with [post-traumatic arthritis|M19.172]
""",
        ["M19.172", "S82.892S"],
        "IV.G",
    ),
    (
        "a newborn's birth record",
        "inpatient",
        """== discharge_summary
DISCHARGE DIAGNOSES
1. [Neonatal jaundice|P59.9]
2. [Single liveborn infant, vaginal delivery|Z38.00]
""",
        ["Z38.00", "P59.9"],
        "I.C.16.a.2",
    ),
    (
        "an overdose before what it brought about",
        "outpatient",
        """== ed_note
DIAGNOSIS
1. [Metabolic encephalopathy|G92.8]
2. [Intentional acetaminophen overdose|T39.1X2A]
""",
        ["T39.1X2A", "G92.8"],
        "I.C.19.e.5.b",
    ),
    (
        "an adverse effect: the condition first, then the drug",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Adverse effect of penicillin|T36.0X5A], [rash|L27.0]
""",
        ["L27.0", "T36.0X5A"],
        "IV.G",
    ),
    (
        "a status code and a history code never lead",
        "outpatient",
        """== visit_note
ASSESSMENT
1. [Former smoker|Z87.891]
2. [COPD|J44.9]
3. [Home oxygen|Z99.81]
""",
        ["J44.9", "Z87.891", "Z99.81"],
        "IV.G",
    ),
]


@pytest.mark.parametrize(
    ("about", "setting", "documents", "order", "section"), ENCOUNTERS, ids=[e[0] for e in ENCOUNTERS]
)
def test_order_and_reason(
    starter: CodeSuggester, about: str, setting: str, documents: str, order: list[str], section: str
) -> None:
    results = read_chart(documents, starter.tables, setting=setting)
    codes = encounter_codes(results, starter.tables, setting=setting)
    assert [c.code for c in codes if c.position is not None] == order
    first = codes[0].proposals[0]
    assert first.kind == ("principal" if setting == "inpatient" else "first_listed")
    assert first.value == order[0] and section in first.source and "FY2026" in first.source
    text = {r.id: r.text or "" for r in results}
    assert all(text[p.document][p.start : p.end] for p in first.places)


def test_what_a_rule_moved_says_so(starter: CodeSuggester) -> None:
    chart = """== visit_note
ASSESSMENT
1. [CKD stage 3b|N18.32]
2. [Type 2 diabetes with diabetic CKD|E11.22]
3. [Fell on ice|W00.0XXA], [insulin|Z79.4], [hypertension|I10]
"""
    codes = encounter_codes(
        read_chart(chart, starter.tables, setting="outpatient"), starter.tables, setting="outpatient"
    )
    said = {c.code: [p.source for p in c.proposals if p.kind == "sequence"] for c in codes}
    assert "I.A.13" in said["N18.32"][0] and "I.C.20.a.6" in said["W00.0XXA"][0] and "I.C.21.c.3" in said["Z79.4"][0]
    assert said["I10"] == []  # it stands where the note has it


def test_a_sharper_code_takes_the_place_of_the_one_it_supersedes(starter: CodeSuggester) -> None:
    chart = """== visit_note
ASSESSMENT
1. [Type 2 diabetes|E11.9]
2. [Hypertension|I10]
== lab_report
COMMENT: [diabetic nephropathy|E11.21]
"""
    codes = encounter_codes(
        read_chart(chart, starter.tables, setting="outpatient"), starter.tables, setting="outpatient"
    )
    assert [c.code for c in codes if c.position] == ["E11.21", "I10"]


# ---- the table


def test_sections_stand_in_the_official_text(DATA: Path) -> None:
    """Every section that is cited: its letter or number heads a paragraph below the section's own heading."""
    text = (DATA / "official" / "rules" / "icd10cm_guidelines.txt").read_text(encoding="utf-8")
    lines = [line.strip() for line in text[text.index("Section I. Conventions, general coding") :].split("\n")]
    for row in read_sequence():
        for section in row.section.split(", "):
            parts = section.split(".")
            at = next(n for n, line in enumerate(lines) if re.match(rf"Section {parts[0]}\b", line))
            for part in parts[1:]:
                head = re.compile(rf"(?:Chapter )?\(?{part}[.)]")
                follows = [n for n in range(at, len(lines)) if head.match(lines[n])]
                assert follows, f"{section}: no paragraph {part}"
                at = follows[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rule\tfirst\t\t\tZ99\t\t\tII\t2026\t{code}\town", "kind"),
        ("class\tsecond\t\t\tZ99\t\t\tII\t2026\t{code}\town", "place"),
        ("class\tfirst\tward\t\tZ99\t\t\tII\t2026\t{code}\town", "setting"),
        ("class\tfirst\t\tletter\tZ99\t\t\tII\t2026\t{code}\town", "document"),
        ("class\tfirst\t\t\tZ99\t\t\tII\t2026\t{patient}\town", "sentence"),
        ("reason\tfirst\t\t\t\t\tplan\tII\t2026\t{code}\town", "place"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    header = next(row for row in SEQUENCE_FILE.read_text(encoding="utf-8").split("\n") if row.startswith("kind"))
    path = tmp_path / "sequence.tsv"
    path.write_text(f"{header}\n{line}\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=f"sequence.tsv, line 2: .*{message}"):
        read_sequence(path)
