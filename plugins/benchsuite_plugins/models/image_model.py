"""What all models here have in common: images to a batch, three stages, and how one is created."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from benchsuite.errors import UsageError
from benchsuite.protocols import InitialWeights, ModelRequest
from benchsuite.records import Image, Prediction
from benchsuite.specs import Category, KeypointLayout
from benchsuite_plugins.checkpoints import load_initial, load_state, read_checkpoint
from benchsuite_plugins.checkpoints.class_rows import Classes
from benchsuite_plugins.models.execution.preparation import prepare
from benchsuite_plugins.models.image_input import ImageBatch, Preprocessing


class ImageModel(nn.Module, ABC):
    """Satisfies ``StagedModel``, ``ResizingModel`` and ``DescribedModel`` of the protocols.

    A subclass computes raw outputs in ``forward`` and makes predictions of them in ``postprocess``.
    """

    started: tuple[str, ...] = ()
    """See ``StartedModel`` of ``benchsuite.protocols``."""

    def __init__(self, image_input: Preprocessing) -> None:
        super().__init__()
        self.image_input = image_input

    @torch.inference_mode()
    def preprocess(self, images: Sequence[Image]) -> ImageBatch:
        """Decoded images to a batch on the model's device."""
        return self.image_input(images, next(self.parameters()).device)

    def resized(self, image: Image) -> Image:
        """The image as large as the network sees it in ``predict``."""
        return self.image_input.resized(image)

    @abstractmethod
    def forward(self, batch: ImageBatch) -> Any:
        """A batch to raw outputs, on the same device."""

    @abstractmethod
    def postprocess(self, outputs: Any) -> list[Prediction]:
        """Raw outputs to one prediction an image, in pixels of the images as they were given."""

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """One prediction an image, in order."""
        return self.postprocess(self.forward(self.preprocess(images))) if images else []

    def classes(self, categories: Sequence[Category]) -> Classes:
        """What the branches tell apart where labels mean these categories."""
        names = tuple(category.name for category in categories)
        return Classes(regions=names, pixels=names)

    def describe(self) -> Mapping[str, Any]:
        """What a result depends on, as JSON-able values."""
        return {
            "preprocessing": self.image_input.describe(),
            "parameters": sum(parameter.numel() for parameter in self.parameters()),
        }


ModelType = TypeVar("ModelType", bound=ImageModel)


def create_model(
    build: Callable[[tuple[Category, ...]], ModelType], request: ModelRequest
) -> ModelType:
    """Build a model for a request: weights loaded, on its device, in evaluation mode.

    Without weights the parameters are drawn as Detectron2 draws them before training, the same for
    one seed on every device; initial weights go over them where they fit. For a model that is only
    to predict, the request says how (``execution``): see ``prepare``.

    Args:
        build: from the categories to the model, drawn from torch's global generator.

    Raises:
        UsageError: the request names no categories.
        InputError: the weights cannot be read, or are those of another model.
    """
    if not request.categories:
        raise UsageError("the model takes its categories from the dataset, and there are none")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        model = build(request.categories)
    if request.weights is not None:
        load_state(model, read_checkpoint(request.weights), request.weights)
    elif request.initial is not None:
        model.started = _start(model, request, request.initial)
    model.to(request.device).eval()
    if request.execution is not None:
        prepare(model, request.execution)
    return model


def _start(model: ImageModel, request: ModelRequest, initial: InitialWeights) -> tuple[str, ...]:
    """Take what fits of the initial weights; what there is to say of it."""
    theirs = _classes(model, initial.categories, initial.keypoints) if initial.categories else None
    ours = _classes(model, request.categories, request.keypoints)
    taken = load_initial(model, read_checkpoint(initial.path), initial.path, ours, theirs)
    return taken.lines(initial.name)


def _classes(
    model: ImageModel, categories: Sequence[Category], layout: KeypointLayout | None
) -> Classes:
    return replace(model.classes(categories), keypoints=layout.names if layout else ())
