from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchsuite import schemas
from benchsuite.errors import BenchsuiteError, ContractError
from benchsuite.files import durable
from benchsuite.predictions import parts as prediction_parts
from benchsuite.predictions import row_groups
from benchsuite.predictions.label_maps import decode_semantic
from benchsuite.predictions.parts import PredictionCounts, PredictionParts
from benchsuite.predictions.to_columns import read_predictions
from benchsuite.records import ImageRecord, PanopticMap, Prediction, Segment

WRITER = Path(__file__).parent / "prediction_writer.py"
CATEGORY_IDS = (3, None, 1)
BATCH, IMAGES = 2, 13
STEPS = ("sync_file", "sync_folder", "make_folder", "rename", "remove_tree")
Item = tuple[ImageRecord, Prediction, dict[str, Any]]


def predicted(index: int, milliseconds: float = 1.0) -> Item:
    """What a model says of image ``index``: the same whenever it is asked, timings apart."""
    chance = np.random.default_rng(index)
    count = int(chance.integers(0, 5))
    start = chance.random((count, 2)) * 4
    segments = np.zeros((8, 8), np.int32)
    segments[:4] = 5
    prediction = Prediction(
        boxes=np.concatenate([start, start + chance.random((count, 2)) * 4], axis=1),
        scores=chance.random(count),
        labels=chance.integers(0, 3, count),
        masks=chance.random((count, 8, 8)) < 0.5,
        keypoints=chance.random((count, 3, 3)),
        semantic=chance.integers(0, 3, (8, 8)),
        panoptic=PanopticMap(segments, (Segment(5, index % 3, score=0.5),)),
    )
    sample = {
        "batch": index // BATCH,
        "batch_size": BATCH,
        "load_ms": milliseconds,
        "model_ms": 2.0,
    }
    return ImageRecord(2**40 + index, f"{index}.png", 8, 8), prediction, sample


def batches(start: int, stop: int = IMAGES) -> list[list[Item]]:
    return [
        [predicted(i) for i in range(first, min(first + BATCH, stop))]
        for first in range(start, stop, BATCH)
    ]


def open_parts(folder: Path, **settings: Any) -> PredictionParts:
    return PredictionParts(folder, "identity", CATEGORY_IDS, **settings)


def merge(parts: PredictionParts, folder: Path) -> PredictionCounts:
    folder.mkdir(parents=True, exist_ok=True)
    return parts.merge(
        folder / "instances.parquet", folder / "images.parquet", folder / "samples.parquet", "run"
    )


