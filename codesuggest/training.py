"""Coded documents -> CodeSuggester: terms, index, learned counts, ranker, calibration, threshold.

`train` is for anyone's documents; `build_starter` is the recipe of the model that ships. Everything is deterministic for
a seed: no step depends on the order of a set or on the hash seed, and ties are broken by code.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.coded import CodedDocument, read_coded, read_codiesp
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import Idiom, build, categories_of, entries_of
from codesuggest.config import SuggestConfig
from codesuggest.engine import Engine
from codesuggest.errors import CodeFileError, InputError
from codesuggest.features import COLUMN, Table
from codesuggest.learned import Counts, Learned, grams
from codesuggest.note import NoteReader, Reading
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.pipes.phrases import WordReader, common_words
from codesuggest.rank import Ranker
from codesuggest.retrieve import Hits, TermIndex
from codesuggest.suggester import CodeSuggester, starter_path

Floats = npt.NDArray[np.float64]

#: An acceptable code is right to suggest, but a required one is what the ranking is for.
ACCEPTABLE_WEIGHT = 0.3
#: Inverse strength of the L2 penalty over features scaled to unit deviation; flat between 0.02 and 2 in cross-validation.
STRENGTH = 0.3
FOLDS = 8
_RIVALS = [i for name, i in COLUMN.items() if name.startswith("rival:")]
_IDIOM_COLUMNS = ("code", "phrase", "kind", "common", "source")


@dataclass(frozen=True, slots=True)
class Example:
    """A document as the ranker is trained on it: its candidates in one system and which of them are right."""

    document: CodedDocument
    hits: Hits
    table: Table
    right: npt.NDArray[np.bool_]
    weight: Floats


def read_idioms(path: Path, system: CodeSystem) -> list[Idiom]:
    """Our list of ways of writing. Raises LexiconError, CodeFileError for a code the system does not bill."""
    idioms = []
    for row in read_lexicon(path, _IDIOM_COLUMNS, unique=("code", "phrase")):
        if row["code"] not in system or not system[row["code"]].billable:
            raise CodeFileError(f"{row['code']} is no billable code of {system!r}", path=path, line=row.line)
        kind = row.choice("kind", ("idiom", "abbrev", "lay", "drug"))
        common = row.number("common")
        idioms.append(Idiom(row["code"].replace(".", ""), row["phrase"], kind, int(common or 0)))
    return idioms


def train(
    documents: Iterable[CodedDocument],
    *,
    systems: Sequence[CodeSystem],
    idioms: Mapping[str, Sequence[Idiom]] | None = None,
    config: SuggestConfig | None = None,
    seed: int = 0,
    min_groups: int = 3,
    name: str = "model",
    about: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> CodeSuggester:
    """A model from coded documents.

    documents: those with policy "billing" train the ranker, those with "mentions" (every mention is coded) teach
        priors and associations only. systems: code tables to suggest from. idioms: by system name. min_groups: an n-gram
        is kept only if it occurs in documents of so many groups (patients); a public corpus may set 1 (invariant 5).
        progress: told a line a step.

    Raises InputError without a document to train the ranker on. Same input and seed, same model, byte for byte.
    """
    documents = list(documents)
    if not any(d.policy == "billing" for d in documents):
        raise InputError('no document with policy "billing" to train the ranker on; give at least a few dozen')
    config = config or SuggestConfig()
    words = WordReader()
    words.learn(common_words())
    entries = {system.name: entries_of(system) for system in systems}
    words.learn(
        sorted(
            {
                w
                for e in entries.values()
                for row in e
                for t in (row.title, *row.terms)
                for w in re.findall(r"[^\W_]+", t)
            }
        )
    )
    built = {}
    for system in systems:
        built[system.name] = build(entries[system.name], words.forms_of, (idioms or {}).get(system.name, ()))
        progress(f"{system.name}: {len(built[system.name][0].route):,} concepts, {len(built[system.name][1]):,} terms")
    vocabulary = sorted({form for _, terms in built.values() for forms in terms for form in forms})
    engines = []
    for system in systems:
        concepts, terms = built[system.name]
        categories = int(categories_of(system).max()) + 1
        engines.append(
            Engine(
                system,
                concepts,
                TermIndex.build(terms, vocabulary),
                Learned.nothing(len(system), categories),
                Ranker.nothing(),
            )
        )
    reader = NoteReader({form: i for i, form in enumerate(vocabulary)}, engines[0].index.idf, words)
    readings = [reader.read(d.text, d.document_type) for d in documents]
    progress(f"read {len(documents)} documents")
    trained = []
    for engine in engines:
        counts = Counts.of(engine.system, documents, [frozenset(grams(r)) for r in readings], min_groups=min_groups)
        engine = replace(engine, learned=counts.learned())
        ranker = fit_ranker(engine, counts, documents, readings, config, seed)
        progress(f"{engine.system.name}: threshold {ranker.threshold:.3f}")
        trained.append(replace(engine, ranker=ranker))
    return CodeSuggester(trained, vocabulary, words.known(), name=name, config=config, about=about)


def fit_ranker(
    engine: Engine,
    counts: Counts,
    documents: Sequence[CodedDocument],
    readings: Sequence[Reading],
    config: SuggestConfig,
    seed: int,
) -> Ranker:
    """Weights from all billed documents; knots and threshold from scores of documents the weights had not seen.

    The folds keep the documents of one group together.
    """
    examples = [
        example_of(engine, counts, d, r, config)
        for d, r in zip(documents, readings, strict=True)
        if d.policy == "billing" and d.labels(engine.system.name) is not None
    ]
    if not any(e.right.any() for e in examples):
        return Ranker.nothing()
    fold = _folds([e.document.group or e.document.id for e in examples], seed)
    scores: list[Floats] = [np.zeros(0)] * len(examples)
    for k in range(FOLDS):
        ranker = _fit([e for e, f in zip(examples, fold, strict=True) if f != k])
        for i, f in enumerate(fold):
            if f == k:
                ranker.complete(examples[i].table, examples[i].hits)
                scores[i] = ranker.score(examples[i].table.x)
    knots = calibrate(np.concatenate(scores), np.concatenate([e.right for e in examples]))
    ranker = replace(_fit(examples), knots_score=knots[0], knots_confidence=knots[1])
    return replace(ranker, threshold=_best_threshold(examples, [ranker.confidence(s) for s in scores], engine))


def example_of(
    engine: Engine, counts: Counts, document: CodedDocument, reading: Reading, config: SuggestConfig
) -> Example:
    """Candidates of one document, with priors from the other documents, and which are right."""
    labels = document.labels(engine.system.name) or {}
    hits, table = engine.candidates(
        reading,
        engine.system.billable_on(document.service_date),
        inpatient=document.setting == "inpatient",
        top=config.terms_per_segment,
        floor=config.coverage_floor,
    )
    category = engine.static.category[table.concept]
    code, per_category = counts.priors_without(document)
    table.x[:, COLUMN["learned:code_prior"]] = code[table.code]
    table.x[:, COLUMN["learned:category_prior"]] = per_category[category]
    right = {engine.system.index_of(c): tier for c, tier in labels.items() if c in engine.system}
    tiers = [right.get(int(i)) for i in table.code]
    weight = np.array([ACCEPTABLE_WEIGHT if t == "acceptable" else 1.0 for t in tiers])
    return Example(document, hits, table, np.array([t is not None for t in tiers], bool), weight)


def _fit(examples: Sequence[Example]) -> Ranker:
    """Both linear models: the first without rival features, the second with those the first gives rise to."""
    for e in examples:
        e.table.x[:, _RIVALS] = 0
    first, first_intercept = _logistic(examples)
    half = replace(Ranker.nothing(), first=first, first_intercept=first_intercept)
    for e in examples:
        half.complete(e.table, e.hits)
    weights, intercept = _logistic(examples)
    return replace(half, weights=weights, intercept=intercept)


def _logistic(examples: Sequence[Example]) -> tuple[Floats, float]:
    """Logistic regression over the named features, scaled to unit deviation (at least 0.05: rare features stay small)."""
    from sklearn.linear_model import LogisticRegression

    x = np.vstack([e.table.x for e in examples]).astype(np.float64)
    y = np.concatenate([e.right for e in examples])
    scale = np.maximum(x.std(0), 0.05)
    model = LogisticRegression(C=STRENGTH, solver="newton-cholesky", max_iter=100, tol=1e-8)
    model.fit(x / scale, y, sample_weight=np.concatenate([e.weight for e in examples]))
    # rounded to what the shipped JSON keeps, so that a model gives the same scores before and after it is saved
    return np.round(model.coef_[0] / scale, 6), round(float(model.intercept_[0]), 6)


def calibrate(scores: Floats, right: npt.NDArray[np.bool_], size: int = 24) -> tuple[Floats, Floats]:
    """Knots of score -> probability: isotonic regression (PAVA), thinned to `size` and made strictly increasing.

    scores, right: (n,). Returns ascending scores and confidences in [0, 1], each (m,), m <= size + 2. Strictly
    increasing, so that the order by confidence is the order by score.
    """
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(scores, kind="stable")
    s, y = scores[order], right[order].astype(np.float64)
    smooth = IsotonicRegression(out_of_bounds="clip").fit(s, y).predict(s)
    # bins that hold about the same number of right candidates each: dense where the probability moves
    mass = np.cumsum(y + 2e-4)
    edges = np.searchsorted(mass, np.linspace(0, mass[-1], size + 1)[1:-1])
    groups = np.split(np.arange(len(s)), np.unique(edges))
    at = np.array([s[g].mean() for g in groups if len(g)])
    value = np.array([smooth[g].mean() for g in groups if len(g)])
    keep = np.r_[True, np.diff(at) > 1e-6]
    at, value = at[keep], np.maximum.accumulate(value[keep])
    value = np.clip(value, 1e-4, 0.995) + np.arange(len(value)) * 1e-6
    at = np.r_[at[0] - 20, at, at[-1] + 10]
    value = np.r_[1e-6, value, min(0.999, value[-1] + 0.004)]
    return np.asarray(np.round(at, 6), np.float64), np.asarray(np.round(value, 7), np.float64)


def _best_threshold(examples: Sequence[Example], confidence: Sequence[Floats], engine: Engine) -> float:
    """The confidence at which F1 is best over documents the weights had not seen.

    Precision counts every right code, recall the required ones or what stands in for them, as coders audit.
    """
    p = np.concatenate(confidence)
    right = np.concatenate([e.right for e in examples])
    need, found_at = 0, []
    for e, c in zip(examples, confidence, strict=True):
        best = {int(i): float(v) for i, v in zip(e.table.code, c, strict=True)}
        for group in e.document.required(engine.system.name):
            need += 1
            found_at.append(
                max((best.get(engine.system.index_of(k), 0.0) for k in group if k in engine.system), default=0.0)
            )
    grid = np.round(np.linspace(0.05, 0.9, 86), 3)
    reached = np.array(found_at)

    def f1(t: float) -> float:
        chosen = p >= t
        precision = right[chosen].mean() if chosen.any() else 0.0
        recall = float((reached >= t).sum()) / max(1, need)
        return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0

    curve = np.array([f1(t) for t in grid])
    smooth = np.convolve(np.pad(curve, 3, mode="edge"), np.ones(7) / 7, mode="valid")  # one lucky step is no optimum
    return float(grid[int(smooth.argmax())])


def _folds(groups: Sequence[str], seed: int) -> list[int]:
    """A fold for every document, the same for those of one group."""
    names = sorted(set(groups))
    random.Random(seed).shuffle(names)
    of = {name: i % FOLDS for i, name in enumerate(names)}
    return [of[g] for g in groups]


def build_starter(
    data: Path | None, out: Path, *, corpora: Path = Path("corpora"), progress: Callable[[str], None] = lambda _: None
) -> CodeSuggester:
    """The starter model from the tables of PyPI packages, `corpora/` and, if there, the reference data.

    data: the folder with `visits/train.jsonl` and `codiesp/train` ($CODESUGGEST_DATA). Without it a variant is built that
        knows only what packages and `corpora/` allow, and `out` must not be the shipped model.

    Raises CodeFileError naming the pip command of a missing package; InputError where `out` or `corpora` will not do.
    """
    from codesuggest.codes import packages

    notes, lists = corpora / "notes", corpora / "codes" / "idioms_icd10cm.tsv"
    if not notes.is_dir() or not lists.is_file():
        raise InputError(f"{corpora} holds no notes/ and codes/: run from a checkout, or name its corpora folder")
    if data is None and out.resolve() == starter_path().resolve():
        raise InputError(f"{out} is the shipped model, which is trained on more; name another --out, or give --data")
    systems = [packages.icd10cm(), packages.icd10pcs()]
    documents = read_coded(notes)
    made_from = [f"{len(documents)} invented notes of corpora/notes, CC0", f"{lists.name}, our own, {_digest(lists)}"]
    made_from += [
        f"{s['package']} {s['version']} ({s['licence']}), {s['sha256'][:16]}" for t in systems for s in t.source
    ]
    if data is not None:
        visits, mentions = read_coded(data / "visits" / "train.jsonl"), read_codiesp(data / "codiesp")
        documents += visits + mentions
        made_from.append(
            f"{len(visits)} visit notes of ACI-Bench (CC BY 4.0), coded for billing: weights and counts only"
        )
        made_from.append(f"{len(mentions)} cases of CodiEsp train, English (CC BY 4.0): associations and counts only")
    model = train(
        documents,
        systems=systems,
        idioms={"icd10cm": read_idioms(lists, systems[0])},
        min_groups=1,  # the corpora above are public or invented
        name="starter" if data is not None else "starter-without-reference-data",
        about={"made_from": made_from, "redistributable": True},
        progress=progress,
    )
    model.save(out)
    return model


def _digest(path: Path) -> str:
    return "sha256 " + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
