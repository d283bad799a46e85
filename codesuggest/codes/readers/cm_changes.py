"""What changed between two editions of ICD-10-CM: the Conversion Table, the addenda, and the addenda of the order file.

- Conversion Table (xlsx): below a paragraph of explanation, the columns Current code assignment, Effective, Previous
  Code(s) Assignment. Effective is a year, which means its 1 October, or a date.
- Addenda of the Index, the External Cause Index and the Tabular List are published as PDF; what is read here is their
  text with the layout kept (`pdftotext -layout FILE.pdf`). A line begins with Add, Delete, Revise from, Revise to or No
  Change; any other goes on with the one right above it, or begins with blanks and goes on with the last. In an index
  "- - " gives the level. The FY2026 Index addenda have 1,252 lines of change: 563 Add, 77 Delete, 306 pairs of Revise
  from and to. The addenda of the neoplasm and drug tables are laid out as tables and are not read.
- Order file addenda, `icd10cm_order_addenda_<year>.txt` in the zip of the order file: action in columns 1-13, then the
  order line without its number, and at the end the counts, which are checked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from codesuggest.codes import Range, as_day
from codesuggest.codes.readers import OrderLine, read_bytes
from codesuggest.codes.readers.bundle import Member, members
from codesuggest.codes.readers.cm import SHAPE
from codesuggest.codes.readers.sheets import Row, is_workbook, workbook_rows
from codesuggest.errors import CodeFileError, OptionError

_HEAD = ("Current code assignment", "Effective", "Previous Code(s) Assignment")
_CATEGORY = "(?:[A-Z][0-9][0-9A-Z]|Q[A-Z][0-9])"  # stricter than a code's shape: "AND", "(APL)" stand in prose
_CODE = rf"{_CATEGORY}(?:\.[0-9A-Z]{{1,4}})?"
_PREVIOUS = re.compile(rf"({_CODE})(?: ?- ?({_CODE})|\.?-)?(?![0-9A-Za-z.])")
_BETWEEN = re.compile(
    r"(?:[\s,;&]|\band\b|\bcodes?\b|\bin\b|\bfrom\b|\bcategor(?:y|ies)\b|\ba\b)*",
    re.I,
)

_ACTIONS = ("Add", "Delete", "Revise from", "Revise to")
_ACTION = re.compile(rf"({'|'.join(_ACTIONS)}|No Change)(?:\s+|$)(.*)")
_INDEXES = re.compile(r"ICD-10-CM (?:INDEX to DISEASES|EXTERNAL CAUSE)", re.I)
_TABULAR = re.compile(r"ICD-10-CM TABULAR LIST", re.I)
_AT_CODE = re.compile(rf"({_CODE})\s+\S")
_AT_BLOCK = re.compile(rf".*\(({_CATEGORY}(?:-{_CATEGORY})?)\)")
_CHAPTER = re.compile(r"Chapter [0-9]+")
_INSTRUCTION = re.compile(r"Use |Code |Excludes|Includes")

_COUNTED = re.compile(r"(?m)^ +([0-9]+) (additions|deletions|revisions)\r?$")
_COUNTS = {"additions": "add", "deletions": "delete", "revisions": "revise"}

T = TypeVar("T")
_Placed = tuple[tuple[str, ...], str]  #: where a change stands, and its text
_NOWHERE: _Placed = ((), "")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A code of the Conversion Table and what stood for it before it came."""

    code: str  #: with dot
    effective: int  #: first day, YYYYMMDD
    previous: tuple[Range, ...]  #: undotted; empty where there was none
    text: str  #: as printed: whether several were reported together ("and") or one of them is for a reader to say
    line: int  #: row of the sheet, from 1


@dataclass(frozen=True, slots=True)
class AddendaChange:
    """One change of an index or of the tabular: `before` is empty for an "add", `after` for a "delete"."""

    action: str  #: "add", "delete" or "revise"
    at: tuple[str, ...]  #: index: the terms above, from the main term; tabular: the code, block or chapter it stands at
    before: str
    after: str
    line: int  #: of the file, from 1; for a "revise" that of its first half


@dataclass(frozen=True, slots=True)
class OrderChange:
    """One change of the order file: `before` is None for an "add", `after` for a "delete". A code that turns header is
    deleted as a code and added as a header."""

    action: str  #: "add", "delete" or "revise"
    before: OrderLine | None
    after: OrderLine | None


# ---- Conversion Table


def read_conversion(path: str | Path) -> tuple[Conversion, ...]:
    """The Conversion Table, in its order: FY2026 has 5,892 codes since 2016. Reads the xlsx in 0.5 s.

    Needs the extra `tables`. Raises CodeFileError, MissingExtraError.
    """
    member = Member(Path(path))
    data = member.read()
    if not is_workbook(data):
        raise CodeFileError("is no Excel workbook (.xlsx)", path=path)
    found: list[Conversion] = []
    for rows in workbook_rows(data, Path(path)):
        found += _conversions(rows, path)
    if not found:
        raise CodeFileError(f"no sheet has the columns {', '.join(_HEAD)}", path=path)
    return tuple(found)


def _conversions(rows: Sequence[Row], path: str | Path) -> Iterator[Conversion]:
    """The rows below the header; nothing of a sheet that has none."""
    start = next((n for n, (_, cells) in enumerate(rows) if cells[:3] == _HEAD), len(rows))
    for line, cells in rows[start + 1 :]:
        code, effective, previous = (*cells, "", "", "")[:3]
        if any(cells[3:]) or not SHAPE.fullmatch(code):
            raise CodeFileError(f"{code!r} is not the shape of a code", path=path, line=line)
        day = f"{effective}1001" if re.fullmatch("20[0-9]{2}", effective) else effective
        try:
            first = as_day(f"{day[:4]}-{day[4:6]}-{day[6:]}")
        except OptionError as error:
            raise CodeFileError(f"{effective!r} is no year or date", path=path, line=line) from error
        key = code.replace(".", "")
        dotted = f"{key[:3]}.{key[3:]}" if len(key) > 3 else key
        yield Conversion(dotted, first, _ranges(previous, path, line), previous, line)


def _ranges(text: str, path: str | Path, line: int) -> tuple[Range, ...]:
    if text == "None":
        return ()
    out, last = [], 0
    for found in _PREVIOUS.finditer(text):
        if not _BETWEEN.fullmatch(text[last : found.start()]):
            break
        lo, hi = found[1].replace(".", ""), (found[2] or found[1]).replace(".", "")
        out.append(Range(lo, hi))
        last = found.end()
    if not out or not _BETWEEN.fullmatch(text[last:]) or any(lo > hi for lo, hi, _ in out):
        raise CodeFileError(f"{text!r} does not name the previous codes", path=path, line=line)
    return tuple(out)


# ---- addenda as text


def read_addenda(path: str | Path) -> tuple[AddendaChange, ...]:
    """The changes in the text of an addenda PDF of an index or of the Tabular List, in their order.

    Raises CodeFileError: among others on the PDF itself, or the zip of them, naming the command that makes its text.
    """
    found = members(path)
    texts = [member for member in found if not member.head().startswith(b"%PDF")]
    if found and not texts:
        raise CodeFileError("is a PDF; make its text with: pdftotext -layout FILE.pdf", path=path)
    if len(texts) != 1:
        raise CodeFileError(f"{len(texts)} files beside PDFs, one is needed", path=path)
    data = texts[0].read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CodeFileError("is not UTF-8", path=path, line=line) from error
    tabular = bool(_TABULAR.search(text[:2000]))
    if not tabular and not _INDEXES.search(text[:2000]):
        raise CodeFileError("does not say that it is an index or the tabular list", path=path)
    placed = (_in_tabular if tabular else _in_index)(_addenda_lines(text, path), path)
    return tuple(
        AddendaChange(action, (before or after or _NOWHERE)[0], (before or _NOWHERE)[1], (after or _NOWHERE)[1], line)
        for line, action, before, after in _paired(placed, path)
    )


def _addenda_lines(text: str, path: str | Path) -> Iterator[tuple[int, str, str]]:
    """(line, action, text), continuations joined."""
    current: tuple[int, str, str] | None = None
    blank = False
    for number, raw in enumerate(text.replace("\f", "").split("\n"), start=1):
        body = raw.strip()
        if not body or body.isdigit():  # a page number
            blank = True
            continue
        if found := _ACTION.match(body):
            if current:
                yield current
            current = (number, found[1], " ".join(found[2].split()))
        elif current and (raw[:1].isspace() or not blank):
            current = (current[0], current[1], f"{current[2]} {' '.join(body.split())}")
        elif current:
            raise CodeFileError("begins with no action and goes on with no line before", path=path, line=number)
        blank = False
    if current is None:
        raise CodeFileError("holds no Add, Delete or Revise", path=path)
    yield current


