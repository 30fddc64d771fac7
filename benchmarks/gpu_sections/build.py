"""Every CUDA source compiled for the device: how long it takes, registers, spills, memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict

import torch

from gpu_sections.report import Column, Table
from gpu_sections.running import Context

REHEARSED = (9, 0)  # where there is no device


def run(context: Context) -> Iterator[Table | str]:
    from benchsuite_kernels.cuda.compile import architecture
    from benchsuite_kernels.cuda.launch import prepare
    from benchsuite_kernels.cuda.nvrtc import CompileError
    from benchsuite_kernels.cuda.offline import costs
    from benchsuite_kernels.cuda.source import sources

    on_gpu = context.device.torch_device.type == "cuda"
    capability = torch.cuda.get_device_capability() if on_gpu else REHEARSED
    table = Table(
        f"Kernels compiled for {architecture(capability)}",
        (
            Column("source", "source"),
            Column("kernel", "kernel"),
            Column("scalar", "scalar"),
            Column("registers", "registers", "d"),
            Column("spilled", "spilled bytes", "d"),
            Column("stack", "stack bytes", "d"),
            Column("shared", "shared bytes", "d"),
            Column("error", "error"),
        ),
    )
    yield table
    start, failed = time.perf_counter(), 0
    for name in sources():
        if context.late():
            yield f"left out for lack of time: {name} and what follows"
            break
        try:
            for cost in costs(name, [architecture(capability)]):
                table.add(**asdict(cost))
        except CompileError as error:
            failed += 1
            table.add(source=name, error=str(error)[:2000])
    yield f"compiled in {time.perf_counter() - start:.1f} s"
    if on_gpu and not failed:
        start = time.perf_counter()
        count = prepare()
        yield (
            f"{count} kernels compiled or read from the cache, and loaded: "
            f"{time.perf_counter() - start:.1f} s"
        )
    if failed:
        raise RuntimeError(f"{failed} sources do not compile; see the table")
