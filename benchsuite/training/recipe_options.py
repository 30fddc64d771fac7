"""A recipe's table ``[training]`` and what the command line puts over it, read together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.options import merge, missing_options, options_to_json, read_options
from benchsuite.training.optimization.scaling import scale_to_images, scale_to_iterations
from benchsuite.training.options import TrainingOptions

SCALED = {
    "lr": ("optimizer", "lr"),
    "iterations": ("iterations",),
    "steps": ("schedule", "steps"),
    "warmup_iters": ("schedule", "warmup_iters"),
}
"""What a user is told of: its name, and where it is."""


@dataclass(frozen=True, slots=True)
class ReadTraining:
    """How a model is trained, and what of it is not as the recipe says.

    Attributes:
        options: all settled.
        note: a line for the user, of settings that follow others; empty: there are none.
    """

    options: TrainingOptions
    note: str = ""


def read_training(
    table: Mapping[str, Any], overrides: Mapping[str, Any], recipe: str
) -> ReadTraining:
    """The options of a training.

    Where ``overrides`` give another ``images_per_batch`` or other ``iterations`` than the recipe,
    its other numbers are scaled to them (``scaling``), but not those that are given too.

    Args:
        table: the recipe's; empty: it has none, and everything needed must be given.
        overrides: of ``training.key=value``.
        recipe: its name, for messages.

    Raises:
        UsageError: something needed is not said by either, or something cannot be understood.
    """
    whole = merge(table, overrides)
    if missing := missing_options(TrainingOptions, whole):
        keys = ", ".join(f"training.{key}" for key in missing)
        raise UsageError(
            f"{recipe!r} does not say how it is trained: {keys} must be given on the command line "
            "(training.iterations=1000)"
        )
    options: TrainingOptions = read_options(TrainingOptions, whole, "training")
    if not options.auto_scale or missing_options(TrainingOptions, table):
        return ReadTraining(options)
    stated: TrainingOptions = read_options(TrainingOptions, table, "training")
    scaled = stated
    if options.images_per_batch != stated.images_per_batch:
        scaled = scale_to_images(scaled, options.images_per_batch)
    if "iterations" in overrides and options.iterations != scaled.iterations:
        scaled = scale_to_iterations(scaled, options.iterations)
    if scaled is stated:
        return ReadTraining(options)
    options = read_options(TrainingOptions, merge(options_to_json(scaled), overrides), "training")
    return ReadTraining(options, _note(stated, options, overrides))


def _note(stated: TrainingOptions, options: TrainingOptions, overrides: Mapping[str, Any]) -> str:
    causes = [
        f"{getattr(options, name)} {words} in place of {getattr(stated, name)}"
        for name, words in (("images_per_batch", "images a step"), ("iterations", "iterations"))
        if name in overrides and getattr(options, name) != getattr(stated, name)
    ]
    changes = [
        f"{name} {_text(before)} -> {_text(after)}"
        for name, path in SCALED.items()
        if not _at(overrides, path)
        and (before := _attribute(stated, path)) != (after := _attribute(options, path))
    ]
    if not changes:
        return ""
    rule = "linear rule; " if options.images_per_batch != stated.images_per_batch else ""
    return (
        f"{', '.join(causes)}: {', '.join(changes)} "
        f"({rule}training.auto_scale=false keeps the recipe's)"
    )


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    found: Any = values
    for part in path:
        if not isinstance(found, Mapping) or part not in found:
            return False
        found = found[part]
    return True


def _attribute(options: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        options = getattr(options, part)
    return options


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
