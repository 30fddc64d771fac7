"""What the published ViTDet, Swin and MViTv2 detectors have in common beside their backbones (Li
et al., "Exploring plain vision transformer backbones for object detection", 2022, appendix A.2).
"""

from __future__ import annotations

from dataclasses import replace

from benchsuite_plugins.models.image_padding import PaddingOptions
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    InputOptions,
    MaskHeadOptions,
    RPNOptions,
)

INPUT = InputOptions(
    format="RGB",
    min_size_test=1024,
    max_size_test=1024,
    pixel_mean=(123.675, 116.28, 103.53),
    pixel_std=(58.395, 57.12, 57.375),
)
"""The longer side becomes 1024 pixels."""

PADDING = PaddingOptions(square_size=1024)

RPN = RPNOptions(conv_dims=(-1, -1))

BOX_HEAD = BoxHeadOptions(num_conv=4, num_fc=1, norm="LN")

CASCADE_BOX_HEAD = replace(BOX_HEAD, cls_agnostic_bbox_reg=True)

MASK_HEAD = MaskHeadOptions(norm="LN")