def _in_index(lines: Iterable[tuple[int, str, str]], path: str | Path) -> Iterator[tuple[int, str, _Placed]]:
    """(line, action, (the terms above, text without dashes)) of the addenda of an index."""
    above: list[str] = []
    for line, action, text in lines:
        dashes = re.match("(?:- ?)*", text)
        words = text[dashes.end() :] if dashes else text
        level = dashes.group().count("-") if dashes else 0
        if not words:
            raise CodeFileError(f"{action} without words", path=path, line=line)
        above = above[:level]
        yield line, action, (tuple(above), words)
        above.append(words)


def _in_tabular(lines: Iterable[tuple[int, str, str]], path: str | Path) -> Iterator[tuple[int, str, _Placed]]:
    """(line, action, (the code, block or chapter it stands at, text)) of the addenda of the tabular."""
    at: tuple[str, ...] = ()
    for line, action, text in lines:
        if not text:
            raise CodeFileError(f"{action} without words", path=path, line=line)
        if place := _place(text):
            at = (place,)
        yield line, action, (at, text)


def _paired(lines: Iterable[tuple[int, str, T]], path: str | Path) -> Iterator[tuple[int, str, T | None, T | None]]:
    """(line, "add" | "delete" | "revise", before, after): each "Revise from" with the "Revise to" that follows it."""
    held: tuple[int, T] | None = None
    last = 0
    for line, action, item in lines:
        last = line
        if (action == "Revise to") != (held is not None):
            raise CodeFileError("Revise from and Revise to do not follow each other", path=path, line=line)
        if action == "Revise from":
            held = (line, item)
        elif held is not None:
            yield held[0], "revise", held[1], item
            held = None
        elif action == "Add":
            yield line, "add", None, item
        elif action == "Delete":
            yield line, "delete", item, None
    if held is not None:
        raise CodeFileError("ends after Revise from: it is cut", path=path, line=last)


def _place(text: str) -> str:
    """The code, block or chapter that a line of the tabular names, or ""."""
    if found := _AT_CODE.match(text):
        return found[1]
    if _CHAPTER.fullmatch(text):
        return text
    found = _AT_BLOCK.fullmatch(text)
    return found[1] if found and not _INSTRUCTION.match(text) else ""


# ---- order file addenda


def read_order_addenda(path: str | Path) -> tuple[OrderChange, ...]:
    """The changes of the order file against that of the year before, from its zip or the text in it.

    FY2026: 487 codes and 143 headers added, 28 codes deleted, 38 codes and 7 headers retitled.
    """
    text = read_bytes(path, member=r"(?i)order_addenda_\d{4}\.txt$").decode("latin-1")
    lines, *summary = re.split(r"(?m)^(?=Headers\r?$)", text, maxsplit=1)
    changes = tuple(
        OrderChange(action, before, after) for _, action, before, after in _paired(_order_lines(lines, path), path)
    )
    told: Counter[str] = Counter()
    for count, what in _COUNTED.findall("".join(summary)):
        told[_COUNTS[what]] += int(count)
    found = Counter(change.action for change in changes)
    if not summary or told != found:
        message = f"its summary counts {dict(told) or 'nothing'}, its lines {dict(found)}: it is cut or changed"
        raise CodeFileError(message, path=path)
    return changes


def _order_lines(text: str, path: str | Path) -> Iterator[tuple[int, str, OrderLine]]:
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        action, flag, code = line[:13].rstrip(" :"), line[13:14], line[15:22].rstrip()
        blanks = line[14:15] + line[22:23] + line[83:84]
        if action not in _ACTIONS or flag not in ("0", "1") or not SHAPE.fullmatch(code) or blanks != "   ":
            raise CodeFileError("is no line of action, flag, code and titles", path=path, line=number)
        yield number, action, OrderLine(number, code, flag == "1", line[23:83].strip(), line[84:].strip())
