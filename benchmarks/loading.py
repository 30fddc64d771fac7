"""Training's loader beside torchvision's reference loader and Detectron2's, on COCO-size images.

    python benchmarks/loading.py --json FILE     one table, all sides taking turns
    pytest benchmarks/loading.py                 the same cases under pytest-benchmark

    python benchmarks/loading.py --detectron2 /path/to/detectron2 --json FILE

Every side reads the same JPEGs and the same annotation file, resizes the shorter side to 800 pixels
(the longer to at most 1333), mirrors half of the images, and hands over batches of two from two
worker processes. Each side has processes of its own, whose memory counts. Needs Linux, which tells
how memory is shared. Detectron2 need not be built: its loader is Python alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles
from typing import IO, Any, cast

import numpy as np
import PIL.Image
import psutil
import pytest
import torch
from torch.nn import functional as F

from benchsuite.environment import cpu_name, load_average

SHORT, LONG = 800, 1333
IMAGES, TURN, BATCH, WORKERS, PREFETCH = 64, 128, 2, 2, 2
DRAINED = WORKERS * PREFETCH + 2
"""Batches before the watch is started: those that were made while others took their turns."""

CASES = {"boxes": False, "boxes_and_masks": True}
"""Whether masks are learnt."""

PEERS = ("torchvision", "detectron2")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the case.
        ours_s, peer_s: medians, seconds an image.
        peer: what it is compared with.
        ratio: ``peer_s / ours_s``.
        threads: worker processes, of one thread each.
        spread: the wider of the two interquartile ranges, over its median.
        ours_images_s, peer_images_s: images a second.
        ours_cpu_ms, peer_cpu_ms: processor time of all processes for an image.
        cpu_ratio: of these, ``peer / ours``.
        ours_mib, peer_mib: memory of the process and its workers, what they share counted once.
    """

    name: str
    ours_s: float
    peer: str
    peer_s: float
    ratio: float
    threads: int
    spread: float
    ours_images_s: float
    peer_images_s: float
    ours_cpu_ms: float
    peer_cpu_ms: float
    cpu_ratio: float
    ours_mib: float
    peer_mib: float


# --- data -------------------------------------------------------------------------------------


def draw_pixels(height: int, width: int, generator: torch.Generator) -> np.ndarray[Any, Any]:
    """Noise at every scale, weaker the finer, as photographs have it: some 120 kB as JPEG."""
    total = 0.12 * torch.randn((1, 3, height, width), generator=generator)
    for cells, strength in ((4, 1.0), (12, 0.7), (36, 0.5), (108, 0.35), (320, 0.2)):
        coarse = torch.randn((1, 3, cells, cells), generator=generator)
        total += strength * F.interpolate(coarse, (height, width), mode="bicubic")
    scaled = (total / total.std() * 55 + 120).clamp(0, 255)
    return scaled[0].permute(1, 2, 0).to(torch.uint8).numpy()


def write_dataset(folder: Path) -> None:
    """Images and annotations like COCO's: 7.3 objects an image, outlines of 25 points."""
    generator, random = torch.Generator().manual_seed(0), np.random.default_rng(0)
    (folder / "images").mkdir()
    images, annotations = [], []
    for number in range(1, IMAGES + 1):
        height, width = (640, 480) if number % 4 == 0 else (480, 640)
        picture = PIL.Image.fromarray(draw_pixels(height, width, generator))
        file = f"{number:012d}.jpg"
        picture.save(folder / "images" / file, quality=90)
        images.append({"id": number, "file_name": file, "width": width, "height": height})
        for _ in range(max(1, random.poisson(7.3))):
            size = np.exp(random.uniform(np.log(12), np.log(300), 2))
            x, y = random.uniform(0, (width, height) - np.minimum(size, (width, height)))
            w, h = np.minimum(size, (width - x, height - y))
            angles = np.sort(random.uniform(0, 2 * np.pi, max(4, random.poisson(25))))
            points = np.stack([x + w * (1 + np.cos(angles)) / 2, y + h * (1 + np.sin(angles)) / 2])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(random.integers(1, 81)),
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                    "segmentation": [points.T.round(2).ravel().tolist()],
                }
            )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": str(number)} for number in range(1, 81)],
    }
    (folder / "truth.json").write_text(json.dumps(content), encoding="utf-8")


# --- sides: each an endless iterator over (heights and widths, masks) of batches -----------------

Sizes = list[tuple[int, int]]


