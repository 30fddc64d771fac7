"""From a semantic head's logits to the class of every pixel of the image as it was given.

Source: Kirillov et al., "Panoptic feature pyramid networks" (2019), resized in two steps as
Detectron2 does.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite_kernels.cuda.launch import launch
from benchsuite_kernels.cuda.source import MACROS
from benchsuite_kernels.dispatch import extension
from benchsuite_kernels.ops.registration import register

ELEMENTS_AT_ONCE = 1 << 24
"""Upper bound of the upsampled logits that the reference holds (unless one class has more)."""


def semantic_argmax(
    logits: Tensor, stride: int, size: tuple[int, int], original_size: tuple[int, int]
) -> Tensor:
    """The best class of every pixel; the first of equal ones. NaN is better than all numbers.

    Logits are upsampled to the padded input, cut to the resized image, and resized to the original
    one, bilinearly both times, as ``torch.nn.functional.interpolate`` does without aligned corners.
    The kernels weigh the logits themselves, at most nine a pixel and class, and hold no resized
    ones: where two classes are within rounding they may choose the other.

    Args:
        logits: (K, h, w) floating; planar, or with the classes last in memory, without a copy.
        stride: input pixels a cell, at least 1.
        size: height and width of the resized image, before padding.
        original_size: height and width of the result.

    Returns:
        ``original_size``; uint8 up to 255 classes (255 is free for "none"), int32 for more.

    Raises:
        ValueError: no class, a size without pixels, or one larger than the padded input.
    """
    if logits.ndim != 3 or 0 in logits.shape:
        raise ValueError(f"logits {tuple(logits.shape)} are not (K, h, w), each at least 1")
    fits = stride >= 1 and all(
        1 <= length <= stride * cells for length, cells in zip(size, logits.shape[1:], strict=True)
    )
    if not fits or min(original_size) < 1:
        raise ValueError(
            f"an image of {original_size}, resized to {size}, does not lie in "
            f"{tuple(logits.shape[1:])} cells of {stride} pixels"
        )
    labels: Tensor = _operator(logits, stride, size, original_size)
    return labels


def reference(
    logits: Tensor, stride: int, size: tuple[int, int], original_size: tuple[int, int]
) -> Tensor:
    """``semantic_argmax`` by torch's own interpolation; float64 stays what it is.

    Classes go a few at a time: all of them at full size would take gigabytes for a large image.
    """
    height, width = size
    dtype = torch.float64 if logits.dtype is torch.float64 else torch.float32
    largest = max(logits[0].numel() * stride**2, original_size[0] * original_size[1])
    best = logits.new_full(tuple(original_size), -torch.inf, dtype=dtype)
    label = torch.zeros(best.shape, dtype=torch.int64, device=logits.device)
    count = max(1, ELEMENTS_AT_ONCE // largest)
    for first in range(0, len(logits), count):
        upsampled = F.interpolate(
            logits[None, first : first + count].to(dtype),
            scale_factor=float(stride),
            mode="bilinear",
            align_corners=False,
        )
        resized = F.interpolate(
            upsampled[..., :height, :width],
            tuple(original_size),
            mode="bilinear",
            align_corners=False,
        )
        value, index = resized[0].max(dim=0)
        better = (value > best) | (value.isnan() & ~best.isnan())
        label = torch.where(better, index + first, label)
        best = torch.where(better, value, best)
    return label.to(_label_dtype(logits))


def _native(
    logits: Tensor, stride: int, size: tuple[int, int], original_size: tuple[int, int]
) -> Tensor:
    if logits.dtype not in MACROS:
        return NotImplemented
    labels = logits.new_empty(original_size, dtype=_label_dtype(logits))
    grid, classes_last = _stored(logits)
    extension().semantic_argmax(
        grid, classes_last, stride, tuple(size), labels, torch.get_num_threads()
    )
    return labels


BLOCK = 128
LARGEST_GRID = 65535


def _cuda(
    logits: Tensor, stride: int, size: tuple[int, int], original_size: tuple[int, int]
) -> Tensor:
    if logits.dtype not in MACROS:
        return NotImplemented
    dtype = _label_dtype(logits)
    labels = logits.new_empty(original_size, dtype=dtype)
    grid, classes_last = _stored(logits)
    count, high, wide = logits.shape
    steps = (1, wide * count, count) if classes_last else (high * wide, wide, 1)
    height, width = original_size
    launch(
        "semantic_argmax.cu",
        "semantic_argmax_uint8" if dtype is torch.uint8 else "semantic_argmax_int32",
        grid=(-(-width // BLOCK), min(height, LARGEST_GRID), 1),
        block=(BLOCK, 1, 1),
        arguments=(grid, labels, count, high, wide, *steps, stride, *size, height, width),
        scalar=logits.dtype,
    )
    return labels


def _stored(logits: Tensor) -> tuple[Tensor, bool]:
    """The logits as kernels read them, and whether that is with the classes last."""
    if logits.is_contiguous():
        return logits, False
    classes_last = logits.permute(1, 2, 0)
    if classes_last.is_contiguous():
        return classes_last, True
    return logits.contiguous(), False


def _label_dtype(logits: Tensor) -> torch.dtype:
    return torch.uint8 if len(logits) <= 255 else torch.int32


def _fake(
    logits: Tensor, stride: int, size: tuple[int, int], original_size: tuple[int, int]
) -> Tensor:
    return logits.new_empty(original_size, dtype=_label_dtype(logits))


_operator = register(
    "semantic_argmax(Tensor logits, int stride, int[] size, int[] original_size) -> Tensor",
    reference=reference,
    native=_native,
    cuda=_cuda,
    fake=_fake,
)
