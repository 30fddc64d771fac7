"""Checkpoints of random weights that find objects."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from inference_cases.calibration import calibrate
from inference_cases.cases import Case
from inference_cases.models import SIDES, draw_image


def write_checkpoint(case: Case, side: str, file: Path) -> None:
    """Random weights: ours as Detectron2 publishes them, the peer's as torch saves them."""
    build, run = SIDES[side]
    model = build(case, None)
    calibrate(model)
    with torch.no_grad():
        run(model, draw_image())
    state = model.state_dict()
    if side == "peer":
        torch.save(state, file)
        return
    arrays = {name: value.numpy() for name, value in state.items()}
    with file.open("wb") as stream:
        pickle.dump({"model": arrays, "__author__": "benchmarks/inference.py"}, stream)
