"""Importing our models where most of what the suite depends on is not installed.

A machine that was lent for its GPU may have torch, torchvision and CuPy, and no network. A model's
mathematics needs no more than those; its modules import other packages for what is not measured
here (checkpoints, stores, plugins).
"""

from __future__ import annotations

import atexit
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from gpu_sections.plain_plugins import PluginManager, marker

DISPENSABLE = (
    "click",
    "cityscapesscripts",
    "jinja2",
    "lightning",
    "lightning_fabric",
    "lvis",
    "pandas",
    "pluggy",
    "psutil",
    "pyarrow",
    "pycocotools",
    "pydantic",
    "pynvml",
    "requests",
    "rich",
    "safetensors",
    "tensorboardX",
    "vl_convert",
)


class _Absent(type):
    """The class of what is asked of an absent package: it can be named, and not used."""

    def __call__(cls, *arguments: object, **options: object) -> object:
        raise ImportError(f"{cls.__module__} is not installed, and {cls.__name__} was called")


class _AbsentModule(ModuleType):
    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(name, (Exception,), {"__module__": self.__name__})


class _AbsentPackages(MetaPathFinder, Loader):
    """Finds the dispensable packages that nothing else has found."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in DISPENSABLE:
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _AbsentModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == "pluggy":
            vars(module).update(
                HookspecMarker=marker, HookimplMarker=marker, PluginManager=PluginManager
            )


def missing() -> tuple[str, ...]:
    """The dispensable packages that are not installed."""
    return tuple(name for name in DISPENSABLE if find_spec(name) is None)


def allow_missing(repository: Path) -> tuple[str, ...]:
    """Let our modules be imported without the packages that are missing; these.

    What an absent package is asked for exists, and raises ``ImportError`` when it is called. Our
    plugins are registered also where the suite is not installed.
    """
    absent = missing()
    if absent:
        sys.meta_path.append(_AbsentPackages())
    if not entry_points(group="benchsuite"):
        sys.path.append(_described(repository))
    return absent


def _described(repository: Path) -> str:
    """A folder, kept until the process ends, that holds the metadata of an installation."""
    with (repository / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["benchsuite"]
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    described = Path(folder.name, "benchsuite-0.dist-info")
    described.mkdir()
    lines = [f"{name} = {module}" for name, module in points.items()]
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: benchsuite\nVersion: 0\n")
    (described / "entry_points.txt").write_text("\n".join(["[benchsuite]", *lines]) + "\n")
    return folder.name
