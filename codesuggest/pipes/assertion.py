"""Is a finding affirmed, negated, uncertain, the family's, past, hypothetical or somebody else's? For every token.

    Doc -AssertionRules.read-> Asserted(status and cue of each token) -AssertionPipe-> doc.user_data, span._.assertion

The method is NegEx (Chapman et al., J Biomed Inform 2001;34:301-10) as widened by ConText (Harkema et al., J Biomed
Inform 2009;42:839-51): a cue opens a scope forward or backward in its line of text, and terminators, cues of the same
category and token limits close it. Added here: answers ("Fever: no", "Chest pain? Denies."), lists closed by "or",
items under a lead-in ("Return for:"), parentheses, and a new clause that cuts an older scope ("no effusion, possible
pneumonia").

The words are data (`<language>/cues.tsv`); a row spells out a small pattern:

    a|b       one of the words           [a|b]     the same, or nothing
    a_b       two words in a row         <name>    a word of that class (rows of direction `class` define it)
    <year>    1900 to 2099, built in

`max_tokens` limits a scope, counted in tokens that are not white space, and marks the cue as *narrow*: it governs one
noun phrase, so a comma ends it unless the list is closed by "or". On a `pseudo` row it protects that many following
tokens from the row's category ("diagnosed with diabetes in 2009" is not past). The code itself looks words up in the
classes <and>, <or>, <open> (a line cannot end there) and <bullet>.

All work is over cue hits in a trie keyed by spaCy's 64-bit word hashes; nothing of a note outlives the call. Linear in
the number of tokens for any text; measured by `tests/speed/negex.py`.
"""

import csv
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import srsly
from numpy.typing import NDArray
from spacy.attrs import IS_LOWER, IS_SPACE, LOWER, SENT_START, SPACY  # type: ignore[import-not-found]
from spacy.language import Language
from spacy.strings import hash_string  # type: ignore[attr-defined]
from spacy.tokens import Doc, Span

from codesuggest.records import Cue

STATUSES: Final = ("affirmed", "negated", "uncertain", "family", "historical", "hypothetical", "other_person")
# Strongest first. Whatever is denied of anyone is not there to code, so negation comes first; then whose finding it is;
# then whether it is real; then when it was.
ORDER: Final = ("negated", "family", "other_person", "hypothetical", "uncertain", "historical", "affirmed")
DIRECTIONS: Final = ("forward", "backward", "both", "pseudo", "terminator", "class")
COLUMNS: Final = ["cue", "category", "direction", "max_tokens", "source"]
KEY: Final = "codesuggest.assertion"  # doc.user_data: Asserted
DEFAULTS_KEY: Final = "codesuggest.assertion_defaults"  # doc.user_data: int8 array, one status per sentence

_STRENGTH_OF: Final = [len(ORDER) - 1 - ORDER.index(name) for name in STATUSES]  # by index in STATUSES
_STRENGTH: Final = np.array(_STRENGTH_OF, dtype=np.int8)
_NEGATED, _UNCERTAIN = STATUSES.index("negated"), STATUSES.index("uncertain")
_HISTORICAL, _HYPOTHETICAL = STATUSES.index("historical"), STATUSES.index("hypothetical")
_END: Final = 0  # key of a finished pattern in a trie node; hash of the empty string, which is no token
_NEWLINES: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_TURNED: Final = 8  # tokens an answer reaches back ("pain on exertion: no") or a leading "Negative ..." reaches on
_WRAPPED: Final = 40  # code points: a shorter line was ended by its writer, a longer one perhaps by the page


def _hashes(words: Iterable[str]) -> frozenset[int]:
    return frozenset(hash_string(word) for word in words)


_COMMA, _COLON, _QUESTION = hash_string(","), hash_string(":"), hash_string("?")
_OPENED, _CLOSED = _hashes("(["), _hashes(")]")
_DASHES = _hashes("-–—")
_JOINTS = _DASHES | _hashes(":(?,")  # between a label and its answer
_STOPS = _hashes((",", ".", ";", "!", "?", ")", "]"))  # an answer ends here
_LINE_END = _hashes(";")
_SENTENCE_END = _hashes(".?!;")


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


