"""Pascal VOC's XML annotations and detection files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Predictions, PredictionsRequest, Truth, TruthRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.formats import recognition, voc_annotations, voc_detections, voc_writer
from benchsuite_plugins.formats.label_tables import predictions_of
from benchsuite_plugins.formats.voc_categories import CATEGORIES

ANNOTATION = """<annotation>
  <folder>VOC2007</folder>
  <filename>000005.jpg</filename>
  <size><width>500</width><height>375</height><depth>3</depth></size>
  <object>
    <name>chair</name><pose>Rear</pose><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmin>263</xmin><ymin>211</ymin><xmax>324</xmax><ymax>339</ymax></bndbox>
    <part><name>leg</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
  </object>
  <object>
    <name>person</name><difficult>1</difficult>
    <bndbox><xmax>500</xmax><ymax>375</ymax><xmin>1</xmin><ymin>1.5</ymin></bndbox>
  </object>
</annotation>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for name in ("000005", "000007"):
        text = ANNOTATION.replace("000005", name)
        (tmp_path / "Annotations" / f"{name}.xml").write_text(text)
    (tmp_path / "ImageSets" / "Main" / "test.txt").write_text("000007\n000005\n")
    (tmp_path / "ImageSets" / "Main" / "chair_test.txt").write_text("000005  1\n000007 -1\n")
    return tmp_path


def read(path: Path, **fields):
    return voc_annotations.read_truth(TruthRequest(path, **fields))


def test_boxes_begin_one_pixel_earlier(folder):
    truth = read(folder)
    assert truth.images["image_id"].to_pylist() == [7, 5]
    assert truth.images["file_name"].to_pylist() == ["000007.jpg", "000005.jpg"]
    assert truth.images["width"].to_pylist() == [500, 500]
    assert truth.categories == CATEGORIES
    instances = truth.instances.to_pylist()
    assert [row["image_id"] for row in instances] == [7, 7, 5, 5]
    assert instances[0]["bbox"] == [262, 210, 62, 129]
    assert instances[1]["bbox"] == [0, 0.5, 500, 374.5]
    assert [row["category_id"] for row in instances] == [9, 15, 9, 15]
    assert [row["difficult"] for row in instances] == [False, True] * 2
    assert instances[0]["area"] == 62 * 129
    assert truth.images["attributes"].to_pylist() == ['{"challenge": "VOC2007"}'] * 2


def test_the_challenge_is_kept_and_other_attributes_are_lost(folder, tmp_path):
    truth = read(folder)
    assert write(truth, tmp_path / "kept") == {}
    again = read(tmp_path / "kept", categories=CATEGORIES)
    assert again.images["attributes"].equals(truth.images["attributes"])
    place = truth.images.schema.get_field_index("attributes")
    weather = pa.array(['{"weather": "rain"}', '{"challenge": "<VOC>"}'])
    images = truth.images.set_column(place, truth.images.schema.field(place), weather)
    lost = write(Truth(images, truth.instances, truth.categories), tmp_path / "lost")
    assert lost == {"attributes of images": 2}


def test_a_split_is_a_list_and_all_is_everything(folder):
    main = folder / "ImageSets" / "Main"
    (main / "val.txt").write_text("000005\n")
    assert read(folder, split="val").images["image_id"].to_pylist() == [5]
    assert read(folder, split="all").images["image_id"].to_pylist() == [5, 7]
    assert read(folder / "Annotations", split="test").images.num_rows == 2
    with pytest.raises(UsageError, match="the splits test, val: name one"):
        read(folder)
    with pytest.raises(UsageError, match=r"unknown split of .* 'tests'; did you mean test"):
        read(folder, split="tests")


def test_categories_that_are_not_vocs_are_numbered_by_name(folder):
    for file in (folder / "Annotations").iterdir():
        file.write_text(file.read_text().replace("chair", "zebra"))
    assert read(folder).categories == (Category(1, "person"), Category(2, "zebra"))
    with pytest.raises(InputError, match=r"000007\.xml, line 5: the category 'zebra' is not known"):
        read(folder, categories=CATEGORIES)
    (folder / "classes.txt").write_text("zebra\nperson\ngnu\n")
    listed = (Category(1, "zebra"), Category(2, "person"), Category(3, "gnu"))
    assert read(folder).categories == read(folder / "Annotations").categories == listed


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<xmin>263</xmin>", "", r"line 7: the bndbox has no xmin"),
        ("263", "left", r"line 7: 'left' is not a finite number"),
        ("263", "nan", r"line 7: 'nan' is not a finite number"),
        ("<xmax>324", "<xmax>261", "line 7: the box of 'chair' has a negative width or height"),
        ("<name>chair</name>", "<name> </name>", "line 5: the object has no name"),
        ("<width>500", "<width>-4", "line 4: an image of -4.0 x 375.0 pixels cannot be"),
        ("<difficult>0", "<difficult>no", "line 6: 'no' is not a finite number"),
        ("annotation>", "annotations>", "line 1: the root is 'annotations'"),
        ("</object>", "", "line 14: not well-formed XML: mismatched tag"),
    ],
)
def test_malformed_annotations(folder, old, new, problem):
    file = folder / "Annotations" / "000007.xml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError, match=rf"000007\.xml, {problem}"):
        read(folder)


