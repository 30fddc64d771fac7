"""DOTA text labels and detections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_kernels.columns.rotated_boxes import corners
from benchsuite_plugins.formats import dota, dota_writer, recognition
from benchsuite_plugins.formats.label_tables import predictions_of, truth_of

LABELS = """imagesource:GoogleEarth
gsd:0.146343
3 2 7 2 7 4 3 4 plane 0
4 5 4 1 6 1 6 5 large-vehicle 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labelTxt").mkdir()
    (tmp_path / "labelTxt" / "P0003.txt").write_text(LABELS)
    (tmp_path / "labelTxt" / "P0010.txt").write_text("imagesource:x\n")
    return tmp_path


def read(path: Path, **fields) -> Truth:
    return dota.read_truth(TruthRequest(path, **fields))


def test_quadrilaterals_are_rotated_boxes(folder):
    truth = read(folder)
    assert truth.images["file_name"].to_pylist() == ["P0003.png", "P0010.png"]
    assert truth.images["image_id"].to_pylist() == [1, 2]
    assert [category.name for category in truth.categories] == list(dota.NAMES[:15])
    upright, turned = truth.instances.to_pylist()
    np.testing.assert_allclose(upright["rotated_box"], [5, 3, 4, 2, 0], atol=1e-12)
    np.testing.assert_allclose(turned["rotated_box"], [5, 3, 4, 2, 90], atol=1e-12)
    assert (upright["bbox"], turned["bbox"]) == ([3, 2, 4, 2], [4, 1, 2, 4])
    assert (upright["difficult"], turned["difficult"]) == (False, True)
    assert (upright["category_id"], turned["category_id"]) == (1, 10)
    assert upright["area"] == pytest.approx(8)
    assert recognition.dota(folder)
    assert recognition.dota(folder / "labelTxt")


def test_sizes_are_those_of_the_images(folder, make_images):
    make_images(folder / "images", P0003=(30, 20), P0010=(9, 8))
    assert read(folder).images["width"].to_pylist() == [30, 9]
    (folder / "images" / "P0010.png").unlink()
    with pytest.raises(DataMissingError, match=r"there is no image P0010 in"):
        read(folder)


def test_categories_of_later_versions_and_of_none(folder):
    label = folder / "labelTxt" / "P0003.txt"
    label.write_text(LABELS.replace("plane", "helipad"))
    assert len(read(folder).categories) == 18
    label.write_text(LABELS.replace("plane", "boat"))
    assert [each.name for each in read(folder).categories] == ["boat", "large-vehicle"]
    with pytest.raises(InputError, match=r"P0003\.txt, line 3: the category 'boat' is not known"):
        read(folder, categories=(Category(1, "large-vehicle"),))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1 2 3 4 5 6 7 plane 0", "'plane' is not a finite number"),
        ("1 2 3 4 5 6 7 8", "has 8 fields, not 8 coordinates"),
        ("1 2 3 4 5 6 7 8 9 10 11", "has 11 fields"),
        ("1 2 3 4 5 6 7 nan plane 0", "'nan' is not a finite number"),
        ("1 2 3 4 5 6 7 8 plane yes", "difficult is 'yes', not 0 or 1"),
    ],
)
def test_malformed_labels(folder, line, problem):
    (folder / "labelTxt" / "P0010.txt").write_text(f"gsd:null\n{line}\n")
    with pytest.raises(InputError, match=rf"P0010\.txt, line 2: {problem}"):
        read(folder)


RECORDS = (ImageRecord(1, "P0003.png", 0, 0), ImageRecord(2, "P0010.png", 0, 0))
CATEGORIES = (Category(4, "plane"), Category(6, "large vehicle"))
ROTATED = st.tuples(
    st.integers(-50, 300).map(float),
    st.integers(-50, 300).map(float),
    st.floats(0.5, 100),
    st.floats(0.5, 100),
    st.floats(-179, 180),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.integers(0, 1), ROTATED, st.booleans()), max_size=8))
