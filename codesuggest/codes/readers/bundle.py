"""What a publisher hands out: one file, a zip or a folder of several, read member by member with the same care.

A member is not read before it is asked for, and `lines` holds one line at a time: MRCONSO.RRF and Athena's CONCEPT.csv
have gigabytes. Zips inside a folder are looked into (CMS publishes the NCCI pairs as four), zips inside a zip are not.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from codesuggest.codes.readers import MAX_BYTES, MAX_MEMBERS, archive_members, zip_errors
from codesuggest.errors import CodeFileError

MAX_STREAM = 16 * 1024**3  #: what `lines` reads of a member at most
MAX_LINE = 1 << 20
_HEAD = 1 << 17


@dataclass(frozen=True, slots=True)
class Member:
    """A file, or a file in a zip. `label` names it in errors: "codes.zip/MEDU.txt"."""

    path: Path
    inside: str = ""

    @property
    def name(self) -> str:
        return Path(self.inside or self.path).name

    @property
    def label(self) -> Path:
        return self.path / self.inside if self.inside else self.path

    def head(self) -> bytes:
        """The first 128 KB, enough to tell which format it is."""
        with self._open() as handle:
            return handle.read(_HEAD)

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """All of it. Raises CodeFileError over `max_bytes`, whatever size an archive declares."""
        with self._open() as handle:
            data = handle.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise CodeFileError(f"larger than {max_bytes:,} bytes, which no such table is", path=self.label)
        return data

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(number from 1, line without its end), one at a time. Raises CodeFileError on a line without end: a cut."""
        size = 0
        with self._open() as handle:
            number = 0
            while raw := handle.readline(MAX_LINE + 1):
                number += 1
                size += len(raw)
                if len(raw) > MAX_LINE or size > MAX_STREAM:
                    raise CodeFileError(
                        "a line, or the file, is longer than any published", path=self.label, line=number
                    )
                if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise CodeFileError("is UTF-16; save it as UTF-8", path=self.label)
                if not raw.endswith(b"\n"):
                    if not raw.strip(b"\x1a\r"):
                        return  # the end-of-file mark of DOS
                    raise CodeFileError(
                        "the last line has no line end, so the file may be cut; get it again, or end the line",
                        path=self.label,
                        line=number,
                    )
                yield number, raw.rstrip(b"\r\n")

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if self.inside:
            with zip_errors(self.label), zipfile.ZipFile(self.path) as archive, archive.open(self.inside) as raw:
                # typeshed calls it IO[bytes]; it is a BufferedIOBase
                yield io.BufferedReader(raw)  # type: ignore[type-var]
            return
        try:
            with self.path.open("rb") as handle:
                yield handle
        except OSError as error:
            raise CodeFileError(f"cannot be read: {error.strerror or error}", path=self.path) from error


def members(path: str | Path) -> list[Member]:
    """The members of a file, a zip or a folder, sorted by name; an .xlsx is one file, though it is a zip too.

    Raises CodeFileError: nothing there, too many members, a zip that is damaged, encrypted or ill-meant.
    """
    path = Path(path)
    if not path.is_dir():
        return _of_file(path)
    try:
        files = sorted(Path(top) / name for top, _, names in os.walk(path) for name in names)
    except OSError as error:
        raise CodeFileError(f"cannot be read: {error.strerror or error}", path=path) from error
    if len(files) > MAX_MEMBERS:
        raise CodeFileError(f"a folder of {len(files):,} files; at most {MAX_MEMBERS:,} are read", path=path)
    found = [member for file in files if file.is_file() for member in _of_file(file)]
    if not found:
        raise CodeFileError("is an empty folder", path=path)
    return found


def _of_file(path: Path) -> list[Member]:
    if not Member(path).head().startswith(b"PK\x03\x04"):
        return [Member(path)]
    with zip_errors(path), zipfile.ZipFile(path) as archive:
        infos = archive_members(archive, path)
    names = [info.filename for info in infos]
    if "[Content_Types].xml" in names:
        return [Member(path)]
    if len(set(names)) != len(names):
        raise CodeFileError("two members of the zip have the same name", path=path)
    return [Member(path, name) for name in sorted(names)]
