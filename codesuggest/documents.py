"""Documents in: text files, folders of them, JSON lines, CSV and Parquet, read one at a time.

    read_documents(["notes/", "more.jsonl"])  ->  Document(id, text, options, problem), ...

A document that cannot be read is a `Document` with a `problem`, so that it can be reported in its place; only what
spoils a whole input (not there, unknown ending, no such column) is raised, and that before the first document. Memory
holds one document, or one batch of a Parquet file, plus the ids seen so far (about 100 bytes each).

What is handed on is the text as it stands: newlines are not translated, nothing is replaced or normalised. Only a byte
order mark at the start of a file is taken off, so offsets count from the character after it.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from codesuggest.errors import (
    BatchError,
    CodeSuggestError,
    InputError,
    MissingExtraError,
    NotTextError,
    NotUtf8Error,
    OptionError,
    TextTooLongError,
)

#: Keys of a JSON line, or columns of a table, that become options of their document.
OPTION_KEYS = ("setting", "service_date", "document_type", "systems", "age", "sex")

#: A file, line or field longer than this is refused, in bytes: no note is that long, and reading it could take all
#: memory. The model's own limit on the length of a text is far below.
MAX_BYTES = 64 * 1024 * 1024

_KINDS = {".txt": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
_PARQUET_ROWS = 64  #: rows decoded at once
_CONTROL = [chr(c) for c in range(32) if chr(c) not in "\t\n\v\f\r\x1b"]


@dataclass(frozen=True, slots=True)
class Document:
    """One document to code. Either `text` is a str, or `problem` says why there is none.

    `options` are keyword arguments of `CodeSuggester.suggest` that stood beside the text; they override those of the
    run. `id` is unique over all documents of one `read_documents`.
    """

    id: str
    text: str | None
    options: dict[str, Any] = field(default_factory=dict)
    problem: CodeSuggestError | None = None


class _Row(NamedTuple):
    """A document as found. `id` is None where the input names none; then `made` stands in."""

    id: str | None
    made: str
    where: str  #: file, and line where there is one, for messages
    text: str | None = None
    options: Mapping[str, Any] = {}
    problem: CodeSuggestError | None = None


@dataclass(frozen=True, slots=True)
class _Reader:
    """How the run reads: the keys and the encodings."""

    id_key: str
    text_key: str
    encoding: str
    fallback: str | None


def read_documents(
    paths: Iterable[str | Path],
    *,
    id_key: str = "id",
    text_key: str = "text",
    encoding: str = "utf-8",
    fallback: str | None = None,
) -> Iterator[Document]:
    """All documents of the inputs, in the order given, lazily.

    paths: files ending in .txt, .jsonl, .csv (or .tsv) or .parquet, and folders, of which every .txt below is read,
        sorted by name. The id of a .txt in a folder is its path there without the ending ("2026/visit-3"), that of a
        single file its stem.
    id_key, text_key: key or column of the id (a string or whole number) and of the text. Where there is no "id", one is
        made from file and line ("notes.jsonl:7"); any other id_key must be there.
    encoding, fallback: tried in this order, both strictly; a text that is in neither is a problem, never garbled. They
        concern bytes: Parquet and the escapes of JSON are Unicode already.

    A line that is no JSON, a text that is no string, bytes that are no text: one `Document` with a problem each. An id
    that was there before gives a problem under the id "<id>#2". After broken quoting in a CSV rows cannot be told apart
    any more, so the rest of that file is one problem.

    Raises, before the first document, BatchError (no such input, unknown ending, no such column), OptionError (unknown
    encoding) and MissingExtraError (Parquet without pyarrow).
    """
    for name in (encoding, fallback):
        if name is not None:
            check_encoding(name)
    how = _Reader(id_key, text_key, encoding, fallback)
    openers = {"folder": _folder, "text": _file, "jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
    # a list, so that every input is checked before the first document comes
    inputs = [openers[kind](path, how) for path, kind in check_inputs(paths)]
    return _unique(row for rows in inputs for row in rows)


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


def _read_file(path: Path, id: str, how: _Reader) -> _Row:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would wait for ever
            raise InputError(f"{path}: is no regular file")
        if about.st_size > MAX_BYTES:
            raise TextTooLongError(f"{path}: {about.st_size} bytes, at most {MAX_BYTES} are read")
        text = decode(path.read_bytes(), str(path), encoding=how.encoding, fallback=how.fallback)
    except OSError as error:
        return _Row(id, id, str(path), problem=InputError(f"{path}: cannot be read ({_reason(error)})"))
    except InputError as problem:
        return _Row(id, id, str(path), problem=problem)
    return _Row(id, id, str(path), text)


def _file(path: Path, how: _Reader) -> Iterator[_Row]:
    yield _read_file(path, path.stem, how)


def _folder(path: Path, how: _Reader) -> Iterator[_Row]:
    for file, name in _walk(path):
        yield _read_file(file, name[:-4] if name.lower().endswith(".txt") else name, how)


# ---- JSON lines


def _jsonl(path: Path, how: _Reader) -> Iterator[_Row]:
    _refuse_utf16(path)
    return _jsonl_rows(path, how)


def _jsonl_rows(path: Path, how: _Reader) -> Iterator[_Row]:
    number = 0
    try:
        with path.open("rb") as handle:
            for number, raw in enumerate(_lines(handle), start=1):
                if raw is None or raw.strip(b" \t\r\n\xef\xbb\xbf"):
                    where = f"{path}, line {number}"
                    yield _row(f"{path.name}:{number}", where, how, partial(_json_values, raw, where, how))
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


def _json_values(raw: bytes | None, where: str, how: _Reader) -> Mapping[str, Any]:
    if raw is None:
        raise TextTooLongError(f"{where}: longer than {MAX_BYTES} bytes")
    line = decode(raw, where, encoding=how.encoding, fallback=how.fallback)
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


def _csv(path: Path, how: _Reader) -> Iterator[_Row]:
    _refuse_utf16(path)
    delimiter, header = _delimiter(path, how.encoding, how.text_key)
    _check_columns(path, header, how)
    return _csv_rows(path, how, delimiter, header)


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


def _csv_rows(path: Path, how: _Reader, delimiter: str, header: list[str]) -> Iterator[_Row]:
    line = 1
    try:
        with _open_table(path, how.encoding) as handle:
            reader = csv.reader(handle, delimiter=delimiter, strict=True)
            next(reader, None)
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    where = f"{path}, line {line}"
                    yield _row(f"{path.name}:{line}", where, how, partial(_csv_values, header, cells, where, how))
                line = reader.line_num + 1
    except OSError as error:
        yield _rest(path, line, f"cannot be read ({_reason(error)})")
    except csv.Error:
        yield _rest(path, line, "its quoting is broken (a quote inside a cell is written twice), or a cell is too long")


def _csv_values(header: list[str], cells: list[str], where: str, how: _Reader) -> Mapping[str, Any]:
    if len(cells) != len(header):
        raise InputError(f"{where}: {len(cells)} columns, the header has {len(header)}")
    values = dict(zip(header, cells, strict=True))
    for key in (how.id_key, how.text_key, *OPTION_KEYS):
        if not (cell := values.get(key, "")).isascii() and _ESCAPED.search(cell):
            raw = cell.encode(how.encoding, "surrogateescape")
            values[key] = decode(raw, f"{where}, column {key}", encoding=how.encoding, fallback=how.fallback)
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


def _parquet(path: Path, how: _Reader) -> Iterator[_Row]:
    names = list(_open_parquet(path).schema_arrow.names)
    _check_columns(path, names, how)
    columns = dict.fromkeys(n for n in (how.id_key, how.text_key, *OPTION_KEYS) if n in names)
    return _parquet_rows(path, how, list(columns))


def _parquet_rows(path: Path, how: _Reader, columns: list[str]) -> Iterator[_Row]:
    import pyarrow as pa

    begin = 1  #: number of the first row of a group
    with _open_parquet(path) as file:
        for group in range(file.num_row_groups):
            number, begin = begin, begin + int(file.metadata.row_group(group).num_rows)
            try:
                for batch in file.iter_batches(_PARQUET_ROWS, row_groups=[group], columns=columns, use_threads=False):
                    for i in range(batch.num_rows):
                        where = f"{path}, row {number}"
                        yield _row(f"{path.name}:{number}", where, how, partial(_parquet_values, batch, i, where))
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


# ---- one row of any table


def _row(made: str, where: str, how: _Reader, values_of: Callable[[], Mapping[str, Any]]) -> _Row:
    id: str | None = None
    try:
        values = values_of()
        id = _id(values, where, how)
        return _Row(id, made, where, _text(values, where, how), options_of(values, where))
    except CodeSuggestError as problem:
        return _Row(id, made, where, problem=problem)


def _rest(path: Path, line: int, why: str, unit: str = "line") -> _Row:
    problem = InputError(f"{path}: unread from {unit} {line} on: {why}")
    return _Row(None, f"{path.name}:{line}", f"{path}, {unit} {line}", problem=problem)


def _refuse_utf16(path: Path) -> None:
    try:
        with path.open("rb") as handle:
            start = handle.read(2)
    except OSError as error:
        raise BatchError(f"{path}: cannot be read ({_reason(error)})") from None
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise BatchError(f"{path}: is UTF-16; save it as UTF-8")


def _check_columns(path: Path, names: list[str], how: _Reader) -> None:
    # The columns found are not listed: in a file without a header they would be a note.
    for key, flag in ((how.text_key, "--text-key"), (how.id_key, "--id-key")):
        if key not in names and (key, flag) != ("id", "--id-key"):
            raise BatchError(f"{path}: no column named {key!r} in the header; {flag} names another")
    for key in (how.id_key, how.text_key, *OPTION_KEYS):
        if names.count(key) > 1:
            raise BatchError(f"{path}: several columns are named {key!r}")


def _id(values: Mapping[str, Any], where: str, how: _Reader) -> str | None:
    value = values.get(how.id_key)
    if value is None or value == "":
        if how.id_key != "id":
            raise InputError(f"{where}: no id under {how.id_key!r}")
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"{where}: the id is a {type(value).__name__}, not a string or whole number")
    id = str(value)
    if len(id) > 200 or "\n" in id:  # ids stand in messages, and this one may be a note
        raise InputError(f"{where}: the id is {len(id)} characters long, at most 200 on one line are taken")
    return id


def _text(values: Mapping[str, Any], where: str, how: _Reader) -> str:
    if how.text_key not in values:
        raise InputError(f"{where}: no key {how.text_key!r}; --text-key names the key of the text")
    text = values[how.text_key]
    if not isinstance(text, str):
        raise NotTextError(f"{where}: {how.text_key!r} is {type(text).__name__}, not a string")
    return text


def options_of(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The options beside a text; empty cells, null and NaN are no option. Raises OptionError, which quotes no value."""
    out: dict[str, Any] = {}
    for key, (read, expected) in _OPTION_READERS.items():
        value = values.get(key)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "" or value == [] or value != value:  # NaN differs from itself
            continue
        if key == "sex" and isinstance(value, str) and value.lower() in _UNSAID:
            continue
        out[key] = read(value)
        if out[key] is None:
            raise OptionError(f"{where}: {key} must be {expected}")
    return out


