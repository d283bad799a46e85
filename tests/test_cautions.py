"""A result says when it should not be trusted, and says nothing where nothing is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest import CodeSuggester, NoteResult, train
from codesuggest.cautions import TrainedOn, _words, cautions
from codesuggest.coded import CodedDocument, notes_path, read_coded, read_codiesp
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import LexiconError
from codesuggest.export import to_html

ENGLISH = "The patient has had pain in the left knee for two weeks and was seen by her doctor. Assessment: knee pain."
FOREIGN = {
    "Spanish": "La paciente refiere dolor de rodilla desde hace dos semanas y fue vista por su médico. Dolor en la rodilla.",
    "French": "La patiente a des douleurs au genou depuis deux semaines et elle est suivie par son médecin dans le service.",
    "German": "Die Patientin wurde mit Schmerzen des Knies in der Ambulanz vorgestellt und ist seit zwei Wochen nicht belastbar.",
    "Portuguese": "A paciente refere dor no joelho há duas semanas e foi avaliada pelo médico da família em uma consulta.",
    "Italian": "La paziente riferisce dolore al ginocchio da due settimane ed è stata vista dal medico di famiglia nella sede.",
    "Dutch": "De patiënt heeft sinds twee weken pijn aan het knie en werd door de huisarts naar ons verwezen voor een foto.",
}


def kinds(result: NoteResult) -> list[str]:
    return [c.kind for c in result.cautions]


@pytest.mark.parametrize("language", FOREIGN)
def test_another_language_is_named(starter: CodeSuggester, language: str) -> None:
    result = starter.suggest(FOREIGN[language])
    assert "language" in kinds(result)
    assert result.cautions[0].message == f"reads like {language}; the model knows English"
    assert result.cautions[0].value >= result.cautions[0].bound


@pytest.mark.parametrize(
    "note",
    [
        ENGLISH,
        "K 4.1, Na 140, Cr 0.9. HTN, DM2 c/ neuropathy. LE edema. Pt en route. De novo a-fib, s/p DES to LAD.",
        "Hgb A1c 8.9%",
        "Seen by Dr. de la Cruz: knee pain.",
        "",
    ],
)
def test_an_english_note_is_not(starter: CodeSuggester, note: str) -> None:
    assert "language" not in kinds(starter.suggest(note))


def test_a_spanish_model_is_told_of_english_and_not_of_spanish(starter: CodeSuggester) -> None:
    def asked(text: str, language: str) -> list[str]:
        return [c.kind for c in cautions(starter.reader.read(text), None, language=language, found=True)]

    assert asked(FOREIGN["Spanish"], "es") == [] and asked(ENGLISH, "es") == ["language"]
    assert asked(FOREIGN["Spanish"], "xx") == []  # a language nobody listed


@pytest.mark.parametrize("note", ["", "   \n", "Zyzzyva quixotry."])
def test_nothing_found_is_said(starter: CodeSuggester, note: str) -> None:
    result = starter.suggest(note)
    assert result.suggestions == () and "nothing_found" in kinds(result)


RANGE = TrainedOn((50, 800), 0.3, {"visit_note": 9})
INVENTED = " ".join(f"quilfeathric{a}{b}" for a in "abcde" for b in "fghijklmnop")


@pytest.mark.parametrize(
    ("text", "document_type", "expected"),
    [
        (ENGLISH * 4, "visit_note", []),
        (ENGLISH * 4, "lab_report", ["document_type"]),
        (ENGLISH * 4, None, []),
        ("Assessment: knee pain.", None, ["length"]),
        (ENGLISH * 200, "visit_note", ["length"]),
        (INVENTED, None, ["unknown_words"]),
        ("X-RAY KNEE", "charge_line", []),  # a list of charges is no note
    ],
)
def test_out_of_the_training_range(
    starter: CodeSuggester, text: str, document_type: str | None, expected: list[str]
) -> None:
    found = cautions(starter.reader.read(text, document_type), RANGE, language="en", found=True)
    assert [c.kind for c in found] == expected
    assert "quilfeathric" not in repr(found)


def test_the_range_is_that_of_the_training_notes(
    tiny: CodeSuggester, tiny_folder: Path, tiny_documents: Sequence[CodedDocument], tiny_system: CodeSystem
) -> None:
    row = tiny.about["trained_on"]
    lengths = sorted(len(tiny.reader.read(d.text).words) for d in tiny_documents)
    assert lengths[0] <= row["words"][0] <= row["words"][1] <= lengths[-1]
    assert CodeSuggester.load(tiny_folder).about["trained_on"] == row
    assert TrainedOn.from_dict(json.loads(json.dumps(row))) == TrainedOn.of(
        tiny.reader.read(d.text) for d in tiny_documents
    )
    mixed = [*tiny_documents, CodedDocument("m", "gout " * 900, tiny_documents[0].codes, policy="mentions")]
    assert train(mixed, systems=[tiny_system], min_groups=1).about["trained_on"]["words"] == row["words"]


@pytest.mark.parametrize("row", [None, {}, {"words": [1]}, {"words": [1, 2], "unknown": "x", "document_types": {}}, []])
def test_a_model_without_a_range_says_less(row: Any) -> None:
    assert TrainedOn.from_dict(row) is None
    assert TrainedOn.of([]) is None


def test_cautions_travel(starter: CodeSuggester) -> None:
    result = starter.suggest(FOREIGN["Spanish"], id="n")
    line = json.loads(result.to_json())
    assert [c["kind"] for c in line["cautions"]] == kinds(result)
    assert NoteResult.from_dict(line).cautions == result.cautions
    del line["cautions"]  # a line of an older version
    assert NoteResult.from_dict(line).cautions == ()
    assert "reads like Spanish" in to_html(result)
    visit = starter.suggest_encounter([{"id": "a", "text": FOREIGN["Spanish"]}, {"id": "b", "text": ENGLISH}])
    assert ["language" in kinds(d) for d in visit.documents] == [True, False]


def test_no_note_of_the_corpus_is_called_foreign(starter: CodeSuggester) -> None:
    notes = [d for d in read_coded(notes_path()) if d.split != "evaluation"][::4]
    like = TrainedOn.of(starter.reader.read(d.text, d.document_type) for d in notes)
    for d in notes:
        found = cautions(starter.reader.read(d.text, d.document_type), like, language="en", found=True)
        assert found == (), d.id


@given(st.text() | st.text(st.characters(max_codepoint=127)))
def test_words_are_runs_of_letters(text: str) -> None:
    assert _words(text) == re.findall(r"[^\W\d_]+", text.lower())


def test_every_spanish_case_is(starter: CodeSuggester, DATA: Path) -> None:
    if not (DATA / "codiesp" / "dev").is_dir():
        pytest.skip("CodiEsp is not here")
    for language, expected in (("es", ["language"]), ("en", [])):
        for d in read_codiesp(DATA / "codiesp", "dev", language=language)[::10]:
            found = cautions(starter.reader.read(d.text), None, language="en", found=True)
            assert [c.kind for c in found] == expected, d.id


def test_a_broken_list_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from codesuggest import cautions as module

    path = tmp_path / "function_words.tsv"
    path.write_text("language\tname\twords\tsource\nen\tEnglish\tthe|Two words\town\n", encoding="utf-8")
    monkeypatch.setattr(module, "WORDS", path)
    module._function_words.cache_clear()
    try:
        with pytest.raises(LexiconError, match="line 2"):
            module._function_words()
    finally:
        module._function_words.cache_clear()
