"""A note in pieces: what stands between white space, each kind of it read once for all notes.

    text -PieceReader.read-> Pieces: tokens, words with their normal forms, letters for the type of the document, marks

Nine of ten pieces of a note are words of the code tables or of our word lists, alone or with punctuation ("pain.", "(HTN)",
"2."). What a tokenizer and a word reader make of such a public piece is kept, in arrays, from the note that shows it first
(at most MOST of them; nothing changes but the time). A piece with any other word, a name or a number, may be the patient's:
it is read anew in each note and forgotten with it (invariant 5), by spaCy's tokenizer in a memory zone. A note of 2,700
characters takes 0.4 ms, where its tokenizer and word regex alone took 1.6.

The tokens are spaCy's, which looks at nothing but the piece itself; the few abbreviations with a space in them ("I & D") are
looked for beside.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise, product, repeat
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from spacy.attrs import IDX, LENGTH, LOWER  # type: ignore[import-not-found]
from spacy.strings import get_string_id

from codesuggest.pipes.phrases import WordReader, Words
from codesuggest.pipes.tokens import Tokens

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["MOST", "PieceReader", "Pieces", "cut", "is_public", "readable"]

MOST = 1 << 15  #: pieces kept: 10 MB
_PIECE = re.compile(r"\S+ ?|\s+")
_RUN = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[./,]\d+)*")
_PART = r"(?:[A-Za-z]+\d*|\d+)"  # no unit behind a figure, which would be a token of its own
_JOINED = re.compile(rf"{_PART}(?:[-/]{_PART})+")
_STOPPED = re.compile(r"(?:[a-z0-9]|[A-Z]{2})$")  # a stop behind these is cut off
_BETWEEN = "\v"  # between the pieces given to the tokenizer at once: white space that no rule of it speaks of
#: Bits of a mark: a piece that may be the first, or the second, of a word with a space in it ("I & D", "D and C").
_BEFORE, _BEHIND, _OWN = 1, 2, 2
_LONE = re.compile(r"(?:^|[\W_])[idt]&? $", re.IGNORECASE)
_JOINING = re.compile(r"&|and $|[dcea](?![^\W_])", re.IGNORECASE)

Ints = npt.NDArray[np.intp]
_Places = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def cut(text: str) -> list[str]:
    """The pieces of a text, which joined are the text: a stretch without white space, with one space behind it, or white space."""
    return _PIECE.findall(text)


_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG = re.compile(r"(?:[^\w\s]|_){24}|\S{500}")


def readable(text: str) -> tuple[str, list[str]]:
    """The text as spaCy can take it, every character at its place, and its pieces.

    Lone surrogates have no UTF-8. The tokenizer's time grows with the square of a run of punctuation or of a stretch
    without white space; no word has 24 of the one or 500 of the other, so the last character of such a run is read as a
    space.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _SURROGATE.sub("\ufffd", text)
    pieces = cut(text)
    if any(_LONG.search(piece) for piece in pieces if len(piece) >= 24):
        text = _LONG.sub(lambda m: m.group()[:-1] + " ", text)
        pieces = cut(text)
    return text, pieces


def is_public(piece: str, knows: Callable[[str], bool], common: Container[str]) -> bool:
    """Whether a piece says nothing of a patient: punctuation with a figure or two, with one word that `knows` says is public, or
    with several everyday ones ("follow-up", "x-ray", "2/6").

    Several words that are public but not common are not: so may a double name be made.
    """
    if len(piece) > 32:
        return False
    words = _RUN.findall(piece)
    if len(words) == 2 and words[1] in ("s", "t"):  # patient's, don't
        del words[1]
    figures = [word for word in words if word.isdecimal()]
    words = [word for word in words if not word.isdecimal()]
    if sum(map(len, figures)) > 2:
        return False
    if len(words) == 1 and not figures:
        return knows(words[0])
    return all(len(word) == 1 or word in common for word in [w.lower() for w in words[:1]] + words[1:])


class _Read(NamedTuple):
    """What was read of one piece; places are counted from its start."""

    start: tuple[int, ...]  # of its tokens
    end: tuple[int, ...]
    lower: tuple[int, ...]
    word_start: tuple[int, ...]
    word_end: tuple[int, ...]
    forms: tuple[tuple[str, ...], ...]  # of each word
    letters: str
    mark: int


