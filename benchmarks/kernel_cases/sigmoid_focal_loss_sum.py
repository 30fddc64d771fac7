"""Focal loss of RetinaNet's finest level, forward and backward, beside torchvision's on one-hot
targets."""

from __future__ import annotations

import torch
from measuring.sides import Case
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss as torchvision_focal_loss

from benchsuite_kernels import ops

ANCHORS, CLASSES = 9, 80


def level(height: int, width: int, channels_last: bool) -> Case:
    generator = torch.Generator().manual_seed(6)
    logits = torch.randn((1, ANCHORS * CLASSES, height, width), generator=generator) * 2 - 4
    layout = torch.channels_last if channels_last else torch.contiguous_format
    logits = logits.contiguous(memory_format=layout).requires_grad_()
    labels = torch.full((1, height * width * ANCHORS), CLASSES)
    labels[:, ::500] = 3
    labels[:, 1::700] = -1

    def ours() -> tuple[Tensor, Tensor]:
        loss = ops.sigmoid_focal_loss_sum(logits, labels, CLASSES)
        return loss.detach(), torch.autograd.grad(loss, logits)[0]

    def theirs() -> tuple[Tensor, Tensor]:
        split = logits.view(1, ANCHORS, CLASSES, height, width)
        rows = split.permute(0, 3, 4, 1, 2).reshape(1, -1, CLASSES)
        targets = torch.zeros_like(rows)
        there = (labels >= 0) & (labels < CLASSES)
        targets[there, labels[there]] = 1
        counted = labels >= 0
        loss = torchvision_focal_loss(rows[counted], targets[counted], reduction="sum")
        return loss.detach(), torch.autograd.grad(loss, logits)[0]

    def check(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> None:
        torch.testing.assert_close(ours[0], theirs[0], rtol=1e-5, atol=1e-5)
        # In float32 theirs subtracts what is nearly alike.
        torch.testing.assert_close(ours[1], theirs[1], rtol=1e-4, atol=1e-7)

    return Case("torchvision", ours, theirs, check)


CASES = {
    "sigmoid_focal_loss_sum/720x100x167": lambda: level(100, 167, False),
    "sigmoid_focal_loss_sum/720x100x167_channels_last": lambda: level(100, 167, True),
    "dispatch/sigmoid_focal_loss_sum": lambda: level(1, 1, False),
}
