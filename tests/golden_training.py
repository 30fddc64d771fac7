"""The training half of ``golden.py``: losses and gradients of the one image a folder trains on.

A folder's ``gt.json`` and ``gt_sem_seg.png`` hold the truth of ``image.png`` in its own pixels; the
reference resized both as at test time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from golden_proposals import read_proposals

from benchsuite.errors import UsageError
from benchsuite.protocols import TrainableModel
from benchsuite.records import Image, ImageRecord
from benchsuite.targets import Target
from benchsuite.training.loading.loader import MicroBatch
from benchsuite.training.processes.fabric import open_fabric
from benchsuite.training.processes.processes import Processes
from benchsuite.training.step import Learner, accumulate_gradients, step_of

OPTION_OF = {
    "rpn.pre_nms_topk_train": "rpn.training.pre_nms_topk",
    "rpn.post_nms_topk_train": "rpn.training.post_nms_topk",
    "proposals.topk_train": "proposals.training.topk",
    "rpn.iou_thresholds": "rpn.training.iou_thresholds",
    "rpn.iou_labels": "rpn.training.iou_labels",
    "rpn.low_quality_matches": "rpn.training.low_quality_matches",
    "rpn.loss_weight": "rpn.training.loss_weight",
    "roi_heads.iou_thresholds": "roi_heads.training.iou_thresholds",
    "roi_heads.proposal_append_gt": "roi_heads.training.proposal_append_gt",
    "retinanet.iou_thresholds": "retinanet.training.iou_thresholds",
    "fcos.center_sampling_radius": "fcos.training.center_sampling_radius",
    "keypoint_head.loss_weight": "keypoint_head.training.loss_weight",
    "keypoint_head.loss_normalize_by_visible": "keypoint_head.training.normalize_by_visible",
    "sem_seg_head.loss_weight": "sem_seg_head.training.loss_weight",
}
"""Settings of a configuration, and the options that they are."""

OPTION_OF_SETTING = {
    "rpn_batch_size_per_image": "rpn.training.batch_size_per_image",
    "rpn_positive_fraction": "rpn.training.positive_fraction",
    "roi_batch_size_per_image": "roi_heads.training.batch_size_per_image",
    "roi_positive_fraction": "roi_heads.training.positive_fraction",
}
"""The same for ``settings`` of ``train.json``."""

BOX_LOSSES = ("rpn", "box_head", "retinanet", "fcos")
"""Sections whose loss of boxes is told by ``bbox_reg_loss`` and what belongs to it."""

FOCAL_LOSSES = ("retinanet", "fcos")
"""Sections with ``focal_alpha`` and ``focal_gamma``."""


def training_options(config: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the losses depend on, for the sections that the configuration has."""
    options: dict[str, Any] = {}
    for section, values in config.items():
        for key, value in values.items() if isinstance(values, Mapping) else ():
            if f"{section}.{key}" in OPTION_OF:
                _put(options, OPTION_OF[f"{section}.{key}"], value)
    for key, option in OPTION_OF_SETTING.items():
        if key in settings and option.partition(".")[0] in config:
            _put(options, option, settings[key])
    if "classification" in config:
        count = config["classification"]["federated_num_classes"]
        loss = {"name": "federated", "options": {"num_classes": count}}
        _put(options, "box_head.training.class_loss", loss)
    for section in BOX_LOSSES:
        if section in config:
            _put(options, f"{section}.training.bbox_reg_loss", _box_loss(config[section]))
    for section in FOCAL_LOSSES:
        if section in config:
            focal = {name: config[section][f"focal_{name}"] for name in ("alpha", "gamma")}
            loss = {"name": "sigmoid_focal", "options": focal}
            _put(options, f"{section}.training.class_loss", loss)
    return options


def _box_loss(section: Mapping[str, Any]) -> dict[str, Any]:
    name = section.get("bbox_reg_loss", section.get("box_loss", "smooth_l1"))
    options = {"beta": section["smooth_l1_beta"]} if name == "smooth_l1" else {}
    return {"name": name, "options": options, "weight": section.get("bbox_reg_loss_weight", 1.0)}


