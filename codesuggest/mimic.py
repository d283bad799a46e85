"""MIMIC-III and MIMIC-IV as PhysioNet publishes them -> coded discharge summaries, one for each admission.

    MIMIC-III   NOTEEVENTS.csv[.gz], DIAGNOSES_ICD.csv[.gz], PROCEDURES_ICD.csv[.gz]       codes of ICD-9-CM
    MIMIC-IV    discharge.csv[.gz] (MIMIC-IV-Note), diagnoses_icd.csv[.gz], procedures_icd.csv[.gz]    ICD-9-CM and ICD-10

Files are found by name anywhere below the folder, in capitals or not. Codes stand there without their dot and get it back. An
admission's summary and its addenda are one text, a blank line between them. Dates were shifted by the publisher into later
centuries, so documents carry no service date. The data are under a licence of their own: nothing of them is kept here.

Johnson et al. 2016 (MIMIC-III 1.4), Johnson et al. 2023 (MIMIC-IV 2.2, MIMIC-IV-Note 2.2); splits of Mullenbach et al. 2018
(CAML: lists of HADM_ID) and Edin et al. 2023 (a table of `_id` and `split`).

Memory holds the codes of all admissions (some 200 MB for MIMIC-IV) and the texts of admissions whose addenda are still to
come; the notes are read twice, first to see which those are.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import IO, NamedTuple

from codesuggest.coded import CodedDocument, Label
from codesuggest.codes import dot_after
from codesuggest.errors import InputError
from codesuggest.inputs import MAX_BYTES

_SUMMARY = "discharge summary"
_ICD9, _ICD10 = ("icd9cm", "icd9pcs"), ("icd10cm", "icd10pcs")
_PARTS = {"train": "train", "dev": "dev", "val": "dev", "validation": "dev", "test": "test"}


class Note(NamedTuple):
    """A piece of an admission's text. order: its place among the pieces, addenda last."""

    admission: str
    patient: str
    order: tuple[int, int]
    text: str


def read_mimic3(
    folder: str | Path, *, only: frozenset[str] | None = None, told: Callable[[str], None] = lambda _: None
) -> Iterator[CodedDocument]:
    """Admissions of MIMIC-III with a discharge summary and a code; those of `only` (see `read_split`).

    Id is HADM_ID, group SUBJECT_ID. Notes marked ISERROR or without HADM_ID are passed over. told: how many admissions were
    left out, and why. Raises InputError naming file and row.
    """
    files = _found(Path(folder), ("NOTEEVENTS", "DIAGNOSES_ICD", "PROCEDURES_ICD"))
    codes = _codes(files[1:], _ICD9, None, only)

    def notes() -> Iterator[Note]:
        columns = ("row_id", "subject_id", "hadm_id", "category", "description", "iserror", "text")
        for where, row in _rows(files[0], columns):
            if row["category"].strip().lower() != _SUMMARY or row["iserror"].strip() in ("1", "1.0"):
                continue
            if not row["hadm_id"].strip():
                continue
            late = int("addendum" in row["description"].lower())
            yield Note(
                _number(row["hadm_id"], "HADM_ID", where),
                _number(row["subject_id"], "SUBJECT_ID", where),
                (late, int(_number(row["row_id"], "ROW_ID", where))),
                row["text"],
            )

    return _documents(notes, codes, only, told)


def read_mimic4(
    folder: str | Path, *, only: frozenset[str] | None = None, told: Callable[[str], None] = lambda _: None
) -> Iterator[CodedDocument]:
    """As `read_mimic3`, for MIMIC-IV: an admission is coded in ICD-9-CM or in ICD-10, as `icd_version` says."""
    files = _found(Path(folder), ("discharge", "diagnoses_icd", "procedures_icd"))
    codes = _codes(files[1:], _ICD10, "icd_version", only)

    def notes() -> Iterator[Note]:
        columns = ("subject_id", "hadm_id", "note_type", "note_seq", "text")
        for where, row in _rows(files[0], columns):
            if row["hadm_id"].strip():
                late = int(row["note_type"].strip().upper() == "AD")
                yield Note(
                    _number(row["hadm_id"], "hadm_id", where),
                    _number(row["subject_id"], "subject_id", where),
                    (late, int(_number(row["note_seq"], "note_seq", where))),
                    row["text"],
                )

    return _documents(notes, codes, only, told)


