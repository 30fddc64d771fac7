"""What a plugin registers: small, frozen descriptions that cost nothing to make.

A spec names its factory by an import string (``"package.module:attribute"``), which the host
imports when the spec is used and not before. So nothing in this module, and nothing in a plugin's
registering module, imports torch, pandas, pyarrow or pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

TASKS = ("bbox", "segm", "keypoints", "semantic", "panoptic", "proposals", "rotated")
"""The tasks the host knows how to carry through the corridor (a metric may score any of them)."""


@dataclass(frozen=True, slots=True)
class Category:
    """One category, as the dataset (or the weights) numbers and names it.

    Attributes:
        id: the id used in the files; any integer that fits 64 bits, zero included.
        name: its name; models and datasets are matched by it.
        isthing: False for stuff (regions without instances).
        supercategory: the group it belongs to, where there is one.
        frequency: ``"r"``, ``"c"`` or ``"f"``: whether few, some or many images of the training set
            hold it, where the dataset says so (LVIS).
    """

    id: int
    name: str
    isthing: bool = True
    supercategory: str = ""
    frequency: str = ""


@dataclass(frozen=True, slots=True)
class KeypointLayout:
    """The keypoints of a dataset: what they are called and how they are scored.

    Attributes:
        names: one a keypoint, in file order.
        sigmas: COCO's per-keypoint standard deviation relative to the object's scale; the OKS
            falls off with variance ``(2 sigma)^2``.
        flip_pairs: pairs of indices that change places in a mirrored image.
        skeleton: pairs of indices to draw a line between.
    """

    names: tuple[str, ...]
    sigmas: tuple[float, ...]
    flip_pairs: tuple[tuple[int, int], ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model.

    Attributes:
        name: what ``--model`` takes.
        tasks: which of ``TASKS`` its predictions carry.
        factory: import string of ``factory(request: ModelRequest) -> Model``.
        summary: one line.
        licence: SPDX identifier of the model's code.
        categories: what its labels mean, label ``i`` being ``categories[i]``: a tuple, or the
            import string of one. ``None``: it takes the categories of the dataset (or those that
            its weights or recipe state).
        options: import string of the dataclass that its options are read into; ``None``: it takes
            no options.
        proposals: for a model that finds no regions itself but learns from given ones, import
            string of ``read(path: Path) -> Callable[[ImageRecord], NDArray]``, which reads a file
            of them: of an image (P, 4) float32, xyxy, best first. What it returns can be pickled.
        execution: which options of ``ModelRequest.execution`` it takes, by name (``"precision"``,
            ``"compile"``, ``"channels_last"``, ``"cuda_graph"``). The host refuses the others.
    """

    name: str
    tasks: tuple[str, ...]
    factory: str
    summary: str = ""
    licence: str = ""
    categories: tuple[Category, ...] | str | None = None
    options: str | None = None
    proposals: str | None = None
    execution: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A dataset.

    Attributes:
        name: what ``--dataset`` takes (``name/split`` names a split too).
        tasks: which of ``TASKS`` it holds truth for.
        factory: import string of ``factory(request: DatasetRequest) -> Dataset``.
        metrics: names of the metrics it is scored with by default, at least one a task.
        splits: names of its splits; the first is the default.
        summary: one line.
        licence: SPDX identifier or name of the data's licence.
        categories: a tuple, or the import string of one; ``None``: known once its files are read.
        keypoints: the keypoint layout, or the import string of one; ``None``: there is none, or it
            is read from the file.
        options: import string of the dataclass that its options are read into.
        suffixes: endings of the annotation files it reads (``(".json",)``), for a dataset that is
            given as a file instead of by name.
        fetch: import string of ``fetch(request: FetchRequest) -> None``, which downloads it;
            ``None``: it cannot be fetched (or needs no fetching).
    """

    name: str
    tasks: tuple[str, ...]
    factory: str
    metrics: tuple[str, ...] = ()
    splits: tuple[str, ...] = ("val",)
    summary: str = ""
    licence: str = ""
    categories: tuple[Category, ...] | str | None = None
    keypoints: KeypointLayout | str | None = None
    options: str | None = None
    suffixes: tuple[str, ...] = ()
    fetch: str | None = None


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric: one protocol for one task.

    Attributes:
        name: what ``--metric`` takes.
        task: which of ``TASKS`` it scores.
        factory: import string of ``factory() -> Metric``, or of ``factory(options) -> Metric``
            where the spec names ``options``.
        prefix: what its values are called after, as ``"<prefix>/<value>"``; default: the task.
        primary: the value a leaderboard is sorted by.
        higher_is_better: how it is sorted.
        summary: one line.
        licence: SPDX identifier of the metric's code.
        options: import string of the dataclass that its options (``metric.key=value``) are read
            into; ``None``: it takes none.
        official: import string of a factory, called as ``factory`` is, of the protocol's official
            scorer (a ``benchsuite.protocols.OfficialScorer``), for ``--scorer official`` and
            ``--scorer both``; ``None``: there is none.
    """

    name: str
    task: str
    factory: str
    prefix: str = ""
    primary: str = "AP"
    higher_is_better: bool = True
    summary: str = ""
    licence: str = ""
    options: str | None = None
    official: str | None = None

    @property
    def value_prefix(self) -> str:
        return self.prefix or self.task


