"""Concepts: codes that say the same but for side and encounter, and the terms that name them.

ICD-10-CM multiplies a condition by side (right, left, bilateral, unspecified) and by encounter (initial, subsequent,
sequela, the seventh character). A note rarely says all of it in one breath, so notes are matched against the concept
("pain in knee"), and the member code is chosen from what the note says of side and encounter. 74,719 billable
ICD-10-CM codes fall into about 25,000 concepts this way, which also makes the index a third of the size.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.codes import texts
from codesuggest.codes.system import CodeSystem

Ints = npt.NDArray[np.int32]

#: Ways a term came to name its concept. The ranker weighs them apart.
KINDS = ("title", "trimmed", "inclusion", "header", "idiom", "abbreviation", "drug", "operation", "learned", "act")
_KIND_OF = {"idiom": "idiom", "lay": "idiom", "abbrev": "abbreviation", "drug": "drug"}  # of our lists
#: Of two terms with the same forms, the kind that stands first here is kept.
_KEPT = ("title", "idiom", "trimmed", "inclusion", "header", "abbreviation", "drug")
#: Which statements of a note a concept can be coded from: any, a relative's (Z80-Z84), or the patient's past (Z85-Z87).
ROUTES = ("any", "family", "personal")
_MOST_TEXTS = 20_000  #: about 3 MB
SIDES = ("none", "right", "left", "bilateral", "unspecified")

_SIDE = re.compile(r"\b(right|left|bilateral)\b")
_UNSPECIFIED = re.compile(r"\bunspecified\b")
# words of a title that a note leaves out because they say the default (I.A.6, I.A.18, FY2026), or another name of the same
_DEFAULTS = (
    re.compile(r"\([^)]*\)|\[[^\]]*\]", re.I),
    re.compile(r",? ?\bnot elsewhere classified\b|,? ?\bnot otherwise specified\b", re.I),
    re.compile(r",? ?\bnot specified as \w+\b|,? ?\bnot applicable or unspecified\b", re.I),
    # the site comes behind what is not there: "laceration without foreign body of right hand"
    re.compile(
        r"\bwithout (?:foreign body|(?:intraarticular|intracondylar) extension|intercondylar fracture|complications)"
        r"(?= (?:of|in)\b)",
        re.I,
    ),
    # "without" says what the default is not; but migraine without aura is a kind of its own
    re.compile(r",? ?\bwithout (?:behavioral disturbance, .*|(?!aura\b)[^,]*)", re.I),
    re.compile(
        r",? ?\b(?:not intractable|uncomplicated"
        r"|unspecified(?: type| whether [^,]*| as to [^,]*| cause| organism| site)?)\b",
        re.I,
    ),
    re.compile(r",? ?\b(?:first|second|third) trimester\b", re.I),
    re.compile(r"\bencounter for\b|\bpresence of\b|\bpersonal history of\b|\bfamily history of\b", re.I),
    re.compile(r",? ?\bas the cause of diseases classified elsewhere\b|\bcomplicating\b", re.I),
    re.compile(r"\bnontraumatic\b|\bnonrheumatic\b|\bnative\b", re.I),
    re.compile(r",? ?\bsingle episode\b", re.I),
)
# codes of one condition of pregnancy that differ in when it is: a trimester, the birth, the weeks after it (I.C.15.a.3, FY2026)
_WHEN = re.compile(
    r",? ?\b(?:(?:first|second|third|unspecified) trimester|(?:complicating|in|of|the|,|delivery|current|during)+ ?"
    r"(?:the )?(?:pregnancy|childbirth|puerperium|labor)(?: and childbirth)?)\b",
    re.I,
)
_FAMILY = re.compile(r"^Z8[0-4]")
_PERSONAL = re.compile(r"^Z8[5-7]")


@dataclass(frozen=True, slots=True)
class Entry:
    """What concept building needs of a code: undotted, with its own terms, its parent's place in the list and its position in the
    system."""

    code: str
    title: str
    billable: bool
    parent: int
    terms: tuple[str, ...]
    position: int = 0
    indexed: tuple[str, ...] = ()  #: phrases of the Alphabetic Index and its tables


@dataclass(frozen=True, slots=True)
class Idiom:
    """A way of writing that no title shows. common: 3 everyday, 2, 1 rarer. code: undotted."""

    code: str
    phrase: str
    kind: str
    common: int


@dataclass(frozen=True, slots=True)
class Concepts:
    """Concepts of one code system.

    member_indptr (c+1,), member (m,): CSR of concept -> position of code in the system (billable ones, code order).
    side (m,): index in SIDES. extension (m,): ordinal of the seventh character that tells encounters apart, 0 if none.
    route (c,): index in ROUTES. other (c,), vague (c,): the title says *other (specified)* / *unspecified*.
    common (c,): how everyday the concept is by our idiom list, 3 everyday to 1 rarer, 0 not in the list.
    term_concept, term_kind (t,): concept and index in KINDS of each term. text_offset (t+1,), text_blob: their texts.
    """

    member_indptr: Ints
    member: Ints
    side: npt.NDArray[np.int8]
    extension: npt.NDArray[np.uint8]
    route: npt.NDArray[np.int8]
    other: npt.NDArray[np.bool_]
    vague: npt.NDArray[np.bool_]
    term_concept: Ints
    term_kind: npt.NDArray[np.int8]
    common: npt.NDArray[np.int8]
    text_offset: npt.NDArray[np.int64]
    text_blob: npt.NDArray[np.uint8]

    def text(self, term: int) -> str:
        return self.texts([term])[0]

    def texts(self, terms: Sequence[int] | npt.NDArray[Any]) -> list[str]:
        return texts(self.text_offset, self.text_blob, terms)


class TermTexts(dict[int, str]):
    """The text of each term, kept when asked for, as two of three terms of a note were met before; at most `_MOST_TEXTS`."""

    def __init__(self, concepts: Concepts) -> None:
        super().__init__()
        self._concepts = concepts

    def __missing__(self, term: int) -> str:
        if len(self) >= _MOST_TEXTS:
            self.clear()
        text = self[term] = self._concepts.text(term)
        return text


def entries_of(system: CodeSystem) -> list[Entry]:
    """The codes of a system that have a title or that a site writes (these count as billable), in order; `Entry.parent` is a
    position in this list."""
    site = system.site_codes
    kept = [i for i in range(len(system)) if system.title(i) or i in site]
    place = {i: n for n, i in enumerate(kept)}
    return [
        Entry(
            code=system.codes[i].decode("ascii"),
            title=system.title(i) or system.code(i),
            billable=bool(system.billable[i]) or i in site,
            parent=place.get(int(system.parent[i]), -1),
            # the short titles of an order file are cut words, no way of writing
            terms=tuple(text for kind, text in system.terms_of(i) if kind not in ("short", "index")),
            position=i,
            indexed=tuple(text for kind, text in system.terms_of(i) if kind == "index"),
        )
        for i in kept
    ]


def categories_of(system: CodeSystem) -> Ints:
    """Dense number of the three-character category of each code, int32 (k,), in code order from 0."""
    return np.unique(np.asarray(system.codes).astype("S3"), return_inverse=True)[1].astype(np.int32)


def concept_of_codes(concepts: Concepts, codes: int) -> Ints:
    """The concept of every code by its position, -1 for headers. int32 (codes,)."""
    out = np.full(codes, -1, np.int32)
    out[concepts.member] = np.repeat(np.arange(len(concepts.route)), np.diff(concepts.member_indptr))
    return out


def with_learned(concepts: Concepts, terms: Sequence[tuple[str, ...]], concept: Ints) -> Concepts:
    """The concepts with more terms at the end, of kind "learned": the forms of each and the concept it belongs to."""
    texts = [" ".join(forms).encode() for forms in terms]
    end = int(concepts.text_offset[-1])
    return replace(
        concepts,
        term_concept=np.append(concepts.term_concept, concept).astype(np.int32),
        term_kind=np.append(concepts.term_kind, np.full(len(terms), KINDS.index("learned"))).astype(np.int8),
        text_offset=np.append(concepts.text_offset, end + np.cumsum([len(t) for t in texts], dtype=np.int64)),
        text_blob=np.append(concepts.text_blob, np.frombuffer(b"".join(texts), np.uint8)),
    )


def trimmed(title: str) -> str:
    """The title without the words that say a default: *Type 2 diabetes mellitus without complications* is just T2DM."""
    text = title
    for pattern in _DEFAULTS:
        text = pattern.sub(" ", text)
    return re.sub(r"\s*,(?=\s*(?:,|$))|\s+", " ", text).strip(" ,")


def _sideless(title: str) -> str:
    return re.sub(r"\s+", " ", _SIDE.sub(" ", title.lower())).replace(" ,", ",").strip()


def _extension(entry: Entry, entries: Sequence[Entry]) -> str:
    """Seventh character of a code whose title is its parent's plus the encounter, else ''."""
    told = entry.parent >= 0 and _adds_encounter(entry.code, entry.title, entries[entry.parent].title)
    return entry.code[6] if told else ""


def _adds_encounter(code: str, title: str, above: str) -> bool:
    """Whether the title of a code, undotted, is that of its parent plus the encounter."""
    return len(code) == 7 and bool(above) and title.startswith(above + ", ")


def tells_encounter(system: CodeSystem, i: int) -> bool:
    """Whether the seventh character of the code at a position tells the encounter."""
    parent = int(system.parent[i])
    return parent >= 0 and _adds_encounter(system.codes[i].decode("ascii"), system.title(i), system.title(parent))


def encounters_of(system: CodeSystem) -> frozenset[str]:
    """Billable codes, undotted, whose seventh character tells the encounter."""
    found = (i for i in np.flatnonzero(system.billable).tolist() if tells_encounter(system, i))
    return frozenset(system.codes[i].decode("ascii") for i in found)


def lacks_encounter(system: CodeSystem, i: int) -> bool:
    """Whether the code at a position only lacks the seventh character that tells the encounter."""
    code, after = system.codes[i], i + 1
    follows = len(code) == 6 and after < len(system) and system.codes[after].startswith(code)
    return follows and tells_encounter(system, after)


def group(
    entries: Sequence[Entry], *, sides: bool = True
) -> tuple[list[list[tuple[int, int, str]]], dict[int, int], list[str]]:
    """Concepts as lists of (position, side, extension), the concept of every billable position, and base titles."""
    base: list[tuple[str, str, str]] = []  # (category, base title, extension) by position
    for e in entries:
        extension = _extension(e, entries) if e.billable else ""
        title = entries[e.parent].title if extension else e.title
        base.append((e.code[:3], title, extension))
    key_of: dict[int, tuple[str, str]] = {}
    side_of: dict[int, int] = {}
    # only where right and left both exist: "right heart failure" is no side of "heart failure"
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (category, title, _), e in zip(base, entries, strict=True):
        low = title.lower()
        named = set(_SIDE.findall(low))
        if e.billable and len(named) == 1:
            seen[(category, _sideless(title))] |= named
    sided = {key for key, found in seen.items() if {"right", "left"} <= found}
    open_: list[int] = []
    for i, e in enumerate(entries):
        if not e.billable:
            continue
        category, title, _ = base[i]
        low = title.lower()
        found = _SIDE.findall(low)
        key = (category, _sideless(title))
        if sides and len(set(found)) == 1 and key in sided:
            key_of[i], side_of[i] = key, SIDES.index(found[0])
        else:
            key_of[i], side_of[i] = (category, low), 0
            if sides and "unspecified" in low:
                open_.append(i)
    for i in open_:  # "pain in unspecified knee" joins "pain in right knee"
        category, low = key_of[i]
        for m in _UNSPECIFIED.finditer(low):
            key = (category, re.sub(r"\s+", " ", low[: m.start()] + " " + low[m.end() :]).replace(" ,", ",").strip())
            if key in sided:
                key_of[i], side_of[i] = key, SIDES.index("unspecified")
                break
    by_category: dict[str, list[str]] = defaultdict(list)
    for category, rest in sorted(sided):
        by_category[category].append(rest)
    for i, (category, low) in list(key_of.items()):  # "cataract, bilateral" joins "cataract, right eye"
        if not side_of[i] and low.endswith(", bilateral"):
            stem = low.removesuffix("bilateral")
            joined = [r for r in by_category[category] if r.startswith(stem) and len(r[len(stem) :].split()) <= 2]
            if len(joined) == 1:
                key_of[i], side_of[i] = (category, joined[0]), SIDES.index("bilateral")
    concepts: list[list[tuple[int, int, str]]] = []
    titles: list[str] = []
    number: dict[tuple[str, str], int] = {}
    concept_of: dict[int, int] = {}
    for i, key in key_of.items():
        c = number.setdefault(key, len(concepts))
        if c == len(concepts):
            concepts.append([])
            # the title in its own capitals, without the side
            title = base[i][1]
            side = SIDES[side_of[i]]
            titles.append(re.sub(rf"\s*\b{side}\b", "", title, count=1, flags=re.I).strip() if side_of[i] else title)
        concepts[c].append((i, side_of[i], base[i][2]))
        concept_of[i] = c
    return concepts, concept_of, titles


