"""The training benchmark, small: both sides see the same truth, and it runs to its end."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch


@pytest.fixture
def training(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module("training")


def test_outlines_and_bitmaps_are_of_the_boxes(training: ModuleType) -> None:
    batch = training.draw(2, 80, 120)
    assert [pixels.shape for pixels in batch.pixels] == [(80, 120, 3)] * 2
    for boxes, outlines, bitmaps in zip(batch.boxes, batch.outlines, batch.bitmaps, strict=True):
        assert bitmaps.shape == (training.OBJECTS, 80, 120)
        for (x1, y1, x2, y2), outline, bitmap in zip(boxes, outlines, bitmaps, strict=True):
            assert 0 <= x1 < x2 <= 120 and 0 <= y1 < y2 <= 80
            assert outline.min(0) == pytest.approx([x1, y1], abs=0.1)
            assert outline.max(0) == pytest.approx([x2, y2], abs=0.1)
            # An ellipse fills so much of its box.
            assert bitmap.sum() == pytest.approx((x2 - x1) * (y2 - y1) * torch.pi / 4, rel=0.1)


def test_a_case_is_measured(training: ModuleType) -> None:
    size = (1, 64, 96)
    case = training.make(training.retinanet, training.RetinaNet, size, outlined=False)
    before = torch.get_num_threads()
    try:
        row = training.measure("retinanet", case, threads=1, rounds=2)
    finally:
        torch.set_num_threads(before)
    assert row.ratio == pytest.approx(row.peer_s / row.ours_s)
    assert min(row.ours_s, row.peer_s, row.ours_cpu_s, row.peer_cpu_s) > 0