@dataclass(frozen=True, slots=True)
class LossSpec:
    """A loss function, unreduced: whoever uses it sums and divides.

    Attributes:
        name: what a recipe calls it.
        factory: import string of ``factory(**options) -> Callable[[Tensor, Tensor], Tensor]``, the
            callable taking predictions and targets.
        summary: one line.
        licence: SPDX identifier of the loss's code.
        compares: what those are:
            ``"values"``: any two tensors of one shape, element by element;
            ``"boxes"``: two (R, 4), xyxy, to (R,);
            ``"labels"``: logits (R, K) and labels (R,) int64, to (R,);
            ``"binary"``: logits and what is 0 or 1, of one shape, element by element.
    """

    name: str
    factory: str
    summary: str = ""
    licence: str = ""
    compares: str = "values"


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """An augmentation.

    Attributes:
        name: what a recipe calls it.
        factory: import string of ``factory(**options) -> torchvision.transforms.v2.Transform``. An
            option that is a table of a transform comes as that transform. What the transform is
            called with is said in ``benchsuite.training.augmentation.samples``, and how one mixes
            several images in ``benchsuite.training.augmentation.augmentation``.
        summary: one line.
        licence: SPDX identifier of the transform's code.
    """

    name: str
    factory: str
    summary: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class RecipeSpec:
    """A zoo entry, as much of it as a list needs; the rest is parsed from its file when used.

    Attributes:
        name: the published name (``mask_rcnn_R_50_FPN_3x``).
        model: the model's name.
        dataset: the dataset it was published on.
        tasks: what it predicts.
        source: import string of ``source(name) -> Mapping``, which reads the whole recipe:
            ``model_options`` and ``metric_options`` (as the options dataclasses take them),
            ``weights`` (``url``, of kind ``file:`` for a file of the plugin's own, and where known
            ``bytes``, ``sha256``, ``md5`` or the first digits of one, ``sha256_prefix`` or
            ``md5_prefix``) and ``categories`` (a sequence of ``Category``: what the labels mean).
            All may be missing.
        default: whether ``--model <model> --dataset <dataset>`` means this recipe.
        config: the published configuration's path, where there is one.
        model_id: the publisher's number of the weights.
        weights_url: where the weights are; empty: none published yet.
        published: ``"<task>/<value>"`` to the published number, unscaled (0 to 1).
        summary: one line.
        licence: licence of the weights.
    """

    name: str
    model: str
    dataset: str
    tasks: tuple[str, ...]
    source: str
    default: bool = False
    config: str = ""
    model_id: str = ""
    weights_url: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    summary: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format in which labels and detections lie on disk, as a file or a folder.

    Every function is named by an import string and may be missing; a format has one at least of
    those that read and write. Their requests are in ``benchsuite.protocols``.

    Attributes:
        name: what ``--from`` and ``--to`` take.
        recognises: ``recognises(path: Path) -> bool``: whether a path that is there looks like this
            format. A look at names and first bytes, cheap and without errors.
        read_truth: ``read_truth(request: TruthRequest) -> Truth``.
        write_truth: ``write_truth(truth: Truth, request: WriteRequest) -> Mapping[str, int]``; what
            comes back says what the format could not hold and how many of it there were
            (``{"masks": 839}``).
        read_predictions: ``read_predictions(request: PredictionsRequest) -> Predictions``.
        write_predictions: ``write_predictions(predictions: Predictions, request: WriteRequest) ->
            Mapping[str, int]``, as ``write_truth``.
        suffixes: endings of the files it reads; a file with another ending is not looked at. A
            folder always is.
        tasks: which of ``TASKS`` it can hold something of.
        summary: one line.
        licence: SPDX identifier of the format's code.
    """

    name: str
    recognises: str
    read_truth: str | None = None
    write_truth: str | None = None
    read_predictions: str | None = None
    write_predictions: str | None = None
    suffixes: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    summary: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A further verb: ``factory`` is the import string of a ``click.Command``."""

    name: str
    factory: str
    summary: str = ""


Spec = (
    ModelSpec
    | DatasetSpec
    | MetricSpec
    | LossSpec
    | TransformSpec
    | RecipeSpec
    | FormatSpec
    | CommandSpec
)


def load(import_string: str) -> Any:
    """The object that ``"package.module:attribute"`` names."""
    module, _, attribute = import_string.partition(":")
    if not attribute:
        raise ValueError(f"{import_string!r} is not of the form 'package.module:attribute'")
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found
