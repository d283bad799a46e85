"""Inputs: what stands in text files, folders of them, JSON lines, CSV and Parquet, read row by row.

    read_rows(["notes/", "more.jsonl"], wanted)  ->  Row(made, where, values | text | problem), ...

Here is what depends on the format of a file and on the encoding of its bytes; what the values of a row mean,
`codesuggest.documents` knows. Memory holds one row, or one batch of a Parquet file.

The text is handed on as it stands: newlines are not translated, nothing is replaced or normalised. Only a byte order
mark at the start of a file is taken off, so offsets count from the character after it.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from codesuggest.errors import (
    BatchError,
    CodeSuggestError,
    InputError,
    MissingExtraError,
    NotUtf8Error,
    OptionError,
    TextTooLongError,
)

#: A file, line or field longer than this is refused, in bytes: no note is that long, and reading it could take all
#: memory. The model's own limit on the length of a text is far below.
MAX_BYTES = 64 * 1024 * 1024

_KINDS = {".txt": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
_PARQUET_ROWS = 64  #: rows decoded at once
_CONTROL = [chr(c) for c in range(32) if chr(c) not in "\t\n\v\f\r\x1b"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the inputs: the keys, or columns, of id, text and options, and how bytes are read."""

    id_key: str
    text_key: str
    option_keys: tuple[str, ...]
    encoding: str
    fallback: str | None

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.id_key, self.text_key, *self.option_keys)


class Row(NamedTuple):
    """What an input has for one document: the `values` of a row, or the `text` of a file, or a `problem`.

    made: an id made of file and line ("notes.jsonl:7"), for want of another; of a text file its name, and its id.
    """

    made: str
    where: str  #: file, and line where there is one, for messages
    values: Mapping[str, Any] = {}
    text: str | None = None
    problem: CodeSuggestError | None = None


