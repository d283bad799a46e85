"""The listed suggestions of one note in one system: the best candidates with the places they rest on, and why.

All rows are looked at together, in arrays; only what ends in a record is made one by one. Codes of one concept (a side, an
encounter) rest on the same matches and share their evidence.
"""

from __future__ import annotations

from itertools import accumulate, pairwise, repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.config import SuggestConfig
from codesuggest.engine import Engine
from codesuggest.features import Table
from codesuggest.note import Reading
from codesuggest.records import ASSERTIONS, Places, Suggestion
from codesuggest.retrieve import Hits, distinct, found_in

Ints = npt.NDArray[Any]
#: Starts and ends of stretches of a text, code points, end exclusive, int (n,) both.
Spans = tuple[Ints, Ints]


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
) -> tuple[list[Suggestion], Spans]:
    """The `limit` best candidates, best first, ties by code; and the spans of all of their evidence.

    threshold: confidence in [0, 1] from which one counts as suggested, by default the model's. pinned: bool (rows of the table,),
    those that are listed and suggested whatever their confidence.
    """
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
    places, spans = _places(reading, engine, hits, table, best, config.evidence_per_suggestion)
    release, site, codes = system.release_on(day), system.site_codes, table.code.take(best).tolist()
    rows = zip(
        range(len(best)),
        best.tolist(),
        codes,
        system.named_on(codes, day),
        table.concept.take(best).tolist(),
        confidence.take(best).tolist(),
        score.take(best).tolist(),
        table.undocumented(best) if engine.axes is not None else repeat((), len(best)),
        strict=True,
    )
    whys = ranker.whys(products.take(best, 0))
    suggestions = [
        Suggestion.told_later(
            system.name,
            site.get(number, release) if site else release,
            code,
            title or code,
            sure,
            # a bare laboratory value never suggests (I.A.19, III.B)
            (sure >= bar and places[concept].said()) or (pinned is not None and bool(pinned[row])),
            value,
            ranker.intercept,
            whys,
            n,
            places[concept],
            left_open,
        )
        for n, row, number, (code, title), concept, sure, value, left_open in rows
    ]
    return suggestions, spans


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
    known, slot = found_in(wanted, of_concept.take(hits.term.take(own)))
    own = own.take(known)
    added = table.witness >= 0
    if added.any():
        row, part = added.nonzero()
        known, place = found_in(wanted, table.concept.take(row))
        both = np.append(slot * len(hits) + own, place * len(hits) + table.witness[row[known], part[known]])
        slot, own = np.divmod(distinct(both), len(hits))
    worth = table.worth.take(own)
    most = np.full(len(wanted), -np.inf, np.float32)
    np.maximum.at(most, slot, worth)
    near = (worth >= 0.7 * most.take(slot)).nonzero()[0]
    own, slot, worth = own.take(near), slot.take(near), worth.take(near)
    # one whole number to sort by is quicker than three columns: worth is less than 10, and no note has 2^24 words
    level = 1000 * slot - np.rint(100 * worth).astype(np.int64)
    order = ((level << 24) + hits.first.take(own)).argsort(kind="stable")
    return own.take(order), slot.take(order)


def _places(
    reading: Reading, engine: Engine, hits: Hits, table: Table, rows: Ints, most: int
) -> tuple[dict[int, Places], Spans]:
    """By concept of the rows the places it rests on: the best first, none inside another, at most `most`. Then the spans of all."""
    wanted = distinct(table.concept.take(rows))
    own, slot = evidence_hits(table, hits, engine.concepts.term_concept, wanted)
    start, end = reading.words.start.take(hits.first.take(own)), reading.words.end.take(hits.last.take(own))
    taken: list[list[tuple[int, int]]] = [[] for _ in range(len(wanted))]
    kept = []
    for n, (number, a, b) in enumerate(zip(slot.tolist(), start.tolist(), end.tolist(), strict=True)):
        places = taken[number]
        if len(places) < most:
            for first, last in places:
                if a < last and first < b:
                    break
            else:
                places.append((a, b))
                kept.append(n)
    at = np.array(kept, np.int64)
    own, start, end = own.take(at), start.take(at), end.take(at)
    segment = hits.segment.take(own)
    derived, cues = reading.derived.take(segment), (*reading.cues, None)
    made = list(
        zip(
            start.tolist(),
            end.tolist(),
            map(reading.section.__getitem__, segment.tolist()),
            map(ASSERTIONS.__getitem__, reading.status.take(segment).tolist()),
            map(engine.term_texts.__getitem__, hits.term.take(own).tolist()),
            map(("text", "result").__getitem__, derived.tolist()),
            map(cues.__getitem__, reading.cue.take(segment).tolist()),  # -1 for none
            strict=True,
        )
    )
    # those kept of a concept stand together
    bounds = accumulate(map(len, taken), initial=0)
    shared = dict(zip(wanted.tolist(), [Places(made[a:b]) for a, b in pairwise(bounds)], strict=True))
    return shared, (start, end)
