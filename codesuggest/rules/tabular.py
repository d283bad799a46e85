"""Rules from the notes of the Tabular List: Excludes1, code first, use additional code, code also. Excludes2 is silent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from codesuggest.codes.system import CodeSystem
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.records import Evidence
from codesuggest.rules.registry import Case, Hit, Line, rule
from codesuggest.rules.sequence import is_manifestation

DRUGS_FILE = Path(__file__).parent / "diabetes_drugs.tsv"
#: The long-term drug code of each kind of drug, without dot.
_DRUG_CODES = {"insulin": "Z794", "oral": "Z7984", "injectable": "Z7985"}
#: Sections in which a drug's name does not say that the patient takes it for good.
_NOT_LONG_TERM = ("allergies", "ed_course", "hospital_course", "labs", "results", "procedure", "family_history")
#: A code that the library lists with less than this probability is no witness that the note documents it.
DOCUMENTED = 0.15
#: Nor are these: what is over, follow-up, and a body mass index, whose number no word tells.
_NO_WITNESS = ("Z08", "Z09", "Z68", "Z85", "Z86", "Z87")


@rule("excludes1", "notes", on=["note", "claim"])
def _excludes1(case: Case) -> Iterator[Hit]:
    """One hit a pair, with the first note of each direction."""
    for table, members in _diagnoses(case):
        pairs: dict[tuple[str, str], dict[str, str]] = {}
        for conflict in table.excludes1_between(members):
            first, second = sorted((conflict.code, conflict.other))
            quoted = f'"{conflict.note}" at {_place(table, conflict.at)}'
            pairs.setdefault((first, second), {}).setdefault(conflict.code, quoted)
        for pair, notes in pairs.items():
            yield Hit("", tuple(members[code] for code in pair), {"notes": " and ".join(notes.values())})


@rule("code_first", "note", on=["order"])
def _code_first(case: Case) -> Iterator[Hit]:
    """The underlying condition is on the claim, behind the code whose note wants it in front.

    A note one of whose codes stands in front is content; so is a whole list of notes that gives examples ("such as").
    """
    for table, members in _diagnoses(case):
        place = {line.index: n for n, line in enumerate(members.values())}
        lines = list(members.values())
        named = [(i, j, m) for i, j, m in table.named_in_notes("code_first", list(place)) if i != j]
        content = {(i, m) for i, j, m in named if place[j] < place[i]}
        whole = {(i, table.note_of(m)[0]) for i, m in content if _gives_examples(table, m)}
        told: set[tuple[int, int]] = set()
        for i, j, m in named:
            if (i, m) not in content and (i, table.note_of(m)[0]) not in whole and (i, j) not in told:
                told.add((i, j))
                yield Hit("order", (lines[place[i]], lines[place[j]]), {"note": _tidy(table.note_of(m)[1])})


def _gives_examples(table: CodeSystem, m: int) -> bool:
    at = table.note_of(m)[0]
    return at in table and any("such as" in note.text for note in table[at].notes("code_first", inherited=False))


def _tidy(note: str) -> str:
    """A note without the comma with which it goes on from its heading."""
    return note.strip(" ,:")


@rule("code_first_missing", on=["note", "claim"])
def _code_first_missing(case: Case) -> Iterator[Hit]:
    """A manifestation without anything that could be its cause: every other code is a symptom, a Z or an external cause."""
    for line in filter(partial(is_manifestation, case), case.diagnoses):
        if all(other.key[0] in "RVWXYZ" for other in case.diagnoses if other is not line):
            yield Hit("", (line,))


@rule("use_additional", "note", on=["order"])
def _use_additional_order(case: Case) -> Iterator[Hit]:
    """A code that another code's note calls additional stands in the first place; `code_first` may say it already."""
    first = case.first
    named = [hit for hit in _named(case, "use_additional") if hit[1] is first]
    told = {(line.code, other.code) for line, other, _ in _named(case, "code_first")} if named else set()
    for line, other, note in named:
        if (other.code, line.code) not in told:
            yield Hit("order", (other, line), {"note": note})


