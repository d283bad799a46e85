"""Figures computed by hand on invented cases, and equal to the reference scorers' where those are at hand."""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codesuggest import CodeSuggester, evaluate, read_coded
from codesuggest.coded import CodedDocument, Label, read_codiesp
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import InputError, NotTextError, OptionError
from codesuggest.evaluation import Evaluation, score
from codesuggest.figures import FIGURES, OF_TABLE
from codesuggest.levels import seen_by
from codesuggest.records import Evidence, NoteResult, Suggestion
from codesuggest.scoring import COLUMN

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("CODESUGGEST_DATA") or ROOT.parent / "shared" / "data")
SCORERS = DATA.parent / "score"
SHARED_BY_BOTH = (
    "P",
    "R",
    "F1",
    "P3",
    "R3",
    "F13",
    "MAP",
    "R@10",
    "R@200",
    "evidence",
    "ECE",
    "suggested_per_note",
    "required",
)


def label(code: str, tier: str = "required", alt_for: tuple[str, ...] = (), *spans: tuple[int, int]) -> Label:
    return Label("icd10cm", code, tier, alt_for, spans)


def document(id: str, *labels: Label, **more: Any) -> CodedDocument:
    return CodedDocument(id=id, text="invented", codes=labels, **more)


def line(id: str, *codes: tuple[Any, ...]) -> dict[str, Any]:
    """A batch line of (code, confidence, suggested, *spans)."""
    return {
        "id": id,
        "suggestions": [
            {
                "system": "icd10cm",
                "code": code,
                "confidence": confidence,
                "suggested": on,
                "evidence": [{"start": a, "end": b} for a, b in spans],
            }
            for code, confidence, on, *spans in codes
        ],
        "error": None,
    }


def figures(documents: list[CodedDocument], results: list[Any], **options: Any) -> dict[str, float]:
    return score(documents, results, **options).figures


# ---- by hand

