"""Rules about the order of a claim: what must, may and may never stand in the first place."""

from __future__ import annotations

from collections.abc import Iterator

from codesuggest.rules.registry import Case, Hit, Line, rule

#: Families whose titles do not say "in diseases classified elsewhere", but whose notes do: code first the underlying disease.
_MANIFESTATIONS = ("D630", "D631", "E08", "M906")
_DEGREES = ("first degree", "second degree", "third degree")


@rule("manifestation_first", on=["order"])
def _manifestation_first(case: Case) -> Iterator[Hit]:
    first = case.first
    if first is not None and is_manifestation(case, first):
        yield Hit("", (first,))


def is_manifestation(case: Case, line: Line) -> bool:
    """By its title, by the Medicare Code Editor's list where that is loaded, or one of the few families below.

    Of the 422 codes on that list (July 2026) titles and families find 369, and none that is not on it.
    """
    listed = case.edits.mce is not None and line.key in case.edits.mce.manifestation
    title = line.title.lower()
    return (
        listed
        or line.key.startswith(_MANIFESTATIONS)
        or ("diseases classified elsewhere" in title and "cause of diseases" not in title)
    )


@rule("secondary_only", on=["order"])
def _secondary_only(case: Case) -> Iterator[Hit]:
    """The rows say which codes never stand first, each with its own section."""
    first = case.first
    if first is not None:
        intent = drug_intent(first.key)
        yield Hit(intent if intent in ("adverse", "underdosing") else "", (first,))


@rule("external_cause_first", on=["order"])
def _external_cause_first(case: Case) -> Iterator[Hit]:
    first = case.first
    if first is not None and first.key[0] in "VWXY":
        yield Hit("", (first,))


@rule("unacceptable_principal", on=["order"])
def _unacceptable_principal(case: Case) -> Iterator[Hit]:
    """The Medicare Code Editor's list, of inpatient claims; what the guidelines forbid themselves is said above."""
    first, mce = case.first, case.edits.mce
    if first is None or mce is None or case.encounter.setting != "inpatient":
        return
    alone = len(case.diagnoses) == 1 and first.key in (mce.unacceptable_unless_secondary or ())
    if (alone or first.key in mce.unacceptable_principal) and first.key[0] not in "VWXY":
        yield Hit("alone" if alone else "", (first,))


@rule("first_listed_only", on=["order"])
def _first_listed_only(case: Case) -> Iterator[Hit]:
    """The rows say which Z codes."""
    first = case.first
    for line in case.starting("Z"):
        if first is not None and line is not first:
            yield Hit("", (line, first))


@rule("obstetric_first", on=["order"])
def _obstetric_first(case: Case) -> Iterator[Hit]:
    first, obstetric = case.first, case.starting("O")
    if first is not None and obstetric and first.key[0] != "O":
        yield Hit("", (first, obstetric[0]))


@rule("perinatal_first", on=["order"])
def _newborn_first(case: Case) -> Iterator[Hit]:
    """A code of Z38 is the principal diagnosis of the birth record."""
    born = case.starting("Z38")
    if born and case.first is not born[0]:
        yield Hit("", (born[0],))


@rule("sequela_order", on=["order"])
def _sequela_order(case: Case) -> Iterator[Hit]:
    """The condition that remained goes before the code that says of what it is a sequela."""
    first = case.first
    if first is not None and is_sequela(first):
        yield Hit("" if len(case.diagnoses) > 1 else "alone", (first,))


def is_sequela(line: Line) -> bool:
    """An injury or external cause with the seventh character S, or a category of sequelae that holds no condition."""
    if len(line.key) == 7 and line.key[6] == "S" and line.key[0] in "STVWXY":
        return True
    return line.key.startswith(("B90", "B91", "B92", "B94", "E64", "E68", "G09", "O94"))


