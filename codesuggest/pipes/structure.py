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
ends by one regex without nested repeats. Measured: 0.5 ms for a visit note of 2,700 characters, 0.2 s a megabyte.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from codesuggest.pipes.lexicon import ENGLISH, Row, read_lexicon

__all__ = ["DOCUMENT_TYPES", "Line", "Section", "Sentence", "Structure", "StructureReader", "structure_of"]

#: The types ``Structure.document_type`` can take, in the order that breaks a tie.
DOCUMENT_TYPES = ("visit_note", "ed_note", "discharge_summary", "operative_report", "radiology_report", "lab_report")

# Named tuples, not dataclasses: a Doc with one in its user_data still goes through to_bytes (and so through
# nlp.pipe(n_process=2)), and a note has a hundred of them, built several times faster.


class Line(NamedTuple):
    """A line, or the part of one that belongs to one section; ``text[start:end]`` has no line terminator."""

    start: int
    end: int
    kind: str  #: "heading", "item" (bulleted or numbered), "text" or "blank"
    section: int  #: index into ``Structure.sections``
    body: int  #: where the words begin, past indent and marker ("1.", "-", "##")
    label_end: int  #: end of a leading subheading with its colon ("Neck:" in an exam), else equal to ``body``


class Section(NamedTuple):
    """A heading (``text[head_start:head_end]``, its marker included) and what belongs to it (``text[start:end]``).

    The heading of the preamble is empty: ``head_start == head_end == 0``.
    """

    head_start: int
    head_end: int
    start: int
    end: int
    name: str | None  #: canonical name of ``sections.tsv``; None for the preamble and for an unknown heading


class Sentence(NamedTuple):
    """``text[start:end]``, without surrounding space and list marker. Headings are sentences of their own."""

    start: int
    end: int


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
_TERMINATORS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_SPACE = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]*")
_BULLETS = r"\u2022\u25cf\u25aa\u25e6\u2023\u00b7\u25cb\u25a0\u25a1\uf0b7"
#: One list marker with the space after it. A dash glued to a figure is a sign, "A." an initial, "## " markdown.
_MARK = re.compile(
    r"(?P<hash>#{1,6})\s*(?:[0-9]{1,2}[.:)]?\s+)?(?=\S)"
    rf"|(?:[-\u2013\u2014](?=[^\W\d_])|[-\u2013\u2014*+>o](?=\s)|[{_BULLETS}])\s*"
    r"|\[[ xX]?\]\s*"
    r"|\(?(?P<number>[0-9]{1,2})(?:[.)]\s+|[.)](?=[^\W\d_]))"
    r"|\(?(?:[a-hA-H]|i{1,3}|iv|vi{0,3})\)\s+|(?:[a-h]|i{1,3}|iv|vi{0,3})\.\s+(?=[A-Z])"  # but "c. diff"
)
_LABEL = re.compile(r"[^\W\d_][^:.;?!]{1,48}:(?=\s|$)")
_DASH = re.compile(r"(\S[^-\u2013\u2014:]{1,60}?)(?:\s{1,4}[-\u2013\u2014]\s{1,4}|\t\s{0,4}|\s{2,4})(?=\S)")
_WORD_START = re.compile(r"(?<![^\s.,;:!?)*])[^\W\d_]")
_TAIL = re.compile(r" ?\([^()]*\)$| (?:on |from |as of )?[0-9][0-9/]*$| (?:today|reviewed|continued|cont)$")
_REMARKS = ("today", "reviewed", "cont", "continued")
_KEY_TABLE = str.maketrans(
    dict.fromkeys('*_=~#[]{}<>|"\u201c\u201d:\uff1a.`-\u2010\u2011\u200b\u200c\u200d\u200e\u200f\ufeff')
    | {"&": " and ", "+": " and ", "\u2019": "'"}
)
_STOP = re.compile(r"[.!?](?:[.!?]{0,8}[\"'\u201d\u2019)\]]{0,3}(?=\s|$)|(?=[A-Z][a-z]))")
_ENUMERATOR = re.compile(r"[0-9]{1,2}[.)]\s{1,8}(?=[^\W\d_])")
_DOTTED_LETTERS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_NEXT_WORD = re.compile(r"\s{0,24}[\"'(\[\u201c]?([\w.]{0,24})")
_WORDS = re.compile(r"[a-z0-9][a-z0-9-]*")
#: Sections of short lines: an unknown heading inside is a problem or a body system and leaves nothing.
_CLOSED = frozenset(
    ("ros", "exam", "vitals", "assessment", "plan", "assessment_plan", "impression", "diagnosis", "differential", "mdm",
     "findings", "discharge_diagnosis", "admission_diagnosis", "preop_diagnosis", "postop_diagnosis", "problem_list",
     "hospital_course")
)  # fmt: skip


