"""The cues of assertion: reads and checks `<language>/cues.tsv` and lays its patterns out in a trie of word hashes.

A row spells out a small pattern over lower-case words:

    a|b       one of the words           [a|b]     the same, or nothing
    a_b       two words in a row         <name>    a word of that class (rows of direction `class` define it)
    +a|b      behind a forward cue: the word has to follow, and is governed by the cue ("mom +dvt")
    built in  <year> 1900 to 2099, <yy> 60 to 29 ("'09"), <number> 0 to 120, <unchecked> and <checked>: boxes of a form

`category` is a status of STATUSES, several divided by `|`, or `any`; a `?` behind it marks a weak cue (below).
`direction` says where the findings stand that the cue governs:

    forward, backward, both
    leading     forward, but a cue only where it opens its clause: "ER for chest pain", not "seen in the ER for ..."
    closing     backward, but a cue only where it ends its clause: "Shingles 2020.", not "2020 colonoscopy normal"
    either      backward where it ends its clause, else forward: "ileus did not develop", "did not develop an ileus"
    answer      of what is asked before it, and no cue elsewhere: "Diabetes: N", not "stage N"
    terminator  ends scopes of its categories            pseudo  looks like a cue and is none

`max_tokens` limits a scope, counted in tokens that are not white space, and marks the cue as *narrow*: it governs
one noun phrase, so a comma ends it unless the list is closed by "or". On a `pseudo` row it protects that many following
tokens from the row's category ("diagnosed with diabetes in 2009" is not past).

A word with accents is met with and without them.

A weak cue gives way to what the item itself says: of "h/o HTN, stroke" only the stroke is past, for what is in the class
<lasting> does not go away, unless it is <passing> (`historical?`); a brother with strep throat is a contact, not a family
history, for strep is in <catching> (`family?` becomes other_person).

The reading itself looks words up in these two, in <and>, <or>, <whose>, <answer> (behind a question), <ticked> (in a form),
<open> (a line cannot end there) and <bullet>; `standing.py` in <episode> (over by the time it stands under a past medical
history), <relative> and <child>.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.strings import get_string_id

from codesuggest.pipes.language import fold
from codesuggest.pipes.lexicon import Row, read_lexicon
from codesuggest.pipes.tokens import Tokens
from codesuggest.records import ASSERTIONS

__all__ = ["COLUMNS", "DIRECTIONS", "END", "STATUSES", "CueList", "Rule", "State", "Words", "hashes"]

STATUSES: Final = ASSERTIONS
OPENING: Final = ("forward", "backward", "both", "leading", "closing", "either", "answer")
DIRECTIONS: Final = (*OPENING, "pseudo", "terminator", "class")
COLUMNS: Final = ("cue", "category", "direction", "max_tokens", "source")
END: Final = 0  #: key of a finished pattern in a trie node; hash of the empty string, which is no token
_WEAK: Final = ("historical", "family")
_CLASS: Final = re.compile(r"<\w+>")
_WRAPPED: Final = 40  # code points: a shorter line was ended by its writer, a longer one perhaps by the page
_NEWLINES: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_COLON, _QUESTION = get_string_id(":"), get_string_id("?")


def hashes(words: Iterable[str]) -> frozenset[int]:
    """What `doc.to_array(LOWER)` has for `words`: spaCy's 64-bit hashes, but small numbers for its own symbols ("neg")."""
    return frozenset(get_string_id(word) for word in words)


_BUILT_IN: Final[dict[str, list[tuple[str, ...]]]] = {
    "<year>": [(str(year),) for year in range(1900, 2100)],
    "<yy>": [(f"{year % 100:02}",) for year in range(1960, 2030)],
    "<number>": [(str(number),) for number in range(121)],
    "<unchecked>": [("[", "]"), ("[", "_", "]"), ("\u2610",), ("\u25a1",)],
    "<checked>": [("[", "x", "]"), ("(", "x", ")"), ("\u2611",), ("\u2612",)],
}
_LINE_END = hashes(";")
_SENTENCE_END = hashes(".?!;")


