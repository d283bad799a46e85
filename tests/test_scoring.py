"""What is counted of one document, by hand: levels, evidence, sections. See `test_evaluation` for the figures."""

from __future__ import annotations

from typing import Any

import pytest

from codesuggest import CodeSuggester
from codesuggest.coded import CodedDocument, Label
from codesuggest.levels import Levels
from codesuggest.scoring import COLUMN, COUNTED, case_of, gold_of, sums_of

TEXT = "Assessment: acute low back pain, worse at night. Hypertension, well controlled."


def counted(
    levels: Levels, labels: tuple[Label, ...], *listed: tuple[str, bool, tuple[tuple[int, int], ...]]
) -> dict[str, float]:
    document = CodedDocument("a", TEXT, labels)
    rows: list[dict[str, Any]] = [
        {"code": c, "confidence": 0.5, "suggested": on, "evidence": [{"start": a, "end": b} for a, b in spans]}
        for c, on, spans in listed
    ]
    gold = gold_of(document, "icd10cm")
    assert gold is not None
    row = sums_of(case_of(document, gold, {"id": "a", "suggestions": rows}, "icd10cm", None), levels)
    return {name: row[COLUMN[name]] for name in COUNTED}


def span(words: str) -> tuple[int, int]:
    at = TEXT.index(words)
    return at, at + len(words)


def test_a_near_miss_counts_from_the_level_at_which_it_is_right(starter: CodeSuggester) -> None:
    labels = (Label("icd10cm", "E11.22"), Label("icd10cm", "E10.9"), Label("icd10cm", "I10"))
    found = counted(
        Levels(starter.tables["icd10cm"]), labels, ("E11.65", True, ()), ("I12.9", True, ()), ("J18.9", True, ())
    )
    #   E11.65 is of the category of E11.22 and of the block of E10.9 too; I12.9 is of the block of I10
    expected = {"": (3, 0, 3, 0), ":category": (3, 1, 3, 1), ":block": (2, 2, 3, 2), ":chapter": (2, 2, 3, 2)}
    for at, numbers in expected.items():
        assert tuple(found[f"{n}{at}"] for n in ("required", "found", "suggested", "right")) == numbers, at


@pytest.mark.parametrize(
    ("evidence", "meets", "exact", "share"),
    [
        ((span("low back pain"),), 1, 1, 1.0),
        ((span("back pain"),), 1, 0, 2 / 3),
        ((span("acute low back pain"),), 1, 0, 3 / 4),
        ((span("Hypertension"),), 0, 0, 0.0),
        ((span("Hypertension"), span("low back pain, worse")), 1, 0, 3 / 4),  # the best of several
        ((), 0, 0, 0.0),
    ],
)
def test_evidence(evidence: tuple[tuple[int, int], ...], meets: int, exact: int, share: float) -> None:
    found = counted(
        Levels(), (Label("icd10cm", "M54.50", evidence=(span("low back pain"),)),), ("M54.50", True, evidence)
    )
    assert (found["located"], found["located_exactly"], found["locatable"]) == (meets, exact, 1)
    assert found["located_share"] == pytest.approx(share)
