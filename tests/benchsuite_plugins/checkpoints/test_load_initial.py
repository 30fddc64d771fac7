"""Detectors that start from weights for other categories: which entries of heads are whose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from benchsuite.errors import InputError
from benchsuite.options import read_options
from benchsuite.plugins import registry
from benchsuite.protocols import InitialWeights, ModelRequest, StartedModel
from benchsuite.specs import Category, KeypointLayout, load

RESNET = {"stem_out_channels": 4, "res2_out_channels": 8, "width_per_group": 4}
REGIONS = {
    "resnet": RESNET,
    "fpn": {"out_channels": 8},
    "box_head": {"fc_dim": 8},
    "mask_head": {"conv_dim": 8},
}
BOXES = {name: REGIONS[name] for name in ("resnet", "fpn", "box_head")}
DENSE = {"resnet": RESNET, "fpn": {"out_channels": 32}}
SEMANTIC = {"sem_seg_head": {"convs_dim": 32}}
OPTIONS: dict[str, dict[str, Any]] = {
    "mask_rcnn": REGIONS,
    "cascade_mask_rcnn": REGIONS,
    "faster_rcnn_c4": {"resnet": RESNET},
    "mask_rcnn_c4": {"resnet": RESNET, "mask_head": {"conv_dim": 8}},
    "fast_rcnn": BOXES,
    "retinanet": DENSE,
    "fcos": DENSE,
    "semantic_fpn": {"resnet": RESNET, "fpn": {"out_channels": 8}, **SEMANTIC},
    "panoptic_fpn": {**REGIONS, **SEMANTIC},
    "cascade_panoptic_fpn": {**REGIONS, **SEMANTIC},
    "torchvision_faster_rcnn": {},
    "keypoint_rcnn": {**BOXES, "keypoint_head": {"conv_dims": [8]}},
}


def categories(*names: str) -> tuple[Category, ...]:
    """Capitals are stuff."""
    return tuple(Category(i + 1, name, not name.isupper()) for i, name in enumerate(names))


def layout(*names: str) -> KeypointLayout:
    return KeypointLayout(names, (0.1,) * len(names))


def create(
    name: str,
    meant: tuple[Category, ...],
    *,
    seed: int = 0,
    initial: InitialWeights | None = None,
    keypoints: KeypointLayout | None = None,
    **options: Any,
) -> Any:
    spec = registry().models[name]
    assert spec.options is not None
    given = read_options(load(spec.options), {**OPTIONS[name], **options}, "model")
    request = ModelRequest(given, meant, seed=seed, initial=initial, keypoints=keypoints)
    return load(spec.factory)(request)


def saved(model: nn.Module, folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """A checkpoint of the model, each value another."""
    torch.manual_seed(7)
    state = {name: torch.rand(value.shape) for name, value in model.state_dict().items()}
    path = folder / "trained.safetensors"
    save_file(state, path)
    return path, state


VALUES = ("weight", "bias")
THEIRS = categories("ant", "bee", "SKY", "cat")
OURS = categories("cat", "SEA", "dog", "Ant ", "SKY")

# Rows of the new model and of the file: ants and cats are in both.
ALL = {0: 3, 3: 0, 4: 2}
THINGS = {0: 2, 2: 0}
SCORES, THING_SCORES = {**ALL, 5: 4}, {**THINGS, 3: 3}


def four(rows: dict[int, int]) -> dict[int, int]:
    return {4 * to + i: 4 * of + i for to, of in rows.items() for i in range(4)}


def anchors(count: int) -> dict[int, int]:
    return {5 * a + to: 4 * a + of for a in range(count) for to, of in ALL.items()}


HEADS: dict[str, dict[str, dict[int, int]]] = {
    "mask_rcnn": {
        "roi_heads.box_predictor.cls_score": SCORES,
        "roi_heads.box_predictor.bbox_pred": four(ALL),
        "roi_heads.mask_head.predictor": ALL,
    },
    "cascade_mask_rcnn": {
        **{f"roi_heads.box_predictor.{stage}.cls_score": SCORES for stage in range(3)},
        "roi_heads.mask_head.predictor": ALL,
    },
    "faster_rcnn_c4": {
        "roi_heads.box_predictor.cls_score": SCORES,
        "roi_heads.box_predictor.bbox_pred": four(ALL),
    },
    "mask_rcnn_c4": {
        "roi_heads.box_predictor.cls_score": SCORES,
        "roi_heads.box_predictor.bbox_pred": four(ALL),
        "roi_heads.mask_head.predictor": ALL,
    },
    "fast_rcnn": {
        "roi_heads.box_predictor.cls_score": SCORES,
        "roi_heads.box_predictor.bbox_pred": four(ALL),
    },
    "retinanet": {"head.cls_score": anchors(9)},
    "fcos": {"head.cls_score": anchors(1)},
    "semantic_fpn": {"sem_seg_head.predictor": ALL},
    "panoptic_fpn": {
        "roi_heads.box_predictor.cls_score": THING_SCORES,
        "roi_heads.box_predictor.bbox_pred": four(THINGS),
        "roi_heads.mask_head.predictor": THINGS,
        # All things, sea and sky here; all things and sky there.
        "sem_seg_head.predictor": {0: 0, 2: 1},
    },
    "cascade_panoptic_fpn": {
        **{f"roi_heads.box_predictor.{stage}.cls_score": THING_SCORES for stage in range(3)},
        "roi_heads.mask_head.predictor": THINGS,
        "sem_seg_head.predictor": {0: 0, 2: 1},
    },
}


@pytest.mark.parametrize("name", HEADS)
def test_heads_keep_what_is_of_the_same_class(name: str, tmp_path: Path) -> None:
    path, file = saved(create(name, THEIRS), tmp_path)
    drawn = create(name, OURS, seed=3).state_dict()
    model = create(name, OURS, seed=3, initial=InitialWeights(path, "trained", THEIRS))
    assert isinstance(model, StartedModel)
    heads = {f"{head}.{kind}": rows for head, rows in HEADS[name].items() for kind in VALUES}
    for value_name, value in model.state_dict().items():
        if value_name not in heads:
            assert torch.equal(value, file[value_name]), value_name
            continue
        expected = drawn[value_name].clone()
        for to, of in heads[value_name].items():
            expected[to] = file[value_name][of]
        assert torch.equal(value, expected), value_name
    count = len(model.state_dict())
    lines = model.started
    assert lines[0] == f"starts from trained: {count} of the model's {count} values"
    assert lines[1].startswith(f"drawn anew for other classes: {next(iter(HEADS[name]))}")
    assert "; kept: " in lines[1]
    assert len(lines) == 2


def test_keypoints_by_name(tmp_path: Path) -> None:
    person = categories("person")
    theirs, ours = layout("nose", "left", "right"), layout("right", "tail", "nose", "left")
    path, file = saved(create("keypoint_rcnn", person, keypoints=theirs), tmp_path)
    initial = InitialWeights(path, "trained", person, theirs)
    model = create("keypoint_rcnn", person, keypoints=ours, initial=initial)
    head = "roi_heads.keypoint_head.score_lowres"
    weight = model.state_dict()[f"{head}.weight"]
    assert torch.equal(weight[:, [0, 2, 3]], file[f"{head}.weight"][:, [2, 0, 1]])
    assert not torch.isin(weight[:, 1], file[f"{head}.weight"]).any()
    assert model.started[1:] == (f"drawn anew for other classes: {head}; kept: right, nose, left",)


def test_torchvisions_own_file(tmp_path: Path) -> None:
    """It has the background first, a box for it, and other names."""
    torch.manual_seed(7)
    published = torchvision.models.detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=1 + len(THEIRS)
    )
    file = {name: torch.rand(value.shape) for name, value in published.state_dict().items()}
    torch.save(file, tmp_path / "fasterrcnn.pth")
    initial = InitialWeights(tmp_path / "fasterrcnn.pth", "fasterrcnn.pth", THEIRS)
    model = create("torchvision_faster_rcnn", OURS, initial=initial).state_dict()
    predictor = "roi_heads.box_predictor"
    scores = model[f"{predictor}.cls_score.weight"]
    for to, of in {5: 0, **{to: 1 + of for to, of in ALL.items()}}.items():
        assert torch.equal(scores[to], file[f"{predictor}.cls_score.weight"][of])
    boxes = model[f"{predictor}.bbox_pred.bias"].reshape(-1, 4)
    theirs = file[f"{predictor}.bbox_pred.bias"].reshape(-1, 4)
    for to, of in ALL.items():
        assert torch.equal(boxes[to], theirs[1 + of])
    assert torch.equal(
        model["backbone.bottom_up.res3.1.conv2.weight"],
        file["backbone.body.layer2.1.conv2.weight"],
    )


def test_nothing_is_known_of_the_file(tmp_path: Path) -> None:
    path, file = saved(create("mask_rcnn", THEIRS), tmp_path)
    unknown = InitialWeights(path, "trained")
    same = create("mask_rcnn", categories("w", "x", "y", "z"), initial=unknown)
    assert all(torch.equal(value, file[name]) for name, value in same.state_dict().items())
    assert len(same.started) == 1
    other = create("mask_rcnn", OURS, seed=3, initial=unknown)
    drawn = create("mask_rcnn", OURS, seed=3).state_dict()
    for head in HEADS["mask_rcnn"]:
        name = f"{head}.weight"
        assert torch.equal(other.state_dict()[name], drawn[name])
    assert other.started[1] == f"drawn anew for other classes: {', '.join(HEADS['mask_rcnn'])}"


def test_no_class_in_common_leaves_no_background(tmp_path: Path) -> None:
    path, _ = saved(create("mask_rcnn", THEIRS), tmp_path)
    ours = categories("x", "y", "z", "w")
    model = create("mask_rcnn", ours, seed=3, initial=InitialWeights(path, "trained", THEIRS))
    drawn = create("mask_rcnn", ours, seed=3).state_dict()
    name = "roi_heads.box_predictor.cls_score.weight"
    assert torch.equal(model.state_dict()[name], drawn[name])
    assert "kept" not in model.started[1]


def test_the_same_categories_are_taken_whole(tmp_path: Path) -> None:
    path, file = saved(create("retinanet", THEIRS), tmp_path)
    model = create("retinanet", THEIRS, initial=InitialWeights(path, "trained", THEIRS))
    assert all(torch.equal(value, file[name]) for name, value in model.state_dict().items())
    assert len(model.started) == 1


def test_what_another_architecture_leaves(tmp_path: Path) -> None:
    path, file = saved(create("mask_rcnn", THEIRS), tmp_path)
    wide = {**REGIONS["box_head"], "fc_dim": 16}
    model = create("faster_rcnn_c4", THEIRS, initial=InitialWeights(path, "trained"))
    assert model.started[0].startswith("starts from trained: ")
    assert any(line.startswith("drawn anew, not in the file: ") for line in model.started)
    assert any(line.startswith("in the file and not used: ") for line in model.started)
    model = create("mask_rcnn", THEIRS, initial=InitialWeights(path, "trained"), box_head=wide)
    (line,) = model.started[1:]
    assert line == (
        "drawn anew, of another shape in the file: roi_heads.box_head.fc1, roi_heads.box_head.fc2, "
        "roi_heads.box_predictor.cls_score, roi_heads.box_predictor.bbox_pred"
    )
    assert torch.equal(
        model.state_dict()["roi_heads.mask_head.predictor.bias"],
        file["roi_heads.mask_head.predictor.bias"],
    )


def test_a_backbone_alone(tmp_path: Path) -> None:
    whole = create("mask_rcnn", THEIRS)
    prefix = "backbone.bottom_up."
    torch.manual_seed(7)
    state = {
        name.removeprefix(prefix): torch.rand(value.shape)
        for name, value in whole.state_dict().items()
        if name.startswith(prefix)
    }
    path = tmp_path / "R-50.safetensors"
    save_file({**state, "fc.weight": torch.rand(2, 2)}, path)
    model = create("mask_rcnn", OURS, initial=InitialWeights(path, "R-50.safetensors"))
    for name, value in state.items():
        assert torch.equal(model.state_dict()[prefix + name], value)
    count = len(model.state_dict())
    first, second = model.started
    taken = f"{len(state)} of the model's {count} values (its backbone)"
    assert first == f"starts from R-50.safetensors: {taken}"
    assert second == "in the file and not used: fc"


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"encoder.weight": torch.rand(2)}, path)
    with pytest.raises(InputError, match=r"other\.safetensors: holds nothing .* encoder\.weight"):
        create("mask_rcnn", OURS, initial=InitialWeights(path, "other"))
    path.write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"other\.safetensors.* begins with b'<html>'"):
        create("mask_rcnn", OURS, initial=InitialWeights(path, "other"))
