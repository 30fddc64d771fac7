"""Two sets of options, compared."""

from __future__ import annotations

from benchsuite.training.option_differences import option_differences


def test_a_line_for_each_value_that_differs() -> None:
    there = {
        "ema": None,
        "init": "",
        "optimizer": {"lr": 0.02, "nesterov": False, "betas": (0.9, 0.99)},
        "augmentations": [{"type": "RandomFlip", "prob": 0.5}, {"type": "Mosaic"}],
        "schedule": {"steps": [1, 2]},
    }
    here = {
        "ema": {"decay": 0.9},
        "init": "weights.pth",
        "optimizer": {"lr": 0.01, "nesterov": False, "betas": [0.9, 0.99]},
        "augmentations": [{"type": "RandomFlip", "prob": 0.0}],
        "schedule": {"steps": [1, 3]},
        "seed": 0,
    }
    assert option_differences(there, here) == [
        "ema: none there, {decay: 0.9} here",
        'init: "" there, weights.pth here',
        "optimizer.lr: 0.02 there, 0.01 here",
        "augmentations[0].prob: 0.5 there, 0.0 here",
        "augmentations[1]: {type: Mosaic} there, not said here",
        "schedule.steps: [1, 2] there, [1, 3] here",
        "seed: not said there, 0 here",
    ]


def test_numbers_are_no_truth_values() -> None:
    assert option_differences({"a": 0, "b": True}, {"a": 2, "b": False}) == [
        "a: 0 there, 2 here",
        "b: true there, false here",
    ]


def test_nothing_differs() -> None:
    assert option_differences({"a": {"b": [1]}}, {"a": {"b": (1,)}}) == []
