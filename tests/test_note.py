"""text -> Reading: segments under one assertion, headings, headlines, results as phrases; what is no note."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import NOTES
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.errors import NotTextError, TextTooLongError
from codesuggest.note import GROUPS, Reading, _last_before
from codesuggest.pipes.pieces import _LONG, _SURROGATE, cut, readable
from codesuggest.pipes.signs import SIGNS
from codesuggest.pipes.weeks import may_tell
from codesuggest.records import ASSERTIONS
from codesuggest.suggester import CodeSuggester


def segments(text: str, reading: Reading) -> list[tuple[str, str, str | None]]:
    """(words, assertion, section) of every segment that was cut from the text."""
    w = reading.words
    return [
        (text[w.start[a] : w.end[b - 1]], ASSERTIONS[status], section)
        for a, b, status, section, derived in zip(
            reading.first, reading.last, reading.status, reading.section, reading.derived, strict=True
        )
        if not derived
    ]


def phrases(text: str, reading: Reading) -> list[tuple[str, str, str | None]]:
    return [(text[p.start : p.end], p.assertion, p.section) for p in reading.phrases]


def headlines(text: str, reading: Reading) -> list[tuple[str, str, int]]:
    """(words, group, rank) of the headlines."""
    w = reading.words
    return [
        (text[w.start[a] : w.end[b - 1]], GROUPS[g], int(rank))
        for a, b, g, head, rank in zip(
            reading.first, reading.last, reading.group, reading.headline, reading.headline_rank, strict=True
        )
        if head
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Denies chest pain but has left knee pain.",
            [("Denies", "affirmed"), ("chest pain", "negated"), ("but has left knee pain", "affirmed")],
        ),
        ("No gout. Hypertension.", [("No", "affirmed"), ("gout", "negated"), ("Hypertension", "affirmed")]),
        ("Her roommate has influenza.", [("Her roommate has", "affirmed"), ("influenza", "other_person")]),
    ],
)
def test_segments_are_parts_of_sentences(starter: CodeSuggester, text: str, expected: list[tuple[str, str]]) -> None:
    assert [s[:2] for s in segments(text, starter.reader.read(text))] == expected


TWO = (
    "PMH: gout, stroke in 2019\nFamily history: colon cancer\nHPI: denies fever, has cough; possible pneumonia. "
    "No rash or edema\nAssessment:\n1. Hypertension\n2. Asthma\nPlan: return if wheezing worsens. K 6.1 mmol/L (3.5-5.1) H\n"
)


def test_a_segment_holds_one_assertion_one_sentence_one_section(starter: CodeSuggester) -> None:
    from codesuggest.pipes.structure import StructureReader

    reading, structure = starter.reader.read(TWO), StructureReader().read(TWO)
    own = ~reading.derived
    assert reading.first[0] >= 0 and (reading.first < reading.last).all()
    for first, last in zip(reading.first[own].tolist(), reading.last[own].tolist(), strict=True):
        starts = reading.words.start[first:last].tolist()
        assert len({structure.section_at(at) for at in starts}) == 1
        # no list number, line or sentence of the next statement hangs at the end of this one
        owner = {next((n for n, s in enumerate(structure.sentences) if s.start <= at < s.end), -1) for at in starts}
        assert len(owner) == 1, TWO[starts[0] : starts[-1] + 5]
    # every word is in the one segment that says so, or in none (a heading)
    for number, (first, last) in enumerate(zip(reading.first.tolist(), reading.last.tolist(), strict=True)):
        assert set(reading.segment_of_word[first:last].tolist()) == {number}


def test_words_of_a_heading_belong_to_no_segment(starter: CodeSuggester) -> None:
    text = "ASSESSMENT\ngout\nFamily history: asthma"
    reading = starter.reader.read(text)
    outside = {
        text[a:b]
        for a, b, s in zip(reading.words.start, reading.words.end, reading.segment_of_word, strict=True)
        if s < 0
    }
    assert outside == {"ASSESSMENT", "Family", "history"}


def test_family_history_section_is_the_familys(starter: CodeSuggester) -> None:
    text = "FAMILY HISTORY\nDiabetes, colon cancer\n\nASSESSMENT\nGout"
    assert phrases(text, starter.reader.read(text)) == [
        ("Diabetes", "family", "family_history"),
        ("colon cancer", "family", "family_history"),
        ("Gout", "affirmed", "assessment"),
    ]


def test_a_cue_wins_over_the_section(starter: CodeSuggester) -> None:
    text = "FAMILY HISTORY\nMother has diabetes. No colon cancer."
    (first, mother, _), (second, colon, _) = phrases(text, starter.reader.read(text))
    assert "diabetes" in first and mother == "family"
    assert "colon cancer" in second and colon == "negated"


def test_discharge_instructions_are_hypothetical(starter: CodeSuggester) -> None:
    text = "Discharge instructions:\nReturn for chest pain or fever."
    assert {a for _, a, _ in phrases(text, starter.reader.read(text))} == {"hypothetical"}


def test_headlines_and_their_rank(starter: CodeSuggester) -> None:
    text = (
        "HPI:\nKnee pain for a week.\nASSESSMENT\n- Gout, left great toe\n- Hypertension, at goal on the present dose "
        "and to be checked again at the next visit in three months together with kidney function\nPLAN\nColchicine\n"
    )
    assert headlines(text, starter.reader.read(text)) == [
        ("Gout, left great toe", "assessment", 0),
        ("Colchicine", "plan", 0),
    ]


@pytest.mark.parametrize(
    ("after", "group"),
    [
        ("Same", "assessment"),
        ("SAME AS ABOVE.", "assessment"),
        ("The same; see findings.", "assessment"),
        ("Perforated appendicitis", "reason"),
    ],
)
def test_a_postoperative_diagnosis_that_repeats_the_one_before(starter: CodeSuggester, after: str, group: str) -> None:
    text = f"Preoperative diagnosis: acute appendicitis\nPostoperative diagnosis: {after}\nProcedure: appendectomy\n"
    reading = starter.reader.read(text)
    before = next(i for i, s in enumerate(segments(text, reading)) if s[0] == "acute appendicitis")
    assert (reading.section[before], GROUPS[reading.group[before]]) == ("preop_diagnosis", group)


def test_pathology_and_the_course_after_an_operation_tell_of_findings(starter: CodeSuggester) -> None:
    text = "Specimen: polyp\nPathology: tubular adenoma\nPostop course: wound infection\n"
    reading = starter.reader.read(text)
    told = {s[0]: GROUPS[g] for s, g in zip(segments(text, reading), reading.group.tolist(), strict=True)}
    assert told == {"polyp": "procedure", "tubular adenoma": "findings", "wound infection": "story"}


def test_ranks_count_within_a_group(starter: CodeSuggester) -> None:
    text = "Chief complaint: cough\nAssessment:\n- Gout\n- Asthma\n- Obesity\nPlan:\n- Rest\n"
    found = headlines(text, starter.reader.read(text))
    assert [(words, rank) for words, group, rank in found if group == "assessment"] == [
        ("Gout", 0),
        ("Asthma", 1),
        ("Obesity", 2),
    ]
    assert [rank for _, group, rank in found if group == "reason"] == [0]
    assert [rank for _, group, rank in found if group == "plan"] == [0]


def test_a_numbered_problem_is_a_headline_of_its_own_words(starter: CodeSuggester) -> None:
    text = "Assessment:\n1. Hypertension\n2. Gout\n"
    words = [h[0] for h in headlines(text, starter.reader.read(text))]
    assert words == ["Hypertension", "Gout"]


def test_a_list_number_is_no_type_of_diabetes(starter: CodeSuggester) -> None:
    reading = starter.reader.read("Assessment:\n1. Diabetes\n2. Gout\n")
    diabetes = starter.vocabulary.index("diabet")
    two = starter.vocabulary.index("2")
    segment_of = {int(f): int(reading.segment_of_word[w]) for f, w in zip(reading.form, reading.word, strict=True)}
    assert segment_of.get(two, -2) != segment_of[diabetes]


def test_results_out_of_range_become_phrases_of_their_own(starter: CodeSuggester) -> None:
    text = "Labs:\nK 6.1 mmol/L (3.5-5.1) H\nNa 139 mmol/L (135-146)\nHgb 7.9 L\n"
    reading = starter.reader.read(text)
    derived = [(text[p.start : p.end], p.derived) for p in reading.phrases if p.derived]
    assert derived == [("K 6.1 mmol/L (3.5-5.1) H", "hyperkalemia"), ("Hgb 7.9 L", "anemia")]
    assert int(reading.derived.sum()) == 2
    for n in np.flatnonzero(reading.derived).tolist():
        word = int(reading.first[n])
        assert reading.last[n] == word + 1 and reading.segment_of_word[word] == n
        assert text[reading.words.start[word] : reading.words.end[word]] in dict(derived)


def test_known_forms_are_those_said_of_the_patient(starter: CodeSuggester) -> None:
    reading = starter.reader.read("Has asthma. Denies gout. Mother has glaucoma.")
    known = {starter.vocabulary[i] for i in np.flatnonzero(reading.known)}
    assert "asthma" in known and not {"gout", "glaucoma"} & known


def test_sides_in_order(starter: CodeSuggester) -> None:
    reading = starter.reader.read("R knee pain, left hip pain, bilat. edema, kidney disease")
    assert reading.side.tolist() == [1, 2, 3]
    assert reading.side_word.tolist() == sorted(reading.side_word.tolist())


@pytest.mark.parametrize(
    ("text", "follow_up", "sequela", "open_injury"),
    [
        ("Wrist fracture, follow-up visit", True, False, False),
        ("s/p ORIF", True, False, False),
        ("Sequelae of stroke", False, True, False),
        ("Open fracture of the tibia", False, False, True),
        ("Wrist fracture", False, False, False),
    ],
)
def test_which_encounter(starter: CodeSuggester, text: str, follow_up: bool, sequela: bool, open_injury: bool) -> None:
    reading = starter.reader.read(text)
    assert (reading.follow_up, reading.sequela, reading.open_injury) == (follow_up, sequela, open_injury)


def test_a_look_up_is_one_affirmed_statement(starter: CodeSuggester) -> None:
    one = starter.reader.read("no chest pain. family: gout").as_one_segment()
    assert one.first.tolist() == [0] and one.last.tolist() == [len(one.words)]
    assert one.status.tolist() == [0] and set(one.segment_of_word.tolist()) == {0}


def test_the_document_type_can_be_told(starter: CodeSuggester) -> None:
    text = "Chief complaint: cough\nHPI: cough for a week\nAssessment and plan: bronchitis"
    assert starter.reader.read(text).document_type == "visit_note"
    assert starter.reader.read(text, "ed_note").document_type == "ed_note"


@pytest.mark.parametrize("note", [None, 3, 2.5, b"knee pain", bytearray(b"x"), ["knee pain"], {"text": "x"}])
def test_what_is_no_text_is_refused_without_showing_it(starter: CodeSuggester, note: object) -> None:
    with pytest.raises(NotTextError, match=type(note).__name__) as caught:
        starter.suggest(note)  # type: ignore[arg-type]
    assert "knee" not in str(caught.value) and caught.value.code == "not_text"


def test_too_long_a_text_is_refused_without_showing_it(starter: CodeSuggester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesuggest.note.MAX_CHARACTERS", 20)
    with pytest.raises(TextTooLongError, match="21") as caught:
        starter.suggest("Zyxwolf has knee pain")
    assert "Zyxwolf" not in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", "\r\n\t ", "\x00", "...", "😀", "\u200f\u200e", "\ufeff", "12345", "，。"])
def test_a_text_without_words_reads_as_nothing(starter: CodeSuggester, text: str) -> None:
    assert starter.reader.read(text).phrases == ()


@given(
    st.lists(
        st.sampled_from(
            ["fever ", "a" * 23, "-" * 23, "_" * 24, "x" * 500, "x" * 501, "\ud800", "\u00e9", "\n", " ", "."]
        )
    )
)
def test_a_text_is_made_readable_as_by_two_searches_of_it(parts: list[str]) -> None:
    text = "".join(parts)
    slow = _LONG.sub(lambda m: m.group()[:-1] + " ", _SURROGATE.sub("\ufffd", text))
    assert readable(text) == (slow, cut(slow))


@given(st.lists(st.integers(0, 30)).map(sorted), st.lists(st.integers(0, 30)).map(sorted))
def test_the_last_start_before_a_place(places: list[int], starts: list[int]) -> None:
    found = _last_before(np.array(places, np.intp), np.array(starts, np.intp)).tolist()
    assert found == [sum(start <= place for start in starts) - 1 for place in places]


def test_a_piece_is_marked_as_if_everything_were_asked(starter: CodeSuggester) -> None:
    """The one search that comes first, against each sign and what tells a week."""
    reader = starter.reader
    told = "follow-up F/U Post-op sequelae OPEN gustilo 32w4d ga: 3/7 g2p1 EDD, prenatal vega o\u017fteo \u017ftatus".split()
    for piece in {*told, *(p for note in sorted(NOTES.glob("*.txt"))[::9] for p in cut(note.read_text("utf-8")))}:
        mark = reader._mark(piece)
        for k, sign in enumerate(SIGNS):
            assert bool(mark & 1 << k) == bool(reader._signs[sign].first.search(piece)), piece
        assert bool(mark & 1 << len(SIGNS) + 3) == may_tell(piece), piece
