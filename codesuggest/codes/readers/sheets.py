"""Tables as rows of text, from CSV bytes or an Excel workbook: what the published lists of HCPCS and Medicare are.

A cell is stripped text: a whole number without ".0", a date as YYYYMMDD, an empty cell "". Rows without any text are
left out. A workbook needs the extra `tables`; it is checked before openpyxl sees it: no member leaves the archive, all
unpacked is at most `MAX_UNPACKED`, and no part declares a document type, without which there are no entities to expand.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

from codesuggest.codes.readers import archive_members, zip_errors
from codesuggest.errors import CodeFileError, MissingExtraError

Row = tuple[int, tuple[str, ...]]  #: line or row number from 1, cells

MAX_UNPACKED = 512 * 1024 * 1024
MAX_ROWS, MAX_COLUMNS = 500_000, 256
_CHUNK = 1 << 20
_BEFORE_XML = b"\xef\xbb\xbf\xfe\xff \t\r\n\0"  #: byte order marks and blanks
#: What openpyxl raises over workbooks that are zips of well-formed XML and yet none.
_NO_WORKBOOK = (
    zipfile.BadZipFile,
    SyntaxError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    OSError,
)


def decode(data: bytes, path: Path) -> str:
    """Text of a published file: UTF-8 (with or without BOM), else cp1252. Raises CodeFileError."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:4096]:
        raise CodeFileError("is UTF-16 or no text; save it as CSV in UTF-8", path=path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise CodeFileError(f"is neither UTF-8 nor Windows text (byte {error.start})", path=path) from error


def csv_rows(text: str, path: Path) -> Iterator[Row]:
    """Rows of a comma-separated text. Raises CodeFileError on broken quoting and on a row of too many cells."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise CodeFileError(f"{len(cells):,} columns, at most {MAX_COLUMNS} are read", path=path, line=line)
            if any(cell.strip() for cell in cells):
                yield line, tuple(cell.strip() for cell in cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise CodeFileError(f"is no table: {error}", path=path, line=line) from error


def csv_head(data: bytes, rows: int = 40) -> list[list[str]]:
    """The first rows of what may be a comma-separated text, to tell which it is: no error, whatever the bytes are."""
    text = data.decode("cp1252", errors="replace").replace("\x00", "")
    head = []
    try:
        for cells in csv.reader(io.StringIO(text, newline="")):
            head.append(cells)
            if len(head) == rows:
                break
    except csv.Error:
        pass  # no table, at least from here on
    return head


def day_of(text: str, path: Path, line: int) -> int:
    """The day in a cell, 20260401 or 2026-04-01, as an int YYYYMMDD; 0 for an empty cell. Raises CodeFileError."""
    text = text.strip()
    if not text:
        return 0
    if found := re.fullmatch(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})", text):
        try:
            return int(dt.date(int(found[1]), int(found[3]), int(found[4])).strftime("%Y%m%d"))
        except ValueError:
            pass
    raise CodeFileError(f"{text[:20]!r} is no day as 20260401", path=path, line=line)


def is_workbook(data: bytes) -> bool:
    """Whether the bytes are a zip that says it is an Office document."""
    return data.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in data


def workbook_rows(data: bytes, path: Path) -> list[list[Row]]:
    """The rows of every sheet of an .xlsx, in its order. Raises CodeFileError, MissingExtraError."""
    try:
        import openpyxl
    except ImportError:
        raise MissingExtraError("openpyxl", "tables", f"Reading {path.name}") from None
    _check_parts(data, path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of print headers and styles, which are not read
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            found = [list(_sheet_rows(sheet, path)) for sheet in book.worksheets]
    except _NO_WORKBOOK as error:
        if isinstance(error, CodeFileError):
            raise
        raise CodeFileError("is no workbook that can be read; save it as CSV", path=path) from error
    if not found:
        raise CodeFileError("is a workbook without sheets", path=path)
    return found


def _sheet_rows(sheet: Any, path: Path) -> Iterator[Row]:
    sheet.reset_dimensions()  # the declared size is the file's word only
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > MAX_ROWS or len(values) > MAX_COLUMNS:
            raise CodeFileError(
                f"a sheet of over {MAX_ROWS:,} rows or {MAX_COLUMNS} columns, which no such table has", path=path
            )
        cells = tuple(_text(value) for value in values)
        if any(cells):
            yield number, cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime | dt.date):
        return value.strftime("%Y%m%d")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _check_parts(data: bytes, path: Path) -> None:
    """Every XML part is well-formed and without a document type; all of them together are not too large."""
    size = 0
    with zip_errors(path), zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive_members(archive, path):
            is_xml = True if info.filename.lower().endswith((".xml", ".rels", ".vml")) else None
            parser = _plain_parser(path)
            with archive.open(info) as handle:
                while chunk := handle.read(_CHUNK):
                    if is_xml is None:  # a sheet is what the workbook says is one, whatever its part is called
                        is_xml = chunk.lstrip(_BEFORE_XML)[:1] in (b"<", b"")
                    size += len(chunk)
                    if size > MAX_UNPACKED:
                        raise CodeFileError(f"unpacks to over {MAX_UNPACKED:,} bytes", path=path)
                    if is_xml:
                        _parse(parser, chunk, False, path)
            if is_xml:
                _parse(parser, b"", True, path)


def _plain_parser(path: Path) -> expat.XMLParserType:
    def refuse(*_: Any) -> NoReturn:
        raise CodeFileError("a part of the workbook declares a document type or entities", path=path)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    return parser


def _parse(parser: expat.XMLParserType, chunk: bytes, final: bool, path: Path) -> None:
    try:
        parser.Parse(chunk, final)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, CodeFileError):
            raise
        raise CodeFileError(f"a part of the workbook is no XML: {error}", path=path) from error
