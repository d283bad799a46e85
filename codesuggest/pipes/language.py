"""The languages this package reads. A language is a folder of word lists beside this module, nothing else.

`language("es")` is cheap: its lists are read when first asked for, and each only once in a process.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codesuggest.errors import LexiconError, OptionError
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.pipes.stem import stem_of
from codesuggest.pipes.stems import StemRules

__all__ = ["DEFAULT", "Language", "fold", "known_languages", "language"]

#: The language of a model that names none.
DEFAULT = "en"
_SETTINGS = ("name", "stemmer", "keeps", "decimal", "whole")


@dataclass(frozen=True, slots=True)
class Language:
    """What `language.tsv` of a folder says.

    code: "en", as ISO 639-1 and spaCy have it. name: in English. stemmer: an algorithm of snowballstemmer, or "rules" for those
    of `stems.tsv`. keeps: letters that are no letter with an accent. decimal: the mark of decimals, "." or ",". whole: an
    ending, no word with which has a stem: a stemmer may make one of "prostatitis" and "prostatic", of a disease and its organ.
    """

    code: str
    folder: Path
    name: str
    stemmer: str
    keeps: str = ""
    decimal: str = "."
    whole: str = ""

    def fold(self, text: str) -> str:
        """The text without accents, of which this language keeps some letters; see `fold`."""
        return fold(text, self.keeps)

    def new_stemmer(self) -> Callable[[str], str]:
        """word, lower case and folded -> its stem. Keeps no word."""
        stem = StemRules(self.folder / "stems.tsv").stem if self.stemmer == "rules" else stem_of(self.stemmer)
        if not self.whole:
            return stem
        return lambda word: word if word.endswith(self.whole) else stem(word)


def fold(text: str, keeps: str = "") -> str:
    """The text without accents and other combining marks; those of the letters in `keeps` stay, composed or not."""
    if text.isascii():
        return text
    if not keeps:
        return _bare(text)
    return "".join(c if c in keeps else _bare(c) for c in unicodedata.normalize("NFC", text))


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def known_languages() -> tuple[str, ...]:
    """Codes of the languages that have a folder, in alphabetical order."""
    return tuple(sorted(p.parent.name for p in Path(__file__).parent.glob("*/language.tsv")))


@lru_cache(maxsize=16)
def language(code: str) -> Language:
    """The language with this code. Raises OptionError, which names the known ones; LexiconError for a bad list."""
    known = known_languages()
    if code not in known:
        raise OptionError(f"language must be one of {', '.join(known)}, not {code!r}")
    folder = Path(__file__).parent / code
    rows = read_lexicon(folder / "language.tsv", ("setting", "value", "source"), unique=("setting",))
    settings = {row.choice("setting", _SETTINGS): row["value"] for row in rows}
    if not {"name", "stemmer"} <= set(settings) or settings.get("decimal", ".") not in (".", ","):
        raise LexiconError(f"{folder / 'language.tsv'}: needs a name and a stemmer, and . or , for decimals")
    return Language(code, folder, **settings)
