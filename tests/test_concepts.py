"""Concepts: which codes differ only in side and encounter, and which terms name them."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from codesuggest.codes.site import with_site_codes
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.concepts import (
    KINDS,
    ROUTES,
    SIDES,
    Concepts,
    Entry,
    Idiom,
    TermTexts,
    build,
    default_child,
    encounters_of,
    entries_of,
    group,
    lacks_encounter,
    trimmed,
)
from codesuggest.pipes.phrases import WordReader
from codesuggest.suggester import CodeSuggester

FORMS_OF = WordReader().forms_of


def system_of(*rows: tuple[str, str]) -> CodeSystem:
    return CodeSystem.from_rows([CodeRow(code, title) for code, title in rows], name="icd10cm", release="2026-04-01")


def concepts_of(*rows: tuple[str, str]) -> list[dict[str, tuple[str, str]]]:
    """For each concept: code -> (side, extension)."""
    entries = entries_of(system_of(*rows))
    found, _, _ = group(entries)
    return [{entries[i].code: (SIDES[side], extension) for i, side, extension in concept} for concept in found]


def test_sides_of_one_title_are_one_concept() -> None:
    assert concepts_of(
        ("M25.56", "Pain in knee"),
        ("M25.561", "Pain in right knee"),
        ("M25.562", "Pain in left knee"),
        ("M25.569", "Pain in unspecified knee"),
    ) == [{"M25561": ("right", ""), "M25562": ("left", ""), "M25569": ("unspecified", "")}]


def test_a_bilateral_code_joins_them_wherever_the_side_stands() -> None:
    assert concepts_of(
        ("H26.1", "Soft cataract"),
        ("H26.11", "Soft cataract, right eye"),
        ("H26.12", "Soft cataract, left eye"),
        ("H26.13", "Soft cataract, bilateral eye"),
        ("H26.19", "Soft cataract, unspecified eye"),
    ) == [
        {"H2611": ("right", ""), "H2612": ("left", ""), "H2613": ("bilateral", ""), "H2619": ("unspecified", "")},
    ]


def test_the_seventh_character_is_an_encounter_and_no_concept() -> None:
    rows = [("S52.5", "Fracture of wrist bone")]
    for digit, side in (("1", "right"), ("2", "left")):
        rows.append((f"S52.55{digit}", f"Fracture of {side} wrist bone"))
        rows += [
            (f"S52.55{digit}{x}", f"Fracture of {side} wrist bone, {words}")
            for x, words in (("A", "initial encounter"), ("D", "subsequent encounter"), ("S", "sequela"))
        ]
    (only,) = concepts_of(*rows)
    assert only == {
        f"S5255{digit}{x}": (side, x) for digit, side in (("1", "right"), ("2", "left")) for x in ("A", "D", "S")
    }


def test_who_tells_an_encounter_and_who_lacks_it() -> None:
    table = system_of(
        ("C44.102", "Cancer of skin of right eyelid"),
        ("C44.1021", "Cancer of skin of right upper eyelid"),  # a seventh character that tells the place
        ("S52", "Fracture of forearm"),
        ("S52.551", "Fracture of right wrist bone"),
        ("S52.551A", "Fracture of right wrist bone, initial encounter"),
        ("S52.551S", "Fracture of right wrist bone, sequela"),
        ("S52.552", "Fracture of left wrist bone"),
        ("S52.60", "Fracture of elbow"),
        ("S52.60XA", "Fracture of elbow, initial encounter"),
    )
    assert encounters_of(table) == {"S52551A", "S52551S", "S5260XA"}
    assert {table.code(i) for i in range(len(table)) if lacks_encounter(table, i)} == {"S52.551"}
    entries = entries_of(table)
    assert encounters_of(table) == {member for concept in _grouped(entries) for member, told in concept if told}
    written = with_site_codes(table, ["S52.60X", "C44.102"], "x")
    assert {written.code(i) for i in written.site_codes if lacks_encounter(written, i)} == {"S52.60X"}


def _grouped(entries: list[Entry]) -> list[list[tuple[str, str]]]:
    """Concepts as (code, seventh character that tells the encounter)."""
    return [[(entries[i].code, told) for i, _, told in concept] for concept in group(entries)[0]]


def test_right_heart_failure_is_no_side() -> None:
    assert concepts_of(
        ("I50", "Heart failure"),
        ("I50.1", "Left ventricular failure"),
        ("I50.81", "Right heart failure"),
        ("I50.9", "Heart failure, unspecified"),
    ) == [{"I501": ("none", "")}, {"I5081": ("none", "")}, {"I509": ("none", "")}]


def test_the_same_title_in_another_category_is_another_concept() -> None:
    assert (
        len(concepts_of(("A10.1", "Lump of right ear"), ("A10.2", "Lump of left ear"), ("B10.1", "Lump of right ear")))
        == 2
    )


def test_sides_can_be_left_alone() -> None:
    entries = entries_of(system_of(("M25.561", "Pain in right knee"), ("M25.562", "Pain in left knee")))
    assert len(group(entries, sides=False)[0]) == 2


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Type 2 diabetes mellitus without complications", "Type 2 diabetes mellitus"),
        ("Essential (primary) hypertension", "Essential hypertension"),
        ("Asthma, unspecified, uncomplicated", "Asthma"),
        ("Unspecified asthma, uncomplicated", "asthma"),
        ("Migraine, unspecified, not intractable, without status migrainosus", "Migraine"),
        ("Major depressive disorder, single episode, unspecified", "Major depressive disorder"),
        ("Personal history of malignant neoplasm of breast", "malignant neoplasm of breast"),
        ("Encounter for immunization", "immunization"),
        ("Presence of cardiac pacemaker", "cardiac pacemaker"),
        ("Pneumonia, unspecified organism", "Pneumonia"),
        ("Acute kidney failure", "Acute kidney failure"),
        ("Other dorsalgia", "Other dorsalgia"),
    ],
)
def test_titles_are_trimmed_of_defaults(title: str, expected: str) -> None:
    assert trimmed(title) == expected


def child(code: str, *rows: tuple[str, str]) -> str | None:
    entries = entries_of(system_of(*rows))
    children: dict[int, list[int]] = defaultdict(list)
    for i, e in enumerate(entries):
        if e.parent >= 0:
            children[e.parent].append(i)
    found = default_child([e.code for e in entries].index(code.replace(".", "")), entries, children)
    return entries[found].code if found >= 0 else None


def test_default_child() -> None:
    diabetes = (
        ("E11", "Type 2 diabetes mellitus"),
        ("E11.2", "Type 2 diabetes mellitus with kidney complications"),
        ("E11.21", "Type 2 diabetes mellitus with diabetic nephropathy"),
        ("E11.8", "Type 2 diabetes mellitus with unspecified complications"),
        ("E11.9", "Type 2 diabetes mellitus without complications"),
    )
    assert child("E11", *diabetes) == "E119"
    assert child("J45", ("J45", "Asthma"), ("J45.2", "Mild asthma"), ("J45.9", "Asthma, unspecified")) == "J459"
    # two steps down
    assert (
        child(
            "K21",
            ("K21", "Burn"),
            ("K21.0", "Burn, open"),
            ("K21.9", "Unspecified burn"),
            ("K21.90", "Unspecified burn, so"),
        )
        == "K2190"
    )
    # a child that only adds the encounter is followed
    assert (
        child(
            "S93.401",
            ("S93.401", "Sprain of right ankle"),
            ("S93.401A", "Sprain of right ankle, initial encounter"),
            ("S93.401D", "Sprain of right ankle, subsequent encounter"),
        )
        == "S93401A"
    )
    # nothing is guessed between equals
    assert child("B10", ("B10", "Ague"), ("B10.1", "Tertian ague"), ("B10.2", "Quartan ague")) is None
    assert child("B10", ("B10", "Ague"), ("B10.1", "Tertian ague")) == "B101"


def test_a_header_does_not_choose_a_side_and_takes_displaced_first() -> None:
    phalanx = [
        (f"S98.{n}", f"{kind} fracture of {side} toe bone")
        for n, (kind, side) in enumerate(
            (kind, side) for kind in ("Displaced", "Nondisplaced") for side in ("right", "left", "unspecified")
        )
    ]
    assert child("S98", ("S98", "Fracture of toe bone"), *phalanx) == "S982"
    fingers = [
        ("S97", "Wobble of unspecified joint of finger"),
        ("S97.0", "Wobble of unspecified joint of right ring finger"),
        ("S97.1", "Wobble of unspecified joint of left ring finger"),
    ]
    assert child("S97", *fingers) is None
    assert child("S97", *fingers, ("S97.9", "Wobble of unspecified joint of unspecified finger")) == "S979"


def built(*rows: tuple[str, str], idioms: tuple[Idiom, ...] = ()) -> tuple[CodeSystem, Concepts, list[tuple[str, ...]]]:
    system = system_of(*rows)
    concepts, forms = build(entries_of(system), FORMS_OF, idioms)
    return system, concepts, forms


def terms_of(system: CodeSystem, concepts: Concepts, code: str) -> dict[str, str]:
    """term -> kind of the concept a code belongs to."""
    place = system.index_of(code)
    at = int(np.flatnonzero(concepts.member == place)[0])
    concept = int(np.searchsorted(concepts.member_indptr, at, side="right")) - 1
    mine = np.flatnonzero(concepts.term_concept == concept).tolist()
    return {concepts.text(t): KINDS[concepts.term_kind[t]] for t in mine}


def test_the_header_names_its_default_child() -> None:
    system, concepts, forms = built(
        ("E11", "Type 2 diabetes mellitus"),
        ("E11.2", "Type 2 diabetes mellitus with nephropathy"),
        ("E11.9", "Type 2 diabetes mellitus without complications"),
        idioms=(Idiom("E119", "sugar", "lay", 2),),
    )
    found = terms_of(system, concepts, "E11.9")
    assert found["Type 2 diabetes mellitus without complications"] == "title"
    assert found["Type 2 diabetes mellitus"] == "trimmed"  # the header's own words are the same and kept once
    assert found["sugar"] == "idiom"
    assert len(found) == 3
    assert len(forms) == len(concepts.term_concept) and all(forms)
    assert "sugar" not in terms_of(system, concepts, "E11.2")


def test_a_header_of_others_does_not_name_a_lone_child() -> None:
    system, concepts, _ = built(("K50.1", "Other ague"), ("K50.10", "Stubborn ague"))
    assert "Other ague" not in terms_of(system, concepts, "K50.10")
    system, concepts, _ = built(("K50.1", "Ague"), ("K50.10", "Stubborn fever"))
    assert "Ague" in terms_of(system, concepts, "K50.10")


def test_routes() -> None:
    system, concepts, _ = built(
        ("Z80.3", "Family history of malignant neoplasm of breast"),
        ("Z85.3", "Personal history of malignant neoplasm of breast"),
        ("Z90.1", "Absence of breast"),
        ("C50.9", "Malignant neoplasm of breast"),
    )
    by_code = {
        system.code(int(concepts.member[concepts.member_indptr[c]])): ROUTES[r]
        for c, r in enumerate(concepts.route.tolist())
    }
    assert by_code == {"Z80.3": "family", "Z85.3": "personal", "Z90.1": "any", "C50.9": "any"}


def test_other_and_unspecified_are_known() -> None:
    system, concepts, _ = built(
        ("K50.1", "Other ague"), ("K50.2", "Ague, unspecified"), ("K50.3", "Quartan ague"), ("K50.4", "Mother's ague")
    )
    rows = {
        system.code(int(concepts.member[concepts.member_indptr[c]])): (bool(concepts.other[c]), bool(concepts.vague[c]))
        for c in range(len(concepts.route))
    }
    assert rows == {"K50.1": (True, False), "K50.2": (False, True), "K50.3": (False, False), "K50.4": (False, False)}


def test_an_entry_without_a_title_is_left_out() -> None:
    entries = entries_of(system_of(("A10", ""), ("A10.1", "Ague")))
    assert entries == [Entry("A101", "Ague", True, -1, (), 1)]


# ---- the real tables


def place_of(starter: CodeSuggester, code: str) -> tuple[int, int]:
    """Concept of a code, and its place among the members."""
    engine = starter.engines["icd10cm"]
    at = int(np.flatnonzero(engine.concepts.member == engine.system.index_of(code))[0])
    return int(np.searchsorted(engine.concepts.member_indptr, at, side="right")) - 1, at


@pytest.mark.parametrize(
    "codes",
    [
        ("M25.561", "M25.562", "M25.569"),
        ("S52.511A", "S52.512A", "S52.511D", "S52.512S"),
        ("H25.11", "H25.12", "H25.13", "H25.10"),
        ("S93.401A", "S93.402A", "S93.409A", "S93.401D"),
    ],
)
def test_together_in_icd10cm(starter: CodeSuggester, codes: tuple[str, ...]) -> None:
    assert len({place_of(starter, code)[0] for code in codes}) == 1


@pytest.mark.parametrize(
    "codes",
    [("I50.1", "I50.810", "I50.9"), ("E11.9", "E11.65"), ("I10", "I16.0"), ("M25.561", "M25.551"), ("J18.9", "J18.1")],
)
def test_apart_in_icd10cm(starter: CodeSuggester, codes: tuple[str, ...]) -> None:
    assert len({place_of(starter, code)[0] for code in codes}) == len(codes)


def test_every_billable_code_belongs_to_one_concept_and_every_concept_has_terms(starter: CodeSuggester) -> None:
    for name, engine in starter.engines.items():
        concepts, system = engine.concepts, engine.system
        titled = np.array([bool(system.title(int(i))) for i in np.flatnonzero(system.billable)])
        assert sorted(concepts.member.tolist()) == np.flatnonzero(system.billable)[titled].tolist(), name
        assert set(range(len(concepts.route))) == set(concepts.term_concept.tolist()), name
        assert len(concepts.term_kind) == len(engine.index) == len(concepts.text_offset) - 1
        sides = concepts.side[(place_of(starter, "M25.562")[1] if name == "icd10cm" else 0)]
        assert SIDES[sides] == ("left" if name == "icd10cm" else SIDES[sides])


def test_e11_means_e11_9(starter: CodeSuggester) -> None:
    engine = starter.engines["icd10cm"]
    concept, _ = place_of(starter, "E11.9")
    forms = {FORMS_OF(engine.concepts.text(int(t))) for t in np.flatnonzero(engine.concepts.term_concept == concept)}
    assert FORMS_OF("type 2 diabetes") in forms


@pytest.mark.parametrize(
    ("title", "says"),
    [
        ("Laceration without foreign body of right hand", "Laceration of right hand"),
        ("Puncture wound without foreign body of left index finger without damage to nail", "Puncture wound of left index finger"),
        ("Type 2 diabetes mellitus without complications in remission", "Type 2 diabetes mellitus in remission"),
    ],
)  # fmt: skip
def test_the_site_behind_what_is_not_there_is_kept(title: str, says: str) -> None:
    assert trimmed(title) == says


def test_an_idiom_of_pregnancy_holds_at_all_its_times() -> None:
    titles = {"O1410": "Bad spells, unspecified trimester", "O1412": "Bad spells, second trimester"}
    titles |= {"O1414": "Bad spells complicating childbirth", "O1490": "Other spells, unspecified trimester"}
    entries = [Entry(code, title, True, -1, (), place) for place, (code, title) in enumerate(titles.items())]
    concepts, terms = build(
        entries, lambda text: tuple(text.lower().split()), [Idiom("O1410", "the spells", "idiom", 1)]
    )
    told = {int(concepts.term_concept[t]) for t, forms in enumerate(terms) if forms == ("the", "spells")}
    assert {entries[int(concepts.member[concepts.member_indptr[c]])].code for c in told} == {"O1410", "O1412", "O1414"}


def test_texts_that_were_asked_for_are_kept_but_not_without_end(
    starter: CodeSuggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codesuggest.concepts._MOST_TEXTS", 5)
    concepts = starter.engines["icd10cm"].concepts
    kept, asked = TermTexts(concepts), [3, 9, 3, 500, 9, 1, 70, 71, 3, 9]
    assert [kept[term] for term in asked] == concepts.texts(asked)
    assert len(kept) <= 5 and kept[9] is kept[9]
