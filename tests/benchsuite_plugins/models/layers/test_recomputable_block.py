"""Recomputed activations: the same values, gradients and averages, of fewer kept tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite_plugins.models.backbones.options import RegNetOptions
from benchsuite_plugins.models.backbones.regnet import RegNet
from benchsuite_plugins.models.layers.recomputable_block import RecomputableBlock
from benchsuite_plugins.models.options import NormName, ResNetOptions
from benchsuite_plugins.models.resnet import ResNet

NARROW = ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8, freeze_at=2)


def backbone(kind: str, norm: NormName) -> Any:
    torch.manual_seed(1)
    if kind == "resnet":
        return ResNet(replace(NARROW, norm=norm))
    return RegNet(RegNetOptions(depth=4, w_0=8, group_width=8, norm=norm, freeze_at=0))


def step(model: Any) -> tuple[dict[str, Tensor], list[int]]:
    """Gradients and buffers, and the sizes of what was kept for the backward pass."""
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    images = torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = model(images)
    sum(output.sin().sum() for output in outputs.values()).backward()
    seen = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return seen | dict(model.named_buffers()), kept


@pytest.mark.parametrize("kind", ["resnet", "regnet"])
@pytest.mark.parametrize("norm", ["FrozenBN", "BN"])
def test_all_is_the_same_but_what_is_kept(kind: str, norm: NormName) -> None:
    plain, forgetful = backbone(kind, norm), backbone(kind, norm)
    for module in forgetful.modules():
        if isinstance(module, RecomputableBlock):
            module.recompute = True
    (expected, kept), (found, kept_less) = step(plain.train()), step(forgetful.train())
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)
    assert sum(kept_less) < sum(kept) / 2
    images = torch.zeros(1, 3, 64, 64)
    for name, output in forgetful.eval()(images).items():
        assert torch.equal(output, plain.eval()(images)[name])
