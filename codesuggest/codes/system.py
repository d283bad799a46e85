"""A code system: its codes, their words, hierarchy, validity and notes, over the columns of `codesuggest.codes`.

100,000 codes as Python objects take seconds to build and hundreds of megabytes; as the arrays of `CodeSystem.arrays`
they memory-map in milliseconds, and a `Code` is only a view, made when somebody looks.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codesuggest.codes import (
    DTYPES,
    HISTORY,
    KEY,
    NOTE_KINDS,
    SITE,
    STATES,
    TERM_KINDS,
    CodeRow,
    Era,
    GroupRow,
    Note,
    Range,
    as_day,
    checked,
    columns,
    normalise,
    table_rows,
    texts,
    written,
)
from codesuggest.codes.ranges import NoteRanges
from codesuggest.codes.titles import SIDES, names_side, words_of
from codesuggest.errors import CodeFileError, OptionError

if TYPE_CHECKING:
    from codesuggest.lookup import Lookup

__all__ = ["Code", "CodeRow", "CodeSystem", "Conflict", "Era", "GroupRow", "Note", "Range"]


_MOST_NAMED = 8_000  #: codes whose code and title are kept, about 2 MB


class Conflict(NamedTuple):
    """Two codes that an Excludes1 note keeps apart: the note stands at `at`, over `code`, and names `other`."""

    code: str
    other: str
    at: str
    note: str


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a system, a view: every property is read from the arrays when asked for."""

    _system: CodeSystem = field(repr=False)
    index: int = field(repr=False)
    code: str  #: as written in records, "E11.22"
    title: str

    @property
    def system(self) -> str:
        return self._system.name

    @property
    def release(self) -> str:
        return self._system.site_codes.get(self.index, self._system.release)  # "site:<name>"

    @property
    def display(self) -> str:
        """The title, or the code where the sources carry no title yet."""
        return self.title or self.code

    @property
    def billable(self) -> bool:
        return bool(self._system.billable[self.index])

    @property
    def valid_from(self) -> int:
        return int(self._system.valid_from[self.index])

    @property
    def valid_to(self) -> int:
        return int(self._system.valid_to[self.index])

    def valid_on(self, date: dt.date | str | int) -> bool:
        """Whether it can be billed on the day; of a code that is never billable, whether it exists."""
        return self.state_on(date) == ("billable" if self.billable else "header")

    def state_on(self, date: dt.date | str | int) -> str:
        """What it is on the day: "billable", "header" or "absent"."""
        return self._system.state_on(self.index, date)

    def title_on(self, date: dt.date | str | int) -> str:
        """Its title on the day, which an earlier release may have worded otherwise."""
        return self._system.title_on(self.index, date)

    @property
    def eras(self) -> tuple[Era, ...]:
        """The times in which it was something else, or had another title, oldest first."""
        return self._system.eras_of(self.index)

    @property
    def parent(self) -> Code | None:
        up = int(self._system.parent[self.index])
        return None if up < 0 else self._system.view(up)

    @property
    def children(self) -> tuple[Code, ...]:
        return tuple(self._system.view(int(i)) for i in self._system.children_of(self.index))

    @property
    def siblings(self) -> tuple[Code, ...]:
        """The other codes below the same parent, ascending."""
        up = int(self._system.parent[self.index])
        near = () if up < 0 else self._system.children_of(up)
        return tuple(self._system.view(int(i)) for i in near if i != self.index)

    @property
    def more_specific(self) -> tuple[Code, ...]:
        """Codes that say what this one's title leaves unspecified, nearest first (see `CodeSystem.more_specific`)."""
        return tuple(self._system.view(i) for i in self._system.more_specific(self.index))

    @property
    def ancestors(self) -> tuple[Code, ...]:
        """Nearest first."""
        return tuple(self._system.view(i) for i in self._system.ancestors(self.index))

    @property
    def block(self) -> tuple[str, str] | None:
        """(name, title) of the innermost group, as ("E08-E13", "Diabetes mellitus (E08-E13)")."""
        groups = self._system.groups_of(self.index)
        return groups[0] if groups else None

    @property
    def chapter(self) -> tuple[str, str] | None:
        """(name, title) of the outermost group."""
        groups = self._system.groups_of(self.index)
        return groups[-1] if groups else None

    @property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """(kind, text) of what else names this code."""
        return self._system.terms_of(self.index)

    def notes(self, kind: str | None = None, *, inherited: bool = True) -> tuple[Note, ...]:
        """Notes of the code and, when `inherited`, of its ancestors, block and chapter; nearest first."""
        return self._system.notes_of(self.index, kind, inherited=inherited)

    @property
    def excludes1(self) -> tuple[Note, ...]:
        return self.notes("excludes1")

    @property
    def excludes2(self) -> tuple[Note, ...]:
        return self.notes("excludes2")

    @property
    def code_first(self) -> tuple[Note, ...]:
        return self.notes("code_first")

    @property
    def use_additional(self) -> tuple[Note, ...]:
        return self.notes("use_additional")

    @property
    def code_also(self) -> tuple[Note, ...]:
        return self.notes("code_also")

    @property
    def includes(self) -> tuple[Note, ...]:
        return self.notes("includes")


