"""The processes of a training, as ``torchrun`` describes them to each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from benchsuite.errors import UsageError


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among all of them.

    Attributes:
        rank: its number among all; number 0 writes and talks.
        world_size: how many there are.
        local_rank: its number on its machine.
        local_world_size: how many there are on its machine, and on every other.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @property
    def nodes(self) -> int:
        """How many machines there are."""
        return self.world_size // self.local_world_size

    @property
    def is_first(self) -> bool:
        return self.rank == 0


def find_processes(environment: Mapping[str, str] = os.environ) -> Processes:
    """What ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK`` and ``LOCAL_WORLD_SIZE`` say; one process where
    there is no ``WORLD_SIZE``.

    Raises:
        UsageError: they contradict each other.
    """
    if "WORLD_SIZE" not in environment:
        return Processes()
    world_size = _number(environment, "WORLD_SIZE")
    rank = _number(environment, "RANK")
    local_world_size = _number(environment, "LOCAL_WORLD_SIZE", world_size)
    local_rank = _number(environment, "LOCAL_RANK", rank % max(local_world_size, 1))
    found = Processes(rank, world_size, local_rank, local_world_size)
    if not (0 <= rank < world_size and 0 <= local_rank < local_world_size):
        raise UsageError(f"the processes that torchrun describes contradict each other: {found}")
    if world_size % local_world_size:
        raise UsageError(
            f"{world_size} processes, {local_world_size} on this machine: every machine of a "
            "training must have equally many"
        )
    return found


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name, "" if default is None else str(default))
    try:
        return int(text)
    except ValueError:
        raise UsageError(
            f"{name}={text!r} in the environment is no number; start several processes with "
            "torchrun"
        ) from None
