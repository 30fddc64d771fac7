"""Multiscale vision transformer, version 2 (Li et al., "MViTv2: improved multiscale vision
transformers for classification and detection", 2022).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.drop_path import DropPath, drop_path_rates
from benchsuite_plugins.models.backbones.mlp import Mlp
from benchsuite_plugins.models.backbones.options import MViTOptions
from benchsuite_plugins.models.backbones.patch_embed import PatchEmbed
from benchsuite_plugins.models.backbones.relative_position import attend
from benchsuite_plugins.models.backbones.transformer_fill import transformer_fill
from benchsuite_plugins.models.backbones.windows import merge_windows, partition_windows
from benchsuite_plugins.models.layers.recomputable_block import RecomputableBlock

NORM_EPS = 1e-6

PATCH_STRIDE = 4


class PoolingAttention(nn.Module):
    """Multi-head attention of a pooled map to a pooled map, or of windows of them.

    Args:
        stride_q, stride_kv: of the pooling of queries, and of keys and values.
        window_size: side, in tokens before the pooling, of the windows; 0: the whole map.
        map_size: side of the map, in tokens before the pooling, for which the tables of relative
            positions are made.
    """

    def __init__(
        self,
        dim: int,
        dim_out: int,
        num_heads: int,
        *,
        stride_q: int,
        stride_kv: int,
        window_size: int,
        map_size: int,
    ) -> None:
        super().__init__()
        head_dim = dim_out // num_heads
        self.num_heads = num_heads
        self.query_window = window_size // stride_q
        self.key_window = window_size // stride_kv
        distances = 2 * max(map_size // stride_q, map_size // stride_kv) - 1
        self.rel_pos_h = nn.Parameter(torch.zeros(distances, head_dim))
        self.rel_pos_w = nn.Parameter(torch.zeros(distances, head_dim))
        self.qkv = nn.Linear(dim, 3 * dim_out)
        self.proj = nn.Linear(dim_out, dim_out)
        self.pool_q = _pooling(head_dim, stride_q)
        self.norm_q = nn.LayerNorm(head_dim, eps=NORM_EPS)
        self.pool_k = _pooling(head_dim, stride_kv)
        self.norm_k = nn.LayerNorm(head_dim, eps=NORM_EPS)
        self.pool_v = _pooling(head_dim, stride_kv)
        self.norm_v = nn.LayerNorm(head_dim, eps=NORM_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, H, W, dim) to (N, H / stride_q, W / stride_q, dim_out), rounded up."""
        batch, height, width, _ = tokens.shape
        heads = self.qkv(tokens).reshape(batch, height, width, 3, self.num_heads, -1)
        query, key, value = heads.permute(3, 0, 4, 1, 2, 5).flatten(1, 2)
        query = self.norm_q(_channels_first(self.pool_q, query))
        key = self.norm_k(_channels_first(self.pool_k, key))
        value = self.norm_v(_channels_first(self.pool_v, value))
        attended = self._attend(query, key, value) + query
        attended = attended.unflatten(0, (batch, self.num_heads))
        out: Tensor = self.proj(attended.permute(0, 2, 3, 1, 4).flatten(3))
        return out

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if not self.query_window:
            return attend(query, key, value, self.rel_pos_h, self.rel_pos_w)
        # Keys that fill a window are zero, and attended to: the published weights were trained so.
        windows = attend(
            partition_windows(query, self.query_window),
            partition_windows(key, self.key_window),
            partition_windows(value, self.key_window),
            self.rel_pos_h,
            self.rel_pos_w,
        )
        return merge_windows(windows, *query.shape[:3])


