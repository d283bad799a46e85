"""Which trimester a note is in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest import CodeSuggester
from codesuggest.pipes.weeks import may_tell
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
        ("G2P1 at 29w3d. OB hx: 2022 primary LTCS", THIRD),  # another birth
        ("prior vaginal delivery, now 12w0d", FIRST),
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


PARTS = (
    "GA", "ga:", " ga ", "EGA", "gestational age", "IUP", "pregnant", "gestation", "intrauterine", "of pregnancy", " is", ": ",
    "12", "37", " 3/7", "\t4/7", "w4d", "w", " weeks", " wks", " wk", "+", " ", ", ", "\n", "1st tri", "second trimester",
    "third tri", "st tri", "\u0661\u0662", "ge\u017ftation", "SVD", "negative", "omega", "gait", "12/7/2025", "\u0131up",
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=7).map("".join))
def test_without_a_stretch_that_may_tell_there_is_none(text: str) -> None:
    assert any(map(may_tell, text.split())) or trimester_of(text) == NONE


@pytest.mark.parametrize(
    ("text", "told"), [("Seen in 3rd tri.", True), ("GA:\n28w0d", True), ("Pain for 3 weeks", False)]
)
def test_a_reading_knows_whether_it_may_tell(starter: CodeSuggester, text: str, told: bool) -> None:
    assert starter.reader.read(text).of_pregnancy is told
