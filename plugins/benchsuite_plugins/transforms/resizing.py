"""Resizing with Pillow, to sizes drawn anew for each image: what published recipes train with.

Images are uint8 and resized by one of Pillow's filters, exactly as models resize them at test time;
masks and semantic maps take the nearest pixel, by Pillow's arithmetic. torchvision's
``RandomShortestSize`` takes a fifth of the time and differs from Pillow by one in some bytes.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchsuite.errors import unknown_name
from benchsuite_kernels.pixels.resize import resize_bilinear
from benchsuite_plugins.models.image_input import shortest_edge_size

FILTERS = {
    "nearest": PIL.Image.Resampling.NEAREST,
    "box": PIL.Image.Resampling.BOX,
    "bilinear": PIL.Image.Resampling.BILINEAR,
    "bicubic": PIL.Image.Resampling.BICUBIC,
    "lanczos": PIL.Image.Resampling.LANCZOS,
}


class PillowResize(v2.Transform):
    """Resizes a whole sample to the size that ``draw_size`` says.

    Args:
        interpolation: Pillow's filter for the image, ``"bilinear"`` or ``"bilinear (Pillow)"``.
    """

    def __init__(self, interpolation: str) -> None:
        super().__init__()
        name = interpolation.removesuffix("(Pillow)").strip()
        if name not in FILTERS:
            raise unknown_name("interpolation", interpolation, FILTERS)
        self.interpolation = name

    @abstractmethod
    def draw_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result, both at least 1."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"size": self.draw_size(*image_size(flat_inputs))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return resize(inpt, params["size"], self.interpolation)


class ResizeShortestEdge(PillowResize):
    """The shorter side becomes as long as drawn, unless the longer one would pass ``max_size``.

    Args:
        min_size: one length in pixels, or several.
        max_size: of the longer side; ``None``: there is no bound.
        sampling: ``"choice"``: one of ``min_size``; ``"range"``: any whole number from the first to
            the second, both included.
    """

    def __init__(
        self,
        min_size: int | Sequence[int],
        max_size: int | None = None,
        sampling: str = "choice",
        interpolation: str = "bilinear",
    ) -> None:
        super().__init__(interpolation)
        self.min_size = (min_size,) if isinstance(min_size, int) else tuple(min_size)
        self.max_size = max_size
        self.sampling = sampling
        if sampling not in ("choice", "range"):
            raise unknown_name("sampling", sampling, ("choice", "range"))
        if not self.min_size or min(self.min_size) < 1:
            raise ValueError(f"min_size must be lengths of at least a pixel, not {min_size}")
        if sampling == "range" and (len(self.min_size) != 2 or np.diff(self.min_size) < 0):
            raise ValueError(f"a range has a lower and an upper end, unlike {min_size}")

    def draw_size(self, height: int, width: int) -> tuple[int, int]:
        if self.sampling == "choice":
            short = self.min_size[int(torch.randint(len(self.min_size), ()))]
        else:
            low, high = self.min_size
            short = int(torch.randint(low, high + 1, ()))
        return shortest_edge_size(height, width, short, self.max_size or math.inf)


class ResizeScale(PillowResize):
    """Scaled to fit into a rectangle, then by a number drawn; with ``FixedSizeCrop`` after it, the
    large-scale jitter of Ghiasi et al. ("Simple Copy-Paste", 2021).

    Args:
        min_scale, max_scale: the number is uniform between them.
        target_height, target_width: the rectangle, in pixels.
    """

    def __init__(
        self,
        min_scale: float,
        max_scale: float,
        target_height: int,
        target_width: int,
        interpolation: str = "bilinear",
    ) -> None:
        super().__init__(interpolation)
        if not 0 < min_scale <= max_scale:
            raise ValueError(f"scales must be above 0 and ascend, unlike {min_scale}, {max_scale}")
        self.min_scale, self.max_scale = min_scale, max_scale
        self.target_height, self.target_width = target_height, target_width

    def draw_size(self, height: int, width: int) -> tuple[int, int]:
        drawn = self.min_scale + (self.max_scale - self.min_scale) * float(torch.rand(()))
        scale = drawn * min(self.target_height / height, self.target_width / width)
        return max(round(height * scale), 1), max(round(width * scale), 1)


def image_size(flat_inputs: Sequence[Any]) -> tuple[int, int]:
    """Height and width of the image among a sample's values."""
    image = next(each for each in flat_inputs if isinstance(each, tv_tensors.Image))
    height, width = image.shape[-2:]
    return height, width


def resize(inpt: Any, size: tuple[int, int], interpolation: str) -> Any:
    """One value of a sample, resized.

    Args:
        size: height and width.
        interpolation: a key of ``FILTERS``, for the image.
    """
    if isinstance(inpt, tv_tensors.Image) and inpt.dtype == torch.uint8:
        return tv_tensors.Image(_resize_pixels(inpt.as_subclass(Tensor), size, interpolation))
    if isinstance(inpt, tv_tensors.Mask):
        height, width = inpt.shape[-2:]
        rows, columns = (
            torch.from_numpy(_nearest(*lengths))
            for lengths in ((height, size[0]), (width, size[1]))
        )
        nearest = inpt.as_subclass(Tensor).index_select(-2, rows).index_select(-1, columns)
        return nearest.as_subclass(type(inpt))
    return F.resize(inpt, list(size))


def _resize_pixels(image: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    """(3, H, W) to (3, h, w), its memory channels last, which costs no copy here nor later."""
    if tuple(image.shape[-2:]) == size:
        return image
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    if interpolation == "bilinear":
        return torch.from_numpy(resize_bilinear(pixels, size)).permute(2, 0, 1)
    picture = PIL.Image.fromarray(pixels).resize(size[::-1], FILTERS[interpolation])
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def _nearest(length: int, new_length: int) -> NDArray[np.int64]:
    """(new_length,): which of ``length`` pixels each new one takes.

    Pillow adds up the step from one to the next, and so is followed here: where a pixel's centre
    falls on an edge, rounding decides.
    """
    steps = np.full(new_length, length / new_length)
    steps[0] *= 0.5
    return np.cumsum(steps).astype(np.int64)
