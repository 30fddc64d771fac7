"""The one-stage detector: a backbone, and a head that predicts at every cell of its maps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite_plugins.models.anchor_generator import AnchorGenerator
from benchsuite_plugins.models.box_regression_loss import Coder
from benchsuite_plugins.models.dense_options import DenseOptions
from benchsuite_plugins.models.detector import Detector
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.first_per_image import first_per_image
from benchsuite_plugins.models.fpn import FPN
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.nms_per_image import nms_per_image
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.trainable import Trainable


class DenseDetector(Detector, Trainable):
    """RetinaNet and its kin. A subclass says in ``scores_and_deltas`` what its head's output means.

    Args:
        head: from a (N, C, H, W) map a level to lists of maps, one a level.
        anchor_generator: of the levels ``options.in_features``.
        criterion: from what the head returns, the anchors of each level and a ``TargetBatch`` to
            losses by name.

    Raises:
        UsageError: ``options`` name a level that the backbone does not have.
    """

    def __init__(
        self,
        image_input: ImageInput,
        backbone: FPN,
        head: nn.Module,
        anchor_generator: AnchorGenerator,
        coder: Coder,
        options: DenseOptions,
        num_classes: int,
        criterion: nn.Module,
    ) -> None:
        super().__init__(image_input)
        check_names("in_features", options.in_features, backbone.channels)
        self.backbone = backbone
        self.head = head
        self.anchor_generator = anchor_generator
        self.coder = coder
        self.options = options
        self.num_classes = num_classes
        self.criterion = criterion

    @abstractmethod
    def scores_and_deltas(self, outputs: Any) -> tuple[list[Tensor], list[Tensor]]:
        """What the head returned, in the order of the anchors.

        Returns:
            scores: a (N, M, K) float32 a level, 0 to 1, M = H * W * A.
            deltas: a (N, M, 4) a level.
        """

    def feature_maps(self, pixels: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to a (N, C, h, w) a level, finest first."""
        features = self.backbone(pixels)
        return [features[name] for name in self.options.in_features]

    def detect(self, batch: ImageBatch) -> Detections:
        maps = self.feature_maps(batch.pixels)
        scores, deltas = self.scores_and_deltas(self.head(maps))
        anchors = self.anchor_generator(maps)
        return select_detections(scores, deltas, anchors, self.coder, self.options)

    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        maps = self.feature_maps(batch.pixels)
        losses: dict[str, Tensor] = self.criterion(
            self.head(maps), self.anchor_generator(maps), truth
        )
        return losses


def select_detections(
    scores: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: Sequence[Tensor],
    coder: Coder,
    options: DenseOptions,
) -> Detections:
    """The best pairs of anchor and class of each level, decoded and suppressed class by class.

    Boxes are not clipped: what reaches beyond the image overlaps its neighbours with all its area.
    Those that are not finite are dropped.

    Args:
        scores: a (N, M, K) float32 a level.
        deltas: a (N, M, 4) a level.
        anchors: a (M, 4) a level.
    """
    image_count, _, num_classes = scores[0].shape
    candidates = collect_candidates(scores, deltas, anchors, coder, options)
    return suppress(candidates, options, num_classes=num_classes, image_count=image_count)


def collect_candidates(
    scores: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: Sequence[Tensor],
    coder: Coder,
    options: DenseOptions,
) -> Detections:
    """What enters the suppression: rows by level, within a level by image and score; all finite.

    Args:
        scores: a (N, M, K) float32 a level.
        deltas: a (N, M, 4) a level.
        anchors: a (M, 4) a level.
    """
    levels = [
        _candidates(level_scores, level_deltas, level_anchors, coder, options)
        for level_scores, level_deltas, level_anchors in zip(scores, deltas, anchors, strict=True)
    ]
    boxes, best, labels, image_index = (torch.cat(part) for part in zip(*levels, strict=True))
    finite = boxes.isfinite().all(dim=-1)
    return Detections(boxes[finite], best[finite], labels[finite], image_index[finite])


def suppress(
    candidates: Detections, options: DenseOptions, *, num_classes: int, image_count: int
) -> Detections:
    """The best candidates of each image, suppressed class by class."""
    kept = nms_per_image(
        candidates.boxes,
        candidates.scores,
        candidates.labels,
        candidates.image_index,
        group_count=num_classes,
        image_count=image_count,
        iou_threshold=options.nms_thresh_test,
        limit=options.detections_per_image,
    )
    return Detections(
        candidates.boxes[kept],
        candidates.scores[kept],
        candidates.labels[kept],
        candidates.image_index[kept],
    )


def _candidates(
    scores: Tensor, deltas: Tensor, anchors: Tensor, coder: Coder, options: DenseOptions
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Boxes, scores, labels and images of what one level has to offer."""
    image_index, anchor, label = (scores > options.score_thresh_test).nonzero(as_tuple=True)
    best = scores[image_index, anchor, label]
    order = best.argsort(descending=True, stable=True)
    order = order[first_per_image(image_index[order], len(scores), options.topk_candidates_test)]
    image_index, anchor = image_index[order], anchor[order]
    boxes = coder.decode(deltas[image_index, anchor], anchors[anchor])
    return boxes, best[order], label[order], image_index
