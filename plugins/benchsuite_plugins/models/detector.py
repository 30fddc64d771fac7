"""A model that detects instances, as the host runs it: preprocess, forward, postprocess."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from benchsuite.protocols import ModelRequest
from benchsuite.records import Prediction
from benchsuite_plugins.models.image_input import ImageBatch
from benchsuite_plugins.models.image_model import ImageModel, create_model
from benchsuite_plugins.models.instances import Detections
from benchsuite_plugins.models.postprocess import detections_to_predictions


@dataclass(frozen=True, slots=True)
class RawOutputs:
    """What the network leaves on the device, for ``postprocess``.

    Attributes:
        detections: in pixels of the resized images.
        sizes, original_sizes: as in ``ImageBatch``.
    """

    detections: Detections
    sizes: Tensor
    original_sizes: Tensor


class Detector(ImageModel):
    """A subclass says in ``detect`` how images become detections."""

    @abstractmethod
    def detect(self, batch: ImageBatch) -> Detections:
        """Detections in pixels of the resized images."""

    @torch.inference_mode()
    def forward(self, batch: ImageBatch) -> RawOutputs:
        """A batch to raw outputs, on the same device."""
        return RawOutputs(self.detect(batch), batch.sizes, batch.original_sizes)

    @torch.inference_mode()
    def postprocess(self, outputs: RawOutputs) -> list[Prediction]:
        """Raw outputs to one prediction an image, in pixels of the images as they were given."""
        return detections_to_predictions(outputs.detections, outputs.sizes, outputs.original_sizes)


DetectorType = TypeVar("DetectorType", bound=Detector)


def create_detector(build: Callable[[int], DetectorType], request: ModelRequest) -> DetectorType:
    """``create_model`` for a detector that needs to know no more than how many classes there are.

    Args:
        build: from the number of classes to the detector, drawn from torch's global generator.
    """
    return create_model(lambda categories: build(len(categories)), request)
