"""Coded documents: what a model is trained on and measured against."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesuggest.errors import InputError
from codesuggest.parallel import Span, carried_over

SETTINGS = ("inpatient", "outpatient")
POLICIES = ("billing", "mentions")
TIERS = ("required", "acceptable")


@dataclass(frozen=True, slots=True)
class Label:
    """A code a document was given. tier: "required" or "acceptable". alt_for: codes of the document it can stand for.

    evidence: (start, end) in code points of the text, end exclusive.
    """

    system: str
    code: str
    tier: str = "required"
    alt_for: tuple[str, ...] = ()
    evidence: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class CodedDocument:
    """A document with the codes it was given: what is trained on and measured against.

    group: documents of one patient (or one family of invented notes) share it; they are never split. policy: "billing",
    the codes a coder would bill, or "mentions", a code for whatever is mentioned. systems: those it was coded in, also
    when it got none of their codes. split: "evaluation" for a document that no model may be trained on, else "train".
    """

    id: str
    text: str
    codes: tuple[Label, ...]
    group: str | None = None
    policy: str = "billing"
    systems: tuple[str, ...] = ("icd10cm",)
    setting: str | None = None
    document_type: str | None = None
    service_date: str | None = None
    split: str = "train"

    def labels(self, system: str) -> dict[str, str] | None:
        """code -> tier in one system, None if the document was not coded in it."""
        if system not in self.systems:
            return None
        return {label.code: label.tier for label in self.codes if label.system == system}

    def required(self, system: str) -> list[frozenset[str]]:
        """For each required code of the system, the codes that find it: itself and its alternatives."""
        own = [label for label in self.codes if label.system == system]
        return [frozenset({r.code} | {a.code for a in own if r.code in a.alt_for}) for r in own if r.tier == "required"]


def notes_path() -> Path:
    """The invented notes that ship with the package: beside the modules in a wheel, in `corpora/` of a checkout."""
    here = Path(__file__).parent
    installed = here / "corpora" / "notes"
    return installed if installed.is_dir() else here.parent / "corpora" / "notes"


def read_coded(path: str | Path, *, policy: str = "billing") -> list[CodedDocument]:
    """Coded documents of a JSON-lines file, or of a folder of `NAME.txt` with `NAME.json` beside it.

    A row is {"id", "text", "codes": [{"system"?, "code", "tier"?, "alt_for"?, "evidence"?}], "group"?, "policy"?,
    "systems"?, "setting"?, "document_type"?, "service_date"?, "split"?}; in a folder the text stands in the .txt. `system` is
    "icd10cm" unless given, `systems` those of the codes. Raises InputError naming the file, the line and the key, never
    quoting a note; also for an id that stands twice and for a file without a document.
    """
    documents = list(iter_coded(path, policy=policy))
    if not documents:
        raise InputError(f"{path}: holds no coded document; see read_coded for what a line holds")
    return documents


def iter_coded(path: str | Path, *, policy: str = "billing") -> Iterator[CodedDocument]:
    """As `read_coded`, a document at a time. Raises when it comes to the row that will not do."""
    path = Path(path)
    seen: dict[str, str] = {}
    for where, row in _folder_rows(path) if path.is_dir() else _line_rows(path):
        document = _coded(where, row, policy)
        if document.id in seen:
            raise InputError(
                f"{where}: the key id holds what {seen[document.id]} holds already; every document has its own"
            )
        seen[document.id] = where
        yield document


def _line_rows(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        with path.open("rb") as handle:
            for n, line in enumerate(handle, 1):
                if line.strip(b" \t\r\n\xef\xbb\xbf"):
                    yield f"{path}, line {n}", _json(line, f"{path}, line {n}")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read as coded documents ({error.strerror or type(error).__name__})"
        ) from None


def _folder_rows(path: Path) -> Iterator[tuple[str, Any]]:
    for file in sorted(path.glob("*.json")):
        text = file.with_suffix(".txt")
        try:
            row, raw = _json(file.read_bytes(), str(file)), text.read_bytes()
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read ({error.strerror or type(error).__name__})") from None
        if not isinstance(row, dict):
            raise InputError(f"{file}: is no JSON object")
        try:
            yield str(file), {**row, "text": raw.decode("utf-8")}
        except UnicodeDecodeError as error:
            raise InputError(f"{text}: is not UTF-8 (byte {error.start})") from None


def _json(raw: bytes, where: str) -> Any:
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: is not UTF-8 (byte {error.start})") from None
    except (ValueError, RecursionError) as error:  # from None: the error carries the line itself
        column = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{where}: is no JSON that can be read{column}") from None


def _coded(where: str, row: Any, policy: str) -> CodedDocument:
    if not isinstance(row, dict):
        raise InputError(
            f'{where}: is no JSON object; a line is {{"id": "1", "text": "...", "codes": [{{"code": "I10"}}]}}'
        )

    def wrong(key: str, why: str) -> InputError:
        return InputError(f"{where}: the key {key} {why}")

    def word(key: str, allowed: tuple[str, ...] = ()) -> str | None:
        value = row.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise wrong(key, "must be a word")
        if value is not None and allowed and value not in allowed:
            raise wrong(key, f"must be one of {', '.join(allowed)}")
        return value

    def day(key: str) -> str | None:
        value = word(key)
        try:
            if value is not None and dt.date.fromisoformat(value).isoformat() != value:
                raise ValueError
        except ValueError:
            raise wrong(key, "must be a day as 2026-03-02") from None
        return value

    for key in ("id", "text", "codes"):
        if row.get(key) is None:
            raise wrong(key, "is missing")
    if not isinstance(row["id"], str | int) or isinstance(row["id"], bool) or row["id"] == "":
        raise wrong("id", "must be a word or a whole number")
    text, group = row["text"], row.get("group")
    if not isinstance(text, str):
        raise wrong("text", "must be a text")
    if group is not None and (not isinstance(group, str | int) or isinstance(group, bool)):
        raise wrong("group", "must be a word or a whole number")
    if not isinstance(row["codes"], list):
        raise wrong("codes", "must be a list")
    codes = tuple(_label(c, len(text), f"{where}: the key codes[{n}]") for n, c in enumerate(row["codes"]))
    systems = row.get("systems")
    if systems is not None and (not isinstance(systems, list) or not all(isinstance(s, str) and s for s in systems)):
        raise wrong("systems", "must be a list of names")
    return CodedDocument(
        id=str(row["id"]),
        text=text,
        codes=codes,
        group=None if group is None else str(group),
        policy=word("policy", POLICIES) or policy,
        systems=tuple(systems or dict.fromkeys(c.system for c in codes) or ("icd10cm",)),
        setting=word("setting", SETTINGS),
        document_type=word("document_type", _document_types()) if row.get("document_type") else None,
        service_date=day("service_date"),
        split=word("split") or "train",
    )


def _document_types() -> tuple[str, ...]:
    from codesuggest.pipes.structure import DOCUMENT_TYPES  # which imports spaCy

    return DOCUMENT_TYPES


def _label(row: Any, length: int, where: str) -> Label:
    """A code of a document of `length` code points. where: file, line and key, for messages."""
    if not isinstance(row, dict):
        raise InputError(f'{where} must be an object, as {{"system": "icd10cm", "code": "I10"}}')
    system, code = row.get("system", "icd10cm"), row.get("code")
    for key, value in (("system", system), ("code", code)):
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{where}.{key} is missing or no word")
    tier = row.get("tier", "required")
    if tier not in TIERS:
        raise InputError(f"{where}.tier must be one of {', '.join(TIERS)}")
    others = row.get("alt_for") or []
    if not isinstance(others, list) or not all(isinstance(other, str) for other in others):
        raise InputError(f"{where}.alt_for must be a list of codes")
    evidence = row.get("evidence") or []
    if not isinstance(evidence, list) or not all(_is_span(span, length) for span in evidence):
        raise InputError(f"{where}.evidence must be [start, end] pairs within the text, in code points, end exclusive")
    return Label(str(system), str(code), tier, tuple(others), tuple((span[0], span[1]) for span in evidence))


def _is_span(span: Any, length: int) -> bool:
    return (
        isinstance(span, list)
        and len(span) == 2
        and all(isinstance(place, int) and not isinstance(place, bool) for place in span)
        and 0 <= span[0] < span[1] <= length
    )


def read_codiesp(folder: str | Path, split: str = "train", *, language: str = "en") -> list[CodedDocument]:
    """CodiEsp as published: `folder/train/trainD.tsv`, `trainP.tsv`, `trainX.tsv` and `text_files_en/*.txt` (or
    `text_files`).

    Every mention is coded, so the policy is "mentions". The mentions marked in the Spanish text are the evidence of their
    codes; in English they are where the translation has them (`parallel.py`), and a tenth of them is missing.
    Miranda-Escalada et al., CLEF eHealth 2020, CC BY 4.0.
    Raises InputError naming the file that is missing or malformed.
    """
    base = Path(folder) / split
    codes: dict[str, list[tuple[str, str]]] = {}
    try:
        for system, letter in (("icd10cm", "D"), ("icd10pcs", "P")):
            for line in (base / f"{split}{letter}.tsv").read_text(encoding="utf-8").splitlines():
                document, code = line.split("\t")[:2]
                codes.setdefault(document, []).append((system, code.upper()))
        marked = base / f"{split}X.tsv"
        marks = _codiesp_marks(marked) if marked.is_file() else {}
        texts = {f.stem: f.read_bytes().decode("utf-8") for f in sorted((base / "text_files").glob("*.txt"))}
        if language == "en":
            own, texts = texts, {}
            for file in sorted((base / "text_files_en").glob("*.txt")):
                texts[file.stem] = file.read_bytes().decode("utf-8")
            names = [name for name in texts if name in own]
            there = carried_over(
                [(own[n], texts[n]) for n in names], [[spans for _, spans in marks.get(n, ())] for n in names]
            )
            marks = {
                n: [(code, spans) for (code, _), spans in zip(marks.get(n, ()), found, strict=True)]
                for n, found in zip(names, there, strict=True)
            }
    except (OSError, ValueError) as error:
        raise InputError(f"{base}: not the CodiEsp layout ({type(error).__name__}); see read_codiesp") from None
    out = []
    for name, text in texts.items():
        evidence: dict[str, list[Span]] = {}
        for code, spans in marks.get(name, ()):
            evidence.setdefault(code, []).extend(spans)
        labels = [
            Label(system, code, evidence=tuple(sorted(set(evidence.get(code, ())))))
            for system, code in dict.fromkeys(codes.get(name, ()))
        ]
        out.append(CodedDocument(name, text, tuple(labels), policy="mentions", systems=("icd10cm", "icd10pcs")))
    return out


def _codiesp_marks(path: Path) -> dict[str, list[tuple[str, tuple[Span, ...]]]]:
    """document -> (code, spans of one mention) as marked in the Spanish text. Raises OSError, ValueError."""
    out: dict[str, list[tuple[str, tuple[Span, ...]]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        document, _, code, _, places = line.split("\t")
        spans = []
        for place in places.split(";"):
            start, end = map(int, place.split())
            spans.append((start, end))
        out.setdefault(document, []).append((code.upper(), tuple(spans)))
    return out
