"""Error types: against numbers of TIDE's own package, and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.truth import build_truth
from benchsuite.errors import ContractError, UsageError
from benchsuite.protocols import Predictions, Truth
from benchsuite_plugins.metrics import coco_ap, lvis_ap
from benchsuite_plugins.metrics.error_types import ErrorTypes, error_types
from benchsuite_plugins.metrics.overlap_table import OverlapHeader, overlap_table

Record = dict[str, Any]
Case = tuple[Record, list[Record]]


def sides(case: Case, folder: Path, task: str = "bbox") -> tuple[Truth, Predictions]:
    content, results = case
    truth = build_truth(content["images"], content["annotations"], content["categories"])
    file = folder / "results.json"
    file.write_text(json.dumps(results))
    images = [_record(row) for row in truth.images.to_pylist()]
    return truth, read_coco_results(file, images, truth.categories, task)


def _record(row: Record) -> Any:
    from benchsuite.records import ImageRecord

    return ImageRecord(row["image_id"], "", row["width"], row["height"])


def tables(case: Case, folder: Path) -> tuple[pa.Table, pa.Table]:
    truth, predictions = sides(case, folder)
    matches = coco_ap.bbox().match(truth, predictions)
    return matches, overlap_table(truth, predictions, matches)


# --- TIDE's package ---------------------------------------------------------------------------

# What tidecv 1.0.1 says of the seeded cases, in points; made with
# TIDE().evaluate(datasets.COCO(...), datasets.COCOResult(...), mode=TIDE.BOX).
TIDECV = {
    (1, 120, 3): {
        "ap": 23.073815097839013,
        "delta_ap": [
            4.0379978442694835,
            16.12508894579233,
            2.004879556161484,
            1.4745815612657864,
            4.637332232691708,
            8.175053150819114,
            34.35192747641841,
            16.9442110155881,
        ],
        "counts": [70, 194, 63, 126, 188, 123],
    },
    (2, 15, 8): {
        "ap": 23.53785447226041,
        "delta_ap": [
            5.550099652822404,
            16.189906078519915,
            1.6345556258922613,
            0.5771105956749523,
            5.073354862958823,
            5.211434604998967,
            25.843333646551468,
            18.542109705476026,
        ],
        "counts": [11, 22, 12, 8, 20, 12],
    },
    (5, 15, 8): {
        "ap": 31.878729101901783,
        "delta_ap": [
            5.20972632977584,
            11.995475282822426,
            0.6104171341503815,
            1.1485870225677957,
            3.167660152408253,
            16.98877700270024,
            20.596518422850693,
            27.095550022439177,
        ],
        "counts": [10, 21, 11, 16, 19, 22],
    },
}


@pytest.mark.parametrize("seed", TIDECV, ids=str)
def test_the_numbers_of_tidecv(
    seed: tuple[int, int, int], detection_case: Callable[..., Case], tmp_path: Path
) -> None:
    expected = TIDECV[seed]
    matches, overlaps = tables(detection_case(*seed), tmp_path)
    found = error_types(matches, overlaps)
    assert 100 * found.ap == pytest.approx(expected["ap"], abs=1e-10)
    assert list(found.delta_ap) == [
        *("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"),
        *("FalsePos", "FalseNeg"),
    ]
    gains = [100 * gain for gain in found.delta_ap.values()]
    assert gains == pytest.approx(expected["delta_ap"], abs=1e-10)
    assert list(found.counts.values()) == expected["counts"]
    # The average precision is COCO's.
    values = coco_ap.bbox().accumulate(matches).metrics
    assert found.ap == pytest.approx(values["AP50"], abs=1e-12)


# --- by hand ------------------------------------------------------------------------------------

PLACE = [10, 10, 40, 40]
NEAR = [10, 10, 40, 60]  # IoU 2 / 3
FAR = [10, 30, 40, 40]  # IoU 1 / 3
ELSEWHERE = [120, 120, 40, 40]


def one_image(truths: list[Record], results: list[Record]) -> Case:
    annotations = [
        {"id": number, "image_id": 1, "area": 1600, **each} for number, each in enumerate(truths, 1)
    ]
    return (
        {
            "images": [{"id": 1, "width": 200, "height": 200}],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        },
        [{"image_id": 1, **each} for each in results],
    )


def box(category: int, at: list[int], **fields: Any) -> Record:
    return {"category_id": category, "bbox": at, **fields}


def analysed(truths: list[Record], results: list[Record], folder: Path, **given: Any) -> ErrorTypes:
    return error_types(*tables(one_image(truths, results), folder), **given)


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (box(1, FAR), "Loc"),
        (box(2, PLACE), "Cls"),
        (box(2, FAR), "Both"),
        (box(1, NEAR), "Dupe"),
        (box(1, ELSEWHERE), "Bkg"),
        (box(2, ELSEWHERE), "Bkg"),
    ],
)
def test_one_error_of_each_type(result: Record, error: str, tmp_path: Path) -> None:
    found = analysed(
        [box(1, PLACE)], [box(1, PLACE, score=0.9), {**result, "score": 0.95}][::-1], tmp_path
    )
    if error == "Dupe":  # of the two the better scored is right
        assert found.errors["prediction"].to_pylist() == [1]
    else:
        assert found.errors["prediction"].to_pylist() == [0]
    assert found.errors["error"].to_pylist() == [error]
    assert {name: count for name, count in found.counts.items() if count} == {error: 1}


def test_what_an_error_is_about(tmp_path: Path) -> None:
    results = [box(2, PLACE, score=0.9), box(1, ELSEWHERE, score=0.5)]
    found = analysed([box(1, PLACE), box(2, [100, 10, 20, 20])], results, tmp_path)
    assert found.errors.to_pylist() == [
        {
            "image_id": 1,
            "error": "Bkg",
            "prediction": 1,
            "category_id": 1,
            "score": 0.5,
            "annotation_id": None,
            "truth_category_id": None,
            "iou": 0.0,
        },
        {
            "image_id": 1,
            "error": "Cls",
            "prediction": 0,
            "category_id": 2,
            "score": 0.9,
            "annotation_id": 1,
            "truth_category_id": 1,
            "iou": 1.0,
        },
        {
            "image_id": 1,
            "error": "Miss",
            "prediction": None,
            "category_id": None,
            "score": None,
            "annotation_id": 2,
            "truth_category_id": 2,
            "iou": None,
        },
    ]


def test_gains(tmp_path: Path) -> None:
    """Category 1: one truth, taken for 2. Category 2: one truth, missed."""
    results = [box(2, PLACE, score=0.9)]
    found = analysed([box(1, PLACE), box(2, ELSEWHERE)], results, tmp_path)
    assert found.ap == 0
    # Put right, category 1 is perfect, and so half of all; without the miss, 2 still has a mistake.
    assert found.delta_ap["Cls"] == pytest.approx(0.5)
    assert found.delta_ap["Miss"] == 0
    by_class = {
        (row["category_id"], row["error"]): (row["count"], row["delta_ap"])
        for row in found.per_class.to_pylist()
    }
    assert by_class[2, "Cls"] == (1, 0)
    assert by_class[1, "Cls"] == pytest.approx((0, 1))
    assert by_class[2, "Miss"] == (1, 0)
    assert by_class[1, "Miss"] == (0, 0)


def test_of_many_that_may_find_a_truth_the_best_scored_does(tmp_path: Path) -> None:
    results = [box(2, PLACE, score=0.5), box(1, FAR, score=0.4), box(2, NEAR, score=0.8)]
    found = analysed([box(1, PLACE)], results, tmp_path)
    assert found.counts == {"Cls": 2, "Loc": 1, "Both": 0, "Dupe": 0, "Bkg": 0, "Miss": 0}
    assert found.delta_ap["Cls"] == pytest.approx(1.0)
    # The detection that is badly placed is not the best scored, and so goes.
    assert found.delta_ap["Loc"] == 0


def test_ignored_detections_are_no_mistakes_but_are_told(tmp_path: Path) -> None:
    """As by tidecv: an error without an effect on average precision."""
    truths = [box(1, PLACE), box(1, ELSEWHERE, iscrowd=1)]
    results = [box(1, PLACE, score=0.9), box(1, [130, 130, 20, 20], score=0.95)]
    found = analysed(truths, results, tmp_path)
    assert found.ap == pytest.approx(1.0)
    assert found.counts["Bkg"] == 1
    assert all(gain == pytest.approx(0) for gain in found.delta_ap.values())


def test_nothing_at_all(tmp_path: Path) -> None:
    found = analysed([], [], tmp_path)
    assert found.ap == -1
    assert set(found.delta_ap.values()) == {0.0}
    assert found.errors.num_rows == 0
    found = analysed([], [box(1, PLACE, score=1)], tmp_path)
    assert (found.ap, found.counts["Bkg"]) == (-1, 1)
    found = analysed([box(1, PLACE)], [], tmp_path)
    assert (found.ap, found.counts["Miss"]) == (0, 1)


# --- tables -----------------------------------------------------------------------------------


def of_images(side: Truth | Predictions, ids: list[int]) -> Any:
    def chosen(table: pa.Table) -> pa.Table:
        return table.filter(pa.array(np.isin(table["image_id"].to_numpy(), ids)))

    if isinstance(side, Truth):
        return side
    return Predictions(chosen(side.images), chosen(side.instances))


def test_shards_merge(detection_case: Callable[..., Case], tmp_path: Path) -> None:
    truth, predictions = sides(detection_case(3, 20, 4), tmp_path)
    metric = coco_ap.bbox()
    matches, overlaps = [], []
    for ids in ([20, 3, 4], list(range(5, 20)), [1, 2]):
        part = of_images(predictions, ids)
        matches.append(metric.match(truth, part))
        overlaps.append(overlap_table(truth, part, matches[-1]))
    file = tmp_path / "overlaps.parquet"
    pq.write_table(pa.concat_tables(overlaps), file)
    merged = error_types(pa.concat_tables(matches), pq.read_table(file))
    whole = metric.match(truth, predictions)
    expected = error_types(whole, overlap_table(truth, predictions, whole))
    assert (merged.ap, merged.delta_ap, merged.counts) == (
        expected.ap,
        expected.delta_ap,
        expected.counts,
    )
    assert merged.per_class == expected.per_class
    keys = [("image_id", "ascending"), ("prediction", "ascending"), ("annotation_id", "ascending")]
    assert merged.errors.sort_by(keys) == expected.errors.sort_by(keys)


def test_weights_are_repeated_images(detection_case: Callable[..., Case], tmp_path: Path) -> None:
    truth, predictions = sides(detection_case(3, 20, 4), tmp_path)
    metric = coco_ap.bbox()
    matches = metric.match(truth, predictions)
    overlaps = overlap_table(truth, predictions, matches)
    some = [2, 3, 11, 17]
    part = metric.match(truth, of_images(predictions, some))
    expected = error_types(part, overlaps)
    found = error_types(matches, overlaps, image_weights=dict.fromkeys(some, 1))
    assert found.ap == expected.ap
    assert found.delta_ap == expected.delta_ap
    assert found.counts == expected.counts
    twice = error_types(matches, overlaps, image_weights=dict.fromkeys(some, 2))
    assert twice.counts == {name: 2 * count for name, count in expected.counts.items()}


def test_masks(tmp_path: Path) -> None:
    square = [[10, 10, 50, 10, 50, 50, 10, 50]]
    case = one_image([box(1, PLACE, segmentation=square)], [])
    case[1].append({"image_id": 1, "category_id": 2, "score": 0.5, "segmentation": square})
    truth, predictions = sides(case, tmp_path, "segm")
    matches = coco_ap.segm().match(truth, predictions)
    overlaps = overlap_table(truth, predictions, matches)
    assert OverlapHeader.of(overlaps) == OverlapHeader("segm", 0.1)
    assert overlaps["iou"].to_pylist() == [1.0]
    assert error_types(matches, overlaps).counts["Cls"] == 1


def test_federated_rules_hold(tmp_path: Path) -> None:
    """A detection of a category that nobody looked for is no mistake of any type."""
    content, results = one_image([box(1, PLACE)], [box(2, PLACE, score=0.9)])
    content["images"][0] |= {"neg_category_ids": [], "not_exhaustive_category_ids": [1]}
    results.append({**box(1, ELSEWHERE, score=0.5), "image_id": 1})
    truth, predictions = sides((content, results), tmp_path)
    matches = lvis_ap.bbox().match(truth, predictions)
    found = error_types(matches, overlap_table(truth, predictions, matches))
    assert found.errors["prediction"].to_pylist() == [1, None]
    assert found.delta_ap["Bkg"] == 0


# --- what does not go together ------------------------------------------------------------------


def test_thresholds_that_nothing_was_matched_at(tmp_path: Path) -> None:
    matches, overlaps = tables(one_image([box(1, PLACE)], []), tmp_path)
    with pytest.raises(UsageError, match=r"at an IoU of 0.4, but in all, small, medium, large at"):
        error_types(matches, overlaps, iou=0.4)
    with pytest.raises(UsageError, match=r"must be from 0.1, .* to less than 0.5; it is 0.05"):
        error_types(matches, overlaps, background=0.05)
    assert error_types(matches, overlaps, iou=0.75, background=0.5).counts["Miss"] == 1


def test_tables_of_something_else(tmp_path: Path) -> None:
    matches, overlaps = tables(one_image([box(1, PLACE)], []), tmp_path)
    with pytest.raises(ContractError, match="no overlap table"):
        error_types(matches, matches)
    with pytest.raises(ContractError, match="no COCO match table"):
        error_types(overlaps, overlaps)
    other = overlaps.replace_schema_metadata(OverlapHeader("segm", 0.1).schema().metadata)
    with pytest.raises(ContractError, match="overlaps of segm do not go with matches of bbox"):
        error_types(matches, other)
    truth, predictions = sides(one_image([], []), tmp_path)
    with pytest.raises(ContractError, match="made of other truth or predictions"):
        overlap_table(truth, predictions, matches)
