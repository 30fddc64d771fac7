"""``benchsuite run``: the corridor from end to end."""

from __future__ import annotations

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
    model_option,
    model_place_options,
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
@model_option
@dataset_option
@split_option
@model_place_options
@metric_option
@click.option("--limit", type=int, metavar="N", help="Only the first N images: a partial result.")
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
