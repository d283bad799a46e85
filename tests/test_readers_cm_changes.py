"""What changed between editions: conversion table, addenda, order file addenda. Rows invented, real files where they are."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesuggest.codes import Range
from codesuggest.codes.readers import OrderLine, cm, read_order_lines
from codesuggest.codes.readers.cm_changes import (
    AddendaChange,
    Conversion,
    OrderChange,
    read_addenda,
    read_conversion,
    read_order_addenda,
)
from codesuggest.errors import CodeFileError

Damaged = Callable[[Callable[[Path], Any], bytes, str], dict[str, Any]]


def write(tmp_path: Path, data: bytes | str, name: str) -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


# ---- conversion table

HEAD = ("Current code assignment", "Effective", "Previous Code(s) Assignment")
SHEET: list[tuple[object, ...]] = [
    ("A long paragraph about what this is.", None, None),
    HEAD,
    ("F99.11", 2030, "F99.1"),
    ("W98.3XXA ", dt.datetime(2031, 4, 1), "F99.1-F99.4; G99.- and G98.1"),
    ("W983XXD", 2030, "Codes in Categories T15-T19"),
    ("QA9.01", 2030, "None"),
    ("F99.12", 2030, "F99.21 AND F99.22"),
    ("F99.13", 2030, "F99.3 and a code from F98-"),
    (None, None, None),
]


def workbook(path: Path, rows: list[tuple[object, ...]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("empty")
    book.save(path)
    return path


def test_what_stood_for_a_code_before_it_came(tmp_path: Path) -> None:
    def one(code: str) -> Range:
        return Range(code, code)

    found = read_conversion(workbook(tmp_path / "conversion.xlsx", SHEET))
    assert found == (
        Conversion("F99.11", 20301001, (one("F991"),), "F99.1", 3),
        Conversion(
            "W98.3XXA", 20310401, (Range("F991", "F994"), one("G99"), one("G981")), "F99.1-F99.4; G99.- and G98.1", 4
        ),
        Conversion("W98.3XXD", 20301001, (Range("T15", "T19"),), "Codes in Categories T15-T19", 5),
        Conversion("QA9.01", 20301001, (), "None", 6),
        Conversion("F99.12", 20301001, (one("F9921"), one("F9922")), "F99.21 AND F99.22", 7),
        Conversion("F99.13", 20301001, (one("F993"), one("F98")), "F99.3 and a code from F98-", 8),
    )
    assert found[2].previous[0].covers("T17228A")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("F99.11", 2030, ""), "does not name the previous codes"),
        (("F99.11", 2030, "Glumness"), "does not name the previous codes"),
        (("F99.11", 2030, "F99.1 unless raining"), "does not name the previous codes"),
        (("F99.11", 2030, "F99.4-F99.1"), "does not name the previous codes"),
        (("F99.1", "F99.11", 2030), "'F99.11' is no year or date"),
        ((2030, "F99.11", "F99.1"), "'2030' is not the shape of a code"),
        (("F99.11", 1999, "F99.1"), "'1999' is no year or date"),
        (("F99.11", None, "F99.1"), "'' is no year or date"),
        (("F99.11", 2030, "F99.1", "more"), "not the shape of a code"),
    ],
)
def test_bad_rows_are_refused_with_their_number(tmp_path: Path, row: tuple[object, ...], words: str) -> None:
    rows = [*SHEET[:4], row, *SHEET[4:]]
    with pytest.raises(CodeFileError, match=words) as caught:
        read_conversion(workbook(tmp_path / "conversion.xlsx", rows))
    assert caught.value.line == 5


def test_swapped_or_missing_columns_are_refused(tmp_path: Path) -> None:
    swapped = [tuple(row[n] for n in (1, 0, 2)) for row in SHEET]
    for rows in (swapped, [SHEET[0]], []):
        with pytest.raises(CodeFileError, match="no sheet has the columns"):
            read_conversion(workbook(tmp_path / "conversion.xlsx", rows))
    with pytest.raises(CodeFileError, match="no Excel workbook"):
        read_conversion(write(tmp_path, "Current code assignment,Effective", "conversion.xlsx"))


def test_a_workbook_with_entities_or_a_bomb_is_refused(tmp_path: Path) -> None:
    sound = workbook(tmp_path / "sound.xlsx", SHEET)
    for bad, words in (
        (b'<!DOCTYPE a [<!ENTITY b "b">]><styleSheet/>', "document type"),
        (b"<styleSheet>", "no XML"),
    ):
        path = tmp_path / "bad.xlsx"
        with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, bad if name == "xl/styles.xml" else old.read(name))
        with pytest.raises(CodeFileError, match=words):
            read_conversion(path)


def test_a_sheet_under_another_name_is_looked_at_too(tmp_path: Path) -> None:
    sound, path = workbook(tmp_path / "sound.xlsx", SHEET), tmp_path / "bad.xlsx"
    bomb = b'<!DOCTYPE a [<!ENTITY b "b">]>'
    for declared, words in ((b"", ""), (bomb, "document type")):
        with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                data = old.read(name).replace(b"sheet1.xml", b"sheet1.bin")
                named = name.replace("sheet1.xml", "sheet1.bin")
                new.writestr(named, data.replace(b"<worksheet", declared + b"<worksheet") if named != name else data)
        if words:
            with pytest.raises(CodeFileError, match=words):
                read_conversion(path)
        else:
            assert read_conversion(path) == read_conversion(sound)


def test_a_damaged_workbook_is_refused_or_read_whole(tmp_path: Path, damaged: Damaged) -> None:
    data = workbook(tmp_path / "sound.xlsx", SHEET).read_bytes()
    whole = read_conversion(tmp_path / "sound.xlsx")
    found = damaged(read_conversion, data, "conversion.xlsx")
    assert all(rows == whole for rows in found.values())


def test_without_openpyxl_the_extra_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "conversion.xlsx", SHEET)
    program = f"""import sys
