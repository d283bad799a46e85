"""Seventh characters as features: the kind of encounter that a code is for (I.C.19.a, FY2026)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[Any]
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


def extension_fits(extension: Bytes, note: Ints, said: Sequence[tuple[bool, bool]]) -> Bools:
    """Which of these seventh characters (0: none) a note can mean, bool (n,): initial, routine subsequent, sequela if said, open
    if said. note: intp (n,), place in `said` of the note of each. said: whether it tells of a sequela, of an open injury."""
    rows = np.array([512 * sequela + 256 * open_injury for sequela, open_injury in said])
    return np.asarray(_FITS.take(rows.take(note) + extension))


def encounter_features(extension: Bytes, note: Ints, follow_up: Sequence[bool]) -> Floats:
    """ENCOUNTER_FEATURES of codes with these seventh characters (0: none), as float32 (n, 6). note: as above. follow_up: whether
    each note is of one."""
    rows = np.array([256 * later for later in follow_up])
    return np.asarray(_OF_CHARACTER.take(rows.take(note) + extension, 0))


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
