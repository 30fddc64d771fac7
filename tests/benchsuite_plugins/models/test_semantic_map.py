"""Each image of a batch at its own size; the pixels themselves are the operator's."""

from __future__ import annotations

import numpy as np
import torch

from benchsuite_plugins.models.semantic_map import SemanticOutputs, semantic_maps


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
