"""A Vega-Lite specification as SVG that stands in a page by itself.

The renderer runs in this process and is given no address it may read from. Its SVG is made fit for
a page: it scales with its column, has a name for screen readers, shows each mark's description
when the pointer rests on it, and is the same bytes every time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from benchsuite.report.palette import AXIS, GRID, INK, MUTED

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
VERSION = "5.20"

FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"

Rows = Sequence[Mapping[str, Any]]
"""What a mark is drawn of: JSON-able values by field."""

_CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED.light,
        "labelFontSize": 12,
        "labelPadding": 6,
        "titleColor": INK.light,
        "titleFontSize": 12.5,
        "titleFontWeight": 500,
        "titlePadding": 10,
        "domainColor": AXIS.light,
        "tickColor": AXIS.light,
        "gridColor": GRID.light,
        "tickSize": 4,
        "tickCount": 5,
        # Measuring text is most of what drawing costs; what needs no measuring is told so.
        "labelLimit": 0,
        "titleLimit": 0,
        "labelOverlap": False,
        "labelFlush": False,
    },
    "axisY": {"domain": False, "ticks": False},
    "text": {"color": INK.light, "fontSize": 12},
}


def svg(
    spec: Mapping[str, Any], data: Mapping[str, Rows], *, name: str, description: str
) -> Markup:
    """The chart as an ``<svg>`` element.

    Args:
        spec: a Vega-Lite 5 specification whose parts name their data: ``{"data": {"name": "x"}}``.
        data: rows by that name. Kept apart, so that charts of one kind are compiled once.
        name: tells this chart from the others on the page; its ids begin with it.
        description: what the chart shows, for those who do not see it.
    """
    import vl_convert

    compiled = _compiled(json.dumps(spec))
    filled = [
        {**source, "values": data[source["name"]]} if source["name"] in data else source
        for source in compiled["data"]
    ]
    drawn = vl_convert.vega_to_svg({**compiled, "data": filled}, allowed_base_urls=[])
    return Markup(_named(_own_ids(_told(drawn), name), description))


@lru_cache(maxsize=64)
def _compiled(spec: str) -> dict[str, Any]:
    import vl_convert

    whole = {"$schema": SCHEMA, "config": _CONFIG, **json.loads(spec)}
    vega: dict[str, Any] = vl_convert.vegalite_to_vega(whole, vl_version=VERSION)
    return vega


def _told(drawn: str) -> str:
    """Repeats each mark's ``aria-label`` as a ``<title>``, which browsers show on hover."""
    return re.sub(
        r'<(path|text|rect) aria-label="([^"]*)"((?:[^<>"]|"[^"]*")*)/>',
        r'<\1 aria-label="\2"\3><title>\2</title></\1>',
        drawn,
    )


def _own_ids(drawn: str, name: str) -> str:
    """Numbers the ids from 0 within the chart: the renderer counts on over a process's life."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    own: dict[str, str] = {}
    for found in re.findall(r'\bid="([^"]+)"', drawn):
        own.setdefault(found, f"{stem}-{len(own)}")
    drawn = re.sub(r'\bid="([^"]+)"', lambda m: f'id="{own[m[1]]}"', drawn)
    return re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{own.get(m[1], m[1])})", drawn)


def _named(drawn: str, description: str) -> str:
    """Gives the root element a role and a name; CSS sizes it."""
    head, rest = drawn.split(">", 1)
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', head)
    if size is None:
        raise ValueError(f"the renderer's SVG has no size: {head[:200]}")
    width, height = size.groups()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" '
        f'aria-label="{escape(description)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{rest}'
    )
