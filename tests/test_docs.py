"""The README is run: its Python blocks in order, as one session; its commands name files that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.M | re.S)


def test_python_blocks_run_in_order(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    found = blocks("python")
    assert len(found) >= 3
    space: dict[str, object] = {}
    for block in found:
        exec(compile(block, "README.md", "exec"), space)
    assert "M25.562" in capsys.readouterr().out


def test_commands_name_files_of_the_checkout() -> None:
    shell = "\n".join(blocks("sh"))
    assert shell.count("pip install") == 2, "each of the two commands is enough by itself"
    for name in re.findall(r"corpora/\S+", shell):
        assert (ROOT / name).is_file(), name


def test_the_shown_output_is_of_the_shipped_model() -> None:
    """A rebuilt model must be shown again: the name in the README's output is that of the shipped one."""
    from codesuggest import CodeSuggester

    (shown,) = [b for b in blocks("text") if "Withheld" in b]
    assert CodeSuggester.load().name in shown


def test_files_the_readme_names_exist() -> None:
    for name in re.findall(r"`((?:models|corpora|notebooks|tests)/[\w./]+)`", README):
        assert (ROOT / name).exists(), name


def test_sources_are_complete_and_match_the_build_packages() -> None:
    sources = tomllib.loads((ROOT / "corpora" / "sources.toml").read_text(encoding="utf-8"))["source"]
    for source in sources:
        assert {"name", "from", "licence", "redistributable", "in"} <= set(source), source.get("name")
    from codesuggest.codes.packages import SOURCES

    for package, (version, file) in SOURCES.items():
        (row,) = [s for s in sources if s["from"] == f"PyPI {package.partition(':')[0]} {version}, {file}"]
        assert re.fullmatch(r"[0-9a-f]{64}", row["sha256"])


def test_sources_have_the_hashes_of_the_installed_packages() -> None:
    pytest.importorskip("lmdb")
    from codesuggest.codes.packages import SOURCES
    from codesuggest.codes.packages import sources as installed

    text = (ROOT / "corpora" / "sources.toml").read_text(encoding="utf-8")
    for row in installed(*SOURCES):
        assert row["sha256"] in text, row["package"]
