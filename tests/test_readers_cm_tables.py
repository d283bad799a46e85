"""Neoplasm and drug tables, external causes, POA-exempt list: named columns, published counts, damaged files.

All rows here are invented in the published layout. The real files are read where the reference data are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesuggest.codes.readers.cm_tables import (
    DRUG_COLUMNS,
    NEOPLASM_COLUMNS,
    DrugRow,
    NeoplasmRow,
    PoaExempt,
    read_drug_xml,
    read_external_cause_xml,
    read_neoplasm_xml,
    read_poa_exempt,
)
from codesuggest.errors import CodeFileError

Damaged = Callable[[Callable[[Path], Any], bytes, str], dict[str, Any]]


def cells(*codes: str) -> str:
    return "".join(f'<cell col="{n}">{code}</cell>' for n, code in enumerate(codes, start=2))


NEOPLASM = f"""<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index>
  <version>2031</version>
  <indexHeading>
    <head col="1">Neoplasm</head>
    <head col="2">Malignant Primary</head>
    <head col="3">Malignant Secondary</head>
    <head col="4">Ca in situ</head>
    <head col="5">Benign</head>
    <head col="6">Uncertain Behavior</head>
    <head col="7">Unspecified Behavior</head>
  </indexHeading>
  <letter>
    <title>N</title>
    <mainTerm>
      <title>Neoplasm, neoplastic</title>
      {cells("C80.1", "C79.9", "D09.9", "D36.9", "D48.9", "D49.9")}
      <term level="1">
        <title>gizzard<nemod>(wall)</nemod></title>
        <seeAlso>Neoplasm, crop</seeAlso>
        <manif>inner and outer</manif>
        {cells("C98.1-", "-", "--", "D99.1", "D99.2")}
        <term level="2">
          <title>pouch</title>
          <see>Neoplasm, crop</see>
        </term>
      </term>
    </mainTerm>
  </letter>
</ICD10CM.index>
"""

DRUG = f"""<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index>
  <version>2031</version>
  <indexHeading>
    <head col="1">Substance</head>
    <head col="2">Poisoning Accidental (unintentional)</head>
    <head col="3">Poisoning Intentional self-harm</head>
    <head col="4">Poisoning Assault</head>
    <head col="5">Poisoning Undetermined</head>
    <head col="6">Adverse effect</head>
    <head col="7">Underdosing</head>
  </indexHeading>
  <letter>
    <title>M</title>
    <mainTerm>
      <title>Moonshine<nemod>(blue)</nemod> NEC</title>
      {cells("T98.0X1", "T98.0X2", "T98.0X3", "T98.0X4", "--", "--")}
      <term level="1"><title>tonic</title>{cells("T98.1X1", "T98.1X2", "T98.1X3", "T98.1X4", "T98.1X5", "T98.1X6")}</term>
    </mainTerm>
    <mainTerm><title>Mooncake</title></mainTerm>
  </letter>
