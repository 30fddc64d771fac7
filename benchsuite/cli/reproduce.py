"""``benchsuite reproduce``: a run held against the published number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from benchsuite.cli.shared_options import (
    command_line,
    echo_json,
    execution_choice,
    execution_options,
    json_option,
    names_of,
    out_option,
    overrides_argument,
    require_kernels_option,
    tell,
)

if TYPE_CHECKING:
    from benchsuite.reproduction import Reproduction

EPILOG = """\b
Examples:
  benchsuite reproduce mask_rcnn_R_50_FPN_3x --device cuda
  benchsuite reproduce retinanet_R_50_FPN_3x --limit 100

`benchsuite list recipes` names them all. Exit codes: 0 within the tolerance (or a partial figure),
3 outside, 4 the dataset or the weights are not there, 130 interrupted.
"""


@click.command("reproduce", epilog=EPILOG)
@click.argument("recipe", metavar="NAME", shell_complete=names_of("recipes"))
@click.option("--device", metavar="DEVICE", help="cpu, cuda or cuda:N. Default: cuda if there.")
@click.option("--threads", type=int, metavar="N", help="CPU threads. Default: the cores here.")
@click.option("--limit", type=int, metavar="N", help="Only the first N images: a partial figure.")
@execution_options
@require_kernels_option
@out_option
@click.option("--resume", is_flag=True, help="Go on from where an interrupted run stopped.")
@json_option
@overrides_argument
def reproduce(overrides: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Reproduce a published number, and say how far it was missed.

    Fetches the recipe's weights, checks the dataset against what its publisher released, runs with
    the published settings one image at a time, and records the verdict. Only options that a recipe
    leaves open can be given, such as a file of proposals.
    """
    from benchsuite.errors import ToleranceError
    from benchsuite.options import parse_overrides
    from benchsuite.reproduction import ReproduceRequest
    from benchsuite.reproduction import reproduce as held_against_published

    execution = execution_choice(given)
    request = ReproduceRequest(
        **given,
        execution=execution,
        overrides=parse_overrides(overrides),
        command=command_line(),
    )
    done = held_against_published(request, tell)
    if as_json:
        echo_json(done.to_json())
    else:
        _show(done)
    if done.missed:
        missed = ", ".join(f"{v.name} by {100 * v.difference:+.2f}" for v in done.missed)
        raise ToleranceError(
            f"{done.recipe} is not reproduced: {missed} points, tolerance {100 * done.tolerance:g}"
        )


def _show(done: Reproduction) -> None:
    from rich.console import Console
    from rich.table import Table

    from benchsuite.results import title

    console = Console(soft_wrap=True, highlight=False)
    run = done.outcome.run
    console.print(title(run, done.dataset_title), style="bold", markup=False)
    for warning in run["warnings"]:
        console.print(f"! {warning}", style="yellow", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "measured", "published", "difference"):
        table.add_column(heading, justify="right" if heading else "left")
    for value in done.values:
        table.add_row(
            value.name,
            f"{100 * value.measured:.2f}",
            f"{100 * value.published:.2f}",
            f"{100 * value.difference:+.2f}",
        )
    console.print(table)
    for name, text in (
        ("tolerance", f"{100 * done.tolerance:g} points, and half of the published digit"),
        ("annotations", done.annotations),
        ("verdict", done.verdict),
        ("results", done.outcome.paths["metrics"]),
        ("report", done.outcome.paths["report"]),
    ):
        console.print(f"{name:14} {text}", markup=False)
