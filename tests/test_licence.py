"""What may not be passed on is marked, kept out of the folders that ship, and never built into a package.

The CPT codes here are none (00001, 0000F), nor is D0000; their words are invented.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from codesuggest import suggester
from codesuggest.coded import CodedDocument
from codesuggest.codes import licence
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.errors import OptionError
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

ROOT = Path(__file__).resolve().parents[1]


def system(name: str, *codes: str) -> CodeSystem:
    rows = [CodeRow(code, f"Wing repair {i}", True, "") for i, code in enumerate(codes)]
    return CodeSystem.from_rows(rows, name=name, release="2026-01-01")


@pytest.fixture(scope="module")
def licensed(tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument]) -> CodeSuggester:
    systems = [tiny_system, system("cpt", "00001", "0000F")]
    return train(tiny_documents, systems=systems, min_groups=1, about={"redistributable": True}, name="with-cpt")


@pytest.mark.parametrize(
    ("name", "codes", "owner"),
    [
        ("cpt", ["Z9"], "American Medical Association"),
        ("cpt_2026", ["00001"], "American Medical Association"),
        ("hcpcs", ["Z0001", "00001"], "American Medical Association"),  # read with numeric=True
        ("superbill", ["0000F", "LAB-7"], "superbill holds codes of CPT's shape"),
        ("hcpcs", ["Z0001", "D0000"], "American Dental Association"),
        ("hcpcs", ["Z0001", "Z0002"], None),
        ("hcpcs_modifiers", ["ZL", "Z9"], None),
        ("icd9cm", ["25000"], None),
        ("icd10pcs", ["0000000"], None),
        ("opcs4", ["A01.1", "Z94.3"], None),
        ("superbill", ["1234", "123456", "0000Z"], None),
    ],
)
def test_which_systems_are_restricted(name: str, codes: list[str], owner: str | None) -> None:
    why = licence.why_restricted(system(name, *codes))
    assert (owner in why) if owner else why == ""


def test_a_model_with_cpt_says_so(licensed: CodeSuggester, tiny: CodeSuggester, tmp_path: Path) -> None:
    licensed.save(tmp_path / "mine")
    manifest = json.loads((tmp_path / "mine" / "manifest.json").read_text())
    assert manifest["redistributable"] is False, "whatever the caller said"
    assert "American Medical Association" in manifest["not_redistributable"][0]
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "Not redistributable" in card.split("\n\n")[1] and "American Medical Association" in card
    again = CodeSuggester.load(tmp_path / "mine")
    assert again.about["redistributable"] is False
    assert [s.system for s in again.suggest("Wing repair 1", systems=["cpt"]).suggestions] != []
    assert "redistributable" not in tiny.about and "edistributable" not in tiny._card()


def checkout(root: Path) -> Path:
    for name in ("models/starter", "codesuggest", "corpora/notes", "notebooks", "tests"):
        (root / name).mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.mark.parametrize(
    "place", ["models/mine", "models/starter", "models", "models/a/b", "codesuggest/models/x", "corpora/x", "tests/x",
              "notebooks/../models/x", "link/x"],
)  # fmt: skip
def test_it_is_not_saved_where_it_would_ship(licensed: CodeSuggester, tmp_path: Path, place: str) -> None:
    root = checkout(tmp_path / "clone")
    (root / "link").symlink_to(root / "models", target_is_directory=True)
    before = sorted(p for p in root.rglob("*"))
    with pytest.raises(OptionError, match=r"not redistributable.*outside of the checkout.*American Medical"):
        licensed.save(root / place)
    assert sorted(p for p in root.rglob("*")) == before


def test_it_is_saved_anywhere_else(licensed: CodeSuggester, tiny: CodeSuggester, tmp_path: Path) -> None:
    root = checkout(tmp_path / "clone")
    other = tmp_path / "other"
    (other / "models").mkdir(parents=True)
    (other / "pyproject.toml").write_text('[project]\nname = "clinic"\n')
    licensed.save(other / "models" / "mine")
    licensed.save(tmp_path / "models" / "mine")
    tiny.save(root / "models" / "tiny")
    assert all(
        (p / "manifest.json").is_file() for p in (other / "models/mine", tmp_path / "models/mine", root / "models/tiny")
    )


def test_it_is_not_saved_over_the_shipped_model(
    licensed: CodeSuggester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="not redistributable"):
        licensed.save(ROOT / "models" / "never-written")
    assert not (ROOT / "models" / "never-written").exists()
    installed = tmp_path / "site-packages" / "codesuggest" / "models" / "starter"
    installed.mkdir(parents=True)
    monkeypatch.setattr(suggester, "starter_path", lambda: installed)
    for place in (installed, installed.parent / "mine"):
        with pytest.raises(OptionError, match="not redistributable"):
            licensed.save(place)


def test_any_model_may_say_that_it_is_not_to_be_passed_on(tiny: CodeSuggester, tmp_path: Path) -> None:
    model = CodeSuggester(
        list(tiny.engines.values()),
        tiny.vocabulary,
        {},
        name="t",
        about={"redistributable": False, "made_from": ["WHO"]},
    )
    with pytest.raises(OptionError, match="its manifest says so"):
        model.save(checkout(tmp_path / "clone") / "models" / "x")


# ---- the build hook


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "models" / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOOD: dict[str, Any] = {"redistributable": True, "systems": [{"system": "icd10cm"}], "files": {"icd10cm/x.npy": {}}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"redistributable": False, "not_redistributable": ["the WHO's text"]}, "the WHO's text"),
        ({"redistributable": None}, "does not say"),
        ({"redistributable": "yes"}, "does not say"),
        ({"systems": [{"system": "icd10cm"}, {"system": "cpt"}]}, "holds cpt"),
        ({"systems": None, "files": {"CPT_mine/codes/codes.npy": {}}}, "holds CPT_mine"),
        ({"files": None}, "no manifest"),
    ],
)
def test_what_the_hook_refuses(hook: ModuleType, change: dict[str, Any], says: str) -> None:
    found = hook.problem_of(json.dumps({**GOOD, **change}).encode(), shipped=True)
    assert (says in found) if says else found == ""


def test_other_manifests_than_a_model_are_none_of_its_business(hook: ModuleType) -> None:
    assert hook.problem_of(b'{"name": "a web page"}', shipped=False) == ""
    assert hook.problem_of(b"\xff", shipped=False) == "" and hook.problem_of(b"\xff", shipped=True) != ""
    assert hook.problem_of(json.dumps({**GOOD, "redistributable": None}).encode(), shipped=False) == ""


def test_hook_and_library_know_the_same_folders(hook: ModuleType) -> None:
    assert hook.SHIPPED == licence._SHIPPED
    assert hook.problem_of((ROOT / "models" / "starter" / "manifest.json").read_bytes(), shipped=True) == ""


def test_an_editable_install_is_let_be(hook: ModuleType, tmp_path: Path) -> None:
    build = hook.RedistributableOnly(str(tmp_path), {}, None, None, str(tmp_path), "wheel").initialize
    build("editable", {})
    with pytest.raises(RuntimeError, match="is missing"):
        build("standard", {})


@pytest.mark.parametrize("builder", [WheelBuilder, SdistBuilder])
def test_no_package_is_built_around_a_licensed_model(builder: Any, licensed: CodeSuggester, tmp_path: Path) -> None:
    root = checkout(tmp_path / "clone")
    for name in ("README.md", "LICENSE", "NOTICE", "models/hatch_build.py", "codesuggest/__init__.py"):
        shutil.copy(ROOT / name, root / name)
    manifest = root / "models" / "starter" / "manifest.json"

    def build() -> list[str]:
        return list(builder(str(root)).build(directory=str(tmp_path / "out"), versions=["standard"]))

    with pytest.raises(RuntimeError, match="is missing"):
        build()
    manifest.write_text(json.dumps(GOOD))
    assert len(build()) == 1
    licensed.save(tmp_path / "mine")
    shutil.copytree(tmp_path / "mine", root / "models" / "mine")
    with pytest.raises(RuntimeError, match=r"models.mine.manifest\.json: the model is not redistributable \(CPT codes"):
        build()
    shutil.rmtree(root / "models" / "starter")
    shutil.move(root / "models" / "mine", root / "models" / "starter")
    with pytest.raises(RuntimeError, match=r"starter.manifest\.json: the model is not redistributable"):
        build()
