"""Sheets of pictures: where they stand and how large they are."""

from __future__ import annotations

import numpy as np
from PIL import Image as Picture

from benchsuite.contact_sheet import GROUND, ROW_HEIGHT, SPACE, contact_sheet

RED, BLUE = (200, 0, 0), (0, 0, 200)


def coloured(width: int, height: int, colour: tuple[int, int, int]) -> Picture.Image:
    return Picture.new("RGB", (width, height), colour)


def place_of(sheet: Picture.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    found = (np.asarray(sheet) == colour).all(axis=2)
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def test_pictures_stand_beside_and_beneath_each_other() -> None:
    wide, high = coloured(500, 300, RED), coloured(200, 400, BLUE)
    sheet = contact_sheet([[(wide, "a"), (high, "b")]])
    assert place_of(sheet, RED) == (SPACE, SPACE, SPACE + 500, SPACE + 300)
    left = 2 * SPACE + 500
    assert place_of(sheet, BLUE) == (left, SPACE, left + 200, SPACE + 400)
    beneath = contact_sheet([[(wide, "a")], [(high, "b")]])
    assert place_of(beneath, BLUE)[:2] > (SPACE - 1, SPACE + 300)


def test_large_pictures_are_made_smaller_and_small_ones_larger() -> None:
    sheet = contact_sheet([[(coloured(400, 2 * ROW_HEIGHT, RED), "")]])
    left, top, right, bottom = place_of(sheet, RED)
    assert (right - left, bottom - top) == (200, ROW_HEIGHT)
    sheet = contact_sheet([[(coloured(50, 100, BLUE), "")]])
    left, top, right, bottom = place_of(sheet, BLUE)
    assert (right - left, bottom - top) == (200, 400)


def test_a_long_caption_makes_room_for_itself() -> None:
    sheet = contact_sheet([[(coloured(30, 400, RED), "m" * 60), (coloured(30, 400, BLUE), "")]])
    text = np.asarray(sheet)[SPACE + 400 :]
    written = np.flatnonzero((text != GROUND).any(axis=(0, 2)))
    assert written[0] >= SPACE and written[-1] < place_of(sheet, BLUE)[0]
