"""Features, the linear ranker and its calibration."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
from conftest import NOTES, TINY_NOTES
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.features import COLUMN, FEATURES, Table
from codesuggest.listing import evidence_hits
from codesuggest.rank import RIVALS, Ranker, rivals
from codesuggest.records import Suggestion
from codesuggest.retrieve import Hits
from codesuggest.suggester import CodeSuggester
from codesuggest.training import calibrate

NOTE = (
    "CC: left knee pain\nHPI: 64 yo woman with T2DM, HTN and hx of stroke. Denies chest pain. Possible gout.\n"
    "FH: mother with breast cancer\nMeds: metformin 500 mg\nA/P:\n- Osteoarthritis of left knee: NSAIDs\n- Type 2 diabetes\n"
)


def candidates(
    suggester: CodeSuggester, text: str, system: str = "icd10cm", inpatient: bool = False
) -> tuple[Hits, Table]:
    engine = suggester.engines[system]
    return engine.candidates(
        suggester.reader.read(text), engine.system.billable_on(), inpatient=inpatient, top=30, floor=0.45
    )


@pytest.mark.parametrize("text", [NOTE, "left knee pain", *(text for _, text in TINY_NOTES[:3])])
def test_contributions_sum_to_the_score(starter: CodeSuggester, tiny: CodeSuggester, text: str) -> None:
    found: list[Suggestion] = []
    for suggester in (starter, tiny):
        for setting in ("outpatient", "inpatient"):
            found += suggester.suggest(text, setting=setting).suggestions
    assert found
    for s in found:
        assert s.intercept + sum(s.why.values()) == pytest.approx(s.score, abs=1e-6)
        assert set(s.why) <= set(FEATURES)
        assert [abs(v) for v in s.why.values()] == sorted((abs(v) for v in s.why.values()), reverse=True)
        assert all(s.why.values()), "what adds nothing is no reason"


def test_suggestions_come_by_score_then_code_and_confidence_follows(starter: CodeSuggester) -> None:
    for file in sorted(NOTES.glob("*.txt"))[::12]:
        result = starter.suggest(file.read_text(encoding="utf-8"))
        for system in result.systems:
            own = [s for s in result.suggestions if s.system == system]
            keys = [(-s.score, s.code.replace(".", "")) for s in own]
            assert keys == sorted(keys)
            assert all(a.confidence >= b.confidence for a, b in pairwise(own))
            assert len({s.code for s in own}) == len(own)
            assert all(0 <= s.confidence <= 1 for s in own)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(-12, 12), st.booleans()), min_size=2, max_size=60), st.integers(2, 30))
def test_the_calibrator_increases_within_0_and_1(pairs: list[tuple[float, bool]], size: int) -> None:
    scores, right = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    at, value = calibrate(scores, right, size)
    assert len(at) == len(value) <= size + 2
    assert (np.diff(at) > 0).all() and (np.diff(value) > 0).all()
    assert value[0] >= 0 and value[-1] <= 1
    ranker = Ranker(np.zeros(1), 0.0, np.zeros(1), 0.0, at, value, 0.5)
    asked = np.sort(np.concatenate([scores, np.linspace(-40, 40, 50)]))
    confidence = ranker.confidence(asked)
    assert (np.diff(confidence) >= -1e-12).all() and confidence.min() >= 0 and confidence.max() <= 1


def test_the_calibrator_finds_the_probability() -> None:
    rng = np.random.default_rng(3)
    scores = rng.uniform(-6, 6, 20_000)
    truth = 1 / (1 + np.exp(-scores))
    ranker = Ranker(np.zeros(1), 0.0, np.zeros(1), 0.0, *calibrate(scores, rng.random(20_000) < truth), 0.5)
    asked = np.linspace(-4, 4, 17)
    assert np.abs(ranker.confidence(asked) - 1 / (1 + np.exp(-asked))).max() < 0.1


def test_a_ranker_that_was_taught_nothing_suggests_nothing() -> None:
    ranker = Ranker.nothing()
    score = ranker.score(np.ones((3, len(FEATURES)), np.float32))
    assert score.tolist() == [0, 0, 0]
    assert ranker.confidence(score).tolist() == [0.5, 0.5, 0.5]
    assert ranker.threshold == 1.0
    assert list(ranker.whys(ranker.products(np.ones((1, len(FEATURES)), np.float32)))) == [{}]


def test_an_untaught_ranker_goes_by_words_and_its_score_is_log_odds() -> None:
    ranker = Ranker.untaught()
    assert not ranker.taught and not dataclasses.replace(ranker, threshold=0.9).taught
    said, half, negated = np.zeros((3, len(FEATURES)), np.float32)
    for row, share in ((said, 1), (half, 0.5), (negated, 1)):
        row[[COLUMN[f"match:{name}"] for name in ("best", "square", "mass", "title_in_note")]] = share
    negated[COLUMN["against:negated"]] = 1
    score = ranker.score(np.array([said, half, negated]))
    assert score[0] > score[2] > score[1]
    at = np.linspace(-11, 4, 40)
    assert np.abs(ranker.confidence(at) - 1 / (1 + np.exp(-at))).max() < 0.03
    assert (np.diff(ranker.knots_confidence) > 0).all()


def test_the_score_of_a_row_does_not_depend_on_its_company() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, len(FEATURES))).astype(np.float32)
    ranker = Ranker(
        np.zeros(0), 0.0, rng.normal(size=len(FEATURES)), 0.25, np.array([-1.0, 1.0]), np.array([0.0, 1.0]), 0.5
    )
    whole = ranker.score(x)
    assert [float(ranker.score(x[i : i + 1])[0]) for i in range(200)] == whole.tolist()


def test_feature_names_are_unique_and_the_shipped_weights_are_among_them(starter: CodeSuggester) -> None:
    assert len(set(FEATURES)) == len(FEATURES) == len(COLUMN)
    assert starter.path is not None
    for name in starter.systems:
        row = json.loads((starter.path / name / "ranker.json").read_bytes())
        assert set(row["weights"]) <= set(FEATURES) and set(row["first"]) <= set(FEATURES)
        assert all(np.isfinite(list(row["weights"].values())))


def test_features_are_finite_and_candidates_unique_and_allowed(starter: CodeSuggester) -> None:
    for system in starter.systems:
        engine = starter.engines[system]
        allowed = engine.system.billable_on()
        for file in sorted(NOTES.glob("*.txt"))[::9]:
            hits, table = candidates(starter, file.read_text(encoding="utf-8"), system, inpatient=True)
            assert np.isfinite(table.x).all()
            assert len(np.unique(table.code)) == len(table.code)
            assert allowed[table.code].all()
            assert ((table.lead >= 0) & (table.lead < len(hits))).all()
            assert table.usable[table.lead].all(), "what a candidate rests on may be evidence"
            own = engine.concepts.term_concept[hits.term[table.lead]] == table.concept
            assert (own | (table.lead == table.witness[:, 0])).all(), "its own words, or those of what adds up to it"


def test_without_candidates_the_table_is_empty(starter: CodeSuggester) -> None:
    for text in ("", "Thank you.", "Denies chest pain."):
        hits, table = candidates(starter, text)
        assert len(table.code) == 0 and table.x.shape == (0, len(FEATURES))
        assert len(table.usable) == len(hits)


def test_a_candidate_always_has_evidence(starter: CodeSuggester) -> None:
    hits, table = candidates(starter, NOTE)
    wanted = np.unique(table.concept)
    own, slot = evidence_hits(table, hits, starter.engines["icd10cm"].concepts.term_concept, wanted)
    assert len(wanted) and set(slot.tolist()) == set(range(len(wanted)))
    assert (starter.engines["icd10cm"].concepts.term_concept[hits.term[own]] == wanted[slot]).all()


def rivals_slowly(table: Table, hits: Hits, score: np.ndarray) -> dict[str, np.ndarray]:
    """Of every candidate the heaviest better one that claims the same."""
    order = np.lexsort((table.code, -score)).tolist()
    out = {name: np.zeros(len(order), np.float32) for name in ("same_words", "same_category", "same_concept")}
    for place, i in enumerate(order):
        for j in order[: min(place, RIVALS)]:
            weight = 1 / (1 + np.exp(-np.clip(score[j], -30, 30)))
            a, b = table.lead[i], table.lead[j]
            shared = hits.segment[a] == hits.segment[b]
            shared &= hits.first[a] <= hits.last[b] and hits.first[b] <= hits.last[a]
            for name, same in (
                ("same_words", shared),
                ("same_category", table.category[i] == table.category[j]),
                ("same_concept", table.concept[i] == table.concept[j]),
            ):
                if same:
                    out[name][i] = max(out[name][i], np.float32(weight))
    return out


def test_rivals_equal_the_slow_reference(starter: CodeSuggester) -> None:
    hits, table = candidates(starter, NOTE)
    score = np.random.default_rng(1).normal(size=len(table.code))
    rivals(table, hits, score)
    for name, expected in rivals_slowly(table, hits, score).items():
        assert table.x[:, COLUMN[f"rival:{name}"]].tolist() == expected.tolist(), name
        assert (expected > 0).any()


# ---- sides


def sides(suggester: CodeSuggester, text: str, *codes: str) -> dict[str, float]:
    """Score of each of the codes among the candidates; missing where the code is no candidate."""
    engine = suggester.engines["icd10cm"]
    _, table = candidates(suggester, text)
    score = engine.ranker.score(table.x)
    place = {engine.system.code(int(c)): i for i, c in enumerate(table.code.tolist())}
    return {code: float(score[place[code]]) for code in codes if code in place}


RIGHT, LEFT, OPEN = "M25.561", "M25.562", "M25.569"


@pytest.mark.parametrize(
    ("text", "best", "absent"),
    [
        ("left knee pain", LEFT, {RIGHT}),
        ("L knee pain", LEFT, {RIGHT}),
        ("pain in the left knee", LEFT, {RIGHT}),
        ("knee pain, left", LEFT, {RIGHT}),
        ("right knee pain", RIGHT, {LEFT}),
        ("Rt. knee pain", RIGHT, {LEFT}),
        ("knee pain", OPEN, {RIGHT, LEFT}),
    ],
)
def test_the_side_is_the_notes(starter: CodeSuggester, text: str, best: str, absent: set[str]) -> None:
    found = sides(starter, text, RIGHT, LEFT, OPEN)
    assert max(found, key=lambda c: found[c]) == best
    assert not absent & set(found), "a side that nobody spoke of is no candidate"


def test_the_nearer_side_wins(starter: CodeSuggester) -> None:
    found = sides(starter, "Assessment:\n- right knee pain\n- left ankle sprain", RIGHT, LEFT)
    assert found[RIGHT] > found.get(LEFT, -np.inf)


def test_two_sides_in_one_sentence(starter: CodeSuggester) -> None:
    text = "right knee pain and left hip pain"
    found = sides(starter, text, RIGHT, LEFT, "M25.551", "M25.552")
    assert found[RIGHT] > found[LEFT]
    assert found["M25.552"] > found["M25.551"]


def test_bilateral_without_a_bilateral_code_is_both(starter: CodeSuggester) -> None:
    found = sides(starter, "bilateral knee pain", RIGHT, LEFT, OPEN)
    assert found[RIGHT] > found[OPEN] and found[LEFT] > found[OPEN]


def test_both_is_bilateral(starter: CodeSuggester) -> None:
    found = sides(starter, "pain in both knees", RIGHT, LEFT, OPEN)
    assert {RIGHT, LEFT} <= set(found)


def test_tiny_sides(tiny: CodeSuggester) -> None:
    for text, code in (("Assessment: ossicle wobble, left ear", "Q10.2"), ("ossicle wobble of the right ear", "Q10.1")):
        result = tiny.suggest(text)
        assert result.suggestions[0].code == code
        assert "Q10.9" in {s.code for s in result.suggestions}
