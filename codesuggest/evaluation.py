"""How good suggestions are on coded documents: precision, recall, ranking, evidence, calibration, with intervals.

Everything is a ratio of sums over documents. `score` counts each document once (a row of `Evaluation.sums`); figures,
breakdowns and bootstrap intervals are then weighted sums of those rows, so that none of them reads a note again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.coded import CodedDocument
from codesuggest.errors import InputError, OptionError
from codesuggest.records import NoteResult

if TYPE_CHECKING:
    from codesuggest.suggester import CodeSuggester

Floats = npt.NDArray[np.float64]
Spans = tuple[tuple[int, int], ...]  #: (start, end) in code points, end exclusive
Result = NoteResult | Mapping[str, Any]  #: a result, or its line in a batch as a dict

#: What each figure says, in the order they are shown. Ratios and errors lie in [0, 1].
FIGURES = {
    "P": "suggested codes that the coders gave, in any tier",
    "R": "required codes found among the suggested",
    "F1": "2PR / (P + R)",
    "P3": "P at the three-character category",
    "R3": "R at the three-character category",
    "F13": "F1 at the three-character category",
    "MAP": "mean average precision of the ranked list, over required codes",
    "R@10": "required codes found among the 10 best",
    "R@200": "required codes found among the 200 best",
    "evidence": "right suggested codes whose evidence meets the coders'",
    "ECE": "gap between confidence and rightness, in 10 bins",
    "Brier": "mean squared gap of confidence and rightness",
    "suggested_per_note": "codes suggested a document",
    "required": "required codes, a count",
}
#: What is counted of a document. The three of a bin (n, sum of confidence, right) follow, bin by bin.
_COUNTED = (
    "documents", "unread", "ranked", "average_precision", "required", "found", "found10", "found200", "suggested",
    "right", "required3", "found3", "suggested3", "right3", "located", "locatable", "squared_error",
)  # fmt: skip
_COLUMN = {name: i for i, name in enumerate(_COUNTED)}
BINS = 10  #: of confidence, equally wide
CALIBRATION_FLOOR = 0.05  #: confidence; the hundreds of suggestions below it would drown calibration
CALIBRATION_TOP = 20  #: suggestions a document that calibration looks at, so that no long list outvotes the others
EVIDENCE_LONGEST = 120  #: code points; to highlight the whole note is not to locate anything
_CHUNK = 2**22  #: bootstrap weights held at once: 32 MB
_KEYS = ("document_type", "group", "policy", "setting")


class Bin(NamedTuple):
    """A stretch of the reliability curve: of `n` suggestions at `low` <= confidence < `high`, the share that is right.

    `confidence` is their mean confidence, equal to `right` in a calibrated model; both are None in an empty bin. The
    last bin includes confidence 1.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    right: float | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluation:
    """Figures of one model (or of anyone's results) on coded documents, in one code system.

    system: the code system measured. threshold: confidence from which codes counted as suggested, None where the
    results' own marks did. sums: float64 (documents, columns), what was counted of each. keys: of each document, in
    the same order, what `by` can group it by. No text of a document is kept.
    """

    system: str
    threshold: float | None
    sums: Floats
    keys: tuple[Mapping[str, str], ...]

    def __post_init__(self) -> None:
        self.sums.setflags(write=False)

    @property
    def documents(self) -> int:
        """How many were measured."""
        return len(self.sums)

    @property
    def unread(self) -> int:
        """How many of them gave an error and counted as documents without a suggestion."""
        return int(self.sums[:, _COLUMN["unread"]].sum())

    @property
    def figures(self) -> dict[str, float]:
        """Name -> value, see `FIGURES`. A ratio over nothing is 0, as where no code was suggested."""
        return {name: float(value) for name, value in _figures(self.sums.sum(0)).items()}

    @property
    def reliability(self) -> tuple[Bin, ...]:
        """The reliability curve, from low to high confidence, over the suggestions that ECE looks at."""
        out = []
        for i, (n, confidence, right) in enumerate(self.sums.sum(0)[len(_COUNTED) :].reshape(BINS, 3).tolist()):
            means = (confidence / n, right / n) if n else (None, None)
            out.append(Bin(i / BINS, (i + 1) / BINS, int(n), *means))
        return tuple(out)

    def intervals(self, *, level: float = 0.95, samples: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Figure -> (low, high): the percentile bootstrap over documents (Efron and Tibshirani 1993, chapter 13).

        Documents are drawn with replacement `samples` times; where several are of one patient they hang together, and
        the interval is too narrow. "required", a count, has none. Takes about 0.1 s for 1,000 documents.

        Raises OptionError for a level outside (0, 1) or fewer than one sample.
        """
        if not 0 < level < 1 or samples < 1:
            raise OptionError("level must lie between 0 and 1, and samples be at least 1")
        n, rng = self.documents, np.random.default_rng(seed)
        step = max(1, _CHUNK // n)
        drawn = []
        for start in range(0, samples, step):
            # how often each document is drawn: its weight in the sums
            weights = rng.multinomial(n, np.full(n, 1 / n), size=min(step, samples - start)).astype(np.float64)
            drawn.append(weights @ self.sums)
        figures = _figures(np.concatenate(drawn))
        ends = [(1 - level) / 2, (1 + level) / 2]
        out = {}
        for name in FIGURES:
            if name != "required":
                low, high = np.quantile(figures[name], ends).tolist()
                out[name] = (low, high)
        return out

    def by(self, key: str) -> dict[str, Evaluation]:
        """An evaluation for each value of "document_type", "setting", "policy" or "group", in order of the value.

        A document that does not say its type or setting goes by what the model took it for, else by "unknown". Raises
        OptionError for another key.
        """
        if key not in _KEYS:
            raise OptionError(f"key must be one of {', '.join(_KEYS)}")
        values = np.array([row[key] for row in self.keys])
        out = {}
        for value in sorted(set(values.tolist())):
            rows = np.flatnonzero(values == value)
            out[value] = Evaluation(self.system, self.threshold, self.sums[rows], tuple(self.keys[i] for i in rows))
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: what was measured, figures, their 95% intervals [low, high], and the reliability curve."""
        return {
            "system": self.system,
            "threshold": self.threshold,
            "documents": self.documents,
            "unread": self.unread,
            "figures": self.figures,
            "intervals": {name: list(ends) for name, ends in self.intervals().items()},
            "reliability": [b._asdict() for b in self.reliability],
        }

    def __repr__(self) -> str:
        figures = self.figures
        told = ", ".join(f"{name} {figures[name]:.3f}" for name in ("MAP", "F1", "R@10", "ECE"))
        return f"<Evaluation of {self.documents} documents in {self.system}: {told}>"

    def __str__(self) -> str:
        bar = "as marked by the model" if self.threshold is None else f"from confidence {self.threshold:g}"
        unread = f", {self.unread} of them could not be read" if self.unread else ""
        lines = [f"{self.system}: {self.documents} documents{unread}; suggested {bar}", ""]
        lines.append(f"{'figure':<20}{'value':>8}   95% interval")
        intervals = self.intervals()
        for name, value in self.figures.items():
            shown = f"{value:8.0f}" if name == "required" else f"{value:8.3f}"
            ends = "{:.3f} - {:.3f}".format(*intervals[name]) if name in intervals else ""
            lines.append(f"{name:<20}{shown}   {ends:<16}{FIGURES[name]}")
        lines += ["", f"{'confidence':<20}{'n':>8}   {'mean':<8}right"]
        for b in self.reliability:
            if b.confidence is not None and b.right is not None:
                lines.append(f"{b.low:.1f} - {b.high:<14.1f}{b.n:>8}   {b.confidence:<8.3f}{b.right:.3f}")
        return "\n".join(lines)


def evaluate(
    model: CodeSuggester,
    documents: Iterable[CodedDocument],
    *,
    system: str = "icd10cm",
    threshold: float | None = None,
    limit: int = 200,
) -> Evaluation:
    """Ask the model for the codes of coded documents, and compare.

    documents: read lazily, one at a time; those not coded in `system` are left out before the model sees them. Each is
        asked with its own setting, document type and service date. threshold: as in `suggest`: confidence in [0, 1]
        from which a code counts as suggested, None is the model's own. limit: suggestions ranked a document.

    Figures are those of `score`. A document that cannot be read counts as one without suggestions (`unread`). Raises
    OptionError when no document was coded in `system`, or for an impossible option.
    """

    def result(document: CodedDocument) -> NoteResult | None:
        try:
            return model.suggest(
                document.text,
                id=document.id,
                service_date=document.service_date,
                setting=document.setting,
                document_type=document.document_type,
                systems=[system],
                limit=limit,
                threshold=threshold,
            )
        except InputError:  # as in a batch, a document that cannot be read is one without suggestions
            return None

    # the model applied the threshold, and knows what it never suggests (a bare laboratory value)
    counted = _count(documents, result, system, None)
    return Evaluation(system, threshold, counted.sums, counted.keys)


def score(
    documents: Iterable[CodedDocument],
    results: Iterable[Result],
    *,
    system: str = "icd10cm",
    threshold: float | None = None,
) -> Evaluation:
    """Compare results that are already there with coded documents, by id; results of other documents are not looked at.

    results: of `suggest` with `id=`, or lines of a batch as dicts; also another product's, in that form. A line that is
        an error counts as no suggestion. threshold: confidence in [0, 1] from which a code counts as suggested; None
        takes the results' own marks.

    Codes are compared without dots and in capitals; a code listed twice counts once, where it first stands. A required
    code is found by itself or by a gold code that is an alternative for it (`Label.alt_for`). In the ranked list a code
    that is merely acceptable, or an alternative of one found before, is skipped: neither right nor wrong. Evidence
    meets the gold's if a piece of at most 120 code points covers half of a gold span or lies within one. ECE (Guo et
    al. 2017, equation 3; ten equal bins) and the Brier score (Brier 1950) look at suggestions of confidence 0.05 and
    more, the first 20 a document. Documents not coded in `system` are left out, and, as in the CodiEsp shared task,
    those with policy "mentions" that hold none of its codes.

    Raises OptionError when no document was coded in `system`; InputError for an id that stands twice or has no result,
    a confidence that is no probability, and marks that are missing where no threshold is given.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise OptionError("threshold must lie in [0, 1]")
    known: dict[str, Result] = {}
    for result in results:
        id = result.id if isinstance(result, NoteResult) else str(result["id"])
        if id in known:
            raise InputError(f"two results have the id {id!r}; ids must be those of the documents")
        known[id] = result

    def of(document: CodedDocument) -> Result:
        if document.id not in known:
            raise InputError(f"no result has the id {document.id!r}; every document needs one")
        return known[document.id]

    return _count(documents, of, system, threshold)


def _count(
    documents: Iterable[CodedDocument],
    result_of: Callable[[CodedDocument], Result | None],
    system: str,
    threshold: float | None,
) -> Evaluation:
    sums, keys, seen = [], [], set()
    for document in documents:
        gold = _gold(document, system)
        if gold is None:
            continue
        if document.id in seen:
            raise InputError(f"two documents have the id {document.id!r}")
        seen.add(document.id)
        result = result_of(document)
        ranked = _ranking(result, system, threshold)
        squared_error, bins = _calibration(gold, ranked)
        located = [_meets(s.evidence, gold.codes[s.code]) for s in ranked if s.suggested and gold.codes.get(s.code)]
        row = {
            "documents": 1,
            "unread": result is None or (isinstance(result, Mapping) and result.get("error") is not None),
            "ranked": bool(gold.finds),
            "average_precision": _average_precision(gold, ranked),
            "found10": _level(gold, ranked[:10])["found"],
            "found200": _level(gold, ranked[:200])["found"],
            **_level(gold, [s for s in ranked if s.suggested]),
            **{f"{name}3": n for name, n in _level(gold, [s for s in ranked if s.suggested], 3).items()},
            "located": sum(located),
            "locatable": len(located),
            "squared_error": squared_error,
        }
        sums.append([*(float(row[name]) for name in _COUNTED), *bins.ravel().tolist()])
        keys.append({key: _key(document, result, key) for key in _KEYS})
    if not sums:
        raise OptionError(f"no document was coded in {system}: name another system, or see `systems` of CodedDocument")
    return Evaluation(system, threshold, np.array(sums, np.float64), tuple(keys))


class _Gold(NamedTuple):
    codes: dict[str, Spans]  #: every code of any tier -> its evidence
    finds: dict[str, set[str]]  #: required code -> the codes that find it


class _Listed(NamedTuple):
    code: str
    confidence: float
    suggested: bool
    evidence: Spans


def _plain(code: str) -> str:
    return code.replace(".", "").upper()


def _gold(document: CodedDocument, system: str) -> _Gold | None:
    """The codes to be found, None where the document says nothing about the system."""
    own = {_plain(label.code): label for label in document.codes if label.system == system}
    if system not in document.systems or (document.policy == "mentions" and not own):
        return None
    finds = {code: {code} for code, label in own.items() if label.tier == "required"}
    for code, label in own.items():
        for other in label.alt_for:
            if _plain(other) in finds:
                finds[_plain(other)].add(code)
    return _Gold({code: label.evidence for code, label in own.items()}, finds)


def _ranking(result: Result | None, system: str, threshold: float | None) -> list[_Listed]:
    """The listed codes of one system in their order, each once."""
    rows = result.to_dict() if isinstance(result, NoteResult) else result or {}
    out: dict[str, _Listed] = {}
    for row in rows.get("suggestions") or ():
        if row.get("system", "icd10cm").lower().replace("-", "") != system:  # other products write ICD-10-CM
            continue
        code, confidence, marked = _plain(row["code"]), float(row["confidence"]), row.get("suggested")
        if not (math.isfinite(confidence) and 0 <= confidence <= 1):
            raise InputError(f"the confidence of {code} is no probability in [0, 1]")
        if marked is None and threshold is None:
            raise InputError(f"{code} is not marked as suggested or not; give a threshold")
        suggested = bool(marked) if threshold is None else confidence >= threshold
        evidence = tuple((e["start"], e["end"]) for e in row.get("evidence") or ())
        out.setdefault(code, _Listed(code, confidence, suggested, evidence))
    return list(out.values())


def _key(document: CodedDocument, result: Result | None, key: str) -> str:
    value = getattr(document, key)
    if value is None:
        value = result.get(key) if isinstance(result, Mapping) else getattr(result, key, None)
    return "unknown" if value is None else str(value)


def _level(gold: _Gold, listed: Iterable[_Listed], length: int | None = None) -> dict[str, int]:
    """Hits of the listed with every code cut to `length` characters and then counted once."""
    given = {s.code[:length] for s in listed}
    finds: dict[str, set[str]] = {}
    for code, found_by in gold.finds.items():
        finds.setdefault(code[:length], set()).update(c[:length] for c in found_by)
    return {
        "required": len(finds),
        "found": sum(not found_by.isdisjoint(given) for found_by in finds.values()),
        "suggested": len(given),
        "right": len(given & {code[:length] for code in gold.codes}),
    }


def _average_precision(gold: _Gold, ranked: Iterable[_Listed]) -> float:
    """Sum of the precision at each required code found, over the number of required codes; 0 without any."""
    missing, rank, hits, total = set(gold.finds), 0, 0, 0.0
    for s in ranked:
        found = sorted(code for code in missing if s.code in gold.finds[code])
        if not found and s.code in gold.codes:
            continue
        rank += 1
        if found:
            # an alternative for two required codes finds one of them, and a required code itself first
            missing.discard(s.code if s.code in found else found[0])
            hits += 1
            total += hits / rank
    return total / len(gold.finds) if gold.finds else 0.0


def _meets(evidence: Iterable[tuple[int, int]], gold: Iterable[tuple[int, int]]) -> bool:
    short = [(start, end) for start, end in evidence if end - start <= EVIDENCE_LONGEST]
    for first, last in gold:
        for start, end in short:
            common = min(end, last) - max(start, first)
            if common > 0 and (2 * common >= last - first or (first <= start and end <= last)):
                return True
    return False


def _calibration(gold: _Gold, ranked: Sequence[_Listed]) -> tuple[float, Floats]:
    """Sum of squared errors, and (bins, 3): n, sum of confidence, right, over the suggestions worth looking at."""
    looked_at = [s for s in ranked if s.confidence >= CALIBRATION_FLOOR][:CALIBRATION_TOP]
    confidence = np.array([s.confidence for s in looked_at], np.float64)
    right = np.array([s.code in gold.codes for s in looked_at], np.float64)
    bins = np.zeros((BINS, 3))
    bin_of = np.minimum(BINS - 1, (confidence * BINS).astype(np.int64))
    np.add.at(bins, bin_of, np.c_[np.ones_like(right), confidence, right])
    return float(((confidence - right) ** 2).sum()), bins


def _figures(sums: Floats) -> dict[str, Floats]:
    """Figures, each (...), from weighted sums over documents, (..., columns)."""
    of = {name: sums[..., i] for name, i in _COLUMN.items()}
    n, confidence, right = np.moveaxis(sums[..., len(_COUNTED) :].reshape(*sums.shape[:-1], BINS, 3), -1, 0)

    def ratio(a: Floats, b: Floats) -> Floats:
        return np.divide(a, b, out=np.zeros_like(a), where=b > 0)

    p, r = ratio(of["right"], of["suggested"]), ratio(of["found"], of["required"])
    p3, r3 = ratio(of["right3"], of["suggested3"]), ratio(of["found3"], of["required3"])
    looked_at = n.sum(-1)
    return {
        "P": p,
        "R": r,
        "F1": ratio(2 * p * r, p + r),
        "P3": p3,
        "R3": r3,
        "F13": ratio(2 * p3 * r3, p3 + r3),
        "MAP": ratio(of["average_precision"], of["ranked"]),
        "R@10": ratio(of["found10"], of["required"]),
        "R@200": ratio(of["found200"], of["required"]),
        "evidence": ratio(of["located"], of["locatable"]),
        "ECE": ratio(np.abs(confidence - right).sum(-1), looked_at),
        "Brier": ratio(of["squared_error"], looked_at),
        "suggested_per_note": ratio(of["suggested"], of["documents"]),
        "required": of["required"],
    }
