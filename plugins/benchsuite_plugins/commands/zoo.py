"""``benchsuite zoo``: what a recipe says, checking, converting and packing checkpoints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchsuite.cli.shared_options import echo_json, json_option, names_of

EPILOG = """\b
Examples:
  benchsuite zoo show mask_rcnn_R_50_FPN_3x
  benchsuite zoo check mask_rcnn_R_50_FPN_3x model_final.pkl
  benchsuite zoo convert model_final.pkl model_final.safetensors
  benchsuite zoo pack training/mask_rcnn/best mask_rcnn.safetensors

`benchsuite list recipes` names them all.
"""

FIRST = ("name", "summary", "model", "dataset", "tasks")
"""What ``show`` begins with; tables come last."""

recipe_argument = click.argument("name", metavar="NAME", shell_complete=names_of("recipes"))


@click.group("zoo", epilog=EPILOG)
def zoo() -> None:
    """Look into recipes and checkpoints."""


@zoo.command("show")
@recipe_argument
@json_option
def show(name: str, as_json: bool) -> None:
    """Say everything that a recipe says, what it inherits included."""
    recipe = _recipe(name)
    if as_json:
        echo_json(recipe)
        return
    recipe["categories"] = len(recipe.get("categories", ()))
    recipe["tasks"] = ", ".join(recipe.get("tasks", ()))
    leaves = {key: value for key, value in recipe.items() if not isinstance(value, dict)}
    first = {key: recipe[key] for key in FIRST if key in recipe}
    rows = _flat({**first, **leaves, **recipe})
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        click.echo(f"{key:{width}}  {value}")


@zoo.command("check")
@recipe_argument
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def check(name: str, file: Path, as_json: bool) -> int:
    """Say whether the names and shapes of FILE are those of a recipe's model.

    FILE is a checkpoint, or JSON: an object of name to shape. Nothing is computed. Exits 0 if they
    are, 1 if not.
    """
    from benchsuite_plugins.checkpoints.differences import find_differences
    from benchsuite_plugins.checkpoints.shapes import read_shapes
    from benchsuite_plugins.models.from_recipe import build_on_meta

    _recipe(name)
    shapes = read_shapes(file)
    found = find_differences(build_on_meta(name), shapes)
    if as_json:
        misshapen = {
            key: {"file": given, "model": wanted}
            for key, (given, wanted) in found.misshapen.items()
        }
        report = {"missing": found.missing, "left_over": found.left_over, "misshapen": misshapen}
        echo_json({"name": name, "file": str(file), "fits": not found, **report})
    elif not found:
        click.echo(f"{file} fits {name}: {len(shapes)} names and shapes")
    else:
        kind = " (a checkpoint of another architecture)" if found.other_architecture else ""
        click.echo(f"{file} does not fit {name}{kind}")
        for what, lines in (
            ("missing", found.missing),
            ("left over", found.left_over),
            ("of another shape", found.misfits()),
        ):
            for line in lines:
                click.echo(f"  {what:17} {line}")
    return 1 if found else 0


@zoo.command("convert")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.safetensors", type=click.Path(path_type=Path))
def convert(source: str, target: Path) -> None:
    """Write a checkpoint as safetensors, under the same names.

    IN is what --weights takes: a recipe's name, a URL or a file.
    """
    from benchsuite_plugins.checkpoints.convert import convert as write

    count = write(_checkpoint(source), target)
    click.echo(f"{target}: {count} arrays, {target.stat().st_size} bytes")


@zoo.command("pack")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT.safetensors", type=click.Path(path_type=Path))
@click.option(
    "--dtype",
    type=click.Choice(["fp16", "bf16", "fp32"]),
    default="fp16",
    show_default=True,
    help="Of kernels and matrices; biases, scales and statistics stay as they are.",
)
@json_option
def pack(source: str, target: Path, dtype: str, as_json: bool) -> None:
    """Write a checkpoint small enough to come with a package of recipes.

    IN is what --weights takes. The same values give the same bytes; loading them into a model gives
    the packed values exactly. Prints what a recipe says of the file.
    """
    import torch

    from benchsuite.files.digests import digest_file
    from benchsuite_plugins.checkpoints.pack import pack as write

    dtypes = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
    count = write(_checkpoint(source), target, dtypes[dtype])
    size, digest = target.stat().st_size, digest_file(target, ["sha256"])["sha256"]
    if as_json:
        echo_json({"file": str(target), "arrays": count, "bytes": size, "sha256": digest})
        return
    click.echo(f'[weights]\nfile = "{target.name}"\nbytes = {size}\nsha256 = "{digest}"')


def _checkpoint(source: str) -> Path:
    """The file that is meant, on this machine."""
    from benchsuite.errors import UsageError
    from benchsuite.weights import resolve_weights

    path = resolve_weights(source, None, None).path
    if path is None:
        raise UsageError(f"{source} is no checkpoint")
    return path


def _recipe(name: str) -> dict[str, Any]:
    """The whole recipe as JSON-able values."""
    from benchsuite.plugins import registry
    from benchsuite.resolve import use

    spec = registry().find("recipes", name)
    body = dict(use(spec.source, f"recipe {name!r}")(name))
    if "categories" in body:
        body["categories"] = [asdict(category) for category in body["categories"]]
    return body


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted key and value of every leaf."""
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value))
    return rows
