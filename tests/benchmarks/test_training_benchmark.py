"""The training benchmark, small: both sides see the same truth, and it runs to its end."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch


@pytest.fixture
def modules(repository: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    names = {"training": "training", "batch": "training_cases.batch", "sides": "measuring.sides"}
    return SimpleNamespace(**{key: importlib.import_module(name) for key, name in names.items()})


def test_outlines_and_bitmaps_are_of_the_boxes(modules: SimpleNamespace) -> None:
    batch = modules.batch.draw(2, 80, 120)
    assert [pixels.shape for pixels in batch.pixels] == [(80, 120, 3)] * 2
    for boxes, outlines, bitmaps in zip(batch.boxes, batch.outlines, batch.bitmaps, strict=True):
        assert bitmaps.shape == (modules.batch.OBJECTS, 80, 120)
        for (x1, y1, x2, y2), outline, bitmap in zip(boxes, outlines, bitmaps, strict=True):
            assert 0 <= x1 < x2 <= 120 and 0 <= y1 < y2 <= 80
            assert outline.min(0) == pytest.approx([x1, y1], abs=0.1)
            assert outline.max(0) == pytest.approx([x2, y2], abs=0.1)
            # An ellipse fills so much of its box.
            assert bitmap.sum() == pytest.approx((x2 - x1) * (y2 - y1) * torch.pi / 4, rel=0.1)


def test_both_sides_take_a_step(modules: SimpleNamespace) -> None:
    training, size = modules.training, (1, 64, 96)
    case = training.make(training.retinanet, training.RetinaNet, size, outlined=False)
    with modules.sides.in_process(lambda: case, least_seconds=0)(1) as sides:
        assert list(sides) == ["ours", "torchvision"]
        assert sides["ours"].sample().seconds > 0


def test_a_side_that_does_not_learn_is_found(modules: SimpleNamespace) -> None:
    with pytest.raises(AssertionError):
        modules.training.both_learn({"loss": 1.0}, {"loss": float("nan")})
