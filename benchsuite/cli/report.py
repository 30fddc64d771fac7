"""``benchsuite report``: the leaderboard pages, drawn from the store."""

from __future__ import annotations

from pathlib import Path

import click

from benchsuite.cli.shared_options import echo_json, json_option, tell


@click.command("report")
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The store to read.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("leaderboards"),
    show_default=True,
    help="Where to write the pages.",
)
@json_option
def report(results: Path, out: Path, as_json: bool) -> None:
    """Draw the leaderboards from the stored results: static pages, CSV, Markdown, Parquet.

    \b
    Example:
      benchsuite report --results results --out leaderboards
    """
    from benchsuite.errors import DataMissingError
    from benchsuite.report.site import write_site

    if not results.is_dir():
        raise DataMissingError(
            f"there is no store {results}; `benchsuite run` or `benchsuite eval` make one"
        )
    written = write_site(results, out)
    if as_json:
        echo_json({"pages": [str(path) for path in written]})
    else:
        tell(f"{len(written)} files written")
        click.echo(out / "index.html")
