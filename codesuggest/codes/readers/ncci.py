"""NCCI of CMS: which two procedures are not paid together, and how many units of one are medically likely.

Pairs (PTP edits): a quarterly zip of tab-delimited text (`ccipra-v...-f1` to `f4`), cp1252, six lines of notice and
header, then column 1 code, column 2 code, "*" if in existence before 1996, effective day, deletion day ("*" for none),
modifier indicator, rationale. A pair occurs several times, with days that do not overlap. Both codes are CPT or HCPCS
Level II. An edit holds from its effective day to its deletion day, both inclusive; deleted on or before its effective
day, it never held (CMS, "How to Use the NCCI Tools"; this last from memory).

Unit limits (MUE): a quarterly CSV, cp1252, a copyright banner, then code, value, adjudication indicator ("2 Date of
Service Edit: Policy"), rationale. There are no days in it: each quarter is a file.

Two million pairs are kept as sorted arrays of 18 bytes a row, which memory-map; a look-up is one binary search each way, 3 to 8 us.
They name CPT codes, so they come from the user's own download and are never shipped.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesuggest.codes.readers.bundle import Member, members
from codesuggest.codes.readers.sheets import csv_head, csv_rows, day_of, decode
from codesuggest.errors import CodeFileError

CODE = re.compile(r"[0-9A-Z]{5}")
ADJUDICATION = {1: "claim line", 2: "day of service, policy", 3: "day of service, clinical"}
_PAIR = re.compile(
    r"(?P<one>[0-9A-Z]{5})\t(?P<two>[0-9A-Z]{5})\t\*? *\t(?P<effective>[0-9]{8})\t(?P<deleted>[0-9]{8}|\*| *)\t"
    r"(?P<modifier>[019])(?:\t(?P<rationale>[^\t]*))?\t*"
)
_PAIR_DTYPES = {"pair": "<i8", "effective": "<i4", "deleted": "<i4", "modifier": "|u1", "rationale": "<u2"}
_UNIT_DTYPES = {"code": "<i8", "units": "<i4", "adjudication": "|u1", "rationale": "<u2"}
_TEXT_DTYPES = {"text_off": "<i8", "text_blob": "|u1"}
_PREAMBLE_LINES = 40


@dataclass(frozen=True, slots=True)
class PtpEdit:
    """Of two procedures on one day by one provider, `column1` is paid and `column2` is not."""

    column1: str
    column2: str
    effective: int  #: first day it holds, YYYYMMDD
    deleted: int  #: last day, 0 while open
    modifier: int  #: 0 none helps, 1 one may (59, XE ...), 9 not applicable
    rationale: str


@dataclass(frozen=True, slots=True)
class MueLimit:
    """The most units of `code` that are medically likely."""

    code: str
    units: int
    adjudication: int  #: 1 per claim line, 2 per day by policy (absolute), 3 per day by clinical benchmarks
    rationale: str


class Ptp:
    """Pair edits of one or several quarters."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], *, release: str) -> None:
        """arrays: as `arrays` gives them, which may be memory-mapped. Raises CodeFileError where they are not sound."""
        self._arrays = _checked(arrays, _PAIR_DTYPES, "NCCI pairs")
        self.release = release
        self._pair = self._arrays["pair"]

    def __len__(self) -> int:
        return len(self._pair)

    def __repr__(self) -> str:
        return f"Ptp({self.release!r}, {len(self):,} edits)"

    def edit(self, first: str, second: str, day: int) -> PtpEdit | None:
        """The edit over two codes, in either order, that holds on `day` (YYYYMMDD); None for none."""
        one, two = _number(first), _number(second)
        if one < 0 or two < 0:
            return None
        return self._find(one, two, day) or self._find(two, one, day)

    def history(self, column1: str, column2: str) -> tuple[PtpEdit, ...]:
        """Every edit over the pair in this order, by effective day."""
        one, two = _number(column1), _number(column2)
        return tuple(self._view(i) for i in self._rows(one, two)) if one >= 0 and two >= 0 else ()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the release, as plain arrays."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, release: str) -> Ptp:
        return cls(arrays, release=release)

    @classmethod
    def joined(cls, parts: Sequence[Ptp], *, release: str) -> Ptp:
        """One table of several: CMS publishes a quarter in four. Raises CodeFileError on edits that overlap.

        The pairs of practitioners and of hospitals are two tables; they are not to be joined.
        """
        texts: dict[str, int] = {"": 0}
        remapped = []
        for part in parts:
            a = part.arrays()
            index = [texts.setdefault(_text(a, i), len(texts)) for i in range(len(a["text_off"]) - 1)]
            remapped.append(np.array(index, "<u2")[a["rationale"]])
        columns = {key: np.concatenate([part.arrays()[key] for part in parts]) for key in _PAIR_DTYPES}
        return cls(_ordered(columns | {"rationale": np.concatenate(remapped)}, None) | _packed(texts), release=release)

    def _rows(self, one: int, two: int) -> range:
        key = one << 32 | two
        start = int(self._pair.searchsorted(key))
        stop = start
        while stop < len(self._pair) and self._pair[stop] == key:
            stop += 1
        return range(start, stop)

    def _find(self, one: int, two: int, day: int) -> PtpEdit | None:
        for i in reversed(self._rows(one, two)):  # of two that share a day, the later one
            effective, deleted = int(self._arrays["effective"][i]), int(self._arrays["deleted"][i])
            if effective <= day and (not deleted or (day <= deleted and deleted > effective)):
                return self._view(i)
        return None

    def _view(self, i: int) -> PtpEdit:
        a = self._arrays
        pair = int(self._pair[i])
        return PtpEdit(
            _letters(pair >> 32),
            _letters(pair & 0xFFFFFFFF),
            int(a["effective"][i]),
            int(a["deleted"][i]),
            int(a["modifier"][i]),
            _text(a, int(a["rationale"][i])),
        )


