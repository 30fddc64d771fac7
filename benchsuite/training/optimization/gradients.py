"""Gradients kept in bounds."""

from __future__ import annotations

from collections.abc import Iterable

from torch.nn import Parameter
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from benchsuite.training.options import ClipGradientsOptions


def clip_gradients(parameters: Iterable[Parameter], options: ClipGradientsOptions) -> None:
    """Change the gradients in place; parameters without one are passed over.

    The gradients are those of the loss itself: what a loss was scaled by for half precision is to
    be taken off before. A gradient that is not finite stays so.
    """
    with_gradient = [each for each in parameters if each.grad is not None]
    if options.type == "value":
        clip_grad_value_(with_gradient, options.value)
    elif options.type == "norm":
        clip_grad_norm_(with_gradient, options.value, options.norm_type)
    else:
        for parameter in with_gradient:
            clip_grad_norm_(parameter, options.value, options.norm_type)
