"""The other things, one function a category: each takes chance and returns a drawing.

Design units: the object is about 1000 across its larger side, foot at (0, 0), y upwards negative.
"""

from __future__ import annotations

from collections.abc import Callable

from benchsuite_plugins.datasets.shapes.figures import draw_figure, draw_robot
from benchsuite_plugins.datasets.shapes.integer_trigonometry import ONE, TURN, cos, sin
from benchsuite_plugins.datasets.shapes.palette import (
    BRIGHT,
    DARK,
    GLASS,
    LEAVES,
    WARM,
    WHITE,
    Colour,
    toned,
)
from benchsuite_plugins.datasets.shapes.polygons import (
    capsule,
    ellipse,
    polygon,
    rectangle,
    rounded_rectangle,
    sector,
    smoothed,
    star,
)
from benchsuite_plugins.datasets.shapes.rasterizer import Drawing
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64


def _two(random: SplitMix64) -> tuple[Colour, Colour]:
    """Two different bright colours."""
    first = random.between(0, len(BRIGHT) - 1)
    second = (first + random.between(1, len(BRIGHT) - 1)) % len(BRIGHT)
    return BRIGHT[first], BRIGHT[second]


def draw_ball(random: SplitMix64) -> Drawing:
    """A beach ball: slices of two colours and white from an off-centre pole."""
    drawing = Drawing()
    first, second = _two(random)
    drawing.add(ellipse(0, -500, 500, 500, vertices=44), WHITE)
    turn = random.between(0, TURN - 1)
    pole_x, pole_y = 190 * cos(turn + 90) // ONE, -500 + 190 * sin(turn + 90) // ONE
    for index in range(6):
        start = turn + index * TURN // 6
        colour = (first, WHITE, second, WHITE, first, second)[index]
        if colour == WHITE:
            continue
        drawing.add(sector(0, -500, 500, start, start + TURN // 6, tip=(pole_x, pole_y)), colour)
    drawing.add(ellipse(pole_x, pole_y, 80, 80, vertices=18), WHITE)
    drawing.add(ellipse(-170, -690, 150, 90, angle=-128, vertices=20), (255, 255, 255), 120)
    return drawing


def draw_balloon(random: SplitMix64) -> Drawing:
    """A balloon: an egg with a knot, a gloss and a string (which is not part of its mask)."""
    drawing = Drawing()
    colour, stripe = _two(random)
    for step in range(6):
        x0, x1 = (34 * sin(at * 190) // ONE for at in (step, step + 1))
        drawing.add(
            capsule(x0, -300 + step * 50, x1, -250 + step * 50, 9),
            (240, 236, 226),
            220,
            solid=False,
        )
    drawing.add(polygon((0, -350), (62, -270), (-62, -270)), toned(colour, 6))
    egg = ellipse(0, -660, 330, 345, vertices=40)
    egg[:, 0] = egg[:, 0] * (9000 - (egg[:, 1] + 660 * 64) // 16) // 9000
    drawing.add(egg, colour)
    if random.chance(35):
        drawing.add(ellipse(0, -660, 120, 345, vertices=28), stripe)
    drawing.add(ellipse(-120, -800, 74, 110, angle=70, vertices=18), (255, 255, 255), 150)
    return drawing


def draw_kite(random: SplitMix64) -> Drawing:
    """A kite: a diamond of four panels and a tail with bows."""
    drawing = Drawing()
    first, second = _two(random)
    previous = (0, -330)
    bend = random.choice((-1, 1))
    for step in range(1, 7):
        here = (bend * 70 * sin(step * 170) // ONE, -330 + step * 54)
        drawing.add(capsule(*previous, *here, 14), toned(first, 5))
        if step % 2 == 0:
            x, y = here
            bow = ((x, y), (x - 62, y - 34), (x - 62, y + 34))
            drawing.add(polygon(*bow), second)
            drawing.add(polygon(*((2 * x - bx, by) for bx, by in bow)), second)
        previous = here
    top, right, low, left, middle = (0, -1000), (300, -690), (0, -320), (-300, -690), (0, -690)
    for corners, colour in (
        ((top, right, middle), first),
        ((right, low, middle), second),
        ((low, left, middle), toned(first, 7)),
        ((left, top, middle), toned(second, 9)),
    ):
        drawing.add(polygon(*corners), colour)
    drawing.add(capsule(0, -990, 0, -330, 11), DARK, 190)
    drawing.add(capsule(-290, -690, 290, -690, 11), DARK, 190)
    return drawing


def _wheels(drawing: Drawing, at: tuple[int, ...], radius: int) -> None:
    for x in at:
        drawing.add(ellipse(x, -radius, radius, radius, vertices=26), DARK)
        drawing.add(ellipse(x, -radius, radius // 2, radius // 2, vertices=16), (200, 204, 208))


def draw_car(random: SplitMix64) -> Drawing:
    """A car seen from the side: a low body, a rounded cabin with two windows."""
    drawing = Drawing()
    colour = random.choice(BRIGHT)
    cabin = polygon((-300, -300), (-200, -500), (140, -500), (270, -300))
    drawing.add(smoothed(cabin, 1), toned(colour, 7))
    drawing.add(polygon((-225, -310), (-160, -450), (-35, -450), (-35, -310)), GLASS)
    drawing.add(polygon((5, -310), (5, -450), (115, -450), (190, -310)), GLASS)
    drawing.add(rounded_rectangle(-490, -330, 490, -90, 90), colour)
    drawing.add(rectangle(-470, -200, 470, -170), toned(colour, 6))
    drawing.add(ellipse(455, -250, 34, 40, vertices=14), (255, 240, 170))
    drawing.add(ellipse(-465, -250, 26, 36, vertices=14), (220, 50, 40))
    _wheels(drawing, (-280, 280), 120)
    return drawing if random.chance(50) else drawing.mirrored()


def draw_truck(random: SplitMix64) -> Drawing:
    """A lorry: the car's wheels and lamps, a square cab in front, a box or a load behind."""
    drawing = Drawing()
    colour, box = _two(random)
    if random.chance(60):
        drawing.add(rounded_rectangle(-490, -600, 130, -150, 24), box)
        for x in (-380, -230, -80):
            drawing.add(rectangle(x, -590, x + 22, -160), toned(box, 6))
    else:
        load = ((-450, -330), (-330, -470), (-150, -520), (20, -440), (100, -330))
        drawing.add(smoothed(polygon(*load), 1), (150, 116, 78))
        drawing.add(polygon((-490, -370), (130, -370), (130, -150), (-490, -150)), box)
    drawing.add(rounded_rectangle(150, -480, 420, -120, 60), colour)
    drawing.add(rounded_rectangle(330, -300, 490, -90, 50), colour)
    drawing.add(polygon((250, -310), (250, -430), (350, -430), (390, -310)), GLASS)
    drawing.add(rectangle(-490, -165, 470, -100), DARK)
    drawing.add(ellipse(462, -220, 30, 38, vertices=14), (255, 240, 170))
    _wheels(drawing, (-330, 290), 115)
    return drawing if random.chance(50) else drawing.mirrored()


def draw_boat(random: SplitMix64) -> Drawing:
    """A sailing boat: hull, mast, two sails and a pennant."""
    drawing = Drawing()
    hull, pennant = _two(random)
    sail = random.choice((WHITE, (250, 226, 180), random.choice(BRIGHT)))
    drawing.add(capsule(-20, -1000, -20, -200, 16), (112, 76, 48))
    drawing.add(polygon((10, -950), (380, -280), (10, -250)), sail)
    drawing.add(polygon((-50, -860), (-50, -270), (-350, -280)), toned(sail, 7))
    drawing.add(polygon((-20, -1000), (-200, -960), (-20, -910)), pennant)
    drawing.add(polygon((-460, -220), (480, -220), (330, 0), (-330, 0)), hull)
    drawing.add(polygon((-460, -220), (480, -220), (452, -170), (-424, -170)), WHITE)
    return drawing if random.chance(50) else drawing.mirrored()


def draw_starfish(random: SplitMix64) -> Drawing:
    """A starfish: five blunt arms and spots along them. See ``draw_flower``."""
    drawing = Drawing()
    colour = random.choice(WARM)
    turn = random.between(0, TURN - 1)
    body = star(0, -480, 520, 215, 5, angle=turn)
    drawing.add(smoothed(body, 2), colour)
    pale = toned(colour, 11)
    for arm in range(5):
        at = turn + arm * TURN // 5
        for distance, radius in ((120, 34), (225, 28), (315, 21)):
            x, y = distance * cos(at) // ONE, -480 + distance * sin(at) // ONE
            drawing.add(ellipse(x, y, radius, radius, vertices=10), pale)
    return drawing


def draw_flower(random: SplitMix64) -> Drawing:
    """A blossom: five or six round petals about a disc, where a starfish has arms and spots."""
    drawing = Drawing()
    colour = random.choice((*WARM, WHITE))
    petals = random.choice((5, 5, 6))
    turn = random.between(0, TURN - 1)
    for petal in range(petals):
        at = turn + petal * TURN // petals
        x, y = 290 * cos(at) // ONE, -480 + 290 * sin(at) // ONE
        outline = ellipse(x, y, 225, 150 if petals == 6 else 172, angle=at, vertices=22)
        drawing.add(outline, colour if petal % 2 else toned(colour, 7))
    drawing.add(ellipse(0, -480, 150, 150, vertices=22), (250, 206, 60))
    drawing.add(ellipse(0, -480, 80, 80, vertices=16), (214, 140, 36))
    return drawing


def draw_mushroom(random: SplitMix64) -> Drawing:
    """A toadstool: a stem with a skirt, a spotted cap."""
    drawing = Drawing()
    cap = random.choice(((214, 48, 42), (196, 120, 58), (150, 84, 170), (232, 160, 60)))
    stem = smoothed(polygon((-110, -520), (110, -520), (170, 0), (-170, 0)), 1)
    drawing.add(stem, (244, 232, 208))
    drawing.add(ellipse(0, -470, 180, 60, vertices=20), (228, 212, 182))
    dome = ellipse(0, -500, 480, 470, start=512, end=1024, vertices=24)
    drawing.add(dome, cap)
    drawing.add(ellipse(0, -500, 480, 70, vertices=28), toned(cap, 6))
    for x, y, radius in ((-250, -660, 66), (20, -820, 76), (240, -640, 60), (-20, -620, 44)):
        drawing.add(ellipse(x, y, radius, radius * 7 // 8, vertices=14), WHITE)
    return drawing


def draw_tree(random: SplitMix64) -> Drawing:
    """A tree: a trunk under a round crown, or under the three tiers of a fir."""
    drawing = Drawing()
    leaf = random.choice(LEAVES)
    drawing.add(polygon((-70, -420), (70, -420), (100, 0), (-100, 0)), (116, 78, 50))
    if random.chance(65):
        crown = (
            (0, -560, 330),
            (-210, -600, 210),
            (215, -590, 220),
            (-90, -760, 230),
            (110, -770, 220),
        )
        for x, y, radius in crown:
            drawing.add(ellipse(x, y, radius, radius, vertices=26), leaf)
        for x, y, radius in ((-150, -720, 130), (90, -800, 130), (150, -560, 110)):
            drawing.add(ellipse(x, y, radius, radius, vertices=18), toned(leaf, 9))
    else:
        for low, top, reach in ((-230, -620, 330), (-450, -820, 270), (-660, -1000, 200)):
            drawing.add(polygon((-reach, low), (0, top), (reach, low)), leaf)
            drawing.add(polygon((-reach, low), (0, top), (-reach // 3, low)), toned(leaf, 9))
    return drawing


DRAW: dict[str, Callable[[SplitMix64], Drawing]] = {
    "figure": draw_figure,
    "robot": draw_robot,
    "ball": draw_ball,
    "balloon": draw_balloon,
    "kite": draw_kite,
    "car": draw_car,
    "truck": draw_truck,
    "boat": draw_boat,
    "starfish": draw_starfish,
    "flower": draw_flower,
    "mushroom": draw_mushroom,
    "tree": draw_tree,
}
"""How every thing category is drawn."""
