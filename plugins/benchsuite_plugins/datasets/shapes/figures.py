"""The two jointed beings, which share their keypoints: a figure and a robot.

Both take a pose (see ``Pose``); joints are in design units, a standing being about 1000 high with
its lowest foot at y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchsuite_plugins.datasets.shapes.integer_trigonometry import ONE, TURN, cos, sin
from benchsuite_plugins.datasets.shapes.palette import CLOTHES, HAIR, METALS, SKINS, Colour, toned
from benchsuite_plugins.datasets.shapes.polygons import (
    IntArray,
    capsule,
    ellipse,
    polygon,
    rounded_rectangle,
    turned,
)
from benchsuite_plugins.datasets.shapes.rasterizer import Drawing
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64

Point = tuple[int, int]

_HEAD, _SHOULDERS, _ELBOWS, _HANDS, _HIPS, _KNEES, _FEET = (
    0,
    (1, 2),
    (3, 4),
    (5, 6),
    (7, 8),
    (9, 10),
    (11, 12),
)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where thirteen joints are, and which way the being looks.

    Attributes:
        joints: (13, 2) int64 in design units, in the order of ``KEYPOINTS``.
        front: whether it faces the viewer; then its left is on the picture's right.
    """

    joints: IntArray
    front: bool

    def at(self, index: int) -> Point:
        x, y = self.joints[index]
        return int(x), int(y)


def _reach(start: Point, angle: int, length: int) -> Point:
    """The end of a bone: ``angle`` 0 hangs down, positive swings to the picture's right."""
    return start[0] + length * sin(angle) // ONE, start[1] + length * cos(angle) // ONE


def draw_pose(random: SplitMix64, arm: int, leg: int) -> Pose:
    """A pose by lot: standing, walking, arms raised, sitting on nothing; bones ``arm`` and ``leg``
    long."""
    front = random.chance(72)
    joints: list[Point] = [(0, 0)] * 13
    lean = random.between(-30, 30)
    joints[_HEAD] = _reach((0, 0), lean + 512 + random.between(-20, 20), 440)
    manner = random.weighted((5, 3, 3, 1))
    for side in (0, 1):
        # ``out`` is +1 on the picture's right; the being's left is there when it faces us.
        out = 1 if (side == 0) == front else -1
        hip = (out * 78, 0)
        shoulder_x, shoulder_y = _reach((0, 0), lean + 512, 285)
        shoulder = (shoulder_x + out * 122, shoulder_y)
        if manner == 2 or (manner == 0 and random.chance(18)):
            upper, lower = random.between(230, 420), random.between(300, 500)
        else:
            upper, lower = random.between(20, 150), random.between(-40, 190)
        swing = {0: 30, 1: 110, 2: 60, 3: 190}[manner]
        thigh = random.between(5, swing)
        shin = thigh - random.between(0, swing) if manner != 3 else random.between(-20, 20)
        elbow = _reach(shoulder, out * upper, arm)
        knee = _reach(hip, out * thigh, leg)
        for index, point in zip(
            (_SHOULDERS, _ELBOWS, _HANDS, _HIPS, _KNEES, _FEET),
            (
                shoulder,
                elbow,
                _reach(elbow, out * lower, arm),
                hip,
                knee,
                _reach(knee, out * shin, leg),
            ),
        ):
            joints[index[side]] = point
    array = np.array(joints, dtype=np.int64)
    array[:, 1] -= array[list(_FEET), 1].max() + 45
    return Pose(array, front)


def draw_figure(random: SplitMix64) -> Drawing:
    """A child's drawing of a person: face and jacket in front, hair and a rucksack behind."""
    pose = draw_pose(random, arm=150, leg=195)
    skin, shirt, hair = random.choice(SKINS), random.choice(CLOTHES), random.choice(HAIR)
    trousers, shoe = random.choice(CLOTHES), random.choice(((60, 50, 48), (240, 240, 240)))
    drawing = Drawing(keypoints=pose.joints)
    for side in (0, 1):
        hip, knee, foot = (pose.at(joints[side]) for joints in (_HIPS, _KNEES, _FEET))
        drawing.add(capsule(*knee, *foot, 50, 42), trousers)
        drawing.add(capsule(*hip, *knee, 66, 54), trousers)
        toe = 34 if foot[0] > 0 else -34
        drawing.add(ellipse(foot[0] + toe, foot[1] + 12, 70, 40, vertices=16), shoe)
    _torso(drawing, pose, shirt, 92)
    head_x, head_y = pose.at(_HEAD)
    if pose.front:
        drawing.add(polygon(*_between(pose, 20)), toned(shirt, 10), 150)
    else:
        bag = random.choice(CLOTHES)
        middle_x, middle_y = _middle(pose)
        box = rounded_rectangle(middle_x - 100, middle_y - 120, middle_x + 100, middle_y + 110, 40)
        drawing.add(box, bag)
        flap = rounded_rectangle(middle_x - 100, middle_y - 120, middle_x + 100, middle_y - 20, 40)
        drawing.add(flap, toned(bag, 6))
    for side in (0, 1):
        shoulder, elbow, hand = (pose.at(joints[side]) for joints in (_SHOULDERS, _ELBOWS, _HANDS))
        drawing.add(capsule(*elbow, *hand, 40, 34), skin)
        drawing.add(capsule(*shoulder, *elbow, 56, 46), toned(shirt, 7))
        drawing.add(ellipse(*hand, 46, 46, vertices=14), skin)
    drawing.add(ellipse(head_x, head_y, 140, 150), hair)
    if pose.front:
        drawing.add(ellipse(head_x, head_y + 26, 122, 122), skin)
        for eye in (-46, 46):
            drawing.add(ellipse(head_x + eye, head_y + 14, 20, 26, vertices=12), (40, 36, 40))
        smile = ellipse(head_x, head_y + 62, 54, 40, start=40, end=472, vertices=10)
        drawing.add(smile, (176, 60, 60))
    return drawing


