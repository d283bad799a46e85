"""ICD-10-CM's Alphabetic Index, as the XML that NCHS publishes and as the CSV made of it.

XML: `ICD10CM.index` > `letter` > `mainTerm` > `term[level]`, nested to level 9. Each has a `title` (with its
nonessential modifiers in `nemod`) and, of `code`, `manif` (the second code of an etiology/manifestation pair), `see`,
`seeAlso`, `seecat` and `subcat` (see a category), what applies. The External Cause Index has the same layout, and so
have the Neoplasm Table and the Table of Drugs, with `cell[col]` in place of `code`; `read_rows` reads them all.

CSV (FY2025): RowID, Letter, Level, Term, See, SeeAlso, NonEssModif, Code, UTF-8. It is the XML's shadow: the
manifestation codes are lost ("E85.4 [I43]" is E85.4 alone), so is what a title says after its nonessential modifiers,
and a "see category I01" stands as See "category", Code "I01".

The order of the rows is the book's. A code is kept as printed: one that ends in "-" needs further characters, and one
without may still be a header; `codesuggest.codes.index_terms` completes both in the tabular.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from codesuggest.codes.readers import read_bytes
from codesuggest.codes.readers.cm import SHAPE
from codesuggest.codes.readers.xml import XmlReader
from codesuggest.errors import CodeFileError

K = TypeVar("K", int, str)

#: A code as the Index prints it: "I10", "M54.5-", "A18.-", "K50-".
PRINTED = re.compile(rf"(?:{SHAPE.pattern})(?:\.?-)?")
COLUMNS = ("RowID", "Letter", "Level", "Term", "See", "SeeAlso", "NonEssModif", "Code")  #: of the CSV
MAX_LEVEL = 9  #: of a term below its main term

_VALUES = frozenset(("code", "manif", "see", "seeAlso", "seecat", "subcat", "warning"))
_TERM = _VALUES | {"title", "cell", "term"}
_INSIDE = {
    "": frozenset(("ICD10CM.index",)),
    "ICD10CM.index": frozenset(("version", "title", "indexHeading", "letter")),
    "indexHeading": frozenset(("head",)),
    "letter": frozenset(("title", "mainTerm")),
    "mainTerm": _TERM,
    "term": _TERM,
    "title": frozenset(("nemod",)),
}


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One row of the Index. Texts have their blanks normalised and are empty where the row has none.

    `path` holds the titles from the main term down to the row's own, without nonessential modifiers: ("Diabetes,
    diabetic", "type 2", "with", "nephropathy"); those of the row's own title are in `nonessential`, as printed. A
    title can be empty where its words are all nonessential.
    """

    path: tuple[str, ...]
    line: int  #: of the file, from 1
    nonessential: str = ""
    code: str = ""  #: as printed
    manifestation: str = ""  #: as printed, without its brackets
    see: str = ""
    see_also: str = ""
    see_category: str = ""  #: "see category T71"; nothing is coded from the row itself
    warning: str = ""

    @property
    def incomplete(self) -> bool:
        """Whether the printed code says itself that it needs further characters."""
        return self.code.endswith("-")

    @property
    def stem(self) -> str:
        """The code without dot and dash; see `stem_of`."""
        return stem_of(self.code)


