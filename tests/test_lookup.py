"""Look-up by words and by code: what coders type, on the starter and on a bare table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.concepts import build, entries_of
from codesuggest.errors import NotTextError, OptionError
from codesuggest.lookup import GUESSED, Lookup, _index, _near
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.pipes.phrases import WordReader
from codesuggest.retrieve import TermIndex
from codesuggest.suggester import CodeSuggester

TABLES = Path(__file__).parent / "tables"
COLUMNS = ("query", "codes", "system", "source")


def hits(starter: CodeSuggester, table: str) -> Iterator[tuple[str, int]]:
    """Each query and the place, from 0, of the first code that would do; 99 if none of ten does."""
    for row in read_lexicon(TABLES / table, COLUMNS, unique=("query",)):
        found = [c.code for c in starter.search(row["query"], system=row["system"], limit=10)]
        yield row["query"], next((n for n, code in enumerate(found) if code in row.items("codes")), 99)


@pytest.mark.parametrize(("table", "first", "ten"), [("lookups.tsv", 0.96, 0.98), ("lookups_unseen.tsv", 0.96, 0.98)])
def test_what_coders_type_is_found(starter: CodeSuggester, table: str, first: float, ten: float) -> None:
    places = dict(hits(starter, table))
    assert len(places) >= 60
    assert sum(p < 1 for p in places.values()) / len(places) >= first, {q: p for q, p in places.items() if p}
    assert sum(p < 10 for p in places.values()) / len(places) >= ten


def test_every_code_in_the_tables_is_one(starter: CodeSuggester) -> None:
    for table in ("lookups.tsv", "lookups_unseen.tsv"):
        for row in read_lexicon(TABLES / table, COLUMNS):
            assert any(code in starter.tables[row["system"]] for code in row.items("codes")), row["query"]


# A bare system, invented: HCPCS-like and with sides and encounters.
ROWS = [
    CodeRow("W10", "Fracture of blivet"),
    CodeRow("W10.1", "Fracture of right blivet"),
    CodeRow("W10.1XXA", "Fracture of right blivet, initial encounter for closed fracture"),
    CodeRow("W10.1XXD", "Fracture of right blivet, subsequent encounter for fracture with routine healing"),
    CodeRow("W10.2", "Fracture of left blivet"),
    CodeRow("W10.2XXA", "Fracture of left blivet, initial encounter for closed fracture"),
    CodeRow("W10.2XXD", "Fracture of left blivet, subsequent encounter for fracture with routine healing"),
    CodeRow("W10.9", "Fracture of unspecified blivet"),
    CodeRow("W10.9XXA", "Fracture of unspecified blivet, initial encounter for closed fracture"),
    CodeRow("W10.9XXD", "Fracture of unspecified blivet, subsequent encounter for fracture with routine healing"),
    CodeRow("W11", "Blivet pain", terms=(("synonym", "Blivetalgia"),)),
    CodeRow("W12", "Other blivet disorders"),
    CodeRow("Z84.77", "Family history of blivet disorders"),
    CodeRow("W14", "Chronic kidney disease of the blivet", valid_to=20250930),
    CodeRow("W15", "Chronic kidney disease of the widget", valid_from=20261001),
]


@pytest.fixture(scope="module")
def bare() -> CodeSystem:
    return CodeSystem.from_rows(ROWS, name="icd10cm", release="2026-04-01")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("blivet pain", "W11"),
        ("blivet pai", "W11"),  # half typed
        ("blivetalg", "W11"),
        ("blivtealgia", "W11"),  # two letters turned round
        ("fx blivet", "W10.9XXA"),
        ("fx blivet rt", "W10.1XXA"),
        ("blivet fracture l", "W10.2XXA"),
        ("left blivet fracture subsequent", "W10.2XXD"),
        ("left sided blivet fracture routine heal", "W10.2XXD"),
        ("blivet disorders", "W12"),
        ("fh blivet disorders", "Z84.77"),
        ("family history blivet", "Z84.77"),
        ("w102xxd", "W10.2XXD"),
        ("W10.1", "W10.1"),  # a heading that was typed
    ],
)
def test_a_bare_table_answers(bare: CodeSystem, query: str, code: str) -> None:
    assert bare.search(query)[0].code == code


def test_a_typed_code_lists_what_begins_with_it(bare: CodeSystem) -> None:
    assert [c.code for c in bare.search("w10.2")] == ["W10.2", "W10.2XXA", "W10.2XXD"]
    assert [c.code for c in bare.search("W10", limit=2)] == ["W10", "W10.1XXA"]


def test_the_date_decides_what_is_found(bare: CodeSystem) -> None:
    assert "W14" not in [c.code for c in bare.search("ckd blivet")]
    assert bare.search("ckd blivet", date="2025-09-30")[0].code == "W14"
    assert bare.search("ckd widget", date="2026-10-01")[0].code == "W15"
    assert "W15" not in [c.code for c in bare.search("ckd widget")]


def test_nothing_is_found_in_nothing(bare: CodeSystem) -> None:
    for query in ("", "  ", "of the", "zyxwolf", "!?", "W99"):
        assert bare.search(query) == []


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, None])
def test_a_limit_is_a_whole_number(bare: CodeSystem, limit: object) -> None:
    with pytest.raises(OptionError, match="limit"):
        bare.search("pain", limit=limit)  # type: ignore[arg-type]


def test_a_pasted_note_is_read_no_further_than_a_query_is_long(bare: CodeSystem) -> None:
    assert bare.search("blivet pain " + "zyx " * 100_000)[0].code == "W11"
    assert bare.search("zyx " * 200 + "blivet pain") == []


def test_a_search_takes_words(bare: CodeSystem) -> None:
    with pytest.raises(NotTextError):
        bare.search(None)  # type: ignore[arg-type]


def test_a_system_without_dots_and_sides() -> None:
    rows = [
        {"code": "Q9001", "title": "Injection, wobblezumab, 10 mg"},
        {"code": "Q9002", "title": "Injection, fluxamab, 1 mg"},
        {"code": "E9001", "title": "Wheelchair, extra wobbly"},
    ]
    system = CodeSystem.from_table(rows, name="hcpcs", release="2026-01-01")
    assert [c.code for c in system.search("wobblezumab inj")][:1] == ["Q9001"]
    assert [c.code for c in system.search("q900")] == ["Q9001", "Q9002"]
    assert system.search("wheelch")[0].code == "E9001"


@pytest.mark.parametrize(
    ("query", "system", "code"), [("E11", None, "E11"), ("0DTJ", None, "0DTJ0ZZ"), ("e1122", None, "E11.22")]
)
def test_a_typed_code_is_looked_for_in_all_systems(
    starter: CodeSuggester, query: str, system: str | None, code: str
) -> None:
    assert starter.search(query, system=system)[0].code == code


def test_capitals_are_not_needed(starter: CodeSuggester) -> None:
    for query in ("ra", "ms", "pe", "esrd", "LBP", "lbp"):
        assert starter.search(query)[0] == starter.search(query.upper())[0], query


@given(st.text(alphabet="abcdefgh", min_size=2, max_size=7), st.data())
def test_near_is_one_slip_away(word: str, data: st.DataObject) -> None:
    near = set(_near(word))
    place = data.draw(st.integers(0, len(word) - 1))
    assert word[:place] + word[place + 1 :] in near  # left out
    assert word[:place] + word[place] + word[place:] in near  # doubled
    assert word[:place] + "z" + word[place + 1 :] in near  # wrong
    turned = list(word)
    if place:
        turned[place - 1 : place + 1] = turned[place], turned[place - 1]
        assert "".join(turned) in near
    assert all(abs(len(w) - len(word)) <= 1 for w in near)


@pytest.mark.parametrize("query", ["blivet pain", "blivet", "fracture blivet left", "other blivet diso", "kidney"])
def test_terms_by_the_definition(bare: CodeSystem, query: str) -> None:
    """`said` and `hits` of every term, counted form by form."""
    lookup = Lookup.of(bare)
    asked = lookup._read(query)
    said, found = lookup._terms(asked)
    weight = lookup.index.idf.astype(float) ** 2
    for t in range(len(lookup.index)):
        forms = lookup.index.forms[lookup.index.indptr[t] : lookup.index.indptr[t + 1]].tolist()
        sums = 0.0
        for n, word in enumerate(asked):
            sure = {f: s for f, s in zip(word.forms, word.sure, strict=True) if f in forms}
            assert found[n, t] == pytest.approx(max(sure.values(), default=0.0) * word.weight, rel=1e-5)
            sums += max((weight[f] for f in sure), default=0.0)
        assert said[t] == pytest.approx(min(1.0, sums / sum(weight[f] for f in forms)), rel=1e-5)


def test_the_index_is_that_of_the_trainer(bare: CodeSystem) -> None:
    words = WordReader()
    _, terms = build(entries_of(bare), words.forms_of)
    vocabulary = sorted({form for forms in terms for form in forms})
    ours, theirs = _index(terms, {f: i for i, f in enumerate(vocabulary)}), TermIndex.build(terms, vocabulary)
    for key, array in theirs.arrays().items():
        np.testing.assert_allclose(ours.arrays()[key], array, rtol=1e-6)


def test_a_table_without_titles_knows_its_codes() -> None:
    system = CodeSystem.from_table([{"code": "A1", "title": ""}], name="local", release="2026-01-01")
    assert system.search("pain") == [] and [c.code for c in system.search("a1")] == ["A1"]


def test_a_guessed_word_is_worth_less_than_the_word(bare: CodeSystem) -> None:
    lookup = Lookup.of(bare)
    (word,) = lookup._read("blivet")
    own = lookup._ids["blivet"]
    assert dict(zip(word.forms, word.sure, strict=True)) == {own: 1.0, lookup._ids["blivetalgia"]: GUESSED}


@pytest.fixture(scope="module")
def lookup(bare: CodeSystem) -> Lookup:
    return Lookup.of(bare)


@given(
    text=st.text(max_size=40) | st.lists(st.sampled_from("blivet fx left W10 ckd disorders rt".split())).map(" ".join)
)
def test_any_text_is_answered_alike_twice(lookup: Lookup, text: str) -> None:
    found = lookup.search(text)
    assert found == lookup.search(text)
    assert len({c.code for c in found}) == len(found)


# ---- a code and its neighbours


@pytest.mark.parametrize(
    ("code", "sharper"),
    [
        ("W10.9XXA", ["W10.1XXA", "W10.2XXA"]),  # the same encounter
        ("W10.9", ["W10.1", "W10.2"]),
        ("W10.1XXA", []),
        ("W11", []),
    ],
)
def test_more_specific_on_invented_codes(bare: CodeSystem, code: str, sharper: list[str]) -> None:
    assert [c.code for c in bare[code].more_specific] == sharper


@pytest.mark.parametrize(
    ("code", "among"),
    [
        ("M54.50", "M54.51"),
        ("S52.509A", "S52.501A"),
        ("M17.9", "M17.0"),
        ("R10.9", "R10.0"),
        ("K80.20", None),  # nothing in its title is unspecified
    ],
)
def test_more_specific_on_real_codes(starter: CodeSuggester, code: str, among: str | None) -> None:
    found = [c.code for c in starter.tables["icd10cm"][code].more_specific]
    assert (among in found) if among else found == []
    assert code not in found and len(set(found)) == len(found)


def test_a_code_tells_its_neighbours(starter: CodeSuggester) -> None:
    code = starter.tables["icd10cm"]["E11.22"]
    assert code.parent is not None and code.parent.code == "E11.2"
    assert [c.code for c in code.siblings] == ["E11.21", "E11.29"] and code.children == ()
    assert any("N18" in n.text for n in code.use_additional) and not code.code_first
    assert any("gestational" in n.text for n in code.excludes1)
    assert {n.kind for n in code.includes} == {"includes"} and code.code_also == ()
    assert any(note.kind == "code_first" for note in starter.tables["icd10cm"]["J18.9"].code_first)


@pytest.mark.parametrize(("typed", "code"), [("flu a", "J10.1"), ("hepatitis a", "B15.9"), ("ibs d", "K58.0")])
def test_a_letter_at_the_end_is_no_article(starter: CodeSuggester, typed: str, code: str) -> None:
    assert code in [found.code for found in starter.search(typed, system="icd10cm")[:3]]
