"""The device a run takes place on: chosen, seeded, synchronised. The one module that knows torch's
device functions on the host's side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
    """

    name: str
    hardware: str
    threads: int
    synchronise: Callable[[], None]


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
        return Device("cpu", cpu_name(), torch.get_num_threads(), lambda: None)
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
    )


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