def read_split(path: str | Path, part: str = "train") -> frozenset[str]:
    """The admissions of one part of a published split, as `only` of the readers takes them.

    path: a list of HADM_ID, one a line without header (CAML's train_full_hadm_ids.csv), which is one part already and whose
        name says which; or a CSV with the columns `_id` or `hadm_id` and `split` (Edin et al., saved as CSV). part: "train",
        "dev" (also called val) or "test".

    Raises InputError naming file and row, or where the list is of another part.
    """
    path = Path(path)
    if part not in _PARTS:
        raise InputError(f"{path}: the part is one of train, dev, test")
    with _opened(path) as handle:
        first = handle.readline(4096)
    if re.fullmatch(r'\s*"?\d+(?:\.0)?"?\s*', first):
        named = [known for name, known in _PARTS.items() if re.search(rf"(?<![a-z]){name}(?![a-z])", path.name.lower())]
        if named and named[0] != _PARTS[part]:
            raise InputError(f"{path}: is the list of the part {named[0]}, and {part} was asked for")
        with _opened(path) as handle:
            lines = [(n, line.strip().strip('"')) for n, line in enumerate(handle, 1)]
        return frozenset(_number(line, "HADM_ID", f"{path}, row {n}") for n, line in lines if line)
    found = set()
    for where, row in _rows(path, ("split",), either=("_id", "hadm_id")):
        known = _PARTS.get(row["split"].strip().lower())
        if known is None:
            raise InputError(f"{where}: the column split is none of train, val, dev, test")
        if known == _PARTS[part]:
            found.add(_number(row.get("_id") or row.get("hadm_id") or "", "_id", where))
    if not found:
        raise InputError(f"{path}: holds no admission of the part {part}")
    return frozenset(found)


# ---- one text and one list of codes for each admission


@dataclass(slots=True)
class _Admission:
    """Pieces still to come, and those that are there."""

    left: int
    pieces: list[Note]


def _documents(
    notes: Callable[[], Iterator[Note]],
    codes: Mapping[str, Sequence[tuple[str, str]]],
    only: frozenset[str] | None,
    told: Callable[[str], None],
) -> Iterator[CodedDocument]:
    pieces = Counter(note.admission for note in notes())
    wanted = {a for a in pieces if a in codes and (only is None or a in only)}
    uncoded = sum(1 for a in pieces if a not in codes and (only is None or a in only))
    unwritten = sum(1 for a in codes if a not in pieces)
    if uncoded:
        told(f"{uncoded} admissions have a discharge summary and no code: left out")
    if unwritten:
        told(f"{unwritten} admissions have codes and no discharge summary: left out")
    begun: dict[str, _Admission] = {}
    for note in notes():
        if note.admission not in wanted:
            continue
        here = begun.setdefault(note.admission, _Admission(pieces[note.admission], []))
        here.pieces.append(note)
        here.left -= 1
        if not here.left:
            del begun[note.admission]
            yield _document(here.pieces, codes[note.admission])


def _document(pieces: list[Note], codes: Sequence[tuple[str, str]]) -> CodedDocument:
    pieces.sort(key=lambda note: note.order)
    labels = tuple(Label(system, code) for system, code in codes)
    pair = _ICD9 if labels[0].system.startswith("icd9") else _ICD10
    return CodedDocument(
        id=pieces[0].admission,
        text="\n\n".join(note.text for note in pieces),
        codes=labels,
        group=pieces[0].patient,
        systems=tuple(dict.fromkeys((*pair, *(label.system for label in labels)))),
        setting="inpatient",
        document_type="discharge_summary",
    )