def _setting(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and value.lower() in ("inpatient", "outpatient") else None


def _systems(value: Any) -> list[str] | None:
    parts = [p for p in re.split(r"[;,|\s]+", value) if p] if isinstance(value, str) else value
    return parts if isinstance(parts, list) and all(isinstance(p, str) for p in parts) else None


def _day(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, dt.datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, dt.date) else None


def _age(value: Any) -> int | None:
    if isinstance(value, str):
        try:
            value = float(value)  # "64.0" is how a data frame with gaps writes 64
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 130 or value != int(value):
        return None
    return int(value)


def _document_type(value: Any) -> str | None:
    return re.sub(r"[\s-]+", "_", value.lower()) if isinstance(value, str) else None


def _sex(value: Any) -> str | None:
    return _SEXES.get(value.lower()) if isinstance(value, str) else None


_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
_UNSAID = ("u", "unknown", "o", "other")  #: no value of sex that a rule speaks about


_OPTION_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "setting": (_setting, "inpatient or outpatient"),
    "service_date": (_day, "a date as 2026-03-02"),
    "document_type": (_document_type, "a name such as discharge_summary"),
    "systems": (_systems, 'a list of names, or "icd10cm;icd10pcs"'),
    "age": (_age, "a whole number of years from 0 to 130"),
    "sex": (_sex, "female (F), male (M) or unknown (U)"),
}


def _unique(rows: Iterable[_Row]) -> Iterator[Document]:
    """Documents with unique ids: the second of an id is a problem, a made id only gets another number."""
    seen: set[str] = set()
    for row in rows:
        wanted = row.made if row.id is None else row.id
        id, n = wanted, 1
        while id in seen:
            n += 1
            id = f"{wanted}#{n}"
        seen.add(id)
        if id != wanted and row.id is not None and row.problem is None:
            problem = InputError(f"{row.where}: its id was there before; every document needs an id of its own")
            yield Document(id, None, {}, problem)
        else:
            yield Document(id, row.text, dict(row.options), row.problem)
