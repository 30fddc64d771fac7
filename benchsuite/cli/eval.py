"""``benchsuite eval``: the right half of the corridor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from benchsuite.cli.shared_options import (
    command_line,
    json_option,
    metric_option,
    names_of,
    out_option,
    overrides_argument,
    scoring_choice,
    scoring_options,
    show,
    split_option,
    tell,
    use_threads,
)

EPILOG = """\b
Examples:
  benchsuite eval --dataset instances_val2017.json --predictions bbox.json --task bbox --ci
  benchsuite eval --dataset lvis_v1_val.json --predictions results.parquet --task lvis-segm
  benchsuite eval --truth-maps gt --prediction-maps out --task semantic --num-classes 19

Options of the metric are given as dotted overrides: metric.max_detections=[1,10,300].
"""

FOLDER = click.Path(file_okay=False, path_type=Path)


def _prefixes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from benchsuite.metric_selection import metric_prefixes

    return [name for name in metric_prefixes() if name.startswith(incomplete)]


@click.command("eval", epilog=EPILOG)
@click.option(
    "--dataset",
    metavar="NAME[/SPLIT]|PATH",
    help="The truth: a dataset's name, or an annotation file or folder in any known format.",
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
    required=True,
    metavar="NAME",
    help="What to score, by the prefix of its values: bbox, segm, keypoints, panoptic, semantic, "
    "lvis-bbox, voc, … (see `benchsuite list metrics`).",
    shell_complete=_prefixes,
)
@click.option("--truth-maps", type=FOLDER, metavar="DIR", help="PNG maps of the truth.")
@click.option("--prediction-maps", type=FOLDER, metavar="DIR", help="PNG maps of predictions.")
@click.option(
    "--num-classes",
    type=click.IntRange(1),
    metavar="N",
    help="Of maps without an annotation file: the classes are 0 to N - 1.",
)
@click.option(
    "--ignore",
    type=click.IntRange(0),
    metavar="VALUE",
    help="Of maps without an annotation file: truth of this value does not count.",
)
@metric_option
@click.option(
    "--lenient",
    is_flag=True,
    help="Score records that cannot be scored as the official scorer does, and count them.",
)
@click.option(
    "--slices",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Score groups of images apart: CSV or Parquet with image_id or file_name, and a column "
    "an attribute.",
)
@scoring_options
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Default: the cores here.")
@click.option("--name", metavar="NAME", help="What the results call the model. Default: the file.")
@click.option("--page/--no-page", default=False, show_default=True, help="Draw the run's page too.")
@out_option
@json_option
@overrides_argument
def eval_(overrides: tuple[str, ...], threads: int | None, as_json: bool, **given: Any) -> None:
    """Score predictions that lie in files. No images are needed.

    A record that cannot be scored (an unknown id, a NaN score, a malformed mask) is an error that
    names it, and nothing is stored.
    """
    # NumPy's OpenBLAS starts a thread a core when it is imported, which takes 60 ms; nothing here
    # multiplies matrices. Whoever has set it knows better.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchsuite.evaluation import EvalRequest, evaluate_file
    from benchsuite.options import parse_overrides

    use_threads(threads)
    scoring = scoring_choice(given)
    request = EvalRequest(
        **given, scoring=scoring, overrides=parse_overrides(overrides), command=command_line()
    )
    outcome = evaluate_file(request, tell)
    show(outcome, str(outcome.run["dataset"]), as_json=as_json)
