"""torchvision's checkpoints under our names; what models make of them is in ``models``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection

from benchsuite.errors import InputError
from benchsuite.protocols import ModelRequest
from benchsuite.specs import Category
from benchsuite_plugins.checkpoints.differences import find_differences
from benchsuite_plugins.checkpoints.torchvision_names import from_torchvision
from benchsuite_plugins.models import torchvision_faster_rcnn
from benchsuite_plugins.models.from_recipe import build_on_meta
from benchsuite_zoo.recipes import read_recipe

UNTRAINED: dict[str, Any] = {"weights": None, "weights_backbone": None}

PUBLISHED = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "keypointrcnn_resnet50_fpn",
)
"""What torchvision calls them, and so does the zoo."""

OLD_NAMES = (
    (r"(backbone\.fpn\.\w+_blocks\.\d)\.0\.", r"\1."),
    (r"rpn\.head\.conv\.0\.0\.", "rpn.head.conv."),
    (r"roi_heads\.mask_head\.(\d)\.0\.", lambda m: f"roi_heads.mask_head.mask_fcn{int(m[1]) + 1}."),
    (r"(head\.\w+_head\.conv)\.(\d)\.0\.", lambda m: f"{m[1]}.{2 * int(m[2])}."),
)
"""How the files of the first weights name what torchvision has renamed since."""


def as_published_first(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        for pattern, old in OLD_NAMES:
            name = re.sub(f"^{pattern}", old, name)
        renamed[name] = value
    return renamed


@pytest.fixture(params=PUBLISHED)
def published(request: pytest.FixtureRequest) -> tuple[dict[str, Tensor], nn.Module]:
    """torchvision's state dict, and our model of the zoo's recipe; neither has values."""
    with torch.device("meta"):
        state = getattr(detection, request.param)(**UNTRAINED).state_dict()
    return state, build_on_meta(request.param)


def test_all_names_and_shapes_are_the_model_s(
    published: tuple[dict[str, Tensor], nn.Module],
) -> None:
    state, model = published
    found = find_differences(model, {name: value.shape for name, value in state.items()})
    assert not found, str(found)


def test_the_first_files_have_other_names(published: tuple[dict[str, Tensor], nn.Module]) -> None:
    state, model = published
    if any(name.endswith("blocks.0.1.weight") or ".conv.0.1." in name for name in state):
        pytest.skip("the second versions came after the renaming")
    old = as_published_first(state)
    assert set(old) != set(state)
    assert list(from_torchvision(old)) == list(from_torchvision(state))
    assert not find_differences(model, {name: value.shape for name, value in old.items()})


def test_the_background_goes_from_first_to_last() -> None:
    state = {
        "backbone.body.conv1.weight": torch.zeros(1),
        "roi_heads.box_predictor.cls_score.bias": torch.tensor([9.0, 1, 2]),
        "roi_heads.box_predictor.bbox_pred.bias": torch.arange(12.0),
        "roi_heads.mask_predictor.mask_fcn_logits.bias": torch.tensor([9.0, 1, 2]),
        "head.classification_head.cls_logits.bias": torch.tensor([9.0, 1, 2]),
    }
    ours = from_torchvision(state)
    assert ours["roi_heads.box_predictor.cls_score.bias"].tolist() == [1, 2, 9]
    assert ours["roi_heads.box_predictor.bbox_pred.bias"].tolist() == list(range(4, 12))
    assert ours["roi_heads.mask_head.predictor.bias"].tolist() == [1, 2]
    # One-stage detectors have no background that wins: it is a class like the others.
    assert ours["head.cls_score.bias"].tolist() == [9, 1, 2]


def test_what_is_ours_stays(published: tuple[dict[str, Tensor], nn.Module]) -> None:
    _, model = published
    state = model.state_dict()
    same = from_torchvision(state)
    assert list(same) == list(state)
    assert all(same[name] is value for name, value in state.items())


def test_an_unknown_name_is_told(published: tuple[dict[str, Tensor], nn.Module]) -> None:
    state, model = published
    shapes: dict[str, Any] = {name: value.shape for name, value in state.items()}
    found = find_differences(model, {**shapes, "roi_heads.shape_head.weight": (1,)})
    assert found.left_over == ("roi_heads.shape_head.weight",) and not found.missing


def test_a_file_is_loaded_by_the_factory(tmp_path: Path) -> None:
    theirs = detection.fasterrcnn_resnet50_fpn(num_classes=3, **UNTRAINED)
    file = tmp_path / "fasterrcnn_resnet50_fpn.pth"
    torch.save(theirs.state_dict(), file)
    request = ModelRequest(categories=(Category(1, "a"), Category(2, "b")), weights=file)
    ours = torchvision_faster_rcnn.create(request).state_dict()
    old, new = "backbone.body.layer2.0.downsample.0.weight", "res3.0.shortcut.weight"
    assert torch.equal(ours[f"backbone.bottom_up.{new}"], theirs.state_dict()[old])
    with pytest.raises(InputError, match=r"box_predictor\.cls_score\.weight \(\(3, 1024\) in the"):
        torchvision_faster_rcnn.create(
            ModelRequest(categories=(*request.categories, Category(3, "c")), weights=file)
        )


def test_the_zoo_states_what_the_labels_mean() -> None:
    meta = detection.MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    for name in PUBLISHED[:-1]:
        names = [category.name for category in read_recipe(name)["categories"]]
        assert names == (meta if name.startswith("retinanet") else meta[1:])
    ids = [category.id for category in read_recipe("maskrcnn_resnet50_fpn")["categories"]]
    assert ids == list(range(1, 91))


def test_the_zoo_states_what_was_published() -> None:
    values = {"bbox/AP": "box_map", "segm/AP": "mask_map", "keypoints/AP": "kp_map"}
    for name in PUBLISHED:
        (stem,) = (
            each
            for each in vars(detection)
            if each.lower().replace("_", "") == f"{name}_weights".replace("_", "")
        )
        published = getattr(detection, stem).COCO_V1
        recipe = read_recipe(name)
        assert recipe["weights"]["url"] == published.url
        metrics = published.meta["_metrics"]["COCO-val2017"]
        stated = {values[key]: round(100 * value, 1) for key, value in recipe["published"].items()}
        assert stated == metrics
