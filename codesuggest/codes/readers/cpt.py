"""CPT from the files a licensee has: the American Medical Association owns codes and text, and nothing of it ships.

Every known form is told by its content, in one file, a zip or a folder of several, which are merged:

| form | told by | gives |
|---|---|---|
| ConsolidatedCodeList.txt | tabs, a header with "CPT Code" and "Long" | long, medium, short, consumer, test name |
| ClinicianDescriptor.txt, ConsumerDescriptor.txt | tabs, a header with "CPT Code" and a descriptor | further names |
| LONGULT.txt, LONGUT.txt (capitals) | code, tab, text | long |
| LONGULF.txt, LONGUF.txt (capitals) | code 1-5, sequence 6-7, blank, text 9-80, several rows a code | long |
| MEDU.txt, SHORTU.txt | code 1-5, blank, text 7-54 or 7-34 | medium, short |
| PPRRVU... .csv of CMS | a row that begins HCPCS, MOD | codes and payment status; names only with `descriptions` |
| CONCEPT.csv of Athena | tabs, a header with concept_code, vocabulary_id | CPT4 names (empty until cpt.sh has run), validity |
| MRCONSO.RRF of UMLS | 18 fields, each followed by "|" | SAB=CPT, LAT=ENG, SUPPRESS=N |

The text files open with a copyright notice: the header is looked for, or what follows the last empty line is read. They
are UTF-8, else cp1252. The title of a code is its longest long descriptor, mixed case before capitals; the other names
are its terms. Left out: Spanish names, laboratory and manufacturer, modifiers, headings.

Sources of the layouts: a public copy of the AMA's loader and HL7's importer, an AMA file layout of 2001, NLM's page of
the source; no file of the AMA was seen, so the tests run on invented rows. The list of term types is from memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from codesuggest.codes import CodeRow, Note
from codesuggest.codes.readers.bundle import Member, members
from codesuggest.codes.readers.sheets import csv_head, csv_rows, day_of, decode
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

#: Category I, and the letters of categories II and III, unlisted MAAA, and PLA.
SHAPE = re.compile(r"[0-9]{4}[0-9AFTUM]")

_LONG, _SHORT, _NAME = "long", "short", "synonym"
#: Columns of the tables with a header, letters only, and what they hold.
_COLUMNS = {
    "long": _LONG,
    "medium": _SHORT,
    "short": _SHORT,
    "consumer": _NAME,
    "testname": _NAME,
    "cliniciandescriptor": _NAME,
    "consumerdescriptor": _NAME,
}
_EFFECTIVE = "currentdescriptoreffectivedate"
_TERM_TYPES = {"PT": _LONG, "AB": _SHORT}  #: any other but headings and modifiers is a further name
_NO_CODES = frozenset(("HT", "MP"))
_DELETED = frozenset("DF")  #: payment status: deleted, discontinued
_HEADER_LINES = 60  #: a licensee's header stood on line 27
#: Rows as they look in the forms without a header.
_TABBED = re.compile(r"(?P<code>[0-9]{4}[0-9AFTUM])\t(?P<text>\S.*)")
_NUMBERED = re.compile(r"(?P<code>[0-9]{4}[0-9AFTUM])(?P<sequence>[0-9]{2}) (?P<text>.{1,72})")
_PLAIN = re.compile(r"(?P<code>[0-9]{4}[0-9AFTUM]) (?P<text>\S.{0,47})")
_RRF = re.compile(r"C[0-9]{7}\|[A-Z]{3}\|(?:[^|]*\|){16}")


class _Name(NamedTuple):
    """One name of a code, or a code alone when `text` is empty."""

    code: str
    kind: str
    text: str
    first: int = 0  #: validity, YYYYMMDD, 0 = open
    last: int = 0
    status: str = ""
    effective: int = 0  #: of the descriptor; says which release it is, not since when the code is valid


@dataclass(slots=True)
class _Entry:
    names: set[tuple[str, str]] = field(default_factory=set)  #: (kind, text)
    first: int = 0
    last: int = 0
    status: set[str] = field(default_factory=set)


def read_cpt(path: str | Path, *, release: str | None = None, descriptions: bool = False) -> CodeSystem:
    """The CPT codes of a licensee's file, zip or folder, as system "cpt"; see the module for the forms.

    descriptions: take the names in CMS's fee schedule file too, which are the AMA's; without it that file gives codes
        and payment status (a note), and a code deleted there (D, F) is not billable. `release` defaults to the newest
        effective day of a descriptor, as 2026-01-01, else to the stem of the file's name.

    A model that holds the result is marked not redistributable. Raises CodeFileError: no known form, a row that is not
    as the form says, a code twice in one list, a cut last line.
    """
    entries: dict[str, _Entry] = {}
    newest = 0
    for member in members(path):
        reader = _form(member)
        if reader is None:
            _refuse_unknown(member)
            continue
        count = 0
        for name in reader(member, descriptions):
            _add(entries, name)
            newest = max(newest, name.effective)
            count += 1
        if not count:
            raise CodeFileError("holds no CPT code", path=member.label)
    if not entries:
        raise CodeFileError("holds no CPT list in a known form (see codesuggest.codes.readers.cpt)", path=path)
    day = f"{newest // 10000}-{newest // 100 % 100:02}-{newest % 100:02}" if newest else ""
    rows = [_row(code, entry) for code, entry in sorted(entries.items())]
    return CodeSystem.from_rows(rows, name="cpt", release=release or day or Path(path).stem)


def _add(entries: dict[str, _Entry], name: _Name) -> None:
    entry = entries.setdefault(name.code, _Entry())
    text = " ".join(name.text.split())
    if text:
        entry.names.add((name.kind, text))
    if name.status:
        entry.status.add(name.status)
    entry.first, entry.last = entry.first or name.first, entry.last or name.last


def _row(code: str, entry: _Entry) -> CodeRow:
    # the longest long one; of LONGULT and LONGUT, which differ in case only, the one that is not all capitals
    ranked = sorted(entry.names, key=lambda n: (n[0] != _LONG, -len(n[1]), n[1].isupper(), n[1], n[0]))
    title, *others = [text for _, text in ranked] or [""]
    kinds = {text: kind for kind, text in reversed(ranked)}
    terms, seen = [], {title.casefold()}
    for text in others:
        if text.casefold() not in seen:
            seen.add(text.casefold())
            terms.append((_NAME if kinds[text] == _LONG else kinds[text], text))
    status = "".join(sorted(entry.status))
    notes = (Note("note", code, f"Medicare physician fee schedule: status {status}"),) if status else ()
    gone = bool(status) and set(status) <= _DELETED
    return CodeRow(code, title, not gone, "", entry.first, entry.last, terms=tuple(terms), notes=notes)


# ---- which form

_Reader = Callable[[Member, bool], Iterator[_Name]]


def _form(member: Member) -> _Reader | None:
    """The reader of the form a member has, None for any other file."""
    lines = [line.rstrip("\r") for line in _head_text(member).split("\n")[:-1]] or [""]
    if any(_RRF.fullmatch(line) for line in lines[:20]):
        return _read_rrf
    if {"concept_code", "vocabulary_id", "concept_name"} <= set(lines[0].lstrip("\ufeff").lower().split("\t")):
        return _read_concepts
    if any(_descriptor_columns(line) for line in lines[:_HEADER_LINES]):
        return _read_headed
    if any(_is_fee_header(cells) for cells in csv_head(member.head(), _HEADER_LINES)):
        return _read_fee_schedule
    for line in lines[_after_preamble(lines) :]:
        for pattern, reader in ((_TABBED, _read_tabbed), (_NUMBERED, _read_numbered), (_PLAIN, _read_plain)):
            if pattern.fullmatch(line):
                return reader
        break
    return None


def _head_text(member: Member) -> str:
    head = member.head()
    return head.decode("cp1252" if b"\x00" not in head else "latin-1", errors="replace")


def _refuse_unknown(member: Member) -> None:
    """A damaged list must not be passed over: a file in no known form with row after row of codes is one.

    Wide records of one width are not: the fee schedule comes as text too, beside its CSV.
    """
    lines = _head_text(member).split("\n")
    if "concept_id" in lines[0]:
        return  # a table of Athena; its numbers may look like codes
    run, width = 0, 0
    for line in lines:
        fixed = len(line) > 100 and len(line) == width
        run, width = (run + 1 if re.match(r"[0-9]{4}[0-9AFTUM][\t ]", line) and not fixed else 0), len(line)
        if run == 3:
            message = (
                "looks like a CPT list, but in no known form; get it again, or leave it out if it is another table"
            )
            raise CodeFileError(message, path=member.label)


def _after_preamble(lines: Sequence[str]) -> int:
    """Index of the first line after the last empty one (those at the end not counted)."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return next((i + 1 for i in range(end - 1, -1, -1) if not lines[i].strip()), 0)


