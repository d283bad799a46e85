"""Stems by rules from a list (`stems.tsv`), for languages whose medical words differ from English ones in spelling alone.

A row of `whole` is the stem of one word, which no other row touches. A row of `start` acts once, at the beginning of a word;
rows of `any` everywhere, in one pass from left to right, the longest first; of the rows of `end` the longest one that leaves
`LEAST` letters acts, and then once more. Words of fewer letters, and those with a figure, are their own stem. About 5 us a word.
"""

from __future__ import annotations

import re
from pathlib import Path

from codesuggest.pipes.lexicon import read_lexicon

__all__ = ["LEAST", "StemRules"]

LEAST = 4  #: letters of a stem


class StemRules:
    """The rules of one file. Raises LexiconError for an unknown place, a row that stands twice or no small letters."""

    def __init__(self, path: Path) -> None:
        rules: dict[str, dict[str, str]] = {"whole": {}, "start": {}, "any": {}, "end": {}}
        columns = ("where", "find", "replace", "source")
        for row in read_lexicon(path, columns, optional=("replace",), unique=("where", "find")):
            if not row["find"].isalpha() or not row["find"].islower():
                raise row.error(f"{row['find']!r} is not of small letters")
            rules[row.choice("where", rules)][row["find"]] = row["replace"]
        self._whole, self._start, self._any, self._end = rules.values()
        self._starts = _longest_first("^(?:{})", self._start)
        self._anys = _longest_first("{}", self._any)
        self._longest = max(map(len, self._end), default=0)

    def stem(self, word: str) -> str:
        """word: lower case, accents folded."""
        if len(word) < LEAST or not word.isalpha():
            return word
        if word in self._whole:
            return self._whole[word]
        word = self._starts.sub(lambda m: self._start[m[0]], word)
        word = self._anys.sub(lambda m: self._any[m[0]], word)
        for _ in range(2):
            word = self._shorter(word)
        return word

    def _shorter(self, word: str) -> str:
        for n in range(min(self._longest, len(word)), 0, -1):
            found = self._end.get(word[-n:])
            if found is not None and len(word) - n + len(found) >= LEAST:
                return word[:-n] + found
        return word


def _longest_first(pattern: str, rules: dict[str, str]) -> re.Pattern[str]:
    """A regex of all that the rules find; without rules one that matches nothing."""
    names = sorted(rules, key=lambda name: (-len(name), name))
    return re.compile(pattern.format("|".join(names)) if names else r"(?!)")
