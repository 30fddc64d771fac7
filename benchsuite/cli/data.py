"""``benchsuite data``: fetch, verify, describe, show and convert datasets."""

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
)

if TYPE_CHECKING:
    from benchsuite.inspection.annotation_checks import Finding
    from benchsuite.inspection.verification import Verification

EPILOG = """\b
Examples:
  benchsuite data fetch coco --split val2017
  benchsuite data verify coco/val2017
  benchsuite data info shapes --json
  benchsuite data show coco/train2017 mask_rcnn_R_50_FPN_3x --out seen.png
  benchsuite data convert VOC2007 instances.json --to coco --split test
"""

FETCH_EPILOG = """\b
Examples:
  benchsuite data fetch coco
  benchsuite data fetch coco --split val2017 --split train2017 --root /data --yes

Where --root is not given, $BENCHSUITE_DATASETS, $DETECTRON2_DATASETS or ./datasets is meant. An
interrupted download goes on where it stopped when the command is given again.
"""

VERIFY_EPILOG = """\b
Examples:
  benchsuite data verify coco --split val2017
  benchsuite data verify annotations.json --images photographs/
  benchsuite data verify coco dataset.annotations=person_keypoints

Exit codes: 0 nothing is wrong, 1 something is, 4 the dataset is not there.
"""

INFO_EPILOG = """\b
Examples:
  benchsuite data info coco
  benchsuite data info annotations.json --json
"""

SHOW_EPILOG = """\b
Examples:
  benchsuite data show shapes --out shapes.png
  benchsuite data show shapes mask_rcnn_R_50_FPN_3x --count 4 --out seen.png
  benchsuite data show shapes --augment RandomFlip --augment 'RandomRotation degrees=20' --out x.png
  benchsuite data show labels.json retinanet_R_50_FPN_1x --images photographs/ --out folder

With a recipe these are the first images of its training, in that order, as they are drawn with that
seed; --dataset of `benchsuite train` is NAME here. Transforms: `benchsuite list transforms`.
"""

CONVERT_EPILOG = """\b
Examples:
  benchsuite data convert VOC2007 voc_test.json --to coco --split test
  benchsuite data convert instances_val2017.json yolo/ --to yolo
  benchsuite data convert runs/detect/labels results.json --to coco --dataset coco/val2017

Formats: `benchsuite list formats`. Images are neither copied nor changed. What the target's format
cannot hold is counted and told.
"""

SHOWN = 20
"""Findings that are listed; ``--json`` holds them all."""

name_argument = click.argument(
    "name", metavar="NAME[/SPLIT]|FILE", shell_complete=names_of("datasets")
)
images_option = click.option(
    "--images",
    type=click.Path(file_okay=False, path_type=Path),
    help="The image folder, for a dataset given as a file.",
)


@click.group("data", epilog=EPILOG)
def data() -> None:
    """Fetch, verify, describe, show and convert datasets."""


@data.command("fetch", epilog=FETCH_EPILOG, short_help="Download a dataset.")
@click.argument("name", metavar="NAME", shell_complete=names_of("datasets"))
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="Which split (may be repeated; 'all' for all). Default: the dataset's first.",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that datasets lie in.",
)
@click.option("--yes", is_flag=True, help="Do not ask before downloading.")
def fetch(name: str, splits: tuple[str, ...], root: Path | None, yes: bool) -> None:
    """Download a dataset: resumed, checked, and whole or not there.

    What is there already is not fetched again.
    """
    from benchsuite.errors import InterruptedRun, UsageError, unknown_name
    from benchsuite.paths import datasets_folder
    from benchsuite.plugins import registry
    from benchsuite.protocols import FetchRequest
    from benchsuite.resolve import use

    name, _, split = name.partition("/")
    spec = registry().find("datasets", name)
    if spec.fetch is None:
        raise UsageError(
            f"{name!r} has nothing to fetch: it is made when it is first used, or read from files "
            f"of your own, of which 'benchsuite data info {name}' says more"
        )
    chosen = splits or ((split,) if split else spec.splits[:1])
    for each in chosen:
        if each not in (*spec.splits, "all"):
            raise unknown_name(f"split of {name}", each, [*spec.splits, "all"])
    request = FetchRequest(
        splits=() if "all" in chosen else tuple(dict.fromkeys(chosen)),
        root=root or datasets_folder(),
        yes=yes,
    )
    try:
        use(spec.fetch, f"fetch of {name!r}")(request)
    except KeyboardInterrupt:
        raise InterruptedRun(
            "interrupted; what has been downloaded is kept, the same command goes on from there"
        ) from None


@data.command("verify", epilog=VERIFY_EPILOG, short_help="Check annotations and images.")
@name_argument
@split_option
@images_option
@json_option
@overrides_argument
def verify(
    name: str, split: str | None, images: Path | None, as_json: bool, overrides: tuple[str, ...]
) -> int:
    """Check a dataset: its annotation file's hash, the counts, every annotation, and that every
    image is there, can be decoded and has the annotated size.
    """
    from benchsuite.inspection.verification import verify_argument
    from benchsuite.options import parse_overrides

    options = parse_overrides(overrides)["dataset"]
    found = verify_argument(name, split=split, images=images, overrides=options)
    if as_json:
        echo_json(found.to_json())
    else:
        _show(found)
    return 0 if found.ok else 1


def _show(found: Verification) -> None:
    click.secho(f"{found.title}: {'ok' if found.ok else 'not ok'}", bold=True)
    if found.source:
        click.echo(f"  annotations   {found.source}")
        click.echo(f"  sha256        {found.annotation_sha256} ({found.annotations})")
        click.echo(
            f"  counts        {found.n_images} images, {found.n_annotations} annotations, "
            f"{found.n_categories} categories"
        )
        checked = f"{found.n_checked} decoded, of the annotated size"
        click.echo(f"  images        {checked if found.images_were_checked else 'not checked'}")
    _list("problems", found.problems)
    _list("notes on the published annotations", found.notes)


