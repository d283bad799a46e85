"""Chart: the documents of one encounter with their lines and sentences, for what is read around a piece of evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from codesuggest.pipes.structure import Structure, StructureReader
from codesuggest.records import DocumentEvidence, NoteResult

#: Documents in the order in which their statements count, whatever order they came in: what a coder would open first.
_ORDER = ("discharge_summary", "visit_note", None, "ed_note", "operative_report", "radiology_report", "lab_report")
_HISTORY = re.compile(r"\bhistory\b|\bhx\b|\bh/o\b|\bknown\b", re.I)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


@dataclass(frozen=True, slots=True)
class Page:
    """One document of an encounter. rank: its place among them, by type and then by id."""

    id: str
    document_type: str | None
    text: str
    structure: Structure
    rank: int


@lru_cache(maxsize=1)
def _reader() -> StructureReader:
    """Made once: it reads the word list of headings."""
    return StructureReader()


class Chart:
    """The documents of an encounter by id."""

    def __init__(self, results: Sequence[NoteResult]) -> None:
        reader = _reader()
        ordered = sorted(results, key=lambda r: (_ORDER.index(r.document_type), r.id))
        self.pages = {
            r.id: Page(r.id, r.document_type, r.text or "", reader.read(r.text or ""), rank)
            for rank, r in enumerate(ordered)
        }

    def __getitem__(self, document: str) -> Page:
        return self.pages[document]

    def sentence(self, e: DocumentEvidence) -> tuple[int, int]:
        """Start and end of the sentence around the beginning of the evidence; of the evidence itself between sentences."""
        found = self.pages[e.document].structure.sentence_at(e.evidence.start)
        return (found.start, found.end) if found else (e.evidence.start, e.evidence.end)

    def told_as_history(self, e: DocumentEvidence) -> bool:
        """Whether its sentence introduces the patient by it: "a 61-year-old with a history significant for kidney stones"."""
        start, _ = self.sentence(e)
        return _HISTORY.search(self.pages[e.document].text, start, e.evidence.start) is not None

    def words(self, document: str, start: int, end: int) -> list[tuple[str, int, int]]:
        """Lower-case words between two offsets of a document, with their places."""
        text = self.pages[document].text
        return [(m.group().lower(), m.start(), m.end()) for m in _WORD.finditer(text, start, end)]
