"""Doses and billed units: what a coder would count."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.errors import OptionError
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.units import _DOSE, _PERCENT, _readings, billing_unit, doses, units_of

# (what the note says, unit of the code, billed units)
COUNTED = [
    ("Depo-Medrol 80 mg injected into the right knee", "1 mg", 80),
    ("ceftriaxone 1 g IM", "250 mg", 4),
    ("ceftriaxone 500 mg IM", "250 mg", 2),
    ("40 mg/mL x 2 mL", "1 mg", 80),
    ("2 mL of 40 mg/mL", "10 mg", 8),
    ("Kenalog 40 mg (1 mL of 40 mg/mL)", "10 mg", 4),
    ("1% lidocaine 5 mL", "1 mg", 50),
    ("5 mL of 1% lidocaine", "1 mg", 50),
    ("4 cc 2% lidocaine", "1 mg", 80),
    ("fentanyl 50 mcg IV", "0.1 mg", 1),
    ("cyanocobalamin 1,000 mcg IM", "1000 mcg", 1),
    ("1 L NS wide open", "1000 ml", 1),
    ("LR 2 liters", "1000 ml", 2),
    ("heparin 5,000 units SC", "1000 units", 5),
    ("Bicillin L-A 2.4 million units IM", "100000 units", 24),
    ("Bicillin 1.2 MU", "100000 units", 12),
    ("ketorolac 30 mg IM", "15 mg", 2),
    ("ketorolac 31 mg", "15 mg", 3),
    ("diphenhydramine 25 mg IV", "50 mg", 1),
    ("Zosyn 4.5 g IVPB", "1.125 g", 4),
    ("CEFTRIAXONE 1 G/10 ML VIAL", "250 mg", 4),
    ("triamcinolone 40 mg x 2, both knees", "10 mg", 8),
    ("0.1 mg", "0.1 mg", 1),
    ("KCl 20 mEq IV", "2 meq", 10),
    ("palonosetron .25 mg", "25 mcg", 10),
    ("onabotulinumtoxinA 155 units", "1 unit", 155),
]  # fmt: skip
#: No dose, or none that the code's unit can count.
SILENT = [
    ("norepinephrine 5 mg/hr", "1 mg"),
    ("gentamicin 5 mg/kg", "80 mg"),
    ("glucose 212 mg/dL", "1 mg"),
    ("kenalog 40 mg/mL vial", "10 mg"),
    ("ketorolac IM in office", "15 mg"),
    ("ceftriaxone given, patient is 71 kg", "250 mg"),
    ("insulin 6 units", "250 mg"),
    ("room 5, bed 2", "1 mg"),
]


@pytest.mark.parametrize(("text", "unit", "expected"), COUNTED)
def test_units_of_a_dose(text: str, unit: str, expected: int) -> None:
    found = units_of(text, unit)
    assert found is not None and found.value == expected
    assert any(c.isdigit() for c in text[found.start : found.end])


@pytest.mark.parametrize(("text", "unit"), SILENT)
def test_no_dose_no_units(text: str, unit: str) -> None:
    assert units_of(text, unit) is None


def test_the_span_and_the_amount_are_those_of_the_dose() -> None:
    text = "Rx amoxicillin 500 mg. Depo-Medrol 40 mg/mL x 2 mL injected."
    found = units_of(text, "1 mg", start=text.index("Depo"))
    assert found is not None and text[found.start : found.end] == "40 mg/mL x 2 mL"
    assert (found.value, found.amount, found.unit) == (80, 80.0, "mg")
    assert units_of(text, "1 mg", 0, text.index("Depo")).value == 500  # type: ignore[union-attr]


def test_x_of_days_is_no_second_dose() -> None:
    assert [d.amount for d in doses("prednisone 40 mg x 5 days")] == [40]
    assert [d.amount for d in doses("40 mg x 2")] == [80]


def test_a_unit_that_is_no_amount_is_refused() -> None:
    for unit in ("", "each", "per 250", "2 mg 3 mg"):
        with pytest.raises(OptionError, match="unit"):
            units_of("80 mg", unit)


@given(st.integers(1, 10**6), st.integers(1, 10**4))
def test_rounded_up_never_down(dose: int, unit: int) -> None:
    found = units_of(f"{dose} mg", f"{unit} mg")
    assert found is not None and (found.value - 1) * unit < dose <= found.value * unit


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    for dose in doses(text):
        assert 0 <= dose.start < dose.end <= len(text) and dose.amount >= 0


@given(st.integers(1, 999), st.sampled_from(["mg", "g", "mcg", "ml", "units", "meq"]))
def test_an_amount_is_one_unit_of_itself(number: int, unit: str) -> None:
    found = units_of(f"given {number} {unit} now", f"{number} {unit}")
    assert found is not None and found.value == 1 and found.amount == number


@pytest.mark.parametrize(
    ("title", "unit"),
    [
        ("Wobblemycin (injection, 250 mg)", "250 mg"),
        ("Injection, wobblemycin, up to 10 mg", "10 mg"),
        ("Injection, wobblemycin, per gm", "1 gm"),
        ("Wobblemycin 50 mg and tazogrin 25 mg", "75 mg"),
        ("Wobblemycin, 1 gram/0.125 grams (1.125 grams)", "1125 mg"),
        ("Wobble serum, 50 micrograms (250 i.u.)", "0.05 mg"),
        ("Factor wobble, per i.u.", "1 i.u."),
        ("Saline wobble (500 ml = 1 unit)", "500 ml"),
        ("Wobble wrap 5%, 50 ml", "50 ml"),
        ("Walking wobble, pneumatic", None),
        ("Wobble depot, less than or equal to 100 mg", None),
        ("Wobble depot, over 100 mg (injection, 1 dose)", "1 dose"),
        ("Wobble depot, 100 mg or less (injection, 1 dose)", "1 dose"),
    ],
)
def test_the_unit_of_a_code_is_read_from_its_title(title: str, unit: str | None) -> None:
    assert billing_unit(title) == unit


def test_the_starter_table_and_the_official_one_agree_on_every_unit(DATA: Path) -> None:
    with (DATA / "official/hcpcs/HCPC2025_OCT_hcpc_short_briggsprashar.csv").open(encoding="utf-8-sig") as handle:
        official = {row["Code"].strip(): row["Description"].strip() for row in csv.DictReader(handle)}
    columns = ("code", "title", "kind", "unit", "terms", "source")
    rows = read_lexicon(ROOT / "corpora/codes/hcpcs.tsv", columns, optional=("unit", "terms"))
    drugs = [row for row in rows if row["unit"]]
    wrong = []
    for row in drugs:
        own, theirs = doses(row["unit"]), billing_unit(official[row["code"]])
        of_theirs = doses(theirs) if theirs else []
        if not theirs and own[0].dimension in ("dose", "vial"):
            continue  # "per dose" and treatments counted whole
        if not of_theirs or (own[0].amount, own[0].dimension) != (of_theirs[0].amount, of_theirs[0].dimension):
            wrong.append((row["code"], row["unit"], theirs))
    assert wrong == [] and len(drugs) > 450


def test_fractions_are_exact() -> None:
    assert doses("0.3 mg")[0].amount == Fraction(3, 10)
    assert units_of("0.3 mg", "0.1 mg").value == 3  # type: ignore[union-attr]


@given(st.text("0159.,% mgLx/-\n٣é", max_size=30))
def test_readings_are_those_of_both_expressions(text: str) -> None:
    slowly = [(m.span(), False) for m in _DOSE.finditer(text)] + [(m.span(), True) for m in _PERCENT.finditer(text)]
    assert [(m.span(), percent) for m, percent in _readings(text)] == sorted(slowly, key=lambda pair: pair[0][0])
