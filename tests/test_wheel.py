"""The wheel, built from the checkout, installed in a bare environment elsewhere, is asked for a suggestion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTE = "ASSESSMENT\n1. Left knee pain.\n2. Essential hypertension. Denies chest pain.\n"
#: Some must be in the wheel, some must not: the shipped model travels, corpora and tests stay.
LIMIT = 30_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=out)
    (found,) = out.glob("*.whl")
    return found


def test_holds_the_model_and_the_word_lists_and_nothing_else_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        model = sum(i.compress_size for i in archive.infolist() if "/models/starter/" in i.filename)
    assert "codesuggest/models/starter/manifest.json" in names
    assert "codesuggest/pipes/en/cues.tsv" in names
    assert {f"codesuggest/rules/{p.name}" for p in (ROOT / "codesuggest" / "rules").glob("*.tsv")} <= set(names)
    assert {"codesuggest/codes/kinds.tsv", "codesuggest/codes/addresses.tsv"} <= set(names)
    # the invented notes: a rebuilt model is measured on them
    assert "codesuggest/corpora/notes/ed_chest_pain_01.txt" in names
    assert 0 < model <= LIMIT
    assert not [n for n in names if n.split("/")[0] not in ("codesuggest", f"{wheel.name.split('-py3')[0]}.dist-info")]
    assert not [n for n in names if n.endswith((".pkl", ".pickle", ".joblib"))]


def test_suggests_in_a_bare_environment_outside_the_checkout(wheel: Path, tiny_folder: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    bin_ = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CODESUGGEST"))}
    # our own pip, which compiles nothing that is not run: half the time
    pip = [sys.executable, "-m", "pip", "--python", str(bin_ / "python")]
    install = subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", str(wheel)],
        capture_output=True,
        text=True,
        env=environment,
    )
    if install.returncode and "connection" in (install.stdout + install.stderr).lower():
        pytest.skip("no package index within reach")
    assert install.returncode == 0, install.stderr
    note = tmp_path / "note.txt"
    note.write_text(NOTE, encoding="utf-8")
    run = subprocess.run(
        [str(bin_ / "codesuggest"), "suggest", str(note), "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    result = json.loads(run.stdout)
    assert {s["code"] for s in result["suggestions"] if s["suggested"]} >= {"M25.562", "I10"}
    listed = tmp_path / "tools.tsv"
    listed.write_text("code\ttitle\nT1\tGlass hammer\n", encoding="utf-8")
    environment["CODESUGGEST_HOME"] = str(tmp_path / "home")
    for arguments in (
        ["codes", "add", "tools", str(listed), "--release", "2026-01-01"],
        ["model", "rebuild", "--model", str(tiny_folder), "--out", str(tmp_path / "mine")],
    ):
        made = subprocess.run(
            [str(bin_ / "codesuggest"), *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=True,
        )
    assert "tools: release 2026-01-01, 1 codes" in made.stdout and "invented notes" in made.stdout
    component = (
        "import spacy; nlp = spacy.blank('en'); nlp.add_pipe('codesuggest'); "
        "print(len(nlp('Knee pain.')._.codesuggest.suggestions))"
    )
    shown = subprocess.run(
        [str(bin_ / "python"), "-c", component],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert int(shown.stdout) > 0
