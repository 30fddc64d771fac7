"""Features of the golden folders, which the reference implementation computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

# golden/README.md admits 5e-3; other routines for the same sums moved them by 5e-6 at most.
TOLERANCE = 1e-4

CASES = [
    ("vitdet_mask_rcnn", "main"),
    ("vitdet_mask_rcnn", "batch2"),
    ("vitdet_cascade_mask_rcnn", "main"),
    ("vitdet_LVIS_mask_rcnn", "main"),
    ("swin_cascade_mask_rcnn", "main"),
    ("swin_cascade_mask_rcnn", "batch2"),
    ("mvitv2_cascade_mask_rcnn", "main"),
    ("mvitv2_cascade_mask_rcnn", "batch2"),
    ("new_baselines_mask_rcnn_regnetx_4gf_dds_FPN_LSJ", "main"),
    ("new_baselines_mask_rcnn_regnety_4gf_dds_FPN_LSJ", "main"),
]


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_features_are_the_reference_s(
    folder: str,
    case: str,
    golden_case: Callable[[str, str], Any],
    build_golden: Callable[[dict[str, Any]], nn.Module],
) -> None:
    recorded = golden_case(folder, case)
    model = build_golden(recorded.config)
    model.load_state_dict(recorded.weights, strict=True)
    digests = [hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in recorded.pixels]
    assert digests == recorded.input_sha256

    prefix, net = ("vit", model.net) if hasattr(model, "net") else ("bottom_up", model.bottom_up)
    features: dict[str, Tensor] = {"input": recorded.pixels}
    net.register_forward_hook(
        lambda _, __, outputs: features.update(
            {f"{prefix}.{name}": feature for name, feature in outputs.items()}
        )
    )
    with torch.no_grad():
        levels = model(recorded.pixels)
    features |= {f"backbone.{name}": level for name, level in levels.items()}

    expected = {
        name for name in recorded.features if name.split(".")[0] in ("input", prefix, "backbone")
    }
    assert expected == set(features)
    deviations = {name: recorded.deviation(name, feature) for name, feature in features.items()}
    assert max(deviations.values()) < TOLERANCE, deviations


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_weights_come_in_the_model_s_order(
    folder: str,
    case: str,
    golden_case: Callable[[str, str], Any],
    build_golden: Callable[[dict[str, Any]], nn.Module],
) -> None:
    recorded = golden_case(folder, case)
    assert list(build_golden(recorded.config).state_dict()) == list(recorded.weights)
