"""Which weights a training starts from, and bringing them to this machine."""

from __future__ import annotations

from typing import Any

from benchsuite.plugins import registry
from benchsuite.protocols import InitialWeights
from benchsuite.resolve import stated_layout, use
from benchsuite.specs import RecipeSpec
from benchsuite.trained import find_trained
from benchsuite.training.start.published_urls import published_url
from benchsuite.weights import RANDOM, locate_weights, resolve_weights

OPTION = "--init"


def starting_point(stated: str, recipe: RecipeSpec, dataset: str) -> str:
    """What a recipe's training starts from where the user does not say.

    On the dataset that the recipe is for, what the recipe says. On any other, where that is called
    fine-tuning, the recipe's own weights, if there are any.

    Args:
        stated: the recipe's ``training.init``.
        dataset: the name of the dataset that is trained on.

    Returns:
        What ``training.init`` takes: empty for random weights.
    """
    if dataset == recipe.dataset or not has_weights(recipe):
        return stated
    return recipe.name


def has_weights(recipe: RecipeSpec) -> bool:
    """Whether weights of the recipe are published, or lie in its package."""
    return bool(_body(recipe).get("weights", {}).get("url"))


def locate_initial_weights(init: str) -> dict[str, Any] | str:
    """What ``fetch_initial_weights`` would use, as ``locate_weights`` says it; nothing is
    downloaded."""
    return locate_weights(_argument(init), None, None, option=OPTION)


def fetch_initial_weights(init: str) -> InitialWeights | None:
    """The weights to start from, on this machine; ``None``: random ones.

    Args:
        init: see ``TrainingOptions``. A training's folder will do too.

    Raises:
        UsageError: it is none of these.
        DataMissingError: the file is not there, or cannot be downloaded.
        InputError: it has another digest than is published. It is not used.
    """
    weights = resolve_weights(_argument(init), None, None, option=OPTION)
    if weights.path is None:
        return None
    if (trained := find_trained(init)) is not None:
        return InitialWeights(weights.path, weights.name, trained.categories, trained.keypoints)
    recipe = registry().recipes.get(weights.name)
    if recipe is None:
        return InitialWeights(weights.path, weights.name)
    dataset = registry().datasets.get(recipe.dataset)
    return InitialWeights(
        weights.path,
        weights.name,
        tuple(_body(recipe).get("categories", ())),
        stated_layout(dataset) if dataset is not None else None,
    )


def _argument(init: str) -> str:
    """As ``resolve_weights`` takes it."""
    return published_url(init) if init else RANDOM


def _body(recipe: RecipeSpec) -> Any:
    return use(recipe.source, f"recipe {recipe.name!r}")(recipe.name)
