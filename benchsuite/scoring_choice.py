"""How numbers are asked for: by which scorer, and with intervals or without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchsuite.errors import UsageError
from benchsuite.scoring import Scored, score, with_intervals

if TYPE_CHECKING:
    import pyarrow as pa

    from benchsuite.metric_selection import ResolvedMetric
    from benchsuite.protocols import Predictions, Truth

Scorer = Literal["benchsuite", "official", "both"]
SCORERS: tuple[Scorer, ...] = ("benchsuite", "official", "both")


@dataclass(frozen=True, slots=True)
class ScoringChoice:
    """What was asked for.

    Attributes:
        scorer: ``"both"``: ours, and an error if the official scorer's numbers are not the same.
        ci: whether confidence intervals are wanted.
        replicates, seed: of their bootstrap.

    Raises:
        UsageError: intervals of the official scorer, or fewer than 100 replicates, are asked for.
    """

    scorer: Scorer = "benchsuite"
    ci: bool = False
    replicates: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.ci and self.scorer == "official":
            raise UsageError(
                "--ci needs the matches, which the official scorer does not give; use "
                "--scorer both to have intervals and the official numbers"
            )
        if self.replicates < 100:
            raise UsageError(f"--replicates must be at least 100, not {self.replicates}")

    def score(
        self,
        truth: Callable[[str], Truth],
        predictions: Callable[[str], Predictions],
        metrics: Sequence[ResolvedMetric],
        images: pa.Table,
        tell: Callable[[str], None],
    ) -> list[Scored]:
        """Scores as chosen; see ``scoring.score`` for the arguments.

        Args:
            images: the images that were run, with a column ``image_id``.
        """
        from benchsuite.official_scoring import hold_against_official, score_officially

        if self.scorer == "official":
            return score_officially(truth, predictions, metrics, tell)
        scored = score(truth, predictions, metrics, tell)
        if self.scorer == "both":
            official = score_officially(truth, predictions, metrics, tell)
            for line in hold_against_official(scored, official):
                tell(line)
        if self.ci:
            tell(f"bootstrapping {self.replicates} times")
            scored = with_intervals(
                scored, metrics, images, replicates=self.replicates, seed=self.seed
            )
        return scored
