"""Marked documents for the tests of encounters: what a coder would highlight, made into the results a model would give.

    == visit_note v1
    ASSESSMENT
    1. [Left knee osteoarthritis|M17.12]. [Possible gout|M10.9|uncertain]

A mark is [words|code] or [words|code|assertion]; the same code may be marked several times. A `==` line opens a document
with its type and, if wanted, its id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from codesuggest.codes.system import CodeSystem
from codesuggest.pipes.structure import StructureReader
from codesuggest.records import ASSERTIONS, Evidence, NoteResult, Suggestion

_MARK = re.compile(r"\[([^\[\]|]+)\|([^\[\]|]+)(?:\|(\w+))?\]")
_HEAD = re.compile(r"== (\w+)(?: (\w+))?")


def read_chart(text: str, systems: Mapping[str, CodeSystem], *, setting: str) -> list[NoteResult]:
    """The results of the documents, every marked code suggested with confidence 0.9. Raises on a malformed example."""
    out = []
    parts = re.split(r"(?m)^(?===)", text.strip("\n"))
    for number, part in enumerate(filter(None, parts), start=1):
        head, _, body = part.partition("\n")
        found = _HEAD.fullmatch(head.strip())
        assert found, f"no document type: {head}"
        out.append(_document(found[2] or f"d{number}", found[1], body, systems, setting))
    return out


def _document(id: str, kind: str, marked: str, systems: Mapping[str, CodeSystem], setting: str) -> NoteResult:
    plain, marks, at = "", [], 0
    for m in _MARK.finditer(marked):
        plain += marked[at : m.start()]
        marks.append((len(plain), len(plain) + len(m[1]), m[2], m[3] or "affirmed"))
        plain += m[1]
        at = m.end()
    plain += marked[at:]
    assert "|" not in plain and "[" not in plain, f"a broken mark in {id}"
    structure = StructureReader().read(plain)
    evidence: dict[tuple[str, str], list[Evidence]] = {}
    for start, end, code, assertion in marks:
        assert assertion in ASSERTIONS, assertion
        owners = [name for name, table in systems.items() if code in table]
        assert owners, f"{code} is no code"
        section = structure.section_at(start).name
        evidence.setdefault((owners[0], code), []).append(Evidence(start, end, section, assertion, plain[start:end]))
    suggestions = tuple(
        Suggestion(name, systems[name].release, code, systems[name][code].title, 0.9, True, 1.0, 0.0, {}, tuple(spans))
        for (name, code), spans in evidence.items()
    )
    return NoteResult("test", setting, "2026-04-01", kind, tuple(systems), suggestions, (), (), id, plain)
