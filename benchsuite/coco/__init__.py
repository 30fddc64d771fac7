"""A drop-in for pycocotools: ``from benchsuite.coco import COCO, COCOeval``.

The modules are named as pycocotools names its own (``coco``, ``cocoeval``, ``mask``), so that code
changes by its imports alone. Numbers, attributes and printed summary are pycocotools' to the bit;
what makes pycocotools crash is an error that names the record, or has the evident result.
"""

from __future__ import annotations

from benchsuite.coco.coco import COCO
from benchsuite.coco.cocoeval import COCOeval
from benchsuite.coco.params import Params

__all__ = ["COCO", "COCOeval", "Params"]
