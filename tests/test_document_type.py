"""The type of a document: examples without the headings or titles that give it away, and the checks of the table."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.pipes.document_type import DOCUMENT_TYPES, LEAST, DocumentTypeReader
from codesuggest.pipes.lexicon import ENGLISH, LexiconError
from codesuggest.pipes.structure import StructureReader

READER = StructureReader()
PATH = ENGLISH / "document_types.tsv"
HEADER = "document_type\tkind\tcue\tweight\tsource\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Knee f/u. Pain better with PT, denies locking. Exam: no effusion. Continue naproxen, RTC 6 weeks.", "visit_note"),
        (
            "In hosp 3/2 to 3/6. Admitted with pneumonia, on 4 L. Weaned by hospital day 3. Discharged to SNF, "
            "stable condition. Dx at discharge: pneumonia. Follow-up with PCP 1 wk.",
            "discharge_summary",
        ),
        (
            "Supine, prepped and draped. Incision over the hernia, sac reduced, mesh placed. Closed with Vicryl. "
            "EBL 5, counts correct. To PACU.",
            "operative_report",
        ),
        (
            "XR left wrist 3 views. No prior. Soft tissues unremarkable, alignment normal, no osseous lesion. "
            "Impression: no fracture. Signed by radiologist.",
            "radiology_report",
        ),
        (
            "Collected 3/2 0800 Reported 3/3\nHCV antibody  nonreactive  ref nonreactive\nHIV Ag/Ab  nonreactive\n"
            "Specimen: serum",
            "lab_report",
        ),
        ("ED bed 4. Arrives by EMS, fell at home. Triage 1910. Toradol given, reassessed. Dispo home, RTED if worse.", "ed_note"),
        ("Fracture of the left wrist", None),
        ("type 2 diabetes with neuropathy", None),
    ],
)  # fmt: skip
def test_example(text: str, expected: str | None) -> None:
    assert READER.read(text).document_type == expected


@given(st.text(max_size=300))
def test_any_text_has_a_known_type_or_none(text: str) -> None:
    found, margin = READER.types.read(text, set())
    assert found is None or found in DOCUMENT_TYPES
    assert margin >= 0 and (found is not None or margin == 0)


def test_a_row_counts_three_different_phrases_at_most_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "types.tsv"
    rows = "lab_report\tphrase\tred|blue|dark green|white\t0.5\town\ned_note\topening\tred\t1.75\town\n"
    path.write_text(HEADER + rows + "ed_note\theading\tmdm\t0.5\town\n", encoding="utf-8")
    reader = DocumentTypeReader(path)
    assert reader.read("red blue red blue red", set()) == (None, 0.0)
    assert reader.read("x " * 150 + "red blue, dark green white", {"mdm"}) == (None, 0.0)  # 1.5 and 0.5
    assert reader.read("Red", {"mdm"}) == ("ed_note", 1.75)
    assert reader.read("dark and green red white", {"mdm"})[0] == "ed_note"
    assert LEAST == 2.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("visit_note\tphrase\tOffice\t1\town", "small letters"),
        ("visit_note\tphrase\ta|a\t1\town", "cue"),
        ("visit_note\ttitle\ta\t1\town", "kind"),
        ("letter\tphrase\ta\t1\town", "document_type"),
        ("visit_note\tphrase\ta\t0\town", "above 0"),
    ],
)
def test_the_table_is_checked(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "types.tsv"
    path.write_text(HEADER + row + "\n", encoding="utf-8")
    with pytest.raises(LexiconError, match=message):
        DocumentTypeReader(path)
