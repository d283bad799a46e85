"""What a rule is, what it sees of a claim or a note, and how its finds become sentences.

A rule is a generator of `Hit`s over a `Case`; `rules.tsv` holds its sentences, severities and sections, so that a coder
can read and correct them without reading Python. A rule names where it runs:

* "note": over codes with evidence, the suggestions of a note or a claim that is checked against its note;
* "claim": over codes that a person chose;
* "order": over a claim whose order means something. Ranked suggestions have none.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from codesuggest.codes.edits import Edits
from codesuggest.codes.system import CodeSystem
from codesuggest.pipes.lexicon import LexiconError, read_lexicon
from codesuggest.records import Evidence, Finding, Places
from codesuggest.rules.said import Said

RULES_FILE = Path(__file__).parent / "rules.tsv"
SEVERITIES = ("error", "warning", "info")  #: gravest first, the order of findings
SETTINGS = ("inpatient", "outpatient")
SCOPES = ("note", "claim", "order")
_COLUMNS = ("rule", "case", "severity", "setting", "codes", "except", "section", "fiscal_year", "sentence", "source")
_OPTIONAL = ("case", "setting", "codes", "except", "fiscal_year")


@dataclass(frozen=True, slots=True)
class Encounter:
    """What the caller says about the stay or visit. `day` is YYYYMMDD; what nobody said is None."""

    setting: str
    day: int
    document_type: str | None = None
    age: int | None = None  #: years
    sex: str | None = None


class Line(NamedTuple):
    """One code under check, suggested by the library or chosen by a person (then perhaps without evidence).

    A named tuple, as a note has a hundred of them: it is made in a quarter of a dataclass's time.
    """

    system: str
    code: str  #: as written in records
    key: str  #: as it stands in tables: upper case, in ICD systems without dot
    title: str  #: empty where the sources have none
    suggested: bool  #: always so on a claim
    places: Places  #: its evidence
    table: CodeSystem | None  #: None when that system is not loaded
    index: int  # type: ignore[assignment]  #: in `table`, -1 for a code it does not have
    units: int | None = None
    modifiers: tuple[str, ...] = ()
    poa: str | None = None
    confidence: float = 1.0  #: probability in [0, 1]; 1 for what a person chose
    undocumented: tuple[str, ...] = ()  #: axes of a suggested ICD-10-PCS code that the note does not tell

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return self.places.records()

    @property
    def name(self) -> str:
        return f"{self.code} ({self.title})" if self.title else self.code

    @property
    def diagnosis(self) -> bool:
        """Whether the ICD-10-CM guidelines speak about this code at all."""
        return self.system.startswith("icd10cm")


class Case:
    """The lines under check with what is known of the encounter, sorted once for all rules."""

    def __init__(
        self,
        lines: Sequence[Line],
        encounter: Encounter,
        scopes: Collection[str],
        said: Said | None = None,
        edits: Edits | None = None,
    ) -> None:
        """lines: in claim order where `scopes` holds "order"."""
        self.lines, self.encounter, self.scopes = lines, encounter, scopes
        self.said, self.edits = said, edits or Edits()
        chosen: dict[tuple[str, str], Line] = {}
        for line in lines:
            if line.suggested:
                chosen.setdefault((line.system, line.code), line)
        self.chosen = tuple(chosen.values())  #: suggested or claimed, each code once, in the order given
        self.diagnoses = tuple(line for line in self.chosen if line.index >= 0 and line.diagnosis)  #: of ICD-10-CM
        self.by_category: dict[str, list[Line]] = {}  #: diagnoses by their first three characters
        for line in self.diagnoses:
            self.by_category.setdefault(line.key[:3], []).append(line)
        self.tables: list[tuple[CodeSystem, dict[str, Line]]] = _by_table(self.chosen)

    @property
    def first(self) -> Line | None:
        """The principal or first-listed diagnosis; None when nothing, or no code of the tables, stands there."""
        line = next((line for line in self.chosen if line.diagnosis), None)
        return line if line is not None and line.index >= 0 else None

    def starting(self, *prefixes: str) -> list[Line]:
        """The diagnoses whose code begins with one of these, in the order given. Prefixes without dot."""
        return [line for line in self.diagnoses if line.key.startswith(prefixes)]


def _by_table(chosen: Sequence[Line]) -> list[tuple[CodeSystem, dict[str, Line]]]:
    grouped: dict[str, tuple[CodeSystem, dict[str, Line]]] = {}
    for line in chosen:
        if line.table is not None and line.index >= 0:
            grouped.setdefault(line.system, (line.table, {}))[1][line.code] = line
    return list(grouped.values())


class Hit(NamedTuple):
    """A case found: which sentence of the table, the codes it is about (the first chooses the row), what to fill in."""

    case: str
    lines: tuple[Line, ...]
    fields: Mapping[str, str] = {}
    spans: tuple[tuple[int, int], ...] = ()  #: evidence beside that of the lines


Rule = Callable[[Case], Iterator[Hit]]


class _Entry(NamedTuple):
    run: Rule
    fields: frozenset[str]
    scopes: frozenset[str]


_RULES: dict[str, _Entry] = {}


def rule(name: str, *fields: str, on: Collection[str]) -> Callable[[Rule], Rule]:
    """Registers a rule; `fields` are what its sentences may fill in, besides `name` and `other` (the codes)."""

    def register(run: Rule) -> Rule:
        if name in _RULES:
            raise ValueError(f"the rule {name} is registered twice")
        _RULES[name] = _Entry(run, frozenset((*fields, "name", "other")), frozenset(on))
        return run

    return register


# ---- small questions the rules share


def any_of(codes: Sequence[str], most: int = 8) -> str:
    """ "A, B or C"; of more than `most` the first ones."""
    shown = list(codes[:most])
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


def dotted(key: str) -> str:
    """A prefix of ICD-10-CM as it is written: "E1122" is E11.22, "N18" is N18."""
    return f"{key[:3]}.{key[3:]}" if len(key) > 3 else key


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

    def fits(self, setting: str, key: str) -> bool:
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


def findings(case: Case) -> tuple[Finding, ...]:
    """What all rules of the case's scopes say; gravest first, then by rule, codes and message, each once."""
    texts = _texts()
    out: dict[Finding, None] = {}
    for name, entry in _RULES.items():
        if entry.scopes.isdisjoint(case.scopes):
            continue
        for hit in entry.run(case):
            setting, key = case.encounter.setting, hit.lines[0].key
            text = next((row for row in texts[name, hit.case] if row.fits(setting, key)), None)
            if text is None:
                continue
            names = {"name": hit.lines[0].name, "other": hit.lines[-1].name}
            spans = sorted({*hit.spans, *((e.start, e.end) for line in hit.lines for e in line.evidence)})
            message = text.sentence.format(**names, **hit.fields)
            codes = tuple(line.code for line in hit.lines)
            made = Finding(
                name, text.severity, message, codes, text.authority, tuple(spans), text.section, text.fiscal_year
            )
            out[made] = None
    return tuple(sorted(out, key=lambda f: (SEVERITIES.index(f.severity), f.rule, f.codes, f.message)))