class Words(NamedTuple):
    """Tokens without the white space: m words. Lists, because most lines are too short to be worth numpy's overhead."""

    tokens: Tokens
    ids: list[int]  # lower-case hashes, length m
    at: Sequence[int]  # token index of each word, length m
    cuts: list[int]  # words at which a line of text ends, m the last of them
    sentences: list[int]  # tokens that start a sentence

    def glued(self, i: int) -> bool:
        """Does word i follow the one before it without white space?"""
        return i > 0 and self.at[i - 1] == self.at[i] - 1 and self.tokens.glued(self.at[i])

    def apart(self, i: int) -> bool:
        """Does word i stand behind more white space than a blank, in one line?"""
        first, last = self.at[i - 1], self.at[i]
        return last - first > 1 and "\n" not in self.tokens.text[self.tokens.end[first] : self.tokens.start[last]]

    def lower(self, i: int) -> bool:
        """Is word i written in lower case?"""
        return self.tokens.is_lower(self.at[i])


class Rule(NamedTuple):
    """A row that is no class."""

    cue: str
    statuses: tuple[int, ...]  # several for a terminator
    direction: str
    limit: int  # tokens; 0: none
    clause: bool  # opens with a subject, so it starts a clause of its own
    ahead: int = 0  # words at the end of the pattern that are governed by the cue and no part of it
    weak: bool = False  # gives way to words of <lasting> or <catching>


class State(NamedTuple):
    """What was read of a row so far, as words."""

    rule: int  #: the row that may end here, -1: none
    next: dict[int, State]  #: by the word that follows


