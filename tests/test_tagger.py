"""Which words are marked: learned from marks, cross-fitted, without anybody's own words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeSystem
from codesuggest.named import Named
from codesuggest.note import Reading
from codesuggest.suggester import CodeSuggester
from codesuggest.tagger import TAGGED, TAGGED_ANYWHERE, Tagger, Taggers, _hashed, tagged, tagged_anywhere
from codesuggest.training import train

SAYS = [
    "Seen for {}itis of the ear.",
    "He has {}itis today.",
    "Known {}itis, doing well.",
    "She came with {}itis and went.",
]
STEMS = "arthr gastr ot rhin derm col nephr hepat pancreat tonsill bronch laryng".split()


def notes() -> list[tuple[str, tuple[int, int], str]]:
    out = []
    for n, stem in enumerate(STEMS):
        text = SAYS[n % len(SAYS)].format(stem)
        start = text.index(stem)
        out.append((text, (start, start + len(stem) + 4), f"p{n}"))
    return out


def named(tiny: CodeSuggester, readings: Sequence[Reading]) -> list[Named]:
    engine = tiny.engines["icd10cm"]
    return [engine.named(r, engine.hits(r, top=45, floor=0.45)) for r in readings]


def marked(tiny: CodeSuggester, tagger: Tagger, text: str) -> dict[str, float]:
    reading = tiny.reader.read(text)
    words = [text[a:b] for a, b in zip(reading.words.start, reading.words.end, strict=True)]
    return dict(zip(words, tagger.marked(reading, *named(tiny, [reading])).tolist(), strict=True))


def taught(tiny: CodeSuggester, min_groups: int = 1) -> Taggers:
    rows = notes()
    readings = [tiny.reader.read(t) for t, _, _ in rows]
    made = Taggers.of(readings, named(tiny, readings), [{s} for _, s, _ in rows], [g for *_, g in rows], min_groups)
    assert made is not None
    return made


def test_a_word_nobody_marked_is_told_by_its_ending(tiny: CodeSuggester) -> None:
    found = marked(tiny, taught(tiny).tagger, "He has tendinitis today.")
    assert found["tendinitis"] > 0.5 > max(found["has"], found["today"])
    assert all(0 <= p <= 1 for p in found.values())


def test_what_a_document_is_told_does_not_come_from_its_own_marks(tiny: CodeSuggester) -> None:
    rows = notes()
    odd = ("Zyxwolf met Quibblefex.", (0, 7), "p0")  # the only word of its kind, and in no other document
    rows[0] = odd
    readings = [tiny.reader.read(t) for t, _, _ in rows]
    made = Taggers.of(readings, named(tiny, readings), [{s} for _, s, _ in rows], [g for *_, g in rows], 1)
    assert made is not None
    assert made.told[odd[0]][0] < 0.5 < marked(tiny, made.tagger, odd[0])["Zyxwolf"] + 0.2


def test_clues_of_too_few_patients_have_no_weight(tiny: CodeSuggester) -> None:
    weight = taught(tiny, min_groups=3).tagger.weight
    reading = tiny.reader.read(notes()[0][0])
    clues = _hashed([reading])
    assert np.count_nonzero(weight) < np.count_nonzero(taught(tiny).tagger.weight)
    only = {b for b in clues.indices.tolist()} - {
        b for t, _, _ in notes()[1:] for b in _hashed([tiny.reader.read(t)]).indices.tolist()
    }
    assert only and not weight[sorted(only)].any()


def test_nothing_is_learned_where_nothing_or_everything_is_marked(tiny: CodeSuggester) -> None:
    readings = [tiny.reader.read(t) for t, _, _ in notes()]
    groups = [g for *_, g in notes()]
    terms = named(tiny, readings)
    assert Taggers.of(readings, terms, [()] * len(readings), groups, 1) is None
    assert Taggers.of(readings, terms, [{(0, 99)}] * len(readings), groups, 1) is None
    assert Taggers.of(readings[:2], terms[:2], [{s} for _, s, _ in notes()[:2]], groups[:2], 1) is None


def test_features_of_a_match_are_the_mean_of_its_words_and_what_stands_beside() -> None:
    marked = np.array([0.1, 0.8, 0.6, 0.3], np.float32)
    one = np.ones(1, np.float32)
    found = dict(zip(TAGGED, tagged(marked, np.array([1]), np.array([2]), one / 2, one)[0].tolist(), strict=True))
    assert found == pytest.approx(
        {"tagged:mean": 0.7, "tagged:before": 0.1, "tagged:after": 0.3, "tagged:and_match": 0.35, "tagged:unheard": 0.7}
    )
    edge = tagged(marked, np.array([0]), np.array([3]), one, 0 * one)[0].tolist()
    assert edge[1:3] == [0, 0] and edge[4] == 0


def test_a_model_keeps_its_tagger(tiny_system: CodeSystem, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ["asthma", "migraine", "pneumonia", "insomnia"]
    documents = []
    for n in range(16):
        text = f"He says {words[n % 4]} is worse."
        start = text.index(words[n % 4])
        label = Label(
            "icd10cm", ["Q11", "Q12", "Q15", "Q11"][n % 4], "required", (), ((start, start + len(words[n % 4])),)
        )
        documents.append(CodedDocument(f"d{n}", text, (label,), policy="mentions"))
    model = train(documents, systems=[tiny_system], min_groups=1)
    spoken = model.engines["icd10cm"].spoken
    assert spoken is not None and spoken.tagger is not None
    model.save(tmp_path / "m")
    again = CodeSuggester.load(tmp_path / "m").engines["icd10cm"].spoken
    assert again is not None and again.tagger is not None
    assert again.tagger.weight.tolist() == spoken.tagger.weight.tolist()
    note = "He says asthma is worse."
    assert (
        CodeSuggester.load(tmp_path / "m").suggest(note).to_dict()["suggestions"]
        == model.suggest(note).to_dict()["suggestions"]
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 3), st.sampled_from([0.5, 0.92, 1.0]), st.integers(0, 2))),
)
def test_features_of_all_matches_beside_a_slow_reference(
    marked: list[float], rows: list[tuple[int, int, float, int]]
) -> None:
    n = len(marked)
    matches = [(a, min(a + size, n) - 1, s, of) for a, size, s, of in rows if a < n]
    first, last = (np.array([m[k] for m in matches], np.int64) for k in (0, 1))
    strength, row = np.array([m[2] for m in matches], np.float32), np.array([m[3] for m in matches], np.int64)
    found = tagged_anywhere(np.array(marked, np.float32), first, last, strength, row, 3)
    expected = np.zeros((3, len(TAGGED_ANYWHERE)))
    for a, b, s, of in matches:
        inside = marked[a : b + 1]
        mean, least = sum(inside) / len(inside), min(inside)
        beside = [marked[k] if 0 <= k < n else 0.0 for k in (a - 1, b + 1)]
        around = 0.0
        for step, k in ((-1, a - 1), (1, b + 1)):
            while 0 <= k < n and marked[k] >= 0.25:
                around, k = around + marked[k], k + step
        share = sum(inside) / (sum(inside) + around + 0.2) * s**2
        own = [mean * s**2, least * (1 - beside[0]) * (1 - beside[1]) * s**2]
        own += [mean * s**4 * (s > 0.9), mean, least * s**2]
        own += [share, share * mean, share * mean * s**2, sum(inside) * s**2 / 4]
        expected[of, :-1] = np.maximum(expected[of, :-1], own)
        expected[of, -1] += mean * (s > 0.95)
    expected[:, -1] = np.log1p(expected[:, -1])
    assert found == pytest.approx(expected, abs=1e-4)
