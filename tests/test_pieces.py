"""A note in pieces against the slow ways it replaces: spaCy's tokenizer and the word regex over the whole text."""

from __future__ import annotations

import gc
import threading
from itertools import chain

import numpy as np
import pytest
import spacy
from conftest import NOTES
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.note import NoteReader
from codesuggest.pipes import pieces as module
from codesuggest.pipes.language import language
from codesuggest.pipes.phrases import WordReader
from codesuggest.pipes.pieces import cut
from codesuggest.pipes.tokens import Tokens
from codesuggest.suggester import CodeSuggester

WORDS = """patient Patient's pain, pain. Pain. PAIN: pain; don't cannot I'm id. Dr. im, c/o s/p w/ 5mg 10mg/dL i d I & D and C
t & A &d i& xd and& q.i.d. U.S. e.g. a.m. vs. :) 8) 3-4 A1c. x-ray follow-up: http://a.org a@b.org (HTN) [1] 98.6F 120/80 2+
1. 1) #3 -- … ° °C “quoted” patient’s é naïve Σ ß İ km 5km sequelae open fracture wbc K positive Zyxwolf zyxwolf's"""
GAPS = ["", " ", "  ", "\n", "\n\n ", " \n", "\t", "\r\n", "\u00a0", "\v", "\u200b"]
TEXTS = st.lists(
    st.tuples(st.one_of(st.sampled_from(WORDS.split()), st.text(max_size=4)), st.sampled_from(GAPS)), max_size=14
).map(lambda parts: "".join(word + gap for word, gap in parts).encode("utf-8", "replace").decode("utf-8"))

PLAIN = {code: spacy.blank(code) for code in ("en", "es")}


def new_reader(code: str, starter: CodeSuggester) -> NoteReader:
    words = WordReader(language(code))
    words.know(starter.forms if code == "en" else {"dolor": "dolor"})
    ids = {form: i for i, form in enumerate(starter.vocabulary)}
    return NoteReader(ids, starter.reader.weak.astype(np.float32), words)


@pytest.fixture(scope="module")
def readers(starter: CodeSuggester) -> dict[str, NoteReader]:
    return {code: new_reader(code, starter) for code in PLAIN}


def check(reader: NoteReader, plain: spacy.Language, text: str) -> None:
    """Tokens, words and letters by the slow ways."""
    found = reader.pieces.read(text)
    assert "".join(cut(text)) == text
    with plain.memory_zone():
        slow = Tokens.of(plain.make_doc(text))
        for name in ("start", "end", "lower"):
            assert getattr(found.tokens, name).tolist() == getattr(slow, name).tolist(), name
    words = reader._words.read(text)
    assert found.words.forms == words.forms
    assert found.words.start.tolist() == words.start.tolist() and found.words.end.tolist() == words.end.tolist()
    ids = [(k, reader._ids[f]) for k, own in enumerate(words.forms) for f in own if f in reader._ids]
    assert list(zip(found.word.tolist(), found.form.tolist(), strict=True)) == ids
    letters = reader.nlp.get_pipe("codesuggest_structure").reader.types.letters
    for start, end in (
        (0, len(text)),
        (0, len(text) // 2),
        (len(text) // 3, len(text)),
        (len(text) // 3, len(text) // 2),
    ):
        assert found.letters_of(start, end) == letters(text[start:end])


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from(sorted(PLAIN)))
def test_as_the_slow_ways(readers: dict[str, NoteReader], text: str, code: str) -> None:
    check(readers[code], PLAIN[code], text)
    check(readers[code], PLAIN[code], text)  # now of kept pieces


@pytest.mark.parametrize("code", sorted(PLAIN))
@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, T 98.6. WBC 11,200; seen 3/14/2025, at 1.2.3.4. Room 204. INR 2.25: high. 1/ 2, .5 3..4 5.,",
        "Short-staffed co-workers. well-KNOWN. a-b, non-ST. Re-check- -up ex--smoker self-e-mailed mid-1990s.",
        "Zyxwolf. ZYXWOLF. ZyxwolF. Dr. Zyxwolf, Mr. Q. no. x. ETC. etc.",
    ],
)
def test_numbers_and_hyphens_as_the_slow_ways(readers: dict[str, NoteReader], text: str, code: str) -> None:
    check(readers[code], PLAIN[code], text)


