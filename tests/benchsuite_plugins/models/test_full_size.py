"""A checkpoint of published size, in the form that Detectron2 publishes, loads strictly."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchsuite import ModelRequest
from benchsuite.errors import InputError
from benchsuite.resolve import resolve_model, use
from benchsuite_plugins.models.generalized_rcnn import GeneralizedRCNN

RECIPE = "mask_rcnn_R_50_FPN_3x"
CONFIG = f"COCO-InstanceSegmentation/{RECIPE}.yaml"

Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def noise() -> NDArray[np.float32]:
    """More random numbers than the largest parameter has."""
    return np.random.default_rng(0).standard_normal(1024 * 12544 + 4096, dtype=np.float32)


@pytest.fixture
def arrays(
    published_state_dict: Callable[[str], tuple[dict[str, list[int]], set[str]]],
    noise: NDArray[np.float32],
) -> Arrays:
    """Random values in all published shapes, each parameter's its own."""
    shapes, _ = published_state_dict(CONFIG)
    return {
        name: noise[start : start + int(np.prod(shape))].reshape(shape)
        for start, (name, shape) in enumerate(shapes.items())
    }


def load(arrays: Arrays, file: Path) -> GeneralizedRCNN:
    with file.open("wb") as stream:
        pickle.dump({"model": arrays, "__author__": "nobody"}, stream)
    resolved = resolve_model(RECIPE, dataset="coco")
    request = ModelRequest(
        options=resolved.options, categories=resolved.categories or (), weights=file
    )
    model: Any = use(resolved.spec.factory, RECIPE)(request)
    assert isinstance(model, GeneralizedRCNN)
    return model


def test_every_value_arrives(arrays: Arrays, tmp_path: Path) -> None:
    model = load(arrays, tmp_path / "model_final.pkl")
    state = model.state_dict()
    assert state.keys() == arrays.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(value.numpy(), arrays[name], err_msg=name)
    assert not model.training


def test_one_name_too_few_is_refused(arrays: Arrays, tmp_path: Path) -> None:
    del arrays["roi_heads.mask_head.deconv.bias"]
    with pytest.raises(InputError, match=r"1 missing: roi_heads\.mask_head\.deconv\.bias"):
        load(arrays, tmp_path / "model_final.pkl")
