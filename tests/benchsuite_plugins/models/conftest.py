"""A narrow Mask R-CNN, quick to run, whose random weights find something."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchsuite.protocols import ModelRequest
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import Category
from benchsuite_plugins.models.mask_rcnn import MaskRCNNOptions, create
from benchsuite_plugins.models.options import (
    BoxHeadOptions,
    FPNOptions,
    InputOptions,
    MaskHeadOptions,
    ResNetOptions,
)

NARROW = MaskRCNNOptions(
    input=InputOptions(min_size_test=96, max_size_test=160),
    resnet=ResNetOptions(stem_out_channels=8, res2_out_channels=32, width_per_group=8),
    fpn=FPNOptions(out_channels=16),
    box_head=BoxHeadOptions(fc_dim=32),
    mask_head=MaskHeadOptions(conv_dim=16),
)


@pytest.fixture
def narrow_options() -> MaskRCNNOptions:
    return NARROW


@pytest.fixture
def narrow_request() -> ModelRequest:
    return ModelRequest(options=NARROW, categories=tuple(Category(i, str(i)) for i in range(5)))


@pytest.fixture(scope="session")
def lively_model() -> Any:
    """Initial weights spread so far that boxes, classes and masks differ."""
    categories = tuple(Category(i, str(i)) for i in range(5))
    model = create(ModelRequest(options=NARROW, categories=categories, seed=3))
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith("conv3.norm.weight"):
                buffer.fill_(0.3)
        model.backbone.bottom_up.stem.conv1.norm.weight.fill_(0.02)
        head = model.proposal_generator.rpn_head
        predictor = model.roi_heads.box_predictor
        for layer, factor in (
            (head.conv, 3),
            (head.objectness_logits, 20),
            (head.anchor_deltas, 3),
            (predictor.cls_score, 60),
            (predictor.bbox_pred, 300),
            (model.roi_heads.mask_head.predictor, 500),
        ):
            layer.weight.mul_(factor)
    return model


@pytest.fixture
def make_image() -> Callable[[int, int], Image]:
    """Smooth noise of a height and width."""

    def make(height: int, width: int) -> Image:
        generator = torch.Generator().manual_seed(height * 10007 + width)
        coarse = torch.rand((1, 3, 9, 9), generator=generator)
        fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
        pixels = np.ascontiguousarray((fine[0].permute(1, 2, 0) * 255).numpy().astype(np.uint8))
        return Image(ImageRecord(1, "noise.png", width, height), pixels)

    return make


@pytest.fixture
def published_state_dict(golden: Path) -> Callable[[str], tuple[dict[str, list[int]], set[str]]]:
    """Of a published configuration: the shapes of all that its model saves, by name, and the names
    of its parameters."""
    file = golden.parent / "reference" / "state_dicts.json.gz"
    if not file.is_file():
        pytest.skip(f"no {file.name}")
    published = json.loads(gzip.decompress(file.read_bytes()))

    def read(config: str) -> tuple[dict[str, list[int]], set[str]]:
        runs = published["sets"][published["shapes"][_path(config)]]
        entries = [entry for first, n in runs for entry in published["entries"][first : first + n]]
        shapes = {name: shape for name, shape, _ in entries}
        return shapes, {name for name, _, is_buffer in entries if not is_buffer}

    return read


@pytest.fixture
def published_settings(golden: Path) -> Callable[[str], dict[str, Any]]:
    """The resolved settings of a published configuration."""
    file = golden.parent / "reference" / "settings.json"
    if not file.is_file():
        pytest.skip(f"no {file.name}")
    settings = json.loads(file.read_text(encoding="utf-8"))["configs"]
    return lambda config: dict(settings[_path(config)])


def _path(config: str) -> str:
    """Configurations lie in ``configs``, but for those of projects."""
    return config if config.startswith("projects/") else f"configs/{config}"
