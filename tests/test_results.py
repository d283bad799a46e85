"""Laboratory results of invented notes and tables, and what must not become one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.pipes.lexicon import ENGLISH, LexiconError, read_lexicon
from codesuggest.pipes.results import Result, ResultReader
from codesuggest.pipes.structure import StructureReader

STRUCTURE, RESULTS = StructureReader(), ResultReader()


def results_of(text: str) -> tuple[Result, ...]:
    return RESULTS.read(text, STRUCTURE.read(text))


# Text, the words of the result, analyte, value, flag, phrase, basis.
ONE: list[tuple[str, str, str, float | None, str | None, str | None, str]] = [
    # the shapes of a line
    ("K 6.1 mmol/L (3.5-5.1) H", "K 6.1 mmol/L (3.5-5.1) H", "potassium", 6.1, "H", "hyperkalemia", "printed range"),
    ("Hgb 7.9 L", "Hgb 7.9 L", "hemoglobin", 7.9, "L", "anemia", "flag"),
    ("Potassium: 6.1 (H)", "Potassium: 6.1 (H)", "potassium", 6.1, "H", "hyperkalemia", "flag"),
    (
        "POTASSIUM  6.1  H  3.5-5.1 mmol/L",
        "POTASSIUM  6.1  H  3.5-5.1 mmol/L",
        "potassium",
        6.1,
        "H",
        "hyperkalemia",
        "printed range",
    ),
    (
        "SODIUM\t128\tL\t135-145\tmmol/L",
        "SODIUM\t128\tL\t135-145\tmmol/L",
        "sodium",
        128,
        "L",
        "hyponatremia",
        "printed range",
    ),
    (
        "| Calcium | 11.9 | mg/dL | 8.5-10.5 | H |",
        "Calcium | 11.9 | mg/dL | 8.5-10.5 | H",
        "calcium",
        11.9,
        "H",
        "hypercalcemia",
        "printed range",
    ),
    # the newest result stands first, earlier ones between it and the range
    ("K | 6.1 | 4.2 | 3.5-5.0 | mmol/L", "K | 6.1", "potassium", 6.1, "H", "hyperkalemia", "printed range"),
    ("WBC  14.2  9.1  (4.0-11.0)", "WBC  14.2", "wbc", 14.2, "H", "leukocytosis", "printed range"),
    ("Sodium\t128 L\t131 L\t136\t135-145", "Sodium\t128 L", "sodium", 128, "L", "hyponatremia", "printed range"),
    ("Hgb  7.9  8.4  9.1", "Hgb  7.9", "hemoglobin", 7.9, "L", "anemia", "listed range"),
    ("Potassium, serum | 6.1", "Potassium, serum | 6.1", "potassium", 6.1, "H", "hyperkalemia", "listed range"),
    ("WBC 15.2", "WBC 15.2", "wbc", 15.2, "H", "leukocytosis", "listed range"),
    ("HbA1c 9.1%", "HbA1c 9.1%", "hba1c", 9.1, "H", "elevated hemoglobin a1c", "listed range"),
    (
        "TSH 12.4 uIU/mL [0.4-4.0]",
        "TSH 12.4 uIU/mL [0.4-4.0]",
        "tsh",
        12.4,
        "H",
        "abnormal thyroid function study",
        "printed range",
    ),
    (
        "Platelets: 88 K/uL (ref 150-400)",
        "Platelets: 88 K/uL (ref 150-400)",
        "platelets",
        88,
        "L",
        "thrombocytopenia",
        "printed range",
    ),
    (
        "Ferritin 6, ref range 15-150",
        "Ferritin 6, ref range 15-150",
        "ferritin",
        6,
        "L",
        "iron deficiency",
        "printed range",
    ),
    ("LDL 171 mg/dL (<100)", "LDL 171 mg/dL (<100)", "ldl", 171, "H", "elevated ldl cholesterol", "printed range"),
    ("eGFR 38 (>60)", "eGFR 38 (>60)", "egfr", 38, "L", "abnormal kidney function study", "printed range"),
    ("Hgb L 7.9", "Hgb L 7.9", "hemoglobin", 7.9, "L", "anemia", "flag"),
    ("Mg 1.2\u2193", "Mg 1.2\u2193", "magnesium", 1.2, "L", "hypomagnesemia", "flag"),
    ("ALT 212 \u2191", "ALT 212 \u2191", "alt", 212, "H", "elevation of transaminase level", "flag"),
    ("WBC 18.5*", "WBC 18.5*", "wbc", 18.5, "H", "leukocytosis", "flag"),
    ("Lipase 900 HH", "Lipase 900 HH", "lipase", 900, "H", "elevated lipase", "flag"),
    ("Phos 1.1 LL", "Phos 1.1 LL", "phosphate", 1.1, "L", "hypophosphatemia", "flag"),
    # in a sentence
    ("His last A1c was 8.4 in May.", "A1c was 8.4", "hba1c", 8.4, "H", "elevated hemoglobin a1c", "listed range"),
    ("Hemoglobin is low at 8.2.", "Hemoglobin is low at 8.2", "hemoglobin", 8.2, "L", "anemia", "flag"),
    ("Found to have elevated potassium of 6.4.", "potassium of 6.4", "potassium", 6.4, "H", "hyperkalemia", "flag"),
    ("Her sodium came back at 121.", "sodium came back at 121", "sodium", 121, "L", "hyponatremia", "listed range"),
    (
        "creatinine 1.1 -> 2.4",
        "creatinine 1.1 -> 2.4",
        "creatinine",
        2.4,
        "H",
        "abnormal kidney function study",
        "listed range",
    ),
    ("Hgb was 7.4, which is low", "Hgb was 7.4, which is low", "hemoglobin", 7.4, "L", "anemia", "flag"),
    ("Platelet count 95,000", "Platelet count 95,000", "platelets", 95000, "L", "thrombocytopenia", "listed range"),
    ("hemoglobin was\n7.4", "hemoglobin was\n7.4", "hemoglobin", 7.4, "L", "anemia", "listed range"),
    ("K+ 2.9", "K+ 2.9", "potassium", 2.9, "L", "hypokalemia", "listed range"),
    ("Hgb (3/2) 7.9", "Hgb (3/2) 7.9", "hemoglobin", 7.9, "L", "anemia", "listed range"),
    ("25-OH vitamin D 14", "25-OH vitamin D 14", "vitamin_d", 14, "L", "vitamin d deficiency", "listed range"),
    ("CA 19-9: 410", "CA 19-9: 410", "ca199", 410, "H", "elevated tumor marker", "listed range"),
    # comparators
    ("BNP >5000 pg/mL", "BNP >5000 pg/mL", "bnp", 5000, "H", "elevated brain natriuretic peptide", "listed range"),
    ("Troponin <0.01", "Troponin <0.01", "troponin", 0.01, "N", None, "listed range"),
    ("A1c greater than 14", "A1c greater than 14", "hba1c", 14, "H", "elevated hemoglobin a1c", "listed range"),
    ("eGFR >60", "eGFR >60", "egfr", 60, "N", None, "listed range"),
    # other units
    ("Hgb 79 g/L", "Hgb 79 g/L", "hemoglobin", 79, "L", "anemia", "listed range"),
    ("Hb 79", "Hb 79", "hemoglobin", 79, "L", "anemia", "listed range"),
    (
        "Creatinine 212 \u00b5mol/L",
        "Creatinine 212 \u00b5mol/L",
        "creatinine",
        212,
        "H",
        "abnormal kidney function study",
        "listed range",
    ),
    ("Glucose 14.2 mmol/L", "Glucose 14.2 mmol/L", "glucose", 14.2, "H", "hyperglycemia", "listed range"),
    ("WBC 15.2 x10^9/L", "WBC 15.2 x10^9/L", "wbc", 15.2, "H", "leukocytosis", "listed range"),
    ("WBC 2.1 10*3/uL", "WBC 2.1 10*3/uL", "wbc", 2.1, "L", "leukopenia", "listed range"),
    ("HbA1c 75 mmol/mol", "HbA1c 75 mmol/mol", "hba1c", 75, "H", "elevated hemoglobin a1c", "listed range"),
    ("Potassium 6.0 mEq/L", "Potassium 6.0 mEq/L", "potassium", 6.0, "H", "hyperkalemia", "listed range"),
    # normal; a printed range beats the flag, the flag the listed range
    ("K 4.2", "K 4.2", "potassium", 4.2, "N", None, "listed range"),
    ("TSH was normal at 2.7", "TSH was normal at 2.7", "tsh", 2.7, "N", None, "flag"),
    ("Hgb 11.8 g/dL (11.5-15.5)", "Hgb 11.8 g/dL (11.5-15.5)", "hemoglobin", 11.8, "N", None, "printed range"),
    ("AST elevated at 39 U/L", "AST elevated at 39 U/L", "ast", 39, "H", "elevation of transaminase level", "flag"),
    # judged in words
    ("Blood culture: positive", "Blood culture: positive", "blood_culture", None, "H", "bacteremia", "flag"),
    ("SARS-CoV-2 PCR: not detected", "SARS-CoV-2 PCR: not detected", "covid_test", None, "N", None, "flag"),
    (
        "Rapid strep was positive.",
        "Rapid strep was positive",
        "strep_test",
        None,
        "H",
        "streptococcal pharyngitis",
        "flag",
    ),
    (
        "HCV antibody: Reactive",
        "HCV antibody: Reactive",
        "hcv_antibody",
        None,
        "H",
        "hepatitis c antibody positive",
        "flag",
    ),
    ("Urine protein 3+", "Urine protein 3+", "urine_protein", None, "H", "proteinuria", "flag"),
    ("UA: blood large", "blood large", "urine_blood", None, "H", "hematuria", "flag"),
    ("UA: WBC 40/hpf", "WBC 40/hpf", "urine_wbc", 40, "H", "pyuria", "listed range"),
]


@pytest.mark.parametrize(("text", "words", "analyte", "value", "flag", "phrase", "basis"), ONE, ids=[o[0] for o in ONE])
def test_one_result(
    text: str, words: str, analyte: str, value: float | None, flag: str | None, phrase: str | None, basis: str
) -> None:
    found = results_of(text)
    assert len(found) == 1, found
    result = found[0]
    assert text[result.start : result.end] == words
    assert (result.analyte, result.value, result.flag) == (analyte, value, flag)
    assert (result.phrase, result.basis) == (phrase, basis)


SEVERAL: list[tuple[str, list[str]]] = [
    ("Na 128, K 5.9, Cr 2.1", ["sodium L", "potassium H", "creatinine H"]),
    (
        "Labs: Na 140 K 4.1 Cl 101 CO2 18 BUN 44 Cr 2.3 Glu 310",
        ["sodium N", "potassium N", "chloride N", "bicarbonate L", "bun H", "creatinine H", "glucose H"],
    ),
    ("LDL 166, HDL 31, triglycerides 410", ["ldl H", "hdl L", "triglycerides H"]),
    ("WBC 15.2 H\nHGB 9.1 L\nPLT 210", ["wbc H", "hemoglobin L", "platelets N"]),
    ("H/H 7.9/24.1", ["hemoglobin L", "hematocrit L"]),
    ("BUN/Cr 45/2.1", ["bun H", "creatinine H"]),
    ("AST 210, ALT 180 and alk phos 90.", ["ast H", "alt H", "alp N"]),
    (
        "UA: protein 2+, nitrite positive, leukocyte esterase negative",
        ["urine_protein H", "urine_nitrite H", "leukocyte_esterase N"],
    ),
    ("ABG: pH 7.21, pCO2 62, HCO3 24", ["blood_ph L", "pco2 H", "bicarbonate N"]),
    ("Flu A positive, flu B negative", ["influenza_a H", "influenza_b N"]),
    (
        "TEST      RESULT   FLAG   RANGE\n"
        "GLUCOSE   212      H      70-99 mg/dL\n"
        "CALCIUM   9.1             8.5-10.5 mg/dL",
        ["glucose H", "calcium N"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), SEVERAL, ids=[s[0][:30] for s in SEVERAL])
def test_several_results(text: str, expected: list[str]) -> None:
    assert [f"{r.analyte} {r.flag}" for r in results_of(text)] == expected


NONE = [
    "Lasix 40 mg",
    "K-Dur 20 mEq",
    "potassium 20 mEq daily",
    "K 9 unit",
    "K-9 unit",
    "T 98.6",
    "HR 72, BP 130/80, RR 18",
    "Iron 325 mg daily",
    "iron 325 mg",
    "vitamin K 10 mg",
    "vit K 5",
    "vitamin D 2000 units",
    "Vitamin D 50,000 IU weekly",
    "calcium 600 mg bid",
    "magnesium 400 mg",
    "lithium 300 mg",
    "digoxin 0.125 mg daily",
    "digoxin 0.25 daily",
    "L5-S1",
    "T4-T5 fracture",
    "C5",
    "a 64-year-old man",
    "goal A1c < 7",
    "A1c goal 7",
    "hold if K > 5.5",
    "keep Mg > 2",
    "transfuse for Hgb < 7",
    "call if glucose > 300",
    "target INR 2.5",
    "INR 2-3",
    "K 3/2/2026",
    "CRP 555-0100",
    "glucose in the 200s",
    "checks blood glucose 4 to 5 times a day",
    "PT 3 times a week",
    "PT 12 sessions",
    "potassium chloride 20",
    "normal saline 0.9%",
    "albumin 25%",
    "sodium bicarbonate 650",
    "Hgb pending",
    "K",
    "check K, Mg and Phos",
    "order hemoglobin A1c",
    "covid positive contact",
    "Medications:\nzinc\niron 65\nB12 1000",
    "FH: father with glucose 300",
    "LDL",
    "WBC, 2 more draws",
    "troponin x3",
    "Na+K+ pump",
    "CK7 positive",
    "oxygen saturation 91%",
    "weight 81 kg",
    "BMI 34.2",
    "CSF: glucose 31, protein 95",
    "WBC 14.610/mm3",
]


@pytest.mark.parametrize("text", NONE)
def test_no_result(text: str) -> None:
    assert results_of(text) == ()


def test_laterality_is_no_flag() -> None:
    (result,) = results_of("WBC 9.2 L knee pain")
    assert (result.flag, result.basis) == ("N", "listed range")


def test_unit_and_limits_are_those_applied() -> None:
    (assumed,) = results_of("Glucose 14.2")
    assert (assumed.unit, assumed.low, assumed.high) == ("mmol/L", 3.9, 7.8)
    (printed,) = results_of("Glucose 102 mg/dL (70-99)")
    assert (printed.unit, printed.low, printed.high, printed.phrase) == ("mg/dL", 70, 99, "hyperglycemia")
    (none,) = results_of("INR 4.8")
    assert none.unit is None


PIECES = st.sampled_from(
    [
        "K ",
        "Na ",
        "Hgb",
        "6.1",
        "7",
        " ",
        "\n",
        "\t",
        "|",
        "H",
        "L",
        "(3.5-5.1)",
        "mmol/L",
        "%",
        ":",
        "<",
        ">",
        "UA",
        "protein ",
        "2+",
        "positive",
        "\x00",
        "\u2028",
        "\ud800",
        "\u200f",
        "/",
        "-",
        "->",
        "mg",
        "daily",
        "(",
        ")",
        "*",
        "\u2191",
        "was ",
        "H/H ",
        "7.9/24",
        "goal ",
        "Medications:\n",
        ",",
        ".",
        "vitamin ",
        "1,200",
        "10^9/L",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(st.characters()), st.lists(PIECES, max_size=40).map("".join)))
def test_any_string(text: str) -> None:
    structure = STRUCTURE.read(text)
    found = RESULTS.read(text, structure)
    assert found == RESULTS.read(text, structure)
    assert [r.start for r in found] == sorted(r.start for r in found)
    for result in found:
        assert 0 <= result.start < result.end <= len(text)
        assert text[result.start].isalnum()
        assert result.phrase is None or result.flag in ("H", "L")
        assert result.basis in ("printed range", "flag", "listed range")


@pytest.mark.parametrize(
    "piece",
    [
        "K ",
        "K 6.1 ",
        "K: ",
        "K 6.1 | ",
        "6.1 ",
        "K was was ",
        "blood culture ",
        "vitamin K ",
        "K <",
        "1/2 ",
        "K (",
        "H/H ",
    ],
)
def test_long_lines(piece: str) -> None:
    """Quadratic steps would make these take minutes. A name counts once; a value belongs to one name."""
    text = piece * (200_000 // len(piece))
    assert len(results_of(text)) <= text.count("K")


def test_long_gaps() -> None:
    gap = " " * 20_000
    assert results_of(f"K{gap}6.1{gap}H{gap}(3.5{gap}-{gap}5.1)") == ()


# -- the table -------------------------------------------------------------------------------------------------------


def test_the_table_is_sound() -> None:
    """Every phrase and every name on its own gives the finding the table promises."""
    rows = read_lexicon(
        ENGLISH / "results.tsv",
        (
            "analyte",
            "names",
            "unit",
            "least",
            "most",
            "low",
            "high",
            "when_high",
            "when_low",
            "when_positive",
            "source",
        ),
        optional=("names", "least", "most", "low", "high", "when_high", "when_low", "when_positive"),
    )
    assert len({row["analyte"] for row in rows}) >= 60
    for row in rows:
        high, most = row.number("high"), row.number("most")
        low, least = row.number("low"), row.number("least")
        assert high is None or most is None or high < most, row
        assert low is None or least is None or least <= low, row
        if not row["names"] or "/" in row["analyte"]:
            continue
        name = row.items("names")[0]
        if row["when_positive"] and least is None:
            (found,) = results_of(f"{name}: positive")
            assert (found.analyte, found.phrase) == (row["analyte"], row["when_positive"])
        elif high is not None and most is not None:
            value = high + (most - high) / 100
            (found,) = results_of(f"{name}: {value:.4f}")
            assert found.analyte == row["analyte"] and found.phrase == (row["when_high"] or None), row


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x\tX\tmg/dL\t1\t9\t5\t4\t\t\t\town", "low 5.0 is not below high 4.0"),
        ("x\tX\tmg/dL\t1\t\t\t4\t\t\t\town", "least and most go together"),
        ("x\t\tmg/dL\t1\t9\t2\t4\t\t\t\town", "must give its names"),
        ("x\tX\tmg/dL\t1\t9\ttwo\t4\t\t\t\town", "is not a number"),
    ],
)
def test_a_wrong_row_names_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    header = (ENGLISH / "results.tsv").read_text(encoding="utf-8").splitlines()
    names = next(line for line in header if line.startswith("analyte"))
    (tmp_path / "results.tsv").write_text(f"{names}\n{row}\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=r"results\.tsv, line 2") as caught:
        ResultReader(tmp_path)
    assert message in str(caught.value)
