"""text -> Reading: what a note says, in arrays. The only module that builds an nlp object.

A *segment* is a stretch of one sentence under one assertion: "denies chest pain but has fever" holds two. Segments are
what terms are matched against, so a negated word can never complete an affirmed term.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import chain
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codesuggest.errors import NotTextError, TextTooLongError
from codesuggest.pipes.assertion import Asserted
from codesuggest.pipes.effects import Stated, effect_reader
from codesuggest.pipes.phrases import ROUTES, WordReader, Words, common_words, listed_words, phrase_runs
from codesuggest.pipes.pieces import PieceReader, Pieces, readable
from codesuggest.pipes.quick import quicken
from codesuggest.pipes.results import Result, ResultReader
from codesuggest.pipes.signs import SIGNS, read_signs
from codesuggest.pipes.structure import Structure, sentence_starts
from codesuggest.pipes.tokens import Tokens
from codesuggest.pipes.weeks import WEEK_TOLD, may_tell, weeks
from codesuggest.records import ASSERTIONS, Cue, Phrase
from codesuggest.retrieve import BLOCK, Said

if TYPE_CHECKING:
    from spacy.language import Language as Pipeline
    from spacy.tokens import Doc

Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

MAX_CHARACTERS = 10_000_000

#: Groups of sections that the ranker tells apart, and the sections of `sections.tsv` in each.
GROUPS = ("assessment", "plan", "reason", "story", "past", "medications", "findings", "exam", "procedure", "none")
_GROUP_OF = {
    "assessment": "assessment",
    "assessment_plan": "assessment",
    "impression": "assessment",
    "diagnosis": "assessment",
    "discharge_diagnosis": "assessment",
    "postop_diagnosis": "assessment",
    "mdm": "plan",
    "plan": "plan",
    "disposition": "plan",
    "consults": "plan",
    "chief_complaint": "reason",
    "indication": "reason",
    "admission_diagnosis": "reason",
    "preop_diagnosis": "reason",
    "title": "reason",
    "hpi": "story",
    "hospital_course": "story",
    "ed_course": "story",
    "comment": "story",
    "complications": "story",
    "postoperative_course": "story",
    "pmh": "past",
    "psh": "past",
    "problem_list": "past",
    "obgyn_history": "past",
    "social_history": "past",
    "family_history": "past",
    "family_social_history": "past",
    "immunizations": "past",
    "medications": "medications",
    "discharge_medications": "medications",
    "allergies": "medications",
    "findings": "findings",
    "results": "findings",
    "labs": "findings",
    "imaging": "findings",
    "pathology": "findings",
    "comparison": "exam",
    "technique": "exam",
    "ros": "exam",
    "exam": "exam",
    "vitals": "exam",
    "functional_status": "exam",
    "instructions": "exam",
    "discharge_instructions": "exam",
    "procedure": "procedure",
    "procedure_description": "procedure",
    "operative_details": "procedure",
    "anesthesia": "procedure",
    "specimen": "procedure",
}
_GROUP_NUMBER: dict[str | None, int] = {name: GROUPS.index(group) for name, group in _GROUP_OF.items()}
_NO_GROUP = GROUPS.index("none")
#: Indices in ASSERTIONS, as `Reading.status` holds them.
AFFIRMED, NEGATED, UNCERTAIN, FAMILY, HISTORICAL, HYPOTHETICAL, OTHER_PERSON = range(len(ASSERTIONS))
#: Bits of `Reading.says` and `Reading.told`.
SCREENING, IMMUNIZATION, CONTACT, NEGATIVE, NOT_DONE = (1 << i for i in range(len(ROUTES)))
_HEADLINE_GROUPS = tuple(GROUPS.index(g) for g in ("assessment", "plan", "reason"))
_HEADS = np.isin(np.arange(len(GROUPS)), _HEADLINE_GROUPS)
#: Bits of a mark of a piece, behind one bit for each sign.
_NAMES_A_TEST, _TELLS_A_VALUE, _NAMES_A_DRUG, _OF_PREGNANCY = (1 << len(SIGNS) + k for k in range(4))
#: Index in concepts.SIDES; in every language the English word stands for the side (words.tsv).
_SIDE = {"right": 1, "left": 2, "bilateral": 3}


@dataclass(frozen=True)
class Reading:
    """A note as the ranker sees it.

    Words (n,): `words`, `segment_of_word` intp (-1: a heading). form, word intp (m,): form ids and their words.
    Segments (s,): first, last (exclusive) intp words; status int8 (index in ASSERTIONS); group int8 (index in GROUPS);
    headline bool, a short line of its own or the start of one; headline_rank intp, its number among those of its group;
    says_family bool; derived bool, made from a laboratory value; cue intp (index in cues, -1).
    side_word intp, side int8 (index in concepts.SIDES): the words that name a side, in order.
    phrase: intp (p, 3), start and end of each in the text and its segment. results: of each derived segment, what it stands for.
    known, weak: bool (V,), forms the note says of the patient; forms too general to name anything by themselves.
    qualifies: int8 (V,), kind of the forms that change what a term means, 0 for all other (`qualifiers.tsv`).
    routing: uint8 (V,), bit of the route a form names (`routes.tsv`). says, told: uint8 (s,), routes that the words of a segment
    name; that its cue names, or the affirmed rest of the sentence if the finding is somebody else's.
    in_vocabulary: bool (n,), words all of whose forms the code tables or our lists hold. ids: form -> its id.
    of_pregnancy: it may tell the week of one (`may_tell`).
    text: what was read, for cues that are no clinical words; a reading does not outlive the call.
    """

    document_type: str | None
    words: Words
    segment_of_word: Ints
    form: Ints
    word: Ints
    first: Ints
    last: Ints
    status: npt.NDArray[np.int8]
    group: npt.NDArray[np.int8]
    section: tuple[str | None, ...]
    headline: Bools
    headline_rank: Ints
    says_family: Bools
    derived: Bools
    cue: Ints
    cues: tuple[Cue, ...]
    side_word: Ints
    side: npt.NDArray[np.int8]
    follow_up: bool
    sequela: bool
    open_injury: bool
    phrase: Ints
    results: tuple[str, ...]
    known: Bools
    weak: Bools
    qualifies: npt.NDArray[np.int8]
    routing: npt.NDArray[np.uint8]
    says: npt.NDArray[np.uint8]
    told: npt.NDArray[np.uint8]
    of_pregnancy: bool
    in_vocabulary: Bools
    ids: Mapping[str, int] = field(repr=False)
    text: str = field(repr=False)
    #: What is said of a drug's effect or of the week of a pregnancy: beginning of the codes, the word it stands at (one behind
    #: the note's own), how surely.
    stated: tuple[tuple[str, int, float], ...] = ()
    row: tuple[Reading, ...] = ()  #: of a few notes in one row (`row.joined`), each of them

    @property
    def notes(self) -> tuple[Reading, ...]:
        return self.row or (self,)

    @cached_property
    def note_of_segment(self) -> Ints:
        """Place among `notes` of the note that each segment is of, intp (s,)."""
        return np.arange(len(self.notes)).repeat([len(note.first) for note in self.notes])

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """Every phrase with what is said of it, those of the text first and then the results."""
        derived = dict(zip(self.derived.nonzero()[0].tolist(), self.results, strict=True))
        cues = (*self.cues, None)  # -1 for none
        return tuple(
            Phrase(start, end, self.section[s], ASSERTIONS[self.status[s]], cues[self.cue[s]], derived.get(s))
            for start, end, s in self.phrase.tolist()
        )

    def said(self) -> Iterable[Said]:
        """What a search goes through, block by block. Kept for the next code system if it is one block only: a block is large."""
        return self._said if len(self.first) <= BLOCK else self._blocks()

    @cached_property
    def _said(self) -> tuple[Said, ...]:
        return tuple(self._blocks())

    def _blocks(self) -> Iterator[Said]:
        return Said.blocks(self.form, self.word, self.segment_of_word, len(self.first), len(self.known))

    def affirmed_form(self, forms: npt.NDArray[Any]) -> Bools:
        """Which of these forms the note says of the patient, anywhere. bool, shape of `forms`."""
        return np.asarray(self.known.take(forms))

    def as_one_segment(self) -> Reading:
        """The same words as one affirmed statement: how a look-up reads its query."""
        n = len(self.words)
        one = np.zeros(1, np.intp)
        return replace(
            self,
            segment_of_word=np.zeros(n, np.intp),
            first=one,
            last=one + n,
            status=np.zeros(1, np.int8),
            group=np.zeros(1, np.int8),
            section=(None,),
            headline=np.ones(1, bool),
            headline_rank=one,
            says_family=np.ones(1, bool),
            derived=np.zeros(1, bool),
            cue=one - 1,
            says=np.full(1, 255, np.uint8),
            told=np.zeros(1, np.uint8),
            phrase=np.zeros((0, 3), np.intp),
            results=(),
            stated=(),
        )


def check_text(note: object) -> str:
    """The note, if it is one. Raises NotTextError, TextTooLongError; no message holds text of it."""
    if not isinstance(note, str):
        raise NotTextError(f"a note must be a str, not {type(note).__name__}; decode bytes, drop missing values")
    if len(note) > MAX_CHARACTERS:
        raise TextTooLongError(f"the note has {len(note)} characters, more than {MAX_CHARACTERS}; split the document")
    return note


def weak_forms(forms: Iterable[str], idf: npt.NDArray[np.float32], words: WordReader) -> Bools:
    """Which forms of a vocabulary are too general to name anything by themselves. bool (V,).

    General words, numbers and single letters are, and words of every twentieth term, if these are more than a few: in a list
    of thirty codes every word is in one term of twenty.
    """
    general = np.array([words.is_general(f) or len(f) == 1 or f[0].isdigit() for f in forms], bool)
    return np.asarray(general | (idf < min(4.0, float(idf.max(initial=0)) - 1.1)))


class NoteReader:
    """Reads notes with a spaCy pipeline: tokenizer, codesuggest_structure, codesuggest_assertion."""

    def __init__(self, form_ids: dict[str, int], idf: npt.NDArray[np.float32], words: WordReader) -> None:
        self._ids, self._words = form_ids, words
        #: Normal forms of a term of our own lists, remembered; never asked about words of a note (invariant 5).
        self.forms_of = lru_cache(maxsize=8192)(words.forms_of)
        self.weak = weak_forms(form_ids, idf, words)
        self.language = words.language
        self.qualifies = np.array([words.qualifiers.get(f, 0) for f in form_ids], np.int8)
        self.routing = np.array([words.routes.get(f, 0) for f in form_ids], np.uint8)
        self._results = ResultReader(self.language.folder, self.language.decimal)
        self._signs = read_signs(self.language)
        self._effects = effect_reader(self.language.folder)
        told = [*(sign.first for sign in self._signs.values()), WEEK_TOLD]
        # found by the first letters of its words, hence without the boundaries before them
        self._tells = re.compile("|".join(pattern.pattern.replace(r"|\b", "|").removeprefix(r"\b") for pattern in told))
        self._side_of = np.zeros(len(form_ids), np.int8)  # by form, index in concepts.SIDES
        for side_word, side in _SIDE.items():
            form = words.forms_of(side_word)[0]
            if form in form_ids:
                self._side_of[form_ids[form]] = side
        self._one = RLock()  # builds what follows once
        self._nlp: Pipeline | None = None
        self._pieces: PieceReader | None = None

    @property
    def nlp(self) -> Pipeline:
        with self._one:
            if self._nlp is None:
                import spacy

                nlp = spacy.blank(self.language.code)
                nlp.max_length = MAX_CHARACTERS + 1
                nlp.add_pipe("codesuggest_structure")
                nlp.add_pipe("codesuggest_assertion")
                quicken(nlp)
                self._nlp = nlp
            return self._nlp

    def _component(self, name: str) -> Any:
        return self.nlp.get_pipe(name)

    @property
    def pieces(self) -> PieceReader:
        with self._one:
            if self._pieces is None:
                letters = self._component("codesuggest_structure").reader.types.letters
                folder = self.language.folder
                self._pieces = PieceReader(
                    self.nlp, self._words, self._ids, letters, self._mark, common_words(folder), listed_words(folder)
                )
            return self._pieces

    def _mark(self, piece: str) -> int:
        """What is to be known of a piece before its note is read, in bits."""
        mark = _NAMES_A_TEST * self._results.names_a_test(piece) | _TELLS_A_VALUE * self._results.tells_a_value(piece)
        if self._effects is not None and self._effects.may_name(piece):
            mark |= _NAMES_A_DRUG
        if self._tells.search(piece.lower()) or not piece.isascii():
            mark |= sum(bool(self._signs[sign].first.search(piece)) << k for k, sign in enumerate(SIGNS))
            mark |= _OF_PREGNANCY * may_tell(piece)
        return mark

    def read(self, text: str, document_type: str | None = None) -> Reading:
        """What the note says. Nothing of it that may be the patient's own is kept afterwards (invariant 5)."""
        return self.read_some([(text, document_type)])[0]

    def read_some(self, notes: Sequence[tuple[str, str | None]]) -> list[Reading]:
        """What a few notes say, as `read` with their document types.

        The two components of `nlp` read them without a Doc, from tokens that `pieces` knows: what they say is the same.
        """
        structures, assertions = map(self._component, ("codesuggest_structure", "codesuggest_assertion"))
        out = []
        for pieces, (_, kind) in zip(self.pieces.read_some([readable(text) for text, _ in notes]), notes, strict=True):
            text, tokens = pieces.text, pieces.tokens
            structure = structures.reader.read(text, pieces.letters_of)
            begins = sentence_starts(text, structure, tokens.start)
            asserted = assertions.read(replace(tokens, begins=begins), structure)
            out.append(self._reading(pieces, tokens.start, structure, asserted, kind))
        return out

    def read_doc(self, doc: Doc, document_type: str | None = None, text: str | None = None) -> Reading:
        """As `read`, from a Doc that went through both components in somebody's pipeline. text: doc.text, if at hand."""
        text = doc.text if text is None else text  # spaCy joins the text anew each time
        structure: Structure = doc.user_data["codesuggest.structure"]
        asserted: Asserted = doc.user_data["codesuggest.assertion"]
        return self._reading(self.pieces.read(text), Tokens.of(doc).start, structure, asserted, document_type)

    def _reading(
        self,
        pieces: Pieces,
        tokens: npt.NDArray[np.int64],
        structure: Structure,
        asserted: Asserted,
        document_type: str | None,
    ) -> Reading:
        """tokens: where those start that `asserted` speaks of."""
        text, form, word = pieces.text, pieces.form, pieces.word
        sentences = np.fromiter(chain.from_iterable(structure.sentences), np.intp).reshape(-1, 2)
        cut = _cut(pieces.words, tokens, structure, sentences, asserted, _groups(text, structure))
        phrase = self._phrases(cut, form, word, text)
        valued = [structure.sentences[k] for k in _with_values(pieces, sentences)]
        results = self._results.read(text, structure, valued)
        findings = [r for r in results if r.phrase]
        if findings:
            first = len(cut.first)
            phrase = np.append(phrase, [(r.start, r.end, first + n) for n, r in enumerate(findings)], 0)
            forms = [self.forms_of(r.phrase or "") for r in findings]
            cut = cut.with_results(findings, forms, structure)
            more, behind = self.pieces.forms(forms)
            form, word = np.append(form, more), np.append(word, behind + np.intp(len(cut.words) - len(forms)))
        stated: list[Stated] = []
        marks = int(np.bitwise_or.reduce(pieces.mark))  # of any piece
        of_pregnancy = bool(marks & _OF_PREGNANCY)
        if self._effects is not None:
            named = (pieces.mark & _NAMES_A_DRUG).nonzero()[0]
            where = zip(pieces.at.take(named).tolist(), pieces.at.take(named + 1).tolist(), strict=True)
            stated = self._effects.read(text, structure.sentences, where)
            if of_pregnancy:
                stated += weeks(text)
        cut, said = cut.with_stated(stated)
        headline, rank = _headlines(cut, structure)
        side = self._side_of.take(form)
        sided = side > 0
        segment = cut.segment_of_word.take(word)
        spoken = (
            (segment >= 0) & (cut.status.take(segment, mode="clip") == AFFIRMED) if len(cut.status) else segment >= 0
        )
        known = np.zeros(len(self._ids), bool)
        known[form.compress(spoken)] = True
        says, told = _routes(cut, self.routing.take(form), word, asserted.cues)
        return Reading(
            document_type=document_type or structure.document_type or _if_lab_report(structure, len(results)),
            words=cut.words,
            segment_of_word=cut.segment_of_word,
            form=form,
            word=word,
            first=cut.first,
            last=cut.last,
            status=cut.status,
            group=cut.group,
            section=cut.section,
            headline=headline,
            headline_rank=rank,
            says_family=self._says(("family", "history"), form, segment, len(cut.first)),
            derived=cut.derived,
            cue=cut.cue,
            cues=asserted.cues,
            side_word=word.compress(sided),
            side=side.compress(sided),
            follow_up=self._stands("follow_up", pieces, marks),
            sequela=self._stands("sequela", pieces, marks),
            open_injury=self._stands("open_injury", pieces, marks),
            phrase=phrase,
            results=tuple(r.phrase or "" for r in findings),
            known=known,
            weak=self.weak,
            qualifies=self.qualifies,
            routing=self.routing,
            says=says,
            told=told,
            of_pregnancy=of_pregnancy,
            in_vocabulary=_in_vocabulary(cut.words, word),
            ids=self._ids,
            text=text,
            stated=said,
        )

    def _stands(self, sign: str, pieces: Pieces, marks: int) -> bool:
        """marks: of any of these pieces."""
        bit = 1 << SIGNS.index(sign)
        places = (pieces.mark & bit).nonzero()[0].tolist() if marks & bit else []
        return bool(places) and self._signs[sign].stands(pieces.text, pieces.at, places)

    def _phrases(self, cut: _Cut, form: Ints, word: Ints, text: str) -> Ints:
        """As `Reading.phrase`, of the text."""
        clinical, weak = np.zeros(len(cut.words), bool), np.zeros(len(cut.words), bool)
        general = self.weak.take(form)
        clinical[word.compress(~general)] = True
        weak[word.compress(general)] = True
        live = cut.segment_of_word >= 0
        runs = phrase_runs(cut.words, clinical & live, weak & live, cut.segment_of_word, text)
        first, last = runs.T
        out = np.empty((len(runs), 3), np.intp)
        out[:, 0], out[:, 1] = cut.words.start.take(first), cut.words.end.take(last)
        out[:, 2] = cut.segment_of_word.take(first)
        return out

    def _says(self, words: tuple[str, ...], form: Ints, segment: Ints, n: int) -> Bools:
        """Segments that hold all of these words. bool (n,)."""
        out = np.ones(n, bool)
        for name in words:
            here = np.zeros(n + 1, bool)  # the last place takes words outside every segment
            here[segment.compress(form == self._ids.get(self.forms_of(name)[0], -2))] = True
            out &= here[:n]
        return out


