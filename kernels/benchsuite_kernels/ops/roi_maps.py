"""Feature maps that regions are pooled from: checks, layouts and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class MapShapes(NamedTuple):
    """What is to be known of features to make their gradients: N, each level's H and W, and
    whether channels lie densest in all of them."""

    images: int
    heights: list[int]
    widths: list[int]
    channels_last: bool

    @classmethod
    def of(cls, features: Sequence[Tensor]) -> MapShapes:
        return cls(
            features[0].shape[0],
            [feature.shape[2] for feature in features],
            [feature.shape[3] for feature in features],
            are_channels_last(features),
        )


def are_channels_last(features: Sequence[Tensor]) -> bool:
    """Whether channels lie densest in all maps."""
    return all(each.is_contiguous(memory_format=torch.channels_last) for each in features)


def laid(features: Sequence[Tensor]) -> list[Tensor]:
    """The maps, or copies of them, without gaps and all planes or all channels last."""
    if are_channels_last(features):
        return list(features)
    return [feature.contiguous() for feature in features]


def empty_maps(
    like: Tensor, images: int, heights: Sequence[int], widths: Sequence[int], channels_last: bool
) -> list[Tensor]:
    """A map a level, with the channels (axis 1), dtype and device of ``like``."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return [
        torch.empty(
            (images, like.shape[1], height, width),
            dtype=like.dtype,
            device=like.device,
            memory_format=layout,
        )
        for height, width in zip(heights, widths, strict=True)
    ]


def computed_in(dtype: torch.dtype) -> torch.dtype:
    """What features are pooled in: float32, or float64 where they are of that."""
    return torch.float64 if dtype is torch.float64 else torch.float32


def check_regions(
    features: Sequence[Tensor],
    boxes: Tensor,
    coordinates: int,
    batch_index: Tensor,
    levels: Tensor,
    scales: Sequence[float],
    output_size: int,
    sampling_ratio: int,
) -> None:
    """Compare shapes and dtypes of what an operator that pools regions is given.

    Raises:
        ValueError: they do not fit together.
    """
    if not features or len(features) != len(scales):
        raise ValueError(f"{len(features)} feature levels with {len(scales)} scales")
    images, channels = features[0].shape[:2]
    dtype = features[0].dtype
    for level, feature in enumerate(features):
        shape = feature.shape
        if len(shape) != 4 or shape[0] != images or shape[1] != channels:
            raise ValueError(
                f"features[{level}] is {tuple(shape)}, not ({images}, {channels}, H, W)"
            )
        if feature.dtype != dtype:
            raise ValueError(f"features[{level}] is {feature.dtype}, not {dtype}")
    count = len(boxes)
    if (
        boxes.shape != (count, coordinates)
        or batch_index.shape != (count,)
        or levels.shape != (count,)
    ):
        raise ValueError(
            f"boxes {tuple(boxes.shape)}, batch_index {tuple(batch_index.shape)} and levels "
            f"{tuple(levels.shape)} are not (R, {coordinates}), (R,) and (R,)"
        )
    if output_size < 1 or sampling_ratio < 0:
        raise ValueError(f"output_size={output_size}, sampling_ratio={sampling_ratio}")
