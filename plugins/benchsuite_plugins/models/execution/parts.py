"""Which parts of a model are networks alone: no selection, no wait for the device."""

from __future__ import annotations

from torch import nn

DENSE = ("backbone", "rpn_head", "head", "sem_seg_head")
"""Names of the parts that see whole maps: their input has few sizes."""

OF_REGIONS = ("box_head", "mask_head", "keypoint_head", "res5")
"""Names of the parts that see regions: how many, each image decides."""


def dense_parts(model: nn.Module) -> list[nn.Module]:
    """The outermost modules of these names."""
    return _named(model, DENSE, ())


def region_parts(model: nn.Module) -> list[nn.Module]:
    """The same, for what sees regions and is in no dense part; of a list of modules each for
    itself."""
    parts: list[nn.Module] = []
    for part in _named(model, OF_REGIONS, DENSE):
        parts += part if isinstance(part, nn.ModuleList) else [part]
    return parts


def _named(module: nn.Module, names: tuple[str, ...], left_out: tuple[str, ...]) -> list[nn.Module]:
    found: list[nn.Module] = []
    for name, child in module.named_children():
        if name in names:
            found.append(child)
        elif name not in left_out:
            found += _named(child, names, left_out)
    return found
