"""torchvision's checkpoints under our names; what models make of them is in ``models``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from benchsuite_plugins.checkpoints.differences import find_differences
from benchsuite_plugins.checkpoints.torchvision_names import from_torchvision
from benchsuite_plugins.models import (
    torchvision_faster_rcnn,
    torchvision_keypoint_rcnn,
    torchvision_mask_rcnn,
    torchvision_retinanet,
)
from torch import Tensor, nn
from torchvision.models import detection

from benchsuite.errors import InputError
from benchsuite.protocols import ModelRequest
from benchsuite.specs import Category

UNTRAINED: dict[str, Any] = {"weights": None, "weights_backbone": None}

PUBLISHED: dict[str, tuple[Callable[..., nn.Module], Callable[[], nn.Module]]] = {
    "fasterrcnn_resnet50_fpn": (
        detection.fasterrcnn_resnet50_fpn,
        lambda: torchvision_faster_rcnn.build(
            torchvision_faster_rcnn.TorchvisionFasterRCNNOptions(), 90
        ),
    ),
    "maskrcnn_resnet50_fpn": (
        detection.maskrcnn_resnet50_fpn,
        lambda: torchvision_mask_rcnn.build(torchvision_mask_rcnn.TorchvisionMaskRCNNOptions(), 90),
    ),
    "retinanet_resnet50_fpn": (
        detection.retinanet_resnet50_fpn,
        lambda: torchvision_retinanet.build(
            torchvision_retinanet.TorchvisionRetinaNetOptions(), 91
        ),
    ),
    "keypointrcnn_resnet50_fpn": (
        detection.keypointrcnn_resnet50_fpn,
        lambda: torchvision_keypoint_rcnn.build(
            torchvision_keypoint_rcnn.TorchvisionKeypointRCNNOptions(), 1, 17
        ),
    ),
}

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
    """torchvision's state dict of published width, and our model; neither has values."""
    theirs, ours = PUBLISHED[request.param]
    with torch.device("meta"):
        return theirs(**UNTRAINED).state_dict(), ours()


def test_all_names_and_shapes_are_the_model_s(
    published: tuple[dict[str, Tensor], nn.Module],
) -> None:
    state, model = published
    found = find_differences(model, {name: value.shape for name, value in state.items()})
    assert not found, str(found)


def test_the_first_files_have_other_names(published: tuple[dict[str, Tensor], nn.Module]) -> None:
    state, model = published
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