def _codes(
    files: Sequence[Path], systems: tuple[str, str], version: str | None, only: frozenset[str] | None
) -> dict[str, list[tuple[str, str]]]:
    """admission -> (system, code) of diagnoses and then procedures, each in the order of seq_num."""
    out: dict[str, list[tuple[str, str]]] = {}
    for which, file in enumerate(files):
        name = "icd_code" if version else "icd9_code"
        listed: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        columns = ("hadm_id", "seq_num", name, *([version] if version else []))
        for where, row in _rows(file, columns):
            raw = row[name].strip().upper()
            admission = _number(row["hadm_id"], "hadm_id", where)
            if not raw or (only is not None and admission not in only):
                continue  # MIMIC-III has admissions without codes, as rows without a code
            system = systems[which]
            if version:
                edition = row[version].strip()
                if edition not in ("9", "10"):
                    raise InputError(f"{where}: the column {version} is neither 9 nor 10")
                system = (_ICD9 if edition == "9" else _ICD10)[which]
            place = row["seq_num"].strip()
            order = int(_number(place, "seq_num", where)) if place else len(listed[admission]) + 10_000
            listed[admission].append((order, intern(system), intern(_dotted(system, raw, where))))
        for admission, rows in listed.items():
            own = out.setdefault(admission, [])
            own += [pair for pair in dict.fromkeys((s, c) for _, s, c in sorted(rows)) if pair not in own]
    return out


def _dotted(system: str, raw: str, where: str) -> str:
    key = raw.replace(".", "")
    if not re.fullmatch(r"[0-9A-Z]{2,7}", key) or (system == "icd9cm" and len(key) < 3):
        raise InputError(f"{where}: no code of {system}; a spreadsheet takes leading zeros away")
    at = dot_after(system, key)
    return key if not at or len(key) <= at else f"{key[:at]}.{key[at:]}"


def _number(cell: str, column: str, where: str) -> str:
    """A whole number as it is written without ".0", which a data frame with gaps adds."""
    found = re.fullmatch(r"\s*(\d{1,18})(?:\.0+)?\s*", cell)
    if found is None:
        raise InputError(f"{where}: the column {column} is no whole number")
    return found[1]


# ---- files


def _found(folder: Path, names: Sequence[str]) -> list[Path]:
    """The file of each name below the folder, `.csv` or `.csv.gz`. Raises InputError."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give the one that holds {', '.join(f'{n}.csv' for n in names)}")
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    out = []
    for name in names:
        own = [p for p in files if p.name.lower() in (f"{name.lower()}.csv", f"{name.lower()}.csv.gz")]
        if len(own) != 1:
            what = "no" if not own else f"{len(own)}"
            raise InputError(f"{folder}: {what} {name}.csv or {name}.csv.gz below it, and one is needed")
        out += own
    return out


def _opened(path: Path) -> IO[str]:
    try:
        with path.open("rb") as handle:
            packed = handle.read(2) == b"\x1f\x8b"
        if packed:
            return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def _rows(path: Path, columns: Sequence[str], *, either: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, str]]]:
    """(file and row, cells of these columns by their name in small letters). either: columns of which one must be there."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_BYTES))
    line = 1
    try:
        with _opened(path) as handle:
            reader = csv.reader(handle, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in columns if name not in header]
            if missing or (either and not set(either) & set(header)):
                wanted = ", ".join(missing) or " or ".join(either)
                raise InputError(f"{path}, row 1: lacks the column {wanted}")
            places = [(name, header.index(name)) for name in (*columns, *(e for e in either if e in header))]
            line = reader.line_num + 1
            for cells in reader:
                if cells and len(cells) != len(header):
                    raise InputError(f"{path}, row {line}: {len(cells)} columns, the header has {len(header)}")
                if cells:
                    yield f"{path}, row {line}", {name: cells[at] for name, at in places}
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, row {line}: is not UTF-8 (byte {error.start} of what was read)") from None
    except csv.Error:
        raise InputError(f"{path}, row {line}: its quoting is broken, or a cell is too long") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}, row {line}: cannot be read on ({type(error).__name__}): cut or damaged") from None
