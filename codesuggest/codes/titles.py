"""What two titles of a table say of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

SIDES = frozenset(("right", "left", "bilateral"))
_DOMINANCE = frozenset(("dominant", "nondominant"))  #: "affecting right dominant side"


def words_of(title: str) -> list[str]:
    return re.findall(r"[^\W_]+", title.lower())


def names_side(unspecified: Sequence[str], other: Sequence[str]) -> bool:
    """Whether `other` says the same as `unspecified` but for one "unspecified [site]" made right, left or bilateral."""
    sided = [word for word in other if (word in SIDES or word == "unilateral") and word not in unspecified]
    if not sided or other.count("unspecified") != unspecified.count("unspecified") - 1:
        return False
    theirs = [word.rstrip("s") for word in other if word not in sided and word not in _DOMINANCE]
    mine = [word.rstrip("s") for word in unspecified]
    if any(word not in mine for word in theirs):
        return False
    missing = [word for word in mine if word not in theirs and word != "unspecified"]
    # "unspecified eye" / "bilateral": the site goes with the word; "..., unspecified side" / "of right ovary": so does
    # "side"
    return not missing or missing == ["side"] or (len(missing) == 1 and "bilateral" in sided)
