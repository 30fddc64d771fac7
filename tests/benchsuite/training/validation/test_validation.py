"""Validation of a model in memory is a run of its file, to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchsuite import (
    Category,
    DatasetSpec,
    Image,
    ImageRecord,
    ModelSpec,
    Prediction,
    build_truth,
    metric_selection,
    plugins,
    resolve,
)
from benchsuite.devices import use_device
from benchsuite.errors import ContractError, InputError, UsageError
from benchsuite.inference import build_model
from benchsuite.pairing import pair_categories
from benchsuite.resolve import open_dataset, resolve_model
from benchsuite.runs import RunRequest, execute, plan_run
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.options import OptimizerOptions, TrainingOptions, ValidationOptions
from benchsuite.training.validation.validation import Best, Validator, open_validator
from benchsuite.training.validation.validation_loss import TOTAL, ValidationLoss

CATEGORIES = (Category(7, "square"), Category(0, "blob"))
SIZES = [(40 + i, 32 + i % 3) for i in range(7)]


def square(i: int) -> list[int]:
    return [3 + i, 4, 9 + i, 10]


class Squares:
    categories, keypoints, tasks, annotation_sha256 = CATEGORIES, None, ("bbox",), "squares"

    def __init__(self, request: Any) -> None:
        pass

    def images(self) -> list[ImageRecord]:
        return [ImageRecord(10 * i, f"{i}.png", w, h) for i, (w, h) in enumerate(SIZES)]

    def load(self, record: ImageRecord) -> Image:
        pixels = np.zeros((record.height, record.width, 3), np.uint8)
        x, y, w, h = square(record.id // 10)
        pixels[y : y + h, x : x + w] = 255
        return Image(record, pixels)

    def truth(self, task: str) -> Any:
        annotations = [
            {"id": i + 1, "image_id": 10 * i, "category_id": 7, "bbox": square(i), "area": 99}
            for i in range(len(SIZES))
        ]
        return build_truth(self.images(), annotations, CATEGORIES)


class Finder(nn.Module):
    """Finds the white square, ``shift`` off for each further image; worse in training mode."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([0.25, 0.4]))
        self.dropout = nn.Dropout(0.5)
        self.still = nn.Dropout(0.5)
        self.images_seen: list[int] = []
        if request.weights is not None:
            self.load_state_dict(load_file(request.weights))

    def predict(self, images: Any) -> list[Prediction]:
        return [self._one(image) for image in images]

    @torch.inference_mode()
    def _one(self, image: Image) -> Prediction:
        self.images_seen.append(image.record.id)
        torch.rand(3)
        y, x = np.nonzero(image.pixels[..., 0])
        shift = self.dropout((self.shift[:, None] @ torch.full((1, 1), image.record.id / 10))[:, 0])
        assert shift.dtype == torch.float32
        dx, dy = shift.tolist()
        box = [x.min() + dx, y.min() + dy, x.max() + 1 + dx, y.max() + 1 + dy]
        return Prediction([box, box], [0.5, 0.25], [0, 1])


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real registry with our two beside it."""
    module = ModuleType("validation_fixture")
    vars(module).update(Squares=Squares, find=lambda request: Finder(request).eval())
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = plugins.load_registry(plugins.entry_points(group=plugins.GROUP))
    found.models["finder"] = ModelSpec("finder", ("bbox",), "validation_fixture:find")
    found.datasets["squares"] = DatasetSpec(
        "squares", ("bbox",), "validation_fixture:Squares", metrics=("coco_bbox",)
    )
    for each in (plugins, resolve, metric_selection):
        monkeypatch.setattr(each, "registry", lambda: found)


def build(
    name: str,
    dataset: str,
    validation: ValidationOptions | None = None,
    overrides: Any = None,
    **further: Any,
) -> tuple[Any, Validator]:
    options = overrides or {}
    resolved = resolve_model(
        name, dataset=dataset, weights="random", overrides=options.get("model")
    )
    opened = open_dataset(dataset, tasks=resolved.spec.tasks, overrides=options.get("dataset"))
    tasks = [task for task in resolved.spec.tasks if task in opened.dataset.tasks]
    categories, _ = pair_categories(resolved.categories, opened, tasks)
    device = use_device("cpu", threads=1, seed=0)
    built = build_model(resolved, categories, weights=None, device=device, seed=0)
    return built, Validator(
        resolved, categories, opened, validation or ValidationOptions(), **further
    )


def run_file(trained: nn.Module, tmp_path: Path, **request: Any) -> dict[str, float]:
    save_file(trained.state_dict(), tmp_path / "saved.safetensors")
    plan = plan_run(
        RunRequest(
            weights=str(tmp_path / "saved.safetensors"),
            threads=1,
            device="cpu",
            warmup=0,
            out=tmp_path / "results",
            **request,
        )
    )
    return dict(execute(plan, lambda _: None).metrics)


def test_values_are_those_of_a_run_of_the_saved_file(tmp_path: Path) -> None:
    model, validator = build("finder", "squares")
    model.train()
    found = validator(model)
    assert 0.1 < found.values["bbox/AP"] < 0.9
    assert found.values == run_file(model, tmp_path, model="finder", dataset="squares")
    assert (found.images, found.best, found.score) == (
        7,
        Best("bbox/AP", True),
        found.values["bbox/AP"],
    )


NARROW = {
    "input": {"min_size_test": 64, "max_size_test": 96},
    "resnet": {"stem_out_channels": 8, "res2_out_channels": 32, "width_per_group": 8},
    "fpn": {"out_channels": 16},
    "rpn": {"pre_nms_topk_test": 50, "post_nms_topk_test": 20},
    "box_head": {"fc_dim": 16},
    "mask_head": {"conv_dim": 8},
    "sem_seg_head": {"convs_dim": 32},
}


def test_maps_and_masks_of_a_trained_model_are_those_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path))
    options = {"model": NARROW, "dataset": {"count": 4, "size": 64}}
    model, validator = build("panoptic_fpn", "shapes", ValidationOptions(limit=3), options)
    model.train()
    found = validator(model)
    assert all(module.training for module in model.modules())
    expected = run_file(
        model, tmp_path, model="panoptic_fpn", dataset="shapes", limit=3, overrides=options
    )
    assert found.values == expected
    assert {"bbox/AP", "segm/AP", "panoptic/PQ", "semantic/mIoU"} <= expected.keys()
    assert expected["semantic/mIoU"] > 0
    assert (found.images, found.best.name) == (3, "panoptic/PQ")


def test_a_model_can_be_trained_after_it_was_validated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that prediction keeps may be a tensor that cannot go backward."""
    from benchsuite import Target

    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path))
    options = {"model": NARROW, "dataset": {"count": 1, "size": 64}}
    model, validator = build("panoptic_fpn", "shapes", overrides=options)
    validator(model)
    model.train()
    image = validator.opened.dataset.load(validator.records[0])
    mask = np.zeros(image.pixels.shape[:2], bool)
    mask[2:30, 2:40] = True
    target = Target([[2, 2, 40, 30]], [0], masks=mask[None], semantic=mask.astype(np.int64))
    sum(model.losses([image], [target]).values()).backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_the_model_and_chance_are_left_as_they_were() -> None:
    model, validator = build("finder", "squares")
    model.train()
    model.still.eval()
    state = torch.get_rng_state()
    torch.backends.cudnn.benchmark = True
    with torch.autocast("cpu", dtype=torch.bfloat16):
        validator(model)
    assert torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False
    assert torch.equal(torch.get_rng_state(), state)
    assert (model.training, model.dropout.training, model.still.training) == (True, True, False)


