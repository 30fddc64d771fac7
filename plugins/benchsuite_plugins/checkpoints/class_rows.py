"""Which entries of a detector's parameters belong to which class: what can be kept of a head that
is to tell other classes apart.

Names and layouts are Detectron2's, and so those of every model here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """What one entry along the class axis is about.

    Attributes:
        name: the class or keypoint; empty: the background, or all classes together.
        part: which of the entries that are about it; -1: the background.
    """

    name: str
    part: int = 0


BACKGROUND = Row("", -1)


@dataclass(frozen=True, slots=True)
class Classes:
    """What a model's branches tell apart, each by name, in the order of its labels.

    Attributes:
        regions: the classes of boxes and masks.
        pixels: the classes of the semantic branch.
        keypoints: the keypoints; empty: there are none, or they are not known.
    """

    regions: tuple[str, ...]
    pixels: tuple[str, ...]
    keypoints: tuple[str, ...] = ()


def rows_of(name: str, count: int, classes: Classes) -> tuple[Row, ...] | None:
    """What each of the entries of a parameter is about; ``None``: they are not of these classes.

    Where a branch has one box or one mask for all classes, it is about none of them.

    Args:
        name: one that ``has_classes``.
        count: how many entries it has along ``class_axis``.
    """
    for pattern, rows in _HEADS:
        if re.fullmatch(pattern, name):
            found = rows(count, classes)
            return found if len(found) == count else None
    return None


def has_classes(name: str) -> bool:
    """Whether a parameter of that name has entries that each belong to a class or a keypoint."""
    return any(re.fullmatch(pattern, name) for pattern, _ in _HEADS)


def class_axis(name: str) -> int:
    """The axis of such a parameter along which they lie."""
    # A transposed convolution has its output's channels second.
    return 1 if name.endswith("score_lowres.weight") else 0


def _each(names: tuple[str, ...]) -> tuple[Row, ...]:
    return tuple(Row(name) for name in names)


def _scores(count: int, classes: Classes) -> tuple[Row, ...]:
    return (*_each(classes.regions), BACKGROUND)


def _deltas(count: int, classes: Classes) -> tuple[Row, ...]:
    names = ("",) if count == 4 else classes.regions
    return tuple(Row(name, coordinate) for name in names for coordinate in range(4))


def _masks(count: int, classes: Classes) -> tuple[Row, ...]:
    return _each(("",) if count == 1 else classes.regions)


def _anchors(count: int, classes: Classes) -> tuple[Row, ...]:
    anchors = count // max(1, len(classes.regions))
    return tuple(Row(name, anchor) for anchor in range(anchors) for name in classes.regions)


_HEADS: tuple[tuple[str, Callable[[int, Classes], tuple[Row, ...]]], ...] = (
    (r"roi_heads\.box_predictor(\.\d+)?\.cls_score\.(weight|bias)", _scores),
    (r"roi_heads\.box_predictor(\.\d+)?\.bbox_pred\.(weight|bias)", _deltas),
    (r"roi_heads\.box_predictor(\.\d+)?\.fed_loss_cls_weights", lambda _, it: _each(it.regions)),
    (r"roi_heads\.mask_head\.predictor\.(weight|bias)", _masks),
    (r"roi_heads\.keypoint_head\.score_lowres\.(weight|bias)", lambda _, it: _each(it.keypoints)),
    (r"sem_seg_head\.predictor\.(weight|bias)", lambda _, it: _each(it.pixels)),
    (r"head\.cls_score\.(weight|bias)", _anchors),
)
"""Patterns of names, and what the entries are about, given how many there are."""
