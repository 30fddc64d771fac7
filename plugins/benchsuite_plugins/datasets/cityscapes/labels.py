"""What a pixel of Cityscapes can be: 34 labels, of which 19 are evaluated and 8 have instances.

The numbers are those of the dataset's files and of its evaluation server
(``cityscapesscripts.helpers.labels``). Its 35th entry, the license plate, is in no map.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite.specs import Category

NO_TRAIN_ID = 255
"""The train id of all labels that are not evaluated."""

LICENSE_PLATE = -1
"""The id of the one label that is in no map."""

INSTANCE_FACTOR = 1000
"""An instance map holds ``label id * INSTANCE_FACTOR + number`` for a single object, and the label
id itself for everything else: stuff, and groups of objects that nobody could tell apart."""


@dataclass(frozen=True, slots=True)
class Label:
    """One kind of pixel.

    Attributes:
        id: in label maps and instance maps.
        name: what it is called; a group of objects is called ``<name>group`` in polygon files.
        train_id: in train id maps; ``NO_TRAIN_ID`` for labels that are not evaluated.
        category: the group of labels that it belongs to.
        has_instances: whether single objects are told apart.
        ignored: whether truth of this label is left out of every evaluation.
    """

    id: int
    name: str
    train_id: int
    category: str
    has_instances: bool = False
    ignored: bool = False


def _void(id: int, name: str) -> Label:
    return Label(id, name, NO_TRAIN_ID, "void", ignored=True)


def _unscored(id: int, name: str, category: str, has_instances: bool = False) -> Label:
    return Label(id, name, NO_TRAIN_ID, category, has_instances, ignored=True)


LABELS = (
    _void(0, "unlabeled"),
    _void(1, "ego vehicle"),
    _void(2, "rectification border"),
    _void(3, "out of roi"),
    _void(4, "static"),
    _void(5, "dynamic"),
    _void(6, "ground"),
    Label(7, "road", 0, "flat"),
    Label(8, "sidewalk", 1, "flat"),
    _unscored(9, "parking", "flat"),
    _unscored(10, "rail track", "flat"),
    Label(11, "building", 2, "construction"),
    Label(12, "wall", 3, "construction"),
    Label(13, "fence", 4, "construction"),
    _unscored(14, "guard rail", "construction"),
    _unscored(15, "bridge", "construction"),
    _unscored(16, "tunnel", "construction"),
    Label(17, "pole", 5, "object"),
    _unscored(18, "polegroup", "object"),
    Label(19, "traffic light", 6, "object"),
    Label(20, "traffic sign", 7, "object"),
    Label(21, "vegetation", 8, "nature"),
    Label(22, "terrain", 9, "nature"),
    Label(23, "sky", 10, "sky"),
    Label(24, "person", 11, "human", has_instances=True),
    Label(25, "rider", 12, "human", has_instances=True),
    Label(26, "car", 13, "vehicle", has_instances=True),
    Label(27, "truck", 14, "vehicle", has_instances=True),
    Label(28, "bus", 15, "vehicle", has_instances=True),
    _unscored(29, "caravan", "vehicle", has_instances=True),
    _unscored(30, "trailer", "vehicle", has_instances=True),
    Label(31, "train", 16, "vehicle", has_instances=True),
    Label(32, "motorcycle", 17, "vehicle", has_instances=True),
    Label(33, "bicycle", 18, "vehicle", has_instances=True),
)
"""All labels; the place of each is its id."""

EVALUATED = tuple(label for label in LABELS if not label.ignored)
"""By ascending label id, which is by ascending train id."""

WITH_INSTANCES = tuple(label for label in EVALUATED if label.has_instances)

CATEGORIES = tuple(
    Category(label.id, label.name, isthing=label.has_instances, supercategory=label.category)
    for label in EVALUATED
)
"""The evaluated labels as a dataset's categories."""