@rule("sequela_and_acute", on=["note", "claim"])
def _sequela_and_acute(case: Case) -> Iterator[Hit]:
    """The injury itself never stands beside its sequela; burns may (I.C.19.d.8)."""
    stems: dict[str, Line] = {}
    for line in case.diagnoses:
        if len(line.key) == 7 and line.key[0] in "ST" and not "T20" <= line.key[:3] <= "T32" and line.key[6] != "S":
            stems.setdefault(line.key[:6], line)
    for line in case.diagnoses:
        if len(line.key) == 7 and line.key[6] == "S" and line.key[:6] in stems:
            yield Hit("", (line, stems[line.key[:6]]))


def drug_intent(key: str) -> str:
    """For T36-T65: "poisoning", "toxic", "adverse" or "underdosing"; "" for any other code. Key without dot."""
    if len(key) != 7 or not "T36" <= key[:3] <= "T65":
        return ""
    intent = key[5] if key[5] != "X" else key[4]
    if key[:3] >= "T51":
        return "toxic" if intent in "1234" else ""
    return "poisoning" if intent in "1234" else {"5": "adverse", "6": "underdosing"}.get(intent, "")


@rule("poisoning_order", on=["order"])
def _poisoning_order(case: Case) -> Iterator[Hit]:
    """A poisoning or toxic effect goes before its manifestations. Sequelae and what is obstetric go by their own rules."""
    first = case.first
    if first is None or drug_intent(first.key) in ("poisoning", "toxic") or first.key[0] == "O":
        return
    for line in case.starting("T"):
        intent = drug_intent(line.key)
        if intent in ("poisoning", "toxic") and line.key[6] != "S":
            yield Hit(intent, (line, first))
            return


@rule("burn_order", on=["order"])
def _burn_order(case: Case) -> Iterator[Hit]:
    """Of several burns of the skin the one of the highest degree goes first."""
    burns = [
        (line, _degree(line)) for line in case.diagnoses if "T20" <= line.key[:3] <= "T25" and line.key[-1:] != "S"
    ]
    if burns:
        worst = max(burns, key=lambda burn: burn[1])
        if worst[1] > burns[0][1] >= 0:
            yield Hit("", (burns[0][0], worst[0]))


def _degree(line: Line) -> int:
    return next((i for i, degree in enumerate(_DEGREES) if degree in line.title.lower()), -1)


@rule("external_cause_once", "what", on=["claim"])
def _external_cause_once(case: Case) -> Iterator[Hit]:
    """One activity, one place and one status a record."""
    for category, what in (("Y93", "activity"), ("Y92", "place of occurrence"), ("Y99", "status")):
        found = case.by_category.get(category, [])
        if len(found) > 1:
            yield Hit("", (found[0], found[1]), {"what": what})


@rule("external_cause_seventh", "expected", on=["claim"])
def _external_cause_seventh(case: Case) -> Iterator[Hit]:
    """The seventh character of an external cause is that of an injury beside it."""
    injuries = {_encounter_of(line) for line in case.diagnoses if line.key[0] in "ST" and len(line.key) == 7}
    injuries |= {_encounter_of(line) for line in case.starting("M80", "M843") if len(line.key) == 7}
    for line in case.diagnoses:
        if line.key[0] in "VWXY" and len(line.key) == 7 and injuries and _encounter_of(line) not in injuries:
            yield Hit("", (line,), {"expected": " or ".join(sorted(injuries))})


def _encounter_of(line: Line) -> str:
    """A, D or S: initial encounter, subsequent, sequela; of fractures B and C count as initial, E to R as subsequent."""
    seventh = line.key[6]
    return "A" if seventh in "ABC" else "S" if seventh == "S" else "D"


@rule("aftercare_of_injury", on=["note", "claim"])
def _aftercare_of_injury(case: Case) -> Iterator[Hit]:
    """Aftercare Z codes are not for injuries: the seventh character says it."""
    for line in case.starting("Z47", "Z480", "Z4889"):
        injury = next((other for other in case.diagnoses if other.key[0] == "S" and _is_subsequent(other)), None)
        if injury is not None:
            yield Hit("", (line, injury))


def _is_subsequent(line: Line) -> bool:
    return len(line.key) == 7 and _encounter_of(line) == "D"
