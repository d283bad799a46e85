"""What notes say of drugs and poisons, in a coder's examples: the beginnings of the codes stated."""

from __future__ import annotations

import json
import re
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from conftest import NOTES
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest import CodeSuggester
from codesuggest.errors import LexiconError
from codesuggest.pipes.effects import EffectReader, effect_reader
from codesuggest.pipes.lexicon import ENGLISH, read_lexicon
from codesuggest.pipes.pieces import cut

READER = EffectReader(ENGLISH)


def stated(text: str) -> dict[str, str]:
    """Beginning of the codes -> the words it stands at, of a note of one sentence."""
    return {one.begin: text[one.start : one.end] for one in READER.read(text, [(0, len(text))])}


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("Cough from lisinopril.", {"T464X5": "lisinopril", "R058": "Cough"}),
        ("HYPOTHYROIDISM DUE TO AMIODARONE", {"T462X5": "AMIODARONE", "E032": "HYPOTHYROIDISM"}),
        ("Opioid-induced constipation", {"T402X5": "Opioid", "K5903": "constipation"}),
        ("Heparin-induced thrombocytopenia", {"T45515": "Heparin"}),
        ("Angioedema 2/2 lisinopril and losartan", {"T464X5": "lisinopril", "T465X5": "losartan"}),
        ("Accidental ingestion of bleach", {"T5491": "bleach"}),
        ("Took 30 tylenol in a suicide attempt", {"T391X2": "tylenol"}),
        ("Overdose of gabapentin, intent could not be determined", {"T426X4": "gabapentin"}),
        ("intentional sertraline overdose without serotonin toxicity", {"T43222": "sertraline"}),
        ("Smoke inhalation from a house fire", {"T59811": "Smoke"}),
    ],
)
def test_harm_of_a_drug(text: str, begins: dict[str, str]) -> None:
    found = stated(text)
    assert {k: found.get(k) for k in begins} == begins


@pytest.mark.parametrize(
    ("text", "drug", "reason"),
    [
        ("He ran out of his furosemide last week, the pharmacy was closed", "T501X6", "Z91138"),
        ("Has not been taking metformin because she cannot afford it", "T383X6", "Z91120"),
        ("Noncompliant with keppra", "T426X6", "Z91148"),
        ("Self-discontinued sertraline, did not like how it made her feel", "T43226", "Z91128"),
    ],
)
def test_too_little_of_a_drug_and_why(text: str, drug: str, reason: str) -> None:
    found = [one.begin for one in READER.read(text, [(0, len(text))])]
    assert found[:2] == [drug, reason]  # the likeliest reason comes first


@pytest.mark.parametrize(
    "text",
    [
        "Meds: lisinopril 10, metformin 500 bid, aspirin 81.",
        "Continue losartan and check potassium.",
        "Allergic to penicillin.",
        "Anemia due to iron deficiency.",
        "Switched her from furosemide to torsemide.",
        "Opioid use disorder, severe, due to fentanyl dependence.",
        "Secondhand smoke exposure.",
        "Passive smoke exposure, dad smokes outside.",
        "She is weaning off her inhalers.",
        "Do not take ibuprofen.",
        "",
    ],
)
def test_a_name_alone_says_nothing(text: str) -> None:
    assert stated(text) == {}


def test_a_cue_of_another_sentence_is_not_of_the_name() -> None:
    text = "Rash due to heat. Lisinopril 10 mg daily."
    assert READER.read(text, [(0, 17), (18, len(text))]) == []


@given(st.text(max_size=80), st.text(alphabet="İß ﬁ\u0130abc\n", max_size=20))
def test_offsets_are_those_of_the_text(before: str, behind: str) -> None:
    text = f"{before} rash due to bactrim {behind}"
    found = {one.begin: text[one.start : one.end] for one in READER.read(text, [(0, len(text))])}
    assert found.get("T370X5", "bactrim") == "bactrim"


class _All(dict[str, object]):
    """Instead of an index of regexes: all of them may match anything."""

    def __init__(self, many: int) -> None:
        self.many = many

    def by(self, text: str) -> set[int]:
        return set(range(self.many))

    def __missing__(self, place: str) -> _All:
        return self


@pytest.fixture(scope="module")
def asks_all() -> EffectReader:
    slow = EffectReader(ENGLISH)
    slow._told, slow._harm = _All(len(slow._cues)), _All(len(slow._induced))  # type: ignore[assignment]
    return slow


