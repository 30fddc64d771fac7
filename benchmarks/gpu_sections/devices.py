"""How time passes on a device: on a GPU by events, and on the CPU (a rehearsal) by the clock."""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch

Calls = Sequence[Callable[[], Any]]
"""The same work on different inputs, taken in turn so that none finds its own in the cache."""


class Device(ABC):
    """What sections ask of the device that they measure."""

    torch_device: torch.device

    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until the device has done all that it was given."""

    @abstractmethod
    def seconds(self, calls: Calls, rounds: int) -> float:
        """Median of ``rounds`` calls, on the device's clock."""

    @abstractmethod
    def replay_seconds(self, calls: Calls, rounds: int) -> float | None:
        """A call's share of a graph of all calls, replayed; ``None`` where there are no graphs.

        Raises:
            RuntimeError: the work cannot be captured (it waits for the device, say).
        """

    @abstractmethod
    def peak_bytes(self, call: Callable[[], Any]) -> int | None:
        """The most memory that tensors held during a call."""

    @abstractmethod
    def count_syncs(self, call: Callable[[], Any]) -> int | None:
        """How often the host waited for the device in a call."""

    def host_seconds(self, calls: Calls, rounds: int) -> float:
        """Median time until a call returns, the device being idle before it."""
        return self._clock(calls, rounds, waiting=False)

    def wall_seconds(self, calls: Calls, rounds: int) -> float:
        """Median time until a call's result is there, the device being idle before it."""
        return self._clock(calls, rounds, waiting=True)

    def _clock(self, calls: Calls, rounds: int, waiting: bool) -> float:
        taken = []
        for turn in range(rounds):
            self.synchronize()
            start = time.perf_counter()
            calls[turn % len(calls)]()
            if waiting:
                self.synchronize()
            taken.append(time.perf_counter() - start)
        return median(taken)


class CudaDevice(Device):
    """The first GPU."""

    SLEEP_CYCLES = 1_000_000
    """Half a millisecond, in which the host gets ahead of the device."""

    def __init__(self) -> None:
        self.torch_device = torch.device("cuda", 0)

    def name(self) -> str:
        return torch.cuda.get_device_name(self.torch_device)

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.torch_device)

    def seconds(self, calls: Calls, rounds: int) -> float:
        pairs = []
        torch.cuda._sleep(self.SLEEP_CYCLES)
        for turn in range(rounds):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            calls[turn % len(calls)]()
            end.record()
            pairs.append((start, end))
        self.synchronize()
        return median(start.elapsed_time(end) for start, end in pairs) / 1e3

    def replay_seconds(self, calls: Calls, rounds: int) -> float | None:
        self.synchronize()
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for call in calls:
                call()
        self.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kept = [call() for call in calls]
        seconds = self.seconds([graph.replay], rounds) / len(calls)
        del kept
        return seconds

    def peak_bytes(self, call: Callable[[], Any]) -> int | None:
        self.synchronize()
        torch.cuda.reset_peak_memory_stats()
        call()
        self.synchronize()
        return torch.cuda.max_memory_allocated()

    def count_syncs(self, call: Callable[[], Any]) -> int | None:
        self.synchronize()
        before = torch.cuda.get_sync_debug_mode()
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                call()
        finally:
            torch.cuda.set_sync_debug_mode(before)
        return sum("synchronizing CUDA operation" in str(each.message) for each in told)


class HostDevice(Device):
    """The CPU, to see whether everything runs."""

    def __init__(self) -> None:
        self.torch_device = torch.device("cpu")
        torch.set_num_threads(1)

    def name(self) -> str:
        return "no GPU: a rehearsal on the CPU"

    def synchronize(self) -> None:
        pass

    def seconds(self, calls: Calls, rounds: int) -> float:
        return self.wall_seconds(calls, rounds)

    def replay_seconds(self, calls: Calls, rounds: int) -> float | None:
        return None

    def peak_bytes(self, call: Callable[[], Any]) -> int | None:
        return None

    def count_syncs(self, call: Callable[[], Any]) -> int | None:
        return None
