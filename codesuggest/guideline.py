"""Checks that speak and never delete: what a payer or an auditor would ask about a set of codes.

The rules themselves live in `codesuggest.rules`, one module a family; what they say, how grave it is and on which
section it rests stands in `rules/rules.tsv`. To add a rule: write a generator that yields `Hit`s over a `Case`,
decorate it with `rule`, add its rows to the table and its examples to the tests.

Source: ICD-10-CM Official Guidelines for Coding and Reporting, FY2026; sections are checked against that text by a
test. That a code must be valid when the care is furnished is 45 CFR 162.1000(a). A conflict of sex and code is no
rule: CMS ended that edit on 2024-10-01.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

from codesuggest.codes import KEY, as_day, normalise
from codesuggest.codes.edits import Edits
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import OptionError
from codesuggest.records import ClaimLine, Finding, Places, Suggestion
from codesuggest.rules import evidence, payer, procedure, sequence, specific, tabular, together, validity
from codesuggest.rules.registry import (
    RULES_FILE,
    SETTINGS,
    SEVERITIES,
    Case,
    Encounter,
    Line,
    RuleText,
    findings,
    read_rules,
)
from codesuggest.rules.said import Said

__all__ = [
    "FAMILIES",
    "MAY_BE_ABSENT",
    "RULES_FILE",
    "SETTINGS",
    "SEVERITIES",
    "RuleText",
    "Said",
    "check",
    "check_codes",
    "read_rules",
]

#: The modules whose import registers the rules.
FAMILIES: tuple[ModuleType, ...] = (evidence, payer, procedure, sequence, specific, tabular, together, validity)
#: Systems of procedures and supplies that a claim may name without their being loaded: a finding says so.
MAY_BE_ABSENT = ("icd10pcs", "hcpcs", "cpt")


def check(
    suggestions: Sequence[Suggestion],
    systems: Mapping[str, CodeSystem],
    *,
    setting: str,
    service_date: str,
    document_type: str | None = None,
    age: int | None = None,
    sex: str | None = None,
    said: Said | None = None,
    edits: Edits | None = None,
) -> tuple[Finding, ...]:
    """What the rules say about the suggestions of one note; gravest first, then by rule and codes.

    `systems` maps a system's name to its tables; a suggestion of a system that is not in it is checked by what its
    evidence says only. `said`: the note's reading, for rules that ask what else it documents. Most rules speak about
    suggestions at or above the operating threshold. Their order is no claim order, so rules of sequence are silent.

    Raises OptionError for a setting other than inpatient or outpatient, and for a date that is none.
    12 suggested codes take about 1 ms; the first call, which reads the tables of rules, 30 ms.
    """
    encounter = _encounter(setting, service_date, document_type, age, sex)
    # of what is merely listed the rules look at witnesses of what the note documents, and at what rests on a bare result
    results = said is None or said.has_results
    heard = [
        s for s in suggestions if s.suggested or s.confidence >= tabular.DOCUMENTED or (results and s.places.bare())
    ]
    lines = [_suggested(s, systems.get(s.system)) for s in heard]
    return findings(Case(lines, encounter, ("note",), said, edits))


def check_codes(
    codes: Sequence[tuple[str, str] | ClaimLine],
    systems: Mapping[str, CodeSystem],
    *,
    setting: str,
    service_date: str,
    document_type: str | None = None,
    age: int | None = None,
    sex: str | None = None,
    ordered: bool = True,
    listed: Sequence[Suggestion] | None = None,
    said: Said | None = None,
    edits: Edits | None = None,
) -> tuple[Finding, ...]:
    """What the rules say about the codes of a claim, with or without dot; the first diagnosis is the principal one.

    codes: (system, code) pairs or `ClaimLine`s. ordered: whether their order is the claim's. listed: all that the
    library suggests for the claim's note, with which the rules about evidence run too: a claimed code takes the evidence
    of its suggestion. said: that note's reading. edits: payers' tables the user has loaded; a rule that needs a missing
    one reports `not_checked`.

    Raises OptionError for a system that is not loaded (except HCPCS, CPT and ICD-10-PCS, which are then reported as not
    checked), an unknown setting, and a date that is none. 12 codes take about 1 ms.
    """
    encounter = _encounter(setting, service_date, document_type, age, sex)
    of_note = {(s.system, s.code): s for s in listed or ()}
    lines = []
    for place, given in enumerate(codes, start=1):
        line = given if isinstance(given, ClaimLine) else ClaimLine(*given)
        lines.append(_claimed(line, place, systems, of_note))
    claimed = {(line.system, line.code) for line in lines}
    rest = [_suggested(s, systems.get(s.system), chosen=False) for key, s in of_note.items() if key not in claimed]
    scopes = ["claim", *(["order"] if ordered else []), *(["note"] if listed is not None else [])]
    return findings(Case([*lines, *rest], encounter, scopes, said, edits))


def _suggested(s: Suggestion, table: CodeSystem | None, *, chosen: bool | None = None) -> Line:
    system, code, suggested = s.system, s.code, s.suggested if chosen is None else chosen
    # what is only listed is asked for its words, seldom for its place in the tables
    index = table.find(code) if table is not None and suggested else -1
    title = "" if s.display == code else s.display
    key = normalise(system, code)
    return Line(
        system, code, key, title, suggested, s.places, table, index, None, (), None, s.confidence, s.undocumented
    )


def _claimed(
    given: ClaimLine, place: int, systems: Mapping[str, CodeSystem], of_note: Mapping[tuple[str, str], Suggestion]
) -> Line:
    table = systems.get(given.system)
    if table is None and given.system not in MAY_BE_ABSENT:
        raise OptionError(
            f"the system {given.system!r} is not loaded; loaded are {', '.join(sorted(systems)) or 'none'}"
        )
    key = normalise(given.system, given.code)
    known = table.get(given.code) if table is not None else None
    # what is no code may be anything, a pasted note included: it is named by its place
    code = known.code if known is not None else given.code.strip().upper() if KEY.fullmatch(key) else f"entry {place}"
    title, index = (known.title, known.index) if known is not None else ("", -1)
    suggestion = of_note.get((given.system, code))
    places = suggestion.places if suggestion is not None else Places(())
    modifiers = tuple(m.strip().upper() for m in given.modifiers)
    return Line(given.system, code, key, title, True, places, table, index, given.units, modifiers, given.poa)


def _encounter(
    setting: str, service_date: str, document_type: str | None, age: int | None, sex: str | None
) -> Encounter:
    if setting not in SETTINGS:
        raise OptionError(f"setting is {setting!r}, not one of {', '.join(SETTINGS)}")
    return Encounter(setting, as_day(service_date), document_type, age, sex)
