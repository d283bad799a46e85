"""The lists of the Medicare Code Editor: published counts, age classes, and files that lie."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes.readers.mce import Mce, read_mce
from codesuggest.errors import CodeFileError

LISTS = {
    "manifestation_not_pdx": ["Q101", "Q102"],
    "unacceptable_pdx": ["Q110"],
    "age_newborn": ["Q120"],
    "age_pediatric": ["Q130", "Q120"],
    "age_maternity": ["Q140"],
    "age_adult": ["Q150"],
}
AGES = {"newborn": (0, 0), "pediatric": (0, 17), "maternity": (9, 64), "adult": (15, 124)}
CONTENT: dict[str, Any] = {
    "description": "Invented lists",
    "age_categories": {name: {"min_age": low, "max_age": high} for name, (low, high) in AGES.items()},
    "codes": {name: [{"code": c, "description": f"Wobble {c}"} for c in codes] for name, codes in LISTS.items()},
    "counts": {name: len(codes) for name, codes in LISTS.items()},
}


@pytest.fixture
def put(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        path = tmp_path / "lists.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_published_counts(DATA: Path) -> None:
    mce = read_mce(DATA / "official" / "rules" / "mce_edits.json")
    assert {name: len(codes) for name, codes in mce.arrays().items()} == {
        "manifestation": 422,
        "unacceptable_principal": 2656,
        "newborn": 42,
        "pediatric": 125,
        "maternity": 2543,
        "adult": 856,
        "unacceptable_unless_secondary": 1,
    }
    assert mce.questionable_admission is None and mce.unspecified is None, "not in this form of the lists: not empty"


def test_lists_and_ages(put: Callable[[Any], Path]) -> None:
    mce = read_mce(put(CONTENT), release="FY2026")
    assert mce.manifestation == {"Q101", "Q102"} and mce.release == "FY2026"
    assert mce.unacceptable_unless_secondary is None
    assert mce.age_conflict("Q12.0", 1) == ("newborn", 0, 0), "the narrower of two classes"
    assert mce.age_conflict("q120", 0) is None
    assert mce.age_conflict("Q13.0", 17) is None and mce.age_conflict("Q13.0", 18) == ("pediatric", 0, 17)
    assert mce.age_conflict("Q14.0", 8) == ("maternity", 9, 64) and mce.age_conflict("Q14.0", 9) is None
    assert mce.age_conflict("Q15.0", 14) == ("adult", 15, 124) and mce.age_conflict("Q99", 3) is None


def test_arrays_come_back(put: Callable[[Any], Path]) -> None:
    mce = read_mce(put(CONTENT))
    assert Mce.from_arrays(mce.arrays(), release=mce.release) == mce
    arrays = mce.arrays()
    with pytest.raises(CodeFileError, match="adult"):
        Mce.from_arrays({k: v for k, v in arrays.items() if k != "adult"} | {"adult": np.zeros(1)})
    with pytest.raises(CodeFileError, match="missing"):
        Mce.from_arrays({k: v for k, v in arrays.items() if k != "adult"})
    with pytest.raises(CodeFileError, match="no code"):
        Mce.from_arrays({**arrays, "adult": np.array([b"?"])})


def changed(*path: str, to: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON"),
        (json.dumps(CONTENT).encode()[:-40], "no JSON"),
        (json.dumps(CONTENT).encode("utf-16"), "UTF-16"),
        (b"[" * 100_000, "no JSON"),
        ([], "no lists"),
        (changed("codes", to=[]), "no lists"),
        (changed("codes", "age_adult", to={}), "no lists"),
        (changed("codes", to={}), "no list manifestation_not_pdx"),
        (changed("codes", "sex_conflict", to=[]), "unknown list 'sex_conflict'"),
        (changed("codes", "age_adult", to=[{"code": "Q150"}, {"code": "Q150"}]), "names a code twice"),
        (changed("codes", "age_adult", to=[{"code": "Q150"}, {"code": "Q151"}]), "holds 2 codes"),
        (changed("codes", "age_adult", to=[{"code": "Adult wobble", "description": "Q150"}]), "no code"),
        (changed("codes", "age_adult", to=["Q150"]), "no code"),
        (changed("counts", "age_adult", to=2), "holds 1 codes"),
        (changed("age_categories", "adult", "min_age", to=18), "ages of adult"),
        (changed("age_categories", to=3), "ages of newborn"),
    ],
)
def test_bad_files(put: Callable[[Any], Path], content: Any, says: str) -> None:
    with pytest.raises(CodeFileError, match=says) as caught:
        read_mce(put(content))
    assert "lists.json" in str(caught.value)


@given(st.integers(0, len(json.dumps(CONTENT)) - 1), st.sampled_from('0"{}[],:x\\\x00'))
def test_any_damage_ends_in_a_named_error_or_lists(at: int, character: str) -> None:
    text = json.dumps(CONTENT)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lists.json"
        path.write_text(text[:at] + character + text[at + 1 :], encoding="utf-8")
        with suppress(CodeFileError):
            read_mce(path)
