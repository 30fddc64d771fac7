"""Results in Cityscapes' formats: read, written, and what is said where they are malformed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

from benchsuite.errors import ContractError, DataMissingError, InputError
from benchsuite.formats import recognise
from benchsuite.protocols import PredictionsRequest, TruthRequest, WriteRequest
from benchsuite.records import ImageRecord
from benchsuite_kernels.columns import rle
from benchsuite_plugins.datasets.cityscapes.labels import CATEGORIES
from benchsuite_plugins.formats import recognition
from benchsuite_plugins.formats.cityscapes import (
    read_predictions,
    read_truth,
    write_predictions,
)

Writer = Callable[..., Path]

NAMES = ("frankfurt_000000_000294", "munster_000001_000019")
RECORDS = tuple(
    ImageRecord(number, f"{name.partition('_')[0]}/{name}_leftImg8bit.png", 20, 12)
    for number, name in enumerate(NAMES, start=1)
)


def request(path: Path, task: str = "segm", images: Any = RECORDS) -> PredictionsRequest:
    return PredictionsRequest(path, images=images, categories=CATEGORIES, task=task)


def left_half() -> np.ndarray:
    mask = np.zeros((12, 20), bool)
    mask[2:9, :7] = True
    return mask


def write(folder: Path, texts: dict[str, str], masks: dict[str, PIL.Image.Image]) -> Path:
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    for name, mask in masks.items():
        (folder / name).parent.mkdir(exist_ok=True)
        mask.save(folder / name)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Masks as programs write them: black and white, grey, a palette, colours."""
    mask = left_half()
    painted = np.where(mask, 200, 0).astype(np.uint8)
    palette = PIL.Image.fromarray(mask.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 90, 90, 90])
    masks = {
        "m/grey.png": PIL.Image.fromarray(painted),
        "m/bits.png": PIL.Image.fromarray(mask),
        "m/palette.png": palette,
        "m/colour.png": PIL.Image.fromarray(np.stack([painted] * 3, axis=-1)),
        "m/ones.png": PIL.Image.fromarray(mask.astype(np.uint8)),
        "m/photo.bmp": PIL.Image.fromarray(painted),
    }
    text = "".join(f"{name} 26 0.5\n" for name in masks)
    texts = {
        f"{NAMES[0]}_pred.txt": text,
        f"{NAMES[1]}_leftImg8bit.txt": "m/grey.png 24.0 1e-3\nm/bits.png 29 0.25",
    }
    return write(tmp_path / "results", texts, masks)


def test_masks_of_all_kinds(results: Path) -> None:
    found = read_predictions(request(results))
    rows = found.instances.to_pylist()
    assert [row["prediction"] for row in rows] == list(range(8))
    assert [row["image_id"] for row in rows] == [1] * 6 + [2] * 2
    assert [row["category_id"] for row in rows] == [26] * 6 + [24, 29]
    assert [row["score"] for row in rows] == [0.5] * 6 + [0.001, 0.25]
    for row in rows:
        mask = rle.decode(row["segmentation"]["counts"], tuple(row["segmentation"]["size"]))
        np.testing.assert_array_equal(mask, left_half())
    assert found.images["n_instances"].to_pylist() == [6, 2]
    assert found.images["image_id"].to_pylist() == [1, 2]


def test_of_lines_that_name_the_same_mask_the_last_is_meant(tmp_path: Path) -> None:
    mask = PIL.Image.fromarray(left_half())
    lines = "a.png 24 0.1\nb.png 25 0.2\n./a.png 26 0.3\n"
    texts = {f"{NAMES[0]}.txt": lines, f"{NAMES[1]}.txt": ""}
    folder = write(tmp_path / "twice", texts, {"a.png": mask, "b.png": mask})
    rows = read_predictions(request(folder)).instances.to_pylist()
    found = [(row["category_id"], row["score"]) for row in rows]
    assert found == [(26, 0.3), (25, 0.2)]
    from benchsuite_plugins.metrics.cityscapes.official_script import load_script

    script = load_script("evalInstanceLevelSemanticLabeling")
    script.args.predictionPath = str(folder)
    official = script.readPredInfo(str(folder / f"{NAMES[0]}.txt"), script.args)
    assert [(each["labelID"], each["conf"]) for each in official.values()] == found


def test_written_and_read_again(results: Path, tmp_path: Path) -> None:
    found = read_predictions(request(results))
    target = tmp_path / "written"
    order = WriteRequest(target, categories=CATEGORIES, task="segm")
    assert write_predictions(found, order) == {}
    again = read_predictions(request(target))
    assert again.instances.equals(found.instances)
    assert again.images.equals(found.images)
    one = found.instances.take(pa.array([7]))
    target = tmp_path / "one"
    write_predictions(replace(found, instances=one), replace(order, path=target))
    # An image without predictions has a file too: the evaluation asks for one.
    assert (target / f"{NAMES[0]}.txt").read_text() == ""
    assert (
        recognition.cityscapes(target)
        and recognise(target, "read_predictions").name == "cityscapes"
    )


