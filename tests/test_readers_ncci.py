"""NCCI pairs and unit limits on invented rows: what holds on a day, arrays that come back, files that lie."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codesuggest.codes.readers.ncci import Mue, MueLimit, Ptp, PtpEdit, read_mue, read_ptp
from codesuggest.errors import CodeFileError

WHY = "Misuse of the second feather with the first"
NOTICE = (
    "CPT only copyright of nobody.  All rights reserved.\t\t\t\t\t\t\r\nColumn1/Column2 Edits\t\t\t\t\t\t\r\n"
    "\t\t*=in existence\t\t\tModifier\t\r\n\t\tprior to 1996\tEffective\tDeletion\t0=not allowed\t\r\n"
    "Column 1\tColumn 2\t\tDate\tDate *=no data\t1=allowed 9=not applicable\tPTP Edit Rationale\r\n\t\t\t\t\t\t\r\n"
)
PAIRS = (
    ("00001", "00002", " ", "20100101", "20191231", "1", WHY),
    ("00001", "00002", " ", "20200401", "*", "0", WHY),
    ("00001", "Z0001", "*", "19960101", "*", "9", "Standards of falconry"),
    ("0000F", "00001", " ", "20200101", "20200101", "1", WHY),  # never held
    ("00003", "00004", " ", "20200101", "20201231", "1", "–"),
)


def ptp_text(rows: tuple[tuple[str, ...], ...] = PAIRS) -> bytes:
    return (NOTICE + "".join("\t".join(row) + "\r\n" for row in rows)).encode("cp1252")


BANNER = '"CPT codes are nobody\'s, all rights reserved.\n®",,,\r\n'
MUE_HEADER = '"HCPCS/\nCPT Code",Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale\r\n'
UNITS = (
    ("00001", "1", "2 Date of Service Edit: Policy", "Anatomic consideration"),
    ("00002", "12", "3 Date of Service Edit: Clinical", "Clinical: Data"),
    ("Z0001", "0", "1 Line Edit", "Nature of service–feather"),
)


def mue_text(rows: tuple[tuple[str, ...], ...] = UNITS) -> bytes:
    return (BANNER + MUE_HEADER + "".join(",".join(row) + "\r\n" for row in rows)).encode("cp1252")


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(data: bytes, name: str = "given") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return write


# ---- pairs


def test_an_edit_holds_on_its_days_in_either_order(put: Put) -> None:
    ptp = read_ptp(put(ptp_text()), release="2026Q4")
    assert (len(ptp), ptp.release) == (5, "2026Q4")
    expected = PtpEdit("00001", "00002", 20100101, 20191231, 1, WHY)
    for a, b in (("00001", "00002"), ("00002", "00001"), (" 00001", "00002 ")):
        assert ptp.edit(a, b, 20191231) == expected
        assert ptp.edit(a, b, 20200101) is None and ptp.edit(a, b, 20091231) is None
        later = ptp.edit(a, b, 20200401)
        assert later is not None and (later.modifier, later.deleted) == (0, 0)
    assert ptp.edit("z0001", "00001", 20260101) == PtpEdit("00001", "Z0001", 19960101, 0, 9, "Standards of falconry")
    assert [e.modifier for e in ptp.history("00001", "00002")] == [1, 0]
    assert ptp.history("00002", "00001") == ()


def test_an_edit_deleted_on_or_before_its_first_day_never_held(put: Put) -> None:
    for data in (ptp_text(), row(3, 4, "20191231")):
        ptp = read_ptp(put(data))
        assert ptp.edit("0000F", "00001", 20200101) is None and ptp.edit("0000F", "00001", 20191231) is None
        assert len(ptp.history("0000F", "00001")) == 1


def test_of_two_edits_that_share_a_day_the_later_one_holds(put: Put) -> None:
    ptp = read_ptp(put(row(0, 4, "20200401")))
    found = ptp.edit("00001", "00002", 20200401)
    assert found is not None and found.effective == 20200401


@pytest.mark.parametrize("code", ["", "0000", "000001", "00 01", "é0001", "00001\n2"])
def test_what_is_no_code_has_no_edit(put: Put, code: str) -> None:
    ptp, mue = read_ptp(put(ptp_text())), read_mue(put(mue_text()))
    assert ptp.edit(code, "00002", 20260101) is None and ptp.edit("00002", code, 20260101) is None
    assert ptp.history(code, "00002") == () and mue.limit(code) is None


def test_zip_and_folder_of_zips(put: Put, tmp_path: Path) -> None:
    whole = read_ptp(put(ptp_text()))
    one, two = ptp_text(PAIRS[:2]), ptp_text(PAIRS[2:])
    packed = read_ptp(put(zipped({"f1.TXT": one, "f2.TXT": two, "readme.txt": b"none\r\n"}), "all"))
    put(zipped({"f1.txt": two}), "quarter/f2.zip")
    put(zipped({"f1.txt": one}), "quarter/f1.zip")
    folder = read_ptp(tmp_path / "quarter")
    joined = Ptp.joined([read_ptp(put(two, "two")), read_ptp(put(one, "one"))], release="x")
    for other in (packed, folder, joined):
        assert len(other) == len(whole)
        assert all(other.history(*row[:2]) == whole.history(*row[:2]) for row in PAIRS)


def test_as_a_search_of_all_rows_finds_it(put: Put) -> None:
    """The binary search against the rows themselves, over codes few enough to meet."""
    draw = random.Random(7)
    codes = [f"{n:04}{c}" for n in range(8) for c in "0FZ"]
    spans = (("20100101", "20121231"), ("20130101", "20150630"), ("20160101", "*"), ("20110101", "20110101"))
    rows = tuple(
        (a, b, " ", first, last, draw.choice("019"), WHY)
        for a in codes
        for b in codes
        if a < b or draw.random() < 0.2
        for first, last in spans
        if draw.random() < 0.4
    )
    ptp = read_ptp(put(ptp_text(tuple(draw.sample(rows, len(rows))))))

    def slow(a: str, b: str, day: int) -> tuple[str, str, str] | None:
        for one, two in ((a, b), (b, a)):
            for c1, c2, _, first, last, indicator, _ in rows:
                holds = int(first) <= day and (last == "*" or (int(first) < int(last) and day <= int(last)))
                if (c1, c2) == (one, two) and holds:
                    return c1, c2, indicator
        return None

    for _ in range(400):
        a, b = draw.choice(codes), draw.choice(codes)
        day = draw.choice([20091231, 20100101, 20110101, 20121231, 20140101, 20150701, 20161231])
        found = ptp.edit(a, b, day)
        assert (None if found is None else (found.column1, found.column2, str(found.modifier))) == slow(a, b, day)


def test_arrays_come_back_also_memory_mapped(put: Put, tmp_path: Path) -> None:
    ptp, mue = read_ptp(put(ptp_text())), read_mue(put(mue_text()))
    for kind, table in (("ptp", ptp), ("mue", mue)):
        for key, array in table.arrays().items():
            assert not array.dtype.hasobject
            np.save(tmp_path / f"{kind}_{key}.npy", array, allow_pickle=False)

    def mapped(kind: str, keys: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {key: np.load(tmp_path / f"{kind}_{key}.npy", mmap_mode="r", allow_pickle=False) for key in keys}

    pairs, units = (
        Ptp.from_arrays(mapped("ptp", ptp.arrays()), release="x"),
        Mue.from_arrays(mapped("mue", mue.arrays()), release="x"),
    )
    assert pairs.edit("00002", "00001", 20260101) == ptp.edit("00002", "00001", 20260101)
    assert units.limit("00002") == mue.limit("00002") and units.services == mue.services


def test_tables_that_overlap_are_not_joined(put: Put) -> None:
    ptp = read_ptp(put(ptp_text()))
    with pytest.raises(CodeFileError, match="two edits of 00001 and 00002"):
        Ptp.joined([ptp, ptp], release="x")


@pytest.mark.parametrize(
    "change",
    [
        {"pair": np.array([2, 1], "<i8")},
        {"pair": np.array([-1, 1, 2, 3, 4], "<i8")},
        {"modifier": np.zeros(4, "u1")},
        {"rationale": np.full(5, 99, "<u2")},
        {"effective": np.zeros(5, "<i8")},
        {"text_off": np.array([0, 5], "<i8")},
        {"text_off": np.zeros(0, "<i8")},
        {"deleted": None},
    ],
)
def test_arrays_that_do_not_fit(put: Put, change: dict[str, np.ndarray | None]) -> None:
    arrays = {**read_ptp(put(ptp_text())).arrays(), **change}
    with pytest.raises(CodeFileError, match="add the file again"):
        Ptp.from_arrays({k: v for k, v in arrays.items() if v is not None}, release="x")


# ---- units


def test_limits(put: Put) -> None:
    for path in (put(mue_text(), "one.csv"), put(zipped({"a.csv": mue_text(), "b.txt": b"Read me\r\n"}), "two")):
        mue = read_mue(path, release="2026Q4")
        assert mue.limit("00002") == MueLimit("00002", 12, 3, "Clinical: Data")
        assert mue.limit("z0001") == MueLimit("Z0001", 0, 1, "Nature of service–feather")
        assert mue.limit("00003") is None and mue.limit("ZZZZZ") is None
        assert (len(mue), mue.services) == (3, "Practitioner Services")


# ---- files that lie


def row(at: int, column: int, value: str) -> bytes:
    rows = [list(r) for r in PAIRS]
    rows[at][column] = value
    return ptp_text(tuple(map(tuple, rows)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: b"", "no NCCI pairs"),
        (lambda: NOTICE.encode(), "no NCCI pairs"),
        (lambda: ptp_text().decode("cp1252").encode("utf-16"), "no NCCI pairs"),
        (lambda: ptp_text()[:-1], "no line end"),
        (lambda: ptp_text()[:-30], "no line end"),
        (lambda: ptp_text() + b"00005\t00006\t \t20200101\t*\t1\t\x81\r\n", "not cp1252"),
        (lambda: row(1, 1, "0002"), "no pair of codes"),
        (lambda: row(0, 1, "0002"), "no pair of codes"),
        (lambda: row(2, 3, "20201301"), "no day"),
        (lambda: row(2, 3, "*"), "no pair of codes"),
        (lambda: row(2, 5, "2"), "no pair of codes"),
        (lambda: row(0, 4, "20200402"), "two edits of 00001 and 00002"),
        (lambda: row(0, 4, "*"), "two edits of 00001 and 00002"),
        (lambda: ptp_text((*PAIRS, PAIRS[2])), "two edits of 00001 and Z0001"),
        (lambda: ptp_text(tuple((*r[:3], r[5], *r[3:5], r[6]) for r in PAIRS)), "no pair of codes"),
        (lambda: ptp_text().replace(b"Column 1\tColumn 2", b"Column 2\tColumn 1"), "not the first two"),
        (lambda: zipped({"..\\a.txt": ptp_text()}), "leaves the archive"),
        (lambda: zipped({"a.txt": ptp_text()})[:-9], "no readable zip"),
    ],
)  # fmt: skip
def test_bad_pairs(put: Put, data: Callable[[], bytes], says: str) -> None:
    with pytest.raises(CodeFileError, match=says) as caught:
        read_ptp(put(data(), "bad"))
    assert "bad" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: b"", "0 tables of MUE"),
        (lambda: BANNER.encode("cp1252"), "0 tables of MUE"),
        (lambda: mue_text().decode("cp1252").encode("utf-16"), "is UTF-16; save it"),
        (lambda: mue_text(()), "holds no code"),
        (lambda: mue_text()[:-1], "no line end"),
        (lambda: mue_text().replace(b"MUE Values", b"Values"), "0 tables of MUE"),
        (lambda: mue_text((*UNITS, UNITS[0])), "00001 is given twice"),
        (lambda: mue_text((*UNITS, ("00003", "many", "1 Line Edit", ""))), "'many' is no number"),
        (lambda: mue_text((*UNITS, ("3", "1", "1 Line Edit", ""))), "'3' is no code"),
        (lambda: mue_text((*UNITS, ("00003", "1", "4 Edit", ""))), "not 1, 2 or 3"),
        (lambda: mue_text((*UNITS, ("00003", "1", "1 Line Edit"))), "3 columns, the header has 4"),
        (lambda: mue_text(tuple((b, a, c, d) for a, b, c, d in UNITS)), "'1' is no code"),
        (lambda: zipped({"a.csv": mue_text(), "b.csv": mue_text()}), "2 tables of MUE"),
    ],
)  # fmt: skip
def test_bad_units(put: Put, data: Callable[[], bytes], says: str) -> None:
    with pytest.raises(CodeFileError, match=says) as caught:
        read_mue(put(data(), "bad"))
    assert "bad" in str(caught.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_ends_in_a_named_error_or_a_table(put: Put, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([ptp_text(), mue_text(), zipped({"a": ptp_text()})])))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=8)):
        raw[at] = data.draw(st.sampled_from([0, 9, 10, 13, 34, 42, 44, 48, 65, 129, 255]))
    path = put(bytes(raw), "damaged")
    for read in (read_ptp, read_mue):
        with suppress(CodeFileError):
            assert len(read(path))
