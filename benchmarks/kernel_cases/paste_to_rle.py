"""Masks of 28 x 28 to RLE of the whole image, beside pasting whole masks and encoding those."""

from __future__ import annotations

import numpy as np
import torch
from measuring.sides import Case
from pycocotools import mask as pycocotools_mask
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.models.detection.roi_heads import paste_masks_in_image

from benchsuite_kernels import ops
from benchsuite_kernels.columns import rle
from kernel_cases.inputs import HEIGHT, WIDTH, boxes_of


def inputs(count: int) -> tuple[Tensor, Tensor]:
    """Ragged round masks of 28 x 28 probabilities, and their boxes."""
    boxes = boxes_of(count, max(count, 1), 0.0, seed=4)
    random = np.random.default_rng(5)
    at = np.linspace(-1, 1, 28)
    radius = np.hypot(at[:, None], at)
    logits = 10 * (0.8 - radius) + 2 * random.standard_normal((count, 28, 28))
    return torch.sigmoid(torch.from_numpy(logits.astype(np.float32))), boxes


def encoded(masks: Tensor) -> list[bytes]:
    """The RLE of (N, H, W) bool masks, by pycocotools."""
    columns = np.asfortranarray(masks.numpy().transpose(1, 2, 0).view(np.uint8))
    return [part["counts"] for part in pycocotools_mask.encode(columns)]


def beside_torchvision(count: int) -> Case:
    masks, boxes = inputs(count)
    image = torch.zeros(count, dtype=torch.int64)

    def check(ours: list[bytes], theirs: list[bytes]) -> None:
        # torchvision moves boxes to whole pixels, so edges differ by up to a pixel.
        assert len(ours) == len(theirs) == count
        for a, b, box in zip(ours, theirs, boxes):
            inside = [rle.decode(counts, (HEIGHT, WIDTH)) for counts in (a, b)]
            perimeter = 2 * float((box[2:] - box[:2]).sum())
            assert (inside[0] != inside[1]).sum() < 2 * perimeter

    return Case(
        "torchvision",
        lambda: ops.paste_masks_to_rle(masks, boxes, image, [(HEIGHT, WIDTH)]),
        lambda: encoded(paste_masks_in_image(masks[:, None], boxes, (HEIGHT, WIDTH))[:, 0] >= 0.5),
        check,
    )


def beside_grid_sample() -> Case:
    masks, boxes = inputs(100)
    image = torch.zeros(100, dtype=torch.int64)
    x, y = torch.arange(WIDTH) + 0.5, torch.arange(HEIGHT) + 0.5

    def theirs() -> list[bytes]:
        at_x = (x - boxes[:, 0:1]) / (boxes[:, 2:3] - boxes[:, 0:1]) * 2 - 1
        at_y = (y - boxes[:, 1:2]) / (boxes[:, 3:4] - boxes[:, 1:2]) * 2 - 1
        size = (len(boxes), HEIGHT, WIDTH)
        grid = torch.stack([at_x[:, None, :].expand(size), at_y[:, :, None].expand(size)], dim=3)
        return encoded(grid_sample(masks[:, None], grid, align_corners=False)[:, 0] >= 0.5)

    def check(ours: list[bytes], theirs: list[bytes]) -> None:
        assert ours == theirs

    return Case(
        "grid_sample",
        lambda: ops.paste_masks_to_rle(masks, boxes, image, [(HEIGHT, WIDTH)]),
        theirs,
        check,
    )


CASES = {
    "paste_to_rle/100": lambda: beside_torchvision(100),
    "paste_to_rle/100_same_convention": beside_grid_sample,
    "dispatch/paste_to_rle": lambda: beside_torchvision(0),
}
