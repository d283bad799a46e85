"""One coded document and one result: what was to be found, what was listed, and what is counted of the two.

    case_of(document, gold_of(document, system), result, ...)  ->  Case  ->  sums_of(case, levels)  ->  a row of numbers

A `Case` keeps codes, confidences and offsets, no text, so that the same document can be counted again with other codes
marked as suggested, or for some of its codes only (those of a chapter, those never seen in training).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.coded import CodedDocument
from codesuggest.errors import InputError
from codesuggest.levels import LEVELS, Levels, plain
from codesuggest.pipes.structure import StructureReader
from codesuggest.records import NoteResult

Floats = npt.NDArray[np.float64]
Spans = tuple[tuple[int, int], ...]  #: (start, end) in code points, end exclusive
Result = NoteResult | Mapping[str, Any]  #: a result, or its line in a batch as a dict

#: What is counted of a document. The three of a bin (n, sum of confidence, right) follow, bin by bin.
COUNTED = (
    "documents", "unread", "ranked", "average_precision", "found10", "found200",
    *(f"{name}{at}" for at in ("", *(f":{level}" for level in LEVELS)) for name in ("required", "found", "suggested", "right")),
    "located", "located_exactly", "located_share", "locatable", "squared_error",
)  # fmt: skip
COLUMN = {name: i for i, name in enumerate(COUNTED)}
BINS = 10  #: of confidence, equally wide
CALIBRATION_FLOOR = 0.05  #: confidence; the hundreds of suggestions below it would drown calibration
CALIBRATION_TOP = 20  #: suggestions a document that calibration looks at, so that no long list outvotes the others
EVIDENCE_LONGEST = 120  #: code points; to highlight the whole note is not to locate anything
_WORD = re.compile(r"\w+")


class Gold(NamedTuple):
    """What the coders gave. codes: every code of any tier -> its evidence. finds: required code -> the codes that find it."""

    codes: dict[str, Spans]
    finds: dict[str, set[str]]


class Listed(NamedTuple):
    """One code of a result. confidence: in [0, 1], None where its product gives none. sure: not from a bare laboratory
    value, which never suggests."""

    code: str
    confidence: float | None
    suggested: bool
    evidence: Spans
    sure: bool = True


class Case(NamedTuple):
    """One document. listed: in the result's order, each code once. section: of the evidence of a code, where it has any.

    shares: of a listed code, the best agreement in words of its evidence with the coders'.
    """

    id: str
    gold: Gold
    listed: tuple[Listed, ...]
    section: Mapping[str, str]
    shares: Mapping[str, float]
    unread: bool


def case_of(document: CodedDocument, gold: Gold, result: Result | None, system: str, threshold: float | None) -> Case:
    """Raises InputError for a result that is none."""
    rows = result.to_dict() if isinstance(result, NoteResult) else result or {}
    listed, section = _listing(rows, system, threshold)
    structure = None
    for code, spans in gold.codes.items():
        if spans:  # where the coders marked it; a document's structure is read only if they did
            structure = structure or _structure_reader().read(document.text)
            section[code] = structure.section_at(spans[0][0]).name or "no section"
    both = [s for s in listed if gold.codes.get(s.code)]
    shares = {s.code: _share_of_words(document.text, s.evidence, gold.codes[s.code]) for s in both}
    return Case(document.id, gold, listed, section, shares, result is None or rows.get("error") is not None)


@cache
def _structure_reader() -> StructureReader:
    return StructureReader()


def gold_of(document: CodedDocument, system: str) -> Gold | None:
    """The codes to be found, None where the document says nothing about the system."""
    own = {plain(label.code): label for label in document.codes if label.system == system}
    if system not in document.systems or (document.policy == "mentions" and not own):
        return None
    finds = {code: {code} for code, label in own.items() if label.tier == "required"}
    for code, label in own.items():
        for other in label.alt_for:
            if plain(other) in finds:
                finds[plain(other)].add(code)
    return Gold({code: label.evidence for code, label in own.items()}, finds)


def _listing(
    rows: Mapping[str, Any], system: str, threshold: float | None
) -> tuple[tuple[Listed, ...], dict[str, str]]:
    """The listed codes of one system in their order, each once; and the section of each one's first evidence."""
    out: dict[str, Listed] = {}
    section: dict[str, str] = {}
    for row in rows.get("suggestions") or ():
        if row.get("system", "icd10cm").lower().replace("-", "") != system:  # other products write ICD-10-CM
            continue
        code, marked = plain(row["code"]), row.get("suggested")
        confidence = None if row.get("confidence") is None else float(row["confidence"])
        if confidence is not None and not (math.isfinite(confidence) and 0 <= confidence <= 1):
            raise InputError(f"the confidence of {code} is no probability in [0, 1]")
        if marked is None and threshold is None:
            raise InputError(f"{code} is not marked as suggested or not; give a threshold")
        if confidence is None and threshold is not None:
            raise InputError(f"{code} has no confidence to hold against a threshold")
        suggested = bool(marked) if threshold is None else confidence is not None and confidence >= threshold
        evidence = row.get("evidence") or ()
        sure = not evidence or any(e.get("basis", "text") == "text" for e in evidence)
        spans = tuple((e["start"], e["end"]) for e in evidence)
        if code not in out:
            out[code] = Listed(code, confidence, suggested, spans, sure)
            if evidence:
                section[code] = evidence[0].get("section") or "no section"
    return tuple(out.values()), section


