"""Words and their normal forms, as clinicians write them; which words stand together as a phrase."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.pipes.lexicon import ENGLISH, read_lexicon
from codesuggest.pipes.phrases import WordReader, Words, common_words, phrase_runs

READER = WordReader()

# Two ways of writing that must have the same forms.
SAME = [
    ("HTN", "hypertension"),
    ("htn", "Hypertension"),
    ("T2DM", "type 2 diabetes"),
    ("CABG", "coronary artery bypass graft"),
    ("s/p CABG", "status post CABG"),
    ("S/P appendectomy", "status post appendectomy"),
    ("c/o SOB", "shortness of breath"),
    ("w/o fever", "without fever"),
    ("w/ fever", "with fever"),
    ("w/fever", "fever"),
    ("h/o gout", "history of gout"),
    ("COPD", "chronic obstructive pulmonary disease"),
    ("renal stones", "kidney stones"),
    ("kidneys", "kidney"),
    ("R knee", "right knee"),
    ("rt knee", "right knee"),
    ("L knee", "left knee"),
    ("lt knee", "left knee"),
    ("bilat knees", "bilateral knee"),
    ("RLE", "right lower extremity"),
    ("right-sided", "right sided"),
    ("knee/hip", "knee hip"),
    ("Crohn's disease", "Crohn disease"),
    ("Crohn’s disease", "Crohn disease"),
    ("Ménière's disease", "Meniere disease"),
    ("Me\u0301nie\u0300re's disease", "Ménière's disease"),
    ("Sjögren", "Sjogren"),
    ("ANEMIA", "anemia"),
    ("the patient's left knee", "left knee"),
    ("n/v", "nausea vomiting"),
    ("n/v/d", "nausea vomiting diarrhea"),
    ("BI-RADS 4A", "BIRADS 4A"),
    ("alcoholism", "alcohol dependence"),
    ("POTS", "postural orthostatic tachycardia syndrome"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_to_write_one_thing(one: str, other: str) -> None:
    assert READER.forms_of(one) == READER.forms_of(other)
    assert READER.forms_of(one), "a pair without forms proves nothing"


# Two ways of writing that must stay apart.
APART = [
    ("BI-RADS 2", "RADS 2"),  # reactive airways dysfunction syndrome
    ("AF", "af"),  # atrial fibrillation only in capitals
    ("CAP", "cap"),  # community-acquired pneumonia, or a cap on a tooth
    ("CA", "ca"),
    ("right knee", "left knee"),
    ("hypertension", "hypotension"),
    ("hyperkalemia", "hypokalemia"),
    ("type 1 diabetes", "type 2 diabetes"),
    ("with fever", "without fever"),
    ("9.1", "91"),
    ("ileum", "ilium"),
    ("prostatitis", "prostatic"),  # a disease and its organ, which an English stemmer makes one
    ("hepatitis", "hepatic"),
    ("sinusitis", "sinuses"),
    ("hepatitis A", "hepatitis"),  # a capital is no article
    ("vitamin D", "vitamin"),
    ("CKD-EPI", "CKD"),  # the formula of a laboratory, not a disease
    ("ex-smoker", "smoker"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_two_things_stay_two(one: str, other: str) -> None:
    assert READER.forms_of(one) != READER.forms_of(other)


def pieces(text: str) -> list[str]:
    words = READER.read(text)
    return [text[a:b] for a, b in zip(words.start.tolist(), words.end.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s/p CABG", ["s/p", "CABG"]),
        ("n/v/d", ["n/v/d"]),
        ("w/o pain", ["w/o", "pain"]),
        ("w/pain", ["w/", "pain"]),
        ("HgbA1c 9.1%", ["HgbA1c", "9.1"]),
        ("knee/hip", ["knee", "hip"]),
        ("right-sided", ["right", "sided"]),
        ("eGFR (CKD-EPI) 58", ["eGFR", "CKD-EPI", "58"]),
        ("ex-smokers", ["ex-smokers"]),
        ("CKD-EPIC", ["CKD", "EPIC"]),
        ("Crohn’s", ["Crohn", "’s"]),
        ("COPD.", ["COPD"]),
        ("😀 knee\u00a0pain\t(left)\r\n", ["knee", "pain", "left"]),
        ("knee\u200fpain", ["knee", "pain"]),
        ("knee\x00pain", ["knee", "pain"]),
        ("knee_pain", ["knee", "pain"]),
        ("", []),
        (" \r\n\t", []),
    ],
)
def test_words_are_cut_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_an_abbreviation_gives_its_forms_at_one_word() -> None:
    words = READER.read("T2DM and CKD")
    assert [len(f) for f in words.forms] == [3, 0, 3]
    assert (words.start.tolist(), words.end.tolist()) == ([0, 5, 9], [4, 8, 12])


def test_small_words_have_no_form_but_keep_their_place() -> None:
    words = READER.read("pain of the knee")
    assert words.forms == [("pain",), (), (), ("knee",)]


@given(st.text())
def test_words_tile_any_text_in_order(text: str) -> None:
    words = READER.read(text)
    spans = list(zip(words.start.tolist(), words.end.tolist(), strict=True))
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(spans))
    assert len(words.forms) == len(spans)
    # nothing of letters or figures lies outside every word
    covered = {i for a, b in spans for i in range(a, b)}
    assert not [c for i, c in enumerate(text) if i not in covered and c.isalnum()]
    assert all(form and not form.isspace() for forms in words.forms for form in forms)


def test_reading_keeps_nothing_of_a_text() -> None:
    reader = WordReader()
    before = dict(reader._known)
    reader.read("Zyxwolf Quellmann has gout")
    assert reader._known == before


def test_learning_changes_no_form() -> None:
    reader = WordReader()
    vocabulary = ["Kidneys", "AF", "af", "knees", "of", "Ménière", "HTN"]
    before = [reader.forms_of(w) for w in vocabulary]
    reader.learn(vocabulary)
    assert [reader.forms_of(w) for w in vocabulary] == before
    other = WordReader()
    other.know(reader.known())
    assert [other.forms_of(w) for w in vocabulary] == before


# [clinical] words in brackets, {weak} ones in braces; "|" marks a new group. Phrases expected.
RUNS = [
    ("[knee] [pain]", ["knee pain"]),
    ("[pain] of the [knee]", ["pain of the knee"]),
    ("{left} [knee] [pain]", ["left knee pain"]),
    ("[knee] {left}", ["knee left"]),
    ("{left} {day}", []),
    ("[pain], [fever]", ["pain", "fever"]),
    ("[pain]; [fever]", ["pain", "fever"]),
    ("[pain]. [fever]", ["pain", "fever"]),
    ("[pain]\n[fever]", ["pain", "fever"]),
    ("[pain]\r\n[fever]", ["pain", "fever"]),
    ("[pain]\t[fever]", ["pain", "fever"]),
    ("[pain] • [fever]", ["pain", "fever"]),
    ("[pain] ([fever])", ["pain", "fever"]),
    ("[pain]: [fever]", ["pain", "fever"]),
    ("[pain] | [fever]", ["pain", "fever"]),
    ("[pain] | {left} [knee] | {left}", ["pain", "left knee"]),
    ("[knee]-[pain]", ["knee-pain"]),
    ("[pain] Zyxwolf [fever]", ["pain", "fever"]),
    ("[pain] in the of [knee]", ["pain", "knee"]),
    ("the [pain] of", ["pain"]),
    ("", []),
]


def marked(row: str) -> tuple[str, Words, np.ndarray, np.ndarray, np.ndarray]:
    text = "".join(c for c in row.replace(" | ", " ") if c not in "[]{}")
    words = READER.read(text)
    clinical, weak, group = [], [], []
    for number, part in enumerate(row.split(" | ")):
        for n, piece in enumerate(READER.read(part).start.tolist()):
            before = part[piece - 1] if piece else ""
            clinical.append(before == "[")
            weak.append(before == "{")
            group.append(number)
            assert n >= 0
    assert len(group) == len(words), "the example is malformed"
    return text, words, np.array(clinical, bool), np.array(weak, bool), np.array(group, np.intp)


@pytest.mark.parametrize(("row", "expected"), RUNS)
def test_phrases(row: str, expected: list[str]) -> None:
    text, words, clinical, weak, group = marked(row)
    runs = phrase_runs(words, clinical, weak, group, text)
    assert runs.shape == (len(expected), 2) and runs.dtype == np.intp
    assert [text[words.start[a] : words.end[b]] for a, b in runs.tolist()] == expected


@given(
    st.lists(st.sampled_from(["[knee]", "{left}", "of", "the", "Zyxwolf", "|", "[pain],", "[fever]\n"]), max_size=12)
)
def test_every_clinical_word_is_in_exactly_one_phrase(parts: list[str]) -> None:
    _, words, clinical, weak, group = marked(" ".join(parts).replace("| |", "|").strip("| "))
    text = "".join(c for c in " ".join(parts).replace("| |", "|").strip("| ").replace(" | ", " ") if c not in "[]{}")
    if len(words) != len(group):
        return
    runs = phrase_runs(words, clinical, weak, group, text).tolist()
    inside = [i for a, b in runs for i in range(a, b + 1)]
    assert len(inside) == len(set(inside))
    assert set(np.flatnonzero(clinical).tolist()) <= set(inside)
    for a, b in runs:
        assert len({int(g) for g in group[a : b + 1]}) == 1
        assert clinical[a : b + 1].any() and all(clinical[i] or weak[i] for i in (a, b))


def runs_slowly(words: Words, clinical: np.ndarray, weak: np.ndarray, group: list[int], text: str) -> list[list[int]]:
    """Word by word."""
    runs, first, last, strong = [], -1, -1, False
    for i in range(len(words)):
        usable = bool(clinical[i] or weak[i])
        if first >= 0:
            gap = text[words.end[i - 1] : words.start[i]]
            broken = group[i] != group[i - 1] or any(c in ",;:.()[]|\n\r\t•" for c in gap)
            if broken or (not usable and (words.forms[i] or i - last > 2)):
                runs += [[first, last]] if strong else []
                first, strong = -1, False
        if usable:
            first = i if first < 0 else first
            last, strong = i, strong or bool(clinical[i])
    return [*runs, [first, last]] if first >= 0 and strong else runs


@given(
    st.lists(
        st.tuples(
            st.sampled_from("cwlx"),
            st.sampled_from([" ", " ", " ", ", ", "\n", " • ", " é "]),
            st.sampled_from([0, 0, 0, 1]),
        ),
        max_size=14,
    )
)
def test_runs_equal_the_slow_reference(row: list[tuple[str, str, int]]) -> None:
    """c: clinical, w: weak, l: a link word, x: a word of another meaning; each with what follows it."""
    text, starts = "", []
    for kind, gap, _ in row:
        starts.append(len(text))
        text += kind + gap
    start = np.array(starts, np.intp)
    forms = [() if kind == "l" else (kind,) for kind, _, _ in row]
    words = Words(start, start + 1, forms, np.array([len(own) for own in forms], np.intp))
    clinical, weak = (np.array([kind == which for kind, _, _ in row], bool) for which in "cw")
    group = np.cumsum([change for _, _, change in row]).tolist()
    found = phrase_runs(words, clinical, weak, group, text)
    assert found.dtype == np.intp and found.tolist() == runs_slowly(words, clinical, weak, group, text)


def test_common_words_are_what_the_invented_notes_share() -> None:
    """To make the list anew after notes were added: write these words, each with the source `own`."""
    count = Counter(
        word
        for note in (Path(__file__).parents[1] / "corpora" / "notes").glob("*.txt")
        for word in set(re.findall(r"(?<![^\W_])[a-z]{2,}(?![^\W_])", note.read_text(encoding="utf-8")))
    )
    words = common_words()
    assert list(words) == sorted(words)
    rows = read_lexicon(ENGLISH / "common.tsv", ("word", "source"), unique=("word",))
    assert {row.choice("source", ("own", "general")) for row in rows} == {"own", "general"}
    own = [row["word"] for row in rows if row["source"] == "own"]
    assert [w for w in own if count[w] < 3] == [], "a word that our notes do not share may be somebody's name"
    assert len(words) > 1000
