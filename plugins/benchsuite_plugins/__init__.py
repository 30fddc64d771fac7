"""The reference plugins: what ``benchsuite list`` shows of ours.

Every command imports this module, and with it the ``specs`` of each kind: they cost no time.
"""

from __future__ import annotations

from benchsuite.hookspecs import hookimpl
from benchsuite.specs import (
    CommandSpec,
    DatasetSpec,
    FormatSpec,
    LossSpec,
    MetricSpec,
    ModelSpec,
    TransformSpec,
)
from benchsuite_plugins.datasets.specs import DATASETS
from benchsuite_plugins.formats.specs import FORMATS
from benchsuite_plugins.losses.specs import LOSSES
from benchsuite_plugins.metrics.specs import METRICS
from benchsuite_plugins.models.specs import MODELS
from benchsuite_plugins.transforms.specs import TRANSFORMS

BENCHSUITE_CONTRACT = (1, 3)


@hookimpl
def benchsuite_models() -> list[ModelSpec]:
    return MODELS


@hookimpl
def benchsuite_datasets() -> list[DatasetSpec]:
    return DATASETS


@hookimpl
def benchsuite_losses() -> list[LossSpec]:
    return LOSSES


@hookimpl
def benchsuite_transforms() -> list[TransformSpec]:
    return TRANSFORMS


@hookimpl
def benchsuite_metrics() -> list[MetricSpec]:
    return METRICS


@hookimpl
def benchsuite_formats() -> list[FormatSpec]:
    return FORMATS


@hookimpl
def benchsuite_commands() -> list[CommandSpec]:
    return [
        CommandSpec(
            name="analyze",
            factory="benchsuite_plugins.commands.analyze:analyze",
            summary="Say what a detector gets wrong, and what that costs.",
        ),
        CommandSpec(
            name="zoo",
            factory="benchsuite_plugins.commands.zoo:zoo",
            summary="Show recipes, check and convert checkpoints.",
        ),
    ]
