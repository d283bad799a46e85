"""Rules about the words a code rests on: uncertain, past, a bare result, and a side that does not agree."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codesuggest.rules.registry import Case, Hit, Line, rule

#: Titles that name a doubt themselves ("contact with and (suspected) exposure"): uncertain words are their evidence.
_DOUBT = re.compile(r"\b(?:suspected|ruled out)\b", re.IGNORECASE)
#: Titles that name a past event themselves ("old myocardial infarction", "in remission", "..., sequela").
_PAST = re.compile(r"\b(?:history|sequelae?|old|healed|previous|(?<!achieved )remission)\b", re.IGNORECASE)
_SIDES = ("right", "left")


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
        if line.diagnosis and line.evidence and all(e.basis == "result" for e in line.evidence):
            yield Hit("", (line,))


@rule("abnormal_finding", on=["claim"])
def _abnormal_finding(case: Case) -> Iterator[Hit]:
    """The rows say of which codes and in which setting; with a note, `result_only` knows better."""
    if "note" not in case.scopes:
        for line in case.diagnoses:
            yield Hit("", (line,))


@rule("laterality_conflict", "side", "said", on=["note"])
def _laterality_conflict(case: Case) -> Iterator[Hit]:
    """A code of one side, all of whose affirmed evidence names only the other; or evidences of both sides."""
    if case.said is None:
        return
    right, left = (case.said.forms_of(side) for side in _SIDES)
    for line in case.diagnoses:
        side = side_of(line.title)
        if side is None:
            continue
        own, other = (right, left) if side == "right" else (left, right)
        beside = case.said.beside([e for e in line.evidence if e.assertion == "affirmed"])
        said = [(case.said.says(i, own), case.said.says(i, other)) for i in beside]
        # a sentence that names both sides may speak of two things: it is no witness
        for_, against = (False, True) in said, (True, False) in said
        if for_:
            name = "left" if side == "right" else "right"
            yield Hit("both" if against else "other", (line,), {"side": side, "said": name})


def side_of(title: str) -> str | None:
    """ "right" or "left" where a title names exactly one of them."""
    named = [side for side in _SIDES if re.search(rf"\b{side}\b", title, re.IGNORECASE)]
    return named[0] if len(named) == 1 and "right heart" not in title.lower() else None


def _all_evidence(line: Line, assertion: str) -> bool:
    return line.diagnosis and bool(line.evidence) and all(e.assertion == assertion for e in line.evidence)
