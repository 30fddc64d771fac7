"""RoIAlign over the levels of a feature pyramid, in one call.

Source: He et al., "Mask R-CNN" (2017), section 3, with the half-pixel correction that Detectron2
calls ROIAlignV2 (``aligned=True`` in torchvision): a box's corner ``x`` lies at ``x * scale - 0.5``
in the grid of feature centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torchvision.ops import roi_align as torchvision_roi_align

from benchsuite_kernels.dispatch import native, tally
from benchsuite_kernels.ops.tensors import as_array, kernel_takes


def roi_align(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int = 0,
) -> Tensor:
    """Average bilinear samples of each box's bins.

    Samples further than one pixel outside a feature map count as zero. A box with a coordinate
    that is not finite gives zeros, and so does one of no or negative extent where the number of
    samples follows from it.

    Args:
        features: a (N, C, H, W) floating tensor a level, all of one dtype and device.
        boxes: (R, 4), xyxy, input pixels.
        batch_index: (R,) int64, which of the N images each box belongs to.
        levels: (R,) int64, which of ``features`` each box is read from.
        scales: a level's size over the input's (1/4, 1/8, ...).
        output_size: bins a side, S.
        sampling_ratio: samples a bin and axis; 0: as many as feature pixels, rounded up.

    Returns:
        (R, C, S, S), contiguous, in the features' dtype; on the CPU half precision is pooled in
        float32. Differentiable in the features, and once (float64: as often as wanted).

    Raises:
        ValueError: shapes that do not fit together, or an index out of range (on the CPU).
    """
    _check(features, boxes, batch_index, levels, scales, output_size, sampling_ratio)
    if features[0].device.type == "cpu" and features[0].dtype in (torch.bfloat16, torch.float16):
        single = [feature.float() for feature in features]
        return roi_align(
            single, boxes, batch_index, levels, scales, output_size, sampling_ratio
        ).to(features[0].dtype)
    if native() is not None and kernel_takes(*features, differentiable=True):
        tally("roi_align", "c++")
        where = _Where(boxes, batch_index, levels, tuple(scales), output_size, sampling_ratio)
        output: Tensor = _RoIAlign.apply(where, *features)
        return output
    on_cpu = boxes.device.type == "cpu"
    tally("roi_align", "reference" if on_cpu else "torchvision")
    if on_cpu:
        _check_index("batch_index", batch_index, features[0].shape[0])
        _check_index("levels", levels, len(features))
    return reference(features, boxes, batch_index, levels, scales, output_size, sampling_ratio)


@dataclass(frozen=True)
class _Where:
    """What is read: arguments of ``roi_align``."""

    boxes: Tensor
    batch_index: Tensor
    levels: Tensor
    scales: tuple[float, ...]
    output_size: int
    sampling_ratio: int

    def arrays(self) -> tuple[Any, ...]:
        """In the order and with the types that the kernels want."""
        return (
            as_array(self.boxes, torch.float32),
            as_array(self.batch_index, torch.int64),
            as_array(self.levels, torch.int64),
            list(self.scales),
            self.sampling_ratio,
        )


class _RoIAlign(torch.autograd.Function):
    """The C++ kernels: float32 on the CPU."""

    @staticmethod
    def forward(context: Any, where: _Where, *features: Tensor) -> Tensor:
        context.where = where
        context.shapes = [feature.shape for feature in features]
        context.channels_last = all(
            feature.is_contiguous(memory_format=torch.channels_last) for feature in features
        )
        size = where.output_size
        output = features[0].new_empty((len(where.boxes), features[0].shape[1], size, size))
        _kernels().roi_align(
            [_as_stored(feature, context.channels_last) for feature in features],
            context.channels_last,
            *where.arrays(),
            output.numpy(),
            torch.get_num_threads(),
        )
        return output

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        stored = [
            torch.zeros((images, height, width, channels) if context.channels_last else shape)
            for shape in context.shapes
            for images, channels, height, width in [shape]
        ]
        _kernels().roi_align_backward(
            [total.numpy() for total in stored],
            context.channels_last,
            *context.where.arrays(),
            as_array(gradients[0], torch.float32),
            torch.get_num_threads(),
        )
        return None, *(t.permute(0, 3, 1, 2) if context.channels_last else t for t in stored)


def _kernels() -> ModuleType:
    extension = native()
    assert extension is not None
    return extension


def _as_stored(feature: Tensor, channels_last: bool) -> NDArray[Any]:
    """(N, C, H, W) as an array whose last axis lies densest."""
    return as_array(feature.permute(0, 2, 3, 1) if channels_last else feature, torch.float32)


def reference(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int = 0,
) -> Tensor:
    """``roi_align`` by torchvision, a level at a time; float32 and float64."""
    dtype, channels = features[0].dtype, features[0].shape[1]
    output = boxes.new_zeros((len(boxes), channels, output_size, output_size), dtype=dtype)
    finite = boxes.isfinite().all(dim=1)
    rois = torch.cat([batch_index[:, None].to(dtype), boxes.to(dtype)], dim=1)
    for level, (feature, scale) in enumerate(zip(features, scales, strict=True)):
        chosen = torch.nonzero((levels == level) & finite).squeeze(1)
        pooled = torchvision_roi_align(
            feature, rois[chosen], output_size, scale, sampling_ratio, aligned=True
        )
        output.index_put_((chosen,), pooled)
    return output


def _check(
    features: Sequence[Tensor],
    boxes: Tensor,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int,
) -> None:
    if not features or len(features) != len(scales):
        raise ValueError(f"{len(features)} feature levels with {len(scales)} scales")
    images, channels = features[0].shape[:2]
    for level, feature in enumerate(features):
        if feature.ndim != 4 or feature.shape[:2] != (images, channels):
            raise ValueError(
                f"features[{level}] is {tuple(feature.shape)}, not ({images}, {channels}, H, W)"
            )
        if feature.dtype != features[0].dtype:
            raise ValueError(f"features[{level}] is {feature.dtype}, not {features[0].dtype}")
    count = len(boxes)
    if boxes.shape != (count, 4) or batch_index.shape != (count,) or levels.shape != (count,):
        raise ValueError(
            f"boxes {tuple(boxes.shape)}, batch_index {tuple(batch_index.shape)} and levels "
            f"{tuple(levels.shape)} are not (R, 4), (R,) and (R,)"
        )
    if output_size < 1 or sampling_ratio < 0:
        raise ValueError(f"output_size={output_size}, sampling_ratio={sampling_ratio}")


def _check_index(name: str, index: Tensor, size: int) -> None:
    wrong = torch.nonzero((index < 0) | (index >= size))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(f"{name}[{at}] is {int(index[at])}, outside 0 to {size - 1}")
