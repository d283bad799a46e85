"""Published files from their publishers: the one module that asks the network, and only when called.

What is asked for is an address of `addresses.tsv`, or one the user gives; nothing is sent but the request. A download is
written to `NAME.part`, with what the server said of it in `NAME.part.json`: cut off, it goes on from there if the server
still has the same file (HTTP Range with If-Range), and is renamed when its size, its hash where one is known, and its
first bytes are what they should be. Proxies are those of the environment. Only https is asked, but for this machine itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from codesuggest.codes.readers import MAX_BYTES
from codesuggest.codes.releases import home, named_release
from codesuggest.errors import FetchError, OptionError
from codesuggest.pipes.lexicon import read_lexicon

_COLUMNS = ("kind", "release", "url", "member", "bytes", "sha256", "source")
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_CHUNK = 1 << 16
_TIMEOUT = 30.0  #: seconds without a byte
_REDIRECTS = 5
_AGENT = "codesuggest (fetches published code tables)"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a release is published. member: pattern of the file in a zip of several; bytes, sha256: 0 and "" if unknown."""

    kind: str
    release: str
    url: str
    member: str = ""
    bytes: int = 0
    sha256: str = ""
    source: str = ""


def addresses() -> tuple[Address, ...]:
    """The rows of `addresses.tsv`."""
    path = Path(__file__).with_name("addresses.tsv")
    rows = read_lexicon(path, _COLUMNS, optional=("member", "bytes", "sha256"), unique=("kind", "release"))
    return tuple(
        Address(r["kind"], r["release"], r["url"], r["member"], int(r.number("bytes") or 0), r["sha256"], r["source"])
        for r in rows
    )


def address_of(kind: str, release: str) -> Address:
    """The known address of a release, called by its day or year. Raises OptionError naming those that are known."""
    name = named_release(kind, release)
    mine = [a for a in addresses() if a.kind == kind]
    for address in mine:
        if address.release == name:
            return address
    known = ", ".join(a.release for a in mine) or "none"
    raise OptionError(
        f"no address is known for {kind} {release} (known: {known}); give the publisher's: --url https://..."
    )


