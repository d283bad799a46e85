"""ICD-10-PCS tables, definitions and index: the official files where they are here, and invented ones."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest.codes.readers import pcs, pcs_index, pcs_tables
from codesuggest.errors import CodeFileError

# ---- the official files


@pytest.fixture(scope="module")
def tables(DATA: Path) -> pcs_tables.PcsTables:
    return pcs_tables.read_tables_xml(DATA / "official" / "icd10pcs" / "icd10pcs_tables_2025.xml")


@pytest.fixture(scope="module")
def definitions(DATA: Path) -> pcs_tables.PcsDefinitions:
    return pcs_tables.read_definitions_xml(DATA / "official" / "icd10pcs" / "icd10pcs_definitions_2025.xml")


@pytest.fixture(scope="module")
def index(DATA: Path) -> tuple[pcs_index.PcsIndexEntry, ...]:
    return pcs_index.read_index_xml(DATA / "official" / "icd10pcs" / "icd10pcs_index_2025.xml")


@pytest.fixture(scope="module")
def order(DATA: Path) -> Any:
    return pcs.read_order_file(DATA / "official" / "icd10pcs" / "cms_2026_pr.zip")


def test_tables_expand_to_the_years_codes(tables: pcs_tables.PcsTables, order: Any) -> None:
    codes = [c.code for c in tables.codes()]
    assert (tables.version, len(tables.tables), len(tables), len(codes), len(set(codes))) == (
        "2025", 908, 78_948, 78_948, 78_948,
    )  # fmt: skip
    next_year = {c.code for c in order}
    assert len(set(codes) & next_year) == 78_909, "39 codes of FY2025 are gone in FY2026"


@pytest.mark.parametrize(
    ("prefix", "axis", "some"),
    [
        ("", "Section", {"0": "Medical and Surgical", "X": "New Technology"}),
        ("0", "Body System", {"D": "Gastrointestinal System"}),
        ("0D", "Operation", {"T": "Resection", "B": "Excision"}),
        ("0DT", "Body Part", {"J": "Appendix", "N": "Sigmoid Colon"}),
        ("0DTJ", "Approach", {"0": "Open", "4": "Percutaneous Endoscopic"}),
        ("0dtj4", "Device", {"Z": "No Device"}),
        ("0DTJ4Z", "Qualifier", {"Z": "No Qualifier"}),
        ("0SRC0J", "Qualifier", {"9": "Cemented", "A": "Uncemented"}),
        ("5A1", "Body System", {"9": "Respiratory"}),
        ("5A19", "Duration", {"3": "Less than 24 Consecutive Hours"}),
        ("3E0", "Body System / Region", {"3": "Peripheral Vein"}),
    ],
)
def test_what_an_axis_may_take(tables: pcs_tables.PcsTables, prefix: str, axis: str, some: dict[str, str]) -> None:
    found = tables.allowed(prefix)
    assert found.name == axis and some.items() <= found.values.items()
    assert list(found.values) == sorted(found.values)


def test_an_axis_depends_on_the_one_before(tables: pcs_tables.PcsTables) -> None:
    """No one takes out an appendix from outside the skin, but a breast may be opened to be excised or reached so."""
    assert "X" not in tables.allowed("0DTJ").values
    assert "X" in tables.allowed("0HT").values or "X" in tables.allowed("0HBT").values
    # 3E03 with one more character: the same value says different substances in the rows of XW0
    assert "; " in tables.allowed("XW033").values["6"]


@pytest.mark.parametrize("prefix", ["0DTJ4ZZ", "O", "0DTI", "0DTJX", "0Z", "Y", "0DTJ4ZZZ"])
def test_nothing_goes_on(tables: pcs_tables.PcsTables, prefix: str) -> None:
    with pytest.raises(KeyError, match="ICD-10-PCS"):
        tables.allowed(prefix)


@pytest.mark.parametrize(
    ("code", "valid"),
    [
        ("0DTJ4ZZ", True),
        (" 0dtj4zz ", True),
        ("0DTJXZZ", False),
        ("0DTJ4Z", False),
        ("0DTJ4ZZ9", False),
        ("0DT", False),
        ("", False),
        ("0SRC0J9", True),
        ("0SRC0JZ", True),
        ("10D00Z1", True),
        ("10D00ZZ", False),
    ],
)
def test_validity(tables: pcs_tables.PcsTables, code: str, valid: bool) -> None:
    assert tables.valid(code) is valid


@settings(max_examples=60)
@given(data=st.data())
def test_walking_the_axes_reaches_exactly_the_valid_codes(tables: pcs_tables.PcsTables, data: st.DataObject) -> None:
    prefix = ""
    for _ in range(7):
        prefix += data.draw(st.sampled_from(sorted(tables.allowed(prefix).values)))
    assert tables.valid(prefix)
    place = data.draw(st.integers(3, 6))
    for other in "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ":
        changed = prefix[:place] + other
        wanted = other in tables.allowed(prefix[:place]).values
        assert wanted == any(c.startswith(changed) for c in _codes_of(tables, prefix[:3]))


def _codes_of(tables: pcs_tables.PcsTables, prefix: str) -> list[str]:
    """The slow reference: every combination of every row."""
    return [
        prefix + "".join(values) for row in tables.tables[prefix].rows for values in itertools.product(*(a.values for a in row))
    ]  # fmt: skip


def test_a_system_of_the_tables(tables: pcs_tables.PcsTables, order: Any) -> None:
    system = tables.system("2024-10-01", titles={c.code: c.title for c in order})
    assert (len(system), int(system.billable.sum()), system.name) == (78_948 + 908, 78_948, "icd10pcs")
    assert system["0DTJ4ZZ"].title == order["0DTJ4ZZ"].title
    assert system["0DTJ4ZZ"].parent == system["0DT"] and not system["0DT"].billable
    composed = tables.system()
    assert composed.release == "FY2025" and all(composed.title(i) for i in range(len(composed)))
    both = [(c.title, o.title) for c in composed for o in [order.get(c.code)] if o is not None]
    assert np.mean([a == b for a, b in both]) > 0.79


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("0DTJ4ZZ", "Resection of Appendix, Percutaneous Endoscopic Approach"),
        ("0BTL0ZZ", "Resection of Left Lung, Open Approach"),
        ("0W9930Z", "Drainage of Right Pleural Cavity with Drainage Device, Percutaneous Approach"),
        ("0JH60WZ", "Insertion of Totally Implantable Vascular Access Device into Chest Subcutaneous Tissue and Fascia, "
                    "Open Approach"),
        ("021209W", "Bypass Coronary Artery, Three Arteries from Aorta with Autologous Venous Tissue, Open Approach"),
        ("0DBN8ZX", "Excision of Sigmoid Colon, Via Natural or Artificial Opening Endoscopic, Diagnostic"),
        ("30233N1", "Transfusion, Peripheral Vein, Percutaneous, Red Blood Cells, Nonautologous"),
    ],
)  # fmt: skip
def test_composed_titles(tables: pcs_tables.PcsTables, code: str, title: str) -> None:
    assert [pcs_tables.compose_title(labels) for c, labels in tables.codes() if c == code] == [title]


def test_operations_have_their_definitions(tables: pcs_tables.PcsTables, definitions: Any) -> None:
    assert tables.operations["0", "Resection"].startswith("Cutting out or off, without replacement, all of")
    said = definitions.of("0", 3)
    for (section, operation), text in tables.operations.items():
        if section == "0":
            assert said[operation].definition == text
    assert len([k for k in tables.operations if k[0] == "0"]) == 31


def test_definitions(definitions: pcs_tables.PcsDefinitions) -> None:
    assert (len(definitions.terms), len(definitions.devices)) == (930, 60)
    assert sum(len(t.includes) for t in definitions.terms) == 1_912
    parts = definitions.of("0", 4)
    assert "Abdominal esophagus" in parts["Esophagus, Lower"].includes
    assert parts["1st Toe, Left"] is parts["1st Toe, Right"]
    assert definitions.of("0", 5)["Open"].definition.startswith("Cutting through the skin")
    assert {d.value for d in definitions.devices if d.device.startswith("Cardiac Lead")} == {"M"}


def test_index(index: tuple[pcs_index.PcsIndexEntry, ...]) -> None:
    assert sum(e.level == 0 for e in index) == 3_215
    assert sum(e.level > 0 for e in index) == 21_269
    assert sum(bool(e.use) for e in index) == 2_342
    assert {len(e.code) for e in index} == {0, 3, 4, 5, 6, 7}
    assert sum(bool(e.code) for e in index) == 2_794 + 12_152 + 1_415
    found = {e.path: e for e in index if e.level == 0}
    assert found["Abdominohysterectomy",].see == "Resection, Uterus" and found["Abdominohysterectomy",].code == "0UT9"
    assert found["Abdominal esophagus",].use == "Esophagus, Lower"


def test_index_codes_exist(index: tuple[pcs_index.PcsIndexEntry, ...], tables: pcs_tables.PcsTables) -> None:
    codes = [c.code for c in tables.codes()]
    beginnings = {c[:n] for c in codes for n in range(3, 8)}
    gone = [(e.path, e.code) for e in index if e.code and e.code not in beginnings]
    assert gone == [(("DownStream(R) System",), "5A0512C"), (("DownStream(R) System",), "5A0522C")], (
        "the file's own slips"
    )


def test_keys_name_values_of_an_axis(index: tuple[pcs_index.PcsIndexEntry, ...], tables: pcs_tables.PcsTables) -> None:
    labels = {label for code in tables.codes() for label in code.labels[3:]}
    keys = [e.use for e in index if e.use]
    named = [use in labels or use.split(" in")[0] in labels for use in keys]  # devices are also named "X in Y"
    assert np.mean(named) > 0.9


# ---- invented files


def axis(place: int, name: str, values: str, *, count: int | None = None, more: str = "") -> str:
    labels = "".join(f'<label code="{v}">{name} {v}</label>' for v in values)
    size = len(values) if count is None else count
    return f'<axis pos="{place}" values="{size}"><title>{name}</title>{labels}{more}</axis>'


HEAD = (
    axis(1, "Section", "0") + axis(2, "System", "D") + axis(3, "Deed", "T", more="<definition>Doing all</definition>")
)
ROW = (
    '<pcsRow codes="4">'
    + axis(4, "Part", "12")
    + axis(5, "Way", "0")
    + axis(6, "Thing", "ZJ")
    + axis(7, "Rest", "Z")
    + "</pcsRow>"
)
OTHER = (
    '<pcsRow codes="1">'
    + axis(4, "Part", "3")
    + axis(5, "Way", "4")
    + axis(6, "Thing", "Z")
    + axis(7, "Rest", "X")
    + "</pcsRow>"
)


def whole(body: str, version: str = "<version>2099</version>") -> str:
    return f"<?xml version='1.0'?><ICD10PCS.tabular>{version}<title>t</title>{body}</ICD10PCS.tabular>"


TABLES = whole(f"<pcsTable>{HEAD}{ROW}{OTHER}</pcsTable>")


def read(tmp_path: Path, text: str | bytes, reader: Callable[[Path], Any] = pcs_tables.read_tables_xml) -> Any:
    path = tmp_path / "icd10pcs_tables_2099.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return reader(path)


def test_a_small_table(tmp_path: Path) -> None:
    tables = read(tmp_path, TABLES)
    assert [c.code for c in tables.codes()] == ["0DT10ZZ", "0DT10JZ", "0DT20ZZ", "0DT20JZ", "0DT34ZX"]
    assert next(iter(tables.codes())).labels[3:] == ("Part 1", "Way 0", "Thing Z", "Rest Z")
    assert tables.allowed("0DT").values == {"1": "Part 1", "2": "Part 2", "3": "Part 3"}
    assert tables.allowed("0DT3") == pcs_tables.Axis("Way", {"4": "Way 4"})
    assert not tables.valid("0DT14ZX") and tables.operations == {("0", "Deed T"): "Doing all"}


def test_tables_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "tables.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("icd10pcs_tables_2099.xml", TABLES)
        archive.writestr("icd10pcs_tables_2099.pdf", "")
    assert len(pcs_tables.read_tables_xml(path)) == 5
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../icd10pcs_index.xml", "")
    with pytest.raises(CodeFileError, match="leaves the archive"):
        pcs_tables.read_tables_xml(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "well-formed"),
        (whole(""), "no table"),
        (whole(f"<pcsTable>{HEAD}{ROW}</pcsTable>", ""), "no version"),
        (TABLES.replace('codes="4"', 'codes="5"'), "holds 4 codes where the file says 5"),
        (TABLES.replace('pos="4" values="2"', 'pos="4" values="3"'), "holds 2 values where the file says 3"),
        (TABLES.replace('codes="4"', ""), "does not say how many"),
        (TABLES.replace('pos="5"', 'pos="6"'), "position '6' where 5"),
        (TABLES.replace('code="1"', 'code="I"'), "no character of a code"),
        (TABLES.replace('code="1"', 'code="2"'), "twice"),
        (TABLES.replace("Part 1", ""), "empty <label>"),
        (TABLES.replace("<title>Way</title>", ""), "without title"),
        (whole(f"<pcsTable>{HEAD}</pcsTable>"), "without rows"),
        (whole(f"<pcsTable>{ROW}{HEAD}</pcsTable>"), "after 0 axes"),
        (whole(f"<pcsTable>{HEAD}{ROW}{ROW}</pcsTable>"), "0DT10ZZ is given twice"),
        (whole(2 * f"<pcsTable>{HEAD}{ROW}</pcsTable>"), "table 0DT is given twice"),
        (TABLES.replace("<definition>Doing all</definition>", "<note>new</note>"), "<note> is not expected"),
        (TABLES.replace("<pcsTable>", "words<pcsTable>", 1), "text in"),
        (TABLES.replace("?>", '?><!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>', 1), "refused"),
        (TABLES.replace("Doing all", "&lol;"), "well-formed|declared nowhere"),
        ("<ICD10PCS.index/>", "no ICD-10-PCS tables"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CodeFileError, match=says):
        read(tmp_path, text)


DEFINITIONS = (
    "<ICD10PCS.definitions><version>2099</version><title>t</title><section code='0'><title>s</title>"
    "<axis pos='4'><title>Body Part</title><terms><title>Gizzard, Left</title><title>Gizzard, Right</title>"
    "<includes>Maw</includes><includes>Craw</includes></terms></axis></section><deviceAggregation><aggregate>"
    "<device>Red peg</device><operation>Insertion</operation><bodySys>Gizzards</bodySys>"
    "<parent value='P'>Peg</parent></aggregate></deviceAggregation></ICD10PCS.definitions>"
)
INDEX = (
    "<ICD10PCS.index><version>2099</version><title>t</title><letter><title>G</title>"
    "<mainTerm><title>Gizzardectomy</title><see>Resection, Gizzard<tab>0DT</tab></see></mainTerm>"
    "<mainTerm><title>Gizzardotomy</title><term level='1'><title>Left</title><codes>0D91</codes></term>"
    "<term level='1'><title>Right</title><term level='2'><title>Upper</title><code>0D920ZZ</code></term></term>"
    "<term level='1'><use>Gizzard</use></term></mainTerm></letter></ICD10PCS.index>"
)


def test_small_definitions(tmp_path: Path) -> None:
    found = read(tmp_path, DEFINITIONS, pcs_tables.read_definitions_xml)
    assert found.terms == (
        pcs_tables.PcsDefinition(
            "0", 4, "Body Part", ("Gizzard, Left", "Gizzard, Right"), includes=("Maw", "Craw")
        ),
    )  # fmt: skip
    assert found.devices == (pcs_tables.PcsDevice("Red peg", "Insertion", ("Gizzards",), "P", "Peg"),)


def test_a_small_index(tmp_path: Path) -> None:
    entry = pcs_index.PcsIndexEntry
    assert read(tmp_path, INDEX, pcs_index.read_index_xml) == (
        entry(("Gizzardectomy",), 0, "0DT", see="Resection, Gizzard"),
        entry(("Gizzardotomy",), 0),
        entry(("Gizzardotomy", "Left"), 1, "0D91"),
        entry(("Gizzardotomy", "Right"), 1),
        entry(("Gizzardotomy", "Right", "Upper"), 2, "0D920ZZ"),
        entry(("Gizzardotomy",), 1, use="Gizzard"),
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("code='0'", "code='I'", "no section"),
        ("pos='4'", "pos='9'", "its position"),
        ("<includes>Maw</includes>", "<includes></includes>", "empty <includes>"),
        ("<title>Gizzard, Left</title><title>Gizzard, Right</title>", "", "some are needed"),
        ("<device>Red peg</device>", "<device>a</device><device>b</device>", "one is needed"),
        ("value='P'", "", "value ''"),
        ("<includes>Maw</includes>", "<definition>a</definition><definition>b</definition>", "2 <definition>"),
        ("<title>Body Part</title>", "", "before the <title>"),
    ],
)
def test_bad_definitions(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in DEFINITIONS
    with pytest.raises(CodeFileError, match=says):
        read(tmp_path, DEFINITIONS.replace(old, new), pcs_tables.read_definitions_xml)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("level='2'", "level='1'", "level '1' where 2"),
        ("0D920ZZ", "0D920Z", "not its shape"),
        ("<tab>0DT</tab>", "<tab>0DTI</tab>", "not its shape"),
        ("<codes>0D91</codes>", "<codes>0D91</codes><code>0D910ZZ</code>", "beside a <code>"),
        ("<title>Gizzardotomy</title>", "", "without title"),
        ("<use>Gizzard</use>", "", "says nothing"),
        ("<use>Gizzard</use>", "<use/>", "empty <use>"),
        ("<title>Left</title>", "<title>Left</title><title>Right</title>", "second <title>"),
    ],
)
def test_bad_indexes(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in INDEX
    with pytest.raises(CodeFileError, match=says):
        read(tmp_path, INDEX.replace(old, new), pcs_index.read_index_xml)


# ---- fuzz: a complete result or a named error

FILES = [
    (TABLES, pcs_tables.read_tables_xml),
    (DEFINITIONS, pcs_tables.read_definitions_xml),
    (INDEX, pcs_index.read_index_xml),
]


@pytest.mark.parametrize(("text", "reader"), FILES)
@given(data=st.data())
def test_a_cut_or_soiled_file(
    tmp_path_factory: pytest.TempPathFactory, text: str, reader: Callable[[Path], Any], data: st.DataObject
) -> None:
    raw = text.encode()
    at = data.draw(st.integers(0, len(raw)))
    junk = data.draw(st.binary(max_size=6))
    tmp_path = tmp_path_factory.mktemp("pcs")
    whole = read(tmp_path, text, reader)
    try:
        found = read(tmp_path, raw[:at] + junk + raw[at + data.draw(st.integers(0, 40)) :], reader)
    except CodeFileError:
        return
    if isinstance(found, pcs_tables.PcsTables):  # a changed letter of a label can be seen by nobody
        assert len(found) == len(whole) or len(found.tables) == 1
    cut = raw[:at]
    if at < len(raw):
        with pytest.raises(CodeFileError):
            read(tmp_path, cut, reader)


@pytest.mark.parametrize(("text", "reader"), FILES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_wrong_encodings(tmp_path: Path, text: str, reader: Callable[[Path], Any], encoding: str) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(text.encode(encoding))
    try:
        found = reader(path)
    except CodeFileError:
        assert encoding != "utf-16", "XML is read in UTF-16 too"
        return
    whole = read(tmp_path, text, reader)
    assert list(found.codes()) == list(whole.codes()) if text is TABLES else found == whole


@pytest.mark.parametrize("name", ["tables", "definitions", "index"])
@pytest.mark.parametrize("share", [0.001, 0.37, 0.99999])
def test_cut_official_files(DATA: Path, tmp_path: Path, name: str, share: float) -> None:
    data = (DATA / "official" / "icd10pcs" / f"icd10pcs_{name}_2025.xml").read_bytes()
    reader = dict(zip(("tables", "definitions", "index"), (r for _, r in FILES), strict=True))[name]
    with pytest.raises(CodeFileError):
        read(tmp_path, data[: int(share * len(data))], reader)
    others = [r for _, r in FILES if r is not reader]
    for other in others:
        with pytest.raises(CodeFileError, match="is no ICD-10-PCS"):
            read(tmp_path, data, other)
