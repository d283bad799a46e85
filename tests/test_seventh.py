from __future__ import annotations

import numpy as np
import pytest

from codesuggest.seventh import ENCOUNTER_FEATURES, encounter_features


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
        (row,) = encounter_features(extension, follow_up)
        found = {name for name, value in zip(ENCOUNTER_FEATURES, row, strict=True) if value}
        assert found == {name for name in told if follow_up or not name.endswith("_in_follow_up")}