class CodeSystem:
    """The codes of one system in one release, with their words, hierarchy, validity and notes.

    Made by a reader, `from_table`, `from_rows` or `from_arrays`; never changed afterwards. `len` counts all codes,
    headers included; iteration yields the billable ones of the release date. Look-up takes codes with or without dot,
    in either case.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        *,
        name: str,
        release: str,
        source: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.name, self.release = name, release
        self.source = tuple(dict(s) for s in source)  #: where the content came from; no part of `sha256`
        self._arrays = arrays
        self.codes: NDArray[np.bytes_] = arrays["codes"]
        self.billable: NDArray[np.bool_] = arrays["billable"]
        self.parent: NDArray[np.int32] = arrays["parent"]
        self.group: NDArray[np.int32] = arrays["group"]
        self.valid_from: NDArray[np.int32] = arrays["valid_from"]
        self.valid_to: NDArray[np.int32] = arrays["valid_to"]
        self._places: dict[str, int] = {}
        self._named: dict[int, tuple[str, str]] = {}

    # ---- making

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[CodeRow],
        *,
        name: str,
        release: str,
        groups: Sequence[GroupRow] = (),
        source: Sequence[Mapping[str, str]] = (),
        releases: Sequence[tuple[int, str]] = (),
    ) -> CodeSystem:
        """Columns from rows in any order. Raises CodeFileError on a code given twice, or a parent that is no code.

        releases: of a table that covers several, the first day (YYYYMMDD) and the name of each, oldest first.
        """
        arrays = columns(rows, groups, name=name, releases=releases)
        return cls.from_arrays(arrays, name=name, release=release, source=source)

    @classmethod
    def from_table(
        cls, table: str | Path | Iterable[Mapping[str, Any]], *, name: str, release: str, delimiter: str | None = None
    ) -> CodeSystem:
        """Any list of codes: a UTF-8 TSV or CSV file (comma or semicolon) with a header line, or rows as mappings.

        Columns: code, title, and optionally billable (1/0, true/false, yes/no), parent (a code, or empty), terms
        (joined by "|"). Without `parent`, an ICD list takes the longest other code a code begins with and any other
        list is flat; without `billable`, a code is billable when it is nobody's parent.
        """
        try:
            return cls.from_rows(table_rows(table, name=name, delimiter=delimiter), name=name, release=release)
        except CodeFileError as error:
            if error.path is not None or not isinstance(table, str | Path):
                raise
            raise CodeFileError(str(error), path=table) from error

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any] | bytes],
        *,
        name: str,
        release: str,
        source: Sequence[Mapping[str, str]] = (),
    ) -> CodeSystem:
        """The system that gave these `arrays`, which may be memory-mapped; checked for shape, order and bounds."""
        return cls(checked(arrays, name), name=name, release=release, source=source)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but name, release and source, as plain arrays (see the table in `codesuggest.codes`)."""
        return {key: self._arrays[key] for key in (*DTYPES, *HISTORY, *SITE) if key in self._arrays}

    @cached_property
    def sha256(self) -> str:
        """Of name, release and all arrays: equal content gives equal digests, on any machine. About 20 ms."""
        digest = hashlib.sha256(f"codesuggest code system 1\n{self.name}\n{self.release}\n".encode())
        for key, array in self.arrays().items():
            digest.update(f"{key} {array.dtype.str} {len(array)}\n".encode())
            digest.update(np.ascontiguousarray(array).view("u1").data if array.size else b"")
        return digest.hexdigest()

    def rows(self) -> list[CodeRow]:
        """The rows that `from_rows` takes, to build a changed system from; seconds, not for the running library."""
        out = []
        for i in range(len(self)):
            row = CodeRow(
                code=self._key(i),
                title=self.title(i),
                billable=bool(self.billable[i]),
                parent=self._key(int(self.parent[i])) if self.parent[i] >= 0 else "",
                valid_from=int(self.valid_from[i]),
                valid_to=int(self.valid_to[i]),
                terms=self.terms_of(i),
                notes=self.notes_of(i, inherited=False),
                group=int(self.group[i]),
                eras=self.eras_of(i),
            )
            out.append(row)
        return out

    def groups(self) -> list[GroupRow]:
        n, names, parents = len(self), self._arrays["group_name"], self._arrays["group_parent"]
        return [
            GroupRow(name.decode(), self._text("group", g), int(parents[g]), self._notes_at(n + g))
            for g, name in enumerate(names.tolist())
        ]

    # ---- looking up

    def __repr__(self) -> str:
        return f"CodeSystem({self.name!r}, {self.release!r}, {len(self):,} codes)"

    def __len__(self) -> int:
        return len(self.codes)

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and self.find(code) >= 0

    def __getitem__(self, code: str) -> Code:
        return self.view(self.index_of(code))

    def __iter__(self) -> Iterator[Code]:
        return (self.view(int(i)) for i in np.flatnonzero(self.billable_on()))

    def get(self, code: str) -> Code | None:
        i = self.find(code)
        return None if i < 0 else self.view(i)

    def index_of(self, code: str) -> int:
        """Position in `codes`. Raises KeyError."""
        if (i := self.find(code)) < 0:
            raise KeyError(f"{code!r} is no code of {self.name} {self.release}")
        return i

    def view(self, i: int) -> Code:
        return Code(self, i, self.code(i), self.title(i))

    def code(self, i: int) -> str:
        """As written in records: "E11.22", with a dot only in the ICD systems that write one."""
        return written(self.name, self._key(i))

    def title(self, i: int) -> str:
        """The official title, empty where the sources have none."""
        return self._text("title", i)

    def _key(self, i: int) -> str:
        return bytes(self.codes[i]).decode("ascii")

    def find(self, code: str) -> int:
        """Position in `codes`, -1 for what is no code of the system."""
        if (known := self._places.get(code)) is not None:
            return known
        key = normalise(self.name, code)
        if not KEY.fullmatch(key):
            return -1
        raw = key.encode("ascii")
        i = int(np.searchsorted(self.codes, np.bytes_(raw)))
        if i == len(self.codes) or self.codes[i] != raw:
            return -1
        if code == self.code(i):  # as it is written: nothing else is remembered
            self._places[code] = i
        return i

    def _text(self, prefix: str, i: int) -> str:
        a, b = self._arrays[f"{prefix}_off"][i : i + 2].tolist()
        return self._arrays[f"{prefix}_blob"][a:b].tobytes().decode("utf-8")

    def terms_of(self, i: int) -> tuple[tuple[str, str], ...]:
        """(kind, text) of the terms of code `i`, in the order of the source; without the title."""
        lo, hi = np.searchsorted(self._arrays["term_code"], (i, i + 1))
        kinds = self._arrays["term_kind"]
        return tuple((TERM_KINDS[kinds[t]], self._text("term", t)) for t in range(lo, hi))

    def iter_terms(self, *, titles: bool = True) -> Iterator[tuple[int, str, str]]:
        """(code index, kind, text) of everything that names a code, titles first; empty titles left out."""
        if titles:
            for i in range(len(self)):
                if text := self._text("title", i):
                    yield i, "title", text
        owner, kinds = self._arrays["term_code"], self._arrays["term_kind"]
        for t in range(len(owner)):
            yield int(owner[t]), TERM_KINDS[kinds[t]], self._text("term", t)

    # ---- searching

    def search(self, text: str, limit: int = 10, date: dt.date | str | int | None = None) -> list[Code]:
        """The billable codes that fit some words best, best first; a code that was typed comes first (see `lookup`).

        The first search builds an index of titles and terms: 0.1 s for 2,000 codes, some seconds for all of ICD-10-CM.
        date: on which the codes are valid, by default the release's own. Raises OptionError.
        """
        return self._lookup.search(text, limit=limit, date=date)

    @cached_property
    def _lookup(self) -> Lookup:
        from codesuggest.lookup import Lookup  # upwards, when called: a table answers without a model

        return Lookup.of(self)

    # ---- validity

    def valid_on(self, date: dt.date | str | int | None = None) -> NDArray[np.bool_]:
        """(n,) bool: codes that can be billed on the date, and headers that exist; None is the release's own, if it is a
        date. A code that was, or became, a header is not valid on those days, for it cannot be billed."""
        day = self.release_day if date is None else as_day(date)
        if not day:
            return np.ones(len(self), bool)
        valid: NDArray[np.bool_] = (self.valid_from <= day) & ((self.valid_to == 0) | (self.valid_to >= day))
        if "era_code" in self._arrays:
            eras = self._eras_on(day)
            code = self._arrays["era_code"][eras]
            own = np.where(self.billable[code], STATES.index("billable"), STATES.index("header"))
            valid[code] = self._arrays["era_state"][eras] == own
        return valid

    def exists_on(self, date: dt.date | str | int | None = None) -> NDArray[np.bool_]:
        """(n,) bool: codes and headers that the release in force on the date holds; None is the release's own."""
        day = self.release_day if date is None else as_day(date)
        held = self.valid_on(date)
        if day and "era_code" in self._arrays:
            eras = self._eras_on(day)
            held[self._arrays["era_code"][eras]] = self._arrays["era_state"][eras] != STATES.index("absent")
        return held

    def billable_on(self, date: dt.date | str | int | None = None) -> NDArray[np.bool_]:
        """(n,) bool: codes that can be billed on the date; None is the release's own."""
        return self.billable & self.valid_on(date)

    def suggestible_on(self, date: dt.date | str | int | None = None) -> NDArray[np.bool_]:
        """(n,) bool: those of `billable_on`, and what a site writes whatever the table says (`codes.site`)."""
        site = np.isin(np.arange(len(self)), list(self.site_codes))
        return np.asarray(self.billable_on(date) | site)

    @cached_property
    def site_codes(self) -> dict[int, str]:
        """Position of each code of a site -> the release it is suggested with, "site:<name>"."""
        a = self._arrays
        return dict.fromkeys(a["site_code"].tolist(), bytes(a["site_release"][0]).decode()) if "site_code" in a else {}

    @cached_property
    def release_day(self) -> int:
        """The release as YYYYMMDD, 0 when its name is no date ("site:lab")."""
        try:
            return as_day(self.release)
        except OptionError:
            return 0

    # ---- history

    @cached_property
    def releases(self) -> tuple[tuple[int, str], ...]:
        """(first day, name) of the releases the table covers, oldest first; the day is 0 when a name is no date."""
        if "since_day" not in self._arrays or not len(self._arrays["since_day"]):
            return ((self.release_day, self.release),)
        names = [bytes(name).decode() for name in self._arrays["since_release"]]
        return tuple(zip(self._arrays["since_day"].tolist(), names, strict=True))

    def release_on(self, date: dt.date | str | int) -> str:
        """Name of the release in force on the day; before the oldest, the oldest."""
        day = as_day(date)
        before = [name for first, name in self.releases if first <= day]
        return before[-1] if before else self.releases[0][1]

    def eras_of(self, i: int) -> tuple[Era, ...]:
        """The times in which code `i` was not what its row says, oldest first."""
        a = self._arrays
        if "era_code" not in a:
            return ()
        lo, hi = np.searchsorted(a["era_code"], (i, i + 1))
        return tuple(
            Era(int(a["era_from"][e]), int(a["era_to"][e]), STATES[a["era_state"][e]], self._text("era", e))
            for e in range(lo, hi)
        )

    def _eras_on(self, day: int) -> NDArray[np.int64]:
        first, last = self._arrays["era_from"], self._arrays["era_to"]
        return np.flatnonzero((first <= day) & ((last == 0) | (last >= day)))

    @cached_property
    def _with_eras(self) -> frozenset[int]:
        """Codes with a history: few, and most questions are about the others."""
        return frozenset(self._arrays["era_code"].tolist()) if "era_code" in self._arrays else frozenset()

    def _era_on(self, i: int, day: int) -> Era | None:
        if i not in self._with_eras:
            return None
        return next((e for e in self.eras_of(i) if e.first <= day and (not e.last or day <= e.last)), None)

    def state_on(self, i: int, date: dt.date | str | int) -> str:
        """What code `i` is on the day: "billable", "header" or "absent"."""
        day = as_day(date)
        if (era := self._era_on(i, day)) is not None:
            return era.state
        first, last = int(self.valid_from[i]), int(self.valid_to[i])
        if first > day or (last and last < day):
            return "absent"
        return "billable" if self.billable[i] else "header"

    def title_on(self, i: int, date: dt.date | str | int) -> str:
        """The title of code `i` on the day."""
        era = self._era_on(i, as_day(date))
        return self.title(i) if era is None else era.title

    def titles_on(self, rows: Sequence[int], date: dt.date | str | int | None = None) -> list[str]:
        """The titles of these codes on the day; None is the release's own, if it is a date."""
        found = texts(self._arrays["title_off"], self._arrays["title_blob"], rows)
        if day := self.release_day if date is None else as_day(date):
            found = [self.title_on(i, day) if i in self._with_eras else own for i, own in zip(rows, found, strict=True)]
        return found

    def named_on(self, rows: Sequence[int], date: dt.date | str | int) -> list[tuple[str, str]]:
        """(code as written in records, title on the day) of these codes. Notes name the same ones again and again, so that they are
        kept, but for those with a history."""
        known = self._named
        try:
            return [known[i] for i in rows]
        except KeyError:
            if len(known) > _MOST_NAMED:
                known = self._named = {}  # another one: a thread may be reading the old
        new = [i for i in rows if i not in known]
        titles = texts(self._arrays["title_off"], self._arrays["title_blob"], new)
        found = dict(zip(new, zip(map(self.code, new), titles, strict=True), strict=True))
        known.update((i, name) for i, name in found.items() if i not in self._with_eras)
        for i in self._with_eras.intersection(found):
            found[i] = found[i][0], self.title_on(i, date)
        return [known.get(i) or found[i] for i in rows]

    # ---- hierarchy

    @cached_property
    def _children(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.parent, kind="stable")
        return order, np.searchsorted(self.parent[order], np.arange(len(self) + 1))

    def children_of(self, i: int) -> NDArray[np.int64]:
        """Indices of the direct children, ascending by code."""
        order, off = self._children
        return order[off[i] : off[i + 1]]

    def ancestors(self, i: int) -> list[int]:
        """Indices of the codes above, nearest first."""
        out: list[int] = []
        while (i := int(self.parent[i])) >= 0:
            out.append(i)
        return out

    def groups_of(self, i: int) -> list[tuple[str, str]]:
        """(name, title) of the groups around code `i`: block, then chapter."""
        g, out = int(self.group[i]), []
        while g >= 0:
            out.append((bytes(self._arrays["group_name"][g]).decode(), self._text("group", g)))
            g = int(self._arrays["group_parent"][g])
        return out

    def _nodes(self, i: int) -> list[int]:
        """Where notes about code `i` may stand: itself, ancestors, block, chapter."""
        nodes, n = [i, *self.ancestors(i)], len(self)
        g = int(self.group[i])
        while g >= 0:
            nodes.append(n + g)
            g = int(self._arrays["group_parent"][g])
        return nodes

    # ---- notes

    def _at(self, node: int) -> str:
        n = len(self)
        return self.code(node) if node < n else bytes(self._arrays["group_name"][node - n]).decode()

    def _notes_at(self, node: int, kind: str | None = None) -> tuple[Note, ...]:
        a = self._arrays
        lo, hi = np.searchsorted(a["note_node"], (node, node + 1))
        out = []
        for m in range(lo, hi):
            if kind is not None and NOTE_KINDS[a["note_kind"][m]] != kind:
                continue
            first, last = np.searchsorted(a["range_note"], (m, m + 1))
            ranges = tuple(
                Range(*(bytes(a[key][r]).decode() for key in ("range_lo", "range_hi", "range_like")))
                for r in range(first, last)
            )
            out.append(Note(NOTE_KINDS[a["note_kind"][m]], self._at(node), self._text("note", m), ranges))
        return tuple(out)

    def notes_of(self, i: int, kind: str | None = None, *, inherited: bool = True) -> tuple[Note, ...]:
        """Notes over code `i`, nearest first; `kind` one of `NOTE_KINDS`."""
        if kind is not None and kind not in NOTE_KINDS:
            raise OptionError(f"kind is {kind!r}, not one of {', '.join(NOTE_KINDS)}")
        return tuple(note for node in (self._nodes(i) if inherited else [i]) for note in self._notes_at(node, kind))

    @cached_property
    def _ranges(self) -> NoteRanges:
        return NoteRanges(self._arrays, self._nodes)

    def intervals(self, kind: str) -> dict[int, list[tuple[int, int, int]]]:
        """Ranges of the notes of a kind as code indices: node -> (start, stop, note). Made when first asked for: 30 ms."""
        return self._ranges.of_kind(kind)

    def named_in_notes(
        self, kind: str, indices: Iterable[int], named: Iterable[int] | None = None
    ) -> list[tuple[int, int, int]]:
        """(i, j, note) for each note of a kind over code `i`, its ancestors, block or chapter that names code `j`.

        indices: the codes looked at as owners. named: and as named, by default the same; a code's note about itself counts. `kind`:
        one of `NOTE_KINDS`. Sorted; 12 codes take 0.05 ms.
        """
        return self._ranges.named(kind, indices, named)

    def note_of(self, m: int) -> tuple[str, str]:
        """(code, block or chapter at which note `m` stands, its text)."""
        return self._at(int(self._arrays["note_node"][m])), self._text("note", m)

    def excludes1_between(self, codes: Iterable[str]) -> list[Conflict]:
        """Pairs among `codes` that an Excludes1 note of one of them, its ancestors, block or chapter keeps apart.

        Both directions are looked at; unknown codes are passed over (they are another finding). A note that names
        both codes of a pair says nothing about them: it sends something third there. 12 codes take
        0.15 ms.
        """
        named = self.named_in_notes("excludes1", [i for c in codes if (i := self.find(c)) >= 0])
        own = {(i, m) for i, j, m in named if i == j}
        return [Conflict(self.code(i), self.code(j), *self.note_of(m)) for i, j, m in named if (i, m) not in own]

    # ---- laterality

    def unspecified_siblings(self, i: int) -> list[int]:
        """For a code whose title leaves the side unspecified: the codes that say right, left or both, ascending.

        They have the same title but for the words of the side, and stand beside the code or, where the side comes
        before a stage or a seventh character, beside its parent with the same ending.
        """
        title, up = words_of(self.title(i)), int(self.parent[i])
        if "unspecified" not in title or not SIDES.isdisjoint(title) or up < 0:
            return []
        near = [int(j) for j in self.children_of(up) if j != i]
        out = [j for j in near if names_side(title, words_of(self.title(j)))]
        if not out:
            ending = self._key(i)[len(self._key(up)) :]
            far = [self.find(self._key(j) + ending) for j in self.unspecified_siblings(up)]
            out = [j for j in far if j >= 0 and names_side(title, words_of(self.title(j)))]
        return out

    def more_specific(self, i: int) -> list[int]:
        """Codes whose titles leave less unspecified than that of code `i`, its own axis by axis, nearest first.

        Looks beside the code and beside the codes above it up to the category; where the sibling of a code above has a
        code with the same ending (the same encounter), it is that one. "Other" codes are among them: they say that the
        record names something for which there is no code.
        """
        key, out, node = self._key(i), dict[int, None](), i
        while (up := int(self.parent[node])) >= 0:
            vague = words_of(self.title(node)).count("unspecified")
            ending = key[len(self._key(node)) :]
            for j in self.children_of(up).tolist() if vague else ():
                if words_of(self.title(j)).count("unspecified") < vague:
                    same = self.find(self._key(j) + ending) if ending else j
                    out[same if same >= 0 else j] = None
            node = up
        return list(out)
