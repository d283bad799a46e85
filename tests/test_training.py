"""Training: the same seed gives the same bytes, folds keep patients together, nothing leaks, names stay out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_NOTES

from codesuggest.coded import CodedDocument, Label, read_coded
from codesuggest.codes.system import CodeSystem
from codesuggest.config import SuggestConfig
from codesuggest.errors import CodeFileError, InputError
from codesuggest.learned import Counts, grams
from codesuggest.suggester import CodeSuggester
from codesuggest.training import FOLDS, _folds, build_starter, read_idioms, train


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
        code, category = counts.priors_without(document)
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
    code, category = counts.priors_without(one)
    assert code.tolist() == alone.code_prior.tolist() and category.tolist() == alone.category_prior.tolist()


def test_documents_of_one_patient_do_not_teach_each_other(tiny_system: CodeSystem) -> None:
    one = CodedDocument("one", "", (Label("icd10cm", "Q11"),), group="p")
    two = CodedDocument("two", "", (Label("icd10cm", "Q11"),), group="p")
    counts = Counts.of(tiny_system, [one, two], [frozenset(), frozenset()], min_groups=1)
    assert counts.priors_without(one)[0].max() == 0


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


# ---- what cannot be trained on


def test_without_a_billed_document_there_is_nothing_to_train(tiny_system: CodeSystem) -> None:
    for documents in ([], [mentions(1, "Giddiness.", "Q26")]):
        with pytest.raises(InputError, match="billing"):
            train(documents, systems=[tiny_system])


def test_documents_without_a_known_code_give_a_model_that_suggests_nothing(tiny_system: CodeSystem) -> None:
    documents = [CodedDocument(f"d{n}", "Asthma.", (Label("icd10cm", "X99"),), group=str(n)) for n in range(3)]
    result = train(documents, systems=[tiny_system]).suggest("Assessment: asthma")
    assert [s.code for s in result.suggestions] == ["Q15"] and not result.suggested


def test_the_config_travels(tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path: Path) -> None:
    config = SuggestConfig(limit=1)
    model = train(tiny_documents, systems=[tiny_system], config=config, min_groups=1)
    model.save(tmp_path / "m")
    loaded = CodeSuggester.load(tmp_path / "m")
    assert loaded.config == config
    assert len(loaded.suggest(TINY_NOTES[0][1]).suggestions) == 1


def test_an_idiom_of_a_code_that_is_not_billable_is_named(tiny_system: CodeSystem, tmp_path: Path) -> None:
    file = tmp_path / "idioms.tsv"
    file.write_text("code\tphrase\tkind\tcommon\tsource\nQ11\ttoe trouble\tidiom\t3\town\nQ10\trattle\tidiom\t1\town\n")
    with pytest.raises(CodeFileError, match=r"Q10.*|line 3") as caught:
        read_idioms(file, tiny_system)
    assert caught.value.line == 3
    file.write_text("code\tphrase\tkind\tcommon\tsource\nQ11\ttoe trouble\tidiom\t3\town\n")
    (idiom,) = read_idioms(file, tiny_system)
    assert (idiom.code, idiom.phrase, idiom.kind, idiom.common) == ("Q11", "toe trouble", "idiom", 3)


def test_the_shipped_model_is_not_overwritten_without_the_data() -> None:
    from codesuggest.suggester import starter_path

    corpora = Path(__file__).parent.parent / "corpora"
    with pytest.raises(InputError, match="shipped"):
        build_starter(None, starter_path(), corpora=corpora)
    with pytest.raises(InputError, match="nowhere"):
        build_starter(None, starter_path(), corpora=Path("nowhere"))


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
