"""Rules about codes that say less than the note does: the side, acuity, type, stage; and the kind of encounter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from weakref import WeakKeyDictionary

from codesuggest.codes.system import CodeSystem
from codesuggest.rules.registry import Case, Hit, Line, any_of, rule
from codesuggest.rules.said import Said
from codesuggest.specificity import Axis, Option, explain

_PARENTHESES = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
#: Words of an answer that name nothing: it must say more than these to be found in a note.
_EMPTY = frozenset(("other", "specif", "unspecif", "without", "with", "and", "type", "form", "due"))
_NOT_ASKED = ("encounter", "fetus")
#: Sections that say why the patient came, and words there or beside an injury that say it is being followed up.
_REASON = ("chief_complaint", "title", "indication")
_FOLLOW_UP = (
    "follow up", "followup", "recheck", "suture removal", "staple removal", "cast removal", "wound check", "healing",
    "healed", "post-op visit", "aftercare",
)  # fmt: skip
_SEQUELA = ("sequela", "late effect", "residual", "scar", "contracture", "malunion", "old")


@rule("laterality_unspecified", "siblings", on=["note", "claim"])
def _laterality_unspecified(case: Case) -> Iterator[Hit]:
    """Silent where `unspecified_documented` names the side."""
    day = case.encounter.day
    for line in case.diagnoses:
        if line.table is None or "unspecified" not in line.title.lower():
            continue
        usable = [code for code, first, last in _sided(line.table, line.index) if first <= day and not 0 < last < day]
        if usable and "laterality" not in [axis for axis, _ in _documented(case, line)]:
            yield Hit("", (line,), {"siblings": any_of(usable)})


def _sided(table: CodeSystem, index: int) -> tuple[tuple[str, int, int], ...]:
    """(code, valid from, valid to) of the billable codes that name the side."""
    known = _known_sides.setdefault(table, {})
    if index not in known:
        found = (table.view(i) for i in table.unspecified_siblings(index))
        known[index] = tuple((code.code, code.valid_from, code.valid_to) for code in found if code.billable)
    return known[index]


def _axes(table: CodeSystem, index: int, day: int) -> list[Axis]:
    return [axis for axis in explain(table, table.code(index), day) if axis.name not in _NOT_ASKED]


#: What was worked out of a system's tables, as long as the system lives; of answers, as long as the reader of their words does.
_known_sides: WeakKeyDictionary[CodeSystem, dict[int, tuple[tuple[str, int, int], ...]]] = WeakKeyDictionary()
_known_answers: WeakKeyDictionary[
    CodeSystem, WeakKeyDictionary[Callable[[str], tuple[str, ...]], dict[tuple[int, int, str], _Answers]]
] = WeakKeyDictionary()
_MOST_KNOWN = 20_000


@rule("unspecified_documented", "axis", "instead", on=["note"])
def _unspecified_documented(case: Case) -> Iterator[Hit]:
    """The words beside the evidence give one of the answers that the code leaves open."""
    held = {line.code for line in case.diagnoses}
    for line in case.diagnoses:
        for axis, instead in _documented(case, line):
            if instead not in held:
                yield Hit("", (line,), {"axis": axis, "instead": instead})


def _documented(case: Case, line: Line) -> list[tuple[str, str]]:
    """(axis, code) for each axis that a code leaves open and the words beside its evidence decide, one way only."""
    if case.said is None or line.table is None or not _may_be_open(line.title) or not line.evidence:
        return []
    answers = _answers(case.said, line, case.encounter.day)
    if not answers:  # as often, for "without" leaves seldom a question open
        return []
    beside = case.said.beside(e for e in line.evidence if e.assertion in ("affirmed", "uncertain"))
    out, held = [], case.said.forms_in(beside)
    for axis, given in answers:
        found = [code for code, forms in given if any(said.issuperset(forms) for said in held)]
        if len(found) == 1:
            out.append((axis, found[0]))
    return out


_Answers = tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]


def _answers(said: Said, line: Line, day: int) -> _Answers:
    """(axis, answers) of a code for the axes that words can decide, each answer with its code and the forms that give it."""
    assert line.table is not None
    of_table = _known_answers.get(line.table) or _known_answers.setdefault(line.table, WeakKeyDictionary())
    known = of_table.setdefault(said.forms_of, {})
    key = line.index, day, line.title  # whose words are those of the day, or of today
    if key not in known:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        told = (
            (axis.name, tuple((o.code, forms) for o in axis.options if (forms := _telling(said, o, line.title))))
            for axis in _axes(line.table, line.index, day)
        )
        known[key] = tuple((name, given) for name, given in told if given)
    return known[key]


@lru_cache(maxsize=8192)
def _may_be_open(title: str) -> bool:
    low = title.lower()
    return "specified" in low or "without" in low or "uncomplicated" in low


def _telling(said: Said, option: Option, title: str) -> tuple[str, ...]:
    """The forms that give an answer if one segment holds them all, some beyond the code's own title; empty where none do.

    An answer that shares no word with that title is another disease (hydroureter is no hydronephrosis), and "other" none.
    """
    if option.value == "other" or not option.billable:
        return ()
    own, theirs = set(said.forms_of(title)) - _EMPTY, set(said.forms_of(option.title)) - _EMPTY
    forms = said.forms_of(_PARENTHESES.sub(" ", option.value)) if own & theirs else ()
    return tuple(f for f in forms if f not in own and f not in _EMPTY)


@rule("seventh_character", "found", on=["note"])
def _seventh_character(case: Case) -> Iterator[Hit]:
    """The seventh character of an injury against what the note says of the encounter.

    A while the reason for the visit or the words beside the injury speak of follow-up; D on an emergency note without
    such words; S when no word of a sequela stands anywhere.
    """
    said, kind = case.said, case.encounter.document_type
    if said is None:
        return
    for line in case.diagnoses:
        if len(line.key) != 7 or line.key[0] not in "ST" or not line.evidence:
            continue
        seventh = line.key[6]
        if seventh in "ABC":
            if kind not in ("ed_note", "operative_report") and _followed_up(said, line):
                yield Hit("initial", (line,), {"found": seventh})
        elif seventh == "D":
            if kind == "ed_note" and not _followed_up(said, line):
                yield Hit("subsequent", (line,), {"found": seventh})
        elif seventh == "S" and not said.sequela and not any(map(said.affirms, said.named(_SEQUELA))):
            yield Hit("sequela", (line,), {"found": seventh})


def _followed_up(said: Said, line: Line) -> bool:
    held = said.forms_in([*said.beside(line.evidence), *said.own_in(_REASON)])
    return any(own.issuperset(forms) for forms in said.forms_of_each(_FOLLOW_UP) for own in held)
