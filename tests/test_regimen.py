"""Whether a drug is taken for long, in the words of notes."""

from __future__ import annotations

import numpy as np
import pytest

from codesuggest import CodeSuggester
from codesuggest.regimen import REGIMEN_FEATURES, beside, regimen_features


@pytest.mark.parametrize(
    ("text", "name", "near", "behind"),
    [
        ("She is on prednisone 10 mg daily.", "prednisone", "taken", {"sig"}),
        ("prednisone 40 mg for 5 days", "prednisone", None, {"brief"}),
        ("Discussed semaglutide, will think", "semaglutide", "open", set()),
        ("aspirin stopped last fall", "aspirin", None, {"ended"}),
        ("no longer takes warfarin", "warfarin", "taken", set()),  # the nearest word is heard
        ("Off warfarin", "warfarin", "ended", set()),
        ("Continue insulin glargine 20 units qhs", "insulin", "kept", {"sig"}),
        ("Stopped aspirin. Metformin 500 mg bid", "Metformin", None, {"sig"}),  # another sentence
        ("on lisinopril; apixaban declined", "apixaban", None, {"open"}),  # another clause
        ("taking\nmetformin", "metformin", None, set()),  # another line
        ("metformin", "metformin", None, set()),
    ],
)
def test_the_words_beside_a_name(text: str, name: str, near: str | None, behind: set[str]) -> None:
    at = text.index(name)
    assert beside(text, at, at + len(name)) == (near, behind)


def told(starter: CodeSuggester, text: str, *names: str) -> dict[str, float]:
    """The features of one candidate that these names, each one word, hint at."""
    reading = starter.reader.read(text)
    words = [text[a:b] for a, b in zip(reading.words.start.tolist(), reading.words.end.tolist(), strict=True)]
    at = np.array([i for i, word in enumerate(words) if word in names])
    assert len(at)
    out = regimen_features(reading, at, at, reading.segment_of_word[at], np.zeros(len(at), np.int64), 1)
    return {name: value for name, value in zip(REGIMEN_FEATURES, out[0].tolist(), strict=True) if value}


def test_each_name_says_its_own(starter: CodeSuggester) -> None:
    text = "She is on apixaban 5 mg bid.\n\nPlan:\nHold apixaban for the biopsy."
    assert told(starter, text, "apixaban") == {
        "regimen:before_taken": 1,
        "regimen:before_ended": 1,
        "regimen:after_sig": 1,
        "regimen:in_plan": 1,
        "regimen:places": pytest.approx(np.log1p(2)),
    }
    assert told(starter, "Prednisone helped.", "Prednisone") == {"regimen:places": pytest.approx(np.log1p(1))}


def test_a_note_without_drugs_has_none(starter: CodeSuggester) -> None:
    none = np.zeros(0, np.int64)
    out = regimen_features(starter.reader.read("Left knee pain."), none, none, none, none, 3)
    assert out.shape == (3, len(REGIMEN_FEATURES)) and not out.any()