def default_child(position: int, entries: Sequence[Entry], children: dict[int, list[int]]) -> int:
    """The billable code a header means when nothing more is said, or -1.

    The tabular's habit stands in for the Index's default code (I.A.18): the child that says *unspecified*, else *without
    complication*; a child that only adds an encounter is followed by its first extension; nothing else is guessed.
    """
    here = position
    while here >= 0 and (here == position or not entries[here].billable):  # one billable once can be a header today
        here = default_of(children.get(here, []), entries)
    return here


def default_of(below: Sequence[int], entries: Sequence[Entry]) -> int:
    """The one of the codes `below` a header that it means when nothing more is said, or -1; see `default_child`."""
    if not below:
        return -1
    vague = [c for c in below if "unspecified" in entries[c].title.lower()]
    plain = [c for c in below if re.search(r"\bwithout (?:\w+ )?complications?\b", entries[c].title.lower())]
    encounter = [c for c in below if _extension(entries[c], entries)]
    if encounter:
        return encounter[0]
    if plain:
        return plain[0]
    if vague:
        best = max(vague, key=lambda c: _vagueness(entries[c]))
        side = _SIDE.search(entries[best].title.lower())
        # "of unspecified vessel of left index finger": which hand is not for the header to say
        return best if side is None or all(side[0] in entries[c].title.lower() for c in below) else -1
    return below[0] if len(below) == 1 else -1