def test_what_cannot_be_written(results: Path, tmp_path: Path) -> None:
    found = read_predictions(request(results))
    order = WriteRequest(tmp_path / "out", categories=CATEGORIES, task="segm")
    rows = found.instances.to_pylist()
    rows[0]["segmentation"] = None
    unmasked = pa.Table.from_pylist(rows, found.instances.schema)
    with pytest.raises(ContractError, match="image id 1 has no mask"):
        write_predictions(replace(found, instances=unmasked), order)
    rows = found.images.to_pylist()
    rows[0]["file_name"] = "000000000139.jpg"
    images = pa.Table.from_pylist(rows, found.images.schema)
    with pytest.raises(InputError, match=r"image id 1: its file_name '0+139.jpg' does not begin"):
        write_predictions(replace(found, images=images), order)
    with pytest.raises(ContractError, match="image id 1 has no semantic map"):
        write_predictions(found, replace(order, path=tmp_path / "maps", task="semantic"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("m/grey.png 26", r"line 2: is 'm/grey.png 26', not 'mask.png labelId"),
        ("m/grey.png  26 0.5", "line 2: is 'm/grey.png  26 0.5', not"),
        ("", "line 2: is '', not"),
        ("/m/grey.png 26 0.5", "line 2: names the mask '/m/grey.png', which is not a path below"),
        ("../grey.png 26 0.5", "line 2: names the mask '../grey.png', which is not"),
        ("m/grey.png car 0.5", "line 2: 'car' is no label id or '0.5' no number"),
        ("m/grey.png 26 high", "line 2: '26' is no label id or 'high' no number"),
        ("m/grey.png inf 0.5", "line 2: 'inf' is no label id"),
        ("m/grey.png 34 0.5", "line 2: 34 is no label id"),
        ("m/grey.png 26 nan", "line 2: the confidence is not a number"),
    ],
)
def test_malformed_lines_are_named(results: Path, line: str, problem: str) -> None:
    text = f"m/bits.png 26 0.5\n{line}\n"
    (results / f"{NAMES[0]}_pred.txt").write_text(text)
    with pytest.raises(InputError, match=rf"{NAMES[0]}_pred\.txt, {problem}"):
        read_predictions(request(results))


def test_masks_that_cannot_be_used_are_named(results: Path) -> None:
    text = results / f"{NAMES[0]}_pred.txt"
    mask = results / "m" / "grey.png"
    whole = mask.read_bytes()
    PIL.Image.fromarray(left_half()[:-1]).save(mask)
    with pytest.raises(InputError, match=rf"grey\.png, named by {text}, line 1: is of \(11, 20\)"):
        read_predictions(request(results))
    mask.write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"grey\.png: the mask is a (damaged|.*cut)"):
        read_predictions(request(results))
    mask.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"grey\.png: is no image"):
        read_predictions(request(results))
    mask.unlink()
    with pytest.raises(DataMissingError, match=rf"{text}, line 1: the mask .*grey\.png is not"):
        read_predictions(request(results))


def test_each_image_has_one_file(results: Path) -> None:
    (results / "deeper").mkdir()
    again = results / "deeper" / f"{NAMES[1]}_again.txt"
    again.write_text("")
    with pytest.raises(InputError, match=r"image id 2: holds .* and .*, of which only one"):
        read_predictions(request(results))
    again.unlink()
    (results / f"{NAMES[1]}_leftImg8bit.txt").unlink()
    with pytest.raises(InputError, match=rf"image id 2: holds no {NAMES[1]}\*\.txt\. An image in"):
        read_predictions(request(results))
    with pytest.raises(InputError, match=r"image id 3: its file_name 'a.png' does not begin"):
        read_predictions(request(results, images=[ImageRecord(3, "a.png", 1, 1)]))


def test_label_maps(tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    for name, label in zip(NAMES, (7, 26)):
        city = folder / name.partition("_")[0]
        city.mkdir(parents=True)
        pixels = np.full((12, 20), label, np.uint8)
        PIL.Image.fromarray(pixels).save(city / f"{name}_labelIds.png")
    found = read_predictions(request(folder, "semantic"))
    assert recognition.cityscapes(folder) and len(found.instances) == 0
    paths = [Path(path) for path in found.images["semantic_path"].to_pylist()]
    assert [path.name for path in paths] == [f"{name}_labelIds.png" for name in NAMES]
    target = tmp_path / "written"
    assert write_predictions(found, WriteRequest(target, categories=CATEGORIES)) == {}
    again = read_predictions(request(target, ""))
    for path, name in zip(again.images["semantic_path"].to_pylist(), NAMES):
        assert Path(path) == target / f"{name}.png"
        assert Path(path).read_bytes() == paths[NAMES.index(name)].read_bytes()


def test_truth_is_the_data_set(write_cityscapes: Writer) -> None:
    root = write_cityscapes({NAMES[0]: np.full((12, 20), 26000)})
    folder = root / "cityscapes"
    assert recognise(folder, "read_truth").name == "cityscapes"
    truth = read_truth(TruthRequest(folder))
    assert truth.instances["category_id"].to_pylist() == [26]
    semantic = read_truth(TruthRequest(folder, task="semantic", split="val"))
    assert semantic.images["semantic_path"].null_count == 0
    with pytest.raises(DataMissingError, match="gtFine/train is not there"):
        read_truth(TruthRequest(folder, split="train"))


def test_other_folders_are_not_taken_for_results(tmp_path: Path) -> None:
    assert not recognition.cityscapes(tmp_path)
    (tmp_path / "2008_000008.txt").write_text("")
    (tmp_path / "comp4_det_test_car.txt").write_text("")
    assert not recognition.cityscapes(tmp_path)
    assert not recognition.cityscapes(tmp_path / "2008_000008.txt")
