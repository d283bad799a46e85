"""Whether a patient takes a drug for long, by the words beside its name.

A drug's name hints at a status code (Z79.-, I.C.21.c.3, FY2026) or a condition. "On prednisone 10 mg daily" is long-term use;
"prednisone 40 mg for 5 days", "discussed GLP-1 agents" and "aspirin stopped in May" are not, and no list of diagnoses says so. The
ranker sees which kinds of word (`pipes/en/regimen.tsv`) stand before and after the name in its clause, and in which sections it is
named.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.note import GROUPS, Reading
from codesuggest.pipes.lexicon import ENGLISH, read_lexicon

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

KINDS = ("taken", "sig", "kept", "begun", "given", "brief", "ended", "open")
_SECTIONS = ("plan", "reason", "story")
#: Of a candidate, where any of the names that hint at it is so: the nearest word before, any word after, the section; and how many
#: places name it, ln(1 + n).
REGIMEN_FEATURES = (
    *(f"regimen:before_{kind}" for kind in KINDS if kind != "sig"),
    *(f"regimen:after_{kind}" for kind in KINDS if kind not in ("taken", "begun")),
    *(f"regimen:in_{group}" for group in _SECTIONS),
    "regimen:places",
)
_COLUMN = {name: i for i, name in enumerate(REGIMEN_FEATURES)}
_OF_GROUP = np.array([_COLUMN.get(f"regimen:in_{group}", -1) for group in GROUPS])
REACH = 45  #: characters before and behind a name in which such words are looked for
WORDS = 6  #: and how many words
_WORD = re.compile(r"[a-z][a-z/]*")
_BACK, _ON = re.compile(r".*(?:[;\n]|\.\s)", re.DOTALL), re.compile(r"[;\n]|\.\s")


@lru_cache(maxsize=1)
def _cues() -> tuple[dict[str, str], dict[str, str]]:
    """Kind of each word before and after a name. Raises LexiconError."""
    out: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for row in read_lexicon(ENGLISH / "regimen.tsv", ("word", "place", "kind", "source"), unique=("word", "place")):
        out[("before", "after").index(row.choice("place", ("before", "after")))][row["word"]] = row.choice(
            "kind", KINDS
        )
    return out


def beside(text: str, start: int, end: int) -> tuple[str | None, set[str]]:
    """Kind of the nearest word before a name, kinds of the words after it, all in its clause."""
    before, after = _cues()
    left, right = text[max(0, start - REACH) : start].lower(), text[end : end + REACH].lower()
    if (clause := _BACK.match(left)) is not None:
        left = left[clause.end() :]
    if (clause := _ON.search(right)) is not None:
        right = right[: clause.start()]
    near = next((before[w] for w in reversed(_WORD.findall(left)[-WORDS:]) if w in before), None)
    return near, {after[w] for w in _WORD.findall(right)[:WORDS] if w in after}


def regimen_features(reading: Reading, first: Ints, last: Ints, segment: Ints, row: Ints, n: int) -> Floats:
    """REGIMEN_FEATURES of n candidates, float32 (n, 17).

    first, last, segment (h,): words and segment of the names. row (h,): the candidate that each hints at.
    """
    out = np.zeros((n, len(REGIMEN_FEATURES)), np.float32)
    start, end = reading.words.start, reading.words.end
    seen: dict[tuple[int, int], list[int]] = {}
    rows: list[int] = []
    columns: list[int] = []
    for of, *span in zip(row.tolist(), first.tolist(), last.tolist(), strict=True):
        said = seen.get(key := (span[0], span[1]))
        if said is None:
            near, behind = beside(reading.text, int(start[key[0]]), int(end[key[1]]))
            found = [f"regimen:before_{near}", *(f"regimen:after_{kind}" for kind in behind)]
            said = seen[key] = [_COLUMN[name] for name in found if name in _COLUMN]
        rows += [of] * len(said)
        columns += said
    out[rows, columns] = 1
    section = _OF_GROUP.take(reading.group.take(segment))
    known = (section >= 0).nonzero()[0]
    out[row.take(known), section.take(known)] = 1
    size = len(reading.first) + 1
    places = np.unique(row * size + segment)
    out[:, _COLUMN["regimen:places"]] = np.log1p(np.bincount(places // size, minlength=n))
    return out
