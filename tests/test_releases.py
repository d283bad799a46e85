"""Releases kept on this machine: told apart, added whole or not at all, opened, removed; what each reader's file becomes."""

from __future__ import annotations

import errno
import importlib
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codesuggest import store
from codesuggest.cli import main
from codesuggest.codes import releases
from codesuggest.codes.edits import Edits
from codesuggest.codes.packages import find
from codesuggest.codes.releases import Kept, add, kept, merged, open_kept, reader_of, release_of, remove
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError, OptionError, ReleaseError

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(releases.HOME, str(tmp_path / "home"))
    return tmp_path / "home"


def order(path: Path, codes: str = "Q10 Q101 Q102", title: str = "Ossicle wobble") -> Path:
    """An order file of invented codes; those of three characters are headers."""
    lines = [
        f"{n:05} {code:7} {int(len(code) > 3)} {title[:60]:60} {title} {code}\n"
        for n, code in enumerate(codes.split(), 1)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return path


def table(path: Path, rows: str = "code\ttitle\nA1\tSpanner\nA2\tWrench\n") -> Path:
    path.write_text(rows)
    return path


# ---- the registry


@pytest.mark.parametrize("row", releases.kinds(), ids=lambda row: f"{row['kind']} {row['reader']}")
def test_every_row_names_a_reader_that_is_there(row: Any) -> None:
    assert row["keeps"] in ("codes", "arrays", "file") and row["year"] in ("fiscal", "calendar")
    re.compile(row["looks_like"]), re.compile(row["part"])
    if row["kind"] == "*":
        return
    module, _, name = row["reader"].rpartition(".")
    reader = getattr(importlib.import_module(f"codesuggest.codes.readers.{module}"), name)
    assert next(iter(inspect.signature(reader).parameters)) == "path"
    gives = str(inspect.signature(reader).return_annotation)
    assert (gives == "CodeSystem") is (row["keeps"] == "codes")


def test_every_reader_has_a_row() -> None:
    """Of the functions that read a published file all but those that others here are made of."""
    inner = {"read_bytes", "read_order_lines", "read_rows", "read_order_addenda"}
    there = set()
    for path in (ROOT / "codesuggest/codes/readers").glob("*.py"):
        found = re.findall(r"^def (read_\w+)", path.read_text(encoding="utf-8"), re.M)
        there |= {f"{path.stem}.{name}" for name in found if name not in inner}
    assert there - {row["reader"] for row in releases.kinds()} == set()


#: What is added as which kind, and what it is then.
OFFICIAL = """
icd10cm icd10cm/cms_2025_dx.zip icd10cm cm.read_order_file 2024-10-01
icd10cm icd10cm/cms_2026_dx.zip icd10cm cm.read_order_file 2025-10-01
icd10cm icd10cm/ICD10CM_2025_Index.csv icd10cm-index cm_index.read_index_csv 2024-10-01
icd10cm icd10cm/icd10cm-neoplasm-April-1-2026-XML.xml icd10cm-neoplasm cm_tables.read_neoplasm_xml 2026-04-01
icd10cm icd10cm/icd10cm-drug-April-1-2026-XML.xml icd10cm-drug cm_tables.read_drug_xml 2026-04-01
icd10cm icd10cm/icd10cm-eindex-April-1-2026-XML.xml icd10cm-external cm_tables.read_external_cause_xml 2026-04-01
icd10cm icd10cm/POAexemptCodesFY26.zip icd10cm-poa cm_tables.read_poa_exempt 2025-10-01
icd10cm-poa icd10cm/POAexemptCodesFY26.zip icd10cm-poa cm_tables.read_poa_exempt 2025-10-01
icd10cm icd10cm/ICD-10-CM-CONVERSION-TABLE-FY2026.xlsx icd10cm-conversion cm_changes.read_conversion 2025-10-01
icd10pcs icd10pcs/cms_2026_pr.zip icd10pcs pcs.read_order_file 2025-10-01
icd10pcs icd10pcs/icd10pcs_tables_2025.xml icd10pcs-tables pcs_tables.read_tables_xml 2024-10-01
icd10pcs icd10pcs/icd10pcs_index_2025.xml icd10pcs-index pcs_index.read_index_xml 2024-10-01
icd10pcs icd10pcs/icd10pcs_definitions_2025.xml icd10pcs-definitions pcs_tables.read_definitions_xml 2024-10-01
hcpcs hcpcs/2019-Alpha-Numeric-HCPCS-File.zip hcpcs hcpcs.read_hcpcs 2019-01-01
hcpcs hcpcs/HCPC2025_OCT_hcpc_short_briggsprashar.csv hcpcs hcpcs.read_hcpcs 2025-10-01
hcpcs_modifiers hcpcs/HCPC2025_OCT_hcpc_short_briggsprashar.csv hcpcs_modifiers hcpcs.read_modifiers 2025-10-01
icd9cm icd9/cms_v32.zip icd9cm icd9.read_titles 2014-10-01
icd9pcs icd9/cms_v32.zip icd9pcs icd9.read_titles 2014-10-01
gems icd9/Dxgem_2018.zip gems icd9.read_gems 2017-10-01
"""


@pytest.mark.parametrize(
    ("kind", "file", "is_kind", "reader", "release"), [line.split() for line in OFFICIAL.strip().splitlines()]
)
def test_the_official_files_are_told_and_kept(
    DATA: Path, kind: str, file: str, is_kind: str, reader: str, release: str
) -> None:
    path = DATA / "official" / file
    row = reader_of(kind, path)
    assert (row["kind"], row["reader"], release_of(row, path)) == (is_kind, reader, release)
    made = add(kind, path)
    assert (made.kind, made.release, made.file) == (is_kind, release, path.name)
    there = open_kept(is_kind)
    direct = releases.read(row, is_kind, path, release)
    if isinstance(direct, CodeSystem):
        assert there.sha256 == direct.sha256 and there.source[0]["sha256"] == made.sha256
    elif isinstance(direct, tuple):
        assert there == direct


@pytest.mark.parametrize(
    ("kind", "name", "release"),
    [
        ("icd10cm", "2026-code-descriptions-tabular-order.zip", "2025-10-01"),
        ("icd10cm", "april-1-2026-code-descriptions-tabular-order.zip", "2026-04-01"),
        ("icd10cm", "icd10cm_order_2027.txt", "2026-10-01"),
        ("icd10cm", "icd10cm-FY27-order.txt", "2026-10-01"),
        ("hcpcs", "HCPC2026_OCT_ANWEB_09232026.txt", "2026-10-01"),
        ("hcpcs", "january-2026-alpha-numeric-hcpcs-file.zip", "2026-01-01"),
        ("hcpcs", "hcpcs_2026Q3.csv", "2026-07-01"),
        ("ncci-ptp", "ccipra-v321r0-f1.zip", "2026-04-01"),
        ("ncci-mue", "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv", "2026-07-01"),
        ("mce", "mce_v43.json", "2025-10-01"),
        ("icd9cm", "CMS32_DESC_LONG_DX.txt", "2014-10-01"),
        ("icd10who", "icd102019en.xml", "2019-01-01"),
    ],
)
def test_which_release_a_name_says(tmp_path: Path, kind: str, name: str, release: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"?")
    row = next(row for row in releases.kinds() if row["kind"] == kind)
    if kind == "icd10who":  # a number in a longer one is no year
        with pytest.raises(OptionError, match="--release"):
            release_of(row, path)
        return
    assert release_of(row, path) == release


def test_names_in_a_zip_count(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "codes.zip", "w") as archive:
        archive.writestr("x/icd10cm_order_2026.txt", order(tmp_path / "o.txt").read_text())
    made = add("icd10cm", tmp_path / "codes.zip")
    assert (made.release, made.day, made.size) == ("2025-10-01", 20251001, 3)


@pytest.mark.parametrize(
    ("said", "release"),
    [("2026", "2025-10-01"), ("FY2026", "2025-10-01"), ("fy26", "2025-10-01"), ("2026-04-01", "2026-04-01"), ("mine", "mine")],
)  # fmt: skip
def test_what_a_user_calls_a_release(tmp_path: Path, said: str, release: str) -> None:
    assert add("icd10cm", order(tmp_path / "codes_order_2030.txt"), said).release == release


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "x" * 60, "2026-13-99/.."])
def test_names_that_leave_the_folder(tmp_path: Path, name: str, home: Path) -> None:
    with pytest.raises(OptionError):
        add("icd10cm", order(tmp_path / "codes_order_2030.txt"), name)
    with pytest.raises(OptionError):
        add(name or "..", table(tmp_path / "t.tsv"), "1")
    assert not home.exists()


