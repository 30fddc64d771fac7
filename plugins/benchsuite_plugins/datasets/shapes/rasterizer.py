"""Polygons to pixels: exact horizontal coverage on four scanlines a pixel, in integers.

Pixel coordinates are in 1/256 pixel (``SUBPIXEL``), pixel (0, 0) spanning 0 to 256 either way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchsuite_plugins.datasets.shapes.palette import Colour
from benchsuite_plugins.datasets.shapes.polygons import DESIGN, FINE, IntArray, turned

SUBPIXEL = 256
_LINES = 4
_STEP = SUBPIXEL // _LINES


def coverage(vertices: IntArray, sides: IntArray, height: int, width: int) -> NDArray[np.int32]:
    """How much of every pixel each of P polygons covers.

    Args:
        vertices: (N, 2), all polygons' one after the other, in 1/256 pixel; what lies outside the
            picture is clipped.
        sides: (P,) how many of them each polygon has.

    Returns:
        (P, height, width) int32, 0 to 256.
    """
    starts = np.cumsum(sides) - sides
    part = np.repeat(np.arange(len(sides)), sides)
    following = np.arange(1, len(vertices) + 1)
    following[starts + sides - 1] = starts
    start, end = vertices, vertices[following]
    down = end[:, 1] > start[:, 1]
    top = np.where(down[:, None], start, end)
    bottom = np.where(down[:, None], end, start)
    # Scanline i lies at i * _STEP + _STEP / 2; an edge crosses those from its top to its bottom.
    lines = height * _LINES
    first = np.clip((top[:, 1] + _STEP // 2 - 1) // _STEP, 0, lines)
    last = np.clip((bottom[:, 1] + _STEP // 2 - 1) // _STEP, 0, lines)
    counts = last - first
    edge = np.repeat(np.arange(len(start)), counts)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    rise = (bottom - top)[edge]
    y = line * _STEP + _STEP // 2 - top[edge, 1]
    x = np.clip(top[edge, 0] + y * rise[:, 0] // np.maximum(rise[:, 1], 1), 0, width * SUBPIXEL)
    sign = np.where(down, 1, -1)[edge]
    pixel, fraction = x // SUBPIXEL, x % SUBPIXEL
    stride = width + 2
    index = (part[edge] * height + line // _LINES) * stride + pixel
    change = np.zeros(len(sides) * height * stride, dtype=np.int64)
    np.add.at(change, index, sign * (SUBPIXEL - fraction))
    np.add.at(change, index + 1, sign * fraction)
    covered = change.reshape(len(sides), height, stride).cumsum(axis=2)[:, :, :width]
    amount: NDArray[np.int32] = np.minimum(np.abs(covered) // _LINES, SUBPIXEL).astype(np.int32)
    return amount


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One flat-coloured piece of a drawing.

    Attributes:
        outline: in the object's coordinates (see ``polygons``).
        colour: RGB.
        opacity: of 256.
        solid: whether its pixels belong to the object's mask (a shadow's do not).
    """

    outline: IntArray
    colour: Colour
    opacity: int = 256
    solid: bool = True


@dataclass(slots=True, eq=False)
class Drawing:
    """An object as a list of parts, back to front, and its keypoints, (K, 2) in design units."""

    parts: list[Part] = field(default_factory=list)
    keypoints: IntArray | None = None

    def add(
        self, outline: IntArray, colour: Colour, opacity: int = 256, *, solid: bool = True
    ) -> None:
        self.parts.append(Part(outline, colour, opacity, solid))

    def mirrored(self) -> Drawing:
        """The drawing as in a mirror, without its keypoints, which a mirror would rename."""
        flip = np.array([-1, 1], dtype=np.int64)
        return Drawing([Part(p.outline * flip, p.colour, p.opacity, p.solid) for p in self.parts])


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a drawing goes: its origin and size in 1/256 pixel, turned about the origin."""

    x: int
    y: int
    size: int
    angle: int = 0

    def apply(self, vertices: IntArray) -> IntArray:
        """Vertices of a drawing to 1/256 pixel."""
        origin = np.array([self.x, self.y], dtype=np.int64)
        return turned(vertices, self.angle) * self.size // (DESIGN * FINE) + origin


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A drawing as pixels, cut to the picture.

    Attributes:
        top, left: where it lies.
        colour: (h, w, 3) int32, multiplied by ``alpha``.
        alpha: (h, w) int32, 0 to 256.
        mask: (h, w) bool, the pixels at least half covered by solid parts.
        inside: percentage of the drawing's bounding box that lies in the picture.
    """

    top: int
    left: int
    colour: NDArray[np.int32]
    alpha: NDArray[np.int32]
    mask: NDArray[np.bool_]
    inside: int


