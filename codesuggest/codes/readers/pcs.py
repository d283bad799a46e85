"""ICD-10-PCS: the CMS order file, and titles with validity as the build packages hold them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from codesuggest.codes import CodeRow, GroupRow
from codesuggest.codes.readers import read_order_lines
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

#: Seven characters without I and O; the order file also holds the three that head a table.
SHAPE = re.compile(r"[0-9A-HJ-NP-Z]{3}|[0-9A-HJ-NP-Z]{7}")

#: The first character of a code. Names as in the ICD-10-PCS reference manual (public domain, CMS).
SECTIONS = {
    "0": "Medical and Surgical",
    "1": "Obstetrics",
    "2": "Placement",
    "3": "Administration",
    "4": "Measurement and Monitoring",
    "5": "Extracorporeal or Systemic Assistance and Performance",
    "6": "Extracorporeal or Systemic Therapies",
    "7": "Osteopathic",
    "8": "Other Procedures",
    "9": "Chiropractic",
    "B": "Imaging",
    "C": "Nuclear Medicine",
    "D": "Radiation Therapy",
    "F": "Physical Rehabilitation and Diagnostic Audiology",
    "G": "Mental Health",
    "H": "Substance Abuse Treatment",
    "X": "New Technology",
}
_GROUPS = [GroupRow(character, title) for character, title in SECTIONS.items()]
_GROUP_OF = {character: i for i, character in enumerate(SECTIONS)}


def read_order_file(path: str | Path, *, release: str | None = None) -> CodeSystem:
    """Codes and table headers of the ICD-10-PCS order file, or of the zip CMS publishes it in.

    `release` defaults to the stem of the file's name.
    """
    rows = []
    seen: set[str] = set()
    for item in read_order_lines(path, shape=SHAPE):
        if item.code in seen:
            raise CodeFileError(f"code {item.code} is given twice", path=path, line=item.line)
        seen.add(item.code)
        terms = () if item.short == item.long else (("short", item.short),)
        parent = item.code[:3] if len(item.code) == 7 and item.code[:3] in seen else ""
        rows.append(
            CodeRow(item.code, item.long, item.billable, parent, terms=terms, group=_GROUP_OF.get(item.code[0], -1))
        )
    return CodeSystem.from_rows(rows, name="icd10pcs", release=release or Path(path).stem, groups=_GROUPS)


def from_titles_and_validity(
    titles: Mapping[str, str], validity: Mapping[str, tuple[int, int]], *, release: str
) -> CodeSystem:
    """A system of the codes in `validity` (code -> first and last day, YYYYMMDD, 0 = open), titled where a title is.

    A code without a title is valid all the same: it can be checked and billed, only not found by its words.
    """
    rows = [
        CodeRow(code, titles.get(code, ""), True, "", first, last, group=_GROUP_OF.get(code[0], -1))
        for code, (first, last) in validity.items()
    ]
    return CodeSystem.from_rows(rows, name="icd10pcs", release=release, groups=_GROUPS)
