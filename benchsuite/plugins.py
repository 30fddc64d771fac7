"""Finding plugins, and keeping a broken one from breaking the rest.

Plugins are Python modules named by entry points of the group ``benchsuite``; ours are found
exactly as a stranger's. Whatever goes wrong in one of them (an import that fails, a hook that
raises, something registered that is no spec, a name that is taken, a newer contract) becomes a
``PluginFailure`` in the registry, and everything else works.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

import pluggy

from benchsuite import hookspecs
from benchsuite.contract import CONTRACT_VERSION, accepts
from benchsuite.errors import PluginError, UsageError, unknown_name
from benchsuite.specs import (
    TASKS,
    CommandSpec,
    DatasetSpec,
    FormatSpec,
    LossSpec,
    MetricSpec,
    ModelSpec,
    RecipeSpec,
    Spec,
    TransformSpec,
)

GROUP = "benchsuite"
"""The entry-point group."""

DISABLE_VARIABLE = "BENCHSUITE_DISABLE_PLUGINS"
"""Names of entry points or distributions not to load, separated by commas; ``all`` means every
plugin that is not of this distribution."""

KINDS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "models": ModelSpec,
        "datasets": DatasetSpec,
        "metrics": MetricSpec,
        "losses": LossSpec,
        "transforms": TransformSpec,
        "recipes": RecipeSpec,
        "formats": FormatSpec,
        "commands": CommandSpec,
    }
)


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A plugin that was loaded."""

    name: str
    distribution: str
    version: str
    module: str
    contract: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """Something a plugin did that the host could not use.

    ``provides`` is the spec's name where only one spec is refused, else empty: the whole plugin.
    """

    plugin: str
    distribution: str
    version: str
    error: str
    provides: str = ""
    details: str = ""

    def concerns(self, name: str) -> bool:
        """Whether a command that asks for ``name`` probably meant this plugin."""

        def plain(text: str) -> str:
            return text.replace("-", "_").lower()

        return plain(name) in {plain(self.provides), plain(self.plugin), plain(self.distribution)}

    def __str__(self) -> str:
        what = f"{self.provides!r} of " if self.provides else ""
        return f"{what}plugin {self.plugin!r} ({self.distribution} {self.version}): {self.error}"


@dataclass(slots=True)
class Registry:
    """Every spec that every plugin registered, by kind and name."""

    models: dict[str, ModelSpec] = field(default_factory=dict)
    datasets: dict[str, DatasetSpec] = field(default_factory=dict)
    metrics: dict[str, MetricSpec] = field(default_factory=dict)
    losses: dict[str, LossSpec] = field(default_factory=dict)
    transforms: dict[str, TransformSpec] = field(default_factory=dict)
    recipes: dict[str, RecipeSpec] = field(default_factory=dict)
    formats: dict[str, FormatSpec] = field(default_factory=dict)
    commands: dict[str, CommandSpec] = field(default_factory=dict)
    plugins: list[PluginInfo] = field(default_factory=list)
    failures: list[PluginFailure] = field(default_factory=list)
    origins: dict[tuple[str, str], str] = field(default_factory=dict)

    def of_kind(self, kind: str) -> dict[str, Any]:
        specs: dict[str, Any] = getattr(self, kind)
        return specs

    def find(self, kind: str, name: str) -> Any:
        """The spec of that name.

        Raises:
            PluginError: a plugin that was to provide it could not be used; says why.
            UsageError: nobody provides it; names the nearest that somebody does.
        """
        specs = self.of_kind(kind)
        if name in specs:
            return specs[name]
        raise self.missing(kind.removesuffix("s"), name, specs)

    def missing(self, kind: str, name: str, known: Iterable[str]) -> PluginError | UsageError:
        """The error for a name that is not there (see ``find``)."""
        for failure in self.failures:
            if failure.concerns(name):
                return PluginError(f"{kind} {name!r} cannot be used: {failure}")
        hint = ""
        if self.failures:
            broken = ", ".join(sorted({failure.distribution for failure in self.failures}))
            hint = f"(Not everything could be loaded, see `benchsuite list plugins`: {broken}.)"
        return unknown_name(kind, name, known, hint=hint)


@cache
def registry() -> Registry:
    """Everything registered by the plugins installed here; loaded once a process."""
    return load_registry(entry_points(group=GROUP), os.environ.get(DISABLE_VARIABLE, ""))


def load_registry(found: Iterable[EntryPoint], disabled: str = "") -> Registry:
    """Load the plugins that ``found`` names, but for those that ``disabled`` names.

    Ours come first and the others by name, so that who keeps a contested name does not depend on
    the order of installation.
    """
    result = Registry()
    manager = pluggy.PluginManager("benchsuite")
    manager.add_hookspecs(hookspecs)
    skip = {name.strip().lower() for name in disabled.split(",") if name.strip()}
    for entry in sorted(found, key=_order):
        distribution, version = _distribution(entry)
        if {entry.name.lower(), distribution.lower()} & skip:
            continue
        if "all" in skip and distribution != "benchsuite":
            continue
        try:
            _load(entry, distribution, version, manager, result)
        except Exception as error:
            # A stranger's module may raise anything; what matters is that it is told, not what.
            result.failures.append(_failure(entry, distribution, version, error))
    return result


