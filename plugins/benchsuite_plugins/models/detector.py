"""A model as the host runs it: preprocess, forward, postprocess."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from benchsuite.errors import UsageError
from benchsuite.protocols import ModelRequest
from benchsuite.records import Image, Prediction
from benchsuite_plugins.checkpoints import load_state, read_checkpoint
from benchsuite_plugins.models.image_input import ImageBatch, ImageInput
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


class Detector(nn.Module, ABC):
    """Satisfies ``StagedModel`` and ``DescribedModel`` of ``benchsuite.protocols``.

    A subclass says in ``detect`` how images become detections.
    """

    def __init__(self, image_input: ImageInput) -> None:
        super().__init__()
        self.image_input = image_input

    @abstractmethod
    def detect(self, batch: ImageBatch) -> Detections:
        """Detections in pixels of the resized images."""

    @torch.inference_mode()
    def preprocess(self, images: Sequence[Image]) -> ImageBatch:
        """Decoded images to a batch on the model's device."""
        return self.image_input(images, next(self.parameters()).device)

    @torch.inference_mode()
    def forward(self, batch: ImageBatch) -> RawOutputs:
        """A batch to raw outputs, on the same device."""
        return RawOutputs(self.detect(batch), batch.sizes, batch.original_sizes)

    @torch.inference_mode()
    def postprocess(self, outputs: RawOutputs) -> list[Prediction]:
        """Raw outputs to one prediction an image, in pixels of the images as they were given."""
        return detections_to_predictions(outputs.detections, outputs.sizes, outputs.original_sizes)

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """One prediction an image, in order."""
        return self.postprocess(self.forward(self.preprocess(images))) if images else []

    def describe(self) -> Mapping[str, Any]:
        """What a result depends on, as JSON-able values."""
        return {
            "preprocessing": self.image_input.describe(),
            "parameters": sum(parameter.numel() for parameter in self.parameters()),
        }


DetectorType = TypeVar("DetectorType", bound=Detector)


def create_detector(build: Callable[[int], DetectorType], request: ModelRequest) -> DetectorType:
    """Build a detector for a request: weights loaded, on its device, in evaluation mode.

    Without weights the parameters are drawn as Detectron2 draws them before training, the same for
    one seed on every device.

    Args:
        build: from the number of classes to the detector, drawn from torch's global generator.

    Raises:
        UsageError: the request names no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    if not request.categories:
        raise UsageError("the model takes its categories from the dataset, and there are none")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        model = build(len(request.categories))
    if request.weights is not None:
        load_state(model, read_checkpoint(request.weights), request.weights)
    return model.to(request.device).eval()
