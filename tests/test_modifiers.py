"""HCPCS modifiers that records state. Codes are invented, but for their first letter."""

from __future__ import annotations

from pathlib import Path

import pytest
from charts import read_chart
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.chart import Chart
from codesuggest.codes.readers.hcpcs import read_modifiers as published_modifiers
from codesuggest.codes.system import CodeSystem
from codesuggest.encounter import merge
from codesuggest.errors import LexiconError
from codesuggest.modifiers import _occurrences, modifiers, read_modifiers

HCPCS = CodeSystem.from_table(
    [
        {"code": "L9901", "title": "Ankle brace, invented"},
        {"code": "E9901", "title": "Walker, invented"},
        {"code": "J9901", "title": "Injection, wobblezumab, 10 mg"},
        {"code": "G9901", "title": "Minor procedure, invented"},
    ],
    name="hcpcs",
    release="2026-01-01",
)

STATEMENTS = [
    ("Fitted with an [ankle brace|L9901] on the left.", ["LT"]),
    ("[Ankle brace|L9901], rt.", ["RT"]),
    ("[Ankle braces|L9901] for both ankles.", ["LT", "RT"]),
    ("[Ankle brace|L9901] dispensed. The left hand is healing.", []),  # another sentence
    ("[Excision|G9901] of a lesion of the left upper eyelid.", ["E1"]),
    ("[Excision|G9901], lower lid, right.", ["E4"]),
    ("[Nail avulsion|G9901] of the right great toe.", ["T5"]),
    ("[Nail avulsion|G9901], left 2nd toe.", ["T1"]),
    ("[Trigger finger injection|G9901] of the left ring finger.", ["F3"]),
    ("[Injection|G9901] into the right thumb.", ["F5"]),
    ("[Wobblezumab 60 mg|J9901] given in the left arm, 40 mg discarded.", ["JW"]),
    ("[Wobblezumab 100 mg|J9901] given, no drug wasted.", ["JZ"]),
    ("[Walker|E9901] rental, first month.", ["RR"]),
    ("[Walker|E9901], purchased new.", ["NU"]),
    ("[Walker|E9901], signed ABN in the chart.", ["GA"]),
    ("[Walker|E9901]; no ABN on file.", ["GZ"]),
    ("[Minor procedure|G9901], statutorily excluded.", ["GY"]),
    ("No [ankle brace|L9901|negated] for the left side.", []),
]


@pytest.mark.parametrize(("marked", "expected"), STATEMENTS)
def test_what_a_record_states(marked: str, expected: list[str]) -> None:
    results = read_chart(f"== visit_note\nPLAN\n{marked}", {"hcpcs": HCPCS}, setting="outpatient")
    chart = Chart(results)
    (code,) = merge(results, chart)
    said = modifiers(code, chart)
    assert [p.value for p in said] == expected
    for p in said:
        assert p.kind == "modifier" and p.reason.startswith(f"{p.value}, ") and p.places
        assert all((results[0].text or "")[place.start : place.end].strip() for place in p.places)


def test_modifiers_are_hcpcs_level_2() -> None:
    rows = read_modifiers()
    assert len({row.modifier for row in rows}) == len(rows)
    assert all(len(row.modifier) == 2 and not row.modifier.isdigit() for row in rows), "numeric modifiers are the AMA's"
    sites = [row for row in rows if row.kind == "site"]
    assert {row.modifier[0] for row in sites} == {"E", "F", "T"} and len(sites) == 24


def test_every_modifier_is_in_the_published_list(DATA: Path) -> None:
    published = published_modifiers(DATA / "official" / "hcpcs" / "HCPC2025_OCT_hcpc_short_briggsprashar.csv")
    assert [row.modifier for row in read_modifiers() if row.modifier not in published] == []


@pytest.mark.parametrize(
    "line",
    ["LT\tplace\tleft\tleft\thcpcs\t\town", "LT\tside\tleft\tleft\thcpcs\t\town\nLT\tside\tleft\tlt\thcpcs\t\town"],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str) -> None:
    header = "modifier\tkind\tmeans\tphrases\tsystems\tcodes\tsource"
    (tmp_path / "modifiers.tsv").write_text(f"{header}\n{line}\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=r"modifiers.tsv, line [23]"):
        read_modifiers(tmp_path)


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_occurrences_by_the_definition(words: list[str], phrase: list[str]) -> None:
    """Every occurrence begins at the phrase's first word and ends at its last, the others between in order."""
    placed = [(word, n, n + 1) for n, word in enumerate(words)]
    for start, end in _occurrences(tuple(phrase), placed):
        inside = words[start:end]
        assert inside[0] == phrase[0] and inside[-1] == phrase[-1] and len(inside) <= 2 * len(phrase) - 1
        rest = iter(inside)
        assert all(word in rest for word in phrase)
