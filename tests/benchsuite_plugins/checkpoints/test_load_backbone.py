"""Backbones trained on their own, in a detector."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints import read_checkpoint
from benchsuite_plugins.checkpoints.caffe2_names import from_caffe2
from benchsuite_plugins.checkpoints.load_backbone import find_places, load_backbone
from benchsuite_plugins.models.backbones.options import ViTOptions
from benchsuite_plugins.models.faster_rcnn_c4 import FasterRCNNC4Options
from benchsuite_plugins.models.faster_rcnn_c4 import build as build_c4
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions, build
from benchsuite_plugins.models.options import FPNOptions, ResNetOptions
from benchsuite_plugins.models.vitdet_mask_rcnn import ViTDetMaskRCNNOptions
from benchsuite_plugins.models.vitdet_mask_rcnn import build as build_vitdet

NARROW = MaskRCNNOptions(
    resnet=ResNetOptions(stem_out_channels=4, res2_out_channels=8, width_per_group=4),
    fpn=FPNOptions(out_channels=8),
)
NARROW_VIT = ViTDetMaskRCNNOptions(
    vit=ViTOptions(embed_dim=32, depth=4, num_heads=2, window_size=2, global_block_indexes=(1, 3))
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


def test_a_network_goes_where_the_most_of_it_is() -> None:
    wanted = [
        "backbone.patch_embed.norm.weight",
        "backbone.patch_embed.proj.weight",
        "backbone.layers.0.norm1.weight",
        "heads.layers.0.norm1.weight",
        "heads.conv1.norm.weight",
        "heads.res5.0.conv1.weight",
        "b",
    ]
    given = [
        "patch_embed.norm.weight",
        "patch_embed.proj.weight",
        "layers.0.norm1.weight",
        "norm.weight",
        "res5.0.conv1.weight",
        "myb",
    ]
    assert find_places(wanted, given) == {
        "backbone.patch_embed.norm.weight": "patch_embed.norm.weight",
        "backbone.patch_embed.proj.weight": "patch_embed.proj.weight",
        "backbone.layers.0.norm1.weight": "layers.0.norm1.weight",
        "heads.res5.0.conv1.weight": "res5.0.conv1.weight",
    }
    assert find_places(wanted, ["c"]) == {}


RESNET_50 = {"stem": "", "res2": "layer1", "res3": "layer2", "res4": "layer3", "res5": "layer4"}


def torchvision_name(name: str) -> str:
    """The other way round, written down apart."""
    stage, _, rest = name.partition(".")
    rest = re.sub(r"(conv|shortcut)(\d?)\.norm", r"\1norm\2", rest)
    for ours, theirs in (
        ("shortcutnorm.", "downsample.1."),
        ("shortcut.", "downsample.0."),
        ("convnorm", "bn"),
    ):
        rest = rest.replace(ours, theirs)
    return f"{RESNET_50[stage]}.{rest}".lstrip(".")


@pytest.mark.parametrize("c4", [False, True])
def test_torchvisions_classifier(c4: bool) -> None:
    torch.manual_seed(0)
    published = torchvision.models.resnet50(weights=None)
    state = {name: torch.rand_like(value.float()) for name, value in published.state_dict().items()}
    resnet = ResNetOptions(stride_in_1x1=False)
    model = (
        build_c4(FasterRCNNC4Options(resnet=resnet), 3)
        if c4
        else build(MaskRCNNOptions(resnet=resnet), 3)
    )
    started = load_backbone(model, state, "resnet50.pth")
    assert started.left_over == ("fc.weight", "fc.bias")
    assert started.misshapen == ()
    assert len(started.loaded) == sum("fc." not in n and "num_batches" not in n for n in state)
    for name in started.loaded:
        own = re.sub(r"^(backbone\.bottom_up|backbone|roi_heads)\.", "", name)
        assert torch.equal(model.state_dict()[name], state[torchvision_name(own)]), name


def test_a_masked_autoencoders_vit() -> None:
    """The published file has a class token, and ends in a normalisation that heads have too."""
    with torch.device("meta"):
        model = build_vitdet(NARROW_VIT, 3)
    own = {
        name.removeprefix("backbone.net."): torch.rand(value.shape)
        for name, value in model.state_dict().items()
        if name.startswith("backbone.net.") and "rel_pos" not in name
    }
    assert "pos_embed" in own
    others = {
        "cls_token": torch.rand(1, 1, 32),
        "norm.weight": torch.rand(32),
        "norm.bias": torch.rand(32),
    }
    model.to_empty(device="cpu")
    started = load_backbone(model, {**others, **own}, "mae.pth")
    assert started.left_over == tuple(others)
    assert set(started.loaded) == {f"backbone.net.{name}" for name in own}
    for name, value in own.items():
        assert torch.equal(model.state_dict()[f"backbone.net.{name}"], value), name


def test_the_state_of_pycls(tmp_path: Path) -> None:
    file = tmp_path / "MViTv2_T.pyth"
    torch.save({"epoch": 3, "model_state": {"a": torch.ones(2)}, "cfg": "text"}, file)
    assert read_checkpoint(file)["a"].tolist() == [1, 1]
