"""Which type of document a text is: a sum of weights over its headings and wording, the highest wins.

A note is seldom so kind as to say "DISCHARGE SUMMARY" on top, and a shorthand note has no headings. So `document_types.tsv`
holds, beside headings and titles, lists of words that are typical together: sutures and drapes, reference ranges, views and
contrast, what a clinic plans. Of each list three different words count at most, so that a long note is no proof of anything.

The lists are written by hand; their weights were fitted on the training notes of the corpus (multinomial logistic
regression, weights not below 0, case reports of CodiEsp and single lines as documents of no type, which is worth LEAST).
Measured there with all notes on a topic left out: 0.92 right, 0.84 with the first line cut off; of the 127 visit notes
of another collection, never seen, all.

A text is read as a string with one letter for each of its words (`letters`), so that a phrase is looked for among 500 letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from codesuggest.pipes.language import fold
from codesuggest.pipes.lexicon import read_lexicon

__all__ = ["DOCUMENT_TYPES", "DocumentTypeReader"]

#: The types a document can be, in the order that breaks a tie.
DOCUMENT_TYPES = (
    "visit_note", "ed_note", "discharge_summary", "operative_report", "radiology_report", "lab_report", "charge_line",
)  # fmt: skip
LEAST = 2.0  # the sum below which a text has no type
_MOST = 3  # different phrases of one row that count
_OPENING = 200  # code points at the top of a text that its title stands in
_WORDS = re.compile(r"[a-z0-9][a-z0-9-]*")
_FIRST_LETTER = 0xE000  # what stands for the words of the table: characters of private use
_OTHER = "."  # stands for any other word

_Ones = dict[str, list[int]]
_Longer = dict[str, list[tuple[str, str, int]]]


class DocumentTypeReader:
    """Reads the type of a document, whatever accents it writes. Holds only the table: no state from one text to the next."""

    def __init__(self, path: Path) -> None:
        """Load a ``document_types.tsv``. Raises LexiconError."""
        self._by_heading: list[tuple[int, str, float]] = []
        self._rows: list[list[tuple[int, float]]] = []  # (type, weight) of each set of phrases
        # first letter -> (last letter, the phrase in letters, row); one word alone leads to its rows
        self._phrases: tuple[_Ones, _Longer] = ({}, {})
        self._openings: tuple[_Ones, _Longer] = ({}, {})
        self._letter: dict[str, str] = {}  # of each word of the table
        number: dict[tuple[str, str], int] = {}
        columns = ("document_type", "kind", "cue", "weight", "source")
        for row in read_lexicon(path, columns, unique=columns[:3]):
            kind, weight = row.choice("kind", ("heading", "phrase", "opening")), row.number("weight")
            of = DOCUMENT_TYPES.index(row.choice("document_type", DOCUMENT_TYPES))
            if weight is None or weight <= 0:
                raise row.error("column 'weight' must be above 0")
            if kind == "heading":
                self._by_heading.append((of, row["cue"], weight))
                continue
            k = number.setdefault((kind, row["cue"]), len(self._rows))
            if k == len(self._rows):
                self._rows.append([])
                for cue in map(fold, row.items("cue")):
                    words = _WORDS.findall(cue)
                    if " ".join(words) != cue:
                        raise row.error("a phrase consists of small letters, figures and hyphens")
                    ones, longer = self._phrases if kind == "phrase" else self._openings
                    for word in words:
                        self._letter.setdefault(word, chr(_FIRST_LETTER + len(self._letter)))
                    told = "".join(map(self._letter.__getitem__, words))
                    if len(words) == 1:
                        ones.setdefault(told, []).append(k)
                    else:
                        longer.setdefault(told[0], []).append((told[-1], told, k))
            self._rows[k].append((of, weight))

    def letters(self, text: str) -> str:
        """A letter for every word. Of a text in parts, cut at white space, it is that of the parts, joined."""
        letter = self._letter.get
        return "".join([letter(word, _OTHER) for word in _WORDS.findall(fold(text.lower()))])

    def read(
        self, text: str, headings: set[str | None], letters: Callable[[int, int], str] | None = None
    ) -> tuple[str | None, float]:
        """(type, its sum less the next best); (None, 0.0) where too little speaks for any type.

        headings: the canonical names of the sections in `text`. letters: those of a stretch of `text`, start and end in code
        points, by who has them already.
        """
        of_part = letters or (lambda start, end: self.letters(text[start:end]))
        # Titles stand at the top, "discharged home" and the signature at the end.
        n = len(text)
        sample = of_part(0, n) if n <= 4000 else of_part(0, 3000) + of_part(n - 1000, n)
        scores = [0.0] * len(DOCUMENT_TYPES)
        for of, name, weight in self._by_heading:
            if name in headings:
                scores[of] += weight
        found: dict[int, int] = {}
        _count(self._phrases, sample, found)
        _count(self._openings, of_part(0, min(n, _OPENING)), found)
        for k, times in sorted(found.items()):
            for of, weight in self._rows[k]:
                scores[of] += min(times, _MOST) * weight
        best, second = sorted(scores, reverse=True)[:2]
        return (DOCUMENT_TYPES[scores.index(best)], best - second) if best >= LEAST else (None, 0.0)


def _count(table: tuple[_Ones, _Longer], letters: str, found: dict[int, int]) -> None:
    """Adds to each row how many different phrases of it stand in the text that reads so in letters."""
    ones, longer = table
    said = set(letters)
    for one in ones.keys() & said:
        for k in ones[one]:
            found[k] = found.get(k, 0) + 1
    for first in longer.keys() & said:
        for last, phrase, k in longer[first]:
            if last in said and phrase in letters:
                found[k] = found.get(k, 0) + 1
