"""What a code system is made of: rows on the way in, columns of plain dtypes ever after.

Arrays (n codes, g groups, t terms, m notes, r ranges; all little-endian, texts UTF-8 in one blob with offsets):

| name | dtype, shape | |
|---|---|---|
| codes | S, (n) | strictly ascending, without dot |
| billable | bool, (n) | within the validity dates |
| parent, group | i4, (n) | index of the parent code / of the innermost group, or -1 |
| valid_from, valid_to | i4, (n) | YYYYMMDD, both inclusive; 0 = open |
| title_off, title_blob | i8, (n+1); u1 | |
| term_code, term_kind | i4, u1, (t) | what else names the code; kinds in `TERM_KINDS` |
| term_off, term_blob | i8, (t+1); u1 | |
| note_node, note_kind | i4, u1, (m) | node: a code's index, or n + a group's; kinds in `NOTE_KINDS` |
| note_off, note_blob | i8, (m+1); u1 | |
| range_note | i4, (r) | the note that names the range |
| range_lo, range_hi | S, (r) | prefixes, both inclusive: E08..E13 covers E0800 and E139 |
| range_like | S, (r) | further condition, a glob over the code without dot; several joined by ";"; empty = none |
| group_name, group_parent | S, i4, (g) | chapters and blocks ("1", "A00-A09") |
| group_off, group_blob | i8, (g+1); u1 | |

A table that covers several releases has a history too (e eras, s releases), left out where there is none:

| name | dtype, shape | |
|---|---|---|
| era_code, era_state | i4, u1, (e) | a code, ascending, that was something else for a time; states in `STATES` |
| era_from, era_to | i4, (e) | the days it was, YYYYMMDD, both inclusive; 0 = open |
| era_off, era_blob | i8, (e+1); u1 | its title in those days |
| since_day, since_release | i4, S, (s) | first day of each release, ascending, and its name |

A table with codes that only a site's documents write (`codes.site`) has two more:

| name | dtype, shape | |
|---|---|---|
| site_code | i4, (k) | the codes, ascending |
| site_release | S, (1) | what they carry as release, "site:<name>" |
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codesuggest.errors import CodeFileError, OptionError

#: "title" only comes out of `iter_terms`: a title is stored once, with its code. "index": words of the Alphabetic Index
#: or of a table of drugs or neoplasms. New kinds go to the end, for arrays hold the number.
TERM_KINDS = ("title", "inclusion", "synonym", "idiom", "short", "index")
NOTE_KINDS = ("excludes1", "excludes2", "code_first", "use_additional", "code_also", "includes", "note", "seventh")
STATES = ("absent", "header", "billable")  #: what a code is on a day
_LIKE = re.compile(rb"[0-9A-Z?*;\[\]-]*")
#: A code as it stands in the arrays.
KEY = re.compile(r"[!-~]{1,32}")
#: Names and dtypes of the arrays, in the order in which they are hashed.
DTYPES = {
    "codes": "S", "billable": "?", "parent": "<i4", "group": "<i4", "valid_from": "<i4", "valid_to": "<i4",
    "title_off": "<i8", "title_blob": "|u1", "term_code": "<i4", "term_kind": "|u1", "term_off": "<i8",
    "term_blob": "|u1", "note_node": "<i4", "note_kind": "|u1", "note_off": "<i8", "note_blob": "|u1",
    "range_note": "<i4", "range_lo": "S", "range_hi": "S", "range_like": "S", "group_name": "S",
    "group_parent": "<i4", "group_off": "<i8", "group_blob": "|u1",
}  # fmt: skip
#: The same of the arrays that only a table of several releases has; there are all of them or none.
HISTORY = {
    "era_code": "<i4", "era_state": "|u1", "era_from": "<i4", "era_to": "<i4", "era_off": "<i8", "era_blob": "|u1",
    "since_day": "<i4", "since_release": "S",
}  # fmt: skip
SITE = {"site_code": "<i4", "site_release": "S"}  #: the same of a table with codes of a site, both or none


class Range(NamedTuple):
    """Codes from prefix `lo` to prefix `hi`, both inclusive, that also match one of the globs in `like`, if any."""

    lo: str
    hi: str
    like: str = ""

    def covers(self, key: str) -> bool:
        """Whether the code without dot `key` falls in the range."""
        if not self.lo <= key or key[: len(self.hi)] > self.hi:
            return False
        return not self.like or like_pattern(self.like.encode()).fullmatch(key.encode()) is not None


@dataclass(frozen=True, slots=True)
class Note:
    """One line of an instruction: its kind, the code or block it stands at, its text, the ranges it names."""

    kind: str
    at: str
    text: str
    ranges: tuple[Range, ...] = ()

    def covers(self, code: str) -> bool:
        """Whether the note names `code`, given with or without its dot."""
        key = code.strip().upper().replace(".", "")
        return any(r.covers(key) for r in self.ranges)


class Era(NamedTuple):
    """Days on which a code was not what its row says: in another state of `STATES`, or of another title."""

    first: int  #: YYYYMMDD, inclusive, as `last`; 0 = open
    last: int
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code on its way into a `CodeSystem`. `parent` None: the longest other code it begins with; "": none.

    `billable` None: when no code has it as parent. A code that is billable in some releases and a header in others is
    billable here, its validity is that of the billing, and its days as a header are `eras`. `group`: index into the
    groups, -1 none.
    """

    code: str
    title: str
    billable: bool | None = None
    parent: str | None = None
    valid_from: int = 0
    valid_to: int = 0
    terms: tuple[tuple[str, str], ...] = ()  #: (kind, text)
    notes: tuple[Note, ...] = ()
    group: int = -1
    eras: tuple[Era, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A chapter or block; `parent` is the index of the group around it, which must come earlier, or -1."""

    name: str
    title: str
    parent: int = -1
    notes: tuple[Note, ...] = ()


def columns(
    rows: Iterable[CodeRow],
    groups: Sequence[GroupRow] = (),
    *,
    name: str,
    releases: Sequence[tuple[int, str]] = (),
) -> dict[str, NDArray[Any]]:
    """The arrays of the tables at the top, from rows in any order; `releases`: first day and name of each, ascending.

    Raises CodeFileError on a code given twice or malformed, and on a parent that is no code.
    """
    by_key: dict[str, CodeRow] = {}
    for row in rows:
        key = normalise(name, row.code)
        if not KEY.fullmatch(key):
            raise CodeFileError(f"{row.code!r} is not a code (1 to 32 printable ASCII characters, no blank)")
        if key in by_key:
            raise CodeFileError(f"code {row.code} is given twice")
        by_key[key] = row
    keys = sorted(by_key)
    index = {key: i for i, key in enumerate(keys)}
    ordered = [by_key[key] for key in keys]
    parent = np.array([_parent_index(name, k, by_key[k], index) for k in keys], "<i4").reshape(-1)
    if len(parent) and bool((parent == np.arange(len(parent))).any()):
        raise CodeFileError("a code is its own parent")
    has_child = np.zeros(len(keys), bool)
    has_child[parent[parent >= 0]] = True
    billable = [not has_child[i] if r.billable is None else r.billable for i, r in enumerate(ordered)]
    terms = [(i, TERM_KINDS.index(k), t) for i, r in enumerate(ordered) for k, t in r.terms]
    owned = [(i, n) for i, r in enumerate(ordered) for n in r.notes]
    owned += [(len(keys) + g, n) for g, group in enumerate(groups) for n in group.notes]
    ranges = [(i, r) for i, (_, note) in enumerate(owned) for r in note.ranges]
    arrays: dict[str, NDArray[Any]] = {
        "codes": _bytes(keys),
        "billable": np.array(billable, bool),
        "parent": parent,
        "group": np.array([r.group for r in ordered], "<i4"),
        "valid_from": np.array([r.valid_from for r in ordered], "<i4"),
        "valid_to": np.array([r.valid_to for r in ordered], "<i4"),
        "term_code": np.array([i for i, _, _ in terms], "<i4"),
        "term_kind": np.array([k for _, k, _ in terms], "u1"),
        "note_node": np.array([i for i, _ in owned], "<i4"),
        "note_kind": np.array([NOTE_KINDS.index(n.kind) for _, n in owned], "u1"),
        "range_note": np.array([i for i, _ in ranges], "<i4"),
        "range_lo": _bytes([r.lo for _, r in ranges]),
        "range_hi": _bytes([r.hi for _, r in ranges]),
        "range_like": _bytes([r.like for _, r in ranges]),
        "group_name": _bytes([g.name for g in groups]),
        "group_parent": np.array([g.parent for g in groups], "<i4"),
    }
    for prefix, texts in (
        ("title", [r.title for r in ordered]),
        ("term", [t for _, _, t in terms]),
        ("note", [n.text for _, n in owned]),
        ("group", [g.title for g in groups]),
    ):
        arrays[f"{prefix}_off"], arrays[f"{prefix}_blob"] = _pack(texts)
    eras = [(i, era) for i, r in enumerate(ordered) for era in r.eras]
    return {**arrays, **_history(eras, releases)} if eras or releases else arrays


def _history(eras: Sequence[tuple[int, Era]], releases: Sequence[tuple[int, str]]) -> dict[str, NDArray[Any]]:
    off, blob = _pack([era.title for _, era in eras])
    return {
        "era_code": np.array([i for i, _ in eras], "<i4"),
        "era_state": np.array([STATES.index(era.state) for _, era in eras], "u1"),
        "era_from": np.array([era.first for _, era in eras], "<i4"),
        "era_to": np.array([era.last for _, era in eras], "<i4"),
        "era_off": off,
        "era_blob": blob,
        "since_day": np.array([day for day, _ in releases], "<i4"),
        "since_release": _bytes([release for _, release in releases]),
    }


def with_terms(arrays: Mapping[str, NDArray[Any]], terms: Iterable[tuple[int, str, str]]) -> dict[str, NDArray[Any]]:
    """The arrays of a system with further terms, each (position of its code, kind, text), after those it has."""
    off, blob = arrays["term_off"].tolist(), arrays["term_blob"].tobytes()
    owners, kinds = arrays["term_code"].tolist(), arrays["term_kind"].tolist()
    all_terms = [(owners[t], kinds[t], blob[off[t] : off[t + 1]].decode("utf-8")) for t in range(len(owners))]
    all_terms += [(code, TERM_KINDS.index(kind), text) for code, kind, text in terms]
    all_terms.sort(key=lambda term: term[0])  # stable: the order of the sources stays
    out = dict(arrays)
    out["term_code"] = np.array([code for code, _, _ in all_terms], "<i4")
    out["term_kind"] = np.array([kind for _, kind, _ in all_terms], "u1")
    out["term_off"], out["term_blob"] = _pack([text for _, _, text in all_terms])
    return out


def table_rows(
    table: str | Path | Iterable[Mapping[str, Any]], *, name: str, delimiter: str | None = None
) -> list[CodeRow]:
    """Rows of a user's own list; see `CodeSystem.from_table`."""
    path = Path(table) if isinstance(table, str | Path) else None
    rows: list[CodeRow] = []
    seen: dict[str, int] = {}
    for line, record in _table_records(table, delimiter):
        code = str(record.get("code") or "").strip()
        if not KEY.fullmatch(normalise(name, code)):
            raise CodeFileError(f"{code!r} is not a code", path=path, line=line)
        if (first := seen.setdefault(normalise(name, code), line)) != line:
            raise CodeFileError(f"code {code} was given on line {first} already", path=path, line=line)
        billable = _flag(record.get("billable"), path, line)
        parent = None if record.get("parent") is None else str(record["parent"]).strip()
        given = record.get("terms") or ()
        terms = given.split("|") if isinstance(given, str) else given
        words = tuple(("synonym", " ".join(str(t).split())) for t in terms if str(t).strip())
        title = " ".join(str(record.get("title") or "").split())
        rows.append(CodeRow(code, title, billable, parent, terms=words))
    if not rows:
        raise CodeFileError("holds no code", path=path)
    return rows


def as_day(date: dt.date | str | int) -> int:
    """A date as the int YYYYMMDD, from a date, "2026-04-01" or 20260401. Raises OptionError."""
    text = date.isoformat()[:10] if isinstance(date, dt.date) else str(date)
    try:
        day = dt.date.fromisoformat(text)
        return day.year * 10_000 + day.month * 100 + day.day
    except ValueError as error:
        # not the value itself: a service date is a patient's
        raise OptionError("a date is given that is none; write 2026-04-01") from error


def day_before(day: int) -> int:
    """The day before, both YYYYMMDD."""
    return as_day(dt.date.fromisoformat(str(day)) - dt.timedelta(days=1))


def normalise(name: str, code: str) -> str:
    """A code as it stands in the arrays of system `name`: upper case, and in ICD systems without dot."""
    key = code.strip().upper()
    return key.replace(".", "") if name.startswith("icd") else key


def written(name: str, key: str) -> str:
    """A code of the arrays of system `name` as it is written in records: "E1122" is E11.22, in ICD systems that write a dot."""
    at = dot_after(name, key)
    return key if not at or len(key) <= at else f"{key[:at]}.{key[at:]}"


def texts(offset: NDArray[np.int64], blob: NDArray[np.uint8], rows: Sequence[int] | NDArray[Any]) -> list[str]:
    """The texts of these rows: those of row i are the bytes from offset[i] to offset[i + 1] of the blob, UTF-8."""
    rows = np.asarray(rows, np.int64)
    held = blob.data  # no array is made for each text
    bounds = zip(offset.take(rows).tolist(), offset.take(rows + 1).tolist(), strict=True)
    return [str(held[a:b], "utf-8") for a, b in bounds]


def dot_after(name: str, key: str) -> int:
    """After how many characters a code is written with a dot; 0 for never."""
    if not name.startswith("icd") or name.startswith("icd10pcs"):
        return 0
    if name.startswith("icd9"):
        return 2 if name.startswith(("icd9p", "icd9s")) else 4 if key.startswith("E") else 3
    return 3


def _parent_index(name: str, key: str, row: CodeRow, index: Mapping[str, int]) -> int:
    if row.parent is not None:
        if not row.parent:
            return -1
        try:
            return index[normalise(name, row.parent)]
        except KeyError:
            raise CodeFileError(f"the parent {row.parent} of {row.code} is no code of the list") from None
    if name.startswith("icd"):
        for size in range(len(key) - 1, 1, -1):
            if (up := index.get(key[:size])) is not None:
                return up
    return -1


def _bytes(texts: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([t.encode("ascii") for t in texts], dtype=f"S{max([1, *map(len, texts)])}")


def _pack(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    encoded = [t.encode("utf-8") for t in texts]
    off = np.zeros(len(encoded) + 1, "<i8")
    np.cumsum([len(e) for e in encoded], out=off[1:])
    return off, np.frombuffer(b"".join(encoded), "u1")


@lru_cache(maxsize=512)
def like_pattern(pattern: bytes) -> re.Pattern[bytes]:
    """The globs of `range_like` as one expression; `checked` has made sure that nothing else stands in them."""
    return re.compile(b"|".join(p.replace(b"?", b".").replace(b"*", b".*") for p in pattern.split(b";")))


def _flag(value: Any, path: Path | None, line: int) -> bool | None:
    if value is None or value == "":
        return None
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "y", "t"):
        return True
    if text in ("0", "false", "no", "n", "f"):
        return False
    raise CodeFileError(f"billable is {text!r}, not 1 or 0", path=path, line=line)


def _table_records(
    table: str | Path | Iterable[Mapping[str, Any]], delimiter: str | None
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line, record) pairs; the line of a row in memory is its position counted from 1."""
    if not isinstance(table, str | Path):
        yield from enumerate(table, start=1)
        return
    path = Path(table)
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            header = handle.readline()
            # Excel writes the list separator of the country: a semicolon where the comma is decimal
            splits = [(d, _column_names(header, d)) for d in ([delimiter] if delimiter else "\t,;")]
            sep, names = next((s for s in splits if {"code", "title"} <= set(s[1])), splits[0])
            if not {"code", "title"} <= set(names) or len(set(names)) != len(names):
                raise CodeFileError("the header must name the columns code and title, each once", path=path, line=1)
            reader = csv.reader(handle, delimiter=sep, strict=True)
            for values in reader:
                if not values:
                    continue
                line = reader.line_num + 1
                if len(values) != len(names):
                    raise CodeFileError(f"{len(values)} columns, the header has {len(names)}", path=path, line=line)
                yield line, dict(zip(names, values, strict=True))
    except UnicodeDecodeError as error:
        raise CodeFileError(
            f'is not UTF-8 (byte {error.start}); from Excel save it as "CSV UTF-8", else convert it from cp1252 or UTF-16',
            path=path,
        ) from error
    except csv.Error as error:
        raise CodeFileError(f"is no table: {error}", path=path) from error
    except OSError as error:
        raise CodeFileError(f"cannot be read: {error.strerror or error}", path=path) from error


def _column_names(header: str, delimiter: str) -> list[str]:
    return [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]


def checked(arrays: Mapping[str, NDArray[Any] | bytes], name: str) -> dict[str, NDArray[Any]]:
    """The arrays, bytes turned into u1. Raises CodeFileError where one is missing, misshapen or points outside."""
    out: dict[str, NDArray[Any]] = {}
    history = HISTORY if any(key in arrays for key in HISTORY) else {}
    site = SITE if any(key in arrays for key in SITE) else {}
    for key, kind in {**DTYPES, **history, **site}.items():
        if key not in arrays:
            raise CodeFileError(f"code system {name}: the array {key} is missing")
        given = arrays[key]
        array = np.frombuffer(given, "u1") if isinstance(given, bytes) else np.asarray(given)
        if array.ndim != 1 or (array.dtype.kind != "S" if kind == "S" else array.dtype != np.dtype(kind)):
            raise CodeFileError(f"code system {name}: {key} has dtype {array.dtype}, shape {array.shape}")
        out[key] = array

    def need(good: Any, what: str) -> None:
        if not bool(good):
            raise CodeFileError(f"code system {name}: {what}")

    n, m, g = len(out["codes"]), len(out["note_node"]), len(out["group_name"])
    need((out["codes"][:-1] < out["codes"][1:]).all(), "codes are not in ascending order")
    for key in ("billable", "parent", "group", "valid_from", "valid_to"):
        need(len(out[key]) == n, f"{key} is not as long as codes")
    blobs = [("title", n), ("term", len(out["term_code"])), ("note", m), ("group", g)]
    if history:
        blobs.append(("era", len(out["era_code"])))
    for prefix, size in blobs:
        off = out[f"{prefix}_off"]
        need(len(off) == size + 1 and off[0] == 0 and off[-1] == len(out[f"{prefix}_blob"]), f"{prefix}_off is cut")
        need((off[:-1] <= off[1:]).all(), f"{prefix}_off goes down")
    sizes = {"range_lo": "range_note", "range_hi": "range_note", "range_like": "range_note", "term_kind": "term_code",
             "note_kind": "note_node", "group_parent": "group_name"}  # fmt: skip
    if history:
        sizes |= {"era_state": "era_code", "era_from": "era_code", "era_to": "era_code", "since_release": "since_day"}
    for key, like in sizes.items():
        need(len(out[key]) == len(out[like]), f"{key} is not as long as {like}")
    bounds = {"parent": (-1, n), "group": (-1, g), "term_code": (0, n), "note_node": (0, n + g), "range_note": (0, m),
              "term_kind": (0, len(TERM_KINDS)), "note_kind": (0, len(NOTE_KINDS))}  # fmt: skip
    if history:
        bounds |= {"era_code": (0, n), "era_state": (0, len(STATES))}
    if site:
        need(len(out["site_release"]) == 1, "its site has no release")
        bounds |= {"site_code": (0, n)}
    for key, (low, high) in bounds.items():
        if len(out[key]):
            need(out[key].min() >= low and out[key].max() < high, f"{key} points outside")
    ascending = ["term_code", "note_node", "range_note"]
    ascending += (["era_code", "since_day"] if history else []) + (["site_code"] if site else [])
    for key in ascending:
        need((out[key][:-1] <= out[key][1:]).all(), f"{key} is not in ascending order")
    need((out["group_parent"] < np.arange(g)).all() and (out["group_parent"] >= -1).all(), "group_parent is no tree")
    for like in np.unique(out["range_like"]).tolist():
        need(_LIKE.fullmatch(like), "range_like holds no glob")
    _refuse_cycles(out["parent"], name)
    return out


def _refuse_cycles(parent: NDArray[np.int32], name: str) -> None:
    # Parents usually sort before their children, which rules a cycle out at once; a local list may do otherwise.
    if (parent < np.arange(len(parent))).all():
        return
    up = parent.astype(np.int64)
    for _ in range(64):
        if (up < 0).all():
            return
        up = np.where(up >= 0, parent[np.maximum(up, 0)], -1)
    raise CodeFileError(f"code system {name}: parent goes round in a circle, or is over 64 levels deep")
