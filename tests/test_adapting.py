"""Adapting a base model: it learns how a site codes, keeps what it knew, and counts patients, not notes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.adapting import adapt, descent, recalibrated, towards
from codesuggest.coded import CodedDocument, Label
from codesuggest.errors import InputError, OptionError
from codesuggest.rank import Ranker
from codesuggest.store import read_manifest, verify
from codesuggest.suggester import CodeSuggester


def note(n: int, text: str, *codes: str, group: str | None = None, policy: str = "billing") -> CodedDocument:
    labels = tuple(Label("icd10cm", code) for code in codes)
    return CodedDocument(f"s{n}", text, labels, group=group or f"patient{n}", policy=policy)


@pytest.fixture(scope="module")
def site() -> list[CodedDocument]:
    """A site that codes what stands in the history of the present illness too, and never codes obesity."""
    rows = [("lumbago", "Q27"), ("vertigo", "Q26"), ("sciatica", "Q28"), ("tinnitus", "Q31"), ("hernia", "Q37")]
    out = []
    for n in range(20):
        word, code = rows[n % 5]
        out.append(note(n, f"HPI: {word} for {n} weeks.\nAssessment: asthma. Obesity.", code, "Q15"))
    return out


@pytest.fixture(scope="module")
def adapted(tiny_folder: Path, site: list[CodedDocument]) -> CodeSuggester:
    return adapt(CodeSuggester.load(tiny_folder), site, seed=3)


def lead(model: CodeSuggester, text: str, code: str, other: str) -> float:
    """By how much, in score, a code stands before another."""
    score = {s.code: s.score for s in model.suggest(text).suggestions}
    return score[code] - score[other]


# ---- the weights


def problem(seed: int, n: int = 120, width: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width)) * rng.uniform(0.2, 3, width)
    truth = rng.normal(size=width)
    right = rng.random(n) < 1 / (1 + np.exp(-(x @ truth - 0.5)))
    return x.astype(np.float32), right, rng.uniform(0.3, 1, n), rng.normal(size=width)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.003, 0.1, 3.0]))
def test_newton_finds_the_least_of_what_it_says(seed: int, strength: float) -> None:
    from scipy.optimize import minimize

    x, right, weight, base = problem(seed)
    scale = np.maximum(x.astype(np.float64).std(0), 0.05)

    def loss(b: np.ndarray) -> float:
        z = x.astype(np.float64) @ b[:-1] + b[-1]
        return float(
            (weight * (np.logaddexp(0, z) - right * z)).sum()
            + (((b[:-1] - base) * scale) ** 2).sum() / 2 / strength
            + (b[-1] - 0.25) ** 2 / 2
        )

    weights, intercept = towards(base, 0.25, x, right, weight, strength=strength)
    best = minimize(loss, np.r_[base, 0.25], method="BFGS", options={"gtol": 1e-6}).fun
    assert loss(np.r_[weights, intercept]) <= best + 1e-4 * max(1.0, best)


def test_towards_zero_is_the_fit_of_training() -> None:
    from sklearn.linear_model import LogisticRegression

    x, right, weight, _ = problem(5)
    scale = np.maximum(x.std(0), 0.05)
    # the ridge on the intercept is 1, so it is a column of 1 / sqrt(C) there
    columns = np.c_[x / scale, np.full(len(x), 0.3**-0.5)]
    model = LogisticRegression(C=0.3, solver="newton-cholesky", tol=1e-8, fit_intercept=False)
    model.fit(columns, right, sample_weight=weight)
    weights, intercept = towards(np.zeros(6), 0.0, x, right, weight, strength=0.3)
    assert np.allclose(weights, model.coef_[0, :-1] / scale, atol=1e-3)
    assert intercept == pytest.approx(model.coef_[0, -1] * 0.3**-0.5, abs=1e-3)


def test_a_feature_without_a_case_keeps_its_weight_and_a_strong_ridge_holds_all() -> None:
    x, right, weight, base = problem(1)
    x[:, 2] = 0
    weights, _ = towards(base, 0.0, x, right, weight, strength=0.3)
    assert weights[2] == round(base[2], 6)
    assert not np.allclose(np.delete(weights, 2), np.delete(base, 2), atol=0.05)
    held, _ = towards(base, 0.0, x, right, weight, strength=1e-9)
    assert np.allclose(held, base, atol=1e-4)


# ---- the confidence


def test_confidence_is_drawn_to_what_was_right_and_stays_in_order() -> None:
    knots = np.array([0.001, 0.2, 0.5, 0.8, 0.99])
    base = dataclasses.replace(Ranker.nothing(), knots_score=np.arange(5.0), knots_confidence=knots)
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 4, 4000)
    half_right = rng.random(4000) < base.confidence(scores) / 2
    moved = recalibrated(base, scores, half_right)(knots)
    assert moved[3] == pytest.approx(0.4, abs=0.1)
    assert (np.diff(moved) > 0).all() and (moved > 0).all() and (moved < 1).all()
    few = recalibrated(base, scores[:3], np.array([True, False, True]))(knots)
    assert np.abs(few - knots).max() < 0.35, "three codes move it little"
    upside_down = recalibrated(base, scores, rng.random(4000) > base.confidence(scores))(knots)
    assert (np.diff(upside_down) > 0).all(), "whatever the notes say, a better score is no lower confidence"


# ---- the model


def test_it_learns_how_the_site_codes(tiny: CodeSuggester, adapted: CodeSuggester) -> None:
    text = "HPI: vertigo for a week.\nAssessment: asthma. Obesity."
    assert lead(adapted, text, "Q26", "Q18") > lead(tiny, text, "Q26", "Q18") + 0.3


def test_what_the_site_did_not_show_stays(tiny: CodeSuggester, adapted: CodeSuggester) -> None:
    ranked = [s.code for s in adapted.suggest("Assessment: marsh fever, cellulitis.").suggestions]
    assert set(ranked[:2]) == {"Q12", "Q21"}
    old, new = tiny.engines["icd10cm"], adapted.engines["icd10cm"]
    assert new.system is not None and len(new.index) == len(old.index)
    assert new.learned.grams == old.learned.grams
    at = old.system.index_of("Q12")
    assert new.learned.code_prior[at] == pytest.approx(float(old.learned.code_prior[at]), abs=1e-6)


def test_codes_of_the_site_are_counted_on_top(tiny: CodeSuggester, adapted: CodeSuggester) -> None:
    at = tiny.engines["icd10cm"].system.index_of("Q15")
    before, after = (
        np.expm1(2 * float(model.engines["icd10cm"].learned.code_prior[at])) / 4 for model in (tiny, adapted)
    )
    assert (round(before), round(after)) == (1, 21)


def test_the_base_is_left_as_it_is(tiny_folder: Path, site: list[CodedDocument], tmp_path: Path) -> None:
    base = CodeSuggester.load(tiny_folder)
    adapt(base, site, seed=3)
    base.save(tmp_path / "same")
    before, after = (read_manifest(p)["files"] for p in (tiny_folder, tmp_path / "same"))
    assert before == after


def test_the_same_seed_gives_the_same_bytes_and_loads_again(
    tiny_folder: Path, adapted: CodeSuggester, site: list[CodedDocument], tmp_path: Path
) -> None:
    adapted.save(tmp_path / "one")
    adapt(CodeSuggester.load(tiny_folder), list(site), seed=3).save(tmp_path / "two")
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()
    assert all(good for _, good, _ in verify(tmp_path / "one"))
    text = "HPI: hernia.\nAssessment: asthma."
    again = CodeSuggester.load(tmp_path / "one")
    assert [(s.code, s.confidence) for s in again.suggest(text).suggestions] == [
        (s.code, s.confidence) for s in adapted.suggest(text).suggestions
    ]


def test_the_manifest_says_where_it_comes_from(tiny_folder: Path, adapted: CodeSuggester) -> None:
    import hashlib

    base = CodeSuggester.load(tiny_folder)
    assert adapted.name == "tiny-adapted"
    (step,) = adapted.about["history"]
    assert step == {
        "from": base.name,
        "manifest_sha256": hashlib.sha256((tiny_folder / "manifest.json").read_bytes()).hexdigest(),
        "change": "icd10cm adapted to 20 documents of the user's",
    }
    assert descent(adapted, "another")["history"][0] == step
    assert adapted.about["made_from"][-1] == "icd10cm adapted to 20 documents of the user's"
    public = CodeSuggester(
        list(base.engines.values()), base.vocabulary, base.forms, name="x", about={"redistributable": True}
    )
    assert "redistributable" not in descent(public, "a change"), "notes of patients are in it now"


def test_a_patient_is_never_split_between_what_is_fitted_and_what_is_judged(
    tiny: CodeSuggester, site: Sequence[CodedDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    import codesuggest.adapting as module

    rows = [dataclasses.replace(d, group=f"p{n % 4}") for n, d in enumerate(site)]
    seen: list[Counter[str | None]] = []
    fit = module._fit
    monkeypatch.setattr(
        module,
        "_fit",
        lambda base, own, strength: seen.append(Counter(e.document.group for e in own)) or fit(base, own, strength),
    )
    adapt(tiny, rows, seed=1)
    assert len(seen) == 5, "each patient left out once, and all together"
    assert sorted(len(groups) for groups in seen) == [3, 3, 3, 3, 4]
    assert {n for groups in seen for n in groups.values()} == {5}


def test_no_word_of_the_notes_is_kept(tiny_folder: Path, site: list[CodedDocument], tmp_path: Path) -> None:
    marked = [
        dataclasses.replace(d, id=f"mrn8374{n}", group=f"Quellmann{n}", text=f"Zyxwolf 83749201. {d.text}")
        for n, d in enumerate(site)
    ]
    adapt(CodeSuggester.load(tiny_folder), marked).save(tmp_path / "m")
    for file in (tmp_path / "m").rglob("*"):
        if file.is_file():
            data = file.read_bytes().lower()
            assert not [w for w in (b"zyxwolf", b"quellmann", b"83749201", b"mrn8374") if w in data], file.name


def test_what_cannot_be_adapted_to(tiny: CodeSuggester, site: list[CodedDocument]) -> None:
    with pytest.raises(InputError, match="no document is coded in icd10cm"):
        adapt(tiny, [])
    with pytest.raises(InputError, match="no document is coded in icd10cm"):
        adapt(tiny, [dataclasses.replace(d, codes=(), systems=("cpt",)) for d in site])
    with pytest.raises(OptionError, match="systems must be one of icd10cm"):
        adapt(tiny, site, systems=["icd10pcs"])


def test_charge_lines_are_left_out_and_said(tiny: CodeSuggester, site: list[CodedDocument]) -> None:
    told: list[str] = []
    charge = dataclasses.replace(site[0], id="c", document_type="charge_line")
    adapt(tiny, [*site, charge], progress=told.append)
    assert told[0].startswith("1 charge lines are left out") and told[1] == "read 20 documents"


def test_one_document_with_codes_the_table_lacks_changes_nothing(tiny: CodeSuggester) -> None:
    made = adapt(tiny, [note(1, "Assessment: asthma.", "X99")])
    assert made.engines["icd10cm"].ranker.weights.tolist() == tiny.engines["icd10cm"].ranker.weights.tolist()


def test_mentions_count_too(tiny: CodeSuggester, site: Sequence[CodedDocument]) -> None:
    made = adapt(tiny, [dataclasses.replace(d, policy="mentions") for d in site])
    text = "HPI: vertigo.\nAssessment: asthma. Obesity."
    assert lead(made, text, "Q26", "Q18") > lead(tiny, text, "Q26", "Q18") + 0.3
