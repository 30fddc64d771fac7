"""Learning rate and weight decay of every parameter; the expected values are computed by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite.options import read_options
from benchsuite.protocols import ParameterGroup
from benchsuite.training.optimization.optimizer import build_optimizer
from benchsuite.training.options import OptimizerOptions


def parameter(name: str) -> nn.Parameter:
    return nn.Parameter(torch.full((2,), float(len(name))))


def group(*names: str, layers_above: int = 0, of_norms: bool = False) -> ParameterGroup:
    return ParameterGroup(names, tuple(map(parameter, names)), layers_above, of_norms)


# A ViT of two layers, as the models here tell it: its embedding is a third.
VIT = (
    group("backbone.net.pos_embed", "backbone.net.patch_embed.proj.weight", layers_above=3),
    group("backbone.net.blocks.0.attn.rel_pos_h", "backbone.net.blocks.0.bias", layers_above=2),
    group("backbone.net.blocks.1.mlp.weight", layers_above=1),
    group("backbone.net.blocks.1.norm1.weight", layers_above=1, of_norms=True),
    group("roi_heads.fc.weight", "roi_heads.fc.bias"),
    group("roi_heads.norm.weight", "roi_heads.norm.bias", of_norms=True),
)


def settings(groups: tuple[ParameterGroup, ...], **options: Any) -> dict[str, tuple[float, float]]:
    """Parameter's name to its learning rate and weight decay in the optimizer."""
    read = read_options(OptimizerOptions, options, "training.optimizer")
    found = {}
    for each in build_optimizer(groups, read).param_groups:
        assert each["lr"] == each["initial_lr"]
        for name in each["param_names"]:
            found[name] = (each["lr"], each["weight_decay"])
    return found


def test_all_alike() -> None:
    found = settings(VIT, lr=0.02, weight_decay=1e-4)
    assert set(found.values()) == {(0.02, 1e-4)}
    assert len(found) == 10


def test_norms_decay_apart() -> None:
    found = settings(VIT, lr=0.02, weight_decay=1e-4, weight_decay_norm=0.0)
    norms = {name for name, (_, weight_decay) in found.items() if weight_decay == 0}
    assert norms == {
        "backbone.net.blocks.1.norm1.weight",
        "roi_heads.norm.weight",
        "roi_heads.norm.bias",
    }


def test_biases_apart_those_of_norms_among_them() -> None:
    found = settings(
        VIT,
        lr=0.02,
        weight_decay=1e-4,
        weight_decay_norm=0.5,
        weight_decay_bias=0.0,
        bias_lr_factor=2.0,
    )
    assert found["roi_heads.fc.bias"] == (0.04, 0.0)
    assert found["roi_heads.norm.bias"] == (0.04, 0.0)
    assert found["roi_heads.norm.weight"] == (0.02, 0.5)
    assert found["roi_heads.fc.weight"] == (0.02, 1e-4)


def test_layers_learn_more_slowly_towards_the_input() -> None:
    found = settings(
        VIT,
        type="AdamW",
        lr=1e-4,
        weight_decay=0.1,
        weight_decay_norm=0.0,
        layer_decay={"num_layers": 2, "lr_decay_rate": 0.5},
        overrides={"pos_embed": {"weight_decay": 0.0}},
    )
    assert found == {
        "backbone.net.pos_embed": (1e-4 / 8, 0.0),
        "backbone.net.patch_embed.proj.weight": (1e-4 / 8, 0.1),
        "backbone.net.blocks.0.attn.rel_pos_h": (1e-4 / 4, 0.1),
        "backbone.net.blocks.0.bias": (1e-4 / 4, 0.1),
        "backbone.net.blocks.1.mlp.weight": (1e-4 / 2, 0.1),
        "backbone.net.blocks.1.norm1.weight": (1e-4 / 2, 0.0),
        "roi_heads.fc.weight": (1e-4, 0.1),
        "roi_heads.fc.bias": (1e-4, 0.1),
        "roi_heads.norm.weight": (1e-4, 0.0),
        "roi_heads.norm.bias": (1e-4, 0.0),
    }


def test_overrides_by_name_and_by_pattern() -> None:
    found = settings(
        VIT,
        lr=0.02,
        weight_decay=1e-4,
        overrides={
            "rel_pos_h": {"weight_decay": 0.0},
            "weight": {"lr": 0.5},
            "backbone.*": {"lr": 0.001},
        },
    )
    assert found["backbone.net.blocks.0.attn.rel_pos_h"] == (0.001, 0.0)
    # What is said later goes over what was said before.
    assert found["backbone.net.blocks.1.mlp.weight"] == (0.001, 1e-4)
    assert found["roi_heads.fc.weight"] == (0.5, 1e-4)
    assert found["roi_heads.fc.bias"] == (0.02, 1e-4)


def test_parameters_with_the_same_settings_share_a_group() -> None:
    optimizer = build_optimizer(VIT, OptimizerOptions(0.02, weight_decay_norm=0.0))
    assert [len(each["params"]) for each in optimizer.param_groups] == [7, 3]


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        (
            {"type": "SGD", "lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True, weight_decay=0.01),
        ),
        (
            {"type": "AdamW", "lr": 0.1, "betas": [0.8, 0.9], "eps": 1e-3, "weight_decay": 0.3},
            lambda p: torch.optim.AdamW(p, 0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.3),
        ),
    ],
)
def test_steps_are_torchs(options: dict[str, Any], reference: Any) -> None:
    ours, theirs = group("a.weight", "b.bias"), group("a.weight", "b.bias")
    optimizers = (
        build_optimizer([ours], read_options(OptimizerOptions, options, "optimizer")),
        reference(theirs.parameters),
    )
    for step in range(3):
        for parameters, optimizer in zip((ours, theirs), optimizers, strict=True):
            for value in parameters.parameters:
                value.grad = value.detach().sin() + step
            optimizer.step()
    for mine, other in zip(ours.parameters, theirs.parameters, strict=True):
        assert torch.equal(mine, other)


def test_layers_of_another_model() -> None:
    decay = {"num_layers": 12, "lr_decay_rate": 0.7}
    with pytest.raises(UsageError, match="is for 12 layers; the model has 2 layers"):
        settings(VIT, lr=1e-4, layer_decay=decay)
    with pytest.raises(UsageError, match="the model has no layers"):
        settings((group("a.weight"),), lr=1e-4, layer_decay=decay)


def test_nothing_to_train() -> None:
    with pytest.raises(UsageError, match="everything is frozen"):
        settings((), lr=1e-4)