def test_a_file_that_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "notes_2026.txt").write_text("Dear diary")
    with pytest.raises(CodeFileError, match=r"none of the files known for icd10cm: order file; Tabular List"):
        add("icd10cm", tmp_path / "notes_2026.txt")
    with pytest.raises(CodeFileError, match="cannot be read"):
        add("icd10cm", tmp_path / "absent.zip")
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(CodeFileError, match="cannot be read"):
        add("icd10cm", tmp_path / "x.zip")


# ---- keeping


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    made = add("tools", table(tmp_path / "tools.tsv"), "2026-01-01")
    assert (made.kind, made.system, made.release, made.size, made.part) == ("tools", "tools", "2026-01-01", 2, "")
    system = open_kept("tools")
    assert system.name == "tools" and system["A1"].title == "Spanner" and system.release == "2026-01-01"
    with pytest.raises(OptionError, match="--release"):
        add("tools", table(tmp_path / "tools.tsv"))
    add("icd10cm", table(tmp_path / "own.csv", "code,title\nQ10,Gout\n"), "2027")
    assert open_kept("icd10cm")["Q10"].title == "Gout", "a known system as a table of one's own"


def test_side_by_side_and_merged(tmp_path: Path) -> None:
    for year, codes in ((2026, "Q10 Q101 Q102"), (2025, "Q10 Q101"), (2027, "Q10 Q102")):
        add("icd10cm", order(tmp_path / f"icd10cm_order_{year}.txt", codes))
    assert [k.release for k in kept()] == ["2024-10-01", "2025-10-01", "2026-10-01"]
    both = merged("icd10cm")
    assert both is not None and both.release == "2026-10-01" and len(both.releases) == 3
    assert both["Q10.2"].valid_from == 20251001 and both["Q10.1"].valid_to == 20260930
    assert merged("icd10pcs") is None
    remove("icd10cm", "2025-10-01")
    again = merged("icd10cm")
    assert again is not None and again["Q10.2"].valid_from == 20261001
    with pytest.raises(ReleaseError, match="no release 2025-10-01"):
        remove("icd10cm", "2025-10-01")


