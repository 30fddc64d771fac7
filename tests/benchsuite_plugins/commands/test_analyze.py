"""``benchsuite analyze``, of files and of stored runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchsuite.cli.main import main

Case = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Truth and predictions: a cat found, a dog taken for a cat, something where nothing is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCHSUITE_DATASETS", raising=False)
    boxes = {"cat": [10, 10, 40, 40], "dog": [80, 80, 30, 30], "nothing": [10, 100, 20, 20]}
    square = {
        name: [[x, y, x + w, y, x + w, y + h, x, y + h]] for name, (x, y, w, h) in boxes.items()
    }
    truth = {
        "images": [{"id": 1, "width": 160, "height": 160, "file_name": "a.jpg"}],
        "annotations": [
            {
                "id": number,
                "image_id": 1,
                "category_id": number,
                "bbox": boxes[name],
                "segmentation": square[name],
                "area": 1000,
                "iscrowd": 0,
            }
            for number, name in enumerate(("cat", "dog"), 1)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    results = [
        {"image_id": 1, "category_id": 1, "bbox": boxes[name], "score": score}
        for name, score in (("cat", 0.9), ("dog", 0.8), ("nothing", 0.35))
    ]
    Path("truth.json").write_text(json.dumps(truth))
    Path("found.json").write_text(json.dumps(results))
    return "truth.json", "found.json"


def analyzed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["analyze", *arguments, "--json"]) == 0, capsys.readouterr().err
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["analyze", *arguments])
    return code, capsys.readouterr().err.strip().splitlines()[-1]


def test_of_files(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    told = analyzed(capsys, "--dataset", files[0], "--predictions", files[1])
    assert (told["name"], told["dataset"], told["task"]) == ("found", "truth", "bbox")
    assert told["metrics"]["bbox/AP50"] == pytest.approx(told["ap"]) == pytest.approx(0.5)
    counts = {name: error["count"] for name, error in told["errors"].items()}
    assert counts == {
        "Cls": 1,
        "Loc": 0,
        "Both": 0,
        "Dupe": 0,
        "Bkg": 1,
        "Miss": 0,
        "FalsePos": None,
        "FalseNeg": None,
    }
    assert told["errors"]["Cls"]["delta_ap"] == pytest.approx(0.5)
    assert told["confusion"] == {
        "right": 1,
        "confused": 1,
        "missed": 0,
        "background": 1,
        "pairs": [{"truth": "dog", "predicted": "cat", "count": 1, "share": 1}],
    }


def test_where_f1_is_best(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """At 0.9 the cat is found, the dog is not, and nothing is wrong: F1 is 2 / (2 + 0 + 1)."""
    found = analyzed(capsys, "--dataset", files[0], "--predictions", files[1])["f1"]
    assert found["together"] == {
        "score": 0.9,
        "f1": pytest.approx(2 / 3),
        "precision": 1,
        "recall": 0.5,
    }
    assert found["per_class"] == [
        {"category": "cat", "score": 0.9, "f1": 1, "precision": 1, "recall": 1},
        {"category": "dog", "score": None, "f1": 0, "precision": None, "recall": 0},
    ]


def test_thresholds(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    told = analyzed(
        capsys, "--dataset", files[0], "--predictions", files[1], "--score", "0.85", "--iou", "0.75"
    )
    assert (told["iou"], told["score"]) == (0.75, 0.85)
    assert (told["confusion"]["confused"], told["confusion"]["missed"]) == (0, 1)


def test_what_is_on_the_screen(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--dataset", files[0], "--predictions", files[1]]) == 0
    shown = capsys.readouterr().out
    assert "AP 50.00 at an IoU of 0.5" in shown
    assert "scored 0.3 or more: 1 right, 1 confused, 0 missed, 1 where nothing is" in shown
    assert "F1 is best, 66.67, at a score of 0.900: precision 100.00, recall 50.00" in shown
    (dog,) = [line for line in shown.splitlines() if line.startswith("dog")]
    assert dog.split() == ["dog", "cat", "1", "100.0", "%"]


def test_page_and_tables(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    told = analyzed(
        capsys,
        *("--dataset", files[0], "--predictions", files[1]),
        *("--page", "deep/er/page.html", "--tables", "tables"),
    )
    assert "dog taken for cat" in Path(told["page"]).read_text(encoding="utf-8")
    tables = {Path(path).stem: pq.read_table(path) for path in told["tables"]}
    assert set(tables) == {"errors", "errors_per_class", "confusion", "overlaps", "f1_thresholds"}
    assert tables["f1_thresholds"]["category_id"].to_pylist() == [1, 2, None]
    assert sorted(tables["errors"]["error"].to_pylist()) == ["Bkg", "Cls"]
    assert tables["confusion"]["count"].to_pylist() == [1, 1, 1]
    assert tables["overlaps"].num_rows == 2


def test_of_a_stored_run(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "eval",
        "--dataset",
        files[0],
        "--predictions",
        files[1],
        "--task",
        "bbox",
        "--json",
    ]
    assert main(arguments) == 0
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    of_files = analyzed(capsys, "--dataset", files[0], "--predictions", files[1])
    of_run = analyzed(capsys, run_id[:-2], "--dataset", files[0])
    assert {**of_run, "name": "", "dataset": ""} == {**of_files, "name": "", "dataset": ""}

    code, message = failed(capsys, run_id)
    assert code == 2
    assert "was scored on 'truth'; if that was a file, say where it is with --dataset" in message
    other = json.loads(Path(files[0]).read_text())
    other["annotations"].pop()
    Path("other.json").write_text(json.dumps(other))
    code, message = failed(capsys, run_id, "--dataset", "other.json")
    assert code == 1
    assert "are not those that run" in message


def test_by_federated_rules(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    truth = json.loads(Path(files[0]).read_text())
    truth["images"][0] |= {"neg_category_ids": [], "not_exhaustive_category_ids": [1]}
    Path("lvis.json").write_text(json.dumps(truth))
    arguments = ("--dataset", "lvis.json", "--predictions", files[1], "--task", "lvis-bbox")
    told = analyzed(capsys, *arguments)
    assert "lvis-bbox/APr" in told["metrics"]
    # Cats are not annotated exhaustively: one where nothing is may be one.
    assert told["confusion"]["background"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give either a run's id, or --dataset and --predictions"),
        (("--predictions", "found.json"), 2, "what the truth is"),
        (("nothing", "--results", "no_store"), 4, "there is no store no_store"),
        (("--task", "keypoints"), 2, "only boxes and masks are analysed"),
        (("--iou", "0.33"), 2, "nothing was matched in all areas at an IoU of 0.33"),
        (("--background", "0.6"), 2, "to less than 0.5; it is 0.6"),
        (("--page", "truth.json/page.html"), 1, "truth.json/page.html cannot be written"),
    ],
)
def test_what_cannot_be_analysed(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    files: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if arguments and arguments[0].startswith("--") and arguments[0] != "--predictions":
        arguments = ("--dataset", files[0], "--predictions", files[1], *arguments)
    found, told = failed(capsys, *arguments)
    assert found == code
    assert message in told


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--help"]) == 0
    assert "benchsuite analyze --dataset instances_val2017.json" in capsys.readouterr().out
