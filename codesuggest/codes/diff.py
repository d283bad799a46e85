"""What changed from one release of a code system to another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.codes import written
from codesuggest.codes.merge import same_title
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import OptionError


class Entry(NamedTuple):
    """A code or header of one release."""

    code: str
    title: str
    billable: bool


class Retitled(NamedTuple):
    code: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Diff:
    """Codes of either release that are not the same in the other, each part ascending by code.

    added, deleted: in one only, headers included. retitled: in both, another title (accents and case aside, and only
    where both have one). turned_header, turned_billable: in both, as titled in the newer.
    """

    system: str
    before: str
    after: str
    added: tuple[Entry, ...]
    deleted: tuple[Entry, ...]
    retitled: tuple[Retitled, ...]
    turned_header: tuple[Entry, ...]
    turned_billable: tuple[Entry, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind, in the order of the fields; of the added and deleted also how many are billable."""
        out = {}
        for part in [f.name for f in fields(self)][3:]:
            rows = getattr(self, part)
            out[part] = len(rows)
            if part in ("added", "deleted"):
                out[f"{part}_billable"] = sum(row.billable for row in rows)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain data, each entry an object with named keys."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)[3:]}
        named = {name: [row._asdict() for row in rows] for name, rows in parts.items()}
        return {"system": self.system, "before": self.before, "after": self.after, "counts": self.counts, **named}


def diff(
    before: CodeSystem,
    after: CodeSystem,
    *,
    on: tuple[dt.date | str | int | None, dt.date | str | int | None] = (None, None),
) -> Diff:
    """What `after` has otherwise than `before`. on: the days looked at where a table covers several; None: its release's.

    Raises OptionError for different systems.
    """
    if before.name != after.name:
        raise OptionError(f"releases of one system are compared, not {before.name} with {after.name}")
    old, new = (_titles(table, day) for table, day in zip((before, after), on, strict=True))

    def entry(key: bytes, of: dict[bytes, tuple[str, bool]]) -> Entry:
        return Entry(written(before.name, key.decode("ascii")), *of[key])

    changed = [(entry(k, old), entry(k, new)) for k in sorted(old.keys() & new.keys()) if old[k] != new[k]]
    return Diff(
        before.name,
        _name(before, on[0]),
        _name(after, on[1]),
        added=tuple(entry(key, new) for key in sorted(new.keys() - old.keys())),
        deleted=tuple(entry(key, old) for key in sorted(old.keys() - new.keys())),
        retitled=tuple(
            Retitled(b.code, a.title, b.title)
            for a, b in changed
            if a.title and b.title and not same_title(a.title, b.title)
        ),
        turned_header=tuple(b for a, b in changed if a.billable and not b.billable),
        turned_billable=tuple(b for a, b in changed if b.billable and not a.billable),
    )


def _name(table: CodeSystem, day: dt.date | str | int | None) -> str:
    return table.release if day is None else table.release_on(day)


def _titles(table: CodeSystem, date: dt.date | str | int | None) -> dict[bytes, tuple[str, bool]]:
    """Title of every code and header that exists on the day, and whether it is billable, by its key."""
    rows = table.exists_on(date).nonzero()[0]
    titles = table.titles_on(rows.tolist(), date)
    return dict(
        zip(table.codes[rows].tolist(), zip(titles, table.billable_on(date)[rows].tolist(), strict=True), strict=True)
    )


def changed_between(system: CodeSystem, one: dt.date | str | int, other: dt.date | str | int) -> npt.NDArray[np.bool_]:
    """(n codes,) bool: codes that can be billed on one of the days only, or have another title on the other."""
    changed: npt.NDArray[np.bool_] = system.billable_on(one) != system.billable_on(other)
    for i in np.unique(system.arrays().get("era_code", np.zeros(0, np.int32))).tolist():  # the others never changed
        changed[i] |= system.title_on(i, one) != system.title_on(i, other)
    return changed
