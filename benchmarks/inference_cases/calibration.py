"""Random weights made such that objects are found: norms by an image, last layers scaled."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

PREDICTORS = (
    (r"objectness_logits|rpn\.head\.cls_logits", 0.0, 2.0),
    (r"anchor_deltas|rpn\.head\.bbox_pred", 0.0, 0.3),
    (r"box_predictor\.(\d\.)?cls_score", 0.0, 2.0),
    (r"box_predictor\.(\d\.)?bbox_pred", 0.0, 1.0),
    (r"mask_head\.predictor|mask_fcn_logits|score_lowres|sem_seg_head\.predictor", 0.0, 2.0),
    # RetinaNet: one in a thousand is above the threshold, as in trained models.
    (r"^head\.cls_score|classification_head\.cls_logits", -9.0, 2.0),
    (r"^head\.bbox_pred|bbox_reg", 0.0, 0.3),
)
"""Last layers, with the mean and the spread that each of their output channels shall have."""


END_OF_BRANCH = r"(conv3\.norm|bn3)$"
"""The last norm of a residual branch. Its weight is small, as in trained networks: else each block
doubles the rounding errors of those before it, and no two precisions find the same objects."""


def calibrate(model: nn.Module) -> None:
    """Let the next image that the model sees set the statistics of all its batch norms, and the
    scale of its last layers (by the level that they are called on first, the finest)."""
    for name, module in model.named_modules():
        if isinstance(getattr(module, "running_mean", None), Tensor):
            at_first_call(module, take_statistics)
            if re.search(END_OF_BRANCH, name):
                cast(Any, module).weight.data.fill_(0.2)
        for pattern, mean, spread in PREDICTORS:
            if re.search(f"({pattern})$", name):
                at_first_call(module, partial(scale_outputs, mean=mean, spread=spread))


def at_first_call(module: nn.Module, act: Callable[[Any, Tensor], None]) -> None:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        handle.remove()
        act(module, inputs[0])

    handle = module.register_forward_pre_hook(hook)


def by_channel(values: Tensor) -> Tensor:
    """(N, C, ...) to (C, everything else)."""
    return values.transpose(0, 1).flatten(1)


def take_statistics(norm: Any, inputs: Tensor) -> None:
    channels = by_channel(inputs)
    norm.running_mean.copy_(channels.mean(dim=1))
    norm.running_var.copy_(channels.var(dim=1).clamp(min=1e-4))


def scale_outputs(layer: Any, inputs: Tensor, *, mean: float, spread: float) -> None:
    channels = by_channel(layer.forward(inputs))
    factor = spread / channels.std(dim=1).clamp(min=1e-6)
    # Axis 0 of the weights counts outputs, but that of a deconvolution's, where axis 1 does.
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    shape = [-1 if each == axis else 1 for each in range(layer.weight.ndim)]
    layer.weight.mul_(factor.view(shape))
    layer.bias.sub_(channels.mean(dim=1)).mul_(factor).add_(mean)
