"""The box branch of Fast R-CNN (Girshick, 2015): head, predictor, and the choice of detections."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite_kernels import ops
from benchsuite_plugins.models.instances import Detections, Proposals
from benchsuite_plugins.models.layers.conv import Conv2d
from benchsuite_plugins.models.layers.fill import msra_fill, normal_fill, xavier_fill
from benchsuite_plugins.models.options import BoxHeadOptions, ROIHeadsOptions
from benchsuite_plugins.models.presence import images_of_present
from benchsuite_plugins.models.suppression import suppress

MOST_CANDIDATES = 8192
"""Of each image so many of the best pairs of region and class enter the suppression: far more than
leave it, and few enough for their overlaps to be held at once."""


class BoxHead(nn.Module):
    """Convolutions ``conv1``, ... and fully connected layers ``fc1``, ..., each with a ReLU.

    Attributes:
        out_channels: of what it returns.
    """

    def __init__(self, in_channels: int, options: BoxHeadOptions) -> None:
        super().__init__()
        self.layers: list[str] = []
        channels = in_channels
        for index in range(1, options.num_conv + 1):
            conv = Conv2d(
                channels, options.conv_dim, 3, padding=1, norm=options.norm, activation=F.relu_
            )
            msra_fill(conv)
            self._append(f"conv{index}", conv)
            channels = options.conv_dim
        channels *= options.pooler_resolution**2
        for index in range(1, options.num_fc + 1):
            fc = nn.Linear(channels, options.fc_dim)
            xavier_fill(fc)
            self._append(f"fc{index}", fc)
            channels = options.fc_dim
        self.out_channels = channels

    def _append(self, name: str, layer: nn.Module) -> None:
        self.add_module(name, layer)
        self.layers.append(name)

    def forward(self, x: Tensor) -> Tensor:
        """(R, C, S, S) to (R, out_channels)."""
        for name in self.layers:
            layer = self.get_submodule(name)
            x = F.relu_(layer(x.flatten(1))) if isinstance(layer, nn.Linear) else layer(x)
        return x.flatten(1)


class BoxPredictor(nn.Module):
    """Class logits and box deltas of each region.

    Args:
        class_agnostic: one box for all classes, in place of one a class.
    """

    exclusive = True
    """Whether classes exclude each other: their probabilities are a softmax."""

    def __init__(self, in_channels: int, num_classes: int, class_agnostic: bool) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes + 1)
        self.bbox_pred = nn.Linear(in_channels, 4 * (1 if class_agnostic else num_classes))
        normal_fill(self.cls_score, std=0.01)
        normal_fill(self.bbox_pred, std=0.001)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(R, C) to logits (R, K + 1), background last, and deltas (R, K * 4) or (R, 4)."""
        return self.cls_score(x), self.bbox_pred(x)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(R, K + 1) logits to float32 probabilities of the same shape."""
        return class_probabilities(logits)


def select_detections(
    scores: Tensor,
    deltas: Tensor,
    regions: Proposals,
    sizes: Tensor,
    options: ROIHeadsOptions,
    *,
    weights: Sequence[float],
    softmax: bool,
    min_size: float = float("-inf"),
) -> Detections:
    """The best (region, class) pairs of each image, decoded, clipped, suppressed class by class.

    A region that has anything not finite is dropped.

    Args:
        scores: (R, K + 1), background last: logits, or probabilities.
        deltas: (R, K * 4), or (R, 4) for one box for all classes.
        regions: what the deltas start from; those that are absent are not looked at.
        sizes: (N, 2), height and width of each image before padding.
        weights: of dx, dy, dw, dh.
        softmax: whether ``scores`` are logits of which the softmax is taken.
        min_size: a box with a shorter side is dropped.

    Returns:
        Rows of each image, some of them absent (see ``presence``).
    """
    boxes, ratings, labels = ops.box_selection(
        scores,
        deltas,
        regions.boxes,
        images_of_present(regions),
        sizes,
        softmax=softmax,
        weights=weights,
        threshold=options.score_thresh_test,
        limit=MOST_CANDIDATES,
        min_size=min_size,
    )
    return suppress(
        boxes,
        ratings,
        labels,
        iou_threshold=options.nms_thresh_test,
        limit=options.detections_per_image,
    )


def class_probabilities(logits: Tensor) -> Tensor:
    """(R, K + 1) logits to float32 probabilities that sum to one."""
    return torch.softmax(logits.float(), dim=-1)
