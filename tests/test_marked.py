"""The mention dictionary: what is counted, the same with a slow count beside it, and nothing of a document's own in its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.coded import CodedDocument, Label
from codesuggest.marked import (
    BY_EVIDENCE,
    MANY,
    MARKED,
    WHOLE,
    WINDOW,
    Dictionary,
    Marked,
    Spoken,
    claims,
    find,
    phrases_in,
)
from codesuggest.note import Reading
from codesuggest.profiles import Profiles
from codesuggest.retrieve import TermIndex
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

WORDS = ("asthma", "migraine", "pneumonia", "marsh", "fever")
#: A note as sentences of words, and the codes given to stretches of words of it.
notes = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 3)), max_size=3),
        st.sampled_from(["p1", "p2", "p3"]),
    ),
    min_size=1,
    max_size=6,
)
Row = tuple[Reading, dict[int, list[list[tuple[int, int]]]], str]


def rows_of(tiny: CodeSuggester, drawn: Sequence[tuple[list[str], list[tuple[int, int, int]], str]]) -> list[Row]:
    out: list[Row] = []
    for words, labels, group in drawn:
        reading = tiny.reader.read(" ".join(words) + ".")
        start, end = reading.words.start.tolist(), reading.words.end.tolist()
        own: dict[int, list[list[tuple[int, int]]]] = {}
        for code, first, length in labels:
            if first < len(start):
                own.setdefault(code, []).append([(start[first], end[min(first + length, len(end)) - 1])])
        out.append((reading, own, group))
    return out


def counted(tiny: CodeSuggester, rows: Sequence[Row], min_groups: int = 1) -> Marked:
    ids = {form: i for i, form in enumerate(tiny.vocabulary)}
    return Marked.of(
        [r for r, _, _ in rows],
        [own for _, own, _ in rows],
        [group for _, _, group in rows],
        codes=4,
        idf=next(iter(tiny.engines.values())).index.idf,
        form_ids=ids,
        min_groups=min_groups,
    )


def says(reading: Reading, phrase: tuple[str, ...]) -> bool:
    """Whether all forms of a phrase stand within WINDOW words (the notes here are single sentences of at most 5 words)."""
    flat = {f for forms in reading.words.forms for f in forms}
    return len(reading.words.forms) <= WINDOW and set(phrase) <= flat


def slow(rows: Sequence[Row], min_groups: int) -> dict[tuple[str, int], float]:
    """Reliability of every phrase and code, counted anew by the formula; codes without evidence anywhere are left out."""
    out: dict[tuple[str, int], float] = {}
    placed = any(spans for _, own, _ in rows for spans in own.values())
    if not placed:
        return out
    phrases = {p for r, own, _ in rows for spans in own.values() for p in phrases_in(r, spans)[0]}
    for phrase in phrases:
        said = [(r, own, g) for r, own, g in rows if says(r, phrase)]
        if len({g for *_, g in said}) < min_groups:
            continue
        for code in range(4):
            both = sum(code in own and phrase in phrases_in(r, own[code])[0] for r, own, _ in said)
            prior = sum(code in own for _, own, _ in rows) / len(rows)
            value = (both + prior / 2) / (len(said) + 1)
            if both and value >= BY_EVIDENCE[1]:
                out[" ".join(phrase), code] = value
    return out


def as_dict(dictionary: Dictionary) -> dict[tuple[str, int], float]:
    value = dictionary.reliability().tolist()
    names = [dictionary.phrases[g] for g in dictionary.phrase.tolist()]
    return {(p, c): v for p, c, v in zip(names, dictionary.code.tolist(), value, strict=True) if v > 0}


@settings(max_examples=60, deadline=None)
@given(drawn=notes, min_groups=st.integers(1, 2))
def test_reliability_is_that_of_the_other_groups(tiny: CodeSuggester, drawn: list, min_groups: int) -> None:  # type: ignore[type-arg]
    rows = rows_of(tiny, drawn)
    marked = counted(tiny, rows, min_groups)
    expected = slow(rows, min_groups)
    assert as_dict(marked.dictionary) == pytest.approx(expected, abs=1e-5)
    names = sorted({g for *_, g in rows})
    for groups in [*([name] for name in names), names[:2]]:
        others = [row for row in rows if row[2] not in groups]
        if any(spans for _, own, _ in others for spans in own.values()):
            assert as_dict(marked.without(groups)) == pytest.approx(slow(others, min_groups), abs=1e-5)


def test_phrases_are_sets_of_known_forms_without_names_and_digits(tiny: CodeSuggester) -> None:
    reading = tiny.reader.read(
        "Zyxwolf had asthma and migraine in 1999 and marsh fever with pneumonia insomnia asthma."
    )
    found, whole = phrases_in(reading, [[(0, 40)]])
    forms = {f for p in found for f in p}
    assert {"asthma", "migrain"} <= forms and "zyxwolf" not in forms
    assert not any(c.isdigit() for f in forms for c in f)
    assert all(p == tuple(sorted(set(p))) and 1 <= len(p) <= MANY for p in found) and whole <= found
    start = reading.text.index("migraine")
    assert phrases_in(reading, [[(start, start + 8)]]) == ({("migrain",)}, {("migrain",)})
    assert phrases_in(reading, [[(start, start + 3)]])[1] == {("migrain",)}, "half a word marks the word"
    assert phrases_in(reading, []) == (set(), set())


def test_a_phrase_of_too_few_patients_is_not_kept(tiny: CodeSuggester) -> None:
    drawn = [(["asthma"], [(0, 0, 1)], "p1")] * 3 + [(["pneumonia"], [(1, 0, 1)], g) for g in ("p2", "p3")]
    rows = rows_of(tiny, drawn)
    assert counted(tiny, rows, 1).dictionary.phrases == ("asthma", "pneumonia")
    assert counted(tiny, rows, 2).dictionary.phrases == ("pneumonia",)
    assert as_dict(counted(tiny, rows, 2).without(["p2"])) == {}, "one patient is left who says it"


def test_without_evidence_the_whole_text_is_evidence_from_two_documents_on(tiny: CodeSuggester) -> None:
    drawn = [(["asthma", "marsh"], [], "p1"), (["asthma", "pneumonia"], [], "p2"), (["migraine"], [], "p3")]
    rows = [(r, {0 if n < 2 else 1: []}, g) for n, (r, _, g) in enumerate(rows_of(tiny, drawn))]
    rows += [(tiny.reader.read("Marsh fever."), {2: []}, f"q{n}") for n in range(18)]
    marked = counted(tiny, rows)
    found = as_dict(marked.dictionary)
    assert found["asthma", 0] == pytest.approx((2 + 2 / 21 / 2) / (2 + 1))
    assert ("migrain", 1) not in found, "one document is company, no evidence"
    assert tuple(np.round(marked.dictionary.rule, 2)) == pytest.approx(WHOLE)
    assert as_dict(marked.without(["p1"])).get(("asthma", 0), 0) == 0


def test_a_longer_phrase_takes_the_words_of_a_shorter(tiny: CodeSuggester) -> None:
    drawn = [
        (["marsh", "fever"], [(0, 0, 2)], "p1"),
        (["fever"], [(1, 0, 1)], "p2"),
        (["pneumonia"], [(2, 0, 1)], "p3"),
    ]
    marked = counted(tiny, rows_of(tiny, drawn))
    none = np.zeros(0, np.int32)
    nothing = np.zeros(0, np.float32)
    profiles = Profiles(none, nothing, nothing, none, none, np.zeros(1, np.int32), none, nothing)
    index_of = {form: i for i, form in enumerate(tiny.vocabulary)}
    spoken = Spoken.of(marked.dictionary, index_of)
    index = TermIndex(next(iter(tiny.engines.values())).index.idf, spoken.indptr, spoken.form)

    def feature(text: str, code: int, name: str) -> float:
        reading = tiny.reader.read(text)
        found = find(index, reading)
        claimed = claims(marked.dictionary, profiles, reading, found, spoken.writing(reading, found))
        return float(claimed.of(np.array([code]), np.zeros(1, np.float32))[0, MARKED.index(name)])

    assert feature("Fever.", 1, "longer_rival") == 0 < feature("Marsh fever.", 1, "longer_rival")
    assert feature("Marsh fever.", 1, "unrivalled") < feature("Fever.", 1, "unrivalled")
    assert feature("Pneumonia.", 2, "reliability") == pytest.approx((1 + (1 + 1 / 6) / 2) / 2), "as so written"
    assert feature("No pneumonia.", 2, "reliability") == feature("Pneumonia.", 2, "reliability"), (
        "a mention counts, whatever is said"
    )
    assert feature("No pneumonia.", 2, "negated") == 1
    assert feature("Asthma.", 2, "unheard") == 1 and feature("Pneumonia.", 2, "unheard") == 0
    assert (
        find(index, tiny.reader.read("Marsh. Fever.")).term.tolist()
        != find(index, tiny.reader.read("Marsh fever.")).term.tolist()
    )


def test_a_model_of_mentions_codes_what_is_negated_and_is_the_same_when_loaded(tiny: CodeSuggester, tmp_path) -> None:  # type: ignore[no-untyped-def]
    table = next(iter(tiny.engines.values())).system
    texts = [
        "No asthma.",
        "Asthma since youth.",
        "Pneumonia.",
        "Migraine and pneumonia.",
        "Denies migraine.",
        "Marsh fever is not coded.",
    ] * 8
    where = {"asthma": "Q15", "pneumonia": "Q16", "migraine": "Q14"}
    documents = []
    for n, text in enumerate(texts):
        low = text.lower()
        labels = tuple(
            Label(table.name, code, evidence=((low.index(word), low.index(word) + len(word)),))
            for word, code in where.items()
            if word in low and code in table
        )
        documents.append(CodedDocument(f"d{n}", text, labels, policy="mentions", systems=(table.name,)))
    assert any(d.codes for d in documents)
    model = train(documents, systems=[table], min_groups=1)
    again = train(documents, systems=[table], min_groups=1)
    model.save(tmp_path / "a")
    again.save(tmp_path / "b")
    manifest = "manifest.json"
    assert (tmp_path / "a" / manifest).read_bytes() == (tmp_path / "b" / manifest).read_bytes()
    loaded = CodeSuggester.load(tmp_path / "a")
    for text in ("No pneumonia, no asthma.", "Migraine.", "Nothing of note."):
        one, two = model.suggest(text), loaded.suggest(text)
        assert [(s.code, s.score, s.evidence) for s in one.suggestions] == [
            (s.code, s.score, s.evidence) for s in two.suggestions
        ]
    first = loaded.suggest("There is no asthma.").suggestions[0]
    assert first.code == "Q15" and first.evidence[0].assertion == "negated"
    assert any(name.startswith("marked:") for name in first.why) and first.score == pytest.approx(
        first.intercept + sum(first.why.values())
    )


def test_phrases_of_codes_that_are_gone_go_too(tiny: CodeSuggester) -> None:
    drawn = [(["asthma"], [(0, 0, 1)], "p1"), (["pneumonia", "marsh"], [(1, 0, 1), (2, 1, 1)], "p2")]
    d = counted(tiny, rows_of(tiny, drawn)).dictionary
    moved = d.moved(np.array([1, -1, 0, -1]), 2)
    assert moved.fits(2) and as_dict(moved).keys() == {("asthma", 1), ("marsh", 0)}
    assert moved.coded.tolist() == [1, 1]
