"""What coded documents teach a system before its ranker is fitted, counted so that a document's own share can be taken out.

Documents are coded by one of two policies: "billing", the codes a coder would bill, and "mentions", a code for whatever is
mentioned. Where billed documents teach a system, those of mentions add associations (`learned.py`); where none does, they
teach it alone, and their words become terms (`mentions.py`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from codesuggest import procedures, profiles
from codesuggest.coded import CodedDocument
from codesuggest.codes import normalise
from codesuggest.codes.site import with_site_codes
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import concept_of_codes, encounters_of, lacks_encounter, with_learned
from codesuggest.config import SuggestConfig
from codesuggest.draft import concept_prior, with_dictionary
from codesuggest.engine import Engine
from codesuggest.learned import Counts, grams
from codesuggest.marked import Dictionary, Marked, Spoken
from codesuggest.mentions import TermCounts, terms_of
from codesuggest.note import Reading
from codesuggest.pipes.phrases import WordReader
from codesuggest.tagger import Taggers

ENOUGH = 200  #: billed documents of ICD-10-PCS from which on those of mentions are not needed


def policies_of(documents: Sequence[CodedDocument], system: CodeSystem) -> tuple[str, ...]:
    """The policies of the documents that the ranker of a system is fitted on: billing if there are any, else mentions.

    Few billed documents of ICD-10-PCS, whose features the two policies share, are helped out by those of mentions.
    """
    count = Counter(d.policy for d in documents if d.labels(system.name))
    if not count["billing"]:
        return ("mentions",) if count["mentions"] else ()
    if procedures.has_axes(system) and count["mentions"] and count["billing"] < ENOUGH:
        return ("billing", "mentions")
    return ("billing",)


@dataclass(frozen=True, slots=True)
class Outside:
    """What documents of some groups teach about those of the others.

    code_prior: float32 (k,). category_prior: float32 (categories,). concept_prior: float32 (c,), reliability: float32 (r,), of
    the learned terms, dictionary, profiles: None where the documents of mentions teach no such thing. absent: int32, codes of the
    site that the table would not hold but for documents left out.
    """

    code_prior: npt.NDArray[np.float32]
    category_prior: npt.NDArray[np.float32]
    concept_prior: npt.NDArray[np.float32] | None
    reliability: npt.NDArray[np.float32] | None
    dictionary: Dictionary | None
    profiles: profiles.Profiles | None
    absent: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Taught:
    """An engine with what documents taught it, and the counts, so that a document's own can be taken out again.

    policies: of the documents the ranker is fitted on. learned: the terms of those with every mention coded, if they are
    among them and the system is ICD-10-PCS; marked: the mention dictionary, where they are alone and it is another.
    """

    engine: Engine
    counts: Counts
    policies: tuple[str, ...]
    learned: TermCounts | None = None
    marked: Marked | None = None
    profiles: profiles.Taught | None = None
    taggers: Taggers | None = None

    def outside(self, groups: Collection[str]) -> Outside:
        """What the documents of the other groups teach."""
        concepts = self.engine.concepts
        reliability, dictionary, known, of_concept = None, None, None, None
        if self.marked and self.profiles and self.engine.spoken:
            dictionary, known = self.marked.without(groups), self.profiles.without(groups)
            reliability = self.engine.spoken.trust(dictionary)
            concept_of = concept_of_codes(concepts, len(self.engine.system))
            of_concept = concept_prior(dictionary, concept_of, len(concepts.route))
        elif self.learned:
            reliability, of_concept = self.learned.reliability(groups), self.learned.prior(groups)
        absent = np.zeros(0, np.int32)
        if dictionary is not None:
            absent = self._written[dictionary.coded[self._written] == 0]
        return Outside(*self.counts.priors_without(groups), of_concept, reliability, dictionary, known, absent)

    @cached_property
    def _written(self) -> npt.NDArray[np.int32]:
        """Codes of the site, but for those that only lack their seventh character: the table has them for how coders write, not
        for one note."""
        system = self.engine.system
        return np.array([i for i in sorted(system.site_codes) if not lacks_encounter(system, i)], np.int32)

    @classmethod
    def of(
        cls,
        engine: Engine,
        documents: Sequence[CodedDocument],
        readings: Sequence[Reading],
        form_ids: Mapping[str, int],
        policies: tuple[str, ...],
        min_groups: int,
        surgical: frozenset[str] = frozenset(),
        config: SuggestConfig | None = None,
    ) -> Taught:
        """surgical: forms that associations are not made of. config: how wide the index is asked for what the notes name."""
        counted = policies[-1]  # where both are fitted on, the many teach priors
        found = [frozenset[str]()] * len(readings)
        if counted == "billing":
            found = [frozenset(g for g in grams(r) if surgical.isdisjoint(g.split())) for r in readings]
        counts = Counts.of(engine.system, documents, found, min_groups=min_groups, fitted=counted)
        engine = replace(engine, learned=counts.learned())
        concept_of = concept_of_codes(engine.concepts, len(engine.system))
        if counted == "billing":
            # a code without a title has no words but those that stand where it was billed
            bare = [i for i in engine.system.site_codes if not engine.system.title(i)]
            if not bare:
                return cls(engine, counts, policies)
            concept_of = np.where(np.isin(np.arange(len(engine.system)), bare), concept_of, -1)
        own = [
            (d, r)
            for d, r in zip(documents, readings, strict=True)
            if d.policy == counted and d.labels(engine.system.name)
        ]
        if engine.axes is None and counted == "mentions":
            labels, patients = [_evidence(d, engine.system) for d, _ in own], [d.group or d.id for d, _ in own]
            marked = Marked.of(
                [r for _, r in own],
                labels,
                patients,
                codes=len(engine.system),
                idf=engine.index.idf,
                form_ids=form_ids,
                min_groups=min_groups,
            )
            spans = [
                {span for label in d.codes if label.system == engine.system.name for span in label.evidence}
                for d, _ in own
            ]
            said = [profiles.forms_of(r) for _, r in own]
            profiled = profiles.Taught.of(said, labels, patients, size=len(engine.index.idf), min_groups=min_groups)
            engine = with_dictionary(engine, Spoken.of(marked.dictionary, form_ids))
            engine = replace(engine, profiles=profiled.profiles)
            engine, taggers = _tagged(engine, own, spans, patients, min_groups, config or SuggestConfig())
            return cls(engine, counts, policies, marked=marked, profiles=profiled, taggers=taggers)
        learned = TermCounts.of(
            [terms_of(r) for _, r in own],
            [_concepts_given(d, engine.system, concept_of) for d, _ in own],
            [d.group or d.id for d, _ in own],
            n_concepts=len(engine.concepts.route),
            min_groups=min_groups,
            frequent=counted == "billing",
        )
        ids = [tuple(form_ids[f] for f in term) for term in learned.terms]
        engine = replace(
            engine,
            index=engine.index.with_terms(ids),
            concepts=with_learned(engine.concepts, learned.terms, learned.concept),
            axes=engine.axes.with_terms(len(ids)) if engine.axes is not None else None,
            learned=replace(engine.learned, reliability=learned.reliability(), concept_prior=learned.prior()),
        )
        return cls(engine, counts, policies, learned)


def _tagged(
    engine: Engine,
    own: Sequence[tuple[CodedDocument, Reading]],
    spans: Sequence[Collection[tuple[int, int]]],
    groups: Sequence[str],
    min_groups: int,
    config: SuggestConfig,
) -> tuple[Engine, Taggers | None]:
    """An engine with a tagger of the marks of these documents, if they teach any. spans, groups: of each document."""
    readings = [r for _, r in own]
    hits = (engine.hits(r, top=config.terms_per_segment, floor=config.coverage_floor) for r in readings)
    named = [engine.named(r, h) for r, h in zip(readings, hits, strict=True)]
    taggers = Taggers.of(readings, named, spans, groups, min_groups)
    if taggers is None or engine.spoken is None:
        return engine, None
    return replace(engine, spoken=replace(engine.spoken, tagger=taggers.tagger)), taggers


def coded_by_axes(system: CodeSystem, policies: Sequence[str]) -> bool:
    """Whether ICD-10-PCS is coded axis by axis. Where every mention was coded and nothing billed the coders' own phrases are the
    better guide: half of their codes are stems, which no axis has.
    """
    return procedures.has_axes(system) and tuple(policies) != ("mentions",)


def with_written_codes(
    system: CodeSystem, documents: Sequence[CodedDocument], policies: Sequence[str], name: str
) -> CodeSystem:
    """With the codes of the fitted documents that the table lacks; where every mention was coded also those it does not
    bill (a header among billed codes is a slip, no habit), and, if the coders leave out the seventh character, every code without
    it. A system coded by its axes stays what it is."""
    if coded_by_axes(system, policies):
        return system
    codes = {c for d in documents if d.policy in policies for c in d.labels(system.name) or ()}
    if policies[:1] == ("mentions",):
        codes |= {normalise(system.name, code) for code in codes}
        seventh = encounters_of(system)
        short = {code[:6] for code in seventh}
        if sum(code in short for code in codes) > sum(code in seventh for code in codes):
            codes |= short
        return with_site_codes(system, codes, name)
    return with_site_codes(system, (c for c in codes if c not in system), name)


def _evidence(document: CodedDocument, system: CodeSystem) -> dict[int, Sequence[Sequence[tuple[int, int]]]]:
    """Position of each code of a document -> its evidence; codes that stand for several are left out."""
    found: dict[int, Sequence[Sequence[tuple[int, int]]]] = {}
    for label in document.codes:
        places = stands_for(system, label.code) if label.system == system.name else []
        if len(places) == 1:
            found[places[0]] = label.marked
    return found


def forms_of_evidence(documents: Sequence[CodedDocument], words: WordReader, min_groups: int) -> set[str]:
    """Forms of the words that coders marked: what notes in another language than the table's are understood by.

    Without digits, and only of words marked in documents of `min_groups` groups (invariant 5).
    """
    marked_by: dict[str, set[str]] = defaultdict(set)
    for document in documents:
        spans = {span for label in document.codes for span in label.evidence}
        for form in sorted({f for a, b in spans for f in words.forms_of(document.text[a:b])}):
            if not _DIGIT.search(form):
                marked_by[form].add(document.group or document.id)
    return {form for form, groups in marked_by.items() if len(groups) >= min_groups}


_DIGIT = re.compile(r"\d")


def stands_for(system: CodeSystem, code: str) -> list[int]:
    """Positions of the billable codes that a code of a document stands for: itself (a site's own too), or those it begins.

    Documents of other releases hold codes that are headers or gone by now; a gone ICD-10-PCS code stands for the codes of
    its operation and body part, its first four characters.
    """
    at = system.index_of(code) if code in system else -1
    if at >= 0 and (system.billable[at] or at in system.site_codes):
        return [at]
    key = normalise(system.name, code).encode()
    codes = np.asarray(system.codes)
    for begin in (key, key[: procedures.STEM]) if system.name.startswith("icd10pcs") else (key,):
        low, high = np.searchsorted(codes, [begin, begin + b"~"]).tolist()
        found = [i for i in range(low, high) if system.billable[i]]
        if found:
            return found
    return []


#: A code that stands for codes of more concepts than this says too little to learn words from.
_MOST_CONCEPTS = 8


def _concepts_given(document: CodedDocument, system: CodeSystem, concept_of: npt.NDArray[np.int32]) -> frozenset[int]:
    out: set[int] = set()
    for code in document.labels(system.name) or {}:
        found = {int(c) for c in concept_of[stands_for(system, code)] if c >= 0}
        if len(found) <= _MOST_CONCEPTS:
            out |= found
    return frozenset(out)
