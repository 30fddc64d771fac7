"""Whole models prepared to predict, against the same models as they train."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchsuite.execution import Execution
from benchsuite.protocols import ModelRequest
from benchsuite.records import Image, Prediction
from benchsuite_plugins.models.execution.compilation import compile_parts
from benchsuite_plugins.models.execution.packed_layers import available
from benchsuite_plugins.models.execution.parts import dense_parts, region_parts
from benchsuite_plugins.models.execution.preparation import prepare
from benchsuite_plugins.models.mask_rcnn import create
from benchsuite_plugins.models.specs import MODELS


def overlaps(ours: Prediction, theirs: Prediction) -> np.ndarray[Any, Any]:
    """The best IoU of each of ours with one of theirs of its class."""
    from torchvision.ops import box_iou

    iou = box_iou(torch.from_numpy(ours.boxes), torch.from_numpy(theirs.boxes)).numpy()
    iou[ours.labels[:, None] != theirs.labels] = 0
    best: np.ndarray[Any, Any] = iou.max(axis=1)
    return best


@pytest.mark.parametrize("channels_last", [None, False])
def test_float32_finds_the_same(
    lively_model: Any, make_image: Callable[[int, int], Image], channels_last: bool | None
) -> None:
    images = [make_image(90, 130), make_image(64, 64)]
    prepared = copy.deepcopy(lively_model)
    prepare(prepared, Execution(channels_last=channels_last))
    for found, wanted in zip(prepared.predict(images), lively_model.predict(images), strict=True):
        assert len(wanted.boxes) > 10
        np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-3)
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        assert [mask.size for mask in found.masks] == [mask.size for mask in wanted.masks]


@pytest.mark.parametrize("channels_last", [None, False])
def test_half_precision_finds_nearly_the_same(
    lively_model: Any, make_image: Callable[[int, int], Image], channels_last: bool | None
) -> None:
    image = make_image(90, 130)
    prepared = copy.deepcopy(lively_model)
    prepare(prepared, Execution("bf16", channels_last=channels_last))
    (found,), (wanted,) = prepared.predict([image]), lively_model.predict([image])
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert (found.boxes % 1 != found.boxes.astype(np.float16) % 1).any()
    assert np.median(overlaps(found, wanted)) > 0.9


def test_a_request_prepares(narrow_request: ModelRequest) -> None:
    plain = create(narrow_request)
    prepared = create(replace(narrow_request, execution=Execution()))
    names = [name for name in plain.state_dict() if name.endswith("running_mean")]
    assert names
    assert not set(names) & set(prepared.state_dict())
    assert any(parameter.requires_grad for parameter in plain.parameters())
    assert not any(parameter.requires_grad for parameter in prepared.parameters())


def test_every_model_here_takes_every_option() -> None:
    assert {spec.execution for spec in MODELS} == {
        ("precision", "compile", "channels_last", "cuda_graph")
    }


def test_parts_of_a_model(lively_model: Any) -> None:
    assert dense_parts(lively_model) == [
        lively_model.backbone,
        lively_model.proposal_generator.rpn_head,
    ]
    heads = lively_model.roi_heads
    assert region_parts(lively_model) == [heads.box_head, heads.mask_head]


class Tiny(nn.Module):
    """A dense part alone."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.backbone(x)
        return maps


def test_compiled_parts_compute_the_same() -> None:
    torch.manual_seed(0)
    model = Tiny().eval().requires_grad_(False)
    compiled = copy.deepcopy(model)
    compile_parts(compiled)
    with torch.inference_mode():
        x = torch.randn(1, 3, 8, 9)
        torch.testing.assert_close(compiled(x), model(x))
        with torch.profiler.profile() as profile:
            compiled(x)
    called = {event.key for event in profile.key_averages()}
    if available():  # the convolution and its ReLU are one, with weights laid out beforehand
        assert "mkldnn::_convolution_pointwise" in called
        assert "aten::convolution" not in called
