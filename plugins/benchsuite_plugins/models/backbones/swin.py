"""Swin transformer (Liu et al., "Swin transformer: hierarchical vision transformer using shifted
windows", 2021).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite.errors import UsageError
from benchsuite_plugins.models.backbones.drop_path import DropPath, drop_path_rates
from benchsuite_plugins.models.backbones.mlp import Mlp
from benchsuite_plugins.models.backbones.options import SwinOptions
from benchsuite_plugins.models.backbones.transformer_fill import transformer_fill
from benchsuite_plugins.models.backbones.windows import (
    merge_windows,
    pad_or_crop,
    partition_windows,
)
from benchsuite_plugins.models.layers.recomputable_block import RecomputableBlock

PATCH_SIZE = 4

REGION_BIAS = -100.0
"""What a logit gains where query and key were not neighbours before the shift."""


class PatchEmbed(nn.Module):
    """Patches as normalised tokens: (N, 3, H, W) to (N, H / 4, W / 4, C), rounded up.

    Zeros fill the last patches on the right and at the bottom.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed_dim, PATCH_SIZE, stride=PATCH_SIZE)
        self.norm = nn.LayerNorm(embed_dim)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        rows, columns = -(-height // PATCH_SIZE), -(-width // PATCH_SIZE)
        padding = (0, columns * PATCH_SIZE - width, 0, rows * PATCH_SIZE - height)
        patches: Tensor = self.norm(self.proj(F.pad(images, padding)).permute(0, 2, 3, 1))
        return patches


class PatchMerging(nn.Module):
    """Four neighbours as one token of twice the width: (N, H, W, C) to (N, H / 2, W / 2, 2 * C),
    rounded up; zeros fill an odd last row and column."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, height, width, channels = tokens.shape
        rows, columns = -(-height // 2), -(-width // 2)
        tokens = pad_or_crop(tokens, 2 * rows, 2 * columns)
        neighbours = tokens.reshape(batch, rows, 2, columns, 2, channels)
        # Of the four, the lower left comes before the upper right.
        neighbours = neighbours.permute(0, 1, 3, 4, 2, 5).flatten(3)
        merged: Tensor = self.reduction(self.norm(neighbours))
        return merged


class WindowAttention(nn.Module):
    """Multi-head attention within windows, with a learnt bias a relative position and head."""

    relative_position_index: Tensor

    def __init__(self, dim: int, window_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        distances = 2 * window_size - 1
        self.relative_position_bias_table = nn.Parameter(torch.zeros(distances**2, num_heads))
        self.register_buffer("relative_position_index", relative_position_index(window_size))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, windows: Tensor, region_bias: Tensor | None) -> Tensor:
        """(N * W, size, size, C) to the same, W windows an image.

        Args:
            region_bias: (W, size * size, size * size), added to the logits of each image's windows.
        """
        count, size, _, channels = windows.shape
        shape = (count, size * size, 3, self.num_heads, channels // self.num_heads)
        query, key, value = self.qkv(windows).reshape(shape).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        bias = bias[None]
        if region_bias is not None:
            bias = bias + region_bias[:, None]
            images = count // region_bias.shape[0]
            bias = bias.expand(images, *bias.shape).flatten(0, 1)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        out: Tensor = self.proj(attended.transpose(1, 2).reshape(windows.shape))
        return out


class Block(RecomputableBlock):
    """Attention and perceptron, each normalised before and added: (N, H, W, C) in and out.

    Args:
        shift: how far, in tokens, the windows lie to the lower right of the map's corner.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int,
        shift: int,
        mlp_ratio: float,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.window_size = window_size
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window_size, num_heads)
        self.drop_path = DropPath(drop_path_rate)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def compute(self, tokens: Tensor, region_bias: Tensor) -> Tensor:
        tokens = tokens + self.drop_path(self._attend(self.norm1(tokens), region_bias))
        out: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return out

    def _attend(self, tokens: Tensor, region_bias: Tensor) -> Tensor:
        if not self.shift:
            windows = self.attn(partition_windows(tokens, self.window_size), None)
            return merge_windows(windows, *tokens.shape[:3])
        # What is rolled is the filled map, not the map itself: zeros come to lie between tokens, as
        # they did when the published weights were trained.
        batch, height, width, _ = tokens.shape
        rows, columns = -(-height // self.window_size), -(-width // self.window_size)
        filled_height, filled_width = rows * self.window_size, columns * self.window_size
        tokens = pad_or_crop(tokens, filled_height, filled_width)
        tokens = tokens.roll((-self.shift, -self.shift), (1, 2))
        windows = self.attn(partition_windows(tokens, self.window_size), region_bias)
        tokens = merge_windows(windows, batch, filled_height, filled_width)
        return pad_or_crop(tokens.roll((self.shift, self.shift), (1, 2)), height, width)


class Stage(nn.Module):
    """Blocks, every other one with shifted windows, and the way to the next stage.

    Args:
        downsample: whether there is a next stage.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int,
        mlp_ratio: float,
        drop_path_rates: list[float],
        activation_checkpoint: bool,
        downsample: bool,
    ) -> None:
        super().__init__()
        self.window_size = window_size
        self.blocks = nn.ModuleList(
            Block(
                dim,
                num_heads,
                window_size=window_size,
                shift=window_size // 2 if index % 2 else 0,
                mlp_ratio=mlp_ratio,
                drop_path_rate=rate,
            )
            for index, rate in enumerate(drop_path_rates)
        )
        for block in self.blocks:
            block.recompute = activation_checkpoint
        self.downsample = PatchMerging(dim) if downsample else nn.Identity()

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(N, H, W, C) to the same, and to (N, H / 2, W / 2, 2 * C), rounded up, for the next
        stage."""
        regions = region_bias(tokens, self.window_size)
        for block in self.blocks:
            tokens = block(tokens, regions)
        return tokens, self.downsample(tokens)


class SwinTransformer(nn.Module):
    """Stages of half the size and twice the width each; outputs are ``p0``, ``p1``, ...

    Attributes:
        channels: output name to its channels.
        strides: output name to input pixels a cell.

    Raises:
        UsageError: there are not as many numbers of heads as stages.
    """

    def __init__(self, options: SwinOptions) -> None:
        super().__init__()
        if len(options.depths) != len(options.num_heads):
            raise UsageError(
                f"swin.depths has {len(options.depths)} stages, but swin.num_heads "
                f"{len(options.num_heads)}; give one number a stage"
            )
        stages = range(len(options.depths))
        dims = [options.embed_dim * 2**stage for stage in stages]
        self.channels = {f"p{stage}": dims[stage] for stage in stages}
        self.strides = {f"p{stage}": PATCH_SIZE * 2**stage for stage in stages}
        self.patch_embed = PatchEmbed(options.embed_dim)
        rates = iter(drop_path_rates(options.drop_path_rate, sum(options.depths)))
        self.layers = nn.ModuleList(
            Stage(
                dims[stage],
                options.num_heads[stage],
                window_size=options.window_size,
                mlp_ratio=options.mlp_ratio,
                drop_path_rates=[next(rates) for _ in range(options.depths[stage])],
                activation_checkpoint=options.activation_checkpoint,
                downsample=stage < len(stages) - 1,
            )
            for stage in stages
        )
        for stage in stages:
            self.add_module(f"norm{stage}", nn.LayerNorm(dims[stage]))
        transformer_fill(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to (N, channels, H / stride, W / stride) an output, rounded up."""
        outputs = {}
        tokens = self.patch_embed(images)
        for index, (name, stage) in enumerate(zip(self.channels, self.layers, strict=True)):
            stage_tokens, tokens = stage(tokens)
            outputs[name] = self.get_submodule(f"norm{index}")(stage_tokens).permute(0, 3, 1, 2)
        return outputs


def relative_position_index(window_size: int) -> Tensor:
    """The row of the bias table for each query and key of a window.

    Returns:
        (size * size, size * size) int64: of distances -(size - 1) to size - 1, rows' times
        2 * size - 1 plus columns'.
    """
    position = torch.arange(window_size)
    distance = position[:, None] - position + window_size - 1
    index = distance[:, None, :, None] * (2 * window_size - 1) + distance[None, :, None, :]
    return index.reshape(window_size**2, window_size**2)


def region_bias(tokens: Tensor, window_size: int) -> Tensor:
    """What keeps apart the parts of the map that the shift brings into one window.

    The shift rolls the first rows and columns behind the last ones, into the last windows.

    Args:
        tokens: (N, H, W, C), before padding to whole windows.

    Returns:
        (rows * columns, size * size, size * size): 0 or ``REGION_BIAS``.
    """

    def regions(length: int) -> Tensor:
        filled = -(-length // window_size) * window_size
        position = torch.arange(filled, device=tokens.device)
        in_last_window = position >= filled - window_size
        rolled = position >= filled - window_size // 2
        return in_last_window.long() + rolled

    height, width = tokens.shape[1:3]
    region = regions(height)[:, None] * 3 + regions(width)
    windows = partition_windows(region[None, :, :, None], window_size).flatten(1)
    return (windows[:, None] != windows[:, :, None]) * REGION_BIAS