def test_an_object_without_a_box(folder):
    file = folder / "Annotations" / "000005.xml"
    file.write_text("<annotation>\n<object><name>cat</name></object></annotation>")
    with pytest.raises(InputError, match=r"000005\.xml, line 2: the object 'cat' has no bndbox"):
        read(folder)


def test_an_annotation_that_is_listed_but_not_there(folder):
    (folder / "Annotations" / "000005.xml").unlink()
    with pytest.raises(DataMissingError, match=r"000005\.xml is not there"):
        read(folder)


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        ("000005\n000005\n", r"test\.txt, line 2: the image 000005 is that of line 1"),
        ("000005 1\n", r"line 1: '000005 1' is no name of an image"),
        ("../etc/passwd\n", r"line 1: '../etc/passwd' is no name"),
        ("\n", r"test\.txt: lists no image"),
    ],
)
def test_malformed_lists(folder, listed, problem):
    (folder / "ImageSets" / "Main" / "test.txt").write_text(listed)
    with pytest.raises(InputError, match=problem):
        read(folder)


def test_sizes_that_are_missing_are_read_from_the_images(folder, make_images):
    file = folder / "Annotations" / "000005.xml"
    file.write_text(ANNOTATION.replace("<width>500</width><height>375</height>", ""))
    with pytest.raises(InputError, match=r"line 4: the size has no width"):
        read(folder)
    for text in ("<width>0</width><height>0</height>", None):
        size = "<size>" + (text or "") + "<depth>3</depth></size>"
        whole = "<size><width>500</width><height>375</height><depth>3</depth></size>"
        file.write_text(ANNOTATION.replace(whole, size if text else ""))
        with pytest.raises(InputError, match=r"000005\.xml: says no size .* Give the folder"):
            read(folder)
        images = make_images(folder / "elsewhere", **{"000005": (20, 10)})
        assert read(folder, images=images).images["width"].to_pylist() == [500, 20]


def write(truth, path: Path):
    return voc_writer.write_truth(truth, WriteRequest(path, categories=truth.categories))


WHOLE = st.integers(0, 400).map(float)
BOX = st.tuples(WHOLE, WHOLE, WHOLE, WHOLE).map(list)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(boxes=st.lists(BOX, max_size=12), data=st.data())
def test_what_is_written_is_read_again(boxes, data, make_truth, with_column, tmp_path_factory):
    path = tmp_path_factory.mktemp("voc") / "out"
    flags = data.draw(st.lists(st.booleans(), min_size=len(boxes), max_size=len(boxes)))
    truth = with_column(make_truth(*boxes), "difficult", flags)
    # Objects are read image by image, and so numbered in another order.
    assert set(write(truth, path)) <= {"annotation ids"}
    again = read(path)
    assert again.categories == truth.categories
    columns = ["image_id", "category_id", "bbox", "area", "difficult"]

    def rows(table):
        return sorted(table.select(columns).to_pylist(), key=lambda row: row["image_id"])

    assert rows(again.instances) == rows(truth.instances)
    assert again.images.equals(truth.images)


def test_what_is_lost_is_counted(make_truth, tmp_path):
    mask = {"size": [100, 200], "counts": [0, 5, 19995]}
    small = {"size": [48, 64], "counts": [0, 5, 3067]}
    truth = make_truth(
        [0, 0, 3, 4],
        [0.1, 0.2, 10.3, 7.7],
        iscrowd=[1, 0],
        segmentation=[mask, small],
        area=[12, 5],
    )
    assert write(truth, tmp_path / "out") == {
        "masks": 2,
        "areas other than the shapes'": 1,
        "last digits of boxes": 1,
        "crowd flags (difficult now)": 1,
    }
    assert read(tmp_path / "out", categories=truth.categories).instances[
        "difficult"
    ].to_pylist() == [
        True,
        False,
    ]


