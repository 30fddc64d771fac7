from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.options import SimpleFeaturePyramidOptions, ViTOptions
from benchsuite_plugins.models.backbones.simple_feature_pyramid import SimpleFeaturePyramid
from benchsuite_plugins.models.backbones.vit import ViT
from benchsuite_plugins.models.fpn import LastLevelMaxPool

SMALL = ViTOptions(
    img_size=128,
    embed_dim=24,
    depth=3,
    num_heads=2,
    window_size=3,
    global_block_indexes=(1,),
    drop_path_rate=0.0,
)


def test_batched_images_are_those_of_batch_one(liven: Callable[[nn.Module], None]) -> None:
    vit = ViT(SMALL).eval()
    liven(vit)
    images = torch.randn(2, 3, 80, 112)
    with torch.no_grad():
        both = vit(images)["last_feat"]
        alone = torch.cat([vit(image[None])["last_feat"] for image in images])
    torch.testing.assert_close(both, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 47), (100, 207), (16, 400)])
def test_maps_are_rounded_down(height: int, width: int) -> None:
    vit = ViT(SMALL).eval()
    with torch.no_grad():
        feature = vit(torch.randn(1, 3, height, width))["last_feat"]
    assert feature.shape == (1, 24, height // 16, width // 16)
    assert feature.isfinite().all()


def test_windows_do_not_see_each_other_but_global_blocks_do() -> None:
    def changed(options: ViTOptions) -> torch.Tensor:
        torch.manual_seed(0)
        vit = ViT(options).eval()
        images = torch.randn(1, 3, 96, 96)
        other = images.clone()
        other[..., :16, :16] += 1
        with torch.no_grad():
            return (vit(images)["last_feat"] != vit(other)["last_feat"]).any(1)[0]

    windowed = changed(replace(SMALL, global_block_indexes=()))
    assert windowed[:3, :3].all() and not windowed[3:].any() and not windowed[:, 3:].any()
    assert changed(SMALL).all()


def test_positions_of_the_pre_training_s_own_grid_are_as_learnt() -> None:
    vit = ViT(SMALL)
    learnt = vit.pos_embed[:, 1:].reshape(1, 14, 14, 24)
    assert torch.equal(vit._positions(14, 14), learnt)
    assert vit._positions(5, 21).shape == (1, 5, 21, 24)


def test_recomputed_activations_give_the_same_gradients(
    liven: Callable[[nn.Module], None],
) -> None:
    gradients = []
    for activation_checkpoint in (False, True):
        options = replace(SMALL, drop_path_rate=0.5, activation_checkpoint=activation_checkpoint)
        torch.manual_seed(2)
        vit = ViT(options).train()
        liven(vit)
        vit(torch.randn(4, 3, 64, 64))["last_feat"].square().sum().backward()
        gradients.append({name: p.grad for name, p in vit.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        assert gradient is not None and gradient.abs().sum() > 0, name
        torch.testing.assert_close(gradient, gradients[1][name])


def test_initial_values() -> None:
    torch.manual_seed(0)
    vit = ViT(replace(SMALL, embed_dim=96))
    for name, parameter in vit.named_parameters():
        if "rel_pos" in name or (name.endswith("bias") and "patch_embed" not in name):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        elif "patch_embed" not in name:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.05), name


def test_the_seed_decides_the_initial_values() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in ViT(SMALL).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_levels_of_the_pyramid() -> None:
    pyramid = SimpleFeaturePyramid(
        ViT(SMALL), SimpleFeaturePyramidOptions(out_channels=8), LastLevelMaxPool()
    ).eval()
    assert pyramid.strides == {"p2": 4, "p3": 8, "p4": 16, "p5": 32, "p6": 64}
    assert pyramid.size_divisibility == 32
    with torch.no_grad():
        levels = pyramid(torch.randn(2, 3, 64, 96))
    assert {name: tuple(level.shape) for name, level in levels.items()} == {
        "p2": (2, 8, 16, 24),
        "p3": (2, 8, 8, 12),
        "p4": (2, 8, 4, 6),
        "p5": (2, 8, 2, 3),
        "p6": (2, 8, 1, 2),
    }
    assert torch.equal(levels["p6"], levels["p5"][..., ::2, ::2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (replace(SMALL, global_block_indexes=(3,)), r"global_block_indexes has 3.*depth is 3"),
        (replace(SMALL, global_block_indexes=(-1,)), "counted from 0"),
        (replace(SMALL, num_heads=5), "embed_dim 24 is not a multiple of vit.num_heads 5"),
    ],
)
def test_options_that_cannot_be_built(options: ViTOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ViT(options)


def test_a_scale_that_there_is_not() -> None:
    options = SimpleFeaturePyramidOptions(scale_factors=(4.0, 3.0))
    with pytest.raises(UsageError, match=r"has 3\.0; there are: 4, 2, 1, 0\.5"):
        SimpleFeaturePyramid(ViT(SMALL), options, LastLevelMaxPool())
