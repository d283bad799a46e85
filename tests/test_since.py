"""A run that goes on from another gives the bytes of one that codes all, and ranks only what may differ."""

from __future__ import annotations

import csv
import json
import pickle
from mmap import mmap
from pathlib import Path
from typing import Any

import pytest

from codesuggest.batch import run_batch
from codesuggest.errors import BatchError, OptionError
from codesuggest.since import Results, Since, loading
from codesuggest.suggester import CodeSuggester

BEFORE, AFTER = "2026-06-01", "2026-10-02"  #: I42.0 and M72.2 became headers on 2026-10-01
NOTES = sorted((Path(__file__).parent.parent / "corpora" / "notes").glob("*_01.txt"))[:40]
CHANGED = {
    "heel": "Assessment: plantar fasciitis.",
    "heart": "ASSESSMENT\n1. Dilated cardiomyopathy\n2. Hypertension",
    "bladder": "Assessment: acute cystitis without hematuria.",
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows: list[dict[str, Any]] = [{"id": n.stem, "text": n.read_text(encoding="utf-8")} for n in NOTES]
    rows += [{"id": id, "text": text} for id, text in CHANGED.items()]
    rows += [{"id": "own day", "text": CHANGED["heel"], "service_date": BEFORE}, {"id": "bad", "text": None}]
    path = tmp_path_factory.mktemp("since") / "notes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(notes: Path, out: Path, day: str, **how: Any) -> Any:
    return run_batch([notes], out, options={"service_date": day, "systems": ["icd10cm", "icd10pcs", "hcpcs"]}, **how)


@pytest.fixture(scope="module")
def before(notes: Path) -> Path:
    """The run that the others go on from."""
    run(notes, notes.parent / "before.jsonl", BEFORE)
    return notes.parent / "before.jsonl"


@pytest.fixture(scope="module")
def whole(notes: Path) -> bytes:
    """What they must give."""
    run(notes, notes.parent / "whole.jsonl", AFTER)
    return (notes.parent / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_bytes_are_those_of_a_whole_run(jobs: int, notes: Path, before: Path, whole: bytes, tmp_path: Path) -> None:
    summary = run(notes, tmp_path / "after.jsonl", AFTER, since=before, jobs=jobs)
    assert (tmp_path / "after.jsonl").read_bytes() == whole

    with (tmp_path / "after.jsonl.changes.csv").open(newline="") as handle:
        changes = list(csv.DictReader(handle))
    assert summary.changed == len({row["id"] for row in changes})
    heel = [row for row in changes if row["id"] == "heel"]
    assert [row["old_code"] for row in heel if row["old_code"]] == ["M72.2"]
    assert heel[0]["why"] == f"M72.2 is not valid on {AFTER}"
    assert not [row for row in changes if row["id"] in ("bladder", "own day", "bad")]


def test_only_what_may_differ_is_ranked(
    starter: CodeSuggester, notes: Path, before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = Since(starter, Results(before))
    ranked = []
    monkeypatch.setattr(starter, "suggest", lambda note, *, id, **_: ranked.append(id))
    options: dict[str, Any] = {"service_date": AFTER, "systems": ["icd10cm", "icd10pcs", "hcpcs"]}
    for row in map(json.loads, notes.read_text().splitlines()):
        if isinstance(row["text"], str) and row["id"] != "own day":
            since.suggest(row["text"], id=row["id"], **options)
    assert {"heel", "heart"} <= set(ranked)
    assert "bladder" not in ranked and len(ranked) < len(NOTES)
    # a note that was edited since, one that nobody coded, and one coded by other options are no others' results
    ranked.clear()
    since.suggest("Seen today. " + CHANGED["bladder"], id="bladder", **options)
    since.suggest(CHANGED["bladder"], id="new", **options)
    since.suggest(CHANGED["bladder"], id="bladder", **{**options, "setting": "inpatient"})
    assert ranked == ["bladder", "new", "bladder"]


def test_processes_map_the_index_and_read_no_old_result_for_it(before: Path) -> None:
    ids = [json.loads(line)["id"] for line in before.read_text().splitlines()]
    read = Results(before)
    with loading(before) as load:
        folder = load.args[1]  # type: ignore[attr-defined]
        assert len(pickle.dumps(load)) < 1000  # travels with every chunk of documents
        mapped = Results(before, folder)
        assert mapped._handle.tell() == 0 and isinstance(mapped._keys.base, mmap)
        assert sum(f.stat().st_size - 128 for f in folder.iterdir()) == 16 * len(ids)
        for id in [*ids, "of nobody"]:
            assert mapped.get(id) == read.get(id)
        assert [mapped.get(id)["id"] for id in ids] == ids  # type: ignore[index]
    assert not folder.exists()


def test_no_results_are_an_empty_index(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    with loading(tmp_path / "none.jsonl") as load:
        assert load.args[1].is_dir()  # type: ignore[attr-defined]
        assert Results(tmp_path / "none.jsonl", load.args[1]).get("a") is None  # type: ignore[attr-defined]


def test_a_list_of_changes_that_cannot_be_written_leaves_a_run_that_goes_on(
    notes: Path, before: Path, tmp_path: Path
) -> None:
    out, listed = tmp_path / "after.jsonl", tmp_path / "after.jsonl.changes.csv"
    listed.mkdir()  # in the way
    with pytest.raises(BatchError, match=r"changes\.csv: cannot be written .* --resume"):
        run(notes, out, AFTER, since=before)
    assert not out.exists()
    listed.rmdir()
    summary = run(notes, out, AFTER, since=before, resume=True)
    assert summary.resumed == summary.documents and summary.changed and listed.is_file() and out.is_file()


def test_what_is_no_earlier_run_is_refused(notes: Path, tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="line 1: is no record"):
        run(notes, tmp_path / "o.jsonl", AFTER, since=notes)
    with pytest.raises(BatchError, match="cannot be read"):
        run(notes, tmp_path / "o.jsonl", AFTER, since=tmp_path / "absent.jsonl")
    with pytest.raises(BatchError, match="JSON lines"):
        run(notes, tmp_path / "o.csv", AFTER, since=notes)
    with pytest.raises(OptionError, match="since"):
        run(notes, tmp_path / "o.jsonl", AFTER, since=notes, engine="spark")
    assert not (tmp_path / "o.jsonl").exists()
