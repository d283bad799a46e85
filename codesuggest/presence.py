"""Present on admission: the indicator a record decides for a diagnosis, with the words that decide it, or none.

What is stated about a condition goes before what its place in the record suggests; a statement speaks of the condition
nearest to it in its sentence. Where the record is silent nothing is proposed: U is for the coder to choose, after a
query (Appendix I, FY2026). The cues stand in `pipes/en/presence.tsv`, the rules and their authority in `presence.tsv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codesuggest.chart import Chart
from codesuggest.pipes.lexicon import ENGLISH, read_lexicon
from codesuggest.records import DocumentEvidence, EncounterCode, Place, Proposal

PRESENCE_FILE = Path(__file__).parent / "presence.tsv"
_COLUMNS = ("rule", "indicator", "codes", "heading", "fiscal_year", "sentence", "source")
INDICATORS = ("Y", "N", "U", "W", "exempt")
_STATED = ("stated_no", "stated_undetermined", "stated_unknown", "stated_yes")
_TOGETHER = ("onset", "inpatient_time")  #: say something only in one sentence
_CHRONIC = re.compile(r"\bchronic\b", re.I)
_ACUTE = re.compile(r"\bacute\b|\bexacerbation\b", re.I)
#: Sections that tell what the patient came with, and what was known before.
_AT_ADMISSION = frozenset(("admission_diagnosis", "chief_complaint", "hpi"))
_BEFORE = frozenset(("pmh", "psh", "problem_list", "obgyn_history"))
_FAR = 10_000
_BLANK = r"[\s:=(#–-]{1,3}"


@dataclass(frozen=True, slots=True)
class PresenceRule:
    """One row of `presence.tsv`; `codes` are prefixes without dot."""

    rule: str
    indicator: str
    codes: tuple[str, ...]
    sentence: str
    authority: str
    heading: str


@lru_cache(maxsize=4)
def read_presence(path: Path = PRESENCE_FILE) -> dict[str, PresenceRule]:
    """The rules by name, in order. Raises LexiconError for an unknown indicator."""
    out = {}
    for row in read_lexicon(path, _COLUMNS, optional=("codes",), unique=("rule",)):
        authority = f"{row['source']} Appendix I, FY{row['fiscal_year']}"
        codes = tuple(c.replace(".", "") for c in row.items("codes"))
        rule = PresenceRule(
            row["rule"], row.choice("indicator", INDICATORS), codes, row["sentence"], authority, row["heading"]
        )
        out[rule.rule] = rule
    return out


@lru_cache(maxsize=4)
def read_cues(folder: Path = ENGLISH) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """One expression with a group for every cue, the longest first, and the rule of each group."""
    rows = read_lexicon(folder / "presence.tsv", ("cue", "rule", "source"), unique=("cue",))
    allowed = (*read_presence(), *_TOGETHER)
    cues = sorted(((row["cue"], row.choice("rule", allowed)) for row in rows), key=lambda c: (-len(c[0]), c[0]))
    alternatives = "|".join(f"({_pattern(cue)})" for cue, _ in cues)
    # one look behind for all: most places of a text are inside a word
    return re.compile(rf"(?<![\w-])(?:{alternatives})(?![\w-])", re.I), tuple(rule for _, rule in cues)


def _pattern(cue: str) -> str:
    """A cue as an expression: # is a number from 2, ... up to twelve words; a colon or a dash is as good as a blank."""
    out, words = "", cue.split()
    for word in words:
        if word == "...":
            out += r"(?:\S+\s+){0,12}?"
        else:
            out += re.escape(word).replace(r"\#", r"(?:[2-9]|[1-9]\d)") + _BLANK
    return out.removesuffix(_BLANK)


def presence(code: EncounterCode, chart: Chart, *, exempt: frozenset[str] | None = None) -> tuple[Proposal, ...]:
    """The indicator proposed for a diagnosis of an inpatient, or nothing where the record decides nothing.

    exempt: codes without dot that take no indicator; None when the list is not loaded.
    """
    key = code.code.replace(".", "")
    if exempt is not None and key in exempt:
        return (_said("exempt", code, []),)
    found: dict[str, list[Place]] = {}
    for e in code.evidence:
        for rule, place in _of(e, chart):
            found.setdefault(rule, []).append(place)
    if "stated_yes" in found and "stated_no" in found:
        return (_said("conflict", code, [*found["stated_yes"], *found["stated_no"]]),)
    for rule in (*_STATED, "onset_in_hospital", "outpatient_before", "at_admission", "diagnosed_before"):
        if rule in found:
            return (_said(rule, code, found[rule]),)
    chronic = read_presence()["chronic"]
    if not _ACUTE.search(code.display) and (_CHRONIC.search(code.display) or key.startswith(chronic.codes)):
        return (_said("chronic", code, []),)
    return ()


def _said(rule: str, code: EncounterCode, places: list[Place]) -> Proposal:
    row = read_presence()[rule]
    kept = tuple(dict.fromkeys(places))[:4]
    return Proposal("poa", row.indicator, row.sentence.format(code=code.code), row.authority, kept)


def _of(e: DocumentEvidence, chart: Chart) -> Iterator[tuple[str, Place]]:
    """What the record says about one piece of evidence: (rule, where)."""
    stated = _nearest(e, chart)
    if stated is not None:
        yield stated
        return
    page, section = chart[e.document], e.evidence.section
    if e.evidence.assertion not in ("affirmed", "uncertain"):
        return
    if page.document_type == "ed_note" or section == "ed_course":
        yield "outpatient_before", e.place
    elif section in _AT_ADMISSION:
        yield "at_admission", e.place
    elif section in _BEFORE:
        yield "diagnosed_before", e.place


def _nearest(e: DocumentEvidence, chart: Chart) -> tuple[str, Place] | None:
    """The cue of the sentence that is nearest to the evidence, if no semicolon stands between."""
    start, end = chart.sentence(e)
    text = chart[e.document].text
    pattern, rules = read_cues()
    hits = [(rules[m.lastindex - 1], m.start(), m.end()) for m in pattern.finditer(text, start, end) if m.lastindex]
    times = [hit for hit in hits if hit[0] == "inpatient_time"]
    best: tuple[int, str, Place] | None = None
    for rule, a, b in hits:
        if rule in _TOGETHER:
            if rule == "inpatient_time" or not times:
                continue
            rule = "onset_in_hospital"
        low, high = min(b, e.evidence.end), max(a, e.evidence.start)
        gap = max(0, a - e.evidence.end, e.evidence.start - b)
        between = text[low:high] if gap else ""
        distance = _FAR if ";" in between else gap
        if distance < _FAR and (best is None or distance < best[0]):
            best = distance, rule, Place(e.document, a, b)
    return None if best is None else best[1:]
