"""Rules about one code by itself: whether it can be billed on the day, once, for this age and setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from codesuggest.codes import normalise
from codesuggest.codes.system import CodeSystem
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.rules.registry import Case, Hit, Line, any_of, rule

AGES_FILE = Path(__file__).parent / "ages.tsv"
#: Ages in years of the Medicare Code Editor's classes, both inclusive.
AGES = {"newborn": (0, 0), "pediatric": (0, 17), "maternity": (9, 64), "adult": (15, 124)}


@rule("duplicate", "times", on=["claim"])
def _duplicate(case: Case) -> Iterator[Hit]:
    """Diagnosis codes only: a procedure or a supply may well be reported twice."""
    times = Counter((line.system, line.code) for line in case.lines)
    for line in case.diagnoses:
        if times[line.system, line.code] > 1:
            yield Hit("", (line,), {"times": str(times[line.system, line.code])})


@rule("not_billable", "examples", "release", on=["claim"])
def _not_billable(case: Case) -> Iterator[Hit]:
    for line in case.chosen:
        table = line.table
        if table is None or (line.index >= 0 and not _is_header(line, table, case.encounter.day)):
            continue
        name, examples = _why_not_billable(line, table, case.encounter.day)
        release = table.site_codes[line.index] if name == "site" else f"{table.name} {table.release}"
        yield Hit(name, (line,), {"release": release, "examples": any_of(examples, most=3)})


def _is_header(line: Line, table: CodeSystem, day: int) -> bool:
    """Whether a code of the table is a header on the day; one that was billable before, or will be, can be one too."""
    return not table.billable[line.index] or table.state_on(line.index, day) == "header"


def _why_not_billable(line: Line, table: CodeSystem, day: int) -> tuple[str, list[str]]:
    """The case of `not_billable`, and codes that would do."""
    if line.index < 0:
        key = normalise(table.name, line.code)
        padded = table.get(f"{key[:-1]:X<6}{key[-1:]}") if line.diagnosis and 4 <= len(key) < 7 else None
        return ("placeholder", [padded.code]) if padded else ("unknown", [])
    if line.index in table.site_codes and not table.title(line.index):
        return "site", []  # no table says that it is wrong
    below = [table.view(int(i)) for i in table.children_of(line.index)]
    usable = [code.code for code in below if not code.billable or code.valid_on(day)]
    if not line.diagnosis or not usable:
        return "other", []
    # the 7th character hangs below the code it completes, and nothing else stands in the 7th place
    seventh = all(len(normalise(table.name, code)) == 7 for code in usable)
    return ("seventh" if seventh else "header"), usable


@rule("not_valid_on_date", "validity", on=["claim"])
def _not_valid_on_date(case: Case) -> Iterator[Hit]:
    for line in case.chosen:
        if line.table is None or line.index < 0 or _is_header(line, line.table, case.encounter.day):
            continue
        first, last = int(line.table.valid_from[line.index]), int(line.table.valid_to[line.index])
        if line.table.state_on(line.index, case.encounter.day) == "absent":
            # the code's own dates, not the patient's
            ends = [f"from {_date(first)}"] if first else []
            ends += [f"until {_date(last)}"] if last else []
            yield Hit("", (line,), {"validity": " ".join(ends)})


@rule("age", "ages", "age", on=["note", "claim"])
def _age(case: Case) -> Iterator[Hit]:
    """By the Medicare Code Editor's lists where they are loaded, else by our short table of codes nobody disputes."""
    age = case.encounter.age
    if age is None:
        return
    for line in case.diagnoses:
        for name, (low, high) in AGES.items():
            if not low <= age <= high and _in_class(case, line, name):
                ages = f"age {low}" if low == high else f"ages {low} to {high}"
                yield Hit(name, (line,), {"ages": ages, "age": str(age)})
                break


def _in_class(case: Case, line: Line, name: str) -> bool:
    if case.edits.mce is not None:
        listed: frozenset[str] = getattr(case.edits.mce, name)
        return line.key in listed
    codes, exceptions = _ages().get(name, ((), ()))
    return line.key.startswith(codes) and not line.key.startswith(exceptions)


@lru_cache(maxsize=1)
def _ages() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Prefixes of each age class and their exceptions. Raises LexiconError."""
    out: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for row in read_lexicon(AGES_FILE, ("class", "codes", "except", "source"), optional=("except",), unique=("class",)):
        codes, exceptions = (tuple(c.replace(".", "") for c in row.items(column)) for column in ("codes", "except"))
        out[row.choice("class", AGES)] = (codes, exceptions)
    return out


@rule("procedure_setting", on=["claim"])
def _procedure_setting(case: Case) -> Iterator[Hit]:
    procedures = tuple(line for line in case.chosen if line.system.startswith("icd10pcs"))
    if procedures and case.encounter.setting == "outpatient":
        yield Hit("", procedures)


@rule("nonspecific", on=["claim"])
def _nonspecific(case: Case) -> Iterator[Hit]:
    """The rows say which Z codes."""
    for line in case.starting("Z"):
        yield Hit("", (line,))


def _date(day: int) -> str:
    return f"{day // 10000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"
