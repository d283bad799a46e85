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
    pinned: npt.NDArray[np.bool_] | None = None,
) -> list[Suggestion]:
    """The `limit` best candidates, best first, ties by code. threshold: confidence in [0, 1] from which one counts as
    suggested, by default the model's. pinned: bool (rows of the table,), those that are listed and suggested whatever their
    confidence."""
    ranker, system = engine.ranker, engine.system
    products = ranker.products(table.x)
    score = ranker.summed(products)
    confidence = ranker.confidence(score)
    best = np.lexsort((table.code, -score))
    if pinned is None:
        best = best[confidence[best] >= config.confidence_floor][:limit]
    else:  # the list grows no longer: what is pinned takes the last places of the others
        best = best[(confidence[best] >= config.confidence_floor) | pinned[best]]
        held = pinned[best]
        best = best[held | (np.cumsum(~held) <= limit - held.sum())][:limit]
    bar = ranker.threshold if threshold is None else threshold
    evidence = _evidence(reading, engine, hits, table, best, config.evidence_per_suggestion)
    release, site, codes = system.release_on(day), system.site_codes, table.code.take(best).tolist()
    rows = zip(
        range(len(best)),
        best.tolist(),
        codes,
        system.named_on(codes, day),
        table.concept.take(best).tolist(),
        confidence.take(best).tolist(),
        score.take(best).tolist(),
        strict=True,
    )
    whys = ranker.whys(products.take(best, 0))
    # a bare laboratory value never suggests (I.A.19, III.B)
    said = {concept for concept, places in evidence.items() if any(e.basis == "text" for e in places)}
    return [
        Suggestion.told_later(
            system.name,
            site.get(number, release) if site else release,
            code,
            title or code,
            sure,
            (sure >= bar and concept in said) or (pinned is not None and bool(pinned[row])),
            value,
            ranker.intercept,
            whys,
            place,
            evidence[concept],
            table.undocumented(row) if engine.axes is not None else (),
        )
        for place, row, number, (code, title), concept, sure, value in rows
    ]


def evidence_hits(table: Table, hits: Hits, of_concept: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """The hits that speak for some concepts, and each one's concept as a position in `wanted`, both int (k,).

    of_concept: concept of every term. wanted: concepts in ascending order. Hits of a concept stand together: those not much
    weaker than its best one, the strongest first and then the first in the note. A concept that the diagnoses said add up to rests
    on theirs too.
    """
    if not len(wanted):
        none = np.zeros(0, np.int64)
        return none, none
    own = table.usable.nonzero()[0]
    concept = of_concept.take(hits.term.take(own))
    slot = wanted.searchsorted(concept)
    known = (wanted.take(slot, mode="clip") == concept).nonzero()[0]
    own, slot = own.take(known), slot.take(known)
    added = table.witness >= 0
    if added.any() and len(adding := np.flatnonzero(added.any(1) & np.isin(table.concept, wanted))):
        row, part = np.nonzero(added[adding])
        place = wanted.searchsorted(table.concept[adding][row])
        both = np.append(slot * len(hits) + own, place * len(hits) + table.witness[adding][row, part])
        slot, own = np.divmod(np.unique(both), len(hits))
    worth = table.worth.take(own)
    most = np.full(len(wanted), -np.inf, np.float32)
    np.maximum.at(most, slot, worth)
    near = (worth >= 0.7 * most.take(slot)).nonzero()[0]
    own, slot, worth = own.take(near), slot.take(near), worth.take(near)
    order = np.lexsort((hits.first.take(own), -np.round(worth, 2), slot))
    return own.take(order), slot.take(order)


def _evidence(
    reading: Reading, engine: Engine, hits: Hits, table: Table, rows: Ints, most: int
) -> dict[int, tuple[Evidence, ...]]:
    """By concept of the rows the places it rests on: the best first, none inside another, at most `most`."""
    wanted, concepts = np.unique(table.concept.take(rows)), engine.concepts
    own, slot = evidence_hits(table, hits, concepts.term_concept, wanted)
    segment = hits.segment.take(own)
    spans = zip(
        slot.tolist(),
        reading.words.start.take(hits.first.take(own)).tolist(),
        reading.words.end.take(hits.last.take(own)).tolist(),
        strict=True,
    )
    taken: list[list[tuple[int, int]]] = [[] for _ in range(len(wanted))]
    kept = []
    for n, (number, a, b) in enumerate(spans):
        places = taken[number]
        if len(places) < most:
            for start, end in places:
                if a < end and start < b:
                    break
            else:
                places.append((a, b))
                kept.append(n)
    at = np.array(kept, np.int64)
    own, slot, segment = own.take(at), slot.take(at), segment.take(at)
    # those kept of a concept stand in the order of its spans
    pairs = [span for places in taken for span in places]
    columns = (slot, segment, reading.status.take(segment), reading.derived.take(segment), reading.cue.take(segment))
    terms = concepts.texts(hits.term.take(own))
    found: list[list[Evidence]] = [[] for _ in range(len(wanted))]
    for (a, b), term, number, part, status, derived, cue in zip(
        pairs, terms, *(column.tolist() for column in columns), strict=True
    ):
        found[number].append(
            Evidence(
                start=a,
                end=b,
                section=reading.section[part],
                assertion=ASSERTIONS[status],
                term=term,
                basis="result" if derived else "text",
                cue=reading.cues[cue] if cue >= 0 else None,
            )
        )
    return {concept: tuple(places) for concept, places in zip(wanted.tolist(), found, strict=True)}
