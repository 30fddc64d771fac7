"""IoU of semantic maps: by hand, and against Detectron2's definitions written plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import ContractError, InputError
from benchsuite.predictions.label_maps import decode_panoptic, decode_semantic
from benchsuite.protocols import Metric, Predictions, ResampledMetric, Truth
from benchsuite.specs import Category
from benchsuite_plugins.metrics import semantic_iou
from benchsuite_plugins.metrics.semantic_match import confusion_matrix

EXAMPLES = settings.default.max_examples
generated = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

METRIC, BOUNDARY = semantic_iou.create(), semantic_iou.boundary()


def values(truth: Truth, predictions: Predictions, metric: Any = METRIC) -> dict[str, float]:
    return dict(metric.accumulate(metric.match(truth, predictions)).metrics)


def draw(
    tables: Any, seed: int, count: int = 4, ids: tuple[int, ...] = (0, 1, 3, 7, 200, 255)
) -> tuple[Truth, Predictions]:
    """Maps of coarse regions; what is predicted is moved by a pixel or two."""
    random = np.random.default_rng(seed)
    truths, predictions = [], []
    few = random.choice(ids, random.integers(1, len(ids) + 1), replace=False)
    for _ in range(count):
        height, width = random.integers(1, 30, 2)
        coarse = random.choice(few, (height, width))
        block = random.integers(1, 12)
        truth = coarse[np.arange(height) // block][:, np.arange(width) // block]
        predicted = np.roll(truth, tuple(random.integers(-2, 3, 2)), (0, 1))
        wrong = random.random((height, width)) < 0.1
        predicted = np.where(wrong, random.choice(ids, (height, width)), predicted)
        depth = random.choice([np.uint8, np.uint16])
        truths.append(truth.astype(depth))
        predictions.append(predicted.astype(np.uint8))
    numbers = sorted(random.choice(1000, count, replace=False).tolist())
    return tables.semantic(truths, predictions, numbers)


def pairs_of(truth: Truth, predictions: Predictions) -> list[tuple[np.ndarray, np.ndarray]]:
    maps = zip(truth.images["semantic_png"], predictions.images["semantic_png"])
    return [(decode_semantic(a.as_py()), decode_semantic(b.as_py())) for a, b in maps]


def plainly(confusion: np.ndarray) -> dict[str, float]:
    """Detectron2's values of (K + 1, K + 1) pixels, truth by row."""
    truths = confusion[:-1].sum(axis=1).astype(float)
    predicted = confusion[:-1, :-1].sum(axis=0).astype(float)
    hits = np.diag(confusion)[:-1].astype(float)
    there = truths > 0
    if not there.any():
        return dict.fromkeys(("mIoU", "fwIoU", "mAcc", "pAcc"), -1.0)
    iou = hits[there] / (truths + predicted - hits)[there]
    return {
        "mIoU": np.sum(iou) / np.sum(there),
        "fwIoU": np.sum(iou * (truths / np.sum(truths))[there]),
        "mAcc": np.sum(hits[there] / truths[there]) / np.sum(there),
        "pAcc": np.sum(hits) / np.sum(truths),
    }


def confusion_of(
    pairs: list[tuple[np.ndarray, np.ndarray]], categories: tuple[Category, ...]
) -> np.ndarray:
    size = len(categories)
    places = np.full(1 << 16, size)
    places[[category.id for category in categories]] = np.arange(size)
    confusion = np.zeros((size + 1, size + 1), np.int64)
    for truth, prediction in pairs:
        np.add.at(confusion, (places[truth], places[prediction]), 1)
    return confusion


@generated
@given(st.integers(0, 2**32))
def test_equals_the_plain_protocol(tables: Any, seed: int) -> None:
    truth, predictions = draw(tables, seed)
    confusion = confusion_of(pairs_of(truth, predictions), truth.categories)
    matches = METRIC.match(truth, predictions)
    assert METRIC.accumulate(matches).metrics == plainly(confusion)
    np.testing.assert_array_equal(confusion_matrix(matches)[:-1], confusion[:-1])
    assert not confusion_matrix(matches)[-1].any()


def test_contract() -> None:
    for metric in (METRIC, BOUNDARY):
        assert isinstance(metric, Metric) and isinstance(metric, ResampledMetric)


