"""RoIAlign over the levels of a feature pyramid, in one call.

Source: He et al., "Mask R-CNN" (2017), section 3, with the half-pixel correction that Detectron2
calls ROIAlignV2 (``aligned=True`` in torchvision): a box's corner ``x`` lies at ``x * scale - 0.5``
in the grid of feature centres.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
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
        (R, C, S, S), contiguous, in the features' dtype. Differentiable in the features (where a
        gradient is wanted, the reference serves).

    Raises:
        ValueError: shapes that do not fit together, or an index out of range (on the CPU).
    """
    _check(features, boxes, batch_index, levels, scales, output_size, sampling_ratio)
    extension = native()
    if extension is not None and kernel_takes(*features):
        tally("roi_align", "c++")
        channels_last = all(
            feature.is_contiguous(memory_format=torch.channels_last) for feature in features
        )
        output = boxes.new_empty(
            (len(boxes), features[0].shape[1], output_size, output_size), dtype=torch.float32
        )
        extension.roi_align(
            [
                as_array(feature.permute(0, 2, 3, 1) if channels_last else feature, torch.float32)
                for feature in features
            ],
            channels_last,
            as_array(boxes, torch.float32),
            as_array(batch_index, torch.int64),
            as_array(levels, torch.int64),
            list(scales),
            sampling_ratio,
            output.numpy(),
            torch.get_num_threads(),
        )
        return output
    on_cpu = boxes.device.type == "cpu"
    tally("roi_align", "reference" if on_cpu else "torchvision")
    if on_cpu:
        _check_index("batch_index", batch_index, features[0].shape[0])
        _check_index("levels", levels, len(features))
    return reference(features, boxes, batch_index, levels, scales, output_size, sampling_ratio)


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
