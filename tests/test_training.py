"""Training: the same seed gives the same bytes, folds keep patients together, nothing leaks, names stay out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import NOTES, TINY_NOTES, built
from pcs_system import SYSTEM as PCS
from pcs_system import documents as pcs_documents

from codesuggest import training
from codesuggest.coded import CodedDocument, Label, read_coded
from codesuggest.codes import CodeRow, packages
from codesuggest.codes.system import CodeSystem
from codesuggest.config import SuggestConfig
from codesuggest.errors import InputError, OptionError
from codesuggest.features import COLUMN, FEATURES
from codesuggest.learned import Counts, grams
from codesuggest.marked import MARKED
from codesuggest.rank import Ranker
from codesuggest.retrieve import Hits, TermIndex
from codesuggest.suggester import CodeSuggester
from codesuggest.taught import Taught, policies_of, stands_for
from codesuggest.training import (
    FOLDS,
    Example,
    _folds,
    build_starter,
    example_of,
    starter_sources,
    train,
    with_written_codes,
)


def files_of(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def mentions(n: int, text: str, *codes: str, group: str | None = None) -> CodedDocument:
    return CodedDocument(f"m{n}", text, tuple(Label("icd10cm", c) for c in codes), group=group, policy="mentions")


def test_the_same_seed_gives_the_same_bytes(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tiny_folder: Path, tmp_path: Path
) -> None:
    # built as the session's model was, a second time and from a copy of the documents
    again = [dataclasses.replace(d) for d in tiny_documents]
    train(again, systems=[tiny_system], min_groups=1, seed=7, name="tiny").save(tmp_path / "again")
    first, second = files_of(tiny_folder), files_of(tmp_path / "again")
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_the_same_bytes_under_another_hash_seed(tiny_folder: Path, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import conftest as c\n"
        "rows = [c.CodeRow(k, t, terms=tuple(('inclusion', x) for x in more)) for k, t, more in c.TINY_CODES]\n"
        "system = c.CodeSystem.from_rows(rows, name='icd10cm', release='2026-04-01')\n"
        "notes = [c.CodedDocument(f'd{n}', t, tuple(c.Label('icd10cm', k) for k in ks), group=f'p{n}')\n"
        "         for n, (ks, t) in enumerate(c.TINY_NOTES)]\n"
        "c.train(notes, systems=[system], min_groups=1, seed=7, name='tiny').save(sys.argv[2])\n"
    )
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(here.parent)}
    subprocess.run(
        [sys.executable, "-c", program, str(here), str(tmp_path / "m")], check=True, env=environment, timeout=120
    )
    first, second = files_of(tiny_folder), files_of(tmp_path / "m")
    assert [name for name in first | second if first.get(name) != second.get(name)] == []


def test_it_learned_what_it_was_shown(tiny: CodeSuggester) -> None:
    for codes, text in TINY_NOTES:
        result = tiny.suggest(text)
        assert {s.code for s in result.suggestions[: len(codes)]} == set(codes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_folds_keep_groups_together(seed: int) -> None:
    groups = [f"p{n % 13}" for n in range(60)]
    folds = _folds(groups, seed)
    assert len(folds) == 60 and set(folds) == set(range(FOLDS))
    by_group = {g: {f for own, f in zip(groups, folds, strict=True) if own == g} for g in groups}
    assert all(len(found) == 1 for found in by_group.values())
    assert folds == _folds(groups, seed)
    # it is the group that decides, not its place
    assert _folds(groups[::-1], seed) == folds[::-1]


def test_a_documents_own_labels_are_not_in_its_priors(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument]
) -> None:
    nothing = [frozenset[str]()] * len(tiny_documents)
    counts = Counts.of(tiny_system, tiny_documents, nothing, min_groups=1)
    for n, document in enumerate(tiny_documents):
        others = [d for d in tiny_documents if d is not document]
        expected = Counts.of(tiny_system, others, nothing[1:], min_groups=1).learned()
        code, category = counts.priors_without([document.group or document.id])
        assert code.tolist() == expected.code_prior.tolist()
        assert category.tolist() == expected.category_prior.tolist()
        assert n or code.tolist() != counts.learned().code_prior.tolist()


def test_acceptable_codes_and_two_of_a_category_are_taken_out_as_they_were_put_in(tiny_system: CodeSystem) -> None:
    one = CodedDocument(
        "one", "", (Label("icd10cm", "Q10.1"), Label("icd10cm", "Q10.2"), Label("icd10cm", "Q11", "acceptable"))
    )
    two = CodedDocument("two", "", (Label("icd10cm", "Q11"),))
    counts = Counts.of(tiny_system, [one, two], [frozenset(), frozenset()], min_groups=1)
    alone = Counts.of(tiny_system, [two], [frozenset()], min_groups=1).learned()
    code, category = counts.priors_without(["one"])
    assert code.tolist() == alone.code_prior.tolist() and category.tolist() == alone.category_prior.tolist()


def test_documents_of_one_patient_do_not_teach_each_other(tiny_system: CodeSystem) -> None:
    one = CodedDocument("one", "", (Label("icd10cm", "Q11"),), group="p")
    two = CodedDocument("two", "", (Label("icd10cm", "Q11"),), group="p")
    counts = Counts.of(tiny_system, [one, two], [frozenset(), frozenset()], min_groups=1)
    assert counts.priors_without(["p"])[0].max() == 0


# ---- names and numbers


def planted(tiny_documents: Sequence[CodedDocument], groups: int) -> list[CodedDocument]:
    """Nine documents with every mention coded, in `groups` of which a name and a number stand beside the finding."""
    rows = []
    for n in range(9):
        extra = "Zyxwolf patient 83749201 " if n < groups else ""
        rows.append(mentions(n, f"{extra}has giddiness and dizzyspell today.", "Q26", group=f"g{n}"))
    rows += [mentions(20 + n, f"Seen for belly trouble {n}.", "Q35", group=f"h{n}") for n in range(25)]
    return [*tiny_documents, *rows]


def learned_grams(suggester: CodeSuggester) -> set[str]:
    return set(suggester.engines["icd10cm"].learned.grams)


def test_a_name_of_too_few_groups_is_in_no_file(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path: Path
) -> None:
    model = train(planted(tiny_documents, groups=2), systems=[tiny_system], min_groups=3, seed=1)
    model.save(tmp_path / "m")
    assert any("giddi" in g for g in learned_grams(model)), (
        "what nine patients share is learned, else this proves nothing"
    )
    for name, data in files_of(tmp_path / "m").items():
        assert b"zyxwolf" not in data.lower(), name
        assert (
            "zyxwolf".encode("utf-16-le") not in data.lower() and "zyxwolf".encode("utf-32-le") not in data.lower()
        ), name
        assert b"83749201" not in data, name


def test_one_patient_with_many_documents_is_one_group(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument]
) -> None:
    rows = [mentions(n, "Zyxwolf has giddiness.", "Q26", group="the same") for n in range(6)]
    rows += [mentions(20 + n, f"Seen for belly trouble {n}.", "Q35", group=f"h{n}") for n in range(25)]
    model = train([*tiny_documents, *rows], systems=[tiny_system], min_groups=3, seed=1)
    assert not [g for g in learned_grams(model) if "zyxwolf" in g]


def test_numbers_are_dropped_however_often_they_occur(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path: Path
) -> None:
    model = train(planted(tiny_documents, groups=9), systems=[tiny_system], min_groups=3, seed=1)
    model.save(tmp_path / "m")
    assert not [g for g in learned_grams(model) if any(c.isdigit() for c in g)]
    assert all(b"83749201" not in data for data in files_of(tmp_path / "m").values())


def test_a_name_is_dropped_however_often_it_occurs(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path: Path
) -> None:
    model = train(planted(tiny_documents, groups=9), systems=[tiny_system], min_groups=3, seed=1)
    model.save(tmp_path / "m")
    assert [name for name, data in files_of(tmp_path / "m").items() if b"zyxwolf" in data.lower()] == []


def test_billed_documents_leave_only_counts(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path: Path
) -> None:
    marked = [
        dataclasses.replace(d, text=f"Zyxwolf. {d.text} Quellmann 83749201", id=f"mrn83749201-{d.id}")
        for d in tiny_documents
    ]
    train(marked, systems=[tiny_system], min_groups=1, seed=7).save(tmp_path / "m")
    for name, data in files_of(tmp_path / "m").items():
        assert not [w for w in (b"zyxwolf", b"quellmann", b"83749201") if w in data.lower()], name


def test_grams_stay_within_what_is_said_of_the_patient(tiny: CodeSuggester) -> None:
    found = grams(tiny.reader.read("Has asthma. Denies gout now. Mother: cataract."))
    assert "asthma" in found
    assert not [g for g in found if "gout" in g or "cataract" in g]
    assert all(len(g.split()) <= 3 for g in found)


def test_associations_equal_the_slow_reference(starter: CodeSuggester) -> None:
    """Every n-gram of the note put together and looked up."""
    learned = starter.engines["icd10cm"].learned
    number = {gram: i for i, gram in enumerate(learned.grams)}
    for file in sorted(NOTES.glob("*.txt"))[::50]:
        reading = starter.reader.read(file.read_text(encoding="utf-8"))
        expected = np.zeros(len(learned.code_prior), np.float32)
        for gram in set(grams(reading)) & set(number):
            for at in range(*learned.gram_indptr[number[gram] : number[gram] + 2].tolist()):
                code = learned.gram_code[at]
                expected[code] = max(expected[code], learned.gram_weight[at])
        for codes in (np.arange(len(expected))[::-1], np.flatnonzero(expected)[::2], np.zeros(0, np.intp)):
            found = learned.associate(reading, np.zeros_like(codes), codes)
            assert found is not None and found.tolist() == expected[codes].tolist() and (expected > 0).any()


# ---- documents of which every mention was coded


def test_mentions_alone_train_a_ranker(tiny_system: CodeSystem) -> None:
    documents = [mentions(n, text, *codes) for n, (codes, text) in enumerate(TINY_NOTES)]
    model = train(documents, systems=[tiny_system], min_groups=1)
    assert model.engines["icd10cm"].ranker.threshold < 1
    for codes, text in TINY_NOTES:
        assert {s.code for s in model.suggest(text).suggestions[: len(codes)]} == set(codes)


def test_the_model_of_mentions_is_the_same_twice_and_after_loading(tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(pcs_documents(), systems=[PCS], min_groups=1).save(tmp_path / name)
    first, second = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert first == second and "icd10pcs/marked/phrases.txt" in first and "icd10pcs/profiles/weight.npy" in first
    trained, loaded = train(pcs_documents(), systems=[PCS], min_groups=1), CodeSuggester.load(tmp_path / "one")
    for document in pcs_documents():
        a, b = trained.suggest(document.text), loaded.suggest(document.text)
        assert [s.to_dict() for s in a.suggestions] == [s.to_dict() for s in b.suggestions]


@pytest.mark.parametrize(
    ("code", "stands_for_codes"),
    [
        ("0DTJ4ZZ", ["0DTJ4ZZ"]),
        ("0DTJ", ["0DTJ0ZZ", "0DTJ4ZZ", "0DTJ8ZZ"]),
        ("0DTJ7ZZ", ["0DTJ0ZZ", "0DTJ4ZZ", "0DTJ8ZZ"]),  # gone: its operation and body part
        ("0SRC01", ["0SRC019", "0SRC01A"]),
        ("9ZZZ", []),
    ],
)
def test_what_a_code_of_another_release_stands_for(code: str, stands_for_codes: list[str]) -> None:
    assert [PCS.code(i) for i in stands_for(PCS, code)] == stands_for_codes


def test_a_header_of_a_diagnosis_stands_for_its_codes_and_a_gone_one_for_none(tiny_system: CodeSystem) -> None:
    assert [tiny_system.code(i) for i in stands_for(tiny_system, "Q10")] == ["Q10.1", "Q10.2", "Q10.9"]
    assert stands_for(tiny_system, "Q10.7") == []


def test_which_documents_the_ranker_is_fitted_on(tiny_system: CodeSystem) -> None:
    billed = CodedDocument("b", "", (Label("icd10pcs", "0DTJ4ZZ"),), systems=("icd10pcs",))
    assert policies_of(pcs_documents(), PCS) == ("mentions",)
    assert policies_of([*pcs_documents(), billed], PCS) == ("billing", "mentions"), "one alone would teach little"
    assert policies_of([billed] * 500 + pcs_documents(), PCS) == ("billing",)
    assert policies_of([billed], PCS) == ("billing",)
    diagnosis = CodedDocument("d", "", (Label("icd10cm", "Q11"),))
    assert policies_of([diagnosis, mentions(1, "", "Q11")], tiny_system) == ("billing",)
    assert policies_of([], PCS) == ()


def test_no_document_teaches_its_own_example() -> None:
    """The features of a training example are those of a model that never saw its document."""
    rest = [
        mentions(n, "Nothing new.", group=f"r{n}") for n in range(20)
    ]  # so that no code is in every fourth document
    rest = [dataclasses.replace(d, codes=(Label("icd10pcs", "0DJDXZZ"),), systems=("icd10pcs",)) for d in rest]
    documents = pcs_documents() + rest
    model = train(documents, systems=[PCS], min_groups=1)
    readings = [model.reader.read(d.text) for d in documents]
    ids = {form: i for i, form in enumerate(model.vocabulary)}
    bare = dataclasses.replace(model.engines["icd10pcs"], ranker=Ranker.nothing(), spoken=None, profiles=None)
    n = len(bare.learned.reliability)
    untaught = dataclasses.replace(
        bare,
        concepts=dataclasses.replace(
            bare.concepts,
            term_concept=bare.concepts.term_concept[:-n],
            term_kind=bare.concepts.term_kind[:-n],
            text_offset=bare.concepts.text_offset[:-n],
        ),
        index=TermIndex(bare.index.idf, bare.index.indptr[:-n], bare.index.forms[: bare.index.indptr[-n - 1]]),
        axes=dataclasses.replace(
            bare.axes, term_pattern=bare.axes.term_pattern[:-n], term_place=bare.axes.term_place[:-n]
        )
        if bare.axes
        else None,
    )
    assert n
    taught = Taught.of(untaught, documents, readings, ids, ("mentions",), 1)
    column = [
        COLUMN[f"learned:{name}"] for name in ("term", "terms", "operation_prior", "code_prior", "category_prior")
    ] + [COLUMN[f"marked:{name}"] for name in MARKED if name != "profile"]  # the weights of its words are those of all
    differ = 0
    for k, document in enumerate(documents):
        others = [d for d in documents if d is not document]
        their = [r for d, r in zip(documents, readings, strict=True) if d is not document]
        without = Taught.of(untaught, others, their, ids, ("mentions",), 1)
        own = example_of(taught, document, readings[k], SuggestConfig())
        blind = example_of(without, dataclasses.replace(document, id="new"), readings[k], SuggestConfig())
        found = {int(c): own.table.x[i, column].tolist() for i, c in enumerate(own.table.code)}
        expected = {int(c): blind.table.x[i, column].tolist() for i, c in enumerate(blind.table.code)}
        assert found.keys() == expected.keys()
        assert all(found[c] == pytest.approx(expected[c], abs=1e-4) for c in found)
        usable = taught.engine.system.suggestible_on("2026-05-01")
        _, seen = taught.engine.candidates(readings[k], usable, inpatient=False, top=30, floor=0.45)
        differ += any(seen.x[i, column].tolist() != found.get(int(c)) for i, c in enumerate(seen.code))
    assert differ > 3, "with its own labels a document would look otherwise"


def test_features_of_the_other_policy_are_never_set_on_a_note_that_is_read() -> None:
    documents = [
        dataclasses.replace(d, policy="mentions" if n % 2 else "billing") for n, d in enumerate(pcs_documents())
    ]
    model = train(documents, systems=[PCS], min_groups=1)
    engine = model.engines["icd10pcs"]
    reading = model.reader.read("Laparoscopic appendectomy. Chest film clear.")
    usable = engine.system.suggestible_on("2026-05-01")
    _, table = engine.candidates(reading, usable, inpatient=True, top=30, floor=0.45)
    assert len(table.code) and not table.x[:, [COLUMN[f] for f in FEATURES if f.startswith("mentions:")]].any()


# ---- what cannot be trained on


def test_documents_without_a_code_of_the_tables_are_a_mistake(tiny_system: CodeSystem) -> None:
    other = CodedDocument("a", "Giddiness.", (Label("hcpcs", "Q26"),), systems=("hcpcs",))
    with pytest.raises(InputError, match="no document is coded"):
        train([other], systems=[tiny_system])
    with pytest.raises(OptionError, match="needs a code table"):
        train([], systems=[])


def test_a_table_alone_is_ranked_by_its_words(tiny_system: CodeSystem, tmp_path: Path) -> None:
    model = train([], systems=[tiny_system])
    for codes, text in TINY_NOTES:
        assert set(codes) <= {s.code for s in model.suggest(text).suggestions[: len(codes) + 2]}
    assert not model.engines["icd10cm"].ranker.taught
    model.save(tmp_path / "m")
    assert not CodeSuggester.load(tmp_path / "m").engines["icd10cm"].ranker.taught


@pytest.mark.parametrize("size", [1, 2, 3])
def test_next_to_no_documents_are_ranked_by_the_words_of_the_table(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], size: int
) -> None:
    told: list[str] = []
    model = train(tiny_documents[:size], systems=[tiny_system], min_groups=1, progress=told.append)
    assert {s.code for s in model.suggest(TINY_NOTES[0][1]).suggestions[:2]} == {"Q11", "Q17"}
    assert model.engines["icd10cm"].ranker.taught or "not calibrated" in told[-1]


def test_documents_without_a_known_code_are_as_none_at_all(tiny_system: CodeSystem) -> None:
    documents = [CodedDocument(f"d{n}", "Asthma.", (Label("icd10cm", "X99"),), group=str(n)) for n in range(3)]
    result = train(documents, systems=[tiny_system]).suggest("Assessment: asthma")
    assert [s.code for s in result.suggestions] == ["Q15"], "of X99, which all have, nothing tells where it belongs"


def test_the_config_travels(tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path: Path) -> None:
    config = SuggestConfig(limit=1)
    model = train(tiny_documents, systems=[tiny_system], config=config, min_groups=1)
    model.save(tmp_path / "m")
    loaded = CodeSuggester.load(tmp_path / "m")
    assert loaded.config == config
    assert len(loaded.suggest(TINY_NOTES[0][1]).suggestions) == 1


def test_every_list_of_idioms_of_the_corpus_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for system in ("icd10cm", "icd10pcs"):
        built(system)  # once for all tests
        monkeypatch.setattr(packages, system, partial(built, system))
    corpora = Path(__file__).parents[1] / "corpora"
    sources = starter_sources(None, corpora)
    told = {(idiom.code, idiom.phrase) for idiom in sources.idioms["icd10cm"]}
    assert {("I10", "htn"), ("K4030", "irreducible inguinal hernia")} <= told
    lists = sorted((corpora / "codes").glob("idioms_icd10cm*.tsv"))
    assert len(lists) > 1 and all(any(line.startswith(path.name) for line in sources.made_from) for path in lists)


def test_the_shipped_model_is_not_overwritten_without_the_data(tmp_path: Path) -> None:
    from codesuggest.suggester import starter_path

    corpora = Path(__file__).parent.parent / "corpora"
    with pytest.raises(InputError, match="shipped"):
        build_starter(None, starter_path(), corpora=corpora)
    with pytest.raises(InputError, match="nowhere"):
        build_starter(None, tmp_path, corpora=Path("nowhere"))


# ---- coded documents


def test_read_coded_names_the_line_and_no_text(tmp_path: Path) -> None:
    file = tmp_path / "coded.jsonl"
    good = {"id": "a", "text": "Zyxwolf has gout", "codes": [{"code": "Q11"}]}
    wrong: list[object] = [{"id": "b", "text": "Zyxwolf"}, {"id": "b", "text": 3, "codes": []}, ["Zyxwolf"], "Zyxwolf"]
    wrong += [{"id": "b", "text": "Zyxwolf", "codes": 3}, {"id": "b", "text": "Zyxwolf", "codes": [{"code": None}]}]
    for bad in wrong:
        file.write_text(json.dumps(good) + "\n\n" + json.dumps(bad) + "\n")
        with pytest.raises(InputError, match="line 3") as caught:
            read_coded(file)
        assert "Zyxwolf" not in str(caught.value)
    file.write_text("{broken Zyxwolf")
    with pytest.raises(InputError, match=r"coded\.jsonl") as caught:
        read_coded(file)
    assert "Zyxwolf" not in str(caught.value)
    with pytest.raises(InputError, match="nowhere"):
        read_coded(tmp_path / "nowhere.jsonl")


def test_required_codes_and_what_stands_in_for_them() -> None:
    document = CodedDocument(
        "a",
        "",
        (
            Label("icd10cm", "Q11"),
            Label("icd10cm", "Q12", "acceptable", ("Q11",)),
            Label("icd10cm", "Q13.9", "acceptable"),
            Label("icd10pcs", "0DTJ4ZZ"),
        ),
    )
    assert document.required("icd10cm") == [frozenset({"Q11", "Q12"})]
    assert document.labels("icd10cm") == {"Q11": "required", "Q12": "acceptable", "Q13.9": "acceptable"}
    assert document.labels("icd10pcs") is None, "it was not coded in that system"


def test_the_training_files_read(DATA: Path) -> None:
    documents = read_coded(DATA / "visits" / "train.jsonl")
    assert len(documents) >= 100 and all(d.policy == "billing" and d.text for d in documents)
    assert all(0 <= a < b <= len(d.text) for d in documents for label in d.codes for a, b in label.evidence)
    assert np.mean([len(d.required("icd10cm")) for d in documents]) > 1


@pytest.mark.parametrize(("policy", "least", "most"), [("billing", 0.27, 0.35), ("mentions", 0.45, 0.55)])
def test_of_thresholds_as_good_the_lowest_where_notes_are_billed(
    monkeypatch: pytest.MonkeyPatch, tiny: CodeSuggester, policy: str, least: float, most: float
) -> None:
    def flat(
        _: object, __: object, grid: training.Floats
    ) -> training.Floats:  # level from 0.3, best at 0.5 by a hair, then down
        above = 0.002 * np.exp(-(((grid - 0.5) / 0.1) ** 2)) - np.maximum(0, grid - 0.6)
        return np.asarray(np.where(grid < 0.3, 0.4, 0.6) + above)

    monkeypatch.setattr(training, "_f1_curve", flat)
    document = CodedDocument("d", "", (Label("icd10cm", "Q11"),), policy=policy)
    example = Example(document, Hits.none(), None, np.zeros(0, bool), np.zeros(0))  # type: ignore[arg-type]
    assert least <= training._best_threshold([example], [np.zeros(0)], tiny.engines["icd10cm"]) <= most


def test_where_coders_leave_out_the_seventh_character_so_does_the_model() -> None:
    rows = [
        CodeRow("S42", "Fracture of shoulder", billable=False, parent=""),
        CodeRow("S42001", "Fracture of clavicle", billable=False, parent="S42"),
        *(CodeRow(f"S42001{c}", f"Fracture of clavicle, {e} encounter", parent="S42001") for c, e in ENCOUNTERS),
        CodeRow("S420", "Fracture of scapula", billable=False, parent="S42"),
        *(CodeRow(f"S420XX{c}", f"Fracture of scapula, {e} encounter", parent="S420") for c, e in ENCOUNTERS),
    ]
    table = CodeSystem.from_rows(rows, name="icd10cm", release="2026-04-01")

    def coded(code: str) -> CodedDocument:
        return CodedDocument(code, "Broken clavicle.", (Label("icd10cm", code),), policy="mentions")

    short = with_written_codes(table, [coded("S42.001")], ("mentions",), "x")
    assert {short.code(i) for i in short.site_codes} == {"S42.001", "S42.0XX"}
    assert short["S42.0XX"].title == "Fracture of scapula", "placeholders change no meaning"
    full = with_written_codes(table, [coded("S42.001A"), coded("S42.0XXD"), coded("S42.001")], ("mentions",), "x")
    assert {full.code(i) for i in full.site_codes} == {"S42.001"}
    assert with_written_codes(table, [coded("S42.001")], ("billing",), "x") is table


ENCOUNTERS = (("A", "initial"), ("D", "subsequent"))
