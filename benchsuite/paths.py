"""Where things live: data, caches, results. The environment decides; nothing is created here."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$BENCHSUITE_CACHE``, else ``$XDG_CACHE_HOME/benchsuite``, else ``~/.cache/benchsuite``."""
    if own := os.environ.get("BENCHSUITE_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "benchsuite"


def weights_folder() -> Path:
    """Where downloaded weights are kept."""
    return cache_folder() / "weights"


def datasets_folder() -> Path:
    """``$BENCHSUITE_DATASETS``, else ``$DETECTRON2_DATASETS``, else ``./datasets``."""
    for variable in ("BENCHSUITE_DATASETS", "DETECTRON2_DATASETS"):
        if folder := os.environ.get(variable):
            return Path(folder).expanduser()
    return Path("datasets")
