"""Words of a note as the term index knows them, and the clinical phrases they form.

Order of work: `WordReader.read` cuts the text into words (offsets kept), brings each to its normal form and expands
abbreviations; `phrase_runs` joins neighbouring clinical words to phrases. The normal form of a word is the stem of its
canonical word: *renal* and *kidneys* both read `kidney` (words.tsv), *T2DM* reads `type 2 diabet` (abbreviations.tsv).
The terms of the code systems go through the same reader, so both sides always agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from codesuggest.pipes.language import DEFAULT, Language, language
from codesuggest.pipes.lexicon import read_lexicon

# "ICD-10-CM", "BI-RADS", "CKD-EPI" (a formula), "ex-smoker", "s/p", "n/v/d", "I&D", "D and C" and "w/" are one word; "9.1" is one;
# "right-sided" and "knee/hip" are two; possessive 's is dropped
_WORD = re.compile(
    r"\bicd-?(?:9|10)(?:-?cm|-?pcs)?\b|(?<![^\W_])(?:bi|ti|pi|li|lung|cad|vi|o)-rads(?![^\W_])"
    r"|(?<![^\W_])(?:ckd-epi|ex-smokers?)(?![^\W_])"
    r"|(?<![^\W_])[a-z](?:/[a-z]){1,2}(?![^\W_/])"
    r"|(?<![^\W_])(?:[a-z]&[a-z]|i ?& ?d|d ?& ?[ce]|t ?& ?a|i and d|d and c|t and a)(?![^\W_])"
    r"|(?<![^\W_])w/|\d+\.\d+|(?<=[^\W_])['’]s(?![^\W_])|[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*",
    re.IGNORECASE,
)
#: Kinds of `qualifiers.tsv`: words without which a term means something else. `WordReader.qualifiers` numbers them from 1.
QUALIFIERS = ("past", "family", "purpose", "state")
PAST, RELATIVE = 1, 2
#: Kinds of `routes.tsv`: words that lead a statement to a code of its own, and those that say it was refused. `WordReader.routes`
#: holds them as bits, 1 << number.
ROUTES = ("screening", "immunization", "contact", "negative", "not_done")
#: Numbers that titles have otherwise than notes: the whole part of a two-digit measure, and weeks with days of gestation.
_DECIMAL = re.compile(r"([1-9]\d)\.\d{1,2}")
_GESTATION = re.compile(r"([1-9]?\d)w[0-6]d?")


_READ_BY = ("cues", "document_types", "drugs", "effects", "induced", "results", "sections", "signs")


def common_words(folder: Path | None = None) -> tuple[str, ...]:
    """Everyday words of clinical notes, lower case: worth knowing before the first note. They change no result."""
    folder = folder or language(DEFAULT).folder
    return tuple(row["word"] for row in read_lexicon(folder / "common.tsv", ("word", "source"), unique=("word",)))


def listed_words(folder: Path) -> frozenset[str]:
    """Every word, in small letters, of the lists that reading goes by: what stands in a list of ours is nobody's own (5 ms)."""
    lists = [path for path in sorted(folder.glob("*.tsv")) if path.stem in _READ_BY]
    text = "\n".join(path.read_bytes().decode("utf-8") for path in lists).lower()
    return frozenset(re.findall(r"[^\W\d_]{2,}", text))


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one text, in order.

    start, end: intp (n,), code points of the text, end exclusive.
    forms: for each word its normal forms: one, several for an abbreviation, none for a word without meaning here.
    many: intp (n,), how many these are.
    """

    start: npt.NDArray[np.intp]
    end: npt.NDArray[np.intp]
    forms: list[tuple[str, ...]]
    many: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.forms)

    def with_more(self, start: list[int], end: list[int], forms: list[tuple[str, ...]]) -> Words:
        """These words and more behind them."""
        columns = ((self.start, start), (self.end, end), (self.many, list(map(len, forms))))
        starts, ends, many = (np.append(own, np.array(more, np.intp)) for own, more in columns)
        return Words(starts, ends, self.forms + forms, many)


class WordReader:
    """Brings words to their normal form by the word lists of one language. Accents make no difference.

    Nothing of a text is kept between calls: the only cache is filled by `learn` with words of the code systems.
    """

    def __init__(self, spoken: Language | None = None) -> None:
        """spoken: English unless given. Raises LexiconError."""
        self.language = spoken or language(DEFAULT)
        folder, plain = self.language.folder, self.language.fold
        self._stem = self.language.new_stemmer()
        same = read_lexicon(folder / "words.tsv", ("form", "canonical", "source"), unique=("form",))
        self._same: dict[str, str] = {}
        canonical = {plain(row["form"]): self._form(plain(row["canonical"])) for row in same}
        #: By stem, and before that as the list spells it: of two words with one stem each keeps its own.
        self._same = {**{self._form(word): form for word, form in canonical.items()}, **canonical}
        stop = read_lexicon(folder / "stopwords.tsv", ("word", "kind", "source"), unique=("word",))
        self._stop = {plain(row["word"]) for row in stop if row.choice("kind", ("stop", "general")) == "stop"}
        self._general = {self._form(plain(row["word"])) for row in stop if row["kind"] == "general"}
        words = read_lexicon(folder / "qualifiers.tsv", ("word", "kind", "source"), unique=("word",))
        #: Normal form -> its number in QUALIFIERS, from 1.
        self.qualifiers = {
            self._form(plain(r["word"])): QUALIFIERS.index(r.choice("kind", QUALIFIERS)) + 1 for r in words
        }
        leading = read_lexicon(folder / "routes.tsv", ("word", "route", "source"), unique=("word",))
        self.routes = {self._form(plain(r["word"])): 1 << ROUTES.index(r.choice("route", ROUTES)) for r in leading}
        self._abbreviations: dict[str, tuple[str, ...]] = {}
        self._capitals: dict[str, tuple[str, ...]] = {}
        abbreviations = read_lexicon(
            folder / "abbreviations.tsv", ("form", "expansion", "case", "source"), unique=("form", "case")
        )
        for row in abbreviations:
            spelt = plain(row["expansion"]).split()
            # a stop word that stands for itself is one in small letters only: "a" is, the A of "hepatitis A" is not
            forms = tuple(dict.fromkeys(self._form(w) for w in spelt if w not in self._stop or spelt == [row["form"]]))
            if row.choice("case", ("any", "upper")) == "upper":
                self._capitals[plain(row["form"]).upper()] = forms
            else:
                self._abbreviations[plain(row["form"])] = forms
        self._known: dict[str, tuple[str, ...]] = {}

    def _form(self, word: str) -> str:
        if (form := self._same.get(word)) is not None:
            return form
        stem = word if len(word) < 4 or word.isdecimal() else self._stem(word)  # "ICS" is no plural
        return self._same.get(stem, stem)

    def _forms(self, raw: str) -> tuple[str, ...]:
        forms = self._capitals.get(raw)
        if forms is None:
            word = raw.lower()
            forms = self._known.get(word)
            if forms is None:
                forms = self._new(word)
        return forms

    def _new(self, word: str) -> tuple[str, ...]:
        word = self.language.fold(word)
        if word in self._abbreviations:
            return self._abbreviations[word]
        if word in self._stop or word[:1] in ("", "'", "’") or len(word) > 40:
            return ()
        if word[0].isdigit():
            if (number := _DECIMAL.fullmatch(word)) is not None:
                return word, number[1]  # a BMI of 36.4 is coded by its 36
            if (number := _GESTATION.fullmatch(word)) is not None:
                return number[1], self._form("weeks"), self._form("gestation")
        return (self._form(word),)

    def learn(self, words: Iterable[str]) -> None:
        """Remember the normal forms of these words (of code tables, never of notes): most of the time of `read`."""
        for word in words:
            low = word.lower()
            if low not in self._known:
                self._known[low] = self._forms(low)

    def known(self) -> dict[str, str]:
        """What `learn` remembered: word -> its form, of words with exactly one."""
        return {w: forms[0] for w, forms in self._known.items() if len(forms) == 1 and w not in self._abbreviations}

    def know(self, forms: Mapping[str, str]) -> None:
        """Take over what another reader of the same word lists learned."""
        self._known.update((w, (f,)) for w, f in forms.items())

    def abbreviate(self, written: str, forms: tuple[str, ...]) -> None:
        """Read a word as these forms, before what the lists say: in small letters however a note writes it, else as written."""
        if written != written.lower():
            self._capitals[written] = forms
            return
        self._capitals.pop(written.upper(), None)
        self._abbreviations[self.language.fold(written)] = self._known[written] = forms

    def knows(self, word: str) -> bool:
        """Whether the code tables or the word lists hold this word, lower case: it is nobody's own then."""
        return (
            word in self._known or word in self._abbreviations or word in self._stop or word.upper() in self._capitals
        )

    def cut(self, text: str) -> tuple[list[tuple[int, int]], list[tuple[str, ...]]]:
        """Where each word of a text starts and ends, and its normal forms."""
        if text.isascii() and text.isalnum():
            return [(0, len(text))], [self._forms(text)]
        spans = [m.span() for m in _WORD.finditer(text)]
        words = [text[a:b] for a, b in spans]
        if len(words) < 4:
            return spans, [self._forms(word) for word in words]
        of = {word: self._forms(word) for word in set(words)}  # a note says half of its words more than once
        return spans, [of[word] for word in words]

    def read(self, text: str) -> Words:
        spans, forms = self.cut(text)
        place = np.array(spans, np.intp).reshape(-1, 2)
        many = np.fromiter(map(len, forms), np.intp, len(forms))
        return Words(np.ascontiguousarray(place[:, 0]), np.ascontiguousarray(place[:, 1]), forms, many)

    def forms_of(self, text: str) -> tuple[str, ...]:
        """Normal forms of a term, in order, each once."""
        return tuple(dict.fromkeys(f for forms in self.read(text).forms for f in forms))

    def is_general(self, form: str) -> bool:
        """A word found in terms but too general to name a finding by itself (*day*, *left*, *normal*)."""
        return form in self._general


