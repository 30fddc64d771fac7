"""The camera: light, focus and noise, by lot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64
from benchsuite_plugins.datasets.shapes.textures import soften


def expose(random: SplitMix64, image: NDArray[np.int32]) -> NDArray[np.uint8]:
    """(H, W, 3) int32 scene to the uint8 picture that a camera takes of it."""
    image = np.clip(image, 0, 255).astype(np.int32)
    image = _light(random, image)
    if random.chance(22):
        image = soften(image)
    image = _grain(random, image, random.choice((3, 5, 8, 8, 12, 18, 26)))
    return np.clip(image, 0, 255).astype(np.uint8)


def _light(random: SplitMix64, image: NDArray[np.int32]) -> NDArray[np.int32]:
    """Exposure and white balance, a slope of light across the picture, dark corners."""
    height, width, _ = image.shape
    level = random.choice((256, 256, 256, 256, 244, 268, 280, 232, 212, 184))
    warmth = random.between(-14, 14)
    gains = np.array((level + warmth, level, level - warmth), dtype=np.int32)
    x = np.arange(width, dtype=np.int32) * 256 // width - 128
    y = np.arange(height, dtype=np.int32)[:, None] * 256 // height - 128
    slope = x * random.between(-30, 30) + y * random.between(-22, 22)
    corners = (x * x + y * y) * random.between(0, 60)
    light = 256 + (slope >> 7) - (corners >> 15)
    lit: NDArray[np.int32] = ((image * gains >> 8) * light[:, :, None]) >> 8
    return lit


def _grain(random: SplitMix64, image: NDArray[np.int32], strength: int) -> NDArray[np.int32]:
    """Sensor noise: a triangular distribution over -strength to +strength."""
    first, second = random.octets(2 * image.size).reshape(2, *image.shape)
    grainy: NDArray[np.int32] = image + (((first + second - 255) * strength) >> 8)
    return grainy
