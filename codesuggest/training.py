"""Coded documents -> CodeSuggester: terms, index, learned counts, ranker, calibration, threshold.

`train` is for anyone's documents; `build_starter` is the recipe of the model that ships. Everything is deterministic for
a seed: no step depends on the order of a set or on the hash seed, and ties are broken by code.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.asked import CHARGE_LINE
from codesuggest.axes import REPORT, told_only
from codesuggest.cautions import TrainedOn
from codesuggest.charge_training import coded_line
from codesuggest.charge_training import fit as fit_lines
from codesuggest.charges import ChargeLines
from codesuggest.coded import CodedDocument, Label, read_coded, read_codiesp
from codesuggest.codes.system import CodeSystem
from codesuggest.company import COMPANY_FEATURES
from codesuggest.concepts import Idiom, entries_of
from codesuggest.config import SuggestConfig
from codesuggest.draft import Draft
from codesuggest.engine import Engine
from codesuggest.errors import InputError, OptionError
from codesuggest.features import COLUMN, OF_POLICY, Table
from codesuggest.idioms import read_idioms
from codesuggest.note import NoteReader, Reading
from codesuggest.pipes.language import DEFAULT
from codesuggest.pipes.language import language as spoken
from codesuggest.pipes.phrases import WordReader, common_words
from codesuggest.rank import Ranker
from codesuggest.retrieve import Hits
from codesuggest.site_words import SiteList
from codesuggest.site_words import fit as fit_list
from codesuggest.suggester import CodeSuggester, starter_path
from codesuggest.taught import (
    Outside,
    Taught,
    coded_by_axes,
    forms_of_evidence,
    policies_of,
    stands_for,
    with_written_codes,
)
from codesuggest.unheard import said_by_one

Floats = npt.NDArray[np.float64]

#: An acceptable code is right to suggest, but a required one is what the ranking is for: MAP .771 at 0.3, .782 at 0.1, .781 at 0.
ACCEPTABLE_WEIGHT = 0.1
#: Inverse strength of the L2 penalty over features scaled to unit deviation; MAP .754 at 0.3, .758 at 0.05 in cross-validation.
STRENGTH = 0.05
FOLDS = 8
#: Documents from which on the ranker is fitted on a sample of so many; what is counted is counted in all.
FITTED = 2500
ENOUGH = 20  #: required codes from which a document type has a say of its own in the operating threshold
PLATEAU = 0.003  #: F1 that is given up for a lower threshold
#: A billed document of ICD-10-PCS counts like so many of mentions, where both are fitted on.
BILLED_WEIGHT = 8.0
_RIVALS = [i for name, i in COLUMN.items() if name.startswith("rival:") or name in COMPANY_FEATURES]


@dataclass(frozen=True, slots=True)
class Example:
    """A document as the ranker is trained on it: its candidates in one system and which of them are right."""

    document: CodedDocument
    hits: Hits
    table: Table
    right: npt.NDArray[np.bool_]
    weight: Floats


def train(
    documents: Iterable[CodedDocument],
    *,
    systems: Sequence[CodeSystem],
    idioms: Mapping[str, Sequence[Idiom]] | None = None,
    config: SuggestConfig | None = None,
    language: str = DEFAULT,
    seed: int = 0,
    min_groups: int = 3,
    words: str | Path | SiteList | None = None,
    name: str = "model",
    about: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> CodeSuggester:
    """A model from coded documents.

    documents: those with policy "billing" train the ranker of a system, those with "mentions" (every mention is coded)
        teach priors and associations only; but a system in which nothing was billed is trained on mentions, and
        ICD-10-PCS on both where few documents were. Those of type "charge_line" are one charge each, apart from all notes.
    systems: code tables to suggest from. idioms: by system name.
        language: of the documents, "en" or "es". min_groups: an n-gram is kept only if it occurs in documents of so many groups
        (patients); a public corpus may set 1 (invariant 5).
        words: a site's list (see `site_words.py`), which is read while the ranker learns and becomes part of the model.
        progress: told a line a step.

    A system in which nothing, or next to nothing, is coded is ranked by the words of its table alone (`Ranker.untaught`), and
    the model says so; without any document all are. A code that no table holds is suggested with release "site:<name>".

    Raises InputError for documents of which none is coded in one of the systems, OptionError without a system or for an unknown
    language, LexiconError for a list that is none or names what no table holds. Same input and seed, same model, byte for byte.
    """
    documents = list(documents)
    charges = [d for d in documents if d.document_type == CHARGE_LINE]
    documents = [d for d in documents if d.document_type != CHARGE_LINE]
    fitted = {system.name: policies_of(documents, system) for system in systems}
    if not systems:
        raise OptionError("a model needs a code table: systems is empty")
    coded = any(fitted.values()) or any(d.labels(system.name) for d in charges for system in systems)
    if (documents or charges) and not coded:
        raise InputError(
            "no document is coded in a system of this model; give at least a few dozen to train the ranker on"
        )
    systems = [with_written_codes(system, documents, fitted[system.name], name) for system in systems]
    config = config or SuggestConfig()
    site = SiteList.read(words) if isinstance(words, str | Path) else words
    known = prepared(
        documents,
        systems=systems,
        idioms=idioms,
        language=language,
        min_groups=min_groups,
        words=site,
        progress=progress,
    )
    trained = []
    for engine in known.engines:
        policies = fitted[engine.system.name]
        ranker = Ranker.untaught()
        if policies:
            taught = known.taught(engine, policies, min_groups, config)
            ranker = fit_ranker(taught, documents, known.readings, config, seed)
            engine = taught.engine
        engine = replace(engine, ranker=ranker)
        progress(f"{engine.system.name}: threshold {engine.ranker.threshold:.3f}")
        lines = _charge_lines(engine.system, charges, min_groups, seed)
        if lines is not None:
            progress(f"{engine.system.name}: charge lines, threshold {lines.threshold:.3f}")
        trained.append(replace(engine, lines=lines))
    if guessed := [engine.system.name for engine in trained if not engine.ranker.taught]:
        progress(
            f"{', '.join(guessed)}: too little coded to fit on, so ranked by the words of the table; not calibrated"
        )
    used = set().union(*fitted.values())
    like = TrainedOn.of(r for d, r in zip(documents, known.readings, strict=True) if d.policy in used)
    about = {**(about or {}), **({"trained_on": like.to_dict()} if like is not None else {})}
    made = CodeSuggester(
        trained,
        known.vocabulary,
        known.forms,
        name=name,
        config=config,
        about=about,
        language=language,
        own_words=site,
    )
    return made.as_made


@dataclass(frozen=True)
class Prepared:
    """Documents that were read, and engines that were taught nothing yet.

    forms: known words and their form. surgical: forms that associations are not made of.
    """

    documents: Sequence[CodedDocument]
    readings: Sequence[Reading]
    engines: Sequence[Engine]
    vocabulary: Sequence[str]
    forms: Mapping[str, str]
    surgical: frozenset[str]

    def taught(
        self, engine: Engine, policies: tuple[str, ...], min_groups: int, config: SuggestConfig | None = None
    ) -> Taught:
        """What the documents of these policies teach one of the engines before its ranker is fitted."""
        form_ids = {form: i for i, form in enumerate(self.vocabulary)}
        return Taught.of(engine, self.documents, self.readings, form_ids, policies, min_groups, self.surgical, config)


def prepared(
    documents: Sequence[CodedDocument],
    *,
    systems: Sequence[CodeSystem],
    idioms: Mapping[str, Sequence[Idiom]] | None = None,
    language: str = DEFAULT,
    min_groups: int = 3,
    words: SiteList | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """The steps of `train` before anything is fitted: words, terms and index of the tables, and the documents read."""
    lexis = WordReader(spoken(language))
    lexis.learn(common_words(lexis.language.folder))
    entries = {system.name: entries_of(system) for system in systems}
    lexis.learn(
        sorted(
            {
                w
                for e in entries.values()
                for row in e
                for t in (row.title, *row.terms, *row.indexed)
                for w in re.findall(r"[^\W_]+", t)
            }
        )
    )
    policies = {system.name: policies_of(documents, system) for system in systems}
    marked: set[str] = set()
    if all(own in ((), ("mentions",)) for own in policies.values()):
        marked = forms_of_evidence([d for d in documents if d.policy == "mentions"], lexis, min_groups)
    drafts = [
        Draft.of(
            system,
            entries[system.name],
            lexis,
            (idioms or {}).get(system.name, ()),
            axes=coded_by_axes(system, policies[system.name]),
        )
        for system in systems
    ]
    for draft in drafts:
        progress(f"{draft.system.name}: {len(draft.concepts.route):,} concepts, {len(draft.terms):,} terms")
    known_words = {form for draft in drafts for form in draft.forms} | marked
    if not any(row.title != draft.system.code(row.position) for draft in drafts for row in entries[draft.system.name]):
        # a list without titles knows no word, and a word that no table knows may be a name
        known_words |= set(CodeSuggester.load().vocabulary)
    vocabulary = sorted(known_words)
    form_ids = {form: i for i, form in enumerate(vocabulary)}
    engines = [draft.engine(vocabulary, form_ids, lexis) for draft in drafts]
    spelt: Sequence[str] = vocabulary
    if words is not None:
        engines, spelt, _ = fit_list(words, {engine.system.name: engine for engine in engines}, vocabulary, lexis)
        form_ids = {form: i for i, form in enumerate(spelt)}
    reader = NoteReader(form_ids, engines[0].index.idf, lexis)
    # what only our list of surgeons' words holds is no word to learn diagnoses from
    known = {f for own in lexis.known().values() for f in own.split()}.union(
        *(d.forms for d in drafts if d.rest is None)
    )
    surgical = frozenset(vocabulary) - known
    readings = read_all(reader, documents, progress)
    return Prepared(documents, readings, engines, spelt, lexis.known(), surgical)


def read_all(reader: NoteReader, documents: Sequence[CodedDocument], progress: Callable[[str], None]) -> list[Reading]:
    """The reading of each document, told of every thousand: some 100 a second are read."""
    readings = []
    for n, document in enumerate(documents, 1):
        readings.append(reader.read(document.text, document.document_type))
        if n % 1000 == 0 and n < len(documents):
            progress(f"read {n:,} of {len(documents):,} documents")
    progress(f"read {len(documents)} documents")
    return readings


def _charge_lines(
    system: CodeSystem, charges: Sequence[CodedDocument], min_groups: int, seed: int
) -> ChargeLines | None:
    """What the charge lines coded in this system teach, None without any; of each the first required code counts."""
    rows = []
    for document in charges:
        codes = [c for c, tier in (document.labels(system.name) or {}).items() if tier == "required" and c in system]
        row = coded_line(document.text, system.index_of(codes[0]), document.group or document.id) if codes else None
        if row is not None:
            rows.append(row)
    return fit_lines(system, rows, calibrate=calibrate, min_groups=min_groups, seed=seed) if rows else None


def fit_ranker(
    taught: Taught,
    documents: Sequence[CodedDocument],
    readings: Sequence[Reading],
    config: SuggestConfig,
    seed: int,
) -> Ranker:
    """Weights from all documents of the policies; knots and threshold from scores of documents the weights had not seen.

    The folds keep the documents of one group together. With billed documents among them, confidence is that of a billed
    code.
    """
    engine = taught.engine
    own = [
        (d, r)
        for d, r in zip(documents, readings, strict=True)
        if d.policy in taught.policies and d.labels(engine.system.name) is not None
    ]
    own = _some(own, seed)
    examples = examples_of(taught, own, config, seed)
    examples += _by_other_hands(taught, own, examples, config, seed)
    told = _told_only(taught, documents, readings, config, seed)
    trained = [*examples, *told]
    trained_fold = _folds([e.document.group or e.document.id for e in trained], seed)
    fold = trained_fold[: len(examples)]
    if not _enough(examples, fold):
        return Ranker.untaught()
    scores: list[Floats] = [np.zeros(0)] * len(examples)
    for k in range(FOLDS):
        ranker = _fit([e for e, f in zip(trained, trained_fold, strict=True) if f != k])
        for i, f in enumerate(fold):
            if f == k:
                ranker.complete(examples[i].table, examples[i].hits)
                scores[i] = ranker.score(examples[i].table.x)
    ranker = _fit(trained)
    judged = [(e, s) for e, s in zip(examples, scores, strict=True) if e.document.policy == taught.policies[0]]
    examples, scores = [e for e, _ in judged], [s for _, s in judged]
    knots = calibrate(np.concatenate(scores), np.concatenate([e.right for e in examples]))
    ranker = replace(ranker, knots_score=knots[0], knots_confidence=knots[1])
    return replace(ranker, threshold=_best_threshold(examples, [ranker.confidence(s) for s in scores], engine))


def examples_of(
    taught: Taught,
    own: Sequence[tuple[CodedDocument, Reading]],
    config: SuggestConfig,
    seed: int,
    *,
    unheard: npt.NDArray[np.bool_] | None = None,
) -> list[Example]:
    """Of documents by what those of the other folds teach. Where a document alone was left out, a code of its own would be
    told by being a little rarer among the rest than it is. unheard: as in `example_of`."""
    groups = [d.group or d.id for d, _ in own]
    out: dict[int, Example] = {}
    fold = _folds(groups, seed)
    for k in sorted(set(fold)):
        outside = taught.outside({g for g, f in zip(groups, fold, strict=True) if f == k})
        for n, (document, reading) in enumerate(own):
            if fold[n] == k:
                out[n] = example_of(taught, document, reading, config, outside=outside, unheard=unheard)
    return [out[n] for n in range(len(own))]


def _enough(examples: Sequence[Example], fold: Sequence[int]) -> bool:
    """Whether right and wrong candidates are left, whichever fold is taken out: a line needs both sides."""
    for k in sorted({*fold, -1}):
        kept = [e.right for e, f in zip(examples, fold, strict=True) if f != k]
        if not any(r.any() for r in kept) or all(r.all() for r in kept):
            return False
    return True


def _told_only(
    taught: Taught, documents: Sequence[CodedDocument], readings: Sequence[Reading], config: SuggestConfig, seed: int
) -> list[Example]:
    """Billed operative reports once more without the lines that name the operation, in ICD-10-PCS: to learn from, not to be
    judged by."""
    if taught.engine.axes is None:
        return []
    own = [
        (d, told_only(r))
        for d, r in zip(documents, readings, strict=True)
        if d.policy == "billing" and r.document_type == REPORT and d.labels(taught.engine.system.name)
    ]
    return examples_of(taught, own, config, seed)


def _by_other_hands(
    taught: Taught,
    own: Sequence[tuple[CodedDocument, Reading]],
    examples: Sequence[Example],
    config: SuggestConfig,
    seed: int,
) -> list[Example]:
    """Billed documents once more, without the phrases of our lists that no other document says (`unheard`)."""
    billed = [(d, r, e) for (d, r), e in zip(own, examples, strict=True) if d.policy == "billing"]
    unheard = said_by_one(taught.engine.concepts, ((d.group or d.id, e.hits) for d, _, e in billed))
    if not unheard.any():
        return []
    return examples_of(taught, [(d, r) for d, r, _ in billed], config, seed, unheard=unheard)


def example_of(
    taught: Taught,
    document: CodedDocument,
    reading: Reading,
    config: SuggestConfig,
    *,
    outside: Outside | None = None,
    unheard: npt.NDArray[np.bool_] | None = None,
) -> Example:
    """Candidates of one document, with what the other documents teach, and which are right. outside: that, where others than
    those of its own group are to be left out. unheard: terms passed over.

    In a document with every mention coded, every code that one of its stems begins is right.
    """
    engine, group = taught.engine, document.group or document.id
    system = engine.system
    labels = document.labels(system.name) or {}
    outside = outside or taught.outside([group])
    allowed = system.suggestible_on(document.service_date)
    allowed[outside.absent] = False
    hits, table = engine.candidates(
        reading,
        allowed,
        inpatient=document.setting == "inpatient",
        top=config.terms_per_segment,
        floor=config.coverage_floor,
        reliability=outside.reliability,
        dictionary=outside.dictionary,
        profiles=outside.profiles,
        tagged=taught.taggers.told.get(reading.text) if taught.taggers else None,
        unheard=unheard,
    )
    category = engine.static.category[table.concept]
    table.x[:, COLUMN["learned:code_prior"]] = outside.code_prior[table.code]
    table.x[:, COLUMN["learned:category_prior"]] = outside.category_prior[category]
    if outside.concept_prior is not None:
        table.x[:, COLUMN["learned:operation_prior"]] = outside.concept_prior[table.concept]
    if document.policy == "billing":
        right = {system.index_of(c): tier for c, tier in labels.items() if c in system}
    else:
        right = {i: tier for c, tier in labels.items() for i in stands_for(system, c)}
    tiers = [right.get(int(i)) for i in table.code]
    weight = np.array([ACCEPTABLE_WEIGHT if t == "acceptable" else 1.0 for t in tiers])
    if len(taught.policies) > 1:
        if document.policy == "billing":
            weight *= BILLED_WEIGHT
        else:
            table.x[:, COLUMN["mentions:document"]] = 1
            for name in OF_POLICY:
                table.x[:, COLUMN[f"mentions:{name}"]] = table.x[:, COLUMN[name]]
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

    x = np.vstack([e.table.x for e in examples])
    used = np.flatnonzero(x.any(0))  # a system has half of the features; the cost goes with the square of their number
    x = x[:, used].astype(np.float64)
    y = np.concatenate([e.right for e in examples])
    scale = np.maximum(x.std(0), 0.05)
    model = LogisticRegression(C=STRENGTH, solver="newton-cholesky", max_iter=100, tol=1e-8)
    x /= scale
    model.fit(x, y, sample_weight=np.concatenate([e.weight for e in examples]))
    # rounded to what the shipped JSON keeps, so that a model gives the same scores before and after it is saved
    weights = np.zeros(examples[0].table.x.shape[1])
    weights[used] = np.round(model.coef_[0] / scale, 6)
    return weights, round(float(model.intercept_[0]), 6)


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
    """The confidence at which F1 is best over documents the weights had not seen, each document type counting alike.

    The types that happen to be many would decide for all others. A type with fewer than `ENOUGH` required codes is pooled
    with the others of its kind. Precision counts every right code, recall the required ones or what stands in for them,
    as coders audit.

    For billing, of confidences that are as good (`PLATEAU`) the lowest: documents by other hands are harder, and where F1 is
    lower, so is the confidence at which it is best (half of it, were each right code required).
    """
    grid = np.round(np.linspace(0.05, 0.9, 86), 3)
    by_type: dict[str, list[tuple[Example, Floats]]] = defaultdict(list)
    for pair in zip(examples, confidence, strict=True):
        by_type[pair[0].document.document_type or ""].append(pair)
    needed = {name: sum(len(e.document.required(engine.system.name)) for e, _ in own) for name, own in by_type.items()}
    few = [pair for name, own in by_type.items() if needed[name] < ENOUGH for pair in own]
    parts = [own for name, own in by_type.items() if needed[name] >= ENOUGH] + ([few] if few else [])
    curve = np.mean([_f1_curve(own, engine, grid) for own in parts], axis=0)
    smooth = np.convolve(np.pad(curve, 3, mode="edge"), np.ones(7) / 7, mode="valid")  # one lucky step is no optimum
    given_up = PLATEAU if any(e.document.policy == "billing" for e in examples) else 0.0
    return float(grid[int((smooth >= smooth.max() - given_up).argmax())])


def _f1_curve(pairs: Sequence[tuple[Example, Floats]], engine: Engine, grid: Floats) -> Floats:
    """F1 of these documents at each confidence of the grid."""
    p = np.concatenate([c for _, c in pairs])
    right = np.concatenate([e.right for e, _ in pairs])
    reached: list[float] = []
    for e, c in pairs:
        best = {int(i): float(v) for i, v in zip(e.table.code, c, strict=True)}
        for group in e.document.required(engine.system.name):
            places = [i for k in group for i in stands_for(engine.system, k)]
            reached.append(max((best.get(i, 0.0) for i in places), default=0.0))
    found = np.array(reached)

    def f1(t: float) -> float:
        chosen = p >= t
        precision = float(right[chosen].mean()) if chosen.any() else 0.0
        recall = float((found >= t).sum()) / max(1, len(found))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    return np.array([f1(t) for t in grid.tolist()])


def _some(own: list[tuple[CodedDocument, Reading]], seed: int) -> list[tuple[CodedDocument, Reading]]:
    """All of them, or of very many whole groups drawn by the seed, in their order: a few hundred weights need no more."""
    if len(own) <= FITTED:
        return own
    count = Counter(d.group or d.id for d, _ in own)
    names = sorted(count)
    random.Random(seed).shuffle(names)
    room, chosen = FITTED, set()
    for name in names:
        if count[name] <= room:
            chosen.add(name)
            room -= count[name]
    return [pair for pair in own if (pair[0].group or pair[0].id) in chosen]


def _folds(groups: Sequence[str], seed: int) -> list[int]:
    """A fold for every document, the same for those of one group."""
    names = sorted(set(groups))
    random.Random(seed).shuffle(names)
    of = {name: i % FOLDS for i, name in enumerate(names)}
    return [of[g] for g in groups]


class Sources(NamedTuple):
    """What the starter model is made from: the arguments of `train`, and a line on each source with its licence and digest."""

    documents: list[CodedDocument]
    systems: list[CodeSystem]
    idioms: dict[str, list[Idiom]]
    made_from: list[str]


def starter_sources(data: Path | None, corpora: Path) -> Sources:
    """data, corpora, Raises: as `build_starter`."""
    from codesuggest.codes import packages

    notes, lists = corpora / "notes", sorted((corpora / "codes").glob("idioms_icd10cm*.tsv"))
    if not notes.is_dir() or not lists:
        raise InputError(f"{corpora} holds no notes/ and codes/: run from a checkout, or name its corpora folder")
    systems = [packages.icd10cm(), packages.icd10pcs(), packages.hcpcs(corpora / "codes" / "hcpcs.tsv")]
    documents = [d for d in read_coded(notes) if d.split != "evaluation"]
    made_from = [f"{len(documents)} invented notes of corpora/notes, CC0"]
    made_from += [f"{path.name}, our own, {_digest(path)}" for path in lists]
    made_from += [
        f"{s['package']} {s['version']} ({s['licence']}), {s['sha256'][:16]}" for t in systems for s in t.source
    ]
    if data is not None:
        visits, mentions = read_coded(data / "visits" / "train.jsonl"), read_codiesp(data / "codiesp")
        documents += visits + mentions
        made_from.append(
            f"{len(visits)} visit notes of ACI-Bench (CC BY 4.0), coded for billing: weights and counts only"
        )
        charges = read_charges(data / "charges" / "hcpcs_level2_phrases.tsv")
        documents += charges
        made_from.append(f"{len(charges)} charge descriptions of public price lists: weights of n-grams only")
        made_from.append(f"{len(mentions)} cases of CodiEsp train, English (CC BY 4.0): associations and counts only")
    idioms = [idiom for path in lists for idiom in read_idioms(path, systems[0])]
    return Sources(documents, systems, {"icd10cm": idioms}, made_from)


def build_starter(
    data: Path | None, out: Path, *, corpora: Path = Path("corpora"), progress: Callable[[str], None] = lambda _: None
) -> CodeSuggester:
    """The starter model from the tables of PyPI packages, `corpora/` and, if there, the reference data.

    data: the folder with `visits/train.jsonl` and `codiesp/train` ($CODESUGGEST_DATA). Without it a variant is built that
        knows only what packages and `corpora/` allow, and `out` must not be the shipped model.

    Raises CodeFileError naming the pip command of a missing package; InputError where `out` or `corpora` will not do.
    """
    if data is None and out.resolve() == starter_path().resolve():
        raise InputError(f"{out} is the shipped model, which is trained on more; name another --out, or give --data")
    sources = starter_sources(data, corpora)
    model = train(
        sources.documents,
        systems=sources.systems,
        idioms=sources.idioms,
        min_groups=1,  # the corpora above are public or invented
        name="starter" if data is not None else "starter-without-reference-data",
        about={"made_from": sources.made_from, "redistributable": True},
        progress=progress,
    )
    model.save(out)
    return model


def read_charges(path: Path) -> list[CodedDocument]:
    """Charge descriptions with their HCPCS code, a line each, under the header "description", "code".

    Descriptions that are alike but for their numbers and first word (where a price list marks its department) share a group.
    Raises InputError naming the file and line.
    """
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as charge lines ({type(error).__name__})") from None
    if lines[0].rstrip("\r") != "description\tcode":
        raise InputError(f"{path}, line 1: the header must be description, code")
    out = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        text, tab, code = line.rstrip("\r").partition("\t")
        if not tab or not code or not text:
            raise InputError(f"{path}, line {number}: not a description and its code")
        words = re.findall("[a-z]+", text.lower())
        label = Label("hcpcs", code.upper())
        group = " ".join(words[1:6]) or text
        out.append(
            CodedDocument(f"charge{number}", text, (label,), group, systems=("hcpcs",), document_type=CHARGE_LINE)
        )
    return out


def _digest(path: Path) -> str:
    return "sha256 " + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
