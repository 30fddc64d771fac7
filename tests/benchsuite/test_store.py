from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite import durable, publication, schemas
from benchsuite.errors import BenchsuiteError, ContractError, InputError, UsageError
from benchsuite.store import Staging, Store

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


# --- what is written is what is read ----------------------------------------------------------


def test_a_run_is_read_as_written(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    staging = write(store, "run-1", result_id="abc", model="mask_rcnn")
    assert staging.paths == {
        "runs": tmp_path / "results/runs/run-1.parquet",
        "metrics": tmp_path / "results/metrics/run-1.parquet",
        "report": tmp_path / "results/reports/run-1/report.html",
    }
    assert all(path.is_file() for path in staging.paths.values())
    assert store.read("metrics").equals(metrics("run-1"))
    assert store.runs().to_pylist()[0]["model"] == "mask_rcnn"
    assert set(store.read_run("run-1")) == {"runs", "metrics"}
    assert store.path("metrics", "run-1") == staging.paths["metrics"]
    assert visible_files(store.root) == [
        "metrics/run-1.parquet",
        "reports/run-1/report.html",
        "runs/run-1.parquet",
    ]


def test_paths_are_filled_in_place(tmp_path: Path) -> None:
    """Whoever took ``paths`` within the block sees them filled afterwards."""
    with Store(tmp_path).stage("run-1") as staging:
        paths = staging.paths
        staging.write("runs", runs_row("run-1"))
        assert not paths
    assert set(paths) == {"runs"}


def test_runs_come_in_order_and_tables_in_the_order_asked_for(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for run_id in ("b", "a", "c"):
        write(store, run_id)
    assert store.run_ids() == ["a", "b", "c"]
    assert store.runs()["run_id"].to_pylist() == ["a", "b", "c"]
    read = store.read("metrics", ["c", "a"], ["run_id", "value"])
    assert read.column_names == ["run_id", "value"]
    assert read["run_id"].to_pylist() == ["c", "c", "a", "a"]


def test_find_result(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for run_id, result_id in (("a", "x"), ("b", "y"), ("c", "x")):
        write(store, run_id, result_id=result_id)
    assert store.find_result("x")["run_id"].to_pylist() == ["a", "c"]
    assert store.find_result("z").num_rows == 0


def test_a_store_that_is_not_there_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "nothing")
    assert store.runs().equals(schemas.RUNS.empty_table())
    assert store.read("metrics", columns=["value"]).num_rows == 0
    assert not store.root.exists()


def test_pandas_and_duckdb_read_it_as_it_stands(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for run_id in ("a", "b"):
        write(store, run_id)
    frame = pd.read_parquet(tmp_path / "results" / "metrics")
    assert sorted(frame["run_id"]) == ["a", "a", "b", "b"]
    assert frame["value"].sum() == pytest.approx(2 / 7)
    joined = duckdb.sql(
        f"SELECT m.value FROM '{tmp_path}/results/metrics/*.parquet' m "
        f"JOIN '{tmp_path}/results/runs/*.parquet' r USING (run_id) ORDER BY m.value"
    ).fetchall()
    assert joined == [(0.0,), (0.0,), (1 / 7,), (1 / 7,)]


def test_every_table_may_be_empty_and_keeps_its_schema(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.stage("run-1") as staging:
        for table, schema in schemas.STORE_TABLES.items():
            staging.write(table, runs_row("run-1") if table == "runs" else schema.empty_table())
    for table, schema in schemas.STORE_TABLES.items():
        assert store.read(table).schema.equals(schema), table
        assert pd.read_parquet(tmp_path / table).columns.tolist() == schema.names


def test_nested_columns_and_the_largest_ids(tmp_path: Path) -> None:
    large, small = 2**63 - 1, -(2**63)
    rows = [
        {
            "prediction": large,
            "image_id": small,
            "category_id": 0,
            "score": 1.0,
            "bbox": [0.1, 0.2, 0.3, 1e300],
            "segmentation": {"size": [2**31 - 1, 1], "counts": b"\x00PPYo0"},
            "keypoints": [1.5, -0.5, 2.0],
            "extra": '{"note":"\u00e4\\u0000"}',
        },
        {"prediction": 0, "image_id": 0, "category_id": large, "score": 0.0},
    ]
    data = pa.Table.from_pylist(rows, schema=schemas.PREDICTION_INSTANCES)
    store = Store(tmp_path)
    with store.stage("run-1") as staging:
        staging.write("runs", runs_row("run-1"))
        staging.write("predictions", data)
    assert store.read("predictions").equals(data)


def test_a_file_streamed_by_somebody_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.stage("run-1") as staging:
        staging.write("runs", runs_row("run-1"))
        with pq.ParquetWriter(staging.path("metrics"), schemas.METRICS) as writer:
            for _ in range(3):
                writer.write_table(metrics("run-1"))
    assert store.read("metrics").num_rows == 6


def test_matches_have_the_columns_of_their_metric(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for run_id, column in (("a", "hit"), ("b", "iou")):
        with store.stage(run_id) as staging:
            staging.write("runs", runs_row(run_id))
            staging.write("matches_coco_bbox", pa.table({"image_id": [1], column: [0.5]}))
    both = store.read("matches_coco_bbox")
    assert both.to_pylist() == [
        {"image_id": 1, "hit": 0.5, "iou": None},
        {"image_id": 1, "hit": None, "iou": 0.5},
    ]


def test_files_of_an_older_version_lack_newer_columns(tmp_path: Path) -> None:
    store = Store(tmp_path)
    staging = write(store, "run-1")
    older = metrics("run-1").drop_columns(["published", "recipe"])
    pq.write_table(older, staging.paths["metrics"])
    read = store.read("metrics")
    assert read.schema.equals(schemas.METRICS)
    assert read["published"].null_count == 2


# --- what is refused --------------------------------------------------------------------------


def column_of_another_type(table: pa.Table) -> pa.Table:
    return table.set_column(9, "value", pa.array(["a", "b"]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (column_of_another_type, "'value' is string, expected double"),
        (lambda table: table.drop_columns(["value"]), "no column 'value'"),
        (lambda table: table.append_column("colour", pa.array([1, 2])), "colour"),
        (lambda table: table.append_column("value", table["value"]), "'value' more than once"),
        (
            lambda table: table.set_column(9, "value", pa.array([0.5, None])),
            "'value' is null in row 1",
        ),
        (lambda table: pa.concat_tables([table, metrics("other")]), "a row of run 'other'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], says: str
) -> None:
    store = Store(tmp_path)
    assert metrics("run-1").schema.names[9] == "value"
    with pytest.raises(ContractError, match=r"metrics.*run-1") as caught, store.stage("run-1") as s:
        s.write("runs", runs_row("run-1"))
        s.write("metrics", change(metrics("run-1")))
    assert says in str(caught.value)
    assert visible_files(tmp_path) == []


def test_missing_nullable_columns_are_filled(tmp_path: Path) -> None:
    store = Store(tmp_path)
    untyped = pa.nulls(2)
    few = metrics("run-1").drop_columns(["published", "recipe"]).append_column("recipe", untyped)
    with store.stage("run-1") as staging:
        staging.write("runs", runs_row("run-1"))
        staging.write("metrics", few)
    assert store.read("metrics").equals(metrics("run-1"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"PAR1 and no more"),
        lambda path: pq.write_table(pa.table({"run_id": ["run-1"]}), path),
        lambda path: pq.write_table(metrics("other"), path),
    ],
)
def test_a_streamed_file_is_checked_before_it_counts(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    store = Store(tmp_path)
    with pytest.raises(ContractError, match="'metrics' of run run-1"), store.stage("run-1") as s:
        s.write("runs", runs_row("run-1"))
        spoil(s.path("metrics"))
    assert visible_files(tmp_path) == []


def test_a_run_needs_exactly_one_row_in_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ContractError, match="no row in 'runs'"), store.stage("a") as staging:
        staging.write("metrics", metrics("a"))
    with pytest.raises(ContractError, match="2 rows, expected 1"), store.stage("a") as staging:
        staging.write("runs", pa.concat_tables([runs_row("a"), runs_row("a")]))
    assert visible_files(tmp_path) == []


def test_unknown_names(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, "run-1")
    with pytest.raises(UsageError, match="unknown table 'metric'; did you mean metrics"):
        store.read("metric")
    with pytest.raises(UsageError, match=r"'valu'.*did you mean value"):
        store.read("metrics", columns=["valu"])
    with pytest.raises(UsageError, match="unknown run 'run-2'; did you mean run-1"):
        store.read("metrics", ["run-2"])
    with pytest.raises(UsageError, match="unknown run"):
        store.read_run("run-2")
    with pytest.raises(UsageError, match="unknown table of run run-1 'pr_curves'"):
        store.path("pr_curves", "run-1")
    with pytest.raises(UsageError, match="unknown area"), store.stage("b") as staging:
        staging.write_text("pages", "report.html", "")
    with pytest.raises(ContractError, match="plain file name"), store.stage("b") as staging:
        staging.write_text("reports", "../report.html", "")


@pytest.mark.parametrize("run_id", ["", ".", "../x", "a/b", "a.b", "-a", "a" * 201, "a\n", "ä"])
def test_run_ids_are_file_names(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ContractError, match="run id"), Store(tmp_path).stage(run_id):
        pytest.fail("entered")


def test_a_run_id_is_used_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, "run-1")
    before = (tmp_path / "metrics/run-1.parquet").read_bytes()
    with pytest.raises(BenchsuiteError, match="stored already"):
        write(store, "run-1")
    with store.stage("run-2") as staging:
        staging.write("runs", runs_row("run-2"))
        with (
            pytest.raises(BenchsuiteError, match=f"being written by process {os.getpid()} on"),
            store.stage("run-2"),
        ):
            pytest.fail("entered")
    assert store.run_ids() == ["run-1", "run-2"]
    assert (tmp_path / "metrics/run-1.parquet").read_bytes() == before


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for run_id in ("a", "b"):
        write(store, run_id)
    (tmp_path / "metrics/b.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"metrics/b\.parquet: is damaged"):
        store.read("metrics")


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for error in (KeyboardInterrupt, ValueError, FileNotFoundError):
        with pytest.raises(error), store.stage("run-1") as staging:
            staging.write("runs", runs_row("run-1"))
            raise error
    assert visible_files(tmp_path) == []
    write(store, "run-1")


# --- a store that cannot be written -----------------------------------------------------------


def test_check_writable(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "b")
    store.check_writable(1)
    assert store.root.is_dir()
    assert visible_files(tmp_path) == []
    with pytest.raises(BenchsuiteError, match=r"free, the results need about .*--out DIR"):
        store.check_writable(1 << 62)


def test_a_file_in_the_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    for use in (lambda store: store.check_writable(1), lambda store: write(store, "run-1")):
        with pytest.raises(BenchsuiteError, match=r"results: .*--out DIR"):
            use(Store(tmp_path / "results"))


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


# --- killed, full, concurrent -----------------------------------------------------------------


def fail_at(monkeypatch: pytest.MonkeyPatch, last: int, error: BaseException) -> list[str]:
    """Let the file system's step number ``last`` raise; the steps so far, in a growing list."""
    done: list[str] = []

    def counting(name: str) -> Callable[..., None]:
        real = getattr(durable, name)

        def step(*paths: Path) -> None:
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


def test_a_copied_store_is_a_store(tmp_path: Path) -> None:
    write(Store(tmp_path / "a"), "run-1")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert Store(tmp_path / "b").runs().equals(Store(tmp_path / "a").runs())
