"""A batch gives one record a document, in order, in any number of processes, however often it is killed."""

from __future__ import annotations

import csv
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codesuggest import batch, output
from codesuggest.batch import BatchSummary, describe, run_batch, table_rows
from codesuggest.documents import read_documents
from codesuggest.errors import BatchError, CodeSuggestError, InputError, MissingExtraError, NotTextError, OptionError
from codesuggest.records import Evidence, Finding, NoteResult, Suggestion

SECRET = "Quillfeather"  #: stands in every note; may be in no output, unless asked for, and in no error


class Fake:
    """As `CodeSuggester`, in microseconds: a suggestion a word of five letters or more."""

    name = "fake@0123456789ab"

    def suggest(
        self, note: Any, *, id: str = "", limit: int = 50, threshold: float = 0.5, **options: Any
    ) -> NoteResult:
        if not isinstance(note, str):
            raise NotTextError("not a str")
        if options.get("setting", "outpatient") not in ("inpatient", "outpatient"):
            raise OptionError("setting must be inpatient or outpatient")
        if "unforeseen" in note:
            raise KeyError(f"no key {note}")
        if "too much" in note:
            raise InputError("too much of it")
        if "kill me" in note:
            os.kill(os.getpid(), signal.SIGKILL)
        words = list(re.finditer(r"\w{5,}", note))[:limit]
        made = []
        for i, word in enumerate(words):
            seen = Evidence(word.start(), word.end(), "hpi", "affirmed", "term")
            made.append(Suggestion("icd10cm", "2026-04-01", f"Z{i:02}", f"Title, {i}", 1 / (i + 1.5), i < threshold * 4,
                                   0.5, 0.1, {"x": 0.4}, (seen,)))  # fmt: skip
        finding = (Finding("unspecified", "info", "A sentence.", ("Z00",), "I.A"),) if made else ()
        setting, day = options.get("setting", "outpatient"), options.get("service_date", "2026-04-01")
        return NoteResult(self.name, setting, day, None, ("icd10cm",), tuple(made), (), finding, id, note)


def load(path: str | Path | None) -> Fake:
    return Fake()


