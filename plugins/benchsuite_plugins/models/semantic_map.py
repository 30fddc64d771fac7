"""From a semantic head's logits to the class of every pixel of the image as it was given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchsuite_kernels import ops


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
    sizes, originals = (s.long().tolist() for s in (outputs.sizes, outputs.original_sizes))
    return [
        ops.semantic_argmax(logits, outputs.stride, tuple(size), tuple(original))
        for logits, size, original in zip(outputs.logits, sizes, originals, strict=True)
    ]
