"""The order of an encounter's diagnoses, with the reason: which is principal or first-listed, and what follows what.

Some codes stand apart whatever the documents say: Z codes that may only go first, chapter 15, symptoms of an established
diagnosis, manifestations, status and history codes, external causes. The others follow the documents: the section that
tells the chief reason, then the place in it. "Code first" and "use additional code" notes of the tabular have the last
word. Which sections and codes these are, and on which authority, stands in `sequence.tsv`.

Sources: ICD-10-CM Official Guidelines FY2026, I.A.13, I.B.10, I.C.15.a.1, I.C.20.a.6, I.C.21.c.15, II, IV.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codesuggest.chart import Chart
from codesuggest.codes.system import CodeSystem
from codesuggest.facts import symptoms
from codesuggest.pipes.lexicon import Row, read_lexicon
from codesuggest.pipes.structure import DOCUMENT_TYPES
from codesuggest.records import DocumentEvidence, EncounterCode, Place, Proposal
from codesuggest.rules.sequence import drug_intent

SEQUENCE_FILE = Path(__file__).parent / "sequence.tsv"
_COLUMNS = ("kind", "place", "setting", "document", "codes", "except", "sections", "section", "fiscal_year", "sentence",
            "source")  # fmt: skip
_OPTIONAL = ("setting", "document", "codes", "except", "sections")
#: Where codes stand that are no plain diagnosis, in order; "diagnosis" is every other code.
CLASSES = ("first", "obstetric", "poisoning", "diagnosis", "symptom", "sequela", "effect", "status", "external")
#: Codes of these places stand where the documents put them, but for the first place.
_NEVER_FIRST = ("manifestation", "severity", "organism")
_LINK = re.compile(
    r"\b(?:due to|secondary to|caused by|related to|attribut\w+ to|because of|from|explained by)\b", re.I
)


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One row of `sequence.tsv`; `codes` and `exceptions` are prefixes without dot, empty for any."""

    kind: str
    place: str
    setting: str
    document: str
    codes: tuple[str, ...]
    exceptions: tuple[str, ...]
    sections: tuple[str, ...]
    section: str
    fiscal_year: str
    sentence: str
    source: str

    @property
    def authority(self) -> str:
        return f"{self.source} {self.section}, FY{self.fiscal_year}"

    def names(self, key: str) -> bool:
        return (not self.codes or key.startswith(self.codes)) and not key.startswith(self.exceptions)


@lru_cache(maxsize=4)
def read_sequence(path: Path = SEQUENCE_FILE) -> tuple[SequenceRow, ...]:
    """The table, checked. Raises LexiconError for an unknown kind, place, setting, document or field."""

    def row_of(row: Row) -> SequenceRow:
        kind = row.choice("kind", ("class", "reason"))
        if kind == "class":
            row.choice("place", (*CLASSES, *_NEVER_FIRST, "after"))
        elif row.number("place") is None:
            raise row.error("column 'place': a reason has a number")
        if re.sub(r"\{(?:code|other)\}", "", row["sentence"]).count("{"):
            raise row.error("column 'sentence': only {code} and {other} are filled in")
        codes, exceptions = (tuple(c.replace(".", "") for c in row.items(column)) for column in ("codes", "except"))
        setting = row.choice("setting", ("", "inpatient", "outpatient"))
        document = row.choice("document", ("", *DOCUMENT_TYPES))
        return SequenceRow(kind, row["place"], setting, document, codes, exceptions, row.items("sections"),
                           row["section"], row["fiscal_year"], row["sentence"], row["source"])  # fmt: skip

    return tuple(row_of(row) for row in read_lexicon(path, _COLUMNS, optional=_OPTIONAL))


@dataclass(frozen=True, slots=True)
class _Diagnosis:
    """A code to be placed. reason: row of the table that tells why it may be first, document rank and offset there."""

    code: EncounterCode
    key: str
    index: int
    place: str
    row: SequenceRow | None
    reason: tuple[int, int, bool, int]
    other: str = ""

    @property
    def order(self) -> tuple[object, ...]:
        place = "diagnosis" if self.place in _NEVER_FIRST else self.place
        within = _rows_of(place).index(self.row) if self.row in _rows_of(place) else 0
        return (CLASSES.index(place), within, self.reason, -self.code.confidence, self.code.code)


