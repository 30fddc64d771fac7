"""The default dataset is the same to the bit on every machine, Python and NumPy.

A change of these constants is a change of the dataset: numbers measured on it before cannot be
compared any more. Then ``GENERATOR`` must be counted up too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import benchsuite
import benchsuite_kernels
import benchsuite_plugins
from benchsuite_plugins.datasets.shapes.dataset import PUBLISHED_SHA256
from benchsuite_plugins.datasets.shapes.options import ShapesOptions
from benchsuite_plugins.datasets.shapes.split import GENERATOR, Hashes, split_hashes

EXPECTED_GENERATOR = "1"
VAL = Hashes(
    pixels="33b3cf5aa7549580b977afcde36584a8fc357b88421ec45f58b1d90bb216e375",
    annotations="39d43bc594a559e796a2ca59ef1c4cfd6adaebe1ab7a959600b40555398c1a91",
    maps="265fd8ab43dfdbd9f3db9c0e558641f8cfd89e2a7e35a06ab51c3fab52f0df6d",
)
TRAIN = Hashes(
    pixels="72762edeb18df14843a87e491165092f6445c470cb883752540c3617bd47108f",
    annotations="e2633ad7086dc02b654de017323eee7c7b60c484612abf10913529d8e744e631",
    maps="13e52d9c6513c3a87dce926868c4603a7c303c5e632b423087219659c4c86c05",
)


def test_val_as_written(val: Path) -> None:
    assert GENERATOR == EXPECTED_GENERATOR
    manifest = json.loads((val / "manifest.json").read_bytes())
    assert Hashes(**manifest["hashes"]) == VAL


def test_what_is_published_is_the_default() -> None:
    assert {"val": VAL.annotations, "train": TRAIN.annotations} == PUBLISHED_SHA256


@pytest.mark.full  # two thousand images, drawn by what draws the validation images
def test_train() -> None:
    assert split_hashes(ShapesOptions(), "train") == TRAIN


def test_a_seed_a_size_and_a_split_are_other_pictures() -> None:
    small = [
        split_hashes(ShapesOptions(1, size, seed), split)
        for size, seed, split in ((64, 0, "val"), (64, 1, "val"), (65, 0, "val"), (64, 0, "train"))
    ]
    assert len({hashes.pixels for hashes in small}) == 4


def test_the_first_images_do_not_depend_on_the_count(tmp_path: Path, val: Path) -> None:
    from PIL import Image

    from benchsuite_plugins.datasets.shapes.split import write_split

    write_split(tmp_path, ShapesOptions(count=2), "val", lambda _: None)
    for path in sorted((tmp_path / "images").iterdir()):
        with Image.open(path) as new, Image.open(val / "images" / path.name) as old:
            assert new.tobytes() == old.tobytes()


OTHERS = [path for path in os.environ.get("BENCHSUITE_OTHER_PYTHONS", "").split(os.pathsep) if path]


@pytest.mark.skipif(
    not OTHERS, reason="set BENCHSUITE_OTHER_PYTHONS to interpreters with numpy, pillow and pluggy"
)
@pytest.mark.parametrize("python", OTHERS)
def test_other_interpreters_agree(python: str) -> None:
    packages = (benchsuite, benchsuite_kernels, benchsuite_plugins)
    roots = dict.fromkeys(str(Path(package.__path__[0]).parent) for package in packages)
    command = ["-m", "benchsuite_plugins.datasets.shapes", "--hashes", "--count", "25"]
    answers = [
        subprocess.run(
            [interpreter, *command],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for interpreter in (sys.executable, python)
    ]
    assert answers[0] == answers[1] != ""
