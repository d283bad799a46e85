"""What rules may ask of a note: words by segment and assertion, beside evidence, never the text."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import NOTES

from codesuggest.note import AFFIRMED
from codesuggest.records import Evidence
from codesuggest.rules.said import Said
from codesuggest.suggester import CodeSuggester

NOTE = (
    "Medications: metformin 500 mg twice a day.\n"
    "Allergies: penicillin\n"
    "HPI: denies chest pain. Pain in the left knee, none in the right hip.\n"
    "Family history: mother on insulin\n"
    "Labs: potassium 6.4 (H)\n"
)


@pytest.fixture
def said(starter: CodeSuggester) -> Said:
    return Said(starter.reader.read(NOTE), starter.reader.forms_of)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("metformin", "metformin"),
        ("left knee", "left"),
        ("chest pain", None),  # denied
        ("insulin", None),  # a relative's
        ("metformin knee", None),  # not in one segment
        ("warfarin", None),
        ("", None),
    ],
)
def test_what_the_note_says_of_the_patient(said: Said, words: str, found: str | None) -> None:
    spans = said.affirms(said.forms_of(words))
    assert [NOTE[a:b] for a, b in spans] == ([found] if found else [])


def test_sections_can_be_left_out(said: Said) -> None:
    forms = said.forms_of("penicillin")
    assert said.affirms(forms) and not said.affirms(forms, not_in=("allergies",))
    section = said._reading.section
    assert {section[i] for i in said.own_in(("allergies", "family_history"))} == {
        "allergies"
    }  # a relative's is not own
    assert said.own_in(()) == []


def test_terms_of_a_list_are_looked_for_at_once(said: Said) -> None:
    terms = ("insulin", "warfarin", "", "left knee", "metformin knee")
    assert said.forms_of_each(terms) == tuple(said.forms_of(t) for t in terms if t)
    assert said.forms_of_each(terms) is said.forms_of_each(terms)
    # a relative's is not; the words of a term may stand apart
    assert said.named(terms) == [said.forms_of(t) for t in ("left knee", "metformin knee")]


def test_no_form_that_is_said_of_the_patient_is_passed_over(starter: CodeSuggester) -> None:
    unknown = 0
    for file in sorted(NOTES.glob("*.txt"))[::40]:
        reading = starter.reader.read(file.read_text(encoding="utf-8") + "\nHPI: takes Quzzurfol for pain.")
        said = Said(reading, starter.reader.forms_of)
        own = np.flatnonzero((reading.status == AFFIRMED) & ~reading.derived).tolist()
        forms = sorted(set().union(*said.forms_in(own)))
        terms = (*forms, "glorbitis")
        # what `named` is, said plainly: of those terms it may pass over only what no own segment says
        kept = said.named(terms)
        missed = [t for t in terms if (f := said.forms_of(t)) and f not in kept and said.affirms(f)]
        assert missed == [] and said.affirms(("quzzurfol",)) and not said.affirms(("glorbiti",))
        assert all(said.affirms((form,)) for form in forms)
        unknown += sum(form not in reading.ids for form in forms)
    assert unknown


def evidence(words: str, basis: str = "text") -> Evidence:
    at = NOTE.index(words)
    return Evidence(at, at + len(words), None, "affirmed", words, basis)


def test_beside_is_the_segment_of_the_evidence(said: Said) -> None:
    (here,) = said.beside([evidence("knee")])
    assert said.says(here, said.forms_of("left")) and not said.says(here, said.forms_of("metformin"))
    assert not said.says(here, ()) and said.forms_of("left")[0] in said.forms_in([here])[0]
    assert said.in_sections([here], ("hpi",)) and not said.in_sections([here], ("labs",))
    assert len(said.beside([evidence("metformin"), evidence("knee"), evidence("left")])) == 2
    # a laboratory value stands for no words
    assert said.beside([evidence("potassium 6.4", "result")]) == [] == said.beside([])


def test_the_view_holds_no_text(said: Said) -> None:
    said.affirms(said.forms_of("metformin"))
    assert NOTE not in repr(vars(said)) and "twice a day" not in repr(vars(said))


def test_the_forms_of_a_segment_are_those_of_its_words(starter: CodeSuggester) -> None:
    for file in sorted(NOTES.glob("*.txt"))[::40]:
        reading = starter.reader.read(file.read_text(encoding="utf-8"))
        held: list[set[str]] = [set() for _ in range(len(reading.first))]
        for forms, segment in zip(reading.words.forms, reading.segment_of_word.tolist(), strict=True):
            if segment >= 0:
                held[segment].update(forms)
        said = Said(reading, starter.reader.forms_of)
        for segment, forms in enumerate(held):
            for form in sorted(forms):
                assert said.says(segment, (form,))
            others = set().union(*held) - forms
            assert not any(said.says(segment, (form,)) for form in sorted(others)[:20])
