"""Pictures of what a model will see in training, beside what it is made of."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image as Picture

from benchsuite.categories import scored_categories
from benchsuite.contact_sheet import Captioned, contact_sheet
from benchsuite.errors import UsageError, unknown_name
from benchsuite.options import merge, parse_overrides
from benchsuite.progress import ShowsProgress, no_progress
from benchsuite.resolve import keypoint_layout, open_dataset
from benchsuite.specs import Category, KeypointLayout
from benchsuite.target_drawing import draw_target
from benchsuite.training.augmentation.augmentation import Augmentation, build_augmentation
from benchsuite.training.data.example import Example
from benchsuite.training.data.joined_sets import Examples, JoinedSets
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.loading.micro_batch import MicroBatchMaker
from benchsuite.training.options import SamplerOptions
from benchsuite.training.order.draws import Share, Stream
from benchsuite.training.order.sampling import build_stream
from benchsuite.training.plan import plan_training
from benchsuite.training.request import NO_VALIDATION, TrainingRequest

SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""What ``out`` ends with where one picture is to be made of all."""

SHOWN_TASKS = ("bbox", "segm", "keypoints")
"""What is drawn of a dataset where nobody says it, as far as the dataset has it; of a dataset that
has none of them, its semantic map."""


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """What ``benchsuite data show`` was asked for.

    Attributes:
        augment: in place of the recipe's: transforms, each as a JSON table or as ``NAME KEY=VALUE
            ...``.
        tasks: without a recipe: what to draw.
    """

    name: str
    out: Path
    recipe: str | None = None
    split: str | None = None
    images: Path | None = None
    augment: Sequence[str] = ()
    tasks: Sequence[str] = ()
    count: int = 8
    seed: int | None = None
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    progress: ShowsProgress = no_progress


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What will be drawn.

    Attributes:
        stream: the order that a training sees the examples in.
        augmentation: ``None``: images stay as they are, and are shown once.
    """

    title: str
    examples: Examples
    stream: Stream
    seed: int
    categories: tuple[Category, ...]
    keypoints: KeypointLayout | None
    augmentation: Augmentation | None

    def rows(self, count: int) -> Iterator[tuple[str, list[Captioned]]]:
        """A name and the pictures of each of the first draws."""
        make = MicroBatchMaker(self.examples, self.augmentation)
        share = Share(size=1)
        for position in range(count):
            draws = share.draws(self.stream, self.seed, position, 0)
            (draw,) = draws.draws
            given = self.examples.example(draw.index)
            record = given.image.record
            name = f"{position:05}_{record.id}"
            size = f"{record.width} x {record.height}"
            row = [(self._drawn(given), f"{record.file_name or record.id}, {size}")]
            if self.augmentation is not None:
                batch = make(draws)
                seen = Example(batch.images[0], batch.targets[0])
                size = f"{seen.image.width} x {seen.image.height}"
                row.append((self._drawn(seen), f"as the model sees it, {size}"))
            yield name, row

    def _drawn(self, example: Example) -> Picture.Image:
        return draw_target(example.image, example.target, self.categories, keypoints=self.keypoints)


def draw_preview(request: PreviewRequest) -> dict[str, Any]:
    """Draw, and write ``request.out``: one picture where it ends as one, else a folder of them.

    Returns:
        What was drawn and where it lies, as JSON-able values.

    Raises:
        UsageError: an unknown name, option or transform.
        DataMissingError: the dataset is not there.
        InputError: its truth cannot be trained on.
    """
    preview, out = open_preview(request), request.out
    as_one = out.suffix.lower() in SHEET_SUFFIXES
    (out.parent if as_one else out).mkdir(parents=True, exist_ok=True)
    together, names, written = [], [], []
    with request.progress(f"drawing {preview.title}", request.count) as shown:
        for name, row in preview.rows(request.count):
            names.append(name)
            if as_one:
                together.append(row)
            else:
                written.append(out / f"{name}.png")
                contact_sheet([row]).save(written[-1])
            shown.advance(1)
    if as_one:
        contact_sheet(together).save(out)
        written.append(out)
    return {
        "dataset": preview.title,
        "seed": preview.seed,
        "image_ids": [int(name.partition("_")[2]) for name in names],
        "files": [str(path) for path in written],
    }


def open_preview(request: PreviewRequest) -> Preview:
    """Resolve names and open the dataset; see ``draw_preview``."""
    if request.recipe is not None:
        return _of_recipe(request, request.recipe)
    if request.overrides.get("training") or request.overrides.get("model"):
        raise UsageError("without a recipe there is nothing to put training.… or model.… over")
    opened = open_dataset(
        request.name,
        split=request.split,
        images=request.images,
        tasks=request.tasks,
        overrides=request.overrides.get("dataset"),
    )
    tasks = _tasks(request.tasks, opened.dataset.tasks, opened.title)
    categories = scored_categories(opened.dataset.categories, tasks)
    layout = keypoint_layout(opened)
    augmentation = None
    if request.augment:
        tables = [read_augmentation(text) for text in request.augment]
        augmentation = build_augmentation(tables, tasks=tasks, keypoints=layout)
        tasks = augmentation.tasks_read
    examples = JoinedSets([TrainingSet(opened, categories, tasks=tasks)])
    seed = request.seed or 0
    stream = build_stream(
        examples.sets, SamplerOptions(), images_per_micro_batch=1, images_per_batch=1, seed=seed
    )
    return Preview(opened.title, examples, stream, seed, categories, layout, augmentation)


def read_augmentation(text: str) -> dict[str, Any]:
    """The table of an augmentation that is given on the command line.

    Args:
        text: a JSON object, or a name with options: ``"RandomFlip prob=1 direction=vertical"``.

    Raises:
        UsageError: it is neither.
    """
    if text.lstrip().startswith("{"):
        try:
            table: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise UsageError(f"--augment {text}: is no JSON: {error}") from None
        return table
    name, *options = shlex.split(text) or [""]
    if "=" in name or not name or not all("=" in option for option in options):
        raise UsageError(
            f"--augment {text!r} is neither a JSON table nor of the form NAME KEY=VALUE"
        )
    parsed = parse_overrides([f"table.{option}" for option in options], ("table",))
    return {"type": name, **parsed["table"]}


def _of_recipe(request: PreviewRequest, recipe: str) -> Preview:
    overrides = request.overrides
    if request.tasks:
        raise UsageError("a recipe's model says which tasks are learnt: leave out --task")
    if request.augment:
        tables = [read_augmentation(text) for text in request.augment]
        overrides = merge(overrides, {"training": {"augmentations": tables}})
    plan = plan_training(
        TrainingRequest(
            recipe,
            dataset=request.name,
            split=request.split,
            images=request.images,
            validate_on=NO_VALIDATION,
            seed=request.seed,
            overrides=overrides,
        )
    )
    seed = plan.options.seed
    stream = build_stream(
        plan.examples,
        plan.options.sampler,
        images_per_micro_batch=plan.images_per_micro_batch,
        images_per_batch=plan.options.images_per_batch,
        seed=seed,
    )
    layout = keypoint_layout(plan.datasets[0])
    examples = JoinedSets(plan.examples)
    return Preview(plan.title, examples, stream, seed, plan.categories, layout, plan.augmentation)


def _tasks(asked: Sequence[str], there: Sequence[str], title: str) -> tuple[str, ...]:
    for task in asked:
        if task not in there:
            raise unknown_name(f"task of {title}", task, there)
    shown = tuple(asked) or tuple(task for task in SHOWN_TASKS if task in there)
    return shown or ("semantic",)
