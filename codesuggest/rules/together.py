"""Rules about two diagnoses of one claim, driven by tables of facts: `pairs.tsv`, `symptoms.tsv`, `companions.tsv`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from codesuggest.codes.system import CodeSystem
from codesuggest.facts import FOLDER, Pair, pairs, prefixes, symptoms
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.rules.evidence import side_of
from codesuggest.rules.registry import Case, Hit, Line, any_of, dotted, rule

#: Cases of `combination` that rest on a link which the classification presumes, and words that deny it.
_PRESUMED = ("hypertension", "diabetes", "angina")
_UNRELATED = ("unrelated", "nondiabetic", "nonhypertensive")
_Prefixes = tuple[str, ...]


@lru_cache(maxsize=1)
def _companions() -> Mapping[str, Sequence[tuple[str, _Prefixes, _Prefixes]]]:
    """(case, codes, what they need) by category of the codes."""
    out: dict[str, list[tuple[str, _Prefixes, _Prefixes]]] = {}
    for row in read_lexicon(FOLDER / "companions.tsv", ("case", "code", "needs", "source"), unique=("case",)):
        codes = prefixes(row, "code")
        for category in _categories(codes):
            out.setdefault(category, []).append((row["case"], codes, prefixes(row, "needs")))
    return out


def _met(case: Case, name: str) -> Iterator[tuple[Pair, Line, Line]]:
    """The rows of a rule that the claim's diagnoses meet, with the two codes."""
    rows = _rows(name)
    for category, lines in case.by_category.items():
        for pair, second, also, unless in rows.get(category, ()):
            if _categories(second).isdisjoint(case.by_category):  # as nearly always
                continue
            for line in lines:
                if not line.key.startswith(pair.first):
                    continue
                others = [other for other in case.starting(*second) if other is not line]
                if others and (not also or case.starting(*also)) and not case.starting(*unless):
                    yield pair, line, others[0]


@lru_cache(maxsize=8)
def _rows(name: str) -> Mapping[str, Sequence[tuple[Pair, _Prefixes, _Prefixes, _Prefixes]]]:
    """The rows of a rule by category of the first code, with the prefixes of second, also and unless in it."""
    return {
        category: [
            (pair, _of(category, pair.second), _of(category, pair.also), _of(category, pair.unless)) for pair in found
        ]
        for category, found in pairs()[name].items()
    }


@lru_cache(maxsize=1024)
def _categories(prefixes: _Prefixes) -> frozenset[str]:
    """The categories of prefixes, none of which is shorter."""
    return frozenset(prefix[:3] for prefix in prefixes)


