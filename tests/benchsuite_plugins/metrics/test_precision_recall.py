"""Accumulation against pycocotools', from the same ``evalImgs``: matching plays no part here."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchsuite_kernels.threads import set_evaluation_threads
from benchsuite_plugins.metrics.coco_protocol import CocoProtocol, detection_protocol
from benchsuite_plugins.metrics.coco_summary import per_class, summary
from benchsuite_plugins.metrics.match_table import MatchHeader
from benchsuite_plugins.metrics.precision_recall import PrecisionRecall, accumulate

quick = settings(max_examples=60, deadline=None)

IMAGE_IDS = np.array([-3, 0, 7, 12, 2**40, *range(100, 155)])
CATEGORY_IDS = np.array([0, 3, 90, 2**33])


def evaluated(
    seed: int, *, rows: int, ties: bool, images: int = 6, parameters: Any = None
) -> COCOeval:
    """Boxes in a line, of which detections are shifted copies, or anything."""
    generator = np.random.default_rng(seed)
    image_ids = IMAGE_IDS[:images]

    def boxes(count: int) -> np.ndarray:
        sizes = generator.choice([10, 31, 32, 33, 96, 120], (count, 1))
        return np.hstack([generator.integers(0, 4, (count, 2)) * 40, sizes, sizes]).astype(float)

    truths = rows // 3
    annotations = [
        {
            "id": number,
            "image_id": int(generator.choice(image_ids)),
            "category_id": int(generator.choice(CATEGORY_IDS[:3])),
            "bbox": box.tolist(),
            "area": float(box[2] * box[3]),
            "iscrowd": int(generator.random() < 0.15),
        }
        for number, box in enumerate(boxes(truths), 1)
    ]
    results = []
    for box in boxes(rows):
        like = annotations[int(generator.integers(truths))] if truths else None
        if like and generator.random() < 0.7:
            box = np.array(like["bbox"]) + generator.choice([0, 0, 1, 3, 8], 4)
        score = generator.integers(0, 5) / 4 if ties else generator.random()
        results.append(
            {
                "image_id": like["image_id"] if like else int(generator.choice(image_ids)),
                "category_id": like["category_id"] if like else int(CATEGORY_IDS[1]),
                "bbox": box.tolist(),
                "area": float(box[2] * box[3]),
                "iscrowd": 0,
                "score": float(score),
            }
        )
    for number, result in enumerate(results, 1):
        result["id"] = number
    sides = []
    for side in (annotations, results):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": int(i), "width": 300, "height": 300} for i in image_ids],
            "categories": [{"id": int(i), "name": str(i)} for i in CATEGORY_IDS],
            "annotations": side,
        }
        with contextlib.redirect_stdout(io.StringIO()):
            coco.createIndex()
        sides.append(coco)
    evaluation = COCOeval(*sides, "bbox")
    for name, value in (parameters or {}).items():
        setattr(evaluation.params, name, value)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
    return evaluation


def protocol_of(evaluation: COCOeval) -> CocoProtocol:
    parameters = evaluation.params
    protocol = detection_protocol("bbox")
    same = len(parameters.maxDets) == 3 and len(parameters.iouThrs) == 10
    return replace(
        protocol,
        iou_thresholds=tuple(parameters.iouThrs.tolist()),
        recalls=tuple(parameters.recThrs.tolist()),
        max_detections=tuple(parameters.maxDets),
        values=protocol.values if same else (),
    )


def match_table(evaluation: COCOeval) -> pa.Table:
    """The table of what COCOeval matched."""
    header = MatchHeader(protocol_of(evaluation), tuple(CATEGORY_IDS.tolist()), "pycocotools")
    areas = header.protocol.areas
    weight = 1 << np.arange(len(header.protocol.iou_thresholds), dtype=np.uint64)
    rows: dict[Any, dict[str, Any]] = {}
    for found in filter(None, evaluation.evalImgs):
        a = evaluation.params.areaRng.index(found["aRng"])
        keys = {"image_id": found["image_id"], "category_id": found["category_id"]}
        matched = (found["dtMatches"] != 0).astype(np.uint64).T @ weight
        ignored = found["dtIgnore"].astype(np.uint64).T @ weight
        for rank, identity in enumerate(found["dtIds"]):
            row = rows.setdefault(("detection", identity), {**keys, "is_truth": False})
            row.update(source_id=identity, rank=rank, score=found["dtScores"][rank])
            row[f"matched_{areas[a]}"] = int(matched[rank])
            row[f"ignored_{areas[a]}"] = int(ignored[rank])
        for identity, is_ignored in zip(found["gtIds"], found["gtIgnore"]):
            row = rows.setdefault(("truth", identity), {**keys, "is_truth": True})
            row.update(source_id=identity, rank=None, score=None)
            row[f"matched_{areas[a]}"] = 0
            row[f"ignored_{areas[a]}"] = int(is_ignored) * header.every_bit
    return pa.Table.from_pylist(list(rows.values()), schema=header.schema())


def official(evaluation: COCOeval) -> dict[str, np.ndarray]:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    return {name: evaluation.eval[name] for name in ("precision", "recall", "scores")}


def assert_same(ours: PrecisionRecall, theirs: dict[str, np.ndarray]) -> None:
    for name, values in theirs.items():
        np.testing.assert_array_equal(getattr(ours, name), values, strict=True)


PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "iouThrs": st.sampled_from(
            [np.array([0.5]), np.linspace(0.1, 0.9, 33), np.arange(64) / 64]
        ),
        "recThrs": st.sampled_from(
            [np.array([0.0, 0.5, 1.0]), np.array([0.9, 0.1, 0.0]), np.array([1.5, 0.2])]
        ),
        "maxDets": st.sampled_from([[1, 2, 3], [7], [0, 4], [1, 2, 3, 4, 5]]),
    },
)


@quick
@given(st.integers(0, 2**32), st.sampled_from([0, 2, 40, 150]), st.booleans(), PARAMETERS)
def test_equals_pycocotools(seed: int, rows: int, ties: bool, parameters: Any) -> None:
    evaluation = evaluated(seed, rows=rows, ties=ties, parameters=parameters)
    assert_same(accumulate(match_table(evaluation)), official(evaluation))


@pytest.fixture(scope="module")
def many() -> COCOeval:
    """60 images, enough rows for every thread."""
    return evaluated(0, rows=3000, ties=True, images=60)


def test_summary_is_that_of_pycocotools(many: COCOeval) -> None:
    curves = accumulate(match_table(many))
    assert_same(curves, official(many))
    assert curves.precision.max() > 0.5
    with contextlib.redirect_stdout(io.StringIO()):
        many.summarize()
    assert list(summary(curves).values()) == many.stats.tolist()


def test_values_of_a_category_are_those_of_the_category_alone(many: COCOeval) -> None:
    matches = match_table(many)
    found = per_class(accumulate(matches)).to_pylist()
    assert [row["category_id"] for row in found] == np.repeat(CATEGORY_IDS, 12).tolist()
    for category_id in CATEGORY_IDS.tolist():
        header = replace(MatchHeader.of(matches), category_ids=(category_id,))
        rows = matches.filter(pa.array(matches["category_id"].to_numpy() == category_id))
        alone = summary(accumulate(rows.replace_schema_metadata(header.schema().metadata)))
        of_category = {
            row["metric"]: row["value"] for row in found if row["category_id"] == category_id
        }
        assert {k: -1 if v is None else v for k, v in of_category.items()} == alone


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_fifty_shards_in_any_order_equal_one_run(many: COCOeval, threads: int) -> None:
    matches = match_table(many)
    generator = np.random.default_rng(threads)
    shard_of = generator.permutation(60) % 50
    of_rows = shard_of[np.searchsorted(np.sort(IMAGE_IDS), matches["image_id"].to_numpy())]
    shards = [matches.filter(pa.array(of_rows == shard)) for shard in generator.permutation(50)]
    merged = pa.concat_tables(shards)
    assert merged.num_rows == matches.num_rows
    set_evaluation_threads(threads)
    try:
        ours = accumulate(merged)
    finally:
        set_evaluation_threads(None)
    assert_same(ours, official(many))


def test_weights_are_images_that_stand_several_times(many: COCOeval) -> None:
    """Copies of an image get ids next to each other, and count as pycocotools counts them."""
    generator = np.random.default_rng(0)
    times = dict(zip(IMAGE_IDS.tolist(), generator.integers(0, 4, 60).tolist()))
    place = {image: 10 * i for i, image in enumerate(sorted(times))}
    sides = []
    for side in (many.cocoGt, many.cocoDt):
        copies = [
            {**row, "image_id": place[row["image_id"]] + copy}
            for row in side.dataset["annotations"]
            for copy in range(times[row["image_id"]])
        ]
        for number, row in enumerate(copies, 1):
            row["id"] = number
        coco = COCO()
        images = [{"id": place[i] + copy} for i in times for copy in range(times[i])]
        coco.dataset = {**side.dataset, "images": images, "annotations": copies}
        with contextlib.redirect_stdout(io.StringIO()):
            coco.createIndex()
        sides.append(coco)
    several = COCOeval(*sides, "bbox")
    with contextlib.redirect_stdout(io.StringIO()):
        several.evaluate()
    assert_same(accumulate(match_table(many), times), official(several))