#: What was coded; what was listed; the figures that follow, worked out on paper.
BY_HAND: dict[str, tuple[tuple[Label, ...], tuple[tuple[Any, ...], ...], dict[str, float]]] = {
    "all right": (
        (label("I10"), label("E11.9")),
        (("I10", 1.0, True), ("E11.9", 1.0, True)),
        {"P": 1, "R": 1, "F1": 1, "MAP": 1, "ECE": 0, "Brier": 0, "suggested_per_note": 2, "required": 2},
    ),
    "nothing listed": ((label("I10"),), (), {"P": 0, "R": 0, "F1": 0, "MAP": 0, "R@200": 0, "ECE": 0, "required": 1}),
    "coded with none": (
        (),
        (("I10", 0.5, True),),
        {"P": 0, "R": 0, "MAP": 0, "required": 0, "ECE": 0.5, "Brier": 0.25},
    ),
    "one of two, at the second place": (  # average precision (1/2) / 2
        (label("I10"), label("E11.9")),
        (("J45.909", 0.6, True), ("I10", 0.6, True)),
        {"P": 0.5, "R": 0.5, "F1": 0.5, "MAP": 0.25, "R@10": 0.5, "ECE": 0.1, "Brier": (0.36 + 0.16) / 2},
    ),
    "acceptable: right, not required, skipped in the ranking": (
        (label("I10"), label("R03.0", "acceptable")),
        (("R03.0", 0.9, True), ("I10", 0.2, False)),
        {"P": 1, "R": 0, "F1": 0, "MAP": 1, "R@10": 1},
    ),
    "an alternative finds the required code, once": (
        (label("E11.9"), label("E11.65", "acceptable", ("E11.9",)), label("I10")),
        (("E11.65", 0.9, True), ("E11.9", 0.8, True), ("I10", 0.7, False)),
        {"P": 1, "R": 0.5, "MAP": 1, "R@10": 1},
    ),
    "an alternative of two finds one of them in the ranking, and both among the suggested": (
        (label("E11.9"), label("I10"), label("I15.2", "acceptable", ("E11.9", "I10"))),
        (("I15.2", 0.9, True),),
        {"P": 1, "R": 1, "MAP": 0.5},
    ),
    "a required code that is an alternative finds itself first": (
        (label("A09"), label("B20", "required", ("A09",))),
        (("B20", 0.9, True), ("Z00.00", 0.5, False), ("A09", 0.4, False)),
        {"MAP": (1 + 2 / 3) / 2, "R": 1},
    ),
    "dots, case and repetition do not matter; the first counts": (
        (label("e11.65"),),
        (("E1165", 0.2, False), ("E11.65", 0.9, True)),
        {"P": 0, "R": 0, "MAP": 1, "ECE": 0.8, "Brier": 0.64, "suggested_per_note": 0},
    ),
    "the category counts once": (
        (label("S82.64XA"), label("S82.61XA")),
        (("S82.51XA", 0.5, True), ("S82.52XA", 0.5, True), ("I10", 0.5, True)),
        {"P": 0, "R": 0, "P3": 0.5, "R3": 1, "F13": 2 / 3},
    ),
    "evidence: half of a gold span, or within it, and no longer than 120": (
        (
            label("I10"),  # without a span in the gold: not asked
            *(label(c, "required", (), (100, 120)) for c in ("A00.0", "A00.1", "A00.9", "A01.00", "A01.01", "A01.02")),
        ),
        (
            ("A00.0", 0.9, True, (110, 140)),  # half: counts
            ("A00.1", 0.9, True, (111, 140)),  # less than half
            ("A00.9", 0.9, True, (0, 5), (118, 119)),  # the second lies within
            ("A01.00", 0.9, True, (0, 121)),  # covers it all and is too long
            ("A01.01", 0.9, False, (100, 120)),  # not suggested: not asked
            ("A01.02", 0.9, True, (0, 120)),  # just short enough
            ("I10", 0.9, True, (0, 3)),
        ),
        {"evidence": 3 / 5},
    ),
    "calibration looks at confidence 0.05 and more": (
        (label("I10"),),
        (("I10", 0.05, False), ("E11.9", 0.049, False)),
        {"ECE": 0.95, "Brier": 0.95**2},
    ),
    "and at the first 20": (
        (),
        tuple((f"A{i:02}", 0.95 if i < 20 else 0.15, False) for i in range(30)),
        {"ECE": 0.95, "Brier": 0.95**2},
    ),
    "within a bin over- and underconfidence cancel in ECE, not in Brier": (
        (label("I10"),),
        (("I10", 0.5, False), ("E11.9", 0.5, False)),
        {"ECE": 0, "Brier": 0.25},
    ),
    "the 10 and the 200 best": (
        (label("I10"), label("J18.9"), label("R05.9")),
        (
            ("I10", 0.9, False),
            *((f"A{i:03}", 0.0, False) for i in range(9)),
            ("J18.9", 0.0, False),
            *((f"B{i:03}", 0.0, False) for i in range(189)),
            ("R05.9", 0.0, False),
        ),
        {"R@10": 1 / 3, "R@200": 2 / 3, "MAP": (1 + 2 / 11 + 3 / 201) / 3},
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_figures_by_hand(case: str) -> None:
    gold, listed, expected = BY_HAND[case]
    found = figures([document("a", *gold)], [line("a", *listed)])
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert tuple(found) == tuple(name for name in FIGURES if name not in OF_TABLE)


def test_pooled_over_documents_but_map_is_a_mean_over_those_with_required_codes() -> None:
    documents = [
        document("a", label("I10"), label("E11.9"), label("J18.9")),
        document("b", label("R05.9")),
        document("c"),
    ]
    results = [line("c", ("I10", 0.5, True)), line("b", ("R05.9", 0.9, True)), line("a", ("I10", 0.9, True)), line("x")]
    found = figures(documents, results)
    assert (found["P"], found["R"], found["required"]) == (2 / 3, 2 / 4, 4)
    assert found["MAP"] == pytest.approx((1 / 3 + 1) / 2)
    assert found["suggested_per_note"] == 1


def test_a_threshold_takes_the_place_of_the_marks() -> None:
    gold, results = [document("a", label("I10"))], [line("a", ("I10", 0.4, False), ("E11.9", 0.3, True))]
    assert figures(gold, results)["P"] == 0
    assert figures(gold, results, threshold=0.4)["P"] == 1
    assert figures(gold, results, threshold=0.3)["P"] == 0.5
    unmarked = json.loads(json.dumps(results).replace('"suggested"', '"ignored"'))
    assert figures(gold, unmarked, threshold=0.4)["P"] == 1
    with pytest.raises(InputError, match="give a threshold"):
        figures(gold, unmarked)


def test_mentions_without_a_code_are_left_out_and_bills_without_one_are_not() -> None:
    results = [line("a", ("I10", 0.5, True)), line("b", ("I10", 0.5, True))]
    gold = [document("a", label("I10"), policy="mentions"), document("b", policy="mentions")]
    assert figures(gold, results)["P"] == 1
    assert figures([gold[0], document("b")], results)["P"] == 0.5


def test_a_system_is_measured_on_the_documents_coded_in_it() -> None:
    gold = [
        CodedDocument(
            "a", "x", (Label("icd10pcs", "0DTJ4ZZ"), Label("icd10cm", "K35.80")), systems=("icd10cm", "icd10pcs")
        ),
        CodedDocument("b", "x", (Label("icd10cm", "I10"),)),
    ]
    row = line("a", ("0DTJ4ZZ", 0.5, True), ("K35.80", 0.5, True))
    row["suggestions"][0]["system"] = "ICD-10-PCS"  # as other products write it
    evaluation = score(gold, [row, line("b")], system="icd10pcs")
    assert (evaluation.documents, evaluation.figures["P"], evaluation.figures["R"]) == (1, 1, 1)
    with pytest.raises(OptionError, match="no document was coded in hcpcs"):
        score(gold, [row, line("b")], system="hcpcs")
    with pytest.raises(OptionError, match="no document was coded in icd10cm"):
        score([], [])


def test_an_error_line_counts_as_no_suggestion_and_is_told() -> None:
    row = {"id": "a", "suggestions": [], "error": {"code": "not_utf8", "message": "..."}}
    evaluation = score([document("a", label("I10")), document("b", label("I10"))], [row, line("b", ("I10", 1.0, True))])
    assert (evaluation.unread, evaluation.figures["R"]) == (1, 0.5)
    assert "1 of them could not be read" in str(evaluation)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "no result has the id 'a'"),
        ([line("a"), line("a")], "two results have the id 'a'"),
        ([line("a", ("I10", 1.5, True))], "no probability"),
        ([line("a", ("I10", float("nan"), True))], "no probability"),
    ],
)
def test_bad_results_are_named(results: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        score([document("a", label("I10"))], results)


def test_bad_options_are_named() -> None:
    gold, results = [document("a", label("I10"))], [line("a")]
    with pytest.raises(InputError, match="two documents have the id"):
        score(gold * 2, results)
    with pytest.raises(OptionError, match="threshold"):
        score(gold, results, threshold=1.5)
    evaluation = score(gold, results)
    with pytest.raises(OptionError, match="key must be one of document_type"):
        evaluation.by("text")
    for options in ({"level": 1.0}, {"level": 0.0}, {"samples": 0}):
        with pytest.raises(OptionError, match="level"):
            evaluation.intervals(**options)


# ---- reliability, breakdown, intervals


def test_reliability_bins() -> None:
    gold = [document("a", label("I10"), label("E11.9"))]
    listed = (("I10", 1.0, False), ("E11.9", 0.72, False), ("J18.9", 0.78, False), ("R05.9", 0.06, False))
    bins = score(gold, [line("a", *listed)]).reliability
    assert [b.n for b in bins] == [1, 0, 0, 0, 0, 0, 0, 2, 0, 1]
    assert bins[7].confidence == pytest.approx(0.75)
    assert (bins[7].low, bins[7].high, bins[7].right) == (0.7, 0.8, 0.5)
    assert (bins[9].confidence, bins[9].right, bins[1].confidence, bins[1].right) == (1, 1, None, None)


def random_case(seed: int, n: int = 30, mark: bool = True) -> tuple[list[CodedDocument], list[dict[str, Any]]]:
    """Documents in tiers with alternatives and spans, and results that get some of them right."""
    rng = random.Random(seed)
    pool = [f"{a}{i:02}.{j}" for a in "AEIZ" for i in (1, 2, 9) for j in range(4)]
    documents, results = [], []
    for i in range(n):
        own = rng.sample(pool, rng.randint(0, 6))
        labels = [
            label(
                code,
                rng.choice(("required", "required", "acceptable")),
                tuple(rng.sample(own, rng.choice((0, 0, 1)))),
                *((s, s + rng.randint(1, 40)) for s in rng.sample(range(300), rng.randint(0, 2))),
            )
            for code in own
        ]
        kind, place = rng.choice(("ed_note", "visit_note", None)), rng.choice(("inpatient", "outpatient"))
        documents.append(document(f"n{i}", *labels, document_type=kind, setting=place))
        results.append(random_line(rng, f"n{i}", [(c.code, c.evidence) for c in labels], pool, mark))
    return documents, results


def random_line(rng: random.Random, id: str, gold: list[Any], pool: list[str], mark: bool = True) -> dict[str, Any]:
    """Gold codes, wrong codes, neighbours and repetitions in an order that means something."""
    listed = [c for c in gold if rng.random() < 0.7] + [(c, ()) for c in rng.choices(pool, k=rng.randint(0, 30))]
    rng.shuffle(listed)
    rows = []
    for code, spans in listed:
        shift = rng.choice((0, 0, 5, 200))
        evidence = [(a + shift, b + shift + rng.choice((0, 0, 3, 150))) for a, b in spans]
        confidence = rng.choice((rng.random(), rng.random() ** 3, 0.05, 0.1, 0.7, 1.0, 0.0))
        rows.append(
            (rng.choice((code, code.replace(".", ""), code.lower())), confidence, rng.random() < 0.4, *evidence)
        )
    out = line(id, *rows)
    if not mark:
        for row in out["suggestions"]:
            del row["suggested"]
    if rng.random() < 0.05:
        out.update(suggestions=[], error={"code": "input", "message": "..."})
    return out


def test_by_is_the_evaluation_of_each_part() -> None:
    documents, results = random_case(3)
    parts = score(documents, results).by("document_type")
    assert list(parts) == ["ed_note", "unknown", "visit_note"]
    for value, part in parts.items():
        own = [d for d in documents if (d.document_type or "unknown") == value]
        assert part.figures == pytest.approx(score(own, results).figures)
        assert part.documents == len(own)
    assert sum(p.documents for p in score(documents, results).by("setting").values()) == len(documents)


def test_by_falls_back_on_what_the_model_read() -> None:
    results = [{**line("a"), "document_type": "ed_note", "setting": "inpatient"}]
    evaluation = score([document("a", label("I10"), document_type="lab_report")], results)
    assert [list(evaluation.by(k)) for k in ("document_type", "setting")] == [["lab_report"], ["inpatient"]]


def slow_intervals(documents: list[Any], results: list[Any], samples: int, seed: int) -> dict[str, tuple[float, float]]:
    """The bootstrap as the book tells it: draw documents, measure them, again and again."""
    rng = np.random.default_rng(seed)
    drawn: list[dict[str, float]] = []
    for _ in range(samples):
        chosen = np.repeat(
            np.arange(len(documents)), rng.multinomial(len(documents), np.full(len(documents), 1 / len(documents)))
        )
        copies = [(f"{k}", documents[i], results[i]) for k, i in enumerate(chosen)]
        golds = [document(id, *d.codes, systems=d.systems) for id, d, _ in copies]
        drawn.append(score(golds, [{**r, "id": id} for id, _, r in copies]).figures)
    return {
        name: tuple(np.quantile([d[name] for d in drawn], [0.025, 0.975]).tolist())
        for name in drawn[0]
        if name != "required"
    }


def test_intervals_equal_the_slow_bootstrap() -> None:
    documents, results = random_case(5, n=12)
    fast = score(documents, results).intervals(samples=40, seed=9)
    slow = slow_intervals(documents, results, samples=40, seed=9)
    assert fast.keys() == slow.keys()
    for name, ends in slow.items():
        assert fast[name] == pytest.approx(ends), name


def test_intervals_hold_the_figure_and_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = score(*random_case(7, n=60))
    wide, narrow = evaluation.intervals(), evaluation.intervals(level=0.5)
    assert wide == evaluation.intervals() != evaluation.intervals(seed=1)
    for name in ("P", "R", "MAP", "R@10"):
        assert wide[name][0] < narrow[name][0] < evaluation.figures[name] < narrow[name][1] < wide[name][1]
    monkeypatch.setattr("codesuggest.evaluation._CHUNK", 500)  # several portions draw what one does
    assert evaluation.intervals() == wide


def test_what_is_shown_and_kept() -> None:
    documents, results = random_case(11)
    evaluation = score(documents, results)
    row = json.loads(json.dumps(evaluation.to_dict()))
    assert row["figures"] == evaluation.figures
    assert row["intervals"]["MAP"] == list(evaluation.intervals()["MAP"])
    assert sum(b["n"] for b in row["reliability"]) == sum(b.n for b in evaluation.reliability)
    shown = str(evaluation)
    assert all(name in shown for name in FIGURES if name not in OF_TABLE)
    assert f"{evaluation.figures['MAP']:.3f}" in shown
    assert max(map(len, shown.splitlines())) <= 120
    assert "MAP" in repr(evaluation)
    assert "invented" not in repr(evaluation) + shown + repr(evaluation.keys)  # no text of a document
    with pytest.raises(ValueError, match="read-only"):
        evaluation.sums[0, 0] = 5


# ---- parts of the codes, other thresholds


def test_a_part_of_the_codes_counts_them_only_and_skips_the_other_right_ones() -> None:
    gold = [document("a", label("I10"), label("E11.9"), label("R05.9", "acceptable"))]
    listed = (("E11.9", 0.9, True), ("J18.9", 0.8, True), ("R05.9", 0.5, True), ("I10", 0.4, False))
    evaluation = score(gold, [line("a", *listed)], seen={"I10": 3, "J18.9": 1})
    seen, unseen = (evaluation.by("seen")[value].figures for value in ("seen", "unseen"))
    assert (seen["P"], seen["R"], seen["required"]) == (
        0,
        0,
        1,
    )  # J18.9 of two suggested is the only seen one, and wrong
    assert seen["MAP"] == 1 / 2  # E11.9 and R05.9 are right elsewhere, J18.9 is wrong
    assert (unseen["P"], unseen["R"], unseen["MAP"], unseen["required"]) == (1, 1, 1, 1)
    assert [list(evaluation.by(key)) for key in ("seen", "band")] == [["seen", "unseen"], ["unseen", "1", "2 to 4"]]
    with pytest.raises(OptionError, match="not divided again"):
        evaluation.by("seen")["seen"].by("section")


@pytest.mark.parametrize("key", ["seen", "band", "chapter", "section"])
def test_the_parts_make_the_whole(key: str, tiny_system: CodeSystem) -> None:
    documents, results = random_case(13)
    pool = sorted({c.code for d in documents for c in d.codes})
    whole = score(documents, results, table=tiny_system, seen={c: i % 13 for i, c in enumerate(pool)})
    parts = whole.by(key)
    assert all(part.documents == whole.documents for part in parts.values())
    for name in ("required", "found", "suggested", "right", "located", "locatable", "squared_error", "found10"):
        column = COLUMN[name]
        if name in (
            "squared_error",
        ):  # of codes that are looked at but neither right nor suggested there may be no part
            assert sum(p.sums[:, column].sum() for p in parts.values()) <= whole.sums[:, column].sum() + 1e-9
        else:
            assert sum(p.sums[:, column].sum() for p in parts.values()) == whole.sums[:, column].sum(), name


def test_chapters_and_sections_are_named_as_one_reads_them(tiny_system: CodeSystem) -> None:
    text = "ASSESSMENT:\nGouty arthritis\n\nFAMILY HISTORY:\nGlaucoma\n"
    at = text.index("Gouty")
    gold = [CodedDocument("a", text, (label("Q11", "required", (), (at, at + 15)), label("Q15")))]
    row = line("a", ("Q30", 0.8, True, (text.index("Glaucoma"), len(text) - 1)), ("Q11", 0.5, True))
    row["suggestions"][0]["evidence"][0]["section"] = "family_history"
    parts = score(gold, [row]).by("section")
    assert {name: (p.figures["P"], p.figures["R"]) for name, p in parts.items()} == {
        "assessment": (1, 1),
        "family_history": (0, 0),
        "no evidence": (0, 0),
    }
    assert list(score(gold, [row]).by("chapter")) == ["unknown"]


def test_without_the_training_counts_there_is_no_seen_and_no_band() -> None:
    evaluation = score(*random_case(2))
    for key in ("seen", "band"):
        with pytest.raises(OptionError, match="trained on"):
            evaluation.by(key)


def test_at_counts_other_codes_as_suggested() -> None:
    documents, results = random_case(17)
    evaluation = score(documents, results)
    for threshold in (0.0, 0.3, 1.0):
        expected = score(documents, results, threshold=threshold)
        assert evaluation.at(threshold=threshold).to_dict() == expected.to_dict()
    for k in (1, 5, 300):
        first: list[dict[str, Any]] = json.loads(json.dumps(results))
        for row in first:
            once: dict[str, None] = {}
            for s in row["suggestions"]:
                once.setdefault(s["code"].replace(".", "").upper())
                s["suggested"] = len(once) <= k
        assert evaluation.at(k=k).figures == score(documents, first).figures
    for options in ({}, {"k": 1, "threshold": 0.5}, {"k": 0}, {"threshold": 1.1}):
        with pytest.raises(OptionError, match="either threshold"):
            evaluation.at(**options)


def test_a_bare_laboratory_value_is_suggested_by_no_threshold() -> None:
    row = line("a", ("E87.5", 0.9, False, (0, 4)), ("I10", 0.5, True, (0, 4)))
    row["suggestions"][0]["evidence"][0]["basis"] = "result"
    evaluation = score([document("a", label("I10"))], [row])
    assert evaluation.at(threshold=0.2).figures["P"] == 1
    assert [p.threshold for p in evaluation.curve()] == [0.5]


def test_the_curve_is_the_figures_at_each_threshold() -> None:
    documents, results = random_case(19)
    evaluation = score(documents, results)
    curve = evaluation.curve()
    assert [p.threshold for p in curve] == sorted({p.threshold for p in curve}, reverse=True)
    for point in curve[:: max(1, len(curve) // 12)]:
        found = evaluation.at(threshold=point.threshold).figures
        assert (point.precision, point.recall) == pytest.approx((found["P"], found["R"]))


def test_threshold_for_is_the_lowest_that_is_precise_enough() -> None:
    gold = [document("a", label("I10"), label("E11.9"), label("J18.9"))]
    listed = (("I10", 0.9, True), ("R05.9", 0.8, True), ("E11.9", 0.7, False), ("R06.2", 0.2, False))
    evaluation = score(gold, [line("a", *listed)])
    chosen = evaluation.threshold_for(precision=0.6)
    assert (chosen.threshold, chosen.recall) == (0.7, 2 / 3)
    assert chosen.precision == pytest.approx(2 / 3)
    assert chosen.suggested_per_note == 3
    assert evaluation.threshold_for(precision=0.9).threshold == 0.9
    with pytest.raises(OptionError, match=r"the best is 0\.000"):
        score(gold, [line("a", ("R05.9", 0.8, True))]).threshold_for(precision=0.1)
    for precision in (0, 1.2):
        with pytest.raises(OptionError, match=r"\(0, 1\]"):
            evaluation.threshold_for(precision=precision)


def test_results_without_confidence_have_no_calibration() -> None:
    row = line("a", ("I10", None, True))
    evaluation = score([document("a", label("I10"))], [row])
    assert {"ECE", "Brier"}.isdisjoint(evaluation.figures) and evaluation.figures["F1"] == 1
    assert "ECE" not in str(evaluation) + repr(evaluation)
    with pytest.raises(InputError, match="no confidence"):
        score([document("a", label("I10"))], [row], threshold=0.5)


# ---- a model


class Echo:
    """Stands in for a model: suggests the codes written in the note, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def suggest(self, note: str, **options: Any) -> NoteResult:
        self.asked.append(options)
        if note == "unreadable":
            raise NotTextError("not text")
        suggestions = tuple(
            Suggestion("icd10cm", "FY2026", code, "", 0.9, True, 1.0, 0.0, {}, (Evidence(0, 3, None, "affirmed", ""),))
            for code in note.split()
        )
        return NoteResult(
            "echo", "outpatient", "2026-04-01", "ed_note", ("icd10cm",), suggestions, (), (), id=options["id"]
        )


def ask(documents: list[CodedDocument], **options: Any) -> tuple[Evaluation, list[dict[str, Any]]]:
    model = Echo()
    return evaluate(model, iter(documents), **options), model.asked  # type: ignore[arg-type]


def test_evaluate_asks_each_document_with_its_own_options() -> None:
    documents = [
        CodedDocument(
            "a", "I10 E11.9", (label("I10", "required", (), (0, 3)),), setting="inpatient", service_date="2026-01-05"
        ),
        CodedDocument("b", "unreadable", (label("I10"),), document_type="lab_report"),
        CodedDocument("c", "0DTJ4ZZ", (Label("icd10pcs", "0DTJ4ZZ"),), systems=("icd10pcs",)),
    ]
    evaluation, asked = ask(documents, threshold=0.25, limit=7)
    assert [(a["id"], a["setting"], a["service_date"], a["document_type"]) for a in asked] == [
        ("a", "inpatient", "2026-01-05", None),
        ("b", None, None, "lab_report"),
    ]
    assert all((a["systems"], a["limit"], a["threshold"]) == (["icd10cm"], 7, 0.25) for a in asked)
    assert (evaluation.documents, evaluation.unread, evaluation.threshold) == (2, 1, 0.25)
    found = evaluation.figures
    assert (found["P"], found["R"], found["evidence"]) == (0.5, 0.5, 1)
    assert list(evaluation.by("document_type")) == ["ed_note", "lab_report"]
    with pytest.raises(OptionError, match="hcpcs"):
        ask(documents, system="hcpcs")


@pytest.fixture(scope="module")
def suggester() -> CodeSuggester:
    return CodeSuggester.load()


@pytest.fixture(scope="module")
def notes() -> list[CodedDocument]:
    return [d for d in read_coded(ROOT / "corpora" / "notes") if d.split != "evaluation"][::5]


def asked_of(suggester: CodeSuggester, documents: list[CodedDocument], **options: Any) -> list[NoteResult]:
    return [
        suggester.suggest(
            d.text,
            id=d.id,
            setting=d.setting,
            document_type=d.document_type,
            service_date=d.service_date,
            limit=200,
            **options,
        )
        for d in documents
    ]


def test_evaluate_is_the_score_of_its_results(suggester: CodeSuggester, notes: list[CodedDocument]) -> None:
    results = asked_of(suggester, notes[::4], systems=["icd10cm"])
    how: dict[str, Any] = {"table": suggester.tables["icd10cm"], "seen": seen_by(suggester, "icd10cm")}
    expected = score(notes[::4], results, **how)
    assert evaluate(suggester, notes[::4]).figures == expected.figures
    lines = [json.loads(r.to_json()) for r in results]  # what a batch writes
    assert score(notes[::4], lines, **how).to_dict() == expected.to_dict()


# ---- the reference scorers


@pytest.fixture(scope="module")
def scorers() -> Iterator[SimpleNamespace]:
    """The reference scorers, run as they are."""
    if not (SCORERS / "visits.py").is_file():
        pytest.skip(f"the reference scorers are not at {SCORERS} (set $CODESUGGEST_DATA to the folder beside them)")
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(SCORERS))
    try:
        yield SimpleNamespace(visits=importlib.import_module("visits"), codiesp=importlib.import_module("codiesp"))
    finally:
        sys.path.remove(str(SCORERS))
        sys.dont_write_bytecode = before
        for name in ("visits", "codiesp"):
            sys.modules.pop(name, None)


def as_gold(documents: list[CodedDocument]) -> dict[str, Any]:
    return {
        d.id: {
            "codes": [
                {"system": c.system, "code": c.code, "tier": c.tier, "alt_for": c.alt_for, "evidence": c.evidence}
                for c in d.codes
            ]
        }
        for d in documents
    }


def same_as_visits(
    scorers: SimpleNamespace, documents: list[CodedDocument], lines: list[Any], system: str = "icd10cm"
) -> None:
    coded = [d for d in documents if system in d.systems]
    for threshold in (None, 0.3, 0.7):
        theirs = scorers.visits.score(as_gold(coded), {r["id"]: r for r in lines}, system, threshold)
        ours = figures(documents, lines, system=system, threshold=threshold)
        assert {k: ours[k] for k in SHARED_BY_BOTH} == pytest.approx({k: theirs[k] for k in SHARED_BY_BOTH}, abs=1e-12)


def same_as_codiesp(scorers: SimpleNamespace, documents: list[CodedDocument], lines: list[Any], system: str) -> None:
    gold: dict[str, set[str]] = defaultdict(set)
    for d in documents:
        for c in d.codes:
            if c.system == system:
                gold[d.id].add(c.code.replace(".", "").lower())
    for threshold in (None, 0.3, 0.7):
        theirs = scorers.codiesp.score(gold, {r["id"]: r for r in lines}, system, threshold, set())
        ours = figures(documents, lines, system=system, threshold=threshold)
        names = ("MAP", "P", "R", "F1", "ECE")
        assert {k: ours[k] for k in names} == pytest.approx({k: theirs[k] for k in names}, abs=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_scorer_on_invented_documents(scorers: SimpleNamespace, seed: int) -> None:
    same_as_visits(scorers, *random_case(seed))


def test_equals_the_scorer_on_the_corpus(
    scorers: SimpleNamespace, suggester: CodeSuggester, notes: list[CodedDocument]
) -> None:
    lines = [r.to_dict() for r in asked_of(suggester, notes)]
    same_as_visits(scorers, notes, lines)
    same_as_visits(scorers, notes, lines, "icd10pcs")
    coded = [d for d in notes if d.labels("icd10cm") is not None]
    gold = {d.id: {**as_gold([d])[d.id], "document_type": d.document_type} for d in coded}
    for value, part in score(notes, lines).by("document_type").items():
        own = {i: g for i, g in gold.items() if g["document_type"] == value}
        theirs = scorers.visits.score(own, {r["id"]: r for r in lines}, "icd10cm", None)
        assert {k: part.figures[k] for k in SHARED_BY_BOTH} == pytest.approx(
            {k: theirs[k] for k in SHARED_BY_BOTH}, abs=1e-12
        )


@pytest.mark.parametrize("name", ["visits/train"])
def test_equals_the_scorer_on_its_gold(scorers: SimpleNamespace, name: str) -> None:
    """Real gold with invented predictions. The evaluation sets are not opened, not even for this."""
    file = DATA / f"{name}.jsonl"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    same_as_visits(scorers, *with_random_lines(read_coded(file), "icd10cm"), "icd10cm")


@pytest.mark.parametrize("system", ["icd10cm", "icd10pcs"])
def test_equals_the_codiesp_scorer(scorers: SimpleNamespace, system: str) -> None:
    if not (DATA / "codiesp" / "dev").is_dir():
        pytest.skip(f"CodiEsp is not at {DATA}")
    same_as_codiesp(scorers, *with_random_lines(read_codiesp(DATA / "codiesp", "dev"), system), system)


def with_random_lines(documents: list[CodedDocument], system: str) -> tuple[list[CodedDocument], list[Any]]:
    rng = random.Random(0)
    pool = sorted({c.code for d in documents for c in d.codes if c.system == system})
    lines = []
    for d in documents:
        row = random_line(rng, d.id, [(c.code, c.evidence) for c in d.codes if c.system == system], pool)
        for s in row["suggestions"]:
            s["system"] = system
        lines.append(row)
    return documents, lines