sys.modules["openpyxl"] = None
from codesuggest.codes.readers.cm_changes import read_conversion
from codesuggest.errors import MissingExtraError
try:
    read_conversion({str(path)!r})
except MissingExtraError as error:
    sys.exit('pip install "codesuggest[tables]"' not in str(error))
sys.exit(2)"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


# ---- addenda

INDEX = """                     ICD-10-CM INDEX to DISEASES and INJURIES
                                   2031 Addenda

No Change      G

No Change     Glumness - see also Yawning
Add              - Sunday F99.1
Revise from    - with hiccups F99.2
Revise to       - with hiccups F99.21
No Change     - - and yawns (frequent)
               (loud) F99.22
Delete           - - - at noon F99.23
\f
   7
Add            Grumbling F98
"""

TABULAR = """         ICD-10-CM TABULAR LIST of DISEASES and INJURIES
                                   2031 Addenda

No Change     Chapter 5

No Change     Moods, inner (F98-F99)

Add            Excludes2: weather (X33)

No Change     F99 Glumness
No Change          F99.1 Sunday glumness
Revise from                 Code first any hangover,
(F10)
Revise to                   Code first any hangover, if applicable (F10.-)
Add                F99.11 Sunday glumness with rain
Add                        Wet weekend
"""


def test_changes_of_an_index_stand_below_their_terms(tmp_path: Path) -> None:
    glum = "Glumness - see also Yawning"
    assert read_addenda(write(tmp_path, INDEX, "a.txt")) == (
        AddendaChange("add", (glum,), "", "Sunday F99.1", 7),
        AddendaChange("revise", (glum,), "with hiccups F99.2", "with hiccups F99.21", 8),
        AddendaChange(
            "delete", (glum, "with hiccups F99.21", "and yawns (frequent) (loud) F99.22"), "at noon F99.23", "", 12
        ),
        AddendaChange("add", (), "", "Grumbling F98", 15),
    )


def test_changes_of_the_tabular_stand_at_their_code(tmp_path: Path) -> None:
    assert read_addenda(write(tmp_path, TABULAR, "a.txt")) == (
        AddendaChange("add", ("F98-F99",), "", "Excludes2: weather (X33)", 8),
        AddendaChange(
            "revise", ("F99.1",), "Code first any hangover, (F10)", "Code first any hangover, if applicable (F10.-)", 12
        ),
        AddendaChange("add", ("F99.11",), "", "F99.11 Sunday glumness with rain", 15),
        AddendaChange("add", ("F99.11",), "", "Wet weekend", 16),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%PDF-1.7 ...", "pdftotext -layout"),
        ("", "holds no Add, Delete or Revise|does not say"),
        ("ICD-10-CM TABULAR LIST\n\nnothing of the kind\n", "holds no Add"),
        ("ICD-10-CM TABLE of DRUGS and CHEMICALS\nAdd   Moonshine\n", "does not say that it is an index"),
        (INDEX.replace("Revise to ", "Add       "), "line 9: Revise from and Revise to do not follow"),
        (INDEX.replace("Revise from ", "Add         "), "line 9: Revise from and Revise to do not follow"),
        (INDEX[: INDEX.index("Revise to")], "ends after Revise from"),
        (INDEX.replace("- Sunday F99.1", "-"), "line 7: Add without words"),
        (INDEX + "\nSigned, the committee\n", "line 17: begins with no action"),
    ],
)
def test_what_is_no_addenda_text_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(CodeFileError, match=words):
        read_addenda(write(tmp_path, text, "a.txt"))


def test_damaged_addenda(tmp_path: Path, damaged: Damaged) -> None:
    for text in (INDEX, TABULAR):
        found = damaged(read_addenda, text.encode(), "addenda.txt")
        assert all(len(changes) <= 8 for changes in found.values())
    with pytest.raises(CodeFileError, match="line 7: is not UTF-8"):
        read_addenda(write(tmp_path, INDEX.replace("Sunday", "Sünday").encode("latin-1"), "addenda.txt"))


# ---- order file addenda


def order_line(action: str, flag: int, code: str, long: str) -> str:
    return f"{action + ':':13}{flag} {code:7} {long[:60]:60} {long}\r\n"


