"""The week of a pregnancy, as notes write it: "37w4d", "at 40 weeks and 3 days", "EGA 28 wks".

Counted from the first day of the last menstrual period (note of the tabular at chapter 15, FY2026); the week is a code of its own,
Z3A, beside the codes of chapter 15 (I.C.21.c.11).
"""

from __future__ import annotations

import re

from codesuggest.pipes.effects import Stated

#: A week said to be of a pregnancy.
WEEKS = re.compile(
    r"\b(?P<a>[1-4]?\d)(?:w[0-6]d?|\s[0-6]/7|\s?(?:weeks?|wks?)(?:,? (?:and )?[0-6] ?(?:days?|d))?"
    r"(?=,? (?:pregnan|gestation|ega\b|ga\b|iup|intrauterine|of pregnancy)))"
    r"|\b(?:ega|ga|gestational age|iup|pregnan\w+|gestation)(?: is| at| of|:)?(?: today)? (?P<b>[1-4]?\d)(?=\s?w|\s[0-6]/7|\+)",
    re.I,
)
#: A week with its days, and a bare one, which count where the note is about a pregnancy.
_DATED = re.compile(
    r"\b(?P<a>[1-4]?\d)(?:\s?(?:weeks?|wks?)(?:,? (?:and |\+ ?)?[0-6] ?(?:/7|days?\b|d\b))|\+[0-6]\b)"
    r"|\bat (?P<b>[1-4]?\d) (?:weeks?|wks?)\b(?! ?(?:old|ago|post|after|later|follow|of (?:age|life)))",
    re.I,
)
#: Before a week: one that is to come or has been, and that of a birth, which the record of the child tells.
_ELSEWHEN = re.compile(
    r"\b(?:deliver\w*|induc\w+|until|till|by|from|repeat\w*|recheck\w*|rescan\w*|growth|return\w*|prior|previous\w*|last|plan\w*"
    r"|schedul\w+|around|after|next|before|will|should|prefers|diagnosed|dx'?d|screen\w*|vaccine|given|section|weekly)\b[^.,;\n]{0,20}$",
    re.I,
)
_BORN = re.compile(r"\b(?:birth|born|delivered|ex|pma|cga|corrected)\b[^.;\n]{0,16}$|\bdelivery: [^.;\n]{0,16}$", re.I)
_BEFORE = 45  #: characters in which such words are looked for
_PREGNANT = re.compile(
    r"\b(?:pregnan\w*|g[1-9]p\d|gravida|fetal|fetus|fht|edd|edc|intrauterine|amniotic|prenatal|antenatal|trimester)\b",
    re.I,
)
#: In each match of `WEEKS`, of `_PREGNANT` and of a trimester's name is one of these, in one stretch without white space; days
#: of seven ("36 4/7") at its beginning, where most dates ("10/7/2025") have none.
WEEK_TOLD = re.compile(
    r"pregnan|gestation|iup|intrauterine|gravida|fetal|fetus|amniotic|natal|trimester|\btri\b|\bega\b|\bga\b|\bfht\b|\bedd\b"
    r"|\bedc\b|(?<!\S)[0-6]/7|\dw[0-6]|g[1-9]p\d",
    re.I,
)
FIRST, LAST = 8, 42  #: weeks with a code of their own


def may_tell(piece: str) -> bool:
    """Whether a text with this stretch between white space may tell a pregnancy's week: without one there is nothing for `weeks` or
    `trimesters.trimester_of` to find, which are slow."""
    return WEEK_TOLD.search(piece) is not None


def weeks(text: str) -> list[Stated]:
    """Each week named, by place; the latest is the surest, as earlier ones tell how it went, but for those that are to come."""
    found = [(m.start(), m.end(), int(m["a"] or m["b"])) for m in WEEKS.finditer(text)]
    if not found and not _PREGNANT.search(text):
        return []
    found += [(m.start(), m.end(), int(m["a"] or m["b"])) for m in _DATED.finditer(text)]
    before = {start: text[max(0, start - _BEFORE) : start] for start, _, _ in found}
    found = [f for f in sorted(found) if 4 <= f[2] <= 44 and not _BORN.search(before[f[0]])]
    own = [f for f in found if not _ELSEWHEN.search(before[f[0]])]
    latest = max((week for _, _, week in own or found), default=0)
    out: dict[str, Stated] = {}
    for start, end, week in own or found:
        code = "Z3A01" if week < FIRST else "Z3A49" if week > LAST else f"Z3A{week:02d}"
        out.setdefault(code, Stated(start, end, code, 1.0 if week == latest else 0.7, True))
    return sorted(out.values())
