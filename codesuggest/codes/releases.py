"""Releases of code systems kept on this machine: added from published files, looked over, opened, removed.

    HOME/releases/KIND/RELEASE/    a folder as `store` writes it: manifest with hashes, arrays, or the file as published
    HOME/downloads/                what `fetch` is still getting

HOME is $CODESUGGEST_HOME, else the platform's folder for data of programs. A KIND is a code system ("icd10cm") or a table
that goes with one ("icd10cm-index"); `kinds.tsv` says which reader reads it. A code list is kept as arrays, any other
table as the very file its reader has accepted, to be read by it again. A release is named by the day it is in force from
("2025-10-01"), which is found in the names of the files where the publisher says it there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib
import inspect
import os
import re
import shutil
import sys
import typing
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from codesuggest import store
from codesuggest.codes import as_day
from codesuggest.codes.edits import Edits, Ptp, PtpEdit
from codesuggest.codes.merge import merge
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError, ModelError, OptionError, ReleaseError
from codesuggest.pipes.lexicon import Row, read_lexicon

HOME = "CODESUGGEST_HOME"  #: environment variable
FOLDER_KIND = "codesuggest release"  #: in the manifest
_COLUMNS = ("kind", "reader", "looks_like", "keeps", "part", "year", "what", "source")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,47}")
_ANY = "*"  #: the kind of any other list
_HEAD = 4096  #: bytes of a file that are looked at to tell what it is
_STALE = 24 * 3600  #: seconds after which what a dead process left is cleared away


@dataclass(frozen=True, slots=True)
class Kept:
    """A release on this machine.

    file, sha256: name and digest of what it was read from. size: number of codes, or of rows. part: which of the files of
    the release it is, each added by itself (order file and tabular; NCCI publishes its pairs in four).
    """

    kind: str
    release: str
    path: Path
    file: str
    sha256: str
    reader: str
    size: int
    part: str = ""

    @property
    def day(self) -> int:
        """First day in force, YYYYMMDD; 0 when the name is no date."""
        return _day(self.release)

    @property
    def system(self) -> str:
        """The code system it is, or goes with."""
        return self.kind.partition("-")[0]


# ---- where


def home() -> Path:
    """The folder of this user's releases; it need not be there."""
    if named := os.environ.get(HOME):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "codesuggest"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "codesuggest"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "codesuggest"


def _folder(kind: str, release: str, part: str) -> Path:
    return home() / "releases" / kind / (f"{release}+{part}" if part else release).replace(":", "_")


# ---- what


@cache
def kinds() -> tuple[Row, ...]:
    """The rows of `kinds.tsv`: which reader reads what."""
    return read_lexicon(Path(__file__).with_name("kinds.tsv"), _COLUMNS, optional=("looks_like", "part"))


def kind_names() -> list[str]:
    """Every kind a reader is there for, in order; any other name stands for a list of the user's own."""
    return list(dict.fromkeys(row["kind"] for row in kinds() if row["kind"] != _ANY))


def reader_of(kind: str, path: Path) -> Row:
    """The row of `kinds.tsv` for a file said to be of this kind, by what it looks like.

    A table that goes with the system is found too: an Alphabetic Index given as "icd10cm" is of "icd10cm-index".

    Raises CodeFileError where no row fits.
    """
    if not _NAME.fullmatch(kind):
        raise OptionError(f"{kind!r} is no name of a system; write small letters, digits, - and _, as icd10cm")
    rows = [row for row in kinds() if row["kind"] == kind] + [r for r in kinds() if r["kind"].startswith(f"{kind}-")]
    if not rows:
        return next(row for row in kinds() if row["kind"] == _ANY)
    shown = "\n".join(looks(path))
    for row in rows:
        if row["looks_like"] and re.search(row["looks_like"], shown, re.I | re.M):
            return row
    for row in rows:
        if not row["looks_like"] and row["kind"] == kind:
            return row
    if re.search(r"^\W*(?:\w+[\t,])*code[\t,]", shown, re.I | re.M) and "title" in shown.lower():
        return next(row for row in kinds() if row["kind"] == _ANY)
    known = "; ".join(row["what"] for row in rows)
    raise CodeFileError(f"is none of the files known for {kind}: {known}", path=path)


