"""``benchsuite run``: the corridor from end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchsuite.cli.shared_options import (
    command_line,
    dataset_option,
    echo_explained,
    execution_choice,
    execution_options,
    json_option,
    metric_option,
    names_of,
    out_option,
    overrides_argument,
    require_kernels_option,
    scoring_choice,
    scoring_options,
    show,
    split_option,
    tell,
)

EPILOG = """\b
Examples:
  benchsuite run --model mask_rcnn --dataset shapes
  benchsuite run --model mask_rcnn --dataset coco/val2017 --device cuda
  benchsuite run --model mask_rcnn --dataset my.json --images photos --weights model_final.pkl
  benchsuite run --model training/mask_rcnn_R_18_FPN_shapes --dataset shapes
  benchsuite run --model mask_rcnn --dataset shapes --limit 20 dataset.seed=7

Options of model and dataset are given as dotted overrides: model.input.min_size_test=640.
"""


@click.command("run", epilog=EPILOG)
@click.option(
    "--model",
    required=True,
    metavar="NAME|DIR",
    help="A model's or a recipe's name (see `benchsuite list`), or the folder of a training.",
    shell_complete=names_of("models", "recipes"),
)
@dataset_option
@split_option
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the images lie, for a dataset given as a file.",
)
@click.option(
    "--weights",
    metavar="NAME|URL|FILE|DIR",
    help="A recipe's weights, a checkpoint, the folder of a training (with its options and "
    "categories), or 'random'. Default: the recipe's own.",
    shell_complete=names_of("recipes"),
)
@metric_option
@click.option("--device", metavar="DEVICE", help="cpu, cuda or cuda:N. Default: cuda if there.")
@click.option("--threads", type=int, metavar="N", help="CPU threads. Default: the cores here.")
@click.option(
    "--batch-size",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Images a batch; padding in a batch can change predictions.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N")
@click.option("--limit", type=int, metavar="N", help="Only the first N images: a partial result.")
@click.option(
    "--warmup",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Untimed passes before the stop-watch starts.",
)
@execution_options
@require_kernels_option
@scoring_options
@out_option
@click.option("--resume", is_flag=True, help="Go on from where an interrupted run stopped.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@json_option
@overrides_argument
def run(overrides: tuple[str, ...], dry_run: bool, as_json: bool, **given: Any) -> None:
    """Take a model to a dataset: predict, score, store, show.

    Every task that model and dataset share is scored. The result goes into the store as Parquet,
    with a page of its own; identical commands give identical numbers.
    """
    from benchsuite.options import parse_overrides
    from benchsuite.runs import RunRequest, execute, plan_run

    scoring, execution = scoring_choice(given), execution_choice(given)
    request = RunRequest(
        **given,
        execution=execution,
        scoring=scoring,
        overrides=parse_overrides(overrides),
        command=command_line(),
    )
    plan = plan_run(request)
    if dry_run:
        from benchsuite.dry_run import explain

        echo_explained(explain(plan), as_json=as_json)
        return
    outcome = execute(plan, tell)
    show(outcome, plan.opened.title, as_json=as_json)