class CueList:
    """The patterns of one file. Raises LexiconError, naming file and line, for an unknown direction, category or class, a
    bad limit, a missing source, or a pattern that another row spells out already.

    rules     in file order
    trie      word or class symbol -> node; END -> index into `rules`; equal nodes are one
    member    word -> symbols of its classes
    first     word a row may start with -> State
    """

    def __init__(self, path: Path) -> None:
        self.rules: list[Rule] = []
        self.trie: dict[int, Any] = {}
        self.member: dict[int, tuple[int, ...]] = {}
        self._classes: dict[str, list[tuple[int, ...]]] = {}
        for name, words in _BUILT_IN.items():
            self._define(name, [tuple(get_string_id(word) for word in member) for member in words])
        for row in read_lexicon(path, COLUMNS, optional=("max_tokens",)):
            try:
                self._add(row)
            except ValueError as error:
                raise row.error(str(error)) from None
        self.and_, self.or_, self.unfinished, self.bullets = map(self.words_of, ("<and>", "<or>", "<open>", "<bullet>"))
        self.lasting, self.catching, self.episode = map(self.words_of, ("<lasting>", "<catching>", "<episode>"))
        self.relatives, self.children, self.passing = map(self.words_of, ("<relative>", "<child>", "<passing>"))
        self.whose, self.answers, self.ticked = map(self.words_of, ("<whose>", "<answer>", "<ticked>"))
        self.specifying, self.charged = map(self.words_of, ("<specifying>", "<charged>"))
        self._share(self.trie, {})
        self.first = self._states()
        self._opening = frozenset(n for n, rule in enumerate(self.rules) if rule.direction in OPENING)
        self._known: dict[int, bool] = {}  # what `opens` answered, by id of the state: many words lead to one

    def words_of(self, name: str) -> frozenset[int]:
        """The single words of a class; empty when no row defines it."""
        symbol = get_string_id(name)
        return frozenset(word for word, symbols in self.member.items() if symbol in symbols)

    def lasts(self, said: Sequence[int]) -> bool:
        """Whether these words name what does not go away: hypertension, but not gestational hypertension."""
        return not self.lasting.isdisjoint(said) and self.passing.isdisjoint(said)

    def may_open(self, ids: Sequence[int], i: int) -> bool:
        """Whether a row that opens a scope begins at word i, however long, wherever its line ends. False is certain."""
        state = self.first.get(ids[i])
        while state is not None:
            if state[0] in self._opening:
                return True
            i += 1
            state = state[1].get(ids[i]) if i < len(ids) else None
        return False

    def ends_opening(self, state: State) -> bool:
        """Whether a row that opens a scope ends at this state."""
        return state.rule in self._opening

    def opens(self, state: State) -> bool:
        """Whether a row that opens a scope ends at this state or behind it."""
        known = self._known
        if id(state) not in known:
            known[id(state)] = self.ends_opening(state) or any(map(self.opens, state.next.values()))
        return known[id(state)]

    def match(self, ids: Sequence[int], i: int, end: int) -> tuple[int, int]:
        """(rule, its end) of the longest row found at word i, before `end`; (-1, i) when there is none."""
        rule, stop = -1, i
        state = self.first.get(ids[i])
        while state is not None:
            i += 1
            if state[0] >= 0:
                rule, stop = state[0], i
            if i == end:
                break
            state = state[1].get(ids[i])
        return rule, stop

    def cut(self, tokens: Tokens, ids: list[int], kept: NDArray[np.intp]) -> Words:
        """Tokens cut into lines of text: at sentence ends and where the writer, not the page, ended a line.

        kept: the tokens that are not white space; ids: their hashes.
        """
        breaks: set[int] = set()
        sentences: list[int] = []
        if tokens.begins is not None:
            marks = tokens.begins.nonzero()[0]
            sentences = marks.tolist()
            breaks.update(kept.searchsorted(marks).tolist())
        words = Words(tokens, ids, kept.tolist(), [], sentences)
        ends = _SENTENCE_END if tokens.begins is None else _LINE_END
        if any((tokens.lower == end).any() for end in ends):
            # "?" after white space asks ("cough, ? pneumonia") where at the end of a word it closes a sentence
            found = [i for i, word in enumerate(ids) if word in ends]
            breaks.update(i + 1 for i in found if ids[i] != _QUESTION or words.glued(i))
        spaced = (kept[1:] - kept[:-1] > 1).nonzero()[0] + 1  # words after white space tokens
        self._line_breaks(words, spaced.tolist(), breaks)
        m = len(ids)
        breaks -= {0, m}
        words.cuts.extend(sorted(breaks))
        if tokens.begins is None:
            sentences.extend(words.at[i] for i in words.cuts)
        if len(tokens) and sentences[:1] != [0]:
            sentences.insert(0, 0)
        words.cuts.append(m)
        return words

    def _line_breaks(self, words: Words, spaced: list[int], breaks: set[int]) -> None:
        """Adds the words before which the writer, not the page, ended a line; `spaced`: words after white space tokens."""
        tokens, ids, at = words.tokens, words.ids, words.at

        def newlines(word: int) -> int:
            gap = tokens.text[tokens.end[at[word - 1]] : tokens.start[at[word]]]
            return 1 if gap == "\n" else len(_NEWLINES.findall(gap))

        for k, word in enumerate(spaced):
            if word in breaks or not (count := newlines(word)):
                continue
            joined = count == 1 and ids[word - 1] not in _SENTENCE_END and _COLON not in ids[word : word + 4]
            joined = joined and ids[word] not in self.bullets
            if joined and ids[word - 1] not in self.unfinished:
                joined = words.lower(word)
                if joined:  # walks back to the line end before, so that no word is met twice
                    line = next((w for w in map(spaced.__getitem__, range(k - 1, -1, -1)) if newlines(w)), 0)
                    joined = bool(tokens.start[at[word - 1]] - tokens.start[at[line]] >= _WRAPPED)
            if not joined:
                breaks.add(word)

    def _add(self, row: Row) -> None:
        cue, category, direction, limit = (row[column] for column in COLUMNS[:4])
        if cue != " ".join(cue.lower().split()):
            raise ValueError("a cue is lower case, with single spaces")
        if direction not in DIRECTIONS:
            raise ValueError(f"unknown direction {direction!r}, expected one of {', '.join(DIRECTIONS)}")
        if limit and (not limit.isdecimal() or int(limit) == 0 or direction in ("terminator", "class")):
            raise ValueError(f"max_tokens {limit!r} must be empty or a whole number above zero, and only on a cue")
        if direction == "class":
            if not _CLASS.fullmatch(category) or category in self._classes:
                raise ValueError(f"class {category!r} is not of the form <name>, or defined twice")
            self._define(category, self._alternatives(cue))
            return
        weak = category.endswith("?")
        names = STATUSES[1:] if category == "any" else category.removesuffix("?").split("|")
        several = direction in ("pseudo", "terminator")
        if not all(name in STATUSES[1:] for name in names) or (len(names) > 1 and not several):
            raise ValueError(f"unknown category {category!r}, expected one of {', '.join(STATUSES[1:])}")
        if weak and (names[0] not in _WEAK or direction not in OPENING):
            raise ValueError(f"category {category!r}: only cues of {' and '.join(_WEAK)} can be weak")
        statuses = tuple(STATUSES.index(name) for name in names)
        words = cue.split()
        ahead = sum(word[:1] == "+" and len(word) > 1 for word in words)
        if ahead and (ahead == len(words) or direction != "forward" or not all(w[0] == "+" for w in words[-ahead:])):
            raise ValueError("words with a + stand at the end of a forward cue")
        self.rules.append(Rule(cue, statuses, direction, int(limit or 0), cue.startswith("<"), ahead, weak))
        self._insert(words)

    def _define(self, name: str, members: list[tuple[int, ...]]) -> None:
        """A class is one symbol in the trie for its single words, to keep the trie small; longer ones are spelt out."""
        symbol = get_string_id(name)
        self._classes[name] = [(symbol,)] + [member for member in members if len(member) > 1]
        for member in members:
            if len(member) == 1:
                self.member[member[0]] = (*self.member.get(member[0], ()), symbol)

    def _alternatives(self, text: str) -> list[tuple[int, ...]]:
        """Hash sequences of `a|b_c|<class>`, each word cut in every way a tokenizer may cut it."""
        found: dict[tuple[int, ...], None] = {}
        for choice in text.split("|"):
            sequences: list[tuple[int, ...]] = [()]
            for word in choice.split("_"):
                if _CLASS.fullmatch(word):
                    if word not in self._classes:
                        raise ValueError(f"unknown class {word}")
                    options = self._classes[word]
                elif not word or ("[" in word or "]" in word):
                    raise ValueError(f"cannot read {text!r}")
                else:
                    options = [tuple(get_string_id(part) for part in cut) for cut in _cuts(word)]
                sequences = [s + o for s in sequences for o in options]
            found.update(dict.fromkeys(sequences))
        return list(found)

    def _insert(self, words: list[str]) -> None:
        ends, rule = [self.trie], len(self.rules) - 1
        behind = len(words) - self.rules[rule].ahead
        for k, word in enumerate(words):
            optional = word.startswith("[") and word.endswith("]")
            options = self._alternatives(word[1:-1] if optional else word.removeprefix("+") if k >= behind else word)
            if k >= behind:  # a word to come is one word, so that the cue's own end is known
                options = [option for option in options if len(option) == 1]
            starts, ends = ends, list(ends) if optional else []
            for node in starts:
                for option in options:
                    below = node
                    for symbol in option:
                        below = below.setdefault(symbol, {})
                    ends.append(below)
        for node in ends:
            if node is self.trie:
                raise ValueError("a cue needs a word that is not optional")
            other = node.setdefault(END, rule)
            if other != rule:
                raise ValueError(f"spells out words of another row too: {self.rules[other].cue!r}")

    def _share(self, node: dict[int, Any], seen: dict[tuple[tuple[int, int], ...], dict[int, Any]]) -> dict[int, Any]:
        """The node equal to this one that was met first: of 32,000 nodes 1,200 are left."""
        for key, below in node.items():
            if key != END:
                node[key] = self._share(below, seen)
        content = tuple(sorted((key, below if key == END else id(below)) for key, below in node.items()))
        return seen.setdefault(content, node)

    def _states(self) -> dict[int, State]:
        """The trie with its class symbols spelt out, by subset construction: one look-up a word."""
        members: dict[int, list[int]] = {}
        for word, symbols in self.member.items():
            for symbol in symbols:
                members.setdefault(symbol, []).append(word)
        made: dict[tuple[int, ...], State] = {}

        def state(nodes: list[dict[int, Any]]) -> State:
            key = tuple(map(id, nodes))
            if key not in made:
                # of two rows that end here, the one that names a word, not its class
                made[key] = State(next((node[END] for node in nodes if END in node), -1), {})
                symbols = dict.fromkeys(symbol for node in nodes for symbol in node if symbol != END)
                for word in dict.fromkeys(word for symbol in symbols for word in (symbol, *members.get(symbol, ()))):
                    keys = (word, *self.member.get(word, ()))
                    made[key].next[word] = state([node[k] for k in keys for node in nodes if k in node])
            return made[key]

        return state([self.trie]).next


def _cuts(word: str) -> list[tuple[str, ...]]:
    if not word.isascii():  # also without its accents, and with accents that are characters of their own
        spelt = dict.fromkeys((word, fold(word, "ñ"), unicodedata.normalize("NFD", word)))
        return list(dict.fromkeys(cut for spelling in spelt for cut in _cuts_of(spelling)))
    return _cuts_of(word)


def _cuts_of(word: str) -> list[tuple[str, ...]]:
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
