"""Checks that speak and never delete: what a payer or an auditor would ask about a set of codes.

A rule is a function that finds cases; what it says, how grave it is and on which section it rests stand in `rules.tsv`,
so that a coder can read and correct them without reading Python. To add a rule: write a generator that yields `Hit`s,
decorate it with `rule`, add its rows to the table and its examples to the tests.

Source: ICD-10-CM Official Guidelines for Coding and Reporting, FY2026; sections are checked against that text by a
test. That a code must be valid when the care is furnished is 45 CFR 162.1000(a). A conflict of sex and code is no
rule: CMS ended that edit on 2024-10-01.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from codesuggest.codes import KEY, as_day, normalise
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import OptionError
from codesuggest.pipes.lexicon import LexiconError, read_lexicon
from codesuggest.records import Evidence, Finding, Suggestion

__all__ = ["RULES_FILE", "SETTINGS", "SEVERITIES", "RuleText", "check", "check_codes", "read_rules"]

RULES_FILE = Path(__file__).parent / "rules.tsv"
SEVERITIES = ("error", "warning", "info")  #: gravest first, the order of findings
SETTINGS = ("inpatient", "outpatient")
_COLUMNS = ("rule", "case", "severity", "setting", "codes", "except", "section", "fiscal_year", "sentence", "source")
_OPTIONAL = ("case", "setting", "codes", "except", "fiscal_year")

#: Titles that name a doubt themselves ("contact with and (suspected) exposure"): uncertain words are their evidence.
_DOUBT = re.compile(r"\b(?:suspected|ruled out)\b", re.IGNORECASE)
#: Titles that name a past event themselves ("old myocardial infarction", "in remission", "..., sequela").
_PAST = re.compile(r"\b(?:history|sequelae?|old|healed|previous|(?<!achieved )remission)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Encounter:
    """What the caller says about the stay or visit. `day` is YYYYMMDD; what nobody said is None."""

    setting: str
    day: int
    document_type: str | None
    age: int | None  #: years
    sex: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One code under check, suggested by the library or (then without evidence) chosen by a person."""

    system: str
    code: str  #: as written in records
    title: str  #: empty where the sources have none
    suggested: bool
    evidence: tuple[Evidence, ...]
    table: CodeSystem | None  #: None when that system is not loaded
    index: int  #: in `table`, -1 for a code it does not have

    @property
    def name(self) -> str:
        return f"{self.code} ({self.title})" if self.title else self.code

    @property
    def diagnosis(self) -> bool:
        """Whether the ICD-10-CM guidelines speak about this code at all."""
        return self.system.startswith("icd10cm")


class Hit(NamedTuple):
    """A case found: which sentence of the table, the codes it is about (the first chooses the row), what to fill in."""

    case: str
    lines: tuple[Line, ...]
    fields: Mapping[str, str]


Rule = Callable[[Sequence[Line], Encounter], Iterator[Hit]]


class _Entry(NamedTuple):
    run: Rule
    fields: frozenset[str]
    suggestions: bool
    claims: bool


_RULES: dict[str, _Entry] = {}


def rule(name: str, *fields: str, suggestions: bool = False, claims: bool = False) -> Callable[[Rule], Rule]:
    """Registers a rule; `fields` are what its sentences may fill in, besides `name` and `other` (the codes)."""

    def register(run: Rule) -> Rule:
        if name in _RULES:
            raise ValueError(f"the rule {name} is registered twice")
        _RULES[name] = _Entry(run, frozenset((*fields, "name", "other")), suggestions, claims)
        return run

    return register


# ---- the public face


