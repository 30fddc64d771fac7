"""The head of the corridor: names and options become specs, and specs become things.

Nothing here predicts or scores; an unknown name, an unknown option and data that is not there all
end here, before any work is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import ContractError, DataMissingError, PluginError, UsageError, unknown_name
from benchsuite.options import merge, options_to_json, read_options
from benchsuite.paths import cache_folder, datasets_folder
from benchsuite.plugins import registry
from benchsuite.specs import (
    Category,
    DatasetSpec,
    KeypointLayout,
    ModelSpec,
    RecipeSpec,
    load,
)
from benchsuite.trained import Trained, find_trained, trained_model

if TYPE_CHECKING:
    from benchsuite.protocols import Dataset


def use(import_string: str, what: str) -> Any:
    """The object a spec names; a plugin's failure to provide it is told as the plugin's."""
    try:
        return load(import_string)
    except (ImportError, AttributeError, ValueError) as error:
        raise PluginError(f"{what} cannot be used: {import_string}: {error}") from error


# --- datasets ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenedDataset:
    """A dataset, opened.

    Attributes:
        name: what results call it (the file's stem, for a dataset given as a file).
        options: its options as JSON-able values.
    """

    name: str
    spec: DatasetSpec
    split: str
    dataset: Dataset
    options: Mapping[str, Any]
    given_as_file: bool = False

    @property
    def title(self) -> str:
        return self.name if self.given_as_file else f"{self.name}/{self.split}"


def find_dataset(argument: str, split: str | None = None) -> tuple[DatasetSpec, str, Path | None]:
    """``"coco"``, ``"coco/val2017"`` or a file to its spec, split and (for a file) path."""
    found = registry()
    name, slash, given = argument.partition("/")
    path = Path(argument).expanduser()
    if name in found.datasets and (not slash or given in found.datasets[name].splits):
        spec = found.datasets[name]
        if split and given and split != given:
            raise UsageError(f"--dataset {argument} and --split {split} name two splits")
        chosen = split or given or spec.splits[0]
        if chosen not in spec.splits:
            raise unknown_name(f"split of {name}", chosen, spec.splits)
        return spec, chosen, None
    for spec in found.datasets.values():
        if spec.suffixes and path.name.endswith(spec.suffixes):
            if not path.is_file():
                raise DataMissingError(f"there is no annotation file {path}")
            return spec, split or spec.splits[0], path
    if name in found.datasets:
        raise unknown_name(f"split of {name}", given, found.datasets[name].splits)
    raise found.missing("dataset", argument, found.datasets)


def open_dataset(
    argument: str,
    *,
    split: str | None = None,
    images: Path | None = None,
    tasks: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> OpenedDataset:
    """Open a dataset by name, ``name/split`` or path.

    A path is opened by the dataset plugin that reads its ending, else by the label format that it
    looks like.

    Args:
        images: the image folder, for a dataset given as a path.
        tasks: what the command is about, for a dataset whose truth lies in several files.
        overrides: option values put over the defaults.

    Raises:
        UsageError: no such dataset, split or option.
        DataMissingError: its files are not there.
    """
    from benchsuite.protocols import Dataset, DatasetRequest

    if _is_labels(argument):
        return _open_labels(Path(argument).expanduser(), split, images, tasks)
    spec, chosen, annotations = find_dataset(argument, split)
    options = read_spec_options(spec.options, overrides or {}, "dataset", spec.name)
    request = DatasetRequest(
        split=chosen,
        root=datasets_folder(),
        cache=cache_folder(),
        options=options,
        annotations=annotations,
        images=images,
        tasks=tuple(tasks),
    )
    dataset = use(spec.factory, f"dataset {spec.name!r}")(request)
    if not isinstance(dataset, Dataset):
        raise ContractError(
            f"dataset {spec.name!r}: {spec.factory} returned a {type(dataset).__name__}, which "
            "lacks part of benchsuite.protocols.Dataset"
        )
    return OpenedDataset(
        name=annotations.stem if annotations else spec.name,
        spec=spec,
        split=chosen,
        dataset=dataset,
        options=options_to_json(options),
        given_as_file=annotations is not None,
    )


def _is_labels(argument: str) -> bool:
    """Whether a dataset is given as a path that no dataset plugin reads itself."""
    path, found = Path(argument).expanduser(), registry()
    if argument.partition("/")[0] in found.datasets or not path.exists():
        return False
    return path.is_dir() or not any(
        spec.suffixes and path.name.endswith(spec.suffixes) for spec in found.datasets.values()
    )


def _open_labels(
    path: Path, split: str | None, images: Path | None, tasks: Sequence[str]
) -> OpenedDataset:
    from benchsuite.format_dataset import FormatDataset
    from benchsuite.formats import read_truth, recognise
    from benchsuite.protocols import TruthRequest

    format_spec = recognise(path)
    task = tasks[0] if len(tasks) == 1 else ""
    request = TruthRequest(path=path, images=images, split=split, task=task)
    dataset = FormatDataset(path, format_spec, read_truth(request, format_spec.name))
    spec = DatasetSpec(path.stem, dataset.tasks, str(format_spec.read_truth), splits=(split or "",))
    return OpenedDataset(
        name=path.stem,
        spec=spec,
        split=split or "",
        dataset=dataset,
        options={"format": format_spec.name},
        given_as_file=True,
    )


def read_spec_options(
    options: str | None, values: Mapping[str, Any], table: str, owner: str
) -> Any:
    """An instance of the options dataclass that a spec names, or ``None`` where it has none."""
    if options is None:
        if values:
            raise UsageError(f"{owner!r} takes no options, but was given {', '.join(values)}")
        return None
    return read_options(use(options, f"options of {owner!r}"), values, table)


# --- models -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model, chosen but not built.

    Attributes:
        recipe: the zoo entry whose options (and, unless told otherwise, weights) it takes.
        body: the whole recipe.
        options: an instance of its options dataclass.
        categories: what its labels mean; ``None``: what the dataset has.
        weights: what ``--weights`` was given, or the folder of a training that the model is of.
        trained: the checkpoint of a training that model or weights name.
    """

    spec: ModelSpec
    recipe: RecipeSpec | None
    body: Mapping[str, Any]
    options: Any
    categories: tuple[Category, ...] | None
    weights: str | None = None
    trained: Trained | None = None


def resolve_model(
    argument: str,
    *,
    dataset: str,
    weights: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> ResolvedModel:
    """A model's or recipe's name, or a training's folder, to what shall be built for that dataset.

    A model's own name stands for its default recipe on the dataset, where there is one. Naming a
    recipe or a training as ``weights`` chooses its options and categories too.

    Raises:
        UsageError: an unknown name or option, or weights of another model.
        DataMissingError: the folder holds no training, or one without a checkpoint.
    """
    found = registry()
    registered = argument in found.recipes or argument in found.models
    recipe, trained = found.recipes.get(argument), None if registered else trained_model(argument)
    name = recipe.model if recipe else trained.model if trained else argument
    spec = found.models.get(name)
    if spec is None:
        raise found.missing("model", name, [*found.models, *found.recipes])
    if weights in found.recipes:
        recipe, trained = found.recipes[weights], None
    elif weights is not None and (theirs := find_trained(weights)) is not None:
        trained = theirs
    elif weights is None and trained is not None:
        weights = argument
    if trained is not None:
        recipe = found.recipes.get(trained.recipe)
    owner = trained.model if trained else recipe.model if recipe else spec.name
    if owner != spec.name:
        raise UsageError(f"--weights {weights} are of model {owner!r}, not {spec.name!r}")
    if recipe is None and trained is None:
        recipe = default_recipe(spec, dataset)
    body: Mapping[str, Any] = {}
    if recipe is not None:
        body = use(recipe.source, f"recipe {recipe.name!r}")(recipe.name)
    values = merge(trained.options if trained else body.get("model_options", {}), overrides or {})
    stated = trained.categories if trained else body.get("categories")
    return ResolvedModel(
        spec=spec,
        recipe=recipe,
        body=body,
        options=read_spec_options(spec.options, values, "model", spec.name),
        categories=_categories(spec, stated if weights != "random" else None),
        weights=weights,
        trained=trained,
    )


def default_recipe(spec: ModelSpec, dataset: str) -> RecipeSpec | None:
    """The recipe that the model's own name stands for on that dataset."""
    for recipe in registry().recipes.values():
        if recipe.default and recipe.model == spec.name and recipe.dataset == dataset:
            return recipe
    return None


def _categories(spec: ModelSpec, stated: Sequence[Category] | None) -> tuple[Category, ...] | None:
    if stated:
        return tuple(stated)
    if isinstance(spec.categories, str):
        return tuple(use(spec.categories, f"categories of {spec.name!r}"))
    return spec.categories


def keypoint_layout(opened: OpenedDataset) -> KeypointLayout | None:
    """The keypoint layout that results on this dataset are scored with."""
    return _layout(opened.dataset.keypoints or opened.spec.keypoints, opened.spec)


def stated_layout(spec: DatasetSpec) -> KeypointLayout | None:
    """The keypoint layout of a dataset that has one before it is opened."""
    return _layout(spec.keypoints, spec)


def _layout(stated: KeypointLayout | str | None, spec: DatasetSpec) -> KeypointLayout | None:
    if isinstance(stated, str):
        stated = use(stated, f"keypoints of {spec.name!r}")
    if stated is not None and not isinstance(stated, KeypointLayout):
        raise ContractError(f"keypoints of {spec.name!r} is no KeypointLayout: {stated!r}")
    return stated
