"""As much of pluggy as our registry uses: hooks are functions of a plugin, found by their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def marker(project: str) -> Callable[..., Any]:
    """``HookspecMarker`` and ``HookimplMarker``: marks nothing."""

    def mark(function: Any = None, **options: object) -> Any:
        return function if function is not None else mark

    return mark


@dataclass(frozen=True)
class _Implementation:
    plugin: object
    function: Callable[[], Any]


@dataclass(frozen=True)
class _Hook:
    implementations: list[_Implementation]

    def get_hookimpls(self) -> list[_Implementation]:
        return self.implementations


class PluginManager:
    """The plugins that are registered, and the functions that their hooks are."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.plugins: list[object] = []
        self.hook = self

    def add_hookspecs(self, specs: object) -> None:
        pass

    def register(self, plugin: object, name: str) -> None:
        self.plugins.append(plugin)

    def check_pending(self) -> None:
        pass

    def __getattr__(self, name: str) -> _Hook:
        if not name.startswith(f"{self.project}_"):
            raise AttributeError(name)
        have = [plugin for plugin in self.plugins if hasattr(plugin, name)]
        return _Hook([_Implementation(plugin, getattr(plugin, name)) for plugin in have])
