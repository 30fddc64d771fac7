"""CrowdPose's average precision of keypoints, as ``crowdposetools`` computes it.

Li et al., CrowdPose: Efficient Crowded Scenes Pose Estimation and a New Benchmark, 2019. It is
COCO's protocol of keypoints with these differences:

* There are fourteen keypoints, and a person's area is ``BOX_SHARE`` of the box, whatever the file
  says.
* No area ranges are reported, but the AP of easy, medium and hard images, by ``crowdIndex``: below
  0.2, below 0.8, and from there on. (The paper draws the first line at 0.1; the official code does
  not.)

The official code rounds the three to four digits, and counts -1 for each value where a group of
images has no truth; they are not rounded here, and -1 in all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Scores, Truth
from benchsuite_plugins.datasets.crowdpose_keypoints import BOX_SHARE, KEYPOINTS
from benchsuite_plugins.metrics.coco_ap import CocoAP
from benchsuite_plugins.metrics.coco_match import match
from benchsuite_plugins.metrics.coco_protocol import AREAS, CocoProtocol, Value, keypoint_protocol
from benchsuite_plugins.metrics.coco_summary import summary
from benchsuite_plugins.metrics.image_weights import image_columns
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import accumulate
from benchsuite_plugins.metrics.resampling import resample

DIFFICULTIES = {"APeasy": (-np.inf, 0.2), "APmedium": (0.2, 0.8), "APhard": (0.8, np.inf)}
"""Value to the crowd indices of its images; the lower end belongs to the range."""


def crowdpose_protocol() -> CocoProtocol:
    """COCO's protocol of keypoints, of all areas alone."""
    values = tuple(value for value in keypoint_protocol().values if value.area == "all")
    return replace(keypoint_protocol(), areas=("all",), area_ranges=(AREAS["all"],), values=values)


class CrowdPoseAP(CocoAP):
    """CrowdPose's protocol, as a ``benchsuite.protocols.Metric`` and ``ResampledMetric``.

    The match table is COCO's (see ``match_table``) with a column ``crowd_index``, float64, that of
    a row's image.
    """

    def __init__(self) -> None:
        super().__init__(crowdpose_protocol())

    def _matched(self, truth: Truth, predictions: Predictions, header: MatchHeader) -> pa.Table:
        indices = _crowd_indices(truth, to_numpy(predictions.images["image_id"]))
        matches = match(_with_areas(truth), predictions, header, keypoints=KEYPOINTS)
        places = image_columns(
            to_numpy(matches["image_id"]), to_numpy(predictions.images["image_id"])
        )
        field = pa.field("crowd_index", pa.float64(), nullable=False)
        return matches.append_column(field, from_numpy(indices[places]))

    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores:
        """See ``precision_recall.accumulate``; ``per_class`` and curves are of all images."""
        scores = super().accumulate(matches, image_weights)
        metrics = dict(scores.metrics)
        for name, rows in _by_difficulty(matches).items():
            metrics[name] = summary(accumulate(rows, image_weights))["AP"]
        return replace(scores, metrics=metrics)

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """The summary for each row of weights: see ``resampling.resample``."""
        found = resample(matches, image_ids, weights)
        for name, rows in _by_difficulty(matches).items():
            found[name] = resample(rows, image_ids, weights)["AP"]
        return found


def create() -> CrowdPoseAP:
    """The metric."""
    return CrowdPoseAP()


def _by_difficulty(matches: pa.Table) -> dict[str, pa.Table]:
    """The rows of easy, medium and hard images, of which only AP is asked."""
    header = MatchHeader.of(matches)
    values: tuple[Value, ...] = tuple(v for v in header.protocol.values if v.name == "AP")
    reduced = replace(header, protocol=replace(header.protocol, values=values))
    metadata = reduced.schema().metadata
    indices = to_numpy(matches["crowd_index"])
    return {
        name: matches.take(
            from_numpy(np.flatnonzero((indices >= low) & (indices < high)))
        ).replace_schema_metadata(metadata)
        for name, (low, high) in DIFFICULTIES.items()
    }


def _with_areas(truth: Truth) -> Truth:
    """The truth, an object's area being that which the protocol gives it."""
    boxes = to_numpy(truth.instances["bbox"])
    areas = from_numpy(boxes[:, 3] * boxes[:, 2] * BOX_SHARE)
    schema = truth.instances.schema
    place = schema.get_field_index("area")
    return replace(truth, instances=truth.instances.set_column(place, schema.field(place), areas))


def _crowd_indices(truth: Truth, image_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """(I,) the crowd index of each image.

    Raises:
        InputError: an image has none.
    """
    known = dict(zip(truth.images["image_id"].to_pylist(), truth.images["attributes"].to_pylist()))
    indices = np.zeros(len(image_ids))
    for place, image_id in enumerate(image_ids.tolist()):
        stated = json.loads(known.get(image_id) or "{}").get("crowdIndex")
        if image_id in known and not isinstance(stated, (int, float)):
            raise InputError(
                "has no crowdIndex, which tells easy images from hard ones",
                file=truth.source or None,
                record=f"image id {image_id}",
            )
        indices[place] = np.nan if stated is None else stated
    return indices
