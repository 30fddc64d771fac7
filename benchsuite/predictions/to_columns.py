"""From a model's records to columns, and back from Parquet.

This is the one place where a model's conventions become those of COCO's files: boxes from corners
to sizes, keypoints from the continuous plane to pixel indices, labels to category ids, masks to
RLE and maps to PNG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.tables import box_array, filled_table, rle_array
from benchsuite.errors import ContractError, DataMissingError
from benchsuite.predictions.maps import convert_panoptic, convert_semantic
from benchsuite.protocols import Predictions
from benchsuite.records import RLE, ImageRecord, Prediction
from benchsuite.schemas import PREDICTION_IMAGES, PREDICTION_INSTANCES
from benchsuite.store.parquet_file import read_parquet
from benchsuite_kernels.columns import rle


@dataclass(frozen=True, slots=True, eq=False)
class PredictionColumns:
    """What a model says of one image, as columns.

    Attributes:
        image: the row of ``schemas.PREDICTION_IMAGES``.
        instances: rows of ``schemas.PREDICTION_INSTANCES``, in the model's order.
        dropped: how many instances and segments have a label without a category id; the pixels
            that one such label has in a semantic map count as one segment.
    """

    image: dict[str, Any]
    instances: pa.Table
    dropped: int


def to_columns(
    record: ImageRecord,
    prediction: Prediction,
    category_ids: Sequence[int | None],
    first_prediction: int,
) -> PredictionColumns:
    """A model's prediction of one image in the conventions of COCO's files.

    Boxes become ``x1, y1, x2 - x1, y2 - y1``, subtracted in float32 and only then widened to
    float64; keypoints lose 0.5 in x and y, in float32 too, because COCO's files number pixels while
    a model's coordinates run over the plane: both to the bit as Detectron2 writes them
    (``instances_to_coco_json``). Scores are widened.

    Args:
        category_ids: for each label the category id, or ``None``: what has this label is dropped.
        first_prediction: the number of the first row; numbers go on without gaps.

    Raises:
        ContractError: names the image and what is wrong with its prediction: a label out of range,
            a box whose corners are swapped, a mask or map of another size than the image, a
            malformed RLE, keypoints or scores that are not finite numbers.
    """
    where = f"prediction of image {record.id} ({record.file_name})"
    labels = prediction.labels
    strange = np.flatnonzero((labels < 0) | (labels >= len(category_ids)))
    if len(strange):
        raise ContractError(
            f"{where}: label {labels[strange[0]]} of instance {strange[0]} is not one of the "
            f"model's {len(category_ids)} categories (0 to {len(category_ids) - 1})"
        )
    kept = np.flatnonzero(np.array([i is not None for i in category_ids], np.bool_)[labels])
    ids = np.array([0 if i is None else i for i in category_ids], np.int64)[labels[kept]]
    boxes = _sizes(prediction.boxes[kept], where)
    segmentation = keypoints = None
    if prediction.masks is not None:
        counts = _encode_masks(prediction.masks, kept, (record.height, record.width), where)
        segmentation = rle_array(counts, np.tile([record.height, record.width], (len(kept), 1)))
    if prediction.keypoints is not None:
        keypoints = _flatten_keypoints(prediction.keypoints[kept], where)
    columns = {
        "prediction": pa.array(np.arange(first_prediction, first_prediction + len(kept))),
        "image_id": pa.array(np.full(len(kept), record.id, np.int64)),
        "category_id": pa.array(ids),
        "score": pa.array(prediction.scores[kept].astype(np.float64)),
        "bbox": box_array(boxes, np.ones(len(kept), np.bool_)),
        "segmentation": segmentation,
        "keypoints": keypoints,
    }
    dropped = len(labels) - len(kept)
    image: dict[str, Any] = dict.fromkeys(PREDICTION_IMAGES.names) | {
        "image_id": record.id,
        "file_name": record.file_name,
        "width": record.width,
        "height": record.height,
        "n_instances": len(kept),
    }
    if prediction.semantic is not None:
        semantic = convert_semantic(prediction.semantic, record, category_ids, where)
        image["semantic_png"] = semantic.png
        dropped += semantic.dropped
    if prediction.panoptic is not None:
        panoptic = convert_panoptic(prediction.panoptic, record, category_ids, where)
        image["panoptic_png"], image["segments"] = panoptic.png, panoptic.segments
        dropped += panoptic.dropped
    instances = filled_table(columns, PREDICTION_INSTANCES, len(kept))
    return PredictionColumns(image, instances, dropped)


def gather_columns(columns: Sequence[PredictionColumns]) -> Predictions:
    """The columns of several images, in that order, as two tables."""
    instances = [PREDICTION_INSTANCES.empty_table(), *(each.instances for each in columns)]
    return Predictions(
        images=pa.Table.from_pylist([each.image for each in columns], schema=PREDICTION_IMAGES),
        instances=pa.concat_tables(instances),
    )


def rows(
    record: ImageRecord,
    prediction: Prediction,
    category_ids: Sequence[int | None],
    first_prediction: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """``to_columns`` for those who want few rows as dictionaries: (image row, instance rows)."""
    columns = to_columns(record, prediction, category_ids, first_prediction)
    return columns.image, columns.instances.to_pylist()


def read_predictions(instances: Path, images: Path) -> Predictions:
    """Read the two tables of a run, as ``PredictionParts.merge`` or the store wrote them.

    Raises:
        DataMissingError: one of the files is not there.
        InputError: one of them is damaged or another table.
    """
    return Predictions(
        images=_read_table(images, PREDICTION_IMAGES),
        instances=_read_table(instances, PREDICTION_INSTANCES),
        source=str(instances),
    )


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file():
        raise DataMissingError(f"there is no file of predictions {path}")
    remedy = "Take the file from a store's folder 'predictions' or 'prediction_images'"
    return read_parquet(path, schema, remedy=remedy)


def _sizes(boxes: NDArray[np.float32], where: str) -> NDArray[np.float64]:
    """(N, 4) xyxy float32 to xywh float64."""
    with np.errstate(over="ignore"):
        size = boxes[:, 2:] - boxes[:, :2]
    wrong = np.flatnonzero(~((size >= 0) & (size < np.inf)).all(axis=1))
    if len(wrong):
        raise ContractError(
            f"{where}: the box {boxes[wrong[0]].tolist()} is not (x1, y1, x2, y2) with x1 <= x2 "
            "and y1 <= y2"
        )
    return np.concatenate([boxes[:, :2], size], axis=1).astype(np.float64)


def _encode_masks(
    masks: Any, kept: NDArray[np.intp], size: tuple[int, int], where: str
) -> list[bytes]:
    if not isinstance(masks, list | tuple):
        masks = np.asarray(masks)
    counts = []
    for index in kept:
        mask = masks[index]
        try:
            if isinstance(mask, RLE):
                _check_size(tuple(mask.size), size)
                rle.validate(mask.counts, size)
                counts.append(bytes(mask.counts))
            else:
                array = np.asarray(mask)
                _check_size(array.shape, size)
                counts.append(rle.encode(array))
        except ValueError as error:
            raise ContractError(f"{where}: mask {index}: {error}") from None
    return counts


def _check_size(have: tuple[int, ...], want: tuple[int, int]) -> None:
    if have != want:
        raise ValueError(f"it is of (height, width) {have}, the image of {want}")


def _flatten_keypoints(keypoints: NDArray[np.float32], where: str) -> pa.Array[Any]:
    """(N, K, 3) float32 to ``schemas.PREDICTION_INSTANCES``'s lists of 3 K float64."""
    if not np.isfinite(keypoints).all():
        raise ContractError(f"{where}: keypoints hold a NaN or infinite number")
    moved = keypoints - np.array([0.5, 0.5, 0], np.float32)
    offsets = np.arange(len(moved) + 1, dtype=np.int32) * (3 * moved.shape[1])
    lists: pa.Array[Any] = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(moved.ravel(), pa.float64())
    )
    return lists
