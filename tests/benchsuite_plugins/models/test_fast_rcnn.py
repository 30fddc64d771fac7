"""Fast R-CNN: what it looks at is what it was given."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchsuite.errors import ContractError, DataMissingError, InputError, UsageError
from benchsuite.protocols import ModelRequest, StagedModel, TrainableModel
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import Category
from benchsuite.targets import Target
from benchsuite_plugins.models.fast_rcnn import FastRCNNOptions, build, create
from benchsuite_plugins.models.given_proposals import (
    GivenProposalsOptions,
    GivenProposalsTrainingOptions,
    collate_proposals,
)
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    ResNetOptions,
    ROIHeadsOptions,
)

MakeImage = Callable[[int, int], Image]

NARROW = FastRCNNOptions(
    input=InputOptions(min_size_test=96, max_size_test=160),
    resnet=ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8),
    fpn=FPNOptions(out_channels=16),
    box_head=BoxHeadOptions(fc_dim=32),
)
CLASSES = tuple(Category(index, str(index)) for index in range(5))
SIZES = [(1, 1), (33, 47), (1200, 90), (60, 80)]


def boxes_in(height: int, width: int, count: int = 40) -> np.ndarray[Any, Any]:
    """Boxes spread over an image, some of them reaching beyond it."""
    random = np.random.default_rng(height + width)
    corners = random.uniform(-0.1, 1.1, (count, 2, 2)) * (width, height)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)


def write(path: Path, images: Mapping[Any, np.ndarray[Any, Any]]) -> Path:
    """A file of proposals, each image's best first."""
    arrays: dict[str, Any] = {}
    for name, boxes in images.items():
        arrays[f"{name}/boxes"] = boxes
        arrays[f"{name}/objectness_logits"] = -np.arange(len(boxes), dtype=np.float32)
    np.savez(path, **arrays)
    return path


def model_on(file: Path, options: FastRCNNOptions = NARROW, **changes: Any) -> Any:
    """Initial weights spread so far that boxes and classes differ."""
    proposals = GivenProposalsOptions(str(file), **changes)
    options = replace(options, proposals=proposals)
    model = create(ModelRequest(options=options, categories=CLASSES, seed=3))
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith("conv3.norm.weight"):
                buffer.fill_(0.3)
            elif name.endswith("stem.conv1.norm.weight"):
                buffer.fill_(0.02)
        predictor = model.roi_heads.box_predictor
        predictor.cls_score.weight.mul_(60)
        predictor.bbox_pred.weight.mul_(300)
    return model


