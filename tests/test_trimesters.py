"""Which trimester a note is in."""

from __future__ import annotations

import pytest

from codesuggest import CodeSuggester
from codesuggest.trimesters import BIRTH, FIRST, NONE, OPEN, SECOND, THIRD, trimester_of, trimesters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("31 y G1P0 @ 37w4d", THIRD),
        ("GA 28w0d", THIRD),
        ("27w6d by 8 wk ultrasound", SECOND),
        ("14w0d today", SECOND),
        ("13w6d", FIRST),
        ("8 weeks pregnant, spotting", FIRST),
        ("intrauterine pregnancy, 20 weeks 3 days gestation", SECOND),
        ("acute cystitis in preg, 1st tri", FIRST),
        ("third trimester bleeding", THIRD),
        ("39w4d, spontaneous labor. SVD, live female, Apgars 8/9", BIRTH),
        ("39 weeks gestation, delivered by cesarean", BIRTH),
        ("Follow up in 6 weeks", NONE),
        ("recheck 6w", NONE),
        ("neck pain for 12 weeks", NONE),
        ("vaginal delivery in 2019", NONE),
        ("", NONE),
    ],
)
def test_trimester_of_a_note(text: str, expected: int) -> None:
    assert trimester_of(text) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [("O99.013", THIRD), ("O99.012", SECOND), ("O99.011", FIRST), ("O99.02", BIRTH), ("O99.019", OPEN), ("I10", NONE)],
)  # fmt: skip
def test_trimester_of_a_code(starter: CodeSuggester, code: str, expected: int) -> None:
    system = starter.tables["icd10cm"]
    assert trimesters(system)[system.index_of(code)] == expected