ORDER = (
    order_line("Delete", 1, "F991", "Glumness")
    + order_line("Add", 0, "F991", "Glumness")
    + order_line("Add", 1, "F9911", "Glumness on Sundays")
    + order_line("Revise from", 1, "QA901", "Ague")
    + order_line("Revise to", 1, "QA901", "Ague, left")
    + "\r\nHeaders\r\n      9 headers in icd10cm_order_2031.txt\r\n      1 additions\r\n      0 deletions\r\n"
    + "      0 revisions\r\nof which\r\n      0 revisions to both long and short titles\r\n"
    + "\r\nCodes\r\n      1 additions\r\n      1 deletions\r\n      1 revisions\r\n"
)


def test_a_code_that_turns_header_is_deleted_and_added(tmp_path: Path) -> None:
    found = read_order_addenda(write(tmp_path, ORDER, "icd10cm_order_addenda_2031.txt"))
    glum = [OrderLine(n, "F991", not n - 1, "Glumness", "Glumness") for n in (1, 2)]
    assert found[:2] == (OrderChange("delete", glum[0], None), OrderChange("add", None, glum[1]))
    assert [(c.action, (c.after or glum[0]).long) for c in found[2:]] == [
        ("add", "Glumness on Sundays"),
        ("revise", "Ague, left"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("      1 deletions", "      2 deletions", "its summary counts"),
        ("Headers", "Heads", "line 7: is no line of action"),
        ("Delete:      1", "Remove:      1", "line 1: is no line of action"),
        ("Delete:      1", "Delete:      2", "line 1: is no line of action"),
        ("Delete:      1", "Delete:     1 ", "line 1: is no line of action"),
        ("F9911", "Glum!", "line 3: is no line of action"),
        ("Revise to:  ", "Add:        ", "line 5: Revise from and Revise to do not follow"),
    ],
)
def test_bad_order_addenda_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in ORDER
    with pytest.raises(CodeFileError, match=words):
        read_order_addenda(write(tmp_path, ORDER.replace(old, new, 1), "icd10cm_order_addenda_2031.txt"))


def test_damaged_order_addenda(damaged: Damaged) -> None:
    found = damaged(read_order_addenda, ORDER.encode(), "icd10cm_order_addenda_2031.txt")
    assert all(len(changes) == 4 for changes in found.values())  # the summary tells


# ---- the real files


def test_the_conversion_table_is_read_completely(DATA: Path) -> None:
    pytest.importorskip("openpyxl")
    found = read_conversion(DATA / "official" / "icd10cm" / "ICD-10-CM-CONVERSION-TABLE-FY2026.xlsx")
    assert len(found) == 5_892 and sum(not row.previous for row in found) == 125
    years = Counter(row.effective for row in found)
    assert years[20251001] == 487 and years[20230401] == 42 and min(years) == 20161001
    fy2026 = cm.read_order_file(DATA / "official" / "icd10cm" / "cms_2026_dx.zip")
    assert [row.code for row in found if row.effective == 20251001 and row.code not in fy2026] == []


def test_last_years_order_file_with_its_changes_is_this_years(DATA: Path) -> None:
    folder = DATA / "official" / "icd10cm"
    before, now = (
        {
            line.code: (line.long, line.billable)
            for line in read_order_lines(folder / f"cms_{year}_dx.zip", shape=cm.SHAPE)
        }
        for year in (2025, 2026)
    )
    codes = dict(before)
    changes = read_order_addenda(folder / "cms_2026_dx.zip")
    for change in changes:
        if change.before is not None and change.after is None:
            assert codes.pop(change.before.code)[1] == change.before.billable
    for change in changes:
        if change.after is not None:
            codes[change.after.code] = (change.after.long, change.after.billable)
    assert codes == now
    assert Counter(c.action for c in changes) == {"add": 630, "delete": 28, "revise": 45}
    assert len(read_order_addenda(folder / "cms_2025_dx.zip")) == 252 + 72 + 36 + 13 + 1


def test_the_official_addenda_are_pdfs(DATA: Path) -> None:
    with pytest.raises(CodeFileError, match="pdftotext -layout"):
        read_addenda(DATA / "official" / "icd10cm" / "icd10cm-addenda-2026.zip")


@pytest.mark.parametrize(
    ("name", "add", "delete", "revise"),
    [("index", 563, 77, 306), ("eindex", 32, 6, 21), ("tabular", 698, 60, 65)],
)
def test_the_text_of_the_official_addenda(
    DATA: Path, tmp_path: Path, name: str, add: int, delete: int, revise: int
) -> None:
    pypdf = pytest.importorskip("pypdf")  # only to make the text: the library does not read PDF
    file = DATA / "official" / "icd10cm" / "icd10cm-addenda-2026.zip"
    with zipfile.ZipFile(file) as archive, archive.open(f"icd10cm-{name}-addenda-2026.pdf") as handle:
        pages = pypdf.PdfReader(handle).pages
        text = "\n".join(page.extract_text(extraction_mode="layout") for page in pages)
    counts = Counter(change.action for change in read_addenda(write(tmp_path, text, "addenda.txt")))
    assert counts == {"add": add, "delete": delete, "revise": revise}
