from __future__ import annotations

import pytest
from benchsuite_plugins.models.backbones.layer_decay import layer_decay


@pytest.mark.parametrize(
    ("parameter", "power"),
    [
        ("backbone.net.pos_embed", 13),
        ("backbone.net.patch_embed.proj.weight", 13),
        ("backbone.net.blocks.0.norm1.weight", 12),
        ("backbone.net.blocks.11.mlp.fc2.bias", 1),
        ("backbone.simfp_2.0.weight", 0),
        ("roi_heads.box_head.blocks.3.weight", 0),
    ],
)
def test_factors_of_vitdet_b(parameter: str, power: int) -> None:
    assert layer_decay(parameter, 0.7, 12) == pytest.approx(0.7**power)
