"""The learning rate at a step, from the step's number alone: resuming needs no state."""

from __future__ import annotations

import math
from bisect import bisect_right

from benchsuite.training.options import ScheduleOptions


def learning_rate_factor(step: int, iterations: int, options: ScheduleOptions) -> float:
    """What the learning rates of a step are multiplied by.

    The warm-up ends where the rest of the schedule is by then, as it does for Detectron2; so the
    factor has no jump there, also on a cosine.

    Args:
        step: how many steps were taken before this one.
        iterations: how many there are in all.
    """
    warmup = min(options.warmup_iters, iterations)
    if step >= warmup:
        return _without_warmup(step, iterations, options)
    start = options.warmup_factor * _without_warmup(0, iterations, options)
    if options.warmup == "constant":
        return start
    end = _without_warmup(warmup, iterations, options)
    return start + (end - start) * (step / warmup)


def _without_warmup(step: float, iterations: int, options: ScheduleOptions) -> float:
    if options.type == "step":
        return float(options.gamma ** bisect_right(options.steps, step))
    if options.type == "cosine":
        rest = 0.5 * (1 + math.cos(math.pi * step / iterations))
        return options.end_factor + (1 - options.end_factor) * rest
    return 1.0
