"""ICD-10-CM: the Tabular List as CMS and NCHS publish it in XML, and the CMS order file.

The tabular gives the codes, titles, inclusion terms and all instructional notes, but not the codes with a seventh
character: those follow from `sevenChrDef` elements, which hold for every code below them that has no children, with
X filling the places up to the sixth. For April 2026 the expansion gives the 98,186 codes of the order file exactly
(74,719 billable), and `<title>, <label of the character>` is the official long title in 99.8% of them; the others
differ in accents, which the order file drops.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codesuggest.codes import CodeRow, GroupRow, Note, Range
from codesuggest.codes.readers import read_bytes, read_order_lines
from codesuggest.codes.readers.xml import XmlReader
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

#: A letter stands in position 2 of the category QA0 and its like, so the digit there cannot be asked for.
SHAPE = re.compile(r"[A-Z][0-9A-Z]{2}(\.?[0-9A-Z]{1,4})?")

_NOTES = {
    "excludes1": "excludes1",
    "excludes2": "excludes2",
    "codeFirst": "code_first",
    "useAdditionalCode": "use_additional",
    "codeAlso": "code_also",
    "includes": "includes",
    "notes": "note",
    "sevenChrNote": "seventh",
}
_INSTRUCTIONS = frozenset(_NOTES) | {"inclusionTerm"}
_VISUAL = frozenset(("heading", "value"))
#: Which element may stand in which; anything else is refused, so that a new kind of note is not lost unseen.
_INSIDE: Mapping[str, frozenset[str]] = {
    "": frozenset(("ICD10CM.tabular",)),
    "ICD10CM.tabular": frozenset(("version", "introduction", "chapter")),
    "introduction": frozenset(("introSection",)),
    "introSection": frozenset(("title", "instruction")),
    "instruction": frozenset(("title", "note")),
    "chapter": _INSTRUCTIONS | {"name", "desc", "sectionIndex", "section"},
    "sectionIndex": frozenset(("sectionRef",)),
    "section": _INSTRUCTIONS | {"desc", "diag"},
    "diag": _INSTRUCTIONS | {"name", "desc", "diag", "sevenChrDef", "visualImpairment"},
    "sevenChrDef": frozenset(("extension", "note")),
    "visualImpairment": frozenset(("visCategory",)),
    "visCategory": _VISUAL | {"visRange"},
    "visRange": _VISUAL | {"visMin", "visMax"},
    "visMin": _VISUAL,
    "visMax": _VISUAL,
    **dict.fromkeys(_INSTRUCTIONS, frozenset(("note",))),
}

_TOKEN = re.compile(r"(?<![0-9A-Za-z.])(?:[A-Z][0-9][0-9A-Z]|Q[A-Z][0-9])(?:\.[0-9A-Z]{1,4})?(?![0-9A-Za-z])")
_THROUGH = re.compile(r"\.?[\s-]*-[\s-]*|\.?-?\s+to\s+")
_PLACES = {"fourth": 3, "fifth": 4, "sixth": 5, "seventh": 6, "4th": 3, "5th": 4, "6th": 5, "7th": 6}
_UNAPPLIED = re.compile(
    r"7th characters? (?P<chars>[A-Z](?:(?:, | and |, and )[A-Z])*) do not apply to codes in (?:sub)?category "
    r"(?P<stem>[0-9A-Z.]+) with (?P<place>[4-6]th) character (?P<rest>.*)"
)


# ---- the order file


def read_order_file(path: str | Path, *, release: str | None = None) -> CodeSystem:
    """Codes, headers, flags, long and short titles of a CMS order file, or of the zip CMS publishes it in.

    `release` defaults to the stem of the file's name. There are no notes in an order file.
    """
    rows = []
    seen: set[str] = set()
    for item in read_order_lines(path, shape=SHAPE):
        if item.code in seen:
            raise CodeFileError(f"code {item.code} is given twice", path=path, line=item.line)
        seen.add(item.code)
        terms = () if item.short == item.long else (("short", item.short),)
        rows.append(CodeRow(item.code, item.long, item.billable, terms=terms))
    return CodeSystem.from_rows(rows, name="icd10cm", release=release or Path(path).stem)


# ---- the tabular


@dataclass(slots=True)
class _Seventh:
    """A seventh character: its label, and the terms given for it."""

    character: str
    label: str = ""
    terms: list[str] = field(default_factory=list)

    def names(self, term: str) -> bool:
        """Whether `term` is about this character alone. "Fall from stool", below the sequela of W08, is not."""
        return term[:1].islower() or not re.match("initial|subsequent|sequela", self.label)


@dataclass(slots=True)
class _Node:
    """A chapter, section or diag while it is read."""

    tag: str
    line: int
    name: str = ""
    title: str = ""
    terms: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    seventh: list[_Seventh] = field(default_factory=list)
    children: list[_Node] = field(default_factory=list)


def read_tabular_xml(path: str | Path, *, release: str | None = None) -> CodeSystem:
    """The Tabular List with all its notes, seventh characters expanded. Reads 9 MB in about 2 s.

    `release` defaults to "FY" and the file's own version. DTDs, entity declarations and unknown elements are refused.
    """
    rows, groups, version = tabular_rows(path)
    return CodeSystem.from_rows(rows, name="icd10cm", release=release or f"FY{version or '?'}", groups=groups)


def tabular_rows(path: str | Path) -> tuple[list[CodeRow], list[GroupRow], str]:
    """(rows, groups, version) of the tabular, for whoever has to add to them."""
    parser = _Tabular(path)
    parser.read(read_bytes(path, member=r"(?i)tabular.*\.xml$"))
    if not parser.chapters:
        raise CodeFileError("holds no chapter", path=path)
    known = frozenset(d.name for c in parser.chapters for s in c.children for d in s.children)
    groups: list[GroupRow] = []
    rows: list[CodeRow] = []
    for chapter in parser.chapters:
        top = len(groups)
        groups.append(GroupRow(chapter.name, chapter.title, -1, _notes(chapter, known)))
        for section in chapter.children:
            block = len(groups)
            groups.append(GroupRow(section.name, section.title, top, _notes(section, known)))
            for diag in section.children:
                _expand(diag, "", block, [], [], rows, known)
    counts = Counter(row.code for row in rows)
    if twice := sorted(code for code, count in counts.items() if count > 1):
        raise CodeFileError(f"given twice, with seventh characters: {', '.join(twice[:5])}", path=path)
    return rows, groups, parser.version


class _Tabular:
    """Builds `_Node`s from what the XML reader reports."""

    def __init__(self, path: str | Path) -> None:
        self.version = ""
        self.chapters: list[_Node] = []
        self._nodes: list[_Node] = []
        self._xml = XmlReader(path, _INSIDE, self._start, self._end, what="ICD-10-CM tabular")
        self.read, self._fail = self._xml.read, self._xml.fail

    def _start(self, tag: str, outer: str, attributes: dict[str, str]) -> None:
        if tag in ("chapter", "section", "diag"):
            node = _Node(tag, self._xml.line, name=attributes.get("id", ""))
            (self._nodes[-1].children if self._nodes else self.chapters).append(node)
            self._nodes.append(node)
        elif tag == "extension":
            character = attributes.get("char", "")
            if not re.fullmatch(r"[0-9A-Z]", character):
                self._fail(f"<extension> with the character {character!r}")
            self._nodes[-1].seventh.append(_Seventh(character))

    def _end(self, tag: str, outer: str, text: str) -> None:
        if tag in ("chapter", "section", "diag"):
            self._close(self._nodes.pop())
        elif not self._nodes:
            if tag == "version":
                self.version = text
        elif tag == "name":
            self._set_name(self._nodes[-1], text)
        elif tag == "desc":
            self._nodes[-1].title = text
        elif tag == "extension":
            self._nodes[-1].seventh[-1].label = text
        elif tag == "note" and outer == "sevenChrDef":
            if not self._nodes[-1].seventh:
                self._fail("a <note> before the first <extension>")
            self._nodes[-1].seventh[-1].terms.append(text)
        elif tag == "note" and not text:
            self._fail(f"an empty <note> in <{outer}>")
        elif tag == "note" and outer == "inclusionTerm":
            self._nodes[-1].terms.append(text)
        elif tag == "note":
            self._nodes[-1].notes.append((_NOTES[outer], text))

    def _set_name(self, node: _Node, text: str) -> None:
        if node.name:
            self._fail(f"a second <name> for {node.name}")
        if node.tag == "diag" and not SHAPE.fullmatch(text):
            self._fail(f"{text!r} is not the shape of a code")
        node.name = text.replace(".", "") if node.tag == "diag" else text

    def _close(self, node: _Node) -> None:
        if not node.name or not node.title:
            self._fail(f"<{node.tag}> of line {node.line} has no {'title' if node.name else 'name'}")
        if not node.name.isascii():
            self._fail(f"<{node.tag}> has the name {node.name!r}")
        if node.tag == "diag" and self._nodes and self._nodes[-1].tag == "diag":
            up = self._nodes[-1].name
            if up and not node.name.startswith(up):
                self._fail(f"{node.name} stands below {up}, with which it does not begin")


def _notes(node: _Node, known: frozenset[str]) -> tuple[Note, ...]:
    lines = list(node.notes)
    if node.tag != "diag":
        lines += [("includes", term) for term in node.terms]  # a block names nothing that could be coded
    # Includes notes name the codes they mean to describe or to leave out, in prose: no ranges are read from them.
    return tuple(
        Note(kind, node.name, text, () if kind in ("includes", "note", "seventh") else tuple(parse_ranges(text, known)))
        for kind, text in lines
    )


def _expand(
    node: _Node,
    parent: str,
    block: int,
    seventh: Sequence[_Seventh],
    unapplied: Sequence[re.Pattern[str]],
    rows: list[CodeRow],
    known: frozenset[str],
) -> None:
    """Appends the row of `node` and those of everything below it, seventh characters included."""
    seventh = node.seventh or seventh
    unapplied = [*unapplied, *(p for kind, text in node.notes if kind == "note" for p in _unapplied(text))]
    leaf = not node.children and not seventh
    terms = [*node.terms, *(t for s in node.seventh for t in s.terms if not s.names(t))]
    rows.append(
        CodeRow(node.name, node.title, leaf, parent, terms=_inclusion(terms), notes=_notes(node, known), group=block)
    )
    for child in node.children:
        _expand(child, node.name, block, seventh, unapplied, rows, known)
    if node.children:
        return
    for s in seventh:
        code = node.name.ljust(6, "X") + s.character
        if any(p.fullmatch(code) for p in unapplied):
            continue
        words = _inclusion([f"{node.title}, {t}" if t[:1].islower() else t for t in s.terms if s.names(t)])
        rows.append(CodeRow(code, f"{node.title}, {s.label}", True, node.name, terms=words, group=block))


def _inclusion(terms: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(("inclusion", term) for term in terms)


def _unapplied(text: str) -> list[re.Pattern[str]]:
    """Codes that a note takes away: "7th characters D and S do not apply to codes in category S06 with 6th character
    7 - death ..., or 8 - death ..."."""
    found = _UNAPPLIED.match(text)
    if not found:
        return []
    stem, place = found["stem"].replace(".", ""), _PLACES[found["place"]]
    values = "".join(re.findall(r"\b([0-9A-Z]) - ", found["rest"]))
    characters = "".join(re.findall(r"\b[A-Z]\b", found["chars"]))
    return [re.compile(f"{stem}{'.' * (place - len(stem))}[{values}]{'.' * (5 - place)}[{characters}]")]


