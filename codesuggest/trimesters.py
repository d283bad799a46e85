"""Which part of a pregnancy a note is about, and which part a code is for.

Codes of chapter 15 name the trimester; notes name the week ("37w4d", "20 weeks pregnant") or that the child is born. Trimesters are
counted from the first day of the last menstrual period: first, less than 14 weeks 0 days; second, to less than 28 weeks 0 days;
third, until delivery (I.C.15.a.3 and the tabular's note at chapter 15, FY2026).
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from codesuggest.codes.system import CodeSystem
from codesuggest.pipes.weeks import WEEKS

NONE, FIRST, SECOND, THIRD, BIRTH, OPEN = range(6)  #: OPEN: of a code, "unspecified trimester"

_NAMED = re.compile(r"\b(?:(first|1st)|(second|2nd)|(third|3rd)) tri(?:mester)?\b", re.I)
_BORN = re.compile(
    r"\b(?:n?svd|nsvd|(?:vaginal|cesarean|c-?section|operative) deliver(?:y|ed)|ltcs|vavd|delivered (?:a|the|vaginally|by)"
    r"|live(?:born)? (?:fe)?male|apgars?)\b",
    re.I,
)
#: Before one of these: a birth of another year.
_EARLIER = re.compile(
    r"\b(?:(?:19|20)\d\d|hx|history|prior|previous|past|ob|earlier|first child)\b[^.;\n]*$|'\d\d [^.;\n]*$", re.I
)


def trimester_of(text: str) -> int:
    """FIRST, SECOND or THIRD by the first week or trimester named, BIRTH where the mother's note tells a birth, else NONE."""
    week = WEEKS.search(text)
    named = None if week else _NAMED.search(text)
    if not week and not named:
        return NONE
    if any(not _EARLIER.search(text[max(0, m.start() - 30) : m.start()]) for m in _BORN.finditer(text)):
        return BIRTH
    if named:
        return int(named.lastindex or NONE)
    weeks = int(week["a"] or week["b"]) if week else 0
    return FIRST if weeks < 14 else SECOND if weeks < 28 else THIRD


def trimesters(system: CodeSystem) -> npt.NDArray[np.int8]:
    """The part of a pregnancy that each code's title names, int8 (k,)."""
    codes = np.asarray(system.codes)
    out = np.zeros(len(codes), np.int8)
    low, high = np.searchsorted(codes, [b"O", b"P"]).tolist()
    for i in range(low, high):
        title = system.title(i)
        if "trimester" in title:
            out[i] = next((n for n, word in enumerate(("first", "second", "third"), 1) if word in title), OPEN)
        elif "childbirth" in title:
            out[i] = BIRTH
    return out
