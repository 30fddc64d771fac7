"""What ``shapes`` shows: its categories and its keypoints.

The ids have gaps, as those of most datasets have, so that code which takes an id for an index is
found out here. Four pairs differ in detail only: figure and robot, ball and balloon, car and
truck, starfish and flower.
"""

from __future__ import annotations

from benchsuite.specs import Category, KeypointLayout

CATEGORIES = (
    Category(1, "figure", supercategory="being"),
    Category(2, "robot", supercategory="being"),
    Category(5, "ball", supercategory="toy"),
    Category(6, "balloon", supercategory="toy"),
    Category(7, "kite", supercategory="toy"),
    Category(11, "car", supercategory="vehicle"),
    Category(12, "truck", supercategory="vehicle"),
    Category(15, "boat", supercategory="vehicle"),
    Category(21, "starfish", supercategory="nature"),
    Category(22, "flower", supercategory="nature"),
    Category(25, "mushroom", supercategory="nature"),
    Category(28, "tree", supercategory="nature"),
    Category(101, "sky", isthing=False, supercategory="outdoor"),
    Category(103, "grass", isthing=False, supercategory="ground"),
    Category(104, "water", isthing=False, supercategory="outdoor"),
    Category(106, "sand", isthing=False, supercategory="ground"),
    Category(110, "brick", isthing=False, supercategory="built"),
    Category(111, "paving", isthing=False, supercategory="built"),
)
"""Twelve things, then six stuff categories."""

THINGS = tuple(category for category in CATEGORIES if category.isthing)
STUFF = tuple(category for category in CATEGORIES if not category.isthing)
ID_OF = {category.name: category.id for category in CATEGORIES}

KEYPOINT_CATEGORIES = ("figure", "robot")

KEYPOINTS = KeypointLayout(
    names=(
        "head",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_hand",
        "right_hand",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_foot",
        "right_foot",
    ),
    sigmas=(
        0.050,
        0.079,
        0.079,
        0.072,
        0.072,
        0.062,
        0.062,
        0.107,
        0.107,
        0.087,
        0.087,
        0.089,
        0.089,
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)),
    skeleton=(
        (0, 1),
        (0, 2),
        (1, 2),
        (1, 3),
        (3, 5),
        (2, 4),
        (4, 6),
        (1, 7),
        (2, 8),
        (7, 8),
        (7, 9),
        (9, 11),
        (8, 10),
        (10, 12),
    ),
)
"""Thirteen joints. Left is the figure's own left: on the right of the picture when it faces us,
on the left when it shows its back. Sigmas are COCO's for the same joints."""
