"""From a semantic head's logits to the class of every pixel of the image as it was given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

ELEMENTS_AT_ONCE = 1 << 24
"""Upper bound of the upsampled logits that are held at a time (unless one class has more)."""


@dataclass(frozen=True, slots=True)
class SemanticOutputs:
    """What a semantic head leaves on the device.

    Attributes:
        logits: (N, K, H / stride, W / stride) for the padded input's H x W.
        stride: input pixels a cell of ``logits``.
        sizes, original_sizes: as in ``ImageBatch``.
    """

    logits: Tensor
    stride: int
    sizes: Tensor
    original_sizes: Tensor


def semantic_maps(outputs: SemanticOutputs) -> list[NDArray[np.uint8] | NDArray[np.int32]]:
    """``semantic_labels`` in the host's memory."""
    return [labels.cpu().numpy() for labels in semantic_labels(outputs)]


def semantic_labels(outputs: SemanticOutputs) -> list[Tensor]:
    """The best class of every pixel, for each image: (height, width), of its original size, on the
    logits' device.

    uint8 where all classes fit beside 255, the "none" of ``Prediction``; int32 where not.
    """
    count = outputs.logits.shape[1]
    sizes, originals = (s.long().tolist() for s in (outputs.sizes, outputs.original_sizes))
    return [
        best_class(logits, outputs.stride, (size[0], size[1]), (original[0], original[1])).to(
            torch.uint8 if count <= 255 else torch.int32
        )
        for logits, size, original in zip(outputs.logits, sizes, originals, strict=True)
    ]


def best_class(
    logits: Tensor, stride: int, size: tuple[int, int], original_size: tuple[int, int]
) -> Tensor:
    """The best class of every pixel; the first of equal ones.

    Logits are upsampled to the padded input, cut to the resized image, and resized to the original
    one, bilinearly both times. Classes go a few at a time: all of them at full size would take
    gigabytes for a large image.

    Args:
        logits: (K, h, w) floating.
        stride: input pixels a cell.
        size: height and width of the resized image, before padding.
        original_size: height and width of the result.

    Returns:
        ``original_size`` int64.
    """
    height, width = size
    largest = max(logits[0].numel() * stride**2, original_size[0] * original_size[1])
    best = logits.new_full(original_size, -torch.inf, dtype=torch.float32)
    label = torch.zeros(original_size, dtype=torch.int64, device=logits.device)
    count = max(1, ELEMENTS_AT_ONCE // largest)
    for first in range(0, len(logits), count):
        upsampled = F.interpolate(
            logits[None, first : first + count].float(),
            scale_factor=float(stride),
            mode="bilinear",
            align_corners=False,
        )
        resized = F.interpolate(
            upsampled[..., :height, :width], original_size, mode="bilinear", align_corners=False
        )
        value, index = resized[0].max(dim=0)
        label = torch.where(value > best, index + first, label)
        best = torch.maximum(best, value)
    return label
