"""Mapping a model's categories to a dataset's: by name, recorded, with what it drops told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.errors import InputError
from benchsuite.specs import Category


@dataclass(frozen=True, slots=True)
class CategoryMap:
    """Where each label of the model goes.

    Attributes:
        category_ids: for each label the dataset's category id, or ``None``: dropped.
        dropped: names of the model's categories that the dataset does not have.
        unreachable: names of the dataset's categories that the model cannot predict.
    """

    category_ids: tuple[int | None, ...]
    dropped: tuple[str, ...]
    unreachable: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "category_ids": list(self.category_ids),
            "dropped": list(self.dropped),
            "unreachable": list(self.unreachable),
        }

    @property
    def complete(self) -> bool:
        return not self.dropped and not self.unreachable


def map_categories(model: Sequence[Category], dataset: Sequence[Category]) -> CategoryMap:
    """Match by name: exactly, else without regard to case and surrounding space.

    Raises:
        InputError: not one name is in common.
    """
    exact = {category.name: category.id for category in reversed(dataset)}
    loose = {_plain(category.name): category.id for category in reversed(dataset)}
    ids = tuple(exact.get(category.name, loose.get(_plain(category.name))) for category in model)
    if model and dataset and not any(category_id is not None for category_id in ids):
        raise InputError(
            "the model and the dataset have no category name in common: the model has "
            f"{_some(model)}, the dataset {_some(dataset)}",
            remedy="Choose weights that were trained for these categories",
        )
    reached = set(ids)
    return CategoryMap(
        category_ids=ids,
        dropped=tuple(c.name for c, category_id in zip(model, ids) if category_id is None),
        unreachable=tuple(c.name for c in dataset if c.id not in reached),
    )


def one_category(model: Sequence[Category], dataset: Sequence[Category]) -> CategoryMap:
    """Every label becomes the dataset's first category: for a model that tells none apart, and a
    protocol that looks at none."""
    category_id = dataset[0].id if dataset else None
    return CategoryMap((category_id,) * len(model), dropped=(), unreachable=())


def scored_categories(categories: Sequence[Category], tasks: Sequence[str]) -> tuple[Category, ...]:
    """The categories of a dataset that some tasks score: stuff only where there are maps."""
    if {"semantic", "panoptic"} & set(tasks):
        return tuple(categories)
    return tuple(category for category in categories if category.isthing)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _some(categories: Sequence[Category]) -> str:
    names = ", ".join(category.name for category in categories[:4])
    return f"{names}, … ({len(categories)})" if len(categories) > 4 else names
