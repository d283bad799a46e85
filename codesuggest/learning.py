"""Decisions of coders on a model's suggestions -> a new version of the model, in seconds, without its training data.

A line of decisions is {"id", "text"?, "system"?, "code", "decision": "accept" | "reject" | "added", "group"?, "final"?,
"setting"?, "document_type"?, "service_date"?}: one line a code, several with the id of one note, and the text in one of them
at least. *added* is a code the coder gave that was not suggested. "final": true on any line of a note says that its coding is
finished: what was neither accepted nor added is wrong there. Without it only the codes decided on count, for of the others
nothing is known.

What moves, with the model as the prior everywhere (`adapting.py` has the formulas):

* weights, drawn towards the decisions by a few of Newton's steps, and calibration, shifted by what was right in notes that
  the weights had not seen, patients kept together. The threshold stays: rejections lower the confidence that has to reach it.
* priors: accepted and added codes are counted on top of the model's counts.
* associations: n-grams of affirmed words whose notes got the code, from `min_groups` patients, without names or digits.

A code that no term of the model finds in the note, and a code no table holds, cannot be learned from decisions: train anew.
Nothing of a note is kept but such n-grams; the new model's manifest names its parent and what was learned from.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from codesuggest.adapting import counted_on, descent, drawn, recalibrated
from codesuggest.coded import CodedDocument, Label
from codesuggest.config import SuggestConfig
from codesuggest.engine import Engine
from codesuggest.errors import InputError, OptionError
from codesuggest.inputs import MAX_BYTES
from codesuggest.learned import Learned, _associations, grams
from codesuggest.note import Reading
from codesuggest.suggester import CodeSuggester
from codesuggest.taught import Taught
from codesuggest.training import Example, _folds, example_of

DECISIONS = ("accept", "reject", "added")

Key = tuple[str, str]  #: system, code


@dataclass(frozen=True, slots=True)
class DecidedNote:
    """A note with what was decided on it: (system, code) -> one of `DECISIONS`. final: nothing else is right."""

    id: str
    text: str
    decided: Mapping[Key, str]
    group: str | None = None
    final: bool = False
    setting: str | None = None
    document_type: str | None = None
    service_date: str | None = None

    def document(self, system: str) -> CodedDocument:
        """As a document coded in the system with what was accepted and added."""
        given = tuple(Label(*key) for key, d in self.decided.items() if d != "reject" and key[0] == system)
        return CodedDocument(
            self.id,
            self.text,
            given,
            self.group,
            systems=(system,),
            setting=self.setting,
            document_type=self.document_type,
            service_date=self.service_date,
        )


class Figure(NamedTuple):
    """A figure of decisions on notes the weights had not seen, before and after. of: how many codes it is about."""

    name: str
    of: int
    before: float
    after: float


def read_decisions(path: str | Path) -> list[DecidedNote]:
    """Notes with decisions, in the order of their first line. Of two decisions on one code the later counts.

    Raises InputError naming file, line and key, never quoting a note: also for a note without a text in any of its lines, for
    two texts (or groups) under one id, and for a file without a decision.
    """
    path = Path(path)
    notes: dict[str, dict[str, Any]] = {}
    try:
        with path.open("rb") as handle:
            for number, raw in enumerate(handle, 1):
                if raw.strip(b" \t\r\n\xef\xbb\xbf"):
                    _take(f"{path}, line {number}", raw, notes)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    if not notes:
        raise InputError(f"{path}: holds no decision")
    out = []
    for id, row in notes.items():
        if row.get("text") is None:
            raise InputError(f"{row['where']}: the key text is in no line of this note, and one is needed")
        more = {key: row.get(key) for key in _ABOUT}
        out.append(DecidedNote(id, row["text"], row["decided"], final=row["final"], **more))
    return out


_ABOUT = ("group", "setting", "document_type", "service_date")


def _take(where: str, raw: bytes, notes: dict[str, dict[str, Any]]) -> None:
    """Adds one line to the note it is of."""
    try:
        row = json.loads(raw.decode("utf-8-sig")) if len(raw) <= MAX_BYTES else None
    except (ValueError, RecursionError):  # from None: the error carries the line
        raise InputError(f"{where}: is no JSON that can be read") from None
    if not isinstance(row, dict):
        raise InputError(
            f'{where}: is no JSON object, as {{"id": "1", "code": "I10", "decision": "accept", "text": "..."}}'
        )
    id, system, code, decision = (row.get(key) for key in ("id", "system", "code", "decision"))
    if not isinstance(id, str | int) or isinstance(id, bool) or id == "":
        raise InputError(f"{where}: the key id is missing, or neither a word nor a whole number")
    system = "icd10cm" if system is None else system
    for key, value in (("system", system), ("code", code)):
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{where}: the key {key} is missing or no word")
    if decision not in DECISIONS:
        raise InputError(f"{where}: the key decision must be one of {', '.join(DECISIONS)}")
    if row.get("final") not in (None, True, False):
        raise InputError(f"{where}: the key final must be true or false")
    note = notes.setdefault(str(id), {"where": where, "decided": {}, "final": False})
    for key in ("text", *_ABOUT):
        value = row.get(key)
        if value is None:
            continue
        value = str(value) if key == "group" and isinstance(value, int) else value
        if not isinstance(value, str):
            raise InputError(f"{where}: the key {key} must be a text")
        if note.setdefault(key, value) != value:
            raise InputError(f"{where}: the key {key} is not what an earlier line of this note has")
    note["final"] = note["final"] or bool(row.get("final"))
    note["decided"][system, str(code).strip()] = decision


def learn(
    model: CodeSuggester,
    decisions: Iterable[DecidedNote],
    *,
    date: str | None = None,
    min_groups: int = 3,
    seed: int = 0,
    name: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> CodeSuggester:
    """A new version of the model that has learned from decisions; the model itself is left as it is.

    date: ISO day for the manifest, as the caller gives it. min_groups: an n-gram is learned only from so many patients.
        name: by default the model's. progress: told a line a step.

    Takes about 0.1 s a note. Raises InputError without a decision on a code of the model, OptionError for a date that is none.
    Same input and seed, same model, byte for byte.
    """
    notes, model = list(decisions), model.as_made
    if date is not None and not _is_day(date):
        raise OptionError("the date must be a day as 2026-03-02")
    if min_groups < 1:
        raise OptionError("min_groups must be at least 1")
    known = model.tables
    asked = [key for note in notes for key in note.decided]
    unknown = sum(1 for system, code in asked if system not in known or code not in known[system])
    if unknown == len(asked):
        raise InputError("no decision is about a code of this model")
    if unknown:
        progress(f"{unknown} decisions are about codes of no table of this model: left out")
    readings = [model.reader.read(note.text, note.document_type) for note in notes]
    progress(f"read {len(notes)} notes with {len(asked)} decisions")
    engines = [
        _updated(engine, notes, readings, model.config, min_groups=min_groups, seed=seed)
        for engine in model.engines.values()
    ]
    count = Counter(decision for note in notes for decision in note.decided.values())
    told = ", ".join(f"{count[d]} {w}" for d, w in zip(DECISIONS, ("accepted", "rejected", "added"), strict=True))
    made = CodeSuggester(
        engines,
        model.vocabulary,
        model.forms,
        name=name or model.name.split("@")[0],
        config=model.config,
        language=model.language,
        own_words=model.own_words,
        about=descent(model, f"{len(asked)} decisions on {len(notes)} notes: {told}", date=date),
    )
    return made.as_made


def report(
    model: CodeSuggester, decisions: Iterable[DecidedNote], *, min_groups: int = 3, seed: int = 0
) -> tuple[Figure, ...]:
    """Decisions on notes whose patients were left out of learning, by the model before and after: what `learn` is worth.

    Each patient's notes are judged once, by weights learned from the others. A code that is not listed counts as last and with
    confidence 0. Raises as `learn`; OptionError for fewer than two patients.
    """
    notes = list(decisions)
    groups = [note.group or note.id for note in notes]
    if len(set(groups)) < 2:
        raise OptionError("a report needs decisions on notes of two patients at least")
    fold = _folds(groups, seed)
    rows: list[tuple[str, list[tuple[int, float, bool]]]] = []
    for k in sorted(set(fold)):
        held = [note for note, f in zip(notes, fold, strict=True) if f == k]
        try:
            after = learn(
                model, [n for n, f in zip(notes, fold, strict=True) if f != k], min_groups=min_groups, seed=seed
            )
        except InputError:  # the others decided on no code of the model
            after = model
        for note in held:
            before_of, after_of = (_listed(m, note) for m in (model, after))
            for key, decision in note.decided.items():
                if key in before_of:
                    rows.append((decision, [before_of[key], after_of[key]]))
    return tuple(_figures(rows))


def _figures(rows: Sequence[tuple[str, list[tuple[int, float, bool]]]]) -> Iterable[Figure]:
    good = [own for decision, own in rows if decision != "reject"]
    bad = [own for decision, own in rows if decision == "reject"]
    added = [own for decision, own in rows if decision == "added"]

    def share(
        own: Sequence[list[tuple[int, float, bool]]], test: Callable[[tuple[int, float, bool]], bool]
    ) -> list[float]:
        return [sum(test(pair[i]) for pair in own) / max(1, len(own)) for i in (0, 1)]

    yield Figure("accepted or added codes that are suggested", len(good), *share(good, lambda r: r[2]))
    yield Figure("accepted or added codes among the first ten", len(good), *share(good, lambda r: r[0] <= 10))
    yield Figure("added codes among the first ten", len(added), *share(added, lambda r: r[0] <= 10))
    yield Figure("rejected codes that are suggested", len(bad), *share(bad, lambda r: r[2]))
    squares = [
        sum((own[i][1] - (decision != "reject")) ** 2 for decision, own in rows) / max(1, len(rows)) for i in (0, 1)
    ]
    yield Figure("mean squared error of the confidence", len(rows), *squares)


def _listed(model: CodeSuggester, note: DecidedNote) -> dict[Key, tuple[int, float, bool]]:
    """Of each code decided on that a table holds: rank, confidence, whether it is suggested."""
    systems = [s for s in dict.fromkeys(system for system, _ in note.decided) if s in model.tables]
    out: dict[Key, tuple[int, float, bool]] = {}
    if not systems:
        return out
    result = model.suggest(
        note.text,
        systems=systems,
        setting=note.setting,
        document_type=note.document_type,
        service_date=note.service_date,
        limit=200,
    )
    place: dict[str, int] = defaultdict(int)
    found: dict[Key, tuple[int, float, bool]] = {}
    for s in result.suggestions:
        place[s.system] += 1
        found[s.system, s.code] = (place[s.system], s.confidence, s.suggested)
    for key in note.decided:
        table = model.tables.get(key[0])
        if table is not None and key[1] in table:
            out[key] = found.get((key[0], table[key[1]].code), (1000, 0.0, False))
    return out


# ---- one system


def _updated(
    engine: Engine,
    notes: Sequence[DecidedNote],
    readings: Sequence[Reading],
    config: SuggestConfig,
    *,
    min_groups: int,
    seed: int,
) -> Engine:
    system = engine.system
    own = [
        (note, note.document(system.name), reading)
        for note, reading in zip(notes, readings, strict=True)
        if any(s == system.name and code in system for s, code in note.decided)
    ]
    if not own:
        return engine
    documents = [document for _, document, _ in own]
    counts = counted_on(engine, documents, "billing")
    taught = Taught(engine, counts, ("billing",))
    examples = [
        example
        for note, document, reading in own
        if len((example := _example(taught, note, document, reading, config)).table.code)
    ]
    told = counts.learned()
    learned = replace(
        _with_associations(engine, own, min_groups), code_prior=told.code_prior, category_prior=told.category_prior
    )
    if not any(e.weight.any() for e in examples):
        return replace(engine, learned=learned)
    ranker, scores = drawn(engine.ranker, examples, seed)
    decided = np.concatenate([e.weight for e in examples]) > 0
    right = np.concatenate([e.right for e in examples])
    shift = recalibrated(engine.ranker, np.concatenate(scores)[decided], right[decided])
    ranker = replace(ranker, knots_confidence=shift(engine.ranker.knots_confidence))
    return replace(engine, learned=learned, ranker=ranker)


def _example(
    taught: Taught, note: DecidedNote, document: CodedDocument, reading: Reading, config: SuggestConfig
) -> Example:
    """The candidates of a note, those of which nothing is known without a weight."""
    example = example_of(taught, document, reading, config)
    if note.final:
        return example
    system = taught.engine.system
    decided = [system.index_of(code) for s, code in note.decided if s == system.name and code in system]
    return replace(example, weight=np.where(np.isin(example.table.code, decided), example.weight, 0.0))


def _with_associations(
    engine: Engine, own: Sequence[tuple[DecidedNote, CodedDocument, Reading]], min_groups: int
) -> Learned:
    """The engine's associations and those of the accepted and added codes; of one both have, the stronger."""
    rows = [
        (frozenset(grams(reading)), document.group or document.id, frozenset(label.code for label in document.codes))
        for _, document, reading in own
    ]
    old = engine.learned
    best: dict[str, dict[int, float]] = defaultdict(dict)
    parts = [
        (old.grams, old.gram_indptr, old.gram_code, old.gram_weight),
        _associations(engine.system, rows, min_groups),
    ]
    for names, indptr, code, weight in parts:
        bounds, codes, weights = indptr.tolist(), code.tolist(), weight.tolist()
        for g, gram in enumerate(names):
            for at in range(bounds[g], bounds[g + 1]):
                best[gram][codes[at]] = max(best[gram].get(codes[at], 0.0), weights[at])
    names = tuple(sorted(best))
    pairs = [(i, best[g][i]) for g in names for i in sorted(best[g])]
    return replace(
        old,
        grams=names,
        gram_indptr=np.concatenate([[0], np.cumsum([len(best[g]) for g in names])]).astype(np.int32),
        gram_code=np.array([i for i, _ in pairs], np.int32),
        gram_weight=np.array([w for _, w in pairs], np.float32),
    )


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
