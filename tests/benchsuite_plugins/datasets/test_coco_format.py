from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from benchsuite.columns.person_keypoints import PERSON_KEYPOINTS
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.protocols import Dataset, DatasetRequest
from benchsuite.specs import Category, KeypointLayout
from benchsuite_plugins.datasets.coco_format import (
    CocoFormatDataset,
    CocoFormatOptions,
    open_coco_format,
)

ORIENTATION = 0x0112
"""The EXIF tag."""


def content(**fields: Any) -> dict[str, Any]:
    """A file of two images, the later id first, and one annotation."""
    return {
        "images": [
            {"id": 9, "file_name": "nine.png", "width": 6, "height": 4},
            {"id": 2, "file_name": "sub/two.png", "width": 3, "height": 5},
        ],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4}
        ],
        "categories": [{"id": 1, "name": "thing"}],
        **fields,
    }


def written(folder: Path, **fields: Any) -> Path:
    path = folder / "annotations.json"
    path.write_text(json.dumps(content(**fields)))
    return path


def pictures(folder: Path) -> Path:
    """The images, each of one colour."""
    images = folder / "images"
    (images / "sub").mkdir(parents=True)
    PillowImage.new("RGB", (6, 4), (10, 20, 30)).save(images / "nine.png")
    PillowImage.new("L", (3, 5), 7).save(images / "sub" / "two.png")
    return images


def with_annotation(**fields: Any) -> list[dict[str, Any]]:
    return [{**content()["annotations"][0], **fields}]


POLYGON = [[0, 0, 2, 0, 2, 2, 0, 2]]


def test_satisfies_the_contract(tmp_path: Path) -> None:
    assert isinstance(CocoFormatDataset(written(tmp_path), None), Dataset)


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    path = written(tmp_path)
    dataset = CocoFormatDataset(path, None)
    assert dataset.categories == (Category(1, "thing"),)
    assert dataset.keypoints is None
    assert dataset.tasks == ("bbox",)
    assert dataset.annotation_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [record.id for record in dataset.images()] == [2, 9]


def test_tasks_are_those_that_the_annotations_serve(tmp_path: Path) -> None:
    masks = with_annotation(segmentation=POLYGON)
    assert CocoFormatDataset(written(tmp_path, annotations=masks), None).tasks == ("bbox", "segm")
    points = with_annotation(keypoints=[1, 1, 2] * 17, segmentation=[])
    keypoints = CocoFormatDataset(written(tmp_path, annotations=points), None)
    assert keypoints.tasks == ("bbox", "keypoints")
    with pytest.raises(InputError, match="holds no truth for segm; it serves bbox, keypoints"):
        keypoints.truth("segm")


def test_truth(tmp_path: Path) -> None:
    dataset = CocoFormatDataset(
        written(tmp_path, annotations=with_annotation(segmentation=POLYGON)), None
    )
    assert dataset.truth("bbox").instances["bbox"].to_pylist() == [[0, 0, 2, 2]]
    assert dataset.truth("bbox").instances["segmentation"].null_count == 1
    assert dataset.truth("segm").instances["segmentation"].null_count == 0
    assert dataset.truth("segm").source == str(tmp_path / "annotations.json")


def test_given_categories_replace_those_of_the_file(tmp_path: Path) -> None:
    given = (Category(1, "one"), Category(2, "stuff", isthing=False))
    path = written(tmp_path, categories="not read")
    assert CocoFormatDataset(path, None, categories=given).categories == given


def test_opened_by_request(tmp_path: Path) -> None:
    path = written(tmp_path, annotations=with_annotation(keypoints=[1, 1, 2, 3, 3, 2]))
    options = CocoFormatOptions(sigmas=(0.1, 0.2))
    request = DatasetRequest("all", tmp_path, tmp_path, options=options, annotations=path)
    opened = open_coco_format(request)
    assert opened.keypoints is not None
    assert opened.keypoints.sigmas == (0.1, 0.2)
    with pytest.raises(UsageError, match="needs an annotation file"):
        open_coco_format(DatasetRequest("all", tmp_path, tmp_path))


