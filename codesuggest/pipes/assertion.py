"""Is a finding affirmed, negated, uncertain, the family's, past, hypothetical or somebody else's? For every token.

    Doc -AssertionRules.read-> Asserted(status and cue of each token) -AssertionPipe-> doc.user_data, span._.assertion

The method is NegEx (Chapman et al., J Biomed Inform 2001;34:301-10) as widened by ConText (Harkema et al., J Biomed
Inform 2009;42:839-51): a cue opens a scope forward or backward in its line of text, and terminators, cues of the same
category and token limits close it. Added here: answers ("Fever: no", "Chest pain? Denies."), lists closed by "or",
items under a lead-in ("Return for:"), parentheses, and a new clause that cuts an older scope ("no effusion, possible
pneumonia"). The words are data: `<language>/cues.tsv`, read by `cues.py`.

All work is over cue hits, found by spaCy's 64-bit word hashes: a text without a word that may begin a cue costs little
more than its two arrays, a line without one nothing. Nothing of a note outlives the call. Linear in the number of tokens
for any text; measured by `tests/speed/negex.py`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import srsly
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE, LOWER, SENT_START  # type: ignore[import-not-found]
from spacy.language import Language
from spacy.strings import hash_string  # type: ignore[attr-defined]
from spacy.tokens import Doc, Span

from codesuggest.pipes.cues import COLUMNS, DIRECTIONS, END, STATUSES, CueList, Rule, hashes
from codesuggest.records import Cue

__all__ = [
    "COLUMNS", "DEFAULTS_KEY", "DIRECTIONS", "KEY", "ORDER", "STATUSES", "Asserted", "AssertionPipe", "AssertionRules",
    "make_assertion", "strength",
]  # fmt: skip

# Strongest first. Whatever is denied of anyone is not there to code, so negation comes first; then whose finding it is;
# then whether it is real; then when it was.
ORDER: Final = ("negated", "family", "other_person", "hypothetical", "uncertain", "historical", "affirmed")
KEY: Final = "codesuggest.assertion"  # doc.user_data: Asserted
DEFAULTS_KEY: Final = "codesuggest.assertion_defaults"  # doc.user_data: int8 array, one status per sentence

_STRENGTH_OF: Final = [len(ORDER) - 1 - ORDER.index(name) for name in STATUSES]  # by index in STATUSES
_STRENGTH: Final = np.array(_STRENGTH_OF, dtype=np.int8)
_NEGATED, _UNCERTAIN = STATUSES.index("negated"), STATUSES.index("uncertain")
_HISTORICAL, _HYPOTHETICAL = STATUSES.index("historical"), STATUSES.index("hypothetical")
_ATTRIBUTES: Final = (LOWER, IS_SPACE, SENT_START)
_NEWLINES: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_TURNED: Final = 8  # tokens an answer reaches back ("pain on exertion: no") or a leading "Negative ..." reaches on
_WRAPPED: Final = 40  # code points: a shorter line was ended by its writer, a longer one perhaps by the page

_COMMA, _COLON, _QUESTION = hash_string(","), hash_string(":"), hash_string("?")
_OPENED, _CLOSED = hashes("(["), hashes(")]")
_DASHES = hashes("-–—")
_JOINTS = _DASHES | hashes(":(?,")  # between a label and its answer
_STOPS = hashes((",", ".", ";", "!", "?", ")", "]"))  # an answer ends here
_LINE_END = hashes(";")
_SENTENCE_END = hashes(".?!;")
_IS_COMMA, _IS_COLON, _IS_AND, _IS_OR, _IS_OPENED, _IS_CLOSED = range(6)  # what a mark does to the reading


@dataclass(frozen=True, slots=True, eq=False)
class Asserted:
    """What was decided for a Doc of n tokens.

    status  int8[n], index into STATUSES          cue  int32[n], index into `cues`, -1 where no cue decided
    cues    in order of their start; a status without a cue comes from the caller's default for the sentence
    """

    status: NDArray[np.int8]
    cue: NDArray[np.int32]
    cues: tuple[Cue, ...]

    def of(self, span: Span) -> tuple[str, Cue | None]:
        """Status of most of the span's tokens, cue words and white space apart, the stronger on a tie; and a cue."""
        first = self.status[span.start : span.end].tolist()
        if first and first.count(first[0]) == len(first):  # the usual case
            k = max(self.cue[span.start : span.end].tolist()) if first[0] else -1
            return STATUSES[first[0]], self.cues[k] if k >= 0 else None
        at = [t.i for t in span if not t.is_space and not t.is_punct and not self._in_cue(t.idx)]
        at = at or list(range(span.start, span.end))
        if not at:
            return STATUSES[0], None
        counts = np.bincount(self.status[at], minlength=len(STATUSES))
        best = max(range(len(STATUSES)), key=lambda s: (counts[s], _STRENGTH[s]))
        for i in at:
            if self.status[i] == best and self.cue[i] >= 0:
                return STATUSES[best], self.cues[self.cue[i]]
        return STATUSES[best], None

    def _in_cue(self, char: int) -> bool:
        low, high = 0, len(self.cues)
        while low < high:  # the last cue starting at or before `char`
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.cues[middle].start <= char else (low, middle)
        return low > 0 and char < self.cues[low - 1].end


