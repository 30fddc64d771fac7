"""The zoo: what was published where, with which recipe, weights and numbers.

``index.json`` holds what a list shows of every recipe; ``recipes/<name>.toml`` is read when a
recipe is used. ``python -m benchsuite_zoo.build_index`` makes the first from the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchsuite.hookspecs import hookimpl
from benchsuite.specs import RecipeSpec
from benchsuite_zoo.shipped import shipped_url

BENCHSUITE_CONTRACT = (1, 0)

INDEX = Path(__file__).parent / "index.json"

_SOURCE = "benchsuite_zoo.recipes:read_recipe"


@hookimpl
def benchsuite_recipes() -> list[RecipeSpec]:
    entries = json.loads(INDEX.read_text(encoding="utf-8"))
    return [_spec(entry) for entry in entries]


def _spec(entry: dict[str, Any]) -> RecipeSpec:
    entry["tasks"] = tuple(entry["tasks"])
    if file := entry.pop("weights_file", ""):
        entry["weights_url"] = shipped_url(file)
    return RecipeSpec(**entry, source=_SOURCE)