_LINKS = 2  # words without a meaning of their own that a phrase may hold in a row
_MARKS = ",;:.()[]|\n\r\t"  #: and "•", which alone of them is no letter of Latin-1
_IS_MARK = bytes(chr(letter) in _MARKS for letter in range(256))  #: for `bytes.translate`


def phrase_runs(
    words: Words,
    clinical: npt.NDArray[np.bool_],
    weak: npt.NDArray[np.bool_],
    group: Sequence[int] | npt.NDArray[np.intp],
    text: str,
) -> npt.NDArray[np.intp]:
    """First and last word of every phrase, intp (p, 2), in text order, last inclusive.

    A phrase is a run of words of one group (a sentence part with one assertion) that begins and ends with a clinical
    or weak word and holds a clinical one; between its words stands no punctuation, and at most two link words (*of
    the*). `clinical`, `weak`: bool (n,), link words are those of which neither holds but whose form list is empty.
    """
    usable = clinical | weak
    place = usable.nonzero()[0]
    if not len(place):
        return np.zeros((0, 2), np.intp)
    letters = text.replace("•", "|").encode("latin-1", "replace")  # a byte for each, "?" for those behind Latin-1
    marks = np.frombuffer(letters.translate(_IS_MARK), bool).nonzero()[0]
    # what parts two neighbouring usable words is counted, not looked at: marks in the gaps between words, changes of group, words
    # with a meaning of their own
    own = np.asarray(group)
    parts = (words.many > 0) & ~usable
    parts[1:] |= own[1:] != own[:-1]
    behind = words.end.searchsorted(marks, side="right")  # the word that each mark stands in, or else before
    parts[behind.compress(marks < words.start.take(behind, mode="clip"))] = True
    parted = parts.cumsum(dtype=np.intp).take(place)
    begins = np.ones(len(place) + 1, bool)  # the last place: where one more would begin
    begins[1:-1] = (parted[1:] > parted[:-1]) | (place[1:] - place[:-1] > 1 + _LINKS)
    bounds = begins.nonzero()[0]
    runs = np.empty((len(bounds) - 1, 2), np.intp)
    runs[:, 0], runs[:, 1] = place.take(bounds[:-1]), place.take(bounds[1:] - 1)
    return runs.compress(np.logical_or.reduceat(clinical.take(place), bounds[:-1]), axis=0)
