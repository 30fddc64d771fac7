"""What the processes of a training tell each other beside gradients. One process is rank 0 of 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import torch
import torch.distributed as dist
from torch import Tensor


def in_group() -> bool:
    """Whether this process is one of a group that was set up."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    return dist.get_rank() if in_group() else 0


def world_size() -> int:
    return dist.get_world_size() if in_group() else 1


def own_turns(count: int) -> Iterator[tuple[int, bool]]:
    """Which of ``count`` pieces of work are this rank's: every ``world_size``-th.

    All ranks have as many turns: ranks that hold a model in pieces can only compute together. One
    that has nothing left takes part in another's work, and says that it does not count.

    Yields:
        (which piece, whether it counts).
    """
    for turn in range(0, count, world_size()):
        place = turn + rank()
        yield (place, True) if place < count else (turn, False)


def gather_tables(table: pa.Table) -> list[pa.Table]:
    """The tables of all ranks, in their order, on rank 0; nothing on the others.

    Every rank must call it. The tables travel as Arrow's own bytes: they arrive as they were.
    """
    return [_read(data) for data in gather_bytes(_write(table))]


def gather_bytes(data: bytes | memoryview) -> list[bytes]:
    """The bytes of all ranks, in their order, on rank 0; nothing on the others."""
    if not in_group():
        return [bytes(data)]
    device = _device()
    size = torch.tensor([len(data)], device=device)
    sizes = [torch.zeros_like(size) for _ in range(world_size())]
    dist.all_gather(sizes, size)
    # A collective takes tensors of one size: shorter ones are filled up and cut again.
    longest = max(int(each) for each in sizes)
    sent = _padded(data, longest, device)
    if rank() != 0:
        dist.gather(sent, dst=0)
        return []
    received = [torch.empty_like(sent) for _ in sizes]
    dist.gather(sent, received, dst=0)
    return [each[: int(length)].cpu().numpy().tobytes() for each, length in zip(received, sizes)]


def broadcast_json(value: Any) -> Any:
    """Rank 0's value on every rank; floats to the bit.

    Args:
        value: JSON-able; looked at on rank 0 alone.
    """
    if not in_group():
        return value
    device = _device()
    data = json.dumps(value).encode() if rank() == 0 else b""
    size = torch.tensor([len(data)], device=device)
    dist.broadcast(size, src=0)
    sent = _padded(data, int(size), device)
    dist.broadcast(sent, src=0)
    return json.loads(sent.cpu().numpy().tobytes())


def _device() -> torch.device:
    """Where the group's backend takes tensors from."""
    if "gloo" in dist.get_backend():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def _padded(data: bytes | memoryview, size: int, device: torch.device) -> Tensor:
    padded = torch.zeros(size, dtype=torch.uint8)
    if len(data):
        padded[: len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return padded.to(device)


def _write(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


def _read(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(pa.BufferReader(data)).read_all()
