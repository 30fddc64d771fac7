"""The device a run takes place on: chosen, seeded, synchronised. The one module that knows torch's
device functions on the host's side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchsuite.environment import available_cores, cpu_name
from benchsuite.errors import UsageError


@dataclass(frozen=True, slots=True)
class Device:
    """A device in use.

    Attributes:
        name: ``"cpu"`` or ``"cuda:0"``.
        hardware: what it is called.
        threads: torch's CPU threads.
        synchronise: returns when everything asked of the device is done.
        beside: what is asked of the device within this context, by one thread, goes on beside what
            other threads ask; it is left when that is done. It gives the ``synchronise`` of that.
    """

    name: str
    hardware: str
    threads: int
    synchronise: Callable[[], None]
    beside: Callable[[], AbstractContextManager[Callable[[], None]]]


def use_device(name: str | None, *, threads: int | None, seed: int) -> Device:
    """Choose the device, set its threads and seeds, and make float32 mean float32.

    TF32 is switched off: it moves box AP in the second decimal, and a published number was not
    measured with it.

    Raises:
        UsageError: there is no such device, or threads is below 1.
    """
    import torch

    if threads is not None and threads < 1:
        raise UsageError(f"--threads must be at least 1, not {threads}")
    torch.set_num_threads(threads or available_cores())
    torch.manual_seed(seed)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}") from None
    if device.type == "cpu":
        return Device("cpu", cpu_name(), torch.get_num_threads(), _nothing, _on_cpu)
    if device.type != "cuda":
        raise UsageError(f"--device {name}: only cpu and cuda devices are supported")
    if not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch {torch.__version__} sees no CUDA device here")
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices")
    torch.cuda.set_device(index)
    return Device(
        f"cuda:{index}",
        torch.cuda.get_device_name(index),
        torch.get_num_threads(),
        lambda: torch.cuda.synchronize(index),
        partial(_on_stream, index),
    )


def _nothing() -> None:
    """A CPU has done what it was asked."""


@contextmanager
def _on_cpu() -> Iterator[Callable[[], None]]:
    yield _nothing


@contextmanager
def _on_stream(index: int) -> Iterator[Callable[[], None]]:
    import torch

    make_stream: Any = torch.cuda.Stream  # which has no types
    stream = make_stream(index)
    # Threads choose their device for themselves.
    with torch.cuda.device(index), torch.cuda.stream(stream):
        yield stream.synchronize
        stream.synchronize()


def forget_peak_memory(device: Device) -> None:
    """Count a CUDA device's memory anew; that of a process is counted from its start."""
    if device.name.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device.name)


def peak_memory_mib(device: Device) -> float | None:
    """The most memory that tensors took on a CUDA device, or on a CPU the whole process; ``None``
    where the system does not tell."""
    if device.name.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device.name) / 2**20
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


@contextmanager
def exact_float32() -> Iterator[None]:
    """What ``use_device`` says of float32, for as long as this lasts."""
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    matmul.allow_tf32 = cudnn.allow_tf32 = cudnn.benchmark = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before
