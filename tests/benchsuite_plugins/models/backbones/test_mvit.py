from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.mvit import Block, MViT
from benchsuite_plugins.models.backbones.options import MViTOptions

SMALL = MViTOptions(
    img_size=64,
    embed_dim=8,
    last_block_indexes=(0, 2, 4, 5),
    adaptive_window_size=8,
    drop_path_rate=0.0,
)


def plan(block: Block) -> tuple[int, int, int, int, int]:
    """Width, strides of queries and keys, and windows of queries and keys."""
    attention = block.attn
    return (
        attention.proj.out_features,
        attention.pool_q.stride[0],
        attention.pool_k.stride[0],
        attention.query_window,
        attention.key_window,
    )


def test_blocks_of_the_published_tiny_size() -> None:
    with torch.device("meta"):
        mvit = MViT(MViTOptions(last_block_indexes=(0, 2, 7, 9)))
    assert [plan(block) for block in mvit.blocks] == [
        (96, 1, 4, 56, 14),
        (192, 2, 2, 28, 28),
        (192, 1, 4, 0, 0),
        (384, 2, 1, 14, 28),
        *[(384, 1, 1, 14, 14)] * 3,
        (384, 1, 2, 0, 0),
        (768, 2, 1, 7, 14),
        (768, 1, 1, 0, 0),
    ]


def test_a_pooled_query_is_added_to_what_it_attends_to() -> None:
    attention = MViT(SMALL).blocks[1].attn
    with torch.no_grad():
        attention.norm_v.weight.zero_()  # values, and so all that is attended to, become zero
        tokens = torch.randn(1, 4, 6, 8)
        batch, height, width, _ = tokens.shape
        query = attention.qkv(tokens)[..., :16].reshape(batch, height, width, 2, 8)
        query = query.permute(0, 3, 4, 1, 2).flatten(0, 1)
        query = attention.norm_q(attention.pool_q(query).permute(0, 2, 3, 1))
        merged = query.permute(1, 2, 0, 3).flatten(2)[None]
        torch.testing.assert_close(attention(tokens), attention.proj(merged))


def test_batched_images_are_those_of_batch_one(liven: Callable[[nn.Module], None]) -> None:
    mvit = MViT(SMALL).eval()
    liven(mvit)
    images = torch.randn(2, 3, 70, 100)
    with torch.no_grad():
        both = mvit(images)
        alone = [mvit(image[None]) for image in images]
    for name, feature in both.items():
        expected = torch.cat([outputs[name] for outputs in alone])
        torch.testing.assert_close(feature, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 47), (90, 201)])
def test_maps_are_rounded_up(height: int, width: int) -> None:
    mvit = MViT(SMALL).eval()
    with torch.no_grad():
        outputs = mvit(torch.randn(1, 3, height, width))
    for name, feature in outputs.items():
        stride = mvit.strides[name]
        shape = (1, mvit.channels[name], -(-height // stride), -(-width // stride))
        assert feature.shape == shape and feature.isfinite().all()


def test_recomputed_activations_give_the_same_gradients(
    liven: Callable[[nn.Module], None],
) -> None:
    gradients = []
    for activation_checkpoint in (False, True):
        torch.manual_seed(2)
        options = replace(SMALL, drop_path_rate=0.5, activation_checkpoint=activation_checkpoint)
        mvit = MViT(options).train()
        liven(mvit)
        outputs = mvit(torch.randn(4, 3, 64, 64))
        sum(output.square().sum() for output in outputs.values()).backward()
        gradients.append({name: p.grad for name, p in mvit.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


def test_initial_values() -> None:
    torch.manual_seed(0)
    mvit = MViT(replace(SMALL, embed_dim=64))
    for name, parameter in mvit.named_parameters():
        if "patch_embed" in name or "pool" in name:
            continue
        if "rel_pos" in name or name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name


@pytest.mark.parametrize("last_blocks", [(), (2, 1), (0, 0), (-1, 3)])
def test_last_blocks_that_do_not_ascend(last_blocks: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="last_block_indexes"):
        MViT(replace(SMALL, last_block_indexes=last_blocks))
