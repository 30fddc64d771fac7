from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from benchsuite import schemas
from benchsuite.errors import ContractError, DataMissingError, InputError
from benchsuite.predictions.label_maps import decode_panoptic, decode_semantic
from benchsuite.predictions.to_columns import read_predictions, rows, to_columns
from benchsuite.records import RLE, ImageRecord, PanopticMap, Prediction, Segment

RECORD = ImageRecord(id=42, file_name="a.jpg", width=5, height=4)
IDS = (18, None, 0, 2**63 - 1)


def boxes(count: int) -> np.ndarray:
    return np.tile(np.float32([1, 1, 3, 2]), (count, 1))


def prediction(labels: list[int], **fields: Any) -> Prediction:
    count = len(labels)
    fields = {"scores": np.linspace(0.9, 0.1, count)} | fields
    return Prediction(boxes=boxes(count), labels=labels, **fields)


# --- instances --------------------------------------------------------------------------------


def test_boxes_scores_and_labels() -> None:
    image, instances = rows(
        RECORD,
        Prediction(boxes=[[0.1, 0.2, 4.9, 3.7]], scores=[0.3], labels=[0]),
        IDS,
        first_prediction=7,
    )
    assert image == dict.fromkeys(schemas.PREDICTION_IMAGES.names) | {
        "image_id": 42,
        "file_name": "a.jpg",
        "width": 5,
        "height": 4,
        "n_instances": 1,
    }
    x, y, right, bottom = np.float32([0.1, 0.2, 4.9, 3.7])
    assert instances == [
        {
            "prediction": 7,
            "image_id": 42,
            "category_id": 18,
            "score": float(np.float32(0.3)),
            "bbox": [float(x), float(y), float(right - x), float(bottom - y)],
            "segmentation": None,
            "keypoints": None,
            "rotated_box": None,
            "extra": None,
        }
    ]
    assert instances[0]["bbox"][2] != float(np.float64(right) - np.float64(x)), (
        "subtracted in float32, as the reference does"
    )


coordinates = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)
corners = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 12), st.just(4)), elements=coordinates
).map(lambda a: np.concatenate([np.minimum(a[:, :2], a[:, 2:]), np.maximum(a[:, :2], a[:, 2:])], 1))


