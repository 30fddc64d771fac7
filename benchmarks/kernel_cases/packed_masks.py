"""Packed masks of an image: overlaps of all pairs and their run lengths, beside pycocotools."""

from __future__ import annotations

import numpy as np
import torch
from measuring.sides import Case
from pycocotools import mask as pycocotools_mask
from torch import Tensor

from benchsuite_kernels import ops
from kernel_cases.inputs import HEIGHT, WIDTH
from kernel_cases.paste_to_rle import inputs


def pasted(count: int) -> tuple[Tensor, list[bytes]]:
    """Packed, and as run lengths."""
    arguments = (*inputs(count), torch.zeros(count, dtype=torch.int64), [(HEIGHT, WIDTH)])
    return ops.paste_masks_to_packed(*arguments), ops.paste_masks_to_rle(*arguments)


def equal(ours: Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_array_equal(ours.numpy(), theirs)


def overlaps(count: int) -> Case:
    bits, counts = pasted(count)
    encoded = [{"size": [HEIGHT, WIDTH], "counts": each} for each in counts]
    nobody = [False] * count
    return Case(
        "pycocotools",
        lambda: ops.packed_iou(bits, bits),
        lambda: pycocotools_mask.iou(encoded, encoded, nobody),
        equal,
    )


def encoded(count: int) -> Case:
    bits, _ = pasted(count)
    whole = np.asfortranarray(ops.unpack_masks(bits, HEIGHT, WIDTH).permute(1, 2, 0).byte().numpy())

    def check(ours: list[bytes], theirs: list[dict[str, bytes]]) -> None:
        assert ours == [each["counts"] for each in theirs]

    return Case(
        "pycocotools",
        lambda: ops.packed_to_rle(bits, [(HEIGHT, WIDTH)] * count),
        lambda: pycocotools_mask.encode(whole),
        check,
    )


def dispatch() -> Case:
    bits = torch.ones((1, 1), dtype=torch.int64)
    return Case(
        "torch",
        lambda: ops.packed_area(bits),
        lambda: (bits & 1).sum(dim=1),
        lambda ours, theirs: equal(ours, theirs.numpy()),
    )


CASES = {
    "packed_masks/iou_100x100": lambda: overlaps(100),
    "packed_masks/encode_100": lambda: encoded(100),
    "dispatch/packed_masks": dispatch,
}
