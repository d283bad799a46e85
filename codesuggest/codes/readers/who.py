"""WHO ICD-10 in ClaML 2.0, the XML that WHO and national centres publish the classification in.

    ClaML: Meta*, Identifier*, Title[name, version, date], ClassKinds, UsageKinds, RubricKinds, Modifier*,
        ModifierClass*, Class*
    Class[code, kind, usage]: SuperClass[code], SubClass[code]*, ModifiedBy[code, all]*, ExcludeModifier[code]*, Rubric*
    Rubric[kind]: Label of text, Reference[class, usage], Fragment, Para, List, Table
    ModifierClass[modifier, code]: SuperClass, Rubric*, ExcludeOnPrecedingModifier[modifier, code]*

Chapters and blocks become groups, categories codes. A modifier is a list of further characters kept apart from the
categories it subdivides ("the following fourth-character subdivisions are for use with E10-E14"): here every category
below which it applies gets its codes. Fifth characters are for optional use in WHO's edition, so a code that has only
those below it is still one that may be used. A dagger category says so in a note; an asterisk category has the note
`code_first`, for it is never coded alone (WHO ICD-10, volume 2, section 3.1.3).

WHO's exclusions only say where a condition is classified: they become `excludes2`, not the Excludes1 of ICD-10-CM.
Source of the layout: EN 14463 and WHO's ClaML.dtd. WHO's text is WHO's: it is read here and never shipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from codesuggest.codes import CodeRow, GroupRow, Note, Range
from codesuggest.codes.readers import read_bytes
from codesuggest.codes.readers.xml import XmlReader
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

SHAPE = re.compile(r"[A-Z][0-9]{2}(\.?[0-9A-Z]{1,3})?")

_TEXT = ("Reference", "Term", "Fragment", "Para", "List", "Table", "Include", "IncludeDescendants")
_INSIDE: Mapping[str, Sequence[str]] = {
    "": ("ClaML",),
    "ClaML": (
        "Meta", "Identifier", "Title", "Authors", "Variants", "ClassKinds", "UsageKinds", "RubricKinds", "Modifier",
        "ModifierClass", "Class",
    ),
    "Authors": ("Author",),
    "Variants": ("Variant",),
    "ClassKinds": ("ClassKind",),
    "UsageKinds": ("UsageKind",),
    "RubricKinds": ("RubricKind",),
    "ClassKind": ("Display",),
    "RubricKind": ("Display",),
    "Modifier": ("Meta", "SubClass", "Rubric", "History"),
    "ModifierClass": ("Meta", "SuperClass", "SubClass", "Rubric", "History", "ExcludeOnPrecedingModifier"),
    "Class": ("Meta", "SuperClass", "SubClass", "ModifiedBy", "ExcludeModifier", "Rubric", "History"),
    "ModifiedBy": ("Meta", "ValidModifierClass"),
    "Rubric": ("Label", "History"),
    "Label": _TEXT,
    "Fragment": _TEXT,
    "Para": _TEXT,
    "Term": _TEXT,
    "List": ("ListItem",),
    "ListItem": _TEXT,
    "Table": ("Caption", "THead", "TBody", "TFoot"),
    "THead": ("Row",),
    "TBody": ("Row",),
    "TFoot": ("Row",),
    "Row": ("Cell",),
    "Cell": _TEXT,
    "Caption": _TEXT,
}  # fmt: skip
_FLOWING = frozenset(
    ("Reference", "Term", "Fragment", "Para", "List", "ListItem", "Table", "THead", "TBody", "TFoot", "Row", "Cell",
     "Caption", "Include", "IncludeDescendants")
)  # fmt: skip
#: Elements of a text that stand apart from their neighbours, which the file need not say by blanks.
_APART = re.compile(rb"<(?=(?:Fragment|Para|ListItem|Cell|Caption)\b)|(?<=</)(Fragment|Para|ListItem|Cell|Caption)\s*>")
_BRACKETED = re.compile(rb"(<Reference\b[^>]*\bclass\s*=\s*[\"']in brackets[\"'][^>]*>)([^<]*)(</Reference\s*>)")

#: Rubric -> kind of note; others become plain notes. Inclusions of categories become terms.
_NOTES = {"exclusion": "excludes2", "inclusion": "includes"}
_TITLES = ("preferred", "preferredLong")
_ASTERISK = "Asterisk code: the dagger code of the underlying disease is sequenced first."
_DAGGER = "Dagger code: an asterisk code of the manifestation may be added."
MAX_MODIFIERS = 3  #: of one category, for its fourth to sixth characters; their classes multiply
MAX_DEPTH = 16  #: chapter, blocks in blocks, categories; WHO nests 7 deep
_TOKEN = re.compile(r"([A-Z][0-9]{2}(?:\.[0-9A-Z]+)?)(?:\.?-)?")


@dataclass(slots=True)
class _Rubric:
    kind: str
    text: str = ""
    references: list[str] = field(default_factory=list)
    language: str = ""


@dataclass(slots=True)
class _Node:
    """A Class, Modifier or ModifierClass while it is read."""

    tag: str
    code: str
    line: int
    kind: str = ""
    usage: str = ""
    modifier: str = ""
    above: str = ""
    below: list[str] = field(default_factory=list)
    modified: list[tuple[str, list[str]]] = field(default_factory=list)  #: (modifier, its valid classes; [] all)
    unmodified: list[str] = field(default_factory=list)
    not_after: list[tuple[str, str]] = field(default_factory=list)  #: (modifier, class) it does not follow
    rubrics: list[_Rubric] = field(default_factory=list)


def read_claml(path: str | Path, *, release: str | None = None) -> CodeSystem:
    """WHO ICD-10 from a ClaML file, or from the zip it comes in. `release` defaults to the version the file names.

    Of labels in several languages, those in the language of the first are read.

    Raises CodeFileError: no ClaML, foreign elements, entities, a class that names one that is not there.
    """
    reader = _ClamlReader(path)
    data = read_bytes(path, member=r"(?i)\.xml$")
    if b"\x00" in data:
        raise CodeFileError("is UTF-16; save it as UTF-8", path=path)
    data = _APART.sub(lambda m: b" <" if not m[1] else m[0] + b" ", data)
    reader.xml.read(_BRACKETED.sub(rb" (\1\2\3)", data))
    rows, groups = _Builder(reader, path).build()
    return CodeSystem.from_rows(
        rows, name="icd10who", release=release or reader.version or Path(path).stem, groups=groups
    )


class _ClamlReader:
    """Handlers that gather classes and modifiers as `_Node`s."""

    def __init__(self, path: str | Path) -> None:
        self.xml = XmlReader(
            path,
            _INSIDE,
            self._start,
            self._end,
            what="ClaML",
            mixed={"Title", "Label", "Author", "Variant", *_FLOWING},
            inline=_FLOWING,
            doctype="ClaML",
        )
        self.version = ""
        self.classes: dict[str, _Node] = {}
        self.modifiers: dict[str, _Node] = {}
        self.modifier_classes: dict[tuple[str, str], _Node] = {}
        self._kinds: dict[str, set[str]] = {"ClassKind": set(), "UsageKind": set(), "RubricKind": set()}
        self._language = ""
        self._node: _Node | None = None

    def _start(self, tag: str, outer: str, attributes: dict[str, str]) -> None:
        if tag == "Title":
            self.version = attributes.get("version", "") or attributes.get("date", "")
        elif tag in self._kinds:
            if not attributes.get("name"):
                self.xml.fail(f"<{tag}> without a name")
            self._kinds[tag].add(attributes["name"])
        elif tag in ("Class", "Modifier", "ModifierClass"):
            self._open(tag, attributes)
        elif self._node is None:
            return
        elif tag == "Rubric":
            if attributes.get("kind", "") not in self._kinds["RubricKind"]:
                self.xml.fail(f"<Rubric> of the kind {attributes.get('kind', '')!r}, which the file does not name")
            self._node.rubrics.append(_Rubric(attributes["kind"]))
        elif tag == "Label":
            self._node.rubrics[-1].language = attributes.get("xml:lang", "")
            self._language = self._language or attributes.get("xml:lang", "")
        elif tag in ("SuperClass", "SubClass", "ModifiedBy", "ExcludeModifier", "ValidModifierClass"):
            self._link(self._node, tag, attributes)
        elif tag == "ExcludeOnPrecedingModifier":
            self._node.not_after.append((attributes.get("modifier", ""), attributes.get("code", "")))

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        code = attributes.get("code", "").strip()
        if not code or not code.isascii():
            self.xml.fail(f"<{tag}> has the code {code!r}")
        usage = attributes.get("usage", "")
        if usage and usage not in self._kinds["UsageKind"]:
            self.xml.fail(f"<{tag}> {code} has the usage {usage!r}, which the file does not name")
        kind, modifier = attributes.get("kind", ""), attributes.get("modifier", "")
        node = self._node = _Node(tag, code, self.xml.line, kind, usage, modifier)
        if tag == "Class":
            if kind not in ("chapter", "block", "category") or kind not in self._kinds["ClassKind"]:
                self.xml.fail(f"<Class> {code} is of the kind {kind!r}, not chapter, block or category")
            if kind == "category" and not SHAPE.fullmatch(code):
                self.xml.fail(f"{code!r} is not the shape of a category")
            known = self.classes.setdefault(code if kind == "category" else f"{kind} {code}", node)
        elif tag == "Modifier":
            known = self.modifiers.setdefault(code, node)
        else:
            if not re.fullmatch(r"\.?[0-9A-Z]", code):
                self.xml.fail(f"<ModifierClass> has the code {code!r}")
            known = self.modifier_classes.setdefault((modifier, code), node)
        if known is not node:
            self.xml.fail(f"<{tag}> {code} was given on line {known.line} already")

    def _link(self, node: _Node, tag: str, attributes: dict[str, str]) -> None:
        code = attributes.get("code", "").strip()
        if not code:
            self.xml.fail(f"<{tag}> without a code")
        if tag == "SuperClass":
            if node.above:
                self.xml.fail(f"{node.code} has two superclasses")
            node.above = code
        elif tag == "SubClass":
            node.below.append(code)
        elif tag == "ModifiedBy":
            node.modified.append((code, []))
        elif tag == "ExcludeModifier":
            node.unmodified.append(code)
        else:
            node.modified[-1][1].append(code)

    def _end(self, tag: str, outer: str, text: str) -> None:
        node = self._node
        if node is None:
            return
        if tag == "Label":
            rubric = node.rubrics[-1]
            if rubric.language == self._language and not rubric.text:
                rubric.text = text
        elif tag == "Reference" and node.rubrics:
            node.rubrics[-1].references.append(text)
        elif tag in ("Class", "Modifier", "ModifierClass"):
            if tag != "Modifier" and not _title(node):
                self.xml.fail(f"<{tag}> {node.code} has no preferred label")
            self._node = None


class _Builder:
    """Classes and modifiers to the rows and groups of a code system."""

    def __init__(self, reader: _ClamlReader, path: str | Path) -> None:
        self.path = path
        self.classes, self.modifiers = reader.classes, reader.modifiers
        self.classes_of: dict[str, list[_Node]] = {}
        for (modifier, _), node in reader.modifier_classes.items():
            self.classes_of.setdefault(modifier, []).append(node)
        self.groups: list[GroupRow] = []
        self.rows: list[CodeRow] = []
        self._done: set[str] = set()

    def build(self) -> tuple[list[CodeRow], list[GroupRow]]:
        if not self.classes:
            raise CodeFileError("holds no class", path=self.path)
        for modifier, nodes in self.classes_of.items():
            if modifier not in self.modifiers:
                self._fail(nodes[0], f"{nodes[0].code} belongs to {modifier!r}, which is no modifier")
        for name, node in self.modifiers.items():
            if missing := sorted(set(node.below) - {n.code for n in self.classes_of.get(name, ())}):
                self._fail(node, f"the modifier {name} names the class {missing[0]}, which is not there")
        for key, node in self.classes.items():
            if not node.above:
                if node.kind != "chapter":
                    self._fail(node, f"{node.code} stands below nothing, and is no chapter")
                self._place(key, node, -1, "", (), 1)
        lost = [key for key in self.classes if key not in self._done]
        if lost:
            self._fail(self.classes[lost[0]], f"{lost[0]} is not reached from a chapter ({len(lost)} are not)")
        return self.rows, self.groups

    def _fail(self, node: _Node, message: str) -> NoReturn:
        raise CodeFileError(message, path=self.path, line=node.line)

    def _place(
        self,
        key: str,
        node: _Node,
        group: int,
        parent: str,
        active: tuple[tuple[str, list[str]], ...],
        depth: int,
    ) -> None:
        """Adds `node` and what stands below it. `active`: the modifiers that apply here, outermost first."""
        if depth > MAX_DEPTH:
            self._fail(node, f"{node.code} stands over {MAX_DEPTH} classes deep")
        self._done.add(key)
        active = tuple(m for m in active if m[0] not in node.unmodified) + tuple(node.modified)
        for name, _ in node.modified:
            if name not in self.modifiers:
                self._fail(node, f"{node.code} is modified by {name!r}, which is no modifier")
        if node.kind == "category":
            self._add(node, group, parent, active)
        else:
            self.groups.append(GroupRow(node.code, _title(node), group, tuple(_notes(node, node.code))))
            group = len(self.groups) - 1
        for child_key, child in self._below(key, node):
            if child_key in self._done:
                self._fail(child, f"{child.code} stands below two classes")
            under = node.code if node.kind == "category" else ""
            if not child.code.startswith(under):
                self._fail(child, f"{child.code} stands below {under}, with which it does not begin")
            self._place(child_key, child, group, under, active, depth + 1)

    def _below(self, own: str, node: _Node) -> Iterator[tuple[str, _Node]]:
        """Keys and classes that `node` names and that name it: a block may have the code of its only category."""
        for code in node.below:
            keys = [k for k in (code, f"block {code}", f"chapter {code}") if k in self.classes and k != own]
            if not keys:
                self._fail(node, f"{node.code} names the subclass {code}, which is not there")
            key = next((k for k in keys if self.classes[k].above == node.code), "")
            if not key or (node.kind == "category" and self.classes[key].kind != "category"):
                self._fail(node, f"{node.code} names the subclass {code}, which stands elsewhere")
            yield key, self.classes[key]

    def _add(self, node: _Node, group: int, parent: str, active: Sequence[tuple[str, list[str]]]) -> None:
        modifiers = [] if node.below else sorted(active, key=lambda m: self._position(m[0]))
        if len(modifiers) > MAX_MODIFIERS:
            self._fail(node, f"{node.code} has {len(modifiers)} modifiers; no code has over {MAX_MODIFIERS}")
        optional = bool(modifiers) and all(self._position(name) >= 5 for name, _ in modifiers)
        billable = not node.below and (not modifiers or optional)
        terms = tuple(("inclusion", r.text) for r in node.rubrics if r.kind == "inclusion" and r.text)
        short = _label(node, "preferred")
        title = _title(node)
        if short and short != title:
            terms = (("short", short), *terms)
        notes = tuple(n for n in _notes(node, node.code) if n.kind != "includes")
        self.rows.append(CodeRow(node.code, title, billable, parent, terms=terms, notes=notes, group=group))
        self._expand(node, node.code, title, modifiers, (), group)

    def _position(self, modifier: str) -> int:
        """Which character a modifier gives, by the ending of its name ("S04E10_4"); 4 where it does not say."""
        found = re.search(r"_([4-6])$", modifier)
        return int(found[1]) if found else 4

    def _expand(
        self,
        node: _Node,
        code: str,
        title: str,
        modifiers: Sequence[tuple[str, list[str]]],
        chosen: tuple[tuple[str, str], ...],
        group: int,
    ) -> None:
        """Adds `code` with every class of the first modifier, and below each those of the others."""
        if not modifiers:
            return
        # a category that is subdivided at once by fifth characters has its fourth filled
        (name, valid), rest = modifiers[0], modifiers[1:]
        if name not in self.classes_of:
            self._fail(node, f"the modifier {name} has no class")
        for extra in self.classes_of[name]:
            if (valid and extra.code not in valid) or any(pair in chosen for pair in extra.not_after):
                continue
            key = code.replace(".", "").ljust(self._position(name) - 1, "X") + extra.code.lstrip(".")
            label = f"{title}, {_title(extra)}"
            optional = all(self._position(m) >= 5 for m, _ in rest)
            terms = tuple(
                ("inclusion", f"{title}, {r.text}") for r in extra.rubrics if r.kind == "inclusion" and r.text
            )
            notes = tuple(n for n in _notes(extra, key) if n.kind != "includes")
            if node.usage and not extra.usage:
                notes = (*_usage_notes(node.usage, key), *notes)
            self.rows.append(CodeRow(key, label, not rest or optional, code, terms=terms, notes=notes, group=group))
            self._expand(node, key, label, rest, (*chosen, (name, extra.code)), group)


def _label(node: _Node, kind: str) -> str:
    """The label of the one kind without the codes it points to: "Meningitis (G01*)" is called "Meningitis"."""
    for rubric in node.rubrics:
        if rubric.kind == kind:
            text = rubric.text
            for reference in rubric.references:
                text = text.replace(f"({reference})", " ").replace(reference, " ")
            return re.sub(r"\(\s*\)", "", " ".join(text.split())).strip(" ,;")
    return ""


def _title(node: _Node) -> str:
    return _label(node, "preferredLong") or _label(node, "preferred")


def _notes(node: _Node, at: str) -> Iterator[Note]:
    yield from _usage_notes(node.usage, at)
    for rubric in node.rubrics:
        if rubric.kind == "preferred" and rubric.references:
            yield Note("code_also", at, rubric.text, tuple(_ranges(rubric.references)))
        elif rubric.kind not in _TITLES and rubric.text:
            kind = _NOTES.get(rubric.kind, "note")
            if rubric.kind == "coding-hint" and rubric.text.lower().startswith("use additional code"):
                kind = "use_additional"
            ranges = () if kind in ("includes", "note") else tuple(_ranges(rubric.references))
            yield Note(kind, at, rubric.text, ranges)


def _usage_notes(usage: str, at: str) -> Iterator[Note]:
    if usage == "aster":
        yield Note("code_first", at, _ASTERISK)
    elif usage:
        yield Note("note", at, _DAGGER if usage == "dagger" else f"Marked {usage}.")


def _ranges(references: Sequence[str]) -> Iterator[Range]:
    """ "Z22.-", "A15-A19", "G01*" as ranges; what names no code gives none."""
    for text in references:
        tokens = _TOKEN.findall(text.replace("*", "").replace("+", "").replace("\u2020", ""))
        if tokens:
            lo, hi = tokens[0].replace(".", ""), tokens[-1].replace(".", "")
            if lo <= hi:
                yield Range(lo, hi)
