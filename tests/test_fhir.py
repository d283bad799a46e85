"""FHIR bundles and exports, invented: what is read of them, what is left out, and what an error says."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from codesuggest.errors import InputError
from codesuggest.fhir import read_fhir

CM = "http://hl7.org/fhir/sid/icd-10-cm"


def document(id: str, text: str, encounter: str | None = "e1", *, patient: str = "p1", **more: Any) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    out = {
        "resourceType": "DocumentReference",
        "id": id,
        "status": "current",
        "subject": {"reference": f"Patient/{patient}"},
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
    }
    if encounter:
        out["context"] = {"encounter": [{"reference": f"Encounter/{encounter}"}]}
    return {**out, **more}


def condition(
    code: str, encounter: str = "e1", *, system: str = CM, kind: str = "Condition", **more: Any
) -> dict[str, Any]:
    coding = [{"system": "http://snomed.info/sct", "code": "000"}, {"system": system, "code": code}]
    return {
        "resourceType": kind,
        "id": f"c-{code}",
        "code": {"coding": coding},
        "encounter": {"reference": f"Encounter/{encounter}"},
        **more,
    }


def bundle(path: Path, *resources: dict[str, Any]) -> Path:
    path.write_text(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]})
    )
    return path


def test_an_encounter_of_a_bundle(tmp_path: Path) -> None:
    stay = {
        "resourceType": "Encounter",
        "id": "e1",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "period": {"start": "2026-01-03T08:00:00Z", "end": "2026-01-09T11:00:00+01:00"},
    }
    file = bundle(
        tmp_path / "b.json",
        {"resourceType": "Patient", "id": "p1", "name": [{"family": "Zyxwolf"}]},
        condition("I10"),
        document("d2", "Läuft wieder.", date="2026-01-09T10:00:00Z"),
        document("d1", "Marsh fever,\r\nand gout.", date="2026-01-03T10:00:00Z"),
        stay,
        condition("E11.22"),
        condition("I10"),
        condition("0DTJ4ZZ", system="http://www.cms.gov/Medicare/Coding/ICD10", kind="Procedure", status="completed"),
        condition("0FT44ZZ", system="http://www.cms.gov/Medicare/Coding/ICD10", kind="Procedure", status="not-done"),
        condition("A00.0", verificationStatus={"coding": [{"code": "refuted"}]}),
    )
    (found,) = read_fhir(file)
    assert found.text == "Marsh fever,\r\nand gout.\n\nLäuft wieder."
    assert [(c.system, c.code) for c in found.codes] == [
        ("icd10cm", "I10"),
        ("icd10cm", "E11.22"),
        ("icd10pcs", "0DTJ4ZZ"),
    ]
    assert (found.id, found.group, found.setting, found.service_date) == ("e1", "p1", "inpatient", "2026-01-09")
    assert found.systems == ("icd10cm", "icd10pcs")


def test_r5_and_references_of_every_kind(tmp_path: Path) -> None:
    five = document("d1", "Gout.", None, context=[{"reference": "urn:uuid:e1"}])
    other = {**condition("M10.9"), "encounter": {"reference": "https://ehr.example/fhir/Encounter/e1/_history/3"}}
    visit = {"resourceType": "Encounter", "id": "e1", "class": [{"coding": [{"code": "AMB"}]}]}
    (found,) = read_fhir(bundle(tmp_path / "b.json", five, other, visit))
    assert (found.id, found.codes[0].code, found.setting) == ("e1", "M10.9", "outpatient")


def test_a_resource_that_goes_by_its_address(tmp_path: Path) -> None:
    rows = [document("d", "Gout.", "e9"), condition("M10.9", "e9")]
    entries: list[dict[str, Any]] = [{"resource": r} for r in rows]
    visit = {"resourceType": "Encounter", "class": {"code": "EMER"}}
    entries.append({"fullUrl": "urn:uuid:e9", "resource": visit})
    (tmp_path / "b.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    (found,) = read_fhir(tmp_path / "b.json")
    assert found.setting == "outpatient"


def test_icd9_is_told_apart_by_the_resource(tmp_path: Path) -> None:
    uri = "http://hl7.org/fhir/sid/icd-9-cm"
    rows = [document("d", "Gout."), condition("274.9", system=uri), condition("54.91", system=uri, kind="Procedure")]
    (found,) = read_fhir(bundle(tmp_path / "b.json", *rows))
    assert [c.system for c in found.codes] == ["icd9cm", "icd9pcs"]


def test_an_export_in_lines_joins_its_files(tmp_path: Path) -> None:
    for name, rows in (
        (
            "DocumentReference.ndjson",
            [document(f"d{n}", f"Note {n}.", f"e{n}", patient=f"p{n // 2}") for n in range(4)],
        ),
        ("Condition.ndjson", [condition("I10", f"e{n}") for n in (3, 1, 0)]),
    ):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    told: list[str] = []
    found = list(read_fhir(tmp_path, told=told.append))
    assert [(d.id, d.group) for d in found] == [("e0", "p0"), ("e1", "p0"), ("e3", "p1")]
    assert told == ["1 encounters have a text and no code: left out"]


def test_encounters_of_two_bundles_are_two_though_they_share_an_id(tmp_path: Path) -> None:
    bundle(tmp_path / "a.json", document("d", "Gout."), condition("M10.9"))
    bundle(tmp_path / "b.json", document("d", "Asthma."), condition("J45.909"))
    found = list(read_fhir(tmp_path))
    assert [(d.id, d.text, d.codes[0].code) for d in found] == [
        ("a:e1", "Gout.", "M10.9"),
        ("b:e1", "Asthma.", "J45.909"),
    ]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    pdf = document("d3", "x")
    pdf["content"] = [{"attachment": {"contentType": "application/pdf", "data": "JVBERi0="}}]
    link = document("d4", "x")
    link["content"] = [{"attachment": {"contentType": "text/plain", "url": "https://ehr.example/Binary/1"}}]
    rows = [document("d1", "x", None), document("d2", "x", status="entered-in-error"), pdf, link]
    told: list[str] = []
    kept = [document("d5", "Gout."), condition("M10.9")]
    assert len(list(read_fhir(bundle(tmp_path / "b.json", *rows, *kept), told=told.append))) == 1
    assert told == [
        "1 documents are superseded or entered in error: left out",
        "2 documents hold no text/plain data (an address or another format): left out",
        "1 documents name no encounter: left out",
    ]


def test_another_charset_and_a_second_format(tmp_path: Path) -> None:
    row = document("d", "x")
    plain = {
        "contentType": "text/plain; charset=iso-8859-1",
        "data": base64.b64encode("Läuft".encode("latin-1")).decode(),
    }
    row["content"] = [{"attachment": {"contentType": "text/html", "data": "PGI+"}}, {"attachment": plain}]
    (found,) = read_fhir(bundle(tmp_path / "b.json", row, condition("M10.9")))
    assert found.text == "Läuft"


def broken(data: Any) -> dict[str, Any]:
    row = document("Zyxwolf", "x")
    row["content"][0]["attachment"]["data"] = data
    return row


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([broken("Zyxwolf!")], "entry 1: content.attachment.data"),
        ([broken(base64.b64encode(b"caf\xe9 Zyxwolf").decode())], "entry 1: content.attachment.data"),
        ([document("d", "x"), condition(" ")], "entry 2: code.coding names icd10cm and holds no code"),
        ([document("d", "x"), {**condition("I10"), "code": {"coding": ["Zyxwolf"]}}], "entry 2: code.coding holds"),
        ([{"id": "Zyxwolf"}], "entry 1: holds no resource"),
    ],
)
def test_entries_that_are_wrong(tmp_path: Path, rows: list[dict[str, Any]], match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        list(read_fhir(bundle(tmp_path / "b.json", *rows, condition("I10"))))
    assert "Zyxwolf" not in str(caught.value) and "b.json" in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"{", b'"Zyxwolf"', b"[1]", b"[" * 9999, b'{"resourceType": 3}', b"\xff\xfe{"])
def test_files_that_are_no_resource(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "b.json").write_bytes(raw)
    with pytest.raises(InputError, match=r"b\.json") as caught:
        list(read_fhir(tmp_path / "b.json"))
    assert "Zyxwolf" not in str(caught.value)


def test_lines_that_are_no_resource_and_folders_without(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(json.dumps(document("d", "x")) + "\n{oops\n")
    with pytest.raises(InputError, match=r"a\.ndjson, line 2"):
        list(read_fhir(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no \.json"):
        list(read_fhir(tmp_path / "empty"))
    with pytest.raises(InputError, match="no such file"):
        list(read_fhir(tmp_path / "nowhere.json"))
    (tmp_path / "list.json").write_text('{"resourceType": "Bundle", "entry": {}}')
    with pytest.raises(InputError, match="must be a list"):
        list(read_fhir(tmp_path / "list.json"))
