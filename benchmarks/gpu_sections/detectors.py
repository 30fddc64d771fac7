"""Whole detectors to be measured: torchvision's, and ours as they may be executed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inference_cases.calibration import calibrate
from torch import nn

from gpu_sections.devices import Device

CLASSES = 80


@dataclass(frozen=True)
class Architecture:
    """A detector that both have.

    Attributes:
        module: of ours, in ``benchsuite_plugins.models``.
        peer: of torchvision's, with its options.
    """

    name: str
    module: str
    peer: str
    peer_options: dict[str, int]


ARCHITECTURES = (
    Architecture("Mask R-CNN R50-FPN", "mask_rcnn", "maskrcnn_resnet50_fpn", {"num_classes": 81}),
    Architecture(
        "RetinaNet R50-FPN",
        "retinanet",
        "retinanet_resnet50_fpn",
        {"num_classes": 80, "detections_per_img": 100},
    ),
)


@dataclass(frozen=True)
class Detector:
    """One side.

    Attributes:
        predict: images in the host's memory to results there; returns the first image's number of
            objects.
        network: the same images, on the device already, to results on the device, before anything
            is read back; ``None`` where a model has no such stage.
    """

    predict: Callable[[], int]
    network: Callable[[], Any] | None


def images(count: int, height: int, width: int) -> list[Any]:
    """Noise at every scale, (height, width, 3) uint8 each."""
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for _ in range(count):
        total = torch.zeros(1, 3, height, width)
        for cells in (5, 15, 45, 135):
            coarse = torch.rand((1, 3, cells, 2 * cells), generator=generator)
            total += nn.functional.interpolate(coarse, (height, width), mode="bilinear") / 4
        drawn.append((255 * total[0]).permute(1, 2, 0).contiguous().to(torch.uint8).numpy())
    return drawn


def torchvision_model(architecture: Architecture, device: Device, pixels: Sequence[Any]) -> Any:
    from torchvision.models import detection

    height, width = pixels[0].shape[:2]
    torch.manual_seed(0)
    build = getattr(detection, architecture.peer)
    model = build(
        weights=None,
        weights_backbone=None,
        min_size=min(height, width),
        max_size=max(height, width),
        **architecture.peer_options,
    )
    model = model.eval().to(device.torch_device)
    calibrate(model)
    with torch.inference_mode():
        model([_float_image(pixels[0], device)])
    return model


def torchvision_detector(model: Any, device: Device, pixels: Sequence[Any]) -> Detector:
    on_device = [_float_image(each, device) for each in pixels]

    @torch.inference_mode()
    def predict() -> int:
        results = model([_float_image(each, device) for each in pixels])
        for result in results:
            if "masks" in result:
                result["masks"] = result["masks"][:, 0] >= 0.5
        on_host = [{name: each.cpu() for name, each in result.items()} for result in results]
        return len(on_host[0]["boxes"])

    @torch.inference_mode()
    def network() -> Any:
        return model(on_device)

    return Detector(predict, network)


def _float_image(pixels: Any, device: Device) -> torch.Tensor:
    moved = torch.from_numpy(pixels).to(device.torch_device)
    return moved.permute(2, 0, 1).contiguous() / 255


def write_our_weights(
    architecture: Architecture, device: Device, pixels: Sequence[Any], file: Path
) -> None:
    """Calibrated on the first image, in Detectron2's format."""
    model = _create(architecture, device, pixels, None, {})
    calibrate(model)
    with torch.no_grad():
        model.predict(our_images(pixels[:1]))
    state = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    with file.open("wb") as stream:
        pickle.dump({"model": state, "__author__": "benchmarks/gpu.py"}, stream)


def our_detector(
    architecture: Architecture,
    device: Device,
    pixels: Sequence[Any],
    weights: Path,
    execution: dict[str, Any],
) -> Detector:
    """Executed as named in ``benchsuite.execution.Execution``."""
    model = _create(architecture, device, pixels, weights, execution)
    given = our_images(pixels)
    batch = model.preprocess(given)
    return Detector(lambda: len(model.predict(given)[0].boxes), lambda: model.forward(batch))


def our_images(pixels: Sequence[Any]) -> list[Any]:
    from benchsuite.records import Image, ImageRecord

    return [
        Image(ImageRecord(number, f"{number}.png", each.shape[1], each.shape[0]), np.asarray(each))
        for number, each in enumerate(pixels, 1)
    ]


def _create(
    architecture: Architecture,
    device: Device,
    pixels: Sequence[Any],
    weights: Path | None,
    execution: dict[str, Any],
) -> Any:
    from dataclasses import replace
    from importlib import import_module

    from benchsuite.protocols import ModelRequest
    from benchsuite.specs import Category

    module = import_module(f"benchsuite_plugins.models.{architecture.module}")
    request = ModelRequest(
        categories=tuple(Category(label, str(label)) for label in range(CLASSES)),
        weights=weights,
        device=str(device.torch_device),
    )
    if execution:
        from benchsuite.execution import Execution

        request = replace(request, execution=Execution(**execution))
    return module.create(request)


@contextmanager
def autocast(device: Device) -> Iterator[None]:
    with torch.autocast(device.torch_device.type, dtype=torch.bfloat16):
        yield