def check(
    suggestions: Sequence[Suggestion],
    systems: Mapping[str, CodeSystem],
    *,
    setting: str,
    service_date: str,
    document_type: str | None = None,
    age: int | None = None,
    sex: str | None = None,
) -> tuple[Finding, ...]:
    """What the rules say about the suggestions of one note; gravest first, then by rule and codes.

    `systems` maps a system's name to its tables; a suggestion of a system that is not in it is checked by what its
    evidence says only. Most rules speak about suggestions at or above the operating threshold; `result_only` about all.

    Raises OptionError for a setting other than inpatient or outpatient, and for a date that is none.
    12 suggested codes take about 0.5 ms; the first call, which reads the table of rules, 20 ms.
    """
    encounter = _encounter(setting, service_date, document_type, age, sex)
    lines = []
    for s in suggestions:
        table = systems.get(s.system)
        code = table.get(s.code) if table is not None else None
        title = "" if s.display == s.code else s.display
        index = -1 if code is None else code.index
        lines.append(Line(s.system, s.code, title, s.suggested, s.evidence, table, index))
    return _findings(lines, encounter, [(name, entry.run) for name, entry in _RULES.items() if entry.suggestions])


def check_codes(
    codes: Sequence[tuple[str, str]],
    systems: Mapping[str, CodeSystem],
    *,
    setting: str,
    service_date: str,
    document_type: str | None = None,
    age: int | None = None,
    sex: str | None = None,
) -> tuple[Finding, ...]:
    """What the rules say about codes that a person chose: (system, code) pairs, with or without dot, in claim order.

    Raises OptionError for a system that is not loaded, an unknown setting, and a date that is none.
    """
    encounter = _encounter(setting, service_date, document_type, age, sex)
    lines = []
    for place, (system, given) in enumerate(codes, start=1):
        if (table := systems.get(system)) is None:
            raise OptionError(f"the system {system!r} is not loaded; loaded are {', '.join(sorted(systems)) or 'none'}")
        if (known := table.get(given)) is not None:
            lines.append(Line(system, known.code, known.title, True, (), table, known.index))
        else:
            # what is no code may be anything, a pasted note included: it is named by its place
            key = normalise(system, given)
            shown = given.strip().upper() if KEY.fullmatch(key) else f"entry {place}"
            lines.append(Line(system, shown, "", True, (), table, -1))
    return _findings(lines, encounter, [(name, entry.run) for name, entry in _RULES.items() if entry.claims])


# ---- rules over suggestions and claims


