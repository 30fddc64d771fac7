"""The twenty categories of the Pascal VOC challenges."""

from __future__ import annotations

from benchsuite.specs import Category

NAMES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

CATEGORIES = tuple(Category(number, name) for number, name in enumerate(NAMES, start=1))
