"""When a result should not be trusted: the note is unlike what the model was trained on.

Confidence is fitted on documents of some kind; of another kind it is a guess, and the result says so. The cut-offs were
measured on 442 notes that train the starter and 1,500 CodiEsp texts, half of them Spanish:

    language       function words: another language's exceed the model's own by 0.015 of the words at most in 1,192 English
                   texts, by 0.169 at least in 750 Spanish ones read by an English model; none is flagged wrongly
    unknown words  0.39 of a note at most in the English texts (a list of results), 0.50 at least in the Spanish ones
    length         visit notes of 414 words: calibration error 0.017; four joined to 1,700 words 0.064; their first 18
                   words 0.083, and precision falls from 0.72 to 0.53

Everything is counted from what the reading holds already, but for the function words of three stretches of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from codesuggest.asked import CHARGE_LINE
from codesuggest.errors import LexiconError
from codesuggest.note import Reading
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.records import Caution

WORDS = Path(__file__).parent / "pipes" / "function_words.tsv"
_STRETCH = 400  #: code points looked at, at the start, in the middle and at the end
LEAST = 3  #: function words by which another language must lead, whatever their share
FOREIGN = 0.08  #: by so much of the words another language's function words exceed the model's own
MARGIN = 0.1  #: unknown words may be by so much more than in the training notes
FAR = 2.0  #: so many times shorter or longer than nearly all of the training notes
_LETTERS = re.compile(r"[^\W\d_]+")
#: Every byte as the small letter it stands for, or as a blank.
_SMALL_LETTERS = bytes(ord(c.lower()) if c.isascii() and c.isalpha() else ord(" ") for c in map(chr, range(256)))


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What the notes were like that a model's ranker was fitted on, in numbers; saved in its manifest.

    words: the 1st and 99th percentile of their number of words. unknown: the 99th percentile of the share of words that
    neither code tables nor our lists hold. document_types: how many of each, as the model reads it.
    """

    words: tuple[float, float]
    unknown: float
    document_types: Mapping[str, int]

    @classmethod
    def of(cls, readings: Iterable[Reading]) -> TrainedOn | None:
        """None without a note."""
        rows = [(len(r.words), unknown_words(r), r.document_type) for r in readings]
        if not rows:
            return None
        low, high = np.quantile([n for n, _, _ in rows], [0.01, 0.99]).tolist()
        unknown = float(np.quantile([share for _, share, _ in rows], 0.99))
        types = Counter(kind for _, _, kind in rows if kind is not None)
        return cls((round(low, 1), round(high, 1)), round(unknown, 3), dict(sorted(types.items())))

    def to_dict(self) -> dict[str, Any]:
        return {"words": list(self.words), "unknown": self.unknown, "document_types": dict(self.document_types)}

    @classmethod
    def from_dict(cls, row: object) -> TrainedOn | None:
        """None for what is none: a model made before, or by hand."""
        if not isinstance(row, Mapping):
            return None
        try:
            low, high = row["words"]
            return cls((float(low), float(high)), float(row["unknown"]), dict(row["document_types"]))
        except (KeyError, TypeError, ValueError):
            return None


def cautions(reading: Reading, trained_on: TrainedOn | None, *, language: str, found: bool) -> tuple[Caution, ...]:
    """Reasons not to trust a result, in this order: language, nothing_found, length, document_type, unknown_words.

    language: of the model. found: whether any code was listed. trained_on: None gives the first two only.
    """
    out = []
    foreign = _foreign(reading.text, language)
    if foreign is not None:
        out.append(foreign)
    if not found:
        out.append(Caution("nothing_found", "nothing in the note is near a term of the code systems", 0, 1))
    if trained_on is not None and reading.document_type != CHARGE_LINE:
        out += _out_of_range(reading, trained_on)
    return tuple(out)


def _out_of_range(reading: Reading, trained_on: TrainedOn) -> list[Caution]:
    out, n, kind = [], len(reading.words), reading.document_type
    low, high = trained_on.words[0] / FAR, trained_on.words[1] * FAR
    if not low <= n <= high:
        bound, far = (low, "shorter") if n < low else (high, "longer")
        out.append(Caution("length", f"much {far} than the notes the model was trained on", n, round(bound, 1)))
    if kind is not None and trained_on.document_types and kind not in trained_on.document_types:
        said = f"the model was trained on no document of the type {kind.replace('_', ' ')}"
        out.append(Caution("document_type", said, 0, 1))
    share, most = unknown_words(reading), min(1.0, trained_on.unknown + MARGIN)
    if share > most:
        said = "many words that neither the code systems nor the training notes hold"
        out.append(Caution("unknown_words", said, round(share, 3), round(most, 3)))
    return out


def unknown_words(reading: Reading) -> float:
    """Share of the words that the vocabulary does not hold, in [0, 1]; 0 without a word."""
    n = len(reading.words)
    return 1 - np.count_nonzero(reading.in_vocabulary) / n if n else 0.0


def _foreign(text: str, language: str) -> Caution | None:
    of_word, names = _function_words()
    if language not in names:
        return None
    words = _words(" ".join(_stretches(text)))
    # another language leads by words that the model's own does not have: as nearly always, too few of them are there
    if sum(map(_strange(language).__contains__, words)) < LEAST:
        return None
    counts = Counter(chain.from_iterable(filter(None, map(of_word.get, words))))
    own = counts.pop(language, 0)
    other = max(counts, key=lambda name: (counts[name], name), default="")
    lead = counts[other] - own
    ahead = lead / max(1, len(words))
    if lead < LEAST or ahead < FOREIGN:
        return None
    return Caution(
        "language", f"reads like {names[other]}; the model knows {names[language]}", round(ahead, 3), FOREIGN
    )


@cache
def _strange(language: str) -> frozenset[str]:
    """Function words that are not of this language."""
    return frozenset(word for word, of in _function_words()[0].items() if language not in of)


def _words(text: str) -> list[str]:
    """Runs of letters, made small."""
    if text.isascii():  # the same in half of the time
        return text.encode("ascii").translate(_SMALL_LETTERS).decode("ascii").split()
    return _LETTERS.findall(text.lower())


def _stretches(text: str) -> Sequence[str]:
    if len(text) <= 3 * _STRETCH:
        return (text,)
    middle = (len(text) - _STRETCH) // 2
    return text[:_STRETCH], text[middle : middle + _STRETCH], text[-_STRETCH:]


@cache
def _function_words() -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, str]]:
    """Word -> the languages it is of; language -> its name. Raises LexiconError."""
    of_word: dict[str, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    for row in read_lexicon(WORDS, ("language", "name", "words", "source"), unique=("language",)):
        names[row["language"]] = row["name"]
        for word in row.items("words"):
            if _LETTERS.fullmatch(word) is None or word != word.lower():
                raise LexiconError(f"{WORDS.name}, line {row.line}: {word!r} is no word in lower case")
            of_word[word] = (*of_word.get(word, ()), row["language"])
    return of_word, names
