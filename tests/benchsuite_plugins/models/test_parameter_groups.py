"""Which parameters a recipe can treat apart."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchsuite_plugins.models.backbones.options import ViTOptions
from benchsuite_plugins.models.backbones.vit import ViT
from benchsuite_plugins.models.layers.layer_norm import LayerNorm2d
from benchsuite_plugins.models.parameter_groups import group_parameters


@pytest.fixture
def detector() -> nn.Module:
    with torch.device("meta"):
        net = ViT(ViTOptions(embed_dim=48, num_heads=2, img_size=64, window_size=2))
        head = nn.ModuleDict({"blocks": nn.Sequential(nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4))})
    return nn.ModuleDict({"backbone": nn.ModuleDict({"net": net}), "head": head})


@pytest.mark.parametrize(
    ("parameter", "layers"),
    [
        ("backbone.net.pos_embed", 13),
        ("backbone.net.patch_embed.proj.weight", 13),
        ("backbone.net.blocks.0.norm1.weight", 12),
        ("backbone.net.blocks.11.mlp.fc2.bias", 1),
        ("head.blocks.0.weight", 0),
    ],
)
def test_layers_of_vitdet_b(detector: nn.Module, parameter: str, layers: int) -> None:
    (group,) = (group for group in group_parameters(detector) if parameter in group.names)
    assert group.layers_above == layers


def test_every_trainable_parameter_is_in_one_group(detector: nn.Module) -> None:
    detector.get_parameter("head.blocks.0.bias").requires_grad_(False)
    found = [
        (name, parameter)
        for group in group_parameters(detector)
        for name, parameter in zip(group.names, group.parameters, strict=True)
    ]
    trainable = [(n, p) for n, p in detector.named_parameters() if n != "head.blocks.0.bias"]
    assert len(found) == len(trainable)
    assert all(dict(found)[name] is parameter for name, parameter in trainable)


def test_norms_lie_apart(detector: nn.Module) -> None:
    norms = {name for group in group_parameters(detector) if group.of_norms for name in group.names}
    assert norms == {
        *(f"head.blocks.1.{kind}" for kind in ("weight", "bias")),
        *(
            f"backbone.net.blocks.{block}.norm{norm}.{kind}"
            for block in range(12)
            for norm in (1, 2)
            for kind in ("weight", "bias")
        ),
    }


def test_layer_norms_of_feature_maps_are_no_norms_to_detectron2() -> None:
    model = nn.Sequential(nn.LayerNorm(4), LayerNorm2d(4))
    norms = {name for group in group_parameters(model) if group.of_norms for name in group.names}
    assert norms == {"0.weight", "0.bias"}
