"""A step of training on the CPU beside torchvision's reference loop: losses, backward, SGD.

    python benchmarks/training.py --json FILE     one table, ours and theirs interleaved
    pytest benchmarks/training.py                 the same cases under pytest-benchmark

Both sides have the architecture of the published R50-FPN, frozen batch norms, a frozen stem and
first stage, and random weights. Images and truth are drawn from a fixed seed and have the size that
the network sees; every case first checks that both learn: finite losses, greater than zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from measuring.sides import Case, in_process
from measuring.suite import Suite
from measuring.table import Column
from torch import nn
from torchvision.models.detection import MaskRCNN, RetinaNet
from training_cases.batch import draw
from training_cases.steps import ours, theirs

from benchsuite_plugins.models import mask_rcnn, retinanet

SMALL, LARGE = (2, 320, 480), (1, 800, 1333)


def make(module: Any, kind: type[nn.Module], size: tuple[int, int, int], outlined: bool) -> Case:
    torch.manual_seed(0)
    batch = draw(*size)
    return Case("torchvision", ours(module, batch, outlined), theirs(kind, batch), both_learn)


def both_learn(*losses: dict[str, float]) -> None:
    for found in losses:
        assert found and all(0 < loss < 100 for loss in found.values()), found


CASES: dict[str, Callable[[], Case]] = {
    "mask_rcnn_R_50_FPN/2x320x480_bitmaps": lambda: make(mask_rcnn, MaskRCNN, SMALL, False),
    "mask_rcnn_R_50_FPN/2x320x480_polygons": lambda: make(mask_rcnn, MaskRCNN, SMALL, True),
    "mask_rcnn_R_50_FPN/1x800x1333_polygons": lambda: make(mask_rcnn, MaskRCNN, LARGE, True),
    "retinanet_R_50_FPN/2x320x480": lambda: make(retinanet, RetinaNet, SMALL, False),
    "retinanet_R_50_FPN/1x800x1333": lambda: make(retinanet, RetinaNet, LARGE, False),
}

SUITE = Suite(
    __doc__,
    {name: in_process(case, least_seconds=0) for name, case in CASES.items()},
    rounds=7,
    columns=(
        Column("our CPU s", "ours_cpu_s", ".2f"),
        Column("its CPU s", "peer_cpu_s", ".2f"),
    ),
    calls=3,
)

pytest_generate_tests, test_side = SUITE.tests()

if __name__ == "__main__":
    SUITE.script().main()
