"""What other systems said of the same documents, as rows that `evaluation.score` takes.

    read_results("comprehend/", adapter="comprehend", ids=["visit1", ...])  ->  {"id", "suggestions": [...]}, ...

Adapters: "codesuggest", the lines of a batch; "comprehend", the answers of Amazon Comprehend Medical's InferICD10CM; "csv",
a table with the columns id and code, and where it has them confidence, suggested, system, start and end.

Nothing is sent anywhere: the answers are files that whoever compares has got.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesuggest.coded import CodedDocument, Label
from codesuggest.errors import InputError, OptionError
from codesuggest.inputs import Wanted, read_rows
from codesuggest.levels import plain

#: Traits of an entity by which nobody would bill it, and what we call them.
_TRAITS = {"NEGATION": "negated", "PERTAINS_TO_FAMILY": "family", "HYPOTHETICAL": "hypothetical"}
_COLUMNS = ("code", "confidence", "suggested", "system", "start", "end")
_MARKS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_ENDINGS = re.compile(r"(?:\.txt)?(?:\.json|\.out)$")


def read_results(
    path: str | Path, *, adapter: str | None = None, ids: Sequence[str], system: str = "icd10cm"
) -> list[dict[str, Any]]:
    """The results of a file or folder, one row a document.

    adapter: by default by the ending and the keys. ids: of the documents; one that a table of codes does not name was given
    no code. system: of codes that do not say it.

    Raises InputError naming file and line, OptionError for another adapter.
    """
    path = Path(path)
    adapter = adapter or _guess(path)
    if adapter not in ADAPTERS:
        raise OptionError(f"adapter must be one of {', '.join(ADAPTERS)}")
    rows = ADAPTERS[adapter](path, ids, system)
    if not {row["id"] for row in rows} & set(ids):
        raise InputError(f"{path}: none of its ids is that of a document; ids must be the same in both")
    return rows


def _guess(path: Path) -> str:
    if path.suffix.lower() in (".csv", ".tsv", ".parquet"):
        return "csv"
    first = next(_objects(path), None)
    if first is None:
        raise InputError(f"{path}: holds no result")
    return "comprehend" if _entities(first[2]) is not None else "codesuggest"


def _objects(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(where, id of the file's name, object) of a JSON-lines file, a JSON file, or all JSON files of a folder."""
    try:
        if path.is_dir():
            for file in sorted(p for p in path.iterdir() if _ENDINGS.search(p.name)):
                yield from _objects(file)
            return
        raw = path.read_bytes()
        lines = raw.split(b"\n") if path.suffix.lower() in (".jsonl", ".ndjson") else [raw]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    for n, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = str(path) if len(lines) == 1 else f"{path}, line {n}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: is no JSON ({type(error).__name__})") from None
        if not isinstance(row, dict):
            raise InputError(f"{where}: is no JSON object")
        yield where, _ENDINGS.sub("", path.name), row


def _ours(path: Path, ids: Sequence[str], system: str) -> list[dict[str, Any]]:
    rows = []
    for where, _, row in _objects(path):
        listed = row.get("suggestions")
        if not isinstance(row.get("id"), str) or not (isinstance(listed, list) or row.get("error")):
            raise InputError(f"{where}: is no line of a batch: it needs the keys id and suggestions")
        if not all(isinstance(s, dict) and isinstance(s.get("code"), str) for s in listed or ()):
            raise InputError(f"{where}: a suggestion needs the key code")
        rows.append(row)
    return rows


# ---- Amazon Comprehend Medical


def _comprehend(path: Path, ids: Sequence[str], system: str) -> list[dict[str, Any]]:
    """The answers of InferICD10CM: a file ID.json (or ID.txt.out, as its batches write) a document, or JSON lines with "id".

    Of each entity all concepts are listed, the likeliest is suggested; confidence is the concept's Score. Entities that are
    negated, hypothetical or a relative's are withheld, by their traits.
    """
    if system != "icd10cm":
        raise OptionError("InferICD10CM knows ICD-10-CM only")
    return [_answer(where, str(row.get("id", name)), row) for where, name, row in _objects(path)]


def _entities(row: Mapping[str, Any]) -> list[Any] | None:
    """The entities of an answer that is the object itself or the value of one of its keys."""
    held = [row, *(value for value in row.values() if isinstance(value, dict))]
    return next((h["Entities"] for h in held if isinstance(h.get("Entities"), list)), None)


