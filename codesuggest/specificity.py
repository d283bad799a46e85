"""Which axis a code leaves open, where each answer would lead, and how to ask for it without leading.

The code tree says it: at each level of a code whose title grows an "unspecified", a "not specified" or a "without
complication", the neighbours of that level are the answers. How their titles differ names the axis: side, acuity, type,
stage, trimester, encounter ... A header leaves open what its children say.

The query follows the AHIMA/ACDIS "Guidelines for Achieving a Compliant Query Practice" (2022 update): it quotes the
indicators, offers every answer the classification has plus "other" and "unable to determine", names no code and never
speaks of money.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codesuggest.codes.system import CodeSystem

_OPEN = re.compile(r"\bunspecified\b|\bnot (?:otherwise )?specified\b|\bNOS\b", re.IGNORECASE)
_PLAIN = re.compile(r"\bwithout (?:\w+ )?complications?\b|\buncomplicated\b", re.IGNORECASE)
#: Words of the answers by axis; the first axis that most of the answers speak of names it.
_AXES = (
    ("encounter", re.compile(r"\b(?:initial|subsequent) encounter|\bsequela\b", re.I)),
    ("fetus", re.compile(r"\bfetus \d|\bnot applicable or unspecified\b", re.I)),
    ("laterality", re.compile(r"\b(?:right|left|bilateral|unilateral)\b", re.I)),
    ("trimester", re.compile(r"\btrimester\b|\bin (?:childbirth|pregnancy|the puerperium)\b", re.I)),
    ("stage", re.compile(r"\bstage\b|\b(?:first|second|third) degree\b|\bgrade\b", re.I)),
    ("remission", re.compile(r"\bremission\b|\brelapse\b", re.I)),
    ("severity", re.compile(r"\b(?:mild|moderate|severe|persistent|class \d)\b", re.I)),
    ("acuity", re.compile(r"\b(?:acute|chronic|subacute|recurrent)\b", re.I)),
    ("intractability", re.compile(r"\bintractable\b", re.I)),
    ("onset", re.compile(r"\bonset\b", re.I)),
    ("complication", re.compile(r"\b(?:with|without|due to)\b", re.I)),
)  # fmt: skip
#: How the axis is called in a query.
_ASKED = {
    "encounter": "the kind of encounter",
    "fetus": "the fetus concerned",
    "laterality": "the side",
    "trimester": "the trimester",
    "stage": "the stage or degree",
    "remission": "the state of remission",
    "severity": "the severity of this condition",
    "acuity": "the acuity of this condition",
    "intractability": "whether the condition is intractable",
    "onset": "the onset",
    "complication": "what goes with this condition, if anything",
    "type": "the type, cause or site of this condition",
}
_MOST = 12  #: answers offered in a query; of more, it asks openly


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: the words that tell it from the others, and the code it leads to."""

    value: str
    code: str
    title: str
    billable: bool  #: and valid on the day; a header that leaves another axis open is not

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "code": self.code, "title": self.title, "billable": self.billable}


@dataclass(frozen=True, slots=True)
class Axis:
    """What a code leaves open: a name out of `AXES`, and the answers in order of code."""

    name: str
    at: str  #: the code or header at which the axis is decided
    options: tuple[Option, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "at": self.at, "options": [o.to_dict() for o in self.options]}


@dataclass(frozen=True, slots=True)
class Specificity:
    """A code with what it leaves open. `query` is empty when that is nothing."""

    system: str
    code: str
    title: str
    axes: tuple[Axis, ...]
    indicators: tuple[tuple[int, int], ...]  #: of the note, code points, end exclusive
    query: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "code": self.code,
            "title": self.title,
            "axes": [a.to_dict() for a in self.axes],
            "indicators": [{"start": a, "end": b} for a, b in self.indicators],
            "query": self.query,
        }


AXES = tuple(_ASKED)


def explain(system: CodeSystem, code: str, day: int | None = None) -> tuple[Axis, ...]:
    """The axes that `code` leaves open, the last decided one first; none for a code that says all its family can say.

    day: YYYYMMDD, on which the answers must be valid; None is the release's own. Raises KeyError for an unknown code.
    """
    i = system.index_of(code)
    when = system.release_day if day is None else day
    if _is_header(system, i, when):
        below = [int(j) for j in system.children_of(i)]
        axis = _axis(system, i, below, "", when, "")
        return (axis,) if axis else ()
    out = []
    key = _key(system, i)
    node = i
    while (up := int(system.parent[node])) >= 0:
        if _grows_open(system.title(node), system.title(up)):
            beside = [int(j) for j in system.children_of(up) if j != node]
            ending = key[len(_key(system, node)) :]
            if axis := _axis(system, up, beside, ending, when, system.title(i)):
                out.append(axis)
        node = up
    return tuple(out)


def _is_header(system: CodeSystem, i: int, day: int) -> bool:
    """Whether a code is a header on the day, though it may have been billable before; day 0: at any time."""
    return not system.billable[i] or (day > 0 and system.state_on(i, day) == "header")


def _grows_open(title: str, above: str) -> bool:
    """Whether a level brings the "unspecified" in: its title has one more of them than the title above it."""
    if sorted(_words(title)) == sorted(_words(above)):  # "Pain in unspecified limb" below its namesake
        return bool(_OPEN.search(title))
    return len(_OPEN.findall(title)) > len(_OPEN.findall(above)) or bool(
        _PLAIN.search(title) and not _PLAIN.search(above)
    )


