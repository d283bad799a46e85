from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest import training
from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import KINDS, Concepts, Idiom
from codesuggest.rank import Ranker
from codesuggest.retrieve import Hits
from codesuggest.training import Example, train
from codesuggest.unheard import SAID, said_by_one

TERMS = 6
matches = st.lists(st.tuples(st.integers(0, TERMS - 1), st.sampled_from([0.5, SAID, 1.0])), max_size=6)


def hits_of(rows: Sequence[tuple[int, float]]) -> Hits:
    n = len(rows)
    whole, part = np.zeros(n, np.int32), np.ones(n, np.float32)
    term, coverage = np.array([t for t, _ in rows], np.int32), np.array([c for _, c in rows], np.float32)
    return Hits(term, whole, coverage, part, whole, whole, part, whole, whole)


@given(
    st.lists(st.sampled_from(KINDS), min_size=TERMS, max_size=TERMS),
    st.lists(st.tuples(st.sampled_from("pqr"), matches), max_size=6),
)
def test_phrases_of_the_lists_that_one_group_says(kinds: list[str], said: list[tuple[str, list[Any]]]) -> None:
    concepts = cast(Concepts, SimpleNamespace(term_kind=np.array([KINDS.index(k) for k in kinds], np.int8)))
    found = said_by_one(concepts, [(group, hits_of(rows)) for group, rows in said])
    for t, kind in enumerate(kinds):
        groups = {
            group for group, rows in said for term, coverage in rows if term == t and np.float32(coverage) >= SAID
        }
        assert found[t] == (kind in ("idiom", "abbreviation") and len(groups) == 1)


def test_every_note_is_learned_from_once_more_without_the_phrases_it_alone_says(
    tiny_system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "a": "Zorbly toe. Asthma.",
        "b": "Quibbet. Asthma.",
        "c": "Quibbet again. Asthma.",
        "d": "Marsh fever. Asthma.",
    }
    codes = {"a": "Q11", "b": "Q12", "c": "Q12", "d": "Q12"}
    documents = [CodedDocument(n, text, (Label("icd10cm", codes[n]),), group=n) for n, text in texts.items()] * 3
    idioms = [Idiom("Q11", "zorbly toe", "idiom", 2), Idiom("Q12", "quibbet", "lay", 2)]
    seen: list[Sequence[Example]] = []
    fit = training._fit

    def watched(examples: Sequence[Example]) -> Ranker:
        seen.append(examples)
        return fit(examples)

    monkeypatch.setattr(training, "_fit", watched)
    train(documents, systems=[tiny_system], idioms={"icd10cm": idioms}, min_groups=1)
    all_of_them = seen[-1]
    assert len(all_of_them) == 2 * len(documents)
    found: dict[str, list[bool]] = {}
    for e in all_of_them:
        found.setdefault(e.document.id, []).append(bool(e.right.any()))
    # "zorbly toe" is said by a alone, "quibbet" by b and c, and a title is no phrase of the list
    assert found == {"a": [True] * 3 + [False] * 3, "b": [True] * 6, "c": [True] * 6, "d": [True] * 6}
