"""Arrow schemas for everything right of the model: truth, predictions, matches, results.

Conventions, the same in every table:

* ``image_id``, ``category_id`` and ``annotation_id`` are the ids of the dataset's own files.
* ``bbox`` is ``(x, y, width, height)`` in absolute pixels, float64: what COCO files hold, to the
  bit. (A model's ``xyxy`` boxes are converted once, by ``benchsuite.predictions.to_columns``.)
* ``rotated_box`` is ``(centre x, centre y, width, height, angle)``: absolute pixels and degrees,
  counter-clockwise positive with y pointing down, as in Detectron2.
* masks are COCO compressed RLE: ``counts`` bytes, with the image's height and width as ``size``.
* keypoints are flat ``x1, y1, v1, x2, ...`` as in COCO files.
* maps are PNG bytes: panoptic maps hold the segment number as ``R + 256 G + 65536 B``, semantic
  maps the category id in 8 or 16 bits; a number that is no category's id (0 as a rule) stands for
  no category. ``benchsuite.predictions.label_maps`` writes both. Where a map's ``..._png`` is null,
  the file named by ``..._path`` holds it; where that is null too, there is none. Semantic truth may
  have panoptic maps in place of semantic ones: a pixel's category is its segment's then.
"""

from __future__ import annotations

import pyarrow as pa

BBOX = pa.list_(pa.float64(), 4)
ROTATED_BOX = pa.list_(pa.float64(), 5)
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
        pa.field("semantic_path", pa.string()),
        pa.field("panoptic_png", pa.binary()),
        pa.field("panoptic_path", pa.string()),
        pa.field("segments", pa.list_(SEGMENT)),
        pa.field("instance_png", pa.binary()),
        pa.field("instance_path", pa.string()),
        pa.field("negative_category_ids", pa.list_(pa.int64())),
        pa.field("not_exhaustive_category_ids", pa.list_(pa.int64())),
        pa.field("attributes", pa.string()),
    ]
)
"""Truth, one row an image, in evaluation order.

``negative_category_ids`` are categories known to be absent from the image,
``not_exhaustive_category_ids`` those of which not every object is annotated (federated annotation,
as in LVIS); null where every category was looked for. ``instance_png`` is a Cityscapes instance map
(16 bits: label id, or label id * 1000 + number). ``attributes`` is a JSON object of what is known
of the image, for slices (``{"weather": "rain"}``) and metrics (``{"crowdIndex": 0.76}``)."""

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
        pa.field("rotated_box", ROTATED_BOX),
        pa.field("difficult", pa.bool_()),
    ]
)
"""Truth, one row an annotation, in file order. ``difficult``: Pascal VOC's objects that are neither
to be found nor wrong to find; null counts as false."""

MASK_SHAPES = pa.schema(
    [
        pa.field("polygons", pa.list_(pa.list_(pa.float64()))),
        pa.field("segmentation", RLE_TYPE),
    ]
)
"""Masks as a dataset has them, one row a row of ``TRUTH_INSTANCES``: polygons, each flat
``x1, y1, x2, ...``, or else RLE; both null where there is no mask."""

PREDICTION_IMAGES = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("n_instances", pa.int32(), nullable=False),
        pa.field("semantic_png", pa.binary()),
        pa.field("semantic_path", pa.string()),
        pa.field("panoptic_png", pa.binary()),
        pa.field("panoptic_path", pa.string()),
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
        pa.field("rotated_box", ROTATED_BOX),
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
"""Precision at fixed recalls, one row a category and threshold; ``score``: where it is reached."""


# --- the store: one Parquet file a run and table -------------------------------------------------