def _put(options: dict[str, Any], dotted: str, value: Any) -> None:
    *path, name = dotted.split(".")
    for part in path:
        options = options.setdefault(part, {})
    options[name] = value


def read_target(folder: Path, height: int, width: int, things: int) -> Target:
    """The truth of ``image.png``, resized with it to ``height`` x ``width``; crowds left out.

    Args:
        things: how many of the categories are things, where a semantic branch has one class for
            all of them.
    """
    truth: dict[str, Any] = {"annotations": []}
    if (folder / "gt.json").is_file():
        truth = json.loads((folder / "gt.json").read_text(encoding="utf-8"))
    with PIL.Image.open(folder / "image.png") as opened:
        scale = np.array([width / opened.width, height / opened.height])
    objects = [each for each in truth["annotations"] if not each["iscrowd"]]
    # The reference adds in single precision; which of several anchors overlap an object most of all
    # hangs on the last bit.
    boxes = np.array([each["bbox"] for each in objects], np.float32).reshape(-1, 4)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    keypoints = None
    if objects and "keypoints" in objects[0]:
        keypoints = np.array([each["keypoints"] for each in objects], np.float64)
        keypoints = keypoints.reshape(len(objects), -1, 3)
        keypoints[..., :2] = (keypoints[..., :2] + 0.5) * scale
    proposals = read_proposals(folder / "image.png")
    return Target(
        np.clip(corners * np.tile(scale, 2), 0, [width, height, width, height]),
        [each["category_id"] - 1 for each in objects],
        masks=[
            [np.reshape(piece, (-1, 2)) * scale for piece in each["segmentation"]]
            for each in objects
        ],
        keypoints=keypoints,
        semantic=_read_semantic(folder / "gt_sem_seg.png", height, width, things),
        proposals=None if proposals is None else proposals["boxes"] * np.tile(scale, 2),
    )


def _read_semantic(file: Path, height: int, width: int, things: int) -> Any:
    if not file.is_file():
        return None
    with PIL.Image.open(file) as opened:
        classes = np.array(opened.resize((width, height), PIL.Image.Resampling.NEAREST), np.int64)
    counts = classes != 255
    # The file has all things in class 0, and stuff from 1; categories are all things, then stuff.
    return np.where(counts, classes + (classes > 0) * max(things - 1, 0), -1)


def resized_image(model: Any, file: Path) -> Image:
    """An image as the model would resize it for inference."""
    with PIL.Image.open(file) as opened:
        pixels = model.image_input.resize(np.asarray(opened.convert("RGB")))
    if model.image_input.options.format == "BGR":
        pixels = pixels[:, :, ::-1]
    height, width = pixels.shape[:2]
    return Image(ImageRecord(0, file.name, width, height), np.ascontiguousarray(pixels))


def train(model: Any, folder: Path) -> dict[str, Any]:
    """What ``train.json`` holds of losses and gradients, by the training loop's own step."""
    if not isinstance(model, TrainableModel):
        raise UsageError(f"{type(model).__name__} has no losses")
    image = resized_image(model, folder / "image.png")
    things = len(getattr(model, "things", ()))
    target = read_target(folder, image.height, image.width, things)
    fabric = open_fabric("cpu", Processes())
    learner = fabric.setup_module(Learner(model))
    learner.train()
    with step_of(model):
        (losses,) = accumulate_gradients(fabric, learner, [one_image_batch(image, target)])
    norms = {
        name: float(parameter.grad.double().norm())
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return {
        "losses": dict(zip(losses.names, losses.values.tolist(), strict=True)),
        "total_grad_norm": float(np.sqrt(np.sum(np.square(list(norms.values()))))),
        "grad_norms": norms,
    }


def one_image_batch(image: Image, target: Target) -> MicroBatch:
    """A micro-batch of a first step."""
    return MicroBatch(0, 0, (image,), (target,), (image.record.id,), seed=0)