def test_by_hand(tables: Any) -> None:
    """Cats (3): 4 pixels, of which 3 are found and 1 is taken for sky; 2 of 3 dogs are found."""
    truth = np.array([[3, 3, 3, 3, 1, 1, 1, 0, 0]], np.uint8)
    prediction = np.array([[3, 3, 3, 200, 1, 1, 0, 7, 3]], np.uint8)
    matches = METRIC.match(*tables.semantic([truth], [prediction]))
    rows = [tuple(row.values()) for row in matches.to_pylist()]
    assert rows == [(1, 3, 3, 3), (1, 3, 200, 1), (1, 1, None, 1), (1, 1, 1, 2)]
    scores = METRIC.accumulate(matches)
    assert scores.metrics == {
        "mIoU": (3 / 4 + 2 / 3) / 2,
        "fwIoU": 3 / 4 * (4 / 7) + 2 / 3 * (3 / 7),
        "mAcc": (3 / 4 + 2 / 3) / 2,
        "pAcc": 5 / 7,
    }
    rows = scores.per_class.to_pylist()
    per_class = {(row["category_id"], row["metric"]): row["value"] for row in rows}
    assert per_class[3, "IoU"] == 0.75 and per_class[1, "Acc"] == 2 / 3
    # Sky and sea are predicted, but not there: they have no value, and weigh on no mean.
    assert per_class[200, "IoU"] is None and per_class[7, "Acc"] is None


def test_category_zero_counts_where_there_is_one(tables: Any) -> None:
    of_zero = type(tables)((Category(0, "things"), Category(92, "banner", isthing=False)))
    truth = np.array([[0, 0, 0, 92, 92, 255]], np.uint8)
    prediction = np.array([[0, 0, 92, 92, 0, 92]], np.uint8)
    found = values(*of_zero.semantic([truth], [prediction]))
    assert found["mIoU"] == (2 / 4 + 1 / 3) / 2 and found["pAcc"] == 3 / 5


@pytest.mark.parametrize("metric", [METRIC, BOUNDARY])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (70, 129)])
def test_all_void_has_nothing_to_measure(tables: Any, metric: Any, shape: tuple[int, int]) -> None:
    nothing, something = np.full(shape, 255, np.uint8), np.full(shape, 3, np.uint8)
    assert set(values(*tables.semantic([nothing], [something]), metric).values()) == {-1.0}
    found = values(*tables.semantic([something], [nothing]), metric)
    assert set(found.values()) == {0.0}
    assert set(values(*tables.semantic([something], [something]), metric).values()) == {1.0}


@pytest.mark.parametrize("metric", [METRIC, BOUNDARY])
def test_truth_as_panoptic_maps(tables: Any, metric: Any) -> None:
    numbers = np.array([[5, 5, 70000, 70000, 9, 0]] * 4, np.int32)
    listed = [(5, 3, False), (70000, 3, True), (9, 200, False)]
    segments = [{"id": i, "category_id": c, "iscrowd": crowd} for i, c, crowd in listed]
    semantic = np.array([[3, 3, 3, 3, 200, 0]] * 4, np.uint8)
    prediction = np.array([[3, 3, 3, 200, 200, 1]] * 4, np.uint8)
    as_semantic = tables.semantic([semantic, semantic], [prediction, prediction])
    row = tables.panoptic_row(numbers, segments)
    # The same numbers mean something else in the second image.
    swapped = np.where(numbers == 5, 9, np.where(numbers == 9, 5, numbers)).astype(np.int32)
    other = [segments[1], {**segments[2], "id": 5}, {**segments[0], "id": 9}]
    truth = tables.truth([row, tables.panoptic_row(swapped, other)])
    found = metric.match(truth, as_semantic[1])
    assert found.to_pylist() == metric.match(*as_semantic).to_pylist()
    assert len(decode_panoptic(row["panoptic_png"])) == 4


# --- boundaries ---------------------------------------------------------------------------------


