"""How a checkpoint's names and shapes differ from a model's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from benchsuite_plugins.checkpoints.translation import translate_shapes

DERIVED = re.compile(r"(^|\.)(pixel_mean|pixel_std|anchor_generator\.cell_anchors\.\d+)$")
"""What files published before 2021 hold beside the weights; the options say it."""

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Differences:
    """What keeps a checkpoint from being a model's; false where nothing does.

    Attributes:
        missing: names of the model's that the checkpoint lacks.
        left_over: names of the checkpoint's that the model lacks.
        misshapen: name to its shape in the checkpoint and in the model.
        n_model: how many names the model has.
    """

    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    misshapen: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    n_model: int

    def __bool__(self) -> bool:
        return bool(self.missing or self.left_over or self.misshapen)

    @property
    def other_architecture(self) -> bool:
        """Whether most of what the model has is missing: nobody's forgotten option."""
        return 2 * len(self.missing) > self.n_model

    def misfits(self) -> list[str]:
        """The misshapen, a text each."""
        return [
            f"{name} ({found} in the file, {wanted} in the model)"
            for name, (found, wanted) in self.misshapen.items()
        ]

    def __str__(self) -> str:
        """The first three of each kind, and how many there are.

        Of another architecture's checkpoint, one a module: three parts say more of it than three
        parameters of its first convolution.
        """
        choose = one_a_module if self.other_architecture else list
        parts = [
            f"{len(names)} {what}: {_first(choose(names))}"
            for what, names in (
                ("missing", self.missing),
                ("left over", self.left_over),
                ("of another shape", self.misfits()),
            )
            if names
        ]
        return "; ".join(parts)


def find_differences(model: nn.Module, shapes: Mapping[str, Sequence[int]]) -> Differences:
    """Compare a checkpoint's shapes, by name, with what the model would save.

    The checkpoint is translated first, where the model knows how (``translation``).
    Passed over are what old files hold beyond the weights (``DERIVED``), the counters of batch
    norms, and what a module names in its attribute ``optional_state``, which may be absent
    together.
    """
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    optional = optional_state(model)
    translated = translate_shapes(model, shapes)
    given = {name: shape for name, shape in translated.items() if not DERIVED.search(name)}
    stated = any(name in given for name in optional)
    return Differences(
        missing=tuple(
            name
            for name in wanted
            if name not in given
            and not name.endswith("num_batches_tracked")
            and (name not in optional or stated)
        ),
        left_over=tuple(name for name in given if name not in wanted),
        misshapen={
            name: (shape, wanted[name])
            for name, shape in given.items()
            if name in wanted and shape != wanted[name]
        },
        n_model=len(wanted),
    )


def optional_state(model: nn.Module) -> dict[str, float]:
    """Name to the value that stands for it where a checkpoint lacks it."""
    return {
        f"{prefix}.{name}" if prefix else name: value
        for prefix, module in model.named_modules()
        for name, value in getattr(module, "optional_state", {}).items()
    }


def one_a_module(names: Sequence[str]) -> list[str]:
    """Of the names that share their first two parts, the first."""
    chosen: dict[tuple[str, ...], str] = {}
    for name in names:
        chosen.setdefault(tuple(name.split(".")[:2]), name)
    return list(chosen.values())


def _first(names: Sequence[str]) -> str:
    return ", ".join([*names[:SHOWN], *(["..."] if len(names) > SHOWN else [])])
