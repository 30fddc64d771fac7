"""Networks of basic blocks, beside torchvision's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
import torchvision
from torch import Tensor

from benchsuite.errors import UsageError
from benchsuite_plugins.models.options import ResNetOptions
from benchsuite_plugins.models.resnet import ResNet

SHALLOW = ResNetOptions(depth=18, norm="BN", res2_out_channels=64, freeze_at=0)
RENAMED = {
    "stem.": "",
    "res2": "layer1",
    "res3": "layer2",
    "res4": "layer3",
    "res5": "layer4",
    "conv1.norm": "bn1",
    "conv2.norm": "bn2",
    "shortcut.norm": "downsample.1",
    "shortcut": "downsample.0",
}


def torchvision_state(net: Any, names: list[str]) -> dict[str, Tensor]:
    """Its tensors by the names that ours have."""
    state, ours = net.state_dict(), {}
    for name in names:
        theirs = name
        for part, other in RENAMED.items():
            theirs = theirs.replace(part, other)
        ours[name] = state[theirs]
    return ours


@pytest.mark.parametrize("depth", [18, 34])
def test_outputs_and_gradients_are_those_of_torchvision(depth: Literal[18, 34]) -> None:
    torch.manual_seed(0)
    reference = getattr(torchvision.models, f"resnet{depth}")(weights=None).double()
    net = ResNet(replace(SHALLOW, depth=depth)).double()
    net.load_state_dict(torchvision_state(reference, list(net.state_dict())))
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    x = reference.maxpool(reference.relu(reference.bn1(reference.conv1(images))))
    outputs = net(images)
    for name, stage in zip(outputs, ("layer1", "layer2", "layer3", "layer4"), strict=True):
        x = reference.get_submodule(stage)(x)
        torch.testing.assert_close(outputs[name], x)
    x.square().sum().backward()
    outputs["res5"].square().sum().backward()
    torch.testing.assert_close(net.stem.conv1.weight.grad, reference.conv1.weight.grad)
    assert sum(each.numel() for each in net.parameters()) == sum(
        each.numel() for name, each in reference.named_parameters() if not name.startswith("fc.")
    )


@pytest.mark.parametrize(
    "options",
    [
        {"num_groups": 2},
        {"res5_dilation": 2},
        {"deform_on_per_stage": (False, False, False, True)},
    ],
)
def test_what_basic_blocks_do_not_have_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="basic blocks"):
        ResNet(replace(SHALLOW, **options))
