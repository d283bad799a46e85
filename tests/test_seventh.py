from __future__ import annotations

import numpy as np
import pytest

from codesuggest.seventh import ENCOUNTER_FEATURES, encounter_features, extension_fits


@pytest.mark.parametrize(
    ("character", "said"),
    [
        ("", ""),
        ("A", "initial initial_in_follow_up"),
        ("B", "initial initial_in_follow_up"),  # an open fracture
        ("D", "subsequent subsequent_in_follow_up"),
        ("G", "subsequent subsequent_in_follow_up"),  # delayed healing
        ("S", "sequela"),
        ("0", "other"),  # a fetus
        ("9", "other"),
    ],
)
def test_what_a_seventh_character_says_of_the_encounter(character: str, said: str) -> None:
    extension = np.array([ord(character or "\0")], np.uint8)
    told = {f"encounter:{name}" for name in said.split()}
    for follow_up in (False, True):
        (row,) = encounter_features(extension, np.zeros(1, np.intp), [follow_up])
        found = {name for name, value in zip(ENCOUNTER_FEATURES, row, strict=True) if value}
        assert found == {name for name in told if follow_up or not name.endswith("_in_follow_up")}


def test_which_seventh_characters_each_note_can_mean() -> None:
    letters = np.array([0, *map(ord, "ABCDEFGHJS0")], np.uint8)
    said = [(False, False), (True, False), (False, True)]
    for note, (sequela, open_injury) in enumerate(said):
        fits = extension_fits(letters, np.full(len(letters), note), said)
        assert {chr(c) if c else "" for c in letters[fits]} == {
            *("", "A", "D", "0"), *("S" * sequela), *("BE" * open_injury)
        }  # fmt: skip


def test_a_follow_up_in_a_row_of_notes_is_its_own() -> None:
    rows = encounter_features(np.array([ord("A"), ord("A")], np.uint8), np.array([0, 1]), [False, True])
    assert rows[:, ENCOUNTER_FEATURES.index("encounter:initial_in_follow_up")].tolist() == [0, 1]
