"""A stop-watch at a model: what each stage takes, and how many images a second go through.

Nothing is scored, so nothing of it is a result: it is told, and not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import benchsuite_kernels
from benchsuite._version import __version__
from benchsuite.devices import forget_peak_memory, peak_memory_mib
from benchsuite.inference import batches, predict_batch
from benchsuite.pipeline import ready_batches
from benchsuite.progress import progress
from benchsuite.required_kernels import check_served
from benchsuite.results import title
from benchsuite.run_warnings import busy
from benchsuite.runs import RunPlan, prepare
from benchsuite.schemas import SAMPLES
from benchsuite.throughput import summarise, timed_outputs

if TYPE_CHECKING:
    from benchsuite.records import ImageRecord
    from benchsuite.runs import Prepared


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes:
        title: what ran where.
        facts: the same for a machine, with the options of its execution.
        stages: what ``throughput.summarise`` gives, one stage after the other.
        overlapped_images_per_second: from reading an image to its prediction, the next batch being
            made ready while the device computes.
        first_ms: the first pass over the first batch, in which kernels are compiled and captured.
        peak_memory_mib: the most that the device held (of a CPU: the process).
        kernels: operator to the implementation that served it.
    """

    title: str
    facts: Mapping[str, Any]
    stages: Mapping[str, Mapping[str, float]]
    overlapped_images_per_second: float
    first_ms: float
    peak_memory_mib: float | None
    kernels: Mapping[str, str]
    warnings: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` puts on standard output."""
        stages = {name: dict(each) for name, each in self.stages.items()}
        rate = stages.pop("images_per_second")["value"]
        return {
            **self.facts,
            "stages_ms": stages,
            "images_per_second": rate,
            "overlapped_images_per_second": self.overlapped_images_per_second,
            "first_ms": self.first_ms,
            "peak_memory_mib": self.peak_memory_mib,
            "kernels": dict(self.kernels),
            "warnings": list(self.warnings),
        }


def bench(plan: RunPlan, tell: Callable[[str], None]) -> Measured:
    """Measure a model on the images of a plan, twice: stage after stage, and overlapped.

    Raises:
        UsageError: the device is not there, or cannot execute as asked.
        KernelError: kernels are required, and something slower served.
    """
    ready = prepare(plan)
    warnings = busy(ready.environment)
    for warning in warnings:
        tell(warning)
    benchsuite_kernels.reset_served()
    forget_peak_memory(ready.device)
    groups = list(batches(plan.records, 0, plan.request.batch_size))
    first_ms = _warm_up(ready, groups[0][1])
    samples: list[dict[str, Any]] = []
    with progress("stage by stage", len(plan.records), done=0) as shown:
        for index, records in groups:
            found = predict_batch(
                ready.model, plan.opened, index, records, ready.device.synchronise
            )
            samples += [{"image_id": record.id, **sample} for record, _, sample in found]
            shown.advance(len(records))
    start = perf_counter()
    with progress("overlapped", len(plan.records), done=0) as shown:
        for each in ready_batches(ready.model, plan.opened.dataset, groups, ready.device):
            timed_outputs(ready.model, each.prepared, ready.device.synchronise)
            shown.advance(len(each.records))
    seconds = perf_counter() - start
    served, facts = benchsuite_kernels.served(), _facts(ready)
    if plan.request.require_kernels:
        check_served(served)
    return Measured(
        title=title(facts, plan.opened.title),
        facts=facts,
        stages=summarise(pa.Table.from_pylist(samples, schema=SAMPLES)),
        overlapped_images_per_second=len(plan.records) / seconds,
        first_ms=first_ms,
        peak_memory_mib=peak_memory_mib(ready.device),
        kernels=served,
        warnings=warnings,
    )


def _warm_up(ready: Prepared, records: Sequence[ImageRecord]) -> float:
    """Untimed passes over a batch; milliseconds of the first, which is always made."""
    images = [ready.plan.opened.dataset.load(record) for record in records]
    start = perf_counter()
    ready.model.predict(images)
    ready.device.synchronise()
    first_ms = 1e3 * (perf_counter() - start)
    for _ in range(ready.plan.request.warmup - 1):
        ready.model.predict(images)
    ready.device.synchronise()
    return first_ms


def _facts(ready: Prepared) -> dict[str, Any]:
    plan, request = ready.plan, ready.plan.request
    return {
        "model": plan.model.spec.name,
        "recipe": plan.model.recipe.name if plan.model.recipe else None,
        "weights": ready.weights.to_json(),
        "dataset": plan.opened.name,
        "split": plan.opened.split,
        "n_images": len(plan.records),
        "batch_size": request.batch_size,
        "warmup": request.warmup,
        **request.execution.to_json(),
        "device": ready.device.name,
        "device_name": ready.device.hardware,
        "threads": ready.device.threads,
        "version": __version__,
    }
