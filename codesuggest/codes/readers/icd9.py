"""ICD-9-CM: the titles as CMS last published them, and the GEMs that lead from its diagnoses to ICD-10-CM and back.

Titles (CMS v32, in force until 2015-09-30): one code a line, padded to 5 columns (diagnoses) or 4 (procedures), a
blank, the title; latin-1. The zip holds long and short titles of both lists: 14,567 diagnoses, 3,882 procedures.

GEMs (general equivalence mappings, final edition 2018): 19 columns a line. ICD-9 to ICD-10: source 1-5, target 7-13,
flags 15-19; ICD-10 to ICD-9: source 1-7, target 9-13, flags 15-19. The flags, one character each: approximate, no map
(the target is then `NoDx`), combination, scenario, choice list. A source with combination rows is translated by one
target of *each* choice list of one scenario together; without, by any one of its targets.
Source: CMS, "Diagnosis Code Set General Equivalence Mappings, 2018 version: documentation for technical users".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from codesuggest.codes import CodeRow, dot_after, normalise
from codesuggest.codes.readers import read_bytes
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError, OptionError

#: Shape of a code without dot, by system.
SHAPES = {
    "icd9cm": re.compile(r"[0-9]{3,5}|V[0-9]{2,4}|E[0-9]{3,4}"),
    "icd9pcs": re.compile(r"[0-9]{3,4}"),
}
_MEMBER = {"icd9cm": "DX", "icd9pcs": "SG"}
_WIDTH = {"icd9cm": 5, "icd9pcs": 4}
_SHORT_WIDTH = 24  #: columns of a short title
_ICD10 = re.compile(r"[A-Z][0-9A-Z]{2,6}")
_NO_MAP = "NODX"
_FLAGS = re.compile(r"[01]{3}[0-9]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


# ---- titles


def read_titles(path: str | Path, *, system: str = "icd9cm", release: str | None = None) -> CodeSystem:
    """Diagnoses ("icd9cm") or procedures ("icd9pcs") from the CMS zip, which holds both, or from a text file of titles.

    From the zip every code has its long title, and its short one as a term where it differs; the two lists must name
    the same codes. All codes are billable: the files hold no headers. `release` defaults to the stem of the file's
    name.

    Raises CodeFileError. A text file cut at the end of a line cannot be told from a shorter list; the zip can.
    """
    if system not in SHAPES:
        raise OptionError(f"system is {system!r}, not one of {', '.join(SHAPES)}")
    long = _titles(path, system, "LONG")
    short = _titles(path, system, "SHORT") if _is_zip(path) else {}
    if short:
        if missing := sorted(short.keys() ^ long.keys()):
            raise CodeFileError(f"{missing[0]} has a long or a short title, but not both", path=path)
        if wide := next((code for code, title in short.items() if len(title) > _SHORT_WIDTH), None):
            raise CodeFileError(f"the short title of {wide} is over {_SHORT_WIDTH} characters", path=path)
    rows = [
        CodeRow(code, title, True, "", terms=(("short", short[code]),) if short.get(code, title) != title else ())
        for code, title in long.items()
    ]
    return CodeSystem.from_rows(rows, name=system, release=release or Path(path).stem)


def _is_zip(path: str | Path) -> bool:
    try:
        with Path(path).open("rb") as handle:
            return handle.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise CodeFileError(f"cannot be read: {error.strerror or error}", path=path) from error


def _titles(path: str | Path, system: str, length: str) -> dict[str, str]:
    """code -> title of the one list, in the order of the file."""
    data = read_bytes(path, member=rf"(?i)_DESC_{length}_{_MEMBER[system]}\.txt$")
    width, shape = _WIDTH[system], SHAPES[system]
    out: dict[str, str] = {}
    for line, text in _lines(data, path):
        code, title = text[:width].rstrip(), text[width + 1 :].strip()
        if not shape.fullmatch(code) or text[width : width + 1] != " ":
            raise CodeFileError(f"columns 1-{width} are not an {system} code: {text[:width]!r}", path=path, line=line)
        if not title or _CONTROL.search(title):
            raise CodeFileError(f"{code} has no readable title", path=path, line=line)
        if code in out:
            raise CodeFileError(f"code {code} is given twice", path=path, line=line)
        out[code] = title
    if not out:
        raise CodeFileError("holds no line", path=path)
    return out


def _lines(data: bytes, path: str | Path) -> Iterator[tuple[int, str]]:
    """(line counted from 1, text) of the lines that are not blank; the last must end like the others."""
    try:
        text = data.decode("utf-8-sig")  # a file that was saved anew; latin-1 with accents is no UTF-8
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = text.split("\n")
    if lines[-1].strip():
        raise CodeFileError("the last line has no end: the file is cut", path=path, line=len(lines))
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r")
        if line.strip():
            yield number, line


# ---- general equivalence mappings


class GemRow(NamedTuple):
    """One row, codes with their dot. `target` is "" where there is no map."""

    source: str
    target: str
    approximate: bool
    no_map: bool
    combination: bool
    scenario: int  #: 0 outside of combinations
    choice_list: int  #: 0 outside of combinations


@dataclass(frozen=True, slots=True)
class GemScenario:
    """One way to translate a code: one row of each of `lists` together. `number` 0: a single code does it."""

    number: int
    lists: tuple[tuple[GemRow, ...], ...]

    @property
    def codes(self) -> tuple[tuple[str, ...], ...]:
        """The target codes of each list."""
        return tuple(tuple(row.target for row in rows) for rows in self.lists)


class Gems:
    """Both directions. `to_icd10` and `to_icd9`: source code -> its rows, in the order of the file."""

    def __init__(self, to_icd10: Mapping[str, tuple[GemRow, ...]], to_icd9: Mapping[str, tuple[GemRow, ...]]) -> None:
        self.to_icd10, self.to_icd9 = to_icd10, to_icd9

    def forward(self, code: str) -> tuple[GemScenario, ...]:
        """How an ICD-9-CM diagnosis is written in ICD-10-CM; empty where there is no map. Raises KeyError."""
        return _scenarios(self.to_icd10, _dotted("icd9cm", code), "ICD-9-CM")

    def backward(self, code: str) -> tuple[GemScenario, ...]:
        """How an ICD-10-CM code is written in ICD-9-CM; empty where there is no map. Raises KeyError."""
        return _scenarios(self.to_icd9, _dotted("icd10cm", code), "ICD-10-CM")


def read_gems(path: str | Path) -> Gems:
    """The diagnosis GEMs from the CMS zip, which holds both directions, or one direction from its text file.

    2018: 24,860 rows forward, 81,593 backward. Raises CodeFileError, also where flags contradict each other or the
    target.
    """
    if _is_zip(path):
        forward = _gem_rows(read_bytes(path, member=r"(?i)_I9gem\.txt$"), path, True)
        return Gems(forward, _gem_rows(read_bytes(path, member=r"(?i)_I10gem\.txt$"), path, False))
    data = read_bytes(path)
    first = next((text for _, text in _lines(data, path)), "")
    if _split(first, True):
        return Gems(_gem_rows(data, path, True), {})
    return Gems({}, _gem_rows(data, path, False))


def _split(text: str, forward: bool) -> re.Match[str] | None:
    if len(text) != 19:
        return None
    layout = r"(?P<s>.{5}) (?P<t>.{7}) (?P<f>.{5})" if forward else r"(?P<s>.{7}) (?P<t>.{5}) (?P<f>.{5})"
    found = re.fullmatch(layout, text.upper())  # the official file writes one code "v5889"
    shapes = (SHAPES["icd9cm"], _ICD10) if forward else (_ICD10, SHAPES["icd9cm"])
    if not found or not shapes[0].fullmatch(found["s"].rstrip()):
        return None
    target = found["t"].rstrip()
    return found if target == _NO_MAP or shapes[1].fullmatch(target) else None


def _gem_rows(data: bytes, path: str | Path, forward: bool) -> dict[str, tuple[GemRow, ...]]:
    names = ("icd9cm", "icd10cm") if forward else ("icd10cm", "icd9cm")
    out: dict[str, list[GemRow]] = {}
    for line, text in _lines(data, path):
        found = _split(text, forward)
        if not found:
            way = "ICD-9 to ICD-10" if forward else "ICD-10 to ICD-9"
            raise CodeFileError(f"is not the 19 columns of a GEM {way}", path=path, line=line)
        target, flags = found["t"].rstrip(), found["f"]
        if not _FLAGS.fullmatch(flags) or not _agree(target, flags):
            raise CodeFileError(f"the flags {flags!r} contradict each other or the target", path=path, line=line)
        source = _dotted(names[0], found["s"])
        row = GemRow(
            source,
            "" if target == _NO_MAP else _dotted(names[1], target),
            flags[0] == "1",
            flags[1] == "1",
            flags[2] == "1",
            int(flags[3]),
            int(flags[4]),
        )
        rows = out.setdefault(source, [])
        if any(r.target == row.target and r[5:] == row[5:] for r in rows):
            raise CodeFileError(f"{source} is given twice with one target", path=path, line=line)
        rows.append(row)
    if not out:
        raise CodeFileError("holds no line", path=path)
    for source, rows in out.items():
        if any(r.no_map for r in rows) and len(rows) > 1:
            raise CodeFileError(f"{source} has both no map and a target", path=path)
    return {source: tuple(rows) for source, rows in out.items()}


def _agree(target: str, flags: str) -> bool:
    """No map goes with NoDx and with nothing else; a combination has a scenario and a choice list, others neither."""
    if (flags[1] == "1") != (target == _NO_MAP) or (flags[1] == "1" and flags[2] == "1"):
        return False
    return ("0" not in flags[3:]) if flags[2] == "1" else flags[3:] == "00"


def _scenarios(rows: Mapping[str, tuple[GemRow, ...]], code: str, system: str) -> tuple[GemScenario, ...]:
    """Scenarios ascending, each with its choice lists ascending; single rows are scenario 0 with one list."""
    if code not in rows:
        raise KeyError(f"{code!r} is no {system} code of these mappings")
    grouped: dict[int, dict[int, list[GemRow]]] = {}
    for row in rows[code]:
        if not row.no_map:
            grouped.setdefault(row.scenario, {}).setdefault(row.choice_list, []).append(row)
    return tuple(
        GemScenario(number, tuple(tuple(lists[n]) for n in sorted(lists))) for number, lists in sorted(grouped.items())
    )


def _dotted(name: str, code: str) -> str:
    key = normalise(name, code)
    at = dot_after(name, key)
    return key if len(key) <= at else f"{key[:at]}.{key[at:]}"
