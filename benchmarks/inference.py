"""Whole detectors of published size on the CPU, from an image of 800 x 1333 to a prediction.

    python benchmarks/inference.py --json FILE     one table, ours and theirs taking turns
    pytest benchmarks/inference.py                 the same cases under pytest-benchmark

Ours loads a Detectron2-format ``.pkl`` of the recipe's shapes, strictly; the peer is torchvision's
model of the same architecture and as many classes. Weights are random, but norms are calibrated on
the image and the last layers scaled, by the same rule on both sides, so that about 100 detections
of different scores come out. Each model runs in a process of its own, whose peak memory counts.
Needs Linux, which tells that peak.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import IO, Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchsuite import Category, Image, ImageRecord, ModelRequest
from benchsuite.environment import cpu_name, load_average
from benchsuite.plugins import registry
from benchsuite.resolve import resolve_model, use

HEIGHT, WIDTH = 800, 1333
THREADS = (1, 2)
LEAST_DETECTIONS = 80  # fewer, and the heads would have had little to do
NUMBERED = tuple(Category(label, str(label)) for label in range(80))


@dataclass(frozen=True)
class Case:
    """A model of ours and its peer.

    Attributes:
        model: a recipe, or a model that is to take torchvision's weights.
        peer: a function of ``torchvision.models.detection``; empty: torchvision has none.
        peer_options: what that is given beside ``weights=None``.
        categories, overrides: of a model that no recipe describes.
        same_weights: whether ours reads the peer's checkpoint, and must find the same.
    """

    model: str
    peer: str = ""
    peer_options: dict[str, int] = field(default_factory=dict)
    categories: tuple[Category, ...] = NUMBERED
    overrides: dict[str, Any] = field(default_factory=dict)
    same_weights: bool = False


COCO = {"num_classes": 81}  # torchvision counts the background
RETINANET = {"num_classes": 80, "detections_per_img": 100}
PERSON = {"num_classes": 2, "num_keypoints": 17}

CASES = {
    "faster_rcnn_R_50_FPN": Case("faster_rcnn_R_50_FPN_3x", "fasterrcnn_resnet50_fpn", COCO),
    "mask_rcnn_R_50_FPN": Case("mask_rcnn_R_50_FPN_3x", "maskrcnn_resnet50_fpn", COCO),
    "keypoint_rcnn_R_50_FPN": Case(
        "keypoint_rcnn_R_50_FPN_3x", "keypointrcnn_resnet50_fpn", PERSON
    ),
    "retinanet_R_50_FPN": Case("retinanet_R_50_FPN_3x", "retinanet_resnet50_fpn", RETINANET),
    "panoptic_fpn_R_50": Case("panoptic_fpn_R_50_3x"),
    "cascade_mask_rcnn_R_50_FPN": Case("cascade_mask_rcnn_R_50_FPN_3x"),
    "mask_rcnn_vitdet_b": Case("mask_rcnn_vitdet_b_100ep"),
    "faster_rcnn_R_50_FPN_same_convention": Case(
        "torchvision_faster_rcnn", "fasterrcnn_resnet50_fpn", COCO, same_weights=True
    ),
    "mask_rcnn_R_50_FPN_same_convention": Case(
        "torchvision_mask_rcnn", "maskrcnn_resnet50_fpn", COCO, same_weights=True
    ),
    "keypoint_rcnn_R_50_FPN_same_convention": Case(
        "torchvision_keypoint_rcnn",
        "keypointrcnn_resnet50_fpn",
        PERSON,
        categories=NUMBERED[:1],
        overrides={"keypoint_head": {"num_keypoints": 17}},
        same_weights=True,
    ),
    "retinanet_R_50_FPN_same_convention": Case(
        "torchvision_retinanet",
        "retinanet_resnet50_fpn",
        RETINANET,
        overrides={"retinanet": {"detections_per_image": 100}},
        same_weights=True,
    ),
}


@dataclass(frozen=True)
class Row:
    """One line of the table; the peer's fields are ``None`` where there is none.

    Attributes:
        name: of the case.
        ours_s, peer_s: medians, seconds an image.
        peer: what it is compared with.
        ratio: ``peer_s / ours_s``.
        threads: that both may use.
        spread: the wider of the two interquartile ranges, over its median.
        ours_peak_mib, peer_peak_mib: the most memory the process held, loading included.
        ours_load_s: from the checkpoint's path to a model that can run.
        ours_detections, peer_detections: on the image.
    """

    name: str
    ours_s: float
    peer: str | None
    peer_s: float | None
    ratio: float | None
    threads: int
    spread: float
    ours_peak_mib: float
    peer_peak_mib: float | None
    ours_load_s: float
    ours_detections: int
    peer_detections: int | None


# --- models -----------------------------------------------------------------------------------


def draw_image() -> Image:
    """Noise at every scale, 8-bit RGB."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(1, 3, HEIGHT, WIDTH)
    for cells in (5, 15, 45, 135):
        coarse = torch.rand((1, 3, cells, 2 * cells), generator=generator)
        total += F.interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear") / 4
    pixels = (255 * total[0]).permute(1, 2, 0).contiguous().to(torch.uint8).numpy()
    return Image(ImageRecord(1, "noise.png", WIDTH, HEIGHT), pixels)


