"""The headers of HTTP that a resumable download speaks: ranges, lengths, pauses (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping

from benchsuite._version import __version__

LONGEST_PAUSE_S = 60.0
"""How long a server's Retry-After is obeyed at most."""


def request_headers() -> dict[str, str]:
    # Sizes, ranges and digests are of the file as it is stored, not of a compressed transfer.
    return {"Accept-Encoding": "identity", "User-Agent": f"benchsuite/{__version__}"}


def content_length(headers: Mapping[str, str]) -> int | None:
    """Bytes of the body as it arrives; ``None`` where that is not stated."""
    length = headers.get("Content-Length", "")
    encoded = headers.get("Content-Encoding", "identity") != "identity"
    return int(length) if length.isdigit() and not encoded else None


def range_start(headers: Mapping[str, str]) -> int | None:
    """The first number of ``Content-Range: bytes 100-199/200``."""
    first = headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else None


def range_total(headers: Mapping[str, str]) -> int | None:
    """The last number of ``Content-Range: bytes 100-199/200`` or ``bytes */200``."""
    last = headers.get("Content-Range", "").rpartition("/")[2]
    return int(last) if last.isdigit() else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait for; dates are not read."""
    seconds = headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_PAUSE_S) if seconds.isdigit() else None


def validator(headers: Mapping[str, str]) -> str:
    """What ``If-Range`` may hold to ask for the rest of the same bytes; empty: nothing may.

    A weak ETag does not promise the same bytes, which is what a resumed file is made of.
    """
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")
