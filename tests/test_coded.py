"""Coded documents: what a line may hold, and that an error names file, line and key and never the note."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codesuggest.coded import CodedDocument, Label, iter_coded, read_coded
from codesuggest.errors import InputError

GOOD: dict[str, Any] = {
    "id": "visit-1",
    "text": "Zyxwolf has podagra and high blood pressure.",
    "codes": [{"system": "icd10cm", "code": "Q11", "evidence": [[12, 19]]}, {"system": "icd10cm", "code": "Q17"}],
    "group": "patient-1",
    "policy": "billing",
}


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_line_as_the_contract_has_it(tmp_path: Path) -> None:
    (document,) = read_coded(written(tmp_path / "docs.jsonl", GOOD))
    assert document == CodedDocument(
        "visit-1",
        GOOD["text"],
        (Label("icd10cm", "Q11", evidence=((12, 19),)), Label("icd10cm", "Q17")),
        group="patient-1",
    )


def test_what_is_not_said(tmp_path: Path) -> None:
    rows = [{"id": 7, "text": "", "codes": []}, {"id": "b", "text": "x", "codes": [{"code": "Q11"}], "group": 41}]
    rows.append({"id": "c", "text": "x", "codes": [{"system": "icd10pcs", "code": "0DTJ4ZZ"}]})
    first, second, third = read_coded(written(tmp_path / "docs.jsonl", *rows), policy="mentions")
    assert (first.id, first.codes, first.systems, first.group, first.policy) == (
        "7",
        (),
        ("icd10cm",),
        None,
        "mentions",
    )
    assert (second.systems, second.group) == (("icd10cm",), "41")
    assert third.systems == ("icd10pcs",), "a list of operations says nothing of diagnoses"


WRONG: list[tuple[str, Any]] = [
    ("id", None),
    ("id", ""),
    ("id", True),
    ("id", 1.5),
    ("text", None),
    ("text", 12),
    ("text", ["Zyxwolf"]),
    ("codes", None),
    ("codes", "Q11"),
    ("codes", {"code": "Q11"}),
    ("codes[0]", ["Q11"]),
    ("codes[0].code", [{"system": "icd10cm"}]),
    ("codes[0].code", [{"code": 11}]),
    ("codes[0].code", [{"code": " "}]),
    ("codes[0].system", [{"system": 9, "code": "Q11"}]),
    ("codes[0].tier", [{"code": "Q11", "tier": "Zyxwolf"}]),
    ("codes[0].alt_for", [{"code": "Q11", "alt_for": "Q12"}]),
    ("codes[1].evidence", [{"code": "Q11"}, {"code": "Q12", "evidence": [[3, 3]]}]),
    ("codes[0].evidence", [{"code": "Q11", "evidence": [[40, 4000]]}]),
    ("codes[0].evidence", [{"code": "Q11", "evidence": [[-1, 3]]}]),
    ("codes[0].evidence", [{"code": "Q11", "evidence": ["Zyxwolf"]}]),
    ("group", ["Zyxwolf"]),
    ("group", False),
    ("policy", "Zyxwolf"),
    ("systems", "icd10cm"),
    ("split", 3),
    ("setting", ["Zyxwolf"]),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_an_error_names_file_line_and_key_and_no_word(tmp_path: Path, key: str, value: Any) -> None:
    top = key.partition("[")[0]
    bad = {**GOOD, "id": "visit-2", top: ["Q11"] if key == "codes[0]" else value}
    with pytest.raises(InputError) as caught:
        read_coded(written(tmp_path / "docs.jsonl", GOOD, "", bad))
    told = str(caught.value)
    assert "docs.jsonl, line 3: the key " + key in told
    assert "Zyxwolf" not in told and "podagra" not in told


@pytest.mark.parametrize("line", ["{broken Zyxwolf", '"Zyxwolf"', "[1]", "[" * 20_000, '{"id": "a"'])
def test_a_line_that_is_no_object(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"docs\.jsonl, line 2: is no JSON") as caught:
        read_coded(written(tmp_path / "docs.jsonl", GOOD, line))
    assert "Zyxwolf" not in str(caught.value)


def test_a_line_that_is_not_utf8_or_has_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "docs.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\r\n")
    assert len(read_coded(file)) == 1
    file.write_bytes(json.dumps(GOOD).encode() + b'\n{"id": "caf\xe9"}\n')
    with pytest.raises(InputError, match="line 2: is not UTF-8"):
        read_coded(file)


def test_an_id_that_stands_twice_names_both_places_and_not_the_id(tmp_path: Path) -> None:
    rows = [GOOD, {**GOOD, "id": "visit-2"}, GOOD]
    with pytest.raises(InputError, match=r"line 3: the key id .* line 1") as caught:
        read_coded(written(tmp_path / "docs.jsonl", *rows))
    assert "visit-1" not in str(caught.value), "an id may be a medical record number"


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "docs.jsonl").write_text(content)
    with pytest.raises(InputError, match=r"docs\.jsonl: holds no coded document"):
        read_coded(tmp_path / "docs.jsonl")


def test_a_folder_of_texts(tmp_path: Path) -> None:
    row = {key: value for key, value in GOOD.items() if key != "text"}
    (tmp_path / "a.json").write_text(json.dumps(row))
    with pytest.raises(InputError, match=r"a\.txt: cannot be read"):
        read_coded(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"Zyxwolf has podagra,\r\nand more")
    assert read_coded(tmp_path)[0].text == "Zyxwolf has podagra,\r\nand more"
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InputError, match=r"a\.json: is no JSON object"):
        read_coded(tmp_path)


def test_documents_come_one_at_a_time(tmp_path: Path) -> None:
    rows = iter_coded(written(tmp_path / "docs.jsonl", GOOD, "{broken"))
    assert next(rows).id == "visit-1"
    with pytest.raises(InputError, match="line 2"):
        next(rows)