@dataclass(frozen=True, slots=True)
class _Cut:
    """Words and the segments they form; see `Reading` for the arrays."""

    words: Words
    segment_of_word: Ints
    first: Ints
    last: Ints
    status: npt.NDArray[np.int8]
    group: npt.NDArray[np.int8]
    section: tuple[str | None, ...]
    cue: Ints
    derived: Bools
    sentence: Ints  #: of each segment, -1 for a result

    def with_results(self, results: list[Result], forms: list[tuple[str, ...]], structure: Structure) -> _Cut:
        """Each result as one more word behind the note's own, in a segment of its own."""
        n, k, s = len(self.words), len(results), len(self.first)
        place = np.arange(n, n + k, dtype=np.intp)
        return _Cut(
            self.words.with_more([r.start for r in results], [r.end for r in results], forms),
            np.append(self.segment_of_word, np.arange(s, s + k, dtype=np.intp)),
            np.append(self.first, place),
            np.append(self.last, place + 1),
            np.append(self.status, np.zeros(k, np.int8)),
            np.append(self.group, np.full(k, GROUPS.index("exam"), np.int8)),
            (*self.section, *(structure.section_at(r.start).name for r in results)),
            np.append(self.cue, np.full(k, -1, np.intp)),
            np.append(self.derived, np.ones(k, bool)),
            np.append(self.sentence, np.full(k, -1, np.intp)),
        )

    def with_stated(self, stated: list[Stated]) -> tuple[_Cut, tuple[tuple[str, int, float], ...]]:
        """Each statement as one more word without forms, in a segment of its own, under the assertion its name stands under; and
        `Reading.stated`. What stands in a heading or among allergies is no statement, nor what is denied or somebody else's."""
        if not stated:
            return self, ()
        kept, parent = [], []
        # of the note's own words: results stand behind
        starts = self.words.start[: len(self.words) - int(self.derived.sum())]
        for one in stated if len(starts) else ():
            segment = int(self.segment_of_word[max(0, int(np.searchsorted(starts, one.start, side="right")) - 1)])
            if segment >= 0 and self.section[segment] != "allergies" and (
                self.status[segment] in _TELLS or (one.said and self.status[segment] in (NEGATED, HISTORICAL))
            ):  # fmt: skip
                kept.append(one)
                parent.append(segment)
        if not kept:
            return self, ()
        n, k, s = len(self.words), len(kept), len(self.first)
        of = np.array(parent)
        own = np.arange(n, n + k, dtype=np.intp)
        status = np.where(self.status[of] == NEGATED, AFFIRMED, self.status[of]).astype(np.int8)
        return _Cut(
            self.words.with_more([one.start for one in kept], [one.end for one in kept], [()] * k),
            np.append(self.segment_of_word, np.arange(s, s + k, dtype=np.intp)),
            np.append(self.first, own),
            np.append(self.last, own + 1),
            np.append(self.status, status),
            np.append(self.group, self.group[of]),
            (*self.section, *(self.section[i] for i in parent)),
            np.append(self.cue, np.where(status == self.status[of], self.cue[of], -1)).astype(np.intp),
            np.append(self.derived, np.zeros(k, bool)),
            np.append(self.sentence, np.full(k, -1, np.intp)),
        ), tuple((one.begin, int(word), one.sure) for one, word in zip(kept, own, strict=True))


