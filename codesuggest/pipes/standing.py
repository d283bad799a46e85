"""What the section a finding stands in says of it, where its own words say nothing.

A family history speaks of the family, discharge instructions of what may come, a surgical history of what was done. Under
a past medical history a chronic disease is current and is coded, while a stroke, a kidney stone or a fracture is over and
becomes a history code (ICD-10-CM guidelines I.C.21.c.4, FY2026): the class <episode> of `cues.tsv` names those. The other
way about, a diagnosis of this stay that has resolved is among the diagnoses of the stay all the same (II, III, FY2026).

A note is not always so kind as to end a section: after "FH: brother glaucoma." the next line may be the examination under a
heading nobody knows. So the histories hold for the line of the heading, or, where it stands alone on its line, up to the first
blank line; for the lines after that only while they are wrapped prose, begin in small letters or name a relative.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codesuggest.pipes.cues import STATUSES, CueList, hashes
from codesuggest.pipes.structure import Line, Section, Structure
from codesuggest.pipes.tokens import Tokens
from codesuggest.records import Cue

__all__ = ["in_sections"]

_AFFIRMED, _FAMILY = STATUSES.index("affirmed"), STATUSES.index("family")
_HISTORICAL, _OTHER_PERSON = STATUSES.index("historical"), STATUSES.index("other_person")
_DEFAULTS: Final = {
    "family_history": _FAMILY,
    "discharge_instructions": STATUSES.index("hypothetical"),
    "psh": _HISTORICAL,
    "differential": STATUSES.index("uncertain"),
}
# what gives way to it, bool by status: a father's possible stroke in his sixties is the father's
_WEAKER: Final = {name: np.array([status == "affirmed" for status in STATUSES]) for name in _DEFAULTS} | {
    "family_history": np.array([status in ("affirmed", "historical", "uncertain") for status in STATUSES]),
}
_PAST: Final = ("pmh",)
_OF_THIS_STAY: Final = ("discharge_diagnosis", "diagnosis")
_READ: Final = frozenset((*_DEFAULTS, *_PAST, *_OF_THIS_STAY))
_WRAPPED: Final = 60  # code points: so long a line was ended by the page, not by its writer
_BETWEEN: Final = hashes(",;./()+") | hashes(("and", "&"))  # items of a list stand between these

Statuses = NDArray[np.int8]


def in_sections(
    tokens: Tokens,
    structure: Structure,
    cues: CueList,
    status: Statuses,
    cue: NDArray[np.intp],
    found: tuple[Cue, ...],
) -> tuple[Statuses, NDArray[np.intp]]:
    """The two arrays of an `Asserted` with what the sections add; the same arrays when they add nothing.

    A token that takes its status from its section has no cue (-1). Costs nothing in a note without such sections.
    """
    sections = [(n, s) for n, s in enumerate(structure.sections) if s.name in _READ and s.start < s.end]
    if not sections:
        return status, cue
    status, cue = status.copy(), cue.copy()
    words = _Words(tokens)
    for number, section in sections:
        name = section.name or ""
        if name in _OF_THIS_STAY:
            first, last = words.within(section.start, section.end)
            over = [i for i in range(first, last) if status[i] == _HISTORICAL and "resolved" in found[cue[i]].rule]
            status[over], cue[over] = _AFFIRMED, -1
            continue
        whole = name == "discharge_instructions"
        kin = cues.relatives if name == "family_history" else frozenset()
        for start, end in [section[2:4]] if whole else _reach(words, structure.lines, number, section, kin):
            first, last = words.within(start, end)
            here = status[first:last]
            if name in _PAST:
                for a, b in _episodes(words.said(first, last), cues):
                    here[a:b][here[a:b] == _AFFIRMED] = _HISTORICAL
                continue
            if name == "family_history":
                other = [i for i in range(first, last) if status[i] == _OTHER_PERSON]
                child = [i for i in other if not cues.children.isdisjoint(words.of(found[cue[i]]))]
                status[child], cue[child] = _FAMILY, -1
            here[_WEAKER[name].take(here)] = _DEFAULTS[name]
    return status, cue


class _Words(NamedTuple):
    """Tokens by their place."""

    tokens: Tokens

    def within(self, start: int, end: int) -> tuple[int, int]:
        """The first token in this stretch of text and the first behind it."""
        first, last = self.tokens.start.searchsorted((start, end)).tolist()
        return first, last

    def of(self, cue: Cue) -> list[int]:
        first, last = self.within(cue.start, cue.end)
        return self.said(first, last)

    def said(self, first: int, last: int) -> list[int]:
        """Hashes of the small letters of these tokens."""
        said: list[int] = self.tokens.lower[first:last].tolist()
        return said


def _reach(
    words: _Words, lines: tuple[Line, ...], number: int, section: Section, kin: frozenset[int]
) -> Iterator[tuple[int, int]]:
    """The stretches of text for which a history speaks; kin: the words for relatives, if it is the family's."""
    own = [line for line in lines if line.section == number and line.kind != "heading"]
    inline = bool(own) and own[0].start == section.head_end
    begun, wrapped = False, False
    for line in own:
        if line.kind == "blank":
            if begun:
                return
            continue
        if begun and inline and not wrapped:
            first, last = words.within(line.body, line.end)
            small = first < last and words.tokens.text[words.tokens.start[first]].islower()
            if not small and kin.isdisjoint(words.said(first, last)):
                return
        begun, wrapped = True, line.end - line.start >= _WRAPPED
        yield line.body, line.end


def _episodes(ids: list[int], cues: CueList) -> Iterator[tuple[int, int]]:
    """Items of a list that name what is over by now and nothing that lasts."""
    cuts = [-1, *(i for i, word in enumerate(ids) if word in _BETWEEN), len(ids)]
    for a, b in pairwise(cuts):
        item = ids[a + 1 : b]
        if not cues.episode.isdisjoint(item) and not cues.lasts(item):
            yield a + 1, b
