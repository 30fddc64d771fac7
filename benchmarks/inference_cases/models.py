"""Both sides of a case: how they are built, and how they see an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchsuite import Image, ImageRecord, ModelRequest
from benchsuite.resolve import resolve_model, use
from inference_cases import detectron2_peer
from inference_cases.cases import Case

HEIGHT, WIDTH = 800, 1333


def draw_image() -> Image:
    """Noise at every scale, 8-bit RGB."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(1, 3, HEIGHT, WIDTH)
    for cells in (5, 15, 45, 135):
        coarse = torch.rand((1, 3, cells, 2 * cells), generator=generator)
        total += F.interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear") / 4
    pixels = (255 * total[0]).permute(1, 2, 0).contiguous().to(torch.uint8).numpy()
    return Image(ImageRecord(1, "noise.png", WIDTH, HEIGHT), pixels)


def build_ours(case: Case, weights: Path | None) -> Any:
    resolved = resolve_model(case.model, dataset="", overrides=case.overrides)
    request = ModelRequest(
        options=resolved.options,
        categories=resolved.categories or case.categories,
        weights=weights,
        # To be calibrated, a model has to be as it stands.
        execution=None if weights is None else case.execution,
    )
    return use(resolved.spec.factory, case.model)(request)


def build_peer(case: Case, weights: Path | None) -> nn.Module:
    # Ours does without it, so its memory is the peer's alone.
    from torchvision.models import detection

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = getattr(detection, case.peer)(
            weights=None, weights_backbone=None, **case.peer_options
        )
    if weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


Found = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""(N, 4) boxes and (N,) scores."""


def run_ours(model: Any, image: Image) -> Found:
    (prediction,) = model.predict([image])
    return prediction.boxes, prediction.scores


@torch.inference_mode()
def run_peer(model: nn.Module, image: Image) -> Found:
    """From the same pixels, and as far: masks become RLE, as in a prediction of ours."""
    from pycocotools import mask as pycocotools_mask

    (result,) = model([torch.from_numpy(image.pixels).permute(2, 0, 1).contiguous() / 255])
    if "masks" in result:
        masks = (result["masks"][:, 0] >= 0.5).numpy()
        pycocotools_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).view(np.uint8)))
    return result["boxes"].numpy(), result["scores"].numpy()


SIDES: dict[str, tuple[Callable[..., Any], Callable[[Any, Image], Found]]] = {
    "ours": (build_ours, run_ours),
    "peer": (build_peer, run_peer),
    "detectron2": (detectron2_peer.build, detectron2_peer.run),
}
