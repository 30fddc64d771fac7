"""``benchsuite bench``, and the options of execution, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import benchsuite_kernels
from benchsuite.cli.main import main

SMALL = ["--dataset", "shapes", "--threads", "1", "--warmup", "1", "dataset.count=3"]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_every_stage_is_measured_and_nothing_stored(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "--model", "mask_rcnn", *SMALL, "--batch-size", "2", "--json"]) == 0
    measured = told(capsys)
    assert measured["n_images"] == 3
    assert set(measured["stages_ms"]) == {"load", "preprocess", "model", "postprocess", "latency"}
    for times in measured["stages_ms"].values():
        assert 0 < times["p50"] <= times["p95"]
    assert measured["images_per_second"] > 0
    assert measured["overlapped_images_per_second"] > 0
    assert measured["first_ms"] > 0
    assert measured["peak_memory_mib"] > 100
    assert "roi_align" in measured["kernels"]
    assert (measured["precision"], measured["compile"]) == ("fp32", False)
    assert not (tmp_path / "results").exists()


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--model", "retinanet", *SMALL, "--limit", "1", "--precision", "bf16"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for part in ("1 images · cpu, 1 threads · bf16 · batch 1", "p95", "overlapped", "MiB"):
        assert part in shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--limit", "0"], 2, "--limit must be at least 1"),
        (["--batch-size", "0"], 2, "--batch-size must be at least 1"),
        (["--precision", "int8"], 2, "'int8' is not one of"),
        (["--precision", "fp16"], 2, "fp16 needs a CUDA device"),
        (["--cuda-graph"], 2, "--cuda-graph needs a CUDA device"),
        (["--device", "cuda:7"], 2, "cuda:7"),
        (["--dataset", "shapse"], 2, "did you mean shapes"),
    ],
)
def test_bad_input(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert main(["bench", "--model", "mask_rcnn", *SMALL, "--device", "cpu", *arguments]) == code
    assert message in capsys.readouterr().err


def test_execution_is_part_of_a_result(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = []
    for options in ([], ["--precision", "bf16"], ["--no-channels-last"], []):
        run = ["run", "--model", "retinanet", *SMALL, "--limit", "1", *options, "--json"]
        assert main([*run, "--out", str(tmp_path / "store")]) == 0
        found.append(told(capsys))
    assert len({each["result_id"] for each in found}) == 3
    assert found[0]["result_id"] == found[3]["result_id"]
    assert found[0]["metrics"] == found[3]["metrics"]
    options = ("precision", "compile", "channels_last", "cuda_graph")
    assert [tuple(each[name] for name in options) for each in found[:3]] == [
        ("fp32", False, None, False),
        ("bf16", False, None, False),
        ("fp32", False, False, False),
    ]
    assert all(each["overlapped_images_per_second"] > 0 for each in found)


def test_missing_kernels_are_an_error_before_anything_is_predicted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(benchsuite_kernels, "why_reference", lambda: "there is no compiler")
    run = ["run", "--model", "retinanet", *SMALL, "--require-kernels"]
    assert main([*run, "--out", str(tmp_path / "store")]) == 1
    assert "--require-kernels: there is no compiler" in capsys.readouterr().err
