"""Where recall is lost: for every required code the stage at which it was last seen (`stages.STAGES`); and the documents
that went worst.

A code that is not found in the note wants synonyms and abbreviations; one that is ranked low wants a better ranking; one
that is withheld as negated wants a look at the cue. The table says which of these is worth the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from codesuggest.coded import CodedDocument
from codesuggest.errors import InputError, OptionError
from codesuggest.levels import Levels, plain
from codesuggest.scoring import gold_of
from codesuggest.stages import STAGES, Explanation, Trace

if TYPE_CHECKING:
    from codesuggest.evaluation import Evaluation
    from codesuggest.suggester import CodeSuggester

_BY = ("document_type", "setting", "chapter")


class Loss(NamedTuple):
    """One required code of one document: how far it, or the code found in its place, came.

    code: the required one. reached: the one that came furthest, itself or an alternative. rank: from 1, None for what was
    no candidate. keys: what `Losses.by` can group it by.
    """

    document: str
    code: str
    reached: str
    stage: str
    rank: int | None
    confidence: float | None
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Losses:
    """Every required code of some documents, in one system, with its stage."""

    system: str
    rows: tuple[Loss, ...]

    @property
    def stages(self) -> dict[str, int]:
        """Stage -> required codes that came no further, in the order of the stages, those with any."""
        counts = Counter(row.stage for row in self.rows)
        return {stage: counts[stage] for stage in STAGES if counts[stage]}

    def by(self, key: str) -> dict[str, Losses]:
        """The losses for each value of "document_type", "setting" or "chapter". Raises OptionError for another key."""
        if key not in _BY:
            raise OptionError(f"stages are told by {', '.join(_BY)}")
        values = sorted({row.keys[key] for row in self.rows})
        return {v: replace(self, rows=tuple(row for row in self.rows if row.keys[key] == v)) for v in values}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: the counts, and every code that is not suggested."""
        lost = [{**row._asdict(), "keys": dict(row.keys)} for row in self.rows if row.stage != "suggested"]
        return {"system": self.system, "required": len(self.rows), "stages": self.stages, "lost": lost}

    def __str__(self) -> str:
        total = len(self.rows)
        lines = [f"{self.system}: {total} required codes", "", f"{'stage':<24}{'codes':>7}{'share':>8}{'left':>8}"]
        left = total
        for stage, n in self.stages.items():
            left -= n if stage != "suggested" else 0
            lines.append(f"{stage:<24}{n:>7}{n / total:>8.3f}{left / total:>8.3f}   {STAGES[stage]}")
        return "\n".join(lines)


def losses(
    model: CodeSuggester,
    documents: Iterable[CodedDocument],
    *,
    system: str = "icd10cm",
    threshold: float | None = None,
    limit: int | None = None,
) -> Losses:
    """Ask the model about every required code of coded documents, each with the document's own options.

    limit: codes that a coder is shown, by default the model's. The share "suggested" is R of `evaluate`; where coders
    marked no evidence, a phrase that was not found counts as not retrieved. Takes about twice as long as `evaluate`.

    Raises OptionError when no document has a required code in `system`, or for an impossible option.
    """
    rows: list[Loss] = []
    levels = Levels(model.tables.get(system))
    for document in documents:
        gold = gold_of(document, system)
        if gold is None or not gold.finds:
            continue
        trace = _trace(model, document, system, threshold, limit)
        told: dict[str, Explanation] = {}
        for code, finders in gold.finds.items():
            if trace is not None:
                told = {c: trace.of(c, gold.codes[c]) for c in sorted(finders, key=lambda c: (c != code, c))}
            best = max(told.values(), key=_how_far, default=None)
            keys = {
                "document_type": document.document_type or (trace and trace.result.document_type) or "unknown",
                "setting": document.setting or (trace.result.setting if trace else "unknown"),
                "chapter": levels.chapter(code),
            }
            if best is None:
                rows.append(Loss(document.id, code, code, "unread", None, None, keys))
            else:
                reached = plain(best.code)
                rows.append(Loss(document.id, code, reached, best.stage, best.rank, best.confidence, keys))
    if not rows:
        raise OptionError(f"no document has a required code in {system}")
    return Losses(system, tuple(rows))


def _how_far(told: Explanation) -> tuple[int, int]:
    return list(STAGES).index(told.stage), -(told.rank or 0)


def _trace(
    model: CodeSuggester, document: CodedDocument, system: str, threshold: float | None, limit: int | None
) -> Trace | None:
    """None for a document that cannot be read."""
    try:
        return model.trace(
            document.text,
            system=system,
            service_date=document.service_date,
            setting=document.setting,
            document_type=document.document_type,
            threshold=threshold,
            limit=limit,
        )
    except InputError:
        return None


class Worst(NamedTuple):
    """A document that went badly: required codes that nothing suggested finds, and suggested codes that are wrong."""

    document: str
    F1: float
    missed: tuple[str, ...]
    wrong: tuple[str, ...]


def worst_documents(evaluation: Evaluation, most: int) -> list[Worst]:
    """The documents to read first: with the lowest F1, then with the most codes missed or wrong. Codes without dots."""
    rows = []
    for place, case in enumerate(evaluation.cases):
        chosen = [s.code for s in case.listed if s.suggested]
        missed = tuple(sorted(code for code, by in case.gold.finds.items() if by.isdisjoint(chosen)))
        wrong = tuple(code for code in chosen if code not in case.gold.codes)
        if missed or wrong:
            rows.append(Worst(case.id, evaluation.of_documents([place]).figures["F1"], missed, wrong))
    return sorted(rows, key=lambda row: (row.F1, -len(row.missed) - len(row.wrong), row.document))[:most]
