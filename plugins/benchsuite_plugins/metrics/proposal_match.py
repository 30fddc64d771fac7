"""How well proposals cover the truth, object by object: columns to a match table.

The protocol is that of Detectron2's ``_evaluate_box_proposals``. Of an image's proposals the best
``limit`` count, by descending score; among equal scores the earlier in the file. Its truths are
those that are no crowd and lie in an area range. Of all pairs the one with the largest overlap is
taken, then the largest of those whose truth and proposal are both left, and so on; of equal ones
the one whose truth comes first in the file, then the one whose proposal has the higher score.
Categories are not looked at. An image without any proposal is left out, its truths too.

Overlaps are in float64, where Detectron2 computes them in float32: a pair within about 1e-7 of a
threshold may fall to the other side.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchsuite.columns.arrow_arrays import from_numpy, to_numpy
from benchsuite.errors import InputError
from benchsuite.protocols import Predictions, Truth
from benchsuite_kernels.columns.match_groups import match_groups
from benchsuite_kernels.columns.overlapping_pairs import overlapping_pairs
from benchsuite_kernels.columns.overlaps import BoxOverlaps
from benchsuite_kernels.threads import evaluation_threads
from benchsuite_plugins.metrics.coco_protocol import AREAS
from benchsuite_plugins.metrics.scored_shapes import Side

LIMITS = (100, 1000)
"""How many proposals of an image count."""

THRESHOLDS = np.arange(10, 20) / 20
"""(10,) overlaps from which on a truth is found: 0.5 to 0.95."""

_Ids = NDArray[np.int64]
_Floats = NDArray[np.float64]


def overlap_column(area: str, limit: int) -> str:
    """The column of a match table that says how well each truth is covered."""
    return f"overlap_{area}_{limit}"


MATCHES = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("source_id", pa.int64(), nullable=False),
        *(pa.field(overlap_column(area, n), pa.float64()) for area in AREAS for n in LIMITS),
    ]
)
"""One row a truth; ``source_id`` is its ``annotation_id``. ``overlap_<area>_<limit>`` is that with
the proposal it was matched to: null where the truth is outside the area range, 0 where the overlap
is below the smallest threshold. Tables of different images can be concatenated."""


def match(truth: Truth, predictions: Predictions) -> pa.Table:
    """The match table ``MATCHES`` of the images that have a row in ``predictions.images``.

    Raises:
        InputError: a proposal's image is unknown, or a row of either side has no box.
    """
    image_ids = np.unique(to_numpy(predictions.images["image_id"]))
    truths, truth_images = _truths(truth, image_ids)
    proposals, proposal_images = _proposals(predictions, image_ids)
    ranks = _ranks(proposal_images, proposals.column("score"))
    best = np.flatnonzero(ranks < max(LIMITS))
    if len(best) < len(ranks):
        proposals, proposal_images, ranks = proposals.take(best), proposal_images[best], ranks[best]
    covered = np.zeros(len(image_ids), np.bool_)
    covered[proposal_images] = True
    counts = np.flatnonzero(covered[truth_images])
    truths, truth_images = truths.take(counts), truth_images[counts]
    pairs = overlapping_pairs(
        proposal_images,
        truth_images,
        BoxOverlaps(proposals.boxes(), truths.boxes()),
        least=float(THRESHOLDS[0]),
        threads=evaluation_threads(),
    )
    rows = np.repeat(np.arange(len(ranks)), np.diff(pairs.starts))
    order = np.lexsort((ranks[rows], pairs.truths, -pairs.values))
    rows, of_truths, values = rows[order], pairs.truths[order], pairs.values[order]
    areas = truths.column("area")
    columns = [from_numpy(truths.column("image_id")), from_numpy(truths.column("annotation_id"))]
    for low, high in AREAS.values():
        within = (areas >= low) & (areas <= high)
        for limit in LIMITS:
            may = within[of_truths] & (ranks[rows] < limit)
            best_overlaps = greedy_overlaps(
                of_truths[may], rows[may], values[may], len(truths), len(proposals)
            )
            columns.append(from_numpy(best_overlaps, within))
    return pa.Table.from_arrays(columns, schema=MATCHES)


def greedy_overlaps(
    truths: _Ids, proposals: _Ids, overlaps: _Floats, truth_count: int, proposal_count: int
) -> _Floats:
    """Take pairs in their order, each truth and each proposal once.

    Args:
        truths, proposals: (P,) int64, the rows of each pair, the pair to be taken first first.
        overlaps: (P,) float64.
        truth_count, proposal_count: numbers of rows.

    Returns:
        (truth_count,) float64, the overlap of the pair that each truth is in; 0 where in none.
    """
    found = np.zeros(truth_count)
    taken_truths = np.zeros(truth_count, np.bool_)
    taken_proposals = np.zeros(proposal_count, np.bool_)
    first_of_truth = np.zeros(truth_count, np.int64)
    first_of_proposal = np.zeros(proposal_count, np.int64)
    while len(truths):
        # A pair that comes first for both its truth and its proposal is taken, whatever becomes of
        # the others; the pair that comes first of all is one of them.
        places = np.arange(len(truths))
        first_of_truth[truths[::-1]] = places[::-1]
        first_of_proposal[proposals[::-1]] = places[::-1]
        first = (first_of_truth[truths] == places) & (first_of_proposal[proposals] == places)
        found[truths[first]] = overlaps[first]
        taken_truths[truths[first]] = True
        taken_proposals[proposals[first]] = True
        left = ~(taken_truths[truths] | taken_proposals[proposals])
        truths, proposals, overlaps = truths[left], proposals[left], overlaps[left]
    return found


def _truths(truth: Truth, image_ids: _Ids) -> tuple[Side, _Ids]:
    """The truths that are no crowds, and the place of each one's image."""
    unknown = image_ids[~np.isin(image_ids, to_numpy(truth.images["image_id"]))]
    if len(unknown):
        raise InputError(
            f"image_id {unknown[0]} is not among the images of {truth.source or 'the dataset'}"
        )
    side = Side.truths(truth.instances, truth.source).select(
        ["image_id", "bbox", "area", "iscrowd"]
    )
    images = _image_places(side, image_ids)
    rows = np.flatnonzero((images >= 0) & ~side.column("iscrowd"))
    side = side.take(rows)
    side.require("bbox", "which proposals are scored by")
    return side, images[rows]


