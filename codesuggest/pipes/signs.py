"""What words anywhere in a note say of its encounter (`signs.tsv`): they decide which seventh characters fit.

A note is not searched through for them: their first words are marked in its pieces (`pieces.py`), and only there they are
looked for.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.pipes.language import Language
from codesuggest.pipes.lexicon import read_lexicon

__all__ = ["SIGNS", "Sign", "read_signs"]

SIGNS = ("follow_up", "sequela", "open_injury")


class Sign(NamedTuple):
    """Words that say something of an encounter."""

    words: re.Pattern[str]
    first: re.Pattern[str]  #: finds where one of them may begin
    longest: int  #: pieces they may stand in

    def stands(self, text: str, at: npt.NDArray[np.intp], places: list[int]) -> bool:
        """Whether the words stand in a text. at: start of each of its pieces; places: those that `first` finds something in."""
        ends = [int(at[min(k + self.longest, len(at) - 1)]) for k in places]
        return any(self.words.search(text, int(at[k]), end) for k, end in zip(places, ends, strict=True))


@lru_cache(maxsize=16)
def read_signs(spoken: Language) -> dict[str, Sign]:
    """`signs.tsv`: what the note speaks of -> the words that say so. Raises LexiconError.

    words: small letters; "*" ends a word whose ending is open, "[*]" stands for one more word or none.
    """
    found: dict[str, list[str]] = {sign: [] for sign in SIGNS}
    begun: dict[str, list[str]] = {sign: [] for sign in SIGNS}
    longest = dict.fromkeys(SIGNS, 1)
    for row in read_lexicon(spoken.folder / "signs.tsv", ("sign", "words", "source"), unique=("sign", "words")):
        words = re.escape(row["words"]).replace(r"\[\*\]\ ", r"(?:\w+ )?")
        if words != words.lower() or r"\[" in words:
            raise row.error(f"cannot read {row['words']!r}")
        words = words.removesuffix(r"\*") if words.endswith(r"\*") else rf"{words}\b"
        sign, split = row.choice("sign", SIGNS), row["words"].split(" ")
        found[sign].append(rf"\b{words}")
        begun[sign].append(rf"\b{re.escape(split[0].removesuffix('*'))}")
        longest[sign] = max(longest[sign], len(split))

    def any_of(own: list[str]) -> re.Pattern[str]:
        return re.compile("|".join(own) or r"(?!)", re.IGNORECASE)

    return {sign: Sign(any_of(found[sign]), any_of(begun[sign]), longest[sign]) for sign in SIGNS}
