"""Weights that come with this package: files of ``weights``, checked as downloads are."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "weights"


def shipped_url(file: str) -> str:
    """The URL of a file that lies here, wherever the package was installed to."""
    return (FOLDER / file).as_uri()