def _axis(system: CodeSystem, up: int, answers: Sequence[int], ending: str, day: int, own: str) -> Axis | None:
    above = system.title(up)
    options = []
    for j in answers:
        title = system.title(j)
        if _OPEN.search(title) and len(_OPEN.findall(title)) > len(_OPEN.findall(above)):
            continue  # another way of not saying it
        target = _leads_to(system, j, ending, day, own)
        if target is None:
            continue
        usable = bool(system.billable[target]) and _valid(system, target, day)
        value = "other" if title.lower().startswith("other") else difference(title, above)
        options.append(Option(value, system.code(target), system.title(target), usable))
    if not options:
        return None
    return Axis(_name([o.value for o in options], above), system.code(up), tuple(options))


def _leads_to(system: CodeSystem, j: int, ending: str, day: int, own: str) -> int | None:
    """The code of an answer: with the same ending, else itself, else the only or unspecified one below it, else the header.

    The same ending must mean the same: I48.91 ends in 1 for fibrillation, I48.21 for permanent. own: the code's title.
    """
    if ending and (same := system.get(_key(system, j) + ending)) is not None and same.billable:
        added = set(_words(same.title)) - set(_words(system.title(j)))
        if added <= set(_words(own)):
            return same.index if _valid(system, same.index, day) else None
    while _is_header(system, j, day):
        below = [int(k) for k in system.children_of(j) if _valid(system, int(k), day)]
        plain = [k for k in below if _OPEN.search(system.title(k)) or _PLAIN.search(system.title(k))]
        if len(below) == 1:
            j = below[0]
        elif len(plain) == 1:
            j = plain[0]
        else:
            return j if below else None
    return j if _valid(system, j, day) else None


def difference(title: str, above: str) -> str:
    """A title without the words at its start and end that the title above it has there too: "mild intermittent"."""
    words, have = title.split(), [_bare(word) for word in above.split()]
    first = 0
    while first < min(len(words), len(have)) and _bare(words[first]) == have[first]:
        first += 1
    last = 0
    while last < min(len(words), len(have)) - first and _bare(words[-1 - last]) == have[-1 - last]:
        last += 1
    text = " ".join(words[first : len(words) - last]).strip(" ,;")
    text = re.sub(r"^(?:of|in|and|or)\s+|\s+(?:of|in|and|the|or|with)$", "", text)
    return text if len(_bare(text)) > 1 else title


def _name(values: Sequence[str], above: str) -> str:
    """The axis that two thirds of the answers speak of, by words that the title above them has not."""
    have = set(_words(above))
    said = [re.sub(r"\([^()]*\)", " ", value) for value in values if value != "other"]
    own = [" ".join(w for w in value.split() if _bare(w) not in have) for value in said]
    for name, pattern in _AXES:
        if own and 3 * sum(bool(pattern.search(value)) for value in own) >= 2 * len(own):
            return name
    return "type"


def _words(title: str) -> list[str]:
    return re.findall(r"[^\W_]+", title.lower())


def _bare(word: str) -> str:
    return re.sub(r"\W", "", word.lower())


def _key(system: CodeSystem, i: int) -> str:
    return bytes(system.codes[i]).decode("ascii")


def _valid(system: CodeSystem, i: int, day: int) -> bool:
    last = int(system.valid_to[i])
    return not day or (int(system.valid_from[i]) <= day and (not last or day <= last))


# ---- the query


def query(title: str, axes: Sequence[Axis], indicators: Sequence[tuple[int, int]], *, note: str | None = None) -> str:
    """The text a coder may send to the provider; empty when no axis is open.

    indicators: offsets of what the note says of the condition, code points, end exclusive. note: quotes them in its own
    words; without it they are cited by their place, so that the text holds nothing of the patient.
    """
    if not axes:
        return ""
    condition = condition_of(title)
    lines = [f"Clarification requested: {condition}", "", "Documented in the record:"]
    for start, end in sorted(set(indicators)):
        words = "" if note is None else " ".join(note[start:end].split())
        lines.append(f'- "{words}" (characters {start}-{end})' if words else f"- characters {start}-{end}")
    if not indicators:
        lines.append(f"- {condition}, without further detail")
    for axis in axes:
        asked = _ASKED[axis.name]
        lines += ["", f"Based on your clinical judgment, please document {asked}, if known:"]
        values = dict.fromkeys(o.value for o in axis.options if o.value != "other")
        if len(values) <= _MOST:
            lines += [f"[ ] {value}" for value in values]
        lines += ["[ ] other (please specify): ____", "[ ] unable to determine"]
    return "\n".join(lines) + "\n"


def condition_of(title: str) -> str:
    """A title without the words that say what is missing: "Heart failure, unspecified" is "Heart failure"."""
    parts = title.split(", ")
    kept = parts[:1]
    for part in parts[1:]:
        if re.match(r"without\b|initial encounter|subsequent encounter|sequela", part):
            break  # and what is said after it
        if not _OPEN.match(part):
            kept.append(part)
    text = re.sub(r" without (?:\w+ )?complications?", "", ", ".join(kept))
    text = re.sub(r"\s+", " ", _OPEN.sub(" ", text)).replace(" ,", ",").strip(" ,")
    return text[:1].upper() + text[1:]