def _with_values(pieces: Pieces, sentences: Ints) -> list[int]:
    """Numbers of the sentences in which a test may have a value: those that hold both, and perhaps others. sentences: (s, 2)."""
    first = pieces.at.searchsorted(sentences[:, 0], side="right") - 1
    last = pieces.at.searchsorted(sentences[:, 1], side="left")
    both = np.ones(len(sentences), bool)
    for bit in (_NAMES_A_TEST, _TELLS_A_VALUE):
        seen = (pieces.mark & bit).nonzero()[0]
        both &= seen.searchsorted(last) > seen.searchsorted(first)
    found: list[int] = both.nonzero()[0].tolist()
    return found


#: A postoperative diagnosis that repeats the one before the operation: "Same", "same as above", "Unchanged; see findings".
_REPEATS = re.compile(r"\W*(?:the |is |as )*(?:same|unchanged|above|as preop)\b", re.IGNORECASE)


def _groups(text: str, structure: Structure) -> list[int]:
    """Index in GROUPS of each section. A preoperative diagnosis that the postoperative one repeats counts as that one."""
    groups = [_GROUP_NUMBER.get(section.name, _NO_GROUP) for section in structure.sections]
    if any(s.name == "postop_diagnosis" and _REPEATS.match(text, s.start, s.end) for s in structure.sections):
        of_postop = _GROUP_NUMBER["postop_diagnosis"]
        groups = [
            of_postop if section.name == "preop_diagnosis" else group
            for section, group in zip(structure.sections, groups, strict=True)
        ]
    return groups


