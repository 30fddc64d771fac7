"""Masks that are pasted once, and both encoded and merged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchsuite_kernels import ops


class PackedPaste:
    """Pastes masks as ``ops.paste_masks_to_rle`` does, and keeps them on their device.

    Attributes:
        bits: (R, words) int64, packed masks of the last call.
    """

    def __init__(self) -> None:
        self.bits = torch.zeros((0, 0), dtype=torch.int64)

    def __call__(
        self, masks: Tensor, boxes: Tensor, image_index: Tensor, sizes: Sequence[tuple[int, int]]
    ) -> list[bytes]:
        """The COCO RLE of each mask; arguments as of ``ops.paste_masks_to_rle``."""
        self.bits = ops.paste_masks_to_packed(masks, boxes, image_index, sizes)
        return ops.packed_to_rle(self.bits, [sizes[image] for image in image_index.tolist()])