def test_real_files(shared_data: Path) -> None:
    photos = shared_data / "coco_4_photos"
    dataset = CocoFormatDataset(photos / "test_coco.json", photos)
    assert dataset.tasks == ("bbox", "segm", "keypoints")
    assert dataset.keypoints == PERSON_KEYPOINTS
    for record in dataset.images():
        assert dataset.load(record).pixels.shape == (record.height, record.width, 3)


# --- keypoints ------------------------------------------------------------------------------------


def test_persons_keypoints_are_cocos(tmp_path: Path) -> None:
    path = written(tmp_path, annotations=with_annotation(keypoints=[1, 1, 2] * 17))
    dataset = CocoFormatDataset(path, None)
    assert dataset.keypoints == PERSON_KEYPOINTS
    assert dataset.truth("keypoints").keypoints == PERSON_KEYPOINTS


def test_layout_of_the_category(tmp_path: Path) -> None:
    category = {"id": 1, "name": "x", "keypoints": ["left_ear", "right_ear", "tail"]}
    path = written(
        tmp_path,
        annotations=with_annotation(keypoints=[1, 1, 2] * 3),
        categories=[{**category, "skeleton": [[1, 3], [2, 3]]}],
    )
    layout = CocoFormatDataset(path, None, sigmas=(0.1, 0.1, 0.2)).keypoints
    assert layout == KeypointLayout(
        names=("left_ear", "right_ear", "tail"),
        sigmas=(0.1, 0.1, 0.2),
        flip_pairs=((0, 1),),
        skeleton=((0, 2), (1, 2)),
    )


def test_given_layout(tmp_path: Path) -> None:
    layout = KeypointLayout(("a",), (0.5,))
    path = written(tmp_path, annotations=with_annotation(keypoints=[1, 1, 2]))
    assert CocoFormatDataset(path, None, keypoints=layout).truth("keypoints").keypoints == layout


def test_sigmas_are_not_known(tmp_path: Path) -> None:
    path = written(tmp_path, annotations=with_annotation(keypoints=[1, 1, 2]))
    dataset = CocoFormatDataset(path, None)
    assert dataset.keypoints is None
    assert dataset.truth("bbox").instances.num_rows == 1
    with pytest.raises(InputError, match=r"carry 1 keypoints, .* Give them with .*'sigmas'"):
        dataset.truth("keypoints")


def test_numbers_that_do_not_agree(tmp_path: Path) -> None:
    annotations = with_annotation(keypoints=[1, 1, 2])
    path = written(tmp_path, annotations=annotations)
    with pytest.raises(InputError, match="carry 1 keypoints, but 2 sigmas are given"):
        CocoFormatDataset(path, None, sigmas=(0.1, 0.1)).truth("keypoints")
    categories = [{"id": 1, "name": "x", "keypoints": ["a", "b"]}]
    path = written(tmp_path, annotations=annotations, categories=categories)
    with pytest.raises(InputError, match=r"categories\[0\] \(id 1\): lists 2 keypoints.*carry 1"):
        CocoFormatDataset(path, None).truth("keypoints")
    categories = [{"id": 1, "name": "x", "keypoints": ["a"], "skeleton": [["a", "b"]]}]
    path = written(tmp_path, annotations=annotations, categories=categories)
    with pytest.raises(InputError, match=r"categories\[0\] \(id 1\): the field 'skeleton'"):
        CocoFormatDataset(path, None).truth("keypoints")
    layout = KeypointLayout(("a", "b"), (0.1, 0.1))
    path = written(tmp_path, annotations=annotations)
    with pytest.raises(InputError, match=r"annotations\[0\] \(id 1\): .* 3 numbers, not 6"):
        CocoFormatDataset(path, None, keypoints=layout).truth("keypoints")


# --- images ---------------------------------------------------------------------------------------