class _Rule(NamedTuple):
    cue: str
    statuses: tuple[int, ...]  # several for a terminator
    direction: str
    limit: int  # tokens; 0: none
    clause: bool  # opens with a subject, so it starts a clause of its own


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

    ids: list[int]  # lower-case hashes, length m
    at: list[int]  # token index of each word, length m
    table: NDArray[np.uint64]  # by token of the Doc: LOWER, IS_SPACE, IS_LOWER, SPACY, SENT_START
    cuts: list[int]  # words at which a line of text ends, m the last of them
    sentences: list[int]  # tokens that start a sentence

    def glued(self, i: int) -> bool:
        """Does word i follow the one before it without white space?"""
        return i > 0 and self.at[i - 1] == self.at[i] - 1 and not self.table[self.at[i] - 1, 3]

    def lower(self, i: int) -> bool:
        """Is word i written in lower case?"""
        return bool(self.table[self.at[i], 2])


class AssertionRules:
    """The cues of one language, read and checked once; `read` may then be called from any thread.

    Raises ValueError, naming file and line, for an unknown direction, category or class, a bad limit, a missing source,
    or a pattern that another row spells out already.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else Path(__file__).parent / "en" / "cues.tsv"
        self._rules: list[_Rule] = []
        self._trie: dict[int, Any] = {}
        self._classes: dict[str, list[tuple[int, ...]]] = {}
        self._member: dict[int, tuple[int, ...]] = {}  # word -> symbols of its classes
        self._define("<year>", [(hash_string(str(year)),) for year in range(1900, 2100)])
        with self.path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if next(rows, None) != COLUMNS:
                raise ValueError(f"{self.path}:1: the columns must be {', '.join(COLUMNS)}")
            for row in rows:
                try:
                    self._add(row)
                except ValueError as error:
                    raise ValueError(f"{self.path}:{rows.line_num}: {error}") from None
        self._and, self._or, self._unfinished, self._bullets = (
            frozenset(word for word, symbols in self._member.items() if hash_string(name) in symbols)
            for name in ("<and>", "<or>", "<open>", "<bullet>")
        )
        self._marks = frozenset({_COMMA, _COLON, *_OPENED, *_CLOSED, *self._and, *self._or})
        self._first = self._begin()
        self._interest = self._marks | self._first.keys()

    def __len__(self) -> int:
        return len(self._rules)

    # ---- the word list ------------------------------------------------------------

    def _add(self, row: Sequence[str]) -> None:
        if len(row) != len(COLUMNS):
            raise ValueError(f"{len(row)} columns instead of {len(COLUMNS)}")
        cue, category, direction, limit, source = row
        if not cue or cue != " ".join(cue.lower().split()):
            raise ValueError("a cue is lower case, with single spaces")
        if not source.strip():
            raise ValueError("the source is missing")
        if direction not in DIRECTIONS:
            raise ValueError(f"unknown direction {direction!r}, expected one of {', '.join(DIRECTIONS)}")
        if limit and (not limit.isdecimal() or int(limit) == 0 or direction in ("terminator", "class")):
            raise ValueError(f"max_tokens {limit!r} must be empty or a whole number above zero, and only on a cue")
        if direction == "class":
            if not re.fullmatch(r"<\w+>", category) or category in self._classes:
                raise ValueError(f"class {category!r} is not of the form <name>, or defined twice")
            self._define(category, self._alternatives(cue))
            return
        names = STATUSES[1:] if category == "any" else category.split("|")
        several = direction in ("pseudo", "terminator")
        if not all(name in STATUSES[1:] for name in names) or (len(names) > 1 and not several):
            raise ValueError(f"unknown category {category!r}, expected one of {', '.join(STATUSES[1:])}")
        statuses = tuple(STATUSES.index(name) for name in names)
        self._rules.append(_Rule(cue, statuses, direction, int(limit or 0), cue.startswith("<")))
        patterns: list[tuple[int, ...]] = [()]
        for word in cue.split():
            optional = word.startswith("[") and word.endswith("]")
            options = self._alternatives(word[1:-1] if optional else word)
            patterns = [p + o for p in patterns for o in ([()] if optional else []) + options]
        for pattern in patterns:
            self._insert(pattern)

    def _define(self, name: str, members: list[tuple[int, ...]]) -> None:
        """A class is one symbol in the trie for its single words, to keep the trie small; longer ones are spelt out."""
        symbol = hash_string(name)
        self._classes[name] = [(symbol,)] + [member for member in members if len(member) > 1]
        for member in members:
            if len(member) == 1:
                self._member[member[0]] = (*self._member.get(member[0], ()), symbol)

    def _alternatives(self, text: str) -> list[tuple[int, ...]]:
        """Hash sequences of `a|b_c|<class>`, each word cut in every way a tokenizer may cut it."""
        found: dict[tuple[int, ...], None] = {}
        for choice in text.split("|"):
            sequences: list[tuple[int, ...]] = [()]
            for word in choice.split("_"):
                if re.fullmatch(r"<\w+>", word):
                    if word not in self._classes:
                        raise ValueError(f"unknown class {word}")
                    options = self._classes[word]
                elif not word or ("[" in word or "]" in word):
                    raise ValueError(f"cannot read {text!r}")
                else:
                    options = [tuple(hash_string(part) for part in cut) for cut in _cuts(word)]
                sequences = [s + o for s in sequences for o in options]
            found.update(dict.fromkeys(sequences))
        return list(found)

    def _insert(self, pattern: tuple[int, ...]) -> None:
        if not pattern:
            raise ValueError("a cue needs a word that is not optional")
        node, rule = self._trie, len(self._rules) - 1
        for word in pattern:
            node = node.setdefault(word, {})
        other = node.setdefault(_END, rule)
        if other != rule:
            raise ValueError(f"spells out words of another row too: {self._rules[other].cue!r}")

    def _begin(self) -> dict[int, tuple[int, frozenset[int], list[dict[int, Any]]]]:
        """For each word a row may start with: the rule it is alone or -1, the words that may follow, its trie nodes."""
        members: dict[int, list[int]] = {}
        for word, symbols in self._member.items():
            for symbol in symbols:
                members.setdefault(symbol, []).append(word)
        begin = {}
        for word in dict.fromkeys([*self._trie, *self._member]):
            nodes = [self._trie[key] for key in (word, *self._member.get(word, ())) if key in self._trie]
            if nodes:
                keys = [key for node in nodes for key in node if key != _END]
                following = frozenset(keys).union(*(members.get(key, ()) for key in keys))
                begin[word] = next((node[_END] for node in nodes if _END in node), -1), following, nodes
        return begin

    # ---- reading a Doc ------------------------------------------------------------

    def read(self, doc: Doc, defaults: Sequence[int] | NDArray[np.integer[Any]] | None = None) -> Asserted:
        """Decide for every token of `doc`.

        defaults: integers[number of sentences], index into STATUSES, what a sentence is taken for where no cue says
        something stronger (family, in a family history). Sentences are `doc.sents`, or as `sentence_starts` finds them.
        Raises ValueError when their number differs. About 0.15 ms per 1,000 code points.
        """
        words = self._words(doc)
        status, cue = np.zeros(len(doc), dtype=np.int8), np.full(len(doc), -1, dtype=np.int32)
        scopes, shields = _Reading(self, words).run()
        # weakest first, so that the stronger status is painted over; ties by place
        scopes.sort(key=lambda s: (_STRENGTH_OF[s.status], s.hit, s.start))
        hits = {hit: k for k, hit in enumerate(sorted({s.hit for s in scopes}))}
        tokens = words.at
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
        if defaults is not None:
            of_sentence, number = np.asarray(defaults, dtype=np.int8), len(words.sentences)
            if of_sentence.shape != (number,):
                raise ValueError(f"defaults has shape {of_sentence.shape}, expected one for each of {number} sentences")
            if number and not 0 <= of_sentence.min() <= of_sentence.max() < len(STATUSES):
                raise ValueError(f"defaults must be indices into STATUSES, 0 to {len(STATUSES) - 1}")
            default = np.repeat(of_sentence, np.diff([*words.sentences, len(doc)]))
            stronger = _STRENGTH[default] > _STRENGTH[status]
            status[stronger], cue[stronger] = default[stronger], -1
        status.setflags(write=False)
        cue.setflags(write=False)
        return Asserted(status, cue, tuple(self._cue(doc, tokens, hit) for hit in hits))

    def sentence_starts(self, doc: Doc) -> list[int]:
        """Tokens at which a sentence starts: by `doc.sents` if they are set, else after . ; ? ! and at line ends."""
        return self._words(doc).sentences

    def _cue(self, doc: Doc, tokens: list[int], hit: tuple[int, int, int]) -> Cue:
        first, last, rule = doc[tokens[hit[0]]], doc[tokens[hit[1] - 1]], self._rules[hit[2]]
        return Cue(first.idx, last.idx + len(last), STATUSES[rule.statuses[0]], rule.cue)

    def _words(self, doc: Doc) -> _Words:
        table = np.asarray(doc.to_array([LOWER, IS_SPACE, IS_LOWER, SPACY, SENT_START]), dtype=np.uint64)
        kept = np.flatnonzero(table[:, 1] == 0)
        at: list[int] = kept.tolist()
        words = _Words(table[kept, 0].tolist(), at, table, [], [])
        ids, m, n = words.ids, len(at), len(doc)
        breaks = self._line_breaks(doc, words, np.flatnonzero(np.diff(kept) > 1) + 1) if m < n else set()
        marked = doc.has_annotation("SENT_START")
        ends = _LINE_END if marked else _SENTENCE_END
        if not ends.isdisjoint(ids):
            # "?" after white space asks ("cough, ? pneumonia") where at the end of a word it closes a sentence
            found = [i for i, word in enumerate(ids) if word in ends]
            breaks.update(i + 1 for i in found if ids[i] != _QUESTION or words.glued(i))
        if marked:
            sentences = np.flatnonzero(table[:, 4] == 1)
            breaks.update(np.searchsorted(kept, sentences).tolist())
            starts: list[int] = sentences.tolist()
        else:
            starts = [at[i] for i in sorted(breaks) if i < m]
        if n and starts[:1] != [0]:
            starts.insert(0, 0)
        return words._replace(cuts=[*sorted(breaks - {0, m}), m], sentences=starts)

    def _line_breaks(self, doc: Doc, words: _Words, spaced: NDArray[np.intp]) -> set[int]:
        """Words before which the writer, not the page, ended a line; `spaced`: words after white space tokens."""
        breaks: set[int] = set()
        ids, at = words.ids, words.at
        line = 0  # the word that starts the line being read
        for word in spaced.tolist():
            newlines = sum(len(_NEWLINES.findall(doc[i].text)) for i in range(at[word - 1] + 1, at[word]))
            if not newlines:
                continue
            joined = newlines == 1 and ids[word - 1] not in _SENTENCE_END and _COLON not in ids[word : word + 4]
            joined = joined and ids[word] not in self._bullets
            if joined and ids[word - 1] not in self._unfinished:
                joined = words.lower(word) and doc[at[word - 1]].idx - doc[at[line]].idx >= _WRAPPED
            if not joined:
                breaks.add(word)
            line = word
        return breaks


def _cuts(word: str) -> list[tuple[str, ...]]:
    cuts = {(word,): None, tuple(re.findall(r"[^\W_]+|[^\w\s]", word)): None}
    for apostrophe in ("'", "’"):
        if word.endswith("n't"):
            tail = f"n{apostrophe}t"
            cuts[tuple(part for part in (word[:-3], tail) if part)] = None
            cuts[(word[:-3] + tail,)] = None
        elif "'" in word:
            stem, _, rest = word.partition("'")
            cuts[tuple(part for part in (stem, apostrophe + rest) if part)] = None
    if word == "cannot":
        cuts["can", "not"] = None
    return list(cuts)


class _Reading:
    """One pass over the cue hits of one Doc. Positions are words (see `_Words`); a scope is closed and painted once."""

    def __init__(self, rules: AssertionRules, words: _Words) -> None:
        self.rules, self.words, self.ids = rules, words, words.ids
        self.scopes: list[_Scope] = []
        self.shields: list[tuple[int, int, int]] = []  # status a pseudo cue protects from, first word, end
        self.open: list[_Open | None] = [None] * len(STATUSES)  # by status: the forward cue being followed
        self.wall: list[int] = []  # by status: no backward cue reaches before this word
        self.before_colon: list[int] = []  # the walls as they stood before the last colon
        self.start = self.end = self.previous = 0  # of the line; start of the line before
        self.comma = self.comma_before = self.conjunction = self.also = self.depth = 0

    def run(self) -> tuple[list[_Scope], list[tuple[int, int, int]]]:
        interest = self.rules._interest
        found = [i for i, word in enumerate(self.ids) if word in interest]
        start = first = 0
        for end in self.words.cuts:
            last = bisect_left(found, end, first)
            if first < last or any(self.open):
                self._line(start, end, found[first:last])
            else:
                self.start = start
            start, first = end, last
        return self.scopes, self.shields

    def _line(self, start: int, end: int, found: list[int]) -> None:
        self.previous, self.start, self.end = self.start, start, end
        self.wall = [start] * len(STATUSES)
        self.before_colon = list(self.wall)
        self.comma = self.comma_before = self.conjunction = self.also = start - 1
        self.depth = 0
        skip, ids, rules, marks, begin = start, self.ids, self.rules, self.rules._marks, self.rules._first
        for i in found:
            if i < skip:
                continue
            word, j = ids[i], i + 1
            if word in marks:
                self._mark(i)
                if word not in begin:
                    continue
            number, following, nodes = begin[word]
            if j < end and ids[j] in following:
                number, j = self._match(j, number, nodes)
            if number < 0:
                continue
            rule = rules._rules[number]
            if rule.direction == "terminator":  # its words may begin a cue: ", with no rash"
                for status in rule.statuses:
                    if self.open[status] is not None:
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
        bulleted = end < len(ids) and ids[end] in rules._bullets
        for status, scope in enumerate(self.open):
            # a lead-in ("Return for:") goes on governing while the lines after it are items
            if scope is not None and not (bulleted and ids[scope.hit[1]] == _COLON):
                self._close(status, end)

    def _mark(self, i: int) -> None:
        word = self.ids[i]
        if word == _COMMA:
            for status, scope in enumerate(self.open):
                if scope is not None and scope.narrow and not self._list_closed_by_or(i):
                    self._close(status, i)
            self.comma_before, self.comma = self.comma, i
        elif word == _COLON:
            self.before_colon = list(self.wall)
        elif word in self.rules._and:
            self.conjunction = self.also = i
        elif word in self.rules._or:
            self.conjunction = i
        elif word in _OPENED:
            self.depth += 1
        elif word in _CLOSED and self.depth:
            for status, scope in enumerate(self.open):
                if scope is not None and scope.depth >= self.depth:
                    self._close(status, i)
            self.depth -= 1

    def _match(self, i: int, best: int, nodes: list[dict[int, Any]]) -> tuple[int, int]:
        """(rule, end) of the longest row that goes on at word i; of two, the one that names a word, not its class."""
        end, member = i, self.rules._member
        for j in range(i, self.end):
            word = self.ids[j]
            keys = (word, *member[word]) if word in member else (word,)
            nodes = [node[key] for key in keys for node in nodes if key in node]
            if not nodes:
                break
            for node in nodes:
                if _END in node:
                    best, end = node[_END], j + 1
                    break
        return best, end

    def _cue(self, rule: _Rule, hit: tuple[int, int, int]) -> None:
        i, j, _ = hit
        status = rule.statuses[0]
        if rule.direction != "forward":
            begin, stop = self._behind(hit, status, rule.limit)
            if begin < stop:
                # "no effusion, pneumonia not excluded": what the new cue governs is its own clause
                for other in (_NEGATED, _UNCERTAIN, _HISTORICAL):
                    scope = self.open[other]
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
            for other, scope in enumerate(self.open):
                if scope is not None:
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
        scope = self.open[status]
        if scope is None or at < scope.start:  # a colon that belongs to the cue does not close it
            return
        end = min(at, scope.most)
        if end > scope.start:
            self.scopes.append(_Scope(scope.start, end, status, scope.hit))
        self.open[status] = None

    def _new_clause(self, i: int) -> bool:
        return i > self.start and (self.ids[i - 1] == _COMMA or self.ids[i - 1] in self.rules._and)

    def _ended(self, j: int) -> bool:
        return j >= self.end or self.ids[j] in _STOPS

    def _list_closed_by_or(self, comma: int) -> bool:
        """Does the list this comma stands in go on to an "or"? Looks a dozen words ahead."""
        for word in self.ids[comma + 1 : min(comma + 13, self.end)]:
            if word in self.rules._or:
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
        before = self.ids[i - 1] if i > self.start else _END
        if before == _COLON or before in _DASHES:
            stop = i - 1
            if before != _COLON and self.words.glued(i) and self.words.glued(i - 1):  # COVID-negative
                begin = i - 2
                while begin > self.start and self.words.glued(begin):
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
