"""Which tables a model is trained with: told by what they look like and by the codes the documents use."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TINY_CODES

from codesuggest.coded import CodedDocument, Label
from codesuggest.errors import CodeFileError, OptionError
from codesuggest.suggester import CodeSuggester
from codesuggest.tables import tables_for


def coded(*codes: tuple[str, str]) -> list[CodedDocument]:
    return [CodedDocument(f"d{n}", "x", (Label(*code),)) for n, code in enumerate(codes)]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "ours.csv"
    path.write_text("code,title\n" + "".join(f'{code},"{title}"\n' for code, title, _ in TINY_CODES))
    return path


def test_a_list_is_of_the_system_whose_codes_it_holds(listed: Path) -> None:
    documents = coded(("local", "Z1"), ("icd10pcs", "0DTJ4ZZ"), ("icd10cm", "Q11"), ("icd10cm", "Q12"))
    found = tables_for(documents, [listed], systems=["icd10cm"])
    (table,) = found.systems
    assert (table.name, len(table)) == ("icd10cm", len(TINY_CODES))
    assert table.release.startswith("file:") and len(table.release) == 17, (
        "a list without a date is named by what it holds"
    )
    assert found.made_from[0].startswith(f"icd10cm {table.release}: {len(TINY_CODES)} codes of ours.csv, sha256 ")


def test_a_named_system_and_a_dated_file(listed: Path) -> None:
    dated = listed.rename(listed.with_name("ours_2026-01-15.csv"))
    (table,) = tables_for([], [f"ward-codes={dated}"]).systems
    assert (table.name, table.release) == ("ward-codes", "2026-01-15")


def test_a_table_alone_is_called_as_its_file_unless_its_codes_are_known(listed: Path, tmp_path: Path) -> None:
    local = tmp_path / "Our codes.csv"
    local.write_text("code;title\nAB-1;First visit\nAB-2;Second visit\n")
    assert tables_for([], [local]).systems[0].name == "our_codes"
    known = tmp_path / "some.csv"
    known.write_text("code,title\nE11.9,Sugar sickness\nI10,Pressure\nXX,Other\n")
    assert tables_for([], [known]).systems[0].name == "icd10cm"


def test_an_order_file_is_told_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "icd10pcs_order_2026.txt"
    row = "{:05d} {:<7} {} {:<60} {}\n"
    lines = [row.format(1, "0DT", 0, "Resection, appendix", "Resection of Appendix")]
    lines.append(row.format(2, "0DTJ4ZZ", 1, "Resection of Appendix", "Resection of Appendix, Percutaneous Endoscopic"))
    path.write_text("".join(lines))
    found = tables_for(coded(("icd10pcs", "0DTJ4ZZ")), [path])
    assert [(t.name, t.release) for t in found.systems] == [("icd10pcs", "2025-10-01")]


def test_without_tables_those_of_the_starter_with_our_ways_of_writing(starter: CodeSuggester) -> None:
    told: list[str] = []
    found = tables_for(coded(("hcpcs", "J3490"), ("icd10cm", "E11.9")), told=told.append)
    assert [t.name for t in found.systems] == ["icd10cm", "hcpcs"], "the order is ours, not the documents'"
    assert found.systems[0].sha256 == starter.tables["icd10cm"].sha256
    assert {"I10"} <= {idiom.code for idiom in found.idioms["icd10cm"]}
    assert told == list(found.made_from) and "the table at hand" in told[0]


def test_codes_without_any_table_keep_their_system(starter: CodeSuggester) -> None:
    found = tables_for(coded(("lab", "GLU-1"), ("lab", "GLU-2"), ("lab", "GLU-1")), name="ward 7")
    (table,) = found.systems
    assert (table.name, table.release, len(table)) == ("lab", "site:ward 7", 2)
    assert {table.view(i).release for i in table.site_codes} == {"site:ward 7"}
    assert found.made_from == ("lab: 2 codes of the documents, without a table",)


def test_what_cannot_be_told(listed: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no document has a code"):
        tables_for([CodedDocument("a", "x", ())])
    with pytest.raises(OptionError, match=r"the system icd10pcs is in no document .* these are: icd10cm"):
        tables_for(coded(("icd10cm", "Q11")), systems=["icd10pcs"])
    with pytest.raises(OptionError, match="holds no code that the documents use"):
        tables_for(coded(("local", "ABC")), [listed])
    with pytest.raises(OptionError, match=r"two tables of icd10cm"):
        tables_for(coded(("icd10cm", "Q11")), [f"icd10cm={listed}", f"icd10cm={listed}"])
    with pytest.raises(CodeFileError, match=r"nowhere\.csv"):
        tables_for(coded(("icd10cm", "Q11")), [f"icd10cm={tmp_path / 'nowhere.csv'}"])
    with pytest.raises(CodeFileError, match=r"nowhere\.csv"):
        tables_for(coded(("icd10cm", "Q11")), [tmp_path / "nowhere.csv"])
    noise = tmp_path / "noise.bin"
    noise.write_bytes(bytes(range(256)))
    with pytest.raises(OptionError, match="which code system is it"):
        tables_for(coded(("local", "ABC")), [noise])
    broken = tmp_path / "broken.csv"
    broken.write_text("code,title\nQ11,Gout\nQ11,Gout again\n")
    with pytest.raises(CodeFileError, match=r"broken\.csv, line 3"):
        tables_for(coded(("icd10cm", "Q11")), [broken])
