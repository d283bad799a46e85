"""Records as they are read, copied, compared and written: what is made when it is read is as if it had been there."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.contributions import Contributions
from codesuggest.features import FEATURES
from codesuggest.records import (
    ASSERTIONS,
    Caution,
    Cue,
    Evidence,
    Finding,
    NoteResult,
    Places,
    Suggestion,
    Withheld,
    all_of,
)

#: Contributions of a first and of a second code to their scores.
WHYS = np.array([[0.0, 1.5, -2.0], [0.25, 0.0, 1 / 3]])
PLAIN = Suggestion(
    "icd10cm", "2026-04-01", "M17.11", "Osteoarthritis of right knee", 0.8, True, 1.5, 2.0,
    {FEATURES[2]: -2.0, FEATURES[1]: 1.5}, (Evidence(3, 11, "assessment", "affirmed", "knee OA"),),
)  # fmt: skip
CUE = Cue(0, 2, "negated", "no")


def places() -> Places:
    return Places([(3, 11, "assessment", "affirmed", "knee OA", "text", None)])


def told_later(row: int = 0) -> Suggestion:
    """As `PLAIN`, before anybody asked why."""
    p, whys = PLAIN, Contributions(np.arange(3), WHYS)
    told = p.system, p.release, p.code, p.display, p.confidence, p.suggested, p.score, p.intercept
    return Suggestion.told_later(*told, whys, row, places(), ())


@pytest.mark.parametrize(
    "look",
    [
        repr,
        Suggestion.to_dict,
        Suggestion.to_json,
        replace,
        copy.copy,
        copy.deepcopy,
        lambda s: pickle.loads(pickle.dumps(s)),
        lambda s: list(s.why.items()),
        lambda s: s == PLAIN,
        PLAIN.__eq__,
        lambda s: s != replace(PLAIN, why={}),
    ],
)
def test_a_why_that_is_made_when_read_is_as_any_other(look: Callable[[Suggestion], object]) -> None:
    assert look(told_later()) == look(PLAIN)


def test_a_why_is_made_once_and_stays() -> None:
    one = told_later(1)
    assert one.why == {FEATURES[2]: 1 / 3, FEATURES[0]: 0.25}
    assert one.why is one.why
    assert one.to_json() == told_later(1).to_json()


def test_threads_that_ask_at_once_are_all_answered() -> None:
    made = [told_later() for _ in range(400)]
    with ThreadPoolExecutor(8) as pool:
        told = [pool.submit(lambda one: (one.why, one.evidence), one) for one in made for _ in range(4)]
    assert all(asked.result() == (PLAIN.why, PLAIN.evidence) for asked in told)


def test_a_suggestion_has_nothing_else_and_stays_as_it_is() -> None:
    one = told_later()
    with pytest.raises(AttributeError, match="no whys"):
        one.whys  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(FrozenInstanceError):
        one.why = {}  # type: ignore[misc]
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_evidence_is_made_once_for_all_that_share_it() -> None:
    held = places()
    assert not held.bare() and Places(PLAIN.evidence).records() is PLAIN.evidence
    assert held.to_json() == Places(PLAIN.evidence).to_json()
    assert held.records() == PLAIN.evidence and held.records() is held.records()
    assert Places([(0, 3, None, "affirmed", "low potassium", "result", None)]).bare() and not Places(()).bare()
    rows = [(0, 3, None, "affirmed", "low potassium", "result", None), (5, 9, "hpi", "affirmed", "weak", "text", None)]
    for some, said in ((rows, True), (rows[1:], True), (rows[:1], False), ([], False)):
        assert Places(some).said() is said is Places(tuple(all_of(Evidence, some))).said()
    one = told_later()
    assert one.places is one.places and one.places.records() is one.evidence
    assert PLAIN.places.records() is PLAIN.evidence


@pytest.mark.parametrize(
    ("record", "rows"),
    [
        (
            Evidence,
            [(3, 11, "assessment", "affirmed", "knee OA", "text", None), (0, 3, None, "negated", "gout", "text", CUE)],
        ),
        (Withheld, [(0, 9, "negated", "hpi", CUE), (12, 20, "no_match", None, None)]),
        (Cue, []),
    ],
)
def test_records_made_at_once_are_as_those_made_one_by_one(record: type, rows: list[tuple[object, ...]]) -> None:
    made = all_of(record, iter(rows))
    assert made == [record(*row) for row in rows] and all(type(one) is record for one in made)
    for one in made:
        with pytest.raises(FrozenInstanceError):
            one.start = 1
        assert hash(one) == hash(pickle.loads(pickle.dumps(one))) and copy.deepcopy(one) == one
    with pytest.raises(TypeError):
        all_of(record, [(1, 2)])


# ---- JSON

words = st.text(max_size=8) | st.sampled_from(['"', "\\", "\u2028", "\ud83d", "é\n", "Type 2 \x00"])
numbers = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 1e22]) | st.integers(-3, 3)
cues = st.none() | st.builds(Cue, st.integers(0, 9), st.integers(0, 9), words, words)
evidence = st.builds(
    Evidence, st.integers(0, 99), st.integers(0, 99), st.none() | words, st.sampled_from(ASSERTIONS), words, words, cues
)
suggestions = st.builds(
    Suggestion, words, words, words, words, numbers, st.booleans(), numbers, numbers,
    st.dictionaries(words, numbers, max_size=3), st.lists(evidence, max_size=3).map(tuple), st.lists(words, max_size=2).map(tuple),
)  # fmt: skip
withheld = st.builds(Withheld, st.integers(0, 99), st.integers(0, 99), words, st.none() | words, cues)
results = st.builds(
    NoteResult, words, words, words, st.none() | words, st.lists(words, max_size=2).map(tuple),
    st.lists(suggestions | st.builds(told_later, st.integers(0, 1)), max_size=3).map(tuple),
    st.lists(withheld, max_size=3).map(tuple),
    st.lists(st.builds(Finding, words, words, words, st.just(("I10",)), words, st.just(((1, 4),))), max_size=2).map(tuple),
    words, words, st.lists(st.builds(Caution, words, words, numbers, numbers), max_size=1).map(tuple),
)  # fmt: skip


@settings(deadline=None)
@given(results, st.booleans())
def test_a_line_is_the_dictionary_as_json_writes_it(result: NoteResult, show_text: bool) -> None:
    line = result.to_json(show_text=show_text)
    assert line == json.dumps(result.to_dict(show_text=show_text), separators=(",", ":"))
    assert line.isascii() and "\n" not in line
