"""Settings for other numbers of images and of steps; the expected ones are computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.training.optimization.scaling import scale_to_images, scale_to_iterations
from benchsuite.training.options import (
    OptimizerOptions,
    ParameterOverrides,
    ScheduleOptions,
    TrainingOptions,
)
from benchsuite.training.recipe_options import read_training

COCO_1X: dict[str, Any] = {
    "iterations": 90000,
    "images_per_batch": 16,
    "optimizer": {"lr": 0.02},
    "schedule": {"steps": [60000, 80000], "warmup_iters": 1000},
}


def test_the_linear_rule() -> None:
    options = TrainingOptions(
        iterations=5000,
        images_per_batch=16,
        optimizer=OptimizerOptions(
            0.1, overrides={"bias": ParameterOverrides(lr=0.5), "x": ParameterOverrides()}
        ),
        schedule=ScheduleOptions(steps=(4000,), warmup_iters=99),
        checkpoint_every=1000,
        validate_every=0,
    )
    # Detectron2's own example: from 8 to 16 workers.
    scaled = scale_to_images(options, 32)
    assert (scaled.images_per_batch, scaled.iterations, scaled.checkpoint_every) == (32, 2500, 500)
    assert scaled.optimizer.lr == 0.2
    assert scaled.optimizer.overrides["bias"].lr == 1.0
    assert scaled.optimizer.overrides["x"].lr is None
    assert scaled.schedule.steps == (2000,)
    assert scaled.schedule.warmup_iters == 50
    assert scaled.validate_every == 0


def test_no_interval_becomes_never() -> None:
    options = TrainingOptions(100, 1, OptimizerOptions(0.1), checkpoint_every=2)
    assert scale_to_images(options, 16).checkpoint_every == 1


def test_a_shorter_training() -> None:
    options = TrainingOptions(
        90000, 16, OptimizerOptions(0.02), ScheduleOptions(steps=(60000, 80000))
    )
    shorter = scale_to_iterations(options, 900)
    assert shorter.schedule.steps == (600, 800)
    assert shorter.schedule.warmup_iters == 90
    longer = scale_to_iterations(options, 180000)
    assert longer.schedule.steps == (120000, 160000)
    assert longer.schedule.warmup_iters == 1000
    assert scale_to_iterations(options, 2).schedule.steps == (1, 2)


def test_fewer_images_are_told() -> None:
    read = read_training(COCO_1X, {"images_per_batch": 2}, "r")
    assert read.options.optimizer.lr == 0.0025
    assert read.options.iterations == 720_000
    assert read.note == (
        "2 images a step in place of 16: lr 0.02 -> 0.0025, iterations 90000 -> 720000, "
        "steps [60000, 80000] -> [480000, 640000], warmup_iters 1000 -> 8000 "
        "(linear rule; training.auto_scale=false keeps the recipe's)"
    )


def test_what_is_given_is_taken_as_it_is() -> None:
    overrides = {"images_per_batch": 2, "iterations": 300, "optimizer": {"lr": 0.5}}
    read = read_training(COCO_1X, overrides, "r")
    assert (read.options.optimizer.lr, read.options.iterations) == (0.5, 300)
    assert read.options.schedule.steps == (200, 267)
    assert read.options.schedule.warmup_iters == 30
    assert read.note.startswith(
        "2 images a step in place of 16, 300 iterations in place of 90000: steps [60000, 80000] -> "
        "[200, 267], warmup_iters 1000 -> 30 ("
    )


def test_a_shorter_training_is_told() -> None:
    read = read_training(COCO_1X, {"iterations": 900}, "r")
    assert read.options.optimizer.lr == 0.02
    assert read.note == (
        "900 iterations in place of 90000: steps [60000, 80000] -> [600, 800], "
        "warmup_iters 1000 -> 90 (training.auto_scale=false keeps the recipe's)"
    )


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"images_per_batch": 16},
        {"optimizer": {"lr": 0.1}},
        {"images_per_batch": 2, "iterations": 5, "auto_scale": False},
    ],
)
def test_nothing_else_changes(overrides: dict[str, Any]) -> None:
    read = read_training(COCO_1X, overrides, "r")
    assert read.note == ""
    assert read.options.schedule.steps == (60000, 80000)
    assert read.options.optimizer.lr == overrides.get("optimizer", {}).get("lr", 0.02)


def test_a_recipe_without_training() -> None:
    read = read_training({}, {**COCO_1X, "images_per_batch": 4}, "r")
    assert (read.options.images_per_batch, read.options.optimizer.lr) == (4, 0.02)
    with pytest.raises(UsageError, match=r"'r' does not say .*: training\.iterations, .*\.lr must"):
        read_training({}, {"images_per_batch": 4}, "r")
