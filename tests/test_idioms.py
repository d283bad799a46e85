"""Lists of how clinicians write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import built

from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError
from codesuggest.idioms import idioms_in, read_idioms
from codesuggest.pipes.language import language
from codesuggest.pipes.phrases import WordReader

CORPORA = Path(__file__).resolve().parents[1] / "corpora"


def test_an_idiom_of_a_code_that_is_not_billable_is_named(tiny_system: CodeSystem, tmp_path: Path) -> None:
    file = tmp_path / "idioms.tsv"
    file.write_text("code\tphrase\tkind\tcommon\tsource\nQ11\ttoe trouble\tidiom\t3\town\nQ10\trattle\tidiom\t1\town\n")
    with pytest.raises(CodeFileError, match=r"Q10.*|line 3") as caught:
        read_idioms(file, tiny_system)
    assert caught.value.line == 3
    file.write_text("code\tphrase\tkind\tcommon\tsource\nQ11\ttoe trouble\tidiom\t3\town\n")
    (idiom,) = read_idioms(file, tiny_system)
    assert (idiom.code, idiom.phrase, idiom.kind, idiom.common) == ("Q11", "toe trouble", "idiom", 3)


def test_a_language_has_its_own_list_and_a_table_takes_what_it_bills(tiny_system: CodeSystem, tmp_path: Path) -> None:
    spanish = replace(language("es"), folder=tmp_path)
    assert idioms_in(spanish, tiny_system) == []
    file = tmp_path / f"idioms_{tiny_system.name}.tsv"
    file.write_text(
        "code\tphrase\tkind\tcommon\tsource\nQ10\tsonajero\tidiom\t1\town\nQ11\tdedo del pie\tidiom\t3\town\n"
    )
    assert [(idiom.code, idiom.phrase) for idiom in idioms_in(spanish, tiny_system)] == [("Q11", "dedo del pie")]


def test_every_row_of_the_shipped_lists_is_billable() -> None:
    rows = read_idioms(language("es").folder / "idioms_icd10cm.tsv", built("icd10cm"))
    assert len(rows) > 5000
    assert len({row.phrase for row in rows}) > 0.99 * len(rows), "phrases that name two codes"


#: Use without a provider's diagnosis is not coded (I.C.5.b.3, FY2026), so no bare name of a substance stands for a disorder.
SUBSTANCES = (
    "alcohol etoh drug drugs pot weed marijuana cannabis cocaine opiate opioid heroin fentanyl meth methamphetamine"
)


def test_the_name_of_a_substance_alone_is_no_phrase_for_its_use_or_dependence() -> None:
    reader = WordReader()
    bare = {reader.forms_of(word) for word in SUBSTANCES.split()}
    rows = read_idioms(CORPORA / "codes" / "idioms_icd10cm.tsv", built("icd10cm"))
    assert any(row.code.startswith("F10") for row in rows)
    assert [row.phrase for row in rows if reader.forms_of(row.phrase) in bare] == []


def test_tobacco_used_is_not_tobacco_given_up() -> None:
    reader = WordReader()
    rows = read_idioms(CORPORA / "codes" / "idioms_icd10cm.tsv", built("icd10cm"))
    used = {row.code for row in rows if set(reader.forms_of(row.phrase)) == set(reader.forms_of("tobacco use"))}
    assert used == {"Z720"}
