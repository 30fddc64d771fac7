"""Starting a detector from a backbone that was trained on its own, as on ImageNet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchsuite.errors import InputError
from benchsuite_plugins.checkpoints.caffe2_names import from_caffe2
from benchsuite_plugins.checkpoints.torchvision_resnet_names import from_torchvision_resnet


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

    Caffe2's and torchvision's names of a ResNet are made ours first; ``find_places`` says where a
    name belongs.

    Args:
        source: the file, for messages.

    Raises:
        InputError: nothing in the file is anything of the model's, or could be two things.
    """
    given = from_torchvision_resnet(from_caffe2(state))
    targets = model.state_dict()
    places = find_places(targets, given, source)
    if not places:
        names = ", ".join([*given][:3])
        raise InputError(
            f"holds nothing of the model's backbone; its first names are {names}", file=source
        )
    loaded = [name for name, own in places.items() if targets[name].shape == given[own].shape]
    with torch.no_grad():
        for name in loaded:
            targets[name].copy_(given[places[name]])
    used = {*places.values()}
    return Started(
        loaded=tuple(loaded),
        left_over=tuple(
            name for name in given if name not in used and not name.endswith("num_batches_tracked")
        ),
        misshapen=tuple(name for name in places if name not in loaded),
    )


def find_places(
    wanted: Iterable[str], given: Iterable[str], source: object = None
) -> dict[str, str]:
    """Names of a model to those of a file of its backbone that belong there.

    The network whose file it is lies in the model under a prefix (``backbone.bottom_up.``): the one
    under which the most of its names are. What is not there may be elsewhere, as ``res5`` is in the
    heads of a C4 detector; but not a single layer, such as the normalisation that ends a network,
    since layers of many parts of a model are called so.

    Raises:
        InputError: the network could be two of the model's.
    """
    under = _under_prefixes(wanted, {*given})
    if not under:
        return {}
    most = max(map(len, under.values()))
    main, *others = [prefix for prefix, names in under.items() if len(names) == most]
    if others:
        one, other = (prefix + under[prefix][0] for prefix in (main, others[0]))
        raise InputError(f"{under[main][0]} could be {one} or {other} of the model", file=source)
    places = {main + name: name for name in under.pop(main)}
    found = {_first(name) for name in places.values()}
    for prefix, names in sorted(under.items(), key=lambda item: -len(item[1])):
        elsewhere = [name for name in names if _first(name) not in found and name.count(".") > 1]
        places |= {prefix + name: name for name in elsewhere}
        found |= {_first(name) for name in elsewhere}
    return places


def _first(name: str) -> str:
    return name.partition(".")[0]


def _under_prefixes(wanted: Iterable[str], given: set[str]) -> dict[str, list[str]]:
    """The prefixes under which a model has names of the file, and which those are."""
    under: dict[str, list[str]] = defaultdict(list)
    for name in wanted:
        parts = name.split(".")
        for start in range(len(parts)):
            if (ending := ".".join(parts[start:])) in given:
                under[name.removesuffix(ending)].append(ending)
    return under
