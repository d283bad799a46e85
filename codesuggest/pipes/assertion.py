"""Is a finding affirmed, negated, uncertain, the family's, past, hypothetical or somebody else's? For every token.

    Doc -AssertionRules.read-> Asserted(status and cue of each token) -AssertionPipe-> doc.user_data, span._.assertion

The method is NegEx (Chapman et al., J Biomed Inform 2001;34:301-10) as widened by ConText (Harkema et al., J Biomed
Inform 2009;42:839-51): a cue opens a scope forward or backward in its line of text, and terminators, cues of the same
category and token limits close it. Added here: answers ("Fever: no", "Chest pain? Denies."), forms ("CKD no, CHF no"),
lists closed by "or", items under a lead-in ("Return for:"), parentheses, and a new clause that cuts an older scope ("no
effusion, possible pneumonia"). The words are data: `<language>/cues.tsv`, read by `cues.py`.

All work is over cue hits, found by spaCy's 64-bit word hashes: a text or line without any costs next to nothing. Nothing
of a note outlives the call. Linear in the number of tokens for any text; measured by `tests/speed/negex.py`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import srsly
from numpy.typing import NDArray
from spacy.language import Language
from spacy.strings import get_string_id
from spacy.tokens import Doc, Span

from codesuggest.pipes.cues import COLUMNS, DIRECTIONS, END, STATUSES, CueList, Rule, State, Words, hashes
from codesuggest.pipes.language import DEFAULT, language
from codesuggest.pipes.plus_minus import by_signs
from codesuggest.pipes.standing import in_sections
from codesuggest.pipes.structure import STRUCTURE_KEY, Structure, structure_of
from codesuggest.pipes.tokens import Tokens
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
_FAMILY, _OTHER_PERSON = STATUSES.index("family"), STATUSES.index("other_person")
_ASKED: Final = 4  # tokens of an item with a question mark behind it; what is longer is a question to somebody
_TURNED: Final = 8  # tokens an answer reaches back ("pain on exertion: no") or a leading "Negative ..." reaches on

_COMMA, _COLON, _QUESTION, _SLASH = (get_string_id(mark) for mark in ",:?/")
_OPENED, _CLOSED = hashes("(["), hashes((")", "]", "):"))
_DASHES = hashes("-–—")
_JOINTS = _DASHES | hashes(":(?,=")  # between a label and its answer
_STOPS = hashes((",", ".", ";", "!", "?", ")", "]"))  # an answer ends here
_PARTS = hashes(",/+")
_ANY = hashes(("any",))  # "denies numbness, and any weakness" goes on
_ANSWERED = _DASHES | hashes(",;(")  # behind the answer to a question: "Foot drop? No, normal strength"
_ASKING = hashes((":", "?", "=", "):"))
_LABELLED = _ASKING | _DASHES | hashes("(|")  # between an item of a form and its answer
_PARTED = _STOPS | _DASHES | hashes("|/+•")  # between an item with its answer and the next
_CLAUSE_ENDS = _STOPS | _OPENED | _DASHES | hashes("/+→")  # a clause may end before these, or one begin behind them
_BOUND = frozenset(("answer", "leading", "closing", "either"))  # directions that depend on the clause
_IS_COMMA, _IS_COLON, _IS_AND, _IS_OR, _IS_OPENED, _IS_CLOSED = range(6)  # what a mark does to the reading


@dataclass(frozen=True, slots=True, eq=False)
class Asserted:
    """What was decided for a Doc of n tokens.

    status  int8[n], index into STATUSES          cue  intp[n], index into `cues`, -1 where no cue decided
    cues    in order of their start; a status without a cue comes from the caller's default for the sentence
    """

    status: NDArray[np.int8]
    cue: NDArray[np.intp]
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
        k = bisect_right(self.cues, char, key=lambda cue: cue.start)
        return k > 0 and char < self.cues[k - 1].end


_Hit = tuple[int, int, int]  # cue start, end (words), rule
_Shield = tuple[int, int, int]  # the status a pseudo cue protects from, first word, end
_Arrays = tuple[NDArray[np.int8], NDArray[np.intp]]  # status and cue of an Asserted being made


class _Scope(NamedTuple):
    strength: int  # first, so that scopes sort from the weakest; ties by place
    hit: _Hit
    start: int  # of the words governed, then the first word not governed
    end: int
    status: int


class _Open(NamedTuple):
    start: int
    most: int  # the limit as a position
    narrow: bool
    depth: int  # of parentheses where it was opened
    hit: _Hit


class _Filter:
    """Finds words by the lowest 16 bits of their hashes: those that mean something alone, or before the word behind them."""

    def __init__(self, alone: Iterable[int], before: Mapping[int, Iterable[int]]) -> None:
        self._alone = np.zeros(1 << 16, dtype=bool)
        self._alone[[word & 0xFFFF for word in alone]] = True
        behind: dict[int, set[int]] = {}
        for word, following in before.items():
            behind.setdefault(word & 0xFFFF, set()).update(other & 0xFFFF for other in following)
        # half a megabyte: many words stand before the same ones, and have one row
        columns = {word: k for k, word in enumerate(sorted(set().union(*behind.values())), 1)}
        rows = {group: k for k, group in enumerate(dict.fromkeys(map(frozenset, behind.values())), 1)}
        self._begin, self._column = np.zeros(1 << 16, dtype=np.int32), np.zeros(1 << 16, dtype=np.int16)
        self._begin[list(behind)] = [rows[frozenset(group)] * (len(columns) + 1) for group in behind.values()]
        self._column[list(columns)] = list(columns.values())
        pairs = np.zeros((len(rows) + 1, len(columns) + 1), dtype=bool)
        for group, row in rows.items():
            pairs[row, [columns[word] for word in group]] = True
        self._pairs = pairs.ravel()

    def __call__(self, low: NDArray[np.intp]) -> list[int]:
        """Places of all such words, and perhaps of others, in order. low: intp (m,), the 16 bits of each word."""
        hit = self._alone.take(low)
        pair = self._begin.take(low[:-1])
        pair += self._column.take(low[1:])
        hit[:-1] |= self._pairs.take(pair)
        places: list[int] = hit.nonzero()[0].tolist()
        return places


class AssertionRules:
    """The cues of one language, read and checked once; `read` may then be called from any thread.

    Raises LexiconError, a ValueError, when the file breaks a rule of `cues.py`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else language(DEFAULT).folder / "cues.tsv"
        self.cues = CueList(self.path)
        marks = dict.fromkeys(self.cues.or_, _IS_OR) | dict.fromkeys(self.cues.and_, _IS_AND)
        marks |= {_COMMA: _IS_COMMA, _COLON: _IS_COLON}
        marks |= dict.fromkeys(_CLOSED, _IS_CLOSED) | dict.fromkeys(_OPENED, _IS_OPENED)
        # what a word is: a mark or -1, a rule by itself or -1, the words that may follow it in a rule
        words, none = dict.fromkeys([*marks, *self.cues.first]), State(-1, {})
        self.plan = {word: (marks.get(word, -1), *self.cues.first.get(word, none)) for word in words}
        # most words of the plan mean nothing but before another word, as "consistent" of "consistent with"
        self.hits = _Filter(
            (word for word, (mark, rule, _) in self.plan.items() if mark >= 0 or rule >= 0),
            {word: following for word, (_, _, following) in self.plan.items()},
        )
        first, opens = self.cues.first, self.cues.opens
        self.opening = _Filter(
            (word for word, state in first.items() if self.cues.ends_opening(state)),
            {word: [other for other, below in state.next.items() if opens(below)] for word, state in first.items()},
        )

    def __len__(self) -> int:
        return len(self.cues.rules)

    def read(self, doc: Doc | Tokens, defaults: Sequence[int] | NDArray[np.integer[Any]] | None = None) -> Asserted:
        """Decide for every token of `doc`.

        defaults: integers[number of sentences], index into STATUSES, what a sentence is taken for where no cue says
        something stronger (family, in a family history). Sentences are `doc.sents`, or as `sentence_starts` finds them.
        Raises ValueError when their number differs. About 0.13 ms per 1,000 code points.
        """
        tokens = Tokens.of(doc) if isinstance(doc, Doc) else doc
        status, cue = np.zeros(len(tokens), dtype=np.int8), np.full(len(tokens), -1, dtype=np.intp)
        cues: tuple[Cue, ...] = ()
        kept = tokens.lower.nonzero()[0]
        found = tokens.lower[kept]
        ids: list[int] = found.tolist()
        low = (found & np.uint64(0xFFFF)).astype(np.intp)
        opening = [i for i in self.opening(low) if self.cues.may_open(ids, i)]
        if defaults is not None or opening:
            words = self.cues.cut(tokens, ids, kept)
            scopes, shields = _Reading(self, words).run(opening, self.hits(low))
            if scopes:
                cues = self._paint(words, scopes, shields, (status, cue))
            if defaults is not None:
                _fill(words.sentences, defaults, (status, cue))
        status.flags.writeable = cue.flags.writeable = False
        return Asserted(status, cue, cues)

    def sentence_starts(self, doc: Doc) -> list[int]:
        """Tokens at which a sentence starts: by `doc.sents` if they are set, else after . ; ? ! and at line ends."""
        tokens = Tokens.of(doc)
        kept = tokens.lower.nonzero()[0]
        return self.cues.cut(tokens, tokens.lower[kept].tolist(), kept).sentences

    def _paint(self, words: Words, scopes: list[_Scope], shields: list[_Shield], out: _Arrays) -> tuple[Cue, ...]:
        """Writes the scopes into the two arrays; the cues in order of their start."""
        (status, cue), at = out, words.at
        scopes.sort()  # weakest first, so that the stronger status is painted over
        status_of = {scope.hit: scope.status for scope in scopes}
        hits = {hit: k for k, hit in enumerate(sorted(status_of))}
        shielded: dict[int, NDArray[np.bool_]] = {}
        for kept, start, end in shields:
            if start < end:
                shield = shielded.setdefault(kept, np.zeros(len(status), dtype=bool))
                shield[at[start] : at[end - 1] + 1] = True
        for _, hit, start, end, number in scopes:
            first, last = at[start], at[end - 1] + 1
            if number in shielded:
                covered = first + np.flatnonzero(~shielded[number][first:last])
                status[covered], cue[covered] = number, hits[hit]
            else:
                status[first:last], cue[first:last] = number, hits[hit]
        starts = words.tokens.start[[at[i] for i, _, _ in hits]].tolist()
        ends = words.tokens.end[[at[j - 1] for _, j, _ in hits]].tolist()
        rules = self.cues.rules
        return tuple(
            Cue(start, end, STATUSES[status_of[hit]], rules[hit[2]].cue)
            for hit, start, end in zip(hits, starts, ends, strict=True)
        )


