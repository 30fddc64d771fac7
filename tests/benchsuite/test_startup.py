"""Commands that only look things up import nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "pandas", "pyarrow", "pydantic", "numpy", "PIL", "rich")


def imported(*args: str) -> set[str]:
    """Top-level modules that a command line leaves imported."""
    code = (
        "import sys\n"
        "from benchsuite.cli.main import main\n"
        f"code = main({list(args)!r})\n"
        "print('MODULES', *{name.partition('.')[0] for name in sys.modules})\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("MODULES")[2].split())


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("list",),
        ("list", "recipes", "--json"),
        ("run", "--help"),
        ("train", "--help"),
        ("eval", "--help"),
        ("predict", "--help"),
        ("report", "--help"),
        ("data", "--help"),
        ("doctor", "--help"),
        ("completion", "bash"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(args):
    assert not imported(*args) & set(HEAVY)


def test_eval_imports_no_torch(shared_data, tmp_path):
    data = shared_data / "keypoints_small"
    loaded = imported(
        "eval",
        "--dataset", str(data / "gt_dataset.json"),
        "--predictions", str(data / "dt_dataset.json"),
        "--task", "keypoints",
        "--out", str(tmp_path),
        "--json",
    )  # fmt: skip
    assert "pyarrow" in loaded
    assert not loaded & {"torch", "torchvision"}
