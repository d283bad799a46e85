"""Which code tables a model is trained with: those a user names, else those at hand for the systems the documents use.

At hand are the tables of the starter model, which are those of the build packages, and the releases kept on this machine
(`codesuggest codes add`). Codes of a system that has no table at all keep their system, with release "site:<name>".
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesuggest.coded import CodedDocument
from codesuggest.codes import releases
from codesuggest.codes.site import of_codes
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import Idiom
from codesuggest.errors import CodeFileError, OptionError
from codesuggest.idioms import idioms_in
from codesuggest.pipes.language import DEFAULT
from codesuggest.pipes.language import language as spoken
from codesuggest.rebuild import idioms_of
from codesuggest.suggester import CodeSuggester

#: The order of a model's systems; the first answers a search. Others come after these, by name.
_ORDER = ("icd10cm", "icd10pcs", "icd9cm", "icd9pcs", "icd10who", "hcpcs", "cpt")
_HEADER = re.compile(r'^\W*(?:"?[\w ]+"?[\t,;])*"?code"?\s*(?:[\t,;]|$)', re.I)


@dataclass(frozen=True, slots=True)
class Tables:
    """systems: in the order of the model. idioms: our ways of writing, by system. made_from: a line for each table."""

    systems: tuple[CodeSystem, ...]
    idioms: dict[str, list[Idiom]]
    made_from: tuple[str, ...]


def tables_for(
    documents: Sequence[CodedDocument],
    given: Sequence[str | Path] = (),
    *,
    systems: Sequence[str] | None = None,
    name: str = "model",
    language: str = DEFAULT,
    told: Callable[[str], None] = lambda _: None,
) -> Tables:
    """The tables to train with.

    given: files of code tables, "SYSTEM=FILE" or just the file: a published one is told by what it looks like, and a list with
        the columns code and title is of the system whose codes the documents use and it holds. systems: the only ones wanted.
        name: of the model, for codes without a table. language: of the documents, whose ways of writing are taken. told: a line
        a table.

    Raises CodeFileError for a file that cannot be read, OptionError for a system that no document uses and no table has, for a
    file whose system cannot be told, and where there is neither a document nor a table.
    """
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        for label in document.codes:
            used[label.system][label.code] += 1
    if not used and not given:
        raise OptionError("no document has a code, and no code table is named: give one with --codes")
    named: dict[str, CodeSystem] = {}
    lines: dict[str, str] = {}
    for one in given:
        table, line = _read(str(one), used, [system for system in used if system not in named])
        if table.name in named:
            raise OptionError(f"two tables of {table.name} are given; `codesuggest codes add` joins releases")
        named[table.name], lines[table.name] = table, line
    for system in systems or ():
        if system not in used and system not in named:
            there = ", ".join(sorted({*used, *named})) or "none"
            raise OptionError(f"the system {system} is in no document and no table that is given; these are: {there}")
    wanted = sorted(
        {*used, *named} if systems is None else set(systems),
        key=lambda s: (_ORDER.index(s) if s in _ORDER else len(_ORDER), s),
    )
    base = CodeSuggester.load()
    out, idioms = [], {}
    for system in wanted:
        engine = base.engines.get(system)
        found = named.get(system) or releases.merged(system, engine.system if engine is not None else None)
        if found is None:
            found = of_codes(used[system], system=system, name=name)
            lines[system] = f"{system}: {len(found):,} codes of the documents, without a table"
        elif system not in named:
            lines[system] = f"{system} {found.release}: the table at hand ({len(found):,} codes)"
        if language != DEFAULT:
            idioms[system] = idioms_in(spoken(language), found)
        elif engine is not None:
            idioms[system] = idioms_of(engine, found)
        told(lines[system])
        out.append(found)
    return Tables(tuple(out), idioms, tuple(lines[system] for system in wanted))


def _read(given: str, used: dict[str, Counter[str]], without: Sequence[str]) -> tuple[CodeSystem, str]:
    """The table of one --codes, and the line that says what it is. without: systems of the documents that need a table."""
    name, equals, rest = given.partition("=")
    if equals and not Path(given).exists():
        if not rest or not Path(rest).exists():
            raise CodeFileError("no such file", path=rest or given)
        table = _opened(name, Path(rest))
        path = Path(rest)
    else:
        path = Path(given)
        table = _told(path, used, without)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""
    return table, f"{table.name} {table.release}: {len(table):,} codes of {path.name}, sha256 {digest}"


def _told(path: Path, used: dict[str, Counter[str]], without: Sequence[str]) -> CodeSystem:
    """The table of a file whose system nobody named."""
    shown = releases.looks(path)
    head = shown[1].partition("\n")[0] if len(shown) == 2 else ""
    if _HEADER.search(head):
        return _list(path, used, without)
    kinds = [row for row in releases.kinds() if row["keeps"] == "codes" and row["looks_like"]]
    kinds.sort(key=lambda row: row["kind"] not in used)  # stable: order files of diagnoses and procedures look alike
    refused: CodeFileError | None = None
    for row in kinds:
        if re.search(row["looks_like"], "\n".join(shown), re.I | re.M):
            try:
                return _opened(row["kind"], path)
            except CodeFileError as error:
                refused = refused or error
    if refused is not None:
        raise refused
    for kind in without:
        if kind in releases.kind_names():
            return _opened(kind, path)
    raise OptionError(f"{path}: which code system is it? Write --codes SYSTEM={path}")


def _list(path: Path, used: dict[str, Counter[str]], without: Sequence[str]) -> CodeSystem:
    """A list of codes with a header, taken for the system whose codes in the documents it holds most of; without documents for
    the one of the starter that has most of its codes, else for one that is called as the file."""
    if not used:
        table = _opened("codes", path, as_list=True)
        for system, known in CodeSuggester.load().tables.items():
            if 2 * sum(1 for code in table if code.code in known) > len(table):
                return _opened(system, path, as_list=True)
        stem = re.sub(r"[^a-z0-9_-]+", "_", path.stem.lower()).strip("_-") or "codes"
        return _opened(stem[:32], path)
    best: tuple[int, CodeSystem] | None = None
    for system in without:
        table = _opened(system, path, as_list=True)
        held = sum(1 for code in used[system] if code in table)
        if held and (best is None or held > best[0]):
            best = held, table
    if best is None:
        raise OptionError(
            f"{path}: holds no code that the documents use ({', '.join(used)}); "
            f"write --codes SYSTEM={path} if it is of one of these or of another system"
        )
    return best[1]


def _opened(kind: str, path: Path, *, as_list: bool = False) -> CodeSystem:
    """What the reader of a kind makes of the file; a release that no name tells is "file:" and the digest of the file."""
    row = releases.kinds()[-1] if as_list else releases.reader_of(kind, path)
    if row["keeps"] != "codes":
        raise CodeFileError(f"is {row['what']}, no list of codes", path=path)
    try:
        release = releases.release_of(row, path)
    except OptionError:
        table: Any = releases.read(row, kind, path, None)
        if isinstance(table, CodeSystem) and table.release_day:
            return table
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else path.name
        release = f"file:{digest}"
    table = releases.read(row, kind, path, release)
    if not isinstance(table, CodeSystem):
        raise CodeFileError(f"is {row['what']}, no list of codes", path=path)
    if not len(table):
        raise CodeFileError("holds no code", path=path)
    return table
