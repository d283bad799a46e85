"""The cues of assertion: reads and checks `<language>/cues.tsv` and lays its patterns out in a trie of word hashes.

A row spells out a small pattern over lower-case words:

    a|b       one of the words           [a|b]     the same, or nothing
    a_b       two words in a row         <name>    a word of that class (rows of direction `class` define it)
    <year>    1900 to 2099, built in

`category` is a status of STATUSES, several divided by `|`, or `any`. `direction` says where the findings stand that the
cue governs: `forward`, `backward` or `both`; `terminator` ends scopes of its categories, `pseudo` looks like a cue and is
none. `max_tokens` limits a scope, counted in tokens that are not white space, and marks the cue as *narrow*: it governs
one noun phrase, so a comma ends it unless the list is closed by "or". On a `pseudo` row it protects that many following
tokens from the row's category ("diagnosed with diabetes in 2009" is not past).

The reading itself looks words up in the classes <and>, <or>, <open> (a line cannot end there) and <bullet>.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from spacy.strings import hash_string  # type: ignore[attr-defined]

from codesuggest.pipes.lexicon import Row, read_lexicon

__all__ = ["COLUMNS", "DIRECTIONS", "END", "STATUSES", "CueList", "Rule", "hashes"]

STATUSES: Final = ("affirmed", "negated", "uncertain", "family", "historical", "hypothetical", "other_person")
OPENING: Final = ("forward", "backward", "both")
DIRECTIONS: Final = (*OPENING, "pseudo", "terminator", "class")
COLUMNS: Final = ("cue", "category", "direction", "max_tokens", "source")
END: Final = 0  #: key of a finished pattern in a trie node; hash of the empty string, which is no token
_CLASS: Final = re.compile(r"<\w+>")


def hashes(words: Iterable[str]) -> frozenset[int]:
    """spaCy's 64-bit hashes of `words`, as `doc.to_array(LOWER)` has them."""
    return frozenset(hash_string(word) for word in words)


class Rule(NamedTuple):
    """A row that is no class."""

    cue: str
    statuses: tuple[int, ...]  # several for a terminator
    direction: str
    limit: int  # tokens; 0: none
    clause: bool  # opens with a subject, so it starts a clause of its own


class CueList:
    """The patterns of one file. Raises LexiconError, naming file and line, for an unknown direction, category or class, a
    bad limit, a missing source, or a pattern that another row spells out already.

    rules     in file order
    trie      word or class symbol -> node; END -> index into `rules`
    member    word -> symbols of its classes
    first     word a row may start with -> the rule it is by itself or -1, the words that may follow, its trie nodes
    openers   those of `first` that may start a row which opens a scope, so a text without any of them is all affirmed
    """

    def __init__(self, path: Path) -> None:
        self.rules: list[Rule] = []
        self.trie: dict[int, Any] = {}
        self.member: dict[int, tuple[int, ...]] = {}
        self._classes: dict[str, list[tuple[int, ...]]] = {}
        self._define("<year>", [(hash_string(str(year)),) for year in range(1900, 2100)])
        for row in read_lexicon(path, COLUMNS, optional=("max_tokens",)):
            try:
                self._add(row)
            except ValueError as error:
                raise row.error(str(error)) from None
        self.and_, self.or_, self.unfinished, self.bullets = (
            frozenset(word for word, symbols in self.member.items() if hash_string(name) in symbols)
            for name in ("<and>", "<or>", "<open>", "<bullet>")
        )
        self.first, self.openers = self._begin()

    def speaks(self, ids: Sequence[int]) -> bool:
        """Whether some row may be found in these words. False is certain, so that such a text need not be read."""
        first, end = self.first, len(ids)
        for i in [i for i, word in enumerate(ids) if word in self.openers]:
            number, following, nodes = first[ids[i]]
            j = i + 1
            if j < end and ids[j] in following:
                number, j = self.match(ids, j, end, number, nodes)
            # a longer one that opens nothing may hide a shorter one that does, should a line end within it
            if number >= 0 and (j > i + 1 or self.rules[number].direction in OPENING):
                return True
        return False

    def match(
        self, ids: Sequence[int], i: int, end: int, best: int, nodes: list[dict[int, Any]]
    ) -> tuple[int, int]:
        """(rule, end) of the longest row that goes on at word i before `end`, from `nodes` and the rule `best` reached.

        Of two rows of one length it is the one that names a word, not its class. -1: none.
        """
        stop = i
        for j in range(i, end):
            word = ids[j]
            symbols = self.member.get(word)
            if symbols is None:
                nodes = [node[word] for node in nodes if word in node]
            else:
                nodes = [node[key] for key in (word, *symbols) for node in nodes if key in node]
            if not nodes:
                break
            for node in nodes:
                if END in node:
                    best, stop = node[END], j + 1
                    break
        return best, stop

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
        names = STATUSES[1:] if category == "any" else category.split("|")
        several = direction in ("pseudo", "terminator")
        if not all(name in STATUSES[1:] for name in names) or (len(names) > 1 and not several):
            raise ValueError(f"unknown category {category!r}, expected one of {', '.join(STATUSES[1:])}")
        statuses = tuple(STATUSES.index(name) for name in names)
        self.rules.append(Rule(cue, statuses, direction, int(limit or 0), cue.startswith("<")))
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
                    options = [tuple(hash_string(part) for part in cut) for cut in _cuts(word)]
                sequences = [s + o for s in sequences for o in options]
            found.update(dict.fromkeys(sequences))
        return list(found)

    def _insert(self, pattern: tuple[int, ...]) -> None:
        if not pattern:
            raise ValueError("a cue needs a word that is not optional")
        node, rule = self.trie, len(self.rules) - 1
        for word in pattern:
            node = node.setdefault(word, {})
        other = node.setdefault(END, rule)
        if other != rule:
            raise ValueError(f"spells out words of another row too: {self.rules[other].cue!r}")

    def _begin(self) -> tuple[dict[int, tuple[int, frozenset[int], list[dict[int, Any]]]], frozenset[int]]:
        members: dict[int, list[int]] = {}
        for word, symbols in self.member.items():
            for symbol in symbols:
                members.setdefault(symbol, []).append(word)
        opening = {key for key, node in self.trie.items() if self._opens(node)}
        first, openers = {}, []
        for word in dict.fromkeys([*self.trie, *self.member]):
            keys = [key for key in (word, *self.member.get(word, ())) if key in self.trie]
            nodes = [self.trie[key] for key in keys]
            if nodes:
                after = [key for node in nodes for key in node if key != END]
                following = frozenset(after).union(*(members.get(key, ()) for key in after))
                first[word] = next((node[END] for node in nodes if END in node), -1), following, nodes
                if not opening.isdisjoint(keys):
                    openers.append(word)
        return first, frozenset(openers)

    def _opens(self, node: dict[int, Any]) -> bool:
        """Whether a row that opens a scope ends at this node or below."""
        if END in node and self.rules[node[END]].direction in OPENING:
            return True
        return any(self._opens(below) for key, below in node.items() if key != END)


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
