"""Against all classes at full size at once, by torch's own resize."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchsuite_plugins.models import semantic_map
from benchsuite_plugins.models.semantic_map import SemanticOutputs, best_class, semantic_maps


@pytest.mark.parametrize(
    ("classes", "cells", "size", "original"),
    [
        (7, (8, 16), (32, 64), (32, 64)),
        (7, (8, 16), (30, 61), (45, 93)),
        (3, (16, 8), (63, 5), (11, 1)),
        (1, (8, 8), (1, 32), (1, 2000)),
        (300, (8, 8), (32, 32), (9, 9)),
    ],
)
@pytest.mark.parametrize("at_once", [1, 5000, 1 << 24])
def test_equals_all_classes_at_once(
    classes: int,
    cells: tuple[int, int],
    size: tuple[int, int],
    original: tuple[int, int],
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(semantic_map, "ELEMENTS_AT_ONCE", at_once)
    logits = torch.randn((classes, *cells), generator=torch.Generator().manual_seed(0))
    padded = F.interpolate(logits[None], scale_factor=4, mode="bilinear", align_corners=False)
    resized = F.interpolate(
        padded[..., : size[0], : size[1]], original, mode="bilinear", align_corners=False
    )
    assert torch.equal(best_class(logits, 4, size, original), resized[0].argmax(dim=0))


def test_the_first_of_equal_classes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic_map, "ELEMENTS_AT_ONCE", 1)
    logits = torch.tensor([0.0, 2.0, 2.0, 1.0])[:, None, None].expand(4, 8, 8)
    assert (best_class(logits, 4, (32, 32), (10, 10)) == 1).all()


def test_each_image_at_its_own_size() -> None:
    logits = torch.zeros((2, 3, 8, 8))
    logits[0, 2] = logits[1, 1] = 1
    sizes = torch.tensor([[32.0, 20.0], [7.0, 32.0]])
    first, second = semantic_maps(
        SemanticOutputs(logits, 4, sizes, torch.tensor([[64.0, 40.0], [3.0, 11.0]]))
    )
    assert first.shape == (64, 40) and second.shape == (3, 11)
    assert (first == 2).all() and (second == 1).all()
    assert first.dtype == np.uint8


def test_many_classes_do_not_run_into_none() -> None:
    def dtype(classes: int) -> np.dtype[np.generic]:
        size = torch.tensor([[4.0, 4.0]])
        return semantic_maps(SemanticOutputs(torch.zeros(1, classes, 1, 1), 4, size, size))[0].dtype

    assert dtype(255) == np.uint8 and dtype(256) == np.int32
