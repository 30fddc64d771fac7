"""Average precision of Cityscapes' instances against cityscapesscripts, to the bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import InputError
from benchsuite.protocols import Metric, OfficialScorer, ResampledMetric, Scores
from benchsuite_plugins.metrics.cityscapes.instances import CityscapesInstances
from benchsuite_plugins.metrics.cityscapes.official_instances import OfficialInstances
from benchsuite_plugins.metrics.cityscapes.official_script import load_script

quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
METRIC, OFFICIAL = CityscapesInstances(), OfficialInstances()


def values(scores: Scores) -> tuple[dict[str, float], list[Any]]:
    assert scores.per_class is not None
    return dict(scores.metrics), scores.per_class.to_pylist()


def ours(truth: Any, predictions: Any) -> tuple[dict[str, float], list[Any]]:
    return values(METRIC.accumulate(METRIC.match(truth, predictions)))


def square(size: tuple[int, int], y: int, x: int, side: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_the_contract() -> None:
    assert isinstance(METRIC, Metric) and isinstance(METRIC, ResampledMetric)
    assert isinstance(OFFICIAL, OfficialScorer)


@quick
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_equals_the_official_script(
    tables: Any, draw_scene: Any, draw_instances: Any, seed: int, count: int
) -> None:
    random = np.random.default_rng(seed)
    maps = [draw_scene(random) for _ in range(count)]
    truth = tables.truth(maps)
    predictions = tables.instances(truth, draw_instances(random, maps))
    found = ours(truth, predictions)
    try:
        official = values(OFFICIAL.score(truth, predictions))
    except IndexError:
        # The script fails where objects are there and predictions too, but all of these are
        # ignored: nothing was found, so that is a precision of 0.
        assert 0.0 in [row["value"] for row in found[1]]
        return
    assert found == official


SIZE = (40, 60)


def on_road(*objects: tuple[int, np.ndarray]) -> np.ndarray:
    numbers = np.full(SIZE, 7)
    for number, mask in objects:
        numbers[mask] = number
    return numbers


def ap_of_cars(tables: Any, numbers: np.ndarray, *predictions: tuple[float, np.ndarray]) -> Any:
    """AP and AP50 of cars, which the official script must agree with."""
    truth = tables.truth([numbers])
    given_ = tables.instances(truth, [(1, 26, score, mask) for score, mask in predictions])
    found = ours(truth, given_)
    assert found == values(OFFICIAL.score(truth, given_))
    of_cars = {row["metric"]: row["value"] for row in found[1] if row["category_id"] == 26}
    return of_cars["AP"], of_cars["AP50"]


CAR, OTHER = square(SIZE, 5, 5, 20), square(SIZE, 5, 35, 20)


def test_a_found_object(tables: Any) -> None:
    assert ap_of_cars(tables, on_road((26000, CAR)), (0.9, CAR)) == (1.0, 1.0)


def test_a_better_scored_false_positive_costs_three_quarters(tables: Any) -> None:
    # Points (precision, recall): (1/2, 1), (0, 0) and the start (1, 0); half of the fall of recall
    # goes to the first, half to the second.
    numbers = on_road((26000, CAR))
    assert ap_of_cars(tables, numbers, (0.5, CAR), (0.9, OTHER)) == (0.25, 0.25)
    assert ap_of_cars(tables, numbers, (0.9, CAR), (0.5, OTHER)) == (1.0, 1.0)


def test_only_the_best_of_several_matches_is_true(tables: Any) -> None:
    numbers = on_road((26000, CAR))
    assert ap_of_cars(tables, numbers, (0.5, CAR), (0.9, CAR)) == (1.0, 1.0)
    # Equal scores make one point: half of what is found is true.
    assert ap_of_cars(tables, numbers, (0.9, CAR), (0.9, CAR)) == (0.75, 0.75)


def test_the_overlap_must_exceed_the_threshold(tables: Any) -> None:
    half = CAR & (np.arange(SIZE[1]) < 15)
    assert half.sum() * 2 == CAR.sum()
    assert ap_of_cars(tables, on_road((26000, CAR)), (0.9, half)) == (0.0, 0.0)


def test_what_lies_on_groups_and_void_is_excused(tables: Any) -> None:
    group = on_road((26000, CAR), (26, OTHER))
    assert ap_of_cars(tables, group, (0.5, CAR), (0.9, OTHER)) == (1.0, 1.0)
    void = on_road((26000, CAR), (3, OTHER))
    assert ap_of_cars(tables, void, (0.5, CAR), (0.9, OTHER)) == (1.0, 1.0)
    # A caravan is not void, however, nor is a person.
    for number in (29000, 24000):
        numbers = on_road((26000, CAR), (number, OTHER))
        assert ap_of_cars(tables, numbers, (0.5, CAR), (0.9, OTHER)) == (0.25, 0.25)


def test_small_objects_are_not_to_be_found(tables: Any) -> None:
    hundred, fewer = square(SIZE, 5, 35, 10), square(SIZE, 5, 35, 10)
    fewer[5, 35] = False
    assert ap_of_cars(tables, on_road((26000, CAR), (26001, hundred)), (0.9, CAR)) == (0.5, 0.5)
    assert ap_of_cars(tables, on_road((26000, CAR), (26001, fewer)), (0.9, CAR)) == (1.0, 1.0)
    found_too = ((0.5, CAR), (0.9, fewer))
    assert ap_of_cars(tables, on_road((26000, CAR), (26001, fewer)), *found_too) == (1.0, 1.0)


def test_empty_masks_and_labels_without_instances_are_not_there(tables: Any) -> None:
    truth = tables.truth([on_road((26000, CAR))])
    rows = [(1, 26, 0.5, CAR), (1, 26, 0.9, np.zeros(SIZE, bool))]
    rows += [(1, label, 0.9, OTHER) for label in (7, 29, -1, 0)]
    predictions = tables.instances(truth, rows)
    found = ours(truth, predictions)
    assert found == values(OFFICIAL.score(truth, predictions))
    assert found[0] == {"AP": 1.0, "AP50": 1.0}
    assert len(METRIC.match(truth, predictions)) == 2


def test_nothing_to_find_and_nothing_found(tables: Any) -> None:
    truth = tables.truth([on_road()])
    assert ours(truth, tables.instances(truth, []))[0] == {"AP": -1.0, "AP50": -1.0}
    truth = tables.truth([on_road((26000, CAR))])
    assert ours(truth, tables.instances(truth, []))[0] == {"AP": 0.0, "AP50": 0.0}


def test_only_ignored_predictions_are_no_reason_to_fail(tables: Any) -> None:
    truth = tables.truth([on_road((26000, CAR), (3, OTHER))])
    predictions = tables.instances(truth, [(1, 26, 0.9, OTHER)])
    with pytest.raises(IndexError):
        OFFICIAL.score(truth, predictions)
    assert ours(truth, predictions)[0] == {"AP": 0.0, "AP50": 0.0}


def shards(table: pa.Table, count: int, random: np.random.Generator) -> pa.Table:
    """The rows by shards of images, in any order."""
    images = table["image_id"].to_numpy()
    shard = random.integers(0, count, images.max() + 1)[images]
    parts = [table.filter(pa.array(shard == number)) for number in random.permutation(count)]
    return pa.concat_tables(parts)


def test_shards_and_weights(tables: Any, draw_scene: Any, draw_instances: Any) -> None:
    random = np.random.default_rng(3)
    maps = [draw_scene(random) for _ in range(12)]
    truth = tables.truth(maps)
    predictions = tables.instances(truth, draw_instances(random, maps))
    matches = METRIC.match(truth, predictions)
    whole = METRIC.accumulate(matches)
    assert whole.metrics["AP"] > 0
    mixed = shards(matches, 5, random)
    assert values(METRIC.accumulate(mixed)) == values(whole)

    times = random.integers(0, 4, 12)
    weights = {number + 1: float(count) for number, count in enumerate(times)}
    repeated = [place for place, count in enumerate(times) for _ in range(count)]
    again = tables.truth([maps[place] for place in repeated])
    rows = []
    for number, place in enumerate(repeated, start=1):
        for row in predictions.instances.to_pylist():
            if row["image_id"] == place + 1:
                rows.append({**row, "image_id": number, "prediction": len(rows)})
    copies = tables.instances(again, [])
    instances = pa.Table.from_pylist(rows, predictions.instances.schema)
    want = METRIC.match(again, type(copies)(copies.images, instances))
    assert values(METRIC.accumulate(mixed, weights)) == values(METRIC.accumulate(want))

    drawn = np.array([[weights[number] for number in range(1, 13)], random.random(12)])
    resampled = METRIC.resample(mixed, np.arange(1, 13), drawn)
    for row, of_images in enumerate(drawn):
        one = METRIC.accumulate(mixed, dict(zip(range(1, 13), of_images.tolist()))).metrics
        assert {name: found[row] for name, found in resampled.items()} == one


def test_the_sample(tables: Any, shared_data: Path) -> None:
    folder = shared_data / "cityscapes_sample" / "gtFine"
    numbers = np.array(PIL.Image.open(folder / "frankfurt_000000_000294_gtFine_instanceIds.png"))
    truth = tables.truth([numbers])
    rows = [
        (1, int(number) // 1000, 0.5 + place / 100, np.roll(numbers == number, 1, axis=1))
        for place, number in enumerate(np.unique(numbers[numbers >= 1000]))
    ]
    predictions = tables.instances(truth, rows)
    found = ours(truth, predictions)
    assert found == values(OFFICIAL.score(truth, predictions))
    assert 0 < found[0]["AP"] < 1


def test_matches_outlive_a_file(tables: Any, draw_scene: Any, draw_instances: Any) -> None:
    random = np.random.default_rng(6)
    maps = [draw_scene(random) for _ in range(4)]
    truth = tables.truth(maps)
    matches = METRIC.match(truth, tables.instances(truth, draw_instances(random, maps)))
    file = io.BytesIO()
    pq.write_table(matches, file)
    again = pq.ParquetFile(file).read()
    assert values(METRIC.accumulate(again)) == values(METRIC.accumulate(matches))


def test_a_label_without_predictions_has_a_curve_of_one_point(tables: Any) -> None:
    truth = tables.truth([on_road((26000, CAR))])
    curves = METRIC.accumulate(METRIC.match(truth, tables.instances(truth, []))).curves
    assert curves is not None
    points = [(row["category_id"], row["recall"], row["precision"]) for row in curves.to_pylist()]
    assert points == [(26, [0.0], [0.0])] * 2


def test_curves_go_by_recall(tables: Any, draw_scene: Any, draw_instances: Any) -> None:
    random = np.random.default_rng(5)
    maps = [draw_scene(random) for _ in range(8)]
    truth = tables.truth(maps)
    matches = METRIC.match(truth, tables.instances(truth, draw_instances(random, maps)))
    curves = METRIC.accumulate(matches).curves
    assert curves is not None and {row["iou"] for row in curves.to_pylist()} == {0.5, 0.75}
    for row in curves.to_pylist():
        assert row["recall"] == sorted(row["recall"])
        assert row["score"] == sorted(row["score"], reverse=True)
        assert len(row["recall"]) == len(row["precision"]) == len(row["score"])


def test_images_that_were_not_run_do_not_count(tables: Any) -> None:
    truth = tables.truth([on_road((26000, CAR)), on_road((26000, CAR))])
    predictions = tables.instances(truth, [(1, 26, 0.9, CAR)])
    assert ours(truth, predictions)[0]["AP"] == 0.5
    first = type(predictions)(predictions.images.slice(0, 1), predictions.instances)
    assert ours(truth, first)[0]["AP"] == 1.0


def test_refused_predictions_are_named(tables: Any) -> None:
    truth = tables.truth([on_road((26000, CAR))])
    good = (1, 26, 0.9, CAR)
    for bad, problem in (
        ((2, 26, 0.9, CAR), "image_id 2 is not among the images that were run"),
        ((1, 77, 0.9, CAR), "category_id 77 is no label id"),
        ((1, 26, float("nan"), CAR), "score is not a number"),
        ((1, 26, 0.9, CAR[:, :-1]), r"its mask is of size \[40, 59\]"),
    ):
        with pytest.raises(InputError, match=rf"^dt\.json, detections\[1\]: {problem}"):
            METRIC.match(truth, tables.instances(truth, [good, bad]))
    table = tables.instances(truth, [good, good]).instances
    for change, problem in (
        (None, "segmentation is missing"),
        ({"size": SIZE, "counts": b"4P"}, "segmentation: the RLE ends within a run"),
    ):
        rows = table.to_pylist()
        rows[1]["segmentation"] = change
        broken = tables.instances(truth, [])
        broken = type(broken)(broken.images, pa.Table.from_pylist(rows, table.schema), "dt.json")
        with pytest.raises(InputError, match=rf"^dt\.json, detections\[1\]: {problem}"):
            METRIC.match(truth, broken)


def test_refused_truth_is_named(tables: Any) -> None:
    truth = tables.truth([on_road((26000, CAR))])
    none = tables.instances(truth, [])

    def with_map(**columns: Any) -> Any:
        row = {**truth.images.to_pylist()[0], **columns}
        return type(truth)(pa.Table.from_pylist([row], truth.images.schema), truth.instances, ())

    strange = tables.truth([on_road((34000, CAR))]).images["instance_png"][0].as_py()
    other_size = tables.truth([on_road()[:-1]]).images["instance_png"][0].as_py()
    for columns, problem in (
        ({"instance_png": None}, "image id 1: has no instance map"),
        ({"instance_png": strange}, "image id 1: its instance map holds 34000"),
        ({"instance_png": other_size}, r"image id 1: its instance map is of \(39, 60\)"),
        ({"instance_png": b"no"}, "image id 1: its instance map is no PNG"),
        ({"instance_png": None, "instance_path": "gone.png"}, "^gone.png, image id 1: .* read"),
    ):
        with pytest.raises(InputError, match=problem):
            METRIC.match(with_map(**columns), none)


def test_infinite_scores_are_scores(tables: Any) -> None:
    truth = tables.truth([on_road((26000, CAR))])
    rows = [(1, 26, float("-inf"), CAR), (1, 26, float("inf"), OTHER)]
    predictions = tables.instances(truth, rows)
    assert values(OFFICIAL.score(truth, predictions)) == ours(truth, predictions)


def test_the_official_script_never_ends_the_process() -> None:
    script = load_script("evalInstanceLevelSemanticLabeling")
    with pytest.raises(InputError, match=r"cityscapesscripts .* says: Infofile 'none.txt'"):
        script.readPredInfo("none.txt", script.args)
