"""How good suggestions are on coded documents: precision, recall, ranking, evidence, calibration, with intervals.

Everything is a ratio of sums over documents. `score` counts each document once (a row of `Evaluation.sums`, see
`scoring`); figures, breakdowns and bootstrap intervals are then weighted sums of those rows, so that none of them reads a
note again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.coded import CodedDocument
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import InputError, OptionError
from codesuggest.figures import FEWER_IS_BETTER, FIGURES, OF_TABLE, figures_of, macro_of, per_code
from codesuggest.levels import BANDS, SEEN, UNSEEN, Levels, band_of, plain, seen_by
from codesuggest.records import NoteResult
from codesuggest.scoring import BINS, COLUMN, COUNTED, Case, Listed, Result, case_of, gold_of, sums_of

if TYPE_CHECKING:
    from codesuggest.suggester import CodeSuggester

Floats = npt.NDArray[np.float64]

TOP = (5, 8, 15)  #: how many codes a coder may look at, in tables of what that finds
DOCUMENT_KEYS = ("document_type", "group", "policy", "setting")
CODE_KEYS = ("chapter", "section", "band", "seen")
_CHUNK = 2**22  #: bootstrap weights held at once: 32 MB


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


class Operating(NamedTuple):
    """A threshold on confidence, and what it gives on the documents it was chosen on, with 95% bootstrap intervals at it."""

    threshold: float
    precision: float
    precision_interval: tuple[float, float]
    recall: float  #: the coverage: required codes found among those at or above the threshold
    recall_interval: tuple[float, float]
    suggested_per_note: float


class Point(NamedTuple):
    """One step of the precision/recall curve: what is true when codes count from `threshold` on."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Figures of one model (or of anyone's results) on coded documents, in one code system.

    system: the code system measured. threshold: confidence from which codes counted as suggested, None where the
    results' own marks did. sums: float64 (documents, columns), what was counted of each. keys: of each document, in
    the same order, what `by` can group it by. No text of a document is kept.

    cases: of each document the codes given and listed, for counting again. levels: the hierarchy. seen: plain code ->
    how often it was given in training, None where nobody said. part: in an evaluation of some codes only, which.
    """

    system: str
    threshold: float | None
    sums: Floats
    keys: tuple[Mapping[str, str], ...]
    cases: tuple[Case, ...] = ()
    levels: Levels = field(default_factory=Levels)
    seen: Mapping[str, float] | None = None
    part: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        self.sums.setflags(write=False)

    @property
    def documents(self) -> int:
        """How many were measured."""
        return len(self.sums)

    @property
    def unread(self) -> int:
        """How many of them gave an error and counted as documents without a suggestion."""
        return int(self.sums[:, COLUMN["unread"]].sum())

    @property
    def figures(self) -> dict[str, float]:
        """Name -> value, see `FIGURES`. A ratio over nothing is 0, as where no code was suggested.

        Blocks and chapters are there only with a code table, ECE and Brier only where every code has a confidence.
        """
        drawn = self._drawn(np.ones((1, self.documents)))
        return {name: float(drawn[name][0]) for name in self._names}

    @property
    def reliability(self) -> tuple[Bin, ...]:
        """The reliability curve, from low to high confidence, over the suggestions that ECE looks at."""
        out = []
        for i, (n, confidence, right) in enumerate(self.sums.sum(0)[len(COUNTED) :].reshape(BINS, 3).tolist()):
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
        drawn = self.resampled(samples, seed)
        ends = [(1 - level) / 2, (1 + level) / 2]
        out = {}
        for name in self._names:
            if name != "required":
                low, high = np.quantile(drawn[name], ends).tolist()
                out[name] = (low, high)
        return out

    def resampled(self, samples: int, seed: int) -> dict[str, Floats]:
        """Figure -> its value in each of so many bootstrap samples, (samples,). Two evaluations of the same documents in
        the same order see the same samples."""
        n, rng = self.documents, np.random.default_rng(seed)
        step = max(1, _CHUNK // max(n, 1 + self._per_code[0].shape[1]))
        drawn = []
        for start in range(0, samples, step):
            # how often each document is drawn: its weight in the sums
            weights = rng.multinomial(n, np.full(n, 1 / n), size=min(step, samples - start)).astype(np.float64)
            drawn.append(self._drawn(weights))
        return {name: np.concatenate([d[name] for d in drawn]) for name in self._names}

    @property
    def _names(self) -> list[str]:
        without = () if self.levels.table is not None else OF_TABLE
        if any(s.confidence is None for case in self.cases for s in case.listed):
            without = (*without, *FEWER_IS_BETTER)
        return [name for name in FIGURES if name not in without]

    def _drawn(self, weights: Floats) -> dict[str, Floats]:
        """Figures, each (samples,), with documents weighted so: (samples, documents)."""
        return figures_of(weights @ self.sums) | macro_of(*(weights @ counts for counts in self._per_code))

    @cached_property
    def _per_code(self) -> tuple[Any, Any, Any]:
        return per_code(self.cases, self._own())

    # -- counting again

    def by(self, key: str) -> dict[str, Evaluation]:
        """An evaluation for each value of a key, in order of the value.

        Of documents: "document_type", "setting", "policy", "group"; a document that does not say its type or setting goes
        by what the model took it for, else by "unknown". Of codes: "chapter"; "section", where the coders marked a code,
        else where the result found it; "band", how often a code was given in training, and "seen" or "unseen" there. In a
        part of the codes all documents count, and the ranked list is the whole one, without its other right codes.

        Raises OptionError for another key, and for band and seen where nobody said what the model was trained on.
        """
        if key in CODE_KEYS:
            return self._by_code(key)
        if key not in DOCUMENT_KEYS:
            raise OptionError(f"key must be one of {', '.join((*DOCUMENT_KEYS, *CODE_KEYS))}")
        values = [row[key] for row in self.keys]
        return {v: self.of_documents([i for i, own in enumerate(values) if own == v]) for v in sorted(set(values))}

    def of_documents(self, places: Sequence[int]) -> Evaluation:
        """Some of the documents, by their place, in that order."""
        cases = tuple(self.cases[i] for i in places) if self.cases else ()
        return replace(self, sums=self.sums[list(places)], keys=tuple(self.keys[i] for i in places), cases=cases)

    def _by_code(self, key: str) -> dict[str, Evaluation]:
        if self.part is not None:
            raise OptionError("a part of the codes is not divided again; divide the documents first")
        if key in ("band", "seen") and self.seen is None:
            raise OptionError(f"{key} needs to know what was trained on: give `seen`, as levels.seen_in makes it")
        value_of = self._value_of(key)
        values = {
            value_of(case)(code)
            for case in self.cases
            for code in {*case.gold.codes, *(s.code for s in case.listed if s.suggested)}
        }
        bands = (UNSEEN, *(name for _, name in reversed(BANDS)))
        order = [v for v in bands if v in values] if key == "band" else sorted(values)
        return {value: self._recounted(self.cases, part=(key, value)) for value in order}

    def _value_of(self, key: str) -> Callable[[Case], Callable[[str], str]]:
        seen = self.seen or {}
        if key == "section":
            return lambda case: lambda code: case.section.get(code, "no evidence")
        if key == "chapter":
            return lambda case: self.levels.chapter
        if key == "band":
            return lambda case: lambda code: band_of(seen.get(code, 0))
        return lambda case: lambda code: SEEN if seen.get(code, 0) > 0 else UNSEEN

    def _own(self) -> Callable[[Case], Callable[[str], bool]]:
        """Of a case, which codes are counted."""
        if self.part is None:
            return lambda case: lambda code: True
        value_of, value = self._value_of(self.part[0]), self.part[1]
        return lambda case: lambda code: value_of(case)(code) == value

    def _recounted(self, cases: Iterable[Case], **changes: Any) -> Evaluation:
        draft = replace(self, cases=tuple(cases), **changes)
        own = draft._own() if draft.part is not None else None
        sums = [sums_of(case, draft.levels, own(case) if own else None) for case in draft.cases]
        return replace(draft, sums=np.array(sums, np.float64))

    def at(self, *, threshold: float | None = None, k: int | None = None) -> Evaluation:
        """The same results with other codes taken as suggested: those from a confidence on, or the first k of each list.

        A code that rests on a bare laboratory value is never suggested by its confidence. Raises OptionError unless one of
        the two is given, threshold in [0, 1] or k of at least 1.
        """
        if (threshold is None) == (k is None) or (k is not None and k < 1) or not 0 <= (threshold or 0) <= 1:
            raise OptionError("give either threshold, in [0, 1], or k, of at least 1")

        def marked(n: int, s: Listed) -> Listed:
            if k is not None:
                return s._replace(suggested=n < k)
            return s._replace(suggested=s.sure and (s.confidence or 0.0) >= (threshold or 0.0))

        cases = [case._replace(listed=tuple(marked(n, s) for n, s in enumerate(case.listed))) for case in self.cases]
        return self._recounted(cases, threshold=threshold)

    def curve(self) -> tuple[Point, ...]:
        """Precision and recall at every confidence that occurs, from the highest to the lowest."""
        own = self._own()
        listed = [
            (s.confidence, s.code in case.gold.codes)
            for case in self.cases
            for s in case.listed
            if s.sure and s.confidence is not None and own(case)(s.code)
        ]
        best = np.sort(np.fromiter(self._reached(), np.float64))
        if not listed:
            return ()
        confidence, right = (np.array(column, np.float64) for column in zip(*listed, strict=True))
        order = np.argsort(-confidence, kind="stable")
        confidence, right = confidence[order], np.cumsum(right[order])
        last = np.flatnonzero(np.r_[confidence[1:] != confidence[:-1], True])
        found = len(best) - np.searchsorted(best, confidence[last])
        precision, recall = right[last] / (last + 1), found / max(1, len(best))
        rows = zip(confidence[last].tolist(), precision.tolist(), recall.tolist(), strict=True)
        return tuple(Point(*row) for row in rows)

    def _reached(self) -> Iterator[float]:
        """Of every required code the best confidence of what finds it; -1 where nothing listed does."""
        own = self._own()
        for case in self.cases:
            given = {s.code: s.confidence or 0.0 for s in case.listed if s.sure}
            for code, by in case.gold.finds.items():
                if own(case)(code):
                    yield max((given[c] for c in by if c in given), default=-1.0)

    def threshold_for(self, *, precision: float) -> Operating:
        """The lowest confidence from which at least this share of the codes is right on these documents, and its recall.

        Choose it on other documents than those it is reported on: the intervals do not know that it was chosen. Raises
        OptionError for a precision outside (0, 1], and where no threshold reaches it.
        """
        if not 0 < precision <= 1:
            raise OptionError("precision must lie in (0, 1]")
        curve = self.curve()
        reaching = [point.threshold for point in curve if point.precision >= precision]
        if not reaching:
            best = max((point.precision for point in curve), default=0.0)
            raise OptionError(
                f"no threshold gives a precision of {precision:g} on these documents; the best is {best:.3f}"
            )
        there = self.at(threshold=reaching[-1])
        figures, intervals = there.figures, there.intervals()
        return Operating(
            reaching[-1], figures["P"], intervals["P"], figures["R"], intervals["R"], figures["suggested_per_note"]
        )

    # -- shown

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
        told = ", ".join(f"{name} {figures[name]:.3f}" for name in ("MAP", "F1", "R@10", "ECE") if name in figures)
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
    seen: Mapping[str, float] | None = None,
) -> Evaluation:
    """Ask the model for the codes of coded documents, and compare.

    documents: read lazily, one at a time; those not coded in `system` are left out before the model sees them. Each is
        asked with its own setting, document type and service date. threshold: as in `suggest`: confidence in [0, 1]
        from which a code counts as suggested, None is the model's own. limit: suggestions ranked a document. seen: as in
        `score`; None asks the model.

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

    known = getattr(model, "engines", {}).get(system)
    if seen is None and known is not None:
        seen = seen_by(model, system)
    # the model applied the threshold, and knows what it never suggests (a bare laboratory value)
    counted = _count(documents, result, system, None, Levels(known.system if known is not None else None), seen)
    return replace(counted, threshold=threshold)