@dataclass(slots=True)
class Row:
    """A main term or term while it is read; `cells` by column."""

    path: tuple[str, ...]
    line: int
    title: str | None = None
    nonessential: str = ""
    values: dict[str, str] = field(default_factory=dict)
    cells: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Rows:
    """What a file of the index layout holds: its year, the heads of its columns if it is a table, its rows."""

    version: str = ""
    heads: dict[int, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def read_index_xml(path: str | Path, *, member: str = r"(?i)(?<!e)index.*\.xml$") -> tuple[IndexEntry, ...]:
    """Alphabetic Index, or any other of its layout; of a zip, the one member whose name matches `member`. Reads the
    8,090 terms of the External Cause Index in 0.1 s.

    Raises CodeFileError: among others on a table of neoplasms or drugs, and on an addenda file, which is no index.
    """
    found = read_rows(path, member=member)
    if found.heads:
        raise CodeFileError("is a table with columns, not an index: read it with codes.readers.cm_tables", path=path)
    return tuple(_entry(row, path) for row in found.rows)


def stem_of(printed: str) -> str:
    """A printed code without dot and without the dash that asks for more: "M54.5-" is "M545"."""
    return printed.rstrip("-").replace(".", "")


def read_index_csv(path: str | Path) -> tuple[IndexEntry, ...]:
    """The CSV form of the Alphabetic Index, or a zip that holds it. Reads 81,024 rows in 0.6 s."""
    entries: list[IndexEntry] = []
    above: list[str] = []
    for line, values in _csv_rows(path):
        row = dict(zip(COLUMNS, (" ".join(v.split()) for v in values), strict=True))
        level = int(row["Level"]) if re.fullmatch("[0-9]", row["Level"]) else -1
        if row["RowID"] != str(len(entries) + 1) or not 0 <= level <= len(above):
            message = f"RowID {row['RowID']!r}, Level {row['Level']!r} do not follow the row before"
            raise CodeFileError(message, path=path, line=line)
        if not re.fullmatch("[A-Z]", row["Letter"]) or not (row["Term"] or row["NonEssModif"]):
            raise CodeFileError("has no Letter or no Term", path=path, line=line)
        del above[level:]
        above.append(row["Term"])
        category = ""
        if "category" in (row["See"].removeprefix("sub"), row["SeeAlso"].removeprefix("sub")):
            category, row["Code"], row["See"], row["SeeAlso"] = row["Code"], "", "", ""
        _check_code(row["Code"] or category, path, line)
        entries.append(
            IndexEntry(
                path=tuple(above),
                line=line,
                nonessential=row["NonEssModif"],
                code=row["Code"],
                see=row["See"],
                see_also=row["SeeAlso"],
                see_category=category,
            )
        )
    if not entries:
        raise CodeFileError("holds no row", path=path)
    return tuple(entries)


def read_rows(path: str | Path, *, member: str) -> Rows:
    """Rows of any XML file of the index layout, in its order; of a zip, those of the one member that matches."""
    parser = _Index(path)
    parser.xml.read(read_bytes(path, member=member))
    if not parser.found.rows:
        raise CodeFileError("holds no term", path=path)
    return parser.found


class _Index:
    """Builds `Row`s from what the XML reader reports."""

    def __init__(self, path: str | Path) -> None:
        self.found = Rows()
        self._open: list[Row] = []
        self._column = 0
        self._nonessential = ""
        self.xml = XmlReader(path, _INSIDE, self._start, self._end, what="ICD-10-CM index", mixed={"title"})

    def _start(self, tag: str, outer: str, attributes: dict[str, str]) -> None:
        if tag in ("mainTerm", "term"):
            above = self._open[-1] if self._open else None
            if above is not None and above.title is None:
                self.xml.fail(f"<{tag}> before the <title> of the term around it")
            level = attributes.get("level", "0" if tag == "mainTerm" else "")
            if level != str(len(self._open)) or len(self._open) > MAX_LEVEL:
                self.xml.fail(f"<{tag}> of level {level!r} stands {len(self._open)} below its main term")
            self._open.append(Row(above.path if above else (), self.xml.line))
            self.found.rows.append(self._open[-1])
        elif tag in ("cell", "head"):
            column = attributes.get("col", "")
            if not re.fullmatch("[1-9]", column):
                self.xml.fail(f"<{tag}> of column {column!r}")
            self._column = int(column)
        elif tag == "title":
            self._nonessential = ""
        elif tag == "ICD10CM.index" and attributes.get("isAddenda") == "true":
            self.xml.fail("is an addenda file, which holds changes only")

    def _end(self, tag: str, outer: str, text: str) -> None:
        if tag in ("mainTerm", "term"):
            if (row := self._open.pop()).title is None:
                self.xml.fail(f"<{tag}> of line {row.line} has no title")
        elif tag == "nemod":
            self._nonessential = f"{self._nonessential} {text}".strip()
        elif tag == "title" and self._open:
            self._set_title(self._open[-1], text)
        elif tag == "cell":
            self._set(self._open[-1].cells, self._column, text, f"cell of column {self._column}")
        elif tag == "head":
            self._set(self.found.heads, self._column, text, f"head of column {self._column}")
        elif tag in _VALUES:
            if not text:
                self.xml.fail(f"an empty <{tag}>")
            self._set(self._open[-1].values, tag, text, tag)
        elif tag == "version":
            self.found.version = text

    def _set_title(self, row: Row, text: str) -> None:
        if row.title is not None or not (text or self._nonessential):
            self.xml.fail("a second title" if row.title else "a title without words")
        row.title, row.nonessential = text, self._nonessential
        row.path = (*row.path, text)

    def _set(self, into: dict[K, str], key: K, text: str, name: str) -> None:
        if key in into:
            self.xml.fail(f"a second {name} in one place")
        into[key] = text


def _entry(row: Row, path: str | Path) -> IndexEntry:
    if row.cells:
        raise CodeFileError("a <cell>, which only a table has", path=path, line=row.line)
    values = row.values
    for tag in ("code", "seecat", "subcat"):
        _check_code(values.get(tag, ""), path, row.line)
    if "seecat" in values and "subcat" in values:
        raise CodeFileError("both <seecat> and <subcat>", path=path, line=row.line)
    return IndexEntry(
        path=row.path,
        line=row.line,
        nonessential=row.nonessential,
        code=values.get("code", ""),
        manifestation=values.get("manif", "").strip("[] "),
        see=values.get("see", ""),
        see_also=values.get("seeAlso", ""),
        see_category=values.get("seecat", "") or values.get("subcat", ""),
        warning=values.get("warning", ""),
    )


def _check_code(code: str, path: str | Path, line: int) -> None:
    if code and not PRINTED.fullmatch(code):
        raise CodeFileError(f"{code!r} is not the shape of a code", path=path, line=line)


def _csv_rows(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """(line, values) of the CSV after its header."""
    data = read_bytes(path, member=r"(?i)index.*\.csv$")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CodeFileError("is not UTF-8", path=path, line=line) from error
    if not text.endswith("\n"):
        raise CodeFileError("its last line has no end: the file is cut", path=path, line=text.count("\n") + 1)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if tuple(next(reader, ())) != COLUMNS:
            raise CodeFileError(f"the header is not {','.join(COLUMNS)}", path=path, line=1)
        for values in reader:
            if len(values) != len(COLUMNS):
                message = f"{len(values)} columns, the header has {len(COLUMNS)}"
                raise CodeFileError(message, path=path, line=reader.line_num)
            yield reader.line_num, values
    except csv.Error as error:
        raise CodeFileError(f"is no table: {error}", path=path, line=reader.line_num) from error
