"""Clipped gradients, beside numbers computed by hand and torch's own clipping."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from benchsuite.training.optimization.gradients import clip_gradients
from benchsuite.training.options import ClipGradientsOptions


def parameters(*gradients: list[float] | None) -> list[nn.Parameter]:
    made = []
    for gradient in gradients:
        made.append(nn.Parameter(torch.zeros(len(gradient or [0]))))
        if gradient is not None:
            made[-1].grad = torch.tensor(gradient)
    return made


def gradients(given: list[nn.Parameter]) -> list[list[float] | None]:
    return [None if each.grad is None else each.grad.tolist() for each in given]


def test_values() -> None:
    given = parameters([3.0, -0.5], None, [-9.0])
    clip_gradients(given, ClipGradientsOptions("value", 1.0))
    assert gradients(given) == [[1.0, -0.5], None, [-1.0]]


@pytest.mark.parametrize(
    ("norm_type", "scale"), [(2.0, 1.3 / 13), (1.0, 1.3 / 19), (math.inf, 1.3 / 12)]
)
def test_the_norm_of_all_together(norm_type: float, scale: float) -> None:
    given = parameters([3.0, 4.0], None, [12.0])
    clip_gradients(given, ClipGradientsOptions("norm", 1.3, norm_type))
    first, none, last = gradients(given)
    assert first == pytest.approx([3 * scale, 4 * scale], rel=1e-6)
    assert none is None
    assert last == pytest.approx([12 * scale], rel=1e-6)


def test_the_norm_of_each() -> None:
    given = parameters([3.0, 4.0], None, [0.5], [-12.0])
    clip_gradients(given, ClipGradientsOptions("norm_per_parameter", 1.0))
    first, _, small, last = gradients(given)
    assert first == pytest.approx([0.6, 0.8], rel=1e-5)
    assert small == [0.5]
    assert last == pytest.approx([-1.0], rel=1e-5)


def test_what_is_in_bounds_stays() -> None:
    for kind in ("value", "norm", "norm_per_parameter"):
        given = parameters([0.3, -0.4])
        before = gradients(given)
        clip_gradients(given, ClipGradientsOptions(kind, 10.0))
        assert gradients(given) == before
