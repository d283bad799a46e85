"""ICD-10-PCS: the tables and the definitions as CMS publishes them in XML.

A table stands for the first three characters of its codes (section, body system, operation); each of its rows lists
the values that the other four axes may take *together*: a code is valid when one row holds all four. The tables of
FY2025 (908, with 2,661 rows) expand to exactly the 78,948 codes of that year.

    ICD10PCS.tabular: version, title, pcsTable*
    pcsTable: axis[pos=1..3] (title, one label[code], definition), pcsRow[codes]*
    pcsRow: axis[pos=4..7, values] (title, label[code]*)

The number of codes and of values that the file gives at each row and axis must be what it holds: a row that lost a
label would make valid codes invalid.

    ICD10PCS.definitions: version, title, section[code]*, deviceAggregation
    section: title, axis[pos]*; axis: title, terms*; terms: title+, definition?, explanation?, includes*
    deviceAggregation: aggregate*; aggregate: device, operation, bodySys*, parent[value]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from codesuggest.codes import CodeRow, GroupRow
from codesuggest.codes.readers import read_bytes
from codesuggest.codes.readers.pcs import SECTIONS
from codesuggest.codes.readers.xml import XmlReader
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

#: A character of a code; I and O are none, lest they be read as digits.
VALUE = re.compile(r"[0-9A-HJ-NP-Z]")

_TABLES = {
    "": ("ICD10PCS.tabular",),
    "ICD10PCS.tabular": ("version", "title", "pcsTable"),
    "pcsTable": ("axis", "pcsRow"),
    "pcsRow": ("axis",),
    "axis": ("title", "label", "definition"),
}
_DEFINITIONS = {
    "": ("ICD10PCS.definitions",),
    "ICD10PCS.definitions": ("version", "title", "section", "deviceAggregation"),
    "section": ("title", "axis"),
    "axis": ("title", "terms"),
    "terms": ("title", "definition", "explanation", "includes"),
    "deviceAggregation": ("aggregate",),
    "aggregate": ("device", "operation", "bodySys", "parent"),
}
#: Labels that a title leaves out.
_NOTHING = frozenset(("No Device", "No Qualifier", "None"))
#: Operations whose title goes on without "of".
_DIRECT = frozenset(("Bypass", "Supplement", "Repair", "Reposition", "Release", "Transfer", "Control"))
#: Operations whose title names the device first: what stands before it, and between it and the body part.
_JOINTS = {
    "Change": (" ", " in "),
    "Insertion": (" of ", " into "),
    "Removal": (" of ", " from "),
    "Revision": (" of ", " in "),
}


# ---- tables


class Axis(NamedTuple):
    """One position of a code: its name ("Approach") and the label of each value it may take."""

    name: str
    values: Mapping[str, str]


class PcsCode(NamedTuple):
    """A code and what its seven characters say, section first."""

    code: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PcsTable:
    """The codes that begin with `prefix`. `head`: section, body system, operation, each with one value."""

    prefix: str
    head: tuple[Axis, Axis, Axis]
    definition: str  #: of the operation; "" where the file gives none
    rows: tuple[tuple[Axis, Axis, Axis, Axis], ...]

    @property
    def operation(self) -> str:
        return self.head[2].values[self.prefix[2]]

    def __len__(self) -> int:
        return sum(len(a.values) * len(b.values) * len(c.values) * len(d.values) for a, b, c, d in self.rows)


class PcsTables:
    """All tables of a release, by their three characters. Codes in any case; they are written without dot."""

    def __init__(self, version: str, tables: Mapping[str, PcsTable]) -> None:
        self.version, self.tables = version, tables

    def __len__(self) -> int:
        """The number of codes."""
        return sum(map(len, self.tables.values()))

    def valid(self, code: str) -> bool:
        """Whether a row of the code's table allows its seven characters together. About 3 microseconds."""
        key = code.strip().upper()
        table = self.tables.get(key[:3])
        return table is not None and len(key) == 7 and any(_matches(row, key[3:]) for row in table.rows)

    def allowed(self, prefix: str) -> Axis:
        """The axis that follows `prefix` (0 to 6 characters), with every value that some row still allows.

        allowed("0DT") gives ("Body Part", {"1": "Esophagus, Upper", ...}). Where the label of a value depends on what
        comes after it (substances of section X), its labels are joined by "; ". Raises KeyError when no code begins
        with `prefix`, or it is a whole code.
        """
        key = prefix.strip().upper()
        name, labels = "", dict[str, dict[str, None]]()
        for axis in self._next(key):
            name = name or axis.name
            for value, label in axis.values.items():
                labels.setdefault(value, {})[label] = None
        if not labels:
            raise KeyError(f"no ICD-10-PCS code goes on after {prefix!r} in {self.version}")
        return Axis(name, {value: "; ".join(labels[value]) for value in sorted(labels)})

    def _next(self, key: str) -> Iterator[Axis]:
        place = len(key)
        if place < 3:
            yield from (t.head[place] for prefix, t in self.tables.items() if prefix.startswith(key))
        elif place < 7 and (table := self.tables.get(key[:3])):
            yield from (row[place - 3] for row in table.rows if _matches(row, key[3:]))

    def codes(self) -> Iterator[PcsCode]:
        """Every code with its labels, table by table, ascending within a row. Expands FY2025 in 0.1 s."""
        for table in self.tables.values():
            head = tuple(axis.values[value] for axis, value in zip(table.head, table.prefix, strict=True))
            for a, b, c, d in table.rows:
                for i, body in a.values.items():
                    for j, approach in b.values.items():
                        for k, device in c.values.items():
                            for m, qualifier in d.values.items():
                                labels = (*head, body, approach, device, qualifier)
                                yield PcsCode(f"{table.prefix}{i}{j}{k}{m}", labels)

    @cached_property
    def operations(self) -> dict[tuple[str, str], str]:
        """(section, operation) -> definition, as ("0", "Resection"); those without a definition left out."""
        return {(t.prefix[0], t.operation): t.definition for t in self.tables.values() if t.definition}

    def system(self, release: str | None = None, *, titles: Mapping[str, str] | None = None) -> CodeSystem:
        """All codes below their table headers. A title that `titles` does not give is composed from the labels.

        `release` defaults to "FY" and the version of the file.
        """
        given = titles or {}
        groups = [GroupRow(section, title) for section, title in SECTIONS.items()]
        group_of = {section: i for i, section in enumerate(SECTIONS)}
        rows = []
        for table in self.tables.values():
            labels = [axis.values[value] for axis, value in zip(table.head, table.prefix, strict=True)]
            title = given.get(table.prefix, ", ".join(labels))
            rows.append(CodeRow(table.prefix, title, False, "", group=group_of.get(table.prefix[0], -1)))
        for code, words in self.codes():
            group = group_of.get(code[0], -1)
            rows.append(CodeRow(code, given.get(code) or compose_title(words), True, code[:3], group=group))
        return CodeSystem.from_rows(rows, name="icd10pcs", release=release or f"FY{self.version}", groups=groups)