def sums_of(case: Case, levels: Levels, own: Callable[[str], bool] | None = None) -> list[float]:
    """A row of `COUNTED` and the bins. own: count some codes only; what is listed of others takes its place in the ranking,
    where it is right nowhere: a right one is skipped, a wrong one is wrong."""
    gold, listed = case.gold, case.listed
    looked_at = [s for s in listed if s.confidence is not None and s.confidence >= CALIBRATION_FLOOR][:CALIBRATION_TOP]
    suggested = [s for s in listed if s.suggested]
    finds = gold.finds
    if own is not None:
        looked_at = [s for s in looked_at if own(s.code)]
        finds = {code: by for code, by in gold.finds.items() if own(code)}
        if not finds and not looked_at and not any(own(s.code) for s in suggested):
            return [1.0, float(case.unread), *[0.0] * (len(COUNTED) - 2 + 3 * BINS)]
    chosen = {s.code for s in suggested}
    of_own = chosen if own is None else {code for code in chosen if own(code)}
    row: dict[str, float] = {
        "documents": 1,
        "unread": case.unread,
        "ranked": bool(finds),
        "average_precision": _average_precision(gold.codes, finds, listed),
        "found10": _found(finds, {s.code for s in listed[:10]}),
        "found200": _found(finds, {s.code for s in listed[:200]}),
        "required": len(finds),
        "found": _found(finds, chosen),
        "suggested": len(of_own),
        "right": len(of_own & gold.codes.keys()),
    }
    names = {code: levels.of(code) for code in {*gold.codes, *chosen}}
    for level in LEVELS:
        at = {code: name.get(level, code) for code, name in names.items()}
        row |= {f"{name}:{level}": n for name, n in _at_level(at, gold, finds, chosen, of_own).items()}
    where = [s for s in suggested if s.code in of_own and gold.codes.get(s.code)]
    row["locatable"] = len(where)
    row["located"] = sum(_meets(s.evidence, gold.codes[s.code]) for s in where)
    row["located_exactly"] = sum(not set(s.evidence).isdisjoint(gold.codes[s.code]) for s in where)
    row["located_share"] = sum(case.shares[s.code] for s in where)
    row["squared_error"], bins = _calibration(gold, looked_at)
    return [*(float(row[name]) for name in COUNTED), *bins.ravel().tolist()]


def _found(finds: Mapping[str, Collection[str]], given: set[str]) -> int:
    """How many required codes are found by the given ones."""
    return sum(not given.isdisjoint(by) for by in finds.values())


def _at_level(
    at: Mapping[str, str], gold: Gold, finds: Mapping[str, set[str]], chosen: set[str], own: set[str]
) -> dict[str, int]:
    """Hits with every code taken for its group, and each group counted once. at: code -> group."""
    needed: dict[str, set[str]] = {}
    for code, by in finds.items():
        needed.setdefault(at[code], set()).update(at[c] for c in by)
    given = {at[code] for code in own}
    return {
        "required": len(needed),
        "found": _found(needed, {at[code] for code in chosen}),
        "suggested": len(given),
        "right": len(given & {at[code] for code in gold.codes}),
    }


def _average_precision(codes: Collection[str], finds: Mapping[str, set[str]], ranked: Iterable[Listed]) -> float:
    """Sum of the precision at each required code found, over the number of required codes; 0 without any."""
    missing, rank, hits, total = set(finds), 0, 0, 0.0
    for s in ranked:
        found = sorted(code for code in missing if s.code in finds[code])
        if not found and s.code in codes:
            continue
        rank += 1
        if found:
            # an alternative for two required codes finds one of them, and a required code itself first
            missing.discard(s.code if s.code in found else found[0])
            hits += 1
            total += hits / rank
            if not missing:
                break
    return total / len(finds) if finds else 0.0


def _meets(evidence: Iterable[tuple[int, int]], gold: Iterable[tuple[int, int]]) -> bool:
    short = [(start, end) for start, end in evidence if end - start <= EVIDENCE_LONGEST]
    for first, last in gold:
        for start, end in short:
            common = min(end, last) - max(start, first)
            if common > 0 and (2 * common >= last - first or (first <= start and end <= last)):
                return True
    return False


def _share_of_words(text: str, evidence: Spans, gold: Spans) -> float:
    """The best intersection over union, in words, of a piece of evidence and a span of the coders'; in [0, 1]."""
    cut = {span: _words(text, *span) for span in {*evidence, *gold}}
    pairs = [(cut[a], cut[b]) for a in evidence for b in gold]
    return max((len(a & b) / len(a | b) for a, b in pairs if a | b), default=0.0)


def _words(text: str, start: int, end: int) -> frozenset[int]:
    """Where the words of text[start:end] begin."""
    return frozenset(m.start() for m in _WORD.finditer(text, start, end))


def _calibration(gold: Gold, looked_at: Sequence[Listed]) -> tuple[float, Floats]:
    """Sum of squared errors, and (bins, 3): n, sum of confidence, right."""
    confidence = np.array([s.confidence for s in looked_at], np.float64)
    right = np.array([s.code in gold.codes for s in looked_at], np.float64)
    bins = np.zeros((BINS, 3))
    bin_of = np.minimum(BINS - 1, (confidence * BINS).astype(np.int64))
    np.add.at(bins, bin_of, np.c_[np.ones_like(right), confidence, right])
    return float(((confidence - right) ** 2).sum()), bins