@settings(deadline=None)
@given(corners=corners, data=st.data())
def test_every_kept_instance_keeps_its_values_and_its_order(corners: np.ndarray, data: Any) -> None:
    count = len(corners)
    labels = data.draw(hnp.arrays(np.int64, count, elements=st.integers(0, len(IDS) - 1)))
    scores = data.draw(hnp.arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    first = data.draw(st.integers(0, 2**40))
    columns = to_columns(RECORD, Prediction(corners, scores, labels), IDS, first)
    kept = [i for i in range(count) if labels[i] != 1]
    assert columns.dropped == count - len(kept)
    assert columns.image["n_instances"] == len(kept)
    table = columns.instances
    assert table.schema.equals(schemas.PREDICTION_INSTANCES)
    assert table["prediction"].to_pylist() == list(range(first, first + len(kept)))
    assert table["category_id"].to_pylist() == [IDS[labels[i]] for i in kept]
    assert table["score"].to_pylist() == [float(scores[i]) for i in kept]
    for i, box in zip(kept, table["bbox"].to_pylist()):
        x1, y1, x2, y2 = corners[i]
        assert box == [float(x1), float(y1), float(x2 - x1), float(y2 - y1)]
        assert box[2] >= 0
        assert box[3] >= 0


def test_nothing_found() -> None:
    columns = to_columns(RECORD, Prediction(), IDS, 0)
    assert columns.instances.equals(schemas.PREDICTION_INSTANCES.empty_table())
    assert columns.image["n_instances"] == 0
    assert columns.dropped == 0
    empty = Prediction(masks=np.zeros((0, 4, 5), bool), keypoints=np.zeros((0, 17, 3)))
    assert to_columns(RECORD, empty, IDS, 0).instances.num_rows == 0
    assert to_columns(RECORD, Prediction(masks=[]), (), 0).instances.num_rows == 0


def test_the_smallest_and_largest_image_ids() -> None:
    for image_id in (0, -1, 2**63 - 1, -(2**63)):
        record = ImageRecord(image_id, "x", 1, 1)
        one = Prediction([[0, 0, 1, 1]], [1], [3], masks=np.ones((1, 1, 1), bool))
        row = rows(record, one, IDS, 2**62)[1][0]
        assert row["image_id"] == image_id
        assert row["category_id"] == 2**63 - 1
        assert row["prediction"] == 2**62
        assert coco_mask.decode(row["segmentation"]).tolist() == [[1]]


def test_masks_are_rle_of_the_image() -> None:
    masks = np.random.default_rng(0).random((3, 4, 5)) < 0.5
    table = to_columns(RECORD, prediction([0, 1, 2], masks=masks), IDS, 0).instances
    found = table["segmentation"].to_pylist()
    assert [one["size"] for one in found] == [[4, 5], [4, 5]]
    assert (coco_mask.decode(found[0]) == masks[0]).all()
    assert (coco_mask.decode(found[1]) == masks[2]).all()
    as_coco = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
    assert [one["counts"] for one in found] == [as_coco[0]["counts"], as_coco[2]["counts"]]
    records = [RLE(size=tuple(one["size"]), counts=one["counts"]) for one in as_coco]
    mixed = [records[0], records[1], masks[2]]
    for same in (records, mixed, masks.astype(np.uint8), list(masks), masks[:, ::1, ::1]):
        again = to_columns(RECORD, prediction([0, 1, 2], masks=same), IDS, 0).instances
        assert again.equals(table)


def test_keypoints_lose_half_a_pixel() -> None:
    keypoints = np.float32([[[0.5, 2.25, 0.9], [3.3, 0.1, 1.7]], [[1, 1, 1], [2, 2, 2]]])
    table = to_columns(RECORD, prediction([0, 1], keypoints=keypoints), IDS, 0).instances
    half = np.float32(0.5)
    x, y, score = keypoints[0, 1]
    assert table["keypoints"].to_pylist() == [
        [0.0, 1.75, float(np.float32(0.9)), float(x - half), float(y - half), float(score)]
    ]


def test_keypoints_of_several_instances() -> None:
    keypoints = np.arange(36, dtype=np.float32).reshape(3, 4, 3)
    table = to_columns(RECORD, prediction([0, 2, 0], keypoints=keypoints), IDS, 0).instances
    shift = np.tile([0.5, 0.5, 0], 4)
    assert table["keypoints"].to_pylist() == [
        (one.ravel() - shift).tolist() for one in keypoints.astype(float)
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (prediction([0, 4]), r"label 4 of instance 1 is not one of the model's 4 .*0 to 3"),
        (prediction([0, -1]), "label -1 of instance 1"),
        (Prediction([[3, 0, 2.5, 1]], [1], [0]), r"\[3\.0, 0\.0, 2\.5, 1\.0\] is not .*x1 <= x2"),
        (Prediction([[-3e38, 0, 3e38, 1]], [1], [0]), "is not"),
        (prediction([0], masks=np.zeros((1, 5, 4), bool)), r"mask 0: .*\(5, 4\).*\(4, 5\)"),
        (prediction([0], masks=np.zeros((1, 4, 5))), "mask 0: .*float64"),
        (prediction([0, 0], masks=[RLE((4, 5), b"d0"), RLE((5, 4), b"d0")]), "mask 1: .*5, 4"),
        (prediction([0], masks=[RLE((4, 5), b"e0")]), "mask 0: .*21 pixels"),
        (prediction([0], masks=[RLE((4, 5), b"")]), "mask 0: .*empty"),
        (prediction([0], keypoints=np.full((1, 3, 3), np.nan)), "keypoints hold a NaN"),
    ],
)
def test_what_the_contract_does_not_allow_is_named(given: Prediction, says: str) -> None:
    with pytest.raises(ContractError, match=says) as caught:
        to_columns(RECORD, given, IDS, 0)
    assert str(caught.value).startswith("prediction of image 42 (a.jpg): ")


# --- maps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.uint64])
def test_semantic_maps(dtype: type) -> None:
    none = 255 if dtype == np.uint8 else -1
    signed = np.iinfo(dtype).min < 0 or dtype == np.uint8
    last = none if signed else 3
    labels = np.array([[0, 1, 2, 3, last]] * 4, dtype)
    columns = to_columns(RECORD, Prediction(semantic=labels), (5, None, 255, 1), 0)
    png = columns.image["semantic_png"]
    assert decode_semantic(png).tolist() == [[5, 0, 255, 1, 0 if signed else 1]] * 4
    assert columns.dropped == 1
    assert png[24] == 8, "PNG bit depth"


def test_the_depth_of_a_semantic_map_is_that_of_the_run() -> None:
    labels = np.zeros((4, 5), np.int64)
    columns = to_columns(RECORD, Prediction(semantic=labels), (5, 65535), 0)
    assert columns.image["semantic_png"][24] == 16
    assert decode_semantic(columns.image["semantic_png"]).tolist() == [[5] * 5] * 4
    labels[0, 0] = 1
    columns = to_columns(RECORD, Prediction(semantic=labels), (5, 65535), 0)
    assert decode_semantic(columns.image["semantic_png"])[0].tolist() == [65535, 5, 5, 5, 5]