def compose_title(labels: Sequence[str]) -> str:
    """A title in the manner of the official ones: "Resection of Appendix, Percutaneous Endoscopic Approach".

    The words are those of the tables. Of the FY2025 codes of section 0 still titled in FY2026, 91% (of all 79%) get
    exactly that; the others differ in a joint or an order which only the order file tells.
    """
    section, _, operation, part, approach, device, qualifier = labels
    if section not in ("Medical and Surgical", "Obstetrics", "New Technology"):
        said = [label for label in (part, approach, device, qualifier) if label not in _NOTHING]
        return f"{operation}, {', '.join(said)}"
    if device in _NOTHING or operation not in _JOINTS:
        joint = " " if operation in _DIRECT else " of Matter from " if operation == "Extirpation" else " of "
        title = f"{operation}{joint}{_turned(part)}"
        if qualifier not in _NOTHING and operation in ("Bypass", "Transfer"):
            # a coronary artery is bypassed *from* its source of blood (guideline B3.6b), others to their new course
            way = "from" if part.startswith("Coronary Artery") else "to"
            title, qualifier = f"{title} {way} {_turned(qualifier)}", "No Qualifier"
        if device not in _NOTHING:
            title += f" with {_turned(device)}"
    else:
        title = f"{operation}{_JOINTS[operation][0]}{_turned(device)}{_JOINTS[operation][1]}{_turned(part)}"
    reached = approach if approach.startswith("Via ") else f"{approach} Approach"
    return ", ".join([title, reached, *([] if qualifier in _NOTHING else [qualifier])])


def _turned(label: str) -> str:
    """ "Upper Lobe Bronchus, Left" as it is spoken: "Left Upper Lobe Bronchus"."""
    name, comma, rest = label.partition(", ")
    return f"{rest} {name}" if comma and "," not in rest and not rest.endswith(("Artery", "Arteries")) else label


def _matches(row: tuple[Axis, ...], values: str) -> bool:
    return all(value in axis.values for axis, value in zip(row, values, strict=False))


