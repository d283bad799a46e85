"""Claims in: tables of codes that people chose, a row a code, one claim or several in a file.

    read_claims("codes.csv", tables)  ->  Claim(id, lines, options, problems), ...

Columns, named in the header in any order: `code`; and where wanted `claim` (or `encounter`, `id`: rows with the same one
are a claim, in file order; without it the file is one), `system`, `units`, `modifiers` (divided by blanks), `poa`, and
`setting`, `service_date`, `document_type`, `age`, `sex`, of which the first row of a claim that gives one decides.
Parquet and JSON lines with these keys are read too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codesuggest.codes.system import CodeSystem
from codesuggest.documents import OPTION_KEYS, options_of
from codesuggest.errors import CodeSuggestError, InputError
from codesuggest.inputs import Row, Wanted, read_rows
from codesuggest.records import ClaimLine

_CLAIM_KEYS = ("claim", "encounter", "id")
_LINE_KEYS = ("system", "units", "modifiers", "poa")
_OPTIONS = tuple(key for key in OPTION_KEYS if key != "systems")
SYSTEMS = ("icd10cm", "icd10pcs", "hcpcs", "cpt")
#: How codes of systems look that may not be loaded. Five digits are CPT's, a letter and four are HCPCS's.
_CPT, _HCPCS = re.compile(r"\d{4}[0-9AFMTU]"), re.compile(r"[A-CEG-V]\d{4}")


@dataclass(slots=True)
class Claim:
    """The codes of one claim in file order. `problems`: rows that could not be read, each named by its line."""

    id: str
    lines: list[ClaimLine] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)  #: keyword arguments of `CodeSuggester.check_claim`
    problems: list[CodeSuggestError] = field(default_factory=list)


def read_claims(path: str | Path, tables: Mapping[str, CodeSystem], *, fallback: str | None = None) -> list[Claim]:
    """All claims of a file, in the order in which they first appear.

    tables: the loaded systems, by which a code without `system` is recognised (see `system_of`). fallback: an encoding
    for bytes that are no UTF-8. A row that cannot be read is a problem of its claim; what spoils the whole file raises
    BatchError (not there, unknown ending, no column "code") or MissingExtraError (Parquet without pyarrow).
    """
    wanted = Wanted("id", "code", (*_CLAIM_KEYS[:-1], *_LINE_KEYS, *_OPTIONS), "utf-8", fallback)
    claims: dict[str, Claim] = {}
    for row in read_rows([path], wanted):
        name = next((text for key in _CLAIM_KEYS if (text := _cell(row.values, key))), "")
        claim = claims.setdefault(name, Claim(name))
        try:
            line = _line(row, tables)
            given = {key: _cell(row.values, key) or None for key in _OPTIONS}
            options = options_of(given, row.where)
        except CodeSuggestError as problem:
            claim.problems.append(problem)
            continue
        claim.lines.append(line)
        claim.options = {**options, **claim.options}
    return list(claims.values())


def _line(row: Row, tables: Mapping[str, CodeSystem]) -> ClaimLine:
    if row.problem is not None:
        raise row.problem
    if row.values.get("code") is None:
        raise InputError(f'{row.where}: a file of claims is a table with the column "code"')
    code = _cell(row.values, "code")
    if not code or len(code) > 32:
        raise InputError(f"{row.where}: column 'code' is {'empty' if not code else 'too long for a code'}")
    system = _cell(row.values, "system").lower().replace("-", "").replace(" ", "")
    if system and system not in (*SYSTEMS, *tables):
        raise InputError(f"{row.where}: column 'system' is none of {', '.join(dict.fromkeys((*SYSTEMS, *tables)))}")
    units = _cell(row.values, "units")
    if units and not re.fullmatch(r"[1-9][0-9]{0,5}(?:\.0+)?", units):
        raise InputError(f"{row.where}: column 'units' is no whole number from 1 on")
    modifiers = (
        tuple(re.split(r"[\s|;]+", _cell(row.values, "modifiers").upper())) if _cell(row.values, "modifiers") else ()
    )
    if not all(re.fullmatch(r"[A-Z0-9]{2}", modifier) for modifier in modifiers):
        raise InputError(f"{row.where}: column 'modifiers' is not made of two characters each, divided by blanks")
    poa = _cell(row.values, "poa").upper() if row.values.get("poa") is not None else None
    if not system:
        system = "hcpcs" if (units or modifiers) and _HCPCS.fullmatch(code.upper()) else system_of(code, tables)
        if not system:
            raise InputError(f"{row.where}: the code may be of two systems; name it in a column 'system'")
    return ClaimLine(system, code, int(float(units)) if units else None, modifiers, poa)


def system_of(code: str, tables: Mapping[str, CodeSystem]) -> str:
    """The system of a code that does not say it: the loaded one that has it, else the one it looks like.

    Without its dot a code of ICD-10-CM may be one of HCPCS too (J1100 and J11.00): "" where both are loaded and have it;
    where HCPCS is not, it is taken for the diagnosis.
    """
    having = [name for name in dict.fromkeys((*SYSTEMS, *tables)) if name in tables and code in tables[name]]
    if having:
        return having[0] if len(having) == 1 else ""
    key = code.strip().upper()
    return next((name for name, shape in (("cpt", _CPT), ("hcpcs", _HCPCS)) if shape.fullmatch(key)), _icd(key))


def _icd(key: str) -> str:
    """ICD-10-PCS codes have seven characters and no dot, and few of them look like ICD-10-CM's."""
    procedure = len(key) == 7 and key.isalnum() and not re.fullmatch(r"[A-Z]\d[0-9A-Z]{4}[A-Z]", key)
    return "icd10pcs" if procedure else "icd10cm"


def _cell(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return "" if value is None else str(value).strip()
