"""What the device can do at best: copying memory and multiplying matrices."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from gpu_sections.report import Column, Table
from gpu_sections.running import Context

COPIED = 4 * 10**9  # bytes
SIDE = 8192
ROUNDS = 20


def _copy_seconds(context: Context, count: int) -> float:
    source = torch.zeros(count, dtype=torch.uint8, device=context.device.torch_device)
    target = torch.empty_like(source)
    target.copy_(source)
    return context.device.seconds([lambda: target.copy_(source)], ROUNDS)


def run(context: Context) -> Iterator[Table | str]:
    table = Table(
        "Ceilings",
        (
            Column("what", "what"),
            Column("ms", "ms", ".3f"),
            Column("rate", "rate", ".1f"),
            Column("unit", "unit"),
        ),
    )
    yield table
    device = context.device
    copied, side = (COPIED, SIDE) if not context.small else (10**6, 64)
    seconds = _copy_seconds(context, copied)
    context.bandwidth = 2 * copied / seconds
    table.add(
        what=f"copy of {copied / 1e9:g} GB, read and written",
        ms=seconds * 1e3,
        rate=context.bandwidth / 1e12,
        unit="TB/s",
    )
    a, b = (torch.randn(side, side, device=device.torch_device).bfloat16() for _ in range(2))
    for _ in range(3):
        a @ b
    seconds = device.seconds([lambda: a @ b], ROUNDS)
    table.add(
        what=f"bf16 product of {side} x {side}",
        ms=seconds * 1e3,
        rate=2 * side**3 / seconds / 1e12,
        unit="TFLOP/s",
    )
    one = torch.zeros(1, device=device.torch_device)
    seconds = device.host_seconds([lambda: one.add_(1)], 200)
    table.add(what="launch of one of torch's kernels, host", ms=seconds * 1e3)
