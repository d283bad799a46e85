"""Sides: all matches and side words at once against one after another."""

from __future__ import annotations

import numpy as np
from conftest import NOTES

from codesuggest.concepts import SIDES
from codesuggest.note import Reading
from codesuggest.retrieve import Hits, ragged
from codesuggest.sides import sides_beside, site_sides
from codesuggest.suggester import CodeSuggester

TEXTS = [p.read_text(encoding="utf-8") for p in sorted(NOTES.glob("*.txt"))[::30]]
TEXTS += ["", "Assessment: pain in the right, left and right knee; bilateral wrist pain"]


def beside_slowly(reading: Reading, hits: Hits, strength: list[float], row: list[int], n: int) -> np.ndarray:
    """Of the two side words before a match's first word and the two behind, those of its segment; the nearer, the more."""
    out = np.zeros((n, len(SIDES)), np.float32)
    places, sides = reading.side_word.tolist(), reading.side.tolist()
    for h in range(len(hits)):
        first, last = int(hits.first[h]), int(hits.last[h])
        behind = sum(place < first for place in places)
        for k in range(max(0, behind - 2), min(len(places), behind + 2)):
            if reading.segment_of_word[places[k]] != hits.segment[h]:
                continue
            gap = max(0, first - places[k], places[k] - last)
            share = 1.0 if gap <= 1 else 0.7 if gap <= 3 else 0.5 if gap <= 6 else 0.3
            out[row[h], sides[k]] = max(out[row[h], sides[k]], np.float32(np.float64(strength[h]) * share))
    return out


def of_site_slowly(reading: Reading, row: list[int], forms: list[int], weight: list[float], n: int) -> np.ndarray:
    out = np.zeros((n, len(SIDES)))
    places = reading.side_word.tolist()
    for i, place in enumerate(places):
        low, high = place - 2, place + 4
        if i:
            low = max(low, places[i - 1] + 1)
        if i + 1 < len(places):
            high = min(high, places[i + 1] - 1)
        near = {
            int(form)
            for form, word in zip(reading.form.tolist(), reading.word.tolist(), strict=True)
            if low <= word <= high and reading.segment_of_word[word] == reading.segment_of_word[place]
        }
        said = [0.0] * n
        for r, form, w in zip(row, forms, weight, strict=True):
            if form in near:
                said[r] += w
        out[:, int(reading.side[i])] += np.array(said) ** 2
    return (out / np.maximum(out.sum(1, keepdims=True), 1e-9)).astype(np.float32)


def test_sides_equal_the_slow_reference(starter: CodeSuggester) -> None:
    engine, beside_any, near_any = starter.engines["icd10cm"], 0, 0
    index = engine.index
    for text in TEXTS:
        reading = starter.reader.read(text)
        hits = engine.hits(reading, top=30, floor=0.45)
        concept, row = np.unique(engine.concepts.term_concept[hits.term], return_inverse=True)
        strength, n = hits.coverage, len(concept)
        found = sides_beside(reading, hits, np.arange(len(hits)), strength, row, n)
        assert found.tolist() == beside_slowly(reading, hits, strength.tolist(), row.tolist(), n).tolist()
        beside_any += int((found > 0).sum())
        one, offset = ragged(index.size[hits.term])
        forms = index.forms[index.indptr[hits.term][one] + offset]
        weight = index.weight[forms] / index.mass[hits.term][one]
        mine = site_sides(reading, one, forms, weight, len(hits))
        assert (
            mine.tolist() == of_site_slowly(reading, one.tolist(), forms.tolist(), weight.tolist(), len(hits)).tolist()
        )
        near_any += int((mine > 0).sum())
    assert beside_any > 20 and near_any > 20
