"""Weights to start training from: whatever of a file a model has a place for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from benchsuite_plugins.checkpoints.class_rows import (
    BACKGROUND,
    Classes,
    Row,
    class_axis,
    has_classes,
    rows_of,
)
from benchsuite_plugins.checkpoints.differences import DERIVED, one_a_module
from benchsuite_plugins.checkpoints.load_backbone import load_backbone
from benchsuite_plugins.checkpoints.translation import translate_state

SHOWN = 4
"""So many names are told, and how many there are."""


@dataclass(slots=True)
class Taken:
    """What a model took of a file, by its own names.

    Attributes:
        whole: taken as they are.
        partly: those of which the entries of some classes were taken.
        anew: those with entries of classes of which none was taken.
        misshapen: not taken: the file has another shape.
        missing: not in the file.
        left_over: names of the file's that the model has no place for.
        kept: labels of the classes whose entries were taken, where not all were.
        backbone: whether the file was taken for a backbone alone.
    """

    whole: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    anew: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    backbone: bool = False

    def lines(self, source: str) -> tuple[str, ...]:
        """What a user is told."""
        count = len(self.whole) + len(self.partly)
        total = count + len(self.anew) + len(self.misshapen) + len(self.missing)
        what = " (its backbone)" if self.backbone else ""
        lines = [f"starts from {source}: {count} of the model's {total} values{what}"]
        if changed := [*self.partly, *self.anew]:
            rest = f"; kept: {', '.join(_some(self.kept))}" if self.kept else ""
            lines.append(f"drawn anew for other classes: {_modules(changed)}{rest}")
        if self.misshapen:
            lines.append(f"drawn anew, of another shape in the file: {_modules(self.misshapen)}")
        if self.missing and not self.backbone:
            lines.append(f"drawn anew, not in the file: {_modules(self.missing)}")
        if self.left_over:
            lines.append(f"in the file and not used: {_modules(self.left_over)}")
        return tuple(lines)


def load_initial(
    model: nn.Module,
    state: Mapping[str, Tensor],
    source: object,
    ours: Classes,
    theirs: Classes | None,
) -> Taken:
    """Copy into the model what the file has for it; all else stays as it was drawn.

    A file with the model's own names is a detector's; of its heads the entries of classes that both
    have, by name, are taken. Any other file is a backbone's (``load_backbone``).

    Args:
        source: the file, for messages.
        ours: what the model tells apart.
        theirs: what the model told apart that the file is of; ``None``: not known. Then a head is
            taken as it is where it has the right size.

    Raises:
        InputError: nothing in the file is anything of the model's.
    """
    given = {
        name: value
        for name, value in translate_state(model, state).items()
        if not DERIVED.search(name)
    }
    wanted = model.state_dict()
    if not given.keys() & wanted.keys():
        return _backbone(model, state, source)
    taken = Taken(left_over=[name for name in given if name not in wanted])
    with torch.no_grad():
        for name, target in wanted.items():
            if name in given:
                _take(name, target, given[name], ours, theirs, taken)
            elif not name.endswith("num_batches_tracked"):
                taken.missing.append(name)
    return taken


def _backbone(model: nn.Module, state: Mapping[str, Tensor], source: object) -> Taken:
    started = load_backbone(model, state, source)
    seen = {*started.loaded, *started.misshapen}
    return Taken(
        whole=list(started.loaded),
        left_over=list(started.left_over),
        misshapen=list(started.misshapen),
        missing=[
            name
            for name in model.state_dict()
            if name not in seen and not name.endswith("num_batches_tracked")
        ],
        backbone=True,
    )


def _take(
    name: str,
    target: Tensor,
    value: Tensor,
    ours: Classes,
    theirs: Classes | None,
    taken: Taken,
) -> None:
    """One parameter, or as much of it as the file has."""
    axis = class_axis(name) if has_classes(name) else None
    if _without(target, axis) != _without(value, axis):
        taken.misshapen.append(name)
        return
    here = there = None
    if axis is not None and theirs is not None:
        here = rows_of(name, target.shape[axis], ours)
        there = rows_of(name, value.shape[axis], theirs)
    if axis is None or here is None or there is None or here == there:
        if target.shape == value.shape:
            target.copy_(value)
        (taken.whole if target.shape == value.shape else taken.anew).append(name)
    elif shared := _shared(here, there):
        to, of = (torch.tensor(places) for places in zip(*shared, strict=True))
        target.index_copy_(axis, to, value.index_select(axis, of).to(target.dtype))
        (taken.whole if len(shared) == len(here) else taken.partly).append(name)
        kept = (here[place].name for place, _ in shared)
        taken.kept += dict.fromkeys(each for each in kept if each and each not in taken.kept)
    else:
        taken.anew.append(name)


def _shared(here: Sequence[Row], there: Sequence[Row]) -> list[tuple[int, int]]:
    """Places in the model and in the file of the entries that are about the same; names match as
    those of categories do, without regard to case and space.

    The background is what is none of the classes, and means little without one of them.
    """
    place = {_plain(row): index for index, row in reversed([*enumerate(there)])}
    shared = [(index, place[_plain(row)]) for index, row in enumerate(here) if _plain(row) in place]
    return shared if any(here[index] != BACKGROUND for index, _ in shared) else []


def _plain(row: Row) -> Row:
    return Row(" ".join(row.name.split()).casefold(), row.part)


def _without(value: Tensor, axis: int | None) -> list[int]:
    """A shape without the axis of the classes."""
    return [size for index, size in enumerate(value.shape) if index != axis]


def _modules(names: Sequence[str]) -> str:
    """The modules that parameters belong to; of many a few, and how many parameters there are."""
    modules = [*dict.fromkeys(name.rpartition(".")[0] or name for name in names)]
    if len(modules) <= SHOWN:
        return ", ".join(modules)
    return f"{', '.join(one_a_module(modules)[:SHOWN])}, ... ({len(names)} values)"


def _some(names: Sequence[str]) -> list[str]:
    return [*names[:SHOWN], *([f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else [])]
