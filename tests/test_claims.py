"""Claims in tables: what rows mean, how systems are recognised, and `codesuggest check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesuggest.claims import read_claims, system_of
from codesuggest.cli import main
from codesuggest.codes import CodeRow
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import BatchError
from codesuggest.records import ClaimLine

ICD = CodeSystem.from_rows(
    [CodeRow("I10", "Hypertension"), CodeRow("J11", "Influenza"), CodeRow("J11.00", "Influenza with pneumonia")],
    name="icd10cm", release="2026-04-01",
)  # fmt: skip
HCPCS = CodeSystem.from_rows([CodeRow("J1100", "Invented")], name="hcpcs", release="2026-04-01")


def write(tmp_path: Path, text: str, name: str = "codes.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_several_claims_in_a_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "claim,system,code,units,modifiers,poa,setting,age\n"
        "A,,i10,,,Y,inpatient,64\n"
        "B,HCPCS,J1100,2,lt 59,,,\n"
        "A,ICD-10-CM,J11.00,,,,outpatient,\n",
    )
    first, second = read_claims(path, {"icd10cm": ICD})
    assert (first.id, first.lines) == ("A", [ClaimLine("icd10cm", "i10", None, (), "Y"),
                                             ClaimLine("icd10cm", "J11.00", None, (), "")])  # fmt: skip
    assert first.options == {"setting": "inpatient", "age": 64} and first.problems == []
    assert second.lines == [ClaimLine("hcpcs", "J1100", 2, ("LT", "59"), "")]


def test_one_claim_without_a_column_for_it(tmp_path: Path) -> None:
    (claim,) = read_claims(write(tmp_path, "code;title\nI10;high blood pressure\nJ11.00;flu\n"), {"icd10cm": ICD})
    assert claim.id == "" and [(line.code, line.poa) for line in claim.lines] == [("I10", None), ("J11.00", None)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",,,", "line 3: column 'code' is empty"),
        ("I10,icd11,,", "line 3: column 'system' is none of icd10cm, icd10pcs, hcpcs, cpt"),
        ("J1100,hcpcs,0,", "line 3: column 'units' is no whole number"),
        ("J1100,hcpcs,1.5,", "line 3: column 'units' is no whole number"),
        ("J1100,hcpcs,1,LEFT", "line 3: column 'modifiers' is not made of two characters"),
        (f"{'x' * 40},,,", "line 3: column 'code' is too long"),
        ("I10,icd10cm", "line 3: 2 columns, the header has 4"),
    ],
)
def test_bad_rows_are_named_by_line_and_not_repeated(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, f"code,system,units,modifiers\nI10,,,\n{row}\n")
    (claim,) = read_claims(path, {"icd10cm": ICD})
    assert [line.code for line in claim.lines] == ["I10"]
    (problem,) = claim.problems
    assert message in str(problem) and "xxxx" not in str(problem) and "LEFT" not in str(problem)


def test_a_file_that_is_no_claim_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="no column named 'code'"):
        read_claims(write(tmp_path, "diagnosis\nI10\n"), {"icd10cm": ICD})
    with pytest.raises(BatchError, match="cannot be read"):
        read_claims(tmp_path / "absent.csv", {})
    (claim,) = read_claims(write(tmp_path, '{"kode": "I10"}\n', "codes.jsonl"), {"icd10cm": ICD})
    assert 'a table with the column "code"' in str(claim.problems[0])


@pytest.mark.parametrize(
    ("code", "loaded", "system"),
    [
        ("I10", ("icd10cm",), "icd10cm"),
        ("j11.00", ("icd10cm", "hcpcs"), "icd10cm"),
        ("J1100", ("icd10cm",), "icd10cm"),
        ("J1100", ("icd10cm", "hcpcs"), ""),
        ("J1100", ("hcpcs",), "hcpcs"),
        ("G9999", ("icd10cm",), "hcpcs"),
        ("00000", ("icd10cm",), "cpt"),
        ("0000F", ("icd10cm",), "cpt"),
        ("0DTJ4ZZ", ("icd10cm",), "icd10pcs"),
        ("S72001A", ("hcpcs",), "icd10cm"),
        ("E11.9", ("hcpcs",), "icd10cm"),
        ("nonsense", ("icd10cm",), "icd10cm"),
    ],
)
def test_the_system_a_code_looks_like(code: str, loaded: tuple[str, ...], system: str) -> None:
    assert system_of(code, {name: {"icd10cm": ICD, "hcpcs": HCPCS}[name] for name in loaded}) == system


def test_units_tell_a_supply_from_a_diagnosis(tmp_path: Path) -> None:
    path = write(tmp_path, "code,units\nJ1100,3\nJ1100,\n")
    (claim,) = read_claims(path, {"icd10cm": ICD})
    assert [line.system for line in claim.lines] == ["hcpcs", "icd10cm"]
    (claim,) = read_claims(path, {"icd10cm": ICD, "hcpcs": HCPCS})
    assert [line.system for line in claim.lines] == ["hcpcs"] and "name it in a column" in str(claim.problems[0])


# ---- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        main(["check", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    out = capsys.readouterr()
    return int(code or 0), out.out, out.err


def test_check_says_what_is_wrong_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "claim,code\nA,F02.80\nA,G30.9\nB,I11.0\nB,I50.9\nC,S72.001\n")
    code, out, _ = run(capsys, path)
    assert code == 1
    a, b, c = out.split("A: ")[1].partition("B: ")[0], out.split("B: ")[1].partition("C: ")[0], out.split("C: ")[1]
    assert "manifestation_first" in a and b.startswith("2 codes, nothing to say") and "not_billable" in c


def test_check_ends_with_0_when_no_error_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, write(tmp_path, "code\nM25.569\n"))
    assert (code, err) == (0, "") and "laterality_unspecified" in out and out.startswith("1 code, 1 warning")


def test_a_bad_row_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, write(tmp_path, "code,units\nI10,\nI10,many\n"))
    assert code == 1 and "codes.csv, line 3: column 'units'" in err and "many" not in err and "1 code" in out


def test_check_with_a_note_and_its_query(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = write(tmp_path, "Assessment: left knee pain, Mrs. Zyxwolf.", "note.txt")
    claim = write(tmp_path, "code\nM25.569\n")
    code, out, _ = run(capsys, claim, "--note", note, "--query")
    assert code == 0 and "unspecified_documented" in out and "M25.562" in out
    assert "[ ] unable to determine" in out and "Zyxwolf" not in out
    code, out, _ = run(capsys, claim, "--note", note, "--json")
    row = json.loads(out)
    assert row["claim"] == "" and row["problems"] == 0 and "knee pain" not in out
    assert [f["rule"] for f in row["findings"]] == ["unspecified_documented"]


def test_check_options_hold_where_the_file_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "claim,code,age\nA,Z38.00,0\nB,Z38.00,\n")
    _, out, _ = run(capsys, path, "--age", "45", "--setting", "inpatient", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [any(f["rule"] == "age" for f in row["findings"]) for row in rows] == [False, True]


def test_one_note_is_of_one_claim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, note = write(tmp_path, "claim,code\nA,I10\nB,I10\n"), write(tmp_path, "HTN", "note.txt")
    code, _, err = run(capsys, path, "--note", note)
    assert code == 2 and "note of one claim" in err