def _cut(
    words: Words,
    starts: npt.NDArray[np.int64],
    structure: Structure,
    sentences: Ints,
    asserted: Asserted,
    groups: list[int],
) -> _Cut:
    """Segments: runs of words of one sentence and one assertion. Known headings and list markers are in none. starts: of the
    tokens. sentences: intp (s, 2), start and end of each. groups: of the sections."""
    n = len(words)
    if not n or not len(starts):
        none, small = np.zeros(0, np.intp), np.zeros(0, np.int8)
        return _Cut(words, np.full(n, -1, np.intp), none, none, small, small, (), none, np.zeros(0, bool), none)
    token = starts.searchsorted(words.start, side="right") - 1
    names = [s.name for s in structure.sections]
    section = _last_before(words.start, np.array([s.head_start for s in structure.sections], np.intp))
    heads_end = np.array([0 if s.name is None else s.head_end for s in structure.sections], np.intp)
    sentence = _last_before(words.start, sentences[:, 0])
    sentences_end = np.append(sentences[:, 1], 0)  # the last stands for those before the first
    # a list marker stands between two sentences
    live = (words.start >= heads_end.take(section)) & (words.start < sentences_end[sentence])
    status = asserted.status.take(token, mode="clip")  # a word before the first token goes with it
    change = np.ones(n + 1, bool)
    change[1:-1] = (sentence[1:] != sentence[:-1]) | (status[1:] != status[:-1])
    change[1:-1] |= (section[1:] != section[:-1]) | (live[1:] != live[:-1])
    bounds = change.nonzero()[0]
    used = live.take(bounds[:-1])
    first, last = bounds[:-1].compress(used), bounds[1:].compress(used)
    segment_of_word = (change[:-1] & live).cumsum(dtype=np.intp) - 1
    segment_of_word[~live] = -1
    section = section.take(first)
    return _Cut(
        words,
        segment_of_word,
        first,
        last,
        status.take(first),
        np.array(groups, np.int8).take(section),
        tuple([names[i] for i in section.tolist()]),
        asserted.cue.take(token.take(first), mode="clip"),
        np.zeros(len(first), bool),
        sentence.take(first),
    )


