"""The next batch is read and pre-processed by a thread while the device computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from benchsuite.throughput import PreparedImages, timed_preprocess

if TYPE_CHECKING:
    from benchsuite.devices import Device
    from benchsuite.protocols import Dataset, Model
    from benchsuite.records import ImageRecord


@dataclass(frozen=True, slots=True)
class ReadyBatch:
    """A batch that only waits for the device.

    Attributes:
        index: the batch's number.
        load_ms: what reading its images took.
    """

    index: int
    records: Sequence[ImageRecord]
    prepared: PreparedImages
    load_ms: float


def ready_batches(
    model: Model,
    dataset: Dataset,
    batches: Iterable[tuple[int, Sequence[ImageRecord]]],
    device: Device,
) -> Iterator[ReadyBatch]:
    """The batches in order, one of them made ready ahead of whoever takes them.

    What goes wrong with a batch is raised when it is its turn. Images are read, and pre-processed
    on a stream of their own, by one thread.
    """

    def prepare(index: int, records: Sequence[ImageRecord]) -> ReadyBatch:
        start = perf_counter()
        images = [dataset.load(record) for record in records]
        load_ms = 1e3 * (perf_counter() - start)
        with device.beside() as synchronise:
            prepared = timed_preprocess(model, images, synchronise)
        return ReadyBatch(index, records, prepared, load_ms)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare") as thread:
        ahead: Future[ReadyBatch] | None = None
        for batch in batches:
            ready, ahead = ahead, thread.submit(prepare, *batch)
            if ready is not None:
                yield ready.result()
        if ahead is not None:
            yield ahead.result()
