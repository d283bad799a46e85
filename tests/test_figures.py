"""Macro figures equal scikit-learn's where each code is simply right or wrong; the hierarchy adds up its levels."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.preprocessing import MultiLabelBinarizer

from codesuggest.coded import CodedDocument, Label
from codesuggest.evaluation import score
from codesuggest.figures import FIGURES, figures_of
from codesuggest.levels import LEVELS
from codesuggest.scoring import BINS, COLUMN, COUNTED


@pytest.mark.parametrize("seed", range(10))
def test_macro_equals_scikit_learn(seed: int) -> None:
    rng = random.Random(seed)
    pool = [f"A{i:02}" for i in range(15)]
    gold = [sorted(rng.sample(pool, rng.randint(0, 5))) for _ in range(12)]
    given = [sorted(rng.sample(pool, rng.randint(0, 5))) for _ in range(12)]
    documents = [CodedDocument(f"n{i}", "x", tuple(Label("icd10cm", c) for c in g)) for i, g in enumerate(gold)]
    lines = [
        {"id": f"n{i}", "suggestions": [{"code": c, "confidence": 0.5, "suggested": True} for c in g]}
        for i, g in enumerate(given)
    ]
    found = score(documents, lines).figures
    labels = sorted({c for g in (*gold, *given) for c in g})
    y, z = (MultiLabelBinarizer(classes=labels).fit_transform(codes) for codes in (gold, given))
    for name, metric in (("P:macro", precision_score), ("R:macro", recall_score), ("F1:macro", f1_score)):
        assert found[name] == pytest.approx(metric(y, z, average="macro", zero_division=0)), name


def test_an_alternative_finds_and_an_acceptable_code_is_no_code_of_its_own() -> None:
    labels = (
        Label("icd10cm", "E11.9"),
        Label("icd10cm", "E11.65", "acceptable", ("E11.9",)),
        Label("icd10cm", "R05.9", "acceptable"),
    )
    row = {
        "id": "a",
        "suggestions": [{"code": c, "confidence": 0.5, "suggested": True} for c in ("E11.65", "R05.9", "J18.9")],
    }
    found = score([CodedDocument("a", "x", labels)], [row]).figures
    assert [found[f"{name}:macro"] for name in ("P", "R", "F1")] == [1 / 2, 1 / 2, 1 / 2]  # E11.9 found, J18.9 wrong


def test_the_hierarchy_is_the_sum_of_its_levels() -> None:
    sums = np.random.default_rng(3).uniform(1, 9, (4, len(COUNTED) + 3 * BINS))
    found = figures_of(sums)
    for figure, above, below in (("P:hierarchy", "right", "suggested"), ("R:hierarchy", "found", "required")):
        total = [sum(sums[:, COLUMN[f"{n}{at}"]] for at in ("", *(f":{x}" for x in LEVELS))) for n in (above, below)]
        assert found[figure] == pytest.approx(total[0] / total[1])
    assert {*found, "P:macro", "R:macro", "F1:macro"} == set(FIGURES)
