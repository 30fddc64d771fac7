"""A recipe's numbers for another number of images a step, or another number of steps.

The linear rule (Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017):
with k times as many images a step the learning rate is k times as high, and everything that counts
steps is a k-th, so that as many images are seen in all. Detectron2's ``auto_scale_workers`` does
the same from the number of processes; here that changes nothing by itself, since
``images_per_batch`` counts those of all processes.
"""

from __future__ import annotations

from dataclasses import replace

from benchsuite.training.options import TrainingOptions

LONGEST_WARMUP = 0.1
"""The share of a training that was made shorter which its warm-up may take."""


def scale_to_images(options: TrainingOptions, images_per_batch: int) -> TrainingOptions:
    """The options for another number of images a step, by the linear rule."""
    scale = images_per_batch / options.images_per_batch
    optimizer, schedule = options.optimizer, options.schedule
    overrides = {
        name: over if over.lr is None else replace(over, lr=over.lr * scale)
        for name, over in optimizer.overrides.items()
    }
    return replace(
        options,
        images_per_batch=images_per_batch,
        iterations=max(1, round(options.iterations / scale)),
        optimizer=replace(optimizer, lr=optimizer.lr * scale, overrides=overrides),
        schedule=replace(
            schedule,
            steps=_scaled(schedule.steps, 1 / scale),
            warmup_iters=float(round(schedule.warmup_iters / scale)),
        ),
        validate_every=_interval(options.validate_every / scale),
        checkpoint_every=_interval(options.checkpoint_every / scale),
    )


def scale_to_iterations(options: TrainingOptions, iterations: int) -> TrainingOptions:
    """The options for another number of steps: the learning rate falls after the same share of
    them. The warm-up stays as long as it was, but takes no more than ``LONGEST_WARMUP``."""
    schedule = options.schedule
    return replace(
        options,
        iterations=iterations,
        schedule=replace(
            schedule,
            steps=_scaled(schedule.steps, iterations / options.iterations),
            warmup_iters=min(schedule.warmup_iters, float(round(LONGEST_WARMUP * iterations))),
        ),
    )


def _interval(steps: float) -> int:
    """0 means never, and no interval becomes that."""
    return max(1, round(steps)) if steps else 0


def _scaled(steps: tuple[int, ...], scale: float) -> tuple[int, ...]:
    """Steps that fall together are one."""
    return tuple(sorted({round(step * scale) for step in steps}))
