"""What a training will do, settled before it does any of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from benchsuite.errors import UsageError, unknown_name
from benchsuite.options import merge
from benchsuite.plugins import registry
from benchsuite.resolve import (
    OpenedDataset,
    ResolvedModel,
    find_dataset,
    keypoint_layout,
    resolve_model,
)
from benchsuite.specs import Category, RecipeSpec
from benchsuite.training.augmentation.augmentation import Augmentation, build_augmentation
from benchsuite.training.data.first_examples import FirstExamples
from benchsuite.training.data.joined_sets import Examples
from benchsuite.training.data.training_set import TrainingSet
from benchsuite.training.data_sources import (
    check_tasks,
    learnt_categories,
    open_training_data,
    open_validation_data,
    read_proposals,
)
from benchsuite.training.options import TrainingOptions
from benchsuite.training.processes.processes import Processes, find_processes
from benchsuite.training.recipe_options import read_training
from benchsuite.training.request import TrainingRequest
from benchsuite.training.start.initial_weights import starting_point


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
    datasets = tuple(open_training_data(each, request, model, dataset_options) for each in stated)
    for opened in datasets:
        check_tasks(model, opened)
    categories = learnt_categories(model, datasets[0], recipe)
    augmentation = build_augmentation(
        options.augmentations,
        tasks=model.spec.tasks,
        keypoints=keypoint_layout(datasets[0]),
        recompute_boxes=options.data.recompute_boxes,
    )
    proposals = read_proposals(model, options) if request.fetch else None
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
        validation=open_validation_data(request, model, options, datasets[0]),
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
