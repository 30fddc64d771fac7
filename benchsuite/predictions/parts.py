"""The working area of a run: what is predicted is kept in parts, so that a run can be gone on with.

A part is a folder with three tables of one stretch of whole batches, written beside its place and
renamed into it: it is there wholly or not at all. A run that was killed finds its parts again,
throws away what is damaged, and goes on after the last one; batches are then cut where the
uninterrupted run cuts them, and the merged tables are the same bytes.
"""

from __future__ import annotations

import errno
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from benchsuite import schemas
from benchsuite.errors import BenchsuiteError, ContractError
from benchsuite.files import durable
from benchsuite.files.file_lock import FileLock
from benchsuite.predictions.row_groups import RowGroupWriter
from benchsuite.predictions.to_columns import gather_columns, to_columns
from benchsuite.records import ImageRecord, Prediction
from benchsuite.store.errors import explained
from benchsuite.store.table_check import conform

PART_BYTES = 64 << 20
"""A part is written when what it holds takes this much memory, however few images that are."""

_TABLES: dict[str, pa.Schema] = {
    "instances": schemas.PREDICTION_INSTANCES,
    "images": schemas.PREDICTION_IMAGES,
    "samples": schemas.SAMPLES,
}
_MANIFEST = "part.json"
_IDENTITY = "identity"
_PART_NAME = re.compile(r"\d{12}")
_BEGUN = ".begun"


@dataclass(frozen=True, slots=True)
class PredictionCounts:
    """How much there is: images, instances kept, and instances and segments dropped because the
    dataset has no such category."""

    images: int
    instances: int
    dropped: int

    def __add__(self, other: PredictionCounts) -> PredictionCounts:
        return PredictionCounts(
            self.images + other.images,
            self.instances + other.instances,
            self.dropped + other.dropped,
        )


_NOTHING = PredictionCounts(0, 0, 0)


