"""Documents in: the rows of the inputs, looked into one at a time for id, text and options.

    read_documents(["notes/", "more.jsonl"])  ->  Document(id, text, options, problem), ...

A document that cannot be read is a `Document` with a `problem`, so that it can be reported in its place; only what
spoils a whole input (not there, unknown ending, no such column) is raised, and that before the first document. Memory
holds what `codesuggest.inputs` holds, plus the ids seen so far (about 100 bytes each).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from codesuggest.errors import CodeSuggestError, InputError, NotTextError, OptionError
from codesuggest.inputs import Row, Wanted, check_inputs, count_documents, decode, fingerprint, read_rows

__all__ = [
    "OPTION_KEYS",
    "Document",
    "check_inputs",
    "count_documents",
    "decode",
    "document_of",
    "fingerprint",
    "options_of",
    "read_documents",
]

#: Keys of a JSON line, or columns of a table, that become options of their document.
OPTION_KEYS = ("setting", "service_date", "document_type", "systems", "age", "sex")


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
    wanted = Wanted(id_key, text_key, OPTION_KEYS, encoding, fallback)
    return _unique(read_rows(paths, wanted), wanted)


def _unique(rows: Iterable[Row], wanted: Wanted) -> Iterator[Document]:
    """Documents with unique ids: the second of an id is a problem, a made id only gets another number."""
    seen: set[str] = set()
    for row in rows:
        document, named = _document(row, wanted)
        id, n = document.id, 1
        while id in seen:
            n += 1
            id = f"{document.id}#{n}"
        seen.add(id)
        if id != document.id and named and document.problem is None:
            problem = InputError(f"{row.where}: its id was there before; every document needs an id of its own")
            yield Document(id, None, {}, problem)
        else:
            yield replace(document, id=id)


def document_of(row: Row, wanted: Wanted) -> Document:
    """The document of one row that must name its id, whatever stands in the others."""
    document, named = _document(row, wanted)
    if named or document.problem is not None:
        return document
    return replace(document, text=None, problem=InputError(f"{row.where}: no id under {wanted.id_key!r}"))


def _document(row: Row, wanted: Wanted) -> tuple[Document, bool]:
    """The document of a row, and whether the input names its id."""
    if row.text is not None or row.problem is not None:
        return Document(row.made, row.text, {}, row.problem), row.text is not None
    id: str | None = None
    try:
        id = _id(row.values, row.where, wanted.id_key)
        text, options = _text(row.values, row.where, wanted.text_key), options_of(row.values, row.where)
        return Document(row.made if id is None else id, text, options), id is not None
    except CodeSuggestError as problem:
        return Document(row.made if id is None else id, None, {}, problem), id is not None


# ---- the values of a row


def _id(values: Mapping[str, Any], where: str, id_key: str) -> str | None:
    value = values.get(id_key)
    if value is None or value == "":
        if id_key != "id":
            raise InputError(f"{where}: no id under {id_key!r}")
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"{where}: the id is a {type(value).__name__}, not a string or whole number")
    id = str(value)
    if len(id) > 200 or "\n" in id:  # ids stand in messages, and this one may be a note
        raise InputError(f"{where}: the id is {len(id)} characters long, at most 200 on one line are taken")
    return id


def _text(values: Mapping[str, Any], where: str, text_key: str) -> str:
    if text_key not in values:
        raise InputError(f"{where}: no key {text_key!r}; --text-key names the key of the text")
    text = values[text_key]
    if not isinstance(text, str):
        raise NotTextError(f"{where}: {text_key!r} is {type(text).__name__}, not a string")
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