def looks(path: Path) -> list[str]:
    """Names and first lines to tell a file by: its own name, those in it if it is a folder or zip, its first 4 KB."""
    path = Path(path)
    try:
        if path.is_dir():
            return [path.name, *sorted(p.name for p in path.rglob("*") if p.is_file())]
        with path.open("rb") as handle:
            head = handle.read(_HEAD)
        if head.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                return [path.name, *sorted(Path(n).name for n in archive.namelist()[:2000])]
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise CodeFileError(f"cannot be read: {what}", path=path) from error
    return [path.name, head.decode("latin-1")]


def read(row: Row, kind: str, path: Path, release: str | None) -> Any:
    """What the row's reader makes of the file: a `CodeSystem`, or what it makes of a table that is no code list.

    release: None for what the file says itself, if it does.
    """
    if row["kind"] == _ANY:
        return CodeSystem.from_table(path, name=kind, release=release or "")
    reader = _reader(row)
    offered = {"release": release, "system": kind}
    takes = inspect.signature(reader).parameters
    return reader(path, **{key: value for key, value in offered.items() if key in takes})


def _reader(row: Row) -> Any:
    module, _, name = row["reader"].rpartition(".")
    return getattr(importlib.import_module(f"codesuggest.codes.readers.{module}"), name)


# ---- add, list, open, remove


