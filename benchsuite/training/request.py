"""What ``benchsuite train`` was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_VALIDATION = "none"
"""What ``--validate-on`` is given where nothing shall be validated."""

TABLES = ("model", "dataset", "training", "metric")
"""What the first part of a dotted key may be."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What ``benchsuite train`` was asked for. ``None`` means: as the recipe says, or choose.

    Attributes:
        fetch: whether a file of proposals is read, and fetched where it is not here; a mere look
            does without.
    """

    recipe: str
    dataset: str | None = None
    split: str | None = None
    images: Path | None = None
    validate_on: str | None = None
    validation_images: Path | None = None
    init: str | None = None
    device: str | None = None
    precision: str | None = None
    strategy: str = "ddp"
    threads: int | None = None
    workers: int | None = None
    seed: int | None = None
    limit: int | None = None
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    out: Path | None = None
    resume: bool = False
    fetch: bool = True
    command: str = ""
