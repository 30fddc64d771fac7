"""Poses of a being: where its thirteen joints are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchsuite_plugins.datasets.shapes.categories import KEYPOINTS
from benchsuite_plugins.datasets.shapes.integer_trigonometry import ONE, cos, sin
from benchsuite_plugins.datasets.shapes.polygons import IntArray
from benchsuite_plugins.datasets.shapes.splitmix import SplitMix64

Point = tuple[int, int]


def _pair(name: str) -> tuple[int, int]:
    """The keypoints of the being's left and right, in this order."""
    return KEYPOINTS.names.index(f"left_{name}"), KEYPOINTS.names.index(f"right_{name}")


HEAD = KEYPOINTS.names.index("head")
SHOULDERS, ELBOWS, HANDS = _pair("shoulder"), _pair("elbow"), _pair("hand")
HIPS, KNEES, FEET = _pair("hip"), _pair("knee"), _pair("foot")

_NECK, _SHOULDER_REACH, _HIP_REACH, _HEAD_REACH = 285, 122, 78, 440
_SOLE = 45


@dataclass(frozen=True, slots=True)
class _Manner:
    """A way to hold oneself.

    Attributes:
        weight: how often, among the others.
        arms_up: percent of arms that are raised.
        stride: the most a thigh swings outwards, in 1/1024 turn.
        sits: whether the shins hang straight down, however the thighs swing.
    """

    weight: int
    arms_up: int
    stride: int
    sits: bool = False


_MANNERS = (_Manner(5, 18, 30), _Manner(3, 0, 110), _Manner(3, 100, 60), _Manner(1, 0, 190, True))
"""Standing, walking, cheering, sitting."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where thirteen joints are, and which way the being looks.

    Attributes:
        joints: (13, 2) int64 in design units, in the order of ``KEYPOINTS``; the lower sole is at
            y = 0.
        front: whether it faces the viewer; then its left is on the picture's right.
    """

    joints: IntArray
    front: bool

    def at(self, index: int) -> Point:
        x, y = self.joints[index]
        return int(x), int(y)

    def limb(self, side: int, *joints: tuple[int, int]) -> tuple[Point, ...]:
        """The points of some pairs of joints on one side, 0 its left, 1 its right."""
        return tuple(self.at(pair[side]) for pair in joints)

    def centre(self, *joints: tuple[int, int]) -> Point:
        """The mean of some pairs of joints."""
        chosen = self.joints[[index for pair in joints for index in pair]]
        x, y = chosen.sum(axis=0) // len(chosen)
        return int(x), int(y)


def reach(start: Point, angle: int, length: int) -> Point:
    """The end of a bone: ``angle`` 0 hangs down, positive swings to the picture's right."""
    return start[0] + length * sin(angle) // ONE, start[1] + length * cos(angle) // ONE


def draw_pose(random: SplitMix64, arm: int, leg: int) -> Pose:
    """A pose by lot.

    Args:
        arm, leg: the length of each of a limb's two bones.
    """
    front = random.chance(72)
    lean = 512 + random.between(-30, 30)
    manner = _MANNERS[random.weighted([manner.weight for manner in _MANNERS])]
    joints = {HEAD: reach((0, 0), lean + random.between(-20, 20), _HEAD_REACH)}
    neck_x, neck_y = reach((0, 0), lean, _NECK)
    for side in (0, 1):
        out = 1 if (side == 0) == front else -1
        shoulder, hip = (neck_x + out * _SHOULDER_REACH, neck_y), (out * _HIP_REACH, 0)
        if random.chance(manner.arms_up):
            upper, lower = random.between(230, 420), random.between(300, 500)
        else:
            upper, lower = random.between(20, 150), random.between(-40, 190)
        thigh = random.between(5, manner.stride)
        bend = random.between(0, manner.stride)
        shin = random.between(-20, 20) if manner.sits else thigh - bend
        joints[SHOULDERS[side]], joints[HIPS[side]] = shoulder, hip
        joints[ELBOWS[side]] = elbow = reach(shoulder, out * upper, arm)
        joints[HANDS[side]] = reach(elbow, out * lower, arm)
        joints[KNEES[side]] = knee = reach(hip, out * thigh, leg)
        joints[FEET[side]] = reach(knee, out * shin, leg)
    array = np.array([joints[index] for index in range(len(joints))], dtype=np.int64)
    array[:, 1] -= array[list(FEET), 1].max() + _SOLE
    return Pose(array, front)
