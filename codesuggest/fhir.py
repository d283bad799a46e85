"""FHIR bundles and bulk exports -> coded documents, one for each encounter.

    DocumentReference   the text: base64 in content[].attachment.data of a text/plain attachment
    Condition           diagnoses: code.coding[] of the systems in `codes/fhir_systems.tsv`, by `encounter`
    Procedure           procedures, in the same way
    Encounter           class and period, if there: setting and service date

A handful of fields of R4 (4.0.1), R4B and R5 is read, and read strictly; the rest of a resource is nobody's business here. The
library `fhir.resources` would check each resource whole against one release of the standard: it refuses what a hospital's
server really sends (a profile's field, another release), and its messages quote the values they refuse, which are a patient's.

Memory holds one bundle (or one line of a bulk export), the codes of all encounters, and the texts of an encounter whose other
documents are still to come; the files are read twice.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from codesuggest.coded import CodedDocument, Label
from codesuggest.errors import InputError
from codesuggest.inputs import MAX_BYTES
from codesuggest.pipes.lexicon import read_lexicon

_SYSTEMS_FILE = Path(__file__).parent / "codes" / "fhir_systems.tsv"
#: A condition that was ruled out or written by mistake is no code of the encounter; a procedure that was not done neither.
_VOID = {
    "Condition": ("refuted", "entered-in-error"),
    "Procedure": ("entered-in-error", "not-done"),
    "DocumentReference": ("entered-in-error", "superseded"),
}
#: ActCode of HL7 v3 -> setting.
_SETTINGS = {
    "IMP": "inpatient",
    "ACUTE": "inpatient",
    "NONAC": "inpatient",
    "AMB": "outpatient",
    "EMER": "outpatient",
    "OBSENC": "outpatient",
    "HH": "outpatient",
    "VR": "outpatient",
}
_MAX_BUNDLE = 8 * MAX_BYTES  #: bytes of one bundle

Key = tuple[str, str]  #: a bundle (or "" for all lines of an export), and an encounter in it


@dataclass(slots=True)
class _Encounter:
    codes: dict[tuple[str, str], None] = field(default_factory=dict)
    setting: str | None = None
    day: str | None = None
    documents: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    date: str
    id: str
    patient: str
    text: str


def read_fhir(path: str | Path, *, told: Callable[[str], None] = lambda _: None) -> Iterator[CodedDocument]:
    """Encounters with a text and a code, of a bundle (.json), of lines of resources (.ndjson), or of a folder of both.

    Id is that of the encounter, group that of the patient. The documents of an encounter are one text, oldest first, a blank
    line between them. told: how many documents were left out, and why. Raises InputError naming file and entry.
    """
    files = _files(Path(path))
    encounters: dict[Key, _Encounter] = {}
    left_out: Counter[str] = Counter()
    for where, bundle, resource in _resources(files):
        _note(where, bundle, resource, encounters, left_out)
    for why, count in sorted(left_out.items()):
        told(f"{count} documents {why}: left out")
    wanted = {key for key, e in encounters.items() if e.codes and e.documents}
    uncoded = sum(1 for e in encounters.values() if e.documents and not e.codes)
    if uncoded:
        told(f"{uncoded} encounters have a text and no code: left out")
    return _documents(files, encounters, wanted)


def _documents(files: list[Path], encounters: dict[Key, _Encounter], wanted: set[Key]) -> Iterator[CodedDocument]:
    begun: dict[Key, list[_Piece]] = {}
    ids = Counter(encounter for _, encounter in wanted)
    for where, bundle, resource in _resources(files):
        if resource["resourceType"] != "DocumentReference" or _why_left_out(resource) is not None:
            continue
        key = (bundle, _encounter_of(resource) or "")
        if key not in wanted:
            continue
        pieces = begun.setdefault(key, [])
        pieces.append(
            _Piece(
                str(resource.get("date") or ""),
                _id(resource),
                _reference(resource.get("subject")),
                _text(where, resource),
            )
        )
        encounter = encounters[key]
        if len(pieces) == encounter.documents:
            del begun[key]
            pieces.sort(key=lambda piece: (piece.date, piece.id))
            labels = tuple(Label(system, code) for system, code in encounter.codes)
            yield CodedDocument(
                id=key[1] if ids[key[1]] == 1 else f"{key[0]}:{key[1]}",
                text="\n\n".join(piece.text for piece in pieces),
                codes=labels,
                group=next((piece.patient for piece in pieces if piece.patient), None),
                systems=tuple(dict.fromkeys(label.system for label in labels)),
                setting=encounter.setting,
                service_date=encounter.day,
            )


def _note(
    where: str, bundle: str, resource: dict[str, Any], encounters: dict[Key, _Encounter], left_out: Counter[str]
) -> None:
    """Takes down what one resource says of its encounter; a text only counts."""
    kind = resource["resourceType"]
    if kind == "Encounter":
        own = encounters.setdefault((bundle, _id(resource)), _Encounter())
        codes = _strings(resource.get("class"), "code")
        own.setting = next((_SETTINGS[c] for c in codes if c in _SETTINGS), None)
        period = resource.get("period")
        day = (period.get("end") or period.get("start")) if isinstance(period, dict) else None
        own.day = day[:10] if isinstance(day, str) and re.match(r"\d{4}-\d\d-\d\d", day) else None
    elif kind in ("Condition", "Procedure"):
        encounter = _encounter_of(resource)
        status = {str(resource.get("status")), *_strings(resource.get("verificationStatus"), "code")}
        if encounter is None or status & set(_VOID[kind]):
            return
        own = encounters.setdefault((bundle, encounter), _Encounter())
        own.codes.update(dict.fromkeys(_codings(where, resource)))
    elif kind == "DocumentReference":
        why = _why_left_out(resource)
        if why is not None:
            left_out[why] += 1
        else:
            encounters.setdefault((bundle, _encounter_of(resource) or ""), _Encounter()).documents += 1


def _why_left_out(resource: dict[str, Any]) -> str | None:
    if resource.get("status") in _VOID["DocumentReference"]:
        return "are superseded or entered in error"
    if _encounter_of(resource) is None:
        return "name no encounter"
    if _attachment(resource) is None:
        return "hold no text/plain data (an address or another format)"
    return None


def _codings(where: str, resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    concept = resource.get("code")
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if not isinstance(coding, dict):
            raise InputError(f"{where}: code.coding holds what is no object")
        system = _system(str(coding.get("system")), resource["resourceType"])
        if system is None:
            continue  # SNOMED CT and local codes stand beside those we learn
        code = coding.get("code")
        if not isinstance(code, str) or not code.strip():
            raise InputError(f"{where}: code.coding names {system} and holds no code")
        yield system, code.strip()


@cache
def _systems() -> dict[tuple[str, str], str]:
    columns = ("uri", "kind", "system", "source")
    rows = read_lexicon(_SYSTEMS_FILE, columns, optional=("kind",), unique=("uri", "kind"))
    return {(row["uri"].lower(), row["kind"]): row["system"] for row in rows}


def _system(uri: str, kind: str) -> str | None:
    known = _systems()
    key = uri.strip().rstrip("/").lower()
    return known.get((key, kind)) or known.get((key, ""))


# ---- fields


def _id(resource: dict[str, Any]) -> str:
    return str(resource.get("id") or "")


def _reference(value: Any) -> str:
    """The id that a reference ends in, "" for none: "Encounter/7", "https://.../Encounter/7/_history/1", "urn:uuid:7"."""
    text = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(text, str):
        return ""
    return re.split(r"[/:#]", text.partition("/_history")[0])[-1]


def _encounter_of(resource: dict[str, Any]) -> str | None:
    """Of a Condition or Procedure `encounter`, of a document `context.encounter[]` (R4) or `context[]` (R5)."""
    places: list[Any] = [resource.get("encounter")]
    context = resource.get("context")
    if isinstance(context, dict):
        inner = context.get("encounter")
        places += inner if isinstance(inner, list) else [inner]
    elif isinstance(context, list):
        places += [c for c in context if isinstance(c, dict) and "Appointment/" not in str(c.get("reference"))]
    return next((found for place in places if (found := _reference(place))), None)


def _strings(value: Any, key: str) -> list[str]:
    """What stands under `key` in a Coding, in a CodeableConcept or in a list of either."""
    if isinstance(value, list):
        return [found for each in value for found in _strings(each, key)]
    if not isinstance(value, dict):
        return []
    own = value.get(key)
    return ([own] if isinstance(own, str) else []) + _strings(value.get("coding"), key)


def _attachment(resource: dict[str, Any]) -> dict[str, Any] | None:
    content = resource.get("content")
    for each in content if isinstance(content, list) else ():
        found = each.get("attachment") if isinstance(each, dict) else None
        if isinstance(found, dict) and isinstance(found.get("data"), str):
            kind = str(found.get("contentType") or "text/plain")
            if kind.partition(";")[0].strip().lower() == "text/plain":
                return found
    return None


def _text(where: str, resource: dict[str, Any]) -> str:
    attachment = _attachment(resource) or {}
    named = re.search(r"charset=\"?([\w-]+)", str(attachment.get("contentType")), re.I)
    try:
        raw = base64.b64decode(re.sub(r"\s+", "", attachment["data"]), validate=True)
        return raw.decode(named[1] if named else "utf-8")
    except (binascii.Error, ValueError, LookupError) as error:  # from None: a decoding error carries the text
        raise InputError(f"{where}: content.attachment.data is no text in base64 ({type(error).__name__})") from None


# ---- files


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".json", ".ndjson") and p.is_file())
        if not found:
            raise InputError(f"{path}: holds no .json or .ndjson")
        return found
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return [path]


def _resources(files: list[Path]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(file and entry, bundle, resource) of every file, in order."""
    for file in files:
        try:
            with file.open("rb") as handle:
                if file.suffix.lower() == ".ndjson":
                    for n, line in enumerate(handle, 1):
                        if line.strip():
                            yield from _unpacked(f"{file}, line {n}", "", _json(line, f"{file}, line {n}"))
                    continue
                raw = handle.read(_MAX_BUNDLE + 1)
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror or type(error).__name__})") from None
        if len(raw) > _MAX_BUNDLE:
            raise InputError(f"{file}: over {_MAX_BUNDLE} bytes; export it as .ndjson, which is read line by line")
        yield from _unpacked(str(file), file.stem, _json(raw, str(file)))


def _unpacked(where: str, bundle: str, value: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise InputError(f"{where}: is no FHIR resource: it has no resourceType")
    if value["resourceType"] != "Bundle":
        yield where, bundle, value
        return
    entries = value.get("entry", [])
    if not isinstance(entries, list):
        raise InputError(f"{where}: the entry of a Bundle must be a list")
    for n, entry in enumerate(entries, 1):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise InputError(f"{where}, entry {n}: holds no resource with a resourceType")
        if not resource.get("id") and isinstance(entry.get("fullUrl"), str):
            resource["id"] = _reference({"reference": entry["fullUrl"]})
        yield f"{where}, entry {n}", bundle, resource


def _json(raw: bytes, where: str) -> Any:
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):  # from None: the error carries the line itself
        raise InputError(f"{where}: is no JSON that can be read") from None
