"""Bundles and sheets: what every reader of lists opens, and ill-meant archives and workbooks."""

from __future__ import annotations

import builtins
import datetime as dt
import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from codesuggest.codes.readers import bundle, sheets
from codesuggest.codes.readers.bundle import Member, members
from codesuggest.codes.readers.sheets import csv_head, csv_rows, day_of, decode, is_workbook, workbook_rows
from codesuggest.errors import CodeFileError, MissingExtraError

HERE = Path("list.xlsx")


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("Second").append(["only cell"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(data: bytes, name: str, change: bytes, before: bytes = b"") -> bytes:
    """A workbook with one part changed, `change` put in front of `before` or replacing the part."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    parts[name] = parts[name].replace(before, change + before, 1) if before else change
    return zipped(parts)


# ---- cells


def test_cells_of_a_workbook() -> None:
    data = workbook(
        ["code", "n", "day"],
        [],
        [" A1 ", 10.0, dt.datetime(2026, 4, 1)],
        [None, 2.5, None],
        [7, True, dt.date(2026, 4, 1)],
    )
    assert is_workbook(data)
    first, second = workbook_rows(data, HERE)
    assert first == [
        (1, ("code", "n", "day")),
        (3, ("A1", "10", "20260401")),
        (4, ("", "2.5")),  # as wide as its last value
        (5, ("7", "True", "20260401")),
    ]
    assert second == [(1, ("only cell",))]


def test_without_openpyxl_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "openpyxl":
            raise ImportError(name)
        return real(name, *rest, **more)

    data = workbook(["a"])
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'Reading list\.xlsx needs .* pip install "codesuggest\[tables\]"'):
        workbook_rows(data, HERE)


def test_cells_of_a_csv() -> None:
    text = 'a,b\n\n"1\n2", x \n,\n3,4\n'
    assert list(csv_rows(text, HERE)) == [(1, ("a", "b")), (3, ("1\n2", "x")), (6, ("3", "4"))]
    with pytest.raises(CodeFileError, match="line 2: is no table"):
        list(csv_rows('a,b\n1,"2', HERE))
    with pytest.raises(CodeFileError, match="300 columns"):
        list(csv_rows("," * 299 + "x", HERE))
    assert csv_head(b'a,b\n1,"2') == [["a", "b"], ["1", "2"]]
    assert csv_head(b"\xff\xfea\x00") != []


@pytest.mark.parametrize(("text", "day"), [("20260401", 20260401), (" 2026-04-01 ", 20260401), ("", 0), ("  ", 0)])
def test_days(text: str, day: int) -> None:
    assert day_of(text, HERE, 3) == day


@pytest.mark.parametrize("text", ["20260431", "2026-0401", "04/01/2026", "0", "2026-13-01", "२०२६०४०१"])
def test_no_days(text: str) -> None:
    with pytest.raises(CodeFileError, match=r"list\.xlsx, line 3: .* is no day"):
        day_of(text, HERE, 3)


def test_encodings() -> None:
    assert decode("\ufeffé".encode(), HERE) == "é"
    assert decode(b"\xe9\x96", HERE) == "é–"
    for data in (b"\x81", "é".encode("utf-16"), "a".encode("utf-16-le")):
        with pytest.raises(CodeFileError, match=r"list\.xlsx"):
            decode(data, HERE)


# ---- ill-meant workbooks

BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (with_part(workbook(["a"]), "xl/worksheets/sheet1.xml", BOMB, b"<worksheet"), "document type"),
        (with_part(workbook(["a"]), "xl/workbook.xml", BOMB, b"<workbook"), "document type"),
        (with_part(workbook(["a"]), "[Content_Types].xml", b"<!DOCTYPE Types>", b"<Types"), "document type"),
        (with_part(workbook(["a"]), "xl/worksheets/sheet1.xml", b"<worksheet>"), "no XML"),
        (
            with_part(workbook(["a"]), "xl/workbook.xml", '<?xml version="1.0"?><!DOCTYPE a>'.encode("utf-16")),
            "document type",
        ),
        (
            with_part(
                workbook(["a"]),
                "xl/workbook.xml",
                b'<?xml version="1.0" encoding="cp037"?>' + "<!DOCTYPE a><a/>".encode("cp037"),
            ),
            "document type|no XML",
        ),
        (with_part(workbook(["a"]), "xl/workbook.xml", b'<?xml version="1.0" encoding="what"?><a/>'), "no XML"),
        (with_part(workbook(["a"]), "xl/workbook.xml", b"<a/>"), "without sheets"),
        (with_part(workbook(["a"]), "[Content_Types].xml", b"<Types/>"), "no workbook"),
        (zipped({"[Content_Types].xml": b"<Types/>"}), "no workbook"),
        (zipped({"[Content_Types].xml": b"<Types/>", "../x": b""}), "leaves the archive"),
        (workbook(["a"])[:-30], "no readable zip"),
        (workbook(["x"] * 300), "256 columns"),
    ],
)
def test_ill_meant_workbooks(data: bytes, says: str) -> None:
    with pytest.raises(CodeFileError, match=says) as caught:
        workbook_rows(data, HERE)
    assert "list.xlsx" in str(caught.value)


def test_limits_of_a_workbook(monkeypatch: pytest.MonkeyPatch) -> None:
    data = workbook(*[["x"]] * 20)
    monkeypatch.setattr(sheets, "MAX_ROWS", 10)
    with pytest.raises(CodeFileError, match="over 10 rows"):
        workbook_rows(data, HERE)
    monkeypatch.setattr(sheets, "MAX_UNPACKED", 1000)
    with pytest.raises(CodeFileError, match="unpacks to over 1,000"):
        workbook_rows(data, HERE)


# ---- bundles


def test_members_of_files_zips_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"one\r\ntwo\n")
    (tmp_path / "c.xlsx").write_bytes(workbook(["a"]))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "e.zip").write_bytes(zipped({"z.txt": b"z\n", "in/a.txt": b"a\n", "in/": b""}))
    names = [m.label.relative_to(tmp_path).as_posix() for m in members(tmp_path)]
    assert names == ["b.txt", "c.xlsx", "d/e.zip/in/a.txt", "d/e.zip/z.txt"]
    assert [m.name for m in members(tmp_path / "d" / "e.zip")] == ["a.txt", "z.txt"]
    (alone,) = members(tmp_path / "b.txt")
    assert alone.read() == b"one\r\ntwo\n" and list(alone.lines()) == [(1, b"one"), (2, b"two")]
    assert [list(m.lines()) for m in members(tmp_path / "d" / "e.zip")] == [[(1, b"a")], [(1, b"z")]]


def test_limits_of_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a": b"x" * 5000 + b"\n"}))
    (member,) = members(path)
    with pytest.raises(CodeFileError, match=r"a\.zip/a: larger than 1,000"):
        member.read(1000)
    monkeypatch.setattr(bundle, "MAX_LINE", 100)
    with pytest.raises(CodeFileError, match="line 1: a line, or the file, is longer"):
        list(member.lines())
    for n in range(4):
        (tmp_path / f"{n}").write_bytes(b"")
    monkeypatch.setattr(bundle, "MAX_MEMBERS", 3)
    with pytest.raises(CodeFileError, match="a folder of 5 files"):
        members(tmp_path)


def test_archives_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a": b"x" * 5000}))
    data = bytearray(path.read_bytes())
    data[40] ^= 0xFF  # inside the compressed member
    path.write_bytes(bytes(data))
    with pytest.raises(CodeFileError, match=r"a\.zip.*no readable zip"):
        Member(path, "a").read()
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    with pytest.raises(CodeFileError, match="two members"):
        members(path)
    with pytest.raises(CodeFileError, match="cannot be read"):
        members(tmp_path / "nowhere")
