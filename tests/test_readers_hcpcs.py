"""HCPCS Level II: the published counts, one content in all forms, and files that are cut, shifted or foreign.

Codes with Z are none (Level II ends at V), D0000 and 00000 neither; their words are invented.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codesuggest.codes.readers.hcpcs import read_hcpcs, read_modifiers
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

Dates = tuple[str, str, str, str]  # added, effective, ended, action
#: code, RECID, long description, short description, dates
ROWS: tuple[tuple[str, str, str, str, Dates], ...] = (
    ("ZL", "7", "Left wing of a two-winged patient", "Left wing", ("19900101", "19950101", "", "N")),
    ("Z9", "7", "Molting modifier", "Molting", ("20010101", "20010101", "20180331", "D")),
    ("9Z", "7", "Numeric modifier", "Numeric", ("20010101", "20010101", "", "N")),
    ("D0000", "3", "Tooth whistle, porcelain", "Tooth whistle", ("20000101", "20000101", "", "N")),
    ("00000", "3", "Counting of feathers", "Count feathers", ("20000101", "20000101", "", "N")),
    (
        "Z0001",
        "3",
        "Injection, phoenix ash extract, 10 mg (code may be used when the ash is given under the direct supervision of a "
        "falconer, not for use when the ash is taken by the bird itself)",
        "Phoenix ash injection",
        ("20180101", "20190101", "", "C"),
    ),
    ("Z0002", "3", "Perch, adjustable, each", "Perch, adjustable, each", ("19880101", "20190101", "20181231", "D")),
    ("Z0003", "3", "Feather comb", "Comb", ("20100101", "20190401", "", "R")),
    ("Z0004", "3", "Nest liner", "Liner", ("20060101", "", "", "B")),
)  # fmt: skip
DISCLAIMER = "***Disclaimers\t\t\r\n\t\r\n*Inclusion of a perch does not imply coverage.\xa0\t\r\n\r\n"


def records(code: str, kind: str, long: str, short: str, dates: Dates) -> list[str]:
    """The 320-column records of a code: 80 characters of the long description in each, cut between words."""
    parts, line = [], ""
    for word in long.split():
        if len(line) + len(word) + 1 > 80:
            parts.append(line)
            line = ""
        line = f"{line} {word}".strip()
    parts.append(line)
    out = []
    for n, part in enumerate(parts):
        first = n == 0
        mark = kind if first else {"3": "4", "7": "8"}[kind]
        head = f"{code:>5}{(n + 1) * 100:05}{mark}{part:<80}{short if first else '':<28}"
        tail = "".join(f"{d:<8}" for d in dates[:3]) + dates[3] if first else ""
        out.append(f"{head:<268}{tail}".ljust(320))
    return out


def text() -> str:
    return DISCLAIMER + "".join(line + "\r\n" for row in ROWS for line in records(*row))


HEADER = ("HCPC", "SEQNUM", "RECID", "LONG DESCRIPTION", "SHORT DESCRIPTION", "COV", "ADD DT", "ACT EFF DT", "TERM DT",
          "ACTION CD")  # fmt: skip


def table() -> list[list[str | None]]:
    rows: list[list[str | None]] = [["***Disclaimers"], list(HEADER)]
    for code, kind, long, short, (added, effective, ended, action) in ROWS:
        rows.append(
            [f"{code:>5}", "0010", kind, long, short, None, added or None, effective or None, ended or None, action]
        )
    return rows


def workbook(rows: list[list[str | None]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    for row in rows or table():
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def csv_text() -> str:
    def cell(value: str | None) -> str:
        return f'"{value}"' if value and "," in value else value or ""

    return "".join(",".join(map(cell, row)) + "\r\n" for row in table()[1:])


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def published() -> bytes:
    change_report = workbook([["HCPCS/MOD", "TYPE OF CHANGE", "SHORT DESCRIPTION", "LONG DESCRIPTION"]])
    return zipped(
        {
            "Changes.prn": b" HCPCS/MOD      TYPE OF CHANGE\r\n   Z0001             ADD    Phoenix\r\n",
            "HCPC_READ.txt": b"CENTERS FOR AVIAN SERVICES\r\nHCPCS\r\n",
            "Z_Trans_Alpha.xlsx": change_report,
            "a_table.xlsx": workbook(),
            "b_list.txt": text().encode("cp1252"),
            "proc_notes.txt": b"     0001--THIS NOTE DELETED 1/1/97.     *\r\n",
        }
    )


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes | str, str], Path]:
    def write(data: bytes | str, name: str = "given") -> Path:
        path = tmp_path / name  # no suffix: the content decides
        path.write_bytes(data.encode("cp1252") if isinstance(data, str) else data)
        return path

    return write


Put = Callable[..., Path]
FORMS: dict[str, Callable[[], bytes | str]] = {
    "text": text, "workbook": workbook, "csv": csv_text, "zip": published,
    "zip of workbooks": lambda: zipped({"x.xlsx": workbook(), "a.xlsx": workbook([["HCPCS/MOD", "TYPE OF CHANGE"]])}),
}  # fmt: skip


RAW = [d.encode("cp1252") if isinstance(d, str) else d for d in (form() for form in FORMS.values())]


# ---- the real files


@pytest.mark.parametrize(
    ("name", "codes", "modifiers", "release"),
    [
        ("2019-Alpha-Numeric-HCPCS-File.zip", 6440, 360, "2019-01-01"),
        ("HCPC2025_OCT_hcpc_short_briggsprashar.csv", 8463, 383, "HCPC2025_OCT_hcpc_short_briggsprashar"),
        ("hcpcs_level_2_tuva2022.csv", 7125, 375, "hcpcs_level_2_tuva2022"),
    ],
)
def test_published_counts(DATA: Path, name: str, codes: int, modifiers: int, release: str) -> None:
    path = DATA / "official" / "hcpcs" / name
    system, others = read_hcpcs(path), read_modifiers(path)
    assert (len(system), len(others), system.release) == (codes, modifiers, release)
    assert all(len(c) == 5 and c[:1].isalpha() for c in system.codes.tolist())
    assert all(system.title(i) for i in range(len(system))) and bool((system.group >= 0).all())


def test_text_and_workbook_of_2019_are_one_list(DATA: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "official" / "hcpcs" / "2019-Alpha-Numeric-HCPCS-File.zip") as archive:
        for name in ("HCPC2019_CONTR_ANWEB.txt", "HCPC2019_CONTR_ANWEB.xlsx"):
            (tmp_path / name).write_bytes(archive.read(name))
    fixed, sheet = (read_hcpcs(tmp_path / f"HCPC2019_CONTR_ANWEB.{kind}") for kind in ("txt", "xlsx"))
    assert fixed.rows() == sheet.rows()
    assert int((fixed.valid_to > 0).sum()) == 506
    # abatacept came in 2007; a code of 2018 that ended with the year
    assert fixed["J0129"].valid_from == 20070101 and "10 mg" in fixed["J0129"].title
    assert fixed["J0129"].chapter == ("J", "Drugs not taken by mouth, chemotherapy")
    assert fixed["C9463"].valid_on("2018-12-31") and not fixed["C9463"].valid_on("2019-01-01")


def test_addendum_b_has_short_descriptors_only(DATA: Path) -> None:
    path = DATA / "official" / "hcpcs" / "opps_addendumB_2026Q2_level2_only.csv"
    assert len(read_hcpcs(path)) == 6664
    with pytest.raises(CodeFileError, match="hcpcs_modifiers"):
        read_modifiers(path)
    with pytest.raises(CodeFileError, match="no HCPCS list"):
        read_hcpcs(path.with_name("opps_status_indicators.csv"))


# ---- invented lists


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(put: Put, form: str) -> None:
    path = put(FORMS[form]())
    system, modifiers = read_hcpcs(path), read_modifiers(path)
    assert system.rows() == read_hcpcs(put(text(), "text")).rows()
    assert [c.decode() for c in system.codes.tolist()] == ["Z0001", "Z0002", "Z0003", "Z0004"]
    assert [c.decode() for c in modifiers.codes.tolist()] == ["Z9", "ZL"]
    assert (system.name, modifiers.name, system.release) == ("hcpcs", "hcpcs_modifiers", "2019-04-01")


def test_words_dates_and_notes(put: Put) -> None:
    system = read_hcpcs(put(text()), release="2019-07-01")
    ash, perch, comb, liner = (system[f"Z000{n}"] for n in "1234")
    assert ash.title == ROWS[5][2] and ash.terms == (("short", "Phoenix ash injection"),)
    assert perch.terms == (), "a short description that says the same is no further term"
    assert (ash.valid_from, ash.valid_to) == (20180101, 0)
    assert perch.valid_on("2018-12-31") and not perch.valid_on("2019-01-01") and perch.billable
    assert comb.valid_from == 20190401, "valid from its re-activation"
    assert liner.valid_from == 20060101 and liner.notes() == ()
    assert [n.text for n in ash.notes()] == ["long description changed 2019-01-01"]
    assert {c.code for c in system} == {"Z0001", "Z0003", "Z0004"}


def test_licensed_codes_are_dropped_unless_told(put: Put) -> None:
    path = put(text())
    assert "D0000" not in read_hcpcs(path) and "00000" not in read_hcpcs(path)
    assert "D0000" in read_hcpcs(path, dental=True) and "00000" not in read_hcpcs(path, dental=True)
    assert "00000" in read_hcpcs(path, numeric=True) and "D0000" not in read_hcpcs(path, numeric=True)
    assert "9Z" not in read_modifiers(path) and "9Z" in read_modifiers(path, numeric=True)


def test_a_folder_is_a_bundle_too(put: Put, tmp_path: Path) -> None:
    put(text(), "list.txt")
    put("read me", "README")
    assert len(read_hcpcs(tmp_path)) == 4
    put(text(), "older.txt")
    with pytest.raises(CodeFileError, match=r"several HCPCS lists, give one: list\.txt, older\.txt"):
        read_hcpcs(tmp_path)


def test_lists_of_code_and_description(put: Put) -> None:
    path = put('Code,Description,last_updated\n   ZL,Left wing,09-12-2025\nZ0001,"Ash, 10 mg",09-12-2025\n')
    assert read_hcpcs(path)["Z0001"].title == "Ash, 10 mg" and read_modifiers(path)["ZL"].title == "Left wing"
    path = put(
        "\ufeffhcpcs,seqnum,recid,long_description,short_description\nZ0001,0010,3,Ash for,Ash\nZ0001,0020,4,birds,\n".encode()
    )
    assert read_hcpcs(path)["Z0001"].title == "Ash for birds"


# ---- files that lie


def broken(change: Callable[[list[str]], list[str]]) -> str:
    return DISCLAIMER + "".join(line + "\r\n" for line in change([r for row in ROWS for r in records(*row)]))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: "", "no HCPCS list"),
        (lambda: DISCLAIMER, "no HCPCS list"),
        (lambda: broken(lambda r: [" " + line for line in r]), "no HCPCS list|columns 1-11"),
        (lambda: broken(lambda r: [r[0][1:], *r[1:]]), "columns 1-11"),
        (lambda: broken(lambda r: [*r[:3], r[3][:100], *r[4:]]), "100 columns where"),
        (lambda: broken(lambda r: [*r, r[0]]), "was given on line 5"),
        (lambda: broken(lambda r: [*r[:5], *r[6:]]), "continues Z0001, which is not the record before"),
        (lambda: broken(lambda r: [*r[:6], r[6], r[6], *r[7:]]), "continues Z0001"),
        (lambda: broken(lambda r: [*r[:4], "a new disclaimer", *r[4:]]), "columns 1-11"),
        (lambda: broken(lambda r: [r[0].replace("19900101", "19901301"), *r[1:]]), "no day"),
        (lambda: broken(lambda r: [r[0].replace("19900101", "January "), *r[1:]]), "no day"),
        (lambda: broken(lambda r: [r[0][:292] + "X" + r[0][293:], *r[1:]]), "'X' is no action"),
        (lambda: broken(lambda r: [r[0][:11] + " " * 80 + r[0][91:], *r[1:]]), "no description"),
        (lambda: broken(lambda r: ["Z00!1" + r[3][5:], *r[1:]]), "columns 1-11"),
        (lambda: broken(lambda r: ["QQQQQ" + r[3][5:], *r[1:]]), "QQQQQ is no code"),
        (lambda: text()[:-100], "last line is cut"),
        (lambda: text().encode("cp1252") + b"\x81\r\n", "cp1252"),
        (lambda: text().encode("utf-16"), "no HCPCS list"),
        (lambda: csv_text().replace("HCPC", "Item"), "no HCPCS list"),
        (lambda: csv_text().replace("HCPC,SEQNUM,RECID", "RECID,SEQNUM,HCPC"), "RECID is"),
        (lambda: csv_text().replace("ADD DT,ACT EFF DT,TERM DT,ACTION CD", "ACTION CD,ADD DT,TERM DT,ACT EFF DT"), "no a|no d"),
        (lambda: csv_text().replace("Feather comb,Comb,", "Feather, comb,Comb,"), "11 columns"),
        (lambda: csv_text() + "Z0005,0010\r\n", "2 columns"),
        (lambda: csv_text() + csv_text().splitlines()[-1] + "\r\n", "was given on line"),
        (lambda: csv_text() + 'Z0005,0010,3,"open\r\n', "no table"),
        (lambda: csv_text().replace("Z0003", "Z003"), "'Z003' is no code"),
        (lambda: csv_text().encode("utf-16"), "no HCPCS list|UTF-16"),
        (lambda: "Code,Title,Description\n1,2,3\n", "'1' is no"),
        (lambda: zipped({"../list.txt": text().encode("cp1252")}), "leaves the archive"),
        (lambda: zipped({"list.txt": text().encode("cp1252")})[:-30], "no readable zip"),
        (lambda: zipped({"list.txt": b"nothing"}), "no HCPCS list"),
        (lambda: zipped({}) + b"PK\x03\x04", "no HCPCS list"),
        (lambda: workbook([["HCPCS/MOD", "TYPE OF CHANGE"], ["Z0001", "ADD"]]), "no HCPCS list"),
    ],
)  # fmt: skip
def test_bad_files(put: Put, data: Callable[[], bytes | str], says: str) -> None:
    path = put(data(), "bad")
    with pytest.raises(CodeFileError, match=says) as caught:
        read_hcpcs(path)
    assert "bad" in str(caught.value)


def outcome(path: Path) -> CodeSystem | None:
    try:
        return read_hcpcs(path)
    except CodeFileError:
        return None


def test_cut_anywhere_is_noticed_or_ends_between_codes(put: Put) -> None:
    """A cut inside a line is an error; a cut at a line's end leaves whole lines, and every code read has its own words."""
    whole, data = read_hcpcs(put(text(), "whole")), text().encode("cp1252")
    for at in range(0, len(data), 61):
        if (system := outcome(put(data[:at], "cut"))) is not None:
            rest = data[at:].lstrip(b"\r\n")
            assert data[:at].rstrip(b"\r\n").endswith(b" ") and (not rest or len(rest) % 322 == 0)
            assert {c.title for c in system} <= {c.title for c in whole}


@pytest.mark.parametrize("form", ["workbook", "zip"])
def test_a_cut_archive_is_no_archive(put: Put, form: str) -> None:
    data = FORMS[form]()
    assert isinstance(data, bytes)
    for at in range(0, len(data), 997):
        assert outcome(put(data[:at], "cut")) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_ends_in_a_named_error_or_a_system(put: Put, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(RAW)))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=8)):
        raw[at] = data.draw(st.integers(0, 255))
    outcome(put(bytes(raw), "damaged"))
