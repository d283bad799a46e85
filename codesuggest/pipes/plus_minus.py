"""Signs beside findings: "+cough, -fever", "HTN+, DM-", "fever (-), cough (+)", "DM -ve", "HTN (Y) DM (N)", "HTN [x] DM [ ]".

A bare minus is a dash, a hyphen or a bullet far more often than a sign. It is read as one only in a line that has a plus as well,
where all of them stand on the same side of what they speak of, and not among diagnoses, plans or drugs, whose items begin with
dashes ("-HTN: continue lisinopril"). Signs in parentheses, boxes and "-ve" are plain. Under a minus a finding is negated; a plus
ends what the minus before it denies. Ions, receptors and blood groups (the class <charged> of `cues.tsv`) are named with their sign
("Cl-", "PR-", "O-"): nothing is denied there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.strings import get_string_id

from codesuggest.pipes.cues import STATUSES, CueList
from codesuggest.pipes.structure import Line, Structure
from codesuggest.pipes.tokens import Tokens
from codesuggest.records import Cue

__all__ = ["by_signs"]

_AFFIRMED, _NEGATED = STATUSES.index("affirmed"), STATUSES.index("negated")
#: A text without any of these has no sign. The bare minus is not among them: it needs a plus.
#: Its first letter is looked for before what makes it a sign, which takes a tenth of the time of "+|(-)|[ ]|-ve".
_ANY: Final = re.compile(
    r"[-+(\[\u2212\u2013](?:(?<=\+)|(?<=\()[-\u2212\u2013ynYN]\)|(?<=\[)[ xXynYN]?\]|(?<=[-\u2212\u2013])(?<!\w.)ve\b)"
)
_SIGN: Final = re.compile(
    r"\([ ]?(?P<closed>[-+\u2212\u2013ynYN])[ ]?\)"
    r"|\[(?P<box>[ xXynYN]?)\]"
    r"|(?<![\w+/.<>-])(?P<ve>[-+\u2212\u2013])ve\b"
    r"|(?<![\d+/.<>=~\u2212-])(?P<bare>[-+\u2212])(?![\d+/.<>=~\u2212-])"
)
_STOP: Final = re.compile(r"[,;|\n]|\.(?:\s|$)|\bbut\b")
_PARTED: Final = frozenset(",;|(")
_WORD: Final = re.compile(r"\w+")
_MOST: Final = 5  #: words of an item with its sign behind it: "red colour signs RC(-)" at the end of a sentence is none
#: Sections whose lines list with dashes.
_LISTS: Final = frozenset(
    ("assessment", "assessment_plan", "plan", "impression", "diagnosis", "discharge_diagnosis", "medications",
     "discharge_medications", "instructions", "discharge_instructions", "disposition", "allergies", "labs", "results")
)  # fmt: skip
_PLUS: Final = frozenset("+xXyY")
_OF_A_CUE: Final = frozenset(("( - )", "<unchecked>", "n"))  #: the rows of `cues.tsv` that read such a sign as well


class _Sign(NamedTuple):
    start: int
    end: int
    minus: bool
    plain: bool  #: in parentheses, a box or "-ve"
    before: bool | None  #: whether it stands before what it speaks of; None: its neighbours do not tell


def by_signs(
    tokens: Tokens,
    structure: Structure,
    cues: CueList,
    status: NDArray[np.int8],
    cue: NDArray[np.intp],
    found: tuple[Cue, ...],
) -> tuple[NDArray[np.int8], NDArray[np.intp], tuple[Cue, ...]]:
    """The parts of an `Asserted` with what signs add; the same ones when they add nothing."""
    text = tokens.text
    if _ANY.search(text) is None:
        return status, cue, found
    said = [item for line in _lines(text, structure) for item in _items(text, line, structure, cues.charged)]
    if not said:
        return status, cue, found
    status, cue, held = status.copy(), cue.copy(), list(found)
    for start, end, sign in said:
        first, last = int(tokens.end.searchsorted(start, side="right")), int(tokens.start.searchsorted(end))
        own = np.arange(first, last)
        if sign.minus:
            own = own[status[first:last] != _NEGATED]
            status[own], cue[own] = _NEGATED, len(held)
            held.append(Cue(sign.start, sign.end, STATUSES[_NEGATED], text[sign.start : sign.end].replace(" ", "")))
        else:
            by_sign = [
                i for i in own.tolist() if status[i] == _NEGATED and cue[i] >= 0 and held[cue[i]].rule in _OF_A_CUE
            ]
            status[by_sign], cue[by_sign] = _AFFIRMED, -1
    order = sorted(range(len(held)), key=lambda k: (held[k].start, k))
    place = np.empty(len(held) + 1, np.intp)
    place[order], place[-1] = np.arange(len(held)), -1  # -1 stays: no cue
    status.flags.writeable = False
    cue = place[cue]
    cue.flags.writeable = False
    return status, cue, tuple(held[k] for k in order)


def _lines(text: str, structure: Structure) -> Iterator[Line]:
    """Lines that may hold signs, each once."""
    end = 0
    for mark in _ANY.finditer(text):
        if mark.start() >= end and (line := structure.line_at(mark.start())) is not None:
            end = line.end
            yield line


def _items(text: str, line: Line, structure: Structure, charged: frozenset[int]) -> list[tuple[int, int, _Sign]]:
    """What each sign of a line speaks of: start and end of the stretch, and the sign."""
    signs = _signs(text, line, charged)
    bare = [sign for sign in signs if not sign.plain]
    sides = {sign.before for sign in bare}
    told = len(bare) > 1 and len(sides) == 1 and len({sign.minus for sign in bare}) == 2
    if not told or structure.sections[line.section].name in _LISTS:
        signs = [sign for sign in signs if sign.plain]
    if not any(sign.minus for sign in signs):
        return []
    begin = max(line.start, line.label_end)
    before = next(iter(sides)) if told else _stand_before(text, begin, line.end, signs)
    if before is None:
        return []
    found = []
    for n, sign in enumerate(signs):
        if before:
            low, high = sign.end, signs[n + 1].start if n + 1 < len(signs) else line.end
            stop = _STOP.search(text, low, high)
            # a plus affirms all that stands before the next sign, for a minus before it may have denied a list
            high = stop.start() if stop and sign.minus else high
        else:
            low, high = signs[n - 1].end if n else begin, sign.start
            stops = [stop.end() for stop in _STOP.finditer(text, low, high)]
            low = stops[-1] if stops else low
        if before and ":" in text[low:high] and not sign.plain:
            return []  # "-HTN: stable": an item of a list
        if 0 < len(_WORD.findall(text, low, high)) <= (_MOST if not before else high - low):
            found.append((low, high, sign))
    return found


def _signs(text: str, line: Line, charged: frozenset[int]) -> list[_Sign]:
    """The signs of a line in order. A bare one that opens the line may be a bullet and is left out unless another minus follows.
    charged: hashes of the names that end in a sign of their own."""
    out = []
    last = line.start + len(text[line.start : line.end].rstrip())
    for m in _SIGN.finditer(text, line.start, line.end):
        start, end = m.span()
        left = text[start - 1] if start > line.start else " "
        right = text[end] if end < line.end else " "
        minus = m[m.lastgroup or ""] not in _PLUS
        if m.lastgroup == "bare":
            glued, leads = left.isalnum() or left == ")", right.isalpha()
            if glued and leads:
                continue  # a hyphen
            before: bool | None
            if glued or leads:
                before = leads
            elif right.isspace() and left.isspace():
                earlier = _back(text, line.start, start, str.isspace)
                opens = earlier == line.start or text[earlier - 1] in _PARTED
                before = True if opens else None if end < last else False
            else:
                before = right.isspace()
            if (
                before is False
                and get_string_id(text[_back(text, line.start, start, _in_word) : start].lower()) in charged
            ):
                continue
            if before is None:
                continue  # a dash
            out.append(_Sign(start, end, minus, False, before))
        else:
            out.append(_Sign(start, end, minus, True, None))
    if out and out[0].minus and not out[0].plain and not text[line.start : out[0].start].strip():
        spaced = text[out[0].end : out[0].end + 1].isspace()
        if spaced or not any(sign.minus and sign.before for sign in out[1:]):
            del out[0]
    return out


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _back(text: str, low: int, at: int, while_: Callable[[str], bool]) -> int:
    """Where the letters of a kind begin that stand before a place; never before `low`. A line may be a megabyte: no further is
    looked back, so that time stays linear."""
    while at > low and while_(text[at - 1]):
        at -= 1
    return at


def _stand_before(text: str, begin: int, end: int, signs: Sequence[_Sign]) -> bool | None:
    """Whether signs in parentheses stand before what they speak of: nothing is said before the first of them; or behind it: nothing
    behind the last. None: that does not tell."""
    if not _WORD.search(text, begin, signs[0].start):
        return True
    if not _WORD.search(text, signs[-1].end, end) or all(text[s.start - 1].isalnum() for s in signs):
        return False
    behind = [text[s.end : s.end + 1] for s in signs]
    return False if all(mark in ",;|." for mark in behind) else None
