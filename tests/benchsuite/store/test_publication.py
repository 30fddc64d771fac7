"""What is left of a run when its writer is killed, its disk full, or its store read-only."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite import schemas
from benchsuite.errors import BenchsuiteError
from benchsuite.files import durable
from benchsuite.store import publication
from benchsuite.store.results_store import Staging, Store

WRITER = Path(__file__).parent / "store_writer.py"
STEPS = ("sync_file", "sync_folder", "make_folder", "rename", "remove_folder")
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def runs_row(run_id: str, **values: Any) -> pa.Table:
    row: dict[str, Any] = {
        field.name: ([] if pa.types.is_list(field.type) else "" if field.type == pa.string() else 0)
        for field in schemas.RUNS
    }
    row |= {"run_id": run_id, "created": datetime(2026, 11, 21, tzinfo=UTC)}
    row |= {"weights_random": False, "partial": False}
    row |= dict.fromkeys(("compile", "channels_last", "cuda_graph"), False)
    return pa.Table.from_pylist([row | values], schema=schemas.RUNS)


def metrics(run_id: str, count: int = 2) -> pa.Table:
    row = {
        "run_id": run_id,
        "result_id": "abc",
        "model": "m",
        "dataset": "d",
        "split": "val",
        "task": "bbox",
        "metric": "coco_bbox",
        "primary": True,
        "higher_is_better": True,
        "partial": False,
    }
    rows = [row | {"name": f"bbox/AP{i}", "value": i / 7} for i in range(count)]
    return pa.Table.from_pylist(rows, schema=schemas.METRICS)


def write(store: Store, run_id: str, **values: Any) -> Staging:
    with store.stage(run_id) as staging:
        staging.write("runs", runs_row(run_id, **values))
        staging.write("metrics", metrics(run_id))
        staging.write_text("reports", "report.html", f"<title>{run_id}</title>")
    return staging


def visible_files(root: Path) -> list[str]:
    """Everything that a stranger finds in the store, and everything that waits to be found."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def assert_whole(store: Store, run_id: str) -> None:
    """A run of ``store_writer.py`` has all the rows that its own row promises, and its page."""
    tables = store.read_run(run_id)
    run = tables["runs"].to_pylist()[0]
    assert tables["prediction_images"].num_rows == run["n_images"] > 0
    assert tables["predictions"].num_rows == run["n_predictions"]
    assert tables["environment"].num_rows == run["parameters"]
    page = store.root / "reports" / run_id / "report.html"
    assert page.read_text() == f"<p>{run_id}</p>" * run["n_images"]


def fail_at(monkeypatch: pytest.MonkeyPatch, last: int, error: BaseException) -> list[str]:
    """Let the file system's step number ``last`` raise; the steps so far, in a growing list."""
    done: list[str] = []
    one_by_one = threading.Lock()

    def counting(name: str) -> Callable[..., None]:
        real = getattr(durable, name)

        def step(*paths: Path) -> None:
            with one_by_one:
                done.append(f"{name} {paths[-1]}")
                if len(done) - 1 == last:
                    raise error
            real(*paths)

        return step

    for name in STEPS:
        monkeypatch.setattr(durable, name, counting(name))
    return done


def commit_step(steps: list[str]) -> int:
    return next(i for i, step in enumerate(steps) if step.startswith("rename") and COMMIT in step)


COMMIT = f"{os.sep}.committed{os.sep}"


def test_a_disk_that_fills_up_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        steps = fail_at(patch, -1, OSError())
        write(Store(tmp_path / "all"), "run-1")
    last = commit_step(steps)
    assert 10 < last < len(steps) - 5
    for step in range(len(steps)):
        store = Store(tmp_path / f"full-{step}")
        with monkeypatch.context() as patch:
            fail_at(patch, step, OSError(errno.ENOSPC, "No space left on device"))
            with pytest.raises(BenchsuiteError, match="No space left on device") as caught:
                write(store, "run-1")
        assert str(store.root) in str(caught.value)
        assert "Free some space" in str(caught.value)
        kept = step > last
        assert ("is stored and nothing is lost" in str(caught.value)) == kept
        assert store.run_ids() == (["run-1"] if kept else [])
        assert store.read("metrics").num_rows == (2 if kept else 0)
        if not kept:
            assert visible_files(store.root) == []
            write(store, "run-1")
        assert visible_files(store.root) == visible_files(tmp_path / "all")


