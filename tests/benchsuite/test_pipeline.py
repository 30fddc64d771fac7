"""What is made ready ahead, in which order, and whose turn an error is."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from benchsuite import Image, ImageRecord
from benchsuite.devices import use_device
from benchsuite.inference import batches
from benchsuite.pipeline import ready_batches

RECORDS = [ImageRecord(i, f"{i}.png", 4, 4) for i in range(7)]


class Images:
    """Remembers what was read, and by whom."""

    def __init__(self, broken: int | None = None) -> None:
        self.read: list[int] = []
        self.readers: set[str] = set()
        self.broken = broken

    def load(self, record: ImageRecord) -> Image:
        self.read.append(record.id)
        self.readers.add(threading.current_thread().name)
        if record.id == self.broken:
            raise OSError(f"{record.file_name} is broken")
        return Image(record, np.full((4, 4, 3), record.id, np.uint8))


class Staged:
    def predict(self, images):
        return self.postprocess(self.forward(self.preprocess(images)))

    def preprocess(self, images):
        return sum(int(image.pixels[0, 0, 0]) for image in images)

    def forward(self, batch):
        return batch

    def postprocess(self, outputs):
        return []


def ready(images: Images, model: object, size: int = 2):
    device = use_device("cpu", threads=None, seed=0)
    return ready_batches(model, images, list(batches(RECORDS, 0, size)), device)


def test_batches_come_in_order_prepared() -> None:
    found = list(ready(Images(), Staged(), 3))
    assert [each.index for each in found] == [0, 1, 2]
    assert [[record.id for record in each.records] for each in found] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [each.prepared.batch for each in found] == [3, 12, 6]
    assert all(each.load_ms >= 0 and each.prepared.preprocess_ms >= 0 for each in found)


def test_a_model_without_stages_is_given_its_images() -> None:
    found = list(ready(Images(), SimpleNamespace(predict=len)))
    assert [len(each.prepared.images) for each in found] == [2, 2, 2, 1]
    assert {each.prepared.preprocess_ms for each in found} == {None}


def test_one_batch_is_ready_ahead_and_no_more() -> None:
    images = Images()
    for turn, each in enumerate(ready(images, Staged(), 1)):
        assert each.records[0].id == turn
        assert len(images.read) <= turn + 2
    assert images.read == [record.id for record in RECORDS]
    assert all(name.startswith("prepare") for name in images.readers)


def test_an_error_waits_for_its_turn() -> None:
    seen = []
    with pytest.raises(OSError, match=r"5\.png is broken"):
        for each in ready(Images(broken=5), Staged(), 1):
            seen.append(each.index)
    assert seen == [0, 1, 2, 3, 4]


def test_who_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    batches_of_one = ready(Images(), Staged(), 1)
    next(batches_of_one)
    batches_of_one.close()
    assert threading.active_count() == before