def _last_before(places: Ints, starts: Ints) -> Ints:
    """Number of the last of these starts at or before each place, -1 without one; both ascend. The starts are looked for among the
    places, which are ten times as many."""
    first = places.searchsorted(starts)
    return np.asarray(np.bincount(first, minlength=len(places))[: len(places)].cumsum() - 1)


_start = attrgetter("start")
#: Statuses under which what is said of a drug may be coded; what is uncertain depends on the setting, as of any finding.
_TELLS = (AFFIRMED, UNCERTAIN, HISTORICAL)


def _routes(
    cut: _Cut, bits: npt.NDArray[np.uint8], word: Ints, cues: tuple[Cue, ...]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """`Reading.says` and `Reading.told`. bits: uint8 (m,), route of each form of a word."""
    says, told = np.zeros(len(cut.first), np.uint8), np.zeros(len(cut.first), np.uint8)
    named = bits.nonzero()[0]
    if not len(named):
        return says, told
    bits, word = bits[named], word[named]
    segment = cut.segment_of_word[word]
    live = segment >= 0
    np.bitwise_or.at(says, segment[live], bits[live])
    if cues:
        of_cue = np.zeros(len(cues), np.uint8)
        for start, bit in zip(cut.words.start[word].tolist(), bits.tolist(), strict=True):  # seldom more than five
            k = bisect_right(cues, start, key=_start) - 1
            if k >= 0 and start < cues[k].end:
                of_cue[k] |= bit
        told = np.where(cut.cue >= 0, of_cue[cut.cue], told)
    for sentence in cut.sentence[(says & NOT_DONE) > 0].tolist():
        told[cut.sentence == sentence] &= ~(SCREENING | IMMUNIZATION) & 255
    others = np.flatnonzero((cut.status == OTHER_PERSON) | (cut.status == FAMILY))
    if len(others):
        stated = np.flatnonzero((says > 0) & (cut.status == AFFIRMED) & (cut.sentence >= 0))
        of_sentence = np.zeros(int(cut.sentence.max()) + 2, np.uint8)  # the last takes what stands in none
        np.bitwise_or.at(of_sentence, cut.sentence[stated], says[stated])
        told[others] |= of_sentence[cut.sentence[others]]
    return says, told


def _headlines(cut: _Cut, structure: Structure) -> tuple[Bools, Ints]:
    """Segments that open a line of a diagnosis list or of a reason for the visit, and their number within it."""
    rank = np.zeros(len(cut.first), np.intp)
    if not len(cut.first):
        return np.zeros(0, bool), rank
    bodies = np.array([line.body for line in structure.lines], np.int64)
    start = cut.words.start[cut.first]
    line = bodies.searchsorted(start, side="right") - 1
    headline = (start <= bodies.take(line, mode="clip") + 1) & ((cut.last - cut.first) <= 12) & _HEADS.take(cut.group)
    headline &= ~cut.derived
    for g in _HEADLINE_GROUPS:
        chosen = (headline & (cut.group == g)).nonzero()[0]
        rank[chosen] = np.arange(len(chosen))
    return headline, rank


def _in_vocabulary(words: Words, word: Ints) -> Bools:
    """Words all of whose forms are among the held ones. word: (m,), that of each held form."""
    return np.asarray(np.bincount(word, minlength=len(words)) == words.many)


def _if_lab_report(structure: Structure, results: int) -> str | None:
    """A document without a type of its own that is mostly results."""
    filled = sum(line.kind != "blank" for line in structure.lines)
    return "lab_report" if results >= 3 and results >= 0.3 * filled else None