def build_ours(case: Case, weights: Path | None) -> Any:
    resolved = resolve_model(case.model, dataset="", overrides=case.overrides)
    request = ModelRequest(
        options=resolved.options,
        categories=resolved.categories or case.categories,
        weights=weights,
    )
    return use(resolved.spec.factory, case.model)(request)


def build_peer(case: Case, weights: Path | None) -> nn.Module:
    # Ours does without it, so its memory is the peer's alone.
    from torchvision.models import detection

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = getattr(detection, case.peer)(
            weights=None, weights_backbone=None, **case.peer_options
        )
    if weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


Found = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""(N, 4) boxes and (N,) scores."""


def run_ours(model: Any, image: Image) -> Found:
    (prediction,) = model.predict([image])
    return prediction.boxes, prediction.scores


@torch.inference_mode()
def run_peer(model: nn.Module, image: Image) -> Found:
    """From the same pixels, and as far: masks become RLE, as in a prediction of ours."""
    from pycocotools import mask as pycocotools_mask

    (result,) = model([torch.from_numpy(image.pixels).permute(2, 0, 1).contiguous() / 255])
    if "masks" in result:
        masks = (result["masks"][:, 0] >= 0.5).numpy()
        pycocotools_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).view(np.uint8)))
    return result["boxes"].numpy(), result["scores"].numpy()


SIDES: dict[str, tuple[Callable[..., Any], Callable[[Any, Image], Found]]] = {
    "ours": (build_ours, run_ours),
    "peer": (build_peer, run_peer),
}


# --- weights ----------------------------------------------------------------------------------

PREDICTORS = (
    (r"objectness_logits|rpn\.head\.cls_logits", 0.0, 2.0),
    (r"anchor_deltas|rpn\.head\.bbox_pred", 0.0, 0.3),
    (r"box_predictor\.(\d\.)?cls_score", 0.0, 2.0),
    (r"box_predictor\.(\d\.)?bbox_pred", 0.0, 1.0),
    (r"mask_head\.predictor|mask_fcn_logits|score_lowres|sem_seg_head\.predictor", 0.0, 2.0),
    # RetinaNet: one in a thousand is above the threshold, as in trained models.
    (r"^head\.cls_score|classification_head\.cls_logits", -9.0, 2.0),
    (r"^head\.bbox_pred|bbox_reg", 0.0, 0.3),
)
"""Last layers, with the mean and the spread that each of their output channels shall have."""


def calibrate(model: nn.Module) -> None:
    """Let the next image that the model sees set the statistics of all its batch norms, and the
    scale of its last layers (by the level that they are called on first, the finest)."""
    for name, module in model.named_modules():
        if isinstance(getattr(module, "running_mean", None), Tensor):
            at_first_call(module, take_statistics)
        for pattern, mean, spread in PREDICTORS:
            if re.search(f"({pattern})$", name):
                at_first_call(module, partial(scale_outputs, mean=mean, spread=spread))


def at_first_call(module: nn.Module, act: Callable[[Any, Tensor], None]) -> None:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        handle.remove()
        act(module, inputs[0])

    handle = module.register_forward_pre_hook(hook)


def by_channel(values: Tensor) -> Tensor:
    """(N, C, ...) to (C, everything else)."""
    return values.transpose(0, 1).flatten(1)


def take_statistics(norm: Any, inputs: Tensor) -> None:
    channels = by_channel(inputs)
    norm.running_mean.copy_(channels.mean(dim=1))
    norm.running_var.copy_(channels.var(dim=1).clamp(min=1e-4))


def scale_outputs(layer: Any, inputs: Tensor, *, mean: float, spread: float) -> None:
    channels = by_channel(layer.forward(inputs))
    factor = spread / channels.std(dim=1).clamp(min=1e-6)
    # Axis 0 of the weights counts outputs, but that of a deconvolution's, where axis 1 does.
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    shape = [-1 if each == axis else 1 for each in range(layer.weight.ndim)]
    layer.weight.mul_(factor.view(shape))
    layer.bias.sub_(channels.mean(dim=1)).mul_(factor).add_(mean)


def write_checkpoint(case: Case, side: str, file: Path) -> None:
    """Random weights: ours as Detectron2 publishes them, the peer's as torch saves them."""
    build, run = SIDES[side]
    model = build(case, None)
    calibrate(model)
    with torch.no_grad():
        run(model, draw_image())
    state = model.state_dict()
    if side == "peer":
        torch.save(state, file)
        return
    arrays = {name: value.numpy() for name, value in state.items()}
    with file.open("wb") as stream:
        pickle.dump({"model": arrays, "__author__": "benchmarks/inference.py"}, stream)