def read_tables_xml(path: str | Path) -> PcsTables:
    """The tables of one release, or of the zip CMS publishes them in. Reads 3 MB in about 0.3 s.

    Raises CodeFileError: no XML, foreign elements, a count that does not agree, a code that two rows give.
    """
    reader = _TableReader(path)
    reader.xml.read(read_bytes(path, member=r"(?i)pcs_tables.*\.xml$"))
    if not reader.tables:
        raise CodeFileError("holds no table", path=path)
    if not reader.version:
        raise CodeFileError("names no version", path=path)
    tables = PcsTables(reader.version, dict(sorted(reader.tables.items())))
    seen: set[str] = set()
    for code, _ in tables.codes():
        if code in seen:
            raise CodeFileError(f"code {code} is given twice", path=path)
        seen.add(code)
    return tables


class _TableReader:
    """Handlers that gather the axes of a table or row until it ends."""

    def __init__(self, path: str | Path) -> None:
        self.xml = XmlReader(path, _TABLES, self._start, self._end, what="ICD-10-PCS tables")
        self.version = ""
        self.tables: dict[str, PcsTable] = {}
        self._head: list[Axis] = []
        self._axes: list[Axis] = []
        self._rows: list[tuple[Axis, Axis, Axis, Axis]] = []
        self._definition = ""
        self._name = ""
        self._values: dict[str, str] = {}
        self._code = ""
        self._counts: list[int] = []  #: of labels at an axis, or codes at a row, as the file says; innermost last
        self._shared: dict[tuple[str, ...], Axis] = {}  #: most axes occur in hundreds of rows

    def _start(self, tag: str, outer: str, attributes: dict[str, str]) -> None:
        if tag == "pcsTable":
            self._head, self._rows, self._definition = [], [], ""
        elif tag == "pcsRow":
            if len(self._head) != 3:
                self.xml.fail(f"a <pcsRow> after {len(self._head)} axes of the table, 3 are needed")
            self._axes = []
            self._counts.append(self._number(tag, attributes.get("codes", "")))
        elif tag == "axis":
            place = 4 + len(self._axes) if outer == "pcsRow" else 1 + len(self._head)
            last = 7 if outer == "pcsRow" else 3
            if attributes.get("pos") != str(place) or place > last:
                self.xml.fail(f"<axis> of position {attributes.get('pos')!r} where {min(place, last)} is due")
            self._name, self._values = "", {}
            self._counts.append(self._number(tag, attributes.get("values", "")))
        elif tag == "label":
            self._code = attributes.get("code", "")
            if not VALUE.fullmatch(self._code):
                self.xml.fail(f"<label> with the code {self._code!r}, which is no character of a code")
            if self._code in self._values:
                self.xml.fail(f"the value {self._code} is given twice")

    def _number(self, tag: str, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text):
            self.xml.fail(f"<{tag}> does not say how many it holds")
        return int(text)

    def _end(self, tag: str, outer: str, text: str) -> None:
        if tag in ("title", "label", "version") and not text:
            self.xml.fail(f"an empty <{tag}>")
        if tag == "version":
            self.version = text
        elif tag == "title" and outer == "axis":
            self._name = text
        elif tag == "definition":
            self._definition = text
        elif tag == "label":
            self._values[self._code] = text
        elif tag == "axis":
            self._close_axis(outer)
        elif tag == "pcsRow":
            self._close_row()
        elif tag == "pcsTable":
            self._close_table()

    def _close_axis(self, outer: str) -> None:
        self._agree("values", len(self._values))
        if not self._name or (outer == "pcsTable" and len(self._values) != 1):
            self.xml.fail("an <axis> without title" if not self._name else "the <axis> of a table takes one value")
        key = (self._name, *(item for pair in self._values.items() for item in pair))
        axis = self._shared.setdefault(key, Axis(self._name, self._values))
        (self._axes if outer == "pcsRow" else self._head).append(axis)

    def _close_row(self) -> None:
        if len(self._axes) != 4:
            self.xml.fail(f"a row of {len(self._axes)} axes, 4 are needed")
        size = 1
        for axis in self._axes:
            size *= len(axis.values)
        self._agree("codes", size)
        a, b, c, d = self._axes
        self._rows.append((a, b, c, d))

    def _agree(self, what: str, found: int) -> None:
        said = self._counts.pop()
        if said != found or not found:
            self.xml.fail(f"holds {found} {what} where the file says {said}")

    def _close_table(self) -> None:
        if not self._rows:
            self.xml.fail("a table without rows")
        a, b, c = self._head
        prefix = "".join(value for axis in self._head for value in axis.values)
        if prefix in self.tables:
            self.xml.fail(f"table {prefix} is given twice")
        self.tables[prefix] = PcsTable(prefix, (a, b, c), self._definition, tuple(self._rows))