CUES = [row["words"] for row in read_lexicon(ENGLISH / "effects.tsv", ("kind", "place", "words", "sure", "source"))]
HARMS = [w for row in READER._induced for w in row.pattern.pattern[5:-3].replace(r"[\s]+", " ").split("|")]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(CUES).map(lambda cue: cue.replace("[*]", "her daily").replace("*", "ing")),
            st.sampled_from(HARMS).map(lambda words: words.replace(r"\w*", "s").replace("\\", "")),
            st.sampled_from(["lisinopril", "metformin", "tylenol", "bleach", "medication", "opioid", "vitamin d"]),
            st.sampled_from(["his", "the", "20 mg", "2.5", "fr\u00f3m", "_from", "t\u00e1king", "o.d."]),
        ),
        max_size=12,
    ),
    st.lists(st.sampled_from([" ", " ", " ", "-", ", ", ". ", "\n", " (", "; "]), min_size=12, max_size=12),
)
def test_no_cue_is_left_out(asks_all: EffectReader, words: list[str], gaps: list[str]) -> None:
    text = "".join(word + gap for word, gap in zip(words, gaps, strict=False))
    assert READER.read(text, [(0, len(text))]) == asks_all.read(text, [(0, len(text))])


def test_no_cue_is_left_out_of_our_notes(asks_all: EffectReader) -> None:
    for note in sorted(NOTES.glob("*.txt"))[::4]:
        text = note.read_bytes().decode("utf-8")
        assert READER.read(text, [(0, len(text))]) == asks_all.read(text, [(0, len(text))])


@given(
    st.lists(
        st.sampled_from(("a", "5", "blood", "high", "a/c", "5-fu", "A/C", "High-Dose", "blood thinner", "ct contrast"))
        | st.text(" \n-/(x", max_size=3)
    )
)
def test_every_name_begins_in_a_piece_that_may_name(words: list[str]) -> None:
    text = "".join(words)
    stops = list(accumulate(map(len, cut(text)), initial=0))
    where = [(a, b) for a, b in pairwise(stops) if READER.may_name(text[a:b])]
    assert list(READER._mentions(text.lower(), where)) == list(READER._mentions(text.lower(), [(0, len(text))]))


def test_every_code_of_the_lists_is_one(starter: CodeSuggester) -> None:
    system = starter.tables["icd10cm"]
    begins = {code[:size].decode() for code in system.codes.tolist() for size in range(3, len(code) + 1)}
    for row in read_lexicon(ENGLISH / "drugs.tsv", ("name", "begin", "source")):
        assert row["begin"] + "1" in begins, row.error("no code of poisoning begins so")
    for row in read_lexicon(ENGLISH / "induced.tsv", ("words", "drugs", "code", "source"), optional=("drugs",)):
        assert system[row["code"]].billable, row.error("not billable")


def test_a_list_is_checked(tmp_path: Path) -> None:
    for name in ("drugs.tsv", "effects.tsv", "induced.tsv"):
        (tmp_path / name).write_bytes((ENGLISH / name).read_bytes())
    (tmp_path / "drugs.tsv").write_text("name\tbegin\tsource\nTylenol\tT391X\town\n", encoding="utf-8")
    with pytest.raises(LexiconError, match="small letters"):
        EffectReader(tmp_path)


def test_a_language_without_lists_states_nothing(tmp_path: Path) -> None:
    assert effect_reader(tmp_path) is None


def test_in_a_note_what_is_denied_is_not_stated(starter: CodeSuggester) -> None:
    def begins(text: str) -> set[str]:
        return {begin for begin, _, _ in starter.reader.read(text).stated}

    assert "T464X5" in begins("Assessment: cough due to lisinopril, stop it.")
    assert begins("She denies cough from lisinopril.") == set()
    assert "T501X6" in begins("He has not been taking his furosemide.")
    assert begins("Allergies:\nrash due to penicillin") == set()


def test_the_drug_is_the_evidence_of_its_code(starter: CodeSuggester) -> None:
    note = "Assessment:\n1. Opioid-induced constipation, start senna.\n"
    found = {s.code: s for s in starter.suggest(note, systems=["icd10cm"]).suggestions}
    evidence = found["T40.2X5A"].evidence[0]
    assert note[evidence.start : evidence.end] == "Opioid"
    assert evidence.assertion == "affirmed"
    assert json.dumps(found["T40.2X5A"].to_dict())
    assert not re.search("bleach", str(found))
