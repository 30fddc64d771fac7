"""Predictions for images of one's own: JSON and a drawn picture, no dataset and no scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.categories import scored_categories
from benchsuite.errors import DataMissingError, InputError, UsageError
from benchsuite.execution import Execution, check_device, check_model
from benchsuite.inference import build_model
from benchsuite.progress import progress
from benchsuite.resolve import (
    ResolvedModel,
    keypoint_layout,
    open_dataset,
    resolve_model,
    stated_layout,
)
from benchsuite.weights import resolve_weights

if TYPE_CHECKING:
    from benchsuite.records import Image
    from benchsuite.specs import Category, KeypointLayout


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """What ``benchsuite predict`` was asked for."""

    model: str
    images: Sequence[Path]
    out: Path
    weights: str | None = None
    dataset: str | None = None
    device: str | None = None
    threads: int | None = None
    seed: int = 0
    execution: Execution = field(default_factory=Execution)
    draw_above: float = 0.5
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def predict_files(request: PredictRequest, tell: Callable[[str], None]) -> dict[str, Any]:
    """Predict every image and write ``<stem>.json`` and ``<stem>.png`` into ``request.out``.

    Raises:
        UsageError: no image is given, two would be written to one name, nobody says what the labels
            mean, or the model cannot be executed as asked.
        DataMissingError: an image is not there.
    """
    from benchsuite.devices import use_device
    from benchsuite.drawing import draw_prediction
    from benchsuite.predictions.to_columns import rows

    names = _output_names(request.images)
    resolved = resolve_model(
        request.model,
        dataset=request.dataset or _published_on(request.model),
        weights=request.weights,
        overrides=request.overrides.get("model"),
    )
    check_model(request.execution, resolved.spec)
    device = use_device(request.device, threads=request.threads, seed=request.seed)
    check_device(request.execution, device.name)
    categories, layout = _meaning(resolved, request)
    weights = resolve_weights(resolved.weights, resolved.recipe, resolved.body)
    if weights.random:
        tell("random weights, the predictions mean nothing: give trained ones with --weights")
    model = build_model(
        resolved,
        categories,
        weights=weights.path,
        device=device,
        seed=request.seed,
        keypoints=layout,
        execution=request.execution,
    )
    request.out.mkdir(parents=True, exist_ok=True)
    written = []
    with progress("predicting", len(request.images)) as shown:
        for index, path in enumerate(request.images):
            image = read_image(path, index)
            prediction = model.predict([image])[0]
            _, instances = rows(image.record, prediction, [c.id for c in categories], 0)
            target = request.out / names[path]
            picture = draw_prediction(
                image,
                prediction,
                categories,
                minimum_score=request.draw_above,
                keypoints=layout,
            )
            picture_path = target.with_name(target.name + ".png")
            picture.save(picture_path)
            by_id = {category.id: category.name for category in categories}
            body = {
                "file": str(path),
                "width": image.width,
                "height": image.height,
                "model": request.model,
                "weights": weights.to_json(),
                "instances": [_instance(row, by_id) for row in instances],
            }
            json_path = target.with_name(target.name + ".json")
            json_path.write_text(json.dumps(body, indent=1) + "\n")
            written.append(
                {
                    "file": str(path),
                    "json": str(json_path),
                    "picture": str(picture_path),
                    "n_instances": len(instances),
                }
            )
            shown.advance(1)
    return {"model": request.model, "weights": weights.to_json(), "images": written}


def read_image(path: Path, index: int) -> Image:
    """Decode an image file as datasets do: EXIF orientation applied, RGB.

    Raises:
        DataMissingError: it is not there.
        InputError: it cannot be decoded.
    """
    import numpy as np
    import PIL.Image
    import PIL.ImageOps

    from benchsuite.records import Image, ImageRecord

    if not path.is_file():
        raise DataMissingError(f"there is no image {path}")
    try:
        with PIL.Image.open(path) as opened:
            pixels = np.asarray(PIL.ImageOps.exif_transpose(opened).convert("RGB"))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise InputError(f"cannot be decoded: {error}", file=path) from error
    record = ImageRecord(index, path.name, int(pixels.shape[1]), int(pixels.shape[0]))
    return Image(record, pixels)


def _output_names(images: Sequence[Path]) -> dict[Path, str]:
    if not images:
        raise UsageError("no image was given")
    names: dict[str, Path] = {}
    for path in images:
        other = names.setdefault(path.stem, path)
        if other != path:
            raise UsageError(f"{other} and {path} would both be written as {path.stem}.json")
    return {path: stem for stem, path in names.items()}


def _published_on(model: str) -> str:
    """The dataset whose default recipe a bare model name means: the one that most trained weights
    of the model are for."""
    from benchsuite.plugins import registry

    found = registry()
    if model in found.recipes:
        return found.recipes[model].dataset
    trained = [each for each in found.recipes.values() if each.model == model and each.weights_url]
    counts = Counter(each.dataset for each in trained)
    with_default = {each.dataset for each in trained if each.default}
    return next((dataset for dataset, _ in counts.most_common() if dataset in with_default), "")


def _meaning(
    resolved: ResolvedModel, request: PredictRequest
) -> tuple[Sequence[Category], KeypointLayout | None]:
    """What labels and keypoints mean: what the model states, else what a dataset has."""
    named = request.dataset
    if named is None and resolved.recipe is not None and resolved.categories is None:
        named = resolved.recipe.dataset
    if named is None:
        if resolved.categories is None:
            raise UsageError(
                f"nobody says what the labels of {request.model!r} mean: name a dataset that has "
                "them (--categories NAME|FILE)"
            )
        return resolved.categories, _learned_layout(resolved)
    opened = open_dataset(named, tasks=resolved.spec.tasks)
    scored = scored_categories(opened.dataset.categories, resolved.spec.tasks)
    return resolved.categories or scored, keypoint_layout(opened)


def _learned_layout(resolved: ResolvedModel) -> KeypointLayout | None:
    """The keypoints of what the model was trained on, without opening that."""
    from benchsuite.plugins import registry

    if resolved.trained is not None:
        return resolved.trained.keypoints
    if resolved.recipe is None or "keypoints" not in resolved.spec.tasks:
        return None
    dataset = registry().datasets.get(resolved.recipe.dataset)
    return None if dataset is None else stated_layout(dataset)


def _instance(row: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """A row of ``schemas.PREDICTION_INSTANCES`` as in a COCO results file, with the name."""
    instance: dict[str, Any] = {
        "category_id": row["category_id"],
        "category": names[row["category_id"]],
        "score": row["score"],
        "bbox": row["bbox"],
    }
    if row.get("segmentation"):
        counts = row["segmentation"]["counts"]
        instance["segmentation"] = {**row["segmentation"], "counts": counts.decode("ascii")}
    if row.get("keypoints"):
        instance["keypoints"] = row["keypoints"]
    return instance