RUNS = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("result_id", pa.string(), nullable=False),
        pa.field("created", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("verb", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("model_licence", pa.string()),
        pa.field("model_options", pa.string()),
        pa.field("recipe", pa.string()),
        pa.field("weights_name", pa.string()),
        pa.field("weights_sha256", pa.string()),
        pa.field("weights_random", pa.bool_(), nullable=False),
        pa.field("parameters", pa.int64()),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("dataset_options", pa.string()),
        pa.field("annotation_sha256", pa.string(), nullable=False),
        pa.field("images_sha256", pa.string(), nullable=False),
        pa.field("n_images", pa.int64(), nullable=False),
        pa.field("n_dataset_images", pa.int64(), nullable=False),
        pa.field("partial", pa.bool_(), nullable=False),
        pa.field("predictions_sha256", pa.string()),
        pa.field("n_predictions", pa.int64(), nullable=False),
        pa.field("n_dropped", pa.int64(), nullable=False),
        pa.field("category_map", pa.string()),
        pa.field("tasks", pa.list_(pa.string()), nullable=False),
        pa.field("evaluators", pa.string(), nullable=False),
        pa.field("preprocessing", pa.string()),
        pa.field("precision", pa.string()),
        pa.field("compile", pa.bool_()),
        pa.field("channels_last", pa.bool_()),
        pa.field("cuda_graph", pa.bool_()),
        pa.field("batch_size", pa.int32()),
        pa.field("seed", pa.int64()),
        pa.field("device", pa.string()),
        pa.field("device_name", pa.string()),
        pa.field("threads", pa.int32()),
        pa.field("warmup", pa.int32()),
        pa.field("overlapped_images_per_second", pa.float64()),
        pa.field("kernels", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("warnings", pa.list_(pa.string()), nullable=False),
        pa.field("command", pa.string()),
        pa.field("version", pa.string(), nullable=False),
    ]
)
"""One row a run. ``result_id`` is the SHA-256 of everything the result depends on: two runs with
the same one must give the same numbers. ``predictions_sha256`` is the hash of the results file that
``eval`` was given. ``model_options``, ``dataset_options``, ``category_map``, ``evaluators``,
``preprocessing`` and ``kernels`` hold JSON objects. ``overlapped_images_per_second`` counts
everything from reading an image to keeping its predictions, with the next batch made ready while
the device computes; null where nothing was predicted."""

METRICS = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("result_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("recipe", pa.string()),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("published", pa.float64()),
        pa.field("primary", pa.bool_(), nullable=False),
        pa.field("higher_is_better", pa.bool_(), nullable=False),
        pa.field("partial", pa.bool_(), nullable=False),
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        pa.field("ci_level", pa.float64()),
        pa.field("ci_method", pa.string()),
    ]
)
"""One row a value: ``metric`` is the plugin (``coco_bbox``), ``name`` is ``"bbox/AP"``. ``ci_low``
to ``ci_high`` is its confidence interval, where intervals were asked for; ``ci_method`` says how it
was found, with the number of replicates and the seed."""

STORED_PER_CLASS = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        *PER_CLASS,
    ]
)

STORED_PR_CURVES = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        *PR_CURVES,
    ]
)
"""``task`` in this table and in ``STORED_PER_CLASS`` is the prefix that the metric's values carry:
two protocols for one task (``bbox``, ``lvis-bbox``) must not be mixed up."""

STORED_SLICES = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("attribute", pa.string(), nullable=False),
        pa.field("slice", pa.string(), nullable=False),
        pa.field("n_images", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
"""Values of the images that share an attribute, one row a value and slice; ``task`` as above."""

STORED_SAMPLES = pa.schema([pa.field("run_id", pa.string(), nullable=False), *SAMPLES])

ENVIRONMENT = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)
"""One row a fact (``python``, ``torch``, ``cpu``, ``load_average``, …)."""

STORE_TABLES: dict[str, pa.Schema] = {
    "runs": RUNS,
    "metrics": METRICS,
    "per_class": STORED_PER_CLASS,
    "pr_curves": STORED_PR_CURVES,
    "slices": STORED_SLICES,
    "predictions": PREDICTION_INSTANCES,
    "prediction_images": PREDICTION_IMAGES,
    "throughput": STORED_SAMPLES,
    "environment": ENVIRONMENT,
}
"""The store's folders, each ``<table>/<run_id>.parquet``. ``predictions`` carries the run id in its
file name alone, so that a file can be handed on as it stands."""
