"""Predicted instances as arrays, checked against the images they are on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import binary_to_numpy, from_numpy, is_present, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions
from benchsuite_plugins.datasets.cityscapes.labels import LABELS, LICENSE_PLATE, WITH_INSTANCES

_KNOWN = np.array([LICENSE_PLATE, *(label.id for label in LABELS)], np.int64)
_SCORED = np.array([label.id for label in WITH_INSTANCES], np.int64)


@dataclass(frozen=True, slots=True)
class Detections:
    """Predictions of labels that are scored by instance: by image, in file order within one.

    Attributes:
        image_ids: (I,) int64, ascending.
        starts: (I + 1,) int64, where the predictions of each image begin.
        sources: (D,) int64, their ``prediction``.
        labels: (D,) int64.
        scores: (D,) float64.
        counts: (B,) uint8, their RLE one after the other.
        offsets: (D + 1,) int64, where each RLE begins.
        source: the file they are from, for messages.
    """

    image_ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    sources: NDArray[np.int64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    counts: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    source: str

    @classmethod
    def of(cls, predictions: Predictions, images: pa.Table) -> Detections:
        """The predictions on some images.

        Args:
            images: rows of ``TRUTH_IMAGES``, by ascending id.

        Raises:
            InputError: a prediction is on another image, of a label that Cityscapes has not, lacks
                a mask or has one of another size than its image, or its score is not a number.
        """
        table, source = predictions.instances, predictions.source
        image_ids = to_numpy(images["image_id"])
        ids, sources, labels, scores = (
            to_numpy(table[name]) for name in ("image_id", "prediction", "category_id", "score")
        )
        masks = table["segmentation"]
        mask_sizes, mask_counts = masks.flatten()

        def refuse(wrong: NDArray[np.bool_], problem: str, shown: NDArray[np.generic]) -> None:
            if wrong.any():
                row = int(wrong.argmax())
                raise detection_error(source, sources[row], problem.format(shown[row].tolist()))

        refuse(~np.isin(ids, image_ids), "image_id {} is not among the images that were run", ids)
        refuse(~np.isin(labels, _KNOWN), "category_id {} is no label id of Cityscapes", labels)
        refuse(np.isnan(scores), "score is not a number", scores)
        refuse(~is_present(masks), "segmentation is missing, which instances are scored by", ids)
        sizes = np.stack([to_numpy(images[side]) for side in ("height", "width")], axis=1)
        places = np.searchsorted(image_ids, ids)
        found = to_numpy(mask_sizes)
        unlike = (found != sizes[places]).any(axis=1)
        refuse(unlike, "its mask is of size {} (height, width), its image of another", found)

        rows = np.flatnonzero(np.isin(labels, _SCORED))
        rows = rows[np.lexsort((sources[rows], ids[rows]))]
        if not np.array_equal(rows, np.arange(len(ids))):
            mask_counts = mask_counts.take(from_numpy(rows))
        counts, offsets = binary_to_numpy(mask_counts)
        return cls(
            image_ids=image_ids,
            starts=np.append(np.searchsorted(ids[rows], image_ids), len(rows)),
            sources=sources[rows],
            labels=labels[rows],
            scores=scores[rows],
            counts=counts,
            offsets=offsets,
            source=source,
        )

    def rle(self, row: int) -> NDArray[np.uint8]:
        """The RLE of one prediction."""
        return self.counts[self.offsets[row] : self.offsets[row + 1]]


def detection_error(source: str, prediction: int, problem: str) -> InputError:
    """The error that the detection of this number has a problem."""
    return InputError(problem, file=source or None, record=f"detections[{prediction}]")
