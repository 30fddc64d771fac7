"""Which weights a run takes, from a local server, a cache, a file, or chance."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchsuite import plugins
from benchsuite.downloads import download as download_module
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.files import digest_cache
from benchsuite.files.digest_cache import remembered_digests
from benchsuite.specs import RecipeSpec
from benchsuite.weights import Weights, locate_weights, resolve_weights

CONTENT = b"parameters" * 50_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
FILE_NAME = f"model_final_{MD5[:6]}.pkl"


@dataclass
class Site:
    """A server of one checkpoint; ``cut_after`` ends the first answer early."""

    url: str = ""
    content: bytes = CONTENT
    cut_after: int | None = None
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(served.content)))
            self.end_headers()

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            served.ranges.append(asked)
            start = int(asked[len("bytes=") : -1]) if asked else 0
            body = served.content[start:]
            self.send_response(206 if asked else 200)
            last = len(served.content) - 1
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: served.cut_after])
            served.cut_after = None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/{FILE_NAME}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download_module, "BACKOFF_S", (0.0,))
    yield served
    server.shutdown()
    server.server_close()


@dataclass
class Zoo:
    """Recipes registered for a test."""

    registry: plugins.Registry
    bodies: Path

    def add(self, name: str, weights: Mapping[str, Any]) -> tuple[RecipeSpec, Mapping[str, Any]]:
        body = {"name": name, "weights": dict(weights)}
        (self.bodies / f"{name}.json").write_text(json.dumps(body))
        spec = RecipeSpec(
            name=name,
            model="model",
            dataset="dataset",
            tasks=("bbox",),
            source="zoo_of_a_test:read",
            weights_url=weights.get("url", ""),
        )
        self.registry.recipes[name] = spec
        return spec, body


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    code = (
        "import json, pathlib\n"
        "def read(name):\n"
        "    return json.loads((pathlib.Path(__file__).parent / f'{name}.json').read_text())\n"
    )
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "zoo_of_a_test.py").write_text(code)
    monkeypatch.delitem(sys.modules, "zoo_of_a_test", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path / "zoo"))
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    for variable in download_module.OFFLINE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    registry = plugins.Registry()
    monkeypatch.setattr(plugins, "registry", lambda: registry)
    return Zoo(registry, tmp_path / "zoo")


def cached(tmp_path: Path) -> list[str]:
    """What lies in the cache, but for remembered digests."""
    folder = tmp_path / "cache" / "weights"
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.name for path in files if path.parent.name != "digests")


def test_the_recipe_s_own_weights(zoo: Zoo, site: Site, tmp_path: Path) -> None:
    spec, body = zoo.add("net", {"url": site.url, "md5_prefix": MD5[:6], "bytes": len(CONTENT)})
    weights = resolve_weights(None, spec, body)
    assert weights.path is not None and weights.path.read_bytes() == CONTENT
    assert weights.path.is_relative_to(tmp_path / "cache" / "weights")
    assert weights.path.name == FILE_NAME
    assert weights == Weights("net", weights.path, SHA256, random=False)
    assert weights.to_json() == {"name": "net", "sha256": SHA256}
    assert resolve_weights("net", None, None) == weights
    assert resolve_weights(site.url, None, None) == weights
    assert site.ranges == [None]


def test_another_recipe_s_weights_by_name(zoo: Zoo, site: Site) -> None:
    zoo.add("other", {"url": site.url, "sha256": SHA256})
    spec, body = zoo.add("net", {})
    assert resolve_weights("other", spec, body).name == "other"


def test_a_wrong_digest_is_not_loaded(zoo: Zoo, site: Site, tmp_path: Path) -> None:
    spec, body = zoo.add("net", {"url": site.url, "md5_prefix": "abcdef"})
    with pytest.raises(InputError, match=f"md5 is {MD5}, expected abcdef"):
        resolve_weights(None, spec, body)
    assert cached(tmp_path) == [FILE_NAME + ".rejected"]


def test_the_first_digits_of_a_sha256(zoo: Zoo, site: Site) -> None:
    spec, body = zoo.add("net", {"url": site.url, "sha256_prefix": SHA256[:8].upper()})
    assert resolve_weights(None, spec, body).sha256 == SHA256
    spec, body = zoo.add("other", {"url": f"{site.url}?", "sha256_prefix": "0123abcd"})
    with pytest.raises(InputError, match=f"sha256 is {SHA256}, expected 0123abcd"):
        resolve_weights(None, spec, body)


def test_a_spoilt_file_in_the_cache_is_replaced(zoo: Zoo, site: Site, tmp_path: Path) -> None:
    spec, body = zoo.add("net", {"url": site.url, "sha256": SHA256})
    path = resolve_weights(None, spec, body).path
    assert path is not None
    path.write_bytes(b"spoilt")
    resolve_weights(None, spec, body)
    assert path.read_bytes() == CONTENT
    assert cached(tmp_path) == [FILE_NAME, FILE_NAME + ".rejected"]


def test_an_interrupted_download_is_gone_on_with(zoo: Zoo, site: Site) -> None:
    spec, body = zoo.add("net", {"url": site.url, "sha256": SHA256})
    site.cut_after = 1 << 17
    weights = resolve_weights(None, spec, body)
    assert weights.sha256 == SHA256
    assert site.ranges == [None, f"bytes={1 << 17}-"]


def test_offline_takes_what_is_in_the_cache(
    zoo: Zoo, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, body = zoo.add("net", {"url": site.url, "sha256": SHA256})
    monkeypatch.setenv("BENCHSUITE_OFFLINE", "1")
    with pytest.raises(DataMissingError, match="switched off") as caught:
        resolve_weights(None, spec, body)
    assert site.url in str(caught.value) and "--weights FILE" in str(caught.value)
    monkeypatch.delenv("BENCHSUITE_OFFLINE")
    weights = resolve_weights(None, spec, body)
    monkeypatch.setenv("BENCHSUITE_OFFLINE", "1")
    assert resolve_weights(None, spec, body) == weights


def test_a_url_of_one_s_own(zoo: Zoo, site: Site) -> None:
    site.url = site.url.replace(FILE_NAME, "my%20net.pth?token=1")
    weights = resolve_weights(site.url, None, None)
    assert (weights.name, weights.sha256) == ("my_net.pth", SHA256)


def test_two_urls_of_one_name_do_not_meet(zoo: Zoo, site: Site) -> None:
    first = resolve_weights(site.url + "?epoch=1", None, None)
    second = resolve_weights(site.url + "?epoch=2", None, None)
    assert first.path != second.path


def test_a_file(zoo: Zoo, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(CONTENT)
    spec, body = zoo.add("net", {"url": "http://host/model.pkl", "sha256": "0" * 64})
    assert resolve_weights(str(file), spec, body) == Weights(
        "mine.safetensors", file, SHA256, random=False
    )
    assert cached(tmp_path) == []


@pytest.mark.parametrize(
    ("file_name", "stated", "name"),
    [
        ("renamed.pkl", {"sha256": SHA256}, "net"),
        (FILE_NAME, {"md5_prefix": MD5[:6]}, "net"),
        ("renamed.pkl", {"md5_prefix": MD5[:6]}, "renamed.pkl"),
        (FILE_NAME, {"sha256_prefix": SHA256[:8]}, "net"),
        (FILE_NAME, {"sha256_prefix": "0123abcd"}, FILE_NAME),
        (FILE_NAME, {}, FILE_NAME),
    ],
)
def test_a_file_that_is_the_recipe_s_own(
    zoo: Zoo, tmp_path: Path, file_name: str, stated: dict[str, str], name: str
) -> None:
    file = tmp_path / file_name
    file.write_bytes(CONTENT)
    spec, body = zoo.add("net", {"url": f"http://host/{FILE_NAME}", **stated})
    assert resolve_weights(str(file), spec, body).name == name


def test_a_file_url_is_used_where_it_lies(zoo: Zoo, tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(CONTENT)
    spec, body = zoo.add("net", {"url": file.as_uri(), "sha256": SHA256})
    assert resolve_weights(None, spec, body) == Weights("net", file, SHA256, random=False)
    file.write_bytes(b"other")
    with pytest.raises(InputError, match="not the expected weights"):
        resolve_weights(None, spec, body)
    assert file.read_bytes() == b"other"


@pytest.mark.parametrize("argument", ["random", None])
def test_random(zoo: Zoo, argument: str | None) -> None:
    spec, body = zoo.add("net", {"url": ""})
    weights = resolve_weights(argument, spec, body)
    assert weights == Weights("random", None, None, random=True)
    assert weights.to_json() == "random"
    assert resolve_weights(argument, None, None) == weights
    assert locate_weights(argument, spec, body) == "random"


def test_a_recipe_whose_weights_are_not_published(zoo: Zoo) -> None:
    spec, body = zoo.add("net", {})
    with pytest.raises(DataMissingError, match="--weights random"):
        resolve_weights("net", spec, body)


def test_what_is_not_there_or_not_known(zoo: Zoo, tmp_path: Path) -> None:
    zoo.add("mask_rcnn_3x", {})
    with pytest.raises(UsageError, match="did you mean mask_rcnn_3x"):
        resolve_weights("mask_rcnn_2x", None, None)
    for argument in ("gone.pkl", str(tmp_path / "gone"), (tmp_path / "gone.pkl").as_uri()):
        with pytest.raises(DataMissingError, match="there is no weights file"):
            resolve_weights(argument, None, None)
        with pytest.raises(DataMissingError, match="there is no weights file"):
            locate_weights(argument, None, None)
    with pytest.raises(UsageError, match="only http, https and file"):
        locate_weights("s3://bucket/model.pkl", None, None)


def test_locating_downloads_nothing(
    zoo: Zoo, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, body = zoo.add("net", {"url": site.url, "sha256": SHA256})
    located = locate_weights(None, spec, body)
    assert isinstance(located, dict)
    assert (located["present"], located["bytes"]) == (False, len(CONTENT))
    assert site.ranges == [] and cached(tmp_path) == []
    path = resolve_weights(None, spec, body).path
    expected = {"name": "net", "url": site.url, "path": str(path), "bytes": len(CONTENT)}
    assert locate_weights(None, spec, body) == {**expected, "present": True}
    monkeypatch.setenv("BENCHSUITE_OFFLINE", "1")
    unknown = locate_weights(site.url + "?v=2", None, None)
    assert isinstance(unknown, dict) and unknown["bytes"] is None


def test_digests_of_large_files_are_remembered_until_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    real = digest_cache.digest_file

    def counting(path: Path, algorithms: Any) -> dict[str, str]:
        hashed.append(path)
        return real(path, algorithms)

    monkeypatch.setattr(digest_cache, "digest_file", counting)
    monkeypatch.setattr(digest_cache, "LARGE", 1000)
    file, folder = tmp_path / "model.pkl", tmp_path / "digests"
    file.write_bytes(CONTENT)
    assert remembered_digests(file, ["sha256"], folder) == {"sha256": SHA256}
    assert not folder.exists(), "a file that was changed just now may change again unseen"
    os.utime(file, ns=(0, 1_000_000_000))
    for _ in range(3):
        assert remembered_digests(file, ["sha256"], folder) == {"sha256": SHA256}
    assert len(hashed) == 2
    assert remembered_digests(file, ["md5", "sha256"], folder) == {"md5": MD5, "sha256": SHA256}
    file.write_bytes(CONTENT[::-1])
    os.utime(file, ns=(0, 2_000_000_000))
    reversed_sha256 = hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert remembered_digests(file, ["sha256"], folder) == {"sha256": reversed_sha256}
    next(folder.iterdir()).write_text("{")
    assert remembered_digests(file, ["sha256"], folder) == {"sha256": reversed_sha256}
