"""Every published row is a recipe, or is named here with the reason why not."""

from __future__ import annotations

import pytest

import benchsuite_zoo
from benchsuite.specs import RecipeSpec
from benchsuite_plugins import benchsuite_metrics

COLUMNS = {
    "bbox/AP": "box_AP",
    "bbox/AP50": "box_AP50",
    "segm/AP": "mask_AP",
    "keypoints/AP": "kp_AP",
    "panoptic/PQ": "PQ",
    "proposals/AR@1000": "prop_AR",
    "semantic/mIoU": "mIoU",
}
"""A recipe's value to the column of the published tables."""

NOT_IN_THE_ZOO = {
    "projects/DensePose": "dense correspondence is none of the host's tasks",
    "projects/DeepLab": "DeepLab is not among the architectures",
    "projects/Panoptic-DeepLab": "Panoptic-DeepLab is not among the architectures",
    "projects/PointRend": "PointRend is not among the architectures",
    "projects/TensorMask": "TensorMask is not among the architectures, and has no weights",
    "projects/TridentNet": "TridentNet is not among the architectures, and has no weights",
}
"""Folder of a published table to why none of its rows is a recipe."""

WITHOUT_CONFIGURATION = {
    "above + test-time aug.": "the row before it, by another procedure; neither has other weights"
}
"""Name of a published row to why it is no recipe."""


def specs() -> list[RecipeSpec]:
    return benchsuite_zoo.benchsuite_recipes()


def as_task(value: str) -> str:
    """A value under its task's name, where its metric has a prefix of its own."""
    tasks = {metric.value_prefix: metric.task for metric in benchsuite_metrics()}
    prefix, _, name = value.partition("/")
    return f"{tasks.get(prefix, prefix)}/{name}"


def reason(row: dict[str, str]) -> str | None:
    """Why a published row is no recipe; ``None``: it has to be one."""
    for folder, why in NOT_IN_THE_ZOO.items():
        if row["source"].startswith(f"{folder}/"):
            return why
    return None if row["config"] else WITHOUT_CONFIGURATION.get(row["name"])


def test_every_row_is_a_recipe_or_has_a_reason(published_rows: list[dict[str, str]]) -> None:
    recipes = {spec.config for spec in specs() if spec.config and spec.weights_url}
    without = [row for row in published_rows if row["config"] not in recipes]
    assert not [(row["source"], row["config"]) for row in without if reason(row) is None]
    # A reason that has become wrong is as bad as a missing one.
    assert not [row["config"] for row in published_rows if row["config"] in recipes and reason(row)]
    used = {reason(row) for row in without}
    assert used == {*NOT_IN_THE_ZOO.values(), *WITHOUT_CONFIGURATION.values()}


def test_the_numbers_are_those_that_were_published(published_rows: list[dict[str, str]]) -> None:
    rows = {row["config"]: row for row in published_rows if row["config"]}
    for spec in specs():
        if not spec.config or not spec.weights_url:
            continue
        row = rows[spec.config]
        assert (spec.weights_url, spec.model_id) == (row["model_url"], row["model_id"]), spec.name
        stated = {
            as_task(value): round(100 * number, 1) for value, number in spec.published.items()
        }
        assert stated == {
            value: float(row[column]) for value, column in COLUMNS.items() if row[column]
        }, spec.name


def test_names_are_the_published_ones() -> None:
    for spec in specs():
        if spec.config:
            published = spec.config.rpartition("/")[2].rpartition(".")[0]
            suffixes = ("", f"_{spec.dataset}", f"_{spec.dataset}_v1", "_detectron1")
            assert spec.name in {published + suffix for suffix in suffixes}


def test_recipes_without_weights_have_no_numbers() -> None:
    for spec in specs():
        assert bool(spec.weights_url) == bool(spec.published), spec.name
        # Weights that come with the zoo are this project's own, and numbered by nobody else.
        if spec.dataset != "shapes":
            assert bool(spec.weights_url) == bool(spec.model_id), spec.name


def test_tasks_of_the_numbers() -> None:
    for spec in specs():
        assert {as_task(value).partition("/")[0] for value in spec.published} <= set(spec.tasks)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("mask_rcnn", "mask_rcnn_R_50_FPN_3x"),
        ("faster_rcnn", "faster_rcnn_R_50_FPN_3x"),
        ("retinanet", "retinanet_R_50_FPN_3x"),
        ("panoptic_fpn", "panoptic_fpn_R_50_3x"),
        ("keypoint_rcnn", "keypoint_rcnn_R_50_FPN_3x"),
        ("semantic_fpn", "semantic_R_50_FPN_1x"),
        ("cascade_mask_rcnn", "cascade_mask_rcnn_R_50_FPN_3x"),
        ("fcos", "fcos_R_50_FPN_1x"),
        ("vitdet", "mask_rcnn_vitdet_b_100ep"),
    ],
)
def test_short_names(name: str, recipe: str) -> None:
    on_coco = [spec for spec in specs() if spec.model == name and spec.dataset == "coco"]
    assert [spec.name for spec in on_coco if spec.default] == [recipe]
