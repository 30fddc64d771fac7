"""Plain vision transformer for detection (Li et al., "Exploring plain vision transformer backbones
for object detection", 2022).
"""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.drop_path import DropPath, drop_path_rates
from benchsuite_plugins.models.backbones.mlp import Mlp
from benchsuite_plugins.models.backbones.options import ViTOptions
from benchsuite_plugins.models.backbones.patch_embed import PatchEmbed
from benchsuite_plugins.models.backbones.relative_position import attend
from benchsuite_plugins.models.backbones.transformer_fill import transformer_fill
from benchsuite_plugins.models.backbones.windows import merge_windows, partition_windows
from benchsuite_plugins.models.layers.recomputable_block import RecomputableBlock

NORM_EPS = 1e-6


class Attention(nn.Module):
    """Multi-head attention over a map, or over each window of it: (N, H, W, C) in and out.

    Args:
        table_size: side of the map, in tokens, that the tables of relative positions are made for.
    """

    def __init__(self, dim: int, num_heads: int, table_size: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        distances = 2 * table_size - 1
        self.rel_pos_h = nn.Parameter(torch.zeros(distances, dim // num_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(distances, dim // num_heads))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, height, width, channels = tokens.shape
        shape = (batch, height, width, 3, self.num_heads, channels // self.num_heads)
        heads = self.qkv(tokens).reshape(shape).permute(3, 0, 4, 1, 2, 5)
        query, key, value = heads.flatten(1, 2)
        attended = attend(query, key, value, self.rel_pos_h, self.rel_pos_w)
        attended = attended.reshape(batch, self.num_heads, height, width, -1)
        out: Tensor = self.proj(attended.permute(0, 2, 3, 1, 4).flatten(3))
        return out


class Block(RecomputableBlock):
    """Attention and perceptron, each normalised before and added: (N, H, W, C) in and out.

    Args:
        window_size: side of the windows that tokens attend in; 0: they attend to the whole map.
        map_size: side of the map, in tokens, for which the tables of a global block are made.
        drop_path_rate: of both branches.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        mlp_ratio: float,
        window_size: int,
        map_size: int,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.window_size = window_size
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = Attention(dim, num_heads, window_size or map_size)
        self.drop_path = DropPath(drop_path_rate)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def compute(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.drop_path(self._attend(self.norm1(tokens)))
        out: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return out

    def _attend(self, tokens: Tensor) -> Tensor:
        if not self.window_size:
            attended: Tensor = self.attn(tokens)
            return attended
        # Tokens that fill a window are zero here, but have the biases for keys and values, and are
        # attended to: the published weights were trained so.
        windows = self.attn(partition_windows(tokens, self.window_size))
        return merge_windows(windows, *tokens.shape[:3])


class ViT(nn.Module):
    """Patches, absolute positions and blocks; the one output is ``last_feat``.

    Attributes:
        channels: output name to its channels.
        strides: output name to input pixels a cell.

    Raises:
        UsageError: a global block is none of the blocks, or heads do not divide the width.
    """

    def __init__(self, options: ViTOptions) -> None:
        super().__init__()
        _check(options)
        dim = options.embed_dim
        self.channels = {"last_feat": dim}
        self.strides = {"last_feat": options.patch_size}
        # The first row is the pre-training's class token's, for which there is no use here.
        positions = 1 + (options.pretrain_img_size // options.patch_size) ** 2
        self.pos_embed = nn.Parameter(torch.zeros(1, positions, dim))
        self.patch_embed = PatchEmbed(dim, options.patch_size, stride=options.patch_size)
        rates = drop_path_rates(options.drop_path_rate, options.depth)
        self.blocks = nn.ModuleList(
            Block(
                dim,
                options.num_heads,
                mlp_ratio=options.mlp_ratio,
                window_size=0 if index in options.global_block_indexes else options.window_size,
                map_size=options.img_size // options.patch_size,
                drop_path_rate=rate,
            )
            for index, rate in enumerate(rates)
        )
        for block in self.blocks:
            block.recompute = options.activation_checkpoint
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        transformer_fill(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to (N, embed_dim, H / patch_size, W / patch_size), rounded down."""
        tokens = self.patch_embed(images)
        tokens = tokens + self._positions(tokens.shape[1], tokens.shape[2])
        for block in self.blocks:
            tokens = block(tokens)
        return {"last_feat": tokens.permute(0, 3, 1, 2)}

    def layers_above(self, name: str) -> int:
        """See ``parameter_groups``: 1 for the last block, one more than there are blocks for
        patches and positions."""
        first, _, rest = name.partition(".")
        return len(self.blocks) - (int(rest.partition(".")[0]) if first == "blocks" else -1)

    def _positions(self, height: int, width: int) -> Tensor:
        """(1, height, width, C), bicubically from the pre-training's table."""
        table = self.pos_embed[:, 1:]
        side = isqrt(table.shape[1])
        table = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        table = F.interpolate(table, size=(height, width), mode="bicubic", align_corners=False)
        return table.permute(0, 2, 3, 1)


def _check(options: ViTOptions) -> None:
    for index in options.global_block_indexes:
        if not 0 <= index < options.depth:
            raise UsageError(
                f"vit.global_block_indexes has {index}, but vit.depth is {options.depth}; blocks "
                "are counted from 0"
            )
    if options.embed_dim % options.num_heads:
        raise UsageError(
            f"vit.embed_dim {options.embed_dim} is not a multiple of vit.num_heads "
            f"{options.num_heads}"
        )
