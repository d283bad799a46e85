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

import numpy as np
import numpy.typing as npt

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
_FIRST_LETTER = (
    0xE000  # letters are characters of private use: the first for any other word, then the words of the table
)
_OTHER = chr(_FIRST_LETTER)


class DocumentTypeReader:
    """Reads the type of a document, whatever accents it writes. Holds only the table: no state from one text to the next."""

    def __init__(self, path: Path) -> None:
        """Load a ``document_types.tsv``. Raises LexiconError."""
        # what speaks for a type, a *clue*, is a heading or a set of phrases, the headings first
        headings: list[tuple[str, int, float]] = []
        rows: list[list[tuple[int, float]]] = []  # (type, weight) of each set of phrases
        self._letter: dict[str, str] = {}  # of each word of the table
        told: dict[str, list[tuple[str, int]]] = {"phrase": [], "opening": []}  # each phrase in letters, and its set
        number: dict[tuple[str, str], int] = {}
        columns = ("document_type", "kind", "cue", "weight", "source")
        for row in read_lexicon(path, columns, unique=columns[:3]):
            kind, weight = row.choice("kind", ("heading", "phrase", "opening")), row.number("weight")
            of = DOCUMENT_TYPES.index(row.choice("document_type", DOCUMENT_TYPES))
            if weight is None or weight <= 0:
                raise row.error("column 'weight' must be above 0")
            if kind == "heading":
                headings.append((row["cue"], of, weight))
                continue
            k = number.setdefault((kind, row["cue"]), len(rows))
            if k == len(rows):
                rows.append([])
                for cue in map(fold, row.items("cue")):
                    words = _WORDS.findall(cue)
                    if " ".join(words) != cue:
                        raise row.error("a phrase consists of small letters, figures and hyphens")
                    for word in words:
                        self._letter.setdefault(word, chr(_FIRST_LETTER + 1 + len(self._letter)))
                    told[kind].append(("".join(map(self._letter.__getitem__, words)), k))
            rows[k].append((of, weight))
        self._headings = {name: k for k, name in enumerate(dict.fromkeys(name for name, _, _ in headings))}
        first = len(self._headings)
        self._clues = first + len(rows)
        speaks = [(self._headings[name], of, weight) for name, of, weight in headings]
        speaks += [(first + k, of, weight) for k, own in enumerate(rows) for of, weight in own]
        clue, of_type, weights = zip(*speaks, strict=True) if speaks else ((), (), ())
        self._clue, self._type = np.array(clue, np.intp), np.array(of_type, np.intp)
        self._weight = np.array(weights, np.float64)
        letters = len(self._letter) + 1
        self._phrases, self._openings = (
            _Phrases([(phrase, first + k) for phrase, k in told[kind]], letters) for kind in ("phrase", "opening")
        )

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
        opening = of_part(0, min(n, _OPENING))
        found = [k for name, k in self._headings.items() if name in headings]
        found += self._phrases.within(sample)
        found += self._openings.within(opening)
        times = np.bincount(found, minlength=self._clues) if found else np.zeros(self._clues, np.intp)
        said = np.minimum(times, _MOST).take(self._clue) * self._weight
        scores: list[float] = np.bincount(self._type, said, len(DOCUMENT_TYPES)).tolist()
        best, second = sorted(scores, reverse=True)[:2]
        return (DOCUMENT_TYPES[scores.index(best)], best - second) if best >= LEAST else (None, 0.0)


class _Phrases:
    """Phrases in letters, and the clue that each is one of."""

    def __init__(self, phrases: list[tuple[str, int]], letters: int) -> None:
        """letters: how many there are."""
        ones = [(_codes(phrase)[0], k) for phrase, k in phrases if len(phrase) == 1]
        self._letters = letters
        self._one, self._clue_of_one = np.array(ones, np.intp).reshape(-1, 2).T
        self._longer = [(phrase, k) for phrase, k in phrases if len(phrase) > 1]
        ends = [(_codes(phrase)[0], _codes(phrase)[-1]) for phrase, _ in self._longer]
        self._first, self._last = np.array(ends, np.intp).reshape(-1, 2).T

    def within(self, letters: str) -> list[int]:
        """The clues of all phrases in a text that reads so in letters, one for each phrase."""
        said = np.zeros(self._letters, bool)
        said[_codes(letters)] = True
        found: list[int] = self._clue_of_one.compress(said.take(self._one)).tolist()
        both = (said.take(self._first) & said.take(self._last)).nonzero()[0].tolist()
        longer = map(self._longer.__getitem__, both)
        return found + [k for phrase, k in longer if phrase in letters]


def _codes(letters: str) -> npt.NDArray[np.uint16]:
    """The number of each letter."""
    return np.frombuffer(letters.encode("utf-16-le"), np.uint16) - np.uint16(_FIRST_LETTER)
