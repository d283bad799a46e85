"""Coded documents in the layouts people hold them in, told by what is there, and a table of texts with their codes.

    jsonl     lines as `read_coded` takes them, or a folder of NAME.txt with NAME.json beside it
    csv       a table with the columns text and codes, the codes of a cell divided by ; or ,
    codiesp   the folder of the shared task (`read_codiesp`)
    mimic3    MIMIC-III (`mimic.read_mimic3`)
    mimic4    MIMIC-IV (`mimic.read_mimic4`)
    fhir      bundles or bulk exports (`fhir.read_fhir`)

Documents come one at a time; memory holds what the reader of the layout says.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codesuggest.coded import CodedDocument, Label, iter_coded, read_codiesp
from codesuggest.errors import InputError, OptionError
from codesuggest.fhir import read_fhir
from codesuggest.inputs import MAX_BYTES
from codesuggest.mimic import read_mimic3, read_mimic4, read_split

LAYOUTS = ("jsonl", "csv", "codiesp", "mimic3", "mimic4", "fhir")
#: Headers of a table that mean its text and its codes.
_TEXT, _CODES = ("text", "note", "document"), ("codes", "code", "labels")


def read_documents_as(
    path: str | Path,
    layout: str | None = None,
    *,
    split: str | Path | None = None,
    part: str = "train",
    system: str = "icd10cm",
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[CodedDocument]:
    """Coded documents of a file or folder in one of `LAYOUTS`; None tells the layout by what is there.

    split: file of a published split of MIMIC (`mimic.read_split`). part: "train", "dev" or "test" of it, or of CodiEsp.
    system: of the codes of a table. told: a line about what was left out.

    Raises InputError naming file and row, OptionError for a layout or an option that does not fit.
    """
    path = Path(path)
    layout = layout or layout_of(path)
    if layout not in LAYOUTS:
        raise OptionError(f"the layout must be one of {', '.join(LAYOUTS)}")
    if split is not None and not layout.startswith("mimic"):
        raise OptionError(f"a split file is for MIMIC; {path} is read as {layout}")
    if layout.startswith("mimic"):
        read = read_mimic3 if layout == "mimic3" else read_mimic4
        return read(path, only=None if split is None else read_split(split, part), told=told)
    if layout == "csv":
        return read_table(path, system=system)
    if layout == "fhir":
        return read_fhir(path, told=told)
    if layout == "codiesp":
        return iter(read_codiesp(path, part))
    return iter_coded(path)


def layout_of(path: str | Path) -> str:
    """The layout of what is there. Raises InputError where nothing is, or nothing that is known."""
    path = Path(path)
    if path.is_dir():
        return _layout_of_folder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv"):
        return "csv"
    if kind in (".json", ".ndjson", ".jsonl"):
        return "fhir" if _is_fhir(path) else "jsonl"
    raise InputError(f"{path}: unknown ending; .jsonl, .csv, .tsv, .json, .ndjson and folders are read")


def _layout_of_folder(path: Path) -> str:
    names = {p.name.lower().removesuffix(".gz") for p in path.rglob("*") if p.is_file()}
    if "noteevents.csv" in names:
        return "mimic3"
    if "discharge.csv" in names:
        return "mimic4"
    if any((path / part / f"{part}D.tsv").is_file() for part in ("train", "dev", "test")):
        return "codiesp"
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".json", ".ndjson"))
    if files:
        return "fhir" if _is_fhir(files[0]) else "jsonl"
    raise InputError(f"{path}: is none of the layouts {', '.join(LAYOUTS)}; name the file in it")


def _is_fhir(path: Path) -> bool:
    """By the first object of the file: a resource names its type, a coded document has none."""
    try:
        with path.open("rb") as handle:
            head = handle.read(1 << 16).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    return re.match(r'\ufeff?\s*\{(?:[^{}\[\]]*,)?\s*"resourceType"\s*:', head) is not None


def read_table(path: str | Path, *, system: str = "icd10cm") -> Iterator[CodedDocument]:
    """Documents of a CSV or TSV with a header: a text and its codes, divided by ; or , in their cell.

    Columns: text (or note) and codes (or code), and optionally id, group, policy, setting, document_type, service_date and
    split, as `read_coded` takes them. A code may name its system, as "icd10pcs:0DTJ4ZZ"; `system` is that of the others. An empty
    cell of codes is a document to which none was given. Without an id the row is one ("notes.csv:7").

    Raises InputError naming file and row.
    """
    path = Path(path)
    csv.field_size_limit(max(csv.field_size_limit(), MAX_BYTES))
    line, seen = 1, dict[str, int]()
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline(MAX_BYTES)
            delimiter = max(",;\t", key=first.count)
            header = [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter), [])]
            text, codes = _column(path, header, _TEXT), _column(path, header, _CODES)
            line = 2
            reader = csv.reader(handle, delimiter=delimiter, strict=True)
            for cells in reader:
                if cells and len(cells) != len(header):
                    raise InputError(f"{path}, row {line}: {len(cells)} columns, the header has {len(header)}")
                if cells:
                    row: dict[str, str] = dict(zip(header, cells, strict=True))
                    document = _of_row(f"{path}, row {line}", row, row[text], row[codes], system, f"{path.name}:{line}")
                    if seen.setdefault(document.id, line) != line:
                        raise InputError(
                            f"{path}, row {line}: the column id holds what row {seen[document.id]} holds already"
                        )
                    yield document
                line = 2 + reader.line_num
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, row {line}: is not UTF-8 (byte {error.start} of what was read)") from None
    except csv.Error:
        raise InputError(f"{path}, row {line}: its quoting is broken, or a cell is too long") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def _column(path: Path, header: list[str], names: tuple[str, ...]) -> str:
    found = [name for name in header if name in names]
    if len(found) != 1:
        raise InputError(f"{path}, row 1: the header needs one column {' or '.join(names)}")
    return found[0]


def _of_row(where: str, row: dict[str, Any], text: str, codes: str, system: str, made: str) -> CodedDocument:
    labels = []
    for part in re.split(r"[;,]", codes):
        name, colon, code = part.strip().rpartition(":")
        if colon and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise InputError(f"{where}: a code names its system as in icd10pcs:0DTJ4ZZ")
        if part.strip() and not re.fullmatch(r"[!-~]{1,32}", code):
            raise InputError(f"{where}: the column codes holds what is no code; codes are divided by ; or ,")
        if part.strip():
            labels.append(Label(name or system, code.upper()))
    more = {key: row.get(key, "").strip() or None for key in ("group", "setting", "document_type", "service_date")}
    policy = row.get("policy", "").strip() or "billing"
    if policy not in ("billing", "mentions"):
        raise InputError(f"{where}: the column policy must be billing or mentions")
    return CodedDocument(
        id=row.get("id", "").strip() or made,
        text=text,
        codes=tuple(dict.fromkeys(labels)),
        policy=policy,
        systems=tuple(dict.fromkeys(label.system for label in labels)) or (system,),
        split=row.get("split", "").strip() or "train",
        **more,
    )
