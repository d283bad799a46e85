"""Where a code is lost on its way from the note to the list: one stage for every code that could be asked about.

    note -> phrases -> terms near them -> candidates -> ranked list -> suggested

`Trace` keeps what happened to one note in one system; `Trace.of` says of a code how far it came, and what stopped it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.engine import Engine
from codesuggest.features import MAX_CONCEPTS, Table
from codesuggest.judged import LEAST, LEAST_OPERATION
from codesuggest.note import AFFIRMED, Reading
from codesuggest.records import ASSERTIONS, Evidence, NoteResult
from codesuggest.retrieve import Hits

_WITHHELD = ("negated", "uncertain", "family", "historical", "hypothetical", "other_person")
#: Stages in the order in which a code passes them, and what it means that it came no further.
STAGES: Mapping[str, str] = {
    "unread": "the document could not be read",
    "unknown_code": "the model's code table does not hold it",
    "not_valid": "not billable on the day of service",
    "phrase_not_found": "no term of any code matches where the coders marked it",
    "not_retrieved": "no term of it is near what the note says",
    **{f"withheld_{name}": f"its words were found, and withheld as {name.replace('_', ' ')}" for name in _WITHHELD},
    "other_variant": "found, but the note points to another side, encounter or approach",
    "ranked_low": "a candidate, after the limit of the list",
    "below_threshold": "listed, below the operating threshold",
    "result_only": "listed; it rests on a laboratory value alone, which suggests nothing",
    "site_blocked": "listed; the site's word list forbids to suggest it",
    "suggested": "suggested",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one code in one note.

    rank: place in the whole list of candidates, from 1; None for what is none. confidence: in [0, 1], None without a
    rank. threshold, limit: those that were asked for. why, intercept: as in `Suggestion`. evidence: what it rests on;
    places: where words of it stand that could not be used, with the assertion that forbids it.
    """

    system: str
    code: str
    display: str
    stage: str
    rank: int | None
    confidence: float | None
    threshold: float
    limit: int
    intercept: float
    why: Mapping[str, float]
    evidence: tuple[Evidence, ...] = ()
    places: tuple[Evidence, ...] = ()

    @property
    def told(self) -> str:
        """The stage as a sentence with its numbers; no text of the note."""
        if self.rank is None or self.confidence is None:
            return STAGES[self.stage]
        standing = f"rank {self.rank} with confidence {self.confidence:.2f}"
        if self.stage == "ranked_low":
            return f"{STAGES[self.stage]} ({self.limit}): {standing}"
        return f"{STAGES[self.stage]} ({self.threshold:.2f}): {standing}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "code": self.code,
            "display": self.display,
            "stage": self.stage,
            "told": self.told,
            "rank": self.rank,
            "confidence": self.confidence,
            "threshold": self.threshold,
            "limit": self.limit,
            "intercept": self.intercept,
            "why": dict(self.why),
            "evidence": [e.to_dict() for e in self.evidence],
            "places": [e.to_dict() for e in self.places],
        }