def ours(folder: Path, masks: bool) -> Iterator[tuple[Sizes, int]]:
    from benchsuite.resolve import open_dataset
    from benchsuite.training.augmentation.augmentation import build_augmentation
    from benchsuite.training.data.training_set import TrainingSet
    from benchsuite.training.loading.loader import open_loader
    from benchsuite.training.options import SamplerOptions
    from benchsuite.training.order.draws import Share
    from benchsuite.training.order.sampling import build_stream

    tasks = ("bbox", "segm") if masks else ("bbox",)
    opened = open_dataset(str(folder / "truth.json"), images=folder / "images")
    examples = TrainingSet(opened, opened.dataset.categories, tasks=tasks)
    stream = build_stream(
        [examples],
        SamplerOptions(),
        images_per_micro_batch=BATCH,
        images_per_batch=BATCH,
        seed=0,
    )
    tables = [
        {"type": "ResizeShortestEdge", "min_size": [SHORT], "max_size": LONG},
        {"type": "RandomFlip", "prob": 0.5},
    ]
    loader = open_loader(
        examples,
        stream,
        seed=0,
        share=Share(BATCH),
        augmentation=build_augmentation(tables, tasks=tasks),
        workers=WORKERS,
        prefetch=PREFETCH,
    )
    with loader:
        for batch in loader:
            yield (
                [(image.height, image.width) for image in batch.images],
                sum(len(target.masks or ()) for target in batch.targets),
            )


def torchvision(folder: Path, masks: bool) -> Iterator[tuple[Sizes, int]]:
    """As its references train: Pillow images, transforms v2, masks as bitmaps; batches of one
    orientation."""
    from torchvision import datasets
    from torchvision.transforms import v2

    transforms = v2.Compose(
        [
            v2.RandomShortestSize(min_size=SHORT, max_size=LONG),
            v2.RandomHorizontalFlip(p=0.5),
            v2.PILToTensor(),
            v2.ToDtype(torch.float, scale=True),
            v2.SanitizeBoundingBoxes(),
            v2.ToPureTensor(),
        ]
    )
    plain = datasets.CocoDetection(
        str(folder / "images"), str(folder / "truth.json"), transforms=transforms
    )
    keys = ["boxes", "labels", *(["masks"] if masks else [])]
    dataset = datasets.wrap_dataset_for_transforms_v2(plain, target_keys=keys)
    wide = [plain.coco.imgs[image]["width"] > 500 for image in plain.ids]
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_sampler=OrientedBatches(wide),
        num_workers=WORKERS,
        prefetch_factor=PREFETCH,
        collate_fn=unzip,
    )
    for images, targets in loader:
        shown = sum(len(target.get("masks", ())) for target in targets)
        yield [tuple(image.shape[-2:]) for image in images], shown


class OrientedBatches:
    """Batches of one orientation, without end."""

    def __init__(self, wide: list[bool]) -> None:
        self._wide = np.array(wide)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng(0)
        waiting: dict[bool, list[int]] = {True: [], False: []}
        while True:
            for index in random.permutation(len(self._wide)).tolist():
                group = waiting[bool(self._wide[index])]
                group.append(index)
                if len(group) == BATCH:
                    yield list(group)
                    group.clear()


def unzip(batch: list[Any]) -> tuple[Any, ...]:
    return tuple(zip(*batch))


def detectron2(folder: Path, masks: bool) -> Iterator[tuple[Sizes, int]]:
    """Its own mapper, sampler and loader."""
    from detectron2.data import DatasetMapper, build_detection_train_loader
    from detectron2.data import transforms as T
    from detectron2.data.datasets.coco import load_coco_json

    mapper = DatasetMapper(
        is_train=True,
        augmentations=[T.ResizeShortestEdge([SHORT], LONG, "choice"), T.RandomFlip()],
        image_format="BGR",
        use_instance_mask=masks,
        instance_mask_format="polygon",
    )
    loader = build_detection_train_loader(
        load_coco_json(str(folder / "truth.json"), str(folder / "images"), "synthetic"),
        mapper=mapper,
        total_batch_size=BATCH,
        num_workers=WORKERS,
        aspect_ratio_grouping=True,
        prefetch_factor=PREFETCH,
    )
    for batch in loader:
        shown = [each["instances"] for each in batch]
        yield (
            [tuple(each["image"].shape[-2:]) for each in batch],
            sum(len(each) for each in shown if each.has("gt_masks")),
        )


SIDES: dict[str, Callable[[Path, bool], Iterator[tuple[Sizes, int]]]] = {
    "ours": ours,
    "torchvision": torchvision,
    "detectron2": detectron2,
}


# --- one side in a process --------------------------------------------------------------------


def memory_mib() -> float:
    """Of this process and those that it started; what several share is divided among them."""
    own = psutil.Process()
    processes = [own, *own.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in processes) / 2**20