class Mue:
    """Unit limits of one quarter and one kind of provider ("practitioner", "outpatient hospital", "DME supplier")."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], *, release: str) -> None:
        """arrays: as `arrays` gives them. Raises CodeFileError where they are not sound."""
        self._arrays = _checked(arrays, _UNIT_DTYPES, "MUE")
        self.release = release
        self._code = self._arrays["code"]

    def __len__(self) -> int:
        return len(self._code)

    def __repr__(self) -> str:
        return f"Mue({self.release!r}, {self.services}, {len(self):,} codes)"

    @property
    def services(self) -> str:
        """Whose services the limits are for, as the file's header says it: "Practitioner Services"."""
        return _text(self._arrays, 0)

    def limit(self, code: str) -> MueLimit | None:
        number, a = _number(code), self._arrays
        i = int(self._code.searchsorted(number))
        if number < 0 or i == len(self._code) or self._code[i] != number:
            return None
        return MueLimit(
            _letters(number), int(a["units"][i]), int(a["adjudication"][i]), _text(a, int(a["rationale"][i]))
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the release, as plain arrays."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, release: str) -> Mue:
        return cls(arrays, release=release)


# ---- pairs


def read_ptp(path: str | Path, *, release: str | None = None) -> Ptp:
    """Pair edits of a text, a zip, or a folder of the four zips CMS publishes. Two million rows take about 5 s.

    `release` defaults to the stem of the file's name. Raises CodeFileError: no pair in it, a row that is none, an edit
    given twice, a pair whose edits overlap.
    """
    pair, effective, deleted = array("q"), array("i"), array("i")
    modifier, rationale = array("B"), array("H")
    texts: dict[str, int] = {"": 0}
    numbers: dict[str, int] = {}
    days: dict[str, int] = {"*": 0, "": 0}
    for member in _with_rows(path):
        for number, text in _pair_lines(member):
            found = _PAIR.fullmatch(text)
            if not found:
                raise CodeFileError("is no pair of codes with its days and indicator", path=member.label, line=number)
            one, two, first, last, indicator, why = found.groups(default="")
            last = last.strip()
            for code in (one, two):
                if code not in numbers:
                    numbers[code] = int(code, 36)
            for day in (first, last):
                if day not in days:
                    days[day] = day_of(day, member.label, number)
            pair.append(numbers[one] << 32 | numbers[two])
            effective.append(days[first])
            deleted.append(days[last])
            modifier.append(int(indicator))
            rationale.append(_text_index(texts, why.strip(), member, number))
    columns = {
        "pair": np.frombuffer(pair, "<i8"),
        "effective": np.frombuffer(effective, "<i4"),
        "deleted": np.frombuffer(deleted, "<i4"),
        "modifier": np.frombuffer(modifier, "u1"),
        "rationale": np.frombuffer(rationale, "<u2"),
    }
    return Ptp(_ordered(columns, Path(path)) | _packed(texts), release=release or Path(path).stem)


def _ordered(columns: Mapping[str, NDArray[Any]], path: Path | None) -> dict[str, NDArray[Any]]:
    order = np.lexsort((columns["deleted"], columns["effective"], columns["pair"]))
    arrays = {key: column[order] for key, column in columns.items()}
    _refuse_overlaps(arrays, path)
    return arrays


def _with_rows(path: str | Path) -> list[Member]:
    """The members that hold pairs; a zip of CMS holds the same as a workbook beside the text."""
    found = [m for m in members(path) if any(_PAIR_START.match(line) for line in _head(m))]
    if not found:
        raise CodeFileError("holds no NCCI pairs: no line of two codes, days and a modifier indicator", path=path)
    return found


_PAIR_START = re.compile(r"[0-9A-Z]{5}\t[0-9A-Z]{5}\t")


def _head(member: Member) -> list[str]:
    return member.head().decode("cp1252", errors="replace").split("\n")[:_PREAMBLE_LINES]


def _pair_lines(member: Member) -> Iterator[tuple[int, str]]:
    """The rows below the notice and header."""
    begun = False
    for number, raw in member.lines():
        try:
            text = raw.decode("cp1252")
        except UnicodeDecodeError as error:
            raise CodeFileError("is not cp1252", path=member.label, line=number) from error
        if begun or _PAIR_START.match(text):
            begun = True
            if text.strip("\t "):
                yield number, text
        elif number > _PREAMBLE_LINES or re.match(r"[0-9A-Z]{5}\t", text):
            raise CodeFileError("is no pair of codes with its days and indicator", path=member.label, line=number)
        else:
            _check_heading(text, member, number)


def _check_heading(text: str, member: Member, line: int) -> None:
    names = [cell.strip().lower() for cell in text.split("\t")]
    if "column 1" in names and "column 2" in names and names[:2] != ["column 1", "column 2"]:
        raise CodeFileError("column 1 and column 2 are not the first two", path=member.label, line=line)


def _refuse_overlaps(a: Mapping[str, NDArray[Any]], path: Path | None) -> None:
    """Edits of a pair hold one after the other, sharing a day at most; those that never held do not count."""
    live = np.flatnonzero((a["deleted"] == 0) | (a["deleted"] > a["effective"]))
    pair, last = a["pair"][live], a["deleted"][live]
    same = pair[1:] == pair[:-1]
    wrong = np.flatnonzero(same & ((last[:-1] == 0) | (last[:-1] > a["effective"][live][1:])))
    if len(wrong):
        key = int(pair[wrong[0]])
        names = f"{_letters(key >> 32)} and {_letters(key & 0xFFFFFFFF)}"
        raise CodeFileError(f"two edits of {names} hold on the same days, or one is given twice", path=path)


# ---- units


def read_mue(path: str | Path, *, release: str | None = None) -> Mue:
    """Unit limits of one CSV, or of the zip it is published in. `release` defaults to the stem of the file's name.

    Raises CodeFileError: no such table or several, a row that is not as the header says, a code given twice.
    """
    found = [m for m in members(path) if any(_mue_columns(cells) for cells in csv_head(m.head()))]
    if len(found) != 1:
        raise CodeFileError(f"{len(found)} tables of MUE values, one is needed", path=path)
    member = found[0]
    rows = list(csv_rows(decode(b"\n".join(line for _, line in member.lines()), member.label), member.label))
    start, columns = next((i, c) for i, (_, cells) in enumerate(rows) if (c := _mue_columns(cells)))
    header = rows[start][1]
    services = re.sub(r"(?i)\s*mue values?.*", "", " ".join(header[columns["units"]].split())) or "Services"
    texts: dict[str, int] = {services: 0}
    values: dict[int, tuple[int, int, int]] = {}
    for line, cells in rows[start + 1 :]:
        if len(cells) != len(header):
            raise CodeFileError(f"{len(cells)} columns, the header has {len(header)}", path=member.label, line=line)
        code, units, indicator, why = (cells[columns[c]] for c in ("code", "units", "adjudication", "rationale"))
        if not CODE.fullmatch(code):
            raise CodeFileError(f"{code[:20]!r} is no code", path=member.label, line=line)
        if not re.fullmatch(r"[0-9]{1,8}", units):
            raise CodeFileError(f"the MUE value {units[:20]!r} is no number", path=member.label, line=line)
        if not re.match(r"[123](?![0-9])", indicator):
            raise CodeFileError("the adjudication indicator is not 1, 2 or 3", path=member.label, line=line)
        if int(code, 36) in values:
            raise CodeFileError(f"{code} is given twice", path=member.label, line=line)
        values[int(code, 36)] = (int(units), int(indicator[0]), _text_index(texts, why, member, line))
    if not values:
        raise CodeFileError("holds no code", path=member.label)
    codes = sorted(values)
    arrays = {
        "code": np.array(codes, "<i8"),
        "units": np.array([values[c][0] for c in codes], "<i4"),
        "adjudication": np.array([values[c][1] for c in codes], "u1"),
        "rationale": np.array([values[c][2] for c in codes], "<u2"),
    }
    return Mue(arrays | _packed(texts), release=release or Path(path).stem)


def _mue_columns(cells: Sequence[str]) -> dict[str, int]:
    """What is in which column of a header; empty for any other row."""
    names = [re.sub(r"[^a-z]", "", cell.lower()) for cell in cells]
    at = {
        "code": [i for i, n in enumerate(names) if n == "hcpcscptcode"],
        "units": [i for i, n in enumerate(names) if "muevalue" in n],
        "adjudication": [i for i, n in enumerate(names) if "mueadjudicationindicator" in n],
        "rationale": [i for i, n in enumerate(names) if n == "muerationale"],
    }
    return {what: places[0] for what, places in at.items()} if all(len(p) == 1 for p in at.values()) else {}


# ---- what both share


def _number(code: str) -> int:
    """A code of five characters as a number that sorts as the code does; -1 for any other text."""
    key = code.strip().upper()
    return int(key, 36) if CODE.fullmatch(key) else -1


def _letters(number: int) -> str:
    out = ""
    for _ in range(5):
        number, digit = divmod(number, 36)
        out = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + out
    return out


def _text_index(texts: dict[str, int], text: str, member: Member, line: int) -> int:
    index = texts.setdefault(text, len(texts))
    if index > 0xFFFF:  # there are a few dozen
        raise CodeFileError("has more different rationales than any published table", path=member.label, line=line)
    return index


def _packed(texts: Iterable[str]) -> dict[str, NDArray[Any]]:
    encoded = [text.encode() for text in texts]
    off = np.zeros(len(encoded) + 1, "<i8")
    np.cumsum([len(e) for e in encoded], out=off[1:])
    return {"text_off": off, "text_blob": np.frombuffer(b"".join(encoded), "u1")}


def _text(a: Mapping[str, NDArray[Any]], index: int) -> str:
    off = a["text_off"]
    return a["text_blob"][off[index] : off[index + 1]].tobytes().decode("utf-8")


def _checked(arrays: Mapping[str, NDArray[Any]], dtypes: Mapping[str, str], what: str) -> dict[str, NDArray[Any]]:
    """The arrays, of these names and dtypes, one length, ascending by key, pointing at texts that are there."""
    out = {}
    for key, kind in {**dtypes, **_TEXT_DTYPES}.items():
        given = arrays.get(key)
        if given is None or given.ndim != 1 or given.dtype != np.dtype(kind):
            raise CodeFileError(f"{what}: the array {key} is missing or is not {kind}; add the file again")
        out[key] = given
    key, *others = dtypes
    off, keys = out["text_off"], out[key]
    rising = keys[:-1] < keys[1:] if key == "code" else keys[:-1] <= keys[1:]
    sound = (
        bool(rising.all())
        and (len(keys) == 0 or int(keys[0]) >= 0)
        and all(len(out[k]) == len(keys) for k in others)
        and len(off) >= 2
        and off[0] == 0
        and off[-1] == len(out["text_blob"])
        and bool((off[:-1] <= off[1:]).all())
        and (len(keys) == 0 or int(out["rationale"].max()) < len(off) - 1)
    )
    if not sound:
        raise CodeFileError(f"{what}: the arrays do not fit together; add the file again")
    return out