def read_rows(paths: Iterable[str | Path], wanted: Wanted) -> Iterator[Row]:
    """All rows of the inputs, in the order given, lazily. What spoils a whole input is raised before the first row.

    Raises BatchError (no such input, unknown ending, no such column), OptionError (unknown encoding) and
    MissingExtraError (Parquet without pyarrow).
    """
    for name in (wanted.encoding, wanted.fallback):
        if name is not None:
            check_encoding(name)
    openers = {"folder": _folder, "text": _file, "jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
    # a list, so that every input is checked before the first row comes
    inputs = [openers[kind](path, wanted) for path, kind in check_inputs(paths)]
    return (row for rows in inputs for row in rows)


def check_inputs(paths: Iterable[str | Path]) -> list[tuple[Path, str]]:
    """(path, kind) of each input; kind is folder, text, jsonl, csv or parquet. Raises BatchError."""
    out = []
    for path in [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]:
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            reason = _reason(error) if isinstance(error, OSError) else "not a name of a file"
            raise BatchError(f"{path}: cannot be read ({reason})") from None
        kind = "folder" if stat.S_ISDIR(mode) else _KINDS.get(path.suffix.lower())
        if kind is None:
            raise BatchError(
                f"{path}: unknown ending; folders of .txt, and .txt, .jsonl, .csv, .tsv, .parquet are read"
            )
        if kind != "folder" and not stat.S_ISREG(mode):
            raise BatchError(f"{path}: is no regular file; inputs are read more than once, so a pipe will not do")
        if kind == "folder" and next(_walk(path), None) is None:
            raise BatchError(f"{path}: no .txt in this folder; tables (.jsonl, .csv, .parquet) are named one by one")
        out.append((path, kind))
    if not out:
        raise BatchError("no input given")
    return out


def count_documents(paths: Iterable[str | Path]) -> int | None:
    """How many documents there will be, about (blank lines of a CSV count), or None where counting costs too much."""
    total = 0
    for path, kind in check_inputs(paths):
        if kind == "folder":
            total += sum(1 for _ in _walk(path))
        elif kind == "text":
            total += 1
        elif kind == "parquet":
            total += int(_open_parquet(path).metadata.num_rows)
        elif path.stat().st_size > 1 << 30:
            return None
        elif kind == "jsonl":
            with path.open("rb") as handle:
                total += sum(1 for line in handle if not line.isspace())
        else:
            with _open_table(path, "latin-1") as handle:  # any bytes do for counting
                total += max(0, sum(1 for _ in csv.reader(handle, delimiter=_delimiter(path, "utf-8")[0])) - 1)
    return total


def fingerprint(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """What tells whether inputs changed, without reading them: per input name, files, bytes, and a sha256 over the
    relative name, size and time of change of each file. The folder they lie in is left out: a moved input is the same.
    """
    out = []
    for path, kind in check_inputs(paths):
        digest, files, size = hashlib.sha256(), 0, 0
        for file, name in _walk(path) if kind == "folder" else [(path, path.name)]:
            try:
                about = file.stat()
            except OSError:  # a file nobody can read becomes a problem when its turn comes
                digest.update(f"{name}\0-\0".encode("utf-8", "surrogatepass"))
                continue
            digest.update(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\0".encode("utf-8", "surrogatepass"))
            files, size = files + 1, size + about.st_size
        out.append({"name": path.resolve().name, "files": files, "bytes": size, "sha256": digest.hexdigest()})
    return out


# ---- bytes to text


def decode(raw: bytes, where: str, *, encoding: str = "utf-8", fallback: str | None = None) -> str:
    """The text of some bytes, newlines untouched, a byte order mark taken off.

    where: file (and line) for the message. Raises NotUtf8Error, with the offset of the first wrong byte, if they are in
    neither encoding, and if so many control characters come out that this is no text (a PDF read as cp1252).
    """
    text, failed = None, []
    for name in (encoding, fallback):
        if name is None:
            continue
        try:
            text = raw.decode("utf-8-sig" if _is_utf8(name) else name)
            break
        except UnicodeDecodeError as error:
            failed.append(f"{name} (byte {error.start})")
        except UnicodeError:  # utf-16 without a byte order mark raises its parent
            failed.append(name)
    if text is None:
        remedy = "; name its encoding as fallback (--fallback-encoding cp1252)" if fallback is None else ""
        binary = "looks binary, and " if _binary(raw.decode("latin-1")) else ""
        raise NotUtf8Error(f"{where}: {binary}is not {' nor '.join(failed)}{remedy}")
    if _binary(text):
        raise NotUtf8Error(f"{where}: is binary, not text (control character at {_first_control(text)})")
    return text.removeprefix("\ufeff")  # left in by utf-16-le and the like


def _binary(text: str) -> bool:
    """More than one control character in twenty. Notes have a few (form feeds and escapes are not counted)."""
    return sum(text.count(c) for c in _CONTROL) * 20 > len(text)


def _first_control(text: str) -> int:
    return min(at for at in (text.find(c) for c in _CONTROL) if at >= 0)


def _is_utf8(name: str) -> bool:
    return codecs.lookup(name).name == "utf-8"


def check_encoding(name: str) -> None:
    try:
        b"a".decode(name)
    except UnicodeError:
        pass  # one byte is no whole character in this encoding
    except (LookupError, ValueError):
        raise OptionError(f"{name!r} is no text encoding of Python; cp1252 and latin-1 are common ones") from None


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


# ---- text files


def _walk(folder: Path, prefix: str = "", above: tuple[tuple[int, int], ...] = ()) -> Iterator[tuple[Path, str]]:
    """(path, name inside the folder) of every .txt below, sorted by name; links to folders are followed, once."""
    try:
        about = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError:
        yield folder, prefix.removesuffix("/")  # reading it fails again, and is reported then
        return
    here = (about.st_dev, about.st_ino)
    if here in above:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, here))
        elif entry.name.lower().endswith(".txt"):
            yield Path(entry.path), prefix + entry.name


def _read_file(path: Path, name: str, wanted: Wanted) -> Row:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would wait for ever
            raise InputError(f"{path}: is no regular file")
        if about.st_size > MAX_BYTES:
            raise TextTooLongError(f"{path}: {about.st_size} bytes, at most {MAX_BYTES} are read")
        text = decode(path.read_bytes(), str(path), encoding=wanted.encoding, fallback=wanted.fallback)
    except OSError as error:
        return Row(name, str(path), problem=InputError(f"{path}: cannot be read ({_reason(error)})"))
    except InputError as problem:
        return Row(name, str(path), problem=problem)
    return Row(name, str(path), text=text)


def _file(path: Path, wanted: Wanted) -> Iterator[Row]:
    yield _read_file(path, path.stem, wanted)


def _folder(path: Path, wanted: Wanted) -> Iterator[Row]:
    for file, name in _walk(path):
        yield _read_file(file, name[:-4] if name.lower().endswith(".txt") else name, wanted)


# ---- JSON lines


def _jsonl(path: Path, wanted: Wanted) -> Iterator[Row]:
    _refuse_utf16(path)
    return _jsonl_rows(path, wanted)


def _jsonl_rows(path: Path, wanted: Wanted) -> Iterator[Row]:
    number = 0
    try:
        with path.open("rb") as handle:
            for number, raw in enumerate(_lines(handle), start=1):
                if raw is None or raw.strip(b" \t\r\n\xef\xbb\xbf"):
                    where = f"{path}, line {number}"
                    yield _row(f"{path.name}:{number}", where, partial(json_values, raw, where, wanted))
    except OSError as error:
        yield _rest(path, number + 1, f"cannot be read ({_reason(error)})")


def _lines(handle: IO[bytes]) -> Iterator[bytes | None]:
    """Lines, None for one that is too long. Only a line feed ends a line: JSON may hold the other separators."""
    while raw := handle.readline(MAX_BYTES + 1):
        if len(raw) <= MAX_BYTES:
            yield raw
            continue
        while raw and not raw.endswith(b"\n"):
            raw = handle.readline(MAX_BYTES)
        yield None


def json_values(raw: bytes | None, where: str, wanted: Wanted) -> Mapping[str, Any]:
    """The object of a line, None one that was too long. Raises InputError, which quotes nothing of it."""
    if raw is None:
        raise TextTooLongError(f"{where}: longer than {MAX_BYTES} bytes")
    line = decode(raw, where, encoding=wanted.encoding, fallback=wanted.fallback)
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        # from None: the error carries the line itself
        raise InputError(f"{where}: is no JSON (column {error.colno})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{where}: is no JSON that can be read (too deep, or a number too long)") from None
    if not isinstance(values, dict):
        raise InputError(f'{where}: is no JSON object; every line is one, as {{"id": "1", "text": "..."}}')
    return values


# ---- CSV


def _csv(path: Path, wanted: Wanted) -> Iterator[Row]:
    _refuse_utf16(path)
    delimiter, header = _delimiter(path, wanted.encoding, wanted.text_key)
    _check_columns(path, header, wanted)
    return _csv_rows(path, wanted, delimiter, header)


def _open_table(path: Path, encoding: str) -> IO[str]:
    # newline="": csv must see line ends as they are, or those inside quotes would be translated
    return path.open(encoding="utf-8-sig" if _is_utf8(encoding) else encoding, errors="surrogateescape", newline="")


def _delimiter(path: Path, encoding: str, text_key: str | None = None) -> tuple[str, list[str]]:
    """(delimiter, header): of comma, semicolon and tab the one that finds the text column, else the most columns."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_BYTES))  # the default of 128 KB is less than some notes
    with _open_table(path, encoding) as handle:
        line = handle.readline(MAX_BYTES)
    splits = []
    for delimiter in ",;\t":
        header = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        splits.append((text_key in header, len(header), delimiter, header))
    _, _, delimiter, header = max(splits, key=lambda split: split[:2])
    return delimiter, header


def _csv_rows(path: Path, wanted: Wanted, delimiter: str, header: list[str]) -> Iterator[Row]:
    line = 1
    try:
        with _open_table(path, wanted.encoding) as handle:
            reader = csv.reader(handle, delimiter=delimiter, strict=True)
            next(reader, None)
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    where = f"{path}, line {line}"
                    yield _row(f"{path.name}:{line}", where, partial(_csv_values, header, cells, where, wanted))
                line = reader.line_num + 1
    except OSError as error:
        yield _rest(path, line, f"cannot be read ({_reason(error)})")
    except csv.Error:
        yield _rest(path, line, "its quoting is broken (a quote inside a cell is written twice), or a cell is too long")


def _csv_values(header: list[str], cells: list[str], where: str, wanted: Wanted) -> Mapping[str, Any]:
    if len(cells) != len(header):
        raise InputError(f"{where}: {len(cells)} columns, the header has {len(header)}")
    values = dict(zip(header, cells, strict=True))
    for key in wanted.keys:
        if not (cell := values.get(key, "")).isascii() and _ESCAPED.search(cell):
            raw = cell.encode(wanted.encoding, "surrogateescape")
            values[key] = decode(raw, f"{where}, column {key}", encoding=wanted.encoding, fallback=wanted.fallback)
    return values


_ESCAPED = re.compile("[\udc80-\udcff]")  #: bytes that were no text, as surrogateescape keeps them


# ---- Parquet


def _open_parquet(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", f"Reading {path.name}") from None
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError):
        raise BatchError(f"{path}: is no Parquet file that can be read") from None


def _parquet(path: Path, wanted: Wanted) -> Iterator[Row]:
    names = list(_open_parquet(path).schema_arrow.names)
    _check_columns(path, names, wanted)
    columns = dict.fromkeys(n for n in wanted.keys if n in names)
    return _parquet_rows(path, wanted, list(columns))


def _parquet_rows(path: Path, wanted: Wanted, columns: list[str]) -> Iterator[Row]:
    import pyarrow as pa

    begin = 1  #: number of the first row of a group
    with _open_parquet(path) as file:
        for group in range(file.num_row_groups):
            number, begin = begin, begin + int(file.metadata.row_group(group).num_rows)
            try:
                for batch in file.iter_batches(_PARQUET_ROWS, row_groups=[group], columns=columns, use_threads=False):
                    for i in range(batch.num_rows):
                        where = f"{path}, row {number}"
                        yield _row(f"{path.name}:{number}", where, partial(_parquet_values, batch, i, where))
                        number += 1
            except (pa.ArrowException, OSError):  # the other groups may be whole
                yield _rest(path, number, f"damaged up to row {begin - 1}", "row")


def _parquet_values(batch: Any, i: int, where: str) -> Mapping[str, Any]:
    try:
        return {name: batch.column(name)[i].as_py() for name in batch.schema.names}
    except UnicodeDecodeError as error:  # a file may call any bytes a string
        raise NotUtf8Error(f"{where}: is not UTF-8 (byte {error.start})") from None
    except ValueError:
        raise InputError(f"{where}: holds a value that Python cannot represent") from None


# ---- rows of any table


def _row(made: str, where: str, values_of: Callable[[], Mapping[str, Any]]) -> Row:
    try:
        return Row(made, where, values_of())
    except CodeSuggestError as problem:
        return Row(made, where, problem=problem)


def _rest(path: Path, line: int, why: str, unit: str = "line") -> Row:
    problem = InputError(f"{path}: unread from {unit} {line} on: {why}")
    return Row(f"{path.name}:{line}", f"{path}, {unit} {line}", problem=problem)


def _refuse_utf16(path: Path) -> None:
    try:
        with path.open("rb") as handle:
            start = handle.read(2)
    except OSError as error:
        raise BatchError(f"{path}: cannot be read ({_reason(error)})") from None
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise BatchError(f"{path}: is UTF-16; save it as UTF-8")


def _check_columns(path: Path, names: list[str], wanted: Wanted) -> None:
    # The columns found are not listed: in a file without a header they would be a note.
    for key, flag in ((wanted.text_key, "--text-key"), (wanted.id_key, "--id-key")):
        if key not in names and (key, flag) != ("id", "--id-key"):
            raise BatchError(f"{path}: no column named {key!r} in the header; {flag} names another")
    for key in wanted.keys:
        if names.count(key) > 1:
            raise BatchError(f"{path}: several columns are named {key!r}")


# ---- one note


def read_note(file: str, fallback: str | None) -> str:
    """The text of one file, or of standard input ("-"). Raises InputError, OptionError for an unknown encoding."""
    if fallback is not None:
        check_encoding(fallback)
    path, name = Path(file), "standard input" if file == "-" else file
    if path.is_dir() or path.suffix.lower() in (".jsonl", ".csv", ".parquet"):
        raise InputError(f"{file} holds many documents: use `codesuggest batch {file} --out codes.jsonl`")
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as handle:
                raw = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or 'no such file'})") from None
    if len(raw) > MAX_BYTES:
        raise TextTooLongError(f"{name}: longer than {MAX_BYTES} bytes")
    return decode(raw, name, fallback=fallback)
