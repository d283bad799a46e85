"""Sections, lines, sentences and the type of a document, read from the raw text.

Offsets are code points of the very string handed in, end exclusive; the text is never changed. A line ends wherever
``str.splitlines`` says (CRLF, form feed, U+2028 ...). Two tilings hold for every string and are tested as properties:

* sections: the first ``head_start`` is 0, each ``end`` is the next ``head_start``, the last ``end`` is ``len(text)``.
  What stands before the first heading is a section without a name.
* lines: in order and disjoint, with only line terminators between them. A line with several headings ("PREOP DIAGNOSIS:
  Cataract. PROCEDURE: ...") or with a heading and its text is cut: each line has one kind and one section.

The rules follow how clinicians type. A known heading comes from ``sections.tsv``; an unknown one must look like one
and must not stand in a section of short lines: a heading wrongly opened costs more (the assessment loses its lines)
than one overlooked. Time is linear: headings are looked up in a dict from windows of at most 70 characters, sentence
ends by one regex without nested repeats. Measured: 0.35 ms for a visit note of 1,700 characters, 0.3 s a megabyte.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from spacy.attrs import SENT_START  # type: ignore[import-not-found]
from spacy.language import Language
from spacy.tokens import Doc

from codesuggest.pipes.document_type import DOCUMENT_TYPES, DocumentTypeReader
from codesuggest.pipes.language import DEFAULT, fold, language
from codesuggest.pipes.lexicon import Row, read_lexicon
from codesuggest.pipes.sentences import Line, Sentence, Splitter, in_capitals, line_of, read_marker, skip
from codesuggest.pipes.tokens import text_of

__all__ = [
    "DOCUMENT_TYPES", "STRUCTURE_KEY", "Line", "Section", "Sentence", "Structure", "StructurePipe", "StructureReader",
    "structure_of",
]  # fmt: skip


class Section(NamedTuple):
    """A heading (``text[head_start:head_end]``, its marker included) and what belongs to it (``text[start:end]``).

    The heading of the preamble is empty: ``head_start == head_end == 0``.
    """

    head_start: int
    head_end: int
    start: int
    end: int
    name: str | None  #: canonical name of ``sections.tsv``; None for the preamble and for an unknown heading


class Structure(NamedTuple):
    """What ``StructureReader.read`` returns; the tuples are in order of their offsets."""

    document_type: str | None  #: one of ``DOCUMENT_TYPES``; None when too little speaks for any
    document_type_margin: float  #: score of that type minus the next best, in units of the table's weights; >= 0
    lines: tuple[Line, ...]
    sections: tuple[Section, ...]
    sentences: tuple[Sentence, ...]

    def section_at(self, offset: int) -> Section:
        """The section that holds ``offset``, its heading included. Raises IndexError for a negative offset."""
        if offset < 0:
            raise IndexError("offset must not be negative")
        return self.sections[bisect_right(self.sections, offset, key=lambda s: s.head_start) - 1]

    def line_at(self, offset: int) -> Line | None:
        """The line that holds ``offset``, None between two lines or outside."""
        i = bisect_right(self.lines, offset, key=lambda line: line.start) - 1
        return self.lines[i] if i >= 0 and offset < self.lines[i].end else None

    def sentence_at(self, offset: int) -> Sentence | None:
        """The sentence that holds ``offset``, None between two sentences or outside."""
        i = bisect_right(self.sentences, offset, key=lambda sentence: sentence.start) - 1
        return self.sentences[i] if i >= 0 and offset < self.sentences[i].end else None


_KINDS = ("section", "within", "subhead", "headword", "dotted", "joins")
_HEAD = 70  # longest heading in characters
_SPELLINGS = 2000  # of listed headings, kept
_TERMINATORS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_DASH = re.compile(
    r"(\S[^-\u2013\u2014:]{1,60}?)(?:\s{1,4}[-\u2013\u2014]\s{1,4}|\t\s{0,4}|\s{2,4}|\s{0,4}\.{3,60}\s{0,4}|\.\s{1,4}(?=[A-Z0-9]))(?=\S)"
)
_WORD_START = re.compile(r"(?<![^\s.,;:!?)*])[^\W\d_]")
_TAIL = re.compile(r" ?\([^()]*\)$| (?:on |from |as of )?[0-9][0-9/]*$| (?:today|reviewed|continued|cont)$")
_SHORT = ("Imp", "Dx")  #: headings in the middle of a line that no word of prose is
_REMARKS = ("today", "reviewed", "cont", "continued")
_KEY_TABLE = str.maketrans(
    dict.fromkeys('*_=~#[]{}<>|"\u201c\u201d:\uff1a.`-\u2010\u2011\u200b\u200c\u200d\u200e\u200f\ufeff')
    | {"&": " and ", "+": " and ", "\u2019": "'"}
)
#: Sections of short lines: an unknown heading inside is a problem or a body system and leaves nothing.
_CLOSED = frozenset(
    ("ros", "exam", "vitals", "assessment", "plan", "assessment_plan", "impression", "diagnosis", "differential", "mdm",
     "findings", "discharge_diagnosis", "admission_diagnosis", "preop_diagnosis", "postop_diagnosis", "problem_list",
     "hospital_course")
)  # fmt: skip


def _key(head: str) -> str:
    """Folds case, accents, hyphens, "&", "/" and decoration: ``Follow-Up``, ``**followup**`` and ``FOLLOWUP:`` meet."""
    key = " ".join(fold(head.casefold()).translate(_KEY_TABLE).split())
    return key.replace(" /", "/").replace("/ ", "/") if "/" in key else key


class _Head(NamedTuple):
    """A listed heading. ``name`` is "" for one that counts only inside the sections of ``within``."""

    name: str
    inside: frozenset[str]  # sections in which it is a subheading unless it stands alone
    within: dict[str, str]  # section -> name it opens there

    def opens(self, current: str | None, alone: bool) -> str | None:
        """The section it opens while ``current`` is open; None when it is a subheading."""
        if current in self.within:
            return self.within[current]
        return self.name if self.name and (alone or (current not in self.inside and current != self.name)) else None


class StructureReader:
    """Reads the structure of clinical documents. Holds only word lists, and how texts spelt the heads of these lists."""

    def __init__(self, folder: Path | None = None) -> None:
        """Load ``sections.tsv`` and ``document_types.tsv`` of ``folder``, English unless given. Raises LexiconError."""
        folder = folder or language(DEFAULT).folder
        self.heads: dict[str, _Head] = {}
        self._spelt: dict[str, _Head] = {}  # by spelling; a head with anything else in it is not kept (invariant 5)
        self.subheads: set[str] = set()
        self.headwords: dict[str, str | None] = {}
        self.dotted: dict[str, str] = {}
        self.joins: set[str] = set()
        for row in read_lexicon(
            folder / "sections.tsv", ("kind", "name", "inside", "heads", "source"), optional=("inside",)
        ):
            self._add_row(row)
        self.first_words = frozenset(re.split("[ /]", key)[0] for key in self.heads)
        self.last_words = frozenset(key.rsplit(None, 1)[-1].rsplit("/", 1)[-1] for key in self.heads)
        self.types = DocumentTypeReader(folder / "document_types.tsv")

    def _add_row(self, row: Row) -> None:
        kind, name, words = row.choice("kind", _KINDS), row["name"], row.items("heads")
        inside = frozenset(row.items("inside"))
        if kind == "section":
            for key in dict.fromkeys(map(_key, words)):
                if key in self.heads and self.heads[key].name:
                    raise row.error(f"the head {key!r} stands already under {self.heads[key].name!r}")
                self.heads[key] = _Head(name, inside, self.heads[key].within if key in self.heads else {})
        elif kind == "within":
            for key in map(_key, words):
                self.heads.setdefault(key, _Head("", frozenset(), {})).within.update(dict.fromkeys(inside, name))
        elif kind == "subhead":
            self.subheads.update(map(_key, words))
        elif kind == "headword":
            self.headwords.update(dict.fromkeys(words, None if name == "none" else name))
        elif kind == "dotted":
            for word in words:
                self.dotted.setdefault(word, name)
        else:
            self.joins.update(words)

    def look_up(self, head: str) -> _Head | None:
        """The listed heading that ``head`` spells, a date or remark behind it ("Labs (3/2):") left off."""
        found = self._spelt.get(head)
        if found is not None or not self.may_begin(head):
            return found
        key = _key(head)
        found = self.heads.get(key)
        if found is not None and len(self._spelt) < _SPELLINGS:
            self._spelt[head] = found
        if found is None and key and (key[-1] in ")0123456789" or key.endswith(_REMARKS)):
            found = self.heads.get(_TAIL.sub("", key))
        return found

    def may_begin(self, line: str) -> bool:
        """Whether the first word of this is that of a listed heading, or may be."""
        first = next(iter(line.split(None, 1)), "")
        return first.lower() in self.first_words or not (first.isascii() and first.isalpha())

    def read(self, text: str, letters: Callable[[int, int], str] | None = None) -> Structure:
        """The structure of ``text``: any string, the empty one and one with lone surrogates included.

        letters: as `DocumentTypeReader.read` takes them.
        """
        cutter = _Cutter(self, text)
        cutter.cut()
        lines, sections = tuple(cutter.lines), cutter.sections()
        document_type, margin = self.types.read(text, {section.name for section in sections}, letters)
        sentences = Splitter(text, lines, self.dotted, self.joins).sentences(cutter.numbers, cutter.begins)
        return Structure(document_type, margin, lines, sections, sentences)


class _Cutter:
    """Cuts one text into lines and, at headings, lines into parts; decides which headings open a section.

    lines: as `Structure` has them; numbers, begins: of each, as `Splitter` takes them.
    """

    def __init__(self, reader: StructureReader, text: str) -> None:
        self.reader, self.text = reader, text
        self.raw = text.splitlines(keepends=True)
        self.lines: list[Line] = []
        self.numbers: list[int] = []
        self.begins: list[bool] = []
        self.heads: list[tuple[int, int, str | None]] = [
            (0, 0, None)
        ]  # of each section: start, end, name; first the preamble's
        self.current: str | None = None  # name of the open section
        self.current_upper = False  # its heading is in capitals
        self.filled = False  # it has content already

    @cached_property
    def soap(self) -> bool:
        """Whether three of S, O, A, P begin lines: single letters are headings only beside each other, else "P: 80" is a pulse."""
        return len({raw.lstrip()[:2] for raw in self.raw}.intersection(("S:", "O:", "A:", "P:"))) >= 3

    @cached_property
    def capitals(self) -> bool:
        return in_capitals(self.text)

    def cut(self) -> None:
        text, start, after_blank = self.text, 0, True
        for n, raw in enumerate(self.raw):
            end = start + len(raw.rstrip(_TERMINATORS))
            if end == start:
                self._add(start, end, end, "blank")
                after_blank = True
                start += len(raw)
                continue
            indent = skip(text, start, end)
            body, kind, number, hashes = read_marker(text, indent, end)
            if kind == "blank":
                self._add(start, end, body, kind)
            elif (known := self._known(body, end, kind == "item" and not hashes)) is not None:
                head_end, name = known
                if name is not None:
                    self._open(indent, head_end, name, text[body:head_end].isupper())
                self._add(start, head_end, body, "heading", number)
                if head_end < end:
                    self._rest(head_end, end, head_end, "text", begins=False)
            elif self._looks_like_head(n, body, end, kind, hashes, after_blank):
                opens, name = self._unknown(text[body:end].strip(), hashes)
                if opens:
                    self._open(indent, end, name, text[body:end].isupper())
                self._add(start, end, body, "heading", number)
            else:
                self._rest(start, end, body, kind, number)
            after_blank = kind == "blank"
            start += len(raw)

    def sections(self) -> tuple[Section, ...]:
        text = self.text
        ends = [*(start for start, _, _ in self.heads[1:]), len(text)]
        return tuple(
            [Section(a, b, skip(text, b, end), end, name) for (a, b, name), end in zip(self.heads, ends, strict=True)]
        )

    def _open(self, start: int, end: int, name: str | None, upper: bool) -> None:
        """Opens a section with the heading ``text[start:end]``: its marker ("## ") belongs to it, not to the section before."""
        if start == 0:  # no preamble
            self.heads.clear()
        self.heads.append((start, end, name))
        self.current, self.filled, self.current_upper = name, False, upper

    def _add(self, start: int, end: int, body: int, kind: str, number: int = -1, begins: bool = True) -> None:
        """Adds a line or a part of one to the section that is open."""
        self.lines.append(line_of(self.text, start, end, kind, len(self.heads) - 1, body))
        self.numbers.append(number)
        self.begins.append(begins)

    def _known(self, body: int, end: int, item: bool) -> tuple[int, str | None] | None:
        """(end, section or None for a subheading) of the listed heading that begins a line; None without one."""
        text, reader = self.text, self.reader
        limit = min(end, body + _HEAD)
        colon = text.find(":", body, limit)
        if colon > body:
            raw = text[body:colon]
            after = colon + 1
            while after < end and text[after] in "*_":
                after += 1
            rest = text[after:end].strip()
            found = reader.look_up(raw)
            if found is None:
                return (after, None) if not rest and _key(raw) in reader.subheads else None
            if len(raw.strip("*_ ")) == 1 and not (self.soap and raw.isupper() and not rest[:1].isdigit()):
                return None
            # In capitals like the heading of the open section it is that heading's peer, not its subheading.
            peer = self.current_upper and len(raw) > 2 and raw.isupper()
            name = found.opens(self.current, not item and (not rest or peer))
            # A subheading with its text stays one line.
            return (after, name) if name is not None or not rest else None
        content = text[body:end].rstrip() if end - body <= 2 * _HEAD else ""
        if 1 < len(content) <= _HEAD and content[-1] not in ".,;?!":
            found = reader.look_up(content)
            if found is not None or _key(content) in reader.subheads:
                if item and not content.isupper() and not content.startswith(("**", "__")):
                    return None  # "1. Surgery" is an item of the plan
                if (len(content) == 2 and not content.isupper()) or (content.islower() and self._ends_prose()):
                    return None
                return body + len(content), found.opens(self.current, True) if found else None
        if not item and reader.may_begin(text[body:limit]) and (dash := _DASH.match(text, body, limit)) is not None:
            found = reader.look_up(dash[1]) if dash[1][0].isupper() and len(dash[1]) > 3 else None
            if found is not None and (name := found.opens(self.current, False)) is not None:
                return dash.end(), name
        return None

    def _ends_prose(self) -> bool:
        """Whether the line above is long and unfinished, so that a lone word below it is its last."""
        above = self.text[self.lines[-1].start : self.lines[-1].end].rstrip() if self.lines else ""
        return len(above) >= 50 and above[-1] not in ".!?:"

    def _looks_like_head(self, n: int, body: int, end: int, kind: str, hashes: int, after_blank: bool) -> bool:
        """Whether an unlisted line looks like a heading: markdown; capitals or title case on a line of its own."""
        if hashes > 1:
            return True
        if kind == "item" or end - body > _HEAD:
            return False
        content = self.text[body:end].strip()
        words = content.rstrip(":").split()
        if not words or len(words) > 6 or len(content) < 4 or content[-1] in ".,;?!" or not content[0].isalpha():
            return False
        if any(c.isdigit() or c in "|\t" for c in content):
            return False
        if content[-1] == ":" or content.isupper():
            if not content.isupper() or content[-1] == ":":
                return content.isupper()  # "Examination of the knee:" labels what follows and leaves nothing
            if len(words) == 1 and len(content) < 6:
                return False  # NKDA, DNR, COPD
            below = next((raw for raw in self.raw[n + 1 : n + 4] if raw.strip()), "")
            return not self.capitals and after_blank and below != "" and not below.isupper()
        titled = words[0][0].isupper() and all(not w[0].islower() for w in words if len(w) > 3)
        return titled and after_blank and n + 1 < len(self.raw) and self.raw[n + 1].strip() != ""

    def _unknown(self, content: str, hashes: int) -> tuple[bool, str | None]:
        """(opens a section, its name) for a line that looks like a heading but is not listed."""
        reader = self.reader
        words = _key(content).split()
        if " ".join(words) in reader.subheads or not words:
            return False, None
        if len(words) > 1 and words[-1] in reader.headwords and (hashes or content.isupper() or content.istitle()):
            return True, reader.headwords[words[-1]]
        if self.current in _CLOSED:
            return hashes == 2, None
        return hashes > 0 or (content.isupper() and (self.filled or self.current is None)), None

    def _rest(self, start: int, end: int, body: int, kind: str, number: int = -1, begins: bool = True) -> None:
        """Adds what follows the heading of a line, or all of one without, cut at further headings in its middle."""
        text = self.text
        floor = body
        colon = text.find(":", body, end)
        while colon >= 0:
            head = self._head_before(max(floor, colon - _HEAD), colon, start)
            if head is not None:
                at, name = head
                self._add(start, at, body, kind, number, begins)
                self._open(at, colon + 1, name, text[at:colon].isupper())
                self._add(at, colon + 1, at, "heading", begins=False)
                start = body = colon + 1
                kind, number, begins = "text", -1, False
            floor = colon + 1
            colon = text.find(":", floor, end)
        if not begins:
            body = skip(text, start, end)
            kind = "blank" if body == end else kind
        if start < end:
            self._add(start, end, body, kind, number, begins)
        self.filled = True

    def _head_before(self, low: int, colon: int, line_start: int) -> tuple[int, str] | None:
        """(start, section) of the longest listed heading that ends at ``colon`` in the middle of a line."""
        text, reader = self.text, self.reader
        ending = text[max(low, colon - 24) : colon]
        last = ending[ending.rfind(" ") + 1 :]
        if last.isascii() and last.isalpha():  # nearly always
            if last.lower() not in reader.last_words:
                return None
        else:
            words = _key(ending.replace(",", " ")).replace("/", " ").split()
            if not words or (words[-1] not in reader.last_words and words[-1][-1] != ")"):
                return None
        for word in _WORD_START.finditer(text, low, colon):
            at = word.start()
            raw = text[at:colon]
            found = reader.look_up(raw) if len(raw) > 1 and raw[0].isupper() else None
            if found is not None and self._stands_free(at, line_start, raw):
                name = found.opens(self.current, False)
                return None if name is None else (at, name)
        return None

    def _stands_free(self, at: int, line_start: int, raw: str) -> bool:
        """Whether a heading may begin at ``at``: after a stop or a gap; in capitals also after small letters."""
        upper = raw.isupper()
        before = self.text[max(line_start, at - 16) : at]
        bare = before.rstrip()
        if not bare:
            return True
        gap = len(before) - len(bare) >= 2 or "\t" in before[len(bare) :]
        if gap or bare[-1] in (".;!?,:)]*" if upper else ".;!?*"):
            return upper or len(raw) > 3 or raw in _SHORT
        last = bare.split()[-1]
        small = last.islower() or not (self.capitals or last.isupper())
        return upper and small and len(raw) > 3 and last[-1] not in "/-&("


STRUCTURE_KEY = "codesuggest.structure"  # doc.user_data: Structure


def folder_for(nlp: Language) -> Path:
    """The word lists for a pipeline's language. Raises OptionError, which names the known ones."""
    return language(nlp.lang or DEFAULT).folder


