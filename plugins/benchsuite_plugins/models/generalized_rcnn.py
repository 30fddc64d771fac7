"""The two-stage detector: backbone, proposals, and heads that look at each proposal."""

from __future__ import annotations

from torch import Tensor

from benchsuite_plugins.models.detector import Detector
from benchsuite_plugins.models.features import Backbone
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.region_heads import RegionHeads
from benchsuite_plugins.models.rpn import RegionProposalNetwork
from benchsuite_plugins.models.target_batch import TargetBatch
from benchsuite_plugins.models.trainable import Trainable


class GeneralizedRCNN(Detector, Trainable):
    """Faster R-CNN and its descendants, by what they are given."""

    def __init__(
        self,
        image_input: ImageInput,
        backbone: Backbone,
        proposal_generator: RegionProposalNetwork,
        roi_heads: RegionHeads,
    ) -> None:
        super().__init__(image_input)
        self.backbone = backbone
        self.proposal_generator = proposal_generator
        self.roi_heads = roi_heads

    def detect(self, batch: ImageBatch) -> Detections:
        features = self.backbone(batch.pixels)
        proposals = self.proposal_generator(features, batch.sizes)
        detections: Detections = self.roi_heads(features, proposals, batch.sizes)
        return detections

    def batch_losses(self, batch: ImageBatch, truth: TargetBatch) -> dict[str, Tensor]:
        features = self.backbone(batch.pixels)
        proposals, losses = self.proposal_generator.losses(features, batch.sizes, truth)
        return {**losses, **self.roi_heads.losses(features, proposals, batch.sizes, truth)}
