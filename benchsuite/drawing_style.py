"""Colours and sizes of what is drawn into images."""

from __future__ import annotations

import math
from dataclasses import dataclass

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (20, 22, 26)


def colour_of(label: int) -> Colour:
    """A label's colour: the same in every picture, and apart from its neighbours'.

    Hues follow the golden angle, so that any number of consecutive labels is spread evenly round
    the circle; lightness and chroma take turns, which tells colours of near hue apart. The colours
    are of even visual weight (OKLCH: Ottosson, "A perceptual color space for image processing",
    2020).
    """
    lightness, chroma = ((0.72, 0.17), (0.60, 0.20), (0.83, 0.14), (0.52, 0.17))[label % 4]
    hue = math.radians((255 + 137.50776 * label) % 360)
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return _srgb(red), _srgb(green), _srgb(blue)


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in pixels: of lines, type, the space around it, and keypoints."""

    line: int
    font: int
    space: int
    joint: int

    @classmethod
    def of(cls, width: int, height: int) -> Style:
        """Sizes for an image: two-pixel lines and 13-pixel type at 640 x 480."""
        scale = math.sqrt(width * height / (640 * 480))
        return cls(
            line=max(1, round(2 * scale)),
            font=max(9, round(13 * scale)),
            space=max(1, round(3 * scale)),
            joint=max(2, round(3.5 * scale)),
        )


def readable_on(colour: Colour) -> Colour:
    """Black or white, whichever has more contrast (WCAG 2's relative luminance)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in colour)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return BLACK if luminance > 0.179 else WHITE


def _srgb(linear: float) -> int:
    """A linear channel as an sRGB byte, cut to what a screen can show."""
    clipped = min(1.0, max(0.0, linear))
    encoded = 12.92 * clipped if clipped <= 0.0031308 else 1.055 * clipped ** (1 / 2.4) - 0.055
    return round(255 * encoded)
