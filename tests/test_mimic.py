"""MIMIC in its published layouts, in rows we invented: no word of these tables is from a patient or from the collection."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from codesuggest.errors import InputError
from codesuggest.mimic import read_mimic3, read_mimic4, read_split

NOTE3 = "ROW_ID SUBJECT_ID HADM_ID CHARTDATE CHARTTIME STORETIME CATEGORY DESCRIPTION CGID ISERROR TEXT".split()
CODE3 = "ROW_ID SUBJECT_ID HADM_ID SEQ_NUM ICD9_CODE".split()
NOTE4 = "note_id subject_id hadm_id note_type note_seq charttime storetime text".split()


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """As PhysioNet writes it: every cell quoted, quotes doubled, line ends inside cells left as they are."""
    shown = io.StringIO()
    writer = csv.writer(shown, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    data = shown.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def note3(row: int, patient: object, stay: object, text: str, *, kind: str = "Report", error: str = "") -> list[object]:
    when = "2171-03-04"
    category = "Discharge summary" if kind in ("Report", "Addendum") else "Nursing"
    return [row, patient, stay, when, "", "", category, kind, "", error, text]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    folder = tmp_path / "mimic-iii"
    folder.mkdir()
    notes = [
        note3(9, 11, 501, 'Zyxwolf admitted with marsh fever.\n\nHe said "never again", and left.\n'),
        note3(4, 12, 502, "Addendum: potassium was high.", kind="Addendum"),
        note3(5, 11, 501, "Fed and washed.", kind="Nursing"),
        note3(6, 13, 503, "Written on the wrong patient.", error="1"),
        note3(7, 14, "", "Never admitted."),
        note3(8, 12, "502.0", "Gouty arthritis."),
        note3(10, 15, 504, "No codes were ever given."),
        note3(11, 11, 505, "Second stay of the first patient.", error=""),
    ]
    table(folder / "NOTEEVENTS.csv", NOTE3, notes)
    table(
        folder / "DIAGNOSES_ICD.csv.gz",
        CODE3,
        [
            [1, 11, 501, 2, "4019"],
            [2, 11, 501, 1, "0389"],
            [3, 11, 501, 3, "E8497"],
            [4, 11, 501, 4, "V4581"],
            [5, 11, 501, 5, "4019"],
            [6, 12, 502, 1, "2767"],
            [7, 13, 503, 1, "486"],
            [8, 15, 504, "", ""],
            [9, 11, 505, 1, "486"],
            [10, 16, 506, 1, "486"],
        ],
    )
    table(folder / "PROCEDURES_ICD.csv", CODE3, [[1, 11, 501, 1, "3893"], [2, 12, 502, 1, "5491"]])
    return folder


def test_admissions_of_mimic_iii(three: Path) -> None:
    told: list[str] = []
    found = {d.id: d for d in read_mimic3(three, told=told.append)}
    assert list(found) == ["501", "502", "505"]
    first = found["501"]
    assert first.text == 'Zyxwolf admitted with marsh fever.\n\nHe said "never again", and left.\n'
    assert [(c.system, c.code) for c in first.codes] == [
        ("icd9cm", "038.9"),
        ("icd9cm", "401.9"),
        ("icd9cm", "E849.7"),
        ("icd9cm", "V45.81"),
        ("icd9pcs", "38.93"),
    ]
    assert (first.group, first.setting, first.document_type, first.policy) == (
        "11",
        "inpatient",
        "discharge_summary",
        "billing",
    )
    assert first.service_date is None, "dates of MIMIC lie in later centuries"
    assert first.systems == ("icd9cm", "icd9pcs")
    assert found["505"].group == "11", "two stays of one patient share the group"
    assert told == [
        "1 admissions have a discharge summary and no code: left out",
        "2 admissions have codes and no discharge summary: left out",
    ]


def test_an_addendum_follows_its_summary_wherever_it_stands(three: Path) -> None:
    found = {d.id: d.text for d in read_mimic3(three)}
    assert found["502"] == "Gouty arthritis.\n\nAddendum: potassium was high."


def test_only_some(three: Path) -> None:
    assert [d.id for d in read_mimic3(three, only=frozenset({"505", "999"}))] == ["505"]


def test_texts_wait_only_for_their_addenda(tmp_path: Path) -> None:
    """Of 400 notes of 10 KB, half a dozen are held at a time."""
    import tracemalloc

    notes = [note3(n, n, 1000 + n // 2 if n < 6 else 5000 + n, "x" * 10_000) for n in range(400)]
    table(tmp_path / "NOTEEVENTS.csv", NOTE3, notes)
    stays = sorted({row[2] for row in notes}, key=str)
    table(tmp_path / "DIAGNOSES_ICD.csv", CODE3, [[n, 1, stay, 1, "486"] for n, stay in enumerate(stays)])
    table(tmp_path / "PROCEDURES_ICD.csv", CODE3, [])
    tracemalloc.start()
    count = sum(1 for _ in read_mimic3(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 397 and peak < 2_000_000


@pytest.fixture
def four(tmp_path: Path) -> Path:
    folder = tmp_path / "mimic-iv"
    (folder / "note").mkdir(parents=True)
    (folder / "hosp").mkdir()
    notes = [
        ["71-DS-1", 71, 801, "DS", 1, "2160-01-02 00:00:00", "", "Sugar sickness.\nDischarged home."],
        ["71-AD-2", 71, 801, "AD", 2, "2160-01-03 00:00:00", "", "Addendum: also lumbago."],
        ["72-DS-1", 72, 802, "DS", 1, "2160-01-02 00:00:00", "", "Hernia, repaired."],
    ]
    table(folder / "note" / "discharge.csv.gz", NOTE4, notes)
    header = "subject_id hadm_id seq_num icd_code icd_version".split()
    rows = [[71, 801, 1, "E1122", 10], [71, 801, 2, "I10", 10], [72, 802, 1, "55090", 9]]
    table(folder / "hosp" / "diagnoses_icd.csv.gz", header, rows)
    header = "subject_id hadm_id seq_num chartdate icd_code icd_version".split()
    rows = [[71, 801, 1, "2160-01-01", "02HV33Z", 10], [72, 802, 1, "2160-01-01", "5300", 9]]
    table(folder / "hosp" / "procedures_icd.csv", header, rows)
    return folder


def test_admissions_of_mimic_iv_by_version(four: Path) -> None:
    new, old = read_mimic4(four)
    assert new.text == "Sugar sickness.\nDischarged home.\n\nAddendum: also lumbago."
    assert [(c.system, c.code) for c in new.codes] == [
        ("icd10cm", "E11.22"),
        ("icd10cm", "I10"),
        ("icd10pcs", "02HV33Z"),
    ]
    assert (new.id, new.group, new.systems) == ("801", "71", ("icd10cm", "icd10pcs"))
    assert [(c.system, c.code) for c in old.codes] == [("icd9cm", "550.90"), ("icd9pcs", "53.00")]
    assert old.systems == ("icd9cm", "icd9pcs")


# ---- splits


def test_a_list_of_caml(tmp_path: Path) -> None:
    file = tmp_path / "train_full_hadm_ids.csv"
    file.write_text("501\n502\n\n505")
    assert read_split(file) == frozenset({"501", "502", "505"})
    with pytest.raises(InputError, match="is the list of the part train, and dev was asked for"):
        read_split(file, "dev")
    (tmp_path / "dev_50_hadm_ids.csv").write_text("7\n")
    assert read_split(tmp_path / "dev_50_hadm_ids.csv", "dev") == frozenset({"7"})
    file.write_text("501\n50x\n")
    with pytest.raises(InputError, match=r"train_full_hadm_ids\.csv, row 2"):
        read_split(file)


def test_a_table_of_edin(tmp_path: Path) -> None:
    file = table(
        tmp_path / "split.csv", ["", "_id", "split"], [[0, "501.0", "train"], [1, 502, "val"], [2, 503, "test"]]
    )
    assert read_split(file) == frozenset({"501"})
    assert read_split(file, "dev") == read_split(file, "val") == frozenset({"502"})
    table(file, ["hadm_id", "split"], [[501, "train"], [502, "somewhere"]])
    with pytest.raises(InputError, match=r"split\.csv, row 3: the column split"):
        read_split(file)
    table(file, ["hadm_id", "split"], [[501, "train"]])
    with pytest.raises(InputError, match="no admission of the part test"):
        read_split(file, "test")
    with pytest.raises(InputError, match="one of train, dev, test"):
        read_split(file, "all")


# ---- what is not as published


def fails(folder: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        list(read_mimic3(folder))
    assert "Zyxwolf" not in str(caught.value) and "marsh fever" not in str(caught.value)


def test_files_that_are_missing_or_there_twice(three: Path, tmp_path: Path) -> None:
    (three / "copy").mkdir()
    (three / "copy" / "NOTEEVENTS.csv").write_bytes((three / "NOTEEVENTS.csv").read_bytes())
    fails(three, r"2 NOTEEVENTS\.csv")
    (three / "copy" / "NOTEEVENTS.csv").unlink()
    (three / "PROCEDURES_ICD.csv").unlink()
    fails(three, r"no PROCEDURES_ICD\.csv")
    with pytest.raises(InputError, match="is no folder"):
        list(read_mimic4(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        ([1, 11, 501, 1, "48 6"], "row 2: no code of icd9cm"),
        ([1, 11, 501, 1, "38"], "leading zeros"),
        ([1, 11, "5o1", 1, "486"], "row 2: the column hadm_id is no whole number"),
        ([1, 11, 501, "first", "486"], "row 2: the column seq_num"),
        ([1, 11, 501, 1], "row 2: 4 columns, the header has 5"),
    ],
)
def test_rows_that_are_wrong(three: Path, cells: list[object], match: str) -> None:
    (three / "DIAGNOSES_ICD.csv.gz").unlink()
    table(three / "DIAGNOSES_ICD.csv", CODE3, [cells])
    fails(three, match)


def test_a_wrong_header_a_cut_file_and_another_encoding(three: Path) -> None:
    whole = (three / "NOTEEVENTS.csv").read_bytes()
    (three / "NOTEEVENTS.csv").write_bytes(whole.replace(b"HADM_ID", b"STAY_ID", 1))
    fails(three, r"NOTEEVENTS\.csv, row 1: lacks the column hadm_id")
    (three / "NOTEEVENTS.csv").write_bytes(whole[: whole.index(b"never again")])
    fails(three, r"NOTEEVENTS\.csv, row 2: its quoting is broken")
    (three / "NOTEEVENTS.csv").write_bytes(whole.replace(b"marsh fever", b"marsh f\xe9ver"))
    fails(three, r"NOTEEVENTS\.csv, row \d: is not UTF-8")
    packed = (three / "DIAGNOSES_ICD.csv.gz").read_bytes()
    (three / "NOTEEVENTS.csv").write_bytes(whole)
    (three / "DIAGNOSES_ICD.csv.gz").write_bytes(packed[:-12])
    fails(three, r"DIAGNOSES_ICD\.csv\.gz, row \d+: cannot be read on")


def test_a_version_that_is_none(four: Path) -> None:
    header = "subject_id hadm_id seq_num icd_code icd_version".split()
    table(four / "hosp" / "diagnoses_icd.csv.gz", header, [[71, 801, 1, "E1122", 11]])
    with pytest.raises(InputError, match="row 2: the column icd_version is neither 9 nor 10"):
        list(read_mimic4(four))
