"""The two jointed beings, which share their keypoints: a figure and a robot.

A standing one is about 1000 design units high.
"""

from __future__ import annotations

from benchsuite_plugins.datasets.shapes.integer_trigonometry import TURN
from benchsuite_plugins.datasets.shapes.palette import CLOTHES, HAIR, METALS, SKINS, Colour, toned
from benchsuite_plugins.datasets.shapes.polygons import (
    capsule,
    ellipse,
    polygon,
    rounded_rectangle,
    turned,
)
from benchsuite_plugins.datasets.shapes.pose import (
    ELBOWS,
    FEET,
    HANDS,
    HEAD,
    HIPS,
    KNEES,
    SHOULDERS,
    Pose,
    draw_pose,
    reach,
)
from benchsuite_plugins.datasets.shapes.rasterizer import Drawing
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64


def draw_figure(random: SplitMix64) -> Drawing:
    """A child's drawing of a person: face and jacket in front, hair and a rucksack behind."""
    pose = draw_pose(random, arm=150, leg=195)
    skin, shirt, hair = random.choice(SKINS), random.choice(CLOTHES), random.choice(HAIR)
    trousers, shoe = random.choice(CLOTHES), random.choice(((60, 50, 48), (240, 240, 240)))
    drawing = Drawing(keypoints=pose.joints)
    for side in (0, 1):
        hip, knee, foot = pose.limb(side, HIPS, KNEES, FEET)
        drawing.add(capsule(*knee, *foot, 50, 42), trousers)
        drawing.add(capsule(*hip, *knee, 66, 54), trousers)
        toe = 34 if foot[0] > 0 else -34
        drawing.add(ellipse(foot[0] + toe, foot[1] + 12, 70, 40, vertices=16), shoe)
    _torso(drawing, pose, shirt, half=124, corner=60)
    if pose.front:
        _zip(drawing, pose, toned(shirt, 10))
    else:
        _rucksack(drawing, pose, random.choice(CLOTHES))
    for side in (0, 1):
        shoulder, elbow, hand = pose.limb(side, SHOULDERS, ELBOWS, HANDS)
        drawing.add(capsule(*elbow, *hand, 40, 34), skin)
        drawing.add(capsule(*shoulder, *elbow, 56, 46), toned(shirt, 7))
        drawing.add(ellipse(*hand, 46, 46, vertices=14), skin)
    x, y = pose.at(HEAD)
    drawing.add(ellipse(x, y, 140, 150), hair)
    if pose.front:
        drawing.add(ellipse(x, y + 26, 122, 122), skin)
        for eye in (-46, 46):
            drawing.add(ellipse(x + eye, y + 14, 20, 26, vertices=12), (40, 36, 40))
        smile = ellipse(x, y + 62, 54, 40, start=40, end=472, vertices=10)
        drawing.add(smile, (176, 60, 60))
    return drawing


