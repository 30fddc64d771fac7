"""What a dense detector's predictions are trained towards."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchsuite_plugins.models.matcher import IGNORED, POSITIVE
from benchsuite_plugins.models.target_batch import TargetBatch


@dataclass(frozen=True, slots=True)
class DenseTargets:
    """N images, M anchors (or points) each, P of all of them positive.

    Attributes:
        image, anchor: (P,) int64, which are positive.
        labels: (P,) int64, their classes.
        boxes: (P, 4) float32, their boxes, xyxy.
        counted: (N, M) bool, which are positive or background; others have no part in any loss.
    """

    image: Tensor
    anchor: Tensor
    labels: Tensor
    boxes: Tensor
    counted: Tensor

    def class_index(self, num_classes: int) -> Tensor:
        """(N, M) int64: the class of what is positive, ``num_classes`` for background, -1 for what
        does not count."""
        index = torch.where(self.counted, num_classes, -1)
        index[self.image, self.anchor] = self.labels
        return index

    def one_hot(self, num_classes: int) -> Tensor:
        """(N, M, num_classes) float32: 1 for the class of what is positive, else 0."""
        one_hot = torch.zeros((*self.counted.shape, num_classes), device=self.counted.device)
        one_hot[self.image, self.anchor, self.labels] = 1
        return one_hot


def dense_targets(matched: Tensor, labels: Tensor, truth: TargetBatch) -> DenseTargets:
    """Targets from rows of ``truth`` and matcher's labels, (N, M) each (see ``Matcher``)."""
    image, anchor = (labels == POSITIVE).nonzero(as_tuple=True)
    row = matched[image, anchor]
    return DenseTargets(image, anchor, truth.labels[row], truth.boxes[row], labels != IGNORED)
