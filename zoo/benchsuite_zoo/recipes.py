"""Reading recipes: TOML with inheritance, so that a recipe says only what is its own.

A recipe is ``recipes/<name>.toml``. Its ``base`` names a file of ``bases``, or several, which may
have bases themselves; tables are merged, those of a later base over those of an earlier one, and
the recipe's own over all.

==================  =====================================================================
``base``            what it inherits from: a name or a list of names
``summary``         one line
``model``           the model's name
``dataset``         the dataset it was trained for
``tasks``           what it predicts
``default``         whether the model's own name means this recipe on its dataset
``config``          the publisher's configuration
``model_id``        the publisher's number of the weights
``licence``         SPDX identifier of the weights' licence
``source``          where the numbers are published
``categories``      what the labels mean: a file of ``categories`` (``"coco"``)
``model_options``   options of the model, as ``benchsuite run … model.key=value`` takes them
``metric_options``  options of the metric that the numbers were published by
``training``        how it was trained: ``benchsuite.training.options.TrainingOptions``
``weights``         ``url``, or ``file``: one of the folder ``weights``; ``bytes``; ``sha256``, or
                    the first digits of a digest: ``sha256_prefix`` or ``md5_prefix``
``published``       ``"<task>/<value>"`` to the published number, 0 to 1
``tolerance``       how far a measured number may be from the published one
==================  =====================================================================
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from benchsuite.errors import InputError, unknown_name
from benchsuite.options import merge
from benchsuite.specs import Category
from benchsuite_zoo.shipped import shipped_url

FOLDER = Path(__file__).parent

KEYS: dict[str, type | tuple[type, ...]] = {
    "base": (str, list),
    "summary": str,
    "model": str,
    "dataset": str,
    "tasks": list,
    "default": bool,
    "config": str,
    "model_id": str,
    "licence": str,
    "source": str,
    "categories": str,
    "model_options": dict,
    "metric_options": dict,
    "training": dict,
    "weights": dict,
    "published": dict,
    "tolerance": float,
}
"""Every key of a recipe, and what its value is."""

WEIGHTS_KEYS = ("url", "file", "bytes", "sha256", "sha256_prefix", "md5_prefix")

NEEDED = ("summary", "model", "dataset", "tasks", "licence")


def recipe_names() -> list[str]:
    """The names of all recipes, sorted."""
    return sorted(path.stem for path in (FOLDER / "recipes").glob("*.toml"))


def read_recipe(name: str) -> dict[str, Any]:
    """A recipe, its bases merged in.

    Returns:
        The table of the module's docstring without ``base``, with ``name`` added, ``tasks`` as a
        tuple, ``categories`` as a tuple of ``Category`` (where the recipe states any), and in
        ``weights`` the ``url`` of a ``file``.

    Raises:
        UsageError: there is no such recipe.
        InputError: a file is no TOML, or says something no recipe can say.
    """
    if name not in recipe_names():
        raise unknown_name("recipe", name, recipe_names())
    path = FOLDER / "recipes" / f"{name}.toml"
    recipe = _with_bases(path, ())
    missing = [key for key in NEEDED if key not in recipe]
    if missing:
        raise InputError(f"says nothing of {', '.join(missing)}", file=path)
    recipe["name"] = name
    recipe["tasks"] = tuple(recipe["tasks"])
    if "categories" in recipe:
        recipe["categories"] = read_categories(recipe["categories"])
    if file := recipe.get("weights", {}).get("file"):
        recipe["weights"]["url"] = shipped_url(file)
    return recipe


@cache
def read_categories(name: str) -> tuple[Category, ...]:
    """The categories that labels 0, 1, 2, … of a model mean, in that order.

    Raises:
        UsageError: there is no such list.
    """
    path = FOLDER / "categories" / f"{name}.json"
    if not path.is_file():
        known = [each.stem for each in path.parent.glob("*.json")]
        raise unknown_name("list of categories", name, known)
    entries = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Category(**entry) for entry in entries)


def _with_bases(path: Path, below: tuple[Path, ...]) -> dict[str, Any]:
    """A file's table over those of its bases, a later base's over an earlier one's."""
    if path in below:
        circle = " -> ".join(each.stem for each in (*below[below.index(path) :], path))
        raise InputError(f"its bases go round in a circle: {circle}", file=path)
    own = _read(path)
    stated = own.pop("base", [])
    names = [stated] if isinstance(stated, str) else stated
    bases = FOLDER / "bases"
    known = [each.stem for each in bases.glob("*.toml")]
    inherited: dict[str, Any] = {}
    for name in names:
        if name not in known:
            raise InputError(str(unknown_name("base", str(name), known)), file=path)
        inherited = merge(inherited, _with_bases(bases / f"{name}.toml", (*below, path)))
    return merge(inherited, own)


def _read(path: Path) -> dict[str, Any]:
    """A file's own table, its keys and the types of its values checked."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is no TOML: {error}", file=path) from error
    for key, value in table.items():
        if key not in KEYS:
            raise InputError(str(unknown_name("key", key, KEYS)), file=path)
        if not isinstance(value, KEYS[key]):
            raise InputError(f"the value of {key} is of a wrong type: {value!r}", file=path)
    for key in table.get("weights", {}):
        if key not in WEIGHTS_KEYS:
            raise InputError(str(unknown_name("key of weights", key, WEIGHTS_KEYS)), file=path)
    _check_shipped(table.get("weights", {}), path)
    for key, value in table.get("published", {}).items():
        if not (isinstance(value, float) and 0 <= value <= 1):
            raise InputError(f"published {key} must be between 0 and 1, not {value!r}", file=path)
    return table


def _check_shipped(weights: dict[str, Any], path: Path) -> None:
    """A file of the package has a name and no path, and is what it was when it was put there."""
    if (file := weights.get("file")) is None:
        return
    if not isinstance(file, str) or Path(file).name != file:
        raise InputError(
            f"weights.file must be the name of a file of weights/, not {file!r}", file=path
        )
    if "url" in weights or "sha256" not in weights:
        raise InputError("weights with a file have a sha256, and no url", file=path)
