"""YOLO text labels and detections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns import rle
from benchsuite_plugins.formats import recognition, yolo, yolo_writer
from benchsuite_plugins.formats.label_tables import predictions_of, truth_of


@pytest.fixture
def folder(tmp_path: Path, make_images) -> Path:
    """Two images, one of them without labels, and a ``data.yaml``."""
    make_images(tmp_path / "images" / "val", **{"000000000139": (200, 100), "sub__7": (64, 48)})
    (tmp_path / "labels" / "val").mkdir(parents=True)
    label = tmp_path / "labels" / "val" / "000000000139.txt"
    label.write_text("1 0.5 0.5 0.25 0.5\n\n0 0.125 0.25 0.125 0.125\n")
    (tmp_path / "data.yaml").write_text("val: images/val\nnames: [cat, dog]\n")
    return tmp_path


def read(path: Path, **fields) -> Truth:
    return yolo.read_truth(TruthRequest(path, **fields))


def label_of(folder: Path) -> Path:
    return folder / "labels" / "val" / "000000000139.txt"


def test_boxes_in_pixels(folder):
    truth = read(folder)
    assert truth.images["image_id"].to_pylist() == [139, 7]
    assert truth.images["file_name"].to_pylist() == ["000000000139.png", "sub/7.png"]
    assert truth.images["width"].to_pylist() == [200, 64]
    assert truth.categories == (Category(1, "cat"), Category(2, "dog"))
    assert truth.instances["bbox"].to_pylist() == [[75, 25, 50, 50], [12.5, 18.75, 25, 12.5]]
    assert truth.instances["category_id"].to_pylist() == [2, 1]
    assert truth.instances["segmentation"].null_count == 2
    assert truth.instances["area"].to_pylist() == [2500, 312.5]


def test_an_outline_is_a_mask_and_the_box_round_it(folder):
    label_of(folder).write_text("0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n1 0.5 0.5 0.25 0.5\n")
    truth = read(folder)
    outlined, boxed = truth.instances.to_pylist()
    np.testing.assert_allclose(outlined["bbox"], [20, 10, 40, 40], rtol=1e-14)
    mask = rle.decode(outlined["segmentation"]["counts"], (100, 200))
    assert mask[10:50, 20:60].all()
    assert mask.sum() == outlined["area"] == 1600
    assert boxed["segmentation"] is None
    assert boxed["area"] == 2500


@pytest.mark.parametrize(
    "layout", ["data.yaml", "beside", "labels alone", "list of images", "roboflow", "split folder"]
)
def test_layouts(folder, layout):
    data_file = folder / "data.yaml"
    path, fields = folder, {}
    names = ("cat", "dog")
    if layout == "data.yaml":
        path = data_file
    elif layout == "list of images":
        (folder / "val.txt").write_text("./images/val/000000000139.png\nimages/val/sub/7.png\n")
        data_file.write_text("path: .\nval: val.txt\nnames:\n  0: cat\n  1: dog\n")
    elif layout == "roboflow":
        (folder / "valid").mkdir()
        for kind in ("images", "labels"):
            (folder / kind / "val").rename(folder / "valid" / kind)
        data_file.write_text("val: ../valid/images\nnc: 2\nnames: ['cat', 'dog']\n")
    else:
        data_file.unlink()
        fields = {"categories": (Category(1, "cat"), Category(2, "dog"))}
        if layout == "split folder":
            fields["split"] = "val"
        elif layout == "labels alone":
            path, fields["images"] = folder / "labels" / "val", folder / "images" / "val"
        else:
            (folder / "classes.txt").write_text("cat\ndog\n")
            fields = {}
            path = folder / "labels" / "val"
    truth = read(path, **fields)
    assert tuple(category.name for category in truth.categories) == names
    assert truth.images["image_id"].to_pylist() == [139, 7]
    assert truth.instances["bbox"].to_pylist() == [[75, 25, 50, 50], [12.5, 18.75, 25, 12.5]]
    assert recognition.yolo(path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("0 0.5 0.5 0.25", "has 4 fields, not a class and 4 numbers of a box"),
        ("0 0.5 0.5 0.25 0.5 0.9", "has 6 fields, not a class"),
        ("0 .1 .1 .2 .2 .3 .3 .4", "has 8 fields, not a class"),
        ("2 0.5 0.5 0.25 0.5", "the class is '2', not one of 0 to 1"),
        ("-1 0.5 0.5 0.25 0.5", "the class is '-1', not one of"),
        ("0.0 0.5 0.5 0.25 0.5", "the class is '0.0', not one of"),
        ("0 0.5 0.5 inf 0.5", "'inf' is not a finite number"),
        ("0 0.5 x 0.1 0.5", "'x' is not a finite number"),
        ("0 0.5 0.5 -0.25 0.5", "the box has a negative width or height"),
        ("0 120 80 30 40", r"the centre 120\.0, 80\.0 is far outside of the image\. Coordinates"),
    ],
)
def test_malformed_labels(folder, line, problem):
    label_of(folder).write_text(f"1 0.5 0.5 0.25 0.5\n{line}\n")
    with pytest.raises(InputError, match=rf"000000000139\.txt, line 2: {problem}"):
        read(folder)


def test_a_label_file_that_is_no_text(folder):
    label_of(folder).write_bytes(b"0 0.5 0.5 0.1 0.1\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"000000000139\.txt, line 2: is not UTF-8 text"):
        read(folder)


def test_what_does_not_belong_together(folder):
    stray = label_of(folder).with_name("stray.txt")
    stray.write_text("")
    with pytest.raises(InputError, match=r"stray\.txt: there is no image for it"):
        read(folder)
    stray.unlink()
    (folder / "images" / "val" / "000000000139.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"has the same name as 000000000139\.jpg"):
        read(folder)


def test_images_that_are_missing_or_broken(folder):
    with pytest.raises(DataMissingError, match=r"elsewhere is not there"):
        read(folder, images=folder / "elsewhere", split="val")
    (folder / "images" / "val" / "000000000139.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(InputError, match=r"000000000139\.png: the image cannot be read"):
        read(folder)
    (folder / "images").rename(folder / "gone")
    with pytest.raises(DataMissingError, match="names the images 'images/val'; looked for"):
        read(folder)


def test_a_split_must_be_named_where_there_are_several(folder):
    (folder / "data.yaml").write_text("train: images/val\nval: images/val\nnames: [cat, dog]\n")
    with pytest.raises(UsageError, match="has the splits train, val: name one"):
        read(folder)
    assert read(folder, split="train").images.num_rows == 2
    with pytest.raises(UsageError, match=r"unknown split .* 'vall'; did you mean val"):
        read(folder, split="vall")


def test_classes_without_names(folder):
    (folder / "data.yaml").write_text("val: images/val\n")
    with pytest.raises(InputError, match="no file says what its classes are called"):
        read(folder)
    categories = (Category(5, "x"), Category(9, "y"))
    assert read(folder, categories=categories).instances["category_id"].to_pylist() == [9, 5]


def test_labels_of_poses_are_refused(folder):
    (folder / "data.yaml").write_text("val: images/val\nnames: [cat]\nkpt_shape: [17, 3]\n")
    with pytest.raises(InputError, match="labels of poses are not read"):
        read(folder)


FRACTION = st.integers(0, 64).map(lambda n: n / 64)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FRACTION, FRACTION, FRACTION, FRACTION), max_size=12))
def test_what_is_written_is_read_again(rows, make_truth, make_images, tmp_path_factory):
    path = tmp_path_factory.mktemp("yolo") / "out"
    boxes = [[x * 64, y * 16, w * 64, h * 16] for x, y, w, h in rows]
    truth = make_truth(*boxes)
    # Sides of powers of two hold their fractions exactly.
    sizes = truth.images.to_pydict()
    sizes["width"], sizes["height"] = [128, 64], [32, 16]
    images = pa.table(sizes, schema=truth.images.schema)
    truth = Truth(images, truth.instances, truth.categories, source="made")
    lost = yolo_writer.write_truth(truth, WriteRequest(path, categories=truth.categories))
    assert set(lost) <= {"annotation ids"}
    make_images(path / "images" / "val", a=(128, 32), b=(64, 16))
    again = read(path)
    assert again.categories == truth.categories
    columns = ["image_id", "category_id", "bbox", "area"]
    for number in (1, 2):
        of_image = [
            [row for row in each.instances.select(columns).to_pylist() if row["image_id"] == number]
            for each in (truth, again)
        ]
        assert of_image[0] == of_image[1]


def test_what_is_lost_is_counted(make_truth, with_column, tmp_path):
    truth = make_truth([0, 0, 64, 50], [0.1, 0.3, 8, 6], [1, 1, 1, 1], iscrowd=[1, 0, 0])
    truth = with_column(truth, "difficult", [False, False, True])
    lost = yolo_writer.write_truth(truth, WriteRequest(tmp_path / "out", truth.categories))
    assert lost == {
        "annotation ids": 1,
        "crowd regions": 1,
        "difficult objects": 1,
        "last digits of boxes": 1,
    }
    assert (tmp_path / "out" / "labels" / "val" / "a.txt").read_text() == ""


def test_masks_are_written_as_outlines_and_come_back_to_the_pixel(make_images, tmp_path):
    generator = np.random.default_rng(3)
    records = [ImageRecord(1, "a.png", 37, 23), ImageRecord(2, "b.png", 64, 48)]
    categories = (Category(1, "cat"), Category(2, "dog"))
    masks = []
    for row in (0, 0, 1, 1):
        shape = records[row].height, records[row].width
        blobs = np.kron(generator.random((12, 16)) < 0.3, np.ones((4, 4)))
        masks.append(rle.encode(blobs[: shape[0], : shape[1]].astype(bool)))
    masks[2] = rle.encode(np.zeros((48, 64), bool))
    boxes = [rle.to_bbox(counts, (23, 37)) for counts in masks[:2]]
    boxes += [(1, 2, 3, 4), (0.25, 0.5, 30, 40)]
    truth = truth_of(records, categories, [0, 0, 1, 1], [0, 1, 0, 1], boxes, masks=masks, source="")
    order = WriteRequest(tmp_path / "out", categories, task="segm")
    lost = yolo_writer.write_truth(truth, order)
    assert lost == {"boxes other than the masks'": 1, "empty masks": 1}
    make_images(tmp_path / "out" / "images" / "val", a=(37, 23), b=(64, 48))
    again = read(tmp_path / "out").instances
    found, expected = (side["segmentation"].to_pylist() for side in (again, truth.instances))
    assert [found[row] for row in (0, 1, 3)] == [expected[row] for row in (0, 1, 3)]
    # An empty mask has no outline: its object is written as its box.
    assert found[2] is None
    assert again["bbox"].to_pylist()[2] == [1, 2, 3, 4]
    np.testing.assert_allclose(again["bbox"].to_pylist()[:2], boxes[:2], rtol=1e-13)


# --- detections -------------------------------------------------------------------------------

RECORDS = (ImageRecord(139, "val/000000000139.jpg", 200, 100), ImageRecord(7, "7.jpg", 64, 48))
CATEGORIES = (Category(3, "cat"), Category(8, "traffic light"))


def detections(path: Path, records=RECORDS) -> Predictions:
    return yolo.read_predictions(PredictionsRequest(path, records, CATEGORIES))


def test_detections(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "000000000139.txt").write_text(
        "1 0.5 0.5 0.25 0.5 0.875\n0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5 0.25\n"
    )
    found = detections(tmp_path)
    assert found.instances["image_id"].to_pylist() == [139, 139]
    assert found.instances["category_id"].to_pylist() == [8, 3]
    assert found.instances["score"].to_pylist() == [0.875, 0.25]
    assert found.instances["bbox"].to_pylist()[0] == [75, 25, 50, 50]
    assert found.instances["segmentation"].is_valid().to_pylist() == [False, True]
    assert found.images["n_instances"].to_pylist() == [2, 0]
    assert recognition.yolo(tmp_path)


def test_detections_without_confidence(tmp_path):
    (tmp_path / "7.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    with pytest.raises(InputError, match=r"7\.txt, line 1: has 5 fields.* and a confidence"):
        detections(tmp_path)


def test_detections_in_no_image_and_in_several(tmp_path):
    with pytest.raises(DataMissingError, match="no label files"):
        detections(tmp_path)
    (tmp_path / "8.txt").write_text("")
    with pytest.raises(InputError, match=r"8\.txt: is called as no image of the dataset"):
        detections(tmp_path)
    (tmp_path / "8.txt").rename(tmp_path / "7.txt")
    twice = (ImageRecord(1, "a/7.jpg", 9, 9), ImageRecord(2, "b/7.jpg", 9, 9))
    with pytest.raises(InputError, match=r"7\.txt: is called as several images"):
        detections(tmp_path, twice)
    (tmp_path / "b").mkdir()
    (tmp_path / "7.txt").rename(tmp_path / "b" / "7.txt")
    assert detections(tmp_path, twice).instances.num_rows == 0


def test_detections_that_are_written_are_read_again(tmp_path):
    boxes = [[0, 0, 100, 50], [8, 12, 16, 24], [10.1, 20.2, 30.3, 7.7]]
    made = predictions_of(
        RECORDS, CATEGORIES, [0, 1, 1], [0, 1, 0], boxes, [0.1, 1 / 3, 1e-12], source="made"
    )
    lost = yolo_writer.write_predictions(made, WriteRequest(tmp_path / "out", CATEGORIES))
    assert lost == {"last digits of boxes": 1, "folders of images": 1}
    again = detections(tmp_path / "out").instances
    assert again.num_rows == 3
    by_score = {row["score"]: row for row in again.to_pylist()}
    for row in made.instances.to_pylist():
        np.testing.assert_allclose(by_score[row["score"]]["bbox"], row["bbox"], rtol=1e-13)
        assert by_score[row["score"]]["image_id"] == row["image_id"]
