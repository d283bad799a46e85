"""A few notes at once say what each says alone, to the bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest import sheet, together
from codesuggest.asked import Asked
from codesuggest.documents import Document
from codesuggest.errors import NotTextError, OptionError
from codesuggest.features import Table
from codesuggest.recorded import records
from codesuggest.retrieve import Hits
from codesuggest.suggester import CodeSuggester

NOTES = Path(__file__).parents[1] / "corpora" / "notes"
SHORT = [
    "",
    "Assessment: type 2 diabetes with neuropathy, hypertension.",
    "Heroin overdose, accidental. Family history: breast cancer in her mother. Left knee pain.",
    "Potassium 6.2 mmol/L (3.5-5.1). G2P1 at 32 weeks, no bleeding.",
    "PROCEDURE: laparoscopic cholecystectomy\nFINDINGS: gallstones",
    "Screening for hepatitis C. Household contact with tuberculosis. UPT negative.",
    "Denies chest pain.\nPlan: ketorolac 30 mg IM given in clinic.",
]


def whole_notes() -> list[str]:
    return [path.read_bytes().decode("utf-8") for path in sorted(NOTES.glob("*.txt"))[::9]]


def same(one: Hits | Table, other: Hits | Table) -> None:
    for f in fields(one):
        if f.name != "company":
            assert np.array_equal(getattr(one, f.name), getattr(other, f.name)), f.name
            assert getattr(one, f.name).dtype == getattr(other, f.name).dtype, f.name


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([*SHORT, *whole_notes()]), min_size=1, max_size=9), st.booleans())
def test_what_is_ranked_together_is_ranked_alone(starter: CodeSuggester, texts: list[str], inpatient: bool) -> None:
    asked = Asked.checked(
        starter.systems,
        starter.release_day,
        setting="inpatient" if inpatient else "outpatient",
        systems=starter.systems,
    )
    notes = [(starter.reader.read(text), asked) for text in texts]
    for alone, found in zip(notes, together.scored(notes, starter.engines, starter.config), strict=True):
        (expected,) = together.scored([alone], starter.engines, starter.config)
        assert found.keys() == expected.keys()
        for name, (hits, table) in found.items():
            same(hits, expected[name][0])
            same(table, expected[name][1])


def test_too_many_candidates_are_left_out_note_by_note(starter: CodeSuggester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MAX_CONCEPTS", 25)
    asked = Asked.checked(starter.systems, starter.release_day, systems=["icd10cm"])
    notes = [(starter.reader.read(text), asked) for text in (*SHORT[:3], *whole_notes()[:4])]
    for alone, found in zip(notes, together.scored(notes, starter.engines, starter.config), strict=True):
        (expected,) = together.scored([alone], starter.engines, starter.config)
        same(found["icd10cm"][1], expected["icd10cm"][1])
    assert len(set(found["icd10cm"][1].concept.tolist())) in range(25, 30)  # with those that others add up to


def test_many_results_are_each_its_own(starter: CodeSuggester) -> None:
    texts = [*whole_notes(), *SHORT]
    for options in ({}, {"systems": starter.systems, "setting": "inpatient"}):
        for text, result in zip(texts, starter.suggest_many(texts, **options), strict=True):
            assert result.to_json() == starter.suggest(text, **options).to_json()


def test_each_note_has_its_own_options_and_its_own_error(starter: CodeSuggester) -> None:
    given: list[dict[str, Any]] = [
        {"note": SHORT[1], "id": "a"},
        {"note": SHORT[1], "id": "b", "setting": "inpatient", "service_date": "2026-01-05"},
        {"note": 7},
        {"note": SHORT[2], "sex": "unknown"},
        {"note": SHORT[2], "systems": ["icd10cm"]},
    ]
    first, second, third, fourth, last = starter.suggest_together(given)
    assert first == starter.suggest(**given[0]) and second == starter.suggest(**given[1])
    assert isinstance(third, NotTextError) and isinstance(fourth, OptionError)
    assert last == starter.suggest(**given[4])
    assert starter.suggest_together([]) == []


def test_long_notes_are_not_kept_until_others_are_read(starter: CodeSuggester, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = together.scored

    def counted(notes: Sequence[Any], *rest: Any) -> Any:
        sizes.append(len(notes))
        return real(notes, *rest)

    monkeypatch.setattr(together, "scored", counted)
    long = "\n".join(f"{n}. Left knee pain." for n in range(2000))
    texts = [SHORT[1], long, SHORT[2], SHORT[3]]
    found = starter.suggest_together([{"note": text, "systems": ["icd10cm"]} for text in texts])
    assert sizes == [2, 2]
    assert [r.to_json() for r in found if not isinstance(r, Exception)] == [
        starter.suggest(text, systems=["icd10cm"]).to_json() for text in texts
    ]


def test_one_that_breaks_the_rest_is_alone_in_a_record(starter: CodeSuggester, monkeypatch: pytest.MonkeyPatch) -> None:
    real = CodeSuggester._result

    def result(self: CodeSuggester, text: str, *rest: Any) -> Any:
        if "gallstones" in text:
            raise ZeroDivisionError("gallstones")
        return real(self, text, *rest)

    monkeypatch.setattr(CodeSuggester, "_result", result)
    lines = records(starter, [Document(str(n), text) for n, text in enumerate(SHORT)], {})
    rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == [str(n) for n in range(len(SHORT))]
    assert [n for n, row in enumerate(rows) if row["error"]] == [4]
    assert rows[4]["error"]["code"] == "internal" and "gallstones" not in lines[4]
