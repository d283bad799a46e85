"""Seventh characters as features: the kind of encounter that a code is for (I.C.19.a, FY2026)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

#: Two of them count again where the note is of a follow-up.
ENCOUNTER_FEATURES = (
    "encounter:initial",
    "encounter:initial_in_follow_up",
    "encounter:subsequent",
    "encounter:subsequent_in_follow_up",
    "encounter:sequela",
    "encounter:other",
)


def extension_fits(extension: Bytes, sequela: Bools, open_injury: Bools) -> Bools:
    """Which of these seventh characters (0: none) a note can mean, bool (n,): initial, routine subsequent, sequela if said, open
    if said. sequela, open_injury: bool (n,), whether the note says it."""
    return np.asarray(_FITS.take((sequela * 2 + open_injury) * 256 + extension))


def encounter_features(extension: Bytes, follow_up: Bools) -> Floats:
    """ENCOUNTER_FEATURES of codes with these seventh characters (0: none), as float32 (n, 6). follow_up: bool (n,), whether the
    note is of one."""
    return np.asarray(_OF_CHARACTER.take(follow_up * 256 + extension, 0))


def _of_character(follow_up: float) -> Floats:
    """By character, float32 (256, 6)."""
    character: npt.NDArray[Any] = np.arange(256)
    initial = (character >= ord("A")) & (character <= ord("C"))
    later = (character >= ord("D")) & (character < ord("S"))
    other = (character > 0) & (character < ord("A"))
    columns = (initial, initial * follow_up, later, later * follow_up, character == ord("S"), other)
    return np.stack(columns, 1).astype(np.float32)


_OF_CHARACTER = np.concatenate((_of_character(0), _of_character(1)))


def _fits() -> Bools:
    """By sequela, open injury and character, bool (1024,)."""
    out = np.zeros((2, 2, 256), bool)
    out[:, :, [0, *b"AD0"]] = True
    out[1, :, ord("S")] = True
    out[:, 1, [*b"BE"]] = True
    return out.reshape(-1)


_FITS = _fits()