def sequence(
    codes: Sequence[EncounterCode],
    table: CodeSystem,
    chart: Chart,
    *,
    setting: str,
    superseded: Sequence[EncounterCode] = (),
) -> list[tuple[EncounterCode, tuple[Proposal, ...]]]:
    """The diagnoses in proposed order, each with what is to be said of its place; all codes are of `table`.

    superseded: codes for which one of `codes` stands; what the documents say of their place goes for that one.
    """
    reasons = [r for r in read_sequence() if r.kind == "reason" and r.setting == setting]
    evidence = {c.code: list(c.evidence) for c in codes}
    for weaker in superseded:
        evidence.get(weaker.superseded_by or "", []).extend(weaker.evidence)
    items = [_diagnosis(code, evidence[code.code], table, chart, setting, reasons) for code in codes]
    items = [_explained(item, items, chart, setting) for item in items]
    base = sorted(items, key=lambda item: item.order)
    after = _notes_between(base, table)
    placed: list[_Diagnosis] = []
    while len(placed) < len(base):
        waiting = [item for item in base if item not in placed]
        ready = [i for i in waiting if all(e in placed for e in after.get(i.code.code, ()))]
        ready = ready or waiting  # notes that go round in a circle decide nothing
        may = ready if placed else [item for item in ready if item.place not in _NEVER_FIRST]
        placed.append((may or ready)[0])
    out = []
    for n, item in enumerate(placed):
        said = [_first(item, reasons, setting)] if n == 0 else []
        said += _placed(item, n + 1, base, after, placed)
        out.append((item.code, tuple(said)))
    return out


def _diagnosis(
    code: EncounterCode,
    evidence: Sequence[DocumentEvidence],
    table: CodeSystem,
    chart: Chart,
    setting: str,
    reasons: Sequence[SequenceRow],
) -> _Diagnosis:
    index = table.index_of(code.code)
    key = table.codes[index].decode("ascii")
    place, row = "diagnosis", None
    for candidate in read_sequence():
        fixed = candidate.kind == "class" and candidate.codes and candidate.place != "symptom"
        if fixed and candidate.setting in ("", setting) and candidate.names(key):
            place, row = candidate.place, candidate
            break
    if place == "diagnosis" and (named := _by_kind(code, key)):
        place, row = named, _class_row(named, setting)
    best = min((_reason(key, e, chart, setting, reasons) for e in evidence), default=(len(reasons), 0, False, 0))
    return _Diagnosis(code, key, index, place, row, best)


def _by_kind(code: EncounterCode, key: str) -> str:
    """The place of codes that are told by what they are and not by a list of them."""
    title = code.display.lower()
    if "diseases classified elsewhere" in title and "cause of diseases" not in title:
        return "manifestation"
    if len(key) == 7 and key[6] == "S" and key[0] in "ST":
        return "sequela"
    intents = {"poisoning": "poisoning", "toxic": "poisoning", "adverse": "effect", "underdosing": "effect"}
    return intents.get(drug_intent(key), "")


def _reason(
    key: str, e: DocumentEvidence, chart: Chart, setting: str, reasons: Sequence[SequenceRow]
) -> tuple[int, int, bool, int]:
    """Which row of the reasons a piece of evidence meets, the rank of its document, whether it is
    told as history (a summary above the problems often begins so), and its place."""
    page, said = chart[e.document], e.evidence
    counts = said.assertion == "affirmed" or (said.assertion == "uncertain" and setting == "inpatient")
    kind = page.document_type or "visit_note"
    for n, row in enumerate(reasons):
        fits = row.document in ("", kind) and (not row.sections or said.section in row.sections) and row.names(key)
        if fits and (counts or n == len(reasons) - 1):
            return n, page.rank, chart.told_as_history(e), said.start
    return len(reasons), 0, False, 0


