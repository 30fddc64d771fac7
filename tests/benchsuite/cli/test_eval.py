"""``benchsuite eval`` from the outside: what it prints, stores and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchsuite.cli.main import main

TRUTH = {
    "images": [
        {"id": 7, "file_name": "a.png", "width": 100, "height": 80},
        {"id": 3, "file_name": "b.png", "width": 100, "height": 80},
        {"id": 9, "file_name": "c.png", "width": 100, "height": 80},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 2, "bbox": [0, 0, 40, 40], "area": 1600},
        {"id": 2, "image_id": 3, "category_id": 2, "bbox": [10, 10, 20, 20], "area": 400},
        {"id": 3, "image_id": 3, "category_id": 5, "bbox": [50, 10, 20, 20], "area": 400},
    ],
    "categories": [{"id": 2, "name": "cat"}, {"id": 5, "name": "dog"}],
}
PERFECT = [
    {"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"], "score": 0.5}
    for a in TRUTH["annotations"]
]


@pytest.fixture
def files(tmp_path):
    """Writes truth and predictions; returns the arguments that name them."""

    def write(predictions, truth=TRUTH):
        (tmp_path / "truth.json").write_text(json.dumps(truth))
        (tmp_path / "found.json").write_text(json.dumps(predictions))
        return [
            "eval",
            *("--dataset", str(tmp_path / "truth.json")),
            *("--predictions", str(tmp_path / "found.json")),
            *("--out", str(tmp_path / "results")),
        ]

    return write


def outcome(capsys):
    return json.loads(capsys.readouterr().out)


def test_perfect_predictions_score_one_and_are_stored_with_their_matches(files, capsys, tmp_path):
    assert main([*files(PERFECT), "--task", "bbox", "--json"]) == 0
    told = outcome(capsys)
    assert told["metrics"]["bbox/AP"] == told["metrics"]["bbox/AR100"] == 1
    assert told["n_images"] == 3 and told["n_predictions"] == 3 and told["report"] is None
    stored = pq.read_table(told["results"])
    assert dict(zip(stored["name"].to_pylist(), stored["value"].to_pylist())) == told["metrics"]
    matches = list((tmp_path / "results" / "matches_coco_bbox").glob("*.parquet"))
    assert [path.stem for path in matches] == [told["run_id"]]


def test_an_empty_list_of_predictions_is_ap_0(files, capsys):
    assert main([*files([]), "--task", "bbox", "--json"]) == 0
    assert outcome(capsys)["metrics"]["bbox/AP"] == 0


def test_the_page_is_drawn_when_asked_for(files, capsys):
    assert main([*files(PERFECT), "--task", "bbox", "--json", "--page", "--ci"]) == 0
    told = outcome(capsys)
    assert "95% interval" in Path(told["report"]).read_text(encoding="utf-8")


def many_images():
    """Truth of forty images with one object each, every third of which is missed."""
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 80} for i in range(40)]
    annotations = [
        {"id": i + 1, "image_id": i, "category_id": 2, "bbox": [5, 5, 20, 30], "area": 600}
        for i in range(40)
    ]
    found = [
        {"image_id": i, "category_id": 2, "bbox": [5, 5 + 20 * (i % 3 == 0), 20, 30], "score": 0.5}
        for i in range(40)
    ]
    return {**TRUTH, "images": images, "annotations": annotations}, found


def test_intervals_are_told_and_stored(files, capsys):
    truth, found = many_images()
    arguments = [
        *files(found, truth),
        *("--task", "bbox", "--ci", "--replicates", "200", "--json"),
    ]
    assert main(arguments) == 0
    first = outcome(capsys)
    interval = first["intervals"]["bbox/AP"]
    assert interval["low"] < first["metrics"]["bbox/AP"] < interval["high"]
    assert interval["replicates"] == 200 and interval["seed"] == 0
    stored = pq.read_table(first["results"]).to_pylist()
    ap = next(row for row in stored if row["name"] == "bbox/AP")
    assert (ap["ci_low"], ap["ci_high"]) == (interval["low"], interval["high"])
    assert main(arguments) == 0
    assert outcome(capsys)["intervals"] == first["intervals"]


def test_comparing_two_results_and_gating_on_it(files, capsys, tmp_path):
    truth, found = many_images()
    run_ids = []
    for predictions in (found, [each for each in found if each["image_id"] % 2]):
        assert main([*files(predictions, truth), "--task", "bbox", "--json"]) == 0
        run_ids.append(outcome(capsys)["run_id"])
    compare = ["compare", *run_ids, "--results", str(tmp_path / "results")]
    assert main([*compare, "--json"]) == 0
    told = outcome(capsys)
    assert told["values"]["bbox/AP"]["value"] < 0 and told["worse"] == ["bbox/AP"]
    assert main([*compare, "--gate"]) == 3
    assert "worse in bbox/AP" in capsys.readouterr().err
    assert main(["compare", run_ids[1], run_ids[0], *compare[3:], "--gate"]) == 0
    assert main(["compare", run_ids[0], "20", *compare[3:]]) == 2
    other = json.loads(json.dumps(truth))
    other["annotations"][0]["area"] = 601
    capsys.readouterr()
    assert main([*files(found, other), "--task", "bbox", "--json"]) == 0
    strange = outcome(capsys)["run_id"]
    assert main(["compare", run_ids[0], strange, *compare[3:]]) == 1
    assert "annotations" in capsys.readouterr().err


def test_the_official_scorer_says_the_same(files, capsys):
    arguments = files([*PERFECT, {**PERFECT[0], "score": 0.7, "bbox": [1, 1, 30, 41]}])
    assert main([*arguments, "--task", "bbox", "--json"]) == 0
    ours = outcome(capsys)
    assert main([*arguments, "--task", "bbox", "--json", "--scorer", "official"]) == 0
    theirs = outcome(capsys)
    assert ours["metrics"] == theirs["metrics"]
    assert "pycocotools" in theirs["evaluators"]["coco_bbox"]
    assert ours["result_id"] != theirs["result_id"]
    assert main([*arguments, "--task", "bbox", "--scorer", "both"]) == 0
    assert "all 12 values equal" in capsys.readouterr().err


def test_options_of_the_metric(files, capsys):
    arguments = [*files(PERFECT), "--task", "bbox", "--json"]
    assert main([*arguments, "metric.iou_thresholds=[0.5]"]) == 0
    assert outcome(capsys)["metrics"]["bbox/AP50"] == 1
    assert main([*arguments, "metric.iou_threshold=[0.5]"]) == 2
    assert "did you mean iou_thresholds" in capsys.readouterr().err


def test_slices_are_scored_apart(files, capsys, tmp_path):
    table = tmp_path / "attributes.csv"
    table.write_text("file_name,weather,camera\na.png,rain,1\nb.png,sun,1\nc.png,sun,2\n")
    found = [PERFECT[0], PERFECT[1]]
    assert main([*files(found), "--task", "bbox", "--slices", str(table), "--json"]) == 0
    slices = outcome(capsys)["slices"]
    assert slices["weather"]["rain"]["metrics"]["bbox/AP"] == pytest.approx(1)
    assert slices["weather"]["sun"]["metrics"]["bbox/AP"] == pytest.approx(0.5)
    assert slices["weather"]["sun"]["n_images"] == 2
    assert slices["camera"]["2"]["metrics"]["bbox/AP"] == -1
    stored = list((tmp_path / "results" / "slices").glob("*.parquet"))
    assert pq.read_table(stored[0]).num_rows == 4 * 12


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name,weather\na.png,rain\n", "neither a column"),
        ("file_name,weather\nd.png,rain\n", "row 1"),
        ("image_id,weather\n7,rain\n7,sun\n", "second time"),
        ("image_id,weather\n7,rain,1\n", "attributes.csv"),
    ],
)
def test_a_table_of_attributes_that_does_not_fit(files, capsys, tmp_path, table, said):
    path = tmp_path / "attributes.csv"
    path.write_text(table)
    assert main([*files(PERFECT), "--task", "bbox", "--slices", str(path)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_id": 8}, "image_id 8"),
        ({"category_id": 4}, "category_id 4"),
        ({"score": float("nan")}, "score"),
        ({"bbox": [0, 0, -1, 4]}, "negative"),
    ],
)
def test_what_cannot_be_scored_names_file_and_record(files, capsys, tmp_path, change, said):
    arguments = files([PERFECT[0], {**PERFECT[1], **change}])
    assert main([*arguments, "--task", "bbox"]) == 1
    error = capsys.readouterr().err
    assert "found.json" in error and "detections[1]" in error and said in error
    assert not list((tmp_path / "results").rglob("*.parquet"))


@pytest.mark.parametrize(
    "change", [{"category_id": 4}, {"score": float("nan")}, {"bbox": [0, 0, -1, 4]}]
)
def test_leniency_gives_the_official_result_and_counts(files, capsys, change):
    arguments = [
        *files([PERFECT[0], {**PERFECT[1], **change}, PERFECT[2]]),
        *("--task", "bbox", "--lenient", "--json"),
    ]
    assert main([*arguments, "--scorer", "both"]) == 0
    told = outcome(capsys)
    assert any("1 " in warning and "found.json" in warning for warning in told["warnings"])


def test_a_truth_with_id_0_is_warned_of(files, capsys):
    truth = json.loads(json.dumps(TRUTH))
    truth["annotations"][0]["id"] = 0
    arguments = [*files(PERFECT, truth), "--task", "bbox", "--json", "--scorer", "both"]
    assert main(arguments) == 0
    told = outcome(capsys)
    assert told["metrics"]["bbox/AP"] < 1
    assert any("id 0" in warning for warning in told["warnings"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--task", "bbx"], 2, "did you mean bbox"),
        (["--task", "panoptic"], 2, "no truth for 'panoptic'"),
        (["--task", "bbox", "--scorer", "official", "--ci"], 2, "--scorer both"),
        (["--task", "bbox", "--metric", "coco_segm"], 2, "gives segm values"),
    ],
)
def test_mistakes(files, capsys, arguments, code, said):
    assert main([*files(PERFECT), *arguments]) == code
    assert said in capsys.readouterr().err


def test_predictions_that_are_not_there(files, capsys):
    arguments = files(PERFECT)
    arguments[arguments.index("--predictions") + 1] += ".nowhere"
    assert main([*arguments, "--task", "bbox"]) == 4
    assert "nowhere" in capsys.readouterr().err
