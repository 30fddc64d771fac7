"""What a training came to, for the screen and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.training.display import duration

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """A training that has ended.

    Attributes:
        title: recipe and dataset.
        steps: how many were taken, those before a resume counted.
        epochs: how often every image was seen.
        stopped_early: whether early stopping ended it.
        losses: means of the last steps: ``"loss"`` and ``"loss/<term>"``.
        last: values of the last weights; empty where nothing was validated.
        best: values of the best weights.
        best_step: after which step those were.
        best_by: which value tells.
        seconds: since the start or resume.
        images_per_second: trained on, validation not counted.
        weights: ``"last"`` and ``"best"`` to the file that ``--weights`` takes.
        out: where everything lies.
    """

    title: str
    steps: int
    epochs: float
    stopped_early: bool
    losses: Mapping[str, float]
    last: Mapping[str, float]
    best: Mapping[str, float]
    best_step: int
    best_by: str
    seconds: float
    images_per_second: float
    weights: Mapping[str, Path]
    out: Path

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "steps": self.steps,
            "epochs": round(self.epochs, 3),
            "stopped_early": self.stopped_early,
            "losses": dict(self.losses),
            "metrics": dict(self.last),
            "best": {"step": self.best_step, "by": self.best_by, "metrics": dict(self.best)},
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 3),
            "weights": {name: str(path) for name, path in self.weights.items()},
            "out": str(self.out),
        }


def render(outcome: TrainingOutcome) -> list[RenderableType]:
    """The screen: title, values of the last and the best weights, losses, where it lies."""
    from rich.table import Table
    from rich.text import Text

    stopped = ", stopped early" if outcome.stopped_early else ""
    shown: list[RenderableType] = [
        Text(outcome.title, style="bold"),
        Text(
            f"{outcome.steps} steps, {outcome.epochs:.1f} epochs in {duration(outcome.seconds)}"
            f"{stopped}; {outcome.images_per_second:.1f} images/s"
        ),
    ]
    if outcome.last:
        table = Table("", "last", f"best (step {outcome.best_step}, by {outcome.best_by})")
        for column in table.columns[1:]:
            column.justify = "right"
        for name, value in outcome.last.items():
            best = outcome.best.get(name)
            table.add_row(name, _number(name, value), "" if best is None else _number(name, best))
        shown.append(table)
    terms = "  ".join(f"{name} {value:.4g}" for name, value in outcome.losses.items())
    shown.append(Text(f"training losses  {terms}"))
    shown += [Text(f"{name} weights  {path}") for name, path in outcome.weights.items()]
    return shown


def _number(name: str, value: float) -> str:
    """Shares in points, as papers do; losses as they are; nothing where nothing was measured."""
    if name.startswith("loss/"):
        return f"{value:.4g}"
    return "–" if value == -1 else f"{100 * value:.2f}"
