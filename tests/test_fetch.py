"""Downloads, from a server on this machine that serves what a publisher does, and what goes wrong there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from codesuggest.codes import fetch as fetching
from codesuggest.codes import releases
from codesuggest.codes.fetch import Address, address_of, addresses, fetch
from codesuggest.errors import FetchError, OptionError
from codesuggest.pipes.lexicon import LexiconError

ROOT = Path(__file__).parent.parent


def order_zip(codes: str = "A00 A001", pad: int = 0) -> bytes:
    """A zip as CMS publishes an order file in, of invented titles; `pad` bytes that do not compress make it long."""
    lines = [
        f"{n:05} {code:7} {int(len(code) > 3)} {'Ague':60} Ague number {n}\n" for n, code in enumerate(codes.split(), 1)
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("icd10cm_order_2099.txt", "".join(lines))
        archive.writestr("guide.pdf", hashlib.shake_256(b"pad").digest(pad))
    return buffer.getvalue()


class Server:
    """What a path answers is set by the test: `serve(path, function of the request)`. `asked` holds the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                self.close_connection = True
                outer.answers.get(self.path, missing)(self)

            def log_message(self, *_: object) -> None: ...

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def serve(self, path: str, answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        self.answers[path] = answer
        return self.url + path


def missing(request: BaseHTTPRequestHandler) -> None:
    send(request, b"no such thing", status=404)


def send(
    request: BaseHTTPRequestHandler, data: bytes, *, status: int = 200, cut: int | None = None, **headers: str
) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/zip", **headers}.items():
        if value:
            request.send_header(name.replace("_", "-"), value)
    request.send_header("Connection", "close")
    request.end_headers()
    request.wfile.write(data[:cut])


def ranged(data: bytes, etag: str, *, cut: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """A server that knows Range and If-Range; the first answer stops after `cut` bytes."""
    cuts = [cut]

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
        stop = cuts.pop() if cuts else None
        if asked and request.headers.get("If-Range") == etag:
            start = int(asked[1])
            where = f"bytes {start}-{len(data) - 1}/{len(data)}"
            send(request, data[start:], status=206, cut=stop, ETag=etag, Content_Range=where)
        else:
            send(request, data, cut=stop, ETag=etag)

    return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = Server()
    yield made
    made.httpd.shutdown()
    made.httpd.server_close()


@pytest.fixture
def kept_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(releases.HOME, str(tmp_path / "home"))
    return tmp_path / "home"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_with_its_hash(server: Server, tmp_path: Path) -> None:
    data = order_zip()
    url = server.serve("/files/2099-order.zip", lambda r: send(r, data))
    seen: list[tuple[int, int]] = []
    address = Address("icd10cm", "2098-10-01", url, bytes=len(data), sha256=sha(data))
    path = fetch(address, tmp_path, progress=lambda a, b: seen.append((a, b)))
    assert path == tmp_path / "2099-order.zip" and path.read_bytes() == data
    assert seen[-1] == (len(data), len(data))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2099-order.zip"]
    assert fetch(address, tmp_path) == path and len(server.asked) == 1, "what is there and right is not asked for again"
    assert set(server.asked[0][1]) <= {"host", "user-agent", "accept-encoding", "connection"}


def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    data = order_zip()
    server.serve("/new/2099.zip", lambda r: send(r, data))
    url = server.serve("/old.zip", lambda r: send(r, b"", status=302, Location="/new/2099.zip"))
    assert fetch(Address("icd10cm", "x", url), tmp_path).read_bytes() == data
    assert [path for path, _ in server.asked] == ["/old.zip", "/new/2099.zip"]


@pytest.mark.parametrize("to", ["http://example.invalid/x.zip", "file:///etc/passwd", "ftp://127.0.0.1/x.zip"])
def test_redirects_to_elsewhere_are_refused(server: Server, tmp_path: Path, to: str) -> None:
    url = server.serve("/x.zip", lambda r: send(r, b"", status=302, Location=to))
    with pytest.raises(FetchError):
        fetch(Address("icd10cm", "x", url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_redirects_in_a_circle(server: Server, tmp_path: Path) -> None:
    url = server.serve("/x.zip", lambda r: send(r, b"", status=302, Location="/x.zip"))
    with pytest.raises(FetchError, match="302"):
        fetch(Address("icd10cm", "x", url), tmp_path)


@pytest.mark.parametrize("url", ["http://www.cms.gov/x.zip", "ftp://ftp.cdc.gov/x", "file:///etc/passwd", "x.zip"])
def test_only_https_is_asked(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError, match="only https"):
        fetch(Address("icd10cm", "x", url), tmp_path)


def test_a_cut_download_goes_on(server: Server, tmp_path: Path) -> None:
    data = order_zip(pad=300_000)
    url = server.serve("/2099.zip", ranged(data, '"one"', cut=100_000))
    address = Address("icd10cm", "x", url, sha256=sha(data))
    with pytest.raises(FetchError, match=r"cut after 100,000 bytes; the same command goes on"):
        fetch(address, tmp_path)
    assert (tmp_path / "2099.zip.part").read_bytes() == data[:100_000]
    assert fetch(address, tmp_path).read_bytes() == data
    assert server.asked[1][1]["range"] == "bytes=100000-" and server.asked[1][1]["if-range"] == '"one"'
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2099.zip"]


def test_a_file_that_changed_meanwhile_begins_anew(server: Server, tmp_path: Path) -> None:
    old, new = order_zip(pad=200_000), order_zip("A00 A001 A002", pad=210_000)
    url = server.serve("/2099.zip", ranged(old, '"one"', cut=50_000))
    with pytest.raises(FetchError, match="cut"):
        fetch(Address("icd10cm", "x", url), tmp_path)
    server.serve("/2099.zip", ranged(new, '"two"'))
    assert fetch(Address("icd10cm", "x", url), tmp_path).read_bytes() == new


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_sure_mark_nothing_is_joined(server: Server, tmp_path: Path, etag: str) -> None:
    data = order_zip(pad=200_000)
    url = server.serve("/2099.zip", lambda r: send(r, data, cut=50_000, ETag=etag))
    with pytest.raises(FetchError, match="cut"):
        fetch(Address("icd10cm", "x", url), tmp_path)
    server.serve("/2099.zip", lambda r: send(r, data, ETag=etag))
    assert fetch(Address("icd10cm", "x", url), tmp_path).read_bytes() == data
    assert "range" not in server.asked[1][1]


def test_the_wrong_part_is_not_joined(server: Server, tmp_path: Path) -> None:
    data = order_zip(pad=200_000)
    url = server.serve("/2099.zip", ranged(data, '"one"', cut=50_000))
    with pytest.raises(FetchError, match="cut"):
        fetch(Address("icd10cm", "x", url), tmp_path)
    wrong = f"bytes 40000-{len(data) - 1}/{len(data)}"
    server.serve("/2099.zip", lambda r: send(r, data[40_000:], status=206, ETag='"one"', Content_Range=wrong))
    with pytest.raises(FetchError):
        fetch(Address("icd10cm", "x", url), tmp_path)
    assert not (tmp_path / "2099.zip").exists() and (tmp_path / "2099.zip.part").read_bytes() == data[:50_000]


def test_a_file_that_became_shorter(server: Server, tmp_path: Path) -> None:
    data = order_zip(pad=200_000)
    url = server.serve("/2099.zip", ranged(data, '"one"', cut=50_000))
    with pytest.raises(FetchError, match="cut"):
        fetch(Address("icd10cm", "x", url), tmp_path)
    server.serve("/2099.zip", lambda r: send(r, b"", status=416))
    with pytest.raises(FetchError, match="start again"):
        fetch(Address("icd10cm", "x", url), tmp_path)
    server.serve("/2099.zip", lambda r: send(r, data))
    assert fetch(Address("icd10cm", "x", url), tmp_path).read_bytes() == data


def test_the_wrong_hash_keeps_nothing(server: Server, tmp_path: Path) -> None:
    url = server.serve("/2099.zip", lambda r: send(r, order_zip()))
    with pytest.raises(FetchError, match="sha256"):
        fetch(Address("icd10cm", "x", url, sha256="0" * 64), tmp_path)
    with pytest.raises(FetchError, match="7 are known"):
        fetch(Address("icd10cm", "x", url, bytes=7), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_zip_without_a_length(server: Server, tmp_path: Path) -> None:
    data = order_zip(pad=10_000)
    url = server.serve("/2099.zip", lambda r: send(r, data[:-40], Content_Length=""))
    with pytest.raises(FetchError, match="no whole zip"):
        fetch(Address("icd10cm", "x", url), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/zip", ""])
def test_a_web_page_in_place_of_the_file(server: Server, tmp_path: Path, kind: str) -> None:
    page = b"\n<!DOCTYPE html>\n<html><title>Page not found</title></html>"
    url = server.serve("/2099.txt", lambda r: send(r, page, Content_Type=kind))
    with pytest.raises(FetchError, match=r"web page.*--url"):
        fetch(Address("icd10cm", "x", url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"404, no such file there; publishers move files: give --url"):
        fetch(Address("icd10cm", "x", f"{server.url}/gone.zip"), tmp_path)
    url = server.serve("/busy.zip", lambda r: send(r, b"", status=503))
    with pytest.raises(FetchError, match="503"):
        fetch(Address("icd10cm", "x", url), tmp_path)


def test_offline(server: Server, tmp_path: Path) -> None:
    url = f"{server.url}/x.zip"
    server.httpd.server_close()
    server.httpd.socket.close()
    with pytest.raises(FetchError, match=r"are you online, or is a proxy needed"):
        fetch(
            Address("icd10cm", "x", url.replace("127.0.0.1", "localhost").replace(url.split(":")[2][:-6], "9")),
            tmp_path,
        )


def test_longer_than_is_taken(server: Server, tmp_path: Path) -> None:
    data = order_zip(pad=5_000)
    said = server.serve("/said.zip", lambda r: send(r, data))
    unsaid = server.serve("/unsaid.zip", lambda r: send(r, data, Content_Length=""))
    for url in (said, unsaid):
        with pytest.raises(FetchError, match="1,000"):
            fetch(Address("icd10cm", "x", url), tmp_path, max_bytes=1_000)
    assert all(p.stat().st_size <= 1_000 for p in tmp_path.glob("*.part"))


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    url = server.serve("/2099.zip", lambda r: send(r, order_zip()))
    with pytest.raises(FetchError, match="cannot be written"):
        fetch(Address("icd10cm", "x", url), tmp_path / "file" / "below")


def test_a_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.serve("/2099.zip", lambda r: send(r, order_zip()))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "_write", full)
    with pytest.raises(FetchError, match="No space left"):
        fetch(Address("icd10cm", "x", url), tmp_path)


def test_the_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    with pytest.raises(FetchError):  # this server is no proxy: it does not know CONNECT
        fetch(Address("icd10cm", "x", "https://codes.example.invalid/2099.zip"), tmp_path)


@pytest.mark.parametrize("url", ["https://h/", "https://h", "https://h/a/..", "https://h/%2e%2e"])
def test_an_address_that_names_no_file(tmp_path: Path, url: str) -> None:
    with pytest.raises(OptionError, match="names no file"):
        fetch(Address("icd10cm", "x", url), tmp_path)


def test_file_names_are_harmless() -> None:
    assert fetching._file_name("https://h/a/2025%20Code%2F..%2Fx.zip?y=1#z") == "x.zip"
    assert fetching._file_name("https://h/a/.hidden file.zip") == "hidden_file.zip"


# ---- the addresses


def test_addresses() -> None:
    rows = addresses()
    assert rows, "no address is known"
    known = set(releases.kind_names())
    for row in rows:
        assert row.kind in known and row.url.startswith(("https://www.cms.gov/", "https://ftp.cdc.gov/pub/"))
        assert releases.named_release(row.kind, row.release) == row.release, "named by the day it is in force from"
        assert not row.sha256 or re.fullmatch("[0-9a-f]{64}", row.sha256)
        assert row.sha256 or "not verified from here" in row.source
    assert address_of("icd10cm", "2026") == address_of("icd10cm", "FY2026") == address_of("icd10cm", "2025-10-01")
    with pytest.raises(OptionError, match=r"no address is known for icd10cm 1999 \(known: .*2025-10-01.*--url"):
        address_of("icd10cm", "1999")


def test_a_damaged_list_of_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "addresses.tsv").write_text("kind\turl\n")
    monkeypatch.setattr(fetching, "__file__", str(tmp_path / "fetch.py"))
    with pytest.raises(LexiconError):
        addresses()


# ---- the command


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), releases.HOME: str(home), "NO_PROXY": "*"}
    return subprocess.run(
        [sys.executable, "-m", "codesuggest", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def test_fetched_and_kept_in_one_command(server: Server, kept_home: Path) -> None:
    data = order_zip()
    url = server.serve("/2099-code-descriptions-tabular-order.zip", lambda r: send(r, data))
    arguments = ("codes", "fetch", "icd10cm", "--release", "2099", "--url", url)
    wrong = command(kept_home, *arguments, "--sha256", "0" * 64)
    assert wrong.returncode == 2 and wrong.stderr.splitlines()[-1].startswith("error[fetch]: ")
    done = command(kept_home, *arguments, "--sha256", f"sha256:{sha(data)}")
    assert done.returncode == 0, done.stderr
    (kept,) = releases.kept()
    assert (kept.kind, kept.release, kept.size) == ("icd10cm", "2098-10-01", 2)
    assert list((kept_home / "downloads").iterdir()) == []
    listed = command(kept_home, "codes", "list")
    assert "2098-10-01" in listed.stdout


@pytest.mark.parametrize(
    ("kind", "file", "release", "codes"),
    [
        ("icd10cm", "icd10cm/cms_2026_dx.zip", "2026", 98_186),
        ("icd10pcs", "icd10pcs/cms_2026_pr.zip", "2025-10-01", 80_029),
        ("hcpcs", "hcpcs/2019-Alpha-Numeric-HCPCS-File.zip", "2019", 6_440),
    ],
)
def test_the_real_files(
    DATA: Path, server: Server, kept_home: Path, kind: str, file: str, release: str, codes: int
) -> None:
    data = (DATA / "official" / file).read_bytes()
    half = len(data) // 2
    url = server.serve(f"/{Path(file).name}", ranged(data, '"real"', cut=half))
    address = Address(kind, releases.named_release(kind, release), url, bytes=len(data), sha256=sha(data))
    with pytest.raises(FetchError, match=f"cut after {half:,}"):
        fetch(address)
    kept = releases.add(kind, fetch(address), release)
    assert kept.size == codes and kept.release == address.release
    assert len(releases.open_kept(kind)) == codes


def test_what_the_server_said_of_a_download_may_be_damaged(server: Server, tmp_path: Path) -> None:
    data = order_zip()
    url = server.serve("/2099.zip", ranged(data, '"one"'))
    for said in (b"", b"[]", b"{", json.dumps({"validator": 7}).encode(), b"\xff"):
        (tmp_path / "2099.zip.part").write_bytes(data[:50])
        (tmp_path / "2099.zip.part.json").write_bytes(said)
        assert fetch(Address("icd10cm", "x", url), tmp_path).read_bytes() == data
