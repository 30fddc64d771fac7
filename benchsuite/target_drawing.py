"""A training target drawn into its image, as predictions are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Picture

from benchsuite.drawing import draw_labelled
from benchsuite.records import RLE, Image, Prediction
from benchsuite.specs import Category, KeypointLayout
from benchsuite.targets import Target, TargetMask
from benchsuite_kernels.columns import rle


def draw_target(
    image: Image,
    target: Target,
    categories: Sequence[Category],
    *,
    keypoints: KeypointLayout | None = None,
) -> Picture.Image:
    """The image with all that its target says, but proposals.

    Args:
        image: (H, W, 3) uint8, in whose pixels the target is.
        categories: what the labels mean.
        keypoints: which keypoints are joined by a line; ``None``: none are.

    Returns:
        An RGB picture of the image's size.

    Raises:
        ContractError: a mask or map is of another size than the image.
    """
    shown = Prediction(
        boxes=target.boxes,
        scores=np.ones(len(target)),
        labels=target.labels,
        masks=None
        if target.masks is None
        else [_run_lengths(mask, image.height, image.width) for mask in target.masks],
        keypoints=target.keypoints,
        semantic=target.semantic,
    )
    known = len(categories)
    names = {
        row: categories[label].name if 0 <= label < known else f"label {label}"
        for row, label in enumerate(target.labels.tolist())
    }
    return draw_labelled(image, shown, categories, names, keypoints=keypoints)


def _run_lengths(mask: TargetMask, height: int, width: int) -> RLE:
    if isinstance(mask, RLE):
        return mask
    if isinstance(mask, tuple):
        pieces = [piece.ravel().tolist() for piece in mask]
        return RLE((height, width), rle.from_polygons(pieces, (height, width)))
    return RLE((mask.shape[0], mask.shape[1]), rle.encode(mask))