def write_jsonl(path: Path, texts: list[Any], **more: Any) -> Path:
    rows = [{"id": f"d{i}", "text": t, **more} for i, t in enumerate(texts)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def note(i: int) -> str:
    words = random.Random(i).choices(("cough", "fever", "\U0001fa7a heart", "denies pain", "wheeze\r\n"), k=1 + i % 7)
    return f"{SECRET} {' '.join(words)}"


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def leftovers(out: Path) -> list[str]:
    return sorted(p.name for p in out.parent.iterdir() if p.name.startswith(out.name) and p != out)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """60 lines, of which some are bad in every way."""
    texts: list[Any] = [note(i) for i in range(60)]
    texts[3], texts[17], texts[18], texts[30] = None, f"{SECRET} unforeseen", f"{SECRET} too much", ""
    texts[59] = f"{SECRET} unforeseen"
    return write_jsonl(tmp_path / "notes.jsonl", texts)


def run(inputs: Path | list[Path], out: Path, **how: Any) -> BatchSummary:
    return run_batch([inputs] if isinstance(inputs, Path) else inputs, out, load=load, **how)


# ---- records


def test_every_document_has_one_record_in_order(notes: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "o.jsonl", []
    summary = run(notes, out, progress=lambda *counts: seen.append(counts))
    found = records(out)
    assert [r["id"] for r in found] == [f"d{i}" for i in range(60)]
    assert {r["id"]: r["error"]["code"] for r in found if r["error"]} == {
        "d3": "not_text", "d17": "internal", "d18": "input", "d59": "internal",
    }  # fmt: skip
    assert (summary.documents, summary.errors, summary.resumed, summary.complete) == (60, 4, 0, False)
    assert seen[0] == (0, 0) and seen[-1] == (60, 4) and seen == sorted(seen)
    assert all(r["model"] == Fake.name and r["schema"] == 1 for r in found)
    assert set(found[3]) == {"schema", "id", "model", "suggestions", "withheld", "findings", "cautions", "error"}
    assert leftovers(out) == []


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_no_word_of_a_note_is_in_the_output_unless_asked_for(ending: str, notes: Path, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    run(notes, tmp_path / f"o.{ending}")
    assert SECRET.encode() not in (tmp_path / f"o.{ending}").read_bytes()
    if ending != "parquet":
        run(notes, tmp_path / f"t.{ending}", show_text=True)
        assert SECRET.encode() in (tmp_path / f"t.{ending}").read_bytes()


def test_an_unforeseen_error_is_named_by_type_and_place_only(notes: Path, tmp_path: Path) -> None:
    run(notes, tmp_path / "o.jsonl", show_text=True)
    message = records(tmp_path / "o.jsonl")[17]["error"]["message"]
    assert re.fullmatch(r"KeyError at codesuggest\.recorded:\d+; the other documents are not affected", message)
    assert describe(ValueError(SECRET)) == "ValueError"


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_processes_give_the_same_bytes(ending: str, notes: Path, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    for jobs in (1, 2):
        run(notes, tmp_path / f"{jobs}.{ending}", jobs=jobs, show_text=True)
    assert (tmp_path / f"1.{ending}").read_bytes() == (tmp_path / f"2.{ending}").read_bytes()


def test_what_is_in_flight_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = written = worst = 0
    monkeypatch.setattr(batch, "_CHUNK", 2)

    def counted(*args: Any, **how: Any) -> Iterator[Any]:
        nonlocal drawn
        for document in read_documents(*args, **how):
            drawn += 1
            yield document

    def progress(done: int, errors: int) -> None:
        nonlocal written, worst
        worst, written = max(worst, drawn - written), done

    monkeypatch.setattr(batch, "read_documents", counted)
    run(
        write_jsonl(tmp_path / "n.jsonl", [note(i) for i in range(200)]),
        tmp_path / "o.jsonl",
        jobs=2,
        progress=progress,
    )
    assert drawn == 200 and worst <= 2 * (2 * 2 + 2)


def test_long_documents_travel_in_small_chunks() -> None:
    class Doc:
        def __init__(self, size: int) -> None:
            self.text = "x" * size

    sizes = [len(c) for c in batch._chunks([Doc(10)] * 300 + [Doc(150_000)] * 5, 4)]  # type: ignore[list-item]
    assert sizes[:12] == [2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8] and max(sizes) == 32
    assert sizes[-2:] == [2, 1] and sum(sizes) == 305
    assert [len(c) for c in batch._chunks([Doc(1)] * 11, 1)] == [8, 3]  # type: ignore[list-item]


def test_options_of_a_document_go_before_those_of_the_run(tmp_path: Path) -> None:
    rows = [{"id": 1, "text": "x"}, {"id": 2, "text": "x", "setting": "outpatient", "service_date": "2025-12-01"}]
    path = tmp_path / "n.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    run(path, tmp_path / "o.jsonl", options={"setting": "inpatient"})
    found = records(tmp_path / "o.jsonl")
    assert [(r["setting"], r["service_date"]) for r in found] == [
        ("inpatient", "2026-04-01"),
        ("outpatient", "2025-12-01"),
    ]


def test_limit_and_threshold_reach_the_model(tmp_path: Path) -> None:
    run(write_jsonl(tmp_path / "n.jsonl", ["cough fever heart wheeze"]), tmp_path / "o.jsonl", limit=2, threshold=0.25)
    assert [s["suggested"] for s in records(tmp_path / "o.jsonl")[0]["suggestions"]] == [True, False]


# ---- CSV and Parquet


def test_csv_has_a_row_a_suggestion_and_one_for_what_has_none(notes: Path, tmp_path: Path) -> None:
    run(notes, tmp_path / "o.jsonl")
    run(notes, tmp_path / "o.csv")
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    expected = [row for r in records(tmp_path / "o.jsonl") for row in table_rows(r)]
    assert len(rows) == len(expected) and "text" not in rows[0]
    assert {r["id"] for r in rows} == {f"d{i}" for i in range(60)}
    assert [r["error_code"] for r in rows if r["id"] == "d3"] == ["not_text"]
    assert [(r["code"], r["error_code"]) for r in rows if r["id"] == "d30"] == [("", "")]
    first = rows[0]
    assert (first["code"], first["display"], first["start"], first["evidence"]) == ("Z00", "Title, 0", "0", "0-12")
    assert (first["section"], first["findings"], first["suggested"]) == ("hpi", "unspecified", "True")
    assert float(first["confidence"]) == expected[0]["confidence"]


def test_parquet_has_the_same_rows_with_types(notes: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    run(notes, tmp_path / "o.jsonl")
    run(notes, tmp_path / "o.parquet")
    table = pq.read_table(tmp_path / "o.parquet")
    assert {f.name: str(f.type) for f in table.schema} == {k: v for k, v in batch.COLUMNS.items() if k != "text"}
    expected = [row for r in records(tmp_path / "o.jsonl") for row in table_rows(r)]
    assert table.to_pylist() == [{k: v for k, v in row.items() if k != "text"} for row in expected]


def test_a_lone_surrogate_can_be_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = write_jsonl(tmp_path / "n.jsonl", ["cough\udcffcough"])
    for ending in ("jsonl", "csv", "parquet"):
        assert run(path, tmp_path / f"o.{ending}", show_text=True).errors == 0


# ---- refusing to start


def refused(
    inputs: Path | list[Path], out: Path, says: str, kind: type[CodeSuggestError] = BatchError, **how: Any
) -> None:
    with pytest.raises(kind, match=says):
        run(inputs, out, **how)


def test_what_cannot_end_well_does_not_begin(notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(notes, tmp_path / "o.xlsx", "must end in")
    refused(notes, tmp_path / "no" / "o.jsonl", "no such folder")
    refused(notes, notes, "is an input")
    refused(tmp_path / "gone.jsonl", tmp_path / "o.jsonl", "No such file")
    refused([notes, tmp_path / "gone"], tmp_path / "o.jsonl", "No such file")
    refused(notes, tmp_path / "o.jsonl", "jobs must be", OptionError, jobs=0)
    refused(notes, tmp_path / "o.jsonl", "choose one", resume=True, overwrite=True)
    refused(notes, tmp_path / "o.jsonl", "setting must be", OptionError, options={"setting": "ward"})
    (tmp_path / "d.csv").mkdir()
    refused(notes, tmp_path / "d.csv", "is a folder")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(notes, tmp_path / "o.parquet", r'pip install "codesuggest\[parquet\]"', MissingExtraError)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.csv", "notes.jsonl"]


def test_what_is_there_is_not_lost_by_accident(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    out.write_text("precious")
    refused(notes, out, "--overwrite replaces")
    assert run(notes, out, resume=True) == BatchSummary(out, 0, 0, 0, 0.0, complete=True)
    assert out.read_text() == "precious"
    run(notes, out, overwrite=True)
    assert len(records(out)) == 60
    (tmp_path / "o.jsonl.partial").write_text("half")
    refused(notes, out, "--resume continues")


# ---- interrupted runs


def interrupted(notes: Path, out: Path, after: int, **how: Any) -> None:
    """A run that is stopped, as by Ctrl-C, when so many records are written."""

    def stop(done: int, errors: int) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(notes, out, progress=stop, **how)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_goes_on_and_nothing_is_done_twice(
    jobs: int, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "o.jsonl"
    run(notes, whole)
    interrupted(notes, out, 20, jobs=jobs)
    assert leftovers(out) == ["o.jsonl.partial"] and not out.exists()
    asked: list[str] = []
    real = Fake.suggest

    def suggest(self: Fake, note: Any, *, id: str = "", **options: Any) -> NoteResult:
        asked.append(id)
        return real(self, note, id=id, **options)

    monkeypatch.setattr(Fake, "suggest", suggest)
    summary = run(notes, out, resume=True)
    assert summary.resumed >= 20 and summary.documents == 60 and summary.errors == 4
    assert [i for i in asked if i] == [f"d{i}" for i in range(summary.resumed, 60)]  # "" checks the options
    assert out.read_bytes() == whole.read_bytes() and leftovers(out) == []


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("options", {"options": {"setting": "inpatient"}}, "setting was None, is 'inpatient'"),
    ("limit", {"limit": 5}, "limit was 50, is 5"),
    ("threshold", {"threshold": 0.3}, "threshold was None, is 0.3"),
    ("text", {"show_text": True}, "show_text was False, is True"),
    ("fallback", {"fallback": "cp1252"}, "fallback was None, is 'cp1252'"),
    ("model", {}, "model was 'fake@0123456789ab', is 'other@1'"),
    ("size", {}, r"the input notes.jsonl was 1 files of \d+ bytes, is 1 files of \d+ bytes"),
    ("time", {}, "the input notes.jsonl was changed in between"),
    ("name", {}, "the inputs were notes.jsonl, are other.jsonl"),
    ("more", {}, "the inputs were notes.jsonl, are notes.jsonl, more.jsonl"),
    ("version", {}, "version was '.*', is '99'"),
]


@pytest.mark.parametrize(("what", "how", "says"), CHANGES, ids=[c[0] for c in CHANGES])
def test_another_run_is_not_continued_and_what_differs_is_said(
    what: str, how: dict[str, Any], says: str, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o.jsonl"
    interrupted(notes, out, 5)
    before = (tmp_path / "o.jsonl.partial").read_bytes()
    inputs = [notes]
    if what == "model":
        monkeypatch.setattr(Fake, "name", "other@1")
    elif what == "size":
        with notes.open("a") as handle:
            handle.write('{"text": "x"}\n')
    elif what == "time":
        os.utime(notes, ns=(1, 1))
    elif what == "name":
        inputs = [notes.rename(tmp_path / "other.jsonl")]
    elif what == "more":
        inputs = [notes, write_jsonl(tmp_path / "more.jsonl", ["x"])]
    elif what == "version":
        monkeypatch.setattr(batch, "__version__", "99")
    refused(inputs, out, says, resume=True, **how)
    assert (tmp_path / "o.jsonl.partial").read_bytes() == before
    assert run(inputs, out, overwrite=True, **how).documents >= 60


def test_a_changed_document_is_found_out_even_if_all_looks_the_same(notes: Path, tmp_path: Path) -> None:
    out, stat = tmp_path / "o.jsonl", notes.stat()
    interrupted(notes, out, 5)
    notes.write_bytes(notes.read_bytes().replace(b'"id": "d2"', b'"id": "e2"'))
    os.utime(notes, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    refused(notes, out, "record 3 is of d2, the inputs have e2", resume=True)


@pytest.mark.parametrize(
    ("damage", "resumed"),
    [
        (lambda b: b[:-10], 15),  # the last line is torn
        (lambda b: b + b'{"schema":1,"id":"d16","sugg', 16),
        (lambda b: b + b"\x00" * 4096, 16),  # a block that was never written, after a power cut
        (lambda b: b + b"\x00" * 40 + b"\n", 16),
        (lambda b: b[:40], 0),  # not even the header is whole
        (lambda b: b"", 0),
    ],
)
def test_a_torn_partial_is_cut_where_it_is_whole(
    damage: Callable[[bytes], bytes], resumed: int, notes: Path, tmp_path: Path
) -> None:
    whole, out, partial = tmp_path / "whole.jsonl", tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial"
    run(notes, whole)
    interrupted(notes, out, 10)
    partial.write_bytes(damage(partial.read_bytes()))
    assert run(notes, out, resume=True).resumed == resumed
    assert out.read_bytes() == whole.read_bytes()


def test_a_foreign_partial_is_left_alone(notes: Path, tmp_path: Path) -> None:
    for content in ("something else\n", '{"a": 1}\n', "[]\n"):
        (tmp_path / "o.jsonl.partial").write_text(content)
        refused(notes, tmp_path / "o.jsonl", "not written by this version", resume=True)
        assert (tmp_path / "o.jsonl.partial").read_text() == content


def test_a_moved_input_is_the_same_input(notes: Path, tmp_path: Path) -> None:
    interrupted(notes, tmp_path / "o.jsonl", 10)
    (tmp_path / "sub").mkdir()
    assert run(notes.rename(tmp_path / "sub" / notes.name), tmp_path / "o.jsonl", resume=True, jobs=2).resumed == 16


def test_two_runs_do_not_write_one_file(notes: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    out = tmp_path / "o.jsonl"

    def second(done: int, errors: int) -> None:
        if done == 8:
            refused(notes, out, "another run is writing", resume=True)
            refused(notes, out, "another run is writing", overwrite=True)
        told.append(done)

    told: list[int] = []
    run(notes, out, progress=second)
    assert 8 in told
    assert len(records(out)) == 60


# ---- killed runs

#: Runs batches that count the moments at which a kill could hurt, and die at one of them as by SIGKILL: nothing is cleaned up.
#: Each run is a fork of one process, which has imported everything.
KILLED = """
import json, os, sys, traceback
sys.path[:0] = json.loads(sys.argv[1])
import test_batch
from codesuggest import batch, output

def moments_of(at, share, notes, out):
    moments = 0

    def moment():
        nonlocal moments
        moments += 1
        if moments == at:
            os._exit(9)

    def torn(self, data):
        moment()
        if moments + 1 == at:
            real_write(self, data[: len(data) * share // 100])
            os._exit(9)
        moment()
        real_write(self, data)
        moment()

    def around(real):
        def wrapped(*args):
            moment()
            result = real(*args)
            moment()
            return result
        return wrapped

    def rows(record):
        moment()
        return real_rows(record)

    real_write, output.Partial._write = output.Partial._write, torn
    os.replace, os.fsync = around(os.replace), around(os.fsync)
    output.Partial.remove = around(output.Partial.remove)
    real_rows, output.table_rows = output.table_rows, rows
    batch.run_batch([notes], out, load=test_batch.load, resume=True)
    return moments

for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            print(moments_of(*json.loads(line)), flush=True)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def killed_at() -> Iterator[Callable[[int, int, Path, Path], int | None]]:
    """Run until the moment; None if killed, else the number of moments that the run had."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    command = [sys.executable, "-c", KILLED, json.dumps([str(Path(__file__).parent), *sys.path])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        into, out_of = process.stdin, process.stdout
        assert into is not None and out_of is not None

        def run_to(at: int, share: int, notes: Path, out: Path) -> int | None:
            into.write(json.dumps([at, share, str(notes), str(out)]) + "\n")
            into.flush()
            said = out_of.readline()
            if said == "ended 9\n":
                return None
            assert out_of.readline() == "ended 0\n", said
            return int(said)

        yield run_to


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_killed_anywhere_and_resumed_the_output_is_the_same(
    ending: str, tmp_path: Path, killed_at: Callable[[int, int, Path, Path], int | None]
) -> None:
    notes = write_jsonl(tmp_path / "n.jsonl", [note(i) for i in range(50)])
    whole, out = tmp_path / f"whole.{ending}", tmp_path / f"o.{ending}"
    run(notes, whole)
    moments = killed_at(0, 0, notes, out) or 0
    assert moments > 20 and out.read_bytes() == whole.read_bytes()
    chance = random.Random(ending)
    last = list(range(moments - 7, moments + 1))  # while the output is made and renamed, and before the partial goes
    for at in chance.sample(range(1, moments - 7), 8) + last:
        out.unlink(missing_ok=True)
        assert killed_at(at, chance.randrange(100), notes, out) is None
        assert out.exists() or (tmp_path / f"o.{ending}.partial").exists() or at == 1
        run(notes, out, resume=True)
        assert out.read_bytes() == whole.read_bytes(), at
        assert leftovers(out) == []


def test_killed_again_and_again(tmp_path: Path, killed_at: Callable[[int, int, Path, Path], int | None]) -> None:
    notes = write_jsonl(tmp_path / "n.jsonl", [note(i) for i in range(50)])
    whole, out = tmp_path / "whole.jsonl", tmp_path / "o.jsonl"
    run(notes, whole)
    for at in range(4, 30, 3):  # every run gets a little further
        killed_at(at, 50, notes, out)
    run(notes, out, resume=True)
    assert out.read_bytes() == whole.read_bytes() and leftovers(out) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_worker_ends_the_run_with_the_documents_in_flight(tmp_path: Path) -> None:
    texts = [note(i) for i in range(40)]
    texts[9] = "kill me"
    notes, out = write_jsonl(tmp_path / "n.jsonl", texts), tmp_path / "o.jsonl"
    with pytest.raises(BatchError, match="a worker process was killed") as caught:
        run(notes, out, jobs=2)
    named = re.findall(r"d\d+", str(caught.value))
    assert "d9" in named and len(named) < 20
    assert "--resume" in str(caught.value) and leftovers(out) == ["o.jsonl.partial"]


# ---- a full disk


def test_a_full_disk_is_said_and_the_run_can_go_on(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "o.jsonl"
    run(notes, whole)
    real = output.Partial._write

    def full(self: Any, data: bytes) -> None:
        if self.path.stat().st_size < 8000:
            return real(self, data)
        with output._writing(self.path):
            os.write(self._handle.fileno(), data[:17])  # what still fits
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(output.Partial, "_write", full)
        refused(notes, out, "No space left on device.*--resume")
    assert run(notes, out, resume=True).resumed > 0
    assert out.read_bytes() == whole.read_bytes()


#: No file may grow beyond so many bytes: to the program the same as a disk without room, and no other test is in its way.
NO_ROOM = """
import resource, sys
sys.path[:0] = {path!r}
import test_batch
from codesuggest import batch, errors
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))
try:
    batch.run_batch([{notes!r}], {out!r}, load=test_batch.load, jobs={jobs})
except errors.BatchError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources here")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_is_really_full(jobs: int, notes: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "o.jsonl"
    run(notes, whole)
    path = [str(Path(__file__).parent), *sys.path]
    code = NO_ROOM.format(path=path, room=whole.stat().st_size // 2, notes=str(notes), out=str(out), jobs=jobs)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "o.jsonl.partial: cannot be written" in done.stdout and "--resume" in done.stdout
    assert not done.stderr and leftovers(out) == ["o.jsonl.partial"]
    assert 0 < run(notes, out, resume=True).resumed < 60
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_full_at_the_very_end(notes: Path, tmp_path: Path) -> None:
    for ending in ("jsonl", "csv"):
        out, writing = tmp_path / f"o.{ending}", tmp_path / f"o.{ending}.writing"
        writing.symlink_to("/dev/full")
        refused(notes, out, "No space left on device")
        assert leftovers(out) == [f"o.{ending}.partial"]
        assert run(notes, out, resume=True).resumed == 60


# ---- the real model


def test_the_starter_model_in_two_processes(tmp_path: Path) -> None:
    pytest.importorskip("codesuggest.suggester")
    texts = [
        "ASSESSMENT: 1. Type 2 diabetes. 2. Essential hypertension.",
        "",
        "Patient denies chest pain. \r\n\t\x00",
    ] * 4
    notes = write_jsonl(tmp_path / "n.jsonl", texts)
    for jobs in (1, 2):
        run_batch([notes], tmp_path / f"{jobs}.jsonl", jobs=jobs)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    found = records(tmp_path / "1.jsonl")
    assert len(found) == 12 and "I10" in [s["code"] for s in found[0]["suggestions"]]
