"""Transforms of ``torchvision.transforms.v2`` that make new ground, under their own names.

Their option ``fill`` is the colour of new ground in the image (a number, or red, green and blue;
0 to 255). Masks have nothing there, and semantic maps are ignored there. Images are interpolated
bilinearly where nothing else is said. All other options are torchvision's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchvision import tv_tensors
from torchvision.transforms import v2

Fill = float | Sequence[float]


def random_rotation(
    degrees: float | Sequence[float],
    interpolation: str = "bilinear",
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Fill = 0,
) -> v2.Transform:
    """Rotates about a point by an angle that is drawn."""
    return v2.RandomRotation(degrees, interpolation, expand, center, _of_images(fill))


def random_affine(
    degrees: float | Sequence[float],
    translate: Sequence[float] | None = None,
    scale: Sequence[float] | None = None,
    shear: float | Sequence[float] | None = None,
    interpolation: str = "bilinear",
    fill: Fill = 0,
    center: Sequence[float] | None = None,
) -> v2.Transform:
    """Rotates, moves, scales and shears."""
    ground = _of_images(fill)
    return v2.RandomAffine(degrees, translate, scale, shear, interpolation, ground, center)


def random_perspective(
    distortion_scale: float = 0.5, p: float = 0.5, interpolation: str = "bilinear", fill: Fill = 0
) -> v2.Transform:
    """Tilts the image, with a probability."""
    return v2.RandomPerspective(distortion_scale, p, interpolation, _of_images(fill))


def elastic_transform(
    alpha: float | Sequence[float] = 50.0,
    sigma: float | Sequence[float] = 5.0,
    interpolation: str = "bilinear",
    fill: Fill = 0,
) -> v2.Transform:
    """Pulls the image about."""
    return v2.ElasticTransform(alpha, sigma, interpolation, _of_images(fill))


def random_zoom_out(
    fill: Fill = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5
) -> v2.Transform:
    """Puts the image somewhere on a larger ground, with a probability (SSD, Liu et al. 2016)."""
    return v2.RandomZoomOut(_of_images(fill), side_range, p)


def pad(padding: int | Sequence[int], fill: Fill = 0) -> v2.Transform:
    """Adds a border."""
    return v2.Pad(padding, _of_images(fill))


def _of_images(fill: Fill) -> dict[Any, Fill]:
    return {tv_tensors.Image: fill, "others": 0}
