"""What torchvision's two-stage detectors have in common: the model, and what its weights need."""

from __future__ import annotations

import torch
from torch import nn

from benchsuite.records import Prediction
from benchsuite_plugins.checkpoints.torchvision_names import from_torchvision
from benchsuite_plugins.models.detector import Detector, RawOutputs
from benchsuite_plugins.models.fpn import FPN
from benchsuite_plugins.models.image_input import ImageBatch
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.layers.frozen_batch_norm import FrozenBatchNorm2d
from benchsuite_plugins.models.postprocess import detections_to_predictions
from benchsuite_plugins.models.torchvision_input import TorchvisionInput
from benchsuite_plugins.models.torchvision_masks import paste_expanded_masks
from benchsuite_plugins.models.torchvision_roi_heads import TorchvisionROIHeads
from benchsuite_plugins.models.torchvision_rpn import TorchvisionRPN


class TorchvisionDetector(Detector):
    """Masks are pasted as torchvision does it, and boxes without extent stay in the results.

    Weights may have torchvision's names or ours.
    """

    translate_state = staticmethod(from_torchvision)

    @torch.inference_mode()
    def postprocess(self, outputs: RawOutputs) -> list[Prediction]:
        """Raw outputs to one prediction an image, in pixels of the images as they were given."""
        return detections_to_predictions(
            outputs.detections,
            outputs.sizes,
            outputs.original_sizes,
            paste=paste_expanded_masks,
            min_size=-1.0,
        )


class TorchvisionRCNN(TorchvisionDetector):
    """Faster R-CNN and its descendants, by what they are given."""

    def __init__(
        self,
        image_input: TorchvisionInput,
        backbone: FPN,
        proposal_generator: TorchvisionRPN,
        roi_heads: TorchvisionROIHeads,
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


def set_frozen_eps(backbone: nn.Module, eps: float) -> None:
    """Let every frozen batch norm add ``eps`` to its variance.

    torchvision's first weights were trained when it added nothing.
    """
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = eps
