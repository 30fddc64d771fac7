"""What the host asks of a model, a dataset and a metric, and what it hands their factories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from benchsuite.progress import ShowsProgress, no_progress
from benchsuite.specs import Category, KeypointLayout

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Parameter

    from benchsuite.execution import Execution
    from benchsuite.records import Image, ImageRecord, Prediction
    from benchsuite.targets import Target


# --- models -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """A checkpoint that a training starts from: the model's own, that of a model for other
    categories, or that of its backbone alone.

    Attributes:
        path: the checkpoint, on this machine.
        name: what to call it in messages.
        categories: what the labels meant to the model that it is of; empty: that is not known.
        keypoints: the layout that model was for, where it had one and it is known.
    """

    path: Path
    name: str
    categories: tuple[Category, ...] = ()
    keypoints: KeypointLayout | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model's factory is given.

    Attributes:
        options: an instance of the spec's options dataclass, or ``None`` where it has none.
        categories: what the labels shall mean.
        weights: path of a checkpoint that is on this machine, or ``None`` for random weights.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        seed: for random weights.
        keypoints: the dataset's keypoint layout, where it has one.
        initial: weights to start training from, in place of ``weights``: what fits of them goes
            over random ones. A model that can say what it took is a ``StartedModel``.
        execution: how a model that shall only predict is to be executed; ``None``: as it stands,
            so that it can be trained. No option is at other than its default that the model's spec
            does not name.
    """

    options: Any = None
    categories: tuple[Category, ...] = ()
    weights: Path | None = None
    device: str = "cpu"
    seed: int = 0
    keypoints: KeypointLayout | None = None
    initial: InitialWeights | None = None
    execution: Execution | None = None


@runtime_checkable
class Model(Protocol):
    """A model: images in, one prediction an image out, in order."""

    def predict(self, images: Sequence[Image]) -> Sequence[Prediction]: ...


@runtime_checkable
class StagedModel(Protocol):
    """A model whose stages can be timed apart.

    ``preprocess`` ends with the batch on the device, ``forward`` with raw outputs on the device,
    ``postprocess`` with predictions in host memory. The host synchronises the device between them.
    ``predict`` must equal the three in a row.
    """

    def predict(self, images: Sequence[Image]) -> Sequence[Prediction]: ...
    def preprocess(self, images: Sequence[Image]) -> Any: ...
    def forward(self, batch: Any) -> Any: ...
    def postprocess(self, outputs: Any) -> Sequence[Prediction]: ...


@runtime_checkable
class DescribedModel(Protocol):
    """A model that states what its result's identity depends on, as JSON-able values.

    Keys with a meaning to the host: ``preprocessing`` (resize, normalisation, padding),
    ``parameters`` (their number).
    """

    def describe(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, eq=False)
class ParameterGroup:
    """Trainable parameters that a recipe may treat apart; each lies in one group of its model.

    The numbers are the recipe's: a weight decay of their own for ``of_norms``, a learning rate that
    falls with ``layers_above``, settings for parameters of a certain name.

    Attributes:
        names: one a parameter, as in the model's state dict.
        parameters: the parameters.
        layers_above: how many layers of a network whose layers may learn at different rates lie
            between these parameters and what follows that network, their own counted; 0 for what
            is in no such network.
        of_norms: whether they are scales and shifts of normalisation layers.
    """

    names: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    layers_above: int = 0
    of_norms: bool = False


@runtime_checkable
class TrainableModel(Protocol):
    """A model that a trainer which knows no model can train.

    ``losses`` sees images at the size they have: a recipe's transforms resize, flip and crop them
    together with their targets, and the model only normalises and pads. It returns every term
    already weighted, a scalar each, on the model's device; the trainer sums them and goes backward.
    Whether the model is in training mode is the trainer's business (``model.train()``).

    Every parameter that trains has a gradient of every call, if only 0 (of images without objects,
    say): of several processes each waits for all gradients of the others.
    """

    def losses(
        self, images: Sequence[Image], targets: Sequence[Target]
    ) -> Mapping[str, Tensor]: ...
    def parameter_groups(self) -> Sequence[ParameterGroup]: ...


@runtime_checkable
class StepwiseModel(Protocol):
    """A trainable model whose losses keep averages over the batches that it saw.

    A trainer that makes a step of several micro-batches, or in several processes, computes all
    their losses within ``whole_step``, in every process: so the averages move once a step, by all
    of them together. Outside of it each call of ``losses`` counts as a step.
    """

    def whole_step(self) -> AbstractContextManager[None]: ...


