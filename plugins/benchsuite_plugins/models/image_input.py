"""From decoded images to the network's input: resize, normalise, pad to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchsuite.records import Image
from benchsuite_kernels import ops
from benchsuite_kernels.pixels.resize import resize_bilinear
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

    Attributes:
        channels_last: whether the channels of a batch lie beside each other in memory; which does
            not change a value.
    """

    def __init__(self, options: InputOptions, padding: int | Padding) -> None:
        self.options = options
        self.padding = PadToMultiple(padding) if isinstance(padding, int) else padding
        self.channels_last = False

    def __call__(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """The batch, on ``device``, resized as for inference.

        Args:
            images: at least one.
        """
        return self._batch(images, [self._size(image.pixels) for image in images], device)

    def without_resize(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """The batch, on ``device``, of images that have the size the network shall see.

        Args:
            images: at least one.
        """
        return self._batch(images, [image.pixels.shape[:2] for image in images], device)

    def _batch(
        self, images: Sequence[Image], sizes: Sequence[tuple[int, int]], device: torch.device
    ) -> ImageBatch:
        pixels = ops.resize_normalise_pad(
            [_shared(image.pixels).to(device) for image in images],
            sizes,
            self.padding(*(max(size[axis] for size in sizes) for axis in (0, 1))),
            mean=self.options.pixel_mean,
            std=self.options.pixel_std,
            reverse_channels=self._reversed,
            channels_last=self.channels_last,
        )
        return ImageBatch(
            pixels,
            torch.tensor(sizes, device=device).float(),
            torch.tensor([[i.height, i.width] for i in images], device=device).float(),
        )

    def resize(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) RGB to (h, w, 3) in the network's channel order."""
        resized = resize_bilinear(pixels, self._size(pixels))
        return np.ascontiguousarray(resized[:, :, ::-1] if self._reversed else resized)

    def resized(self, image: Image) -> Image:
        """The image as large as the network sees it in inference."""
        return replace(image, pixels=resize_bilinear(image.pixels, self._size(image.pixels)))

    def _size(self, pixels: NDArray[np.uint8]) -> tuple[int, int]:
        """Height and width of an image after the resize."""
        short, long = self.options.min_size_test, self.options.max_size_test
        return shortest_edge_size(*pixels.shape[:2], short, long)

    @property
    def _reversed(self) -> bool:
        """Whether the network's channel order is not that of images."""
        return self.options.format == "BGR"

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


def _shared(pixels: NDArray[np.uint8]) -> Tensor:
    """The pixels as a tensor of the same memory, where torch can read it so."""
    if not pixels.flags.writeable or min(pixels.strides) < 0:
        pixels = pixels.copy()
    return torch.from_numpy(pixels)


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
