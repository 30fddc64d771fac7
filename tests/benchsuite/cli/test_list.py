"""What ``benchsuite list`` shows, and what its filters let through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchsuite.cli.main import main


def rows(capsys: Any, *args: str) -> list[dict[str, Any]]:
    assert main(["list", *args, "--json"]) == 0
    listed: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return listed


def test_a_recipe_s_row(capsys: Any) -> None:
    [row] = [each for each in rows(capsys, "recipes") if each["name"] == "mask_rcnn_R_50_FPN_3x"]
    assert row["config"] == "configs/COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"
    assert (row["task"], row["tasks"]) == ("bbox", ["bbox", "segm"])
    assert (row["dataset"], row["model_id"]) == ("coco", "137849600")
    assert row["weights_url"].endswith("model_final_f10217.pkl")
    assert row["published"] == {"bbox/AP": 0.41, "segm/AP": 0.372}


def test_filters(capsys: Any) -> None:
    everything = rows(capsys, "recipes")
    keypoints = rows(capsys, "recipes", "--task", "keypoints")
    assert keypoints == [row for row in everything if "keypoints" in row["tasks"]] != []
    shapes = rows(capsys, "recipes", "--dataset", "shapes")
    assert shapes == [row for row in everything if row["dataset"] == "shapes"] != []
    assert rows(capsys, "recipes", "--dataset", "shapes", "--task", "proposals") == []
    assert all(row["task"] == "segm" for row in rows(capsys, "metrics", "--task", "segm"))
    assert rows(capsys, "metrics", "--task", "segm")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["recipes", "--task", "keypoint"], "did you mean keypoints"),
        (["recipes", "--dataset", "cocoo"], "did you mean coco"),
        (["models", "--dataset", "coco"], "benchsuite list recipes"),
        (["plugins", "--task", "bbox"], "benchsuite list models|datasets"),
        (["--task", "bbox"], "benchsuite list models|datasets"),
    ],
)
def test_filters_that_cannot_be_applied(args: list[str], message: str, capsys: Any) -> None:
    assert main(["list", *args]) == 2
    assert message in capsys.readouterr().err