def add(kind: str, path: str | Path, release: str | None = None) -> Kept:
    """Read a published file and keep it, in place of what was kept under its name.

    kind: a code system or table of `kinds.tsv`, or any other name for a list with the columns code and title.
    release: the day it is in force from, as "2025-10-01", or the year, "2026"; by default found in the file's names.

    Raises CodeFileError for a file that its reader refuses, OptionError for a release that cannot be told, ReleaseError
    where HOME cannot be written. Whatever goes wrong, what was kept before is still there.
    """
    path = Path(path)
    row = reader_of(kind, path)
    kind = kind if row["kind"] == _ANY else row["kind"]
    content, release = _read_release(row, kind, path, release)
    part, digest = _part(row, path), _digest(path)
    about = {
        "release": release,
        "release_kind": kind,
        "part": part,
        "reader": row["reader"],
        "file": path.name,
        "sha256": digest,
        "size": len(content) if hasattr(content, "__len__") else 0,
        "source": [{"file": path.name, "sha256": digest, "reader": row["reader"]}],
    }
    files: dict[str, store.Content]
    if row["keeps"] == "file":
        files = {f"published/{path.name}": _whole(path)}
    else:
        files = {f"arrays/{name}.npy": array for name, array in content.arrays().items()}
    target = _folder(kind, release, part)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(target.parent)
        store.recover(target)
        store.save(target, about, files, kind=FOLDER_KIND)
    except (OSError, ModelError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ReleaseError(f"{target}: cannot be kept ({why}); {HOME} names another folder") from error
    return _kept(target)


def _read_release(row: Row, kind: str, path: Path, release: str | None) -> tuple[Any, str]:
    """What the file holds, and its release: as the user says, as its names say, or as it says itself."""
    if release is not None:
        name = _release_named(row, release)
        return read(row, kind, path, name), name
    try:
        name = release_of(row, path)
    except OptionError:
        content = read(row, kind, path, None)
        if not _day(getattr(content, "release", "")):
            raise
        return content, content.release
    return read(row, kind, path, name), name


def kept(kind: str | None = None) -> list[Kept]:
    """Releases on this machine, by kind, then oldest first. Raises ReleaseError naming one that is damaged."""
    base = home() / "releases"
    folders = sorted(base.glob(f"{kind or '*'}/*")) if base.is_dir() else []
    for left in [f for f in folders if re.fullmatch(r"\..+\.\d+\.old", f.name)]:
        store.recover(left.with_name(re.sub(r"^\.(.+)\.\d+\.old$", r"\1", left.name)))
    found = [_kept(f) for f in sorted(base.glob(f"{kind or '*'}/*")) if f.is_dir() and not f.name.startswith(".")]
    return sorted(found, key=lambda k: (k.kind, k.day, k.release, k.part))


def open_kept(kind: str, release: str | None = None) -> Any:
    """The `CodeSystem` or records of a kept release, by default the newest; of records in parts, the list of all parts.

    Every file is checked against its hash first. Raises ReleaseError where there is none, or it is damaged.
    """
    have = kept(kind)
    if release is None and have:
        release = have[-1].release
    chosen = [k for k in have if k.release == release]
    if not chosen:
        names = ", ".join(dict.fromkeys(k.release for k in have)) or "none"
        raise ReleaseError(
            f"no release {release or ''} of {kind} is kept (kept: {names}); add it: codes add {kind} FILE"
        )
    opened = [_open(k) for k in chosen]
    if isinstance(opened[0], CodeSystem):
        return merge([(k.release if k.day else 0, table) for k, table in zip(chosen, opened, strict=True)])
    return opened if any(k.part for k in chosen) else opened[0]


def remove(kind: str, release: str) -> None:
    """Forget a release. Raises ReleaseError where it is not kept."""
    chosen = [k for k in kept(kind) if k.release == release]
    if not chosen:
        raise ReleaseError(f"no release {release} of {kind} is kept; `codesuggest codes list` shows what is")
    for each in chosen:
        gone = each.path.with_name(f".{each.path.name}.{os.getpid()}.gone")  # at once, not file by file
        try:
            each.path.rename(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise ReleaseError(f"{each.path}: cannot be removed ({error.strerror})") from error


def merged(system: str, base: CodeSystem | None = None) -> CodeSystem | None:
    """One table of all kept releases of a system, over `base` where it is given; None where there is neither.

    Raises ReleaseError for a damaged one, OptionError where several are kept and one is not named by a day.
    """
    lists: list[tuple[str, CodeSystem]] = [(k.release, _open(k)) for k in kept(system)]
    if base is not None:
        lists.insert(0, (base.release, base))
    if len(lists) == 1:
        return lists[0][1]
    return merge([(name if _day(name) else 0, table) for name, table in lists]) if lists else None


# ---- payers' tables


def edits(date: dt.date | str | int | None = None) -> Edits:
    """Payers' tables that are kept, of each the release in force on the day of service (None: the newest).

    A table of which nothing is kept, or nothing as old, is None: its rules say `not_checked`. Raises ReleaseError for a
    damaged one.
    """
    day = as_day(date) if date is not None else 0
    poa, mce, ptp, mue = (_in_force(kind, day) for kind in ("icd10cm-poa", "mce", "ncci-ptp", "ncci-mue"))
    if isinstance(ptp, list):
        ptp = ptp[0] if len(ptp) == 1 else _Pairs(tuple(ptp))
    return Edits(poa_exempt=poa.codes if poa is not None else None, mce=mce, ptp=ptp, mue=mue)


def _in_force(kind: str, day: int) -> Any:
    """The newest of a kind whose first day has come by `day` (0: whatever its day)."""
    begun = [k.release for k in kept(kind) if not day or k.day <= day]
    return open_kept(kind, begun[-1]) if begun else None


@dataclass(frozen=True, slots=True)
class _Pairs:
    """NCCI pairs that are published in several files."""

    parts: tuple[Ptp, ...]

    def edit(self, first: str, second: str, day: int) -> PtpEdit | None:
        found = (part.edit(first, second, day) for part in self.parts)
        return next((edit for edit in found if edit is not None), None)


def _kept(folder: Path) -> Kept:
    try:
        manifest = store.read_manifest(folder, kind=FOLDER_KIND)
        return Kept(
            manifest["release_kind"],
            manifest["release"],
            folder,
            manifest["file"],
            manifest["sha256"],
            manifest["reader"],
            manifest["size"],
            manifest["part"],
        )
    except (ModelError, KeyError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> ReleaseError:
    what = str(error).partition(";")[0] if isinstance(error, ModelError | CodeFileError) else f"{folder} lacks {error}"
    return ReleaseError(f"{what}; remove the folder {folder} and add the file again")


def _open(k: Kept) -> Any:
    try:
        folder = store.open_folder(k.path, kind=FOLDER_KIND)
        arrays = {name[len("arrays/") : -4]: folder.array(name) for name in folder.names("arrays/")}
        row = next(r for r in kinds() if r["reader"] == k.reader and r["kind"] in (k.kind, _ANY))
        if row["keeps"] == "codes":
            source = folder.manifest["source"]
            return CodeSystem.from_arrays(arrays, name=k.kind, release=k.release, source=source)
        if row["keeps"] == "arrays":
            return typing.get_type_hints(_reader(row))["return"].from_arrays(arrays, release=k.release)
        (published,) = folder.names("published/")
    except (ModelError, CodeFileError, KeyError, ValueError, StopIteration) as error:
        raise _damaged(k.path, error) from error
    return read(row, k.kind, k.path / published, k.release)


def _whole(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CodeFileError(f"cannot be read: {error.strerror or error}; give one file", path=path) from error


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _clear(folder: Path) -> None:
    """Clear away what processes that died long ago left half written."""
    now = dt.datetime.now().timestamp()
    for left in folder.glob(".*"):
        if left.suffix in (".new", ".gone") and now - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)


# ---- which release a file is


_MONTHS = {"jan": 1, "apr": 4, "jul": 7, "oct": 10}
_MONTH = r"(?P<month>jan|apr|jul|oct)[a-z]*"
_YEAR = r"(?P<year>20\d\d)"
#: How publishers write when a file is in force, surest first.
_DATED = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"(?<!\d){_YEAR}-(?P<number>\d\d)-(?P<dom>\d\d)(?!\d)",
        rf"(?<!\d)(?P<number>\d\d)-(?P<dom>\d\d)-{_YEAR}(?!\d)",
        rf"(?<![a-z]){_MONTH}[-_ ]*(?:(?P<dom>\d\d?)[-_, ]+)?{_YEAR}(?!\d)",
        rf"(?<!\d){_YEAR}[-_ ]*{_MONTH}(?![a-z])",
        rf"(?<!\d){_YEAR}[-_ ]?q(?P<quarter>[1-4])(?!\d)",
        r"(?<![a-z])v(?P<ncci>\d\d)(?P<step>\d)r\d",
        r"(?:(?<![a-z])v|cms)(?P<grouper>\d\d)(?:[._]|$)",
        rf"FY[-_ ]?(?:{_YEAR}|(?P<short>\d\d))(?!\d)",
        rf"(?<!\d){_YEAR}(?!\d)",
    )
)


def release_of(row: Row, path: Path) -> str:
    """The release a file is, as ISO day, from its name and those of what is in it. Raises OptionError."""
    shown = looks(path)
    names = [line for line in shown if "\n" not in line and len(line) < 200]
    names += [f"FY{found[1]}" for line in shown for found in [re.search(r"<version>(20\d\d)</version>", line)] if found]
    for pattern in _DATED:
        for name in names:
            if (found := pattern.search(name)) and (day := _date(found.groupdict(), row["year"])):
                return day
    raise OptionError(
        f"{path.name} does not say which release it is; name the day it is in force from: --release 2026-10-01"
    )


def _date(found: dict[str, str | None], year_is: str) -> str:
    """ISO day of what a pattern found; "" for none. A bare year is a fiscal one, from 1 October before, or not."""
    get = {key: int(value) for key, value in found.items() if value and value.isdigit()}
    year = get.get("year", 0)
    if "short" in get:
        year = 2000 + get["short"]
    if "grouper" in get:  # version 32 of the MS-DRG grouper, and of the code lists with it, is FY2015
        year, year_is = 1983 + get["grouper"], "fiscal"
    month, day = get.get("number", 0), get.get("dom", 1)
    if found.get("month"):
        month = _MONTHS[str(found["month"]).lower()]
    if "quarter" in get:
        month = 3 * get["quarter"] - 2
    if "ncci" in get:  # version 32.1 is the second quarter of 2026
        year, month = 1994 + get["ncci"], 3 * get["step"] + 1
    if not month:
        year, month = (year - 1, 10) if year_is == "fiscal" else (year, 1)
    try:
        return dt.date(year, month, day).isoformat()
    except ValueError:
        return ""


def _release_named(row: Row, release: str) -> str:
    """What a user calls a release, as its name: 2026 and FY2026 become the day such a year begins."""
    for pattern in _DATED:
        if (found := pattern.fullmatch(release)) and (day := _date(found.groupdict(), row["year"])):
            return day
    if not _RELEASE.fullmatch(release):
        raise OptionError(f"{release!r} is no name of a release; write a day, 2025-10-01, or a short name")
    return release


def named_release(kind: str, release: str) -> str:
    """What a user calls a release of a kind ("2026", "FY2026", "2025-10-01"), as its name. Raises OptionError."""
    row = next((r for r in kinds() if r["kind"] == kind), kinds()[-1])
    return _release_named(row, release)


def _part(row: Row, path: Path) -> str:
    found = re.search(row["part"], "\n".join(looks(path)), re.I) if row["part"] else None
    return found[0].lower().strip("-_") if found else ""


def _day(release: str) -> int:
    try:
        return as_day(release)
    except OptionError:
        return 0
