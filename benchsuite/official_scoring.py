"""Scoring by the protocols' official scorers, and holding our numbers against theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.scoring import Scored

if TYPE_CHECKING:
    from benchsuite.metric_selection import ResolvedMetric
    from benchsuite.protocols import Predictions, Truth


def score_officially(
    truth: Callable[[str], Truth],
    predictions: Callable[[str], Predictions],
    metrics: Sequence[ResolvedMetric],
    tell: Callable[[str], None] = lambda _: None,
) -> list[Scored]:
    """Score by the protocols' official scorers; arguments as for ``score``.

    Raises:
        UsageError: a metric has no official scorer.
        InputError: the official scorer fails on the input.
    """
    scored = []
    for resolved in metrics:
        spec, official = resolved.spec, resolved.official()
        tell(f"scoring {spec.value_prefix} with {official.evaluator}")
        given = predictions(spec.task)
        try:
            scores = official.score(truth(spec.task), given)
        except BenchsuiteError:
            raise
        except (Exception, SystemExit) as error:  # they raise whatever they meet, and may exit
            raise InputError(
                f"{official.evaluator} fails: {type(error).__name__}: {error}",
                file=given.source or None,
                remedy="Leave out --scorer to have a message that names the record",
            ) from error
        scored.append(Scored(spec, official.evaluator, scores))
    return scored


class ScorersDisagree(BenchsuiteError):
    """Our numbers and the official scorer's are not the same. Exit code 1."""


def hold_against_official(scored: Sequence[Scored], official: Sequence[Scored]) -> list[str]:
    """Compare every number to the last bit; returns a line a metric to be told.

    Raises:
        ScorersDisagree: names the values that differ. Values that only one of the two gives are no
            disagreement.
    """
    lines = []
    for ours, theirs in zip(scored, official, strict=True):
        values, reference = ours.named(), theirs.named()
        shared = [name for name in values if name in reference]
        differing = [name for name in shared if not _same(values[name], reference[name])]
        if differing:
            listed = "; ".join(
                f"{name}: {values[name]!r}, {theirs.evaluator} has {reference[name]!r}"
                for name in differing[:10]
            )
            raise ScorersDisagree(
                f"{len(differing)} of {len(shared)} values of {ours.spec.value_prefix} differ from "
                f"the official scorer's: {listed}. Please report it with the two input files"
            )
        lines.append(
            f"{ours.spec.value_prefix}: all {len(shared)} values equal {theirs.evaluator}'s"
        )
    return lines


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)
