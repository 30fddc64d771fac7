"""Average recall of proposals, against the definition in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torchvision.ops import box_iou

from benchsuite.columns.arrow_arrays import from_numpy
from benchsuite.columns.tables import filled_table
from benchsuite.columns.truth import build_truth
from benchsuite.errors import ContractError, InputError, UsageError
from benchsuite.protocols import Metric, Predictions, ResampledMetric, Truth
from benchsuite.schemas import PREDICTION_IMAGES, PREDICTION_INSTANCES
from benchsuite_plugins.metrics import proposal_recall
from benchsuite_plugins.metrics.proposal_recall import ProposalOptions

IMAGES = (3, 5, 8)
RANGES = {"": (0, 1e10), "s": (0, 32**2), "m": (32**2, 96**2), "l": (96**2, 1e10)}


def boxes(random: np.random.Generator, count: int) -> np.ndarray:
    corner, size = random.random((count, 2)) * 40, 4 + random.random((count, 2)) * 130
    return np.concatenate([corner, size], axis=1).round(2)


def tables(seed: int, *, images: tuple[int, ...] = IMAGES) -> tuple[Truth, Predictions]:
    random = np.random.default_rng(seed)
    annotations = [
        {
            "id": number,
            "image_id": int(random.choice(IMAGES)),
            "category_id": int(random.integers(1, 3)),
            "bbox": box.tolist(),
            "area": float(box[2] * box[3] * random.choice([1, 0.7])),
            "iscrowd": int(random.random() < 0.1),
        }
        for number, box in enumerate(boxes(random, 50), 1)
    ]
    truth = build_truth(
        [{"id": image, "width": 200, "height": 200} for image in IMAGES],
        annotations,
        [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        source="truth.json",
    )
    count = 600
    near = np.array([each["bbox"] for each in annotations])[random.integers(0, 50, count)]
    moved = near + random.normal(0, 6, (count, 4))
    moved[:, 2:] = moved[:, 2:].clip(1)
    found = {
        "prediction": from_numpy(np.arange(count)),
        "image_id": from_numpy(random.choice(np.array(images), count)),
        "category_id": from_numpy(np.full(count, 99)),
        "score": from_numpy(random.normal(0, 1, count).round(1)),
        "bbox": from_numpy(moved),
    }
    image_ids = from_numpy(np.array(IMAGES))
    sides = from_numpy(np.full(3, 200, np.int32))
    image_table = filled_table(
        {
            "image_id": image_ids,
            "width": sides,
            "height": sides,
            "file_name": pa.array(["", "", ""]),
            "n_instances": sides,
        },
        PREDICTION_IMAGES,
        3,
    )
    instances = filled_table(found, PREDICTION_INSTANCES, count)
    return truth, Predictions(image_table, instances, "proposals.json")


def expected(truth: Truth, predictions: Predictions, limit: int, area: str) -> float:
    """By the definition: pairs are taken greedily by IoU, in float32."""
    annotations, found = truth.instances.to_pylist(), predictions.instances.to_pylist()

    def corners(rows: list[dict[str, Any]]) -> torch.Tensor:
        sides = torch.tensor([row["bbox"] for row in rows], dtype=torch.float32).reshape(-1, 4)
        return torch.cat([sides[:, :2], sides[:, 2:] + sides[:, :2]], dim=1)

    low, high = RANGES[area]
    covered = []
    for image in IMAGES:
        own = [row for row in annotations if row["image_id"] == image and not row["iscrowd"]]
        proposals = [row for row in found if row["image_id"] == image]
        if not proposals:
            continue
        wanted = [row for row in own if low <= row["area"] <= high]
        best = sorted(proposals, key=lambda row: -row["score"])[:limit]
        ious = box_iou(corners(best), corners(wanted))
        values = torch.zeros(len(wanted))
        for place in range(min(ious.shape)):
            proposal, target = divmod(int(ious.argmax()), len(wanted))
            values[place] = ious[proposal, target]
            ious[proposal], ious[:, target] = -1, -1
        covered.append(values)
    values = torch.cat(covered)
    thresholds = torch.linspace(0.5, 0.95, 10)
    recalls = [(values >= threshold).float().mean() for threshold in thresholds]
    return float(torch.stack(recalls).mean())


@pytest.mark.parametrize("seed", range(6))
def test_average_recall_by_its_definition(seed: int) -> None:
    images = IMAGES if seed else IMAGES[:2]
    truth, predictions = tables(seed, images=images)
    metric = proposal_recall.create(ProposalOptions(limits=(5, 40, 1000)))
    assert isinstance(metric, Metric) and isinstance(metric, ResampledMetric)
    scores = metric.accumulate(metric.match(truth, predictions))
    for limit in (5, 40, 1000):
        for area in RANGES:
            want = expected(truth, predictions, limit, area)
            assert scores.metrics[f"AR{area}@{limit}"] == pytest.approx(want, abs=1e-6)
    assert 0.1 < scores.metrics["AR@40"] < 1


def test_names_of_the_values() -> None:
    metric = proposal_recall.create()
    scores = metric.accumulate(metric.match(*tables(1)))
    assert list(scores.metrics) == [
        f"AR{area}@{limit}" for limit in (100, 1000) for area in ("", "s", "m", "l")
    ]


def test_shards_in_any_order_equal_one_run() -> None:
    truth, predictions = tables(1)
    metric = proposal_recall.create()
    whole = metric.match(truth, predictions)

    def of(table: pa.Table, image: int) -> pa.Table:
        return table.filter(pa.array(np.asarray(table["image_id"]) == image))

    shards = [
        metric.match(
            truth, Predictions(of(predictions.images, image), of(predictions.instances, image))
        )
        for image in reversed(IMAGES)
    ]
    assert metric.accumulate(pa.concat_tables(shards)) == metric.accumulate(whole)


def test_resampling_equals_weighting() -> None:
    metric = proposal_recall.create()
    matches = metric.match(*tables(1))
    weights = np.array([[1.0, 1, 1], [0, 2, 1], [0.3, 0.1, 0.7], [0, 0, 0]])
    image_ids = np.array([8, 3, 5])
    resampled = metric.resample(matches, image_ids, weights)
    for place, row in enumerate(weights):
        scores = metric.accumulate(matches, dict(zip(image_ids.tolist(), row.tolist())))
        assert {name: values[place] for name, values in resampled.items()} == scores.metrics
    assert resampled["AR@100"][3] == -1
    assert metric.accumulate(matches).metrics["AR@100"] == resampled["AR@100"][0]
    with pytest.raises(ContractError, match="named twice"):
        metric.resample(matches, np.array([8, 8, 5]), weights)


def test_what_cannot_be_scored() -> None:
    truth, predictions = tables(1)
    fewer = Predictions(predictions.images.slice(0, 2), predictions.instances, predictions.source)
    with pytest.raises(InputError, match=r"proposals\.json, detections\[\d+\]: image_id 8 is not"):
        proposal_recall.create().match(truth, fewer)
    known = Truth(truth.images.slice(0, 2), truth.instances, truth.categories, None, "truth.json")
    with pytest.raises(InputError, match=r"image_id 8 is not among the images of truth\.json"):
        proposal_recall.create().match(known, predictions)
    place = PREDICTION_INSTANCES.get_field_index("bbox")
    field = PREDICTION_INSTANCES.field("bbox")
    bare = predictions.instances.set_column(place, field, pa.nulls(600, field.type))
    with pytest.raises(InputError, match=r"detections\[0\]: bbox is missing"):
        proposal_recall.create().match(truth, Predictions(predictions.images, bare))
    with pytest.raises(ContractError, match="no table of proposals"):
        proposal_recall.create().accumulate(pa.table({"image_id": [1]}))
    with pytest.raises(UsageError, match="must ascend"):
        proposal_recall.create(ProposalOptions(limits=(100, 10)))
