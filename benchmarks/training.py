"""A step of training on the CPU beside torchvision's reference loop: losses, backward, SGD.

    python benchmarks/training.py --json FILE     one table, ours and theirs interleaved
    pytest benchmarks/training.py                 the same cases under pytest-benchmark

Both sides have the architecture of the published R50-FPN, frozen batch norms, a frozen stem and
first stage, and random weights. Images and truth are drawn from a fixed seed and have the size that
the network sees; every case first checks that both learn: finite losses, as many gradients.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN, RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.ops.misc import FrozenBatchNorm2d

from benchsuite.environment import cpu_name, load_average
from benchsuite.protocols import ModelRequest
from benchsuite.records import Image, ImageRecord
from benchsuite.specs import Category
from benchsuite.targets import Target
from benchsuite_kernels import implementations
from benchsuite_plugins.models import mask_rcnn, retinanet

THREADS = (1, 2)
CLASSES, OBJECTS = 90, 8
SMALL, LARGE = (2, 320, 480), (1, 800, 1333)
RATE = 1e-6  # so small that no step changes what the next one has to do

Step = Callable[[], dict[str, float]]
"""One step of training; its losses."""


@dataclass(frozen=True)
class Case:
    """The same step twice."""

    ours: Step
    theirs: Step


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: model/batch.
        ours_s, peer_s: medians, seconds a step.
        peer: what it is compared with.
        ratio: ``peer_s / ours_s``.
        threads: that both may use.
        spread: the wider of the two interquartile ranges, over its median.
        ours_cpu_s, peer_cpu_s: medians of the processor's time, which a busy machine disturbs less.
    """

    name: str
    ours_s: float
    peer: str
    peer_s: float
    ratio: float
    threads: int
    spread: float
    ours_cpu_s: float
    peer_cpu_s: float


