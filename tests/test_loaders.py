"""Layouts are told by what is there; a table of texts and codes is read row by row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesuggest.coded import Label
from codesuggest.errors import InputError, OptionError
from codesuggest.loaders import LAYOUTS, layout_of, read_documents_as, read_table

LINE = json.dumps({"id": "a", "text": "Gout.", "codes": [{"code": "Q11"}]})
BUNDLE = '{"resourceType": "Bundle", "entry": []}'


def made(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text", "layout"),
    [
        ("docs.jsonl", LINE, "jsonl"),
        ("docs.ndjson", LINE, "jsonl"),
        ("notes.csv", "text,codes\n", "csv"),
        ("NOTES.TSV", "text\tcodes\n", "csv"),
        ("b.json", BUNDLE, "fhir"),
        ("b.json", '\n {\n "id": "7",\n "resourceType" : "Bundle"}', "fhir"),
        ("Condition.ndjson", '{"resourceType":"Condition"}', "fhir"),
        ("docs.jsonl", '{"id": "a", "text": "a \\"resourceType\\": in the words", "codes": []}', "jsonl"),
    ],
)
def test_a_file_is_told_by_name_and_first_object(tmp_path: Path, name: str, text: str, layout: str) -> None:
    assert layout_of(made(tmp_path / name, text)) == layout


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (("NOTEEVENTS.csv.gz", "DIAGNOSES_ICD.csv.gz"), "mimic3"),
        (("note/discharge.csv.gz", "hosp/diagnoses_icd.csv"), "mimic4"),
        (("train/trainD.tsv", "train/text_files/a.txt"), "codiesp"),
        (("dev/devD.tsv",), "codiesp"),
        (("a.json", "a.txt"), "jsonl"),
        (("export/Condition.ndjson",), "fhir"),
    ],
)
def test_a_folder_is_told_by_its_files(tmp_path: Path, names: tuple[str, ...], layout: str) -> None:
    for name in names:
        made(tmp_path / name, '{"resourceType": "Condition"}' if name.endswith("ndjson") else '{"id": "a"}')
    assert layout_of(tmp_path) == layout
    assert layout in LAYOUTS


def test_what_is_none_of_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        layout_of(tmp_path / "nowhere")
    with pytest.raises(InputError, match="unknown ending"):
        layout_of(made(tmp_path / "notes.docx"))
    with pytest.raises(InputError, match="none of the layouts"):
        layout_of(tmp_path)
    with pytest.raises(OptionError, match="must be one of jsonl"):
        read_documents_as(tmp_path / "notes.docx", "word")
    with pytest.raises(OptionError, match="a split file is for MIMIC"):
        read_documents_as(made(tmp_path / "docs.jsonl", LINE), split=tmp_path / "split.csv")


def test_each_layout_is_read(tmp_path: Path) -> None:
    (lines,) = read_documents_as(made(tmp_path / "docs.jsonl", LINE))
    (rows,) = read_documents_as(made(tmp_path / "notes.csv", "text,codes\nGout.,Q11\n"), system="icd10cm")
    assert (lines.text, lines.codes) == (rows.text, rows.codes) == ("Gout.", (Label("icd10cm", "Q11"),))
    assert list(read_documents_as(made(tmp_path / "b.json", BUNDLE))) == []


def test_codiesp(DATA: Path) -> None:
    assert layout_of(DATA / "codiesp") == "codiesp"
    assert len(list(read_documents_as(DATA / "codiesp", part="dev"))) == 250


# ---- a table


def test_codes_of_a_cell(tmp_path: Path) -> None:
    text = (
        "Text;Codes\n"
        '"Gout, high blood pressure.\n\nPlan: rest; ""no wine""";Q11, q17\n'
        "Operated.;icd10pcs:0DTJ4ZZ , K35.80;\n"
    )
    with pytest.raises(InputError, match="row 5: 3 columns, the header has 2"):
        list(read_table(made(tmp_path / "notes.csv", text)))
    first, second, third = read_table(made(tmp_path / "notes.csv", text.replace("K35.80;", "K35.80") + "Well.;\n"))
    assert first.text == 'Gout, high blood pressure.\n\nPlan: rest; "no wine"'
    assert [label.code for label in first.codes] == ["Q11", "Q17"]
    assert second.codes == (Label("icd10pcs", "0DTJ4ZZ"), Label("icd10cm", "K35.80"))
    assert second.systems == ("icd10pcs", "icd10cm")
    assert (first.id, second.id) == ("notes.csv:2", "notes.csv:5"), "the row that a spreadsheet's text begins on"
    assert (third.codes, third.systems) == ((), ("icd10cm",))


def test_columns_beside_them(tmp_path: Path) -> None:
    text = "id\tgroup\tpolicy\tnote\tsetting\tlabels\nv1\tp1\tmentions\tGout.\tinpatient\tQ11;Q12;Q11\n"
    (document,) = read_table(made(tmp_path / "notes.tsv", text), system="local")
    assert (document.id, document.group, document.policy, document.setting) == ("v1", "p1", "mentions", "inpatient")
    assert document.codes == (Label("local", "Q11"), Label("local", "Q12")) and document.systems == ("local",)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "row 1: the header needs one column text"),
        ("a,b\nZyxwolf,Q11\n", "row 1: the header needs one column text"),
        ("text,note,codes\n", "row 1: the header needs one column text"),
        ("text\nZyxwolf\n", "row 1: the header needs one column codes"),
        ("text,codes\nZyxwolf,Q11,Q12\n", "row 2: 3 columns"),
        ("text,codes\nZyxwolf,has gout and more\n", "row 2: the column codes holds what is no code"),
        ("text,codes\nZyxwolf,ICD 10:Q11\n", "row 2: a code names its system"),
        ('text,codes\nfine,Q11\n"Zyxwolf,Q11\n', "row 3: its quoting is broken"),
        ("id,text,codes\nv1,a,Q11\nv1,b,Q11\n", "row 3: the column id holds what row 2 holds already"),
        ("policy,text,codes\nall,Zyxwolf,Q11\n", "row 2: the column policy"),
    ],
)
def test_rows_that_are_wrong(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        list(read_table(made(tmp_path / "notes.csv", text)))
    assert "notes.csv" in str(caught.value) and "Zyxwolf" not in str(caught.value)


def test_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_bytes(b"text,codes\nfine,Q11\n" + b"caf\xe9,Q11\n")
    with pytest.raises(InputError, match=r"notes\.csv, row \d: is not UTF-8"):
        list(read_table(file))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_table(tmp_path / "nowhere.csv"))


def test_rows_come_one_at_a_time(tmp_path: Path) -> None:
    rows = read_table(made(tmp_path / "notes.csv", "text,codes\nfine,Q11\nZyxwolf,Q11,Q12\n"))
    assert next(rows).text == "fine"
    with pytest.raises(InputError, match="row 3"):
        next(rows)
