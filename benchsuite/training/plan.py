"""What a training will do, settled before it does any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.categories import scored_categories
from benchsuite.errors import UsageError, unknown_name
from benchsuite.options import merge
from benchsuite.plugins import registry
from benchsuite.resolve import (
    OpenedDataset,
    ResolvedModel,
    find_dataset,
    keypoint_layout,
    open_dataset,
    resolve_model,
    use,
)
from benchsuite.scoring import serves
from benchsuite.specs import Category, RecipeSpec
from benchsuite.training.augmentation import Augmentation, build_augmentation
from benchsuite.training.first_examples import FirstExamples
from benchsuite.training.initial_weights import starting_point
from benchsuite.training.joined_sets import Examples
from benchsuite.training.options import TrainingOptions
from benchsuite.training.processes import Processes, find_processes
from benchsuite.training.recipe_options import read_training
from benchsuite.training.training_set import TrainingSet
from benchsuite.weights import resolve_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchsuite.records import ImageRecord

NO_VALIDATION = "none"
"""What ``--validate-on`` is given where nothing shall be validated."""

PROPOSALS = "training.data.proposals"

TABLES = ("model", "dataset", "training", "metric")
"""What the first part of a dotted key may be."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What ``benchsuite train`` was asked for. ``None`` means: as the recipe says, or choose.

    Attributes:
        fetch: whether a file of proposals is read, and fetched where it is not here; a mere look
            does without.
    """

    recipe: str
    dataset: str | None = None
    split: str | None = None
    images: Path | None = None
    validate_on: str | None = None
    validation_images: Path | None = None
    init: str | None = None
    device: str | None = None
    precision: str | None = None
    strategy: str = "ddp"
    threads: int | None = None
    workers: int | None = None
    seed: int | None = None
    limit: int | None = None
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    out: Path | None = None
    resume: bool = False
    fetch: bool = True
    command: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPlan:
    """A training with every name resolved and its datasets open, but nothing downloaded or built.

    Attributes:
        options: the recipe's with what was given put over them, and scaled to it.
        categories: what the model's labels will mean.
        datasets: what it is trained on.
        training_sets: what of each can be learnt from.
        examples: what of each is: as much as was asked for.
        augmentation: what is done to its images.
        validation: what it is measured on; ``None``: nothing.
        note: a line for the user, of settings that are not as the recipe says; may be empty.
        out: where everything is written.
    """

    request: TrainingRequest
    recipe: RecipeSpec
    model: ResolvedModel
    options: TrainingOptions
    categories: tuple[Category, ...]
    datasets: tuple[OpenedDataset, ...]
    training_sets: tuple[TrainingSet, ...]
    examples: tuple[Examples, ...]
    augmentation: Augmentation
    validation: OpenedDataset | None
    processes: Processes
    note: str
    out: Path

    @property
    def micro_batches(self) -> int:
        """How many there are a step, on all processes together."""
        return self.options.accumulate * self.processes.world_size

    @property
    def images_per_micro_batch(self) -> int:
        return self.options.images_per_batch // self.micro_batches

    @property
    def title(self) -> str:
        """Of what it is trained on."""
        return ", ".join(opened.title for opened in self.datasets)

    @property
    def images(self) -> int:
        """How many there are to learn from."""
        return sum(map(len, self.examples))

    def epochs(self, steps: int) -> float:
        """How often every image is seen in so many steps."""
        return steps * self.options.images_per_batch / self.images


def plan_training(request: TrainingRequest) -> TrainingPlan:
    """Resolve names and options and open the datasets.

    Raises:
        UsageError: an unknown name or option, a recipe that does not say how to train, a batch that
            cannot be shared equally.
        DataMissingError: a dataset is not there.
        InputError: a dataset's truth cannot be trained on.
    """
    recipe = _find_recipe(request.recipe)
    processes = find_processes()
    stated: tuple[str, ...] = (request.dataset or recipe.dataset,)
    spec, _, _ = find_dataset(stated[0])
    model = resolve_model(
        request.recipe, dataset=spec.name, overrides=request.overrides.get("model")
    )
    options, note = _read_training(request, model, processes)
    if not _init_is_given(request):
        options = replace(options, init=starting_point(options.init, recipe, spec.name))
    dataset_options = request.overrides.get("dataset", {})
    if request.dataset is None and options.data.datasets:
        stated = options.data.datasets
        dataset_options = merge(options.data.dataset_options, dataset_options)
    datasets = tuple(_open(each, request, model, dataset_options) for each in stated)
    for opened in datasets:
        _check_tasks(model, opened)
    categories = _categories(model, datasets[0], recipe)
    augmentation = build_augmentation(
        options.augmentations,
        tasks=model.spec.tasks,
        keypoints=keypoint_layout(datasets[0]),
        recompute_boxes=options.data.recompute_boxes,
    )
    proposals = _proposals(model, options) if request.fetch else None
    training_sets = tuple(
        TrainingSet(
            opened,
            categories,
            tasks=augmentation.tasks_read,
            options=options.data,
            proposals=proposals,
        )
        for opened in datasets
    )
    return TrainingPlan(
        request=request,
        recipe=recipe,
        model=model,
        options=options,
        categories=categories,
        datasets=datasets,
        training_sets=training_sets,
        examples=tuple(
            each if request.limit is None else FirstExamples(each, request.limit)
            for each in training_sets
        ),
        augmentation=augmentation,
        validation=_open_validation(request, model, options, datasets[0]),
        processes=processes,
        note=note,
        out=request.out or Path("training") / recipe.name,
    )


def _find_recipe(name: str) -> RecipeSpec:
    found = registry()
    if name in found.recipes:
        return found.recipes[name]
    defaults = sorted(
        recipe.name for recipe in found.recipes.values() if recipe.model == name and recipe.default
    )
    hint = f"(recipes of model {name}: {', '.join(defaults)})" if defaults else ""
    raise unknown_name("recipe", name, found.recipes, hint=hint)


def _read_training(
    request: TrainingRequest, model: ResolvedModel, processes: Processes
) -> tuple[TrainingOptions, str]:
    """The options, and what there is to say of them."""
    given = dict(request.overrides.get("training", {}))
    for name in ("init", "precision", "workers", "seed"):
        if (value := getattr(request, name)) is not None:
            given[name] = value
    read = read_training(model.body.get("training", {}), given, request.recipe)
    options, together = read.options, read.options.accumulate * processes.world_size
    if options.images_per_batch % together:
        raise UsageError(
            f"training.images_per_batch={options.images_per_batch} cannot be shared equally by "
            f"{processes.world_size} processes with training.accumulate={options.accumulate}: "
            f"take a multiple of {together}"
        )
    return options, read.note


def _init_is_given(request: TrainingRequest) -> bool:
    return request.init is not None or "init" in request.overrides.get("training", {})


def _open(
    dataset: str, request: TrainingRequest, model: ResolvedModel, options: Mapping[str, Any]
) -> OpenedDataset:
    """The dataset; where nobody names a split, the one that is called after training."""
    spec, _, file = find_dataset(dataset)
    split = request.split
    if split is None and file is None and "/" not in dataset:
        split = next((each for each in spec.splits if each.startswith("train")), None)
    opened = open_dataset(
        dataset,
        split=split,
        images=request.images,
        tasks=model.spec.tasks,
        overrides=options,
    )
    if opened.given_as_file and request.images is None:
        raise UsageError(f"--dataset {dataset} is a file: say where its images lie (--images)")
    return opened


def _check_tasks(model: ResolvedModel, opened: OpenedDataset) -> None:
    lacking = [task for task in model.spec.tasks if not serves(opened.dataset.tasks, task)]
    if lacking:
        raise UsageError(
            f"model {model.spec.name!r} learns {', '.join(model.spec.tasks)}, dataset "
            f"{opened.title!r} has truth for {', '.join(opened.dataset.tasks) or 'nothing'}: no "
            f"{', '.join(lacking)} to learn from"
        )


def _proposals(
    model: ResolvedModel, options: TrainingOptions
) -> Callable[[ImageRecord], NDArray[np.float32]] | None:
    """The regions that a model learns from which finds none itself."""
    spec = model.spec
    if spec.proposals is None:
        return None
    if not options.data.proposals:
        raise UsageError(
            f"model {spec.name!r} finds no regions of its own: say with {PROPOSALS}=FILE where "
            "those of the training images are"
        )
    path = resolve_weights(options.data.proposals, None, None, option=PROPOSALS).path
    read = use(spec.proposals, f"proposals of model {spec.name!r}")
    found: Callable[[ImageRecord], NDArray[np.float32]] = read(path)
    return found


def _categories(
    model: ResolvedModel, opened: OpenedDataset, recipe: RecipeSpec
) -> tuple[Category, ...]:
    """The recipe's, on the dataset that it is for; else the dataset's."""
    if model.categories is not None and recipe.dataset == opened.spec.name:
        return model.categories
    return scored_categories(opened.dataset.categories, model.spec.tasks)


def _open_validation(
    request: TrainingRequest,
    model: ResolvedModel,
    options: TrainingOptions,
    trained_on: OpenedDataset,
) -> OpenedDataset | None:
    """What was asked for; else the first split of the dataset, unless that is trained on."""
    dataset = request.validate_on or options.validation.dataset
    if dataset == NO_VALIDATION:
        return None
    if not dataset:
        first = trained_on.spec.splits[0]
        if trained_on.given_as_file or first == trained_on.split:
            return None
        dataset = f"{trained_on.spec.name}/{first}"
    same = dataset.partition("/")[0] == trained_on.spec.name
    images = request.validation_images or request.images
    opened = open_dataset(
        dataset,
        images=images,
        tasks=model.spec.tasks,
        overrides=request.overrides.get("dataset") if same else None,
    )
    if opened.given_as_file and images is None:
        raise UsageError(
            f"--validate-on {dataset} is a file: say where its images lie (--validation-images)"
        )
    return opened