def _vagueness(entry: Entry) -> tuple[int, bool, bool, str]:
    """The greatest is what a header means. A fracture not said to be displaced is coded as displaced, and one side of a
    pair is more than was said (I.C.19.c and I.B.13, FY2026)."""
    title = entry.title.lower()
    return title.count("unspecified"), not _SIDE.search(title), "nondisplaced" not in title, entry.code


def _of_other_times(
    concepts: list[list[tuple[int, int, str]]], titles: Sequence[str], entries: Sequence[Entry]
) -> dict[int, list[int]]:
    """Concept of chapter 15 -> the concepts of the same condition at any time of pregnancy, itself among them: what clinicians call
    it does not change, and the note tells the time elsewhere (`trimesters`)."""
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for c, title in enumerate(titles):
        code = entries[concepts[c][0][0]].code
        if code[0] == "O":
            alike[(code[:3], re.sub(r"\W+", " ", _WHEN.sub("", title.lower())).strip())].append(c)
    return {c: own for own in alike.values() if len(own) > 1 for c in own}


def _is_other(title: str) -> bool:
    """Whether a title leaves open what it means but what it does not."""
    return bool(re.search(r"^other\b|\bother specified\b|\belsewhere classified\b", title.lower()))


def build(
    entries: Sequence[Entry],
    forms_of: Callable[[str], tuple[str, ...]],
    idioms: Iterable[Idiom] = (),
    *,
    sides: bool = True,
) -> tuple[Concepts, list[tuple[str, ...]]]:
    """Concepts of a system and the normal forms of their terms.

    idioms: rows of our own lists whose code is billable here. A term with the same forms as an earlier one of the same
    concept is dropped; so is a term all of whose forms were dropped by the word reader.
    """
    concepts, concept_of, titles = group(entries, sides=sides)
    children: dict[int, list[int]] = defaultdict(list)
    for i, e in enumerate(entries):
        if e.parent >= 0:
            children[e.parent].append(i)
    rows: list[tuple[int, int, str]] = []
    for c, title in enumerate(titles):
        rows.append((c, 0, title))
        short = trimmed(title)
        if short != title:
            rows.append((c, 1, short))
    header = KINDS.index("header")
    for i, e in enumerate(entries):
        if e.billable:
            rows += [(concept_of[i], 2, t) for t in e.terms]
            # as sure as a header's title, by measurement (`rebuild`): inclusion terms are chosen with more care
            rows += [(concept_of[i], header, t) for t in e.indexed]
        if not e.billable or i in children:
            target = default_child(i, entries, children)
            if target >= 0:
                # "Other hypertension" above a lone "Resistant hypertension" is no name of it
                own = () if _is_other(e.title) and not _is_other(entries[target].title) else (trimmed(e.title),)
                rows += [(concept_of[target], header, t) for t in (*own, *e.terms, *e.indexed) if t]
            elif any(_extension(entries[c], entries) for c in children.get(i, [])):
                first = children[i][0]
                rows += [(concept_of[first], 2, t) for t in e.terms]
    position = {e.code: i for i, e in enumerate(entries)}
    common = np.zeros(len(concepts), np.int8)
    times = _of_other_times(concepts, titles, entries)
    for idiom in idioms:
        c = concept_of[position[idiom.code]]
        common[c] = max(common[c], idiom.common)
        rows += [(other, KINDS.index(_KIND_OF[idiom.kind]), idiom.phrase) for other in times.get(c, [c])]
    seen: set[tuple[int, tuple[str, ...], bool]] = set()
    forms, term_concept, term_kind, texts = [], [], [], []
    drug = KINDS.index("drug")
    for c, kind, text in sorted(rows, key=lambda r: (r[0], _KEPT.index(KINDS[r[1]]), r[2])):
        found = forms_of(text)
        key = (c, tuple(sorted(found)), kind == drug)
        if not found or key in seen:
            continue
        seen.add(key)
        forms.append(found)
        term_concept.append(c)
        term_kind.append(kind)
        texts.append(text)
    member_indptr = np.concatenate([[0], np.cumsum([len(c) for c in concepts])]).astype(np.int32)
    flat = [m for c in concepts for m in c]
    lowered = [t.lower() for t in titles]
    route = [
        1 if _FAMILY.match(entries[c[0][0]].code) else 2 if _PERSONAL.match(entries[c[0][0]].code) else 0
        for c in concepts
    ]
    return (
        Concepts(
            member_indptr=member_indptr,
            member=np.array([entries[m[0]].position for m in flat], np.int32),
            side=np.array([m[1] for m in flat], np.int8),
            extension=np.array([ord(m[2]) if m[2] else 0 for m in flat], np.uint8),
            route=np.array(route, np.int8),
            other=np.array([_is_other(t) for t in titles], bool),
            vague=np.array(["unspecified" in t for t in lowered], bool),
            term_concept=np.array(term_concept, np.int32),
            term_kind=np.array(term_kind, np.int8),
            common=common,
            text_offset=np.concatenate([[0], np.cumsum([len(t.encode()) for t in texts])]).astype(np.int64),
            text_blob=np.frombuffer("".join(texts).encode(), np.uint8),
        ),
        forms,
    )