def _proposals(predictions: Predictions, image_ids: _Ids) -> tuple[Side, _Ids]:
    """The proposals in file order, and the place of each one's image."""
    side = Side.detections(predictions.instances, predictions.source)
    side = side.select(["image_id", "score", "bbox"]).in_file_order()
    side.require("bbox", "which proposals are scored by")
    images = _image_places(side, image_ids)
    strange = np.flatnonzero(images < 0)
    if len(strange):
        found = side.column("image_id")[strange[0]]
        raise side.error(strange[0], f"image_id {found} is not among those that are evaluated")
    return side, images


def _image_places(side: Side, image_ids: _Ids) -> _Ids:
    nothing = np.zeros(0, np.int64)
    images = side.column("image_id")
    return match_groups(images, None, image_ids, nothing, threads=evaluation_threads())


def _ranks(images: _Ids, scores: _Floats) -> _Ids:
    """(N,) the place of each row by descending score in its image, from 0; NaN last."""
    steps, falls = np.diff(images), np.diff(scores) <= 0
    ascend = ((steps > 0) | ((steps == 0) & falls)).all()
    order = np.arange(len(images)) if ascend else np.lexsort((-scores, images))
    starts = np.searchsorted(images[order], images[order])
    ranks = np.empty(len(images), np.int64)
    ranks[order] = np.arange(len(images)) - starts
    return ranks
