"""``benchsuite analyze``: what a detector gets wrong, and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchsuite.cli.shared_options import (
    echo_json,
    json_option,
    names_of,
    overrides_argument,
    split_option,
    tell,
    use_threads,
)

if TYPE_CHECKING:
    from benchsuite_plugins.analysis.analysis import Analysis

EPILOG = """\b
Examples:
  benchsuite analyze --dataset instances_val2017.json --predictions bbox.json
  benchsuite analyze 20261120T1012 --task segm --page errors.html
  benchsuite analyze --dataset lvis --predictions r.json --task lvis-bbox --tables errors/

Error types are those of TIDE. A run is named by its id or its beginning.
"""

MOST_PAIRS = 10
"""Confused pairs of categories on the screen."""


@click.command("analyze", epilog=EPILOG)
@click.argument("run", required=False, metavar="[RUN_ID]")
@click.option(
    "--dataset",
    metavar="NAME[/SPLIT]|PATH",
    help="The truth. Default: that of the run.",
    shell_complete=names_of("datasets"),
)
@split_option
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="COCO results (JSON), Parquet, Arrow, or a file or folder in any known format.",
)
@click.option(
    "--task",
    metavar="NAME",
    help="By which matches: bbox, segm, lvis-bbox, … Default: bbox, or the run's first.",
)
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The store that the run is in.",
)
@click.option("--iou", type=float, default=0.5, show_default=True, help="Overlap of a match.")
@click.option(
    "--background",
    type=float,
    default=0.1,
    show_default=True,
    help="Overlap up to which a detection is of the background.",
)
@click.option(
    "--score",
    type=float,
    default=0.3,
    show_default=True,
    help="Least score of a detection in the confusion matrix.",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw a page: error types, confusion matrix, curves (HTML, one file).",
)
@click.option(
    "--tables",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write every error, the matrix's cells and all overlaps as Parquet.",
)
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Default: the cores here.")
@json_option
@overrides_argument
def analyze(
    run: str | None,
    overrides: tuple[str, ...],
    page: Path | None,
    tables: Path | None,
    threads: int | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Say what a detector gets wrong: error types, what each costs, and what is taken for what.

    Of a stored run (RUN_ID), or of --dataset and --predictions. No images are needed.
    """
    from benchsuite.options import parse_overrides
    from benchsuite_plugins.analysis.analysis import analyze as find
    from benchsuite_plugins.analysis.analysis import write_tables
    from benchsuite_plugins.analysis.sources import AnalysisRequest, read_sides

    if run is not None and "=" in run:  # an override, where no run is named
        run, overrides = None, (run, *overrides)
    use_threads(threads)
    request = AnalysisRequest(run=run, overrides=parse_overrides(overrides), **given)
    analysis = find(read_sides(request, tell), request, tell)
    written: dict[str, Any] = {}
    if tables is not None:
        written["tables"] = [str(path) for path in write_tables(analysis, tables)]
    if page is not None:
        from benchsuite_plugins.analysis.page import write_page

        write_page(analysis, page)
        written["page"] = str(page)
    if as_json:
        echo_json({**analysis.to_json(), **written})
    else:
        _show(analysis, written)


def _show(analysis: Analysis, written: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from benchsuite_plugins.metrics.error_types import WHAT

    told = analysis.to_json()
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{told['name']} · {told['dataset']} · {told['task']}", style="bold")
    console.print(f"AP {_points(told['ap'])} at an IoU of {told['iou']:g}")
    table = Table(box=None, pad_edge=False)
    for column in ("error", "count", "AP to be gained", ""):
        table.add_column(column, justify="left" if column in ("error", "") else "right")
    for name, error in told["errors"].items():
        count = "" if error["count"] is None else f"{error['count']:,.10g}"
        table.add_row(name, count, f"{100 * error['delta_ap']:.2f}", WHAT[name])
    console.print(table)
    confusion = told["confusion"]
    console.print(
        f"\nscored {told['score']:g} or more: {confusion['right']:,.10g} right, "
        f"{confusion['confused']:,.10g} confused, {confusion['missed']:,.10g} missed, "
        f"{confusion['background']:,.10g} where nothing is"
    )
    best = told["f1"]["together"]
    if best["score"] is not None:
        console.print(
            f"F1 is best, {_points(best['f1'])}, at a score of {best['score']:.3f}: "
            f"precision {_points(best['precision'])}, recall {_points(best['recall'])}"
        )
    if confusion["pairs"]:
        pairs = Table(box=None, pad_edge=False)
        pairs.add_column("there was")
        pairs.add_column("taken for")
        pairs.add_column("times", justify="right")
        pairs.add_column("of these", justify="right")
        for pair in confusion["pairs"][:MOST_PAIRS]:
            share = f"{100 * pair['share']:.1f} %"
            pairs.add_row(pair["truth"], pair["predicted"], f"{pair['count']:,.10g}", share)
        console.print(pairs)
    for name, where in written.items():
        paths = where if isinstance(where, list) else [where]
        console.print(f"{name:7} {'  '.join(paths)}")


def _points(value: float) -> str:
    return "–" if value == -1 else f"{100 * value:.2f}"
