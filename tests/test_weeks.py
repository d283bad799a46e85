"""The week of a pregnancy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.pipes.weeks import may_tell, weeks


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("32 yo G2P1 at 40 weeks and 3 days in labor", ["Z3A40"]),
        ("IUP at 37w4d, GDM since 28 weeks gestation", ["Z3A37", "Z3A28"]),
        ("EGA 6 wks pregnancy, viable", ["Z3A01"]),
        ("37+2 intrauterine pregnancy", ["Z3A37"]),
        ("Follow up at 6 weeks after surgery", []),
        ("Cough for 3 weeks and 2 days", []),
        ("Pregnancy visit in 4 weeks, cough for 50 weeks", []),
        ("G1P0 at 20w0d. Repeat scan at 32 weeks", ["Z3A20"]),  # to come
        ("37 yo G3P1011, 2022 repeat cesarean at 40 wk, now 29w3d", ["Z3A29"]),
        ("Growth scan at 32 weeks of pregnancy", ["Z3A32"]),  # no other is named
        ("Day 4. Birth: 39w1d, vaginal. Mother G2P2", []),  # the record of the child
        ("", []),
    ],
)
def test_weeks(text: str, codes: list[str]) -> None:
    found = weeks(text)
    assert [one.begin for one in found] == codes
    assert all(any(c.isdigit() for c in text[one.start : one.end]) for one in found)


def test_the_latest_week_is_the_surest() -> None:
    sure = {one.begin: one.sure for one in weeks("38w1d pregnancy, seen first at 9w2d")}
    assert sure["Z3A38"] > sure["Z3A09"]


WORDS = """pregnancy Pregnant gestation gestational age IUP intrauterine EGA GA ga: 32w4d 32 weeks wks 3/7 and 2 days g2p1
G3P0, gravida fetal FHT edd EDC amniotic prenatal antenatal trimester at 40 of today is, (ga \u017f ge\u017ftation fet\u0131 +2 30+2
vega gala wedding fourth""".split()


@settings(max_examples=500)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", " ", "\n", "\t", ", ", "-"])), max_size=9))
def test_without_a_stretch_that_may_tell_there_are_none(parts: list[tuple[str, str]]) -> None:
    text = "".join(word + gap for word, gap in parts)
    assert any(map(may_tell, text.split())) or weeks(text) == []
