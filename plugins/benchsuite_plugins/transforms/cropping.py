"""Crops, as Detectron2 draws them.

Boxes, masks and points are cut with the image: see ``benchsuite.training.augmentation.samples``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchsuite.errors import unknown_name
from benchsuite.training.augmentation.sample_tensors import SemanticMap
from benchsuite_plugins.transforms.resizing import image_size

CROP_TYPES = ("relative", "relative_range", "absolute", "absolute_range")


class RandomCrop(v2.Transform):
    """A rectangle, anywhere in the image.

    Args:
        crop_type: what the two numbers of ``crop_size`` mean. ``"relative"``: the height and width
            of the rectangle as shares of the image's. ``"relative_range"``: the least such shares;
            the shares are uniform from there to 1. ``"absolute"``: height and width in pixels.
            ``"absolute_range"``: the least and the most pixels of both sides, drawn apart. No side
            is longer than the image's.
    """

    def __init__(self, crop_type: str, crop_size: Sequence[float]) -> None:
        super().__init__()
        if crop_type not in CROP_TYPES:
            raise unknown_name("type of a crop", crop_type, CROP_TYPES)
        first, second = crop_size
        relative = crop_type.startswith("relative")
        if min(first, second) <= 0 or (relative and max(first, second) > 1):
            raise ValueError(f"a crop of {first} and {second} is impossible ({crop_type})")
        if crop_type == "absolute_range" and first > second:
            raise ValueError(f"a range ascends, unlike {first} to {second}")
        self.crop_type = crop_type
        self.crop_size = (first, second)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = image_size(flat_inputs)
        crop_height, crop_width = self.draw_size(height, width)
        return {
            "top": int(torch.randint(height - crop_height + 1, ())),
            "left": int(torch.randint(width - crop_width + 1, ())),
            "height": crop_height,
            "width": crop_width,
        }

    def draw_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the rectangle; at least a pixel each."""
        first, second = self.crop_size
        if self.crop_type == "absolute":
            return min(int(first), height), min(int(second), width)
        if self.crop_type == "absolute_range":
            return _between(first, second, height), _between(first, second, width)
        if self.crop_type == "relative_range":
            first, second = ((1 - u) * share + u for u, share in zip(_uniform(2), self.crop_size))
        return max(int(height * first + 0.5), 1), max(int(width * second + 0.5), 1)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.crop, inpt, **params)


class CategoryAreaCrop(RandomCrop):
    """A ``RandomCrop`` of whose labelled pixels no category has more than a share, where one is
    found in ten draws; else the last draw (Detectron2's ``RandomCrop_CategoryAreaConstraint``).

    Args:
        single_category_max_area: the share, of what is labelled in the crop; a crop with a single
            category has too much of it.
        ignored_category: a label that may have any share.
    """

    fields_needed = ("semantic",)
    draws = 10

    def __init__(
        self,
        crop_type: str,
        crop_size: Sequence[float],
        single_category_max_area: float = 1.0,
        ignored_category: int | None = None,
    ) -> None:
        super().__init__(crop_type, crop_size)
        if not 0 < single_category_max_area <= 1:
            raise ValueError(
                f"single_category_max_area is above 0 and at most 1, not {single_category_max_area}"
            )
        self.share = single_category_max_area
        self.ignored_category = -1 if ignored_category is None else ignored_category

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        params = super().make_params(flat_inputs)
        labels = next(each for each in flat_inputs if isinstance(each, SemanticMap))
        for _ in range(self.draws - 1):
            if self.share == 1 or self._is_varied(F.crop(labels, **params)):
                break
            params = super().make_params(flat_inputs)
        return params

    def _is_varied(self, labels: SemanticMap) -> bool:
        # Labels are raised by one, and 0 is to be ignored.
        found, areas = labels.as_subclass(Tensor).unique(return_counts=True)
        areas = areas[(found != 0) & (found != self.ignored_category + 1)]
        return len(areas) > 1 and int(areas.max()) < self.share * int(areas.sum())


