"""Seventh characters as features: the kind of encounter that a code is for (I.C.19.a, FY2026)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

#: Two of them count again where the note is of a follow-up.
ENCOUNTER_FEATURES = (
    "encounter:initial",
    "encounter:initial_in_follow_up",
    "encounter:subsequent",
    "encounter:subsequent_in_follow_up",
    "encounter:sequela",
    "encounter:other",
)


def encounter_features(extension: npt.NDArray[np.uint8], follow_up: bool) -> Floats:
    """ENCOUNTER_FEATURES of codes with these seventh characters (0: none), as float32 (n, 6)."""
    return np.asarray(_OF_CHARACTER[int(follow_up)].take(extension, 0))


def _of_character(follow_up: float) -> Floats:
    """By character, float32 (256, 6)."""
    character: npt.NDArray[Any] = np.arange(256)
    initial = (character >= ord("A")) & (character <= ord("C"))
    later = (character >= ord("D")) & (character < ord("S"))
    other = (character > 0) & (character < ord("A"))
    columns = (initial, initial * follow_up, later, later * follow_up, character == ord("S"), other)
    return np.stack(columns, 1).astype(np.float32)


_OF_CHARACTER = _of_character(0), _of_character(1)
