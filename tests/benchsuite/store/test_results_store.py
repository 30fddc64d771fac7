from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchsuite import schemas
from benchsuite.errors import BenchsuiteError, ContractError, InputError, UsageError
from benchsuite.store.results_store import Staging, Store


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


def test_find_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for run_id in ("one", "one-more", "other"):
        write(store, run_id)
    assert store.find_run("one") == "one"
    assert store.find_run("one-") == "one-more"
    with pytest.raises(UsageError, match="'o' is the beginning of 3 runs: one, one-more, other"):
        store.find_run("o")
    with pytest.raises(UsageError, match="did you mean other"):
        store.find_run("othe5")


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


def flip_one_bit(path: Path) -> None:
    column = pq.ParquetFile(path).metadata.row_group(0).column(9)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset - 1] ^= 1  # the end of the page of distinct values
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b"PAR1"), "is damaged"),
        (flip_one_bit, "is damaged"),
        (lambda path: pq.write_table(pa.table({"a": [1]}), path), "holds another table: .*run_id"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    store = Store(tmp_path)
    for run_id in ("a", "b"):
        write(store, run_id)
    spoil(tmp_path / "metrics/b.parquet")
    with pytest.raises(InputError, match=rf"metrics/b\.parquet: {says}"):
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
    with pytest.raises(
        BenchsuiteError, match=r"free, the results need about 4611686 TB.*--out DIR"
    ):
        store.check_writable(1 << 62)


def test_a_file_in_the_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    for use in (lambda store: store.check_writable(1), lambda store: write(store, "run-1")):
        with pytest.raises(BenchsuiteError, match=r"results: .*--out DIR"):
            use(Store(tmp_path / "results"))


def test_a_copied_store_is_a_store(tmp_path: Path) -> None:
    write(Store(tmp_path / "a"), "run-1")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert Store(tmp_path / "b").runs().equals(Store(tmp_path / "a").runs())
