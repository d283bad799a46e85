"""text -> Reading: what a note says, in arrays. The only module that builds an nlp object.

A *segment* is a stretch of one sentence under one assertion: "denies chest pain but has fever" holds two. Segments are
what terms are matched against, so a negated word can never complete an affirmed term.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from codesuggest.errors import NotTextError, TextTooLongError
from codesuggest.pipes.assertion import Asserted
from codesuggest.pipes.phrases import WordReader, Words, phrase_runs
from codesuggest.pipes.results import ResultReader
from codesuggest.pipes.structure import Structure
from codesuggest.records import ASSERTIONS, Cue, Phrase

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

Ints = npt.NDArray[np.int32]
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
_FAMILY, _HYPOTHETICAL = ASSERTIONS.index("family"), ASSERTIONS.index("hypothetical")
#: What a section says of its sentences when no cue does.
_SECTION_DEFAULT = {"family_history": _FAMILY, "discharge_instructions": _HYPOTHETICAL}
_HEADLINE_GROUPS = tuple(GROUPS.index(g) for g in ("assessment", "plan", "reason"))
_FOLLOW_UP = re.compile(
    r"\bfollow[- ]?up\b|\bpost-?op\b|\bstatus[- ]post\b|\bs/p\b|\bhealing\b|\baftercare\b|\brecheck\b", re.I
)
_SEQUELA = re.compile(r"\bsequela|\blate effect|\bresidual\b", re.I)
_OPEN = re.compile(r"\bopen (?:\w+ )?(?:fracture|wound)|\bcompound fracture|\bgustilo", re.I)
_SIDE = {"right": 1, "left": 2, "bilater": 3}


@dataclass(frozen=True, slots=True)
class Reading:
    """A note as the ranker sees it.

    Words (n,): `words`, `segment_of_word` int32 (-1: a heading). form, word int32 (m,): form ids and their words.
    Segments (s,): first, last (exclusive) int32 words; status int8 (index in ASSERTIONS); group int8 (index in GROUPS);
    headline bool, a short line of its own or the start of one; headline_rank int32, its number among those of its group;
    says_family bool; derived bool, made from a laboratory value; cue int32 (index in cues, -1).
    side_word int32, side int8 (index in concepts.SIDES): the words that name a side, in order.
    known, weak: bool (V,), forms the note says of the patient; forms too general to name anything by themselves.
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
    phrases: tuple[Phrase, ...]
    known: Bools
    weak: Bools

    @property
    def in_vocabulary(self) -> Bools:
        """Words all of whose forms the code tables or our lists hold. bool (n,)."""
        held = np.bincount(self.word, minlength=len(self.words))
        return np.asarray(held == np.fromiter(map(len, self.words.forms), np.int64, len(self.words)))

    def affirmed_form(self, forms: Ints) -> Bools:
        """Which of these forms the note says of the patient, anywhere. bool, shape of `forms`."""
        return np.asarray(self.known[forms])

    def as_one_segment(self) -> Reading:
        """The same words as one affirmed statement: how a look-up reads its query."""
        n = len(self.words)
        one = np.zeros(1, np.int32)
        return replace(
            self,
            segment_of_word=np.zeros(n, np.int32),
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
        )

    def extension_fits(self, extension: npt.NDArray[np.uint8]) -> Bools:
        """Which seventh characters the note can mean: initial, routine subsequent, sequela if said, open if said."""
        fits = (extension == 0) | np.isin(extension, (65, 68)) | (extension == 48)  # none, A, D, 0
        if self.sequela:
            fits |= extension == 83
        if self.open_injury:
            fits |= np.isin(extension, (66, 69))
        return np.asarray(fits)


def check_text(note: object) -> str:
    """The note, if it is one. Raises NotTextError, TextTooLongError; no message holds text of it."""
    if not isinstance(note, str):
        raise NotTextError(f"a note must be a str, not {type(note).__name__}; decode bytes, drop missing values")
    if len(note) > MAX_CHARACTERS:
        raise TextTooLongError(f"the note has {len(note)} characters, more than {MAX_CHARACTERS}; split the document")
    return note


_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG = re.compile(r"(?:[^\w\s]|_){24}|\S{500}")


def _readable(text: str) -> str:
    """The text as spaCy can take it, every character at its place.

    Lone surrogates have no UTF-8. The tokenizer's time grows with the square of a run of punctuation or of a stretch
    without white space; no word has 24 of the one or 500 of the other, so the last character of such a run is read as a
    space.
    """
    if _SURROGATE.search(text):
        text = _SURROGATE.sub("\ufffd", text)
    return _LONG.sub(lambda m: m.group()[:-1] + " ", text)


