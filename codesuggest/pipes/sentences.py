"""Lines and sentences of a note: what a line begins with, which lines belong together, where a sentence ends.

Prose that was broken at a column is joined, then cut at stops.

A line of a note is a line of text, an item of a list, or half a sentence that went on below. `Splitter` decides which
lines belong together, then which `.`, `!` or `?` ends a sentence: not the stop of "Dr.", of "no. 3" or of "5 mg p.o.
daily". An enumeration in running text ("1. CHF 2. AFib") is cut at its numbers. Time is linear: one regex without nested
repeats finds the stops, and each is judged by at most 24 characters on either side.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Line", "Sentence", "Splitter", "in_capitals", "line_of", "read_marker", "skip"]

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

#: No mark begins with one of these and another letter behind it: a Roman number has i or v.
_NO_MARK = frozenset("abcdefghjklmnopqrstuwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LABEL = re.compile(r"[^\W\d_][^:.;?!]{1,48}:(?=\s|$)")

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


class Sentence(NamedTuple):
    """``text[start:end]``, without surrounding space and list marker. Headings are sentences of their own."""

    start: int
    end: int


_STOP = re.compile(r"[.!?](?:[.!?]{0,8}[\"'\u201d\u2019)\]]{0,3}(?=\s|$)|(?=[A-Z][a-z]))")
_CUT = re.compile(r"[.!?)]")  # without one of these before its last character a line is one sentence
_ENUMERATOR = re.compile(r"[0-9]{1,2}[.)]\s{1,8}(?=[^\W\d_])")
_DOTTED_LETTERS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_NEXT_WORD = re.compile(r"\s{0,24}[\"'(\[\u201c]?([\w.]{0,24})")


class Splitter:
    """Divides the lines of one text into sentences.

    dotted: word that a stop may follow -> "title", "number", "lettered" or another rule; joins: words that do not end a
    line. numbers: of each line, that of its marker ("2." of a list), -1 without; begins: whether it begins a line of the
    text, False for the part of one that follows a heading.
    """

    def __init__(self, text: str, lines: Sequence[Line], dotted: Mapping[str, str], joins: Collection[str]) -> None:
        self.text, self.lines, self.dotted, self.joins = text, lines, dotted, joins
        self.found: list[Sentence] = []

    def sentences(self, numbers: Sequence[int], begins: Sequence[bool]) -> tuple[Sentence, ...]:
        joined = self._joined(begins)
        for i, line in enumerate(self.lines):
            if line.kind == "heading":
                self._add(line.body, line.end)
            elif line.kind != "blank" and not joined[i]:
                last = i
                while last + 1 < len(joined) and joined[last + 1]:
                    last += 1
                self._split(line.body, self.lines[last].end, numbers[i])
        return tuple(self.found)

    def _joined(self, begins: Sequence[bool]) -> list[bool]:
        """For each line, whether it continues the one before: prose that was broken at a column.

        A line was broken if the first word of the next would not have fitted into the width of its paragraph. Lines
        that end in a comma or in a word like "with" go on whatever their length. When the next begins with a capital
        or a figure, the rest of the text must show that it was broken at a column.
        """
        text, lines = self.text, self.lines
        joined = [False] * len(lines)
        full: list[int] = []  # lines that follow a full one and begin with no small letter
        wrapped = width = last = 0
        for i, (before, line) in enumerate(pairwise(lines), 1):
            if line.kind != "text" or before.kind not in ("text", "item") or not begins[i]:
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
        if wrapped >= 2 or (len(full) >= 3 and in_capitals(text)):
            for i in full:
                joined[i] = True
        return joined

    def _is_table(self, *lines: Line) -> bool:
        find = self.text.find
        return any(find(gap, line.body, line.end) >= 0 for line in lines for gap in ("\t", "   ", "|"))

    def _split(self, start: int, end: int, number: int) -> None:
        """Adds the sentences of the paragraph or item ``text[start:end]``; ``number`` is that of its marker or -1."""
        text = self.text
        if _CUT.search(text, start, end - 1) is None:
            return self._add(start, end)
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
        if after >= end:
            return True
        text = self.text
        token = text[max(start, stop - 24) : stop]
        if not token or token[-1].isspace():
            return text[stop] != "?"  # "? pneumonia" asks, and goes on
        if text[stop] != ".":
            return not text[after].isalpha()
        pieces = token.split()
        word = pieces[-1].lstrip("([\"'\u201c-/")
        low = word.lower()
        rule = self.dotted.get(low)
        if rule is None and len(word) > 1 and word.isalpha() and after == stop + 1 and text[after].isspace():
            return True  # nearly always
        match = _NEXT_WORD.match(text, after, end)
        following = match[1] if match else ""
        if text[stop + 1] == ".":
            return not following[:1].islower()
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
        if body[:2] in ("- ", "* ", "\u2022 "):  # a bullet in running text
            body = body[2:].lstrip()
        if body:
            start = end - len(body)
            self.found.append(Sentence(start, start + len(body.rstrip())))


def in_capitals(text: str) -> bool:
    """Whether nearly all letters are capitals, so that capitals say nothing about headings."""
    raw = text.encode("ascii", "ignore")
    small = len(raw) - len(raw.translate(None, b"abcdefghijklmnopqrstuvwxyz"))
    return len(raw) - len(raw.translate(None, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")) > 4 * small


def skip(text: str, start: int, end: int) -> int:
    """The first character of ``text[start:end]`` that is neither space nor invisible; ``end`` when there is none."""
    if start < end and "!" <= text[start] <= "~":  # nearly always
        return start
    space = _SPACE.match(text, start, end)
    return space.end() if space else start


def read_marker(text: str, body: int, end: int) -> tuple[int, str, int, int]:
    """What the line ``text[body:end]``, its indent left off, begins with.

    (where its words begin, "blank", "item" or "text", the number of a numbered item or -1, how many "#" it has)
    """
    if body == end:
        return body, "blank", -1, 0
    if text[body] in _NO_MARK and text[body + 1 : body + 2].isalpha():  # nearly always
        return body, "text", -1, 0
    kind, number, hashes = "text", -1, 0
    for _ in range(3):  # "- [ ] 1. ..."
        mark = _MARK.match(text, body, end)
        if mark is None or mark.end() >= end:
            break
        body, kind = mark.end(), "item"
        number = int(mark["number"] or number)
        hashes = len(mark["hash"] or "")
    return body, kind, number, hashes


def line_of(text: str, start: int, end: int, kind: str, section: int, body: int) -> Line:
    """The Line with these fields, its label looked for."""
    label = _LABEL.match(text, body, end) if kind in ("text", "item") else None
    return Line(start, end, kind, section, body, label.end() if label else body)
