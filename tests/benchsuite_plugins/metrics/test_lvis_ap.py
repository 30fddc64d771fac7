"""LVIS AP by hand: federated rules, where the ``lvis`` package fails, tables in shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite.columns.coco_results import read_coco_results
from benchsuite.columns.truth import build_truth
from benchsuite.errors import InputError
from benchsuite.protocols import Metric, Predictions, ResampledMetric, Scores, Truth
from benchsuite.records import ImageRecord
from benchsuite_plugins.metrics import lvis_ap
from benchsuite_plugins.metrics.match_table import MatchHeader

Record = dict[str, Any]

BOX = [10, 10, 20, 20]
ELSEWHERE = [60, 60, 20, 20]
RARE, COMMON, FREQUENT = 4, 2, 9


def image(image_id: int, **fields: Any) -> Record:
    known = {"neg_category_ids": [], "not_exhaustive_category_ids": []}
    return {"id": image_id, "width": 128, "height": 128, **known, **fields}


def truth_of(images: list[Record], annotations: list[Record], frequencies: str = "rcf") -> Truth:
    ids = dict(zip((RARE, COMMON, FREQUENT), frequencies))
    return build_truth(
        images,
        [
            {"id": number, "area": each["bbox"][2] * each["bbox"][3], **each}
            for number, each in enumerate(annotations, 1)
        ],
        [{"id": k, "name": str(k), "frequency": v} for k, v in ids.items()],
    )


def box(image_id: int, category_id: int, at: list[float] = BOX, **fields: Any) -> Record:
    return {"image_id": image_id, "category_id": category_id, "bbox": at, **fields}


def predictions_of(truth: Truth, results: list[Record], folder: Path) -> Predictions:
    rows = truth.images.to_pylist()
    images = [ImageRecord(row["image_id"], "", row["width"], row["height"]) for row in rows]
    file = folder / "results.json"
    file.write_text(json.dumps(results))
    return read_coco_results(file, images, truth.categories, "bbox")


def score(truth: Truth, results: list[Record], folder: Path) -> Scores:
    metric = lvis_ap.bbox()
    return metric.accumulate(metric.match(truth, predictions_of(truth, results, folder)))


def test_it_is_a_metric() -> None:
    assert isinstance(lvis_ap.bbox(), Metric)
    assert isinstance(lvis_ap.bbox(), ResampledMetric)
    assert isinstance(lvis_ap.segm(), Metric)


def test_only_categories_that_were_looked_for_are_wrong_to_find(tmp_path: Path) -> None:
    found = box(1, RARE, score=0.5)
    for fields, expected in (
        ({}, 1.0),  # nobody looked for COMMON: the better detection of it does not count
        ({"neg_category_ids": [COMMON]}, 1.0),  # it counts, but as another category
    ):
        truth = truth_of([image(1, **fields)], [box(1, RARE)])
        values = score(truth, [box(1, COMMON, score=0.9), found], tmp_path).metrics
        assert values["AP"] == pytest.approx(expected)
        assert values["APc"] == -1
    # In image 2 nobody looked for RARE, in image 3 somebody did, in vain.
    truth = truth_of([image(1), image(2), image(3, neg_category_ids=[RARE])], [box(1, RARE)])
    values = score(truth, [box(2, RARE, score=0.9), found], tmp_path).metrics
    assert values["AP"] == pytest.approx(1.0)
    values = score(truth, [box(3, RARE, score=0.9), found], tmp_path).metrics
    assert values["AP"] == pytest.approx(0.5)


def test_what_is_not_annotated_exhaustively_is_not_wrong_to_find(tmp_path: Path) -> None:
    results = [box(1, RARE, ELSEWHERE, score=0.9), box(1, RARE, score=0.5)]
    for listed, expected in (([RARE], 1.0), ([COMMON], 0.5)):
        truth = truth_of([image(1, not_exhaustive_category_ids=listed)], [box(1, RARE)])
        assert score(truth, results, tmp_path).metrics["AP"] == pytest.approx(expected)


def test_values_by_frequency(tmp_path: Path) -> None:
    truth = truth_of([image(1)], [box(1, each) for each in (RARE, COMMON, FREQUENT)])
    results = [box(1, RARE, score=1), box(1, COMMON, ELSEWHERE, score=0.9)]
    results += [box(1, COMMON, score=0.5)]
    scores = score(truth, results, tmp_path)
    found = {name: scores.metrics[name] for name in ("APr", "APc", "APf", "AP")}
    assert found == pytest.approx({"APr": 1.0, "APc": 0.5, "APf": 0.0, "AP": 0.5})
    assert scores.per_class is not None
    assert "APr" not in scores.per_class["metric"].to_pylist()
    of_common = {
        row["metric"]: row["value"]
        for row in scores.per_class.to_pylist()
        if row["category_id"] == COMMON
    }
    assert of_common["AP50"] == pytest.approx(0.5)


def test_300_of_an_image_count_whatever_their_category(tmp_path: Path) -> None:
    truth = truth_of([image(1, neg_category_ids=[COMMON])], [box(1, RARE)])
    found = box(1, RARE, score=0.1)
    others = [box(1, COMMON, score=0.5)] * 299
    assert score(truth, [found, *others], tmp_path).metrics["AP"] == pytest.approx(1.0)
    assert score(truth, [found, *others, others[0]], tmp_path).metrics["AP"] == 0
    # Equal scores: the first in the file count.
    equal = [{**each, "score": 0.1} for each in others]
    assert score(truth, [found, *equal, equal[0]], tmp_path).metrics["AP"] == pytest.approx(1.0)
    assert score(truth, [equal[0], *equal, found], tmp_path).metrics["AP"] == 0


def test_what_has_no_area_does_not_exist(tmp_path: Path) -> None:
    nothing = box(1, RARE, [10, 10, 0, 20])
    truth = truth_of([image(1)], [box(1, RARE), {**nothing, "area": 0}])
    results = [{**nothing, "score": 0.9}, box(1, RARE, score=0.5)]
    assert score(truth, results, tmp_path).metrics["AR@300"] == pytest.approx(1.0)
    assert score(truth, results, tmp_path).metrics["AP"] == pytest.approx(1.0)


# --- where the lvis package fails ------------------------------------------------------------


def test_nothing_found_at_all(tmp_path: Path) -> None:
    """The package fails with IndexError."""
    values = score(truth_of([image(1)], [box(1, RARE)]), [], tmp_path).metrics
    assert (values["AP"], values["AR@300"], values["APc"]) == (0, 0, -1)


def test_images_in_which_everything_was_looked_for(tmp_path: Path) -> None:
    """The package fails with KeyError: any COCO-format file is a federated one, too."""
    plain = {"id": 1, "width": 128, "height": 128}
    truth = truth_of([plain], [box(1, RARE)])
    results = [box(1, RARE, ELSEWHERE, score=0.9), box(1, RARE, score=0.5)]
    assert score(truth, results, tmp_path).metrics["AP"] == pytest.approx(0.5)
    # What is missing from its annotations it may still say.
    truth = truth_of([{**plain, "not_exhaustive_category_ids": [RARE]}], [box(1, RARE)])
    assert score(truth, results, tmp_path).metrics["AP"] == pytest.approx(1.0)


def test_categories_without_a_frequency(tmp_path: Path) -> None:
    """The package fails with ValueError."""
    truth = truth_of([image(1)], [box(1, RARE)], frequencies="xxx")
    values = score(truth, [box(1, RARE, score=0.5)], tmp_path).metrics
    assert values["AP"] == pytest.approx(1.0)
    assert (values["APr"], values["APc"], values["APf"]) == (-1, -1, -1)


def test_no_truth_at_all(tmp_path: Path) -> None:
    truth = truth_of([image(1, neg_category_ids=[RARE])], [])
    assert set(score(truth, [box(1, RARE, score=1)], tmp_path).metrics.values()) == {-1.0}
    empty = truth_of([], [])
    assert set(score(empty, [], tmp_path).metrics.values()) == {-1.0}


# --- what cannot be scored ----------------------------------------------------------------------


@pytest.mark.parametrize(("column", "known"), [("image_id", 1), ("category_id", RARE)])
def test_unknown_ids(tmp_path: Path, column: str, known: int) -> None:
    truth = truth_of([image(1)], [box(1, RARE)])
    found = predictions_of(truth, [box(1, RARE, score=1), box(1, RARE, score=0.5)], tmp_path)
    place = found.instances.schema.get_field_index(column)
    ids = pa.array([known, 77], pa.int64())
    instances = found.instances.set_column(place, found.instances.schema.field(place), ids)
    with pytest.raises(InputError) as caught:
        lvis_ap.bbox().match(truth, Predictions(found.images, instances, "results.json"))
    assert str(caught.value) == (
        f"results.json, detections[1]: {column} 77 is not among those that are evaluated"
    )


def test_an_image_that_is_not_in_the_dataset(tmp_path: Path) -> None:
    truth = truth_of([image(1)], [])
    found = predictions_of(truth_of([image(1), image(5)], []), [], tmp_path)
    with pytest.raises(InputError, match="image_id 5 is not among the images"):
        lvis_ap.bbox().match(truth, found)


# --- tables ---------------------------------------------------------------------------------


def random_case(folder: Path, count: int = 12) -> tuple[Truth, Predictions]:
    random = np.random.default_rng(3)
    categories = (RARE, COMMON, FREQUENT)

    def pick() -> int:
        return int(random.choice(categories))

    def place() -> list[float]:
        return [*random.integers(0, 20, 2).tolist(), *random.integers(5, 40, 2).tolist()]

    images = [
        image(each, neg_category_ids=[pick()], not_exhaustive_category_ids=[pick()])
        for each in range(1, count + 1)
    ]
    annotations = [
        box(each, pick(), place())
        for each in range(1, count + 1)
        for _ in range(random.integers(6))
    ]
    results = [
        box(each, pick(), place(), score=random.integers(0, 8) / 8)
        for each in range(1, count + 1)
        for _ in range(20)
    ]
    results += [{**each, "score": 0.5} for each in annotations]
    truth = truth_of(images, annotations)
    return truth, predictions_of(truth, results, folder)


def of_images(predictions: Predictions, ids: list[int]) -> Predictions:
    def chosen(table: pa.Table) -> pa.Table:
        return table.filter(pa.array(np.isin(table["image_id"].to_numpy(), ids)))

    return Predictions(chosen(predictions.images), chosen(predictions.instances))


def test_shards_merge_to_the_bit(tmp_path: Path) -> None:
    truth, predictions = random_case(tmp_path)
    metric = lvis_ap.bbox()
    whole = metric.match(truth, predictions)
    shards = [
        metric.match(truth, of_images(predictions, ids)) for ids in ([9, 2], [12], [1, 4, 3, 7])
    ]
    rest = [each for each in range(1, 13) if each not in (9, 2, 12, 1, 4, 3, 7)]
    shards.insert(1, metric.match(truth, of_images(predictions, rest)))
    file = tmp_path / "shard.parquet"
    pq.write_table(pa.concat_tables(shards), file)
    merged = metric.accumulate(pq.read_table(file))
    expected = metric.accumulate(whole)
    assert 0 < expected.metrics["AP"] < 1
    assert merged.metrics == expected.metrics
    assert merged.per_class == expected.per_class
    assert merged.curves == expected.curves


def test_weights_are_repeated_images(tmp_path: Path) -> None:
    truth, predictions = random_case(tmp_path)
    metric = lvis_ap.bbox()
    matches = metric.match(truth, predictions)
    chosen = [1, 5, 8]
    alone = metric.accumulate(metric.match(truth, of_images(predictions, chosen)))
    assert metric.accumulate(matches, dict.fromkeys(chosen, 1)).metrics == alone.metrics
    everywhere = dict.fromkeys(range(1, 13), 1)
    assert metric.accumulate(matches, everywhere).metrics == metric.accumulate(matches).metrics


def test_resampling_is_accumulating_many_times(tmp_path: Path) -> None:
    truth, predictions = random_case(tmp_path)
    metric = lvis_ap.bbox()
    matches = metric.match(truth, predictions)
    images = np.arange(1, 13)
    weights = np.random.default_rng(1).multinomial(12, np.full(12, 1 / 12), 20).astype(float)
    found = metric.resample(matches, images, weights)
    for replicate, row in enumerate(weights):
        expected = metric.accumulate(matches, dict(zip(images.tolist(), row.tolist()))).metrics
        assert {name: values[replicate] for name, values in found.items()} == expected


def test_the_header_says_which_categories_are_rare(tmp_path: Path) -> None:
    truth, predictions = random_case(tmp_path)
    header = MatchHeader.of(lvis_ap.bbox().match(truth, predictions))
    groups = {value.name: value.categories for value in header.protocol.values if value.categories}
    assert groups == {"APr": (RARE,), "APc": (COMMON,), "APf": (FREQUENT,)}