def test_the_mode_is_restored_where_prediction_fails() -> None:
    model, validator = build("finder", "squares")
    model.train()
    model.predict = lambda images: []
    with pytest.raises(ContractError, match="returned 0 predictions for 1 images"):
        validator(model)
    assert model.training and model.dropout.training


def test_a_limit_takes_the_first_images_as_run_does(tmp_path: Path) -> None:
    settings = ValidationOptions(limit=3)
    model, validator = build("finder", "squares", settings)
    found = validator(model)
    assert model.images_seen == [0, 10, 20]
    request = {"model": "finder", "dataset": "squares", "limit": 3}
    assert found.values == run_file(model, tmp_path, **request)


def test_the_best_may_be_chosen_by_another_value() -> None:
    assert build("finder", "squares", ValidationOptions(metric="bbox/AP75"))[1].best == Best(
        "bbox/AP75", True
    )
    with pytest.raises(UsageError, match=r"bbox/AP77.*bbox/AP7?5"):
        build("finder", "squares", ValidationOptions(metric="bbox/AP77"))
    with pytest.raises(UsageError, match=TOTAL):
        build("finder", "squares", ValidationOptions(metric=TOTAL))


def test_losses_stand_beside_the_values_and_may_choose_the_best() -> None:
    model, validator = build(
        "finder",
        "squares",
        ValidationOptions(metric=TOTAL),
        loss=lambda model: {TOTAL: 2.5, "loss/loss_cls": 2.5},
    )
    found = validator(model)
    assert found.score == 2.5 and "bbox/AP" in found.values
    assert found.best == Best(TOTAL, higher_is_better=False)


