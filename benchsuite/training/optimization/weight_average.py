"""An exponential moving average of a model's weights (Polyak and Juditsky 1992)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from benchsuite.errors import InputError
from benchsuite.training.options import EMAOptions
from benchsuite.training.processes.sharding import own_part


class WeightAverage:
    """The average of everything that a model's checkpoint holds, statistics of batch normalisation
    among it; whole numbers are the last ones.

    Averages are kept in at least single precision, on the model's device.
    """

    def __init__(self, model: nn.Module, options: EMAOptions) -> None:
        self.options = options
        self._average = {
            name: value.detach().to(_precise(value.dtype), copy=True)
            for name, value in model.state_dict().items()
        }

    def decay(self, step: int) -> float:
        """The share of the average that the update after step ``step`` (from 1) leaves."""
        options = self.options
        if not options.warmup_iters:
            return options.decay
        return options.decay * -math.expm1(-step / options.warmup_iters)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights as they are after step ``step``, the first of which is 1."""
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for name, value in model.state_dict().items():
            average = self._average[name]
            if average.is_floating_point():
                averages.append(own_part(average))
                values.append(own_part(value).to(average.dtype))
            else:
                average.copy_(value)
        update = get_ema_multi_avg_fn(self.decay(step))  # type: ignore[no-untyped-call]
        update(averages, values, step)

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """The model has the average for its weights meanwhile, and its own again afterwards."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        _copy(self._average, model)
        try:
            yield
        finally:
            _copy(own, model)

    def state_dict(self) -> dict[str, Tensor]:
        """The averages, by name: what a checkpoint holds, and what training goes on from."""
        return dict(self._average)

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from averages that were saved.

        Raises:
            InputError: they are another model's.
        """
        shapes = {name: value.shape for name, value in state.items()}
        if shapes != {name: value.shape for name, value in self._average.items()}:
            raise InputError("the averaged weights are those of another model")
        for name, average in self._average.items():
            average.copy_(state[name])


def _precise(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


@torch.no_grad()
def _copy(state: Mapping[str, Tensor], model: nn.Module) -> None:
    for name, value in model.state_dict().items():
        value.copy_(state[name])
