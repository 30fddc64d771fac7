"""torchvision's detection checkpoints under the names and in the layouts of ours.

Names differ throughout, also between torchvision's own versions; layouts differ where classes are
counted: torchvision's two-stage detectors have the background first, and boxes and masks for it,
ours have it last and nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

COARSEST_LEVEL = 5
"""K of the pyramid's last level ``pK`` that is made from a stage of the backbone."""

Rule = tuple[str, str | Callable[[re.Match[str]], str]]


def from_torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of torchvision's Faster, Mask or Keypoint R-CNN or RetinaNet as ours.

    What is not torchvision's comes back as it is; a name that is not known keeps its name.

    Args:
        state: values may be on the meta device.
    """
    if not any(name.startswith("backbone.body.") for name in state):
        return dict(state)
    rules = _rules(state)
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.endswith(".num_batches_tracked"):
            continue
        ours = _rename(name, rules)
        renamed[ours] = _relayout(ours, value)
    return renamed | _zero_biases(renamed)


def _rename(name: str, rules: list[Rule]) -> str:
    for pattern, replacement in rules:
        ours, count = re.subn(f"^{pattern}", replacement, name, count=1)
        if count:
            return ours
    return name


def _rules(state: Mapping[str, Tensor]) -> list[Rule]:
    """Patterns of the beginning of a name, and what stands in its place; the first that fits."""
    pyramid = {int(m[1]) for name in state if (m := re.match(r".*\.inner_blocks\.(\d+)\.", name))}
    finest = COARSEST_LEVEL + 1 - len(pyramid)
    normed_subnet = any(re.match(r"head\.\w+_head\.conv\.0\.1\.", name) for name in state)
    layers_a_conv = 3 if normed_subnet else 2
    stage = r"backbone\.body\.layer(\d)\.(\d+)\."
    subnet = r"head\.(classification|regression)_head\.conv\.(\d+)\."

    def block(match: re.Match[str]) -> str:
        return f"backbone.bottom_up.res{int(match[1]) + 1}.{match[2]}."

    def pyramid_conv(match: re.Match[str]) -> str:
        kind = "lateral" if match[1] == "inner" else "output"
        return f"backbone.fpn_{kind}{finest + int(match[2])}."

    def counted(prefix: str) -> Callable[[re.Match[str]], str]:
        return lambda match: f"{prefix}{int(match[1]) + 1}."

    def subnet_layer(match: re.Match[str], position: int) -> str:
        kind = "cls" if match[1] == "classification" else "bbox"
        return f"head.{kind}_subnet.{position}."

    box, mask, keypoint = (f"roi_heads.{branch}_head." for branch in ("box", "mask", "keypoint"))
    rpn = "proposal_generator.rpn_head."
    conv_or_norm = r"(?:\.0)?\.(?=weight|bias)"
    one_rpn_conv = not any(name.startswith("rpn.head.conv.1.") for name in state)
    return [
        (r"backbone\.body\.conv1\.", "backbone.bottom_up.stem.conv1."),
        (r"backbone\.body\.bn1\.", "backbone.bottom_up.stem.conv1.norm."),
        (stage + r"conv(\d)\.", lambda m: f"{block(m)}conv{m[3]}."),
        (stage + r"bn(\d)\.", lambda m: f"{block(m)}conv{m[3]}.norm."),
        (stage + r"downsample\.0\.", lambda m: f"{block(m)}shortcut."),
        (stage + r"downsample\.1\.", lambda m: f"{block(m)}shortcut.norm."),
        (
            r"backbone\.fpn\.(inner|layer)_blocks\.(\d+)\.1\.",
            lambda m: f"{pyramid_conv(m)}norm.",
        ),
        (r"backbone\.fpn\.(inner|layer)_blocks\.(\d+)" + conv_or_norm, pyramid_conv),
        (r"backbone\.fpn\.extra_blocks\.", "backbone.top_block."),
        (
            r"rpn\.head\.conv(?:\.(\d+)\.0)?\.",
            lambda m: f"{rpn}conv." if one_rpn_conv else f"{rpn}conv.conv{m[1]}.",
        ),
        (r"rpn\.head\.cls_logits\.", f"{rpn}objectness_logits."),
        (r"rpn\.head\.bbox_pred\.", f"{rpn}anchor_deltas."),
        (r"roi_heads\.box_head\.fc6\.", f"{box}fc1."),
        (r"roi_heads\.box_head\.fc7\.", f"{box}fc2."),
        (r"roi_heads\.box_head\.(\d+)\.0\.", counted(f"{box}conv")),
        (r"roi_heads\.box_head\.(\d+)\.1\.", lambda m: f"{box}conv{int(m[1]) + 1}.norm."),
        (r"roi_heads\.box_head\.\d+\.(?=weight|bias)", f"{box}fc1."),
        (r"roi_heads\.mask_head\.(\d+)\.0\.", counted(f"{mask}mask_fcn")),
        (r"roi_heads\.mask_head\.(\d+)\.1\.", lambda m: f"{mask}mask_fcn{int(m[1]) + 1}.norm."),
        (r"roi_heads\.mask_predictor\.conv5_mask\.", f"{mask}deconv."),
        (r"roi_heads\.mask_predictor\.mask_fcn_logits\.", f"{mask}predictor."),
        (
            r"roi_heads\.keypoint_head\.(\d+)\.",
            lambda m: f"{keypoint}conv_fcn{int(m[1]) // 2 + 1}.",
        ),
        (r"roi_heads\.keypoint_predictor\.kps_score_lowres\.", f"{keypoint}score_lowres."),
        (subnet + r"0\.", lambda m: subnet_layer(m, layers_a_conv * int(m[2]))),
        (subnet + r"1\.", lambda m: subnet_layer(m, layers_a_conv * int(m[2]) + 1)),
        (subnet + r"(?=weight|bias)", lambda m: subnet_layer(m, int(m[2]))),
        (r"head\.classification_head\.cls_logits\.", "head.cls_score."),
        (r"head\.regression_head\.bbox_reg\.", "head.bbox_pred."),
    ]


def _relayout(name: str, value: Tensor) -> Tensor:
    """A parameter whose first axis counts classes, from background first to background last."""
    module, _, _ = name.rpartition(".")
    if not value.ndim:
        return value
    if module == "roi_heads.box_predictor.cls_score":
        return torch.cat([value[1:], value[:1]])
    if module == "roi_heads.box_predictor.bbox_pred":
        return value[4:]
    if module == "roi_heads.mask_head.predictor":
        return value[1:]
    return value


def _zero_biases(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of RetinaNet's subnets: before a normalisation torchvision's convolutions have no bias, and
    ours have one."""
    return {
        f"{name.removesuffix('weight')}bias": value.new_zeros(len(value))
        for name, value in state.items()
        if re.fullmatch(r"head\.(cls|bbox)_subnet\.\d+\.weight", name)
        and f"{name.removesuffix('weight')}bias" not in state
    }
