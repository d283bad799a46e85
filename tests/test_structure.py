"""Sections, lines, sentences and document types of invented notes, and what must hold for every string."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.pipes.lexicon import LexiconError, read_lexicon
from codesuggest.pipes.structure import DOCUMENT_TYPES, Structure, StructureReader, structure_of

READER = StructureReader()


def sections_of(text: str) -> list[tuple[str | None, str]]:
    """(name, content) of each section; an empty preamble is left out."""
    found = READER.read(text)
    pairs = [(s.name, " ".join(text[s.start : s.end].split())) for s in found.sections]
    return [p for p, s in zip(pairs, found.sections, strict=True) if p[1] or s.head_end > s.head_start]


def sentences_of(text: str) -> list[str]:
    return [text[s.start : s.end] for s in READER.read(text).sentences]


# What a note looks like -> the sections a reader of it sees.
SECTIONS: list[tuple[str, list[tuple[str | None, str]]]] = [
    # capitals alone on a line
    ("CHIEF COMPLAINT\n\nKnee pain.\n\nPLAN\n\nRest.", [("chief_complaint", "Knee pain."), ("plan", "Rest.")]),
    ("PAST MEDICAL HISTORY\nCOPD\nHTN", [("pmh", "COPD HTN")]),
    ("HISTORY OF PRESENT ILLNESS:\nPt fell.\n", [("hpi", "Pt fell.")]),
    # colon with the text behind it
    (
        "PMH: HTN, DM2\nFH: CAD\nSH: smoker",
        [("pmh", "HTN, DM2"), ("family_history", "CAD"), ("social_history", "smoker")],
    ),
    ("CC: cough x3d\nHPI: 3 days of cough", [("chief_complaint", "cough x3d"), ("hpi", "3 days of cough")]),
    ("PMHx: gout\nFHx: nil\nSHx: retired", [("pmh", "gout"), ("family_history", "nil"), ("social_history", "retired")]),
    ("Meds: ASA 81\nAllergies: NKDA", [("medications", "ASA 81"), ("allergies", "NKDA")]),
    ("PSH : appy 1998", [("psh", "appy 1998")]),
    ("Dx: gout flare\nRx: colchicine", [("diagnosis", "gout flare"), ("medications", "colchicine")]),
    ("Hx: fell on ice\nImp: wrist fx", [("hpi", "fell on ice"), ("impression", "wrist fx")]),
    ("A/P: CHF, diurese", [("assessment_plan", "CHF, diurese")]),
    ("A&P\n1. CHF", [("assessment_plan", "1. CHF")]),
    ("A+P: gout", [("assessment_plan", "gout")]),
    ("assessment & plan\ngout", [("assessment_plan", "gout")]),
    ("Assessment / Plan:\ngout", [("assessment_plan", "gout")]),
    # title case, small letters, markdown, bullets, numbers, bold
    ("Past Surgical History\nCABG 2012", [("psh", "CABG 2012")]),
    ("plan\nrest, ice", [("plan", "rest, ice")]),
    ("## Plan\nrest", [("plan", "rest")]),
    ("# Assessment\ngout\n# Plan\nrest", [("assessment", "gout"), ("plan", "rest")]),
    ("- Impression: CHF\n- Plan: Lasix", [("impression", "CHF"), ("plan", "Lasix")]),
    ("\u2022 Impression: CHF", [("impression", "CHF")]),
    ("1. ASSESSMENT: CHF\n2. PLAN: Lasix", [("assessment", "CHF"), ("plan", "Lasix")]),
    ("**Assessment:** gout\n**Plan**\nrest", [("assessment", "gout"), ("plan", "rest")]),
    ("*** IMPRESSION ***\nPneumonia", [("impression", "Pneumonia")]),
    ("Plan - rest and ice", [("plan", "rest and ice")]),
    ("ALLERGIES\tpenicillin", [("allergies", "penicillin")]),
    # several headings in one running line
    (
        "PREOPERATIVE DIAGNOSIS:  Cataract. POSTOPERATIVE DIAGNOSIS: Same. PROCEDURE: Phaco.",
        [("preop_diagnosis", "Cataract."), ("postop_diagnosis", "Same."), ("procedure", "Phaco.")],
    ),
    (
        "PREOP DIAGNOSIS: , Hernia.,PROCEDURE: , Repair.,ANESTHESIA: , General.",
        [("preop_diagnosis", ", Hernia.,"), ("procedure", ", Repair.,"), ("anesthesia", ", General.")],
    ),
    ("Impression: CHF. Plan: diurese.", [("impression", "CHF."), ("plan", "diurese.")]),
    ("CHIEF COMPLAINT: cough HISTORY OF PRESENT ILLNESS: 3 days", [("chief_complaint", "cough"), ("hpi", "3 days")]),
    # subheadings do not leave their section
    (
        "ROS\nMusculoskeletal: Reports right knee pain\nSkin: no rash",
        [("ros", "Musculoskeletal: Reports right knee pain Skin: no rash")],
    ),
    ("PHYSICAL EXAM\n\nNeck\n- Supple.\n\nCardiovascular\nRRR", [("exam", "Neck - Supple. Cardiovascular RRR")]),
    ("PE: HEENT: PERRL. NECK: Supple. LUNGS: Clear.", [("exam", "HEENT: PERRL. NECK: Supple. LUNGS: Clear.")]),
    ("EXAM\nVitals: BP 130/80\nHeart: RRR", [("exam", "Vitals: BP 130/80 Heart: RRR")]),
    ("EXAM\nLegs\n- Examination: no edema", [("exam", "Legs - Examination: no edema")]),
    ("A/P\n1. PE: heparin drip\n2. DM: metformin", [("assessment_plan", "1. PE: heparin drip 2. DM: metformin")]),
    ("A/P\n# DM2\nPlan: metformin\n# HTN", [("assessment_plan", "# DM2 Plan: metformin # HTN")]),
    ("ASSESSMENT\n\nHYPERTENSION\n\nStable on meds.", [("assessment", "HYPERTENSION Stable on meds.")]),
    ("ASSESSMENT\n\nDepression\nDoing better.", [("assessment", "Depression Doing better.")]),
    (
        "ASSESSMENT AND PLAN\n1. Gout\n- Medications: allopurinol",
        [("assessment_plan", "1. Gout - Medications: allopurinol")],
    ),
    ("PAST HISTORY\n\nMedical\nGout.\n\nSurgical\nAppy.", [("pmh", ""), ("pmh", "Gout."), ("psh", "Appy.")]),
    ("VITALS\nBP 120/80\nGeneral: NAD", [("vitals", "BP 120/80"), ("exam", "NAD")]),
    # a peer in capitals leaves even where a subheading would not
    ("IMPRESSION:\n1. CHF\nLABS: K 4", [("impression", "1. CHF"), ("labs", "K 4")]),
    ("Plan:\nLabs: CBC\nrest", [("plan", "Labs: CBC rest")]),
    (
        "Discharge Medications:\n1. Lasix\nDisposition: home\nFollow-up: PCP",
        [("discharge_medications", "1. Lasix"), ("disposition", "home"), ("instructions", "PCP")],
    ),
    # unknown headings
    ("HPI\nFell.\n\nWORK STATUS\n\nOff for 2 weeks.", [("hpi", "Fell."), (None, "Off for 2 weeks.")]),
    ("ALLERGIES\n\nNKDA\n\nPLAN\n\nRest.", [("allergies", "NKDA"), ("plan", "Rest.")]),
    # things that are no headings
    ("Denies chest pain: none today", [(None, "Denies chest pain: none today")]),
    ("P: 80\nT: 98.6", [(None, "P: 80 T: 98.6")]),
    (
        "S: cough\nO: lungs clear\nA: URI\nP: fluids",
        [("hpi", "cough"), ("exam", "lungs clear"), ("assessment", "URI"), ("plan", "fluids")],
    ),
    ("PLAN\n1. Surgery\n2. Labs", [("plan", "1. Surgery 2. Labs")]),
    (
        "PATIENT IS A 60 YEAR OLD MAN\nWITH CHEST PAIN. NO FEVER.\nPMH: HTN.",
        [(None, "PATIENT IS A 60 YEAR OLD MAN WITH CHEST PAIN. NO FEVER."), ("pmh", "HTN.")],
    ),
    (
        "The patient was admitted for two days and was sent home with no new\nmedications\nand a sling.",
        [(None, "The patient was admitted for two days and was sent home with no new medications and a sling.")],
    ),
    ("", []),
    ("just text", [(None, "just text")]),
    # line ends of every kind
    ("CC\r\ncough\r\nPLAN\r\nrest\r\n", [("chief_complaint", "cough"), ("plan", "rest")]),
    ("CC\u2028cough\fPLAN\u2029rest", [("chief_complaint", "cough"), ("plan", "rest")]),
    ("\u00a0PMH:\u00a0HTN", [("pmh", "HTN")]),
    ("\ufeffPLAN\nrest", [("plan", "rest")]),
    ("LABS (3/2/26): K 4.0", [("labs", "K 4.0")]),
    (
        "Discharge Diagnoses:\n1. CHF\nDischarge Medications:\nLasix",
        [("discharge_diagnosis", "1. CHF"), ("discharge_medications", "Lasix")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), SECTIONS, ids=[t[:40] for t, _ in SECTIONS])
def test_sections(text: str, expected: list[tuple[str | None, str]]) -> None:
    assert sections_of(text) == expected


# Text -> its sentences.
SENTENCES: list[tuple[str, list[str]]] = [
    ("Seen by Dr. Low. No fever.", ["Seen by Dr. Low.", "No fever."]),
    ("ASA 81 mg q.d. and Lasix p.o. daily. Stable.", ["ASA 81 mg q.d. and Lasix p.o. daily.", "Stable."]),
    ("Takes 5 mg p.o. b.i.d. Denies bleeding.", ["Takes 5 mg p.o. b.i.d.", "Denies bleeding."]),
    ("CHF vs. pneumonia.", ["CHF vs. pneumonia."]),
    ("Drain No. 5 removed. No. 6 left.", ["Drain No. 5 removed.", "No. 6 left."]),
    ("Any fever? No. Any cough? Yes.", ["Any fever?", "No.", "Any cough?", "Yes."]),
    ("Creatinine 3.5 today. K 4.0.", ["Creatinine 3.5 today.", "K 4.0."]),
    ("Transferred from St. Anne with sepsis.", ["Transferred from St. Anne with sepsis."]),
    ("no fever. denies cough.", ["no fever.", "denies cough."]),
    ("no fever.Denies cough", ["no fever.", "Denies cough"]),
    ("Hepatitis C. Denies jaundice.", ["Hepatitis C.", "Denies jaundice."]),
    ("Seen with John F. Smith today.", ["Seen with John F. Smith today."]),
    ("Imp: ? CVA", ["Imp:", "? CVA"]),
    ("Pain is mild; no fever; eats well. Home.", ["Pain is mild; no fever; eats well.", "Home."]),
    ("1. Gout.\n2. HTN.", ["Gout.", "HTN."]),
    ("- knee pain\n- back pain", ["knee pain", "back pain"]),
    ("PLAN: 1. Rest. 2. Ice 3. Return", ["PLAN:", "Rest.", "Ice", "Return"]),
    ("1. CHF 2. AFib 3. Gout", ["CHF", "AFib", "Gout"]),
    ("PLAN\nrest\nice", ["PLAN", "rest", "ice"]),
    ("hypertension\ndiabetes\nasthma", ["hypertension", "diabetes", "asthma"]),
    ("Pain:\nnone", ["Pain:", "none"]),
    (
        "She reports that the pain in her right shoulder began after she had\n"
        "fallen from a ladder last week. It is worse than before and keeps\nher awake.",
        [
            "She reports that the pain in her right shoulder began after she had\nfallen from a ladder last week.",
            "It is worse than before and keeps\nher awake.",
        ],
    ),
    ("Admitted with\nCOPD exacerbation.", ["Admitted with\nCOPD exacerbation."]),
    ("- Lisinopril, metoprolol,\n  and aspirin daily", ["Lisinopril, metoprolol,\n  and aspirin daily"]),
    ("Referred to Dr.\nLow for follow-up.", ["Referred to Dr.\nLow for follow-up."]),
    ("K   4.0   3.5-5.1\nNa  140   135-145", ["K   4.0   3.5-5.1", "Na  140   135-145"]),
    ('He said "I fell." He was alone.', ['He said "I fell."', "He was alone."]),
    ("Wait... no fever. Ok!", ["Wait... no fever.", "Ok!"]),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[t[:40] for t, _ in SENTENCES])
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences_of(text) == expected


LINES: list[tuple[str, list[tuple[str, str]]]] = [
    ("PLAN\n1. Rest\n\n\t- ice", [("heading", "PLAN"), ("item", "Rest"), ("blank", ""), ("item", "ice")]),
    ("PMH: HTN", [("heading", "PMH:"), ("text", "HTN")]),
    ("(2) gout", [("item", "gout")]),
    ("a) gout", [("item", "gout")]),
    ("\u2022gout", [("item", "gout")]),
    ("#CHF", [("item", "CHF")]),
    ("[ ] call family", [("item", "call family")]),
    ("-5 degrees", [("text", "-5 degrees")]),
    ("3.5 mg given", [("text", "3.5 mg given")]),
    ("EXAM\nNeck:\nsupple", [("heading", "EXAM"), ("heading", "Neck:"), ("text", "supple")]),
]


@pytest.mark.parametrize(("text", "expected"), LINES, ids=[t for t, _ in LINES])
def test_lines(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(line.kind, text[line.body : line.end].strip()) for line in READER.read(text).lines] == expected


def test_a_label_is_marked_and_its_line_stays_whole() -> None:
    text = "ROS\nNeck: stiff"
    line = READER.read(text).lines[1]
    assert (text[line.body : line.label_end], text[line.start : line.end]) == ("Neck:", "Neck: stiff")


TYPES: list[tuple[str, str | None]] = [
    ("CC: cough\nHPI: 3 days\nROS: neg\nA/P: URI", "visit_note"),
    ("Pt brought in by EMS.\nED COURSE\nGiven fluids.\nMDM: sepsis\nDISPOSITION: admitted", "ed_note"),
    (
        "DISCHARGE SUMMARY\nDATE OF ADMISSION: 1/2\nHOSPITAL COURSE\nDiuresed.\nDISCHARGE MEDICATIONS\nLasix",
        "discharge_summary",
    ),
    ("PREOPERATIVE DIAGNOSIS: Hernia. PROCEDURE: Repair. ANESTHESIA: General. Prepped and draped.", "operative_report"),
    (
        "CT OF THE CHEST\nINDICATION: cough\nTECHNIQUE: axial\nCOMPARISON: none\nFINDINGS: clear\nIMPRESSION: normal",
        "radiology_report",
    ),
    ("LABORATORY REPORT\nTest name  Result  Reference range\nK  4.0  3.5-5.1", "lab_report"),
    ("", None),
    ("the cat sat on the mat", None),
]


@pytest.mark.parametrize(("text", "expected"), TYPES, ids=[str(e) for _, e in TYPES])
def test_document_type(text: str, expected: str | None) -> None:
    found = READER.read(text)
    assert found.document_type == expected
    assert (found.document_type_margin > 0) == (expected is not None)
    assert expected is None or expected in DOCUMENT_TYPES


def check_invariants(text: str, found: Structure) -> None:
    sections, lines = found.sections, found.lines
    assert sections[0].head_start == 0 and sections[-1].end == len(text)
    for section, after in itertools.pairwise(sections):
        assert section.end == after.head_start
    for section in sections:
        assert section.head_start <= section.head_end <= section.start <= section.end
    at = 0
    for line in lines:
        assert at <= line.start <= line.body <= line.label_end <= line.end
        assert not text[at : line.start].strip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
        assert len(text[line.start : line.end].splitlines()) <= 1
        assert sections[line.section].head_start <= line.body <= sections[line.section].end
        at = line.end
    assert not text[at:].strip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
    assert [line.section for line in lines] == sorted(line.section for line in lines)
    at = 0
    for sentence in found.sentences:
        assert at <= sentence.start < sentence.end <= len(text)
        assert text[sentence.start : sentence.end] == text[sentence.start : sentence.end].strip()
        at = sentence.end


PIECES = st.sampled_from(
    [
        "PLAN",
        "Plan:",
        "HPI: ",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "\u00a0",
        "\u2028",
        "\f",
        "\x00",
        "\u200f",
        "\ud800",
        "1. ",
        "- ",
        "## ",
        "**",
        "Dr. ",
        "q.d. ",
        "K 6.1 H",
        "ROS",
        "Neck: ",
        "CHF",
        ". ",
        ":",
        "? ",
        "A/P",
        "(",
        ")",
        "pain",
        "e\u0301",
        "ASSESSMENT AND PLAN",
        "with",
        ",",
        "...",
        "\U0001f9b4",
        "[ ]",
        "PREOPERATIVE DIAGNOSIS: ",
        " PROCEDURE: ",
        "#",
        "S:",
        "12",
    ]
)
NOTES = st.one_of(st.text(st.characters()), st.lists(PIECES, max_size=60).map("".join))


class _Every(frozenset[str]):
    def __contains__(self, word: object) -> bool:
        return True


EAGER = StructureReader()
EAGER.first_words = _Every()  # looks for a heading before every dash


@given(
    st.lists(
        st.sampled_from(
            [
                "Assessment",
                "A/P",
                "Follow-up",
                "Plan",
                "the",
                "Lungs",
                "**Plan",
                "Labs",
                " - ",
                "  ",
                "\t",
                ". ",
                "...",
                "Clear",
                "\n",
                "1. ",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_no_heading_before_a_dash_is_passed_over(text: str) -> None:
    assert READER.read(text) == EAGER.read(text)


@settings(max_examples=400, deadline=None)
@given(NOTES)
def test_invariants_hold_for_any_string(text: str) -> None:
    found = READER.read(text)
    check_invariants(text, found)
    assert READER.read(text) == found


@settings(max_examples=300, deadline=None)
@given(NOTES)
def test_every_word_of_a_line_is_in_one_sentence(text: str) -> None:
    """Nothing vanishes: letters outside sentences belong to a list marker."""
    found = READER.read(text)
    covered = sum(c.isalpha() for s in found.sentences for c in text[s.start : s.end])
    bodies = sum(c.isalpha() for line in found.lines for c in text[line.body : line.end])
    markers = sum(c.isalpha() for line in found.lines for c in text[line.start : line.body])
    assert bodies <= covered + markers and covered <= bodies + markers


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "A: " * 60_000,
        " " * 200_000,
        ". " * 100_000,
        "1. " * 60_000,
        "PLAN: " * 30_000,
        "(" * 200_000,
        "x\n" * 100_000,
        "PROCEDURE " * 20_000,
        "\t|" * 100_000,
        "- " * 100_000,
        "A.b." * 50_000,
        "..." * 60_000,
        "PMH: x. " * 100_000,
    ],
    ids=lambda t: f"{t[:8]!r}x{len(t)}",
)
def test_long_texts(text: str) -> None:
    """Quadratic steps would make these take minutes."""
    check_invariants(text, READER.read(text))


def test_counts_grow_in_proportion() -> None:
    note = "CC: cough\nHPI: Dr. Low saw him. No fever.\n\nPLAN\n1. Rest\n2. Ice\n"
    one, many = READER.read(note), READER.read(note * 1000)
    for field in ("sections", "lines", "sentences"):
        assert len(getattr(many, field)) == 1000 * len(getattr(one, field))


def test_lookups() -> None:
    text = "CC: cough. No fever.\nPLAN\n\nrest"
    found = READER.read(text)
    assert found.section_at(text.index("rest")).name == "plan"
    assert found.section_at(0).name == "chief_complaint"
    sentence = found.sentence_at(text.index("fever"))
    assert sentence is not None and text[slice(*sentence)] == "No fever."
    line = found.line_at(text.index("rest"))
    assert line is not None and line.kind == "text"
    assert found.line_at(len(text)) is None and found.sentence_at(text.index("\n")) is None
    with pytest.raises(IndexError):
        found.section_at(-1)


def test_same_in_another_process() -> None:
    code = (
        "from codesuggest.pipes.structure import StructureReader;"
        "print(hash(repr(StructureReader().read('CC: cough. PLAN: rest.\\n\\nWork Status\\nok'))) and"
        " repr(StructureReader().read('CC: cough. PLAN: rest.\\n\\nWork Status\\nok')))"
    )
    root = str(Path(__file__).parent.parent)
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert runs[0] == runs[1]


# -- spaCy -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nlp() -> spacy.language.Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("codesuggest_structure")
    return nlp


def test_pipe_sets_sentences_and_extensions(nlp: spacy.language.Language) -> None:
    doc = nlp("PMH: HTN\nPLAN\n1. Seen by Dr. Low. Rest.\n2. Ice")
    assert [s.text.strip() for s in doc.sents] == ["PMH:", "HTN", "PLAN", "1. Seen by Dr. Low.", "Rest.", "2. Ice"]
    assert [s.name for s in doc._.sections] == ["pmh", "plan"]
    assert doc._.document_type == "visit_note"
    assert structure_of(doc) is doc.user_data["codesuggest.structure"]


def test_pipe_survives_bytes(nlp: spacy.language.Language) -> None:
    doc = nlp("CC: cough\nPLAN: rest")
    back = spacy.tokens.Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert structure_of(back) == structure_of(doc)
    assert back._.sections == doc._.sections


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES.filter(lambda p: p != "\ud800"), max_size=30).map("".join))
def test_pipe_takes_any_text(nlp: spacy.language.Language, text: str) -> None:
    doc = nlp(text)
    assert doc.text == text
    assert sum(len(s) for s in doc.sents) == len(doc)


# -- word lists ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\n", "line 1: header"),
        ("name\tsource\nx\n", "line 2: 1 cells"),
        ("name\tsource\nx\town\textra\n", "line 2: 3 cells"),
        ("name\tsource\n x\town\n", "line 2: column 'name': space"),
        ("name\tsource\nx\t\n", "line 2: column 'source' is empty"),
        ("# c\nname\tsource\nx\town\nx\town\n", "line 4: x stands already on line 3"),
        ("", "no header"),
    ],
)
def test_a_malformed_list_names_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "list.tsv"
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(LexiconError, match=r"list\.tsv") as caught:
        read_lexicon(path, ("name", "source"), unique=("name",))
    assert message in str(caught.value)


def test_rows_check_their_cells(tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    path.write_bytes(b"name\tn\tsource\r\na|b\t1.5\town\r\na|a\tx\town\r\n")
    good, bad = read_lexicon(path, ("name", "n", "source"))
    assert (good.items("name"), good.number("n"), good["source"]) == (("a", "b"), 1.5, "own")
    for call in (lambda: bad.items("name"), lambda: bad.number("n"), lambda: bad.choice("n", ("y",))):
        with pytest.raises(LexiconError, match="line 3"):
            call()
    path.write_bytes(b"\xff")
    with pytest.raises(LexiconError, match="UTF-8"):
        read_lexicon(path, ("name",))
    with pytest.raises(LexiconError, match="no such word list"):
        read_lexicon(tmp_path / "none.tsv", ("name",))


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("Indication ......... Complete heart block, syncope\n", "indication", "Complete heart block"),
        ("Diagnosis .... Severe aortic stenosis\n", "diagnosis", "Severe aortic stenosis"),
        ("Exam normal.\n\nAssessment. Graves disease with goiter.\n", "assessment", "Graves disease"),
        ("Pre/post: R foot wet gangrene\n", "postop_diagnosis", "R foot"),
        ("Dx pre/post: cholecystitis\n", "postop_diagnosis", "cholecystitis"),
        ("PRE & POST PROCEDURE DX: SVT\n", "postop_diagnosis", "SVT"),
        ("Pre-op diagnoses: ectropion\n", "preop_diagnosis", "ectropion"),
        ("Operative diagnosis: torsion\n", "postop_diagnosis", "torsion"),
        ("Why: stone\n", "indication", "stone"),
        ("Referred for .... melena\n", "indication", "melena"),
        ("Final pathology: melanoma in situ\n", "pathology", "melanoma"),
        ("Reason: routine STI screening\n", "indication", "routine STI"),
        ("dx on req: anemia; heavy periods\n", "diagnosis", "anemia"),
        ("HPI: eye pain. No ulcer. Imp: corneal abrasion\n", "impression", "corneal abrasion"),
        ("Problems addressed this admission:\n1. Neutropenic fever\n", "discharge_diagnosis", "Neutropenic"),
    ],
)
def test_headings_with_leaders_stops_and_in_shorthand(text: str, name: str, words: str) -> None:
    assert StructureReader().read(text).section_at(text.index(words)).name == name


def test_a_sentence_that_names_a_heading_opens_none() -> None:
    text = "HPI: He is well. The plan. Of note, no fever.\n"
    assert StructureReader().read(text).section_at(text.index("Of note")).name == "hpi"
