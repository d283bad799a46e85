"""The scripts of tests/speed that judge a run: what they count, and what they say of systems that are not installed."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

SPEED = Path(__file__).parent / "speed"


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SPEED))
    return __import__(name)


def written(path: Path, ids: list[int], **other: str) -> Path:
    """Records of documents whose texts repeat after three."""
    rows = [{"schema": 1, "id": f"d{i:07d}", "code": other.get(f"d{i}", f"of text {i % 3}")} for i in ids]
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    return path


def test_lost_doubled_and_unlike_records_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scale = script("scale", monkeypatch)
    whole, each = scale.examined(written(tmp_path / "a.jsonl", list(range(9))), 9, 3)
    assert (whole["lost"], whole["doubled"], whole["unlike"]) == (0, 0, 0) and len(set(each.tolist())) == 9
    found, other = scale.examined(written(tmp_path / "b.jsonl", [0, 1, 1, 2, 4, 5, 6, 7, 8], d7="another"), 9, 3)
    assert (found["lost"], found["doubled"], found["unlike"]) == (1, 1, 1)
    assert [i for i in range(9) if each[i] != other[i]] == [3, 7] and found["sha256"] != whole["sha256"]
    parts = tmp_path / "c.jsonl"  # as Spark writes: in any order
    parts.mkdir()
    written(parts / "part-0", [5, 4, 3, 8]), written(parts / "part-1", [0, 2, 1, 7, 6])
    spread, same = scale.examined(parts, 9, 3)
    assert (spread["lost"], spread["doubled"], spread["unlike"]) == (0, 0, 0) and same.tolist() == each.tolist()


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("benchmark", monkeypatch)
    monkeypatch.setitem(benchmark.NEEDS, "minilm", ("numpy", "no-such-package-of-ours"))
    assert benchmark.lacking("minilm") == ["no-such-package-of-ours"]
    assert benchmark.lacking("codesuggest, all systems") == []
    assert set(benchmark.NEEDS) | set(benchmark.OURS) >= set(benchmark.SYSTEMS)


def test_a_sample_is_spread_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    spread = script("benchmark", monkeypatch).spread
    assert spread("abcdefgh", 4) == ["a", "c", "e", "g"] and spread("abc", 5) == ["a", "b", "c"]
