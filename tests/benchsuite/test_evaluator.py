"""Evaluation from Python: every kind of input, batch by batch, several processes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchsuite import Evaluator, evaluate
from benchsuite.errors import InputError, UsageError

N_IMAGES = 30


@pytest.fixture(scope="module")
def case():
    """Truth and results of thirty images, three of them without either."""
    random = np.random.default_rng(3)
    images = [
        {"id": i * 7 % 31, "file_name": f"{i}.png", "width": 200, "height": 160}
        for i in range(N_IMAGES)
    ]
    truth = {
        "images": images,
        "annotations": [],
        "categories": [{"id": 4, "name": "cat"}, {"id": 9, "name": "dog"}],
    }
    results = []
    for image in images[3:]:
        for _ in range(random.integers(1, 5)):
            box = [*random.uniform(0, 90, 2).tolist(), *random.uniform(10, 60, 2).tolist()]
            category = int(random.choice([4, 9]))
            annotation = {"image_id": image["id"], "category_id": category, "bbox": box}
            annotation |= {"id": len(truth["annotations"]) + 1, "area": box[2] * box[3]}
            truth["annotations"].append(annotation)
            moved = (np.array(box) + random.normal(0, 4, 4)).tolist()
            results.append(
                {
                    "image_id": image["id"],
                    "category_id": int(random.choice([category, category, 4])),
                    "bbox": moved,
                    "score": round(random.uniform(), 1),
                }
            )
    return truth, results


def official(truth, results):
    """pycocotools' summary."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    coco = COCO()
    coco.dataset = {
        **truth,
        "annotations": [{**each, "iscrowd": 0} for each in truth["annotations"]],
    }
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes([dict(each) for each in results]), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats.tolist()


def test_every_kind_of_input_gives_the_official_numbers(case, tmp_path):
    truth, results = case
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(results))
    array = np.array(
        [[each["image_id"], *each["bbox"], each["score"], each["category_id"]] for each in results]
    )
    expected = official(truth, results)
    for given_truth in (truth, tmp_path / "truth.json", str(tmp_path / "truth.json")):
        for given in (
            results,
            tmp_path / "results.json",
            array,
            pd.DataFrame(results),
            pa.Table.from_pylist(results),
        ):
            found = evaluate(given_truth, given, task="bbox")
            assert list(found.metrics.values()) == pytest.approx(expected, abs=1e-12)
            assert next(iter(found.metrics)) == "bbox/AP"


def test_batches_and_shards_give_the_bits_of_the_whole(case):
    truth, results = case
    whole = evaluate(truth, results)
    ids = [image["id"] for image in truth["images"]]
    shards = [Evaluator(truth) for _ in range(3)]
    for start in range(0, N_IMAGES, 4):
        batch = ids[start : start + 4]
        found = [each for each in results if each["image_id"] in batch]
        shards[start // 4 % 3].update(found, image_ids=batch)
    merged = Evaluator(truth)
    for shard in shards:
        merged.merge(shard.matches, shard.image_ids)
    assert merged.compute().metrics == whole.metrics
    assert merged.compute().curves.equals(whole.curves)
    assert set(merged.image_ids) == set(ids)


def test_images_that_were_not_updated_count_unless_told_otherwise(case):
    truth, results = case
    ids = [image["id"] for image in truth["images"][3:13]]
    found = [each for each in results if each["image_id"] in ids]
    evaluator = Evaluator(truth)
    evaluator.update(found, image_ids=ids)
    part = {**truth, "images": truth["images"][3:13]}
    part["annotations"] = [a for a in truth["annotations"] if a["image_id"] in ids]
    alone = evaluator.compute(only_updated=True)
    assert alone.metrics == evaluate(part, found).metrics
    assert len(alone.image_ids) == 10
    assert evaluator.compute().metrics == evaluate(truth, found).metrics
    evaluator.reset()
    assert evaluator.compute().metrics["bbox/AP"] == 0


def test_intervals_and_text(case):
    truth, results = case
    evaluation = evaluate(truth, results, ci=True, replicates=200)
    assert evaluation.intervals["bbox/AP"].replicates == 200
    assert "AP50" in str(evaluation) and "30 images" in str(evaluation)


def test_options_of_the_metric(case):
    truth, results = case
    found = evaluate(truth, results, iou_thresholds=(0.5,))
    assert found.metrics["bbox/AP"] == evaluate(truth, results).metrics["bbox/AP50"]
    with pytest.raises(UsageError, match="did you mean iou_thresholds"):
        evaluate(truth, results, iou_threshold=0.5)


def test_mistakes(case):
    truth, results = case
    evaluator = Evaluator(truth)
    first = results[0]["image_id"]
    with pytest.raises(InputError, match="not among image_ids"):
        evaluator.update(results, image_ids=[first])
    evaluator.update([each for each in results if each["image_id"] == first])
    with pytest.raises(InputError, match="updated before"):
        evaluator.update([results[0]])
    with pytest.raises(InputError, match="image 999"):
        evaluator.update([], image_ids=[999])
    with pytest.raises(InputError, match="two processes"):
        evaluator.merge(evaluator.matches, [first])
    with pytest.raises(UsageError, match="did you mean bbox"):
        Evaluator(truth, task="bbx")
    assert set(evaluator.image_ids.tolist()) == {first}