def test_a_full_disk_while_tables_are_written(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    store = Store(tmp_path)
    message = "No space left on device.*Free some space"
    with pytest.raises(BenchsuiteError, match=message) as caught, store.stage("run-1") as staging:
        staging.write("runs", runs_row("run-1"))
        staging.path("metrics").symlink_to(full)
        with pq.ParquetWriter(staging.path("metrics"), schemas.METRICS) as writer:
            writer.write_table(metrics("run-1"))
    assert str(tmp_path) in str(caught.value)
    assert visible_files(tmp_path) == []


def test_everything_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of the machine keeps what was synced, and later renames only if it keeps earlier."""
    steps = fail_at(monkeypatch, -1, OSError())
    write(Store(tmp_path), "run-1")
    commit = commit_step(steps)
    staged = tmp_path / ".staging/run-1"
    for path in (
        staged / "metrics.parquet",
        staged / "runs.parquet",
        staged / "reports/report.html",
    ):
        assert f"sync_file {path}" in steps[:commit]
    for folder in (staged / "reports", staged):
        assert f"sync_folder {folder}" in steps[:commit]
    assert steps[commit + 1 :][:2] == [
        f"sync_folder {tmp_path / '.committed'}",
        f"sync_folder {tmp_path / '.staging'}",
    ]
    runs = steps.index(f"rename {tmp_path / 'runs/run-1.parquet'}")
    for folder in ("metrics", "reports"):
        (moved,) = (i for i, s in enumerate(steps) if s.startswith(f"rename {tmp_path / folder}"))
        synced = steps.index(f"sync_folder {tmp_path / folder}", moved)
        assert commit < moved < synced < runs
    gone = steps.index(f"remove_folder {tmp_path / '.committed/run-1'}")
    assert runs < steps.index(f"sync_folder {tmp_path / 'runs'}", runs) < gone


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WRITER), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )


def let_locks_grow_old(store: Store) -> None:
    """A killed writer's lock without a folder is left alone for a minute."""
    for lock in (store.root / ".staging").glob("*.lock"):
        os.utime(lock, (0, 0))


@FORKS
def test_a_writer_killed_at_any_step(tmp_path: Path) -> None:
    process = start("steps", str(tmp_path))
    assert process.wait(timeout=300) == 0
    for when in ("before", "after"):
        places = list(tmp_path.glob(f"{when}-*"))
        complete = tmp_path / f"{when}-{len(places) - 1}"
        assert (complete / "acknowledged").exists()
        last = commit_step((complete / "steps.txt").read_text().splitlines())
        for number in range(len(places) - 1):
            place = tmp_path / f"{when}-{number}"
            assert not (place / "acknowledged").exists(), "it was to be killed"
            store = Store(place / "store")
            exists = number > last or (when == "after" and number == last)
            assert store.run_ids() == (["run"] if exists else []), place
            if exists:
                assert_whole(store, "run")
                assert not any((store.root / ".committed").iterdir())
            else:
                assert [n for n in visible_files(store.root) if not n.startswith(".")] == []
            with store.stage("next") as staging:
                staging.write("runs", runs_row("next"))
            let_locks_grow_old(store)
            store.recover()
            assert [n for n in visible_files(store.root) if n.startswith(".")] == []
            assert store.run_ids() == (["next", "run"] if exists else ["next"])


@FORKS
def test_eight_writers_three_killed(tmp_path: Path) -> None:
    process = start("crowd", str(tmp_path))
    store = Store(tmp_path / "store")
    looks = 0
    while process.poll() is None:
        for run_id in store.run_ids()[-3:]:
            assert_whole(store, run_id)
        everything = store.read("runs", columns=["run_id", "n_predictions"])
        predictions = store.read(
            "predictions", everything["run_id"].to_pylist(), columns=["prediction"]
        )
        assert predictions.num_rows == sum(everything["n_predictions"].to_pylist())
        looks += 1
    assert process.stdout is not None
    assert json.loads(process.stdout.read()) == {"killed": 3, "failed": 0}
    assert looks > 3
    acknowledged = [
        run_id for file in tmp_path.glob("*.txt") for run_id in file.read_text().splitlines()
    ]
    assert len(acknowledged) >= 5 * 30
    let_locks_grow_old(store)
    store.recover()
    known = store.run_ids()
    assert set(acknowledged) <= set(known)
    # A writer may be killed between its commit and its acknowledgement, once.
    assert len(known) <= len(acknowledged) + 3
    for run_id in known:
        assert_whole(store, run_id)
    assert all(not name.startswith(".") for name in visible_files(store.root))
    for table in ("runs", "environment", "predictions", "prediction_images"):
        assert sorted(path.stem for path in (store.root / table).iterdir()) == known


def test_many_recover_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    names = [f"run-{i:02d}" for i in range(20)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publication, "publish", lambda root, run_id: None)
        for name in names:
            write(store, name)
    assert not list((tmp_path / "runs").iterdir())
    failures: list[BaseException] = []
    ready = threading.Barrier(8)

    def recover(number: int) -> None:
        try:
            mine = Store(tmp_path)
            ready.wait()
            if number % 2:
                mine.recover()
            assert mine.read("metrics").num_rows == 40
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=recover, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.stem for path in sorted((tmp_path / "metrics").iterdir())] == names
    assert not list((tmp_path / ".committed").iterdir())


