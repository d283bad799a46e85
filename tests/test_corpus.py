"""The invented notes: whole, consistent, billable, varied; and how well our reading agrees with their assertions."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
from collections import Counter
from typing import Any

import pytest
from accuracy.context import read_as
from conftest import NOTES, ROOT

from codesuggest.asked import CHARGE_LINE
from codesuggest.coded import read_coded
from codesuggest.codes import packages
from codesuggest.codes.system import CodeSystem
from codesuggest.guideline import SETTINGS
from codesuggest.pipes.structure import DOCUMENT_TYPES
from codesuggest.records import ASSERTIONS
from codesuggest.suggester import CodeSuggester
from codesuggest.units import billing_unit, units_of

NAMES = sorted(p.stem for p in NOTES.glob("*.json"))
KEYS = {
    "split",
    "id", "document_type", "setting", "service_date", "age", "sex", "hand", "group", "systems", "codes", "assertions",
    "expected_query",
}  # fmt: skip
#: Share of the gold assertions that our reading must agree with: a floor under what was measured (see the test).
FLOOR = 0.89  # measured 2817 of 3121
#: By label, on 546 notes.
FLOORS = {
    "negated": 0.96,
    "family": 0.92,
    "uncertain": 0.84,
    "hypothetical": 0.74,
    "historical": 0.81,
    "other_person": 0.6,
}
#: Share of the document types recognised. Raise all of these when the reading gets better.
TYPES_FLOOR = 0.93


@functools.cache
def text_of(name: str) -> str:
    return (NOTES / f"{name}.txt").read_bytes().decode("utf-8")


@functools.cache
def gold(name: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((NOTES / f"{name}.json").read_bytes())
    return row


def test_every_note_has_its_gold_and_back() -> None:
    assert sorted(p.stem for p in NOTES.glob("*.txt")) == NAMES
    assert {p.suffix for p in NOTES.iterdir() if p.is_file()} <= {".txt", ".json", ".md", ".tsv"}


def test_there_are_enough_of_every_kind() -> None:
    assert len(NAMES) >= 24
    kinds = Counter(gold(n)["document_type"] for n in NAMES)
    assert set(kinds) == set(DOCUMENT_TYPES) - {CHARGE_LINE} and min(kinds.values()) >= 4
    assert len({gold(n)["hand"] for n in NAMES}) >= 6
    for kind in kinds:
        assert len({gold(n)["hand"] for n in NAMES if gold(n)["document_type"] == kind}) >= 3, kind


def test_the_hands_look_different() -> None:
    texts = [text_of(n) for n in NAMES]
    assert any(t.upper() == t for t in texts), "capitals"
    assert sum("\n- " in t or "\n* " in t or "\n• " in t for t in texts) >= 4, "bullets"
    assert sum("\n1. " in t or "\n1) " in t for t in texts) >= 4, "numbered lists"
    assert sum("\t" in t for t in texts) >= 2, "tabs"
    assert any(max(map(len, t.split("\n"))) > 600 for t in texts), "dictated without line ends"
    assert min(map(len, texts)) < 600 and max(map(len, texts)) > 2500
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", NAMES)
def test_gold_is_well_formed(name: str) -> None:
    row, text = gold(name), text_of(name)
    assert set(row) == KEYS and row["id"] == name and text.strip()
    assert row["split"] in ("train", "evaluation")
    assert row["document_type"] in DOCUMENT_TYPES and row["setting"] in SETTINGS
    assert dt.date.fromisoformat(row["service_date"]).isoformat() == row["service_date"]
    assert isinstance(row["age"], int) and 0 <= row["age"] <= 120 and row["sex"] in ("female", "male")
    codes = [(c["system"], c["code"]) for c in row["codes"]]
    assert len(set(codes)) == len(codes) and {s for s, _ in codes} <= set(row["systems"])
    for c in row["codes"]:
        assert set(c) - {"units"} == {"system", "code", "tier", "alt_for", "evidence"}
        assert "units" not in c or (c["system"] == "hcpcs" and isinstance(c["units"], int) and c["units"] >= 1)
        assert c["tier"] in ("required", "acceptable")
        assert set(c["alt_for"]) <= {o["code"] for o in row["codes"] if o["tier"] == "required"} - {c["code"]}
        assert c["tier"] == "acceptable" or not c["alt_for"]
    for a in row["assertions"]:
        assert set(a) == {"start", "end", "assertion"} and a["assertion"] in ASSERTIONS
    assert row["expected_query"] is None or (
        isinstance(row["expected_query"], str) and row["document_type"] != "visit_note"
    )


@pytest.mark.parametrize("name", NAMES)
def test_offsets_lie_on_words(name: str) -> None:
    row, text = gold(name), text_of(name)
    spans = [tuple(e) for c in row["codes"] for e in c["evidence"]]
    spans += [(a["start"], a["end"]) for a in row["assertions"]]
    for start, end in spans:
        assert 0 <= start < end <= len(text)
        assert not text[start].isspace() and not text[end - 1].isspace(), text[start:end]
        before, after = text[start - 1 : start], text[end : end + 1]
        assert not (before.isalnum() and text[start].isalnum()), f"cuts a word: {text[start - 4 : end]}"
        assert not (after.isalnum() and text[end - 1].isalnum()), f"cuts a word: {text[start : end + 4]}"
    assert all(c["evidence"] for c in row["codes"] if c["tier"] == "required"), "a required code rests on words"
    own = [(a["start"], a["end"]) for a in row["assertions"]]
    assert len(set(own)) == len(own)


@functools.cache
def hcpcs() -> CodeSystem:
    return packages.hcpcs(ROOT / "corpora" / "codes" / "hcpcs.tsv")


@pytest.mark.parametrize("name", NAMES)
def test_codes_are_billable_on_the_day(starter: CodeSuggester, name: str) -> None:
    row, tables = gold(name), {**starter.tables, "hcpcs": hcpcs()}
    for c in row["codes"]:
        code = tables[c["system"]].get(c["code"])
        assert code is not None and code.code == c["code"], c["code"]
        assert code.billable and code.valid_on(row["service_date"]), c["code"]


@pytest.mark.parametrize("name", [n for n in NAMES if any("units" in c for c in gold(n)["codes"])])
def test_units_are_what_the_documented_dose_comes_to(name: str) -> None:
    """Counted from the words of the evidence, where these state a dose in the unit of the code."""
    text = text_of(name)
    for c in gold(name)["codes"]:
        unit = billing_unit(hcpcs()[c["code"]].title) if "units" in c else None
        if unit is None or len(c["evidence"]) > 1:
            continue
        start, end = c["evidence"][0]
        found = units_of(text, unit, start, end)
        assert found is None or found.value == c["units"], (c["code"], text[start:end], found)


@pytest.mark.parametrize("name", NAMES)
def test_required_codes_do_not_exclude_each_other(starter: CodeSuggester, name: str) -> None:
    required = [c["code"] for c in gold(name)["codes"] if c["tier"] == "required" and c["system"] == "icd10cm"]
    conflicts = starter.tables["icd10cm"].excludes1_between(required)
    assert [(c.code, c.other, c.at, c.note) for c in conflicts] == []


def test_the_corpus_reads_as_coded_documents() -> None:
    documents = read_coded(NOTES)
    assert [d.id for d in documents] == NAMES
    assert [d.text for d in documents] == [text_of(n) for n in NAMES]
    assert {d.policy for d in documents} == {"billing"}
    assert sum(len(d.required("icd10cm")) for d in documents) > 150


def test_no_real_person() -> None:
    """Invented notes name nobody: no number that looks like a record, a phone or a social security number."""
    import re

    pattern = re.compile(
        r"\b\d{3}-\d{2}-\d{4}\b|\b(?:MRN|SSN)\W{0,3}\d{6,}|\(\d{3}\) ?\d{3}-\d{4}|@[a-z]+\.(?:com|org)", re.I
    )
    assert [(n, m.group()) for n in NAMES for m in [pattern.search(text_of(n))] if m] == []


# ---- our reading beside the gold


def read_assertion(suggester: CodeSuggester, name: str) -> list[tuple[str, str, str]]:
    """(gold, read, words) of each gold assertion: what the phrases on it are read as, else most of its words."""
    text = text_of(name)
    reading = suggester.reader.read(text, gold(name)["document_type"])
    return [
        (a["assertion"], read_as(reading, a["start"], a["end"]), text[a["start"] : a["end"]])
        for a in gold(name)["assertions"]
    ]


def test_our_reading_agrees_with_the_gold(starter: CodeSuggester) -> None:
    """The floor stands at FLOOR; misses are printed with -s, for whoever works on the cues."""
    rows = [(name, *row) for name in NAMES for row in read_assertion(starter, name)]
    right = Counter(want for _, want, got, _ in rows if want == got)
    every = Counter(want for _, want, _, _ in rows)
    for name, want, got, words in rows:
        if want != got:
            print(f"{name}: {words!r} is {want}, read as {got}")
    print({k: f"{right[k]}/{n}" for k, n in every.items()}, f"{sum(right.values())}/{len(rows)}")
    assert sum(right.values()) >= FLOOR * len(rows)
    for label, floor in FLOORS.items():
        assert right[label] >= floor * every[label], label


def test_the_document_type_is_recognised(starter: CodeSuggester) -> None:
    wrong = [(n, gold(n)["document_type"], t) for n in NAMES for t in [starter.reader.read(text_of(n)).document_type]
             if t != gold(n)["document_type"]]  # fmt: skip
    assert len(wrong) <= (1 - TYPES_FLOOR) * len(NAMES), wrong


def test_the_evaluation_notes_are_frozen() -> None:
    """Who changes one of them says so in the changelog: figures before and after are of different sets."""
    digest = hashlib.sha256()
    for name in NAMES:
        if gold(name)["split"] == "evaluation":
            for part in (
                f"{name}.json".encode(),
                (NOTES / f"{name}.json").read_bytes(),
                (NOTES / f"{name}.txt").read_bytes(),
            ):
                digest.update(part + b"\0")
    assert digest.hexdigest() == "46632bf2231a314eb2ce722a1d6374b9880ae809dfd87cb2231bea113ddabde5"


def test_no_model_is_trained_on_the_evaluation_notes() -> None:
    groups = {
        split: {gold(n)["group"] for n in NAMES if gold(n)["split"] == split} for split in ("train", "evaluation")
    }
    assert not groups["train"] & groups["evaluation"]
    assert {d.split for d in read_coded(NOTES)} == {"train", "evaluation"}