def test_order_file_and_tabular_of_one_release(tmp_path: Path) -> None:
    xml = (
        "<ICD10CM.tabular><version>2026</version><chapter><name>1</name><desc>Ears</desc><section id='Q10-Q10'>"
        "<desc>Ears</desc><diag><name>Q10</name><desc>Ossicle wobble Q10</desc><diag><name>Q10.1</name>"
        "<desc>Ossicle wobble Q101</desc><excludes1><note>gout (Q11)</note></excludes1><inclusionTerm><note>Rattle"
        "</note></inclusionTerm></diag></diag></section></chapter></ICD10CM.tabular>"
    )
    (tmp_path / "icd10cm_tabular_2026.xml").write_text(xml)
    for first, second in (("tabular", "order"), ("order", "tabular")):
        for which in (first, second):
            path = tmp_path / "icd10cm_tabular_2026.xml"
            add("icd10cm", path if which == "tabular" else order(tmp_path / "icd10cm_order_2026.txt"))
        assert [k.part for k in kept("icd10cm")] == ["", "tabular"]
        system = open_kept("icd10cm")
        assert "Q10.2" not in system, "the tabular, which says more, says which codes there are"
        assert system["Q10.1"].terms == (("inclusion", "Rattle"),) and system["Q10.1"].excludes1
        remove("icd10cm", "2025-10-01")
        assert kept() == []


def test_a_newer_file_takes_the_place(tmp_path: Path) -> None:
    add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
    first = kept()[0]
    add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt", "Q10 Q101"))
    (second,) = kept()
    assert (first.size, second.size) == (3, 2) and first.sha256 != second.sha256


def test_the_same_file_gives_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for name in ("one", "two"):
        monkeypatch.setenv(releases.HOME, str(tmp_path / name))
        made = add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
        digests.append(store.open_folder(made.path, kind=releases.FOLDER_KIND).digest)
    assert digests[0] == digests[1]