class RandomExtent(v2.Transform):
    """A rectangle that may reach beyond the image, which is black there.

    Args:
        scale_range: least and greatest size of the rectangle, as shares of the image's.
        shift_range: how far its centre lies at most from the image's, in x and y: half of these
            shares of the image's width and height.
    """

    def __init__(self, scale_range: Sequence[float], shift_range: Sequence[float]) -> None:
        super().__init__()
        self.low, self.high = scale_range
        self.shift_x, self.shift_y = shift_range
        if not 0 < self.low <= self.high:
            raise ValueError(f"scales must be above 0 and ascend, unlike {list(scale_range)}")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = image_size(flat_inputs)
        scale, x, y = _uniform(3)
        scale = self.low + (self.high - self.low) * scale
        new_height, new_width = max(int(height * scale), 1), max(int(width * scale), 1)
        return {
            "top": round((height - new_height) / 2 + self.shift_y * height * (y - 0.5)),
            "left": round((width - new_width) / 2 + self.shift_x * width * (x - 0.5)),
            "height": new_height,
            "width": new_width,
        }

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.crop, inpt, **params)


class FixedSizeCrop(v2.Transform):
    """A rectangle of a size, anywhere in the image; an image that is smaller is padded at the right
    and at the bottom.

    Where both sides are longer than the rectangle's, it lies as far down as it lies to the right,
    as shares of what there is room for: one number is drawn.

    Args:
        crop_size: height and width in pixels.
        pad: whether a smaller image is padded, or stays as small.
        pad_value: the padding's grey, 0 to 255.
        seg_pad_value: the padding's label in a semantic map; 255 and -1: it is to be ignored.
    """

    def __init__(
        self,
        crop_size: Sequence[int],
        pad: bool = True,
        pad_value: float = 128.0,
        seg_pad_value: int = 255,
    ) -> None:
        super().__init__()
        self.crop_height, self.crop_width = crop_size
        if min(self.crop_height, self.crop_width) < 1:
            raise ValueError(f"a crop has at least a pixel, unlike {list(crop_size)}")
        if not 0 <= pad_value <= 255:
            raise ValueError(f"pad_value must be from 0 to 255, not {pad_value}")
        self.pad = pad
        self.pad_value = pad_value
        self.seg_pad_value = -1 if seg_pad_value == 255 else seg_pad_value

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = image_size(flat_inputs)
        room = max(height - self.crop_height, 0), max(width - self.crop_width, 0)
        drawn = float(torch.rand(()))
        return {
            "top": round(drawn * room[0]),
            "left": round(drawn * room[1]),
            "height": min(height, self.crop_height),
            "width": min(width, self.crop_width),
        }

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        cropped = self._call_kernel(F.crop, inpt, **params)
        below = self.crop_height - params["height"]
        beside = self.crop_width - params["width"]
        if not self.pad or below == beside == 0:
            return cropped
        if isinstance(cropped, tv_tensors.Image):
            return tv_tensors.Image(_padded(cropped, below, beside, self.pad_value))
        # Labels of a semantic map are raised by one.
        fill = self.seg_pad_value + 1 if isinstance(cropped, SemanticMap) else 0
        return self._call_kernel(F.pad, cropped, [0, 0, beside, below], fill=fill)


def _between(low: float, high: float, length: int) -> int:
    """A whole number between two, none above ``length``."""
    return int(torch.randint(min(length, int(low)), min(length, int(high)) + 1, ()))


def _uniform(count: int) -> list[float]:
    drawn: list[float] = torch.rand(count, dtype=torch.float64).tolist()
    return drawn


def _padded(image: Tensor, below: int, beside: int, value: float) -> Tensor:
    """(3, H, W) with rows and columns added, its memory channels last as an image's is."""
    plain = image.as_subclass(Tensor)
    height, width = plain.shape[-2:]
    padded = np.full((height + below, width + beside, len(plain)), value, np.uint8)
    padded[:height, :width] = plain.permute(1, 2, 0).numpy()
    return torch.from_numpy(padded).permute(2, 0, 1)
