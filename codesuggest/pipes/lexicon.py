"""Reads and checks the word lists (``pipes/<language>/*.tsv``).

A word list is data that a clinician may edit in a spreadsheet, so the reader is strict: a wrong header, a missing cell,
a stray space or a duplicate stops the load with the file and the line, instead of costing recall in silence.

Format: UTF-8, tab separated, the first line that is no comment is the header. Lines that start with ``#`` and empty
lines are skipped. Every list has a ``source`` column that says where each row comes from. No quoting: a cell holds
neither tabs nor line ends. Several values in one cell are divided by ``|``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesuggest.errors import LexiconError

__all__ = ["ENGLISH", "LexiconError", "Row", "read_lexicon"]

#: Folder of the English word lists that ship with the package.
ENGLISH = Path(__file__).parent / "en"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a word list, with the file and line (from 1) it was read from."""

    path: Path
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell as written (``""`` when empty). Raises KeyError for a column the list does not have."""
        return self.cells[column]

    def error(self, message: str) -> LexiconError:
        """An error that names this row; the caller raises it."""
        return LexiconError(f"{self.path.name}, line {self.line}: {message}")

    def items(self, column: str) -> tuple[str, ...]:
        """The values of a cell divided by ``|``, ``()`` for an empty cell. Raises on an empty or repeated value."""
        cell = self.cells[column]
        if not cell:
            return ()
        values = tuple(cell.split("|"))
        for i, value in enumerate(values):
            if not value or value != value.strip():
                raise self.error(f"column {column!r}: empty value or stray space in the list {cell!r}")
            if value in values[:i]:
                raise self.error(f"column {column!r}: {value!r} is listed twice")
        return values

    def number(self, column: str) -> float | None:
        """The cell as a finite number, None when empty."""
        cell = self.cells[column]
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            raise self.error(f"column {column!r}: {cell!r} is not a number") from None
        if not math.isfinite(value):
            raise self.error(f"column {column!r}: {cell!r} is not a finite number")
        return value

    def choice(self, column: str, allowed: Collection[str]) -> str:
        """The cell, checked to be one of ``allowed``."""
        cell = self.cells[column]
        if cell not in allowed:
            raise self.error(f"column {column!r}: {cell!r} is none of {', '.join(sorted(allowed))}")
        return cell


def read_lexicon(
    path: Path, columns: Sequence[str], *, optional: Collection[str] = (), unique: Sequence[str] = ()
) -> tuple[Row, ...]:
    """Read a word list.

    ``columns`` is the header, exactly and in order. Cells of the ``optional`` columns may be empty, no other.
    ``unique`` names the columns whose cells together occur once. Rows come in file order.

    Raises LexiconError when the file is missing, is not UTF-8, or breaks one of these rules.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise LexiconError(f"{path}: no such word list; reinstall the package or name another folder") from None
    except UnicodeDecodeError as error:
        raise LexiconError(f"{path.name}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    return tuple(_rows(path, text, tuple(columns), optional, tuple(unique)))


def _rows(
    path: Path, text: str, columns: tuple[str, ...], optional: Collection[str], unique: tuple[str, ...]
) -> Iterator[Row]:
    header: tuple[str, ...] | None = None
    seen: dict[tuple[str, ...], int] = {}
    # Only "\n" and "\r\n" end a row: str.splitlines would also cut at U+2028, which then is no error but half a row.
    for number, raw in enumerate(text.split("\n"), start=1):
        raw = raw.removesuffix("\r")
        if not raw or raw.startswith("#"):
            continue
        cells = tuple(raw.split("\t"))
        if header is None:
            header = cells
            if header != columns:
                raise LexiconError(f"{path.name}, line {number}: header is {header}, expected {columns}")
            continue
        row = Row(path, number, dict(zip(columns, cells, strict=False)))
        if len(cells) != len(columns):
            raise row.error(f"{len(cells)} cells, expected {len(columns)} ({', '.join(columns)})")
        for column, cell in row.cells.items():
            if cell != cell.strip():
                raise row.error(f"column {column!r}: space around {cell!r}")
            if not cell and column not in optional:
                raise row.error(f"column {column!r} is empty")
        if unique:
            key = tuple(row[column] for column in unique)
            if key in seen:
                raise row.error(f"{' / '.join(key)} stands already on line {seen[key]}")
            seen[key] = number
        yield row
    if header is None:
        raise LexiconError(f"{path.name}: no header; the first line must be the columns {columns}")
