"""A model folder: manifest, hashes, arrays in and out. Knows files, none of our classes.

    manifest.json     format, name, what it was made from, and size and sha256 of every other file
    README.md         the card, for people
    *.json *.txt      small structures and word lists, readable with `cat`
    **/*.npy          arrays of plain dtypes, memory-mapped on load; never pickled

Everything is checked against the manifest before it is used, so a file that was cut, changed, added or taken away is
named instead of loaded. Nothing in a folder is ever executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.errors import ModelDamagedError, ModelError, ModelFormatError, ModelNotFoundError

FORMAT = 1
KIND = "codesuggest model"
MANIFEST = "manifest.json"
_REMEDY = "get the folder again, or rebuild it with `codesuggest model build`"

Content = npt.NDArray[Any] | str | bytes | list[Any] | dict[str, Any]


def _bytes(name: str, content: Content) -> bytes:
    if isinstance(content, np.ndarray):
        if content.dtype.hasobject:
            raise TypeError(f"{name}: arrays of objects are not kept in a model")
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ascontiguousarray(content), version=(1, 0), allow_pickle=False)
        return buffer.getvalue()
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode("utf-8")
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")


def save(path: Path, about: Mapping[str, Any], files: Mapping[str, Content], *, kind: str = KIND) -> None:
    """Write a folder: arrays as .npy, str as text, bytes as they are, lists and dicts as JSON.

    The same content gives the same bytes. Written beside `path` and renamed when complete, so that no reader sees half
    a model. An existing folder is replaced only if it is a model itself. Raises ModelFormatError otherwise, ModelError
    where the disk is full or forbids it; nothing is left behind then.
    """
    path = Path(path)
    if path.exists() and not (path / MANIFEST).is_file() and any(path.iterdir()):
        raise ModelFormatError(f"{path} is there and is no model folder; choose another place")
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        _write(path, fresh, about, files, kind)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        recover(path)
        why = error.strerror or type(error).__name__
        raise ModelError(f"{path}: cannot be written ({why}); make room there, or choose another place") from error


def _write(path: Path, fresh: Path, about: Mapping[str, Any], files: Mapping[str, Content], kind: str) -> None:
    shutil.rmtree(fresh, ignore_errors=True)
    listed: dict[str, dict[str, Any]] = {}
    for name in sorted(files):
        data = _bytes(name, files[name])
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        listed[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"kind": kind, "format": FORMAT, **about, "files": listed}
    (fresh / MANIFEST).write_bytes(_bytes(MANIFEST, manifest))
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def recover(path: Path) -> None:
    """Put back a folder that `save` was about to replace when the process died between its two renames."""
    left = sorted(path.parent.glob(f".{path.name}.*.old")) if not path.exists() else []
    if left:
        left[-1].rename(path)


@dataclass(frozen=True)
class Folder:
    """An opened and checked model folder. `digest`: sha256 of the manifest, which vouches for all other files."""

    path: Path
    manifest: Mapping[str, Any]
    digest: str

    def has(self, name: str) -> bool:
        return name in self.manifest["files"]

    def names(self, prefix: str) -> list[str]:
        """Names of the files below `prefix`, sorted."""
        return sorted(n for n in self.manifest["files"] if n.startswith(prefix))

    def array(self, name: str) -> npt.NDArray[Any]:
        """The array, memory-mapped read-only. Raises ModelDamagedError."""
        self._listed(name)
        try:
            mapped = np.lib.format.open_memmap(self.path / name, mode="r")  # .npy only; refuses objects
        except (ValueError, OSError, EOFError):
            raise ModelDamagedError(f"{self.path / name} is no plain array; {_REMEDY}") from None
        return np.asarray(mapped)  # a plain view: still mapped, without the cost of np.memmap at every slice

    def text(self, name: str) -> str:
        self._listed(name)
        try:
            return (self.path / name).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise ModelDamagedError(f"{self.path / name} is not UTF-8; {_REMEDY}") from None

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.text(name))
        except (ValueError, RecursionError):
            raise ModelDamagedError(f"{self.path / name} is not JSON; {_REMEDY}") from None

    def _listed(self, name: str) -> None:
        if not self.has(name):
            raise ModelDamagedError(f"{self.path}: the manifest lists no file {name}; {_REMEDY}")


def read_manifest(path: Path, *, kind: str = KIND) -> dict[str, Any]:
    """What the manifest of a folder says; the other files are not looked at. Raises ModelError's kinds."""
    return _manifest(Path(path), kind)[0]


def _manifest(path: Path, kind: str = KIND) -> tuple[dict[str, Any], str]:
    if not path.is_dir():
        raise ModelNotFoundError(f"{path}: no model folder there")
    if not (path / MANIFEST).is_file():
        raise ModelFormatError(
            f"{path} holds no {MANIFEST}, so it is no codesuggest model; choose the model's own folder"
        )
    raw = (path / MANIFEST).read_bytes()
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError):
        raise ModelDamagedError(f"{path / MANIFEST} is not JSON; {_REMEDY}") from None
    if not isinstance(manifest, dict) or manifest.get("kind") != kind or not isinstance(manifest.get("files"), dict):
        raise ModelFormatError(f"{path / MANIFEST} is not the manifest of a codesuggest model; choose another folder")
    if manifest.get("format") != FORMAT:
        raise ModelFormatError(
            f"{path / MANIFEST} has format {manifest.get('format')!r}, this version reads {FORMAT}; "
            "upgrade codesuggest for a newer format, rebuild the model for an older one"
        )
    return manifest, hashlib.sha256(raw).hexdigest()


def verify(path: Path, *, kind: str = KIND) -> list[tuple[str, bool, str]]:
    """(file, whether it is as listed, what is wrong or its size) for every file, listed or found.

    Raises ModelNotFoundError, ModelFormatError, ModelDamagedError if the manifest itself cannot be used.
    """
    path = Path(path)
    manifest, _ = _manifest(path, kind)
    rows: list[tuple[str, bool, str]] = []
    for name, entry in sorted(manifest["files"].items()):
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or not isinstance(entry, dict):
            rows.append((name, False, "the manifest names a file outside the folder"))
            continue
        target = path / name
        if not target.is_file() or any((path / part).is_symlink() for part in (pure, *pure.parents)[:-1]):
            rows.append((name, False, "missing, or a link"))
            continue
        data = target.read_bytes()
        if len(data) != entry.get("bytes"):
            rows.append((name, False, f"{len(data)} bytes, {entry.get('bytes')} listed: cut or changed"))
        elif hashlib.sha256(data).hexdigest() != entry.get("sha256"):
            rows.append((name, False, "its sha256 is not the one listed: changed"))
        else:
            rows.append((name, True, f"{len(data)} bytes"))
    found = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    rows += [(name, False, "not in the manifest") for name in sorted(found - set(manifest["files"]) - {MANIFEST})]
    return rows


def open_folder(path: Path, *, expect: str | None = None, kind: str = KIND) -> Folder:
    """Open a folder after checking every file against the manifest.

    expect: "sha256:..." of the manifest, for those who pin a model. Raises ModelError's kinds, naming the file.
    """
    path = Path(path)
    manifest, digest = _manifest(path, kind)
    if expect is not None and expect.removeprefix("sha256:").lower() != digest:
        raise ModelDamagedError(f"{path / MANIFEST} has sha256:{digest}, expected {expect}; it is another model")
    for name, good, detail in verify(path, kind=kind):
        if not good:
            raise ModelDamagedError(f"{path / name}: {detail}; {_REMEDY}")
    return Folder(path, manifest, digest)
