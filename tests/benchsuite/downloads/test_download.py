"""Downloads against a local server that misbehaves in every way a real one does."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchsuite.downloads import download as module
from benchsuite.downloads.download import download, remote_size
from benchsuite.errors import BenchsuiteError, DataMissingError, InputError, UsageError
from benchsuite.files import disk_space

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Site:
    """One file on a server, and how the server behaves.

    ``statuses`` are answered in turn before the file is; ``cut_after`` ends the connection after so
    many bytes of a body, once for each entry.
    """

    content: bytes = CONTENT
    etag: str | None = '"one"'
    last_modified: str | None = None
    ranges: bool = True
    length: bool = True
    statuses: list[int] = field(default_factory=list)
    cut_after: list[int] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(site.content)))
            self.end_headers()

        def do_GET(self) -> None:
            site.requests.append(dict(self.headers))
            if site.statuses:
                self.send_response(site.statuses.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            known = {value for value in (site.etag, site.last_modified) if value}
            asked = self.headers.get("Range", "")
            same = self.headers.get("If-Range") in known
            start = int(asked[len("bytes=") : -1]) if site.ranges and asked and same else 0
            if start and start >= len(site.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(site.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = site.content[start:]
            self.send_response(206 if start else 200)
            if start:
                last = len(site.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(site.content)}")
            if site.etag:
                self.send_header("ETag", site.etag)
            if site.last_modified:
                self.send_header("Last-Modified", site.last_modified)
            if site.length:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body[: site.cut_after.pop(0)] if site.cut_after else body)

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(module, "BACKOFF_S", (0.0, 0.0, 0.0))
    for variable in module.OFFLINE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(served))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/model.bin"
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "model.bin"


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_the_file_comes_whole_and_nothing_else_stays(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    returned = download(
        site.url,
        target,
        sha256=SHA256,
        md5=MD5,
        md5_prefix=MD5[:6],
        expected_bytes=len(CONTENT),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert returned == target
    assert target.read_bytes() == CONTENT
    assert left(target) == ["model.bin"]
    assert seen[0] == (0, len(CONTENT)) and seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_file_that_is_there_is_not_asked_for(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    download(site.url, target, sha256=SHA256)
    assert site.requests == []


def test_a_wrong_file_that_is_there_is_put_aside(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"an error page")
    download(site.url, target, md5_prefix=MD5[:6])
    assert target.read_bytes() == CONTENT
    assert target.with_name("model.bin.rejected").read_bytes() == b"an error page"


@pytest.mark.parametrize("validator", ["etag", "last_modified"])
def test_a_truncated_body_is_resumed(site: Site, target: Path, validator: str) -> None:
    site.etag = None
    setattr(site, validator, '"one"' if validator == "etag" else "Tue, 10 Jul 2018 00:00:00 GMT")
    site.cut_after = [1 << 20, 1 << 21]
    download(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert [each.get("Range") for each in site.requests] == [
        None,
        f"bytes={1 << 20}-",
        f"bytes={3 << 20}-",
    ]


def test_a_later_call_goes_on_where_an_interrupted_one_stopped(site: Site, target: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done >= 2 << 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(site.url, target, sha256=SHA256, progress=interrupt)
    assert left(target) == ["model.bin.part", "model.bin.part.json"]
    download(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert left(target) == ["model.bin"]
    assert site.requests[1]["Range"] == f"bytes={2 << 20}-"


def test_a_server_without_ranges_starts_from_zero(site: Site, target: Path) -> None:
    site.ranges = False
    site.cut_after = [1_000_000]
    download(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['W/"weak"', None])
def test_without_a_strong_validator_nothing_is_resumed(
    site: Site, target: Path, etag: str | None
) -> None:
    site.etag = etag
    site.cut_after = [1_000_000]
    download(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert all("Range" not in each for each in site.requests)


def test_a_file_that_changed_meanwhile_starts_from_zero(site: Site, target: Path) -> None:
    interrupted(site, target)
    site.content, site.etag = bytes(reversed(CONTENT)), '"two"'
    download(site.url, target)
    assert target.read_bytes() == site.content


def test_a_part_of_another_url_is_not_gone_on_with(site: Site, target: Path) -> None:
    interrupted(site, target)
    site.content = bytes(reversed(CONTENT))
    download(site.url + "?v=2", target)
    assert target.read_bytes() == site.content


def test_a_damaged_state_starts_from_zero(site: Site, target: Path) -> None:
    interrupted(site, target)
    target.with_name("model.bin.part.json").write_text('{"url": ')
    download(site.url, target, sha256=SHA256)
    assert "Range" not in site.requests[-1]


def test_a_part_that_was_finished_but_not_renamed_is_taken(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("model.bin.part").write_bytes(CONTENT)
    state = {"url": site.url, "validator": site.etag}
    target.with_name("model.bin.part.json").write_text(json.dumps(state))
    download(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert len(site.requests) == 1


def test_503_is_tried_again(site: Site, target: Path) -> None:
    site.statuses = [503, 503]
    download(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_a_server_that_stays_broken_is_given_up(site: Site, target: Path) -> None:
    site.statuses = [503] * 9
    with pytest.raises(DataMissingError, match="503") as caught:
        download(site.url, target, retry="benchsuite data fetch coco")
    message = str(caught.value)
    assert site.url in message and str(target) in message
    assert "benchsuite data fetch coco" in message
    assert caught.value.exit_code == 4
    assert len(site.requests) == len(module.BACKOFF_S) + 1


def test_404_is_final(site: Site, target: Path) -> None:
    site.statuses = [404]
    with pytest.raises(DataMissingError, match="404"):
        download(site.url, target)
    assert len(site.requests) == 1
    assert left(target) == []


def test_an_unreachable_server(site: Site, target: Path) -> None:
    with pytest.raises(DataMissingError, match="refused"):
        download("http://127.0.0.1:9/model.bin", target)


def test_a_wrong_digest_is_kept_aside_and_names_both(site: Site, target: Path) -> None:
    with pytest.raises(InputError) as caught:
        download(site.url, target, sha256="0" * 64)
    assert SHA256 in str(caught.value) and "0" * 64 in str(caught.value)
    assert left(target) == ["model.bin.rejected"]
    with pytest.raises(InputError, match=f"md5 is {MD5}, expected abcdef"):
        download(site.url, target, md5_prefix="abcdef")


def test_a_wrong_size_is_refused_before_the_body(site: Site, target: Path) -> None:
    with pytest.raises(InputError, match=f"offers {len(CONTENT)} bytes, expected 5"):
        download(site.url, target, expected_bytes=5)
    assert left(target) == []


def test_a_size_the_server_does_not_state_is_checked_at_the_end(site: Site, target: Path) -> None:
    site.length = False
    with pytest.raises(InputError, match=f"has {len(CONTENT)} bytes, expected 5"):
        download(site.url, target, expected_bytes=5)
    assert left(target) == ["model.bin.rejected"]


def test_a_full_disk_is_said_before_the_download(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "free_bytes", lambda folder: 1_000_000)
    with pytest.raises(BenchsuiteError, match=r"5\.1 MB are needed .* 1\.0 MB are free") as caught:
        download(site.url, target)
    assert str(target.parent) in str(caught.value)
    assert not target.with_name("model.bin.part").exists()


def test_a_folder_that_cannot_be_made(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchsuiteError, match="cannot write in"):
        download(site.url, tmp_path / "file" / "model.bin")


@pytest.mark.parametrize("variable", module.OFFLINE_VARIABLES)
def test_offline_asks_nobody(
    site: Site, target: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(DataMissingError, match="switched off"):
        download(site.url, target)
    assert remote_size(site.url) is None
    assert site.requests == []
    target.write_bytes(CONTENT)
    assert download(site.url, target, sha256=SHA256) == target


def test_our_own_variable_outweighs_the_borrowed_one(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("BENCHSUITE_OFFLINE", "0")
    download(site.url, target, sha256=SHA256)


def test_a_file_url(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_OFFLINE", "1")
    source = tmp_path / "with space.bin"
    source.write_bytes(CONTENT)
    download(source.as_uri(), target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert source.exists()
    assert remote_size(source.as_uri()) == len(CONTENT)
    with pytest.raises(DataMissingError, match=r"there is no file .*gone\.bin"):
        download((tmp_path / "gone.bin").as_uri(), target.with_name("other.bin"))


@pytest.mark.parametrize("url", ["ftp://host/file", "model.bin", "s3://bucket/key"])
def test_other_urls_are_refused(target: Path, url: str) -> None:
    with pytest.raises(UsageError, match="only http, https and file"):
        download(url, target)


def test_a_file_url_of_another_host_is_refused(target: Path) -> None:
    with pytest.raises(UsageError, match="host"):
        download("file://server/share/model.bin", target)


def test_the_size_is_known_without_a_download(site: Site) -> None:
    assert remote_size(site.url) == len(CONTENT)
    assert remote_size("http://127.0.0.1:9/model.bin") is None


def test_two_processes_download_once(site: Site, target: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from benchsuite.downloads.download import download; "
        "download(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3])"
    )
    command = [sys.executable, "-c", code, site.url, str(target), SHA256]
    workers = [subprocess.Popen(command) for _ in range(2)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0]
    assert target.read_bytes() == CONTENT
    assert left(target) == ["model.bin"]
    assert len(site.requests) == 1


def interrupted(site: Site, target: Path) -> None:
    """Leave a part of a download behind."""

    def interrupt(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(site.url, target, progress=interrupt)
