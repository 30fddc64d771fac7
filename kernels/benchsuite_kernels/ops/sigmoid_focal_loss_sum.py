"""Focal loss of a head's output as it lies, summed: no one-hot targets, no losses in memory.

Source: Lin et al., "Focal loss for dense object detection" (2017).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register, register_gradient
from benchsuite_kernels.ops.sigmoid_focal_loss import THREADS, blocks_for, terms, weights
from benchsuite_kernels.ops.tensors import stored

CLASSES = 16
"""``kClasses`` of the CUDA source."""


def sigmoid_focal_loss_sum(
    logits: Tensor, labels: Tensor, num_classes: int, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """The sum of ``sigmoid_focal_loss`` over the logits of all anchors that count.

    Args:
        logits: (N, A * K, H, W), floating, contiguous or channels last: of each of A anchors the K
            classes.
        labels: (N, H * W * A) int64, anchors innermost: a class, 0 to K - 1; K or more where
            none is there; negative for what does not count, whatever its logits are.
        num_classes: K.
        alpha: weight of a class that is there, the others having ``1 - alpha``; negative: all
            weigh 1.
        gamma: how fast what is nearly right loses weight; 0: cross entropy.

    Returns:
        () float32 (float64 of float64), the same for any number of threads; differentiable in the
        logits, once.

    Raises:
        ValueError: shapes that do not fit together.
    """
    fits = logits.ndim == 4 and num_classes > 0 and logits.shape[1] % num_classes == 0
    if not fits or labels.shape != (
        logits.shape[0],
        logits.shape[1] // num_classes * logits.shape[2] * logits.shape[3],
    ):
        raise ValueError(
            f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} are not "
            f"(N, A * {num_classes}, H, W) and (N, H * W * A)"
        )
    total: Tensor = _operator(logits, labels, num_classes, alpha, gamma)
    return total


def reference(
    logits: Tensor, labels: Tensor, num_classes: int, alpha: float, gamma: float
) -> Tensor:
    """``sigmoid_focal_loss_sum`` in plain torch."""
    rows, positive, counted = _rows(logits, labels, num_classes)
    losses = terms(rows, positive, alpha, gamma)[0].where(counted, 0)
    return losses.sum(dtype=torch.promote_types(logits.dtype, torch.float32))


def reference_backward(
    gradient: Tensor,
    logits: Tensor,
    labels: Tensor,
    num_classes: int,
    alpha: float,
    gamma: float,
) -> Tensor:
    """The gradient in the logits, in plain torch."""
    rows, positive, counted = _rows(logits, labels, num_classes)
    slopes = (gradient * terms(rows, positive, alpha, gamma)[1]).where(counted, 0)
    images, channels, height, width = logits.shape
    split = slopes.view(images, height, width, channels).permute(0, 3, 1, 2)
    return split.to(logits.dtype).clone(memory_format=_layout(logits))


def _rows(logits: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """(N, H * W * A, K) logits, and whether each is of the class that is there; whether a row
    counts."""
    rows = logits.permute(0, 2, 3, 1).reshape(*labels.shape, num_classes)
    if rows.dtype is not torch.float64:
        rows = rows.float()
    positive = labels[..., None] == torch.arange(num_classes, device=labels.device)
    return rows, positive, (labels >= 0)[..., None]


def _layout(logits: Tensor) -> torch.memory_format:
    """How the gradient lies: as the logits do."""
    last = torch.channels_last
    return last if logits.is_contiguous(memory_format=last) else torch.contiguous_format


def _maps(logits: Tensor) -> tuple[Tensor, bool]:
    """The logits as they lie: (N, A * K, H * W) or, if channels last, (N, H * W, A * K)."""
    if _layout(logits) is torch.channels_last:
        return logits.permute(0, 2, 3, 1).flatten(1, 2), True
    return stored(logits).flatten(2), False


def _native(logits: Tensor, labels: Tensor, num_classes: int, alpha: float, gamma: float) -> Tensor:
    if logits.dtype is torch.float64:
        return NotImplemented
    maps, channels_last = _maps(logits)
    total = extension().sigmoid_focal_loss_sum(
        maps.float(),
        channels_last,
        stored(labels),
        num_classes,
        alpha,
        gamma,
        torch.get_num_threads(),
    )
    return torch.tensor(total, dtype=torch.float32)


def _native_backward(
    gradient: Tensor,
    logits: Tensor,
    labels: Tensor,
    num_classes: int,
    alpha: float,
    gamma: float,
) -> Tensor:
    if logits.dtype is torch.float64:
        return NotImplemented
    maps, channels_last = _maps(logits)
    slopes = torch.empty_like(logits, dtype=torch.float32, memory_format=_layout(logits))
    extension().sigmoid_focal_loss_sum_backward(
        float(gradient),
        maps.float(),
        channels_last,
        stored(labels),
        num_classes,
        alpha,
        gamma,
        _maps(slopes)[0],
        torch.get_num_threads(),
    )
    return slopes.to(logits.dtype)


def _cuda(logits: Tensor, labels: Tensor, num_classes: int, alpha: float, gamma: float) -> Tensor:
    if logits.dtype is torch.float64:
        return NotImplemented
    maps, channels_last = _maps(logits)
    count = logits.numel()
    sums = torch.empty(
        _blocks(logits, channels_last, num_classes), dtype=torch.float32, device=logits.device
    )
    launch(
        "sigmoid_focal_loss.cu",
        "focal_sum",
        grid=(len(sums), 1, 1),
        block=(THREADS, 1, 1),
        arguments=(
            maps,
            stored(labels),
            sums,
            count,
            *_sizes(logits, channels_last, num_classes),
            *weights(alpha),
            float(gamma),
        ),
        scalar=logits.dtype,
    )
    return sums.sum()


def _cuda_backward(
    gradient: Tensor,
    logits: Tensor,
    labels: Tensor,
    num_classes: int,
    alpha: float,
    gamma: float,
) -> Tensor:
    if logits.dtype is torch.float64:
        return NotImplemented
    maps, channels_last = _maps(logits)
    slopes = torch.empty_like(logits, memory_format=_layout(logits))
    count = logits.numel()
    launch(
        "sigmoid_focal_loss.cu",
        "focal_sum_slopes",
        grid=(_blocks(logits, channels_last, num_classes), 1, 1),
        block=(THREADS, 1, 1),
        arguments=(
            stored(gradient),
            maps,
            stored(labels),
            slopes,
            count,
            *_sizes(logits, channels_last, num_classes),
            *weights(alpha),
            float(gamma),
        ),
        scalar=logits.dtype,
    )
    return slopes


def _blocks(logits: Tensor, channels_last: bool, num_classes: int) -> int:
    """Of planes, a thread takes ``CLASSES`` logits."""
    anchors = logits.numel() // num_classes
    return blocks_for(anchors * (num_classes if channels_last else -(-num_classes // CLASSES)))


def _sizes(logits: Tensor, channels_last: bool, num_classes: int) -> tuple[int, ...]:
    """What the kernels find a logit's anchor and class by."""
    _, channels, height, width = logits.shape
    return int(channels_last), channels // num_classes, num_classes, height * width


def _fake(logits: Tensor, labels: Tensor, num_classes: int, alpha: float, gamma: float) -> Tensor:
    return logits.new_empty((), dtype=torch.promote_types(logits.dtype, torch.float32))


def _fake_backward(
    gradient: Tensor,
    logits: Tensor,
    labels: Tensor,
    num_classes: int,
    alpha: float,
    gamma: float,
) -> Tensor:
    return torch.empty_like(logits, memory_format=_layout(logits))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    logits, labels, *ctx.settings = inputs
    ctx.save_for_backward(logits, labels)


def _differentiate(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    logits, labels = ctx.saved_tensors
    return _backward(gradient, logits, labels, *ctx.settings), None, None, None, None


_operator = register(
    "sigmoid_focal_loss_sum(Tensor logits, Tensor labels, int num_classes, float alpha, "
    "float gamma) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
_backward = register(
    "sigmoid_focal_loss_sum_backward(Tensor gradient, Tensor logits, Tensor labels, "
    "int num_classes, float alpha, float gamma) -> Tensor",
    reference=reference_backward,
    native=_native_backward,
    cuda=_cuda_backward,
    fake=_fake_backward,
)
register_gradient("sigmoid_focal_loss_sum", _differentiate, _keep)
