"""What each backbone is built from, as plain dataclasses.

The defaults are those of the published base size: ViTDet-B, Swin-B, MViTv2-B, RegNetX-4GF.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite_plugins.models.options import NormName


@dataclass(frozen=True, slots=True)
class ViTOptions:
    """A plain vision transformer.

    Attributes:
        img_size: side, in pixels, of the square input that the global blocks' tables of relative
            positions are made for; for other sizes they are interpolated.
        patch_size: pixels a token and axis; the stride of the output.
        mlp_ratio: hidden width of a block's two-layer perceptron, over ``embed_dim``.
        window_size: side, in tokens, of the windows that most blocks attend in.
        global_block_indexes: the blocks that attend to the whole map.
        pretrain_img_size: side, in pixels, of the input of the pre-training, which the table of
            absolute positions is made for.
        drop_path_rate: how often the last block's branches are left out in training; it grows
            linearly from zero at the first block.
        activation_checkpoint: whether training computes a block's activations anew in the backward
            pass in place of keeping them.
    """

    img_size: int = 1024
    patch_size: int = 16
    embed_dim: int = 768
    depth: int = 12
    num_heads: int = 12
    mlp_ratio: float = 4.0
    window_size: int = 14
    global_block_indexes: tuple[int, ...] = (2, 5, 8, 11)
    pretrain_img_size: int = 224
    drop_path_rate: float = 0.1
    activation_checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class SimpleFeaturePyramidOptions:
    """A pyramid from the one map of a plain vision transformer.

    Attributes:
        scale_factors: size of each level over that of the map, finest first; of 4, 2, 1 and 0.5.
    """

    scale_factors: tuple[float, ...] = (4.0, 2.0, 1.0, 0.5)
    out_channels: int = 256


@dataclass(frozen=True, slots=True)
class SwinOptions:
    """A Swin transformer.

    Attributes:
        embed_dim: width of the first stage; each further stage doubles it.
        depths, num_heads: blocks, and heads of their attention, one number a stage.
        window_size: side, in tokens, of the attention windows.
        mlp_ratio: hidden width of a block's two-layer perceptron, over the stage's width.
        drop_path_rate, activation_checkpoint: as of ``ViTOptions``.
    """

    embed_dim: int = 128
    depths: tuple[int, ...] = (2, 2, 18, 2)
    num_heads: tuple[int, ...] = (4, 8, 16, 32)
    window_size: int = 7
    mlp_ratio: float = 4.0
    drop_path_rate: float = 0.4
    activation_checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class MViTOptions:
    """A multiscale vision transformer, version 2.

    Attributes:
        img_size: side, in pixels, of the square input that the tables of relative positions are
            made for; for other sizes they are interpolated.
        embed_dim, num_heads: of the first scale; each further scale doubles both.
        last_block_indexes: the last block of each scale; that of the last scale ends the network.
        adaptive_kv_stride: stride at which keys and values are pooled in the first scale; each
            further scale halves it.
        adaptive_window_size: side, in tokens, of the attention windows in the first scale; it is
            halved after the first block of each further scale.
        mlp_ratio: hidden width of a block's two-layer perceptron, over the block's width.
        drop_path_rate, activation_checkpoint: as of ``ViTOptions``.
    """

    img_size: int = 224
    embed_dim: int = 96
    num_heads: int = 1
    last_block_indexes: tuple[int, ...] = (1, 4, 20, 23)
    adaptive_kv_stride: int = 4
    adaptive_window_size: int = 56
    mlp_ratio: float = 4.0
    drop_path_rate: float = 0.4
    activation_checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class RegNetOptions:
    """A RegNet: X without, Y with squeeze-and-excitation.

    Attributes:
        stem_width: channels of the stem.
        depth: blocks of all stages together.
        w_a, w_0, w_m: slope and first value of the blocks' widths, and the ratio that the widths of
            stages are rounded to (see ``regnet.stage_widths``).
        group_width: channels of a group of the 3x3 convolutions.
        se_ratio: width inside squeeze-and-excitation over the block's input; 0: there is none.
        freeze_at: how many of stem and stages are constant: 1 means the stem, 2 the stem and s1.
            Their normalisation is then frozen batch norm.
    """

    stem_width: int = 32
    depth: int = 23
    w_a: float = 38.65
    w_0: int = 96
    w_m: float = 2.43
    group_width: int = 40
    se_ratio: float = 0.0
    norm: NormName = "SyncBN"
    freeze_at: int = 0
