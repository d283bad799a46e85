"""The rules over the gold of the invented notes: no error as it stands, and every mistake planted in it is found."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conftest import NOTES

from codesuggest.codes.system import CodeSystem
from codesuggest.facts import pairs, symptoms
from codesuggest.records import ClaimLine, Finding
from codesuggest.suggester import CodeSuggester

NAMES = sorted(p.stem for p in NOTES.glob("*.json"))
Claim = list[ClaimLine]


@functools.cache
def gold(name: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((NOTES / f"{name}.json").read_bytes())
    return row


def claim_of(name: str, *, required: bool = False) -> Claim:
    """The codes of a note, alternatives left out; only the required ones, whose order is a claim's, on request."""
    rows = [c for c in gold(name)["codes"] if not c["alt_for"] and (c["tier"] == "required" or not required)]
    return [ClaimLine(c["system"], c["code"]) for c in rows]


def check(starter: CodeSuggester, name: str, claim: Claim, **changed: Any) -> tuple[Finding, ...]:
    row = gold(name)
    options = {key: row[key] for key in ("setting", "service_date", "document_type", "age", "sex")}
    return starter.check_claim(claim, **{**options, **changed})


@pytest.mark.parametrize("name", NAMES)
def test_gold_has_no_error(starter: CodeSuggester, name: str) -> None:
    text = (NOTES / f"{name}.txt").read_bytes().decode("utf-8")
    found = [*check(starter, name, claim_of(name)), *check(starter, name, claim_of(name, required=True), note=text)]
    assert [f.message for f in found if f.severity == "error"] == []


# ---- mistakes: each takes a sound claim and its tables and gives the claim with the mistake, or None where it cannot stand

Plant = Callable[[Claim, CodeSystem, dict[str, Any]], Claim | None]
PLANTS: dict[str, tuple[str, Plant, dict[str, Any]]] = {}


def plant(rule: str, **changed: Any) -> Callable[[Plant], Plant]:
    def register(make: Plant) -> Plant:
        PLANTS[make.__name__] = (rule, make, changed)
        return make

    return register


def dx(*codes: str) -> Claim:
    return [ClaimLine("icd10cm", code) for code in codes]


def codes_in(claim: Claim, *prefixes: str) -> list[str]:
    return [line.code for line in claim if line.system == "icd10cm" and line.code.startswith(prefixes)]


def swapped(claim: Claim, old: str, *new: str) -> Claim:
    return [made for line in claim for made in (dx(*new) if line.code == old else [line])]


def obstetric(claim: Claim) -> bool:
    return bool(codes_in(claim, "O"))


