"""Between a batch and the raw outputs nothing waits for the device, nor does the CPU compute
anything else than it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import benchsuite_plugins
from benchsuite.protocols import ModelRequest
from benchsuite.records import Image
from benchsuite.specs import Category, KeypointLayout, load
from benchsuite_kernels.cuda.emulation.build import emulation_problem
from benchsuite_kernels.dispatch import serving
from benchsuite_kernels.ops.registration import WITH_CUDA
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.presence import (
    ABSENT,
    drop_absent,
    drop_absent_unless_waiting,
    images_of_present,
)

MakeImage = Callable[[int, int], Image]

NARROW: dict[str, dict[str, Any]] = {
    "input": {"min_size_test": 96, "max_size_test": 160},
    "resnet": {"stem_out_channels": 8, "res2_out_channels": 32, "width_per_group": 8},
    "fpn": {"out_channels": 16},
    "rpn": {"pre_nms_topk_test": 60, "post_nms_topk_test": 30},
    "roi_heads": {"score_thresh_test": 0.1, "detections_per_image": 15},
    "box_head": {"fc_dim": 32},
    "mask_head": {"conv_dim": 16},
    "keypoint_head": {"conv_dims": (16, 8), "num_keypoints": 3},
    "sem_seg_head": {"convs_dim": 32},
    "retinanet": {"num_convs": 1, "detections_per_image": 15, "topk_candidates_test": 40},
    "fcos": {"num_convs": 1, "conv_dim": 32, "detections_per_image": 15},
}
"""What is changed in the options that a model has."""

MODELS = (
    "faster_rcnn",
    "mask_rcnn",
    "keypoint_rcnn",
    "cascade_mask_rcnn",
    "mask_rcnn_c4",
    "faster_rcnn_dc5",
    "rpn",
    "panoptic_fpn",
    "retinanet",
    "fcos",
    "torchvision_mask_rcnn",
    "torchvision_keypoint_rcnn",
    "torchvision_retinanet",
)

SIZES = ((64, 96), (120, 50))

WAITING = {
    "_local_scalar_dense",
    "_unique2",
    "argwhere",
    "bincount",
    "equal",
    "is_nonzero",
    "lift_fresh",  # numbers of the host become a tensor
    "masked_select",
    "nonzero",
    "unique_consecutive",
    "unique_dim",
}


class NothingWaits(TorchDispatchMode):
    """Raises at operators that would wait for a device, also within our own ones."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        masks = args[1] if name in ("index", "index_put", "index_put_") else ()
        if any(each is not None and each.dtype in (torch.bool, torch.uint8) for each in masks):
            name = "nonzero"
        if name in WAITING or (name == "repeat_interleave" and len(args) == 1 and not kwargs):
            raise AssertionError(f"{func} waits for the device")
        if func.namespace == "benchsuite" and name in WITH_CUDA:
            with self:
                result = WITH_CUDA[name](*args)
            if result is not NotImplemented:
                return result
        return func(*args, **(kwargs or {}))


def create(name: str, **changes: dict[str, Any]) -> Any:
    """A narrow model whose initial weights are spread so far that boxes and classes differ."""
    (spec,) = [each for each in benchsuite_plugins.benchsuite_models() if each.name == name]
    assert spec.options is not None
    options = load(spec.options)()
    for section, values in {**NARROW, **changes}.items():
        if hasattr(options, section):
            own = {k: v for k, v in values.items() if hasattr(getattr(options, section), k)}
            own = {**own, **changes.get(section, {})}
            options = replace(options, **{section: replace(getattr(options, section), **own)})
    keypoints = KeypointLayout(names=("head", "hand", "foot"), sigmas=(0.1, 0.1, 0.1))
    categories = tuple(Category(i, str(i), isthing=i < 4) for i in range(6))
    request = ModelRequest(options=options, categories=categories, keypoints=keypoints, seed=3)
    model = load(spec.factory)(request)
    with torch.no_grad():
        for key, buffer in model.named_buffers():
            if key.endswith("conv3.norm.weight"):
                buffer.fill_(0.3)
        for key, parameter in model.named_parameters():
            for part, factor in (
                ("objectness_logits.weight", 20),
                ("cls_score.weight", 60),
                ("ctrness.weight", 20),
            ):
                if key.endswith(part):
                    parameter.mul_(factor)
            if "cls_score.bias" in key:
                parameter.add_(1.5)
    return model


