"""Our lists of how clinicians write, a row a code and phrase: what no title says and no document need have taught.

The list of English stands in `corpora/codes/`, is part of the starter model and is taken from there (`rebuild.idioms_of`). Any
other language keeps its list in its folder of word lists, `idioms_SYSTEM.tsv`, for whoever trains in it.
"""

from __future__ import annotations

from pathlib import Path

from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import Idiom
from codesuggest.errors import CodeFileError
from codesuggest.pipes.language import Language
from codesuggest.pipes.lexicon import Row, read_lexicon

_COLUMNS = ("code", "phrase", "kind", "common", "source")


def read_idioms(path: Path, system: CodeSystem) -> list[Idiom]:
    """A list made for this table. Raises LexiconError, CodeFileError for a code the system does not bill."""
    rows = read_lexicon(path, _COLUMNS, unique=("code", "phrase"))
    for row in rows:
        if not _billed(row["code"], system):
            raise CodeFileError(f"{row['code']} is no billable code of {system!r}", path=path, line=row.line)
    return [_idiom(row) for row in rows]


def idioms_in(language: Language, system: CodeSystem) -> list[Idiom]:
    """The list of a language for a system of codes, () without one; of a table of another year what that bills.

    Raises LexiconError.
    """
    path = language.folder / f"idioms_{system.name}.tsv"
    if not path.is_file():
        return []
    rows = read_lexicon(path, _COLUMNS, unique=("code", "phrase"))
    return [_idiom(row) for row in rows if _billed(row["code"], system)]


def _billed(code: str, system: CodeSystem) -> bool:
    return code in system and system[code].billable


def _idiom(row: Row) -> Idiom:
    kind = row.choice("kind", ("idiom", "abbrev", "lay", "drug"))
    return Idiom(row["code"].replace(".", ""), row["phrase"], kind, int(row.number("common") or 0))
