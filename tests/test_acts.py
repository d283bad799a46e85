"""Steps of operations: what they count for, names and steps of the list in a surgeon's words, and notes without the name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pcs_system import SYSTEM, documents

from codesuggest import acts, axes
from codesuggest.features import COLUMN
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.pipes.phrases import WordReader
from codesuggest.procedures import Wording, read_procedures, spellings
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

TABLE = Path(__file__).parent / "tables" / "operations.tsv"
OPERATIONS = [(row["words"], row["stem"]) for row in read_lexicon(TABLE, ("words", "stem", "source"))]


@pytest.fixture(scope="module")
def surgeon() -> CodeSuggester:
    return train(documents("billing"), systems=[SYSTEM], min_groups=1, name="surgeon")


@pytest.fixture(scope="module")
def by_form() -> tuple[WordReader, list[tuple[frozenset[str], Wording]]]:
    words = WordReader()
    return words, [
        (frozenset(words.forms_of(text)), w)
        for w in read_procedures()
        if w.kind != "operation"
        for text in spellings(w.phrase, words.forms_of)
    ]


@pytest.mark.parametrize(("words", "stem"), OPERATIONS)
def test_a_surgeons_words_hold_a_wording_of_the_operation(
    by_form: tuple[WordReader, list[tuple[frozenset[str], Wording]]], words: str, stem: str
) -> None:
    """Slow reference of the index: some name or step whose words are all said means it, usually."""
    reader, wordings = by_form
    said = frozenset(reader.forms_of(words))
    usual = {
        "".join(f"[{allowed}]" for allowed in codes[:4])
        for forms, wording in wordings
        if forms and forms <= said
        for place, codes in wording.meanings()
        if place == 0 or wording.kind == "act"
    }
    assert any(re.match(begin, stem) for begin in usual)


def test_what_is_coded_together_shares_a_place() -> None:
    by_phrase = {w.phrase: w for w in read_procedures() if w.kind == "procedure"}
    both = by_phrase["tah bso"].meanings()
    first = {"".join(codes)[:4] for place, codes in both if place == 0}
    assert first == {"0UT9", "0UT2", "0UT7"}, "uterus, ovaries and tubes are all coded"
    assert {place for place, _ in by_phrase["billroth i"].meanings()} == {0, 1}, "one or the other"


def _reference(rows: list[tuple[int, int, int, int, int]], n: int) -> dict[str, list[float]]:
    own = [0.0] * n
    for r in range(n):
        for segment in {s for row, _, s, _, _ in rows if row == r}:
            own[r] += max(
                1 / len({other for other, _, s2, f2, l2 in rows if (s2, f2, l2) == (s, f, last)})
                for row, _, s, f, last in rows
                if row == r and s == segment
            )
    steps = [len({term for row, term, *_ in rows if row == r}) for r in range(n)]
    return {
        "act:steps": [float(np.log1p(s) / 2) for s in steps],
        "act:own": [float(np.log1p(o)) for o in own],
        "act:share": [o / max(1e-9, max(own, default=0)) for o in own],
    }


@given(st.lists(st.tuples(*(st.integers(0, 4) for _ in range(5))), max_size=30))
def test_steps_are_counted_as_the_slow_reference_counts_them(rows: list[tuple[int, int, int, int, int]]) -> None:
    row, term, segment, first, last = (np.array([r[i] for r in rows], np.int64) for i in range(5))
    found = acts.columns(row, term, segment, first, last, 5)
    assert set(found) == set(acts.COLUMNS)
    for name, expected in _reference(rows, 5).items():
        assert np.allclose(found[name], expected, atol=1e-6), name


def column(surgeon: CodeSuggester, note: str, stem: str, name: str) -> float:
    engine = surgeon.engines["icd10pcs"]
    _, table = engine.candidates(
        surgeon.reader.read(note, "operative_report"),
        engine.system.billable_on("2026-05-01"),
        inpatient=True,
        top=30,
        floor=0.45,
    )
    rows = [i for i, c in enumerate(table.code) if SYSTEM.code(int(c)).startswith(stem)]
    return max((float(table.x[i, COLUMN[name]]) for i in rows), default=-1)


def test_an_operation_told_without_its_name_is_a_candidate(surgeon: CodeSuggester) -> None:
    told = "OPERATIVE NOTE\nFINDINGS: Inflamed.\nDETAILS: The mesoappendix was divided. There was an appendiceal stump."
    assert column(surgeon, told, "0DTJ", "act:own") > 0
    assert column(surgeon, told, "0FT4", "act:own") <= 0
    assert column(surgeon, told.replace("was an app", "was no app"), "0DTJ", "act:own") < column(
        surgeon, told, "0DTJ", "act:own"
    ), "a step that was not done says nothing"


def test_what_goes_with_an_operation_is_its_component(surgeon: CodeSuggester) -> None:
    note = (
        "OPERATION: Laparoscopic cholecystectomy.\nFINDINGS: Stones. Bile. Sludge.\nDETAILS: A 12 lead EKG was running."
    )
    assert column(surgeon, note, "4A02", "operation:component") == 1
    assert column(surgeon, note, "0FT4", "operation:component") == 0
    assert column(surgeon, "OPERATION: 12 lead EKG.", "4A02", "operation:component_named") == 1


def test_a_reading_without_names_keeps_what_was_told(surgeon: CodeSuggester) -> None:
    note = (
        "OPERATIVE REPORT\nPatient: seen today.\nSurgeon: present.\nPROCEDURE: Laparoscopic appendectomy.\n"
        "DESCRIPTION OF PROCEDURE: The mesoappendix was divided with the stapler.\n"
    )
    reading = surgeon.reader.read(note, "operative_report")
    told = axes.told_only(reading)
    kept = {reading.section[s] for s in told.segment_of_word[told.segment_of_word >= 0].tolist()}
    assert "procedure" not in kept and "procedure_description" in kept
    assert (told.known <= reading.known).all() and told.known.sum() < reading.known.sum()