def test_a_name_that_xml_cannot_hold(make_truth, tmp_path):
    truth = make_truth([0, 0, 1, 1])
    bad = (Category(1, "a\x00b"), Category(2, "<&>"))
    with pytest.raises(InputError, match="a character that XML cannot hold"):
        write(type(truth)(truth.images, truth.instances, bad), tmp_path / "out")
    good = (Category(1, "<&>"), Category(2, "b"))
    write(type(truth)(truth.images, truth.instances, good), tmp_path / "good")
    assert read(tmp_path / "good", categories=good).instances["category_id"].to_pylist() == [1]


# --- detections -------------------------------------------------------------------------------

RECORDS = (ImageRecord(7, "000007.jpg", 500, 375), ImageRecord(5, "000005.jpg", 500, 375))


def detections(path: Path, categories=CATEGORIES) -> Predictions:
    return voc_detections.read_predictions(PredictionsRequest(path, RECORDS, categories))


def test_detections_in_the_order_of_categories_and_files(tmp_path):
    (tmp_path / "comp4_det_test_person.txt").write_text("000005 0.5 1 1 10.5 20\n")
    (tmp_path / "comp4_det_test_chair.txt").write_text(
        "000007 0.25 3 4 5 6\n\n000005 1e-3 1 1 1 1\n"
    )
    found = detections(tmp_path)
    assert found.instances["image_id"].to_pylist() == [7, 5, 5]
    assert found.instances["category_id"].to_pylist() == [9, 9, 15]
    assert found.instances["score"].to_pylist() == [0.25, 0.001, 0.5]
    assert found.instances["bbox"].to_pylist() == [[2, 3, 3, 3], [0, 0, 1, 1], [0, 0, 10.5, 20]]
    assert found.instances["prediction"].to_pylist() == [0, 1, 2]
    assert found.images["n_instances"].to_pylist() == [1, 2]
    assert recognition.voc(tmp_path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("000007 0.5 1 1 2", "line 1: has 5 fields, not 6"),
        ("000007 0.5 1 1 2 2 3", "line 1: has 7 fields, not 6"),
        ("000007 nan 1 1 2 2", "line 1: 'nan' is not a finite number"),
        ("000007 0.5 1 1 2 1_0", "line 1: '1_0' is not a finite number"),
        ("000006 0.5 1 1 2 2", "line 1: the image '000006' is not in the dataset"),
        ("\n000007 0.5 9 1 2 2", "line 2: the box has a negative width or height"),
    ],
)
def test_malformed_detections(tmp_path, line, problem):
    (tmp_path / "comp4_det_test_chair.txt").write_text(line)
    with pytest.raises(InputError, match=rf"comp4_det_test_chair\.txt, {problem}"):
        detections(tmp_path)


def test_files_of_unknown_categories_and_of_two_splits(tmp_path):
    with pytest.raises(DataMissingError, match="no VOC detection files"):
        detections(tmp_path)
    (tmp_path / "comp4_det_test_unicorn.txt").write_text("")
    assert detections(tmp_path).instances.num_rows == 0
    (tmp_path / "comp4_det_test_unicorn.txt").write_text("000007 0.5 1 1 2 2")
    with pytest.raises(InputError, match="unicorn"):
        detections(tmp_path)
    (tmp_path / "comp4_det_test_unicorn.txt").rename(tmp_path / "comp4_det_test_cat.txt")
    (tmp_path / "comp4_det_val_cat.txt").write_text("")
    with pytest.raises(UsageError, match="detections of comp4_det_test and comp4_det_val"):
        detections(tmp_path)


def test_names_with_underscores(tmp_path):
    categories = (Category(1, "light"), Category(2, "traffic_light"))
    (tmp_path / "comp4_det_my_test_traffic_light.txt").write_text("000007 0.5 1 1 2 2\n")
    (tmp_path / "comp4_det_my_test_light.txt").write_text("000007 0.5 1 1 2 2\n")
    assert detections(tmp_path, categories).instances["category_id"].to_pylist() == [1, 2]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), BOX, st.floats(0, 1)), max_size=12
    )
)
def test_detections_that_are_written_are_read_again(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("voc") / "out"
    rows = sorted(rows, key=lambda row: row[1])
    categories = (Category(3, "cat"), Category(8, "traffic light"))
    images, labels, boxes, scores = zip(*rows) if rows else ((), (), (), ())
    made = predictions_of(RECORDS, categories, images, labels, boxes, scores, source="made")
    assert voc_detections.write_predictions(made, WriteRequest(path, categories)) == {}
    again = detections(path, categories)
    assert again.instances.equals(made.instances)
    assert again.images.equals(made.images)
