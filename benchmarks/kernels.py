"""The CPU kernels against torchvision, on inputs of the size that Mask R-CNN R50-FPN meets.

    python benchmarks/kernels.py --json FILE     one table, ours and theirs interleaved
    pytest benchmarks/kernels.py                 the same cases under pytest-benchmark

Inputs are drawn from a fixed seed. Every case first compares the two results.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import torch
from pycocotools import mask as pycocotools_mask
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import batched_nms as torchvision_batched_nms
from torchvision.ops import roi_align as torchvision_roi_align

from benchsuite.environment import cpu_name, load_average
from benchsuite_kernels import implementations, ops
from benchsuite_kernels.columns import rle

HEIGHT, WIDTH = 800, 1333
STRIDES = (4, 8, 16, 32)
THREADS = (1, 2)
LEAST_SECONDS = 0.005  # what one sample takes; shorter calls are repeated


@dataclass(frozen=True)
class Case:
    """Two ways to the same result, and what holds between their results."""

    peer: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    check: Callable[[Any, Any], None]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: operator/case.
        ours_s, peer_s: medians, seconds a call.
        peer: what it is compared with.
        ratio: ``peer_s / ours_s``.
        threads: that both may use.
        spread: the wider of the two interquartile ranges, over its median.
    """

    name: str
    ours_s: float
    peer: str
    peer_s: float
    ratio: float
    threads: int
    spread: float


# --- inputs -----------------------------------------------------------------------------------


def boxes_of(count: int, objects: int, jitter: float, seed: int) -> Tensor:
    """(count, 4) boxes inside the image, scattered around so many objects of all sizes."""
    random = np.random.default_rng(seed)
    size = np.exp(random.uniform(np.log(16), np.log(600), (objects, 2)))
    centre = random.uniform(0, (WIDTH, HEIGHT), (objects, 2))
    chosen = random.integers(0, objects, count)
    size, centre = size[chosen], centre[chosen]
    centre = centre + random.normal(0, jitter, (count, 2)) * size
    size = size * np.exp(random.normal(0, jitter, (count, 2)))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, WIDTH)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, HEIGHT)
    return torch.from_numpy(boxes.astype(np.float32))


def pyramid_levels(boxes: Tensor) -> Tensor:
    """The FPN paper's equation 1, from level 2 (stride 4) to 5."""
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    return (torch.floor(4 + torch.log2(side / 224 + 1e-8)).clamp(2, 5) - 2).long()


# --- cases ------------------------------------------------------------------------------------