def cpu_seconds() -> float:
    """Computed by this process and those that it started."""
    own = psutil.Process()
    times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def serve(side: str, folder: Path, masks: bool) -> None:
    """Take a turn's batches for every line that comes in."""
    torch.set_num_threads(1)
    replies, sys.stdout = sys.stdout, sys.stderr  # pycocotools prints what it does
    batches = SIDES[side](folder, masks)
    for _ in sys.stdin:
        for _ in range(DRAINED):
            next(batches)
        found, shown = [], 0
        start, computed = time.perf_counter(), cpu_seconds()
        for _ in range(TURN // BATCH):
            sizes, count = next(batches)
            found += sizes
            shown += count
        reply = {
            "seconds": (time.perf_counter() - start) / TURN,
            "cpu": (cpu_seconds() - computed) / TURN,
            "mib": memory_mib(),
        }
        check(side, found, shown, masks)
        print(json.dumps(reply), file=replies, flush=True)


def check(side: str, sizes: Sizes, shown: int, masks: bool) -> None:
    """Every side did the work."""
    expected = ([800, 1066], [800, 1067])  # torchvision rounds down
    assert all(sorted(size) in expected for size in sizes), (side, sizes)
    assert (shown > 5 * TURN) == masks, (side, shown)


class Server:
    """A side that waits in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._in, self._out = cast(IO[str], process.stdin), cast(IO[str], process.stdout)

    def run(self) -> dict[str, float]:
        """Let it take a turn."""
        print(file=self._in, flush=True)
        line = self._out.readline()
        if not line:
            raise RuntimeError("a side's process ended; its error is above")
        reply: dict[str, float] = json.loads(line)
        return reply


@contextmanager
def serving(side: str, folder: Path, name: str) -> Iterator[Server]:
    command = [sys.executable, __file__, "--serve", side, str(folder), name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:  # which closes its input, so that it ends
        yield Server(process)


# --- measuring --------------------------------------------------------------------------------


def available_peers() -> list[str]:
    return [peer for peer in PEERS if find_spec(peer) is not None]


def measure(name: str, rounds: int, folder: Path) -> list[Row]:
    sides = ["ours", *available_peers()]
    with ExitStack() as stack:
        servers = {side: stack.enter_context(serving(side, folder, name)) for side in sides}
        for server in servers.values():
            server.run()
        replies: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for turn in range(rounds):
            for side in sides if turn % 2 else reversed(sides):
                replies[side].append(servers[side].run())
    seconds = {side: [each["seconds"] for each in of] for side, of in replies.items()}
    mib = {side: max(each["mib"] for each in of) for side, of in replies.items()}
    cpu = {side: 1e3 * median(each["cpu"] for each in of) for side, of in replies.items()}
    spread = {side: _spread(taken) for side, taken in seconds.items()}
    first = median(seconds["ours"])
    return [
        Row(
            name=name,
            ours_s=first,
            peer=peer,
            peer_s=median(seconds[peer]),
            ratio=median(seconds[peer]) / first,
            threads=WORKERS,
            spread=max(spread["ours"], spread[peer]),
            ours_images_s=1 / first,
            peer_images_s=1 / median(seconds[peer]),
            ours_cpu_ms=cpu["ours"],
            peer_cpu_ms=cpu[peer],
            cpu_ratio=cpu[peer] / cpu["ours"],
            ours_mib=mib["ours"],
            peer_mib=mib[peer],
        )
        for peer in sides[1:]
    ]


def _spread(taken: list[float]) -> float:
    quarters = quantiles(taken, n=4)
    return (quarters[2] - quarters[0]) / quarters[1]


@cache
def shared_folder() -> tempfile.TemporaryDirectory[str]:
    """The dataset, for as long as this process lives."""
    folder = tempfile.TemporaryDirectory()
    write_dataset(Path(folder.name))
    return folder


@pytest.mark.parametrize("side", ["ours", *available_peers()])
@pytest.mark.parametrize("name", CASES)
def test_loading(benchmark: Any, name: str, side: str) -> None:
    with serving(side, Path(shared_folder().name), name) as server:
        server.run()
        benchmark.pedantic(server.run, rounds=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the table goes")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--detectron2", help="folders to import it from, with : between them")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        side, folder, name = given.serve
        serve(side, Path(folder), CASES[name])
        return
    if given.detectron2:
        known = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [known, given.detectron2]))
        sys.path += given.detectron2.split(os.pathsep)
    print(f"{cpu_name()}, load {load_average()}, {TURN} images a turn")
    rows = []
    for name in given.only or CASES:
        for row in measure(name, given.rounds, Path(shared_folder().name)):
            print(
                f"{row.name:16} {row.ours_images_s:7.1f} images/s  {row.peer:12} "
                f"{row.peer_images_s:7.1f}  ratio {row.ratio:5.2f}  spread {row.spread:4.0%}  "
                f"cpu {row.ours_cpu_ms:.1f} and {row.peer_cpu_ms:.1f} ms, ratio "
                f"{row.cpu_ratio:.2f}  memory {row.ours_mib:.0f} and {row.peer_mib:.0f} MiB"
            )
            rows.append(asdict(row))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