# --- inputs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """Images, each with ellipses of all sizes.

    Attributes:
        pixels: an (H, W, 3) uint8 an image.
        boxes: an (OBJECTS, 4) an image, xyxy.
        labels: an (OBJECTS,) an image.
        outlines: OBJECTS polygons of 40 points an image.
        bitmaps: an (OBJECTS, H, W) bool an image.
    """

    pixels: list[NDArray[np.uint8]]
    boxes: list[NDArray[np.float32]]
    labels: list[NDArray[np.int64]]
    outlines: list[list[NDArray[np.float64]]]
    bitmaps: list[NDArray[np.bool_]]


def draw(count: int, height: int, width: int) -> Batch:
    random = np.random.default_rng(0)
    batch = Batch([], [], [], [], [])
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    at = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    for _ in range(count):
        radius = np.exp(random.uniform(np.log(8), np.log(0.4 * min(height, width)), (OBJECTS, 2)))
        room = np.array([width, height]) - 2 * radius
        centre = radius + room * random.uniform(0, 1, (OBJECTS, 2))
        batch.pixels.append(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        batch.boxes.append(np.concatenate([centre - radius, centre + radius], 1, dtype=np.float32))
        batch.labels.append(random.integers(0, CLASSES, OBJECTS))
        ellipses = list(zip(centre, radius, strict=True))
        batch.outlines.append([c + r * circle for c, r in ellipses])
        inside = [(((at - c) / r) ** 2).sum(axis=-1) <= 1 for c, r in ellipses]
        batch.bitmaps.append(np.stack(inside))
    return batch


# --- both sides -------------------------------------------------------------------------------


def quiet(model: nn.Module) -> nn.Module:
    """Residual branches scaled down, as trained weights have them: else features grow without end
    where nothing normalises."""
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith(("conv3.norm.weight", "bn3.weight")):
                buffer.fill_(0.2)
    return model.train()


def step_of(model: nn.Module, losses: Callable[[], Mapping[str, Tensor]]) -> Step:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=RATE, momentum=0.9, weight_decay=1e-4)

    def step() -> dict[str, float]:
        terms = losses()
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        return {name: term.item() for name, term in terms.items()}

    return step


def ours(module: Any, batch: Batch, outlined: bool) -> Step:
    categories = tuple(Category(index, str(index)) for index in range(CLASSES))
    model = quiet(module.create(ModelRequest(categories=categories)))
    images = [
        Image(ImageRecord(index, "", pixels.shape[1], pixels.shape[0]), pixels)
        for index, pixels in enumerate(batch.pixels)
    ]
    masks: list[Any] = list(batch.bitmaps)
    if outlined:
        masks = [[[outline] for outline in outlines] for outlines in batch.outlines]
    # Made anew each step, as from a loader.
    return step_of(
        model,
        lambda: model.losses(  # type: ignore[operator]
            images,
            [Target(*truth) for truth in zip(batch.boxes, batch.labels, masks, strict=True)],
        ),
    )


def theirs(kind: type[nn.Module], batch: Batch) -> Step:
    height, width = batch.pixels[0].shape[:2]
    pyramid: dict[str, Any] = {}
    if kind is RetinaNet:
        pyramid = {"returned_layers": [2, 3, 4], "extra_blocks": LastLevelP6P7(256, 256)}
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50",
        weights=None,
        norm_layer=FrozenBatchNorm2d,
        trainable_layers=3,
        **pyramid,
    )
    size = {"min_size": min(height, width), "max_size": max(height, width)}
    model = quiet(kind(backbone, CLASSES + 1, **size))
    images = [torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 for pixels in batch.pixels]
    targets = [
        {
            "boxes": torch.from_numpy(boxes),
            "labels": torch.from_numpy(labels) + 1,
            "masks": torch.from_numpy(bitmaps).to(torch.uint8),
        }
        for boxes, labels, bitmaps in zip(batch.boxes, batch.labels, batch.bitmaps, strict=True)
    ]
    return step_of(model, lambda: model(images, targets))


def make(module: Any, kind: type[nn.Module], size: tuple[int, int, int], outlined: bool) -> Case:
    torch.manual_seed(0)
    batch = draw(*size)
    case = Case(ours(module, batch, outlined), theirs(kind, batch))
    for step in (case.ours, case.theirs):
        found = step()
        assert found and all(0 < loss < 100 for loss in found.values()), found
    return case


CASES: dict[str, Callable[[], Case]] = {
    "mask_rcnn_R_50_FPN/2x320x480, bitmaps": lambda: make(mask_rcnn, MaskRCNN, SMALL, False),
    "mask_rcnn_R_50_FPN/2x320x480, polygons": lambda: make(mask_rcnn, MaskRCNN, SMALL, True),
    "mask_rcnn_R_50_FPN/1x800x1333, polygons": lambda: make(mask_rcnn, MaskRCNN, LARGE, True),
    "retinanet_R_50_FPN/2x320x480": lambda: make(retinanet, RetinaNet, SMALL, False),
    "retinanet_R_50_FPN/1x800x1333": lambda: make(retinanet, RetinaNet, LARGE, False),
}


# --- measuring --------------------------------------------------------------------------------


def seconds(step: Step) -> tuple[float, float]:
    """Of the clock, and of the processor."""
    start, busy = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - start, time.process_time() - busy


def measure(name: str, case: Case, threads: int, rounds: int) -> Row:
    torch.set_num_threads(threads)
    steps = (case.ours, case.theirs)
    samples: tuple[list[tuple[float, float]], ...] = ([], [])
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            samples[which].append(seconds(steps[which]))
    (mine, mine_cpu), (other, other_cpu) = (
        [median(taken) for taken in zip(*side, strict=True)] for side in samples
    )
    clocks = ([clock for clock, _ in side] for side in samples)
    spread = max((q[2] - q[0]) / q[1] for q in (quantiles(taken, n=4) for taken in clocks))
    return Row(name, mine, "torchvision", other, other / mine, threads, spread, mine_cpu, other_cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the rows into this file")
    parser.add_argument("--rounds", type=int, default=7, help="samples a case and side")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--threads", type=int, nargs="+", default=THREADS)
    options = parser.parse_args()
    serving = ", ".join(sorted(set(implementations().values())))
    print(f"{cpu_name()}, load {load_average()}, torch {torch.__version__}, kernels: {serving}\n")
    print("| case | threads | ours s | peer | peer s | ratio | spread | CPU ratio |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for name, made in CASES.items():
        if options.only not in name:
            continue
        case = made()
        for threads in options.threads:
            row = measure(name, case, threads, options.rounds)
            rows.append(row)
            print(
                f"| `{name}` | {threads} | {row.ours_s:.2f} | {row.peer} | {row.peer_s:.2f} "
                f"| {row.ratio:.2f} | {row.spread:.0%} | {row.peer_cpu_s / row.ours_cpu_s:.2f} |",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


# --- the same under pytest-benchmark ----------------------------------------------------------


def pytest_generate_tests(metafunc: Any) -> None:
    metafunc.parametrize("name", CASES)
    metafunc.parametrize("threads", THREADS)


@cache
def checked(name: str) -> Case:
    return CASES[name]()


def test_ours(benchmark: Any, name: str, threads: int) -> None:
    benchmark.group = f"{name}, {threads} threads"
    torch.set_num_threads(threads)
    benchmark.pedantic(checked(name).ours, rounds=3)


def test_peer(benchmark: Any, name: str, threads: int) -> None:
    benchmark.group = f"{name}, {threads} threads"
    torch.set_num_threads(threads)
    benchmark.pedantic(checked(name).theirs, rounds=3)


if __name__ == "__main__":
    main()
