"""Readers of published code tables, one module a format, and what they share: opening a file one does not trust.

Every reader returns a `CodeSystem` or raises `CodeFileError` naming the file and, where there is one, the line. A zip
is never unpacked to disk: one member is read into memory, after its name and its declared size have been checked, and
the read stops at the limit whatever the declared size says.

CMS order file (ICD-10-CM and ICD-10-PCS alike), fixed columns, latin-1, counted from 1:
1-5 order number, 7-13 code without dot, 15 flag (1 billable, 0 header), 17-76 short title, 78- long title.
"""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codesuggest.errors import CodeFileError

MAX_BYTES = 256 * 1024 * 1024  #: the largest published table (the CM order file) is 15 MB
MAX_MEMBERS = 2_000  #: of a zip
_CHUNK = 1 << 20
_ORDER_NUMBER = re.compile(r"[0-9]{5}")


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order file. `line` counts from 1."""

    line: int
    code: str  #: without dot
    billable: bool
    short: str
    long: str


def read_bytes(path: str | Path, *, member: str = "", max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a file, or of the one member of a zip whose base name matches the regular expression `member`.

    Raises CodeFileError: the file is missing, too large, a damaged, encrypted or ill-meant zip (absolute names, `..`,
    drive letters), or no member or more than one matches.
    """
    path = Path(path)
    try:
        with path.open("rb") as handle:
            magic = handle.read(4)
            if magic != b"PK\x03\x04":
                data = magic + handle.read(max_bytes + 1 - len(magic))
                if len(data) > max_bytes:
                    raise CodeFileError(f"larger than {max_bytes:,} bytes, which no published table is", path=path)
                return data
    except OSError as error:
        raise CodeFileError(f"cannot be read: {error.strerror or error}", path=path) from error
    return _read_member(path, member, max_bytes)


def _read_member(path: Path, member: str, max_bytes: int) -> bytes:
    with zip_errors(path), zipfile.ZipFile(path) as archive:
        infos = archive_members(archive, path)
        found = [i for i in infos if re.search(member, Path(i.filename).name)]
        if len(found) != 1:
            names = ", ".join(sorted(i.filename for i in (found or infos))[:8])
            raise CodeFileError(f"{len(found)} members match {member!r}, one is needed; it holds {names}", path=path)
        info = found[0]
        if info.file_size > max_bytes:
            raise CodeFileError(f"member {info.filename} declares {info.file_size:,} bytes", path=path)
        chunks, size = [], 0
        with archive.open(info) as handle:
            while chunk := handle.read(_CHUNK):
                size += len(chunk)
                if size > max_bytes:  # the declared size is the archive's word only
                    raise CodeFileError(f"member {info.filename} unpacks to over {max_bytes:,} bytes", path=path)
                chunks.append(chunk)
        return b"".join(chunks)


def archive_members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """The members of an archive but its folders, none of them encrypted or with a name that leaves the archive."""
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise CodeFileError(f"a zip of {len(infos):,} members; at most {MAX_MEMBERS:,} are read", path=path)
    for info in infos:
        _refuse_traversal(info.filename, path)
        if info.flag_bits & 1:
            raise CodeFileError(f"member {info.filename} is encrypted", path=path)
    return [i for i in infos if not i.is_dir()]


@contextmanager
def zip_errors(path: Path) -> Iterator[None]:
    """What goes wrong in reading an archive, as a CodeFileError that names it."""
    try:
        yield
    except CodeFileError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        NotImplementedError,
        ValueError,
    ) as error:
        raise CodeFileError(f"is no readable zip: {error}", path=path) from error


def _refuse_traversal(name: str, path: Path) -> None:
    # Nothing is unpacked to disk, so such a name can do no harm here; but no publisher writes one, so the file is not
    # what it says it is.
    parts = name.replace("\\", "/").split("/")
    if not name:
        raise CodeFileError("a member of the archive has no name", path=path)
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise CodeFileError(f"a member's name leaves the archive: {name!r}", path=path)


def read_order_lines(path: str | Path, *, shape: re.Pattern[str]) -> Iterator[OrderLine]:
    """Lines of a CMS order file, or of a zip holding one `*_order_<year>.txt`; codes must fully match `shape`."""
    data = read_bytes(path, member=r"(?i)order_\d{4}\.txt$")
    count = 0
    for number, raw in enumerate(data.decode("latin-1").split("\n"), start=1):
        text = raw.rstrip("\r")
        if not text.strip():
            continue
        count += 1
        if len(text) < 78:
            raise CodeFileError(f"{len(text)} columns where an order file has at least 78", path=path, line=number)
        if not _ORDER_NUMBER.fullmatch(text[0:5]):
            raise CodeFileError("columns 1-5 are not an order number", path=path, line=number)
        code, flag = text[6:13].rstrip(), text[14]
        if not shape.fullmatch(code) or text[5] != " " or text[13] != " ":
            raise CodeFileError(f"columns 7-13 are not a code: {text[5:14]!r}", path=path, line=number)
        if flag not in "01":
            raise CodeFileError(f"column 15 is {flag!r}, not 0 or 1", path=path, line=number)
        yield OrderLine(number, code, flag == "1", text[16:76].strip(), text[77:].strip())
    if not count:
        raise CodeFileError("holds no line", path=path)