@pytest.fixture
def images(make_image: MakeImage) -> list[Image]:
    made = [make_image(*size) for size in SIZES]
    return [
        Image(ImageRecord(100 + index, f"{index}.png", image.width, image.height), image.pixels)
        for index, image in enumerate(made)
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(
        tmp_path / "proposals.npz",
        {100 + index: boxes_in(*size) for index, size in enumerate(SIZES)},
    )


def test_names_and_shapes_are_the_published_ones(
    published_state_dict: Callable[[str], tuple[dict[str, list[int]], set[str]]],
) -> None:
    shapes, parameters = published_state_dict("COCO-Detection/fast_rcnn_R_50_FPN_1x.yaml")
    with torch.device("meta"):
        model = build(FastRCNNOptions(), 80)
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == shapes
    assert {name for name, _ in model.named_parameters()} == parameters


def test_it_is_what_the_host_asks_for(file: Path) -> None:
    model = model_on(file)
    assert isinstance(model, StagedModel) and isinstance(model, TrainableModel)
    assert model.describe()["proposals"]["images"] == len(SIZES)


def test_images_of_any_size_alone_and_in_a_batch(file: Path, images: list[Image]) -> None:
    model = model_on(file)
    together = model.predict(images)
    for image, prediction in zip(images, together, strict=True):
        for each in (prediction, *model.predict([image])):
            assert len(each) > 0
            assert (each.boxes >= 0).all()
            assert (each.boxes[:, 2:] <= (image.width, image.height)).all()
            assert (each.boxes[:, 2:] > each.boxes[:, :2]).all()


def test_a_batch_equals_one_at_a_time_where_the_padding_is_the_same(
    make_image: MakeImage, tmp_path: Path
) -> None:
    sizes = [(60, 80), (120, 160)]
    file = write(tmp_path / "p.npz", {i: boxes_in(*size) for i, size in enumerate(sizes)})
    made = [
        replace(make_image(*size), record=ImageRecord(i, "", 1, 1)) for i, size in enumerate(sizes)
    ]
    model = model_on(file)
    for together, image in zip(model.predict(made), made, strict=True):
        (alone,) = model.predict([image])
        assert len(together) == len(alone) > 0
        np.testing.assert_allclose(np.sort(together.scores), np.sort(alone.scores), atol=1e-4)


def test_boxes_that_nothing_moves_are_the_proposals(tmp_path: Path, images: list[Image]) -> None:
    inside = np.array([[5, 6, 40, 50], [20.5, 10.25, 70, 30]], np.float32)
    model = model_on(write(tmp_path / "p.npz", {"3.png": inside}))
    with torch.no_grad():
        model.roi_heads.box_predictor.bbox_pred.weight.zero_()
    (prediction,) = model.predict([images[3]])
    assert len(prediction) > 0
    nearest = np.abs(prediction.boxes[:, None] - inside).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-3


def test_no_proposals_and_no_detections_are_ordinary_outcomes(
    tmp_path: Path, images: list[Image]
) -> None:
    outside = np.array([[-9, -9, -1, -1], [90, 90, 99, 99], [5, 5, 5, 9]], np.float32)
    nothing = np.zeros((0, 4), np.float32)
    model = model_on(write(tmp_path / "p.npz", {103: outside, 101: nothing, 102: nothing}))
    assert [len(each) for each in model.predict([images[3], images[1], images[2]])] == [0, 0, 0]
    strict = replace(NARROW, roi_heads=ROIHeadsOptions(score_thresh_test=2.0))
    some = write(tmp_path / "some.npz", {103: boxes_in(60, 80)})
    assert len(model_on(some, strict).predict([images[3]])[0]) == 0


def test_the_first_so_many_that_are_not_empty() -> None:
    boxes = [
        np.array([[1, 1, 1, 5], [2, 2, 8, 4], [-4, 1, 30, 3], [0, 0, 1, 1]], np.float32),
        np.zeros((0, 4), np.float32),
        np.array([[np.nan, 0, 1, 1], [0, 0, 3, 1]], np.float32),
    ]
    logits = [np.arange(4, dtype=np.float32), *(np.zeros(n, np.float32) for n in (0, 2))]
    scales, sizes = torch.tensor([[2.0, 3.0]] * 3), torch.tensor([[10.0, 20.0]] * 3)
    proposals = collate_proposals(boxes, logits, scales, sizes, limit=2)
    # x is multiplied by 3, y by 2; the image is 20 wide and 10 high.
    assert proposals.boxes.tolist() == [[6, 4, 20, 8], [0, 2, 20, 6], [0, 0, 9, 2]]
    assert proposals.logits.tolist() == [1, 2, 0]
    assert proposals.image_index.tolist() == [0, 0, 2]


def test_topk_holds_for_prediction(file: Path, images: list[Image]) -> None:
    batch = model_on(file, topk_test=7).preprocess(images)
    assert batch.proposals.image_index.bincount().tolist() == [7] * len(SIZES)


def test_half_precision(file: Path, images: list[Image]) -> None:
    model = model_on(file)
    (full,) = model.predict(images[3:])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (half,) = model.predict(images[3:])
    assert half.scores[0] == pytest.approx(full.scores[0], rel=0.1, abs=0.05)


class TestTraining:
    TARGETS = (
        Target([[20, 10, 60, 40]], [2], proposals=boxes_in(64, 96)),
        Target(proposals=boxes_in(50, 70)),
    )

    def losses(self, make_image: MakeImage, targets: Any, **training: Any) -> Any:
        options = GivenProposalsOptions(training=GivenProposalsTrainingOptions(**training))
        options = replace(NARROW, proposals=options)
        model = create(ModelRequest(options=options, categories=CLASSES)).train()
        return model, model.losses([make_image(64, 96), make_image(50, 70)], targets)

    def test_every_parameter_that_trains_learns(self, make_image: MakeImage) -> None:
        model, losses = self.losses(make_image, self.TARGETS)
        assert set(losses) == {"loss_cls", "loss_box_reg"}
        sum(losses.values()).backward()
        for name, parameter in model.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, name

    def test_topk_holds_for_training(self, make_image: MakeImage) -> None:
        few = [replace(target, proposals=target.proposals[:3]) for target in self.TARGETS]
        _, expected = self.losses(make_image, few)
        _, limited = self.losses(make_image, self.TARGETS, topk=3)
        assert {k: v.item() for k, v in limited.items()} == {
            k: v.item() for k, v in expected.items()
        }

    def test_targets_without_proposals(self, make_image: MakeImage) -> None:
        with pytest.raises(ContractError, match="target 1 of the batch has none"):
            self.losses(make_image, [self.TARGETS[0], Target()])


class TestFile:
    def pickled(self, path: Path, content: Any, protocol: int = 2) -> Path:
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    def content(self) -> dict[str, Any]:
        boxes = boxes_in(60, 80)
        return {
            "ids": [7, 103],
            "boxes": [boxes[:2], boxes],
            "objectness_logits": [
                np.zeros(2, np.float32),
                np.arange(len(boxes), dtype=np.float32),
            ],
            "bbox_mode": 0,
        }

    @pytest.mark.parametrize("protocol", [2, 4])
    def test_the_pickle_form_has_them_in_any_order(
        self, tmp_path: Path, images: list[Image], protocol: int
    ) -> None:
        pickled = model_on(self.pickled(tmp_path / "p.pkl", self.content(), protocol))
        plain = model_on(write(tmp_path / "p.npz", {103: boxes_in(60, 80)[::-1]}))
        ours, expected = (each.preprocess(images[3:]).proposals for each in (pickled, plain))
        assert len(ours.boxes) > 10
        assert torch.equal(ours.boxes, expected.boxes)

    @pytest.mark.parametrize(
        "change",
        [
            lambda content: content | {"ids": np.array(content["ids"])},
            lambda content: content | {"ids": [np.int64(7), np.int64(103)]},
            lambda content: content | {"ids": ["0.png", "3.png"]},
            lambda content: {
                "indexes": content["ids"],
                "boxes": content["boxes"],
                "scores": content["objectness_logits"],
            },
            lambda content: (
                content
                | {
                    "bbox_mode": 1,
                    "boxes": [
                        np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
                        for boxes in content["boxes"]
                    ],
                }
            ),
        ],
        ids=["ids in an array", "NumPy numbers", "file names", "Detectron's", "width and height"],
    )
    def test_other_ways_to_say_the_same(
        self, tmp_path: Path, images: list[Image], change: Callable[[Any], Any]
    ) -> None:
        batches = [
            model_on(self.pickled(tmp_path / f"{name}.pkl", content)).preprocess(images[3:])
            for name, content in (("a", self.content()), ("b", change(self.content())))
        ]
        torch.testing.assert_close(*(batch.proposals.boxes for batch in batches))

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"bbox_mode": 4}, "bbox_mode"),
            ({"ids": [7]}, "1 images, 2 lists"),
            ({"ids": [7, 7]}, "image 7: is there twice"),
            ({"ids": [7, 1.5]}, r"ids\[1\]"),
            ({"ids": None}, "ids: is a NoneType"),
            ({"boxes": [np.zeros((2, 5)), np.zeros((0, 4))]}, r"image 7.*\(2, 5\)"),
            ({"boxes": [3, 4]}, r"boxes\[0\]: is a int"),
        ],
    )
    def test_what_does_not_fit_is_named(
        self, tmp_path: Path, change: dict[str, Any], told: str
    ) -> None:
        path = self.pickled(tmp_path / "p.pkl", self.content() | change)
        with pytest.raises(InputError, match=told) as raised:
            model_on(path)
        assert str(path) in str(raised.value)

    def test_nothing_is_executed(self, tmp_path: Path) -> None:
        path = tmp_path / "p.pkl"
        path.write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
        with pytest.raises(InputError, match=r"os\.system"):
            model_on(path)

    def test_arrays_that_share_their_bytes_are_refused(self, tmp_path: Path) -> None:
        many = [np.zeros((1000, 4), np.float32)] * 100
        content = {
            "ids": list(range(100)),
            "boxes": many,
            "objectness_logits": [np.zeros(1000, np.float32)] * 100,
        }
        with pytest.raises(InputError, match="share their bytes"):
            model_on(self.pickled(tmp_path / "p.pkl", content))

    @pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 cut", b"\x80\x02}q"])
    def test_other_files_are_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "p").write_bytes(content)
        with pytest.raises(InputError, match="p"):
            model_on(tmp_path / "p")

    def test_members_of_another_name(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", boxes=np.zeros((1, 4)))
        with pytest.raises(InputError, match="boxes: is none of"):
            model_on(tmp_path / "a.npz")
        np.savez(tmp_path / "b.npz", **{"7/boxes": np.zeros((1, 4))})
        with pytest.raises(InputError, match="image 7: has no objectness_logits"):
            model_on(tmp_path / "b.npz")

    def test_a_missing_image_is_named(self, file: Path, make_image: MakeImage) -> None:
        image = make_image(40, 50)
        with pytest.raises(InputError, match=r"image 1 \(noise.png\)") as raised:
            model_on(file).predict([image])
        assert str(file) in str(raised.value)

    def test_a_missing_file(self, tmp_path: Path, images: list[Image]) -> None:
        with pytest.raises(DataMissingError, match=r"nowhere\.npz"):
            model_on(tmp_path / "nowhere.npz")
        model = create(ModelRequest(options=NARROW, categories=CLASSES))
        with pytest.raises(UsageError, match=r"model\.proposals\.file"):
            model.predict(images)
