"""The ground a picture stands on: which stuff is where, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchsuite_plugins.datasets.shapes import textures
from benchsuite_plugins.datasets.shapes.categories import ID_OF
from benchsuite_plugins.datasets.shapes.integer_trigonometry import SINES, TURN
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64

_SINES = np.array(SINES, dtype=np.int64)

SKY, GRASS, WATER = ID_OF["sky"], ID_OF["grass"], ID_OF["water"]
SAND, BRICK, PAVING = ID_OF["sand"], ID_OF["brick"], ID_OF["paving"]

_TEXTURES = {
    SKY: textures.sky,
    GRASS: textures.grass,
    WATER: textures.water,
    SAND: textures.sand,
    BRICK: textures.brick,
    PAVING: textures.paving,
}


@dataclass(frozen=True, slots=True, eq=False)
class Landscape:
    """An empty picture.

    Attributes:
        pixels: (H, W, 3) int32, 0 to 255.
        stuff: (H, W) int32, the stuff category id of every pixel.
        horizon: the row that the ground recedes to.
    """

    pixels: NDArray[np.int32]
    stuff: NDArray[np.int32]
    horizon: int


class _Plan:
    """Paints category ids over one another, far to near."""

    def __init__(self, random: SplitMix64, height: int, width: int) -> None:
        self.random, self.height, self.width = random, height, width
        self.stuff = np.full((height, width), SKY, dtype=np.int32)
        self.hills = np.zeros((height, width), dtype=np.bool_)
        self.rows, self.columns = np.mgrid[:height, :width].astype(np.int64)

    def row(self, low: int, high: int) -> int:
        """A row at ``low`` to ``high`` percent of the height."""
        return self.height * self.random.between(low, high) // 100

    def curve(self, base: int, amplitude: int) -> NDArray[np.int64]:
        """A rolling line about row ``base``, one row a column."""
        columns = self.columns[0]
        line = np.full(self.width, base * 16384, dtype=np.int64)
        for share in (4, 2, 1):
            length = self.width * self.random.between(30, 110) * share // 150 + 8
            phase = self.random.between(0, TURN - 1)
            line += _SINES[(columns * TURN // length + phase) % TURN] * amplitude * share // 7
        return line // 16384

    def below(self, line: NDArray[np.int64] | int, category: int) -> None:
        self.stuff[self.rows >= line] = category

    def far_hills(self, horizon: int) -> None:
        """Hills of grass behind the horizon, paler than the rest."""
        line = self.curve(horizon - self.height // 14, self.height // 14)
        behind = (self.rows >= line) & (self.stuff == SKY)
        self.stuff[behind] = GRASS
        self.hills |= behind

    def path(self, horizon: int, category: int) -> None:
        """A strip from the horizon to the viewer, widening."""
        depth = np.maximum(self.rows - horizon, 0)
        span = max(self.height - horizon, 1)
        start, end = (self.random.between(0, self.width) for _ in range(2))
        phase = self.random.between(0, TURN - 1)
        sway = _SINES[(depth * 700 // span + phase) % TURN] * self.width // 12 // 16384
        centre = start + (end - start) * depth // span + sway
        reach = 2 + self.width * self.random.between(8, 22) * depth // (100 * span)
        self.stuff[(abs(self.columns - centre) <= reach) & (self.rows >= horizon)] = category

    def pond(self, horizon: int, category: int) -> None:
        x = self.random.between(0, self.width)
        y = horizon + (self.height - horizon) * self.random.between(25, 80) // 100
        across = self.width * self.random.between(18, 38) // 100
        down = (self.height - horizon) * self.random.between(12, 24) // 100 + 2
        ring = (self.columns - x) ** 2 * 4096 // across**2 + (self.rows - y) ** 2 * 4096 // down**2
        ragged = 4096 + self.curve(0, 500)
        self.stuff[(ring <= ragged) & (self.rows >= horizon)] = category

    def wall(self, top: int, foot: int) -> None:
        """A brick wall, across all of the picture or a part of it, stepped at the top."""
        left, right = 0, self.width
        if self.random.chance(55):
            width = self.width * self.random.between(45, 85) // 100
            left = self.random.between(-width // 3, self.width - 2 * width // 3)
            right = left + width
        columns = self.columns[0]
        line = np.where(
            columns % max(self.width // 6, 1) < self.width // 12, top, top + self.height // 20
        )
        if self.random.chance(50):
            line = np.full(self.width, top, dtype=np.int64)
        inside = (columns >= left) & (columns < right)
        self.stuff[(self.rows >= line) & (self.rows < foot) & inside] = BRICK


def _meadow(plan: _Plan) -> int:
    horizon = plan.row(28, 52)
    if plan.random.chance(70):
        plan.far_hills(horizon)
    plan.below(plan.curve(horizon, plan.height // 30), GRASS)
    horizon += plan.height // 30
    extra = plan.random.weighted((3, 2, 2, 3))
    if extra == 0:
        plan.path(horizon, SAND)
    elif extra == 1:
        plan.path(horizon, PAVING)
    elif extra == 2:
        plan.pond(horizon, WATER)
    return horizon


def _beach(plan: _Plan) -> int:
    horizon = plan.row(25, 45)
    if plan.random.chance(40):
        plan.far_hills(horizon)
    plan.below(horizon, WATER)
    shore = plan.row(55, 78)
    plan.below(plan.curve(shore, plan.height // 16), SAND)
    return horizon


def _lake(plan: _Plan) -> int:
    horizon = plan.row(28, 45)
    plan.far_hills(horizon)
    plan.below(horizon, WATER)
    bank = GRASS if plan.random.chance(70) else SAND
    plan.below(plan.curve(plan.row(62, 85), plan.height // 14), bank)
    return horizon


def _street(plan: _Plan) -> int:
    horizon = plan.row(38, 58)
    if plan.random.chance(60):
        plan.far_hills(horizon)
    plan.below(horizon, PAVING)
    plan.wall(plan.row(6, 26), horizon)
    if plan.random.chance(50):
        plan.stuff[horizon : horizon + plan.height * plan.random.between(5, 14) // 100] = GRASS
    return horizon


def _yard(plan: _Plan) -> int:
    horizon = plan.row(40, 62)
    plan.stuff[:] = BRICK
    plan.below(horizon, plan.random.choice((GRASS, PAVING, SAND)))
    return horizon


def _desert(plan: _Plan) -> int:
    horizon = plan.row(30, 55)
    plan.below(plan.curve(horizon, plan.height // 18), SAND)
    if plan.random.chance(45):
        plan.pond(horizon + plan.height // 18, WATER)
    elif plan.random.chance(40):
        plan.pond(horizon + plan.height // 18, GRASS)
    return horizon


_KINDS = (_meadow, _beach, _lake, _street, _yard, _desert)
_WEIGHTS = (6, 4, 3, 4, 2, 2)


def make_landscape(random: SplitMix64, height: int, width: int) -> Landscape:
    """A landscape of a kind drawn by lot."""
    plan = _Plan(random, height, width)
    horizon = _KINDS[random.weighted(_WEIGHTS)](plan)
    pixels = np.zeros((height, width, 3), dtype=np.int32)
    for category, texture in _TEXTURES.items():
        here = plan.stuff == category
        if here.any():
            pixels[here] = texture(random, height, width, horizon)[here]
    _haze(pixels, plan.hills & (plan.stuff == GRASS))
    _shore(pixels, plan.stuff)
    _blend_borders(pixels, plan.stuff)
    return Landscape(np.clip(pixels, 0, 255), plan.stuff, horizon)


def _haze(pixels: NDArray[np.int32], hills: NDArray[np.bool_]) -> None:
    """What is far turns pale and blue."""
    far = np.array((158, 190, 206), dtype=np.int32)
    pixels[hills] += (far - pixels[hills]) * 84 >> 8


def _shore(pixels: NDArray[np.int32], stuff: NDArray[np.int32]) -> None:
    """A pale line where water ends."""
    is_water = stuff == WATER
    edge = np.zeros_like(is_water)
    edge[:-1] |= is_water[:-1] & (stuff[1:] != WATER)
    edge[1:] |= is_water[1:] & (stuff[:-1] != WATER) & (stuff[:-1] != SKY)
    pixels[edge] += (245 - pixels[edge]) * 150 >> 8


def _blend_borders(pixels: NDArray[np.int32], stuff: NDArray[np.int32]) -> None:
    """Where two stuffs meet, a pixel shows some of both."""
    border = np.zeros(stuff.shape, dtype=np.bool_)
    for a, b in (
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    ):
        differ = stuff[a] != stuff[b]
        border[a] |= differ
        border[b] |= differ
    pixels[border] = textures.soften(pixels)[border]