def test_a_live_writer_is_not_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.stage("slow") as staging:
        staging.write("runs", runs_row("slow"))
        Store(tmp_path).recover()
        write(Store(tmp_path), "quick")
        assert staging.path("runs").exists()
    assert store.run_ids() == ["quick", "slow"]


def test_what_a_dead_writer_staged_is_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, "run-1")
    dead = tmp_path / ".staging" / "dead"
    (dead / "reports").mkdir(parents=True)
    (dead / "metrics.parquet").write_bytes(b"PAR1")
    (tmp_path / ".staging" / "dead.lock").write_text("1 elsewhere")
    assert store.run_ids() == ["run-1"]
    store.recover()
    assert not list((tmp_path / ".staging").iterdir())


def test_a_table_copied_in_by_hand_is_never_overwritten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_until_committed(store, "run-1")
    (tmp_path / "metrics").mkdir(exist_ok=True)
    (tmp_path / "metrics/run-1.parquet").write_bytes(b"mine")
    with pytest.raises(BenchsuiteError, match=r"never rewritten.*metrics/run-1\.parquet"):
        store.runs()
    assert (tmp_path / "metrics/run-1.parquet").read_bytes() == b"mine"
    (tmp_path / "metrics/run-1.parquet").unlink()
    assert store.run_ids() == ["run-1"]
    assert store.read("metrics").num_rows == 2


# --- a store that cannot be written -----------------------------------------------------------


@pytest.fixture
def read_only_store(tmp_path: Path) -> Iterator[Path]:
    """A store with one published and one committed run, that this process may not write."""
    if os.name == "nt":
        pytest.skip("folders have no rights there that would keep a file from being made")
    store = Store(tmp_path / "results")
    write(store, "published")
    write_until_committed(store, "committed")
    for path in [store.root, *store.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield store.root
    for path in [store.root, *store.root.rglob("*")]:
        path.chmod(0o755)


def write_until_committed(store: Store, run_id: str) -> None:
    """What a process leaves that is killed right after its commit."""
    real = publication.publish
    publication.publish = lambda root, run_id: None
    try:
        write(store, run_id)
    finally:
        publication.publish = real
    assert (store.root / ".committed" / run_id / "runs.parquet").is_file()


def as_nobody(work: Callable[[], None]) -> None:
    """Run in a child without the rights of root, for whom nothing is read-only."""
    if os.geteuid() != 0:
        work()
        return
    if pid := os.fork():
        assert os.waitpid(pid, 0)[1] == 0
        return
    status = 1
    try:
        os.setuid(65534)
        work()
        status = 0
    finally:
        os._exit(status)


def test_a_read_only_store_is_read_but_not_written(read_only_store: Path) -> None:
    # Root gets its rights from the kernel; the folders above are made passable for the child.
    for folder in read_only_store.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    store = Store(read_only_store)

    def work() -> None:
        assert store.run_ids() == ["committed", "published"]
        assert store.read("metrics")["run_id"].to_pylist() == ["committed"] * 2 + ["published"] * 2
        assert set(store.read_run("committed")) == {"runs", "metrics"}
        assert store.path("runs", "committed").is_file()
        with pytest.raises(BenchsuiteError, match=r"cannot be written: Permission denied.*--out"):
            store.check_writable(1)
        with pytest.raises(BenchsuiteError, match=r"Permission denied.*--out"):
            write(store, "another")

    as_nobody(work)
