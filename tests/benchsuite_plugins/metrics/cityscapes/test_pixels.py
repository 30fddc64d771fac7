"""Cityscapes' pixel scores against cityscapesscripts, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import ContractError, InputError
from benchsuite.protocols import Metric, OfficialScorer, ResampledMetric, Scores
from benchsuite_plugins.metrics.cityscapes.official_pixels import OfficialPixels
from benchsuite_plugins.metrics.cityscapes.pixel_scores import AVERAGE_SIZES
from benchsuite_plugins.metrics.cityscapes.pixels import CityscapesPixels

quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
METRIC, OFFICIAL = CityscapesPixels(), OfficialPixels()
SIZE = (40, 60)


def values(scores: Scores) -> tuple[dict[str, float], list[Any]]:
    assert scores.per_class is not None
    return dict(scores.metrics), scores.per_class.to_pylist()


def ours(truth: Any, predictions: Any) -> tuple[dict[str, float], list[Any]]:
    return values(METRIC.accumulate(METRIC.match(truth, predictions)))


def labels_of(numbers: np.ndarray) -> np.ndarray:
    return np.where(numbers < 1000, numbers, numbers // 1000)


def guessed(random: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """A label map that is right in places, by blocks and by pixels."""
    guess = np.roll(labels, random.integers(-3, 4, 2), (0, 1))
    for _ in range(random.integers(0, 6)):
        y, x = random.integers(0, labels.shape[0]), random.integers(0, labels.shape[1])
        guess[y : y + random.integers(1, 15), x : x + random.integers(1, 15)] = random.integers(34)
    wrong = random.random(labels.shape) < 0.1
    return np.where(wrong, random.integers(0, 34, labels.shape), guess)


def test_the_contract() -> None:
    assert isinstance(METRIC, Metric) and isinstance(METRIC, ResampledMetric)
    assert isinstance(OFFICIAL, OfficialScorer)


def test_average_sizes_are_the_official_ones() -> None:
    from cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling import args

    official = args.avgClassSize.items()
    assert AVERAGE_SIZES.items() <= official
    assert {name for name, _ in official} - set(AVERAGE_SIZES) == {"caravan", "trailer"}


@quick
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_equals_the_official_script(tables: Any, draw_scene: Any, seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    maps = [draw_scene(random) for _ in range(count)]
    truth = tables.truth(maps)
    predictions = tables.maps(truth, [guessed(random, labels_of(each)) for each in maps])
    assert ours(truth, predictions) == values(OFFICIAL.score(truth, predictions))


@quick
@given(st.integers(0, 2**32))
def test_label_maps_and_instance_maps_may_disagree(tables: Any, draw_scene: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    maps = [draw_scene(random) for _ in range(2)]
    truth = tables.truth(maps, [guessed(random, labels_of(each)) for each in maps])
    predictions = tables.maps(truth, [guessed(random, labels_of(each)) for each in maps])
    assert ours(truth, predictions) == values(OFFICIAL.score(truth, predictions))


def test_by_hand(tables: Any) -> None:
    numbers = np.full(SIZE, 7)
    numbers[:10] = 8
    numbers[10:20, :30] = 26000
    numbers[30:] = 0
    predicted = labels_of(numbers)
    predicted[:5] = 7
    predicted[15:20, :30] = 27
    predicted[30:] = 26
    truth = tables.truth([numbers])
    predictions = tables.maps(truth, [predicted])
    found, of_labels = ours(truth, predictions)
    assert (found, of_labels) == values(OFFICIAL.score(truth, predictions))
    # Road has 900 pixels, all of them found, and 300 of the sidewalk's 600; half of the car's 300
    # are called a truck. What is predicted on unlabeled pixels does not count.
    by_label = {(row["category_id"], row["metric"]): row["value"] for row in of_labels}
    assert by_label[7, "IoU"] == 900 / 1200
    assert by_label[8, "IoU"] == by_label[26, "IoU"] == 0.5
    assert by_label[27, "IoU"] == 0.0
    assert by_label[23, "IoU"] is None
    assert found["IoU"] == (900 / 1200 + 0.5 + 0.5 + 0) / 4
    # Flat and vehicle are found whole; the car's pixels weigh the same where they are found and
    # where they are missed, a truck that is none is a false positive.
    assert found["IoU_category"] == found["iIoU_category"] == 1.0
    assert by_label[26, "iIoU"] == 0.5 and by_label[27, "iIoU"] == 0.0
    assert found["iIoU"] == 0.25
    assert (7, "iIoU") not in by_label and by_label[26, "IoU_category"] == 1.0


def test_perfect_and_empty(tables: Any) -> None:
    truth = tables.truth([np.full(SIZE, 7), np.full(SIZE, 0)])
    found = ours(truth, tables.maps(truth, [np.full(SIZE, 7), np.full(SIZE, 26)]))
    assert found[0] == {"IoU": 1.0, "iIoU": -1.0, "IoU_category": 1.0, "iIoU_category": -1.0}
    void = tables.truth([np.full(SIZE, 3)])
    predictions = tables.maps(void, [np.full(SIZE, 7)])
    nothing = {"IoU": -1.0, "iIoU": -1.0, "IoU_category": -1.0, "iIoU_category": -1.0}
    assert ours(void, predictions)[0] == nothing
    assert ours(void, predictions) == values(OFFICIAL.score(void, predictions))


def test_the_sample(tables: Any, shared_data: Path) -> None:
    folder = shared_data / "cityscapes_sample" / "gtFine"

    def read(kind: str) -> np.ndarray:
        return np.array(PIL.Image.open(folder / f"frankfurt_000000_000294_gtFine_{kind}.png"))

    truth = tables.truth([read("instanceIds")], [read("labelIds")])
    predictions = tables.maps(truth, [np.roll(read("labelIds"), 2, axis=1)])
    found = ours(truth, predictions)
    assert found == values(OFFICIAL.score(truth, predictions))
    assert 0.5 < found[0]["IoU"] < 1


def without_instance_maps(truth: Any, rows: list[int]) -> Any:
    table = truth.images.to_pylist()
    for row in rows:
        table[row]["instance_png"] = None
    return replace(truth, images=pa.Table.from_pylist(table, truth.images.schema))


def test_without_instance_maps_nothing_is_said_of_objects(tables: Any, draw_scene: Any) -> None:
    random = np.random.default_rng(1)
    maps = [draw_scene(random) for _ in range(3)]
    truth = tables.truth(maps)
    predictions = tables.maps(truth, [guessed(random, labels_of(each)) for each in maps])
    whole = ours(truth, predictions)[0]
    for missing in ([0, 1, 2], [1]):
        partly = without_instance_maps(truth, missing)
        found = ours(partly, predictions)
        assert found == values(OFFICIAL.score(partly, predictions))
        assert found[0] == {**whole, "iIoU": -1.0, "iIoU_category": -1.0}
    # An image that does not count is not missed.
    matches = METRIC.match(without_instance_maps(truth, [1]), predictions)
    complete = METRIC.match(truth, predictions)
    weights = {1: 1.0, 3: 1.0}
    want = METRIC.accumulate(complete, weights)
    assert values(METRIC.accumulate(matches, weights)) == values(want)
    assert want.metrics["iIoU"] > -1


def test_shards_and_weights(tables: Any, draw_scene: Any) -> None:
    random = np.random.default_rng(2)
    maps = [draw_scene(random) for _ in range(9)]
    guesses = [guessed(random, labels_of(each)) for each in maps]
    truth = tables.truth(maps)
    matches = METRIC.match(truth, tables.maps(truth, guesses))
    whole = METRIC.accumulate(matches)
    shard = random.integers(0, 4, 10)[matches["image_id"].to_numpy()]
    parts = [matches.filter(pa.array(shard == number)) for number in (2, 0, 3, 1)]
    mixed = pa.concat_tables(parts)
    assert values(METRIC.accumulate(mixed)) == values(whole)

    drawn = random.random((3, 9))
    drawn[2] = 1
    resampled = METRIC.resample(mixed, np.arange(1, 10), drawn)
    for row, of_images in enumerate(drawn):
        weights = dict(zip(range(1, 10), of_images.tolist()))
        one = METRIC.accumulate(matches, weights)
        assert values(METRIC.accumulate(mixed, weights)) == values(one)
        assert {name: found[row] for name, found in resampled.items()} == one.metrics
    assert one.metrics == whole.metrics

    twice = tables.truth([maps[0], maps[0], maps[4]])
    want = ours(twice, tables.maps(twice, [guesses[0], guesses[0], guesses[4]]))[0]
    found = METRIC.accumulate(mixed, {1: 2.0, 5: 1.0}).metrics
    assert found == pytest.approx(want, rel=1e-12)
    assert found["IoU"] == want["IoU"]


def test_images_that_were_not_run_do_not_count(tables: Any, draw_scene: Any) -> None:
    random = np.random.default_rng(4)
    maps = [draw_scene(random) for _ in range(2)]
    truth = tables.truth(maps)
    predictions = tables.maps(truth, [labels_of(maps[0]), labels_of(maps[1]) * 0])
    first = replace(predictions, images=predictions.images.slice(0, 1))
    assert ours(truth, first)[0]["IoU"] == 1.0
    assert ours(truth, predictions)[0]["IoU"] < 1.0


def test_refused_maps_are_named(tables: Any) -> None:
    numbers = np.full(SIZE, 7)
    numbers[:5] = 26000
    good = tables.truth([numbers])
    label_map = labels_of(numbers)

    def strange(numbers: Any) -> Any:
        return np.where(np.arange(SIZE[1]) < 3, numbers, label_map)

    for maps, problem in (
        (strange(34), "semantic map holds 34, which is no label id"),
        (strange(255), "semantic map holds 255, which is no label id"),
        (label_map[:-1], "semantic map is of 60 x 39 pixels"),
    ):
        with pytest.raises(InputError, match=f"^maps, image id 1: its {problem}"):
            METRIC.match(good, tables.maps(good, [maps]))
    right = tables.maps(good, [label_map])
    for number, problem in (
        (34000, "instance map holds 34000, which is no object"),
        (7001, "instance map holds 7001, which is no object"),
    ):
        truth = tables.truth([strange(number)], [label_map])
        with pytest.raises(InputError, match=f"image id 1: its {problem}"):
            METRIC.match(truth, right)
    # Numbers up to 1000 and those of ignored labels are no objects, whatever they are.
    for number in (999, 1000, 1001, 29001):
        truth = tables.truth([strange(number)], [label_map])
        assert ours(truth, right) == values(OFFICIAL.score(truth, right))
    truth = tables.truth([numbers], [strange(40)])
    with pytest.raises(InputError, match="image id 1: its semantic map holds 40"):
        METRIC.match(truth, right)
    rows = right.images.to_pylist()
    rows[0]["semantic_png"] = None
    none = replace(right, images=pa.Table.from_pylist(rows, right.images.schema))
    for scorer in (METRIC.match, OFFICIAL.score):
        with pytest.raises(InputError, match=r"^maps, image id 1: has no semantic map"):
            scorer(good, none)
    rows[0]["semantic_path"] = "gone.png"
    gone = replace(right, images=pa.Table.from_pylist(rows, right.images.schema))
    for scorer in (METRIC.match, OFFICIAL.score):
        with pytest.raises(InputError, match=r"^gone\.png, image id 1: its semantic map cannot"):
            scorer(good, gone)


def test_another_table_is_refused() -> None:
    with pytest.raises(ContractError, match="no counted pixels"):
        METRIC.accumulate(pa.table({"image_id": pa.array([1])}))