# ---- the code ranges in a note


def parse_ranges(text: str, known: frozenset[str]) -> list[Range]:
    """The codes a note names: "E08-E13", "I11.-", "(C43.1-, C44.1-)", "(E08-E13 with .621)", "classified to A00-B99".

    Codes in parentheses count; outside of them only when no parenthesis holds any, for there the words may speak of
    codes they do not mean. A condition after "with" becomes a glob; one that is not understood leaves the note without
    ranges, since half a condition would exclude what the note allows. `known`: the existing categories.
    """
    inner = [p for p in re.findall(r"\(([^()]*)(?:\)|\}|$)", text) if _known_tokens(p, known)]
    if not inner:
        if re.match(r"code,? if applicable, for codes", text):
            return []
        inner = [re.sub(r"\([^()]*\)", " ", text)]
    out: list[Range] = []
    for part in inner:
        tokens = _known_tokens(part, known)
        if not tokens:
            continue
        tail = part[tokens[-1].end() :]
        likes = _condition(tail)
        if likes is None:
            continue
        like = ";".join(likes)
        i = 0
        while i < len(tokens):
            lo = hi = tokens[i].group().replace(".", "")
            if i + 1 < len(tokens) and _THROUGH.fullmatch(part[tokens[i].end() : tokens[i + 1].start()]):
                i += 1
                hi = tokens[i].group().replace(".", "")
            if lo <= hi:
                out.append(Range(lo, hi, like))
            i += 1
    return out


