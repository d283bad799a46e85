"""The HCPCS starter table: its shape, its agreement with the CMS release, and that it is in our own words."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT

from codesuggest.codes import packages
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError, LexiconError
from codesuggest.pipes.lexicon import Row, read_lexicon

TABLE = ROOT / "corpora" / "codes" / "hcpcs.tsv"
COLUMNS = ("code", "title", "kind", "unit", "terms", "source")
#: Words of our drug titles that tell apart what the official text says in other words.
_OURS = {
    "injection", "infusion", "form", "unit", "dose", "with", "short", "acting", "together", "muscle",
    "intravenous", "oral", "solution",
    "concentrated", "biosimilar",
    "bag", "extended", "release", "weekly", "monthly", "prevention", "listed", "hydrochloride", "coagulant", "ring", "inhalation",
    "small", "over", "unclassified", "hospital", "outpatient", "without", "code", "nebulizer", "depot", "implant", "topical",
}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    return read_lexicon(TABLE, COLUMNS, optional=("unit", "terms"), unique=("code",))


@pytest.fixture(scope="module")
def system() -> CodeSystem:
    return packages.hcpcs(TABLE)


@pytest.fixture(scope="module")
def official(DATA: Path) -> dict[str, str]:
    with (DATA / "official/hcpcs/HCPC2025_OCT_hcpc_short_briggsprashar.csv").open(encoding="utf-8-sig") as handle:
        return {row["Code"].strip(): row["Description"].strip() for row in csv.DictReader(handle)}


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z0-9.]+", text.lower())


def test_enough_of_every_kind(rows: tuple[Row, ...]) -> None:
    assert len(rows) >= 600
    kinds = Counter(row["kind"] for row in rows)
    assert set(kinds) == set(packages.HCPCS_KINDS) and min(kinds.values()) >= 5
    assert [row["code"] for row in rows] == sorted(row["code"] for row in rows)


def test_no_dental_and_no_cpt_code(rows: tuple[Row, ...]) -> None:
    assert [row["code"] for row in rows if not re.fullmatch(r"[A-CE-Z][0-9]{4}", row["code"])] == []


def test_terms_are_lower_case_and_name_one_code(rows: tuple[Row, ...]) -> None:
    terms = [(term, row["code"]) for row in rows for term in row["terms"].split("|") if term]
    assert [t for t, _ in terms if t != t.strip() or t != t.lower()] == []
    assert [t for t, n in Counter(t for t, _ in terms).items() if n > 1] == []
    assert len(terms) > 2000


def test_it_makes_a_code_system(system: CodeSystem, rows: tuple[Row, ...]) -> None:
    assert (system.name, system.release, len(system)) == ("hcpcs", "2025-10-01", len(rows))
    code = system["j0696"]
    assert code.billable and code.valid_on("2026-03-01") and not code.valid_on("2025-09-30")
    assert code.block == ("drug", "Drugs given") and ("idiom", "rocephin") in code.terms
    assert packages.hcpcs(TABLE).sha256 == system.sha256


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("99213\tOffice visit\tservice\t\t\town", "99213"),
        ("D0120\tDental exam\tservice\t\t\town", "D0120"),
        ("J0696\tCeftriaxone (injection, 250 mg)\tdrug\t500 mg\t\town", "unit"),
        ("J0696\tCeftriaxone (injection, 250 mg)\tmedicine\t250 mg\t\town", "medicine"),
        ("J0696\tCeftriaxone\tdrug\t250 mg\t\town\nJ0696\tCeftriaxone\tdrug\t\t\town", "J0696"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, row: str, told: str) -> None:
    file = tmp_path / "hcpcs.tsv"
    file.write_text("\t".join(COLUMNS) + "\n" + row + "\n", encoding="utf-8")
    with pytest.raises((CodeFileError, LexiconError), match=told):
        packages.hcpcs(file)


# ---- beside the CMS release of October 2025


def test_every_code_is_in_the_release(rows: tuple[Row, ...], official: dict[str, str]) -> None:
    assert [row["code"] for row in rows if row["code"] not in official] == []


def test_every_drug_is_the_official_one(rows: tuple[Row, ...], official: dict[str, str]) -> None:
    wrong = []
    for row in rows:
        if row["kind"] != "drug":
            continue
        title = re.sub(r"\([^)]*\)", " ", row["title"].lower())
        words = [w for w in re.findall(r"[a-z]{5,}", title) if w not in _OURS]
        text = official[row["code"]].lower().replace("bupivicaine", "bupivacaine")  # a slip of the release
        wrong += [(row["code"], w) for w in words if w[:6] not in text]
    assert wrong == []


def test_other_titles_share_their_subject_with_the_official_ones(
    rows: tuple[Row, ...], official: dict[str, str]
) -> None:
    """A lay title need not share a word; most do, and few rows shared none when each was read against the release."""
    others = [row for row in rows if row["kind"] != "drug"]
    apart = []
    for row in others:
        stems = {w[:4] for w in re.findall(r"[a-z]{4,}", f"{row['title']} {row['terms']}".lower())}
        if not any(stem in official[row["code"]].lower() for stem in stems):
            apart.append(row["code"])
    assert len(apart) <= 0.02 * len(others), apart


def test_titles_are_our_own(rows: tuple[Row, ...], official: dict[str, str]) -> None:
    """None is the official text, and no run of seven words is taken over."""
    same, runs = [], []
    for row in rows:
        own, theirs = plain(row["title"]), plain(official[row["code"]])
        if own == theirs:
            same.append(row["code"])
        seven = {tuple(theirs[i : i + 7]) for i in range(len(theirs) - 6)}
        if any(tuple(own[i : i + 7]) in seven for i in range(len(own) - 6)):
            runs.append(row["code"])
    assert same == [] and runs == []
