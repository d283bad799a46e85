"""HCPCS Level II: the quarterly release of CMS, and the short lists that others make of it.

The release is a zip of the "alpha-numeric" file (`..._ANWEB`) as fixed-width text and as a workbook, with notes and
change reports beside it. The text, cp1252, columns counted from 1 (CMS, HCPCS Contractor Record, 2019):

    1-5      code, or blank with a modifier in 4-5       269-276  added                          YYYYMMDD
    6-10     sequence: 00100, then 00200 ...             277-284  effective day of the action    YYYYMMDD
    11       3 code, 4 its continuation,                 285-292  last day it may be used        YYYYMMDD
             7 modifier, 8 its continuation              293      action: A added, B C S T description or type changed,
    12-91    long description, 80 a record                        D discontinued, F P coverage or payment changed,
    92-119   short description                                    N none, R re-activated

Disclaimers stand before the first record. The workbook and CSV forms have the same by name (HCPC, SEQNUM, RECID, LONG
DESCRIPTION, SHORT DESCRIPTION, ADD DT, ACT EFF DT, TERM DT, ACTION CD); lists of code and description only are read too,
and the OPPS Addendum B, whose short descriptor is all the title there is. Which of these a file is, its content tells.

Checked counts, codes + modifiers: January 2019 (text and workbook alike) 6,440 + 360, of which 506 and 9 had ended;
October 2025 (short CSV) 8,463 + 383. Not read: prices, coverage, BETOS, type of service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codesuggest.codes import CodeRow, GroupRow, Note
from codesuggest.codes.readers.bundle import Member, members
from codesuggest.codes.readers.sheets import Row, csv_head, csv_rows, day_of, decode, is_workbook, workbook_rows
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

#: Level II, and with `numeric` also Level I, which is CPT.
CODE = re.compile(r"[A-Z][0-9]{4}|[0-9]{4}[0-9A-Z]")
MODIFIER = re.compile(r"[A-Z0-9]{2}")

_RECORD = re.compile(r"(?P<code>   [A-Z0-9]{2}|[A-Z0-9]{5})(?P<sequence>[0-9]{5})(?P<kind>[3478])")
#: A damaged first record must not pass for a disclaimer: a code before a sequence, or columns up to the action.
_SHIFTED = re.compile(r".{0,12}[A-Z0-9]{2}\s{0,9}00[0-9]{3}[3478]\S|.{5}00[0-9]{3}[3478]|[^\t]{292}\S")
_WIDTH, _DETAIL = 320, 293
#: What the first letter of a code stands for, in our own words.
SECTIONS = {
    "A": "Ambulance, medical and surgical supplies, radiopharmaceuticals",
    "B": "Enteral and parenteral nutrition",
    "C": "Items of hospital outpatient departments",
    "D": "Dental procedures",
    "E": "Durable medical equipment",
    "G": "Procedures and professional services",
    "H": "Behavioral health and substance use treatment",
    "J": "Drugs not taken by mouth, chemotherapy",
    "K": "Items of the equipment contractors",
    "L": "Orthotics and prosthetics",
    "M": "Medical services and quality measures",
    "P": "Pathology, laboratory, blood products",
    "Q": "Temporary: drugs, biologicals, skin substitutes, supplies",
    "R": "Transport of portable radiology",
    "S": "Services that private payers asked for",
    "T": "Services of state Medicaid agencies",
    "U": "Coronavirus laboratory tests",
    "V": "Vision, hearing and speech",
}
_GROUP_OF = {letter: i for i, letter in enumerate(SECTIONS)}
_ACTIONS = {
    "A": "added",
    "B": "coverage and long description changed",
    "C": "long description changed",
    "D": "discontinued",
    "F": "coverage changed",
    "P": "payment changed",
    "R": "re-activated",
    "S": "short description changed",
    "T": "BETOS or type of service changed",
}
#: Names of the columns of a table, letters and digits only, and what they are here.
_COLUMNS = {
    "code": ("hcpc", "hcpcs", "hcpcscode", "hcpccode", "code"),
    "long": ("longdescription", "longdesc", "description"),
    "short": ("shortdescription", "shortdesc", "shortdescriptor"),
    "sequence": ("seqnum",),
    "kind": ("recid",),
    "added": ("adddt", "adddate"),
    "effective": ("acteffdt", "actioneffdt", "actioneffectivedate"),
    "ended": ("termdt", "termdate", "terminationdate"),
    "action": ("actioncd", "actioncode"),
}
_ROLE = {name: role for role, names in _COLUMNS.items() for name in names}
_PREAMBLE_ROWS = 40


@dataclass(slots=True)
class _Item:
    """A code or modifier while its continuation records are still to come."""

    code: str
    modifier: bool
    line: int
    sequence: int
    long: list[str]
    short: str = ""
    dates: dict[str, int] = field(default_factory=dict)  #: added, effective, ended
    action: str = ""


def read_hcpcs(
    path: str | Path, *, release: str | None = None, dental: bool = False, numeric: bool = False
) -> CodeSystem:
    """The codes of a release: the zip as published, its text or workbook, or a short list as CSV.

    The title is the long description; the short one is a term. A code is valid from the day it was added (or
    re-activated) to the day it ends. The last action, unless it is "none", becomes a note. D codes belong to the
    American Dental Association and codes that begin with a digit to the American Medical Association: both are dropped
    unless `dental` or `numeric` says that the user is licensed, and a model that holds them is not redistributable.

    `release` defaults to the newest effective day in the file, as 2019-01-01, else to the stem of the file's name.
    """
    items = [item for item in _items(path) if not item.modifier]
    kept = [i for i in items if (dental or i.code[0] != "D") and (numeric or i.code[0].isalpha())]
    return _system(path, kept, "hcpcs", release)


def read_modifiers(path: str | Path, *, release: str | None = None, numeric: bool = False) -> CodeSystem:
    """The modifiers of the same files (LT, RT, JW ...), as a system "hcpcs_modifiers" to look up, not to suggest from.

    Those that begin with a digit are the American Medical Association's, and dropped unless `numeric`.
    """
    items = [item for item in _items(path) if item.modifier and (numeric or item.code[0].isalpha())]
    return _system(path, items, "hcpcs_modifiers", release)


def _system(path: str | Path, items: Sequence[_Item], name: str, release: str | None) -> CodeSystem:
    if not items:
        raise CodeFileError(f"holds nothing of {name}", path=path)
    sections = [GroupRow(letter, title) for letter, title in SECTIONS.items()] if name == "hcpcs" else []
    rows = [_code_row(item, _GROUP_OF.get(item.code[0], -1) if sections else -1) for item in items]
    newest = max((item.dates.get("effective", 0) for item in items), default=0)
    day = f"{newest // 10000}-{newest // 100 % 100:02}-{newest % 100:02}" if newest else ""
    return CodeSystem.from_rows(rows, name=name, release=release or day or Path(path).stem, groups=sections)


def _code_row(item: _Item, group: int) -> CodeRow:
    long = " ".join(" ".join(item.long).split())
    short = " ".join(item.short.split())
    effective = item.dates.get("effective", 0)
    # the gap before a re-activation is not in the file
    first = effective if item.action == "R" and effective else item.dates.get("added", 0)
    notes: tuple[Note, ...] = ()
    if item.action in _ACTIONS and effective:
        day = f"{effective // 10000}-{effective // 100 % 100:02}-{effective % 100:02}"
        notes = (Note("note", item.code, f"{_ACTIONS[item.action]} {day}"),)
    terms = (("short", short),) if short and long and short.lower() != long.lower() else ()
    ended = item.dates.get("ended", 0)
    return CodeRow(item.code, long or short, True, "", first, ended, terms=terms, notes=notes, group=group)


# ---- which file


def _items(path: str | Path) -> list[_Item]:
    """Codes and modifiers of the one list in a file or bundle: of its fixed-width text, else its CSV, else its sheet."""
    found = members(path)
    forms = [(member, _form(member, alone=len(found) == 1)) for member in found]
    for form, read in (("text", _fixed), ("csv", _csv), ("sheet", _sheets)):
        lists = [member for member, its in forms if its == form]
        if form == "sheet":  # change reports are workbooks too
            lists = [member for member in lists if _is_list(member)] if len(lists) > 1 else lists
        if len(lists) > 1:
            names = ", ".join(member.name for member in lists)
            raise CodeFileError(f"holds several HCPCS lists, give one: {names}", path=path)
        if lists and (items := read(lists[0])):
            return items
    raise CodeFileError(
        "holds no HCPCS list: neither records of 320 columns nor a table with HCPC and a description", path=path
    )


def _form(member: Member, *, alone: bool) -> str:
    """ "text" (fixed width), "csv", "sheet" (a workbook, whatever is in it), or "" for what is no list."""
    head = member.head()
    if head.startswith(b"PK\x03\x04"):
        return "sheet" if alone or member.name.lower().endswith(".xlsx") else ""
    if any(_RECORD.match(line) for line in head.decode("cp1252", errors="replace").split("\n")):
        return "text"
    return "csv" if any(_columns(cells) for cells in csv_head(head, _PREAMBLE_ROWS)) else ""


# ---- the fixed-width text


def _fixed(member: Member) -> list[_Item]:
    items: list[_Item] = []
    item: _Item | None = None
    seen: dict[str, int] = {}
    for number, raw in _text_lines(member):
        found = _RECORD.match(raw)
        if not found:
            if item is None and not _SHIFTED.match(raw):
                continue  # a disclaimer
            if raw.strip(" \x1a"):
                raise CodeFileError(
                    "columns 1-11 are no code, sequence and record kind", path=member.label, line=number
                )
            continue
        code, sequence, kind = found["code"].strip(), int(found["sequence"]), found["kind"]
        if kind in "48":
            if item is None or (code, kind == "8") != (item.code, item.modifier) or sequence <= item.sequence:
                message = f"continues {code}, which is not the record before it"
                raise CodeFileError(message, path=member.label, line=number)
            item.sequence = sequence
            item.long.append(raw[11:91])
            continue
        item = _first_record(raw, code, sequence, kind == "7", member.label, number)
        if (before := seen.setdefault(code, number)) != number:
            raise CodeFileError(f"{code} was given on line {before} already", path=member.label, line=number)
        items.append(item)
    return items


def _text_lines(member: Member) -> Iterator[tuple[int, str]]:
    """Lines as text. The last one of a whole file has its line end, or all of its columns."""
    try:
        text = member.read().decode("cp1252")
    except UnicodeDecodeError as error:
        raise CodeFileError(f"is not cp1252 (byte {error.start})", path=member.label) from error
    lines = text.split("\n")
    if len(lines[-1].strip("\r\x1a")) not in (0, _WIDTH):
        raise CodeFileError("the last line is cut; get the file again", path=member.label, line=len(lines))
    for number, line in enumerate(lines, start=1):
        yield number, line.rstrip("\r")


def _first_record(raw: str, code: str, sequence: int, modifier: bool, path: Path, line: int) -> _Item:
    if not _DETAIL <= len(raw) <= _WIDTH:
        raise CodeFileError(f"{len(raw)} columns where a record has {_WIDTH}", path=path, line=line)
    if modifier != raw.startswith("   ") or not (MODIFIER if modifier else CODE).fullmatch(code):
        raise CodeFileError(f"{code} is no {'modifier' if modifier else 'code'}", path=path, line=line)
    spans = {"added": raw[268:276], "effective": raw[276:284], "ended": raw[284:292]}
    dates = {what: day_of(text, path, line) for what, text in spans.items()}
    long, short, action = raw[11:91], raw[91:119], raw[292]
    if not long.strip() or not short.strip():
        raise CodeFileError(f"{code} has no description", path=path, line=line)
    _check_action(action, path, line)
    return _Item(code, modifier, line, sequence, [long], short, dates, action)


def _check_action(action: str, path: Path, line: int) -> None:
    if action.strip() and action not in _ACTIONS and action != "N":
        raise CodeFileError(f"{action!r} is no action code", path=path, line=line)


# ---- tables


def _csv(member: Member) -> list[_Item]:
    return _table([list(csv_rows(decode(member.read(), member.label), member.label))], member.label, ragged=False)


def _sheets(member: Member) -> list[_Item]:
    return _table(_workbook(member), member.label, ragged=True)  # a sheet leaves empty cells at the end out


def _is_list(member: Member) -> bool:
    return any(_columns(cells) for rows in _workbook(member) for _, cells in rows[:_PREAMBLE_ROWS])


def _workbook(member: Member) -> list[list[Row]]:
    data = member.read()
    return workbook_rows(data, member.label) if is_workbook(data) else []


def _table(sheets: Iterable[Sequence[Row]], path: Path, *, ragged: bool) -> list[_Item]:
    """The items below the first header of a HCPCS list; none without one."""
    for rows in sheets:
        for at, (_, cells) in enumerate(rows[:_PREAMBLE_ROWS]):
            if columns := _columns(cells):
                return _table_items(rows[at + 1 :], columns, len(cells), path, ragged=ragged)
    return []


def _columns(cells: Sequence[str]) -> dict[str, int]:
    """Role -> column of a header; empty when the cells are no header of a HCPCS list."""
    names = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in cells]
    roles = [(_ROLE[name], i) for i, name in enumerate(names) if name in _ROLE]
    columns = dict(roles)
    if len(columns) != len(roles) or "code" not in columns or not {"long", "short"} & set(columns):
        return {}
    return columns


def _table_items(
    rows: Sequence[Row], columns: Mapping[str, int], width: int, path: Path, *, ragged: bool
) -> list[_Item]:
    items: dict[tuple[str, bool], _Item] = {}
    for line, cells in rows:
        if any(cells[width:]) or (len(cells) != width and not ragged):
            raise CodeFileError(f"{len(cells)} columns, the header has {width}", path=path, line=line)
        value = {role: cells[i] if i < len(cells) else "" for role, i in columns.items()}
        item, continues = _table_item(value, path, line)
        key = (item.code, item.modifier)
        if continues:
            if key not in items or item.sequence <= items[key].sequence:
                raise CodeFileError(f"continues {item.code}, which is not before it", path=path, line=line)
            items[key].long += item.long
            items[key].sequence = item.sequence
        elif key in items:
            raise CodeFileError(f"{item.code} was given on line {items[key].line} already", path=path, line=line)
        else:
            items[key] = item
    return list(items.values())


def _table_item(value: Mapping[str, str], path: Path, line: int) -> tuple[_Item, bool]:
    """The item of a row, and whether it continues one."""
    code, kind = value["code"].upper(), value.get("kind") or ""
    modifier = kind in ("7", "8") if "kind" in value else len(code) == 2
    if "kind" in value and kind not in ("3", "4", "7", "8"):
        raise CodeFileError(f"RECID is {kind!r}, not 3, 4, 7 or 8", path=path, line=line)
    if not (MODIFIER if modifier else CODE).fullmatch(code):
        raise CodeFileError(f"{code!r} is no {'modifier' if modifier else 'code'}", path=path, line=line)
    sequence = value.get("sequence") or "0"
    if not re.fullmatch(r"[0-9]{1,5}", sequence):
        raise CodeFileError(f"SEQNUM is {sequence!r}, not a number", path=path, line=line)
    continues = kind in ("4", "8")
    long, short, action = value.get("long", ""), value.get("short", ""), value.get("action", "")
    if not long and not short and code[0].isalpha():
        raise CodeFileError(f"{code} has no description", path=path, line=line)
    _check_action(action, path, line)
    dates = {what: day_of(value.get(what, ""), path, line) for what in ("added", "effective", "ended")}
    return _Item(code, modifier, line, int(sequence), [long], short, dates, action), continues
