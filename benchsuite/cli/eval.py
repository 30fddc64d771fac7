"""``benchsuite eval``: the right half of the corridor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchsuite.cli.shared_options import (
    command_line,
    dataset_option,
    json_option,
    metric_option,
    out_option,
    overrides_argument,
    show,
    split_option,
    tell,
)

EPILOG = """\b
Example:
  benchsuite eval --dataset instances_val2017.json --predictions bbox.json --task bbox
"""


@click.command("eval", epilog=EPILOG)
@dataset_option
@split_option
@click.option(
    "--predictions",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A COCO results file (JSON).",
)
@click.option(
    "--task",
    required=True,
    type=click.Choice(["bbox", "segm", "keypoints"]),
    help="What to score.",
)
@metric_option
@click.option("--name", metavar="NAME", help="What the results call the model. Default: the file.")
@out_option
@json_option
@overrides_argument
def eval_(overrides: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Score somebody's COCO results file. No images are needed.

    A record that cannot be scored (an unknown id, a NaN score, a malformed mask) is an error that
    names it, and nothing is stored.
    """
    from benchsuite.evaluation import EvalRequest, evaluate_file
    from benchsuite.options import parse_overrides

    request = EvalRequest(**given, overrides=parse_overrides(overrides), command=command_line())
    outcome = evaluate_file(request, tell)
    show(outcome, request.dataset, as_json=as_json)