def test_nothing_is_kept() -> None:
    assert kept() == [] and merged("icd10cm") is None
    with pytest.raises(ReleaseError, match=r"kept: none.*codes add icd10cm FILE"):
        open_kept("icd10cm")


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert releases.home() == Path(os.environ[releases.HOME])
    monkeypatch.delenv(releases.HOME)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for platform, end in (
        ("linux", "xdg/codesuggest"),
        ("win32", "local/codesuggest"),
        ("darwin", "Application Support/codesuggest"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert releases.home().as_posix().endswith(end)


# ---- what goes wrong


def test_a_refused_file_leaves_what_was_kept(tmp_path: Path) -> None:
    add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
    bad = order(tmp_path / "icd10cm_order_2026.txt", "Q10 Q101 Q101")
    with pytest.raises(CodeFileError, match="twice"):
        add("icd10cm", bad)
    assert open_kept("icd10cm", "2025-10-01")["Q10.2"].title


def test_a_full_disk(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
    real = Path.write_bytes

    def full(self: Path, data: Any) -> int:
        if self.name == "title_blob.npy":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    for year in (2026, 2027):
        with pytest.raises(ReleaseError, match=rf"No space left.*{releases.HOME} names another folder"):
            add("icd10cm", order(tmp_path / f"icd10cm_order_{year}.txt", "Q10 Q101"))
    monkeypatch.undo()
    monkeypatch.setenv(releases.HOME, str(home))
    assert [(k.release, k.size) for k in kept()] == [("2025-10-01", 3)]
    assert open_kept("icd10cm")["Q10.2"] and [p.name for p in (home / "releases/icd10cm").iterdir()] == ["2025-10-01"]


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(releases.HOME, str(tmp_path / "file"))
    with pytest.raises(ReleaseError, match=r"cannot be kept .*CODESUGGEST_HOME names another folder"):
        add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
    assert kept() == []
    if os.name == "posix" and os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        monkeypatch.setenv(releases.HOME, str(tmp_path / "locked"))
        with pytest.raises(ReleaseError, match="Permission denied"):
            add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))


@pytest.mark.parametrize(
    "how", ["changed", "cut", "added", "removed", "manifest", "no manifest", "foreign", "size lost"]
)
def test_a_damaged_release_is_named(tmp_path: Path, how: str) -> None:
    made = add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
    file, manifest = made.path / "arrays" / "codes.npy", made.path / "manifest.json"
    data = file.read_bytes()
    if how == "changed":
        file.write_bytes(data[:-1] + b"Z")
    elif how == "cut":
        file.write_bytes(data[:-3])
    elif how == "added":
        (made.path / "extra").write_text("")
    elif how == "removed":
        file.unlink()
    elif how == "manifest":
        manifest.write_text("{")
    elif how == "no manifest":
        manifest.unlink()
    elif how == "foreign":
        manifest.write_text(manifest.read_text().replace(releases.FOLDER_KIND, store.KIND))
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "sha256": None, "size": 3} | {"part": ""}))
        rest = json.loads(manifest.read_text())
        del rest["size"]
        manifest.write_text(json.dumps(rest))
    with pytest.raises(ReleaseError, match=r"2025-10-01.*remove the folder .* and add the file again"):
        open_kept("icd10cm", "2025-10-01")


def test_a_release_is_no_model_and_a_model_no_release(tmp_path: Path, tiny_folder: Path, home: Path) -> None:
    from codesuggest.errors import ModelFormatError
    from codesuggest.suggester import CodeSuggester

    made = add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
    with pytest.raises(ModelFormatError):
        CodeSuggester.load(made.path)
    shutil.copytree(tiny_folder, home / "releases/icd10cm/2026-10-01")
    with pytest.raises(ReleaseError, match="2026-10-01"):
        kept()