@pytest.mark.parametrize("name", [*MODELS, "federated"])
def test_forward_waits_for_nothing_and_finds_the_same(name: str, make_image: MakeImage) -> None:
    if problem := emulation_problem():
        pytest.skip(problem)
    federated = {"box_head": {"classification": "federated"}}
    model = create("mask_rcnn", **federated) if name == "federated" else create(name)
    images = [make_image(*size) for size in SIZES]
    expected = model.predict(images)
    assert all(len(prediction) for prediction in expected)
    batch = model.preprocess(images)
    with serving("emulated"):
        model(batch)  # what is made once for a shape may wait
        with NothingWaits():
            outputs = model(batch)
        rows = outputs.detections
        found = model.postprocess(outputs)
    assert len(rows.scores) % len(images) == 0
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other)
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)


def test_the_guard_sees_what_waits() -> None:
    values = torch.tensor([1.0, 0.0])
    for waits in (
        lambda: values.sum().item(),
        lambda: values[values > 0],
        lambda: values.nonzero(),
        lambda: torch.tensor([1.0]),
        lambda: bool(values.any()),
    ):
        with pytest.raises(AssertionError, match="waits"), NothingWaits():
            waits()
    with NothingWaits():
        assert values[torch.ones_like(values).long()].shape == (2,)


def test_absent_rows_are_dropped_at_once_on_a_cpu_alone() -> None:
    boxes, images = torch.arange(12.0).view(3, 4), torch.tensor([0, 0, 1])
    proposals = Proposals(boxes, torch.tensor([2.0, ABSENT, -7.0]), images)
    assert images_of_present(proposals).tolist() == [0, -1, 1]
    assert drop_absent(proposals).boxes.tolist() == boxes[[0, 2]].tolist()
    assert drop_absent(proposals).logits.tolist() == [2, -7]
    assert drop_absent_unless_waiting(proposals).image_index.tolist() == [0, 1]
    with serving("emulated"):
        assert drop_absent_unless_waiting(proposals) is proposals
    masks = torch.arange(3.0).view(3, 1, 1)
    keypoints = torch.arange(9.0).view(3, 1, 3)
    labels = torch.tensor([4, 0, 5])
    found = drop_absent(Detections(boxes, proposals.logits, labels, images, masks, keypoints))
    assert found.labels.tolist() == [4, 5] and found.masks is not None
    assert found.masks.flatten().tolist() == [0, 2] and found.keypoints is not None
    assert found.keypoints.flatten().tolist() == [0, 1, 2, 6, 7, 8]


def test_a_proposal_that_stops_being_finite_is_dropped_by_the_cascade() -> None:
    model = create("cascade_mask_rcnn")
    heads = model.roi_heads
    features = {name: torch.zeros(1, 16, 32 // scale, 32 // scale) for name, scale in
                (("p2", 1), ("p3", 2), ("p4", 4), ("p5", 8))}  # fmt: skip
    boxes = torch.tensor([[0.0, 0, 30, 30], [10, 10, 60, 60]])
    given = Proposals(boxes, torch.zeros(2), torch.zeros(2, dtype=torch.int64))
    with torch.no_grad():
        heads.box_predictor[0].bbox_pred.bias.fill_(torch.nan)
        found = heads.detect_boxes(features, given, torch.tensor([[128.0, 128.0]]))
    assert len(found.boxes) == 0
