"""The Alphabetic Index: rows as the book has them, from XML and CSV, and files that are not what they say.

All rows here are invented in the published layout. The real files are read where the reference data are.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesuggest.codes.readers.cm_index import (
    COLUMNS,
    PRINTED,
    IndexEntry,
    read_index_csv,
    read_index_xml,
    stem_of,
)
from codesuggest.errors import CodeFileError

INDEX = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index>
  <version>2031</version>
  <title>INDEX OF INVENTED COMPLAINTS</title>
  <letter>
    <title>G</title>
    <mainTerm>
      <title>Glumness, glum<nemod>(chronic) (mild)</nemod></title>
      <code>F99.1</code>
      <term level="1">
        <title>with</title>
        <term level="2">
          <title>hiccups<nemod>(s)</nemod> NEC</title>
          <code>F99.12-</code>
          <manif>[R06.6]</manif>
        </term>
      </term>
      <term level="1">
        <title>Sunday</title>
        <seeAlso>Yawning, weekly</seeAlso>
        <code>F99</code>
        <warning>not on Mondays</warning>
      </term>
      <term level="1">
        <title>rainy</title>
        <seecat>X33</seecat>
      </term>
      <term level="1">
        <title><nemod>(very)</nemod></title>
        <subcat>F99.1</subcat>
      </term>
    </mainTerm>
    <mainTerm>
      <title>Grumbling</title>
      <see>Glumness</see>
    </mainTerm>
  </letter>
</ICD10CM.index>
"""

TABLE = [
    (*COLUMNS,),
    ("1", "G", "0", "Glumness, glum", "", "", "(chronic) (mild)", "F99.1"),
    ("2", "G", "1", "with", "", "", "", ""),
    ("3", "G", "2", "hiccups", "", "", "(s)", "F99.12-"),
    ("4", "G", "1", "Sunday", "", " Yawning,  weekly", "", "F99"),
    ("5", "G", "1", "rainy", " category", "", "", "X33"),
    ("6", "G", "1", "", "", "subcategory", "(very)", "F99.1"),
    ("7", "G", "0", "Grumbling", "Glumness", "", "", ""),
]