@runtime_checkable
class RecomputingModel(Protocol):
    """A trainable model that can do with less memory: after ``recompute_activations`` it computes
    part of its activations anew in the backward pass, in place of keeping them. Losses and
    gradients are the same."""

    def recompute_activations(self) -> None: ...


@runtime_checkable
class ResizingModel(Protocol):
    """A model that says how large its network sees an image in ``predict``.

    ``resized`` returns the image in that size, uint8 as it came, neither normalised nor padded:
    what ``losses`` takes where losses are measured without augmentation.
    """

    def resized(self, image: Image) -> Image: ...


@runtime_checkable
class CountingModel(Protocol):
    """A trainable model whose losses may hang on how common its categories are.

    Before a training's first step it is told how many of the images hold each of them, in the
    order of its labels; what it makes of that is saved with its weights.
    """

    def set_image_counts(self, counts: Sequence[int]) -> None: ...


@runtime_checkable
class StartedModel(Protocol):
    """A model that says what it took of its request's ``initial``, a line each for the user: how
    much of it fitted, and which parts are drawn anew."""

    @property
    def started(self) -> Sequence[str]: ...


# --- datasets ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What a dataset's factory is given.

    Attributes:
        split: one of the spec's splits.
        options: an instance of the spec's options dataclass, or ``None``.
        annotations: the annotation file, for a dataset given as a file.
        images: the image folder, for a dataset given as a file; ``None``: no images are needed.
        root: the folder that datasets lie in.
        cache: where generated data may be kept.
        tasks: what the command is about, where it knows; a dataset whose truth lies in several
            annotation files may choose among them by it.
    """

    split: str
    root: Path
    cache: Path
    options: Any = None
    annotations: Path | None = None
    images: Path | None = None
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What a dataset's ``fetch`` is given: split names (empty: all), where to, and reporting."""

    splits: tuple[str, ...]
    root: Path
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """Ground truth for one task, as columns.

    Attributes:
        images: ``schemas.TRUTH_IMAGES``, in evaluation order.
        instances: ``schemas.TRUTH_INSTANCES``, in file order.
        categories: all categories of the dataset, in file order.
        keypoints: the layout, for the keypoint task.
        source: the annotation file, for messages.
    """

    images: pa.Table
    instances: pa.Table
    categories: tuple[Category, ...]
    keypoints: KeypointLayout | None = None
    source: str = ""


@runtime_checkable
class Dataset(Protocol):
    """A dataset, opened. ``truth`` needs no images; ``load`` is called only for a run.

    ``annotation_sha256`` identifies the truth: the hash of the annotation file where there is one.
    ``tasks`` are those its truth really serves (a COCO file without masks has no ``segm``).
    """

    @property
    def categories(self) -> tuple[Category, ...]: ...
    @property
    def keypoints(self) -> KeypointLayout | None: ...
    @property
    def tasks(self) -> tuple[str, ...]: ...
    @property
    def annotation_sha256(self) -> str: ...
    def images(self) -> Sequence[ImageRecord]: ...
    def load(self, record: ImageRecord) -> Image: ...
    def truth(self, task: str) -> Truth: ...


@runtime_checkable
class PublishedDataset(Protocol):
    """A dataset that knows what its publisher released, so that ``data verify`` can compare.

    Both are ``None`` where nothing is known of the split.
    """

    @property
    def published_annotation_sha256(self) -> str | None: ...
    @property
    def published_image_count(self) -> int | None: ...


@runtime_checkable
class OutlinedDataset(Protocol):
    """A dataset whose masks may be polygons, which a model learns from as they are.

    ``truth`` has them as run lengths. ``mask_shapes`` is ``schemas.MASK_SHAPES``, a row for each
    row of ``truth(task).instances``.
    """

    def mask_shapes(self) -> pa.Table: ...


class ImageSource(Protocol):
    """Where a dataset's images are: no annotations, so that it is cheap to hand to a process.

    ``load`` is ``Dataset.load``; ``path`` is where an image is looked for.
    """

    def load(self, record: ImageRecord) -> Image: ...
    def path(self, record: ImageRecord) -> Path: ...


