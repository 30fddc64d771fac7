"""``benchsuite list``: what plugins registered. Imports nothing that a list does not need."""

from __future__ import annotations

from typing import Any

import click

from benchsuite.cli.shared_options import echo_json, json_option, names_of

KINDS = (
    "models",
    "datasets",
    "metrics",
    "recipes",
    "formats",
    "losses",
    "transforms",
    "plugins",
)

EPILOG = """\b
Examples:
  benchsuite list
  benchsuite list recipes --task keypoints
  benchsuite list recipes --dataset coco --json
"""

WITH_TASKS = ("models", "datasets", "metrics", "recipes", "formats")
WITH_DATASET = ("recipes",)

SIDES = ("truth", "predictions")
FORMAT_FUNCTIONS = {f"{verb}_{what}" for verb in ("read", "write") for what in SIDES}


@click.command("list", epilog=EPILOG)
@click.argument("kind", required=False, metavar="[KIND]", type=click.Choice(KINDS))
@click.option("--task", metavar="TASK", help="Only what has to do with it.")
@click.option(
    "--dataset",
    metavar="NAME",
    help="Only recipes for it.",
    shell_complete=names_of("datasets"),
)
@json_option
def list_(kind: str | None, task: str | None, dataset: str | None, as_json: bool) -> None:
    """List models, datasets, metrics, recipes, formats or plugins; without KIND, these and any
    plugin that could not be used."""
    kinds = [kind] if kind else [*WITH_TASKS, "plugins"]
    _check_filters(kind, task, dataset)
    rows = {each: _filtered(_rows(each), task, dataset) for each in kinds}
    if as_json:
        echo_json(rows[kind] if kind else rows)
        return
    for each in kinds:
        _table(each, rows[each])


def _check_filters(kind: str | None, task: str | None, dataset: str | None) -> None:
    """Raise UsageError for a filter that cannot be applied, or lets nothing through by mistake."""
    from benchsuite.errors import UsageError, unknown_name
    from benchsuite.plugins import registry
    from benchsuite.specs import TASKS

    for option, value, kinds in (
        ("--task", task, WITH_TASKS),
        ("--dataset", dataset, WITH_DATASET),
    ):
        if value is not None and kind not in kinds:
            raise UsageError(f"{option} is for: benchsuite list {'|'.join(kinds)}")
    if task is not None and task not in TASKS:
        raise unknown_name("task", task, TASKS)
    found = registry()
    known = {*found.datasets, *(recipe.dataset for recipe in found.recipes.values())}
    if dataset is not None and dataset not in known:
        raise unknown_name("dataset", dataset, known)


def _filtered(
    rows: list[dict[str, Any]], task: str | None, dataset: str | None
) -> list[dict[str, Any]]:
    return [
        row
        for row in rows
        if task in (None, row.get("task")) or task in row.get("tasks", ())
        if dataset in (None, row.get("dataset"))
    ]


def _rows(kind: str) -> list[dict[str, Any]]:
    from benchsuite.plugins import registry

    found = registry()
    if kind == "plugins":
        loaded = [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "contract": ".".join(map(str, plugin.contract)),
                "error": "",
            }
            for plugin in found.plugins
        ]
        failed = [
            {
                "name": failure.plugin,
                "distribution": failure.distribution,
                "version": failure.version,
                "provides": failure.provides,
                "error": failure.error,
            }
            for failure in found.failures
        ]
        return loaded + failed
    rows = [
        {**_shown(spec), "distribution": found.origins[kind, name]}
        for name, spec in sorted(found.of_kind(kind).items())
    ]
    if kind == "metrics":
        # What `eval --task` takes, and what the values are called after.
        rows = [{**row, "prefix": found.metrics[row["name"]].value_prefix} for row in rows]
    if kind == "formats":
        rows = [{**row, **_directions(found.formats[row["name"]])} for row in rows]
    if kind == "recipes":
        # What it is chiefly for: the first of its tasks.
        rows = [{**row, "task": next(iter(row["tasks"]), "")} for row in rows]
    return rows


def _shown(spec: Any) -> dict[str, Any]:
    """What a list says of a spec: its own fields, but for how it is made."""
    hidden = {"factory", "source", "options", "categories", "keypoints", "fetch", "official"}
    hidden |= {"recognises", *FORMAT_FUNCTIONS}
    row = {}
    for name in spec.__dataclass_fields__:
        if name not in hidden:
            value = getattr(spec, name)
            row[name] = list(value) if isinstance(value, tuple) else value
    return row


def _directions(spec: Any) -> dict[str, list[str]]:
    """What a format reads and writes: ``truth``, ``predictions`` or both."""
    return {
        f"{verb}s": [what for what in SIDES if getattr(spec, f"{verb}_{what}") is not None]
        for verb in ("read", "write")
    }


def _table(kind: str, rows: list[dict[str, Any]]) -> None:
    click.secho(f"{kind} ({len(rows)})", bold=True)
    if not rows:
        click.echo("  none")
    columns = {
        "models": ("name", "tasks", "summary", "licence", "distribution"),
        "datasets": ("name", "tasks", "summary", "licence", "distribution"),
        "metrics": ("name", "prefix", "summary", "distribution"),
        "recipes": ("name", "model", "dataset", "summary", "distribution"),
        "formats": ("name", "tasks", "reads", "writes", "summary", "distribution"),
        "plugins": ("name", "distribution", "version", "error"),
    }.get(kind, ("name", "summary", "distribution"))
    cells = [[_text(row.get(column, "")) for column in columns] for row in rows]
    widths = [max((len(row[i]) for row in cells), default=0) for i in range(len(columns))]
    for row in cells:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths))
        click.echo(f"  {line.rstrip()}")
    click.echo()


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
