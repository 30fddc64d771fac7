"""What ``benchsuite data show`` draws, and which images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from benchsuite.cli.main import main
from benchsuite.errors import UsageError
from benchsuite.training.order.draws import Share
from benchsuite.training.preview import (
    PreviewRequest,
    draw_preview,
    open_preview,
    read_augmentation,
)

Arguments = tuple[str, Path]


@pytest.fixture
def dataset(tmp_path: Path) -> Arguments:
    """An annotation file of five images with a box and a mask each, and the images' folder."""
    folder = tmp_path / "images"
    folder.mkdir()
    images, annotations = [], []
    for number in range(1, 6):
        pixels = np.full((60, 80, 3), 20 * number, np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 80, "height": 60})
        outline = [10, 10, 40, 10, 40, 30, 10, 30]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 3, "bbox": [10, 10, 30, 20],
             "area": 600, "iscrowd": 0, "segmentation": [outline]}
        )  # fmt: skip
    file = tmp_path / "labels.json"
    categories = [{"id": 3, "name": "thing"}]
    truth = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(truth))
    return str(file), folder


@pytest.fixture
def request_for(dataset: Arguments, tmp_path: Path) -> Callable[..., PreviewRequest]:
    name, images = dataset

    def make(out: str = "sheet.png", **options: object) -> PreviewRequest:
        return PreviewRequest(name, tmp_path / out, images=images, **options)

    return make


def test_a_folder_has_a_picture_of_each_image(
    request_for: Callable[..., PreviewRequest], tmp_path: Path
) -> None:
    drawn = draw_preview(request_for("out", count=5))
    assert sorted(drawn["image_ids"]) == [1, 2, 3, 4, 5]
    names = [f"{i:05}_{id_}.png" for i, id_ in enumerate(drawn["image_ids"])]
    assert [Path(file).name for file in drawn["files"]] == names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)


def test_each_image_stands_beside_what_becomes_of_it(
    request_for: Callable[..., PreviewRequest],
) -> None:
    preview = open_preview(request_for(augment=["ResizeShortestEdge min_size=30"]))
    assert preview.augmentation is not None
    for _, ((before, _), (after, caption)) in preview.rows(2):
        assert before.size == (80, 60) and after.size == (40, 30)
        assert caption == "as the model sees it, 40 x 30"
    assert len(next(open_preview(request_for()).rows(1))[1]) == 1


def test_a_sheet_holds_all(request_for: Callable[..., PreviewRequest]) -> None:
    (file,) = draw_preview(request_for("one/sheet.webp", count=3))["files"]
    with PIL.Image.open(file) as sheet:
        # Pictures 60 high are shown 7 times as large.
        assert sheet.size[1] > 3 * 7 * 60 and sheet.size[0] < 2 * 7 * 80


def test_the_seed_says_which_images_and_how(request_for: Callable[..., PreviewRequest]) -> None:
    def drawn(seed: int) -> tuple[list[str], list[bytes]]:
        augment = ["RandomRotation degrees=40"]
        rows = list(open_preview(request_for(augment=augment, seed=seed)).rows(5))
        return [name for name, _ in rows], [row[1][0].tobytes() for _, row in rows]

    assert drawn(1) == drawn(1)
    assert drawn(1)[0] != drawn(2)[0]
    assert drawn(1)[1] != drawn(2)[1]


def test_with_a_recipe_they_are_the_first_of_its_training(
    request_for: Callable[..., PreviewRequest],
) -> None:
    from benchsuite.training.loading.micro_batch import MicroBatchMaker
    from benchsuite.training.order.sampling import build_stream
    from benchsuite.training.plan import plan_training
    from benchsuite.training.request import TrainingRequest

    request = request_for(recipe="mask_rcnn_R_50_FPN_1x", seed=4)
    plan = plan_training(
        TrainingRequest(
            "mask_rcnn_R_50_FPN_1x", dataset=request.name, images=request.images, seed=4
        )
    )
    stream = build_stream(
        plan.examples,
        plan.options.sampler,
        images_per_micro_batch=plan.images_per_micro_batch,
        images_per_batch=plan.options.images_per_batch,
        seed=4,
    )
    share = Share(plan.images_per_micro_batch)
    trained = MicroBatchMaker(plan.examples[0], plan.augmentation)(share.draws(stream, 4, 0, 0))
    preview = open_preview(request)
    for place, (name, row) in enumerate(preview.rows(3)):
        assert name.partition("_")[2] == str(trained.image_ids[place])
        image = trained.images[place]
        assert row[1][0].size == (image.width, image.height)
        # Away from box, mask and label.
        np.testing.assert_array_equal(np.asarray(row[1][0])[-1, -1], image.pixels[-1, -1])


def test_another_augmentation_replaces_the_recipes(
    request_for: Callable[..., PreviewRequest],
) -> None:
    request = request_for(recipe="mask_rcnn_R_50_FPN_1x", augment=["CenterCrop size=20"])
    (_, row), *_ = open_preview(request).rows(1)
    assert row[1][0].size == (20, 20)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("RandomFlip", {"type": "RandomFlip"}),
        ("RandomFlip prob=1 direction=vertical",
         {"type": "RandomFlip", "prob": 1, "direction": "vertical"}),
        ("ResizeShortestEdge min_size=[640,800]",
         {"type": "ResizeShortestEdge", "min_size": [640, 800]}),
        ('{"type": "Mosaic", "prob": 0.5}', {"type": "Mosaic", "prob": 0.5}),
    ],
)  # fmt: skip
def test_an_augmentation_is_read(text: str, table: dict[str, object]) -> None:
    assert read_augmentation(text) == table


@pytest.mark.parametrize("text", ["", "prob=1", "RandomFlip 0.5", "{type}"])
def test_an_augmentation_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="--augment"):
        read_augmentation(text)


def test_the_command(
    dataset: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, images = dataset
    out = tmp_path / "seen.png"
    arguments = ["data", "show", name, "--images", str(images), "--count", "2", "--out", str(out)]
    assert main([*arguments, "--augment", "RandomFlip prob=1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == [str(out)] and len(found["image_ids"]) == 2
    assert out.is_file()
    assert main([*arguments, "--augment", "RandomFlp"]) == 2
    assert "did you mean RandomFlip" in capsys.readouterr().err
    assert main([*arguments, "training.seed=3"]) == 2
    assert "without a recipe" in capsys.readouterr().err
    assert main([*arguments, "--task", "keypoints"]) == 2
    assert "unknown task of labels" in capsys.readouterr().err
    recipe = "mask_rcnn_R_50_FPN_1x"
    assert main([*arguments, recipe, "training.seed=3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 3
    assert main([*arguments, recipe, "--task", "bbox"]) == 2
