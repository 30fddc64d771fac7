"""What a picture shows, by lot: a landscape, and what stands, floats and flies in it."""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite_plugins.datasets.shapes.clutter import GROUND_CLUTTER, WATER_CLUTTER
from benchsuite_plugins.datasets.shapes.landscape import (
    BRICK,
    GRASS,
    PAVING,
    SAND,
    SKY,
    WATER,
    Landscape,
    make_landscape,
)
from benchsuite_plugins.datasets.shapes.picture import Item, Picture, compose
from benchsuite_plugins.datasets.shapes.polygons import FINE, ellipse
from benchsuite_plugins.datasets.shapes.rasterizer import (
    SUBPIXEL,
    Drawing,
    Part,
    Placement,
    render,
)
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64
from benchsuite_plugins.datasets.shapes.things import DRAW


@dataclass(frozen=True, slots=True)
class _Habit:
    """How a category appears.

    Attributes:
        weight: how often, among the others.
        size: in percent of a figure's height.
        places: the stuff it is on or in front of.
        shadow: half the width of its shadow in design units; 0: it casts none.
        tilt: the most it leans either way, in 1/1024 turn.
    """

    weight: int
    size: int
    places: tuple[int, ...]
    shadow: int = 0
    tilt: int = 0

    @property
    def flies(self) -> bool:
        return SKY in self.places


_LAND = (GRASS, SAND, PAVING)
_HABITS: dict[str, _Habit] = {
    "figure": _Habit(16, 100, _LAND, shadow=230),
    "robot": _Habit(13, 92, _LAND, shadow=240),
    "ball": _Habit(9, 40, (*_LAND, WATER), shadow=420),
    "balloon": _Habit(10, 78, (SKY, BRICK), tilt=30),
    "kite": _Habit(10, 84, (SKY, BRICK), tilt=110),
    "car": _Habit(9, 118, _LAND, shadow=500),
    "truck": _Habit(9, 134, _LAND, shadow=500),
    "boat": _Habit(14, 104, (WATER,), shadow=420),
    "starfish": _Habit(8, 42, (*_LAND, WATER), shadow=360),
    "flower": _Habit(8, 42, _LAND, shadow=360),
    "mushroom": _Habit(8, 54, (GRASS, SAND), shadow=300),
    "tree": _Habit(9, 165, (GRASS, SAND), shadow=330),
}
_NAMES = tuple(_HABITS)
_WEIGHTS = tuple(habit.weight for habit in _HABITS.values())
_IN_CROWDS = ("figure", "robot", "ball", "balloon", "starfish", "flower", "mushroom", "boat")

_CLUTTER_SHADOW = 330
_LEAST_INSIDE = 22
"""Percent of an object's bounding box that must lie in the picture."""

_LEAST_CROWD = 8
"""Members of a crowd that must lie in the picture."""


def make_picture(random: SplitMix64, size: int) -> Picture:
    """Draw the picture that ``random`` leads to.

    Args:
        size: nominal size in pixels (see ``ShapesOptions``).
    """
    height, width = _picture_size(random, size)
    stage = _Stage(random, make_landscape(random, height, width))
    for _ in range(_number_of_things(random)):
        stage.add_thing()
    for _ in range(random.weighted((4, 4, 3, 2))):
        stage.add_clutter()
    if stage.items and random.chance(20):
        stage.add_crowd(random.choice(_IN_CROWDS))
    return compose(random, stage.landscape, stage.items)


def _picture_size(random: SplitMix64, size: int) -> tuple[int, int]:
    """Height and width; three pictures in ten are upright."""
    longer = size * random.between(100, 160) // 120
    shorter = longer * random.between(62, 88) // 100
    return (longer, shorter) if random.chance(30) else (shorter, longer)


def _number_of_things(random: SplitMix64) -> int:
    """None at all in one picture of 25, else 1 to 14."""
    if random.chance(4):
        return 0
    return 1 + random.weighted((4, 6, 8, 10, 12, 12, 12, 10, 8, 6, 5, 4, 3, 2))