def as_csv(rows: list[tuple[str, ...]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def write(tmp_path: Path, data: bytes | str, name: str = "cm-index.xml") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_every_part_of_a_row(tmp_path: Path) -> None:
    main = ("Glumness, glum",)
    assert read_index_xml(write(tmp_path, INDEX)) == (
        IndexEntry(main, 7, nonessential="(chronic) (mild)", code="F99.1"),
        IndexEntry((*main, "with"), 10),
        IndexEntry((*main, "with", "hiccups NEC"), 12, nonessential="(s)", code="F99.12-", manifestation="R06.6"),
        IndexEntry((*main, "Sunday"), 18, code="F99", see_also="Yawning, weekly", warning="not on Mondays"),
        IndexEntry((*main, "rainy"), 24, see_category="X33"),
        IndexEntry((*main, ""), 28, nonessential="(very)", see_category="F99.1"),
        IndexEntry(("Grumbling",), 33, see="Glumness"),
    )


def test_the_csv_is_the_same_index_less_what_it_lost(tmp_path: Path) -> None:
    lost = {"manifestation": "", "warning": ""}
    expected = []
    for line, entry in enumerate(read_index_xml(write(tmp_path, INDEX)), start=2):
        fields = {name: getattr(entry, name) for name in IndexEntry.__slots__} | lost | {"line": line}
        fields["path"] = tuple(title.removesuffix(" NEC") for title in entry.path)  # text after the modifiers
        expected.append(IndexEntry(**fields))
    assert list(read_index_csv(write(tmp_path, as_csv(TABLE), "index.csv"))) == expected


def test_a_zip_holds_one_of_either(tmp_path: Path) -> None:
    path = tmp_path / "fy.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Table and Index/icd10cm-index-2031.xml", INDEX)
        archive.writestr("Table and Index/icd10cm-eindex-2031.xml", INDEX)
        archive.writestr("Table and Index/ICD10CM_2031_Index.csv", as_csv(TABLE))
    assert len(read_index_xml(path)) == len(read_index_csv(path)) == 7


def test_incomplete_codes_say_so() -> None:
    entry = IndexEntry(("Glumness",), 1, code="F99.1-")
    assert entry.incomplete and entry.stem == "F991" and not IndexEntry(("Glumness",), 1, code="F99.1").incomplete
    assert [stem_of(code) for code in ("A18.-", "K50-", "I10", "")] == ["A18", "K50", "I10", ""]


@pytest.mark.parametrize("code", ["I10", "M54.5-", "A18.-", "K50-", "QA0.011-", "S72.001A"])
def test_printed_codes(code: str) -> None:
    assert PRINTED.fullmatch(code)


@pytest.mark.parametrize("code", ["", "-", "--", "1.2", "i10", "I1", "I10.12345", "I10--", "I10 ", "[I43]"])
def test_what_is_no_printed_code(code: str) -> None:
    assert not PRINTED.fullmatch(code)


#: (text of INDEX, what stands for it instead, line of the error, words of it)
BAD = [
    ("<ICD10CM.index>", '<ICD10CM.index isAddenda="true">', 2, "addenda"),
    ("ICD10CM.index", "ICD10PCS.index", 2, "no ICD-10-CM index"),
    ('<term level="2">', '<term level="3">', 12, "level '3' stands 2 below"),
    ('<term level="2">', "<term>", 12, "level '' stands 2 below"),
    ("<title>with</title>", "<title> </title>", 11, "a title without words"),
    ("<title>with</title>", "", 12, "before the <title>"),
    ("<title>Sunday</title>", "", 23, "of line 18 has no title"),
    ("<title>rainy</title>", "<title>rainy</title><title>wet</title>", 25, "a second title"),
    ("<code>F99.1</code>", "<code>F99.1</code><code>F99.2</code>", 9, "a second code"),
    ("<code>F99.1</code>", "<code>99.1</code>", 7, "not the shape of a code"),
    ("<code>F99.1</code>", "<code>Glumness</code>", 7, "not the shape of a code"),
    ("<see>Glumness</see>", "<see/>", 35, "an empty <see>"),
    ("<seecat>X33</seecat>", "<seecat>rain</seecat>", 24, "not the shape of a code"),
    ("<seecat>X33</seecat>", "<seecat>X33</seecat><subcat>X33.1</subcat>", 24, "both <seecat> and <subcat>"),
    ("<see>Glumness</see>", '<cell col="2">F99</cell>', 33, "which only a table has"),
    ("<see>Glumness</see>", "<diff/>", 35, "<diff> is not expected"),
    ("<version>2031</version>", '<indexHeading><head col="1">Site</head></indexHeading>', None, "cm_tables"),
    ("<nemod>(s)</nemod>", "<b>(s)</b>", 13, "<b> is not expected"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), BAD)
def test_what_an_index_does_not_have_is_refused(
    tmp_path: Path, old: str, new: str, line: int | None, words: str
) -> None:
    assert old in INDEX
    with pytest.raises(CodeFileError, match=words) as caught:
        read_index_xml(write(tmp_path, INDEX.replace(old, new)))
    assert caught.value.line == line


def test_ten_levels_are_one_too_many(tmp_path: Path) -> None:
    def nested(levels: int) -> str:
        terms = "".join(f'<term level="{n}"><title>t</title>' for n in range(1, levels + 1))
        return (
            "<ICD10CM.index><letter><mainTerm><title>m</title>"
            f"{terms}{'</term>' * levels}</mainTerm></letter></ICD10CM.index>"
        )

    assert len(read_index_xml(write(tmp_path, nested(9)))[-1].path) == 10
    with pytest.raises(CodeFileError, match="stands 10 below"):
        read_index_xml(write(tmp_path, nested(10)))
    with pytest.raises(CodeFileError, match="holds no term"):
        read_index_xml(write(tmp_path, "<ICD10CM.index/>"))


#: (row of TABLE, from 0, column, what stands there instead, words of the error)
BAD_ROWS = [
    (0, "Code", "Codes", "the header is not"),
    (3, "RowID", "4", "do not follow the row before"),
    (3, "Level", "3", "do not follow the row before"),
    (3, "Level", "two", "do not follow the row before"),
    (1, "Level", "1", "do not follow the row before"),
    (3, "Letter", "", "no Letter"),
    (7, "Term", " ", "no Letter or no Term"),
    (3, "Code", "hiccups", "not the shape of a code"),
    (5, "Code", "rain", "not the shape of a code"),
]


@pytest.mark.parametrize(("row", "column", "value", "words"), BAD_ROWS)
def test_bad_csv_rows_are_refused_with_their_line(
    tmp_path: Path, row: int, column: str, value: str, words: str
) -> None:
    rows = [list(r) for r in TABLE]
    rows[row][COLUMNS.index(column)] = value
    with pytest.raises(CodeFileError, match=words) as caught:
        read_index_csv(write(tmp_path, as_csv([tuple(r) for r in rows]), "index.csv"))
    assert caught.value.line == row + 1


def test_swapped_columns_are_refused(tmp_path: Path) -> None:
    for a in range(len(COLUMNS)):
        for b in range(a):
            rows = [list(r) for r in TABLE]
            for values in rows:
                values[a], values[b] = values[b], values[a]
            with pytest.raises(CodeFileError, match="the header is not"):
                read_index_csv(write(tmp_path, as_csv([tuple(r) for r in rows]), "index.csv"))


def test_other_damage_to_the_csv(tmp_path: Path) -> None:
    whole = as_csv(TABLE)
    for data, words in [
        (whole[:-1], "its last line has no end"),
        (whole.decode().replace("Grumbling", "Grümbling").encode("latin-1"), "line 8: is not UTF-8"),
        (whole.replace(b"Grumbling", b'"Grumbling'), "is no table"),
        (whole.replace(b"Grumbling", b"Grumbling,"), "9 columns"),
        (as_csv(TABLE[:1]), "holds no row"),
        (b"", "its last line has no end"),
    ]:
        with pytest.raises(CodeFileError, match=words):
            read_index_csv(write(tmp_path, data, "index.csv"))


def test_a_damaged_index_is_refused_or_read_whole(
    damaged: Callable[[Callable[[Path], Any], bytes, str], dict[str, Any]],
) -> None:
    found = damaged(read_index_xml, INDEX.encode(), "index.xml")
    assert not [what for what in found if what.startswith(("cut", "lines", "twice", "empty"))]
    assert all(len(entries) <= 7 for entries in found.values())
    found = damaged(read_index_csv, as_csv(TABLE), "index.csv")
    assert not [what for what in found if what.startswith(("twice", "empty", "utf"))]
    # rows that are gone from the end leave a shorter index: nothing in the file tells
    assert all(e.line == n for entries in found.values() for n, e in enumerate(entries, start=2))


BOMB = '<!DOCTYPE ICD10CM.index [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


def test_entities_are_refused(tmp_path: Path) -> None:
    data = INDEX.replace("<ICD10CM.index>", BOMB + "<ICD10CM.index>").replace("Grumbling", "&b;")
    with pytest.raises(CodeFileError, match="document type declaration is refused"):
        read_index_xml(write(tmp_path, data))


# ---- the real files


def test_the_fy2025_csv_is_read_completely(DATA: Path) -> None:
    path = DATA / "official" / "icd10cm" / "ICD10CM_2025_Index.csv"
    entries = read_index_csv(path)
    categories = [e for e in entries if e.see_category]
    assert len(entries) == 81_024 and [e.line for e in entries] == list(range(2, 81_026))
    assert sum(bool(e.code) for e in entries) + len(categories) == 62_721 and len(categories) == 10
    assert sum(e.incomplete for e in entries) + sum(e.see_category.endswith("-") for e in categories) == 6_930
    assert sum(bool(e.nonessential) for e in entries) == 12_601
    assert Counter(len(e.path) - 1 for e in entries)[0] == 8_100  # main terms
    assert max(len(e.path) for e in entries) == 10


def test_the_external_cause_index_is_of_the_same_layout(DATA: Path) -> None:
    path = DATA / "official" / "icd10cm" / "icd10cm-eindex-April-1-2026-XML.xml"
    entries = read_index_xml(path)
    assert len(entries) == 8_090 and sum(len(e.path) == 1 for e in entries) == 314
    assert sum(bool(e.code) for e in entries) == 6_671 and sum(e.incomplete for e in entries) == 238
    assert sum(bool(e.see) for e in entries) == 791 and sum(bool(e.see_category) for e in entries) == 15


def test_the_tables_are_no_index(DATA: Path) -> None:
    for name in ("neoplasm", "drug"):
        with pytest.raises(CodeFileError, match="cm_tables"):
            read_index_xml(DATA / "official" / "icd10cm" / f"icd10cm-{name}-April-1-2026-XML.xml")


@pytest.mark.parametrize("share", [0.001, 0.37, 0.99999])
def test_cut_official_files_are_refused(DATA: Path, tmp_path: Path, share: float) -> None:
    data = (DATA / "official" / "icd10cm" / "icd10cm-eindex-April-1-2026-XML.xml").read_bytes()
    with pytest.raises(CodeFileError, match="no well-formed XML"):
        read_index_xml(write(tmp_path, data[: int(len(data) * share)]))
