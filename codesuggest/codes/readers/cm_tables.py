"""The companion tables of ICD-10-CM: neoplasms, drugs and chemicals, external causes, exemption from POA reporting.

Neoplasm Table and Table of Drugs have the layout of the Index (`cm_index`), with `cell[col]` for each column of the
printed table and the columns named in `indexHeading`. A cell holds a code as printed (the neoplasm table's can end in
"-", those of the drug table lack their seventh character), or "-" or "--" where there is none.

What the published counts count, April 2026:
- neoplasms 1,939: the terms below the one main term "Neoplasm, neoplastic", which is a row here too: 1,940 rows;
- drugs 7,430: 5,179 main terms (substances) and 2,251 terms below them; 7,204 have cells;
- external causes 8,090: 314 main terms and 7,776 terms; 6,671 have a code.

The POA-exempt list is a zip with a tab-separated text, `Order26 / POAexemptCode / Description`, of the 38,349 codes
that FY2026 exempts. Conversion Table and addenda are in `cm_changes`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesuggest.codes.readers import read_bytes
from codesuggest.codes.readers.cm import SHAPE
from codesuggest.codes.readers.cm_changes import read_addenda, read_conversion
from codesuggest.codes.readers.cm_index import PRINTED, IndexEntry, Row, read_index_xml, read_rows
from codesuggest.errors import CodeFileError

__all__ = [  # all companion files are read from here
    "read_addenda",
    "read_conversion",
    "read_drug_xml",
    "read_external_cause_xml",
    "read_neoplasm_xml",
    "read_poa_exempt",
]

#: Column of the printed table, from 1 -> (field of the record, how its head begins).
_NEOPLASM = {
    2: ("malignant_primary", "malignant primary"),
    3: ("malignant_secondary", "malignant secondary"),
    4: ("in_situ", "ca in situ"),
    5: ("benign", "benign"),
    6: ("uncertain", "uncertain"),
    7: ("unspecified", "unspecified"),
}
_DRUG = {
    2: ("poisoning_accidental", "poisoning accidental"),
    3: ("poisoning_self_harm", "poisoning intentional self-harm"),
    4: ("poisoning_assault", "poisoning assault"),
    5: ("poisoning_undetermined", "poisoning undetermined"),
    6: ("adverse_effect", "adverse effect"),
    7: ("underdosing", "underdosing"),
}
NEOPLASM_COLUMNS = tuple(name for name, _ in _NEOPLASM.values())
DRUG_COLUMNS = tuple(name for name, _ in _DRUG.values())
_NONE = frozenset(("-", "--", ""))
_ORDER_HEAD = re.compile(r"Order([0-9]{2})")


@dataclass(frozen=True, slots=True)
class NeoplasmRow:
    """A site of the Neoplasm Table. Codes as printed, "C79.8-" for one that needs more characters, "" for none.

    `path` and `nonessential` as in `IndexEntry`; the path begins with "Neoplasm, neoplastic". A row that only refers to
    another ("see") has no codes.
    """

    path: tuple[str, ...]
    line: int
    nonessential: str = ""
    see: str = ""
    see_also: str = ""
    malignant_primary: str = ""
    malignant_secondary: str = ""
    in_situ: str = ""
    benign: str = ""
    uncertain: str = ""
    unspecified: str = ""


@dataclass(frozen=True, slots=True)
class DrugRow:
    """A substance of the Table of Drugs and Chemicals. Codes as printed, without seventh character; "" for none.

    `path` and `nonessential` as in `IndexEntry`.
    """

    path: tuple[str, ...]
    line: int
    nonessential: str = ""
    see: str = ""
    see_also: str = ""
    poisoning_accidental: str = ""
    poisoning_self_harm: str = ""
    poisoning_assault: str = ""
    poisoning_undetermined: str = ""
    adverse_effect: str = ""
    underdosing: str = ""


@dataclass(frozen=True, slots=True)
class PoaExempt:
    """Codes that are not reported with a present-on-admission indicator, undotted, and the year they hold for."""

    release: str  #: "FY2026"
    codes: frozenset[str]


def read_neoplasm_xml(path: str | Path) -> tuple[NeoplasmRow, ...]:
    """The Neoplasm Table, in its order. Reads 0.6 MB in 0.1 s."""
    rows = _table(path, r"(?i)neoplasm.*\.xml$", _NEOPLASM, "neoplasm")
    return tuple(NeoplasmRow(**fields) for fields in rows)


def read_drug_xml(path: str | Path) -> tuple[DrugRow, ...]:
    """The Table of Drugs and Chemicals, in its order. Reads 2 MB in 0.3 s."""
    rows = _table(path, r"(?i)drug.*\.xml$", _DRUG, "substance")
    return tuple(DrugRow(**fields) for fields in rows)


def read_external_cause_xml(path: str | Path) -> tuple[IndexEntry, ...]:
    """The Index to External Causes, in its order; see `cm_index.read_index_xml`."""
    return read_index_xml(path, member=r"(?i)eindex.*\.xml$")


def read_poa_exempt(path: str | Path, *, release: str | None = None) -> PoaExempt:
    """The POA-exempt list, a text or the zip it is published in. `release` defaults to the year in the file's header."""
    # Titles are not kept, so it does not matter in which ASCII superset the file writes an accent.
    text = read_bytes(path, member=r"(?i)^POAexemptCodes.*\.txt$").decode("latin-1")
    if not text.endswith("\n"):
        raise CodeFileError("its last line has no end: the file is cut", path=path, line=text.count("\n") + 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    codes: set[str] = set()
    last = ""
    try:
        head = next(reader, [])
        year = _ORDER_HEAD.fullmatch(head[0]) if head[1:] == ["POAexemptCode", "Description"] else None
        if year is None:
            raise CodeFileError("the header is not OrderYY, POAexemptCode, Description", path=path, line=1)
        for values in reader:
            line = reader.line_num
            if len(values) != 3 or not re.fullmatch("[0-9]{5}", values[0]) or not SHAPE.fullmatch(values[1]):
                raise CodeFileError("is no line of order number, code and title", path=path, line=line)
            code = values[1].replace(".", "")
            if values[0] <= last or code in codes:
                raise CodeFileError(f"code {values[1]} is given twice or out of order", path=path, line=line)
            last = values[0]
            codes.add(code)
    except csv.Error as error:
        raise CodeFileError(f"is no table: {error}", path=path, line=reader.line_num) from error
    if not codes:
        raise CodeFileError("holds no code", path=path)
    return PoaExempt(release or f"FY20{year[1]}", frozenset(codes))


def _table(path: str | Path, member: str, columns: Mapping[int, tuple[str, str]], first: str) -> list[dict[str, Any]]:
    """The fields of each record, the heads of the columns checked."""
    found = read_rows(path, member=member)
    expected = {1: first, **{column: head for column, (_, head) in columns.items()}}
    heads = {column: head.lower() for column, head in found.heads.items()}
    if heads.keys() != expected.keys() or not all(heads[c].startswith(head) for c, head in expected.items()):
        message = (
            f"its columns are {', '.join(found.heads.values()) or 'not named'}, not {', '.join(expected.values())}"
        )
        raise CodeFileError(message, path=path)
    return [{**_place(row), **_cells(row, columns, path)} for row in found.rows]


def _cells(row: Row, columns: Mapping[int, tuple[str, str]], path: str | Path) -> dict[str, str]:
    if row.cells.keys() - columns.keys() or "code" in row.values:
        raise CodeFileError("a code outside of the named columns", path=path, line=row.line)
    codes = {columns[column][0]: "" if text in _NONE else text for column, text in row.cells.items()}
    for code in codes.values():
        if code and not PRINTED.fullmatch(code):
            raise CodeFileError(f"{code!r} is not the shape of a code", path=path, line=row.line)
    return codes


def _place(row: Row) -> dict[str, Any]:
    """What every record of a table begins with."""
    note = row.values.get("manif", "")  # the neoplasm table's one is a remark in brackets, no manifestation code
    return {
        "path": row.path,
        "line": row.line,
        "nonessential": f"{row.nonessential} [{note}]".strip() if note else row.nonessential,
        "see": row.values.get("see", ""),
        "see_also": row.values.get("seeAlso", ""),
    }
