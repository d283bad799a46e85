"""The notes that the starter's ranker is fitted on, each answered by a ranker that has not seen it.

    bench = Bench.load()                         read the notes, draft the tables, count what is coded: once
    answers = bench.crossed()                    every note answered by a ranker of the other folds
    answers = bench.left_out(bench.by_type())    every note answered by a ranker of the other types of document
    answers.evaluation(), answers.losses()       by `evaluate` and `losses` of the library, as of any model

All steps are those of `codesuggest model build`: `training.prepared`, `Taught`, `example_of`, `_fit`, `calibrate`,
`_best_threshold`. What labels are looked at for (weights, priors, calibration, threshold) is taken from documents of other
groups; the associations come from CodiEsp, none of whose documents is measured here.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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


def sources_here() -> Sources:
    """What the starter is made from in this checkout."""
    if not DATA.is_dir():
        told(f"{DATA} is not there (set CODESUGGEST_DATA): no ACI-Bench visits, no associations of CodiEsp")
    return training.starter_sources(DATA if DATA.is_dir() else None, ROOT / "corpora")


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
        found, _ = listed(
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

    change: what is made of every example before it is used, as one without some features. more: documents to fit on besides in
    `crossed`, where their group is not the one held out; they are never answered and count for no prior.
    """

    taught: Taught
    documents: Sequence[CodedDocument]
    readings: Sequence[Reading]
    config: SuggestConfig
    change: Callable[[Example], Example] = lambda example: example
    more: Sequence[tuple[CodedDocument, Reading]] = ()
    kept: dict[Any, list[Example]] | None = field(
        default=None, repr=False
    )  #: examples, for benches that differ in `change`

    @classmethod
    def load(cls, sources: Sources | None = None) -> Bench:
        """From the tables, lists and notes of this checkout and the reference data, if there."""
        sources = sources or sources_here()
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

    def by_type(self) -> dict[str, list[int]]:
        """Type -> places of its documents."""
        types = [type_of(d) for d in self.documents]
        return {name: [i for i, own in enumerate(types) if own == name] for name in sorted(set(types))}

    def by_fold(self, seed: int = 0) -> dict[str, list[int]]:
        """Fold -> places of its documents, those of a group in one fold."""
        folds = training._folds([group_of(d) for d in self.documents], seed)
        return {f"fold {k}": [i for i, own in enumerate(folds) if own == k] for k in sorted(set(folds))}

    def without(self, groups: set[str]) -> Taught:
        """What is taught where the documents of some groups were not there: only the priors were counted in them."""
        return replace(self.taught, counts=self.taught.counts.without(groups))

    def examples(self, without: set[str], places: Iterable[int]) -> list[Example]:
        """Those of some documents where the documents of some groups were not there."""
        key = (frozenset(without), tuple(places))
        if self.kept is None or key not in self.kept:
            taught = self.without(without)
            pairs = [(self.documents[i], self.readings[i]) for i in key[1]]
            made = training.examples_of(taught, pairs, self.config, 0)
            if self.kept is None:
                return [self.change(example) for example in made]
            self.kept[key] = made
        return [self.change(_copied(example)) for example in self.kept[key]]

    def crossed(self, seed: int = 0, folds: Sequence[int] | None = None, leaving: Collection[str] = ()) -> Answers:
        """Every document answered by a ranker fitted on the other folds. folds: those to answer, by default all. leaving:
        types of document that are neither answered nor fitted on.

        Knots and threshold of a fold are chosen on the out-of-fold scores of the other folds: none of its own scores or
        labels, but those scores are of rankers that were fitted on it too. `left_out(by_fold())` has not even that, and takes
        four times as long.
        """
        left = {i for i, d in enumerate(self.documents) if type_of(d) in leaving}
        parts = [
            (name, [i for i in places if i not in left])
            for k, (name, places) in enumerate(self.by_fold(seed).items())
            if folds is None or k in folds
        ]
        examples: dict[str, list[Example]] = {}
        scores: dict[str, list[Any]] = {}
        rankers = {}
        for name, held in parts:
            unseen = {group_of(self.documents[i]) for i in {*held, *left}}
            places = [i for i, d in enumerate(self.documents) if group_of(d) not in unseen]
            more, taught = [pair for pair in self.more if group_of(pair[0]) not in unseen], self.without(unseen)
            kept, pairs = self.examples(unseen, places), [(self.documents[i], self.readings[i]) for i in places]
            kept += [self.change(e) for e in training._by_other_hands(taught, pairs, kept, self.config, 0)]
            kept += [training.example_of(taught, d, r, self.config) for d, r in more]
            rankers[name] = training._fit(kept)
            examples[name] = self.examples(unseen, held)
            for example in examples[name]:
                rankers[name].complete(example.table, example.hits)
            scores[name] = [rankers[name].score(example.table.x) for example in examples[name]]
            told(f"{name}: fitted on {len(places) + len(more)} notes, {len(held)} answered")
        answered: dict[str, Held] = {}
        thresholds = {}
        for name, held in parts:
            others = [(e, s) for n, _ in parts if n != name for e, s in zip(examples[n], scores[n], strict=True)]
            knots = training.calibrate(
                np.concatenate([s for _, s in others]), np.concatenate([e.right for e, _ in others])
            )
            ranker = replace(rankers[name], knots_score=knots[0], knots_confidence=knots[1])
            confidence = [ranker.confidence(s) for _, s in others]
            thresholds[name] = training._best_threshold([e for e, _ in others], confidence, self.taught.engine)
            ranker = replace(ranker, threshold=thresholds[name])
            for i, example in zip(held, examples[name], strict=True):
                answered[self.documents[i].text] = Held(self.readings[i], example, ranker)
        return self._answers(answered, thresholds)

    def left_out(self, parts: Mapping[str, Sequence[int]]) -> Answers:
        """Every document of each part answered by a ranker that is fitted, calibrated and given its threshold by
        `training.fit_ranker` on the documents of other groups than the part's."""
        answered: dict[str, Held] = {}
        thresholds = {}
        for name, held in parts.items():
            groups = {group_of(self.documents[i]) for i in held}
            taught = self.without(groups)
            kept = [i for i, d in enumerate(self.documents) if group_of(d) not in groups]
            ranker = training.fit_ranker(
                taught, [self.documents[i] for i in kept], [self.readings[i] for i in kept], self.config, 0
            )
            thresholds[name] = ranker.threshold
            for i, example in zip(held, self.examples(groups, held), strict=True):
                ranker.complete(example.table, example.hits)
                answered[self.documents[i].text] = Held(self.readings[i], example, ranker)
            told(f"without {name}: fitted on {len(kept)} notes, {len(held)} answered")
        return self._answers(answered, thresholds)

    def _answers(self, answered: Mapping[str, Held], thresholds: Mapping[str, float]) -> Answers:
        order = [d.text for d in self.documents if d.text in answered]
        return Answers(self, {text: answered[text] for text in order}, thresholds)


def _copied(example: Example) -> Example:
    """With features of its own, for a fit writes into them."""
    return replace(example, table=replace(example.table, x=example.table.x.copy()))
