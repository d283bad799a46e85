"""The tokens of a text in arrays: all that the components ask of a spaCy Doc, so that they read without one too.

A Doc hands out its tokens one Python object at a time (0.1 ms for a hundred); a note read by `NoteReader` has none, for its
tokens come from pieces that earlier notes have shown already (`pieces.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from spacy.attrs import IDX, IS_SPACE, LENGTH, LOWER, SENT_START  # type: ignore[import-not-found]
from spacy.tokens import Doc

__all__ = ["TEXT", "Tokens", "text_of"]

TEXT = "codesuggest.text"  # doc.user_data: the text, where it is at hand: spaCy joins doc.text anew (0.3 ms a note)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """n tokens of a text, in order.

    start, end: int64 (n,), code points, end exclusive. lower: uint64 (n,), spaCy's hash of the small letters, 0 for white space.
    begins: bool (n,), tokens that begin a sentence; None where nobody has told.
    """

    text: str
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    lower: npt.NDArray[np.uint64]
    begins: npt.NDArray[np.bool_] | None

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def of(cls, doc: Doc) -> Tokens:
        """Those of a Doc, whatever made it."""
        table = np.asarray(doc.to_array([IDX, LENGTH, LOWER, IS_SPACE, SENT_START]), np.uint64).reshape(len(doc), 5)
        start = table[:, 0].astype(np.int64)
        begins = table[:, 4] == 1 if doc.has_annotation("SENT_START") else None
        end = start + table[:, 1].astype(np.int64)
        return cls(text_of(doc), start, end, np.where(table[:, 3] > 0, np.uint64(0), table[:, 2]), begins)

    def glued(self, i: int) -> bool:
        """Does token i follow the one before it without white space?"""
        return bool(self.start[i] == self.end[i - 1])

    def is_lower(self, i: int) -> bool:
        """Is token i written in small letters?"""
        return self.text[self.start[i] : self.end[i]].islower()


def text_of(doc: Doc) -> str:
    """The text of a Doc, from `doc.user_data` where it is at hand."""
    text = doc.user_data.get(TEXT)
    return text if isinstance(text, str) else str(doc.text)
