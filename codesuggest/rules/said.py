"""What a rule may ask of a note: which words it says, about whom and beside which evidence. Forms and offsets, no text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from codesuggest.note import AFFIRMED, Ints, Reading
from codesuggest.records import Evidence

Forms = Sequence[str]  #: normal forms of the words of a term


class _Terms(NamedTuple):
    """A list of ours: the forms of each term, and the id of the first one, -1 for what the vocabulary does not hold."""

    forms: tuple[Forms, ...]
    first: Ints


#: By the terms, as long as the reader of their words lives.
_lists: WeakKeyDictionary[Callable[[str], tuple[str, ...]], dict[tuple[str, ...], _Terms]] = WeakKeyDictionary()


class Said:
    """A read-only view of one note's reading, for rules.

    A segment is a stretch of one sentence under one assertion (see `note`). Only the words of segments that a question is about are
    looked at.
    """

    def __init__(self, reading: Reading, forms_of: Callable[[str], tuple[str, ...]]) -> None:
        """forms_of: brings a term to the normal forms that `reading` was made with."""
        self._reading, self.forms_of = reading, forms_of
        self.sequela = reading.sequela  #: whether a word such as "late effect" stands anywhere
        self.has_results = bool(reading.results)  #: whether a laboratory value stands for a finding
        self._asked: dict[int, set[str]] = {}
        #: Where the words that stand in the note begin; those made from laboratory values come after them.
        self._starts: Ints = reading.words.start
        if self.has_results:
            self._starts = self._starts[: reading.first[reading.derived].min()]

    def _forms_in(self, segment: int) -> set[str]:
        """The forms of a segment. Rules ask about few of them."""
        held = self._asked.get(segment)
        if held is None:
            words = self._reading.words.forms[self._reading.first.item(segment) : self._reading.last.item(segment)]
            held = self._asked[segment] = set().union(*words)
        return held

    @cached_property
    def _own(self) -> list[int]:
        """The segments that are said of the patient."""
        return np.flatnonzero((self._reading.status == AFFIRMED) & ~self._reading.derived).tolist()

    @cached_property
    def _unknown(self) -> set[str]:
        """The forms of the few words that the vocabulary does not hold, of whomever they are said."""
        forms = self._reading.words.forms
        return set().union(*(forms[i] for i in (~self._reading.in_vocabulary).nonzero()[0].tolist()))

    def _may_say(self, form: str) -> bool:
        """Whether the note may say a form of the patient; nearly all forms it does not."""
        place = self._reading.ids.get(form)
        return form in self._unknown if place is None else bool(self._reading.known.item(place))

    def _listed(self, terms: tuple[str, ...]) -> _Terms:
        known = _lists.setdefault(self.forms_of, {})
        if terms not in known:
            forms = tuple(filter(None, map(self.forms_of, terms)))
            known[terms] = _Terms(forms, np.array([self._reading.ids.get(own[0], -1) for own in forms], np.intp))
        return known[terms]

    def forms_of_each(self, terms: tuple[str, ...]) -> tuple[Forms, ...]:
        """The forms of each term of a list of ours, which are kept; a term of which none are left is left out."""
        return self._listed(terms).forms

    def named(self, terms: tuple[str, ...]) -> list[Forms]:
        """The forms of those terms of a list of ours that the note may affirm."""
        forms, first = self._listed(terms)
        near = (self._reading.known.take(first) | (first < 0)).nonzero()[0]
        return [forms[k] for k in near.tolist() if all(map(self._may_say, forms[k]))]

    def affirms(self, forms: Forms, *, not_in: Collection[str] = ()) -> tuple[tuple[int, int], ...]:
        """Where the note says all of these forms of the patient in one segment: offsets of the first of them.

        not_in: names of sections whose word does not count. Empty when it says them nowhere.
        """
        if not forms or not all(map(self._may_say, forms)):  # as nearly always
            return ()
        for i in self._own:
            if self._reading.section[i] not in not_in and self._forms_in(i).issuperset(forms):
                return self._place(i, forms)
        return ()

    def own_in(self, sections: Collection[str]) -> list[int]:
        """The segments of these sections that are said of the patient, ascending."""
        section = self._reading.section
        return [i for i in self._own if section[i] in sections]

    def beside(self, evidence: Iterable[Evidence]) -> list[int]:
        """The segments in which these evidences stand, ascending."""
        starts, segment_of_word = self._starts, self._reading.segment_of_word
        found: set[int] = set()
        for e in evidence:
            if e.basis == "text" and (word := starts.searchsorted(e.start)) < len(starts):
                found.add(segment_of_word.item(word))
        found.discard(-1)  # a heading
        return sorted(found)

    def in_sections(self, segments: Iterable[int], sections: Collection[str]) -> bool:
        """Whether one of these segments stands in one of the sections."""
        return any(self._reading.section[i] in sections for i in segments)

    def forms_in(self, segments: Iterable[int]) -> list[set[str]]:
        """The forms that each of these segments holds."""
        return [self._forms_in(i) for i in segments]

    def says(self, segment: int, forms: Forms) -> bool:
        """Whether a segment holds all of these forms. `forms` must not be empty."""
        return bool(forms) and self._forms_in(segment).issuperset(forms)

    def _place(self, segment: int, forms: Forms) -> tuple[tuple[int, int], ...]:
        reading = self._reading
        for k in range(int(reading.first[segment]), int(reading.last[segment])):
            if forms[0] in reading.words.forms[k]:
                return ((int(reading.words.start[k]), int(reading.words.end[k])),)
        return ()
