"""An axis of an ICD-10-PCS code that the note does not document: which, and what the table allows for it.

All seven characters must be documented, else the provider is asked (A8, ICD-10-PCS Official Guidelines FY2026). A code is
suggested all the same, with the value that is most usual; `Suggestion.undocumented` says which axes are such guesses, and the
finding `pcs_axis_undocumented` what else the table would allow: the billable codes that differ in this one axis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from codesuggest.codes.system import CodeSystem
from codesuggest.rules.registry import Case, Hit, Line, any_of, rule

#: Axis -> its place in the code and how a finding calls it. The side is part of the body part.
AXES = {
    "side": (3, "side of the body part"),
    "approach": (4, "approach"),
    "device": (5, "device"),
    "qualifier": (6, "qualifier"),
}
_SIDE = re.compile(r"\b(?:right|left|bilateral)\b", re.IGNORECASE)


@rule("pcs_axis_undocumented", "axis", "choices", on=["note"])
def _pcs_axis_undocumented(case: Case) -> Iterator[Hit]:
    """One hit an axis, about the best suggested code of each operation and body part."""
    if not any(line.undocumented for line in case.chosen):
        return
    for table, members in case.tables:
        best: dict[str, Line] = {}
        for line in members.values():
            best.setdefault(line.key[:4], line)
        named = [(line, axis) for line in best.values() for axis in line.undocumented]
        for line, axis in named:
            others = allowed(table, line.index, axis, case.encounter.day)
            if others:
                choices = any_of([f"{code} ({words})" for code, words in others], most=6)
                yield Hit("", (line,), {"axis": AXES[axis][1], "choices": choices})


def allowed(system: CodeSystem, index: int, axis: str, day: int) -> list[tuple[str, str]]:
    """The codes that differ in this axis only and may be billed on the day (YYYYMMDD), in code order, each with the words of
    its title that the code's own title lacks. Of sides, those of the same body part."""
    place, _ = AXES[axis]
    code, title = system.codes[index].decode("ascii"), system.title(index)
    low, high = np.searchsorted(np.asarray(system.codes), [code[:place].encode(), code[:place].encode() + b"~"])
    out = []
    for i in range(int(low), int(high)):
        other = system.codes[i].decode("ascii")
        if len(other) != len(code) or other == code or other[place + 1 :] != code[place + 1 :]:
            continue
        view = system.view(i)
        if not (view.billable and view.title and view.valid_on(day)):
            continue
        if axis == "side" and _sideless(view.title) != _sideless(title):
            continue
        out.append((view.code, _difference(title, view.title)))
    return out


def _sideless(title: str) -> str:
    return " ".join(word.rstrip("s") for word in _SIDE.sub(" ", title.lower()).split())


def _difference(own: str, other: str) -> str:
    """The words of the other title between what both begin and end with; "none" where it only leaves words out."""
    a, b = own.replace(",", "").split(), other.replace(",", "").split()
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return " ".join(b[start : len(b) - end]) or "none"
