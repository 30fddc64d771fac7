"""A stop-watch at the model: what each stage of a batch takes, with the device synchronised.

What each time includes is fixed: *load* decodes the images from where they lie; *preprocess*
resizes, normalises, pads and moves the batch to the device; *model* is the network up to raw
outputs; *postprocess* ends with predictions in host memory, masks as RLE. Each is a stage's own
time, so that the stages add up to the latency of a batch, whether or not the first two take place
while the device computes another one (see ``pipeline``); on a CPU they then share its cores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchsuite.errors import ContractError
from benchsuite.protocols import Model, StagedModel

if TYPE_CHECKING:
    import pyarrow as pa

    from benchsuite.records import Image, Prediction


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds that a batch took; stages a model does not show are ``None``."""

    preprocess: float | None
    model: float
    postprocess: float | None

    def per_image(self, batch: int, size: int, load_ms: float) -> dict[str, float | int | None]:
        """A row of ``schemas.SAMPLES`` but for the image id."""

        def share(ms: float | None) -> float | None:
            return None if ms is None else ms / size

        return {
            "batch": batch,
            "batch_size": size,
            "load_ms": load_ms / size,
            "preprocess_ms": share(self.preprocess),
            "model_ms": self.model / size,
            "postprocess_ms": share(self.postprocess),
        }


@dataclass(frozen=True, slots=True)
class PreparedImages:
    """Images that only wait for the device.

    Attributes:
        batch: what ``preprocess`` of a ``StagedModel`` returned; ``None`` for other models.
        preprocess_ms: what that took; likewise.
    """

    images: Sequence[Image]
    batch: Any = None
    preprocess_ms: float | None = None


def timed_preprocess(
    model: Model, images: Sequence[Image], synchronise: Callable[[], None]
) -> PreparedImages:
    """Pre-process a batch, where the model shows that stage."""
    if not isinstance(model, StagedModel):
        return PreparedImages(images)
    synchronise()
    start = perf_counter()
    batch = model.preprocess(images)
    synchronise()
    return PreparedImages(images, batch, 1e3 * (perf_counter() - start))


def timed_outputs(
    model: Model, prepared: PreparedImages, synchronise: Callable[[], None]
) -> tuple[Sequence[Prediction], StageTimes]:
    """Predict what is prepared, and time its stages.

    Raises:
        ContractError: the model returned another number of predictions, or something else.
    """
    synchronise()
    start = perf_counter()
    if isinstance(model, StagedModel):
        outputs = model.forward(prepared.batch)
        synchronise()
        forwarded = perf_counter()
        predictions = model.postprocess(outputs)
        synchronise()
        end = perf_counter()
        times = StageTimes(
            preprocess=prepared.preprocess_ms,
            model=1e3 * (forwarded - start),
            postprocess=1e3 * (end - forwarded),
        )
    else:
        predictions = model.predict(prepared.images)
        synchronise()
        times = StageTimes(None, 1e3 * (perf_counter() - start), None)
    _check(model, prepared.images, predictions)
    return predictions, times


def timed_predict(
    model: Model, images: Sequence[Image], synchronise: Callable[[], None]
) -> tuple[Sequence[Prediction], StageTimes]:
    """Predict a batch, one stage after the other, and time its stages.

    Raises:
        ContractError: the model returned another number of predictions, or something else.
    """
    return timed_outputs(model, timed_preprocess(model, images, synchronise), synchronise)


def _check(model: Model, images: Sequence[Image], predictions: object) -> None:
    from benchsuite.records import Prediction

    name = type(model).__name__
    if not isinstance(predictions, Sequence) or len(predictions) != len(images):
        count = len(predictions) if isinstance(predictions, Sequence) else "no sequence of"
        raise ContractError(f"{name} returned {count} predictions for {len(images)} images")
    for image, prediction in zip(images, predictions):
        if not isinstance(prediction, Prediction):
            raise ContractError(
                f"{name} returned a {type(prediction).__name__} for image {image.record.id}, "
                "expected a benchsuite.Prediction"
            )


STAGES = ("load", "preprocess", "model", "postprocess")


def summarise(samples: pa.Table) -> Mapping[str, Mapping[str, float]]:
    """Stage to ``{"p50", "p95"}`` in milliseconds an image, over ``schemas.SAMPLES``.

    ``latency`` is pre-processing to post-processing, without loading; ``images_per_second`` (its
    own key, under ``"value"``) is the reciprocal of its mean.
    """
    import numpy as np

    summary: dict[str, dict[str, float]] = {}
    if samples.num_rows == 0:
        return summary
    columns = {
        stage: samples[f"{stage}_ms"].to_numpy(zero_copy_only=False).astype(float)
        for stage in STAGES
    }
    for stage, values in columns.items():
        known = values[~np.isnan(values)]
        if len(known):
            p50, p95 = np.percentile(known, [50, 95])
            summary[stage] = {"p50": float(p50), "p95": float(p95)}
    latency = np.nansum([columns[stage] for stage in STAGES[1:]], axis=0)
    p50, p95 = np.percentile(latency, [50, 95])
    summary["latency"] = {"p50": float(p50), "p95": float(p95)}
    mean = float(latency.mean())
    summary["images_per_second"] = {"value": 1e3 / mean if mean > 0 else 0.0}
    return summary
