"""CrowdPose's fourteen keypoints of a person, and how it scores them."""

from __future__ import annotations

from benchsuite.specs import KeypointLayout

# As in the official evaluation, which divides when it runs: see person_keypoints.
_TEN_SIGMAS = (
    *(0.79, 0.79, 0.72, 0.72, 0.62, 0.62),
    *(1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79),
)

KEYPOINTS = KeypointLayout(
    names=(
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "head",
        "neck",
    ),
    sigmas=tuple(ten_sigma / 10.0 for ten_sigma in _TEN_SIGMAS),
    flip_pairs=((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)),
    skeleton=(
        *((12, 13), (13, 0), (13, 1), (0, 2), (2, 4), (1, 3), (3, 5)),
        *((13, 6), (13, 7), (6, 8), (8, 10), (7, 9), (9, 11)),
    ),
)
"""The skeleton is ours: the files' own is that of COCO's keypoints, which these are not."""

BOX_SHARE = 0.53
"""How much of its box a person covers. The official evaluation measures distances by it."""
