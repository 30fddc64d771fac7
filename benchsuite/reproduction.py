"""A run held against the published number: the recipe's own weights, its dataset, its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import ContractError, DataMissingError, InputError, UsageError
from benchsuite.execution import Execution
from benchsuite.options import options_to_json
from benchsuite.plugins import registry
from benchsuite.protocols import PublishedDataset
from benchsuite.resolve import resolve_model
from benchsuite.results import OUTSIDE, REPRODUCED, TOLERANCE, within
from benchsuite.runs import RunPlan, RunRequest, execute, plan_run

if TYPE_CHECKING:
    from benchsuite.results import Outcome
    from benchsuite.specs import RecipeSpec

PUBLISHED, UNKNOWN = "as published", "unknown"
"""What can be said of the annotations: their hash is the publisher's, or nobody knows that one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measured value beside the published one, both unscaled."""

    name: str
    measured: float
    published: float
    within: bool

    @property
    def difference(self) -> float:
        return self.measured - self.published


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of it.

    Attributes:
        annotations: ``PUBLISHED`` or ``UNKNOWN``.
        tolerance: how far a value may be from the published one.
        values: one a published value.
    """

    recipe: str
    dataset_title: str
    annotations: str
    tolerance: float
    values: Sequence[Comparison]
    outcome: Outcome

    @property
    def verdict(self) -> str:
        """As it is recorded; a partial figure is never called reproduced."""
        verdict: str = self.outcome.run["verdict"]
        return verdict

    @property
    def missed(self) -> list[Comparison]:
        """What lies outside the tolerance of a whole run."""
        if self.verdict != OUTSIDE:
            return []
        return [value for value in self.values if not value.within]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` puts on standard output."""
        return {
            "recipe": self.recipe,
            "verdict": self.verdict,
            "reproduced": self.verdict == REPRODUCED,
            "tolerance": self.tolerance,
            "values": {
                value.name: {
                    "measured": value.measured,
                    "published": value.published,
                    "difference": value.difference,
                    "within": value.within,
                }
                for value in self.values
            },
            "dataset": self.dataset_title,
            "annotations": self.annotations,
            "run": self.outcome.to_json(),
        }


@dataclass(frozen=True, slots=True)
class ReproduceRequest:
    """What ``benchsuite reproduce`` was asked for.

    Attributes:
        overrides: by table, as in ``RunRequest``; only for options that the recipe leaves open.
    """

    recipe: str
    device: str | None = None
    threads: int | None = None
    limit: int | None = None
    execution: Execution = field(default_factory=Execution)
    require_kernels: bool = False
    out: Path = Path("results")
    resume: bool = False
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    command: str = ""


def reproduce(request: ReproduceRequest, tell: Callable[[str], None]) -> Reproduction:
    """Check the dataset, fetch the weights, run, compare, and record the verdict.

    Args:
        tell: takes a line for the user.

    Raises:
        UsageError: there is no such recipe, it has no published numbers, or an override is of
            something that it settles.
        DataMissingError: its dataset or weights are not there, or lack truth for a number.
        InputError: the dataset or the weights are not the published ones.
        ContractError: a metric does not measure what the recipe says was published.
    """
    plan = plan_reproduction(request)
    annotations = check_dataset(plan)
    if annotations == UNKNOWN:
        tell(
            f"nobody knows the hash of the published annotations of {plan.opened.title}: those "
            "here are taken as they are"
        )
    outcome = execute(plan, tell)
    tolerance = plan.model.body.get("tolerance", TOLERANCE)
    return Reproduction(
        request.recipe,
        plan.opened.title,
        annotations,
        tolerance,
        compare(outcome, tolerance),
        outcome,
    )


def compare(outcome: Outcome, tolerance: float) -> list[Comparison]:
    """Each published value beside the measured one.

    Raises:
        ContractError: a metric does not measure what the recipe says was published.
    """
    if unknown := [name for name in outcome.published if name not in outcome.metrics]:
        raise ContractError(
            f"published were {', '.join(unknown)}, which nothing measures; measured were "
            f"{', '.join(outcome.metrics)}"
        )
    return [
        Comparison(
            name, outcome.metrics[name], number, within(outcome.metrics[name], number, tolerance)
        )
        for name, number in outcome.published.items()
    ]


def plan_reproduction(request: ReproduceRequest) -> RunPlan:
    """The run as it was published: everything the recipe's own, the images one by one."""
    recipe = registry().find("recipes", request.recipe)
    if not recipe.published:
        raise UsageError(f"no numbers of {recipe.name!r} have been published")
    if not recipe.weights_url:
        raise DataMissingError(f"no weights of {recipe.name!r} have been published")
    _check_overrides(recipe, request.overrides)
    plan = plan_run(
        RunRequest(
            model=recipe.name,
            dataset=recipe.dataset,
            weights=recipe.name,
            device=request.device,
            threads=request.threads,
            limit=request.limit,
            execution=request.execution,
            require_kernels=request.require_kernels,
            out=request.out,
            resume=request.resume,
            overrides=request.overrides,
            command=request.command,
            verb="reproduce",
        )
    )
    # A model may predict more than was published of it, and a dataset have truth for more.
    wanted = {name.partition("/")[0] for name in recipe.published}
    metrics = [each for each in plan.metrics if each.spec.value_prefix in wanted]
    scored = {each.spec.value_prefix for each in metrics}
    if lacking := sorted(wanted - scored):
        raise DataMissingError(
            f"published numbers of {recipe.name!r} are of {', '.join(sorted(wanted))}, but "
            f"{plan.opened.title} is not scored by {', '.join(lacking)} here"
        )
    return replace(plan, metrics=metrics)


def _check_overrides(recipe: RecipeSpec, overrides: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UsageError for an override of anything but an option that the recipe leaves empty."""
    options = options_to_json(resolve_model(recipe.name, dataset=recipe.dataset).options)
    settled = [f"dataset.{key}" for key in overrides.get("dataset", {})]
    settled += [f"model.{key}" for key in _settled(options, overrides.get("model", {}))]
    if settled:
        raise UsageError(
            f"{settled[0]} is settled: a number is reproduced with the published settings "
            "(benchsuite run takes any)"
        )


def _settled(options: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """The dotted keys among ``values`` that have a value in ``options``."""
    for key, value in values.items():
        stated = options.get(key)
        if isinstance(value, Mapping) and isinstance(stated, Mapping):
            yield from (f"{key}.{below}" for below in _settled(stated, value))
        elif stated not in (None, ""):
            yield key


def check_dataset(plan: RunPlan) -> str:
    """``PUBLISHED``, or ``UNKNOWN`` where there is nothing to compare the annotations with.

    Raises:
        InputError: the annotations are not the published ones, or not of as many images.
    """
    opened = plan.opened
    dataset = opened.dataset
    if not isinstance(dataset, PublishedDataset):
        return UNKNOWN
    count, expected = dataset.published_image_count, dataset.published_annotation_sha256
    if count is not None and plan.n_dataset_images != count:
        raise InputError(
            f"has {plan.n_dataset_images} images, published were {count}",
            file=opened.title,
            remedy=f"See what is wrong with it: benchsuite data verify {opened.title}",
        )
    if expected is None:
        return UNKNOWN
    if dataset.annotation_sha256 != expected:
        raise InputError(
            f"the annotations are not the published ones: sha256 {dataset.annotation_sha256}, "
            f"expected {expected}",
            file=opened.title,
            remedy="Get them again: numbers on other annotations cannot be compared",
        )
    return PUBLISHED