@plant("not_billable")
def seventh_character_dropped(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    long = [code for code in codes_in(claim, "S", "T", "M80", "W", "E") if len(code) == 8]
    return swapped(claim, long[0], long[0][:-1].rstrip("X")) if long else None


@plant("not_billable")
def header_in_place_of_the_code(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    for code in codes_in(claim, ""):
        up = icd[code].parent
        if up is not None:
            return swapped(claim, code, up.code)
    return None


@plant("not_billable")
def one_character_too_many(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    short = [code for code in codes_in(claim, "") if len(code) < 7 and code + "9" not in icd]
    return swapped(claim, short[0], short[0] + "9") if short else None


@plant("not_valid_on_date", service_date="2014-03-02")
def before_the_classification(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return claim if codes_in(claim, "") else None


@plant("duplicate")
def a_code_twice(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx(codes_in(claim, "")[-1].lower())] if codes_in(claim, "") else None


@plant("excludes1")
def an_excluded_partner(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    for code in codes_in(claim, ""):
        for note in icd[code].excludes1:
            for span in note.ranges:
                near = (c for c in icd.codes[icd.codes >= span.lo.encode()][:40].tolist())
                for key in (c.decode() for c in near):
                    other = icd[key]
                    usable = other.billable and other.valid_on(row["service_date"]) and span.covers(key)
                    if usable and other.code not in codes_in(claim, "") and not note.covers(code):
                        return [*claim, *dx(other.code)]
    return None


@plant("manifestation_first")
def a_manifestation_in_front(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*dx("F02.80"), *claim]


@plant("code_first")
def the_cause_behind(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*dx("F02.80"), *(line for line in claim if not line.code.startswith(("G30", "F02"))), *dx("G30.9")]


@plant("external_cause_first")
def an_external_cause_in_front(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*dx("W19.XXXA"), *claim]


@plant("external_cause_once")
def two_places(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("Y92.010", "Y92.013")]


@plant("external_cause_seventh")
def another_encounter_of_the_cause(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("W19.XXXD")] if [c for c in codes_in(claim, "S") if c[-1] in "ABC"] else None


@plant("secondary_only")
def the_body_mass_index_in_front(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*dx("Z68.30"), *claim]


@plant("first_listed_only")
def a_check_up_at_the_end(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("Z02.1")] if codes_in(claim, "") else None


@plant("symptom_first")
def its_symptom_in_front(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    found = _symptom_of(claim, icd)
    return [*dx(found), *claim] if found and found[0] == "R" else None


@plant("integral_symptom")
def its_symptom_beside(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    found = _symptom_of(claim, icd)
    return [*claim, *dx(found)] if found else None


def _symptom_of(claim: Claim, icd: CodeSystem) -> str | None:
    held = tuple(code.replace(".", "") for code in codes_in(claim, ""))
    for rows in symptoms().values():
        for prefixes, diagnoses in rows:
            if any(key.startswith(diagnoses) for key in held) and not any(key.startswith(prefixes) for key in held):
                return _billable(icd, prefixes[0])
    return None


def _billable(icd: CodeSystem, prefix: str) -> str:
    code = icd[prefix]
    while not code.billable:
        code = code.children[0]
    return code.code


@plant("combination")
def hypertension_apart_from_its_kidney_or_heart(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    found = codes_in(claim, "I11", "I12", "I13")
    return swapped(claim, found[0], "I10") if found and codes_in(claim, "N18", "I50") else None


@plant("combination")
def diabetes_apart_from_its_kidney(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    found = codes_in(claim, "E11.2")
    if not found or not codes_in(claim, "N18"):
        return None
    return [line for line in swapped(claim, found[0], "E11.9") if not line.code.startswith("E11.2")]


@plant("not_together")
def diabetes_without_complications_beside_one_with(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("E11.9")] if codes_in(claim, "E11.2", "E11.6") else None


@plant("companion_missing")
def the_stage_left_out(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    if not codes_in(claim, "I12", "I13", "E11.22") or not codes_in(claim, "N18"):
        return None
    return [line for line in claim if not line.code.startswith("N18")]


@plant("sequela_and_acute")
def an_injury_beside_its_sequela(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    injuries = [code for code in codes_in(claim, "S") if len(code) == 8 and not code.endswith("S")]
    return [*claim, *dx(injuries[0][:-1] + "S")] if injuries else None


@plant("sequela_order")
def a_sequela_in_front(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*dx("S72.001S"), *claim]


@plant("bilateral")
def both_sides_apart(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    others = {"M17.11": "M17.12", "M17.12": "M17.11", "H25.12": "H25.11", "H66.001": "H66.002", "H66.91": "H66.92"}
    found = next((code for code in codes_in(claim, "") if code in others), None)
    return [*claim, *dx(others[found])] if found else None


@plant("laterality_unspecified")
def the_side_left_open(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    opened = {"M17.11": "M17.10", "H25.12": "H25.10", "H66.91": "H66.90", "G56.01": "G56.00",
              "I82.432": "I82.439", "S83.512A": "S83.519A", "H66.001": "H66.009"}  # fmt: skip
    found = next((code for code in codes_in(claim, "") if opened.get(code) in icd and code in opened), None)
    return swapped(claim, found, opened[found]) if found else None


@plant("age", age=45)
def a_newborn_of_45_years(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return None if codes_in(claim, "Z38") else [*dx("Z38.00"), *claim]


@plant("age", age=70)
def a_mother_of_70_years(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return claim if obstetric(claim) else None


@plant("mother_and_newborn")
def the_newborn_on_the_record_of_the_mother(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("P07.39")] if obstetric(claim) else None


@plant("obstetric_first")
def an_obstetric_code_behind(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*dx("D64.9"), *claim] if obstetric(claim) else None


@plant("trimester")
def weeks_of_another_trimester(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    weeks = codes_in(claim, "Z3A")
    named = [code for code in codes_in(claim, "O") if " trimester" in icd[code].title]
    if not weeks or not named:
        return None
    return swapped(claim, weeks[0], "Z3A.10" if "first" not in icd[named[0]].title else "Z3A.39")


@plant("perinatal_first")
def the_birth_behind(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("Z38.00")] if codes_in(claim, "") and not codes_in(claim, "Z38") else None


@plant("poisoning_order")
def a_poisoning_behind(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    room = codes_in(claim, "") and not codes_in(claim, "T") and not obstetric(claim)
    return [*claim, *dx("T40.2X1A")] if room else None


@plant("acute_chronic")
def the_acute_form_behind(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("K86.1", "K85.90")]


@plant("burn_order")
def the_lesser_burn_in_front(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return None if codes_in(claim, "T2") else [*claim, *dx("T22.111A", "T24.311A")]


@plant("history_and_current")
def a_cancer_both_over_and_there(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    for rows in pairs()["history_and_current"].values():
        for pair in rows:
            current = [code for code in codes_in(claim, "") if code.replace(".", "").startswith(pair.second)]
            if current:
                return [*claim, *dx(_billable(icd, pair.first[0]))]
    return None


@plant("procedure_setting", setting="outpatient")
def a_procedure_of_inpatients(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return claim if any(line.system == "icd10pcs" for line in claim) else None


@plant("aftercare_of_injury")
def aftercare_beside_a_healing_injury(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("Z47.89", "S82.001D")]


@plant("use_additional")
def the_germ_in_front(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*dx("B96.20"), *(line for line in claim if not line.code.startswith("B96")), *dx("N30.00")]


@plant("nonspecific", setting="inpatient")
def what_says_nothing(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, *dx("Z88.9")]


@plant("abnormal_finding", setting="inpatient")
def a_bare_finding(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return None if any(line.code == "R74.01" for line in claim) else [*claim, *dx("R74.01")]


@plant("poa", setting="inpatient")
def an_indicator_that_is_none(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, ClaimLine("icd10cm", "I10", poa="Q")]


@plant("not_checked")
def a_service_of_a_system_nobody_loaded(claim: Claim, icd: CodeSystem, row: dict[str, Any]) -> Claim | None:
    return [*claim, ClaimLine("cpt", "0000X")]


def told(findings: Sequence[Finding], rule: str) -> set[tuple[str, ...]]:
    """The codes that a rule speaks of, finding by finding."""
    return {f.codes for f in findings if f.rule == rule}


@pytest.mark.parametrize("name", list(PLANTS))
def test_a_planted_mistake_is_found_everywhere(starter: CodeSuggester, name: str) -> None:
    rule, make, changed = PLANTS[name]
    planted, missed = 0, []
    for note in NAMES:
        sound = claim_of(note, required=True)
        broken = make(sound, starter.tables["icd10cm"], gold(note))
        if broken is None:
            continue
        planted += 1
        before = set() if broken == sound else told(check(starter, note, sound, **changed), rule)
        if not told(check(starter, note, broken, **changed), rule) - before:
            missed.append((note, [line.code for line in broken]))
    assert planted, "no note has room for this mistake"
    assert missed == []


def test_rules_without_a_plant_need_more_than_codes() -> None:
    """Those that read the note have examples with notes; NCCI and Medicare tables are invented in test_guideline."""
    from codesuggest.guideline import read_rules

    left = {t.rule for t in read_rules()} - {rule for rule, _, _ in PLANTS.values()}
    assert left == {
        "additional_documented", "code_first_missing", "historical", "laterality_conflict", "long_term_drug", "mue",
        "pcs_axis_undocumented", "ptp",
        "result_only", "seventh_character", "unacceptable_principal", "uncertain", "unspecified_documented",
    }  # fmt: skip