def boundary(mask: np.ndarray) -> np.ndarray:
    """The paper's boundary region: what eroding by 3 x 3, within zeros, takes away."""
    height, width = mask.shape
    distance = max(1, round(0.02 * float(np.hypot(height, width))))
    eroded = np.pad(mask, 1)
    for _ in range(distance):
        whole = np.pad(eroded, 1, constant_values=True)
        shifted = [np.roll(whole, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        eroded = np.logical_and.reduce(shifted)[1:-1, 1:-1]
    return mask & ~eroded[1:-1, 1:-1]


@generated
@given(st.integers(0, 2**32))
def test_boundary_iou_of_each_category(tables: Any, seed: int) -> None:
    truth, predictions = draw(tables, seed)
    common: dict[int, int] = {}
    union: dict[int, int] = {}
    of_truth: dict[int, int] = {}
    ids = [category.id for category in truth.categories]
    for a, b in pairs_of(truth, predictions):
        counted = np.isin(a, ids)
        for i in ids:
            first, second = boundary(a == i), boundary(b == i) & counted
            common[i] = common.get(i, 0) + int((first & second).sum())
            union[i] = union.get(i, 0) + int((first | second).sum())
            of_truth[i] = of_truth.get(i, 0) + int(first.sum())
    scores = BOUNDARY.accumulate(BOUNDARY.match(truth, predictions))
    per_class = {
        row["category_id"]: row["value"]
        for row in scores.per_class.to_pylist()
        if row["metric"] == "IoU"
    }
    assert per_class == {i: common[i] / union[i] if of_truth[i] else None for i in ids}
    found = [value for value in per_class.values() if value is not None]
    assert scores.metrics["mIoU"] == (np.sum(found) / len(found) if found else -1)


def test_boundary_iou_sees_what_iou_does_not(tables: Any) -> None:
    truth = np.full((100, 100), 200, np.uint8)
    truth[20:80, 20:80] = 3
    prediction = np.full((100, 100), 200, np.uint8)
    prediction[22:78, 22:78] = 3
    pair = tables.semantic([truth], [prediction])
    assert values(*pair)["mIoU"] > 0.87
    assert values(*pair, BOUNDARY)["mIoU"] < 0.6


# --- weights, shards, bad input -----------------------------------------------------------------


@pytest.mark.parametrize("metric", [METRIC, BOUNDARY])
def test_shards_merged_in_any_order(tables: Any, metric: Any) -> None:
    truth, predictions = draw(tables, 5, count=50)
    whole = metric.accumulate(metric.match(truth, predictions))
    shards = [
        metric.match(truth, Predictions(predictions.images.slice(i, 1), predictions.instances))
        for i in range(50)
    ]
    order = np.random.default_rng(0).permutation(50)
    merged = pa.concat_tables([shards[i] for i in order])
    found = metric.accumulate(merged)
    assert found.metrics == whole.metrics and found.per_class == whole.per_class
    ids = truth.images["image_id"].to_pylist()
    weights = dict(zip(ids, np.random.default_rng(1).random(50).tolist()))
    once = metric.match(truth, predictions)
    assert metric.accumulate(merged, weights).metrics == metric.accumulate(once, weights).metrics


def test_whole_weights_are_copies_of_images(tables: Any) -> None:
    truth, predictions = draw(tables, 9, count=6)
    weights = [0, 1, 2, 0, 3, 1]
    ids = truth.images["image_id"].to_pylist()
    repeated = [pair for pair, n in zip(pairs_of(truth, predictions), weights) for _ in range(n)]
    found = METRIC.accumulate(METRIC.match(truth, predictions), dict(zip(ids, weights))).metrics
    assert found == plainly(confusion_of(repeated, truth.categories))


@pytest.mark.parametrize("metric", [METRIC, BOUNDARY])
def test_resampling_equals_accumulating(tables: Any, metric: Any) -> None:
    truth, predictions = draw(tables, 7, count=20)
    matches = metric.match(truth, predictions)
    random = np.random.default_rng(0)
    ids = random.permutation(truth.images["image_id"].to_numpy())[:17]
    weights = np.concatenate([random.integers(0, 4, (20, 17)), random.random((20, 17))])
    weights[3] = 0
    resampled = metric.resample(matches, ids, weights)
    for place, row in enumerate(weights):
        want = metric.accumulate(matches, dict(zip(ids.tolist(), row.tolist()))).metrics
        assert {name: each[place] for name, each in resampled.items()} == want
    assert resampled["mIoU"][3] == -1


def test_tables_of_something_else() -> None:
    with pytest.raises(ContractError, match="no semantic match table"):
        METRIC.accumulate(pa.table({"image_id": [1]}))


@pytest.mark.parametrize("metric", [METRIC, BOUNDARY])
def test_maps_that_cannot_be_scored(tables: Any, metric: Any, tmp_path: Path) -> None:
    numbers = np.full((4, 6), 3, np.uint8)
    truth, predictions = tables.semantic([numbers] * 3, [numbers, numbers, numbers.T])
    with pytest.raises(InputError, match="is of 4 x 6 pixels, the truth's map of 6 x 4") as caught:
        metric.match(truth, predictions)
    assert "predictions.json, prediction of image id 3" in str(caught.value)
    row = tables.semantic_row(numbers)
    damaged = tables.predictions([row, row | {"semantic_png": row["semantic_png"][:50]}])
    with pytest.raises(InputError, match="prediction of image id 2: the map is a PNG file that"):
        metric.match(truth, damaged)
    path = str(tmp_path / "gone.png")
    gone = tables.truth([row | {"semantic_png": None, "semantic_path": path}])
    with pytest.raises(InputError, match=r"gone\.png, truth of image id 1: the map cannot be read"):
        metric.match(gone, tables.predictions([row]))
    with pytest.raises(InputError, match="image id 1: has no semantic map"):
        metric.match(truth, tables.predictions([row | {"semantic_png": None}]))