# ---- text files of the AMA


def _body(member: Member, row: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """The rows after the copyright notice, which must not itself hold rows: then an empty line stands in the data."""
    lines = _text_lines(member)
    start = _after_preamble([text for _, text in lines])
    for number, text in lines[:start]:
        if row.fullmatch(text):
            raise CodeFileError("a row stands before an empty line", path=member.label, line=number)
    for number, text in lines[start:]:
        if text.strip():
            yield number, text


def _text_lines(member: Member) -> list[tuple[int, str]]:
    raw = list(member.lines())
    text = decode(b"\n".join(line for _, line in raw), member.label)
    return list(enumerate(text.split("\n"), start=1))


def _once(seen: dict[str, int], code: str, number: int, member: Member) -> None:
    if (before := seen.setdefault(code, number)) != number:
        raise CodeFileError(f"{code} was given on line {before} already", path=member.label, line=number)


def _read_tabbed(member: Member, _: bool) -> Iterator[_Name]:
    yield from _read_rows(member, _TABBED, _LONG, "a code, a tab and a descriptor")


def _read_plain(member: Member, _: bool) -> Iterator[_Name]:
    yield from _read_rows(member, _PLAIN, _SHORT, "a code, a blank and at most 48 characters")


def _read_rows(member: Member, pattern: re.Pattern[str], kind: str, what: str) -> Iterator[_Name]:
    seen: dict[str, int] = {}
    for number, text in _body(member, pattern):
        found = pattern.fullmatch(text.rstrip())
        if not found:
            raise CodeFileError(f"is not {what}", path=member.label, line=number)
        _once(seen, found["code"], number, member)
        yield _Name(found["code"], kind, found["text"])


def _read_numbered(member: Member, _: bool) -> Iterator[_Name]:
    code, parts = "", list[str]()
    seen: dict[str, int] = {}
    for number, text in _body(member, _NUMBERED):
        found = _NUMBERED.fullmatch(text.rstrip())
        if not found:
            raise CodeFileError("is not a code, a sequence number and a text", path=member.label, line=number)
        if found["code"] != code:
            if code:
                yield _Name(code, _LONG, " ".join(parts))
            code, parts, first = found["code"], [], int(found["sequence"])
            _once(seen, code, number, member)
            if first not in (0, 1):
                raise CodeFileError(f"{code} begins with sequence {first}", path=member.label, line=number)
        elif int(found["sequence"]) != first + len(parts):
            raise CodeFileError(f"a row of {code} is missing before this one", path=member.label, line=number)
        parts.append(found["text"])
    if code:
        yield _Name(code, _LONG, " ".join(parts))


def _descriptor_columns(line: str) -> dict[int, str]:
    """Column -> kind of name, for a header that names the CPT code and a descriptor; else empty."""
    names = _names(line)
    if names.count("cptcode") != 1 or len(set(names)) != len(names):
        return {}
    return {i: _COLUMNS[name] for i, name in enumerate(names) if name in _COLUMNS}


def _names(line: str) -> list[str]:
    return [re.sub(r"[^a-z]", "", cell.lower()) for cell in line.rstrip("\r\n").split("\t")]


def _read_headed(member: Member, _: bool) -> Iterator[_Name]:
    lines = _text_lines(member)
    start = next(i for i, (_, text) in enumerate(lines) if _descriptor_columns(text))
    names, columns = _names(lines[start][1]), _descriptor_columns(lines[start][1])
    code_at, single = names.index("cptcode"), "long" in names
    day_at = names.index(_EFFECTIVE) if _EFFECTIVE in names else -1
    # what only laboratory codes have, at the end, may be left out of the others
    least = 1 + max(
        i for i, name in enumerate(names) if i in (code_at, day_at) or (i in columns and name != "testname")
    )
    seen: dict[str, tuple[int, str]] = {}
    for number, text in lines[start + 1 :]:
        if not text.strip():
            continue
        cells = text.split("\t")
        if not least <= len(cells) <= len(names):
            message = f"{len(cells)} columns, the header has {len(names)}"
            raise CodeFileError(message, path=member.label, line=number)
        cells += [""] * (len(names) - len(cells))
        code = cells[code_at].strip()
        if not SHAPE.fullmatch(code):
            raise CodeFileError(f"{code!r} is no CPT code", path=member.label, line=number)
        if single:  # again only for another laboratory
            long = cells[names.index("long")]
            if seen.setdefault(code, (number, long))[1] != long:
                message = f"{code} was given on line {seen[code][0]} with another descriptor"
                raise CodeFileError(message, path=member.label, line=number)
        day = day_of(cells[day_at], member.label, number) if day_at >= 0 else 0
        named = [_Name(code, kind, cells[i], effective=day) for i, kind in columns.items() if cells[i].strip()]
        if not named or (single and not any(n.kind == _LONG for n in named)):
            raise CodeFileError(f"{code} has no descriptor", path=member.label, line=number)
        yield from named


# ---- CMS, Athena, UMLS


def _is_fee_header(cells: Sequence[str]) -> bool:
    # not the OPPS cap file beside it, which begins HCPCS, MOD too
    return [cell.strip().upper() for cell in cells[:3]] == ["HCPCS", "MOD", "DESCRIPTION"]


def _read_fee_schedule(member: Member, descriptions: bool) -> Iterator[_Name]:
    """PPRRVU: a header over several rows below a notice; rows of a modifier (26, TC, 53) repeat their code."""
    rows = list(csv_rows(decode(b"\n".join(line for _, line in member.lines()), member.label), member.label))
    end = next((i for i, (_, cells) in enumerate(rows) if _is_fee_header(cells)), -1)
    if end < 0:
        raise CodeFileError("no row of the header is HCPCS, MOD, DESCRIPTION ...", path=member.label)
    start = end
    while start > 0 and not rows[start - 1][1][0]:
        start -= 1
    width = len(rows[end][1])
    header = [" ".join(c[i] for _, c in rows[start : end + 1] if i < len(c) and c[i]).upper() for i in range(width)]
    at = {}
    for what in ("DESCRIPTION", "STATUS CODE"):
        if header.count(what) != 1:
            raise CodeFileError(f"the header has no column {what}", path=member.label, line=rows[end][0])
        at[what] = header.index(what)
    for line, cells in rows[end + 1 :]:
        if len(cells) != width:
            raise CodeFileError(f"{len(cells)} columns, the header has {width}", path=member.label, line=line)
        if not re.fullmatch(r"[0-9A-Z]{5}", cells[0]):
            raise CodeFileError(f"{cells[0]!r} is no code", path=member.label, line=line)
        status = cells[at["STATUS CODE"]]
        if not re.fullmatch(r"[A-Z]", status):
            raise CodeFileError(f"{status!r} is no status", path=member.label, line=line)
        if SHAPE.fullmatch(cells[0]):  # the others are HCPCS Level II
            yield _Name(cells[0], _SHORT, cells[at["DESCRIPTION"]] if descriptions else "", status=status)


def _fields(member: Member) -> Iterator[tuple[int, str]]:
    for number, raw in member.lines():
        try:
            yield number, raw.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"is not UTF-8 (byte {error.start} of the line)"
            raise CodeFileError(message, path=member.label, line=number) from error


def _read_concepts(member: Member, _: bool) -> Iterator[_Name]:
    """Athena: tab separated without quoting. 1970-01-01 and 2099-12-31 stand for open ends."""
    rows = _fields(member)
    names = next(rows)[1].lstrip("\ufeff").lower().split("\t")
    needed = ("concept_code", "vocabulary_id", "concept_name", "valid_start_date", "valid_end_date")
    if missing := [name for name in needed if names.count(name) != 1]:
        raise CodeFileError(f"the header does not name {', '.join(missing)} once", path=member.label, line=1)
    code_at, vocabulary_at, name_at, from_at, to_at = (names.index(name) for name in needed)
    for number, text in rows:
        cells = text.split("\t")
        if len(cells) != len(names):
            message = f"{len(cells)} columns, the header has {len(names)}"
            raise CodeFileError(message, path=member.label, line=number)
        if cells[vocabulary_at] != "CPT4" or not SHAPE.fullmatch(cells[code_at]):
            continue  # another vocabulary, a modifier or a heading
        first, last = (day_of(cells[i], member.label, number) for i in (from_at, to_at))
        first, last = (0 if first <= 19700101 else first), (0 if last >= 20991231 else last)
        yield _Name(cells[code_at], _LONG, cells[name_at], first, last)


def _read_rrf(member: Member, _: bool) -> Iterator[_Name]:
    for number, text in _fields(member):
        cells = text.split("|")
        if len(cells) != 19 or cells[18]:
            raise CodeFileError("is not 18 fields, each followed by |", path=member.label, line=number)
        language, vocabulary, kind, code, name, suppressed = (cells[i] for i in (1, 11, 12, 13, 14, 16))
        if (language, vocabulary, suppressed) != ("ENG", "CPT", "N") or kind in _NO_CODES:
            continue
        if SHAPE.fullmatch(code):
            yield _Name(code, _TERM_TYPES.get(kind, _NAME), name)
