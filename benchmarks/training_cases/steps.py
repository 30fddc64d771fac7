"""A step of training, ours and torchvision's: losses, backward, SGD."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.ops.misc import FrozenBatchNorm2d

from benchsuite.protocols import ModelRequest
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import Category
from benchsuite.targets import Target
from training_cases.batch import CLASSES, Batch

RATE = 1e-6  # so small that no step changes what the next one has to do

Step = Callable[[], dict[str, float]]
"""One step of training; its losses."""


def quiet(model: nn.Module) -> nn.Module:
    """Residual branches scaled down, as trained weights have them: else features grow without end
    where nothing normalises."""
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith(("conv3.norm.weight", "bn3.weight")):
                buffer.fill_(0.2)
    return model.train()


def step_of(model: nn.Module, losses: Callable[[], Mapping[str, Tensor]]) -> Step:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=RATE, momentum=0.9, weight_decay=1e-4)

    def step() -> dict[str, float]:
        terms = losses()
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        return {name: term.item() for name, term in terms.items()}

    return step


def ours(module: Any, batch: Batch, outlined: bool) -> Step:
    categories = tuple(Category(index, str(index)) for index in range(CLASSES))
    model = quiet(module.create(ModelRequest(categories=categories)))
    images = [
        Image(ImageRecord(index, "", pixels.shape[1], pixels.shape[0]), pixels)
        for index, pixels in enumerate(batch.pixels)
    ]
    masks: list[Any] = list(batch.bitmaps)
    if outlined:
        masks = [[[outline] for outline in outlines] for outlines in batch.outlines]
    # Made anew each step, as from a loader.
    return step_of(
        model,
        lambda: model.losses(  # type: ignore[operator]
            images,
            [Target(*truth) for truth in zip(batch.boxes, batch.labels, masks, strict=True)],
        ),
    )


def theirs(kind: type[nn.Module], batch: Batch) -> Step:
    height, width = batch.pixels[0].shape[:2]
    pyramid: dict[str, Any] = {}
    if kind is RetinaNet:
        pyramid = {"returned_layers": [2, 3, 4], "extra_blocks": LastLevelP6P7(256, 256)}
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50",
        weights=None,
        norm_layer=FrozenBatchNorm2d,
        trainable_layers=3,
        **pyramid,
    )
    size = {"min_size": min(height, width), "max_size": max(height, width)}
    model = quiet(kind(backbone, CLASSES + 1, **size))
    images = [torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 for pixels in batch.pixels]
    targets = [
        {
            "boxes": torch.from_numpy(boxes),
            "labels": torch.from_numpy(labels) + 1,
            "masks": torch.from_numpy(bitmaps).to(torch.uint8),
        }
        for boxes, labels, bitmaps in zip(batch.boxes, batch.labels, batch.bitmaps, strict=True)
    ]
    return step_of(model, lambda: model(images, targets))
