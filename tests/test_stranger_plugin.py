"""Somebody else's distribution, built and installed with pip, found and run like ours.

It is installed into a folder of its own that is put on ``PYTHONPATH``, so that the environment the
tests run in stays as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


def install(name: str, folder: Path) -> Path:
    """Build and install ``tests/plugins/<name>`` offline, from a copy (a build writes beside its
    sources)."""
    source = folder / "source"
    shutil.copytree(HERE / "plugins" / name, source)
    site = folder / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run(
        [*command, "--no-build-isolation", "--target", str(site), str(source)],
        check=True,
        capture_output=True,
        text=True,
    )
    return site


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Path:
    return install("stranger", tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def turning(tmp_path_factory) -> Path:
    return install("turning", tmp_path_factory.mktemp("turning"))


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> Path:
    return install("broken", tmp_path_factory.mktemp("broken"))


def benchsuite(*args: str, sites: list[Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "benchsuite", *args, sites=sites, cwd=cwd)


def python(*args: str, sites: list[Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(site) for site in sites] + [os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, *args],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_strangers_model_dataset_and_metric_run(stranger, tmp_path):
    done = benchsuite(
        "run", "--model", "brightest", "--dataset", "discs", "--json", "--threads", "1",
        sites=[stranger], cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["n_images"] == 16
    assert result["metrics"]["bbox/AP"] == pytest.approx(1.0, abs=1e-12)
    assert result["metrics"]["centre/hit_rate"] == 1.0
    assert Path(tmp_path, result["results"]).is_file()
    assert Path(tmp_path, result["report"]).is_file()


def test_a_strangers_plugin_is_listed_with_its_distribution(stranger, tmp_path):
    done = benchsuite("list", "--json", sites=[stranger], cwd=tmp_path)
    listed = json.loads(done.stdout)
    assert {"name": "brightest", "distribution": "benchsuite-discs"}.items() <= next(
        row for row in listed["models"] if row["name"] == "brightest"
    ).items()


TURN_A_DISC = """
import json
import numpy as np
from benchsuite.resolve import open_dataset
from benchsuite.training.augmentation.augmentation import build_augmentation
from benchsuite.training.data.training_set import TrainingSet

opened = open_dataset("discs")
example = TrainingSet(opened, opened.dataset.categories, tasks=("bbox",)).example(0)
turn = build_augmentation([{"type": "Turn", "quarters": 1}], tasks=("bbox",))
turned = turn(example, 0, lambda k: example)
y, x = np.nonzero(turned.image.pixels[..., 0] > 128)
around = [x.min(), y.min(), x.max() + 1, y.max() + 1]
print(json.dumps([np.array(around).tolist(), turned.target.boxes.tolist()]))
"""


def test_a_strangers_transform_turns_image_and_truth(stranger, turning, tmp_path):
    done = python("-c", TURN_A_DISC, sites=[stranger, turning], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    around, boxes = json.loads(done.stdout)
    # The disc of radius 4 about the pixel (12, 40) of 64 x 48: x becomes y, counted from the right.
    assert around == [36, 47, 45, 56]
    np.testing.assert_allclose(boxes, [around], atol=1e-4)


def test_disabled_by_the_environment(stranger, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHSUITE_DISABLE_PLUGINS", "benchsuite-discs")
    done = benchsuite("list", "models", "--json", sites=[stranger], cwd=tmp_path)
    assert "brightest" not in done.stdout


def test_a_broken_plugin_is_listed_and_breaks_nothing(stranger, broken, tmp_path):
    sites = [stranger, broken]
    listed = json.loads(benchsuite("list", "--json", sites=sites, cwd=tmp_path).stdout)
    assert {"mask_rcnn", "brightest"} <= {row["name"] for row in listed["models"]}
    errors = "\n".join(row["error"] for row in listed["plugins"])
    for told in (
        "a_package_that_is_not_there",
        "returned a str",
        "taken by benchsuite",
        "telepathy",
        "not a list of specs",
        "metrics are hard",
        "contract 99.0",
    ):
        assert told in errors
    assert benchsuite("--help", sites=sites, cwd=tmp_path).returncode == 0
    done = benchsuite(
        "run", "--model", "brightest", "--dataset", "discs", "--limit", "2", "--json",
        sites=sites, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_run_that_needs_the_broken_plugin_says_why(broken, tmp_path):
    wants = benchsuite("run", "--model", "unimportable", "--dataset", "shapes",
                       "dataset.count=1", sites=[broken], cwd=tmp_path)  # fmt: skip
    assert wants.returncode == 1
    assert "not_a_module_at_all" in wants.stderr
    assert not (tmp_path / "results" / "runs").exists()
    future = benchsuite("run", "--model", "from_the_future", "--dataset", "shapes",
                        sites=[broken], cwd=tmp_path)  # fmt: skip
    assert future.returncode == 1
    assert "contract 99.0" in future.stderr


def test_the_readmes_plugin_chapter_is_this_plugin(repository):
    readme = (repository / "README.md").read_text()
    for name in ("pyproject.toml", "benchsuite_discs.py", "benchsuite_discs_parts.py"):
        assert (HERE / "plugins" / "stranger" / name).read_text().strip() in readme
