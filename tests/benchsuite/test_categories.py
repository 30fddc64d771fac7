from __future__ import annotations

import pytest

from benchsuite.categories import map_categories, one_category
from benchsuite.errors import InputError
from benchsuite.specs import Category


def test_by_name_with_ids_of_the_dataset():
    model = [Category(1, "cat"), Category(2, "Dog "), Category(3, "yak")]
    dataset = [Category(0, "dog"), Category(2**53, "cat"), Category(7, "emu")]
    mapped = map_categories(model, dataset)
    assert mapped.category_ids == (2**53, 0, None)
    assert mapped.dropped == ("yak",)
    assert mapped.unreachable == ("emu",)


def test_an_exact_name_wins_over_a_similar_one():
    mapped = map_categories([Category(1, "Cat")], [Category(4, "cat"), Category(5, "Cat")])
    assert mapped.category_ids == (5,)


def test_nothing_in_common_is_an_error():
    with pytest.raises(InputError, match="no category name in common"):
        map_categories([Category(1, "cat")], [Category(1, "dog")])


def test_a_model_that_tells_no_categories_apart_loses_nothing():
    mapped = one_category([Category(1, "person"), Category(2, "car")], [Category(9, "yak")])
    assert mapped.category_ids == (9, 9)
    assert mapped.complete