def _of(category: str, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(category + p[1:] if p[0] == "@" else p for p in prefixes)


@rule("combination", "instead", on=["note", "claim"])
def _combination(case: Case) -> Iterator[Hit]:
    """A presumed link (I.A.15) is none where the note says so beside either code."""
    for pair, line, other in _met(case, "combination"):
        if pair.case in _PRESUMED and _said_unrelated(case, (line, other)):
            continue
        instead = pair.instead
        if instead.startswith("@"):
            instead = dotted(line.key[:3] + instead[1:])
            table = line.table
            if table is not None and not (table.get(instead) and table[instead].billable):
                instead += "-"
        yield Hit(pair.case, (line, other), {"instead": instead})


def _said_unrelated(case: Case, lines: Sequence[Line]) -> bool:
    said = case.said
    if said is None:
        return False
    held = said.forms_in(said.beside(e for line in lines for e in line.evidence))
    return any(own.issuperset(forms) for own in held for forms in said.forms_of_each(_UNRELATED))


@rule("not_together", on=["note", "claim"])
def _not_together(case: Case) -> Iterator[Hit]:
    for pair, line, other in _met(case, "not_together"):
        yield Hit(pair.case, (line, other))


@rule("history_and_current", on=["note", "claim"])
def _history_and_current(case: Case) -> Iterator[Hit]:
    for pair, line, other in _met(case, "history_and_current"):
        yield Hit(pair.case, (line, other))


@rule("acute_chronic", on=["order"])
def _acute_chronic(case: Case) -> Iterator[Hit]:
    """Both are reported, the acute one first: `first` of a row is the acute form."""
    for _, acute, chronic in _met(case, "acute_chronic"):
        if case.diagnoses.index(acute) > case.diagnoses.index(chronic):
            yield Hit("", (acute, chronic))


@rule("integral_symptom", on=["note", "claim"])
def _integral_symptom(case: Case) -> Iterator[Hit]:
    for symptom, diagnosis in integral(case):
        yield Hit("", (symptom, diagnosis))


@rule("symptom_first", on=["order"])
def _symptom_first(case: Case) -> Iterator[Hit]:
    """A symptom of chapter 18 in the first place although its diagnosis stands on the claim."""
    for symptom, diagnosis in integral(case):
        if symptom is case.first and symptom.key[0] == "R":
            yield Hit("", (symptom, diagnosis))


def integral(case: Case) -> Iterator[tuple[Line, Line]]:
    """Each symptom on the claim that goes with a diagnosis on it, with that diagnosis."""
    rows = symptoms()
    for category, lines in case.by_category.items():
        for starts, diagnoses in rows.get(category, ()):
            for line in lines:
                if line.key.startswith(starts) and (found := case.starting(*diagnoses)):
                    yield line, found[0]
                    break


@rule("companion_missing", "needs", on=["note", "claim"])
def _companion_missing(case: Case) -> Iterator[Hit]:
    rows = _companions()
    # a row may be of several categories
    for name, codes, needs in dict.fromkeys(row for category in case.by_category for row in rows.get(category, ())):
        found = case.starting(*codes)
        if found and not case.starting(*needs):
            yield Hit(name, (found[0],), {"needs": any_of([f"{dotted(n)}-" for n in needs], most=3)})


@rule("bilateral", "both", on=["note", "claim"])
def _bilateral(case: Case) -> Iterator[Hit]:
    """The same condition coded for either side although one code says both."""
    sided = [(line, side_of(line.title)) for line in case.diagnoses]
    rights = [line for line, side in sided if side == "right"]
    for left in (line for line, side in sided if side == "left"):
        for right in rights:
            if right.table is left.table and left.table is not None and _sideless(right.title) == _sideless(left.title):
                both = _both(left.table, right, left)
                if both:
                    yield Hit("", (right, left), {"both": both})


def _both(table: CodeSystem, right: Line, left: Line) -> str:
    """The billable code that says the same of both sides; "" for none.

    It differs from the two at the place of the side only (H66.93), or stands one level above them (M17.0).
    """
    places = [i for i, (a, b) in enumerate(zip(right.key, left.key, strict=False)) if a != b]
    if len(right.key) != len(left.key) or len(places) != 1:
        return ""
    near = [table.get(right.key[: places[0]] + c + right.key[places[0] + 1 :]) for c in "0123456789ABC"]
    found = [code for code in near if code is not None and code.billable and "bilateral" in code.title.lower()]
    if found:
        return found[0].code
    up = int(table.parent[right.index])
    if up < 0 or int(table.parent[up]) < 0:
        return ""
    same = set(_sideless(right.title))
    for i in table.children_of(int(table.parent[up])).tolist():
        if table.billable[i] and "bilateral" in table.title(i).lower() and set(_sideless(table.title(i))) == same:
            return table.code(i)
    return ""


def _sideless(title: str) -> list[str]:
    words = title.lower().replace(",", " ").split()
    return [word for word in words if word not in ("right", "left", "bilateral", "unilateral", "of")]


@rule("mother_and_newborn", on=["note", "claim"])
def _mother_and_newborn(case: Case) -> Iterator[Hit]:
    """Chapters 15 and 16 belong to two records."""
    mother = case.starting("O")
    newborn = case.starting("P", "Z38")
    if mother and newborn:
        yield Hit("", (mother[0], newborn[0]))


@rule("trimester", "weeks", "said", on=["note", "claim"])
def _trimester(case: Case) -> Iterator[Hit]:
    """The trimester in a title against the completed weeks of the Z3A code, by the limits at the head of chapter 15."""
    weeks = next((w for line in case.starting("Z3A") if (w := _weeks(line.key)) is not None), None)
    if weeks is None:
        return
    named = ("first", "second", "third")
    right = named[(weeks >= 14) + (weeks >= 28)]
    for line in case.starting("O"):
        title = line.title.lower()
        said = next((n for n in (*named, "unspecified") if f"{n} trimester" in title), None)
        if said is not None and said != right:
            yield Hit("", (line,), {"weeks": str(weeks), "said": right})


def _weeks(key: str) -> int | None:
    return int(key[3:]) if key[3:].isdigit() and 8 <= int(key[3:]) <= 42 else None
