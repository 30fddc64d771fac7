"""What recipes say of training, as training reads it, and of the data as it was published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from benchsuite.options import read_options
from benchsuite.plugins import registry
from benchsuite.training.augmentation.augmentation import build_augmentation
from benchsuite.training.options import TrainingOptions
from benchsuite.training.start.published_urls import published_url
from benchsuite_zoo.recipes import read_recipe, recipe_names

TRAINED = [name for name in recipe_names() if "training" in read_recipe(name)]
PUBLISHED = [name for name in TRAINED if "config" in read_recipe(name)]

DATASETS = {
    "coco_2017_train": "coco/train2017",
    "keypoints_coco_2017_train": "coco/train2017",
    "coco_2017_train_panoptic_separated": "coco/train2017",
    "coco_2017_train_panoptic_stuffonly": "coco/train2017",
    "cityscapes_fine_instance_seg_train": "cityscapes/train",
    "lvis_v0.5_train": "lvis_v0.5/train",
    "lvis_v1_train": "lvis/train",
    "voc_2007_trainval": "voc/2007_trainval",
    "voc_2012_trainval": "voc/2012_trainval",
}
"""What Detectron2 calls a dataset, and what it is called here."""

SAMPLERS = {"TrainingSampler": "shuffle", "RepeatFactorTrainingSampler": "repeat_factor"}


def training(name: str) -> TrainingOptions:
    options: TrainingOptions = read_options(
        TrainingOptions, read_recipe(name)["training"], "training"
    )
    return options


@pytest.mark.parametrize("name", TRAINED)
def test_training_can_be_read(name: str) -> None:
    options = training(name)
    assert options.schedule.steps < (options.iterations,)
    assert options.augmentations
    assert options.data.datasets
    for each in options.data.datasets:
        dataset, _, split = each.partition("/")
        assert split in registry().datasets[dataset].splits


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_data_are_the_published_ones(
    name: str, published_settings: Mapping[str, Mapping[str, Any]]
) -> None:
    options, config = training(name), read_recipe(name)["config"]
    published = published_settings[config]["data"]
    data, sampler = options.data, options.sampler
    assert list(data.datasets) == [DATASETS[each] for each in published["train"]]
    # The maps of stuff alone come without instances, so that nothing was filtered.
    stuff_only = published["train"] == ["coco_2017_train_panoptic_stuffonly"]
    assert data.filter_empty == (published["filter_empty"] and not stuff_only)
    assert data.min_keypoints_per_image == published.get("min_keypoints_per_image", 0)
    # Older configurations do not say it: there it follows from cutting images and learning masks.
    cuts = any(each["type"] == "RandomCrop" for each in options.augmentations)
    follows = config.endswith(".yaml") and cuts
    assert data.recompute_boxes == published.get("recompute_boxes", follows)
    assert sampler.type == SAMPLERS[published["sampler"]]
    assert sampler.repeat_thresh == published.get("repeat_thresh", 0.001)
    assert sampler.aspect_ratio_grouping == published["aspect_ratio_grouping"]
    assert options.workers == published["workers"]
    proposals = [
        url.replace("detectron2://", "https://dl.fbaipublicfiles.com/detectron2/")
        for url in published.get("proposal_files_train", [""])
    ]
    assert [data.proposals] == proposals


@pytest.mark.parametrize("name", TRAINED)
def test_training_starts_from_something_that_can_be_had(name: str) -> None:
    init = training(name).init
    publishers = ("https://dl.fbaipublicfiles.com/detectron", "https://download.pytorch.org/models")
    assert not init or published_url(init).startswith(publishers)


@pytest.mark.parametrize("name", TRAINED)
def test_augmentations_can_be_built(name: str) -> None:
    recipe, options = read_recipe(name), training(name)
    build_augmentation(
        options.augmentations,
        tasks=recipe["tasks"],
        recompute_boxes=options.data.recompute_boxes,
    )