class StructurePipe:
    """Sets the sentence starts of a Doc and keeps its Structure in ``doc.user_data["codesuggest.structure"]``."""

    def __init__(self, reader: StructureReader) -> None:
        self.reader = reader

    def __call__(self, doc: Doc) -> Doc:
        text = text_of(doc)
        structure = self.reader.read(text)
        doc.user_data[STRUCTURE_KEY] = structure
        offsets = doc.to_array(["IDX"]).astype(np.int64).reshape(-1)
        if len(doc):  # one call: the setter of a token looks through the whole Doc each time
            begins = sentence_starts(text, structure, offsets)
            values: Any = np.where(begins, np.uint64(1), np.uint64(2**64 - 1))
            doc.from_array([SENT_START], values.reshape(-1, 1))
        return doc


def sentence_starts(text: str, structure: Structure, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the tokens that start at these offsets of the text begin a sentence. bool, shape of `offsets`."""
    # Here a marker belongs to the item it opens: the sentence of "1. Diabetes" begins at "1". The first token at or
    # after the start: a boundary inside a token moves to the next one.
    marked = {line.body: skip(text, line.start, line.body) for line in structure.lines if line.kind == "item"}
    wanted = np.array([marked.get(s.start, s.start) for s in structure.sentences], dtype=np.int64)
    starts = np.zeros(len(offsets) + 1, dtype=bool)
    starts[np.searchsorted(offsets, wanted, side="left")] = True
    starts[0] = True
    return starts[:-1]


@Language.factory("codesuggest_structure", default_config={"folder": None}, assigns=["token.is_sent_start"])
def _make_pipe(nlp: Language, name: str, folder: str | None) -> StructurePipe:
    """`folder`: of word lists; without it, that of the pipeline's language."""
    return StructurePipe(StructureReader(Path(folder) if folder else folder_for(nlp)))


def structure_of(doc: Doc) -> Structure:
    """The Structure kept on ``doc``. Raises KeyError when the pipe ``codesuggest_structure`` has not run on it."""
    kept = doc.user_data[STRUCTURE_KEY]
    if not isinstance(kept, Structure):  # a Doc that came through to_bytes: msgpack returns lists for named tuples
        kind, margin, lines, heads, ends = kept
        sections, sentences = tuple(Section(*head) for head in heads), tuple(Sentence(*end) for end in ends)
        kept = Structure(kind, margin, tuple(Line(*line) for line in lines), sections, sentences)
    return kept


Doc.set_extension("sections", getter=lambda doc: structure_of(doc).sections, force=True)
Doc.set_extension("document_type", getter=lambda doc: structure_of(doc).document_type, force=True)
