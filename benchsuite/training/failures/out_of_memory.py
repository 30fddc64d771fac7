"""Memory that does not suffice: which batch it was, and what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from benchsuite.errors import BenchsuiteError

if TYPE_CHECKING:
    from benchsuite.training.loading.loader import MicroBatch

_SAID_BY_TORCH = ("not enough memory", "can't allocate memory", "out of memory")


class OutOfMemoryError(BenchsuiteError):
    """A step needs more memory than there is. The message names the batch and remedies."""


@contextmanager
def memory_explained(step: int, batches: list[MicroBatch], precision: str) -> Iterator[None]:
    """Tell an allocation that failed as what it means for a training.

    Args:
        batches: of the step, filled in the block.

    Raises:
        OutOfMemoryError: in place of what the block raised.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _explained(step, batches, precision) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in _SAID_BY_TORCH):
            raise
        raise _explained(step, batches, precision) from error


def _explained(step: int, batches: list[MicroBatch], precision: str) -> OutOfMemoryError:
    shown = "; ".join(
        ", ".join(
            f"image {image_id} of {image.width} x {image.height} with {len(target)} objects"
            for image_id, image, target in zip(batch.image_ids, batch.images, batch.targets)
        )
        for batch in batches
    )
    tries = [
        "a higher training.accumulate (fewer images at a time, the same step)",
        "training.activation_checkpointing=true",
        "a lower training.images_per_batch",
    ]
    if precision == "fp32":
        tries.insert(1, "--precision bf16")
    return OutOfMemoryError(
        f"step {step}: out of memory at {shown or 'no batch yet'}. Try {', '.join(tries)}"
    )
