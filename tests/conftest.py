"""What the tests share: the starter model, a tiny invented code system and a model trained on twelve invented notes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.records import NoteResult
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

ROOT = Path(__file__).parent.parent
NOTES = ROOT / "corpora" / "notes"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew from what the model says now"
    )


@pytest.fixture(scope="session")
def starter() -> CodeSuggester:
    return CodeSuggester.load()


@pytest.fixture(scope="session")
def DATA() -> Path:
    """The reference data, which are not in the repository."""
    path = Path(os.environ.get("CODESUGGEST_DATA") or ROOT.parent / "shared" / "data")
    if not path.is_dir():
        pytest.skip("the reference data are not here: set CODESUGGEST_DATA to their folder")
    return path


# Invented codes of an invented system: letters of no real list, words of no licensed one.
TINY_CODES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Q10", "Ossicle wobble", ()),
    ("Q10.1", "Ossicle wobble, right ear", ("Rattling right ear",)),
    ("Q10.2", "Ossicle wobble, left ear", ("Rattling left ear",)),
    ("Q10.9", "Ossicle wobble, unspecified ear", ()),
    ("Q11", "Gouty arthritis", ("Podagra",)),
    ("Q12", "Marsh fever", ("Paludal ague",)),
    ("Q13", "Sugar sickness", ()),
    ("Q13.0", "Sugar sickness with coma", ()),
    ("Q13.5", "Sugar sickness with nephropathy", ("Glucose glomerulopathy",)),
    ("Q13.9", "Sugar sickness without complications", ("Honeyed urine",)),
    ("Q14", "Migraine", ("Hemicrania",)),
    ("Q15", "Asthma", ("Wheezy bronchitis",)),
    ("Q16", "Pneumonia", ("Pulmonary consolidation",)),
    ("Q17", "Hypertension", ()),
    ("Q18", "Obesity", ("Corpulence",)),
    ("Q19", "Insomnia", ("Sleeplessness",)),
    ("Q20", "Appendicitis", ("Typhlitis",)),
    ("Q21", "Cellulitis", ("Erysipelas",)),
    ("Q22", "Hyperkalemia", ()),
    ("Q23", "Hyponatremia", ()),
    ("Q24", "Anemia", ("Chlorosis",)),
    ("Q25", "Psoriasis", ()),
    ("Q26", "Vertigo", ("Giddiness",)),
    ("Q27", "Lumbago", ()),
    ("Q28", "Sciatica", ()),
    ("Q29", "Cataract", ()),
    ("Q30", "Glaucoma", ()),
    ("Q31", "Tinnitus", ()),
    ("Q32", "Otalgia", ()),
    ("Q33", "Sinusitis", ()),
    ("Q34", "Tonsillitis", ("Quinsy",)),
    ("Q35", "Gastritis", ()),
    ("Q36", "Cystitis", ()),
    ("Q37", "Hernia", ()),
)

# (codes, text); every code is named in its note, and some words name none
TINY_NOTES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Q11", "Q17"), "CC: toe swelling.\nAssessment:\n1. Gouty arthritis\n2. Hypertension\nDenies vertigo."),
    (("Q15",), "HPI: wheezing at night, no pneumonia.\nAssessment: asthma.\nPlan: inhaler."),
    (("Q16", "Q24"), "Impression: pneumonia, anemia.\nNo appendicitis."),
    (("Q10.2",), "Rattling left ear for weeks. No otalgia.\nAssessment: ossicle wobble, left ear."),
    (("Q10.1", "Q31"), "Assessment: ossicle wobble right ear, tinnitus."),
    (("Q13.9", "Q18"), "Assessment:\n1. Sugar sickness\n2. Obesity\nFamily history: glaucoma."),
    (("Q13.5",), "Assessment: sugar sickness with nephropathy. Denies sciatica."),
    (("Q14", "Q19"), "HPI: hemicrania twice a week and sleeplessness.\nAssessment: migraine, insomnia."),
    (("Q20",), "Impression: appendicitis. No hernia, no cystitis."),
    (("Q21", "Q17"), "Assessment: cellulitis of the shin; hypertension. No psoriasis."),
    (("Q12",), "Marsh fever since the holiday. Possible gastritis.\nAssessment: marsh fever."),
    (("Q27", "Q28"), "Assessment: lumbago and sciatica.\nMother: cataract."),
)


@pytest.fixture(scope="session")
def tiny_system() -> CodeSystem:
    rows = [CodeRow(code, title, terms=tuple(("inclusion", t) for t in terms)) for code, title, terms in TINY_CODES]
    return CodeSystem.from_rows(rows, name="icd10cm", release="2026-04-01")


@pytest.fixture(scope="session")
def tiny_documents() -> tuple[CodedDocument, ...]:
    return tuple(
        CodedDocument(f"d{n}", text, tuple(Label("icd10cm", c) for c in codes), group=f"p{n}")
        for n, (codes, text) in enumerate(TINY_NOTES)
    )


@pytest.fixture(scope="session")
def tiny(tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument]) -> CodeSuggester:
    return train(tiny_documents, systems=[tiny_system], min_groups=1, seed=7, name="tiny")


@pytest.fixture(scope="session")
def tiny_folder(tiny: CodeSuggester, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model on disk. Tests that change it work on a copy."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny.save(path)
    return path


@pytest.fixture
def listed() -> Callable[[NoteResult], dict[str, float]]:
    """code -> confidence of everything listed, best first."""
    return lambda result: {s.code: s.confidence for s in result.suggestions}
