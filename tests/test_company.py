"""What candidates say of each other, in a coder's language."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest import CodeSuggester
from codesuggest.company import COMPANY_FEATURES, Company
from codesuggest.facts import implied, pairs, symptoms
from codesuggest.features import COLUMN
from tests.conftest import NOTES

COMBINED, NOT_BESIDE, SYMPTOM, SURE = range(len(COMPANY_FEATURES))


@pytest.fixture(scope="module")
def company(starter: CodeSuggester) -> Company:
    return Company.of(starter.tables["icd10cm"])


def weighed(starter: CodeSuggester, company: Company, said: dict[str, float]) -> dict[str, list[float]]:
    system = starter.tables["icd10cm"]
    code = np.array([system.index_of(c) for c in said], np.int32)
    values = company.weigh(np.zeros_like(code), code, np.array(list(said.values()), np.float32))
    return {c: [round(v, 3) for v in row] for c, row in zip(said, values.tolist(), strict=True)}


def sums(starter: CodeSuggester, company: Company, *said: str) -> set[str]:
    system = starter.tables["icd10cm"]
    code = np.array([system.index_of(c) for c in said], np.int32)
    _, target, witness = company.adds_up(np.zeros_like(code), code, np.ones(len(code), np.float32))
    assert (witness[:, :2] >= 0).all(), "a sum has at least two witnesses"
    return {system.code(int(i)) for i in target}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("I10", "N18.32"), {"I12.9"}),  # the link is presumed (I.C.9.a.2)
        (("I10", "N18.6"), {"I12.0"}),
        (("I10", "I50.22"), {"I11.0"}),
        (("I10", "I50.22", "N18.4"), {"I13.0"}),
        (("I10", "I50.33", "N18.6"), {"I13.2"}),
        (("E11.9", "N18.31"), {"E11.22"}),
        (("E10.9", "L97.512"), {"E10.621"}),
        (("I25.10", "I20.0"), {"I25.110"}),
        (("I10", "E78.5"), set()),
        (("N18.32",), set()),
        (("E78.5", "N18.32"), set()),
        (("I16.0", "N18.32"), set()),
    ],
)
def test_diagnoses_add_up(starter: CodeSuggester, company: Company, said: tuple[str, ...], expected: set[str]) -> None:
    assert sums(starter, company, *said) == expected


def test_a_disease_in_pregnancy_is_one_of_each_trimester(starter: CodeSuggester, company: Company) -> None:
    assert sums(starter, company, "Z3A.34", "D50.9") == {"O99.011", "O99.012", "O99.013"}


@pytest.mark.parametrize(
    ("said", "code", "feature", "value"),
    [
        ({"I10": 0.9, "N18.32": 0.8}, "I10", COMBINED, 0.8),
        ({"I10": 0.9, "N18.32": 0.8}, "N18.32", COMBINED, 0.0),  # stays beside I12.9
        ({"E11.9": 0.9, "N18.32": 0.8}, "E11.9", COMBINED, 0.8),
        ({"E11.40": 0.9, "N18.32": 0.8}, "E11.40", COMBINED, 0.0),  # E11.22 beside it
        ({"E11.9": 0.9, "E11.22": 0.6}, "E11.9", NOT_BESIDE, 0.6),
        ({"Z85.3": 0.9, "C50.911": 0.7}, "Z85.3", NOT_BESIDE, 0.7),
        ({"Z87.891": 0.6, "F17.210": 0.8}, "Z87.891", NOT_BESIDE, 0.8),  # Excludes1 at Z87.891
        ({"M25.561": 0.5, "M17.11": 0.7}, "M25.561", SYMPTOM, 0.7),
        ({"M25.561": 0.5, "E11.9": 0.7}, "M25.561", SYMPTOM, 0.0),
        ({"I12.9": 0.1, "I10": 0.9, "N18.32": 0.8}, "I12.9", SURE, 0.8),
        ({"I12.9": 0.1, "I10": 0.9, "N18.32": 0.8, "I50.22": 0.9}, "I12.9", SURE, 0.0),  # that is I13.0
        ({"I12.9": 0.1, "I10": 0.9}, "I12.9", SURE, 0.0),
    ],
)
def test_what_is_said_of_a_candidate(
    starter: CodeSuggester, company: Company, said: dict[str, float], code: str, feature: int, value: float
) -> None:
    assert weighed(starter, company, said)[code][feature] == value


def slowly(starter: CodeSuggester, code: list[int], probability: list[float]) -> list[list[float]]:
    """`Company.weigh` row by row of the tables."""
    system = starter.tables["icd10cm"]
    key = [bytes(system.codes[i]).decode() for i in code]
    p = [float(np.float32(v)) for v in probability]

    def most(prefixes: tuple[str, ...]) -> float:
        return max((v for k, v in zip(key, p, strict=True) if k.startswith(prefixes)), default=0.0)

    out = [[0.0] * len(COMPANY_FEATURES) for _ in code]
    for feature, name in (
        (COMBINED, "combination"),
        (NOT_BESIDE, "not_together"),
        (NOT_BESIDE, "history_and_current"),
        (NOT_BESIDE, "excluded"),
    ):
        for category, rows in pairs()[name].items():
            for row in rows:
                if not any(k.startswith(category) for k in key):
                    continue
                second = tuple(category + q[1:] if q[0] == "@" else q for q in row.second)
                also = tuple(category + q[1:] if q[0] == "@" else q for q in row.also)
                bare = f"{category}9"  # of diabetes a combination speaks against the code without a complication only
                for n, k in enumerate(key):
                    if row.case == "diabetes" and not k.startswith(bare):
                        continue
                    if k.startswith(row.first) and k.startswith(category):
                        value = min(most(second), most(also) if also else 1.0)
                        out[n][feature] = max(out[n][feature], value)
    for category, listed in symptoms().items():
        for symptom, diagnoses in listed:
            for n, k in enumerate(key):
                if k.startswith(symptom) and k.startswith(category):
                    out[n][SYMPTOM] = max(out[n][SYMPTOM], most(diagnoses))
    for fact in implied():
        for n, k in enumerate(key):
            if k == fact.code and (not fact.unless or most(fact.unless) < 0.5):
                out[n][SURE] = max(out[n][SURE], min(most(part) for part in fact.parts))
    return out


SOME = ("I10", "I12.9", "I13.0", "I11.0", "I50.22", "N18.32", "E11.9", "E11.22", "E11.65", "R73.9", "M25.561", "M17.11", "Z3A.34",
        "D50.9", "O99.013", "C50.911", "Z85.3", "K80.20", "K81.0", "R10.9", "J44.9", "J18.9", "J44.0", "Z79.4")  # fmt: skip


@settings(deadline=None)  # the first example reads the tables
@given(st.dictionaries(st.sampled_from(SOME), st.floats(0, 1, width=32), max_size=12))
def test_weighing_is_the_tables_row_by_row(starter: CodeSuggester, company: Company, said: dict[str, float]) -> None:
    system = starter.tables["icd10cm"]
    code = [system.index_of(c) for c in said]
    fast = company.weigh(
        np.zeros(len(code), np.intp), np.array(code, np.int32), np.array(list(said.values()), np.float32)
    )
    assert fast.tolist() == slowly(starter, code, list(said.values()))


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(SOME), st.floats(0, 1, width=32), max_size=9), min_size=2, max_size=4))
def test_notes_in_one_row_keep_each_its_own_company(
    starter: CodeSuggester, company: Company, notes: list[dict[str, float]]
) -> None:
    system = starter.tables["icd10cm"]
    rows = [(n, system.index_of(code), value) for n, said in enumerate(notes) for code, value in said.items()]
    note, code = (np.array([row[k] for row in rows], np.intp) for k in (0, 1))
    worth = np.array([row[2] for row in rows], np.float32)
    weighed, (of, target, witness) = (
        company.weigh(note, code, worth, len(notes)),
        company.adds_up(note, code, worth, len(notes)),
    )
    for n in range(len(notes)):
        own = np.flatnonzero(note == n)
        none = np.zeros(len(own), np.intp)
        assert weighed[own].tolist() == company.weigh(none, code[own], worth[own]).tolist()
        _, alone, places = company.adds_up(none, code[own], worth[own])
        assert target[of == n].tolist() == alone.tolist()
        first = own[0] if len(own) else 0
        assert np.where(witness[of == n] < 0, -1, witness[of == n] - first).tolist() == places.tolist()


def test_what_nobody_writes_is_a_candidate_and_rests_on_what_was_written(starter: CodeSuggester) -> None:
    note = "ASSESSMENT:\n1. Essential hypertension\n2. Chronic kidney disease, stage 3b\n"
    result = starter.suggest(note, systems=["icd10cm"])
    found = next(s for s in result.suggestions if s.code == "I12.9")
    words = {note[e.start : e.end].lower() for e in found.evidence}
    assert any("hypertension" in w for w in words) and any("kidney" in w for w in words)


def test_only_what_was_said_in_full_adds_up(starter: CodeSuggester) -> None:
    for note in (
        "ASSESSMENT:\n1. Hypertension\n2. No kidney disease\n",
        "ASSESSMENT: chronic kidney disease, stage 3b",
    ):
        engine = starter.engines["icd10cm"]
        reading = starter.reader.read(note)
        _, table = engine.candidates(reading, engine.system.billable_on(), inpatient=False, top=30, floor=0.45)
        assert not table.x[:, COLUMN["company:implied"]].any(), note


def test_witnesses_are_hits_that_may_be_evidence(starter: CodeSuggester) -> None:
    engine = starter.engines["icd10cm"]
    seen = 0
    for file in sorted(NOTES.glob("discharge_*.txt")):
        reading = starter.reader.read(file.read_bytes().decode())
        hits, table = engine.candidates(reading, engine.system.billable_on(), inpatient=True, top=30, floor=0.45)
        witness = table.witness[table.witness >= 0]
        seen += len(witness)
        assert table.usable[witness].all() and (witness < len(hits)).all()
    assert seen
