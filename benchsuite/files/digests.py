"""Digests that a file is expected to have, and those that it has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ExpectedDigests:
    """What is known of a file's digests, as lower-case hexadecimal digits; empty: nothing.

    Attributes:
        sha256, md5: the whole digest.
        sha256_prefix, md5_prefix: their first digits, as publishers put them into file names.
    """

    sha256: str = ""
    md5: str = ""
    md5_prefix: str = ""
    sha256_prefix: str = ""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The hash functions that ``mismatch`` needs."""
        sha256 = ("sha256",) if self.sha256 or self.sha256_prefix else ()
        md5 = ("md5",) if self.md5 or self.md5_prefix else ()
        return sha256 + md5

    def mismatch(self, found: Mapping[str, str]) -> str | None:
        """What is wrong, in a clause that names both digests; ``None``: nothing is.

        Args:
            found: hash function to hexadecimal digest, for each of ``algorithms``.
        """
        for algorithm, expected in (("sha256", self.sha256), ("md5", self.md5)):
            if expected and found[algorithm] != expected.lower():
                return f"its {algorithm} is {found[algorithm]}, expected {expected.lower()}"
        for algorithm, prefix in (("sha256", self.sha256_prefix), ("md5", self.md5_prefix)):
            if prefix and not found[algorithm].startswith(prefix.lower()):
                return f"its {algorithm} is {found[algorithm]}, expected {prefix.lower()}…"
        return None


class Digester:
    """Several digests of one stream of bytes."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._hashes = {
            algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in algorithms
        }

    def update(self, data: bytes) -> None:
        for each in self._hashes.values():
            each.update(data)

    def update_from(self, path: Path) -> None:
        """Take in a whole file."""
        if not self._hashes:
            return
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                self.update(chunk)

    def digests(self) -> dict[str, str]:
        """Hash function to hexadecimal digest."""
        return {algorithm: each.hexdigest() for algorithm, each in self._hashes.items()}


def digest_file(path: Path, algorithms: Iterable[str]) -> dict[str, str]:
    """Hash function to hexadecimal digest of a file's bytes."""
    digester = Digester(algorithms)
    digester.update_from(path)
    return digester.digests()