@rule("additional_documented", "note", on=["note"])
def _additional_documented(case: Case) -> Iterator[Hit]:
    """What a "use additional code" or "code also" note asks for stands in the note, but not among the codes.

    Witness is a code that the library lists, below its threshold or left out by the person, on affirmed words.
    """
    listed = [line for line in case.lines if not line.suggested and _may_witness(line)]
    listed = [line for line in listed if line.key[:3] not in case.by_category]  # one of the category is enough
    if not listed:
        return
    looked = []
    for table, members in _diagnoses(case):
        found = ((table.find(line.code), line) for line in listed if line.system == table.name)
        wanted = {index: line for index, line in found if index >= 0}
        looked.append((table, {line.index: line for line in members.values()}, wanted))
    told: set[str] = set()
    for kind in ("use_additional", "code_also"):
        for table, own, wanted in looked:
            named = table.named_in_notes(kind, own, wanted)
            for i, j, m in sorted(named, key=lambda n: -wanted[n[1]].confidence):
                other = wanted[j]
                if other.key[:3] not in told and _affirmed(other):  # one of a category; its words are asked last
                    told.add(other.key[:3])
                    yield Hit(kind, (own[i], other), {"note": _tidy(table.note_of(m)[1])})


def _may_witness(line: Line) -> bool:
    return line.confidence >= DOCUMENTED and line.diagnosis and not line.key.startswith(_NO_WITNESS)


def _affirmed(line: Line) -> bool:
    return any(e.assertion == "affirmed" and e.basis == "text" and not _of_heading(line, e) for e in line.evidence)


def _of_heading(line: Line, evidence: Evidence) -> bool:
    """Whether the words only name what stands above the code: "hypertension" is no word of resistant hypertension."""
    index = -1 if line.table is None else line.table.find(line.code)
    if line.table is None or index < 0 or "unspecified" in line.title.lower():
        return False  # an unspecified code is what its heading means (I.A.18)
    title, above = line.table.title(index), map(line.table.title, line.table.ancestors(index))
    return any(up != title and up.startswith(evidence.term) for up in above)


@rule("long_term_drug", "code", on=["note"])
def _long_term_drug(case: Case) -> Iterator[Hit]:
    """Diabetes, and the note names a drug for it, but no Z79 code says so. Type 1 needs none for insulin."""
    diabetes = case.starting("E08", "E09", "E11", "E13")
    if case.said is None or not diabetes:
        return
    for kind, key in _DRUG_CODES.items():
        if case.starting(key):
            continue
        for forms in case.said.named(_drugs()[kind]):
            if spans := case.said.affirms(forms, not_in=_NOT_LONG_TERM):
                yield Hit(kind, (diabetes[0],), {"code": f"{key[:3]}.{key[3:]}"}, spans)
                break


@lru_cache(maxsize=1)
def _drugs() -> dict[str, tuple[str, ...]]:
    """The names of each kind. Raises LexiconError."""
    rows = read_lexicon(DRUGS_FILE, ("name", "kind", "source"), unique=("name",))
    named = [(row.choice("kind", _DRUG_CODES), row["name"]) for row in rows]
    return {kind: tuple(name for sort, name in named if sort == kind) for kind in _DRUG_CODES}


def _named(case: Case, kind: str) -> Iterator[tuple[Line, Line, str]]:
    """(line, other, note) where a note of `kind` over a diagnosis names another diagnosis of the claim; each pair once."""
    for table, members in _diagnoses(case):
        by_index = {line.index: line for line in members.values()}
        seen: set[tuple[int, int]] = set()
        for i, j, m in table.named_in_notes(kind, list(by_index)):
            if i != j and (i, j) not in seen:
                seen.add((i, j))
                yield by_index[i], by_index[j], _tidy(table.note_of(m)[1])


def _diagnoses(case: Case) -> Iterator[tuple[CodeSystem, dict[str, Line]]]:
    for table, members in case.tables:
        if table.name.startswith("icd10cm"):
            yield table, members


def _place(table: CodeSystem, at: str) -> str:
    """Where a note stands, in words: a code, "chapter 4" or "block E08-E13"."""
    return at if at in table else f"chapter {at}" if at.isdigit() else f"block {at}"
