"""Which type of document a text is: a sum of weights over its headings and wording, the highest wins.

A note is seldom so kind as to say "DISCHARGE SUMMARY" on top, and a shorthand note has no headings. So `document_types.tsv`
holds, beside headings and titles, lists of words that are typical together: sutures and drapes, reference ranges, views and
contrast, what a clinic plans. Of each list three different words count at most, so that a long note is no proof of anything.

The lists are written by hand; their weights were fitted on the training notes of the corpus (multinomial logistic
regression, weights not below 0, case reports of CodiEsp and single lines as documents of no type, which is worth LEAST).
Measured there with all notes on a topic left out: 0.92 right, 0.84 with the first line cut off; of the 127 visit notes
of another collection, never seen, all. Time: one look-up a word.
"""

from __future__ import annotations

import re
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

_Ones = dict[str, list[int]]
_Longer = dict[str, list[tuple[str, str, int]]]


class DocumentTypeReader:
    """Reads the type of a document, whatever accents it writes. Holds only the table: no state from one text to the next."""

    def __init__(self, path: Path) -> None:
        """Load a ``document_types.tsv``. Raises LexiconError."""
        self._by_heading: list[tuple[int, str, float]] = []
        self._rows: list[list[tuple[int, float]]] = []  # (type, weight) of each set of phrases
        # first word -> (last word, " the phrase ", row); one word alone leads to its rows
        self._phrases: tuple[_Ones, _Longer] = ({}, {})
        self._openings: tuple[_Ones, _Longer] = ({}, {})
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
                    if len(words) == 1:
                        ones.setdefault(cue, []).append(k)
                    else:
                        longer.setdefault(words[0], []).append((words[-1], f" {cue} ", k))
            self._rows[k].append((of, weight))

    def read(self, text: str, headings: set[str | None]) -> tuple[str | None, float]:
        """(type, its sum less the next best); (None, 0.0) where too little speaks for any type.

        headings: the canonical names of the sections in `text`.
        """
        scores = [0.0] * len(DOCUMENT_TYPES)
        for of, name, weight in self._by_heading:
            if name in headings:
                scores[of] += weight
        for row, times in zip(self._rows, self._found(text), strict=True):
            if times:
                for of, weight in row:
                    scores[of] += min(times, _MOST) * weight
        best, second = sorted(scores, reverse=True)[:2]
        return (DOCUMENT_TYPES[scores.index(best)], best - second) if best >= LEAST else (None, 0.0)

    def _found(self, text: str) -> list[int]:
        """How many different phrases of each row stand in the text."""
        # Titles stand at the top, "discharged home" and the signature at the end.
        sample = text if len(text) <= 4000 else text[:3000] + "\n" + text[-1000:]
        found = [0] * len(self._rows)
        for (ones, longer), part in ((self._phrases, sample), (self._openings, text[:_OPENING])):
            words = _WORDS.findall(fold(part.lower()))
            said, joined = set(words), f" {' '.join(words)} "  # a phrase is looked for in C
            for word in ones.keys() & said:
                for k in ones[word]:
                    found[k] += 1
            for word in longer.keys() & said:
                for last, phrase, k in longer[word]:
                    if last in said and phrase in joined:
                        found[k] += 1
        return found
