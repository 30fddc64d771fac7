"""In which order an emulated block's threads run, which CUDA leaves open.

A kernel whose result depends on it lacks a barrier, so tests run all orders. The environment
variable ``BENCHSUITE_THREAD_ORDER`` (``forward``, ``reversed``, ``shuffled``, ``shuffled:7``,
``warps``) chooses one for a whole process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

VARIABLE = "BENCHSUITE_THREAD_ORDER"

ORDERS = ("forward", "reversed", "shuffled", "warps")
"""By number of a thread; the other way round; at random; a warp as far ahead of the others as
barriers allow. In all but the first, blocks run from the last to the first."""


@dataclass(frozen=True)
class ThreadOrder:
    """``name``: one of ``ORDERS``; ``seed``: 0 to 2**32 - 1, of the shuffled one."""

    name: str = "forward"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in ORDERS or not 0 <= self.seed < 2**32:
            raise ValueError(f"thread order {self.name}:{self.seed}: use {', '.join(ORDERS)}")


_forced: ThreadOrder | None = None


def current_order() -> ThreadOrder:
    """What ``thread_order`` or the environment asks for."""
    return _forced or _of_environment(os.environ.get(VARIABLE, "forward"))


@contextmanager
def thread_order(name: str, seed: int = 0) -> Iterator[None]:
    """Run emulated threads in this order, for as long as this lasts.

    Raises:
        ValueError: an order that is not known.
    """
    global _forced
    before, _forced = _forced, ThreadOrder(name, seed)
    try:
        yield
    finally:
        _forced = before


@cache
def _of_environment(text: str) -> ThreadOrder:
    name, _, seed = text.partition(":")
    if seed and not seed.isdecimal():
        raise ValueError(f"{VARIABLE}={text}: a seed is a whole number")
    return ThreadOrder(name, int(seed or 0))