def draw_robot(random: SplitMix64) -> Drawing:
    """A tin robot: eyes and a dial in front, cooling slits behind; an aerial on its head."""
    pose = draw_pose(random, arm=150, leg=185)
    metal, trim = random.choice(METALS), random.choice(CLOTHES)
    dark = toned(metal, 5)
    drawing = Drawing(keypoints=pose.joints)
    for side in (0, 1):
        hip, knee, (x, y) = pose.limb(side, HIPS, KNEES, FEET)
        drawing.add(capsule(*hip, *knee, 44), dark)
        drawing.add(capsule(*knee, x, y, 44), dark)
        drawing.add(ellipse(*knee, 54, 54, vertices=14), trim)
        boot = polygon((x - 84, y + 45), (x - 56, y - 40), (x + 56, y - 40), (x + 84, y + 45))
        drawing.add(boot, metal)
    _torso(drawing, pose, metal, half=134, corner=26)
    if pose.front:
        _panel(drawing, pose, dark, needle=random.between(0, TURN - 1))
    else:
        _slits(drawing, pose, dark)
    for side in (0, 1):
        shoulder, elbow, hand = pose.limb(side, SHOULDERS, ELBOWS, HANDS)
        drawing.add(capsule(*shoulder, *elbow, 40), dark)
        drawing.add(capsule(*elbow, *hand, 40), dark)
        drawing.add(ellipse(*shoulder, 60, 60, vertices=16), trim)
        drawing.add(ellipse(*elbow, 46, 46, vertices=14), trim)
        drawing.add(ellipse(*hand, 54, 54, vertices=14), metal)
    x, y = pose.at(HEAD)
    drawing.add(capsule(x, y - 110, x, y - 196, 14), dark)
    drawing.add(ellipse(x, y - 206, 34, 34, vertices=12), trim)
    drawing.add(rounded_rectangle(x - 150, y - 128, x + 150, y + 128, 30), metal)
    if pose.front:
        drawing.add(rounded_rectangle(x - 116, y - 70, x + 116, y + 20, 26), (38, 44, 58))
        for eye in (-54, 54):
            drawing.add(ellipse(x + eye, y - 25, 28, 28, vertices=12), (130, 240, 250))
        drawing.add(rounded_rectangle(x - 70, y + 56, x + 70, y + 88, 8), dark)
    else:
        drawing.add(ellipse(x, y, 60, 60, vertices=18), dark)
    return drawing


def _torso(drawing: Drawing, pose: Pose, colour: Colour, *, half: int, corner: int) -> None:
    """The trunk, a rounded box along the spine that takes in shoulders and hips."""
    (top_x, top_y), (low_x, low_y) = pose.centre(SHOULDERS), pose.centre(HIPS)
    x, y = (top_x + low_x) // 2, (top_y + low_y) // 2
    down = max(low_y - top_y, 1)
    # The lean is small, so its angle is close to across / down radians (1024 / 2 pi = 163).
    angle = -163 * (low_x - top_x) // down
    box = rounded_rectangle(x - half, y - down // 2 - 52, x + half, y + down // 2 + 66, corner)
    drawing.add(turned(box, angle, x, y), colour)


def _zip(drawing: Drawing, pose: Pose, colour: Colour) -> None:
    """A pale strip down the jacket."""
    (top_x, top_y), (low_x, low_y) = pose.centre(SHOULDERS), pose.centre(HIPS)
    strip = polygon(
        (top_x - 20, top_y), (top_x + 20, top_y), (low_x + 20, low_y), (low_x - 20, low_y)
    )
    drawing.add(strip, colour, 150)


def _rucksack(drawing: Drawing, pose: Pose, colour: Colour) -> None:
    x, y = pose.centre(SHOULDERS, HIPS)
    drawing.add(rounded_rectangle(x - 100, y - 120, x + 100, y + 110, 40), colour)
    drawing.add(rounded_rectangle(x - 100, y - 120, x + 100, y - 20, 40), toned(colour, 6))


def _panel(drawing: Drawing, pose: Pose, colour: Colour, needle: int) -> None:
    """A dial with a needle, and three lamps."""
    x, y = pose.centre(SHOULDERS, HIPS)
    drawing.add(rounded_rectangle(x - 92, y - 86, x + 92, y + 74, 18), colour)
    dial = (x - 34, y - 4)
    drawing.add(ellipse(*dial, 46, 46, vertices=18), (240, 240, 226))
    drawing.add(capsule(*dial, *reach(dial, needle, 42), 9), (200, 40, 40))
    for row, lamp in enumerate(((236, 70, 60), (250, 204, 70), (90, 200, 110))):
        drawing.add(ellipse(x + 56, y - 50 + 46 * row, 17, 17, vertices=10), lamp)


def _slits(drawing: Drawing, pose: Pose, colour: Colour) -> None:
    x, y = pose.centre(SHOULDERS, HIPS)
    for top in range(y - 90, y + 110, 50):
        drawing.add(rounded_rectangle(x - 86, top, x + 86, top + 22, 8), colour)
