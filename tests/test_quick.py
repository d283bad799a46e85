"""The quick tokenizer against spaCy's own: the same tokens, and a vocabulary that forgets."""

from __future__ import annotations

import pytest
import spacy
from conftest import NOTES
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.pipes.quick import quicken
from codesuggest.suggester import CodeSuggester

PLAIN = spacy.blank("en")
QUICK = spacy.blank("en")
quicken(QUICK)
WORDS = """patient Patient's pain, pain. Pain. don't cannot I'm c/o s/p w/ 5mg 10mg/dL
q.i.d. U.S. U.K. e.g. a.m. vs. :) 3-4 A1c. x-ray non-healing
http://a.org a@b.org (HTN) [1] 98.6F 120/80 2+ 1. 1) #3 -- … ° °C “quoted” patient’s é naïve Σ ß İ km 5km"""
PIECES = [
    *WORDS.split(),
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "\u00a0",
    "\u200b",
    "🙂",
]


def tokens(nlp: spacy.Language, text: str) -> list[tuple[object, ...]]:
    with nlp.memory_zone():
        return [(t.idx, t.text, t.whitespace_, t.lower, t.is_space, t.is_lower, t.orth) for t in nlp.make_doc(text)]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=12), st.sampled_from(["", " "]))
def test_the_same_tokens(parts: list[str], glue: str) -> None:
    text = glue.join(parts).encode("utf-8", "replace").decode("utf-8")
    assert tokens(QUICK, text) == tokens(PLAIN, text)


def test_the_same_tokens_of_our_notes() -> None:
    for note in sorted(NOTES.glob("*.txt"))[::4]:
        text = note.read_text(encoding="utf-8")
        assert tokens(QUICK, text) == tokens(PLAIN, text), note.name


@pytest.mark.parametrize("language", ["es", "de", "fr"])
def test_other_languages(language: str) -> None:
    plain, quick = spacy.blank(language), spacy.blank(language)
    quicken(quick)
    for text in (
        "Dolor torácico, fiebre de 39ºC. Sr. Pérez: p.ej. l'eau, 5mg/dl, aujourd'hui z.B. dámelo",
        " ".join(PIECES),
    ):
        assert tokens(quick, text) == tokens(plain, text)


def test_a_note_leaves_no_word() -> None:
    before = len(QUICK.vocab.strings)
    tokens(QUICK, "Zyxwolf quellmann, Zyxwolf's Quellmann. 83749201")
    assert len(QUICK.vocab.strings) == before
    assert not [w for w in ("Zyxwolf", "zyxwolf", "quellmann", "Quellmann", "83749201") if w in QUICK.vocab]


def test_a_doc_of_a_pipeline_that_knows_everything_reads_the_same(starter: CodeSuggester) -> None:
    """Our components ask a lexeme for nothing that `quicken` leaves out: the slow reference of the whole reading."""
    nlp = spacy.blank("en")
    nlp.add_pipe("codesuggest_structure")
    nlp.add_pipe("codesuggest_assertion")
    for note in sorted(NOTES.glob("*.txt"))[::8]:
        text = note.read_bytes().decode("utf-8")
        assert starter.suggest_doc(nlp(text)).to_json() == starter.suggest(text).to_json(), note.name
