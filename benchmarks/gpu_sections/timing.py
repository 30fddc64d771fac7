"""Every operator beside its peers: device time, floor, host time, graph replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from gpu_sections.devices import Calls
from gpu_sections.operators import all_cases
from gpu_sections.operators.case import Case, Inputs, Size, on_device
from gpu_sections.report import Column, Table
from gpu_sections.running import Context

COLD_BYTES = 64 * 2**20
"""More than a GPU's L2 cache holds: inputs that add up to this are used in turn."""

MOST_COPIES = 64
ROUNDS, HOST_ROUNDS = 50, 50
ASSUMED_BANDWIDTH = 3.0e12  # where the ceilings were not measured

US = 1e6


def run(context: Context) -> Iterator[Table | str]:
    table = Table(
        "Operators",
        (
            Column("name", "operator"),
            Column("dtype", "dtype"),
            Column("side", "side"),
            Column("device_us", "us", ".1f"),
            Column("spread", "spread", ".0%"),
            Column("ratio", "times ours", ".2f"),
            Column("floor_us", "floor us", ".1f"),
            Column("of_floor", "of floor", ".0%"),
            Column("host_us", "host us", ".1f"),
            Column("graph_us", "in a graph us", ".1f"),
            Column("syncs", "syncs", "d"),
            Column("failed", "failed"),
        ),
    )
    yield table
    bandwidth = context.bandwidth or ASSUMED_BANDWIDTH
    yield (
        f"Floors are the bytes that have to be moved at {bandwidth / 1e12:.2f} TB/s; inputs are "
        "taken in turn, so that the L2 cache does not hold them. Everything is measured twice: the "
        "spread is between the two."
    )
    for case in all_cases():
        if isinstance(case, str):
            yield f"not imported: {case}"
            continue
        for dtype in case.dtypes:
            if context.late():
                yield f"left out for lack of time: {case.name} and what follows"
                return
            for row in measure(case, dtype, context, bandwidth):
                table.add(**row)


def measure(
    case: Case, dtype: torch.dtype, context: Context, bandwidth: float
) -> list[dict[str, Any]]:
    """A row for each side, ours first."""
    device, small = context.device, context.small
    drawn = case.draw(0, dtype, Size(not small))
    copies = copies_needed(bytes_of(drawn)) if not small else 2
    common = {"name": case.name, "dtype": str(dtype).removeprefix("torch.")}
    rows: dict[str, dict[str, Any]] = {}
    calls: dict[str, Calls] = {}
    traffic = 0
    for side, function in sides(case, compiled=not small).items():
        rows[side] = {**common, "side": side}
        taken = drawn if side == "ours" else case.for_peers(drawn)
        inputs = [on_device(taken, device.torch_device) for _ in range(copies)]
        calls[side] = [_call(function, each) for each in inputs]
        try:
            for _ in range(3):  # compiles, chooses algorithms, fills the allocator
                output = calls[side][0]()
            device.synchronize()
        except Exception as error:  # a peer that cannot is told of, and the others are measured
            rows[side]["failed"] = f"{type(error).__name__}: {error}"[:500]
            del calls[side]
        else:
            traffic = traffic if side != "ours" else case.traffic(drawn, output)
    for side, timed in time_twice(context, calls).items():
        rows[side] |= timed
    mine = rows["ours"].get("device_us")
    for side, row in rows.items():
        if side == "ours" and mine:
            row |= {
                "floor_us": traffic / bandwidth * US,
                "of_floor": traffic / bandwidth * US / mine,
            }
        if side != "ours" and mine and "device_us" in row:
            row["ratio"] = row["device_us"] / mine
    return list(rows.values())


def sides(case: Case, *, compiled: bool) -> dict[str, Callable[..., Any]]:
    found = {"ours": case.ours, **case.peers}
    if compiled and case.plain is not None:
        found["torch.compile"] = torch.compile(case.plain, dynamic=False)
    return found


def time_twice(context: Context, calls: dict[str, Calls]) -> dict[str, dict[str, Any]]:
    """Each side's figures; the second time in the opposite order."""
    device = context.device
    rounds, host_rounds = (ROUNDS, HOST_ROUNDS) if not context.small else (2, 2)
    taken: dict[str, list[float]] = {side: [] for side in calls}
    for order in (list(calls), list(reversed(calls))):
        for side in order:
            taken[side].append(device.seconds(calls[side], rounds) * US)
    found: dict[str, dict[str, Any]] = {}
    for side, (first, second) in taken.items():
        found[side] = {
            "device_us": (first + second) / 2,
            "spread": spread_of_two(first, second),
            "host_us": device.host_seconds(calls[side], host_rounds) * US,
            "syncs": device.count_syncs(calls[side][0]),
        }
        if not found[side]["syncs"]:  # what waits for the device cannot be captured
            try:
                replayed = device.replay_seconds(calls[side], rounds)
            except RuntimeError as error:
                found[side]["failed"] = f"in a graph: {error}".partition("\n")[0]
            else:
                found[side]["graph_us"] = None if replayed is None else replayed * US
    return found


def spread_of_two(first: float, second: float) -> float:
    """Their distance over their mean."""
    return abs(first - second) / ((first + second) / 2)


def copies_needed(size: int) -> int:
    """How many inputs of so many bytes are more than the cache holds; at least two."""
    return min(MOST_COPIES, max(2, ceil(COLD_BYTES / max(size, 1)) + 1))


def bytes_of(inputs: Inputs) -> int:
    tensors = [each for each in pytree.tree_leaves(inputs) if isinstance(each, Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _call(function: Callable[..., Any], inputs: Inputs) -> Callable[[], Any]:
    return lambda: function(*inputs)
