"""Values of each category, of one run and of several side by side."""

from __future__ import annotations

import math

import pyarrow as pa

from benchsuite import schemas
from benchsuite.report.per_class import class_table, heat_map


def table(*rows: tuple[int, str, str, float | None], task: str = "bbox") -> pa.Table:
    listed = [
        {"run_id": "r", "task": task, "category": name, "category_id": i, "metric": m, "value": v}
        for i, name, m, v in rows
    ]
    return pa.Table.from_pylist(listed, schema=schemas.STORED_PER_CLASS)


ONE = table(
    (1, "cat", "AP50", 0.6),
    (1, "cat", "AP", 0.4),
    (2, "dog", "AP50", 0.5),
    (2, "dog", "AP", 0.1),
    (3, "eel", "AP50", None),
    (3, "eel", "AP", None),
)
OTHER = table((1, "cat", "AP", 1.0), (2, "dog", "AP", 0.0), (4, "fox", "AP", 0.05))


def test_the_board_s_value_comes_first_and_the_worst_class_first() -> None:
    found = class_table(ONE, "bbox", "AP")
    assert found is not None
    assert found.metrics == ["AP", "AP50"]
    assert found.rows == [("dog", [0.1, 0.5]), ("cat", [0.4, 0.6]), ("eel", [None, None])]
    assert found.measured == 2
    assert found.scale == 100


def test_another_task_has_no_table() -> None:
    assert class_table(ONE, "segm", "AP") is None


def test_categories_of_one_name_stay_apart() -> None:
    found = class_table(table((1, "cat", "AP", 0.4), (9, "cat", "AP", 0.2)), "bbox", "AP")
    assert found is not None
    assert found.rows == [("cat", [0.2]), ("cat", [0.4])]


def test_a_heat_map_puts_the_class_first_that_is_hardest_for_all() -> None:
    found = heat_map([ONE, OTHER], "bbox", "AP")
    assert found is not None
    assert found.metric == "AP"
    assert found.rows == [
        ("dog", [(0.1, 1), (0.0, 0)]),
        ("fox", [(None, 0), (0.05, 0)]),
        ("cat", [(0.4, 4), (1.0, 9)]),
        ("eel", [(None, 0), (None, 0)]),
    ]


def test_a_heat_map_falls_back_to_what_the_runs_have() -> None:
    found = heat_map([ONE], "bbox", "PQ")
    assert found is not None
    assert found.metric == "AP50"
    assert heat_map([ONE], "segm", "AP") is None
    assert heat_map([], "bbox", "AP") is None


def test_steps_span_the_values_of_another_unit() -> None:
    found = heat_map([table((1, "a", "err", 20.0), (2, "b", "err", 40.0))], "bbox", "err")
    assert found is not None
    assert found.scale == 1
    assert [step for _, ((_, step),) in found.rows] == [0, 9]
    missing = heat_map([table((1, "a", "err", math.nan))], "bbox", "err")
    assert missing is not None
    assert missing.rows == [("a", [(None, 0)])]