# ---- definitions


@dataclass(frozen=True, slots=True)
class PcsDefinition:
    """What the definitions say of a value of an axis, which may stand for both sides ("1st Toe, Left", "..., Right").

    `includes`: anatomical terms of a body part, brand names of a device, examples of an operation.
    """

    section: str  #: first character of the codes
    position: int  #: 3 operation, 4 body part, 5 approach, 6 device
    axis: str
    titles: tuple[str, ...]
    definition: str = ""
    explanation: str = ""
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PcsDevice:
    """A device named more exactly in some tables than in others, where `parent` with `value` stands for it."""

    device: str
    operation: str
    body_systems: tuple[str, ...]
    value: str
    parent: str


@dataclass(frozen=True, slots=True)
class PcsDefinitions:
    version: str
    terms: tuple[PcsDefinition, ...]
    devices: tuple[PcsDevice, ...]

    def of(self, section: str, position: int) -> dict[str, PcsDefinition]:
        """Title -> its entry, for one axis of one section: of("0", 4)["Appendix"]."""
        found = (t for t in self.terms if t.section == section and t.position == position)
        return {title: term for term in found for title in term.titles}


def read_definitions_xml(path: str | Path) -> PcsDefinitions:
    """Operations, approaches, keys of body parts and devices. FY2025: 930 entries, 60 device aggregations.

    Raises CodeFileError.
    """
    reader = _DefinitionReader(path)
    reader.xml.read(read_bytes(path, member=r"(?i)pcs_definitions.*\.xml$"))
    if not reader.terms:
        raise CodeFileError("holds no definition", path=path)
    return PcsDefinitions(reader.version, tuple(reader.terms), tuple(reader.devices))


class _DefinitionReader:
    def __init__(self, path: str | Path) -> None:
        self.xml = XmlReader(path, _DEFINITIONS, self._start, self._end, what="ICD-10-PCS definitions")
        self.version = ""
        self.terms: list[PcsDefinition] = []
        self.devices: list[PcsDevice] = []
        self._section, self._position, self._axis, self._value = "", 0, "", ""
        self._texts: dict[str, list[str]] = {}

    def _start(self, tag: str, outer: str, attributes: dict[str, str]) -> None:
        if tag == "section":
            self._section = attributes.get("code", "")
            if self._section not in SECTIONS:
                self.xml.fail(f"{self._section!r} is no section of ICD-10-PCS")
        elif tag == "axis":
            if attributes.get("pos", "") not in ("3", "4", "5", "6", "7"):
                self.xml.fail("<axis> without its position, 3 to 7")
            self._position, self._axis = int(attributes["pos"]), ""
        elif tag in ("terms", "aggregate"):
            self._texts = {}
        elif tag == "parent":
            self._value = attributes.get("value", "")
            if not VALUE.fullmatch(self._value):
                self.xml.fail(f"<parent> with the value {self._value!r}")

    def _end(self, tag: str, outer: str, text: str) -> None:
        if tag not in _DEFINITIONS and not text:
            self.xml.fail(f"an empty <{tag}>")
        if tag == "version":
            self.version = text
        elif tag == "title" and outer == "axis":
            self._axis = text
        elif outer in ("terms", "aggregate"):
            self._texts.setdefault(tag, []).append(text)
        elif tag == "terms":
            if not self._axis:
                self.xml.fail("<terms> before the <title> of the axis")
            self.terms.append(
                PcsDefinition(
                    self._section,
                    self._position,
                    self._axis,
                    self._several("title"),
                    self._one("definition"),
                    self._one("explanation"),
                    tuple(self._texts.get("includes", ())),
                )
            )
        elif tag == "aggregate":
            device, operation, parent = (self._several(t)[0] for t in ("device", "operation", "parent"))
            self.devices.append(PcsDevice(device, operation, self._several("bodySys"), self._value, parent))

    def _several(self, tag: str) -> tuple[str, ...]:
        found = tuple(self._texts.get(tag, ()))
        if not found or (tag in ("device", "operation", "parent") and len(found) > 1):
            self.xml.fail(f"{len(found)} <{tag}> where {'one is' if found else 'some are'} needed")
        return found

    def _one(self, tag: str) -> str:
        found = self._texts.get(tag, [])
        if len(found) > 1:
            self.xml.fail(f"{len(found)} <{tag}> of one value")
        return found[0] if found else ""
