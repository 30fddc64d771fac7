"""What a recipe's table ``[training]`` says, and ``training.key=value`` on the command line.

A step is one update of the weights, and what the files of Detectron2 call an iteration: everything
that happens now and then is counted in them, from 0. Keys that Detectron2's configurations have are
called here as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchsuite.errors import UsageError

Precision = Literal["fp32", "fp16", "bf16"]


@dataclass(frozen=True, slots=True)
class LayerDecayOptions:
    """Layers near a network's input learn more slowly (ELECTRA, Clark et al. 2020).

    Attributes:
        num_layers: how many layers the network has, the embedding of its input not counted.
        lr_decay_rate: what a layer's learning rate is of that of the layer above it.
    """

    num_layers: int
    lr_decay_rate: float


@dataclass(frozen=True, slots=True)
class ParameterOverrides:
    """Settings of parameters of one name, in place of all that else would hold for them.

    Attributes:
        lr: their learning rate.
        weight_decay: their weight decay.
    """

    lr: float | None = None
    weight_decay: float | None = None


@dataclass(frozen=True, slots=True)
class OptimizerOptions:
    """The optimizer, and which parameters it treats apart.

    Attributes:
        lr: the learning rate after the warm-up.
        type: ``torch.optim``'s SGD or AdamW.
        momentum, nesterov: of SGD.
        betas, eps: of AdamW.
        weight_decay: of all parameters but those that the next two are for.
        weight_decay_norm: of scales and shifts of normalisation layers; ``None``: as of all.
        weight_decay_bias: of parameters called ``bias``, those of normalisation layers among them;
            ``None``: as of all.
        bias_lr_factor: what the learning rate of parameters called ``bias`` is multiplied by.
        layer_decay: learning rates that fall towards the input; ``None``: one for all layers.
        overrides: by the last part of a parameter's name (``pos_embed``), or by a pattern of the
            whole of it where it has a dot or an asterisk (``backbone.*``).
    """

    lr: float
    type: Literal["SGD", "AdamW"] = "SGD"
    momentum: float = 0.9
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-4
    weight_decay_norm: float | None = None
    weight_decay_bias: float | None = None
    bias_lr_factor: float = 1.0
    layer_decay: LayerDecayOptions | None = None
    overrides: Mapping[str, ParameterOverrides] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise UsageError(f"training.optimizer.lr must be above 0, not {self.lr}")


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """The learning rate over the steps, as a factor of the optimizer's.

    Attributes:
        type: ``"step"``: multiplied by ``gamma`` at each of ``steps``; ``"cosine"``: half a cosine
            from 1 at the first step to ``end_factor`` after the last (SGDR, Loshchilov and Hutter
            2017); ``"constant"``.
        steps: ascending.
        warmup: how it rises to what ``type`` says: ``"linear"``, from ``warmup_factor``;
            ``"constant"``: it stays at ``warmup_factor``.
        warmup_iters: how many steps that takes; not always a whole number, where settings were
            stated for another number of images a step; 0: there is none.
        warmup_factor: of the first step.
    """

    type: Literal["step", "cosine", "constant"] = "step"
    steps: tuple[int, ...] = ()
    gamma: float = 0.1
    end_factor: float = 0.0
    warmup: Literal["linear", "constant"] = "linear"
    warmup_iters: float = 1000.0
    warmup_factor: float = 0.001

    def __post_init__(self) -> None:
        if sorted(set(self.steps)) != list(self.steps):
            raise UsageError(f"training.schedule.steps must ascend, unlike {list(self.steps)}")
        if self.steps and self.type != "step":
            raise UsageError(f"training.schedule.steps mean nothing to type {self.type!r}")
        if self.warmup_iters < 0:
            raise UsageError("training.schedule.warmup_iters must not be below 0")


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which images and objects are trained on.

    Attributes:
        datasets: what ``--dataset`` takes, each with its split (``"coco/train2017"``); where a
            dataset is named on the command line, that one in place of all.
        dataset_options: options of ``datasets``, as ``dataset.key=value`` gives them on the command
            line; they do not hold for what is validated on.
        filter_empty: whether images without an object (crowds do not count) are left out.
        min_keypoints_per_image: images with fewer visible keypoints are left out.
        recompute_boxes: whether boxes are made of the masks once both are transformed.
        drop_invalid: whether objects that cannot be trained on, as boxes without an area, are left
            out and counted; else they are an error.
        proposals: file or URL of precomputed proposals, for models that find none themselves.
    """

    datasets: tuple[str, ...] = ()
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    filter_empty: bool = True
    min_keypoints_per_image: int = 0
    recompute_boxes: bool = False
    drop_invalid: bool = False
    proposals: str = ""


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """In which order images come.

    Attributes:
        type: ``"shuffle"``: all of them in a new order each epoch, without end; ``"epoch"``: the
            same, but what does not fill a step at an epoch's end is left out; ``"repeat_factor"``:
            images of rare categories several times an epoch (LVIS, Gupta et al. 2019).
        repeat_thresh: the share of images below which a category counts as rare.
        weights: how often images come from each of several datasets, relative to each other;
            empty: as many as each has.
        aspect_ratio_grouping: whether images that are padded together are all wide or all tall.
    """

    type: Literal["shuffle", "epoch", "repeat_factor"] = "shuffle"
    repeat_thresh: float = 0.001
    weights: tuple[float, ...] = ()
    aspect_ratio_grouping: bool = True


