"""``benchsuite compare``: two stored results, paired."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchsuite.cli.shared_options import echo_json, json_option, tell

if TYPE_CHECKING:
    from benchsuite.comparison import ComparedRuns

EPILOG = """\b
Examples:
  benchsuite compare 20261120T1012 20261121T0903
  benchsuite compare OLD NEW --gate && ./release.sh

Runs are named by their id or its beginning. Exit codes: 0 ok, 3 with --gate where the second run is
worse by more than chance.
"""


@click.command("compare", epilog=EPILOG)
@click.argument("first")
@click.argument("second")
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The store to read.",
)
@click.option(
    "--gate", is_flag=True, help="Exit with 3 where a primary value is worse by more than chance."
)
@click.option("--all", "every", is_flag=True, help="Show every value, not the primary ones alone.")
@click.option("--replicates", type=click.IntRange(100), default=1000, show_default=True)
@click.option("--ci-seed", type=click.IntRange(0), default=0, show_default=True, metavar="N")
@json_option
def compare(
    first: str,
    second: str,
    results: Path,
    gate: bool,
    every: bool,
    replicates: int,
    ci_seed: int,
    as_json: bool,
) -> None:
    """Hold two results against each other: SECOND less FIRST, with a paired 95% interval.

    Both must have been scored on the same images by the same metric.
    """
    from benchsuite.comparison import compare_runs
    from benchsuite.errors import DataMissingError, ToleranceError
    from benchsuite.store.results_store import Store

    if not results.is_dir():
        raise DataMissingError(f"there is no store {results}")
    tell(f"bootstrapping {replicates} times")
    compared = compare_runs(Store(results), first, second, replicates=replicates, seed=ci_seed)
    if as_json:
        echo_json(compared.to_json())
    else:
        _show(compared, every)
    if gate and compared.worse:
        by = [f"{each.name} by {100 * abs(each.paired.value):.2f}" for each in compared.worse]
        worse = f"{', '.join(by)} points"
        raise ToleranceError(f"{compared.second['model']} is worse in {worse}")


def _headings(compared: ComparedRuns) -> list[str]:
    """The models, and how each was executed where that differs."""
    from benchsuite.execution import execution_title

    runs = (compared.first, compared.second)
    titles = [execution_title(run) for run in runs]
    told = len(set(titles)) > 1
    return [
        f"{run['model']}, {title}" if told and title else str(run["model"])
        for run, title in zip(runs, titles)
    ]


def _show(compared: ComparedRuns, every: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for heading in (
        *_headings(compared),
        "difference",
        "95% CI",
        "p",
    ):
        table.add_column(heading, justify="right")
    for each in compared.values:
        if every or each.primary:
            paired = each.paired
            table.add_row(
                each.name,
                f"{100 * paired.first:.2f}",
                f"{100 * paired.second:.2f}",
                f"{100 * paired.value:+.2f}",
                f"[{100 * paired.low:+.2f}, {100 * paired.high:+.2f}]",
                f"{paired.p_value:.3f}",
            )
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(table)
