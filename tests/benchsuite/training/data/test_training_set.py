"""Training sets: truth as Detectron2's loader hands it to a model."""

from __future__ import annotations

import json
import pickle

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as pycocotools_mask

from benchsuite.errors import InputError, UsageError
from benchsuite.records import RLE
from benchsuite.resolve import open_dataset
from benchsuite.specs import Category
from benchsuite.training.data.joined_sets import JoinedSets
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.options import DataOptions

CATS = (Category(7, "cat"), Category(3, "dog"))
SQUARE = [10.5, 10, 20, 10, 20, 20, 10.5, 20]
FEW = DataOptions(min_keypoints_per_image=1)
LENIENT = DataOptions(drop_invalid=True)


def annotation(number, image, **fields):
    record = {
        "id": number,
        "image_id": image,
        "category_id": 3,
        "bbox": [10.5, 10, 9.5, 10],
        "area": 95,
        "iscrowd": 0,
        "segmentation": [SQUARE],
    }
    return record | fields


def write(folder, annotations, images=3, categories=None):
    """A COCO file of images of 40 x 30 pixels with ids 10, 20, …, in its folder with them."""
    (folder / "images").mkdir(exist_ok=True)
    records = []
    for number in range(1, images + 1):
        name = f"{number}.png"
        pixels = np.full((30, 40, 3), number, np.uint8)
        PIL.Image.fromarray(pixels).save(folder / "images" / name)
        records.append({"id": 10 * number, "file_name": name, "width": 40, "height": 30})
    listed = categories or [{"id": 3, "name": "dog"}, {"id": 7, "name": "cat"}]
    content = {"images": records, "annotations": annotations, "categories": listed}
    (folder / "truth.json").write_text(json.dumps(content))
    return open_dataset(str(folder / "truth.json"), images=folder / "images")


def test_an_example_is_an_image_and_its_truth(tmp_path):
    opened = write(
        tmp_path,
        [
            annotation(1, 20, category_id=7, bbox=[0.1, 0.2, 0.7, 0.1]),
            annotation(2, 10),
            annotation(3, 20, segmentation=[SQUARE, [1, 1, 3, 1, 3, 3]]),
        ],
    )
    examples = TrainingSet(opened, CATS, tasks=("bbox", "segm"))
    assert examples.image_ids.tolist() == [10, 20]
    assert examples.dropped == {"images without anything to learn": 1}
    example = examples.example(1)
    assert example.image.record.id == 20 and (example.image.pixels == 2).all()
    target = example.target
    assert target.labels.tolist() == [0, 1]
    # In single precision 0.1 + 0.7 and 0.2 + 0.1 are not what they are in double.
    corner = np.float32(0.1) + np.float32(0.7), np.float32(0.2) + np.float32(0.1)
    assert target.boxes[0].tolist() == [np.float32(0.1), np.float32(0.2), *corner]
    assert len(target.masks[0]) == 1 and len(target.masks[1]) == 2
    assert target.masks[1][0].tolist() == np.reshape(SQUARE, (-1, 2)).tolist()
    assert target.masks[1][1].tolist() == [[1, 1], [3, 1], [3, 3]]
    assert target.keypoints is None and target.semantic is None


def test_boxes_alone_bring_no_masks(tmp_path):
    opened = write(tmp_path, [annotation(1, 10, segmentation=None)])
    assert TrainingSet(opened, CATS, tasks=("bbox",)).example(0).target.masks is None
    with pytest.raises(UsageError, match="no truth for segm; it has truth for bbox"):
        TrainingSet(opened, CATS, tasks=("bbox", "segm"))


def test_crowds_and_strange_categories_are_no_instances(tmp_path):
    counts = pycocotools_mask.encode(np.ones((30, 40), np.uint8, order="F"))["counts"].decode()
    crowd = {"size": [30, 40], "counts": counts}
    opened = write(
        tmp_path,
        [
            annotation(1, 10, iscrowd=1, segmentation=crowd),
            annotation(2, 10),
            annotation(3, 30, iscrowd=1, segmentation=crowd),
            annotation(4, 20, category_id=7),
        ],
    )
    examples = TrainingSet(opened, [Category(1, "Dog ")], tasks=("bbox", "segm"))
    assert examples.dropped == {
        "crowds": 2,
        "instances of categories that the model has not": 1,
        "images without anything to learn": 2,
    }
    assert examples.image_ids.tolist() == [10]
    assert examples.example(0).target.labels.tolist() == [0]
    keep = DataOptions(filter_empty=False)
    kept = TrainingSet(opened, [Category(1, "Dog ")], tasks=("bbox", "segm"), options=keep)
    assert kept.image_ids.tolist() == [10, 20, 30]
    assert len(kept.example(2).target) == 0