@pytest.mark.parametrize(
    ("ids", "void"), [((5, 7), 0), ((0, 7), 255), ((0, 255), 254), ((0, 256), 65535)]
)
def test_no_category_is_a_number_of_its_own(ids: tuple[int, int], void: int) -> None:
    labels = np.array([[0, 1, -1, 1, 0]] * 4)
    columns = to_columns(RECORD, Prediction(semantic=labels), ids, 0)
    found = decode_semantic(columns.image["semantic_png"])
    assert found[0].tolist() == [ids[0], ids[1], void, ids[1], ids[0]]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.full((4, 5), 4, np.uint8), "label 4, which is not one of the model's 4"),
        (np.full((4, 5), -2), "label -2"),
        (np.full((4, 5), 2**63, np.uint64), "label 9223372036854775808"),
        (np.full((4, 5), 3), "category id 9223372036854775807, but ids of a semantic map are 0 to"),
        (np.zeros((5, 4), int), r"\(5, 4\), the image of \(4, 5\)"),
        (np.zeros((4, 5)), "float64, expected integers"),
        (np.zeros((1, 4, 5), int), r"\(1, 4, 5\)"),
    ],
)
def test_semantic_maps_that_are_wrong(labels: np.ndarray, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        to_columns(RECORD, Prediction(semantic=labels), IDS, 0)


def panoptic(*segments: Segment) -> PanopticMap:
    numbers = np.array([[0, 7, 7, 70000, 70000], [9, 9, 9, 9, 0]] * 2, np.int32)
    return PanopticMap(numbers, segments)


def test_panoptic_maps() -> None:
    given = panoptic(Segment(7, 0, True, 0.5), Segment(70000, 2, False), Segment(9, 3))
    columns = to_columns(RECORD, Prediction(panoptic=given), IDS, 0)
    assert (decode_panoptic(columns.image["panoptic_png"]) == given.ids).all()
    common = {"iscrowd": False}
    assert columns.image["segments"] == [
        {"id": 7, "category_id": 18, "isthing": True, "area": 4, "score": 0.5, **common},
        {"id": 70000, "category_id": 0, "isthing": False, "area": 4, "score": None, **common},
        {"id": 9, "category_id": 2**63 - 1, "isthing": True, "area": 8, "score": None, **common},
    ]
    assert columns.dropped == 0
    table = pa.Table.from_pylist([columns.image], schema=schemas.PREDICTION_IMAGES)
    assert table.to_pylist() == [columns.image]


def test_dropped_segments_become_void() -> None:
    given = panoptic(Segment(7, 1), Segment(70000, 1), Segment(9, 0), Segment(5, 0))
    columns = to_columns(RECORD, Prediction(panoptic=given), IDS, 0)
    found = decode_panoptic(columns.image["panoptic_png"])
    assert (found == np.where(given.ids == 9, 9, 0)).all()
    assert [segment["id"] for segment in columns.image["segments"]] == [9]
    assert columns.dropped == 3, "two without a category, one without a pixel"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (panoptic(Segment(7, 0), Segment(70000, 0)), "segment 9 is in the panoptic map, but not"),
        (panoptic(Segment(7, 0), Segment(7, 0)), "segment 7 is in the list more than once"),
        (panoptic(Segment(7, 0), Segment(70000, 0), Segment(9, 4)), "label 4 of segment 9"),
        (
            panoptic(Segment(7, 0), Segment(70000, 0), Segment(9, 0, True, float("nan"))),
            "score of segment 9 is NaN",
        ),
        (PanopticMap(np.full((4, 5), 1 << 24), ()), "are 0 to 16777215"),
        (PanopticMap(np.full((4, 5), -1), ()), "are 0 to 16777215"),
        (PanopticMap(np.zeros((4, 4), int), ()), r"\(4, 4\)"),
    ],
)
def test_panoptic_maps_that_are_wrong(given: PanopticMap, says: str) -> None:
    with pytest.raises(ContractError, match=says) as caught:
        to_columns(RECORD, Prediction(panoptic=given), IDS, 0)
    assert "image 42" in str(caught.value)


def test_a_panoptic_map_without_segments() -> None:
    empty = PanopticMap(np.zeros((4, 5), np.int32), ())
    columns = to_columns(RECORD, Prediction(panoptic=empty), IDS, 0)
    assert columns.image["segments"] == []
    assert not decode_panoptic(columns.image["panoptic_png"]).any()


# --- files ------------------------------------------------------------------------------------


def test_files_that_are_not_predictions(tmp_path: Path) -> None:
    good, images = tmp_path / "good.parquet", tmp_path / "images.parquet"
    pq.write_table(schemas.PREDICTION_INSTANCES.empty_table(), good)
    pq.write_table(schemas.PREDICTION_IMAGES.empty_table(), images)
    read = read_predictions(good, images)
    assert read.instances.schema.equals(schemas.PREDICTION_INSTANCES)
    assert read.images.schema.equals(schemas.PREDICTION_IMAGES)
    assert read.source == str(good)
    with pytest.raises(DataMissingError, match=r"nothing\.parquet"):
        read_predictions(tmp_path / "nothing.parquet", images)
    with pytest.raises(InputError, match=r"good\.parquet: .*file_name"):
        read_predictions(good, good)
    good.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"good\.parquet: "):
        read_predictions(good, images)
