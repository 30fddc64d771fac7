"""What recipes say of training, as training reads it."""

from __future__ import annotations

import pytest

from benchsuite.options import read_options
from benchsuite.training.options import TrainingOptions
from benchsuite_zoo.recipes import read_recipe, recipe_names

TRAINED = [name for name in recipe_names() if "training" in read_recipe(name)]


@pytest.mark.parametrize("name", TRAINED)
def test_training_can_be_read(name: str) -> None:
    options = read_options(TrainingOptions, read_recipe(name)["training"], "training")
    assert options.schedule.steps < (options.iterations,)
    assert options.augmentations
