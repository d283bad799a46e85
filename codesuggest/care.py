"""Given or listed: what the words around a drug or an item say of who provided it, where and when.

A code of HCPCS Level II is billed for what was given, applied, dispensed or ordered at the visit. "Ketorolac 30 mg IM in the
office" is; "ketorolac 10 mg PO q6h prn", "took her own sumatriptan", "flu shot declined" and "infliximab last month" are not. The
ranker sees which kinds of cue (pipes/en/care.tsv) stand in the same clause as the best match, apart for drugs and for items.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.pipes.lexicon import ENGLISH, read_lexicon
from codesuggest.units import doses

Ints = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

#: Kinds of cue; `dose` and `clock` are read, `headed` is an act or order in the heading line above ("Given in clinic:").
CUES = ("given", "place", "route", "order", "sig", "home", "refused", "past", "plan", "dose", "clock", "headed")
_OF_LIST = CUES[:9]
FOR = tuple(map(CUES.index, ("given", "place", "route", "order", "clock", "headed")))
AGAINST = tuple(map(CUES.index, ("sig", "home", "refused", "past", "plan")))
#: What the features are called; the last of each says: something for, nothing against.
CARE_FEATURES = tuple(f"care:{what}_{cue}" for what in ("drug", "item") for cue in (*CUES, "provided"))
REACH = 90  #: characters from a match within which a cue of its clause is heard

_WORD = re.compile(r"[^\W_][\w'’-]*")
_BREAK = re.compile(r"[.;](?=\s|$)|\n")
_CLOCK = re.compile(r"^[ \t]*(?:[-*•][ \t]*)?(?:[01]\d|2[0-3]):?[0-5]\d\b", re.MULTILINE)
_HEAD = re.compile(r"^[^\n]{0,60}:[ \t]*(?=\r?$)", re.MULTILINE)
#: J729-J730 are contraceptives that are placed: no dose, no route.
_DRUG = re.compile(rb"J(?!729|730)|Q0[12]|Q2|Q5|Q99[89]|C9[0-4]")


def is_drug(codes: npt.NDArray[np.bytes_]) -> Bools:
    """Which codes of HCPCS Level II are drugs. bool, shape of `codes`."""
    return np.array([bool(_DRUG.match(code)) for code in codes.tolist()], bool)


@dataclass(frozen=True, slots=True)
class Care:
    """The cues of a text: kind int8 (index in CUES), start, end int32, all (m,); clause ends, ascending, int32."""

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
        near = np.asarray((spoken & within) | (~spoken & near))
        for k in range(len(CUES)):
            own = self.kind == k
            if own.any():
                out[:, k] = near[:, own].any(1)
        return out


def read_care(text: str) -> Care:
    """The cues of a text, in order."""
    found = _said(text)
    found += [(CUES.index("dose"), d.start, d.end) for d in doses(text)]
    found += [(CUES.index("clock"), m.start(), m.end()) for m in _CLOCK.finditer(text)]
    acts = {_OF_LIST.index("given"), _OF_LIST.index("order")}
    for head in _HEAD.finditer(text):
        if any(kind in acts and head.start() <= a < head.end() for kind, a, _ in found):
            stop = re.compile(r"\n[ \t\r]*\n|:[ \t\r]*(?:\n|$)").search(text, head.end())
            found.append((CUES.index("headed"), head.end(), stop.start() if stop else len(text)))
    found.sort(key=lambda row: (row[1], row[0]))
    columns = np.array(found, np.int32).reshape(-1, 3)
    breaks = np.array([m.start() for m in _BREAK.finditer(text)], np.int32)
    return Care(columns[:, 0].astype(np.int8), columns[:, 1], columns[:, 2], breaks)


@lru_cache(maxsize=1)
def _phrases() -> tuple[dict[str, list[tuple[tuple[str, ...], int]]], dict[str, list[tuple[str, int]]]]:
    """Phrases of the list by their first word, longest first; and, by four letters, those that end in any letters."""
    whole: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    open_: dict[str, list[tuple[str, int]]] = {}
    for row in read_lexicon(ENGLISH / "care.tsv", ("phrase", "kind", "source"), unique=("phrase",)):
        kind, words = _OF_LIST.index(row.choice("kind", _OF_LIST)), tuple(row["phrase"].split())
        if words[-1].endswith("*"):
            open_.setdefault(words[0][:4], []).append((words[0][:-1], kind))
        else:
            whole.setdefault(words[0], []).append((words, kind))
    for own in whole.values():
        own.sort(key=lambda row: (-len(row[0]), row))
    return whole, open_


def _said(text: str) -> list[tuple[int, int, int]]:
    """(kind, start, end) of the phrases of the list; of two that begin together the longer, so "not given" is not "given"."""
    whole, open_ = _phrases()
    low = text.lower()
    if len(low) != len(text):  # a capital of two small letters would move what follows
        low = text
    places = [m.span() for m in _WORD.finditer(low)]
    words = [low[a:b] for a, b in places]
    out, skip = [], 0
    for i in [i for i, word in enumerate(words) if word in whole or word[:4] in open_]:
        if i < skip:
            continue
        word = words[i]
        known, stems = whole.get(word), open_.get(word[:4])
        size, kind = 1, -1
        for phrase, of in known or ():
            if len(phrase) == 1 or tuple(words[i : i + len(phrase)]) == phrase:
                size, kind = len(phrase), of
                break
        else:
            kind = next((of for stem, of in stems or () if word.startswith(stem)), -1)
        if kind >= 0:
            out.append((kind, places[i][0], places[i + size - 1][1]))
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
    against: Bools = np.asarray(near[:, AGAINST].any(1))
    provided = np.asarray(near[:, FOR].any(1) & ~against)
    promise = near[:, FOR].sum(1) + near[:, CUES.index("dose")] - 2.0 * near[:, AGAINST].sum(1)
    value = 10 * np.round(strength, 1) + np.clip(promise, -6, 6) / 2
    order = np.lexsort((np.arange(len(row)), -value, row))
    held = row[order]
    lead = order[np.r_[True, held[1:] != held[:-1]]]
    at = row[lead]
    base = np.where(drug[at], 0, kinds + 1)
    for k in range(kinds):
        out[at, base + k] = near[lead, k]
    out[at, base + kinds] = provided[lead]
    return out
