"""A site's own word list: abbreviations, idioms, pinned and blocked codes, for a model that stays as it was trained.

    CodeSuggester.load("models/mine", words="site.tsv")

The list is a TSV as all word lists are (`pipes/lexicon.py`), with these columns:

    kind            phrase                code_or_expansion                system    source
    abbreviation    BRBPR                 bright red blood per rectum                J. Roe, GI clinic, 2026
    idiom           frequent flyer knee   M17.9                            icd10cm   J. Roe
    pin             tobacco desk          Z72.0                                      J. Roe; the phrase may be empty
    block                                 R69                                        billing office

* abbreviation: one word that reads as others. In small letters it counts however a note writes it, else as it is spelt here.
  It goes before the shipped lists. system is empty: a note is read once for all.
* idiom: words that name a code, as an inclusion term of it would. Side and encounter are still read from the note.
* pin: the code is always listed and marked `suggested` where its phrase, or without one any of its terms, is wholly said of
  the patient, and the note can mean it (side, encounter, day). A laboratory value alone pins nothing, nor does a charge line.
* block: the code is never marked `suggested`. It stays listed.

Given to `train` (or `codesuggest train --words`) the list is part of the model: its words are read while the ranker learns, and
it stands in the folder as `site_words.tsv`, used at every `load` that names no other.

Pin and block change the mark and no confidence, and each says so in a finding (invariant 2). The result's `model` carries
the list's digest, "starter@9ee83c11a99f+words:1a2b3c4d", so that a batch tells one list from another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import KINDS, Concepts, concept_of_codes
from codesuggest.engine import Engine
from codesuggest.errors import LexiconError
from codesuggest.features import Table
from codesuggest.judged import TIGHT
from codesuggest.note import AFFIRMED, Reading, weak_forms
from codesuggest.pipes.lexicon import Row, read_lexicon
from codesuggest.pipes.phrases import WordReader
from codesuggest.procedures import Axes
from codesuggest.records import EncounterCode, Finding, Suggestion
from codesuggest.retrieve import FULL, Hits, TermIndex

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

COLUMNS = ("kind", "phrase", "code_or_expansion", "system", "source")
ROWS = ("abbreviation", "idiom", "pin", "block")
DEFAULT_SYSTEM = "icd10cm"
PINNED, BLOCKED = "site_pinned", "site_blocked"
#: Severities of findings, gravest first, as `rules` sorts them.
_SEVERITIES = ("error", "warning", "info")
#: Kinds of terms that do not name their concept by themselves.
_HINTS = tuple(KINDS.index(kind) for kind in ("drug", "learned", "act"))
_IDIOM = KINDS.index("idiom")


@dataclass(frozen=True, slots=True)
class SiteList:
    """A list as it was read, for any model. digest: first 8 hex digits of the file's sha256. content: the file."""

    digest: str
    rows: tuple[Row, ...]
    content: bytes

    @classmethod
    def read(cls, path: str | Path) -> SiteList:
        """Raises LexiconError, naming file and line, for a list that is none or contradicts itself."""
        path = Path(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LexiconError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
        rows = read_lexicon(path, COLUMNS, optional=("phrase", "system"))
        seen: dict[tuple[str, ...], int] = {}
        for row in rows:
            kind = row.choice("kind", ROWS)
            if kind == "abbreviation" and row["system"]:
                raise row.error("an abbreviation has no system: a note is read once for all systems")
            if kind in ("abbreviation", "idiom") and not row["phrase"]:
                raise row.error("column 'phrase' is empty")
            if kind == "block" and row["phrase"]:
                raise row.error("a block has no phrase: the code is not suggested whatever it rests on")
            for key, what in _keys(row):
                if key in seen:
                    raise row.error(f"{what} stands already on line {seen[key]}")
                seen[key] = row.line
        marks = {_target(row): row for row in rows if row["kind"] == "block"}
        for row in rows:
            if row["kind"] == "pin" and (other := marks.get(_target(row))) is not None:
                raise row.error(f"{row['code_or_expansion']} is blocked on line {other.line}; it cannot be both")
        return cls(hashlib.sha256(content).hexdigest()[:8], rows, content)

    def counts(self) -> dict[str, int]:
        """Rows of each kind, of the kinds there are."""
        return {kind: n for kind in ROWS if (n := sum(row["kind"] == kind for row in self.rows))}


def _target(row: Row) -> tuple[str, str]:
    """System and code a row is about."""
    return row["system"] or DEFAULT_SYSTEM, row["code_or_expansion"].upper().replace(".", "")


def _keys(row: Row) -> list[tuple[tuple[str, ...], str]]:
    """What only one row of a list may say, and how an error calls it."""
    if row["kind"] == "abbreviation":
        return [((row["kind"], row["phrase"]), f"the abbreviation {row['phrase']!r}")]
    what = " / ".join(cell for cell in (row["kind"], row["phrase"], row["code_or_expansion"]) if cell)
    return [((row["kind"], row["phrase"].lower(), *_target(row)), what)]


class Pin(NamedTuple):
    """code: position in its system. concept: its concept. term: the one that must be said, -1 for any of the concept's."""

    code: int
    concept: int
    term: int


@dataclass(frozen=True)
class SiteWords:
    """A list made fit for a model.

    abbreviations: as written -> the forms it reads as. pins: by system. told: (system, code as displayed) -> rows that pin
    or block it. blocked: the (system, code) that are.
    """

    site: SiteList
    abbreviations: Mapping[str, tuple[str, ...]]
    pins: Mapping[str, tuple[Pin, ...]]
    told: Mapping[tuple[str, str], tuple[Row, ...]]
    blocked: frozenset[tuple[str, str]]

    def teach(self, words: WordReader) -> None:
        """Let a reader know the abbreviations."""
        # small letters first: "MS" of a list goes before its "ms"
        for written in sorted(self.abbreviations, key=lambda word: (word != word.lower(), word)):
            words.abbreviate(written, self.abbreviations[written])

    def pinned(self, engine: Engine, reading: Reading, hits: Hits, table: Table) -> Bools:
        """Which candidates a pin marks. bool (n,), rows of the table."""
        out = np.zeros(len(table.code), bool)
        pins = self.pins.get(engine.system.name, ())
        if not pins or not len(hits):
            return out
        concepts = engine.concepts
        concept, kind = concepts.term_concept[hits.term], concepts.term_kind[hits.term]
        names = (hits.coverage >= FULL) & (hits.compact >= TIGHT) & ~np.isin(kind, _HINTS)
        # what Z80 to Z87 are coded from is no affirmed statement of the present
        said = (reading.status[hits.segment] == AFFIRMED) | (concepts.route[concept] > 0)
        said &= table.usable & ~reading.derived[hits.segment]
        for pin in pins:
            if pin.term >= 0:
                holds = bool((names & said & (hits.term == pin.term)).any())
            else:
                own = np.flatnonzero(names & said & (concept == pin.concept))
                holds = not all(_inside(hits, h, names & (concept != pin.concept)) for h in own.tolist())
            if holds:
                out |= table.code == pin.code
        return out

    def blocked_in(self, system: str) -> frozenset[str]:
        """The codes of a system that are blocked, as displayed."""
        return frozenset(code for name, code in self.blocked if name == system)

    def marked(self, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
        """The suggestions, none of a blocked code marked."""
        return [
            replace(s, suggested=False) if s.suggested and (s.system, s.code) in self.blocked else s
            for s in suggestions
        ]

    def with_findings(
        self, findings: Iterable[Finding], codes: Iterable[Suggestion | EncounterCode]
    ) -> tuple[Finding, ...]:
        """The findings, and one for each blocked code that is listed and each pinned one that is suggested; in the order of
        all findings: gravest first, then by rule, codes and message."""
        own = []
        for s in codes:
            rows = self.told.get((s.system, s.code), ())
            if not rows or not (s.suggested or rows[0]["kind"] == "block"):
                continue
            name = f"{s.code} ({s.display})" if s.display != s.code else s.code
            rule, says = (
                (BLOCKED, "is on the site's list of codes that are never suggested; a coder decides")
                if rows[0]["kind"] == "block"
                else (
                    PINNED,
                    "is on the site's list of codes that are always suggested where their words are documented",
                )
            )
            where = "; ".join(f"line {row.line}: {row['source']}" for row in rows)
            spans = tuple(sorted((e.start, e.end) for e in s.evidence)) if isinstance(s, Suggestion) else ()
            own.append(Finding(rule, "info", f"{name} {says}.", (s.code,), f"site word list, {where}", spans))
        both = (*findings, *own)
        return tuple(sorted(both, key=lambda f: (_SEVERITIES.index(f.severity), f.rule, f.codes, f.message)))


def _inside(hits: Hits, h: int, others: Bools) -> bool:
    """Whether another concept's whole term holds the words of a hit and more, as "knee pain" does those of "pain"."""
    around = others & (hits.segment == hits.segment[h]) & (hits.matched > hits.matched[h])
    return bool((around & (hits.first <= hits.first[h]) & (hits.last >= hits.last[h])).any())


# -- a list and a model ----------------------------------------------------------------------------------------------


def fit(
    site: SiteList, engines: Mapping[str, Engine], vocabulary: Sequence[str], words: WordReader
) -> tuple[list[Engine], tuple[str, ...], SiteWords]:
    """The engines and the vocabulary with what a list adds, and the list as the model needs it.

    words: a reader of the model, which learns the abbreviations. The engines given stay as they are, their arrays
    memory-mapped. Raises LexiconError, naming file and line, for a row that this model can do nothing with: a system or code
    it does not hold, words that say nothing to it.
    """
    spelt = {row["phrase"]: (row, _expansion(row, words)) for row in site.rows if row["kind"] == "abbreviation"}
    abbreviations = {phrase: forms for phrase, (_, forms) in spelt.items()}
    SiteWords(site, abbreviations, {}, {}, frozenset()).teach(words)
    codes = {row.line: _code(row, engines) for row in site.rows if row["kind"] != "abbreviation"}
    phrases = {row.line: _forms(row, words) for row in site.rows if row.line in codes and row["phrase"]}
    known = set(vocabulary)
    every = (*vocabulary, *sorted({form for forms in phrases.values() for form in forms} - known))
    ids = {form: i for i, form in enumerate(every)}
    for row, forms in spelt.values():
        if not any(form in ids for form in forms):
            raise row.error(f"no code of this model is named by a word of {row['code_or_expansion']!r}")
    wide = {name: _widened(engine, len(every)) for name, engine in engines.items()}
    weak = weak_forms(every, next(iter(wide.values())).index.idf, words)
    for row in site.rows:
        if row.line in phrases and len(own := phrases[row.line]) == 1 and weak[ids[own[0]]]:
            raise row.error(f"{row['phrase']!r} is too general a word to name a code by itself")
    term_of: dict[int, int] = {}
    out = []
    for name, engine in wide.items():
        wanted = {row.line: row for row in site.rows if row.line in phrases and _target(row)[0] == name}
        concept_of = concept_of_codes(engine.concepts, len(engine.system))
        told = [(n, int(concept_of[codes[n]]), sorted(ids[f] for f in phrases[n]), wanted[n]["phrase"]) for n in wanted]
        engine, terms = _with_idioms(engine, told)
        term_of |= terms
        out.append(engine)
    return out, every, _marks(site, abbreviations, out, codes, term_of)


def _expansion(row: Row, words: WordReader) -> tuple[str, ...]:
    """The forms an abbreviation reads as, by the shipped lists: not by other rows, whose order would then count."""
    phrase = row["phrase"]
    read = words.read(phrase)
    if len(read) != 1 or (int(read.start[0]), int(read.end[0])) != (0, len(phrase)):
        raise row.error(f"{phrase!r} is not one word as notes are read; an idiom may have several")
    if not (forms := words.forms_of(row["code_or_expansion"])):
        raise row.error(f"{row['code_or_expansion']!r} holds no word with a meaning")
    return forms


def _forms(row: Row, words: WordReader) -> tuple[str, ...]:
    if not (forms := words.forms_of(row["phrase"])):
        raise row.error(f"{row['phrase']!r} holds no word with a meaning")
    return forms


def _code(row: Row, engines: Mapping[str, Engine]) -> int:
    """Position of a row's code in its system."""
    name, code = row["system"] or DEFAULT_SYSTEM, row["code_or_expansion"]
    if name not in engines:
        raise row.error(f"this model holds no system {name!r}; it holds {', '.join(engines)}")
    system: CodeSystem = engines[name].system
    if code not in system:
        raise row.error(f"{name} of this model holds no code {code!r}")
    position = system.index_of(code)
    if position not in engines[name].concepts.member:
        raise row.error(f"{code!r} is a heading of {name}, and cannot be billed; name a code below it")
    return position


def _widened(engine: Engine, forms: int) -> Engine:
    """With a vocabulary of so many forms. The new ones weigh as the rarest that are held, so that no old one is weak that was
    not: the words of a note mean to all other terms what they meant."""
    index = engine.index
    if forms == len(index.idf):
        return engine
    more = np.full(forms - len(index.idf), index.idf.max(initial=np.float32(1)), np.float32)
    return replace(engine, index=TermIndex(np.append(index.idf, more), index.indptr, index.forms))


def _with_idioms(engine: Engine, told: Sequence[tuple[int, int, list[int], str]]) -> tuple[Engine, dict[int, int]]:
    """The engine with more terms of kind "idiom", before its learned terms, which must stay the last; and the term of each.

    told: line, concept, form ids in order and text of each phrase. One that the concept has already is no new term.
    """
    first = len(engine.index) - len(engine.learned.reliability)
    terms: dict[int, int] = {}
    added: dict[tuple[int, tuple[int, ...]], int] = {}
    texts = []
    for line, concept, forms, text in told:
        held = _held(engine, first, concept, forms)
        key = concept, tuple(forms)
        if held < 0 and key not in added:
            added[key] = first + len(added)
            texts.append(text)
        terms[line] = held if held >= 0 else added[key]
    if not added:
        return engine, terms
    index, spoken = engine.index, engine.spoken
    rows = [forms for _, forms in added]
    indptr, forms_at = _inserted(index.indptr, index.forms, first, rows, np.int32)
    return replace(
        engine,
        index=TermIndex(index.idf, indptr, forms_at),
        concepts=_concepts(engine.concepts, first, [concept for concept, _ in added], texts),
        axes=None if engine.axes is None else _axes(engine.axes, first, len(rows)),
        spoken=None if spoken is None else replace(spoken, term=spoken.term + np.int32(len(rows))),
    ), terms


def _held(engine: Engine, first: int, concept: int, forms: list[int]) -> int:
    """The term of a concept with these forms, of those that name it; -1 without one."""
    concepts, index = engine.concepts, engine.index
    for term in np.flatnonzero(concepts.term_concept[:first] == concept).tolist():
        own = index.forms[index.indptr[term] : index.indptr[term + 1]]
        if int(concepts.term_kind[term]) not in _HINTS and sorted(own.tolist()) == forms:
            return int(term)
    return -1


def _inserted(
    offsets: npt.NDArray[Any], values: npt.NDArray[Any], at: int, rows: Sequence[Sequence[int]], dtype: Any
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Offsets and values of a CSR with more rows before row `at`."""
    ends = np.cumsum([len(row) for row in rows])
    here = int(offsets[at])
    wide = np.concatenate([offsets[: at + 1], here + ends, offsets[at + 1 :] + ends[-1]])
    more = np.array([value for row in rows for value in row], values.dtype)
    return wide.astype(dtype), np.concatenate([values[:here], more, values[here:]])


def _concepts(concepts: Concepts, at: int, concept: Sequence[int], texts: Sequence[str]) -> Concepts:
    offset, blob = _inserted(concepts.text_offset, concepts.text_blob, at, [text.encode() for text in texts], np.int64)
    return replace(
        concepts,
        term_concept=np.insert(concepts.term_concept, at, concept),
        term_kind=np.insert(concepts.term_kind, at, [_IDIOM] * len(texts)),
        text_offset=offset,
        text_blob=blob,
    )


def _axes(axes: Axes, at: int, more: int) -> Axes:
    """With terms that name no value of an axis."""
    return replace(
        axes,
        term_pattern=np.insert(axes.term_pattern, at, [-1] * more),
        term_place=np.insert(axes.term_place, at, [0] * more),
        term_verb=np.insert(axes.term_verb, at, [-1] * more),
    )


def _marks(
    site: SiteList,
    abbreviations: Mapping[str, tuple[str, ...]],
    engines: Sequence[Engine],
    codes: Mapping[int, int],
    term_of: Mapping[int, int],
) -> SiteWords:
    """What a list pins and blocks, by the numbers of the engines."""
    by_name = {engine.system.name: engine for engine in engines}
    concept_of = {name: concept_of_codes(e.concepts, len(e.system)) for name, e in by_name.items()}
    pins: dict[str, tuple[Pin, ...]] = {}
    told: dict[tuple[str, str], tuple[Row, ...]] = {}
    blocked = set()
    for row in site.rows:
        if row["kind"] not in ("pin", "block"):
            continue
        name, code = _target(row)[0], codes[row.line]
        key = name, by_name[name].system.code(code)
        told[key] = (*told.get(key, ()), row)
        if row["kind"] == "block":
            blocked.add(key)
        else:
            pin = Pin(code, int(concept_of[name][code]), term_of.get(row.line, -1))
            pins[name] = (*pins.get(name, ()), pin)
    return SiteWords(site, abbreviations, pins, told, frozenset(blocked))
