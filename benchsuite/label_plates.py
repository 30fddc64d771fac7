"""Labels in a picture: text on plates, within the image and off each other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

from benchsuite.drawing_style import Colour, Style, readable_on


@dataclass(slots=True)
class Plates:
    """Labels on plates of their category's colour, within the image and off each other."""

    draw: ImageDraw.ImageDraw
    width: int
    height: int
    style: Style
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def at_box(self, text: str, box: NDArray[np.float32], colour: Colour) -> None:
        """Above the box, else inside its top, else below it, else inside its bottom."""
        left, top, right, bottom = pixel_box(box, self.width, self.height)
        text, wide, tall = self._fitted(text)
        tries = [
            (left, top - tall),
            (left, top),
            (left, bottom + 1),
            (left, bottom + 1 - tall),
            (right + 1 - wide, top - tall),
            (right + 1 - wide, top),
        ]
        fitting = [self._within(x, y, wide, tall) for x, y in tries if 0 <= y <= self.height - tall]
        fitting = fitting or [self._within(left, top, wide, tall)]
        free = (place for place in fitting if not self._covered(*place, wide, tall))
        self._put(text, *next(free, fitting[0]), wide, tall, colour)

    def centred(self, text: str, at: tuple[float, float], colour: Colour) -> None:
        text, wide, tall = self._fitted(text)
        x, y = self._within(at[0] - wide / 2, at[1] - tall / 2, wide, tall)
        if not self._covered(x, y, wide, tall):
            self._put(text, x, y, wide, tall, colour)

    def _fitted(self, text: str) -> tuple[str, int, int]:
        """The text, cut to the image's width, and the size of its plate."""
        font, space = _font(self.style.font), self.style.space
        text = " ".join(text.split())
        whole = text
        while len(whole) > 1 and font.getlength(text) + 2 * space > self.width:
            whole = whole[:-1]
            text = f"{whole}…"
        ascent, descent = font.getmetrics()
        return text, math.ceil(font.getlength(text)) + 2 * space, ascent + descent + space

    def _within(self, x: float, y: float, wide: int, tall: int) -> tuple[int, int]:
        return (
            round(max(0, min(x, self.width - wide))),
            round(max(0, min(y, self.height - tall))),
        )

    def _covered(self, x: int, y: int, wide: int, tall: int) -> bool:
        return any(
            x < right and left < x + wide and y < bottom and top < y + tall
            for left, top, right, bottom in self.taken
        )

    def _put(self, text: str, x: int, y: int, wide: int, tall: int, colour: Colour) -> None:
        self.taken.append((x, y, x + wide, y + tall))
        self.draw.rectangle((x, y, x + wide - 1, y + tall - 1), fill=colour)
        at = (x + self.style.space, y + self.style.space / 2)
        self.draw.text(at, text, fill=readable_on(colour), font=_font(self.style.font))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface, which is there on every machine."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def pixel_box(box: NDArray[np.float32], width: int, height: int) -> tuple[int, int, int, int]:
    """The first and last pixel of a box in x and y, within the image: left, top, right, bottom."""
    x1, y1, x2, y2 = (float(edge) for edge in box)
    left = min(max(math.floor(x1), 0), width - 1)
    top = min(max(math.floor(y1), 0), height - 1)
    right = min(max(math.ceil(x2) - 1, left), width - 1)
    bottom = min(max(math.ceil(y2) - 1, top), height - 1)
    return left, top, right, bottom