def test_rle_stays_rle_whatever_order_it_comes_in(tmp_path):
    bitmap = np.zeros((30, 40), np.uint8, order="F")
    bitmap[3:9, 4:20] = 1
    encoded = pycocotools_mask.encode(bitmap)["counts"]
    rle = {"size": [30, 40], "counts": encoded.decode()}
    opened = write(tmp_path, [annotation(1, 20, segmentation=rle), annotation(2, 10)])
    examples = TrainingSet(opened, CATS, tasks=("bbox", "segm"))
    assert examples.example(1).target.masks == (RLE((30, 40), encoded),)
    assert isinstance(examples.example(0).target.masks[0], tuple)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"bbox": [1, 1, 0, 5]}, "boxes without area"),
        ({"bbox": [1, 1, 5, 9e-6]}, "boxes without area"),
        ({"segmentation": [[50, 1, 60, 1, 60, 9]]}, "masks outside of their image"),
        ({"segmentation": [[1, -9, 9, -9, 9, 0]]}, "masks outside of their image"),
        ({"segmentation": [[1, 1, 2, 2]]}, "instances without mask"),
        ({"segmentation": None}, "instances without mask"),
        ({"segmentation": {"size": [30, 40], "counts": [1200]}}, "masks without a pixel"),
    ],
)
def test_what_cannot_be_learnt_is_named_and_left_out_when_asked_to(tmp_path, wrong, kind):
    opened = write(tmp_path, [annotation(1, 10), annotation(17, 20, **wrong), annotation(4, 20)])
    with pytest.raises(InputError, match=rf"1 {kind} \(annotation id 17\).*drop_invalid=true"):
        TrainingSet(opened, CATS, tasks=("bbox", "segm"))
    examples = TrainingSet(opened, CATS, tasks=("bbox", "segm"), options=LENIENT)
    assert examples.dropped == {kind: 1, "images without anything to learn": 1}
    assert len(examples.example(1).target) == 1


def test_images_that_are_not_there_are_named(tmp_path):
    opened = write(tmp_path, [annotation(1, 10), annotation(2, 20), annotation(3, 30)])
    (tmp_path / "images" / "2.png").unlink()
    with pytest.raises(InputError, match=r"1 images that are not there \(image id 20\)"):
        TrainingSet(opened, CATS, tasks=("bbox",))
    examples = TrainingSet(opened, CATS, tasks=("bbox",), options=LENIENT)
    assert examples.image_ids.tolist() == [10, 30]
    assert examples.dropped == {"images that are not there": 1}
    assert (examples.example(1).image.pixels == 3).all()


def test_another_number_of_keypoints_names_the_annotation(tmp_path):
    categories = [{"id": 3, "name": "dog", "keypoints": ["a", "b"], "skeleton": []}]
    fields = [{"keypoints": [4, 5, 2] * count, "num_keypoints": count} for count in (2, 3)]
    write(
        tmp_path,
        [annotation(1, 10, **fields[0]), annotation(17, 20, **fields[1])],
        categories=categories,
    )
    opened = open_dataset(
        str(tmp_path / "truth.json"),
        images=tmp_path / "images",
        overrides={"sigmas": [0.1, 0.1]},
    )
    with pytest.raises(InputError, match=r"\(id 17\): the field 'keypoints' has 9 numbers, not 6"):
        TrainingSet(opened, [Category(3, "dog")], tasks=("bbox", "keypoints"))


def test_categories_of_one_name_clash(tmp_path):
    categories = [{"id": 3, "name": "dog"}, {"id": 7, "name": "dog"}]
    opened = write(tmp_path, [annotation(1, 10)], categories=categories)
    with pytest.raises(InputError, match=r"2 categories of the same name \(category ids 3, 7\)"):
        TrainingSet(opened, [Category(3, "dog")], tasks=("bbox",))


def test_nothing_to_learn_is_an_error(tmp_path):
    opened = write(tmp_path, [])
    with pytest.raises(InputError, match="holds nothing to learn: of 3 images none is left"):
        TrainingSet(opened, CATS, tasks=("bbox",))
    opened = write(tmp_path, [annotation(1, 10, iscrowd=1)])
    with pytest.raises(InputError, match=r"none is left \(1 crowds, 3 images without"):
        TrainingSet(opened, CATS, tasks=("bbox",))
    with pytest.raises(InputError, match="no category name in common"):
        TrainingSet(opened, [Category(1, "horse")], tasks=("bbox",))


def test_keypoints_are_pixel_centres(tmp_path):
    categories = [{"id": 3, "name": "dog", "keypoints": ["a", "b"], "skeleton": []}]
    posed = {"keypoints": [4, 5, 2, 0, 0, 0], "num_keypoints": 1}
    unposed = {"keypoints": [0] * 6, "num_keypoints": 0}
    write(
        tmp_path,
        [annotation(1, 10, **posed), annotation(2, 10), annotation(3, 20, **unposed)],
        categories=categories,
    )
    opened = open_dataset(
        str(tmp_path / "truth.json"),
        images=tmp_path / "images",
        overrides={"sigmas": [0.1, 0.1]},
    )
    tasks = ("bbox", "keypoints")
    examples = TrainingSet(opened, [Category(3, "dog")], tasks=tasks, options=FEW)
    assert examples.dropped == {
        "images without anything to learn": 1,
        "images with too few labelled keypoints": 1,
    }
    keypoints = examples.example(0).target.keypoints
    assert keypoints.tolist() == [[[4.5, 5.5, 2], [0.5, 0.5, 0]], [[0, 0, 0], [0, 0, 0]]]
    assert len(TrainingSet(opened, [Category(3, "dog")], tasks=tasks)) == 2


