"""``benchsuite bench``: a stop-watch at a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from benchsuite.cli.shared_options import (
    command_line,
    dataset_option,
    echo_json,
    execution_choice,
    execution_options,
    json_option,
    model_option,
    model_place_options,
    overrides_argument,
    require_kernels_option,
    split_option,
    tell,
)

if TYPE_CHECKING:
    from benchsuite.bench import Measured

EPILOG = """\b
Examples:
  benchsuite bench --model mask_rcnn --dataset shapes
  benchsuite bench --model mask_rcnn --dataset shapes --precision bf16 --compile
  benchsuite bench --model mask_rcnn_R_50_FPN_3x --dataset coco --device cuda --batch-size 8

The first images of the dataset are run twice: stage after stage, and with the next batch made ready
while the device computes. Nothing is scored or stored.
"""


@click.command("bench", epilog=EPILOG)
@model_option
@dataset_option
@split_option
@model_place_options
@click.option(
    "--limit", type=int, default=50, show_default=True, metavar="N", help="Only the first N images."
)
@execution_options
@require_kernels_option
@json_option
@overrides_argument
def bench(overrides: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Measure a model: latency by stage, images a second, memory, and what served."""
    from benchsuite.bench import bench as measure
    from benchsuite.options import parse_overrides
    from benchsuite.runs import RunRequest, plan_run

    request = RunRequest(
        execution=execution_choice(given),
        **given,
        overrides=parse_overrides(overrides),
        command=command_line(),
        verb="bench",
    )
    measured = measure(plan_run(request), tell)
    if as_json:
        echo_json(measured.to_json())
    else:
        _show(measured)


def _show(measured: Measured) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    console.print(measured.title, style="bold", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("ms / image", "p50", "p95"):
        table.add_column(heading, justify="left" if heading.startswith("ms") else "right")
    for stage, times in measured.stages.items():
        if "p50" in times:
            table.add_row(stage, f"{times['p50']:.2f}", f"{times['p95']:.2f}")
    console.print(table)
    memory = measured.peak_memory_mib
    for name, text in (
        (
            "throughput",
            f"{measured.stages['images_per_second']['value']:.2f} img/s without loading",
        ),
        ("overlapped", f"{measured.overlapped_images_per_second:.2f} img/s, loading included"),
        ("first pass", f"{measured.first_ms / 1e3:.2f} s"),
        ("peak memory", "not told here" if memory is None else f"{memory:,.0f} MiB"),
        ("kernels", ", ".join(f"{name} {how}" for name, how in measured.kernels.items())),
    ):
        console.print(f"{name:14} {text}", markup=False)
