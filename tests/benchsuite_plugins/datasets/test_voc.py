"""Pascal VOC as a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from benchsuite.errors import DataMissingError, InputError
from benchsuite.protocols import Dataset, DatasetRequest, PublishedDataset
from benchsuite_plugins.datasets.voc import CATEGORIES, SPLITS, open_voc

ANNOTATION = """<annotation><folder>elsewhere</folder><filename>{name}.jpg</filename>
<size><width>6</width><height>4</height><depth>3</depth></size>
<object><name>{category}</name><difficult>{difficult}</difficult>
<bndbox><xmin>2</xmin><ymin>1</ymin><xmax>6</xmax><ymax>4</ymax></bndbox></object></annotation>
"""


def lay_out(folder: Path, split: str, names: list[str], category: str = "cat") -> None:
    for part in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        text = ANNOTATION.format(name=name, category=category, difficult=place % 2)
        (folder / "Annotations" / f"{name}.xml").write_text(text)
        pixels = np.zeros((4, 6, 3), np.uint8)
        PillowImage.fromarray(pixels).save(folder / "JPEGImages" / f"{name}.jpg")
    listed = "".join(f"{name}\n" for name in names)
    (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(listed)


def opened(root: Path, split: str):
    return open_voc(DatasetRequest(split, root=root, cache=root))


@pytest.mark.parametrize("below", ["", "VOCdevkit"])
def test_a_split(tmp_path, below):
    lay_out(tmp_path / below / "VOC2007", "test", ["000002", "000001"])
    dataset = opened(tmp_path, "2007_test")
    assert isinstance(dataset, Dataset)
    assert isinstance(dataset, PublishedDataset)
    assert dataset.categories == CATEGORIES
    assert [(record.id, record.file_name) for record in dataset.images()] == [
        (2, "000002.jpg"),
        (1, "000001.jpg"),
    ]
    truth = dataset.truth("bbox")
    assert truth.instances["bbox"].to_pylist() == [[1, 0, 5, 4]] * 2
    assert truth.instances["difficult"].to_pylist() == [False, True]
    assert truth.images["attributes"].to_pylist() == ['{"challenge": "VOC2007"}'] * 2
    assert dataset.load(dataset.images()[0]).pixels.shape == (4, 6, 3)
    with pytest.raises(InputError, match="holds no truth for segm"):
        dataset.truth("segm")


def test_names_of_2012_are_numbers_too(tmp_path):
    lay_out(tmp_path / "VOC2012", "val", ["2008_000002", "2007_000033"])
    assert [record.id for record in opened(tmp_path, "2012_val").images()] == [
        2008000002,
        2007000033,
    ]


def test_the_digest_is_of_the_annotations_of_the_split(tmp_path):
    folder = tmp_path / "VOC2007"
    lay_out(folder, "test", ["000001"])
    first = opened(tmp_path, "2007_test").annotation_sha256
    (folder / "Annotations" / "000009.xml").write_text("another split's")
    assert opened(tmp_path, "2007_test").annotation_sha256 == first
    file = folder / "Annotations" / "000001.xml"
    file.write_text(file.read_text() + "\n")
    assert opened(tmp_path, "2007_test").annotation_sha256 != first


def test_what_is_not_there_can_be_got(tmp_path):
    with pytest.raises(
        DataMissingError, match=r"fetch voc --split 2012_val; or unpack .*11-May-2012"
    ):
        opened(tmp_path, "2012_val")
    folder = tmp_path / "VOC2007"
    lay_out(folder, "trainval", ["000001"])
    with pytest.raises(DataMissingError, match=r"test\.txt of Pascal VOC .*/VOCtest_06-Nov-2007"):
        opened(tmp_path, "2007_test")
    (folder / "JPEGImages" / "000001.jpg").unlink()
    (folder / "JPEGImages").rmdir()
    dataset = opened(tmp_path, "2007_trainval")
    with pytest.raises(DataMissingError, match=r"JPEGImages of Pascal VOC is not there"):
        dataset.load(dataset.images()[0])


def test_another_category_is_an_error(tmp_path):
    lay_out(tmp_path / "VOC2007", "test", ["000001"], category="zebra")
    with pytest.raises(InputError, match=r"000001\.xml, line 3: the category 'zebra' is not known"):
        opened(tmp_path, "2007_test")


def test_every_split_is_published():
    from benchsuite_plugins import benchsuite_datasets

    [spec] = [spec for spec in benchsuite_datasets() if spec.name == "voc"]
    assert spec.splits == tuple(SPLITS)
    assert spec.metrics == ("voc_ap",)
