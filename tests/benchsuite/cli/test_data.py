"""``benchsuite data`` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.cli.main import main
from benchsuite.protocols import FetchRequest


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[FetchRequest]:
    """What COCO's fetch is asked for, instead of fetching."""
    asked: list[FetchRequest] = []
    monkeypatch.setattr("benchsuite_plugins.datasets.coco_download.fetch", asked.append)
    for variable in ("BENCHSUITE_DATASETS", "DETECTRON2_DATASETS"):
        monkeypatch.delenv(variable, raising=False)
    return asked


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (["coco"], FetchRequest(("val2017",), Path("datasets"))),
        (["coco", "--split", "all"], FetchRequest((), Path("datasets"))),
        (
            ["coco", "--split", "train2014", "--split", "val2014", "--root", "/d", "--yes"],
            FetchRequest(("train2014", "val2014"), Path("/d"), yes=True),
        ),
        (["coco/train2017"], FetchRequest(("train2017",), Path("datasets"))),
    ],
)
def test_fetch(fetched: list[FetchRequest], arguments: list[str], request_: FetchRequest) -> None:
    assert main(["data", "fetch", *arguments]) == 0
    assert fetched == [request_]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cocoo"], "did you mean coco"),
        (["coco", "--split", "val2071"], "did you mean val2017"),
        (["shapes"], "nothing to fetch"),
    ],
)
def test_fetch_refuses(
    fetched: list[FetchRequest],
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["data", "fetch", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert fetched == []


def test_an_interrupted_fetch_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(request: FetchRequest) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchsuite_plugins.datasets.coco_download.fetch", interrupt)
    assert main(["data", "fetch", "coco"]) == 130
    assert "goes on from there" in capsys.readouterr().err


def test_verify(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data / "coco_4_photos"
    arguments = ["data", "verify", str(folder / "test_coco.json"), "--images", str(folder)]
    assert main(arguments) == 0
    assert "4 images, 14 annotations" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and found["n_images_ok"] == 4 and found["problems"] == []


def test_verify_exits_1_where_something_is_wrong(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data / "coco_4_photos"
    content = json.loads((folder / "test_coco.json").read_text())
    content["images"][0]["width"] += 1
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(content))
    assert main(["data", "verify", str(changed), "--images", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "not ok" in out and f"image id {content['images'][0]['id']} " in out
    changed.write_text("{")
    assert main(["data", "verify", str(changed), "--json"]) == 1
    assert not json.loads(capsys.readouterr().out)["ok"]


def test_a_dataset_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCHSUITE_DATASETS", str(tmp_path))
    assert main(["data", "verify", "coco"]) == 4
    error = capsys.readouterr().err
    assert str(tmp_path / "coco" / "annotations" / "instances_val2017.json") in error
    assert "benchsuite data fetch coco --split val2017" in error
    assert main(["data", "info", "coco", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert not summary["present"] and summary["can_be_fetched"]
    assert summary["licence"] == "CC-BY-4.0" and "train2017" in summary["splits"]
    assert main(["data", "info", str(tmp_path / "gone.json")]) == 4


def test_info(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shared_data / "coco_val2014_100" / "instances_val2014_100.json"
    assert main(["data", "info", str(file), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    annotations = json.loads(file.read_text())["annotations"]
    assert (summary["n_images"], summary["n_annotations"]) == (100, len(annotations))
    assert len(summary["categories"]) == 80
    assert sum(each["n_annotations"] for each in summary["categories"]) == len(annotations)
    assert main(["data", "info", str(file)]) == 0
    assert "1 person" in capsys.readouterr().out


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("fetch", "verify", "info"):
        assert main(["data", verb, "--help"]) == 0
        assert f"  benchsuite data {verb} coco" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from benchsuite.cli.main import main; main(['data', 'fetch', '--help']); "
        "heavy = {'torch', 'numpy', 'pyarrow', 'requests', 'rich', 'pydantic'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
