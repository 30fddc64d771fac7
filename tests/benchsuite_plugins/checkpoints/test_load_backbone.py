"""Backbones trained on their own, in a detector."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints import read_checkpoint
from benchsuite_plugins.checkpoints.caffe2_names import from_caffe2
from benchsuite_plugins.checkpoints.load_backbone import load_backbone, match_suffixes
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions, build
from benchsuite_plugins.models.options import FPNOptions, ResNetOptions

NARROW = MaskRCNNOptions(
    resnet=ResNetOptions(stem_out_channels=4, res2_out_channels=8, width_per_group=4),
    fpn=FPNOptions(out_channels=8),
)
BRANCHES = {"shortcut": "branch1", "conv1": "branch2a", "conv2": "branch2b", "conv3": "branch2c"}
VALUES = {
    "weight": "w",
    "norm.weight": "bn_s",
    "norm.bias": "bn_b",
    "norm.running_mean": "bn_rm",
    "norm.running_var": "bn_riv",
}


def caffe2_name(name: str) -> str:
    """The other way round, written down apart: ``res2.0.conv1.norm.bias`` to Caffe2's."""
    stage, _, rest = name.partition(".")
    if stage == "stem":
        value = VALUES[rest.removeprefix("conv1.")]
        return f"conv1_{value}" if value == "w" else f"res_conv1_{value}"
    block, conv, value = rest.split(".", 2)
    return f"{stage}_{block}_{BRANCHES[conv]}_{VALUES[value]}"


def backbone_state(model: nn.Module) -> dict[str, Tensor]:
    """Other values for the ResNet, by its own names."""
    torch.manual_seed(1)
    prefix = "backbone.bottom_up."
    return {
        name.removeprefix(prefix): torch.rand(value.shape)
        for name, value in model.state_dict().items()
        if name.startswith(prefix)
    }


def test_names_of_caffe2() -> None:
    expected = {
        "conv1_w": "stem.conv1.weight",
        "res_conv1_bn_s": "stem.conv1.norm.weight",
        "res_conv1_bn_b": "stem.conv1.norm.bias",
        "conv1_gn_s": "stem.conv1.norm.weight",
        "res2_0_branch1_w": "res2.0.shortcut.weight",
        "res4_22_branch2a_bn_s": "res4.22.conv1.norm.weight",
        "res5_2_branch2b_bn_riv": "res5.2.conv2.norm.running_var",
        "res3_1_branch2c_gn_b": "res3.1.conv3.norm.bias",
        "pred_w": "linear.weight",
        "fc1000_b": "linear.bias",
        "stem.conv1.weight": "stem.conv1.weight",
    }
    state = {name: torch.tensor(float(i)) for i, name in enumerate(expected)}
    renamed = from_caffe2({**state, "conv1_w_momentum": torch.tensor(9.0)})
    assert set(renamed) == set(expected.values())


@pytest.mark.parametrize("caffe2", [False, True])
def test_a_backbone_finds_its_place(caffe2: bool, tmp_path: Path) -> None:
    model = build(NARROW, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = backbone_state(model)
    arrays = {(caffe2_name(name) if caffe2 else name): v.numpy() for name, v in state.items()}
    arrays["pred_w" if caffe2 else "fc.weight"] = np.zeros((5, 64), np.float32)
    file = tmp_path / "R-50.pkl"
    content = {"blobs": arrays} if caffe2 else {"model": arrays, "matching_heuristics": True}
    file.write_bytes(pickle.dumps(content))
    started = load_backbone(model, read_checkpoint(file), file)
    assert len(started.loaded) == len(state)
    assert started.left_over == (("linear.weight",) if caffe2 else ("fc.weight",))
    assert started.misshapen == ()
    for name, value in model.state_dict().items():
        own = state.get(name.removeprefix("backbone.bottom_up."))
        assert torch.equal(value, before[name] if own is None else own), name


def test_other_shapes_are_told_and_left() -> None:
    model = build(NARROW, 3)
    state = backbone_state(model)
    state["res2.0.conv1.weight"] = torch.rand(1, 1, 1, 1)
    name = "backbone.bottom_up.res2.0.conv1.weight"
    before = model.state_dict()[name].clone()
    started = load_backbone(model, state, "f")
    assert started.misshapen == (name,)
    assert torch.equal(model.state_dict()[name], before)


def test_what_is_no_backbone_of_the_model() -> None:
    model = build(NARROW, 3)
    with pytest.raises(InputError, match=r"f: holds nothing .* features\.0\.weight"):
        load_backbone(model, {"features.0.weight": torch.ones(1)}, "f")
    with pytest.raises(InputError, match="could be"):
        load_backbone(model, {"conv1.weight": torch.ones(1)}, "f")


def test_the_longest_ending_of_whole_parts() -> None:
    wanted = ["a.res2.conv1.w", "a.stem.conv1.w", "a.myconv1.w", "b"]
    assert match_suffixes(wanted, ["conv1.w", "res2.conv1.w", "b"]) == {
        "a.res2.conv1.w": "res2.conv1.w",
        "a.stem.conv1.w": "conv1.w",
        "b": "b",
    }


def test_the_state_of_pycls(tmp_path: Path) -> None:
    file = tmp_path / "MViTv2_T.pyth"
    torch.save({"epoch": 3, "model_state": {"a": torch.ones(2)}, "cfg": "text"}, file)
    assert read_checkpoint(file)["a"].tolist() == [1, 1]
