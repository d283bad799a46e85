"""What a rule may ask of a note: which words it says, about whom and beside which evidence. Forms and offsets, no text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from itertools import chain

import numpy as np

from codesuggest.note import AFFIRMED, Reading
from codesuggest.records import Evidence

Forms = Sequence[str]  #: normal forms of the words of a term


class Said:
    """A read-only view of one note's reading, for rules.

    A segment is a stretch of one sentence under one assertion (see `note`). Only the words of segments that a question is about are
    looked at.
    """

    def __init__(self, reading: Reading, forms_of: Callable[[str], tuple[str, ...]]) -> None:
        """forms_of: brings a term to the normal forms that `reading` was made with."""
        self._reading, self.forms_of = reading, forms_of
        self.sequela = reading.sequela  #: whether a word such as "late effect" stands anywhere
        self.has_results = bool(reading.derived.any())  #: whether a laboratory value stands for a finding
        self._asked: dict[int, set[str]] = {}

    @cached_property
    def _written(self) -> int:
        """The number of words that stand in the note; those made from laboratory values come after them."""
        derived = self._reading.first[self._reading.derived]
        return int(derived.min()) if len(derived) else len(self._reading.words)

    def _forms_in(self, segment: int) -> set[str]:
        """The forms of a segment. Rules ask about few of them."""
        held = self._asked.get(segment)
        if held is None:
            words = self._reading.words.forms[int(self._reading.first[segment]) : int(self._reading.last[segment])]
            held = self._asked[segment] = {form for forms in words for form in forms}
        return held

    @cached_property
    def _own(self) -> list[int]:
        """The segments that are said of the patient."""
        return np.flatnonzero((self._reading.status == AFFIRMED) & ~self._reading.derived).tolist()

    @cached_property
    def _anywhere(self) -> set[str]:
        """The forms of all words, of whomever they are said."""
        return set(chain.from_iterable(self._reading.words.forms))

    def affirms(self, forms: Forms, *, not_in: Collection[str] = ()) -> tuple[tuple[int, int], ...]:
        """Where the note says all of these forms of the patient in one segment: offsets of the first of them.

        not_in: names of sections whose word does not count. Empty when it says them nowhere.
        """
        if not forms or not self._anywhere.issuperset(forms):  # as nearly always
            return ()
        for i in self._own:
            if self._reading.section[i] not in not_in and self._forms_in(i).issuperset(forms):
                return self._place(i, forms)
        return ()

    def affirms_in(self, forms: Forms, sections: Collection[str]) -> bool:
        """Whether one segment of these sections says all of the forms of the patient."""
        if not forms or not self._anywhere.issuperset(forms):
            return False
        section = self._reading.section
        return any(section[i] in sections and self._forms_in(i).issuperset(forms) for i in self._own)

    def beside(self, evidence: Sequence[Evidence]) -> list[int]:
        """The segments in which these evidences stand, ascending."""
        starts = [e.start for e in evidence if e.basis == "text"]
        at = self._reading.words.start[: self._written].searchsorted(np.array(starts, np.int64))
        inside = self._reading.segment_of_word.take(at[at < self._written])
        return sorted({i for i in inside.tolist() if i >= 0})

    def in_sections(self, segments: Iterable[int], sections: Collection[str]) -> bool:
        """Whether one of these segments stands in one of the sections."""
        return any(self._reading.section[i] in sections for i in segments)

    def says(self, segment: int, forms: Forms) -> bool:
        """Whether a segment holds all of these forms. `forms` must not be empty."""
        return bool(forms) and self._forms_in(segment).issuperset(forms)

    def _place(self, segment: int, forms: Forms) -> tuple[tuple[int, int], ...]:
        reading = self._reading
        for k in range(int(reading.first[segment]), int(reading.last[segment])):
            if forms[0] in reading.words.forms[k]:
                return ((int(reading.words.start[k]), int(reading.words.end[k])),)
        return ()