def _key(head: str) -> str:
    """Folds case, hyphens, "&", "/" and decoration: ``Follow-Up``, ``**followup**`` and ``FOLLOWUP:`` meet."""
    key = " ".join(head.casefold().translate(_KEY_TABLE).split())
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


class _Part(NamedTuple):
    """A line or a piece of one, before sections are numbered."""

    start: int
    end: int
    body: int
    kind: str
    opens: bool = False  # opens a section ...
    name: str | None = None  # ... of this name
    number: int = -1  # of a numbered item
    first: bool = True  # begins its line


class StructureReader:
    """Reads the structure of English clinical documents. Holds only word lists: no state from one text to the next."""

    def __init__(self, folder: Path = ENGLISH) -> None:
        """Load ``sections.tsv`` and ``document_types.tsv`` of ``folder``. Raises LexiconError."""
        self.heads: dict[str, _Head] = {}
        self.subheads: set[str] = set()
        self.headwords: dict[str, str | None] = {}
        self.dotted: dict[str, str] = {}
        self.joins: set[str] = set()
        for row in read_lexicon(
            folder / "sections.tsv", ("kind", "name", "inside", "heads", "source"), optional=("inside",)
        ):
            self._add_row(row)
        self.last_words = frozenset(key.rsplit(None, 1)[-1].rsplit("/", 1)[-1] for key in self.heads)
        self._by_heading: list[tuple[str, str, float]] = []
        self._by_phrase: dict[str, list[tuple[str, tuple[str, ...], float]]] = {}  # by the first word
        columns = ("document_type", "kind", "cue", "weight", "source")
        for row in read_lexicon(folder / "document_types.tsv", columns, unique=columns[:3]):
            document_type, weight = row.choice("document_type", DOCUMENT_TYPES), row.number("weight")
            if weight is None or weight <= 0:
                raise row.error("column 'weight' must be above 0")
            if row.choice("kind", ("heading", "phrase")) == "heading":
                self._by_heading.append((document_type, row["cue"], weight))
            else:
                words = tuple(_WORDS.findall(row["cue"]))
                if " ".join(words) != row["cue"]:
                    raise row.error("a phrase consists of small letters, figures and hyphens")
                self._by_phrase.setdefault(words[0], []).append((document_type, words, weight))

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
        key = _key(head)
        found = self.heads.get(key)
        if found is None and key and (key[-1] in ")0123456789" or key.endswith(_REMARKS)):
            found = self.heads.get(_TAIL.sub("", key))
        return found

    def read(self, text: str) -> Structure:
        """The structure of ``text``: any string, the empty one and one with lone surrogates included."""
        parts = _Cutter(self, text).parts()
        lines, sections = _number(text, parts)
        document_type, margin = self._type(text, sections)
        return Structure(document_type, margin, lines, sections, _Splitter(self, text, lines, parts).sentences())

    def _type(self, text: str, sections: tuple[Section, ...]) -> tuple[str | None, float]:
        scores = dict.fromkeys(DOCUMENT_TYPES, 0.0)
        names = {section.name for section in sections}
        for document_type, name, weight in self._by_heading:
            if name in names:
                scores[document_type] += weight
        # Titles stand at the top, "discharged home" and the signature at the end.
        sample = text if len(text) <= 4000 else text[:3000] + "\n" + text[-1000:]
        words = _WORDS.findall(sample.lower())
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for i, word in enumerate(words):
            for document_type, phrase, weight in self._by_phrase.get(word, ()):
                if (document_type, phrase) not in seen and tuple(words[i : i + len(phrase)]) == phrase:
                    seen.add((document_type, phrase))
                    scores[document_type] += weight
        best, second = sorted(scores.values(), reverse=True)[:2]
        if best < 2:
            return None, 0.0
        return next(t for t in DOCUMENT_TYPES if scores[t] == best), best - second


