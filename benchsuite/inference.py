"""The middle of the corridor: a model is built and taken over the images, batch by batch.

Finished batches go into a resumable working area; a batch is never split, so a resumed run forms
the same batches and ends with the same predictions as one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchsuite.errors import ContractError, InterruptedRun
from benchsuite.pipeline import ready_batches
from benchsuite.progress import progress
from benchsuite.protocols import (
    DescribedModel,
    InitialWeights,
    Model,
    ModelRequest,
    StartedModel,
)
from benchsuite.resolve import OpenedDataset, ResolvedModel, use
from benchsuite.throughput import StageTimes, timed_outputs, timed_predict

if TYPE_CHECKING:
    from benchsuite.devices import Device
    from benchsuite.execution import Execution
    from benchsuite.predictions.parts import PredictionParts, Sample
    from benchsuite.records import ImageRecord, Prediction
    from benchsuite.specs import Category, KeypointLayout


def build_model(
    resolved: ResolvedModel,
    categories: Sequence[Category],
    *,
    weights: Path | None,
    device: Device,
    seed: int,
    keypoints: KeypointLayout | None = None,
    initial: InitialWeights | None = None,
    execution: Execution | None = None,
) -> Model:
    """Call the model's factory.

    Raises:
        ContractError: what it returned is no model, or one that took no initial weights.
    """
    spec = resolved.spec
    request = ModelRequest(
        options=resolved.options,
        categories=tuple(categories),
        weights=weights,
        device=device.name,
        seed=seed,
        keypoints=keypoints,
        initial=initial,
        execution=execution,
    )
    model = use(spec.factory, f"model {spec.name!r}")(request)
    if not isinstance(model, Model):
        raise ContractError(
            f"model {spec.name!r}: {spec.factory} returned a {type(model).__name__}, which has no "
            "predict(images)"
        )
    if initial is not None and not (isinstance(model, StartedModel) and model.started):
        raise ContractError(
            f"model {spec.name!r} does not start from initial weights: {spec.factory} took nothing "
            f"of {initial.path}"
        )
    return model


def describe(model: Model) -> Mapping[str, Any]:
    """What the model says its results depend on; nothing for one that does not say."""
    return model.describe() if isinstance(model, DescribedModel) else {}


def predict_all(
    model: Model,
    opened: OpenedDataset,
    records: Sequence[ImageRecord],
    parts: PredictionParts,
    *,
    batch_size: int,
    warmup: int,
    device: Device,
    tell: Callable[[str], None],
) -> float | None:
    """Run the model over every record that ``parts`` does not hold yet, in order.

    While the device computes a batch, the next one is made ready.

    Args:
        warmup: untimed passes over the first batch before the watch is started.

    Returns:
        Images a second, reading and keeping included; ``None``: there were none left.

    Raises:
        InterruptedRun: on Ctrl-C, after what was finished has been kept.
    """
    done = parts.finished()
    if done:
        tell(f"going on after {done} of {len(records)} images")
    with _keep_on_interrupt(parts, len(records)):
        left = list(batches(records, done, batch_size))
        if left and warmup:
            _, first = left[0]
            images = [opened.dataset.load(record) for record in first]
            for _ in range(warmup):
                model.predict(images)
            device.synchronise()
        start = perf_counter()
        with progress("predicting", len(records), done=done) as shown:
            for ready in ready_batches(model, opened.dataset, left, device):
                predictions, times = timed_outputs(model, ready.prepared, device.synchronise)
                parts.append(
                    _samples(ready.index, ready.records, predictions, times, ready.load_ms)
                )
                shown.advance(len(ready.records))
        parts.flush()
    predicted = len(records) - done
    return predicted / (perf_counter() - start) if predicted else None


def batches(
    records: Sequence[ImageRecord], done: int, size: int
) -> Iterator[tuple[int, Sequence[ImageRecord]]]:
    """(index, batch), counted from the first image of all: resuming does not shift the batches."""
    for start in range(done, len(records), size):
        yield start // size, records[start : start + size]


def predict_batch(
    model: Model,
    opened: OpenedDataset,
    index: int,
    records: Sequence[ImageRecord],
    synchronise: Callable[[], None],
) -> list[tuple[ImageRecord, Prediction, Sample]]:
    """Load a batch of images and predict it, one stage after the other.

    Returns:
        For each image its record, its prediction, and its row of ``schemas.SAMPLES`` but for the
        image id.

    Raises:
        ContractError: the model returned another number of predictions, or something else.
    """
    start = perf_counter()
    images = [opened.dataset.load(record) for record in records]
    load_ms = 1e3 * (perf_counter() - start)
    predictions, times = timed_predict(model, images, synchronise)
    return _samples(index, records, predictions, times, load_ms)


def _samples(
    index: int,
    records: Sequence[ImageRecord],
    predictions: Sequence[Prediction],
    times: StageTimes,
    load_ms: float,
) -> list[tuple[ImageRecord, Prediction, Sample]]:
    sample = times.per_image(index, len(records), load_ms)
    return [(record, each, sample) for record, each in zip(records, predictions)]


@contextmanager
def _keep_on_interrupt(parts: PredictionParts, total: int) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        parts.flush()
        raise InterruptedRun(
            f"interrupted after {parts.finished()} of {total} images; they are kept: the same "
            "command with --resume goes on from there"
        ) from None
