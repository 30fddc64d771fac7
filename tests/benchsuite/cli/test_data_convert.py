"""``benchsuite data convert``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchsuite.cli.main import main
from benchsuite.conversion import ConvertRequest, convert

COCO = {
    "images": [{"id": 12, "file_name": "000012.jpg", "width": 64, "height": 32}],
    "annotations": [
        {
            "id": 1,
            "image_id": 12,
            "category_id": 1,
            "bbox": [2, 4, 16, 8],
            "area": 128,
            "iscrowd": 0,
        }
    ],
    "categories": [{"id": 1, "name": "cat"}],
}
RESULTS = [{"image_id": 12, "category_id": 1, "bbox": [2, 4, 16, 8], "score": 0.5}]


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    (tmp_path / "truth.json").write_text(json.dumps(COCO))
    return tmp_path / "truth.json"


def test_there_and_back(truth: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["data", "convert", str(truth), str(tmp_path / "voc"), "--to", "voc"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'voc'}: voc, from coco",
        "  1 images, 1 instances",
    ]
    back = tmp_path / "back.json"
    names = tmp_path / "names.txt"
    names.write_text("cat\n")
    (tmp_path / "voc" / "classes.txt").unlink()
    args = [str(tmp_path / "voc"), str(back), "--from", "voc", "--to", "coco"]
    assert main(["data", "convert", *args, "--names", str(names), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "source_format": "voc",
        "target_format": "coco",
        "target": str(back),
        "n_images": 1,
        "n_instances": 1,
        "lost": {},
    }
    assert json.loads(back.read_text()) == COCO


@pytest.mark.parametrize("to", ["voc", "yolo", "dota"])
def test_predictions_there_and_back(truth: Path, tmp_path: Path, to: str) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps(RESULTS))
    dataset = str(truth)
    done = convert(ConvertRequest(results, tmp_path / "out", to=to, dataset=dataset))
    assert (done.source_format, done.n_images, done.n_instances) == ("coco", 1, 1)
    back = convert(
        ConvertRequest(tmp_path / "out", tmp_path / "b.json", "coco", dataset=dataset, task="bbox")
    )
    assert back.source_format == to
    assert json.loads((tmp_path / "b.json").read_text()) == RESULTS


def test_nothing_is_replaced_without_force(truth: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    (out / "Annotations").mkdir(parents=True)
    (out / "Annotations" / "000012.xml").write_text("mine")
    (out / "kept.txt").write_text("mine")
    command = ["data", "convert", str(truth), str(out), "--to", "voc"]
    assert main(command) == 2
    assert "is there already; --force" in capsys.readouterr().err
    assert (out / "Annotations" / "000012.xml").read_text() == "mine"
    assert main([*command, "--force"]) == 0
    assert "<annotation>" in (out / "Annotations" / "000012.xml").read_text()
    assert (out / "kept.txt").read_text() == "mine"
    assert (out / "ImageSets" / "Main" / "val.txt").read_text() == "000012\n"


def test_a_failure_leaves_nothing_behind(truth: Path, tmp_path: Path, capsys: Any) -> None:
    images = [{**COCO["images"][0], "id": 13}, *COCO["images"]]  # type: ignore[dict-item]
    truth.write_text(json.dumps({**COCO, "images": images}))
    assert main(["data", "convert", str(truth), str(tmp_path / "out"), "--to", "voc"]) == 1
    assert "would share a label file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [truth]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["gone.json", "out", "--to", "voc"], 4, "no file or folder gone.json"),
        (["{truth}", "out", "--to", "vok"], 2, "did you mean voc"),
        (["{truth}", "out", "--from", "yole", "--to", "voc"], 2, "did you mean yolo"),
        (["{folder}", "out", "--to", "voc"], 2, "looks like truth of none of the known formats"),
        (["{truth}", "no/where/out", "--to", "voc"], 4, "there is no folder"),
        (["{truth}", "out", "--to", "voc", "--names", "gone"], 4, "no file of class names"),
    ],
)
def test_what_cannot_be_converted(
    args: list[str], code: int, message: str, truth: Path, tmp_path: Path, capsys: Any, monkeypatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    filled = [each.format(truth=truth, folder=tmp_path / "empty") for each in args]
    assert main(["data", "convert", *filled]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
