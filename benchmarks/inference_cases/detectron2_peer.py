"""The same models by Detectron2, from the same checkpoint.

Its Python part is enough: ``detectron2._C`` serves rotated boxes and deformable convolutions, which
none of these models has, and where it is not built an empty module stands in for it. The settings
are those of its model zoo's configurations, which an installed copy does not hold.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from benchsuite import Image
from benchsuite_plugins.checkpoints import read_checkpoint

PYRAMID = ["res2", "res3", "res4", "res5"]
NOT_BUILT = ("detectron2._C", "pkg_resources")


def build(case: Any, weights: Path | None) -> nn.Module:
    """The model of a case's recipe, which has the checkpoint's weights."""
    assert weights is not None
    for name in NOT_BUILT:
        try:
            __import__(name)
        except ImportError:
            sys.modules[name] = ModuleType(name)
    from detectron2.modeling import build_model

    model: nn.Module = build_model(settings(case.model)).eval()
    missing, unexpected = model.load_state_dict(read_checkpoint(weights), strict=False)
    lacking = [name for name in missing if "pixel_" not in name and "anchor" not in name]
    assert not lacking and not unexpected, (lacking, unexpected)
    return model


def settings(recipe: str) -> Any:
    """The configuration of a model of its zoo, by the recipe's name."""
    from detectron2.config import get_cfg

    config = get_cfg()
    config.MODEL.DEVICE = "cpu"
    model = config.MODEL
    model.MASK_ON = "mask" in recipe or "panoptic" in recipe
    if "retinanet" in recipe:
        model.META_ARCHITECTURE = "RetinaNet"
        model.BACKBONE.NAME = "build_retinanet_resnet_fpn_backbone"
        model.RESNETS.OUT_FEATURES = model.FPN.IN_FEATURES = PYRAMID[1:]
        sizes = [32, 64, 128, 256, 512]
        model.ANCHOR_GENERATOR.SIZES = [[s * 2 ** (third / 3) for third in range(3)] for s in sizes]
        return config
    model.META_ARCHITECTURE = "PanopticFPN" if "panoptic" in recipe else "GeneralizedRCNN"
    model.BACKBONE.NAME = "build_resnet_fpn_backbone"
    model.RESNETS.OUT_FEATURES = model.FPN.IN_FEATURES = PYRAMID
    model.ANCHOR_GENERATOR.SIZES = [[32], [64], [128], [256], [512]]
    model.ANCHOR_GENERATOR.ASPECT_RATIOS = [[0.5, 1.0, 2.0]]
    model.RPN.IN_FEATURES = ["p2", "p3", "p4", "p5", "p6"]
    model.RPN.PRE_NMS_TOPK_TEST = model.RPN.POST_NMS_TOPK_TEST = 1000
    model.ROI_HEADS.NAME = "StandardROIHeads"
    model.ROI_HEADS.IN_FEATURES = ["p2", "p3", "p4", "p5"]
    model.ROI_BOX_HEAD.NAME = "FastRCNNConvFCHead"
    model.ROI_BOX_HEAD.NUM_FC = 2
    model.ROI_BOX_HEAD.POOLER_RESOLUTION = 7
    model.ROI_MASK_HEAD.NAME = "MaskRCNNConvUpsampleHead"
    model.ROI_MASK_HEAD.NUM_CONV = 4
    model.ROI_MASK_HEAD.POOLER_RESOLUTION = 14
    if "keypoint" in recipe:
        model.KEYPOINT_ON = True
        model.ROI_HEADS.NUM_CLASSES = 1
    return config


@torch.inference_mode()
def run(model: nn.Module, image: Image) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """From the same pixels, and as far: masks become RLE, as its own evaluator makes them."""
    from pycocotools import mask as pycocotools_mask

    pixels = torch.from_numpy(np.ascontiguousarray(image.pixels[:, :, ::-1].transpose(2, 0, 1)))
    height, width = image.pixels.shape[:2]
    (result,) = model([{"image": pixels, "height": height, "width": width}])
    found = result["instances"]
    if found.has("pred_masks"):
        for mask in found.pred_masks:
            pycocotools_mask.encode(np.array(mask[:, :, None], order="F", dtype="uint8"))
    return found.pred_boxes.tensor.numpy(), found.scores.numpy()
