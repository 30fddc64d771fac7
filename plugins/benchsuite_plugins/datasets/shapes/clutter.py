"""Things without a category: they are in the way, look like something, and are labelled nowhere.

Design units as in ``things``.
"""

from __future__ import annotations

from collections.abc import Callable

from benchsuite_plugins.datasets.shapes.integer_trigonometry import ONE, TURN, cos, sin
from benchsuite_plugins.datasets.shapes.palette import BRIGHT, DARK, LEAVES, WHITE, toned
from benchsuite_plugins.datasets.shapes.polygons import (
    capsule,
    ellipse,
    polygon,
    rectangle,
    smoothed,
)
from benchsuite_plugins.datasets.shapes.rasterizer import Drawing
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64


def draw_rock(random: SplitMix64) -> Drawing:
    drawing = Drawing()
    grey = random.between(96, 168)
    corners = []
    for index in range(8):
        at = index * TURN // 8 + random.between(-30, 30)
        reach = random.between(340, 500)
        corners.append((reach * cos(at) // ONE, -300 + reach * 6 // 10 * sin(at) // ONE))
    drawing.add(smoothed(polygon(*corners), 1), (grey, grey - 4, grey - 10))
    face = [(x * 6 // 10 - 80, (y + 300) * 6 // 10 - 370) for x, y in corners]
    drawing.add(smoothed(polygon(*face), 1), (grey + 26, grey + 22, grey + 16))
    return drawing


def draw_crate(random: SplitMix64) -> Drawing:
    drawing = Drawing()
    wood = random.choice(((176, 128, 76), (150, 104, 66), (196, 156, 104)))
    plank = toned(wood, 6)
    drawing.add(rectangle(-420, -840, 420, 0), wood)
    for y in (-620, -420, -220):
        drawing.add(rectangle(-420, y, 420, y + 20), plank)
    for edge in (
        (-420, -840, -320, 0),
        (320, -840, 420, 0),
        (-420, -840, 420, -750),
        (-420, -90, 420, 0),
    ):
        drawing.add(rectangle(*edge), plank)
    drawing.add(capsule(-330, -80, 330, -760, 44), plank)
    return drawing


def draw_cone(random: SplitMix64) -> Drawing:
    drawing = Drawing()
    orange = random.choice(((240, 110, 36), (236, 70, 50), (66, 130, 200)))
    drawing.add(rectangle(-330, -90, 330, 0), orange)
    drawing.add(polygon((-60, -1000), (60, -1000), (250, -80), (-250, -80)), orange)
    drawing.add(polygon((-108, -740), (108, -740), (152, -530), (-152, -530)), WHITE)
    return drawing


def draw_post(random: SplitMix64) -> Drawing:
    """A lamp post: thin and tall, so that it cuts what stands behind it in two."""
    drawing = Drawing()
    drawing.add(rectangle(-26, -960, 26, 0), (70, 76, 84))
    drawing.add(polygon((-80, 0), (-40, -80), (40, -80), (80, 0)), (56, 60, 68))
    drawing.add(ellipse(0, -930, 92, 100, vertices=20), (255, 244, 196))
    drawing.add(polygon((-100, -950), (0, -1040), (100, -950)), (56, 60, 68))
    return drawing


def draw_fence(random: SplitMix64) -> Drawing:
    drawing = Drawing()
    paint = random.choice((WHITE, (168, 122, 80), (120, 150, 120)))
    for y in (-300, -150):
        drawing.add(rectangle(-500, y, 500, y + 44), paint)
    for x in range(-460, 480, 154):
        drawing.add(
            polygon((x - 38, 0), (x - 38, -380), (x, -440), (x + 38, -380), (x + 38, 0)), paint
        )
    return drawing


def draw_bush(random: SplitMix64) -> Drawing:
    """A tree's crown without a trunk."""
    drawing = Drawing()
    leaf = random.choice(LEAVES[:3])
    for x, y, radius in ((-260, -200, 210), (250, -200, 220), (0, -280, 290), (-60, -150, 160)):
        drawing.add(ellipse(x, y, radius, radius, vertices=24), leaf)
    light = toned(leaf, 9)
    for x, y, radius in ((-120, -340, 110), (180, -270, 100)):
        drawing.add(ellipse(x, y, radius, radius, vertices=16), light)
    return drawing


def draw_ring(random: SplitMix64) -> Drawing:
    """A swimming ring, round and striped as a ball is."""
    drawing = Drawing()
    colour = random.choice(BRIGHT)
    for step in range(12):
        at, to = step * TURN // 12, (step + 1) * TURN // 12
        ends = [390 * f(a) // ONE for a in (at, to) for f in (cos, sin)]
        drawing.add(
            capsule(ends[0], ends[1] - 500, ends[2], ends[3] - 500, 108),
            colour if step // 2 % 2 else WHITE,
        )
    return drawing


def draw_sign(random: SplitMix64) -> Drawing:
    """A traffic sign, in a kite's colours and close to its shape."""
    drawing = Drawing()
    colour = random.choice(BRIGHT)
    drawing.add(rectangle(-28, -640, 28, 0), (120, 124, 130))
    drawing.add(polygon((0, -1000), (270, -730), (0, -460), (-270, -730)), WHITE)
    drawing.add(polygon((0, -940), (210, -730), (0, -520), (-210, -730)), colour)
    drawing.add(rectangle(-30, -830, 30, -630), DARK)
    return drawing


GROUND_CLUTTER: tuple[tuple[Callable[[SplitMix64], Drawing], int], ...] = (
    (draw_rock, 34),
    (draw_crate, 46),
    (draw_cone, 52),
    (draw_post, 150),
    (draw_fence, 110),
    (draw_bush, 70),
    (draw_sign, 90),
)
"""What stands on the ground, and its size in percent of a figure's height."""

WATER_CLUTTER = ((draw_ring, 44), (draw_rock, 34))
"""What lies in the water."""
