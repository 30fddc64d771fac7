"""Starting a detector from a backbone that was trained on its own, as on ImageNet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints.caffe2_names import from_caffe2


@dataclass(frozen=True, slots=True)
class Started:
    """What came of it.

    Attributes:
        loaded: names of the model's that were given values.
        left_over: names of the file's that the model has no place for, such as the classifier.
        misshapen: names of the model's that have another shape in the file, and keep their values.
    """

    loaded: tuple[str, ...]
    left_over: tuple[str, ...]
    misshapen: tuple[str, ...]


def load_backbone(model: nn.Module, state: Mapping[str, Tensor], source: object) -> Started:
    """Copy what ``state`` has for the model into it, wherever in the model that lies.

    Names match by their ends (see ``match_suffixes``), after Caffe2's are ours.

    Args:
        source: the file, for messages.

    Raises:
        InputError: nothing in the file is anything of the model's, or could be two things.
    """
    given = from_caffe2(state)
    targets = model.state_dict()
    matched = match_suffixes(targets, given)
    if not matched:
        names = ", ".join([*given][:3])
        raise InputError(
            f"holds nothing of the model's backbone; its first names are {names}", file=source
        )
    places: dict[str, str] = {}
    for name, suffix in matched.items():
        if suffix in places:
            raise InputError(
                f"{suffix} could be {places[suffix]} or {name} of the model", file=source
            )
        places[suffix] = name
    loaded = [
        name for name, suffix in matched.items() if targets[name].shape == given[suffix].shape
    ]
    with torch.no_grad():
        for name in loaded:
            targets[name].copy_(given[matched[name]])
    return Started(
        loaded=tuple(loaded),
        left_over=tuple(name for name in given if name not in places),
        misshapen=tuple(name for name in matched if name not in loaded),
    )


def match_suffixes(wanted: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """Each wanted name to the longest given one that it ends with, whole parts only.

    ``backbone.bottom_up.res2.0.conv1.weight`` ends with ``res2.0.conv1.weight`` and with
    ``conv1.weight``; the first is its own. What ends with none is left out.
    """
    known = set(given)
    matched = {}
    for name in wanted:
        parts = name.split(".")
        endings = (".".join(parts[start:]) for start in range(len(parts)))
        suffix = next((ending for ending in endings if ending in known), None)
        if suffix is not None:
            matched[name] = suffix
    return matched