class _Cutter:
    """Cuts one text into lines and, at headings, lines into parts; decides which headings open a section."""

    def __init__(self, reader: StructureReader, text: str) -> None:
        self.reader, self.text = reader, text
        self.raw = text.splitlines(keepends=True)
        self.capitals = _in_capitals(text)
        # "P: 80" is a pulse; single letters are headings only beside others of S, O, A, P.
        starts = {raw.lstrip()[:2] for raw in self.raw}
        self.soap = len(starts & {"S:", "O:", "A:", "P:"}) >= 3
        self.done: list[_Part] = []
        self.current: str | None = None  # name of the open section
        self.current_upper = False  # its heading is in capitals
        self.filled = False  # it has content already

    def parts(self) -> list[_Part]:
        text, done, start = self.text, self.done, 0
        after_blank = True
        for n, raw in enumerate(self.raw):
            end = start + len(raw.rstrip(_TERMINATORS))
            body = _skip(text, start, end)
            kind, number, hashes = ("blank" if body == end else "text"), -1, 0
            for _ in range(3):  # "- [ ] 1. ..."
                mark = _MARK.match(text, body, end)
                if mark is None or mark.end() >= end:
                    break
                body, kind = mark.end(), "item"
                number = int(mark["number"] or number)
                hashes = len(mark["hash"] or "")
            if kind == "blank":
                done.append(_Part(start, end, body, kind))
            elif (known := self._known(body, end, kind == "item" and not hashes)) is not None:
                head_end, name = known
                done.append(_Part(start, head_end, body, "heading", name is not None, name, number))
                if name is not None:
                    self.current, self.filled, self.current_upper = name, False, text[body:head_end].isupper()
                if head_end < end:
                    self._rest(_Part(head_end, end, head_end, "text", first=False))
            elif self._looks_like_head(n, body, end, kind, hashes, after_blank):
                opens, name = self._unknown(text[body:end].strip(), hashes)
                done.append(_Part(start, end, body, "heading", opens, name, number))
                if opens:
                    self.current, self.filled, self.current_upper = name, False, text[body:end].isupper()
            else:
                self._rest(_Part(start, end, body, kind, number=number))
            after_blank = kind == "blank"
            start += len(raw)
        return done

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
        if not item and (dash := _DASH.match(text, body, limit)) is not None:
            found = reader.look_up(dash[1]) if dash[1][0].isupper() and len(dash[1]) > 3 else None
            if found is not None and (name := found.opens(self.current, False)) is not None:
                return dash.end(), name
        return None

    def _ends_prose(self) -> bool:
        """Whether the line above is long and unfinished, so that a lone word below it is its last."""
        above = self.text[self.done[-1].start : self.done[-1].end].rstrip() if self.done else ""
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

    def _rest(self, part: _Part) -> None:
        """Appends what follows the heading of a line, cut at further headings in its middle."""
        text = self.text
        floor = part.body
        colon = text.find(":", part.body, part.end)
        while colon >= 0:
            head = self._head_before(max(floor, colon - _HEAD), colon, part.start)
            if head is not None:
                at, name = head
                self.done.append(part._replace(end=at))
                self.done.append(_Part(at, colon + 1, at, "heading", True, name, first=False))
                self.current, self.current_upper = name, text[at:colon].isupper()
                part = _Part(colon + 1, part.end, colon + 1, "text", first=False)
            floor = colon + 1
            colon = text.find(":", floor, part.end)
        if not part.first:
            part = part._replace(body=_skip(text, part.start, part.end))
            part = part._replace(kind="blank") if part.body == part.end else part
        if part.start < part.end:
            self.done.append(part)
        self.filled = True

    def _head_before(self, low: int, colon: int, line_start: int) -> tuple[int, str] | None:
        """(start, section) of the longest listed heading that ends at ``colon`` in the middle of a line."""
        text, reader = self.text, self.reader
        words = _key(text[max(low, colon - 24) : colon].replace(",", " ")).replace("/", " ").split()
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
            return upper or len(raw) > 3
        last = bare.split()[-1]
        small = last.islower() or not (self.capitals or last.isupper())
        return upper and small and len(raw) > 3 and last[-1] not in "/-&("


