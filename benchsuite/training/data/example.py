"""One image of a training set, with its truth."""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite.records import Image
from benchsuite.targets import Target


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An image and what is to be learnt of it, in pixels of that image."""

    image: Image
    target: Target
