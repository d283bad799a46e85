"""Rules about the words a code rests on: uncertain, past, a bare result, and a side that does not agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from codesuggest.rules.registry import Case, Hit, Line, rule

#: Titles that name a doubt themselves ("contact with and (suspected) exposure"): uncertain words are their evidence.
_DOUBT = re.compile(r"\b(?:suspected|ruled out)\b", re.IGNORECASE)
#: Titles that name a past event themselves ("old myocardial infarction", "in remission", "..., sequela").
_PAST = re.compile(r"\b(?:history|sequelae?|old|healed|previous|(?<!achieved )remission)\b", re.IGNORECASE)
_SIDES = ("right", "left")
#: Sections whose lines are diagnoses: there the sides should agree.
_DIAGNOSES = (
    "admission_diagnosis", "assessment", "diagnosis", "discharge_diagnosis", "impression", "postop_diagnosis", "preop_diagnosis",
    "procedure",
)  # fmt: skip


@rule("uncertain", on=["note"])
def _uncertain(case: Case) -> Iterator[Hit]:
    for line in case.chosen:
        if _all_evidence(line, "uncertain") and not _DOUBT.search(line.title):
            yield Hit("", (line,))


@rule("historical", on=["note"])
def _historical(case: Case) -> Iterator[Hit]:
    for line in case.chosen:
        if _all_evidence(line, "historical") and not _PAST.search(line.title):
            yield Hit("", (line,))


@rule("result_only", on=["note"])
def _result_only(case: Case) -> Iterator[Hit]:
    """About codes that are merely listed too: a bare result never suggests one."""
    for line in case.lines:
        if line.places.bare() and line.diagnosis and _result_alone(line):
            yield Hit("", (line,))


@rule("abnormal_finding", on=["claim"])
def _abnormal_finding(case: Case) -> Iterator[Hit]:
    """The rows say of which codes and in which setting; with a note, `result_only` knows better."""
    if "note" not in case.scopes:
        for line in case.diagnoses:
            yield Hit("", (line,))


@rule("laterality_conflict", "side", "said", on=["note"])
def _laterality_conflict(case: Case) -> Iterator[Hit]:
    """A code of one side, all of whose affirmed evidence names the other; or diagnosis lines that name one and the other."""
    if case.said is None:
        return
    for line in case.diagnoses:
        side = side_of(line.title)
        if side is None:
            continue
        other = "left" if side == "right" else "right"
        beside = case.said.beside(e for e in line.evidence if e.assertion == "affirmed")
        # a sentence that names both sides may speak of two things: it is no witness
        own = [i for i in beside if case.said.says(i, case.said.forms_of(side))]
        against = [i for i in beside if case.said.says(i, case.said.forms_of(other)) and i not in own]
        if against and not own:
            yield Hit("other", (line,), {"side": side, "said": other})
        elif case.said.in_sections(own, _DIAGNOSES) and case.said.in_sections(against, _DIAGNOSES):
            yield Hit("both", (line,), {"side": side, "said": other})


@lru_cache(maxsize=8192)
def side_of(title: str) -> str | None:
    """ "right" or "left" where a title names exactly one of them."""
    named = [side for side in _SIDES if re.search(rf"\b{side}\b", title, re.IGNORECASE)]
    return named[0] if len(named) == 1 and "right heart" not in title.lower() else None


def _result_alone(line: Line) -> bool:
    return all(e.basis == "result" for e in line.evidence)


def _all_evidence(line: Line, assertion: str) -> bool:
    evidence = line.evidence
    # the first evidence, which decides nearly always, is asked without a generator
    if not evidence or evidence[0].assertion != assertion or not line.diagnosis:
        return False
    return all(e.assertion == assertion for e in evidence)