class _Ragged:
    """Columns of numbers, several rows for each entry. Entry 0 has none."""

    def __init__(self, *types: type) -> None:
        self._first, self._count = np.zeros(1, np.intp), np.zeros(1, np.intp)  # rows of each entry
        self._columns: list[npt.NDArray[Any]] = [np.zeros(1, kind) for kind in types]
        self._entries, self._rows = 1, 0

    def add(self, entries: Sequence[Sequence[Sequence[int]]]) -> int:
        """The number of the first of these new entries, each given by its columns. By one thread at a time."""
        first, count = self._entries, [len(columns[0]) for columns in entries]
        stops = list(accumulate(count, initial=self._rows))
        self._first, self._count = _with(self._first, first, stops[:-1]), _with(self._count, first, count)
        for k, column in enumerate(self._columns):
            rows = list(chain.from_iterable(columns[k] for columns in entries))
            self._columns[k] = _with(column, self._rows, rows)
        self._entries, self._rows = first + len(entries), stops[-1]
        return first

    def take(
        self, entries: Ints, odd: Sequence[int], own: Sequence[Sequence[Sequence[int]]]
    ) -> tuple[list[npt.NDArray[Any]], Ints, list[int]]:
        """The columns of the rows of `entries` behind one another, how many rows each has, and which rows are those of `odd`.
        Entries at the places `odd` are 0 and have the rows `own` instead, each given by its columns."""
        count = self._count.take(entries)
        many = [len(columns[0]) for columns in own]
        count[odd] = many
        ends = count.cumsum(dtype=np.intp)
        place = (self._first.take(entries) - ends + count).repeat(count)
        place += np.arange(len(place))
        found = [column.take(place, mode="clip") for column in self._columns]
        rows = [row for end, n in zip(ends.take(odd).tolist(), many, strict=True) for row in range(end - n, end)]
        for k, column in enumerate(found):
            column[rows] = list(chain.from_iterable(columns[k] for columns in own))
        return found, count, rows


def _sums(count: Ints) -> Ints:
    """How many stand before each, and at the end how many all are."""
    out = np.zeros(len(count) + 1, np.intp)
    np.cumsum(count, out=out[1:])
    return out


def _with(column: npt.NDArray[Any], first: int, values: Sequence[Any]) -> npt.NDArray[Any]:
    """A column with these values from place `first` on, the same one if it has room for them."""
    last = first + len(values)
    column = _room(column, last)
    column[first:last] = np.fromiter(values, column.dtype, len(values))
    return column


