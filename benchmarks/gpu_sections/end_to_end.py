"""Whole detectors at batch 1 and 8, from images in the host's memory to results there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gpu_sections.detectors import (
    ARCHITECTURES,
    Architecture,
    Detector,
    autocast,
    images,
    our_detector,
    torchvision_detector,
    torchvision_model,
    write_our_weights,
)
from gpu_sections.report import Column, Table
from gpu_sections.running import Context
from gpu_sections.timing import spread_of_two

BATCHES = (1, 8)
ROUNDS = 10

OURS: dict[str, dict[str, Any]] = {
    "ours, eager fp32": {},
    "ours, fp32 prepared": {"precision": "fp32", "channels_last": True},
    "ours, bf16": {"precision": "bf16", "channels_last": True},
    "ours, bf16 graph": {"precision": "bf16", "channels_last": True, "cuda_graph": True},
    "ours, bf16 compiled": {"precision": "bf16", "channels_last": True, "compile": True},
}
"""How ours is executed; compiling comes last, as it takes longest."""

EAGER = "torchvision, eager fp32"


def run(context: Context) -> Iterator[Table | str]:
    table = Table(
        "End to end, ms a batch",
        (
            Column("model", "model"),
            Column("batch", "batch", "d"),
            Column("side", "side"),
            Column("ms", "ms", ".1f"),
            Column("spread", "spread", ".0%"),
            Column("times_eager", "times faster than eager torchvision", ".2f"),
            Column("network_ms", "network ms", ".1f"),
            Column("network_host_ms", "its host ms", ".1f"),
            Column("network_syncs", "its syncs", "d"),
            Column("syncs", "syncs", "d"),
            Column("peak_mib", "peak MiB", ".0f"),
            Column("objects", "objects", "d"),
            Column("failed", "failed"),
        ),
    )
    yield table
    yield (
        "From uint8 images in the host's memory to results there: ours encodes masks as RLE, "
        "torchvision copies whole bool masks. Weights are random, calibrated on the image. The "
        "network is what runs before anything is read back. Peak memory is tensors' alone."
    )
    height, width = (800, 1333) if not context.small else (64, 96)
    eager: dict[tuple[str, int], float] = {}
    # Compiling takes longest: what needs none is measured first.
    for compiled in (False, True) if not context.small else (False,):
        for batch in BATCHES if not context.small else BATCHES[:1]:
            for architecture in ARCHITECTURES:
                place = (architecture.name, batch)
                pixels = images(batch, height, width)
                with tempfile.TemporaryDirectory() as folder:
                    chosen = _sides(architecture, context, pixels, Path(folder), compiled)
                    for side, make in chosen:
                        if context.late():
                            yield f"left out for lack of time: {place[0]} x {batch}, {side}"
                            continue
                        row = {"model": architecture.name, "batch": batch, "side": side}
                        row |= _measured(make, context)
                        if side == EAGER and "ms" in row:
                            eager[place] = row["ms"]
                        if place in eager and "ms" in row:
                            row["times_eager"] = eager[place] / row["ms"]
                        table.add(**row)


def _sides(
    architecture: Architecture,
    context: Context,
    pixels: list[Any],
    folder: Path,
    compiled: bool,
) -> Iterator[tuple[str, Callable[[], Detector]]]:
    """Names and what makes them: each makes its model when it is called, and is done with it."""
    device, file = context.device, folder / "weights.pkl"

    def theirs(wrap: Callable[[Any], Any]) -> Detector:
        model = wrap(torchvision_model(architecture, device, pixels))
        return torchvision_detector(model, device, pixels)

    def ours(execution: dict[str, Any]) -> Detector:
        if not file.exists():
            write_our_weights(architecture, device, pixels, file)
        return our_detector(architecture, device, pixels, file, execution)

    if not compiled:
        yield EAGER, partial(theirs, lambda model: model)
        wrap = partial(_under_autocast, context=context)
        yield "torchvision, bf16 autocast", partial(theirs, wrap)
    for side, execution in OURS.items():
        if bool(execution.get("compile")) == compiled:
            yield side, partial(ours, execution)
    if compiled:
        yield "torchvision, compiled backbone", partial(theirs, _compiled_backbone)


def _under_autocast(model: Any, context: Context) -> Callable[..., Any]:
    def run(images: Any) -> Any:
        with autocast(context.device):
            return model(images)

    return run


def _compiled_backbone(model: Any) -> Any:
    """The rest of torchvision's detectors is Python over shapes that change."""
    model.backbone.compile()
    return model


def _measured(make: Callable[[], Detector], context: Context) -> dict[str, Any]:
    device = context.device
    rounds = ROUNDS if not context.small else 1
    try:
        detector = make()
        for _ in range(3 if not context.small else 1):
            objects = detector.predict()
        first, second = (device.wall_seconds([detector.predict], rounds) for _ in range(2))
        row: dict[str, Any] = {
            "ms": (first + second) / 2 * 1e3,
            "spread": spread_of_two(first, second),
            "objects": objects,
            "syncs": device.count_syncs(detector.predict),
        }
        peak = device.peak_bytes(detector.predict)
        row["peak_mib"] = None if peak is None else peak / 2**20
        if detector.network is not None:
            network = [detector.network]
            row["network_ms"] = device.wall_seconds(network, rounds) * 1e3
            row["network_host_ms"] = device.host_seconds(network, rounds) * 1e3
            row["network_syncs"] = device.count_syncs(detector.network)
    except Exception as error:  # one side's trouble is told in its row, and the others are measured
        return {"failed": f"{type(error).__name__}: {error}"[:500]}
    finally:
        if device.torch_device.type == "cuda":
            torch.cuda.empty_cache()
    return row