PARTS = (
    "a B ab Cd EF C5 T12 5 12 204 8 D w o and or km h vs co id Id. vs. co. id cant 5mg mg am 3.5 1,200 v n I XD".split()
)
JOINED = st.lists(
    st.tuples(st.sampled_from(PARTS), st.sampled_from(["-", "-", "/", "/", "", ". ", ", ", ": ", "; ", " ", ".\n"])),
    max_size=6,
).map(lambda parts: "".join(chain.from_iterable(parts)))


@settings(max_examples=400, deadline=None)
@given(JOINED, st.sampled_from(sorted(PLAIN)))
def test_joined_words_as_the_slow_ways(readers: dict[str, NoteReader], text: str, code: str) -> None:
    check(readers[code], PLAIN[code], text)


def test_as_the_slow_ways_in_our_notes(readers: dict[str, NoteReader]) -> None:
    for note in sorted(NOTES.glob("*.txt"))[::6]:
        check(readers["en"], PLAIN["en"], note.read_bytes().decode("utf-8"))


@pytest.mark.parametrize(
    ("piece", "public"),
    [
        ("pain. ", True), ("(HTN)", True), ("Patient's ", True), ("12. ", True), ("2/6 ", True), ("--", True), ("\n\n", True),
        ("follow-up, ", True), ("X-ray", True), ("radiates ", True), ("135 ", False), ("3/12/24", False), ("Zyxwolf ", False),
        ("zyxwolf", False), ("Radiatexs", False), ("Stevens-Johnson ", False), ("pain/Zyxwolf", False),
        ("a@b.org", False), ("Pain-Fever", False), ("1234567", False), ("5551234 ", False), ("pain" * 9, False),
    ],
)  # fmt: skip
def test_public(readers: dict[str, NoteReader], piece: str, public: bool) -> None:
    pieces = readers["en"].pieces
    assert pieces._is_public(piece, tuple(pieces._words.cut(piece)[1])) is public


def test_only_public_pieces_are_kept(starter: CodeSuggester) -> None:
    pieces = new_reader("en", starter).pieces
    pieces.read("Zyxwolf Quellmann, MRN 83749201, DOB 3/12/1961, has gout.\nGout in Zyxwolf-Quellmann; pain 555-1234.")
    gc.collect()
    assert "gout.\n" not in pieces._kept and "gout." in pieces._kept and "has " in pieces._kept
    assert all(pieces._is_public(piece, tuple(pieces._words.cut(piece)[1])) for piece in pieces._kept)
    assert not [p for p in pieces._kept if "yxwolf" in p or "uellmann" in p or sum(c.isdigit() for c in p) > 2]
    assert not [s for s in pieces._nlp.vocab.strings if "yxwolf" in s or "83749201" in s]


def test_no_more_is_kept_than_may_be(starter: CodeSuggester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    reader = new_reader("en", starter)
    for text in ("pain in the left knee, fever and cough", "no chest pain", "left hip fracture after a fall"):
        check(reader, PLAIN["en"], text)
    assert len(reader.pieces._kept) == 5


def test_threads_read_what_one_reads(starter: CodeSuggester) -> None:
    texts = [p.read_bytes().decode("utf-8") for p in sorted(NOTES.glob("*.txt"))[:12]]
    one = new_reader("en", starter).pieces
    alone = [one.read(text) for text in texts]
    pieces = new_reader("en", starter).pieces
    wrong: list[int] = []

    def go(first: int) -> None:
        for k in [*range(first, len(texts)), *range(first)]:
            found = pieces.read(texts[k])
            if (
                found.tokens.lower.tolist() != alone[k].tokens.lower.tolist()
                or found.words.forms != alone[k].words.forms
            ):
                wrong.append(k)

    threads = [threading.Thread(target=go, args=(3 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
