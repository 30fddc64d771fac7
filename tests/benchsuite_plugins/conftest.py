"""Data sets in their usual layouts, small and made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

CityscapesWriter = Callable[..., Path]


@pytest.fixture
def write_cityscapes(tmp_path: Path) -> CityscapesWriter:
    """Writes a split of Cityscapes; returns the folder that datasets lie in.

    It takes frame names to (H, W) instance maps, the kinds of annotation files to write and,
    with ``images``, whether to write images too. Label maps are what the instance maps say.
    """

    def write(
        frames: Mapping[str, np.ndarray],
        split: str = "val",
        kinds: tuple[str, ...] = ("instanceIds", "labelIds"),
        images: bool = True,
    ) -> Path:
        from benchsuite_plugins.datasets.cityscapes.labels import LABELS

        root = tmp_path / "datasets"
        train_ids = np.array([label.train_id for label in LABELS], np.uint8)
        for name, numbers in frames.items():
            city = name.partition("_")[0]
            numbers = numbers.astype(np.uint16)
            labels = np.where(numbers < 1000, numbers, numbers // 1000).astype(np.uint8)
            maps = {"instanceIds": numbers, "labelIds": labels}
            if "labelTrainIds" in kinds:
                maps["labelTrainIds"] = train_ids[labels]
            folder = root / "cityscapes" / "gtFine" / split / city
            folder.mkdir(parents=True, exist_ok=True)
            for kind in kinds:
                PIL.Image.fromarray(maps[kind]).save(folder / f"{name}_gtFine_{kind}.png")
            if images:
                folder = root / "cityscapes" / "leftImg8bit" / split / city
                folder.mkdir(parents=True, exist_ok=True)
                pixels = np.zeros((*numbers.shape, 3), np.uint8)
                PIL.Image.fromarray(pixels).save(folder / f"{name}_leftImg8bit.png")
        return root

    return write
