"""Downloads that are whole or not there: resumed, checked, and renamed at the end.

A download grows in ``<name>.part``; ``<name>.part.json`` holds what tells whether the server still
has the same file (its ETag or Last-Modified). Only bytes with the right digest get the final name.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit
from urllib.request import url2pathname

from benchsuite.downloads.byte_progress import Report
from benchsuite.downloads.http_headers import (
    content_length,
    range_start,
    range_total,
    request_headers,
    retry_after,
    validator,
)
from benchsuite.downloads.partial_file import PartialFile
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.files.digests import CHUNK, Digester, ExpectedDigests, digest_file
from benchsuite.files.disk_space import require_space
from benchsuite.files.durable import rename, sync_folder
from benchsuite.files.exclusive import exclusive
from benchsuite.files.writable import writing_in

if TYPE_CHECKING:
    from requests import Response

OFFLINE_VARIABLES = ("BENCHSUITE_OFFLINE", "HF_HUB_OFFLINE")
"""The first of them that is set decides; ``1``, ``true``, ``yes`` and ``on`` mean offline."""

TIMEOUT_S = (15.0, 60.0)
"""To connect, and between two pieces of the answer."""

BACKOFF_S = (0.5, 1.0, 2.0, 4.0)
"""Pauses before another attempt; counted anew whenever an attempt brought bytes."""

# A connection that breaks loses what had come of the piece at hand.
_PIECE = 1 << 16
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

_log = logging.getLogger(__name__)


class _Interrupted(Exception):
    """An attempt failed in a way that another one may mend."""

    def __init__(self, reason: str, *, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    md5_prefix: str | None = None,
    sha256_prefix: str | None = None,
    expected_bytes: int | None = None,
    progress: Report | None = None,
    retry: str = "run the same command again",
) -> Path:
    """Bring a file to ``target``; nothing but the check if it is there already.

    Processes that want the same target wait for each other. After Ctrl-C, or a connection that
    stays broken, what has come is kept, and the next call goes on from there if the server still
    has the same file.

    Args:
        url: ``http:``, ``https:`` or ``file:``.
        target: the file's final name; its folder is made.
        sha256, md5, md5_prefix, sha256_prefix: digests the file must have, in hexadecimal.
        expected_bytes: the size it must have.
        progress: is told how far it is.
        retry: how to try again, for messages.

    Returns:
        ``target``.

    Raises:
        UsageError: the URL is of another kind.
        DataMissingError: the file cannot be had (offline, no such file, no connection).
        InputError: it has another size or digest than expected; it is kept as
            ``<target>.rejected``.
        BenchsuiteError: it does not fit on the disk, or its folder cannot be written.
    """
    check_scheme(url)
    wanted = ExpectedDigests(sha256 or "", md5 or "", md5_prefix or "", sha256_prefix or "")
    transfer = _Transfer(url, target, wanted, expected_bytes, progress or _silent, retry)
    if target.is_file() and transfer.problem_of(target) is None:
        return target
    with writing_in(target.parent), exclusive(target, "downloading"):
        if target.is_file():
            # Another process may have finished it while this one waited.
            if transfer.problem_of(target) is None:
                return target
            _log.warning("%s is not what it should be; downloading it anew", target)
            target.replace(_beside(target, ".rejected"))
        digests = transfer.copy() if urlsplit(url).scheme == "file" else transfer.fetch()
        transfer.finish(digests)
    return target


def check_scheme(url: str) -> None:
    """Raises ``UsageError`` unless the URL is of a kind that ``download`` takes."""
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise UsageError(f"cannot download {url!r}: only http, https and file URLs are read")


def offline() -> bool:
    """Whether the environment forbids the network (see ``OFFLINE_VARIABLES``)."""
    for variable in OFFLINE_VARIABLES:
        if value := os.environ.get(variable):
            return value.strip().lower() in ("1", "true", "yes", "on")
    return False


def remote_size(url: str) -> int | None:
    """The size a URL's server states, in bytes; ``None`` where it cannot be asked or keeps quiet.

    Nothing is downloaded.
    """
    if urlsplit(url).scheme == "file":
        path = local_path(url)
        return path.stat().st_size if path.is_file() else None
    if offline():
        return None
    import requests

    try:
        answer = requests.head(
            url, headers=request_headers(), timeout=TIMEOUT_S[0], allow_redirects=True
        )
    except requests.RequestException:
        return None
    return content_length(answer.headers) if answer.ok else None


def local_path(url: str) -> Path:
    """The path that a ``file:`` URL names. Raises ``UsageError`` if it is on another host."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise UsageError(f"{url!r} names a file of the host {parts.netloc!r}; write file:///path")
    return Path(url2pathname(parts.path))


