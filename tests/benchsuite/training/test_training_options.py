"""What a table ``[training]`` may say."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.options import merge, read_options
from benchsuite.training.options import (
    ClipGradientsOptions,
    LayerDecayOptions,
    ParameterOverrides,
    TrainingOptions,
)

LEAST: dict[str, Any] = {"iterations": 10, "images_per_batch": 2, "optimizer": {"lr": 0.1}}


def read(**values: Any) -> TrainingOptions:
    options: TrainingOptions = read_options(TrainingOptions, merge(LEAST, values), "training")
    return options


def test_the_least_that_must_be_said() -> None:
    options = read()
    assert (options.iterations, options.optimizer.lr, options.precision) == (10, 0.1, "fp32")
    assert options.ema is None
    with pytest.raises(
        UsageError,
        match=r"training\.iterations, training\.images_per_batch, training\.optimizer\.lr must be",
    ):
        read_options(TrainingOptions, {}, "training")
    with pytest.raises(UsageError, match=r"^training\.optimizer\.lr must be given"):
        read_options(
            TrainingOptions,
            {"iterations": 1, "images_per_batch": 1, "optimizer": {"type": "SGD"}},
            "training",
        )


def test_tables_in_tables() -> None:
    options = read(
        clip_gradients={"type": "value"},
        optimizer={
            "layer_decay": {"num_layers": 12, "lr_decay_rate": 0.7},
            "overrides": {"pos_embed": {"weight_decay": 0.0}},
        },
    )
    assert options.clip_gradients == ClipGradientsOptions("value", 1.0)
    assert options.optimizer.layer_decay == LayerDecayOptions(12, 0.7)
    assert options.optimizer.overrides == {"pos_embed": ParameterOverrides(weight_decay=0.0)}
    assert read(clip_gradients=None).clip_gradients is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"iteration": 3}, "did you mean iterations"),
        ({"optimizer": {"momentun": 3}}, "did you mean momentum"),
        ({"optimizer": {"overrides": {"bias": {"wd": 0.0}}}}, "unknown option of .*bias 'wd'"),
        ({"optimizer": {"layer_decay": {"num_layers": 3}}}, "lr_decay_rate must be given"),
        ({"optimizer": {"type": "Adam"}}, "training.optimizer.type='Adam'"),
        ({"optimizer": {"lr": 0}}, "lr must be above 0"),
        ({"precision": "fp8"}, "training.precision='fp8'"),
        ({"iterations": 0}, "training.iterations must be at least 1"),
        ({"workers": -1}, "training.workers must not be below 0"),
        ({"schedule": {"steps": [3, 2]}}, "must ascend"),
        ({"schedule": {"steps": [3], "type": "cosine"}}, "mean nothing to type 'cosine'"),
        ({"schedule": {"warmup_iters": -1}}, "warmup_iters must not be below 0"),
        ({"clip_gradients": {"value": 0}}, "clip_gradients.value must be above 0"),
        ({"ema": {"decay": 1.0}}, "ema.decay must be from 0 to below 1"),
        ({"precise_bn": True, "ema": {}}, "choose one"),
        ({"augmentations": [{"prob": 1}]}, r"augmentations\[0\] does not say its type"),
    ],
)
def test_mistakes(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(**values)
