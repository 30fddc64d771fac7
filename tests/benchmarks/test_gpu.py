"""The GPU run where there is no GPU: its report, its arithmetic, its cases on emulated kernels."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

MODULES = (
    "ceilings",
    "correctness",
    "devices",
    "imports",
    "operators",
    "operators.case",
    "operators.nms",
    "report",
    "running",
    "sanitizer",
    "timing",
)


@pytest.fixture
def gpu(repository: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    modules = {
        name.rpartition(".")[2]: importlib.import_module(f"gpu_sections.{name}") for name in MODULES
    }
    return argparse.Namespace(**modules)


@pytest.fixture
def context(gpu: argparse.Namespace, repository: Path) -> Iterator[Any]:
    threads = torch.get_num_threads()
    yield gpu.running.Context(gpu.devices.HostDevice(), repository, small=True)
    torch.set_num_threads(threads)


def case_named(gpu: argparse.Namespace, name: str) -> Any:
    (case,) = (case for case in gpu.operators.all_cases() if case.name == name)
    return case


def test_a_section_s_failure_is_its_own(gpu: argparse.Namespace, context: Any) -> None:
    table = gpu.report.Table("T", (gpu.report.Column("a", "A", ".1f"),))

    def broken(context: Any) -> Iterator[Any]:
        yield table
        table.add(a=1.25)
        yield "a note"
        raise ValueError("out of luck")

    def late(context: Any) -> Iterator[Any]:
        yield str(context.late())

    def slow(context: Any) -> Iterator[Any]:
        time.sleep(0.3)
        yield "done"

    sections = [
        gpu.running.Section("first", 100, broken),
        gpu.running.Section("second", 0, late),
        gpu.running.Section("third", 100, slow),
        gpu.running.Section("fourth", 100, slow),
    ]
    shown: list[Any] = []
    outcomes = gpu.running.run_sections(sections, context, 0.3, shown.append)
    assert outcomes == shown
    assert [outcome.status for outcome in outcomes] == ["failed", "done", "done", "left out"]
    assert outcomes[0].tables == [table] and outcomes[0].notes == ["a note"]
    assert "out of luck" in outcomes[0].error and "broken" in outcomes[0].error
    assert outcomes[1].notes == ["True"]
    text = gpu.report.report_markdown({"device": "none"}, outcomes)
    assert "| A |\n|--:|\n| 1.2 |" in text and "out of luck" in text
    written = json.loads(json.dumps(gpu.report.report_json({"device": "none"}, outcomes)))
    assert written["sections"][0]["tables"] == {"T": [{"a": 1.25}]}
    assert [each["status"] for each in written["sections"]][-1] == "left out"


def test_cells_hold_one_line(gpu: argparse.Namespace) -> None:
    columns = (gpu.report.Column("a", "A"), gpu.report.Column("b", "B", ".0%"))
    table = gpu.report.Table("T", columns)
    table.add(a="x|y\nz", b=0.5)
    table.add(b=None)
    assert table.markdown().splitlines()[-2:] == ["| x\\|y z | 50% |", "|  |  |"]


def test_copies_are_more_than_the_cache_holds(gpu: argparse.Namespace) -> None:
    timing = gpu.timing
    assert timing.copies_needed(100 * 2**20) == 2
    assert timing.copies_needed(8 * 2**20) == 9
    assert timing.copies_needed(0) == timing.MOST_COPIES
    assert timing.spread_of_two(9.0, 11.0) == pytest.approx(0.2)


def test_errors_are_relative_and_limited(gpu: argparse.Namespace) -> None:
    case = gpu.case
    expected = {"a": torch.tensor([4.0, -2.0]), "b": [torch.tensor([float("nan"), 1.0])]}
    actual = {"a": torch.tensor([4.0, -2.04]), "b": [torch.tensor([float("nan"), 1.0])]}
    assert case.close(actual, expected, (), 0.02) == pytest.approx(0.01)
    with pytest.raises(case.MismatchError, match=r"relative error 0\.01"):
        case.close(actual, expected, (), 0.001)
    with pytest.raises(case.MismatchError, match="finite"):
        case.close(torch.tensor([1.0, 1.0]), expected["b"][0], (), 0.1)
    with pytest.raises(case.MismatchError, match="shape"):
        case.close(torch.ones(1), torch.ones(2), (), 0.1)
    assert case.close(torch.ones(0), torch.ones(0), (), 0.0) == 0


def test_kept_boxes_may_differ_at_the_threshold_alone(gpu: argparse.Namespace) -> None:
    nms = gpu.nms
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5]])  # they overlap by a half
    group, one, both = torch.zeros(2, dtype=torch.int64), torch.tensor([0]), torch.tensor([0, 1])
    assert nms.same_kept([both], [both], [boxes], [group], 0.1) == 0
    assert nms.same_kept([one], [both], [boxes], [group], 0.5) == 0
    with pytest.raises(gpu.case.MismatchError):
        nms.same_kept([one], [both], [boxes], [group], 0.501)
    with pytest.raises(gpu.case.MismatchError):
        nms.same_kept([one], [both], [boxes], [torch.tensor([0, 1])], 0.5)


def test_every_operator_s_module_is_imported(gpu: argparse.Namespace) -> None:
    cases = list(gpu.operators.all_cases())
    assert not [case for case in cases if isinstance(case, str)]
    names = [case.name for case in cases]
    assert len(names) == len(set(names))
    assert {"roi_align", "nms_per_image", "paste_to_rle"} <= {n.partition("/")[0] for n in names}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("nms_per_image/8x4741x5", torch.float32),
        ("sigmoid_focal_loss/2x201600x80", torch.bfloat16),
        ("paste_to_rle/100", torch.float32),
        ("match_boxes/rpn_8x20", torch.float32),
    ],
)
def test_emulated_kernels_are_right(
    gpu: argparse.Namespace, context: Any, name: str, dtype: torch.dtype
) -> None:
    from benchsuite_kernels.dispatch import serving

    with serving("emulated"):
        error = gpu.correctness.check(
            case_named(gpu, name), dtype, 1, gpu.case.Size(full=False), context
        )
    assert error <= gpu.case.TOLERANCES[dtype]


def test_a_wrong_operator_is_told_and_the_rest_is_checked(
    gpu: argparse.Namespace, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(seed: int, dtype: torch.dtype, size: Any) -> Any:
        return (torch.ones(3, dtype=dtype),)

    def halved_in_float32(values: torch.Tensor) -> torch.Tensor:
        return values / 2 if values.dtype is torch.float32 else values

    dtypes = {"dtypes": (torch.float32,)}
    cases = [
        gpu.case.Case("wrong/3", draw, halved_in_float32, **dtypes),
        gpu.case.Case("right/3", draw, lambda values: values, **dtypes),
        "a module: it does not import",
    ]
    monkeypatch.setattr(gpu.correctness, "all_cases", lambda: iter(cases))
    outcome = gpu.running.run_sections(
        [gpu.running.Section("correctness", 9, gpu.correctness.run)], context, 9, lambda _: None
    )[0]
    (table,) = outcome.tables
    assert [row["result"].partition(":")[0] for row in table.rows] == ["MismatchError", "right"]
    assert outcome.status == "failed" and "2 wrong" in outcome.error


def test_uninitialised_memory_is_poisoned(gpu: argparse.Namespace) -> None:
    with gpu.correctness.poisoned():
        assert torch.empty(5).isnan().all()
        assert (torch.empty(5, dtype=torch.int64) == torch.iinfo(torch.int64).max).all()
    assert not torch.are_deterministic_algorithms_enabled()


def test_operators_are_timed_beside_their_peers(gpu: argparse.Namespace, context: Any) -> None:
    case = case_named(gpu, "pairwise_iou/2000x1000")
    ours, theirs = gpu.timing.measure(case, torch.float32, context, bandwidth=1e9)
    moved = (40 * 4 + 30 * 4 + 40 * 30) * 4
    assert ours["floor_us"] == pytest.approx(moved / 1e9 * 1e6)
    assert ours["of_floor"] == pytest.approx(ours["floor_us"] / ours["device_us"])
    assert theirs["side"] == "torchvision"
    assert theirs["ratio"] == pytest.approx(theirs["device_us"] / ours["device_us"])


def test_a_peer_that_cannot_is_told_of(gpu: argparse.Namespace, context: Any) -> None:
    def refuse(values: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError("not today")

    case = gpu.case.Case(
        "one/3", lambda seed, dtype, size: (torch.ones(3),), torch.neg, {"peer": refuse}
    )
    ours, theirs = gpu.timing.measure(case, torch.float32, context, bandwidth=1e9)
    assert ours["device_us"] > 0
    assert theirs["failed"] == "NotImplementedError: not today" and "ratio" not in theirs


def test_the_sanitizer_s_summary_is_read(gpu: argparse.Namespace) -> None:
    text = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 2 errors\n"
    assert gpu.sanitizer.summary(text) == "2 errors"
    assert gpu.sanitizer.summary("===== RACECHECK SUMMARY: 0 hazards displayed") == (
        "0 hazards displayed"
    )
    assert gpu.sanitizer.summary("") == "it said nothing"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_exits_with_4(repository: Path) -> None:
    script = repository / "benchmarks" / "gpu.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 4 and done.stdout == ""
    assert done.stderr.startswith("no GPU run: ") and len(done.stderr.splitlines()) == 1


def test_models_are_built_without_what_the_suite_depends_on(repository: Path) -> None:
    """Neither the suite's dependencies nor its own installation are seen."""
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path

        sys.path[:0] = sys.argv[1].split(":")
        import gpu_sections.imports as imports

        imports.missing = lambda: imports.DISPENSABLE
        imports.entry_points = lambda **wanted: ()
        sys.meta_path.insert(0, imports._AbsentPackages())
        imports.allow_missing(Path(sys.argv[2]))
        from benchsuite.plugins import registry
        assert registry().losses and registry().models, registry().failures
        from benchsuite_plugins.models import mask_rcnn, retinanet
        try:
            import pyarrow
            pyarrow.table({})
        except ImportError as error:
            print(error)
        """
    )
    folders = [repository / name for name in ("benchmarks", ".", "kernels", "plugins", "zoo")]
    done = subprocess.run(
        [sys.executable, "-c", code, ":".join(map(str, folders)), str(repository)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "pyarrow is not installed, and table was called"
