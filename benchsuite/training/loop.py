"""The loop: from a plan to weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psutil
import torch

from benchsuite.errors import BenchsuiteError, InterruptedRun
from benchsuite.training.beginning import Begun, begin
from benchsuite.training.checkpoint import BEST, LAST, MODEL, write_checkpoint
from benchsuite.training.display import RecentSteps, no_display, training_display
from benchsuite.training.failures.interrupt import InterruptNotice
from benchsuite.training.failures.nonfinite import (
    NONFINITE,
    batch_report,
    keep_nonfinite,
    nonfinite_error,
)
from benchsuite.training.failures.out_of_memory import memory_explained
from benchsuite.training.log import TrainingLog
from benchsuite.training.optimization.precise_batch_norm import BATCHES, measure_statistics
from benchsuite.training.outcome import TrainingOutcome
from benchsuite.training.processes.ranks import broadcast_json, gather_bytes
from benchsuite.training.step import (
    BatchLosses,
    Unopened,
    accumulate_gradients,
    scales_losses,
    step_of,
)

if TYPE_CHECKING:
    from benchsuite.training.loading.loader import MicroBatch
    from benchsuite.training.plan import TrainingPlan

Row = dict[str, float]


def train(plan: TrainingPlan, tell: Callable[[str], None]) -> TrainingOutcome:
    """Train, validate, keep.

    Args:
        tell: takes a line for the user; called on the first process alone.

    Raises:
        InterruptedRun: on Ctrl-C or SIGTERM, after the step has been finished and kept.
        NonFiniteError: a loss or a gradient is no number.
        OutOfMemoryError: a step needs more memory than there is.
    """
    begun = begin(plan, tell if plan.processes.is_first else lambda _: None)
    with ExitStack() as stack:
        return _Loop(begun, stack).run()


class _Loop:
    """What is open while a training goes on."""

    def __init__(self, begun: Begun, stack: ExitStack) -> None:
        self.begun, self.plan, self.fabric = begun, begun.plan, begun.fabric
        self.trainee, self.state, self.validator = begun.trainee, begun.state, begun.validator
        self.first = self.plan.processes.is_first
        options, done = self.plan.options, self.state.step
        self.options = options
        self.notice = stack.enter_context(InterruptNotice())
        self.loader = stack.enter_context(begun.open_loader())
        self.log = stack.enter_context(TrainingLog(self.plan.out, done)) if self.first else None
        show = training_display(options.iterations, done, log_every=options.log_every)
        self.display = stack.enter_context(show if self.first else no_display())
        self.recent = RecentSteps(options.iterations)
        self.kept_step = done
        self.seconds = 0.0
        self.images = 0

    def run(self) -> TrainingOutcome:
        started = perf_counter()
        batches = iter(self.loader)
        while True:
            if self.validation_is_due():
                self.validate()
            elif self.has_ended and self.checkpoint_is_due():
                self.make_precise()
            if self.checkpoint_is_due():
                self.keep()
            if self.has_ended:
                return self.outcome(perf_counter() - started)
            if self.take_step(batches) and not self.has_ended:
                self.keep()
                raise self.interrupted()

    @property
    def has_ended(self) -> bool:
        return self.state.step >= self.options.iterations or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        return self.state.is_hopeless(self.options.early_stopping)

    # --- steps --------------------------------------------------------------------------------

    def take_step(self, batches: Iterator[MicroBatch]) -> bool:
        """One step; whether somebody wants the training to end after it."""
        number, started = self.state.step + 1, perf_counter()
        lr = self.trainee.set_learning_rate(self.state.step)
        taken: list[MicroBatch] = []
        with memory_explained(number, taken, self.options.precision):
            self.take_batches(batches, taken)
            waited = perf_counter() - started
            with step_of(self.trainee.model):
                losses = accumulate_gradients(self.fabric, self.trainee.learner, taken)
            means, waited, stop = self.share(losses, waited)
            if not math.isfinite(sum(means.values())):
                raise self.nonfinite(number, losses, lr, None)
            norm = self.trainee.step(number)
        if not (math.isfinite(norm) or scales_losses(self.fabric)):
            raise self.nonfinite(number, losses, lr, norm)
        self.state.step = number
        seconds = perf_counter() - started
        self.seconds += seconds
        self.images += self.options.images_per_batch
        row: Row = {
            "step": number,
            "loss": sum(means.values()),
            **means,
            "lr": lr,
            "grad_norm": norm,
            "seconds": seconds,
            "wait_seconds": waited,
            "images": self.options.images_per_batch,
            "memory_mib": self.memory_mib(),
        }
        self.recent.add(row)
        self.display.show(row)
        if self.log is not None:
            self.log.add_step(row)
        return stop

    def take_batches(self, batches: Iterator[MicroBatch], taken: list[MicroBatch]) -> None:
        """Wait for the micro-batches of a step."""
        try:
            for _ in range(self.options.accumulate):
                taken.append(next(batches))
        except BenchsuiteError:
            # An image that cannot be read costs no more than the time to mend it: nothing of this
            # step was done. Of several processes, the others wait for this one.
            if self.plan.processes.world_size == 1 and self.kept_step < self.state.step:
                self.keep()
            raise

    def share(self, losses: list[BatchLosses], waited: float) -> tuple[Row, float, bool]:
        """Means over all micro-batches of all processes, the mean time waited, and whether any
        process was told to stop: in one exchange."""
        names = [name if "/" in name else f"loss/{name}" for name in losses[0].names]
        mean = torch.stack([each.values for each in losses]).double().mean(0)
        told = mean.new_tensor([waited, float(self.notice.given)])
        summed: Any = self.fabric.all_reduce(torch.cat([mean, told]), reduce_op="sum")
        *means, waited, stop = (summed / self.plan.processes.world_size).tolist()
        return dict(zip(names, means, strict=True)), waited, stop > 0

    def memory_mib(self) -> float:
        """The most that was taken of a GPU; of the machine, what is taken now."""
        if self.fabric.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.fabric.device) / 2**20
        return float(psutil.Process().memory_info().rss) / 2**20

    def nonfinite(
        self, number: int, losses: list[BatchLosses], lr: float, norm: float | None
    ) -> Exception:
        """Keep what led to it, on the first process, and tell it on all."""
        own = [batch_report(each, self.plan.processes.rank) for each in losses]
        gathered = gather_bytes(json.dumps(own).encode())
        batches = broadcast_json([each for part in gathered for each in json.loads(part)])
        weights, state = self.trainee.weights(), self.everything()
        folder = self.plan.out / NONFINITE
        if self.first:
            keep_nonfinite(folder, number, batches, lr, norm, weights, state)
        return nonfinite_error(number, batches, lr, norm, folder, self.options.precision)

    # --- validation and checkpoints -------------------------------------------------------------

    def validation_is_due(self) -> bool:
        return (
            self.validator is not None
            and self.state.validated < self.state.step
            and self.is_time(self.options.validate_every)
        )

    def checkpoint_is_due(self) -> bool:
        # What a validation said of the weights is kept with them.
        every = self.is_time(self.options.checkpoint_every)
        validated = self.state.validated == self.state.step
        return self.kept_step < self.state.step and (every or validated)

    def is_time(self, every: int) -> bool:
        return self.has_ended or bool(every and self.state.step % every == 0)

    def validate(self) -> None:
        assert self.validator is not None
        self.display.pause()
        try:
            with self.notice.at_once():
                self.make_precise()
                with self.trainee.as_validated() as model:
                    found = self.validator(model)
        except KeyboardInterrupt:
            self.keep()
            raise self.interrupted() from None
        if self.log is not None:
            self.log.add_validation(self.state.step, found.values)
        if self.state.take(found, self.options.early_stopping):
            weights = self.trainee.weights()
            if self.first:
                write_checkpoint(self.plan.out / BEST, weights, None, self.state.step)

    def make_precise(self) -> None:
        """Measure batch normalisation's statistics anew, where the recipe wants that, over the
        batches that come next. Training itself uses none of them."""
        if not self.options.precise_bn:
            return
        steps = math.ceil(BATCHES / self.options.accumulate)
        with self.begun.open_loader(steps) as batches:
            measure_statistics(
                self.trainee.model,
                lambda batch: self.trainee.learner(Unopened(batch.images, batch.targets)),
                islice(batches, BATCHES),
            )

    def keep(self) -> None:
        """Write ``last``; what the log says up to here is on the disk before."""
        weights, state = self.trainee.weights(), self.everything()
        if self.log is not None:
            self.log.flush()
            write_checkpoint(self.plan.out / LAST, weights, state, self.state.step)
        self.kept_step = self.state.step

    def everything(self) -> dict[str, object]:
        return {"trainee": self.trainee.state_dict(), "training": self.state.state_dict()}

    # --- the end --------------------------------------------------------------------------------

    def interrupted(self) -> InterruptedRun:
        return InterruptedRun(
            f"interrupted after step {self.state.step} of {self.options.iterations}; it is kept in "
            f"{self.plan.out / LAST}: the same command with --resume goes on from there"
        )

    def outcome(self, seconds: float) -> TrainingOutcome:
        plan, state, recent = self.plan, self.state, self.recent
        weights = {LAST: plan.out / LAST / MODEL}
        if state.best is not None:
            weights[BEST] = plan.out / BEST / MODEL
        return TrainingOutcome(
            title=f"{plan.recipe.name} on {plan.title}",
            steps=state.step,
            epochs=plan.epochs(state.step),
            stopped_early=self.stopped_early,
            losses={name: recent.mean(name) for name in recent.names("loss")},
            last=state.values,
            best=state.best_values,
            best_step=state.best_step,
            best_by=self.validator.best.name if self.validator else "",
            seconds=seconds,
            images_per_second=self.images / self.seconds if self.seconds else 0.0,
            weights=weights,
            out=plan.out,
        )
