"""The one-stage detector: a backbone, and a head that predicts at every cell of its maps."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from benchsuite_kernels import ops
from benchsuite_kernels.ops import AnchorGrid
from benchsuite_plugins.models.anchor_generator import AnchorGenerator
from benchsuite_plugins.models.dense_options import DenseOptions
from benchsuite_plugins.models.detector import Detector
from benchsuite_plugins.models.features import check_names
from benchsuite_plugins.models.fpn import FPN
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.presence import drop_absent_unless_waiting
from benchsuite_plugins.models.suppression import suppress
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.trainable import Trainable


class DenseDetector(Detector, Trainable):
    """RetinaNet and its kin.

    Args:
        head: from a (N, C, H, W) map a level to logits of classes, values of boxes and, where it
            has them, logits of centre-ness: lists of maps, one a level, as ``ops.dense_selection``
            takes them.
        anchor_generator: of the levels ``options.in_features``.
        weights: of the deltas that the head predicts; none where it predicts distances.
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
        weights: Sequence[float],
        options: DenseOptions,
        num_classes: int,
        criterion: nn.Module,
    ) -> None:
        super().__init__(image_input)
        check_names("in_features", options.in_features, backbone.channels)
        self.backbone = backbone
        self.head = head
        self.anchor_generator = anchor_generator
        self.weights = tuple(weights)
        self.options = options
        self.num_classes = num_classes
        self.criterion = criterion

    def feature_maps(self, pixels: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to a (N, C, h, w) a level, finest first."""
        features = self.backbone(pixels)
        return [features[name] for name in self.options.in_features]

    def detect(self, batch: ImageBatch) -> Detections:
        maps = self.feature_maps(batch.pixels)
        found = select_detections(
            self.head(maps), self.anchor_generator(maps), self.weights, self.options
        )
        return drop_absent_unless_waiting(found)

    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        maps = self.feature_maps(batch.pixels)
        losses: dict[str, Tensor] = self.criterion(
            self.head(maps), self.anchor_generator(maps).levels(), truth
        )
        return losses


def select_detections(
    outputs: tuple[Sequence[Tensor], ...],
    anchors: AnchorGrid,
    weights: Sequence[float],
    options: DenseOptions,
    sizes: Tensor | None = None,
) -> Detections:
    """The best pairs of anchor and class of each level, decoded and suppressed class by class.

    Boxes that are not finite are dropped.

    Args:
        outputs: what the head returns (see ``DenseDetector``).
        weights: of deltas, or none.
        sizes: (N, 2), height and width of each image, to which boxes are clipped before the
            suppression; ``None``: they are not, so that what reaches beyond the image overlaps its
            neighbours with all its area.

    Returns:
        Rows of each image, some of them absent (see ``presence``).
    """
    logits, deltas, *centerness = outputs
    boxes, scores, labels = ops.dense_selection(
        logits,
        deltas,
        anchors,
        centerness=centerness[0] if centerness else (),
        sizes=sizes,
        weights=weights,
        threshold=options.score_thresh_test,
        topk=options.topk_candidates_test,
    )
    return suppress(
        boxes,
        scores,
        labels,
        iou_threshold=options.nms_thresh_test,
        limit=options.detections_per_image,
    )
