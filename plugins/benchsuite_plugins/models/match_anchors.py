"""Anchors of a batch against its ground truth."""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite_plugins.models.matcher import Matcher
from benchsuite_plugins.models.pairwise_iou import pairwise_iou
from benchsuite_plugins.models.target_batch import TargetBatch


def match_anchors(anchors: Tensor, truth: TargetBatch, matcher: Matcher) -> tuple[Tensor, Tensor]:
    """Match the anchors, which all images share, to the objects of each of N images.

    Args:
        anchors: (M, 4), all levels.

    Returns:
        matched: (N, M) int64, rows of ``truth``. In an image without objects (no anchor of which
            is positive) they mean nothing, and may lie behind the last row.
        labels: (N, M) int64, as the matcher gives them.
    """
    matched, labels, start = [], [], 0
    # Image by image: overlaps of all anchors with the objects of a whole batch take gigabytes.
    for boxes in torch.split(truth.boxes, list(truth.counts)):
        image_matched, image_labels = matcher(pairwise_iou(boxes, anchors))
        matched.append(image_matched + start)
        labels.append(image_labels)
        start += len(boxes)
    return torch.stack(matched), torch.stack(labels)
