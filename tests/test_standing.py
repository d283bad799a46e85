"""What a section says of a finding: examples as notes write them."""

from __future__ import annotations

import pytest
import spacy
from spacy.language import Language

from codesuggest.pipes.cues import CueList

# status | a note with one [finding]; "\n" is a line end. All invented for this table.
EXAMPLES = r"""
historical   | PMH: HTN, [kidney stones], gout.
affirmed     | PMH: [HTN], kidney stones, gout.
affirmed     | PAST MEDICAL HISTORY\n[Chronic pancreatitis]\nStroke
historical   | PAST MEDICAL HISTORY\nChronic pancreatitis\n[Stroke]
affirmed     | ASSESSMENT\n[Kidney stone], right ureter.
historical   | Past Surgical History: [appendectomy], tonsils.
affirmed     | PSH: appendectomy.\n\nGait: [limp] on the left.
family       | FH: brother [glaucoma]; mother blind.
affirmed     | FH: brother glaucoma.\nExt: [dermatochalasis] of both lids.
family       | FAMILY HISTORY\nHeart disease\n[Asthma]\n\nLungs clear.
affirmed     | FAMILY HISTORY\nHeart disease\n\n[Wheeze] on the left.
family       | FH: father CHF, daughter has [lupus].
other_person | FH: father CHF. Wife has [lupus].
hypothetical | DISCHARGE INSTRUCTIONS\n[Bleeding] from the wound.
affirmed     | DISCHARGE DIAGNOSES\n1. [Respiratory failure], resolved\n2. COPD
historical   | HOSPITAL COURSE\n[Respiratory failure] resolved by day 3.
historical   | DISCHARGE DIAGNOSES\n1. COPD\n2. History of [breast cancer]
""".strip().splitlines()


@pytest.fixture(scope="module")
def nlp() -> Language:
    pipeline = spacy.blank("en")
    pipeline.add_pipe("codesuggest_structure")
    pipeline.add_pipe("codesuggest_assertion")
    return pipeline


@pytest.mark.parametrize("line", EXAMPLES)
def test_example(nlp: Language, line: str) -> None:
    status, text = (part.strip() for part in line.split("|", 1))
    text = text.replace("\\n", "\n")
    start, end = text.index("["), text.index("]") - 1
    span = nlp(text.replace("[", "").replace("]", "")).char_span(start, end, alignment_mode="expand")
    assert span is not None and span._.assertion == status


def test_classes_stand_in_the_english_list(nlp: Language) -> None:
    cues: CueList = nlp.get_pipe("codesuggest_assertion").rules.cues
    for words in (cues.episode, cues.lasting, cues.passing, cues.catching, cues.relatives, cues.children):
        assert words
    assert not cues.episode & cues.lasting, "what is over does not last"
    assert not cues.passing & cues.lasting
