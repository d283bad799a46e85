"""Our English stemmer against the one that Snowball generates, and what a coder would see of it."""

from __future__ import annotations

import random
import re

import pytest
import snowballstemmer
from conftest import NOTES
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.pipes.stem import english_stem, stem_of
from codesuggest.suggester import starter_path

SNOWBALL = snowballstemmer.stemmer("english")
ENDINGS = (
    "ed eed ing edly eedly ingly ly anci enci ogi logi li bli abli alli fulli lessli ousli entli aliti biliti iviti tional"
    " ational alism ation ization izer ator iveness fulness ousness ogist icate ative alize iciti ical ful ness ic ance ence"
    " able ible ate ive ize iti al ism ion sion tion er ous ant ent ment ement e le l ll y ies ied s ss us sses ' 's 's'"
).split()


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("fractures", "fractur"),
        ("bleeding", "bleed"),
        ("allergies", "allergi"),
        ("dying", "die"),
        ("hypertension", "hypertens"),
        ("diabetes", "diabet"),
        ("bilaterally", "bilater"),
        ("pyelonephritis", "pyelonephr"),
        ("gas", "gas"),
    ],
)
def test_stems(word: str, stem: str) -> None:
    expected = str(SNOWBALL.stemWord(word))
    assert english_stem(word) == expected
    assert len(stem) > 2 and expected.startswith(stem[:3])


def test_every_word_of_the_tables_and_of_our_notes() -> None:
    words = {line.split("\t")[0] for line in (starter_path() / "words.txt").read_text("utf-8").splitlines()}
    for note in NOTES.glob("*.txt"):
        words.update(re.findall(r"[^\W_]+(?:['’]s)?", note.read_text("utf-8").lower()))
    assert len(words) > 10_000
    assert [w for w in sorted(words) if english_stem(w) != SNOWBALL.stemWord(w)] == []


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text("abcdefghijklmnopqrstuvwxyz'", max_size=10),
        st.text("aeiouybdlnstrwx", max_size=8),
        st.text(max_size=6).map(str.lower),
        st.sampled_from(
            ("succ", "proc", "exc", "even", "cann", "herr", "gener", "commun", "past", "univers", "arsen", "y")
        ),
    ),
    st.lists(st.sampled_from(ENDINGS), max_size=3).map("".join),
)
def test_equals_snowball(start: str, ending: str) -> None:
    word = start + ending
    if "Y" not in word:  # no lower-case word has one
        assert english_stem(word) == SNOWBALL.stemWord(word)


def test_equals_snowball_on_many_made_up_words() -> None:
    chance = random.Random(7)
    words = {
        "".join(chance.choices(letters, k=chance.randrange(9)))
        + "".join(chance.choices(ENDINGS, k=chance.randrange(4)))
        for letters in ("abcdefghijklmnopqrstuvwxyz'", "aeiouybdlnstrwx")
        for _ in range(10_000)
    }
    assert [word for word in sorted(words) if english_stem(word) != SNOWBALL.stemWord(word)] == []


def test_a_stemmer_keeps_no_word() -> None:
    stem = stem_of("spanish")
    assert stem("fracturas") == "fractur"
    kept = [cell.cell_contents for cell in stem.__closure__ or ()]  # type: ignore[attr-defined]
    assert not [held for held in kept if "fractur" in str(vars(held))]
