"""What a lenient reading let pass, counted, so that the user is told and the store knows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LetPass:
    """Records of one kind that a strict reading refuses.

    Attributes:
        problem: what they have (``"an image_id that is not among the dataset's images"``).
        outcome: what became of them (``"left out"``).
        count: how many there are.
        first: which record is the first (``"detections[5]"``).
        dropped: whether they were left out.
    """

    problem: str
    outcome: str
    count: int
    first: str
    dropped: bool = False

    def __str__(self) -> str:
        have = "record has" if self.count == 1 else "records have"
        return f"{self.count} {have} {self.problem} (first: {self.first}): {self.outcome}"