Sample = Mapping[str, float | int | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    tables: Mapping[str, pa.Table]
    counts: PredictionCounts
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What is in parts, and what waits to be. One object, so that an interrupt finds either the old
    one or the new one."""

    parts: tuple[PredictionCounts, ...] = ()
    waiting: tuple[_Batch, ...] = ()

    @property
    def kept(self) -> PredictionCounts:
        return sum(self.parts, _NOTHING)

    @property
    def all(self) -> PredictionCounts:
        return sum((batch.counts for batch in self.waiting), self.kept)


class PredictionParts:
    """A run's finished predictions, in a folder that one process at a time works in.

    A context manager; leaving it lets go of the folder and keeps what is in it. It never writes
    what is not yet a part by itself: ``flush`` on the way out of an interrupted run does.

    Args:
        folder: made if it is not there.
        identity: what the predictions depend on; parts of another one are refused.
        category_ids: for each label of the model the category id, or ``None``: dropped.
        flush_images, flush_seconds: a part is written when it has so many images, or when so much
            time has passed since the last one.

    Raises:
        BenchsuiteError: another process works in the folder, it belongs to another identity, or it
            cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        identity: str,
        category_ids: Sequence[int | None],
        *,
        flush_images: int = 256,
        flush_seconds: float = 15.0,
    ) -> None:
        self.folder = Path(folder)
        self._category_ids = tuple(category_ids)
        self._flush_images, self._flush_seconds = flush_images, flush_seconds
        self._lock = FileLock(self.folder / "lock")
        with explained(self.folder, "unfinished predictions cannot be kept here"):
            durable.make_folder(self.folder)
            if not self._lock.acquire():
                raise BenchsuiteError(
                    f"{self.folder}: {self._lock.holder()} is making the same predictions. Wait "
                    "for it to end, or stop it and go on from where it is with --resume"
                )
            try:
                self._claim(identity)
                self._held = _Held(self._find_parts())
            except BaseException:
                self._lock.release()
                raise
        self._last_flush = time.monotonic()

    def __enter__(self) -> PredictionParts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.release()

    def finished(self) -> int:
        """How many images, from the first on, are kept in whole parts."""
        return self._held.kept.images

    def append(self, batch: Sequence[tuple[ImageRecord, Prediction, Sample]]) -> None:
        """Add one batch; a part is written when it is due.

        Args:
            batch: for each image its record, its prediction, and its row of ``schemas.SAMPLES``
                but for the image id.

        Raises:
            ContractError: a prediction or a sample that the contract does not allow; nothing of
                the batch is kept then.
            BenchsuiteError: a part cannot be written.
        """
        added = self._to_tables(batch, self._held.all.instances)
        self._held = _Held(self._held.parts, (*self._held.waiting, added))
        waiting = self._held.all.images - self._held.kept.images
        size = sum(each.size for each in self._held.waiting)
        late = time.monotonic() - self._last_flush >= self._flush_seconds
        if waiting >= self._flush_images or size >= PART_BYTES or late:
            self.flush()

    def flush(self) -> None:
        """Write the batches that are not in a part yet as one.

        May be called again after it was interrupted at any place.

        Raises:
            BenchsuiteError: the disk is full or cannot be written.
        """
        with explained(self.folder, "finished predictions could not be kept"):
            self._note_renamed_part()
            if self._held.waiting:
                self._write_part()
                self._note_renamed_part()
        self._last_flush = time.monotonic()

    def restart(self) -> None:
        """Throw away everything that is finished."""
        self._held = _Held()
        with explained(self.folder, "finished predictions could not be thrown away"):
            # From the first on: what an interrupt leaves does not begin at the first image.
            for path in self._part_folders():
                durable.remove_tree(path)

    def merge(self, instances: Path, images: Path, samples: Path, run_id: str) -> PredictionCounts:
        """Stream all that was appended into the three files of a result, part by part.

        Args:
            instances: ``schemas.PREDICTION_INSTANCES``, ``prediction`` counted from 0.
            images: ``schemas.PREDICTION_IMAGES``.
            samples: ``schemas.STORED_SAMPLES``, with ``run_id``.

        Raises:
            BenchsuiteError: the disk is full or cannot be written.
        """
        self.flush()
        with explained(self.folder, "the predictions could not be put together"):
            for name, path in (("instances", instances), ("images", images)):
                with RowGroupWriter(path, _TABLES[name]) as writer:
                    for table in self._tables(name):
                        writer.write(table)
            with RowGroupWriter(samples, schemas.STORED_SAMPLES) as writer:
                for table in self._tables("samples"):
                    ids = pa.array([run_id] * table.num_rows, pa.string())
                    stored = table.add_column(0, "run_id", ids)
                    writer.write(stored.cast(schemas.STORED_SAMPLES))
        return self._held.kept

    def discard(self) -> None:
        """Remove the folder: the result is stored, the parts are not needed any more."""
        self.restart()
        with explained(self.folder, "what is left of finished predictions could not be removed"):
            (self.folder / _IDENTITY).unlink(missing_ok=True)
            self._lock.release()
            try:
                self.folder.rmdir()
            except OSError as error:
                # Another process has begun to work in it, or has removed it too.
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    raise

    # --- one batch --------------------------------------------------------------------------

    def _to_tables(
        self, batch: Sequence[tuple[ImageRecord, Prediction, Sample]], first_prediction: int
    ) -> _Batch:
        converted, samples, counts = [], [], _NOTHING
        for record, prediction, sample in batch:
            if unknown := sorted(
                sample.keys() - {*schemas.SAMPLES.names} | sample.keys() & {"image_id"}
            ):
                raise ContractError(f"a throughput sample has no field {unknown[0]!r}")
            number = first_prediction + counts.instances
            columns = to_columns(record, prediction, self._category_ids, number)
            converted.append(columns)
            samples.append({"image_id": record.id, **sample})
            counts += PredictionCounts(1, columns.instances.num_rows, columns.dropped)
        timed = pa.Table.from_pylist(samples, schema=_TABLES["samples"])
        predicted = gather_columns(converted)
        tables = {
            "instances": predicted.instances,
            "images": predicted.images,
            "samples": conform(timed, _TABLES["samples"], "the table of throughput samples"),
        }
        return _Batch(tables, counts, sum(table.nbytes for table in tables.values()))

    # --- parts on the disk ------------------------------------------------------------------

    def _claim(self, identity: str) -> None:
        path = self.folder / _IDENTITY
        if path.exists() and (found := path.read_text(encoding="utf-8")) != identity:
            raise BenchsuiteError(
                f"{self.folder} holds unfinished predictions of something else ({found[:12]}…, "
                f"wanted {identity[:12]}…). Remove the folder to start over"
            )
        if not path.exists():
            begun = path.with_name(f"{_IDENTITY}{_BEGUN}")
            begun.unlink(missing_ok=True)
            durable.write_file(begun, identity.encode())
            durable.rename(begun, path)
            durable.sync_folder(self.folder)

    def _part_folders(self) -> list[Path]:
        """Folders of parts and of what was to become one, in order."""
        names = re.compile(rf"{_PART_NAME.pattern}({re.escape(_BEGUN)})?")
        return sorted(path for path in self.folder.iterdir() if names.fullmatch(path.name))

    def _find_parts(self) -> tuple[PredictionCounts, ...]:
        """Whole parts without a gap from the first image on; all others are removed."""
        parts: list[PredictionCounts] = []
        for path in self._part_folders():
            expected = self._place(_Held(tuple(parts)))
            counts = _verify(path) if path == expected else None
            if counts is None:
                durable.remove_tree(path)
            else:
                parts.append(counts)
        return tuple(parts)

    def _place(self, held: _Held) -> Path:
        """The folder of the next part."""
        return self.folder / f"{held.kept.images:012d}"

    def _write_part(self) -> None:
        target, held = self._place(self._held), self._held
        begun = target.with_name(f"{target.name}{_BEGUN}")
        durable.remove_tree(begun)
        begun.mkdir()
        digests = {}
        for name in _TABLES:
            data = _to_bytes(pa.concat_tables([batch.tables[name] for batch in held.waiting]))
            durable.write_file(begun / f"{name}.arrow", data)
            digests[name] = sha256(data).hexdigest()
        counts = sum((batch.counts for batch in held.waiting), _NOTHING)
        manifest = {"counts": asdict(counts), "sha256": digests}
        durable.write_file(begun / _MANIFEST, json.dumps(manifest).encode())
        durable.sync_folder(begun)
        durable.rename(begun, target)
        durable.sync_folder(self.folder)

    def _note_renamed_part(self) -> None:
        """Move batches from waiting to kept if their part is in its place.

        An interrupt may come right after the rename, so that the folder knows better than memory.
        """
        held, images, taken = self._held, 0, 0
        manifest = self._place(held) / _MANIFEST
        if not manifest.exists():
            return
        counts = PredictionCounts(**json.loads(manifest.read_bytes())["counts"])
        while images < counts.images:
            images += held.waiting[taken].counts.images
            taken += 1
        self._held = _Held((*held.parts, counts), held.waiting[taken:])

    def _tables(self, name: str) -> Iterator[pa.Table]:
        before = _Held()
        for counts in self._held.parts:
            data = (self._place(before) / f"{name}.arrow").read_bytes()
            yield pa.ipc.open_file(pa.BufferReader(data)).read_all()
            before = _Held((*before.parts, counts))


def _verify(part: Path) -> PredictionCounts | None:
    """What a part holds; ``None`` if it is not whole."""
    try:
        manifest = json.loads((part / _MANIFEST).read_bytes())
        for name in _TABLES:
            data = (part / f"{name}.arrow").read_bytes()
            if sha256(data).hexdigest() != manifest["sha256"][name]:
                return None
        return PredictionCounts(**manifest["counts"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    data: bytes = sink.getvalue().to_pybytes()
    return data
