"""What was published, where that is at hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest


def reference(repository: Path, name: str) -> Path:
    file = repository.parent / "shared" / "reference" / name
    if not file.is_file():
        pytest.skip(f"no {name}")
    return file


@pytest.fixture(scope="session")
def published_rows(repository: Path) -> list[dict[str, str]]:
    """The rows of the published tables; ``config`` is the path from the publisher's root."""
    with reference(repository, "published.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        folder = row["source"].rpartition("/")[0]
        if row["config"] and folder:
            row["config"] = f"{folder}/{row['config']}"
    return rows


@pytest.fixture(scope="session")
def published_settings(repository: Path) -> dict[str, dict[str, Any]]:
    """Configuration's path to its settings."""
    text = reference(repository, "settings.json").read_text(encoding="utf-8")
    settings: dict[str, dict[str, Any]] = json.loads(text)["configs"]
    return settings
