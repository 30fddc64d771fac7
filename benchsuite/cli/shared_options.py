"""What several verbs share: completion of names, the override arguments, output to two streams."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from benchsuite.execution import Execution
    from benchsuite.results import Outcome
    from benchsuite.scoring_choice import ScoringChoice

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def names_of(*kinds: str) -> Completer:
    """Shell completion over the names of what plugins registered."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from benchsuite.plugins import registry

        names = {name for kind in kinds for name in registry().of_kind(kind)}
        return sorted(name for name in names if name.startswith(incomplete))

    return complete


dataset_option = click.option(
    "--dataset",
    required=True,
    metavar="NAME[/SPLIT]|FILE",
    help="A dataset's name (coco, coco/val2017), or a COCO-format annotation file.",
    shell_complete=names_of("datasets"),
)
split_option = click.option("--split", metavar="NAME", help="Which split of the dataset.")
metric_option = click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Score with this metric instead of the dataset's own (may be repeated).",
    shell_complete=names_of("metrics"),
)
out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The store: a folder of Parquet files.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, all else on stderr."
)
overrides_argument = click.argument("overrides", nargs=-1, metavar="[TABLE.KEY=VALUE]...")


model_option = click.option(
    "--model",
    required=True,
    metavar="NAME|DIR",
    help="A model's or a recipe's name (see `benchsuite list`), or the folder of a training.",
    shell_complete=names_of("models", "recipes"),
)


def model_place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where images and weights lie, and what the model runs on."""
    options = (
        click.option(
            "--images",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Where the images lie, for a dataset given as a file.",
        ),
        click.option(
            "--weights",
            metavar="NAME|URL|FILE|DIR",
            help="A recipe's weights, a checkpoint, the folder of a training (with its options and "
            "categories), or 'random'. Default: the recipe's own.",
            shell_complete=names_of("recipes"),
        ),
        click.option(
            "--device", metavar="DEVICE", help="cpu, cuda or cuda:N. Default: cuda if there."
        ),
        click.option(
            "--threads", type=int, metavar="N", help="CPU threads. Default: the cores here."
        ),
        click.option(
            "--batch-size",
            type=int,
            default=1,
            show_default=True,
            metavar="N",
            help="Images a batch; padding in a batch can change predictions.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, metavar="N"),
        click.option(
            "--warmup",
            type=click.IntRange(min=0),
            default=3,
            show_default=True,
            metavar="N",
            help="Untimed passes before the stop-watch starts.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def scoring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``scoring_choice.ScoringChoice``."""
    options = (
        click.option(
            "--scorer",
            type=click.Choice(["benchsuite", "official", "both"]),
            default="benchsuite",
            show_default=True,
            help="'both' fails where our numbers are not the official scorer's to the last bit.",
        ),
        click.option("--ci", is_flag=True, help="95% confidence intervals, by bootstrap."),
        click.option(
            "--replicates",
            type=click.IntRange(100),
            default=1000,
            show_default=True,
            metavar="N",
            help="Of the bootstrap.",
        ),
        click.option(
            "--ci-seed",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            metavar="N",
            help="Of the bootstrap.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def scoring_choice(given: dict[str, Any]) -> ScoringChoice:
    """Takes the values of ``scoring_options`` out of what was given."""
    from benchsuite.scoring_choice import ScoringChoice

    return ScoringChoice(
        scorer=given.pop("scorer"),
        ci=given.pop("ci"),
        replicates=given.pop("replicates"),
        seed=given.pop("ci_seed"),
    )


def execution_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``execution.Execution``."""
    options = (
        click.option(
            "--precision",
            type=click.Choice(["fp32", "bf16", "fp16"]),
            default="fp32",
            show_default=True,
            help="Of the network's layers; boxes and scores are float32 in any case.",
        ),
        click.option("--compile", is_flag=True, help="Put the network through torch.compile."),
        click.option(
            "--channels-last/--no-channels-last",
            default=None,
            help="How activations lie in memory. Default: as the model is fastest.",
        ),
        click.option(
            "--cuda-graph", is_flag=True, help="Replay the network as CUDA graphs, one a size."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def execution_choice(given: dict[str, Any]) -> Execution:
    """Takes the values of ``execution_options`` out of what was given."""
    from benchsuite.execution import OPTIONS, Execution

    return Execution(**{name: given.pop(name) for name in OPTIONS})


require_kernels_option = click.option(
    "--require-kernels",
    is_flag=True,
    help="Fail where an operator is not served by this device's kernels.",
)


def use_threads(threads: int | None) -> None:
    """Let evaluation take so many threads; ``None``: as many as there are cores."""
    if threads is not None:
        from benchsuite_kernels.threads import set_evaluation_threads

        set_evaluation_threads(threads)


def tell(line: str) -> None:
    """A line for the user, on stderr."""
    click.echo(line, err=True)


def command_line() -> str:
    """The command as it was given, to repeat it."""
    return shlex.join(["benchsuite", *sys.argv[1:]])


def show(outcome: Outcome, dataset_title: str, *, as_json: bool) -> None:
    """Put the outcome on standard output."""
    if as_json:
        echo_json(outcome.to_json())
        return
    from benchsuite.results import render

    show_parts(render(outcome, dataset_title))


def show_parts(parts: Sequence[RenderableType]) -> None:
    """Put tables and lines on standard output."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    # A table is never squeezed: numbers that are cut off are worse than a wrapped line.
    unlimited = console.options.update(max_width=10_000)
    widest = max(console.measure(part, options=unlimited).maximum for part in parts)
    console.width = max(console.width, widest)
    for part in parts:
        console.print(part)


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def echo_explained(explained: Mapping[str, Any], *, as_json: bool) -> None:
    """What ``--dry-run`` found: a line each, or one JSON object."""
    if as_json:
        echo_json(explained)
        return
    width = max(map(len, explained))
    for name, value in explained.items():
        click.echo(f"{name:{width}} {value}")