def _fill(sentences: list[int], defaults: Sequence[int] | NDArray[np.integer[Any]], out: _Arrays) -> None:
    """Writes the defaults of the sentences wherever they are stronger than the status read."""
    status, cue = out
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

    def __init__(self, rules: AssertionRules, words: Words) -> None:
        self.rules, self.words, self.ids = rules, words, words.ids
        self.scopes: list[_Scope] = []
        self.shields: list[_Shield] = []
        self.open: dict[int, _Open] = {}  # by status: the forward cue being followed
        # of the line: statuses, and the word behind which no backward cue of theirs goes
        self.walls: list[tuple[tuple[int, ...], int]] = []
        self.before_colon = 0  # how many walls stood before the last colon
        self.start = self.end = self.previous = 0  # of the line; start of the line before
        self.comma = self.comma_before = self.conjunction = self.also = self.also_before = 0
        self.opened: list[int] = []  # the parentheses open here
        self.form: set[int] | None = None  # the answers of the line, once asked for

    def run(self, opening: list[int], hits: list[int]) -> tuple[list[_Scope], list[_Shield]]:
        """(scopes, shields). opening: all words at which a cue may open a scope; hits: all that are in the plan; both in order,
        with others perhaps. A line in which nothing opens while nothing is open is not read: three of four."""
        bounds, line = [0, *self.words.cuts], 0
        for place in opening:
            if place < bounds[line]:
                continue
            line = bisect_right(bounds, place) - 1
            while True:
                self.previous, self.start, self.end = bounds[max(0, line - 1)], *bounds[line : line + 2]
                self._line(hits[bisect_left(hits, self.start) : bisect_left(hits, self.end)])
                line += 1
                if not self.open or line == len(self.words.cuts):
                    break
        return self.scopes, self.shields

    def _line(self, hits: list[int]) -> None:
        start, end, self.walls, self.before_colon, self.form = self.start, self.end, [], 0, None
        self.comma = self.comma_before = self.conjunction = self.also = self.also_before = start - 1
        self.opened.clear()
        ids, cues, look_up, skip = self.ids, self.rules.cues, self.rules.plan.get, start
        for i in hits:
            entry = look_up(ids[i])
            if entry is None or i < skip:
                continue
            mark, number, following = entry
            j = i + 1
            if mark >= 0:
                self._mark(i, mark)
            if j < end and ids[j] in following:
                number, j = cues.match(ids, i, end)
            while number >= 0:
                rule = cues.rules[number]
                direction = rule.direction
                if direction not in _BOUND or (direction := self._direction(rule, i, j)):
                    break
                # "no recurrence of melanoma": then "no"
                number, j = cues.match(ids, i, j - 1) if j - 1 > i else (-1, i)
            else:
                continue
            j -= rule.ahead
            if direction == "terminator":  # its words may begin a cue: ", with no rash"
                if self.open:
                    for status in rule.statuses:
                        self._close(status, i)
                self.walls.append((rule.statuses, j))
                continue
            if ids[i] == _QUESTION and self.words.glued(i) and i > start and ids[i - 1] not in _OPENED:
                self._asked(i, (i, j, number))
                continue
            skip = j
            if j - i > 1 and ids[j - 1] in _CLOSED and self.opened:
                self.opened.pop()
            if direction == "pseudo":
                if rule.limit:
                    for status in rule.statuses:
                        self.shields.append((status, j, min(j + rule.limit, end)))
            else:
                self._cue(rule, direction, (i, j, number))
        bulleted = end < len(ids) and ids[end] in cues.bullets
        for status, scope in [*self.open.items()]:
            # a lead-in ("Return for:") goes on governing while the lines after it are items
            if not (bulleted and ids[scope.hit[1]] == _COLON):
                self._close(status, end)

    def _asked(self, i: int, hit: _Hit) -> None:
        """A question mark asks for the last item ("Reason: fever, meningitis?") unless it is answered: "Chest pain? Yes"."""
        begin = max(self.start, self.comma + 1, self.also + 1)
        answers = self.rules.cues.answers
        answered = not answers or (i + 1 < len(self.ids) and self.ids[i + 1] in answers)
        if begin < i <= begin + _ASKED and not answered:
            self._govern(begin, i, _UNCERTAIN, hit)

    def _mark(self, i: int, kind: int) -> None:
        if kind == _IS_COMMA:
            for status, scope in [*self.open.items()]:
                if scope.narrow and not self._list_closed_by_or(i):
                    self._close(status, i)
            self.comma_before, self.comma = self.comma, i
        elif kind == _IS_COLON:
            self.before_colon = len(self.walls)
        elif kind == _IS_AND:
            denied = self.open.get(_NEGATED)
            alone = denied is not None and self.comma == i - 1 and self.comma_before < denied.start
            if alone and not (i + 1 < self.end and self.ids[i + 1] in _ANY):
                # "severe, without psychosis, and ...": no list, for it has no second comma
                self._close(_NEGATED, i - 1)
            self.also_before = self.also
            self.conjunction = self.also = i
        elif kind == _IS_OR:
            self.conjunction = i
        elif kind == _IS_OPENED:
            self.opened.append(i)
        elif self.opened:
            for status, scope in [*self.open.items()]:
                if scope.depth >= len(self.opened):
                    self._close(status, i)
            self.opened.pop()

    def _cue(self, rule: Rule, direction: str, hit: _Hit) -> None:
        i, j, _ = hit
        status = rule.statuses[0]
        if direction != "forward":
            begin, stop = self._behind(hit, status, rule.limit)
            if begin < stop:
                # "no effusion, pneumonia not excluded": what the new cue governs is its own clause
                for other in (_NEGATED, _UNCERTAIN, _HISTORICAL):
                    scope = self.open.get(other)
                    if scope is not None and begin > scope.start and self._new_clause(begin):
                        self._close(other, begin)
                self._close(status, i)
                if not self._govern(begin, stop, status, hit):
                    return  # what gave way builds no wall: "GERD 2018, resolved"
            elif direction == "backward" and status == _NEGATED and not self._ended(j):
                self._close(status, i)  # "Negative Homan's sign": nothing before it, so it speaks of what follows
                self.open[status] = _Open(j, j + _TURNED, True, len(self.opened), hit)
            if direction == "backward":
                self.walls.append((rule.statuses, j))
                return
        if (status in (_UNCERTAIN, _HYPOTHETICAL) or rule.clause) and self._new_clause(i, rule.clause):
            for other in [*self.open]:
                self._close(other, i)
        if status in self.open:
            self._close(status, i)
        if direction == "forward" and status in (_NEGATED, _UNCERTAIN, _HISTORICAL) and self._is_answer(i, j):
            if i == self.start:
                begin, stop = self._column(max(self.previous, i - 1 - 2 * _TURNED), i - 1), i - 1
            else:
                begin, stop = self._behind(hit, status, _TURNED)
            self._govern(begin, stop, status, hit)
        else:
            begin = j + 1 if j < self.end and self.ids[j] == _COLON else j
            most = begin + rule.limit if rule.limit else len(self.ids)
            # "ER if no urine, lethargic": the list is that of the "if"
            narrow = bool(rule.limit) or (status == _NEGATED and _HYPOTHETICAL in self.open)
            # "severe w/o psychosis, GAD, PTSD": what tells kinds of one disorder apart opens no list
            narrow |= j < self.end and self.ids[j] in self.rules.cues.specifying
            self.open[status] = _Open(begin, most, narrow, len(self.opened), hit)
        self.walls.append((rule.statuses, j))

    def _govern(self, start: int, end: int, status: int, hit: _Hit) -> bool:
        """Opens a scope over these words, or what a weak cue leaves of it; whether any is left."""
        if start >= end:
            return False
        had = len(self.scopes)
        cues, said = self.rules.cues, self.ids[start:end]
        if cues.rules[hit[2]].weak:
            if status == _FAMILY and not cues.catching.isdisjoint(said):
                status = _OTHER_PERSON
            elif status == _HISTORICAL and not cues.lasting.isdisjoint(said):
                for first, last in self._items(start, end):
                    if not cues.lasts(self.ids[first:last]):
                        self.scopes.append(_Scope(_STRENGTH_OF[status], hit, first, last, status))
                return len(self.scopes) > had
        self.scopes.append(_Scope(_STRENGTH_OF[status], hit, start, end, status))
        return True

    def _items(self, start: int, end: int) -> list[tuple[int, int]]:
        """The stretches between commas, slashes, "and" and "or"; none is empty."""
        ids, cues = self.ids, self.rules.cues
        parts = (i for i in range(start, end) if ids[i] in _PARTS or ids[i] in cues.and_ or ids[i] in cues.or_)
        cuts = [start - 1, *parts, end]
        return [(a + 1, b) for a, b in pairwise(cuts) if a + 1 < b]

    def _close(self, status: int, at: int) -> None:
        scope = self.open.get(status)
        if scope is None or at < scope.start:  # a colon that belongs to the cue does not close it
            return
        self._govern(scope.start, min(at, scope.most), status, scope.hit)
        del self.open[status]

    def _new_clause(self, i: int, subject: bool = False) -> bool:
        """Does a clause begin at word i? subject: i names who has it, so that "no fever his father has ..." is two."""
        if i == self.start:
            return False
        before = self.ids[i - 1]
        return before == _COMMA or before in self.rules.cues.and_ or (subject and before in self.rules.cues.whose)

    def _direction(self, rule: Rule, i: int, j: int) -> str:
        """What a row bound to its clause (`_BOUND`) is here, at words i to j: "" where it is no cue."""
        direction, ids, also = rule.direction, self.ids, self.rules.cues.and_
        if direction == "answer":
            asked = i == self.start or ids[i - 1] in _ASKING
            return "forward" if (asked and self._is_answer(i, j)) or self._filled(i) else ""
        if direction == "leading":
            before = ids[i - 1] if i > self.start else _COLON
            return "forward" if before == _COLON or before in _CLAUSE_ENDS or before in also else ""
        closes = j >= self.end or ids[j] in _CLAUSE_ENDS or ids[j] in also
        return "backward" if closes else "" if direction == "closing" else "forward"

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
            if i == 0 or self.ids[i - 1] != _QUESTION:
                return False
            ended = j >= self.end or self.ids[j] in _ANSWERED or (j + 1 == self.end and self._ended(j))
            return ended or self._next_asked()
        before = self.ids[i - 1]
        if self._ended(j):
            return j >= self.end or self.ids[j] != _COMMA or before in _JOINTS - {_COMMA} or self._filled(i)
        if before in _DASHES and self.ids[j] in _OPENED:  # "CHF - no (echo normal)"
            return True
        # form fields run together: "Fever: no Cough: yes"
        if before == _COLON and not self.words.lower(j) and _COLON in self.ids[j + 1 : min(j + 4, self.end)]:
            return True
        return self._filled(i)

    def _column(self, begin: int, stop: int) -> int:
        """The first word of the last column of these words: "Food? Peanut, hives     Insects? No"."""
        return next((k for k in range(stop - 1, begin, -1) if self.words.apart(k)), begin)

    def _next_asked(self) -> bool:
        """Is this line a question that the next answers: "Diabetes? No Asthma? Yes"?"""
        last = self.end
        return self.ids[last - 1] == _QUESTION and last < len(self.ids) and self.ids[last] in self.rules.cues.answers

    def _filled(self, i: int) -> bool:
        """Is word i one of several answers of a form, each behind what was asked: "CKD no, CHF - no, asthma yes"?

        What tells it from "no CKD, no CHF": no answer stands behind a comma, a preposition or a verb, and that of the last item
        is followed by none.
        """
        if self.ids[i] not in self.rules.cues.ticked or not self._behind_item(i):
            return False
        if self.form is None:
            self.form = self._answers()
        return i in self.form

    def _answers(self) -> set[int]:
        """The answers of the form that this line is, empty if it is none."""
        ids, ticked = self.ids, self.rules.cues.ticked
        places = [k for k in range(self.start, self.end) if ids[k] in ticked]
        found, behind, closed = set(), 0, False
        for k in reversed(places):
            if not self._behind_item(k):
                closed = False
                continue
            behind += 1
            closed = closed or k + 1 >= self.end or (ids[k + 1] in _PARTED and not self._is_unit(k + 1))
            if closed:
                found.add(k)
        return found if behind > 1 else set()

    def _is_unit(self, i: int) -> bool:
        """Does word i belong to the words on both sides of it: "no/L"?"""
        return self.ids[i] == _SLASH and self.words.glued(i)

    def _behind_item(self, i: int) -> bool:
        """Does something that can be asked for stand before the answer at word i, perhaps with a colon or dash between?"""
        cues = self.rules.cues
        if i > self.start and self.ids[i - 1] in _LABELLED:
            i -= 1
        if i <= self.start:
            return False
        before = self.ids[i - 1]
        return not (before in _PARTED or before in cues.unfinished or before in cues.and_ or before in cues.ticked)

    def _behind(self, hit: _Hit, status: int, limit: int) -> tuple[int, int]:
        """Words (start, end) a cue governs before itself: its clause, or its list, or the label it answers."""
        i, j, _ = hit
        stop, comma, also = i, self.comma, self.also
        if comma == i or also == i:  # the cue itself begins with it: ", which has resolved"
            comma, also = self.comma_before if comma == i else comma, self.also_before if also == i else also
        before = self.ids[i - 1] if i > self.start else END
        if before == _COLON or before in _DASHES:
            stop = i - 1
            if before != _COLON and self.words.glued(i) and self.words.glued(i - 1):  # COVID-negative
                begin = i - 2
                while begin > max(self.start, i - 2 * _TURNED) and self.words.glued(begin):
                    begin -= 1
                return max(begin, self.start), stop
            walls = self.before_colon if before == _COLON else len(self.walls)
            return self._wall(status, walls, max(i - 2 * _TURNED, self._inside(stop))), stop  # commas are passed
        if before in _JOINTS and (before != _COMMA or self._ended(j)):
            stop = i - 1
            if before == _COMMA:  # "arm weakness, resolved"
                comma = self.comma_before
        begin = self.start
        if limit:
            begin = max(i - limit, comma + 1, also + 1)
        elif comma >= self.conjunction:
            begin = comma + 1
        return self._wall(status, len(self.walls), max(begin, self._inside(stop))), stop

    def _inside(self, stop: int) -> int:
        """The first word of the innermost parenthesis that was opened before `stop`: "PSA 6.8 (4.1 in 2023)"."""
        return next((i + 1 for i in reversed(self.opened) if i < stop), self.start)

    def _wall(self, status: int, walls: int, begin: int) -> int:
        """The last wall for `status` among the first `walls` of the line, not before `begin` nor the line.

        Linear: every backward cue leaves a wall of its own, at which the search for the next one ends.
        """
        begin = max(begin, self.start)
        for k in range(walls - 1, -1, -1):
            statuses, word = self.walls[k]
            if status in statuses:
                return max(word, begin)
        return begin


