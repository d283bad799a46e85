"""The listed suggestions of one note in one system: the best candidates with the places they rest on, and why.

All rows are looked at together, in arrays; only what ends in a record is made one by one. Codes of one concept (a side, an
encounter) rest on the same matches and share their evidence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.config import SuggestConfig
from codesuggest.engine import Engine
from codesuggest.features import Table
from codesuggest.note import Reading
from codesuggest.records import ASSERTIONS, Evidence, Suggestion
from codesuggest.retrieve import Hits

Ints = npt.NDArray[Any]


def listed(
    reading: Reading,
    engine: Engine,
    hits: Hits,
    table: Table,
    config: SuggestConfig,
    *,
    day: str,
    limit: int,
    threshold: float | None,
) -> list[Suggestion]:
    """The `limit` best candidates, best first, ties by code. threshold: confidence in [0, 1] from which one counts as
    suggested, by default the model's."""
    ranker, system = engine.ranker, engine.system
    score = ranker.score(table.x)
    confidence = ranker.confidence(score)
    best = np.lexsort((table.code, -score))
    best = best[confidence[best] >= config.confidence_floor][:limit]
    bar = ranker.threshold if threshold is None else threshold
    evidence = _evidence(reading, engine, hits, table, best, config.evidence_per_suggestion)
    release, codes = system.release_on(day), table.code[best].tolist()
    rows = zip(
        best.tolist(),
        codes,
        system.titles_on(codes, day),
        table.concept[best].tolist(),
        confidence[best].tolist(),
        score[best].tolist(),
        ranker.whys(table.x[best]),
        strict=True,
    )
    out = []
    for row, number, title, concept, sure, value, why in rows:
        places, code = evidence[concept], system.code(number)
        # a bare laboratory value never suggests (I.A.19, III.B)
        said = any(e.basis == "text" for e in places)
        out.append(
            Suggestion(
                system=system.name,
                release=system.site_codes.get(number, release),
                code=code,
                display=title or code,
                confidence=sure,
                suggested=sure >= bar and said,
                score=value,
                intercept=ranker.intercept,
                why=why,
                evidence=places,
                undocumented=table.undocumented(row) if engine.axes is not None else (),
            )
        )
    return out


def evidence_hits(table: Table, hits: Hits, of_concept: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """The hits that speak for some concepts, and each one's concept as a position in `wanted`, both int (k,).

    of_concept: concept of every term. wanted: concepts in ascending order. Hits of a concept stand together: those not much
    weaker than its best one, the strongest first and then the first in the note. A concept that the diagnoses said add up to rests
    on theirs too.
    """
    own = np.flatnonzero(table.usable)
    concept = of_concept[hits.term[own]]
    slot = np.searchsorted(wanted, concept)
    own_slot = np.minimum(slot, max(0, len(wanted) - 1))
    known = wanted[own_slot] == concept if len(wanted) else np.zeros(len(own), bool)
    own, slot = own[known], slot[known]
    if len(adding := np.flatnonzero((table.witness >= 0).any(1) & np.isin(table.concept, wanted))):
        row, part = np.nonzero(table.witness[adding] >= 0)
        place = np.searchsorted(wanted, table.concept[adding][row])
        both = np.append(np.stack([slot, own]), np.stack([place, table.witness[adding][row, part]]), axis=1)
        slot, own = np.unique(both, axis=1)
    worth = table.worth[own]
    most = np.full(len(wanted), -np.inf, np.float32)
    np.maximum.at(most, slot, worth)
    near = worth >= 0.7 * most[slot]
    own, slot, worth = own[near], slot[near], worth[near]
    order = np.lexsort((hits.first[own], -np.round(worth, 2), slot))
    return own[order], slot[order]


def _evidence(
    reading: Reading, engine: Engine, hits: Hits, table: Table, rows: Ints, most: int
) -> dict[int, tuple[Evidence, ...]]:
    """By concept of the rows the places it rests on: the best first, none inside another, at most `most`."""
    wanted = np.unique(table.concept[rows])
    own, slot = evidence_hits(table, hits, engine.concepts.term_concept, wanted)
    start, end = reading.words.start[hits.first[own]], reading.words.end[hits.last[own]]
    segment = hits.segment[own]
    columns = (slot, start, end, segment, reading.status[segment], reading.derived[segment], reading.cue[segment])
    found: list[list[Evidence]] = [[] for _ in range(len(wanted))]
    for number, a, b, part, status, derived, cue, term in zip(
        *(column.tolist() for column in columns), hits.term[own].tolist(), strict=True
    ):
        places = found[number]
        if len(places) == most or any(a < e.end and e.start < b for e in places):
            continue
        places.append(
            Evidence(
                start=a,
                end=b,
                section=reading.section[part],
                assertion=ASSERTIONS[status],
                term=engine.concepts.text(term),
                basis="result" if derived else "text",
                cue=reading.cues[cue] if cue >= 0 else None,
            )
        )
    return {concept: tuple(places) for concept, places in zip(wanted.tolist(), found, strict=True)}
