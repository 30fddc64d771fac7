"""Processes that make micro-batches.

They are started by a server process that is as good as empty (``forkserver``; ``spawn`` where there
is none), not forked off the trainer: a trainer has threads (OpenMP, NCCL, the logs), and a lock
that another thread holds at the moment of a fork stays locked in the child for ever. The server
imports what workers need once, and all of them share it.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from benchsuite.errors import BenchsuiteError
from benchsuite.training.loading.micro_batch import MicroBatch, MicroBatchMaker
from benchsuite.training.loading.shared_object import SharedObject, receive
from benchsuite.training.order.draws import MicroBatchDraws

_PATIENCE_S = 5.0
"""How long a worker may take to end by itself."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a worker sends in place of a micro-batch."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection


class WorkerPool:
    """Micro-batches in the order they were asked for, made by several processes in turn.

    Args:
        make: how they are made; workers are given it pickled, its arrays in shared memory.
        workers: how many processes, at least one.
    """

    def __init__(self, make: MicroBatchMaker, workers: int) -> None:
        context = _context()
        if context.get_start_method() == "forkserver":
            context.set_forkserver_preload([__name__, type(make.augmentation).__module__])
        self._workers: list[_Worker] = []
        self._asked = self._received = 0
        with SharedObject.of(make) as shared:
            try:
                for _ in range(workers):
                    self._workers.append(_start(context))
                for worker in self._workers:
                    shared.send(worker.connection, worker.process.pid or 0)
            except OSError as error:
                failed = self._dead() or BenchsuiteError(f"no worker could be started: {error}")
                self.close()
                raise failed from error
            except BaseException:
                self.close()
                raise

    def ask(self, draws: MicroBatchDraws) -> None:
        """Have a micro-batch made."""
        worker = self._workers[self._asked % len(self._workers)]
        try:
            worker.connection.send(draws)
        except OSError as error:
            raise self._end_of(worker) from error
        self._asked += 1

    @property
    def pending(self) -> int:
        """How many were asked for and not received."""
        return self._asked - self._received

    def receive(self) -> MicroBatch:
        """The next micro-batch, of those that were asked for.

        Raises:
            BenchsuiteError: what went wrong with it, or that its worker is gone.
        """
        worker = self._workers[self._received % len(self._workers)]
        try:
            wait([worker.connection, worker.process.sentinel])
            if not worker.connection.poll():
                raise EOFError
            made = receive(worker.connection, writable=True)
        except (EOFError, OSError) as error:
            raise self._end_of(worker) from error
        self._received += 1
        if isinstance(made, _Failure):
            raise made.error
        batch: MicroBatch = made
        return batch

    def close(self) -> None:
        """End the workers. What they still make is lost."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(_PATIENCE_S)
            if worker.process.is_alive():
                worker.process.terminate()
                worker.process.join(_PATIENCE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._workers = []

    def _dead(self) -> BenchsuiteError | None:
        gone = [worker for worker in self._workers if not worker.process.is_alive()]
        return self._end_of(gone[0]) if gone else None

    def _end_of(self, worker: _Worker) -> BenchsuiteError:
        worker.process.join(_PATIENCE_S)
        code = worker.process.exitcode
        hint = "training.workers=0 loads images in the training process, and shows what happens"
        if code == -signal.SIGKILL.value:
            hint = "it was killed, as the system does where memory runs out: lower training.workers"
        elif code == 1:
            hint = (
                "see above; a script that trains must do so below `if __name__ == '__main__':`, as "
                "worker processes import it"
            )
        return BenchsuiteError(f"a worker process ended, with exit code {code}; {hint}")


def _context() -> Any:
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def _start(context: Any) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True, name="loading images")
    try:
        process.start()
    finally:
        theirs.close()
    return _Worker(process, ours)


def _work(connection: Connection) -> None:
    """A worker's life: until the trainer closes the connection, or is gone."""
    # Ctrl-C reaches every process of the terminal; what it means is the trainer's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    trainer = 0 if parent is None else parent.pid or 0
    try:
        try:
            make: Callable[[MicroBatchDraws], MicroBatch] = receive(connection, writable=False)
        except (EOFError, OSError):
            raise
        except Exception as error:
            make = _Broken(error)
        while True:
            draws = connection.recv()
            with SharedObject.of(_made(make, draws)) as made:
                made.send(connection, trainer)
    except (EOFError, OSError):
        return


class _Broken:
    """What stands in for a maker that could not be unpickled."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, draws: MicroBatchDraws) -> MicroBatch:
        raise BenchsuiteError(
            f"the dataset or the augmentation cannot be given to worker processes: {self._error}; "
            "training.workers=0 does without them"
        ) from self._error


def _made(
    make: Callable[[MicroBatchDraws], MicroBatch], draws: MicroBatchDraws
) -> MicroBatch | _Failure:
    try:
        return make(draws)
    except Exception as error:
        if not isinstance(error, BenchsuiteError):
            error = BenchsuiteError(f"{_named(draws)}: {type(error).__name__}: {error}")
        return _Failure(_sendable(error))


def _named(draws: MicroBatchDraws) -> str:
    return f"micro-batch {draws.number} of step {draws.step} could not be made"


def _sendable(error: BenchsuiteError) -> BenchsuiteError:
    """The error, or one with its text where it does not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return BenchsuiteError(str(error))
    return error