def test_proposals_tell_no_categories_apart(tmp_path):
    opened = write(tmp_path, [annotation(1, 10), annotation(2, 10, category_id=7)])
    examples = TrainingSet(opened, [Category(1, "anything")], tasks=("proposals",))
    assert examples.example(0).target.labels.tolist() == [0, 0]


def test_given_proposals_go_along(tmp_path):
    opened = write(tmp_path, [annotation(1, 10)])
    boxes = {10: np.array([[0, 0, 5, 5]], np.float32)}
    examples = TrainingSet(opened, CATS, tasks=("bbox",), proposals=lambda record: boxes[record.id])
    assert examples.example(0).target.proposals.tolist() == [[0, 0, 5, 5]]


def test_labels_by_image(tmp_path):
    opened = write(
        tmp_path,
        [annotation(1, 20), annotation(2, 10, category_id=7), annotation(3, 20), annotation(4, 10)],
    )
    images, labels = TrainingSet(opened, CATS, tasks=("bbox",)).image_labels()
    assert list(zip(images.tolist(), labels.tolist())) == [(0, 0), (0, 1), (1, 1)]


def test_several_sets_as_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = TrainingSet(write(tmp_path / "a", [annotation(1, 10)]), CATS, tasks=("bbox",))
    second = TrainingSet(
        write(tmp_path / "b", [annotation(1, 20, category_id=7), annotation(2, 30)]),
        CATS,
        tasks=("bbox",),
    )
    joined = JoinedSets([first, second])
    assert len(joined) == 3 and joined.widths.tolist() == [40, 40, 40]
    assert [joined.record(index).id for index in range(3)] == [10, 20, 30]
    assert joined.example(1).target.labels.tolist() == [0]
    assert joined.siblings(0) == range(1) and joined.siblings(2) == range(1, 3)
    images, labels = joined.image_labels()
    assert list(zip(images.tolist(), labels.tolist())) == [(0, 1), (1, 0), (2, 1)]


def test_pickled_it_has_no_annotations_but_in_arrays(tmp_path):
    def size_of(count):
        many = [annotation(number, 10 + 10 * (number % 3)) for number in range(1, count)]
        examples = TrainingSet(write(tmp_path, many), CATS, tasks=("bbox", "segm"))
        return len(pickle.dumps(examples, protocol=5, buffer_callback=lambda _: None))

    assert size_of(2000) == pytest.approx(size_of(20), abs=50)


# --- shapes -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Opens ``shapes`` for some tasks, from a cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHSUITE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield lambda *tasks: open_dataset("shapes/train", tasks=tasks, overrides={"count": 6})


def panoptic_labels(opened, index, label_of):
    """(H, W) labels of an image by its panoptic map, as PIL reads it."""
    row = opened.dataset.truth("panoptic").images.slice(index, 1).to_pylist()[0]
    colours = np.asarray(PIL.Image.open(row["panoptic_path"]).convert("RGB"), np.int64)
    numbers = colours @ [1, 256, 65536]
    labels = np.full(numbers.shape, -1)
    for segment in row["segments"]:
        labels[numbers == segment["id"]] = label_of(segment)
    return labels


@pytest.mark.parametrize("tasks", [("semantic",), ("bbox", "segm", "semantic", "panoptic")])
def test_things_keep_their_category_in_semantic_maps(shapes, tasks):
    opened = shapes(*tasks)
    categories = opened.dataset.categories
    place = {category.id: label for label, category in enumerate(categories)}
    examples = TrainingSet(opened, categories, tasks=tasks)
    for index in range(len(examples)):
        expected = panoptic_labels(opened, index, lambda segment: place[segment["category_id"]])
        found = examples.example(index).target.semantic
        assert found.dtype == np.int64 and (found == expected).all()
    assert {len(examples.example(0).target) > 0} == {"segm" in tasks}


def test_all_things_are_one_category_for_a_model_that_has_only_one(shapes):
    opened = shapes("bbox", "segm", "semantic", "panoptic")
    stuff = [category for category in opened.dataset.categories if not category.isthing]
    model = (*reversed(stuff), Category(0, "things", isthing=False))
    place = {category.id: label for label, category in enumerate(model)}
    examples = TrainingSet(opened, model, tasks=("semantic",))
    expected = panoptic_labels(opened, 0, lambda segment: place.get(segment["category_id"], 6))
    assert (examples.example(0).target.semantic == expected).all()


def test_masks_of_shapes_are_those_of_its_truth(shapes):
    opened = shapes("bbox", "segm")
    examples = TrainingSet(opened, opened.dataset.categories, tasks=("bbox", "segm"))
    truth = opened.dataset.truth("segm").instances.to_pylist()
    image = int(examples.image_ids[2])
    expected = [
        RLE(tuple(row["segmentation"]["size"]), row["segmentation"]["counts"])
        for row in truth
        if row["image_id"] == image and not row["iscrowd"]
    ]
    assert list(examples.example(2).target.masks) == expected
