"""COCO's seventeen keypoints of a person: names, sigmas, mirror pairs, skeleton."""

from __future__ import annotations

from benchsuite.specs import KeypointLayout

# The protocol states ten times the sigmas and divides when it runs: 0.26 / 10 and 0.026 are
# different doubles, and OKS is to be repeated to the bit.
_TEN_SIGMAS = (
    *(0.26, 0.25, 0.25, 0.35, 0.35),
    *(0.79, 0.79, 0.72, 0.72, 0.62, 0.62),
    *(1.07, 1.07, 0.87, 0.87, 0.89, 0.89),
)

PERSON_KEYPOINTS = KeypointLayout(
    names=(
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
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
    ),
    sigmas=tuple(ten_sigma / 10.0 for ten_sigma in _TEN_SIGMAS),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    skeleton=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7)),
        *((6, 8), (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    ),
)
"""Sigmas as in pycocotools' ``Params.setKpParams``; the skeleton as in COCO's category record,
counted from 0."""