# --- one model in a process -------------------------------------------------------------------


def peak_mib() -> float:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def serve(case: Case, side: str, file: Path) -> None:
    """Load the checkpoint, then run the image once for every line that comes in."""
    build, run = SIDES[side]
    image = draw_image()
    start = time.perf_counter()
    model = build(case, file)
    load_s = time.perf_counter() - start
    for _ in sys.stdin:
        start = time.perf_counter()
        boxes, scores = run(model, image)
        reply = {
            "seconds": time.perf_counter() - start,
            "load_s": load_s,
            "peak_mib": peak_mib(),
            "boxes": boxes.tolist(),
            "scores": scores.tolist(),
        }
        print(json.dumps(reply), flush=True)


def command(task: str, name: str, side: str, file: Path) -> list[str]:
    return [sys.executable, __file__, "--task", task, name, side, str(file)]


def environment(threads: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}


def checkpoint(name: str, side: str, folder: Path) -> Path:
    """The checkpoint of a side, written if it is not there."""
    side = "peer" if CASES[name].same_weights else side
    file = folder / f"{name}-{side}{'.pth' if side == 'peer' else '.pkl'}"
    if not file.exists():
        subprocess.run(command("write", name, side, file), env=environment(2), check=True)
    return file


class Server:
    """A model that waits in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._in, self._out = cast(IO[str], process.stdin), cast(IO[str], process.stdout)

    def run(self) -> dict[str, Any]:
        """Let it see the image."""
        print(file=self._in, flush=True)
        line = self._out.readline()
        if not line:
            raise RuntimeError("the model's process ended; its error is above")
        reply: dict[str, Any] = json.loads(line)
        return reply


@contextmanager
def serving(name: str, side: str, threads: int, folder: Path) -> Iterator[Server]:
    process = subprocess.Popen(
        command("serve", name, side, checkpoint(name, side, folder)),
        env=environment(threads),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # which closes its input, so that it ends
        yield Server(process)


# --- measuring --------------------------------------------------------------------------------


def available(case: Case) -> bool:
    return case.model in registry().recipes or case.model in registry().models


def sides_of(case: Case) -> tuple[str, ...]:
    return ("ours", "peer") if case.peer else ("ours",)


def check(case: Case, first: dict[str, dict[str, Any]]) -> None:
    """Both found enough; the same, where they have the same weights and conventions."""
    for side, reply in first.items():
        assert len(reply["boxes"]) >= LEAST_DETECTIONS, f"{side} found {len(reply['boxes'])}"
    if case.same_weights:
        ours, theirs = (
            np.column_stack([first[side]["boxes"], first[side]["scores"]]) for side in SIDES
        )
        away = np.abs(ours[:, None] - theirs).max(axis=2).min(axis=1)
        # A score's last bit may turn one suppression around.
        assert (away < 0.05).mean() > 0.95, np.sort(away)[-10:]


def measure(name: str, threads: int, rounds: int, folder: Path) -> Row:
    case = CASES[name]
    sides = sides_of(case)
    with ExitStack() as stack:
        servers = {s: stack.enter_context(serving(name, s, threads, folder)) for s in sides}
        last = {side: server.run() for side, server in servers.items()}
        check(case, last)
        samples: dict[str, list[float]] = {side: [] for side in sides}
        for turn in range(rounds):
            for side in sides if turn % 2 else reversed(sides):
                last[side] = servers[side].run()
                samples[side].append(last[side]["seconds"])
    medians = {side: median(taken) for side, taken in samples.items()}
    quarters = [quantiles(taken, n=4) for taken in samples.values()]
    ours, theirs = last["ours"], last.get("peer")
    return Row(
        name=name,
        ours_s=medians["ours"],
        peer=f"torchvision {case.peer}" if case.peer else None,
        peer_s=medians.get("peer"),
        ratio=medians["peer"] / medians["ours"] if theirs else None,
        threads=threads,
        spread=max((q[2] - q[0]) / q[1] for q in quarters),
        ours_peak_mib=ours["peak_mib"],
        peer_peak_mib=theirs["peak_mib"] if theirs else None,
        ours_load_s=ours["load_s"],
        ours_detections=len(ours["boxes"]),
        peer_detections=len(theirs["boxes"]) if theirs else None,
    )


def line(row: Row) -> str:
    def shown(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    cells = (
        f"`{row.name}`",
        row.threads,
        f"{row.ours_s:.2f}",
        shown(row.peer_s, ".2f"),
        shown(row.ratio, ".2f"),
        f"{row.spread:.0%}",
        f"{row.ours_peak_mib:.0f}",
        shown(row.peer_peak_mib, ".0f"),
        f"{row.ours_load_s:.1f}",
        f"{row.ours_detections}, {row.peer_detections}" if row.peer else row.ours_detections,
    )
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the rows into this file")
    parser.add_argument("--rounds", type=int, default=3, help="images a case and side, 2 or more")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--task", nargs=4, help=argparse.SUPPRESS)  # what a child process does
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("one round has no spread: --rounds 2 or more")
    if options.task:
        task, name, side, file = options.task
        {"write": write_checkpoint, "serve": serve}[task](CASES[name], side, Path(file))
        return
    print(f"{cpu_name()}, load {load_average()}, torch {torch.__version__}\n")
    print(
        "| case | threads | ours s | peer s | ratio | spread | ours MiB | peer MiB | load s | n |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name, case in CASES.items():
        if options.only not in name:
            continue
        if not available(case):
            print(f"{name}: there is no {case.model}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            for threads in THREADS:
                rows.append(measure(name, threads, options.rounds, Path(folder)))
                print(line(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


# --- the same under pytest-benchmark ----------------------------------------------------------


def pytest_generate_tests(metafunc: Any) -> None:
    metafunc.parametrize("name", [name for name, case in CASES.items() if available(case)])
    metafunc.parametrize("threads", THREADS)


def measure_side(benchmark: Any, name: str, side: str, threads: int, folder: Path) -> None:
    benchmark.group = f"{name}, {threads} threads"
    with serving(name, side, threads, folder) as server:
        first = server.run()
        assert len(first["boxes"]) >= LEAST_DETECTIONS
        benchmark.extra_info.update(load_s=first["load_s"], peak_mib=first["peak_mib"])
        benchmark.pedantic(server.run, rounds=3)


def test_ours(benchmark: Any, name: str, threads: int, tmp_path: Path) -> None:
    measure_side(benchmark, name, "ours", threads, tmp_path)


def test_peer(benchmark: Any, name: str, threads: int, tmp_path: Path) -> None:
    if not CASES[name].peer:
        pytest.skip("torchvision has no such model")
    measure_side(benchmark, name, "peer", threads, tmp_path)


if __name__ == "__main__":
    main()
