"""Which metrics score a task, and with which options: names become metrics.

A task is asked for by the prefix that its values carry (``lvis-bbox`` for ``lvis-bbox/AP``). The
prefix says both what is scored (the metric's own ``task``) and by which protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchsuite.errors import ContractError, UsageError, unknown_name
from benchsuite.options import options_to_json
from benchsuite.plugins import registry
from benchsuite.resolve import read_spec_options, use
from benchsuite.specs import DatasetSpec, MetricSpec

if TYPE_CHECKING:
    from benchsuite.protocols import Metric, OfficialScorer


@dataclass(frozen=True, slots=True)
class ResolvedMetric:
    """A metric, made.

    Attributes:
        options: an instance of its options dataclass, or ``None`` where it takes none.
    """

    spec: MetricSpec
    metric: Metric
    options: Any = None

    @property
    def identity(self) -> dict[str, Any]:
        """What its numbers depend on, as JSON-able values."""
        return {"evaluator": self.metric.evaluator, "options": options_to_json(self.options)}

    def official(self) -> OfficialScorer:
        """The protocol's official scorer, with the same options.

        Raises:
            UsageError: there is none.
        """
        from benchsuite.protocols import OfficialScorer

        name = self.spec.name
        if self.spec.official is None:
            raise UsageError(f"metric {name!r} has no official scorer to be held against")
        scorer = _made(self.spec.official, self.options, f"official scorer of {name!r}")
        if not isinstance(scorer, OfficialScorer):
            raise ContractError(
                f"metric {name!r}: {self.spec.official} returned a {type(scorer).__name__}, which "
                "lacks part of benchsuite.protocols.OfficialScorer"
            )
        return scorer


def metric_prefixes() -> list[str]:
    """What ``--task`` takes: the prefixes of every metric."""
    return sorted({spec.value_prefix for spec in registry().metrics.values()})


def metrics_with_prefix(prefix: str, dataset: DatasetSpec | None = None) -> list[MetricSpec]:
    """The metrics whose values have a prefix: those the dataset is scored with, where it has any.

    Raises:
        UsageError: no metric has it.
    """
    found = registry().metrics
    having = [spec for spec in found.values() if spec.value_prefix == prefix]
    if not having:
        raise unknown_name("task", prefix, metric_prefixes())
    preferred = [spec for spec in having if dataset is not None and spec.name in dataset.metrics]
    return preferred or having[:1]


def resolve_metrics(
    spec: DatasetSpec,
    tasks: Sequence[str],
    wanted: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> list[ResolvedMetric]:
    """The metrics that score ``tasks``: those named, else those the dataset is scored with.

    Args:
        overrides: option values of all of them.

    Raises:
        UsageError: an unknown metric or option, or a metric that scores none of the tasks.
    """
    found = registry()
    chosen = []
    for name in wanted or spec.metrics:
        metric_spec = found.find("metrics", name)
        if metric_spec.task in tasks:
            chosen.append(metric_spec)
        elif wanted:
            raise UsageError(
                f"metric {name!r} scores {metric_spec.task}, but model and dataset share "
                f"{', '.join(tasks) or 'no task'}"
            )
    return [make_metric(each, overrides) for each in chosen]


def make_metric(spec: MetricSpec, overrides: Mapping[str, Any] | None = None) -> ResolvedMetric:
    """A metric of its spec, with option values put over the defaults.

    Raises:
        UsageError: an unknown option.
        PluginError: its plugin fails.
        ContractError: what it made is no metric.
    """
    from benchsuite.protocols import Metric

    options = read_spec_options(spec.options, overrides or {}, "metric", spec.name)
    metric = _made(spec.factory, options, f"metric {spec.name!r}")
    if not isinstance(metric, Metric):
        raise ContractError(
            f"metric {spec.name!r}: {spec.factory} returned a {type(metric).__name__}, which "
            "lacks part of benchsuite.protocols.Metric"
        )
    return ResolvedMetric(spec, metric, options)


def _made(factory: str, options: Any, what: str) -> Any:
    make = use(factory, what)
    return make() if options is None else make(options)
