"""Coded documents: what a model is trained on and measured against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesuggest.errors import InputError
from codesuggest.parallel import Span, carried_over


@dataclass(frozen=True, slots=True)
class Label:
    """A code a document was given. tier: "required" or "acceptable". alt_for: codes of the document it can stand for.

    evidence: (start, end) in code points of the text, end exclusive. mentions: the same, grouped, where it is known which of them
    are parts of one mention ("pain ... in the left testis").
    """

    system: str
    code: str
    tier: str = "required"
    alt_for: tuple[str, ...] = ()
    evidence: tuple[tuple[int, int], ...] = ()
    mentions: tuple[tuple[tuple[int, int], ...], ...] = ()

    @property
    def marked(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The evidence by mention; spans of which nothing else is known are one mention each."""
        return self.mentions or tuple((span,) for span in self.evidence)


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
    "icd10cm" unless given. Raises InputError naming the file and line, never quoting a note.
    """
    path = Path(path)
    rows: list[tuple[str, Mapping[str, Any]]] = []
    try:
        if path.is_dir():
            for file in sorted(path.glob("*.json")):
                row = json.loads(file.read_bytes())
                row["text"] = file.with_suffix(".txt").read_bytes().decode("utf-8")
                rows.append((str(file), row))
        else:
            for n, line in enumerate(path.read_bytes().split(b"\n"), 1):
                if line.strip():
                    rows.append((f"{path}, line {n}", json.loads(line)))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as coded documents ({type(error).__name__})") from None
    return [_coded(where, row, policy) for where, row in rows]


def _coded(where: str, row: Mapping[str, Any], policy: str) -> CodedDocument:
    try:
        codes = tuple(
            Label(
                c.get("system", "icd10cm"),
                c["code"],
                c.get("tier", "required"),
                tuple(c.get("alt_for") or ()),
                tuple((int(a), int(b)) for a, b in c.get("evidence") or ()),
            )
            for c in row["codes"]
        )
        if not isinstance(row["text"], str) or not all(isinstance(c.code, str) and c.code for c in codes):
            raise TypeError
        found = dict.fromkeys(["icd10cm", *(c.system for c in codes)])
        return CodedDocument(
            id=str(row["id"]),
            text=row["text"],
            codes=codes,
            group=row.get("group"),
            policy=row.get("policy", policy),
            systems=tuple(row.get("systems") or found),
            setting=row.get("setting"),
            document_type=row.get("document_type"),
            service_date=row.get("service_date"),
            split=row.get("split", "train"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{where}: not a coded document ({type(error).__name__}: see read_coded for the keys)"
        ) from None


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
        mentions: dict[str, set[tuple[Span, ...]]] = {}
        for code, spans in marks.get(name, ()):
            # of a translation the parts are guesses, so each is taken for itself
            mentions.setdefault(code, set()).update([spans] if language != "en" else [(span,) for span in spans])
        labels = [
            Label(
                system,
                code,
                evidence=tuple(sorted({span for mention in mentions.get(code, ()) for span in mention})),
                mentions=tuple(sorted(mentions[code])) if code in mentions and language != "en" else (),
            )
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
