"""The zoo: what was published where, with which recipe, weights and numbers.

``index.json`` holds what a list shows of every recipe; ``recipes/<name>.toml`` is read when a
recipe is used. ``python -m benchsuite_zoo.build_index`` makes the first from the others.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchsuite.hookspecs import hookimpl
from benchsuite.specs import RecipeSpec

BENCHSUITE_CONTRACT = (1, 0)

INDEX = Path(__file__).parent / "index.json"

_SOURCE = "benchsuite_zoo.recipes:read_recipe"


@hookimpl
def benchsuite_recipes() -> list[RecipeSpec]:
    entries = json.loads(INDEX.read_text(encoding="utf-8"))
    return [
        RecipeSpec(**{**entry, "tasks": tuple(entry["tasks"]), "source": _SOURCE})
        for entry in entries
    ]
