"""The hooks a plugin may implement: one a kind, each returning a list of small specs."""

from __future__ import annotations

from pluggy import HookimplMarker, HookspecMarker

from benchsuite.specs import (
    CommandSpec,
    DatasetSpec,
    FormatSpec,
    LossSpec,
    MetricSpec,
    ModelSpec,
    RecipeSpec,
    TransformSpec,
)

hookspec = HookspecMarker("benchsuite")
hookimpl = HookimplMarker("benchsuite")


@hookspec
def benchsuite_models() -> list[ModelSpec]:  # type: ignore[empty-body]
    """Models, by name: architectures, or complete detectors."""


@hookspec
def benchsuite_datasets() -> list[DatasetSpec]:  # type: ignore[empty-body]
    """Datasets, by name."""


@hookspec
def benchsuite_metrics() -> list[MetricSpec]:  # type: ignore[empty-body]
    """Metrics, by name: each scores one task by one protocol."""


@hookspec
def benchsuite_losses() -> list[LossSpec]:  # type: ignore[empty-body]
    """Loss functions a training recipe can name."""


@hookspec
def benchsuite_transforms() -> list[TransformSpec]:  # type: ignore[empty-body]
    """Augmentations a training recipe can name."""


@hookspec
def benchsuite_recipes() -> list[RecipeSpec]:  # type: ignore[empty-body]
    """Zoo entries: a model with options, weights and published numbers."""


@hookspec
def benchsuite_formats() -> list[FormatSpec]:  # type: ignore[empty-body]
    """Formats of labels and detections, by name."""


@hookspec
def benchsuite_commands() -> list[CommandSpec]:  # type: ignore[empty-body]
    """Further verbs of the command line."""
