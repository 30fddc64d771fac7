"""Convolutions whose frozen normalisation is folded into them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchsuite_plugins.models.layers.conv import Conv2d


@dataclass
class Seen:
    """What a pass gives, and how much it keeps for the way back."""

    out: Tensor
    gradients: dict[str, Tensor]
    kept: int


def seen(conv: Conv2d, x: Tensor) -> Seen:
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    conv.zero_grad()
    x = x.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = conv(x)
    out.sin().sum().backward()
    gradients = {name: p.grad.clone() for name, p in conv.named_parameters() if p.grad is not None}
    return Seen(out.detach(), {**gradients, "x": x.grad}, sum(kept.values()))  # type: ignore[dict-item]


@pytest.mark.parametrize("bias", [False, True])
def test_a_frozen_norm_in_training_gives_what_it_gives_apart(bias: bool) -> None:
    torch.manual_seed(0)
    conv = Conv2d(3, 6, 3, stride=2, padding=1, bias=bias, norm="FrozenBN", activation=F.relu_)
    for buffer in conv.norm.buffers():  # type: ignore[union-attr]
        buffer.uniform_(0.5, 2)
    x = torch.randn(2, 3, 20, 30)
    folded, apart = seen(conv.train(), x), seen(conv.eval(), x)
    torch.testing.assert_close(folded.out, apart.out)
    assert folded.gradients.keys() == apart.gradients.keys()
    for name, gradient in apart.gradients.items():
        torch.testing.assert_close(folded.gradients[name], gradient)
    assert folded.kept < apart.kept - apart.out.numel() / 2
    assert all(not name.startswith("norm") for name in folded.gradients)
