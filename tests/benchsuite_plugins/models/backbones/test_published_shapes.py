"""Names and shapes of all published ViTDet, Swin, MViTv2 and RegNet backbones (meta device)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from benchsuite_plugins.models.backbones.mvit import MViT
from benchsuite_plugins.models.backbones.options import (
    MViTOptions,
    RegNetOptions,
    SimpleFeaturePyramidOptions,
    SwinOptions,
    ViTOptions,
)
from benchsuite_plugins.models.backbones.regnet import RegNet
from benchsuite_plugins.models.backbones.simple_feature_pyramid import SimpleFeaturePyramid
from benchsuite_plugins.models.backbones.swin import SwinTransformer
from benchsuite_plugins.models.backbones.vit import ViT
from benchsuite_plugins.models.fpn import FPN, LastLevelMaxPool
from benchsuite_plugins.models.options import FPNOptions, NormName

VIT_L = ViTOptions(embed_dim=1024, depth=24, num_heads=16, global_block_indexes=(5, 11, 17, 23))
VIT_H = ViTOptions(embed_dim=1280, depth=32, num_heads=16, global_block_indexes=(7, 15, 23, 31))
SWIN_L = SwinOptions(embed_dim=192, num_heads=(6, 12, 24, 48))
MVIT_T = MViTOptions(last_block_indexes=(0, 2, 7, 9))
MVIT_S = MViTOptions(last_block_indexes=(0, 2, 13, 15))
MVIT_L = MViTOptions(embed_dim=144, num_heads=2, last_block_indexes=(1, 7, 43, 47))
MVIT_H = MViTOptions(embed_dim=192, num_heads=3, last_block_indexes=(3, 11, 71, 79))
REGNET_Y = RegNetOptions(depth=22, w_a=31.41, w_m=2.24, group_width=64, se_ratio=0.25)
FROZEN_X = RegNetOptions(norm="FrozenBN", freeze_at=2)
FROZEN_Y = RegNetOptions(
    depth=22, w_a=31.41, w_m=2.24, group_width=64, se_ratio=0.25, norm="FrozenBN", freeze_at=2
)

PUBLISHED = {
    "projects/ViTDet/configs/COCO/mask_rcnn_vitdet_b_100ep.py": ViTOptions(),
    "projects/ViTDet/configs/COCO/mask_rcnn_vitdet_l_100ep.py": VIT_L,
    "projects/ViTDet/configs/COCO/mask_rcnn_vitdet_h_75ep.py": VIT_H,
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_vitdet_b_100ep.py": ViTOptions(),
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_vitdet_l_100ep.py": VIT_L,
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_vitdet_h_75ep.py": VIT_H,
    "projects/ViTDet/configs/LVIS/mask_rcnn_vitdet_b_100ep.py": ViTOptions(),
    "projects/ViTDet/configs/LVIS/mask_rcnn_vitdet_l_100ep.py": VIT_L,
    "projects/ViTDet/configs/LVIS/mask_rcnn_vitdet_h_100ep.py": VIT_H,
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_vitdet_b_100ep.py": ViTOptions(),
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_vitdet_l_100ep.py": VIT_L,
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_vitdet_h_100ep.py": VIT_H,
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_swin_b_in21k_50ep.py": SwinOptions(),
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_swin_l_in21k_50ep.py": SWIN_L,
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_swin_b_in21k_50ep.py": SwinOptions(),
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_swin_l_in21k_50ep.py": SWIN_L,
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_mvitv2_b_in21k_100ep.py": MViTOptions(),
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_mvitv2_l_in21k_50ep.py": MVIT_L,
    "projects/ViTDet/configs/COCO/cascade_mask_rcnn_mvitv2_h_in21k_36ep.py": MVIT_H,
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_mvitv2_b_in21k_100ep.py": MViTOptions(),
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_mvitv2_l_in21k_50ep.py": MVIT_L,
    "projects/ViTDet/configs/LVIS/cascade_mask_rcnn_mvitv2_h_in21k_50ep.py": MVIT_H,
    "projects/MViTv2/configs/mask_rcnn_mvitv2_t_3x.py": MVIT_T,
    "projects/MViTv2/configs/cascade_mask_rcnn_mvitv2_t_3x.py": MVIT_T,
    "projects/MViTv2/configs/cascade_mask_rcnn_mvitv2_s_3x.py": MVIT_S,
    "projects/MViTv2/configs/cascade_mask_rcnn_mvitv2_b_3x.py": MViTOptions(),
    "projects/MViTv2/configs/cascade_mask_rcnn_mvitv2_b_in21k_3x.py": MViTOptions(),
    "projects/MViTv2/configs/cascade_mask_rcnn_mvitv2_l_in21k_lsj_50ep.py": MVIT_L,
    "projects/MViTv2/configs/cascade_mask_rcnn_mvitv2_h_in21k_lsj_3x.py": MVIT_H,
    "configs/COCO-InstanceSegmentation/mask_rcnn_regnetx_4gf_dds_fpn_1x.py": FROZEN_X,
    "configs/COCO-InstanceSegmentation/mask_rcnn_regnety_4gf_dds_fpn_1x.py": FROZEN_Y,
    "configs/new_baselines/mask_rcnn_regnetx_4gf_dds_FPN_100ep_LSJ.py": RegNetOptions(),
    "configs/new_baselines/mask_rcnn_regnetx_4gf_dds_FPN_200ep_LSJ.py": RegNetOptions(),
    "configs/new_baselines/mask_rcnn_regnetx_4gf_dds_FPN_400ep_LSJ.py": RegNetOptions(),
    "configs/new_baselines/mask_rcnn_regnety_4gf_dds_FPN_100ep_LSJ.py": REGNET_Y,
    "configs/new_baselines/mask_rcnn_regnety_4gf_dds_FPN_200ep_LSJ.py": REGNET_Y,
    "configs/new_baselines/mask_rcnn_regnety_4gf_dds_FPN_400ep_LSJ.py": REGNET_Y,
}

NETWORKS: dict[type[Any], type[Any]] = {
    SwinOptions: SwinTransformer,
    MViTOptions: MViT,
    RegNetOptions: RegNet,
}


def build(config: str, options: Any) -> nn.Module:
    if isinstance(options, ViTOptions):
        pyramid = SimpleFeaturePyramidOptions()
        return SimpleFeaturePyramid(ViT(options), pyramid, LastLevelMaxPool())
    net = NETWORKS[type(options)](options)
    # The ViTDet project normalises the pyramid's channels; the new baselines its batch.
    layer_norm = "projects/ViTDet" in config
    norm: NormName = "LN" if layer_norm else "SyncBN" if "new_baselines" in config else ""
    return FPN(net, FPNOptions(in_features=tuple(net.channels), norm=norm), LastLevelMaxPool())


@pytest.mark.parametrize("config", PUBLISHED)
def test_names_and_shapes_are_the_published_ones(
    config: str, published_backbones: dict[str, list[tuple[str, list[int]]]]
) -> None:
    with torch.device("meta"):
        state = build(config, PUBLISHED[config]).state_dict()
    shapes = [(name, list(tensor.shape)) for name, tensor in state.items()]
    assert shapes == published_backbones[config]


def test_no_published_backbone_of_these_kinds_is_left_out(
    published_backbones: dict[str, list[tuple[str, list[int]]]],
) -> None:
    kinds = ("vit", "swin", "regnet")
    assert {c for c in published_backbones if any(k in c.lower() for k in kinds)} == set(PUBLISHED)


def test_outputs_are_told_of() -> None:
    with torch.device("meta"):
        for options, network in (
            (ViTOptions(), ViT),
            (SwinOptions(), SwinTransformer),
            (MVIT_T, MViT),
            (RegNetOptions(), RegNet),
        ):
            net = network(options).eval()
            outputs = net(torch.empty(1, 3, 256, 320))
            assert {name: out.shape[1] for name, out in outputs.items()} == net.channels
            assert {name: (out.shape[2], out.shape[3]) for name, out in outputs.items()} == {
                name: (256 // stride, 320 // stride) for name, stride in net.strides.items()
            }