def _answer(where: str, id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    entities = _entities(row)
    if entities is None:
        raise InputError(f"{where}: holds no Entities, as an answer of InferICD10CM does")
    found: dict[str, dict[str, Any]] = {}
    withheld = []
    try:
        for entity in entities:
            span = {"start": int(entity["BeginOffset"]), "end": int(entity["EndOffset"])}
            traits = [_TRAITS[t["Name"]] for t in entity.get("Traits") or () if t["Name"] in _TRAITS]
            if traits:
                withheld.append({**span, "reason": traits[0]})
                continue
            concepts = sorted(entity.get("ICD10CMConcepts") or (), key=lambda c: -float(c["Score"]))
            for n, concept in enumerate(concepts):
                said = found.setdefault(
                    plain(concept["Code"]),
                    {
                        "system": "icd10cm",
                        "code": concept["Code"],
                        "confidence": 0.0,
                        "suggested": False,
                        "evidence": [],
                    },
                )
                said["confidence"] = max(said["confidence"], float(concept["Score"]))
                said["suggested"] |= n == 0
                said["evidence"].append(span)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where}: an entity is not as InferICD10CM writes it ({type(error).__name__})") from None
    listed = sorted(found.values(), key=lambda s: (-s["confidence"], s["code"]))
    return {"id": id, "suggestions": listed, "withheld": withheld, "error": None}


# ---- a table of codes


def _table(path: Path, ids: Sequence[str], system: str) -> list[dict[str, Any]]:
    """A row a code. With a confidence the best come first, else the order is that of the table; all are suggested, unless a
    column says which."""
    rows: dict[str, list[dict[str, Any]]] = {id: [] for id in ids}
    for row in read_rows([path], Wanted("id", "code", _COLUMNS, "utf-8", None)):
        if row.problem is not None:
            raise row.problem
        cells = {key: "" if (value := row.values.get(key)) is None else str(value).strip() for key in ("id", *_COLUMNS)}
        if not cells["id"] or not cells["code"]:
            raise InputError(f"{row.where}: a row needs an id and a code")
        rows.setdefault(cells["id"], []).append(_coded(row.where, cells, system))
    for own in rows.values():
        if all(s["confidence"] is not None for s in own):
            own.sort(key=lambda s: -s["confidence"])
    return [{"id": id, "suggestions": own, "error": None} for id, own in rows.items()]


def _coded(where: str, cells: Mapping[str, str], system: str) -> dict[str, Any]:
    mark = _MARKS.get(cells["suggested"].lower() or "true")
    if mark is None:
        raise InputError(f"{where}: column 'suggested' is neither true nor false")
    try:
        confidence = float(cells["confidence"]) if cells["confidence"] else None
        span = [{"start": int(cells["start"]), "end": int(cells["end"])}] if cells["start"] and cells["end"] else []
    except ValueError:
        raise InputError(f"{where}: columns confidence, start and end hold numbers") from None
    named = cells["system"].lower().replace("-", "") or system
    return {"system": named, "code": cells["code"], "confidence": confidence, "suggested": mark, "evidence": span}


ADAPTERS: Mapping[str, Callable[[Path, Sequence[str], str], list[dict[str, Any]]]] = {
    "codesuggest": _ours,
    "comprehend": _comprehend,
    "csv": _table,
}


# ---- CodiEsp's habits


def forgiving(
    documents: Sequence[CodedDocument], results: Sequence[Mapping[str, Any]], *, system: str
) -> tuple[list[CodedDocument], list[dict[str, Any]]]:
    """Documents and results with codes as CodiEsp (2020) writes half of its own: what its stems cannot tell is forgiven.

    ICD-10-PCS is cut to four characters. In ICD-10-CM trailing placeholders are dropped, and a code of seven characters
    counts for the gold code that it extends by its last. A code that several come down to counts once, at the place of
    the first, with the best confidence.
    """
    golds, rows, held = [], [], {str(row["id"]): row for row in results}
    for document in documents:
        codes = {_loose(c.code, (), system) for c in document.codes if c.system == system}
        golds.append(replace(document, codes=tuple(Label(system, code) for code in sorted(codes))))
        row = held.get(document.id)
        if row is None:
            continue
        out: dict[str, dict[str, Any]] = {}
        listed: set[str] = set()  # of a code that is listed twice the first counts, here as everywhere
        for s in row.get("suggestions") or ():
            if s.get("system", "icd10cm").lower().replace("-", "") != system or plain(s["code"]) in listed:
                continue
            listed.add(plain(s["code"]))
            code = _loose(s["code"], codes, system)
            said = out.setdefault(code, {**s, "code": code})
            said["suggested"] = said.get("suggested") or s.get("suggested")
            said["confidence"] = max(said.get("confidence") or 0.0, s.get("confidence") or 0.0)
        rows.append({**row, "suggestions": list(out.values())})
    return golds, rows


def _loose(code: str, gold: Sequence[str] | set[str], system: str) -> str:
    code = plain(code)
    if system == "icd10pcs":
        return code[:4]
    full, stem = code.rstrip("X"), code[:6].rstrip("X")
    return stem if full not in gold and len(code) >= 7 and stem in gold else full
