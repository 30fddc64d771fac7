"""``benchsuite predict``: a model on images of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchsuite.cli.shared_options import (
    echo_json,
    execution_choice,
    execution_options,
    json_option,
    names_of,
    tell,
)

EPILOG = """\b
Examples:
  benchsuite predict mask_rcnn_R_50_FPN_3x street.jpg --out predictions
  benchsuite predict mask_rcnn photos/*.jpg --weights model_final.pkl --out predictions
"""


class ImagesThenOverrides(click.Command):
    """Arguments with a ``=`` are overrides, all others are images."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        given = ctx.params["images"]
        is_override = [("=" in each and not Path(each).exists()) for each in given]
        ctx.params["overrides"] = tuple(e for e, is_it in zip(given, is_override) if is_it)
        ctx.params["images"] = tuple(Path(e) for e, is_it in zip(given, is_override) if not is_it)
        return rest


@click.command("predict", cls=ImagesThenOverrides, epilog=EPILOG)
@click.argument("model", shell_complete=names_of("models", "recipes"))
@click.argument("images", nargs=-1, metavar="IMAGE... [TABLE.KEY=VALUE]...")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the JSON and the pictures go.",
)
@click.option("--weights", metavar="NAME|URL|FILE|DIR", help="As for `benchsuite run`.")
@click.option(
    "--categories",
    "dataset",
    metavar="NAME|FILE",
    help="The dataset whose categories the labels mean, for a model that does not state them.",
    shell_complete=names_of("datasets"),
)
@click.option("--device", metavar="DEVICE", help="cpu, cuda or cuda:N.")
@click.option("--threads", type=int, metavar="N", help="CPU threads.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--draw-above",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    metavar="SCORE",
    help="Instances below this score are written, but not drawn.",
)
@execution_options
@json_option
def predict(overrides: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Run MODEL on images: one COCO results JSON an image, and a drawn picture beside it."""
    from benchsuite.options import parse_overrides
    from benchsuite.prediction_files import PredictRequest, predict_files

    execution = execution_choice(given)
    request = PredictRequest(**given, execution=execution, overrides=parse_overrides(overrides))
    written = predict_files(request, tell)
    if as_json:
        echo_json(written)
    else:
        for each in written["images"]:
            click.echo(f"{each['n_instances']:5} instances  {each['picture']}  {each['json']}")
