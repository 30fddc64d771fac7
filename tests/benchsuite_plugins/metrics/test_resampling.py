"""Many weightings at once against one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from benchsuite.errors import ContractError
from benchsuite.protocols import ResampledMetric
from benchsuite_kernels.threads import set_evaluation_threads
from benchsuite_plugins.metrics import coco_ap, lvis_ap
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol, Value, detection_protocol
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.resampling import resample

IMAGES = 40
CATEGORIES = tuple(range(0, 60, 3))


def match_table(protocol: CocoProtocol, seed: int = 0, rows: int = 3000) -> pa.Table:
    """A match table of 20 categories, some of which have no truths, in no order."""
    header = MatchHeader(protocol, CATEGORIES, "test")
    generator = np.random.default_rng(seed)
    images = generator.integers(0, IMAGES, rows)
    categories = generator.choice(CATEGORIES, rows)
    is_truth = (generator.random(rows) < 0.3) & (categories > 3)
    # The last column changes fastest: rows of an image and category are ranked as they come.
    group = images * 100 + categories
    order = np.lexsort((group,))
    ranks = np.empty(rows, np.int32)
    ranks[order] = np.arange(rows) - np.searchsorted(group[order], group[order])
    columns = [
        images,
        categories,
        is_truth,
        np.arange(rows),
        np.where(is_truth, 0, ranks).astype(np.int32),
        np.round(generator.random(rows), 1),
    ]
    for _ in protocol.areas:
        bits = (1 << generator.integers(0, 11, rows)) - 1
        outside = generator.random(rows) < 0.4
        columns.append(np.where(is_truth, 0, bits).astype(header.bits))
        columns.append(np.where(outside, header.every_bit, 0).astype(header.bits))
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=header.schema())


def weightings(seed: int = 0) -> np.ndarray:
    """Drawn with replacement, in or out, and of any size."""
    generator = np.random.default_rng(seed)
    drawn = [np.bincount(generator.integers(IMAGES, size=IMAGES), minlength=IMAGES)] * 3
    chosen = [generator.permutation(IMAGES) < IMAGES // 2 for _ in range(3)]
    any_ = [generator.random(IMAGES) * 3 for _ in range(2)]
    return np.stack([*drawn, *chosen, *any_, np.zeros(IMAGES)]).astype(np.float64)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("backwards", [False, True])
def test_equals_accumulate_row_by_row(threads: int, backwards: bool) -> None:
    protocol = detection_protocol("bbox")
    some = Value("APr", "precision", "all", 100, None, CATEGORIES[4:9])
    protocol = replace(protocol, values=(*protocol.values, some))
    metric, matches = coco_ap.bbox(), match_table(protocol)
    images, weights = np.arange(IMAGES), weightings()
    if backwards:
        images, weights = images[::-1], weights[:, ::-1]
    set_evaluation_threads(threads)
    try:
        found = metric.resample(matches, images, weights)
    finally:
        set_evaluation_threads(None)
    expected = [metric.accumulate(matches, dict(zip(images.tolist(), row))) for row in weights]
    assert list(found) == list(expected[0].metrics)
    for name, values in found.items():
        assert values.tolist() == [scores.metrics[name] for scores in expected]
    assert min(found["AP"][:-1]) > 0
    assert found["AP"][-1] == -1


def test_weights_of_one_are_the_plain_values() -> None:
    matches = match_table(detection_protocol("bbox"))
    found = resample(matches, np.arange(IMAGES), np.ones((1, IMAGES)))
    plain = coco_ap.bbox().accumulate(matches).metrics
    assert {name: values[0] for name, values in found.items()} == plain


@pytest.mark.parametrize("metric", [coco_ap.bbox(), coco_ap.keypoints(), lvis_ap.bbox()])
def test_metrics_offer_it(metric: object) -> None:
    assert isinstance(metric, ResampledMetric)


def test_images_that_are_named_twice() -> None:
    matches = match_table(detection_protocol("bbox"), rows=5)
    with pytest.raises(ContractError, match="named twice"):
        resample(matches, np.array([1, 2, 1]), np.ones((1, 3)))


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_weights_that_are_none(weight: float) -> None:
    matches = match_table(detection_protocol("bbox"), rows=5)
    with pytest.raises(ContractError, match="the weight of image 7 is"):
        resample(matches, np.array([3, 7]), np.array([[1, 1], [1, weight]]))
