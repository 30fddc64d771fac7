"""The measuring room, with cases that take no time, and the kernels' cases."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

MODULES = ("interleaved", "rows", "script", "served_process", "sides", "suite", "table")

CHILD = """
from measuring.served_process import answer
turns = []
def turn():
    print("not a reply")
    turns.append(1)
    if len(turns) == 3:
        raise ValueError("no more")
    return {"seconds": 0.5 * len(turns), "mib": 7}
answer(turn)
"""


@pytest.fixture
def benchmarks(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = repository / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def room(benchmarks: Path) -> argparse.Namespace:
    modules = {name: importlib.import_module(f"measuring.{name}") for name in MODULES}
    return argparse.Namespace(**modules)


def fake_side(room: argparse.Namespace, name: str, seconds: list[float], log: list[str]) -> Any:
    remaining = iter(seconds)

    def sample() -> Any:
        log.append(name)
        value = next(remaining)
        return room.sides.Sample(value, {"mib": 10 * value})

    return room.sides.Side(lambda: log.append(name), sample)


def test_sides_take_turns_and_medians_are_compared(room: argparse.Namespace) -> None:
    log: list[str] = []
    sides = {
        "ours": fake_side(room, "ours", [1, 2, 3, 4, 5], log),
        "a": fake_side(room, "a", [6, 6, 6, 6, 6], log),
        "b": fake_side(room, "b", [30, 30], log),
    }
    taken = room.interleaved.take_turns(sides, rounds=5, most_seconds=50)
    assert log == ["b", "a", "ours", "ours", "a", "b", "a", "ours", "ours", "a", "a", "ours"]
    beside_a, beside_b = room.interleaved.compare("x", 2, taken)
    assert (beside_a.ours_s, beside_a.peer, beside_a.peer_s, beside_a.ratio) == (3, "a", 6, 2)
    assert (beside_a.name, beside_a.threads) == ("x", 2)
    assert beside_a.spread == pytest.approx((4.5 - 1.5) / 3)
    assert beside_a.more == {"ours_mib": 30, "peer_mib": 60}
    assert (beside_b.peer, beside_b.ratio) == ("b", 10)


def test_a_side_without_peers_has_a_row(room: argparse.Namespace) -> None:
    (row,) = room.interleaved.compare("alone", 1, {"ours": [room.sides.Sample(2.0)]})
    assert row.to_json() == {
        "name": "alone",
        "ours_s": 2.0,
        "peer": None,
        "peer_s": None,
        "ratio": None,
        "threads": 1,
        "spread": None,
    }


def test_few_samples_spread_over_their_whole_range(room: argparse.Namespace) -> None:
    samples = [room.sides.Sample(seconds) for seconds in (2.0, 1.0, 4.0)]
    assert room.interleaved.spread(samples[:1]) is None
    assert room.interleaved.spread(samples[:2]) == pytest.approx(1 / 1.5)
    assert room.interleaved.spread(samples) == 1.5


def test_a_case_in_this_process_is_made_once_checked_and_repeated(room: argparse.Namespace) -> None:
    made: list[int] = []
    checked: list[tuple[Any, Any]] = []
    calls: list[int] = []

    def ours() -> int:
        calls.append(torch.get_num_threads())
        time.sleep(0.002)
        return 3

    def make() -> Any:
        made.append(1)
        return room.sides.Case("peer", ours, lambda: 4, lambda a, b: checked.append((a, b)))

    before = torch.get_num_threads()
    opened = room.sides.in_process(make, least_seconds=0.01)
    for threads in (1, 2):
        calls.clear()
        with opened(threads) as sides:
            assert list(sides) == ["ours", "peer"]
            sample = sides["ours"].sample()
        assert set(calls) == {threads}
        assert len(calls) >= 3  # one checked, one timed, then as many as take 10 ms
        assert sample.seconds >= 0.002
        assert sample.more["cpu_s"] >= 0
    assert torch.get_num_threads() == before
    assert (made, checked) == ([1], [(3, 4), (3, 4)])


def test_a_case_that_disagrees_is_not_measured(room: argparse.Namespace) -> None:
    def check(ours: int, theirs: int) -> None:
        assert ours == theirs

    opened = room.sides.in_process(lambda: room.sides.Case("p", lambda: 1, lambda: 2, check))
    with pytest.raises(AssertionError), opened(1):
        pass


def test_a_served_process_replies_until_it_ends(
    room: argparse.Namespace, benchmarks: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", CHILD]
    environment = {"PYTHONPATH": f"{benchmarks}", "PATH": "/usr/bin"}
    with room.served_process.served(command, environment) as process:
        side = process.side("mib")
        assert [side.sample() for _ in range(2)] == [
            room.sides.Sample(0.5, {"mib": 7}),
            room.sides.Sample(1.0, {"mib": 7}),
        ]
        with pytest.raises(RuntimeError, match="ended"):
            process.ask()
    assert "no more" in capfd.readouterr().err


def suite_of(room: argparse.Namespace, **options: Any) -> Any:
    def case() -> Any:
        return room.sides.Case("peer", lambda: None, lambda: time.sleep(1e-3), lambda a, b: None)

    cases = {name: room.sides.in_process(case, 0) for name in ("sum/1", "sum/10", "product/1")}
    return room.suite.Suite("Sums.\n\nMore.", cases, **options)


def test_the_script_shows_a_table_and_writes_rows(
    room: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = (room.table.Column("CPU us", "peer_cpu_s", ".1f", 1e6),)
    script = suite_of(room, columns=columns).script()
    script.main(
        ["--only", "sum", "--rounds", "3", "--threads", "1", "--json", f"{tmp_path}/r.json"]
    )
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [row["name"] for row in rows] == ["sum/1", "sum/10"]
    for row in rows:
        assert list(row)[:7] == ["name", "ours_s", "peer", "peer_s", "ratio", "threads", "spread"]
        assert row["ratio"] == pytest.approx(row["peer_s"] / row["ours_s"])
        assert row["ratio"] > 1 and row["threads"] == 1 and row["peer"] == "peer"
    shown = capsys.readouterr()
    first, _, head, rule, *lines = shown.out.splitlines()
    assert "torch 2" in first and head.endswith("| spread | CPU us |")
    assert {text.count("|") for text in (head, rule, *lines)} == {9} and len(lines) == 2
    assert "1/2 sum/1" in shown.err


def test_cases_are_listed_and_chosen(
    room: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    script = suite_of(room).script()
    script.main(["--list", "--only", "sum/1", "--only", "prod"])
    assert capsys.readouterr().out.split() == ["sum/1", "product/1"]
    for wrong in (["--only", "none"], ["--rounds", "0"], ["--threads", "0"]):
        with pytest.raises(SystemExit) as stopped:
            script.main(wrong)
        assert stopped.value.code == 2


def test_the_suite_is_parametrized_by_case_threads_and_side(room: argparse.Namespace) -> None:
    given: dict[str, list[Any]] = {}

    class Metafunc:
        def parametrize(self, name: str, values: Any, ids: Any = None) -> None:
            given[name] = list(ids or values)

    suite = suite_of(room, threads=(1, 3), calls=2)
    generate, run = suite.tests()
    generate(Metafunc())
    assert given == {
        "name": ["sum/1", "sum/10", "product/1"],
        "threads": [1, 3],
        "place": ["ours", "peer"],
    }
    timed: list[Any] = []
    benchmark = argparse.Namespace(
        extra_info={}, pedantic=lambda call, rounds: timed.append((call(), rounds))
    )
    run(benchmark, "sum/1", 1, 1)
    assert timed == [(None, 2)] and benchmark.extra_info == {"side": "peer"}
    with pytest.raises(pytest.skip.Exception):
        run(benchmark, "sum/1", 1, 2)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (12.345, "12.3 s"), (1.0, "1.00 s"), (0.4151, "415 ms"), (2e-7, "0.20 us")],
)
def test_durations_have_three_digits(
    room: argparse.Namespace, seconds: float | None, shown: str
) -> None:
    assert room.table.duration(seconds) == shown


def test_every_operator_has_its_cases(benchmarks: Path) -> None:
    cases = importlib.import_module("kernel_cases").all_cases()
    assert {"roi_align/fpn_1000x256x7x7", "batched_nms/4741x5", "paste_to_rle/100"} <= cases.keys()
    dispatched = [name.partition("/")[2] for name in cases if name.startswith("dispatch/")]
    operators = {name.partition("/")[0] for name in cases} - {"dispatch"}
    assert operators == set(dispatched)
    assert list(cases)[-len(dispatched) :] == [f"dispatch/{name}" for name in dispatched]
    for name in dispatched:
        case = cases[f"dispatch/{name}"]()
        case.check(case.ours(), case.theirs())


@pytest.mark.parametrize(
    "name", ["coverage", "evaluation", "fine_tuning", "inference", "kernels", "loading", "training"]
)
def test_every_file_is_a_script_and_a_suite(
    benchmarks: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", benchmarks / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    script = module.SCRIPT if hasattr(module, "SCRIPT") else module.SUITE.script()
    script.main(["--list"])
    assert capsys.readouterr().out.split() == list(script.cases)
    assert set(script.parser().parse_args([]).threads) == set(script.threads)
    tests = [attribute for attribute in dir(module) if attribute.startswith("test_")]
    given: dict[Any, Any] = {}

    def parametrize(names: Any, values: Any, ids: Any = None) -> None:
        given[names] = values

    module.pytest_generate_tests(argparse.Namespace(parametrize=parametrize))
    assert len(tests) == 1 and all(given.values())


def test_no_file_is_forgotten(benchmarks: Path) -> None:
    (checked,) = test_every_file_is_a_script_and_a_suite.pytestmark  # type: ignore[attr-defined]
    files = {file.stem for file in benchmarks.glob("*.py")}
    assert files - {"conftest", "gpu"} == set(checked.args[1])
