"""Micro-batches: the same whoever makes them, and errors that say which image it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import psutil
import pytest

from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.resolve import open_dataset
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.loading.loader import open_loader
from benchsuite.training.options import SamplerOptions
from benchsuite.training.order.draws import Share
from benchsuite.training.order.sampling import build_stream

IMAGES = 7

AUGMENTATIONS = '''
"""Augmentations that worker processes can import."""

import os
import time
from dataclasses import replace

import numpy as np

from benchsuite.records import Image
from benchsuite.training.data.example import Example


class Noise:
    """Adds what follows from the seed, and the corner of another image; flips, so that the pixels
    are not contiguous."""

    def __call__(self, example, seed, other):
        noise = np.random.default_rng(seed).integers(0, 9, example.image.pixels.shape, np.uint8)
        pixels = example.image.pixels + noise + other(0).image.pixels[0, 0, 0]
        return Example(Image(example.image.record, pixels[:, ::-1]), example.target)


class FailsFor:
    def __init__(self, image_id, failure):
        self.image_id, self.failure = image_id, failure

    def __call__(self, example, seed, other):
        if example.image.record.id == self.image_id:
            if self.failure == "dies":
                os._exit(9)
            raise RuntimeError(self.failure)
        return example


class Unpicklable:
    def __reduce__(self):
        return int, ("no number",)

    def __call__(self, example, seed, other):
        return example


class Threads:
    def __call__(self, example, seed, other):
        import torch

        found = [[torch.get_num_threads(), 0, 0, 0]]
        return Example(example.image, replace(example.target, proposals=found))


class Slow:
    def __call__(self, example, seed, other):
        time.sleep(0.2)
        return example
'''


@pytest.fixture(scope="module")
def augmentations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("importable")
    (folder / "augmentations_of_tests.py").write_text(AUGMENTATIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import augmentations_of_tests

        yield augmentations_of_tests


def write_dataset(folder: Path) -> Path:
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, IMAGES + 1):
        width, height = (40, 30) if number % 2 else (30, 40)
        pixels = random.integers(0, 200, (height, width, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        file = f"{number}.png"
        images.append({"id": number, "file_name": file, "width": width, "height": height})
        annotations += [
            {
                "id": 10 * number + place,
                "image_id": number,
                "category_id": 1,
                "bbox": [place, 1, 9, 9],
                "area": 81,
                "iscrowd": 0,
                "segmentation": [[place, 1, place + 9, 1, place + 9, 10]],
            }
            for place in range(number % 3 + 1)
        ]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing"}],
    }
    (folder / "truth.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("dataset"))


def training_set(folder):
    opened = open_dataset(str(folder / "truth.json"), images=folder / "images")
    return TrainingSet(opened, opened.dataset.categories, tasks=("bbox", "segm"))


def loader(folder, *, share=None, sampler=None, **options):
    examples, share = training_set(folder), share or Share(2)
    stream = build_stream(
        [examples],
        sampler or SamplerOptions(),
        images_per_micro_batch=share.size,
        images_per_batch=share.size * share.accumulate * share.world_size,
        seed=5,
    )
    return open_loader(examples, stream, seed=6, share=share, **options)


def content(batch):
    """All of a micro-batch as plain values."""
    return (
        batch.step,
        batch.number,
        batch.seed,
        batch.image_ids,
        [(image.record, image.pixels.tolist()) for image in batch.images],
        [
            (
                target.boxes.tolist(),
                target.labels.tolist(),
                [[piece.tolist() for piece in mask] for mask in target.masks],
                target.seed,
            )
            for target in batch.targets
        ],
    )


def all_of(opened):
    with opened as batches:
        return [content(batch) for batch in batches]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_nothing(folder, augmentations, workers):
    options = {"augmentation": augmentations.Noise(), "stop_step": 9}
    alone = all_of(loader(folder, **options))
    assert len(alone) == 9
    assert all_of(loader(folder, workers=workers, **options)) == alone


@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_is_taken_up_where_it_stopped(folder, augmentations, workers):
    options = {"augmentation": augmentations.Noise(), "stop_step": 8, "workers": workers}
    share = Share(2, accumulate=2)
    whole = all_of(loader(folder, share=share, **options))
    assert all_of(loader(folder, share=share, start_step=5, **options)) == whole[10:]


def test_two_processes_see_what_one_that_accumulates_sees(folder, augmentations):
    options = {"augmentation": augmentations.Noise(), "stop_step": 4}
    one = all_of(loader(folder, share=Share(2, accumulate=4), **options))
    ranks = [
        all_of(loader(folder, share=Share(2, accumulate=2, rank=rank, world_size=2), **options))
        for rank in range(2)
    ]
    assert sorted(ranks[0] + ranks[1], key=lambda batch: batch[:2]) == one


def test_every_image_of_a_batch_has_seeds_of_its_own(folder):
    batches = all_of(loader(folder, stop_step=20))
    seeds = [target[-1] for batch in batches for target in batch[5]]
    assert len(set(seeds)) == len(seeds) == 40
    assert len({batch[2] for batch in batches}) == 20


def test_batches_are_of_one_orientation(folder):
    for _, _, _, _, images, _ in all_of(loader(folder, stop_step=20)):
        assert len({record.width > record.height for record, _ in images}) == 1


def test_without_workers_nothing_is_made_ahead(folder, augmentations):
    with loader(folder, augmentation=augmentations.FailsFor(3, "no")) as batches:
        assert batches.seconds_waited == 0
        next(batches)
        assert batches.seconds_waited > 0


def test_waiting_is_measured(folder, augmentations):
    with loader(folder, augmentation=augmentations.Slow(), workers=1, prefetch=2) as batches:
        next(batches)
        time.sleep(1)
        before = batches.seconds_waited
        next(batches)
        assert batches.seconds_waited - before < 0.2  # it was made meanwhile


def test_pixels_can_be_written_to_and_outlive_the_workers(folder):
    with loader(folder, workers=2) as batches:
        kept = [next(batches) for _ in range(6)]
    for batch in kept:
        for image in batch.images:
            image.pixels[:] = 7
            assert image.pixels.flags.c_contiguous and (image.pixels == 7).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_augmentation_that_fails_names_the_image(folder, augmentations, workers):
    failing = augmentations.FailsFor(3, "it is too dark")
    message = r"image id 3 \(3.png\) could not be augmented, with seed \d+: RuntimeError: it is too"
    with (
        loader(folder, augmentation=failing, workers=workers) as batches,
        pytest.raises(BenchsuiteError, match=message),
    ):
        for _ in range(IMAGES):
            next(batches)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_named(tmp_path, workers):
    folder = write_dataset(tmp_path)
    (folder / "images" / "4.png").write_bytes(b"no picture")
    with (
        loader(folder, workers=workers) as batches,
        pytest.raises(InputError, match="image id 4: the image cannot be read") as caught,
    ):
        for _ in range(IMAGES):
            next(batches)
    assert caught.value.file == folder / "images" / "4.png"
    assert caught.value.record == "image id 4"


def test_a_worker_that_dies_is_told(folder, augmentations):
    dying = augmentations.FailsFor(3, "dies")
    with (
        loader(folder, augmentation=dying, workers=2) as batches,
        pytest.raises(BenchsuiteError, match="a worker process ended, with exit code 9"),
    ):
        for _ in range(IMAGES):
            next(batches)


def test_an_augmentation_that_cannot_be_sent_is_told(folder, augmentations):
    with (
        loader(folder, augmentation=augmentations.Unpicklable(), workers=1) as batches,
        pytest.raises(BenchsuiteError, match="cannot be given to worker processes: invalid lit"),
    ):
        next(batches)


def test_workers_compute_with_one_thread(folder, augmentations):
    with loader(folder, augmentation=augmentations.Threads(), workers=1) as batches:
        assert next(batches).targets[0].proposals[0, 0] == 1


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_annotations_are_shared_between_workers(tmp_path):
    """Five megabytes of polygons, all of them read, are in no worker's own memory."""
    folder = write_dataset(tmp_path)
    outline = [float(number % 29) + 0.5 for number in range(400)]

    def own_memory(count):
        content = json.loads((folder / "truth.json").read_text())
        image, first = content["images"][0], content["annotations"][0]
        content["images"] = [{**image, "id": number} for number in range(count)]
        content["annotations"] = [
            {**first, "id": number, "image_id": number // 10, "segmentation": [outline]}
            for number in range(10 * count)
        ]
        (folder / "truth.json").write_text(json.dumps(content))
        with loader(folder, workers=2, share=Share(1)) as batches:
            for _ in range(150):
                assert len(next(batches).targets[0].masks) == 10
            found = [psutil.Process(each.process.pid) for each in batches._pool._workers]
            return max(process.memory_full_info().uss for process in found)

    assert own_memory(150) < own_memory(3) + 2e6


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ctrl_c_is_the_trainers_and_no_worker_outlives_it(folder, augmentations):
    with loader(folder, workers=2) as batches:
        workers = [each.process.pid for each in batches._pool._workers]
        next(batches)
        for worker in workers:
            os.kill(worker, signal.SIGINT)
        time.sleep(0.2)
        for _ in range(10):
            next(batches)
        assert all(map(alive, workers))
    assert not any(map(alive, workers))


SCRIPT = """
import sys
from pathlib import Path
from benchsuite.resolve import open_dataset
from benchsuite.training.order.draws import Share
from benchsuite.training.order.epochs import EpochStream, ShuffledEpochs
from benchsuite.training.loading.loader import open_loader
from benchsuite.training.data.training_set import TrainingSet

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    opened = open_dataset(str(folder / "truth.json"), images=folder / "images")
    examples = TrainingSet(opened, opened.dataset.categories, tasks=("bbox",))
    stream = EpochStream(ShuffledEpochs(len(examples), 0))
    loader = open_loader(examples, stream, seed=0, share=Share(2), workers=2)
    next(loader)
    print(*(each.process.pid for each in loader._pool._workers), flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_workers_end_when_the_trainer_is_killed(folder, tmp_path):
    script = tmp_path / "train_and_wait.py"
    script.write_text(SCRIPT)
    trainer = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    workers = [int(each) for each in trainer.stdout.readline().split()]
    assert len(workers) == 2 and all(map(alive, workers))
    trainer.kill()
    trainer.communicate()
    limit = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not any(map(alive, workers))
