"""The log's tables, part by part."""

from __future__ import annotations

import pytest

from benchsuite.training.log import STEPS, VALIDATION, TrainingLog, read_log


def rows(folder, table=STEPS):
    return read_log(folder, table).to_pylist()


def fill(folder, steps, after=0, **named):
    with TrainingLog(folder, after, **named) as log:
        for step in steps:
            log.add_step({"step": step, "loss": step / 2})


def test_what_is_written_is_read(tmp_path):
    fill(tmp_path, range(1, 8), flush_rows=3)
    assert rows(tmp_path) == [{"step": step, "loss": step / 2} for step in range(1, 8)]
    assert len(list((tmp_path / "log").iterdir())) == 3
    assert rows(tmp_path, VALIDATION) == []


def test_nothing_written_is_lost_when_the_process_dies(tmp_path):
    log = TrainingLog(tmp_path, flush_rows=2)
    for step in (1, 2, 3):
        log.add_step({"step": step, "loss": 0.0})
    # Not closed: what has been flushed is there all the same.
    assert [row["step"] for row in rows(tmp_path)] == [1, 2]
    log.flush()
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize("after", [0, 2, 3, 4, 6, 7])
def test_steps_after_the_checkpoint_come_again(tmp_path, after):
    fill(tmp_path, range(1, 8), flush_rows=3)
    fill(tmp_path, range(after + 1, 8), after)
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, 8))


def test_columns_that_come_later_are_empty_before(tmp_path):
    with TrainingLog(tmp_path) as log:
        log.add_validation(1, {"bbox/AP": 0.5})
        log.flush()
        log.add_validation(2, {"bbox/AP": 0.6, "loss/total": 1.5})
    assert rows(tmp_path, VALIDATION) == [
        {"step": 1, "bbox/AP": 0.5, "loss/total": None},
        {"step": 2, "bbox/AP": 0.6, "loss/total": 1.5},
    ]


def test_tensorboard_reads_the_events(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    fill(tmp_path, (1, 2, 3))
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = [(each.step, each.value) for each in events.Scalars("training/loss")]
    assert found == [(1, 0.5), (2, 1.0), (3, 1.5)]