def test_pixels(tmp_path: Path) -> None:
    dataset = CocoFormatDataset(written(tmp_path), pictures(tmp_path))
    two, nine = (dataset.load(record) for record in dataset.images())
    assert nine.pixels.shape == (4, 6, 3)
    assert nine.pixels.dtype == np.uint8
    assert (nine.pixels == [10, 20, 30]).all()
    assert (two.pixels == 7).all()
    assert two.record.id == 2


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    stored = np.zeros((6, 4, 3), np.uint8)
    stored[0, 0] = 255
    exif = PillowImage.Exif()
    exif[ORIENTATION] = 6
    PillowImage.fromarray(stored).save(images / "nine.png", exif=exif)
    dataset = CocoFormatDataset(written(tmp_path), images)
    pixels = dataset.load(dataset.images()[1]).pixels
    # Orientation 6: the stored top-left corner is the top-right one.
    assert pixels.shape == (4, 6, 3)
    assert (pixels[0, -1] == 255).all()


def test_a_link_to_the_folder(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(pictures(tmp_path), target_is_directory=True)
    dataset = CocoFormatDataset(written(tmp_path), link)
    assert dataset.load(dataset.images()[0]).width == 3


def test_no_folder_given(tmp_path: Path) -> None:
    dataset = CocoFormatDataset(written(tmp_path), None)
    with pytest.raises(UsageError, match=r"no image folder was given.*--images"):
        dataset.load(dataset.images()[0])


def test_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"image folder .*nowhere is not there"):
        CocoFormatDataset(written(tmp_path), tmp_path / "nowhere")


def test_folder_without_any_of_the_images(tmp_path: Path) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    with pytest.raises(InputError, match=r"none of its 2 images is in .*others .*two\.png"):
        CocoFormatDataset(written(tmp_path), folder)


def test_image_is_missing(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    (images / "nine.png").unlink()
    dataset = CocoFormatDataset(written(tmp_path), images)
    with pytest.raises(InputError, match=r"nine\.png, image id 9: the image is not there"):
        dataset.load(dataset.images()[1])


@pytest.mark.parametrize("keep", [0, 8, 40, -30])
def test_image_is_damaged(tmp_path: Path, keep: int) -> None:
    images = pictures(tmp_path)
    path = images / "nine.png"
    path.write_bytes(path.read_bytes()[:keep])
    dataset = CocoFormatDataset(written(tmp_path), images)
    with pytest.raises(InputError, match=r"nine\.png, image id 9: the image cannot be read"):
        dataset.load(dataset.images()[1])


def test_image_of_another_size(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    PillowImage.new("RGB", (4, 6)).save(images / "nine.png")
    dataset = CocoFormatDataset(written(tmp_path), images)
    with pytest.raises(InputError, match=r"is 4 x 6 pixels, but .* says 6 x 4"):
        dataset.load(dataset.images()[1])


@pytest.mark.parametrize(
    "name", ["../nine.png", "sub/../../x", "/etc/passwd", "C:\\x.png", "..\\x", "a\0b", ""]
)
def test_names_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    images = [{"id": 9, "file_name": name, "width": 6, "height": 4}]
    path = written(tmp_path, images=images)
    assert CocoFormatDataset(path, None).truth("bbox").images.num_rows == 1
    with pytest.raises(InputError, match=r"annotations\.json, image id 9: .*file_name"):
        CocoFormatDataset(path, pictures(tmp_path))


# --- files that cannot be read --------------------------------------------------------------------


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"annotation file .*none\.json is not there"):
        CocoFormatDataset(tmp_path / "none.json", None)


@pytest.mark.parametrize("field", ["images", "annotations", "categories"])
def test_missing_list(tmp_path: Path, field: str) -> None:
    fields = content()
    del fields[field]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=rf"annotations\.json: the field '{field}' is missing"):
        CocoFormatDataset(path, None)


def test_record_is_named_with_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, annotations=with_annotation(id=17, category_id=5))
    with pytest.raises(InputError, match=r"annotations\.json, annotations\[0\] \(id 17\): "):
        CocoFormatDataset(path, None)
