from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.options import SwinOptions
from benchsuite_plugins.models.backbones.swin import (
    PatchMerging,
    SwinTransformer,
    region_bias,
    relative_position_index,
)

SMALL = SwinOptions(embed_dim=8, depths=(2, 2), num_heads=(1, 2), drop_path_rate=0.0)


def test_rows_of_the_bias_table() -> None:
    assert relative_position_index(2).tolist() == [
        [4, 3, 1, 0],
        [5, 4, 2, 1],
        [7, 6, 4, 3],
        [8, 7, 5, 4],
    ]


def test_regions_of_shifted_windows() -> None:
    """A row of 5 tokens in windows of 4 is filled to 8 and rolled by 2: the second window holds
    tokens 6, 7, 0 and 1, of which the last two were not the first two's neighbours."""
    first, second = region_bias(torch.zeros(1, 1, 5, 1), 4)
    # In a window that is one row high before it is filled, rows 2 and 3 come from the top.
    row = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
    column = torch.tensor([0, 0, 1, 1] * 4)
    assert torch.equal(first, -100.0 * (row[:, None] != row))
    region = 2 * row + column
    assert torch.equal(second, -100.0 * (region[:, None] != region))


def test_neighbours_are_merged_column_by_column() -> None:
    merging = PatchMerging(1)
    tokens = torch.tensor([[1.0, 2, 3], [4, 5, 6]]).reshape(1, 2, 3, 1)
    seen = []
    merging.norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    assert merging(tokens).shape == (1, 1, 2, 2)
    assert seen[0].tolist() == [[[[1, 4, 2, 5], [3, 6, 0, 0]]]]


def test_batched_images_are_those_of_batch_one(liven: Callable[[nn.Module], None]) -> None:
    swin = SwinTransformer(SMALL).eval()
    liven(swin)
    images = torch.randn(2, 3, 70, 90)
    with torch.no_grad():
        both = swin(images)
        alone = [swin(image[None]) for image in images]
    for name, feature in both.items():
        expected = torch.cat([outputs[name] for outputs in alone])
        torch.testing.assert_close(feature, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 47), (90, 201)])
def test_maps_are_rounded_up(height: int, width: int) -> None:
    swin = SwinTransformer(SMALL).eval()
    with torch.no_grad():
        outputs = swin(torch.randn(1, 3, height, width))
    for name, feature in outputs.items():
        stride = swin.strides[name]
        shape = (1, swin.channels[name], -(-height // stride), -(-width // stride))
        assert feature.shape == shape and feature.isfinite().all()


def test_shifted_windows_let_neighbouring_windows_see_each_other(
    liven: Callable[[nn.Module], None],
) -> None:
    torch.manual_seed(0)
    swin = SwinTransformer(SMALL).eval()
    liven(swin)
    images = torch.randn(1, 3, 112, 112)
    other = images.clone()
    other[..., 24:28, 24:28] += 1  # token 6, 6: the last of the first window
    with torch.no_grad():
        changed = (swin(images)["p0"] != swin(other)["p0"]).any(1)[0]
    # Block 0 spreads it over tokens 0 to 6, block 1 over the window from 3 to 9 (0 to 2 share one
    # with tokens from the other end, which are kept apart).
    assert changed[:10, :10].all() and not changed[10:].any() and not changed[:, 10:].any()


def test_recomputed_activations_give_the_same_gradients(
    liven: Callable[[nn.Module], None],
) -> None:
    gradients = []
    for activation_checkpoint in (False, True):
        torch.manual_seed(2)
        options = SwinOptions(
            8, (2, 2), (1, 2), drop_path_rate=0.5, activation_checkpoint=activation_checkpoint
        )
        swin = SwinTransformer(options).train()
        liven(swin)
        outputs = swin(torch.randn(4, 3, 64, 64))
        sum(output.square().sum() for output in outputs.values()).backward()
        gradients.append({name: p.grad for name, p in swin.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


def test_initial_values() -> None:
    torch.manual_seed(0)
    swin = SwinTransformer(SwinOptions(embed_dim=64, depths=(1, 1), num_heads=(4, 8)))
    for name, parameter in swin.named_parameters():
        if "patch_embed.proj" in name:
            continue
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name


def test_heads_for_stages_that_there_are_not() -> None:
    with pytest.raises(UsageError, match=r"2 stages, but swin\.num_heads 3"):
        SwinTransformer(SwinOptions(depths=(2, 2), num_heads=(1, 2, 4)))
