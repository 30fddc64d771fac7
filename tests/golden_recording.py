"""What a golden file keeps of a model's inner values, recorded as they come by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchsuite_plugins.models.presence import drop_absent

Arrays = dict[str, NDArray[Any]]

FIRST_PROPOSALS, FIRST_DETECTIONS, BEST_PROPOSALS = 32, 16, 100


def _named(prefix: str, maps: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": value for name, value in maps.items()}


def _levels(prefix: str, maps: Any) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{level}": value for level, value in enumerate(maps)}


CASCADE_STAGES = 3


def _stage(stage: int) -> dict[str, Callable[[Any], dict[str, torch.Tensor]]]:
    return {
        "box_head": lambda hidden: {f"box.head.{stage}": hidden[:FIRST_PROPOSALS]},
        "box_predictor": lambda outputs: {
            f"box.cls_logits.{stage}": outputs[0][:FIRST_PROPOSALS],
            f"box.deltas.{stage}": outputs[1][:FIRST_PROPOSALS],
        },
    }


FEATURES: dict[str, Callable[[Any], dict[str, torch.Tensor]]] = {
    "backbone.bottom_up": lambda maps: _named("bottom_up", maps),
    "backbone": lambda maps: _named("backbone", maps),
    "anchor_generator": lambda anchors: _levels("head.anchors", anchors.levels()),
    "head": lambda outputs: {
        name: value
        for kind, maps in zip(("logits", "deltas", "centerness"), outputs, strict=False)
        for name, value in _levels(f"head.{kind}", maps).items()
    },
    "proposal_generator.anchor_generator": lambda anchors: _levels("rpn.anchors", anchors.levels()),
    "proposal_generator.rpn_head": lambda outputs: {
        **_levels("rpn.logits", outputs[0]),
        **_levels("rpn.deltas", outputs[1]),
    },
    "roi_heads.box_pooler": lambda pooled: {"box.pooled": pooled[:FIRST_PROPOSALS]},
    **{
        f"roi_heads.{module}.{stage}": record
        for stage in range(CASCADE_STAGES)
        for module, record in _stage(stage).items()
    },
    "roi_heads.res5": lambda shared: {"box.res5": shared[:FIRST_PROPOSALS]},
    "roi_heads.box_head": lambda hidden: {"box.head": hidden[:FIRST_PROPOSALS]},
    "roi_heads.box_predictor": lambda outputs: {
        "box.cls_logits": outputs[0][:FIRST_PROPOSALS],
        "box.deltas": outputs[1][:FIRST_PROPOSALS],
    },
    "sem_seg_head": lambda logits: {"sem_seg.logits_stride4": logits},
    "roi_heads.mask_pooler": lambda pooled: {"mask.pooled": pooled[:FIRST_DETECTIONS]},
    "roi_heads.mask_head": lambda logits: {"mask.logits": logits[:FIRST_DETECTIONS]},
    "roi_heads.keypoint_pooler": lambda pooled: {"keypoint.pooled": pooled[:FIRST_DETECTIONS]},
    "roi_heads.keypoint_head.score_lowres": lambda logits: {
        "keypoint.score_lowres": logits[:FIRST_DETECTIONS]
    },
}
"""Module to the recorded names of what it returns; modules that a model lacks are left out."""


class Recorder:
    """Keeps what the modules of a model return."""

    def __init__(self, model: Any) -> None:
        self.features: Arrays = {}
        self.proposals: Any = None
        for name, module in model.named_modules():
            if name in FEATURES:
                module.register_forward_hook(self._keep(FEATURES[name]))
            if name == "proposal_generator":
                module.register_forward_hook(self._keep_proposals)

    def _keep(self, names: Callable[[Any], dict[str, torch.Tensor]]) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            for name, value in names(output).items():
                # Of what a cascade pools, the first stage's is recorded.
                self.features.setdefault(name, value.float().numpy(force=True).copy())

        return hook

    def _keep_proposals(self, module: Any, inputs: Any, output: Any) -> None:
        self.proposals = drop_absent(output)

    def samples(self, steps: Arrays) -> Arrays:
        """The elements that the golden file keeps of each recorded array."""
        kept: Arrays = {}
        for name, value in self.features.items():
            step = steps.get(f"feat.{name}.k")
            if step is None:
                continue
            kept[f"feat.{name}.sample"] = value.reshape(-1)[:: int(step)]
            kept[f"feat.{name}.k"] = step
            kept[f"feat.{name}.shape"] = np.array(value.shape, np.int32)
            exact = value.astype(np.float64)
            kept[f"feat.{name}.stats"] = np.array([exact.mean(), exact.std(), abs(exact).max()])
        return kept

    def best_proposals(self, image: int) -> Arrays:
        if self.proposals is None:
            return {}
        own = self.proposals.image_index == image
        return {
            "rpn.num_proposals": np.array(int(own.sum()), np.int32),
            "rpn.proposal_boxes": self.proposals.boxes[own][:BEST_PROPOSALS].numpy(force=True),
            "rpn.proposal_logits": self.proposals.logits[own][:BEST_PROPOSALS].numpy(force=True),
        }
