"""Loaders, each an endless iterator over (heights and widths, masks) of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

SHORT, LONG = 800, 1333
BATCH, PREFETCH = 2, 2
PEERS = ("torchvision", "detectron2")

Sizes = list[tuple[int, int]]


def ours(folder: Path, masks: bool, workers: int) -> Iterator[tuple[Sizes, int]]:
    from benchsuite.resolve import open_dataset
    from benchsuite.training.augmentation.augmentation import build_augmentation
    from benchsuite.training.data.training_set import TrainingSet
    from benchsuite.training.loading.loader import open_loader
    from benchsuite.training.options import SamplerOptions
    from benchsuite.training.order.draws import Share
    from benchsuite.training.order.sampling import build_stream

    tasks = ("bbox", "segm") if masks else ("bbox",)
    opened = open_dataset(str(folder / "truth.json"), images=folder / "images")
    examples = TrainingSet(opened, opened.dataset.categories, tasks=tasks)
    stream = build_stream(
        [examples],
        SamplerOptions(),
        images_per_micro_batch=BATCH,
        images_per_batch=BATCH,
        seed=0,
    )
    tables = [
        {"type": "ResizeShortestEdge", "min_size": [SHORT], "max_size": LONG},
        {"type": "RandomFlip", "prob": 0.5},
    ]
    loader = open_loader(
        examples,
        stream,
        seed=0,
        share=Share(BATCH),
        augmentation=build_augmentation(tables, tasks=tasks),
        workers=workers,
        prefetch=PREFETCH,
    )
    with loader:
        for batch in loader:
            yield (
                [(image.height, image.width) for image in batch.images],
                sum(len(target.masks or ()) for target in batch.targets),
            )


def torchvision(folder: Path, masks: bool, workers: int) -> Iterator[tuple[Sizes, int]]:
    """As its references train: Pillow images, transforms v2, masks as bitmaps; batches of one
    orientation."""
    from torchvision import datasets
    from torchvision.transforms import v2

    transforms = v2.Compose(
        [
            v2.RandomShortestSize(min_size=SHORT, max_size=LONG),
            v2.RandomHorizontalFlip(p=0.5),
            v2.PILToTensor(),
            v2.ToDtype(torch.float, scale=True),
            v2.SanitizeBoundingBoxes(),
            v2.ToPureTensor(),
        ]
    )
    plain = datasets.CocoDetection(
        str(folder / "images"), str(folder / "truth.json"), transforms=transforms
    )
    keys = ["boxes", "labels", *(["masks"] if masks else [])]
    dataset = datasets.wrap_dataset_for_transforms_v2(plain, target_keys=keys)
    wide = [plain.coco.imgs[image]["width"] > 500 for image in plain.ids]
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_sampler=OrientedBatches(wide),
        num_workers=workers,
        prefetch_factor=PREFETCH,
        collate_fn=unzip,
    )
    for images, targets in loader:
        shown = sum(len(target.get("masks", ())) for target in targets)
        yield [tuple(image.shape[-2:]) for image in images], shown


class OrientedBatches:
    """Batches of one orientation, without end."""

    def __init__(self, wide: list[bool]) -> None:
        self._wide = np.array(wide)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng(0)
        waiting: dict[bool, list[int]] = {True: [], False: []}
        while True:
            for index in random.permutation(len(self._wide)).tolist():
                group = waiting[bool(self._wide[index])]
                group.append(index)
                if len(group) == BATCH:
                    yield list(group)
                    group.clear()


def unzip(batch: list[Any]) -> tuple[Any, ...]:
    return tuple(zip(*batch))


def detectron2(folder: Path, masks: bool, workers: int) -> Iterator[tuple[Sizes, int]]:
    """Its own mapper, sampler and loader."""
    from detectron2.data import DatasetMapper, build_detection_train_loader
    from detectron2.data import transforms as T
    from detectron2.data.datasets.coco import load_coco_json

    mapper = DatasetMapper(
        is_train=True,
        augmentations=[T.ResizeShortestEdge([SHORT], LONG, "choice"), T.RandomFlip()],
        image_format="BGR",
        use_instance_mask=masks,
        instance_mask_format="polygon",
    )
    loader = build_detection_train_loader(
        load_coco_json(str(folder / "truth.json"), str(folder / "images"), "synthetic"),
        mapper=mapper,
        total_batch_size=BATCH,
        num_workers=workers,
        aspect_ratio_grouping=True,
        prefetch_factor=PREFETCH,
    )
    for batch in loader:
        shown = [each["instances"] for each in batch]
        yield (
            [tuple(each["image"].shape[-2:]) for each in batch],
            sum(len(each) for each in shown if each.has("gt_masks")),
        )


SIDES: dict[str, Callable[[Path, bool, int], Iterator[tuple[Sizes, int]]]] = {
    "ours": ours,
    "torchvision": torchvision,
    "detectron2": detectron2,
}


def available_peers() -> list[str]:
    return [peer for peer in PEERS if find_spec(peer) is not None]
