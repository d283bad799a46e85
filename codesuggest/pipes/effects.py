"""What a note says of the effect of a drug or a poison: harm of one taken as meant, too little of one taken, too much, contact
with a poison.

Codes T36-T65 are these statements (I.C.19.e, FY2026). Nobody writes their titles, and the name of the drug alone, which stands in
every list of medicines, says nothing. So a name counts only beside a cue in its sentence.

    "cough from lisinopril"              adverse effect          T46.4X5
    "ran out of his furosemide"          underdosing             T50.1X6, and why (Z91.12-, Z91.13-, Z91.14-)
    "took 30 tylenol to end her life"    poisoning, self-harm    T39.1X2
    "rash due to bactrim"                also what the harm is called when a drug did it: L27.0

`drugs.tsv` leads from a name to the beginning of its codes, up to the character that tells the intent; `effects.tsv` holds the
cues; `induced.tsv` the findings that have a code of their own where a drug is the cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from codesuggest.pipes.lexicon import Row, read_lexicon

KINDS = ("adverse", "underdosing", "poisoning", "toxic", "none")
PLACES = ("before", "after", "note", "near")
#: Character of the code that tells the intent.
ACCIDENT, SELF_HARM, UNDETERMINED, ADVERSE, UNDERDOSING = "1", "2", "4", "5", "6"
#: Why too little was taken, and its code (tabular at Z91.1, FY2026); the first that is said is the likeliest.
REASONS = {"cost": "Z91120", "memory": "Z91130", "lapse": "Z91138", "choice": "Z91128"}
UNTOLD = "Z91148"  #: and where nothing is said
#: Codes from here on are of substances that are no medicine: no adverse effect, no underdosing.
FIRST_POISON = "T51"
#: Of what is taken for its effect, harm is no adverse effect of a drug taken as meant.
_ABUSED = ("T401", "T405", "T407", "T408", "T4364", "T4365")
_UNNAMED = "T5090"  #: "medication"
_REACH = 90  #: characters before and behind a name that its cue stands in
_WORD = r"[\w/'%+-]+(?:\.\d+)?[ \n(]+"  #: one that may stand between a cue and the name
_JOINED = re.compile(r"[\s,/&+]*(?:and|or|plus|with)?[\s,/&+]*(?:(?:his|her|the|their)\s+)?")


class Stated(NamedTuple):
    """A statement that stands for codes. start, end: of the name in the text. begin: of the codes, undotted. sure: in (0, 1].
    said: whether the cue itself says what did not happen ("not taking"), so that the word is not to be read as denied."""

    start: int
    end: int
    begin: str
    sure: float
    said: bool


class _Cue(NamedTuple):
    kind: str
    place: str
    sure: float
    pattern: re.Pattern[str]


class _Told:
    """Which of some regexes made of lists of words a text may match, by its own words: nearly always none."""

    def __init__(self) -> None:
        self.whole: dict[
            str, list[tuple[frozenset[str], int]]
        ] = {}  # longest word -> it and those beside it, number of the regex
        self.begun: list[tuple[str, int]] = []  # how one begins that has no word in full

    def add(self, words: str, number: int) -> None:
        """Words that a match of the regex with this number may be."""
        full = [word for part in words.split() if "*" not in part for word in _FIRST.findall(part)]
        if full:
            self.whole.setdefault(max(full, key=len), []).append((frozenset(full), number))
        else:
            self.begun.append((words.partition("*")[0], number))

    def by(self, text: str) -> set[int]:
        """The numbers of all that match the text, and perhaps others."""
        said = set(_FIRST.findall(text))
        found = {number for word in self.whole.keys() & said for words, number in self.whole[word] if words <= said}
        return found.union(number for beginning, number in self.begun if beginning in text)


@dataclass(frozen=True, slots=True)
class _Induced:
    pattern: re.Pattern[str]
    drugs: tuple[str, ...]  #: beginnings of the codes of drugs it is for, () for all
    code: str


def _pattern(words: str) -> str:
    """Words of a cue as a regex: "*" leaves a word open, "[*]" stands for up to three words."""
    out = re.escape(words).replace(r"\[\*\]\ ", r"(?:[\w'-]+ ){0,3}").replace(r"\*", r"\w*").replace(r"\ ", r"[\s]+")
    return out


class EffectReader:
    """Reads one language's lists; a language without them states nothing."""

    def __init__(self, folder: Path) -> None:
        self._names: dict[str, list[tuple[str, str]]] = {}
        for row in read_lexicon(folder / "drugs.tsv", ("name", "begin", "source"), unique=("name",)):
            if row["name"] != row["name"].lower():
                raise row.error("names are written in small letters")
            self._names.setdefault(_FIRST.match(row["name"])[0], []).append((row["name"], row["begin"]))  # type: ignore[index]
        for own in self._names.values():
            own.sort(key=lambda pair: -len(pair[0]))
        rows = read_lexicon(
            folder / "effects.tsv", ("kind", "place", "words", "sure", "source"), unique=("place", "words")
        )
        self._cues, self._told = _compiled(rows)
        self._intent = _signs(_INTENTS, rows, r"(?<!no )(?<!denies )(?<!not )(?<!non-)")
        self._reasons = _signs(REASONS, rows)
        self._induced: list[_Induced] = []
        self._harm = _Told()
        for row in read_lexicon(folder / "induced.tsv", ("words", "drugs", "code", "source"), optional=("drugs",)):
            either = "|".join(map(_pattern, row.items("words")))
            for words in row.items("words"):
                self._harm.add(words, len(self._induced))
            self._induced.append(_Induced(re.compile(rf"\b(?:{either})\b"), row.items("drugs"), row["code"]))

    def may_name(self, piece: str) -> bool:
        """Whether a name may begin in this stretch of text between white space, with the blank behind it."""
        low = _small(piece)
        for word in _FIRST.finditer(low):
            for name, _ in self._names.get(word[0], ()):
                if low.startswith(name[: name.find(" ") + 1] or name, word.start()):
                    return True
        return False

    def read(
        self, text: str, sentences: Sequence[tuple[int, int]], where: Iterable[tuple[int, int]] | None = None
    ) -> list[Stated]:
        """All statements, by place. sentences: (start, end) in order. where: the stretches in which a name may begin, by who knows
        them."""
        where = [(0, len(text))] if where is None else list(where)
        if not where:
            return []
        low = _small(text)
        found = list(self._mentions(low, where))
        if not found:
            return []
        out: list[Stated] = []
        intent: str | None = None
        at = 0
        last: tuple[int, _Cue, int] | None = (
            None  # end of the name before in the same sentence, and what was said of it
        )
        for start, end, begin in found:
            while at + 1 < len(sentences) and sentences[at][1] <= start:
                at += 1
                last = None
            a, b = sentences[at] if sentences else (0, len(low))
            cue = self._cue(low, max(a, start - _REACH), start, end, min(max(b, end), end + _REACH), begin)
            if cue is None and last is not None and _JOINED.fullmatch(low, last[0], start):
                cue = last[1]
            last = (end, cue, start) if cue is not None else None
            if cue is None or cue.kind == "none":
                continue
            if begin.startswith(_UNNAMED):
                cue = cue._replace(sure=0.7 * cue.sure)
            if cue.kind in ("poisoning", "toxic"):
                intent = intent or self._intent_of(low)
                out.append(Stated(start, end, begin + intent, cue.sure, True))
            elif cue.kind == "underdosing":
                out.append(Stated(start, end, begin + UNDERDOSING, cue.sure, True))
                out += [
                    Stated(start, end, code, sure, True) for code, sure in self._reason(low[max(0, a - 200) : b + 200])
                ]
            else:
                out.append(Stated(start, end, begin + ADVERSE, cue.sure, False))
                out += self._harms(low, a, b, start, end, begin, cue.sure)
        return out

    def _mentions(self, low: str, where: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
        """(start, end, beginning of its codes) of every name, the longest at each place."""
        stop = 0
        for word in chain.from_iterable(_FIRST.finditer(low, start, end) for start, end in where):
            own = self._names.get(word[0])
            if own is None or word.start() < stop:
                continue
            start = word.start()
            for name, begin in own:
                stop_here = start + len(name)
                if low.startswith(name, start) and not low[stop_here : stop_here + 1].isalnum():
                    yield start, stop_here, begin
                    stop = stop_here
                    break

    def _cue(self, low: str, a: int, start: int, end: int, b: int, begin: str) -> _Cue | None:
        before, behind = low[a:start], low[end:b]
        told = self._told["before"].by(before[before.rfind(",") + 1 :])  # no cue has a comma, nor what is behind it
        if behind[:1] in _PARTED:
            told |= self._told["after"].by(behind)
        poison = begin >= FIRST_POISON
        best: _Cue | None = None
        for cue in map(self._cues.__getitem__, sorted(told)):
            if (cue.kind == "toxic") != poison and cue.kind not in ("poisoning", "none"):
                continue
            if cue.kind == "adverse" and begin.startswith(_ABUSED):
                continue
            hit = cue.pattern.search(before) if cue.place == "before" else cue.pattern.match(behind)
            if hit:
                if cue.kind == "none":
                    return cue
                if best is None or cue.sure > best.sure:
                    best = cue
        return best

    def _intent_of(self, low: str) -> str:
        for character, pattern in self._intent:
            if pattern.search(low):
                return character
        return ACCIDENT  # where nothing is said (I.C.19.e.5.b; tabular at T36), FY2026

    def _reason(self, low: str) -> Iterator[tuple[str, float]]:
        """Codes of why too little was taken, the likeliest first."""
        told = [code for code, pattern in self._reasons if pattern.search(low)]
        for n, code in enumerate(dict.fromkeys([*told, UNTOLD])):
            yield code, 1.0 if n == 0 else 0.7

    def _harms(self, low: str, a: int, b: int, start: int, end: int, begin: str, sure: float) -> Iterator[Stated]:
        around = low[a:start], low[end:b]
        told = self._harm.by(around[0]) | self._harm.by(around[1])
        for row in map(self._induced.__getitem__, sorted(told)):
            if row.drugs and not begin.startswith(row.drugs):
                continue
            for offset, part in zip((a, end), around, strict=True):
                if hit := row.pattern.search(part):
                    yield Stated(offset + hit.start(), offset + hit.end(), row.code, sure, False)
                    break


def _small(text: str) -> str:
    """The text in small letters, every character at its place."""
    low = text.lower()
    if len(low) != len(text):  # one character that has no single small letter would move all that follow
        low = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    return low


_FIRST = re.compile(r"[a-z0-9]+")
_PARTED = ("-", " ", "\n", "(")  #: what follows a name that a cue stands behind


def _compiled(rows: Sequence[Row]) -> tuple[list[_Cue], dict[str, _Told]]:
    """One regex for all cues of a kind, place and sureness; and, by place, what tells which of them to ask."""
    groups: dict[tuple[str, str, float], list[str]] = {}
    for row in rows:
        kind, place = row.choice("kind", (*KINDS, *_INTENTS, *REASONS)), row.choice("place", PLACES)
        if place in ("note", "near"):
            continue
        sure = row.number("sure") or 0.0
        if "," in row["words"]:
            raise row.error("a cue has no comma")
        groups.setdefault((kind, place, sure), []).append(row["words"])
    out: list[_Cue] = []
    told = {"before": _Told(), "after": _Told()}
    for (kind, place, sure), cues in groups.items():
        for cue in cues:
            told[place].add(cue, len(out))
        either = "|".join(map(_pattern, cues))
        filler = rf"(?:{_WORD}){{0,{2 if kind == 'none' else 3}}}"
        between = "" if kind == "none" else rf"(?:{_WORD})?"
        if place == "before":
            source = rf"(?<!\w)(?:{either})(?!\w)[ \n:(-]*{filler}$"
        else:
            source = rf"(?:-|[ \n(]+{between})(?:{either})(?!\w)"
        out.append(_Cue(kind, place, sure, re.compile(source)))
    return out, told


_INTENTS = {"accident": ACCIDENT, "self_harm": SELF_HARM, "undetermined": UNDETERMINED}


def _signs(meaning: Mapping[str, str], rows: Sequence[Row], unless: str = "") -> list[tuple[str, re.Pattern[str]]]:
    """What each kind of sign means and a regex of its words, in the order they are asked. unless: what must not stand before."""
    out = []
    for kind, means in meaning.items():
        words = [_pattern(row["words"]) for row in rows if row["kind"] == kind]
        if words:
            out.append((means, re.compile(rf"{unless}\b(?:{'|'.join(words)})(?!\w)")))
    return out


@lru_cache(maxsize=8)
def effect_reader(folder: Path) -> EffectReader | None:
    """The reader of a language, None where it has no list of drugs. Raises LexiconError."""
    return EffectReader(folder) if (folder / "drugs.tsv").is_file() else None
