"""From a row of the Index to a code, and a system that is found by the words of the Index. Codes and rows are invented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import built
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes import TERM_KINDS, CodeRow
from codesuggest.codes.index_terms import (
    Completer,
    complete,
    drug_terms,
    index_terms,
    neoplasm_terms,
    outcomes,
    phrase,
    system_with_index,
    system_with_terms,
)
from codesuggest.codes.readers import cm_index, cm_tables
from codesuggest.codes.readers.cm_index import IndexEntry
from codesuggest.codes.readers.cm_tables import DrugRow, NeoplasmRow
from codesuggest.codes.system import CodeSystem

TITLES = {
    "F99": "Glumness",
    "F99.0": "Glumness with hiccups",
    "F99.01": "Glumness with hiccups, intractable",
    "F99.02": "Glumness with hiccups, not intractable",
    "F99.9": "Glumness without complications",
    "F98": "Grumbling",
    "F98.0": "Grumbling with shouting",
    "F98.1": "Grumbling without shouting",
    "F97": "Other yawning",
    "F97.1": "Weekly yawning",
    "F97.8": "Other yawning",
    "S98.1": "Fracture of whisker",
    "S98.10": "Displaced fracture of whisker",
    "S98.11": "Displaced fracture of right whisker",
    "S98.12": "Displaced fracture of left whisker",
    "S98.13": "Displaced fracture of unspecified whisker",
    "S98.14": "Nondisplaced fracture of right whisker",
    "S98.15": "Nondisplaced fracture of left whisker",
    "S98.16": "Nondisplaced fracture of unspecified whisker",
    "S98.13XA": "Displaced fracture of unspecified whisker, initial encounter for closed fracture",
    "S98.13XD": "Displaced fracture of unspecified whisker, subsequent encounter",
    "S97": "Sprain of paw",
    "S97.1": "Sprain of right paw",
    "S97.2": "Sprain of left paw",
    "C98": "Malignant neoplasm of gizzard",
    "C98.0": "Malignant neoplasm of wall of gizzard",
    "C98.9": "Malignant neoplasm of gizzard, unspecified",
    "C79.9": "Secondary malignant neoplasm of unspecified site",
    "C80.1": "Malignant neoplasm, unspecified",
    "T98.0X1": "Poisoning by moonshine, accidental",
    "T98.0X1A": "Poisoning by moonshine, accidental, initial encounter",
    "T98.0X1S": "Poisoning by moonshine, accidental, sequela",
    "T98.0X5": "Adverse effect of moonshine",
    "T98.0X5A": "Adverse effect of moonshine, initial encounter",
    "T98.0X5D": "Adverse effect of moonshine, subsequent encounter",
}
PARENTS = {"S98.10": "S98.1"} | {f"S98.1{n}": "S98.1" for n in range(1, 7)}


@pytest.fixture(scope="module")
def system() -> CodeSystem:
    rows = [CodeRow(code, title, parent=PARENTS.get(code)) for code, title in TITLES.items() if code != "S98.10"]
    rows.append(CodeRow("F96", "Sulking", valid_from=20100101, valid_to=20121231))
    return CodeSystem.from_rows(rows, name="icd10cm", release="2026-04-01")


#: (path, nonessential modifiers, printed code, completed code, outcome)
ROWS = [
    (("Glumness", "with", "hiccups", "intractable"), "", "F99.01", "F99.01", "billable"),
    (("Glumness",), "", "F99", "F99.9", "completed"),  # without complications
    (("Glumness", "with", "hiccups"), "", "F99.0-", "F99.02", "completed"),  # what is not documented is not coded
    (("Glumness", "with", "hiccups", "intractable"), "", "F99.0-", "F99.01", "completed"),
    (("Glumness", "with", "hiccups", "not intractable"), "", "F99.0-", "F99.02", "completed"),
    (("Grumbling",), "", "F98.-", "F98.1", "completed"),
    (("Grumbling", "with", "shouting"), "", "F98.-", "F98.0", "completed"),
    (("Yawn",), "", "F97", "F97.8", "completed"),  # split: one child took over the title
    (("Yawning", "weekly"), "", "F97", "F97.1", "completed"),
    (("Fracture", "whisker"), "", "S98.1-", "S98.13XA", "completed"),  # displaced, first encounter: I.C.19.c
    (("Fracture", "whisker", "nondisplaced"), "", "S98.1-", "S98.16", "completed"),
    (("Fracture", "whisker"), "(nondisplaced)", "S98.1-", "S98.16", "completed"),
    (("Fracture", "whisker", "right"), "(displaced)", "S98.1-", "S98.11", "completed"),
    (("Fracture", "whiskers", "nondisplaced", "left"), "", "S98.1-", "S98.15", "completed"),
    (("Sprain", "paw"), "", "S97.-", "S97", "header"),  # a code for each side and none without
    (("Sprain", "paw", "left"), "", "S97.-", "S97.2", "completed"),
    (("Glumness", "gone"), "", "F95.1", "", "unknown"),
    (("Sulking",), "", "F96", "", "unknown"),  # not any more on the day of the release
]


@pytest.mark.parametrize(("path", "nonessential", "printed", "code", "outcome"), ROWS)
def test_completion(
    system: CodeSystem, path: tuple[str, ...], nonessential: str, printed: str, code: str, outcome: str
) -> None:
    (found,) = complete([IndexEntry(path, 1, nonessential=nonessential, code=printed)], system)
    assert (found.code, found.outcome) == (code, outcome)
    assert outcome == "header" or not code or system[code].billable


def test_rows_without_a_code_are_not_completed_and_the_pair_is_kept(system: CodeSystem) -> None:
    pair = IndexEntry(("Glumness", "in hiccups"), 1, code="F99.9", manifestation="R06.6")
    found = complete([IndexEntry(("Grumble",), 1, see="Grumbling"), pair], system)
    assert [completion.entry for completion in found] == [pair]
    assert outcomes(found) == {"billable": 1, "completed": 0, "header": 0, "unknown": 0}


def slow_descendants(system: CodeSystem, code: str) -> set[str]:
    return {c.code for c in system[code].children}.union(
        *(slow_descendants(system, c.code) for c in system[code].children)
    )


@given(words=st.lists(st.sampled_from(sorted({w for t in TITLES.values() for w in t.split()})), max_size=6))
def test_a_completion_never_leaves_the_printed_code(system: CodeSystem, words: list[str]) -> None:
    completer = Completer(system)
    for stem in ("F99", "F98", "F97", "S981", "S97", "T980X1"):
        code, outcome = completer.complete(stem, " ".join(words))
        inside = slow_descendants(system, stem) | {system[stem].code}
        assert code in inside and (outcome == "completed") == system[code].billable
        assert (code, outcome) == completer.complete(stem, " ".join(words).upper())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("Diabetes, diabetic", "type 2", "with", "nephropathy"), "type 2 diabetes with nephropathy"),
        (("Glumness",), "Glumness"),
        (("Thorax, thoracic", "bruise"), "bruise thorax"),
        (("Gout, chronic", "knee"), "knee gout, chronic"),
        (("Anemia", "due to", "blood loss", "chronic"), "Anemia due to chronic blood loss"),
        (("Arthritis", "following intestinal bypass", "wrist"), "Arthritis following wrist intestinal bypass"),
        (("Glumness", "Sunday NEC", "with hiccups NOS"), "Sunday glumness with hiccups"),
        (("Glumness", "specified NEC"), ""),
        (("Glumness", "unspecified site"), ""),
        (("Glumness", "specified type NEC", "evening"), "evening glumness"),
        (("Hodgkin's mood", "evening"), "evening Hodgkin's mood"),
        (("Fracture, traumatic", "whisker", "open"), "open whisker fracture"),
        (("", "evening"), "evening"),
        ((), ""),
    ],
)
def test_a_path_in_reading_order(path: tuple[str, ...], expected: str) -> None:
    assert phrase(path) == expected


@given(st.lists(st.sampled_from(["Glumness", "with", "due to", "in wet, cold", "NEC", "specified", "", " ", "a NOS"])))
def test_any_path_has_a_phrase_of_its_own_words(path: list[str]) -> None:
    words = set(phrase(path).lower().split())
    assert words <= {word for title in path for word in title.lower().split()} | {"wet,", "cold"}


ENTRIES = [
    IndexEntry(("Glumness",), 1, code="F99"),
    IndexEntry(("Glumness", "without complications"), 2, code="F99.9"),  # the title again
    IndexEntry(("Glumness", "Sunday"), 3, code="F99.9"),
    IndexEntry(("Glumness, glum", "Sunday"), 4, code="F99.9"),  # twice
    IndexEntry(("Glumness", "specified NEC"), 5, code="F99.02"),
    IndexEntry(("Sprain", "paw", "hind"), 6, code="S97.-"),  # stays on the header
    IndexEntry(("Twisted paw",), 7, code="S97.-", see="Sprain, paw"),
    IndexEntry(("Glum",), 8, see="Glumness"),
    IndexEntry(("Rain",), 9, see_category="X33"),
    IndexEntry(("Gone",), 10, code="F95"),
]


def test_a_system_found_by_the_words_of_the_index(system: CodeSystem) -> None:
    before = system.sha256
    found = system_with_index(system, ENTRIES)
    added = [(found.code(i), text) for i, kind, text in found.iter_terms(titles=False) if kind == "index"]
    assert added == [("F99.9", "Glumness"), ("F99.9", "Sunday glumness"), ("S97", "hind paw sprain")]
    assert list(index_terms(ENTRIES, system))[:2] == [
        ("F99.9", "Glumness"),
        ("F99.9", "Glumness without complications"),
    ]
    assert (found.name, found.release, found.source) == (system.name, system.release, system.source)
    assert system.sha256 == before != found.sha256
    again = CodeSystem.from_arrays(found.arrays(), name=found.name, release=found.release)
    assert again.sha256 == found.sha256 and (np.diff(found.arrays()["term_code"]) >= 0).all()
    with pytest.raises(KeyError):
        system_with_terms(system, [("Z00", "Gone")])


def test_new_kinds_of_terms_come_last() -> None:
    """Arrays of models made before hold the number."""
    assert TERM_KINDS == ("title", "inclusion", "synonym", "idiom", "short", "index")


@given(
    terms=st.lists(
        st.tuples(st.sampled_from(["A01", "A02", "A03"]), st.text("añ", min_size=1, max_size=3)),
        max_size=8,
        unique=True,
    )
)
def test_added_terms_are_those_of_a_system_built_with_them(terms: list[tuple[str, str]]) -> None:
    own = {"A01": (("inclusion", "one"), ("short", "1")), "A02": (), "A03": (("synonym", "três"),)}
    rows = {code: CodeRow(code, f"Title {code}", terms=words) for code, words in own.items()}
    plain = CodeSystem.from_rows(rows.values(), name="icd10cm", release="2026-04-01")
    words = {code: (*own[code], *(("index", t) for c, t in terms if c == code)) for code in own}
    whole = CodeSystem.from_rows(
        [CodeRow(code, f"Title {code}", terms=words[code]) for code in own], name="icd10cm", release="2026-04-01"
    )
    assert system_with_terms(plain, terms).sha256 == whole.sha256


# ---- tables


def test_what_a_cell_of_the_neoplasm_table_says(system: CodeSystem) -> None:
    main = ("Neoplasm, neoplastic",)
    rows = [
        NeoplasmRow(main, 1, malignant_primary="C80.1", malignant_secondary="C79.9"),
        NeoplasmRow((*main, "gizzard"), 2, malignant_primary="C98.-", in_situ="D98.9"),
        NeoplasmRow((*main, "gizzard", "wall"), 3, malignant_primary="C98.-"),
        NeoplasmRow((*main, "gizzard", "basal cell carcinoma"), 4, malignant_primary="C98.9"),
        NeoplasmRow((*main, "gizzard", "specified site NEC"), 5, malignant_primary="C98.9"),
        NeoplasmRow((*main, "crop"), 6, see="Neoplasm, gizzard"),
        NeoplasmRow((*main, "paw"), 7, malignant_primary="S97.-"),  # no one code
    ]
    assert list(neoplasm_terms(rows, system)) == [
        ("C80.1", "malignant neoplasm"),
        ("C80.1", "cancer"),
        ("C79.9", "secondary malignant neoplasm"),
        ("C79.9", "metastasis"),
        ("C98.9", "malignant neoplasm of gizzard"),
        ("C98.9", "cancer of gizzard"),
        ("C98.0", "malignant neoplasm of wall gizzard"),
        ("C98.0", "cancer of wall gizzard"),
        ("C98.9", "basal cell carcinoma gizzard"),
    ]


def test_what_a_cell_of_the_drug_table_says(system: CodeSystem) -> None:
    rows = [
        DrugRow(("Moonshine NEC", "blue"), 1, poisoning_accidental="T98.0X1", adverse_effect="T98.0X5"),
        DrugRow(("Mooncake",), 2, see="Moonshine"),
        DrugRow(("Moonbeam",), 3, underdosing="T98.0X6"),
    ]
    assert list(drug_terms(rows, system)) == [
        ("T98.0X1A", "poisoning by blue moonshine, accidental"),
        ("T98.0X5A", "adverse effect of blue moonshine"),
    ]


# ---- the real files


@pytest.fixture(scope="module")
def icd() -> CodeSystem:
    return built("icd10cm")


def test_the_fy2025_index_against_the_tabular_of_april_2026(icd: CodeSystem, DATA: Path) -> None:
    entries = cm_index.read_index_csv(DATA / "official" / "icd10cm" / "ICD10CM_2025_Index.csv")
    found = complete(entries, icd)
    assert outcomes(found) == {"billable": 48_607, "completed": 13_577, "header": 527, "unknown": 0}
    headers = {stem for stem in {c.entry.stem for c in found} if icd[stem].state_on("2026-04-01") == "header"}
    assert sum(c.entry.stem in headers for c in found) == 14_104
    assert all(c.code.replace(".", "").startswith(c.entry.stem) for c in found)
    assert all(icd[c.code].valid_on("2026-04-01") for c in found[::50])
    found_by = system_with_index(icd, entries)
    assert sum(kind == "index" for _, kind, _ in found_by.iter_terms(titles=False)) == 55_480


def test_the_tables_of_april_2026(icd: CodeSystem, DATA: Path) -> None:
    folder = DATA / "official" / "icd10cm"
    drugs = list(drug_terms(cm_tables.read_drug_xml(folder / "icd10cm-drug-April-1-2026-XML.xml"), icd))
    assert len(drugs) == 39_680 and all(code.endswith("A") for code, _ in drugs)
    intents = {"accidental": "accidental", "intentional self-harm": "self-harm", "assault": "assault"}
    for code, text in drugs[::97]:
        said = text.rpartition(", ")[2]
        assert intents.get(said, "") in icd[code].title
    sites = list(neoplasm_terms(cm_tables.read_neoplasm_xml(folder / "icd10cm-neoplasm-April-1-2026-XML.xml"), icd))
    assert len(sites) == 11_985 and all(icd[code].billable for code, _ in sites[::97])
