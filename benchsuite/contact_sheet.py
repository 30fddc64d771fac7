"""Many pictures on one, in rows, with a line of text beneath each."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

ROW_HEIGHT = 420
"""Pixels: higher pictures are made so high, lower ones a whole number of times as large."""
SPACE = 12
FONT_SIZE = 14
GROUND = (250, 250, 248)
INK = (40, 42, 46)

Captioned = tuple[Picture.Image, str]


def contact_sheet(rows: Sequence[Sequence[Captioned]]) -> Picture.Image:
    """The sheet.

    Args:
        rows: at least one, of at least one picture each; pictures of a column stand beneath each
            other.
    """
    font = ImageFont.load_default(FONT_SIZE)
    line = FONT_SIZE + SPACE // 2
    fitted = [[(_fitted(picture), text) for picture, text in row] for row in rows]
    columns = max(map(len, fitted))
    widths = [
        max(
            max(row[column][0].width, round(font.getlength(row[column][1])))
            for row in fitted
            if column < len(row)
        )
        for column in range(columns)
    ]
    heights = [max(picture.height for picture, _ in row) + line for row in fitted]
    size = sum(widths) + SPACE * (columns + 1), sum(heights) + SPACE * (len(rows) + 1)
    sheet = Picture.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    top = SPACE
    for row, height in zip(fitted, heights, strict=True):
        left = SPACE
        for (picture, text), width in zip(row, widths):
            sheet.paste(picture, (left, top))
            draw.text((left, top + picture.height + 2), text, fill=INK, font=font)
            left += width + SPACE
        top += height + SPACE
    return sheet


def _fitted(picture: Picture.Image) -> Picture.Image:
    times = ROW_HEIGHT // picture.height
    if times > 0:
        size = times * picture.width, times * picture.height
        return picture.resize(size, Picture.Resampling.NEAREST)
    width = max(1, round(picture.width * ROW_HEIGHT / picture.height))
    return picture.resize((width, ROW_HEIGHT), Picture.Resampling.LANCZOS)