def score(
    documents: Iterable[CodedDocument],
    results: Iterable[Result],
    *,
    system: str = "icd10cm",
    threshold: float | None = None,
    table: CodeSystem | None = None,
    seen: Mapping[str, float] | None = None,
) -> Evaluation:
    """Compare results that are already there with coded documents, by id; results of other documents are not looked at.

    results: of `suggest` with `id=`, or lines of a batch as dicts; also another product's, in that form (`adapters`). A
        line that is an error counts as no suggestion. threshold: confidence in [0, 1] from which a code counts as
        suggested; None takes the results' own marks. table: the code system, for blocks and chapters. seen: plain code ->
        how often it was given in training, for bands (`levels.seen_in` counts it, `levels.seen_by` asks a model).

    Codes are compared without dots and in capitals; a code listed twice counts once, where it first stands. A required
    code is found by itself or by a gold code that is an alternative for it (`Label.alt_for`). In the ranked list a code
    that is merely acceptable, or an alternative of one found before, is skipped: neither right nor wrong. At a level of
    the hierarchy every code stands for its group, and each group of a document counts once; "hierarchy" adds up the
    counts of all four (Kiritchenko et al. 2005). A macro figure is the mean over the codes that were required, or
    suggested wrongly, of what is true of each; a required code is found as above.

    Evidence meets the gold's if a piece of at most 120 code points covers half of a gold span or lies within one. ECE (Guo
    et al. 2017, equation 3; ten equal bins) and the Brier score (Brier 1950) look at suggestions of confidence 0.05 and
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

    return _count(documents, of, system, threshold, Levels(table), seen)


def _count(
    documents: Iterable[CodedDocument],
    result_of: Callable[[CodedDocument], Result | None],
    system: str,
    threshold: float | None,
    levels: Levels,
    seen: Mapping[str, float] | None,
) -> Evaluation:
    sums, keys, cases, ids = [], [], [], set()
    for document in documents:
        gold = gold_of(document, system)
        if gold is None:
            continue
        if document.id in ids:
            raise InputError(f"two documents have the id {document.id!r}")
        ids.add(document.id)
        result = result_of(document)
        case = case_of(document, gold, result, system, threshold)
        sums.append(sums_of(case, levels))
        cases.append(case)
        keys.append({key: _key(document, result, key) for key in DOCUMENT_KEYS})
    if not sums:
        raise OptionError(f"no document was coded in {system}: name another system, or see `systems` of CodedDocument")
    given = None if seen is None else {plain(code): n for code, n in seen.items()}
    return Evaluation(system, threshold, np.array(sums, np.float64), tuple(keys), tuple(cases), levels, given)


def _key(document: CodedDocument, result: Result | None, key: str) -> str:
    value = getattr(document, key)
    if value is None:
        value = result.get(key) if isinstance(result, Mapping) else getattr(result, key, None)
    return "unknown" if value is None else str(value)