@dataclass(frozen=True, slots=True)
class ClipGradientsOptions:
    """How gradients are kept in bounds.

    Attributes:
        type: ``"value"``: each number; ``"norm"``: the norm over all parameters together;
            ``"norm_per_parameter"``: the norm of each parameter, as Detectron2's ``"norm"``.
        value: the bound.
        norm_type: p of the p-norm; ``inf`` is the largest number.
    """

    type: Literal["value", "norm", "norm_per_parameter"] = "norm"
    value: float = 1.0
    norm_type: float = 2.0

    def __post_init__(self) -> None:
        if not self.value > 0:
            raise UsageError(f"training.clip_gradients.value must be above 0, not {self.value}")


@dataclass(frozen=True, slots=True)
class EMAOptions:
    """An exponential moving average of the weights; it is what is validated and kept.

    Attributes:
        decay: the share of the average that a step leaves.
        warmup_iters: the share grows as ``decay * (1 - exp(-step / warmup_iters))``, so that the
            first weights are soon forgotten; 0: it is the same from the first step.
    """

    decay: float = 0.9998
    warmup_iters: float = 2000.0

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise UsageError(f"training.ema.decay must be from 0 to below 1, not {self.decay}")


@dataclass(frozen=True, slots=True)
class EarlyStoppingOptions:
    """When there is no point in going on.

    Attributes:
        patience: so many validations in a row without a better value.
        min_delta: what a value must be better by.
    """

    patience: int = 5
    min_delta: float = 0.0


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """What the model is measured by meanwhile.

    Attributes:
        dataset: what ``--dataset`` takes; empty: the first split of the recipe's dataset.
        metric: the value that says which weights are the best (``"bbox/AP"``, or with ``losses``
            ``"loss/total"``); empty: the primary one of the model's last task.
        losses: whether the losses are computed too.
        limit: of the images, the first so many; ``None``: all.
    """

    dataset: str = ""
    metric: str = ""
    losses: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a model is trained. Where a number hangs on ``images_per_batch``, it is for that one.

    Attributes:
        iterations: how many steps.
        images_per_batch: images a step, those of all processes and micro-batches together.
        init: the weights to start from: empty (random), a published URL (``detectron2://``,
            ``catalog://``, ``https://``), a file, a recipe's name (its published weights) or the
            folder of a training. What of them fits is taken.
        accumulate: micro-batches that a process takes one after the other for one step.
        precision: of the forward pass; ``"fp16"`` scales the loss.
        augmentations: what is done to an image and its truth, in this order: a registered
            transform's name as ``type``, and its options.
        precise_bn: whether statistics of batch normalisation are measured anew before they are used
            in validation and kept (Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021).
        activation_checkpointing: whether activations are computed again for the backward pass,
            which takes less memory and more time.
        clip_gradients, ema, early_stopping: ``None``: not done.
        validate_every, checkpoint_every: steps; always after the last one; 0: only then.
        log_every: steps between two lines of the log.
        workers: processes that load images, for each process that trains.
        seed: of everything that is drawn at random.
        auto_scale: whether the learning rate and the number of steps follow where
            ``images_per_batch`` or ``iterations`` is given another value than the recipe's.
    """

    iterations: int
    images_per_batch: int
    optimizer: OptimizerOptions
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    init: str = ""
    accumulate: int = 1
    precision: Precision = "fp32"
    data: DataOptions = field(default_factory=DataOptions)
    sampler: SamplerOptions = field(default_factory=SamplerOptions)
    augmentations: tuple[Mapping[str, Any], ...] = ()
    precise_bn: bool = False
    activation_checkpointing: bool = False
    clip_gradients: ClipGradientsOptions | None = None
    ema: EMAOptions | None = None
    early_stopping: EarlyStoppingOptions | None = None
    validation: ValidationOptions = field(default_factory=ValidationOptions)
    validate_every: int = 5000
    checkpoint_every: int = 5000
    log_every: int = 20
    workers: int = 4
    seed: int = 0
    auto_scale: bool = True

    def __post_init__(self) -> None:
        for name in ("iterations", "images_per_batch", "accumulate", "log_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"training.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("validate_every", "checkpoint_every", "workers"):
            if getattr(self, name) < 0:
                raise UsageError(f"training.{name} must not be below 0")
        if self.precise_bn and self.ema is not None:
            raise UsageError(
                "training.precise_bn measures for the weights of the last step, and with "
                "training.ema others are kept: choose one"
            )
        for index, augmentation in enumerate(self.augmentations):
            if not isinstance(augmentation.get("type"), str):
                raise UsageError(f"training.augmentations[{index}] does not say its type")