def _room(column: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """A column with at least so many places, the same one if it has them."""
    if len(column) >= size:
        return column
    wide = np.zeros(max(size, 2 * len(column)), column.dtype)
    wide[: len(column)] = column
    return wide


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """A note in k pieces.

    at: intp (k + 1,), where each starts and the last ends, code points. mark: uint16 (k,), what `PieceReader` was told to say of
    them. tokens: without sentences. words, form, word: as `note.Reading` has them. letters: of each piece.
    """

    text: str
    at: Ints
    mark: npt.NDArray[np.uint16]
    tokens: Tokens
    words: Words
    form: Ints
    word: Ints
    letters: list[str]
    letters_anew: Callable[[str], str]  # those of a text that is no piece

    def letters_of(self, start: int, end: int) -> str:
        """Letters of the words of a stretch of the text, which may begin and end within a piece."""
        first, last = self.at.searchsorted(start).item(), self.at.searchsorted(end, side="right").item() - 1
        if first > last:  # within one piece
            return self.letters_anew(self.text[start:end])
        whole = "".join(self.letters[first:last])
        before, behind = self.text[start : self.at.item(first)], self.text[self.at.item(last) : end]
        return f"{self.letters_anew(before)}{whole}{self.letters_anew(behind)}" if before or behind else whole


class PieceReader:
    """Reads texts piece by piece, and keeps the public ones. Safe to share between threads."""

    def __init__(
        self,
        nlp: Language,
        words: WordReader,
        form_ids: dict[str, int],
        letters: Callable[[str], str],
        mark: Callable[[str], int],
        common: Iterable[str],
        listed: Container[str] = (),
    ) -> None:
        """nlp: whose tokenizer cuts, a pipeline of our own. form_ids: normal form -> its id. letters, mark: what else is to be
        known of a piece, a mark of 14 bits. common, listed: words that are public beside those `words` knows, lower case;
        common ones even if several make one piece."""
        tokenizer: Any = nlp.tokenizer
        self._nlp, self._words, self._ids = nlp, words, form_ids
        self._letters_of, self._mark_of = letters, mark
        self._common, self._listed = frozenset(common), listed
        self._rules = tokenizer.rules or {}
        # marks that are cut off any word, a stop off most, with their hashes
        self._ends = {mark: get_string_id(mark) for mark in ",;:." if tokenizer.find_suffix(f"ab{mark}") == 1}
        # marks that part a word, by whether letters stand before and behind them
        self._parting = {
            (mark, before.isalpha(), behind.isalpha()): get_string_id(mark)
            for mark, before, behind in product("-/", ("ab", "12"), ("cd", "34"))
            if tokenizer.find_infix(f"{before}{mark}{behind}")
        }
        self._joined_rules = [rule for rule in self._rules if _JOINED.fullmatch(rule)]
        self._kept: dict[str, int] = {}  # public piece -> its entry in what follows
        self._tokens = _Ragged(np.int64, np.int64, np.uint64)
        self._placed = _Ragged(np.intp, np.intp, np.intp)  # words: start, end, entry in `_spelt`
        self._sizes, self._marks, self._letters = np.zeros(1, np.intp), np.zeros(1, np.uint16), np.array([""], object)
        self._spelt = _Ragged(np.intp)  # ids of the normal forms of a word
        self._form_entry: dict[
            tuple[str, ...], int
        ] = {}  # normal forms of a word -> their entry there, and in what follows
        self._forms, self._many = np.zeros(1, object), np.zeros(1, np.intp)  # the forms, how many they are; of none, 0
        self._one = Lock()  # a vocabulary with memory zones serves one thread at a time

    def read(self, text: str) -> Pieces:
        return self.read_some([(text, cut(text))])[0]

    def read_some(self, notes: Sequence[tuple[str, list[str]]]) -> list[Pieces]:
        """What `read` makes of a few texts, in less time than one after the other. Beside each text: `cut(text)`."""
        raw = notes[0][1] if len(notes) == 1 else list(chain.from_iterable(pieces for _, pieces in notes))
        entries = np.fromiter(map(self._kept.get, raw, repeat(0)), np.intp, len(raw))
        odd: list[int] = (entries == 0).nonzero()[0].tolist()
        own: list[_Read] = []
        if odd:
            new = self._read({raw[k]: None for k in odd})
            own = [new[raw[k]] for k in odd]
        size, mark, letters = self._sizes.take(entries), self._marks.take(entries), self._letters.take(entries).tolist()
        for k, read in zip(odd, own, strict=True):
            size[k], mark[k], letters[k] = len(raw[k]), read.mark, read.letters
        at = _sums(size)
        (start, end, lower), count, _ = self._tokens.take(entries, odd, [r[:3] for r in own])
        base = at[:-1].repeat(count)
        start, end = start + base, end + base
        joins: list[int] = (mark[:-1] & _BEFORE).nonzero()[0].tolist()
        joins = [k for k in joins if mark[k + 1] & _BEHIND]
        words, form, word, of_words, of_forms = self._said(entries, odd, own, at)
        mark >>= np.uint16(_OWN)
        stops = list(accumulate((len(pieces) for _, pieces in notes), initial=0))
        if len(notes) == 1:
            whole = Tokens(notes[0][0], start, end, lower, None)
            found = [Pieces(notes[0][0], at, mark, whole, words, form, word, letters, self._letters_of)]
        else:
            found = []
            places = (at.take(stops), _sums(count).take(stops), _sums(of_words).take(stops))
            rows = zip(*(column.tolist() for column in (*places, _sums(of_forms).take(places[2]))), strict=True)
            for (text, _), (a, b), (one, other) in zip(notes, pairwise(stops), pairwise(rows), strict=True):
                (begin, t, w, f), (_, u, x, g) = one, other
                own_words = Words(words.start[w:x] - begin, words.end[w:x] - begin, words.forms[w:x], words.many[w:x])
                tokens = Tokens(text, start[t:u] - begin, end[t:u] - begin, lower[t:u], None)
                found.append(
                    Pieces(text, at[a : b + 1] - begin, mark[a:b], tokens, own_words, form[f:g], word[f:g] - w,
                           letters[a:b], self._letters_of)
                )  # fmt: skip
            joins = [k for k in joins if k + 1 not in stops]
        for n in {bisect_right(stops, k) - 1 for k in joins}:
            said = self._words.read(notes[n][0])
            form, word = self.forms(said.forms)
            found[n] = replace(found[n], words=said, form=form, word=word)
        return found

    def _said(self, entries: Ints, odd: list[int], own: list[_Read], at: Ints) -> tuple[Words, Ints, Ints, Ints, Ints]:
        """The words of the pieces with their normal forms; how many words each piece has, and each word forms in the vocabulary."""
        (start, end, spelt), count, mine = self._placed.take(
            entries, odd, [(r.word_start, r.word_end, (0,) * len(r.forms)) for r in own]
        )
        base = at[:-1].repeat(count)
        forms = self._forms.take(spelt).tolist()
        told = list(chain.from_iterable(r.forms for r in own))
        many = self._many.take(spelt)
        for k, form in zip(mine, told, strict=True):
            forms[k], many[k] = form, len(form)
        (ids,), held, _ = self._spelt.take(spelt, mine, [(self._known_ids(own_forms),) for own_forms in told])
        word = np.arange(len(forms)).repeat(held)
        return Words(start + base, end + base, forms, many), ids, word, count, held

    def _known_ids(self, forms: tuple[str, ...]) -> list[int]:
        return [self._ids[form] for form in forms if form in self._ids]

    def forms(self, forms: list[tuple[str, ...]]) -> tuple[Ints, Ints]:
        """Ids of the forms in the vocabulary and the word each belongs to, sorted by word."""
        get = self._ids.get
        flat = np.array([get(form, -1) for own in forms for form in own], np.intp)
        word = np.repeat(np.arange(len(forms), dtype=np.intp), np.fromiter(map(len, forms), np.int64, len(forms)))
        held = flat >= 0
        return flat[held], word[held]

    def _read(self, pieces: Iterable[str]) -> dict[str, _Read]:
        """Reads pieces that are not kept, and keeps the public ones."""
        found: dict[str, _Read] = {}
        pieces = list(pieces)
        with self._one:
            rest = []
            for piece in pieces:
                read = self._plain(piece)
                if read is None:
                    rest.append(piece)
                else:
                    found[piece] = read
            for piece, places in zip(rest, self._tokenized(rest), strict=True):
                spans, forms = self._words.cut(piece)
                word_start, word_end = tuple(a for a, _ in spans), tuple(b for _, b in spans)
                found[piece] = _Read(
                    *places, word_start, word_end, tuple(forms), self._letters_of(piece), self._marked(piece)
                )
            self._keep({p: read for p, read in found.items() if p not in self._kept and self._is_public(p, read.forms)})
        return found

    def _plain(self, piece: str) -> _Read | None:
        """White space, a number, or plain letters and figures that no rule of the tokenizer speaks of, alone or with hyphens and
        slashes between: their tokens are known, as `quick.py` says of a word, and that of a mark behind them. None for any other
        piece."""
        if piece.isspace():
            return _Read((0,), (len(piece),), (0,), (), (), (), "", self._marked(piece))
        text = piece.rstrip(" ")
        word = text if text[-1] not in self._ends else text[:-1]
        if not word.isascii() or word in self._rules or text in self._rules:
            return None
        if text[-1] == "." and not _STOPPED.search(word):
            return None
        n, said = len(word), word.lower()
        if word.isalpha() or _NUMBER.fullmatch(word):
            start, end, lower = [0], [n], [get_string_id(said)]
        elif _JOINED.fullmatch(word) and not self._has_rule(text):
            start, end, lower = self._parted(said)
        else:
            return None
        if text is not word:
            start.append(n)
            end.append(n + 1)
            lower.append(self._ends[text[-1]])
        spans, forms = self._words.cut(word)
        word_start, word_end = tuple(a for a, _ in spans), tuple(b for _, b in spans)
        places = tuple(start), tuple(end), tuple(lower)
        return _Read(*places, word_start, word_end, tuple(forms), self._letters_of(word), self._marked(piece))

    def _has_rule(self, joined: str) -> bool:
        """Whether a rule of the tokenizer speaks of a part of this, as that of "w/o", or of its last with a mark behind ("vs.")."""
        return any(rule in joined for rule in self._joined_rules) or re.split("[-/]", joined)[-1] in self._rules

    def _parted(self, joined: str) -> tuple[list[int], list[int], list[int]]:
        """Start, end and hash of the tokens of words or numbers with marks between."""
        start, end, lower = [0], [], []
        for k, mark in enumerate(joined):
            if mark in "-/" and (
                parting := self._parting.get((mark, joined[k - 1].isalpha(), joined[k + 1].isalpha()))
            ):
                lower += [get_string_id(joined[start[-1] : k]), parting]
                end += [k, k + 1]
                start += [k, k + 1]
        return start, [*end, len(joined)], [*lower, get_string_id(joined[start[-1] :])]

    def _marked(self, piece: str) -> int:
        mark = self._mark_of(piece) << _OWN
        if len(piece) < 5 or not piece[:4].isalpha():
            mark |= _BEFORE * bool(_LONE.search(piece)) | _BEHIND * bool(_JOINING.match(piece))
        return mark

    def _is_public(self, piece: str, forms: tuple[tuple[str, ...], ...]) -> bool:
        """forms: of the words of the piece. A word is public that the code tables or our lists hold, or, in small letters, an
        inflection of one: no name is written so."""

        def knows(word: str) -> bool:
            low = word.lower()
            if low in self._common or low in self._listed or self._words.knows(low):
                return True
            ids = self._ids
            return word == low and any(forms) and all(form in ids for own in forms for form in own)

        return is_public(piece, knows, self._common)

    def _tokenized(self, pieces: list[str]) -> list[_Places]:
        """Start, end and hash of the small letters of the tokens of each, by the tokenizer."""
        if not pieces:
            return []
        texts = [piece.rstrip(" ") for piece in pieces]
        with self._nlp.memory_zone():
            table = self._nlp.tokenizer(_BETWEEN.join(texts)).to_array([IDX, LENGTH, LOWER])
        start, end, lower = table[:, 0].tolist(), (table[:, 0] + table[:, 1]).tolist(), table[:, 2].tolist()
        found: list[_Places] = []
        at = first = 0
        for text in texts:
            last = bisect_left(start, at + len(text), first)
            found.append(
                (
                    tuple(a - at for a in start[first:last]),
                    tuple(b - at for b in end[first:last]),
                    tuple(lower[first:last]),
                )
            )
            at, first = at + len(text) + 1, last + 1
        return found

    def _keep(self, pieces: dict[str, _Read]) -> None:
        room = MOST - len(self._kept)
        kept = dict(list(pieces.items())[:room]) if len(pieces) > room else pieces
        if not kept:
            return
        new = [
            f for f in dict.fromkeys(chain.from_iterable(r.forms for r in kept.values())) if f not in self._form_entry
        ]
        if new:
            entry = self._spelt.add([(self._known_ids(forms),) for forms in new])
            self._forms, self._many = _with(self._forms, entry, new), _with(self._many, entry, list(map(len, new)))
            self._form_entry.update((forms, entry + k) for k, forms in enumerate(new))
        of = self._form_entry.__getitem__
        first = self._tokens.add([read[:3] for read in kept.values()])
        self._placed.add([(r.word_start, r.word_end, tuple(map(of, r.forms))) for r in kept.values()])
        self._sizes = _with(self._sizes, first, list(map(len, kept)))
        self._marks = _with(self._marks, first, [read.mark for read in kept.values()])
        self._letters = _with(self._letters, first, [read.letters for read in kept.values()])
        # last, so that a reader of another thread finds whatever it is led to
        self._kept.update((piece, first + k) for k, piece in enumerate(kept))
