"""The notes that the starter's ranker is fitted on, each answered by a ranker that has not seen it.

    bench = Bench.load()                      read the notes, draft the tables, count what is coded: once
    answers = bench.crossed()                 every note answered by a ranker of the other folds
    answers = bench.left_out(bench.types)     every note answered by a ranker of the other types of document
    answers.evaluation(), answers.losses()    by `evaluate` and `losses` of the library, as of any model

All steps are those of `codesuggest model build`: `training.prepared`, `Taught`, `example_of`, `_fit`, `calibrate`,
`_best_threshold`. What labels are looked at for (weights, priors, calibration, threshold) is taken from documents of other
groups; the associations come from CodiEsp, none of whose documents is measured here.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from codesuggest import evaluate, training
from codesuggest.asked import CHARGE_LINE
from codesuggest.coded import CodedDocument
from codesuggest.config import SuggestConfig
from codesuggest.evaluation import Evaluation
from codesuggest.listing import listed
from codesuggest.losses import Losses, losses
from codesuggest.note import Reading
from codesuggest.records import NoteResult
from codesuggest.stages import Trace
from codesuggest.taught import Taught
from codesuggest.training import Example, Prepared, Sources

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
SYSTEM = "icd10cm"
POLICIES = ("billing",)
ALL = 100_000  #: suggestions, where none is to be cut off


def told(line: str) -> None:
    print(f"{time.process_time():6.0f} s  {line}", file=sys.stderr, flush=True)


def type_of(document: CodedDocument) -> str:
    """The type that was given; "aci" for the office visits of ACI-Bench, which are given none."""
    return document.document_type or "aci"


def group_of(document: CodedDocument) -> str:
    return document.group or document.id


@dataclass(frozen=True)
class Held:
    """One document as a ranker sees it that has not been fitted on it."""

    reading: Reading
    example: Example
    ranker: training.Ranker


@dataclass(frozen=True)
class Answers:
    """Stands in for a model: asked about one of the documents, answers with the ranker that has not seen it.

    thresholds: by the name of what was left out.
    """

    bench: Bench
    held: Mapping[str, Held] = field(repr=False)  #: by text
    thresholds: Mapping[str, float]

    @property
    def documents(self) -> list[CodedDocument]:
        return [held.example.document for held in self.held.values()]

    @property
    def tables(self) -> dict[str, Any]:
        return {SYSTEM: self.bench.taught.engine.system}

    @property
    def engines(self) -> dict[str, Any]:
        return {SYSTEM: self.bench.taught.engine}

    def suggest(self, text: str, *, limit: int, **_: Any) -> NoteResult:
        """The options of the document itself hold, which are those `evaluate` asks with."""
        held = self.held[text]
        document, table = held.example.document, held.example.table
        engine = replace(self.bench.taught.engine, ranker=held.ranker)
        day = document.service_date or engine.system.release
        found = listed(
            held.reading, engine, held.example.hits, table, self.bench.config, day=day, limit=limit, threshold=None
        )
        setting = document.setting or "outpatient"
        kind = held.reading.document_type
        return NoteResult("held out", setting, day, kind, (SYSTEM,), tuple(found), (), (), id=document.id)

    def trace(self, text: str, **_: Any) -> Trace:
        held = self.held[text]
        engine = replace(self.bench.taught.engine, ranker=held.ranker)
        result = self.suggest(text, limit=ALL)
        limit, bar = self.bench.config.limit, held.ranker.threshold
        return Trace(engine, held.reading, result, held.example.hits, held.example.table, bar, limit)

    def evaluation(self) -> Evaluation:
        return evaluate(self, self.documents, system=SYSTEM, seen={})  # type: ignore[arg-type]

    def losses(self) -> Losses:
        return losses(self, self.documents, system=SYSTEM)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Bench:
    """All that is known before a ranker is fitted. documents, readings: those coded for billing in ICD-10-CM.

    change: what is done to the examples of some documents before they are used, as to take a feature away.
    """

    taught: Taught
    documents: Sequence[CodedDocument]
    readings: Sequence[Reading]
    config: SuggestConfig
    change: Callable[[Example], None] = lambda _: None

    @classmethod
    def load(cls, sources: Sources | None = None) -> Bench:
        """From the tables, lists and notes of this checkout and the reference data, if there."""
        if sources is None:
            if not DATA.is_dir():
                told(f"{DATA} is not there (set CODESUGGEST_DATA): no ACI-Bench visits, no associations of CodiEsp")
            sources = training.starter_sources(DATA if DATA.is_dir() else None, ROOT / "corpora")
        documents = [d for d in sources.documents if d.document_type != CHARGE_LINE]
        known = training.prepared(
            documents, systems=sources.systems, idioms=sources.idioms, min_groups=1, progress=told
        )
        return cls.of(known)

    @classmethod
    def of(cls, known: Prepared) -> Bench:
        engine = next(e for e in known.engines if e.system.name == SYSTEM)
        taught = known.taught(engine, POLICIES, 1)
        own = [
            (d, r)
            for d, r in zip(known.documents, known.readings, strict=True)
            if d.policy in POLICIES and d.labels(SYSTEM) is not None
        ]
        if len({d.text for d, _ in own}) < len(own):
            raise SystemExit("two of the notes have the same text")
        told(f"{len(own)} notes are coded for billing in {SYSTEM}")
        return cls(taught, [d for d, _ in own], [r for _, r in own], SuggestConfig())

    @property
    def types(self) -> list[str]:
        return sorted({type_of(d) for d in self.documents})

    def without(self, groups: set[str]) -> Taught:
        """What is taught where the documents of some groups were not there: only the priors were counted in them."""
        counts = self.taught.counts
        billed, per_category = counts.billed.copy(), counts.billed_category.copy()
        for group in groups & counts.share.keys():
            codes, categories = counts.share[group]
            for i, weight in codes.items():
                billed[i] -= weight
            for k, n in categories.items():
                per_category[k] -= n
        share = {group: own for group, own in counts.share.items() if group not in groups}
        return replace(self.taught, counts=replace(counts, billed=billed, billed_category=per_category, share=share))

    def examples(self, taught: Taught, places: Iterable[int]) -> list[Example]:
        found = []
        for i in places:
            example = training.example_of(taught, self.documents[i], self.readings[i], self.config)
            self.change(example)
            found.append(example)
        return found

    def crossed(self, seed: int = 0, folds: Sequence[int] | None = None) -> Answers:
        """Every document answered by a ranker fitted on the other folds. folds: those to answer, by default all.

        Knots and threshold of a fold are chosen on the out-of-fold scores of the other folds: none of its own scores or
        labels, but those scores are of rankers that were fitted on it too.
        """
        fold_of = training._folds([group_of(d) for d in self.documents], seed)
        chosen = sorted(set(fold_of)) if folds is None else sorted(folds)
        examples: dict[int, Example] = {}
        scores: dict[int, Any] = {}
        rankers = {}
        for k in chosen:
            held = [i for i, f in enumerate(fold_of) if f == k]
            taught = self.without({group_of(self.documents[i]) for i in held})
            kept = self.examples(taught, (i for i, f in enumerate(fold_of) if f != k))
            rankers[k] = training._fit(kept)
            for i, example in zip(held, self.examples(taught, held), strict=True):
                rankers[k].complete(example.table, example.hits)
                examples[i], scores[i] = example, rankers[k].score(example.table.x)
            told(f"fold {k}: fitted on {len(kept)} notes, {len(held)} answered")
        answered: dict[str, Held] = {}
        thresholds = {}
        for k in chosen:
            others = [i for i in sorted(examples) if fold_of[i] != k]
            knots = training.calibrate(
                np.concatenate([scores[i] for i in others]), np.concatenate([examples[i].right for i in others])
            )
            ranker = replace(rankers[k], knots_score=knots[0], knots_confidence=knots[1])
            bar = training._best_threshold(
                [examples[i] for i in others], [ranker.confidence(scores[i]) for i in others], self.taught.engine
            )
            thresholds[f"fold {k}"] = bar
            for i in (i for i in examples if fold_of[i] == k):
                answered[self.documents[i].text] = Held(self.readings[i], examples[i], replace(ranker, threshold=bar))
        return self._answers(answered, thresholds)

    def left_out(self, types: Sequence[str]) -> Answers:
        """Every document of these types answered by a ranker fitted (`training.fit_ranker`) on all other types."""
        answered: dict[str, Held] = {}
        thresholds = {}
        for name in types:
            held = [i for i, d in enumerate(self.documents) if type_of(d) == name]
            groups = {group_of(self.documents[i]) for i in held}
            taught = self.without(groups)
            kept = [i for i, d in enumerate(self.documents) if group_of(d) not in groups]
            ranker = training.fit_ranker(
                taught, [self.documents[i] for i in kept], [self.readings[i] for i in kept], self.config, 0
            )
            thresholds[name] = ranker.threshold
            for i, example in zip(held, self.examples(taught, held), strict=True):
                ranker.complete(example.table, example.hits)
                answered[self.documents[i].text] = Held(self.readings[i], example, ranker)
            told(f"without {name}: fitted on {len(kept)} notes, {len(held)} answered")
        return self._answers(answered, thresholds)

    def _answers(self, answered: Mapping[str, Held], thresholds: Mapping[str, float]) -> Answers:
        order = [d.text for d in self.documents if d.text in answered]
        return Answers(self, {text: answered[text] for text in order}, thresholds)
