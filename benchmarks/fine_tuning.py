"""Fine-tuning on data of one's own, as a user does it: one command, on the CPU.

    python benchmarks/fine_tuning.py --json FILE
    pytest benchmarks/fine_tuning.py

Draws two COCO-format files, for training and for validation: discs, bars and rings with polygons on
noise. No recipe knows these classes. Then ``benchsuite train`` is run on them from the recipe's own
weights (``from_recipe``) and from random ones (``from_random``). A row says how long the training
took, validation counted, and what the last weights score on the validation images. The scores are
what the two are compared by, so that there is no peer and no ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from fine_tuning_cases.drawing import draw
from measuring.interleaved import spread
from measuring.rows import Row
from measuring.script import Script
from measuring.sides import Sample
from measuring.table import Column

VALIDATED = 60  # images


def train(folder: Path, case: str, threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """Draw the data and run the command; what it says of the training."""
    draw(folder / "train", options.images, seed=0)
    draw(folder / "val", VALIDATED, seed=1)
    init = "random" if case == "from_random" else options.init
    command = [
        *(sys.executable, "-m", "benchsuite", "train", options.recipe, "--json"),
        *("--dataset", str(folder / "train" / "annotations.json")),
        *("--images", str(folder / "train" / "images")),
        *("--validate-on", str(folder / "val" / "annotations.json")),
        *("--validation-images", str(folder / "val" / "images")),
        *("--device", "cpu", "--threads", str(threads), "--workers", "1"),
        *("--out", str(folder / "training"), "--seed", "0"),
        f"training.iterations={options.steps}",
        *(["--init", init] if init else []),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    outcome: dict[str, Any] = json.loads(run.stdout)
    return outcome


def rows(case: str, threads: int, options: argparse.Namespace) -> Iterator[Row]:
    """Rounds are trainings, which all score the same."""
    outcomes = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(train(Path(folder), case, threads, options))
    samples = [Sample(outcome["seconds"]) for outcome in outcomes]
    last = outcomes[-1]
    yield Row(
        name=f"{options.recipe}/{case}",
        ours_s=median(sample.seconds for sample in samples),
        peer=None,
        peer_s=None,
        ratio=None,
        threads=threads,
        spread=spread(samples),
        more={
            "steps": last["steps"],
            "epochs": last["epochs"],
            **{name: value for name, value in last["metrics"].items() if name.endswith("/AP")},
        },
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", default="mask_rcnn_R_18_FPN_shapes")
    parser.add_argument("--init", help="what from_recipe starts from, if not the recipe's weights")
    parser.add_argument("--images", type=int, default=120, help="to train on")
    parser.add_argument("--steps", type=int, default=300)


SCRIPT = Script(
    __doc__,
    ("from_recipe", "from_random"),
    rows,
    threads=(1,),
    rounds=1,
    columns=(Column("box AP", "bbox/AP", ".3f"), Column("mask AP", "segm/AP", ".3f")),
    add_options=add_options,
)


def pytest_generate_tests(metafunc: Any) -> None:
    metafunc.parametrize("case", SCRIPT.cases)


def test_training(benchmark: Any, case: str, tmp_path: Path) -> None:
    options = SCRIPT.parser().parse_args([])
    benchmark.pedantic(train, args=(tmp_path, case, 1, options), rounds=1)


if __name__ == "__main__":
    SCRIPT.main()
