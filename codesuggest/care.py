"""Given or listed: what the words around a drug or an item say of who provided it, where and when.

A code of HCPCS Level II is billed for what was given, applied, dispensed or ordered at the visit. "Ketorolac 30 mg IM in the
office" is; "ketorolac 10 mg PO q6h prn", "took her own sumatriptan", "flu shot declined" and "infliximab last month" are not. The
ranker sees which kinds of cue (pipes/en/care.tsv) stand in the same clause as the best match, apart for drugs and for items.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.pipes.lexicon import ENGLISH, read_lexicon
from codesuggest.retrieve import distinct
from codesuggest.units import doses

Ints = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

#: Kinds of cue; `dose` and `clock` are read, `headed` is an act or order in the heading line above ("Given in clinic:").
CUES = ("given", "place", "route", "order", "sig", "home", "refused", "past", "plan", "dose", "clock", "headed")
_OF_LIST = CUES[:9]
FOR = tuple(map(CUES.index, ("given", "place", "route", "order", "clock", "headed")))
AGAINST = tuple(map(CUES.index, ("sig", "home", "refused", "past", "plan")))
_IS_FOR, _IS_AGAINST = (np.isin(np.arange(len(CUES)), kinds).astype(np.float64) for kinds in (FOR, AGAINST))
#: What the features are called; the last of each says: something for, nothing against.
CARE_FEATURES = tuple(f"care:{what}_{cue}" for what in ("drug", "item") for cue in (*CUES, "provided"))
REACH = 90  #: characters from a match within which a cue of its clause is heard

_WORD = re.compile(r"([^\W_][\w'’-]*)")
_BREAK = re.compile(r"[.;\n](?:(?<=\n)|(?=\s|$))")
_CLOCK = re.compile(r"^[ \t]*(?:[-*•][ \t]*)?(?:[01]\d|2[0-3]):?[0-5]\d\b", re.MULTILINE)
_HEAD = re.compile(r"^[^\n]{0,60}:[ \t]*(?=\r?$)", re.MULTILINE)
_HEADED_END = re.compile(r"\n[ \t\r]*\n|:[ \t\r]*(?:\n|$)")
_ACTS = (CUES.index("given"), CUES.index("order"))
#: J729-J730 are contraceptives that are placed: no dose, no route.
_DRUG = re.compile(rb"J(?!729|730)|Q0[12]|Q2|Q5|Q99[89]|C9[0-4]")


def is_drug(codes: npt.NDArray[np.bytes_]) -> Bools:
    """Which codes of HCPCS Level II are drugs. bool, shape of `codes`."""
    return np.array([bool(_DRUG.match(code)) for code in codes.tolist()], bool)


@dataclass(frozen=True, slots=True)
class Care:
    """Cues of a text: kind int8 (index in CUES), start, end intp, all (m,); where its clauses end, ascending, intp."""

    kind: npt.NDArray[np.int8]
    start: Ints
    end: Ints
    breaks: Ints

    def near(self, start: Ints, end: Ints) -> Bools:
        """Which kinds of cue stand near the spans [start, end), in their clause. (h,) -> bool (h, len(CUES))."""
        out = np.zeros((len(start), len(CUES)), bool)
        if not len(self.kind) or not len(start):
            return out
        clause = np.searchsorted(self.breaks, start)
        same = clause[:, None] == np.searchsorted(self.breaks, self.start)[None, :]
        gap = np.maximum(self.start[None, :] - end[:, None], start[:, None] - self.end[None, :])
        near = same & (gap <= REACH)
        spoken = (self.kind == CUES.index("headed"))[None, :]  # those cover the lines they head
        within = (self.start[None, :] <= start[:, None]) & (start[:, None] < self.end[None, :])
        span, cue = ((spoken & within) | (~spoken & near)).nonzero()
        out[span, self.kind.take(cue)] = True
        return out


def read_care(text: str, start: Ints) -> Care:
    """The cues of the clauses that hold one of these places, int (h,), in order; no phrase goes on behind its clause."""
    breaks = np.array([m.start() for m in _BREAK.finditer(text)], np.intp)
    bounds = [0, *(breaks + 1).tolist(), len(text)]
    found = []
    for clause in distinct(breaks.searchsorted(start)).tolist():
        begin, end = bounds[clause], bounds[clause + 1]
        own = text[begin:end]
        found += [(kind, begin + a, begin + b) for kind, a, b in _said(own)]
        found += [(CUES.index("dose"), begin + d.start, begin + d.end) for d in doses(own)]
    found += [(CUES.index("clock"), m.start(), m.end()) for m in _CLOCK.finditer(text)]
    for head in _HEAD.finditer(text):
        if any(kind in _ACTS for kind, _, _ in _said(head.group())):
            stop = _HEADED_END.search(text, head.end())
            found.append((CUES.index("headed"), head.end(), stop.start() if stop else len(text)))
    found.sort(key=lambda row: (row[1], row[0]))
    columns = np.array(found, np.intp).reshape(-1, 3)
    return Care(columns[:, 0].astype(np.int8), columns[:, 1], columns[:, 2], breaks)


@dataclass(frozen=True, slots=True)
class _Phrases:
    """The list. begins: the first four letters of every phrase. alone: words that are a phrase, and its kind. longer: by their
    first two words those of several, the rest of each and its kind, longest first. stems: by four letters those that end in any.
    """

    begins: frozenset[str]
    alone: dict[str, int]
    longer: dict[tuple[str, str], list[tuple[list[str], int]]]
    stems: dict[str, list[tuple[str, int]]]

    def at(self, words: list[str], i: int) -> tuple[int, int]:
        """Kind of the longest phrase that begins with this word, -1 if none does, and how many words it has."""
        word = words[i]
        for rest, kind in self.longer.get((word, words[i + 1]), ()) if i + 1 < len(words) else ():
            if words[i + 2 : i + 2 + len(rest)] == rest:
                return kind, 2 + len(rest)
        if word in self.alone:
            return self.alone[word], 1
        for stem, kind in self.stems.get(word[:4], ()):
            if word.startswith(stem):
                return kind, 1
        return -1, 1


@lru_cache(maxsize=1)
def _phrases() -> _Phrases:
    out = _Phrases(frozenset(), {}, {}, {})
    begins = set()
    for row in read_lexicon(ENGLISH / "care.tsv", ("phrase", "kind", "source"), unique=("phrase",)):
        kind, (first, *rest) = _OF_LIST.index(row.choice("kind", _OF_LIST)), row["phrase"].split()
        begins.add(first[:4])
        if rest:
            out.longer.setdefault((first, rest[0]), []).append((rest[1:], kind))
        elif first.endswith("*"):
            out.stems.setdefault(first[:4], []).append((first[:-1], kind))
        else:
            out.alone[first] = kind
    for own in out.longer.values():
        own.sort(key=lambda row: (-len(row[0]), row))
    return replace(out, begins=frozenset(begins))


def _said(text: str) -> list[tuple[int, int, int]]:
    """(kind, start, end) of the phrases of the list; of two that begin together the longer, so "not given" is not "given"."""
    phrases = _phrases()
    low = text.lower()
    if len(low) != len(text):  # a capital of two small letters would move what follows
        low = text
    parts = _WORD.split(low)  # what is between words, and words
    words, ends = parts[1::2], list(accumulate(map(len, parts)))
    may_begin = {word for word in set(words) if word[:4] in phrases.begins}
    out, skip = [], 0
    for i in [i for i, word in enumerate(words) if word in may_begin]:
        if i < skip:
            continue
        kind, size = phrases.at(words, i)
        if kind >= 0:
            out.append((kind, ends[2 * i], ends[2 * (i + size) - 1]))
            skip = i + size
    return out


def care_features(near: Bools, row: Ints, strength: npt.NDArray[np.float32], drug: Bools) -> npt.NDArray[np.float32]:
    """Features of candidates from the cues near their matches: float32 (n, len(CARE_FEATURES)).

    near: bool (p, kinds), by match. row: (p,), candidate of each match. strength: (p,). drug: bool (n,). The match that speaks most
    for being given stands for its candidate, of those nearly as strong as the best.
    """
    n, kinds = len(drug), len(CUES)
    out = np.zeros((n, len(CARE_FEATURES)), np.float32)
    if not len(row):
        return out
    said_for, against = near @ _IS_FOR, near @ _IS_AGAINST
    promise = said_for + near[:, CUES.index("dose")] - 2.0 * against
    value = 10 * np.round(strength, 1) + np.minimum(np.maximum(promise, -6), 6) / 2
    order = np.lexsort((-value, row))  # stable: of equal ones the first
    held = row.take(order)
    fresh = np.ones(len(order), bool)
    np.not_equal(held[1:], held[:-1], out=fresh[1:])
    lead = order.compress(fresh)
    at = row.take(lead)
    columns = np.arange(kinds + 1) + ((kinds + 1) * ~drug.take(at))[:, None]
    out[at[:, None], columns[:, :kinds]] = near.take(lead, 0)
    out[at, columns[:, kinds]] = ((said_for > 0) & (against == 0)).take(lead)
    return out
