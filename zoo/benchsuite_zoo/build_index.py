"""``python -m benchsuite_zoo.build_index``: make ``index.json`` from the recipes."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from benchsuite.specs import RecipeSpec
from benchsuite_zoo import INDEX
from benchsuite_zoo.recipes import read_recipe, recipe_names


def index_entry(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a list shows of a recipe: the fields of ``RecipeSpec`` that it states."""
    entry = {
        field.name: recipe[field.name]
        for field in fields(RecipeSpec)
        if field.name in recipe and field.name != "source"
    }
    weights = recipe.get("weights", {})
    # Where a file of the package lies is known only where the package is installed.
    key = "file" if "file" in weights else "url"
    if key in weights:
        entry[f"weights_{key}"] = weights[key]
    return entry


def index_text() -> str:
    """The index of all recipes, as its file holds it: a recipe a line."""
    lines = [json.dumps(index_entry(read_recipe(name))) for name in recipe_names()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    INDEX.write_text(index_text(), encoding="utf-8")
    print(f"{INDEX}: {len(recipe_names())} recipes")
