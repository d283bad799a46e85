"""What a code is counted with: its category, block and chapter, and how often it was seen in training.

A code given for another one of the same block is a smaller mistake than one from elsewhere; and a model is better at
codes that it saw often. Both are asked of codes as they are compared: without dots, in capitals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codesuggest.coded import CodedDocument
from codesuggest.codes.system import CodeSystem

if TYPE_CHECKING:
    from codesuggest.suggester import CodeSuggester

#: Levels above the code itself, from near to far, as they stand in the names of figures ("P:block").
LEVELS = ("category", "block", "chapter")
#: Bands of how often a code was given in training: from that number on, the name.
BANDS = ((50, "50 and more"), (10, "10 to 49"), (5, "5 to 9"), (2, "2 to 4"), (0, "1"))
UNSEEN, SEEN = "unseen", "seen"


def plain(code: str) -> str:
    """The code as it is compared."""
    return code.replace(".", "").upper()


@dataclass(frozen=True)
class Levels:
    """The hierarchy of one code system. table: None knows categories only (the first three characters).

    In ICD-10-CM blocks and chapters are those of the tabular list. ICD-10-PCS has its own: a category is section, body
    system and operation, a block section and body system, a chapter the section. A code that the table does not hold
    (of an older release, or a stem) goes by the longest part of it that the table does; without any it stands alone.
    """

    table: CodeSystem | None = None
    _known: dict[str, tuple[str, str]] = field(default_factory=dict, compare=False, repr=False)

    def of(self, code: str) -> dict[str, str]:
        """Level -> name of the group that a plain code belongs to; blocks and chapters only with a table."""
        category = code[:3]
        if self.table is None:
            return {"category": category}
        if code not in self._known:
            self._known[code] = self._groups(code)
        block, chapter = self._known[code]
        return {"category": category, "block": block, "chapter": chapter}

    def chapter(self, code: str) -> str:
        """Number and title of the chapter as one reads it, so that names sort as the chapters do; else "unknown"."""
        found = self._find(code)
        groups = self.table.groups_of(found) if self.table is not None and found is not None else []
        if not groups:
            return "unknown"
        name, title = groups[-1]
        return f"{name.zfill(2)} {title}" if name.isdigit() and self.table is not None else f"{name} {title}"

    def _groups(self, code: str) -> tuple[str, str]:
        if self.table is not None and self.table.name.startswith("icd10pcs"):
            return code[:2], code[:1]
        found = self._find(code)
        groups = self.table.groups_of(found) if self.table is not None and found is not None else []
        if not groups:
            return code, code
        return groups[0][0], groups[-1][0]

    def _find(self, code: str) -> int | None:
        if self.table is None:
            return None
        for length in range(len(code), 2, -1):
            if code[:length] in self.table:
                return self.table.index_of(code[:length])
        return None


def band_of(count: float) -> str:
    """The band of a code that was given so often in training; one merely acceptable counted half."""
    return UNSEEN if count <= 0 else next(name for least, name in BANDS if count >= least)


def seen_in(documents: Iterable[CodedDocument], system: str) -> dict[str, float]:
    """Plain code -> documents that were given it, of those a model was trained on."""
    counts: Counter[str] = Counter()
    for document in documents:
        counts.update(sorted({plain(c.code) for c in document.codes if c.system == system}))
    return dict(counts)


def seen_by(model: CodeSuggester, system: str) -> Mapping[str, float]:
    """Plain code -> how often it was given in the documents that the model's ranker was fitted on, as far as it knows."""
    engine = model.engines[system]
    counts = engine.learned.times_given()
    return {plain(engine.system.code(i)): round(float(counts[i]), 1) for i in counts.nonzero()[0].tolist()}
