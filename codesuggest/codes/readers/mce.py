"""Medicare Code Editor: the diagnosis lists that an inpatient claim is checked against.

Read from the JSON form of the lists (`description`, `source`, `age_categories`, and in `codes` one list a check of
`{"code", "description"}`, codes without dot, with `counts` to hold them against). CMS itself publishes the lists as a
text document, "Definitions of Medicare Code Edits", whose layout was not at hand: it is not read.

Ages in years, both inclusive: newborn 0, pediatric 0-17, maternity 9-64, adult 15-124. Sex conflicts were deactivated
by CMS for all codes on 2024-10-01 and are no list here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesuggest.codes.readers import read_bytes
from codesuggest.codes.readers.sheets import decode
from codesuggest.errors import CodeFileError

_CODE = re.compile(r"[A-Z][0-9A-Z]{2,6}")
#: Name of a list in the file -> attribute here. A file must hold the first six.
_LISTS = {
    "manifestation_not_pdx": "manifestation",
    "unacceptable_pdx": "unacceptable_principal",
    "age_newborn": "newborn",
    "age_pediatric": "pediatric",
    "age_maternity": "maternity",
    "age_adult": "adult",
    "unacceptable_pdx_unless_secondary": "unacceptable_unless_secondary",
    "questionable_admission": "questionable_admission",
    "unspecified": "unspecified",
}
_NEEDED = tuple(_LISTS)[:6]
_AGES = {"newborn": (0, 0), "pediatric": (0, 17), "maternity": (9, 64), "adult": (15, 124)}


@dataclass(frozen=True, slots=True)
class Mce:
    """Diagnosis codes, without dot, by the check they fail. A list the file does not have is None, not empty."""

    manifestation: frozenset[str]  #: never principal: the underlying disease goes before
    unacceptable_principal: frozenset[str]
    newborn: frozenset[str]  #: of patients aged 0
    pediatric: frozenset[str]
    maternity: frozenset[str]
    adult: frozenset[str]
    unacceptable_unless_secondary: frozenset[str] | None = None  #: principal only with a secondary diagnosis beside it
    questionable_admission: frozenset[str] | None = None  #: as principal no reason to be admitted
    unspecified: frozenset[str] | None = None
    release: str = ""

    def age_conflict(self, code: str, age: int) -> tuple[str, int, int] | None:
        """(class, least, greatest age in years) of the first class `code` belongs to that `age` is outside of."""
        key = code.strip().upper().replace(".", "")
        for name, (low, high) in _AGES.items():
            if key in getattr(self, name) and not low <= age <= high:
                return name, low, high
        return None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The lists as arrays of codes, ascending; a list that is None is left out."""
        lists = {name: getattr(self, name) for name in _LISTS.values()}
        return {name: np.array(sorted(codes), "S7") for name, codes in lists.items() if codes is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, release: str = "") -> Mce:
        """What gave these `arrays`. Raises CodeFileError where a list is missing or holds what is no code."""
        lists: dict[str, frozenset[str]] = {}
        for name in _LISTS.values():
            if name in arrays:
                if arrays[name].dtype.kind != "S" or arrays[name].ndim != 1:
                    raise CodeFileError(f"MCE list {name} is no array of codes; add the file again")
                lists[name] = frozenset(code.decode("ascii", "replace") for code in arrays[name].tolist())
        missing = [_LISTS[name] for name in _NEEDED if _LISTS[name] not in lists]
        if missing or not all(_CODE.fullmatch(code) for codes in lists.values() for code in codes):
            raise CodeFileError("MCE lists are missing or hold what is no code; add the file again")
        return cls(**lists, release=release)


def read_mce(path: str | Path, *, release: str | None = None) -> Mce:
    """The lists of an MCE file in JSON. `release` defaults to the stem of the file's name.

    Raises CodeFileError: no such JSON, a list missing, unknown or not as long as `counts` says, what is no code, a code
    twice in a list, other ages than those the checks are written for.
    """
    path = Path(path)
    try:
        content = json.loads(decode(read_bytes(path, member=r"(?i)mce.*\.json$"), path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, CodeFileError):
            raise
        raise CodeFileError("is no JSON of MCE lists", path=path) from error
    given = content.get("codes") if isinstance(content, dict) else None
    if not isinstance(given, dict) or not all(isinstance(rows, list) for rows in given.values()):
        raise CodeFileError('has no lists of codes under "codes"', path=path)
    if missing := [name for name in _NEEDED if name not in given]:
        raise CodeFileError(f"has no list {', '.join(missing)}", path=path)
    if unknown := sorted(set(given) - set(_LISTS)):
        raise CodeFileError(f"has an unknown list {unknown[0][:40]!r}", path=path)
    _check_ages(content.get("age_categories"), path)
    counts = content.get("counts")
    lists = {}
    for name, rows in given.items():
        codes = [_code_of(row, name, path) for row in rows]
        if len(set(codes)) != len(codes):
            raise CodeFileError(f"the list {name} names a code twice", path=path)
        if isinstance(counts, dict) and counts.get(name) != len(codes):
            raise CodeFileError(f"the list {name} holds {len(codes)} codes, not as many as it says", path=path)
        lists[_LISTS[name]] = frozenset(codes)
    return Mce(**lists, release=release or path.stem)


def _code_of(row: Any, name: str, path: Path) -> str:
    code = row.get("code") if isinstance(row, dict) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise CodeFileError(f"the list {name} holds what is no code", path=path)
    return code


def _check_ages(given: Any, path: Path) -> None:
    if given is None:
        return
    ages = given if isinstance(given, dict) else {}
    for name, (low, high) in _AGES.items():
        span = ages.get(name)
        if not isinstance(span, dict) or (span.get("min_age"), span.get("max_age")) != (low, high):
            raise CodeFileError(
                f"the ages of {name} are not {low} to {high}, which the checks are written for", path=path
            )
