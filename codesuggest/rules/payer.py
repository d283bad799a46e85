"""Rules that need a payer's table: present on admission, procedure pairs (NCCI PTP), unit limits (MUE).

None of these tables ships with the library. Where a claim needs one that the user has not added, one finding
`not_checked` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from codesuggest.rules.registry import Case, Hit, Line, rule

POA = ("Y", "N", "U", "W", "1", "")  #: "1" is how a 5010 claim once said exempt; empty: exempt or not used
#: Modifiers under which NCCI pays a pair whose indicator is 1 (NCCI Policy Manual, chapter I, E).
NCCI_MODIFIERS = frozenset(
    "E1 E2 E3 E4 FA F1 F2 F3 F4 F5 F6 F7 F8 F9 TA T1 T2 T3 T4 T5 T6 T7 T8 T9 LT RT LC LD RC LM RI 24 25 57 58 78 79 27 59 "
    "91 XE XS XP XU".split()
)


@rule("poa", "poa", on=["claim"])
def _poa(case: Case) -> Iterator[Hit]:
    """Only where somebody gave indicators: an inpatient claim under work need not have them yet."""
    if not _gives_poa(case) or case.encounter.setting != "inpatient":
        return
    for line in case.lines:
        if not line.diagnosis:
            continue
        poa = (line.poa or "").upper()
        if poa not in POA:
            yield Hit("invalid", (line,), {"poa": poa if len(poa) == 1 else "what is given"})
        elif case.edits.poa_exempt is not None and line.index >= 0:
            exempt = line.key in case.edits.poa_exempt
            if exempt and poa not in ("", "1"):
                yield Hit("exempt", (line,), {"poa": poa})
            elif not exempt and poa in ("", "1"):
                yield Hit("missing", (line,), {"poa": poa})


def _gives_poa(case: Case) -> bool:
    return any(line.poa for line in case.lines)


@rule("ptp", "modifiers", on=["claim"])
def _ptp(case: Case) -> Iterator[Hit]:
    if case.edits.ptp is None:
        return
    for one, two in combinations(_services(case), 2):
        edit = case.edits.ptp.edit(one.key, two.key, case.encounter.day)
        if edit is None:
            continue
        first, second = (one, two) if edit.column1 == one.key else (two, one)
        if edit.modifier == 0:
            yield Hit("never", (first, second), {"modifiers": ""})
        elif edit.modifier == 1 and not NCCI_MODIFIERS.intersection((*first.modifiers, *second.modifiers)):
            yield Hit("modifier", (first, second), {"modifiers": "59, XE, XS, XP or XU"})


@rule("mue", "units", "limit", on=["claim"])
def _mue(case: Case) -> Iterator[Hit]:
    """Indicator 1 judges each line, 2 and 3 all units of the day together."""
    if case.edits.mue is None:
        return
    days: dict[str, int] = {}
    for line in _services(case):
        days[line.key] = days.get(line.key, 0) + (line.units or 1)
    seen: set[str] = set()
    for line in _services(case):
        limit = case.edits.mue.limit(line.key)
        if limit is None:
            continue
        units = (line.units or 1) if limit.adjudication == 1 else days[line.key]
        if units > limit.units and line.key not in seen:
            seen.add(line.key)
            case_ = {1: "line", 2: "day_policy"}.get(limit.adjudication, "day")
            yield Hit(case_, (line,), {"units": str(units), "limit": str(limit.units)})


def _services(case: Case) -> list[Line]:
    """The HCPCS and CPT lines, repeated ones too."""
    return [line for line in case.lines if line.system in ("hcpcs", "cpt")]


@rule("not_checked", "what", on=["claim"])
def _not_checked(case: Case) -> Iterator[Hit]:
    edits, services = case.edits, _services(case)
    if edits.poa_exempt is None and _gives_poa(case) and case.encounter.setting == "inpatient":
        yield Hit("poa", (next(line for line in case.lines if line.poa),))
    if (
        edits.mce is None
        and case.encounter.setting == "inpatient"
        and case.first is not None
        and "order" in case.scopes
    ):
        yield Hit("mce", (case.first,))
    if edits.ptp is None and len({line.key for line in services}) > 1:
        yield Hit("ptp", (services[0],))
    if edits.mue is None and any((line.units or 1) > 1 for line in services):
        yield Hit("mue", (next(line for line in services if (line.units or 1) > 1),))
    for system in sorted({line.system for line in case.lines if line.table is None}):
        yield Hit("system", tuple(line for line in case.lines if line.system == system), {"what": system.upper()})