class NoteReader:
    """Reads notes with a spaCy pipeline: tokenizer, codesuggest_structure, codesuggest_assertion."""

    def __init__(self, form_ids: dict[str, int], idf: npt.NDArray[np.float32], words: WordReader) -> None:
        self._ids, self._words = form_ids, words
        # general words, numbers and single letters name nothing by themselves, nor do words of every twentieth term
        self.weak = np.array([words.is_general(f) or len(f) == 1 or f[0].isdigit() for f in form_ids], bool) | (
            idf < 4.0
        )
        self._results = ResultReader()
        self._nlp: Language | None = None
        self._one = Lock()  # a vocabulary with memory zones serves one thread at a time

    @property
    def nlp(self) -> Language:
        if self._nlp is None:
            import spacy

            nlp = spacy.blank("en")
            nlp.max_length = MAX_CHARACTERS + 1
            nlp.add_pipe("codesuggest_structure")
            nlp.add_pipe("codesuggest_assertion")
            self._nlp = nlp
        return self._nlp

    def read(self, text: str, document_type: str | None = None) -> Reading:
        """What the note says. The vocabulary of the pipeline forgets the note afterwards (invariant 5)."""
        text = _readable(text)
        with self._one, self.nlp.memory_zone():
            return self.read_doc(self.nlp(text), document_type, text)

    def read_doc(self, doc: Doc, document_type: str | None = None, text: str | None = None) -> Reading:
        """As `read`, from a Doc that went through both components in somebody's pipeline. text: doc.text, if at hand."""
        text = doc.text if text is None else text  # spaCy joins the text anew each time
        structure: Structure = doc.user_data["codesuggest.structure"]
        asserted: Asserted = doc.user_data["codesuggest.assertion"]
        words = self._words.read(text)
        n = len(words)
        token_start = doc.to_array(["IDX"]).reshape(-1).astype(np.int64)
        token = np.maximum(np.searchsorted(token_start, words.start, side="right") - 1, 0)
        status = asserted.status[token] if n and len(doc) else np.zeros(n, np.int8)
        cue = asserted.cue[token] if n and len(doc) else np.full(n, -1, np.int32)
        sentences = np.array([(s.start, s.end) for s in structure.sentences], np.int64).reshape(-1, 2)
        sentence = np.searchsorted(sentences[:, 0], words.start, side="right") - 1
        heads = np.array([(s.head_start, s.head_end) for s in structure.sections], np.int64).reshape(-1, 2)
        section = np.maximum(np.searchsorted(heads[:, 0], words.start, side="right") - 1, 0)
        known_head = np.array([s.name is not None for s in structure.sections], bool)
        in_head = (words.start < heads[section, 1]) & known_head[section] if n else np.zeros(0, bool)
        inside = sentence >= 0  # a list marker stands between two sentences
        inside[inside] &= words.start[inside] < sentences[sentence[inside], 1]
        names = [s.name for s in structure.sections]
        for i, name in enumerate(names):
            default = _SECTION_DEFAULT.get(name or "")
            if default is not None:
                status = np.where((section == i) & (status == 0), np.int8(default), status)

        change = np.ones(n, bool)
        change[1:] = (
            (sentence[1:] != sentence[:-1])
            | (status[1:] != status[:-1])
            | (section[1:] != section[:-1])
            | (in_head[1:] != in_head[:-1])
            | (inside[1:] != inside[:-1])
        )
        run = np.cumsum(change) - 1
        first = np.flatnonzero(change).astype(np.int32)
        last = np.append(first[1:], n).astype(np.int32)
        live = inside[first] & ~in_head[first] if n else np.zeros(0, bool)
        number = np.cumsum(live) - 1
        segment_of_word = np.where(live[run], number[run], -1).astype(np.int32) if n else np.zeros(0, np.int32)
        first, last = first[live], last[live]
        seg_status = status[first].astype(np.int8)
        seg_section = section[first]
        seg_names = [names[i] for i in seg_section]
        seg_cue = cue[first].astype(np.int32)
        group = np.array([GROUPS.index(_GROUP_OF.get(name or "", "none")) for name in seg_names], np.int8)

        lines = np.array([(li.body, li.end, li.kind == "item") for li in structure.lines], np.int64).reshape(-1, 3)
        line = np.maximum(np.searchsorted(lines[:, 0], words.start[first], side="right") - 1, 0)
        opens = words.start[first] <= lines[line, 0] + 1 if len(lines) else np.zeros(len(first), bool)
        headline = np.zeros(len(first), bool)
        if len(first):
            headline = opens & ((last - first) <= 12) & np.isin(group, _HEADLINE_GROUPS)
        rank = np.zeros(len(first), np.int32)
        for g in _HEADLINE_GROUPS:
            chosen = headline & (group == g)
            rank[chosen] = np.arange(int(chosen.sum()))

        ids = self._ids
        pairs = [(ids[f], i) for i, forms in enumerate(words.forms) for f in forms if f in ids]
        form = np.array([p[0] for p in pairs], np.int32)
        word = np.array([p[1] for p in pairs], np.int32)
        clinical, weak = np.zeros(n, bool), np.zeros(n, bool)
        strong_form = ~self.weak[form] if len(form) else np.zeros(0, bool)
        clinical[word[strong_form]] = True
        weak[word[~strong_form]] = True
        clinical &= segment_of_word >= 0
        weak &= segment_of_word >= 0
        runs = phrase_runs(words, clinical, weak, segment_of_word, text)
        phrases = [
            Phrase(
                int(words.start[a]),
                int(words.end[b]),
                seg_names[segment_of_word[a]],
                ASSERTIONS[seg_status[segment_of_word[a]]],
                asserted.cues[seg_cue[segment_of_word[a]]] if seg_cue[segment_of_word[a]] >= 0 else None,
            )
            for a, b in runs.tolist()
        ]

        derived = np.zeros(len(first), bool)
        extra = [r for r in self._results.read(text, structure) if r.phrase]
        if extra:
            at = structure.section_at
            starts: list[int] = []
            ends: list[int] = []
            more: list[tuple[str, ...]] = []
            for r in extra:
                name = at(r.start).name
                phrases.append(Phrase(r.start, r.end, name, "affirmed", None, r.phrase))
                forms = self._words.forms_of(r.phrase or "")
                number_of = len(first) + len(starts)
                w = n + len(starts)
                starts.append(r.start)
                ends.append(r.end)
                more.append(forms)
                seg_names.append(name)
                fresh = [ids[f] for f in forms if f in ids]
                form = np.append(form, np.array(fresh, np.int32))
                word = np.append(word, np.full(len(fresh), w, np.int32))
                segment_of_word = np.append(segment_of_word, np.int32(number_of))
            k = len(starts)
            words = Words(
                np.append(words.start, np.array(starts, np.int32)),
                np.append(words.end, np.array(ends, np.int32)),
                words.forms + more,
            )
            positions = np.arange(n, n + k, dtype=np.int32)
            first, last = np.append(first, positions), np.append(last, positions + 1)
            seg_status = np.append(seg_status, np.zeros(k, np.int8))
            group = np.append(group, np.full(k, GROUPS.index("exam"), np.int8))
            headline, rank = np.append(headline, np.zeros(k, bool)), np.append(rank, np.zeros(k, np.int32))
            derived = np.append(derived, np.ones(k, bool))
            seg_cue = np.append(seg_cue, np.full(k, -1, np.int32))

        says_family = np.zeros(len(first), bool)
        family_id, history_id = (
            ids.get(self._words.forms_of("family")[0], -2),
            ids.get(self._words.forms_of("history")[0], -2),
        )
        for needed in (family_id, history_id):
            here = np.zeros(len(first), bool)
            spots = segment_of_word[word[form == needed]]
            here[spots[spots >= 0]] = True
            says_family = here if needed == family_id else says_family & here
        side_of_form = {ids[f]: s for f, s in _SIDE.items() if f in ids}
        sided = np.isin(form, list(side_of_form))
        known = np.zeros(len(ids), bool)
        spoken = segment_of_word[word] >= 0
        spoken[spoken] &= seg_status[segment_of_word[word[spoken]]] == 0
        known[form[spoken]] = True
        return Reading(
            document_type=document_type or structure.document_type,
            words=words,
            segment_of_word=segment_of_word,
            form=form,
            word=word,
            first=first.astype(np.int32),
            last=last.astype(np.int32),
            status=seg_status,
            group=group,
            section=tuple(seg_names),
            headline=headline,
            headline_rank=rank,
            says_family=says_family,
            derived=derived,
            cue=seg_cue,
            cues=asserted.cues,
            side_word=word[sided],
            side=np.array([side_of_form[f] for f in form[sided].tolist()], np.int8),
            follow_up=bool(_FOLLOW_UP.search(text)),
            sequela=bool(_SEQUELA.search(text)),
            open_injury=bool(_OPEN.search(text)),
            phrases=tuple(phrases),
            known=known,
            weak=self.weak,
        )