@dataclass(frozen=True, slots=True)
class Trace:
    """One note on its way through one engine. result: everything that was ranked, not only what is listed.

    hits, table: what was matched, and the candidates; None for charge lines, which are matched in another way.
    blocked: codes that the site's word list forbids to suggest.
    """

    engine: Engine
    reading: Reading
    result: NoteResult
    hits: Hits | None
    table: Table | None
    threshold: float
    limit: int
    blocked: frozenset[str] = frozenset()

    def of(self, code: str, marked: Iterable[tuple[int, int]] = ()) -> Explanation:
        """How far a code came. marked: where the coders saw it, (start, end) in code points of the note, if they said."""
        system = self.engine.system
        held = system.get(code)
        name, title = (code, "") if held is None else (held.code, held.title_on(self.result.service_date) or "")
        for rank, s in enumerate(self.result.suggestions, 1):
            if s.code == name:
                stage = "suggested" if s.suggested else "ranked_low" if rank > self.limit else "below_threshold"
                if stage == "below_threshold" and s.confidence >= self.threshold:
                    stage = "site_blocked" if name in self.blocked else "result_only"
                return self._explanation(name, s.display, stage, rank, s.confidence, s.why, s.evidence)
        if held is None:
            return self._explanation(name, title, "unknown_code")
        if not self.engine.suggestible_on(self.result.service_date)[held.index]:
            return self._explanation(name, title, "not_valid")
        stage, places = self._stopped(system.index_of(name), tuple(marked))
        return self._explanation(name, title, stage, places=places)

    def _explanation(
        self,
        code: str,
        display: str,
        stage: str,
        rank: int | None = None,
        confidence: float | None = None,
        why: Mapping[str, float] | None = None,
        evidence: tuple[Evidence, ...] = (),
        places: tuple[Evidence, ...] = (),
    ) -> Explanation:
        return Explanation(
            system=self.engine.system.name,
            code=code,
            display=display,
            stage=stage,
            rank=rank,
            confidence=confidence,
            threshold=self.threshold,
            limit=self.limit,
            intercept=self.engine.ranker.intercept,
            why=why or {},
            evidence=evidence,
            places=places,
        )

    def _stopped(self, code: int, marked: tuple[tuple[int, int], ...]) -> tuple[str, tuple[Evidence, ...]]:
        """Why a valid code is no candidate, and where its words stand."""
        hits, table, concepts = self.hits, self.table, self.engine.concepts
        if hits is None or table is None:
            return "not_retrieved", ()
        member = np.flatnonzero(concepts.member == code)
        concept = np.searchsorted(concepts.member_indptr, member, side="right") - 1
        own = np.isin(concepts.term_concept[hits.term], concept)
        if table.usable[own].any():
            rivals = len(np.unique(concepts.term_concept[hits.term[table.usable]]))
            crowded = rivals > MAX_CONCEPTS and not np.isin(concept, table.concept).any()
            return "ranked_low" if crowded else "other_variant", self._places(np.flatnonzero(own & table.usable))
        least = LEAST if self.engine.axes is None else LEAST_OPERATION
        near = np.flatnonzero(own & (hits.coverage >= least))
        near = near[np.lexsort((hits.first[near], -hits.coverage[near]))]
        for h in near.tolist():
            status = int(self.reading.status[hits.segment[h]])
            if status != AFFIRMED:
                return f"withheld_{ASSERTIONS[status]}", self._places(near)
        if marked and not self._is_matched(marked):
            return "phrase_not_found", ()
        return "not_retrieved", self._places(near)

    def _is_matched(self, marked: Iterable[tuple[int, int]]) -> bool:
        """Whether any term of any code matches in the marked words."""
        start, end = self._spans(np.arange(len(self.hits or ())))
        return any(bool(((start < last) & (first < end)).any()) for first, last in marked)

    def _spans(self, hits: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Start and end of hits, in code points of the note."""
        assert self.hits is not None
        words = self.reading.words
        return words.start[self.hits.first[hits]], words.end[self.hits.last[hits]]

    def _places(self, hits: npt.NDArray[np.int64], most: int = 3) -> tuple[Evidence, ...]:
        """The first few of these hits, each stretch of the note once."""
        assert self.hits is not None
        out: dict[tuple[int, int], Evidence] = {}
        for h, start, end in zip(hits.tolist(), *(x.tolist() for x in self._spans(hits)), strict=True):
            segment = int(self.hits.segment[h])
            cue = int(self.reading.cue[segment])
            place = Evidence(
                start=start,
                end=end,
                section=self.reading.section[segment],
                assertion=ASSERTIONS[int(self.reading.status[segment])],
                term=self.engine.concepts.text(int(self.hits.term[h])),
                basis="result" if self.reading.derived[segment] else "text",
                cue=self.reading.cues[cue] if cue >= 0 else None,
            )
            out.setdefault((start, end), place)
        return tuple(out.values())[:most]
