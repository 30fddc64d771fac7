"""What a training carries from step to step, beside the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchsuite.training.options import EarlyStoppingOptions
    from benchsuite.training.validation.validation import Validation


@dataclass(slots=True)
class TrainingState:
    """How far a training is. Sampling, schedule and random numbers follow from the step alone.

    Attributes:
        step: how many steps were taken.
        values: of the last validation, by name.
        validated: after which step that was.
        best: the best value so far of that by which validations are compared.
        best_values: all values of that validation.
        best_step: after which step that was.
        to_beat: what the next value must be better than, for early stopping.
        waited: how many validations in a row have not been.
    """

    step: int = 0
    values: dict[str, float] = field(default_factory=dict)
    validated: int = 0
    best: float | None = None
    best_values: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    to_beat: float | None = None
    waited: int = 0

    def take(self, validation: Validation, stopping: EarlyStoppingOptions | None) -> bool:
        """Count a validation after ``step``; whether it is the best so far."""
        self.values, self.validated = dict(validation.values), self.step
        score, rule = validation.score, validation.best
        min_delta = stopping.min_delta if stopping is not None else 0.0
        if not rule.higher_is_better:
            min_delta = -min_delta
        target = None if self.to_beat is None else self.to_beat + min_delta
        if rule.improves(score, target):
            self.to_beat, self.waited = score, 0
        else:
            self.waited += 1
        if not rule.improves(score, self.best):
            return False
        self.best, self.best_values, self.best_step = score, self.values, self.step
        return True

    def is_hopeless(self, stopping: EarlyStoppingOptions | None) -> bool:
        """Whether early stopping says that there is no point in going on."""
        return stopping is not None and self.waited >= stopping.patience

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for each in fields(self):
            setattr(self, each.name, state[each.name])
