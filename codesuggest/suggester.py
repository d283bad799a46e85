"""CodeSuggester: the one place that knows the order of the steps, and that loads and saves models."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesuggest import guideline, store, together
from codesuggest.asked import Asked, among, by_lines, claim_lines
from codesuggest.cautions import TrainedOn, cautions
from codesuggest.charges import lines_of
from codesuggest.codes import as_day, licence
from codesuggest.codes.edits import Edits
from codesuggest.codes.system import Code, CodeSystem
from codesuggest.config import TOGETHER, SuggestConfig
from codesuggest.encounter import encounter_result, read_pages
from codesuggest.engine import Engine
from codesuggest.errors import CodeSuggestError, ModelFormatError, OptionError
from codesuggest.features import Table
from codesuggest.listing import Spans, listed
from codesuggest.lookup import Lookup
from codesuggest.note import NoteReader, Reading, check_text
from codesuggest.pipes.language import DEFAULT
from codesuggest.pipes.language import language as spoken
from codesuggest.pipes.phrases import WordReader
from codesuggest.records import ClaimLine, EncounterResult, Finding, NoteResult, Suggestion
from codesuggest.retrieve import Hits
from codesuggest.site_words import SiteList, SiteWords, fit
from codesuggest.specificity import Specificity, query
from codesuggest.specificity import explain as explain_axes
from codesuggest.stages import Trace
from codesuggest.withheld import spans_of, withheld

if TYPE_CHECKING:
    from spacy.tokens import Doc

STARTER = "starter"
_A_LOT = 40_000  #: characters of notes from which no more are read before these are done
Scored = tuple[Hits, Table]  #: a note's matches and its scored candidates in one system
_Given = tuple[str, str, Asked]  #: a note: its text, its id, what is asked
#: Service date of a model none of whose tables is named by a day, when nobody gives one: what its codes do not depend on.
UNDATED = "2026-04-01"


def starter_path() -> Path:
    """The model that ships with the package: beside the modules in a wheel, in `models/` of a checkout."""
    here = Path(__file__).parent
    installed = here / "models" / STARTER
    return installed if installed.is_dir() else here.parent / "models" / STARTER


def _a_few(notes: Iterable[str]) -> Iterator[list[str]]:
    """As many at a time as go together; where the notes end in an error, first those before it."""
    some: list[str] = []
    try:
        for note in notes:
            some.append(note)
            if len(some) == TOGETHER:
                ready, some = some, []
                yield ready
    finally:
        if some:
            yield some


_OWN_WORDS = "site_words.tsv"  #: in a model folder, the list it was trained with


class CodeSuggester:
    """Suggests codes for notes. Cheap to load, safe to share between threads that only call `suggest`."""

    def __init__(
        self,
        engines: Sequence[Engine],
        vocabulary: Sequence[str],
        forms: Mapping[str, str],
        *,
        name: str,
        config: SuggestConfig | None = None,
        path: Path | None = None,
        about: Mapping[str, Any] | None = None,
        language: str = DEFAULT,
        site_words: SiteWords | None = None,
        plain: CodeSuggester | None = None,
        own_words: SiteList | None = None,
    ) -> None:
        """engines: one a code system. vocabulary: word forms in order of id. forms: known words and their form. language: of the
        notes, "en" or "es". site_words, plain: a site's list and the model without it; own_words: the list it was
        trained with, see `with_words`. Raises OptionError for an unknown language.
        """
        self.language = spoken(language).code
        self.engines = {engine.system.name: engine for engine in engines}
        self.vocabulary, self.name, self.path = tuple(vocabulary), name, path
        self.config = config or SuggestConfig()
        self.about = licence.marked(about or {}, self.tables.values())
        self._forms = dict(forms)
        self.site_words, self._plain, self.own_words = site_words, plain, own_words

    # -- models ------------------------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, expect: str | None = None, words: str | Path | SiteList | None = None
    ) -> CodeSuggester:
        """Open a model folder; without a path, the starter model.

        expect: "sha256:..." of its manifest, for those who pin a model. Every file is checked against the manifest, no
        code is run from the folder, arrays are memory-mapped. words: a site's word list, see `with_words`; by default the one
        that the model was trained with, if any. Raises
        ModelNotFoundError, ModelFormatError, ModelDamagedError, each naming the file and the remedy; LexiconError for the list.
        """
        folder = store.open_folder(Path(path) if path is not None else starter_path(), expect=expect)
        about = folder.manifest
        systems, settings, speech = about.get("systems"), about.get("config"), about.get("language", DEFAULT)
        if not isinstance(about.get("name"), str) or not isinstance(settings, dict) or not isinstance(systems, list):
            raise ModelFormatError(f"{folder.path}: the manifest names no systems or settings; rebuild the model")
        if not systems or not all(isinstance(row, dict) for row in systems):
            raise ModelFormatError(f"{folder.path}: the manifest names no systems; rebuild the model")
        pairs = [line.split("\t") for line in folder.text("words.txt").splitlines()]
        if not all(len(pair) == 2 for pair in pairs):
            raise ModelFormatError(
                f"{folder.path / 'words.txt'}: not a word and its form on each line; rebuild the model"
            )
        vocabulary = folder.text("vocabulary.txt").splitlines()
        try:
            speech = spoken(speech if isinstance(speech, str) else repr(speech)).code
            config = SuggestConfig.from_dict(settings)
        except OptionError as error:
            raise ModelFormatError(f"{folder.path}: {error}; rebuild the model") from None
        model = cls(
            [Engine.load(folder, row, len(vocabulary)) for row in systems],
            vocabulary,
            {word: form for word, form in pairs},
            name=f"{about['name']}@{folder.digest[:12]}",
            config=config,
            path=folder.path,
            about=about,
            language=speech,
            own_words=SiteList.read(folder.path / _OWN_WORDS) if folder.has(_OWN_WORDS) else None,
        )
        return model.as_made if words is None else model.with_words(words)

    @property
    def plain(self) -> CodeSuggester:
        """The model without a site's word list."""
        return self._plain or self

    @property
    def as_made(self) -> CodeSuggester:
        """The model with the word list it was trained with, if any, and no other."""
        return self.plain if self.own_words is None else self.plain.with_words(self.own_words)

    def with_words(self, words: str | Path | SiteList, *, keep: bool = False) -> CodeSuggester:
        """This model with a site's own abbreviations, idioms, pinned and blocked codes (`site_words.py` has the columns).

        The list takes the place of an earlier one, and its digest stands in the name. keep: it becomes part of the model: `save`
        writes it, what `adapt` and `learn` make has it, `load` uses it unless told of another. Else it is of this object alone.
        Raises LexiconError, naming file and line.
        """
        plain, site = self.plain, words if isinstance(words, SiteList) else SiteList.read(words)
        engines, vocabulary, fitted = fit(site, plain.engines, plain.vocabulary, plain._word_reader())
        own: dict[str, Any] = {
            "config": plain.config,
            "path": plain.path,
            "about": plain.about,
            "language": plain.language,
            "own_words": site if keep else plain.own_words,
        }
        if keep:
            plain = CodeSuggester(engines, vocabulary, plain.forms, name=plain.name, **own)
        name = f"{plain.name}+words:{site.digest}"
        return CodeSuggester(engines, vocabulary, plain.forms, name=name, site_words=fitted, plain=plain, **own)

    def save(self, path: str | Path) -> None:
        """Write the model folder, without a site's word list. The same model gives the same bytes.

        Raises ModelFormatError over a foreign folder; OptionError for a model that is not redistributable, as one with
        CPT, below a folder of this project's checkout that ships, or over the shipped model.
        """
        if self._plain is not None:
            return self._plain.save(path)
        licence.refuse_shipping(Path(path), self.about, starter_path())
        files: dict[str, store.Content] = {
            "vocabulary.txt": "".join(f"{form}\n" for form in self.vocabulary),
            "words.txt": "".join(f"{w}\t{f}\n" for w, f in sorted(self._forms.items())),
            "README.md": self._card(),
        }
        if self.own_words is not None:
            files[_OWN_WORDS] = self.own_words.content
        systems = []
        for engine in self.engines.values():
            row, more = engine.files()
            systems.append(row)
            files.update(more)
        kept = {
            k: v
            for k, v in self.about.items()
            if k not in ("kind", "format", "files", "systems", "config", "name", "language")
        }
        about = {
            "name": self.name.split("@")[0],
            "language": self.language,
            "systems": systems,
            "config": self.config.to_dict(),
            **kept,
        }
        store.save(Path(path), about, files)

    def _card(self) -> str:
        rows = [
            f"| {e.system.name} | {e.system.release} | {int(e.system.billable_on().sum()):,} | {len(e.index):,} "
            f"| {e.ranker.threshold:.2f} |"
            for e in self.engines.values()
        ]
        made = "\n".join(f"- {line}" for line in self.about.get("made_from", []))
        guessed = ", ".join(name for name, e in self.engines.items() if not e.ranker.taught)
        if guessed:
            made += f"\n\nNot calibrated: {guessed}. No coded document taught it, so codes are ranked by the words of the table."
        licensed = "\n".join(f"> - {line}." for line in self.about.get("not_redistributable", []))
        if licensed:
            licensed = f"> **Not redistributable: do not publish, share or ship this folder.**\n>\n{licensed}\n\n"
        return (
            f"# {self.name.split('@')[0]}: a codesuggest model\n\n{licensed}Data only: nothing in this folder is ever executed. "
            "`codesuggest model verify` checks it.\n\n| system | release | billable codes | terms | threshold |\n"
            f"|---|---|---|---|---|\n" + "\n".join(rows) + f"\n\nMade from:\n{made}\n"
        )

    @property
    def forms(self) -> Mapping[str, str]:
        """Known words of the code tables and their form."""
        return self._forms

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the code systems this model can suggest, in its order."""
        return tuple(self.engines)

    @property
    def tables(self) -> dict[str, CodeSystem]:
        return {name: engine.system for name, engine in self.engines.items()}

    @cached_property
    def release_day(self) -> str:
        """ISO date of the newest release in the model: the service date when nobody gives one (invariant 4)."""
        days = [e.system.release for e in self.engines.values() if e.system.release_day]
        return max(days, default=UNDATED)

    @cached_property
    def _trained_on(self) -> TrainedOn | None:
        return TrainedOn.from_dict(self.about.get("trained_on"))

    @cached_property
    def reader(self) -> NoteReader:
        first = next(iter(self.engines.values()))
        return NoteReader({form: i for i, form in enumerate(self.vocabulary)}, first.index.idf, self._word_reader())

    def _word_reader(self) -> WordReader:
        words = WordReader(spoken(self.language))
        words.know(self._forms)
        if self.site_words is not None:
            self.site_words.teach(words)
        return words

    # -- suggesting --------------------------------------------------------------------------------------------------

    def suggest(
        self,
        note: str,
        *,
        id: str = "",
        service_date: str | dt.date | None = None,
        setting: str | None = None,
        document_type: str | None = None,
        systems: Sequence[str] | None = None,
        age: int | None = None,
        sex: str | None = None,
        limit: int | None = None,
        threshold: float | None = None,
    ) -> NoteResult:
        """Codes for one note, best first, with evidence, what was withheld and why, and findings.

        service_date: day of service (of discharge for inpatients), ISO or a date; decides which codes are valid; by
            default the model's release. setting: "inpatient" or "outpatient"; by default a discharge summary is
            inpatient, all else outpatient. document_type: by default read from the note. systems: by default
            ICD-10-CM with HCPCS and CPT for outpatients and ICD-10-PCS for inpatients, HCPCS and CPT for a charge line, of
            those the model holds. age in years and sex ("female", "male") serve the findings. limit:
            suggestions listed a system. threshold: confidence in [0, 1] from which a code counts as suggested.

        Raises NotTextError, TextTooLongError, OptionError; no message holds text of the note.
        """
        text, id, asked = self._given(
            note,
            id,
            service_date=service_date,
            setting=setting,
            document_type=document_type,
            systems=systems,
            age=age,
            sex=sex,
            limit=limit,
            threshold=threshold,
        )
        return self._result(text, self.reader.read(text, asked.document_type), id, asked)

    def _given(self, note: str, id: str = "", **options: Any) -> _Given:
        """Raises as `suggest`."""
        return check_text(note), id, self._asked(**options)

    def suggest_doc(
        self,
        doc: Doc,
        *,
        service_date: str | dt.date | None = None,
        setting: str | None = None,
        systems: Sequence[str] | None = None,
    ) -> NoteResult:
        """As `suggest`, for a Doc that `codesuggest_structure` and `codesuggest_assertion` have read."""
        asked = self._asked(service_date=service_date, setting=setting, systems=systems)
        text = check_text(doc.text)
        return self._result(text, self.reader.read_doc(doc, None, text), "", asked)

    def suggest_many(self, notes: Iterable[str], **options: Any) -> Iterator[NoteResult]:
        """`suggest` for every note, in order and a few at a time, as `suggest_together` has them; `batch.py` is the way to many
        documents and processes. Raises as `suggest`, when the results of the notes before are given."""
        for some in _a_few(notes):
            for result in self.suggest_together([{"note": note, **options} for note in some]):
                if isinstance(result, CodeSuggestError):
                    raise result
                yield result

    def suggest_together(self, notes: Sequence[Mapping[str, Any]]) -> list[NoteResult | CodeSuggestError]:
        """`suggest(**note)` for each of a few notes, the same results in less time: notes are short, so that it is quicker to
        search and judge eight of them at once. A note for which `suggest` raises has its error instead."""
        out: list[NoteResult | CodeSuggestError] = []
        held: list[_Given | CodeSuggestError] = []
        for note in notes:
            try:
                held.append(self._given(**note))
            except CodeSuggestError as error:
                held.append(error)
            if sum(len(g[0]) for g in held if isinstance(g, tuple)) > _A_LOT:
                out += self._results(held)
                held = []
        return out + self._results(held)

    def _results(self, notes: Sequence[_Given | CodeSuggestError]) -> list[NoteResult | CodeSuggestError]:
        able = [given for given in notes if isinstance(given, tuple)]
        readings = self.reader.read_some([(text, asked.document_type) for text, _, asked in able])
        wanted = [(reading, asked) for reading, (*_, asked) in zip(readings, able, strict=True)]
        scored = together.scored(wanted, self.engines, self.config)
        rows = zip(readings, scored, strict=True)
        out: list[NoteResult | CodeSuggestError] = []
        for given in notes:
            if isinstance(given, tuple):
                (text, id, asked), (reading, own) = given, next(rows)
                out.append(self._result(text, reading, id, asked, own))
            else:
                out.append(given)
        return out

    def _asked(self, **options: Any) -> Asked:
        """Raises OptionError."""
        return Asked.checked(self.systems, self.release_day, **options)

    def review(
        self, reading: Reading, suggestions: Sequence[Suggestion], setting: str, asked: Asked
    ) -> tuple[Finding, ...]:
        """The rules over suggestions for a note that was read, and what a site's list says of them."""
        findings = guideline.check(
            suggestions,
            self.tables,
            setting=setting,
            service_date=asked.day,
            document_type=reading.document_type,
            age=asked.age,
            sex=asked.sex,
            said=guideline.Said(reading, self.reader.forms_of),
        )
        return findings if self.site_words is None else self.site_words.with_findings(findings, suggestions)

    def _result(
        self, text: str, reading: Reading, id: str, asked: Asked, scored: Mapping[str, Scored] | None = None
    ) -> NoteResult:
        """scored: what `together.scored` tells of the note."""
        place = asked.setting_for(reading.document_type)
        chosen = asked.systems_for(reading.document_type, self.systems)
        suggestions: list[Suggestion] = []
        shown: list[Spans] = []
        claimed: list[Spans] = []
        for name in chosen:
            engine, limit = self.engines[name], asked.limit or self.config.limit
            if by_lines(reading.document_type, name):
                ranked, own, all_of_them = self._rank_lines(reading, engine, asked.day, limit, asked.threshold)
            else:
                one = scored.get(name) if scored else None
                ranked, own, all_of_them = self._rank(reading, engine, asked.day, place, limit, asked.threshold, one)
            suggestions += ranked
            shown.append(own)
            claimed.append(all_of_them)
        if self.site_words is not None:
            suggestions = self.site_words.marked(suggestions)
        kept_back = withheld(reading, shown, claimed, setting=place)
        findings = self.review(reading, suggestions, place, asked)
        return NoteResult(
            model=self.name,
            setting=place,
            service_date=asked.day,
            document_type=reading.document_type,
            systems=chosen,
            suggestions=tuple(suggestions),
            withheld=kept_back,
            findings=findings,
            id=id,
            text=text,
            cautions=cautions(reading, self._trained_on, language=self.language, found=bool(suggestions)),
        )

    def _rank(
        self, reading: Reading, engine: Engine, day: str, setting: str, limit: int, threshold: float | None,
        scored: Scored | None = None,
    ) -> tuple[list[Suggestion], Spans, Spans]:  # fmt: skip
        """The best codes of one system; the spans of what they rest on, and those of all matches, listed or not."""
        hits, table = scored or self._candidates(reading, engine, day, setting)
        pinned = None if self.site_words is None else self.site_words.pinned(engine, reading, hits, table)
        out, shown = listed(
            reading, engine, hits, table, self.config, day=day, limit=limit, threshold=threshold, pinned=pinned
        )
        used = table.usable.nonzero()[0]
        first, last = hits.first.take(used), hits.last.take(used)
        return out, shown, (reading.words.start.take(first), reading.words.end.take(last))

    def _candidates(self, reading: Reading, engine: Engine, day: str, setting: str) -> Scored:
        return engine.candidates(
            reading,
            engine.suggestible_on(day),
            inpatient=setting == "inpatient",
            top=self.config.terms_per_segment,
            floor=self.config.coverage_floor,
        )

    def _rank_lines(
        self, reading: Reading, engine: Engine, day: str, limit: int, threshold: float | None
    ) -> tuple[list[Suggestion], Spans, Spans]:
        """The best codes of a list of charge lines; the spans of what they rest on, and those of the lines."""
        lines = lines_of(reading.text)
        out = engine.scorer.suggest(
            lines,
            engine.suggestible_on(day),
            limit=limit,
            floor=self.config.confidence_floor,
            threshold=threshold,
            places=self.config.evidence_per_suggestion,
        )
        return out, spans_of([e for s in out for e in s.evidence]), spans_of(lines)

    def suggest_encounter(
        self,
        documents: Iterable[Mapping[str, Any]],
        *,
        id: str = "",
        service_date: str | dt.date | None = None,
        setting: str | None = None,
        systems: Sequence[str] | None = None,
        age: int | None = None,
        sex: str | None = None,
        limit: int | None = None,
        threshold: float | None = None,
        edits: Edits | None = None,
    ) -> EncounterResult:
        """One set of codes for the documents of one encounter, each code once with its evidence by document.

        documents: mappings with "id" and "text", and optionally "document_type" and the options of `suggest`, which
            must not contradict one another or those given here. service_date: of discharge for inpatients. setting: by
            default inpatient if a discharge summary is among them. edits: payers' tables the user has loaded, the codes
            exempt from the present-on-admission indicator among them.

        The claim's codes come in proposed order, with the reason; what is suggested of them (present on admission,
        modifiers, units) stands in `EncounterCode.proposals`. Raises as `suggest`; OptionError for documents that are
        none, have one id twice or contradict one another.
        """
        given = {"service_date": service_date, "setting": setting, "systems": systems, "age": age, "sex": sex}
        pages, options = read_pages(documents, given)
        options |= {"limit": limit, "threshold": threshold}
        results = [self.suggest(page.pop("text"), **page, **options) for page in map(dict, pages)]
        if len({result.setting for result in results}) > 1:  # a visit before the stay belongs to the stay
            options["setting"] = "inpatient"
            results = [self.suggest(page.pop("text"), **page, **options) for page in map(dict, pages)]
        found = encounter_result(results, self.tables, id=id, age=options["age"], sex=options["sex"], edits=edits)
        if self.site_words is None:
            return found
        return replace(found, findings=self.site_words.with_findings(found.findings, found.codes))

    # -- looking up --------------------------------------------------------------------------------------------------

    def search(
        self,
        text: str,
        *,
        system: str | None = None,
        limit: int = 10,
        date: dt.date | str | int | None = None,
    ) -> list[Code]:
        """The billable codes that fit some words best, best first; a code that was typed comes first (see `lookup`).

        system: by default the model's first; a typed code is looked for in all of them. date: on which the codes are
        valid, by default the release's own. Raises OptionError, NotTextError.
        """
        among("system", system, self.systems)
        self._asked(limit=0 if limit is None else limit)
        check_text(text)
        for name in [system] if system else self.systems:
            if typed := self._lookups[name].typed(text, limit=limit, date=date):
                return typed
        return self._lookups[system or self.systems[0]].search(text, limit=limit, date=date)

    @cached_property
    def _lookups(self) -> dict[str, Lookup]:
        ids = {form: i for i, form in enumerate(self.vocabulary)}
        words = self._word_reader()
        return {
            name: Lookup(e.system, e.concepts, e.index, ids, words, e.learned.code_prior)
            for name, e in self.engines.items()
        }

    def check_claim(
        self,
        codes: Sequence[str | tuple[str, str] | ClaimLine],
        *,
        note: str | None = None,
        service_date: str | dt.date | None = None,
        setting: str | None = None,
        document_type: str | None = None,
        age: int | None = None,
        sex: str | None = None,
        edits: Edits | None = None,
    ) -> tuple[Finding, ...]:
        """The rules over codes a person chose, in claim order: the first diagnosis is the principal one.

        codes: "I10" (ICD-10-CM), ("icd10pcs", "0DTJ4ZZ"), or a `ClaimLine` with units, modifiers and the
        present-on-admission indicator. note: with it, also what its words say of those codes. edits: payers' tables the
        user has loaded. The other options are those of `suggest`. Without a note 12 codes take about 1 ms.

        Raises as `suggest`; OptionError for a list of codes that is none.
        """
        lines = claim_lines(codes, self.systems)
        asked = self._asked(service_date=service_date, setting=setting, document_type=document_type, age=age, sex=sex)
        said, listed, kind = None, None, document_type
        if note is not None:
            reading = self.reader.read(check_text(note), document_type)
            kind = reading.document_type
            said = guideline.Said(reading, self.reader.forms_of)
        procedures = any(line.system.startswith("icd10pcs") for line in lines)  # only inpatient claims have them
        place = asked.setting_for(kind, otherwise="inpatient" if procedures else "outpatient")
        if note is not None:
            listed = self._listed(reading, lines, asked.day, place)
        return guideline.check_codes(
            lines,
            self.tables,
            setting=place,
            service_date=asked.day,
            document_type=kind,
            age=age,
            sex=sex,
            listed=listed,
            said=said,
            edits=edits,
        )

    def specificity(
        self,
        code: str,
        *,
        system: str = "icd10cm",
        note: str | None = None,
        service_date: str | dt.date | None = None,
        setting: str | None = None,
    ) -> Specificity:
        """What a code leaves open, where each answer leads, and the text of a query that does not lead.

        note: its words that stand for the code are the query's indicators, quoted; without it the query says only what
        is missing. Raises as `suggest`; OptionError for a code the system does not hold.
        """
        among("system", system, self.systems)
        table = self.tables[system]
        if code not in table:
            raise OptionError(f"{system} of this model holds no code {code}")
        day = self._asked(service_date=service_date, setting=setting).day
        wanted = table[code]
        axes = explain_axes(table, code, as_day(day))
        spans: list[tuple[int, int]] = []
        if note is not None:
            result = self.suggest(note, systems=[system], service_date=day, setting=setting, limit=100_000)
            held = (e for s in result.suggestions if s.code == wanted.code for e in s.evidence)
            spans = sorted({(e.start, e.end) for e in held if e.assertion in ("affirmed", "uncertain")})
        text = query(wanted.display, axes, spans, note=note)
        return Specificity(system, wanted.code, wanted.display, axes, tuple(spans), text)

    def _listed(self, reading: Reading, lines: Sequence[ClaimLine], day: str, setting: str) -> list[Suggestion]:
        """What a note suggests in the systems of a claim: the claimed codes, and the best of the others."""
        out: list[Suggestion] = []
        for name in dict.fromkeys(line.system for line in lines if line.system in self.engines):
            table = self.tables[name]
            held = {code.code for line in lines if line.system == name and (code := table.get(line.code)) is not None}
            ranked, *_ = self._rank(reading, self.engines[name], day, setting, 100_000, None)
            out += [s for n, s in enumerate(ranked) if n < self.config.limit or s.code in held]
        return out

    def explain(
        self,
        note: str,
        code: str,
        *,
        system: str = "icd10cm",
        marked: Iterable[tuple[int, int]] = (),
        **options: Any,
    ) -> dict[str, Any]:
        """Why this code, or at which stage it was lost; the keys are those of `stages.Explanation`.

        stage: one of `stages.STAGES`, as "suggested", "below_threshold", "ranked_low" (after the limit),
        "withheld_negated", "not_retrieved" (no term of it is near), "not_valid" (not billable on the day); "told" says it
        as a sentence. marked: where a coder sees it, (start, end) in code points. options: those of `suggest`.

        Raises as `suggest`; OptionError for a code the system does not hold.
        """
        among("system", system, self.systems)
        if code not in self.tables[system]:
            raise OptionError(f"{system} of this model holds no code {code}")
        return self.trace(note, system=system, **options).of(code, marked).to_dict()

    def trace(self, note: str, *, system: str = "icd10cm", **options: Any) -> Trace:
        """What happened to a note in one system, to ask about any number of codes. options: those of `suggest`.

        Raises as `suggest`.
        """
        among("system", system, self.systems)
        options.pop("id", None)
        asked = self._asked(**{**options, "systems": [system]})
        text, engine = check_text(note), self.engines[system]
        reading = self.reader.read(text, asked.document_type)
        result = self._result(text, reading, "", replace(asked, limit=100_000))
        hits = table = None
        if not by_lines(reading.document_type, system):
            hits, table = self._candidates(reading, engine, asked.day, result.setting)
        bar = engine.ranker.threshold if asked.threshold is None else asked.threshold
        blocked = frozenset() if self.site_words is None else self.site_words.blocked_in(system)
        return Trace(engine, reading, result, hits, table, bar, asked.limit or self.config.limit, blocked)
