"""File names made of names that people chose: they stay in the folder and never collide."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

LONGEST = 120
_RESERVED = {"con", "prn", "aux", "nul", "index", "runs"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)
}


def slug(name: str) -> str:
    """A name as a file's stem: letters, digits, ``.``, ``_`` and ``-``, at most 120 of them.

    Never empty, never hidden, never one that Windows keeps for devices or a site for itself.
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    stem = re.sub(r"\.{2,}", ".", stem)[:LONGEST].strip("-.")
    if not stem:
        return f"x-{_digest(name)}"
    return f"x-{stem}-{_digest(name)}" if stem.split(".")[0].lower() in _RESERVED else stem


def distinct_slugs(names: Iterable[str]) -> dict[str, str]:
    """Each name's slug, with a digest of the name where two would share a file.

    Names that differ only in case collide too: some file systems do not tell them apart.
    """
    stems = {name: slug(name) for name in names}
    uses = Counter(stem.lower() for stem in stems.values())
    return {
        name: stem if uses[stem.lower()] == 1 else f"{stem}-{_digest(name)}"
        for name, stem in stems.items()
    }


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:8]