class _Transfer:
    """One file on its way to its target."""

    def __init__(
        self,
        url: str,
        target: Path,
        wanted: ExpectedDigests,
        expected_bytes: int | None,
        progress: Report,
        retry: str,
    ) -> None:
        self.url, self.target, self.wanted = url, target, wanted
        self.expected_bytes, self.progress, self.retry = expected_bytes, progress, retry
        self.part = PartialFile(target)

    def problem_of(self, path: Path) -> str | None:
        """Why the bytes at ``path`` are not those that are wanted; ``None``: they are."""
        return self._problem(path.stat().st_size, digest_file(path, self.wanted.algorithms))

    def _problem(self, size: int, digests: dict[str, str]) -> str | None:
        if self.expected_bytes is not None and size != self.expected_bytes:
            return f"it has {size} bytes, expected {self.expected_bytes}"
        return self.wanted.mismatch(digests)

    def finish(self, digests: dict[str, str]) -> None:
        """Give the finished part its final name, or keep it aside if it is not what was wanted."""
        problem = self._problem(self.part.size(), digests)
        if problem is not None:
            rejected = _beside(self.target, ".rejected")
            self.part.path.replace(rejected)
            self.part.forget_origin()
            raise InputError(
                f"this is not the expected file: {problem}; it was not used and is kept as "
                f"{rejected}",
                file=self.url,
                remedy=f"If the transfer spoilt it, try again: {self.retry}",
            )
        rename(self.part.path, self.target)
        self.part.forget_origin()
        sync_folder(self.target.parent)

    def copy(self) -> dict[str, str]:
        """Copy a ``file:`` URL's file to the part."""
        source = local_path(self.url)
        if not source.is_file():
            self._missing(f"there is no file {source}")
        total = source.stat().st_size
        require_space(self.target.parent, total, f"to copy {source}")
        digester = Digester(self.wanted.algorithms)
        with source.open("rb") as read, self.part.path.open("wb") as written:
            self._pump(iter(lambda: read.read(CHUNK), b""), written, digester, 0, total)
        return digester.digests()

    def fetch(self) -> dict[str, str]:
        """Fetch the file into the part, however many attempts it takes."""
        if offline():
            self._missing(f"the network is switched off ({' or '.join(OFFLINE_VARIABLES)} is set)")
        failures = 0
        while True:
            before = self.part.size()
            try:
                return self._attempt()
            except _Interrupted as interruption:
                failures = 1 if self.part.size() > before else failures + 1
                if failures > len(BACKOFF_S):
                    self._missing(str(interruption))
                pause = interruption.wait_s or BACKOFF_S[failures - 1]
                _log.warning("%s: %s; trying again in %g s", self.url, interruption, pause)
                time.sleep(pause)

    def _attempt(self) -> dict[str, str]:
        import requests

        offset, known = self.part.resumable(self.url)
        headers = request_headers()
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": known}
        try:
            with requests.get(self.url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
                return self._receive(answer, offset)
        except requests.exceptions.SSLError as error:
            self._missing(f"the server's certificate is not accepted: {error}")
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Interrupted(f"the connection failed: {_innermost(error)}") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise _Interrupted(f"the connection broke: {_innermost(error)}") from error
        except requests.RequestException as error:
            self._missing(f"{type(error).__name__}: {error}")

    def _receive(self, answer: Response, offset: int) -> dict[str, str]:
        """Write an answer's body to the part, after the ``offset`` bytes that are there."""
        digester = Digester(self.wanted.algorithms)
        if answer.status_code == 416 and range_total(answer.headers) == offset:
            digester.update_from(self.part.path)
            return digester.digests()
        if answer.status_code in (206, 416) and range_start(answer.headers) != offset:
            self.part.forget()
            raise _Interrupted("the server does not resume where the download stopped")
        if answer.status_code in _RETRIED:
            wait_s = retry_after(answer.headers)
            raise _Interrupted(
                f"the server answered {answer.status_code} {answer.reason}", wait_s=wait_s
            )
        if answer.status_code not in (200, 206):
            self._missing(f"the server answered {answer.status_code} {answer.reason}")
        if answer.status_code == 200:
            # Either nothing was there, or the file changed, or the server cannot resume.
            offset, total = 0, content_length(answer.headers)
        else:
            total = range_total(answer.headers)
        if None not in (total, self.expected_bytes) and total != self.expected_bytes:
            raise InputError(
                f"the server offers {total} bytes, expected {self.expected_bytes}: it has another "
                "file there now, or something answers in its place",
                file=self.url,
            )
        if not offset:
            self.part.begin(self.url, validator(answer.headers))
        require_space(self.target.parent, (total or 0) - offset, f"to download {self.target.name}")
        if offset:
            digester.update_from(self.part.path)
        with self.part.path.open("ab") as written:
            done = self._pump(answer.iter_content(_PIECE), written, digester, offset, total)
        if total is not None and done != total:
            raise _Interrupted(f"the connection broke after {done} of {total} bytes")
        return digester.digests()

    def _pump(
        self,
        chunks: Iterator[bytes],
        written: IO[bytes],
        digester: Digester,
        done: int,
        total: int | None,
    ) -> int:
        self.progress(done, total)
        for chunk in chunks:
            written.write(chunk)
            digester.update(chunk)
            done += len(chunk)
            self.progress(done, total)
        written.flush()
        os.fsync(written.fileno())
        return done

    def _missing(self, reason: str) -> NoReturn:
        raise DataMissingError(
            f"cannot get {self.url}: {reason}. Try again ({self.retry}), or get the file by other "
            f"means and put it at {self.target.absolute()}"
        )


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(target.name + ending)


def _silent(done: int, total: int | None) -> None:
    pass


def _innermost(error: BaseException) -> str:
    """The cause of a chain of wrapped errors that says most in the fewest words."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