class _Splitter:
    """Divides the lines of one text into sentences."""

    def __init__(self, reader: StructureReader, text: str, lines: tuple[Line, ...], parts: list[_Part]) -> None:
        self.dotted, self.joins = reader.dotted, reader.joins
        self.text, self.lines, self.parts = text, lines, parts
        self.found: list[Sentence] = []

    def sentences(self) -> tuple[Sentence, ...]:
        joined = self._joined()
        for i, line in enumerate(self.lines):
            if line.kind == "heading":
                self._add(line.body, line.end)
            elif line.kind != "blank" and not joined[i]:
                last = i
                while last + 1 < len(joined) and joined[last + 1]:
                    last += 1
                self._split(line.body, self.lines[last].end, self.parts[i].number)
        return tuple(self.found)

    def _joined(self) -> list[bool]:
        """For each line, whether it continues the one before: prose that was broken at a column.

        A line was broken if the first word of the next would not have fitted into the width of its paragraph. Lines
        that end in a comma or in a word like "with" go on whatever their length. When the next begins with a capital
        or a figure, the rest of the text must show that it was broken at a column.
        """
        text, lines = self.text, self.lines
        joined = [False] * len(lines)
        full: list[int] = []  # lines that follow a full one and begin with no small letter
        wrapped = width = last = 0
        for i in range(1, len(lines)):
            before, line = lines[i - 1], lines[i]
            if line.kind != "text" or before.kind not in ("text", "item") or not self.parts[i].first:
                continue
            if i > last:  # a new paragraph: its width, once for all its lines
                width, last = 0, i - 1
                while last < len(lines) and lines[last].kind in ("text", "item"):
                    width = max(width, lines[last].end - lines[last].start)
                    last += 1
            tail = text[max(before.body, before.end - 30) : before.end].rstrip()
            head = text[line.body : min(line.end, line.body + 30)]
            if before.section != line.section or not tail or tail[-1] in "!?:;" or self._is_table(before, line):
                continue
            word, lower = tail.rsplit(None, 1)[-1], head[0].islower()
            if line.label_end > line.body and not lower:
                continue
            was_full = 55 <= width <= 130 and before.end - before.start + 1 + len(head.split(None, 1)[0]) > width
            hanging = before.kind == "item" and line.body - line.start >= max(1, before.body - before.start - 2)
            if tail[-1] == ".":
                rule = self.dotted.get(word[:-1].lower())
                joined[i] = rule == "title" or (rule is not None and lower)
            elif tail[-1] == "," or word.lower() in self.joins or (lower and (was_full or hanging)):
                joined[i] = True
                wrapped += lower and was_full
            elif was_full and before.end - before.start >= 60:
                full.append(i)
        if wrapped >= 2 or (len(full) >= 3 and _in_capitals(text)):
            for i in full:
                joined[i] = True
        return joined

    def _is_table(self, *lines: Line) -> bool:
        find = self.text.find
        return any(find(gap, line.body, line.end) >= 0 for line in lines for gap in ("\t", "   ", "|"))

    def _split(self, start: int, end: int, number: int) -> None:
        """Adds the sentences of the paragraph or item ``text[start:end]``; ``number`` is that of its marker or -1."""
        text = self.text
        cuts: list[tuple[int, int]] = []  # of an enumeration in running text: "1. CHF 2. AFib"
        for match in _ENUMERATOR.finditer(text, start, end):
            at, expected = match.start(), max(number, 0) + len(cuts) + 1
            free = at == start or text[at - 1].isspace() or text[at - 1] == "("
            if free and int(text[at : at + 2].rstrip(".)")) == expected:
                cuts.append((at, match.end()))
        if number < 0 and len(cuts) == 1 and cuts[0][0] > start:
            cuts.clear()  # a lone "... grade 1. Denies ..."
        cut, at = 0, start
        for match in _STOP.finditer(text, start, end):
            stop, after = match.span()
            while cut < len(cuts) and cuts[cut][1] <= stop:
                self._add(at, cuts[cut][0])
                at, cut = cuts[cut][1], cut + 1
            if (cut == len(cuts) or stop < cuts[cut][0]) and self._ends(stop, after, at, end):
                self._add(at, after)
                at = after
        for before, after in cuts[cut:]:
            self._add(at, before)
            at = after
        self._add(at, end)

    def _ends(self, stop: int, after: int, start: int, end: int) -> bool:
        """Whether the ``.``, ``!`` or ``?`` at ``stop`` ends a sentence that began at ``start``."""
        text = self.text
        token = text[max(start, stop - 24) : stop]
        if after >= end:
            return True
        if not token or token[-1].isspace():
            return text[stop] != "?"  # "? pneumonia" asks, and goes on
        if text[stop] != ".":
            return not text[after].isalpha()
        match = _NEXT_WORD.match(text, after, end)
        following = match[1] if match else ""
        if text[stop + 1] == ".":
            return not following[:1].islower()
        pieces = token.split()
        word = pieces[-1].lstrip("([\"'\u201c-/")
        low = word.lower()
        rule = self.dotted.get(low)
        if not text[after].isspace():  # the space forgotten: "no fever.Denies cough", but "Ph.D"
            return len(word) > 1 and word[-2:].islower() and rule is None
        if after > stop + 1:
            return text[stop + 1] not in ")]" or rule is None
        if low.isdigit():
            return len(low) > 2 or text[start : stop - len(low)].strip() != ""  # else the marker of an item
        if rule == "title":
            return not following
        if rule == "number":
            return not (following[:1].isdigit() or following[:1].islower())
        if rule == "lettered":
            return True
        if len(word) == 1 and word.isalpha():  # an initial, or "hepatitis C."
            before = pieces[-2] if len(pieces) > 1 else ""
            if not before or (before[-1] == "." and self.dotted.get(before[:-1].lower()) == "title"):
                return False
            named = before[0].isupper() and not before.isupper() and self.dotted.get(before.lower()) != "lettered"
            return following[:1].isupper() and not (named and word.isupper())
        if rule is not None or _DOTTED_LETTERS.fullmatch(word):
            return following[:1].isupper() and following.rstrip(".").lower() not in self.dotted
        return True

    def _add(self, start: int, end: int) -> None:
        piece = self.text[start:end]
        body = piece.lstrip()
        if body.startswith(("- ", "* ", "\u2022 ")):  # a bullet in running text
            body = body[2:].lstrip()
        if body:
            start = end - len(body)
            self.found.append(Sentence(start, start + len(body.rstrip())))


def _skip(text: str, start: int, end: int) -> int:
    """The first character of ``text[start:end]`` that is neither space nor invisible; ``end`` when there is none."""
    space = _SPACE.match(text, start, end)
    return space.end() if space else start


def _in_capitals(text: str) -> bool:
    """Whether nearly all letters are capitals, so that capitals say nothing about headings."""
    raw = text.encode("ascii", "ignore")
    small = len(raw) - len(raw.translate(None, b"abcdefghijklmnopqrstuvwxyz"))
    return len(raw) - len(raw.translate(None, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")) > 4 * small


def _number(text: str, parts: list[_Part]) -> tuple[tuple[Line, ...], tuple[Section, ...]]:
    """Numbers the sections and gives each part its section."""
    # A marker ("## ") belongs to the heading, so that no stray "##" is left in the section before.
    starts = [(_skip(text, part.start, part.body), part.end, part.name) for part in parts if part.opens]
    preamble = not starts or starts[0][0] > 0
    if preamble:
        starts.insert(0, (0, 0, None))
    ends = [start for start, _, _ in starts[1:]] + [len(text)]
    sections: list[Section] = []
    for (head_start, head_end, name), end in zip(starts, ends, strict=True):
        sections.append(Section(head_start, head_end, _skip(text, head_end, end), end, name))
    index = 0 if preamble else -1
    lines: list[Line] = []
    for part in parts:
        index += part.opens
        label = _LABEL.match(text, part.body, part.end) if part.kind in ("text", "item") else None
        label_end = label.end() if label else part.body
        lines.append(Line(part.start, part.end, part.kind, max(index, 0), part.body, label_end))
    return tuple(lines), tuple(sections)


_USER_DATA = "codesuggest.structure"


class StructurePipe:
    """Sets the sentence starts of a Doc and keeps its Structure in ``doc.user_data["codesuggest.structure"]``."""

    def __init__(self, reader: StructureReader) -> None:
        self.reader = reader

    def __call__(self, doc: Doc) -> Doc:
        structure = self.reader.read(doc.text)
        doc.user_data[_USER_DATA] = structure
        offsets = doc.to_array(["IDX"]).astype(np.int64).reshape(-1)
        # Here a marker belongs to the item it opens: the sentence of "1. Diabetes" begins at "1". The first token at or
        # after the start: a boundary inside a token moves to the next one.
        text = doc.text
        marked = {line.body: _skip(text, line.start, line.body) for line in structure.lines if line.kind == "item"}
        wanted = np.array([marked.get(s.start, s.start) for s in structure.sentences], dtype=np.int64)
        starts = np.zeros(len(doc) + 1, dtype=bool)
        starts[np.searchsorted(offsets, wanted, side="left")] = True
        starts[0] = True
        if len(doc):  # one call: the setter of a token looks through the whole Doc each time
            values = np.where(starts[:-1], 1, -1).astype(np.int64).view(np.uint64)
            doc.from_array(["SENT_START"], values.reshape(-1, 1))
        return doc


@Language.factory("codesuggest_structure", default_config={"folder": None}, assigns=["token.is_sent_start"])
def _make_pipe(nlp: Language, name: str, folder: str | None) -> StructurePipe:
    return StructurePipe(StructureReader(Path(folder) if folder else ENGLISH))


def structure_of(doc: Doc) -> Structure:
    """The Structure kept on ``doc``. Raises KeyError when the pipe ``codesuggest_structure`` has not run on it."""
    kept = doc.user_data[_USER_DATA]
    if not isinstance(kept, Structure):  # a Doc that came through to_bytes: msgpack returns lists for named tuples
        kind, margin, lines, sections, sentences = kept
        kept = Structure(
            kind,
            margin,
            tuple(Line(*line) for line in lines),
            tuple(Section(*section) for section in sections),
            tuple(Sentence(*sentence) for sentence in sentences),
        )
    return kept


Doc.set_extension("sections", getter=lambda doc: structure_of(doc).sections, force=True)
Doc.set_extension("document_type", getter=lambda doc: structure_of(doc).document_type, force=True)
