"""What the published detectors on a single feature map of stride 16 have in common (C4: res4; DC5:
res5, dilated), where all anchors and all proposals are on one level."""

from __future__ import annotations

from benchsuite_plugins.models.options import AnchorOptions, RPNOptions
from benchsuite_plugins.models.training_options import RPNTrainingOptions

ANCHORS = AnchorOptions(sizes=((32.0, 64.0, 128.0, 256.0, 512.0),))

NO_DIVISIBILITY = 1
"""Without a pyramid maps of any size will do: a batch is as large as its largest image."""


def rpn_on(feature: str) -> RPNOptions:
    """The proposal network on one feature map."""
    return RPNOptions(
        in_features=(feature,),
        pre_nms_topk_test=6000,
        training=RPNTrainingOptions(pre_nms_topk=12000, post_nms_topk=2000),
    )
