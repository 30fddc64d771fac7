"""Who stands on a board, in which order, and who stands apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from benchsuite.report.boards import Board, make_boards, verification
from benchsuite.report.naming import variants

Tables = dict[str, pa.Table]


def boards_of(*runs: Tables) -> list[Board]:
    rows = [run["runs"].to_pylist()[0] for run in runs]
    return make_boards(rows, pa.concat_tables([run["metrics"] for run in runs]), {})


def standing(entries: Sequence[Any]) -> list[tuple[int | None, str]]:
    return [(entry.rank, entry.run["run_id"]) for entry in entries]


def later(run_tables: Callable[..., Tables], days: int, **options: Any) -> Tables:
    from datetime import UTC, datetime

    made_at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=days)
    return run_tables(made_at=made_at, **options)


def test_the_best_comes_first(run_tables: Callable[..., Tables]) -> None:
    (board,) = boards_of(
        run_tables(run_id="a", tasks={"bbox": 0.3}),
        run_tables(run_id="b", tasks={"bbox": 0.5}),
        run_tables(run_id="c", tasks={"bbox": 0.4}),
    )
    assert standing(board.ranked) == [(1, "b"), (2, "c"), (3, "a")]
    assert board.apart == ()
    assert board.title == "Object detection on coco/val2017"
    assert board.primary == board.value_names[0] == "AP"
    assert board.scale == 100
    assert board.evaluators == ["pycocotools 2.0.11"]


def test_equal_values_share_a_rank(run_tables: Callable[..., Tables]) -> None:
    values = {"a": 0.3, "b": 0.5, "c": 0.5, "d": 0.2}
    (board,) = boards_of(
        *(run_tables(run_id=i, model=i, tasks={"bbox": v}) for i, v in values.items())
    )
    assert standing(board.ranked) == [(1, "b"), (1, "c"), (3, "a"), (4, "d")]


def test_the_least_comes_first_where_lower_is_better(run_tables: Callable[..., Tables]) -> None:
    runs = [run_tables(run_id=i, tasks={"bbox": v}) for i, v in (("a", 0.3), ("b", 0.1))]
    for run in runs:
        table = run["metrics"]
        place = table.schema.get_field_index("higher_is_better")
        lower = pa.array([False] * table.num_rows)
        run["metrics"] = table.set_column(place, table.schema.field(place), lower)
    (board,) = boards_of(*runs)
    assert standing(board.ranked) == [(1, "b"), (2, "a")]


def test_partial_runs_and_random_weights_are_never_ranked(
    run_tables: Callable[..., Tables],
) -> None:
    (board,) = boards_of(
        run_tables(run_id="whole", tasks={"bbox": 0.1}),
        run_tables(run_id="subset", tasks={"bbox": 0.9}, n_images=10, n_dataset_images=5000),
        run_tables(run_id="random", tasks={"bbox": 0.95}, weights_random=True),
        run_tables(run_id="nothing", tasks={"bbox": -1.0}),
    )
    assert standing(board.ranked) == [(1, "whole")]
    assert {entry.run["run_id"]: entry.apart for entry in board.apart} == {
        "subset": "partial: 10 of 5,000 images",
        "random": "random weights",
        "nothing": "no AP to measure",
    }
    assert all(entry.rank is None for entry in board.apart)
    assert standing(board.everywhere) == [(None, "whole")]


def test_the_latest_run_of_a_result_speaks_for_it(run_tables: Callable[..., Tables]) -> None:
    (board,) = boards_of(
        later(run_tables, 2, run_id="second", result_id="same"),
        later(run_tables, 3, run_id="third", result_id="same"),
        later(run_tables, 1, run_id="first", result_id="same"),
        later(run_tables, 1, run_id="other", result_id="other", tasks={"bbox": 0.2}),
    )[:1]
    assert standing(board.ranked) == [(1, "third"), (2, "other")]


def test_a_result_keeps_its_times_of_every_device(run_tables: Callable[..., Tables]) -> None:
    same = {"result_id": "same", "tasks": {"bbox": 0.4}}
    (board,) = boards_of(
        later(run_tables, 1, run_id="cpu", **same),
        later(run_tables, 2, run_id="gpu", device="cuda", device_name="H100", **same),
        later(run_tables, 3, run_id="cpu again", **same),
        later(run_tables, 4, run_id="one thread", threads=1, **same),
    )
    assert standing(board.ranked) == [(1, "one thread")]
    assert {entry.run["run_id"] for entry in board.everywhere} == {"gpu", "cpu again", "one thread"}


def test_other_truth_is_another_board(run_tables: Callable[..., Tables]) -> None:
    boards = boards_of(
        run_tables(run_id="a", tasks={"bbox": 0.3, "segm": 0.2}),
        run_tables(run_id="b", tasks={"bbox": 0.5}, annotation_sha256="f" * 64),
        run_tables(run_id="c", tasks={"bbox": 0.4}, split="val2014"),
        run_tables(run_id="d", tasks={"keypoints": 0.4}, dataset="ours", split="all"),
    )
    assert [(board.key.prefix, board.dataset, len(board.ranked)) for board in boards] == [
        ("bbox", "coco/val2014", 1),
        ("bbox", "coco/val2017", 1),
        ("bbox", "coco/val2017", 1),
        ("segm", "coco/val2017", 1),
        ("keypoints", "ours", 1),
    ]


def test_several_evaluators_on_a_board_are_told(run_tables: Callable[..., Tables]) -> None:
    (board,) = boards_of(
        run_tables(run_id="a", tasks={"bbox": 0.3}),
        run_tables(run_id="b", tasks={"bbox": 0.3}, evaluators='{"coco_bbox": "fast 1.0"}'),
    )
    assert board.evaluators == ["fast 1.0", "pycocotools 2.0.11"]


@pytest.mark.parametrize(
    ("measured", "options", "said"),
    [
        (0.4101, {}, "reproduced"),
        (0.4080, {}, "outside tolerance"),
        (0.4101, {"weights_random": True}, "random weights"),
        (0.4101, {"n_images": 5, "n_dataset_images": 10}, "partial, not comparable"),
        (0.4101, {"published": {}}, "no published number"),
    ],
)
def test_what_is_claimed_and_what_is_verified(
    run_tables: Callable[..., Tables], measured: float, options: dict[str, Any], said: str
) -> None:
    options = {"published": {"bbox/AP": 0.410}, **options}
    (board,) = boards_of(run_tables(tasks={"bbox": measured}, **options))
    (entry,) = board.entries
    assert verification(board, entry) == said
    assert entry.primary == measured, "a claim never takes the place of a measured number"


def test_variants_tell_results_of_one_name_apart(run_tables: Callable[..., Tables]) -> None:
    rows = [
        run_tables(run_id="a", seed=0, model_options='{"depth": 50, "size": {"short": 800}}'),
        run_tables(run_id="b", seed=0, model_options='{"depth": 50, "size": {"short": 640}}'),
        run_tables(run_id="c", model="another"),
    ]
    told = variants([each["runs"].to_pylist()[0] for each in rows])
    assert told == ["size.short=800", "size.short=640", ""]
