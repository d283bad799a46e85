"""What a rule may ask of a note: which words it says, about whom and beside which evidence. Forms and offsets, no text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property

import numpy as np

from codesuggest.note import AFFIRMED, Reading
from codesuggest.records import Evidence

Forms = Sequence[str]  #: normal forms of the words of a term


class Said:
    """A read-only view of one note's reading, for rules.

    A segment is a stretch of one sentence under one assertion (see `note`). Asking costs nothing until the first
    question; then every word is looked at once, about 0.2 ms for 500 words.
    """

    def __init__(self, reading: Reading, forms_of: Callable[[str], tuple[str, ...]]) -> None:
        """forms_of: brings a term to the normal forms that `reading` was made with."""
        self._reading, self.forms_of = reading, forms_of
        self.sequela = reading.sequela  #: whether a word such as "late effect" stands anywhere

    @cached_property
    def _written(self) -> int:
        """The number of words that stand in the note; those made from laboratory values come after them."""
        derived = self._reading.first[self._reading.derived]
        return int(derived.min()) if len(derived) else len(self._reading.words)

    @cached_property
    def _segments(self) -> list[set[str]]:
        """The forms of each segment."""
        out: list[set[str]] = [set() for _ in range(len(self._reading.first))]
        for forms, segment in zip(self._reading.words.forms, self._reading.segment_of_word.tolist(), strict=True):
            if segment >= 0:
                out[segment].update(forms)
        return out

    @cached_property
    def _affirmed(self) -> dict[str, list[int]]:
        """For each form the segments that say it of the patient."""
        out: dict[str, list[int]] = {}
        for i in np.flatnonzero((self._reading.status == AFFIRMED) & ~self._reading.derived).tolist():
            for form in self._segments[i]:
                out.setdefault(form, []).append(i)
        return out

    def affirms(self, forms: Forms, *, not_in: Iterable[str] = ()) -> tuple[tuple[int, int], ...]:
        """Where the note says all of these forms of the patient in one segment: offsets of the first of them.

        not_in: names of sections whose word does not count. Empty when it says them nowhere.
        """
        if not forms or any(form not in self._affirmed for form in forms):
            return ()
        refused = frozenset(not_in)
        for i in self._affirmed[forms[0]]:
            if self._reading.section[i] not in refused and self._segments[i].issuperset(forms):
                return self._place(i, forms)
        return ()

    def affirms_in(self, forms: Forms, sections: Iterable[str]) -> bool:
        """Whether one segment of these sections says all of the forms of the patient."""
        wanted = frozenset(sections)
        found = self._affirmed.get(forms[0], ()) if forms else ()
        return any(self._reading.section[i] in wanted and self._segments[i].issuperset(forms) for i in found)

    def beside(self, evidence: Sequence[Evidence]) -> list[int]:
        """The segments in which these evidences stand, ascending."""
        starts = np.array([e.start for e in evidence if e.basis == "text"], np.int64)
        at = np.searchsorted(self._reading.words.start[: self._written], starts)
        inside = [int(self._reading.segment_of_word[k]) for k in at.tolist() if k < self._written]
        return sorted({i for i in inside if i >= 0})

    def in_sections(self, segments: Iterable[int], sections: Collection[str]) -> bool:
        """Whether one of these segments stands in one of the sections."""
        return any(self._reading.section[i] in sections for i in segments)

    def says(self, segment: int, forms: Forms) -> bool:
        """Whether a segment holds all of these forms. `forms` must not be empty."""
        return bool(forms) and self._segments[segment].issuperset(forms)

    def _place(self, segment: int, forms: Forms) -> tuple[tuple[int, int], ...]:
        reading = self._reading
        for k in range(int(reading.first[segment]), int(reading.last[segment])):
            if forms[0] in reading.words.forms[k]:
                return ((int(reading.words.start[k]), int(reading.words.end[k])),)
        return ()