def _list(title: str, findings: list[Finding]) -> None:
    if not findings:
        return
    click.echo(f"  {title} ({len(findings)})")
    for each in findings[:SHOWN]:
        click.echo(f"    {each.record}: {each.problem}")
    if len(findings) > SHOWN:
        click.echo(f"    … and {len(findings) - SHOWN} more (all with --json)")


@data.command("info", epilog=INFO_EPILOG, short_help="Say what a dataset is and where it lies.")
@name_argument
@split_option
@json_option
@overrides_argument
def info(name: str, split: str | None, as_json: bool, overrides: tuple[str, ...]) -> None:
    """Describe a dataset: where it lies, its splits, categories, counts and licence."""
    from benchsuite.inspection.dataset_summary import summarise_dataset
    from benchsuite.options import parse_overrides

    options = parse_overrides(overrides)["dataset"]
    summary = summarise_dataset(name, split=split, overrides=options)
    if as_json:
        echo_json(summary)
        return
    click.secho(f"{summary['name']}: {summary['summary']}", bold=True)
    for title, value in _facts(summary):
        click.echo(f"  {title:14}{value}")


def _facts(summary: dict[str, Any]) -> list[tuple[str, Any]]:
    facts = [
        ("licence", summary["licence"] or "unknown"),
        ("splits", ", ".join(summary["splits"])),
        ("metrics", ", ".join(summary["metrics"])),
    ]
    if not summary["present"]:
        return [*facts, ("not here", summary["missing"])]
    categories = summary["categories"]
    facts += [
        ("this split", summary["split"]),
        ("file", summary["source"]),
        ("sha256", summary["annotation_sha256"]),
        ("tasks", ", ".join(summary["tasks"])),
        ("images", summary["n_images"]),
        ("annotations", summary["n_annotations"]),
    ]
    if summary["keypoints"]:
        facts.append(("keypoints", ", ".join(summary["keypoints"])))
    facts.append(("categories", len(categories)))
    for each in categories:
        kind = "" if each["isthing"] else " (stuff)"
        facts.append(("", f"{each['id']:>5} {each['name']}{kind}  {each['n_annotations']}"))
    return facts


@data.command("show", epilog=SHOW_EPILOG, short_help="Draw what a model will see in training.")
@name_argument
@click.argument("recipe", required=False, shell_complete=names_of("recipes"))
@overrides_argument
@split_option
@images_option
@click.option(
    "--augment",
    multiple=True,
    metavar="'NAME KEY=VALUE…'|JSON",
    help="A transform (may be repeated), in place of the recipe's.",
    shell_complete=names_of("transforms"),
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="Without a recipe: what to draw (may be repeated). Default: boxes, masks, keypoints.",
)
@click.option("--count", type=click.IntRange(1), default=8, show_default=True, metavar="N")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Default: the recipe's, or 0.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="One picture of all (.png, .jpg, .webp), or a folder with one of each.",
)
@json_option
def show(recipe: str | None, overrides: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Draw images with their truth, each beside what a recipe's augmentations make of it."""
    from benchsuite.options import parse_overrides
    from benchsuite.progress import progress
    from benchsuite.training.preview import PreviewRequest, draw_preview
    from benchsuite.training.request import TABLES

    if recipe is not None and "=" in recipe:
        overrides, recipe = (recipe, *overrides), None
    request = PreviewRequest(
        **given, recipe=recipe, overrides=parse_overrides(overrides, TABLES), progress=progress
    )
    drawn = draw_preview(request)
    if as_json:
        echo_json(drawn)
    else:
        for path in drawn["files"]:
            click.echo(path)


@data.command("convert", epilog=CONVERT_EPILOG, short_help="Bring labels into another format.")
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("target", metavar="DST", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "from_",
    metavar="FORMAT",
    help="The format of SRC. Default: the one it looks like.",
    shell_complete=names_of("formats"),
)
@click.option(
    "--to",
    required=True,
    metavar="FORMAT",
    help="The format of DST.",
    shell_complete=names_of("formats"),
)
@click.option(
    "--dataset",
    metavar="NAME[/SPLIT]|PATH",
    help="SRC holds predictions for this dataset. Default: SRC holds labels.",
    shell_complete=names_of("datasets"),
)
@click.option(
    "--images",
    type=click.Path(file_okay=False, path_type=Path),
    help="The image folder, for a format that does not say how large images are.",
)
@click.option("--split", metavar="NAME", help="Which split of SRC, and what DST calls it.")
@click.option(
    "--names",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of class names, one a line, for labels that are numbers alone.",
)
@click.option(
    "--task",
    default="",
    metavar="TASK",
    help="What DST shall hold where it holds one thing alone (yolo: boxes, or with segm outlines).",
)
@click.option("--force", is_flag=True, help="Replace files that DST has in common with the result.")
@json_option
def convert(as_json: bool, **given: Any) -> None:
    """Convert labels, or predictions for a dataset, from one format to another.

    DST is written whole or not at all.
    """
    from benchsuite.conversion import ConvertRequest
    from benchsuite.conversion import convert as convert_labels
    from benchsuite.progress import progress

    def show(title: str, total: int) -> Any:
        return progress(title, total, unit="item")

    done = convert_labels(ConvertRequest(**given, progress=show))
    if as_json:
        echo_json(done.to_json())
        return
    click.secho(f"{done.target}: {done.target_format}, from {done.source_format}", bold=True)
    click.echo(f"  {done.n_images} images, {done.n_instances} instances")
    for noun, count in done.lost.items():
        click.echo(f"  lost          {count} {noun}")
