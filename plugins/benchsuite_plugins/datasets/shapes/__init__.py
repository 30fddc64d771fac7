"""``shapes``, the embedded dataset: drawn by seeded integer arithmetic, the same everywhere.

Small scenes of a toy world with everything that a detector has to cope with: occlusion,
truncation, crowds, tiny and large objects, clutter, noise, light, and categories that differ in
detail only. It needs no download; a split is drawn into the cache when it is first opened.

``python -m benchsuite_plugins.datasets.shapes OUT`` writes it, ``--hashes`` prints its hashes.

From lot to file: ``splitmix`` is chance; ``integer_trigonometry``, ``polygons`` and
``rasterizer`` draw; ``textures`` and ``landscape`` make stuff; ``pose``, ``figures``, ``things``
and ``clutter`` are the objects; ``scene`` says what is where, ``picture`` what of it is seen (and
so true), ``exposure`` is the camera; ``annotations`` and ``split`` write COCO's files; ``cache``
and ``dataset`` keep and open them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchsuite_plugins.datasets.shapes.categories import CATEGORIES, KEYPOINTS
from benchsuite_plugins.datasets.shapes.options import ShapesOptions

if TYPE_CHECKING:
    from benchsuite.protocols import Dataset, DatasetRequest

__all__ = ["CATEGORIES", "KEYPOINTS", "ShapesOptions", "open_shapes"]


def open_shapes(request: DatasetRequest) -> Dataset:
    """Open a split, drawing it into ``request.cache`` if it is not there yet or is damaged.

    Raises:
        UsageError: there is no such split.
        BenchsuiteError: the cache cannot be written.
    """
    # Specs are resolved without NumPy and pyarrow; opening needs both.
    from benchsuite_plugins.datasets.shapes.dataset import open_split

    return open_split(request)