class _Scope(NamedTuple):
    start: int  # of the tokens governed, then the first token not governed
    end: int
    status: int
    hit: tuple[int, int, int]  # cue start, end (tokens), rule


class _Open(NamedTuple):
    start: int
    most: int  # the limit as a position
    narrow: bool
    depth: int  # of parentheses where it was opened
    hit: tuple[int, int, int]


class _Words(NamedTuple):
    """A Doc without its white space: m words. Lists, because most lines are too short to be worth numpy's overhead."""

    doc: Doc
    ids: list[int]  # lower-case hashes, length m
    at: Sequence[int]  # token index of each word, length m
    cuts: list[int]  # words at which a line of text ends, m the last of them
    sentences: list[int]  # tokens that start a sentence

    def glued(self, i: int) -> bool:
        """Does word i follow the one before it without white space?"""
        token = self.at[i] - 1
        return i > 0 and self.at[i - 1] == token and not self.doc[token].whitespace_

    def lower(self, i: int) -> bool:
        """Is word i written in lower case?"""
        return bool(self.doc[self.at[i]].is_lower)


class AssertionRules:
    """The cues of one language, read and checked once; `read` may then be called from any thread.

    Raises LexiconError, a ValueError, when the file breaks a rule of `cues.py`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else Path(__file__).parent / "en" / "cues.tsv"
        self.cues = CueList(self.path)
        marks: dict[int, int] = {_COMMA: _IS_COMMA, _COLON: _IS_COLON}
        marks |= dict.fromkeys(_CLOSED, _IS_CLOSED) | dict.fromkeys(_OPENED, _IS_OPENED)
        marks = dict.fromkeys(self.cues.or_, _IS_OR) | dict.fromkeys(self.cues.and_, _IS_AND) | marks
        # what to do at a word: its mark or -1, then as CueList.first has it
        self.plan = {
            word: (marks.get(word, -1), *self.cues.first.get(word, (-1, frozenset(), [])))
            for word in dict.fromkeys([*marks, *self.cues.first])
        }

    def __len__(self) -> int:
        return len(self.cues.rules)

    def read(self, doc: Doc, defaults: Sequence[int] | NDArray[np.integer[Any]] | None = None) -> Asserted:
        """Decide for every token of `doc`.

        defaults: integers[number of sentences], index into STATUSES, what a sentence is taken for where no cue says
        something stronger (family, in a family history). Sentences are `doc.sents`, or as `sentence_starts` finds them.
        Raises ValueError when their number differs. About MEASURE ms per 1,000 code points.
        """
        status, cue = np.zeros(len(doc), dtype=np.int8), np.empty(len(doc), dtype=np.int32)
        cue.fill(-1)
        cues: tuple[Cue, ...] = ()
        table = doc.to_array(_ATTRIBUTES)
        kept = (table[:, 1] == 0).nonzero()[0] if np.count_nonzero(table[:, 1]) else None
        ids: list[int] = (table[:, 0] if kept is None else table[kept, 0]).tolist()
        if defaults is not None or self.cues.speaks(ids):
            words = self._words(doc, ids, kept, table[:, 2])
            scopes, shields = _Reading(self, words).run()
            if scopes:
                cues = self._paint(words, scopes, shields, status, cue)
            if defaults is not None:
                _fill(words.sentences, defaults, status, cue)
        status.flags.writeable = cue.flags.writeable = False
        return Asserted(status, cue, cues)

    def sentence_starts(self, doc: Doc) -> list[int]:
        """Tokens at which a sentence starts: by `doc.sents` if they are set, else after . ; ? ! and at line ends."""
        table = doc.to_array(_ATTRIBUTES)
        kept = (table[:, 1] == 0).nonzero()[0]
        return self._words(doc, table[kept, 0].tolist(), kept, table[:, 2]).sentences

    def _paint(
        self,
        words: _Words,
        scopes: list[_Scope],
        shields: list[tuple[int, int, int]],
        status: NDArray[np.int8],
        cue: NDArray[np.int32],
    ) -> tuple[Cue, ...]:
        """Writes the scopes into the two arrays; the cues in order of their start."""
        # weakest first, so that the stronger status is painted over; ties by place
        scopes.sort(key=lambda s: (_STRENGTH_OF[s.status], s.hit, s.start))
        hits = {hit: k for k, hit in enumerate(sorted({s.hit for s in scopes}))}
        doc, tokens = words.doc, words.at
        shielded: dict[int, NDArray[np.bool_]] = {}
        for kept, start, end in shields:
            if start < end:
                shield = shielded.setdefault(kept, np.zeros(len(doc), dtype=bool))
                shield[tokens[start] : tokens[end - 1] + 1] = True
        for scope in scopes:
            first, end = tokens[scope.start], tokens[scope.end - 1] + 1
            if scope.status in shielded:
                covered = first + np.flatnonzero(~shielded[scope.status][first:end])
                status[covered], cue[covered] = scope.status, hits[scope.hit]
            else:
                status[first:end], cue[first:end] = scope.status, hits[scope.hit]
        cues = []
        for i, j, number in hits:
            rule, last = self.cues.rules[number], doc[tokens[j - 1]]
            cues.append(Cue(doc[tokens[i]].idx, last.idx + len(last), STATUSES[rule.statuses[0]], rule.cue))
        return tuple(cues)

    def _words(
        self, doc: Doc, ids: list[int], kept: NDArray[np.intp] | None, sent_start: NDArray[np.uint64]
    ) -> _Words:
        """`ids`: LOWER of the tokens `kept`, those that are not white space; None: all. `sent_start`: of every token."""
        breaks: set[int] = set()
        sentences: list[int] = []
        marked = doc.has_annotation("SENT_START")
        if marked:
            marks = (sent_start == 1).nonzero()[0]
            sentences = marks.tolist()
            breaks.update(sentences if kept is None else kept.searchsorted(marks).tolist())
        at: Sequence[int] = range(len(doc)) if kept is None else kept.tolist()
        words = _Words(doc, ids, at, [], sentences)
        ends = _LINE_END if marked else _SENTENCE_END
        if not ends.isdisjoint(ids):
            # "?" after white space asks ("cough, ? pneumonia") where at the end of a word it closes a sentence
            found = [i for i, word in enumerate(ids) if word in ends]
            breaks.update(i + 1 for i in found if ids[i] != _QUESTION or words.glued(i))
        if kept is not None:
            spaced = (kept[1:] - kept[:-1] > 1).nonzero()[0] + 1  # words after white space tokens
            self._line_breaks(words, spaced.tolist(), breaks)
        m = len(ids)
        breaks -= {0, m}
        words.cuts.extend(sorted(breaks))
        if not marked:
            sentences.extend(at[i] for i in words.cuts)
        if len(doc) and sentences[:1] != [0]:
            sentences.insert(0, 0)
        words.cuts.append(m)
        return words

    def _line_breaks(self, words: _Words, spaced: list[int], breaks: set[int]) -> None:
        """Adds the words before which the writer, not the page, ended a line; `spaced`: words after white space tokens."""
        doc, ids, at = words.doc, words.ids, words.at

        def newlines(word: int) -> int:
            return sum(len(_NEWLINES.findall(doc[i].text)) for i in range(at[word - 1] + 1, at[word]))

        for k, word in enumerate(spaced):
            if word in breaks or not (count := newlines(word)):
                continue
            joined = count == 1 and ids[word - 1] not in _SENTENCE_END and _COLON not in ids[word : word + 4]
            joined = joined and ids[word] not in self.cues.bullets
            if joined and ids[word - 1] not in self.cues.unfinished:
                joined = words.lower(word)
                if joined:  # walks back to the line end before, so that no word is met twice
                    line = next((w for w in map(spaced.__getitem__, range(k - 1, -1, -1)) if newlines(w)), 0)
                    joined = doc[at[word - 1]].idx - doc[at[line]].idx >= _WRAPPED
            if not joined:
                breaks.add(word)


def _fill(
    sentences: list[int],
    defaults: Sequence[int] | NDArray[np.integer[Any]],
    status: NDArray[np.int8],
    cue: NDArray[np.int32],
) -> None:
    """Writes the defaults of the sentences wherever they are stronger than the status read."""
    of_sentence, number = np.asarray(defaults, dtype=np.int8), len(sentences)
    if of_sentence.shape != (number,):
        raise ValueError(f"defaults has shape {of_sentence.shape}, expected one for each of {number} sentences")
    if number and not 0 <= of_sentence.min() <= of_sentence.max() < len(STATUSES):
        raise ValueError(f"defaults must be indices into STATUSES, 0 to {len(STATUSES) - 1}")
    default = np.repeat(of_sentence, np.diff([*sentences, len(status)]))
    stronger = _STRENGTH[default] > _STRENGTH[status]
    status[stronger], cue[stronger] = default[stronger], -1


class _Reading:
    """One pass over the cue hits of one Doc. Positions are words (see `_Words`); a scope is closed and painted once."""

    def __init__(self, rules: AssertionRules, words: _Words) -> None:
        self.rules, self.words, self.ids = rules, words, words.ids
        self.scopes: list[_Scope] = []
        self.shields: list[tuple[int, int, int]] = []  # status a pseudo cue protects from, first word, end
        self.open: dict[int, _Open] = {}  # by status: the forward cue being followed
        self.wall: list[int] = []  # by status: no backward cue reaches before this word
        self.before_colon: list[int] = []  # the walls as they stood before the last colon
        self.start = self.end = self.previous = 0  # of the line; start of the line before
        self.comma = self.comma_before = self.conjunction = self.also = self.depth = 0

    def run(self) -> tuple[list[_Scope], list[tuple[int, int, int]]]:
        openers, ids = self.rules.cues.openers, self.ids
        start = 0
        for end in self.words.cuts:
            if self.open or not openers.isdisjoint(ids[start:end]):
                self._line(start, end)
            else:
                self.start = start
            start = end
        return self.scopes, self.shields

    def _line(self, start: int, end: int) -> None:
        self.previous, self.start, self.end = self.start, start, end
        self.wall, self.before_colon = [start] * len(STATUSES), [start] * len(STATUSES)
        self.comma = self.comma_before = self.conjunction = self.also = start - 1
        self.depth = 0
        ids, cues, look_up, skip = self.ids, self.rules.cues, self.rules.plan.get, start
        for i, word in enumerate(ids[start:end], start):
            entry = look_up(word)
            if entry is None or i < skip:
                continue
            mark, number, following, nodes = entry
            if mark >= 0:
                self._mark(i, mark)
            j = i + 1
            if j < end and ids[j] in following:
                number, j = cues.match(ids, j, end, number, nodes)
            if number < 0:
                continue
            rule = cues.rules[number]
            if rule.direction == "terminator":  # its words may begin a cue: ", with no rash"
                for status in rule.statuses:
                    self._close(status, i)
                    self.wall[status] = j
                continue
            if word == _QUESTION and self.words.glued(i) and i > start and ids[i - 1] not in _OPENED:
                continue
            skip = j
            if j - i > 1 and ids[j - 1] in _CLOSED and self.depth:
                self.depth -= 1
            if rule.direction == "pseudo":
                if rule.limit:
                    for status in rule.statuses:
                        self.shields.append((status, j, min(j + rule.limit, end)))
            else:
                self._cue(rule, (i, j, number))
        bulleted = end < len(ids) and ids[end] in cues.bullets
        for status, scope in [*self.open.items()]:
            # a lead-in ("Return for:") goes on governing while the lines after it are items
            if not (bulleted and ids[scope.hit[1]] == _COLON):
                self._close(status, end)

    def _mark(self, i: int, kind: int) -> None:
        if kind == _IS_COMMA:
            for status, scope in [*self.open.items()]:
                if scope.narrow and not self._list_closed_by_or(i):
                    self._close(status, i)
            self.comma_before, self.comma = self.comma, i
        elif kind == _IS_COLON:
            self.before_colon = list(self.wall)
        elif kind == _IS_AND:
            self.conjunction = self.also = i
        elif kind == _IS_OR:
            self.conjunction = i
        elif kind == _IS_OPENED:
            self.depth += 1
        elif self.depth:
            for status, scope in [*self.open.items()]:
                if scope.depth >= self.depth:
                    self._close(status, i)
            self.depth -= 1

    def _cue(self, rule: Rule, hit: tuple[int, int, int]) -> None:
        i, j, _ = hit
        status = rule.statuses[0]
        if rule.direction != "forward":
            begin, stop = self._behind(hit, status, rule.limit)
            if begin < stop:
                # "no effusion, pneumonia not excluded": what the new cue governs is its own clause
                for other in (_NEGATED, _UNCERTAIN, _HISTORICAL):
                    scope = self.open.get(other)
                    if scope is not None and begin > scope.start and self._new_clause(begin):
                        self._close(other, begin)
                self._close(status, i)
                self.scopes.append(_Scope(begin, stop, status, hit))
            elif rule.direction == "backward" and status == _NEGATED and not self._ended(j):
                self._close(status, i)  # "Negative Homan's sign": nothing before it, so it speaks of what follows
                self.open[status] = _Open(j, j + _TURNED, True, self.depth, hit)
            if rule.direction == "backward":
                self.wall[status] = j
                return
        if (status in (_UNCERTAIN, _HYPOTHETICAL) or rule.clause) and self._new_clause(i):
            for other in [*self.open]:
                self._close(other, i)
        self._close(status, i)
        if rule.direction == "forward" and status in (_NEGATED, _UNCERTAIN, _HISTORICAL) and self._is_answer(i, j):
            if i == self.start:
                begin, stop = max(self.previous, i - 1 - 2 * _TURNED), i - 1
            else:
                begin, stop = self._behind(hit, status, _TURNED)
            if begin < stop:
                self.scopes.append(_Scope(begin, stop, status, hit))
        else:
            begin = j + 1 if j < self.end and self.ids[j] == _COLON else j
            most = begin + rule.limit if rule.limit else len(self.ids)
            self.open[status] = _Open(begin, most, bool(rule.limit), self.depth, hit)
        self.wall[status] = j

    def _close(self, status: int, at: int) -> None:
        scope = self.open.get(status)
        if scope is None or at < scope.start:  # a colon that belongs to the cue does not close it
            return
        end = min(at, scope.most)
        if end > scope.start:
            self.scopes.append(_Scope(scope.start, end, status, scope.hit))
        del self.open[status]

    def _new_clause(self, i: int) -> bool:
        return i > self.start and (self.ids[i - 1] == _COMMA or self.ids[i - 1] in self.rules.cues.and_)

    def _ended(self, j: int) -> bool:
        return j >= self.end or self.ids[j] in _STOPS

    def _list_closed_by_or(self, comma: int) -> bool:
        """Does the list this comma stands in go on to an "or"? Looks a dozen words ahead."""
        for word in self.ids[comma + 1 : min(comma + 13, self.end)]:
            if word in self.rules.cues.or_:
                return True
            if word in _STOPS and word != _COMMA:
                return False
        return False

    def _is_answer(self, i: int, j: int) -> bool:
        """Has a forward cue something before it and nothing after: "Fever: no", "Chest pain? Denies."?"""
        if i == self.start:
            return i > 0 and self.ids[i - 1] == _QUESTION and (j >= self.end or (j + 1 == self.end and self._ended(j)))
        before = self.ids[i - 1]
        if self._ended(j):
            return j >= self.end or self.ids[j] != _COMMA or (before in _JOINTS and before != _COMMA)
        # form fields run together: "Fever: no Cough: yes"
        return before == _COLON and not self.words.lower(j) and _COLON in self.ids[j + 1 : min(j + 4, self.end)]

    def _behind(self, hit: tuple[int, int, int], status: int, limit: int) -> tuple[int, int]:
        """Words (start, end) a cue governs before itself: its clause, or its list, or the label it answers."""
        i, j, _ = hit
        begin, stop, comma = self.wall[status], i, self.comma
        before = self.ids[i - 1] if i > self.start else END
        if before == _COLON or before in _DASHES:
            stop = i - 1
            if before != _COLON and self.words.glued(i) and self.words.glued(i - 1):  # COVID-negative
                begin = i - 2
                while begin > max(self.start, i - 2 * _TURNED) and self.words.glued(begin):
                    begin -= 1
                return max(begin, self.start), stop
            if before == _COLON:
                begin = self.before_colon[status]
            return max(begin, i - 2 * _TURNED), stop  # commas within a label are passed
        if before in _JOINTS and (before != _COMMA or self._ended(j)):
            stop = i - 1
            if before == _COMMA:  # "arm weakness, resolved"
                comma = self.comma_before
        if limit:
            begin = max(begin, i - limit, comma + 1, self.also + 1)
        elif comma >= self.conjunction:
            begin = max(begin, comma + 1)
        return begin, stop


def strength(status: str) -> int:
    """Rank of a status in ORDER: 0 for affirmed, the higher the stronger."""
    return _STRENGTH_OF[STATUSES.index(status)]


class AssertionPipe:
    """spaCy component: leaves the `Asserted` of a Doc in `doc.user_data["codesuggest.assertion"]`.

    Takes per-sentence defaults from `doc.user_data["codesuggest.assertion_defaults"]` if an earlier component left any.
    """

    def __init__(self, rules: AssertionRules) -> None:
        self.rules = rules

    def __call__(self, doc: Doc) -> Doc:
        doc.user_data[KEY] = self.rules.read(doc, doc.user_data.get(DEFAULTS_KEY))
        return doc


@Language.factory("codesuggest_assertion", default_config={"path": None})
def make_assertion(nlp: Language, name: str, path: str | None) -> AssertionPipe:
    """`path`: a cues.tsv; without it, the one of the pipeline's language."""
    return AssertionPipe(AssertionRules(path or Path(__file__).parent / (nlp.lang or "en") / "cues.tsv"))


