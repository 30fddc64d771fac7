"""Learning rate and weight decay of single parameters of published recipes, computed by hand from
the publisher's configurations."""

from __future__ import annotations

from functools import cache

import pytest

from benchsuite.options import read_options
from benchsuite.protocols import TrainableModel
from benchsuite.training.optimization.optimizer import build_optimizer
from benchsuite.training.options import TrainingOptions
from benchsuite_plugins.models.from_recipe import build_on_meta
from benchsuite_zoo.recipes import read_recipe

R_50 = "mask_rcnn_R_50_FPN_1x"
GN = "mask_rcnn_R_50_FPN_3x_gn"
VIT = "mask_rcnn_vitdet_b_100ep"
SWIN = "cascade_mask_rcnn_swin_b_in21k_50ep"
MVIT = "mask_rcnn_mvitv2_t_3x"


@cache
def settings(recipe: str) -> dict[str, tuple[float, float]]:
    """Parameter's name to its learning rate and weight decay."""
    model = build_on_meta(recipe)
    assert isinstance(model, TrainableModel)
    options: TrainingOptions = read_options(
        TrainingOptions, read_recipe(recipe)["training"], "training"
    )
    return {
        name: (group["lr"], group["weight_decay"])
        for group in build_optimizer(model.parameter_groups(), options.optimizer).param_groups
        for name in group["param_names"]
    }


@pytest.mark.parametrize(
    ("recipe", "parameter", "lr", "weight_decay"),
    [
        (R_50, "backbone.bottom_up.res3.0.conv1.weight", 0.02, 1e-4),
        (R_50, "roi_heads.box_head.fc1.bias", 0.02, 1e-4),
        (GN, "backbone.bottom_up.res3.0.conv1.norm.weight", 0.02, 0.0),
        (GN, "roi_heads.mask_head.mask_fcn1.norm.bias", 0.02, 0.0),
        (VIT, "backbone.net.pos_embed", 1e-4 * 0.7**13, 0.0),
        (VIT, "backbone.net.patch_embed.proj.weight", 1e-4 * 0.7**13, 0.1),
        (VIT, "backbone.net.blocks.0.norm1.weight", 1e-4 * 0.7**12, 0.0),
        (VIT, "backbone.net.blocks.5.attn.rel_pos_h", 1e-4 * 0.7**7, 0.1),
        (VIT, "backbone.net.blocks.11.mlp.fc2.bias", 1e-4 * 0.7, 0.1),
        (VIT, "backbone.simfp_2.1.weight", 1e-4, 0.1),
        (VIT, "roi_heads.box_head.conv1.norm.weight", 1e-4, 0.1),
        (SWIN, "backbone.bottom_up.patch_embed.norm.weight", 4e-5, 0.0),
        (SWIN, "backbone.bottom_up.layers.2.blocks.3.attn.qkv.weight", 4e-5, 0.05),
        (
            SWIN,
            "backbone.bottom_up.layers.2.blocks.3.attn.relative_position_bias_table",
            4e-5,
            0.0,
        ),
        (MVIT, "backbone.bottom_up.blocks.3.attn.rel_pos_w", 1.6e-4, 0.0),
        (MVIT, "backbone.bottom_up.blocks.3.attn.norm_q.bias", 1.6e-4, 0.0),
        (MVIT, "backbone.bottom_up.blocks.3.attn.pool_k.weight", 1.6e-4, 0.1),
    ],
)
def test_of_a_parameter(recipe: str, parameter: str, lr: float, weight_decay: float) -> None:
    assert settings(recipe)[parameter] == pytest.approx((lr, weight_decay), rel=1e-12)


@pytest.mark.parametrize("stage", ["stem", "res2"])
def test_frozen_stages_do_not_train(stage: str) -> None:
    assert not any(name.startswith(f"backbone.bottom_up.{stage}.") for name in settings(R_50))
