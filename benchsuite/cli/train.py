"""``benchsuite train``: from a recipe to weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchsuite.cli.shared_options import (
    command_line,
    echo_explained,
    echo_json,
    json_option,
    names_of,
    overrides_argument,
    show_parts,
    tell,
)

EPILOG = """\b
Examples:
  benchsuite train mask_rcnn_R_18_FPN_shapes
  benchsuite train mask_rcnn_R_50_FPN_1x --device cuda
  benchsuite train mask_rcnn_R_50_FPN_3x --dataset my.json --images photos \\
    training.iterations=2000 training.images_per_batch=4
  torchrun --nproc-per-node 8 -m benchsuite train mask_rcnn_R_50_FPN_1x

Settings are the recipe's; any is given another value as a dotted override:
training.iterations=1000, training.optimizer.lr=0.01, model.input.min_size_test=640.
The result is OUT/last/model.safetensors and OUT/best/model.safetensors, for --weights.
"""


@click.command("train", epilog=EPILOG)
@click.argument("recipe", metavar="RECIPE", shell_complete=names_of("recipes"))
@click.option(
    "--dataset",
    metavar="NAME[/SPLIT]|FILE",
    help="What to train on: a dataset's name, or a COCO-format annotation file. Default: the "
    "recipe's.",
    shell_complete=names_of("datasets"),
)
@click.option("--split", metavar="NAME", help="Which split. Default: the one called train….")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the images lie, for a dataset given as a file.",
)
@click.option(
    "--validate-on",
    metavar="NAME[/SPLIT]|FILE|none",
    help="What to validate on. Default: the dataset's first split, where it is not trained on.",
)
@click.option(
    "--validation-images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where its images lie, for a file. Default: as --images.",
)
@click.option(
    "--init",
    "--weights",
    "init",
    metavar="NAME|URL|FILE",
    help="What to start from: a recipe's weights, a training's folder, a checkpoint, or 'random'. "
    "Default: as the recipe says; on another dataset than its own the recipe's weights.",
    shell_complete=names_of("recipes"),
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where everything is written. Default: training/RECIPE.",
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in --out.")
@click.option("--device", metavar="DEVICE", help="cpu, cuda or cuda:N. Default: cuda if there.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "bf16"]),
    help="Of the forward pass; weights stay in fp32. Default: the recipe's.",
)
@click.option(
    "--strategy",
    type=click.Choice(["ddp", "fsdp"]),
    default="ddp",
    show_default=True,
    help="How several processes (torchrun) hold the model: each all of it, or a part each.",
)
@click.option("--threads", type=int, metavar="N", help="CPU threads. Default: the cores here.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    metavar="N",
    help="Processes that load images, for each that trains. Default: the recipe's.",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Default: the recipe's.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Only the first N images that can be used."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@json_option
@overrides_argument
def train(overrides: tuple[str, ...], dry_run: bool, as_json: bool, **given: Any) -> None:
    """Train a model as a recipe says: weights, log and validation into a folder.

    Ctrl-C finishes the step and keeps it; the same command with --resume goes on to the very
    weights that an uninterrupted training ends with.
    """
    from benchsuite.options import parse_overrides
    from benchsuite.training.plan import plan_training
    from benchsuite.training.request import TABLES, TrainingRequest

    request = TrainingRequest(
        **given,
        overrides=parse_overrides(overrides, TABLES),
        fetch=not dry_run,
        command=command_line(),
    )
    plan = plan_training(request)
    if dry_run:
        from benchsuite.training.dry_run import explain

        echo_explained(explain(plan), as_json=as_json)
        return
    from benchsuite.training.loop import train as walk
    from benchsuite.training.outcome import render

    outcome = walk(plan, tell)
    if not plan.processes.is_first:
        return
    if as_json:
        echo_json(outcome.to_json())
    else:
        show_parts(render(outcome))
