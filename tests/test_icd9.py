"""ICD-9-CM titles and GEMs: the official files where they are here, and invented rows in the published layout."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes.readers import icd9
from codesuggest.errors import CodeFileError, OptionError

# ---- the official files


def test_titles_of_version_32(DATA: Path) -> None:
    path = DATA / "official" / "icd9" / "cms_v32.zip"
    diagnoses, procedures = icd9.read_titles(path), icd9.read_titles(path, system="icd9pcs", release="v32")
    assert (len(diagnoses), len(procedures)) == (14_567, 3_882)
    assert (diagnoses.name, procedures.name, procedures.release) == ("icd9cm", "icd9pcs", "v32")
    assert diagnoses.billable.all() and procedures.billable.all()
    for code in ("250.00", "25000", "E800.0", "V58.89", "042"):
        assert diagnoses[code].code == (code if code != "25000" else "250.00")
    assert procedures["4701"].code == "47.01"
    assert all(diagnoses.title(i) for i in range(len(diagnoses)))
    assert dict(diagnoses["250.00"].terms)["short"] != diagnoses["250.00"].title


@pytest.fixture(scope="module")
def gems(DATA: Path) -> icd9.Gems:
    return icd9.read_gems(DATA / "official" / "icd9" / "Dxgem_2018.zip")


def test_rows_of_the_final_mappings(gems: icd9.Gems) -> None:
    forward = [row for rows in gems.to_icd10.values() for row in rows]
    backward = [row for rows in gems.to_icd9.values() for row in rows]
    assert (len(forward), len(backward)) == (24_860, 81_593)
    assert (sum(r.no_map for r in forward), sum(r.no_map for r in backward)) == (422, 731)
    assert sum(not r.approximate for r in forward) == sum(not r.approximate for r in backward) == 3_522


@pytest.mark.parametrize(
    ("code", "codes"),
    [
        ("25000", [(0, (("E11.9",),))]),
        ("754.35", [(1, (("Q65.01",), ("Q65.32",))), (2, (("Q65.02",), ("Q65.31",)))]),
        ("365.70", []),
    ],
)
def test_forward(gems: icd9.Gems, code: str, codes: list[tuple[int, tuple[tuple[str, ...], ...]]]) -> None:
    assert [(s.number, s.codes) for s in gems.forward(code)] == codes


def test_backward(gems: icd9.Gems) -> None:
    assert [s.codes for s in gems.backward("a021")] == [(("003.1",), ("995.91",))]
    assert [s.codes for s in gems.backward("T88.53XD")] == [(("V58.89",),)]  # the file writes this one "v5889"
    with pytest.raises(KeyError, match="ICD-10-CM"):
        gems.backward("Z99.99")


def test_scenarios_hold_every_row_once(gems: icd9.Gems) -> None:
    """The slow reference: rows of the file, sorted by scenario and choice list."""
    for code, rows in gems.to_icd10.items():
        found = [row for s in gems.forward(code) for choices in s.lists for row in choices]
        assert found == sorted((r for r in rows if not r.no_map), key=lambda r: r[5:])


def test_most_targets_exist(gems: icd9.Gems, DATA: Path) -> None:
    titles = icd9.read_titles(DATA / "official" / "icd9" / "cms_v32.zip")
    unknown = {r.target for rows in gems.to_icd9.values() for r in rows if not r.no_map and r.target not in titles}
    assert unknown == set()
    assert len(gems.to_icd10) == len(titles)


# ---- invented rows

DX_LONG = "0019  Marsh ague of the ear, bilateral\nV999  Watching of ague\nE9999 Thrown by a heron\n"
DX_SHORT = "0019  Marsh ague bilat\nV999  Watching of ague\nE9999 Heron throw\n"
I9 = "0019  A019XXA 10000\r\n0029  A020    10111\r\n0029  A021    10112\r\n0029  A022    10112\r\n0039  NoDx    11000\r\n"
I10 = "A019XXA 0019  10000\r\nA020    0029  00000\r\nA03     NoDx  11000\r\n"


def titles_zip(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text.encode("latin-1"))
    return path


def test_an_invented_titles_zip(tmp_path: Path) -> None:
    members = {
        "CMS99_DESC_LONG_DX.txt": DX_LONG.replace("ague of", "agu\u00e9 of"),
        "CMS99_DESC_SHORT_DX.txt": DX_SHORT,
        "CMS99_DESC_LONG_SG.txt": "9999 Heron removal\n",
        "CMS99_DESC_SHORT_SG.txt": "9999 Heron remov\n",
        "CMS99_DESC_LONG_SHORT_DX.xlsx": "not read",
    }
    system = icd9.read_titles(titles_zip(tmp_path / "cms_v99.zip", members))
    assert [(c.code, c.title, c.terms) for c in system] == [
        ("001.9", "Marsh agu\u00e9 of the ear, bilateral", (("short", "Marsh ague bilat"),)),
        ("E999.9", "Thrown by a heron", (("short", "Heron throw"),)),
        ("V99.9", "Watching of ague", ()),
    ]
    assert system.release == "cms_v99"
    procedures = icd9.read_titles(tmp_path / "cms_v99.zip", system="icd9pcs")
    assert [(c.code, c.title) for c in procedures] == [("99.99", "Heron removal")]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_a_text_file_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "titles.txt"
    path.write_bytes("0019  Agu\u00e9\r\n".encode(encoding))
    assert icd9.read_titles(path)["001.9"].title == "Agu\u00e9"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "no line"),
        ("\n \n", None, "no line"),
        ("Marsh ague 0019\n", 1, "icd9cm code"),
        ("0019\n", 1, "icd9cm code"),
        ("0019  \n", 1, "no readable title"),
        ("0019  a\x00b\n", 1, "no readable title"),
        ("0019  Ague\n0019  Ague\n", 2, "twice"),
        ("0019  Ague\nA019  Ague\n", 2, "icd9cm code"),
        ("00199 Ague\n0029 Ague\n", 2, "icd9cm code"),  # a procedure's width
        ("0019  Ague\n0029  Mar", 2, "cut"),
    ],
)
def test_bad_titles(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    path = tmp_path / "titles.txt"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CodeFileError, match=says) as raised:
        icd9.read_titles(path)
    assert raised.value.path == path and raised.value.line == line


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"CMS99_DESC_LONG_DX.txt": DX_LONG}, "0 members"),
        ({"CMS99_DESC_LONG_DX.txt": DX_LONG, "CMS99_DESC_SHORT_DX.txt": DX_SHORT[:20] + "\n"}, "not both"),
        ({"CMS99_DESC_LONG_DX.txt": DX_SHORT, "CMS99_DESC_SHORT_DX.txt": DX_LONG}, "over 24"),
        ({"../CMS99_DESC_LONG_DX.txt": DX_LONG, "CMS99_DESC_SHORT_DX.txt": DX_SHORT}, "leaves the archive"),
    ],
)
def test_bad_title_zips(tmp_path: Path, members: dict[str, str], says: str) -> None:
    with pytest.raises(CodeFileError, match=says):
        icd9.read_titles(titles_zip(tmp_path / "x.zip", members))


def test_a_member_without_a_name(tmp_path: Path) -> None:
    path = titles_zip(tmp_path / "g.zip", {"2099_I9gem.txt": I9, "x": ""})
    data = path.read_bytes().replace(b"x", b"\x00")
    path.write_bytes(data)  # zipfile cuts a name at its first NUL
    with pytest.raises(CodeFileError, match="has no name"):
        icd9.read_gems(path)


def test_an_unknown_list(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="icd9pcs"):
        icd9.read_titles(tmp_path / "x.zip", system="icd10cm")


def test_missing_files(tmp_path: Path) -> None:
    for read in (icd9.read_titles, icd9.read_gems):
        with pytest.raises(CodeFileError, match="cannot be read"):
            read(tmp_path / "nothing.zip")


def test_invented_mappings(tmp_path: Path) -> None:
    gems = icd9.read_gems(titles_zip(tmp_path / "g.zip", {"2099_I9gem.txt": I9, "2099_I10gem.txt": I10}))
    assert [s.codes for s in gems.forward("001.9")] == [(("A01.9XXA",),)]
    assert [(s.number, s.codes) for s in gems.forward("0029")] == [(1, (("A02.0",), ("A02.1", "A02.2")))]
    assert gems.forward("0039") == gems.backward("A03") == ()
    assert gems.backward("A02.0")[0].lists[0][0] == icd9.GemRow("A02.0", "002.9", False, False, False, 0, 0)


@pytest.mark.parametrize(("text", "empty"), [(I9, "to_icd9"), (I10, "to_icd10")])
def test_a_text_file_holds_one_direction(tmp_path: Path, text: str, empty: str) -> None:
    path = tmp_path / "gem.txt"
    path.write_bytes(text.encode())
    gems = icd9.read_gems(path)
    assert len(gems.to_icd10) + len(gems.to_icd9) == 3 and not getattr(gems, empty)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "no line"),
        ("0019  A019XXA 1000\n", 1, "19 columns"),
        ("0019 A019XXA  10000\n", 1, "19 columns"),
        ("10000 A019XXA 0019 \n", 1, "contradict"),  # columns swapped
        (I9 + "A019XXA 0019  10000\n", 6, "19 columns"),  # the other direction below
        (I9 + "0049  A0", 6, "cut"),
        ("0019  A019XXA 12000\n", 1, "contradict"),
        ("0019  A019XXA 11000\n", 1, "contradict"),
        ("0019  NoDx    10000\n", 1, "contradict"),
        ("0019  A019XXA 10011\n", 1, "contradict"),
        ("0019  A019XXA 10110\n", 1, "contradict"),
        ("0019  NoDx    11111\n", 1, "contradict"),
        ("0019  A019XXA 10000\n0019  A019XXA 00000\n", 2, "twice"),
        ("0019  A019XXA 10000\n0019  NoDx    11000\n", None, "both no map and a target"),
    ],
)
def test_bad_mappings(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    path = tmp_path / "gem.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CodeFileError, match=says) as raised:
        icd9.read_gems(path)
    assert raised.value.line == line


# ---- fuzz: a complete result or a named error


@given(cut=st.integers(0, len(I9)), junk=st.binary(max_size=12))
def test_cut_or_soiled_mappings(tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("gem") / "gem.txt"
    path.write_bytes(I9.encode()[:cut] + junk)
    try:
        gems = icd9.read_gems(path)
    except CodeFileError:
        return
    rows = sum(map(len, gems.to_icd10.values()))
    assert rows == sum(bool(line.strip()) for line in path.read_bytes().decode("latin-1").split("\n"))


@given(cut=st.integers(0, len(DX_LONG)), junk=st.binary(max_size=12))
def test_cut_or_soiled_titles(tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("titles") / "titles.txt"
    path.write_bytes(DX_LONG.encode()[:cut] + junk)
    try:
        system = icd9.read_titles(path)
    except CodeFileError:
        return
    assert len(system) == sum(bool(line.strip()) for line in path.read_bytes().decode("latin-1").split("\n"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_wide_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(DX_LONG.encode(encoding))
    with pytest.raises(CodeFileError):
        icd9.read_titles(path)
    path.write_bytes(I9.encode(encoding))
    with pytest.raises(CodeFileError):
        icd9.read_gems(path)


@pytest.mark.parametrize("at", [5, 300, 0.5, -40, -3])
def test_cut_zips(DATA: Path, tmp_path: Path, at: float) -> None:
    for name, read in (("cms_v32.zip", icd9.read_titles), ("Dxgem_2018.zip", icd9.read_gems)):
        data = (DATA / "official" / "icd9" / name).read_bytes()
        path = tmp_path / name
        path.write_bytes(data[: int(at * len(data)) if 0 < at < 1 else int(at)])
        with pytest.raises(CodeFileError):
            read(path)
