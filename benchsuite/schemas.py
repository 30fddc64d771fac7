"""Arrow schemas for everything right of the model: truth, predictions, matches, results.

Conventions, the same in every table:

* ``image_id``, ``category_id`` and ``annotation_id`` are the ids of the dataset's own files.
* ``bbox`` is ``(x, y, width, height)`` in absolute pixels, float64: what COCO files hold, to the
  bit. (A model's ``xyxy`` boxes are converted once, by ``benchsuite.predictions``.)
* masks are COCO compressed RLE: ``counts`` bytes, with the image's height and width as ``size``.
* keypoints are flat ``x1, y1, v1, x2, ...`` as in COCO files.
* maps are PNG bytes: panoptic maps hold the segment number as ``R + 256 G + 65536 B``, semantic
  maps the category id in 8 or 16 bits, with ``semantic_void`` for no category.
"""

from __future__ import annotations

import pyarrow as pa

BBOX = pa.list_(pa.float64(), 4)
RLE_TYPE = pa.struct([("size", pa.list_(pa.int32(), 2)), ("counts", pa.binary())])
SEGMENT = pa.struct(
    [
        ("id", pa.int64()),
        ("category_id", pa.int64()),
        ("isthing", pa.bool_()),
        ("iscrowd", pa.bool_()),
        ("area", pa.int64()),
        ("score", pa.float64()),
    ]
)

TRUTH_IMAGES = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("semantic_png", pa.binary()),
        pa.field("panoptic_png", pa.binary()),
        pa.field("segments", pa.list_(SEGMENT)),
    ]
)
"""Truth, one row an image, in evaluation order."""

TRUTH_INSTANCES = pa.schema(
    [
        pa.field("annotation_id", pa.int64(), nullable=False),
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("category_id", pa.int64(), nullable=False),
        pa.field("bbox", BBOX),
        pa.field("area", pa.float64(), nullable=False),
        pa.field("iscrowd", pa.bool_(), nullable=False),
        pa.field("segmentation", RLE_TYPE),
        pa.field("keypoints", pa.list_(pa.float64())),
        pa.field("num_keypoints", pa.int32()),
    ]
)
"""Truth, one row an annotation, in file order."""

PREDICTION_IMAGES = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("n_instances", pa.int32(), nullable=False),
        pa.field("semantic_png", pa.binary()),
        pa.field("panoptic_png", pa.binary()),
        pa.field("segments", pa.list_(SEGMENT)),
    ]
)
"""Predictions, one row an image that was run, so that "nothing found" differs from "not run"."""

PREDICTION_INSTANCES = pa.schema(
    [
        pa.field("prediction", pa.int64(), nullable=False),
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("category_id", pa.int64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("bbox", BBOX),
        pa.field("segmentation", RLE_TYPE),
        pa.field("keypoints", pa.list_(pa.float64())),
        pa.field("extra", pa.string()),
    ]
)
"""Predictions, one row an instance.

``prediction`` is its place in the file or run, from 0: protocols break ties by it. ``extra`` is a
JSON object of fields that a COCO results file had and COCO does not define.
"""

SAMPLES = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("batch", pa.int64(), nullable=False),
        pa.field("batch_size", pa.int32(), nullable=False),
        pa.field("load_ms", pa.float64(), nullable=False),
        pa.field("preprocess_ms", pa.float64()),
        pa.field("model_ms", pa.float64(), nullable=False),
        pa.field("postprocess_ms", pa.float64()),
    ]
)
"""Throughput samples, one row an image: milliseconds of its batch divided by the batch's size.

``preprocess_ms`` and ``postprocess_ms`` are null for a model that offers ``predict`` alone; then
``model_ms`` is the whole of it.
"""

PER_CLASS = pa.schema(
    [
        pa.field("category_id", pa.int64(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
    ]
)
"""A metric's values of each category; null where there is no truth to find."""

PR_CURVES = pa.schema(
    [
        pa.field("category_id", pa.int64(), nullable=False),
        pa.field("iou", pa.float64(), nullable=False),
        pa.field("area", pa.string(), nullable=False),
        pa.field("max_detections", pa.int32(), nullable=False),
        pa.field("recall", pa.list_(pa.float64()), nullable=False),
        pa.field("precision", pa.list_(pa.float64()), nullable=False),
        pa.field("score", pa.list_(pa.float64()), nullable=False),
    ]
)
"""Precision at fixed recalls, one row a category and threshold; ``score`` is where it is reached."""
