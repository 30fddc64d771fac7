"""Panoptic quality: by hand, by the protocol written plainly, and against cityscapesscripts."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import ContractError, InputError
from benchsuite.predictions.label_maps import decode_panoptic
from benchsuite.protocols import Metric, OfficialScorer, Predictions, ResampledMetric, Truth
from benchsuite.specs import Category
from benchsuite_kernels.columns.label_maps import decode
from benchsuite_plugins.metrics import panoptic_official, panoptic_quality

EXAMPLES = settings.default.max_examples
generated = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

METRIC = panoptic_quality.create()


def values(truth: Truth, predictions: Predictions) -> dict[str, float]:
    return dict(METRIC.accumulate(METRIC.match(truth, predictions)).metrics)


def draw(scenes: Any, tables: Any, seed: int, count: int = 4) -> tuple[Truth, Predictions]:
    random = np.random.default_rng(seed)
    drawn = [scenes.draw(random) for _ in range(count)]
    ids = sorted(random.choice(1000, count, replace=False).tolist())
    return tables.panoptic([a for a, _ in drawn], [b for _, b in drawn], ids)


# --- the protocol, segment by segment -----------------------------------------------------------


def numbers_of(row: dict[str, Any]) -> np.ndarray:
    return decode_panoptic(row["panoptic_png"])


def plainly(truth: Truth, predictions: Predictions) -> dict[str, float]:
    """PQ by masks: every pair of segments is looked at."""
    iou: dict[int, float] = defaultdict(float)
    tp: dict[int, int] = defaultdict(int)
    fp: dict[int, int] = defaultdict(int)
    fn: dict[int, int] = defaultdict(int)
    of_truth = {row["image_id"]: row for row in truth.images.to_pylist()}
    for predicted_row in predictions.images.to_pylist():
        row = of_truth[predicted_row["image_id"]]
        numbers, predicted = numbers_of(row), numbers_of(predicted_row)
        void = numbers == 0
        matched: set[tuple[str, int]] = set()
        for a in sorted(row["segments"], key=lambda each: each["id"]):
            for b in sorted(predicted_row["segments"], key=lambda each: each["id"]):
                mask, other = numbers == a["id"], predicted == b["id"]
                if a["category_id"] != b["category_id"] or a["iscrowd"] or not (mask & other).any():
                    continue
                common = int((mask & other).sum())
                union = int(other.sum()) - int((other & void).sum()) + a["area"] - common
                if common / union > 0.5:
                    matched |= {("truth", a["id"]), ("prediction", b["id"])}
                    tp[a["category_id"]] += 1
                    iou[a["category_id"]] += common / union
        crowds = {each["category_id"]: each["id"] for each in row["segments"] if each["iscrowd"]}
        for a in row["segments"]:
            fn[a["category_id"]] += ("truth", a["id"]) not in matched and not a["iscrowd"]
        for b in predicted_row["segments"]:
            mask = predicted == b["id"]
            excused = void | (numbers == crowds.get(b["category_id"], 0))
            wrong = ("prediction", b["id"]) not in matched
            fp[b["category_id"]] += wrong and 2 * (mask & excused).sum() <= mask.sum()
    found = {}
    for suffix, chosen in (("", (True, False)), ("_th", (True,)), ("_st", (False,))):
        ids = [
            each.id
            for each in truth.categories
            if each.isthing in chosen and tp[each.id] + fp[each.id] + fn[each.id]
        ]
        halves = {i: tp[i] + 0.5 * fp[i] + 0.5 * fn[i] for i in ids}
        sums = {"PQ": 0.0, "SQ": 0.0, "RQ": 0.0}
        for i in ids:
            sums["PQ"] += iou[i] / halves[i]
            sums["SQ"] += iou[i] / tp[i] if tp[i] else 0
            sums["RQ"] += tp[i] / halves[i]
        found |= {f"{k}{suffix}": total / len(ids) if ids else -1.0 for k, total in sums.items()}
    return found


@generated
@given(st.integers(0, 2**32))
def test_equals_the_plain_protocol(scenes: Any, tables: Any, seed: int) -> None:
    truth, predictions = draw(scenes, tables, seed)
    assert values(truth, predictions) == plainly(truth, predictions)


@generated
@given(st.integers(0, 2**32))
def test_equals_the_official_scorer(scenes: Any, tables: Any, seed: int) -> None:
    truth, predictions = draw(scenes, tables, seed)
    official = panoptic_official.create().score(truth, predictions).metrics
    ours = values(truth, predictions)
    assert official == {name: ours[name] for name in official}
    assert all(value == -1 for name, value in ours.items() if name not in official)


def test_contract() -> None:
    assert isinstance(METRIC, Metric) and isinstance(METRIC, ResampledMetric)
    assert isinstance(panoptic_official.create(), OfficialScorer)


# --- weights and shards -------------------------------------------------------------------------


def test_shards_merged_in_any_order(scenes: Any, tables: Any) -> None:
    truth, predictions = draw(scenes, tables, 5, count=50)
    whole = METRIC.accumulate(METRIC.match(truth, predictions))
    shards = [
        METRIC.match(truth, Predictions(predictions.images.slice(i, 1), predictions.instances))
        for i in range(50)
    ]
    order = np.random.default_rng(0).permutation(50)
    merged = METRIC.accumulate(pa.concat_tables([shards[i] for i in order]))
    assert merged.metrics == whole.metrics
    assert merged.per_class == whole.per_class
    assert whole.metrics["PQ"] > 0


def test_weights_count_images_more_than_once(scenes: Any, tables: Any) -> None:
    truth, predictions = draw(scenes, tables, 6, count=12)
    matches = METRIC.match(truth, predictions)
    ids = truth.images["image_id"].to_pylist()
    some = METRIC.accumulate(matches, dict.fromkeys(ids[3:9], 1.0))
    alone = Predictions(predictions.images.slice(3, 6), predictions.instances)
    assert some.metrics == values(truth, alone)
    twice = METRIC.accumulate(matches, dict.fromkeys(ids, 2.0)).metrics
    assert twice == pytest.approx(METRIC.accumulate(matches).metrics, abs=1e-15)
    with pytest.raises(ContractError, match="weight of image"):
        METRIC.accumulate(matches, {ids[0]: -1.0})


def test_resampling_equals_accumulating(scenes: Any, tables: Any) -> None:
    truth, predictions = draw(scenes, tables, 7, count=20)
    matches = METRIC.match(truth, predictions)
    random = np.random.default_rng(0)
    ids = random.permutation(truth.images["image_id"].to_numpy())[:17]
    weights = np.concatenate([random.integers(0, 4, (20, 17)), random.random((20, 17))])
    weights[3] = 0
    resampled = METRIC.resample(matches, ids, weights)
    for place, row in enumerate(weights):
        want = METRIC.accumulate(matches, dict(zip(ids.tolist(), row.tolist()))).metrics
        assert {name: each[place] for name, each in resampled.items()} == want
    assert set(resampled["PQ"][[3]]) == {-1.0}


def test_a_table_of_something_else() -> None:
    with pytest.raises(ContractError, match="no panoptic match table"):
        METRIC.accumulate(pa.table({"image_id": [1]}))


# --- by hand ------------------------------------------------------------------------------------


def segment(number: int, category_id: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "category_id": category_id, **fields}


def test_by_hand(tables: Any) -> None:
    """A cat found (IoU 3/4), a dog taken for a cat, a sky found whole."""
    truth = np.array([[10, 10, 10, 10], [20, 20, 20, 20], [30, 30, 30, 30]], np.int32)
    prediction = np.array([[1, 1, 1, 0], [2, 2, 2, 2], [3, 3, 3, 3]], np.int32)
    table = METRIC.match(
        *tables.panoptic(
            [(truth, [segment(10, 3), segment(20, 1), segment(30, 200)])],
            [(prediction, [segment(1, 3), segment(2, 3), segment(3, 200)])],
        )
    )
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == [
        (1, 3, 10, 1, 0.75, False),
        (1, 1, 20, None, None, False),
        (1, 200, 30, 3, 1.0, False),
        (1, 3, None, 2, None, False),
    ]
    scores = METRIC.accumulate(table)
    per_class = {
        (row["category_id"], row["metric"]): row["value"] for row in scores.per_class.to_pylist()
    }
    assert per_class[3, "PQ"] == 0.75 / 1.5 and per_class[3, "SQ"] == 0.75
    assert per_class[3, "RQ"] == 1 / 1.5 and per_class[1, "PQ"] == 0
    assert per_class[200, "PQ"] == 1 and per_class[7, "PQ"] is None
    assert scores.metrics["PQ"] == (0.5 + 0 + 1) / 3
    assert scores.metrics["PQ_th"] == 0.25 and scores.metrics["PQ_st"] == 1


def test_an_iou_of_one_half_is_no_match(tables: Any) -> None:
    truth = np.array([[5, 5, 0, 0]], np.int32)
    whole = np.array([[5, 0, 0, 0]], np.int32)
    found = values(*tables.panoptic([(truth, [segment(5, 3)])], [(whole, [segment(5, 3)])]))
    assert found["PQ"] == 0 and found["RQ"] == 0


def test_void_is_taken_out_and_excuses(tables: Any) -> None:
    truth = np.array([[5, 5, 0, 0, 0, 0]], np.int32)
    prediction = np.array([[5, 5, 5, 5, 9, 9]], np.int32)
    lists = [segment(5, 3)], [segment(5, 3), segment(9, 1)]
    found = values(*tables.panoptic([(truth, lists[0])], [(prediction, lists[1])]))
    assert found["PQ"] == 1 and found["PQ_st"] == -1


def test_the_last_crowd_of_a_category_excuses(tables: Any) -> None:
    truth = np.array([[5, 5, 6, 6, 7, 7]], np.int32)
    crowds = [segment(n, c, iscrowd=True) for n, c in ((5, 3), (6, 3), (7, 1))]
    prediction = np.array([[1, 1, 2, 2, 3, 3]], np.int32)
    found = [segment(1, 3), segment(2, 3), segment(3, 3)]
    table = METRIC.match(*tables.panoptic([(truth, crowds)], [(prediction, found)]))
    wrong = [row["predicted_segment"] for row in table.to_pylist() if not row["ignored"]]
    assert wrong == [1, 3]
    # Crowds are listed, and count for nothing.
    assert table["ignored"].to_pylist().count(True) == 4


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (64, 65)])
def test_all_void_has_nothing_to_measure(tables: Any, shape: tuple[int, int]) -> None:
    nothing = np.zeros(shape, np.int32)
    pair = tables.panoptic([(nothing, [])], [(nothing, [])])
    assert set(values(*pair).values()) == {-1.0}
    # Whatever is predicted on void is excused.
    pair = tables.panoptic([(nothing, [])], [(nothing + 5, [segment(5, 3)])])
    assert set(values(*pair).values()) == {-1.0}


def test_no_images_at_all(tables: Any) -> None:
    assert set(values(*tables.panoptic([], [])).values()) == {-1.0}


def test_truth_listed_without_pixels_is_missed(tables: Any) -> None:
    numbers = np.array([[5, 5]], np.int32)
    listed = [segment(5, 3), segment(77, 3, area=10)]
    found = values(*tables.panoptic([(numbers, listed)], [(numbers, [segment(5, 3)])]))
    assert found["RQ"] == 1 / 1.5


def test_truth_pixels_that_are_not_listed_are_no_void(tables: Any) -> None:
    numbers = np.array([[5, 5, 9, 9]], np.int32)
    predicted = numbers, [segment(5, 3), segment(9, 3)]
    found = values(*tables.panoptic([(numbers, [segment(5, 3)])], [predicted]))
    assert found["RQ"] == 1 / 1.5


# --- what cannot be scored ----------------------------------------------------------------------

NUMBERS = np.array([[5, 5], [0, 9]], np.int32)
LIST = [segment(5, 3), segment(9, 200)]

BAD = [
    ((NUMBERS, LIST), (NUMBERS, LIST[:1]), "segment 9: is in the map, but not in the list"),
    ((NUMBERS, LIST), (NUMBERS * 0 + 5, LIST), "segment 9: is in the list of segments, but not"),
    ((NUMBERS, LIST), (NUMBERS, [*LIST, LIST[0]]), "segment 5: is in the list more than once"),
    ((NUMBERS, [LIST[0], LIST[0]]), (NUMBERS, LIST), "segment 5: is in the list more than once"),
    ((NUMBERS, LIST), (NUMBERS, [segment(5, 4), LIST[1]]), "segment 5: has category id 4, which"),
    ((NUMBERS, [segment(5, 4)]), (NUMBERS, LIST), "segment 5: has category id 4, which"),
    ((NUMBERS, LIST), (NUMBERS, [*LIST, segment(1 << 24, 3)]), "no map can hold its number"),
    ((NUMBERS, [segment(-1, 3)]), (NUMBERS, LIST), "segment -1: is in the list, but no map can"),
    ((NUMBERS, LIST), (NUMBERS.repeat(2, 1), LIST), "map is of 4 x 2 pixels, the truth's map of"),
    ((NUMBERS, [segment(5, 3, area=0), LIST[1]]), (NUMBERS, LIST), "than the list says, 0"),
]


@pytest.mark.parametrize(("truth", "prediction", "problem"), BAD)
def test_maps_and_lists_that_contradict(
    tables: Any, truth: Any, prediction: Any, problem: str
) -> None:
    good = (NUMBERS, LIST)
    truth, predictions = tables.panoptic([good, truth], [good, prediction], [3, 12])
    with pytest.raises(InputError, match=problem) as caught:
        METRIC.match(truth, predictions)
    assert "of image id 12" in str(caught.value)
    assert str(caught.value).startswith(("truth.json", "predictions.json"))


def test_maps_that_are_missing(tables: Any, tmp_path: Path) -> None:
    rows = [tables.panoptic_row(NUMBERS, LIST) for _ in range(3)]
    truth = tables.truth(rows)
    without = tables.predictions([rows[0], rows[1] | {"panoptic_png": None}, rows[2]])
    with pytest.raises(InputError, match="image id 2: has no panoptic map"):
        METRIC.match(truth, without)
    path = str(tmp_path / "x.png")
    gone = tables.predictions([rows[0] | {"panoptic_png": None, "panoptic_path": path}])
    with pytest.raises(InputError, match=r"x\.png, prediction of image id 1: the map cannot"):
        METRIC.match(truth, gone)
    unlisted = tables.predictions([rows[0] | {"segments": None}])
    with pytest.raises(InputError, match="has a map, but no list of segments"):
        METRIC.match(truth, unlisted)
    with pytest.raises(InputError, match=r"image id 4: is not among the images of truth\.json"):
        METRIC.match(truth, tables.predictions(rows[:1], [4]))
    with pytest.raises(InputError, match="image id 2: is predicted more than once"):
        METRIC.match(truth, tables.predictions(rows[:2], [2, 2]))
    bare = tables.truth([{}, {}, {}])
    with pytest.raises(InputError, match="none of the 3 images that were run has a panoptic map"):
        METRIC.match(bare, tables.predictions(rows))


def test_images_without_truth_are_not_scored(tables: Any) -> None:
    row = tables.panoptic_row(NUMBERS, LIST)
    wrong = tables.panoptic_row(NUMBERS * 0 + 5, LIST[:1])
    truth = tables.truth([row, row | {"panoptic_png": None, "segments": None}])
    table = METRIC.match(truth, tables.predictions([row, wrong]))
    assert set(table["image_id"].to_pylist()) == {1}


# --- the sample of panopticapi ------------------------------------------------------------------


def sample(shared_data: Path, tables: Any) -> Truth:
    folder = shared_data / "panoptic_sample"
    content = json.loads((folder / "panoptic_examples.json").read_text())
    listed = json.loads((folder / "panoptic_coco_categories.json").read_text())
    categories = tuple(Category(each["id"], each["name"], bool(each["isthing"])) for each in listed)
    rows = [
        {
            "panoptic_path": str(folder / "panoptic_examples" / annotation["file_name"]),
            "segments": [
                {**each, "iscrowd": bool(each["iscrowd"])} for each in annotation["segments_info"]
            ],
        }
        for annotation in content["annotations"]
    ]
    ids = [annotation["image_id"] for annotation in content["annotations"]]
    return type(tables)(categories).truth(rows, ids)


def test_sample_against_itself_and_moved(shared_data: Path, tables: Any) -> None:
    truth = sample(shared_data, tables)
    rows = truth.images.select(["panoptic_path", "segments"]).to_pylist()
    ids = truth.images["image_id"].to_pylist()
    itself = tables.predictions(rows, ids)
    assert {round(value, 12) for value in values(truth, itself).values()} == {1.0}
    moved = []
    for row in rows:
        numbers = np.roll(decode(row["panoptic_path"], "colour").astype(np.int32), 9, (0, 1))
        moved.append(tables.panoptic_row(numbers, row["segments"]))
    predictions = tables.predictions(moved, ids)
    official = panoptic_official.create().score(truth, predictions).metrics
    assert values(truth, predictions) == official
    assert 0.3 < official["PQ"] < 0.9