class _Stage:
    """A landscape that is being filled."""

    def __init__(self, random: SplitMix64, landscape: Landscape) -> None:
        self.random, self.landscape = random, landscape
        self.height: int = landscape.stuff.shape[0]
        self.width: int = landscape.stuff.shape[1]
        self.items: list[Item] = []

    def add_thing(self) -> None:
        """A thing of a category that has a place here, if one is found in a few tries."""
        for _ in range(4):
            name = _NAMES[self.random.weighted(_WEIGHTS)]
            habit = _HABITS[name]
            spot = self._spot(habit.places)
            if spot is None:
                continue
            x, y = spot
            drawing = DRAW[name](self.random)
            tilt = self.random.between(-habit.tilt, habit.tilt)
            if habit.flies:
                size = self._size(habit.size, self.random.between(0, 80))
                depth = self.random.between(0, self.height)
                place = _place(x, y + size // 2, size, tilt)
            else:
                size = self._size(habit.size, self._nearness(y))
                depth, place = y, _place(x, y, size, tilt)
            self._add(drawing, place, depth, name, habit.shadow)
            return

    def add_clutter(self) -> None:
        """Something without a category."""
        on_water = self.random.chance(20)
        draw, percent = self.random.choice(WATER_CLUTTER if on_water else GROUND_CLUTTER)
        spot = self._spot((WATER,) if on_water else _LAND)
        if spot is not None:
            x, y = spot
            size = self._size(percent, self._nearness(y))
            self._add(draw(self.random), _place(x, y, size), y, None, _CLUTTER_SHADOW)

    def add_crowd(self, name: str) -> None:
        """A dozen or more of one category, tiny, close together; four different drawings."""
        spot = self._spot(_HABITS[name].places)
        if spot is None:
            return
        x, y = spot
        size = max(7, min(self.height, self.width) * self.random.between(7, 12) // 100)
        drawings = [DRAW[name](self.random) for _ in range(4)]
        spread_x, spread_y = self.width * self.random.between(10, 22) // 100, size
        members = []
        for _ in range(self.random.between(12, 34)):
            # Two draws summed: dense in the middle, thin at the rim.
            across = self.random.between(-spread_x, spread_x) + self.random.between(-spread_x, 0)
            down = self.random.between(-spread_y, spread_y) + self.random.between(-spread_y, 0)
            tall = size * _HABITS[name].size * self.random.between(80, 120) // 8000
            members.append((y + down, x + across, min(max(tall, 7), size * 3 // 2)))
        layers = []
        for index, (foot, middle, tall) in enumerate(sorted(members)):
            place = _place(middle, foot, tall)
            layer = render(drawings[index % 4], place, self.height, self.width, rim=60)
            if layer is not None:
                layers.append(layer)
        if len(layers) >= _LEAST_CROWD:
            self.items.append(Item(y + size, name, layers, iscrowd=True))

    def _spot(self, places: tuple[int, ...]) -> tuple[int, int] | None:
        """A point on one of the stuff categories ``places``, or ``None`` after some tries.

        It may lie below the picture, where what stands nearest has its foot.
        """
        for _ in range(6):
            x = self.random.between(0, self.width - 1)
            y = self.random.between(0, self.height * 112 // 100)
            if int(self.landscape.stuff[min(y, self.height - 1), x]) in places:
                return x, y
        return None

    def _nearness(self, y: int) -> int:
        """0 at the horizon to 100 at the picture's lower edge."""
        span = max(self.height - self.landscape.horizon, 1)
        return max(0, min(y - self.landscape.horizon, span)) * 100 // span

    def _size(self, percent: int, nearness: int) -> int:
        """Pixels, by lot, of something that is ``percent`` of a figure's height."""
        nominal = min(self.height, self.width) * percent * (20 + nearness * 55 // 100)
        return max(9, nominal * self.random.between(65, 145) // 1_000_000)

    def _add(
        self, drawing: Drawing, place: Placement, depth: int, name: str | None, shadow: int
    ) -> None:
        if shadow:
            ground = ellipse(40, -14, shadow, 64, vertices=18)
            drawing.parts.insert(0, Part(ground, (18, 22, 34), opacity=84, solid=False))
        size = place.size // SUBPIXEL
        layer = render(drawing, place, self.height, self.width, rim=60 if size < 24 else 110)
        if layer is None or layer.inside < _LEAST_INSIDE:
            return
        keypoints = None
        if drawing.keypoints is not None:
            keypoints = place.apply(drawing.keypoints * FINE) // SUBPIXEL
        self.items.append(Item(depth, name, [layer], height=size, keypoints=keypoints))


def _place(x: int, y: int, size: int, angle: int = 0) -> Placement:
    """In pixels."""
    return Placement(x * SUBPIXEL, y * SUBPIXEL, size * SUBPIXEL, angle)
