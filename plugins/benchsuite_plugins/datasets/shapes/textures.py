"""What stuff looks like: value noise, and a texture for every stuff category.

A texture is (H, W, 3) int32, 0 to 255; ``horizon`` is the row that the ground recedes to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_plugins.datasets.shapes.integer_trigonometry import SINES, TURN
from benchsuite_plugins.datasets.shapes.palette import Colour
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64

Plane = NDArray[np.int32]

_SINES = np.array(SINES, dtype=np.int32)


def value_noise(random: SplitMix64, height: int, width: int, cell_y: int, cell_x: int) -> Plane:
    """Smooth noise, 0 to 255: random values on a lattice, blended between (Perlin's ease curve)."""
    rows, columns = height // cell_y + 2, width // cell_x + 2
    lattice = random.octets(rows * columns).reshape(rows, columns)
    return _blend(_blend(lattice, height, cell_y).T, width, cell_x).T


def _blend(lattice: Plane, length: int, cell: int) -> Plane:
    at = np.arange(length, dtype=np.int32)
    index, fraction = at // cell, at % cell * 256 // cell
    ease = (fraction * fraction * (768 - 2 * fraction) >> 16)[:, None]
    return (lattice[index] * (256 - ease) + lattice[index + 1] * ease) >> 8


def ramp(amount: Plane, low: Colour, high: Colour) -> Plane:
    """``low`` where ``amount`` is 0, ``high`` where it is 256, in between between."""
    first, second = (np.array(c, dtype=np.int32) for c in (low, high))
    amount = np.clip(amount, 0, 256)[..., None]
    blended: Plane = (first * (256 - amount) + second * amount) >> 8
    return blended


def soften(image: NDArray[np.int32]) -> NDArray[np.int32]:
    """A 3 x 3 binomial filter over (H, W, 3)."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    softened: NDArray[np.int32] = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) >> 4
    return softened


def _rows(height: int, width: int) -> Plane:
    return np.broadcast_to(np.arange(height, dtype=np.int32)[:, None], (height, width))


def _columns(height: int, width: int) -> Plane:
    return np.broadcast_to(np.arange(width, dtype=np.int32), (height, width))


SKIES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((74, 140, 214), (196, 226, 246), (255, 255, 255)),
    ((52, 112, 196), (164, 208, 240), (250, 252, 255)),
    ((92, 110, 176), (250, 196, 158), (255, 226, 206)),
    ((128, 150, 172), (208, 218, 224), (236, 240, 242)),
    ((58, 74, 132), (226, 148, 138), (246, 196, 176)),
)
"""Zenith, horizon and cloud colours: two blue days, dawn, overcast, dusk."""


def sky(random: SplitMix64, height: int, width: int, horizon: int) -> Plane:
    zenith, low, cloud = SKIES[random.weighted((6, 5, 2, 3, 2))]
    colour = ramp(_rows(height, width) * 256 // max(horizon, 1), zenith, low)
    if random.chance(75):
        shape = (
            value_noise(random, height, width, 17, 44) * 5
            + value_noise(random, height, width, 8, 19) * 3
        ) // 8
        threshold = random.between(118, 150)
        veil = np.clip((shape - threshold) * 6, 0, random.between(150, 220))
        colour += ((np.array(cloud, dtype=np.int32) - colour) * veil[:, :, None]) >> 8
    return colour


def grass(random: SplitMix64, height: int, width: int, horizon: int) -> Plane:
    dark, light = random.choice(
        (
            ((54, 112, 38), (128, 178, 66)),
            ((42, 104, 54), (110, 172, 84)),
            ((84, 116, 38), (168, 178, 78)),
        )
    )
    patches = value_noise(random, height, width, 14, 30)
    blades = value_noise(random, height, width, 4, 2)
    colour = ramp((patches * 5 + blades * 5) * 256 // 2550, dark, light)
    depth = np.clip(_rows(height, width) - horizon, 0, height)
    return colour * (222 + depth * 44 // height)[:, :, None] >> 8


def water(random: SplitMix64, height: int, width: int, horizon: int) -> Plane:
    dark, light = random.choice(
        (
            ((24, 84, 146), (96, 168, 208)),
            ((20, 104, 130), (104, 190, 196)),
            ((40, 76, 118), (122, 158, 190)),
        )
    )
    swell = value_noise(random, height, width, 5, 34)
    rows = _rows(height, width)
    depth = np.clip(rows - horizon, 0, height)
    # Waves grow towards the viewer: the phase runs slower the farther below the horizon.
    phase = depth * TURN // (5 + depth // 8) + swell * 5 + _columns(height, width) * 6
    waves = _SINES[phase % TURN] >> 8
    amount = 70 + swell // 2 + waves - depth * 40 // height
    colour = ramp(amount, dark, light)
    glitter = (swell + waves) > random.between(248, 266)
    colour[glitter] += (255 - colour[glitter]) // 2
    return colour


def sand(random: SplitMix64, height: int, width: int, horizon: int) -> Plane:
    dark, light = random.choice(
        (
            ((198, 162, 108), (244, 220, 168)),
            ((208, 178, 134), (250, 234, 198)),
            ((188, 140, 92), (234, 196, 142)),
        )
    )
    dunes = value_noise(random, height, width, 12, 40)
    grains = random.octets(height * width).reshape(height, width)
    rows = _rows(height, width)
    ripples = _SINES[(rows * 90 + dunes * 7) % TURN] >> 10
    return ramp((dunes * 6 + grains * 2) // 8 + ripples, dark, light)


def brick(random: SplitMix64, height: int, width: int, horizon: int) -> Plane:
    dark, light = random.choice(
        (
            ((140, 58, 42), (196, 98, 70)),
            ((120, 66, 54), (172, 112, 88)),
            ((176, 132, 92), (214, 178, 134)),
        )
    )
    mortar = random.choice(((206, 196, 182), (176, 168, 160)))
    course = random.between(7, 12)
    length = course * 2 + random.between(1, 5)
    rows, columns = _rows(height, width), _columns(height, width)
    number = rows // course
    shifted = columns + number % 2 * (length // 2)
    across = shifted // length
    many = (width // length + 3) * (height // course + 2)
    tones = random.octets(many)
    tone = tones[(number * (width // length + 3) + across) % many]
    colour = ramp(tone + value_noise(random, height, width, 3, 3) // 4 - 24, dark, light)
    joint = (rows % course == 0) | (shifted % length == 0)
    colour[joint] = np.array(mortar, dtype=np.int32)
    # The course below a joint catches the light.
    lit = (rows % course == 1) & ~joint
    colour[lit] += 14
    return colour


def paving(random: SplitMix64, height: int, width: int, horizon: int) -> Plane:
    dark, light = random.choice(
        (
            ((118, 120, 126), (176, 178, 182)),
            ((134, 126, 120), (190, 182, 172)),
            ((96, 102, 114), (150, 158, 168)),
        )
    )
    rows, columns = _rows(height, width), _columns(height, width)
    # Joints run to the vanishing point and lie closer together towards the horizon.
    depth = np.clip(rows - horizon, 0, height) + 6
    far = height * 24 // depth
    across = (columns - width // 2) * 40 // depth
    tile = random.between(18, 30)
    number, tread = across // tile, far // random.between(8, 14)
    tones = random.octets(1024)
    tone = tones[(number * 37 + tread * 11) % 1024]
    speckle = random.octets(height * width).reshape(height, width)
    colour = ramp(
        (tone * 2 + speckle + value_noise(random, height, width, 9, 15)) // 4, dark, light
    )
    joint = np.zeros((height, width), dtype=np.bool_)
    joint[:, 1:] |= number[:, 1:] != number[:, :-1]
    joint[1:] |= tread[1:] != tread[:-1]
    colour[joint] = colour[joint] * 3 // 4
    return colour
