"""tests/accuracy: what is measured there was not fitted on what it is measured on."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "accuracy"))

from calibration import by_chance, shift_of
from held_out import Bench, group_of
from variants import KINDS, Known, variant

from codesuggest import training
from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeSystem
from codesuggest.evaluation import Bin
from codesuggest.learned import Counts

COPIES = 4


def bench_of(system: CodeSystem, documents: Sequence[CodedDocument]) -> Bench:
    return Bench.of(training.prepared(documents, systems=[system], min_groups=1))


@pytest.fixture(scope="module")
def notes(tiny_documents: Sequence[CodedDocument]) -> list[CodedDocument]:
    """Each note four times, told apart by a number; two of them in one group, of two types."""
    return [
        dataclasses.replace(
            d, id=f"{d.id}-{n}", text=f"{d.text}\nVisit {n}.", group=f"{d.id}-{n // 2}",
            document_type="visit_note" if n % 2 else "ed_note",
        )
        for d in tiny_documents
        for n in range(COPIES)
    ]  # fmt: skip


def test_every_note_is_answered_once_by_a_ranker_that_does_not_know_it(
    tiny_system: CodeSystem, notes: list[CodedDocument]
) -> None:
    bench = bench_of(tiny_system, notes)
    answers, nested = bench.crossed(), bench.left_out(bench.by_fold())
    assert [d.id for d in answers.documents] == [d.id for d in nested.documents] == [d.id for d in notes]
    first = notes[0]
    told_otherwise = [
        dataclasses.replace(d, codes=(Label("icd10cm", "Q15"),)) if group_of(d) == group_of(first) else d for d in notes
    ]
    bench = bench_of(tiny_system, told_otherwise)
    # the note's own codes, and those of its group, move no weight and no prior of the answer; nested, no knot either
    for before, after, names in (
        (answers, bench.crossed(), ("first", "weights")),
        (nested, bench.left_out(bench.by_fold()), ("first", "weights", "knots_score", "knots_confidence", "threshold")),
    ):
        old, new = before.held[first.text], after.held[first.text]
        assert old.example.table.x.tolist() == new.example.table.x.tolist()
        assert old.example.right.tolist() != new.example.right.tolist()
        for name in names:
            assert np.array_equal(getattr(old.ranker, name), getattr(new.ranker, name)), name


def test_a_type_left_out_is_answered_without_it(tiny_system: CodeSystem, notes: list[CodedDocument]) -> None:
    alone = [dataclasses.replace(d, group=d.id) for d in notes]
    places = [i for i, d in enumerate(alone) if d.document_type == "ed_note"]
    answers = bench_of(tiny_system, alone).left_out({"ed_note": places})
    assert {d.document_type for d in answers.documents} == {"ed_note"}
    other = [
        dataclasses.replace(d, codes=(Label("icd10cm", "Q15"),)) if d.document_type == "ed_note" else d for d in alone
    ]
    again = bench_of(tiny_system, other).left_out({"ed_note": places})
    for text, held in answers.held.items():
        assert held.ranker.weights.tolist() == again.held[text].ranker.weights.tolist()
        assert held.ranker.threshold == again.held[text].ranker.threshold


def test_priors_without_groups_are_those_of_the_others(tiny_system: CodeSystem, notes: list[CodedDocument]) -> None:
    bench = bench_of(tiny_system, notes)
    gone = {group_of(d) for d in notes[:6]}
    kept = [d for d in notes if group_of(d) not in gone]
    expected = Counts.of(tiny_system, kept, [frozenset()] * len(kept), min_groups=1)
    found = bench.without(gone).counts
    assert found.billed.tolist() == expected.billed.tolist()
    assert found.billed_category.tolist() == expected.billed_category.tolist()
    assert set(found.share) == set(expected.share)
    for d in notes:
        assert [p.tolist() for p in found.priors_without([group_of(d)])] == [
            p.tolist() for p in expected.priors_without([group_of(d)])
        ]


def test_figures_and_stages_are_those_of_the_library(tiny_system: CodeSystem, notes: list[CodedDocument]) -> None:
    answers = bench_of(tiny_system, notes).crossed()
    evaluation, lost = answers.evaluation(), answers.losses()
    assert evaluation.documents == len(notes)
    assert lost.stages.get("suggested", 0) / len(lost.rows) == pytest.approx(evaluation.figures["R"])


TEXT = "Chief complaint: rattling.\nHPI:\nShe has podagra.\nAssessment:\n1. Podagra of the toe\nPlan:\nRest.\n"
PLACES = tuple(m.span() for m in re.finditer("(?i)podagra", TEXT))
NOTE = CodedDocument("n", TEXT, (Label("icd10cm", "Q11", evidence=PLACES),))


@pytest.mark.parametrize("kind", KINDS)
def test_a_variant_is_the_note_in_other_words(tiny_system: CodeSystem, kind: str) -> None:
    others = [CodedDocument(f"o{n}", "", (Label("icd10cm", f"Q{n}"),)) for n in range(12, 17)]
    known = Known.of(tiny_system, [], [NOTE, *others])
    made = [variant(NOTE, kind, known, seed) for seed in range(8)]
    assert made == [variant(NOTE, kind, known, seed) for seed in range(8)]
    texts = {v.text for v in made}
    assert (texts == {TEXT}) == (kind == "copy")
    for v in made:
        assert v.group == "n" and v.id != "n" and v.labels("icd10cm") == NOTE.labels("icd10cm")
        lines = v.text.splitlines()
        if kind == "order":
            assert sorted(lines) == sorted(TEXT.splitlines()) and lines[0] == TEXT.splitlines()[0]
        elif kind == "names":
            assert set(re.split("(?i)podagra|gouty arthritis", v.text)) == set(re.split("(?i)podagra", TEXT))
        elif kind == "heads":
            assert [line for line in lines if "odagra" in line] == [
                line for line in TEXT.splitlines() if "odagra" in line
            ]
        elif kind == "distractors":
            (added,) = [line for line in lines if line.startswith("Denies")]
            assert [line for line in lines if line != added] == TEXT.splitlines() and "gout" not in added.lower()


def test_what_chance_gives_and_how_far_confidence_is_off() -> None:
    few = [Bin(0.2, 0.3, 10, 0.25, 0.3)]
    many = [Bin(0.2, 0.3, 10_000, 0.25, 0.25)]
    assert (
        by_chance(many) < 0.01 < 0.08 < by_chance(few) < 0.15
    )  # mean |error| of 10 draws: about 0.8 * sqrt(p q / n) = 0.11
    p = np.array([0.2, 0.5, 0.9])
    assert shift_of(p, float(p.mean())) == pytest.approx(0, abs=1e-6)
    assert shift_of(p, 0.7) > 0 > shift_of(p, 0.3)
