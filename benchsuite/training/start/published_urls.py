"""Short names that published recipes give weights, and the addresses that they stand for."""

from __future__ import annotations

from benchsuite.errors import unknown_name

DETECTRON2 = "https://dl.fbaipublicfiles.com/detectron2/"
"""What ``detectron2://`` is short for."""

DETECTRON = "https://dl.fbaipublicfiles.com/detectron/"

CATALOG = {
    "ImageNetPretrained/MSRA/R-50": "ImageNetPretrained/MSRA/R-50.pkl",
    "ImageNetPretrained/MSRA/R-101": "ImageNetPretrained/MSRA/R-101.pkl",
    "ImageNetPretrained/FAIR/R-50-GN": "ImageNetPretrained/47261647/R-50-GN.pkl",
    "ImageNetPretrained/FAIR/R-101-GN": "ImageNetPretrained/47592356/R-101-GN.pkl",
    "ImageNetPretrained/FAIR/X-101-32x8d": "ImageNetPretrained/20171220/X-101-32x8d.pkl",
    "ImageNetPretrained/FAIR/X-101-64x4d": "ImageNetPretrained/FBResNeXt/X-101-64x4d.pkl",
    "ImageNetPretrained/FAIR/X-152-32x8d-IN5k": (
        "ImageNetPretrained/25093814/X-152-32x8d-IN5k.pkl"
    ),
}
"""What ``catalog://`` names, under ``DETECTRON``: backbones of Detectron, the forerunner."""


def published_url(text: str) -> str:
    """The address that a short name stands for; anything else as it is.

    What follows a question mark (``?matching_heuristics=True``) tells Detectron2 how to read the
    file, and is left out.

    Raises:
        UsageError: nothing of that name is in the catalogue.
    """
    scheme, separator, name = text.partition("://")
    name = name.partition("?")[0]
    if not separator or scheme not in ("detectron2", "catalog"):
        return text
    if scheme == "detectron2":
        return DETECTRON2 + name
    if name not in CATALOG:
        raise unknown_name("name of catalog://", name, CATALOG)
    return DETECTRON + CATALOG[name]