def strength(status: str) -> int:
    """Rank of a status in ORDER: 0 for affirmed, the higher the stronger."""
    return _STRENGTH_OF[STATUSES.index(status)]


class AssertionPipe:
    """spaCy component: leaves the `Asserted` of a Doc in `doc.user_data["codesuggest.assertion"]`.

    Behind `codesuggest_structure` it also goes by the section a finding stands in (`standing.py`).
    Takes per-sentence defaults from `doc.user_data["codesuggest.assertion_defaults"]` if an earlier component left any.
    """

    def __init__(self, rules: AssertionRules) -> None:
        self.rules = rules

    def __call__(self, doc: Doc) -> Doc:
        structure = structure_of(doc) if STRUCTURE_KEY in doc.user_data else None
        doc.user_data[KEY] = self.read(Tokens.of(doc), structure, doc.user_data.get(DEFAULTS_KEY))
        return doc

    def read(
        self,
        tokens: Tokens,
        structure: Structure | None,
        defaults: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    ) -> Asserted:
        """As `AssertionRules.read`, with what the sections say."""
        asserted = self.rules.read(tokens, defaults)
        if structure is None:
            return asserted
        status, cue, found = by_signs(tokens, structure, self.rules.cues, asserted.status, asserted.cue, asserted.cues)
        return Asserted(*in_sections(tokens, structure, self.rules.cues, status, cue, found), found)


@Language.factory("codesuggest_assertion", default_config={"path": None})
def make_assertion(nlp: Language, name: str, path: str | None) -> AssertionPipe:
    """`path`: a cues.tsv; without it, the one of the pipeline's language. Raises OptionError for an unknown language."""
    return AssertionPipe(AssertionRules(path) if path else _rules_of(language(nlp.lang or DEFAULT).folder))


@cache
def _rules_of(folder: Path) -> AssertionRules:
    """Of a language of the package: 0.2 s for the first model of a process, nothing for another."""
    return AssertionRules(folder / "cues.tsv")


def _of(span: Span) -> tuple[str | None, Cue | None]:
    asserted: Asserted | None = span.doc.user_data.get(KEY)
    return (None, None) if asserted is None else asserted.of(span)


# `span._.assertion` (None before the component ran) and `span._.assertion_cue`
Span.set_extension("assertion", getter=lambda span: _of(span)[0], force=True)
Span.set_extension("assertion_cue", getter=lambda span: _of(span)[1], force=True)


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
