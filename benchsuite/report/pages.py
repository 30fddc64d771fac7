"""Jinja2 with everything a page needs built in: style, script and a policy that allows no other.

A page is one file. Its content security policy lets it load nothing and run nothing but the one
script whose digest it names, so that a name that slipped through every escape still runs nothing.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchsuite.report import notation, palette


def render(template: str, **context: Any) -> str:
    """A page. Everything in ``context`` is escaped, but for ``Markup``."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("benchsuite.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Style and script are files of this package and hold nothing that came from outside.
    script = _own_text("table.js")
    environment.globals |= {
        "notation": notation,
        "style": Markup(_own_text("page.css") + _colours()),
        "script": Markup(script),
        "script_digest": b64encode(sha256(script.encode()).digest()).decode(),
    }
    return environment


def _own_text(name: str) -> str:
    return (files("benchsuite.report") / "templates" / name).read_text(encoding="utf-8")


def _colours() -> str:
    """The palette as CSS variables, and each chart colour's dark twin."""
    shades = {
        "ink": palette.INK,
        "muted": palette.MUTED,
        "grid": palette.GRID,
        "axis": palette.AXIS,
        "paper": palette.PAPER,
        **{f"series-{i}": shade for i, shade in enumerate(palette.SERIES)},
    }

    def variables(dark: bool) -> str:
        return "".join(f"--{name}:{shade[int(dark)]};" for name, shade in shades.items())

    twins = "".join(
        f'svg [{attribute}="{shade.light}"]{{{attribute}:{shade.dark}}}'
        for shade in palette.CHART
        for attribute in ("fill", "stroke")
    )
    return (
        f":root{{{variables(False)}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(True)}}}{twins}}}\n"
    )