def _known_tokens(text: str, known: frozenset[str]) -> list[re.Match[str]]:
    """Codes in `text` whose category exists; "B12" of the vitamin is none. A range may end in a missing category."""
    return [m for m in _TOKEN.finditer(text) if m.group()[:3] in known]


def _condition(tail: str) -> list[str] | None:
    """Globs over the code without dot for what follows the last code; [] for no condition, None if not understood."""
    found = re.match(r"[.\-,\s]*with\s+(.*)", tail)
    if not found:
        return []
    text = found[1].strip()
    if text == "open fracture 7th character":
        return ["??????[BCEFHJMNQR]"]
    if text.endswith("character to indicate intent"):
        return []  # any intent
    values = re.fullmatch(r"(?:final characters )?[-.]?[0-9]+-?(?:(?:,|\.| or|-)\s*[-.][0-9]+-?)*", text)
    if values:
        numbers = re.findall(r"[0-9]+", text)
        if re.fullmatch(r"\.[0-9]+-\.[0-9]+", text):  # ".51-.52"
            numbers = [str(v).zfill(len(numbers[0])) for v in range(int(numbers[0]), int(numbers[1]) + 1)]
        # "E08-E13 with .621" follows the category; "I69. with final characters -23" ends a code of six
        ending = text.startswith("final characters -")
        return [f"????{n}" if ending else f"???{n}*" for n in numbers]
    named = re.fullmatch(
        r"(?P<place>\w+?)(?:(?P<join> or | to )(?P<other>\w+?))?[ -]characters? \.?(?P<value>[0-9A-Z].*)", text
    )
    return _positions(named) if named else None


def _positions(named: re.Match[str]) -> list[str] | None:
    place, other, value = _PLACES.get(named["place"]), named["other"], named["value"]
    if named["join"] == " to " and place is not None:
        return ["?" * place + value + "*"] if value.isalnum() else None
    listed = re.fullmatch(r"[0-9A-Z](?:-[0-9A-Z])?(?:(?:, | or )[0-9A-Z])*", value)
    if not listed:
        return None
    one = f"[{re.sub(r'(, | or )', '', value)}]"
    if named["place"] == "final" or other:
        # T36-T65: the intent is the sixth character, or the fifth where an X fills the sixth (T58.01XA)
        return [f"?????{one}*", f"????{one}X*", f"????{one}"]
    return None if place is None else ["?" * place + one + ("*" if place < 6 else "")]