def merged_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The merged files of a run that nothing disturbed, which kept all in one part."""
    root = tmp_path_factory.mktemp("uninterrupted")
    with open_parts(root / "parts") as parts:
        for batch in batches(0):
            parts.append(batch)
        merge(parts, root)
    return root


def part_folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


# --- what is appended is what is merged -------------------------------------------------------


def test_merged_tables_hold_what_was_appended(uninterrupted: Path) -> None:
    read = read_predictions(uninterrupted / "instances.parquet", uninterrupted / "images.parquet")
    items = [predicted(i) for i in range(IMAGES)]
    assert read.images["image_id"].to_pylist() == [record.id for record, _, _ in items]
    kept = [p.labels != 1 for _, p, _ in items]
    assert read.images["n_instances"].to_pylist() == [int(k.sum()) for k in kept]
    assert 0 in read.images["n_instances"].to_pylist(), "an image where nothing was found"
    scores = np.concatenate([p.scores[k] for (_, p, _), k in zip(items, kept)])
    assert read.instances["score"].to_pylist() == scores.astype(float).tolist()
    assert read.instances["prediction"].to_pylist() == list(range(len(scores)))
    ids = [r.id for (r, _, _), k in zip(items, kept) for _ in range(int(k.sum()))]
    assert read.instances["image_id"].to_pylist() == ids
    semantic = [decode_semantic(png) for png in read.images["semantic_png"].to_pylist()]
    lookup = np.array([3, 0, 1])
    assert all((m == lookup[p.semantic]).all() for m, (_, p, _) in zip(semantic, items))


def test_samples_get_the_run_id(uninterrupted: Path) -> None:
    samples = pq.read_table(uninterrupted / "samples.parquet")
    assert samples.schema.equals(schemas.STORED_SAMPLES)
    assert set(samples["run_id"].to_pylist()) == {"run"}
    assert samples["image_id"].to_pylist() == [2**40 + i for i in range(IMAGES)]
    assert samples["batch"].to_pylist() == [i // BATCH for i in range(IMAGES)]
    assert samples["preprocess_ms"].null_count == IMAGES


def test_dropped_are_counted_over_parts_and_processes(tmp_path: Path) -> None:
    items = [predicted(i) for i in range(IMAGES)]
    # Label 1 has no category: its instances, its panoptic segments, its pixels of semantic maps.
    instances = sum(int((p.labels == 1).sum()) for _, p, _ in items)
    segments = sum(s.label == 1 for _, p, _ in items for s in p.panoptic.segments)
    maps = sum(bool((p.semantic == 1).any()) for _, p, _ in items)
    total = sum(len(p) for _, p, _ in items)
    with open_parts(tmp_path / "parts", flush_images=4) as parts:
        for batch in batches(0)[:3]:
            parts.append(batch)
        parts.flush()
    with open_parts(tmp_path / "parts") as parts:
        for batch in batches(parts.finished()):
            parts.append(batch)
        counts = merge(parts, tmp_path)
    assert counts == PredictionCounts(IMAGES, total - instances, instances + segments + maps)
    assert instances > 0
    assert segments > 0
    assert maps > 0


def test_no_images(tmp_path: Path) -> None:
    with open_parts(tmp_path / "parts") as parts:
        parts.append([])
        assert merge(parts, tmp_path) == PredictionCounts(0, 0, 0)
    read = read_predictions(tmp_path / "instances.parquet", tmp_path / "images.parquet")
    assert read.instances.num_rows == read.images.num_rows == 0
    assert pq.read_table(tmp_path / "samples.parquet").schema.equals(schemas.STORED_SAMPLES)


def test_images_without_detections(tmp_path: Path) -> None:
    with open_parts(tmp_path / "parts") as parts:
        for index in range(3):
            record, _, sample = predicted(index)
            parts.append([(record, Prediction(), sample)])
        assert merge(parts, tmp_path) == PredictionCounts(3, 0, 0)
    read = read_predictions(tmp_path / "instances.parquet", tmp_path / "images.parquet")
    assert read.instances.equals(schemas.PREDICTION_INSTANCES.empty_table())
    assert read.images["n_instances"].to_pylist() == [0, 0, 0]


# --- parts ------------------------------------------------------------------------------------


def test_a_part_is_written_when_it_has_enough_images(tmp_path: Path) -> None:
    with open_parts(tmp_path, flush_images=5, flush_seconds=1e9) as parts:
        finished = []
        for batch in batches(0):
            parts.append(batch)
            finished.append(parts.finished())
    assert finished == [0, 0, 6, 6, 6, 12, 12], "whole batches only"
    assert part_folders(tmp_path) == ["000000000000", "000000000006"]


def test_a_part_is_written_when_time_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(prediction_parts.time, "monotonic", lambda: now)
    with open_parts(tmp_path, flush_seconds=10) as parts:
        first, second, third, *_ = batches(0)
        now += 9
        parts.append(first)
        assert parts.finished() == 0
        now += 1
        parts.append(second)
        assert parts.finished() == 4
        now += 9
        parts.append(third)
        assert parts.finished() == 4


def test_a_part_is_written_when_it_takes_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_parts, "PART_BYTES", 1)
    with open_parts(tmp_path) as parts:
        parts.append(batches(0)[0])
        assert parts.finished() == 2


@pytest.mark.parametrize("flush_images", [1, 3, 4, 100])
@pytest.mark.parametrize("stop", [0, 2, 6, 12])
def test_a_resumed_run_ends_with_the_same_bytes(
    tmp_path: Path, uninterrupted: Path, flush_images: int, stop: int
) -> None:
    with open_parts(tmp_path / "parts", flush_images=flush_images) as parts:
        for batch in batches(0, stop):
            parts.append(batch)
        parts.flush()
    with open_parts(tmp_path / "parts") as parts:
        assert parts.finished() == stop
        for batch in batches(stop):
            parts.append(batch)
        merge(parts, tmp_path)
    assert merged_bytes(tmp_path) == merged_bytes(uninterrupted)


def test_what_is_not_flushed_is_lost_and_nothing_else(tmp_path: Path, uninterrupted: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_parts(tmp_path / "parts", flush_images=4) as parts:
        for batch in batches(0)[:3]:
            parts.append(batch)
        raise KeyboardInterrupt
    with open_parts(tmp_path / "parts") as parts:
        assert parts.finished() == 4
        for batch in batches(4):
            parts.append(batch)
        merge(parts, tmp_path)
    assert merged_bytes(tmp_path) == merged_bytes(uninterrupted)


def test_a_batch_with_a_bad_prediction_is_not_kept(tmp_path: Path) -> None:
    first, second, *_ = batches(0)
    record, _, sample = second[1]
    bad = Prediction([[0, 0, 1, 1]], [1], [3])
    with open_parts(tmp_path) as parts:
        parts.append(first)
        with pytest.raises(ContractError, match=rf"image {record.id}.*label 3"):
            parts.append([second[0], (record, bad, sample)])
        parts.flush()
        assert parts.finished() == 2


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ({"batch": 0, "batch_size": 1, "load_ms": 1.0, "model_ms": 1.0, "fps": 3.0}, "'fps'"),
        ({"batch": 0, "batch_size": 1, "load_ms": 1.0, "model_ms": 1.0, "image_id": 3}, "image_id"),
        ({"batch": 0, "batch_size": 1, "load_ms": 1.0}, "'model_ms' is null"),
    ],
)
def test_samples_are_checked(tmp_path: Path, sample: dict[str, Any], says: str) -> None:
    record, prediction, _ = predicted(0)
    with open_parts(tmp_path) as parts, pytest.raises(ContractError, match=says):
        parts.append([(record, prediction, sample)])


def test_restart_and_discard(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "parts"
    with open_parts(folder, flush_images=2) as parts:
        for batch in batches(0)[:3]:
            parts.append(batch)
        parts.restart()
        assert parts.finished() == 0
        assert part_folders(folder) == []
        for batch in batches(0)[:2]:
            parts.append(batch)
        assert merge(parts, tmp_path).images == 4
        parts.discard()
    assert list((tmp_path / "work").iterdir()) == []
    read = read_predictions(tmp_path / "instances.parquet", tmp_path / "images.parquet")
    assert read.instances["prediction"].to_pylist() == list(range(read.instances.num_rows))


def test_merging_keeps_little_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups stay within their budget however many rows and parts there are."""
    small = partial(row_groups.RowGroupWriter, group_bytes=1500)
    monkeypatch.setattr(prediction_parts, "RowGroupWriter", small)
    with open_parts(tmp_path / "parts", flush_images=6) as parts:
        for batch in batches(0):
            parts.append(batch)
        merge(parts, tmp_path)
    for name in ("instances", "images"):
        file = pq.ParquetFile(tmp_path / f"{name}.parquet")
        assert file.num_row_groups > 2
        for group in range(file.num_row_groups):
            assert row_groups.row_bytes(file.read_row_group(group)).sum() <= 1500


