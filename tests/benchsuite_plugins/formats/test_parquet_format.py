"""Truth and predictions as Parquet."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import PredictionsRequest, TruthRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.resolve import open_dataset
from benchsuite_plugins.formats import coco, parquet, recognition


@pytest.mark.parametrize(
    "file",
    [
        "coco_val2014_100/instances_val2014_100.json",
        "keypoints_small/gt_dataset.json",
        "lvis_val_100/lvis_val_100.json",
    ],
)
def test_truth_is_read_again_as_it_was(shared_data, tmp_path, file):
    truth = coco.read_truth(TruthRequest(shared_data / file))
    target = tmp_path / "truth"
    assert parquet.write_truth(truth, WriteRequest(target, truth.categories)) == {}
    assert recognition.parquet(target)
    again = parquet.read_truth(TruthRequest(target))
    assert again.instances.equals(truth.instances)
    assert again.images.equals(truth.images)
    assert again.categories == truth.categories
    assert again.keypoints == truth.keypoints


def test_a_folder_is_a_dataset(shared_data, tmp_path):
    truth = coco.read_truth(
        TruthRequest(shared_data / "coco_val2014_100/instances_val2014_100.json")
    )
    parquet.write_truth(truth, WriteRequest(tmp_path / "truth", truth.categories))
    dataset = open_dataset(str(tmp_path / "truth")).dataset
    assert dataset.tasks == ("bbox", "segm")
    assert dataset.truth("segm").instances.equals(truth.instances)


def test_masks_are_read_where_they_are_needed(make_truth, tmp_path):
    mask = [[1.0, 1, 9, 1, 9, 9]]
    truth = make_truth([0, 0, 10, 10], segmentation=[mask], area=[5.0])
    parquet.write_truth(truth, WriteRequest(tmp_path / "truth", truth.categories))
    for task, nulls in (("bbox", 1), ("segm", 0), ("", 0)):
        read = parquet.read_truth(TruthRequest(tmp_path / "truth", task=task))
        assert read.instances["segmentation"].null_count == nulls
        assert read.instances["area"].to_pylist() == [5]
    annotations = tmp_path / "truth/annotations.parquet"
    pq.write_table(truth.instances.drop_columns("area"), annotations)
    read = parquet.read_truth(TruthRequest(tmp_path / "truth", task="bbox"))
    assert read.instances["area"].to_pylist() == [28]  # of the mask


def test_rotated_boxes_are_kept(make_truth, with_column, tmp_path):
    truth = with_column(make_truth([0, 0, 1, 1]), "rotated_box", [[5.0, 6, 2, 1, 30]])
    parquet.write_truth(truth, WriteRequest(tmp_path / "truth", truth.categories))
    again = parquet.read_truth(TruthRequest(tmp_path / "truth"))
    assert again.instances["rotated_box"].to_pylist() == [[5, 6, 2, 1, 30]]


def test_predictions_are_read_again_as_they_were(shared_data, tmp_path):
    folder = shared_data / "coco_val2014_100"
    truth = coco.read_truth(TruthRequest(folder / "instances_val2014_100.json"))
    names = ("image_id", "file_name", "width", "height")
    columns = [truth.images[name].to_pylist() for name in names]
    images = [ImageRecord(*row) for row in zip(*columns)]
    for task in ("bbox", "segm"):
        file = folder / f"instances_val2014_fake{task}100_results.json"
        predictions = coco.read_predictions(
            PredictionsRequest(file, images, truth.categories, task)
        )
        target = tmp_path / f"{task}.parquet"
        parquet.write_predictions(predictions, WriteRequest(target, truth.categories, task=task))
        assert recognition.parquet(target)
        again = parquet.read_predictions(PredictionsRequest(target, images, truth.categories, task))
        assert again.instances.equals(predictions.instances)
        assert again.images.equals(predictions.images)


def test_what_is_missing_or_damaged(make_truth, tmp_path):
    target = tmp_path / "truth"
    truth = make_truth([0, 0, 1, 1])
    parquet.write_truth(truth, WriteRequest(target, truth.categories))
    annotations = target / "annotations.parquet"
    (target / "categories.parquet").unlink()
    assert [each.name for each in parquet.read_truth(TruthRequest(target)).categories] == ["1"]
    pq.write_table(truth.instances.drop_columns("image_id"), annotations)
    with pytest.raises(InputError, match=r"annotations\[0\]: the field 'image_id' is missing"):
        parquet.read_truth(TruthRequest(target))
    annotations.write_bytes(annotations.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"annotations\.parquet: cannot be read as Parquet"):
        parquet.read_truth(TruthRequest(target))
    annotations.unlink()
    assert not recognition.parquet(target)
    with pytest.raises(DataMissingError, match=r"annotations\.parquet is not there"):
        parquet.read_truth(TruthRequest(target))
