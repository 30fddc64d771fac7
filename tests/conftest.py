"""Fixtures for data that lies outside the project; tests skip where it does not."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

FULL = os.environ.get("BENCHSUITE_TEST_FULL", "") == "1"
"""Whether tests marked ``full`` run too, and generated examples are as many as they once were."""

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("benchsuite", deadline=None, max_examples=100 if FULL else 30)
hypothesis.settings.load_profile("benchsuite")

# Small models are slower on several threads than on one, most of all where tests run side by side.
# Torch reads this when it is imported; so do the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not FULL:
        skip = pytest.mark.skip(reason="BENCHSUITE_TEST_FULL=1 runs it")
        for item in items:
            if item.get_closest_marker("full"):
                item.add_marker(skip)


def _shared(variable: str, name: str) -> Path:
    folder = Path(os.environ.get(variable) or REPOSITORY.parent / "shared" / name)
    if not folder.is_dir():
        pytest.skip(f"no {name} folder; set ${variable} to one")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Small real data with known outcomes."""
    return _shared("BENCHSUITE_TEST_DATA", "data")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Small models with weights and outputs of the reference implementation."""
    return _shared("BENCHSUITE_TEST_GOLDEN", "golden")


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY
