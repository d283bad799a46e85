"""A few notes searched, judged and ranked in one row (`row.py`), system by system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from codesuggest.asked import Asked, by_lines
from codesuggest.config import SuggestConfig
from codesuggest.engine import Engine
from codesuggest.features import Table
from codesuggest.note import Reading
from codesuggest.retrieve import BLOCK, Hits
from codesuggest.row import joined


def scored(
    notes: Sequence[tuple[Reading, Asked]], engines: Mapping[str, Engine], config: SuggestConfig
) -> list[dict[str, tuple[Hits, Table]]]:
    """Of each note its matches and scored candidates (`Engine.candidates`), by system, where that can be told of several at once.
    Not where documents with every mention coded taught the system, whose candidates need more, nor of lists of charges."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[int]] = {}
    for place, (reading, asked) in enumerate(notes):
        kind = reading.document_type
        wanted = asked.systems_for(kind, list(engines))
        able = tuple(s for s in wanted if not by_lines(kind, s) and engines[s].spoken is None)
        alike.setdefault((asked.setting_for(kind), asked.day, able), []).append(place)
    out: list[dict[str, tuple[Hits, Table]]] = [{} for _ in notes]
    for (setting, day, systems), places in alike.items():
        for some in _groups(places, [len(notes[k][0].first) for k in places]):
            whole = joined([notes[k][0] for k in some])
            for name in systems:
                engine = engines[name]
                hits = engine.hits(whole, top=config.terms_per_segment, floor=config.coverage_floor)
                judged = engine.judged(whole, hits, inpatient=setting == "inpatient")
                for k, one in zip(some, engine.scored(judged, engine.suggestible_on(day)), strict=True):
                    out[k][name] = one
    return out


def _groups(places: Sequence[int], segments: Sequence[int]) -> Iterator[list[int]]:
    """As many at once as a search looks through in one go: long notes stay alone."""
    held: list[int] = []
    total = 0
    for place, more in zip(places, segments, strict=True):
        if held and total + more > BLOCK:
            yield held
            held, total = [], 0
        held.append(place)
        total += more
    if held:
        yield held