def _order(entry: EntryPoint) -> tuple[bool, str, str]:
    distribution, _ = _distribution(entry)
    return distribution != "benchsuite", distribution, entry.name


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is None:
        return entry.module, "?"
    return entry.dist.name, entry.dist.version


def _failure(
    entry: EntryPoint, distribution: str, version: str, error: Exception, provides: str = ""
) -> PluginFailure:
    text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    details = "".join(traceback.format_exception(error))
    return PluginFailure(entry.name, distribution, version, text, provides, details)


def _load(
    entry: EntryPoint,
    distribution: str,
    version: str,
    manager: pluggy.PluginManager,
    result: Registry,
) -> None:
    plugin = entry.load()
    wanted = getattr(plugin, "BENCHSUITE_CONTRACT", (1, 0))
    if not (
        isinstance(wanted, tuple) and len(wanted) == 2 and all(isinstance(n, int) for n in wanted)
    ):
        raise PluginError(f"BENCHSUITE_CONTRACT is {wanted!r}, expected a pair such as (1, 0)")
    if not accepts(wanted):
        ours, theirs = (".".join(map(str, pair)) for pair in (CONTRACT_VERSION, wanted))
        remedy = "upgrade benchsuite" if wanted > CONTRACT_VERSION else "upgrade the plugin"
        raise PluginError(f"asks for contract {theirs}, this host has {ours}: {remedy}")
    manager.register(plugin, name=f"{distribution}:{entry.name}")
    manager.check_pending()
    result.plugins.append(PluginInfo(entry.name, distribution, version, entry.value, wanted))
    for kind, spec_type in KINDS.items():
        # One hook at a time, so that one that raises does not take the others along.
        try:
            for spec in _registered(manager, plugin, kind):
                _add(entry, distribution, version, kind, spec_type, spec, result)
        except Exception as error:
            result.failures.append(_failure(entry, distribution, version, error))


def _registered(manager: pluggy.PluginManager, plugin: object, kind: str) -> Iterator[object]:
    hook = getattr(manager.hook, f"benchsuite_{kind}")
    for implementation in hook.get_hookimpls():
        if implementation.plugin is plugin:
            returned = implementation.function()
            if not isinstance(returned, list | tuple):
                what = type(returned).__name__
                raise PluginError(f"benchsuite_{kind}() returned {what}, not a list of specs")
            yield from returned


def _add(
    entry: EntryPoint,
    distribution: str,
    version: str,
    kind: str,
    spec_type: type[Any],
    spec: object,
    result: Registry,
) -> None:
    name = getattr(spec, "name", "")
    try:
        _check(kind, spec_type, spec)
        if name in result.of_kind(kind):
            owner = result.origins[kind, name]
            raise PluginError(f"the {kind.removesuffix('s')} name {name!r} is taken by {owner}")
    except PluginError as error:
        label = name if isinstance(name, str) else ""
        result.failures.append(_failure(entry, distribution, version, error, label))
        return
    result.of_kind(kind)[name] = spec
    result.origins[kind, name] = distribution


def _check(kind: str, spec_type: type[Any], spec: object) -> None:
    """Raise PluginError unless ``spec`` is a spec of that kind that can be used."""
    if not isinstance(spec, spec_type):
        raise PluginError(
            f"benchsuite_{kind}() returned a {type(spec).__name__}, expected {spec_type.__name__}"
        )
    name = spec.name
    if not isinstance(name, str) or not name or name != name.strip() or "/" in name:
        raise PluginError(f"benchsuite_{kind}() registered the name {name!r}: not a usable name")
    for factory in _import_strings(spec):
        if not isinstance(factory, str) or not factory.partition(":")[2]:
            raise PluginError(
                f"{name!r}: {factory!r} is not of the form 'package.module:attribute'"
            )
    tasks: object = (spec.task,) if isinstance(spec, MetricSpec) else getattr(spec, "tasks", ())
    if not isinstance(tasks, tuple | list) or not all(task in TASKS for task in tasks):
        raise PluginError(f"{name!r}: tasks {tasks!r} are not among {', '.join(TASKS)}")


def _import_strings(spec: Any) -> list[object]:
    """The import strings without which a spec is of no use."""
    if isinstance(spec, RecipeSpec):
        return [spec.source]
    if isinstance(spec, FormatSpec):
        functions = (
            spec.read_truth,
            spec.write_truth,
            spec.read_predictions,
            spec.write_predictions,
        )
        given = [function for function in functions if function is not None]
        if not given:
            raise PluginError(f"{spec.name!r} neither reads nor writes anything")
        return [spec.recognises, *given]
    return [spec.factory]


__all__ = [
    "DISABLE_VARIABLE",
    "GROUP",
    "KINDS",
    "PluginFailure",
    "PluginInfo",
    "Registry",
    "Spec",
    "load_registry",
    "registry",
]