def _span_status(span: Span) -> str | None:
    asserted: Asserted | None = span.doc.user_data.get(KEY)
    return None if asserted is None else asserted.of(span)[0]


def _span_cue(span: Span) -> Cue | None:
    asserted: Asserted | None = span.doc.user_data.get(KEY)
    return None if asserted is None else asserted.of(span)[1]


# `span._.assertion` (None before the component ran) and `span._.assertion_cue`
Span.set_extension("assertion", getter=_span_status, force=True)
Span.set_extension("assertion_cue", getter=_span_cue, force=True)


# doc.to_bytes(), DocBin and nlp.pipe(n_process=2) carry user_data as msgpack, which knows arrays but not our records.
def _encode(value: Any, chain: Any = None) -> Any:
    if isinstance(value, Asserted):
        cues = [[c.start, c.end, c.status, c.rule] for c in value.cues]
        return {KEY: 1, "status": value.status, "cue": value.cue, "cues": cues}
    return value if chain is None else chain(value)


def _decode(value: Any, chain: Any = None) -> Any:
    if isinstance(value, dict) and value.get(KEY) == 1 and "cues" in value:
        return Asserted(value["status"], value["cue"], tuple(Cue(*cue) for cue in value["cues"]))
    return value if chain is None else chain(value)


srsly.msgpack_encoders.register(KEY, func=_encode)
srsly.msgpack_decoders.register(KEY, func=_decode)
