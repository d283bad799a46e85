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

NONE, FIRST, SECOND, THIRD, BIRTH, OPEN = range(6)  #: OPEN: of a code, "unspecified trimester"

_WEEKS = re.compile(
    r"\b(?P<a>[1-4]?\d)(?:w[0-6]d?|\s[0-6]/7|\s?(?:weeks?|wks?)(?:,? (?:and )?[0-6] ?(?:days?|d))?"
    r"(?=,? (?:pregnan|gestation|ega\b|ga\b|iup|intrauterine|of pregnancy)))"
    r"|\b(?:ega|ga|gestational age|iup|pregnan\w+|gestation)(?: is| at| of|:)?(?: today)? (?P<b>[1-4]?\d)(?=\s?w|\s[0-6]/7|\+)",
    re.I,
)
_NAMED = re.compile(r"\b(?:(first|1st)|(second|2nd)|(third|3rd)) tri(?:mester)?\b", re.I)
_BORN = re.compile(
    r"\b(?:n?svd|nsvd|(?:vaginal|cesarean|c-?section|operative) deliver(?:y|ed)|ltcs|vavd|delivered (?:a|the|vaginally|by)"
    r"|live(?:born)? (?:fe)?male|apgars?)\b",
    re.I,
)


#: One of these stands in every match of `_WEEKS`, in small letters; looked for first, as most notes have none.
_TELL = ("pregnan", "gestation", "iup", "intrauterine", "ga ", "ga:", " ega")
_GA, _SEVENTHS, _DAYS = re.compile(r" ga\b"), re.compile(r"\s[0-6]/7"), re.compile(r"\dw[0-6]")
_ODD = re.compile("[\u017f\u0130\u0131]")  #: letters that the regexes take for an s or an i, but that stay what they are in `lower`


def _may_tell_weeks(low: str) -> bool:
    return (
        any(word in low for word in _TELL)
        or (" ga" in low and _GA.search(low) is not None)
        or ("/7" in low and _SEVENTHS.search(low) is not None)
        or _DAYS.search(low) is not None
    )


def trimester_of(text: str) -> int:
    """FIRST, SECOND or THIRD by the first week or trimester named, BIRTH where the mother's note tells a birth, else NONE."""
    low = text.lower() if text.isascii() or not _ODD.search(text) else ""
    week = _WEEKS.search(text) if not low or _may_tell_weeks(low) else None
    named = None
    if not week and (not low or "d tri" in low or "t tri" in low):
        named = _NAMED.search(text)
    if not week and not named:
        return NONE
    if _BORN.search(text):
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
