"""Given or listed: what the words around a drug or an item say, in a coder's language."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.care import CARE_FEATURES, CUES, REACH, Care, care_features, is_drug, read_care

# (sentence, the drug or item in it, kinds of cue that must be heard, kinds that must not)
CASES = [
    ("Ceftriaxone 1 g IM given in the office.", "Ceftriaxone", {"dose", "route", "given", "place"}, {"sig", "home", "refused"}),
    ("Depo-Medrol 80 mg injected, tolerated well.", "Depo-Medrol", {"dose", "given"}, {"sig", "home", "refused", "plan"}),
    ("Toradol 30 mg IM now.", "Toradol", {"dose", "route", "place"}, {"home"}),
    ("2235 ketorolac 30 mg IV", "ketorolac", {"clock", "dose", "route"}, {"sig"}),
    ("Given in clinic:\n- ketorolac 30 mg\n- ondansetron 4 mg", "ondansetron", {"headed", "dose"}, {"sig"}),
    ("ketorolac 10 mg PO q6h prn", "ketorolac", {"sig", "dose"}, {"given", "route"}),
    ("Rx ondansetron 4 mg sent to pharmacy.", "ondansetron", {"sig", "home"}, {"given", "place"}),
    ("She takes sumatriptan at home.", "sumatriptan", {"home"}, {"given", "order"}),
    ("Flu shot declined.", "Flu shot", {"refused"}, {"given"}),
    ("Toradol was offered and refused.", "Toradol", {"refused"}, {"given"}),
    ("Dexamethasone not given.", "Dexamethasone", {"refused"}, {"given"}),
    ("Last infusion of infliximab was in October.", "infliximab", {"past"}, {"route"}),
    ("Will consider Botox next visit.", "Botox", {"plan"}, {"given"}),
    ("Crutches dispensed.", "Crutches", {"order"}, {"home"}),
    ("DME order: CPAP with humidifier", "CPAP", {"order"}, {"home", "sig"}),
    ("He already owns a walker.", "walker", {"home", "past"}, {"order"}),
    ("No pain. Ketorolac 30 mg IM.", "pain", set(), {"dose", "route"}),
    ("Ketorolac 30 mg IM\nsumatriptan at bedtime", "sumatriptan", {"sig"}, {"dose", "route"}),
]  # fmt: skip


def heard(text: str, what: str) -> set[str]:
    at = text.index(what)
    start = np.array([at])
    near = read_care(text, start).near(start, start + len(what))
    return {CUES[k] for k in np.flatnonzero(near[0])}


@pytest.mark.parametrize(("text", "what", "must", "must_not"), CASES)
def test_cues_near_a_match(text: str, what: str, must: set[str], must_not: set[str]) -> None:
    found = heard(text, what)
    assert must <= found and not must_not & found, found


def test_a_cue_out_of_reach_is_not_heard() -> None:
    near = "ketorolac " + "x" * (REACH - 3) + " given"
    far = "ketorolac " + "x" * (REACH + 3) + " given"
    assert "given" in heard(near, "ketorolac") and "given" not in heard(far, "ketorolac")


def test_a_heading_ends_at_a_blank_line() -> None:
    text = "Dispensed today:\ncrutches\n\nsling"
    assert "headed" in heard(text, "crutches") and "headed" not in heard(text, "sling")


@given(st.text(max_size=120))
def test_any_text_is_read_and_spans_lie_in_it(text: str) -> None:
    care = read_care(text, np.arange(len(text)))
    assert ((care.start >= 0) & (care.start <= care.end) & (care.end <= len(text))).all()
    assert (np.diff(care.start) >= 0).all()


def slow_near(care: Care, start: int, end: int) -> list[bool]:
    """One span, one cue at a time."""
    out = [False] * len(CUES)
    for kind, a, b in zip(care.kind.tolist(), care.start.tolist(), care.end.tolist(), strict=True):
        if CUES[kind] == "headed":
            out[kind] |= a <= start < b
        elif not any(min(start, a) <= stop < max(start, a) for stop in care.breaks.tolist()):
            out[kind] |= a - end <= REACH and start - b <= REACH
    return out


@pytest.mark.parametrize("text", [c[0] for c in CASES] + ["\n".join(c[0] for c in CASES)])
def test_near_is_what_the_slow_reference_says(text: str) -> None:
    starts = np.array([i for i, c in enumerate(text) if c.isalpha()])
    care = read_care(text, starts)
    near = care.near(starts, starts + 1)
    assert near.tolist() == [slow_near(care, int(a), int(a) + 1) for a in starts]


@pytest.mark.parametrize("what", ["Ceftriaxone", "sumatriptan", "Flu shot", "Crutches", "walker", "pain"])
def test_the_clauses_of_others_change_nothing(what: str) -> None:
    text = "\n".join(c[0] for c in CASES)
    own = np.array([text.index(what)])
    everywhere = read_care(text, np.arange(len(text)))
    assert read_care(text, own).near(own, own + 1).tolist() == everywhere.near(own, own + 1).tolist()


def test_a_phrase_does_not_go_on_behind_its_clause() -> None:
    assert "refused" in heard("Ketorolac not given.", "Ketorolac")
    assert "refused" not in heard("Ketorolac not. Given: saline.", "Ketorolac")


def test_drugs_are_told_from_items() -> None:
    codes = np.array(
        [b"J0696", b"Q5103", b"Q0138", b"E0114", b"Q4010", b"G0008", b"A4565", b"L4361", b"Q9967", b"J7307"]
    )
    assert is_drug(codes).tolist() == [True, True, True, False, False, False, False, False, False, False]


def test_the_match_that_speaks_most_for_giving_stands_for_the_code() -> None:
    """Listed at home and given today: given."""
    near = np.zeros((3, len(CUES)), bool)
    near[0, CUES.index("sig")] = True
    near[1, [CUES.index("given"), CUES.index("route")]] = True
    near[2, CUES.index("order")] = True
    x = care_features(near, np.array([0, 0, 1]), np.ones(3, np.float32), np.array([True, False]))
    said = [{CARE_FEATURES[i] for i in np.flatnonzero(row)} for row in x]
    assert said == [
        {"care:drug_given", "care:drug_route", "care:drug_provided"},
        {"care:item_order", "care:item_provided"},
    ]


def test_what_was_given_and_refused_is_not_provided() -> None:
    near = np.zeros((1, len(CUES)), bool)
    near[0, [CUES.index("given"), CUES.index("refused")]] = True
    x = care_features(near, np.array([0]), np.ones(1, np.float32), np.array([True]))
    assert "care:drug_provided" not in {CARE_FEATURES[i] for i in np.flatnonzero(x[0])}
