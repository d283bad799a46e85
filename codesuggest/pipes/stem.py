"""Porter's English stemmer as Snowball 3 has it (https://snowballstem.org/algorithms/english/stemmer.html), written for Python.

The generated one moves a cursor letter by letter: 20 microseconds a word, and a visit note has 40 words that no table of codes
holds. Here endings are looked up: 3 microseconds, 0.7 ms a note. `tests/test_stem.py` compares the two. A regular expression
finds the regions R1 and R2: what stands behind the first, and the second, non-vowel that follows a vowel.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import snowballstemmer

_VOWELS = frozenset("aeiouy")  #: a Y behind a vowel, or at the start, is a consonant, written in capitals while at work
_SHORT_END = frozenset("aeiouywxY")
_REGION = re.compile(r"[^aeiouy]*[aeiouy]+[^aeiouy]")
_LONGER_START = re.compile(r"arsen|commun|emerg|gener|inter|later|organ|past|univers")  # R1 begins behind these
_VOWEL = re.compile(r"[aeiouy]")
_DOUBLES = frozenset(("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt"))
_WHOLE = {
    "skis": "ski", "skies": "sky", "idly": "idl", "gently": "gentl", "ugly": "ugli", "early": "earli", "only": "onli",
    "singly": "singl",
} | {word: word for word in ("andes", "atlas", "bias", "cosmos", "howe", "news", "sky")}  # fmt: skip
_WHOLE_ING = frozenset(("even", "cann", "inn", "earr", "herr", "out"))


def _by_last(endings: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Endings with what replaces them, by their last letter, the longest first."""
    out: dict[str, list[tuple[str, str]]] = {}
    for ending in sorted(endings, key=lambda e: (-len(e), e)):
        out.setdefault(ending[-1], []).append((ending, endings[ending]))
    return out


_STEP_2 = _by_last({
    "anci": "ance", "enci": "ence", "ogi": "og", "li": "", "bli": "ble", "abli": "able", "alli": "al", "fulli": "ful",
    "lessli": "less", "ousli": "ous", "entli": "ent", "aliti": "al", "biliti": "ble", "iviti": "ive", "tional": "tion",
    "ational": "ate", "alism": "al", "ation": "ate", "ization": "ize", "izer": "ize", "ator": "ate", "iveness": "ive",
    "fulness": "ful", "ousness": "ous", "ogist": "og",
})  # fmt: skip
#: Endings of step 2 that stand behind some letters only.
_BEFORE = {"ogi": frozenset("l"), "li": frozenset("cdeghkmnrt")}
_STEP_3 = _by_last({
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "tional": "tion", "ational": "ate", "ful": "",
    "ness": "",
})  # fmt: skip
_STEP_4 = _by_last(dict.fromkeys(
    ("ic", "ance", "ence", "able", "ible", "ate", "ive", "ize", "iti", "al", "ism", "ion", "er", "ous", "ant", "ent", "ment",
     "ement"), ""
))  # fmt: skip


def stem_of(language: str) -> Callable[[str], str]:
    """The stemmer of a language, by Snowball's name for it. It keeps no word (invariant 5)."""
    if language == "english":
        return english_stem
    made = snowballstemmer.stemmer(language)

    def stem(word: str) -> str:
        found = str(made.stemWord(word))
        made.stemWord("")  # it would keep the last word it was given
        return found

    return stem


def english_stem(word: str) -> str:
    """The stem of a lower-case word."""
    if word in _WHOLE:
        return _WHOLE[word]
    if len(word) < 3:
        return word
    if word[0] == "'":
        word = word[1:]
    marked = "y" in word
    if marked:
        word = _consonant_y(word)
    start = _LONGER_START.match(word) or _REGION.match(word)
    r1 = start.end() if start else len(word)
    further = _REGION.match(word, r1)
    r2 = further.end() if further else len(word)
    word = _inflected(_plural(word), r1)
    if word[-1:] in ("y", "Y") and len(word) > 2 and word[-2] not in _VOWELS:
        word = word[:-1] + "i"
    word = _derived(word, r1, r2)
    return word.replace("Y", "y") if marked else word


def _consonant_y(word: str) -> str:
    letters = list(word)
    for i, letter in enumerate(letters):
        if letter == "y" and (i == 0 or letters[i - 1] in _VOWELS):
            letters[i] = "Y"
    return "".join(letters)


def _is_short(word: str) -> bool:
    """Whether it ends in a short syllable: consonant, vowel, consonant other than w, x or Y; or is vowel, consonant."""
    if len(word) > 2:
        if word[-1] not in _SHORT_END and word[-2] in _VOWELS and word[-3] not in _VOWELS:
            return True
    elif len(word) == 2 and word[1] not in _VOWELS and word[0] in _VOWELS:
        return True
    return word.endswith("past")


def _plural(word: str) -> str:
    """Step 1a."""
    for ending in ("'s'", "'s", "'"):
        if word.endswith(ending):
            word = word[: -len(ending)]
            break
    if word[-1:] == "s":
        if word.endswith("sses"):
            return word[:-2]
        if word.endswith("ies"):
            return word[:-2] if len(word) > 4 else word[:-1]
        if not word.endswith(("ss", "us")) and _VOWEL.search(word, 0, max(0, len(word) - 2)):
            return word[:-1]
    elif word.endswith("ied"):
        return word[:-2] if len(word) > 4 else word[:-1]
    return word


def _inflected(word: str, r1: int) -> str:
    """Step 1b: -ed and -ing, with -ly or without."""
    bare = word[:-2] if word.endswith(("edly", "ingly")) else word
    if bare.endswith("eed"):
        kept = len(bare) - 3
        return bare[:-1] if r1 <= kept and bare[:-3] not in ("succ", "proc", "exc") else word
    if bare.endswith("ed"):
        stem = bare[:-2]
    elif bare.endswith("ing"):
        stem = bare[:-3]
        if bare is word:
            if len(stem) == 2 and stem[1] == "y" and stem[0] not in _VOWELS:
                return stem[0] + "ie"  # dying
            if stem in _WHOLE_ING:
                return word
    else:
        return word
    if not _VOWEL.search(stem):
        return word
    last = stem[-2:]
    if last in ("at", "bl", "iz"):
        return stem + "e"
    if last in _DOUBLES:
        return stem if len(stem) == 3 and stem[0] in "aeo" else stem[:-1]
    return stem + "e" if len(stem) == r1 and _is_short(stem) else stem


def _derived(word: str, r1: int, r2: int) -> str:
    """Steps 2 to 5."""
    for ending, new in _STEP_2.get(word[-1:], ()):
        if word.endswith(ending):
            kept, before = len(word) - len(ending), _BEFORE.get(ending)
            if kept >= r1 and (before is None or word[kept - 1 : kept] in before):
                word = word[:kept] + new
            break
    for ending, new in _STEP_3.get(word[-1:], ()):
        if word.endswith(ending):
            kept = len(word) - len(ending)
            if kept >= (r2 if ending == "ative" else r1):
                word = word[:kept] + new
            break
    for ending, _ in _STEP_4.get(word[-1:], ()):
        if word.endswith(ending):
            kept = len(word) - len(ending)
            if kept >= r2 and (ending != "ion" or word[kept - 1 : kept] in ("s", "t")):
                word = word[:kept]
            break
    kept = len(word) - 1
    if word[-1:] == "e":
        return word[:-1] if kept >= r2 or (kept >= r1 and not _is_short(word[:-1])) else word
    return word[:-1] if word.endswith("ll") and kept >= r2 else word