def draw_robot(random: SplitMix64) -> Drawing:
    """A tin robot: eyes and a dial in front, cooling slits behind; an aerial on its head."""
    pose = draw_pose(random, arm=150, leg=185)
    metal, trim = random.choice(METALS), random.choice(CLOTHES)
    dark = toned(metal, 5)
    drawing = Drawing(keypoints=pose.joints)
    for side in (0, 1):
        hip, knee, foot = (pose.at(joints[side]) for joints in (_HIPS, _KNEES, _FEET))
        drawing.add(capsule(*hip, *knee, 44), dark)
        drawing.add(capsule(*knee, *foot, 44), dark)
        drawing.add(ellipse(*knee, 54, 54, vertices=14), trim)
        x, y = foot
        drawing.add(
            polygon((x - 84, y + 45), (x - 56, y - 40), (x + 56, y - 40), (x + 84, y + 45)), metal
        )
    _torso(drawing, pose, metal, 112, corner=26)
    middle_x, middle_y = _middle(pose)
    if pose.front:
        panel = rounded_rectangle(middle_x - 92, middle_y - 86, middle_x + 92, middle_y + 74, 18)
        drawing.add(panel, dark)
        drawing.add(ellipse(middle_x - 34, middle_y - 4, 46, 46, vertices=18), (240, 240, 226))
        needle = random.between(0, TURN - 1)
        tip = _reach((middle_x - 34, middle_y - 4), needle, 42)
        drawing.add(capsule(middle_x - 34, middle_y - 4, *tip, 9), (200, 40, 40))
        for index, lamp in enumerate(((236, 70, 60), (250, 204, 70), (90, 200, 110))):
            drawing.add(
                ellipse(middle_x + 56, middle_y - 50 + 46 * index, 17, 17, vertices=10), lamp
            )
    else:
        for slit in range(4):
            top = middle_y - 90 + slit * 50
            drawing.add(rounded_rectangle(middle_x - 86, top, middle_x + 86, top + 22, 8), dark)
    for side in (0, 1):
        shoulder, elbow, hand = (pose.at(joints[side]) for joints in (_SHOULDERS, _ELBOWS, _HANDS))
        drawing.add(capsule(*shoulder, *elbow, 40), dark)
        drawing.add(capsule(*elbow, *hand, 40), dark)
        drawing.add(ellipse(*shoulder, 60, 60, vertices=16), trim)
        drawing.add(ellipse(*elbow, 46, 46, vertices=14), trim)
        drawing.add(ellipse(*hand, 54, 54, vertices=14), metal)
    head_x, head_y = pose.at(_HEAD)
    drawing.add(capsule(head_x, head_y - 110, head_x, head_y - 196, 14), dark)
    drawing.add(ellipse(head_x, head_y - 206, 34, 34, vertices=12), trim)
    box = rounded_rectangle(head_x - 150, head_y - 128, head_x + 150, head_y + 128, 30)
    drawing.add(box, metal)
    if pose.front:
        visor = rounded_rectangle(head_x - 116, head_y - 70, head_x + 116, head_y + 20, 26)
        drawing.add(visor, (38, 44, 58))
        for eye in (-54, 54):
            drawing.add(ellipse(head_x + eye, head_y - 25, 28, 28, vertices=12), (130, 240, 250))
        drawing.add(rounded_rectangle(head_x - 70, head_y + 56, head_x + 70, head_y + 88, 8), dark)
    else:
        drawing.add(ellipse(head_x, head_y, 60, 60, vertices=18), dark)
    return drawing


def _middle(pose: Pose) -> Point:
    corners = pose.joints[[*_SHOULDERS, *_HIPS]]
    x, y = corners.sum(axis=0) // 4
    return int(x), int(y)


def _between(pose: Pose, half: int) -> tuple[Point, Point, Point, Point]:
    """A narrow strip from between the shoulders to between the hips."""
    top_x, top_y = pose.joints[list(_SHOULDERS)].sum(axis=0) // 2
    low_x, low_y = pose.joints[list(_HIPS)].sum(axis=0) // 2
    return (
        (int(top_x) - half, int(top_y)),
        (int(top_x) + half, int(top_y)),
        (int(low_x) + half, int(low_y)),
        (int(low_x) - half, int(low_y)),
    )


def _torso(drawing: Drawing, pose: Pose, colour: Colour, reach: int, corner: int = 60) -> None:
    """The trunk, a rounded box along the spine that takes in shoulders and hips."""
    shoulders = pose.joints[list(_SHOULDERS)].sum(axis=0) // 2
    hips = pose.joints[list(_HIPS)].sum(axis=0) // 2
    across, down = (int(v) for v in hips - shoulders)
    x, y = (int(v) for v in (hips + shoulders) // 2)
    length = max(down, 1) // 2
    # The lean is small, so its angle is close to across / down radians (1024 / 2 pi = 163).
    angle = -163 * across // max(down, 1)
    box = rounded_rectangle(
        x - 78 - reach // 2, y - length - 52, x + 78 + reach // 2, y + length + 66, corner
    )
    drawing.add(turned(box, angle, x, y), colour)
