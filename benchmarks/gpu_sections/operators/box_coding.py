"""Boxes of deltas, and deltas of boxes."""

from __future__ import annotations

import torch
from kernel_cases.decode_boxes import WEIGHTS
from kernel_cases.inputs import boxes_of
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder, encode_boxes

from benchsuite_kernels import ops
from gpu_sections.operators.case import Case, Inputs, Size


def regions(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    count = size.of(1000, 30)
    generator = torch.Generator().manual_seed(seed)
    deltas = torch.randn(count, size.of(80, 3), 4, generator=generator)
    return deltas.to(dtype), boxes_of(count, 60, 0.2, seed)


def decoded(deltas: Tensor, boxes: Tensor) -> Tensor:
    return ops.decode_boxes(deltas, boxes[:, None], WEIGHTS)


def decoded_by_torchvision(deltas: Tensor, boxes: Tensor) -> Tensor:
    return BoxCoder(WEIGHTS).decode(deltas.float().flatten(1), [boxes])


def matched(seed: int, dtype: torch.dtype, size: Size) -> Inputs:
    count = size.of(4096, 30)
    return boxes_of(count, 60, 0.2, seed), boxes_of(count, 60, 0.1, seed)


def encoded(targets: Tensor, boxes: Tensor) -> Tensor:
    return ops.encode_boxes(targets, boxes, WEIGHTS)


def encoded_by_torchvision(targets: Tensor, boxes: Tensor) -> Tensor:
    return encode_boxes(targets, boxes, torch.tensor(WEIGHTS, device=boxes.device))


CASES = [
    Case(
        "decode_boxes/1000x80",
        regions,
        decoded,
        {"torchvision": decoded_by_torchvision},
        plain=decoded_by_torchvision,
    ),
    Case(
        "encode_boxes/4096",
        matched,
        encoded,
        {"torchvision": encoded_by_torchvision},
        plain=encoded_by_torchvision,
        dtypes=(torch.float32,),
        expected=torch.float32,  # the difference of two centres is as exact as the centres are
    ),
]
