"""What changed between two models, and whether a build may go on: by hand, and against a slow paired bootstrap."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from test_evaluation import document, label, line, random_case

from codesuggest.compare import Gate, compare, failed
from codesuggest.errors import OptionError
from codesuggest.evaluation import score
from codesuggest.figures import FIGURES


def two(seed: int) -> tuple[Any, Any]:
    """The same documents with results, and with some of the marks and the order turned."""
    documents, results = random_case(seed)
    other: list[dict[str, Any]] = json.loads(json.dumps(results))
    for row in other[::2]:
        row["suggestions"].reverse()
        for s in row["suggestions"][::3]:
            s["suggested"] = not s["suggested"]
    return score(documents, results), score(list(reversed(documents)), other)


def test_a_model_does_not_differ_from_itself() -> None:
    evaluation = score(*random_case(1))
    comparison = compare(evaluation, evaluation)
    assert comparison.changes == () and comparison.documents == evaluation.documents
    assert all((d.change, d.low, d.high, d.p) == (0, 0, 0, 1) for d in comparison.differences.values())


def test_changes_are_told_code_by_code() -> None:
    gold = [document("a", label("I10"), label("E11.9")), document("b", label("I10"))]
    before = [line("a", ("I10", 0.9, True), ("R05.9", 0.8, True)), line("b", ("I10", 0.7, True))]
    after = [line("a", ("E11.9", 0.6, True), ("I10", 0.2, False), ("J18.9", 0.5, True)), line("b", ("I10", 0.6, True))]
    comparison = compare(score(gold, before), score(gold, after))
    assert [tuple(c) for c in comparison.changes] == [
        ("a", "E119", "gained", None, 0.6),
        ("a", "I10", "lost", 0.9, 0.2),
        ("a", "J189", "added", None, 0.5),
        ("a", "R059", "dropped", 0.8, None),
    ]
    assert comparison.counts == {"gained": 1, "lost": 1, "added": 1, "dropped": 1}
    assert comparison.by_code()["I10"] == {"gained": 0, "lost": 1, "added": 0, "dropped": 0}
    assert json.loads(json.dumps(comparison.to_dict()))["differences"]["F1"]["change"] == pytest.approx(0)


def test_differences_equal_the_slow_paired_bootstrap() -> None:
    one, other = two(3)
    found = compare(one, other, samples=60, seed=4).differences
    ordered = other.of_documents([[c.id for c in other.cases].index(c.id) for c in one.cases])
    rng, drawn = np.random.default_rng(4), []
    for _ in range(60):
        counts = rng.multinomial(one.documents, np.full(one.documents, 1 / one.documents))
        places = np.repeat(np.arange(one.documents), counts).tolist()
        a, b = (e.of_documents(places).figures for e in (one, ordered))
        drawn.append({name: b[name] - a[name] for name in a})
    for name, difference in found.items():
        change = np.array([d[name] for d in drawn])
        assert (difference.low, difference.high) == pytest.approx(np.quantile(change, [0.025, 0.975])), name
        fewer = min((change <= 0).sum(), (change >= 0).sum())
        assert difference.p == pytest.approx(min(1, 2 * (fewer + 1) / 61)), name


def test_pairing_makes_the_interval_narrower_than_that_of_either() -> None:
    one, other = two(7)
    low, high = one.intervals()["MAP"]
    difference = compare(one, other).differences["MAP"]
    assert difference.high - difference.low < high - low


def test_only_like_is_compared_with_like() -> None:
    gold = [document("a", label("I10")), document("b", label("I10"))]
    lines = [line("a"), line("b")]
    both = score(gold, lines)
    with pytest.raises(OptionError, match="same ids"):
        compare(both, score(gold[:1], lines))
    with pytest.raises(OptionError, match="not given the same codes"):
        compare(both, score([gold[0], document("b", label("R05.9"))], lines))
    with pytest.raises(OptionError, match="samples"):
        compare(both, both, samples=0)


@pytest.mark.parametrize(
    ("gate", "before", "after", "passes"),
    [
        ("R=-0.005", (True, True), (True, True), True),
        ("R=-0.5", (True, True), (True, False), True),  # it fell by just as much
        ("R=-0.49", (True, True), (True, False), False),
        ("R=0.1", (True, True), (True, True), False),  # a gain was asked for
        ("R=0.5", (True, False), (True, True), True),
        ("ECE=0.01", (True, True), (True, True), True),
    ],
)
def test_gates(gate: str, before: tuple[bool, bool], after: tuple[bool, bool], passes: bool) -> None:
    gold = [document("a", label("I10"), label("E11.9"))]
    one, other = (
        score(gold, [line("a", ("I10", 0.9, marks[0]), ("E11.9", 0.9, marks[1]))]) for marks in (before, after)
    )
    gates = [Gate.read(gate)]
    assert failed(gates, compare(one, other)) == ([] if passes else gates)


def test_fewer_is_better_for_errors() -> None:
    gold = [document("a", label("I10"))]
    one, other = (score(gold, [line("a", ("I10", confidence, True))]) for confidence in (0.9, 0.8))
    assert Gate.read("ECE=0.1").passes(compare(one, other))
    assert not Gate.read("ECE=0.05").passes(compare(one, other))
    assert Gate.read("ECE=-0.1").passes(compare(other, one))


@pytest.mark.parametrize("text", ["F1", "F1=", "F2=0.1", "F1=a", "required=0", "F1=0.1=0.2", ""])
def test_what_is_no_gate(text: str) -> None:
    with pytest.raises(OptionError, match=r"a gate is FIGURE=BOUND"):
        Gate.read(text)
    assert set(FIGURES) > {"F1", "ECE"}
