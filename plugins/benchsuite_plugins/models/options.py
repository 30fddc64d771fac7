"""What a detector is built from, as plain dataclasses; the defaults are those of the published
Mask R-CNN R50-FPN.

Sizes are pixels of the resized image, the network's input. ``*_test`` settings hold for inference,
those of ``training`` for losses alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from benchsuite_plugins.models.training_options import (
    BoxHeadTrainingOptions,
    ROIHeadsTrainingOptions,
    RPNTrainingOptions,
)

NormName = Literal["", "FrozenBN", "BN", "SyncBN", "GN", "LN"]
"""Normalisation after a convolution; ``"LN"`` is over the channels of each pixel, ``"SyncBN"`` over
the batches of all processes. ``""``: none, the convolution has a bias instead."""

PoolerType = Literal["ROIAlignV2", "ROIAlign"]
"""RoIAlign with the correction by half a cell, or as Detectron had it."""


@dataclass(frozen=True, slots=True)
class InputOptions:
    """From an RGB image to the network's input.

    Attributes:
        format: channel order of the network's input, and of ``pixel_mean`` and ``pixel_std``.
        min_size_test: the shorter side after the resize ...
        max_size_test: ... unless the longer one would pass this, which then rules.
        pixel_mean, pixel_std: subtracted from, then divided into values of 0 to 255.
    """

    format: Literal["BGR", "RGB"] = "BGR"
    min_size_test: int = 800
    max_size_test: int = 1333
    pixel_mean: tuple[float, float, float] = (103.53, 116.28, 123.675)
    pixel_std: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ResNetOptions:
    """A ResNet of basic blocks (depth 18 and 34), or a ResNet or ResNeXt of bottleneck blocks.

    Basic blocks have no groups, no dilation and no deformable convolutions; ``width_per_group`` and
    ``stride_in_1x1`` mean nothing to them.

    Attributes:
        res2_out_channels: each further stage doubles them. Of basic blocks the published networks
            have 64.
        num_groups, width_per_group: of the 3x3 convolutions in res2; ResNeXt-101-32x8d has 32
            and 8. Each further stage doubles the width.
        stride_in_1x1: whether the first 1x1 convolution of a stage strides (the original MSRA
            weights), or the 3x3 one (torchvision, ResNeXt).
        deform_on_per_stage: whether the 3x3 convolutions of res2, res3, res4 and res5 are
            deformable ones.
        deform_modulated: whether those also say how much they read at each point (version 2).
        deform_num_groups: into how many groups the channels of a deformable convolution's input
            fall, each with offsets of its own.
        res5_dilation: 2 keeps res5 at stride 16 and dilates its 3x3 convolutions.
        freeze_at: how many of stem, res2, res3, ... do not train; statistics over a batch are
            constants there.
    """

    depth: Literal[18, 34, 50, 101, 152] = 50
    norm: NormName = "FrozenBN"
    stem_out_channels: int = 64
    res2_out_channels: int = 256
    num_groups: int = 1
    width_per_group: int = 64
    stride_in_1x1: bool = True
    res5_dilation: Literal[1, 2] = 1
    deform_on_per_stage: tuple[bool, bool, bool, bool] = (False, False, False, False)
    deform_modulated: bool = False
    deform_num_groups: int = 1
    out_features: tuple[str, ...] = ("res2", "res3", "res4", "res5")
    freeze_at: Literal[0, 1, 2, 3, 4, 5] = 2


@dataclass(frozen=True, slots=True)
class FPNOptions:
    """A feature pyramid.

    Attributes:
        fuse_type: whether a lateral and the upsampled level above are summed or averaged.
    """

    in_features: tuple[str, ...] = ("res2", "res3", "res4", "res5")
    out_channels: int = 256
    norm: NormName = ""
    fuse_type: Literal["sum", "avg"] = "sum"


@dataclass(frozen=True, slots=True)
class AnchorOptions:
    """Anchors at every cell of each feature map.

    Attributes:
        sizes: square roots of the anchors' areas, one tuple a level (or one for all levels).
        aspect_ratios: height over width, one tuple a level (or one for all levels).
        offset: where in a cell its anchors are centred, as a fraction of the stride.
    """

    sizes: tuple[tuple[float, ...], ...] = ((32.0,), (64.0,), (128.0,), (256.0,), (512.0,))
    aspect_ratios: tuple[tuple[float, ...], ...] = ((0.5, 1.0, 2.0),)
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class RPNOptions:
    """The region proposal network.

    Attributes:
        conv_dims: channels of the head's 3x3 convolutions; -1: as many as the feature has.
        pre_nms_topk_test: proposals a level that enter the suppression.
        post_nms_topk_test: proposals an image that leave it.
        min_size: both sides of a proposal must be greater.
        bbox_reg_weights: of dx, dy, dw, dh (see ``box_coder``).
    """

    in_features: tuple[str, ...] = ("p2", "p3", "p4", "p5", "p6")
    conv_dims: tuple[int, ...] = (-1,)
    pre_nms_topk_test: int = 1000
    post_nms_topk_test: int = 1000
    nms_thresh: float = 0.7
    min_size: float = 0.0
    bbox_reg_weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    training: RPNTrainingOptions = field(default_factory=RPNTrainingOptions)


@dataclass(frozen=True, slots=True)
class ROIHeadsOptions:
    """Which features the regions are pooled from, and which detections are kept.

    Attributes:
        score_thresh_test: a detection's score must be greater.
        nms_thresh_test: of two detections of a class that overlap more, the better one stays.
    """

    in_features: tuple[str, ...] = ("p2", "p3", "p4", "p5")
    score_thresh_test: float = 0.05
    nms_thresh_test: float = 0.5
    detections_per_image: int = 100
    training: ROIHeadsTrainingOptions = field(default_factory=ROIHeadsTrainingOptions)


@dataclass(frozen=True, slots=True)
class BoxHeadOptions:
    """The box head: ``num_conv`` 3x3 convolutions, then ``num_fc`` fully connected layers.

    Attributes:
        norm: of the convolutions.
        pooler_type: how regions are pooled: the published models but Detectron's have ROIAlignV2.
        pooler_resolution: side of the pooled region.
        pooler_sampling_ratio: samples a bin and axis; 0: as many as there are feature pixels.
        cls_agnostic_bbox_reg: one box for all classes, in place of one a class.
        classification: whether classes exclude each other (``"softmax"``), or each has a score of
            its own and few count in the loss of a batch (``"federated"``, see
            ``federated_predictor``; ``training.class_loss`` must then take ``class_weights``).
    """

    num_conv: int = 0
    conv_dim: int = 256
    num_fc: int = 2
    fc_dim: int = 1024
    norm: NormName = ""
    pooler_type: PoolerType = "ROIAlignV2"
    pooler_resolution: int = 7
    pooler_sampling_ratio: int = 0
    bbox_reg_weights: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    cls_agnostic_bbox_reg: bool = False
    classification: Literal["softmax", "federated"] = "softmax"
    training: BoxHeadTrainingOptions = field(default_factory=BoxHeadTrainingOptions)


@dataclass(frozen=True, slots=True)
class MaskHeadOptions:
    """The mask head: ``num_conv`` 3x3 convolutions, then an upsampling by two.

    Attributes:
        cls_agnostic_mask: one mask for all classes, in place of one a class.
    """

    num_conv: int = 4
    conv_dim: int = 256
    norm: NormName = ""
    pooler_type: PoolerType = "ROIAlignV2"
    pooler_resolution: int = 14
    pooler_sampling_ratio: int = 0
    cls_agnostic_mask: bool = False
