"""From decoded images to the network's input, to the conventions of torchvision's detectors.

They normalise first, values of 0 to 1, and then resize by a bilinear filter that does not smooth
when shrinking; Detectron2 (``image_input``) does the two the other way round, and smooths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite.records import Image
from benchsuite_plugins.models.image_input import ImageBatch


@dataclass(frozen=True, slots=True)
class TorchvisionInputOptions:
    """From an RGB image to the network's input.

    Attributes:
        min_size_test: the shorter side after the resize ...
        max_size_test: ... unless the longer one would pass this, which then rules.
        image_mean, image_std: subtracted from, then divided into values of 0 to 1; red first.
    """

    min_size_test: int = 800
    max_size_test: int = 1333
    image_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    image_std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class TorchvisionInput:
    """Normalises, resizes, pads to a batch.

    Args:
        size_divisibility: the padded height and width are multiples of it.
    """

    def __init__(self, options: TorchvisionInputOptions, size_divisibility: int) -> None:
        self.options = options
        self.size_divisibility = size_divisibility

    def __call__(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """The batch, on ``device``, resized as for inference.

        Args:
            images: at least one.
        """
        return self._batch(
            [self._resize(self._normalize(image, device)) for image in images], images, device
        )

    def without_resize(self, images: Sequence[Image], device: torch.device) -> ImageBatch:
        """The batch, on ``device``, of images that have the size the network shall see.

        Args:
            images: at least one.
        """
        return self._batch([self._normalize(image, device) for image in images], images, device)

    def resized(self, image: Image) -> Image:
        """The image as large as the network sees it in inference, rounded to uint8."""
        pixels = torch.tensor(image.pixels).permute(2, 0, 1).float()
        rounded = self._resize(pixels).round().to(torch.uint8)
        return replace(image, pixels=rounded.permute(1, 2, 0).contiguous().numpy())

    def _batch(
        self, resized: Sequence[Tensor], images: Sequence[Image], device: torch.device
    ) -> ImageBatch:
        sizes = [pixels.shape[-2:] for pixels in resized]
        height, width = (
            -(-max(side) // self.size_divisibility) * self.size_divisibility
            for side in zip(*sizes, strict=True)
        )
        batch = torch.zeros((len(images), 3, height, width), device=device)
        for padded, pixels in zip(batch, resized, strict=True):
            padded[:, : pixels.shape[1], : pixels.shape[2]] = pixels
        return ImageBatch(
            batch,
            torch.tensor(sizes, device=device).float(),
            torch.tensor([[i.height, i.width] for i in images], device=device).float(),
        )

    def _normalize(self, image: Image, device: torch.device) -> Tensor:
        """(H, W, 3) uint8 to (3, H, W) float32."""
        mean = torch.tensor(self.options.image_mean, device=device).view(3, 1, 1)
        std = torch.tensor(self.options.image_std, device=device).view(3, 1, 1)
        pixels = torch.tensor(image.pixels, device=device).permute(2, 0, 1)
        return pixels.float().div_(255).sub_(mean).div_(std)

    def _resize(self, pixels: Tensor) -> Tensor:
        """(3, H, W) to (3, h, w)."""
        height, width = pixels.shape[-2:]
        size = scaled_size(height, width, self.options.min_size_test, self.options.max_size_test)
        resized: Tensor = F.interpolate(
            pixels[None], size=size, mode="bilinear", align_corners=False
        )
        return resized[0]

    def describe(self) -> Mapping[str, Any]:
        """What a result depends on, as JSON-able values."""
        return {
            "resize": {
                "short_side": self.options.min_size_test,
                "long_side": self.options.max_size_test,
                "filter": "torch bilinear without smoothing, on normalised float32",
            },
            "format": "RGB, 0 to 1",
            "mean": list(self.options.image_mean),
            "std": list(self.options.image_std),
            "padding": {
                "where": "right and bottom, after normalising",
                "value": 0,
                "multiple_of": self.size_divisibility,
            },
        }


def scaled_size(height: int, width: int, short: int, long: int) -> tuple[int, int]:
    """Height and width of an image whose shorter side becomes ``short``, unless the longer one
    would pass ``long``: then that one becomes ``long``.

    Fractions are cut off (so that ``short`` may be missed by one). No side becomes less than one
    pixel, where torchvision fails.
    """
    scale = min(short / min(height, width), long / max(height, width))
    return max(floor(height * scale), 1), max(floor(width * scale), 1)
