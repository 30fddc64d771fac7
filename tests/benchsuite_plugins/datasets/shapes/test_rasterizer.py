from __future__ import annotations

from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray

from benchsuite_plugins.datasets.shapes.polygons import ellipse, rectangle, star
from benchsuite_plugins.datasets.shapes.rasterizer import (
    SUBPIXEL,
    Drawing,
    Placement,
    coverage,
    paint,
    render,
)

FULL = 256


def cover(corners: list[tuple[int, int]], height: int, width: int) -> NDArray[np.int32]:
    vertices = np.array(corners, dtype=np.int64)
    return coverage(vertices, np.array([len(vertices)]), height, width)[0]


def area(vertices: NDArray[np.int64]) -> float:
    """The shoelace formula, in pixels."""
    x, y = vertices.T / SUBPIXEL
    return abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2


def test_a_box_on_quarter_pixels_covers_by_hand() -> None:
    # x from 0.5 to 2.25, y from 1 to 2.5.
    box = [(128, 256), (576, 256), (576, 640), (128, 640)]
    expected = [[0, 0, 0, 0], [128, 256, 64, 0], [64, 128, 32, 0]]
    assert cover(box, 3, 4).tolist() == expected


def test_direction_and_start_do_not_matter() -> None:
    triangle = [(10, 30), (900, 200), (300, 1000)]
    once = cover(triangle, 5, 5)
    assert (cover(triangle[::-1], 5, 5) == once).all()
    assert (cover(triangle[1:] + triangle[:1], 5, 5) == once).all()


def test_what_lies_outside_is_clipped() -> None:
    huge = [(-9000, -7000), (9000, -7000), (9000, 8000), (-9000, 8000)]
    assert (cover(huge, 3, 4) == FULL).all()
    assert not cover([(-900, 0), (-300, 0), (-300, 900)], 3, 4).any()
    half = [(-9000, -7000), (512, -7000), (512, 8000), (-9000, 8000)]
    assert cover(half, 2, 4).tolist() == [[FULL, FULL, 0, 0]] * 2


@pytest.mark.parametrize(
    "outline",
    [ellipse(0, 0, 500, 300, angle=100), star(0, 0, 500, 210, 5, angle=33)],
    ids=["ellipse", "star"],
)
def test_covered_pixels_add_up_to_the_area(outline: NDArray[np.int64]) -> None:
    vertices = Placement(50 * SUBPIXEL, 40 * SUBPIXEL, 70 * SUBPIXEL).apply(outline)
    covered = coverage(vertices, np.array([len(vertices)]), 80, 100)[0]
    assert covered.sum() / FULL == pytest.approx(area(vertices), rel=2e-3)


def test_a_disc_has_its_area_and_its_mask_half_covered_pixels() -> None:
    drawing = Drawing()
    drawing.add(ellipse(0, -500, 500, 500, vertices=64), (200, 100, 50))
    layer = render(drawing, Placement(50 * SUBPIXEL, 90 * SUBPIXEL, 80 * SUBPIXEL), 100, 100, rim=0)
    assert layer is not None
    assert int(layer.mask.sum()) == pytest.approx(pi * 40**2, rel=5e-3)
    assert (layer.mask == (layer.alpha >= 128)).all()
    assert layer.inside == 100


def test_shadows_paint_but_do_not_belong_to_the_mask() -> None:
    drawing = Drawing()
    drawing.add(rectangle(-500, -1000, 500, 0), (0, 0, 0), 128, solid=False)
    place = Placement(8 * SUBPIXEL, 16 * SUBPIXEL, 8 * SUBPIXEL)
    layer = render(drawing, place, 20, 16, rim=0)
    assert layer is not None and not layer.mask.any()
    image = np.full((20, 16, 3), 200, dtype=np.int32)
    paint(image, layer)
    assert image[10, 8].tolist() == [100, 100, 100]
    assert image[2, 2].tolist() == [200, 200, 200]


def test_a_drawing_outside_the_picture_is_none() -> None:
    drawing = Drawing()
    drawing.add(rectangle(-500, -1000, 500, 0), (9, 9, 9))
    assert render(drawing, Placement(-900 * SUBPIXEL, 0, 8 * SUBPIXEL), 20, 16, rim=0) is None
