"""The table of labels against the dataset's own tools."""

from __future__ import annotations

from benchsuite_plugins.datasets.cityscapes.labels import (
    CATEGORIES,
    EVALUATED,
    LABELS,
    WITH_INSTANCES,
)


def test_the_table_is_cityscapesscripts() -> None:
    from cityscapesscripts.helpers.labels import labels

    official = [
        (each.id, each.name, each.trainId, each.category, each.hasInstances, each.ignoreInEval)
        for each in labels
        if each.id >= 0
    ]
    ours = [
        (each.id, each.name, each.train_id, each.category, each.has_instances, each.ignored)
        for each in LABELS
    ]
    assert ours == official
    assert [label.id for label in LABELS] == list(range(len(LABELS)))


def test_the_order_is_that_of_train_ids() -> None:
    assert [label.train_id for label in EVALUATED] == list(range(19))
    assert [category.id for category in CATEGORIES] == [label.id for label in EVALUATED]
    names = "person rider car truck bus train motorcycle bicycle"
    assert [label.name for label in WITH_INSTANCES] == names.split()
    assert [each.name for each in CATEGORIES if each.isthing] == names.split()


def test_the_zoo_s_categories_are_the_things() -> None:
    from benchsuite_zoo.recipes import read_categories

    things = tuple(category for category in CATEGORIES if category.isthing)
    assert read_categories("cityscapes_things") == things