class Block(RecomputableBlock):
    """Attention and perceptron, each normalised before and added.

    The first block of a scale (but of the first) doubles the width and halves the map. Arguments
    are those of ``PoolingAttention``.
    """

    def __init__(
        self,
        dim: int,
        dim_out: int,
        num_heads: int,
        *,
        stride_q: int,
        stride_kv: int,
        window_size: int,
        map_size: int,
        mlp_ratio: float,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = PoolingAttention(
            dim,
            dim_out,
            num_heads,
            stride_q=stride_q,
            stride_kv=stride_kv,
            window_size=window_size,
            map_size=map_size,
        )
        self.drop_path = DropPath(drop_path_rate)
        self.norm2 = nn.LayerNorm(dim_out, eps=NORM_EPS)
        self.mlp = Mlp(dim_out, int(dim_out * mlp_ratio))
        self.proj = nn.Linear(dim, dim_out) if dim != dim_out else None
        self.pool_skip = (
            nn.MaxPool2d(stride_q + 1, stride_q, (stride_q + 1) // 2) if stride_q > 1 else None
        )

    def compute(self, tokens: Tensor) -> Tensor:
        """(N, H, W, dim) to (N, H / stride_q, W / stride_q, dim_out), rounded up."""
        normed = self.norm1(tokens)
        # Where the width changes, the identity branch is normalised too.
        skip = tokens if self.proj is None else self.proj(normed)
        if self.pool_skip is not None:
            skip = _channels_first(self.pool_skip, skip)
        tokens = skip + self.drop_path(self.attn(normed))
        out: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return out


class MViT(nn.Module):
    """Patches and blocks in scales of half the size and twice the width each; the outputs are
    ``scale2``, ``scale3``, ..., of strides 4, 8, ...

    Attributes:
        channels: output name to its channels.
        strides: output name to input pixels a cell.

    Raises:
        UsageError: there are no last blocks, or they do not ascend.
    """

    def __init__(self, options: MViTOptions) -> None:
        super().__init__()
        last_blocks = options.last_block_indexes
        if not last_blocks or any(a >= b for a, b in pairwise((-1, *last_blocks))):
            raise UsageError(
                f"mvit.last_block_indexes is {last_blocks}; give the last block of each scale, in "
                "ascending order, counted from 0"
            )
        scales = range(len(last_blocks))
        self.channels = {f"scale{scale + 2}": options.embed_dim * 2**scale for scale in scales}
        self.strides = {f"scale{scale + 2}": PATCH_STRIDE * 2**scale for scale in scales}
        self.last_blocks = dict(zip(last_blocks, self.channels, strict=True))
        self.patch_embed = PatchEmbed(options.embed_dim, 7, stride=PATCH_STRIDE, padding=3)
        self.blocks = nn.ModuleList()
        rates = drop_path_rates(options.drop_path_rate, last_blocks[-1] + 1)
        first = 0
        for scale, last in enumerate(last_blocks):
            dim_out = options.embed_dim * 2**scale
            stride_kv = max(options.adaptive_kv_stride // 2**scale, 1)
            for index in range(first, last + 1):
                # A scale's first block takes the map of the scale before.
                entering = index == first and scale > 0
                before = scale - entering
                # Between the first scale and the last, a last block pools its keys once more.
                coarser = index == last and 0 < scale < len(last_blocks) - 1
                attends_globally = index == last and scale > 0
                window_size = options.adaptive_window_size // 2**before
                self.blocks.append(
                    Block(
                        options.embed_dim * 2**before,
                        dim_out,
                        options.num_heads * 2**scale,
                        stride_q=2 if entering else 1,
                        stride_kv=stride_kv * 2 if coarser else stride_kv,
                        window_size=0 if attends_globally else window_size,
                        map_size=options.img_size // PATCH_STRIDE // 2**before,
                        mlp_ratio=options.mlp_ratio,
                        drop_path_rate=rates[index],
                    )
                )
            first = last + 1
        for block in self.blocks:
            block.recompute = options.activation_checkpoint
        for name, channels in self.channels.items():
            self.add_module(f"{name}_norm", nn.LayerNorm(channels, eps=NORM_EPS))
        transformer_fill(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to (N, channels, H / stride, W / stride) an output, rounded up."""
        outputs = {}
        tokens = self.patch_embed(images)
        for index, block in enumerate(self.blocks):
            tokens = block(tokens)
            if index in self.last_blocks:
                name = self.last_blocks[index]
                normed = self.get_submodule(f"{name}_norm")(tokens)
                outputs[name] = normed.permute(0, 3, 1, 2)
        return outputs


def _pooling(channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False)


def _channels_first(layer: nn.Module, tokens: Tensor) -> Tensor:
    """A layer for (N, C, H, W) applied to (N, H, W, C)."""
    out: Tensor = layer(tokens.permute(0, 3, 1, 2))
    return out.permute(0, 2, 3, 1)
