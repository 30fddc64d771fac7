"""Boxes of deltas, and deltas of boxes, beside torchvision's coder."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder, encode_boxes

from benchsuite_kernels import ops
from kernel_cases.inputs import boxes_of

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-3)


def decoded(count: int, classes: int) -> Case:
    boxes = boxes_of(count, 60, 0.2, seed=10)
    generator = torch.Generator().manual_seed(11)
    deltas = torch.randn(count, classes, 4, generator=generator)
    flat, coder = deltas.flatten(1), BoxCoder(WEIGHTS)
    return Case(
        "torchvision",
        lambda: ops.decode_boxes(deltas, boxes[:, None], WEIGHTS),
        lambda: coder.decode(flat, [boxes]),
        close,
    )


def encoded(count: int) -> Case:
    targets, boxes = boxes_of(count, 60, 0.2, seed=12), boxes_of(count, 60, 0.1, seed=12)
    weights = torch.tensor(WEIGHTS)
    return Case(
        "torchvision",
        lambda: ops.encode_boxes(targets, boxes, WEIGHTS),
        lambda: encode_boxes(targets, boxes, weights),
        close,
    )


CASES = {
    "decode_boxes/1000x80": lambda: decoded(1000, 80),
    "decode_boxes/1000x1": lambda: decoded(1000, 1),
    "encode_boxes/512": lambda: encoded(512),
    "dispatch/decode_boxes": lambda: decoded(1, 1),
    "dispatch/encode_boxes": lambda: encoded(1),
}
