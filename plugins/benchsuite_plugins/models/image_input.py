"""From decoded images to the network's input: resize, normalise, pad to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.records import Image
from benchsuite_plugins.models.image_padding import Padding, PadToMultiple
from benchsuite_plugins.models.options import InputOptions


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Images as the network takes them.

    Attributes:
        pixels: (N, 3, H, W) float32, normalised, padded with zeros on the right and bottom.
        sizes: (N, 2) float32, height and width of each resized image before padding.
        original_sizes: (N, 2) float32, height and width of each image as it was given.
    """

    pixels: Tensor
    sizes: Tensor
    original_sizes: Tensor


class Preprocessing(Protocol):
    """What a model needs of its input."""

    def __call__(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """At least one image to a batch on ``device``, resized as for inference."""

    def without_resize(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """The same of images that have the size the network shall see."""

    def resized(self, image: Image) -> Image:
        """An image as large as the network sees it in inference: what ``without_resize`` takes."""

    def describe(self) -> Mapping[str, Any]:
        """What a result depends on, as JSON-able values."""


class ImageInput:
    """Resizes with Pillow's bilinear filter (which smooths when shrinking) on uint8, as published
    numbers are made; other libraries' bilinear filters differ visibly.

    Args:
        padding: how large a batch is; an integer: its height and width are multiples of it.
    """

    def __init__(self, options: InputOptions, padding: int | Padding) -> None:
        self.options = options
        self.padding = PadToMultiple(padding) if isinstance(padding, int) else padding

    def __call__(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """The batch, on ``device``, resized as for inference.

        Args:
            images: at least one.
        """
        return self._batch([self.resize(image.pixels) for image in images], images, device)

    def without_resize(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """The batch, on ``device``, of images that have the size the network shall see.

        Args:
            images: at least one.
        """
        return self._batch([self._reorder(image.pixels) for image in images], images, device)

    def _batch(
        self,
        resized: Sequence[NDArray[np.uint8]],
        images: Sequence[Image],
        device: torch.device,
    ) -> ImageBatch:
        height, width = self.padding(*(max(p.shape[axis] for p in resized) for axis in (0, 1)))
        mean = torch.tensor(self.options.pixel_mean, device=device).view(3, 1, 1)
        std = torch.tensor(self.options.pixel_std, device=device).view(3, 1, 1)
        batch = torch.zeros((len(images), 3, height, width), device=device)
        for padded, pixels in zip(batch, resized, strict=True):
            channels_first = torch.from_numpy(pixels).to(device).permute(2, 0, 1)
            padded[:, : pixels.shape[0], : pixels.shape[1]] = (channels_first - mean) / std
        return ImageBatch(
            batch,
            torch.tensor([pixels.shape[:2] for pixels in resized], device=device).float(),
            torch.tensor([[i.height, i.width] for i in images], device=device).float(),
        )

    def resize(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) RGB to (h, w, 3) in the network's channel order."""
        return self._reorder(self._scale(pixels))

    def resized(self, image: Image) -> Image:
        """The image as large as the network sees it in inference."""
        return replace(image, pixels=self._scale(image.pixels))

    def _scale(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = shortest_edge_size(
            pixels.shape[0],
            pixels.shape[1],
            self.options.min_size_test,
            self.options.max_size_test,
        )
        image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
        return np.array(image.resize((width, height), PIL.Image.Resampling.BILINEAR))

    def _reorder(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB to the network's channel order."""
        return np.ascontiguousarray(pixels[:, :, ::-1] if self.options.format == "BGR" else pixels)

    def describe(self) -> Mapping[str, Any]:
        """What a result depends on, as JSON-able values."""
        return {
            "resize": {
                "short_side": self.options.min_size_test,
                "long_side": self.options.max_size_test,
                "filter": "Pillow bilinear on uint8",
            },
            "format": self.options.format,
            "mean": list(self.options.pixel_mean),
            "std": list(self.options.pixel_std),
            "padding": {
                "where": "right and bottom, after normalising",
                "value": 0,
                **self.padding.describe(),
            },
        }


def shortest_edge_size(height: int, width: int, short: int, long: float) -> tuple[int, int]:
    """Height and width of an image whose shorter side becomes ``short``, unless the longer one
    would pass ``long``: then that one becomes ``long``.

    Halves are rounded up. No side becomes less than one pixel, however long the other.
    """
    scale = short / min(height, width)
    new_height, new_width = (
        (float(short), scale * width) if height < width else (scale * height, float(short))
    )
    if (longer := max(new_height, new_width)) > long:
        scale = long / longer
        new_height, new_width = new_height * scale, new_width * scale
    return max(int(new_height + 0.5), 1), max(int(new_width + 0.5), 1)