def test_what_is_written_is_read_again(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("dota") / "out"
    rows = sorted(rows, key=lambda row: row[0])
    images, boxes, difficult = zip(*rows) if rows else ((), (), ())
    rotated = np.array(boxes, np.float64).reshape(-1, 5)
    upright = np.column_stack([rotated[:, :2], rotated[:, 2:4]])
    truth = truth_of(
        RECORDS, CATEGORIES, images, np.array(images), upright,
        rotated=rotated, difficult=difficult, source="made",
    )  # fmt: skip
    lost = dota_writer.write_truth(truth, WriteRequest(path, CATEGORIES))
    # Cosines round, and the ids of these categories are not 1 and 2.
    assert set(lost) | {"last digits of rotated boxes"} == {
        "category ids",
        "last digits of rotated boxes",
    }
    again = read(path)
    assert [category.name for category in again.categories] == ["plane", "large vehicle"]
    again = read(path, categories=CATEGORIES).instances
    for column in ("image_id", "category_id", "difficult"):
        assert again[column].to_pylist() == truth.instances[column].to_pylist()
    found = np.array(again["rotated_box"].to_pylist()).reshape(-1, 5)
    np.testing.assert_allclose(corners(found), corners(rotated), atol=1e-9)


def test_boxes_without_angle_and_crowds(make_truth, tmp_path):
    truth = make_truth([1, 2, 3, 4], [5, 6, 7, 8], iscrowd=[0, 1])
    lost = dota_writer.write_truth(truth, WriteRequest(tmp_path / "out", truth.categories))
    assert lost == {"crowd flags (difficult now)": 1}
    written = (tmp_path / "out" / "labelTxt" / "b.txt").read_text()
    assert written == "5.0 6.0 12.0 6.0 12.0 14.0 5.0 14.0 traffic-light 1\n"


# --- detections -------------------------------------------------------------------------------


def detections(path: Path):
    return dota.read_predictions(PredictionsRequest(path, RECORDS, CATEGORIES))


def test_detections_that_are_written_are_read_again(tmp_path):
    rotated = np.array([[10, 20, 4, 3, 0.0], [30, 40, 6, 5, 90], [5, 5, 7, 2, 30]])
    made = predictions_of(
        RECORDS, CATEGORIES, [0, 1, 0], [0, 0, 1], np.zeros((3, 4)), [0.5, 1 / 3, 0.25],
        rotated=rotated, source="made",
    )  # fmt: skip
    lost = dota_writer.write_predictions(made, WriteRequest(tmp_path / "out", CATEGORIES))
    assert set(lost) <= {"last digits of rotated boxes"}
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "Task1_large-vehicle.txt",
        "Task1_plane.txt",
    ]
    assert recognition.dota(tmp_path / "out")
    again = detections(tmp_path / "out").instances.sort_by([("score", "descending")])
    assert again["score"].to_pylist() == [0.5, 1 / 3, 0.25]
    assert again["image_id"].to_pylist() == [1, 2, 1]
    assert again["category_id"].to_pylist() == [4, 4, 6]
    np.testing.assert_allclose(again["rotated_box"].to_pylist(), rotated, atol=1e-9)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("P0003 0.5 1 2 3 4 5 6 7", "has 9 fields, not 10"),
        ("P0003 0.5 1 2 3 4 5 6 7 x", "'x' is not a finite number"),
        ("P0004 0.5 1 2 3 4 5 6 7 8", "the image 'P0004' is not in the dataset"),
    ],
)
def test_malformed_detections(tmp_path, line, problem):
    (tmp_path / "Task1_plane.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match=rf"Task1_plane\.txt, line 1: {problem}"):
        detections(tmp_path)


def test_files_of_no_category(tmp_path):
    with pytest.raises(DataMissingError, match=r"no files Task1_CATEGORY\.txt"):
        detections(tmp_path)
    (tmp_path / "Task1_boat.txt").write_text("")
    assert detections(tmp_path).instances.num_rows == 0
    (tmp_path / "Task1_boat.txt").write_text("P0003 0.5 1 2 3 4 5 6 7 8")
    with pytest.raises(InputError, match="the category 'boat' is not in the dataset"):
        detections(tmp_path)


def test_categories_that_would_share_a_name(tmp_path):
    made = predictions_of(RECORDS, CATEGORIES, [], [], [], [], source="made")
    alike = (Category(1, "large vehicle"), Category(2, "large-vehicle"))
    with pytest.raises(InputError, match="two categories have the same name, if space is a hyphen"):
        dota_writer.write_predictions(made, WriteRequest(tmp_path / "out", alike))