@rule("excludes1", "notes", suggestions=True, claims=True)
def _excludes1(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    """One hit a pair, with the first note of each direction."""
    for table, members in _by_table(lines):
        if not table.name.startswith("icd10cm"):
            continue
        pairs: dict[tuple[str, str], dict[str, str]] = {}
        for conflict in table.excludes1_between(members):
            first, second = sorted((conflict.code, conflict.other))
            quoted = f'"{conflict.note}" at {_place(table, conflict.at)}'
            pairs.setdefault((first, second), {}).setdefault(conflict.code, quoted)
        for pair, notes in pairs.items():
            yield Hit("", tuple(members[code] for code in pair), {"notes": " and ".join(notes.values())})


@rule("laterality_unspecified", "siblings", suggestions=True, claims=True)
def _laterality_unspecified(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    for table, members in _by_table(lines):
        for line in members.values():
            if line.diagnosis and "unspecified" in line.title.lower():
                sided = (table.view(i) for i in table.unspecified_siblings(line.index))
                usable = [code.code for code in sided if code.billable and code.valid_on(encounter.day)]
                if usable:
                    yield Hit("", (line,), {"siblings": _any_of(usable)})


# ---- rules over suggestions: what the evidence says


@rule("uncertain", suggestions=True)
def _uncertain(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    for line in lines:
        if line.suggested and _all_evidence(line, "uncertain") and not _DOUBT.search(line.title):
            yield Hit("", (line,), {})


@rule("historical", suggestions=True)
def _historical(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    for line in lines:
        if line.suggested and _all_evidence(line, "historical") and not _PAST.search(line.title):
            yield Hit("", (line,), {})


@rule("result_only", suggestions=True)
def _result_only(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    for line in lines:
        if line.diagnosis and line.evidence and all(e.basis == "result" for e in line.evidence):
            yield Hit("", (line,), {})


# ---- rules over claims: what the tables say


@rule("duplicate", "times", claims=True)
def _duplicate(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    """Diagnosis codes only: a procedure or a supply may well be reported twice."""
    first: dict[tuple[str, str], Line] = {}
    for line in lines:
        if line.diagnosis and line.index >= 0:
            first.setdefault((line.system, line.code), line)
    times = Counter((line.system, line.code) for line in lines)
    for key, line in first.items():
        if times[key] > 1:
            yield Hit("", (line,), {"times": str(times[key])})


@rule("not_billable", "examples", "release", claims=True)
def _not_billable(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    for line in _unique(lines):
        table = line.table
        if table is None or (line.index >= 0 and not _is_header(line, encounter.day)):
            continue
        case, examples = _why_not_billable(line, table, encounter.day)
        yield Hit(case, (line,), {"release": f"{table.name} {table.release}", "examples": _any_of(examples, most=3)})


def _is_header(line: Line, day: int) -> bool:
    """Whether a code of its table is a header on the day; one that was billable before, or will be, can be one too."""
    assert line.table is not None
    return not line.table.billable[line.index] or line.table.state_on(line.index, day) == "header"


def _why_not_billable(line: Line, table: CodeSystem, day: int) -> tuple[str, list[str]]:
    """The case of `not_billable`, and codes that would do."""
    if line.index < 0:
        key = normalise(table.name, line.code)
        padded = table.get(f"{key[:-1]:X<6}{key[-1:]}") if line.diagnosis and 4 <= len(key) < 7 else None
        return ("placeholder", [padded.code]) if padded else ("unknown", [])
    below = [table.view(int(i)) for i in table.children_of(line.index)]
    usable = [code.code for code in below if not code.billable or code.valid_on(day)]
    if not line.diagnosis or not usable:
        return "other", []
    # the 7th character hangs below the code it completes, and nothing else stands in the 7th place
    seventh = all(len(normalise(table.name, code)) == 7 for code in usable)
    return ("seventh" if seventh else "header"), usable


@rule("not_valid_on_date", "validity", claims=True)
def _not_valid_on_date(lines: Sequence[Line], encounter: Encounter) -> Iterator[Hit]:
    for line in _unique(lines):
        if line.table is None or line.index < 0 or _is_header(line, encounter.day):
            continue
        code = line.table.view(line.index)
        if not code.valid_on(encounter.day):
            # the code's own dates, not the patient's
            ends = [f"from {_date(code.valid_from)}"] if code.valid_from else []
            ends += [f"until {_date(code.valid_to)}"] if code.valid_to else []
            yield Hit("", (line,), {"validity": " ".join(ends)})


# ---- small questions the rules share


def _by_table(lines: Sequence[Line]) -> list[tuple[CodeSystem, dict[str, Line]]]:
    """The suggested lines that a loaded table knows, by table, each code once, in the order given."""
    grouped: dict[str, tuple[CodeSystem, dict[str, Line]]] = {}
    for line in lines:
        if line.suggested and line.table is not None and line.index >= 0:
            grouped.setdefault(line.system, (line.table, {}))[1].setdefault(line.table.code(line.index), line)
    return list(grouped.values())


def _unique(lines: Sequence[Line]) -> list[Line]:
    return list({(line.system, line.code): line for line in lines}.values())


def _all_evidence(line: Line, assertion: str) -> bool:
    return line.diagnosis and bool(line.evidence) and all(e.assertion == assertion for e in line.evidence)


def _place(table: CodeSystem, at: str) -> str:
    """Where a note stands, in words: a code, "chapter 4" or "block E08-E13"."""
    return at if at in table else f"chapter {at}" if at.isdigit() else f"block {at}"


def _any_of(codes: Sequence[str], most: int = 8) -> str:
    shown = list(codes[:most])
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


def _date(day: int) -> str:
    return f"{day // 10000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"


def _encounter(
    setting: str, service_date: str, document_type: str | None, age: int | None, sex: str | None
) -> Encounter:
    if setting not in SETTINGS:
        raise OptionError(f"setting is {setting!r}, not one of {', '.join(SETTINGS)}")
    return Encounter(setting, as_day(service_date), document_type, age, sex)


# ---- the table of sentences


@dataclass(frozen=True, slots=True)
class RuleText:
    """One row of `rules.tsv`: what a rule says in one case, how grave it is, and on which authority."""

    rule: str
    case: str
    severity: str
    setting: str  #: empty: any
    codes: tuple[str, ...]  #: prefixes without dot that the row is for; empty: all
    exceptions: tuple[str, ...]  #: prefixes without dot that it is not for
    section: str
    fiscal_year: str  #: of the guidelines; empty for a law
    sentence: str
    source: str

    def fits(self, setting: str, code: str) -> bool:
        key = code.upper().replace(".", "")
        if self.setting and self.setting != setting:
            return False
        return (not self.codes or key.startswith(self.codes)) and not key.startswith(self.exceptions)

    @property
    def authority(self) -> str:
        """As it stands in a finding: "ICD-10-CM Official Guidelines I.B.13, FY2026"."""
        return f"{self.source} {self.section}" + (f", FY{self.fiscal_year}" if self.fiscal_year else "")


def read_rules(path: Path = RULES_FILE) -> tuple[RuleText, ...]:
    """The table of sentences, checked.

    Raises LexiconError for an unknown rule, severity or setting, a field the rule does not fill, and a rule without a
    row.
    """
    out = []
    for row in read_lexicon(path, _COLUMNS, optional=_OPTIONAL, unique=("rule", "case", "setting", "codes")):
        name = row.choice("rule", _RULES)
        severity = row.choice("severity", SEVERITIES)
        setting = row.choice("setting", ("", *SETTINGS))
        try:
            fields = {field for _, field, _, _ in string.Formatter().parse(row["sentence"]) if field is not None}
        except ValueError as error:
            raise row.error(f"column 'sentence': {error}") from None
        if unknown := sorted(fields - _RULES[name].fields):
            raise row.error(f"column 'sentence': the rule {name} fills in no {', '.join(unknown)}")
        codes, exceptions = (tuple(c.replace(".", "") for c in row.items(column)) for column in ("codes", "except"))
        text = RuleText(name, row["case"], severity, setting, codes, exceptions, row["section"], row["fiscal_year"],
                        row["sentence"], row["source"])  # fmt: skip
        out.append(text)
    if missing := sorted(set(_RULES) - {text.rule for text in out}):
        raise LexiconError(f"{path.name}: no row for {', '.join(missing)}")
    return tuple(out)


@lru_cache(maxsize=1)
def _texts() -> Mapping[tuple[str, str], tuple[RuleText, ...]]:
    """The shipped table by rule and case, rows in file order."""
    grouped: dict[tuple[str, str], tuple[RuleText, ...]] = {}
    for text in read_rules():
        key = (text.rule, text.case)
        grouped[key] = (*grouped.get(key, ()), text)
    return grouped


def _findings(lines: Sequence[Line], encounter: Encounter, rules: Sequence[tuple[str, Rule]]) -> tuple[Finding, ...]:
    texts = _texts()
    out = []
    for name, run in rules:
        for hit in run(lines, encounter):
            rows = texts[name, hit.case]
            text = next((row for row in rows if row.fits(encounter.setting, hit.lines[0].code)), None)
            if text is None:
                continue
            names = {"name": hit.lines[0].name, "other": hit.lines[-1].name}
            spans = sorted({(e.start, e.end) for line in hit.lines for e in line.evidence})
            codes = tuple(line.code for line in hit.lines)
            message = text.sentence.format(**names, **hit.fields)
            out.append(Finding(name, text.severity, message, codes, text.authority, tuple(spans)))
    return tuple(sorted(out, key=lambda f: (SEVERITIES.index(f.severity), f.rule, f.codes, f.message)))
