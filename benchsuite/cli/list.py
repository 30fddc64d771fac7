"""``benchsuite list``: what plugins registered. Imports nothing that a list does not need."""

from __future__ import annotations

from typing import Any

import click

from benchsuite.cli.shared_options import echo_json, json_option

KINDS = ("models", "datasets", "metrics", "recipes", "losses", "transforms", "plugins")

EPILOG = """\b
Examples:
  benchsuite list
  benchsuite list recipes --json
"""


@click.command("list", epilog=EPILOG)
@click.argument("kind", required=False, metavar="[KIND]", type=click.Choice(KINDS))
@json_option
def list_(kind: str | None, as_json: bool) -> None:
    """List models, datasets, metrics, recipes or plugins; without KIND, the first four and any
    plugin that could not be used."""
    kinds = [kind] if kind else ["models", "datasets", "metrics", "recipes", "plugins"]
    rows = {each: _rows(each) for each in kinds}
    if as_json:
        echo_json(rows[kind] if kind else rows)
        return
    for each in kinds:
        _table(each, rows[each])


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
    return [
        {**_shown(spec), "distribution": found.origins[kind, name]}
        for name, spec in sorted(found.of_kind(kind).items())
    ]


def _shown(spec: Any) -> dict[str, Any]:
    """What a list says of a spec: its own fields, but for how it is made."""
    hidden = {"factory", "source", "options", "categories", "keypoints", "fetch"}
    row = {}
    for name in spec.__dataclass_fields__:
        if name not in hidden:
            value = getattr(spec, name)
            row[name] = list(value) if isinstance(value, tuple) else value
    return row


def _table(kind: str, rows: list[dict[str, Any]]) -> None:
    click.secho(f"{kind} ({len(rows)})", bold=True)
    if not rows:
        click.echo("  none")
    columns = {
        "models": ("name", "tasks", "summary", "licence", "distribution"),
        "datasets": ("name", "tasks", "summary", "licence", "distribution"),
        "metrics": ("name", "task", "summary", "distribution"),
        "recipes": ("name", "model", "dataset", "summary", "distribution"),
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
