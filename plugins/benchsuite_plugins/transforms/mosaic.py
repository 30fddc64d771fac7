"""Mosaic (YOLOv4, Bochkovskiy et al. 2020): four images round a point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchsuite.errors import unknown_name
from benchsuite.training.augmentation.sample_instances import Sample, joined_instances
from benchsuite.training.augmentation.sample_tensors import Regions, SemanticMap
from benchsuite_plugins.transforms.resizing import FILTERS, resize


class Mosaic(v2.Transform):
    """One image left above a point, and three others round it.

    Each is scaled to fit half of the height and width of the result, and touches the point with a
    corner; what reaches beyond the result is cut off, what none covers is of one grey. The point is
    drawn from the middle half of both sides.

    Args:
        target_height, target_width: of the result, in pixels.
        prob: how often it is made.
        pad_value: the grey, 0 to 255.
        interpolation: Pillow's filter for the images.
    """

    examples_needed = 3

    def __init__(
        self,
        target_height: int,
        target_width: int,
        prob: float = 1.0,
        pad_value: int = 114,
        interpolation: str = "bilinear",
    ) -> None:
        super().__init__()
        if min(target_height, target_width) < 4:
            raise ValueError(f"{target_height} x {target_width} has no room for four images")
        if interpolation not in FILTERS:
            raise unknown_name("interpolation", interpolation, FILTERS)
        self.height, self.width = target_height, target_width
        self.prob, self.pad_value, self.interpolation = prob, pad_value, interpolation

    def forward(self, samples: Sequence[Sample]) -> Sample:
        """The mosaic of four samples."""
        if float(torch.rand(())) >= self.prob:
            return samples[0]
        centre = tuple(
            int(torch.randint(side // 4, side - side // 4 + 1, ()))
            for side in (self.height, self.width)
        )
        tiles = []
        ground = np.full((self.height, self.width, 3), self.pad_value, np.uint8)
        image = torch.from_numpy(ground).permute(2, 0, 1)
        semantic = torch.zeros((self.height, self.width), dtype=torch.int32)
        for place, sample in enumerate(samples):
            tile, window = self._tile(sample, place, centre)
            image[:, *window] = tile.pop("image").as_subclass(Tensor)
            if "semantic" in tile:
                semantic[window] = tile.pop("semantic").as_subclass(Tensor).int()
            tiles.append(self._on_canvas(tile, window))
        mosaic = {"image": tv_tensors.Image(image), **joined_instances(tiles)}
        if "semantic" in samples[0]:
            mosaic["semantic"] = SemanticMap(semantic)
        if "proposals" in samples[0]:
            corners = torch.cat([tile["proposals"].as_subclass(Tensor) for tile in tiles])
            mosaic["proposals"] = Regions(corners, canvas_size=(self.height, self.width))
        return mosaic

    def _tile(
        self, sample: Sample, place: int, centre: tuple[int, ...]
    ) -> tuple[Sample, tuple[slice, slice]]:
        """A sample scaled and cut, and where it goes."""
        height, width = sample["boxes"].canvas_size
        scale = min(self.height / 2 / height, self.width / 2 / width)
        size = max(round(height * scale), 1), max(round(width * scale), 1)
        sides = (self.height, self.width)
        after = (place >= 2, place % 2 == 1)
        starts = [at if beyond else at - length for at, beyond, length in zip(centre, after, size)]
        window = tuple(
            slice(max(start, 0), min(start + length, side))
            for start, length, side in zip(starts, size, sides)
        )
        (top, left), (rows, columns) = starts, window
        tile = {
            key: F.crop(
                resize(value, size, self.interpolation),
                top=rows.start - top,
                left=columns.start - left,
                height=rows.stop - rows.start,
                width=columns.stop - columns.start,
            )
            if isinstance(value, tv_tensors.TVTensor)
            else value
            for key, value in sample.items()
        }
        return tile, (rows, columns)

    def _on_canvas(self, tile: Sample, window: tuple[slice, slice]) -> Sample:
        rows, columns = window
        right, bottom = self.width - columns.stop, self.height - rows.stop
        padding = [columns.start, rows.start, right, bottom]
        return {
            key: F.pad(value, padding) if isinstance(value, tv_tensors.TVTensor) else value
            for key, value in tile.items()
        }
