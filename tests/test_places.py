from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.note import GROUPS, Reading
from codesuggest.places import PLACE_FEATURES, place_features
from codesuggest.retrieve import Hits
from codesuggest.suggester import CodeSuggester

BREAKS = ",;:.()[]/\n|•-–—→"


def features_of(reading: Reading, first: int, last: int, coverage: float = 1.0) -> dict[str, float]:
    """Of a match on these words."""
    one, whole = np.ones(1, np.float32), np.zeros(1, np.int32)
    segment = reading.segment_of_word[[first]].astype(np.int32)
    place = np.array([first], np.int32), np.array([last], np.int32)
    hits = Hits(whole, segment, one * np.float32(coverage), one, *place, one, *[whole + last - first + 1] * 2)
    return dict(zip(PLACE_FEATURES, place_features(reading, hits, np.zeros(1, np.int32))[0].tolist(), strict=True))


def told(suggester: CodeSuggester, text: str, phrase: str) -> dict[str, float]:
    reading = suggester.reader.read(text)
    start, end = reading.words.start, reading.words.end
    at = text.index(phrase)
    first = int(np.searchsorted(start, at))
    last = int(np.searchsorted(end, at + len(phrase)))
    return features_of(reading, first, last)


@pytest.mark.parametrize(
    ("text", "phrase", "said"),
    [
        ("- Pneumonia\n- Anemia\n", "Pneumonia", "opens closes alone listed_alone_in_none"),
        ("12) Pneumonia, present on admission\n", "Pneumonia", "opens closes alone listed_in_none"),
        ("She was told that pneumonia had cleared.", "pneumonia", ""),
        ("He has anemia; fatigue too.", "anemia", "closes"),
        ("Assessment:\n1. Pneumonia\n", "Pneumonia", "opens closes alone"),
    ],
)
def test_what_the_line_says_of_a_match(tiny: CodeSuggester, text: str, phrase: str, said: str) -> None:
    found = told(tiny, text, phrase)
    expected = {f"place:{name}" for name in said.split()}
    tellings = {f"place:{n}" for n in ("opens", "closes", "alone", "listed_in_none", "listed_alone_in_none")}
    assert expected <= {name for name in tellings if found[name]}
    assert {"place:opens", "place:closes", "place:alone"} & expected == {
        name for name in ("place:opens", "place:closes", "place:alone") if found[name]
    }


def test_a_term_said_in_part_has_only_the_length_of_its_line(tiny: CodeSuggester) -> None:
    reading = tiny.reader.read("- Gouty arthritis")
    found = features_of(reading, 0, 1, coverage=0.9)
    assert {name for name, value in found.items() if value} == {"place:length", "place:share"}
    assert found["place:share"] == 1.0


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab1 \n,.-•é)", min_size=1, max_size=40))
def test_as_a_look_at_the_text_tells(tiny: CodeSuggester, text: str) -> None:
    reading = tiny.reader.read(text)
    start, end = reading.words.start.tolist(), reading.words.end.tolist()
    for w, segment in enumerate(reading.segment_of_word.tolist()):
        if segment < 0:
            continue
        found = features_of(reading, w, w)
        gap = text[end[w - 1] : start[w]] if w else "\n"
        behind = text[end[w] : start[w + 1]] if w + 1 < len(start) else "\n"
        assert found["place:opens"] == float(any(c in BREAKS for c in gap))
        assert found["place:closes"] == float(any(c in BREAKS for c in behind))
        line = text[: start[int(reading.first[segment])]].rpartition("\n")[2]
        mark = len(re.findall(r"[^\W_]", line)) <= 2
        none = GROUPS[reading.group[segment]] == "none"
        assert found["place:listed_in_none"] == float(mark and none)