def _explained(item: _Diagnosis, items: Sequence[_Diagnosis], chart: Chart, setting: str) -> _Diagnosis:
    """The item as a symptom, if a definitive diagnosis among the others explains it: as a matter of course, or because a
    sentence says so."""
    row = _class_row("symptom", setting)
    if item.place != "diagnosis":
        return item
    for other in items:
        definitive = other.place in ("diagnosis", "obstetric") and not row.names(other.key) and other.key[0] != "Z"
        linked = row.names(item.key) and definitive and _linked(item.code, other.code, chart)
        if definitive and other is not item and (linked or _integral(item.key, other.key)):
            return _Diagnosis(item.code, item.key, item.index, "symptom", row, item.reason, other.code.code)
    return item


def _integral(symptom: str, disease: str) -> bool:
    rows = symptoms().get(symptom[:3], ())
    return any(symptom.startswith(those) and disease.startswith(diseases) for those, diseases in rows)


def _linked(symptom: EncounterCode, disease: EncounterCode, chart: Chart) -> bool:
    """Whether a sentence says that the one comes from the other: "chest pain due to costochondritis"."""
    for a in symptom.evidence:
        for b in disease.evidence:
            same = a.document == b.document and chart.sentence(a) == chart.sentence(b)
            if same and a.evidence.end <= b.evidence.start:
                between = chart[a.document].text[a.evidence.end : b.evidence.start]
                if _LINK.search(between) and len(between) <= 60:
                    return True
    return False


def _notes_between(items: Sequence[_Diagnosis], table: CodeSystem) -> dict[str, list[_Diagnosis]]:
    """code -> the diagnoses that notes put before it. Notes of blocks and chapters do not order codes."""
    at = {item.index: item for item in items}
    after: dict[str, list[_Diagnosis]] = {}
    for kind in ("code_first", "use_additional"):  # where two notes disagree, the first kind wins
        for i, j, note in table.named_in_notes(kind, list(at)):
            before, behind = (at[j], at[i]) if kind == "code_first" else (at[i], at[j])
            known = after.setdefault(behind.code.code, [])
            stands_at_code = table.note_of(note)[0] in table
            if i != j and stands_at_code and before not in known and behind not in after.get(before.code.code, ()):
                known.append(before)
    return after


# ---- what is said of it


def _first(item: _Diagnosis, reasons: Sequence[SequenceRow], setting: str) -> Proposal:
    """Why this code is principal or first-listed."""
    row = item.row
    evidence = item.code.evidence
    if row is None or item.place not in ("first", "obstetric", "poisoning"):
        row = reasons[min(item.reason[0], len(reasons) - 1)]
        said = [e for e in evidence if not row.sections or e.evidence.section in row.sections]
        evidence = tuple(said) or evidence
    kind = "principal" if setting == "inpatient" else "first_listed"
    return Proposal(kind, item.code.code, row.sentence.format(code=item.code.code), row.authority, _places(evidence))


def _placed(
    item: _Diagnosis,
    position: int,
    base: Sequence[_Diagnosis],
    after: dict[str, list[_Diagnosis]],
    placed: Sequence[_Diagnosis],
) -> list[Proposal]:
    """Why a code stands where it does, if a rule put it there."""
    before = [e for e in after.get(item.code.code, ()) if placed.index(e) < position - 1]
    moved = [e for e in before if base.index(e) > base.index(item)]
    row, other = item.row, item.other
    if moved or (before and item.place == "diagnosis"):
        row, other = _class_row("after", ""), (moved or before)[0].code.code
    if row is None or position == 1:
        return []
    said = row.sentence.format(code=item.code.code, other=other)
    return [Proposal("sequence", str(position), said, row.authority)]


def _places(evidence: Sequence[DocumentEvidence], most: int = 3) -> tuple[Place, ...]:
    return tuple(e.place for e in evidence[:most])


def _class_row(place: str, setting: str) -> SequenceRow:
    return next(r for r in _rows_of(place) if r.setting in ("", setting))


def _rows_of(place: str) -> tuple[SequenceRow, ...]:
    return tuple(r for r in read_sequence() if r.kind == "class" and r.place == place)