def fetch(
    address: Address,
    folder: Path | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Download a published file into `folder`, by default that of downloads in HOME; returns where it is.

    progress: told bytes so far and in all, 0 where the server does not say. A file that is there and has the known hash
    is not asked for again. Raises FetchError: offline, refused, not found, a web page in place of a file, longer than
    `max_bytes`, cut off (the next call goes on), another hash or size than is known.
    """
    folder = folder or home() / "downloads"
    _refuse_scheme(address.url)
    target = folder / _file_name(address.url)
    if address.sha256 and target.is_file() and _sha256(target) == address.sha256:
        return target
    part, said = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _download(address.url, part, said, max_bytes, progress)
    except OSError as error:
        raise FetchError(f"{part}: cannot be written ({error.strerror or error})") from error
    _check(address, part, said)
    os.replace(part, target)
    said.unlink(missing_ok=True)
    return target


# ---- the request


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but to no address that would not have been asked in the first place."""

    max_redirections = _REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _refuse_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refuse_scheme(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    raise FetchError(f"{url}: only https addresses are asked; download it by hand and `codesuggest codes add` the file")


def _download(url: str, part: Path, said: Path, max_bytes: int, progress: Callable[[int, int], None]) -> None:
    done, before = _begun(part, said)
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if done:
        headers |= {"Range": f"bytes={done}-", "If-Range": before["validator"]}
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_Redirects)
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            _refuse_page(url, answer.headers)
            done, total = _place(answer, done)
            if max(total, done) > max_bytes:
                raise FetchError(f"{url}: {total:,} bytes, more than the {max_bytes:,} that are taken")
            said.write_text(json.dumps({"validator": _validator(answer.headers), "total": total}), encoding="utf-8")
            _write(url, answer, part, done, total, max_bytes, progress)
    except urllib.error.HTTPError as error:
        with error:
            _explain(url, error, part)
    except urllib.error.URLError as error:
        why = getattr(error.reason, "strerror", None) or error.reason
        raise FetchError(f"{url}: not reached ({why}); are you online, or is a proxy needed (HTTPS_PROXY)?") from error
    except (HTTPException, TimeoutError, ConnectionError) as error:
        raise _cut(url, part) from error


def _write(
    url: str, answer: Any, part: Path, done: int, total: int, max_bytes: int, progress: Callable[[int, int], None]
) -> None:
    with part.open("ab" if done else "wb") as out:
        while chunk := answer.read(_CHUNK):
            done += len(chunk)
            if done > max_bytes:
                out.truncate(0)
                raise FetchError(f"{url}: more than the {max_bytes:,} bytes that are taken")
            out.write(chunk)
            progress(done, total)
    if total and done < total:
        raise _cut(url, part)


def _begun(part: Path, said: Path) -> tuple[int, Mapping[str, Any]]:
    """Bytes that are there of a download that can go on, and what the server said of it; 0 and nothing otherwise."""
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(said.read_bytes())
        size = part.stat().st_size
        known = before.get("validator") if isinstance(before, dict) else None
        if isinstance(known, str) and known and size > 0 and size != before.get("total"):
            return size, before
    return 0, {}


def _validator(headers: Message) -> str:
    """What tells one version of the file from another: a strong ETag, else the date of the last change."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _place(answer: Any, done: int) -> tuple[int, int]:
    """(bytes that stand before this answer, bytes in all; 0 unknown). Not 206: the server begins anew, as do we."""
    length = int(answer.headers.get("Content-Length") or 0)
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range") or "")
    if answer.status != 206:
        return 0, length
    if not found or int(found[1]) != done:
        raise HTTPException("the server sends another part of the file than was asked for")
    return done, done + length if found[2] == "*" else int(found[2])


def _refuse_page(url: str, headers: Message) -> None:
    if headers.get_content_type() == "text/html":
        raise FetchError(
            f"{url}: the server sends a web page in place of the file; the address may have moved: give --url, or "
            "download it by hand and `codesuggest codes add` the file"
        )


def _explain(url: str, error: urllib.error.HTTPError, part: Path) -> None:
    if error.code == 416:  # the file has become shorter than what is there
        part.unlink(missing_ok=True)
        raise FetchError(f"{url}: the file has changed there; start again") from error
    what = "no such file there; publishers move files: give --url" if error.code in (404, 410) else error.reason
    raise FetchError(f"{url}: {error.code}, {what}") from error


def _cut(url: str, part: Path) -> FetchError:
    size = part.stat().st_size if part.is_file() else 0
    return FetchError(f"{url}: the connection was cut after {size:,} bytes; the same command goes on from there")


# ---- what came


def _check(address: Address, part: Path, said: Path) -> None:
    """Raises FetchError, and forgets the download, if it is not what it should be."""
    with part.open("rb") as handle:
        head = handle.read(512)
    size, wrong = part.stat().st_size, ""
    if re.match(rb"\s*(?:\xef\xbb\xbf)?<(?:!doctype html|html)", head, re.I):
        wrong = "a web page, not the file; the address may have moved: give --url"
    elif address.url.lower().endswith((".zip", ".xlsx")) and not zipfile.is_zipfile(part):
        wrong = "no whole zip, as its name says"
    elif address.bytes and size != address.bytes:
        wrong = f"{size:,} bytes, {address.bytes:,} are known"
    elif address.sha256 and (found := _sha256(part)) != address.sha256:
        wrong = f"its sha256 is {found}, not the {address.sha256} that is known: another edition, or tampered with"
    if wrong:
        part.unlink()
        said.unlink(missing_ok=True)
        raise FetchError(f"{address.url}: {wrong}")


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _file_name(url: str) -> str:
    """The last part of the address, for a release is told by it; only harmless characters."""
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".")
    if not name:
        raise OptionError(f"{url} names no file")
    return name
