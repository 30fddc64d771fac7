"""Which data a training reads: opened, and held against what the model learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from benchsuite.categories import scored_categories
from benchsuite.errors import UsageError
from benchsuite.resolve import OpenedDataset, ResolvedModel, find_dataset, open_dataset, use
from benchsuite.scoring import serves
from benchsuite.specs import Category, RecipeSpec
from benchsuite.training.options import TrainingOptions
from benchsuite.training.request import NO_VALIDATION, TrainingRequest
from benchsuite.weights import resolve_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchsuite.records import ImageRecord

PROPOSALS = "training.data.proposals"


def open_training_data(
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


def check_tasks(model: ResolvedModel, opened: OpenedDataset) -> None:
    """See that there is truth for all that the model learns.

    Raises:
        UsageError: there is not.
    """
    lacking = [task for task in model.spec.tasks if not serves(opened.dataset.tasks, task)]
    if lacking:
        raise UsageError(
            f"model {model.spec.name!r} learns {', '.join(model.spec.tasks)}, dataset "
            f"{opened.title!r} has truth for {', '.join(opened.dataset.tasks) or 'nothing'}: no "
            f"{', '.join(lacking)} to learn from"
        )


def read_proposals(
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


def learnt_categories(
    model: ResolvedModel, opened: OpenedDataset, recipe: RecipeSpec
) -> tuple[Category, ...]:
    """The recipe's, on the dataset that it is for; else the dataset's."""
    if model.categories is not None and recipe.dataset == opened.spec.name:
        return model.categories
    return scored_categories(opened.dataset.categories, model.spec.tasks)


def open_validation_data(
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