def roi_align_case(channels_last: bool) -> Case:
    padded = -(-WIDTH // 32) * 32
    generator = torch.Generator().manual_seed(0)
    planes = [
        torch.randn(1, 256, HEIGHT // stride, padded // stride, generator=generator)
        for stride in STRIDES
    ]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = [plane.contiguous(memory_format=layout) for plane in planes]
    boxes = boxes_of(1000, 60, 0.2, seed=1)
    levels, image = pyramid_levels(boxes), torch.zeros(1000, dtype=torch.int64)
    scales = [1 / stride for stride in STRIDES]

    def theirs() -> Tensor:  # in its faster layout, which is the planar one
        output = torch.empty(1000, 256, 7, 7)
        rois = torch.cat([torch.zeros(1000, 1), boxes], dim=1)
        for level, scale in enumerate(scales):
            chosen = torch.nonzero(levels == level).squeeze(1)
            output[chosen] = torchvision_roi_align(
                planes[level], rois[chosen], 7, scale, 0, aligned=True
            )
        return output

    def check(mine: Tensor, other: Tensor) -> None:
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)

    return Case(
        "torchvision",
        lambda: ops.roi_align(features, boxes, image, levels, scales, 7),
        theirs,
        check,
    )


def batched_nms_case(count: int, groups: int, threshold: float) -> Case:
    boxes = boxes_of(count, 60, 0.2, seed=2)
    random = np.random.default_rng(3)
    scores = torch.from_numpy(random.permutation(count).astype(np.float32) / count)
    group = torch.from_numpy(random.integers(0, groups, count))

    def check(mine: Tensor, other: Tensor) -> None:
        assert torch.equal(mine, other)

    return Case(
        "torchvision",
        lambda: ops.batched_nms(boxes, scores, group, threshold),
        lambda: torchvision_batched_nms(boxes, scores, group, threshold),
        check,
    )


def mask_inputs() -> tuple[Tensor, Tensor]:
    """100 ragged round masks of 28 x 28 probabilities, and their boxes."""
    boxes = boxes_of(100, 100, 0.0, seed=4)
    random = np.random.default_rng(5)
    at = np.linspace(-1, 1, 28)
    radius = np.hypot(at[:, None], at)
    logits = 10 * (0.8 - radius) + 2 * random.standard_normal((100, 28, 28))
    return torch.sigmoid(torch.from_numpy(logits.astype(np.float32))), boxes


def encoded(masks: Tensor) -> list[bytes]:
    """The RLE of (N, H, W) bool masks, by pycocotools."""
    columns = np.asfortranarray(masks.numpy().transpose(1, 2, 0).view(np.uint8))
    return [part["counts"] for part in pycocotools_mask.encode(columns)]


def paste_torchvision_case() -> Case:
    masks, boxes = mask_inputs()

    def check(mine: list[bytes], other: list[bytes]) -> None:
        # torchvision moves boxes to whole pixels, so edges differ by up to a pixel.
        for a, b, box in zip(mine, other, boxes):
            inside = [rle.decode(counts, (HEIGHT, WIDTH)) for counts in (a, b)]
            perimeter = 2 * float((box[2:] - box[:2]).sum())
            assert (inside[0] != inside[1]).sum() < 2 * perimeter

    return Case(
        "torchvision",
        lambda: ops.paste_masks_to_rle(masks, boxes, HEIGHT, WIDTH),
        lambda: encoded(paste_masks_in_image(masks[:, None], boxes, (HEIGHT, WIDTH))[:, 0] >= 0.5),
        check,
    )


def paste_grid_sample_case() -> Case:
    masks, boxes = mask_inputs()
    x, y = torch.arange(WIDTH) + 0.5, torch.arange(HEIGHT) + 0.5

    def theirs() -> list[bytes]:
        at_x = (x - boxes[:, 0:1]) / (boxes[:, 2:3] - boxes[:, 0:1]) * 2 - 1
        at_y = (y - boxes[:, 1:2]) / (boxes[:, 3:4] - boxes[:, 1:2]) * 2 - 1
        size = (len(boxes), HEIGHT, WIDTH)
        grid = torch.stack([at_x[:, None, :].expand(size), at_y[:, :, None].expand(size)], dim=3)
        return encoded(grid_sample(masks[:, None], grid, align_corners=False)[:, 0] >= 0.5)

    def check(mine: list[bytes], other: list[bytes]) -> None:
        assert mine == other

    return Case(
        "grid_sample",
        lambda: ops.paste_masks_to_rle(masks, boxes, HEIGHT, WIDTH),
        theirs,
        check,
    )


CASES: dict[str, Callable[[], Case]] = {
    "roi_align/fpn_1000x256x7x7": lambda: roi_align_case(channels_last=True),
    "roi_align/fpn_1000x256x7x7_planar": lambda: roi_align_case(channels_last=False),
    "batched_nms/4741x5": lambda: batched_nms_case(4741, 5, 0.7),
    "batched_nms/1500x80": lambda: batched_nms_case(1500, 80, 0.5),
    "batched_nms/5000x1": lambda: batched_nms_case(5000, 1, 0.5),
    "paste_to_rle/100": paste_torchvision_case,
    "paste_to_rle/100_same_convention": paste_grid_sample_case,
}


# --- measuring --------------------------------------------------------------------------------


def seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def measure(name: str, case: Case, threads: int, rounds: int) -> Row:
    torch.set_num_threads(threads)
    calls = (case.ours, case.theirs)
    case.check(*(call() for call in calls))
    repeats = [max(1, int(LEAST_SECONDS / seconds(call, 1))) for call in calls]
    samples: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            samples[which].append(seconds(calls[which], repeats[which]))
    ours, theirs = (median(taken) for taken in samples)
    spread = max((q[2] - q[0]) / q[1] for q in (quantiles(taken, n=4) for taken in samples))
    return Row(name, ours, case.peer, theirs, theirs / ours, threads, spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the rows into this file")
    parser.add_argument("--rounds", type=int, default=15, help="samples a case and side")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    options = parser.parse_args()
    serving = ", ".join(sorted(set(implementations().values())))
    print(f"{cpu_name()}, load {load_average()}, torch {torch.__version__}, kernels: {serving}\n")
    print("| case | threads | ours ms | peer | peer ms | ratio | spread |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name, make in CASES.items():
        if options.only not in name:
            continue
        case = make()
        for threads in THREADS:
            row = measure(name, case, threads, options.rounds)
            rows.append(row)
            print(
                f"| `{name}` | {threads} | {row.ours_s * 1e3:.2f} | {row.peer} "
                f"| {row.peer_s * 1e3:.1f} | {row.ratio:.1f} | {row.spread:.0%} |",
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
    case = CASES[name]()
    case.check(case.ours(), case.theirs())
    return case


def test_ours(benchmark: Any, name: str, threads: int) -> None:
    benchmark.group = f"{name}, {threads} threads"
    torch.set_num_threads(threads)
    benchmark(checked(name).ours)


def test_peer(benchmark: Any, name: str, threads: int) -> None:
    benchmark.group = f"{name}, {threads} threads"
    torch.set_num_threads(threads)
    benchmark(checked(name).theirs)


if __name__ == "__main__":
    main()
