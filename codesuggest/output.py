"""The output of a batch: OUT.partial while it grows, then OUT as JSON lines, CSV or Parquet.

Records are appended to OUT.partial, a header and then JSON lines, and become OUT in one rename when all are there. So
OUT is whole or absent, and a run that was killed, at any moment, goes on where OUT.partial ends:

    killed while                 left behind                             --resume
    a record is written          OUT.partial with a torn last line       drops the torn line, goes on
    OUT is being made            OUT.partial, an unfinished OUT.writing  makes OUT again
    OUT was just renamed         OUT and OUT.partial                     makes OUT again, the same bytes
    all was done                 OUT                                     says so, does nothing
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from codesuggest.errors import BatchError, MissingExtraError

_PARTIAL = "codesuggest partial output 1"

#: Columns of CSV and Parquet output. `start`, `end`, `section`, `assertion` are of the first evidence, `evidence` has
#: all spans ("17-29;40-52"), `findings` the rules that speak about the code; `text` is there only with show_text.
COLUMNS = {
    "id": "string", "model": "string", "setting": "string", "service_date": "string", "document_type": "string",
    "system": "string", "release": "string", "code": "string", "display": "string", "confidence": "double",
    "suggested": "bool", "start": "int64", "end": "int64", "section": "string", "assertion": "string",
    "evidence": "string", "text": "string", "findings": "string", "error_code": "string", "error_message": "string",
}  # fmt: skip


def check_output(out: Path) -> None:
    """Refuse an output that could not be written in the end, before hours are spent."""
    if out.suffix.lower() not in (".jsonl", ".csv", ".parquet"):
        raise BatchError(f"{out}: the output must end in .jsonl, .csv or .parquet")
    if out.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingExtraError("pyarrow", "parquet", "Writing Parquet") from None
    if not out.parent.is_dir():
        raise BatchError(f"{out.parent}: no such folder to write into")
    if out.is_dir():
        raise BatchError(f"{out} is a folder; name a file to write")


# ---- the partial output


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BatchError(
            f"{path}: cannot be written ({error.strerror or type(error).__name__}); what is done is kept in "
            "OUT.partial: make room and go on with --resume"
        ) from None


class Partial:
    """OUT.partial: a header line that says what run it belongs to, then a record a line, appended and never changed."""

    def __init__(self, path: Path, handle: io.FileIO) -> None:
        self.path, self._handle = path, handle
        self._start = 0  #: byte offset of the first record

    @classmethod
    @contextmanager
    def open(cls, path: Path, run: Mapping[str, Any], *, fresh: bool) -> Iterator[Partial]:
        """Start, or continue after checking that it is the same run. Raises BatchError saying what differs."""
        with _writing(path):
            # unbuffered: after a full disk there is nothing left to flush, and nothing to fail a second time
            handle = io.FileIO(path, "a+")
        with handle:
            _lock(handle, path)
            store = cls(path, handle)
            if fresh:
                handle.truncate(0)
            store._begin(run)
            yield store

    def _begin(self, run: Mapping[str, Any]) -> None:
        with self.path.open("rb") as reader:
            first = reader.readline()
        if not first.endswith(b"\n"):  # new, or killed while the header was written
            self._cut(0)
            header = json.dumps({"partial": _PARTIAL, "run": run}, ensure_ascii=True) + "\n"
            self._write(header.encode("ascii"))
            self._start = len(header)
            return
        self._start = len(first)
        try:
            header = json.loads(first)
            then = header["run"] if header["partial"] == _PARTIAL else None
        except (ValueError, KeyError, TypeError):
            then = None
        if not isinstance(then, dict):
            raise BatchError(f"{self.path} was not written by this version of codesuggest; --overwrite discards it")
        if differences := _differences(then, run):
            raise BatchError(
                f"{self.path} belongs to another run: {'; '.join(differences)}. --overwrite discards it and starts anew"
            )

    def records(self) -> Iterator[dict[str, Any]]:
        """The records that are there; from the first torn one on, the file is cut."""
        with self.path.open("rb") as reader:
            reader.seek(self._start)
            end = self._start
            for line in reader:
                try:
                    row = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:  # after a power cut a block may hold anything
                    row = None
                if not isinstance(row, dict) or "id" not in row:
                    self._cut(end)
                    return
                end += len(line)
                yield row

    def append(self, lines: list[str]) -> None:
        self._write("".join(line + "\n" for line in lines).encode("ascii"))

    def copy_records(self, target: IO[bytes]) -> None:
        with self.path.open("rb") as reader:
            reader.seek(self._start)
            shutil.copyfileobj(reader, target, 1 << 20)

    def remove(self) -> None:
        with _writing(self.path):
            self.path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        with _writing(self.path):
            while view:
                view = view[self._handle.write(view) :]

    def _cut(self, size: int) -> None:
        with _writing(self.path):
            self._handle.truncate(size)


def _lock(handle: io.FileIO, path: Path) -> None:
    """Two runs must not append to one file. The system gives the lock back when a process dies, however it dies."""
    try:
        import fcntl
    except ImportError:  # Windows: not guarded
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BatchError(f"{path}: another run is writing it") from None
    except OSError:  # a file system without locks
        return


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    out = []
    for key in now:
        if key == "inputs" or then.get(key) == now[key]:
            continue
        if key == "options":
            a, b = then.get(key) or {}, now[key]
            out += [f"{k} was {a.get(k)!r}, is {b.get(k)!r}" for k in sorted({*a, *b}) if a.get(k) != b.get(k)]
        else:
            out.append(f"{key} was {then.get(key)!r}, is {now[key]!r}")
    a, b = then.get("inputs") or [], now["inputs"]
    if [i["name"] for i in a] != [i["name"] for i in b]:
        return [*out, f"the inputs were {', '.join(i['name'] for i in a)}, are {', '.join(i['name'] for i in b)}"]
    for old, new in zip(a, b, strict=True):
        if (old["files"], old["bytes"]) != (new["files"], new["bytes"]):
            sizes = [f"{i['files']} files of {i['bytes']} bytes" for i in (old, new)]
            out.append(f"the input {new['name']} was {sizes[0]}, is {sizes[1]}")
        elif old != new:
            out.append(f"the input {new['name']} was changed in between (names or times of change)")
    return out


# ---- the output


def finish(store: Partial, out: Path, show_text: bool) -> None:
    """Make OUT beside its place, rename, and only then drop OUT.partial."""
    writing = out.with_name(out.name + ".writing")
    try:
        with _writing(out):
            with writing.open("wb") as target:
                if out.suffix.lower() == ".jsonl":
                    store.copy_records(target)
                elif out.suffix.lower() == ".csv":
                    _write_csv(store, target, show_text)
                else:
                    _write_parquet(store, target, show_text)
                target.flush()
                os.fsync(target.fileno())  # the rename must not reach the disk before the content
            os.replace(writing, out)
    finally:
        with suppress(OSError):
            writing.unlink(missing_ok=True)
    store.remove()


def table_rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of `COLUMNS` of one record, one a suggestion and at least one; what does not apply is None."""
    error = record["error"] or {}
    base = {
        **dict.fromkeys(COLUMNS),
        **{key: record.get(key) for key in ("id", "model", "setting", "service_date", "document_type")},
        "error_code": error.get("code"),
        "error_message": error.get("message"),
    }
    if not record["suggestions"]:
        yield base
    for row in record["suggestions"]:
        first = row["evidence"][0] if row["evidence"] else {}
        rules = [f["rule"] for f in record["findings"] if row["code"] in f["codes"]]
        yield {
            **base,
            **{key: row[key] for key in ("system", "release", "code", "display", "confidence", "suggested")},
            **{key: first.get(key) for key in ("start", "end", "section", "assertion", "text")},
            "evidence": ";".join(f"{e['start']}-{e['end']}" for e in row["evidence"]),
            "findings": ";".join(dict.fromkeys(rules)),
        }


def _table(store: Partial, show_text: bool) -> Iterator[list[Any]]:
    for row in store.records():
        for cells in table_rows(row):
            yield [_writable(value) for key, value in cells.items() if show_text or key != "text"]


def _writable(value: Any) -> Any:
    """A lone surrogate, which a damaged note may hold, is in no encoding: written as \\udcff."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _names(show_text: bool) -> list[str]:
    return [name for name in COLUMNS if show_text or name != "text"]


def _write_csv(store: Partial, target: IO[bytes], show_text: bool) -> None:
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_names(show_text))
        writer.writerows(_table(store, show_text))
    finally:
        text.detach()  # or it would close `target`, which is still to be synced


def _write_parquet(store: Partial, target: IO[bytes], show_text: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = _names(show_text)
    schema = pa.schema([(name, getattr(pa, {"bool": "bool_", "double": "float64"}.get(k, k))())
                        for name, k in COLUMNS.items() if name in names])  # fmt: skip
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        rows: list[list[Any]] = []

        def flush() -> None:
            arrays = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            rows.clear()

        for row in _table(store, show_text):
            rows.append(row)
            if len(rows) == 8192:
                flush()
        if rows:
            flush()
