from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.options import read_options
from benchsuite.protocols import DatasetRequest
from benchsuite_plugins.datasets.shapes import ShapesOptions, open_shapes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "count=0 images"),
        ({"count": -3}, "count=-3 images"),
        ({"size": 63}, "size=63 is out of range; take 64 to 1024 pixels"),
        ({"size": 1025}, "size=1025"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1 << 64}, "out of range"),
    ],
)
def test_values_out_of_range_are_usage_errors(values: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ShapesOptions(**values)
    with pytest.raises(UsageError, match=message):
        read_options(ShapesOptions, values, "dataset")


def test_options_are_read_by_the_host() -> None:
    assert read_options(ShapesOptions, {"count": 7}, "dataset") == ShapesOptions(count=7)
    with pytest.raises(UsageError, match="did you mean count"):
        read_options(ShapesOptions, {"counts": 7}, "dataset")
    with pytest.raises(UsageError, match=r"dataset\.size"):
        read_options(ShapesOptions, {"size": "wide"}, "dataset")


def test_counts_by_split() -> None:
    assert [ShapesOptions().images_in(split) for split in ("val", "train")] == [300, 600]
    assert ShapesOptions(count=5).images_in("train") == 5


def test_an_unknown_split_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean train"):
        open_shapes(DatasetRequest("trian", root=tmp_path, cache=tmp_path))
