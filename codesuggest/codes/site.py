"""Codes that a site's documents write although the loaded table does not bill them.

Documents outlive releases and keep habits: a code that became a header (R51), one that is gone, an injury without its
seventh character (S72.001, S61.0X). What a model learns of such a code it can only suggest as the documents write it, so
the table is given the code, with release "site:<name>" on every suggestion of it (invariant 3). It stays as billable or not
as it was: the checks go on saying what is wrong with it on a claim.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from codesuggest.codes import KEY, CodeRow, normalise
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError


def with_site_codes(system: CodeSystem, codes: Iterable[str], name: str) -> CodeSystem:
    """The system, in which these codes can be suggested with release "site:<name>" whenever the table does not bill them.

    codes: as documents write them; those the release bills are passed over, and so is what is no code at all (a blank
    inside, over 32 characters). A code the table lacks is added below the longest code it begins with; placeholders alone
    ("X58.XXX") change no meaning, so then it has the title of that code, else none. A system that gains nothing is
    returned as it is. Adding codes to ICD-10-CM takes about 4 s, marking headers 1 ms.
    """
    billed = system.billable_on()
    wanted: set[str] = set()
    for code in codes:
        key = normalise(system.name, code)
        if KEY.fullmatch(key) and not (code in system and billed[system.index_of(code)]):
            wanted.add(key)
    if not wanted:
        return system
    missing = [_row(system, key) for key in sorted(wanted) if key not in system]
    if missing:
        system = CodeSystem.from_rows(
            [*system.rows(), *missing],
            name=system.name,
            release=system.release,
            groups=system.groups(),
            source=system.source,
            releases=system.releases if "since_day" in system.arrays() else (),
        )
    site = np.array(sorted(system.index_of(key) for key in wanted), "<i4")
    arrays = {**system.arrays(), "site_code": site, "site_release": np.array([f"site:{name}".encode()])}
    return CodeSystem.from_arrays(arrays, name=system.name, release=system.release, source=system.source)


def _row(system: CodeSystem, key: str) -> CodeRow:
    up = next((code for size in range(len(key) - 1, 1, -1) if (code := system.get(key[:size])) is not None), None)
    if up is None:
        return CodeRow(key, "", billable=False, parent="")
    rest = key[len(normalise(system.name, up.code)) :]
    title = up.title if not rest.strip("X") and system.name.startswith("icd") else ""
    return CodeRow(key, title, billable=False, parent=up.code, group=int(system.group[up.index]))


def of_codes(codes: Iterable[str], *, system: str, name: str) -> CodeSystem:
    """A system of which there is no table, only what a site's documents write: codes without title, release "site:<name>".

    Raises CodeFileError if none of them is a code.
    """
    nothing = CodeSystem.from_rows((), name=system, release=f"site:{name}")
    found = with_site_codes(nothing, codes, name)
    if found is nothing:
        raise CodeFileError(f"none of the codes that documents have in {system} is one")
    return found
