"""Options of the datasets that a recipe trains on."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.training.plan import TrainingPlan, plan_training
from benchsuite.training.request import NO_VALIDATION, TrainingRequest

RECIPE = "mask_rcnn_R_18_FPN_shapes"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def planned(cache, monkeypatch):
    monkeypatch.setenv("BENCHSUITE_CACHE", cache)

    def plan(given: dict[str, Any] | None = None, **request: Any) -> TrainingPlan:
        overrides = {
            "training": {"data": {"dataset_options": {"count": 3}}},
            "dataset": {"size": 64, **(given or {})},
        }
        request = {"validate_on": NO_VALIDATION, "device": "cpu", **request}
        return plan_training(TrainingRequest(RECIPE, overrides=overrides, **request))

    return plan


def test_those_of_the_recipe_hold_for_what_it_trains_on(planned):
    assert planned().datasets[0].options["count"] == 3
    assert planned().datasets[0].options["size"] == 64


def test_those_of_the_command_line_hold_over_them(planned):
    assert planned({"count": 2}).datasets[0].options["count"] == 2


def test_another_dataset_has_its_own(planned):
    plan = planned(dataset="shapes/val", limit=1)
    assert plan.datasets[0].options["count"] is None


def test_what_is_validated_on_has_its_own(planned):
    plan = planned(validate_on="shapes/val")
    assert plan.datasets[0].options["count"] == 3
    assert plan.validation.options["count"] is None
