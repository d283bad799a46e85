"""What changed from one release of a code system to another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.codes import as_day
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
    old, new = (dict(_entries(table, day)) for table, day in zip((before, after), on, strict=True))
    both = sorted(old.keys() & new.keys())
    changed = [(old[key], new[key]) for key in both if old[key] != new[key]]
    return Diff(
        before.name,
        _name(before, on[0]),
        _name(after, on[1]),
        added=tuple(new[key] for key in sorted(new.keys() - old.keys())),
        deleted=tuple(old[key] for key in sorted(old.keys() - new.keys())),
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


def _entries(table: CodeSystem, date: dt.date | str | int | None) -> Iterator[tuple[bytes, Entry]]:
    """Every code and header that exists on the day, by its key."""
    day = (as_day(date) if date is not None else 0) or table.release_day
    billable = table.billable_on(day) if day else table.billable
    for i, key in enumerate(table.codes.tolist()):
        if not day:
            yield key, Entry(table.code(i), table.title(i), bool(billable[i]))
        elif table.state_on(i, day) != "absent":
            yield key, Entry(table.code(i), table.title_on(i, day), bool(billable[i]))


def changed_between(
    system: CodeSystem, one: dt.date | str | int, other: dt.date | str | int
) -> npt.NDArray[np.bool_]:
    """(n codes,) bool: codes that can be billed on one of the days only, or have another title on the other."""
    changed: npt.NDArray[np.bool_] = system.billable_on(one) != system.billable_on(other)
    for i in np.unique(system.arrays().get("era_code", np.zeros(0, np.int32))).tolist():  # the others never changed
        changed[i] |= system.title_on(i, one) != system.title_on(i, other)
    return changed
