"""The default val split, drawn once for all tests of ``shapes``."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite_plugins.datasets.shapes.cache import cached_split
from benchsuite_plugins.datasets.shapes.options import ShapesOptions


@pytest.fixture(scope="session")
def shapes_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def val(shapes_cache: Path) -> Path:
    """The folder of the default val split."""
    return cached_split(shapes_cache, ShapesOptions(), "val")
