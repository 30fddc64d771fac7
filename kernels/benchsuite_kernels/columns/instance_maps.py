"""Maps whose pixels hold a number of 16 bits: regions of equal numbers, and masks over them.

A map is (H, W) uint16, as Cityscapes' instance maps are. Masks are COCO's compressed RLE, as
``benchsuite_kernels.columns.rle`` describes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchsuite_kernels.dispatch import native, tally


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a map, by ascending number.

    Attributes:
        values: (K,) int64, the numbers.
        areas: (K,) int64, pixels.
        boxes: (K, 4) int64, the tight boxes as COCO's x, y, width, height.
        counts: K compressed RLE.
    """

    values: NDArray[np.int64]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]
    counts: list[bytes]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """What lies under masks: rows ``starts[m]`` to ``starts[m + 1]`` are those of mask ``m``.

    Attributes:
        starts: (M + 1,) int64.
        values: (R,) int64, the numbers that lie under the mask, ascending.
        pixels: (R,) int64, how many pixels of each, at least 1.
    """

    starts: NDArray[np.int64]
    values: NDArray[np.int64]
    pixels: NDArray[np.int64]


def regions(instance_map: NDArray[np.uint16], smallest: int = 0) -> Regions:
    """The regions of a map.

    Args:
        instance_map: (H, W) uint16.
        smallest: regions of smaller numbers are left out.

    Raises:
        ValueError: the map has another shape or dtype, or no pixel.
    """
    found = _serving("instance_map_regions").regions(_checked(instance_map), smallest)
    return Regions(*found)


def overlaps(
    instance_map: NDArray[np.uint16], counts: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> Overlaps:
    """How many pixels of which numbers lie under each mask.

    Args:
        instance_map: (H, W) uint16.
        counts: the masks' RLE one after the other, (B,) uint8.
        offsets: (M + 1,) int64, where each begins and the last one ends.

    Raises:
        ValueError: the map has another shape or dtype, or no pixel; or a mask, which is named by
            its place, is malformed or of another size than the map.
    """
    found = _serving("instance_map_overlaps").overlaps(_checked(instance_map), counts, offsets)
    return Overlaps(*found)


class _Kernels(Protocol):
    """What the reference module and the extension both offer."""

    def regions(
        self, instance_map: NDArray[np.uint16], smallest: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[bytes]]: ...
    def overlaps(
        self,
        instance_map: NDArray[np.uint16],
        counts: NDArray[np.uint8],
        offsets: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...


def _serving(operator: str) -> _Kernels:
    extension = native()
    if extension is None:
        from benchsuite_kernels.columns import instance_maps_reference

        tally(operator, "reference")
        return instance_maps_reference
    tally(operator, "c++")
    kernels: _Kernels = extension.instance_maps
    return kernels


def _checked(instance_map: NDArray[np.uint16]) -> NDArray[np.uint16]:
    if instance_map.ndim != 2 or instance_map.dtype != np.uint16 or not instance_map.size:
        raise ValueError(
            f"an instance map is (H, W) uint16, not {instance_map.shape} {instance_map.dtype}"
        )
    return np.ascontiguousarray(instance_map)
