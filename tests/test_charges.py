"""Charge lines: how they are read, scored, trained and stored, on an invented price list."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.asked import CHARGE_LINE
from codesuggest.charge_scoring import ChargeScorer
from codesuggest.charge_training import KEPT, coded_line, fit
from codesuggest.charges import (
    LINE_FEATURES,
    TABLE_ONLY,
    columns_of,
    forms_said,
    from_table,
    lines_of,
    ngrams,
    texts_of,
    word_of,
)
from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.errors import InputError, ModelFormatError
from codesuggest.suggester import CodeSuggester
from codesuggest.training import calibrate, read_charges, train

#: Invented codes of an invented list.
CODES = (
    ("J9901", "Wobblemycin (injection, 250 mg)", ("wobbacin",)),
    ("J9902", "Wobblemycin (oral, 250 mg)", ()),
    ("J9903", "Grommazole (injection, 10 mg)", ("grommet iv",)),
    ("J9990", "Unclassified drug without a code of its own", ()),
    ("E9901", "Crutches of whalebone, pair", ("whalebone crutches",)),
    ("E9902", "Moon boot, pneumatic", ("lunar walker",)),
    ("C9901", "Catheter for draining ponds", ("pond drain",)),
    ("C9902", "Stent of glass, coated", ()),
    ("A9901", "Balloon ride, emergency", ("hot air transport",)),
    ("G9901", "Counting of toes", ("toe count",)),
)
SAID = {
    "J9901": ("WOBBLEMYCIN 250 MG INJ", "wobblemycin 1 gram vial", "WOBBACIN 500MG IV", "INJ WOBBLEMYCIN SODIUM 2 G"),
    "J9903": ("GROMMAZOLE 10 MG/ML INJ", "grommazole 40 mg syringe", "GROMMET IV 20 MG PREMIX"),
    "J9990": ("FLUMMOXIL 5 MG TABLET", "zzytol 20 mg tablet", "QUIBBLEX CREAM 15 G", "plonkine oral solution"),
    "E9901": ("CRUTCH WHALEBONE PR", "HC CRUTCHES WHALEBONE ADULT", "whalebone crutches, tall"),
    "E9902": ("BOOT MOON PNEUM LG", "HC LUNAR WALKER BOOT SM", "moon boot pneumatic medium"),
    "C9901": ("CATH DRAIN POND 10FR", "DRAIN CATH PIGTAIL POND 8.5FR", "HC POND DRAINAGE CATHETER"),
    "C9902": ("STENT GLASS CTD 3.0X18", "GLASS STENT COATED 2.5MM X 22MM", "STNT GLASS 4X12 COATED"),
    "A9901": ("EMS BALLOON RIDE EMERG", "BALLOON TRANSPORT EMERGENCY", "HOT AIR BALLOON EMERGENT"),
    "G9901": ("TOE COUNT BILATERAL", "COUNTING TOES EA FOOT", "toe counting visit"),
}


@pytest.fixture(scope="module")
def system() -> CodeSystem:
    rows = [CodeRow(c, t, True, "", terms=tuple(("idiom", x) for x in more)) for c, t, more in CODES]
    return CodeSystem.from_rows(rows, name="hcpcs", release="2025-10-01")


def documents(extra: Sequence[str] = ()) -> list[CodedDocument]:
    out = []
    for code, said in SAID.items():
        for n, text in enumerate((*said, *(f"{x} {said[0]}" for x in extra))):
            label = (Label("hcpcs", code),)
            out.append(
                CodedDocument(f"{code}-{n}", text, label, f"{code}-{n}", systems=("hcpcs",), document_type=CHARGE_LINE)
            )
    return out


@pytest.fixture(scope="module")
def model(system: CodeSystem) -> CodeSuggester:
    return train(documents(), systems=[system], min_groups=1, seed=3, name="charges")


def first(suggester: CodeSuggester, text: str) -> str:
    return suggester.suggest(text, document_type=CHARGE_LINE).suggestions[0].code


# ---- reading


def test_numbers_are_one_sign_and_words_keep_their_places() -> None:
    (line,) = lines_of("  STENT 2.75MM X 1,200 CM  ")
    assert [word for word, _, _ in line.words] == ["stent", "#", "mm", "x", "#", "cm"]
    assert line.text == "STENT 2.75MM X 1,200 CM" and (line.start, line.end) == (2, 25)
    assert all(word in ("#", "  STENT 2.75MM X 1,200 CM  "[a:b].lower()) for word, a, b in line.words)


def test_lines_without_a_word_are_none() -> None:
    assert [line.text for line in lines_of("a 1\n\n  \n12345\r\nb 2")] == ["a 1", "b 2"]
    assert lines_of("") == [] == lines_of("00123\n45")


@given(st.text(max_size=200))
def test_any_text_has_lines_in_their_places(text: str) -> None:
    for line in lines_of(text):
        assert text[line.start : line.end] == line.text
        for word, a, b in line.words:
            assert line.start <= a < b <= line.end and word_of(text[a:b]) == word


def test_ngrams_stay_within_words_and_hold_no_digit() -> None:
    found = ngrams([word for word, _, _ in lines_of("CATH 8471 DRAIN")[0].words])
    assert {"=cath", "=cath #", "=# drain", " cath", "drai", "ain "} <= set(found)
    assert not [g for g in found if any(c.isdigit() for c in g)]
    assert not [g for g in found if g[0] != "=" and " " in g.strip()]


def test_forms() -> None:
    assert forms_said("WOBBLEMYCIN 250 MG TABLET") == {"oral"}
    assert forms_said("wobblemycin 1 g IV premix") == {"injected"}
    assert forms_said("stent") == frozenset()


# ---- scoring


def test_by_the_table_alone(model: CodeSuggester) -> None:
    engine = dataclasses.replace(model.engines["hcpcs"], lines=None)
    untrained = CodeSuggester([engine], model.vocabulary, {}, name="untrained")
    for text, code in (("WHALEBONE CRUTCHES", "E9901"), ("moon boot", "E9902"), ("wobbacin inj 500 mg", "J9901")):
        assert first(untrained, text) == code
    result = untrained.suggest("whalebone crutches, pair", document_type=CHARGE_LINE)
    assert {name for s in result.suggestions for name in s.why} <= set(TABLE_ONLY)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("HC WOBBLEMYCIN 2 G INJ", "J9901"),
        ("GROMMAZOLE 5 MG INJ", "J9903"),
        ("BLITHERAL 20 MG TABLET", "J9990"),  # a drug the table does not name, and how such are billed
        ("HC CATH DRN POND 12FR", "C9901"),
        ("STENT GLASS 5.0X30 CTD", "C9902"),
        ("EMS BALLOON EMERG", "A9901"),
        ("PNEUM BOOT MOON XL", "E9902"),
    ],
)
def test_unseen_lines_find_their_code(model: CodeSuggester, text: str, code: str) -> None:
    assert first(model, text) == code


def test_suggestions_hold_evidence_confidence_and_reasons(model: CodeSuggester) -> None:
    text = "  HC WOBBLEMYCIN 500 MG INJ (74-1123)"
    result = model.suggest(text, document_type=CHARGE_LINE)
    best = result.suggestions[0]
    assert (best.code, best.system, result.systems) == ("J9901", "hcpcs", ("hcpcs",))
    assert 0 <= best.confidence <= 1 and best.suggested
    assert abs(best.intercept + sum(best.why.values()) - best.score) < 1e-6
    (evidence,) = best.evidence
    assert "WOBBLEMYCIN" in text[evidence.start : evidence.end] and evidence.basis == "text"
    confidences = [s.confidence for s in result.suggestions]
    assert confidences == sorted(confidences, reverse=True)


def test_a_list_of_charges_is_a_line_each(model: CodeSuggester) -> None:
    text = "WOBBLEMYCIN 250 MG INJ\nHC CATH DRAIN POND\nWOBBACIN 500MG IV"
    found = {s.code: s for s in model.suggest(text, document_type=CHARGE_LINE).suggestions if s.suggested}
    assert {"J9901", "C9901"} <= set(found)
    assert {text[e.start : e.end] for e in found["C9901"].evidence} <= {"CATH DRAIN POND", "HC CATH DRAIN POND"}
    assert len({text.count("\n", 0, e.start) for e in found["J9901"].evidence}) == 2


def test_an_empty_charge_has_no_code(model: CodeSuggester) -> None:
    for text in ("", "  \n", "123 456"):
        assert model.suggest(text, document_type=CHARGE_LINE).suggestions == ()


def test_only_codes_valid_on_the_day(system: CodeSystem) -> None:
    rows = [dataclasses.replace(r, valid_to=20251231 if r.code == "J9901" else 0) for r in system.rows()]
    ended = CodeSystem.from_rows(rows, name="hcpcs", release="2025-10-01")
    mine = train(documents(), systems=[ended], min_groups=1)
    before = mine.suggest("WOBBLEMYCIN INJ", document_type=CHARGE_LINE, service_date="2025-12-31")
    after = mine.suggest("WOBBLEMYCIN INJ", document_type=CHARGE_LINE, service_date="2026-01-01")
    assert before.suggestions[0].code == "J9901" and "J9901" not in {s.code for s in after.suggestions}


def test_features_are_what_the_slow_reference_says(system: CodeSystem) -> None:
    """Shares of the table's words, one code and text at a time."""
    lines = from_table(system)
    scorer = ChargeScorer(lines, system)
    (line,) = lines_of("POND DRAIN CATHETER 8FR whalebone")
    (scored,) = scorer.candidates([line], np.ones(len(system), bool))
    idf = {g: float(w) ** 2 for g, w in zip(lines.grams, lines.idf, strict=True)}
    said = {f"={word}" for word, _, _ in line.words}
    for i, x in zip(scored.code.tolist(), scored.x, strict=True):
        best = both = 0.0
        for own, text in texts_of(system):
            words = {f"={w}" for w, _, _ in lines_of(text)[0].words}
            if own == i:
                held = sum(idf[g] for g in words & said)
                share = held / sum(idf[g] for g in words)
                best = max(best, share)
                both = max(both, (share * held / sum(idf[g] for g in said if g in idf)) ** 0.5)
        assert x[LINE_FEATURES.index("table:term_said")] == pytest.approx(best, abs=1e-5)
        assert x[LINE_FEATURES.index("table:both")] == pytest.approx(both, abs=1e-5)