@runtime_checkable
class ImageSourceDataset(Protocol):
    """A dataset that knows where its images are apart from all else.

    The processes that load images for training are given its source; of other datasets they are
    given the whole.
    """

    def image_source(self) -> ImageSource: ...


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions, as columns.

    Attributes:
        images: ``schemas.PREDICTION_IMAGES``; images without a row were not run.
        instances: ``schemas.PREDICTION_INSTANCES``.
        source: the file they came from, for messages.
    """

    images: pa.Table
    instances: pa.Table
    source: str = ""


# --- formats ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TruthRequest:
    """What a format's ``read_truth`` is given.

    Attributes:
        path: the file or folder.
        images: the folder that the images lie in; ``None``: where the format has it. Formats
            that do not store the images' sizes read them from their headers.
        split: which part of it, where it has several; ``None``: the format's own choice.
        categories: what the labels mean; empty: as the files say, where they do.
        keypoints: the layout of keypoints, where the files do not say it.
        task: one of ``TASKS`` that the truth is for; empty: everything that is there.
        progress: see ``benchsuite.progress.progress``; nothing is shown by default.
    """

    path: Path
    images: Path | None = None
    split: str | None = None
    categories: tuple[Category, ...] = ()
    keypoints: KeypointLayout | None = None
    task: str = ""
    progress: ShowsProgress = no_progress


@dataclass(frozen=True, slots=True)
class PredictionsRequest:
    """What a format's ``read_predictions`` is given.

    Attributes:
        path: the file or folder.
        images: all images of the dataset, each of which gets a row in ``Predictions.images``.
        categories: all categories of the dataset.
        task: one of ``TASKS`` that they are scored for; empty: everything that is there.
        progress: as in ``TruthRequest``.
    """

    path: Path
    images: Sequence[ImageRecord]
    categories: tuple[Category, ...]
    task: str = ""
    progress: ShowsProgress = no_progress


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What a format's ``write_truth`` and ``write_predictions`` are given.

    Attributes:
        path: the file or folder; it is not there yet, the folder above it is.
        categories: all categories of the dataset.
        split: what a format that keeps lists of images calls this one.
        task: one of ``TASKS`` that is meant; empty: everything.
        progress: as in ``TruthRequest``.
    """

    path: Path
    categories: tuple[Category, ...]
    split: str = "val"
    task: str = ""
    progress: ShowsProgress = no_progress


# --- metrics ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scores:
    """What a metric's second step returns.

    Attributes:
        metrics: value name to number, unscaled; -1 where there is nothing to measure.
        per_class: ``schemas.PER_CLASS``, or ``None``.
        curves: ``schemas.PR_CURVES``, or ``None``.
    """

    metrics: Mapping[str, float]
    per_class: pa.Table | None = None
    curves: pa.Table | None = None


@runtime_checkable
class Metric(Protocol):
    """A metric, in two steps.

    ``match`` looks at truth and predictions and makes a table with an int64 column ``image_id``;
    everything else in it is the metric's own business. ``accumulate`` makes values of such a table
    alone: intervals, shards, slices and comparisons call only that, with a weight an image
    (``image_id`` to a non-negative number; an image that is not named counts 0) or none at all.

    Tables of disjoint sets of images may be concatenated, in any order: the values of the whole are
    to the bit those of one table that was made at once.

    ``evaluator`` names the implementation and its version; it is part of a result's identity.
    """

    @property
    def evaluator(self) -> str: ...
    def match(self, truth: Truth, predictions: Predictions) -> pa.Table: ...
    def accumulate(
        self, matches: pa.Table, image_weights: Mapping[int, float] | None = None
    ) -> Scores: ...


@runtime_checkable
class ResampledMetric(Protocol):
    """A metric that evaluates many weightings of the images faster than one after the other.

    ``resample`` is given ``image_ids``, (I,) int64, and ``weights``, (R, I) float64, and returns
    (R,) float64 for each name of ``Scores.metrics``: to the bit what ``accumulate`` returns for
    each row of weights.
    """

    def resample(
        self, matches: pa.Table, image_ids: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> Mapping[str, NDArray[np.float64]]: ...


@runtime_checkable
class OfficialScorer(Protocol):
    """A protocol's official scorer: what the metric's numbers are held against."""

    @property
    def evaluator(self) -> str: ...
    def score(self, truth: Truth, predictions: Predictions) -> Scores: ...