_KILLED = """
import os, signal, sys
from pathlib import Path
from codesuggest.codes import releases
stop = int(sys.argv[2])
calls = [0]
def counted(name, real):
    def call(*a, **k):
        calls[0] += 1
        if calls[0] == stop:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*a, **k)
    return call
for name in ("mkdir", "write_bytes", "rename"):
    setattr(Path, name, counted(name, getattr(Path, name)))
releases.add("icd10cm", sys.argv[1])
print(calls[0])
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_killed_at_any_moment_the_old_or_the_new_is_there(tmp_path: Path, home: Path) -> None:
    """Killed before its n-th change of the disk, for some n over the whole run: never half a release."""
    old, new = order(tmp_path / "a/icd10cm_order_2026.txt"), order(tmp_path / "b/icd10cm_order_2026.txt", "Q10 Q101")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), releases.HOME: str(home)}

    def run(stop: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _KILLED, str(new), str(stop)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    add("icd10cm", old)
    whole = int(run(10**6).stdout)
    seen = set()
    for stop in (1, 2, whole // 2, whole - 2, whole - 1, whole):
        add("icd10cm", old)
        assert run(stop).returncode == -signal.SIGKILL
        (there,) = kept()
        seen.add(there.size)
        assert len(open_kept("icd10cm")) == there.size
    assert seen <= {2, 3} and 3 in seen
    add("icd10cm", new)
    assert kept()[0].size == 2


def test_what_dead_processes_left_is_cleared(tmp_path: Path, home: Path) -> None:
    base = home / "releases" / "icd10cm"
    for name in (".2025-10-01.1.new", ".2025-10-01.2.gone", ".2025-10-01.3.new"):
        (base / name).mkdir(parents=True)
        if not name.endswith("3.new"):
            os.utime(base / name, (0, 0))
    add("icd10cm", order(tmp_path / "icd10cm_order_2026.txt"))
    assert sorted(p.name for p in base.iterdir()) == [".2025-10-01.3.new", "2025-10-01"]


# ---- parts, and tables that are no code lists


PAIRS = (
    "CPT only copyright of nobody.\t\t\t\t\t\t\r\nColumn1/Column2 Edits\t\t\t\t\t\t\r\n\t\t*=in existence\t\t\tModifier\t\r\n"
    "\t\tprior to 1996\tEffective\tDeletion\t0=not allowed\t\r\n"
    "Column 1\tColumn 2\t\tDate\tDate *=no data\t1=allowed 9=not applicable\tPTP Edit Rationale\r\n\t\t\t\t\t\t\r\n"
)
UNITS = (
    '"No codes of anybody.",,,\r\n"HCPCS/\nCPT Code",Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale'
    "\r\nZ0001,4,1 Line Edit,Nature of service\r\n"
)


def payer_files(folder: Path) -> None:
    """Invented tables of payers, in the published layouts."""
    for part, first in (("f1", "Z0001"), ("f2", "Z0005")):
        path = folder / f"ccipra-v320r0-{part}.txt"
        path.write_bytes(f"{PAIRS}{first}\tZ0009\t \t20260101\t*\t1\tFalconry\r\n".encode("cp1252"))
        add("ncci-ptp", path)
    units = folder / "MCR_MUE_PractitionerServices_Eff_01-01-2026.csv"
    units.write_bytes(UNITS.encode("cp1252"))
    add("ncci-mue", units)
    for year, codes in ((26, "00001\tQ10.1\tWobble\n"), (27, "00001\tQ10.1\tWobble\n00002\tQ10.2\tWobble\n")):
        exempt = folder / f"POAexemptCodesFY{year}.txt"
        exempt.write_text(f"Order{year}\tPOAexemptCode\tDescription\n{codes}")
        add("icd10cm-poa", exempt)


def test_pairs_in_parts(tmp_path: Path) -> None:
    payer_files(tmp_path)
    assert [(k.release, k.part, k.size) for k in kept("ncci-ptp")] == [("2026-01-01", "f1", 1), ("2026-01-01", "f2", 1)]
    assert [len(part) for part in open_kept("ncci-ptp")] == [1, 1]


def test_payers_tables(tmp_path: Path) -> None:
    assert releases.edits() == Edits()
    payer_files(tmp_path)
    found = releases.edits()
    assert found.mce is None and found.poa_exempt == {"Q101", "Q102"}
    assert found.mue is not None and found.ptp is not None
    limit, pair = found.mue.limit("Z0001"), found.ptp.edit("Z0009", "Z0005", 20260301)
    assert limit is not None and limit.units == 4
    assert pair is not None and (pair.column1, pair.column2, pair.modifier) == ("Z0005", "Z0009", 1)
    assert found.ptp.edit("Z0001", "Z0009", 20260301) and not found.ptp.edit("Z0001", "Z0005", 20260301)
    assert not found.ptp.edit("Z0009", "Z0005", 20251231), "not yet in force"
    for day, exempt in (("2026-09-30", {"Q101"}), ("2026-10-01", {"Q101", "Q102"}), ("2025-09-30", None)):
        assert releases.edits(day).poa_exempt == exempt
    assert releases.edits("2025-12-31").mue is None
    (kept("ncci-mue")[0].path / "manifest.json").write_text("{}")
    with pytest.raises(ReleaseError, match="add the file again"):
        releases.edits()


def test_the_official_payers_tables(DATA: Path) -> None:
    add("icd10cm", DATA / "official/icd10cm/POAexemptCodesFY26.zip")
    add("mce", DATA / "official/rules/mce_edits.json", "2026")
    found = releases.edits("2026-03-02")
    assert found.poa_exempt is not None and len(found.poa_exempt) == 38_349
    assert found.mce is not None and "Z3800" not in found.mce.manifestation and found.mce.manifestation


def test_the_tabular_of_the_package(home: Path) -> None:
    pytest.importorskip("simple_icd_10_cm")
    made = add("icd10cm", find("simple-icd-10-cm"))
    assert isinstance(made, Kept) and (made.release, made.part, made.size) == ("2026-04-01", "tabular", 98_186)
    assert open_kept("icd10cm")["E11.9"].notes("use_additional")


# ---- the commands


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command line, in this process: to start another takes a second each time."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        return Done(int(stop.value.code or 0), *capsys.readouterr())

    return run


def test_the_commands(tmp_path: Path, command: Callable[..., Done]) -> None:
    assert "nothing is kept" in command("codes", "list").stdout
    one = order(tmp_path / "icd10cm_order_2096.txt")
    two = order(tmp_path / "icd10cm_order_2097.txt", "Q10 Q101 Q11", "Wobbly ossicle")
    added = command("codes", "add", "icd10cm", str(one))
    assert added.returncode == 0 and added.stderr.startswith("icd10cm 2095-10-01, 3 codes, read from"), added.stderr
    listed = command("codes", "list").stdout
    assert "icd10cm" in listed and "2095-10-01" in listed and one.name in listed
    changed = command("codes", "diff", "icd10cm", "2096", str(two))
    assert changed.returncode == 0, changed.stderr
    assert (
        "turned header" in changed.stdout and "Q11" in changed.stdout and "(was: Ossicle wobble Q101)" in changed.stdout
    )
    plain = json.loads(command("codes", "diff", "icd10cm", "2095-10-01", str(two), "--json").stdout)
    assert plain["counts"]["added"] == 1 and [e["code"] for e in plain["deleted"]] == ["Q10.2"]
    gone = command("codes", "remove", "icd10cm", "2095-10-01")
    assert gone.returncode == 0 and kept() == []
    for arguments, says in (
        (("codes", "remove", "icd10cm", "2095-10-01"), "error[release]: no release 2095-10-01"),
        (("codes", "diff", "icd10cm", "1999", "2096"), "error[release]: 1999 is no file, and no release"),
        (("codes", "diff", "icd9cm", "2014", "2015"), "error[release]: 2014 is no file"),
        (("codes", "add", "icd10cm", str(tmp_path / "none.zip")), "error[code_file]: "),
        (("codes", "add", "icd10cm", str(one), "--release", "../x"), "error[option]: "),
    ):
        failed = command(*arguments)
        assert failed.returncode == 2 and failed.stderr.startswith(says), failed.stderr


def test_diff_between_official_years(DATA: Path, command: Callable[..., Done]) -> None:
    for year in (2025, 2026):
        add("icd10cm", DATA / f"official/icd10cm/cms_{year}_dx.zip")
    counts = json.loads(command("codes", "diff", "icd10cm", "2025", "2026", "--json").stdout)["counts"]
    assert (counts["added"], counts["deleted"], counts["retitled"], counts["turned_header"]) == (614, 12, 45, 16)