def render(
    drawing: Drawing, placement: Placement, height: int, width: int, *, rim: int
) -> Layer | None:
    """Draw, shade from the upper left, and darken the rim; ``None`` outside the picture.

    Args:
        rim: how dark the rim is, of 256.
    """
    sides = np.array([len(part.outline) for part in drawing.parts], dtype=np.int64)
    vertices = placement.apply(np.concatenate([part.outline for part in drawing.parts]))
    left, top = (int(v) // SUBPIXEL - 1 for v in vertices.min(axis=0))
    right, bottom = (int(v) // SUBPIXEL + 2 for v in vertices.max(axis=0))
    whole = max(1, (right - left) * (bottom - top))
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if right <= left or bottom <= top:
        return None
    vertices = vertices - np.array([left * SUBPIXEL, top * SUBPIXEL], dtype=np.int64)
    covers = coverage(vertices, sides, bottom - top, right - left)
    windows = _windows(vertices, sides, bottom - top, right - left)

    colour = np.zeros((bottom - top, right - left, 3), dtype=np.int32)
    alpha = np.zeros(colour.shape[:2], dtype=np.int32)
    solid = np.zeros(colour.shape[:2], dtype=np.int32)
    for part, cover, window in zip(drawing.parts, covers, windows):
        amount = cover[window]
        if part.solid:
            solid[window] += amount
        if part.opacity < 256:
            amount = amount * part.opacity >> 8
        rest = 256 - amount
        under = colour[window]
        under *= rest[:, :, None]
        under >>= 8
        under += amount[:, :, None] * np.array(part.colour, dtype=np.int32)
        alpha[window] = amount + (alpha[window] * rest >> 8)
    solid = np.minimum(solid, 256)
    _shade(colour, placement, left, top)
    _darken_rim(colour, solid, rim)
    inside = 100 * colour.shape[0] * colour.shape[1] // whole
    return Layer(top, left, colour, alpha, solid >= 128, inside)


def _windows(
    vertices: IntArray, sides: IntArray, height: int, width: int
) -> list[tuple[slice, slice]]:
    """The pixels that each polygon can touch."""
    starts, limit = np.cumsum(sides) - sides, np.array([width, height])
    low = np.clip(np.minimum.reduceat(vertices, starts) // SUBPIXEL, 0, limit)
    high = np.clip(np.maximum.reduceat(vertices, starts) // SUBPIXEL + 1, 0, limit)
    return [
        (slice(top, bottom), slice(left, right))
        for (left, top), (right, bottom) in zip(low.tolist(), high.tolist())
    ]


def _shade(colour: NDArray[np.int32], placement: Placement, left: int, top: int) -> None:
    """Brighter towards the upper left of the object, darker towards the lower right."""
    height, width, _ = colour.shape
    size = max(placement.size, SUBPIXEL)
    x = (np.arange(width, dtype=np.int64) + left) * SUBPIXEL - placement.x
    y = (np.arange(height, dtype=np.int64) + top) * SUBPIXEL - placement.y + size // 2
    light = 258 - x[None, :] * 40 // size - y[:, None] * 52 // size
    light = np.clip(light, 206, 300).astype(np.int32)
    colour *= light[:, :, None]
    colour >>= 8


def _darken_rim(colour: NDArray[np.int32], solid: NDArray[np.int32], strength: int) -> None:
    """A dark line along the edge of the mask, inside it: the look of a printed sticker."""
    around = np.pad(solid, 1, mode="edge")
    least = np.minimum(
        np.minimum(around[:-2, 1:-1], around[2:, 1:-1]),
        np.minimum(around[1:-1, :-2], around[1:-1, 2:]),
    )
    edge = np.maximum(solid - least, 0)
    colour *= (256 - (edge * strength >> 8))[:, :, None]
    colour >>= 8


def paint(image: NDArray[np.int32], layer: Layer) -> None:
    """Lay ``layer`` over ``image``, (H, W, 3) int32, in place."""
    height, width = layer.alpha.shape
    under = image[layer.top : layer.top + height, layer.left : layer.left + width]
    under *= (256 - layer.alpha)[:, :, None]
    under += layer.colour
    under >>= 8
