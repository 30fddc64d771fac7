"""The Pareto front of accuracy against latency."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(
    points: Sequence[tuple[float, float]], *, higher_is_better: bool = True
) -> list[int]:
    """Which points no other point beats.

    A point is beaten by one that is at least as fast and at least as accurate, and better in one
    of the two. Equal points stand or fall together.

    Args:
        points: (latency, accuracy) pairs, all of one device.
        higher_is_better: the direction of accuracy; lower latency is always better.

    Returns:
        Indices into ``points``, by rising latency, then by their order in ``points``.
    """
    sign = 1 if higher_is_better else -1
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1], i))
    front: list[int] = []
    best: tuple[float, float] | None = None
    for i in order:
        latency, accuracy = points[i][0], sign * points[i][1]
        if best is None or accuracy > best[1]:
            best = (latency, accuracy)
            front.append(i)
        elif (latency, accuracy) == best:
            front.append(i)
    return front