# --- damage, strangers, company ---------------------------------------------------------------


@pytest.fixture
def three_parts(tmp_path: Path) -> Path:
    folder = tmp_path / "parts"
    with open_parts(folder, flush_images=4) as parts:
        for batch in batches(0, 12):
            parts.append(batch)
    assert len(part_folders(folder)) == 3
    return folder


def flip_a_byte(part: Path) -> None:
    data = bytearray((part / "instances.arrow").read_bytes())
    data[len(data) // 2] ^= 1
    (part / "instances.arrow").write_bytes(data)


def cut_off(part: Path) -> None:
    os.truncate(part / "images.arrow", 100)


def lose_a_file(part: Path) -> None:
    (part / "samples.arrow").unlink()


def spoil_the_manifest(part: Path) -> None:
    (part / "part.json").write_text('{"counts": {"images": 4')


def strange_manifest(part: Path) -> None:
    (part / "part.json").write_text(json.dumps({"counts": 4, "sha256": {}}))


@pytest.mark.parametrize(
    "spoil", [flip_a_byte, cut_off, lose_a_file, spoil_the_manifest, strange_manifest]
)
@pytest.mark.parametrize(("number", "left"), [(2, 8), (1, 4), (0, 0)])
def test_a_damaged_part_and_what_follows_is_dropped(
    three_parts: Path,
    tmp_path: Path,
    uninterrupted: Path,
    spoil: Callable[[Path], None],
    number: int,
    left: int,
) -> None:
    spoil(three_parts / f"{4 * number:012d}")
    with open_parts(three_parts) as parts:
        assert parts.finished() == left
        assert len(part_folders(three_parts)) == number
        for batch in batches(left):
            parts.append(batch)
        merge(parts, tmp_path)
    assert merged_bytes(tmp_path) == merged_bytes(uninterrupted)


def test_parts_of_something_else_are_refused_and_kept(three_parts: Path) -> None:
    with pytest.raises(BenchsuiteError, match=r"unfinished predictions of something else.*Remove"):
        PredictionParts(three_parts, "another identity", CATEGORY_IDS)
    with open_parts(three_parts) as parts:
        assert parts.finished() == 12


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with open_parts(tmp_path) as parts:
        with pytest.raises(
            BenchsuiteError, match=f"process {os.getpid()} on .* is making the same"
        ):
            open_parts(tmp_path)
        parts.append(batches(0)[0])
        parts.flush()
    with open_parts(tmp_path) as parts:
        assert parts.finished() == 2


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchsuiteError, match=r"file/parts: .*--out DIR"):
        open_parts(tmp_path / "file" / "parts")