# ---- training


def test_same_lines_same_bytes(model: CodeSuggester, system: CodeSystem, tmp_path: Path) -> None:
    model.save(tmp_path / "one")
    train(documents(), systems=[system], min_groups=1, seed=3, name="charges").save(tmp_path / "two")
    for file in sorted((tmp_path / "one").rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes(), file.name


def test_a_saved_model_answers_alike(model: CodeSuggester, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    loaded = CodeSuggester.load(tmp_path / "m")
    for text in ("HC WOBBLEMYCIN 2 G INJ", "boot", "a b\nc d"):
        one, two = (m.suggest(text, document_type=CHARGE_LINE) for m in (model, loaded))
        assert [(s.code, s.score, s.confidence) for s in one.suggestions] == [
            (s.code, s.score, s.confidence) for s in two.suggestions
        ]


def test_a_model_whose_lines_do_not_fit_is_refused(model: CodeSuggester, tmp_path: Path) -> None:
    lines = model.engines["hcpcs"].lines
    assert lines is not None
    broken = dataclasses.replace(lines, like_column=lines.like_column + 1000)
    engine = dataclasses.replace(model.engines["hcpcs"], lines=broken)
    CodeSuggester([engine], model.vocabulary, {}, name="broken").save(tmp_path / "m")
    with pytest.raises(ModelFormatError, match="fit together"):
        CodeSuggester.load(tmp_path / "m")


@pytest.mark.parametrize("named", [2, 3])
def test_a_name_of_too_few_groups_is_in_no_file(system: CodeSystem, tmp_path: Path, named: int) -> None:
    """A name in lines of two groups is dropped where three are asked for, its n-grams with it; numbers always."""
    rows = documents(extra=["standard", "usual", "plain"])
    rows = [dataclasses.replace(d, text=f"zyxwolf 83749201 {d.text}") if n < named else d for n, d in enumerate(rows)]
    train(rows, systems=[system], min_groups=3, seed=1).save(tmp_path / "m")
    data = {p.name: p.read_bytes().lower() for p in (tmp_path / "m").rglob("*") if p.is_file()}
    assert not [name for name, raw in data.items() if b"83749201" in raw or b"8374" in raw]
    grams = (tmp_path / "m" / "hcpcs" / "lines" / "grams.txt").read_text(encoding="utf-8").split("\n")
    assert "=standard" in grams, "what many lines share is learned, else this proves nothing"
    assert ("=zyxwolf" in grams) == (named == 3)
    assert bool([g for g in grams if "zyx" in g]) == (named == 3)


def test_lines_of_one_group_are_one(system: CodeSystem) -> None:
    rows = [dataclasses.replace(d, text=f"zyxwolf {d.text}", group="the same") for d in documents()]
    model = train(rows, systems=[system], min_groups=2)
    lines = model.engines["hcpcs"].lines
    assert lines is not None and not [g for g in lines.grams if "zyx" in g]


def test_weights_are_sparse_and_columns_add_up(model: CodeSuggester, system: CodeSystem) -> None:
    lines = model.engines["hcpcs"].lines
    assert lines is not None
    chapter, family, columns = columns_of(system)
    assert len({*range(len(system)), *chapter.tolist(), *family.tolist()}) == columns
    assert np.bincount(lines.weight_column).max() <= 1.2 * KEPT  # ties at the end are all kept


def test_what_was_learned_follows_the_codes_to_another_table(model: CodeSuggester, system: CodeSystem) -> None:
    """A code gone, a code new, a title said otherwise: the others keep what was learned of them."""
    lines = model.engines["hcpcs"].lines
    assert lines is not None
    same = lines.moved(system, system)
    for name, array in lines.arrays().items():
        assert np.allclose(array, same.arrays()[name], atol=1e-6), name
    rows = [r for r in system.rows() if r.code != "E9901"]
    rows = [dataclasses.replace(r, title="Pipe for ponds", terms=()) if r.code == "C9901" else r for r in rows]
    full = CodeSystem.from_rows(
        [
            *rows,
            CodeRow("B9901", "Bagpipe, inflated", True, ""),
            CodeRow("J9904", "Plonkite (injection, 5 mg)", True, ""),
        ],
        name="hcpcs",
        release="2026-01-01",
    )
    moved = lines.moved(system, full)
    assert moved.fits(full)
    scorer = ChargeScorer(moved, full)

    def best(text: str) -> str:
        (scored,) = scorer.candidates(lines_of(text), np.ones(len(full), bool))
        return full.code(int(scored.code[np.lexsort((scored.code, -moved.score(scored.x)))[0]]))

    assert best("HC CATH DRN POND 12FR") == "C9901"  # by what was learned: its words left the table
    assert best("STENT GLASS 5.0X30 CTD") == "C9902"
    (scored,) = scorer.candidates(lines_of("BAGPIPE INFLATED"), np.ones(len(full), bool))
    assert full.index_of("B9901") in scored.code
    assert "E9901" not in {best(t) for t in SAID["E9901"]}


def test_charge_lines_do_not_train_the_reading_of_notes(model: CodeSuggester) -> None:
    engine = model.engines["hcpcs"]
    assert not engine.ranker.taught and not engine.learned.code_prior.any() and not engine.learned.grams


def test_without_any_right_candidate_the_table_ranks(system: CodeSystem) -> None:
    row = coded_line("qqq", 0, "a")
    assert row is not None
    lines = fit(system, [row, dataclasses.replace(row, group="b")], calibrate=calibrate, min_groups=1, seed=0)
    assert lines.settings()["weights"] == TABLE_ONLY
    assert coded_line("123 -", 0, "a") is None


# ---- the price list's file


def test_reading_charges(tmp_path: Path) -> None:
    file = tmp_path / "charges.tsv"
    file.write_text("description\tcode\nHC POND DRAIN 8FR\tc9901\nHC POND DRAIN 10FR\tC9901\n", encoding="utf-8")
    one, two = read_charges(file)
    assert (one.text, one.codes[0].code, one.document_type, one.systems) == (
        "HC POND DRAIN 8FR",
        "C9901",
        CHARGE_LINE,
        ("hcpcs",),
    )
    assert one.group == two.group and one.id != two.id
    for wrong in ("code\tdescription\n", "description\tcode\nZYXWOLF\n", "description\tcode\n\tC9901\n"):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(InputError, match="line") as caught:
            read_charges(file)
        assert "ZYXWOLF" not in str(caught.value)
    with pytest.raises(InputError, match="nowhere"):
        read_charges(tmp_path / "nowhere.tsv")


def test_the_contract_of_a_batch_line_holds(model: CodeSuggester) -> None:
    row = json.loads(json.dumps(model.suggest("WOBBLEMYCIN INJ", document_type=CHARGE_LINE).to_dict()))
    assert row["suggestions"][0]["code"] == "J9901" and row["suggestions"][0]["evidence"][0]["section"] is None


# ---- another table of the system


def test_what_lines_taught_follows_its_codes(system: CodeSystem, model: CodeSuggester) -> None:
    lines = model.engines["hcpcs"].lines
    assert lines is not None
    same = lines.moved(system, system)
    for key, array in lines.arrays().items():
        assert np.allclose(same.arrays()[key], array) and same.arrays()[key].dtype == array.dtype, key
    rows = [row for row in system.rows() if row.code != "C9902"]
    rows += [
        CodeRow("A0001", "Aerial tram, each ride", True, ""),
        CodeRow("J9904", "Wobblemycin (rectal, 250 mg)", True, ""),
    ]
    wider = CodeSystem.from_rows(rows, name="hcpcs", release="2026-01-01")
    moved = lines.moved(system, wider)
    assert moved.fits(wider) and not moved.fits(system)
    for part, columns in (("like", len(wider)), ("vote", len(wider)), ("weight", columns_of(wider)[2])):
        before, after = lines.matrix(part, columns_of(system)[2]), moved.matrix(part, columns)[: len(lines.grams)]
        for code in ("J9901", "E9902", "A9901"):
            i, j = system.index_of(code), wider.index_of(code)
            assert (before[:, [i]].toarray() == after[:, [j]].toarray()).all()
    for old, new in zip(columns_of(system)[:2], columns_of(wider)[:2], strict=True):  # chapters, families
        a, b = old[system.index_of("J9901")], new[wider.index_of("J9901")]
        total = columns_of(system)[2], columns_of(wider)[2]
        before, after = lines.matrix("weight", total[0]), moved.matrix("weight", total[1])[: len(lines.grams)]
        assert (before[:, [a]].toarray() == after[:, [b]].toarray()).all()
    assert sorted({int(i) for i in moved.text_code}) == np.flatnonzero(wider.billable).tolist()
    scorer = ChargeScorer(moved, wider)
    for text, code in (("HC LUNAR WALKER BOOT SM", "E9902"), ("INJ WOBBLEMYCIN SODIUM 2 G", "J9901")):
        (scored,) = scorer.candidates(lines_of(text), wider.billable)
        assert wider.code(int(scored.code[int(moved.score(scored.x).argmax())])) == code, text
    (scored,) = scorer.candidates(lines_of("AERIAL TRAM"), wider.billable)
    assert "A0001" in [wider.code(int(i)) for i in scored.code], "words that only the new table holds are read"