</ICD10CM.index>
"""

POA = (
    "Order31\tPOAexemptCode\tDescription\r\n00007\tB98\tOld ague\r\n"
    '00012\tQA9.01\t"Ague, left, sequela"\r\n00013\tS98.001S\tLost thimble, sequela\r\n'
)


def write(tmp_path: Path, data: bytes | str, name: str = "table.xml") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_a_neoplasm_has_a_code_for_each_behavior(tmp_path: Path) -> None:
    main, gizzard, pouch = read_neoplasm_xml(write(tmp_path, NEOPLASM))
    assert [getattr(main, c) for c in NEOPLASM_COLUMNS] == ["C80.1", "C79.9", "D09.9", "D36.9", "D48.9", "D49.9"]
    assert gizzard == NeoplasmRow(
        path=("Neoplasm, neoplastic", "gizzard"),
        line=18,
        nonessential="(wall) [inner and outer]",
        see_also="Neoplasm, crop",
        malignant_primary="C98.1-",
        benign="D99.1",
        uncertain="D99.2",
    )
    assert pouch == NeoplasmRow((*gizzard.path, "pouch"), 23, see="Neoplasm, crop")


def test_a_substance_has_a_code_for_each_intent(tmp_path: Path) -> None:
    moonshine, tonic, mooncake = read_drug_xml(write(tmp_path, DRUG))
    assert moonshine == DrugRow(
        path=("Moonshine NEC",),
        line=15,
        nonessential="(blue)",
        poisoning_accidental="T98.0X1",
        poisoning_self_harm="T98.0X2",
        poisoning_assault="T98.0X3",
        poisoning_undetermined="T98.0X4",
    )
    assert [getattr(tonic, c)[-1] for c in DRUG_COLUMNS] == list("123456")
    assert [getattr(mooncake, c) for c in DRUG_COLUMNS] == [""] * 6


@pytest.mark.parametrize("column", range(2, 8))
def test_swapped_columns_are_refused(tmp_path: Path, column: int) -> None:
    other = 2 + (column - 1) % 6
    for text, read in ((NEOPLASM, read_neoplasm_xml), (DRUG, read_drug_xml)):
        for swap in (f'<head col="{column}">', f'<head col="{other}">'):
            assert swap in text
        swapped = text.replace(f'head col="{column}"', 'head col="x"').replace(
            f'head col="{other}"', f'head col="{column}"'
        )
        with pytest.raises(CodeFileError, match="its columns are"):
            read(write(tmp_path, swapped.replace('head col="x"', f'head col="{other}"')))


def test_one_table_is_not_the_other(tmp_path: Path) -> None:
    with pytest.raises(CodeFileError, match="its columns are Substance, Poisoning"):
        read_neoplasm_xml(write(tmp_path, DRUG))
    with pytest.raises(CodeFileError, match="its columns are Neoplasm"):
        read_drug_xml(write(tmp_path, NEOPLASM))
    heading = NEOPLASM[NEOPLASM.index("<indexHeading>") : NEOPLASM.index("<letter>")]
    with pytest.raises(CodeFileError, match="its columns are not named"):
        read_neoplasm_xml(write(tmp_path, NEOPLASM.replace(heading, "")))


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('<cell col="7">D49.9', '<cell col="8">D49.9', 15, "outside of the named columns"),
        ('<cell col="7">D49.9', '<cell col="2">D49.9', 17, "a second cell of column 2"),
        ('<cell col="7">D49.9', '<cell col="10">D49.9', 17, "of column '10'"),
        ('<cell col="7">D49.9', "<cell>D49.9", 17, "of column ''"),
        ("D49.9", "see below", 15, "'see below' is not the shape"),
        ("<seeAlso>Neoplasm, crop</seeAlso>", "<code>C98.1</code>", 18, "outside of the named columns"),
    ],
)
def test_bad_cells_are_refused_with_their_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in NEOPLASM
    with pytest.raises(CodeFileError, match=words) as caught:
        read_neoplasm_xml(write(tmp_path, NEOPLASM.replace(old, new)))
    assert caught.value.line == line


def test_exempt_codes_and_their_year(tmp_path: Path) -> None:
    codes = frozenset(("B98", "QA901", "S98001S"))
    path = write(tmp_path, POA, "POAexemptCodesFY31.txt")
    assert read_poa_exempt(path) == PoaExempt("FY2031", codes)
    assert read_poa_exempt(path, release="mine").release == "mine"
    with zipfile.ZipFile(tmp_path / "poa.zip", "w") as archive:
        for name in ("POAexemptAddCodesFY31.txt", "POAexemptCodesFY31.txt", "POAexemptCodesFY31.xlsx"):
            archive.writestr(name, POA if name.startswith("POAexemptCodes") else "")
    assert read_poa_exempt(tmp_path / "poa.zip").codes == codes


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("Order31", "Order", 1, "the header is not"),
        ("Order31\tPOAexemptCode", "POAexemptCode\tOrder31", 1, "the header is not"),
        ("00007\tB98", "B98\t00007", 2, "no line of order number"),
        ("00007\tB98", "7\tB98", 2, "no line of order number"),
        ("B98\tOld ague", "Old ague\tB98", 2, "no line of order number"),
        ("\tOld ague", "", 2, "no line of order number"),
        ("00013", "00012", 4, "given twice or out of order"),
        ("S98.001S", "QA9.01", 4, "given twice or out of order"),
        ('sequela"', "sequela", 4, "is no table"),
        ("thimble, sequela\r\n", "thimble", 4, "is cut"),
    ],
)
def test_bad_lines_of_the_list_are_refused(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in POA
    with pytest.raises(CodeFileError, match=words) as caught:
        read_poa_exempt(write(tmp_path, POA.replace(old, new)))
    assert caught.value.line == line


def test_damaged_files_are_refused_or_read_whole(damaged: Damaged) -> None:
    for text, read in ((NEOPLASM, read_neoplasm_xml), (DRUG, read_drug_xml)):
        found = damaged(read, text.encode(), "neoplasm-drug.xml")
        assert not [what for what in found if what.startswith(("cut", "lines", "twice", "empty"))]
        assert all(len(rows) <= 3 for rows in found.values())
    found = damaged(read_poa_exempt, POA.encode(), "POAexemptCodesFY31.txt")
    assert all(1 <= len(exempt.codes) <= 3 for exempt in found.values())
    assert not [what for what in found if what.startswith(("twice", "empty", "utf"))]


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>\n<ICD10CM.index>'
    for text, read in ((NEOPLASM, read_neoplasm_xml), (DRUG, read_drug_xml), (DRUG, read_external_cause_xml)):
        with pytest.raises(CodeFileError, match="document type declaration is refused"):
            read(write(tmp_path, text.replace("<ICD10CM.index>", bomb)))


# ---- the real files


def test_the_neoplasm_table_is_read_completely(DATA: Path) -> None:
    rows = read_neoplasm_xml(DATA / "official" / "icd10cm" / "icd10cm-neoplasm-April-1-2026-XML.xml")
    assert len(rows) == 1_940 and sum(len(row.path) > 1 for row in rows) == 1_939
    assert {row.path[0] for row in rows} == {"Neoplasm, neoplastic"}
    given = [getattr(row, column) for row in rows for column in NEOPLASM_COLUMNS]
    assert sum(map(bool, given)) == 10_922 - 1_902  # the cells less those of "-"
    assert sum(code.endswith("-") for code in given) == 1_092
    starts = {column: {getattr(row, column)[:1] for row in rows} - {""} for column in NEOPLASM_COLUMNS}
    assert starts["malignant_secondary"] == {"C"} and starts["benign"] == starts["unspecified"] == {"D"}


def test_the_drug_table_is_read_completely(DATA: Path) -> None:
    rows = read_drug_xml(DATA / "official" / "icd10cm" / "icd10cm-drug-April-1-2026-XML.xml")
    assert len(rows) == 7_430 and sum(len(row.path) == 1 for row in rows) == 5_179
    given = [(n, code) for row in rows for n, c in enumerate(DRUG_COLUMNS, 1) if (code := getattr(row, c))]
    assert len(given) == 43_224 - 3_188  # the cells less those of "--"
    assert all(code.endswith(str(n)) for n, code in given)  # the intent is the last character


def test_external_causes_are_read_completely(DATA: Path) -> None:
    assert len(read_external_cause_xml(DATA / "official" / "icd10cm" / "icd10cm-eindex-April-1-2026-XML.xml")) == 8_090


def test_the_exempt_list_is_read_completely(DATA: Path) -> None:
    exempt = read_poa_exempt(DATA / "official" / "icd10cm" / "POAexemptCodesFY26.zip")
    assert exempt.release == "FY2026" and len(exempt.codes) == 38_349
    assert "Z992" in exempt.codes and "QA00101" in exempt.codes and "I10" not in exempt.codes
