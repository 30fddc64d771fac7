"""The micro-batches of one process, in order, from any step on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from time import perf_counter
from types import TracebackType

from benchsuite.training.data.joined_sets import Examples
from benchsuite.training.loading.micro_batch import Augmentation, MicroBatch, MicroBatchMaker
from benchsuite.training.loading.worker_pool import WorkerPool
from benchsuite.training.order.draws import MicroBatchDraws, Share, Stream

__all__ = ["Loader", "MicroBatch", "Share", "open_loader"]


class Loader(Iterator[MicroBatch]):
    """An iterator of micro-batches; see ``open_loader``. It is to be closed, as by ``with``.

    Attributes:
        seconds_waited: how long ``next`` took, all calls together.
    """

    def __init__(
        self, make: MicroBatchMaker, wanted: Iterator[MicroBatchDraws], workers: int, prefetch: int
    ) -> None:
        self.seconds_waited = 0.0
        self._make, self._wanted = make, wanted
        self._ahead = workers * prefetch
        self._pool = WorkerPool(make, workers) if workers else None
        self._ask_ahead()

    def __next__(self) -> MicroBatch:
        """The next micro-batch.

        Raises:
            InputError: an image cannot be read, or is not what its annotations say.
            BenchsuiteError: an augmentation failed, or a worker process is gone.
        """
        start = perf_counter()
        try:
            if self._pool is None:
                return self._make(next(self._wanted))
            if not self._pool.pending:
                raise StopIteration
            batch = self._pool.receive()
            self._ask_ahead()
            return batch
        finally:
            self.seconds_waited += perf_counter() - start

    def _ask_ahead(self) -> None:
        if self._pool is not None:
            for draws in islice(self._wanted, self._ahead - self._pool.pending):
                self._pool.ask(draws)

    def close(self) -> None:
        """End the worker processes, where there are any."""
        if self._pool is not None:
            self._pool.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_loader(
    examples: Examples,
    stream: Stream,
    *,
    seed: int,
    share: Share,
    start_step: int = 0,
    stop_step: int | None = None,
    augmentation: Augmentation | None = None,
    workers: int = 0,
    prefetch: int = 2,
) -> Loader:
    """The micro-batches of one process.

    What they hold depends on the seed and their place in the training, and on nothing else: not on
    the number of workers, nor on where the training was begun. Of two processes with a micro-batch
    each and one that accumulates two, both see the same.

    Args:
        examples: what is trained on.
        stream: the order, of indices of ``examples``.
        seed: of all that is random about an image; of the order see ``sampling.build_stream``.
        share: this process's.
        start_step: the first step, 0 for a new training.
        stop_step: the step before which it ends; ``None``: never.
        augmentation: see ``Augmentation``; ``None``: none.
        workers: processes that make micro-batches ahead; 0: they are made when asked for.
        prefetch: how many each worker may be ahead.
    """
    steps = count(start_step) if stop_step is None else iter(range(start_step, stop_step))
    wanted = (
        share.draws(stream, seed, step, number) for step in steps for number in share.numbers()
    )
    return Loader(MicroBatchMaker(examples, augmentation), wanted, workers, prefetch)
