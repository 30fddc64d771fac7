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

import benchsuite_kernels
import benchsuite_plugins
import pytest
from benchsuite_plugins.datasets.shapes.options import ShapesOptions
from benchsuite_plugins.datasets.shapes.split import GENERATOR, Hashes, split_hashes

import benchsuite

EXPECTED_GENERATOR = "1"
VAL = Hashes(
    pixels="894ae40131d05112450f6ac20168d3437eeae9ef2f6f46efe806b63f0965dfce",
    annotations="17431d5aa847adf45190df36a195e7294c2e16fb117649d8e779740b90044910",
    maps="5991c0f15646dad4a481e660b3432c6e85fdc6a515d6f0c12894481bec57420d",
)
TRAIN = Hashes(
    pixels="d647e7dfa05f7394b88afb936f6d4b55dedebcaea6e78eaf53067b4cdf00e18b",
    annotations="52754e6fed4d2c35b60aa880c4031f9c70134ec8307a65b9b1bba4ec415ea89c",
    maps="98d96630ec2ea0226e19000f8b6b2ee5f64e6b282cfcf1ea91ee57a44c4a2f09",
)


def test_val_as_written(val: Path) -> None:
    assert GENERATOR == EXPECTED_GENERATOR
    manifest = json.loads((val / "manifest.json").read_bytes())
    assert Hashes(**manifest["hashes"]) == VAL


def test_train() -> None:
    assert split_hashes(ShapesOptions(), "train") == TRAIN


def test_a_seed_a_size_and_a_split_are_other_pictures() -> None:
    small = [
        split_hashes(ShapesOptions(1, size, seed), split)
        for size, seed, split in ((64, 0, "val"), (64, 1, "val"), (65, 0, "val"), (64, 0, "train"))
    ]
    assert len({hashes.pixels for hashes in small}) == 4


def test_the_first_images_do_not_depend_on_the_count(tmp_path: Path, val: Path) -> None:
    from benchsuite_plugins.datasets.shapes.split import write_split
    from PIL import Image

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
