"""``benchsuite predict``: JSON and pictures of images of one's own."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest

from benchsuite.cli.main import main
from benchsuite.errors import InputError, UsageError
from benchsuite.prediction_files import PredictRequest, predict_files, read_image

MODEL = "mask_rcnn_R_18_FPN_shapes"


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(pixels).save(path)
    return path


def test_a_json_and_a_picture_an_image(image, tmp_path, capsys):
    out = tmp_path / "out"
    args = ["predict", MODEL, str(image), "--out", str(out), "--json", "--threads", "1"]
    args += ["--weights", "random"]
    assert main([*args, "model.roi_heads.score_thresh_test=0.0"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] == "random"
    [entry] = told["images"]
    body = json.loads((out / "photo.json").read_text())
    assert (body["width"], body["height"]) == (70, 50)
    assert len(body["instances"]) == entry["n_instances"] > 0
    first = body["instances"][0]
    assert set(first) == {"category_id", "category", "score", "bbox", "segmentation"}
    assert first["segmentation"]["size"] == [50, 70]
    x, y, w, h = first["bbox"]
    assert 0 <= x <= x + w <= 70
    assert 0 <= y <= y + h <= 50
    with PIL.Image.open(out / "photo.png") as picture:
        assert picture.size == (70, 50)


def test_bad_input(image, tmp_path):
    out = ["--out", str(tmp_path / "out")]
    assert main(["predict", MODEL, str(tmp_path / "none.png"), *out]) == 4
    assert main(["predict", MODEL, *out]) == 2
    assert main(["predict", "mask_rnn", str(image), *out]) == 2
    text = tmp_path / "text.png"
    text.write_text("no image")
    assert main(["predict", MODEL, str(text), *out]) == 1
    with pytest.raises(InputError, match=r"text\.png"):
        read_image(text, 0)


def test_two_images_of_one_name_are_refused(tmp_path):
    images = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.jpg"]
    with pytest.raises(UsageError, match="both be written"):
        predict_files(PredictRequest(MODEL, images, tmp_path / "out"), print)


def test_exif_orientation_is_applied(tmp_path):
    path = tmp_path / "turned.jpg"
    image = PIL.Image.new("RGB", (30, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    assert read_image(path, 0).pixels.shape == (30, 20, 3)