# --- killed, interrupted, full ----------------------------------------------------------------


def raise_at(
    monkeypatch: pytest.MonkeyPatch, last: int, error: BaseException, after: bool
) -> list[str]:
    """Let the file system's step number ``last`` raise; the steps so far, in a growing list."""
    done: list[str] = []

    def counting(name: str) -> Callable[..., None]:
        real = getattr(durable, name)

        def step(*arguments: Any) -> None:
            done.append(name)
            mine = len(done) - 1
            if mine == last and not after:
                raise error
            real(*arguments)
            if mine == last:
                raise error

        return step

    for name in STEPS:
        monkeypatch.setattr(durable, name, counting(name))
    return done


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupt_at_any_step_of_a_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Path, after: bool
) -> None:
    """As a run does: flush once more on the way out, and go on in another process."""
    step, interrupted = 0, True
    while interrupted:
        folder = tmp_path / f"parts-{step}"
        with open_parts(folder, flush_images=4) as parts, monkeypatch.context() as patch:
            raise_at(patch, step, KeyboardInterrupt(), after)
            interrupted, appended = False, 0
            try:
                for batch in batches(0, 12):
                    appended += len(batch)
                    parts.append(batch)
            except KeyboardInterrupt:
                interrupted = True
                patch.undo()
                parts.flush()
            assert parts.finished() == appended
        with open_parts(folder) as parts:
            assert parts.finished() == appended
            for batch in batches(appended):
                parts.append(batch)
            merge(parts, tmp_path / f"merged-{step}")
        assert merged_bytes(tmp_path / f"merged-{step}") == merged_bytes(uninterrupted)
        step += 1
    assert step > 20


def test_a_disk_that_fills_up_at_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Path
) -> None:
    with open_parts(tmp_path / "all") as parts, monkeypatch.context() as patch:
        for batch in batches(0):
            parts.append(batch)
        done = raise_at(patch, -1, OSError(), False)
        parts.flush()
        steps = len(done)
    assert steps >= 7
    for step in range(steps):
        folder = tmp_path / f"parts-{step}"
        with open_parts(folder) as parts:
            for batch in batches(0):
                parts.append(batch)
            with monkeypatch.context() as patch:
                raise_at(patch, step, OSError(errno.ENOSPC, "No space left on device"), False)
                with pytest.raises(BenchsuiteError, match="Free some space") as caught:
                    parts.flush()
            assert str(folder) in str(caught.value)
            merge(parts, tmp_path / f"merged-{step}")
        assert merged_bytes(tmp_path / f"merged-{step}") == merged_bytes(uninterrupted)


def test_a_full_disk_while_merging(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    with open_parts(tmp_path / "parts") as parts:
        for batch in batches(0):
            parts.append(batch)
        with pytest.raises(BenchsuiteError, match="No space left on device"):
            parts.merge(tmp_path / "a", full, tmp_path / "c", "run")
        assert merge(parts, tmp_path).images == IMAGES, "nothing is lost"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_at_any_step_and_resumed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, str(WRITER), str(tmp_path)], check=True, env=environment)
    whole = merged_bytes(tmp_path / "whole")
    assert len(whole) == 3
    assert pq.read_table(tmp_path / "whole" / "instances.parquet").num_rows > 0
    resumed = [path for when in ("before", "after") for path in tmp_path.glob(f"{when}-*")]
    assert len(resumed) > 30
    for folder in resumed:
        assert merged_bytes(folder) == whole, folder.name
