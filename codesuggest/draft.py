"""A system before its words are numbered: concepts and terms, and of ICD-10-PCS what its axes are made from.

The word forms of all systems of a model share one numbering, so that a note is read once: each system is drafted first, and
an `Engine` is made of each draft when the vocabulary of all is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from codesuggest import procedures
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import Concepts, Entry, Idiom, build, categories_of, concept_of_codes, with_learned
from codesuggest.engine import Engine
from codesuggest.learned import Learned
from codesuggest.marked import Dictionary, Spoken
from codesuggest.pipes.phrases import WordReader
from codesuggest.rank import Ranker
from codesuggest.retrieve import TermIndex


@dataclass(frozen=True, slots=True)
class Draft:
    """A system's concepts and terms before the words of all systems are numbered. The rest is of ICD-10-PCS only."""

    system: CodeSystem
    concepts: Concepts
    terms: list[tuple[str, ...]]
    rest: npt.NDArray[np.int32] | None = None
    rests: Sequence[tuple[str, ...]] = ()
    meaning: Sequence[procedures.Meaning] = ()
    patterns: Sequence[tuple[str, ...]] = ()
    cues: Sequence[str] = ()

    @classmethod
    def of(cls, system: CodeSystem, entries: Sequence[Entry], words: WordReader, idioms: Sequence[Idiom]) -> Draft:
        if not procedures.has_axes(system):
            return cls(system, *build(entries, words.forms_of, idioms))
        concepts, terms, meaning, patterns = procedures.build(
            entries, words.forms_of, procedures.read_procedures(), procedures.read_body_parts()
        )
        rest, rests = procedures.rests_of(entries, len(system), words.forms_of)
        cues = [form for word, _ in procedures.read_approaches() for form in words.forms_of(word)]
        return cls(system, concepts, terms, rest, rests, meaning, patterns, cues)

    @property
    def forms(self) -> set[str]:
        return {form for forms in (*self.terms, *self.rests, self.cues) for form in forms}

    def engine(self, vocabulary: Sequence[str], form_ids: Mapping[str, int], words: WordReader) -> Engine:
        """An engine that has been taught nothing."""
        axes = None
        if self.rest is not None:
            axes = procedures.axes_of(
                self.system.codes, self.rest, self.rests, self.meaning, self.patterns, form_ids, words.forms_of
            )
        categories = int(categories_of(self.system).max()) + 1
        return Engine(
            self.system,
            self.concepts,
            TermIndex.build(self.terms, vocabulary),
            Learned.nothing(len(self.system), categories),
            Ranker.nothing(),
            axes=axes,
        )


def with_dictionary(engine: Engine, spoken: Spoken) -> Engine:
    """The engine with the phrases of a mention dictionary as its learned terms."""
    concept_of = concept_of_codes(engine.concepts, len(engine.system))
    if (concept_of[spoken.dictionary.code] < 0).any():  # another table's header, or without a title there
        place = np.where(concept_of >= 0, np.arange(len(concept_of)), -1).astype(np.int32)
        spoken = replace(spoken, dictionary=spoken.dictionary.moved(place, len(place)))
    spoken = spoken.numbered(concept_of, len(engine.index))
    phrases, concept = spoken.terms(concept_of)
    return replace(
        engine,
        index=engine.index.with_terms([()] * len(phrases)),  # found by the dictionary, which wants all of a phrase
        concepts=with_learned(engine.concepts, [(p,) for p in phrases], concept),
        learned=replace(
            engine.learned,
            reliability=spoken.trust(spoken.dictionary),
            concept_prior=concept_prior(spoken.dictionary, concept_of, len(engine.concepts.route)),
        ),
        spoken=spoken,
    )


def concept_prior(dictionary: Dictionary, concept_of: npt.NDArray[np.int32], concepts: int) -> npt.NDArray[np.float32]:
    """ln(1 + 4 n) / 2 of how often the codes of each concept were given, float32 (c,)."""
    given = np.flatnonzero((dictionary.coded > 0) & (concept_of >= 0))
    count = np.bincount(concept_of[given], dictionary.coded[given], minlength=concepts)
    return np.asarray(np.log1p(4 * count) / 2, np.float32)


def with_learned_terms_of(old: Engine, new: Engine) -> Engine:
    """The engine of another table of the same system with the learned terms of the old one, at the concepts that now hold the
    codes of theirs. The word forms of the old engine keep their numbers. A concept that is gone takes its terms along.
    """
    if new.spoken is not None:  # moved to the new table already
        return with_dictionary(new, new.spoken)
    n = len(old.learned.reliability)
    now = concept_of_codes(new.concepts, len(new.system))
    moved = np.full(len(old.concepts.route), -1, np.int32)
    for place, c in enumerate(concept_of_codes(old.concepts, len(old.system)).tolist()):
        if c >= 0 and moved[c] < 0 and (code := old.system.code(place)) in new.system:
            moved[c] = now[new.system.index_of(code)]
    first = len(old.index) - n
    concept = moved[old.concepts.term_concept[first:]]
    kept = np.flatnonzero(concept >= 0)
    bounds = old.index.indptr
    ids = [tuple(old.index.forms[bounds[t] : bounds[t + 1]].tolist()) for t in (first + kept).tolist()]
    texts = [tuple(old.concepts.text(t).split(" ")) for t in (first + kept).tolist()]
    prior = np.zeros(len(new.concepts.route), np.float32)
    if len(old.learned.concept_prior):
        prior[moved[moved >= 0]] = old.learned.concept_prior[moved >= 0]
    return replace(
        new,
        index=new.index.with_terms(ids),
        concepts=with_learned(new.concepts, texts, concept[kept]),
        axes=new.axes.with_terms(len(ids)) if new.axes is not None else None,
        learned=replace(new.learned, reliability=old.learned.reliability[kept], concept_prior=prior),
    )