def test_a_training_s_validator_measures_what_its_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path))
    overrides = {"model": NARROW, "dataset": {"count": 2, "size": 64}}
    model, plain = build("panoptic_fpn", "shapes", overrides=overrides)
    resolved = resolve_model("panoptic_fpn", dataset="shapes", overrides=NARROW)
    options = TrainingOptions(
        iterations=1,
        images_per_batch=1,
        optimizer=OptimizerOptions(lr=1.0),
        validation=ValidationOptions(losses=True, limit=1, metric=TOTAL),
    )
    validator = open_validator(resolved, plain.opened.dataset.categories, plain.opened, options)
    found = validator(model)
    assert found.best == Best(TOTAL, higher_is_better=False)
    terms = [value for name, value in found.values.items() if "/loss_" in name]
    assert found.score == pytest.approx(sum(terms)) and found.score > 0
    assert {"panoptic/PQ", "loss/loss_sem_seg"} <= found.values.keys()


@pytest.mark.parametrize(
    ("higher", "value", "best", "expected"),
    [
        (True, 0.2, None, True),
        (True, 0.2, 0.1, True),
        (True, 0.2, 0.2, False),
        (False, 0.2, 0.3, True),
        (False, 0.2, 0.1, False),
        (True, float("nan"), None, False),
        (True, -1.0, None, True),
    ],
)
def test_what_improves(higher: bool, value: float, best: float | None, expected: bool) -> None:
    assert Best("x", higher).improves(value, best) is expected


def test_categories_that_the_dataset_has_none_of() -> None:
    resolved = resolve_model("finder", dataset="squares")
    opened = open_dataset("squares")
    with pytest.raises(InputError, match="no category name in common"):
        Validator(resolved, (Category(1, "ghost"),), opened)


def test_a_limit_below_one() -> None:
    with pytest.raises(UsageError, match=r"validation\.limit must be at least 1, not 0"):
        build("finder", "squares", ValidationOptions(limit=0))


RANK = """
import json, os, sys
import torch.distributed as dist
from benchsuite.devices import use_device
from benchsuite.inference import build_model
from benchsuite.pairing import pair_categories
from benchsuite.resolve import open_dataset, resolve_model
from benchsuite.training.options import OptimizerOptions, TrainingOptions, ValidationOptions
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.validation.validation import Validator
from benchsuite.training.validation.validation_loss import ValidationLoss

dist.init_process_group(
    "gloo", init_method=os.environ["MEETING"], rank=int(os.environ["RANK"]), world_size=2
)
options = json.loads(os.environ["OPTIONS"])
resolved = resolve_model(
    "panoptic_fpn", dataset="shapes", weights="random", overrides=options["model"]
)
opened = open_dataset("shapes", tasks=resolved.spec.tasks, overrides=options["dataset"])
categories, _ = pair_categories(None, opened, resolved.spec.tasks)
device = use_device("cpu", threads=1, seed=0)
model = build_model(resolved, categories, weights=None, device=device, seed=0)
loss = ValidationLoss(TrainingSet(opened, categories, tasks=resolved.spec.tasks), seed=0)
print(json.dumps(dict(Validator(resolved, categories, opened, loss=loss)(model).values)))
dist.destroy_process_group()
"""


def test_two_ranks_give_the_values_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path))
    options = {"model": NARROW, "dataset": {"count": 3, "size": 64}}
    model, validator = build("panoptic_fpn", "shapes", overrides=options)
    values = validator(model).values
    learnt = TrainingSet(
        validator.opened,
        validator.opened.dataset.categories,
        tasks=("bbox", "segm", "semantic", "panoptic"),
    )
    model.eval()
    expected = {**values, **ValidationLoss(learnt, seed=0)(model)}
    assert expected[TOTAL] > 0
    environment = {
        **os.environ,
        "MEETING": (tmp_path / "meeting").as_uri(),
        "OPTIONS": json.dumps(options),
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK],
            env={**environment, "RANK": str(number)},
            stdout=subprocess.PIPE,
        )
        for number in range(2)
    ]
    printed = [each.communicate(timeout=120)[0] for each in ranks]
    assert [each.returncode for each in ranks] == [0, 0]
    assert [json.loads(each) for each in printed] == [expected, expected]
